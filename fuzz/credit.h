/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what runs show to a map that afl-fuzz can rely on. Kernels are noisy: the same program shows this today and that tomorrow, and
 * a place that differs between repeats is lost to afl-fuzz for good. So a program that shows something new runs a few times
 * more, and each place is one of three:
 *
 *	exact	all repeats agree: its class goes into the map
 *	loose	they agree that it is there: it goes in without its class
 *	noisy	they do not agree: it goes in only for the program that was first to show it (that has the credit), then always
 *
 * A place only ever sinks from one to the next. So a rare interleaving is rewarded once, and repeats of its program say the same.
 */
#ifndef SUNDER_FUZZ_CREDIT_H
#define SUNDER_FUZZ_CREDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "marks.h"

struct credit;

struct credit *credit_new(void); /* NULL: no memory */
void credit_free(struct credit *c);

/* Begins an input. Its marks follow. */
void credit_begin(struct credit *c, const unsigned char *data, size_t len);

/* A run of it. True if it showed something that no input has: then some more runs are wanted. */
bool credit_run(struct credit *c, const struct marks *m);

/* No more runs: fills the map ([MAP_SIZE], zero before). */
void credit_end(struct credit *c, unsigned char *map);

/* In place of credit_end(): the input has not run, or is told of in another way. */
void credit_drop(struct credit *c);

struct credit_counts {
	uint32_t seen, noisy; /* places of a layer */
};
struct credit_counts credit_counts(const struct credit *c, enum layer l);

#endif
