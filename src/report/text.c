/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The summary for a person: verdict first, then what was found, what ran, what judged it, what did
 * not run, how to run it again.
 */
#include "sink.h"

#include <inttypes.h>
#include <string.h>

enum { SHOWN_FINDINGS = 20, SHOWN_NEVER = 12 };

/* How many oracles have a verdict that begins with the letter; their names go to out. */
static unsigned int print_names(const struct run_result *r, char letter, FILE *out)
{
	char verdict[VERDICT_MAX];
	unsigned int n = 0;

	for (int o = 0; o < ORACLE_COUNT; o++)
		if (oracle_verdict(r, (enum oracle)o, verdict)[0] == letter)
			fprintf(out, "%s%s", n++ ? ", " : "", oracle_name((enum oracle)o));
	return n;
}

static void print_verdict(const struct run_result *r, FILE *out)
{
	char clock[AMOUNT_MAX];

	switch (r->exit) {
	case EXIT_CLEAN:
		fputs("CLEAN", out);
		break;
	case EXIT_FINDING:
		fprintf(out, "%u FINDING%s", r->ngroups, r->ngroups == 1 ? "" : "S");
		break;
	case EXIT_LOST:
		fprintf(out, "LOST: the kernel or an executor cannot go on; %u FINDING%s",
			r->ngroups, r->ngroups == 1 ? "" : "S");
		break;
	case EXIT_USAGE:
		fputs("ERROR: the run failed, see the messages above", out);
		break;
	case EXIT_RESOURCES:
		fputs("NOT ENOUGH RESOURCES, see the messages above", out);
		break;
	case EXIT_NOTHING:
		fputs("NOTHING RAN", out);
		break;
	}
	fprintf(out, "  (%s%s", r->interrupted ? "interrupted, " : "",
		amount_clock(r->elapsed_s, clock));
	if (r->machine)
		fprintf(out, ", kernel %s", r->machine->kernel);
	if (r->plan) {
		fputs(", ", out);
		print_clean(r->plan->job, out);
	}
	fputs(")\n", out);
}

static void print_findings(const struct run_result *r, FILE *out)
{
	for (unsigned int i = 0; i < r->ngroups && i < SHOWN_FINDINGS; i++) {
		const struct finding_group *g = &r->group[i];

		fprintf(out, "%3u. ", i + 1);
		print_clean(g->first.title, out);
		fprintf(out, "  (%" PRIu64 " x, first after %.1f s)\n     %s\n", g->count,
			g->first_s, g->dir[0] ? g->dir : "not saved: see the messages above");
	}
	if (r->ngroups > SHOWN_FINDINGS)
		fprintf(out, "     and %u more in %s/summary.json\n", r->ngroups - SHOWN_FINDINGS,
			r->output);
	for (size_t i = 0; r->injected && r->injected[i]; i++)
		fprintf(out, "%s%s", i ? ", " : "planted   ", r->injected[i]);
	if (r->injected && r->injected[0])
		fputs(" (this run was told to fail)\n", out);
}

static unsigned int lanes(const struct run_result *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; r->crew && i < r->ncrews; i++)
		n += r->crew[i]->ctl->nlanes;
	return n;
}

/* How well lanes kept their times: between the first and the last of those that start together. */
static void print_timing(const struct run_totals *t, FILE *out)
{
	fprintf(out, "          lanes apart at release: p50 %" PRIu64 " ns, p99 %" PRIu64 " ns",
		buckets_quantile(t->skew, 500), buckets_quantile(t->skew, 990));
	if (t->meets)
		fprintf(out, "; at %" PRIu64 " meets: p50 %" PRIu64 " ns, p99 %" PRIu64 " ns",
			t->meets, buckets_quantile(t->meet_skew, 500),
			buckets_quantile(t->meet_skew, 990));
	fputc('\n', out);
}

static void print_ran(const struct run_result *r, FILE *out)
{
	struct run_totals t = run_totals(r);
	char n[6][AMOUNT_MAX];

	fprintf(out, "ran       %s ops (%s/s) in %s rounds, %u lanes in %u crew%s",
		amount_count(t.ops, n[0]),
		amount_count((uint64_t)ratio((double)t.ops, r->elapsed_s), n[1]),
		amount_count(t.rounds, n[2]), lanes(r), r->ncrews, r->ncrews == 1 ? "" : "s");
	if (r->crew_restarts)
		fprintf(out, ", %" PRIu64 " crew restarts", r->crew_restarts);
	fprintf(out, "\n          overlap %.0f%%, migrated %s pages, split %s, collapsed %s\n",
		100 * ratio((double)t.ops_overlapped, (double)t.ops_seen),
		amount_count(t.migrated, n[0]), amount_count(t.split, n[1]),
		amount_count(t.collapsed, n[2]));
	print_timing(&t, out);
	fprintf(out, "checked   %s cells while ops ran, %s between rounds\n",
		amount_count(t.checks, n[3]), amount_count(t.swept, n[4]));
	if (t.evidence_lost)
		fprintf(out, "          %s pieces of evidence did not fit their ring\n",
			amount_count(t.evidence_lost, n[5]));
}

static const char *usual_error(const struct op_totals *t)
{
	unsigned int best = 0;

	for (unsigned int i = 1; i < t->nerrors; i++)
		if (t->error[i].count > t->error[best].count)
			best = i;
	return t->nerrors && strerrorname_np(t->error[best].err)
		       ? strerrorname_np(t->error[best].err)
		       : "?";
}

/* Ops that were tried and never worked: what they were to exercise was not. */
static void print_never(const struct run_result *r, FILE *out)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < OP_NUMBERS; i++) {
		struct op_totals t = op_totals(r, i);

		if (!op_get(i) || t.ok || !t.failed)
			continue;
		if (n < SHOWN_NEVER)
			fprintf(out, "%s%s (%s)", n ? ", " : "failed    always: ", op_get(i)->name,
				usual_error(&t));
		n++;
	}
	if (n > SHOWN_NEVER)
		fprintf(out, " and %u more", n - SHOWN_NEVER);
	if (n)
		fputc('\n', out);
}

static void print_oracles(const struct run_result *r, FILE *out)
{
	char verdict[VERDICT_MAX];

	fputs("oracles   ok: ", out);
	fputs(print_names(r, 'o', out) ? "\n" : "none\n", out);
	for (int o = 0; o < ORACLE_COUNT; o++) {
		if (oracle_verdict(r, (enum oracle)o, verdict)[0] == 'o')
			continue;
		fprintf(out, "          %s %s\n", oracle_name((enum oracle)o), verdict);
	}
	if (r->kmsg.lost)
		fprintf(out,
			"          %" PRIu64
			" records of the kernel log were overwritten before they were read\n",
			r->kmsg.lost);
}

/* Skips of the same reason on one line. */
static void print_skips(const struct run_result *r, FILE *out)
{
	const struct plan *p = r->plan;
	const char *head = "skipped   ";

	for (unsigned int i = 0; p && i < p->nskips; i++) {
		bool told = false;

		for (unsigned int k = 0; k < i && !told; k++)
			told = strcmp(p->skip[k].why, p->skip[i].why) == 0;
		if (told)
			continue;
		fputs(head, out);
		head = "          ";
		print_clean(p->skip[i].why, out);
		for (unsigned int k = i; k < p->nskips; k++)
			if (strcmp(p->skip[k].why, p->skip[i].why) == 0)
				fprintf(out, "%s%s", k == i ? ": " : ", ", p->skip[k].what);
		fputc('\n', out);
	}
}

static void print_hardware(const struct run_result *r, FILE *out)
{
	char line[512];

	if (!hardware_suspected(&r->hardware))
		return;
	hardware_describe(&r->hardware, line, sizeof(line));
	print_clean(line, out);
	fputc('\n', out);
}

void text_summary(const struct run_result *r, FILE *out)
{
	print_verdict(r, out);
	print_findings(r, out);
	print_hardware(r, out);
	fputc('\n', out);
	print_ran(r, out);
	print_never(r, out);
	print_oracles(r, out);
	print_skips(r, out);
	fprintf(out, "results   %s/summary.json\n", r->output);
	if (!r->plan)
		return;
	fputs("again     ", out);
	print_rerun(r, out);
}
