/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making of plans: what resolving a job and taking over a program share. Private to the room. */
#ifndef SUNDER_PLAN_BUILD_H
#define SUNDER_PLAN_BUILD_H

#include "job.h"

/* Between two rests where nobody says: six in a run, none closer than 5 s or farther than 30 s. */
uint64_t plan_usual_rest(uint64_t timeout_ns);

/* A new plan for this machine with the options' choices; NULL: no memory. */
struct plan *plan_new(const char *job, const struct machine *m, const struct plan_options *o);

/* Notes that something will not run, once for each `what`. 0 or -ENOMEM. */
int plan_skip(struct plan *p, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Notes what a turn skips, under the name of its job. 0 or -ENOMEM. */
int plan_take_skips(struct plan *p, const struct plan *sub);

/*
 * NULL, or why an op may not run in this plan: its class is not allowed, or the machine lacks
 * something.
 */
const char *plan_op_missing(const struct plan *p, unsigned int op);

/*
 * Probes every slot's backing (the pools that are asked for do not count yet); sets slots_present
 * and slots_tight, and notes what is missing. 0 or -ENOMEM.
 */
int plan_probe_slots(struct plan *p, const struct machine *m);

/*
 * Takes out what cannot run with the slots that are present: ops, lanes left without one, crews
 * left without a lane; sums up weights. `keep_lanes`: lanes without ops stay (a program's lanes
 * keep their numbers). -ENODATA: nothing is left.
 */
int plan_drop_unable(struct plan *p, bool keep_lanes);

/* Bytes that the slots outside hugetlb take in the first n crews. */
uint64_t plan_slot_bytes(const struct plan *p, unsigned int n);

/*
 * Huge pages of one size that the present slots reserve (all: and those that they do not reserve)
 * in all crews.
 */
uint64_t plan_huge_pages(const struct plan *p, uint64_t size, bool all);

/*
 * The least used CPU of those in may[] (by index in machine.cpu; NULL: all), counted in use[]; -1
 * if there is none.
 */
int plan_pick_cpu(const struct machine *m, const bool *may, unsigned int *use);

/* Makes the crews of a job. 0 or the job's error. */
int plan_make_crews(struct plan *p, struct job *j);

#endif
