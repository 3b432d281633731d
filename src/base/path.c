/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/path.h"
#include "base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static const char *root = "";

void path_set_root(const char *r)
{
	root = r;
}

const char *path_root(void)
{
	return root;
}

int path_real(const char *path, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s%s", root, path);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int path_open(const char *path, int flags)
{
	char real[PATH_MAX];
	int r = path_real(path, real, sizeof(real));

	if (r < 0)
		return r;
	r = open(real, flags | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

bool path_exists(const char *path)
{
	char real[PATH_MAX];

	return path_real(path, real, sizeof(real)) == 0 && access(real, F_OK) == 0;
}

ssize_t path_read(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = path_open(path, O_RDONLY);
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	while (used < size - 1) {
		n = read(fd, buf + used, size - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	while (used > 0 && isspace((unsigned char)buf[used - 1]))
		used--;
	buf[used] = '\0';
	return (ssize_t)used;
}

int path_read_u64(const char *path, unsigned long long *ret)
{
	char buf[64], *end;
	unsigned long long v;
	ssize_t n = path_read(path, buf, sizeof(buf));

	if (n < 0)
		return (int)n;
	if (!isdigit((unsigned char)buf[0]))
		return -EINVAL;
	errno = 0;
	v = strtoull(buf, &end, 0);
	if (errno || *end)
		return -EINVAL;
	*ret = v;
	return 0;
}

int path_write(const char *path, const char *value)
{
	_cleanup_close_ int fd = path_open(path, O_WRONLY);
	size_t len = strlen(value);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = write(fd, value, len);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

int path_read_choice(const char *path, char *buf, size_t size)
{
	char text[256], *open, *close;
	ssize_t n = path_read(path, text, sizeof(text));

	if (n < 0)
		return (int)n;
	open = strchr(text, '[');
	close = open ? strchr(open, ']') : NULL;
	if (!close)
		return -EINVAL;
	n = snprintf(buf, size, "%.*s", (int)(close - open - 1), open + 1);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int path_make_dirs(const char *path)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(part))
		return len ? -ENAMETOOLONG : -ENOENT;
	memcpy(part, path, len + 1);
	for (char *p = part + 1;; p++) {
		bool last = *p == '\0';

		if (*p != '/' && !last)
			continue;
		*p = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (last)
			return 0;
		*p = '/';
	}
}

/* A name survives a crash only when its directory was synced; not every filesystem can. */
static void sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX] = ".";
	_cleanup_close_ int fd = -1;

	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		fsync(fd);
}

static int write_synced(const char *path, const char *data, size_t len)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	while (len > 0) {
		ssize_t w = write(fd, data, len);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		data += w;
		len -= (size_t)w;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int path_publish(const char *path, const char *data, size_t len)
{
	char tmp[PATH_MAX];
	int n = snprintf(tmp, sizeof(tmp), "%s.tmp", path), r;

	if (n < 0 || (size_t)n >= sizeof(tmp))
		return -ENAMETOOLONG;
	r = write_synced(tmp, data, len);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(tmp); /* a disk that is full needs the room, and nobody the half */
	else
		sync_parent(path);
	return r;
}
