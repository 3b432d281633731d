/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Other roads to a process's memory and to what the kernel says of it: ptrace and its kin, PAGEMAP_SCAN, /proc/kpage*. */
#include "probe.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

static int exit_errno(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : ESRCH;
}

const char *probe_process_vm(struct probe *p)
{
	char byte = 1, got;
	struct iovec to = {&got, 1}, from = {&byte, 1};

	if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1)
		return NULL;
	if (errno == ENOSYS)
		return "kernel without process_vm_readv (CONFIG_CROSS_MEMORY_ATTACH)";
	return probe_no(p, "process_vm_readv: %s", strerror(errno));
}

/* A child opens another child's memory, as executors do. */
static int open_mem(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

const char *probe_peer_memory(struct probe *p)
{
	pid_t idle = fork(), reader;
	int err;

	if (idle < 0)
		return probe_no(p, "fork: %s", strerror(errno));
	if (idle == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	reader = fork();
	if (reader == 0)
		_exit(open_mem(idle));
	err = reader < 0 ? errno : exit_errno(reader);
	kill(idle, SIGKILL);
	exit_errno(idle);
	if (err == EPERM || err == EACCES)
		return "refused (sysctl kernel.yama.ptrace_scope=0, or CAP_SYS_PTRACE)";
	return err ? probe_no(p, "/proc/PID/mem: %s", strerror(err)) : NULL;
}

const char *probe_ptrace(struct probe *p)
{
	pid_t pid = fork();
	int err;

	if (pid < 0)
		return probe_no(p, "fork: %s", strerror(errno));
	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0);
	err = exit_errno(pid);
	return err ? probe_no(p,
			     "ptrace: %s (sysctl kernel.yama.ptrace_scope, or a seccomp filter)",
			     strerror(err))
		   : NULL;
}

const char *probe_cachestat(struct probe *p)
{
	_cleanup_close_ int fd = memfd_create("sunder-probe", MFD_CLOEXEC);
	uint64_t range[2] = {0, 1}, stat[5];

	if (fd < 0)
		return probe_no(p, "memfd_create: %s", strerror(errno));
	if (syscall(SYS_cachestat, fd, range, stat, 0) == 0)
		return NULL;
	if (errno == ENOSYS)
		return "kernel without cachestat (6.5 and later have it)";
	return probe_no(p, "cachestat: %s", strerror(errno));
}

/* Of this process, what changes nothing: the peak of its memory. */
const char *probe_proc_mem(struct probe *p)
{
	_cleanup_close_ int mem = path_open("/proc/self/mem", O_RDWR);
	_cleanup_close_ int maps = path_open("/proc/self/maps", O_RDONLY);

	if (mem < 0 || maps < 0)
		return probe_no(p, "/proc/PID/mem and maps: %s", strerror(mem < 0 ? -mem : -maps));
	return NULL;
}

const char *probe_clear_refs(struct probe *p)
{
	_cleanup_close_ int fd = path_open("/proc/self/clear_refs", O_WRONLY);

	if (fd == -ENOENT)
		return "kernel without /proc/PID/clear_refs (CONFIG_PROC_PAGE_MONITOR)";
	if (fd < 0 || write(fd, "5", 1) < 0)
		return probe_no(p, "/proc/PID/clear_refs: %s", strerror(fd < 0 ? -fd : errno));
	return NULL;
}

const char *probe_pagemap_scan(struct probe *p)
{
	/* struct pm_scan_arg, include/uapi/linux/fs.h of 6.7: size, flags, start, end, ... */
	struct scan {
		uint64_t size, flags, start, end, more[8];
	} arg = {.size = sizeof(arg)};
	_cleanup_close_ int fd = path_open("/proc/self/pagemap", O_RDONLY);
	char *map = probe_map(p->m->page_size);
	int r;

	if (!map)
		return "no memory to try it";
	arg.start = (uintptr_t)map;
	arg.end = arg.start + p->m->page_size;
	r = fd < 0 ? fd : ioctl(fd, _IOWR('f', 16, struct scan), &arg) < 0 ? -errno : 0;
	probe_unmap(map, p->m->page_size);
	if (r == -ENOTTY || r == -EINVAL)
		return "kernel without PAGEMAP_SCAN (6.7 and later have it)";
	return r < 0 ? probe_no(p, "PAGEMAP_SCAN: %s", strerror(-r)) : NULL;
}

/* Both the files and page frame numbers in pagemap are for root. */
const char *probe_kpageflags(struct probe *p)
{
	_cleanup_close_ int fd = path_open("/proc/kpageflags", O_RDONLY);
	_cleanup_close_ int count = path_open("/proc/kpagecount", O_RDONLY);
	uint64_t flags;

	if (fd == -ENOENT)
		return "kernel without /proc/kpageflags (CONFIG_PROC_PAGE_MONITOR)";
	if (fd == -EACCES || fd == -EPERM)
		return "/proc/kpageflags needs root";
	if (fd < 0 || count < 0 || pread(fd, &flags, sizeof(flags), 0) < 0)
		return probe_no(p, "/proc/kpageflags: %s",
			strerror(fd < 0	     ? -fd
				 : count < 0 ? -count
					     : errno));
	return NULL;
}
