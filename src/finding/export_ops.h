/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How each op is written in C. Private to the room. */
#ifndef SUNDER_FINDING_EXPORT_OPS_H
#define SUNDER_FINDING_EXPORT_OPS_H

#include <stdio.h>

#include "op/op.h"

/* The op's template, or NULL: it cannot be exported. */
const char *export_template_of(const struct op *op, const struct op_call *c);

/* Prints the call as an expression that is >= 0 or -errno. */
void export_call(const struct op_env *e, const struct op_call *c, FILE *out);

/* What the call may do, as op->effects() says, or what is known here of ops that tell their effects while they run. */
unsigned int export_effects(const struct op_env *e, const struct op_call *c, struct effect *eff);

#endif
