/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the steps of an op that makes several calls do to the range, told by the op itself as it goes. */
#ifndef SUNDER_OP_STEPS_H
#define SUNDER_OP_STEPS_H

#include "mem/cell.h"
#include "op/op.h"

/* Before the step. fx lives until effect_done(). */
static inline void effect_now(
	struct op_env *e, struct effect_run *fx, const struct op_span *s, uint32_t kinds)
{
	fx->eff[0] = op_effect(s, kinds);
	fx->n = 1;
	effects_begin(e->cells->space, e->nslots, e->proc, fx);
}

/* After it: success as in effects_end(). */
static inline void effect_done(struct op_env *e, struct effect_run *fx, bool success)
{
	effects_end(e->cells->space, e->nslots, e->proc, e->lane, fx, success);
}

#endif
