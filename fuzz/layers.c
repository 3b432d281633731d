/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "functions.h"
#include "layers.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

struct layers {
	const char *off[LAYER_COUNT];
	char why[LAYER_COUNT][160];
	uint64_t ticks[LAYER_COUNT];
	struct kcov_text *text;
	struct functions *functions; /* NULL: not told */
	struct vmstat_watch *vmstat;
	struct trace_watch *trace;
	bool still; /* no counter of vmstat moved */
};

static void open_layer(struct layers *s, enum layer l)
{
	const char *why = NULL;

	if (l == LAYER_KCOV) {
		why = kcov_text_open(&s->text);
		if (!why)
			s->functions = functions_open(s->text);
	} else if (l == LAYER_VMSTAT) {
		why = vmstat_open(&s->vmstat);
	} else if (l == LAYER_TRACE) {
		why = trace_open(&s->trace);
	}
	if (why)
		layer_turn_off(s, l, why);
}

struct layers *layers_open(uint32_t want, const struct machine *m)
{
	struct layers *s = calloc(1, sizeof(*s));

	for (enum layer l = 0; s && l < LAYER_COUNT; l++) {
		if (want >> l & 1)
			open_layer(s, l);
		else
			layer_turn_off(s, l, "not wanted");
	}
	return s;
}

void layers_close(struct layers *s)
{
	functions_close(s->functions);
	kcov_text_close(s->text);
	vmstat_close(s->vmstat);
	trace_close(s->trace);
	free(s);
}

const struct functions *layers_functions(const struct layers *s)
{
	return s->functions;
}

const char *layer_off(const struct layers *s, enum layer l)
{
	return s->off[l];
}

void layer_turn_off(struct layers *s, enum layer l, const char *why)
{
	snprintf(s->why[l], sizeof(s->why[l]), "%s", why);
	s->off[l] = s->why[l];
}

uint64_t layer_ns(const struct layers *s, enum layer l)
{
	return clock_to_ns(s->ticks[l]);
}

struct op_env layer_env(const struct crew *c)
{
	return (struct op_env){.machine = c->machine,
		.slot = c->ctl->slot,
		.nslots = c->ctl->nslots,
		.nprocs = c->ctl->nprocs};
}

void layers_begin(struct layers *s, bool anew)
{
	uint64_t start = clock_ticks(), now;

	if (!anew)
		return;
	if (!s->off[LAYER_VMSTAT])
		vmstat_begin(s->vmstat);
	now = clock_ticks();
	s->ticks[LAYER_VMSTAT] += now - start;
	if (!s->off[LAYER_TRACE])
		trace_begin(s->trace);
	s->ticks[LAYER_TRACE] += clock_ticks() - now;
}

static void take(struct layers *s, enum layer l, const struct crew *c, const struct program *p,
	struct marks *m)
{
	switch (l) {
	case LAYER_KCOV:
		layer_kcov(s->text, c, s->functions, m);
		break;
	case LAYER_ERRNO:
		layer_errno(c, p, m);
		break;
	case LAYER_OVERLAP:
		layer_overlap(c, p, m);
		break;
	case LAYER_STATE:
		layer_state(c, p, m);
		break;
	case LAYER_VMSTAT:
		s->still = !layer_vmstat(s->vmstat, m);
		break;
	default:
		/*
		 * Reading them takes long (an interrupt on each CPU). What they tell of moves counters, but for scans that find nothing: those
		 * are told with the next that does.
		 */
		if (s->off[LAYER_VMSTAT] || !s->still)
			layer_trace(s->trace, m);
	}
}

void layers_take(struct layers *s, const struct crew *c, const struct program *p, struct marks *m)
{
	static const enum layer order[LAYER_COUNT] = {
		LAYER_VMSTAT, LAYER_TRACE, LAYER_KCOV, LAYER_ERRNO, LAYER_OVERLAP, LAYER_STATE};
	uint64_t start = clock_ticks();

	/* Those that the kernel counts on come first. */
	for (unsigned int i = 0; i < LAYER_COUNT; i++) {
		enum layer l = order[i];
		uint64_t now;

		if (!s->off[l])
			take(s, l, c, p, m);
		now = clock_ticks();
		s->ticks[l] += now - start;
		start = now;
	}
}
