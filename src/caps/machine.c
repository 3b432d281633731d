/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "caps/machine.h"

#include "cgroup.h"
#include "topology.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/utsname.h>

#define HUGEPAGES_DIR "/sys/kernel/mm/hugepages"

static bool is_power_of_two(uint64_t v)
{
	return v && !(v & (v - 1));
}

/* Returns the default hugetlb page size, 0 if the kernel has none. */
static uint64_t probe_memory(struct machine *m)
{
	uint64_t huge = 0, left = cgroup_memory_left();
	char text[8192];

	if (path_read("/proc/meminfo", text, sizeof(text)) > 0) {
		if (!meminfo_find(text, "MemTotal:", &m->mem_total))
			m->mem_total = 0;
		if (!meminfo_find(text, "MemAvailable:", &m->mem_available) &&
			!meminfo_find(text, "MemFree:", &m->mem_available))
			m->mem_available = 0;
		if (!meminfo_find(text, "Hugepagesize:", &huge))
			huge = 0;
	} else {
		m->mem_total = (uint64_t)sysconf(_SC_PHYS_PAGES) * m->page_size;
		m->mem_available = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * m->page_size;
	}
	if (left < m->mem_available)
		m->mem_available = left;
	return huge;
}

static void probe_pmd(struct machine *m, uint64_t default_huge)
{
	uint64_t entries = m->page_size / sizeof(uint64_t), full_table = m->page_size * entries;
	unsigned long long size = 0;

	(void)path_read_u64("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", &size);
	/* The default may have been set to the PUD size on the kernel's command line. */
	if (size == 0 && default_huge <= full_table)
		size = default_huge;
	if (!is_power_of_two(size) || size <= m->page_size)
		size = full_table;
	m->pmd_size = size;
	m->pud_size = size * entries;
}

static void add_hstate(struct machine *m, uint64_t size)
{
	int at = m->nhstates;

	if (size == 0 || at == MACHINE_MAX_HSTATES)
		return;
	for (; at > 0 && m->hstate[at - 1].size > size; at--)
		m->hstate[at] = m->hstate[at - 1];
	m->hstate[at].size = size;
	m->nhstates++;
}

static void probe_hstates(struct machine *m, uint64_t default_huge)
{
	_cleanup_closedir_ DIR *d = NULL;
	unsigned long long kib;
	char real[PATH_MAX];
	struct dirent *de;
	int used;

	if (path_real(HUGEPAGES_DIR, real, sizeof(real)) == 0)
		d = opendir(real);
	while (d && (de = readdir(d))) {
		used = 0;
		if (sscanf(de->d_name, "hugepages-%llukB%n", &kib, &used) == 1 && used > 0 &&
			!de->d_name[used])
			add_hstate(m, kib * 1024);
	}
	/* A container may hide sysfs; the default size is in meminfo too. */
	if (!d)
		add_hstate(m, default_huge);
}

static void probe_names(struct machine *m)
{
	struct utsname u;

	if (path_read("/proc/sys/kernel/osrelease", m->kernel, sizeof(m->kernel)) <= 0 &&
		uname(&u) == 0)
		snprintf(m->kernel, sizeof(m->kernel), "%s", u.release);
	if (path_read("/proc/sys/kernel/random/boot_id", m->boot_id, sizeof(m->boot_id)) <= 0)
		strcpy(m->boot_id, "unknown");
}

int machine_probe(struct machine *m)
{
	uint64_t default_huge;
	int r;

	memset(m, 0, sizeof(*m));
	m->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	m->is_root = geteuid() == 0;
	default_huge = probe_memory(m);
	probe_pmd(m, default_huge);
	probe_hstates(m, default_huge);
	probe_names(m);
	r = topology_probe(m);
	if (r < 0)
		machine_free(m);
	return r;
}

void machine_free(struct machine *m)
{
	free(m->node);
	free(m->mem_node);
	free(m->cpu);
	free(m->cpu_node);
	free(m->cpu_core);
	memset(m, 0, sizeof(*m));
}

int machine_pool_path(
	uint64_t size, int node, const char *name, char *buf, unsigned long size_of_buf)
{
	unsigned long long kib = size / 1024;
	int n;

	if (node < 0)
		n = snprintf(buf, size_of_buf, HUGEPAGES_DIR "/hugepages-%llukB/%s", kib, name);
	else
		n = snprintf(buf, size_of_buf,
			"/sys/devices/system/node/node%d/hugepages/hugepages-%llukB/%s", node, kib,
			name);
	return n < 0 || (unsigned long)n >= size_of_buf ? -ENAMETOOLONG : 0;
}

int machine_pool(uint64_t size, int node, const char *name, unsigned long long *ret)
{
	char path[PATH_MAX];
	int r = machine_pool_path(size, node, name, path, sizeof(path));

	return r < 0 ? r : path_read_u64(path, ret);
}

bool machine_has_node(const struct machine *m, int id)
{
	for (int i = 0; i < m->nnodes; i++)
		if (m->node[i].id == id)
			return true;
	return false;
}
