/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "status_text.h"

#include <string.h>
#include <time.h>

enum { LINE = 160, FINDINGS_SHOWN = 10, EVENTS_SHOWN = 8 };

const char *status_get(const json_t *doc, const char *key, char *buf, size_t size)
{
	const char *v = json_string_value(json_object_get(doc, key));

	snprintf(buf, size, "%s", v ? v : "");
	for (unsigned char *p = (unsigned char *)buf; *p; p++)
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			*p = '?'; /* a terminal would obey it */
	return buf;
}

double status_number(const json_t *doc, const char *key)
{
	return json_number_value(json_object_get(doc, key));
}

const char *status_amount(double v, char buf[STATUS_WORD_MAX])
{
	static const char *const units[] = {"", " k", " M", " G", " T"};
	size_t u = 0;

	while (v >= 1000 && u + 1 < sizeof(units) / sizeof(*units)) {
		v /= 1000;
		u++;
	}
	snprintf(buf, STATUS_WORD_MAX, u && v < 100 ? "%.1f%s" : "%.0f%s", v, units[u]);
	return buf;
}

const char *status_span(double seconds, char buf[STATUS_WORD_MAX])
{
	long s = (long)seconds;

	if (s < 120)
		snprintf(buf, STATUS_WORD_MAX, "%ld s", s);
	else if (s < 7200)
		snprintf(buf, STATUS_WORD_MAX, "%ld min", s / 60);
	else if (s < 172800)
		snprintf(buf, STATUS_WORD_MAX, "%ld h %ld min", s / 3600, s / 60 % 60);
	else
		snprintf(buf, STATUS_WORD_MAX, "%ld d %ld h", s / 86400, s / 3600 % 24);
	return buf;
}

const char *status_bytes(double v, char buf[STATUS_WORD_MAX])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t u = 0;

	while (v >= 1024 && u + 1 < sizeof(units) / sizeof(*units)) {
		v /= 1024;
		u++;
	}
	snprintf(buf, STATUS_WORD_MAX, u && v < 10 ? "%.1f %s" : "%.0f %s", v, units[u]);
	return buf;
}

/* ---- parts ---- */

static void put_slice(const json_t *doc, FILE *out)
{
	const json_t *s = json_object_get(doc, "slice"), *r = json_object_get(doc, "rates");
	char a[LINE], b[LINE], c[LINE], n[4][STATUS_WORD_MAX];

	if (!json_is_object(s))
		return;
	fprintf(out, "runs      %s: %s, seed %s\n", status_get(s, "campaign", a, LINE),
		status_get(s, "job", b, LINE), status_get(s, "seed", c, LINE));
	if (strcmp(status_get(s, "turn", a, LINE), b) != 0 && *a)
		fprintf(out, "turn      %s\n", a);
	fprintf(out, "since     %s, %s left\n", status_span(status_number(s, "elapsed_s"), n[0]),
		status_span(status_number(s, "left_s"), n[1]));
	fprintf(out, "rates     %s ops/s, %s pages migrated/s, %s splits/s, overlap %.0f%%\n",
		status_amount(status_number(r, "ops_per_s"), n[0]),
		status_amount(status_number(r, "migrated_pages_per_s"), n[1]),
		status_amount(status_number(r, "split_per_s"), n[2]),
		100 * status_number(r, "overlap"));
}

static void put_campaigns(const json_t *doc, FILE *out)
{
	const json_t *c;
	char a[LINE], b[LINE], why[LINE], n[STATUS_WORD_MAX];
	size_t i;

	fputs("\ncampaign                          state        time  share  slices  findings\n",
		out);
	json_array_foreach(json_object_get(doc, "campaigns"), i, c)
	{
		status_get(c, "why", why, LINE);
		fprintf(out, "%-32s  %-11s %9s  %4.0f%%  %6.0f  %8.0f%s%s\n",
			status_get(c, "name", a, LINE), status_get(c, "state", b, LINE),
			status_span(status_number(c, "used_s"), n), 100 * status_number(c, "share"),
			status_number(c, "slices"), status_number(c, "findings"), *why ? "  " : "",
			why);
	}
}

static void put_nodes(const json_t *doc, FILE *out)
{
	const json_t *c;
	char n[4][STATUS_WORD_MAX];
	size_t i;

	fputs("\nnode   busy      memory        free   huge pages   migrated to/s\n", out);
	json_array_foreach(json_object_get(doc, "nodes"), i, c) fprintf(out,
		"%4.0f  %4.0f%%  %10s  %10s  %11s  %14s\n", status_number(c, "id"),
		100 * status_number(c, "busy"), status_bytes(status_number(c, "memory"), n[0]),
		status_bytes(status_number(c, "free"), n[1]),
		status_bytes(status_number(c, "anon_huge") + status_number(c, "shmem_huge") +
				     status_number(c, "file_huge"),
			n[2]),
		status_amount(status_number(c, "migrated_to_per_s"), n[3]));
}

static void put_findings(const json_t *doc, FILE *out)
{
	const json_t *f = json_object_get(doc, "findings"), *one;
	char a[256], b[LINE], c[LINE];
	size_t i;

	fprintf(out, "\nfindings  %.0f, of them new %.0f\n", status_number(f, "total"),
		status_number(f, "new"));
	json_array_foreach(json_object_get(f, "list"), i, one)
	{
		if (i == FINDINGS_SHOWN)
			break;
		fprintf(out, "%4.0f  %-8s %s  (%.0f times, last %s)\n", status_number(one, "id"),
			status_get(one, "status", b, LINE), status_get(one, "title", a, sizeof(a)),
			status_number(one, "count"), status_get(one, "last", c, LINE));
	}
}

void status_text(const json_t *doc, FILE *out)
{
	const json_t *t = json_object_get(doc, "totals"), *b = json_object_get(doc, "budget");
	char a[LINE], w[256], n[4][STATUS_WORD_MAX];

	fprintf(out, "%s: %s\n", status_get(doc, "health", a, LINE),
		status_get(doc, "why", w, sizeof(w)));
	fprintf(out, "machine   %s", status_get(doc, "host", a, LINE));
	fprintf(out, ", %s\n", status_get(doc, "kernel", a, LINE));
	fprintf(out, "state     %s, up %s\n", status_get(doc, "state", a, LINE),
		status_span(status_number(doc, "uptime_s"), n[0]));
	put_slice(doc, out);
	fprintf(out,
		"so far    %.0f slices, %s of running, %s ops; the machine died %.0f times, a run "
		"%.0f times\n",
		status_number(t, "slices"), status_span(status_number(t, "seconds"), n[0]),
		status_amount(status_number(t, "ops"), n[1]), status_number(t, "machine_deaths"),
		status_number(t, "run_deaths"));
	fprintf(out, "disk      %s of %s\n", status_bytes(status_number(b, "disk_used"), n[0]),
		status_bytes(status_number(b, "disk"), n[1]));
	put_campaigns(doc, out);
	put_nodes(doc, out);
	put_findings(doc, out);
}
