/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What calls came to: each by itself with the backing it met, and each after the one before it on the same slot and lane. */
#include "layers.h"

enum { NO_SLOT = SLOT_MAX };

static unsigned int slot_of(const struct op_env *e, const struct op_call *c)
{
	const struct op *op = op_get(c->op);

	return op->backings ? op_range(e, c).slot_no : NO_SLOT;
}

static uint64_t kind_of(const struct op_env *e, unsigned int slot)
{
	return slot == NO_SLOT ? 0xff : e->slot[slot].spec.backing;
}

static void take_lane(const struct op_env *e, const struct lane_ctl *lane,
	const struct program_lane *p, struct marks *m)
{
	uint32_t n = atomic_load_explicit(&lane->nrecords, memory_order_acquire);
	uint64_t last[SLOT_MAX + 1] = {0};

	for (uint32_t i = 0; i < n && i < p->nops; i++) {
		const struct record *r = &lane->record[i];
		unsigned int slot = slot_of(e, &p->op[i]);
		uint64_t here = mix2(mix2(r->op, outcome_of(r)), kind_of(e, slot));

		marks_add(m, LAYER_ERRNO, here, 0);
		/* The state of a failure is in it already: the pair needs the errno only. */
		here = mix2(r->op, (uint64_t)r->err << 8 | r->did);
		if (last[slot])
			marks_add(m, LAYER_ERRNO, mix2(last[slot], here) ^ 1, 0);
		last[slot] = here;
	}
}

void layer_errno(const struct crew *c, const struct program *p, struct marks *m)
{
	struct op_env e = layer_env(c);

	for (unsigned int l = 0; l < p->nlanes && l < c->ctl->nlanes; l++)
		take_lane(&e, &c->ctl->lane[l], &p->lane[l], m);
}
