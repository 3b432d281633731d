/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Hands out the whole lines of buf[0, used); returns how much of it is left, moved to the front. */
static size_t take_lines(char *buf, size_t used, line_fn *each, void *arg)
{
	char *at = buf, *end;

	while ((end = memchr(at, '\n', used - (size_t)(at - buf)))) {
		*end = '\0';
		each(arg, at);
		at = end + 1;
	}
	used -= (size_t)(at - buf);
	memmove(buf, at, used);
	return used;
}

int lines_read(int fd, char *buf, size_t size, line_fn *each, void *arg)
{
	size_t used = 0;
	off_t at = 0;

	for (;;) {
		ssize_t n = pread(fd, buf + used, size - 1 - used, at);

		if (n < 0)
			return -errno;
		at += n;
		used += (size_t)n;
		buf[used] = '\0';
		if (n)
			used = take_lines(buf, used, each, arg);
		if (used && (n == 0 || used == size - 1)) {
			buf[used] = '\0';
			each(arg, buf);
			used = 0;
		}
		if (n == 0)
			return 0;
	}
}
