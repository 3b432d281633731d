/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Findings of all runs, grouped by their set of titles: the same bug on twenty machines is one line. */
#include "night.h"

#include <math.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sink.h"

enum {
	FINDINGS_MAX = 4096,
	SIGHTS_MAX = 256,
	EVIDENCE_MAX = 24 << 10,
	PROGRAM_MAX = 16 << 10,
	ALT_MAX = 16,
	WHOLE_GROUPS = 1000
};

/* ---- the key ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All titles, sorted, each once: for free(). */
static char *key_of(const char *title, const json_t *alt)
{
	const char *titles[ALT_MAX + 1] = {title}, *last = NULL;
	size_t n = 1, len = 0;
	char *key = NULL;
	FILE *f;

	for (size_t i = 0; i < json_array_size(alt) && n <= ALT_MAX; i++)
		if (*(json_string_value(json_array_get(alt, i)) ?: ""))
			titles[n++] = json_string_value(json_array_get(alt, i));
	qsort(titles, n, sizeof(*titles), by_text);
	f = open_memstream(&key, &len);
	if (!f)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (!last || strcmp(last, titles[i]) != 0)
			fprintf(f, "%s\n", titles[i]);
		last = titles[i];
	}
	if (fclose(f) != 0) {
		free(key);
		return NULL;
	}
	return key;
}

/* The group, made if it is new; *ret_new. Borrowed. */
static json_t *group_of(
	json_t *doc, const char *title, const json_t *alt, const char *oracle, bool *ret_new)
{
	json_t *keys = value_object(doc, "keys"), *all = value_array(doc, "findings"), *at, *g,
	       *alts;
	_cleanup_free_ char *key = key_of(title, alt);

	*ret_new = false;
	at = key ? json_object_get(keys, key) : NULL;
	if (at)
		return json_array_get(all, (size_t)json_integer_value(at));
	if (!key || json_array_size(all) >= FINDINGS_MAX)
		return NULL;
	alts = json_array();
	for (size_t i = 0; i < json_array_size(alt) && i < ALT_MAX; i++)
		value_unite(alts, json_string_value(json_array_get(alt, i)) ?: "");
	g = json_pack("{s:o, s:o, s:o, s:i, s:b, s:[], s:[], s:s, s:s}", "title",
		value_clip(title, TITLE_MAX), "alt", alts, "oracle", value_clip(oracle, 40),
		"count", 0, "lost_kernel", 0, "machines", "sights", "evidence", "", "program", "");
	json_object_set_new(keys, key, json_integer((json_int_t)json_array_size(all)));
	json_array_append_new(all, g);
	*ret_new = true;
	return g;
}

/* ---- a sight ---- */

/* first and last: seconds since 1970. */
static void widen(json_t *group, int64_t first, int64_t last)
{
	/* A campaign tells of the first time only. */
	last = last < first ? first : last;
	uint64_t had_first = value_count(group, "first_s"), had_last = value_count(group, "last_s");

	if (first > 0 && (!had_first || (uint64_t)first < had_first))
		json_object_set_new(group, "first_s", json_integer(first));
	if (last > 0 && (uint64_t)last > had_last)
		json_object_set_new(group, "last_s", json_integer(last));
}

/* Where FINDING is, as a word for a shell, after `sunder replay`. */
static json_t *replay_of(const char *dir, const char *below)
{
	_cleanup_free_ char *text = NULL, *path = NULL;
	size_t len = 0;
	FILE *f;

	if (!*below || asprintf(&path, "%s%s", dir, below) < 0)
		return json_string("");
	f = open_memstream(&text, &len);
	if (!f)
		return json_string("");
	fputs("sunder replay ", f);
	print_shell_word(path, f);
	if (fclose(f) != 0)
		return json_string("");
	return value_clip(text, TEXT_CLIP);
}

/* Of a run: findings/NNN-TITLE. Of a campaign, whose findings/ is a store: findings/groups/TITLE. */
static void take_files(json_t *group, int dir_fd, const char *name)
{
	static const struct {
		const char *file, *key;
		size_t max;
	} files[] = {{"evidence.txt", "evidence", EVIDENCE_MAX},
		{"report.txt", "evidence", EVIDENCE_MAX}, {"program.txt", "program", PROGRAM_MAX}};
	_cleanup_close_ int all = file_dir(dir_fd, "findings"),
			    fd = all < 0 ? -1 : file_dir(all, name);
	_cleanup_close_ int groups = all < 0 || fd >= 0 ? -1 : file_dir(all, "groups");

	if (groups >= 0)
		fd = file_dir(groups, name);
	for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *text = NULL;
		size_t len;

		if (file_take(fd, files[i].file, files[i].max, true, &text, &len) == 0)
			json_object_set_new(group, files[i].key, value_lines(text, files[i].max));
	}
}

/* A name below the run's findings/, wherever the run's directory is now. */
static const char *name_of(const char *dir)
{
	const char *slash = strrchr(dir, '/');

	dir = slash ? slash + 1 : dir;
	return strcmp(dir, "..") == 0 || strcmp(dir, ".") == 0 ? "" : dir;
}

static void add_sight(json_t *group, const json_t *run, json_int_t index, uint64_t count,
	int64_t first, int64_t last, json_t *replay)
{
	json_t *sights = json_object_get(group, "sights");

	value_add(group, "count", count);
	value_unite(json_object_get(group, "machines"), value_text(run, "host"));
	widen(group, first, last);
	if (json_array_size(sights) >= SIGHTS_MAX) {
		json_decref(replay);
		return;
	}
	json_array_append_new(
		sights, json_pack("{s:I, s:o, s:o, s:s, s:I, s:o, s:o, s:o}", "run", index, "host",
				value_clip(value_text(run, "host"), 100), "job",
				value_clip(value_text(run, "job"), TEXT_CLIP), "seed",
				value_text(run, "seed"), "count",
				(json_int_t)(count > INT64_MAX ? INT64_MAX : count), "first",
				value_stamp(first), "last", value_stamp(last), "replay", replay));
}

/* ---- of runs ---- */

static void add_finding(json_t *doc, size_t index, const json_t *finding, int dir_fd)
{
	json_t *run = json_array_get(json_object_get(doc, "runs"), index), *group;
	const char *title = value_text(finding, "title"),
		   *name = name_of(value_text(finding, "dir"));
	int64_t started = (int64_t)value_count(run, "started_s");
	uint64_t count = value_count(finding, "count");
	char below[300];
	bool fresh;

	group = group_of(doc, *title ? title : "(a finding without a title)",
		json_object_get(finding, "alt"), value_text(finding, "oracle"), &fresh);
	if (!group)
		return;
	snprintf(below, sizeof(below), "/findings/%s%.255s",
		json_object_get(run, "campaign") ? "groups/" : "", name);
	add_sight(group, run, (json_int_t)index, count ? count : 1,
		started + (int64_t)fmin(value_number(finding, "first_s"), 1e10),
		started + (int64_t)fmin(value_number(finding, "last_s"), 1e10),
		replay_of(value_text(run, "dir"), *name ? below : ""));
	/* One that nobody knew makes it count; what a campaign was told to be known does not. */
	if (fresh || !json_is_true(json_object_get(finding, "known")))
		json_object_set_new(group, "known",
			json_boolean(json_is_true(json_object_get(finding, "known"))));
	if (json_is_true(json_object_get(finding, "lost_kernel")))
		json_object_set_new(group, "lost_kernel", json_true());
	value_unite(value_array(run, "titles"), value_text(group, "title"));
	if (*name && !*value_text(group, "evidence") &&
		json_array_size(json_object_get(doc, "findings")) <= WHOLE_GROUPS)
		take_files(group, dir_fd, name);
}

void night_findings(json_t *doc, size_t index, const json_t *summary, int dir_fd)
{
	const json_t *findings = json_object_get(summary, "findings");

	for (size_t i = 0; i < json_array_size(findings) && i < FINDINGS_MAX; i++)
		add_finding(doc, index, json_array_get(findings, i), dir_fd);
}

/* ---- of stores ---- */

/* A run of the document is the same as a sight's, which is called "HOST STARTED PID". */
static bool is_run(const json_t *run, const char *name)
{
	char prefix[200];

	snprintf(prefix, sizeof(prefix), "%s %s ", value_text(run, "host"),
		value_text(run, "started"));
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static json_t *lines_of(const char *text)
{
	json_t *a = json_array();

	while (*text && json_array_size(a) < ALT_MAX) {
		size_t n = strcspn(text, "\n");
		_cleanup_free_ char *line = strndup(text, n);

		if (line && n)
			json_array_append_new(a, json_string(line));
		text += n + (text[n] == '\n');
	}
	return a;
}

/* The document has this title of this run already. */
static bool is_known(const json_t *group, const json_t *doc, const char *run)
{
	const json_t *sight;
	size_t i;

	json_array_foreach(json_object_get(group, "sights"), i, sight)
	{
		json_int_t index = json_integer_value(json_object_get(sight, "run"));

		if (strcmp(value_text(sight, "name"), run) == 0 ||
			(index >= 0 &&
				is_run(json_array_get(json_object_get(doc, "runs"), (size_t)index),
					run)))
			return true;
	}
	return false;
}

void night_sight(json_t *doc, const char *store, const json_t *sight)
{
	json_t *alt = lines_of(value_text(sight, "alt")), *group, *made;
	const char *run = value_text(sight, "run");
	uint64_t count = value_count(sight, "count");
	bool fresh;

	group = group_of(doc, value_text(sight, "title"), alt, value_text(sight, "oracle"), &fresh);
	json_decref(alt);
	if (!group || is_known(group, doc, run))
		return;
	made = json_pack("{s:o, s:o, s:o}", "host", value_clip(value_text(sight, "machine"), 100),
		"job", value_clip(value_text(sight, "job"), TEXT_CLIP), "seed",
		value_clip(value_text(sight, "seed"), 24));
	add_sight(group, made, -1, count ? count : 1, (int64_t)value_count(sight, "first"),
		(int64_t)value_count(sight, "last"), value_clip(store, TEXT_CLIP));
	json_decref(made);
	made = json_object_get(group, "sights");
	json_object_set_new(
		json_array_get(made, json_array_size(made) - 1), "name", value_clip(run, 200));
	if (!*value_text(group, "evidence")) {
		json_object_set_new(group, "evidence",
			value_lines(value_text(sight, "evidence"), EVIDENCE_MAX));
		json_object_set_new(
			group, "program", value_lines(value_text(sight, "program"), PROGRAM_MAX));
	}
}

bool night_is_of_store(const json_t *group)
{
	const json_t *sight;
	size_t i;

	json_array_foreach(json_object_get(group, "sights"), i,
		sight) if (json_integer_value(json_object_get(sight, "run")) >= 0) return false;
	return true;
}

/* ---- all of them ---- */

/* What is known already last; what ended a kernel first, then what was seen on most machines, then what was seen most. */
static int by_weight(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	uint64_t p[] = {!json_is_true(json_object_get(x, "known")),
		json_is_true(json_object_get(x, "lost_kernel")),
		json_array_size(json_object_get(x, "machines")), value_count(x, "count")};
	uint64_t q[] = {!json_is_true(json_object_get(y, "known")),
		json_is_true(json_object_get(y, "lost_kernel")),
		json_array_size(json_object_get(y, "machines")), value_count(y, "count")};

	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		if (p[i] != q[i])
			return p[i] < q[i] ? 1 : -1;
	return strcmp(value_text(x, "title"), value_text(y, "title"));
}

void night_findings_end(json_t *doc)
{
	json_t *all = value_array(doc, "findings"), *sorted = json_array();
	size_t n = json_array_size(all);
	_cleanup_free_ json_t **g = calloc(n + 1, sizeof(json_t *));

	json_object_del(doc, "keys");
	for (size_t i = 0; g && i < n; i++) {
		g[i] = json_array_get(all, i);
		json_object_set_new(
			g[i], "first", value_stamp((int64_t)value_count(g[i], "first_s")));
		json_object_set_new(
			g[i], "last", value_stamp((int64_t)value_count(g[i], "last_s")));
	}
	if (g && n)
		qsort(g, n, sizeof(*g), by_weight);
	for (size_t i = 0; g && i < n; i++)
		json_array_append(sorted, g[i]);
	json_object_set_new(doc, "findings", sorted);
}
