/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The findings store: what was found on this machine, or on all that were merged, over all runs. DIR/findings.db (SQLite) has a row a
 * title and a row for each run that saw it; DIR/groups/NAME/ has the same as files that can be read, searched and copied. What
 * cannot be filed stands as DIR/unfiled-*.json, or with the caller, until it can.
 */
#ifndef SUNDER_FINDING_STORE_H
#define SUNDER_FINDING_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

struct store;

/* One title as one run has seen it. Strings are UTF-8 without control characters but newline; NULL counts as "". */
struct store_sight {
	const char *title; /* one line */
	const char *
		alt; /* other titles, newline separated, sorted; with the title they are the group's key */
	const char *oracle;
	const char *
		run; /* names the run: same for all its findings, different from other runs' everywhere */
	const char *kernel, *machine, *boot_id, *job, *version;
	const char *program; /* text form */
	const char *evidence; /* several lines, the ops in flight among them */
	const char *context; /* JSON: what the machine was like */
	const char *output; /* the run's directory */
	uint64_t seed, round, count; /* count: how often this run has seen it so far, >= 1 */
	int crew, lane; /* -1: not known */
	time_t first, last;
};

enum { STORE_ERR_MAX = 512 };

/*
 * Opens or makes the store in DIR (made if missing). A database that SQLite calls damaged is kept as findings.db.corrupt.N and
 * made anew from groups/; of an earlier schema it is brought up to date. Unfiled findings are filed. 0; -EROFS, -EACCES, -ENOSPC,
 * ...; -EBUSY: locked for more than 5 s; -ENOTSUP: made by a newer sunder. err says why, with what to do.
 */
int store_open(const char *dir, struct store **ret, char err[STORE_ERR_MAX]);
void store_close(struct store *s);

/*
 * Files a sight, or brings the count and last time of one that is filed up to date (same title and run). 0 or -errno; on failure the
 * finding stands in DIR/unfiled-*.json if that could be written, and is told on stderr.
 */
int store_add(struct store *s, const struct store_sight *x);

/* The same where no store could be opened: DIR/unfiled-*.json, else stderr has it whole. */
void store_add_unfiled(const char *dir, const struct store_sight *x);

enum store_status { STORE_NEW, STORE_KNOWN, STORE_HARDWARE, STORE_FIXED, STORE_STATUSES };
const char *store_status_name(enum store_status st);
int store_status_find(const char *name); /* enum store_status or -ENOENT */

/* A group as listed; strings live until the callback returns. */
struct store_group {
	int64_t id;
	const char *title, *alt, *oracle, *note, *dir; /* dir: below the store's, "groups/..." */
	enum store_status status;
	uint64_t count, runs, machines, kernels;
	const char *first, *last; /* UTC, ISO 8601 */
};

/* Groups, the last seen first. 0, what the callback returned if not 0, or -errno. */
int store_each(struct store *s, int (*each)(void *arg, const struct store_group *g), void *arg);

/* Sights of a group, the last first; of x, strings live until the callback returns. */
int store_each_sight(struct store *s, int64_t group,
	int (*each)(void *arg, const struct store_sight *x), void *arg);

/*
 * The id of a group by its number, its title, or a part of a title that only one has. -ENOENT, -EEXIST: several have it.
 */
int store_find(struct store *s, const char *what, int64_t *ret_id);

/* Sets what is known of a group, and a note (NULL: the note stays). A group that is seen again after `fixed` becomes new. 0 or -errno. */
int store_mark(struct store *s, int64_t id, enum store_status st, const char *note);

/* Takes over all that another store has. The same run counts once, however often it is merged. 0 or -errno. */
int store_merge(struct store *s, const char *dir, char err[STORE_ERR_MAX]);

const char *store_dir(const struct store *s);

#endif
