/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Against an earlier night: what is new, what is gone, what no longer works. */
#include "night.h"

#include <string.h>

#include "base/cleanup.h"

static bool has_title(const json_t *group, const json_t *title)
{
	const json_t *alt;
	size_t i;

	if (json_equal(json_object_get(group, "title"), title))
		return true;
	json_array_foreach(
		json_object_get(group, "alt"), i, alt) if (json_equal(alt, title)) return true;
	return false;
}

/* The same set of titles, whichever of them comes first. */
static bool same_group(const json_t *a, const json_t *b)
{
	const json_t *alt;
	size_t i;

	if (json_array_size(json_object_get(a, "alt")) !=
			json_array_size(json_object_get(b, "alt")) ||
		!has_title(b, json_object_get(a, "title")))
		return false;
	json_array_foreach(json_object_get(a, "alt"), i, alt) if (!has_title(b, alt)) return false;
	return true;
}

static bool in_night(const json_t *night, const json_t *group)
{
	const json_t *g;
	size_t i;

	json_array_foreach(
		json_object_get(night, "findings"), i, g) if (same_group(g, group)) return true;
	return false;
}

static json_t *told(const json_t *g)
{
	return json_pack("{s:O, s:O, s:O, s:O, s:O, s:O}", "title", json_object_get(g, "title"),
		"oracle", json_object_get(g, "oracle"), "count", json_object_get(g, "count"),
		"machines", json_object_get(g, "machines"), "first", json_object_get(g, "first"),
		"last", json_object_get(g, "last"));
}

/* Findings of `of` that `other` has, or has not. */
static json_t *findings_of(const json_t *of, const json_t *other, bool there)
{
	json_t *a = json_array();
	const json_t *g;
	size_t i;

	json_array_foreach(json_object_get(of, "findings"), i, g) if (in_night(other, g) == there)
		json_array_append_new(a, told(g));
	return a;
}

static const json_t *op_of(const json_t *night, const char *name)
{
	const json_t *op;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(night, "coverage"), "ops"), i,
		op) if (strcmp(value_text(op, "op"), name) == 0) return op;
	return NULL;
}

/* Ops that worked in `of` and never in `other`. */
static json_t *ops_of(const json_t *of, const json_t *other)
{
	json_t *a = json_array();
	const json_t *op;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(of, "coverage"), "ops"), i,
		op) if (value_count(op, "ok") &&
			!value_count(op_of(other, value_text(op, "op")), "ok"))
		json_array_append(a, json_object_get(op, "op"));
	return a;
}

static json_t *machines_of(const json_t *of, const json_t *other)
{
	json_t *a = json_array();
	const json_t *m, *x;
	size_t i, k;

	json_array_foreach(json_object_get(of, "machines"), i, m)
	{
		bool there = false;

		json_array_foreach(json_object_get(other, "machines"), k, x) there |=
			json_equal(json_object_get(m, "host"), json_object_get(x, "host"));
		if (!there)
			json_array_append(a, json_object_get(m, "host"));
	}
	return a;
}

static json_t *rates_of(const json_t *night)
{
	const json_t *t = json_object_get(night, "totals");
	double s = value_number(t, "elapsed_s"), seen = (double)value_count(t, "ops_seen");

	return json_pack("{s:f, s:f, s:f, s:f, s:f}", "ops_per_s",
		s > 0 ? (double)value_count(t, "ops") / s : 0, "overlap",
		seen > 0 ? (double)value_count(t, "ops_overlapped") / seen : 0, "migrated_per_s",
		s > 0 ? (double)value_count(t, "migrated_pages") / s : 0, "split_per_s",
		s > 0 ? (double)value_count(t, "split") / s : 0, "collapsed_per_s",
		s > 0 ? (double)value_count(t, "collapsed") / s : 0);
}

static void mark(const json_t *doc, const json_t *before)
{
	json_t *g;
	size_t i;

	json_array_foreach(json_object_get(doc, "findings"), i, g)
		json_object_set_new(g, "new", json_boolean(!in_night(before, g)));
}

json_t *night_compare(const json_t *doc, const json_t *before)
{
	mark(doc, before);
	return json_pack("{s:O, s:O, s:O, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "verdict",
		json_object_get(before, "verdict"), "totals", json_object_get(before, "totals"),
		"damaged", json_object_get(before, "damaged"), "new",
		findings_of(doc, before, false), "gone", findings_of(before, doc, false), "still",
		findings_of(doc, before, true), "ops_gone", ops_of(before, doc), "ops_new",
		ops_of(doc, before), "machines_gone", machines_of(before, doc), "machines_new",
		machines_of(doc, before), "rates", rates_of(doc), "rates_before", rates_of(before));
}
