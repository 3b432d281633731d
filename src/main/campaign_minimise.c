/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --minimise: afl-showmap runs every entry of the corpus once, in one harness, and few that reach all of it are chosen. (afl-cmin
 * cannot do that: it starts a target for each file, and takes it for a program that reads one.)
 */
#include "campaign.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "cover.h"
#include "tree.h"

/* An entry under the hash of its content: the same of several instances is one. */
static int take(const struct campaign *c, const char *path, size_t *n)
{
	_cleanup_free_ unsigned char *data = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	char to[PATH_MAX];
	size_t len;

	data = corpus_slurp(path, &len);
	if (!data || !len || (c->kills.n && kills_quarantined(&c->kills, corpus_key(data, len))))
		return 0;
	snprintf(to, sizeof(to), "%s/minimise/in/%016llx", c->dir,
		(unsigned long long)XXH64(data, len, 0));
	if (access(to, F_OK) == 0)
		return 0;
	f = fopen(to, "we");
	if (!f || fwrite(data, 1, len, f) != len)
		return -EIO;
	++*n;
	return 0;
}

static int take_all(const struct campaign *c, const char *dir, size_t *n)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d = opendir(dir);
	int r = 0;

	while (d && r == 0 && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		r = take(c, path, n);
	}
	if (d)
		closedir(d);
	return r;
}

int campaign_minimise_begin(struct campaign *c)
{
	static const char *const dirs[] = {"minimise", "result"};
	char path[PATH_MAX];
	struct dirent *e;
	size_t n = 0;
	DIR *d;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", c->dir, dirs[i]);
		tree_remove(path);
	}
	snprintf(path, sizeof(path), "%s/minimise/in", c->dir);
	r = path_make_dirs(path);
	snprintf(path, sizeof(path), "%s/afl", c->dir);
	d = opendir(path);
	while (d && r == 0 && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/afl/%s/queue", c->dir, e->d_name);
		r = take_all(c, path, &n);
	}
	if (d)
		closedir(d);
	if (r == 0 && !n)
		r = take_all(c, c->seeds, &n);
	if (r == 0)
		log_note("minimising %zu entries", n);
	return r;
}

/* ---- choosing ---- */

struct names {
	char (*name)[17];
	size_t n;
};

static int add_entry(
	const struct campaign *c, struct cover *v, struct names *names, const char *name)
{
	char path[PATH_MAX];
	_cleanup_free_ char *map = NULL;
	struct stat st;
	void *more;
	size_t len;
	int r;

	snprintf(path, sizeof(path), "%s/minimise/in/%s", c->dir, name);
	if (strlen(name) != 16 || stat(path, &st) < 0)
		return 0;
	snprintf(path, sizeof(path), "%s/minimise/maps/%s", c->dir, name);
	map = (char *)corpus_slurp(path, &len);
	if (!map)
		return errno == ENOENT ? 0 : -errno;
	r = cover_add(v, (size_t)st.st_size, map);
	if (r < 0)
		return r;
	more = realloc(names->name, (names->n + 1) * sizeof(*names->name));
	if (!more)
		return -ENOMEM;
	names->name = more;
	snprintf(names->name[names->n++], sizeof(names->name[0]), "%s", name);
	return 0;
}

static int write_result(
	const struct campaign *c, const struct names *names, const unsigned char *keep)
{
	char from[PATH_MAX], to[PATH_MAX];
	unsigned int n = 0;
	int r;

	snprintf(to, sizeof(to), "%s/result/corpus", c->dir);
	r = path_make_dirs(to);
	for (size_t i = 0; r == 0 && i < names->n; i++) {
		_cleanup_free_ unsigned char *data = NULL;
		size_t len;

		if (!keep[i])
			continue;
		snprintf(from, sizeof(from), "%s/minimise/in/%s", c->dir, names->name[i]);
		snprintf(
			to, sizeof(to), "%s/result/corpus/id:%06u,%s", c->dir, n++, names->name[i]);
		data = corpus_slurp(from, &len);
		r = data ? path_publish(to, (const char *)data, len) : -errno;
	}
	return r;
}

static int choose(struct campaign *c, struct cover *v, struct names *names)
{
	_cleanup_free_ unsigned char *keep = NULL;
	char text[160], path[PATH_MAX];
	struct dirent *e;
	DIR *d;
	int r = 0, n;

	snprintf(path, sizeof(path), "%s/minimise/maps", c->dir);
	d = opendir(path);
	while (d && r == 0 && (e = readdir(d)))
		r = add_entry(c, v, names, e->d_name);
	if (d)
		closedir(d);
	if (r == 0 && !names->n)
		r = -ENODATA;
	keep = r == 0 ? calloc(names->n, 1) : NULL;
	if (!keep)
		return r < 0 ? r : -ENOMEM;
	n = cover_choose(v, keep);
	r = n < 0 ? n : write_result(c, names, keep);
	if (r < 0)
		return r;
	n = snprintf(text, sizeof(text),
		"%d of %zu entries reach all %zu places of the map that they all reach\n", n,
		names->n, cover_reached(v));
	snprintf(path, sizeof(path), "%s/result/minimise.txt", c->dir);
	return path_publish(path, text, (size_t)n);
}

int campaign_minimise_end(struct campaign *c)
{
	struct cover *v = cover_new();
	struct names names = {0};
	char path[PATH_MAX];
	int r = v ? choose(c, v, &names) : -ENOMEM;

	cover_free(v);
	free(names.name);
	snprintf(path, sizeof(path), "%s/minimise", c->dir);
	tree_remove(path);
	return r;
}
