/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shrink.h"

#include <string.h>

#include "base/cleanup.h"

enum kind {
	DROP_LANE, /* a: lane */
	DROP_OP, /* a: lane, b: op */
	DROP_SLOT, /* a: slot, its ops then name slot b */
	SET_PROC, /* a: lane */
	DROP_PREEMPT, /* a: lane */
	SET_OFFSET, /* a: lane */
	DROP_TIMING, /* a: lane, b: op */
	DROP_AIM,
	SET_DELAY,
	SET_ARG, /* a: lane, b: op, c: argument */
	SET_SIZE, /* a: slot */
	SET_MAPS,
	SET_SHIFT,
	SET_ALIGN,
	SET_NORESERVE,
};

static const char *const stages[SHRINK_STAGES] = {"lanes", "ops", "slots", "processes", "timing",
	"arguments", "finer arguments", "slot shapes", "round numbers"};

const char *shrink_stage_name(enum shrink_stage s)
{
	return s < SHRINK_STAGES ? stages[s] : "";
}

/* With one digit that is not 0. */
static uint64_t round_down(uint64_t v)
{
	uint64_t unit = 1;

	while (v / unit >= 10)
		unit *= 10;
	return v / unit * unit;
}

static uint64_t slot_unit(const struct slot_spec *s, const struct reduce_options *o)
{
	return s->huge_size ? s->huge_size : o->pmd_size;
}

/* ---- what it costs ---- */

static unsigned int cost_number(uint64_t v)
{
	return v == 0 ? 0 : round_down(v) == v ? 1 : 2;
}

static unsigned int cost_arg(const struct arg_desc *d, uint32_t v, const struct reduce_options *o)
{
	switch (d->kind) {
	case ARG_END:
	case ARG_SLOT:
		return 0;
	case ARG_FLAGS:
		return (unsigned int)__builtin_popcount(v);
	case ARG_OFF:
	case ARG_LEN:
		return v == 0 ? 0 : v == o->pmd_pages ? 1 : v % o->pmd_pages == 0 ? 2 : 3;
	case ARG_INT:
	case ARG_NS:
		return cost_number(v);
	default:
		return v ? 1 : 0;
	}
}

static unsigned int cost_timing(const struct program_lane *l, unsigned int i)
{
	const struct op_timing *t = &l->timing[i];

	return l->timed >> i & 1 ? 4 + (t->aim ? 4 : 0) + cost_number(t->delay_ns) : 0;
}

static uint64_t cost_lane(const struct program_lane *l, const struct reduce_options *o)
{
	uint64_t sum =
		1000000 + (l->proc ? 100 : 0) + (l->preempt ? 50 : 0) + cost_number(l->offset_ns);

	for (unsigned int i = 0; i < l->nops; i++) {
		const struct op *op = op_get(l->op[i].op);

		sum += 10000 + cost_timing(l, i);
		for (unsigned int k = 0; k < op_nargs(op); k++)
			sum += cost_arg(&op->args[k], l->op[i].arg[k], o);
	}
	return sum;
}

uint64_t shrink_cost(const struct program *p, const struct reduce_options *o)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < p->nlanes; i++)
		sum += cost_lane(&p->lane[i], o);
	for (unsigned int i = 0; i < p->nslots; i++) {
		const struct slot_spec *s = &p->slot[i];

		sum += 200000 + s->size / slot_unit(s, o) * 2 + s->maps + (s->shift != 0) +
		       (s->noreserve != 0) + (s->align > o->pmd_size);
	}
	return sum;
}

/* ---- lists ---- */

struct list {
	struct shrink_edit *edit;
	unsigned int n;
};

static void add(struct list *l, enum kind kind, unsigned int a, unsigned int b, unsigned int c,
	uint64_t value)
{
	if (l->n < SHRINK_MAX_EDITS)
		l->edit[l->n++] = (struct shrink_edit){.kind = (uint8_t)kind,
			.a = (uint8_t)a,
			.b = (uint8_t)b,
			.c = (uint8_t)c,
			.value = value};
}

static void list_slots(struct list *l, const struct program *p)
{
	for (unsigned int i = 0; i < p->nslots && p->nslots > 1; i++) {
		unsigned int to = i ? 0 : 1;

		for (unsigned int k = 0; k < p->nslots; k++)
			if (k != i && p->slot[k].backing == p->slot[i].backing) {
				to = k;
				break;
			}
		add(l, DROP_SLOT, i, to, 0, 0);
	}
}

static void list_timing(struct list *l, const struct program *p)
{
	for (unsigned int i = 0; i < p->nlanes; i++) {
		const struct program_lane *lane = &p->lane[i];

		if (lane->offset_ns)
			add(l, SET_OFFSET, i, 0, 0, 0);
		for (unsigned int k = 0; k < lane->nops; k++)
			if (lane->timed >> k & 1)
				add(l, DROP_TIMING, i, k, 0, 0);
	}
	for (unsigned int i = 0; i < p->nlanes; i++)
		for (unsigned int k = 0; k < p->lane[i].nops; k++) {
			if (!(p->lane[i].timed >> k & 1) || !p->lane[i].timing[k].meet)
				continue;
			if (p->lane[i].timing[k].aim)
				add(l, DROP_AIM, i, k, 0, 0);
			if (p->lane[i].timing[k].delay_ns)
				add(l, SET_DELAY, i, k, 0, 0);
		}
}

static void list_round(struct list *l, const struct program *p)
{
	for (unsigned int i = 0; i < p->nlanes; i++) {
		const struct program_lane *lane = &p->lane[i];

		if (round_down(lane->offset_ns | 1) != (lane->offset_ns | 1) && lane->offset_ns)
			add(l, SET_OFFSET, i, 0, 0, round_down(lane->offset_ns));
		for (unsigned int k = 0; k < lane->nops; k++) {
			uint32_t delay = lane->timing[k].delay_ns;

			if ((lane->timed >> k & 1) && delay && round_down(delay) != delay)
				add(l, SET_DELAY, i, k, 0, round_down(delay));
		}
	}
}

static void list_finer(struct list *l, const struct arg_desc *d, uint32_t v, unsigned int i,
	unsigned int k, unsigned int a, const struct reduce_options *o)
{
	switch (d->kind) {
	case ARG_FLAGS:
		for (unsigned int bit = 0; bit < 32; bit++)
			if (v >> bit & 1)
				add(l, SET_ARG, i, k, a, v & ~(1U << bit));
		break;
	case ARG_OFF:
		if (v % o->pmd_pages && v > o->pmd_pages)
			add(l, SET_ARG, i, k, a, v - v % o->pmd_pages);
		break;
	case ARG_LEN:
		if (v && v != o->pmd_pages)
			add(l, SET_ARG, i, k, a, o->pmd_pages);
		break;
	case ARG_INT:
	case ARG_NS:
		if (v && round_down(v) != v)
			add(l, SET_ARG, i, k, a, round_down(v));
		break;
	default:
		break;
	}
}

static void list_args(
	struct list *l, const struct program *p, bool finer, const struct reduce_options *o)
{
	for (unsigned int i = 0; i < p->nlanes; i++)
		for (unsigned int k = 0; k < p->lane[i].nops; k++) {
			const struct op_call *c = &p->lane[i].op[k];
			const struct op *op = op_get(c->op);

			for (unsigned int a = 0; a < op_nargs(op); a++) {
				if (finer)
					list_finer(l, &op->args[a], c->arg[a], i, k, a, o);
				else if (op->args[a].kind != ARG_SLOT && c->arg[a])
					add(l, SET_ARG, i, k, a, 0);
			}
		}
}

static void list_shape(struct list *l, const struct program *p, const struct reduce_options *o)
{
	for (unsigned int i = 0; i < p->nslots; i++) {
		const struct slot_spec *s = &p->slot[i];
		uint64_t unit = slot_unit(s, o);

		if (s->size > unit)
			add(l, SET_SIZE, i, 0, 0, unit);
		if (s->size / 2 > unit)
			add(l, SET_SIZE, i, 0, 0, (s->size / 2 + unit - 1) / unit * unit);
		if (s->shift)
			add(l, SET_SHIFT, i, 0, 0, 0);
		if (s->maps > 1)
			add(l, SET_MAPS, i, 0, 0, s->maps - 1U);
		if (s->align > o->pmd_size)
			add(l, SET_ALIGN, i, 0, 0, o->pmd_size);
		if (s->noreserve)
			add(l, SET_NORESERVE, i, 0, 0, 0);
	}
}

unsigned int shrink_list(enum shrink_stage s, const struct program *p,
	const struct reduce_options *o, struct shrink_edit *ret)
{
	struct list l = {.edit = ret};

	for (unsigned int i = 0; i < p->nlanes; i++) {
		if (s == SHRINK_LANES)
			add(&l, DROP_LANE, i, 0, 0, 0);
		if (s == SHRINK_PROCS && p->lane[i].proc)
			add(&l, SET_PROC, i, 0, 0, 0);
		if (s == SHRINK_PROCS && p->lane[i].preempt)
			add(&l, DROP_PREEMPT, i, 0, 0, 0);
		for (unsigned int k = 0; s == SHRINK_OPS && k < p->lane[i].nops; k++)
			add(&l, DROP_OP, i, k, 0, 0);
	}
	if (s == SHRINK_SLOTS)
		list_slots(&l, p);
	if (s == SHRINK_TIMING)
		list_timing(&l, p);
	if (s == SHRINK_ARGS || s == SHRINK_FINER_ARGS)
		list_args(&l, p, s == SHRINK_FINER_ARGS, o);
	if (s == SHRINK_SHAPE)
		list_shape(&l, p, o);
	if (s == SHRINK_ROUND)
		list_round(&l, p);
	return l.n;
}

/* ---- edits ---- */

struct dropped { /* by the numbers of the program before */
	uint32_t lanes, slots;
	uint64_t ops[PROGRAM_MAX_LANES];
	uint8_t slot_to[SLOT_MAX];
};

static void edit_timing(struct program_lane *l, unsigned int i, const struct shrink_edit *e)
{
	struct op_timing t = l->timing[i];

	if (e->kind == DROP_TIMING) {
		t = (struct op_timing){0};
	} else if (e->kind == DROP_AIM) {
		t.aim = t.aim_lane = t.aim_op = 0;
		t.aim_phase = 0;
	} else {
		t.delay_ns = (uint32_t)e->value;
	}
	program_set_timing(l, i, &t);
}

static void edit(struct program *p, struct dropped *d, const struct shrink_edit *e)
{
	struct program_lane *l = &p->lane[e->a % PROGRAM_MAX_LANES];
	struct slot_spec *s = &p->slot[e->a % SLOT_MAX];

	switch ((enum kind)e->kind) {
	case DROP_LANE:
		d->lanes |= 1U << e->a;
		break;
	case DROP_OP:
		d->ops[e->a] |= 1ULL << e->b;
		break;
	case DROP_SLOT:
		d->slots |= 1U << e->a;
		d->slot_to[e->a] = e->b;
		break;
	case SET_PROC:
		l->proc = (uint8_t)e->value;
		break;
	case DROP_PREEMPT:
		l->preempt = false;
		break;
	case SET_OFFSET:
		l->offset_ns = (uint32_t)e->value;
		break;
	case DROP_TIMING:
	case DROP_AIM:
	case SET_DELAY:
		if (l->timed >> e->b & 1)
			edit_timing(l, e->b, e);
		break;
	case SET_ARG:
		l->op[e->b].arg[e->c] = (uint32_t)e->value;
		break;
	case SET_SIZE:
		s->size = e->value;
		break;
	case SET_MAPS:
		s->maps = (uint8_t)e->value;
		break;
	case SET_SHIFT:
		s->shift = (uint32_t)e->value;
		break;
	case SET_ALIGN:
		s->align = e->value;
		break;
	case SET_NORESERVE:
		s->noreserve = (uint8_t)e->value;
		break;
	}
}

/* What stands at number n when those of the mask are gone. */
static unsigned int renumber(unsigned int n, uint64_t gone)
{
	return n - (unsigned int)__builtin_popcountll(gone & ((1ULL << n) - 1));
}

static void move_aim(struct op_timing *t, const struct dropped *d)
{
	if (!t->aim)
		return;
	if ((d->lanes >> t->aim_lane & 1) ||
		(t->aim_op < PROGRAM_MAX_OPS && (d->ops[t->aim_lane] >> t->aim_op & 1))) {
		t->aim = t->aim_lane = t->aim_op = 0;
		t->aim_phase = 0;
		return;
	}
	if (t->aim_op < PROGRAM_MAX_OPS)
		t->aim_op = (uint8_t)renumber(t->aim_op, d->ops[t->aim_lane]);
	t->aim_lane = (uint8_t)renumber(t->aim_lane, d->lanes);
}

static void close_lane(const struct program_lane *from, uint64_t gone, const struct dropped *d,
	struct program_lane *to)
{
	struct program_lane l = {.proc = from->proc,
		.preempt = from->preempt,
		.pin = from->pin,
		.offset_ns = from->offset_ns};

	for (unsigned int i = 0; i < from->nops; i++) {
		struct op_timing t = {0};

		if (gone >> i & 1)
			continue;
		l.op[l.nops] = from->op[i];
		if (from->timed >> i & 1)
			t = from->timing[i];
		move_aim(&t, d);
		program_set_timing(&l, l.nops++, &t);
	}
	*to = l;
}

/* Lanes and ops that stay move up; a lane without ops goes. */
static void close_lanes(struct program *p, struct dropped *d)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < p->nlanes; i++) {
		uint64_t all = p->lane[i].nops == 64 ? UINT64_MAX : (1ULL << p->lane[i].nops) - 1;

		if ((d->ops[i] & all) == all)
			d->lanes |= 1U << i;
	}
	for (unsigned int i = 0; i < p->nlanes; i++)
		if (!(d->lanes >> i & 1))
			close_lane(&p->lane[i], d->ops[i], d, &p->lane[n++]);
	p->nlanes = (uint8_t)n;
}

/* A meet of one lane is none; what it waits for is itself. */
static void end_lonely_meets(struct program *p)
{
	uint32_t lanes[PROGRAM_MAX_MEET + 1] = {0};

	for (unsigned int i = 0; i < p->nlanes; i++)
		for (unsigned int k = 0; k < p->lane[i].nops; k++)
			if (p->lane[i].timed >> k & 1)
				lanes[p->lane[i].timing[k].meet] |= 1U << i;
	for (unsigned int i = 0; i < p->nlanes; i++)
		for (unsigned int k = 0; k < p->lane[i].nops; k++) {
			struct op_timing t = p->lane[i].timing[k];

			if (!(p->lane[i].timed >> k & 1) || !t.meet ||
				__builtin_popcount(lanes[t.meet]) > 1)
				continue;
			t = (struct op_timing){.delay_ns = t.delay_ns};
			program_set_timing(&p->lane[i], k, &t);
		}
}

static void move_slot_args(struct program_lane *l, const struct dropped *d, unsigned int nslots)
{
	for (unsigned int k = 0; k < l->nops; k++) {
		const struct op *op = op_get(l->op[k].op);

		for (unsigned int a = 0; a < op_nargs(op); a++) {
			uint32_t slot = l->op[k].arg[a];

			if (op->args[a].kind != ARG_SLOT)
				continue;
			slot = slot < nslots ? slot : slot % nslots;
			for (unsigned int hops = 0; (d->slots >> slot & 1) && hops < nslots; hops++)
				slot = d->slot_to[slot];
			if (d->slots >> slot &
				1) /* they pointed at each other: the first that stays */
				slot = (uint32_t)__builtin_ctz(~d->slots);
			l->op[k].arg[a] = renumber(slot, d->slots);
		}
	}
}

static void close_slots(struct program *p, const struct dropped *d)
{
	unsigned int n = 0;

	if (!d->slots)
		return;
	for (unsigned int i = 0; i < p->nlanes; i++)
		move_slot_args(&p->lane[i], d, p->nslots);
	for (unsigned int i = 0; i < p->nslots; i++)
		if (!(d->slots >> i & 1))
			p->slot[n++] = p->slot[i];
	p->nslots = (uint8_t)n;
}

bool shrink_apply(const struct program *p, const struct reduce_options *o,
	const struct shrink_edit *e, unsigned int n, struct program *ret)
{
	struct dropped d = {0};

	*ret = *p;
	for (unsigned int i = 0; i < n; i++)
		edit(ret, &d, &e[i]);
	if (__builtin_popcount(d.slots) >= ret->nslots)
		return false;
	close_lanes(ret, &d);
	if (!ret->nlanes)
		return false;
	end_lonely_meets(ret);
	close_slots(ret, &d);
	for (unsigned int i = 0; i < ret->nslots; i++)
		if (program_slot_wrong(&ret->slot[i], NULL))
			return false;
	return shrink_cost(ret, o) < shrink_cost(p, o);
}
