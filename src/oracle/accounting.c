/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hugetlb pools' books. While all crews rest, none of their huge pages is in use and none is reserved: what is in use
 * (HugePages_Total - HugePages_Free) and reserved must be what it was before the run, whatever the size of the pool is by
 * now. Others may use the pools as well: they are looked for, and when they change, what is there then is the new normal.
 *
 * Facts of mm/hugetlb.c: reservations are taken out of free pages (gather_surplus_pages()), so there are never more than pages of
 * the pool and those that may still be had as surplus. Migration to a node without free pages takes a temporary page and gives
 * the old one back to the buddy allocator (move_hugetlb_state()): nodes' pools may change so, their sum does not, but for
 * the pages that are on their way. Since 6.10 __unmap_hugepage_range() gives the reservation of a private page back to its mapping
 * at once, and to the pool when the page is freed: while somebody has a reference to it, a new fault or the end of the mapping takes it
 * a second time, and HugePages_Rsvd is below 0 until the reference is gone (docs/found.md).
 */
#include "judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXCESS_TICKS = 10, EXCESS_INTERVALS = 3, DRIFTS = 3, REREADS = 8, TICK_NODES = 8 };

static int64_t used(const struct pool_reading *p)
{
	return p->value[POOL_NR] - p->value[POOL_FREE];
}

/* The pool's own pages: what was asked for, without surplus. */
static int64_t own(const struct pool_reading *p)
{
	return p->value[POOL_NR] - p->value[POOL_SURPLUS];
}

void accounting_init(
	struct accounting *a, const struct counters_options *o, const struct look *base)
{
	*a = (struct accounting){.machine = o->machine,
		.pools_change = o->pools_change,
		.poisons = o->poisons,
		.private_hugetlb = o->private_hugetlb,
		.lanes = o->lanes,
		.base = *base};
	for (unsigned int i = 0; i < base->r.npools; i++) {
		a->pool[i].last_own = own(&base->r.pool[i]);
		a->pool[i].last_surplus = base->r.pool[i].value[POOL_SURPLUS];
	}
}

/* ---- text ---- */

static const char *size_text(const struct pool_reading *p)
{
	static char text[32];

	snprintf(text, sizeof(text), "%" PRIu64 " kB", p->size >> 10);
	return text;
}

static const char *pool_text(const struct pool_reading *p)
{
	static char text[512];

	snprintf(text, sizeof(text),
		"total %" PRId64 ", free %" PRId64 ", reserved %" PRId64 ", surplus %" PRId64
		", overcommit %" PRId64 "; sums over nodes: total %" PRId64 ", free %" PRId64
		", surplus %" PRId64,
		p->value[POOL_NR], p->value[POOL_FREE], p->value[POOL_RESV], p->value[POOL_SURPLUS],
		p->value[POOL_OVERCOMMIT], p->sum[POOL_NR], p->sum[POOL_FREE],
		p->sum[POOL_SURPLUS]);
	return text;
}

/* when: of what was seen, as the text begins with it. */
static void tell_pool_of(const struct accounting *a, unsigned int i, const struct look *l,
	const char *what, const char *when, int64_t by, const struct told *t)
{
	const struct pool_reading *p = &l->r.pool[i];
	char title[160], was[512];

	snprintf(title, sizeof(title), "accounting: %s (%s)", what, size_text(p));
	snprintf(was, sizeof(was), "%s", pool_text(&a->base.r.pool[i]));
	judge_tell(t, ORACLE_ACCOUNTING, title,
		"%s, the hugetlb pool of %s pages is off by %" PRId64
		".\nnormal: %s\nat rest: %s\nread %u times, the same %u times in "
		"a row; other users of huge pages: %u%s%s\n",
		when, size_text(p), by, was, pool_text(p), l->passes, l->same + 1, l->others.nusers,
		l->others.nusers ? ", as before, among them " : "", l->others.name);
}

static void tell_pool(const struct accounting *a, unsigned int i, const struct look *l,
	const char *what, int64_t by, const struct told *t)
{
	tell_pool_of(a, i, l, what, "At rest, with no memory mapped and every object empty", by, t);
}

/* ---- at any time ---- */

/* What is impossible about the pool; NULL: nothing. */
static const char *impossible(
	const struct accounting *a, unsigned int i, const struct pool_reading *p)
{
	const struct pool_reading *b = &a->base.r.pool[i];
	int64_t most = (int64_t)(2 * a->machine->mem_total / p->size) + 1024;
	int64_t least = a->private_hugetlb ? -p->value[POOL_NR] : 0;

	if (!p->known)
		return NULL;
	if (p->value[POOL_RESV] < least || p->value[POOL_RESV] > most)
		return "impossible HugePages_Rsvd";
	if (p->value[POOL_FREE] < 0 || p->value[POOL_FREE] > p->value[POOL_NR])
		return "impossible HugePages_Free";
	if (p->value[POOL_SURPLUS] < 0 || p->value[POOL_SURPLUS] > p->value[POOL_NR])
		return "impossible HugePages_Surp";
	if (p->value[POOL_NR] < 0 || p->value[POOL_NR] > most)
		return "impossible HugePages_Total";
	if (p->value[POOL_RESV] > p->value[POOL_NR] + p->value[POOL_OVERCOMMIT])
		return "more huge pages reserved than can be had";
	if (!a->pools_change && own(p) == own(b) &&
		p->value[POOL_SURPLUS] > b->value[POOL_SURPLUS] &&
		p->value[POOL_OVERCOMMIT] >= b->value[POOL_OVERCOMMIT] &&
		p->value[POOL_SURPLUS] > p->value[POOL_OVERCOMMIT])
		return "more surplus huge pages than may be";
	if (p->sums_known && p->bad_node >= 0)
		return "impossible counters of a node";
	return NULL;
}

static void read_now(const struct accounting *a, bool plant, struct reading *r)
{
	reading_pools(a->machine, a->machine->nnodes <= TICK_NODES, r);
	if (plant && r->npools)
		r->pool[0].value[POOL_FREE] = r->pool[0].value[POOL_NR] + 1;
}

static void check_possible(
	struct accounting *a, unsigned int i, struct reading *r, bool plant, const struct told *t)
{
	const char *what = impossible(a, i, &r->pool[i]);
	const struct pool_reading *p = &r->pool[i];
	char title[160], node[160] = "";

	/* The files are read one after the other: an op between two of them explains one reading, not all. */
	for (unsigned int k = 0; what && k < REREADS; k++) {
		const char *again;

		read_now(a, plant, r);
		again = impossible(a, i, &r->pool[i]);
		if (!again || strcmp(again, what) != 0)
			return;
	}
	if (!what)
		return;
	snprintf(title, sizeof(title), "accounting: %s (%s)", what, size_text(p));
	if (p->sums_known && p->bad_node >= 0)
		snprintf(node, sizeof(node),
			"node %d: total %" PRId64 ", free %" PRId64 ", surplus %" PRId64 "\n",
			p->bad_node, p->bad[POOL_NR], p->bad[POOL_FREE], p->bad[POOL_SURPLUS]);
	judge_tell(t, ORACLE_ACCOUNTING, title,
		"The hugetlb pool of %s pages: %s\nread %d times in a row; machine memory: %" PRIu64
		" bytes\n%s",
		size_text(p), pool_text(p), REREADS + 1, a->machine->mem_total, node);
}

/*
 * A page that migrates is there twice for a moment, at most one for each lane. A pool that stays larger than that while lanes run,
 * and is itself again at rest, keeps pages that it should have given back.
 */
static void watch_excess(struct accounting *a, unsigned int i, const struct pool_reading *p)
{
	struct pool_history *h = &a->pool[i];
	int64_t over = own(p) - own(&a->base.r.pool[i]) - a->lanes;

	h->excess_ticks = over > 0 ? h->excess_ticks + 1 : 0;
	if (h->excess_ticks < EXCESS_TICKS)
		return;
	h->excess = true;
	if (over > h->excess_pages)
		h->excess_pages = over;
}

void accounting_tick(struct accounting *a, bool plant, const struct told *t)
{
	struct reading r;

	read_now(a, plant, &r);
	for (unsigned int i = 0; i < r.npools; i++) {
		if (!r.pool[i].known)
			continue;
		watch_excess(a, i, &r.pool[i]);
		check_possible(a, i, &r, plant, t);
	}
}

/* ---- at rest ---- */

static bool sums_differ(const struct pool_reading *p)
{
	return p->known && p->sums_known &&
	       (p->sum[POOL_NR] != p->value[POOL_NR] || p->sum[POOL_FREE] != p->value[POOL_FREE] ||
		       p->sum[POOL_SURPLUS] != p->value[POOL_SURPLUS]);
}

/* What is off against the base. */
static struct pool_history differences(
	const struct accounting *a, unsigned int i, const struct look *l)
{
	const struct pool_reading *b = &a->base.r.pool[i], *p = &l->r.pool[i];
	struct pool_history d = {0};

	if (!b->known || !p->known)
		return d;
	d.resv = p->value[POOL_RESV] - b->value[POOL_RESV];
	/* A poisoned page may stay in use, and a pool may lose it. */
	if (!a->poisons)
		d.used = used(p) - used(b);
	if (!a->poisons && p->charged >= 0 && b->charged >= 0)
		d.charged = p->charged - b->charged;
	if (p->charged_rsvd >= 0 && b->charged_rsvd >= 0)
		d.charged_rsvd = p->charged_rsvd - b->charged_rsvd;
	return d;
}

static bool is_off(const struct pool_history *d)
{
	return d->resv || d->used || d->charged || d->charged_rsvd;
}

bool accounting_is_off(const struct accounting *a, const struct look *l)
{
	for (unsigned int i = 0; i < l->r.npools; i++) {
		struct pool_history d = differences(a, i, l);

		if (is_off(&d) || sums_differ(&l->r.pool[i]))
			return true;
	}
	return false;
}

/* Seen at two rests in a row, or at the end, where there is none to come. */
static bool confirmed(int64_t *before, int64_t now, bool last)
{
	bool again = now && *before && (now > 0) == (*before > 0);

	*before = now;
	return now && (again || last);
}

static void compare(
	struct accounting *a, unsigned int i, const struct look *l, bool last, const struct told *t)
{
	struct pool_history d = differences(a, i, l), *h = &a->pool[i];
	struct pool_reading *b = &a->base.r.pool[i];
	bool off = false;

	if (confirmed(&h->resv, d.resv, last)) {
		tell_pool(a, i, l,
			d.resv > 0 ? "hugetlb reservations leak"
				   : "hugetlb reservations are given back twice",
			d.resv, t);
		off = true;
	}
	if (confirmed(&h->used, d.used, last)) {
		tell_pool(a, i, l,
			d.used > 0 ? "huge pages do not come back to their pool"
				   : "huge pages come back to their pool twice",
			d.used, t);
		off = true;
	}
	if (confirmed(&h->charged, d.charged, last)) {
		tell_pool(a, i, l, "hugetlb cgroup usage does not come back", d.charged, t);
		off = true;
	}
	if (confirmed(&h->charged_rsvd, d.charged_rsvd, last)) {
		tell_pool(
			a, i, l, "hugetlb cgroup reservations do not come back", d.charged_rsvd, t);
		off = true;
	}
	if (off) { /* told: from here on only what is added counts */
		*b = l->r.pool[i];
		h->resv = h->used = h->charged = h->charged_rsvd = 0;
	}
}

static int streak(int before, int64_t *last, int64_t now)
{
	int64_t by = now - *last;

	*last = now;
	if (!by)
		return 0;
	if (by > 0)
		return before > 0 ? before + 1 : 1;
	return before < 0 ? before - 1 : -1;
}

/* Somebody may resize the pool, once or twice; each time that we have run is more than somebody. */
static void watch_size(
	struct accounting *a, unsigned int i, const struct look *l, const struct told *t)
{
	const struct pool_reading *p = &l->r.pool[i];
	struct pool_history *h = &a->pool[i];
	int64_t before = h->last_own, surplus = h->last_surplus;
	bool back = own(p) == own(&a->base.r.pool[i]);

	h->own_streak = streak(h->own_streak, &h->last_own, own(p));
	h->surplus_streak = streak(h->surplus_streak, &h->last_surplus, p->value[POOL_SURPLUS]);
	h->excess_intervals = h->excess && back ? h->excess_intervals + 1 : 0;
	h->excess = false;
	h->excess_ticks = 0;
	if (a->pools_change || a->poisons)
		return;
	if (abs(h->own_streak) >= DRIFTS) {
		tell_pool(a, i, l, "HugePages_Total drifts", own(p) - before, t);
		h->own_streak = 0;
	}
	if (abs(h->surplus_streak) >= DRIFTS) {
		tell_pool(a, i, l, "HugePages_Surp drifts", p->value[POOL_SURPLUS] - surplus, t);
		h->surplus_streak = 0;
	}
	if (h->excess_intervals >= EXCESS_INTERVALS) {
		tell_pool_of(a, i, l, "HugePages_Total is too high while huge pages migrate",
			"While lanes run, rest after rest", h->excess_pages, t);
		h->excess_intervals = 0;
	}
}

static void check_sums(const struct accounting *a, const struct look *l, const struct told *t)
{
	for (unsigned int i = 0; i < l->r.npools; i++)
		if (sums_differ(&l->r.pool[i]) && l->same + 1 >= ACCOUNTING_SAME)
			tell_pool(a, i, l, "hugetlb counters of the nodes do not add up", 0, t);
}

static void pass_over(struct accounting *a, const char *why)
{
	for (unsigned int i = 0; i < a->base.r.npools; i++) {
		a->pool[i].resv = a->pool[i].used = 0;
		a->pool[i].charged = a->pool[i].charged_rsvd = 0;
	}
	a->passed_over = why;
}

bool accounting_others_changed(const struct accounting *a, const struct look *l)
{
	return a->base.others.hugetlb_kb != l->others.hugetlb_kb;
}

bool accounting_may_judge(const struct accounting *a, const struct look *l)
{
	return l->others.whole && l->others_steady && !accounting_others_changed(a, l) &&
	       l->others.full && a->base.others.full && l->others.users == a->base.others.users;
}

void accounting_look(struct accounting *a, const struct look *l, bool last, const struct told *t)
{
	check_sums(a, l, t);
	for (unsigned int i = 0; i < l->r.npools; i++)
		if (l->r.pool[i].known)
			watch_size(a, i, l, t);
	if (!l->others.whole) {
		pass_over(a, "not all processes can be seen: only impossible values were judged");
		return;
	}
	if (!l->others_steady) {
		pass_over(a, "others use huge pages: only impossible values were judged");
		return;
	}
	/* Others came, went or changed what they use: what is there now is normal from now on. */
	if (accounting_others_changed(a, l) ||
		(accounting_is_off(a, l) && !accounting_may_judge(a, l))) {
		pass_over(a, "others use huge pages, or may: only impossible values were judged");
		a->base = *l;
		return;
	}
	if (accounting_is_off(a, l) && l->same + 1 < ACCOUNTING_SAME) {
		pass_over(a, "the pools did not come to rest: only impossible values were judged");
		return;
	}
	for (unsigned int i = 0; i < l->r.npools; i++)
		compare(a, i, l, last, t);
	a->judged++;
}

const char *accounting_idle(const struct accounting *a)
{
	if (!a->base.r.npools)
		return "kernel without hugetlb pages (CONFIG_HUGETLBFS)";
	if (!a->judged)
		return a->passed_over ? a->passed_over : "no crew came to rest";
	return NULL;
}
