/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "place.h"
#include "base/clock.h"

#include <sys/syscall.h>
#include <unistd.h>

enum { ONE_IN = 4 }; /* calls that are looked into: each costs a query */
enum { REPEATS = 4 }; /* what moves pages in the background does not do so each time */

/* Calls each() for the slots that a call may change: ops without a slot act on all. */
static void spaces_of(
	struct lane *l, const struct op *op, const struct op_call *c, void (*each)(struct space *))
{
	struct crew_ctl *ctl = l->ex->ctl;

	if (op->backings) {
		each(&ctl->space[op_range(&l->env, c).slot_no]);
		return;
	}
	for (unsigned int i = 0; i < ctl->nslots; i++)
		each(&ctl->space[i]);
}

static void begin_one(struct space *sp)
{
	/* pairs with alone() in another lane: it sees the op before the op does anything */
	atomic_fetch_add_explicit(&sp->moves.b, 1, memory_order_acq_rel);
}

static void end_one(struct space *sp)
{
	atomic_fetch_add_explicit(&sp->moves.e, 1, memory_order_acq_rel);
}

/* True if no other op that may move pages was under way when this one began, and none has begun since. */
static bool alone(const struct lane *l, const struct space *sp)
{
	return l->moves_alone &&
	       atomic_load_explicit(&sp->moves.b, memory_order_acquire) == l->moves_begun;
}

/* Asks where the pages are; those that the op has not answered for count as right. False: cannot be asked. */
static bool all_placed(struct lane *l, unsigned long *ret_page)
{
	struct op_scratch *x = l->env.scratch;
	int node = l->env.placed.node;

	if (syscall(SYS_move_pages, l->env.placed.pid, l->env.placed.n, x->page, NULL, x->node,
		    0) != 0)
		return true;
	for (unsigned long i = 0; i < l->env.placed.n; i++) {
		if (x->status[i] != node || x->node[i] < 0 || x->node[i] == node)
			continue;
		*ret_page = i;
		return false;
	}
	return true;
}

static void report(struct lane *l, const struct op_call *c, unsigned int index, unsigned long page)
{
	struct op_span s = op_range(&l->env, c);
	uintptr_t addr = (uintptr_t)l->env.scratch->page[page];
	struct evidence e = {.kind = EVIDENCE_PLACE,
		.lane = (uint8_t)l->no,
		.op = c->op,
		.op_index = (uint8_t)index,
		.slot = (uint8_t)s.slot_no,
		.view = (uint8_t)s.view,
		.cell_page = (uint32_t)((addr - s.slot->view[s.view]) >> s.slot->page_shift),
		.round = l->cells.round,
		.ticks = clock_ticks(),
		.addr = addr,
		.expected = (uint64_t)l->env.placed.node,
		.seen = (uint64_t)l->env.scratch->node[page],
		.what = "node of a moved page"};

	evidence_push(&l->ctl->ring, &e);
}

static bool injects(struct lane *l)
{
	if (l->no != 0 || l->ex->ctl->inject_look != EVIDENCE_PLACE)
		return false;
	l->ex->ctl->inject_look = EVIDENCE_NONE;
	return true;
}

/* The op has told where pages are, and nobody else was about: they must be there. */
static void judge(struct lane *l, const struct op *op, const struct op_call *c, unsigned int index)
{
	const struct space *sp = &l->ex->ctl->space[op_range(&l->env, c).slot_no];
	bool plant = injects(l);
	unsigned long page = 0;

	for (int i = 0; i < REPEATS; i++) {
		if (!l->env.placed.n || (!plant && (all_placed(l, &page) || !alone(l, sp))))
			return;
		if (i + 1 == REPEATS)
			report(l, c, index, page);
		else if (op->run(&l->env, c) != 0)
			return;
	}
}

void place_begin(struct lane *l, const struct op *op, const struct op_call *c)
{
	const struct begun_ended *m;

	l->env.placed.n = 0;
	if (op->stays)
		return;
	spaces_of(l, op, c, begin_one);
	if (!op->backings)
		return;
	m = &l->ex->ctl->space[op_range(&l->env, c).slot_no].moves;
	l->moves_begun = atomic_load_explicit(&m->b, memory_order_acquire);
	l->moves_alone = atomic_load_explicit(&m->e, memory_order_acquire) + 1 == l->moves_begun;
}

void place_end(
	struct lane *l, const struct op *op, const struct op_call *c, unsigned int index, long r)
{
	if (op->stays)
		return;
	if (r == 0 && l->env.placed.n && op->backings &&
		((l->cells.round + index + l->no) % ONE_IN == 0 || l->ex->ctl->inject_look))
		judge(l, op, c, index);
	spaces_of(l, op, c, end_one);
}
