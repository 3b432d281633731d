/* SPDX-License-Identifier: GPL-2.0-or-later */
/* userfaultfd(2) and what its UFFDIO_API says that it has. */
#include "probe.h"

#include "base/cleanup.h"
#include "sys/uffd.h"

#include <errno.h>
#include <string.h>

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
