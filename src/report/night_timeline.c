/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Series for plotting: few buckets with the least and the most of each, so that a second that was odd is seen in ten hours. */
#include "night.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { SERIES_MAX = 64 << 20, NODES_TOLD = 16, EVENTS_TOLD = 1000 };

static const struct {
	const char *name, *column, *whole;
	enum series_kind kind;
} lines[] = {
	{"ops", "ops", NULL, SERIES_RATE},
	{"overlap", "overlapped", "seen", SERIES_SHARE},
	{"migrated", "migrated", NULL, SERIES_RATE},
	{"split", "split", NULL, SERIES_RATE},
	{"collapsed", "collapsed", NULL, SERIES_RATE},
};

/* ---- a run ---- */

struct span {
	double from, step;
	size_t n;
};

/* Steps of whole seconds, so that as many rows come into each. */
static struct span span_from(double from, double length, size_t buckets)
{
	struct span s = {.from = from};

	s.step = ceil((floor(length) + 1) / (double)buckets);
	s.n = (size_t)(length / s.step) + 1;
	return s;
}

static struct span span_of(const struct series_data *d, size_t buckets)
{
	return span_from(0, d->nrows ? d->value[(d->nrows - 1) * d->ncols] : 0, buckets);
}

static json_t *real_or_null(bool any, double v)
{
	return any && isfinite(v) ? json_real(v) : json_null();
}

/* {"mean": [...]}, and where several values share a bucket "min" and "max". NULL: there is no such column. */
static json_t *line_of(const struct series_data *d, const struct span *s, enum series_kind kind,
	const char *column, const char *whole)
{
	_cleanup_free_ struct series_bucket *b = calloc(s->n, sizeof(*b));
	json_t *o, *mean, *min, *max;
	bool several = false;

	if (!b || series_column(d, column) < 0 || (whole && series_column(d, whole) < 0))
		return NULL;
	series_fill(d, kind, series_column(d, column), whole ? series_column(d, whole) : -1,
		s->from, s->step, b, s->n);
	o = json_object();
	mean = value_array(o, "mean");
	min = json_array();
	max = json_array();
	for (size_t i = 0; i < s->n; i++) {
		several |= b[i].n > 1;
		json_array_append_new(
			mean, real_or_null(b[i].n, b[i].n ? b[i].sum / (double)b[i].n : 0));
		json_array_append_new(min, real_or_null(b[i].n, b[i].min));
		json_array_append_new(max, real_or_null(b[i].n, b[i].max));
	}
	if (several) {
		json_object_set(o, "min", min);
		json_object_set(o, "max", max);
	}
	json_decref(min);
	json_decref(max);
	return o;
}

static json_t *nodes_of(const struct series_data *d, const struct span *s)
{
	static const char *const gauges[] = {"free", "thp", "huge", "hugefree"};
	json_t *nodes = json_object();

	for (size_t c = 0; c < d->ncols && json_object_size(nodes) < NODES_TOLD; c++) {
		const char *id = d->name[c] + 4;
		char column[40];
		json_t *node;

		if (strncmp(d->name[c], "free", 4) != 0 || !*id || id[strspn(id, "0123456789")])
			continue;
		node = value_object(nodes, id);
		for (size_t g = 0; g < ARRAY_SIZE(gauges); g++) {
			snprintf(column, sizeof(column), "%s%s", gauges[g], id);
			json_object_set_new(node, gauges[g],
				line_of(d, s, SERIES_GAUGE, column, NULL) ?: json_null());
		}
	}
	return nodes;
}

static json_t *events_of(const struct series_data *d)
{
	json_t *a = json_array();

	for (size_t i = 0; i < d->nevents && i < EVENTS_TOLD; i++)
		json_array_append_new(a, json_pack("{s:f, s:o, s:o}", "t", d->event[i].t, "kind",
						 value_clip(d->event[i].kind, 16), "text",
						 value_clip(d->event[i].text, 160)));
	return a;
}

/* The summary of a run that never ended is as old as its last finding. */
static void bring_up_to_date(json_t *run, const struct series_data *d)
{
	static const struct {
		const char *column, *key;
	} same[] = {{"ops", "ops"}, {"rounds", "rounds"}, {"migrated", "migrated_pages"},
		{"split", "split"}, {"collapsed", "collapsed"}, {"restarts", "crew_restarts"},
		{"seen", "ops_seen"}, {"overlapped", "ops_overlapped"}};
	const double *row = d->nrows ? d->value + (d->nrows - 1) * d->ncols : NULL;
	json_t *totals = value_object(run, "totals");

	if (!row || row[0] < value_number(run, "elapsed_s"))
		return;
	json_object_set_new(run, "elapsed_s", json_real(row[0]));
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		int c = series_column(d, same[i].column);

		if (c >= 0 && row[c] > (double)value_count(totals, same[i].key))
			json_object_set_new(
				totals, same[i].key, json_integer((json_int_t)fmin(row[c], 9e18)));
	}
}

static json_t *series_json(const json_t *run, const struct series_data *d, size_t buckets)
{
	struct span s = span_of(d, buckets);
	json_t *o = json_pack("{s:I, s:f, s:I, s:I}", "start",
		(json_int_t)value_count(run, "started_s"), "step", s.step, "n", (json_int_t)s.n,
		"bad", (json_int_t)d->bad);

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		json_t *line = line_of(d, &s, lines[i].kind, lines[i].column, lines[i].whole);

		if (line)
			json_object_set_new(o, lines[i].name, line);
	}
	json_object_set_new(o, "nodes", nodes_of(d, &s));
	json_object_set_new(o, "events", events_of(d));
	return o;
}

json_t *night_series(json_t *run, int dir_fd, size_t buckets)
{
	_cleanup_free_ char *text = NULL;
	struct series_data d;
	json_t *o;
	size_t len;
	int e = file_take(dir_fd, "series.csv", SERIES_MAX, false, &text, &len);

	if (e == 0)
		e = series_parse(text, len, &d);
	if (e < 0) {
		if (e != -ENOENT)
			json_object_set_new(run, "series_damaged",
				value_clip(
					e == -EBADMSG ? "it is no series of sunder" : strerror(-e),
					100));
		return NULL;
	}
	bring_up_to_date(run, &d);
	o = d.nrows ? series_json(run, &d, buckets) : NULL;
	series_data_free(&d);
	return o;
}

/* ---- all runs ---- */

static void span_of_all(const json_t *runs, struct span *s)
{
	double first = INFINITY, last = 0;
	const json_t *run;
	size_t i;

	json_array_foreach(runs, i, run)
	{
		double start = value_number(run, "started_s");

		if (start <= 0 || !json_object_get(run, "series"))
			continue;
		first = fmin(first, start);
		last = fmax(last, start + value_number(run, "elapsed_s"));
	}
	if (!(last >= first))
		return;
	*s = span_from(first, last - first, TIMELINE_BUCKETS);
}

/* Mean of a run's line over a time; NAN: it has none there. */
static double mean_over(const json_t *series, const char *name, double from, double to)
{
	const json_t *mean = json_object_get(json_object_get(series, name), "mean");
	double start = value_number(series, "start"), step = value_number(series, "step"), sum = 0;
	double first = (from - start) / step, last = (to - start) / step;
	size_t n = 0;

	if (last <= 0 || first >= (double)json_array_size(mean))
		return NAN;
	for (size_t i = first > 0 ? (size_t)first : 0;
		i < json_array_size(mean) && ((double)i < last || n == 0); i++) {
		const json_t *v = json_array_get(mean, i);

		if (json_is_number(v)) {
			sum += json_number_value(v);
			n++;
		}
		if ((double)i >= last)
			break;
	}
	return n ? sum / (double)n : NAN;
}

/* Rates are added up, shares are not. */
static void add_bucket(json_t *timeline, const json_t *runs, double from, double to)
{
	size_t machines = 0, i;
	const json_t *run;

	for (size_t l = 0; l < ARRAY_SIZE(lines); l++) {
		double sum = 0;
		size_t n = 0;

		json_array_foreach(runs, i, run)
		{
			double v =
				mean_over(json_object_get(run, "series"), lines[l].name, from, to);

			if (isnan(v))
				continue;
			sum += v;
			n++;
		}
		machines = l == 0 ? n : machines;
		json_array_append_new(value_array(timeline, lines[l].name),
			real_or_null(
				n, lines[l].kind == SERIES_SHARE && n ? sum / (double)n : sum));
	}
	json_array_append_new(value_array(timeline, "runs"), json_integer((json_int_t)machines));
}

void night_timeline(json_t *doc)
{
	const json_t *runs = json_object_get(doc, "runs");
	struct span s = {0};
	json_t *timeline;

	span_of_all(runs, &s);
	if (!s.n) {
		json_object_set_new(doc, "timeline", json_null());
		return;
	}
	timeline = json_pack("{s:I, s:f}", "start", (json_int_t)s.from, "step", s.step);
	for (size_t i = 0; i < s.n; i++)
		add_bucket(timeline, runs, s.from + s.step * (double)i,
			s.from + s.step * (double)(i + 1));
	json_object_set_new(doc, "timeline", timeline);
}
