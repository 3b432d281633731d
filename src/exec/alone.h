/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Was an op the only one of its crew on its slot, from before its call until after it? Private to exec. */
#ifndef SUNDER_EXEC_ALONE_H
#define SUNDER_EXEC_ALONE_H

#include "executor.h"

struct alone_mark {
	uint32_t calls[PROGRAM_MAX_LANES][2]; /* of the slot; of no slot */
	bool wanted, quiet; /* some effect asks; nobody was about */
};

/* Right before the call. slot: SLOT_MAX: of none. */
void alone_begin(
	struct lane *l, unsigned int slot, const struct effect_run *fx, struct alone_mark *ret);

/* Right after it: takes from the effects what is certain only of an op that was alone. */
void alone_end(
	struct lane *l, unsigned int slot, struct effect_run *fx, const struct alone_mark *m);

#endif
