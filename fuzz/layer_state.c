/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What became of slots: of each view, by smaps and move_pages, and through which kind of op it came to that. */
#include "layers.h"

/* The op that was last on the slot, of all lanes. */
static unsigned int last_op(const struct op_env *e, const struct crew_ctl *ctl,
	const struct program *p, unsigned int slot)
{
	unsigned int op = OP_NUMBERS;
	uint64_t at = 0;

	for (unsigned int l = 0; l < p->nlanes; l++) {
		uint32_t n = atomic_load_explicit(&ctl->lane[l].nrecords, memory_order_acquire);

		for (uint32_t i = 0; i < n; i++) {
			const struct record *r = &ctl->lane[l].record[i];

			if (!r->err && r->stop >= at && op_get(r->op)->backings &&
				op_range(e, &p->lane[l].op[i]).slot_no == slot) {
				op = r->op;
				at = r->stop;
			}
		}
	}
	return op;
}

static uint64_t hash_of(const struct slot_state *s, uint64_t h)
{
	for (unsigned int f = 0; f < SLOT_FIGURES; f++)
		h = mix2(h, s->figure[f]);
	return mix2(mix2(h, s->node[0]), s->node[1]);
}

void layer_state(const struct crew *c, const struct program *p, struct marks *m)
{
	const struct crew_ctl *ctl = c->ctl;
	struct op_env e = layer_env(c);

	if (atomic_load_explicit(&ctl->untouched, memory_order_relaxed))
		return;
	for (unsigned int i = 0; i < ctl->nslots; i++) {
		unsigned int op = ctl->slot[i].present ? last_op(&e, ctl, p, i) : OP_NUMBERS;

		if (op == OP_NUMBERS)
			continue; /* nobody was there: it is as it was mapped */
		for (unsigned int proc = 0; proc < ctl->nprocs; proc++)
			for (unsigned int v = 0; v < ctl->slot[i].nviews; v++) {
				uint64_t h =
					hash_of(&ctl->state[proc][i][v], ctl->slot[i].spec.backing);

				marks_add(m, LAYER_STATE, h, 0);
				marks_add(m, LAYER_STATE, mix2(h, op + 1), 0);
			}
	}
}
