/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mem/tail.h"

#include <string.h>

#include "base/clock.h"

static uint32_t cell_of(const struct cells *c, unsigned int slot, uint32_t page)
{
	return page >> c->space[slot].grain_shift;
}

uint32_t tail_page(const struct cells *c, unsigned int slot, uint32_t page, uint32_t pages)
{
	uint32_t shift = c->space[slot].grain_shift, grain = 1u << shift;
	uint32_t first = (page + grain - 1) >> shift << shift;

	return first < page + pages ? first : page >> shift << shift;
}

int64_t tail_own_sectors(const struct cells *c, unsigned int slot, uint32_t page, uint32_t pages)
{
	uint32_t shift = c->space[slot].grain_shift, grain = 1u << shift;
	uint32_t cell = (page + grain - 1) >> shift;

	cell += (c->lane + SPACE_MAX_LANES - cell % SPACE_MAX_LANES) % SPACE_MAX_LANES;
	return (uint64_t)cell << shift < (uint64_t)page + pages ? (int64_t)cell << shift : -1;
}

struct tail_mark tail_mark(
	const struct cells *c, unsigned int proc, unsigned int slot, uint32_t page)
{
	struct space *sp = &c->space[slot];
	struct content *content = space_content(sp, proc);
	uint32_t cell = cell_of(c, slot, page);

	return (struct tail_mark){
		track_ended(sp, &content->zero, cell), track_ok(sp, &content->bus, cell)};
}

bool tail_kept(const struct cells *c, unsigned int proc, unsigned int slot, uint32_t page,
	const struct tail_mark *m)
{
	struct space *sp = &c->space[slot];
	struct content *content = space_content(sp, proc);
	uint32_t cell = cell_of(c, slot, page);

	return m->good && track_begun(sp, &content->zero, cell) == m->ended &&
	       track_ok(sp, &content->bus, cell);
}

/* ---- the lane's word ---- */

static struct tail_word *word_of(
	struct cells *c, unsigned int proc, unsigned int slot, uint32_t page)
{
	uint32_t h = (page * 2654435761u) ^ (slot * 40503u) ^ proc;

	return &c->word[h >> 7 & (TAIL_WORDS - 1)];
}

static unsigned int owner_proc(const struct cells *c, unsigned int proc, unsigned int slot)
{
	return c->space[slot].private ? proc : 0;
}

uint64_t tail_next(struct cells *c, unsigned int slot, uint32_t page)
{
	return cell_stamp(slot, c->lane, cell_of(c, slot, page), ++c->word_gen);
}

void tail_unknown(struct cells *c, unsigned int proc, unsigned int slot, uint32_t page)
{
	struct tail_word *w = word_of(c, owner_proc(c, proc, slot), slot, page);

	if (w->page == page && w->slot == slot && w->proc == owner_proc(c, proc, slot))
		w->value = 0;
}

void tail_wrote(struct cells *c, unsigned int proc, unsigned int slot, uint32_t page,
	uint64_t value, const struct tail_mark *before)
{
	unsigned int owner = owner_proc(c, proc, slot);

	*word_of(c, owner, slot, page) = (struct tail_word){.value = value,
		.page = page,
		.ended = before->ended,
		.slot = (uint8_t)slot,
		.proc = (uint8_t)owner,
		.good = before->good};
}

void tail_judge(struct cells *c, unsigned int proc, unsigned int slot, unsigned int view,
	uint32_t page, uint64_t seen, const char *what)
{
	unsigned int owner = owner_proc(c, proc, slot);
	struct tail_word *w = word_of(c, owner, slot, page);
	struct tail_mark m = {w->ended, w->good};

	if (!w->value || w->page != page || w->slot != slot || w->proc != owner ||
		!tail_kept(c, proc, slot, page, &m))
		return;
	tail_compare(c, slot, view, page, w->value, seen, what);
}

void tail_compare(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint64_t cpu, uint64_t seen, const char *what)
{
	struct evidence e;

	c->checks++;
	if (c->child || cpu == seen)
		return;
	e = (struct evidence){.kind = EVIDENCE_MMU,
		.lane = (uint8_t)c->lane,
		.op = c->op,
		.op_index = c->op_index,
		.slot = (uint8_t)slot,
		.view = (uint8_t)view,
		.owner = (uint8_t)c->lane,
		.cell_page = page,
		.round = c->round,
		.ticks = clock_ticks(),
		.addr = slot_addr(&c->slot[slot], view, page),
		.expected = cpu,
		.seen = seen};
	strncpy(e.what, what, sizeof(e.what) - 1);
	evidence_push(c->ring, &e);
}

void tail_forget(struct cells *c)
{
	memset(c->word, 0, sizeof(c->word));
}
