/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What became of the slots, taken down before anybody else touches them. Private to exec. */
#ifndef SUNDER_EXEC_STATE_H
#define SUNDER_EXEC_STATE_H

#include "executor.h"

/* On one lane of each process, right after an epoch's last round: fills the process's part of crew_ctl.state. */
void state_take(struct lane *l);

#endif
