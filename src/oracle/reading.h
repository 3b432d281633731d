/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One reading of the machine's counters, and of who else moves them. Plain data: a look hands it to the supervisor. */
#ifndef SUNDER_ORACLE_READING_H
#define SUNDER_ORACLE_READING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "caps/machine.h"

enum { READING_NODES = 64, READING_DEVICES = 32 };

/* ---- others ---- */

/*
 * Processes that are not ours. Light: what /proc/PID/status tells. Full: also who maps hugetlb memory without using it yet, and
 * who holds hugetlb objects open; as root only.
 */
struct others {
	bool whole; /* every process of the machine could be seen */
	uint64_t locked_kb, tables_kb, hugetlb_kb; /* VmLck; VmPTE, ours too; HugetlbPages */
	bool users_asked, full; /* it was asked for; it could be seen */
	uint64_t users; /* hash of who maps or holds hugetlb memory, and how much of it */
	unsigned int nusers;
	char name[64]; /* one of them */
};

/* Devices of hugetlb files: of this process's mounts and of the kernel's own, which memfds and private mappings are on. */
struct hugetlb_devices {
	dev_t dev[READING_DEVICES];
	unsigned int n;
};
void hugetlb_devices_find(const struct machine *m, struct hugetlb_devices *ret);

/* supervisor: this process and all that descend from it are ours. */
void others_read(pid_t supervisor, const struct hugetlb_devices *d, bool full, struct others *ret);

/* ---- counters ---- */

enum pool_value { POOL_NR, POOL_FREE, POOL_SURPLUS, POOL_RESV, POOL_OVERCOMMIT, POOL_VALUES };
enum { POOL_NODE_VALUES = POOL_RESV }; /* those that nodes have, too */

struct pool_reading {
	uint64_t size; /* bytes of a page */
	bool known; /* all files could be read */
	int64_t value[POOL_VALUES];
	bool sums_known;
	int64_t sum[POOL_NODE_VALUES]; /* over the nodes */
	int bad_node; /* has more free or surplus pages than pages, or a negative number; -1: none */
	int64_t bad[POOL_NODE_VALUES]; /* its values */
	int64_t charged, charged_rsvd; /* bytes, in this process's cgroup; -1: no such controller */
};

enum gauge {
	GAUGE_ISOLATED_ANON,
	GAUGE_ISOLATED_FILE,
	GAUGE_MLOCKED,
	GAUGE_UNEVICTABLE,
	GAUGE_ANON, /* mapped anonymous pages */
	GAUGE_ANON_HUGE, /* pages of PMD-mapped ones */
	GAUGE_SHMEM,
	GAUGE_SHMEM_HUGE,
	GAUGE_SHMEM_PMD,
	GAUGE_FILE, /* page cache with shmem and swap cache */
	GAUGE_FILE_HUGE,
	GAUGE_FILE_PMD,
	GAUGE_TABLES,
	GAUGE_COUNT
};
const char *gauge_name(enum gauge g);

struct reading {
	unsigned int npools;
	struct pool_reading pool[MACHINE_MAX_HSTATES];
	int64_t gauge[GAUGE_COUNT]; /* base pages of the whole machine; -1: not told here */
	unsigned int nnodes;
	int node[READING_NODES];
	/* Base pages of each node. Of no list: neither free nor in use by anything that the kernel counts. */
	int64_t lost[READING_NODES];
	/* On LRU lists, but neither in the page cache nor anonymous memory of a process. */
	int64_t stray[READING_NODES];
	uint64_t edac_corrected, edac_uncorrected, exceptions, corrupted;
};

void reading_pools(const struct machine *m, bool nodes, struct reading *ret);
void reading_gauges(const struct machine *m, struct reading *ret);
void reading_nodes(const struct machine *m, struct reading *ret);
void reading_hardware(struct reading *ret);

/* Pages that are mlocked. */
struct mlocked {
	bool known; /* all of the machine's could be looked at in time; as root only */
	int64_t pages;
	int64_t nowhere; /* those of them that no process maps, and that are not in the swap cache */
};

/* Goes through /proc/kpageflags, for limit_ns at most: it takes about 50 ns a page. */
void reading_mlocked(uint64_t limit_ns, struct mlocked *ret);

/* The number after `name` at the start of a line of text ("MemFree:" or "Node 0 MemFree:"); 0 or -ENOENT. */
int reading_number(const char *text, const char *name, uint64_t *ret);

/* ---- a close look ---- */

struct look {
	struct reading r; /* the last pass */
	struct others others;
	bool others_steady; /* the same before and after */
	unsigned int passes;
	unsigned int same; /* passes in a row, the last among them, that read the same pools */
	bool gauge_steady[GAUGE_COUNT]; /* the same in all passes */
	struct mlocked mlocked; /* known only where GAUGE_MLOCKED was off */
};

#endif
