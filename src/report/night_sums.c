/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all runs did together: ops by backing and outcome, pairs that overlapped, and what did not run. */
#include "night.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum {
	OPS_MAX = 512,
	BACKINGS_MAX = 64,
	ERRORS_MAX = 64,
	PAIRS_MAX = 1024,
	PAIRS_TOLD = 600,
	SKIPS_MAX = 2048,
	NAME_MAX_BYTES = 60
};

/* ---- coverage ---- */

static bool is_name(const char *s)
{
	return *s && strlen(s) < NAME_MAX_BYTES &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] ==
		       '\0';
}

static void add_errors(json_t *to, const json_t *errors)
{
	const char *name;
	json_t *n;

	json_object_foreach(
		(json_t *)errors, name, n) if (is_name(name) && json_object_size(to) < ERRORS_MAX)
		value_add(to, name, value_count(errors, name));
}

static void add_outcomes(json_t *to, const json_t *from)
{
	value_add(to, "ok", value_count(from, "ok"));
	value_add(to, "failed", value_count(from, "failed"));
	add_errors(value_object(to, "errors"), json_object_get(from, "errors"));
}

static void add_op(json_t *coverage, const json_t *op)
{
	json_t *ops = value_object(coverage, "ops"), *to, *backing;
	const char *name = value_text(op, "op"), *b;
	size_t n = 0;

	if (!is_name(name) || json_object_size(ops) >= OPS_MAX)
		return;
	to = value_object(ops, name);
	add_outcomes(to, op);
	value_add(to, "ns", value_count(op, "ns"));
	json_object_foreach(json_object_get(op, "backings"), b, backing)
	{
		if (!is_name(b) || n++ >= BACKINGS_MAX)
			continue;
		value_unite(value_array(coverage, "backings"), b);
		add_outcomes(value_object(value_object(to, "backings"), b), backing);
	}
}

/* ---- overlap ---- */

static void add_phases(json_t *to, const char *key, const json_t *from)
{
	json_t *sum = value_array(to, key);

	for (size_t i = 0; i < PAIR_PHASES; i++) {
		json_int_t more = json_integer_value(json_array_get(from, i)),
			   had = json_integer_value(json_array_get(sum, i));

		if (json_array_size(sum) <= i)
			json_array_append_new(sum, json_integer(0));
		if (more > 0 && more <= INT64_MAX - had)
			json_array_set_new(sum, i, json_integer(had + more));
	}
}

static void add_pair(json_t *pairs, const json_t *pair)
{
	const json_t *ops = json_object_get(pair, "ops");
	const char *a = json_string_value(json_array_get(ops, 0)) ?: "",
		   *b = json_string_value(json_array_get(ops, 1)) ?: "";
	char key[2 * NAME_MAX_BYTES + 2];
	json_t *to;

	if (!is_name(a) || !is_name(b))
		return;
	snprintf(key, sizeof(key), "%s %s", a, b);
	to = value_object(pairs, key);
	if (!json_object_get(to, "ops"))
		json_object_set_new(to, "ops", json_pack("[s, s]", a, b));
	value_add(to, "count", value_count(pair, "count"));
	value_add(to, "rounds", value_count(pair, "rounds"));
	add_phases(to, "second_in_first", json_object_get(pair, "second_in_first"));
	add_phases(to, "first_in_second", json_object_get(pair, "first_in_second"));
}

/* ---- skips ---- */

static void add_skip(json_t *doc, size_t index, const json_t *skip)
{
	json_t *skips = value_object(doc, "skips"), *s;
	const json_t *run = json_array_get(json_object_get(doc, "runs"), index);
	char why[TEXT_CLIP];

	snprintf(why, sizeof(why), "%.399s", value_text(skip, "why"));
	if (!*why || (!json_object_get(skips, why) && json_object_size(skips) >= SKIPS_MAX))
		return;
	s = value_object(skips, why);
	value_unite(value_array(s, "what"), value_text(skip, "what"));
	value_unite(value_array(s, "machines"), value_text(run, "host"));
}

/* ---- what others call ---- */

void night_sums(json_t *doc, size_t index, const json_t *summary)
{
	const json_t *ops = json_object_get(summary, "ops"),
		     *overlap = json_object_get(summary, "overlap"),
		     *skips = json_object_get(summary, "skips"),
		     *pairs = json_object_get(overlap, "pairs");
	json_t *sum = value_object(doc, "overlap");

	for (size_t i = 0; i < json_array_size(ops) && i < OPS_MAX; i++)
		add_op(value_object(doc, "coverage"), json_array_get(ops, i));
	for (size_t i = 0; i < json_array_size(pairs) && i < PAIRS_MAX; i++)
		add_pair(value_object(sum, "pairs"), json_array_get(pairs, i));
	value_add(sum, "ops_seen", value_count(overlap, "ops_seen"));
	value_add(sum, "ops_overlapped", value_count(overlap, "ops_overlapped"));
	for (size_t i = 0; i < json_array_size(skips) && i < SKIPS_MAX; i++)
		add_skip(doc, index, json_array_get(skips, i));
}

static int by_count(const void *a, const void *b)
{
	uint64_t x = value_count(*(json_t *const *)a, "count"),
		 y = value_count(*(json_t *const *)b, "count");

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The values of an object as an array, the largest count first. */
static json_t *sorted_values(json_t *o, size_t max)
{
	size_t n = 0, size = json_object_size(o);
	_cleanup_free_ json_t **v = calloc(size + 1, sizeof(json_t *));
	json_t *a = json_array(), *value;
	const char *key;

	json_object_foreach(o, key, value) if (v) v[n++] = value;
	if (n)
		qsort(v, n, sizeof(*v), by_count);
	for (size_t i = 0; i < n && i < max; i++)
		json_array_append(a, v[i]);
	return a;
}

static json_t *named(json_t *o, const char *key_name)
{
	json_t *a = json_array(), *value;
	const char *key;

	json_object_foreach(o, key, value)
	{
		json_object_set_new(value, key_name, value_clip(key, TEXT_CLIP));
		json_array_append(a, value);
	}
	return a;
}

void night_sums_end(json_t *doc)
{
	json_t *coverage = value_object(doc, "coverage"), *overlap = value_object(doc, "overlap"),
	       *op;
	size_t i;

	value_array(coverage, "backings");
	json_object_set_new(coverage, "ops", named(value_object(coverage, "ops"), "op"));
	json_array_foreach(json_object_get(coverage, "ops"), i, op) value_object(op, "backings");
	value_add(overlap, "ops_seen", 0);
	value_add(overlap, "ops_overlapped", 0);
	json_object_set_new(overlap, "distinct",
		json_integer((json_int_t)json_object_size(value_object(overlap, "pairs"))));
	json_object_set_new(
		overlap, "pairs", sorted_values(value_object(overlap, "pairs"), PAIRS_TOLD));
	json_object_set_new(doc, "skips", named(value_object(doc, "skips"), "why"));
}
