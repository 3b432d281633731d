/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mirror.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/path.h"

enum { FIRST_SIZE = 1024 };

/* No file can be called so. */
#define MARK "/"

/* What was sent of a file. */
struct sent {
	uint64_t name; /* hash; 0: free */
	uint64_t stamp; /* of its times and size */
	uint64_t size;
	uint64_t inode;
};

struct mirror {
	struct sent *table; /* [size], a power of two */
	size_t size, used;
};

struct mirror *mirror_new(void)
{
	struct mirror *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->size = FIRST_SIZE;
	m->table = calloc(m->size, sizeof(*m->table));
	if (!m->table) {
		free(m);
		return NULL;
	}
	return m;
}

void mirror_free(struct mirror *m)
{
	if (!m)
		return;
	free(m->table);
	free(m);
}

static struct sent *place_of(struct sent *table, size_t size, uint64_t name)
{
	size_t i = name & (size - 1);

	while (table[i].name && table[i].name != name)
		i = (i + 1) & (size - 1);
	return &table[i];
}

static int grow(struct mirror *m)
{
	size_t size = 2 * m->size;
	struct sent *table = calloc(size, sizeof(*table));

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < m->size; i++)
		if (m->table[i].name)
			*place_of(table, size, m->table[i].name) = m->table[i];
	free(m->table);
	m->table = table;
	m->size = size;
	return 0;
}

static struct sent *find(struct mirror *m, const char *name)
{
	uint64_t hash = XXH64(name, strlen(name), 0) | 1;
	struct sent *s = place_of(m->table, m->size, hash);

	if (!s->name && 2 * m->used >= m->size) {
		if (grow(m) < 0)
			return NULL;
		s = place_of(m->table, m->size, hash);
	}
	m->used += !s->name;
	s->name = hash;
	return s;
}

static uint64_t stamp_of(const struct stat *st)
{
	const uint64_t words[] = {(uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
		(uint64_t)st->st_size, st->st_ino};

	return XXH64(words, sizeof(words), 1);
}

static void note_sent(struct sent *s, const struct stat *st)
{
	s->stamp = stamp_of(st);
	s->size = (uint64_t)st->st_size;
	s->inode = st->st_ino;
}

void mirror_known(struct mirror *m, const char *root, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	struct sent *s;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	if (stat(path, &st) == 0 && (s = find(m, name)))
		note_sent(s, &st);
}

/* Those that AFL only ever appends to: all of it again every few seconds would be a lot at the end of a night. */
static bool grows(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash && strcmp(slash + 1, "plot_data") == 0;
}

/* 1: sent; 0: not new; -errno of the link. A file that went away meanwhile is none. */
static int send_file(struct mirror *m, struct link *l, const char *path, const char *name)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_free_ unsigned char *data = NULL;
	struct sent *s = find(m, name);
	uint64_t from = 0;
	struct stat st;
	ssize_t n;
	int r;

	if (!s)
		return -ENOMEM;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || s->stamp == stamp_of(&st))
		return 0;
	if (grows(name) && s->inode == st.st_ino && (uint64_t)st.st_size >= s->size)
		from = s->size;
	if ((uint64_t)st.st_size - from > LINK_DATA_MAX)
		return 0;
	data = malloc((size_t)st.st_size - from + 1);
	if (!data)
		return -ENOMEM;
	n = pread(fd, data, (size_t)st.st_size - from, (off_t)from);
	if (n < 0)
		return 0;
	st.st_size = (off_t)from + n; /* what was sent: if it has more, it is sent again */
	r = link_put(l, name, from, (uint64_t)st.st_size, data, (size_t)n);
	if (r == 0)
		note_sent(s, &st);
	return r < 0 ? r : 1;
}

int mirror_send(struct mirror *m, struct link *l, const char *root, const char *dir,
	bool (*want)(void *arg, const char *name), void *arg)
{
	char path[PATH_MAX], name[LINK_NAME_MAX];
	int sent = 0, r = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", root, dir);
	d = opendir(path);
	while (d && r >= 0 && (e = readdir(d))) {
		if (e->d_name[0] == '.' ||
			snprintf(name, sizeof(name), "%s/%s", dir, e->d_name) >=
				(int)sizeof(name) ||
			snprintf(path, sizeof(path), "%s/%s", root, name) >= (int)sizeof(path))
			continue;
		if (e->d_type == DT_DIR)
			r = mirror_send(m, l, root, name, want, arg);
		else if (e->d_type == DT_REG && (!want || want(arg, name)))
			r = send_file(m, l, path, name);
		else
			r = 0;
		sent += r > 0 ? r : 0;
	}
	if (d)
		closedir(d);
	return r < 0 ? r : sent;
}

/* ---- taking ---- */

/* A name as mirror_send() makes them: the other side may have a kernel that lost its mind. */
static bool is_sane(const char *name)
{
	if (!*name || *name == '/' || *name == '.' || strstr(name, "/.") || strstr(name, "//"))
		return false;
	for (const char *p = name; *p; p++)
		if (!isprint((unsigned char)*p))
			return false;
	return name[strlen(name) - 1] != '/';
}

static int make_parent(const char *path)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
	return path_make_dirs(dir);
}

static int write_data(int fd, const struct link_record *x)
{
	size_t done = 0;

	while (done < x->len) {
		ssize_t n = pwrite(fd, x->data + done, x->len - done, (off_t)(x->offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return ftruncate(fd, (off_t)x->size) < 0 ? -errno : 0;
}

/* Whole files come by rename; the rest of one that grows is put where it belongs. */
static int write_file(const char *path, const struct link_record *x)
{
	char tmp[PATH_MAX];
	_cleanup_close_ int fd = -1;
	int r;

	if (x->offset) {
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		return fd < 0 ? -errno : write_data(fd, x);
	}
	/* Hidden from AFL, which reads these directories. */
	snprintf(tmp, sizeof(tmp), "%.*s/.arriving", (int)(strrchr(path, '/') - path), path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	r = fd < 0 ? -errno : write_data(fd, x);
	return r == 0 && rename(tmp, path) < 0 ? -errno : r;
}

static int take_one(const struct link_record *x, struct mirror_taking *t)
{
	char to[LINK_NAME_MAX], path[PATH_MAX];
	int r;

	if (!is_sane(x->name))
		return 0;
	snprintf(to, sizeof(to), "%s", x->name);
	if (t->where && !t->where(t->arg, x->name, to, sizeof(to)))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", t->root, to);
	r = make_parent(path);
	if (r == 0)
		r = write_file(path, x);
	if (r == 0 && t->taken)
		t->taken(t->arg, to);
	return r < 0 ? r : 1;
}

int mirror_take(struct link *l, struct mirror_taking *t)
{
	struct link_record x;
	int n = 0, r;

	while ((r = link_next(l, &x)) > 0) {
		if (strcmp(x.name, MARK) == 0) {
			t->marked = true;
			continue;
		}
		r = take_one(&x, t);
		if (r < 0)
			return r;
		n += r;
	}
	return r < 0 ? r : n;
}

int mirror_mark(struct link *l)
{
	return link_put(l, MARK, 0, 0, NULL, 0);
}
