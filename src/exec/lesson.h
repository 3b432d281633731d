/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Learning where in an op another one makes a difference. */
#ifndef SUNDER_EXEC_LESSON_H
#define SUNDER_EXEC_LESSON_H

#include "exec/crew.h"

/* At quiesce: what the ops of a meet of the round that has ended came to. */
void lessons_learn(struct crew_ctl *ctl, const struct meet *m);

/* The aimer's op, the target's op, size and backing, packed; never 0. */
static inline uint32_t lesson_key(unsigned int aimer, struct model_key target)
{
	return 1U << 31 | (uint32_t)target.backing << 24 | (uint32_t)target.size << 16 |
	       (uint32_t)target.op << 8 | aimer;
}

#endif
