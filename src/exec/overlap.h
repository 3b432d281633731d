/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SUNDER_EXEC_OVERLAP_H
#define SUNDER_EXEC_OVERLAP_H

#include "exec/crew.h"

/* At quiesce: which ops of different lanes really overlapped in time in the round that has ended. Adds to the crew's counts. */
void overlap_count(struct crew_ctl *ctl);

#endif
