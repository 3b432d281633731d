/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small files of /sys and /proc, behind a settable root: "/proc/meminfo" is read at ROOT/proc/meminfo,
 * so that tests and captured machines are read by the same code. The root is "" until set.
 */
#ifndef SUNDER_BASE_PATH_H
#define SUNDER_BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The root stays the caller's memory. Set before threads start. */
void path_set_root(const char *root);
const char *path_root(void);

/* ROOT + path into buf; 0 or -ENAMETOOLONG. */
int path_real(const char *path, char *buf, size_t size);

/* open(2) under the root, O_CLOEXEC added; an fd or -errno. */
int path_open(const char *path, int flags);

bool path_exists(const char *path);

/*
 * Reads a small file whole, strips trailing white space, ends it with NUL.
 * Returns the length or -errno; longer content is cut at size - 1.
 */
ssize_t path_read(const char *path, char *buf, size_t size);

/* Reads a decimal or 0x number; 0 or -errno (-EINVAL: not a number). */
int path_read_u64(const char *path, unsigned long long *ret);

/* Writes without creating or truncating (for knobs). 0 or -errno; a short write is -EIO. */
int path_write(const char *path, const char *value);

/*
 * For a knob that lists its choices, as in "always [madvise] never": the chosen word.
 * 0 or -errno; -EINVAL without brackets.
 */
int path_read_choice(const char *path, char *buf, size_t size);

/* mkdir -p, mode 0755. 0 or -errno. Not under the root: for our own output. */
int path_make_dirs(const char *path);

/*
 * Writes a file of our own by temporary name, fsync and rename: after a crash, too, there is the old
 * one or the new one. 0 or -errno. Not under the root.
 */
int path_publish(const char *path, const char *data, size_t len);

#endif
