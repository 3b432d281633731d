/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tails: what lies behind the cells in the pages that have cells. Ops have the kernel write patterns there, by roads on which bytes
 * may be torn or neighbours overwritten, and compare them with what the CPU sees. A lane touches what is its own alone:
 *
 *	   0..511   cells, CELL_STRIDE a lane
 *	 512..1023  words of second MMUs (CELL_TAIL_KVM), CELL_STRIDE a lane
 *	1024..1535  lines (CELL_TAIL_PIN), TAIL_LINE bytes a lane, laid out as below
 *	1536..      sectors, of the lane `cell % SPACE_MAX_LANES` alone: what O_DIRECT reads into
 *
 * A forked child and other executors find there what is in the page, by the rules of its backing; nobody checks it for them.
 */
#ifndef SUNDER_MEM_TAIL_H
#define SUNDER_MEM_TAIL_H

#include "mem/cell.h"

enum { TAIL_LINE = CELL_STRIDE, TAIL_SECTORS = 1536, TAIL_SECTOR = 512 };

/* In a lane's line, bytes from its start: who may write there. */
enum {
	LINE_WORD = 0, /* 8 bytes: tail_next() and tail_wrote(), whoever writes it */
	LINE_FUTEX = 8, /* 4 bytes: a futex, 0 or 1 */
	LINE_ROBUST = 12, /* 4 bytes: a robust futex */
	LINE_DMA = 16, /* 48 bytes: what devices and rings write; never expected to last */
};

static inline uint32_t tail_line(unsigned int lane)
{
	return cell_tail(CELL_TAIL_PIN, lane % SPACE_MAX_LANES);
}

/* The first page with a cell in [page, page + pages); where there is none, the one before. */
uint32_t tail_page(const struct cells *c, unsigned int slot, uint32_t page, uint32_t pages);

/* The first page with a cell in the range whose sectors are the lane's; -1: none. */
int64_t tail_own_sectors(const struct cells *c, unsigned int slot, uint32_t page, uint32_t pages);

/*
 * A page's contents at a moment: taken before something looks at or writes the page by another road. tail_kept(): nothing that may
 * take the contents away has run since then, and the page lies within the object.
 */
struct tail_mark {
	uint32_t ended;
	bool good;
};
struct tail_mark tail_mark(
	const struct cells *c, unsigned int proc, unsigned int slot, uint32_t page);
bool tail_kept(const struct cells *c, unsigned int proc, unsigned int slot, uint32_t page,
	const struct tail_mark *m);

/*
 * Plain loads and stores of a page's bytes through a view of this process, 8-byte wise; offset and n are multiples of 8. False: it
 * faulted (which is judged as cells_touch() does).
 */
bool tail_load(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint32_t offset, void *buf, size_t n);
bool tail_store(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint32_t offset, const void *buf, size_t n);

/* ---- the lane's word of a page: what was written last is remembered for some pages, by executor ---- */

/* The value to write there next: never 0, never the same again. */
uint64_t tail_next(struct cells *c, unsigned int slot, uint32_t page);

/* The word may have been written, or surely was; `before` was marked before. */
void tail_unknown(struct cells *c, unsigned int proc, unsigned int slot, uint32_t page);
void tail_wrote(struct cells *c, unsigned int proc, unsigned int slot, uint32_t page,
	uint64_t value, const struct tail_mark *before);

/* Judges what was read of the word by some road (what: its name) if it is remembered and nothing may have taken it away. */
void tail_judge(struct cells *c, unsigned int proc, unsigned int slot, unsigned int view,
	uint32_t page, uint64_t seen, const char *what);

/* Two roads to the same 8 bytes, which nothing may have changed in between: EVIDENCE_MMU if the values differ. */
void tail_compare(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint64_t cpu, uint64_t seen, const char *what);

/* A new epoch: nothing is remembered. Each lane for itself. */
void tail_forget(struct cells *c);

#endif
