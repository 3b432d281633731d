/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The crew's barrier: all lanes arrive, the last one decides what comes next, all go on together. */
#ifndef SUNDER_EXEC_BARRIER_H
#define SUNDER_EXEC_BARRIER_H

#include "exec/crew.h"

/*
 * Arrives. The last lane to arrive runs decide(arg), alone, before anyone goes on. spin: ticks to poll before sleeping in
 * futex(2); 0 where there are fewer CPUs than lanes.
 */
void barrier_arrive(struct crew_ctl *ctl, uint64_t spin, void (*decide)(void *arg), void *arg);

#endif
