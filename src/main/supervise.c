/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run.h"
#include "filing.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pace.h"
#include "exec/flight.h"

enum {
	TICK_MS = 100,
	QUIET_TICKS = 10,
	STOP_TICKS = 300,
	INTERRUPT_TICKS = 50,
	KILL_TICKS = 30,
	BARREN_STARTS = 3
};
static const uint64_t lift_ns =
	10000000000; /* that a lane has to get on once its limits are lifted */
static const double stretch_s = 5; /* for which a measure of it holds */

struct watch {
	struct run *r;
	int signals, timer;
	unsigned int quiet; /* ticks since the kernel log last said something */
	unsigned int stopping; /* ticks since the crews were asked to stop; 0: not asked */
	bool died; /* the kernel has oopsed */
	unsigned int kill_wait[PLAN_MAX_CREWS]; /* ticks since a crew was killed */
	uint64_t log_records;
	double next_status_s, next_file_s, deadline_s;
	struct rest rest;
	uint64_t slice; /* number of the turn in progress */
	double slice_end_s;
	unsigned int
		changing; /* ticks since the crews were asked to end their turn; 0: not asked */
	double stretch, stretch_end_s; /* of limits, as it was measured last; when anew */
	double lifted_s[PLAN_MAX_CREWS]; /* until when a crew without its limits is waited for */
};

static void on_finding(void *arg, struct finding *f)
{
	run_finding(arg, f);
}

/* ---- signals ---- */

static void start_stop(struct watch *w)
{
	if (w->stopping)
		return;
	w->stopping = 1;
	series_event(w->r->series, run_now_s() - w->r->start_s, "stop",
		w->r->result.interrupted ? "asked by a signal" : "its time is over");
	for (unsigned int i = 0; i < w->r->result.ncrews; i++)
		crew_stop(w->r->crew[i]);
}

static void kill_crew(struct watch *w, unsigned int i)
{
	w->r->killed[i] = true;
	if (!w->kill_wait[i])
		w->kill_wait[i] = 1;
	crew_kill(w->r->crew[i]);
}

static void take_signals(struct watch *w)
{
	struct signalfd_siginfo si;

	while (read(w->signals, &si, sizeof(si)) == sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGINT:
		case SIGTERM:
			w->r->result.interrupted = true;
			start_stop(w);
			if (++w->r->signals > 1)
				for (unsigned int i = 0; i < w->r->result.ncrews; i++)
					kill_crew(w, i);
			break;
		case SIGUSR1:
			w->next_status_s = 0;
			break;
		default: /* SIGCHLD: reap() runs each time; SIGHUP: nothing to reload */
			break;
		}
	}
}

/* ---- executors that ended ---- */

/*
 * A SIGKILL that was not ours: the OOM killer's, if the kernel log says so (it does before it kills), or if it cannot be read.
 */
static bool oom_killed(struct run *r, int status)
{
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		return false;
	if (!r->kmsg)
		return true;
	kmsg_drain(r->kmsg, true, on_finding, r);
	return kmsg_counts(r->kmsg).oom > 0;
}

static void crew_failed(struct run *r, unsigned int i)
{
	struct crew_ctl *ctl = r->crew[i]->ctl;
	int err = atomic_load(&ctl->failed);

	if (!err)
		return;
	log_error("crew %u: %s: %s", i, ctl->failed_what, strerror(err));
	r->abandoned[i] = true;
	r->result.exit = exit_worse(r->result.exit,
		err == ENOMEM || err == ENOSPC || err == EAGAIN ? EXIT_RESOURCES : EXIT_USAGE);
}

static void drain_evidence(struct run *r, unsigned int i)
{
	struct crew *c = r->crew[i];
	struct evidence e;
	struct finding f;

	for (unsigned int l = 0; l < c->ctl->nlanes; l++)
		while (evidence_pop(&c->ctl->lane[l].ring, &e))
			if (oracle_evidence(c, &e, &f) == 0)
				run_finding(r, &f);
}

static void reap(struct watch *w)
{
	struct run *r = w->r;
	unsigned int proc;
	struct finding f;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (r->flight && pid == flight_pid(r->flight)) {
			log_warn("the flight recorder ended (is the disk full?): the crews go on "
				 "unrecorded");
			flight_lost(r->flight);
		}
		rest_reaped(r, pid, status);
		for (unsigned int i = 0; i < r->result.ncrews; i++) {
			if (!crew_reaped(r->crew[i], pid, &proc))
				continue;
			drain_evidence(r, i);
			if (!r->killed[i] && oracle_exit(r->crew[i], proc, status,
						     oom_killed(r, status), &f) == 1)
				run_finding(r, &f);
			crew_failed(r, i);
			if (status != 0)
				kill_crew(w, i); /* the rest of the crew cannot go on without it */
		}
	}
}

/* ---- crews ---- */

static bool crew_running(const struct run *r, unsigned int i)
{
	return !r->abandoned[i] && crew_alive(r->crew[i]) > 0;
}

/* A crew whose executors are all gone while the run goes on: starts anew with the next round. */
static void restart(struct watch *w, unsigned int i)
{
	struct run *r = w->r;
	struct crew_ctl *ctl = r->crew[i]->ctl;
	uint64_t done = atomic_load(&ctl->rounds_done);

	if (r->abandoned[i] || w->stopping || crew_alive(r->crew[i]) || !r->killed[i] ||
		w->changing || !run_has_turn(r, i))
		return;
	r->barren[i] = done == r->started_at[i] ? r->barren[i] + 1 : 0;
	if (r->barren[i] >= BARREN_STARTS) {
		log_error("crew %u: given up: it died %d times without finishing a round", i,
			BARREN_STARTS);
		r->abandoned[i] = true;
		return;
	}
	ctl->inject_crash = ctl->inject_stall = false; /* planted once */
	r->started_at[i] = done;
	r->killed[i] = false;
	w->kill_wait[i] = 0;
	r->result.crew_restarts++;
	series_event(r->series, run_now_s() - r->start_s, "restart", "a crew begins anew");
	if (crew_start(r->crew[i], atomic_load(&ctl->round) + 1) < 0)
		r->abandoned[i] = true;
}

/*
 * A time in which something should have happened, on this machine at present: on CPUs that others have most of, all takes longer. Only to be
 * asked when the time has passed as it is.
 */
static uint64_t stretched(struct watch *w, uint64_t t)
{
	double now = run_now_s();

	if (now >= w->stretch_end_s) {
		w->stretch = pace_stretch();
		w->stretch_end_s = now + stretch_s;
	}
	return (uint64_t)((double)t * w->stretch);
}

static void unkillable(struct watch *w, unsigned int i)
{
	struct run *r = w->r;
	struct finding f = {.oracle = ORACLE_PROGRESS,
		.has_program = true,
		.lost_kernel = true,
		.crew = i,
		.round = atomic_load(&r->crew[i]->ctl->round),
		.text = strdup("SIGKILL was sent; the process is still there\n")};

	snprintf(f.title, sizeof(f.title), "progress: executor cannot be killed");
	run_finding(r, &f);
	r->abandoned[i] = true;
}

/* Over memory.high each charge may sleep for two seconds (mem_cgroup_handle_over_high): who does not get on without limits is stuck. */
static bool is_held_back(struct watch *w, const struct crew *c)
{
	if (run_now_s() < w->lifted_s[c->number])
		return true;
	if (!box_lift_limits(&w->r->box, (int)c->number))
		return false;
	w->lifted_s[c->number] = run_now_s() + (double)stretched(w, lift_ns) / 1e9;
	return true;
}

/* As oracle_progress(), but nothing is stuck because the machine is slow, or because it is held back by limits of ours. */
static bool is_stuck(struct watch *w, const struct crew *c, struct finding *ret)
{
	uint64_t limit = c->plan->stall_ns, more;

	if (oracle_progress(c, limit, NULL) != 1)
		return false;
	if (!inject_has(w->r, "progress")) { /* else the run may end before */
		more = stretched(w, limit);
		if (more > limit && oracle_progress(c, more, NULL) != 1)
			return false;
		if (is_held_back(w, c))
			return false;
	}
	return oracle_progress(c, limit, ret) == 1;
}

static void check_progress(struct watch *w, unsigned int i)
{
	struct run *r = w->r;
	uint64_t patience = KILL_TICKS + r->crew[i]->plan->stall_ns / 100000000;
	struct finding f;

	if (w->kill_wait[i]) {
		if (crew_alive(r->crew[i]) && !r->abandoned[i] && ++w->kill_wait[i] > patience &&
			w->kill_wait[i] > stretched(w, patience))
			unkillable(w, i);
		return;
	}
	if (is_stuck(w, r->crew[i], &f)) {
		run_finding(r, &f);
		kill_crew(w, i);
	}
}

static bool all_ended(const struct run *r)
{
	for (unsigned int i = 0; i < r->result.ncrews; i++)
		if (crew_running(r, i))
			return false;
	return true;
}

/* ---- turns ---- */

/* The crews of the turn end at their next round. */
static void end_turn(struct watch *w)
{
	w->changing = 1;
	for (unsigned int i = 0; i < w->r->result.ncrews; i++)
		if (run_has_turn(w->r, i))
			crew_stop(w->r->crew[i]);
}

static void next_turn(struct watch *w)
{
	struct run *r = w->r;
	int e;

	w->changing = 0;
	for (unsigned int i = 0; i < r->result.ncrews; i++)
		w->kill_wait[i] = 0;
	r->turn = plan_turn_of(r->plan, ++w->slice);
	w->slice_end_s = run_now_s() - r->start_s + (double)r->plan->slice_ns / 1e9;
	series_event(r->series, run_now_s() - r->start_s, "turn", plan_part(r->plan, r->turn)->job);
	e = run_start_turn(r);
	if (e < 0)
		log_error("turn of %s: %s", plan_part(r->plan, r->turn)->job, strerror(-e));
}

/* Something is left that can have a turn. */
static bool turns_left(const struct run *r)
{
	for (unsigned int i = 0; i < r->result.ncrews; i++)
		if (!r->abandoned[i])
			return r->plan->nturns > 0;
	return false;
}

/* Ticks that a crew has to end its turn: a lane that is stuck is the progress oracle's first. */
static unsigned int turn_patience(struct run *r)
{
	return STOP_TICKS + (unsigned int)(plan_part(r->plan, r->turn)->stall_ns / 100000000);
}

static void check_turn(struct watch *w, double now)
{
	if (!w->r->plan->nturns || w->stopping)
		return;
	if (!w->changing && now >= w->slice_end_s)
		end_turn(w);
	if (w->changing && all_ended(w->r) && turns_left(w->r))
		next_turn(w);
	else if (w->changing && ++w->changing > turn_patience(w->r))
		for (unsigned int i = 0; i < w->r->result.ncrews; i++)
			if (crew_running(w->r, i))
				kill_crew(w, i);
}

/* After an oops the kernel is not to be trusted: what comes next would be its consequences. */
static bool kernel_died(const struct run *r)
{
	uint64_t taint;

	return taint_read(&taint) == 0 && (taint & ~r->result.taint_before & 1 << 7);
}

/* Ticks that the crews have to end. A lane that died in the kernel never comes to the end of its round. */
static unsigned int stop_patience(const struct watch *w)
{
	return w->r->result.interrupted || w->died || w->r->o->until_finding ? INTERRUPT_TICKS
									     : STOP_TICKS;
}

static void tell_hardware(struct run *r)
{
	struct kmsg_counts counts = kmsg_counts(r->kmsg);

	counters_hardware_log(r->counters, counts.hardware, counts.hardware_first);
	r->result.hardware = counters_hardware(r->counters);
}

static void drain_kmsg(struct watch *w, bool quiet)
{
	struct run *r = w->r;
	uint64_t records;

	if (!r->kmsg)
		return;
	kmsg_drain(r->kmsg, quiet, on_finding, r);
	records = kmsg_counts(r->kmsg).records;
	if (r->counters)
		tell_hardware(r);
	w->quiet = records == w->log_records ? w->quiet + 1 : 0;
	w->log_records = records;
	if (w->quiet == QUIET_TICKS)
		kmsg_drain(r->kmsg, true, on_finding, r);
}

static void tell_files(struct watch *w, double now)
{
	struct run *r = w->r;

	if (now < w->next_file_s)
		return;
	w->next_file_s = (double)(uint64_t)now + 1;
	r->result.splits_now = run_splits();
	series_sample(r->series, &r->result, now);
	report_status_file(&r->result, w->stopping ? "stopping" : "running",
		plan_part(r->plan, r->turn)->job, now,
		w->deadline_s < 1e18 ? (w->deadline_s > now ? w->deadline_s - now : 0) : -1);
}

static void tick(struct watch *w)
{
	struct run *r = w->r;
	double now = run_now_s() - r->start_s;
	uint64_t fired;

	if (read(w->timer, &fired, sizeof(fired)) != sizeof(fired))
		return;
	r->result.elapsed_s = now;
	drain_kmsg(w, false);
	filing_tick(r, now);
	for (unsigned int i = 0; i < r->result.ncrews; i++) {
		drain_evidence(r, i);
		check_progress(w, i);
		restart(w, i);
	}
	w->died = w->died || kernel_died(r);
	if (now >= w->deadline_s || w->died || (r->o->until_finding && r->result.ngroups))
		start_stop(w);
	if (w->stopping && ++w->stopping > stop_patience(w))
		for (unsigned int i = 0; i < r->result.ncrews; i++)
			if (crew_running(r, i))
				kill_crew(w, i);
	check_turn(w, now);
	rest_tick(r, &w->rest, now, w->deadline_s, w->stopping || w->changing);
	tell_files(w, now);
	if (!r->o->quiet && now >= w->next_status_s) {
		report_status(&r->result, now, w->deadline_s > now ? w->deadline_s - now : 0,
			isatty(STDERR_FILENO), stderr);
		w->next_status_s = now + r->o->status_interval_s;
	}
}

/* A rest of another kind: nothing is left of the crews. A second signal ends it. */
static void last_rest(struct watch *w)
{
	struct run *r = w->r;

	if (kernel_died(r) || r->signals > 1 || !rest_last(r, &w->rest, run_now_s() - r->start_s))
		return;
	while (counters_looking(r->counters) && r->signals < 2) {
		struct pollfd fds[] = {{w->signals, POLLIN, 0}, {w->timer, POLLIN, 0}};
		uint64_t fired;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		take_signals(w);
		reap(w);
		if (read(w->timer, &fired, sizeof(fired)) == sizeof(fired) &&
			run_now_s() - r->start_s > w->rest.since_s + LOOK_SECONDS)
			break;
	}
	counters_drop(r->counters);
}

static int open_watch(struct watch *w)
{
	struct itimerspec every = {{0, TICK_MS * 1000000}, {0, TICK_MS * 1000000}};
	sigset_t set;

	run_signals(&set);
	w->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (w->signals < 0 || w->timer < 0 || timerfd_settime(w->timer, 0, &every, NULL) < 0)
		return -errno;
	return 0;
}

int supervise(struct run *r)
{
	struct watch w = {.r = r,
		.signals = -1,
		.timer = -1,
		.slice_end_s = (double)r->plan->slice_ns / 1e9,
		.deadline_s = r->plan->timeout_ns ? (double)r->plan->timeout_ns / 1e9 : 1e18};
	int e = open_watch(&w);

	rest_open(r, &w.rest);
	while (e == 0) {
		struct pollfd fds[] = {{w.signals, POLLIN, 0}, {w.timer, POLLIN, 0}};

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			e = -errno;
		take_signals(&w);
		reap(&w);
		tick(&w);
		if (all_ended(r) && (w.stopping || !r->result.ncrews))
			break;
		if (all_ended(r)) {
			/* Every crew reached its rounds, or was given up, or restarts at the next tick. */
			bool restarting = false;

			for (unsigned int i = 0; i < r->result.ncrews; i++)
				restarting |=
					r->killed[i] && !r->abandoned[i] && run_has_turn(r, i);
			if (!restarting && !turns_left(r))
				break;
		}
	}
	drain_kmsg(&w, true);
	for (unsigned int i = 0; i < r->result.ncrews; i++)
		drain_evidence(r, i);
	if (e == 0)
		last_rest(&w);
	cleanup_close(&w.signals);
	cleanup_close(&w.timer);
	return e;
}
