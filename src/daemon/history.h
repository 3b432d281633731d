/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rates over time: the last ten minutes by the second, the last day by the minute. Memory is bounded and taken at the start. */
#ifndef SUNDER_DAEMON_HISTORY_H
#define SUNDER_DAEMON_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { HISTORY_SECONDS = 600, HISTORY_MINUTES = 1440 };

/* Per second. */
struct history_rates {
	float ops, migrated, split, collapsed, overlap /* 0..1 */;
};

struct history_node {
	float busy; /* 0..1 */
	float migrated_to, allocated; /* pages per second */
	float huge; /* bytes in huge pages of any kind but hugetlb */
};

struct history;

/* nodes: how many each point has. NULL: no memory. */
struct history *history_new(unsigned int nodes);
void history_free(struct history *h);
unsigned int history_nodes(const struct history *h);

/* The point of this second; one for each call, oldest out. */
void history_add(struct history *h, int64_t time, const struct history_rates *r,
	const struct history_node *nodes);

/* Means of the last n seconds. False: there is nothing yet. */
bool history_recent(const struct history *h, unsigned int n, struct history_rates *ret);
bool history_recent_node(
	const struct history *h, unsigned int n, unsigned int node, struct history_node *ret);

/* Columns: {"step":1, "time":[...], "ops":[...], ..., "nodes":[{"busy":[...], ...}]}; minutes: of the day instead. */
json_t *history_json(const struct history *h, bool minutes);

#endif
