/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bare loop: the same number of threads in one process make the calls of tapes, on the same
 * CPUs, on slots mapped the same way and renewed after as many rounds. No barrier between rounds,
 * no records, no model, no judge.
 */
#ifndef SUNDER_BENCH_BARE_H
#define SUNDER_BENCH_BARE_H

#include "engine.h"

struct bare_lane_result {
	uint64_t ticks, renew_ticks; /* all of it; of that, slots being mapped anew */
	uint64_t ops, failed, signals;
	struct thread_use use;
};

struct bare_result {
	struct bare_lane_result lane[PROGRAM_MAX_LANES];
	uint64_t slowest_ticks; /* sum over rounds of the slowest lane's time, renewals left out */
	int err; /* errno: nothing was measured */
};

/*
 * Runs a crew's rounds [first, first + warm + rounds) in a child process; the first `warm` are not
 * measured. *ret is memory that a child shares. 0 or -errno.
 */
int bare_run(const struct crew *c, uint64_t first, uint64_t warm, uint64_t rounds,
	struct bare_result *ret);

#endif
