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

enum cell_inject { CELL_INJECT_NONE, CELL_INJECT_OLD, CELL_INJECT_FOREIGN, CELL_INJECT_ZERO };

/* One lane's access to all slots; in the executor's own memory, one a lane. */
struct cells {
	const struct slot *slot;
	struct space *space;
	unsigned int nslots, lane, nlanes, proc;
	struct evidence_ring *ring;
	uint8_t op, op_index; /* the op in progress, for evidence */
	uint64_t round;
	bool child; /* in a forked child: own private copies, shadows are read only */
	enum cell_inject inject; /* plants one wrong cell, once */
	/* The access in progress, for the signal handler. */
	sigjmp_buf env;
	volatile sig_atomic_t armed;
	uintptr_t lo, hi; /* where a fault is expected */
	int sig, code;
	uintptr_t fault;
	uint32_t restore_hole, restore_bus; /* restoring ops begun when the access began */
	bool restore_busy; /* one of them had not ended */
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

/* Reports evidence that an op itself came upon (EVIDENCE_FROZEN). */
void cells_report(struct cells *c, enum evidence_kind kind, unsigned int slot, unsigned int view,
	uint32_t page, uint64_t expected, uint64_t seen);

/* The calling thread's cells, for the signal handler. NULL: a fault is a crash. */
void cells_set_current(struct cells *c);

/* Installs the SIGSEGV and SIGBUS handler of an executor. 0 or -errno. */
int cells_handle_signals(void);

/* Name of what a cell value is: "zero", "slot 1 lane 2 page 513 gen 77", "no stamp 0x..." */
int cell_describe(uint64_t value, uint32_t grain_shift, char *buf, size_t size);

#endif
