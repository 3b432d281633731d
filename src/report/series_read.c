/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads series.csv, whoever wrote it and wherever it was cut off. */
#include "report/series.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 512, EVENTS_READ_MAX = 8192 };

/* ---- one line ---- */

/* Digits, a point, digits: up to the end of a field. */
static const char *read_number(const char *p, const char *end, double *ret)
{
	double v = 0, unit = 1;
	const char *start = p;

	for (; p < end && *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (*p - '0');
	if (p == start)
		return NULL;
	if (p < end && *p == '.')
		for (p++; p < end && *p >= '0' && *p <= '9'; p++)
			v += (unit /= 10) * (*p - '0');
	if (p - start > 24 || (p < end && *p != ','))
		return NULL;
	*ret = v;
	return p;
}

static bool read_row(const char *p, const char *end, double *value, size_t ncols)
{
	for (size_t i = 0; i < ncols; i++) {
		p = read_number(p, end, &value[i]);
		if (!p || (i + 1 < ncols) != (p < end))
			return false;
		p++;
	}
	return true;
}

static bool good_name(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= '0' && p[i] <= '9') || p[i] == '_'))
			return false;
	return n > 0;
}

static int read_head(const char *p, const char *end, struct series_data *d)
{
	d->name = calloc(COLUMNS_MAX, sizeof(*d->name));
	if (!d->name)
		return -ENOMEM;
	for (; p < end; p++) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t n = (size_t)((comma ? comma : end) - p);

		if (d->ncols == COLUMNS_MAX || n >= sizeof(*d->name) || !good_name(p, n))
			return -EBADMSG;
		memcpy(d->name[d->ncols++], p, n);
		p += n;
	}
	return d->ncols && strcmp(d->name[0], "t") == 0 ? 0 : -EBADMSG;
}

static bool read_event(const char *p, const char *end, struct series_event *ret)
{
	const char *comma;
	size_t n;

	p = read_number(p, end, &ret->t);
	if (!p || p == end)
		return false;
	p++;
	comma = memchr(p, ',', (size_t)(end - p));
	n = comma ? (size_t)(comma - p) : 0;
	if (!comma || n >= sizeof(ret->kind) || !good_name(p, n))
		return false;
	memcpy(ret->kind, p, n);
	ret->kind[n] = '\0';
	p = comma + 1;
	n = (size_t)(end - p) < sizeof(ret->text) ? (size_t)(end - p) : sizeof(ret->text) - 1;
	memcpy(ret->text, p, n);
	ret->text[n] = '\0';
	return memchr(ret->text, '\0', n) == NULL;
}

/* ---- the file ---- */

static int add_event(const char *p, const char *end, struct series_data *d)
{
	struct series_event e, *grown;

	if (!read_event(p, end, &e) || d->nevents == EVENTS_READ_MAX) {
		d->bad++;
		return 0;
	}
	if ((d->nevents & (d->nevents - 1)) == 0) {
		grown = reallocarray(d->event, d->nevents ? 2 * d->nevents : 1, sizeof(e));
		if (!grown)
			return -ENOMEM;
		d->event = grown;
	}
	d->event[d->nevents++] = e;
	return 0;
}

static void add_row(const char *p, const char *end, struct series_data *d)
{
	double *row = d->value + d->nrows * d->ncols;

	if (!read_row(p, end, row, d->ncols) || (d->nrows && row[0] <= row[-(ptrdiff_t)d->ncols]))
		d->bad++;
	else
		d->nrows++;
}

static int read_lines(const char *p, const char *end, struct series_data *d)
{
	const char *stop;
	int e = 0;

	for (; e == 0 && p < end && (stop = memchr(p, '\n', (size_t)(end - p))); p = stop + 1) {
		if (*p == '#')
			e = add_event(p + 1, stop, d);
		else
			add_row(p, stop, d);
	}
	return e;
}

int series_parse(const char *text, size_t len, struct series_data *ret)
{
	const char *end = text + len, *p = len ? memchr(text, '\n', len) : NULL;
	struct series_data d = {0};
	int e = p ? read_head(text, p, &d) : -EBADMSG;

	/* A row has two bytes a column at the least. */
	if (e == 0) {
		d.value = calloc((size_t)(end - p) / 2 + d.ncols + 1, sizeof(*d.value));
		e = d.value ? read_lines(p + 1, end, &d) : -ENOMEM;
	}
	if (e < 0)
		series_data_free(&d);
	else
		*ret = d;
	return e;
}

void series_data_free(struct series_data *d)
{
	free(d->name);
	free(d->value);
	free(d->event);
	*d = (struct series_data){0};
}

int series_column(const struct series_data *d, const char *name)
{
	for (size_t i = 0; i < d->ncols; i++)
		if (strcmp(d->name[i], name) == 0)
			return (int)i;
	return -1;
}

/* ---- buckets ---- */

static double growth(const double *row, const double *last, int column)
{
	return row[column] > last[column] ? row[column] - last[column] : 0;
}

/* The value that ends with this row; NAN: none. */
static double value_at(
	const struct series_data *d, size_t i, enum series_kind kind, int column, int whole)
{
	const double *row = d->value + i * d->ncols, *last = row - d->ncols;

	if (kind == SERIES_GAUGE)
		return row[column];
	if (i == 0)
		return NAN;
	if (kind == SERIES_RATE)
		return growth(row, last, column) / (row[0] - last[0]);
	return growth(row, last, whole) > 0
		       ? fmin(1, growth(row, last, column) / growth(row, last, whole))
		       : NAN;
}

void series_fill(const struct series_data *d, enum series_kind kind, int column, int whole,
	double from, double step, struct series_bucket *bucket, size_t n)
{
	if (column < 0 || (kind == SERIES_SHARE && whole < 0) || !(step > 0))
		return;
	for (size_t i = 0; i < d->nrows; i++) {
		double at = (d->value[i * d->ncols] - from) / step,
		       v = value_at(d, i, kind, column, whole);
		struct series_bucket *b;

		if (isnan(v) || !(at >= 0) || at >= (double)n)
			continue;
		b = &bucket[(size_t)at];
		b->min = b->n && b->min < v ? b->min : v;
		b->max = b->n && b->max > v ? b->max : v;
		b->sum += v;
		b->n++;
	}
}
