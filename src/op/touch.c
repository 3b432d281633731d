/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ops that touch memory themselves: faults, and the checks of what is there. */
#include "op/op.h"

#include "base/clock.h"
#include "mem/cell.h"

enum { RANDOM_TOUCHES = 16, ARG_HOW = 4, ARG_WHICH = 5, ARG_PICK = 6, ARG_HAMMER_NS = 4 };

static const struct arg_word how_words[] = {
	{"write", CELL_WRITE}, {"read", CELL_READ}, {"rmw", CELL_RMW}, {NULL, 0}};

enum which { WHICH_EVERY, WHICH_ONE, WHICH_ENDS, WHICH_SPARSE, WHICH_RANDOM };
static const struct arg_word which_words[] = {{"every", WHICH_EVERY}, {"one", WHICH_ONE},
	{"ends", WHICH_ENDS}, {"sparse", WHICH_SPARSE}, {"random", WHICH_RANDOM}, {NULL, 0}};

static const struct arg_desc touch_args[] = {
	ARGS_RANGE,
	{"how", ARG_ENUM, 0, how_words, "the access"},
	{"which", ARG_ENUM, 0, which_words, "which pages of the range"},
	{"pick", ARG_INT, 65535, NULL, "chooses the random pages"},
	{NULL, ARG_END, 0, NULL, NULL},
};

static long run_touch(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	enum cell_how how = (enum cell_how)how_words[c->arg[ARG_HOW]].value;
	uint32_t x = c->arg[ARG_PICK] * 2654435761u + 1;

	switch (which_words[c->arg[ARG_WHICH]].value) {
	case WHICH_EVERY:
		cells_touch(e->cells, s.slot_no, s.view, s.page, s.pages, 1, how);
		return 0;
	case WHICH_SPARSE:
		cells_touch(e->cells, s.slot_no, s.view, s.page, s.pages, 61, how);
		return 0;
	case WHICH_ENDS:
		cells_touch(e->cells, s.slot_no, s.view, s.page + s.pages - 1, 1, 1, how);
		break;
	case WHICH_RANDOM:
		for (unsigned int i = 1; i < RANDOM_TOUCHES; i++, x = x * 1664525u + 1013904223u)
			cells_touch(e->cells, s.slot_no, s.view,
				s.page + (uint32_t)((uint64_t)x * s.pages >> 32), 1, 1, how);
		break;
	default:
		break;
	}
	cells_touch(e->cells, s.slot_no, s.view, s.page, 1, 1, how);
	return 0;
}

const struct op op_touch = {
	.name = "touch",
	.stays = true,
	.help = "reads, stamps, or checks and stamps pages of a range",
	.exercises = "handle_mm_fault do_huge_pmd_anonymous_page do_anonymous_page shmem_fault "
		     "hugetlb_fault do_huge_pmd_wp_page "
		     "migration_entry_wait do_swap_page filemap_fault",
	.hazard = HAZARD_SAFE,
	.weight = 20,
	.backings = (1u << BACKING_COUNT) - 1,
	.args = touch_args,
	.run = run_touch,
};

static const struct arg_desc hammer_args[] = {
	ARGS_RANGE,
	{"ns", ARG_NS, 2000000, NULL, "how long"},
	{NULL, ARG_END, 0, NULL, NULL},
};

/* Long enough that others act meanwhile. */
static void tune_hammer(struct op_call *c, struct rng *r)
{
	c->arg[ARG_HAMMER_NS] = hammer_args[ARG_HAMMER_NS].max >> rng_below(r, 5);
}

static long run_hammer(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	cells_hammer(e->cells, s.slot_no, s.view, s.page, s.pages,
		clock_ticks() + clock_from_ns(c->arg[ARG_HAMMER_NS]));
	return 0;
}

const struct op op_hammer = {
	.name = "hammer",
	.stays = true,
	.help = "checks and increments the lane's own cells in a tight loop: sees a lost write",
	.exercises = "remove_migration_pte try_to_migrate_one ptep_clear_flush flush_tlb_range "
		     "huge_pmd_unshare do_wp_page",
	.hazard = HAZARD_SAFE,
	.weight = 8,
	.backings = (1u << BACKING_COUNT) - 1,
	.args = hammer_args,
	.run = run_hammer,
	.tune = tune_hammer,
};
