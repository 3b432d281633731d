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
#include <sys/swap.h>

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

static int write_text(const char *path, const char *value)
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

/* True if the list, words separated by single spaces, has the word. */
static bool has_word(const char *list, const char *word, size_t len)
{
	for (; *list; list += strcspn(list, " "), list += *list == ' ')
		if (strcspn(list, " ") == len && !strncmp(list, word, len))
			return true;
	return false;
}

/* One controller at a time: one that is in use, or not there, does not keep the others from their place. */
static int write_controllers(const char *path, const char *list, const char *other, char sign)
{
	char word[64];
	int first = 0, r;

	for (; *list; list += strcspn(list, " "), list += *list == ' ') {
		size_t len = strcspn(list, " ");

		if (has_word(other, list, len))
			continue;
		snprintf(word, sizeof(word), "%c%.*s", sign, (int)len, list);
		r = write_text(path, word);
		first = first ? first : r;
	}
	return first;
}

static bool is_subtree_control(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && !strcmp(name, "/cgroup.subtree_control");
}

static int subtree_write(const char *path, const char *value)
{
	char now[KNOB_MAX];
	int r, r2;

	/* A plain file of a test takes the list as it is. */
	if (*path_root())
		return write_text(path, value);
	r = knob_read(path, now, sizeof(now));
	if (r < 0)
		return r;
	r = write_controllers(path, now, value, '-');
	r2 = write_controllers(path, value, now, '+');
	return r ? r : r2;
}

int knob_write(const char *path, const char *value)
{
	return is_subtree_control(path) ? subtree_write(path, value) : write_text(path, value);
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

/* Not swapped on (any more), or gone: nothing to undo. */
static int swap_undo(const char *real)
{
	if (swapoff(real) == 0 || errno == EINVAL || errno == ENOENT)
		return 0;
	/* No room for what lies there: the executors' memory is on its way back. */
	return errno == ENOMEM || errno == EINTR ? -EAGAIN : -errno;
}

int entry_undo(struct ledger *l, struct entry *e)
{
	bool same_boot = !strcmp(e->boot, l->boot);
	char real[PATH_MAX];
	int r;

	/* A reboot has undone what only the running kernel held. */
	if (!same_boot && (e->kind == ENTRY_KNOB || e->kind == ENTRY_POOL ||
				  e->kind == ENTRY_MOUNT || e->kind == ENTRY_SWAP))
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
	if (e->kind == ENTRY_SWAP)
		return swap_undo(real);
	r = e->kind == ENTRY_DIR ? rmdir(real) : unlink(real);
	return r < 0 && errno != ENOENT && errno != ENOTDIR ? -errno : 0;
}
