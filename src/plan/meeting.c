/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meeting.h"

#include <string.h>

enum { STREAM_MEETING = 1001 }; /* see draw.c */
/* Where an op may start against its target's window, in thousandths of it. */
enum { SWEEP_FROM = -200, SWEEP_TO = 1200, EDGE_NEAR = 100 };

static uint32_t lanes_that_may(const struct plan_crew *c)
{
	uint32_t mask = 0;

	for (unsigned int i = 0; i < c->nlanes; i++)
		if (c->lane[i].nops && !c->lane[i].timed)
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
	for (uint32_t left = m->lanes; left; left &= left - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(left);

		m->at[n][i] = draw_place(n, m->count, c->lane[i].depth, r);
		m->timing[n][i] = (struct op_timing){.meet = (uint8_t)(n + 1)};
	}
	for (uint32_t left = m->lanes & ~(1U << target); left; left &= left - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(left);

		m->timing[n][i].aim_lane = (uint8_t)target;
		m->timing[n][i].aim_op = m->at[n][target];
		draw_aim(&c->lane[i], &m->timing[n][i], &m->timing[n][target], r);
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

void meeting_draw(const struct plan *p, unsigned int crew, uint64_t round, struct meeting *ret)
{
	const struct plan_crew *c = &p->crew[crew];
	unsigned int target;
	uint32_t may;
	struct rng r;

	ret->lanes = 0;
	ret->alone = false;
	if (!p->meet_percent)
		return;
	rng_init(&r, p->seed, crew, STREAM_MEETING, round);
	may = lanes_that_may(c);
	if (rng_below(&r, 100) >= p->meet_percent || !(may & (may - 1)))
		return;
	target = pick(may, &r);
	ret->lanes = 1U << target | draw_aimers(p, c, may, target, &r);
	ret->alone = p->crowded;
	ret->count = draw_count(c, ret->lanes, &r);
	for (unsigned int n = 0; n < ret->count; n++)
		draw_meet(c, n, target, ret, &r);
}
