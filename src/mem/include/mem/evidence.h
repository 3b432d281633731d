/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lanes report when something does not fit the model: written by one lane, read by the supervisor. */
#ifndef SUNDER_MEM_EVIDENCE_H
#define SUNDER_MEM_EVIDENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum evidence_kind {
	EVIDENCE_NONE,
	EVIDENCE_OLD, /* own cell holds an older generation: a write was lost */
	EVIDENCE_FOREIGN, /* a cell holds another cell's or no stamp at all */
	EVIDENCE_ZERO, /* a cell is zero and nothing may have zeroed it */
	EVIDENCE_CHILD, /* a private write is visible on the other side of a fork */
	EVIDENCE_STALE, /* old data where a zero is due, or older than what the cell's owner had published */
	EVIDENCE_FROZEN, /* a page moved elsewhere by mremap still changes through its old address */
	EVIDENCE_SEGV, /* SIGSEGV where the range was mapped */
	EVIDENCE_BUS, /* SIGBUS where the object has pages */
	EVIDENCE_NO_FAULT, /* an access succeeded after the range was unmapped, protected or cut off */
	EVIDENCE_BIT, /* a page bit was lost: a write went through that had to fault */
	EVIDENCE_ERRNO, /* an op failed with an errno that its state does not allow */
	/* What the kernel tells about a process's memory does not fit together, or not what it had promised; see what[]. */
	EVIDENCE_REPORTS,
	EVIDENCE_LOCKS, /* the same of the process's counters */
	EVIDENCE_POOL, /* the same of the hugetlb pools */
	EVIDENCE_SOFT_DIRTY, /* a page that was written does not have the bit */
	EVIDENCE_PLACE, /* a page is not on the node where an op says that it is */
	EVIDENCE_CRASH, /* a signal outside any slot access; the executor dies of it */
	EVIDENCE_MMU, /* a second MMU, pin or buffer (what) sees other data than the CPU */
	EVIDENCE_DIRTY, /* a write through a second MMU (what) is in no dirty log */
	EVIDENCE_KINDS
};

enum { EVIDENCE_NO_SLOT = 0xff };

struct evidence {
	uint8_t kind; /* enum evidence_kind */
	uint8_t lane, op, op_index;
	uint8_t slot, view, owner; /* slot: or EVIDENCE_NO_SLOT; owner: lane of the cell */
	uint8_t write; /* the access was a write */
	int32_t err; /* errno; signal number for SEGV, BUS, CRASH */
	int32_t code; /* si_code; when-mask for ERRNO */
	uint32_t cell_page; /* page in the slot */
	/* Of a folio that cannot be moved or split: mappings of its page, and tries. */
	uint32_t begun, ended; /* counts of the track that would have explained it */
	uint64_t round, ticks;
	uint64_t addr, expected, seen;
	char what
		[32]; /* the counter, bit or access path that it is about; "" if the kind says all */
};

enum { EVIDENCE_RING = 64 };

/* Single producer (the lane), single consumer (the supervisor); full: counted and dropped. */
struct evidence_ring {
	_Atomic uint32_t head; /* written by the lane, pairs with the supervisor's acquire */
	_Atomic uint32_t tail; /* written by the supervisor */
	_Atomic uint64_t lost;
	struct evidence e[EVIDENCE_RING];
};

static inline void evidence_push(struct evidence_ring *r, const struct evidence *e)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head - atomic_load_explicit(&r->tail, memory_order_acquire) >= EVIDENCE_RING) {
		atomic_fetch_add_explicit(&r->lost, 1, memory_order_relaxed);
		return;
	}
	r->e[head % EVIDENCE_RING] = *e;
	atomic_store_explicit(
		&r->head, head + 1, memory_order_release); /* pairs with evidence_pop */
}

static inline bool evidence_pop(struct evidence_ring *r, struct evidence *e)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (tail ==
		atomic_load_explicit(&r->head, memory_order_acquire)) /* pairs with evidence_push */
		return false;
	*e = r->e[tail % EVIDENCE_RING];
	atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
	return true;
}

const char *evidence_name(enum evidence_kind k);

#endif
