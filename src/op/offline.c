/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that the kernel is told to do without: soft offline moves what is in them elsewhere, hwpoison takes them as they are, and who reads
 * them gets SIGBUS. The page itself is lost to the machine until it is told otherwise. Where the kernel can be told
 * (hwpoison-inject), all that a process took away goes back when an epoch begins, once nothing of a slot is mapped any more.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "mem/cell.h"
#include "op/op.h"
#include "backings.h"
#include "offline.h"
#include "result.h"
#include "steps.h"
#include "uapi.h"

#define UNPOISON "/sys/kernel/debug/hwpoison/unpoison-pfn"
#define PM_PRESENT (1ULL << 63)
#define PM_PFN ((1ULL << 55) - 1)
#define KPF_HWPOISON (1ULL << 19)

/* In an epoch, or for good where nothing gives them back. */
enum { LOST_MAX = 512 };

struct offline_state {
	int flags_fd, unpoison_fd; /* -1: not there */
	_Atomic uint32_t taken; /* calls that may have taken a page */
	uint64_t
		pfn[LOST_MAX]; /* [taken], 0: none; each written by the lane that took the number */
};

static int open_state(const struct op_env *e, void **ret)
{
	struct offline_state *st = calloc(1, sizeof(*st));

	(void)e;
	if (!st)
		return -ENOMEM;
	st->flags_fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	st->unpoison_fd = open(UNPOISON, O_WRONLY | O_CLOEXEC);
	*ret = st;
	return 0;
}

static bool is_poisoned(const struct offline_state *st, uint64_t pfn)
{
	uint64_t flags;

	return pread(st->flags_fd, &flags, sizeof(flags), (off_t)(pfn * sizeof(flags))) ==
		       sizeof(flags) &&
	       (flags & KPF_HWPOISON);
}

/* Only pages of our own doing: what the machine itself has found bad stays away (mm/memory-failure.c, hw_memory_failure). */
static void give_back(struct offline_state *st)
{
	uint32_t n = atomic_load_explicit(&st->taken, memory_order_relaxed);
	char text[32];

	if (st->unpoison_fd < 0 || st->flags_fd < 0)
		return;
	for (uint32_t i = 0; i < n && i < LOST_MAX; i++) {
		int len = snprintf(text, sizeof(text), "0x%llx\n", (unsigned long long)st->pfn[i]);

		if (st->pfn[i] && is_poisoned(st, st->pfn[i]) &&
			write(st->unpoison_fd, text, (size_t)len) < 0)
			continue; /* somebody else holds it: lost */
		st->pfn[i] = 0;
	}
	atomic_store_explicit(&st->taken, 0, memory_order_relaxed);
}

static void begin_state(struct op_env *e, void *state)
{
	(void)e;
	give_back(state);
}

static void close_state(void *state)
{
	struct offline_state *st = state;

	give_back(st);
	if (st->flags_fd >= 0)
		close(st->flags_fd);
	if (st->unpoison_fd >= 0)
		close(st->unpoison_fd);
	free(st);
}

const struct gear gear_offline = {
	.name = "offlined pages",
	.open = open_state,
	.begin = begin_state,
	.close = close_state,
};

static uint64_t pfn_of(const struct op_env *e, uintptr_t addr, unsigned int page_shift)
{
	uint64_t entry;

	if (pread(e->pagemap_fd, &entry, sizeof(entry),
		    (off_t)(addr >> page_shift) * (off_t)sizeof(entry)) != sizeof(entry))
		return 0;
	return entry & PM_PRESENT ? entry & PM_PFN : 0;
}

static const struct arg_desc range_args[] = {ARGS_RANGE, {.kind = ARG_END}};

/* The page's frame, faulted in if need be: what cannot be named cannot be given back. 0: none. */
static uint64_t frame_of(const struct op_env *e, uintptr_t addr, unsigned int page_shift)
{
	uint64_t pfn = pfn_of(e, addr, page_shift);

	if (pfn || madvise((void *)addr, (size_t)1 << page_shift, MADV_POPULATE_READ) < 0)
		return pfn;
	return pfn_of(e, addr, page_shift);
}

/* One page, at addr: each costs one. EBUSY also when there were enough, or no page can be had. */
static long take_away(struct op_env *e, const struct slot *s, uintptr_t addr, int advice)
{
	struct offline_state *st = gear_of(e, &gear_offline);
	uint32_t n = atomic_fetch_add_explicit(&st->taken, 1, memory_order_relaxed);

	if (n >= LOST_MAX)
		return -EBUSY;
	st->pfn[n] = frame_of(e, addr, s->page_shift);
	if (!st->pfn[n])
		return -EBUSY;
	return result_of(madvise((void *)addr, (size_t)1 << s->page_shift, advice));
}

/* The first page of the range alone. */
static long run_soft_offline(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return take_away(e, s.slot, s.addr, MADV_SOFT_OFFLINE);
}

static const struct op_errno errnos_soft_offline[] = {
	{EBUSY, WHEN_ALWAYS}, /* in use, cannot be moved or split */
	{EIO, WHEN_ALWAYS}, /* the same, and the zero page */
	{ENOMEM, WHEN_ALWAYS}, /* no page to move to */
	{EAGAIN, WHEN_ALWAYS},
	{EFAULT, WHEN_HOLE | WHEN_SHORT},
	{EOPNOTSUPP, WHEN_ALWAYS}, /* vm.enable_soft_offline */
	{0, 0},
};

const struct op op_madvise_soft_offline = {
	.name = "madvise_soft_offline",
	.help = "MADV_SOFT_OFFLINE: moves what is in a page elsewhere and takes the page away",
	.exercises = "madvise_inject_error soft_offline_page soft_offline_in_use_page "
		     "try_to_split_thp_page migrate_pages page_handle_poison",
	.hazard = HAZARD_DESTRUCTIVE,
	.weight = 2,
	/* Not hugetlb: the pool would shrink for good. */
	.backings = BACKINGS_BASE,
	.needs = {CAP_HAS_SOFT_OFFLINE, CAP_HAS_PAGEMAP, CAP_HAS_MADV_POPULATE},
	.nneeds = 3,
	.gear = &gear_offline,
	.args = range_args,
	.errnos = errnos_soft_offline,
	.run = run_soft_offline,
};

/* ---- hwpoison ---- */

enum { ARG_HOLD = 4, HOLD_MAX = 200000 };

static const struct arg_desc hold_args[] = {
	ARGS_RANGE,
	{"hold", ARG_NS, HOLD_MAX, NULL, "how long it stays so"},
	{.kind = ARG_END},
};

/* The kernel tells the caller with SIGBUS, whether or not it could take the page away (mm/memory-failure.c, kill_procs). */
static long poison(struct op_env *e, const struct op_span *s, uint32_t page)
{
	long r;

	e->cells->poisons = true;
	r = take_away(
		e, s->slot, s->addr + ((uintptr_t)page << s->slot->page_shift), MADV_HWPOISON);
	e->cells->poisons = false;
	return r;
}

/* Fresh pages, a huge one where that may be: the one in their middle goes, and at last all of them. */
static long run_hwpoison(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct effect_run fx;
	long r, again;

	s.pages = s.pages < s.slot->pmd_pages ? s.pages : s.slot->pmd_pages;
	s.len = (size_t)s.pages << s.slot->page_shift;
	effect_now(e, &fx, &s,
		EFFECT_BUS | EFFECT_HOLE | EFFECT_MAPPED | EFFECT_UNGUARDED | EFFECT_KEPT |
			EFFECT_VMA_SPLIT | EFFECT_ZEROED | EFFECT_SIZED);
	r = slot_map(s.slot, s.view, s.page, s.pages, 0);
	if (r == 0)
		r = result_of(madvise((void *)s.addr, s.len, MADV_POPULATE_WRITE));
	if (r == 0)
		r = poison(e, &s, s.pages / 2);
	if (r == 0)
		clock_spin_until(clock_ticks() + clock_from_ns(c->arg[ARG_HOLD]));
	again = slot_map(s.slot, s.view, s.page, s.pages, 0);
	effect_done(e, &fx, again == 0);
	return r < 0 ? r : again;
}

static const struct op_errno errnos_hwpoison[] = {
	{EBUSY, WHEN_ALWAYS}, /* in use, cannot be split, or unmapped meanwhile */
	{EHWPOISON, WHEN_ALWAYS}, /* so it was already */
	{EIO, WHEN_ALWAYS},
	{EAGAIN, WHEN_ALWAYS},
	{ENOMEM, WHEN_ALWAYS},
	{EFAULT, WHEN_ALWAYS}, /* another lane has unmapped it meanwhile */
	{EINVAL, WHEN_ALWAYS}, /* the same, to MADV_POPULATE_WRITE */
	{0, 0},
};

const struct op op_madvise_hwpoison = {
	.name = "madvise_hwpoison",
	.help = "maps a range anew, has MADV_HWPOISON take its middle page for broken for a while, "
		"maps it anew",
	.exercises = "madvise_inject_error memory_failure try_to_split_thp_page "
		     "hwpoison_user_mappings collect_procs "
		     "kill_procs try_to_unmap me_swapcache_clean unpoison_memory",
	.hazard = HAZARD_DESTRUCTIVE,
	.weight = 1,
	.backings = 1 << BACKING_ANON,
	.needs = {CAP_HAS_SOFT_OFFLINE, CAP_HAS_PAGEMAP, CAP_HAS_MADV_POPULATE},
	.nneeds = 3,
	.gear = &gear_offline,
	.args = hold_args,
	.errnos = errnos_hwpoison,
	.run = run_hwpoison,
};
