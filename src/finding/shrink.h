/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be made simpler in a program. Private to the room. */
#ifndef SUNDER_FINDING_SHRINK_H
#define SUNDER_FINDING_SHRINK_H

#include "finding/reduce.h"

enum shrink_stage {
	SHRINK_LANES,
	SHRINK_OPS,
	SHRINK_SLOTS,
	SHRINK_PROCS,
	SHRINK_TIMING,
	SHRINK_ARGS,
	SHRINK_FINER_ARGS,
	SHRINK_SHAPE,
	SHRINK_ROUND,
	SHRINK_STAGES
};

struct shrink_edit {
	uint8_t kind, a, b, c;
	uint64_t value;
};

enum { SHRINK_MAX_EDITS = PROGRAM_MAX_LANES * PROGRAM_MAX_OPS * (OP_MAX_ARGS + 32) };

const char *shrink_stage_name(enum shrink_stage s);

/* What the stage can do to p: each by itself or many together. At most SHRINK_MAX_EDITS. */
unsigned int shrink_list(enum shrink_stage s, const struct program *p,
	const struct reduce_options *o, struct shrink_edit *ret);

/* p with these edits. False: nothing would be left of it, or it is no simpler. */
bool shrink_apply(const struct program *p, const struct reduce_options *o,
	const struct shrink_edit *edit, unsigned int n, struct program *ret);

/* What is simpler costs less. */
uint64_t shrink_cost(const struct program *p, const struct reduce_options *o);

#endif
