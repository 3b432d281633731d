/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guard regions: page table markers that make every access fault, without a VMA of their own. They stay under mprotect and
 * MADV_DONTNEED, move with mremap, and go with the mapping (mm/madvise.c, madvise_guard_install).
 */
#include <sys/mman.h>

#include "op/op.h"
#include "backings.h"
#include "result.h"
#include "uapi.h"

static const struct arg_desc range_args[] = {ARGS_RANGE, {.kind = ARG_END}};

static bool is_anon(const struct op_span *s)
{
	return s->slot->spec.backing == BACKING_ANON;
}

static long run_install(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return result_of(madvise((void *)s.addr, s.len, MADV_GUARD_INSTALL));
}

/*
 * What was there is zapped. In a file's mapping the markers go as soon as the file's pages are truncated, or their page table is
 * freed for a huge page (retract_page_tables): there they are never certain.
 */
static unsigned int effects_install(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);
	uint32_t kinds = EFFECT_GUARD | EFFECT_WP_LIFT;

	if (is_anon(&s))
		kinds |= EFFECT_GUARD_SURE;
	if (backing_in(s.slot, BACKINGS_PRIVATE))
		kinds |= EFFECT_ZERO | EFFECT_ZEROED;
	eff[0] = op_effect(&s, kinds);
	return 1;
}

static bool undo_install(const struct op_call *c, struct op_call *ret)
{
	return op_undo_range("madvise_guard_remove", c, ret);
}

/* 6.13 and 6.14 have guards in anonymous memory only. */
static bool odd(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return !is_anon(&s) && caps_missing(CAP_HAS_GUARD_FILE);
}

static const struct op_errno errnos_install[] = {
	{ENOMEM, WHEN_HOLE},
	{EINVAL, WHEN_LOCKED | WHEN_ODD},
	{0, 0},
};

const struct op op_madvise_guard_install = {
	.name = "madvise_guard_install",
	.calls_only = true,
	.help = "MADV_GUARD_INSTALL: every access to the range faults from now on",
	.exercises = "madvise_guard_install guard_install_pte_entry guard_install_set_pte "
		     "walk_page_range_mm zap_page_range_single __split_huge_pmd",
	.weight = 2,
	.backings = BACKINGS_BASE,
	.needs = {CAP_HAS_GUARD},
	.nneeds = 1,
	.wants = {CAP_HAS_GUARD_FILE},
	.nwants = 1,
	.args = range_args,
	.errnos = errnos_install,
	.run = run_install,
	.effects = effects_install,
	.odd = odd,
	.undo = undo_install,
};

static long run_remove(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return result_of(madvise((void *)s.addr, s.len, MADV_GUARD_REMOVE));
}

/* Write protection by userfaultfd passes guards over (change_pte_range): where one was there is none now. */
static unsigned int effects_remove(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_UNGUARDED | EFFECT_WP_LIFT);
	return 1;
}

static const struct op_errno errnos_remove[] = {
	{ENOMEM, WHEN_HOLE},
	{EINVAL, WHEN_ODD},
	{0, 0},
};

const struct op op_madvise_guard_remove = {
	.name = "madvise_guard_remove",
	.calls_only = true,
	.help = "MADV_GUARD_REMOVE: takes the guards of the range away, and nothing else",
	.exercises = "madvise_guard_remove guard_remove_pte_entry guard_remove_pmd_entry "
		     "walk_page_range",
	.weight = 3,
	.backings = BACKINGS_BASE,
	.needs = {CAP_HAS_GUARD},
	.nneeds = 1,
	.wants = {CAP_HAS_GUARD_FILE},
	.nwants = 1,
	.args = range_args,
	.errnos = errnos_remove,
	.run = run_remove,
	.effects = effects_remove,
	.odd = odd,
};
