/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "overlap.h"

static void add_pair(struct crew_ctl *ctl, unsigned int a, unsigned int b)
{
	_Atomic uint32_t *n = a <= b ? &ctl->pair[a][b] : &ctl->pair[b][a];

	atomic_store_explicit(
		n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
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
			add_pair(ctl, x->op, y->op);
		}
		if (x->stop < y->stop)
			i++;
		else
			j++;
	}
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
	atomic_fetch_add_explicit(&ctl->ops_seen, ops, memory_order_relaxed);
	atomic_fetch_add_explicit(&ctl->ops_overlapped, overlapped, memory_order_relaxed);
}
