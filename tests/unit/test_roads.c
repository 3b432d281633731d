/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Other roads to slot memory: what a pin, a pipe or another system call finds is judged, and only while nothing explains it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "uring.h"

enum { PAGES = 1024, PMD_PAGES = 512, PINNED = 64 };

struct world {
	struct machine machine;
	struct slot slot;
	struct space space;
	struct space_mem mem;
	struct evidence_ring ring;
	struct cells cells;
	struct op_scratch scratch;
	struct op_env env;
	_Atomic pid_t pid;
	uint8_t lane_proc[1];
};

static const struct gear *const gears[] = {&gear_uring, NULL};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	void *p = mmap(
		NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_int_equal(machine_probe(&w->machine), 0);
	caps_setup(&w->machine, NULL);
	w->slot = (struct slot){.spec = {.name = "s", .backing = BACKING_ANON, .maps = 1},
		.present = true,
		.fd = -1,
		.pages = PAGES,
		.granule = 1,
		.pmd_pages = PMD_PAGES,
		.page_shift = 12,
		.nviews = 1,
		.view = {(uintptr_t)p}};
	space_init(&w->space, &w->slot, 1, 1, w->lane_proc, &w->mem);
	w->mem = (struct space_mem){.base = calloc(1, w->mem.used)};
	space_init(&w->space, &w->slot, 1, 1, w->lane_proc, &w->mem);
	space_reset(&w->space);
	w->cells = (struct cells){
		.slot = &w->slot, .space = &w->space, .nslots = 1, .nlanes = 1, .ring = &w->ring};
	w->pid = getpid();
	w->env = (struct op_env){.machine = &w->machine,
		.slot = &w->slot,
		.nslots = 1,
		.nprocs = 1,
		.pid = &w->pid,
		.scratch = &w->scratch,
		.cells = &w->cells};
	cells_set_current(&w->cells);
	assert_int_equal(cells_handle_signals(), 0);
	if (!caps_missing(CAP_HAS_URING)) {
		w->env.gear[0].gear = gears[0];
		assert_int_equal(gear_uring.open(&w->env, &w->env.gear[0].state), 0);
		w->env.ngears = 1;
	}
	cells_touch(&w->cells, 0, 0, 0, PAGES, 1, CELL_RMW);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	if (w->env.ngears)
		gear_uring.close(w->env.gear[0].state);
	munmap((void *)w->slot.view[0], PAGES * 4096);
	machine_free(&w->machine);
	free(w->mem.base);
	free(w);
	return 0;
}

static long run(struct world *w, const char *name, const uint32_t *arg)
{
	struct op_call c = {.op = (uint8_t)op_find(name)};

	memcpy(c.arg, arg, sizeof(c.arg));
	return op_get(c.op)->run(&w->env, &c);
}

static enum evidence_kind next_evidence(struct world *w)
{
	struct evidence e;

	return evidence_pop(&w->ring, &e) ? e.kind : EVIDENCE_NONE;
}

static void need_rings(struct world *w)
{
	if (!w->env.ngears)
		skip();
}

static void pin(struct world *w)
{
	const uint32_t arg[OP_MAX_ARGS] = {0, 0, 0, PINNED};

	need_rings(w);
	assert_int_equal(run(w, "uring_register", arg), 0);
}

/* What a migration under a pin would do: the mapping gets another page with the same content, the pin keeps the old one. */
static void replace_pages(struct world *w)
{
	char *copy = malloc(PINNED * 4096), *pages = (char *)w->slot.view[0];

	memcpy(copy, pages, PINNED * 4096);
	assert_int_equal(madvise(pages, PINNED * 4096, MADV_DONTNEED), 0);
	memcpy(pages, copy, PINNED * 4096);
	free(copy);
}

static void write_and_read_fixed(struct world *w)
{
	const uint32_t arg[OP_MAX_ARGS] = {0};

	assert_int_equal(run(w, "uring_write_fixed", arg), 0);
	assert_int_equal(run(w, "uring_read_fixed", arg), 0);
}

static void a_pinned_buffer_is_the_mapping(void **state)
{
	struct world *w = *state;

	pin(w);
	cells_touch(&w->cells, 0, 0, 0, PAGES, 1, CELL_RMW);
	write_and_read_fixed(w);
	gear_uring.check(&w->env, w->env.gear[0].state);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
}

static void a_read_into_a_pin_that_lost_its_page_is_missed(void **state)
{
	struct world *w = *state;

	pin(w);
	replace_pages(w);
	write_and_read_fixed(w);
	assert_int_equal(next_evidence(w), EVIDENCE_MMU);
}

static void a_stamp_that_a_pin_does_not_see_is_found(void **state)
{
	struct world *w = *state;
	const uint32_t arg[OP_MAX_ARGS] = {0};

	pin(w);
	replace_pages(w);
	cells_touch(&w->cells, 0, 0, 0, PINNED, 1, CELL_RMW);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	assert_int_equal(run(w, "uring_write_fixed", arg), 0);
	assert_int_equal(next_evidence(w), EVIDENCE_MMU);
}

static void a_pin_that_lost_its_page_is_found_at_rest(void **state)
{
	struct world *w = *state;

	pin(w);
	replace_pages(w);
	cells_touch(&w->cells, 0, 0, 0, PINNED, 1, CELL_RMW);
	gear_uring.check(&w->env, w->env.gear[0].state);
	assert_int_equal(next_evidence(w), EVIDENCE_MMU);
}

static void a_pin_may_part_from_memory_that_was_thrown_away(void **state)
{
	struct world *w = *state;
	struct effect_run fx = {
		.n = 1, .eff = {{.kinds = EFFECT_ZEROED, .page = 0, .pages = PMD_PAGES}}};

	pin(w);
	effects_begin(&w->space, 1, 0, &fx);
	madvise((void *)w->slot.view[0], PMD_PAGES * 4096UL, MADV_DONTNEED);
	effects_end(&w->space, 1, 0, 0, &fx, true);
	cells_touch(&w->cells, 0, 0, 0, PAGES, 1, CELL_RMW);
	write_and_read_fixed(w);
	gear_uring.check(&w->env, w->env.gear[0].state);
	assert_int_equal(next_evidence(w), EVIDENCE_NONE);
	assert_int_equal(run(w, "uring_register", (uint32_t[OP_MAX_ARGS]){0, 0, 0, PINNED}), 0);
	replace_pages(w);
	write_and_read_fixed(w);
	assert_int_equal(next_evidence(w), EVIDENCE_MMU); /* a new pin is judged again */
}

static void an_empty_ring_has_nothing_to_transfer(void **state)
{
	struct world *w = *state;
	struct op_call c = {.op = (uint8_t)op_find("uring_write_fixed")};
	long r;

	need_rings(w);
	r = op_get(c.op)->run(&w->env, &c);
	assert_true(r < 0);
	assert_true(op_errno_legal(op_get(c.op), (int)-r, op_when(op_get(c.op), &w->env, &c)));
}

/* Written by one road, read by another, with the page replaced by an older copy in between. */
static void a_word_that_was_lost_is_found_by_any_road(void **state)
{
	static const char *const readers[] = {"process_vm_readv", "proc_mem_read"};
	static const char *const writers[] = {"process_vm_writev", "proc_mem_write"};
	const uint32_t arg[OP_MAX_ARGS] = {0, 0, 0, 1};
	struct world *w = *state;
	uint64_t *word = (uint64_t *)(w->slot.view[0] + tail_line(0) + LINE_WORD);

	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < 2; k++) {
			uint64_t before = *word;

			if (run(w, writers[i], arg) != 0 || run(w, readers[k], arg) != 0)
				skip(); /* not to be had here */
			assert_int_equal(next_evidence(w), EVIDENCE_NONE);
			assert_true(*word != before);
			*word = before;
			assert_int_equal(run(w, readers[k], arg), 0);
			assert_int_equal(next_evidence(w), EVIDENCE_MMU);
		}
	}
}

static void a_lost_cell_is_found_by_process_vm_readv(void **state)
{
	const uint32_t arg[OP_MAX_ARGS] = {0, 0, 0, 1};
	struct world *w = *state;

	*(uint64_t *)w->slot.view[0] -= 1;
	if (run(w, "process_vm_readv", arg) != 0)
		skip();
	assert_int_equal(next_evidence(w), EVIDENCE_MMU);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_pinned_buffer_is_the_mapping),
		T(a_read_into_a_pin_that_lost_its_page_is_missed),
		T(a_stamp_that_a_pin_does_not_see_is_found),
		T(a_pin_that_lost_its_page_is_found_at_rest),
		T(a_pin_may_part_from_memory_that_was_thrown_away),
		T(an_empty_ring_has_nothing_to_transfer),
		T(a_word_that_was_lost_is_found_by_any_road),
		T(a_lost_cell_is_found_by_process_vm_readv),
	};

	return cmocka_run_group_tests_name("roads", tests, NULL, NULL);
}
