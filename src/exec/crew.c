/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "exec/crew.h"
#include "executor.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "sys/guest.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MEET_MARGIN_NS = 3000 }; /* to begin with; see meet.c */
enum { WAIT_SPIN_NS = 200000 };

static size_t lay_out(struct crew_ctl *ctl, struct space_mem *mem)
{
	mem->used = 0;
	space_alloc(mem, sizeof(*ctl));
	for (unsigned int i = 0; i < ctl->nslots; i++)
		if (ctl->slot[i].present)
			space_init(&ctl->space[i], &ctl->slot[i], ctl->nprocs, ctl->nlanes,
				ctl->lane_proc, mem);
	return mem->used;
}

/* One for all crews, made with the first that needs it, for the life of the supervisor. NULL: none is needed, or no memory. */
static struct scarcity *run_scarcity(const struct plan *plan)
{
	static struct scarcity *shared;
	void *p;

	if (shared || !(plan_uses(plan) & (OP_SCARCE_NOW | OP_SCARCE_ON)))
		return shared;
	p = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p != MAP_FAILED)
		shared = p;
	return shared;
}

/* Of a supervisor that feeds one crew after the other; for its life. NULL: none is needed, or no memory. */
static _Atomic uint32_t *run_hidden(const struct plan *plan)
{
	static _Atomic uint32_t *shared;
	void *p;

	if (shared || !plan->fed)
		return shared;
	p = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p != MAP_FAILED)
		shared = p;
	return shared;
}

static void describe(
	struct crew_ctl *ctl, const struct plan *plan, unsigned int index, const struct machine *m)
{
	const struct plan_crew *pc = &plan->crew[index];

	ctl->index = index;
	ctl->nlanes = pc->nlanes;
	ctl->nprocs = pc->nprocs;
	ctl->nslots = plan->nslots;
	ctl->scarcity = run_scarcity(plan);
	ctl->hidden = run_hidden(plan);
	for (unsigned int l = 0; l < pc->nlanes; l++) {
		ctl->lane_proc[l] = pc->lane[l].proc;
		ctl->lane[l].kcov_fd = -1;
	}
	for (unsigned int i = 0; i < plan->nslots; i++) {
		slot_init(&ctl->slot[i], &plan->slot[i], m);
		ctl->slot[i].present = plan->slots_present >> i & 1;
		ctl->slot[i].tight = plan->slots_tight >> i & 1;
	}
}

static int map_ctl(struct crew *c)
{
	struct space_mem mem = {0};
	struct crew_ctl *model, *ctl;
	void *p;

	/* Large, and hardly touched: none of it may come out of the heap, which would clear it. */
	model = mmap(NULL, sizeof(*model), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (model == MAP_FAILED)
		return -errno;
	madvise(model, sizeof(*model), MADV_NOHUGEPAGE);
	describe(model, c->plan, c->index, c->machine);
	mem.size = c->ctl_size = lay_out(model, &mem);
	munmap(model, sizeof(*model));
	p = mmap(NULL, c->ctl_size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	madvise(p, c->ctl_size,
		MADV_NOHUGEPAGE); /* the tool's memory stays small and out of the statistics */
	c->ctl = ctl = p;
	describe(ctl, c->plan, c->index, c->machine);
	mem.base = p;
	lay_out(ctl, &mem);
	return 0;
}

static bool plan_needs(const struct plan *plan, unsigned int index, enum cap cap)
{
	const struct plan_crew *pc = &plan->crew[index];

	for (unsigned int l = 0; l < pc->nlanes; l++)
		for (unsigned int k = 0; k < pc->lane[l].nops; k++) {
			const struct op *op = op_get(pc->lane[l].op[k].call.op);

			for (unsigned int n = 0; n < op->nneeds; n++)
				if (op->needs[n] == cap)
					return true;
		}
	return false;
}

/*
 * One machine more than the lanes', for as long as the crew lives. KVM's first machine and its last turn a branch in __schedule()
 * (virt/kvm/kvm_main.c, preempt_notifier_inc()): changed text under other CPUs' feet, at every epoch, which is not what is tested here, and which an
 * emulator may get wrong (int3 in __schedule, once in some hours of QEMU's TCG).
 */
static void hold_guest(struct crew *c)
{
	if (plan_needs(c->plan, c->index, CAP_HAS_KVM) && guest_new(false, &c->held) < 0)
		c->held = NULL;
}

int crew_new(const struct plan *plan, unsigned int index, const struct machine *m,
	const struct slot_places *places, struct crew **ret)
{
	struct crew *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->plan = plan;
	c->machine = m;
	c->index = index;
	c->number = plan->first_crew + index;
	r = map_ctl(c);
	if (r < 0)
		goto fail;
	for (unsigned int i = 0; i < c->ctl->nslots; i++) {
		struct slot *s = &c->ctl->slot[i];

		if (!s->present)
			continue;
		r = slot_open(s, m, places);
		if (r < 0) {
			log_error("crew %u: slot %s (%s): %s", c->number, s->spec.name,
				backing_name(s->spec.backing), strerror(-r));
			goto fail;
		}
	}
	hold_guest(c);
	*ret = c;
	return 0;
fail:
	crew_free(c);
	return r;
}

void crew_release_slots(struct crew *c)
{
	for (unsigned int i = 0; i < c->ctl->nslots; i++)
		slot_close(&c->ctl->slot[i]);
}

void crew_empty_slots(const struct crew *c)
{
	for (unsigned int i = 0; i < c->ctl->nslots; i++)
		if (c->ctl->slot[i].fd >= 0)
			slot_empty(&c->ctl->slot[i]);
}

void crew_free(struct crew *c)
{
	if (!c)
		return;
	if (c->ctl) {
		crew_release_slots(c);
		munmap(c->ctl, c->ctl_size);
	}
	guest_free(c->held);
	free(c);
}

void scarcity_over(struct crew_ctl *ctl)
{
	uint32_t n = atomic_exchange(&ctl->scarce, 0);

	if (n)
		atomic_fetch_add(&ctl->scarcity->ended, n);
}

static void prepare_start(struct crew *c, uint64_t first_round)
{
	struct crew_ctl *ctl = c->ctl;

	ctl->first_round = first_round;
	atomic_store(&ctl->seq, 0);
	atomic_store(&ctl->arrived, 0);
	atomic_store(&ctl->sleepers, 0);
	atomic_store(&ctl->phase, PHASE_BARE); /* the first phase to follow is PHASE_MAP */
	atomic_store(&ctl->round, first_round);
	atomic_store(&ctl->stop, false);
	atomic_store(&ctl->rest, c->plan->fed ? REST_WANTED : REST_NONE);
	atomic_store(&ctl->failed, 0);
	atomic_store(&ctl->meets_wanted, 0);
	ctl->meets_now = 0;
	if (!ctl->meet_margin_ns)
		ctl->meet_margin_ns = MEET_MARGIN_NS;
	scarcity_over(ctl); /* of executors that died in the middle of it */
	for (unsigned int i = 0; i < ctl->nslots; i++)
		for (uint32_t k = 0; ctl->slot[i].present && k < ctl->space[i].nchunks; k++)
			space_mark_dirty(&ctl->space[i], k);
	for (unsigned int p = 0; p < PROGRAM_MAX_PROCS; p++)
		atomic_store(&ctl->pid[p], 0);
	for (unsigned int l = 0; l < PROGRAM_MAX_LANES; l++) {
		atomic_store(&ctl->lane[l].state, LANE_STARTING);
		atomic_store(&ctl->lane[l].op_start, 0);
		for (unsigned int i = 0; i <= SLOT_MAX; i++)
			atomic_store(&ctl->lane[l].calls[i], 0);
		atomic_store(&ctl->lane[l].tid, 0);
		atomic_store(&ctl->lane[l].nrecords, 0);
	}
}

int crew_start(struct crew *c, uint64_t first_round)
{
	pid_t supervisor = getpid(), pid;

	prepare_start(c, first_round);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		executor_main(c, supervisor);
	atomic_store(&c->ctl->pid[0], pid);
	return 0;
}

void crew_stop(struct crew *c)
{
	atomic_store_explicit(&c->ctl->stop, true, memory_order_release);
}

void crew_rest(struct crew *c)
{
	uint32_t none = REST_NONE;

	atomic_compare_exchange_strong(&c->ctl->rest, &none, REST_WANTED);
}

bool crew_rests(const struct crew *c)
{
	/* pairs with the store in come_to_rest() */
	return atomic_load_explicit(&c->ctl->rest, memory_order_acquire) == REST_REACHED;
}

void crew_resume(struct crew *c)
{
	atomic_store(&c->ctl->rest, REST_NONE);
	syscall(SYS_futex, &c->ctl->rest, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void crew_next(struct crew *c)
{
	atomic_store(&c->ctl->rest, REST_WANTED);
	syscall(SYS_futex, &c->ctl->rest, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

int crew_wait(const struct crew *c, uint64_t ns)
{
	struct timespec limit = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
	uint64_t until = clock_ticks() + clock_from_ns(WAIT_SPIN_NS);

	while (c->ctl->yields && !crew_rests(c) && clock_ticks() < until)
		sched_yield();
	while (!crew_rests(c)) {
		/* REST_WANTED: come_to_rest() changes it, then wakes */
		if (syscall(SYS_futex, &c->ctl->rest, FUTEX_WAIT, REST_WANTED, &limit, NULL, 0) <
				0 &&
			errno != EAGAIN)
			return crew_rests(c) ? 0 : -errno;
	}
	return 0;
}

pid_t crew_pid(const struct crew *c, unsigned int proc)
{
	return atomic_load_explicit(&c->ctl->pid[proc], memory_order_acquire);
}

void crew_kill(struct crew *c)
{
	for (unsigned int p = 0; p < c->ctl->nprocs; p++)
		if (crew_pid(c, p) > 0)
			kill(crew_pid(c, p), SIGKILL);
}

unsigned int crew_alive(const struct crew *c)
{
	unsigned int n = 0;

	for (unsigned int p = 0; p < c->ctl->nprocs; p++)
		n += crew_pid(c, p) > 0;
	return n;
}

bool crew_reaped(struct crew *c, pid_t pid, unsigned int *ret_proc)
{
	for (unsigned int p = 0; p < c->ctl->nprocs; p++) {
		if (crew_pid(c, p) != pid)
			continue;
		atomic_store_explicit(&c->ctl->pid[p], 0, memory_order_release);
		*ret_proc = p;
		return true;
	}
	return false;
}
