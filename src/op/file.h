/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ftruncate, for ops that have another road to it. Their argument table is that of ftruncate. */
#ifndef SUNDER_OP_FILE_H
#define SUNDER_OP_FILE_H

#include "op/op.h"

extern const struct arg_desc file_truncate_args[];

/* The call as c says, each change of the length by set(): 0 or -errno. */
long file_truncate(struct op_env *e, const struct op_call *c,
	long (*set)(struct op_env *e, int fd, off_t len));

unsigned int file_truncate_effects(
	const struct op_env *e, const struct op_call *c, struct effect *eff);
void file_truncate_tune(struct op_call *c, struct rng *r);
bool file_truncate_undo(const struct op_call *c, struct op_call *ret);

#endif
