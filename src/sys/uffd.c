/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int uffd_new(bool *ret_user_only)
{
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	bool user_only = fd < 0 && errno == EPERM;

	if (user_only)
		fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (fd < 0)
		return -errno;
	*ret_user_only = user_only;
	return (int)fd;
}

int uffd_api(int fd, uint64_t features, uint64_t *ret)
{
	struct uffdio_api api = {.api = UFFD_API, .features = features};

	if (ioctl(fd, UFFDIO_API, &api) < 0)
		return -errno;
	*ret = api.features;
	return 0;
}
