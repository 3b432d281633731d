/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "oracle/oracle.h"
#include "sys/ledger.h"

/* After these a kernel is not to be trusted before it boots again; by bit number (oracle/taint.c). */
static const struct {
	unsigned int bit;
	const char *what;
} sick[] = {
	{7, "the kernel has oopsed"},
	{5, "the kernel has seen a bad page"},
	{4, "the processor has reported a machine check"},
	{14, "the kernel has seen a soft lockup"},
};

static const char *kernel_is_sick(void)
{
	uint64_t taint;

	if (taint_read(&taint) < 0)
		return "/proc/sys/kernel/tainted cannot be read: is /proc mounted?";
	for (size_t i = 0; i < ARRAY_SIZE(sick); i++)
		if (taint >> sick[i].bit & 1)
			return sick[i].what;
	return NULL;
}

int health_check(const struct machine *m, const enum cap *needs, size_t n, const char *state,
	char *text, size_t size)
{
	const char *why = kernel_is_sick();
	int left = ledger_left(state);

	if (why) {
		snprintf(text, size, "%s; reboot it", why);
		return 1;
	}
	if (left > 0) {
		snprintf(text, size, "a killed run's changes are not undone; run 'sunder restore'");
		return 1;
	}
	if (left < 0) {
		snprintf(text, size, "%s/ledger: %s", state, strerror(-left));
		return 1;
	}
	for (size_t i = 0; i < n; i++) {
		why = caps_missing(needs[i]);
		if (why) {
			snprintf(text, size, "no %s: %s", caps_name(needs[i]), why);
			return 1;
		}
	}
	snprintf(text, size, "%d CPU%s, %d node%s with memory, %llu MiB available", m->ncpus,
		m->ncpus == 1 ? "" : "s", m->nmem_nodes, m->nmem_nodes == 1 ? "" : "s",
		(unsigned long long)m->mem_available >> 20);
	return 0;
}
