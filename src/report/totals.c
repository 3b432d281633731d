/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sums over the crews' control blocks, which lanes may be writing at the same time: each number is
 * right, not their set.
 */
#include "sink.h"

#include <string.h>

#include "base/clock.h"

static uint64_t load(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed); /* a count: orders nothing */
}

static uint64_t add_lane(struct run_totals *t, const struct lane_ctl *l)
{
	t->ops += load(&l->ops);
	t->migrated += load(&l->migrated);
	t->collapsed += load(&l->collapsed);
	for (unsigned int i = 0; i < MIGRATED_NODES; i++)
		t->migrated_to[i] += load(&l->migrated_to[i]);
	t->touched += load(&l->touched);
	t->checks += load(&l->checks);
	t->swept += load(&l->swept);
	t->zeros += load(&l->zeros);
	t->segv += load(&l->segv);
	t->bus += load(&l->bus);
	t->evidence_lost += load(&l->ring.lost);
	return load(&l->skew_ns);
}

static void add_histogram(uint64_t sum[BUCKETS], const struct histogram *h)
{
	for (unsigned int i = 0; i < BUCKETS; i++)
		sum[i] += atomic_load_explicit(&h->n[i], memory_order_relaxed);
}

struct run_totals run_totals(const struct run_result *r)
{
	struct run_totals t = {.split = r->splits_now - r->splits_before};
	double skew = 0, releases = 0;

	for (unsigned int i = 0; r->crew && i < r->ncrews; i++) {
		const struct crew_ctl *c = r->crew[i]->ctl;
		uint64_t rounds = load(&c->rounds_done);

		t.rounds += rounds;
		t.ops_seen += load(&c->ops_seen);
		t.ops_overlapped += load(&c->ops_overlapped);
		t.met_rounds += load(&c->met_rounds);
		t.meets += load(&c->meets);
		t.meets_missed += load(&c->meets_missed);
		add_histogram(t.skew, &c->skew);
		add_histogram(t.meet_skew, &c->meet_skew);
		for (unsigned int l = 0; l < c->nlanes; l++)
			skew += (double)add_lane(&t, &c->lane[l]);
		releases += (double)rounds * c->nlanes;
	}
	t.skew_ns = ratio(skew, releases);
	return t;
}

static void add_error(struct op_totals *t, int err, uint64_t count)
{
	unsigned int i = 0;

	while (i < t->nerrors && t->error[i].err != err)
		i++;
	if (i == STAT_ERRNOS)
		return; /* stays in the difference between failed and the sum of error[] */
	if (i == t->nerrors) {
		t->error[i].err = err;
		t->error[i].count = 0;
		t->nerrors++;
	}
	t->error[i].count += count;
}

static uint64_t add_stat(struct op_totals *t, const struct op_stat *s)
{
	t->ok += load(&s->ok);
	t->failed += load(&s->failed);
	for (unsigned int i = 0; i < STAT_ERRNOS; i++) {
		int err = (int)atomic_load_explicit(&s->err[i], memory_order_relaxed);

		if (err)
			add_error(t, err, load(&s->count[i]));
	}
	return load(&s->ticks);
}

struct op_totals op_totals(const struct run_result *r, unsigned int op)
{
	struct op_totals t = {0};
	uint64_t ticks = 0;

	for (unsigned int i = 0; r->crew && i < r->ncrews; i++)
		for (unsigned int l = 0; l < r->crew[i]->ctl->nlanes; l++)
			ticks += add_stat(&t, &r->crew[i]->ctl->lane[l].stat[op]);
	t.ns = clock_to_ns(ticks);
	return t;
}

struct op_totals op_backing_totals(const struct run_result *r, unsigned int op, enum backing b)
{
	struct op_totals t = {0};
	uint64_t ticks = 0;

	for (unsigned int i = 0; r->crew && i < r->ncrews; i++)
		for (unsigned int l = 0; l < r->crew[i]->ctl->nlanes; l++) {
			const struct lane_ctl *lane = &r->crew[i]->ctl->lane[l];

			if (load(&lane->stat[op].ok) || load(&lane->stat[op].failed))
				ticks += add_stat(&t, &lane->by_backing[op][b]);
		}
	t.ns = clock_to_ns(ticks);
	return t;
}

static struct op_pair sum_pair(const struct run_result *r, unsigned int a, unsigned int b)
{
	struct op_pair sum = {.a = a, .b = b};

	for (unsigned int i = 0; i < r->ncrews; i++) {
		const struct op_pair_stat *p = &r->crew[i]->ctl->pair[a][b];

		if (!pair_is_seen(r->crew[i]->ctl, a, b))
			continue; /* and its memory stays untouched */
		sum.count += atomic_load_explicit(&p->count, memory_order_relaxed);
		sum.rounds += atomic_load_explicit(&p->rounds, memory_order_relaxed);
		for (unsigned int k = 0; k < 2 * PAIR_PHASES; k++)
			sum.phase[k / PAIR_PHASES][k % PAIR_PHASES] += atomic_load_explicit(
				&p->phase[k / PAIR_PHASES][k % PAIR_PHASES], memory_order_relaxed);
	}
	return sum;
}

static void insert_pair(struct op_pair top[TOP_PAIRS], unsigned int *n, struct op_pair p)
{
	unsigned int at = *n;

	while (at > 0 && top[at - 1].count < p.count)
		at--;
	if (at == TOP_PAIRS)
		return;
	if (*n < TOP_PAIRS)
		(*n)++;
	memmove(&top[at + 1], &top[at], (*n - at - 1) * sizeof(*top));
	top[at] = p;
}

unsigned int top_pairs(
	const struct run_result *r, struct op_pair top[TOP_PAIRS], uint64_t *ret_distinct)
{
	unsigned int n = 0;
	uint64_t distinct = 0;

	for (unsigned int a = 0; r->crew && a < OP_NUMBERS; a++) {
		for (unsigned int b = a; op_get(a) && b < OP_NUMBERS; b++) {
			struct op_pair p;

			if (!op_get(b))
				continue;
			p = sum_pair(r, a, b);
			if (!p.count)
				continue;
			distinct++;
			insert_pair(top, &n, p);
		}
	}
	*ret_distinct = distinct;
	return n;
}
