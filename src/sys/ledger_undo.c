/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger_entry.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

void knob_normalise(char *value)
{
	char *to = value;

	for (char *from = value; *from; from++) {
		if (!isspace((unsigned char)*from))
			*to++ = *from;
		else if (to > value && to[-1] != ' ')
			*to++ = ' ';
	}
	while (to > value && to[-1] == ' ')
		to--;
	*to = '\0';
}

int knob_read(const char *path, char *buf, size_t size)
{
	int r = path_read_choice(path, buf, size);

	if (r == -EINVAL) {
		ssize_t n = path_read(path, buf, size);

		if (n == (ssize_t)size - 1)
			return -EFBIG;
		r = n < 0 ? (int)n : 0;
	}
	if (r == 0)
		knob_normalise(buf);
	return r;
}

int knob_write(const char *path, const char *value)
{
	_cleanup_close_ int fd = path_open(path, O_WRONLY);
	/* A write of nothing never reaches the kernel's handler. */
	const char *text = *value ? value : "\n";
	ssize_t n, len = (ssize_t)strlen(text);

	if (fd < 0)
		return fd;
	n = write(fd, text, (size_t)len);
	if (n < 0)
		return -errno;
	/* Under a root of plain files nobody else takes the rest of a longer value away. */
	if (*path_root() && ftruncate(fd, n) < 0)
		return -errno;
	return n == len ? 0 : -EIO;
}

static int knob_undo(struct entry *e)
{
	char now[KNOB_MAX];
	int r = knob_read(e->path, now, sizeof(now));

	if (r < 0)
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	if (!strcmp(now, e->old))
		return 0;
	if (!e->pending && !entry_knows(e, now)) {
		log_warn("%s: someone else set it to \"%s\"; left so (it was \"%s\")", e->path, now,
			e->old);
		return -ESTALE;
	}
	r = knob_write(e->path, e->old);
	if (r == 0)
		r = knob_read(e->path, now, sizeof(now));
	if (r < 0)
		return r;
	return strcmp(now, e->old) ? -EAGAIN : 0;
}

static int mount_undo(const struct entry *e, const char *real)
{
	struct stat st;

	if (stat(real, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	/* Still the filesystem that was there before: ours is not mounted. */
	if (st.st_dev == strtoull(e->old, NULL, 10))
		return 0;
	if (umount2(real, UMOUNT_NOFOLLOW) == 0 || errno == EINVAL)
		return 0;
	return umount2(real, UMOUNT_NOFOLLOW | MNT_DETACH) < 0 ? -errno : 0;
}

int entry_undo(struct ledger *l, struct entry *e)
{
	bool same_boot = !strcmp(e->boot, l->boot);
	char real[PATH_MAX];
	int r;

	/* A reboot has undone what only the running kernel held. */
	if (!same_boot &&
		(e->kind == ENTRY_KNOB || e->kind == ENTRY_POOL || e->kind == ENTRY_MOUNT))
		return 0;
	if (e->kind == ENTRY_KNOB)
		return knob_undo(e);
	if (e->kind == ENTRY_POOL)
		return pool_undo(l, e);
	r = path_real(e->path, real, sizeof(real));
	if (r < 0)
		return r;
	if (e->kind == ENTRY_MOUNT)
		return mount_undo(e, real);
	r = e->kind == ENTRY_DIR ? rmdir(real) : unlink(real);
	return r < 0 && errno != ENOENT && errno != ENOTDIR ? -errno : 0;
}
