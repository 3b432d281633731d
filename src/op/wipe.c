/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What forked children get of private anonymous memory: zeroes, or what the parent has. The ops that fork check it. */
#include <sys/mman.h>

#include "op/op.h"
#include "backings.h"
#include "result.h"

static const struct arg_desc range_args[] = {ARGS_RANGE, {.kind = ARG_END}};

static const struct op_errno errnos[] = {
	{ENOMEM, WHEN_HOLE},
	{EAGAIN, WHEN_SPLIT}, /* vm.max_map_count */
	{0, 0},
};

static long run_wipeonfork(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return result_of(madvise((void *)s.addr, s.len, MADV_WIPEONFORK));
}

/* On a mapping of anything else it is refused. */
static unsigned int effects_wipeonfork(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_VMA_SPLIT | EFFECT_WIPE | EFFECT_WIPE_SURE);
	return 1;
}

static bool undo_wipeonfork(const struct op_call *c, struct op_call *ret)
{
	return op_undo_range("madvise_keeponfork", c, ret);
}

const struct op op_madvise_wipeonfork = {
	.name = "madvise_wipeonfork",
	.help = "MADV_WIPEONFORK: children find zeroes in the range",
	.exercises = "madvise_vma_behavior madvise_update_vma __split_vma dup_mmap",
	.weight = 1,
	.backings = 1 << BACKING_ANON,
	.needs = {CAP_HAS_WIPEONFORK},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos,
	.run = run_wipeonfork,
	.effects = effects_wipeonfork,
	.undo = undo_wipeonfork,
};

static long run_keeponfork(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return result_of(madvise((void *)s.addr, s.len, MADV_KEEPONFORK));
}

static unsigned int effects_keeponfork(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_VMA_SPLIT | EFFECT_KEPT);
	return 1;
}

const struct op op_madvise_keeponfork = {
	.name = "madvise_keeponfork",
	.help = "MADV_KEEPONFORK: children find what the parent has",
	.exercises = "madvise_vma_behavior madvise_update_vma __split_vma dup_mmap",
	.weight = 2,
	.backings = 1 << BACKING_ANON,
	.needs = {CAP_HAS_WIPEONFORK},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos,
	.run = run_keeponfork,
	.effects = effects_keeponfork,
};
