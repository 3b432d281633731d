/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One time base for lanes and supervisor: the CPU's own counter where it is invariant and the same on all
 * CPUs (x86 TSC when the kernel itself uses it as clocksource, arm64 CNTVCT), else CLOCK_MONOTONIC_RAW.
 */
#ifndef SUNDER_BASE_CLOCK_H
#define SUNDER_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Chooses and calibrates (about 10 ms). Once a process tree, before lanes fork: children inherit it. */
void clock_setup(void);

/* "tsc", "cntvct" or "clock_gettime". */
const char *clock_source(void);

extern bool clock_use_counter;
extern double clock_ns_per_tick;

static inline uint64_t clock_raw_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* Ticks of the time base; ordered after earlier loads (rdtscp / isb). */
static inline uint64_t clock_ticks(void)
{
#if defined(__x86_64__)
	if (clock_use_counter) {
		uint32_t lo, hi, aux;

		__asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(aux)::"memory");
		return ((uint64_t)hi << 32) | lo;
	}
#elif defined(__aarch64__)
	if (clock_use_counter) {
		uint64_t v;

		__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(v)::"memory");
		return v;
	}
#endif
	return clock_raw_ns();
}

static inline uint64_t clock_to_ns(uint64_t ticks)
{
	return clock_use_counter ? (uint64_t)((double)ticks * clock_ns_per_tick) : ticks;
}

static inline uint64_t clock_from_ns(uint64_t ns)
{
	return clock_use_counter ? (uint64_t)((double)ns / clock_ns_per_tick) : ns;
}

static inline void clock_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

/* Spins, without a system call. */
static inline void clock_spin_until(uint64_t ticks)
{
	while (clock_ticks() < ticks)
		clock_relax();
}

#endif
