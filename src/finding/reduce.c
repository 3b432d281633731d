/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "finding/reduce.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/cleanup.h"
#include "shrink.h"

/*
 * The time until a finding comes back is about exponential: what counts is its mean. A step holds if it has come back h times in no
 * more than SLOW * h means of the original. It fails when PATIENCE means have passed without a hit: 5 % of those that come
 * back as fast as the original do.
 */
static const double SLOW = 1.5, PATIENCE = 3;
/* Of many hits: what is half as fast as the original mostly passes, what is five times slower does not. */
static const double VERIFY_SLOW = 2.5;
/* Steps whose hits come so much faster than the original's, so many of them, are a reason to measure again. */
static const double FASTER = 4;
enum { FASTER_HITS = 2 };

enum { MAX_PASSES = 8 };

unsigned int reduce_count_ops(const struct program *p)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < p->nlanes; i++)
		n += p->lane[i].nops;
	return n;
}

int reduce_describe(const struct program *p, char *buf, size_t size)
{
	unsigned int ops = reduce_count_ops(p);

	return snprintf(buf, size, "%u lane%s, %u op%s, %u slot%s", p->nlanes,
		p->nlanes == 1 ? "" : "s", ops, ops == 1 ? "" : "s", p->nslots,
		p->nslots == 1 ? "" : "s");
}

static int try_it(struct reduce *r, const struct reduce_hooks *h, const struct program *p,
	double seconds, struct reduce_try *ret)
{
	r->attempts++;
	return h->attempt(h->arg, p, seconds, ret);
}

static int tell(const struct reduce *r, const struct reduce_hooks *h, const struct reduce_step *s)
{
	return h->step ? h->step(h->arg, r, s) : 0;
}

/* ---- the original ---- */

/* The mean that few hits allow for. */
static double careful_mean(const struct reduce_options *o, double sum_s, unsigned int hits)
{
	double mean = sum_s / hits * (1 + 1 / sqrt(hits));

	return mean < o->least_s ? o->least_s : mean;
}

static int measure(struct reduce *r, const struct reduce_options *o, const struct reduce_hooks *h)
{
	struct reduce_try t;
	int e;

	if (!r->goal) {
		r->best = r->sure = r->original;
		r->goal = o->attempts;
	}
	while (r->tries < r->goal) {
		e = try_it(r, h, &r->original, o->seconds, &t);
		if (e < 0)
			return e;
		r->tries++;
		r->hits += t.hit;
		r->sum_s += t.seconds;
		e = tell(r, h, NULL);
		if (e < 0)
			return e;
	}
	if (!r->hits)
		return -ENOENT;
	r->mean_s = careful_mean(o, r->sum_s, r->hits);
	r->phase = r->doubted ? REDUCE_VERIFY : REDUCE_SHRINK;
	return tell(r, h, NULL);
}

/* ---- a step ---- */

/*
 * need: hits without which it does not hold. 1: it does; 0: it does not; -errno. Attempts go on where the time of those before
 * ended, so a program that never hits costs PATIENCE means, in one attempt.
 */
static int holds(struct reduce *r, const struct reduce_hooks *h, const struct program *p,
	unsigned int need, unsigned int most, struct reduce_step *s)
{
	struct reduce_try t;

	s->hits = 0;
	s->seconds = 0;
	while (s->hits < most) {
		double limit = SLOW * r->mean_s * (s->hits + 1);
		int e;

		if (limit < PATIENCE * r->mean_s)
			limit = PATIENCE * r->mean_s;
		if (s->seconds >= limit)
			return 0;
		e = try_it(r, h, p, limit - s->seconds, &t);
		if (e < 0)
			return e;
		s->seconds += t.seconds;
		if (!t.hit)
			return 0;
		s->hits++;
		if (s->hits >= need && s->seconds <= SLOW * r->mean_s * s->hits)
			return 1;
	}
	return 0;
}

static uint64_t hash_of(const struct program *p)
{
	_cleanup_free_ unsigned char *bytes = malloc(PROGRAM_MAX_BYTES);
	ssize_t len = bytes ? program_encode(p, bytes, PROGRAM_MAX_BYTES) : -ENOMEM;

	return len < 0 ? 0 : XXH64(bytes, (size_t)len, 0);
}

static bool has_failed(const struct reduce *r, uint64_t hash)
{
	for (unsigned int i = 0; i < r->nfailed && i < REDUCE_MAX_FAILED; i++)
		if (r->failed[i] == hash)
			return hash != 0;
	return false;
}

/*
 * What never comes back costs PATIENCE means: once what is left has become much faster than the original was, its own mean is what counts.
 * Steps are accepted for being fast, so their times are only a reason to measure the best by itself.
 */
static int hasten(struct reduce *r, const struct reduce_options *o, const struct reduce_hooks *h,
	const struct reduce_step *s)
{
	struct reduce_try t;
	double quick, sum = 0;

	r->quick_hits += s->hits;
	r->quick_s += s->seconds;
	if (r->quick_hits < FASTER_HITS)
		return 0;
	quick = r->quick_s / r->quick_hits;
	r->quick_hits = 0;
	r->quick_s = 0;
	if (quick * FASTER > r->mean_s || r->mean_s <= o->least_s)
		return 0;
	for (unsigned int i = 0; i < o->attempts; i++) {
		int e = try_it(r, h, &r->best, PATIENCE * r->mean_s, &t);

		if (e < 0 || !t.hit)
			return e;
		sum += t.seconds;
	}
	sum = careful_mean(o, sum, o->attempts);
	r->mean_s = sum < r->mean_s ? sum : r->mean_s;
	return 0;
}

/* One candidate: edits [at, at + n) of the stage. */
static int step(struct reduce *r, const struct reduce_options *o, const struct reduce_hooks *h,
	const struct shrink_edit *edit, unsigned int n)
{
	_cleanup_free_ struct program *to = malloc(sizeof(*to)), *from = malloc(sizeof(*from));
	struct reduce_step s = {.from = from, .to = to};
	uint64_t hash;
	char what[64];
	int e;

	if (!to || !from)
		return -ENOMEM;
	if (!shrink_apply(&r->best, o, edit, n, to) || has_failed(r, hash = hash_of(to))) {
		r->at += r->chunk;
		return 0;
	}
	snprintf(what, sizeof(what), n > 1 ? "%s %u-%u" : "%s %u", shrink_stage_name(r->stage),
		r->at + 1, r->at + n);
	s.what = what;
	*from = r->best;
	e = holds(r, h, to, r->strict ? 2 : 1, o->attempts < 2 ? 2 : o->attempts, &s);
	if (e < 0)
		return e;
	s.accepted = e;
	r->steps++;
	if (e) {
		r->best = *to;
		r->accepted++;
		r->changed = true;
	} else {
		r->at += r->chunk;
		if (!s.hits)
			r->failed[r->nfailed++ % REDUCE_MAX_FAILED] = hash;
	}
	e = tell(r, h, &s);
	return e < 0 || !s.accepted ? e : hasten(r, o, h, &s);
}

static void next_stage(struct reduce *r)
{
	r->chunk = r->at = 0;
	if (++r->stage < SHRINK_STAGES)
		return;
	r->stage = 0;
	r->pass++;
	r->phase = REDUCE_VERIFY;
}

static int shrink(struct reduce *r, const struct reduce_options *o, const struct reduce_hooks *h)
{
	_cleanup_free_ struct shrink_edit *edit = calloc(SHRINK_MAX_EDITS, sizeof(*edit));

	if (!edit)
		return -ENOMEM;
	while (r->phase == REDUCE_SHRINK) {
		unsigned int n = shrink_list(r->stage, &r->best, o, edit);
		int e;

		if (!r->chunk) {
			r->chunk = r->stage == SHRINK_LANES || r->stage == SHRINK_OPS ? (n + 1) / 2
										      : n;
			r->at = 0;
		}
		if (n && r->at >= n) {
			r->at = 0;
			r->chunk = r->chunk > n ? n / 2 : r->chunk / 2;
		}
		if (!n || !r->chunk) {
			next_stage(r);
			continue;
		}
		e = step(r, o, h, edit + r->at, r->chunk < n - r->at ? r->chunk : n - r->at);
		if (e < 0)
			return e;
	}
	return 0;
}

/* ---- the end of a pass ---- */

/* 1: the best comes back `attempts` times within VERIFY_SLOW times what these should take; 0: no; -errno. */
static int holds_often(struct reduce *r, const struct reduce_options *o,
	const struct reduce_hooks *h, struct reduce_step *s)
{
	double limit = VERIFY_SLOW * r->mean_s * o->attempts;
	struct reduce_try t;

	while (s->hits < o->attempts && s->seconds < limit) {
		int e = try_it(r, h, &r->best, limit - s->seconds, &t);

		if (e < 0)
			return e;
		s->seconds += t.seconds;
		s->hits += t.hit;
	}
	return s->hits == o->attempts;
}

/* It may have been the first measurements that were lucky: the original is measured again, then the best once more. */
static void doubt(struct reduce *r, const struct reduce_options *o)
{
	r->doubted = true;
	r->goal = r->tries + o->attempts;
	r->phase = REDUCE_MEASURE;
}

/*
 * Steps are accepted by a few hits each, so luck adds up: what a pass has come to must hold as often as the original was measured.
 * If it does not, the pass is done again from where it held, and one hit is not enough any more.
 */
static int verify(struct reduce *r, const struct reduce_options *o, const struct reduce_hooks *h)
{
	struct reduce_step s = {.what = "all of it again", .from = &r->best, .to = &r->best};
	bool moved = !program_equal(&r->best, &r->sure);
	int e = moved ? holds_often(r, o, h, &s) : 1;

	if (e < 0)
		return e;
	s.accepted = e;
	if (!e && !r->doubted) {
		doubt(r, o);
		return tell(r, h, &s);
	}
	r->phase = (!e || r->changed) && r->pass < MAX_PASSES ? REDUCE_SHRINK : REDUCE_DONE;
	if (e)
		r->sure = r->best;
	else
		r->best = r->sure;
	r->strict |= !e;
	r->changed = r->doubted = false;
	return tell(r, h, moved ? &s : NULL);
}

int reduce_run(struct reduce *r, const struct reduce_options *o, const struct reduce_hooks *h)
{
	int e = 0;

	while (e == 0 && r->phase != REDUCE_DONE)
		e = r->phase == REDUCE_MEASURE	? measure(r, o, h)
		    : r->phase == REDUCE_SHRINK ? shrink(r, o, h)
						: verify(r, o, h);
	return e;
}
