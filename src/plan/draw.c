/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drawing a round's program. All chance comes from streams numbered by crew, lane and round, so
 * that lanes need not ask each other. So that they meet nevertheless, most rounds have a focus:
 * one slot and one huge page of it that all lanes of the crew prefer, and in some they meet before an op (meeting.h).
 */
#include "plan/plan.h"

#include <string.h>

#include "meeting.h"

enum { STREAM_FOCUS = 1000 }; /* lanes have 0..7, exec has from 2000 on */
enum { FIXED_RANGE = 1 << 0 | 1 << 2 | 1 << 3 }; /* slot, off or pages of ARGS_RANGE is fixed */

struct focus {
	bool on;
	unsigned int slot;
	uint32_t unit; /* base pages of the huge page */
	uint32_t page; /* its first base page */
	uint32_t pages; /* of the slot */
};

static unsigned int nth_bit(uint32_t mask, unsigned int n)
{
	while (n--)
		mask &= mask - 1;
	return (unsigned int)__builtin_ctz(mask);
}

/* Of those that meet: what all of them may draw. */
static uint32_t focus_slots(const struct plan *p, unsigned int crew, const struct meeting *m)
{
	uint32_t slots = p->slots_present, learned = 0;

	for (uint32_t left = m->lanes; left; left &= left - 1)
		slots &= p->crew[crew].lane[__builtin_ctz(left)].slots;
	for (unsigned int i = 0; m->backings && i < p->nslots; i++)
		if (m->backings >> p->slot[i].backing & 1)
			learned |= 1U << i;
	return slots & learned ? slots & learned : slots;
}

/* Three rounds of four have a focus, and of those in which lanes meet all that can. */
static struct focus draw_focus(
	const struct plan *p, unsigned int crew, uint64_t round, const struct meeting *m)
{
	uint32_t slots = focus_slots(p, crew, m);
	const struct slot_spec *s;
	struct focus f = {0};
	struct rng r;

	if (!slots)
		return f;
	rng_init(&r, p->seed, crew, STREAM_FOCUS, round);
	f.on = rng_below(&r, 4) != 0 || m->lanes;
	f.slot = nth_bit(slots, (unsigned int)rng_below(&r, (uint64_t)__builtin_popcount(slots)));
	s = &p->slot[f.slot];
	f.pages = (uint32_t)(s->size / p->page_size);
	f.unit = (uint32_t)(s->huge_size / p->page_size);
	if (f.unit < p->pmd_pages)
		f.unit = p->pmd_pages;
	f.page = f.pages > f.unit ? (uint32_t)rng_below(&r, f.pages / f.unit) * f.unit : 0;
	return f;
}

/* Moves a drawn range onto the focus: its place in the huge page and its length stay. */
static void move_range(const struct focus *f, struct op_call *c)
{
	uint32_t off = c->arg[2], pages = c->arg[3];

	/* The whole slot has the focus in it already. */
	if (off == 0 && (pages == 0 || pages >= f->pages))
		return;
	c->arg[2] = f->page + off % f->unit;
}

static bool is_range(const struct op *op)
{
	return op->backings && op->args[0].kind == ARG_SLOT && op->args[1].kind == ARG_VIEW &&
	       op->args[2].kind == ARG_OFF && op->args[3].kind == ARG_LEN;
}

/* What a lane draws from, and what it draws from when it keeps to the focus. */
struct source {
	struct op_draw all, near;
	const struct focus *focus; /* NULL: the lane has none in this round */
};

static void draw_op(
	const struct source *s, const struct plan_op *o, struct op_call *ret, struct rng *r)
{
	const struct op *op = op_get(o->call.op);
	bool near = s->focus && is_range(op) && !(o->fixed & FIXED_RANGE) &&
		    (op->backings >> s->all.slot[s->focus->slot].backing & 1);

	*ret = o->call;
	/* It has a slot: plans keep only such ops. */
	op_draw_args(op, near ? &s->near : &s->all, o->fixed, ret, r);
	if (near)
		move_range(s->focus, ret);
}

/* What counts of a lane: it is much larger than what is in use of it. */
static void copy_lane(const struct program_lane *l, struct program_lane *ret)
{
	ret->proc = l->proc;
	ret->offset_ns = l->offset_ns;
	ret->nops = l->nops;
	ret->timed = l->timed;
	memcpy(ret->op, l->op, l->nops * sizeof(l->op[0]));
	if (l->timed)
		memcpy(ret->timing, l->timing, l->nops * sizeof(l->timing[0]));
}

/* The entry of the mix whose share of the weights holds `at`. */
static const struct plan_op *find_share(const struct plan_lane *l, uint64_t at)
{
	unsigned int low = 0, high = l->nops - 1;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (l->op[mid].upto > at)
			high = mid;
		else
			low = mid + 1;
	}
	return &l->op[low];
}

/*
 * What a lane's drawn ops take away for good, it gives back within a few ops, three times of four: holes that nobody fills
 * would leave the rest of the epoch nothing to work on.
 */
enum { OWED_MAX = 4 };

struct owed {
	struct op_call call[OWED_MAX];
	unsigned int n;
};

static void owe(struct owed *d, const struct op_call *c, struct rng *r)
{
	const struct op *op = op_get(c->op);

	if (op->undo && d->n < OWED_MAX && rng_below(r, 4) != 0 && op->undo(c, &d->call[d->n]))
		d->n++;
}

/* Due at one of the next places, at the latest at the lane's last ones. */
static bool pay(struct owed *d, unsigned int left, struct op_call *ret, struct rng *r)
{
	if (!d->n || (left > d->n && rng_below(r, 2)))
		return false;
	*ret = d->call[0];
	d->n--;
	memmove(&d->call[0], &d->call[1], d->n * sizeof(d->call[0]));
	return true;
}

/* The entry of the lane's mix that learning puts at a place, or NULL. */
static const struct plan_op *recalled(
	const struct plan_lane *l, const struct meeting *m, unsigned int lane, unsigned int place)
{
	for (unsigned int i = 0; i < m->count; i++)
		if ((m->who[i] >> lane & 1) && m->at[i][lane] == place && m->entry[i][lane])
			return &l->op[m->entry[i][lane] - 1];
	return NULL;
}

/* The lane's ops that meet others get their timings. */
static void take_timings(const struct meeting *m, unsigned int lane, struct program_lane *ret)
{
	for (unsigned int i = 0; i < m->count; i++)
		if (m->who[i] >> lane & 1)
			program_set_timing(ret, m->at[i][lane], &m->timing[i][lane]);
}

static void draw_lane(const struct plan *p, unsigned int crew, unsigned int lane, uint64_t round,
	const struct focus *f, const struct meeting *m, struct program_lane *ret)
{
	const struct plan_crew *c = &p->crew[crew];
	const struct plan_lane *l = &c->lane[lane];
	struct source s = {
		.all = {.slot = p->slot,
			.slots = l->slots & p->slots_present,
			.nslots = p->nslots,
			.nprocs = c->nprocs,
			.nnodes = p->nnodes,
			.page_size = p->page_size,
			.pmd_pages = p->pmd_pages},
		.focus = f->on && (l->slots >> f->slot & 1) ? f : NULL,
	};
	struct owed owed = {0};
	struct rng r;

	s.near = s.all;
	s.near.slots = 1U << f->slot;
	rng_init(&r, p->seed, crew, lane, round);
	ret->proc = l->proc;
	ret->preempt = l->preempt;
	ret->pin = l->cpu >= 0 && l->cpu <= PROGRAM_MAX_CPU && !l->cpu_open ? (uint16_t)(l->cpu + 1)
									    : 0;
	ret->offset_ns =
		l->exact_offset ? l->max_offset_ns : (uint32_t)rng_log(&r, l->max_offset_ns);
	ret->nops = (uint8_t)(l->nops ? l->depth : 0);
	ret->timed = 0;
	if (m->alone && !(m->lanes >> lane & 1))
		ret->nops = 0;
	for (unsigned int i = 0; i < ret->nops; i++) {
		const struct plan_op *o;

		if (l->sequence) {
			draw_op(&s, &l->op[i], &ret->op[i], &r);
			program_set_timing(ret, i, &l->op[i].timing);
			continue;
		}
		o = recalled(l, m, lane, i);
		if (!o && pay(&owed, ret->nops - i, &ret->op[i], &r))
			continue;
		draw_op(&s, o ? o : find_share(l, rng_below(&r, l->weight_sum)), &ret->op[i], &r);
		owe(&owed, &ret->op[i], &r);
	}
	take_timings(m, lane, ret);
}

void plan_draw_lane(const struct plan *p, unsigned int crew, unsigned int lane, uint64_t round,
	struct program_lane *ret)
{
	struct meeting m;
	struct focus f;

	if (p->fed) {
		copy_lane(&p->fed->lane[lane], ret);
		return;
	}
	meeting_draw(p, crew, round, &m);
	f = draw_focus(p, crew, round, &m);
	draw_lane(p, crew, lane, round, &f, &m, ret);
}

void plan_draw(const struct plan *p, unsigned int crew, uint64_t round, struct program *ret)
{
	struct meeting m;
	struct focus f;

	ret->nslots = (uint8_t)p->nslots;
	ret->nlanes = (uint8_t)p->crew[crew].nlanes;
	memcpy(ret->slot, p->slot, sizeof(ret->slot));
	for (unsigned int i = 0; p->fed && i < ret->nlanes; i++)
		copy_lane(&p->fed->lane[i], &ret->lane[i]);
	if (p->fed)
		return;
	meeting_draw(p, crew, round, &m);
	f = draw_focus(p, crew, round, &m);
	for (unsigned int i = 0; i < ret->nlanes; i++)
		draw_lane(p, crew, i, round, &f, &m, &ret->lane[i]);
}
