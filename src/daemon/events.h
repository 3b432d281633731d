/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened, for the journal (or stderr), `sunder tail` and the page: the last ones are kept. */
#ifndef SUNDER_DAEMON_EVENTS_H
#define SUNDER_DAEMON_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { EVENTS_KEPT = 256, EVENT_TEXT_MAX = 400, EVENT_WORD_MAX = 256 };

enum event_kind {
	EVENT_NOTE,
	EVENT_SLICE, /* one begins or ends */
	EVENT_FINDING,
	EVENT_DEATH, /* of the machine, the kernel or a run */
	EVENT_TROUBLE,
	EVENT_CONTROL, /* somebody asked for something */
};

struct event {
	uint64_t number; /* from 1 */
	int64_t time; /* seconds since 1970 */
	enum event_kind kind;
	char campaign[32], text[EVENT_TEXT_MAX];
	uint64_t seed; /* 0: of none */
};

struct events {
	struct event kept[EVENTS_KEPT];
	uint64_t count; /* so far */
};

/* Fields of the journal: MESSAGE, SUNDER_EVENT, SUNDER_CAMPAIGN, SUNDER_SEED. campaign may be NULL. */
void events_add(struct events *e, enum event_kind kind, const char *campaign, uint64_t seed,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The one with this number, or NULL: not kept any more, or not there yet. */
const struct event *events_get(const struct events *e, uint64_t number);

json_t *event_json(const struct event *e);

#endif
