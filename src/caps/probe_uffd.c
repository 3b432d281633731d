/* SPDX-License-Identifier: GPL-2.0-or-later */
/* userfaultfd(2) and what its UFFDIO_API says that it has. */
#include "probe.h"

#include "base/cleanup.h"
#include "sys/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

const char *probe_uffd(struct probe *p)
{
	bool user_only;
	_cleanup_close_ int fd = uffd_new(&user_only);

	if (fd >= 0)
		return NULL;
	if (fd == -ENOSYS)
		return "kernel without userfaultfd (CONFIG_USERFAULTFD)";
	if (fd == -EPERM)
		return "userfaultfd is refused (a seccomp filter or an LSM)";
	return probe_no(p, "userfaultfd: %s", strerror(-fd));
}

const char *probe_uffd_kernel(struct probe *p)
{
	bool user_only = false;
	_cleanup_close_ int fd = uffd_new(&user_only);

	if (fd < 0)
		return probe_uffd(p);
	return user_only ? "needs CAP_SYS_PTRACE, or sysctl vm.unprivileged_userfaultfd=1" : NULL;
}

static const char *feature(struct probe *p, uint64_t want, const char *since)
{
	bool user_only;
	_cleanup_close_ int fd = uffd_new(&user_only);
	uint64_t have = 0;
	int r;

	if (fd < 0)
		return probe_uffd(p);
	r = uffd_api(fd, 0, &have);
	if (r < 0)
		return probe_no(p, "UFFDIO_API: %s", strerror(-r));
	return (have & want) == want ? NULL : probe_no(p, "not in this kernel (%s)", since);
}

const char *probe_uffd_wp(struct probe *p)
{
	return feature(p, UFFD_FEATURE_PAGEFAULT_FLAG_WP,
		"x86-64, arm64 and riscv since 5.7 and later, CONFIG_HAVE_ARCH_USERFAULTFD_WP");
}

const char *probe_uffd_wp_file(struct probe *p)
{
	return feature(p, UFFD_FEATURE_WP_HUGETLBFS_SHMEM, "5.19, CONFIG_PTE_MARKER_UFFD_WP");
}

const char *probe_uffd_wp_unpopulated(struct probe *p)
{
	return feature(p, UFFD_FEATURE_WP_UNPOPULATED, "6.4, CONFIG_PTE_MARKER_UFFD_WP");
}

const char *probe_uffd_minor(struct probe *p)
{
	return feature(p, UFFD_FEATURE_MINOR_HUGETLBFS | UFFD_FEATURE_MINOR_SHMEM,
		"5.14, CONFIG_HAVE_ARCH_USERFAULTFD_MINOR");
}

const char *probe_uffd_move(struct probe *p)
{
	return feature(p, UFFD_FEATURE_MOVE, "6.8");
}

/* ---- moving what is held ---- */

enum { MOVE_LIMIT_US = 200000 };
enum held { HELD_GIVEN_UP, HELD_CANNOT_TRY, HELD_FAILED };

static int register_missing(int fd, void *addr, size_t len)
{
	struct uffdio_register reg = {
		.range = {(uintptr_t)addr, len}, .mode = UFFDIO_REGISTER_MODE_MISSING};

	return ioctl(fd, UFFDIO_REGISTER, &reg);
}

/* The kernel may try for ever: only a fatal signal ends that. */
static void limit_time(void)
{
	const struct itimerval limit = {.it_value.tv_usec = MOVE_LIMIT_US};
	sigset_t none;

	sigemptyset(&none);
	signal(SIGALRM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
}

/* One page of a huge one, of which a pipe holds another. */
static enum held move_held(const struct machine *m, char *huge, char *to)
{
	struct iovec v = {huge + m->page_size, m->page_size};
	struct uffdio_move move = {
		.dst = (uintptr_t)to, .src = (uintptr_t)huge, .len = m->page_size};
	bool user_only;
	uint64_t have;
	int fd = uffd_new(&user_only), pipes[2];

	madvise(huge, m->pmd_size, MADV_HUGEPAGE);
	*huge = 1;
	if (fd < 0 || pipe(pipes) < 0 || vmsplice(pipes[1], &v, 1, 0) < 0 ||
		uffd_api(fd, UFFD_FEATURE_MOVE, &have) < 0 ||
		register_missing(fd, huge, m->pmd_size) < 0 ||
		register_missing(fd, to, m->pmd_size) < 0)
		return HELD_FAILED;
	limit_time();
	/* Moved: it was no huge page. */
	return ioctl(fd, UFFDIO_MOVE, &move) == 0 ? HELD_CANNOT_TRY : HELD_GIVEN_UP;
}

const char *probe_uffd_move_held(struct probe *p)
{
	const char *why = caps_missing(CAP_HAS_UFFD_MOVE);
	char *huge, *to;
	int status = 0;
	pid_t pid;

	if (why)
		return why;
	huge = probe_map(p->m->pmd_size);
	to = probe_map(p->m->pmd_size);
	pid = huge && to ? fork() : -1;
	if (pid == 0)
		_exit((int)move_held(p->m, huge, to));
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (huge)
		probe_unmap(huge, p->m->pmd_size);
	if (to)
		probe_unmap(to, p->m->pmd_size);
	if (pid > 0 && WIFSIGNALED(status))
		return "UFFDIO_MOVE tries for ever while somebody holds the huge page";
	if (pid < 0 || WEXITSTATUS(status) == HELD_FAILED)
		return "UFFDIO_MOVE of a held page cannot be tried";
	return WEXITSTATUS(status) == HELD_GIVEN_UP ? NULL : "no huge page to try it";
}

const char *probe_uffd_poison(struct probe *p)
{
	return feature(p, UFFD_FEATURE_POISON, "6.6");
}

/* Forks are told to CAP_SYS_PTRACE alone, whatever the sysctl says. */
const char *probe_uffd_events(struct probe *p)
{
	bool user_only;
	_cleanup_close_ int fd = uffd_new(&user_only);
	uint64_t have = 0;
	int r;

	if (fd < 0)
		return probe_uffd(p);
	r = uffd_api(fd,
		UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE |
			UFFD_FEATURE_EVENT_UNMAP,
		&have);
	if (r == -EPERM)
		return "hearing of forks needs CAP_SYS_PTRACE";
	return r < 0 ? probe_no(p, "UFFDIO_API: %s", strerror(-r)) : NULL;
}
