/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"
#include "look.h"

#include <numaif.h>
#include <string.h>

static uint8_t log_of(uint64_t v)
{
	return v ? (uint8_t)(64 - __builtin_clzll(v)) : 0;
}

struct sums {
	struct lane *l;
	uint64_t of[SLOT_MAX][SLOT_MAX_VIEWS][SLOT_FIGURES];
};

static void add_vma(void *arg, const struct smaps_vma *v)
{
	struct sums *s = arg;
	uint8_t slot, view;
	uint64_t *of;

	if (!look_slot_of(s->l, v->start, &slot, &view))
		return;
	of = s->of[slot][view];
	of[SLOT_VMAS]++;
	of[SLOT_RSS] += v->kb[SMAPS_RSS];
	of[SLOT_ANON] += v->kb[SMAPS_ANON];
	of[SLOT_PMD] += v->kb[SMAPS_ANON_HUGE] + v->kb[SMAPS_SHMEM_PMD] + v->kb[SMAPS_FILE_PMD];
	of[SLOT_HUGETLB] += v->kb[SMAPS_SHARED_HUGETLB] + v->kb[SMAPS_PRIVATE_HUGETLB];
	of[SLOT_SWAP] += v->kb[SMAPS_SWAP];
	of[SLOT_LOCKED] += v->kb[SMAPS_LOCKED];
}

static void take_nodes(const struct slot *s, unsigned int view, uint8_t ret[2])
{
	uint32_t last = (s->pages - 1) / s->pmd_pages * s->pmd_pages;
	void *page[2] = {(void *)slot_addr(s, view, 0), (void *)slot_addr(s, view, last)};
	int status[2] = {0};

	memset(ret, 0, 2);
	if (move_pages(0, 2, page, NULL, status, 0) < 0)
		return;
	for (int i = 0; i < 2; i++)
		ret[i] = (uint8_t)(status[i] >= 0 ? status[i] & 63 : NODE_NONE + (-status[i] & 63));
}

void state_take(struct lane *l)
{
	struct crew_ctl *ctl = l->ex->ctl;
	struct sums s = {.l = l};

	if (look_smaps(l, l->ex->looks, add_vma, &s) < 0)
		return;
	for (unsigned int i = 0; i < ctl->nslots; i++)
		for (unsigned int v = 0; ctl->slot[i].present && v < ctl->slot[i].nviews; v++) {
			struct slot_state *to = &ctl->state[l->env.proc][i][v];

			for (unsigned int f = 0; f < SLOT_FIGURES; f++)
				to->figure[f] = log_of(s.of[i][v][f]);
			take_nodes(&ctl->slot[i], v, to->node);
		}
}
