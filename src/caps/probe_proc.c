/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of /proc, /dev and debugfs: opened and read, or written with what changes nothing. */
#include "probe.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>

#define SPLIT "/sys/kernel/debug/split_huge_pages"

/* 0 or -errno of opening the file and reading a byte at the offset. */
static int try_read(const char *path, off_t at)
{
	_cleanup_close_ int fd = path_open(path, O_RDONLY | O_NONBLOCK);
	char buf[8];

	if (fd < 0)
		return fd;
	return pread(fd, buf, sizeof(buf), at) < 0 ? -errno : 0;
}

static const char *proc_answer(struct probe *p, const char *path, const char *config, int r)
{
	if (r == 0)
		return NULL;
	if (r == -ENOENT)
		return probe_no(p, "kernel without %s (%s), or /proc is not mounted", path, config);
	return probe_no(p, "%s: %s", path, strerror(-r));
}

const char *probe_pagemap(struct probe *p)
{
	size_t size = p->m->page_size;
	char *map = probe_map(size);
	int r;

	if (!map)
		return "no memory to try it";
	*map = 1;
	r = try_read("/proc/self/pagemap", (off_t)((uintptr_t)map / size * 8));
	probe_unmap(map, size);
	return proc_answer(p, "/proc/PID/pagemap", "CONFIG_PROC_PAGE_MONITOR", r);
}

const char *probe_smaps(struct probe *p)
{
	return proc_answer(
		p, "/proc/PID/smaps", "CONFIG_PROC_PAGE_MONITOR", try_read("/proc/self/smaps", 0));
}

const char *probe_numa_maps(struct probe *p)
{
	return proc_answer(
		p, "/proc/PID/numa_maps", "CONFIG_NUMA", try_read("/proc/self/numa_maps", 0));
}

const char *probe_task_stack(struct probe *p)
{
	int r = try_read("/proc/self/stack", 0);

	if (r == -EACCES || r == -EPERM)
		return "/proc/PID/stack needs root (CAP_SYS_ADMIN)";
	return proc_answer(p, "/proc/PID/stack", "CONFIG_STACKTRACE", r);
}

/* One record a read, never part of one: the buffer must hold it. */
const char *probe_kmsg(struct probe *p)
{
	_cleanup_close_ int fd = path_open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	char record[8192];
	int err = fd < 0 ? -fd : 0;

	if (fd >= 0 && read(fd, record, sizeof(record)) < 0 && errno != EAGAIN && errno != EPIPE)
		err = errno;
	if (err == 0)
		return NULL;
	if (err == EPERM || err == EACCES)
		return "reading /dev/kmsg needs root (CAP_SYSLOG), or sysctl "
		       "kernel.dmesg_restrict=0";
	return probe_no(p, "/dev/kmsg: %s", strerror(err));
}

const char *probe_swap(struct probe *p)
{
	char text[4096];
	ssize_t n = path_read("/proc/swaps", text, sizeof(text));

	if (n < 0)
		return "kernel without swap (CONFIG_SWAP)";
	/* The first line is the heading. */
	return strchr(text, '\n') ? NULL : "no swap is on (swapon, or zram)";
}

static const char *split_open_answer(struct probe *p, int r)
{
	if (r == -EACCES)
		return "debugfs needs root";
	if (r == -EPERM)
		return "debugfs is closed by kernel lockdown, or for lack of privilege";
	if (r != -ENOENT)
		return probe_no(p, SPLIT ": %s", strerror(-r));
	if (path_exists("/sys/kernel/debug/x86") || path_exists("/sys/kernel/debug/bdi"))
		return "kernel without debugfs split_huge_pages (CONFIG_DEBUG_FS, "
		       "CONFIG_TRANSPARENT_HUGEPAGE)";
	return "debugfs is not mounted (mount -t debugfs none /sys/kernel/debug)";
}

/* Asks for a split of one small page of our own: nothing to do. */
const char *probe_split_debugfs(struct probe *p)
{
	_cleanup_close_ int fd = path_open(SPLIT, O_WRONLY);
	size_t size = p->m->page_size;
	char *map, text[128];
	int err = 0, len;

	if (fd < 0)
		return split_open_answer(p, fd);
	map = probe_map(size);
	if (!map)
		return "no memory to try it";
	*map = 1;
	len = snprintf(text, sizeof(text), "%d,0x%lx,0x%lx", getpid(), (unsigned long)map,
		(unsigned long)(map + size));
	if (write(fd, text, (size_t)len) < 0)
		err = errno;
	probe_unmap(map, size);
	if (err == EINVAL)
		return "split_huge_pages takes no process id here (5.13 and later do)";
	return err ? probe_no(p, SPLIT ": %s", strerror(err)) : NULL;
}

/* Tried on the calling thread, which is put back at once: a container may have the capability and no time for it. */
const char *probe_fifo(struct probe *p)
{
	struct sched_param old, one = {.sched_priority = 1};
	int policy = sched_getscheduler(0);

	if (policy < 0 || sched_getparam(0, &old) < 0)
		return probe_no(p, "sched_getscheduler: %s", strerror(errno));
	if (sched_setscheduler(0, SCHED_FIFO, &one) < 0)
		return probe_no(p, "SCHED_FIFO: %s", strerror(errno));
	sched_setscheduler(0, policy, &old);
	return NULL;
}
