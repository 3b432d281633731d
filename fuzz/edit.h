/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ops into lanes and out of them, lanes out of programs: whoever aims at an op goes on aiming at it. */
#ifndef SUNDER_FUZZ_EDIT_H
#define SUNDER_FUZZ_EDIT_H

#include <stdbool.h>

#include "plan/program.h"

/* All zero: op i has none. */
struct op_timing edit_timing(const struct program_lane *l, unsigned int i);

/* l: one of p's lanes; at: 0..nops. False: it is full. */
bool edit_insert(struct program *p, struct program_lane *l, unsigned int at,
	const struct op_call *c, const struct op_timing *t);

void edit_take_out(struct program *p, struct program_lane *l, unsigned int at);

/* False: it is the last one. */
bool edit_drop_lane(struct program *p, unsigned int at);

#endif
