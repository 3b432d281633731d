/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Failures that an op has asked for in the lane's next call (op_env.fail_nth). Private to exec. */
#ifndef SUNDER_EXEC_FAIL_H
#define SUNDER_EXEC_FAIL_H

#include "executor.h"

/* On the lane's own thread, before its first round. */
void fail_open(struct lane *l);

/*
 * Only in ops of system calls alone: a signal whose frame or whose siginfo cannot be made for want of memory tells a wrong address,
 * or ends the executor.
 */
static inline bool fail_wanted(const struct lane *l, const struct op *op)
{
	return l->env.fail_nth && op->calls_only && l->fail_fd >= 0;
}

/* Runs the op with the failure armed. l->failed: it has struck. */
long fail_run(struct lane *l, const struct op *op, const struct op_call *c);

#endif
