/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The NUMA system calls and policies, each tried on one page of our own. */
#include "probe.h"

#include <errno.h>
#include <numaif.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Modes and flags that newer kernels added (uapi linux/mempolicy.h: 5.15, 6.9, 5.12). */
enum { MODE_PREFERRED_MANY = 5, MODE_WEIGHTED_INTERLEAVE = 6, FLAG_NUMA_BALANCING = 1 << 13 };

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450 /* the same on all architectures built for */
#endif

enum { MASK_BITS = 8 * sizeof(unsigned long), MASK_WORDS = MACHINE_MAX_NODES / MASK_BITS };

/* 0 or the errno of mbind() with the first usable node. */
static int try_mbind(struct probe *p, int mode, unsigned int flags)
{
	unsigned long mask[MASK_WORDS] = {0};
	int node = p->m->mem_node[0], err;
	size_t size = p->m->page_size;
	char *map = probe_map(size);

	if (!map)
		return ENOMEM;
	*map = 1;
	mask[node / MASK_BITS] = 1UL << (node % MASK_BITS);
	err = mbind(map, size, mode, mask, MACHINE_MAX_NODES + 1, flags) < 0 ? errno : 0;
	probe_unmap(map, size);
	return err;
}

/* 0 or the errno of move_pages() of one page of ours in the process to where it is. */
static int try_move_pages(struct probe *p, pid_t pid, void *page, int flags)
{
	int node = p->m->mem_node[0], status = -ENOENT;

	if (move_pages(pid, 1, &page, &node, &status, flags) < 0)
		return errno;
	return status == -EACCES || status == -EPERM ? -status : 0;
}

static const char *numa_answer(struct probe *p, const char *name, int err)
{
	if (err == 0)
		return NULL;
	if (err == ENOSYS)
		return probe_no(p, "%s: kernel without it (CONFIG_NUMA, CONFIG_MIGRATION)", name);
	if (err == EPERM)
		return probe_no(p,
			"%s: not permitted (CAP_SYS_NICE; in a container also its "
			"seccomp filter)",
			name);
	return probe_no(p, "%s: %s", name, strerror(err));
}

static const char *mode_answer(struct probe *p, const char *name, const char *since, int err)
{
	if (err == EINVAL)
		return probe_no(p, "kernel without %s (%s)", name, since);
	return numa_answer(p, name, err);
}

const char *probe_numa(struct probe *p)
{
	size_t size = p->m->page_size;
	char *map;
	int mode, err;

	if (get_mempolicy(&mode, NULL, 0, NULL, 0) < 0)
		return numa_answer(p, "get_mempolicy", errno);
	err = try_mbind(p, MPOL_BIND, 0);
	if (err)
		return numa_answer(p, "mbind", err);
	map = probe_map(size);
	if (!map)
		return "no memory to try it";
	*map = 1;
	err = try_move_pages(p, 0, map, MPOL_MF_MOVE);
	probe_unmap(map, size);
	return numa_answer(p, "move_pages", err);
}

const char *probe_two_nodes(struct probe *p)
{
	int with_memory = 0;

	if (p->m->nmem_nodes >= 2)
		return NULL;
	for (int i = 0; i < p->m->nnodes; i++)
		with_memory += p->m->node[i].has_memory;
	if (with_memory >= 2)
		return probe_no(p,
			"%d nodes have memory, but this process may use one of them "
			"only (its cpuset)",
			with_memory);
	return "one node only (a guest can have more: sunder vm --nodes 2)";
}

const char *probe_move_all(struct probe *p)
{
	return numa_answer(
		p, "MPOL_MF_MOVE_ALL", try_mbind(p, MPOL_BIND, MPOL_MF_MOVE | MPOL_MF_MOVE_ALL));
}

/*
 * A child that holds a copy of the page until the socket ends. It has one when this returns: a page that it still shares with its parent
 * is not moved without MPOL_MF_MOVE_ALL.
 */
static pid_t fork_holder(char *page, int end, int other_end)
{
	pid_t pid = fork();
	char ready;

	if (pid == 0) {
		char c;

		close(other_end);
		*page = 2;
		_exit(write(end, "", 1) != 1 || read(end, &c, 1) < 0);
	}
	close(end);
	if (pid > 0 && read(other_end, &ready, 1) != 1)
		kill(pid, SIGKILL); /* then moving its pages fails, and says so */
	return pid;
}

const char *probe_migrate_other(struct probe *p)
{
	size_t size = p->m->page_size;
	char *map = probe_map(size);
	int fds[2], err;
	pid_t pid;

	if (!map)
		return "no memory to try it";
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) {
		probe_unmap(map, size);
		return "no file descriptors to try it";
	}
	*map = 1;
	pid = fork_holder(map, fds[0], fds[1]);
	err = pid < 0 ? errno : try_move_pages(p, pid, map, MPOL_MF_MOVE);
	close(fds[1]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	probe_unmap(map, size);
	return numa_answer(p, "move_pages of another process", err);
}

const char *probe_preferred_many(struct probe *p)
{
	return mode_answer(p, "MPOL_PREFERRED_MANY", "5.15 and later have it",
		try_mbind(p, MODE_PREFERRED_MANY, 0));
}

const char *probe_weighted_interleave(struct probe *p)
{
	return mode_answer(p, "MPOL_WEIGHTED_INTERLEAVE", "6.9 and later have it",
		try_mbind(p, MODE_WEIGHTED_INTERLEAVE, 0));
}

const char *probe_numa_balancing_flag(struct probe *p)
{
	return mode_answer(p, "MPOL_F_NUMA_BALANCING", "5.12 and later have it",
		try_mbind(p, MPOL_BIND | FLAG_NUMA_BALANCING, 0));
}

/* On a page that has no policy there is none to give a home (ENOENT). */
const char *probe_home_node(struct probe *p)
{
	size_t size = p->m->page_size;
	char *map = probe_map(size);
	int err;

	if (!map)
		return "no memory to try it";
	err = syscall(SYS_set_mempolicy_home_node, map, size, (unsigned long)p->m->mem_node[0],
		      0UL) < 0
		      ? errno
		      : 0;
	probe_unmap(map, size);
	if (err == ENOSYS)
		return "kernel without set_mempolicy_home_node (5.17 and later have it)";
	return numa_answer(p, "set_mempolicy_home_node", err == ENOENT ? 0 : err);
}
