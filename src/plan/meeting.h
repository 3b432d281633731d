/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Meetings: in a share of the rounds two or more lanes of a crew wait for each other before an op, so that these begin
 * together however long the ops before them took, and one of them is the target that the others aim at. Lanes with a fixed
 * sequence meet where that says so, in every round. Private to the room.
 */
#ifndef SUNDER_PLAN_MEETING_H
#define SUNDER_PLAN_MEETING_H

#include "plan/plan.h"

enum { MEETING_MAX = 4 };

struct meeting {
	uint32_t lanes; /* bit mask of those that meet; 0: none do in this round */
	bool alone; /* the others sit the round out */
	unsigned int count; /* how many times they meet */
	uint32_t who[MEETING_MAX]; /* of lanes: those that come to this one */
	uint8_t at[MEETING_MAX][PROGRAM_MAX_LANES]; /* before which op; ascending */
	/* The op that learning puts there, in place of what the lane would draw; 0: none. */
	uint8_t entry[MEETING_MAX][PROGRAM_MAX_LANES]; /* index in its mix, + 1 */
	uint32_t backings; /* bit mask: what learning has said of the slots; 0: nothing */
	struct op_timing timing[MEETING_MAX][PROGRAM_MAX_LANES];
};

/* Of a round of a crew. Pure function of its arguments, as plan_draw_lane(): every lane draws the same. */
void meeting_draw(const struct plan *p, unsigned int crew, uint64_t round, struct meeting *ret);

#endif
