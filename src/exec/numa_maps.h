/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line of /proc/PID/numa_maps (fs/proc/task_mmu.c, show_numa_map). Private to exec. */
#ifndef SUNDER_EXEC_NUMA_MAPS_H
#define SUNDER_EXEC_NUMA_MAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "caps/machine.h"

struct numa_vma {
	uintptr_t start;
	uint64_t page_kb; /* what it counts in; 0: nothing is mapped */
	uint64_t node[MACHINE_MAX_NODES]; /* pages by node id */
	uint64_t pages; /* their sum */
};

/* False: no such line. The line is written into. */
bool numa_maps_line(char *line, struct numa_vma *ret);

#endif
