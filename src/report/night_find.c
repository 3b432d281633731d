/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories of runs, however a lab has laid them out: DIR itself, or anything below it. */
#include "night.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { DEPTH_MAX = 8, NAMES_MAX = 65536 };

struct walk {
	const struct night_visitor *v;
	size_t found, names;
};

static bool has(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool may_be_dir(int fd, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_DIR;
	return fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Names of the directories in fd, sorted; *ret_empty: there is nothing at all. */
static size_t list(struct walk *w, int fd, char ***ret, bool *ret_empty)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *d = copy < 0 ? NULL : fdopendir(copy);
	char **names = NULL, **grown;
	struct dirent *e;
	size_t n = 0;

	*ret_empty = d != NULL;
	while (d && w->names < NAMES_MAX && (e = readdir(d))) {
		bool hidden = e->d_name[0] == '.';

		*ret_empty &= hidden;
		if (hidden || !may_be_dir(fd, e))
			continue;
		grown = reallocarray(names, n + 1, sizeof(*names));
		if (!grown)
			break;
		names = grown;
		names[n] = strdup(e->d_name);
		if (!names[n])
			break;
		n++;
		w->names++;
	}
	if (names)
		qsort(names, n, sizeof(*names), by_name);
	*ret = names;
	return n;
}

static void visit(struct walk *w, const char *dir, int fd, int depth);

static void descend(struct walk *w, const char *dir, int fd, int depth)
{
	char **names, *path;
	bool empty;
	size_t n = list(w, fd, &names, &empty);

	if (empty && depth > 0) {
		w->found++;
		w->v->damaged(
			w->v->arg, dir, "it is empty: the run that was to write here never began");
	}
	for (size_t i = 0; i < n; i++) {
		_cleanup_close_ int below = depth < DEPTH_MAX ? file_dir(fd, names[i]) : -ELOOP;

		if (asprintf(&path, "%s/%s", dir, names[i]) < 0)
			path = NULL;
		if (path && below >= 0)
			visit(w, path, below, depth + 1);
		else if (path)
			w->v->damaged(w->v->arg, path, strerror(-below));
		free(path);
		free(names[i]);
	}
	free(names);
}

static void visit(struct walk *w, const char *dir, int fd, int depth)
{
	if (has(fd, "summary.json") || has(fd, "task.json")) {
		w->found++;
		w->v->run(w->v->arg, dir, fd);
	} else if (has(fd, "findings.db") || has(fd, "groups")) {
		w->found++;
		w->v->store(w->v->arg, dir, fd);
	} else {
		descend(w, dir, fd, depth);
	}
}

void night_find(const char *dir, const struct night_visitor *v)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct walk w = {.v = v};
	char *clean = strdup(dir);

	for (size_t n = clean ? strlen(clean) : 0; n > 1 && clean[n - 1] == '/'; n--)
		clean[n - 1] = '\0';
	if (fd < 0)
		v->damaged(v->arg, dir, strerror(errno));
	else if (clean)
		visit(&w, clean, fd, 0);
	if (fd >= 0 && !w.found)
		v->damaged(v->arg, dir, "no run is in it: there is no summary.json here or below");
	free(clean);
}
