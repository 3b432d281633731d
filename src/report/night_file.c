/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and directories that others wrote, perhaps to mislead a reader who is root. */
#include "night.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static int read_whole(int fd, char *buf, size_t want, size_t *ret_len)
{
	size_t len = 0;

	while (len < want) {
		ssize_t n = read(fd, buf + len, want - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	*ret_len = len;
	return 0;
}

int file_take(int dir_fd, const char *name, size_t max, bool cut, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd =
		openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_free_ char *buf = NULL;
	struct stat st;
	size_t want;
	int e;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ELOOP;
	if ((uint64_t)st.st_size > max && !cut)
		return -EFBIG;
	want = (uint64_t)st.st_size < max ? (size_t)st.st_size : max;
	buf = malloc(want + 1);
	if (!buf)
		return -ENOMEM;
	e = read_whole(fd, buf, want, ret_len);
	if (e == 0)
		*ret = TAKE_PTR(buf);
	return e;
}

int file_dir(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}
