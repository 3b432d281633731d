/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What AFL says of an instance, and what of its map was reached. */
#ifndef SUNDER_MAIN_FIGURES_H
#define SUNDER_MAIN_FIGURES_H

#include <stdbool.h>
#include <stdint.h>

#include "regions.h"

struct figures {
	bool there; /* it has said something */
	double run_s; /* that AFL has worked */
	double stability; /* per cent; < 0: not known yet */
	uint64_t execs, corpus, edges, crashes, hangs, cycles, pending;
	/* Of the harness that runs now: what it has seen of each layer, told to AFL or not; places of the functions of mm. */
	uint64_t seen[LAYER_COUNT], places;
	double op_share; /* of the time of test cases that ops took; < 0: not known */
};

/* Parts of the map that were ever reached, over all instances and all their lives. */
struct reached {
	unsigned char *map; /* [size] 1: reached; owned */
	uint32_t size; /* 0: nothing is known */
	uint32_t layer[LAYER_COUNT]; /* bytes of the map; zero if it is not of this harness */
	uint32_t all;
};

/* dir: AFL's directory of the instance; stats: the harness's file. What is not there leaves *ret as it was. */
void figures_read(const char *dir, const char *stats, struct figures *ret);

/* Joins DIR/fuzz_bitmap. True if there was something new. */
bool reached_join(struct reached *r, const char *dir);

/* A file that has the map as it was. 0 or -errno; none is fine. */
int reached_load(struct reached *r, const char *path);
int reached_save(const struct reached *r, const char *path);
void reached_free(struct reached *r);

#endif
