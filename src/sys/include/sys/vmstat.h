/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of /proc/vmstat (mm/vmstat.c). */
#ifndef SUNDER_SYS_VMSTAT_H
#define SUNDER_SYS_VMSTAT_H

#include <stdint.h>

/* The sum of the counters with these names; the list ends with NULL. What this kernel does not count adds nothing. */
uint64_t vmstat_sum(const char *const *names);

#endif
