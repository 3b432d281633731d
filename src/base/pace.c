/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/pace.h"

#include "base/clock.h"

enum { STEPS = 50000, TRIES = 40 };
enum { WORK_NS = 50000000, MOST_NS = 1000000000 };

static uint64_t best_ns; /* 0: not measured */

static uint64_t work(void)
{
	uint64_t start = clock_raw_ns(), x = start | 1;

	for (unsigned int i = 0; i < STEPS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		__asm__ volatile("" : "+r"(x)); /* done, although nobody wants the result */
	}
	return clock_raw_ns() - start;
}

void pace_setup(void)
{
	uint64_t best = UINT64_MAX;

	for (unsigned int i = 0; i < TRIES; i++) {
		uint64_t ns = work();

		best = ns < best ? ns : best;
	}
	best_ns = best;
}

double pace_stretch_of(uint64_t best, uint64_t n, uint64_t ns)
{
	double stretch = best && n ? (double)ns / (double)best / (double)n / PACE_ROOM : 1;

	return stretch < 1 ? 1 : stretch > PACE_MOST ? PACE_MOST : stretch;
}

double pace_stretch(void)
{
	uint64_t n = 0, start = clock_raw_ns(), now = start;

	while (best_ns && n * best_ns < WORK_NS && now - start < MOST_NS) {
		work();
		n++;
		now = clock_raw_ns();
	}
	return pace_stretch_of(best_ns, n, now - start);
}
