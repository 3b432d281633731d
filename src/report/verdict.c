/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words for how a run ended. */
#include "sink.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

static const struct {
	unsigned int rank;
	const char *word;
} codes[] = {
	[EXIT_CLEAN] = {0, "OK"},
	[EXIT_FINDING] = {4, "FINDINGS"},
	[EXIT_USAGE] = {3, "ERROR"},
	[EXIT_RESOURCES] = {2, "NO_RESOURCES"},
	[EXIT_NOTHING] = {1, "NOTHING_RAN"},
	[EXIT_LOST] = {5, "LOST"},
};

enum run_exit exit_worse(enum run_exit a, enum run_exit b)
{
	return codes[a].rank >= codes[b].rank ? a : b;
}

int report_format_find(const char *name)
{
	static const char *const names[] = {
		[REPORT_TEXT] = "text", [REPORT_JSON] = "json", [REPORT_KTAP] = "ktap"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

const char *status_word(const struct run_result *r)
{
	return r->finished ? codes[r->exit].word : "FAILED";
}

/* Oracles that judge what lanes do: without a round they have seen nothing. */
static bool judges_rounds(enum oracle o)
{
	return o != ORACLE_KLOG && o != ORACLE_TAINT && o != ORACLE_HARDWARE;
}

static const char *why_silent(const struct run_result *r, enum oracle o)
{
	const struct oracle_state *s = &r->oracle[o];

	if (!s->enabled)
		return s->skipped[0] ? s->skipped : "the run did not get that far";
	if (!r->finished)
		return "the run has not ended";
	if (judges_rounds(o) && run_totals(r).rounds == 0)
		return "no round was run";
	return NULL;
}

const char *oracle_verdict(const struct run_result *r, enum oracle o, char buf[VERDICT_MAX])
{
	const char *why = why_silent(r, o);

	if (r->oracle[o].findings)
		snprintf(buf, VERDICT_MAX, "finding");
	else if (why)
		snprintf(buf, VERDICT_MAX, "skipped: %s", why);
	else
		snprintf(buf, VERDICT_MAX, "ok");
	return buf;
}
