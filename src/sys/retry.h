/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounded waiting for something that tells nobody when it happens: look again at every tick of a
 * timer.
 */
#ifndef SUNDER_SYS_RETRY_H
#define SUNDER_SYS_RETRY_H

#include <stdbool.h>

struct retry {
	int timer; /* timerfd */
	unsigned long long left; /* ticks */
};

/* Ticks every 20 ms for `seconds`. 0 or -errno. */
int retry_start(struct retry *r, unsigned int seconds);

/* Waits for the next tick; false once the time is over. */
bool retry_again(struct retry *r);

void retry_end(struct retry *r);

#endif
