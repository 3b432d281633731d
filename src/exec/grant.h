/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between a crew and the flight recorder. Private to exec. */
#ifndef SUNDER_EXEC_GRANT_H
#define SUNDER_EXEC_GRANT_H

#include "exec/crew.h"

struct flight_word { /* shared by the recorder and all crews */
	_Atomic uint32_t wanted; /* futex word: +1 when a crew comes near the end of its grant */
	_Atomic uint32_t sleeps; /* the recorder waits on it */
	_Atomic uint64_t waits;
};

/* Rounds below upto may run; from ask_at on the crew asks for more. */
void grant_rounds(struct crew_ctl *ctl, uint64_t upto, uint64_t ask_at);

/* Returns when the round may run; by the lane that releases it. number: the crew's. */
void grant_wait(struct crew_ctl *ctl, uint64_t seed, unsigned int number, uint64_t round);

#endif
