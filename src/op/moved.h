/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What move_pages(2) says of each page. */
#ifndef SUNDER_OP_MOVED_H
#define SUNDER_OP_MOVED_H

#include <limits.h>

#include "op/op.h"

enum { STATUS_UNWRITTEN = INT_MIN };

/*
 * Judges the n statuses in e->scratch->status of a call that did not fail, set to UNWRITTEN before it. One that is neither the target nor
 * legal becomes the result, so that the errno oracle sees it: itself if it is an error, ERANGE for a wrong node, ENODATA for none
 * although all were done.
 */
long moved_judge(struct op_env *e, unsigned long n, int target, long r);

#endif
