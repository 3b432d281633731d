/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ring {
	unsigned int size, used, next, step; /* step: seconds a point */
	int64_t *time;
	struct history_rates *rates;
	struct history_node *node; /* [size * nodes] */
};

struct history {
	unsigned int nodes, pending; /* seconds since the last minute */
	struct ring second, minute;
};

static bool ring_init(struct ring *r, unsigned int size, unsigned int nodes, unsigned int step)
{
	r->size = size;
	r->step = step;
	r->time = calloc(size, sizeof(*r->time));
	r->rates = calloc(size, sizeof(*r->rates));
	r->node = calloc((size_t)size * (nodes ? nodes : 1), sizeof(*r->node));
	return r->time && r->rates && r->node;
}

static void ring_free(struct ring *r)
{
	free(r->time);
	free(r->rates);
	free(r->node);
}

struct history *history_new(unsigned int nodes)
{
	struct history *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->nodes = nodes;
	if (ring_init(&h->second, HISTORY_SECONDS, nodes, 1) &&
		ring_init(&h->minute, HISTORY_MINUTES, nodes, 60))
		return h;
	history_free(h);
	return NULL;
}

void history_free(struct history *h)
{
	if (!h)
		return;
	ring_free(&h->second);
	ring_free(&h->minute);
	free(h);
}

unsigned int history_nodes(const struct history *h)
{
	return h->nodes;
}

static void ring_add(struct ring *r, unsigned int nodes, int64_t time,
	const struct history_rates *rates, const struct history_node *node)
{
	r->time[r->next] = time;
	r->rates[r->next] = *rates;
	memcpy(&r->node[(size_t)r->next * nodes], node, nodes * sizeof(*node));
	r->next = (r->next + 1) % r->size;
	if (r->used < r->size)
		r->used++;
}

/* The kth point from the oldest. */
static unsigned int ring_at(const struct ring *r, unsigned int k)
{
	return (r->next + r->size - r->used + k) % r->size;
}

bool history_recent(const struct history *h, unsigned int n, struct history_rates *ret)
{
	const struct ring *r = &h->second;
	struct history_rates sum = {0};
	float k;

	n = n < r->used ? n : r->used;
	if (!n)
		return false;
	for (unsigned int i = r->used - n; i < r->used; i++) {
		const struct history_rates *p = &r->rates[ring_at(r, i)];

		sum.ops += p->ops;
		sum.migrated += p->migrated;
		sum.split += p->split;
		sum.collapsed += p->collapsed;
		sum.overlap += p->overlap;
	}
	k = (float)n;
	*ret = (struct history_rates){
		sum.ops / k, sum.migrated / k, sum.split / k, sum.collapsed / k, sum.overlap / k};
	return true;
}

bool history_recent_node(
	const struct history *h, unsigned int n, unsigned int node, struct history_node *ret)
{
	const struct ring *r = &h->second;
	struct history_node sum = {0};
	float k;

	n = n < r->used ? n : r->used;
	if (!n || node >= h->nodes)
		return false;
	for (unsigned int i = r->used - n; i < r->used; i++) {
		const struct history_node *p = &r->node[(size_t)ring_at(r, i) * h->nodes + node];

		sum.busy += p->busy;
		sum.migrated_to += p->migrated_to;
		sum.allocated += p->allocated;
		sum.huge += p->huge;
	}
	k = (float)n;
	*ret = (struct history_node){
		sum.busy / k, sum.migrated_to / k, sum.allocated / k, sum.huge / k};
	return true;
}

void history_add(struct history *h, int64_t time, const struct history_rates *r,
	const struct history_node *nodes)
{
	struct history_node mean[256];
	struct history_rates rates;

	ring_add(&h->second, h->nodes, time, r, nodes);
	if (++h->pending < 60 || h->nodes > 256)
		return;
	h->pending = 0;
	history_recent(h, 60, &rates);
	for (unsigned int i = 0; i < h->nodes; i++)
		history_recent_node(h, 60, i, &mean[i]);
	ring_add(&h->minute, h->nodes, time, &rates, mean);
}

/* ---- as JSON ---- */

/* Three digits are more than a screen shows, and keep the text short. */
static json_t *number(float v)
{
	double scale = v >= 100 ? 1 : 1000, x = round((double)v * scale) / scale;

	return x == floor(x) ? json_integer((json_int_t)x) : json_real(x);
}

enum column { OPS, MIGRATED, SPLIT, COLLAPSED, OVERLAP, BUSY, MIGRATED_TO, ALLOCATED, HUGE_BYTES };

static float value(const struct history *h, const struct ring *r, unsigned int k, enum column c,
	unsigned int node)
{
	const struct history_rates *p = &r->rates[ring_at(r, k)];
	const struct history_node *n = &r->node[(size_t)ring_at(r, k) * h->nodes + node];

	switch (c) {
	case OPS:
		return p->ops;
	case MIGRATED:
		return p->migrated;
	case SPLIT:
		return p->split;
	case COLLAPSED:
		return p->collapsed;
	case OVERLAP:
		return p->overlap;
	case BUSY:
		return n->busy;
	case MIGRATED_TO:
		return n->migrated_to;
	case ALLOCATED:
		return n->allocated;
	case HUGE_BYTES:
		return n->huge;
	}
	return 0;
}

static json_t *column(
	const struct history *h, const struct ring *r, enum column c, unsigned int node)
{
	json_t *a = json_array();

	for (unsigned int k = 0; k < r->used; k++)
		json_array_append_new(a, number(value(h, r, k, c, node)));
	return a;
}

json_t *history_json(const struct history *h, bool minutes)
{
	const struct ring *r = minutes ? &h->minute : &h->second;
	json_t *time = json_array(), *nodes = json_array();

	for (unsigned int k = 0; k < r->used; k++)
		json_array_append_new(time, json_integer((json_int_t)r->time[ring_at(r, k)]));
	for (unsigned int i = 0; i < h->nodes; i++)
		json_array_append_new(nodes,
			json_pack("{s:o, s:o, s:o, s:o}", "busy", column(h, r, BUSY, i),
				"migrated_to", column(h, r, MIGRATED_TO, i), "allocated",
				column(h, r, ALLOCATED, i), "huge", column(h, r, HUGE_BYTES, i)));
	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "step", (int)r->step, "time",
		time, "ops", column(h, r, OPS, 0), "migrated", column(h, r, MIGRATED, 0), "split",
		column(h, r, SPLIT, 0), "collapsed", column(h, r, COLLAPSED, 0), "overlap",
		column(h, r, OVERLAP, 0), "nodes", nodes);
}
