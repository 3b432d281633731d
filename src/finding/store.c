/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "finding/store.h"
#include "record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"

enum { SCHEMA = 1, BUSY_MS = 5000, SLUG_MAX = 60 };

struct store {
	sqlite3 *db;
	char dir[384];
};

static const char *const statuses[STORE_STATUSES] = {"new", "known", "hardware", "fixed"};

const char *store_status_name(enum store_status st)
{
	return st < STORE_STATUSES ? statuses[st] : "unknown";
}

int store_status_find(const char *name)
{
	for (int i = 0; i < STORE_STATUSES; i++)
		if (strcmp(statuses[i], name) == 0)
			return i;
	return -ENOENT;
}

const char *store_dir(const struct store *s)
{
	return s->dir;
}

/* ---- SQLite ---- */

static const char schema[] = "CREATE TABLE grp (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
			     " title TEXT NOT NULL, oracle TEXT NOT NULL, status INTEGER NOT "
			     "NULL DEFAULT 0,"
			     " note TEXT NOT NULL DEFAULT '', dir TEXT NOT NULL);"
			     "CREATE TABLE alias (grp INTEGER NOT NULL REFERENCES grp, title TEXT "
			     "NOT NULL, PRIMARY KEY (grp, title)) WITHOUT ROWID;"
			     "CREATE TABLE sight (grp INTEGER NOT NULL REFERENCES grp, run TEXT "
			     "NOT NULL, kernel TEXT, machine TEXT, boot_id TEXT, job TEXT,"
			     " version TEXT, program TEXT, evidence TEXT, context TEXT, output "
			     "TEXT, seed TEXT, round INTEGER, crew INTEGER, lane INTEGER,"
			     " count INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT "
			     "NULL, PRIMARY KEY (grp, run)) WITHOUT ROWID;"
			     "PRAGMA user_version = 1;";

static int errno_of(int sqlite)
{
	switch (sqlite & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_CANTOPEN:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	default:
		return -EIO;
	}
}

static int run_sql(struct store *s, const char *sql)
{
	return errno_of(sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

static void finalize(sqlite3_stmt **st)
{
	sqlite3_finalize(*st);
}
#define _cleanup_stmt_ __attribute__((cleanup(finalize)))

static int prepare(struct store *s, const char *sql, sqlite3_stmt **ret)
{
	return errno_of(sqlite3_prepare_v2(s->db, sql, -1, ret, NULL));
}

static void bind_text(sqlite3_stmt *st, int n, const char *text)
{
	sqlite3_bind_text(st, n, text ? text : "", -1, SQLITE_TRANSIENT);
}

static const char *column(sqlite3_stmt *st, int n)
{
	const unsigned char *text = sqlite3_column_text(st, n);

	return text ? (const char *)text : "";
}

/* ---- opening ---- */

static int take_over_groups(struct store *s);
static void file_unfiled(struct store *s);

static int connect(struct store *s)
{
	char path[sizeof(s->dir) + 32];
	int r;

	snprintf(path, sizeof(path), "%s/findings.db", s->dir);
	r = errno_of(
		sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL));
	if (r < 0)
		return r;
	sqlite3_busy_timeout(s->db, BUSY_MS);
	return run_sql(s,
		"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
}

static int version_of(struct store *s, int *ret)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(s, "PRAGMA user_version", &st);

	if (r < 0)
		return r;
	r = sqlite3_step(st);
	if (r != SQLITE_ROW)
		return r == SQLITE_DONE ? -EIO : errno_of(r);
	*ret = sqlite3_column_int(st, 0);
	return 0;
}

/* Makes the tables, or brings those of an earlier sunder up to date: one step a version, in one transaction. */
static int migrate(struct store *s)
{
	int version = 0, r = run_sql(s, "BEGIN IMMEDIATE");

	if (r < 0)
		return r;
	r = version_of(s, &version);
	if (r == 0 && version > SCHEMA)
		r = -ENOTSUP;
	if (r == 0 && version < 1)
		r = run_sql(s, schema);
	if (r < 0) {
		run_sql(s, "ROLLBACK");
		return r;
	}
	return run_sql(s, "COMMIT");
}

/* SQLite finds damage when it reads: all of it is read once, here. */
static int verify(struct store *s)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(s, "PRAGMA quick_check(1)", &st);

	if (r < 0)
		return r;
	r = sqlite3_step(st);
	if (r != SQLITE_ROW)
		return errno_of(r);
	return strcmp(column(st, 0), "ok") == 0 ? 0 : -EBADMSG;
}

/* Puts a damaged database aside, with its journal. */
static int set_aside(struct store *s)
{
	static const char *const parts[] = {"", "-wal", "-shm"};
	char from[sizeof(s->dir) + 64], to[sizeof(s->dir) + 64];
	int n = 1;

	sqlite3_close(s->db);
	s->db = NULL;
	do {
		snprintf(to, sizeof(to), "%s/findings.db.corrupt.%d", s->dir, n++);
	} while (access(to, F_OK) == 0 && n < 1000);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		snprintf(from, sizeof(from), "%s/findings.db%s", s->dir, parts[i]);
		snprintf(to, sizeof(to), "%s/findings.db.corrupt.%d%s", s->dir, n - 1, parts[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	log_warn(
		"%s/findings.db is damaged: kept as findings.db.corrupt.%d, made anew from groups/",
		s->dir, n - 1);
	return 0;
}

static int open_database(struct store *s)
{
	int r = connect(s);

	if (r == 0)
		r = verify(s);
	if (r != -EBADMSG)
		return r == 0 ? migrate(s) : r;
	r = set_aside(s);
	if (r == 0)
		r = connect(s);
	if (r == 0)
		r = migrate(s);
	return r == 0 ? take_over_groups(s) : r;
}

static void explain(const char *dir, int r, char err[STORE_ERR_MAX])
{
	const char *what =
		r == -EBUSY ? "another program holds its lock: try again when that has ended"
		: r == -ENOTSUP
			? "a newer sunder made it: use that, or another directory (--store DIR)"
		: r == -EROFS || r == -EACCES
			? "it cannot be written: use another directory (--store DIR), or be root"
		: r == -ENOSPC ? "the disk is full"
			       : strerror(-r);

	snprintf(err, STORE_ERR_MAX, "findings store %.300s: %s", dir, what);
}

int store_open(const char *dir, struct store **ret, char err[STORE_ERR_MAX])
{
	struct store *s = calloc(1, sizeof(*s));
	char groups[sizeof(s->dir) + 16];
	int r = s ? 0 : -ENOMEM;

	if (r == 0 && strlen(dir) >= sizeof(s->dir))
		r = -ENAMETOOLONG;
	if (r == 0) {
		strcpy(s->dir, dir);
		snprintf(groups, sizeof(groups), "%s/groups", dir);
		r = path_make_dirs(groups);
	}
	if (r == 0)
		r = open_database(s);
	if (r < 0) {
		explain(dir, r, err);
		store_close(s);
		return r;
	}
	file_unfiled(s);
	*ret = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	sqlite3_close(s->db);
	free(s);
}

/* ---- groups' directories ---- */

/* One bug has one set of titles: of those that share the common title, the others tell which. */
static char *key_of(const struct store_sight *x)
{
	char *key = NULL;

	return asprintf(&key, "%s\n%s", x->title, x->alt ? x->alt : "") < 0 ? NULL : key;
}

/* "groups/WORDS-OF-THE-TITLE-HASH": the hash keeps apart what the words do not. */
static void name_dir(const char *title, const char *key, char *buf, size_t size)
{
	char slug[SLUG_MAX];
	size_t n = 0;

	for (const char *p = title; *p && n < SLUG_MAX - 1; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')
			slug[n++] = c;
		else if (n && slug[n - 1] != '-')
			slug[n++] = '-';
	}
	while (n && slug[n - 1] == '-')
		n--;
	slug[n] = '\0';
	snprintf(buf, size, "groups/%s%s%08x", slug, n ? "-" : "",
		(unsigned int)XXH64(key, strlen(key), 0));
}

static int publish(struct store *s, const char *dir, const char *name, const char *text)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s/%s", s->dir, dir, name) < 0)
		return -ENOMEM;
	return path_publish(path, text, strlen(text));
}

/*
 * A sight's files: the group's newest program and evidence by plain names, each run's record by the run's. seen: the run has seen it
 * before, so that its count alone is news.
 */
static int write_files(struct store *s, const char *dir, const struct store_sight *x, bool seen)
{
	_cleanup_free_ char *path = NULL, *json = record_text(x);
	char name[64];
	int r;

	if (!json || asprintf(&path, "%s/%s", s->dir, dir) < 0)
		return -ENOMEM;
	r = path_make_dirs(path);
	if (r == 0 && !seen)
		r = publish(s, dir, "title", x->title);
	if (r == 0 && !seen && x->evidence)
		r = publish(s, dir, "evidence.txt", x->evidence);
	if (r == 0 && !seen && x->program && *x->program)
		r = publish(s, dir, "program.txt", x->program);
	snprintf(name, sizeof(name), "run-%016" PRIx64 ".json",
		(uint64_t)XXH64(x->run, strlen(x->run), 0));
	return r == 0 ? publish(s, dir, name, json) : r;
}

static int take_over_file(struct store *s, const char *path)
{
	struct record_sight *x = NULL;
	int r = record_read(path, &x);

	if (r < 0) {
		log_warn("%s: %s: left alone", path, strerror(-r));
		return r;
	}
	r = store_add(s, &x->sight);
	record_free(x);
	return r;
}

/* Every run's record of every group. One that cannot be read is told and left. */
static int take_over_groups(struct store *s)
{
	_cleanup_free_ char *top = NULL;
	struct dirent *g, *e;
	DIR *groups;

	if (asprintf(&top, "%s/groups", s->dir) < 0)
		return -ENOMEM;
	groups = opendir(top);
	if (!groups)
		return -errno;
	while ((g = readdir(groups))) {
		_cleanup_free_ char *sub = NULL;
		DIR *d;

		if (g->d_name[0] == '.' || asprintf(&sub, "%s/%s", top, g->d_name) < 0)
			continue;
		d = opendir(sub);
		while (d && (e = readdir(d))) {
			_cleanup_free_ char *path = NULL;

			if (strncmp(e->d_name, "run-", 4) == 0 &&
				asprintf(&path, "%s/%s", sub, e->d_name) > 0)
				take_over_file(s, path);
		}
		if (d)
			closedir(d);
	}
	closedir(groups);
	return 0;
}

/* ---- filing ---- */

static int group_of(
	struct store *s, const struct store_sight *x, int64_t *ret_id, char *dir, size_t size)
{
	_cleanup_stmt_ sqlite3_stmt *find = NULL, *make = NULL;
	_cleanup_free_ char *key = key_of(x);
	int r = key ? prepare(s, "SELECT id, dir FROM grp WHERE key = ?", &find) : -ENOMEM;

	if (r < 0)
		return r;
	bind_text(find, 1, key);
	r = sqlite3_step(find);
	if (r == SQLITE_ROW) {
		*ret_id = sqlite3_column_int64(find, 0);
		snprintf(dir, size, "%s", column(find, 1));
		return 0;
	}
	if (r != SQLITE_DONE)
		return errno_of(r);
	name_dir(x->title, key, dir, size);
	r = prepare(s, "INSERT INTO grp (title, oracle, dir, key) VALUES (?, ?, ?, ?)", &make);
	if (r < 0)
		return r;
	bind_text(make, 1, x->title);
	bind_text(make, 2, x->oracle);
	bind_text(make, 3, dir);
	bind_text(make, 4, key);
	r = errno_of(sqlite3_step(make));
	*ret_id = sqlite3_last_insert_rowid(s->db);
	return r;
}

static int add_aliases(struct store *s, int64_t id, const char *alt)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	_cleanup_free_ char *copy = strdup(alt ? alt : "");
	char *cursor = copy, *line;
	int r = prepare(s, "INSERT OR IGNORE INTO alias VALUES (?, ?)", &st);

	if (!copy)
		return -ENOMEM;
	while (r == 0 && (line = strsep(&cursor, "\n"))) {
		if (!*line)
			continue;
		sqlite3_bind_int64(st, 1, id);
		bind_text(st, 2, line);
		r = errno_of(sqlite3_step(st));
		sqlite3_reset(st);
	}
	return r;
}

static int insert_sight(struct store *s, int64_t id, const struct store_sight *x)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	char seed[24];
	int r = prepare(s,
		"INSERT INTO sight VALUES "
		"(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18) ON CONFLICT DO "
		"UPDATE SET"
		" count = max(count, excluded.count), first = min(first, excluded.first), last = "
		"max(last, excluded.last)",
		&st);

	if (r < 0)
		return r;
	snprintf(seed, sizeof(seed), "%" PRIu64, x->seed);
	sqlite3_bind_int64(st, 1, id);
	bind_text(st, 2, x->run);
	bind_text(st, 3, x->kernel);
	bind_text(st, 4, x->machine);
	bind_text(st, 5, x->boot_id);
	bind_text(st, 6, x->job);
	bind_text(st, 7, x->version);
	bind_text(st, 8, x->program);
	bind_text(st, 9, x->evidence);
	bind_text(st, 10, x->context);
	bind_text(st, 11, x->output);
	bind_text(st, 12, seed);
	sqlite3_bind_int64(st, 13, (int64_t)x->round);
	sqlite3_bind_int(st, 14, x->crew);
	sqlite3_bind_int(st, 15, x->lane);
	sqlite3_bind_int64(st, 16, (int64_t)x->count);
	sqlite3_bind_int64(st, 17, x->first);
	sqlite3_bind_int64(st, 18, x->last);
	return errno_of(sqlite3_step(st));
}

/* Seen by a run that began after somebody said that it was fixed: it is not. */
static int reopen(struct store *s, int64_t id, bool seen)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r;

	if (seen)
		return 0;
	r = prepare(s,
		"UPDATE grp SET status = 0, note = 'came back; ' || note WHERE id = ? AND status = "
		"3",
		&st);
	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, id);
	return errno_of(sqlite3_step(st));
}

static int has_sight(struct store *s, int64_t id, const char *run, bool *ret)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(s, "SELECT 1 FROM sight WHERE grp = ? AND run = ?", &st);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, id);
	bind_text(st, 2, run);
	r = sqlite3_step(st);
	*ret = r == SQLITE_ROW;
	return errno_of(r);
}

static int file_sight(
	struct store *s, const struct store_sight *x, char *dir, size_t size, bool *ret_seen)
{
	int64_t id = 0;
	bool seen = false;
	int r = run_sql(s, "BEGIN IMMEDIATE");

	if (r < 0)
		return r;
	r = group_of(s, x, &id, dir, size);
	if (r == 0)
		r = has_sight(s, id, x->run, &seen);
	if (r == 0)
		r = add_aliases(s, id, x->alt);
	if (r == 0)
		r = insert_sight(s, id, x);
	if (r == 0)
		r = reopen(s, id, seen);
	if (r < 0) {
		run_sql(s, "ROLLBACK");
		return r;
	}
	*ret_seen = seen;
	return run_sql(s, "COMMIT");
}

int store_add(struct store *s, const struct store_sight *x)
{
	char dir[128];
	bool seen;
	int r = file_sight(s, x, dir, sizeof(dir), &seen);

	if (r == 0) {
		int e = write_files(s, dir, x, seen);

		if (e < 0)
			log_warn("%s/%s: %s; the finding is in findings.db", s->dir, dir,
				strerror(-e));
		return 0;
	}
	log_error("findings store %s: %s", s->dir, strerror(-r));
	store_add_unfiled(s->dir, x);
	return r;
}

/* ---- what could not be filed ---- */

void store_add_unfiled(const char *dir, const struct store_sight *x)
{
	_cleanup_free_ char *path = NULL, *json = record_text(x);
	uint64_t id = XXH64(x->title, strlen(x->title), XXH64(x->run, strlen(x->run), 0));

	if (json && asprintf(&path, "%s/unfiled-%016" PRIx64 ".json", dir, id) > 0 &&
		path_make_dirs(dir) == 0 && path_publish(path, json, strlen(json)) == 0) {
		log_warn("the finding stands in %s until the store can take it", path);
		return;
	}
	log_error("the finding cannot be written anywhere; here it is:");
	fprintf(stderr, "%s\n%s\n", x->title, json ? json : x->evidence ? x->evidence : "");
}

static void file_unfiled(struct store *s)
{
	DIR *d = opendir(s->dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_cleanup_free_ char *path = NULL;

		if (strncmp(e->d_name, "unfiled-", 8) != 0 ||
			asprintf(&path, "%s/%s", s->dir, e->d_name) < 0)
			continue;
		if (take_over_file(s, path) == 0)
			unlink(path);
	}
	if (d)
		closedir(d);
}

/* ---- reading ---- */

static const char *const list_sql =
	"SELECT g.id, g.title, (SELECT group_concat(title, char(10)) FROM (SELECT title FROM alias "
	"WHERE grp = g.id ORDER BY title)), "
	"g.oracle, g.note, g.dir, g.status,"
	" sum(s.count), count(*), count(DISTINCT s.machine), count(DISTINCT s.kernel),"
	" strftime('%Y-%m-%dT%H:%M:%SZ', min(s.first), 'unixepoch'), "
	"strftime('%Y-%m-%dT%H:%M:%SZ', max(s.last), 'unixepoch')"
	" FROM grp g JOIN sight s ON s.grp = g.id GROUP BY g.id ORDER BY max(s.last) DESC, g.id "
	"DESC";

int store_each(struct store *s, int (*each)(void *arg, const struct store_group *g), void *arg)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(s, list_sql, &st), step = SQLITE_DONE;

	while (r == 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
		struct store_group g = {.id = sqlite3_column_int64(st, 0),
			.title = column(st, 1),
			.alt = column(st, 2),
			.oracle = column(st, 3),
			.note = column(st, 4),
			.dir = column(st, 5),
			.status = (enum store_status)sqlite3_column_int(st, 6),
			.count = (uint64_t)sqlite3_column_int64(st, 7),
			.runs = (uint64_t)sqlite3_column_int64(st, 8),
			.machines = (uint64_t)sqlite3_column_int64(st, 9),
			.kernels = (uint64_t)sqlite3_column_int64(st, 10),
			.first = column(st, 11),
			.last = column(st, 12)};

		r = each(arg, &g);
	}
	return r ? r : errno_of(step);
}

static struct store_sight sight_of(sqlite3_stmt *st)
{
	return (struct store_sight){.title = column(st, 0),
		.alt = column(st, 1),
		.oracle = column(st, 2),
		.run = column(st, 3),
		.kernel = column(st, 4),
		.machine = column(st, 5),
		.boot_id = column(st, 6),
		.job = column(st, 7),
		.version = column(st, 8),
		.program = column(st, 9),
		.evidence = column(st, 10),
		.context = column(st, 11),
		.output = column(st, 12),
		.seed = strtoull(column(st, 13), NULL, 10),
		.round = (uint64_t)sqlite3_column_int64(st, 14),
		.crew = sqlite3_column_int(st, 15),
		.lane = sqlite3_column_int(st, 16),
		.count = (uint64_t)sqlite3_column_int64(st, 17),
		.first = (time_t)sqlite3_column_int64(st, 18),
		.last = (time_t)sqlite3_column_int64(st, 19)};
}

#define SIGHT_COLUMNS                                                                             \
	"g.title, (SELECT group_concat(title, char(10)) FROM (SELECT title FROM alias WHERE grp " \
	"= g.id ORDER BY title)), g.oracle, "                                                     \
	"s.run, s.kernel, s.machine,"                                                             \
	" s.boot_id, s.job, s.version, s.program, s.evidence, s.context, s.output, s.seed, "      \
	"s.round, s.crew, s.lane, s.count,"                                                       \
	" s.first, s.last FROM sight s JOIN grp g ON g.id = s.grp"

int store_each_sight(struct store *s, int64_t group,
	int (*each)(void *arg, const struct store_sight *x), void *arg)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(
		    s, "SELECT " SIGHT_COLUMNS " WHERE s.grp = ? ORDER BY s.last DESC, s.run", &st),
	    step = SQLITE_DONE;

	if (r == 0)
		sqlite3_bind_int64(st, 1, group);
	while (r == 0 && (step = sqlite3_step(st)) == SQLITE_ROW) {
		struct store_sight x = sight_of(st);

		r = each(arg, &x);
	}
	return r ? r : errno_of(step);
}

int store_find(struct store *s, const char *what, int64_t *ret_id)
{
	static const char *const queries[] = {
		"SELECT id FROM grp WHERE id = CAST(?1 AS INTEGER) AND ?1 NOT GLOB '*[^0-9]*'",
		"SELECT id FROM grp WHERE title = ?1",
		"SELECT id FROM grp WHERE instr(title, ?1) > 0 LIMIT 2"};

	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		_cleanup_stmt_ sqlite3_stmt *st = NULL;
		int r = prepare(s, queries[i], &st);

		if (r < 0)
			return r;
		bind_text(st, 1, what);
		r = sqlite3_step(st);
		if (r == SQLITE_DONE)
			continue;
		if (r != SQLITE_ROW)
			return errno_of(r);
		*ret_id = sqlite3_column_int64(st, 0);
		return sqlite3_step(st) == SQLITE_ROW ? -EEXIST : 0;
	}
	return -ENOENT;
}

int store_mark(struct store *s, int64_t id, enum store_status status, const char *note)
{
	_cleanup_stmt_ sqlite3_stmt *st = NULL;
	int r = prepare(
		s, "UPDATE grp SET status = ?2, note = coalesce(?3, note) WHERE id = ?1", &st);

	if (r < 0)
		return r;
	sqlite3_bind_int64(st, 1, id);
	sqlite3_bind_int(st, 2, status);
	if (note)
		bind_text(st, 3, note);
	r = errno_of(sqlite3_step(st));
	return r < 0 ? r : sqlite3_changes(s->db) ? 0 : -ENOENT;
}

/* ---- merging ---- */

struct merging {
	struct store *into, *from;
};

static int add_one(void *arg, const struct store_sight *x)
{
	return store_add(arg, x);
}

static int merge_group(void *arg, const struct store_group *g)
{
	const struct store_sight same = {.title = g->title, .alt = g->alt, .oracle = g->oracle};
	struct merging *m = arg;
	char dir[128];
	int64_t id;
	int r = store_each_sight(m->from, g->id, add_one, m->into);

	/* What is known there is known here, unless somebody here knows better. */
	if (r == 0 && g->status != STORE_NEW)
		r = group_of(m->into, &same, &id, dir, sizeof(dir));
	if (r == 0 && g->status != STORE_NEW)
		r = store_mark(m->into, id, g->status, *g->note ? g->note : NULL);
	return r;
}

int store_merge(struct store *s, const char *dir, char err[STORE_ERR_MAX])
{
	struct merging m = {.into = s};
	char path[512];
	int r;

	snprintf(path, sizeof(path), "%s/findings.db", dir);
	if (access(path, F_OK) < 0) {
		r = -errno;
		snprintf(err, STORE_ERR_MAX, "%.400s: %s", path, strerror(-r));
		return r;
	}
	r = store_open(dir, &m.from, err);
	if (r < 0)
		return r;
	r = store_each(m.from, merge_group, &m);
	if (r < 0)
		snprintf(err, STORE_ERR_MAX, "merging %.400s: %s", dir, strerror(-r));
	store_close(m.from);
	return r;
}
