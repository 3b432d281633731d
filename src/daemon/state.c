/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/state.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "base/rng.h"

enum { STATE_VERSION = 1 };

/* ---- reading ---- */

static uint64_t get_count(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

static double get_real(const json_t *o, const char *key, double least)
{
	double v = json_number_value(json_object_get(o, key));

	return isfinite(v) && v > least ? v : least;
}

static void get_text(const json_t *o, const char *key, char *buf, size_t size)
{
	const char *v = json_string_value(json_object_get(o, key));

	snprintf(buf, size, "%s", v ? v : "");
}

/* Seeds have 64 bits: JSON's integers have not. */
static uint64_t get_seed(const json_t *o, const char *key)
{
	const char *v = json_string_value(json_object_get(o, key));

	return v ? strtoull(v, NULL, 10) : 0;
}

static void get_slice(const json_t *o, struct state_slice *s)
{
	s->active = json_is_object(o);
	get_text(o, "campaign", s->campaign, sizeof(s->campaign));
	get_text(o, "job", s->job, sizeof(s->job));
	get_text(o, "dir", s->dir, sizeof(s->dir));
	get_text(o, "boot_id", s->boot_id, sizeof(s->boot_id));
	get_text(o, "kernel", s->kernel, sizeof(s->kernel));
	s->seed = get_seed(o, "seed");
	s->number = get_count(o, "number");
	s->started = (int64_t)get_count(o, "started");
	s->pid = (pid_t)(get_count(o, "pid") & 0x7fffffff);
	s->pid_start = get_count(o, "pid_start");
}

static void get_campaigns(const json_t *list, struct state *s)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		char name[CONFIG_NAME_MAX];
		struct state_campaign *c;

		get_text(o, "name", name, sizeof(name));
		c = name[0] ? state_campaign(s, name) : NULL;
		if (!c)
			continue;
		c->pass = get_real(o, "pass", 0);
		c->boost = get_real(o, "boost", 1);
		c->used_s = get_real(o, "used_s", 0);
		c->cycle = get_count(o, "cycle");
		c->fresh = get_count(o, "fresh");
	}
}

static void get_deaths(const json_t *list, struct state *s)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		struct state_death *d = &s->death[s->ndeaths];

		if (s->ndeaths == STATE_MAX_DEATHS)
			return;
		get_text(o, "campaign", d->campaign, sizeof(d->campaign));
		get_text(o, "job", d->job, sizeof(d->job));
		get_text(o, "kernel", d->kernel, sizeof(d->kernel));
		d->count = (unsigned int)(get_count(o, "count") & 0xffff);
		d->last = (int64_t)get_count(o, "last");
		d->seed = get_seed(o, "seed");
		s->ndeaths++;
	}
}

int state_parse(const char *text, size_t len, struct state *ret, char err[STATE_ERR_MAX])
{
	json_error_t e;
	json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	const json_t *totals = json_object_get(doc, "totals");
	struct state *s;

	if (!doc || json_integer_value(json_object_get(doc, "version")) != STATE_VERSION) {
		snprintf(err, STATE_ERR_MAX, "%s", doc ? "not of a version that is known" : e.text);
		json_decref(doc);
		return -EINVAL;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		json_decref(doc);
		return -ENOMEM;
	}
	s->seed = get_seed(doc, "seed");
	s->number = get_count(doc, "number");
	s->paused = json_is_true(json_object_get(doc, "paused"));
	s->deaths = get_count(doc, "deaths");
	s->child_deaths = get_count(doc, "child_deaths");
	s->totals = (struct state_totals){.slices = get_count(totals, "slices"),
		.ops = get_count(totals, "ops"),
		.migrated = get_count(totals, "migrated"),
		.split = get_count(totals, "split"),
		.collapsed = get_count(totals, "collapsed"),
		.seconds = get_real(totals, "seconds", 0)};
	get_slice(json_object_get(doc, "slice"), &s->slice);
	get_campaigns(json_object_get(doc, "campaigns"), s);
	get_deaths(json_object_get(doc, "died_under"), s);
	*ret = *s;
	free(s);
	json_decref(doc);
	return 0;
}

int state_load(const char *file, struct state *ret, char err[STATE_ERR_MAX])
{
	_cleanup_fclose_ FILE *f = fopen(file, "re");
	char *text = f ? malloc(STATE_TEXT_MAX) : NULL, kept[CONFIG_PATH_MAX + 32];
	size_t len;
	int r;

	if (!f && errno != ENOENT)
		return -errno;
	if (!f) {
		*ret = (struct state){0};
		return 0;
	}
	if (!text)
		return -ENOMEM;
	len = fread(text, 1, STATE_TEXT_MAX, f);
	r = ferror(f) ? -EIO : state_parse(text, len, ret, err);
	free(text);
	if (r != -EINVAL)
		return r;
	snprintf(kept, sizeof(kept), "%s.corrupt", file);
	*ret = (struct state){0};
	return rename(file, kept) < 0 ? -errno : -EBADMSG;
}

/* ---- writing ---- */

static json_t *seed_json(uint64_t seed)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, seed);
	return json_string(text);
}

static json_t *count(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *slice_json(const struct state_slice *s)
{
	if (!s->active)
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "campaign",
		s->campaign, "job", s->job, "dir", s->dir, "boot_id", s->boot_id, "kernel",
		s->kernel, "seed", seed_json(s->seed), "number", count(s->number), "started",
		count((uint64_t)s->started), "pid", count((uint64_t)s->pid), "pid_start",
		count(s->pid_start));
}

static json_t *campaigns_json(const struct state *s)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < s->ncampaigns; i++) {
		const struct state_campaign *c = &s->campaign[i];

		json_array_append_new(
			a, json_pack("{s:s, s:f, s:f, s:f, s:o, s:o}", "name", c->name, "pass",
				   c->pass, "boost", c->boost, "used_s", c->used_s, "cycle",
				   count(c->cycle), "fresh", count(c->fresh)));
	}
	return a;
}

static json_t *deaths_json(const struct state *s)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < s->ndeaths; i++) {
		const struct state_death *d = &s->death[i];

		json_array_append_new(
			a, json_pack("{s:s, s:s, s:s, s:i, s:o, s:o}", "campaign", d->campaign,
				   "job", d->job, "kernel", d->kernel, "count", (int)d->count,
				   "last", count((uint64_t)d->last), "seed", seed_json(d->seed)));
	}
	return a;
}

int state_save(const char *file, const struct state *s)
{
	const struct state_totals *t = &s->totals;
	_cleanup_free_ char *text = NULL;
	json_t *totals = json_pack("{s:o, s:o, s:o, s:o, s:o, s:f}", "slices", count(t->slices),
		"ops", count(t->ops), "migrated", count(t->migrated), "split", count(t->split),
		"collapsed", count(t->collapsed), "seconds", t->seconds);
	json_t *doc = json_pack("{s:i, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
		STATE_VERSION, "seed", seed_json(s->seed), "number", count(s->number), "paused",
		s->paused, "deaths", count(s->deaths), "child_deaths", count(s->child_deaths),
		"totals", totals, "slice", slice_json(&s->slice), "campaigns", campaigns_json(s),
		"died_under", deaths_json(s));

	text = doc ? json_dumps(doc, JSON_INDENT(1)) : NULL;
	json_decref(doc);
	return text ? path_publish(file, text, strlen(text)) : -ENOMEM;
}

/* ---- entries ---- */

struct state_campaign *state_campaign(struct state *s, const char *name)
{
	struct state_campaign *c;

	for (unsigned int i = 0; i < s->ncampaigns; i++)
		if (strcmp(s->campaign[i].name, name) == 0)
			return &s->campaign[i];
	if (s->ncampaigns == CONFIG_MAX_CAMPAIGNS)
		return NULL;
	c = &s->campaign[s->ncampaigns++];
	*c = (struct state_campaign){.boost = 1};
	snprintf(c->name, sizeof(c->name), "%s", name);
	return c;
}

void state_forget(struct state *s, const struct config *c)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->ncampaigns; i++)
		if (config_find(c, s->campaign[i].name) >= 0)
			s->campaign[n++] = s->campaign[i];
	s->ncampaigns = n;
}

static struct state_death *find_death(
	const struct state *s, const char *campaign, const char *job, const char *kernel)
{
	for (unsigned int i = 0; i < s->ndeaths; i++) {
		const struct state_death *d = &s->death[i];

		if (strcmp(d->campaign, campaign) == 0 && strcmp(d->job, job) == 0 &&
			strcmp(d->kernel, kernel) == 0)
			return (struct state_death *)d;
	}
	return NULL;
}

struct state_death *state_died(
	struct state *s, const struct state_slice *slice, const char *job, int64_t now)
{
	struct state_death *d = find_death(s, slice->campaign, job, slice->kernel);

	s->deaths++;
	if (!d && s->ndeaths == STATE_MAX_DEATHS) { /* the oldest goes */
		memmove(&s->death[0], &s->death[1], (STATE_MAX_DEATHS - 1) * sizeof(*d));
		s->ndeaths--;
	}
	if (!d) {
		d = &s->death[s->ndeaths++];
		*d = (struct state_death){0};
		snprintf(d->campaign, sizeof(d->campaign), "%s", slice->campaign);
		snprintf(d->job, sizeof(d->job), "%s", job);
		snprintf(d->kernel, sizeof(d->kernel), "%s", slice->kernel);
	}
	d->count++;
	d->last = now;
	d->seed = slice->seed;
	return d;
}

unsigned int state_deaths(
	const struct state *s, const char *campaign, const char *job, const char *kernel)
{
	const struct state_death *d = find_death(s, campaign, job, kernel);

	return d ? d->count : 0;
}

unsigned int state_pardon(struct state *s, const char *campaign)
{
	unsigned int n = 0, before = s->ndeaths;

	for (unsigned int i = 0; i < s->ndeaths; i++)
		if (strcmp(s->death[i].campaign, campaign) != 0)
			s->death[n++] = s->death[i];
	s->ndeaths = n;
	return before - n;
}

uint64_t state_draw_seed(uint64_t seed, const char *campaign, uint64_t cycle)
{
	uint64_t name = 0xcbf29ce484222325ULL, drawn; /* FNV-1a */
	struct rng r;

	for (; *campaign; campaign++)
		name = (name ^ (unsigned char)*campaign) * 0x100000001b3ULL;
	rng_init(&r, seed, name, cycle, 0);
	drawn = rng_next(&r);
	return drawn ? drawn : 1;
}
