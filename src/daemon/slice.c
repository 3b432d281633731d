/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A slice: one run of one campaign, in a directory of its own, with a seed of its own. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "budget.h"
#include "service.h"

/* Seconds: what a run takes besides its time; without progress; between signals to one that does not end. */
enum {
	GRACE_S = 240,
	STALL_S = 300,
	TERM_S = 20,
	TERM_AGAIN_S = 10,
	KILL_S = 20,
	LEAST_SLICE_S = 5,
	FAIL_WAIT_S = 30,
	FAIL_WAIT_MAX_S = 3600
};

/* Exit codes of a run. */
enum { RUN_CLEAN = 0, RUN_FINDING = 1, RUN_LOST = 5 };

const char *slice_turn(const struct slice *x)
{
	return x->status.turn;
}

/* ---- which may run ---- */

static void check_window(struct service *s, unsigned int i, int64_t now)
{
	const struct window *w = &s->config.campaign[i].window;
	struct campaign_now *c = &s->now[i];

	if (c->window_change && now < c->window_change)
		return;
	c->window_open = window_is_open(w, now);
	c->window_change = window_next_change(w, now);
	if (!c->window_change)
		c->window_change = now + 3600; /* always, or not for long: asks again */
}

void slice_settle(struct service *s)
{
	int64_t now = time(NULL);

	for (unsigned int i = 0; i < s->config.ncampaigns; i++) {
		const struct config_campaign *k = &s->config.campaign[i];
		struct campaign_now *c = &s->now[i];

		check_window(s, i, now);
		c->quarantined =
			state_deaths(&s->state, k->name, k->job, s->kernel) >= s->config.deaths;
		schedule_set_ready(s->share, s->config.ncampaigns, i,
			c->window_open && !c->quarantined && now >= c->not_before);
	}
}

/* ---- begin ---- */

struct begin {
	int campaign; /* -1: a job that somebody asked for */
	char name[CONFIG_NAME_MAX], job[CONFIG_PATH_MAX];
	uint64_t seconds;
	char seed[24], timeout[24];
	char words[CONFIG_TEXT_MAX]; /* the campaign's options, cut in place */
};

static bool from_queue(struct service *s, struct begin *b)
{
	char name[CONFIG_PATH_MAX];

	if (!s->nqueue)
		return false;
	memcpy(name, s->queue[0], sizeof(name));
	memmove(&s->queue[0], &s->queue[1], (--s->nqueue) * sizeof(s->queue[0]));
	b->campaign = config_find(&s->config, name);
	if (b->campaign < 0) {
		snprintf(b->name, sizeof(b->name), "on-demand");
		if (!config_job_path(&s->config, name, b->job, sizeof(b->job)))
			return false;
		b->seconds = s->config.slice_s;
	}
	return true;
}

/* Not longer than the campaign's window is open; one that was asked for runs out of it too. */
static uint64_t slice_seconds(const struct service *s, int i, bool asked)
{
	const struct config_campaign *k = &s->config.campaign[i];
	int64_t left = (int64_t)s->now[i].window_change - time(NULL);
	uint64_t seconds = k->slice_s;

	if (!asked && k->window.n && left > 0 && (uint64_t)left < seconds)
		seconds = (uint64_t)left;
	return seconds < LEAST_SLICE_S ? LEAST_SLICE_S : seconds;
}

static bool choose(struct service *s, struct begin *b)
{
	bool asked = from_queue(s, b);

	if (!asked)
		b->campaign = schedule_pick(s->share, s->config.ncampaigns);
	if (asked && b->campaign < 0)
		return true;
	if (b->campaign < 0)
		return false;
	snprintf(b->name, sizeof(b->name), "%s", s->config.campaign[b->campaign].name);
	snprintf(b->job, sizeof(b->job), "%s", s->config.campaign[b->campaign].job);
	b->seconds = slice_seconds(s, b->campaign, asked);
	return true;
}

static void compose(struct service *s, struct begin *b, struct child_how *how)
{
	const struct config_campaign *k = b->campaign < 0 ? NULL : &s->config.campaign[b->campaign];
	bool fuzz = k && k->type == CAMPAIGN_FUZZ;
	char *cursor = b->words, *word;

	child_say(how, s->sunder);
	child_say(how, fuzz ? "fuzz" : "run");
	child_say(how, "--quiet");
	child_say_option(how, "--timeout", b->timeout);
	if (!fuzz) /* chance is afl-fuzz's there */
		child_say_option(how, "--seed", b->seed);
	child_say_option(how, "--output", s->slice.run);
	child_say_option(how, "--state", s->config.state);
	child_say_option(how, "--tmp", s->config.tmp);
	if (k) {
		child_say_option(how, "--allow", k->allow);
		snprintf(b->words, sizeof(b->words), "%s", k->options);
	}
	while ((word = strsep(&cursor, " \t")))
		if (*word)
			child_say(how, word);
	if (fuzz)
		child_say_option(how, "--background", b->job);
	else
		child_say(how, b->job);
}

/* A run has a directory each time; an AFL campaign goes on in its own. */
static int make_dirs(struct service *s, const struct begin *b, struct state_slice *t)
{
	bool fuzz = b->campaign >= 0 && s->config.campaign[b->campaign].type == CAMPAIGN_FUZZ;
	int n = fuzz ? snprintf(t->dir, sizeof(t->dir), "%s/fuzz/%s", s->config.work, b->name)
		     : snprintf(t->dir, sizeof(t->dir), "%s/%06" PRIu64 "-%s", s->runs, t->number,
			       b->name);

	if (n < 0 || (size_t)n + 8 >= sizeof(t->dir))
		return -ENAMETOOLONG;
	snprintf(s->slice.run, sizeof(s->slice.run), "%.*s/run", (int)sizeof(s->slice.run) - 8,
		t->dir);
	snprintf(s->slice.log, sizeof(s->slice.log), "%.*s/log", (int)sizeof(s->slice.log) - 8,
		t->dir);
	return path_make_dirs(t->dir);
}

/* How the slice ended, in words. */
static const char *end_words(const siginfo_t *si, char buf[64])
{
	static const char *const words[] = {"clean", "found something", "usage or internal error",
		"not enough resources", "nothing of it can run here",
		"the kernel or an executor was lost"};

	if (si->si_code != CLD_EXITED)
		snprintf(buf, 64, "ended by signal %d", si->si_status);
	else if (si->si_status >= 0 && (size_t)si->si_status < ARRAY_SIZE(words))
		snprintf(buf, 64, "%s", words[si->si_status]);
	else
		snprintf(buf, 64, "exit code %d", si->si_status);
	return buf;
}

/* The last line of a slice's log. */
static void last_line(const char *log, char buf[WHY_MAX])
{
	_cleanup_fclose_ FILE *f = fopen(log, "re");
	char line[512];

	buf[0] = '\0';
	if (f && fseek(f, -4096, SEEK_END) < 0)
		rewind(f);
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0])
			snprintf(buf, WHY_MAX, "%.*s", WHY_MAX - 1,
				strncmp(line, "sunder: ", 8) == 0 ? line + 8 : line);
	}
}

/* ---- end ---- */

/* After an oops all that comes is its consequence. It counts as a death: a machine that reboots for it must not do so for ever. */
static void kernel_was_lost(struct service *s)
{
	static const char why[] =
		"the kernel or a process in it was lost: reboot, then \"sunder resume\"";
	const struct state_slice *t = &s->state.slice;
	const struct state_death *d = state_died(&s->state, t, t->job, time(NULL));

	events_add(&s->events, EVENT_DEATH, t->campaign, t->seed,
		"the kernel was lost while %s ran, for the %u. time", t->job, d->count);
	if (s->config.on_oops == OOPS_GO_ON)
		return;
	snprintf(s->hold, sizeof(s->hold), "%s", why);
	if (s->config.on_oops == OOPS_REBOOT) {
		s->reboot = true;
		service_stop(s);
	}
}

static void tell_failure(struct service *s, int i, int code, const char *log)
{
	struct campaign_now *c = &s->now[i];
	int64_t wait = FAIL_WAIT_S << (c->fails < 8 ? c->fails : 8);

	last_line(log, c->why);
	c->fails++;
	c->not_before = time(NULL) + (wait < FAIL_WAIT_MAX_S ? wait : FAIL_WAIT_MAX_S);
	events_add(&s->events, EVENT_TROUBLE, s->config.campaign[i].name, 0,
		"%s; tried again in %d s at the earliest", c->why[0] ? c->why : "failed",
		(int)(c->not_before - time(NULL)));
}

void slice_add_totals(struct state_totals *t, const struct run_status *r, double seconds)
{
	t->slices++;
	t->seconds += seconds;
	t->ops += r->ops;
	t->migrated += r->migrated;
	t->split += r->split;
	t->collapsed += r->collapsed;
}

/* What its last words were, for the campaign and for all. */
static void account(struct service *s, const siginfo_t *si, double seconds)
{
	struct slice *x = &s->slice;
	int i = config_find(&s->config, s->state.slice.campaign), code = -1;

	run_status_read(&x->status, x->run);
	slice_add_totals(&s->state.totals, &x->status, seconds);
	s->charge.due = true;
	s->charge.seconds = seconds;
	s->charge.seed = s->state.slice.seed;
	snprintf(s->charge.campaign, sizeof(s->charge.campaign), "%s", s->state.slice.campaign);
	if (si->si_code == CLD_EXITED)
		code = si->si_status;
	else
		s->state.child_deaths++;
	if (i >= 0) {
		struct campaign_now *c = &s->now[i];

		c->last_exit = code;
		c->last_end = time(NULL);
		if (code == RUN_CLEAN || code == RUN_FINDING || code == RUN_LOST) {
			c->fails = 0;
			c->why[0] = '\0';
		} else if (x->ending == ENDING_NOT || x->ending == ENDING_OVERDUE) {
			tell_failure(s, i, code, x->log);
		}
	}
	if (code == RUN_LOST)
		kernel_was_lost(s);
}

static void finish(struct service *s)
{
	struct slice *x = &s->slice;

	x->source = sd_event_source_disable_unref(x->source);
	run_status_clear(&x->status);
	*x = (struct slice){.campaign = -1};
	s->state.slice = (struct state_slice){0};
	s->phase = PHASE_HELPING;
	service_save(s);
}

static int on_exit_of_run(sd_event_source *source, const siginfo_t *si, void *arg)
{
	struct service *s = arg;
	double seconds = service_now_s() - s->slice.began_s;
	char words[64];

	account(s, si, seconds);
	events_add(&s->events, EVENT_SLICE, s->state.slice.campaign, s->state.slice.seed,
		"slice %" PRIu64 " ended after %.0f s: %s", s->state.slice.number, seconds,
		end_words(si, words));
	if (si->si_code != CLD_EXITED) {
		/* Its guard puts back what it had changed; what is left of that is put back here. */
		helper_add(s, HELPER_RESTORE, NULL);
		helper_add(s, HELPER_RECOVER, NULL);
	}
	helper_add(s, HELPER_LIST, NULL);
	finish(s);
	disk_check(s);
	helper_next(s);
	return 0;
}

static void not_started(struct service *s, const char *what, int error)
{
	snprintf(s->hold, sizeof(s->hold), "%.100s: %s", what, strerror(error));
	events_add(&s->events, EVENT_TROUBLE, NULL, 0, "%s: nothing begins until \"sunder resume\"",
		s->hold);
	finish(s);
	s->phase = PHASE_IDLE;
}

/* On disk before it runs: what comes after a death must know. */
static void begin(struct service *s, struct begin *b)
{
	struct state_campaign *c = b->campaign < 0 ? NULL : state_campaign(&s->state, b->name);
	struct state_slice *t = &s->state.slice;
	struct child_how how = {.cpus = s->config.cpus, .cgroup = budget_cgroup(s->budget)};
	int r;

	*t = (struct state_slice){
		.active = true, .number = ++s->state.number, .started = time(NULL)};
	snprintf(t->campaign, sizeof(t->campaign), "%s", b->name);
	snprintf(t->job, sizeof(t->job), "%s", b->job);
	snprintf(t->boot_id, sizeof(t->boot_id), "%s", s->boot_id);
	snprintf(t->kernel, sizeof(t->kernel), "%s", s->kernel);
	t->seed = state_draw_seed(s->state.seed, c ? b->name : b->job, c ? c->cycle++ : t->number);
	s->slice = (struct slice){.campaign = b->campaign, .began_s = service_now_s()};
	s->slice.progress_s = s->slice.began_s;
	s->slice.limit_s = s->slice.began_s + (double)b->seconds + GRACE_S;
	snprintf(b->seed, sizeof(b->seed), "%" PRIu64, t->seed);
	snprintf(b->timeout, sizeof(b->timeout), "%" PRIu64 "s", b->seconds);
	r = make_dirs(s, b, t);
	if (r < 0) {
		not_started(s, t->dir, -r);
		return;
	}
	service_save(s);
	if (s->hold[0]) {
		finish(s);
		s->phase = PHASE_IDLE;
		return;
	}
	how.log = s->slice.log;
	compose(s, b, &how);
	t->pid = s->slice.pid = child_start(&how);
	r = t->pid < 0 ? t->pid
		       : sd_event_add_child(
				 s->event, &s->slice.source, t->pid, WEXITED, on_exit_of_run, s);
	if (r < 0) {
		not_started(s, s->sunder, -r);
		return;
	}
	t->pid_start = s->slice.pid_start = child_start_time(t->pid);
	s->phase = PHASE_RUNNING;
	service_save(s);
	events_add(&s->events, EVENT_SLICE, b->name, t->seed,
		"slice %" PRIu64 " begins: %s for %" PRIu64 " s, seed %" PRIu64, t->number, b->job,
		b->seconds, t->seed);
}

void slice_next(struct service *s)
{
	struct begin b = {.campaign = -1};

	if (s->phase != PHASE_IDLE || s->state.paused || s->hold[0] || s->stopping || s->disk_full)
		return;
	slice_settle(s);
	if (choose(s, &b))
		begin(s, &b);
}

/* ---- watch ---- */

static void send(struct service *s, int sig, bool group)
{
	struct slice *x = &s->slice;

	x->signals++;
	kill(group ? -x->pid : x->pid, sig);
}

void slice_end(struct service *s, enum ending why)
{
	struct slice *x = &s->slice;

	if (s->phase != PHASE_RUNNING)
		return;
	if (x->ending == ENDING_NOT || why == ENDING_STOP)
		x->ending = why;
	if (x->asked_s > 0)
		return;
	x->asked_s = service_now_s();
	send(s, SIGTERM, false);
}

/* TERM, TERM again (at once), KILL to all of its group; then it is stuck. */
static void press(struct service *s, double now)
{
	struct slice *x = &s->slice;
	double waited = now - x->asked_s;

	if (x->signals == 1 && waited > TERM_S)
		send(s, SIGTERM, false);
	else if (x->signals == 2 && waited > TERM_S + TERM_AGAIN_S)
		send(s, SIGKILL, true);
	else if (x->signals == 3 && waited > TERM_S + TERM_AGAIN_S + KILL_S && !x->stuck) {
		x->stuck = true;
		snprintf(s->hold, sizeof(s->hold),
			"process %d cannot be killed: the kernel is stuck; reboot", (int)x->pid);
		events_add(&s->events, EVENT_DEATH, s->state.slice.campaign, s->state.slice.seed,
			"%s", s->hold);
	}
}

static bool is_fuzz(const struct service *s)
{
	int i = s->slice.campaign;

	return i >= 0 && s->config.campaign[i].type == CAMPAIGN_FUZZ;
}

void slice_watch(struct service *s)
{
	struct slice *x = &s->slice;
	double now = service_now_s();
	uint64_t ops = x->status.ops;
	unsigned int groups = x->status.groups;

	if (s->phase != PHASE_RUNNING)
		return;
	run_status_read(&x->status, x->run);
	if (x->status.ops != ops ||
		is_fuzz(s)) /* it has watchdogs of its own, and no status.json */
		x->progress_s = now;
	if (x->status.groups > groups)
		helper_add(s, HELPER_LIST, NULL);
	if (x->asked_s > 0) {
		press(s, now);
		return;
	}
	if (now > x->limit_s || now > x->progress_s + STALL_S) {
		events_add(&s->events, EVENT_TROUBLE, s->state.slice.campaign, s->state.slice.seed,
			"the slice is ended: %s", now > x->limit_s ? "overdue" : "no progress");
		slice_end(s, ENDING_OVERDUE);
	}
}
