/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory of plain files that stands in for /sys and /proc: made by the test, removed by the
 * test.
 */
#ifndef SUNDER_TESTS_FAKE_ROOT_H
#define SUNDER_TESTS_FAKE_ROOT_H

#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/path.h"

static char fake_root[64];

static inline void fake_root_make(void)
{
	/* In memory where possible: many tests sync often, and prove nothing about the disk. */
	snprintf(fake_root, sizeof(fake_root), "%s/sunder-test-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(fake_root));
	path_set_root(fake_root);
}

static inline int fake_root_remove_one(
	const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void fake_root_remove(void)
{
	path_set_root("");
	nftw(fake_root, fake_root_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Where a path of the fake machine really is; good for one call. */
static inline const char *fake_path(const char *path)
{
	static char real[4096];

	assert_int_equal(path_real(path, real, sizeof(real)), 0);
	return real;
}

/* Makes or replaces a file, with the directories above it. */
static inline void fake_file(const char *path, const char *content)
{
	char dir[4096], *slash;
	FILE *f;

	snprintf(dir, sizeof(dir), "%s", fake_path(path));
	slash = strrchr(dir, '/');
	*slash = '\0';
	assert_int_equal(path_make_dirs(dir), 0);
	f = fopen(fake_path(path), "w");
	assert_non_null(f);
	assert_true(fputs(content, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static inline void assert_fake(const char *path, const char *content)
{
	char now[4096];

	assert_true(path_read(path, now, sizeof(now)) >= 0);
	assert_string_equal(now, content);
}

#endif
