/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages of equal content made one by ksmd, where a job or the administrator has it run (/sys/kernel/mm/ksm/run). All that
 * cells know of it: nothing changes.
 */
#include <sys/mman.h>

#include "op/op.h"
#include "backings.h"
#include "result.h"

static const struct arg_desc range_args[] = {ARGS_RANGE, {.kind = ARG_END}};

static unsigned int effects(const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_VMA_SPLIT);
	return 1;
}

static const struct op_errno errnos[] = {
	{ENOMEM, WHEN_HOLE},
	{EAGAIN, WHEN_ALWAYS}, /* no memory to copy to, or for bookkeeping (madvise_vma_behavior) */
	{0, 0},
};

static long run_mergeable(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return result_of(madvise((void *)s.addr, s.len, MADV_MERGEABLE));
}

static bool undo_mergeable(const struct op_call *c, struct op_call *ret)
{
	return op_undo_range("madvise_unmergeable", c, ret);
}

const struct op op_madvise_mergeable = {
	.name = "madvise_mergeable",
	.help = "MADV_MERGEABLE: ksmd may merge pages of equal content",
	.exercises = "ksm_madvise __ksm_enter madvise_update_vma __split_vma",
	.weight = 2,
	.backings = 1 << BACKING_ANON,
	.needs = {CAP_HAS_KSM},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos,
	.run = run_mergeable,
	.effects = effects,
	.undo = undo_mergeable,
};

static long run_unmergeable(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return result_of(madvise((void *)s.addr, s.len, MADV_UNMERGEABLE));
}

const struct op op_madvise_unmergeable = {
	.name = "madvise_unmergeable",
	.help = "MADV_UNMERGEABLE: merged pages become copies again",
	.exercises = "ksm_madvise unmerge_ksm_pages break_ksm madvise_update_vma __split_vma",
	.weight = 2,
	.backings = 1 << BACKING_ANON,
	.needs = {CAP_HAS_KSM},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos,
	.run = run_unmergeable,
	.effects = effects,
};
