/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside an executor process: set-up, its lanes, and what they do in each phase. Private to exec. */
#ifndef SUNDER_EXEC_EXECUTOR_H
#define SUNDER_EXEC_EXECUTOR_H

#include <pthread.h>

#include "exec/crew.h"

struct executor;

/* One lane's own memory; outside all slots. */
struct lane {
	struct executor *ex;
	unsigned int no; /* in the crew */
	const struct plan_lane *plan;
	struct lane_ctl *ctl;
	struct op_env env;
	struct cells cells;
	struct program_lane program; /* of the round to come */
	uint32_t met; /* bit mask of the meets that it came to in this round */
	pthread_t thread;
	bool first_of_proc;
	bool preempting; /* it has SCHED_FIFO now */
	int fail_fd; /* of fail.c; -1: no op of the plan injects failures */
	bool failed; /* a failure was injected into the call just done */
	/* For place.c: ops that may move pages of the slot of the call in progress, and none but it was under way. */
	uint32_t moves_begun;
	bool moves_alone;
};

struct looks;

struct executor {
	struct crew_ctl *ctl;
	const struct plan *plan;
	const struct machine *machine;
	const struct box *box;
	unsigned int proc, nlanes;
	uint64_t spin; /* ticks */
	uint32_t uses; /* plan_uses() */
	bool crowded; /* more lanes on the machine than CPUs */
	bool learns; /* some program has aims: how long ops take is learned */
	struct looks *looks;
	struct lane *lane[PROGRAM_MAX_LANES];
};

/* The first executor's life, right after the fork: sets up, forks the others, runs its lanes to the end, exits. */
_Noreturn void executor_main(struct crew *crew, pid_t supervisor);

/* Thread body. arg: struct lane. */
void *lane_main(void *arg);

/* Ends all scarcity that the crew has begun. While no op of it runs. */
void scarcity_over(struct crew_ctl *ctl);

/* The crew cannot go on: tells the supervisor why, and ends the process. */
_Noreturn void executor_fail(struct crew_ctl *ctl, int err, const char *what);

#endif
