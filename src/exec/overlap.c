/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "overlap.h"

#include "base/clock.h"

static void bump(_Atomic uint32_t *n)
{
	/* one writer: a plain add, made visible */
	atomic_store_explicit(
		n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* Eighth of the first op's window in which the other one starts: three bits of a division. */
static unsigned int phase_of(const struct record *first, const struct record *then)
{
	uint64_t at = then->start - first->start, window = first->stop - first->start;
	unsigned int k = 0;

	for (int i = 0; i < 3; i++) {
		at *= 2;
		k *= 2;
		if (at >= window) {
			at -= window;
			k++;
		}
	}
	return k;
}

static void add_pair(struct crew_ctl *ctl, const struct record *x, const struct record *y)
{
	const struct record *a = x->op <= y->op ? x : y, *b = x->op <= y->op ? y : x;
	struct op_pair_stat *p = &ctl->pair[a->op][b->op];
	uint64_t round = atomic_load_explicit(&ctl->round, memory_order_relaxed) + 1;
	bool a_first = a->start <= b->start;

	bump(&p->count);
	bump(&p->phase[!a_first][a_first ? phase_of(a, b) : phase_of(b, a)]);
	if (p->last_round == round)
		return;
	p->last_round = round;
	bump(&p->rounds);
	atomic_fetch_or_explicit(
		&ctl->pair_seen[a->op][b->op / 64], 1ULL << b->op % 64, memory_order_relaxed);
}

/* Both lanes' records are in order of time: one pass. Bit i of a mask: op i of that lane overlapped something. */
static void count_lanes(struct crew_ctl *ctl, const struct lane_ctl *a, const struct lane_ctl *b,
	uint64_t *mask_a, uint64_t *mask_b)
{
	uint32_t na = atomic_load_explicit(&a->nrecords, memory_order_relaxed);
	uint32_t nb = atomic_load_explicit(&b->nrecords, memory_order_relaxed);

	for (uint32_t i = 0, j = 0; i < na && j < nb;) {
		const struct record *x = &a->record[i], *y = &b->record[j];

		if (x->start < y->stop && y->start < x->stop) {
			*mask_a |= 1ULL << i;
			*mask_b |= 1ULL << j;
			add_pair(ctl, x, y);
		}
		if (x->stop < y->stop)
			i++;
		else
			j++;
	}
}

/* How far apart the lanes were released, each against its own deadline. */
static void count_skew(struct crew_ctl *ctl)
{
	uint64_t least = UINT64_MAX, most = 0;
	unsigned int n = 0;

	for (unsigned int l = 0; l < ctl->nlanes; l++) {
		uint64_t late = atomic_load_explicit(&ctl->lane[l].late, memory_order_relaxed);

		if (late == LANE_ABSENT)
			continue;
		least = late < least ? late : least;
		most = late > most ? late : most;
		atomic_store_explicit(&ctl->lane[l].skew_ns,
			atomic_load_explicit(&ctl->lane[l].skew_ns, memory_order_relaxed) +
				clock_to_ns(late),
			memory_order_relaxed);
		n++;
	}
	if (n > 1)
		histogram_add(&ctl->skew, clock_to_ns(most - least));
}

void overlap_count(struct crew_ctl *ctl)
{
	uint64_t mask[PROGRAM_MAX_LANES] = {0}, ops = 0, overlapped = 0;

	for (unsigned int a = 0; a < ctl->nlanes; a++)
		for (unsigned int b = a + 1; b < ctl->nlanes; b++)
			count_lanes(ctl, &ctl->lane[a], &ctl->lane[b], &mask[a], &mask[b]);
	for (unsigned int l = 0; l < ctl->nlanes; l++) {
		ops += atomic_load_explicit(&ctl->lane[l].nrecords, memory_order_relaxed);
		overlapped += (uint64_t)__builtin_popcountll(mask[l]);
	}
	count_skew(ctl);
	atomic_fetch_add_explicit(&ctl->ops_seen, ops, memory_order_relaxed);
	atomic_fetch_add_explicit(&ctl->ops_overlapped, overlapped, memory_order_relaxed);
}
