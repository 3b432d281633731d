/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ops that map, unmap and protect. */
#include <sys/mman.h>

#include "op/op.h"
#include "backings.h"
#include "result.h"
#include "uapi.h"

static const struct arg_desc range_args[] = {ARGS_RANGE, {.kind = ARG_END}};

/* The private memory of a range is gone once it is unmapped or mapped anew. */
static uint32_t zeroes_private(const struct op_span *s)
{
	return backing_in(s->slot, BACKINGS_PRIVATE) ? EFFECT_ZEROED : 0;
}

/*
 * A writable shared mapping of a hugetlb file that reaches beyond the file's end makes the file longer
 * (fs/hugetlbfs/inode.c, hugetlbfs_file_mmap).
 */
static unsigned int sized_by_mmap(const struct op_span *s, struct effect *eff)
{
	if (!backing_in(s->slot, BACKINGS_HUGETLB & BACKINGS_WITH_FD))
		return 0;
	*eff = op_effect(s, EFFECT_SIZED);
	eff->pages += eff->page;
	eff->page = 0;
	return 1;
}

/* ---- mmap over the slot's own addresses ---- */

static long run_mmap(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return slot_map(s.slot, s.view, s.page, s.pages, 0);
}

static long run_mmap_populate(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return slot_map(s.slot, s.view, s.page, s.pages, MAP_POPULATE);
}

/* mmap rounds a hugetlb length up to whole huge pages (mm/mmap.c, ksys_mmap_pgoff), and so does op_effect(). */
static unsigned int effects_mmap(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_HOLE | EFFECT_MAPPED | EFFECT_UNGUARDED | EFFECT_KEPT |
				       EFFECT_VMA_SPLIT | zeroes_private(&s));
	return 1 + sized_by_mmap(&s, &eff[1]);
}

static const struct op_errno errnos_mmap[] = {
	{EINVAL, WHEN_UNALIGNED},
	{ENOMEM, WHEN_TIGHT | WHEN_SPLIT}, /* reservation; vm.max_map_count */
	{EAGAIN, WHEN_LOCKED}, /* RLIMIT_MEMLOCK, where the mapping is made from a locked one */
	{0, 0},
};

const struct op op_mmap = {
	.name = "mmap",
	.calls_only = true,
	.help = "maps the range anew over what is there (MAP_FIXED)",
	.exercises = "mmap_region unmap_page_range zap_huge_pmd __unmap_hugepage_range "
		     "hugetlb_reserve_pages",
	.weight = 12,
	.backings = BACKINGS_ALL,
	.args = range_args,
	.errnos = errnos_mmap,
	.run = run_mmap,
	.effects = effects_mmap,
};

const struct op op_mmap_populate = {
	.name = "mmap_populate",
	.calls_only = true,
	.help = "maps the range anew with all its pages (MAP_FIXED, MAP_POPULATE)",
	.exercises = "mmap_region __mm_populate populate_vma_page_range hugetlb_fault "
		     "do_huge_pmd_anonymous_page",
	.weight = 8,
	.backings = BACKINGS_ALL,
	.args = range_args,
	.errnos = errnos_mmap,
	.run = run_mmap_populate,
	.effects = effects_mmap,
};

/* ---- a mapping more, elsewhere, for a moment ---- */

enum { FRESH_ARG_HOW = 3 };
enum { FRESH_POPULATE, FRESH_PLAIN };

static const struct arg_word fresh_words[] = {
	{"populate", FRESH_POPULATE},
	{"plain", FRESH_PLAIN},
	{NULL, 0},
};

static const struct arg_desc fresh_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "whose object"},
	{"off", ARG_OFF, 0, NULL, "first page of the object"},
	{"pages", ARG_LEN, 0, NULL, "length, 0 = to the end"},
	{"how", ARG_ENUM, 0, fresh_words, "with all its pages, or only mapped"},
	{.kind = ARG_END},
};

static void *fresh_map(const struct op_span *s, bool populate)
{
	const struct slot *slot = s->slot;
	int flags = populate ? MAP_POPULATE : 0, prot = PROT_READ | PROT_WRITE;
	off_t off = (off_t)s->page << slot->page_shift;
	void *p;

	if (slot->spec.noreserve)
		flags |= MAP_NORESERVE;
	if (backing_in(slot, BACKINGS_COPIES))
		return mmap(NULL, s->len, prot, MAP_PRIVATE | flags, slot->fd, off);
	if (slot->spec.backing == BACKING_ANON)
		return mmap(NULL, s->len, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	if (!slot->anchor)
		return mmap(NULL, s->len, prot, MAP_SHARED | flags, slot->fd, off);
	/* An old length of 0 maps the same object once more (mremap(2)). */
	p = mremap((char *)slot->anchor + off, 0, s->len, MREMAP_MAYMOVE);
	if (p != MAP_FAILED && populate)
		madvise(p, s->len, MADV_POPULATE_READ);
	return p;
}

/* Reads of private memory only: those of an object that another lane makes short would end in SIGBUS. */
static void fresh_read(const struct op_span *s, const char *p)
{
	if (!backing_in(s->slot, BACKINGS_PRIVATE))
		return;
	(void)*(const volatile char *)p;
	(void)*(const volatile char *)(p + s->len - 1);
}

static long run_mmap_fresh(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	bool populate = c->arg[FRESH_ARG_HOW] == FRESH_POPULATE;
	size_t huge = (size_t)s.slot->granule << s.slot->page_shift;
	void *p = fresh_map(&s, populate);

	if (p == MAP_FAILED)
		return -errno;
	fresh_read(&s, p);
	return result_of(munmap(p, (s.len + huge - 1) / huge * huge));
}

static unsigned int effects_mmap_fresh(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	return sized_by_mmap(&s, eff);
}

static const struct op_errno errnos_mmap_fresh[] = {
	{EINVAL, WHEN_UNALIGNED},
	{ENOMEM,
		WHEN_ALWAYS}, /* reservation, vm.max_map_count, RLIMIT_AS, RLIMIT_DATA, vm.overcommit_memory */
	{EAGAIN, WHEN_LOCKED},
	{0, 0},
};

const struct op op_mmap_fresh = {
	.name = "mmap_fresh",
	.help = "maps the object once more, where the kernel likes, and unmaps that again",
	.exercises = "get_unmapped_area thp_get_unmapped_area hugetlb_get_unmapped_area "
		     "mmap_region munmap "
		     "page_add_file_rmap",
	.weight = 4,
	/* Not private hugetlb: it would take pages that other mappings count on. A segment of hugetlb is attached whole only. */
	.backings = BACKINGS_ALL & ~(1 << BACKING_HUGETLB_PRIVATE | 1 << BACKING_HUGETLB_SYSV),
	.args = fresh_args,
	.errnos = errnos_mmap_fresh,
	.run = run_mmap_fresh,
	.effects = effects_mmap_fresh,
};

/* ---- mmap at the bottom of the address space ---- */

/* The last pages of a huge page: at an address below their distance from its head. */
static long run_mmap_low(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t pmd = s.slot->pmd_pages, most = SLOT_LOW_STRIDE >> s.slot->page_shift;
	uint32_t n = s.pages < most ? s.pages : most;
	uint32_t page = s.page / pmd * pmd + pmd - n;
	void *at = (void *)(SLOT_LOW + (uintptr_t)e->lane * SLOT_LOW_STRIDE);

	munmap(at, SLOT_LOW_STRIDE);
	return mmap(at, (size_t)n << s.slot->page_shift, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, s.slot->fd,
		       (off_t)page << s.slot->page_shift) == MAP_FAILED
		       ? -errno
		       : 0;
}

static const struct op_errno errnos_mmap_low[] = {
	{ENOMEM, WHEN_ALWAYS}, /* vm.max_map_count, RLIMIT_AS */
	{EAGAIN, WHEN_LOCKED}, /* mlockall(MCL_FUTURE) and RLIMIT_MEMLOCK */
	{0, 0},
};

/* Low enough that the address of the huge page's head, counted back from here, would be below zero. */
const struct op op_mmap_low = {
	.name = "mmap_low",
	.help = "maps the tail of a huge page at an address lower than its offset in it, and "
		"leaves it there",
	.exercises =
		"mmap_region filemap_map_pages vma_address page_vma_mapped_walk try_to_migrate",
	.weight = 2,
	.backings = 1 << BACKING_MEMFD | 1 << BACKING_TMPFS,
	.args = range_args,
	.errnos = errnos_mmap_low,
	.run = run_mmap_low,
};

/* ---- munmap ---- */

static const struct op_errno errnos_munmap[] = {
	{EINVAL, WHEN_UNALIGNED},
	{ENOMEM, WHEN_SPLIT}, /* vm.max_map_count */
	{0, 0},
};

static unsigned int effects_of_munmap(const struct op_span *s, struct effect *eff)
{
	eff[0] =
		op_effect(s, EFFECT_HOLE | EFFECT_HOLE_SURE | EFFECT_VMA_SPLIT | zeroes_private(s));
	return 1;
}

static long run_munmap_whole(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return result_of(munmap((void *)s.addr, s.len));
}

static unsigned int effects_munmap_whole(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	return effects_of_munmap(&s, eff);
}

static const struct arg_desc view_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "what it acts on"},
	{"view", ARG_VIEW, 0, NULL, "which mapping"},
	{.kind = ARG_END},
};

const struct op op_munmap_whole = {
	.name = "munmap_whole",
	.calls_only = true,
	.help = "unmaps a whole view",
	.exercises = "do_vmi_munmap unmap_region free_pgtables zap_huge_pmd huge_pmd_unshare "
		     "hugetlb_vm_op_close",
	.weight = 3,
	.backings = BACKINGS_ALL,
	.args = view_args,
	.errnos = errnos_munmap,
	.run = run_munmap_whole,
	.effects = effects_munmap_whole,
	.undo = op_undo_by_mmap,
};

/* Never all of the view: half of it then, in whole huge pages where it can be. */
static struct op_span part_of(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t half = s.slot->pages / 2;

	if (s.pages < s.slot->pages || half == 0)
		return s;
	half -= half > s.slot->granule ? half % s.slot->granule : 0;
	s.pages = half;
	s.len = (size_t)half << s.slot->page_shift;
	return s;
}

static long run_munmap_part(struct op_env *e, const struct op_call *c)
{
	struct op_span s = part_of(e, c);

	return result_of(munmap((void *)s.addr, s.len));
}

static unsigned int effects_munmap_part(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = part_of(e, c);

	return effects_of_munmap(&s, eff);
}

/* The half of a slot of one hugetlb page is a part that no argument names. */
static bool odd_munmap_part(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = part_of(e, c);

	return s.pages % s.slot->granule != 0;
}

static const struct op_errno errnos_munmap_part[] = {
	{EINVAL, WHEN_UNALIGNED | WHEN_ODD},
	{ENOMEM, WHEN_SPLIT},
	{0, 0},
};

const struct op op_munmap_part = {
	.name = "munmap_part",
	.calls_only = true,
	.help = "unmaps a part of a view",
	.exercises =
		"do_vmi_munmap __split_vma vma_adjust_trans_huge __split_huge_pmd unmap_page_range "
		"deferred_split_folio hugetlb_vm_op_split",
	.weight = 10,
	.backings = BACKINGS_ALL,
	.args = range_args,
	.errnos = errnos_munmap_part,
	.run = run_munmap_part,
	.effects = effects_munmap_part,
	.odd = odd_munmap_part,
	.undo = op_undo_by_mmap,
};

/* ---- mprotect ---- */

enum { PROT_ARG = 4 };

static const struct arg_word prot_words[] = {
	{"none", PROT_NONE},
	{"read", PROT_READ},
	{"rw", PROT_READ | PROT_WRITE},
	{NULL, 0},
};

static const struct arg_desc prot_args[] = {
	ARGS_RANGE,
	{"prot", ARG_ENUM, 0, prot_words, "which accesses stay allowed"},
	{.kind = ARG_END},
};

static int prot_of(const struct op_call *c)
{
	return (int)prot_words[c->arg[PROT_ARG]].value;
}

static long run_mprotect(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return result_of(mprotect((void *)s.addr, s.len, prot_of(c)));
}

static unsigned int effects_mprotect(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);
	uint32_t kinds = EFFECT_VMA_SPLIT;

	switch (prot_of(c)) {
	case PROT_NONE:
		kinds |= EFFECT_HOLE | EFFECT_HOLE_SURE;
		break;
	case PROT_READ:
		kinds |= EFFECT_RO | EFFECT_RO_SURE | EFFECT_READABLE;
		break;
	default:
		kinds |= EFFECT_MAPPED;
	}
	eff[0] = op_effect(&s, kinds);
	return 1;
}

/* Half of the calls give all rights back, or everything would end up protected. */
static void tune_mprotect(struct op_call *c, struct rng *r)
{
	if (rng_below(r, 4) == 0)
		c->arg[PROT_ARG] = 2;
}

static bool undo_mprotect(const struct op_call *c, struct op_call *ret)
{
	*ret = *c;
	ret->arg[PROT_ARG] = 2;
	return c->arg[PROT_ARG] != 2;
}

static const struct op_errno errnos_mprotect[] = {
	{ENOMEM, WHEN_HOLE | WHEN_SPLIT},
	{EINVAL, WHEN_UNALIGNED},
	{0, 0},
};

const struct op op_mprotect = {
	.name = "mprotect",
	.calls_only = true,
	.stays = true,
	.help = "changes which accesses a range allows",
	.exercises = "mprotect_fixup change_huge_pmd __split_huge_pmd hugetlb_change_protection",
	.weight = 6,
	.backings = BACKINGS_ALL,
	.args = prot_args,
	.errnos = errnos_mprotect,
	.run = run_mprotect,
	.effects = effects_mprotect,
	.tune = tune_mprotect,
	.undo = undo_mprotect,
};
