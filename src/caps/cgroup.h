/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the memory cgroups around this process leave it. */
#ifndef SUNDER_CAPS_CGROUP_H
#define SUNDER_CAPS_CGROUP_H

#include <stdint.h>

/*
 * Bytes that may still be charged before a limit is hit (page cache that can be dropped counts as
 * free), over all cgroups from this process's up to the root, version 2 or 1. UINT64_MAX: no limit,
 * or none that can be seen.
 */
uint64_t cgroup_memory_left(void);

#endif
