/* SPDX-License-Identifier: GPL-2.0-or-later */
/* After the daemon was killed, or the machine was: what was running, and what became of it. */
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "service.h"

enum { TERM_AFTER_S = 30, KILL_AFTER_S = 45, STUCK_AFTER_S = 60 };

/* The run wrote its summary to the end. */
static bool has_finished(const char *run)
{
	char path[CONFIG_PATH_MAX + 32];
	json_t *doc;
	bool finished;

	snprintf(path, sizeof(path), "%s/summary.json", run);
	doc = json_load_file(path, 0, NULL);
	finished = json_is_integer(json_object_get(doc, "exit"));
	json_decref(doc);
	return finished;
}

/* The disk budget leaves it alone. */
static void mark_lost(const char *dir)
{
	static const char text[] = "the machine died in this run\n";
	char path[CONFIG_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/lost", dir);
	path_publish(path, text, sizeof(text) - 1);
}

/* The job that had its turn, if it can be told; the whole job otherwise. */
static void machine_died(struct service *s)
{
	const struct state_slice *t = &s->state.slice;
	struct run_status last = {0};
	const struct state_death *d;

	run_status_read(&last, s->slice.run);
	mark_lost(t->dir);
	d = state_died(&s->state, t, t->job, time(NULL));
	events_add(&s->events, EVENT_DEATH, t->campaign, t->seed,
		"the machine died in slice %" PRIu64 " (%s%s%s, seed %" PRIu64
		"), for the %u. time",
		t->number, t->job, last.turn[0] ? ", turn of " : "", last.turn, t->seed, d->count);
	if (d->count >= s->config.deaths)
		events_add(&s->events, EVENT_DEATH, t->campaign, t->seed,
			"quarantined: it runs again with another kernel, or after \"sunder start "
			"%s\"",
			t->campaign);
	run_status_clear(&last);
}

/*
 * What was interrupted has had its time all the same, or it would be furthest behind for ever. After a death of the machine it counts as
 * a whole slice: the others come first.
 */
static void charge(struct service *s, bool whole)
{
	const struct state_slice *t = &s->state.slice;
	int i = config_find(&s->config, t->campaign);

	run_status_read(&s->slice.status, s->slice.run);
	s->charge.due = true;
	s->charge.seconds = s->slice.status.elapsed_s;
	if (i >= 0 && (whole || s->charge.seconds < 1))
		s->charge.seconds = whole ? (double)s->config.campaign[i].slice_s : 1;
	s->charge.seed = t->seed;
	snprintf(s->charge.campaign, sizeof(s->charge.campaign), "%s", t->campaign);
	slice_add_totals(&s->state.totals, &s->slice.status, s->slice.status.elapsed_s);
	run_status_clear(&s->slice.status);
}

static void recover(struct service *s)
{
	s->state.slice = (struct state_slice){0};
	s->slice = (struct slice){.campaign = -1};
	s->phase = PHASE_HELPING;
	helper_add(s, HELPER_RESTORE, NULL);
	helper_add(s, HELPER_RECOVER, NULL);
	helper_add(s, HELPER_LIST, NULL);
	service_save(s);
	disk_check(s);
	helper_next(s);
}

void recovery_begin(struct service *s)
{
	const struct state_slice *t = &s->state.slice;

	if (!t->active) {
		recover(s);
		return;
	}
	s->slice = (struct slice){.campaign = config_find(&s->config, t->campaign),
		.pid = t->pid,
		.pid_start = t->pid_start,
		.began_s = service_now_s()};
	snprintf(s->slice.run, sizeof(s->slice.run), "%.*s/run", CONFIG_PATH_MAX - 8, t->dir);
	if (strcmp(t->boot_id, s->boot_id) == 0) {
		s->phase = PHASE_WAITING;
		recovery_watch(s);
		return;
	}
	if (has_finished(s->slice.run))
		events_add(&s->events, EVENT_NOTE, t->campaign, t->seed,
			"the machine was started anew after slice %" PRIu64, t->number);
	else
		machine_died(s);
	charge(s, !has_finished(s->slice.run));
	recover(s);
}

/* The run of a daemon that was killed gets TERM with it, and ends as if it had been asked to. */
void recovery_watch(struct service *s)
{
	struct slice *x = &s->slice;
	double waited = service_now_s() - x->began_s;

	if (s->phase != PHASE_WAITING)
		return;
	if (!child_is_there(x->pid, x->pid_start)) {
		events_add(&s->events, EVENT_NOTE, s->state.slice.campaign, s->state.slice.seed,
			"the daemon was ended while slice %" PRIu64 " ran: %s",
			s->state.slice.number,
			has_finished(x->run) ? "the run ended by itself" : "the run was ended too");
		charge(s, false);
		recover(s);
		return;
	}
	if (waited > TERM_AFTER_S && x->signals == 0)
		kill(x->pid, SIGTERM), x->signals++;
	if (waited > KILL_AFTER_S && x->signals == 1)
		kill(-x->pid, SIGKILL), x->signals++;
	if (waited > STUCK_AFTER_S && !x->stuck) {
		x->stuck = true;
		snprintf(s->hold, sizeof(s->hold),
			"process %d of the last run cannot be killed: the kernel is stuck; reboot",
			(int)x->pid);
		events_add(&s->events, EVENT_DEATH, s->state.slice.campaign, s->state.slice.seed,
			"%s", s->hold);
	}
}
