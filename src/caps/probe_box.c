/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only root can do to a machine: seen from its files, for trying it would change the machine. */
#include "probe.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *caps_cgroup_top(void)
{
	static const char *const tops[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	char path[64];

	for (unsigned int i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		snprintf(path, sizeof(path), "%s/cgroup.controllers", tops[i]);
		if (path_exists(path))
			return tops[i];
	}
	return NULL;
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (; *list; list += strcspn(list, " "), list += *list == ' ')
		if (strcspn(list, " ") == len && strncmp(list, word, len) == 0)
			return true;
	return false;
}

static const char *controller(struct probe *p, const char *name, const char *config)
{
	const char *top = caps_cgroup_top();
	char path[PATH_MAX], list[1024];

	if (!top)
		return "cgroup v2 is not mounted on /sys/fs/cgroup";
	snprintf(path, sizeof(path), "%s/cgroup.controllers", top);
	if (path_read(path, list, sizeof(list)) < 0 || !has_word(list, name))
		return probe_no(p, "cgroup v2 has no %s controller here (%s, or cgroup v1 has it)",
			name, config);
	if (path_real(top, path, sizeof(path)) < 0 || access(path, W_OK) < 0)
		return probe_no(p, "%s cannot be written: be root", top);
	return p->m->is_root ? NULL : "a cgroup of its own needs root";
}

const char *probe_cgroup_memory(struct probe *p)
{
	return controller(p, "memory", "CONFIG_MEMCG");
}

const char *probe_cgroup_hugetlb(struct probe *p)
{
	return controller(p, "hugetlb", "CONFIG_CGROUP_HUGETLB");
}

const char *probe_cgroup_cpuset(struct probe *p)
{
	return controller(p, "cpuset", "CONFIG_CPUSETS");
}

/* True if a file that the glob finds has a number above 0. */
static bool any_number(const char *pattern)
{
	char real[PATH_MAX];
	glob_t g = {0};
	bool any = false;

	if (path_real(pattern, real, sizeof(real)) == 0 && glob(real, GLOB_NOSORT, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc && !any; i++) {
			unsigned long long n;

			any = path_read_u64(g.gl_pathv[i] + strlen(path_root()), &n) == 0 && n > 0;
		}
	globfree(&g);
	return any;
}

const char *probe_hugetlb_demote(struct probe *p)
{
	for (int i = 0; i < p->m->nhstates; i++) {
		char path[128];
		unsigned long long pages;

		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/demote",
			(unsigned long long)p->m->hstate[i].size >> 10);
		if (path_exists(path) &&
			machine_pool(p->m->hstate[i].size, -1, "nr_hugepages", &pages) == 0 &&
			pages)
			return NULL;
	}
	return "no pool of gigantic pages (boot with hugepagesz=1G hugepages=1; 5.16 and later)";
}

/* Kernel symbols have their names for everybody. */
static bool has_symbol(const char *name)
{
	_cleanup_free_ char *line = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	char real[PATH_MAX];
	size_t size = 0;
	bool has = false;

	if (path_real("/proc/kallsyms", real, sizeof(real)) == 0)
		f = fopen(real, "re");
	while (f && !has && getline(&line, &size, f) > 0) {
		const char *at = strrchr(line, ' ');

		has = at && strcspn(at + 1, "\t\n") == strlen(name) &&
		      strncmp(at + 1, name, strlen(name)) == 0;
	}
	return has;
}

/* What it can look at is told only by files that have to be made first. */
const char *probe_damon(struct probe *p)
{
	static const char knob[] = "/sys/kernel/mm/damon/admin/kdamonds/nr_kdamonds";
	unsigned long long n;

	if (path_read_u64(knob, &n) < 0)
		return p->m->is_root ? "kernel without DAMON's files (CONFIG_DAMON_SYSFS; 5.18 and "
				       "later have them)"
				     : "needs root";
	if (n)
		return "somebody uses DAMON";
	if (!has_symbol("damon_va_apply_scheme"))
		return "kernel whose DAMON sees no virtual memory (CONFIG_DAMON_VADDR)";
	return p->m->is_root ? NULL : "needs root";
}

const char *probe_memory_hotremove(struct probe *p)
{
	if (any_number("/sys/devices/system/memory/memory[0-9]*/removable"))
		return NULL;
	return "kernel without memory hot-remove (CONFIG_MEMORY_HOTREMOVE), or no memory blocks";
}

/* The nth failure is none, which is what a thread has anyway. */
const char *probe_fail_nth(struct probe *p)
{
	static const char *const knobs[] = {
		"/sys/kernel/debug/fail_page_alloc/verbose", "/sys/kernel/debug/failslab/verbose"};

	if (!path_exists("/proc/thread-self/fail-nth"))
		return "kernel without fault injection (CONFIG_FAULT_INJECTION)";
	if (path_write("/proc/thread-self/fail-nth", "0") < 0)
		return probe_no(p, "/proc/thread-self/fail-nth: %s", strerror(errno));
	for (unsigned int i = 0; i < sizeof(knobs) / sizeof(knobs[0]); i++)
		if (!path_exists(knobs[i]))
			return probe_no(p,
				"there is no %s (CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC and "
				"CONFIG_FAULT_INJECTION_DEBUG_FS; debugfs mounted; root)",
				knobs[i]);
	return NULL;
}

const char *probe_own_swap(struct probe *p)
{
	if (!path_exists("/proc/swaps"))
		return "kernel without swap (CONFIG_SWAP)";
	if (!p->m->is_root)
		return "a swap file needs root";
	return caps_missing(CAP_HAS_FS_PUNCH);
}
