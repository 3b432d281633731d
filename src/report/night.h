/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of night.c. Private to the room. */
#ifndef SUNDER_REPORT_NIGHT_PARTS_H
#define SUNDER_REPORT_NIGHT_PARTS_H

#include "report/night.h"
#include "report/series.h"

enum { TITLE_MAX = 300, TEXT_CLIP = 400, NIGHT_RUNS_MAX = 8192, TIMELINE_BUCKETS = 600 };

/* ---- files that others wrote: night_file.c ---- */

/*
 * A regular file whole, NUL-terminated, for free(). No symlink is followed, no pipe waited for. cut: of a longer file the first
 * max bytes are taken; else -EFBIG. 0 or -errno.
 */
int file_take(int dir_fd, const char *name, size_t max, bool cut, char **ret, size_t *ret_len);
/* The directory below dir_fd: an fd or -errno. No symlink is followed. */
int file_dir(int dir_fd, const char *name);

/* ---- directories of runs: night_find.c ---- */

struct night_visitor {
	void *arg;
	void (*run)(void *arg, const char *dir,
		int fd); /* has a summary.json, or a task.json of a fleet */
	void (*store)(void *arg, const char *dir, int fd); /* a store of findings */
	void (*damaged)(void *arg, const char *dir, const char *why);
};
/* Calls for what is in and below dir, by name. */
void night_find(const char *dir, const struct night_visitor *v);

/* ---- values of a document that anybody may have written: night_value.c ---- */

const char *value_text(const json_t *o, const char *key); /* "" if it is none */
uint64_t value_count(const json_t *o, const char *key); /* 0 if it is none, or below */
double value_number(const json_t *o, const char *key);
/* Its text as a new reference: one line, at most max bytes, control characters become '?'. */
json_t *value_clip(const char *text, size_t max);
/* Several lines, the same otherwise. */
json_t *value_lines(const char *text, size_t max);
/* o[key] += n. */
void value_add(json_t *o, const char *key, uint64_t n);
/* o[key], made as an object or an array if it is not there. Borrowed. */
json_t *value_object(json_t *o, const char *key);
json_t *value_array(json_t *o, const char *key);
/* Adds the text to an array unless it is there. */
void value_unite(json_t *array, const char *text);
/* "2026-01-02T03:04:05Z": seconds since 1970; -1 if it is none. */
int64_t value_time(const char *text);
json_t *value_stamp(int64_t seconds);

/* ---- sums over runs ---- */

/* A run of the document, from its summary. node: who ran it, where a fleet says so; else "". */
json_t *night_run(const char *dir, const json_t *summary, const char *node);

/* doc["findings"]: a group for each set of titles. summary: of doc["runs"][index], in dir_fd. */
void night_findings(json_t *doc, size_t index, const json_t *summary, int dir_fd);
/* The same of a store's sight that no run in the document has. */
void night_sight(json_t *doc, const char *store, const json_t *sight);
/* No run in the document has it. */
bool night_is_of_store(const json_t *group);
/* Sorts and counts when all are in. */
void night_findings_end(json_t *doc);

/* doc["coverage"], doc["overlap"], doc["skips"]. */
void night_sums(json_t *doc, size_t index, const json_t *summary);
void night_sums_end(json_t *doc);

/*
 * The run's series for plotting in at most `buckets` pieces (new reference), NULL if it has none; its last row goes into the run
 * where the summary is older.
 */
json_t *night_series(json_t *run, int dir_fd, size_t buckets);
/* doc["timeline"]: all runs on one axis. */
void night_timeline(json_t *doc);

/* What is new in doc and what is gone, against the document of an earlier night. */
json_t *night_compare(const json_t *doc, const json_t *before);

/* ---- formats ---- */

void night_text(const json_t *doc, FILE *out);
void night_html(const json_t *doc, FILE *out);
void night_ktap(const json_t *doc, FILE *out);
void night_junit(const json_t *doc, FILE *out);

#endif
