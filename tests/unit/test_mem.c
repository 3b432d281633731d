/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model of what is legal, and the judgement of cells, on memory of this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mem/arena.h"
#include "mem/cell.h"
#include "mem/tail.h"

enum { PAGES = 1024, PMD_PAGES = 512, LANES = 2 };

struct world {
	struct slot slot;
	struct space space;
	struct space_mem mem;
	struct evidence_ring ring;
	struct cells lane[LANES];
	uint8_t lane_proc[LANES];
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	void *p = mmap(
		NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	w->slot = (struct slot){.spec = {.name = "s", .backing = BACKING_ANON, .maps = 1},
		.present = true,
		.fd = -1,
		.pages = PAGES,
		.granule = 1,
		.pmd_pages = PMD_PAGES,
		.page_shift = 12,
		.nviews = 1,
		.view = {(uintptr_t)p}};
	space_init(&w->space, &w->slot, 1, LANES, w->lane_proc, &w->mem);
	w->mem = (struct space_mem){.base = calloc(1, w->mem.used)};
	space_init(&w->space, &w->slot, 1, LANES, w->lane_proc, &w->mem);
	space_reset(&w->space);
	for (unsigned int l = 0; l < LANES; l++)
		w->lane[l] = (struct cells){.slot = &w->slot,
			.space = &w->space,
			.nslots = 1,
			.lane = l,
			.nlanes = LANES,
			.ring = &w->ring};
	cells_set_current(&w->lane[0]);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	munmap((void *)w->slot.view[0], PAGES * 4096);
	free(w->mem.base);
	free(w);
	return 0;
}

static _Atomic uint64_t *cell(struct world *w, unsigned int lane, uint32_t page)
{
	return (_Atomic uint64_t *)(slot_addr(&w->slot, 0, page) + lane * CELL_STRIDE);
}

static enum evidence_kind next_evidence(struct world *w)
{
	struct evidence e;

	return evidence_pop(&w->ring, &e) ? e.kind : EVIDENCE_NONE;
}

static struct effect_run begin(struct world *w, uint32_t kinds, uint32_t page, uint32_t pages)
{
	struct effect_run fx = {.n = 1, .eff = {{.kinds = kinds, .page = page, .pages = pages}}};

	effects_begin(&w->space, 1, 0, &fx);
	return fx;
}

static void run_effect(struct world *w, uint32_t kinds, uint32_t page, uint32_t pages)
{
	struct effect_run fx = begin(w, kinds, page, pages);

	effects_end(&w->space, 1, 0, 0, &fx, true);
}

static void touch(
	struct world *w, unsigned int lane, uint32_t page, uint32_t pages, enum cell_how how)
{
	cells_set_current(&w->lane[lane]);
	assert_int_equal(cells_handle_signals(), 0); /* in place of the test library's */
	cells_touch(&w->lane[lane], 0, 0, page, pages, 1, how);
}

static void a_healthy_memory_gives_no_evidence(void **state)
{
	struct world *w = *state;

	for (unsigned int i = 0; i < 3; i++)
		for (unsigned int l = 0; l < LANES; l++)
			touch(w, l, 0, PAGES, CELL_RMW);
	assert_true(cells_hammer(&w->lane[1], 0, 0, 3, 8, 0) == 0);
	assert_int_equal(cells_sweep(&w->lane[0], 0, 0), PAGES);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

static void an_older_generation_is_a_lost_write(void **state)
{
	struct world *w = *state;
	uint64_t old;

	touch(w, 0, 7, 1, CELL_WRITE);
	old = *cell(w, 0, 7);
	touch(w, 0, 7, 1, CELL_RMW);
	*cell(w, 0, 7) = old;
	touch(w, 0, 7, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_OLD);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	touch(w, 0, 7, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE); /* told once */
}

static void another_pages_stamp_is_foreign(void **state)
{
	struct world *w = *state;

	touch(w, 0, 0, 16, CELL_WRITE);
	*cell(w, 0, 3) = *cell(w, 0, 4);
	touch(w, 0, 3, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_FOREIGN);
	*cell(w, 0, 5) = 0x1234;
	touch(w, 0, 5, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_FOREIGN);
}

static void a_zero_needs_an_op_that_explains_it(void **state)
{
	struct world *w = *state;

	touch(w, 0, 0, 4, CELL_WRITE);
	*cell(w, 0, 1) = 0;
	touch(w, 0, 1, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_ZERO);
	run_effect(w, EFFECT_ZERO, 2, 1);
	*cell(w, 0, 2) = 0;
	touch(w, 0, 2, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

static void an_op_that_ended_before_the_stamp_explains_nothing(void **state)
{
	struct world *w = *state;

	for (uint32_t pages = 1; pages <= PMD_PAGES; pages += PMD_PAGES - 1) {
		run_effect(w, EFFECT_ZERO, 0, pages);
		touch(w, 0, 0, 1, CELL_WRITE);
		*cell(w, 0, 0) = 0;
		touch(w, 0, 0, 1, CELL_READ);
		assert_int_equal(next_evidence(w), EVIDENCE_ZERO);
	}
}

static void an_op_still_running_at_the_stamp_explains_a_zero(void **state)
{
	struct world *w = *state;
	struct effect_run fx = begin(w, EFFECT_ZERO, 0, PMD_PAGES);

	touch(w, 0, 0, 1, CELL_WRITE);
	*cell(w, 0, 0) = 0;
	touch(w, 0, 0, 1, CELL_READ);
	effects_end(&w->space, 1, 0, 1, &fx, true);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

static void what_was_promised_to_be_zero_must_be(void **state)
{
	struct world *w = *state;

	touch(w, 0, 0, PMD_PAGES, CELL_WRITE);
	run_effect(w, EFFECT_ZEROED, 0, PMD_PAGES); /* but the memory keeps its stamps */
	touch(w, 0, 9, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_STALE);
}

static void a_peer_must_not_see_less_than_was_published(void **state)
{
	struct world *w = *state;
	uint64_t old;

	touch(w, 0, 5, 1, CELL_WRITE);
	old = *cell(w, 0, 5);
	touch(w, 0, 5, 1, CELL_RMW);
	touch(w, 1, 5, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	*cell(w, 0, 5) = old;
	touch(w, 1, 5, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_STALE);
}

static void a_childs_write_must_stay_in_the_child(void **state)
{
	struct world *w = *state;

	touch(w, 0, 5, 1, CELL_WRITE);
	*cell(w, 0, 5) |= CELL_CHILD;
	touch(w, 0, 5, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_CHILD);
}

static void a_fault_is_legal_in_a_hole_only(void **state)
{
	struct world *w = *state;
	void *page = (void *)slot_addr(&w->slot, 0, 20);

	mprotect(page, 4096, PROT_NONE);
	touch(w, 0, 16, 8, CELL_RMW);
	assert_int_equal(next_evidence(w), EVIDENCE_SEGV);
	run_effect(w, EFFECT_HOLE, 20, 1);
	touch(w, 0, 16, 8, CELL_RMW);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	run_effect(w, EFFECT_MAPPED, 20, 1);
	touch(w, 0, 16, 8, CELL_RMW);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	mprotect(page, 4096, PROT_NONE);
	touch(w, 0, 16, 8, CELL_RMW);
	assert_int_equal(next_evidence(w), EVIDENCE_SEGV);
}

static void a_fault_is_judged_by_the_last_of_losses_and_repairs(void **state)
{
	struct world *w = *state;

	run_effect(w, EFFECT_HOLE | EFFECT_MAPPED, 0, PAGES);
	run_effect(w, EFFECT_MAPPED, 0, PAGES);
	mprotect((void *)slot_addr(&w->slot, 0, 20), 4096, PROT_NONE);
	touch(w, 0, 20, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_SEGV);
	run_effect(w, EFFECT_HOLE, 20, 1);
	touch(w, 0, 20, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	run_effect(w, EFFECT_MAPPED, 0, PAGES);
	touch(w, 0, 20, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_SEGV);
	run_effect(w, EFFECT_HOLE, 0, PAGES);
	touch(w, 0, 20, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

static void a_repair_that_a_loss_overlapped_proves_nothing(void **state)
{
	struct world *w = *state;
	struct effect_run loss = begin(w, EFFECT_HOLE, 20, 1);

	run_effect(w, EFFECT_MAPPED, 20, 1);
	effects_end(&w->space, 1, 0, 1, &loss, true);
	mprotect((void *)slot_addr(&w->slot, 0, 20), 4096, PROT_NONE);
	touch(w, 0, 20, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

static void a_stamp_beyond_the_end_need_not_last(void **state)
{
	struct world *w = *state;

	run_effect(w, EFFECT_BUS, 25, 1);
	touch(w, 0, 25, 1, CELL_WRITE);
	run_effect(w, EFFECT_SIZED, 25, 1);
	*cell(w, 0, 25) = 0;
	touch(w, 0, 25, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	touch(w, 0, 25, 1, CELL_WRITE);
	*cell(w, 0, 25) = 0;
	touch(w, 0, 25, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_ZERO);
}

static void read_only_faults_writes_alone(void **state)
{
	struct world *w = *state;

	run_effect(w, EFFECT_RO | EFFECT_READABLE, 30, 1);
	mprotect((void *)slot_addr(&w->slot, 0, 30), 4096, PROT_READ);
	touch(w, 0, 30, 1, CELL_WRITE);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	mprotect((void *)slot_addr(&w->slot, 0, 30), 4096, PROT_NONE);
	touch(w, 0, 30, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_SEGV);
}

static void what_was_surely_unmapped_must_fault(void **state)
{
	struct world *w = *state;

	run_effect(w, EFFECT_HOLE | EFFECT_HOLE_SURE, 40, 2);
	touch(w, 0, 40, 1, CELL_READ); /* the memory is still there */
	assert_int_equal(next_evidence(w), EVIDENCE_NO_FAULT);
	run_effect(w, EFFECT_MAPPED, 41, 1);
	touch(w, 0, 40, 2, CELL_READ); /* a mapping op began since: nothing is sure any more */
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

static void a_write_to_what_is_surely_read_only_must_fault(void **state)
{
	struct world *w = *state;

	run_effect(w, EFFECT_RO | EFFECT_RO_SURE | EFFECT_READABLE, 50, 1);
	touch(w, 0, 50, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	touch(w, 0, 50, 1, CELL_WRITE);
	assert_int_equal(next_evidence(w), EVIDENCE_NO_FAULT);
}

/* mprotect gives rights back, and a guard stays. */
static void a_guard_outlasts_what_repairs_a_hole(void **state)
{
	struct world *w = *state;

	mprotect((void *)slot_addr(&w->slot, 0, 70), 4096, PROT_NONE);
	run_effect(w, EFFECT_GUARD, 70, 1);
	run_effect(w, EFFECT_MAPPED, 70, 1);
	touch(w, 0, 70, 1, CELL_RMW);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	run_effect(w, EFFECT_UNGUARDED, 70, 1);
	touch(w, 0, 70, 1, CELL_RMW);
	assert_int_equal(next_evidence(w), EVIDENCE_SEGV);
}

static void what_is_surely_guarded_must_fault(void **state)
{
	struct world *w = *state;

	run_effect(w, EFFECT_GUARD | EFFECT_GUARD_SURE, 72, 1);
	run_effect(w, EFFECT_MAPPED, 72, 1);
	touch(w, 0, 72, 1, CELL_READ);
	assert_int_equal(next_evidence(w), EVIDENCE_NO_FAULT);
	run_effect(w, EFFECT_UNGUARDED, 73, 1);
	touch(w, 0, 72, 1, CELL_READ); /* a guard may have been taken away since */
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

static void a_guarded_range_is_not_whole(void **state)
{
	struct world *w = *state;
	uint32_t before, after;

	assert_true(space_whole(&w->space, 0, 0, 0, PAGES, &before));
	run_effect(w, EFFECT_GUARD, 3, 1);
	assert_false(space_whole(&w->space, 0, 0, 0, PAGES, &after));
	assert_int_equal(after, before + 1);
	assert_true(space_facts(&w->space, 0, 0, 3, 1).hole);
	run_effect(w, EFFECT_UNGUARDED, 3, 1);
	assert_true(space_whole(&w->space, 0, 0, 0, PAGES, &after));
}

/* Looks at a page of lane 0 as a child that was forked. */
static enum evidence_kind look_as_child(struct world *w, uint32_t page)
{
	w->lane[0].child = true;
	touch(w, 0, page, 1, CELL_READ);
	w->lane[0].child = false;
	return next_evidence(w);
}

static enum evidence_kind fork_and_look(struct world *w, uint32_t page)
{
	cells_before_fork(&w->lane[0], 0, 0, PAGES);
	return look_as_child(w, page);
}

static void a_child_finds_zeroes_only_where_it_may_be_wiped(void **state)
{
	struct world *w = *state;

	touch(w, 0, 80, 2, CELL_WRITE);
	run_effect(w, EFFECT_WIPE, 80, 1);
	assert_int_equal(fork_and_look(w, 80), EVIDENCE_NONE);
	*cell(w, 0, 80) = 0;
	*cell(w, 0, 81) = 0;
	assert_int_equal(fork_and_look(w, 80), EVIDENCE_NONE);
	assert_int_equal(fork_and_look(w, 81), EVIDENCE_ZERO);
	run_effect(w, EFFECT_KEPT, 80, 1);
	assert_int_equal(fork_and_look(w, 80), EVIDENCE_ZERO);
}

static void a_child_that_is_surely_wiped_finds_zeroes(void **state)
{
	struct world *w = *state;

	touch(w, 0, 80, 1, CELL_WRITE);
	run_effect(w, EFFECT_WIPE | EFFECT_WIPE_SURE, 80, 1);
	assert_int_equal(fork_and_look(w, 80), EVIDENCE_STALE);
	run_effect(w, EFFECT_KEPT, 80, 1);
	assert_int_equal(fork_and_look(w, 80), EVIDENCE_NONE);
}

/* What others do once the child is there changes nothing for it: neither way. */
static void a_child_is_judged_by_the_time_of_its_fork(void **state)
{
	struct world *w = *state;

	touch(w, 0, 80, 1, CELL_WRITE);
	cells_before_fork(&w->lane[0], 0, 0, PAGES);
	run_effect(w, EFFECT_WIPE | EFFECT_WIPE_SURE, 80, 1);
	assert_int_equal(look_as_child(w, 80), EVIDENCE_NONE);
	cells_before_fork(&w->lane[0], 0, 0, PAGES);
	run_effect(w, EFFECT_KEPT, 80, 1);
	*cell(w, 0, 80) = 0;
	assert_int_equal(look_as_child(w, 80), EVIDENCE_NONE);
}

/* As a child that lives on sees shared memory: its lane stamps on, beside it. */
static void a_lingering_child_must_not_see_less_than_was_published(void **state)
{
	struct world *w = *state;
	uint64_t old;

	touch(w, 0, 85, 1, CELL_WRITE);
	touch(w, 1, 85, 1, CELL_WRITE);
	old = *cell(w, 0, 85);
	touch(w, 0, 85, 1, CELL_WRITE);
	w->lane[0].child = true;
	cells_check_all(&w->lane[0], 0, 0, 84, 3, 1);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	*cell(w, 0, 85) = old;
	*cell(w, 1, 85) = 0;
	cells_check_all(&w->lane[0], 0, 0, 84, 3, 1);
	assert_int_equal(next_evidence(w), EVIDENCE_STALE);
	assert_int_equal(next_evidence(w), EVIDENCE_ZERO);
	cells_check_all(&w->lane[0], 0, 0, 84, 3, 2); /* 85 is left out */
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

static void a_failed_op_takes_no_certainty(void **state)
{
	struct world *w = *state;
	struct effect_run fx = begin(w, EFFECT_HOLE | EFFECT_HOLE_SURE, 60, 1);

	effects_end(&w->space, 1, 0, 0, &fx, false);
	touch(w, 0, 60, 1, CELL_RMW);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

static void a_reset_forgets_the_epoch(void **state)
{
	struct world *w = *state;

	touch(w, 0, 0, PAGES, CELL_WRITE);
	run_effect(w, EFFECT_HOLE | EFFECT_HOLE_SURE, 0, PAGES);
	memset((void *)w->slot.view[0], 0, PAGES * 4096);
	space_reset(&w->space);
	touch(w, 0, 0, PAGES, CELL_RMW);
	touch(w, 1, 0, PAGES, CELL_RMW);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

static void a_write_to_what_is_write_protected_must_fault_first(void **state)
{
	struct world *w = *state;

	touch(w, 0, 0, 32, CELL_RMW); /* a private page is judged by who has written it */
	run_effect(w, EFFECT_WP, 8, 16);
	touch(w, 0, 0, 8, CELL_RMW);
	touch(w, 0, 9, 1, CELL_READ);
	touch(w, 1, 12, 1, CELL_RMW); /* never written by this lane: but nothing was ever dropped */
	assert_int_equal(next_evidence(w), EVIDENCE_BIT);
	touch(w, 0, 10, 1, CELL_RMW);
	assert_int_equal(next_evidence(w), EVIDENCE_BIT);
	run_effect(w, EFFECT_WP_LIFT, 10, 1); /* as the handler of such a fault does */
	touch(w, 0, 10, 1, CELL_RMW);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	touch(w, 0, 11, 1, CELL_WRITE);
	assert_int_equal(next_evidence(w), EVIDENCE_BIT);
}

static void what_may_take_write_protection_away_does(void **state)
{
	static const uint32_t kinds[] = {
		EFFECT_WP_LIFT, EFFECT_HOLE, EFFECT_MAPPED, EFFECT_ZERO, EFFECT_BUS};
	struct world *w = *state;

	touch(w, 0, 0, 1, CELL_RMW);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct effect_run fx;

		run_effect(w, EFFECT_WP, 0, 4);
		assert_true(wp_sure(&w->space, &w->space.content[0], &w->space.view[0][0], 0));
		fx = begin(w, kinds[i], 0, 1);
		assert_false(wp_sure(&w->space, &w->space.content[0], &w->space.view[0][0], 0));
		assert_true(wp_sure(&w->space, &w->space.content[0], &w->space.view[0][0], 1));
		run_effect(w, EFFECT_WP, 0, 4); /* while it is under way: proves nothing */
		effects_end(&w->space, 1, 0, 0, &fx, true);
		assert_false(wp_sure(&w->space, &w->space.content[0], &w->space.view[0][0], 0));
	}
	run_effect(w, EFFECT_WP, 0, 4);
	space_reset(&w->space);
	assert_false(wp_sure(&w->space, &w->space.content[0], &w->space.view[0][0], 0));
}

static void every_cell_injection_is_seen(void **state)
{
	struct world *w = *state;
	static const enum evidence_kind kind[] = {[CELL_INJECT_OLD] = EVIDENCE_OLD,
		[CELL_INJECT_FOREIGN] = EVIDENCE_FOREIGN,
		[CELL_INJECT_ZERO] = EVIDENCE_ZERO,
		[CELL_INJECT_BIT] = EVIDENCE_BIT};

	for (enum cell_inject i = CELL_INJECT_OLD; i <= CELL_INJECT_BIT; i++) {
		w->lane[0].inject = i;
		touch(w, 0, 70 + i, 1, CELL_RMW);
		assert_int_equal(next_evidence(w), kind[i]);
	}
}

static void effects_cover_whole_and_part_of_a_chunk_alike(void **state)
{
	struct world *w = *state;
	const struct track *t = &w->space.content[0].zero;
	struct effect_run fx =
		begin(w, EFFECT_ZERO, 500, 524); /* part of the first PMD, all of the second */

	assert_int_equal(track_begun(&w->space, t, 499), 0);
	assert_int_equal(track_begun(&w->space, t, 500), 1);
	assert_int_equal(track_begun(&w->space, t, 512), 1);
	assert_int_equal(track_begun(&w->space, t, 1023), 1);
	assert_int_equal(track_ended(&w->space, t, 500), 0);
	effects_end(&w->space, 1, 0, 0, &fx, true);
	assert_int_equal(track_ended(&w->space, t, 500), 1);
	assert_int_equal(track_ended(&w->space, t, 1023), 1);
}

static void a_tail_is_judged_while_nothing_may_have_taken_its_page(void **state)
{
	struct world *w = *state;
	struct cells *c = &w->lane[1];
	struct tail_mark m = tail_mark(c, 0, 0, 80);
	uint64_t v = tail_next(c, 0, 80), seen = 0;

	cells_set_current(c);
	assert_true(tail_store(c, 0, 0, 80, tail_line(1), &v, sizeof(v)));
	tail_wrote(c, 0, 0, 80, v, &m);
	assert_true(tail_load(c, 0, 0, 80, tail_line(1), &seen, sizeof(seen)));
	tail_judge(c, 0, 0, 0, 80, seen, "a test");
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	assert_true(tail_kept(c, 0, 0, 80, &m));
	tail_judge(c, 0, 0, 0, 80, 0, "a test");
	assert_int_equal(next_evidence(w), EVIDENCE_MMU);
	run_effect(w, EFFECT_ZERO, 80, 1);
	assert_false(tail_kept(c, 0, 0, 80, &m));
	tail_judge(c, 0, 0, 0, 80, 0, "a test");
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

static void a_tail_beyond_the_end_of_its_object_is_not_judged(void **state)
{
	struct world *w = *state;
	struct tail_mark m;

	run_effect(w, EFFECT_BUS, 81, 1);
	m = tail_mark(&w->lane[0], 0, 0, 81);
	assert_false(tail_kept(&w->lane[0], 0, 0, 81, &m));
}

static void tails_of_lanes_and_roads_do_not_overlap(void **state)
{
	struct world *w = *state;

	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++) {
		assert_true(tail_line(l) >= cell_tail(CELL_TAIL_PIN, 0));
		assert_true(tail_line(l) + TAIL_LINE <= TAIL_SECTORS);
		w->lane[0].lane = l;
		assert_int_equal(tail_own_sectors(&w->lane[0], 0, 64, 8) % SPACE_MAX_LANES, l);
		assert_true(tail_own_sectors(&w->lane[0], 0, 64 + l, 1) == 64 + l);
		assert_true(tail_own_sectors(&w->lane[0], 0, 65 + l, 7) < 0);
	}
	w->lane[0].lane = 0;
}

/* ---- second MMUs ---- */

static struct cell_looks look_before(struct world *w, uint32_t page)
{
	struct cell_looks l = {0};

	touch(w, 0, page, 1, CELL_WRITE);
	assert_true(cells_look_at(&l, page, cell_byte(0)));
	cells_look_before(&w->lane[0], &l);
	return l;
}

/* The other path has read `seen`. */
static enum evidence_kind look_after(struct world *w, struct cell_looks *l, uint64_t seen)
{
	l->look[0].seen = seen;
	l->look[0].got = true;
	cells_look_after(&w->lane[0], l, "a test");
	return next_evidence(w);
}

static void another_mmu_must_read_what_the_cpu_reads(void **state)
{
	struct world *w = *state;
	struct cell_looks l = look_before(w, 84);
	uint64_t there = *cell(w, 0, 84);

	assert_int_equal(look_after(w, &l, there), EVIDENCE_NONE);
	assert_int_equal(look_after(w, &l, there - 1), EVIDENCE_MMU);
	assert_int_equal(look_after(w, &l, 0), EVIDENCE_MMU);
}

static void a_word_that_another_mmu_did_not_reach_is_not_judged(void **state)
{
	struct world *w = *state;
	struct cell_looks l = look_before(w, 84);

	l.look[0].seen = 0;
	cells_look_after(&w->lane[0], &l, "a test");
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

/* Whether it ended before the looks, was under way, or came in between. */
static void what_may_take_a_page_away_makes_looks_void(void **state)
{
	struct world *w = *state;
	struct effect_run fx;
	struct cell_looks l;

	run_effect(w, EFFECT_ZERO, 84, 1);
	l = look_before(w, 84);
	assert_int_equal(look_after(w, &l, 1), EVIDENCE_MMU);
	run_effect(w, EFFECT_ZERO, 84, 1);
	assert_int_equal(look_after(w, &l, 1), EVIDENCE_NONE);
	fx = begin(w, EFFECT_ZERO, 84, 1);
	l = look_before(w, 84);
	assert_int_equal(look_after(w, &l, 1), EVIDENCE_NONE);
	effects_end(&w->space, 1, 0, 0, &fx, true);
	assert_int_equal(look_after(w, &l, 1), EVIDENCE_NONE);
}

static void looks_are_void_where_the_cpu_reads_two_things(void **state)
{
	struct world *w = *state;
	struct cell_looks l = look_before(w, 84);
	uint64_t before = *cell(w, 0, 84);

	touch(w, 0, 84, 1, CELL_WRITE);
	assert_int_equal(look_after(w, &l, before), EVIDENCE_NONE);
}

static void what_another_mmu_wrote_must_be_there(void **state)
{
	struct world *w = *state;
	uint32_t byte = cell_tail(CELL_TAIL_KVM, 0);
	_Atomic uint64_t *word = (_Atomic uint64_t *)(slot_addr(&w->slot, 0, 84) + byte);
	struct cell_looks l = {0};

	cells_look_at(&l, 84, byte);
	cells_look_mark(&w->lane[0], &l);
	*word = l.look[0].seen = 77;
	l.look[0].got = true;
	cells_look_wrote(&w->lane[0], &l, "a test");
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	*word = 76;
	cells_look_wrote(&w->lane[0], &l, "a test");
	assert_int_equal(next_evidence(w), EVIDENCE_MMU);
	run_effect(w, EFFECT_ZERO, 84, 1);
	assert_false(cells_look_holds(&w->lane[0], &l, 0));
	cells_look_wrote(&w->lane[0], &l, "a test");
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

static enum evidence_kind judge_seen(struct world *w, uint32_t page, uint64_t seen)
{
	cells_judge_seen(&w->lane[0], 0, 0, page, seen, "a test");
	return next_evidence(w);
}

static void a_cell_that_another_mmu_alone_reads_is_judged_by_its_stamp(void **state)
{
	struct world *w = *state;
	uint64_t old, stamp;

	touch(w, 0, 86, 1, CELL_WRITE);
	old = *cell(w, 0, 86);
	touch(w, 0, 86, 1, CELL_WRITE);
	stamp = *cell(w, 0, 86);
	assert_int_equal(judge_seen(w, 86, stamp), EVIDENCE_NONE);
	assert_int_equal(judge_seen(w, 86, old), EVIDENCE_MMU);
	assert_int_equal(judge_seen(w, 86, 0), EVIDENCE_MMU);
	run_effect(w, EFFECT_ZERO, 86, 1);
	assert_int_equal(judge_seen(w, 86, 0), EVIDENCE_NONE);
	assert_int_equal(judge_seen(w, 86, old), EVIDENCE_MMU);
	run_effect(w, EFFECT_ZERO | EFFECT_STALE, 86, 1);
	assert_int_equal(judge_seen(w, 86, old), EVIDENCE_NONE);
}

static void only_stamped_cells_are_looked_at_at_rest(void **state)
{
	struct world *w = *state;
	struct cell_looks l = {0};

	cells_look_stamped(&w->lane[0], &l, 88, 1); /* never stamped */
	assert_int_equal(l.n, 0);
	touch(w, 1, 88, 1, CELL_WRITE);
	cells_look_stamped(&w->lane[0], &l, 88, 1);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.look[0].byte, cell_byte(1));
	for (unsigned int i = 1; i < CELL_LOOKS; i++)
		assert_true(cells_look_at(&l, 88, cell_byte(0)));
	assert_false(cells_look_at(&l, 88, cell_byte(0)));
	assert_int_equal(l.n, CELL_LOOKS);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_healthy_memory_gives_no_evidence),
		T(an_older_generation_is_a_lost_write),
		T(another_pages_stamp_is_foreign),
		T(a_zero_needs_an_op_that_explains_it),
		T(an_op_that_ended_before_the_stamp_explains_nothing),
		T(an_op_still_running_at_the_stamp_explains_a_zero),
		T(what_was_promised_to_be_zero_must_be),
		T(a_peer_must_not_see_less_than_was_published),
		T(a_childs_write_must_stay_in_the_child),
		T(a_fault_is_legal_in_a_hole_only),
		T(a_fault_is_judged_by_the_last_of_losses_and_repairs),
		T(a_repair_that_a_loss_overlapped_proves_nothing),
		T(a_stamp_beyond_the_end_need_not_last),
		T(read_only_faults_writes_alone),
		T(what_was_surely_unmapped_must_fault),
		T(a_write_to_what_is_surely_read_only_must_fault),
		T(a_guard_outlasts_what_repairs_a_hole),
		T(what_is_surely_guarded_must_fault),
		T(a_guarded_range_is_not_whole),
		T(a_child_finds_zeroes_only_where_it_may_be_wiped),
		T(a_child_that_is_surely_wiped_finds_zeroes),
		T(a_child_is_judged_by_the_time_of_its_fork),
		T(a_lingering_child_must_not_see_less_than_was_published),
		T(a_failed_op_takes_no_certainty),
		T(a_reset_forgets_the_epoch),
		T(a_write_to_what_is_write_protected_must_fault_first),
		T(what_may_take_write_protection_away_does),
		T(every_cell_injection_is_seen),
		T(a_tail_is_judged_while_nothing_may_have_taken_its_page),
		T(a_tail_beyond_the_end_of_its_object_is_not_judged),
		T(tails_of_lanes_and_roads_do_not_overlap),
		T(another_mmu_must_read_what_the_cpu_reads),
		T(a_word_that_another_mmu_did_not_reach_is_not_judged),
		T(what_may_take_a_page_away_makes_looks_void),
		T(looks_are_void_where_the_cpu_reads_two_things),
		T(what_another_mmu_wrote_must_be_there),
		T(a_cell_that_another_mmu_alone_reads_is_judged_by_its_stamp),
		T(only_stamped_cells_are_looked_at_at_rest),
		T(effects_cover_whole_and_part_of_a_chunk_alike),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
