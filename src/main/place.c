/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "place.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* An upgrade takes the file of a program that runs away and puts another one in its place (d_path() in fs/d_path.c). */
char *place_self(void)
{
	static const char gone[] = " (deleted)";
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return NULL;
	path[n] = '\0';
	if (access(path, X_OK) < 0 && (size_t)n > strlen(gone) &&
		strcmp(path + n - strlen(gone), gone) == 0)
		path[(size_t)n - strlen(gone)] = '\0';
	return access(path, X_OK) == 0 ? strdup(path) : NULL;
}

/* DIR/NAME for the first of the directories, relative to that of the program, that has it so; else NULL. */
static char *beside(const char *const dirs[], const char *name, int how)
{
	_cleanup_free_ char *self = place_self();
	const char *slash = self ? strrchr(self, '/') : NULL;

	for (size_t i = 0; slash && dirs[i]; i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%.*s/%s/%s", (int)(slash - self), self, dirs[i], name) < 0)
			return NULL;
		if (access(path, how) == 0)
			return realpath(path, NULL);
	}
	return NULL;
}

/* The build directory has links to the source tree (meson.build). */
char *place_script(const char *name)
{
	static const char *const dirs[] = {"../libexec/sunder", "tree/scripts", NULL};

	return beside(dirs, name, X_OK);
}

char *place_program(const char *name)
{
	static const char *const dirs[] = {"../libexec/sunder", ".", "fuzz", NULL};

	return beside(dirs, name, R_OK);
}

char *place_job(const char *name)
{
	static const char *const dirs[] = {"../share/sunder/workloads", "tree/workloads", NULL};
	char *found = NULL;

	if (name[0] && !strchr(name, '/') && access(name, F_OK) < 0)
		found = beside(dirs, name, R_OK);
	return found ? found : strdup(name);
}
