/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The status document, for `sunder status`, the page and the metrics: all of them show the same numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "service.h"

/* Rates are means over so many seconds. */
enum { RECENT_S = 10, EVENTS_SHOWN = 30, FINDINGS_SHOWN = 100 };

/* Paths and words of others need not be UTF-8. */
static json_t *text(const char *s)
{
	json_t *j = json_string(s);

	return j ? j : json_string("?");
}

static json_t *seed_json(uint64_t seed)
{
	char buf[24];

	snprintf(buf, sizeof(buf), "%" PRIu64, seed);
	return json_string(buf);
}

/* ---- health ---- */

static size_t fresh_findings(const struct service *s)
{
	const json_t *one;
	size_t i, n = 0;

	json_array_foreach(s->findings, i, one)
	{
		const char *status = json_string_value(json_object_get(one, "status"));

		n += status && strcmp(status, "new") == 0;
	}
	return n;
}

static unsigned int quarantined(const struct service *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->config.ncampaigns; i++)
		n += s->now[i].quarantined;
	return n;
}

static unsigned int failing(const struct service *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->config.ncampaigns; i++)
		n += s->now[i].fails > 0;
	return n;
}

const char *document_health(const struct service *s, char why[WHY_MAX])
{
	size_t fresh = fresh_findings(s);

	if (s->hold[0]) {
		snprintf(why, WHY_MAX, "%s", s->hold);
		return "bad";
	}
	if (!service_is_alive(s)) {
		snprintf(why, WHY_MAX, "the run makes no progress");
		return "bad";
	}
	if (s->disk_full)
		snprintf(why, WHY_MAX, "the disk budget is used up by findings");
	else if (fresh)
		snprintf(why, WHY_MAX, "%zu new finding%s", fresh, fresh == 1 ? "" : "s");
	else if (quarantined(s))
		snprintf(why, WHY_MAX, "%u campaign%s quarantined", quarantined(s),
			quarantined(s) == 1 ? " is" : "s are");
	else if (failing(s))
		snprintf(why, WHY_MAX, "%u campaign%s cannot run", failing(s),
			failing(s) == 1 ? "" : "s");
	else if (s->state.paused)
		snprintf(why, WHY_MAX, "paused");
	else {
		snprintf(why, WHY_MAX, "no new findings");
		return "ok";
	}
	return "attention";
}

static const char *state_word(const struct service *s)
{
	if (s->stopping)
		return "stopping";
	if (s->phase == PHASE_RUNNING)
		return s->slice.ending == ENDING_NOT ? "running" : "ending";
	if (s->phase != PHASE_IDLE)
		return "recovering";
	if (s->hold[0] || s->disk_full)
		return "held";
	return s->state.paused ? "paused" : "idle";
}

/* ---- parts ---- */

static json_t *rates_json(const struct history_rates *r)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f}", "ops_per_s", (double)r->ops,
		"migrated_pages_per_s", (double)r->migrated, "split_per_s", (double)r->split,
		"collapsed_per_s", (double)r->collapsed, "overlap", (double)r->overlap);
}

/* Of the turn that runs: how much the laziest and the busiest lane of the run have done. */
static json_t *lanes_json(const json_t *crews)
{
	json_int_t least = 0, most = 0, v;
	int n = 0;
	const json_t *crew, *lane;
	size_t i, k;

	json_array_foreach(crews, i, crew)
	{
		json_array_foreach(crew, k, lane)
		{
			v = json_integer_value(lane);
			if (!v)
				continue; /* its turn has not come */
			least = !n || v < least ? v : least;
			most = v > most ? v : most;
			n++;
		}
	}
	return json_pack("{s:i, s:I, s:I}", "busy", n, "least_ops", least, "most_ops", most);
}

static json_t *or_empty(const json_t *doc, const char *key, json_t *empty)
{
	json_t *v = json_object_get(doc, key);

	if (!v)
		return empty;
	json_decref(empty);
	return json_incref(v);
}

static json_t *slice_json(const struct service *s)
{
	const struct slice *x = &s->slice;
	const struct state_slice *t = &s->state.slice;
	struct history_rates rates = {0};

	if (s->phase != PHASE_RUNNING)
		return json_null();
	history_recent(s->history, RECENT_S, &rates);
	return json_pack(
		"{s:s, s:o, s:o, s:o, s:I, s:o, s:i, s:I, s:f, s:f, s:I, s:I, s:o, s:o, s:o, "
		"s:o}",
		"campaign", t->campaign, "job", text(t->job), "turn", text(slice_turn(x)), "seed",
		seed_json(t->seed), "number", (json_int_t)t->number, "dir", text(t->dir), "pid",
		(int)x->pid, "started", (json_int_t)t->started, "elapsed_s", x->status.elapsed_s,
		"left_s", x->status.left_s < 0 ? 0 : x->status.left_s, "ops",
		(json_int_t)x->status.ops, "rounds", (json_int_t)x->status.rounds, "rates",
		rates_json(&rates), "lanes", lanes_json(json_object_get(x->status.doc, "lanes")),
		"oracles", or_empty(x->status.doc, "oracles", json_object()), "findings",
		or_empty(x->status.doc, "findings", json_array()));
}

static const char *campaign_word(const struct service *s, unsigned int i)
{
	const struct campaign_now *c = &s->now[i];

	if (s->phase == PHASE_RUNNING && s->slice.campaign == (int)i)
		return "running";
	if (c->quarantined)
		return "quarantined";
	if (!c->window_open)
		return "closed";
	return c->not_before > time(NULL) ? "failing" : "ready";
}

static double all_time(const struct service *s)
{
	double sum = 0;

	for (unsigned int i = 0; i < s->state.ncampaigns; i++)
		sum += s->state.campaign[i].used_s;
	return sum;
}

static json_t *campaigns_json(const struct service *s)
{
	json_t *a = json_array();
	double all = all_time(s);

	for (unsigned int i = 0; i < s->config.ncampaigns; i++) {
		const struct config_campaign *k = &s->config.campaign[i];
		const struct campaign_now *c = &s->now[i];
		const struct state_campaign *t = state_campaign((struct state *)&s->state, k->name);

		json_array_append_new(a,
			json_pack("{s:s, s:s, s:o, s:f, s:f, s:f, s:f, s:I, s:I, s:s, s:o, s:i, "
				  "s:I, s:s, "
				  "s:o}",
				"name", k->name, "type", campaign_type_name(k->type), "job",
				text(k->job), "weight", k->weight, "boost", s->share[i].boost,
				"used_s", t ? t->used_s : 0, "share",
				t && all > 0 ? t->used_s / all : 0, "slices",
				(json_int_t)(t ? t->cycle : 0), "findings",
				(json_int_t)(t ? t->fresh : 0), "window", k->window_text, "changes",
				k->window.n ? json_integer(c->window_change) : json_null(),
				"last_exit", c->last_exit, "last_end", (json_int_t)c->last_end,
				"state", campaign_word(s, i), "why", text(c->why)));
	}
	return a;
}

static json_t *nodes_json(const struct service *s)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < s->sample.nnodes; i++) {
		const struct sample_node *n = &s->sample.node[i];
		struct history_node r = {0};

		history_recent_node(s->history, RECENT_S, i, &r);
		json_array_append_new(a,
			json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "id",
				n->id, "memory", (json_int_t)n->total, "free", (json_int_t)n->free,
				"anon_huge", (json_int_t)n->anon_huge, "shmem_huge",
				(json_int_t)n->shmem_huge, "file_huge", (json_int_t)n->file_huge,
				"hugetlb_total", (json_int_t)n->huge_total, "hugetlb_free",
				(json_int_t)n->huge_free, "busy", (double)r.busy,
				"migrated_to_per_s", (double)r.migrated_to, "allocated_per_s",
				(double)r.allocated));
	}
	return a;
}

static json_t *kernel_json(const struct service *s)
{
	const struct sample *k = &s->sample;
	json_t *pools = json_array();

	for (unsigned int i = 0; i < k->npools; i++) {
		const struct sample_pool *p = &k->pool[i];

		json_array_append_new(pools,
			json_pack("{s:I, s:I, s:I, s:I, s:I}", "size", (json_int_t)p->size, "total",
				(json_int_t)p->total, "free", (json_int_t)p->free, "reserved",
				(json_int_t)p->reserved, "surplus", (json_int_t)p->surplus));
	}
	return json_pack(
		"{s:s, s:s, s:s, s:o, s:I, s:f, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}}",
		"thp_enabled", k->thp_enabled, "thp_defrag", k->thp_defrag, "thp_shmem",
		k->thp_shmem, "hugetlb", pools, "taint", (json_int_t)k->taint, "load", k->load,
		"vmstat", "thp_fault_alloc", (json_int_t)k->thp_fault_alloc, "thp_fault_fallback",
		(json_int_t)k->thp_fault_fallback, "thp_split_page", (json_int_t)k->thp_split_page,
		"thp_split_pmd", (json_int_t)k->thp_split_pmd, "thp_collapse_alloc",
		(json_int_t)k->thp_collapse_alloc, "thp_migration_success",
		(json_int_t)k->thp_migration_success, "pgmigrate_success",
		(json_int_t)k->migrate_success, "pgmigrate_fail", (json_int_t)k->migrate_fail,
		"compact_stall", (json_int_t)k->compact_stall);
}

static json_t *findings_json(const struct service *s)
{
	json_t *a = json_array(), *one;
	size_t i;

	json_array_foreach(s->findings, i, one)
	{
		if (i == FINDINGS_SHOWN)
			break;
		json_array_append(a, one);
	}
	return json_pack("{s:I, s:I, s:o}", "total", (json_int_t)json_array_size(s->findings),
		"new", (json_int_t)fresh_findings(s), "list", a);
}

static json_t *deaths_json(const struct service *s)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < s->state.ndeaths; i++) {
		const struct state_death *d = &s->state.death[i];

		json_array_append_new(
			a, json_pack("{s:s, s:o, s:s, s:i, s:I, s:o, s:b}", "campaign", d->campaign,
				   "job", text(d->job), "kernel", d->kernel, "count", (int)d->count,
				   "last", (json_int_t)d->last, "seed", seed_json(d->seed),
				   "quarantined", d->count >= s->config.deaths));
	}
	return a;
}

static json_t *events_json(const struct service *s)
{
	json_t *a = json_array();
	uint64_t n = s->events.count;

	for (uint64_t i = n > EVENTS_SHOWN ? n - EVENTS_SHOWN + 1 : 1; i <= n; i++) {
		const struct event *e = events_get(&s->events, i);

		if (e)
			json_array_append_new(a, event_json(e));
	}
	return a;
}

static json_t *totals_json(const struct service *s)
{
	const struct state_totals *t = &s->state.totals;
	const struct run_status *r = &s->slice.status;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I}", "slices",
		(json_int_t)t->slices, "ops", (json_int_t)(t->ops + r->ops), "migrated_pages",
		(json_int_t)(t->migrated + r->migrated), "split", (json_int_t)(t->split + r->split),
		"collapsed", (json_int_t)(t->collapsed + r->collapsed), "seconds",
		t->seconds + r->elapsed_s, "machine_deaths", (json_int_t)s->state.deaths,
		"run_deaths", (json_int_t)s->state.child_deaths);
}

static json_t *queue_json(const struct service *s)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < s->nqueue; i++)
		json_array_append_new(a, text(s->queue[i]));
	return a;
}

json_t *document_status(const struct service *s)
{
	char why[WHY_MAX];
	const char *health = document_health(s, why);
	struct history_rates rates = {0};
	json_t *doc, *budget, *own;

	history_recent(s->history, RECENT_S, &rates);
	budget = json_pack("{s:I, s:I, s:I, s:i, s:s}", "disk_used", (json_int_t)s->disk_used,
		"disk", (json_int_t)s->config.disk, "memory", (json_int_t)s->config.memory,
		"cpu_percent", (int)s->config.cpu_percent, "cpus", s->config.cpus);
	own = json_pack("{s:I, s:I}", "rss", (json_int_t)s->sample.own_rss, "fds",
		(json_int_t)s->sample.own_fds);
	doc = json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:f, s:s, s:o, s:s, s:o}", "version", 1,
		"sunder", SUNDER_VERSION, "host", s->host, "kernel", s->kernel, "time",
		(json_int_t)time(NULL), "started", (json_int_t)s->started, "uptime_s",
		service_now_s() - s->started_s, "health", health, "why", text(why), "state",
		state_word(s), "slice", slice_json(s));
	if (!doc || json_object_set_new(doc, "rates", rates_json(&rates)) ||
		json_object_set_new(doc, "totals", totals_json(s)) ||
		json_object_set_new(doc, "campaigns", campaigns_json(s)) ||
		json_object_set_new(doc, "queue", queue_json(s)) ||
		json_object_set_new(doc, "findings", findings_json(s)) ||
		json_object_set_new(doc, "deaths", deaths_json(s)) ||
		json_object_set_new(doc, "nodes", nodes_json(s)) ||
		json_object_set_new(doc, "machine", kernel_json(s)) ||
		json_object_set_new(doc, "budget", budget) ||
		json_object_set_new(doc, "daemon", own) ||
		json_object_set_new(doc, "events", events_json(s))) {
		json_decref(doc);
		return NULL;
	}
	return doc;
}
