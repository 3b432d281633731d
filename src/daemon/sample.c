/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sample.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "plan/number.h"

enum { TEXT_MAX = 1 << 16, CPUS_MAX = 4096 };

/* ---- nodes ---- */

static int by_id(const void *a, const void *b)
{
	return ((const struct sample_node *)a)->id - ((const struct sample_node *)b)->id;
}

static void list_nodes(struct sample *s)
{
	char path[PATH_MAX];
	struct dirent *e;
	_cleanup_closedir_ DIR *d = NULL;

	s->nnodes = 0;
	if (path_real("/sys/devices/system/node", path, sizeof(path)) < 0 || !(d = opendir(path)))
		return;
	while ((e = readdir(d)) && s->nnodes < SAMPLE_MAX_NODES) {
		int id, used = 0;

		if (sscanf(e->d_name, "node%d%n", &id, &used) == 1 && !e->d_name[used])
			s->node[s->nnodes++] = (struct sample_node){.id = id};
	}
	qsort(s->node, s->nnodes, sizeof(s->node[0]), by_id);
}

/* "Node 0 MemTotal:  1234 kB" and the like. */
static void read_meminfo(struct sample_node *n, char *text)
{
	const struct {
		const char *key;
		uint64_t *at;
		uint64_t unit;
	} keys[] = {{"MemTotal", &n->total, 1024}, {"MemFree", &n->free, 1024},
		{"AnonHugePages", &n->anon_huge, 1024}, {"ShmemHugePages", &n->shmem_huge, 1024},
		{"FileHugePages", &n->file_huge, 1024}, {"HugePages_Total", &n->huge_total, 1},
		{"HugePages_Free", &n->huge_free, 1}};
	char *line, key[32];
	uint64_t v;

	while ((line = strsep(&text, "\n")))
		if (sscanf(line, "Node %*d %31[^:]: %" SCNu64, key, &v) == 2)
			for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
				if (strcmp(keys[i].key, key) == 0)
					*keys[i].at = v * keys[i].unit;
}

static void read_node(
	struct sample_node *n, char *text, uint16_t cpu_node[CPUS_MAX], unsigned int at)
{
	static bool set[CPUS_MAX];
	char path[96], key[32], *line, *cursor = text;
	uint64_t v;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", n->id);
	if (path_read(path, text, TEXT_MAX) > 0)
		read_meminfo(n, text);
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/numastat", n->id);
	if (path_read(path, text, TEXT_MAX) > 0)
		while ((line = strsep(&cursor, "\n")))
			if (sscanf(line, "%31s %" SCNu64, key, &v) == 2 &&
				(strcmp(key, "numa_hit") == 0 || strcmp(key, "numa_miss") == 0))
				n->allocated += v;
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpulist", n->id);
	memset(set, 0, sizeof(set));
	if (path_read(path, text, TEXT_MAX) > 0 && number_parse_list(text, set, CPUS_MAX) == 0)
		for (unsigned int c = 0; c < CPUS_MAX; c++)
			if (set[c])
				cpu_node[c] = (uint16_t)(at + 1);
}

static void read_cpus(struct sample *s, char *text, const uint16_t cpu_node[CPUS_MAX])
{
	char *line;

	if (path_read("/proc/stat", text, TEXT_MAX) <= 0)
		return;
	while ((line = strsep(&text, "\n"))) {
		uint64_t v[8] = {0}, all = 0; /* user nice system idle iowait irq softirq steal */
		unsigned int cpu;
		struct sample_node *n;

		if (sscanf(line,
			    "cpu%u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
			    " %" SCNu64 " %" SCNu64 " %" SCNu64,
			    &cpu, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) < 5 ||
			cpu >= CPUS_MAX || !cpu_node[cpu])
			continue;
		n = &s->node[cpu_node[cpu] - 1];
		for (int i = 0; i < 8; i++)
			all += v[i];
		n->cpu_all += all;
		n->cpu_busy += all - v[3] - v[4];
	}
}

/* ---- the machine ---- */

static void read_pools(struct sample *s)
{
	char path[PATH_MAX];
	struct dirent *e;
	_cleanup_closedir_ DIR *d = NULL;

	s->npools = 0;
	if (path_real("/sys/kernel/mm/hugepages", path, sizeof(path)) < 0 || !(d = opendir(path)))
		return;
	while ((e = readdir(d)) && s->npools < SAMPLE_MAX_POOLS) {
		struct sample_pool *p = &s->pool[s->npools];
		const struct {
			const char *name;
			uint64_t *at;
		} files[] = {{"nr_hugepages", &p->total}, {"free_hugepages", &p->free},
			{"resv_hugepages", &p->reserved}, {"surplus_hugepages", &p->surplus}};
		uint64_t kb;

		if (sscanf(e->d_name, "hugepages-%" SCNu64 "kB", &kb) != 1)
			continue;
		*p = (struct sample_pool){.size = kb * 1024};
		for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
			unsigned long long v;

			snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/%s", e->d_name,
				files[i].name);
			if (path_read_u64(path, &v) == 0)
				*files[i].at = v;
		}
		s->npools++;
	}
}

static void read_vmstat(struct sample *s, char *text)
{
	const struct {
		const char *key;
		uint64_t *at;
	} keys[] = {{"thp_fault_alloc", &s->thp_fault_alloc},
		{"thp_fault_fallback", &s->thp_fault_fallback},
		{"thp_split_page", &s->thp_split_page}, {"thp_split_pmd", &s->thp_split_pmd},
		{"thp_collapse_alloc", &s->thp_collapse_alloc},
		{"thp_deferred_split_page", &s->thp_deferred_split},
		{"pgmigrate_success", &s->migrate_success}, {"pgmigrate_fail", &s->migrate_fail},
		{"thp_migration_success", &s->thp_migration_success},
		{"compact_stall", &s->compact_stall},
		{"htlb_buddy_alloc_success", &s->htlb_alloc_success}};
	char *line, key[48];
	uint64_t v;

	if (path_read("/proc/vmstat", text, TEXT_MAX) <= 0)
		return;
	while ((line = strsep(&text, "\n")))
		if (sscanf(line, "%47s %" SCNu64, key, &v) == 2)
			for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
				if (strcmp(keys[i].key, key) == 0)
					*keys[i].at = v;
}

/* Of this process: not under the root. */
static void read_self(struct sample *s)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/statm", "re");
	_cleanup_closedir_ DIR *d = opendir("/proc/self/fd");
	unsigned long long pages;

	if (f && fscanf(f, "%*u %llu", &pages) == 1)
		s->own_rss = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	while (d && readdir(d))
		s->own_fds++;
	s->own_fds -= s->own_fds > 3 ? 3 : s->own_fds; /* ".", ".." and that of the directory */
}

void sample_read(struct sample *s)
{
	static uint16_t cpu_node[CPUS_MAX]; /* index + 1; 0: of none */
	static char text[TEXT_MAX];
	unsigned long long v = 0;

	memset(s, 0, sizeof(*s));
	memset(cpu_node, 0, sizeof(cpu_node));
	list_nodes(s);
	for (unsigned int i = 0; i < s->nnodes; i++)
		read_node(&s->node[i], text, cpu_node, i);
	read_cpus(s, text, cpu_node);
	read_pools(s);
	read_vmstat(s, text);
	path_read_choice(
		"/sys/kernel/mm/transparent_hugepage/enabled", s->thp_enabled, SAMPLE_WORD_MAX);
	path_read_choice(
		"/sys/kernel/mm/transparent_hugepage/defrag", s->thp_defrag, SAMPLE_WORD_MAX);
	path_read_choice(
		"/sys/kernel/mm/transparent_hugepage/shmem_enabled", s->thp_shmem, SAMPLE_WORD_MAX);
	if (path_read_u64("/proc/sys/kernel/tainted", &v) == 0)
		s->taint = v;
	if (path_read("/proc/loadavg", text, TEXT_MAX) > 0)
		s->load = strtod(text, NULL);
	read_self(s);
}
