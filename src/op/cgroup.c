/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The crew's own cgroup: what it may use, and where, changes under it. Limits of memory lie above what is used at the moment;
 * who comes up against one reclaims (swaps, splits, writes back) and, where that does not help, is killed by the OOM killer,
 * which is known and no finding.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "op/op.h"
#include "result.h"

/* ---- memory ---- */

static const struct arg_word room_words[] = {
	{"wide", 64 << 20}, {"narrow", 16 << 20}, {"tight", 4 << 20}, {"max", 0}, {NULL, 0}};

static const struct arg_desc room_args[] = {
	{"room", ARG_ENUM, 0, room_words, "above what is used now: 64, 16, 4 MiB; max: no limit"},
	{.kind = ARG_END},
};

static long limit_memory(struct op_env *e, const char *file, uint32_t room)
{
	const struct box_knob *limit = box_pick(e, file, 0),
			      *used = box_pick(e, "!memory.current", 0);
	unsigned long long now = 0;
	char text[32];
	int r;

	if (!limit || !used)
		return -ENODEV;
	if (!room_words[room].value)
		return box_put(limit->path, "max");
	r = path_read_u64(used->path, &now);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%llu", now + room_words[room].value);
	return box_put(limit->path, text);
}

static bool undo_limit(const struct op_call *c, struct op_call *ret)
{
	*ret = *c;
	ret->arg[0] = 3; /* max */
	return c->arg[0] != 3;
}

/* Every other time the limit goes. */
static void tune_limit(struct op_call *c, struct rng *r)
{
	if (rng_below(r, 2))
		c->arg[0] = 3;
}

static const char *const high_knobs[] = {"memory.high", "!memory.current", NULL};

static long run_high(struct op_env *e, const struct op_call *c)
{
	return limit_memory(e, high_knobs[0], c->arg[0]);
}

const struct op op_memory_high = {
	.name = "memory_high",
	.help = "has the crew's cgroup reclaim above a mark (memory.high)",
	.exercises = "memory_high_write try_to_free_mem_cgroup_pages mem_cgroup_handle_over_high "
		     "reclaim_high shrink_folio_list",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 1,
	.needs = {CAP_HAS_CGROUP_MEMORY},
	.nneeds = 1,
	.gear = &gear_box,
	.uses = OP_USES_CGROUP,
	.knobs = high_knobs,
	.args = room_args,
	.run = run_high,
	.tune = tune_limit,
	.undo = undo_limit,
};

static const char *const max_knobs[] = {"memory.max", "!memory.current", NULL};

static long run_max(struct op_env *e, const struct op_call *c)
{
	return limit_memory(e, max_knobs[0], c->arg[0]);
}

const struct op op_memory_max = {
	.name = "memory_max",
	.help = "limits the memory of the crew's cgroup (memory.max)",
	.exercises = "memory_max_write try_charge_memcg try_to_free_mem_cgroup_pages "
		     "mem_cgroup_out_of_memory shrink_folio_list split_folio_to_list",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 1,
	.needs = {CAP_HAS_CGROUP_MEMORY},
	.nneeds = 1,
	.gear = &gear_box,
	.uses = OP_USES_CGROUP | OP_SCARCE_ON,
	.knobs = max_knobs,
	.args = room_args,
	.run = run_max,
	.tune = tune_limit,
	.undo = undo_limit,
};

static const char *const reclaim_knobs[] = {"!memory.reclaim", NULL};

static const struct arg_desc reclaim_args[] = {
	{"mb", ARG_INT, 64, NULL, "how much, in MiB; 0 counts as 1"},
	{.kind = ARG_END},
};

static long run_reclaim(struct op_env *e, const struct op_call *c)
{
	const struct box_knob *k = box_pick(e, reclaim_knobs[0], 0);
	char text[32];

	if (!k)
		return -ENODEV;
	snprintf(text, sizeof(text), "%uM", c->arg[0] ? c->arg[0] : 1);
	return box_put(k->path, text);
}

static const struct op_errno errnos_reclaim[] = {
	{EAGAIN, WHEN_ALWAYS}, /* there was less to be had */
	/* signal_pending() holds without a signal where io_uring has work for the thread (TIF_NOTIFY_SIGNAL). */
	{EINTR, WHEN_ALWAYS},
	{0, 0},
};

const struct op op_memory_reclaim = {
	.name = "memory_reclaim",
	.help = "reclaims memory of the crew's cgroup (memory.reclaim): swaps out, splits, drops",
	.exercises = "memory_reclaim try_to_free_mem_cgroup_pages shrink_folio_list "
		     "add_to_swap try_to_unmap split_folio_to_list deferred_split_scan",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 4,
	.needs = {CAP_HAS_CGROUP_MEMORY},
	.nneeds = 1,
	.gear = &gear_box,
	.uses = OP_USES_CGROUP | OP_USES_SWAP,
	.knobs = reclaim_knobs,
	.args = reclaim_args,
	.errnos = errnos_reclaim,
	.run = run_reclaim,
};

/* ---- hugetlb ---- */

static const struct arg_desc huge_args[] = {
	{"size", ARG_INT, 255, NULL, "which of the huge page sizes"},
	{"mb", ARG_INT, 255, NULL, "the limit in MiB; 0: none"},
	{.kind = ARG_END},
};

static long limit_hugetlb(struct op_env *e, const char *file, const struct op_call *c)
{
	const struct box_knob *k = box_pick(e, file, c->arg[0]);
	char text[32];

	if (!k)
		return -ENODEV;
	if (!c->arg[1])
		return box_put(k->path, "max");
	snprintf(text, sizeof(text), "%uM", c->arg[1]);
	return box_put(k->path, text);
}

static const struct op_errno errnos_hugetlb[] = {
	{EBUSY, WHEN_ALWAYS}, /* more than that is in use (page_counter_set_max) */
	{0, 0},
};

static bool undo_hugetlb(const struct op_call *c, struct op_call *ret)
{
	*ret = *c;
	ret->arg[1] = 0;
	return c->arg[1] != 0;
}

static void tune_hugetlb(struct op_call *c, struct rng *r)
{
	c->arg[1] = rng_below(r, 2) ? 0 : 1U << rng_below(r, 7);
}

/* The globs must not catch the other's files: hugetlb.2MB.max, hugetlb.2MB.rsvd.max. */
static const char *const usage_knobs[] = {"hugetlb.*B.max", NULL};
static const char *const rsvd_knobs[] = {"hugetlb.*B.rsvd.max", NULL};

static long run_huge_limit(struct op_env *e, const struct op_call *c)
{
	return limit_hugetlb(e, usage_knobs[0], c);
}

const struct op op_hugetlb_cgroup_limit = {
	.name = "hugetlb_cgroup_limit",
	.help = "limits the huge pages that the crew's cgroup may fault in",
	.exercises = "hugetlb_cgroup_write hugetlb_cgroup_charge_cgroup alloc_hugetlb_folio "
		     "hugetlb_cgroup_uncharge_folio",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 1,
	.needs = {CAP_HAS_CGROUP_HUGETLB},
	.nneeds = 1,
	.gear = &gear_box,
	.uses = OP_USES_CGROUP | OP_SHRINKS_POOLS,
	.knobs = usage_knobs,
	.args = huge_args,
	.errnos = errnos_hugetlb,
	.run = run_huge_limit,
	.tune = tune_hugetlb,
	.undo = undo_hugetlb,
};

static long run_huge_rsvd(struct op_env *e, const struct op_call *c)
{
	return limit_hugetlb(e, rsvd_knobs[0], c);
}

const struct op op_hugetlb_cgroup_rsvd = {
	.name = "hugetlb_cgroup_rsvd",
	.help = "limits the huge pages that the crew's cgroup may reserve",
	.exercises = "hugetlb_cgroup_write hugetlb_cgroup_charge_cgroup_rsvd hugetlb_reserve_pages "
		     "hugetlb_cgroup_uncharge_file_region hugetlb_cgroup_uncharge_counter",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 1,
	.needs = {CAP_HAS_CGROUP_HUGETLB},
	.nneeds = 1,
	.gear = &gear_box,
	.uses = OP_USES_CGROUP | OP_SHRINKS_POOLS,
	.knobs = rsvd_knobs,
	.args = huge_args,
	.errnos = errnos_hugetlb,
	.run = run_huge_rsvd,
	.tune = tune_hugetlb,
	.undo = undo_hugetlb,
};

static const char *const stat_knobs[] = {"!hugetlb.*B.numa_stat", NULL};

static long run_huge_stat(struct op_env *e, const struct op_call *c)
{
	const struct box_knob *k = box_pick(e, stat_knobs[0], c->arg[0]);

	if (!k)
		return -ENODEV;
	return path_read(k->path, e->scratch->text, sizeof(e->scratch->text));
}

static const struct arg_desc stat_args[] = {
	{"size", ARG_INT, 7, NULL, "which page size's"},
	{.kind = ARG_END},
};

/* Its use is also that the crew has a cgroup, so that what it is charged can be looked at when nothing runs (exec/look_pool.c). */
const struct op op_hugetlb_cgroup_stat = {
	.name = "hugetlb_cgroup_stat",
	.help = "reads what the crew's cgroup is charged for on each node",
	.exercises = "hugetlb_cgroup_read_numa_stat hugetlb_cgroup_migrate "
		     "hugetlb_cgroup_commit_charge",
	.hazard = HAZARD_ROOT,
	.weight = 1,
	.needs = {CAP_HAS_CGROUP_HUGETLB},
	.nneeds = 1,
	.gear = &gear_box,
	.uses = OP_USES_CGROUP,
	.knobs = stat_knobs,
	.args = stat_args,
	.run = run_huge_stat,
};

/* ---- nodes ---- */

static const char *const mems_knobs[] = {"cpuset.mems", NULL};

static const struct arg_word mems_words[] = {{"one", 0}, {"all", 1}, {NULL, 0}};

static const struct arg_desc mems_args[] = {
	{"nodes", ARG_ENUM, 0, mems_words, "one node, or all"},
	{"node", ARG_NODE, 0, NULL, "which one"},
	{.kind = ARG_END},
};

/* cpuset v2 migrates all memory of the group to the nodes that are left. */
static long run_mems(struct op_env *e, const struct op_call *c)
{
	const struct box_knob *k = box_pick(e, mems_knobs[0], 0);
	char text[32];

	if (!k)
		return -ENODEV;
	if (c->arg[0])
		return box_put(k->path, k->value);
	snprintf(text, sizeof(text), "%d", op_node(e, c->arg[1]));
	return box_put(k->path, text);
}

static bool undo_mems(const struct op_call *c, struct op_call *ret)
{
	*ret = *c;
	ret->arg[0] = 1;
	return c->arg[0] != 1;
}

const struct op op_cpuset_mems = {
	.name = "cpuset_mems",
	.help = "confines the crew to one node, and moves all its memory there",
	.exercises = "cpuset_write_resmask update_nodemasks_hier cpuset_update_task_spread_flags "
		     "cpuset_migrate_mm do_migrate_pages mpol_rebind_mm mpol_rebind_task",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 3,
	.needs = {CAP_HAS_CGROUP_CPUSET, CAP_HAS_TWO_NODES},
	.nneeds = 2,
	.gear = &gear_box,
	.uses = OP_USES_CGROUP | OP_FENCES_NODES | OP_SHRINKS_POOLS,
	.knobs = mems_knobs,
	.args = mems_args,
	.run = run_mems,
	.undo = undo_mems,
};
