/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Meets: lanes wait for each other before an op, inside a round; the last to come finds when each of them starts. */
#ifndef SUNDER_EXEC_MEET_H
#define SUNDER_EXEC_MEET_H

#include "executor.h"

/* A lane's program of the round to come was drawn: tells the crew which meets it will come to. */
void meets_announce(struct lane *l);

/* By the lane that releases a round, alone: who is to come to which meet. */
void meets_open(struct crew_ctl *ctl);

/* Before op i of the lane, which has a timing: waits for its meet, if any. Returns when the op is to start, in ticks; 0: now. */
uint64_t meet_wait(struct lane *l, unsigned int i);

/* After the op that meet_wait() gave a time to has started. */
void meet_started(struct lane *l, unsigned int i, uint64_t due, uint64_t start);

/* By the lane that ends a round, alone: how far apart the lanes of its meets started; adapts the margin. */
void meets_count(struct crew_ctl *ctl);

/*
 * Starts of the lanes in ns after a meet's release, the earliest of them not before it. part[n]: by lane; in: bit mask of those
 * that are there.
 */
void meet_resolve(const struct model *m, const struct meet_part *part, uint32_t in,
	uint32_t ret_ns[PROGRAM_MAX_LANES]);

#endif
