/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory and CPUs that go offline and come back, within one call. Both may be refused: memory that cannot be moved is EBUSY. Two
 * lanes may hit the same thing: one of them finds it gone already.
 */
#include <string.h>

#include "op/op.h"
#include "result.h"

static long off_and_on(
	struct op_env *e, const char *glob, uint32_t pick, const char *off, const char *on)
{
	const struct box_knob *k = box_pick(e, glob, pick);
	long r, back;

	if (!k)
		return -ENODEV;
	r = box_put(k->path, off);
	if (r < 0)
		return r;
	/* Interrupted by another hotplug operation, or refused for a moment: the box is rewound after the epoch. */
	back = box_put(k->path, on);
	return back < 0 ? back : r;
}

static const char *const memory_knobs[] = {"/sys/devices/system/memory/memory[0-9]*/state",
	"/sys/kernel/mm/hugepages/hugepages-*kB/nr_hugepages", NULL};

static const struct arg_desc memory_args[] = {
	{"block", ARG_INT, 65535, NULL, "which of the memory blocks that the run has chosen"},
	{.kind = ARG_END},
};

static long run_memory(struct op_env *e, const struct op_call *c)
{
	return off_and_on(e, memory_knobs[0], c->arg[0], "offline", "online");
}

/* mm/memory_hotplug.c, offline_pages() and online_pages(); drivers/base/memory.c, state_store(). */
static const struct op_errno errnos_memory[] = {
	{EBUSY, WHEN_ALWAYS}, /* pages that cannot be moved */
	{EAGAIN, WHEN_ALWAYS},
	{EINVAL, WHEN_ALWAYS}, /* it is what it is to become; holes; the last memory of a zone */
	{EINTR, WHEN_ALWAYS}, /* a signal is pending */
	{ENOMEM, WHEN_ALWAYS}, /* no page to move one to */
	{0, 0},
};

const struct op op_memory_offline = {
	.name = "memory_offline",
	.help = "takes a memory block offline, which moves all that lies in it, and back",
	.exercises = "offline_pages do_migrate_range start_isolate_page_range "
		     "dissolve_free_hugetlb_folios migrate_pages test_pages_isolated online_pages",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 2,
	.needs = {CAP_HAS_MEMORY_HOTREMOVE},
	.nneeds = 1,
	.gear = &gear_box,
	.uses = OP_SHRINKS_POOLS,
	.knobs = memory_knobs,
	.args = memory_args,
	.errnos = errnos_memory,
	.run = run_memory,
};

/* Never CPU 0, which some machines cannot do without. */
static const char *const cpu_knobs[] = {"/sys/devices/system/cpu/cpu[1-9]*/online", NULL};

static const struct arg_desc cpu_args[] = {
	{"cpu", ARG_INT, 65535, NULL, "which of the CPUs that the run has chosen"},
	{.kind = ARG_END},
};

static long run_cpu(struct op_env *e, const struct op_call *c)
{
	return off_and_on(e, cpu_knobs[0], c->arg[0], "0", "1");
}

/* kernel/cpu.c, cpu_down() and cpu_up(). */
static const struct op_errno errnos_cpu[] = {
	{EBUSY, WHEN_ALWAYS}, /* the last CPU, or hotplug is disabled for the moment */
	{EINVAL, WHEN_ALWAYS}, /* another lane took it offline first */
	{EINTR, WHEN_ALWAYS},
	{EAGAIN, WHEN_ALWAYS},
	{0, 0},
};

const struct op op_cpu_offline = {
	.name = "cpu_offline",
	.help = "takes a CPU offline and back: its lanes, page lists and batches move",
	.exercises = "cpu_down lru_add_drain_cpu page_alloc_cpu_dead drain_pages "
		     "compaction kcompactd_cpu_online memcg_hotplug_cpu_dead tlb_flush",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 1,
	.gear = &gear_box,
	.knobs = cpu_knobs,
	.args = cpu_args,
	.errnos = errnos_cpu,
	.run = run_cpu,
};
