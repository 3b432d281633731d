/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mremap(2). A cell belongs to its place, so what is moved away comes back or is dropped; in between it is watched at its
 * other place, where nobody may write: a change there came through a stale translation of the old address.
 */
#include "op/op.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "mem/cell.h"
#include "backings.h"
#include "offline.h"
#include "steps.h"
#include "uffd.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { ARG_HOLD = 4, ARG_POPULATE = 4 };

static long do_mremap(uintptr_t from, size_t old_len, size_t new_len, int flags, uintptr_t to)
{
	return mremap((void *)from, old_len, new_len, flags, (void *)to) == MAP_FAILED ? -errno : 0;
}

static bool is_private(const struct op_span *s)
{
	return backing_is_private(s->slot->spec.backing);
}

/* Where page 0 of the slot would lie so that the span lies at the lane's spare room. */
static uintptr_t spare_base(const struct op_env *e, const struct op_span *s)
{
	return slot_spare(s->slot, e->lane);
}

static uintptr_t spare_addr(const struct op_env *e, const struct op_span *s)
{
	return spare_base(e, s) + ((uintptr_t)s->page << s->slot->page_shift);
}

/* Watches what was moved away for a while. */
static void watch(struct op_env *e, const struct op_span *s, uint32_t hold_ns)
{
	uint64_t until = clock_ticks() + clock_from_ns(hold_ns);
	bool private = is_private(s);
	uint64_t before = private ? cells_sum_at(e->cells, s->slot_no, spare_base(e, s), s->page,
					    s->pages)
				  : 0,
		 after;

	cells_check_at(e->cells, s->slot_no, spare_base(e, s), s->page, s->pages);
	clock_spin_until(until);
	if (!private)
		return;
	after = cells_sum_at(e->cells, s->slot_no, spare_base(e, s), s->page, s->pages);
	if (before && after && before != after)
		cells_report(
			e->cells, EVIDENCE_FROZEN, s->slot_no, s->view, s->page, before, after);
}

static const struct arg_desc hold_args[] = {
	ARGS_RANGE,
	{"hold", ARG_NS, 200000, NULL, "how long it stays away"},
	{NULL, ARG_END, 0, NULL, NULL},
};

static const struct op_errno move_errnos[] = {
	{EFAULT, WHEN_HOLE | WHEN_SPLIT},
	{EINVAL, WHEN_UNALIGNED},
	{EAGAIN, WHEN_LOCKED},
	{ENOMEM, WHEN_ALWAYS}, /* page tables, VMAs, map count */
	{0, 0},
};

static bool is_whole(struct op_env *e, const struct op_span *s, uint32_t *ret_seq)
{
	return space_whole(
		&e->cells->space[s->slot_no], e->proc, s->view, s->page, s->pages, ret_seq);
}

/* Markers of UFFDIO_POISON and of memory failure move along like any other entry. */
static uint32_t poison_of(const struct op_env *e)
{
	return gear_of(e, &gear_uffd) || gear_of(e, &gear_offline) ? EFFECT_BUS : 0;
}

/*
 * From 6.17 on a move takes several VMAs along, with the gaps between them: only what was whole comes back whole. What comes
 * back also replaces what others have mapped or protected there in the meantime, with the guards and flags that it had.
 */
static long run_move(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t kinds = EFFECT_VMA_SPLIT | (is_private(&s) ? EFFECT_ZERO | EFFECT_STALE : 0), seq,
		 own, back;
	uintptr_t spare = spare_addr(e, &s);
	uint32_t chunks = space_chunks(&e->cells->space[s.slot_no], s.page, s.pages);
	bool whole = is_whole(e, &s, &seq);
	struct effect_run fx;
	long r;

	effect_now(e, &fx, &s, kinds | EFFECT_HOLE | EFFECT_HOLE_SURE);
	is_whole(e, &s, &own);
	r = do_mremap(s.addr, s.len, s.len, MREMAP_MAYMOVE | MREMAP_FIXED, spare);
	effect_done(e, &fx, r == 0);
	if (r < 0) {
		munmap((void *)spare, s.len); /* what was moved before it failed */
		return r;
	}
	watch(e, &s, c->arg[ARG_HOLD]);
	whole = whole && own - seq == chunks; /* by our own effects alone */
	effect_now(e, &fx, &s,
		kinds | EFFECT_HOLE | EFFECT_RO | EFFECT_MAPPED |
			(whole ? 0 : EFFECT_GUARD | EFFECT_WIPE | poison_of(e)));
	is_whole(e, &s, &back);
	r = do_mremap(spare, s.len, s.len, MREMAP_MAYMOVE | MREMAP_FIXED, s.addr);
	whole = whole && back - own == 2 * chunks;
	effect_done(e, &fx, r == 0 && whole);
	if (r < 0)
		munmap((void *)spare, s.len);
	return r;
}

const struct op op_mremap_move = {
	.name = "mremap_move",
	.help = "moves a range to the lane's spare room, watches it there, moves it back",
	.exercises = "move_page_tables move_huge_pmd move_normal_pmd move_ptes "
		     "move_hugetlb_page_tables copy_vma vma_merge",
	.hazard = HAZARD_SAFE,
	.weight = 5,
	.backings = (1u << BACKING_COUNT) - 1,
	.args = hold_args,
	.errnos = move_errnos,
	.run = run_move,
};

/* ---- fixed: a new mapping moved over the range ---- */

static const struct arg_word populate_words[] = {{"no", 0}, {"yes", 1}, {NULL, 0}};

static const struct arg_desc fixed_args[] = {
	ARGS_RANGE,
	{"populate", ARG_ENUM, 0, populate_words, "fault its pages in before it is moved"},
	{NULL, ARG_END, 0, NULL, NULL},
};

/* Mapping a hugetlb file makes it at least as long as the mapping reaches (hugetlbfs_file_mmap()). */
static long map_spare(struct op_env *e, const struct op_span *s)
{
	bool grows = backing_in(s->slot, BACKINGS_HUGETLB & BACKINGS_WITH_FD);
	struct effect_run fx;
	long r;

	fx.eff[0] = op_effect(s, EFFECT_SIZED);
	fx.eff[0].pages += fx.eff[0].page;
	fx.eff[0].page = 0;
	fx.n = grows;
	effects_begin(e->cells->space, e->nslots, e->proc, &fx);
	r = slot_map_at(s->slot, spare_addr(e, s), s->page, s->pages, 0);
	effect_done(e, &fx, r == 0);
	return r;
}

static long run_fixed(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uintptr_t spare = spare_addr(e, &s);
	struct effect_run fx;
	long r = map_spare(e, &s);

	if (r < 0)
		return r;
	if (c->arg[ARG_POPULATE])
		madvise((void *)spare, s.len, MADV_POPULATE_WRITE);
	effect_now(e, &fx, &s,
		EFFECT_VMA_SPLIT | EFFECT_HOLE | EFFECT_MAPPED | EFFECT_UNGUARDED | EFFECT_KEPT |
			(is_private(&s) ? EFFECT_ZEROED : 0));
	r = do_mremap(spare, s.len, s.len, MREMAP_MAYMOVE | MREMAP_FIXED, s.addr);
	effect_done(e, &fx, r == 0);
	if (r < 0)
		munmap((void *)spare, s.len);
	return r;
}

const struct op op_mremap_fixed = {
	.name = "mremap_fixed",
	.calls_only = true,
	.help = "makes a new mapping of the range and moves it over the old one (MREMAP_FIXED)",
	.exercises = "mremap_to do_munmap move_vma move_page_tables move_huge_pmd unmap_region",
	.hazard = HAZARD_SAFE,
	.weight = 4,
	.backings = (1u << BACKING_COUNT) - 1,
	.args = fixed_args,
	.errnos = move_errnos,
	.run = run_fixed,
};

/* ---- dontunmap ---- */

static const struct op_errno dontunmap_errnos[] = {
	{EFAULT, WHEN_HOLE | WHEN_SPLIT},
	{EINVAL, WHEN_UNALIGNED | WHEN_HUGETLB}, /* VM_DONTEXPAND, as hugetlb has it, is refused */
	{EAGAIN, WHEN_LOCKED},
	{ENOMEM, WHEN_ALWAYS},
	{0, 0},
};

static long run_dontunmap(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uintptr_t spare = spare_addr(e, &s);
	struct effect_run fx;
	long r;

	/* The page tables move, and guards with them; the VMA and its flags stay. */
	effect_now(e, &fx, &s,
		EFFECT_VMA_SPLIT | EFFECT_UNGUARDED | EFFECT_WP_LIFT |
			(is_private(&s) ? EFFECT_ZERO : 0));
	r = do_mremap(
		s.addr, s.len, s.len, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, spare);
	effect_done(e, &fx, r == 0);
	if (r < 0)
		return r;
	watch(e, &s, c->arg[ARG_HOLD]);
	return munmap((void *)spare, s.len) < 0 ? -errno : 0;
}

const struct op op_mremap_dontunmap = {
	.name = "mremap_dontunmap",
	.help = "moves a range's pages away and leaves the mapping behind, empty "
		"(MREMAP_DONTUNMAP); drops the pages",
	.exercises = "move_vma move_page_tables move_huge_pmd vm_stat_account unlink_anon_vmas",
	.hazard = HAZARD_SAFE,
	.weight = 3,
	.backings = BACKINGS_BASE,
	.needs = {CAP_HAS_MREMAP_DONTUNMAP},
	.nneeds = 1,
	.args = hold_args,
	.errnos = dontunmap_errnos,
	.run = run_dontunmap,
};

/* ---- shrink ---- */

static const struct arg_desc shrink_args[] = {
	ARGS_RANGE,
	{NULL, ARG_END, 0, NULL, NULL},
};

/* What is left: half of the range, whole huge pages on hugetlb, at least one. */
static uint32_t shrink_keep(const struct op_span *s)
{
	uint32_t keep = s->pages / 2 / s->slot->granule * s->slot->granule;

	return keep ? keep : s->slot->granule;
}

static unsigned int shrink_effects(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);
	uint32_t keep = shrink_keep(&s);

	if (keep >= s.pages)
		return 0;
	eff[0] = op_effect(&s, EFFECT_VMA_SPLIT | EFFECT_HOLE | EFFECT_HOLE_SURE |
				       (is_private(&s) ? EFFECT_ZEROED : 0));
	eff[0].page += keep;
	eff[0].pages -= keep;
	return 1;
}

static long run_shrink(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t keep = shrink_keep(&s);

	return do_mremap(
		s.addr, s.len, keep < s.pages ? (size_t)keep << s.slot->page_shift : s.len, 0, 0);
}

const struct op op_mremap_shrink = {
	.name = "mremap_shrink",
	.calls_only = true,
	.help = "shrinks a range to its half: the rest is unmapped",
	.exercises = "mremap do_vmi_munmap unmap_region zap_huge_pmd __unmap_hugepage_range",
	.hazard = HAZARD_SAFE,
	.weight = 2,
	.backings = (1u << BACKING_COUNT) - 1,
	.args = shrink_args,
	.errnos = move_errnos,
	.effects = shrink_effects,
	.run = run_shrink,
	.undo = op_undo_by_mmap,
};

/* ---- grow: behind the end of a view, where the arena leaves room ---- */

static const struct arg_desc grow_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "what it acts on"},
	{"view", ARG_VIEW, 0, NULL, "through which mapping"},
	{"off", ARG_OFF, 0, NULL, "first page; the range reaches to the end"},
	{"pages", ARG_LEN, 0, NULL, "not used: always to the end"},
	{"by", ARG_INT, 1024, NULL, "pages to grow by, at least one"},
	{NULL, ARG_END, 0, NULL, NULL},
};

static const struct op_errno grow_errnos[] = {
	{EFAULT, WHEN_HOLE | WHEN_SPLIT},
	{EINVAL, WHEN_HUGETLB}, /* hugetlb mappings do not grow */
	{EAGAIN, WHEN_LOCKED},
	{ENOMEM, WHEN_ALWAYS}, /* another lane has grown into the room */
	{0, 0},
};

static long run_grow(struct op_env *e, const struct op_call *c)
{
	struct op_call to_end = *c;
	struct op_span s;
	size_t more;
	long r;

	to_end.arg[3] = 0;
	s = op_range(e, &to_end);
	more = (size_t)(c->arg[4] ? c->arg[4] : 1) % (2 * s.slot->pmd_pages) << s.slot->page_shift;
	r = do_mremap(s.addr, s.len, s.len + more, 0, 0);
	if (r == 0 && more)
		munmap((void *)(s.addr + s.len), more);
	return r;
}

const struct op op_mremap_grow = {
	.name = "mremap_grow",
	.help = "grows a view behind its end and cuts it back",
	.exercises = "vma_to_resize vma_expandable vma_merge do_vmi_munmap",
	.hazard = HAZARD_SAFE,
	.weight = 2,
	.backings = BACKINGS_BASE,
	.args = grow_args,
	.errnos = grow_errnos,
	.run = run_grow,
};
