/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hugetlb pools' own pages while a crew's memory is mapped and nothing of it moves. A migration to a node without free pages takes a page beyond the
 * pool and gives the old one away (mm/hugetlb.c, move_hugetlb_state()): when nothing moves there are as many as before, wherever they are. One that is taken
 * for the pool's own goes when it is unmapped, so that a look at bare memory never shows it.
 */
#include "look.h"

#include <sched.h>

enum { READINGS = 6 };

/* One lane of the crew looks: the pools are the machine's. */
static bool may_judge(const struct lane *l)
{
	const struct plan_crew *pc = &l->ex->plan->crew[l->ex->ctl->index];

	if (l->no != 0)
		return false;
	for (unsigned int i = 0; i < pc->nlanes; i++)
		for (unsigned int k = 0; k < pc->lane[i].nops; k++)
			if (op_get(pc->lane[i].op[k].call.op)->hazard >= HAZARD_DISRUPTIVE)
				return false; /* resizes pools, or takes pages away from them for good */
	return true;
}

/* The pool's pages without surplus; false: it cannot be read. */
static bool read_own(const struct machine *m, int i, int64_t *ret)
{
	unsigned long long nr, surplus;

	if (machine_pool(m->hstate[i].size, -1, "nr_hugepages", &nr) < 0 ||
		machine_pool(m->hstate[i].size, -1, "surplus_hugepages", &surplus) < 0)
		return false;
	*ret = (int64_t)nr - (int64_t)surplus;
	return true;
}

/* Pages that the crews beside this one may have on their way: one a lane. */
static unsigned int lanes_beside(const struct lane *l)
{
	const struct plan *p = l->ex->plan;
	unsigned int n = 0;

	for (unsigned int c = 0; c < p->ncrews; c++)
		n += c == l->ex->ctl->index ? 0 : p->crew[c].nlanes;
	return n;
}

void look_pools_begin(struct lane *l)
{
	struct looks *p = l->ex->looks;
	const struct machine *m = l->ex->machine;

	p->pools_known = may_judge(l);
	for (int i = 0; p->pools_known && i < m->nhstates; i++) {
		int64_t own;

		p->pool[i].base = 0;
		/* Other processes may take surplus pages between the two files. */
		for (int n = 0; p->pools_known && n < READINGS; n++) {
			p->pools_known = read_own(m, i, &own);
			if (own > p->pool[i].base)
				p->pool[i].base = own;
		}
	}
}

void look_pools(struct lane *l)
{
	struct looks *p = l->ex->looks;
	const struct machine *m = l->ex->machine;
	unsigned int slack = lanes_beside(l);

	for (int i = 0; p->pools_known && i < m->nhstates; i++) {
		int64_t own = 0, least = INT64_MAX;

		for (int n = 0; n < READINGS; n++) {
			if (!read_own(m, i, &own))
				return;
			least = own < least ? own : least;
			if (least <= p->pool[i].base + slack)
				break;
			sched_yield();
		}
		if (!drift_pool(&p->pool[i], least, slack))
			continue;
		look_report(l, LOOK_POOL,
			&(struct look_case){.expected = (uint64_t)p->pool[i].base,
				.seen = (uint64_t)least,
				.slot = NO_SLOT});
	}
}
