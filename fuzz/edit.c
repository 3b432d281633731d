/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edit.h"

#include <string.h>

struct op_timing edit_timing(const struct program_lane *l, unsigned int i)
{
	return l->timed >> i & 1 ? l->timing[i] : (struct op_timing){0};
}

/* Aims at ops of the lane from `at` on. */
static void move_aims(struct program *p, const struct program_lane *to, unsigned int at, int by)
{
	for (unsigned int l = 0; l < p->nlanes; l++)
		for (uint64_t left = p->lane[l].timed; left; left &= left - 1) {
			struct op_timing *t = &p->lane[l].timing[__builtin_ctzll(left)];

			if (t->aim != AIM_NONE && t->aim_lane == to - p->lane && t->aim_op >= at)
				t->aim_op = (uint8_t)((t->aim_op + by) & (PROGRAM_MAX_OPS - 1));
		}
}

bool edit_insert(struct program *p, struct program_lane *l, unsigned int at,
	const struct op_call *c, const struct op_timing *t)
{
	if (l->nops == PROGRAM_MAX_OPS)
		return false;
	for (unsigned int i = l->nops; i > at; i--) {
		struct op_timing moved = edit_timing(l, i - 1);

		l->op[i] = l->op[i - 1];
		program_set_timing(l, i, &moved);
	}
	l->nops++;
	l->op[at] = *c;
	move_aims(p, l, at, 1);
	program_set_timing(l, at, t);
	return true;
}

void edit_take_out(struct program *p, struct program_lane *l, unsigned int at)
{
	struct op_timing none = {0};

	for (unsigned int i = at; i + 1 < l->nops; i++) {
		struct op_timing moved = edit_timing(l, i + 1);

		l->op[i] = l->op[i + 1];
		program_set_timing(l, i, &moved);
	}
	l->nops--;
	program_set_timing(l, l->nops, &none);
	move_aims(p, l, at + 1, -1);
}

/* Aims at lanes behind it follow them; those at itself find nobody, or whoever comes into its place. */
static void move_lanes(struct program *p, unsigned int at)
{
	for (unsigned int l = 0; l < p->nlanes; l++)
		for (uint64_t left = p->lane[l].timed; left; left &= left - 1) {
			struct op_timing *t = &p->lane[l].timing[__builtin_ctzll(left)];

			if (t->aim != AIM_NONE && t->aim_lane > at)
				t->aim_lane--;
		}
}

bool edit_drop_lane(struct program *p, unsigned int at)
{
	if (p->nlanes == 1)
		return false;
	memmove(&p->lane[at], &p->lane[at + 1], (p->nlanes - at - 1U) * sizeof(p->lane[0]));
	memset(&p->lane[--p->nlanes], 0, sizeof(p->lane[0]));
	move_lanes(p, at);
	return true;
}
