/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's own fault injection (Documentation/fault-injection): the nth allocation, or copy from or to user space, of the lane's
 * next call fails. What the call then says is legal for it alone (WHEN_INJECTED); what it leaves behind must be as any error leaves it.
 */
#include "op/op.h"

#define DEBUG "/sys/kernel/debug/"

/* Without these, only what may not sleep fails, and each failure leaves its stack in the log. */
static const struct setting {
	const char *path, *value;
} settings[] = {
	{DEBUG "fail_page_alloc/verbose", "0"},
	{DEBUG "fail_page_alloc/ignore-gfp-wait", "N"},
	{DEBUG "fail_page_alloc/ignore-gfp-highmem", "N"},
	{DEBUG "fail_page_alloc/min-order", "0"},
	{DEBUG "failslab/verbose", "0"},
	{DEBUG "failslab/ignore-gfp-wait", "N"},
	{DEBUG "fail_usercopy/verbose", "0"},
};

enum { SETTINGS = sizeof(settings) / sizeof(settings[0]) };

static const char *const knobs[] = {DEBUG "fail_page_alloc/verbose",
	DEBUG "fail_page_alloc/ignore-gfp-wait", DEBUG "fail_page_alloc/ignore-gfp-highmem",
	DEBUG "fail_page_alloc/min-order", DEBUG "failslab/verbose",
	DEBUG "failslab/ignore-gfp-wait", DEBUG "fail_usercopy/verbose", NULL};

static const struct arg_desc args[] = {
	{"nth", ARG_INT, 1023, NULL, "which of the places where it can fail; 0 counts as 1"},
	{.kind = ARG_END},
};

/* The settings hold until the epoch ends, for all lanes alike; no probability is raised, so nobody else meets a failure. */
static long run(struct op_env *e, const struct op_call *c)
{
	for (unsigned int i = 0; i < SETTINGS; i++) {
		const struct box_knob *k = box_pick(e, settings[i].path, 0);
		long r = k ? box_put(k->path, settings[i].value) : 0;

		if (r < 0)
			return r;
	}
	e->fail_nth = c->arg[0] ? c->arg[0] : 1;
	return 0;
}

/* Most calls have a handful of such places, those that populate a range hundreds. */
static void tune(struct op_call *c, struct rng *r)
{
	c->arg[0] = 1 + (uint32_t)rng_below(r, 2UL << rng_below(r, 9));
}

const struct op op_fail_nth = {
	.name = "fail_nth",
	.help = "makes the nth allocation or copy of the lane's next call fail",
	.exercises = "should_fail_ex should_failslab should_fail_alloc_page __mmap_region "
		     "__split_vma move_page_tables __pte_alloc vma_alloc_folio "
		     "collapse_huge_page split_huge_page_to_list_to_order migrate_pages",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 4,
	.needs = {CAP_HAS_FAIL_NTH},
	.nneeds = 1,
	.stays = true,
	.gear = &gear_box,
	.uses = OP_INJECTS,
	.knobs = knobs,
	.args = args,
	.run = run,
	.tune = tune,
};
