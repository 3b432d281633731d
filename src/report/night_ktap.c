/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KTAP version 1: a test for each run, with subtests for the run itself and for each oracle, and one for each directory that is none. */
#include "night.h"

#include <inttypes.h>
#include <string.h>

/* A description or a diagnostic ends at the newline, and a '#' in it would start a directive. */
static void print_plain(const char *s, FILE *out)
{
	for (; *s; s++)
		fputc(*s == '#' || (unsigned char)*s < 0x20 || *s == 0x7f ? ' ' : *s, out);
}

static bool is_failed(const json_t *run)
{
	uint64_t code = value_count(run, "exit");

	return code != EXIT_CLEAN && code != EXIT_NOTHING && code != EXIT_FINDING;
}

static void print_titles(const json_t *doc, size_t index, const char *oracle, FILE *out)
{
	const json_t *g, *s;
	size_t i, k;

	json_array_foreach(json_object_get(doc, "findings"), i, g)
	{
		if (strcmp(value_text(g, "oracle"), oracle) != 0)
			continue;
		json_array_foreach(json_object_get(g, "sights"), k, s)
		{
			if (json_integer_value(json_object_get(s, "run")) != (json_int_t)index)
				continue;
			fprintf(out, "    # %" PRIu64 " x ", value_count(s, "count"));
			print_plain(value_text(g, "title"), out);
			fputc('\n', out);
		}
	}
}

static void print_oracle(const json_t *doc, size_t index, size_t number, const char *name,
	const char *verdict, FILE *out)
{
	bool bad = strncmp(verdict, "finding", 7) == 0,
	     skipped = strncmp(verdict, "skipped", 7) == 0;

	print_titles(doc, index, name, out);
	fprintf(out, "    %sok %zu ", bad ? "not " : "", number);
	print_plain(name, out);
	if (skipped) {
		fputs(" # SKIP", out);
		print_plain(verdict + 7, out);
	}
	fputc('\n', out);
}

static void print_name(const json_t *run, FILE *out)
{
	print_plain(value_text(run, "host"), out);
	fputc(' ', out);
	print_plain(value_text(run, "job"), out);
	fputs(" seed ", out);
	print_plain(value_text(run, "seed"), out);
}

static void print_run(const json_t *doc, size_t index, const json_t *run, FILE *out)
{
	json_t *oracles = json_object_get(run, "oracles"), *verdict;
	uint64_t code = value_count(run, "exit");
	const char *name;
	size_t n = 1;

	fprintf(out, "    KTAP version 1\n    1..%zu\n    # ", json_object_size(oracles) + 1);
	print_plain(value_text(run, "dir"), out);
	fprintf(out, ": %s\n    %sok 1 run%s\n", value_text(run, "state"),
		is_failed(run) ? "not " : "",
		code == EXIT_NOTHING ? " # SKIP nothing could run here" : "");
	json_object_foreach(oracles, name, verdict)
		print_oracle(doc, index, ++n, name, json_string_value(verdict) ?: "", out);
	fprintf(out, "%sok %zu ", is_failed(run) || code == EXIT_FINDING ? "not " : "", index + 1);
	print_name(run, out);
	fputs(code == EXIT_NOTHING ? " # SKIP nothing could run there\n" : "\n", out);
}

/* Findings that no run of these has: of a store. */
static size_t print_others(const json_t *doc, size_t number, bool print, FILE *out)
{
	const json_t *g;
	size_t i, n = 0;

	json_array_foreach(json_object_get(doc, "findings"), i, g)
	{
		if (!night_is_of_store(g))
			continue;
		n++;
		if (!print)
			continue;
		fprintf(out, "not ok %zu finding ", number + n);
		print_plain(value_text(g, "title"), out);
		fputc('\n', out);
	}
	return n;
}

void night_ktap(const json_t *doc, FILE *out)
{
	const json_t *runs = json_object_get(doc, "runs"),
		     *damaged = json_object_get(doc, "damaged"), *run, *d;
	size_t number = json_array_size(runs), i;

	fprintf(out, "KTAP version 1\n1..%zu\n# ",
		number + json_array_size(damaged) + print_others(doc, 0, false, out));
	print_plain(night_verdict(doc), out);
	fputc('\n', out);
	json_array_foreach(runs, i, run) print_run(doc, i, run, out);
	json_array_foreach(damaged, i, d)
	{
		fputs("# ", out);
		print_plain(value_text(d, "why"), out);
		fprintf(out, "\nnot ok %zu directory ", ++number);
		print_plain(value_text(d, "dir"), out);
		fputc('\n', out);
	}
	print_others(doc, number, true, out);
}
