/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that stay mlocked in memory that nobody locks: counted twice by a migration that met the mlock (mm/mlock.c, mlock_vma_pages_range).
 * Nothing else tells: such a page only is never reclaimed again.
 */
#include "look.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { SPANS = 64, PAGES = 1024, HEADS = 4 };

#define PM_PRESENT (1ULL << 63)
#define PM_PFN ((1ULL << 55) - 1)
/* include/uapi/linux/kernel-page-flags.h, include/linux/kernel-page-flags.h */
#define KPF_ANON (1ULL << 12)
#define KPF_MLOCKED (1ULL << 33)
/* compound head and tail, hugetlb, hwpoison, KSM, THP, zero page */
#define KPF_OTHER (3ULL << 15 | 1ULL << 17 | 1ULL << 19 | 1ULL << 21 | 1ULL << 22 | 1ULL << 24)

struct span {
	uintptr_t start;
	uint64_t pages;
	bool locked;
	uint8_t slot, view;
};

struct spans {
	struct lane *l;
	unsigned int n;
	struct span span[SPANS];
};

static bool is_small_mlocked(uint64_t entry, uint64_t flags)
{
	return entry & PM_PRESENT &&
	       (flags & (KPF_ANON | KPF_MLOCKED | KPF_OTHER)) == (KPF_ANON | KPF_MLOCKED);
}

/*
 * The first page of what was a large folio is not judged: a munlock that meets a split passes over its migration entries, the split
 * hands PG_mlocked on to all its pages, and the first one keeps mlock_count (mm/huge_memory.c, lru_add_page_tail: the others begin
 * at 0, so that the next mlock and munlock end it). The smallest large folio of anonymous memory has HEADS pages, and lies on that border.
 */
bool look_keeps_mlock(uint64_t entry, uint64_t flags, uint64_t count)
{
	return is_small_mlocked(entry, flags) && count == 1 && (entry & PM_PFN) % HEADS != 0;
}

static void keep_span(void *arg, const struct smaps_vma *v)
{
	struct spans *s = arg;
	const struct slot *slot;
	struct span span = {.start = v->start, .locked = v->locked};

	if (s->n == SPANS || v->mergeable || !look_slot_of(s->l, v->start, &span.slot, &span.view))
		return;
	slot = &s->l->env.slot[span.slot];
	if (slot->spec.backing != BACKING_ANON)
		return;
	span.pages = (v->end - v->start) >> slot->page_shift;
	s->span[s->n++] = span;
}

/* Every CPU's batches of pages to count: move_pages waits for them (mm/migrate.c, do_pages_move). Moves nothing. */
static void drain(struct looks *p)
{
	void *page = p->text;
	int node = -1, status = -1;

	p->text[0] = 0;
	if (syscall(SYS_move_pages, 0, 1UL, &page, NULL, &node, 0) == 0 && node >= 0)
		syscall(SYS_move_pages, 0, 1UL, &page, &node, &status, p->move_flags);
}

/* What /proc/kpageflags has of n pages, neighbours at once. */
static bool read_flags(const struct looks *p, uint32_t n)
{
	const uint64_t *entry = p->pagemap[0];
	uint64_t *flags = p->pagemap[1];
	uint32_t run;

	for (uint32_t i = 0; i < n; i += run) {
		uint64_t pfn = entry[i] & PM_PFN;
		ssize_t len;

		run = 1;
		flags[i] = 0;
		if (!(entry[i] & PM_PRESENT))
			continue;
		if (!pfn)
			return false;
		while (i + run < n && entry[i + run] & PM_PRESENT &&
			(entry[i + run] & PM_PFN) == pfn + run)
			run++;
		len = (ssize_t)(run * sizeof(*flags));
		if (pread(p->kpageflags_fd, flags + i, (size_t)len,
			    (off_t)(pfn * sizeof(*flags))) != len)
			return false;
	}
	return true;
}

/* The first page from addr on that stays mlocked; n: none. */
static uint32_t find(struct lane *l, struct looks *p, uintptr_t addr, uint32_t n)
{
	size_t page = l->ex->machine->page_size, len = n * sizeof(uint64_t);

	if (pread(l->env.pagemap_fd, p->pagemap[0], len, (off_t)(addr / page * sizeof(uint64_t))) !=
			(ssize_t)len ||
		!read_flags(p, n))
		return n;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t count = 0, pfn = p->pagemap[0][i] & PM_PFN;

		if (!is_small_mlocked(p->pagemap[0][i], p->pagemap[1][i]))
			continue;
		if (pread(p->kpagecount_fd, &count, sizeof(count), (off_t)(pfn * sizeof(count))) ==
				sizeof(count) &&
			look_keeps_mlock(p->pagemap[0][i], p->pagemap[1][i], count))
			return i;
	}
	return n;
}

/* Locks and unlocks what find() saw mlocked: it ends all but what was counted twice. */
static void relock(struct lane *l, struct looks *p, uintptr_t addr, uint32_t n)
{
	size_t page = l->ex->machine->page_size;
	uint32_t run;

	for (uint32_t i = 0; i < n; i += run) {
		run = 1;
		if (!is_small_mlocked(p->pagemap[0][i], p->pagemap[1][i]))
			continue;
		while (i + run < n &&
			is_small_mlocked(p->pagemap[0][i + run], p->pagemap[1][i + run]))
			run++;
		mlock((void *)(addr + i * page), run * page);
		munlock((void *)(addr + i * page), run * page);
	}
}

static void check(struct lane *l, struct looks *p, struct look *look, const struct span *s,
	uintptr_t addr, uint32_t n)
{
	uint32_t at;

	if (find(l, p, addr, n) == n)
		return;
	drain(p);
	if (find(l, p, addr, n) == n)
		return;
	relock(l, p, addr, n);
	drain(p);
	at = find(l, p, addr, n);
	if (at == n)
		return;
	look_differs(look, LOOK_STAYS_MLOCKED,
		(struct look_case){.expected = 0,
			.seen = p->pagemap[1][at],
			.addr = addr + at * l->ex->machine->page_size,
			.slot = s->slot,
			.view = s->view});
}

/*
 * A count may be late in a CPU's batch, and come after the next munlock and mlock: legal, and a page counted twice. Only reclaim that
 * meets locked memory leaves one there (mm/rmap.c, folio_referenced_one), and a fault that reads from swap (mm/memory.c, do_swap_page).
 */
static bool may_count_late(void)
{
	struct sysinfo info;

	return sysinfo(&info) < 0 || info.totalswap > 0;
}

void look_mlock(struct lane *l, struct looks *p, struct look *look)
{
	struct spans s = {.l = l};
	uint64_t all = 0, skip, left = PAGES, page = l->ex->machine->page_size;

	if (!p->mlocks || !p->move_flags || l->env.pagemap_fd < 0 || p->kpageflags_fd < 0 ||
		p->kpagecount_fd < 0 || may_count_late() || look_smaps(l, p, keep_span, &s) < 0)
		return;
	for (unsigned int i = 0; i < s.n; i++) {
		if (s.span[i].locked)
			munlock((void *)s.span[i].start, s.span[i].pages * page);
		all += s.span[i].pages;
	}
	skip = all > PAGES ? p->turn * PAGES % all : 0;
	for (unsigned int i = 0; i < s.n && left; i++) {
		uint64_t from = skip < s.span[i].pages ? skip : s.span[i].pages;

		skip -= from;
		while (from < s.span[i].pages && left) {
			uint64_t n = s.span[i].pages - from;

			n = n < left ? n : left;
			n = n < OP_SCRATCH_PAGES ? n : OP_SCRATCH_PAGES;
			check(l, p, look, &s.span[i], s.span[i].start + from * page, (uint32_t)n);
			from += n;
			left -= n;
		}
	}
}
