/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fast this machine works at present. */
#ifndef SUNDER_BASE_PACE_H
#define SUNDER_BASE_PACE_H

#include <stdint.h>

/* Limits have room for a machine that is so many times slower than at its best; and none grows more than this. */
enum { PACE_ROOM = 4, PACE_MOST = 8 };

/* Measures a piece of work at its best, in some milliseconds. Once a process tree, as clock_setup(). */
void pace_setup(void);

/*
 * What a limit has to be multiplied with on this machine at present: 1 to PACE_MOST; 1 without pace_setup(). The same work is done again: CPUs
 * of a guest that the host does not run do not know it, and neither CPU time nor the load of the machine tells. Works for 50 ms, on a
 * slow machine for up to a second.
 */
double pace_stretch(void);

/* As pace_stretch(), from what was measured: n pieces that take `best` at best took ns. */
double pace_stretch_of(uint64_t best, uint64_t n, uint64_t ns);

#endif
