/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Seeded randomness: xoshiro256** streams. All chance in a run comes from the plan's seed through
 * rng_init(), so that the same seed gives the same programs. Streams are plain values: copy to fork.
 */
#ifndef SUNDER_BASE_RNG_H
#define SUNDER_BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

/* Stream number (a, b, c) of a seed; different numbers give independent streams. */
void rng_init(struct rng *r, uint64_t seed, uint64_t a, uint64_t b, uint64_t c);

uint64_t rng_next(struct rng *r);

/* Uniform in 0..n-1; 0 for n = 0. */
uint64_t rng_below(struct rng *r, uint64_t n);

/* Log-uniform in 0..max: every power of two is as likely as the next. */
uint64_t rng_log(struct rng *r, uint64_t max);

/* A seed for a run for which the user named none: from getrandom(2), never 0. */
uint64_t rng_fresh_seed(void);

#endif
