/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tapes: the system calls and touches of a lane's rounds, ready to be made by a bare loop. They are
 * what the ops themselves ask for: each op of the plan's rounds runs once with its calls caught
 * instead of made.
 */
#ifndef SUNDER_BENCH_TAPE_H
#define SUNDER_BENCH_TAPE_H

#include "exec/crew.h"

enum { TAPE_TOUCH = -1 }; /* tape_call.nr that is no system call */

struct tape_call {
	long nr; /* system call number, or: */
	/* TAPE_TOUCH: address of the first cell, how many, bytes from one to the next, enum
	 * cell_how */
	long arg[6];
};

struct tape {
	struct tape_call *call;
	size_t ncalls, room;
	size_t *round; /* [nrounds + 1]: first call of each round */
	uint64_t nrounds, nops;
};

/* NULL, or the first op of the plan whose calls cannot be caught. */
const char *tape_refused(const struct plan *p);

/*
 * The tape of one lane's rounds [first, first + rounds). The crew's slots have their addresses;
 * their process is this one. 0 or -ENOMEM; never freed, as its process ends after use.
 */
int tape_record(
	const struct crew *c, unsigned int lane, uint64_t first, uint64_t rounds, struct tape *ret);

#endif
