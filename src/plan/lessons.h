/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What earlier runs have learned (learned.json): an input of a plan, as its seed is. Private to the room. */
#ifndef SUNDER_PLAN_LESSONS_H
#define SUNDER_PLAN_LESSONS_H

#include "plan/plan.h"

/* Reads p->learned into p->lesson. 0; -ENOMEM; -EINVAL or the file's error with a message in err. */
int lessons_load(struct plan *p, char *err, size_t err_size);

/* One of them by weight; NULL: there is none. */
const struct plan_lesson *lessons_pick(const struct plan *p, struct rng *r);

#endif
