/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reader of series.csv: whatever the bytes, rows ascend, and buckets hold what is between their least and most. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "report/series.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BUCKETS_MADE = 7 };

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void fill(const struct series_data *d, enum series_kind kind)
{
	struct series_bucket b[BUCKETS_MADE] = {0};
	int last = (int)d->ncols - 1;
	size_t n = 0;

	series_fill(d, kind, last, 0, 0, 3, b, BUCKETS_MADE);
	for (size_t i = 0; i < BUCKETS_MADE; i++) {
		n += b[i].n;
		require(!b[i].n || (b[i].min <= b[i].max && b[i].min >= 0));
	}
	require(n <= d->nrows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct series_data d;

	if (series_parse((const char *)data, size, &d) < 0)
		return 0;
	require(d.ncols > 0 && strcmp(d.name[0], "t") == 0);
	for (size_t i = 1; i < d.nrows; i++)
		require(d.value[i * d.ncols] > d.value[(i - 1) * d.ncols]);
	for (size_t i = 0; i < d.nevents; i++)
		require(strlen(d.event[i].kind) < sizeof(d.event[i].kind) &&
			strlen(d.event[i].text) < sizeof(d.event[i].text));
	fill(&d, SERIES_GAUGE);
	fill(&d, SERIES_RATE);
	fill(&d, SERIES_SHARE);
	series_data_free(&d);
	return 0;
}
