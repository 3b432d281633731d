/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Huge pages on and off for the whole executor. */
#include "op/op.h"
#include "result.h"
#include "uapi.h"

enum { DISABLE_OFF, DISABLE_ON, DISABLE_EXCEPT_ADVISED };

static const struct arg_word on_words[] = {
	{"off", DISABLE_OFF},
	{"on", DISABLE_ON},
	{"except_advised", DISABLE_EXCEPT_ADVISED},
	{NULL, 0},
};

static const struct arg_desc args[] = {
	{"on", ARG_ENUM, 0, on_words, "no huge pages: off, on, or on but for MADV_HUGEPAGE (6.18)"},
	{.kind = ARG_END},
};

static long run(struct op_env *e, const struct op_call *c)
{
	unsigned long flags =
		c->arg[0] == DISABLE_EXCEPT_ADVISED ? PR_THP_DISABLE_EXCEPT_ADVISED : 0;

	return result_of(
		prctl(PR_SET_THP_DISABLE, c->arg[0] != DISABLE_OFF ? 1UL : 0UL, flags, 0UL, 0UL));
}

static bool odd(const struct op_env *e, const struct op_call *c)
{
	return c->arg[0] == DISABLE_EXCEPT_ADVISED;
}

static bool undo(const struct op_call *c, struct op_call *ret)
{
	*ret = *c;
	ret->arg[0] = DISABLE_OFF;
	return c->arg[0] != DISABLE_OFF;
}

/* Huge pages are on for most of the time. */
static void tune(struct op_call *c, struct rng *r)
{
	if (rng_below(r, 2) == 0)
		c->arg[0] = DISABLE_OFF;
}

static const struct op_errno errnos[] = {
	{EINVAL, WHEN_ODD}, /* kernels that know only on and off */
	{0, 0},
};

const struct op op_thp_disable = {
	.name = "thp_disable",
	.stays = true,
	.help = "PR_SET_THP_DISABLE: turns huge pages off or on for the executor",
	.exercises = "__prctl thp_vma_allowable_orders hugepage_vma_revalidate",
	.weight = 1,
	.needs = {CAP_HAS_THP_DISABLE},
	.nneeds = 1,
	.args = args,
	.errnos = errnos,
	.run = run,
	.odd = odd,
	.tune = tune,
	.undo = undo,
};
