/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KTAP version 1 (Documentation/dev-tools/ktap.rst): a test for the run itself and for each oracle. */
#include "sink.h"

/* A description or a diagnostic ends at the newline, and a '#' in it would start a directive. */
static void print_plain(const char *s, FILE *out)
{
	for (; *s; s++)
		fputc(*s == '#' || (unsigned char)*s < 0x20 || *s == 0x7f ? ' ' : *s, out);
}

static void print_run(const struct run_result *r, FILE *out)
{
	bool failed = r->exit == EXIT_LOST || r->exit == EXIT_USAGE || r->exit == EXIT_RESOURCES ||
		      !r->finished;

	fprintf(out, "# status %s, exit %d\n", status_word(r), r->exit);
	fprintf(out, "%sok 1 run%s\n", failed ? "not " : "",
		r->exit == EXIT_NOTHING ? " # SKIP nothing could run here" : "");
}

static void print_findings(const struct run_result *r, enum oracle o, FILE *out)
{
	for (unsigned int i = 0; i < r->ngroups; i++) {
		const struct finding_group *g = &r->group[i];

		if (g->first.oracle != o)
			continue;
		fprintf(out, "# %llu x ", (unsigned long long)g->count);
		print_plain(g->first.title, out);
		fputs(g->dir[0] ? ": " : "", out);
		print_plain(g->dir, out);
		fputc('\n', out);
	}
}

static void print_oracle(const struct run_result *r, enum oracle o, FILE *out)
{
	static const size_t prefix = sizeof("skipped: ") - 1;
	char verdict[VERDICT_MAX];

	oracle_verdict(r, o, verdict);
	print_findings(r, o, out);
	fprintf(out, "%sok %d %s", verdict[0] == 'f' ? "not " : "", (int)o + 2, oracle_name(o));
	if (verdict[0] == 's') {
		fputs(" # SKIP ", out);
		print_plain(verdict + prefix, out);
	}
	fputc('\n', out);
}

void ktap_summary(const struct run_result *r, FILE *out)
{
	fprintf(out, "KTAP version 1\n1..%d\n", ORACLE_COUNT + 1);
	if (r->plan) {
		fputs("# job ", out);
		print_plain(r->plan->job, out);
		fprintf(out, ", seed %llu\n", (unsigned long long)r->plan->seed);
	}
	print_run(r, out);
	for (int o = 0; o < ORACLE_COUNT; o++)
		print_oracle(r, (enum oracle)o, out);
}
