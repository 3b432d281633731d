/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must work when nobody is about: a folio that nothing pins moves to another node, and splits. A walk of the reverse map that
 * misses a mapping (mm/page_vma_mapped.c) shows in no other way than by failing that for ever.
 */
#include "look.h"
#include "base/clock.h"
#include "base/pace.h"
#include "base/rng.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STREAM_TRY = 3000, FOLIOS = 6, TRY_BUDGET_NS = 10000000 };
/* Others that hold a folio for a moment (khugepaged, compaction, reclaim, a freeing of pins that is put off) have let go of it by then. */
enum { TRIES = 100 };
static const uint64_t patience_ns = 5000000000;

#define PM_PRESENT (1ULL << 63)
#define PM_PFN ((1ULL << 55) - 1)
/* include/uapi/linux/kernel-page-flags.h */
#define KPF_COMPOUND (1ULL << 15 | 1ULL << 16)
#define KPF_HUGE (1ULL << 17)
#define KPF_HWPOISON (1ULL << 19)
#define KPF_ZERO_PAGE (1ULL << 24)

struct target {
	uint8_t slot, view;
	uintptr_t addr;
};

enum outcome { DONE, REFUSED, BUSY, MISPLACED };

/* A page that is there, near a random place: the first, the last or any of its PMD. */
static bool pick(struct lane *l, struct rng *r, struct target *ret)
{
	struct looks *p = l->ex->looks;
	unsigned int slot = (unsigned int)rng_below(r, l->env.nslots);
	const struct slot *s = &l->env.slot[slot];
	uint32_t pmd = s->pmd_pages < OP_SCRATCH_PAGES ? s->pmd_pages : OP_SCRATCH_PAGES, first, at;
	unsigned int view;
	uint64_t how;

	if (!s->present || s->spec.backing == BACKING_FILE ||
		s->spec.backing == BACKING_FILE_PRIVATE)
		return false;
	view = (unsigned int)rng_below(r, s->nviews);
	first = (uint32_t)rng_below(r, s->pages / pmd) * pmd;
	how = rng_below(r, 3);
	at = how == 0 ? 0 : how == 1 ? pmd - 1 : (uint32_t)rng_below(r, pmd);
	if (pread(l->env.pagemap_fd, p->pagemap[0], pmd * sizeof(uint64_t),
		    (off_t)(slot_addr(s, view, first) >> s->page_shift) *
			    (off_t)sizeof(uint64_t)) != (ssize_t)(pmd * sizeof(uint64_t)))
		return false;
	for (uint32_t i = 0; i < pmd; i++, at = (at + (how == 1 ? pmd - 1 : 1)) % pmd) {
		if (!(p->pagemap[0][at] & PM_PRESENT))
			continue;
		*ret = (struct target){
			(uint8_t)slot, (uint8_t)view, slot_addr(s, view, first + at)};
		return true;
	}
	return false;
}

/* Tries until it is done or refused, or patience ends. */
static enum outcome insist(struct lane *l, const struct target *t,
	enum outcome (*try)(struct lane *, const struct target *, uint64_t *), uint64_t *seen)
{
	uint64_t start = clock_ticks(), patience = clock_from_ns(patience_ns);
	bool stretched = false;
	enum outcome o = BUSY;

	for (int n = 0; n < TRIES || clock_ticks() - start < patience; n++) {
		o = try(l, t, seen);
		if (o == DONE || o == REFUSED)
			return o;
		sched_yield();
		if (stretched || n < TRIES || clock_ticks() - start < patience)
			continue;
		stretched = true; /* the others' CPUs are as slow as ours */
		patience = (uint64_t)((double)patience * pace_stretch());
	}
	return o;
}

/* What /proc/kpageflags or kpagecount tells of the page; 0: not known. */
static uint64_t page_word(struct lane *l, int fd, uintptr_t addr)
{
	uint64_t entry, word;
	off_t at = (off_t)(addr / l->ex->machine->page_size) * (off_t)sizeof(entry);

	if (pread(l->env.pagemap_fd, &entry, sizeof(entry), at) != sizeof(entry) ||
		!(entry & PM_PRESENT) || !(entry & PM_PFN))
		return 0;
	at = (off_t)(entry & PM_PFN) * (off_t)sizeof(word);
	return pread(fd, &word, sizeof(word), at) == sizeof(word) ? word : 0;
}

static void report(struct lane *l, enum look_check c, const struct target *t, uint64_t seen)
{
	struct look_case k = {.seen = seen,
		.addr = t->addr,
		.slot = t->slot,
		.view = t->view,
		.mapped = (uint32_t)page_word(l, l->ex->looks->kpagecount_fd, t->addr),
		.tries = TRIES};

	look_report(l, c, &k);
	l->ex->looks->stuck = true;
}

/* ---- moving ---- */

/* To a node that it is not on. A positive result counts folios that could not be moved (move_pages(2)). */
static enum outcome try_move(struct lane *l, const struct target *t, uint64_t *seen)
{
	const struct machine *m = l->ex->machine;
	void *page = (void *)t->addr;
	int status = -1, node;
	long r = syscall(SYS_move_pages, 0, 1UL, &page, NULL, &status, 0);

	if (r != 0 || status < 0)
		return REFUSED;
	node = m->mem_node[0] == status ? m->mem_node[1] : m->mem_node[0];
	r = syscall(SYS_move_pages, 0, 1UL, &page, &node, &status, l->ex->looks->move_flags);
	*seen = page_word(l, l->ex->looks->kpageflags_fd, t->addr);
	if (r > 0 || (r == 0 && status == -EBUSY))
		return BUSY;
	if (r != 0 || status != node)
		return REFUSED;
	r = syscall(SYS_move_pages, 0, 1UL, &page, NULL, &status, 0);
	*seen = (uint64_t)status;
	return r != 0 || status < 0 || status == node ? DONE : MISPLACED;
}

static void move(struct lane *l, const struct target *t)
{
	uint64_t seen = 0;
	enum outcome o = insist(l, t, try_move, &seen);

	if (o == BUSY)
		report(l, LOOK_STUCK, t, seen);
	else if (o == MISPLACED)
		report(l, LOOK_PLACED, t, seen);
}

/* ---- splitting ---- */

/* Up to 6.1 split_huge_pages finds a huge page by follow_page(FOLL_DUMP), which gives none for an entry without rights. */
static bool is_accessible(uintptr_t addr)
{
	return access((const char *)addr, F_OK) == 0 || errno != EFAULT;
}

static enum outcome try_split(struct lane *l, const struct target *t, uint64_t *seen)
{
	uint64_t flags = page_word(l, l->ex->looks->kpageflags_fd, t->addr);
	char text[96];
	int n;

	*seen = flags;
	if (!(flags & KPF_COMPOUND))
		return DONE;
	if ((flags & (KPF_HUGE | KPF_HWPOISON | KPF_ZERO_PAGE)) || !is_accessible(t->addr))
		return REFUSED;
	n = snprintf(text, sizeof(text), "%d,0x%lx,0x%lx,0", (int)getpid(), (unsigned long)t->addr,
		(unsigned long)(t->addr + l->ex->machine->page_size));
	if (write(l->env.split_fd, text, (size_t)n) < 0)
		return REFUSED;
	return BUSY; /* the next try sees what came of it */
}

/* ---- all ---- */

void looks_try(struct lane *l)
{
	struct looks *p = l->ex->looks;
	uint64_t start = clock_ticks(), seen = 0;
	bool moves = l->ex->machine->nmem_nodes > 1 && p->move_flags;
	bool splits = l->env.split_fd >= 0 && p->kpageflags_fd >= 0;
	struct rng r;

	if (!p->due || p->stuck || p->poison || l->env.pagemap_fd < 0)
		return;
	rng_init(&r, l->ex->plan->seed, l->ex->ctl->index, STREAM_TRY + l->env.proc,
		atomic_load(&l->ex->ctl->round));
	for (int i = 0; i < FOLIOS && clock_ticks() - start < clock_from_ns(TRY_BUDGET_NS); i++) {
		struct target t;

		if (!pick(l, &r, &t))
			continue;
		if (moves)
			move(l, &t);
		if (splits && !p->stuck && insist(l, &t, try_split, &seen) == BUSY)
			report(l, LOOK_UNSPLIT, &t, seen);
		if (p->stuck)
			break;
	}
	p->spent += clock_ticks() - start;
}
