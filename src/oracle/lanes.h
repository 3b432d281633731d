/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What those who judge lanes share. */
#ifndef SUNDER_ORACLE_LANES_H
#define SUNDER_ORACLE_LANES_H

#include <stdio.h>

#include "oracle/oracle.h"

/* Of an op, or of what else a lane may be at: static. */
const char *lanes_op_name(unsigned int number);

/* What the lanes have done in the round that is under way, for a finding of `round`. */
void lanes_print_round(const struct crew *c, uint64_t round, FILE *f);

enum { STUCK_SAMPLES = 24 };

/*
 * Where a thread is stuck, by n texts of its /proc/PID/stack: the innermost function in which three quarters of those that are not
 * empty agree, as they agree in all that called it; the scheduler, and the way in and out, are passed over. A thread that sleeps is in one place; one
 * that tries for ever is where it tries from. "user space or unknown" if there is none.
 */
void stuck_where(char *const stack[], unsigned int n, char *buf, size_t size);

#endif
