/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hugetlb pools' own pages while a crew's memory is mapped and nothing of it moves. A migration to a node without free pages takes a page beyond the
 * pool and gives the old one away (mm/hugetlb.c, move_hugetlb_state()): when nothing moves there are as many as before, wherever they are. One that is taken
 * for the pool's own goes when it is unmapped, so that a look at bare memory never shows it.
 */
#include "look.h"

#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/path.h"

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

/* ---- what the crew's cgroup is charged for ---- */

/* As the controller names its files (mm/hugetlb_cgroup.c, mem_fmt()). */
static void charge_path(const struct lane *l, uint64_t size, char *buf, size_t size_of_buf)
{
	uint64_t kb = size >> 10;

	snprintf(buf, size_of_buf, "%s/crew%u/hugetlb.%" PRIu64 "%s.current", l->ex->box->cgroup,
		l->ex->ctl->index,
		kb >= 1 << 20	? kb >> 20
		: kb >= 1 << 10 ? kb >> 10
				: kb,
		kb >= 1 << 20	? "GB"
		: kb >= 1 << 10 ? "MB"
				: "KB");
}

/* Bytes in all objects of huge pages of that size. False: some of the crew's are in no object that can be asked. */
static bool in_objects(const struct lane *l, uint64_t size, uint64_t *ret)
{
	*ret = 0;
	for (unsigned int i = 0; i < l->env.nslots; i++) {
		const struct slot *s = &l->env.slot[i];
		struct stat st;

		if (!s->present || s->spec.huge_size != size)
			continue;
		if (s->fd < 0 || fstat(s->fd, &st) < 0)
			return false;
		*ret += (uint64_t)st.st_blocks * 512;
	}
	return true;
}

/*
 * A cgroup is charged for the huge pages that its tasks fault in, until they are freed, wherever they are moved meanwhile
 * (hugetlb_cgroup_migrate()). All that a crew has is in its objects, whose blocks count them too (hugetlb_add_to_page_cache()).
 */
void look_charge(struct lane *l, struct looks *p, struct look *look)
{
	const struct machine *m = l->ex->machine;

	if (!p->pools_known || !l->ex->box || !l->ex->box->cgroup[0])
		return;
	for (int i = 0; i < m->nhstates; i++) {
		char path[PATH_MAX];
		unsigned long long charged;
		uint64_t has;

		charge_path(l, m->hstate[i].size, path, sizeof(path));
		if (!in_objects(l, m->hstate[i].size, &has) || path_read_u64(path, &charged) < 0 ||
			charged == has)
			continue;
		look_differs(look, LOOK_CHARGE,
			(struct look_case){.expected = has, .seen = charged, .slot = NO_SLOT});
	}
}
