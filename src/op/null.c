/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An op that does nothing: what the engine itself costs. */
#include "op/op.h"

static long run(struct op_env *e, const struct op_call *c)
{
	return 0;
}

const struct op op_null = {
	.name = "null",
	.stays = true,
	.help = "nothing: measures the engine",
	.exercises = "none",
	.weight = 1,
	.run = run,
};
