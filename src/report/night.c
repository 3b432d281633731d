/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document over many runs. */
#include "night.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

enum { SUMMARY_MAX = 32 << 20, TASK_MAX = 64 << 10, SIGHT_MAX = 4 << 20, SIGHTS_READ_MAX = 65536 };
/* Buckets of all runs together, and the least that one has. */
enum { BUCKETS_TOTAL = 24000, BUCKETS_LEAST = 30 };

enum what { RUN, STORE };
struct place {
	char *dir;
	enum what what;
};

struct load {
	json_t *doc;
	struct place *place;
	size_t n;
	bool series;
};

/* ---- what is there ---- */

static void add_damaged(void *arg, const char *dir, const char *why)
{
	struct load *l = arg;

	json_array_append_new(value_array(l->doc, "damaged"),
		json_pack("{s:o, s:o}", "dir", value_clip(dir, TEXT_CLIP), "why",
			value_clip(why, TEXT_CLIP)));
}

static void add_place(struct load *l, const char *dir, enum what what)
{
	struct place *grown;

	if (l->n == NIGHT_RUNS_MAX) {
		add_damaged(l, dir, "too many runs: this one and those after it are left out");
		l->n++;
	}
	if (l->n > NIGHT_RUNS_MAX)
		return;
	grown = reallocarray(l->place, l->n + 1, sizeof(*grown));
	if (!grown)
		return;
	l->place = grown;
	grown[l->n] = (struct place){strdup(dir), what};
	if (grown[l->n].dir)
		l->n++;
}

static void find_run(void *arg, const char *dir, int fd)
{
	add_place(arg, dir, RUN);
}

static void find_store(void *arg, const char *dir, int fd)
{
	add_place(arg, dir, STORE);
}

/* ---- runs ---- */

static __attribute__((format(printf, 3, 4))) void damaged(
	struct load *l, const char *dir, const char *fmt, ...)
{
	char why[TEXT_CLIP];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	add_damaged(l, dir, why);
}

static bool is_summary(const json_t *j)
{
	static const char *const known[] = {
		"OK", "FINDINGS", "LOST", "ERROR", "NO_RESOURCES", "NOTHING_RAN", "FAILED"};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(value_text(j, "status"), known[i]) == 0)
			return *value_text(j, "version") &&
			       json_is_array(json_object_get(j, "findings"));
	return false;
}

/* What a fleet says of who runs here (scripts/slurm/task): new reference, NULL if there is none. */
static json_t *take_task(int fd)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (file_take(fd, "task.json", TASK_MAX, false, &text, &len) < 0)
		return NULL;
	return json_loadb(text, len, 0, NULL);
}

/* A node that died before its run had written anything. */
static json_t *summary_of_task(const json_t *task)
{
	if (!*value_text(task, "node") || !json_is_null(json_object_get(task, "code")))
		return NULL;
	return json_pack("{s:s, s:s, s:s, s:s, s:[], s:{s:o}}", "version", SUNDER_VERSION, "status",
		"FAILED", "seed", value_text(task, "seed"), "job", "", "findings", "times",
		"started", value_stamp((int64_t)value_count(task, "began")));
}

static json_t *take_summary(struct load *l, const char *dir, int fd, const json_t *task)
{
	_cleanup_free_ char *text = NULL;
	json_t *j = NULL;
	json_error_t error;
	size_t len;
	int e = file_take(fd, "summary.json", SUMMARY_MAX, false, &text, &len);

	if (e == -ENOENT && (j = summary_of_task(task)))
		return j;
	if (e < 0) {
		damaged(l, dir, "summary.json: %s",
			e == -ELOOP ? "it is no regular file" : strerror(-e));
		return NULL;
	}
	j = json_loadb(text, len, 0, &error);
	if (!j) {
		damaged(l, dir, "summary.json is damaged: line %d: %.200s", error.line, error.text);
		return NULL;
	}
	if (is_summary(j))
		return j;
	json_decref(j);
	damaged(l, dir, "summary.json is not of a run of sunder");
	return NULL;
}

static void add_run(struct load *l, const char *dir, int fd, size_t buckets)
{
	json_t *task = take_task(fd), *summary = take_summary(l, dir, fd, task), *run, *series;
	size_t index = json_array_size(json_object_get(l->doc, "runs"));

	if (!summary) {
		json_decref(task);
		return;
	}
	run = night_run(dir, summary, value_text(task, "node"));
	json_decref(task);
	json_array_append_new(json_object_get(l->doc, "runs"), run);
	night_findings(l->doc, index, summary, fd);
	night_sums(l->doc, index, summary);
	series = l->series ? night_series(run, fd, buckets) : NULL;
	if (series)
		json_object_set_new(run, "series", series);
	json_decref(summary);
}

/* ---- stores ---- */

static size_t add_group(struct load *l, const char *dir, int fd, size_t left)
{
	_cleanup_closedir_ DIR *d = fdopendir(fd);
	struct dirent *e;
	size_t n = 0;

	while (d && n < left && (e = readdir(d))) {
		_cleanup_free_ char *text = NULL;
		json_t *sight;
		size_t len;

		if (strncmp(e->d_name, "run-", 4) != 0 ||
			file_take(dirfd(d), e->d_name, SIGHT_MAX, false, &text, &len) < 0)
			continue;
		n++;
		sight = json_loadb(text, len, 0, NULL);
		if (*value_text(sight, "title") && *value_text(sight, "run"))
			night_sight(l->doc, dir, sight);
		else
			damaged(l, dir, "groups/.../%.100s is damaged", e->d_name);
		json_decref(sight);
	}
	return n;
}

static void add_store(struct load *l, const char *dir, int fd)
{
	int groups_fd = file_dir(fd, "groups");
	_cleanup_closedir_ DIR *groups = groups_fd < 0 ? NULL : fdopendir(groups_fd);
	size_t left = SIGHTS_READ_MAX;
	struct dirent *e;

	if (!groups && groups_fd != -ENOENT)
		damaged(l, dir, "groups: %s", strerror(groups_fd < 0 ? -groups_fd : errno));
	while (groups && (e = readdir(groups))) {
		int group = e->d_name[0] == '.' ? -1 : file_dir(dirfd(groups), e->d_name);

		if (group >= 0)
			left -= add_group(l, dir, group, left);
	}
}

/* ---- machines ---- */

static json_t *machine_of(json_t *machines, const json_t *run)
{
	json_t *m = value_object(machines, value_text(run, "host"));

	if (json_object_get(m, "host"))
		return m;
	json_object_set(m, "host", json_object_get(run, "host"));
	json_object_set_new(m, "state", json_string("clean"));
	json_object_set_new(m, "exit", json_integer(EXIT_CLEAN));
	json_object_set_new(m, "elapsed_s", json_real(0));
	return m;
}

static void add_to_machine(json_t *m, const json_t *run, size_t index)
{
	static const char *const sums[] = {"ops", "rounds", "migrated_pages", "split", "collapsed",
		"ops_seen", "ops_overlapped"};
	enum run_exit had = (enum run_exit)value_count(m, "exit"),
		      now = (enum run_exit)value_count(run, "exit");
	const json_t *titles = json_object_get(run, "titles");

	if (exit_worse(had, now) != had ||
		(had == EXIT_CLEAN && strcmp(value_text(run, "state"), "running") == 0)) {
		json_object_set(m, "state", json_object_get(run, "state"));
		json_object_set_new(m, "exit", json_integer(exit_worse(had, now)));
	}
	json_object_set_new(m, "elapsed_s",
		json_real(value_number(m, "elapsed_s") + value_number(run, "elapsed_s")));
	json_object_set(m, "machine", json_object_get(run, "machine"));
	json_array_append_new(value_array(m, "runs"), json_integer((json_int_t)index));
	value_unite(
		value_array(m, "kernels"), value_text(json_object_get(run, "kernel"), "release"));
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++)
		value_add(m, sums[i], value_count(json_object_get(run, "totals"), sums[i]));
	for (size_t i = 0; i < json_array_size(titles); i++)
		value_unite(value_array(m, "titles"), json_string_value(json_array_get(titles, i)));
}

static void add_machines(json_t *doc)
{
	json_t *by_host = json_object(), *all = json_array(), *run, *m;
	const char *host;
	size_t i;

	json_array_foreach(json_object_get(doc, "runs"), i, run)
		add_to_machine(machine_of(by_host, run), run, i);
	json_object_foreach(by_host, host, m) json_array_append(all, m);
	json_decref(by_host);
	json_object_set_new(doc, "machines", all);
}

/* ---- totals and verdict ---- */

/* Runs whose exit code is this one. */
static size_t runs_with(const json_t *doc, enum run_exit code)
{
	const json_t *run;
	size_t i, n = 0;

	json_array_foreach(json_object_get(doc, "runs"), i, run) n +=
		value_count(run, "exit") == (uint64_t)code;
	return n;
}

static size_t machines_with(const json_t *doc, enum run_exit code)
{
	const json_t *m;
	size_t i, n = 0;

	json_array_foreach(json_object_get(doc, "machines"), i, m) n +=
		code == EXIT_LOST ? value_count(m, "exit") == EXIT_LOST
				  : json_array_size(json_object_get(m, "titles")) > 0;
	return n;
}

/* Groups that somebody has seen who did not know them already. */
static size_t findings_that_count(const json_t *doc)
{
	const json_t *g;
	size_t i, n = 0;

	json_array_foreach(json_object_get(doc, "findings"), i, g) n +=
		!json_is_true(json_object_get(g, "known"));
	return n;
}

static void add_totals(json_t *doc)
{
	static const char *const sums[] = {"ops", "rounds", "migrated_pages", "split", "collapsed",
		"ops_seen", "ops_overlapped"};
	json_t *t = json_object(), *m;
	double seconds = 0;
	size_t i;

	json_array_foreach(json_object_get(doc, "machines"), i, m)
	{
		seconds += value_number(m, "elapsed_s");
		for (size_t k = 0; k < ARRAY_SIZE(sums); k++)
			value_add(t, sums[k], value_count(m, sums[k]));
	}
	for (size_t k = 0; k < ARRAY_SIZE(sums); k++)
		value_add(t, sums[k], 0);
	value_add(t, "machines", json_array_size(json_object_get(doc, "machines")));
	value_add(t, "runs", json_array_size(json_object_get(doc, "runs")));
	value_add(t, "lost", machines_with(doc, EXIT_LOST));
	value_add(t, "damaged", json_array_size(json_object_get(doc, "damaged")));
	value_add(t, "findings", findings_that_count(doc));
	json_object_set_new(t, "elapsed_s", json_real(seconds));
	json_object_set_new(doc, "totals", t);
}

static void say(char buf[TEXT_CLIP], size_t n, const char *one, const char *many)
{
	size_t len = strlen(buf);

	if (n)
		snprintf(buf + len, TEXT_CLIP - len, "%s%zu %s", len ? "; " : "", n,
			n == 1 ? one : many);
}

static enum run_exit worst_of(const json_t *doc)
{
	enum run_exit worst = EXIT_CLEAN;
	const json_t *run;
	size_t i;

	json_array_foreach(json_object_get(doc, "runs"), i, run) worst =
		exit_worse(worst, (enum run_exit)value_count(run, "exit"));
	if (findings_that_count(doc))
		worst = exit_worse(worst, EXIT_FINDING);
	if (json_array_size(json_object_get(doc, "damaged")))
		worst = exit_worse(worst, EXIT_USAGE);
	return worst;
}

static void add_verdict(json_t *doc)
{
	static const char *const words[] = {[EXIT_CLEAN] = "CLEAN",
		[EXIT_FINDING] = "FINDINGS",
		[EXIT_USAGE] = "DAMAGED",
		[EXIT_RESOURCES] = "NO RESOURCES",
		[EXIT_NOTHING] = "NOTHING RAN",
		[EXIT_LOST] = "LOST"};
	const json_t *totals = json_object_get(doc, "totals");
	enum run_exit worst = worst_of(doc);
	size_t machines = value_count(totals, "machines"), runs = value_count(totals, "runs"),
	       running = 0, i;
	char text[TEXT_CLIP] = "";
	json_t *run;

	json_array_foreach(json_object_get(doc, "runs"), i, run) running +=
		strcmp(value_text(run, "state"), "running") == 0;
	say(text, value_count(totals, "findings"), "finding", "findings");
	say(text, value_count(totals, "lost"), "machine was lost", "machines were lost");
	say(text, value_count(totals, "damaged"), "directory cannot be read as a run",
		"directories cannot be read as runs");
	say(text, runs_with(doc, EXIT_USAGE), "run failed", "runs failed");
	say(text, runs_with(doc, EXIT_RESOURCES), "run had not enough resources",
		"runs had not enough resources");
	say(text, runs_with(doc, EXIT_NOTHING), "run had nothing that can run there",
		"runs had nothing that can run there");
	if (!*text)
		snprintf(text, sizeof(text), "nothing was found");
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "; %zu run%s on %zu machine%s",
		runs, runs == 1 ? "" : "s", machines, machines == 1 ? "" : "s");
	say(text, running, "run is still going on", "runs are still going on");
	json_object_set_new(doc, "verdict",
		json_pack("{s:i, s:s, s:s}", "exit", (int)worst, "word",
			worst == EXIT_USAGE && !json_array_size(json_object_get(doc, "damaged"))
				? "ERROR"
				: words[worst],
			"text", text));
}

/* ---- all of it ---- */

static json_t *load(char *const *dirs, bool series)
{
	struct load l = {.doc = json_pack("{s:i, s:s, s:o, s:[], s:[], s:[]}", "report", 1,
				 "version", SUNDER_VERSION, "made",
				 value_stamp((int64_t)time(NULL)), "runs", "damaged", "findings"),
		.series = series};
	const struct night_visitor v = {&l, find_run, find_store, add_damaged};
	size_t buckets;

	if (!l.doc)
		return NULL;
	for (; *dirs; dirs++)
		night_find(*dirs, &v);
	l.n = l.n > NIGHT_RUNS_MAX ? NIGHT_RUNS_MAX : l.n;
	buckets = BUCKETS_TOTAL / (l.n ? l.n : 1);
	buckets = buckets > TIMELINE_BUCKETS ? TIMELINE_BUCKETS
		  : buckets < BUCKETS_LEAST  ? BUCKETS_LEAST
					     : buckets;
	/* Stores last: they have what runs have told, and more. */
	for (size_t i = 0; i < 2 * l.n; i++) {
		const struct place *p = &l.place[i % l.n];
		_cleanup_close_ int fd = p->what == (i < l.n ? RUN : STORE)
						 ? open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
						 : -1;

		if (fd >= 0 && p->what == RUN)
			add_run(&l, p->dir, fd, buckets);
		else if (fd >= 0)
			add_store(&l, p->dir, fd);
	}
	for (size_t i = 0; i < l.n; i++)
		free(l.place[i].dir);
	free(l.place);
	night_findings_end(l.doc);
	night_sums_end(l.doc);
	add_machines(l.doc);
	add_totals(l.doc);
	add_verdict(l.doc);
	return l.doc;
}

json_t *night_load(char *const *dirs, char *const *before)
{
	json_t *doc = load(dirs, true), *earlier;

	if (!doc)
		return NULL;
	night_timeline(doc);
	earlier = before && *before ? load(before, false) : NULL;
	json_object_set_new(doc, "comparison", earlier ? night_compare(doc, earlier) : json_null());
	json_decref(earlier);
	return doc;
}

enum run_exit night_exit(const json_t *doc)
{
	return (enum run_exit)value_count(json_object_get(doc, "verdict"), "exit");
}

const char *night_verdict(const json_t *doc)
{
	return value_text(json_object_get(doc, "verdict"), "text");
}

/* ---- formats ---- */

int night_format_find(const char *name)
{
	static const char *const names[] = {[NIGHT_TEXT] = "text",
		[NIGHT_HTML] = "html",
		[NIGHT_JSON] = "json",
		[NIGHT_KTAP] = "ktap",
		[NIGHT_JUNIT] = "junit"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

static void night_json(const json_t *doc, FILE *out)
{
	json_dumpf(doc, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
	fputc('\n', out);
}

int night_print(const json_t *doc, enum night_format format, FILE *out)
{
	static void (*const prints[])(const json_t *doc, FILE *out) = {[NIGHT_TEXT] = night_text,
		[NIGHT_HTML] = night_html,
		[NIGHT_JSON] = night_json,
		[NIGHT_KTAP] = night_ktap,
		[NIGHT_JUNIT] = night_junit};

	prints[format](doc, out);
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}
