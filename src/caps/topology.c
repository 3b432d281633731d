/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysfs says which nodes there are and what they hold; libnuma, whether the NUMA system calls work
 * at all and which nodes our cpuset allows. Under a path root, the captured /proc/self/status
 * stands for the system calls.
 */
#include "topology.h"

#include "id_list.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <errno.h>
#include <limits.h>
#include <numa.h>
#include <sched.h>
#include <string.h>

#define CPU_DIR "/sys/devices/system/cpu/"
#define NODE_DIR "/sys/devices/system/node/"

/* CPU ids that the kernel can have at most (64-bit distributions stop at 8192). */
enum { CPU_IDS = 65536 };

/* Everything that is by id, while it is collected. */
struct by_id {
	bool node[MACHINE_MAX_NODES], memory[MACHINE_MAX_NODES], allowed[MACHINE_MAX_NODES];
	bool cpu[MACHINE_MAX_CPUS], list[MACHINE_MAX_CPUS];
	int cpu_node[MACHINE_MAX_CPUS];
};

bool meminfo_find(const char *text, const char *key, uint64_t *ret)
{
	unsigned long long kib;
	const char *at = text;

	while ((at = strstr(at, key))) {
		if ((at == text || at[-1] == '\n' || at[-1] == ' ') &&
			sscanf(at + strlen(key), "%llu", &kib) == 1) {
			*ret = kib * 1024;
			return true;
		}
		at += strlen(key);
	}
	return false;
}

/* A list in /proc/self/status, such as "Mems_allowed_list:". */
/* libnuma's own would print; what fails here is told by the probes (numa(3): programs may replace it). */
void numa_error(char *where)
{
	(void)where;
}

static int status_list(const char *key, bool *set, int n)
{
	char text[65536], *at, *end;

	if (path_read("/proc/self/status", text, sizeof(text)) < 0)
		return -ENOENT;
	at = strstr(text, key);
	if (!at)
		return -ENOENT;
	at += strlen(key);
	at += strspn(at, " \t");
	end = strchr(at, '\n');
	if (end)
		*end = '\0';
	return id_list_parse(at, set, n);
}

static bool captured(void)
{
	return *path_root() != '\0';
}

static void find_allowed_nodes(struct by_id *b)
{
	struct bitmask *mems;

	if (captured()) {
		if (status_list("Mems_allowed_list:", b->allowed, MACHINE_MAX_NODES) <= 0)
			memset(b->allowed, true, sizeof(b->allowed));
		return;
	}
	mems = numa_get_mems_allowed();
	for (unsigned int i = 0; mems && i < mems->size && i < MACHINE_MAX_NODES; i++)
		b->allowed[i] = numa_bitmask_isbitset(mems, i);
	if (mems)
		numa_bitmask_free(mems);
}

static void find_affinity(struct by_id *b)
{
	size_t size = CPU_ALLOC_SIZE(CPU_IDS);
	cpu_set_t *set;

	if (captured()) {
		if (status_list("Cpus_allowed_list:", b->cpu, MACHINE_MAX_CPUS) <= 0)
			b->cpu[0] = true;
		return;
	}
	set = CPU_ALLOC(CPU_IDS);
	if (set && sched_getaffinity(0, size, set) == 0) {
		for (int i = 0; i < MACHINE_MAX_CPUS; i++)
			b->cpu[i] = CPU_ISSET_S(i, size, set);
	} else {
		b->cpu[0] = true;
	}
	CPU_FREE(set);
}

/* One machine-wide node: no NUMA in this kernel, or its system calls are kept from us. */
static void one_node(struct by_id *b)
{
	memset(b->node, 0, sizeof(b->node));
	memset(b->memory, 0, sizeof(b->memory));
	b->node[0] = b->memory[0] = b->allowed[0] = true;
	for (int i = 0; i < MACHINE_MAX_CPUS; i++)
		b->cpu_node[i] = 0;
}

static void find_nodes(struct by_id *b)
{
	char path[PATH_MAX];
	bool usable = captured() || numa_available() >= 0;

	for (int i = 0; i < MACHINE_MAX_CPUS; i++)
		b->cpu_node[i] = -1;
	if (!usable || id_list_read(NODE_DIR "online", b->node, MACHINE_MAX_NODES) <= 0) {
		one_node(b);
		return;
	}
	if (id_list_read(NODE_DIR "has_memory", b->memory, MACHINE_MAX_NODES) < 0 &&
		id_list_read(NODE_DIR "has_normal_memory", b->memory, MACHINE_MAX_NODES) < 0)
		memcpy(b->memory, b->node, sizeof(b->memory));
	find_allowed_nodes(b);
	for (int node = 0; node < MACHINE_MAX_NODES; node++) {
		snprintf(path, sizeof(path), NODE_DIR "node%d/cpulist", node);
		if (!b->node[node] || id_list_read(path, b->list, MACHINE_MAX_CPUS) <= 0)
			continue;
		for (int cpu = 0; cpu < MACHINE_MAX_CPUS; cpu++)
			if (b->list[cpu])
				b->cpu_node[cpu] = node;
	}
}

static uint64_t node_memory(int id)
{
	char path[PATH_MAX], text[8192];
	uint64_t bytes = 0;

	snprintf(path, sizeof(path), NODE_DIR "node%d/meminfo", id);
	if (path_read(path, text, sizeof(text)) < 0)
		return 0;
	return meminfo_find(text, "MemTotal:", &bytes) ? bytes : 0;
}

static bool node_has_cpu(const struct by_id *b, int id)
{
	for (int i = 0; i < MACHINE_MAX_CPUS; i++)
		if (b->cpu_node[i] == id)
			return true;
	return false;
}

static void put_nodes(struct machine *m, const struct by_id *b)
{
	for (int id = 0; id < MACHINE_MAX_NODES; id++) {
		struct machine_node *n = &m->node[m->nnodes];

		if (!b->node[id])
			continue;
		n->id = id;
		n->has_memory = b->memory[id];
		n->has_cpu = node_has_cpu(b, id);
		n->mem_total = node_memory(id);
		m->nnodes++;
		if (b->memory[id] && b->allowed[id])
			m->mem_node[m->nmem_nodes++] = id;
	}
	if (m->nnodes == 1 && m->node[0].mem_total == 0)
		m->node[0].mem_total = m->mem_total;
	/* Whatever the files say, the memory that we run in is on some node. */
	if (m->nmem_nodes == 0)
		m->mem_node[m->nmem_nodes++] = m->node[0].id;
}

/* The lowest CPU that shares a core with this one: itself where the kernel does not tell. */
static int core_of(int cpu, bool *list)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), CPU_DIR "cpu%d/topology/thread_siblings_list", cpu);
	if (id_list_read(path, list, MACHINE_MAX_CPUS) <= 0)
		return cpu;
	for (int i = 0; i < cpu; i++)
		if (list[i])
			return i;
	return cpu;
}

static void put_cpus(struct machine *m, struct by_id *b)
{
	for (int id = 0; id < MACHINE_MAX_CPUS; id++) {
		if (!b->cpu[id])
			continue;
		m->cpu[m->ncpus] = id;
		m->cpu_node[m->ncpus] = b->cpu_node[id] >= 0 ? b->cpu_node[id] : m->node[0].id;
		m->cpu_core[m->ncpus] = core_of(id, b->list);
		m->ncpus++;
	}
}

int topology_probe(struct machine *m)
{
	_cleanup_free_ struct by_id *b = calloc(1, sizeof(*b));

	m->node = calloc(MACHINE_MAX_NODES, sizeof(*m->node));
	m->mem_node = calloc(MACHINE_MAX_NODES, sizeof(*m->mem_node));
	m->cpu = calloc(MACHINE_MAX_CPUS, sizeof(*m->cpu));
	m->cpu_node = calloc(MACHINE_MAX_CPUS, sizeof(*m->cpu_node));
	m->cpu_core = calloc(MACHINE_MAX_CPUS, sizeof(*m->cpu_core));
	if (!b || !m->node || !m->mem_node || !m->cpu || !m->cpu_node || !m->cpu_core)
		return -ENOMEM;
	find_nodes(b);
	find_affinity(b);
	put_nodes(m, b);
	put_cpus(m, b);
	return 0;
}
