/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/path.h"

enum {
	TICK_NS = 100000000,
	WARM_TICK_NS = 1000000,
	ROUND_TICK_NS = 20000
}; /* the first is the supervisor's own */

static const uint64_t start_limit_ns = 30000000000, round_limit_ns = 10000000000;

void thread_use_read(pid_t pid, pid_t tid, struct thread_use *ret)
{
	char path[64], file[64], text[512], *p;

	*ret = (struct thread_use){0};
	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)pid, (int)tid);
	else
		snprintf(path, sizeof(path), "/proc/thread-self");
	snprintf(file, sizeof(file), "%.40s/schedstat", path);
	if (path_read(file, text, sizeof(text)) > 0)
		sscanf(text, "%" SCNu64 " %" SCNu64, &ret->cpu_ns, &ret->wait_ns);
	snprintf(file, sizeof(file), "%.40s/stat", path);
	if (path_read(file, text, sizeof(text)) > 0 && (p = strrchr(text, ')')))
		sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %" SCNu64, &ret->faults);
}

/* ---- judging ---- */

static void on_finding(void *arg, struct finding *f)
{
	struct engine *e = arg;

	e->findings++;
	log_warn("finding: %s", f->title);
	finding_clear(f);
}

static void judge(struct engine *e)
{
	struct evidence ev;
	struct finding f;

	if (e->kmsg)
		kmsg_drain(e->kmsg, false, on_finding, e);
	for (unsigned int i = 0; i < e->plan->ncrews; i++) {
		struct crew *c = e->crew[i];

		for (unsigned int l = 0; l < c->ctl->nlanes; l++)
			while (evidence_pop(&c->ctl->lane[l].ring, &ev))
				if (oracle_evidence(c, &ev, &f) == 0)
					on_finding(e, &f);
		if (oracle_progress(c, e->plan->stall_ns, &f) == 1)
			on_finding(e, &f);
	}
}

/* 0, or -ECHILD when an executor has ended. */
static int reap(struct engine *e, int flags)
{
	unsigned int proc;
	int status, r = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, flags)) > 0) {
		for (unsigned int i = 0; i < e->plan->ncrews; i++) {
			const struct crew_ctl *ctl = e->crew[i]->ctl;

			if (!crew_reaped(e->crew[i], pid, &proc))
				continue;
			if (atomic_load(&ctl->failed))
				log_error("crew %u: %s: %s", i, ctl->failed_what,
					strerror(atomic_load(&ctl->failed)));
			else if (status)
				log_error("crew %u: an executor died, wait status %#x", i, status);
		}
		r = -ECHILD;
	}
	return r;
}

static void pause_ns(uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

	nanosleep(&ts, NULL);
}

/* ---- the crews' life ---- */

int engine_open(struct engine *e, struct plan *plan, const struct machine *m)
{
	struct slot_places places = {0};

	*e = (struct engine){.plan = plan, .crew = calloc(plan->ncrews, sizeof(*e->crew))};
	if (!e->crew)
		return -ENOMEM;
	for (unsigned int i = 0; i < plan->ncrews; i++) {
		int r = crew_new(plan, i, m, &places, &e->crew[i]);

		if (r < 0)
			return r;
	}
	if (kmsg_open("bench starts", &e->kmsg) < 0)
		e->kmsg = NULL;
	return 0;
}

void engine_close(struct engine *e)
{
	for (unsigned int i = 0; e->crew && i < e->plan->ncrews; i++)
		crew_free(e->crew[i]);
	free(e->crew);
	if (e->kmsg)
		kmsg_close(e->kmsg);
}

static bool all_warm(const struct engine *e, uint64_t round)
{
	for (unsigned int i = 0; i < e->plan->ncrews; i++)
		if (atomic_load_explicit(&e->crew[i]->ctl->round, memory_order_relaxed) < round)
			return false;
	return true;
}

int engine_start(struct engine *e, uint64_t first_round, uint64_t warm)
{
	uint64_t until = clock_raw_ns() + start_limit_ns;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < e->plan->ncrews; i++)
		r = crew_start(e->crew[i], first_round);
	while (r == 0 && !all_warm(e, first_round + warm)) {
		pause_ns(WARM_TICK_NS);
		r = reap(e, WNOHANG);
		if (clock_raw_ns() > until)
			r = -ETIMEDOUT;
	}
	return r;
}

int engine_run(struct engine *e, uint64_t ns)
{
	uint64_t now = clock_raw_ns(), until = now + ns;
	int r = 0;

	while (r == 0 && now < until) {
		pause_ns(until - now < TICK_NS ? until - now : TICK_NS);
		judge(e);
		r = reap(e, WNOHANG);
		now = clock_raw_ns();
	}
	return r;
}

static void add_lane(
	const struct crew *c, unsigned int l, struct engine_mark *m, uint64_t *ret_wait_ns)
{
	const struct lane_ctl *lane = &c->ctl->lane[l];
	struct thread_use use;

	thread_use_read(crew_pid(c, c->ctl->lane_proc[l]), atomic_load(&lane->tid), &use);
	m->cpu_ns += use.cpu_ns;
	m->faults += use.faults;
	*ret_wait_ns = use.wait_ns;
	m->ops += atomic_load_explicit(&lane->ops, memory_order_relaxed);
	m->signals += atomic_load_explicit(&lane->segv, memory_order_relaxed) +
		      atomic_load_explicit(&lane->bus, memory_order_relaxed);
	for (unsigned int i = 0; i < OP_NUMBERS; i++)
		m->failed += atomic_load_explicit(&lane->stat[i].failed, memory_order_relaxed);
}

/* A round's number and deadline, read while the crew was in that round's phase and no other; false:
 * it moved on. */
static bool read_round(const struct crew_ctl *ctl, struct engine_mark *m)
{
	uint32_t seq = atomic_load_explicit(
		&ctl->seq, memory_order_acquire); /* pairs with barrier_arrive() */

	if (atomic_load_explicit(&ctl->phase, memory_order_relaxed) != PHASE_RUN)
		return false;
	m->round = atomic_load_explicit(&ctl->round, memory_order_relaxed);
	m->ticks = atomic_load_explicit(&ctl->deadline, memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&ctl->seq, memory_order_relaxed) == seq;
}

void engine_mark_round(const struct engine *e, struct engine_mark *ret)
{
	const struct crew_ctl *ctl = e->crew[0]->ctl;
	uint32_t seq = atomic_load_explicit(&ctl->seq, memory_order_relaxed);
	uint64_t until = clock_raw_ns() + round_limit_ns;
	struct engine_mark m = {0};

	while (clock_raw_ns() < until &&
		(atomic_load_explicit(&ctl->seq, memory_order_relaxed) == seq ||
			!read_round(ctl, &m)))
		pause_ns(ROUND_TICK_NS);
	engine_mark(e, ret);
	ret->round = m.round;
	ret->ticks = m.ticks;
}

void engine_mark(const struct engine *e, struct engine_mark *ret)
{
	unsigned int n = 0;

	memset(ret, 0, sizeof(*ret));
	ret->round = atomic_load_explicit(&e->crew[0]->ctl->round, memory_order_relaxed);
	ret->ticks = clock_ticks();
	for (unsigned int i = 0; i < e->plan->ncrews; i++)
		for (unsigned int l = 0; l < e->crew[i]->ctl->nlanes; l++, n++)
			add_lane(e->crew[i], l, ret, &ret->wait_ns[n]);
}

int engine_stop(struct engine *e)
{
	int r = 0;

	for (unsigned int i = 0; i < e->plan->ncrews; i++)
		crew_stop(e->crew[i]);
	reap(e, 0);
	judge(e);
	for (unsigned int i = 0; i < e->plan->ncrews; i++)
		for (unsigned int s = 0; s < e->plan->nslots; s++)
			if (e->crew[i]->ctl->slot[s].fd >= 0)
				r = slot_empty(&e->crew[i]->ctl->slot[s]) ?: r;
	return r;
}
