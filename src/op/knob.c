/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Knobs of the whole machine that decide how huge pages are made, broken, moved and reclaimed, turned while they are used. */
#include <stdio.h>

#include "op/op.h"
#include "result.h"

#define THP "/sys/kernel/mm/transparent_hugepage/"

/* A word of the argument that is written as it stands: its value is what distinguishes it, its name what the kernel takes. */
static long put_word(struct op_env *e, const char *glob, uint32_t pick, const char *word)
{
	const struct box_knob *k = box_pick(e, glob, pick);

	return k ? box_put(k->path, word) : -ENODEV;
}

static long put_number(struct op_env *e, const char *glob, uint32_t pick, unsigned long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", value);
	return put_word(e, glob, pick, text);
}

/* ---- THP policies ---- */

static const struct arg_word policy_words[] = {
	{"always", 0}, {"madvise", 1}, {"never", 2}, {NULL, 0}};

static const struct arg_desc policy_args[] = {
	{"policy", ARG_ENUM, 0, policy_words, "for whom huge pages are made"},
	{.kind = ARG_END},
};

/* Most of the time there are huge pages. */
static void tune_policy(struct op_call *c, struct rng *r)
{
	if (rng_below(r, 2))
		c->arg[0] = 0;
}

static const char *const enabled_knobs[] = {THP "enabled", NULL};

static long run_enabled(struct op_env *e, const struct op_call *c)
{
	return put_word(e, enabled_knobs[0], 0, policy_words[c->arg[0]].name);
}

/* start_stop_khugepaged() starts a thread, or waits for it to end. */
static const struct op_errno errnos_enabled[] = {
	{ENOMEM, WHEN_SCARCE},
	{EINTR, WHEN_GONE_PEER},
	{0, 0},
};

const struct op op_thp_enabled = {
	.name = "thp_enabled",
	.help = "turns huge pages for anonymous memory on, off, or on where asked for",
	.exercises = "enabled_store start_stop_khugepaged hugepage_pmd_enabled "
		     "__thp_vma_allowable_orders set_recommended_min_free_kbytes",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 2,
	.gear = &gear_box,
	.knobs = enabled_knobs,
	.args = policy_args,
	.errnos = errnos_enabled,
	.run = run_enabled,
	.tune = tune_policy,
};

static const char *const shmem_knobs[] = {THP "shmem_enabled", NULL};

/* What it takes besides: deny and force, which bind every mount. */
static const struct arg_word shmem_words[] = {{"always", 0}, {"within_size", 1}, {"advise", 2},
	{"never", 3}, {"deny", 4}, {"force", 5}, {NULL, 0}};

static const struct arg_desc shmem_args[] = {
	{"policy", ARG_ENUM, 0, shmem_words, "for whom huge pages are made"},
	{.kind = ARG_END},
};

static long run_shmem_enabled(struct op_env *e, const struct op_call *c)
{
	return put_word(e, shmem_knobs[0], 0, shmem_words[c->arg[0]].name);
}

static void tune_shmem(struct op_call *c, struct rng *r)
{
	static const uint8_t often[] = {0, 1, 2, 5};

	if (rng_below(r, 3))
		c->arg[0] = often[rng_below(r, sizeof(often))];
}

/* force is refused while a smaller size inherits the policy (mm/shmem.c, shmem_enabled_store). */
static bool odd_shmem(const struct op_env *e, const struct op_call *c)
{
	return c->arg[0] == 5;
}

static const struct op_errno errnos_shmem[] = {
	{EINVAL, WHEN_ODD},
	{ENOMEM, WHEN_SCARCE},
	{EINTR, WHEN_GONE_PEER},
	{0, 0},
};

const struct op op_thp_shmem_enabled = {
	.name = "thp_shmem_enabled",
	.help = "turns huge pages for shared memory on, off, or on where asked for",
	.exercises = "shmem_enabled_store shmem_allowable_huge_orders shmem_huge_global_enabled "
		     "start_stop_khugepaged",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 2,
	.gear = &gear_box,
	.knobs = shmem_knobs,
	.args = shmem_args,
	.errnos = errnos_shmem,
	.run = run_shmem_enabled,
	.tune = tune_shmem,
	.odd = odd_shmem,
};

static const char *const mthp_knobs[] = {
	THP "hugepages-*kB/enabled", THP "hugepages-*kB/shmem_enabled", NULL};

static const struct arg_word mthp_words[] = {
	{"always", 0}, {"inherit", 1}, {"madvise", 2}, {"never", 3}, {NULL, 0}};
static const struct arg_word mthp_shmem_words[] = {
	{"always", 0}, {"inherit", 1}, {"advise", 2}, {"never", 3}, {NULL, 0}};

static const struct arg_word mthp_of_words[] = {{"anon", 0}, {"shmem", 1}, {NULL, 0}};

static const struct arg_desc mthp_args[] = {
	{"size", ARG_INT, 255, NULL, "which of the sizes that the kernel can make"},
	{"of", ARG_ENUM, 0, mthp_of_words, "memory of that kind (anon where shmem has none)"},
	{"policy", ARG_ENUM, 0, mthp_words, "for whom folios of that size are made"},
	{.kind = ARG_END},
};

static long run_mthp(struct op_env *e, const struct op_call *c)
{
	const struct box_knob *k = c->arg[1] ? box_pick(e, mthp_knobs[1], c->arg[0]) : NULL;

	if (k)
		return box_put(k->path, mthp_shmem_words[c->arg[2]].name);
	return put_word(e, mthp_knobs[0], c->arg[0], mthp_words[c->arg[2]].name);
}

/* And a smaller size does not inherit while it is force (thpsize_shmem_enabled_store). */
static bool odd_mthp(const struct op_env *e, const struct op_call *c)
{
	return c->arg[1] == 1 && c->arg[2] == 1;
}

const struct op op_mthp_enabled = {
	.name = "mthp_enabled",
	.help = "turns folios of one size on or off",
	.exercises = "anon_enabled_store alloc_anon_folio thp_vma_suitable_orders "
		     "shmem_allowable_huge_orders shmem_alloc_folio",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 4,
	.gear = &gear_box,
	.knobs = mthp_knobs,
	.args = mthp_args,
	.errnos = errnos_shmem,
	.run = run_mthp,
	.odd = odd_mthp,
};

/* ---- khugepaged ---- */

static const char *const khugepaged_knobs[] = {THP "khugepaged/scan_sleep_millisecs",
	THP "khugepaged/alloc_sleep_millisecs", THP "khugepaged/pages_to_scan",
	THP "khugepaged/max_ptes_none", THP "khugepaged/max_ptes_swap",
	THP "khugepaged/max_ptes_shared", THP "khugepaged/defrag", NULL};

enum { KHUGEPAGED_COUNT = 7, LEVELS = 4 };

static const struct arg_word khugepaged_words[] = {{"scan_sleep", 0}, {"alloc_sleep", 1},
	{"pages_to_scan", 2}, {"max_ptes_none", 3}, {"max_ptes_swap", 4}, {"max_ptes_shared", 5},
	{"defrag", 6}, {NULL, 0}};

static const struct arg_word level_words[] = {
	{"least", 0}, {"little", 1}, {"much", 2}, {"most", 3}, {NULL, 0}};

/* Sleeps in ms. max_ptes_* are bounded by the pages of a PMD less one, which not all machines have 512 of: see clip(). */
static const uint16_t khugepaged_values[KHUGEPAGED_COUNT][LEVELS] = {
	{0, 10, 100, 1000},
	{0, 10, 100, 1000},
	{1, 64, 4096, 32768},
	{0, 64, 255, 65535},
	{0, 1, 64, 65535},
	{0, 1, 256, 65535},
	{0, 1, 1, 1},
};

static const struct arg_desc khugepaged_args[] = {
	{"knob", ARG_ENUM, 0, khugepaged_words, "which of khugepaged's knobs"},
	{"level", ARG_ENUM, 0, level_words, "how much"},
	{.kind = ARG_END},
};

static unsigned long clip(const struct op_env *e, uint32_t knob, unsigned long value)
{
	unsigned long most = (unsigned long)(e->machine->pmd_size / e->machine->page_size) - 1;

	return knob >= 3 && knob <= 5 && value > most ? most : value;
}

static long run_khugepaged(struct op_env *e, const struct op_call *c)
{
	uint32_t knob = c->arg[0];

	return put_number(
		e, khugepaged_knobs[knob], 0, clip(e, knob, khugepaged_values[knob][c->arg[1]]));
}

const struct op op_khugepaged_knob = {
	.name = "khugepaged_knob",
	.help = "makes khugepaged eager or lazy, generous or strict",
	.exercises =
		"khugepaged_do_scan hpage_collapse_scan_pmd hpage_collapse_scan_file "
		"collapse_huge_page __collapse_huge_page_swapin khugepaged_max_ptes_none_store",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 4,
	.gear = &gear_box,
	.knobs = khugepaged_knobs,
	.args = khugepaged_args,
	.run = run_khugepaged,
};

/* ---- compaction and reclaim ---- */

static const struct op_errno errnos_compact[] = {
	{EINTR, WHEN_GONE_PEER}, /* the executor is being killed */
	{0, 0},
};

static const char *const compact_knobs[] = {"!/proc/sys/vm/compact_memory", NULL};

static long run_compact_memory(struct op_env *e, const struct op_call *c)
{
	return put_word(e, compact_knobs[0], 0, "1");
}

const struct op op_compact_memory = {
	.name = "compact_memory",
	.help = "compacts all zones: migrates what is movable",
	.exercises = "sysctl_compaction_handler compact_node isolate_migratepages_block "
		     "migrate_pages try_to_migrate remove_migration_ptes",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 2,
	.gear = &gear_box,
	.knobs = compact_knobs,
	.errnos = errnos_compact,
	.run = run_compact_memory,
};

static const char *const compact_node_knobs[] = {"!/sys/devices/system/node/node*/compact", NULL};

static const struct arg_desc compact_args[] = {
	{"node", ARG_INT, 255, NULL, "which node"},
	{.kind = ARG_END},
};

static long run_compact_node(struct op_env *e, const struct op_call *c)
{
	return put_word(e, compact_node_knobs[0], c->arg[0], "1");
}

const struct op op_compact_node = {
	.name = "compact_node",
	.help = "compacts one node",
	.exercises = "compact_store compact_node isolate_migratepages_block "
		     "isolate_or_dissolve_huge_page",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 3,
	.gear = &gear_box,
	.knobs = compact_node_knobs,
	.args = compact_args,
	.errnos = errnos_compact,
	.run = run_compact_node,
};

static const char *const drop_knobs[] = {"!/proc/sys/vm/drop_caches", NULL};

static const struct arg_word drop_words[] = {{"pages", 1}, {"slab", 2}, {"both", 3}, {NULL, 0}};

static const struct arg_desc drop_args[] = {
	{"what", ARG_ENUM, 0, drop_words, "clean page cache, reclaimable slab"},
	{.kind = ARG_END},
};

static long run_drop_caches(struct op_env *e, const struct op_call *c)
{
	return put_number(e, drop_knobs[0], 0, drop_words[c->arg[0]].value);
}

const struct op op_drop_caches = {
	.name = "drop_caches",
	.help = "drops clean page cache, or runs the slab shrinkers (deferred splits with them)",
	.exercises = "drop_pagecache_sb drop_slab mapping_evict_folio deferred_split_scan",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 1,
	.gear = &gear_box,
	.knobs = drop_knobs,
	.args = drop_args,
	.run = run_drop_caches,
};

static const char *const zone_reclaim_knobs[] = {"/proc/sys/vm/zone_reclaim_mode", NULL};

static const struct arg_desc zone_reclaim_args[] = {
	{"mode", ARG_INT, 7, NULL,
		"1: reclaim before another node is asked, 2: also write, 4: also unmap"},
	{.kind = ARG_END},
};

static long run_zone_reclaim(struct op_env *e, const struct op_call *c)
{
	return put_number(e, zone_reclaim_knobs[0], 0, c->arg[0]);
}

const struct op op_zone_reclaim_mode = {
	.name = "zone_reclaim_mode",
	.help = "has a full node reclaim its own memory before others are asked",
	.exercises = "node_reclaim __node_reclaim get_page_from_freelist shrink_node",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 1,
	.gear = &gear_box,
	.knobs = zone_reclaim_knobs,
	.args = zone_reclaim_args,
	.run = run_zone_reclaim,
};

/* ---- who else moves and merges pages ---- */

static const char *const balancing_knobs[] = {"/proc/sys/kernel/numa_balancing", NULL};

static const struct arg_word balancing_words[] = {{"off", 0}, {"on", 1}, {"tiering", 2}, {NULL, 0}};

static const struct arg_desc balancing_args[] = {
	{"mode", ARG_ENUM, 0, balancing_words,
		"hinting faults: none, to follow the tasks, to promote"},
	{.kind = ARG_END},
};

static long run_balancing(struct op_env *e, const struct op_call *c)
{
	return put_number(e, balancing_knobs[0], 0, balancing_words[c->arg[0]].value);
}

static const struct op_errno errnos_balancing[] = {
	{EINVAL, WHEN_ALWAYS}, /* kernels before 5.18 know no tiering */
	{0, 0},
};

const struct op op_numa_balancing = {
	.name = "numa_balancing",
	.help = "turns NUMA balancing on or off",
	.exercises = "sysctl_numa_balancing task_numa_work change_prot_numa do_huge_pmd_numa_page "
		     "do_numa_page migrate_misplaced_folio",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 2,
	.gear = &gear_box,
	.knobs = balancing_knobs,
	.args = balancing_args,
	.errnos = errnos_balancing,
	.run = run_balancing,
};

static const char *const ksm_run_knobs[] = {"/sys/kernel/mm/ksm/run", NULL};

static const struct arg_word ksm_words[] = {{"run", 1}, {"stop", 0}, {"unmerge", 2}, {NULL, 0}};

static const struct arg_desc ksm_args[] = {
	{"how", ARG_ENUM, 0, ksm_words, "merge, pause, or pause and break all that is merged"},
	{.kind = ARG_END},
};

static long run_ksm(struct op_env *e, const struct op_call *c)
{
	return put_number(e, ksm_run_knobs[0], 0, ksm_words[c->arg[0]].value);
}

/* unmerge_and_remove_all_rmap_items(): copies what was merged. */
static const struct op_errno errnos_ksm[] = {
	{ENOMEM, WHEN_ALWAYS},
	{EINTR, WHEN_GONE_PEER},
	{0, 0},
};

const struct op op_ksm_run = {
	.name = "ksm_run",
	.help = "starts and stops the merging of equal pages, or breaks them all",
	.exercises = "run_store unmerge_and_remove_all_rmap_items break_ksm ksm_do_scan "
		     "cmp_and_merge_page split_huge_page",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 2,
	.gear = &gear_box,
	.knobs = ksm_run_knobs,
	.args = ksm_args,
	.errnos = errnos_ksm,
	.run = run_ksm,
};

static const char *const ksm_knobs[] = {"/sys/kernel/mm/ksm/sleep_millisecs",
	"/sys/kernel/mm/ksm/pages_to_scan", "/sys/kernel/mm/ksm/use_zero_pages", NULL};

enum { KSM_KNOBS = 3 };

static const struct arg_word ksm_knob_words[] = {
	{"sleep", 0}, {"pages_to_scan", 1}, {"use_zero_pages", 2}, {NULL, 0}};

static const uint16_t ksm_values[KSM_KNOBS][LEVELS] = {
	{0, 10, 20, 500}, {1, 100, 4000, 30000}, {0, 1, 0, 1}};

static const struct arg_desc ksm_knob_args[] = {
	{"knob", ARG_ENUM, 0, ksm_knob_words, "which of KSM's knobs"},
	{"level", ARG_ENUM, 0, level_words, "how much"},
	{.kind = ARG_END},
};

static long run_ksm_knob(struct op_env *e, const struct op_call *c)
{
	return put_number(e, ksm_knobs[c->arg[0]], 0, ksm_values[c->arg[0]][c->arg[1]]);
}

static const struct op_errno errnos_ksm_knob[] = {
	{EINVAL, WHEN_ALWAYS}, /* pages_to_scan while an advisor sets it (6.8) */
	{0, 0},
};

const struct op op_ksm_knob = {
	.name = "ksm_knob",
	.help = "makes KSM eager or lazy",
	.exercises = "ksm_do_scan scan_get_next_rmap_item cmp_and_merge_page",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 1,
	.gear = &gear_box,
	.knobs = ksm_knobs,
	.args = ksm_knob_args,
	.errnos = errnos_ksm_knob,
	.run = run_ksm_knob,
};
