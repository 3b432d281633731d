/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a program smaller for as long as a finding comes back with it about as fast as with the original. Delta debugging with an
 * oracle that is noisy: whether it comes back within some time is chance, so steps are judged by how long that takes.
 * Runs nothing itself: attempts are the caller's.
 */
#ifndef SUNDER_FINDING_REDUCE_H
#define SUNDER_FINDING_REDUCE_H

#include "plan/program.h"

enum { REDUCE_MAX_FAILED = 1024 };
enum reduce_phase { REDUCE_MEASURE, REDUCE_SHRINK, REDUCE_VERIFY, REDUCE_DONE };

struct reduce_options {
	double seconds; /* the longest attempt of the original */
	double least_s; /* times below it are not told apart */
	unsigned int attempts; /* to measure and to verify; most that a step gets */
	uint64_t pmd_size;
	uint32_t pmd_pages;
};

/* All that must be kept to go on later. Starts as zeroes but for `original`. */
struct reduce {
	struct program original;
	struct program best; /* the smallest one that was accepted */
	struct program sure; /* the last best that was verified, or the original */
	enum reduce_phase phase;
	double mean_s; /* that the original, or one much faster, takes to come back; rather more, while few hits were seen */
	double sum_s; /* that it was run for, while it was measured */
	unsigned int hits, tries, goal; /* of the original; goal: tries that are wanted */
	unsigned int pass, stage, chunk, at; /* where in the search it is */
	bool changed; /* something was accepted in this pass */
	bool doubted; /* the best has failed once to hold */
	bool strict; /* one quick hit is no longer enough */
	uint64_t attempts; /* so far */
	unsigned int steps, accepted;
	/* Of the steps that were accepted since the mean was looked at (need not be kept). */
	double quick_s;
	unsigned int quick_hits;
	/* Programs that never came back are not tried again (hashes; need not be kept). */
	uint64_t failed[REDUCE_MAX_FAILED];
	unsigned int nfailed;
};

struct reduce_try {
	bool hit;
	double seconds; /* until it came back, or in all */
};

struct reduce_step {
	const char *what; /* "ops 3-5" */
	const struct program *from, *to;
	bool accepted;
	unsigned int hits; /* of this step */
	double seconds;
};

struct reduce_hooks {
	/* Runs p until it comes back, at most `seconds`. 0 with *ret, or -errno, which ends all. */
	int (*attempt)(void *arg, const struct program *p, double seconds, struct reduce_try *ret);
	/* After each step, and with NULL when something else has changed: tells and saves. May be NULL. 0 or -errno, which ends all. */
	int (*step)(void *arg, const struct reduce *r, const struct reduce_step *step);
	void *arg;
};

/*
 * Goes on until nothing more can be dropped. 0: r->best is the result, and was verified; -ENOENT: the original does not come back; else
 * what a hook returned: called again with the same *r it goes on where it was. r->best has come back whenever it is not the original.
 */
int reduce_run(struct reduce *r, const struct reduce_options *o, const struct reduce_hooks *h);

/* "2 lanes, 5 ops, 1 slot" */
int reduce_describe(const struct program *p, char *buf, size_t size);
unsigned int reduce_count_ops(const struct program *p);

#endif
