/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UFFDIO_MOVE and UFFDIO_POISON. A cell belongs to its place: what is moved away comes back, as with mremap, and is watched at its other
 * place; what is poisoned is mapped anew.
 */
#include "uffd.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backings.h"
#include "base/clock.h"
#include "mem/cell.h"
#include "result.h"
#include "steps.h"

enum { ARG_HOLD = 4, HOLD_MAX = 200000, POISON_PAGES = 512 };
enum { MOVE_LIMIT_US = 200000, MOVE_STACK = 16384 };

static const struct arg_desc hold_args[] = {
	ARGS_RANGE,
	{"hold", ARG_NS, HOLD_MAX, NULL, "how long it stays so"},
	{.kind = ARG_END},
};

static long do_register(const struct op_env *e, uintptr_t addr, size_t len)
{
	struct uffdio_register reg = {.range = {addr, len}, .mode = UFFDIO_REGISTER_MODE_MISSING};

	return result_of(ioctl(uffd_fd(e, UFFD_PLAIN), UFFDIO_REGISTER, &reg));
}

struct mover {
	int fd;
	struct uffdio_move move;
	long r;
};

static void move_now(struct mover *m)
{
	m->r = result_of(ioctl(m->fd, UFFDIO_MOVE, &m->move));
}

/* The end of its time ends the process: the one signal that the kernel's loop heeds is a fatal one. */
static int move_for_a_while(void *arg)
{
	const struct itimerval limit = {.it_value.tv_usec = MOVE_LIMIT_US};
	sigset_t none;

	sigemptyset(&none);
	signal(SIGALRM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setitimer(ITIMER_REAL, &limit, NULL) == 0)
		move_now(arg);
	_exit(0);
}

/*
 * In a process of its own on the same memory, which can be ended: UFFDIO_MOVE of a part of a huge page that somebody else holds never returns on
 * kernels without CAP_HAS_UFFD_MOVE_HELD (docs/found.md). Somebody always may: a fixed buffer, a pipe, a migration that waits for the mmap lock
 * behind one who waits for the mover.
 */
static void move_apart(struct mover *m)
{
	char stack[MOVE_STACK] __attribute__((aligned(16)));
	int status = 0;
	pid_t pid;

	m->r = -EAGAIN; /* as it stays when it was ended: a part may have moved */
	pid = clone(move_for_a_while, stack + sizeof(stack),
		CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, m);
	if (pid < 0)
		m->r = -errno;
	while (pid > 0 && waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
}

static long do_move(const struct op_env *e, uintptr_t to, uintptr_t from, size_t len)
{
	struct mover m = {.fd = uffd_fd(e, UFFD_PLAIN),
		.move = {.dst = to,
			.src = from,
			.len = len,
			.mode = UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES}};

	if (caps_missing(CAP_HAS_UFFD_MOVE_HELD))
		move_apart(&m);
	else
		move_now(&m);
	return m.r;
}

/* ---- move ---- */

/* Where nobody writes: a change there came through a stale translation of the old address. */
static void watch(struct op_env *e, const struct op_span *s, uint32_t ns)
{
	uintptr_t base = slot_spare(s->slot, e->lane);
	uint64_t before = cells_sum_at(e->cells, s->slot_no, base, s->page, s->pages), after;

	cells_check_at(e->cells, s->slot_no, base, s->page, s->pages);
	clock_spin_until(clock_ticks() + clock_from_ns(ns));
	after = cells_sum_at(e->cells, s->slot_no, base, s->page, s->pages);
	if (before && after && before != after)
		cells_report(
			e->cells, EVIDENCE_FROZEN, s->slot_no, s->view, s->page, before, after);
}

/* There and back. What others have touched meanwhile is in the way (EEXIST): that stays, and what was moved is dropped. */
static long there_and_back(
	struct op_env *e, const struct op_call *c, const struct op_span *s, uintptr_t spare)
{
	long r = do_register(e, spare, s->len), back;

	if (r == 0)
		r = do_register(e, s->addr, s->len);
	if (r < 0)
		return r;
	r = do_move(e, spare, s->addr, s->len);
	if (r < 0 && r != -EAGAIN)
		return r;
	if (r == 0)
		watch(e, s, c->arg[ARG_HOLD]);
	back = do_move(e, s->addr, spare, s->len);
	return r < 0 ? r : back;
}

static long run_move(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uintptr_t spare = slot_spare(s.slot, e->lane) + ((uintptr_t)s.page << s.slot->page_shift);
	struct effect_run fx;
	long r = slot_map_at(s.slot, spare, s.page, s.pages, 0);

	if (r < 0)
		return r;
	effect_now(e, &fx, &s, EFFECT_ZERO | EFFECT_STALE | EFFECT_WP_LIFT | EFFECT_VMA_SPLIT);
	r = there_and_back(e, c, &s, spare);
	effect_done(e, &fx, r == 0);
	munmap((void *)spare, s.len);
	return r;
}

static const struct op_errno errnos_move[] = {
	{EEXIST, WHEN_ALWAYS}, /* others touched it meanwhile */
	{ENOENT, WHEN_HOLE | WHEN_SPLIT},
	{EINVAL, WHEN_HOLE | WHEN_SPLIT | WHEN_LOCKED}, /* not one VMA, or not like the other */
	{EBUSY, WHEN_ALWAYS}, /* pinned, or shared with a child; the other descriptor's */
	{EAGAIN, WHEN_ALWAYS}, /* done in part */
	{EFAULT, WHEN_ALWAYS}, /* markers, and entries of devices */
	{EDEADLK, WHEN_ALWAYS},
	{ENOMEM, WHEN_ALWAYS},
	{0, 0},
};

const struct op op_uffd_move = {
	.name = "uffd_move",
	.help = "UFFDIO_MOVE: moves a range's pages to the lane's spare room, watches them there, "
		"moves them back",
	.exercises = "userfaultfd_move move_pages move_pages_huge_pmd move_pages_pte "
		     "move_present_pte move_swap_pte split_folio",
	.weight = 2,
	.backings = 1 << BACKING_ANON,
	.needs = {CAP_HAS_UFFD_KERNEL, CAP_HAS_UFFD_MOVE},
	.nneeds = 2,
	.wants = {CAP_HAS_UFFD_MOVE_HELD},
	.nwants = 1,
	.gear = &gear_uffd,
	.args = hold_args,
	.errnos = errnos_move,
	.run = run_move,
};

/* ---- poison ---- */

static bool is_private(const struct op_span *s)
{
	return backing_in(s->slot, BACKINGS_PRIVATE);
}

/* A short range: whoever reaches it meanwhile gets SIGBUS, and in shared memory may until the epoch ends, for all that the model knows. */
static struct op_span short_range(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	if (s.slot->granule == 1 && s.pages > POISON_PAGES)
		s.pages = POISON_PAGES;
	s.len = (size_t)s.pages << s.slot->page_shift;
	return s;
}

static long run_poison(struct op_env *e, const struct op_call *c)
{
	struct op_span s = short_range(e, c);
	struct uffdio_poison poison = {.range = {s.addr, s.len}};
	struct effect_run fx;
	long r, again;

	fx.eff[0] = op_effect(&s, EFFECT_BUS | EFFECT_HOLE | EFFECT_MAPPED | EFFECT_UNGUARDED |
					  EFFECT_KEPT | EFFECT_VMA_SPLIT |
					  (is_private(&s) ? EFFECT_ZEROED | EFFECT_SIZED : 0));
	/* Mapping a hugetlb file may make it longer. */
	fx.eff[1] = fx.eff[0];
	fx.eff[1].kinds = EFFECT_RESIZED;
	fx.eff[1].pages += fx.eff[1].page;
	fx.eff[1].page = 0;
	fx.n = backing_in(s.slot, BACKINGS_HUGETLB & BACKINGS_SHARED) ? 2 : 1;
	effects_begin(e->cells->space, e->nslots, e->proc, &fx);
	r = slot_map(s.slot, s.view, s.page, s.pages, 0);
	if (r == 0)
		r = do_register(e, s.addr, s.len);
	if (r == 0)
		r = result_of(ioctl(uffd_fd(e, UFFD_PLAIN), UFFDIO_POISON, &poison));
	if (r == 0)
		clock_spin_until(clock_ticks() + clock_from_ns(c->arg[ARG_HOLD]));
	again = slot_map(s.slot, s.view, s.page, s.pages, 0);
	effect_done(e, &fx, again == 0);
	return r < 0 ? r : again;
}

static const struct op_errno errnos_poison[] = {
	{EEXIST, WHEN_ALWAYS}, /* another was faster */
	{ENOENT, WHEN_ALWAYS}, /* mapped anew by another */
	{EAGAIN, WHEN_ALWAYS}, /* done in part */
	{ENOMEM, WHEN_ALWAYS},
	{EFAULT, WHEN_SHORT},
	{EBUSY, WHEN_SPLIT},
	{EINVAL, WHEN_HOLE | WHEN_UNALIGNED},
	{0, 0},
};

const struct op op_uffd_poison = {
	.name = "uffd_poison",
	.help = "maps a range anew, has UFFDIO_POISON raise SIGBUS there for a while, maps it anew",
	.exercises = "userfaultfd_poison mfill_atomic_poison mfill_atomic_pte_poison "
		     "hugetlb_mfill_atomic_pte handle_pte_marker",
	.weight = 1,
	.backings = 1 << BACKING_ANON | BACKINGS_SHMEM | BACKINGS_HUGETLB,
	.needs = {CAP_HAS_UFFD_KERNEL, CAP_HAS_UFFD_POISON},
	.nneeds = 2,
	.gear = &gear_uffd,
	.args = hold_args,
	.errnos = errnos_poison,
	.run = run_poison,
};
