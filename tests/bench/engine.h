/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine as a run drives it: a plan's crews, all oracles on, observed from outside while they
 * run. */
#ifndef SUNDER_BENCH_ENGINE_H
#define SUNDER_BENCH_ENGINE_H

#include "oracle/oracle.h"

/* What a thread has had of the machine so far. */
struct thread_use {
	uint64_t cpu_ns, wait_ns; /* on a CPU; runnable, but waiting for one (schedstat) */
	uint64_t faults; /* minor page faults */
};

/* pid 0: the calling thread. */
void thread_use_read(pid_t pid, pid_t tid, struct thread_use *ret);

/* All crews at one moment. */
struct engine_mark {
	uint64_t ticks;
	uint64_t round; /* of the first crew: the one that runs */
	uint64_t ops, failed, signals;
	uint64_t cpu_ns, faults;
	uint64_t wait_ns[PLAN_MAX_CREWS * PROGRAM_MAX_LANES];
};

struct engine {
	struct plan *plan;
	struct crew **crew; /* [plan->ncrews] */
	struct kmsg *kmsg; /* NULL: this user may not read it */
	unsigned int findings;
};

/* Makes the crews and opens the kernel log. 0 or -errno. */
int engine_open(struct engine *e, struct plan *plan, const struct machine *m);
void engine_close(struct engine *e);

/* Starts all crews with this round and waits until each has done `warm` of them. 0 or -errno. */
int engine_start(struct engine *e, uint64_t first_round, uint64_t warm);

/* Lets them run for so long, judging as the supervisor does. -ECHILD: an executor has died. */
int engine_run(struct engine *e, uint64_t ns);

void engine_mark(const struct engine *e, struct engine_mark *ret);

/* The same just after a round of the first crew has begun; ticks is that round's deadline. Round 0
 * with ticks 0: none begins. */
void engine_mark_round(const struct engine *e, struct engine_mark *ret);

/* Ends the crews after their round and gives the slots' memory back. 0 or -errno. */
int engine_stop(struct engine *e);

#endif
