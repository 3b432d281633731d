/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placement: an op that says where it has put pages is taken at its word. Judged is only a call beside which no other op ran that
 * may move pages of the slot, and only what is found again when the call is repeated. Private to exec.
 */
#ifndef SUNDER_EXEC_PLACE_H
#define SUNDER_EXEC_PLACE_H

#include "executor.h"

/* Before and after the call of any op. r: its result. The scratch of the op must be as it left it. */
void place_begin(struct lane *l, const struct op *op, const struct op_call *c);
void place_end(
	struct lane *l, const struct op *op, const struct op_call *c, unsigned int index, long r);

#endif
