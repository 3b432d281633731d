/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bare.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/rng.h"
#include "tape.h"

enum {
	FAULTS_MAX = 32,
	POPULATE_PMDS = 8,
	STREAM_RENEW = 3000
}; /* as much as a lane faults in at a renewal */

struct bare {
	const struct crew *crew;
	uint64_t first, warm;
	pthread_barrier_t meet;
	struct bare_result *result;
};

struct bare_lane {
	struct bare *bare;
	unsigned int no;
	struct tape tape;
	uint64_t *round_ticks; /* [tape.nrounds] */
	pthread_t thread;
	uint64_t failed, signals, renew_ticks;
	/* The touch in progress, for the signal handler. */
	sigjmp_buf env;
	uintptr_t fault;
};

static __thread struct bare_lane *current;

/* ---- touching ---- */

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	current->fault = (uintptr_t)si->si_addr;
	siglongjmp(current->env, 1);
}

static void access_cell(uintptr_t addr, long how)
{
	volatile uint64_t *p = (volatile uint64_t *)addr;

	if (how != CELL_WRITE)
		(void)*p;
	if (how != CELL_READ)
		*p = addr;
}

/* A page that cannot be accessed is passed over, as a lane does. */
static void touch(struct bare_lane *l, uintptr_t base, uint64_t n, uintptr_t stride, long how)
{
	volatile unsigned int faults = 0;
	volatile uint64_t from = 0;

	if (sigsetjmp(l->env, 0)) {
		l->signals++;
		if (++faults == FAULTS_MAX)
			return;
		from = l->fault < base ? n : (l->fault - base) / stride + 1;
	}
	for (uint64_t i = from; i < n; i++)
		access_cell(base + i * stride, how);
}

static void run_calls(struct bare_lane *l, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct tape_call *c = &l->tape.call[i];
		const long *a = c->arg;

		if (c->nr == TAPE_TOUCH)
			touch(l, (uintptr_t)a[0], (uint64_t)a[1], (uintptr_t)a[2], a[3]);
		else
			l->failed += syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]) == -1;
	}
}

/* ---- slots mapped anew ---- */

static void renew_slot(struct bare_lane *l, const struct slot *s, struct rng *r)
{
	uint32_t most = POPULATE_PMDS * (s->granule > s->pmd_pages ? s->granule : s->pmd_pages);
	uint32_t chunk = s->pmd_pages;

	slot_empty(s);
	for (unsigned int v = 0; v < s->nviews; v++) {
		munmap((void *)s->view[v], s->spec.size);
		slot_map(s, v, 0, s->pages, 0);
		slot_advise(s, v);
	}
	if (rng_below(r, 4))
		touch(l, s->view[rng_below(r, s->nviews)],
			(s->pages < most ? s->pages : most) / chunk,
			(uintptr_t)chunk << s->page_shift, CELL_WRITE);
}

static void renew(struct bare_lane *l, uint64_t round)
{
	const struct crew_ctl *ctl = l->bare->crew->ctl;
	uint64_t start = clock_ticks();
	struct rng r;

	pthread_barrier_wait(&l->bare->meet);
	if (l->no == 0) {
		munlockall();
		rng_init(&r, l->bare->crew->plan->seed, STREAM_RENEW, 0, round);
		for (unsigned int i = 0; i < ctl->nslots; i++)
			if (ctl->slot[i].present)
				renew_slot(l, &ctl->slot[i], &r);
	}
	pthread_barrier_wait(&l->bare->meet);
	l->renew_ticks += clock_ticks() - start;
}

/* ---- lanes ---- */

static void pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void run_rounds(struct bare_lane *l, uint64_t from, uint64_t to)
{
	uint64_t first = l->bare->first, start;

	for (uint64_t r = from; r < to; r++) {
		if (r == 0 || (first + r) % l->bare->crew->plan->epoch_rounds == 0)
			renew(l, first + r);
		start = clock_ticks();
		run_calls(l, l->tape.round[r], l->tape.round[r + 1]);
		l->round_ticks[r] = clock_ticks() - start;
	}
}

static void *lane_main(void *arg)
{
	struct bare_lane *l = arg;
	struct bare *b = l->bare;
	struct bare_lane_result *res = &b->result->lane[l->no];
	struct thread_use before;
	uint64_t start;

	pin(b->crew->plan->crew[b->crew->index].lane[l->no].cpu);
	current = l;
	run_rounds(l, 0, b->warm);
	l->failed = l->signals = l->renew_ticks = 0;
	thread_use_read(0, 0, &before);
	start = clock_ticks();
	run_rounds(l, b->warm, l->tape.nrounds);
	res->ticks = clock_ticks() - start;
	thread_use_read(0, 0, &res->use);
	res->use.cpu_ns -= before.cpu_ns;
	res->use.wait_ns -= before.wait_ns;
	res->use.faults -= before.faults;
	res->renew_ticks = l->renew_ticks;
	res->failed = l->failed;
	res->signals = l->signals;
	res->ops = l->tape.nops;
	return NULL;
}

static int handle_signals(void)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	return sigaction(SIGSEGV, &sa, NULL) < 0 || sigaction(SIGBUS, &sa, NULL) < 0 ? -errno : 0;
}

/* What the measured rounds would take if all lanes waited for the slowest one of each. */
static uint64_t slowest_lanes(const struct bare_lane *lane, unsigned int nlanes, uint64_t from)
{
	uint64_t sum = 0;

	for (uint64_t r = from; r < lane->tape.nrounds; r++) {
		uint64_t most = 0;

		for (unsigned int i = 0; i < nlanes; i++)
			if (lane[i].round_ticks[r] > most)
				most = lane[i].round_ticks[r];
		sum += most;
	}
	return sum;
}

static int prepare_lane(struct bare *b, struct bare_lane *l, unsigned int no, uint64_t rounds)
{
	l->bare = b;
	l->no = no;
	l->round_ticks = calloc(b->warm + rounds, sizeof(*l->round_ticks));
	return l->round_ticks ? tape_record(b->crew, no, b->first, b->warm + rounds, &l->tape)
			      : -ENOMEM;
}

/* In the child: everything is prepared before the first call. */
static int run_lanes(struct bare *b, uint64_t rounds)
{
	static struct bare_lane lane[PROGRAM_MAX_LANES];
	struct crew_ctl *ctl = b->crew->ctl;
	int r = handle_signals();

	if (r == 0 && !arena_find(ctl->slot, ctl->nslots, ctl->nlanes))
		r = -ENOMEM;
	for (unsigned int i = 0; r == 0 && i < ctl->nslots; i++)
		r = ctl->slot[i].present ? slot_anchor(&ctl->slot[i]) : 0;
	for (unsigned int i = 0; r == 0 && i < ctl->nlanes; i++)
		r = prepare_lane(b, &lane[i], i, rounds);
	if (r == 0)
		r = -pthread_barrier_init(&b->meet, NULL, ctl->nlanes);
	for (unsigned int i = 0; r == 0 && i < ctl->nlanes; i++)
		r = -pthread_create(&lane[i].thread, NULL, lane_main, &lane[i]);
	for (unsigned int i = 0; r == 0 && i < ctl->nlanes; i++)
		r = -pthread_join(lane[i].thread, NULL);
	if (r == 0)
		b->result->slowest_ticks = slowest_lanes(lane, ctl->nlanes, b->warm);
	return r;
}

int bare_run(const struct crew *c, uint64_t first, uint64_t warm, uint64_t rounds,
	struct bare_result *ret)
{
	struct bare b = {.crew = c, .first = first, .warm = warm, .result = ret};
	int status;
	pid_t pid;

	*ret = (struct bare_result){.err = ECHILD};
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ret->err = -run_lanes(&b, rounds);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	for (unsigned int i = 0; i < c->ctl->nslots; i++)
		if (c->ctl->slot[i].fd >= 0)
			slot_empty(&c->ctl->slot[i]);
	return -ret->err;
}
