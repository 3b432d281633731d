/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hugetlb pools that grow and shrink under those who use them (mm/hugetlb.c, set_max_huge_pages). A write never fails for want of
 * pages: the kernel gives what it finds. It cannot take what is in use or reserved: that becomes surplus, and goes when it is
 * freed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "op/op.h"
#include "result.h"

#define GLOBAL "/sys/kernel/mm/hugepages/hugepages-*kB/"
#define NODES "/sys/devices/system/node/node*/hugepages/hugepages-*kB/"

enum { GROW_MAX = 32 };

static const char *const global_knobs[] = {GLOBAL "nr_hugepages", NULL};
static const char *const node_knobs[] = {NODES "nr_hugepages", NULL};
static const char *const mempolicy_knobs[] = {GLOBAL "nr_hugepages_mempolicy", NULL};
static const char *const overcommit_knobs[] = {GLOBAL "nr_overcommit_hugepages", NULL};

enum { CHANGE_KB = 100 << 10, BUDDY_ORDER = 10 };

static unsigned long page_kb(const struct box_knob *k)
{
	const char *size = strstr(k->path, "/hugepages-");

	return size ? strtoul(size + strlen("/hugepages-"), NULL, 10) : 0;
}

/* Pages that memory may be too fragmented to find again: what the machine has of them stays. */
static bool is_gigantic(const struct box_knob *k)
{
	return page_kb(k) > CHANGE_KB;
}

/* How many pages of the knob's size a change is about: one at least. */
static unsigned long pages_of(const struct box_knob *k, uint32_t wanted)
{
	unsigned long kb = page_kb(k), most = kb ? CHANGE_KB / kb : 1;

	most = most ? most : 1;
	return wanted < most ? wanted : most;
}

static long put_pages(const struct box_knob *k, unsigned long pages)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", pages);
	return box_put(k->path, text);
}

enum resize { RESIZE_GROW, RESIZE_SHRINK, RESIZE_NONE_LEFT, RESIZE_BACK };

static long resize(const struct box_knob *k, enum resize how, uint32_t arg)
{
	unsigned long base, by;

	if (!k)
		return -ENODEV;
	base = strtoul(k->value, NULL, 10);
	by = pages_of(k, arg);
	if (how != RESIZE_GROW && is_gigantic(k))
		how = RESIZE_BACK;
	switch (how) {
	case RESIZE_GROW:
		return put_pages(k, base + by);
	case RESIZE_SHRINK:
		return put_pages(k, base > by ? base - by : 0);
	case RESIZE_NONE_LEFT:
		return put_pages(k, 0);
	case RESIZE_BACK:
		break;
	}
	return put_pages(k, base);
}

static const struct arg_desc pages_args[] = {
	{"size", ARG_INT, 255, NULL, "which of the machine's huge page sizes"},
	{"pages", ARG_INT, GROW_MAX, NULL,
		"how many (100 MiB at most; gigantic pages: one more, or back)"},
	{.kind = ARG_END},
};

/* ---- the whole machine ---- */

static long run_grow(struct op_env *e, const struct op_call *c)
{
	return resize(box_pick(e, global_knobs[0], c->arg[0]), RESIZE_GROW, c->arg[1]);
}

const struct op op_hugetlb_pool_grow = {
	.name = "hugetlb_pool_grow",
	.help = "makes a hugetlb pool larger than the run had made it",
	.exercises = "set_max_huge_pages alloc_pool_huge_folio alloc_fresh_hugetlb_folio "
		     "prep_and_add_allocated_folios hugetlb_vmemmap_optimize_folios",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 2,
	.gear = &gear_box,
	.uses = OP_SHRINKS_POOLS,
	.knobs = global_knobs,
	.args = pages_args,
	.run = run_grow,
};

static const struct arg_word shrink_words[] = {
	{"some", RESIZE_SHRINK},
	{"all", RESIZE_NONE_LEFT},
	{NULL, 0},
};

static const struct arg_desc shrink_args[] = {
	{"size", ARG_INT, 255, NULL, "which of the machine's huge page sizes"},
	{"pages", ARG_INT, GROW_MAX, NULL,
		"how many (100 MiB at most; gigantic pages: one more, or back)"},
	{"how", ARG_ENUM, 0, shrink_words, "that many, or all that can go"},
	{.kind = ARG_END},
};

static long run_shrink(struct op_env *e, const struct op_call *c)
{
	return resize(box_pick(e, global_knobs[0], c->arg[0]),
		(enum resize)shrink_words[c->arg[2]].value, c->arg[1]);
}

static bool undo_shrink(const struct op_call *c, struct op_call *ret)
{
	int grow = op_find("hugetlb_pool_grow");

	*ret = (struct op_call){.op = (uint8_t)grow};
	ret->arg[0] = c->arg[0];
	return grow >= 0;
}

const struct op op_hugetlb_pool_shrink = {
	.name = "hugetlb_pool_shrink",
	.help = "takes free pages out of a hugetlb pool; those in use become surplus",
	.exercises = "set_max_huge_pages remove_pool_hugetlb_folio try_to_free_low "
		     "adjust_pool_surplus __update_and_free_hugetlb_folio free_huge_folio",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 2,
	.gear = &gear_box,
	.uses = OP_SHRINKS_POOLS,
	.knobs = global_knobs,
	.args = shrink_args,
	.run = run_shrink,
	.undo = undo_shrink,
};

/* ---- one node, a policy's nodes ---- */

static const struct arg_word resize_words[] = {
	{"grow", RESIZE_GROW},
	{"shrink", RESIZE_SHRINK},
	{"empty", RESIZE_NONE_LEFT},
	{"back", RESIZE_BACK},
	{NULL, 0},
};

static const struct arg_desc node_args[] = {
	{"pool", ARG_INT, 255, NULL, "which of the nodes' pools"},
	{"pages", ARG_INT, GROW_MAX, NULL,
		"how many (100 MiB at most; gigantic pages: one more, or back)"},
	{"how", ARG_ENUM, 0, resize_words, "which way"},
	{.kind = ARG_END},
};

static long run_node(struct op_env *e, const struct op_call *c)
{
	return resize(box_pick(e, node_knobs[0], c->arg[0]),
		(enum resize)resize_words[c->arg[2]].value, c->arg[1]);
}

const struct op op_hugetlb_pool_node = {
	.name = "hugetlb_pool_node",
	.help = "resizes the hugetlb pool of one node",
	.exercises = "set_max_huge_pages remove_pool_hugetlb_folio alloc_pool_huge_folio "
		     "adjust_pool_surplus",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 3,
	.gear = &gear_box,
	.uses = OP_SHRINKS_POOLS,
	.knobs = node_knobs,
	.args = node_args,
	.run = run_node,
};

static long run_mempolicy(struct op_env *e, const struct op_call *c)
{
	return resize(box_pick(e, mempolicy_knobs[0], c->arg[0]),
		(enum resize)resize_words[c->arg[2]].value, c->arg[1]);
}

const struct op op_hugetlb_pool_mempolicy = {
	.name = "hugetlb_pool_mempolicy",
	.help = "resizes a hugetlb pool on the nodes of the lane's memory policy",
	.exercises = "set_max_huge_pages init_nodemask_of_mempolicy alloc_pool_huge_folio",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 2,
	.gear = &gear_box,
	.uses = OP_SHRINKS_POOLS,
	.knobs = mempolicy_knobs,
	.args = node_args,
	.run = run_mempolicy,
};

/* ---- surplus ---- */

static const struct arg_word overcommit_words[] = {
	{"none", 0},
	{"few", 4},
	{"many", 64},
	{NULL, 0},
};

static const struct arg_desc overcommit_args[] = {
	{"size", ARG_INT, 255, NULL, "which of the machine's huge page sizes"},
	{"surplus", ARG_ENUM, 0, overcommit_words, "pages beyond the pool: 0, 4 or 64"},
	{.kind = ARG_END},
};

static long run_overcommit(struct op_env *e, const struct op_call *c)
{
	const struct box_knob *k = box_pick(e, overcommit_knobs[0], c->arg[0]);

	return k ? put_pages(k, overcommit_words[c->arg[1]].value) : -ENODEV;
}

/*
 * Pages that the buddy allocator does not have can be no surplus (mm/hugetlb.c, hstate_is_gigantic). Its largest order is 10, or
 * more where base pages are large as well and huge pages of that size are none of these.
 */
static bool odd_overcommit(const struct op_env *e, const struct op_call *c)
{
	const struct box_knob *k = box_pick(e, overcommit_knobs[0], c->arg[0]);

	return k && page_kb(k) > (unsigned long)sysconf(_SC_PAGESIZE) >> 10 << BUDDY_ORDER;
}

static const struct op_errno errnos_overcommit[] = {
	{EINVAL, WHEN_ODD},
	{0, 0},
};

const struct op op_hugetlb_overcommit = {
	.name = "hugetlb_overcommit",
	.help = "lets a hugetlb pool exceed its size, or not",
	.exercises =
		"nr_overcommit_hugepages_store alloc_surplus_hugetlb_folio hugetlb_acct_memory "
		"gather_surplus_pages return_unused_surplus_pages",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 2,
	.gear = &gear_box,
	.uses = OP_SHRINKS_POOLS,
	.knobs = overcommit_knobs,
	.args = overcommit_args,
	.odd = odd_overcommit,
	.errnos = errnos_overcommit,
	.run = run_overcommit,
};

/* ---- demotion ---- */

static const char *const demote_knobs[] = {
	"!" GLOBAL "demote", GLOBAL "nr_hugepages", GLOBAL "demote_size", NULL};

static const struct arg_desc demote_args[] = {
	{"size", ARG_INT, 255, NULL, "which of the sizes that can be demoted"},
	{.kind = ARG_END},
};

static long run_demote(struct op_env *e, const struct op_call *c)
{
	const struct box_knob *k = box_pick(e, demote_knobs[0], c->arg[0]);

	return k ? put_pages(k, 1) : -ENODEV;
}

static const struct op_errno errnos_demote[] = {
	{ENOMEM,
		WHEN_ALWAYS}, /* no memory for the vmemmap of the smaller pages, or for the node mask */
	{EBUSY, WHEN_ALWAYS}, /* no free page but poisoned ones */
	{0, 0},
};

const struct op op_hugetlb_demote = {
	.name = "hugetlb_demote",
	.help = "breaks a free gigantic page into pages of the next smaller pool; it may not be "
		"found again",
	.exercises = "demote_store demote_pool_huge_page demote_free_hugetlb_folios "
		     "hugetlb_vmemmap_restore_folio remove_hugetlb_folio",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 1,
	.needs = {CAP_HAS_HUGETLB_DEMOTE},
	.nneeds = 1,
	.gear = &gear_box,
	.uses = OP_SHRINKS_POOLS,
	.knobs = demote_knobs,
	.args = demote_args,
	.errnos = errnos_demote,
	.run = run_demote,
};
