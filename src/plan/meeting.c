/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meeting.h"

#include <string.h>

#include "lessons.h"

enum { STREAM_MEETING = 1001 }; /* see draw.c */
/* Where an op may start against its target's window, in thousandths of it. */
enum { RECALLS = 8 };
enum { SWEEP_FROM = -200, SWEEP_TO = 1200, EDGE_NEAR = 100 };

static uint32_t lanes_that_may(const struct plan_crew *c)
{
	uint32_t mask = 0;

	for (unsigned int i = 0; i < c->nlanes; i++)
		if (c->lane[i].nops && !c->lane[i].timed && !c->lane[i].preempt)
			mask |= 1U << i;
	return mask;
}

static unsigned int pick(uint32_t mask, struct rng *r)
{
	uint64_t n = rng_below(r, (uint64_t)__builtin_popcount(mask));

	while (n--)
		mask &= mask - 1;
	return (unsigned int)__builtin_ctz(mask);
}

/* Those that can run at the same time as the lane. */
static uint32_t lanes_elsewhere(const struct plan_crew *c, uint32_t mask, unsigned int lane)
{
	uint32_t found = 0;

	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(left);

		if (c->lane[i].cpu < 0 || c->lane[i].cpu != c->lane[lane].cpu)
			found |= 1U << i;
	}
	return found;
}

/* Mostly one lane aims at another; where there are CPUs for them, now and then more do. */
static uint32_t draw_aimers(const struct plan *p, const struct plan_crew *c, uint32_t may,
	unsigned int target, struct rng *r)
{
	uint32_t others = may & ~(1U << target), elsewhere = lanes_elsewhere(c, others, target);
	unsigned int how = (unsigned int)rng_below(r, 8);
	uint32_t found;

	if (elsewhere)
		others = elsewhere;
	found = 1U << pick(others, r);
	if (p->crowded || how < 5)
		return found;
	return how < 7 ? found | 1U << pick(others, r) : others;
}

/* Lanes that preempt the target: half of the time each of those on its CPU. */
static uint32_t draw_preemptors(const struct plan_crew *c, unsigned int target, struct rng *r)
{
	uint32_t found = 0;

	for (unsigned int i = 0; i < c->nlanes; i++) {
		const struct plan_lane *l = &c->lane[i];

		if (l->preempt && l->nops && !l->timed && l->cpu == c->lane[target].cpu &&
			rng_below(r, 2))
			found |= 1U << i;
	}
	return found;
}

/* The n-th of count meets before one of the ops of its share, so that all lanes come to them in the same order. */
static uint8_t draw_place(unsigned int n, unsigned int count, uint32_t depth, struct rng *r)
{
	uint32_t from = n * depth / count, to = (n + 1) * depth / count;

	return (uint8_t)(from + rng_below(r, to - from));
}

static void aim_at(struct op_timing *t, enum aim aim, int64_t phase)
{
	t->aim = (uint8_t)aim;
	t->aim_phase = (int16_t)phase;
}

/* Half sweeps the target's window, a quarter looks at its edges, the rest is small delays of either of the two. */
static void draw_aim(
	const struct plan_lane *l, struct op_timing *t, struct op_timing *target, struct rng *r)
{
	uint64_t how = rng_below(r, 8), near = rng_log(r, EDGE_NEAR), side = rng_below(r, 2);

	if (how < 4)
		aim_at(t, AIM_START, SWEEP_FROM + (int64_t)rng_below(r, SWEEP_TO - SWEEP_FROM + 1));
	else if (how < 6)
		aim_at(t, rng_below(r, 2) ? AIM_START : AIM_END,
			(int64_t)rng_below(r, 2) * 1000 + (side ? (int64_t)near : -(int64_t)near));
	else if (side && !target->delay_ns)
		target->delay_ns = (uint32_t)rng_log(r, l->max_offset_ns);
	else
		t->delay_ns = (uint32_t)rng_log(r, l->max_offset_ns);
	if (t->aim == AIM_NONE)
		t->aim_lane = t->aim_op = 0;
}

static void draw_meet(const struct plan_crew *c, unsigned int n, unsigned int target,
	struct meeting *m, struct rng *r)
{
	for (uint32_t left = m->who[n]; left; left &= left - 1)
		m->timing[n][__builtin_ctz(left)] = (struct op_timing){.meet = (uint8_t)(n + 1)};
	for (uint32_t left = m->who[n] & ~(1U << target); left; left &= left - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(left);

		m->timing[n][i].aim_lane = (uint8_t)target;
		m->timing[n][i].aim_op = m->at[n][target];
		draw_aim(&c->lane[i], &m->timing[n][i], &m->timing[n][target], r);
	}
}

/* An entry of a lane's mix with the op, + 1; 0: it has none. */
static unsigned int entry_of(const struct plan_lane *l, unsigned int op)
{
	for (unsigned int i = 0; !l->sequence && i < l->nops; i++)
		if (l->op[i].call.op == op && l->op[i].weight)
			return i + 1;
	return 0;
}

/* A quarter of the meets of two lanes is where an outcome has changed before, if these lanes can do it. */
static void recall(const struct plan *p, const struct plan_crew *c, unsigned int n,
	unsigned int target, struct meeting *m, struct rng *r)
{
	uint32_t other = m->who[n] & ~(1U << target);
	unsigned int aimer;

	if (!p->nlessons || !other || (other & (other - 1)) || rng_below(r, 4))
		return;
	aimer = (unsigned int)__builtin_ctz(other);
	for (unsigned int i = 0; i < RECALLS; i++) {
		const struct plan_lesson *l = lessons_pick(p, r);
		unsigned int a = entry_of(&c->lane[aimer], l->aimer),
			     t = entry_of(&c->lane[target], l->target);

		if (!a || !t)
			continue;
		m->entry[n][aimer] = (uint8_t)a;
		m->entry[n][target] = (uint8_t)t;
		if (l->backing < BACKING_COUNT)
			m->backings |= 1U << l->backing;
		m->timing[n][target].delay_ns = 0;
		m->timing[n][aimer] = (struct op_timing){.meet = (uint8_t)(n + 1),
			.aim_lane = (uint8_t)target,
			.aim_op = m->at[n][target]};
		aim_at(&m->timing[n][aimer], AIM_START,
			LESSON_PHASE_FROM + l->phase * LESSON_PHASE_WIDTH +
				(int64_t)rng_below(r, LESSON_PHASE_WIDTH));
		return;
	}
}

static unsigned int draw_count(const struct plan_crew *c, uint32_t lanes, struct rng *r)
{
	uint32_t least = MEETING_MAX;

	for (; lanes; lanes &= lanes - 1) {
		uint32_t depth = c->lane[__builtin_ctz(lanes)].depth;

		least = depth < least ? depth : least;
	}
	return 1 + (unsigned int)rng_below(r, least);
}

/* Where fixed sequences meet without saying when they start. True if there is any such place. */
static bool find_places(const struct plan_crew *c, struct meeting *m)
{
	bool any = false;

	for (unsigned int i = 0; i < c->nlanes; i++) {
		const struct plan_lane *l = &c->lane[i];

		for (unsigned int k = 0; l->timed && !l->exact_offset && k < l->nops; k++) {
			const struct op_timing *t = &l->op[k].timing;
			unsigned int n = t->meet - 1U;

			if (!t->meet || n >= MEETING_MAX || t->aim != AIM_NONE || t->delay_ns ||
				(m->who[n] >> i & 1))
				continue;
			m->who[n] |= 1U << i;
			m->at[n][i] = (uint8_t)k;
			any = true;
		}
	}
	return any;
}

static void draw_sequences(const struct plan_crew *c, struct meeting *m, struct rng *r)
{
	m->count = MEETING_MAX;
	for (unsigned int n = 0; n < MEETING_MAX; n++) {
		if (!(m->who[n] & (m->who[n] - 1))) {
			m->who[n] = 0; /* alone */
			continue;
		}
		draw_meet(c, n, pick(m->who[n], r), m, r);
		m->lanes |= m->who[n];
	}
}

static void draw_mixes(
	const struct plan *p, const struct plan_crew *c, struct meeting *m, struct rng *r)
{
	uint32_t may = lanes_that_may(c);
	unsigned int target;

	if (rng_below(r, 100) >= p->meet_percent || !(may & (may - 1)))
		return;
	target = pick(may, r);
	m->lanes = 1U << target | draw_aimers(p, c, may, target, r);
	m->lanes |= draw_preemptors(c, target, r);
	m->alone = p->crowded;
	m->count = draw_count(c, m->lanes, r);
	for (unsigned int n = 0; n < m->count; n++) {
		m->who[n] = m->lanes;
		for (uint32_t left = m->lanes; left; left &= left - 1) {
			unsigned int i = (unsigned int)__builtin_ctz(left);

			m->at[n][i] = draw_place(n, m->count, c->lane[i].depth, r);
		}
		draw_meet(c, n, target, m, r);
		recall(p, c, n, target, m, r);
	}
}

void meeting_draw(const struct plan *p, unsigned int crew, uint64_t round, struct meeting *ret)
{
	const struct plan_crew *c = &p->crew[crew];
	struct rng r;

	ret->lanes = ret->count = 0;
	ret->alone = false;
	if (!p->meet_percent)
		return;
	*ret = (struct meeting){0};
	rng_init(&r, p->seed, crew, STREAM_MEETING, round);
	if (find_places(c, ret))
		draw_sequences(c, ret, &r);
	else
		draw_mixes(p, c, ret, &r);
}
