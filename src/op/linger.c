/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Children that outlive the op that forked them: pages that they share with their parent, or have copies of, stay mapped while
 * the parent unmaps, moves and drops them. Each lane has one child at most. It looks again when the op is called next or its
 * time is over, reports into a ring of its own, and never lives beyond the epoch.
 */
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mem/cell.h"
#include "op/op.h"
#include "backings.h"
#include "result.h"
#include "uapi.h"

enum { ARG_HOW = 4, ARG_LIVE };
enum { LIVE_MAX_NS = 100000000, POLL_NS = 50000000 };
enum { NOTES = 32 }; /* pages that a child remembers */

static const struct arg_word how_words[] = {
	{"read", CELL_READ},
	{"write", CELL_WRITE},
	{"rmw", CELL_RMW},
	{NULL, 0},
};

enum stage { STAGE_FORKED, STAGE_READY, STAGE_RELEASED };

/* Shared by a lane and its child. */
struct linger_lane {
	_Atomic uint32_t stage; /* enum stage; futex word */
	struct evidence_ring ring; /* written by the child alone */
};

struct linger_state {
	struct linger_lane *lane; /* [SPACE_MAX_LANES], shared with children */
	_Atomic pid_t pid[SPACE_MAX_LANES]; /* 0: none */
};

/* ---- in the child ---- */

struct note {
	uint32_t page;
	bool readable[SPACE_MAX_LANES];
	uint64_t value[SPACE_MAX_LANES];
};

struct memory {
	struct op_span span;
	unsigned int n;
	struct note note[NOTES];
};

/* Waits until *word is no longer `value`, or ns have passed. */
static void wait_word(_Atomic uint32_t *word, uint32_t value, uint32_t ns)
{
	struct timespec t = {.tv_sec = 0, .tv_nsec = ns};

	syscall(SYS_futex, word, FUTEX_WAIT, value, &t, NULL, 0);
}

static void set_stage(struct linger_lane *l, enum stage s)
{
	atomic_store_explicit(&l->stage, s, memory_order_release);
	syscall(SYS_futex, &l->stage, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void remember(struct op_env *e, struct memory *m)
{
	uint32_t step = m->span.pages / NOTES + 1;

	for (uint32_t i = 0; i < m->span.pages && m->n < NOTES; i += step) {
		struct note *n = &m->note[m->n++];

		n->page = m->span.page + i;
		for (unsigned int l = 0; l < e->cells->nlanes; l++)
			n->readable[l] = cells_peek(e->cells, m->span.slot_no, m->span.view,
				n->page, cell_byte(l), &n->value[l]);
	}
}

/*
 * Private memory of a child is its own: nothing that the parent does since changes it. Only hugetlb takes pages away from a child,
 * when the parent needs one and the pool is empty (unmap_ref_private()); what is left there then is nothing, never other data.
 */
static void compare(struct op_env *e, const struct memory *m)
{
	const struct op_span *s = &m->span;

	for (unsigned int i = 0; i < m->n; i++) {
		const struct note *n = &m->note[i];

		for (unsigned int l = 0; l < e->cells->nlanes; l++) {
			uint64_t now;

			if (!n->readable[l])
				continue;
			if (!cells_peek(e->cells, s->slot_no, s->view, n->page, cell_byte(l), &now))
				now = 0;
			if (now != n->value[l] && (now || !backing_in(s->slot, BACKINGS_HUGETLB)))
				cells_report(e->cells, EVIDENCE_CHILD, s->slot_no, s->view, n->page,
					n->value[l], now);
		}
	}
}

static _Noreturn void child(struct op_env *e, const struct op_call *c, struct linger_lane *l)
{
	struct memory m = {.span = op_range(e, c)};
	bool private = backing_in(m.span.slot, BACKINGS_PRIVATE);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	syscall(SYS_close_range, 3U, ~0U, 0U); /* what the parent closes must close */
	e->cells->child = true;
	cells_touch(e->cells, m.span.slot_no, m.span.view, m.span.page, m.span.pages, 1,
		(enum cell_how)how_words[c->arg[ARG_HOW]].value);
	if (private)
		remember(e, &m);
	e->cells->ring = &l->ring;
	set_stage(l, STAGE_READY); /* from here on the lane runs too */
	wait_word(&l->stage, STAGE_READY, c->arg[ARG_LIVE]);
	if (private)
		compare(e, &m);
	else
		cells_check_all(e->cells, m.span.slot_no, m.span.view, m.span.page, m.span.pages,
			m.span.pages / NOTES + 1);
	_exit(0);
}

/* ---- in the executor ---- */

static long result_of_child(int status)
{
	if (!WIFSIGNALED(status))
		return 0;
	return WTERMSIG(status) == SIGKILL ? -ENOMEM : -ENOTRECOVERABLE;
}

/* Ends the lane's child, if it has one, and passes on what it found. e: whose ring is free to write. */
static long end_child(struct op_env *e, struct linger_state *st, unsigned int lane)
{
	pid_t pid = atomic_exchange_explicit(&st->pid[lane], 0, memory_order_relaxed);
	struct evidence ev;
	int status;

	if (pid <= 0)
		return 0;
	set_stage(&st->lane[lane], STAGE_RELEASED);
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	while (evidence_pop(&st->lane[lane].ring, &ev))
		evidence_push(e->cells->ring, &ev);
	return result_of_child(status);
}

/* Until the child has looked for the first time: its lane stands still. A child may be killed instead. */
static bool wait_ready(struct linger_lane *l, pid_t pid)
{
	int status;

	while (atomic_load_explicit(&l->stage, memory_order_acquire) == STAGE_FORKED) {
		if (waitpid(pid, &status, __WALL | WNOHANG) == pid)
			return false;
		wait_word(&l->stage, STAGE_FORKED, POLL_NS);
	}
	return true;
}

static int open_state(const struct op_env *e, void **ret)
{
	struct linger_state *st = calloc(1, sizeof(*st));
	void *p;

	if (!st)
		return -ENOMEM;
	p = mmap(NULL, SPACE_MAX_LANES * sizeof(*st->lane), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		free(st);
		return -ENOMEM;
	}
	st->lane = p;
	*ret = st;
	return 0;
}

static void end_state(struct op_env *e, void *state)
{
	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++)
		end_child(e, state, l);
}

static void close_state(void *state)
{
	struct linger_state *st = state;

	munmap(st->lane, SPACE_MAX_LANES * sizeof(*st->lane));
	free(st);
}

static const struct gear linger_gear = {
	.name = "lingering children",
	.open = open_state,
	.end = end_state,
	.close = close_state,
};

static const struct arg_desc args[] = {
	ARGS_RANGE,
	{"how", ARG_ENUM, 0, how_words, "the child's first access to the range"},
	{"live", ARG_NS, LIVE_MAX_NS, NULL, "longest time until it looks again and exits"},
	{.kind = ARG_END},
};

static long run(struct op_env *e, const struct op_call *c)
{
	struct linger_state *st = gear_of(e, &linger_gear);
	struct linger_lane *l = &st->lane[e->lane];
	struct op_span s = op_range(e, c);
	long r = end_child(e, st, e->lane);
	pid_t pid;

	if (r < 0)
		return r;
	atomic_store_explicit(&l->stage, STAGE_FORKED, memory_order_relaxed);
	cells_before_fork(e->cells, s.slot_no, s.page, s.pages);
	pid = _Fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(e, c, l);
	if (!wait_ready(l, pid))
		return -ENOMEM;
	atomic_store_explicit(&st->pid[e->lane], pid, memory_order_relaxed);
	return 0;
}

static void tune(struct op_call *c, struct rng *r)
{
	c->arg[ARG_LIVE] = LIVE_MAX_NS >> rng_below(r, 10);
}

static const struct op_errno errnos[] = {
	{EAGAIN, WHEN_ALWAYS}, /* limits on processes */
	{ENOMEM, WHEN_ALWAYS}, /* and a child that the OOM killer chose */
	{0, 0},
};

const struct op op_fork_linger = {
	.name = "fork_linger",
	.help = "forks a child that touches the range, lives on while its parent goes on, looks "
		"again and exits",
	.exercises = "copy_huge_pmd copy_hugetlb_page_range copy_pte_range anon_vma_fork "
		     "do_huge_pmd_wp_page hugetlb_wp unmap_ref_private rmap_walk exit_mmap",
	.hazard = HAZARD_SAFE,
	.weight = 2,
	.backings = BACKINGS_ALL,
	.gear = &linger_gear,
	.args = args,
	.errnos = errnos,
	.run = run,
	.tune = tune,
};
