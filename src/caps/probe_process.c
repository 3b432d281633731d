/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Acting on other processes' memory, and sealing: system calls newer than libc's wrappers. */
#include "probe.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The same on all architectures built for (asm-generic/unistd.h). */
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif

/* A child that does nothing until it is killed; its pidfd, or -errno. */
static int start_idle(pid_t *ret_pid)
{
	pid_t pid = fork();
	int fd;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	*ret_pid = pid;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0) {
		fd = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return fd;
}

static void end_idle(pid_t pid, int fd)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
}

static const char *call_answer(struct probe *p, const char *name, const char *since, int err)
{
	if (err == 0)
		return NULL;
	if (err == ENOSYS)
		return probe_no(p, "kernel without %s (%s)", name, since);
	return probe_no(p, "%s: %s", name, strerror(err));
}

const char *probe_process_madvise(struct probe *p)
{
	size_t size = p->m->page_size;
	char *map = probe_map(size);
	struct iovec v = {map, size};
	pid_t pid;
	int fd, err;

	if (!map)
		return "no memory to try it";
	*map = 1;
	fd = start_idle(&pid);
	err = fd < 0 ? -fd : 0;
	if (fd >= 0) {
		if (syscall(SYS_process_madvise, fd, &v, 1UL, MADV_COLD, 0U) < 0)
			err = errno;
		end_idle(pid, fd);
	}
	probe_unmap(map, size);
	if (err == EPERM)
		return "process_madvise on another process: not permitted (CAP_SYS_NICE)";
	return call_answer(p, "process_madvise", "5.10 and later have it", err);
}

/* ESRCH: the child's memory was gone first. */
const char *probe_process_mrelease(struct probe *p)
{
	pid_t pid;
	int fd = start_idle(&pid), err = 0;

	if (fd < 0)
		return call_answer(p, "pidfd_open", "5.3 and later have it", -fd);
	kill(pid, SIGKILL);
	if (syscall(SYS_process_mrelease, fd, 0U) < 0)
		err = errno;
	end_idle(pid, fd);
	return call_answer(p, "process_mrelease", "5.15 and later have it",
		err == ESRCH || err == EAGAIN ? 0 : err);
}

/* An empty range: a seal is for good. */
const char *probe_mseal(struct probe *p)
{
	size_t size = p->m->page_size;
	char *map = probe_map(size);
	int err;

	if (!map)
		return "no memory to try it";
	err = syscall(SYS_mseal, map, 0UL, 0UL) < 0 ? errno : 0;
	probe_unmap(map, size);
	return call_answer(p, "mseal", "6.10 and later have it", err);
}
