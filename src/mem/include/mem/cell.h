/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cells: in the first page of every grain of a slot each lane of the crew owns one 64-bit word on a cache line of its own.
 * A cell holds zero or its owner's last stamp: slot, lane, cell number and generation. Reading and stamping cells is
 * how lanes touch memory; what does not fit the model (mem/space.h) becomes evidence.
 */
#ifndef SUNDER_MEM_CELL_H
#define SUNDER_MEM_CELL_H

#include <setjmp.h>
#include <signal.h>

#include "mem/evidence.h"
#include "mem/scarcity.h"
#include "mem/space.h"

enum { CELL_STRIDE = 64 };
#define CELL_GEN_MASK 0x7fffffffu

/* Stamp layout: 1 | child | slot:4 | lane:3 | cell:23 | ... | gen:31 */
static inline uint64_t cell_stamp(unsigned int slot, unsigned int lane, uint32_t cell, uint32_t gen)
{
	return 1ULL << 63 | (uint64_t)(slot & 15) << 58 | (uint64_t)(lane & 7) << 55 |
	       (uint64_t)cell << 31 | (gen & CELL_GEN_MASK);
}

#define CELL_CHILD (1ULL << 62) /* stamped by a forked child into its own copy */
#define CELL_ID_MASK (~(uint64_t)CELL_GEN_MASK)

enum cell_how { CELL_READ, CELL_WRITE, CELL_RMW };

enum cell_inject {
	CELL_INJECT_NONE,
	CELL_INJECT_OLD,
	CELL_INJECT_FOREIGN,
	CELL_INJECT_ZERO,
	CELL_INJECT_BIT
};

enum { TAIL_WORDS = 64 };

struct tail_word { /* what a lane wrote last into its word of a page (mem/tail.h) */
	uint64_t value; /* 0: not known */
	uint32_t page, ended;
	uint8_t slot, proc;
	bool good;
};

/* One lane's access to all slots; in the executor's own memory, one a lane. */
struct cells {
	const struct slot *slot;
	struct space *space;
	unsigned int nslots, lane, nlanes, proc;
	struct evidence_ring *ring;
	const struct scarcity *scarcity; /* may be NULL */
	uint8_t op, op_index; /* the op in progress, for evidence */
	uint64_t round;
	bool poisons; /* SIGBUS tells this lane of a page that it has just poisoned */
	bool child; /* in a forked child: own private copies, shadows are read only */
	enum cell_inject inject; /* plants one wrong cell, once */
	struct tail_word word[TAIL_WORDS];
	uint32_t word_gen;
	/* The access in progress, for the signal handler. */
	sigjmp_buf env;
	volatile sig_atomic_t armed;
	uintptr_t lo, hi; /* where a fault is expected */
	int sig, code;
	uintptr_t fault;
	uint32_t restore_hole, restore_bus,
		restore_guard; /* restoring ops begun when the access began */
	bool restore_busy; /* one of them had not ended */
	struct { /* of what children get, when a child was forked: cells_before_fork() */
		uint32_t page, pages, restore, begun, ended;
	} fork;
	struct scarcity_mark scarce;
	/* Loop state that must survive a siglongjmp. */
	volatile uint32_t cursor, faults;
	/* Counts for the summary. */
	uint64_t touched, zeros, segv, bus, checks;
};

/*
 * Reads, stamps, or reads and stamps the lane's cells of [page, page + pages), every `step`-th cell, through a view, and checks
 * them; reads of another lane's cell in the same pages are mixed in. Never fails: faults are judged.
 */
void cells_touch(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint32_t pages, uint32_t step, enum cell_how how);

/* Checks and increments up to 8 of the lane's cells in the range in a tight loop until clock_ticks() >= until. Returns iterations. */
uint64_t cells_hammer(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint32_t pages, uint64_t until);

/*
 * At quiesce: checks all cells that the lane has stamped in this epoch and that ought to be there, through a view that rotates
 * with `turn`. Returns cells checked.
 */
uint64_t cells_sweep(struct cells *c, unsigned int slot, unsigned int turn);

/*
 * Checks the lane's own cells of [page, page+pages) at another address than a view's (moved by mremap): page 0 of the slot
 * would be at `base`. Reads only.
 */
void cells_check_at(
	struct cells *c, unsigned int slot, uintptr_t base, uint32_t page, uint32_t pages);

/* Sums all lanes' cells of the first and last page of a range moved to `base`: two equal sums mean that nobody wrote in between. */
uint64_t cells_sum_at(
	struct cells *c, unsigned int slot, uintptr_t base, uint32_t page, uint32_t pages);

/*
 * ---- other paths to the same memory: second MMUs, pins, buffers ----
 * Behind the lanes' cells every page has one word for each lane and kind of path, on a cache line of its own: written
 * through that path by that lane alone, and by what zeroes the page.
 */
enum cell_tail { CELL_TAIL_KVM, CELL_TAIL_PIN, CELL_TAILS };

static inline uint32_t cell_tail(enum cell_tail kind, unsigned int lane)
{
	return (SPACE_MAX_LANES * (1 + (uint32_t)kind) + lane) * CELL_STRIDE;
}

/* Byte of a lane's cell within its page. */
static inline uint32_t cell_byte(unsigned int lane)
{
	return lane * CELL_STRIDE;
}

enum { CELL_LOOKS = 64 };

/*
 * Words of a view that the CPU reads, then another path, then the CPU again. If the CPU read the same twice and nothing was about
 * that may take the page's content away, the other path must have read it too.
 */
struct cell_looks {
	unsigned int slot, view, n;
	struct cell_look {
		uint32_t page, byte;
		uint32_t begun; /* ops that may zero it, when the CPU looked first */
		bool fit; /* the CPU could read it, and nothing was about */
		bool got; /* the caller: the other path could read it, and that is in seen */
		uint64_t cpu, seen;
	} look[CELL_LOOKS];
};

/* Adds a word, which nobody but this lane writes until the looks are over. False: full. */
bool cells_look_at(struct cell_looks *l, uint32_t page, uint32_t byte);

/* At quiesce: adds the cell of a lane, if that has stamped it and nothing has taken the stamp away. */
void cells_look_stamped(struct cells *c, struct cell_looks *l, uint32_t page, unsigned int owner);

/* The beginning: before() with the CPU's first reading, mark() without. */
void cells_look_before(struct cells *c, struct cell_looks *l);
void cells_look_mark(struct cells *c, struct cell_looks *l);

/* True if nothing that may take word i's content away has been about since the beginning. */
bool cells_look_holds(struct cells *c, const struct cell_looks *l, unsigned int i);

/* The CPU's second reading, and the verdict on what the other path has read: EVIDENCE_MMU with `what`. */
void cells_look_after(struct cells *c, struct cell_looks *l, const char *what);

/* After mark() and the other path's writing of what is in `seen`: the CPU must read that. */
void cells_look_wrote(struct cells *c, struct cell_looks *l, const char *what);

/* Word i has been read by the other path itself, which expected `expected`. */
void cells_look_report(struct cells *c, const struct cell_looks *l, unsigned int i,
	enum evidence_kind kind, uint64_t expected, uint64_t seen, const char *what);

/* Judges a value that another path alone has read of the lane's own cell of a page: EVIDENCE_MMU with `what`. */
void cells_judge_seen(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint64_t seen, const char *what);

/* A word of a view as the CPU sees it. False: it faulted, which has been judged. */
bool cells_peek(struct cells *c, unsigned int slot, unsigned int view, uint32_t page, uint32_t byte,
	uint64_t *ret);

/*
 * Calls fn, which may raise SIGSEGV or SIGBUS for addresses of the view (memory failure under KVM_RUN). Its result, or -EINTR after
 * such a signal, with whatever fn was about half done.
 */
long cells_guarded(
	struct cells *c, unsigned int slot, unsigned int view, long (*fn)(void *arg), void *arg);

/* --inject mmu: what a second MMU would read that has missed the last stamp. Again until nothing explains it. */
bool cells_plant_seen(struct cells *c, unsigned int slot);

/*
 * Checks all lanes' cells of every `step`-th cell of the range, while their owners may be stamping them: in a child that runs beside
 * its parent. Reads only; faults are not judged.
 */
void cells_check_all(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint32_t pages, uint32_t step);

/* The op is about to fork a child (cells.child) that will look at these pages: it is judged by what children get at that time. */
void cells_before_fork(struct cells *c, unsigned int slot, uint32_t page, uint32_t pages);

/* Reports evidence that an op itself came upon (EVIDENCE_FROZEN, EVIDENCE_CHILD). */
void cells_report(struct cells *c, enum evidence_kind kind, unsigned int slot, unsigned int view,
	uint32_t page, uint64_t expected, uint64_t seen);

/* The calling thread's cells, for the signal handler. NULL: a fault is a crash. */
void cells_set_current(struct cells *c);

/* Installs the SIGSEGV and SIGBUS handler of an executor. 0 or -errno. */
int cells_handle_signals(void);

/* Name of what a cell value is: "zero", "slot 1 lane 2 page 513 gen 77", "no stamp 0x..." */
int cell_describe(uint64_t value, uint32_t grain_shift, char *buf, size_t size);

#endif
