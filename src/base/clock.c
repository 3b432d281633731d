/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"
#include "base/path.h"

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

bool clock_use_counter;
double clock_ns_per_tick = 1.0;

#if defined(__x86_64__)
static bool counter_usable(void)
{
	unsigned int a, b, c, d;
	char text[64];

	if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !(d & (1u << 27)))
		return false; /* no RDTSCP */
	/* The kernel's own verdict: it watches the TSCs of all CPUs and drops an unstable one. */
	return path_read("/sys/devices/system/clocksource/clocksource0/available_clocksource", text,
		       sizeof(text)) > 0 &&
	       strstr(text, "tsc");
}
#elif defined(__aarch64__)
static bool counter_usable(void)
{
	return true; /* CNTVCT is architected: constant rate, one for all CPUs. */
}
#else
static bool counter_usable(void)
{
	return false;
}
#endif

void clock_setup(void)
{
	uint64_t ns0, ns1, t0, t1;

	clock_use_counter = counter_usable();
	if (!clock_use_counter)
		return;
	ns0 = clock_raw_ns();
	t0 = clock_ticks();
	do {
		ns1 = clock_raw_ns();
	} while (ns1 - ns0 < 10000000);
	t1 = clock_ticks();
	if (t1 <= t0) {
		clock_use_counter = false;
		return;
	}
	clock_ns_per_tick = (double)(ns1 - ns0) / (double)(t1 - t0);
}

const char *clock_source(void)
{
	if (!clock_use_counter)
		return "clock_gettime";
#if defined(__aarch64__)
	return "cntvct";
#else
	return "tsc";
#endif
}
