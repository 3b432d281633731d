/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who else is on this machine and moves the counters that we judge. */
#include "reading.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"

#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif

enum { FAMILY_MAX = 1024 };

/* ---- devices ---- */

static void add_device(struct hugetlb_devices *d, dev_t dev)
{
	if (d->n < READING_DEVICES)
		d->dev[d->n++] = dev;
}

static bool is_hugetlb_device(const struct hugetlb_devices *d, dev_t dev)
{
	for (unsigned int i = 0; i < d->n; i++)
		if (d->dev[i] == dev)
			return true;
	return false;
}

/* The kernel mounts hugetlbfs for itself, once for each page size; a memfd tells which device that is. */
static void add_own_mount(struct hugetlb_devices *d, uint64_t size)
{
	unsigned int shift = 63 - (unsigned int)__builtin_clzll(size);
	_cleanup_close_ int fd =
		memfd_create("sunder", MFD_CLOEXEC | MFD_HUGETLB | shift << MFD_HUGE_SHIFT);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0)
		add_device(d, st.st_dev);
}

void hugetlb_devices_find(const struct machine *m, struct hugetlb_devices *ret)
{
	int fd = path_open("/proc/self/mountinfo", O_RDONLY);
	_cleanup_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	unsigned int major, minor;
	char line[4096];

	ret->n = 0;
	for (int i = 0; i < m->nhstates; i++)
		add_own_mount(ret, m->hstate[i].size);
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, " - hugetlbfs ") &&
			sscanf(line, "%*d %*d %u:%u", &major, &minor) == 2)
			add_device(ret, makedev(major, minor));
}

/* ---- one process ---- */

static void mix(uint64_t *hash, uint64_t v)
{
	*hash = (*hash ^ v) * 0x100000001b3ULL;
	*hash ^= *hash >> 29;
}

static uint64_t number_of(const char *status, const char *name)
{
	uint64_t v = 0;

	reading_number(status, name, &v);
	return v;
}

/* Address ranges on hugetlb devices. False: it does not show its maps. */
static bool add_maps(const char *pid, const struct hugetlb_devices *d, uint64_t *hash, bool *user)
{
	_cleanup_fclose_ FILE *f = NULL;
	unsigned int major, minor;
	unsigned long from, to;
	char line[4096];
	int fd;

	snprintf(line, sizeof(line), "/proc/%s/maps", pid);
	fd = path_open(line, O_RDONLY);
	if (fd < 0)
		return fd == -ENOENT || fd == -ESRCH;
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return false;
	}
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %*s %*s %x:%x", &from, &to, &major, &minor) != 4 ||
			!is_hugetlb_device(d, makedev(major, minor)))
			continue;
		mix(hash, from);
		mix(hash, to);
		*user = true;
	}
	return true;
}

/* Objects that it holds open: their pages need no mapping. */
static bool add_files(const char *pid, const struct hugetlb_devices *d, uint64_t *hash, bool *user)
{
	_cleanup_closedir_ DIR *dir = NULL;
	char path[PATH_MAX], real[PATH_MAX];
	struct dirent *e;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	if (path_real(path, real, sizeof(real)) < 0)
		return false;
	dir = opendir(real);
	if (!dir)
		return errno == ENOENT || errno == ESRCH;
	while ((e = readdir(dir))) {
		if (!isdigit((unsigned char)e->d_name[0]) ||
			fstatat(dirfd(dir), e->d_name, &st, 0) < 0 ||
			!is_hugetlb_device(d, st.st_dev))
			continue;
		mix(hash, st.st_ino);
		mix(hash, (uint64_t)st.st_blocks);
		*user = true;
	}
	return true;
}

static void add_process(const char *pid, const char *status, const struct hugetlb_devices *d,
	bool full, struct others *o)
{
	uint64_t kb = number_of(status, "HugetlbPages:"), hash = strtoull(pid, NULL, 10);
	bool user = kb > 0;

	o->locked_kb += number_of(status, "VmLck:");
	o->hugetlb_kb += kb;
	if (!full || !strstr(status, "\nVmSize:")) /* a kernel thread or a zombie has no memory */
		return;
	if (!add_maps(pid, d, &hash, &user) || !add_files(pid, d, &hash, &user))
		o->full = false;
	if (!user)
		return;
	mix(&hash, kb);
	o->users += hash; /* in whatever order they come */
	o->nusers++;
	snprintf(o->name, sizeof(o->name), "%.20s (%.*s)", pid,
		(int)strcspn(status + strspn(status, "Name:\t "), "\n"),
		status + strspn(status, "Name:\t "));
}

/* ---- all of them ---- */

/* Processes of the supervisor, children after their parents as far as ids go up. */
struct family {
	pid_t pid[FAMILY_MAX];
	unsigned int n;
};

static bool in_family(const struct family *f, pid_t pid)
{
	for (unsigned int i = 0; i < f->n; i++)
		if (f->pid[i] == pid)
			return true;
	return false;
}

/* Segments of System V shared memory that none of ours made: with huge pages they hold some of the pools. */
static void add_segments(const struct family *ours, struct others *o)
{
	int fd = path_open("/proc/sysvipc/shm", O_RDONLY);
	_cleanup_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	unsigned long long size, rss;
	char line[512];
	uint64_t hash;
	int id, maker;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*d %d %*o %llu %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %llu", &id,
			    &size, &maker, &rss) != 4 ||
			in_family(ours, maker))
			continue;
		hash = (uint64_t)id;
		mix(&hash, size);
		mix(&hash, rss);
		o->users += hash;
	}
}

/* In a process-id namespace of its own, and with hidepid, there are processes that we do not see. */
static bool sees_all(void)
{
	static const char init_pid_ns[] = "pid:[4026531836]"; /* PROC_PID_INIT_INO */
	char real[PATH_MAX], link[64];
	ssize_t n;

	if (path_real("/proc/self/ns/pid", real, sizeof(real)) < 0)
		return false;
	n = readlink(real, link, sizeof(link) - 1);
	if (n < 0) /* a kernel without such namespaces (CONFIG_PID_NS) */
		return errno == ENOENT && path_exists("/proc/1/status") &&
		       path_exists("/proc/self/status");
	link[n] = '\0';
	return strcmp(link, init_pid_ns) == 0 && path_exists("/proc/1/status");
}

void others_read(pid_t supervisor, const struct hugetlb_devices *d, bool full, struct others *ret)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct family ours = {.pid = {supervisor}, .n = 1};
	char real[PATH_MAX], path[PATH_MAX], status[4096];
	struct dirent *e;

	*ret = (struct others){.whole = sees_all(), .users_asked = full, .full = full};
	if (path_real("/proc", real, sizeof(real)) < 0 || !(dir = opendir(real))) {
		ret->whole = ret->full = false;
		return;
	}
	while ((e = readdir(dir))) { /* ids come in ascending order */
		pid_t pid = atoi(e->d_name);

		if (pid <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/status", e->d_name);
		if (path_read(path, status, sizeof(status)) < 0)
			continue; /* it has just ended */
		ret->tables_kb += number_of(status, "VmPTE:");
		if (pid == supervisor || in_family(&ours, (pid_t)number_of(status, "PPid:"))) {
			if (pid != supervisor && ours.n < FAMILY_MAX)
				ours.pid[ours.n++] = pid;
			continue;
		}
		add_process(e->d_name, status, d, full, ret);
	}
	if (full)
		add_segments(&ours, ret);
}
