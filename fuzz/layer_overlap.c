/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interleavings: of two calls of different lanes that really overlapped in time, what they were, how their ranges lay to each other,
 * which began first, in which quarter of the first one's time the second began, and what each came to.
 */
#include "layers.h"

enum relation { APART, EQUAL, WITHIN, AROUND, PARTLY, TOUCHING, OTHER_SLOT, NO_RANGE };

struct call {
	const struct record *r;
	const struct op_call *c;
};

static enum relation relate(
	const struct op_env *e, const struct op_call *a, const struct op_call *b)
{
	struct op_span x, y;
	uint32_t xe, ye;

	if (!op_get(a->op)->backings || !op_get(b->op)->backings)
		return NO_RANGE;
	x = op_range(e, a);
	y = op_range(e, b);
	if (x.slot_no != y.slot_no)
		return OTHER_SLOT;
	xe = x.page + x.pages;
	ye = y.page + y.pages;
	if (x.page == y.page && xe == ye)
		return EQUAL;
	if (x.page >= y.page && xe <= ye)
		return WITHIN;
	if (x.page <= y.page && xe >= ye)
		return AROUND;
	if (x.page < ye && y.page < xe)
		return PARTLY;
	/* The same huge page, though not the same pages of it. */
	if (xe > y.page ? (ye - 1) / x.slot->pmd_pages == x.page / x.slot->pmd_pages
			: (xe - 1) / x.slot->pmd_pages == y.page / x.slot->pmd_pages)
		return TOUCHING;
	return APART;
}

static unsigned int quarter(const struct record *first, const struct record *then)
{
	uint64_t window = first->stop - first->start;

	return window ? (unsigned int)((then->start - first->start) * 4 / (window + 1)) : 0;
}

/* first began first. */
static void add(const struct op_env *e, struct call first, struct call then, struct marks *m)
{
	enum relation rel = relate(e, first.c, then.c);
	uint64_t what = (uint64_t)first.r->op << 16 | (uint64_t)then.r->op << 8 | rel;
	uint64_t came = (uint64_t)(uint16_t)first.r->err << 24 | (uint64_t)first.r->did << 20 |
			(uint64_t)(uint16_t)then.r->err << 4 | then.r->did;

	/* On different slots only what comes of it is told: such pairs are many, and say little. */
	if (rel == OTHER_SLOT || rel == NO_RANGE) {
		marks_add(m, LAYER_OVERLAP, mix2(what, 7), 0);
		return;
	}
	marks_add(m, LAYER_OVERLAP, mix2(mix2(what, quarter(first.r, then.r)), came), 0);
}

/* Both lanes' records are in order of time: one pass. */
static void take_pair(const struct op_env *e, const struct crew_ctl *ctl, const struct program *p,
	unsigned int a, unsigned int b, struct marks *m)
{
	const struct lane_ctl *x = &ctl->lane[a], *y = &ctl->lane[b];
	uint32_t nx = atomic_load_explicit(&x->nrecords, memory_order_acquire);
	uint32_t ny = atomic_load_explicit(&y->nrecords, memory_order_acquire);

	for (uint32_t i = 0, j = 0; i < nx && j < ny;) {
		struct call s = {&x->record[i], &p->lane[a].op[i]},
			    t = {&y->record[j], &p->lane[b].op[j]};

		if (s.r->start < t.r->stop && t.r->start < s.r->stop)
			add(e, s.r->start <= t.r->start ? s : t, s.r->start <= t.r->start ? t : s,
				m);
		if (s.r->stop < t.r->stop)
			i++;
		else
			j++;
	}
}

void layer_overlap(const struct crew *c, const struct program *p, struct marks *m)
{
	struct op_env e = layer_env(c);

	for (unsigned int a = 0; a < p->nlanes && a < c->ctl->nlanes; a++)
		for (unsigned int b = a + 1; b < p->nlanes && b < c->ctl->nlanes; b++)
			take_pair(&e, c->ctl, p, a, b, m);
}
