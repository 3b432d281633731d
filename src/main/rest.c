/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rests: from time to time all crews wait with nothing mapped, and the kernel's counters must be what they were. */
#include "run.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

/* Seconds that crews are waited for; near the end none begins, for the end is one itself. */
static const double patience_s = 20, margin_s = 1;
enum { HUNG_MAX = 2 };

static void on_finding(void *arg, struct finding *f)
{
	run_finding(arg, f);
}

void rest_open(struct run *r, struct rest *rest)
{
	*rest = (struct rest){.next_s = (double)r->plan->rest_ns / 1e9};
	if (!r->counters || !r->plan->rest_ns)
		rest->next_s = 1e18;
}

static bool is_alive(const struct run *r, unsigned int i)
{
	return crew_alive(r->crew[i]) > 0;
}

/* A crew that is being killed, or cannot be, still has its memory. */
static bool is_going(const struct run *r, unsigned int i)
{
	return is_alive(r, i) && (r->killed[i] || r->abandoned[i]);
}

static void resume(struct run *r, struct rest *rest, double now_s)
{
	for (unsigned int i = 0; i < r->result.ncrews; i++)
		crew_resume(r->crew[i]);
	rest->state = REST_OFF;
	rest->next_s = now_s + (double)r->plan->rest_ns / 1e9;
}

/* Asks anew at each tick: a crew that was restarted does not know. True if all rest. */
static bool all_rest(struct run *r)
{
	bool all = true;

	for (unsigned int i = 0; i < r->result.ncrews; i++) {
		if (is_going(r, i)) {
			all = false;
		} else if (is_alive(r, i)) {
			crew_rest(r->crew[i]);
			all &= crew_rests(r->crew[i]);
		} else if (r->killed[i] && !r->abandoned[i] && run_has_turn(r, i)) {
			all = false; /* it restarts */
		}
	}
	return all;
}

static bool look(struct run *r, enum look_kind kind)
{
	int e = counters_look(r->counters, kind);

	if (e < 0)
		log_warn("the counters cannot be looked at: %s", strerror(-e));
	return e == 0;
}

static void check_look(struct run *r, struct rest *rest, double now_s)
{
	if (!counters_looking(r->counters)) {
		resume(r, rest, now_s);
		return;
	}
	if (now_s < rest->since_s + LOOK_SECONDS)
		return;
	counters_drop(r->counters);
	resume(r, rest, now_s);
	log_warn("a look at the kernel's counters has not come back after %d s", LOOK_SECONDS);
	if (++rest->hung >= HUNG_MAX)
		rest->next_s = 1e18;
}

void rest_tick(struct run *r, struct rest *rest, double now_s, double deadline_s, bool held)
{
	if (!r->counters)
		return;
	counters_tick(r->counters, on_finding, r);
	r->result.hardware = counters_hardware(r->counters);
	switch (rest->state) {
	case REST_OFF:
		if (held || now_s < rest->next_s || now_s > deadline_s - margin_s)
			return;
		rest->state = REST_ASKED;
		rest->since_s = now_s;
		break;
	case REST_ASKED:
		if (held || now_s > rest->since_s + patience_s) {
			resume(r, rest, now_s);
			return;
		}
		break;
	case REST_LOOKED_AT:
		if (held) { /* what it sees is not at rest any more */
			counters_drop(r->counters);
			resume(r, rest, now_s);
			return;
		}
		check_look(r, rest, now_s);
		return;
	}
	if (!all_rest(r))
		return;
	rest->state = REST_LOOKED_AT;
	rest->since_s = now_s;
	if (!look(r, LOOK_REST))
		resume(r, rest, now_s);
}

bool rest_last(struct run *r, struct rest *rest, double now_s)
{
	if (!r->counters || rest->hung >= HUNG_MAX || rest->state == REST_LOOKED_AT)
		return false;
	for (unsigned int i = 0; i < r->result.ncrews; i++)
		if (is_alive(r, i))
			return false;
	rest->state = REST_LOOKED_AT;
	rest->since_s = now_s;
	return look(r, r->result.interrupted ? LOOK_LAST_SOON : LOOK_LAST);
}

void rest_reaped(struct run *r, pid_t pid, int status)
{
	if (r->counters)
		counters_reaped(r->counters, pid, status, on_finding, r);
}
