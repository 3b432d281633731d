/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JUnit XML as Jenkins and GitLab read it: a suite for each run, a case for the run itself and for each oracle. */
#include "night.h"

#include <inttypes.h>
#include <string.h>

#include "sink.h"

struct tally {
	size_t tests, failures, errors, skipped;
};

/* What happened to a case; fail: an oracle found something; error: the run itself went wrong. */
enum outcome { PASSED, FAILED, ERROR, SKIPPED };

static void put_attribute(const char *name, const char *value, FILE *out)
{
	fprintf(out, " %s=\"", name);
	print_xml(value, out);
	fputc('"', out);
}

static enum outcome outcome_of_run(const json_t *run)
{
	switch (value_count(run, "exit")) {
	case EXIT_CLEAN:
	case EXIT_FINDING:
		return PASSED;
	case EXIT_NOTHING:
		return SKIPPED;
	default:
		return ERROR;
	}
}

static enum outcome outcome_of_oracle(const char *verdict)
{
	return strncmp(verdict, "finding", 7) == 0   ? FAILED
	       : strncmp(verdict, "skipped", 7) == 0 ? SKIPPED
						     : PASSED;
}

static void count(struct tally *t, enum outcome o)
{
	t->tests++;
	t->failures += o == FAILED;
	t->errors += o == ERROR;
	t->skipped += o == SKIPPED;
}

static struct tally tally_of(const json_t *run)
{
	json_t *oracles = json_object_get(run, "oracles"), *verdict;
	struct tally t = {0};
	const char *name;

	count(&t, outcome_of_run(run));
	json_object_foreach(oracles, name, verdict)
		count(&t, outcome_of_oracle(json_string_value(verdict) ?: ""));
	return t;
}

static void put_tally(const struct tally *t, FILE *out)
{
	fprintf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"", t->tests,
		t->failures, t->errors, t->skipped);
}

/* The titles of this oracle in this run, a line each; the first goes into the message. */
static void put_failure(const json_t *doc, size_t index, const char *oracle, FILE *out)
{
	const json_t *g, *s;
	bool any = false;
	size_t i, k;

	json_array_foreach(json_object_get(doc, "findings"), i, g)
		json_array_foreach(json_object_get(g, "sights"), k, s)
	{
		if (strcmp(value_text(g, "oracle"), oracle) != 0 ||
			json_integer_value(json_object_get(s, "run")) != (json_int_t)index)
			continue;
		if (!any) {
			fputs("\n   <failure type=\"finding\"", out);
			put_attribute("message", value_text(g, "title"), out);
			fputc('>', out);
		}
		any = true;
		print_xml(value_text(g, "title"), out);
		fprintf(out, " (%" PRIu64 " x)\n", value_count(s, "count"));
		print_xml(value_text(s, "replay"), out);
		fputc('\n', out);
	}
	fputs(any ? "</failure>\n  " : "\n   <failure type=\"finding\" message=\"finding\"/>\n  ",
		out);
}

static void put_case(const json_t *doc, size_t index, const char *class, const char *name,
	enum outcome o, const char *why, FILE *out)
{
	fputs("  <testcase", out);
	put_attribute("classname", class, out);
	put_attribute("name", name, out);
	fputc('>', out);
	if (o == FAILED)
		put_failure(doc, index, name, out);
	if (o == ERROR || o == SKIPPED) {
		fputs(o == ERROR ? "\n   <error type=\"run\"" : "\n   <skipped", out);
		put_attribute("message", why, out);
		fputs("/>\n  ", out);
	}
	fputs("</testcase>\n", out);
}

static void put_suite(const json_t *doc, size_t index, const json_t *run, FILE *out)
{
	json_t *oracles = json_object_get(run, "oracles"), *verdict;
	const char *job = value_text(run, "job"), *name;
	struct tally t = tally_of(run);
	char stamp[32];

	/* xs:dateTime without a zone, as the schema of Jenkins has it. */
	snprintf(stamp, sizeof(stamp), "%.19s", value_text(run, "started"));
	fputs(" <testsuite", out);
	put_attribute("name", *job ? job : "run", out);
	put_tally(&t, out);
	put_attribute("hostname", value_text(run, "host"), out);
	put_attribute("timestamp", *stamp ? stamp : "1970-01-01T00:00:00", out);
	fprintf(out, " time=\"%.3f\">\n  <properties>\n   <property name=\"seed\"",
		value_number(run, "elapsed_s"));
	put_attribute("value", value_text(run, "seed"), out);
	fputs("/>\n   <property name=\"kernel\"", out);
	put_attribute("value", value_text(json_object_get(run, "kernel"), "release"), out);
	fputs("/>\n   <property name=\"directory\"", out);
	put_attribute("value", value_text(run, "dir"), out);
	fputs("/>\n  </properties>\n", out);
	put_case(doc, index, value_text(run, "host"), "run", outcome_of_run(run),
		value_text(run, "state"), out);
	json_object_foreach(oracles, name, verdict)
	{
		const char *word = json_string_value(verdict) ?: "";

		put_case(doc, index, value_text(run, "host"), name, outcome_of_oracle(word), word,
			out);
	}
	fputs(" </testsuite>\n", out);
}

/* What is no run: directories that cannot be read, and findings that only a store has. */
static size_t put_rest(const json_t *doc, bool put, FILE *out)
{
	const json_t *d, *g;
	size_t i, n = json_array_size(json_object_get(doc, "damaged"));

	json_array_foreach(json_object_get(doc, "damaged"), i, d) if (put) put_case(
		doc, 0, "directory", value_text(d, "dir"), ERROR, value_text(d, "why"), out);
	json_array_foreach(json_object_get(doc, "findings"), i, g)
	{
		if (!night_is_of_store(g))
			continue;
		n++;
		if (put)
			put_case(doc, 0, "finding", value_text(g, "oracle"), ERROR,
				value_text(g, "title"), out);
	}
	return n;
}

void night_junit(const json_t *doc, FILE *out)
{
	const json_t *runs = json_object_get(doc, "runs"), *run;
	size_t rest = put_rest(doc, false, out), i;
	struct tally sum = {.tests = rest, .errors = rest};

	json_array_foreach(runs, i, run)
	{
		struct tally t = tally_of(run);

		sum.tests += t.tests;
		sum.failures += t.failures;
		sum.errors += t.errors;
		sum.skipped += t.skipped;
	}
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"sunder\"", out);
	put_tally(&sum, out);
	fprintf(out, " time=\"%.3f\">\n",
		value_number(json_object_get(doc, "totals"), "elapsed_s"));
	json_array_foreach(runs, i, run) put_suite(doc, i, run, out);
	if (rest) {
		struct tally t = {.tests = rest, .errors = rest};

		fputs(" <testsuite name=\"rest\"", out);
		put_tally(&t, out);
		fputs(" hostname=\"\" timestamp=\"1970-01-01T00:00:00\" time=\"0.000\">\n", out);
		put_rest(doc, true, out);
		fputs(" </testsuite>\n", out);
	}
	fputs("</testsuites>\n", out);
}
