/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locking in memory. VMAs of hugetlb are never locked, only populated (mm/mlock.c, mlock_fixup). Errors of the populating are
 * turned: EFAULT into ENOMEM, ENOMEM into EAGAIN (__mlock_posix_error_return). System calls by number: sanitizers turn the
 * functions of libc into nothing.
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "op/op.h"
#include "backings.h"
#include "result.h"
#include "uapi.h"

static unsigned int effects_lock(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	if (backing_in(s.slot, BACKINGS_HUGETLB))
		return 0;
	eff[0] = op_effect(&s, EFFECT_LOCKED | EFFECT_VMA_SPLIT);
	return 1;
}

static const struct op_errno errnos_lock[] = {
	{ENOMEM, WHEN_HOLE | WHEN_SHORT | WHEN_TIGHT | WHEN_SPLIT |
			 WHEN_UNPRIV}, /* UNPRIV: RLIMIT_MEMLOCK */
	{EAGAIN, WHEN_TIGHT},
	{0, 0},
};

static const struct arg_desc range_args[] = {ARGS_RANGE, {.kind = ARG_END}};

static long run_mlock(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return result_of(syscall(SYS_mlock, s.addr, s.len));
}

const struct op op_mlock = {
	.name = "mlock",
	.calls_only = true,
	.stays = true,
	.help = "locks a range in memory",
	.exercises = "mlock_fixup mlock_vma_pages_range mlock_pte_range __mm_populate mlock_folio",
	.weight = 4,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_MLOCK},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos_lock,
	.run = run_mlock,
	.effects = effects_lock,
	.undo = op_undo_by_munlock,
};

enum { LOCK_ARG_HOW = 4 };

static const struct arg_word lock_words[] = {
	{"onfault", MLOCK_ONFAULT},
	{"now", 0},
	{NULL, 0},
};

static const struct arg_desc mlock2_args[] = {
	ARGS_RANGE,
	{"how", ARG_ENUM, 0, lock_words, "pages as they are faulted in, or all now"},
	{.kind = ARG_END},
};

static long run_mlock2(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return result_of(
		syscall(SYS_mlock2, s.addr, s.len, lock_words[c->arg[LOCK_ARG_HOW]].value));
}

const struct op op_mlock2 = {
	.name = "mlock2",
	.calls_only = true,
	.stays = true,
	.help = "locks the pages of a range that are there, the rest as they come",
	.exercises = "mlock_fixup mlock_vma_pages_range mlock_pte_range mlock_new_folio",
	.weight = 3,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_MLOCK, CAP_HAS_MLOCK2},
	.nneeds = 2,
	.args = mlock2_args,
	.errnos = errnos_lock,
	.run = run_mlock2,
	.effects = effects_lock,
	.undo = op_undo_by_munlock,
};

static long run_munlock(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return result_of(syscall(SYS_munlock, s.addr, s.len));
}

static unsigned int effects_munlock(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_VMA_SPLIT);
	return 1;
}

static const struct op_errno errnos_munlock[] = {
	{ENOMEM, WHEN_HOLE | WHEN_SPLIT},
	{0, 0},
};

const struct op op_munlock = {
	.name = "munlock",
	.calls_only = true,
	.stays = true,
	.help = "unlocks a range",
	.exercises = "mlock_fixup mlock_vma_pages_range munlock_folio __split_vma",
	.weight = 5,
	.backings = BACKINGS_ALL,
	.args = range_args,
	.errnos = errnos_munlock,
	.run = run_munlock,
	.effects = effects_munlock,
};

/* ---- the whole process ---- */

static const struct arg_word all_words[] = {
	{"onfault", MCL_CURRENT | MCL_ONFAULT},
	{"current", MCL_CURRENT},
	{NULL, 0},
};

static const struct arg_desc all_args[] = {
	{"how", ARG_ENUM, 0, all_words, "pages as they are faulted in, or all now"},
	{.kind = ARG_END},
};

static long run_mlockall(struct op_env *e, const struct op_call *c)
{
	return result_of(syscall(SYS_mlockall, all_words[c->arg[0]].value));
}

/* Being locked counts for the whole process: one slot tells it. */
static unsigned int effects_mlockall(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	for (unsigned int i = 0; i < e->nslots; i++) {
		if (!e->slot[i].present)
			continue;
		eff[0] = (struct effect){EFFECT_LOCKED, (uint8_t)i, 0, 0, e->slot[i].pages};
		return 1;
	}
	return 0;
}

static const struct op_errno errnos_mlockall[] = {
	{ENOMEM, WHEN_UNPRIV}, /* RLIMIT_MEMLOCK */
	{0, 0},
};

static bool undo_mlockall(const struct op_call *c, struct op_call *ret)
{
	int number = op_find("munlockall");

	*ret = (struct op_call){.op = (uint8_t)number};
	return number >= 0;
}

const struct op op_mlockall = {
	.name = "mlockall",
	.calls_only = true,
	.help = "locks all that the executor has mapped",
	.exercises = "apply_mlockall_flags mlock_fixup mlock_vma_pages_range mm_populate",
	.weight = 1,
	.needs = {CAP_HAS_MLOCK, CAP_HAS_MLOCK2},
	.nneeds = 2,
	.args = all_args,
	.errnos = errnos_mlockall,
	.run = run_mlockall,
	.effects = effects_mlockall,
	.undo = undo_mlockall,
};

static long run_munlockall(struct op_env *e, const struct op_call *c)
{
	return result_of(syscall(SYS_munlockall));
}

const struct op op_munlockall = {
	.name = "munlockall",
	.calls_only = true,
	.stays = true,
	.help = "unlocks all that the executor has mapped",
	.exercises = "apply_mlockall_flags mlock_fixup munlock_folio",
	.weight = 3,
	.run = run_munlockall,
};
