/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DIR/series.csv: what a run was like second by second, and what happened when; for `sunder report` and whoever plots. Schema in
 * docs/report.md. It never grows beyond SERIES_BYTES: when it would, every second row goes, and rows are taken half as often.
 */
#ifndef SUNDER_REPORT_SERIES_H
#define SUNDER_REPORT_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "report/report.h"

enum { SERIES_BYTES = 4 << 20 };

struct series;

/* Makes the file. bytes: its bound. 0 or -errno. */
int series_open(const char *dir, const struct machine *m, uint64_t bytes, struct series **ret);

/*
 * A row, if one is due. What cannot be written is left out, and told once. The file is on its way to the disk at once, without
 * waiting for it.
 */
void series_sample(struct series *s, const struct run_result *r, double now_s);

/* Something that happened; kind: one word. */
void series_event(struct series *s, double now_s, const char *kind, const char *text);

void series_close(struct series *s);

/* ---- reading it ---- */

struct series_event {
	double t; /* seconds into the run */
	char kind[16];
	char text[160];
};

struct series_data {
	size_t ncols, nrows, nevents;
	char (*name)[24]; /* [ncols]; name[0] is "t" */
	double *value; /* [nrows][ncols], t ascending */
	struct series_event *event; /* [nevents] */
	size_t bad; /* lines that are no row, beyond one at the end that was not finished */
};

/*
 * 0 with *ret (series_data_free()); -EBADMSG: it has no head that names columns, t first; -ENOMEM. What is no row is counted and
 * left out.
 */
int series_parse(const char *text, size_t len, struct series_data *ret);
void series_data_free(struct series_data *d);

/* Index of a column, or -1. */
int series_column(const struct series_data *d, const char *name);

/*
 * What is plotted: a value at a time. gauge: the column itself. rate: its growth a second. share: the growth of `column` by that of
 * `whole`.
 */
enum series_kind { SERIES_GAUGE, SERIES_RATE, SERIES_SHARE };
struct series_bucket {
	double min, max, sum; /* of n values */
	size_t n; /* 0: there is nothing to plot here */
};

/* Adds the values of [from, from + n * step) seconds to n buckets. Columns as of series_column(); whole: SERIES_SHARE only. */
void series_fill(const struct series_data *d, enum series_kind kind, int column, int whole,
	double from, double step, struct series_bucket *bucket, size_t n);

#endif
