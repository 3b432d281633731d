/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reading.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/path.h"

enum { MEMINFO_MAX = 8192, VMSTAT_MAX = 32768, ZONEINFO_MAX = 1 << 20 };

/* ---- text ---- */

int reading_number(const char *text, const char *name, uint64_t *ret)
{
	size_t len = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		char *end;

		line += *line == '\n';
		if (strncmp(line, name, len) != 0)
			continue;
		*ret = strtoull(line + len, &end, 10);
		return end > line + len ? 0 : -ENOENT;
	}
	return -ENOENT;
}

/* ---- pools ---- */

static const char *const pool_files[POOL_VALUES] = {
	[POOL_NR] = "nr_hugepages",
	[POOL_FREE] = "free_hugepages",
	[POOL_SURPLUS] = "surplus_hugepages",
	[POOL_RESV] = "resv_hugepages",
	[POOL_OVERCOMMIT] = "nr_overcommit_hugepages",
};

static bool read_pool(uint64_t size, int node, unsigned int n, int64_t value[])
{
	for (unsigned int i = 0; i < n; i++) {
		unsigned long long v;

		if (machine_pool(size, node, pool_files[i], &v) < 0)
			return false;
		value[i] = (int64_t)v; /* what went below 0 is negative again */
	}
	return true;
}

static void read_sums(const struct machine *m, struct pool_reading *p)
{
	p->sums_known = m->nnodes > 0;
	memset(p->sum, 0, sizeof(p->sum));
	for (int i = 0; i < m->nnodes; i++) {
		int64_t value[POOL_NODE_VALUES];

		if (!read_pool(p->size, m->node[i].id, POOL_NODE_VALUES, value)) {
			p->sums_known = false; /* a node that went away, or a captured machine */
			return;
		}
		for (unsigned int k = 0; k < POOL_NODE_VALUES; k++)
			p->sum[k] += value[k];
		if (value[POOL_NR] < 0 || value[POOL_FREE] < 0 || value[POOL_SURPLUS] < 0 ||
			value[POOL_FREE] > value[POOL_NR] || value[POOL_SURPLUS] > value[POOL_NR]) {
			p->bad_node = m->node[i].id;
			memcpy(p->bad, value, sizeof(value));
		}
	}
}

/* Of cgroup version 2: the path after "0::". */
static bool own_cgroup(char *buf, size_t size)
{
	char text[8192], *at;

	if (path_read("/proc/self/cgroup", text, sizeof(text)) < 0)
		return false;
	at = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (!at)
		return false;
	at = strchr(at, '/');
	if (!at)
		return false;
	snprintf(buf, size, "%.*s", (int)strcspn(at, "\n"), at);
	return true;
}

static void read_charges(struct pool_reading *p)
{
	static const char *const files[] = {"current", "rsvd.current"};
	char group[1024], path[PATH_MAX], unit[32];
	uint64_t kb = p->size >> 10;
	unsigned long long v;
	int64_t got[2] = {-1, -1};

	/* As the controller names them (hugetlb_cgroup_file_init(), mem_fmt()). */
	if (kb >= 1 << 20)
		snprintf(unit, sizeof(unit), "%" PRIu64 "GB", kb >> 20);
	else if (kb >= 1 << 10)
		snprintf(unit, sizeof(unit), "%" PRIu64 "MB", kb >> 10);
	else
		snprintf(unit, sizeof(unit), "%" PRIu64 "KB", kb);
	for (size_t i = 0; i < 2 && own_cgroup(group, sizeof(group)); i++)
		if (snprintf(path, sizeof(path), "/sys/fs/cgroup%s/hugetlb.%s.%s", group, unit,
			    files[i]) < (int)sizeof(path) &&
			path_read_u64(path, &v) == 0)
			got[i] = (int64_t)v;
	p->charged = got[0];
	p->charged_rsvd = got[1];
}

void reading_pools(const struct machine *m, bool nodes, struct reading *ret)
{
	ret->npools = (unsigned int)m->nhstates;
	for (unsigned int i = 0; i < ret->npools; i++) {
		struct pool_reading *p = &ret->pool[i];

		p->size = m->hstate[i].size;
		p->known = read_pool(p->size, -1, POOL_VALUES, p->value);
		p->sums_known = false;
		p->charged = p->charged_rsvd = -1;
		p->bad_node = -1;
		if (!nodes)
			continue;
		read_sums(m, p);
		read_charges(p);
	}
}

/* ---- gauges ---- */

static const struct {
	const char *name, *file; /* a line of /proc/vmstat (pages) or of /proc/meminfo (kB) */
} gauges[GAUGE_COUNT] = {
	[GAUGE_ISOLATED_ANON] = {"nr_isolated_anon ", "/proc/vmstat"},
	[GAUGE_ISOLATED_FILE] = {"nr_isolated_file ", "/proc/vmstat"},
	[GAUGE_MLOCKED] = {"nr_mlock ", "/proc/vmstat"},
	[GAUGE_UNEVICTABLE] = {"nr_unevictable ", "/proc/vmstat"},
	[GAUGE_ANON] = {"AnonPages:", "/proc/meminfo"},
	[GAUGE_ANON_HUGE] = {"AnonHugePages:", "/proc/meminfo"},
	[GAUGE_SHMEM] = {"Shmem:", "/proc/meminfo"},
	[GAUGE_SHMEM_HUGE] = {"ShmemHugePages:", "/proc/meminfo"},
	[GAUGE_SHMEM_PMD] = {"ShmemPmdMapped:", "/proc/meminfo"},
	[GAUGE_FILE] = {"nr_file_pages ", "/proc/vmstat"},
	[GAUGE_FILE_HUGE] = {"FileHugePages:", "/proc/meminfo"},
	[GAUGE_FILE_PMD] = {"FilePmdMapped:", "/proc/meminfo"},
	[GAUGE_TABLES] = {"PageTables:", "/proc/meminfo"},
};

const char *gauge_name(enum gauge g)
{
	static char name[GAUGE_COUNT][32];

	snprintf(name[g], sizeof(name[g]), "%.*s", (int)strcspn(gauges[g].name, ": "),
		gauges[g].name);
	return name[g];
}

static char *read_whole(const char *path, size_t most)
{
	char *text = malloc(most);

	if (text && path_read(path, text, most) < 0) {
		free(text);
		return NULL;
	}
	return text;
}

void reading_gauges(const struct machine *m, struct reading *ret)
{
	_cleanup_free_ char *meminfo = read_whole("/proc/meminfo", MEMINFO_MAX);
	_cleanup_free_ char *vmstat = read_whole("/proc/vmstat", VMSTAT_MAX);

	for (unsigned int i = 0; i < GAUGE_COUNT; i++) {
		bool kb = strcmp(gauges[i].file, "/proc/meminfo") == 0;
		const char *text = kb ? meminfo : vmstat;
		uint64_t v;

		ret->gauge[i] = -1;
		if (text && reading_number(text, gauges[i].name, &v) == 0)
			ret->gauge[i] = (int64_t)(kb ? v * 1024 / m->page_size : v);
	}
}

/* ---- nodes ---- */

/* Pages on the per-CPU lists of a node's zones: free, but not in MemFree. */
static int64_t on_cpu_lists(const char *zoneinfo, int node)
{
	int64_t pages = 0;
	bool inside = false;
	int n;
	long v;

	for (const char *line = zoneinfo; line && *line;
		line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (sscanf(line, "Node %d, zone", &n) == 1)
			inside = n == node;
		else if (inside && sscanf(line, " count: %ld", &v) == 1)
			pages += v;
	}
	return pages;
}

static int64_t of_node(const char *meminfo, int node, const char *name)
{
	char line[64];
	uint64_t kb;

	snprintf(line, sizeof(line), "Node %d %s:", node, name);
	return reading_number(meminfo, line, &kb) == 0 ? (int64_t)kb : 0;
}

static int64_t sum_of_node(const char *meminfo, int node, const char *const *names)
{
	int64_t sum = 0;

	for (; *names; names++)
		sum += of_node(meminfo, node, *names);
	return sum;
}

static int64_t pools_of_node(const struct machine *m, int node)
{
	int64_t kb = 0;

	for (int i = 0; i < m->nhstates; i++) {
		unsigned long long nr;

		if (machine_pool(m->hstate[i].size, node, "nr_hugepages", &nr) == 0)
			kb += (int64_t)(nr * (m->hstate[i].size >> 10));
	}
	return kb;
}

void reading_nodes(const struct machine *m, struct reading *ret)
{
	static const char *const lru[] = {"Active", "Inactive", "Unevictable", NULL};
	static const char *const owned[] = {
		"MemFree", "Slab", "KernelStack", "PageTables", "SecPageTables", "Bounce", NULL};
	static const char *const cached[] = {"FilePages", "AnonPages", NULL};
	_cleanup_free_ char *zoneinfo = read_whole("/proc/zoneinfo", ZONEINFO_MAX);
	int64_t page_kb = (int64_t)(m->page_size >> 10);

	ret->nnodes = 0;
	for (int i = 0; i < m->nnodes && ret->nnodes < READING_NODES; i++) {
		int node = m->node[i].id;
		_cleanup_free_ char *text = NULL;
		char path[96];
		int64_t lists;

		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
		text = read_whole(path, MEMINFO_MAX);
		if (!text || !zoneinfo || !m->node[i].has_memory)
			continue;
		lists = sum_of_node(text, node, lru);
		ret->node[ret->nnodes] = node;
		ret->lost[ret->nnodes] =
			(of_node(text, node, "MemTotal") - lists - sum_of_node(text, node, owned) -
				pools_of_node(m, node)) /
				page_kb -
			on_cpu_lists(zoneinfo, node);
		ret->stray[ret->nnodes++] = (lists - sum_of_node(text, node, cached)) / page_kb;
	}
}

/* ---- mlocked pages ---- */

/* include/uapi/linux/kernel-page-flags.h, include/linux/kernel-page-flags.h */
#define KPF_MMAP (1ULL << 11)
#define KPF_SWAPCACHE (1ULL << 13)
#define KPF_COMPOUND_TAIL (1ULL << 16)
#define KPF_MLOCKED (1ULL << 33)

/* Before 6.10 tails have flags of their own: a page counts as the head before it does. */
static void count_mlocked(const uint64_t *flags, size_t n, uint64_t *head, struct mlocked *m)
{
	for (size_t i = 0; i < n; i++) {
		if (!(flags[i] & KPF_COMPOUND_TAIL))
			*head = flags[i];
		if (!(*head & KPF_MLOCKED))
			continue;
		m->pages++;
		m->nowhere += !(*head & (KPF_MMAP | KPF_SWAPCACHE));
	}
}

void reading_mlocked(uint64_t limit_ns, struct mlocked *ret)
{
	static uint64_t flags[8192];
	uint64_t end = clock_raw_ns() + limit_ns, head = 0;
	_cleanup_close_ int fd = path_open("/proc/kpageflags", O_RDONLY);
	ssize_t n = -1;

	*ret = (struct mlocked){0};
	while (fd >= 0 && (n = read(fd, flags, sizeof(flags))) > 0) {
		count_mlocked(flags, (size_t)n / sizeof(*flags), &head, ret);
		if (clock_raw_ns() > end)
			return;
	}
	ret->known = n == 0;
}

/* ---- hardware ---- */

/* Sum of a file's number over the directories of a directory whose names begin so. */
static uint64_t sum_below(const char *dir, const char *begin, const char *file)
{
	_cleanup_closedir_ DIR *d = NULL;
	char real[PATH_MAX], path[PATH_MAX];
	struct dirent *e;
	uint64_t sum = 0;

	if (path_real(dir, real, sizeof(real)) < 0 || !(d = opendir(real)))
		return 0;
	while ((e = readdir(d))) {
		unsigned long long v;

		if (strncmp(e->d_name, begin, strlen(begin)) == 0 &&
			snprintf(path, sizeof(path), "%s/%s/%s", dir, e->d_name, file) <
				(int)sizeof(path) &&
			path_read_u64(path, &v) == 0)
			sum += v;
	}
	return sum;
}

/* The row of machine check exceptions in /proc/interrupts, summed over CPUs. */
static uint64_t machine_checks(void)
{
	_cleanup_free_ char *text = read_whole("/proc/interrupts", ZONEINFO_MAX);
	char *at = text ? strstr(text, " MCE:") : NULL, *end;
	uint64_t sum = 0;

	for (at = at ? at + 5 : NULL; at; at = end) {
		unsigned long v = strtoul(at, &end, 10);

		if (end == at)
			break;
		sum += v;
	}
	return sum;
}

void reading_hardware(struct reading *ret)
{
	static const char edac[] = "/sys/devices/system/edac/mc";
	_cleanup_free_ char *meminfo = read_whole("/proc/meminfo", MEMINFO_MAX);
	uint64_t kb = 0;

	ret->edac_corrected = sum_below(edac, "mc", "ce_count");
	ret->edac_uncorrected = sum_below(edac, "mc", "ue_count");
	ret->exceptions = machine_checks();
	if (meminfo)
		reading_number(meminfo, "HardwareCorrupted:", &kb);
	ret->corrupted = kb << 10;
}
