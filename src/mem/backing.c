/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mem/slot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct backing_info {
	const char *name, *help;
	bool hugetlb, own_memory, fd;
};

static const struct backing_info infos[BACKING_COUNT] = {
	[BACKING_ANON] = {.name = "anon",
		.help = "private anonymous memory, transparent huge pages",
		.own_memory = true},
	[BACKING_ANON_SHARED] = {.name = "anon_shared",
		.help = "shared anonymous memory (shmem huge pages)"},
	[BACKING_MEMFD] = {.name = "memfd",
		.help = "a memfd, mapped shared (shmem huge pages)",
		.fd = true},
	[BACKING_TMPFS] = {.name = "tmpfs",
		.help = "a file on an own tmpfs mounted with huge=",
		.fd = true},
	[BACKING_HUGETLB_MEMFD] = {.name = "hugetlb_memfd",
		.help = "a hugetlb memfd, mapped shared",
		.hugetlb = true,
		.fd = true},
	[BACKING_HUGETLB_FILE] = {.name = "hugetlb_file",
		.help = "a file on an own hugetlbfs mount, mapped shared by several processes",
		.hugetlb = true,
		.fd = true},
	[BACKING_HUGETLB_PRIVATE] = {.name = "hugetlb_private",
		.help = "private anonymous hugetlb pages",
		.hugetlb = true,
		.own_memory = true},
	[BACKING_FILE] = {.name = "file",
		.help = "a file on a disk filesystem, mapped shared",
		.fd = true},
	[BACKING_MEMFD_PRIVATE] = {.name = "memfd_private",
		.help = "a memfd of zeroes, mapped private: copies of shmem pages",
		.own_memory = true,
		.fd = true},
	[BACKING_FILE_PRIVATE] = {.name = "file_private",
		.help = "a file of zeroes on a disk filesystem, mapped private",
		.own_memory = true,
		.fd = true},
	[BACKING_SYSV] = {.name = "sysv",
		.help = "a System V shared memory segment (shmem huge pages)"},
	[BACKING_HUGETLB_SYSV] = {.name = "hugetlb_sysv",
		.help = "a System V shared memory segment of hugetlb pages",
		.hugetlb = true},
};

static const char *const huge_names[SLOT_HUGE_COUNT] = {"always", "within_size", "advise", "never"};

const char *backing_name(enum backing b)
{
	return infos[b].name;
}

const char *backing_help(enum backing b)
{
	return infos[b].help;
}

int backing_find(const char *name)
{
	for (int b = 0; b < BACKING_COUNT; b++)
		if (!strcmp(infos[b].name, name))
			return b;
	return -ENOENT;
}

const char *slot_huge_name(enum slot_huge h)
{
	return huge_names[h];
}

int slot_huge_find(const char *name)
{
	for (int h = 0; h < SLOT_HUGE_COUNT; h++)
		if (!strcmp(huge_names[h], name))
			return h;
	return -ENOENT;
}

bool backing_is_hugetlb(enum backing b)
{
	return infos[b].hugetlb;
}

bool backing_is_private(enum backing b)
{
	return infos[b].own_memory;
}

bool backing_has_fd(enum backing b)
{
	return infos[b].fd;
}

/*
 * Huge pages may come by fault, as the policy says, or by MADV_COLLAPSE. A slot that wants none
 * (huge=never) needs neither.
 */
static const char *no_huge_pages(const struct slot_spec *s, enum cap by_fault)
{
	if (s->huge == SLOT_HUGE_NEVER || !caps_missing(CAP_HAS_MADV_COLLAPSE))
		return NULL;
	return caps_missing(by_fault);
}

static const char *size_text(uint64_t size, char buf[static 32])
{
	if (size >= 1 << 30 && size % (1 << 30) == 0)
		snprintf(buf, 32, "%llu GiB", (unsigned long long)(size >> 30));
	else if (size >= 1 << 20 && size % (1 << 20) == 0)
		snprintf(buf, 32, "%llu MiB", (unsigned long long)(size >> 20));
	else
		snprintf(buf, 32, "%llu KiB", (unsigned long long)(size >> 10));
	return buf;
}

static bool has_size(const struct machine *m, uint64_t size)
{
	for (int i = 0; i < m->nhstates; i++)
		if (m->hstate[i].size == size)
			return true;
	return false;
}

static unsigned long long pool(uint64_t size, const char *name)
{
	unsigned long long n;

	return machine_pool(size, -1, name, &n) == 0 ? n : 0;
}

/*
 * Pages that a new mapping can count on: free and not promised to others, or to be had as surplus.
 */
static unsigned long long pool_left(uint64_t size)
{
	unsigned long long promised = pool(size, "resv_hugepages");
	unsigned long long spare = pool(size, "nr_overcommit_hugepages");
	unsigned long long used = pool(size, "surplus_hugepages"), all;

	all = pool(size, "free_hugepages") + (spare > used ? spare - used : 0);
	return all > promised ? all - promised : 0;
}

static const char *no_hugetlb(const struct machine *m, const struct slot_spec *s)
{
	static char why[256];
	unsigned long long need, left;
	char path[128], text[32];

	if (m->nhstates == 0)
		return "kernel without hugetlb pages (CONFIG_HUGETLBFS)";
	if (!has_size(m, s->huge_size)) {
		snprintf(why, sizeof(why), "this machine has no huge pages of %s",
			size_text(s->huge_size, text));
		return why;
	}
	need = s->noreserve ? 1 : s->size / s->huge_size;
	left = pool_left(s->huge_size);
	if (left >= need)
		return NULL;
	if (machine_pool_path(s->huge_size, -1, "nr_hugepages", path, sizeof(path)) < 0)
		path[0] = '\0';
	snprintf(why, sizeof(why),
		"%llu of the %llu huge pages of %s are left (as root: echo %llu > %s)", left, need,
		size_text(s->huge_size, text), pool(s->huge_size, "nr_hugepages") + need - left,
		path);
	return why;
}

const char *backing_missing(const struct machine *m, const struct slot_spec *s)
{
	const char *why = NULL;

	switch ((enum backing)s->backing) {
	case BACKING_ANON:
		return no_huge_pages(s, CAP_HAS_THP);
	case BACKING_ANON_SHARED:
		return no_huge_pages(s, CAP_HAS_THP_SHMEM);
	case BACKING_MEMFD:
		why = caps_missing(CAP_HAS_MEMFD);
		return why ? why : no_huge_pages(s, CAP_HAS_THP_SHMEM);
	case BACKING_TMPFS:
		return caps_missing(CAP_HAS_TMPFS_HUGE);
	case BACKING_HUGETLB_MEMFD:
		why = caps_missing(CAP_HAS_MEMFD_HUGETLB);
		return why ? why : no_hugetlb(m, s);
	case BACKING_HUGETLB_FILE:
		why = caps_missing(CAP_HAS_HUGETLBFS);
		return why ? why : no_hugetlb(m, s);
	case BACKING_HUGETLB_PRIVATE:
		return no_hugetlb(m, s);
	case BACKING_FILE:
	case BACKING_FILE_PRIVATE:
		return caps_missing(CAP_HAS_FS_PUNCH);
	case BACKING_MEMFD_PRIVATE:
		return caps_missing(CAP_HAS_MEMFD);
	case BACKING_SYSV:
		why = caps_missing(CAP_HAS_SYSV);
		return why ? why : no_huge_pages(s, CAP_HAS_THP_SHMEM);
	case BACKING_HUGETLB_SYSV:
		why = caps_missing(CAP_HAS_SYSV_HUGETLB);
		return why ? why : no_hugetlb(m, s);
	case BACKING_COUNT:
		break;
	}
	return "no such backing";
}
