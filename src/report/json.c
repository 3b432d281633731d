/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document that is summary.json and --format json, as docs/summary.schema.json describes it. */
#include "sink.h"

#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"

json_t *json_text(const char *s)
{
	json_t *j = json_string(s);
	_cleanup_free_ char *copy = NULL;

	if (j)
		return j;
	copy = strdup(s);
	if (!copy)
		return NULL;
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(copy);
}

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *number(double v)
{
	return json_real(v);
}

/* ---- where it ran ---- */

static json_t *kernel_json(const struct run_result *r)
{
	struct utsname u;

	if (uname(&u) < 0)
		memset(&u, 0, sizeof(u));
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "release", json_text(u.release), "version",
		json_text(u.version), "arch", json_text(u.machine), "cmdline",
		json_text(r->kernel_cmdline), "boot_id",
		json_text(r->machine ? r->machine->boot_id : ""));
}

static json_t *nodes_json(const struct machine *m)
{
	json_t *a = json_array();

	for (int i = 0; i < m->nnodes; i++)
		json_array_append_new(
			a, json_pack("{s:i, s:b, s:b, s:I}", "id", m->node[i].id, "has_memory",
				   m->node[i].has_memory, "has_cpu", m->node[i].has_cpu, "memory",
				   (json_int_t)m->node[i].mem_total));
	return a;
}

static json_t *machine_json(const struct machine *m)
{
	json_t *sizes = json_array();

	if (!m) {
		json_decref(sizes);
		return json_null();
	}
	for (int i = 0; i < m->nhstates; i++)
		json_array_append_new(sizes, count(m->hstate[i].size));
	return json_pack("{s:o, s:i, s:I, s:I, s:I, s:I, s:I, s:o, s:b}", "nodes", nodes_json(m),
		"cpus", m->ncpus, "memory", (json_int_t)m->mem_total, "memory_available",
		(json_int_t)m->mem_available, "page_size", (json_int_t)m->page_size, "pmd_size",
		(json_int_t)m->pmd_size, "pud_size", (json_int_t)m->pud_size, "hugetlb_sizes",
		sizes, "root", m->is_root);
}

/* plan_json() takes the job's name as it is; a file name need not be UTF-8. */
json_t *report_plan_json(const struct plan *p)
{
	struct plan copy = *p;
	json_t *job = json_text(p->job), *j;

	snprintf(copy.job, sizeof(copy.job), "%s", job ? json_string_value(job) : "?");
	json_decref(job);
	j = plan_json(&copy);
	return j ? j : json_null();
}

/* ---- what ran ---- */

static json_t *totals_json(const struct run_result *r, const struct run_totals *t)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i}",
		"rounds", count(t->rounds), "ops", count(t->ops), "migrated_pages",
		count(t->migrated), "split", count(t->split), "collapsed", count(t->collapsed),
		"touched", count(t->touched), "checks", count(t->checks), "swept", count(t->swept),
		"zeros", count(t->zeros), "sigsegv", count(t->segv), "sigbus", count(t->bus),
		"evidence_lost", count(t->evidence_lost), "crew_restarts", count(r->crew_restarts),
		"crews", (int)r->ncrews);
}

static json_t *rates_json(const struct run_result *r, const struct run_totals *t)
{
	double s = r->elapsed_s;

	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "ops_per_s", number(ratio((double)t->ops, s)),
		"rounds_per_s", number(ratio((double)t->rounds, s)), "migrated_pages_per_s",
		number(ratio((double)t->migrated, s)), "overlap",
		number(ratio((double)t->ops_overlapped, (double)t->ops_seen)), "release_skew_ns",
		number(t->skew_ns));
}

static json_t *errors_json(const struct op_totals *t)
{
	json_t *o = json_object();
	uint64_t rest = t->failed;
	char unknown[32];

	for (unsigned int i = 0; i < t->nerrors; i++) {
		const char *name = strerrorname_np(t->error[i].err);

		snprintf(unknown, sizeof(unknown), "errno-%d", t->error[i].err);
		json_object_set_new(o, name ? name : unknown, count(t->error[i].count));
		rest -= t->error[i].count < rest ? t->error[i].count : rest;
	}
	if (rest)
		json_object_set_new(o, "other", count(rest));
	return o;
}

static json_t *backings_json(const struct run_result *r, unsigned int op)
{
	json_t *o = json_object();

	for (int b = 0; b < BACKING_COUNT; b++) {
		struct op_totals t = op_backing_totals(r, op, (enum backing)b);

		if (t.ok || t.failed)
			json_object_set_new(o, backing_name((enum backing)b),
				json_pack("{s:o, s:o, s:o}", "ok", count(t.ok), "failed",
					count(t.failed), "errors", errors_json(&t)));
	}
	return o;
}

static json_t *ops_json(const struct run_result *r)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < OP_NUMBERS; i++) {
		struct op_totals t = op_totals(r, i);

		if (op_get(i) && (t.ok || t.failed))
			json_array_append_new(
				a, json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "op",
					   op_get(i)->name, "number", (int)i, "ok", count(t.ok),
					   "failed", count(t.failed), "ns", count(t.ns), "errors",
					   errors_json(&t), "backings", backings_json(r, i)));
	}
	return a;
}

/* Starts of the second op in the first one's window, or the other way round, by eighths. */
static json_t *phases_json(const uint64_t phase[PAIR_PHASES])
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < PAIR_PHASES; i++)
		json_array_append_new(a, count(phase[i]));
	return a;
}

static json_t *skew_json(const uint64_t n[BUCKETS])
{
	uint64_t samples = 0;

	for (unsigned int i = 0; i < BUCKETS; i++)
		samples += n[i];
	return json_pack("{s:o, s:o, s:o, s:o}", "samples", count(samples), "p50_ns",
		count(buckets_quantile(n, 500)), "p90_ns", count(buckets_quantile(n, 900)),
		"p99_ns", count(buckets_quantile(n, 990)));
}

static json_t *timing_json(const struct run_totals *t)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "met_rounds", count(t->met_rounds), "meets",
		count(t->meets), "meets_missed", count(t->meets_missed), "release_skew",
		skew_json(t->skew), "meet_skew", skew_json(t->meet_skew));
}

static json_t *overlap_json(const struct run_result *r, const struct run_totals *t)
{
	struct op_pair top[TOP_PAIRS];
	uint64_t distinct;
	unsigned int n = top_pairs(r, top, &distinct);
	json_t *pairs = json_array();

	for (unsigned int i = 0; i < n; i++)
		json_array_append_new(
			pairs, json_pack("{s:[s, s], s:o, s:o, s:o, s:o}", "ops",
				       op_get(top[i].a)->name, op_get(top[i].b)->name, "count",
				       count(top[i].count), "rounds", count(top[i].rounds),
				       "second_in_first", phases_json(top[i].phase[0]),
				       "first_in_second", phases_json(top[i].phase[1])));
	return json_pack("{s:o, s:o, s:o, s:o}", "ops_seen", count(t->ops_seen), "ops_overlapped",
		count(t->ops_overlapped), "distinct_pairs", count(distinct), "pairs", pairs);
}

/* ---- what was judged ---- */

static json_t *oracles_json(const struct run_result *r)
{
	json_t *o = json_object();
	char verdict[VERDICT_MAX];

	for (int i = 0; i < ORACLE_COUNT; i++)
		json_object_set_new(o, oracle_name((enum oracle)i),
			json_text(oracle_verdict(r, (enum oracle)i, verdict)));
	return o;
}

static json_t *alt_json(const char *alt)
{
	json_t *a = json_array();
	char title[256];

	while (alt && *alt) {
		size_t n = strcspn(alt, "\n");

		snprintf(title, sizeof(title), "%.*s", (int)n, alt);
		json_array_append_new(a, json_text(title));
		alt += n + (alt[n] == '\n');
	}
	return a;
}

json_t *json_finding(const struct finding_group *g)
{
	const struct finding *f = &g->first;
	json_t *j = json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:b, s:o}", "title",
		json_text(f->title), "alt", alt_json(f->alt), "oracle", oracle_name(f->oracle),
		"count", count(g->count), "first_s", number(g->first_s), "last_s",
		number(g->last_s), "lost_kernel", f->lost_kernel, "dir", json_text(g->dir));

	if (j && f->has_program) {
		json_object_set_new(j, "crew", count(f->crew));
		json_object_set_new(j, "lane", count(f->lane));
		json_object_set_new(j, "round", count(f->round));
	}
	return j;
}

static json_t *findings_json(const struct run_result *r)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < r->ngroups; i++)
		json_array_append_new(a, json_finding(&r->group[i]));
	return a;
}

static json_t *skips_json(const struct run_result *r)
{
	json_t *a = json_array();

	for (unsigned int i = 0; r->plan && i < r->plan->nskips; i++)
		json_array_append_new(
			a, json_pack("{s:o, s:o}", "what", json_text(r->plan->skip[i].what), "why",
				   json_text(r->plan->skip[i].why)));
	return a;
}

static json_t *injected_json(const struct run_result *r)
{
	json_t *a = json_array();

	for (size_t i = 0; r->injected && r->injected[i]; i++)
		json_array_append_new(a, json_text(r->injected[i]));
	return a;
}

/* ---- the document ---- */

/* Who wrote it: while that process lives, a run that says FAILED goes on. */
static json_t *host_json(void)
{
	struct utsname u;

	return json_text(uname(&u) < 0 ? "" : u.nodename);
}

static int add_run(json_t *doc, const struct run_result *r)
{
	struct run_totals t = run_totals(r);
	json_t *times = json_pack(
		"{s:o, s:o}", "started", json_text(r->started), "elapsed_s", number(r->elapsed_s));

	return json_object_set_new(doc, "host", host_json()) ||
	       json_object_set_new(doc, "pid", json_integer(getpid())) ||
	       json_object_set_new(doc, "times", times) ||
	       json_object_set_new(doc, "totals", totals_json(r, &t)) ||
	       json_object_set_new(doc, "rates", rates_json(r, &t)) ||
	       json_object_set_new(doc, "timing", timing_json(&t)) ||
	       json_object_set_new(doc, "ops", ops_json(r)) ||
	       json_object_set_new(doc, "overlap", overlap_json(r, &t));
}

static json_t *hardware_json(const struct hardware *h)
{
	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "suspected", hardware_suspected(h),
		"corrected", count(h->corrected), "uncorrected", count(h->uncorrected),
		"machine_checks", count(h->exceptions), "corrupted", count(h->corrupted), "records",
		count(h->records));
}

static int add_verdicts(json_t *doc, const struct run_result *r)
{
	json_t *kmsg = json_pack("{s:o, s:o, s:o}", "records", count(r->kmsg.records), "lost",
		count(r->kmsg.lost), "oom", count(r->kmsg.oom));
	json_t *taint = json_pack(
		"{s:o, s:o}", "before", count(r->taint_before), "after", count(r->taint_after));

	return json_object_set_new(doc, "oracles", oracles_json(r)) ||
	       json_object_set_new(doc, "findings", findings_json(r)) ||
	       json_object_set_new(doc, "skips", skips_json(r)) ||
	       json_object_set_new(doc, "kmsg", kmsg) || json_object_set_new(doc, "taint", taint) ||
	       json_object_set_new(doc, "hardware", hardware_json(&r->hardware));
}

json_t *json_summary(const struct run_result *r)
{
	char seed[24];
	json_t *doc;

	snprintf(seed, sizeof(seed), "%" PRIu64, r->plan ? r->plan->seed : 0);
	doc = json_pack("{s:s, s:s, s:o, s:b, s:o, s:o, s:s, s:o, s:o, s:o}", "version",
		SUNDER_VERSION, "status", status_word(r), "exit",
		r->finished ? json_integer(r->exit) : json_null(), "interrupted", r->interrupted,
		"kernel", kernel_json(r), "machine", machine_json(r->machine), "seed", seed, "job",
		r->plan ? json_text(r->plan->job) : json_null(), "injected", injected_json(r),
		"plan", r->plan ? report_plan_json(r->plan) : json_null());
	if (doc && (add_run(doc, r) || add_verdicts(doc, r))) {
		json_decref(doc);
		return NULL;
	}
	return doc;
}
