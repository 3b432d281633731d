/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose turn it is: each campaign gets time by its weight, and more of it while it finds something. */
#ifndef SUNDER_DAEMON_SCHEDULE_H
#define SUNDER_DAEMON_SCHEDULE_H

#include <stdbool.h>

/* A finding doubles a campaign's weight, up to this; each slice without one brings it half way back. */
#define SCHEDULE_BOOST_MAX 4.0

struct share {
	double weight; /* above 0, as configured */
	double boost; /* 1 to SCHEDULE_BOOST_MAX */
	double pass; /* seconds that it had, divided by weight and boost */
	bool ready; /* it may run now */
};

/* The one that is furthest behind, the first of equals; -1: none is ready. */
int schedule_pick(const struct share *s, unsigned int n);

/* It had that many seconds, and found so much that nobody knew. adapt: its boost follows. */
void schedule_charge(struct share *s, double seconds, unsigned int fresh, bool adapt);

/* Sets ready. One that becomes so is not owed the time in which it was not. */
void schedule_set_ready(struct share *s, unsigned int n, unsigned int i, bool ready);

#endif
