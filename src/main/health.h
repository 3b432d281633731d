/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder caps --health: whether a scheduler may give this machine the next job. */
#ifndef SUNDER_MAIN_HEALTH_H
#define SUNDER_MAIN_HEALTH_H

#include <stddef.h>

#include "caps/caps.h"

/*
 * One line into text: why this machine should not run the next job, or what it has. The kernel has oopsed, seen a bad page,
 * a machine check or a soft lockup since it booted; a killed run's changes are not undone (state: the state directory); a
 * capability of needs[n] is missing. 0: healthy, 1: not.
 */
int health_check(const struct machine *m, const enum cap *needs, size_t n, const char *state,
	char *text, size_t size);

#endif
