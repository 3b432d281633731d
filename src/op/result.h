/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a system call said, as ops return it. */
#ifndef SUNDER_OP_RESULT_H
#define SUNDER_OP_RESULT_H

#include <errno.h>

/* -errno for the -1 of libc's system call wrappers, else the value itself. */
static inline long result_of(long r)
{
	return r < 0 ? -errno : r;
}

#endif
