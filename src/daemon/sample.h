/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells about huge pages, nodes and itself, read once a second under the path root. */
#ifndef SUNDER_DAEMON_SAMPLE_H
#define SUNDER_DAEMON_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

enum { SAMPLE_MAX_NODES = 64, SAMPLE_MAX_POOLS = 8, SAMPLE_WORD_MAX = 32 };

struct sample_pool {
	uint64_t size, total, free, reserved, surplus; /* bytes, then pages */
};

struct sample_node {
	int id;
	uint64_t total, free, anon_huge, shmem_huge, file_huge; /* bytes */
	uint64_t huge_total, huge_free; /* hugetlb pages of the default size */
	uint64_t allocated; /* pages, since boot: numa_hit and numa_miss of numastat */
	uint64_t cpu_busy, cpu_all; /* ticks since boot */
};

struct sample {
	unsigned int nnodes, npools;
	struct sample_node node[SAMPLE_MAX_NODES];
	struct sample_pool pool[SAMPLE_MAX_POOLS];
	char thp_enabled[SAMPLE_WORD_MAX], thp_defrag[SAMPLE_WORD_MAX], thp_shmem[SAMPLE_WORD_MAX];
	uint64_t thp_fault_alloc, thp_fault_fallback, thp_split_page, thp_split_pmd,
		thp_collapse_alloc, thp_deferred_split, migrate_success, migrate_fail,
		thp_migration_success, compact_stall,
		htlb_alloc_success; /* /proc/vmstat, since boot */
	uint64_t taint;
	double load;
	uint64_t own_rss, own_fds;
};

/* Nodes beyond SAMPLE_MAX_NODES are left out; what cannot be read is 0. */
void sample_read(struct sample *s);

#endif
