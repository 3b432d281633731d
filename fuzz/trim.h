/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trimming a program: candidates that lack a part of it, coarse ones first; each that does the same takes its place. */
#ifndef SUNDER_FUZZ_TRIM_H
#define SUNDER_FUZZ_TRIM_H

#include <stdbool.h>

#include "plan/program.h"

struct trim {
	struct program now, candidate;
	unsigned int stage, at; /* where it is: a lane, or an op of all lanes in order */
};

void trim_begin(struct trim *t, const unsigned char *data, size_t len);

/* The next candidate, in t->candidate. False: there is none any more. */
bool trim_next(struct trim *t);

/* Whether the last candidate did the same as the program. */
void trim_judge(struct trim *t, bool same);

/* Most candidates that are still to come. */
unsigned int trim_left(const struct trim *t);

#endif
