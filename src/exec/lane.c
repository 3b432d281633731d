/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "executor.h"
#include "barrier.h"
#include "meet.h"
#include "grant.h"
#include "overlap.h"
#include "alone.h"
#include "fail.h"
#include "place.h"
#include "look.h"
#include "state.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/rng.h"
#include "mem/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <limits.h>
#include <linux/kcov.h>
#include <numaif.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STREAM_POPULATE = 2000, POPULATE_PMDS = 8 };
enum { POOL_WAIT_NS = 2000000000 };
/* From the decision to the round's deadline. */
enum { RELEASE_NS = 3000, RELEASE_ASLEEP_NS = 60000 };
/* Where lanes share CPUs, one that waits gives its CPU away but for the last bit. */
enum { SPIN_NS = 10000 };
/* A timer for less is not worth the way. */
enum { SLEEP_LEAST_NS = 500 };

static inline void bump(_Atomic uint64_t *p, uint64_t n)
{
	/* one writer: a plain add, made visible */
	atomic_store_explicit(
		p, atomic_load_explicit(p, memory_order_relaxed) + n, memory_order_relaxed);
}

/* ---- one op ---- */

/* Restoring ops on the tracks that had begun; taken before a call, compared after. */
struct before {
	uint32_t hole, bus, guard;
	bool busy;
	struct scarcity_mark scarce;
};

static struct track *hole_track(struct lane *l, const struct op_span *s)
{
	return &l->cells.space[s->slot_no].view[l->env.proc][s->view].hole;
}

static struct track *bus_track(struct lane *l, const struct op_span *s)
{
	return &space_content(&l->cells.space[s->slot_no], l->env.proc)->bus;
}

static struct track *guard_track(struct lane *l, const struct op_span *s)
{
	return &l->cells.space[s->slot_no].view[l->env.proc][s->view].guard;
}

static struct before look_before(struct lane *l, const struct op_span *s)
{
	const struct track *h = hole_track(l, s), *b = bus_track(l, s), *g = guard_track(l, s);
	struct before f = {atomic_load_explicit(&h->restore.b, memory_order_acquire),
		atomic_load_explicit(&b->restore.b, memory_order_acquire),
		atomic_load_explicit(&g->restore.b, memory_order_acquire), false, {0}};

	f.busy = f.hole != atomic_load_explicit(&h->restore.e, memory_order_acquire) ||
		 f.bus != atomic_load_explicit(&b->restore.e, memory_order_acquire) ||
		 f.guard != atomic_load_explicit(&g->restore.e, memory_order_acquire);
	return f;
}

/* What happened to the range before and during the call. */
static uint32_t range_when(struct lane *l, const struct op_call *c, const struct before *f)
{
	struct op_span s = op_range(&l->env, c);
	struct space *sp = &l->cells.space[s.slot_no];
	struct space_facts facts = space_facts(sp, l->env.proc, s.view, s.page, s.pages);
	uint32_t hole = atomic_load_explicit(&hole_track(l, &s)->restore.b, memory_order_acquire);
	uint32_t bus = atomic_load_explicit(&bus_track(l, &s)->restore.b, memory_order_acquire);
	uint32_t guard = atomic_load_explicit(&guard_track(l, &s)->restore.b, memory_order_acquire);
	uint32_t when = facts.split ? WHEN_SPLIT : 0;

	if (facts.hole || f->busy || hole != f->hole || guard != f->guard)
		when |= WHEN_HOLE;
	if (facts.truncated || f->busy || bus != f->bus)
		when |= WHEN_SHORT;
	return when;
}

/*
 * Has another process of the crew lost its memory, as one does whom the OOM killer ends? /proc/PID/statm tells what get_task_mm() finds, and
 * nobody comes back: to look after the call is early enough.
 */
static bool peer_is_gone(const struct lane *l)
{
	for (unsigned int p = 0; p < l->env.nprocs; p++) {
		_cleanup_close_ int fd = -1;
		pid_t pid = atomic_load(&l->env.pid[p]);
		char path[32], text[2] = "0";

		if (p == l->env.proc)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
		fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		if (fd < 0 || read(fd, text, sizeof(text)) < (ssize_t)sizeof(text) ||
			memcmp(text, "0 ", 2) == 0)
			return true;
	}
	return false;
}

static void judge_errno(struct lane *l, const struct op *op, const struct op_call *c, int err,
	const struct before *f)
{
	struct crew_ctl *ctl = l->ex->ctl;
	uint32_t when = op_when(op, &l->env, c);
	struct evidence e;

	if (op->backings)
		when |= range_when(l, c, f);
	if (atomic_load_explicit(&ctl->locked[l->env.proc], memory_order_relaxed))
		when |= WHEN_LOCKED;
	if (atomic_load_explicit(&ctl->stop, memory_order_relaxed))
		when |= WHEN_GONE_PEER;
	if (l->failed)
		when |= WHEN_INJECTED;
	if (scarcity_since(ctl->scarcity, &f->scarce))
		when |= WHEN_SCARCE;
	if (l->ex->uses & OP_FENCES_NODES)
		when |= WHEN_FENCED;
	l->ctl->record[l->cells.op_index].when = when;
	if (op_errno_legal(op, err, when) ||
		(op_errno_legal(op, err, when | WHEN_GONE_PEER) && peer_is_gone(l)))
		return;
	e = (struct evidence){.kind = EVIDENCE_ERRNO,
		.lane = (uint8_t)l->no,
		.op = c->op,
		.op_index = l->cells.op_index,
		.err = err,
		.code = (int32_t)when,
		.round = l->cells.round,
		.ticks = clock_ticks()};
	if (op->backings) {
		struct op_span s = op_range(&l->env, c);

		e.slot = (uint8_t)s.slot_no;
		e.view = (uint8_t)s.view;
		e.cell_page = s.page;
		e.addr = s.addr;
		e.seen = s.pages;
	}
	evidence_push(&l->ctl->ring, &e);
}

static void count_in(struct op_stat *s, int err, uint64_t ticks)
{
	bump(&s->ticks, ticks);
	if (!err) {
		bump(&s->ok, 1);
		return;
	}
	bump(&s->failed, 1);
	for (unsigned int i = 0; i < STAT_ERRNOS; i++) {
		uint32_t have = atomic_load_explicit(&s->err[i], memory_order_relaxed);

		if (have && have != (uint32_t)err)
			continue;
		atomic_store_explicit(&s->err[i], (uint32_t)err, memory_order_relaxed);
		bump(&s->count[i], 1);
		return;
	}
}

/* slot: SLOT_MAX: of none. */
static void count(struct lane *l, unsigned int op, unsigned int slot, int err, uint64_t ticks)
{
	count_in(&l->ctl->stat[op], err, ticks);
	if (slot < SLOT_MAX)
		count_in(&l->ctl->by_backing[op][l->env.slot[slot].spec.backing], err, ticks);
}

/* Protects a whole view behind the model's back and touches it. False: no view is whole at the moment. */
static bool plant_fault(struct lane *l)
{
	for (unsigned int i = 0; i < l->env.nslots; i++) {
		const struct slot *s = &l->env.slot[i];
		uint32_t head = atomic_load_explicit(&l->ctl->ring.head, memory_order_relaxed);

		if (!s->present || mprotect((void *)s->view[0], s->spec.size, PROT_NONE) < 0)
			continue;
		cells_touch(&l->cells, i, 0, 0, s->granule, 1, CELL_RMW);
		mprotect((void *)s->view[0], s->spec.size, PROT_READ | PROT_WRITE);
		if (atomic_load_explicit(&l->ctl->ring.head, memory_order_relaxed) != head)
			return true;
	}
	return false;
}

static bool plant_seen(struct lane *l)
{
	for (unsigned int i = 0; i < l->env.nslots; i++)
		if (l->env.slot[i].present && cells_plant_seen(&l->cells, i))
			return true;
	return false;
}

/* The injections that are planted in a lane; each once, on lane 0. */
static void inject(struct lane *l, long *r)
{
	struct crew_ctl *ctl = l->ex->ctl;

	if (l->no != 0)
		return;
	if (ctl->inject_errno) {
		*r = -ctl->inject_errno;
		ctl->inject_errno = 0;
	}
	if (ctl->inject_fault)
		ctl->inject_fault = !plant_fault(l);
	if (ctl->inject_mmu)
		ctl->inject_mmu = !plant_seen(l);
	if (ctl->inject_crash)
		raise(SIGSEGV);
	while (ctl->inject_stall)
		pause();
}

/* On the CPU of the lane that it is to preempt: it sleeps, or that lane would get nowhere. */
static void sleep_until(uint64_t deadline)
{
	uint64_t now;

	while ((now = clock_ticks()) < deadline) {
		uint64_t ns = clock_to_ns(deadline - now);
		struct timespec ts = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

		if (ns < SLEEP_LEAST_NS)
			return;
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	}
}

static void wait_until(const struct lane *l, uint64_t deadline)
{
	uint64_t spin = clock_from_ns(SPIN_NS), now;

	if (l->plan->preempt) {
		sleep_until(deadline);
		return;
	}
	while ((now = clock_ticks()) < deadline) {
		if (l->ex->crowded && deadline - now > spin)
			sched_yield();
		else
			clock_relax();
	}
}

static void scarcity_begin(struct crew_ctl *ctl)
{
	if (!ctl->scarcity)
		return;
	atomic_fetch_add_explicit(&ctl->scarce, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&ctl->scarcity->begun, 1, memory_order_seq_cst);
}

static void scarcity_end(struct crew_ctl *ctl)
{
	if (!ctl->scarcity)
		return;
	atomic_fetch_add_explicit(&ctl->scarcity->ended, 1, memory_order_seq_cst);
	atomic_fetch_sub_explicit(&ctl->scarce, 1, memory_order_relaxed);
}

/* due: when it shall start, ticks; 0: now. */
static void run_op(struct lane *l, const struct op_call *c, unsigned int index, uint64_t due)
{
	const struct op *op = op_get(c->op);
	struct crew_ctl *ctl = l->ex->ctl;
	struct record *rec = &l->ctl->record[index];
	struct effect_run fx = {0};
	struct before before = {0};
	struct alone_mark about;
	unsigned int slot = SLOT_MAX;
	uint64_t stop;
	long r;

	l->failed = false;
	l->cells.op = c->op;
	l->cells.op_index = (uint8_t)index;
	l->env.migrated = l->env.collapsed = l->env.bytes = 0;
	l->env.migrated_to = -1;
	l->env.partial = false;
	place_begin(l, op, c);
	if (op->effects) {
		fx.n = op->effects(&l->env, c, fx.eff);
		effects_begin(ctl->space, ctl->nslots, l->env.proc, &fx);
		for (unsigned int i = 0; i < fx.n; i++)
			if (fx.eff[i].kinds & EFFECT_LOCKED)
				atomic_store_explicit(
					&ctl->locked[l->env.proc], true, memory_order_relaxed);
	}
	if (op->backings) {
		struct op_span s = op_range(&l->env, c);

		before = look_before(l, &s);
		slot = s.slot_no;
	}
	alone_begin(l, slot, &fx, &about);
	before.scarce = scarcity_mark(ctl->scarcity);
	if (__builtin_expect(op->uses & (OP_SCARCE_NOW | OP_SCARCE_ON), 0))
		scarcity_begin(ctl);
	atomic_store_explicit(&l->ctl->op, c->op, memory_order_relaxed);
	atomic_store_explicit(&l->ctl->op_index, index, memory_order_relaxed);
	rec->op = c->op;
	rec->when = 0;
	rec->stop = 0;
	if (__builtin_expect(due != 0, 0))
		wait_until(l, due);
	rec->start = clock_ticks();
	atomic_store_explicit(&l->ctl->op_start, rec->start,
		memory_order_release); /* read by the progress oracle */
	r = __builtin_expect(fail_wanted(l, op), 0) ? fail_run(l, op, c) : op->run(&l->env, c);
	stop = clock_ticks();
	if (__builtin_expect(ctl->injecting, 0))
		inject(l, &r);
	place_end(l, op, c, index, r);
	atomic_store_explicit(&l->ctl->op_start, 0, memory_order_release);
	if (__builtin_expect(op->uses & OP_SCARCE_NOW, 0))
		scarcity_end(ctl);
	alone_end(l, slot, &fx, &about);
	for (unsigned int i = 0; l->env.partial && i < fx.n; i++)
		fx.eff[i].kinds &=
			~(uint32_t)EFFECT_ZEROED; /* EFFECT_ZERO, with which it counts, stays */
	effects_end(ctl->space, ctl->nslots, l->env.proc, l->no, &fx, r >= 0);
	rec->stop = stop;
	rec->err = r < 0 ? (int16_t)-r : 0;
	rec->did = (uint8_t)((l->env.migrated ? RECORD_MIGRATED : 0) |
			     (l->env.collapsed ? RECORD_COLLAPSED : 0));
	atomic_store_explicit(&l->ctl->nrecords, index + 1, memory_order_release);
	count(l, c->op, slot, r < 0 ? (int)-r : 0, stop - rec->start);
	if (l->env.migrated) {
		bump(&l->ctl->migrated, l->env.migrated);
		if (l->env.migrated_to >= 0)
			bump(&l->ctl->migrated_to[l->env.migrated_to % MIGRATED_NODES],
				l->env.migrated);
	}
	if (l->env.collapsed)
		bump(&l->ctl->collapsed, l->env.collapsed);
	if (__builtin_expect(r < 0, 0))
		judge_errno(l, op, c, (int)-r, &before);
}

/* ---- phases ---- */

static void publish_counts(struct lane *l)
{
	atomic_store_explicit(&l->ctl->touched, l->cells.touched, memory_order_relaxed);
	atomic_store_explicit(&l->ctl->checks, l->cells.checks, memory_order_relaxed);
	atomic_store_explicit(&l->ctl->zeros, l->cells.zeros, memory_order_relaxed);
	atomic_store_explicit(&l->ctl->segv, l->cells.segv, memory_order_relaxed);
	atomic_store_explicit(&l->ctl->bus, l->cells.bus, memory_order_relaxed);
}

static void draw(struct lane *l, uint64_t round)
{
	plan_draw_lane(l->ex->plan, l->ex->ctl->index, l->no, round, &l->program);
	meets_announce(l);
}

/* Ops that follow each other directly, but for those that have a timing. */
static void run_ops(struct lane *l)
{
	for (unsigned int i = 0; i < l->program.nops; i++) {
		uint64_t due = 0;

		if (__builtin_expect(l->program.timed >> i & 1, 0))
			due = meet_wait(l, i);
		run_op(l, &l->program.op[i], i, due);
		if (__builtin_expect(due != 0, 0))
			meet_started(l, i, due, l->ctl->record[i].start);
	}
}

static void learn_durations(const struct lane *l)
{
	for (unsigned int i = 0; i < l->program.nops; i++) {
		const struct record *r = &l->ctl->record[i];

		model_add(&l->ex->ctl->model, model_key(&l->env, &l->program.op[i]), r->err != 0,
			clock_to_ns(r->stop - r->start));
	}
}

static void coverage_open(struct lane *l)
{
	if (l->ctl->kcov_fd >= 0 && ioctl(l->ctl->kcov_fd, KCOV_ENABLE, KCOV_TRACE_PC) < 0)
		executor_fail(l->ex->ctl, errno, "kcov for a lane");
}

/* Its buffer begins anew with each round. What later phases add is not counted. */
static void coverage_begin(struct lane *l)
{
	if (__builtin_expect(l->ctl->kcov_fd >= 0, 0))
		__atomic_store_n(&l->ctl->kcov[0], 0, __ATOMIC_RELAXED);
}

static void coverage_end(struct lane *l)
{
	if (__builtin_expect(l->ctl->kcov_fd >= 0, 0))
		atomic_store_explicit(&l->ctl->kcov_pcs,
			__atomic_load_n(&l->ctl->kcov[0], __ATOMIC_RELAXED), memory_order_relaxed);
}

static void phase_run(struct lane *l)
{
	struct crew_ctl *ctl = l->ex->ctl;
	uint64_t round = atomic_load_explicit(&ctl->round, memory_order_relaxed), due,
		 late = LANE_ABSENT;

	l->cells.round = round;
	atomic_store_explicit(&l->ctl->round, round, memory_order_relaxed);
	atomic_store_explicit(&l->ctl->nrecords, 0, memory_order_relaxed);
	due = atomic_load_explicit(&ctl->deadline, memory_order_relaxed) +
	      clock_from_ns(l->program.offset_ns);
	l->env.fail_nth = 0;
	if (l->program.nops) {
		wait_until(l, due);
		atomic_store_explicit(&l->ctl->state, LANE_RUNNING, memory_order_relaxed);
		late = clock_ticks() - due;
		coverage_begin(l);
		run_ops(l);
		coverage_end(l);
	}
	atomic_store_explicit(
		&l->ctl->late, late, memory_order_relaxed); /* read after the barrier */
	if (l->ex->learns)
		learn_durations(l);
	bump(&l->ctl->ops, l->program.nops);
	atomic_store_explicit(&l->ctl->state, LANE_WAITING, memory_order_relaxed);
	publish_counts(l);
	draw(l, round + 1);
}

/*
 * Huge pages that were just freed may still be on their way back to the pool (free_hpage_work). Where ops shrink pools, another
 * crew's may have just done so: then without a reservation, which is always to be had.
 */
static int map_view(const struct lane *l, const struct slot *s, unsigned int view)
{
	uint64_t until = clock_ticks() + clock_from_ns(POOL_WAIT_NS);
	int r;

	do {
		r = slot_map(s, view, 0, s->pages, 0);
		if (r != -ENOMEM || (s->granule == 1 && !l->ex->ctl->scarcity))
			return r; /* scarcity: of another crew, and soon over */
		if (s->granule > 1 && (l->ex->uses & OP_SHRINKS_POOLS))
			return slot_map(s, view, 0, s->pages, MAP_NORESERVE);
		sched_yield();
	} while (clock_ticks() < until);
	return r;
}

/* Fresh memory everywhere: what an epoch has left behind in VMAs, locks and policies ends here. */
static void map_process(struct lane *l)
{
	struct crew_ctl *ctl = l->ex->ctl;
	int r = 0;

	for (unsigned int i = 0; i < ctl->nslots; i++) {
		const struct slot *s = &ctl->slot[i];

		for (unsigned int v = 0; s->present && v < s->nviews; v++) {
			r = map_view(l, s, v);
			if (r < 0) {
				char what[96];

				snprintf(what, sizeof(what), "mapping slot %s (%s)", s->spec.name,
					backing_name(s->spec.backing));
				executor_fail(ctl, -r, what);
			}
			slot_advise(s, v);
		}
	}
}

/*
 * Three slots of four begin an epoch with huge pages in their first PMDs: a first touch of each is what makes a huge page,
 * and once a PMD is split only a new mapping or a collapse brings it back.
 */
static void populate(struct lane *l)
{
	struct crew_ctl *ctl = l->ex->ctl;
	struct rng r;

	rng_init(&r, l->ex->plan->seed, ctl->index, STREAM_POPULATE + l->env.proc,
		atomic_load(&ctl->round));
	for (unsigned int i = 0; i < ctl->nslots; i++) {
		const struct slot *s = &ctl->slot[i];
		uint32_t most =
			POPULATE_PMDS * (s->granule > s->pmd_pages ? s->granule : s->pmd_pages);

		if (s->present && rng_below(&r, 4))
			cells_touch(&l->cells, i, (unsigned int)rng_below(&r, s->nviews), 0,
				s->pages < most ? s->pages : most, ctl->space[i].cells_per_chunk,
				CELL_WRITE);
	}
}

/* Work between rounds is watched for progress as an op is. */
static void work_begin(struct lane *l, unsigned int what)
{
	l->cells.op = (uint8_t)what;
	l->cells.op_index = 0;
	atomic_store_explicit(&l->ctl->op, what, memory_order_relaxed);
	atomic_store_explicit(&l->ctl->op_start, clock_ticks(), memory_order_release);
}

static void work_end(struct lane *l)
{
	atomic_store_explicit(&l->ctl->op_start, 0, memory_order_release);
	atomic_store_explicit(&l->ctl->op, LANE_IDLE, memory_order_relaxed);
}

static void pin(const struct lane *l)
{
	size_t size = CPU_ALLOC_SIZE(MACHINE_MAX_CPUS);
	cpu_set_t *set;

	if (l->plan->cpu < 0 || !(set = CPU_ALLOC(MACHINE_MAX_CPUS)))
		return;
	CPU_ZERO_S(size, set);
	CPU_SET_S((size_t)l->plan->cpu, size, set);
	if (sched_setaffinity(0, size, set) < 0 && errno != EINVAL)
		executor_fail(l->ex->ctl, errno, "pinning a lane to its CPU");
	CPU_FREE(set); /* EINVAL: that CPU went offline; the lane runs where it may */
}

static void phase_map(struct lane *l)
{
	work_begin(l, LANE_RENEWS);
	if (l->ex->plan->fed)
		draw(l, atomic_load_explicit(&l->ex->ctl->round, memory_order_relaxed));
	syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0);
	tail_forget(&l->cells);
	if (l->ex->ctl->scarcity || l->ex->uses)
		pin(l); /* a CPU that went offline has let go of it */
	if (l->first_of_proc) {
		if (l->ex->plan->fed) /* until now the memory was our own (executor.c) */
			prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
		map_process(l);
		for (unsigned int i = 0; i < l->env.ngears; i++)
			if (l->env.gear[i].gear->begin)
				l->env.gear[i].gear->begin(&l->env, l->env.gear[i].state);
		if (!l->ex->plan->fed)
			populate(l);
		if (!l->ex->ctl->unlooked)
			looks_begin(l);
	}
	work_end(l);
}

static void phase_state(struct lane *l)
{
	if (!l->first_of_proc)
		return;
	work_begin(l, LANE_PROBES);
	state_take(l);
	work_end(l);
}

static void phase_sweep(struct lane *l)
{
	struct crew_ctl *ctl = l->ex->ctl;
	uint64_t n = 0;

	work_begin(l, LANE_SWEEPS);
	for (unsigned int i = 0; i < ctl->nslots; i++)
		if (ctl->slot[i].present)
			n += cells_sweep(&l->cells, i, (unsigned int)l->cells.round + l->no);
	work_end(l);
	bump(&l->ctl->swept, n);
	publish_counts(l);
}

/* Checks that take nothing in and touch no slot: what one process finds, the others do not disturb. */
static void phase_probe(struct lane *l)
{
	if (!l->first_of_proc)
		return;
	work_begin(l, LANE_PROBES);
	for (unsigned int i = 0; i < l->env.ngears; i++)
		if (l->env.gear[i].gear->check)
			l->env.gear[i].gear->check(&l->env, l->env.gear[i].state);
	work_end(l);
	publish_counts(l);
}

/* Whatever holds pages lets go of them, so that only mappings are left. */
static void phase_loose(struct lane *l)
{
	work_begin(l, LANE_RENEWS);
	looks_settle();
	for (unsigned int i = 0; l->first_of_proc && i < l->env.ngears; i++)
		if (l->env.gear[i].gear->end)
			l->env.gear[i].gear->end(&l->env, l->env.gear[i].state);
	work_end(l);
}

static void phase_look(struct lane *l)
{
	if (!l->first_of_proc)
		return;
	work_begin(l, LANE_PROBES);
	looks_take(l);
	work_end(l);
}

/* One lane of the crew, each epoch another process's. */
static void phase_try(struct lane *l)
{
	struct crew_ctl *ctl = l->ex->ctl;

	if (!l->first_of_proc || atomic_load_explicit(&ctl->round, memory_order_relaxed) /
						 l->ex->plan->epoch_rounds % ctl->nprocs !=
					 l->env.proc)
		return;
	work_begin(l, LANE_PROBES);
	looks_try(l);
	work_end(l);
}

/* Nothing of the slots stays mapped or locked in this process. */
static void phase_bare(struct lane *l)
{
	struct crew_ctl *ctl = l->ex->ctl;

	if (!l->first_of_proc)
		return;
	work_begin(l, LANE_RENEWS);
	munlockall();
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	for (unsigned int i = 0; i < ctl->nslots; i++) {
		const struct slot *s = &ctl->slot[i];

		for (unsigned int v = 0; s->present && v < s->nviews; v++)
			munmap((void *)s->view[v], s->spec.size);
		if (s->present)
			slot_bare(s);
	}
	munmap((void *)SLOT_LOW, (size_t)PROGRAM_MAX_LANES * SLOT_LOW_STRIDE);
	if (ctl->unlooked)
		looks_pass(l);
	else
		looks_bare(l);
	work_end(l);
}

/* ---- what comes next: decided by the last lane to arrive, alone ---- */

static void renew(struct lane *l)
{
	struct crew_ctl *ctl = l->ex->ctl;

	work_begin(l, LANE_RENEWS);
	for (unsigned int i = 0; i < ctl->nslots; i++) {
		int r;

		if (!ctl->slot[i].present)
			continue;
		r = slot_empty(&ctl->slot[i]);
		if (r < 0)
			executor_fail(ctl, -r, "emptying a slot");
		space_reset(&ctl->space[i]);
	}
	scarcity_over(ctl);
	for (unsigned int p = 0; p < ctl->nprocs; p++)
		atomic_store_explicit(&ctl->locked[p], false, memory_order_relaxed);
	work_end(l);
}

/* Waits for the supervisor, which has asked for it. */
static void come_to_rest(struct crew_ctl *ctl, uint64_t spin)
{
	uint64_t until = clock_ticks() + spin;
	uint32_t wanted = REST_WANTED;

	if (!atomic_compare_exchange_strong(&ctl->rest, &wanted, REST_REACHED))
		return;
	syscall(SYS_futex, &ctl->rest, FUTEX_WAKE, INT_MAX, NULL, NULL, 0); /* crew_wait() */
	while (ctl->yields && atomic_load(&ctl->rest) == REST_REACHED && clock_ticks() < until)
		sched_yield();
	while (atomic_load(&ctl->rest) == REST_REACHED)
		syscall(SYS_futex, &ctl->rest, FUTEX_WAIT, REST_REACHED, NULL, NULL, 0);
}

/* Whatever changes a slot, or may, marks it first. */
static bool is_untouched(const struct crew_ctl *ctl)
{
	for (unsigned int i = 0; i < ctl->nslots; i++)
		for (uint32_t k = 0; ctl->slot[i].present && k < ctl->space[i].nchunks; k++)
			if (atomic_load_explicit(&ctl->space[i].dirty[k], memory_order_relaxed))
				return false;
	return true;
}

/* What follows an epoch's last round: of a fed crew, only what has something to do. */
static enum crew_phase after_rounds(const struct lane *l)
{
	struct crew_ctl *ctl = l->ex->ctl;

	if (l->ex->plan->fed)
		atomic_store_explicit(&ctl->untouched, is_untouched(ctl), memory_order_relaxed);
	if (l->ex->plan->fed && ctl->unlooked && !l->env.ngears &&
		atomic_load_explicit(&ctl->untouched, memory_order_relaxed))
		return PHASE_BARE;
	return ctl->wants_state ? PHASE_STATE : PHASE_SWEEP;
}

static bool limit_reached(const struct lane *l)
{
	const struct crew_ctl *ctl = l->ex->ctl;

	return atomic_load_explicit(&ctl->stop, memory_order_acquire) ||
	       (l->ex->plan->rounds && atomic_load_explicit(&ctl->round, memory_order_relaxed) >=
					       l->ex->plan->rounds);
}

static void release_round(struct lane *l)
{
	struct crew_ctl *ctl = l->ex->ctl;
	const struct plan *p = l->ex->plan;
	uint64_t margin;

	meets_open(ctl);
	grant_wait(ctl, p->seed, p->first_crew + ctl->index,
		atomic_load_explicit(&ctl->round, memory_order_relaxed));
	margin = atomic_load_explicit(&ctl->sleepers, memory_order_relaxed) ? RELEASE_ASLEEP_NS
									    : RELEASE_NS;
	atomic_store_explicit(
		&ctl->deadline, clock_ticks() + clock_from_ns(margin), memory_order_relaxed);
	atomic_store_explicit(&ctl->phase, PHASE_RUN, memory_order_relaxed);
}

static void decide(void *arg)
{
	struct lane *l = arg;
	struct crew_ctl *ctl = l->ex->ctl;
	uint64_t round = atomic_load_explicit(&ctl->round, memory_order_relaxed);

	switch (atomic_load_explicit(&ctl->phase, memory_order_relaxed)) {
	case PHASE_STATE:
		atomic_store_explicit(&ctl->phase, PHASE_SWEEP, memory_order_relaxed);
		return;
	case PHASE_SWEEP:
		atomic_store_explicit(&ctl->phase,
			ctl->unlooked && !l->env.ngears ? PHASE_BARE : PHASE_PROBE,
			memory_order_relaxed);
		return;
	case PHASE_PROBE:
		atomic_store_explicit(&ctl->phase, PHASE_LOOSE, memory_order_relaxed);
		return;
	case PHASE_LOOSE:
		atomic_store_explicit(
			&ctl->phase, ctl->unlooked ? PHASE_BARE : PHASE_LOOK, memory_order_relaxed);
		return;
	case PHASE_LOOK:
		atomic_store_explicit(&ctl->phase, PHASE_TRY, memory_order_relaxed);
		return;
	case PHASE_TRY:
		atomic_store_explicit(&ctl->phase, PHASE_BARE, memory_order_relaxed);
		return;
	case PHASE_BARE:
		renew(l);
		come_to_rest(ctl, l->ex->spin);
		atomic_store_explicit(&ctl->phase, limit_reached(l) ? PHASE_END : PHASE_MAP,
			memory_order_relaxed);
		return;
	case PHASE_MAP:
		release_round(l);
		return;
	default: /* a round has ended */
		overlap_count(ctl);
		meets_count(ctl);
		atomic_store_explicit(&ctl->round, ++round, memory_order_relaxed);
		atomic_store_explicit(&ctl->rounds_done, atomic_load(&ctl->rounds_done) + 1,
			memory_order_relaxed);
		if (limit_reached(l) || round % l->ex->plan->epoch_rounds == 0)
			atomic_store_explicit(&ctl->phase, after_rounds(l), memory_order_relaxed);
		else
			release_round(l);
	}
}

/*
 * A lane that preempts has SCHED_FIFO while rounds run and nowhere else: its sweeps and renewals are long. The kernel's own
 * throttling (sched_rt_runtime_us) bounds what its ops can take.
 */
static void set_preempting(struct lane *l, bool on)
{
	struct sched_param param = {.sched_priority = on ? 1 : 0};

	if (l->plan->preempt == false || l->preempting == on)
		return;
	if (sched_setscheduler(0, (on ? SCHED_FIFO : SCHED_OTHER) | SCHED_RESET_ON_FORK, &param) <
		0)
		executor_fail(l->ex->ctl, errno, "SCHED_FIFO for a lane");
	l->preempting = on;
}

void *lane_main(void *arg)
{
	struct lane *l = arg;
	struct crew_ctl *ctl = l->ex->ctl;
	char name[16];

	snprintf(name, sizeof(name), "lane%u.%u", ctl->index, l->no);
	prctl(PR_SET_NAME, name);
	pin(l);
	cells_set_current(&l->cells);
	fail_open(l);
	coverage_open(l);
	atomic_store_explicit(&l->ctl->tid, (int)syscall(SYS_gettid), memory_order_relaxed);
	atomic_store_explicit(&l->ctl->op, LANE_IDLE, memory_order_relaxed);
	atomic_store_explicit(&l->ctl->state, LANE_WAITING, memory_order_relaxed);
	draw(l, ctl->first_round);
	for (;;) {
		barrier_arrive(ctl, l->plan->preempt ? 0 : l->ex->spin, decide, l);
		set_preempting(
			l, atomic_load_explicit(&ctl->phase, memory_order_relaxed) == PHASE_RUN);
		switch (atomic_load_explicit(&ctl->phase, memory_order_relaxed)) {
		case PHASE_RUN:
			phase_run(l);
			break;
		case PHASE_MAP:
			phase_map(l);
			break;
		case PHASE_STATE:
			phase_state(l);
			break;
		case PHASE_SWEEP:
			phase_sweep(l);
			break;
		case PHASE_PROBE:
			phase_probe(l);
			break;
		case PHASE_LOOSE:
			phase_loose(l);
			break;
		case PHASE_LOOK:
			phase_look(l);
			break;
		case PHASE_TRY:
			phase_try(l);
			break;
		case PHASE_BARE:
			phase_bare(l);
			break;
		default:
			atomic_store_explicit(&l->ctl->state, LANE_ENDED, memory_order_relaxed);
			return NULL;
		}
	}
}
