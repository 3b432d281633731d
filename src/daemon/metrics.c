/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "service.h"

enum { EVERY_S = 15 };

static void head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP sunder_%s %s\n# TYPE sunder_%s %s\n", name, help, name, type);
}

static void one(FILE *f, const char *name, const char *type, const char *help, double v)
{
	head(f, name, type, help);
	fprintf(f, "sunder_%s %.17g\n", name, v);
}

static void put_totals(const struct service *s, FILE *f)
{
	const struct state_totals *t = &s->state.totals;
	const struct run_status *r = &s->slice.status;

	one(f, "slices_total", "counter", "Slices that have ended.", (double)t->slices);
	one(f, "ops_total", "counter", "Ops that lanes have run.", (double)(t->ops + r->ops));
	one(f, "migrated_pages_total", "counter", "Pages that ops have migrated.",
		(double)(t->migrated + r->migrated));
	one(f, "split_total", "counter",
		"Huge pages and PMDs that the kernel has split during runs.",
		(double)(t->split + r->split));
	one(f, "collapsed_total", "counter", "Huge pages that ops have collapsed.",
		(double)(t->collapsed + r->collapsed));
	one(f, "run_seconds_total", "counter", "Time that slices have run.",
		t->seconds + r->elapsed_s);
	one(f, "machine_deaths_total", "counter", "Times that the machine died in a slice.",
		(double)s->state.deaths);
	one(f, "run_deaths_total", "counter", "Runs that a signal ended.",
		(double)s->state.child_deaths);
}

static void put_health(const struct service *s, FILE *f)
{
	static const char *const words[] = {"ok", "attention", "bad"};
	char why[WHY_MAX];
	const char *health = document_health(s, why);

	head(f, "health", "gauge", "1 for the present health.");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		fprintf(f, "sunder_health{state=\"%s\"} %d\n", words[i],
			strcmp(words[i], health) == 0);
	one(f, "running", "gauge", "1 while a slice runs.", s->phase == PHASE_RUNNING);
	one(f, "paused", "gauge", "1 while paused.", s->state.paused);
	one(f, "overlap_ratio", "gauge", "Part of the run's ops that overlapped another one.",
		s->slice.status.seen
			? (double)s->slice.status.overlapped / (double)s->slice.status.seen
			: 0);
	one(f, "disk_used_bytes", "gauge", "Disk that the daemon and the findings use.",
		(double)s->disk_used);
	one(f, "disk_budget_bytes", "gauge", "Disk that they may use.", (double)s->config.disk);
	one(f, "daemon_resident_bytes", "gauge", "Memory of the daemon.",
		(double)s->sample.own_rss);
	one(f, "daemon_open_fds", "gauge", "Open files of the daemon.", (double)s->sample.own_fds);
}

static void put_findings(const struct service *s, FILE *f)
{
	static const char *const words[] = {"new", "known", "hardware", "fixed"};
	const json_t *x;
	size_t i;

	head(f, "findings", "gauge", "Different findings in the store, by status.");
	for (size_t k = 0; k < ARRAY_SIZE(words); k++) {
		unsigned int n = 0;

		json_array_foreach(s->findings, i, x)
		{
			const char *status = json_string_value(json_object_get(x, "status"));

			n += status && strcmp(status, words[k]) == 0;
		}
		fprintf(f, "sunder_findings{status=\"%s\"} %u\n", words[k], n);
	}
}

/* Names of campaigns need no quoting: config.c allows letters, digits, - and _. */
static void put_campaigns(const struct service *s, FILE *f)
{
	struct state *state = (struct state *)&s->state;

	head(f, "campaign_seconds_total", "counter", "Time that a campaign has had.");
	for (unsigned int i = 0; i < s->config.ncampaigns; i++)
		fprintf(f, "sunder_campaign_seconds_total{campaign=\"%s\"} %.17g\n",
			s->config.campaign[i].name,
			state_campaign(state, s->config.campaign[i].name)->used_s);
	head(f, "campaign_findings_total", "counter", "New findings of a campaign.");
	for (unsigned int i = 0; i < s->config.ncampaigns; i++)
		fprintf(f, "sunder_campaign_findings_total{campaign=\"%s\"} %" PRIu64 "\n",
			s->config.campaign[i].name,
			state_campaign(state, s->config.campaign[i].name)->fresh);
	head(f, "campaign_quarantined", "gauge", "1 if the machine died under it too often.");
	for (unsigned int i = 0; i < s->config.ncampaigns; i++)
		fprintf(f, "sunder_campaign_quarantined{campaign=\"%s\"} %d\n",
			s->config.campaign[i].name, s->now[i].quarantined);
}

static void put_nodes(const struct service *s, FILE *f)
{
	head(f, "node_huge_bytes", "gauge", "Memory of a node in transparent huge pages.");
	for (unsigned int i = 0; i < s->sample.nnodes; i++) {
		const struct sample_node *n = &s->sample.node[i];

		fprintf(f, "sunder_node_huge_bytes{node=\"%d\"} %" PRIu64 "\n", n->id,
			n->anon_huge + n->shmem_huge + n->file_huge);
	}
	head(f, "run_migrated_to_pages", "gauge",
		"Pages that ops of the present slice moved to a node.");
	for (unsigned int i = 0; i < s->sample.nnodes; i++)
		fprintf(f, "sunder_run_migrated_to_pages{node=\"%d\"} %" PRIu64 "\n",
			s->sample.node[i].id,
			s->slice.status.migrated_to[s->sample.node[i].id % RUN_STATUS_NODES]);
}

char *metrics_text(const struct service *s)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	head(f, "build_info", "gauge", "Version of sunderd.");
	fprintf(f, "sunder_build_info{version=\"%s\"} 1\n", SUNDER_VERSION);
	put_health(s, f);
	put_totals(s, f);
	put_findings(s, f);
	put_campaigns(s, f);
	put_nodes(s, f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/* By rename: the collector never sees half of it. Not synced: the next one comes soon. */
static bool replace(const char *path, const char *text)
{
	char tmp[CONFIG_PATH_MAX + 16];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	f = fopen(tmp, "we");
	if (!f || fputs(text, f) < 0 || fflush(f) != 0 || rename(tmp, path) < 0) {
		unlink(tmp);
		return false;
	}
	return true;
}

void metrics_textfile(struct service *s)
{
	_cleanup_free_ char *text = NULL;
	double now = service_now_s();

	if (!s->config.textfile[0] || now < s->textfile_s)
		return;
	s->textfile_s = now + EVERY_S;
	text = metrics_text(s);
	if (text && !replace(s->config.textfile, text) && !s->textfile_told) {
		s->textfile_told = true;
		events_add(&s->events, EVENT_TROUBLE, NULL, 0, "textfile %s cannot be written: %m",
			s->config.textfile);
	}
}
