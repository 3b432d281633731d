/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "exec/model.h"

#include <string.h>

enum { SKETCH_FULL = 256 };

/* 0..3 have a bucket each, then four for each power of two; the last is for all above. */
unsigned int bucket_of(uint64_t ns)
{
	unsigned int log, b;

	if (ns < 4)
		return (unsigned int)ns;
	log = 63 - (unsigned int)__builtin_clzll(ns);
	b = (log - 1) * 4 + (unsigned int)(ns >> (log - 2) & 3);
	return b < BUCKETS ? b : BUCKETS - 1;
}

uint64_t bucket_middle(unsigned int bucket)
{
	unsigned int log = bucket / 4 + 1;
	uint64_t width;

	if (bucket < 4)
		return bucket;
	width = 1ULL << (log - 2);
	return (4 + bucket % 4) * width + width / 2;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	_Atomic uint32_t *n = &h->n[bucket_of(ns)];

	/* one writer: a plain add, made visible to the supervisor */
	atomic_store_explicit(
		n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}

uint64_t buckets_quantile(const uint64_t n[BUCKETS], unsigned int permille)
{
	uint64_t total = 0, below = 0;

	for (unsigned int i = 0; i < BUCKETS; i++)
		total += n[i];
	if (!total)
		return 0;
	for (unsigned int i = 0; i < BUCKETS; i++) {
		below += n[i];
		if (below * 1000 > total * permille || below == total)
			return bucket_middle(i);
	}
	return bucket_middle(BUCKETS - 1);
}

/* Lanes halve at the same time at worst: then more fades. */
static void fade(struct sketch *s)
{
	uint32_t total = 0;

	for (unsigned int i = 0; i < BUCKETS; i++) {
		uint16_t n = atomic_load_explicit(&s->n[i], memory_order_relaxed) / 2;

		if (n || atomic_load_explicit(&s->n[i], memory_order_relaxed))
			atomic_store_explicit(&s->n[i], n, memory_order_relaxed);
		total += n;
	}
	atomic_store_explicit(&s->total, total, memory_order_relaxed);
}

void sketch_add(struct sketch *s, uint64_t ns)
{
	_Atomic uint16_t *n = &s->n[bucket_of(ns)];
	uint32_t total = atomic_load_explicit(&s->total, memory_order_relaxed) + 1;

	/* several writers, no lock, no partner: a lost update is one value less */
	atomic_store_explicit(n, (uint16_t)(atomic_load_explicit(n, memory_order_relaxed) + 1),
		memory_order_relaxed);
	atomic_store_explicit(&s->total, total, memory_order_relaxed);
	if (total >= SKETCH_FULL)
		fade(s);
}

uint64_t sketch_quantile(const struct sketch *s, unsigned int permille)
{
	uint64_t n[BUCKETS];

	for (unsigned int i = 0; i < BUCKETS; i++)
		n[i] = atomic_load_explicit(&s->n[i], memory_order_relaxed);
	return buckets_quantile(n, permille);
}

const char *model_size_name(enum model_size s)
{
	static const char *const names[MODEL_SIZES] = {
		"none", "page", "part", "huge", "huges", "slot"};

	return names[s];
}

static enum model_size size_of(const struct op_span *s)
{
	uint32_t unit = s->slot->granule > 1 ? s->slot->granule : s->slot->pmd_pages;

	if (s->pages >= s->slot->pages)
		return MODEL_SLOT;
	if (s->pages > unit)
		return MODEL_HUGES;
	if (s->pages == unit)
		return MODEL_HUGE;
	return s->pages > 1 ? MODEL_PART : MODEL_PAGE;
}

struct model_key model_key(const struct op_env *e, const struct op_call *c)
{
	struct model_key k = {.op = c->op};

	if (op_get(c->op)->backings) {
		struct op_span s = op_range(e, c);

		k.size = (uint8_t)size_of(&s);
		k.backing = s.slot->spec.backing;
	}
	return k;
}

void model_add(struct model *m, struct model_key k, bool failed, uint64_t ns)
{
	struct sketch *both = m->of[k.op][k.backing][k.size];

	sketch_add(&both[failed], ns);
	sketch_add(&m->any[k.op], ns);
	/* The other result fades as well, so that the totals tell which one is usual now. */
	if (atomic_load_explicit(&both[failed].total, memory_order_relaxed) == SKETCH_FULL / 2 &&
		atomic_load_explicit(&both[!failed].total, memory_order_relaxed))
		fade(&both[!failed]);
}

uint64_t model_guess(const struct model *m, struct model_key k)
{
	const struct sketch *both = m->of[k.op][k.backing][k.size];
	uint32_t good = atomic_load_explicit(&both[0].total, memory_order_relaxed),
		 bad = atomic_load_explicit(&both[1].total, memory_order_relaxed);

	if (!good && !bad)
		return sketch_quantile(&m->any[k.op], 500);
	return sketch_quantile(&both[bad > good], 500);
}
