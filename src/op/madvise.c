/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * madvise. A range with a hole is done around the hole and gives ENOMEM; any other error ends the walk where it happens
 * (mm/madvise.c, madvise_walk_vmas).
 */
#include <sys/mman.h>

#include "op/op.h"
#include "backings.h"
#include "result.h"
#include "uapi.h"
#include "uffd.h"

static const struct arg_desc range_args[] = {ARGS_RANGE, {.kind = ARG_END}};

static long advise(struct op_env *e, const struct op_call *c, int advice)
{
	struct op_span s = op_range(e, c);

	return result_of(madvise((void *)s.addr, s.len, advice));
}

#define ADVISE(name, advice)                                              \
	static long run_##name(struct op_env *e, const struct op_call *c) \
	{                                                                 \
		return advise(e, c, advice);                              \
	}

/* ---- advice that is kept in the VMA's flags ---- */

ADVISE(hugepage, MADV_HUGEPAGE)
ADVISE(nohugepage, MADV_NOHUGEPAGE)
ADVISE(dontfork, MADV_DONTFORK)
ADVISE(dofork, MADV_DOFORK)

static unsigned int effects_flags(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_VMA_SPLIT);
	return 1;
}

static const struct op_errno errnos_flags[] = {
	{ENOMEM, WHEN_HOLE},
	{EAGAIN, WHEN_SPLIT}, /* vm.max_map_count */
	{EINVAL, WHEN_UNALIGNED}, /* hugetlb_vm_op_split */
	{0, 0},
};

static bool undo_nohugepage(const struct op_call *c, struct op_call *ret)
{
	return op_undo_range("madvise_hugepage", c, ret);
}

static bool undo_dontfork(const struct op_call *c, struct op_call *ret)
{
	return op_undo_range("madvise_dofork", c, ret);
}

const struct op op_madvise_hugepage = {
	.name = "madvise_hugepage",
	.calls_only = true,
	.stays = true,
	.help = "MADV_HUGEPAGE: wants huge pages",
	.exercises = "hugepage_madvise khugepaged_enter_vma madvise_update_vma __split_vma",
	.weight = 5,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_THP},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos_flags,
	.run = run_hugepage,
	.effects = effects_flags,
};

const struct op op_madvise_nohugepage = {
	.name = "madvise_nohugepage",
	.calls_only = true,
	.stays = true,
	.help = "MADV_NOHUGEPAGE: wants no huge pages",
	.exercises = "hugepage_madvise madvise_update_vma __split_vma",
	.weight = 2,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_THP},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos_flags,
	.run = run_nohugepage,
	.effects = effects_flags,
	.undo = undo_nohugepage,
};

const struct op op_madvise_dontfork = {
	.name = "madvise_dontfork",
	.calls_only = true,
	.stays = true,
	.help = "MADV_DONTFORK: children do not get the range",
	.exercises = "madvise_update_vma __split_vma dup_mmap",
	.weight = 1,
	.backings = BACKINGS_ALL,
	.args = range_args,
	.errnos = errnos_flags,
	.run = run_dontfork,
	.effects = effects_flags,
	.undo = undo_dontfork,
};

const struct op op_madvise_dofork = {
	.name = "madvise_dofork",
	.calls_only = true,
	.stays = true,
	.help = "MADV_DOFORK: children get the range again",
	.exercises = "madvise_update_vma __split_vma dup_mmap",
	.weight = 2,
	.backings = BACKINGS_ALL,
	.args = range_args,
	.errnos = errnos_flags,
	.run = run_dofork,
	.effects = effects_flags,
};

/* ---- collapse ---- */

/* Huge pages that a collapse of the range makes if it succeeds. */
static uint64_t whole_pmds(const struct op_span *s)
{
	uintptr_t pmd = (uintptr_t)s->slot->pmd_pages << s->slot->page_shift;
	uintptr_t first = (s->addr + pmd - 1) / pmd, end = (s->addr + s->len) / pmd;

	return end > first ? end - first : 0;
}

static long run_collapse(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	long r = result_of(madvise((void *)s.addr, s.len, MADV_COLLAPSE));

	if (r == 0)
		e->collapsed += whole_pmds(&s);
	return r;
}

/*
 * mm/khugepaged.c, madvise_collapse_errno: EINVAL is everything that is not one of the others: nothing mapped there
 * yet, no whole PMD in the range, swapped-out pages, a race lost.
 */
static const struct op_errno errnos_collapse[] = {
	{EINVAL, WHEN_ALWAYS},
	{EAGAIN, WHEN_ALWAYS}, /* pages locked, pinned or off the LRU */
	{ENOMEM, WHEN_ALWAYS}, /* no free huge page; a hole */
	{EBUSY, WHEN_ALWAYS}, /* memory cgroup charge */
	{0, 0},
};

const struct op op_madvise_collapse = {
	.name = "madvise_collapse",
	.calls_only = true,
	.help = "MADV_COLLAPSE: makes huge pages of the range now",
	.exercises = "madvise_collapse hpage_collapse_scan_pmd collapse_huge_page "
		     "hpage_collapse_scan_file "
		     "collapse_file collapse_pte_mapped_thp retract_page_tables",
	.weight = 10,
	/* A disk file that is open for writing is never collapsed. */
	.backings =
		1 << BACKING_ANON | BACKINGS_SHMEM | 1 << BACKING_MEMFD_PRIVATE | 1 << BACKING_SYSV,
	.needs = {CAP_HAS_MADV_COLLAPSE},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos_collapse,
	.run = run_collapse,
};

/* ---- advice that throws data away ---- */

static long drop(struct op_env *e, const struct op_call *c, int advice)
{
	struct op_span s = op_range(e, c);
	long r = result_of(madvise((void *)s.addr, s.len, advice));

	uffd_dropped(e, &s);
	return r;
}

static long run_dontneed(struct op_env *e, const struct op_call *c)
{
	return drop(e, c, MADV_DONTNEED);
}

ADVISE(free, MADV_FREE)
ADVISE(remove, MADV_REMOVE)

/* On hugetlb the length is rounded down to whole huge pages, once (5.18 to 6.0) it was rounded up. */
static unsigned int effects_dontneed(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	if (!backing_in(s.slot, BACKINGS_PRIVATE))
		return 0;
	eff[0] = op_effect(&s, EFFECT_ZERO | (op_span_aligned(&s) ? EFFECT_ZEROED : 0));
	return 1;
}

static const struct op_errno errnos_dontneed[] = {
	{ENOMEM, WHEN_HOLE},
	{EINVAL, WHEN_LOCKED | WHEN_UNALIGNED},
	{0, 0},
};

const struct op op_madvise_dontneed = {
	.name = "madvise_dontneed",
	.calls_only = true,
	.help = "MADV_DONTNEED: drops the pages",
	.exercises =
		"madvise_dontneed_single_vma zap_page_range_single zap_huge_pmd __split_huge_pmd "
		"__unmap_hugepage_range",
	.weight = 12,
	.backings = BACKINGS_ALL,
	.args = range_args,
	.errnos = errnos_dontneed,
	.run = run_dontneed,
	.effects = effects_dontneed,
};

static long run_dontneed_locked(struct op_env *e, const struct op_call *c)
{
	return drop(e, c, MADV_DONTNEED_LOCKED);
}

static const struct op_errno errnos_dontneed_locked[] = {
	{ENOMEM, WHEN_HOLE},
	{EINVAL, WHEN_UNALIGNED},
	{0, 0},
};

const struct op op_madvise_dontneed_locked = {
	.name = "madvise_dontneed_locked",
	.calls_only = true,
	.help = "MADV_DONTNEED_LOCKED: drops the pages, locked ones too",
	.exercises = "madvise_dontneed_single_vma zap_page_range_single zap_huge_pmd "
		     "__split_huge_pmd munlock_vma_folio folio_remove_rmap_ptes",
	.weight = 4,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_MADV_DONTNEED_LOCKED},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos_dontneed_locked,
	.run = run_dontneed_locked,
	.effects = effects_dontneed,
};

static unsigned int effects_free(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_ZERO);
	return 1;
}

static const struct op_errno errnos_locked[] = {
	{ENOMEM, WHEN_HOLE},
	{EINVAL, WHEN_LOCKED},
	{0, 0},
};

const struct op op_madvise_free = {
	.name = "madvise_free",
	.calls_only = true,
	.help = "MADV_FREE: the pages may be dropped when memory is short",
	.exercises = "madvise_free_single_vma madvise_free_huge_pmd madvise_free_pte_range "
		     "folio_mark_lazyfree "
		     "split_folio",
	.weight = 5,
	.backings = 1 << BACKING_ANON,
	.needs = {CAP_HAS_MADV_FREE},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos_locked,
	.run = run_free,
	.effects = effects_free,
};

/* Parts of hugetlb pages at the ends are zeroed since 6.0, left alone before. */
static unsigned int effects_remove(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_ZERO | (op_span_aligned(&s) ? EFFECT_ZEROED : 0));
	return 1;
}

static const struct op_errno errnos_remove[] = {
	{ENOMEM, WHEN_HOLE},
	{EINVAL, WHEN_LOCKED},
	{ENOSPC, WHEN_FILE}, /* metadata of a full filesystem */
	{0, 0},
};

const struct op op_madvise_remove = {
	.name = "madvise_remove",
	.calls_only = true,
	.help = "MADV_REMOVE: punches the range out of the object",
	.exercises = "madvise_remove shmem_fallocate shmem_undo_range truncate_inode_partial_folio "
		     "hugetlbfs_punch_hole remove_inode_hugepages unmap_mapping_range",
	.weight = 8,
	.backings = BACKINGS_SHARED,
	.args = range_args,
	.errnos = errnos_remove,
	.run = run_remove,
	.effects = effects_remove,
};

/* ---- advice to reclaim and to read ahead: contents stay ---- */

ADVISE(pageout, MADV_PAGEOUT)
ADVISE(cold, MADV_COLD)
ADVISE(willneed, MADV_WILLNEED)

const struct op op_madvise_pageout = {
	.name = "madvise_pageout",
	.calls_only = true,
	.help = "MADV_PAGEOUT: reclaims the pages now",
	.exercises = "madvise_cold_or_pageout_pte_range reclaim_pages split_folio "
		     "shrink_folio_list try_to_unmap_one",
	.weight = 5,
	.backings = BACKINGS_BASE,
	.needs = {CAP_HAS_MADV_PAGEOUT},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos_locked,
	.run = run_pageout,
};

const struct op op_madvise_cold = {
	.name = "madvise_cold",
	.calls_only = true,
	.stays = true,
	.help = "MADV_COLD: the pages are the next to reclaim",
	.exercises = "madvise_cold_or_pageout_pte_range split_folio folio_deactivate",
	.weight = 3,
	.backings = BACKINGS_BASE,
	.needs = {CAP_HAS_MADV_PAGEOUT},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos_locked,
	.run = run_cold,
};

static const struct op_errno errnos_willneed[] = {
	{ENOMEM, WHEN_HOLE},
	{EBADF, WHEN_ANON}, /* a kernel built without swap */
	{0, 0},
};

const struct op op_madvise_willneed = {
	.name = "madvise_willneed",
	.calls_only = true,
	.stays = true,
	.help = "MADV_WILLNEED: reads swapped or file pages ahead",
	.exercises = "madvise_willneed swapin_walk_pmd_entry shmem_swapin_range "
		     "force_page_cache_readahead",
	.weight = 2,
	.backings = BACKINGS_ALL,
	.args = range_args,
	.errnos = errnos_willneed,
	.run = run_willneed,
};

/* ---- populate ---- */

ADVISE(populate_read, MADV_POPULATE_READ)
ADVISE(populate_write, MADV_POPULATE_WRITE)

static const struct op_errno errnos_populate[] = {
	{EHWPOISON, WHEN_SHORT}, /* UFFDIO_POISON */
	{ENOMEM, WHEN_HOLE | WHEN_TIGHT},
	{EFAULT, WHEN_HOLE | WHEN_SHORT | WHEN_TIGHT}, /* what would be SIGSEGV or SIGBUS */
	{EINVAL, WHEN_HOLE}, /* mapped without the right */
	{0, 0},
};

const struct op op_madvise_populate_read = {
	.name = "madvise_populate_read",
	.calls_only = true,
	.stays = true,
	.help = "MADV_POPULATE_READ: faults the range in for reading",
	.exercises = "madvise_populate faultin_page_range handle_mm_fault hugetlb_fault do_fault "
		     "filemap_map_pages",
	.weight = 5,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_MADV_POPULATE},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos_populate,
	.run = run_populate_read,
};

const struct op op_madvise_populate_write = {
	.name = "madvise_populate_write",
	.calls_only = true,
	.stays = true,
	.help = "MADV_POPULATE_WRITE: faults the range in for writing",
	.exercises = "madvise_populate faultin_page_range handle_mm_fault hugetlb_fault hugetlb_wp "
		     "do_huge_pmd_wp_page "
		     "do_huge_pmd_anonymous_page",
	.weight = 8,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_MADV_POPULATE},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos_populate,
	.run = run_populate_write,
};
