/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells about one address space in several places: smaps, smaps_rollup, maps, numa_maps, pagemap, mincore, move_pages. */
#include "look.h"
#include "base/clock.h"
#include "lines.h"
#include "numa_maps.h"

#include <errno.h>
#include <numaif.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TEXT_SIZE = 65536 };

#define PM_PRESENT (1ULL << 63)
#define PM_SWAP (1ULL << 62) /* any entry that is not present: swapped, migrating, poisoned */

/* One mapping of a slot that is compared page by page. */
struct sample {
	uintptr_t start;
	uint32_t pages, page_shift;
	bool readable, private, whole; /* whole: its pages are all of the mapping */
	uint8_t slot, view;
	uint32_t granule;
};

struct seeing {
	struct lane *l;
	struct looks *p;
	struct look *look;
	uint64_t sum[SMAPS_FIELDS];
	uint32_t have, vmas, slot_vmas;
	uint64_t hash; /* of the mappings' borders and rights */
	uint64_t kb[SLOT_MAX][SLOT_MAX_VIEWS]; /* that smaps says are there */
	uint64_t numa_kb[SLOT_MAX][SLOT_MAX_VIEWS];
	struct sample sample;
	struct numa_vma numa; /* of the sample */
};

/* ---- a mapping ---- */

static uint64_t mix(uint64_t hash, uint64_t v)
{
	return (hash ^ v) * 0x100000001b3ULL;
}

static uint64_t hash_vma(uint64_t hash, const struct smaps_vma *v)
{
	uint64_t perms = 0;

	memcpy(&perms, v->perms, 4);
	return mix(mix(mix(mix(hash, v->start), v->end), v->offset), perms);
}

static void differs(struct seeing *s, enum look_check c, const char *field, uint64_t expected,
	uint64_t seen, uintptr_t addr)
{
	struct look_case k = {
		.field = field, .expected = expected, .seen = seen, .addr = addr, .slot = NO_SLOT};

	look_slot_of(s->l, addr, &k.slot, &k.view);
	look_differs(s->look, c, k);
}

static void at_most(
	struct seeing *s, const struct smaps_vma *v, enum smaps_field f, enum smaps_field limit)
{
	if (v->have >> f & 1 && v->have >> limit & 1 && v->kb[f] > v->kb[limit])
		differs(s, LOOK_VMA_SUM, smaps_field_name(f), v->kb[limit], v->kb[f], v->start);
}

static void check_parts(struct seeing *s, const struct smaps_vma *v)
{
	uint64_t parts = v->kb[SMAPS_SHARED_CLEAN] + v->kb[SMAPS_SHARED_DIRTY] +
			 v->kb[SMAPS_PRIVATE_CLEAN] + v->kb[SMAPS_PRIVATE_DIRTY];

	if (parts != v->kb[SMAPS_RSS])
		differs(s, LOOK_VMA_SUM, "Rss", parts, v->kb[SMAPS_RSS], v->start);
	at_most(s, v, SMAPS_RSS, SMAPS_SIZE);
	at_most(s, v, SMAPS_PSS, SMAPS_RSS);
	at_most(s, v, SMAPS_PSS_DIRTY, SMAPS_PSS);
	at_most(s, v, SMAPS_REFERENCED, SMAPS_RSS);
	at_most(s, v, SMAPS_ANON, SMAPS_RSS);
	at_most(s, v, SMAPS_LAZYFREE, SMAPS_ANON);
	at_most(s, v, SMAPS_ANON_HUGE, SMAPS_ANON);
	at_most(s, v, SMAPS_LOCKED, SMAPS_PSS);
}

static void check_huge(struct seeing *s, const struct smaps_vma *v)
{
	static const enum smaps_field mapped[] = {SMAPS_ANON_HUGE, SMAPS_SHMEM_PMD, SMAPS_FILE_PMD};
	uint64_t huge = v->kb[SMAPS_SHARED_HUGETLB] + v->kb[SMAPS_PRIVATE_HUGETLB], sum = 0;
	uint64_t pmd = s->l->ex->machine->pmd_size >> 10, unit = v->kb[SMAPS_PAGE_SIZE];

	for (unsigned int i = 0; i < 3; i++) {
		sum += v->kb[mapped[i]];
		if (pmd && v->kb[mapped[i]] % pmd)
			differs(s, LOOK_VMA_HUGE, smaps_field_name(mapped[i]), 0, v->kb[mapped[i]],
				v->start);
	}
	if (sum > v->kb[SMAPS_RSS])
		differs(s, LOOK_VMA_HUGE, "more than Rss", v->kb[SMAPS_RSS], sum, v->start);
	if (huge > v->kb[SMAPS_SIZE] || (unit && huge % unit))
		differs(s, LOOK_VMA_HUGE, "hugetlb", v->kb[SMAPS_SIZE], huge, v->start);
	if (v->hugetlb && v->kb[SMAPS_RSS])
		differs(s, LOOK_VMA_HUGE, "hugetlb Rss", 0, v->kb[SMAPS_RSS], v->start);
}

/* Private anonymous memory, when no child is left that shares it. */
static void check_exclusive(struct seeing *s, const struct smaps_vma *v, uint8_t slot)
{
	if (s->l->env.slot[slot].spec.backing != BACKING_ANON || v->mergeable || s->p->mirrored ||
		s->p->poison)
		return;
	if (v->kb[SMAPS_SHARED_CLEAN] + v->kb[SMAPS_SHARED_DIRTY])
		differs(s, LOOK_VMA_SHARED, NULL, 0,
			v->kb[SMAPS_SHARED_CLEAN] + v->kb[SMAPS_SHARED_DIRTY], v->start);
	if (v->kb[SMAPS_PSS] != v->kb[SMAPS_RSS])
		differs(s, LOOK_VMA_SHARED, "Pss", v->kb[SMAPS_RSS], v->kb[SMAPS_PSS], v->start);
}

/* Which part of which mapping: rotates with the epochs. */
static void take_sample(struct seeing *s, const struct smaps_vma *v, uint8_t slot, uint8_t view)
{
	const struct slot *sl = &s->l->env.slot[slot];
	uint32_t n = s->p->slot_vmas ? s->p->slot_vmas : 1;
	uint64_t pages = (v->end - v->start) >> sl->page_shift, windows, at;

	if (s->slot_vmas != s->p->turn % n)
		return;
	windows = (pages + OP_SCRATCH_PAGES - 1) / OP_SCRATCH_PAGES;
	at = s->p->turn / n % windows * OP_SCRATCH_PAGES;
	s->sample = (struct sample){.start = v->start + (at << sl->page_shift),
		.pages = (uint32_t)(pages - at < OP_SCRATCH_PAGES ? pages - at : OP_SCRATCH_PAGES),
		.page_shift = sl->page_shift,
		.readable = v->perms[0] == 'r',
		.private = backing_is_private(sl->spec.backing) && sl->fd < 0,
		.whole = windows == 1,
		.slot = slot,
		.view = view,
		.granule = sl->granule};
}

static void see_vma(void *arg, const struct smaps_vma *v)
{
	struct seeing *s = arg;
	struct smaps_vma planted;
	uint8_t slot, view;

	if (look_injects(s->l, EVIDENCE_REPORTS) && s->vmas == 0) {
		planted = *v;
		planted.kb[SMAPS_RSS] += 4;
		v = &planted;
	}

	s->hash = hash_vma(s->hash, v);
	s->vmas++;
	s->have |= v->have;
	for (unsigned int f = 0; f < SMAPS_FIELDS; f++)
		s->sum[f] += v->gate ? 0 : v->kb[f];
	check_parts(s, v);
	check_huge(s, v);
	if (!v->locked && v->kb[SMAPS_LOCKED])
		differs(s, LOOK_VMA_LOCKED, NULL, 0, v->kb[SMAPS_LOCKED], v->start);
	if (!look_slot_of(s->l, v->start, &slot, &view))
		return;
	check_exclusive(s, v, slot);
	s->kb[slot][view] +=
		v->kb[SMAPS_RSS] + v->kb[SMAPS_SHARED_HUGETLB] + v->kb[SMAPS_PRIVATE_HUGETLB];
	take_sample(s, v, slot, view);
	s->slot_vmas++;
}

/* ---- the whole process ---- */

static void take_rollup(void *arg, const struct smaps_vma *v)
{
	*(struct smaps_vma *)arg = *v;
}

static bool read_rollup(struct seeing *s, struct smaps_vma *ret)
{
	struct smaps_parser parser = {.each = take_rollup, .arg = ret};

	memset(ret, 0, sizeof(*ret));
	if (lines_read(s->l->env.smaps_rollup_fd, s->p->text, TEXT_SIZE, smaps_line, &parser) < 0)
		return false;
	smaps_end(&parser);
	return ret->have >> SMAPS_RSS & 1;
}

/* Fields that smaps rounds mapping by mapping: each loses less than 1 kB there. */
static bool is_rounded(unsigned int f)
{
	return f == SMAPS_PSS || f == SMAPS_PSS_DIRTY || f == SMAPS_LOCKED;
}

static void check_rollup(struct seeing *s, const struct smaps_vma *a, const struct smaps_vma *b)
{
	for (unsigned int f = SMAPS_RSS; f < SMAPS_FIELDS; f++) {
		uint64_t slack = is_rounded(f) ? s->vmas : 0;

		if (!(a->have & s->have & 1U << f) || a->kb[f] != b->kb[f])
			continue;
		if (a->kb[f] < s->sum[f] || a->kb[f] > s->sum[f] + slack)
			differs(s, LOOK_ROLLUP, smaps_field_name(f), s->sum[f], a->kb[f], 0);
	}
}

static void see_map(void *arg, const struct smaps_vma *v)
{
	struct seeing *s = arg;

	s->hash = hash_vma(s->hash, v);
}

static void check_maps(struct seeing *s)
{
	uint64_t smaps = s->hash;
	struct smaps_parser parser = {.each = see_map, .arg = s};

	s->hash = 0;
	if (lines_read(s->p->maps_fd, s->p->text, TEXT_SIZE, smaps_line, &parser) < 0)
		return;
	smaps_end(&parser);
	if (s->hash != smaps)
		differs(s, LOOK_MAPS, NULL, smaps, s->hash, 0);
}

static void see_numa(void *arg, char *line)
{
	struct seeing *s = arg;
	struct numa_vma v;
	uint8_t slot, view;

	if (!numa_maps_line(line, &v) || !look_slot_of(s->l, v.start, &slot, &view))
		return;
	s->numa_kb[slot][view] += v.pages * v.page_kb;
	if (v.start == s->sample.start)
		s->numa = v;
}

/* smaps counts what numa_maps does not: entries of migration, poison and devices. The first pass away. */
static void check_numa(struct seeing *s)
{
	if (s->l->env.numa_maps_fd < 0 || s->p->poison || s->p->mirrored)
		return;
	if (lines_read(s->l->env.numa_maps_fd, s->p->text, TEXT_SIZE, see_numa, s) < 0)
		return;
	for (unsigned int i = 0; i < s->l->env.nslots; i++)
		for (unsigned int v = 0; v < s->l->env.slot[i].nviews; v++)
			if (s->kb[i][v] > s->numa_kb[i][v] ||
				(s->kb[i][v] < s->numa_kb[i][v] && !s->p->hides_huge))
				differs(s, LOOK_NUMA_MAPS, NULL, s->kb[i][v], s->numa_kb[i][v],
					s->l->env.slot[i].view[v]);
}

/* ---- page by page ---- */

static bool read_pagemap(struct seeing *s, uint64_t *ret)
{
	size_t want = s->sample.pages * sizeof(*ret);
	off_t at = (off_t)(s->sample.start >> s->sample.page_shift) * (off_t)sizeof(*ret);

	return pread(s->l->env.pagemap_fd, ret, want, at) == (ssize_t)want;
}

static bool ask_nodes(struct seeing *s)
{
	struct op_scratch *x = s->l->env.scratch;

	for (uint32_t i = 0; i < s->sample.pages; i++)
		x->page[i] = (void *)(s->sample.start + ((uintptr_t)i << s->sample.page_shift));
	return syscall(SYS_move_pages, 0, (unsigned long)s->sample.pages, x->page, NULL, x->status,
		       0) == 0;
}

/*
 * mm/mincore.c: what has a page, or an entry that migrates, is in memory; what has none is where no object could have it. move_pages
 * tells a node for a present page, and only for that; EFAULT: the zero page.
 */
static bool node_due(const struct seeing *s, uint64_t entry, int status)
{
	return entry & PM_PRESENT && status != -EFAULT && !(status == -ENOENT && s->p->hides_pages);
}

static void check_page(struct seeing *s, uint32_t i, uint64_t entry, bool incore, int status)
{
	uintptr_t addr = s->sample.start + ((uintptr_t)i << s->sample.page_shift);

	if (entry & PM_PRESENT && !incore)
		differs(s, LOOK_MINCORE_PRESENT, NULL, entry, 0, addr);
	if (!(entry & (PM_PRESENT | PM_SWAP)) && incore && s->sample.private)
		differs(s, LOOK_MINCORE_ABSENT, NULL, entry, 1, addr);
	if (!s->sample.readable || s->p->mirrored)
		return;
	if (status < 0 && node_due(s, entry, status))
		differs(s, LOOK_QUERY_PRESENT, NULL, entry, (uint64_t)(int64_t)status, addr);
	if (!(entry & PM_PRESENT) && status >= 0)
		differs(s, LOOK_QUERY_ABSENT, NULL, entry, (uint64_t)status, addr);
}

static void check_query_sum(struct seeing *s)
{
	const struct op_scratch *x = s->l->env.scratch;
	uint64_t n[MACHINE_MAX_NODES] = {0};
	uint64_t unit = s->numa.page_kb ? (s->numa.page_kb << 10) >> s->sample.page_shift : 1;

	if (!s->sample.whole || !s->sample.readable || s->numa.start != s->sample.start ||
		s->p->mirrored)
		return;
	for (uint32_t i = 0; i < s->sample.pages; i++)
		if (x->status[i] >= 0 && x->status[i] < MACHINE_MAX_NODES)
			n[x->status[i]]++;
	for (int i = 0; i < MACHINE_MAX_NODES; i++)
		if (n[i] > s->numa.node[i] * unit ||
			(n[i] < s->numa.node[i] * unit && !s->p->hides_pages))
			differs(s, LOOK_NUMA_QUERY, NULL, s->numa.node[i] * unit, n[i],
				s->sample.start);
}

static void check_sample(struct seeing *s)
{
	struct op_scratch *x = s->l->env.scratch;
	uint64_t *before = s->p->pagemap[0], *after = s->p->pagemap[1];
	size_t len = (size_t)s->sample.pages << s->sample.page_shift;

	if (!s->sample.pages || s->l->env.pagemap_fd < 0 || !read_pagemap(s, before))
		return;
	if (mincore((void *)s->sample.start, len, x->vec) < 0 || !ask_nodes(s) ||
		!read_pagemap(s, after) ||
		memcmp(before, after, s->sample.pages * sizeof(*before)) != 0)
		return; /* something is on its way, or there are no NUMA calls here */
	for (uint32_t i = 0; i < s->sample.pages; i++)
		check_page(s, i, before[i], x->vec[i] & 1, x->status[i]);
	check_query_sum(s);
}

void look_reports(struct lane *l, struct looks *p, struct look *look)
{
	struct seeing s = {.l = l, .p = p, .look = look};
	struct smaps_vma before, after;
	bool rollup = read_rollup(&s, &before);

	if (look_smaps(l, p, see_vma, &s) < 0)
		return;
	if (rollup && read_rollup(&s, &after))
		check_rollup(&s, &before, &after);
	check_maps(&s);
	check_numa(&s);
	check_sample(&s);
	p->slot_vmas = s.slot_vmas;
}
