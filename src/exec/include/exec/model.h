/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long ops take here and now: a histogram of each op, size of its range, backing and result, in the crew's shared memory.
 * Lanes add to it after each round and never stop; old times fade. Many write without a lock: an update may get lost, which
 * a histogram does not mind.
 */
#ifndef SUNDER_EXEC_MODEL_H
#define SUNDER_EXEC_MODEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "op/op.h"

/* Four buckets for each power of two: values are right to an eighth. */
enum { BUCKETS = 128 };

unsigned int bucket_of(uint64_t ns);
uint64_t bucket_middle(unsigned int bucket); /* ns */

/* A histogram of a whole run. One writer at a time. */
struct histogram {
	_Atomic uint32_t n[BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);
/* The value below which `permille` of a thousand lie; 0 if it is empty. n: sums of histograms, or one. */
uint64_t buckets_quantile(const uint64_t n[BUCKETS], unsigned int permille);

/* One whose past fades: what counts are about the last few hundred values. */
struct sketch {
	_Atomic uint16_t n[BUCKETS];
	_Atomic uint32_t total;
};

void sketch_add(struct sketch *s, uint64_t ns);
uint64_t sketch_quantile(const struct sketch *s, unsigned int permille); /* 0: empty */

enum model_size {
	MODEL_NO_RANGE,
	MODEL_PAGE,
	MODEL_PART, /* of a huge page */
	MODEL_HUGE,
	MODEL_HUGES,
	MODEL_SLOT, /* all of it */
	MODEL_SIZES
};
const char *model_size_name(enum model_size s);

struct model_key {
	uint8_t op, size, backing;
};

struct model {
	struct sketch of[OP_NUMBERS][BACKING_COUNT][MODEL_SIZES][2]; /* last: succeeded, failed */
	struct sketch any[OP_NUMBERS]; /* for keys that were never seen */
};

struct model_key model_key(const struct op_env *e, const struct op_call *c);
void model_add(struct model *m, struct model_key k, bool failed, uint64_t ns);

/* What the op will probably take, in ns: the median of its more frequent result; 0: never seen. */
uint64_t model_guess(const struct model *m, struct model_key k);

#endif
