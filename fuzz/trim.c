/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trim.h"

#include <string.h>

#include "edit.h"

/* Lanes; runs of so many ops; ops one by one; timings; slots that no op names any more. */
enum stage { LANES, RUNS, OPS, TIMINGS, SLOTS, END };
enum { RUN = 8 };

/* Names are bytes, and nothing else. */
static void drop_names(struct program *p)
{
	for (unsigned int i = 0; i < p->nslots; i++) {
		memset(p->slot[i].name, 0, sizeof(p->slot[i].name));
		snprintf(p->slot[i].name, sizeof(p->slot[i].name), "s%u", i);
	}
}

void trim_begin(struct trim *t, const unsigned char *data, size_t len)
{
	memset(t, 0, sizeof(*t));
	program_decode(&t->now, data, len);
	drop_names(&t->now);
}

static unsigned int count_ops(const struct program *p)
{
	unsigned int n = 0;

	for (unsigned int l = 0; l < p->nlanes; l++)
		n += p->lane[l].nops;
	return n;
}

static unsigned int step_of(unsigned int stage)
{
	return stage == RUNS ? RUN : 1;
}

static unsigned int items_of(const struct trim *t, unsigned int stage)
{
	switch (stage) {
	case LANES:
		return t->now.nlanes;
	case SLOTS:
		return t->now.nslots;
	default:
		return count_ops(&t->now);
	}
}

unsigned int trim_left(const struct trim *t)
{
	unsigned int n = 0;

	for (unsigned int s = t->stage; s < END; s++) {
		unsigned int items = items_of(t, s), from = s == t->stage ? t->at : 0;

		n += items > from ? (items - from + step_of(s) - 1) / step_of(s) : 0;
	}
	return n;
}

/* ---- candidates: false if there is nothing to take away there ---- */

/* The lane that op number *at of all lanes is on; *at becomes its place there. */
static struct program_lane *lane_of(struct program *p, unsigned int *at)
{
	unsigned int l = 0;

	while (*at >= p->lane[l].nops)
		*at -= p->lane[l++].nops;
	return &p->lane[l];
}

/* As far as the lane goes. */
static bool drop_ops(struct program *p, unsigned int at, unsigned int n)
{
	struct program_lane *l = lane_of(p, &at);

	if (count_ops(p) <= 1)
		return false;
	for (; n && at < l->nops && count_ops(p) > 1; n--)
		edit_take_out(p, l, at);
	return true;
}

static bool drop_timing(struct program *p, unsigned int at)
{
	struct program_lane *l = lane_of(p, &at);
	struct op_timing none = {0};

	if (!(l->timed >> at & 1))
		return false;
	program_set_timing(l, at, &none);
	return true;
}

/* Ops may act on a slot that they do not name, by folding: whether it is needed is tried. Those after it move up. */
static bool drop_slot(struct program *p, unsigned int at)
{
	if (p->nslots == 1)
		return false;
	for (unsigned int l = 0; l < p->nlanes; l++)
		for (unsigned int i = 0; i < p->lane[l].nops; i++) {
			struct op_call *c = &p->lane[l].op[i];
			const struct op *op = op_get(c->op);

			for (unsigned int k = 0; k < op_nargs(op); k++) {
				if (op->args[k].kind != ARG_SLOT)
					continue;
				if (c->arg[k] == at)
					return false;
				if (c->arg[k] > at)
					c->arg[k]--;
			}
		}
	memmove(&p->slot[at], &p->slot[at + 1], (p->nslots - at - 1U) * sizeof(p->slot[0]));
	memset(&p->slot[--p->nslots], 0, sizeof(p->slot[0]));
	drop_names(p);
	return true;
}

static bool try(struct trim *t)
{
	struct program *p = &t->candidate;

	*p = t->now;
	switch (t->stage) {
	case LANES:
		return edit_drop_lane(p, t->at);
	case RUNS:
		return count_ops(p) > RUN && drop_ops(p, t->at, RUN);
	case OPS:
		return drop_ops(p, t->at, 1);
	case TIMINGS:
		return drop_timing(p, t->at);
	default:
		return drop_slot(p, t->at);
	}
}

bool trim_next(struct trim *t)
{
	while (t->stage < END) {
		if (t->at >= items_of(t, t->stage)) {
			t->stage++;
			t->at = 0;
		} else if (try(t)) {
			return true;
		} else {
			t->at += step_of(t->stage);
		}
	}
	return false;
}

void trim_judge(struct trim *t, bool same)
{
	if (!same)
		t->at += step_of(t->stage);
	else if (t->stage == TIMINGS) /* nothing moves up */
		t->now = t->candidate, t->at++;
	else
		t->now = t->candidate;
}
