/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DIR/status.json: what a run is doing, each second, for programs that watch it. */
#include "sink.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { STATUS_VERSION = 1, STATUS_FINDINGS = 32 };

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *totals_json(const struct run_totals *t)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "ops", count(t->ops), "rounds",
		count(t->rounds), "migrated_pages", count(t->migrated), "split", count(t->split),
		"collapsed", count(t->collapsed), "ops_seen", count(t->ops_seen), "ops_overlapped",
		count(t->ops_overlapped));
}

/* {"0": pages, "2": pages}: nodes that pages have come to. */
static json_t *arrivals_json(const struct run_totals *t)
{
	json_t *o = json_object();
	char id[8];

	for (int i = 0; i < MIGRATED_NODES; i++) {
		snprintf(id, sizeof(id), "%d", i);
		if (t->migrated_to[i])
			json_object_set_new(o, id, count(t->migrated_to[i]));
	}
	return o;
}

/* Ops of each lane, by crew: a lane that starves shows. */
static json_t *lanes_json(const struct run_result *r)
{
	json_t *a = json_array();

	for (unsigned int i = 0; r->crew && i < r->ncrews; i++) {
		const struct crew_ctl *c = r->crew[i]->ctl;
		json_t *lanes = json_array();

		for (unsigned int l = 0; l < c->nlanes; l++)
			json_array_append_new(lanes,
				count(atomic_load_explicit(&c->lane[l].ops, memory_order_relaxed)));
		json_array_append_new(a, lanes);
	}
	return a;
}

/* As in summary.json; but one that has found nothing in a run that goes on is "judging". */
static json_t *oracles_json(const struct run_result *r)
{
	json_t *o = json_object();
	char verdict[VERDICT_MAX];

	for (int i = 0; i < ORACLE_COUNT; i++) {
		bool judging = !r->finished && r->oracle[i].enabled && !r->oracle[i].findings;

		json_object_set_new(o, oracle_name((enum oracle)i),
			json_text(
				judging ? "judging" : oracle_verdict(r, (enum oracle)i, verdict)));
	}
	return o;
}

/* The last ones; "groups" has how many there are. */
static json_t *findings_json(const struct run_result *r)
{
	json_t *a = json_array();

	for (unsigned int i = r->ngroups > STATUS_FINDINGS ? r->ngroups - STATUS_FINDINGS : 0;
		i < r->ngroups; i++)
		json_array_append_new(a, json_finding(&r->group[i]));
	return a;
}

static int publish(const char *dir, const char *text)
{
	char path[PATH_MAX], tmp[PATH_MAX];
	_cleanup_fclose_ FILE *f = NULL;

	if ((size_t)snprintf(path, sizeof(path), "%s/status.json", dir) >= sizeof(path) ||
		(size_t)snprintf(tmp, sizeof(tmp), "%s/status.json.tmp", dir) >= sizeof(tmp))
		return -ENAMETOOLONG;
	f = fopen(tmp, "we");
	if (!f || fputs(text, f) < 0 || fputc('\n', f) < 0 || fflush(f) != 0)
		return -errno;
	return rename(tmp, path) < 0 ? -errno : 0;
}

int report_status_file(const struct run_result *r, const char *state, const char *turn,
	double elapsed_s, double left_s)
{
	struct run_totals t = run_totals(r);
	_cleanup_free_ char *text = NULL;
	char seed[24];
	json_t *doc;

	snprintf(seed, sizeof(seed), "%" PRIu64, r->plan ? r->plan->seed : 0);
	doc = json_pack("{s:i, s:s, s:i, s:I, s:o, s:o, s:s, s:f, s:o, s:o, s:o, s:o, s:o, s:i, "
			"s:o}",
		"version", STATUS_VERSION, "state", state, "pid", (int)getpid(), "time",
		(json_int_t)time(NULL), "job", r->plan ? json_text(r->plan->job) : json_null(),
		"turn", json_text(turn), "seed", seed, "elapsed_s", elapsed_s, "left_s",
		left_s < 0 ? json_null() : json_real(left_s), "totals", totals_json(&t),
		"migrated_to", arrivals_json(&t), "lanes", lanes_json(r), "oracles",
		oracles_json(r), "groups", (int)r->ngroups, "findings", findings_json(r));
	text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	json_decref(doc);
	return text ? publish(r->output, text) : -ENOMEM;
}
