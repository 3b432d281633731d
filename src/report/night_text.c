/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The night for a terminal or a mail: verdict, findings, machines that are not clean, what is damaged, what changed. */
#include "night.h"

#include <inttypes.h>
#include <string.h>

#include "sink.h"

enum { SHOWN = 30 };

static void print_list(const char *head, const json_t *texts, FILE *out)
{
	const json_t *t;
	size_t i;

	if (json_array_size(texts))
		fputs(head, out);
	json_array_foreach(texts, i, t)
	{
		if (i < SHOWN)
			fprintf(out, "%s%s", i ? ", " : "", json_string_value(t) ?: "");
	}
	if (json_array_size(texts) > SHOWN)
		fprintf(out, " and %zu more", json_array_size(texts) - SHOWN);
	if (json_array_size(texts))
		fputc('\n', out);
}

static void print_findings(const json_t *doc, FILE *out)
{
	const json_t *findings = json_object_get(doc, "findings"), *g;
	size_t i;

	json_array_foreach(findings, i, g)
	{
		const json_t *sight = json_array_get(json_object_get(g, "sights"), 0);

		if (i >= SHOWN)
			break;
		fprintf(out, "%3zu. %s%s\n     %" PRIu64 " x", i + 1, value_text(g, "title"),
			json_is_true(json_object_get(g, "known")) ? "  (known)"
			: json_is_true(json_object_get(g, "new")) ? "  (new)"
								  : "",
			value_count(g, "count"));
		print_list(" on ", json_object_get(g, "machines"), out);
		fprintf(out, "     first %s, last %s%s%s\n", value_text(g, "first"),
			value_text(g, "last"), *value_text(sight, "seed") ? ", seed " : "",
			value_text(sight, "seed"));
		if (*value_text(sight, "replay"))
			fprintf(out, "     %s\n", value_text(sight, "replay"));
	}
	if (json_array_size(findings) > SHOWN)
		fprintf(out, "     and %zu more\n", json_array_size(findings) - SHOWN);
}

static void print_runs(const json_t *doc, FILE *out)
{
	const json_t *run;
	char clock[AMOUNT_MAX];
	size_t i, shown = 0;

	json_array_foreach(json_object_get(doc, "runs"), i, run)
	{
		const char *state = value_text(run, "state");

		if (strcmp(state, "clean") == 0 || strcmp(state, "findings") == 0 ||
			shown++ >= SHOWN)
			continue;
		fprintf(out, "%-12s %s, last seen after %s, %s\n", state, value_text(run, "host"),
			amount_clock(value_number(run, "elapsed_s"), clock),
			value_text(run, "dir"));
	}
}

static void print_titles(const char *head, const json_t *findings, FILE *out)
{
	const json_t *g;
	size_t i;

	json_array_foreach(findings, i, g) if (i < SHOWN)
		fprintf(out, "%s%s\n", head, value_text(g, "title"));
}

static void print_comparison(const json_t *c, FILE *out)
{
	if (!json_is_object(c))
		return;
	fprintf(out, "before       %s: %s\n", value_text(json_object_get(c, "verdict"), "word"),
		value_text(json_object_get(c, "verdict"), "text"));
	print_titles("new          ", json_object_get(c, "new"), out);
	print_titles("gone         ", json_object_get(c, "gone"), out);
	print_list("machines that are gone: ", json_object_get(c, "machines_gone"), out);
	print_list("ops that worked before and did not: ", json_object_get(c, "ops_gone"), out);
}

void night_text(const json_t *doc, FILE *out)
{
	const json_t *totals = json_object_get(doc, "totals"), *d;
	double seconds = value_number(totals, "elapsed_s");
	char n[4][AMOUNT_MAX];
	size_t i;

	fprintf(out, "%s  (%s)\n", value_text(json_object_get(doc, "verdict"), "word"),
		night_verdict(doc));
	print_findings(doc, out);
	print_runs(doc, out);
	json_array_foreach(json_object_get(doc, "damaged"), i, d) if (i < SHOWN) fprintf(
		out, "%-12s %s: %s\n", "damaged", value_text(d, "dir"), value_text(d, "why"));
	print_comparison(json_object_get(doc, "comparison"), out);
	fprintf(out, "ran          %s ops in %s rounds, %s on all machines, overlap %.0f%%\n",
		amount_count(value_count(totals, "ops"), n[0]),
		amount_count(value_count(totals, "rounds"), n[1]), amount_clock(seconds, n[2]),
		100 * ratio((double)value_count(totals, "ops_overlapped"),
			      (double)value_count(totals, "ops_seen")));
}
