/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walkers of page tables and of page structs that need no slot memory themselves: clear_refs, PAGEMAP_SCAN, /proc/kpage*, statistics of
 * nodes, and the /proc files of another executor.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "op/op.h"
#include "backings.h"
#include "result.h"

/* Reads a file from its start until the end or the scratch is full; nothing is kept. */
static long read_path(struct op_env *e, const char *path)
{
	long fd = result_of(open(path, O_RDONLY | O_CLOEXEC)), total = 0, r = 1;

	if (fd < 0)
		return fd;
	while (r > 0 && total < (long)sizeof(e->scratch->text)) {
		r = result_of(pread((int)fd, e->scratch->text, sizeof(e->scratch->text), total));
		total += r > 0 ? r : 0;
	}
	close((int)fd);
	e->bytes += (uint64_t)total;
	return r < 0 ? r : 0;
}

/* ---- clear_refs ---- */

enum { CLEAR_ARG_WHAT, CLEAR_ARG_PROC };

static const struct arg_word clear_words[] = {
	{"referenced", '1'},
	{"anon", '2'},
	{"mapped", '3'},
	{"soft_dirty", '4'},
	{"peak_rss", '5'},
	{NULL, 0},
};

static const struct arg_desc clear_args[] = {
	{"what", ARG_ENUM, 0, clear_words,
		"which bits (fs/proc/task_mmu.c, enum clear_refs_types)"},
	{"proc", ARG_PROC, 0, NULL, "which executor"},
	{.kind = ARG_END},
};

static long run_clear_refs(struct op_env *e, const struct op_call *c)
{
	char path[40], what = (char)clear_words[c->arg[CLEAR_ARG_WHAT]].value;
	long fd, r;

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", (int)op_pid(e, c->arg[CLEAR_ARG_PROC]));
	fd = result_of(open(path, O_WRONLY | O_CLOEXEC));
	if (fd < 0)
		return fd;
	r = result_of(write((int)fd, &what, 1));
	close((int)fd);
	return r;
}

static const struct op_errno errnos_peer[] = {
	{ENOENT, WHEN_GONE_PEER},
	{ESRCH, WHEN_GONE_PEER},
	{EACCES, WHEN_GONE_PEER},
	{EINTR, WHEN_ALWAYS},
	{ENOMEM, WHEN_ALWAYS},
	{0, 0},
};

const struct op op_clear_refs = {
	.name = "clear_refs",
	.help = "clears referenced or soft-dirty bits of an executor, or its peak of memory",
	.exercises = "clear_refs_write clear_refs_pte_range clear_soft_dirty clear_soft_dirty_pmd "
		     "pmdp_test_and_clear_young flush_tlb_mm",
	.weight = 2,
	.needs = {CAP_HAS_CLEAR_REFS},
	.nneeds = 1,
	.args = clear_args,
	.errnos = errnos_peer,
	.run = run_clear_refs,
};

/* ---- PAGEMAP_SCAN ---- */

/* include/uapi/linux/fs.h of 6.7 */
struct scan_region {
	uint64_t start, end, categories;
};

struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted,
		category_mask, category_anyof_mask, return_mask;
};

#define SCAN_IOCTL _IOWR('f', 16, struct scan_arg)
enum { SCAN_WP_MATCHING = 1, SCAN_CATEGORIES = 0x7f, SCAN_REGIONS = 1024 };
enum { SCAN_ARG_HOW = 4, SCAN_ARG_CATEGORY };

static const struct arg_word scan_words[] = {
	{"look", 0},
	{"wp_matching", SCAN_WP_MATCHING},
	{NULL, 0},
};

static const struct arg_word category_words[] = {
	{"wpallowed", 1 << 0},
	{"written", 1 << 1},
	{"file", 1 << 2},
	{"present", 1 << 3},
	{"swapped", 1 << 4},
	{"pfnzero", 1 << 5},
	{"huge", 1 << 6},
	{NULL, 0},
};

static const struct arg_desc scan_args[] = {
	ARGS_RANGE,
	{"how", ARG_ENUM, 0, scan_words,
		"also write-protects what matches, where it is registered for that"},
	{"category", ARG_FLAGS, 0, category_words, "pages that have any of these; none: all pages"},
	{.kind = ARG_END},
};

/* Regions must lie in the range, in order. */
static long judge_regions(const struct scan_region *v, long n, const struct scan_arg *a)
{
	uint64_t at = a->start;

	for (long i = 0; i < n; i++) {
		if (v[i].start < at || v[i].end <= v[i].start || v[i].end > a->end)
			return -ERANGE;
		at = v[i].end;
	}
	return 0;
}

static long run_pagemap_scan(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct scan_region *v = (struct scan_region *)e->scratch->text;
	struct scan_arg a = {.size = sizeof(a),
		.start = s.addr,
		.end = s.addr + s.len,
		.vec = (uint64_t)(uintptr_t)v,
		.vec_len = SCAN_REGIONS,
		.flags = scan_words[c->arg[SCAN_ARG_HOW]].value,
		.category_anyof_mask = c->arg[SCAN_ARG_CATEGORY],
		.return_mask = SCAN_CATEGORIES};
	long r = result_of(ioctl(e->pagemap_fd, SCAN_IOCTL, &a));

	return r < 0 ? r : judge_regions(v, r, &a);
}

static const struct op_errno errnos_scan[] = {
	{EINTR, WHEN_ALWAYS},
	{ENOMEM, WHEN_ALWAYS},
	{0, 0},
};

const struct op op_pagemap_scan = {
	.name = "pagemap_scan",
	.help = "PAGEMAP_SCAN of the range",
	.exercises = "do_pagemap_scan pagemap_scan_pmd_entry pagemap_scan_thp_entry "
		     "pagemap_scan_hugetlb_entry make_uffd_wp_huge_pte",
	.weight = 3,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_PAGEMAP_SCAN},
	.nneeds = 1,
	.args = scan_args,
	.errnos = errnos_scan,
	.run = run_pagemap_scan,
};

/* ---- /proc/kpageflags and the like ---- */

enum { KPAGE_ARG_FILE = 4, KPAGE_MOST = 512 };

static const char *const kpage_paths[] = {
	"/proc/kpageflags", "/proc/kpagecount", "/proc/kpagecgroup"};

static const struct arg_word kpage_words[] = {
	{"kpageflags", 0},
	{"kpagecount", 1},
	{"kpagecgroup", 2},
	{NULL, 0},
};

static const struct arg_desc kpage_args[] = {
	ARGS_RANGE,
	{"file", ARG_ENUM, 0, kpage_words,
		"which; kpagecgroup counts as kpageflags where it is missing"},
	{.kind = ARG_END},
};

/* The page structs behind the first page that is present, and those after it. */
static long run_kpage(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint64_t *entry = (uint64_t *)e->scratch->text;
	uint32_t n = s.pages < KPAGE_MOST ? s.pages : KPAGE_MOST, i = 0;
	long fd, r = result_of(pread(e->pagemap_fd, entry, n * sizeof(*entry),
			 (off_t)(s.addr >> s.slot->page_shift) * (off_t)sizeof(*entry)));
	uint64_t pfn;

	if (r < 0)
		return r;
	n = (uint32_t)((size_t)r / sizeof(*entry));
	while (i < n && !(entry[i] >> 63))
		i++;
	if (i == n)
		return 0;
	pfn = entry[i] & ((1ULL << 55) - 1);
	fd = result_of(open(kpage_paths[c->arg[KPAGE_ARG_FILE]], O_RDONLY | O_CLOEXEC));
	if (fd == -ENOENT)
		fd = result_of(open(kpage_paths[0], O_RDONLY | O_CLOEXEC));
	if (fd < 0)
		return fd;
	r = result_of(
		pread((int)fd, entry, n * sizeof(*entry), (off_t)pfn * (off_t)sizeof(*entry)));
	close((int)fd);
	e->bytes += r > 0 ? (uint64_t)r : 0;
	return r;
}

const struct op op_kpageflags = {
	.name = "kpageflags",
	.help = "reads flags, map counts or cgroups of the page structs behind the range",
	.exercises = "stable_page_flags kpageflags_read kpagecount_read page_cgroup_ino "
		     "folio_precise_page_mapcount",
	.hazard = HAZARD_ROOT,
	.weight = 2,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_KPAGEFLAGS, CAP_HAS_PAGEMAP},
	.nneeds = 2,
	.args = kpage_args,
	.run = run_kpage,
};

/* ---- statistics by node ---- */

enum { STAT_CGROUP, STAT_NODE_MEMINFO, STAT_NODE_VMSTAT, STAT_MEMINFO, STAT_VMSTAT };

static const struct arg_word stat_words[] = {
	{"memory_numa_stat", STAT_CGROUP},
	{"node_meminfo", STAT_NODE_MEMINFO},
	{"node_vmstat", STAT_NODE_VMSTAT},
	{"meminfo", STAT_MEMINFO},
	{"vmstat", STAT_VMSTAT},
	{NULL, 0},
};

static const struct arg_desc stat_args[] = {
	{"file", ARG_ENUM, 0, stat_words, "which; meminfo where it is missing"},
	{"node", ARG_NODE, 0, NULL, "for files of a node"},
	{.kind = ARG_END},
};

/* The file in the executor's own group of the unified hierarchy. */
static void group_path(struct op_env *e, char *path, size_t size)
{
	char *group, *end;

	memset(e->scratch->text, 0, 4096);
	if (read_path(e, "/proc/self/cgroup") < 0)
		return;
	group = strstr(e->scratch->text, "0::");
	end = group ? strchr(group, '\n') : NULL;
	if (!end)
		return;
	*end = '\0';
	if (snprintf(path, size, "/sys/fs/cgroup%s/memory.numa_stat", group + 3) >= (int)size)
		path[0] = '\0';
}

static long run_numa_stat(struct op_env *e, const struct op_call *c)
{
	int node = op_node(e, c->arg[1]);
	char path[512] = "";
	long r;

	switch (c->arg[0]) {
	case STAT_CGROUP:
		group_path(e, path, sizeof(path));
		break;
	case STAT_NODE_MEMINFO:
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
		break;
	case STAT_NODE_VMSTAT:
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/vmstat", node);
		break;
	case STAT_VMSTAT:
		snprintf(path, sizeof(path), "/proc/vmstat");
		break;
	default:
		break;
	}
	r = path[0] ? read_path(e, path) : -ENOENT;
	return r == -ENOENT || r == -ENODEV || r == -EACCES ? read_path(e, "/proc/meminfo") : r;
}

const struct op op_numa_stat = {
	.name = "numa_stat",
	.help = "reads memory statistics: of the cgroup by node, of a node, of the machine",
	.exercises = "memory_numa_stat_show mem_cgroup_flush_stats node_read_meminfo "
		     "node_read_vmstat meminfo_proc_show hugetlb_report_meminfo",
	.needs = {CAP_HAS_PROC_MEM},
	.nneeds = 1,
	.weight = 1,
	.args = stat_args,
	.run = run_numa_stat,
};

/* ---- another executor's /proc files ---- */

enum { PEER_ARG_FILE, PEER_ARG_PROC };

static const char *const peer_files[] = {"maps", "smaps", "smaps_rollup", "numa_maps", "status"};

static const struct arg_word peer_words[] = {
	{"maps", 0},
	{"smaps", 1},
	{"smaps_rollup", 2},
	{"numa_maps", 3},
	{"status", 4},
	{NULL, 0},
};

static const struct arg_desc peer_args[] = {
	{"file", ARG_ENUM, 0, peer_words, "which of /proc/PID; status where it is missing"},
	{"proc", ARG_PROC, 0, NULL, "which of the other executors, or this one if there is none"},
	{.kind = ARG_END},
};

static pid_t peer_pid(const struct op_env *e, const struct op_call *c)
{
	if (e->nprocs < 2)
		return op_pid(e, e->proc);
	return op_pid(e, e->proc + 1 + c->arg[PEER_ARG_PROC] % (e->nprocs - 1));
}

static long run_peer_maps(struct op_env *e, const struct op_call *c)
{
	int pid = (int)peer_pid(e, c);
	char path[64];
	long r;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, peer_files[c->arg[PEER_ARG_FILE]]);
	r = read_path(e, path);
	if (r != -ENOENT)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return read_path(e, path);
}

const struct op op_peer_maps = {
	.name = "peer_maps",
	.help = "reads what /proc/PID says of another executor's memory",
	.exercises = "m_start show_smap smaps_pte_range smaps_hugetlb_range show_numa_map "
		     "lock_vma_under_rcu mmap_read_lock_killable",
	.needs = {CAP_HAS_PROC_MEM},
	.nneeds = 1,
	.weight = 2,
	.args = peer_args,
	.errnos = errnos_peer,
	.run = run_peer_maps,
};
