/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The status line. */
#include "sink.h"

#include <sys/ioctl.h>
#include <unistd.h>

enum { LINE_MAX_CHARS = 200 };

/* A rate is that since the last line, so that a standstill shows at once. A new run starts over. */
static double ops_rate(const struct run_result *r, uint64_t ops, double elapsed_s)
{
	static const struct run_result *run;
	static uint64_t last_ops;
	static double last_s;
	double rate;

	if (run != r || elapsed_s <= last_s || ops < last_ops) {
		run = r;
		last_ops = 0;
		last_s = 0;
	}
	rate = ratio((double)(ops - last_ops), elapsed_s - last_s);
	last_ops = ops;
	last_s = elapsed_s;
	return rate;
}

static int columns(FILE *out)
{
	struct winsize w;

	if (ioctl(fileno(out), TIOCGWINSZ, &w) == 0 && w.ws_col > 1 && w.ws_col <= LINE_MAX_CHARS)
		return w.ws_col - 1;
	return 79;
}

void report_status(
	const struct run_result *r, double elapsed_s, double left_s, bool terminal, FILE *out)
{
	char line[LINE_MAX_CHARS], rate[AMOUNT_MAX], at[AMOUNT_MAX], left[AMOUNT_MAX],
		n[4][AMOUNT_MAX];
	struct run_totals t = run_totals(r);
	bool limited = r->plan && r->plan->timeout_ns;

	amount_clock(left_s, left);
	snprintf(line, sizeof(line),
		"%s%s%s  %s ops/s  overlap %.0f%%  migrated %s  split %s  collapsed %s  findings "
		"%s",
		amount_clock(elapsed_s, at), limited ? ", left " : "", limited ? left : "",
		amount_count((uint64_t)ops_rate(r, t.ops, elapsed_s), rate),
		100 * ratio((double)t.ops_overlapped, (double)t.ops_seen),
		amount_count(t.migrated, n[0]), amount_count(t.split, n[1]),
		amount_count(t.collapsed, n[2]), amount_count(r->ngroups, n[3]));
	if (terminal)
		fprintf(out, "\r%.*s\033[K", columns(out), line);
	else
		fprintf(out, "sunder: %s\n", line);
	fflush(out);
}
