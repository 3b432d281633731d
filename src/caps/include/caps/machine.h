/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this machine is: page sizes, hugetlb pools, NUMA nodes, CPUs. Read once, from the system,
 * never assumed.
 */
#ifndef SUNDER_CAPS_MACHINE_H
#define SUNDER_CAPS_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

enum { MACHINE_MAX_NODES = 1024, MACHINE_MAX_CPUS = 4096, MACHINE_MAX_HSTATES = 8 };

struct machine_node {
	int id; /* as the kernel numbers it: ids may be sparse */
	bool has_memory, has_cpu;
	uint64_t mem_total; /* bytes */
};

struct machine_hstate {
	uint64_t size; /* bytes of one huge page */
};

struct machine {
	uint64_t page_size, pmd_size, pud_size; /* bytes; pmd_size also where THP is off */
	uint64_t mem_total; /* bytes, of /proc/meminfo */
	uint64_t mem_available; /* the same at probe time; less where memory cgroups leave less */
	struct machine_node *node; /* all online nodes, ascending id */
	int nnodes;
	int *mem_node; /* ids of the nodes with memory that this process may use */
	int nmem_nodes;
	int *cpu; /* CPUs that this process may run on, ascending */
	int *cpu_node; /* node id of cpu[i] */
	int *cpu_core; /* lowest CPU on the same core as cpu[i]; NULL: each is its own */
	int ncpus;
	struct machine_hstate hstate[MACHINE_MAX_HSTATES];
	int nhstates;
	char kernel[128]; /* uname release */
	char boot_id[40];
	bool is_root; /* effective uid 0 */
};

/*
 * Fills *m, which machine_free() releases. Nodes as sysfs shows them, their use as libnuma allows
 * it, CPUs through sched_getaffinity. Where NUMA calls are missing or filtered: one node 0. There
 * is always a node, a node with memory and a CPU. 0 or -errno.
 */
int machine_probe(struct machine *m);
void machine_free(struct machine *m);

/* True if a node with this id is online. */
bool machine_has_node(const struct machine *m, int id);

/*
 * Pages of a hugetlb pool, of the whole machine (node -1) or one node; name is nr_hugepages,
 * free_hugepages, surplus_hugepages or resv_hugepages (the last only for node -1). 0 or -errno.
 */
int machine_pool(uint64_t size, int node, const char *name, unsigned long long *ret);

/* The sysfs path of that file, for the ledger. 0 or -ENAMETOOLONG. */
int machine_pool_path(
	uint64_t size, int node, const char *name, char *buf, unsigned long size_of_buf);

#endif
