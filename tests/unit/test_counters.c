/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judges of counters, on captured and made-up machines. */
#include "fake_root.h"

#include <errno.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "judge.h"

#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define NODE "/sys/devices/system/node/node"

static struct machine_node nodes[] = {
	{.id = 0, .has_memory = true, .has_cpu = true}, {.id = 1, .has_memory = true}};
static const struct machine machine = {.page_size = 4096,
	.pmd_size = 2 << 20,
	.mem_total = 4ULL << 30,
	.node = nodes,
	.nnodes = 2,
	.hstate = {{2 << 20}},
	.nhstates = 1};

static int make_root(void **state)
{
	(void)state;
	fake_root_make();
	return 0;
}

static int remove_root(void **state)
{
	(void)state;
	fake_root_remove();
	return 0;
}

static void number(const char *path, long long v)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)v);
	fake_file(path, text);
}

/* A pool whose pages are on both nodes, the odd one on node 0. */
static void pool(
	long long nr, long long free_pages, long long resv, long long surplus, long long over)
{
	static const char *const names[] = {"nr_hugepages", "free_hugepages", "surplus_hugepages"};
	long long v[] = {nr, free_pages, surplus};
	char path[128];

	number(POOL "nr_hugepages", nr);
	number(POOL "free_hugepages", free_pages);
	number(POOL "resv_hugepages", resv);
	number(POOL "surplus_hugepages", surplus);
	number(POOL "nr_overcommit_hugepages", over);
	for (int n = 0; n < 2; n++)
		for (int i = 0; i < 3; i++) {
			snprintf(path, sizeof(path), NODE "%d/hugepages/hugepages-2048kB/%s", n,
				names[i]);
			number(path, n ? v[i] / 2 : v[i] - v[i] / 2);
		}
}

/* ---- what is told ---- */

static unsigned int ntold;
static char last_title[160];

static void found(void *arg, struct finding *f)
{
	(void)arg;
	ntold++;
	snprintf(last_title, sizeof(last_title), "%s", f->title);
	assert_true(f->text && strlen(f->text) > 20);
	finding_clear(f);
}

static const struct told told = {found, NULL};

/* A look at the fake machine, by someone who sees all and whom nothing disturbs. */
static struct look look_now(void)
{
	struct look l = {.others = {.whole = true, .users_asked = true, .full = true},
		.others_steady = true,
		.passes = ACCOUNTING_SAME,
		.same = ACCOUNTING_SAME - 1};

	reading_pools(&machine, true, &l.r);
	for (unsigned int g = 0; g < GAUGE_COUNT; g++)
		l.gauge_steady[g] = true;
	return l;
}

static struct accounting a;

static void start(bool pools_change)
{
	struct counters_options o = {.machine = &machine, .pools_change = pools_change, .lanes = 4};
	struct look l;

	pool(16, 16, 0, 0, 0);
	l = look_now();
	accounting_init(&a, &o, &l);
	ntold = 0;
}

static void rest(bool last)
{
	struct look l = look_now();

	accounting_look(&a, &l, last, &told);
}

static void expect(unsigned int n, const char *title)
{
	assert_int_equal(ntold, n);
	if (n)
		assert_string_equal(last_title, title);
	ntold = 0;
}

/* ---- accounting ---- */

static void a_pool_that_is_back_at_each_rest_is_silent(void **state)
{
	(void)state;
	start(false);
	for (int i = 0; i < 10; i++) {
		pool(16, 3, 5, 0, 0);
		accounting_tick(&a, false, &told);
		pool(16, 16, 0, 0, 0);
		rest(i == 9);
	}
	expect(0, NULL);
	assert_null(accounting_idle(&a));
}

static void a_leaked_reservation_is_told_at_the_second_rest(void **state)
{
	(void)state;
	start(false);
	pool(16, 16, 1, 0, 0);
	rest(false);
	expect(0, NULL);
	rest(false);
	expect(1, "accounting: hugetlb reservations leak (2048 kB)");
	rest(false);
	rest(true);
	expect(0, NULL);
	pool(16, 16, 2, 0, 0);
	rest(true);
	expect(1, "accounting: hugetlb reservations leak (2048 kB)");
}

static void what_is_back_at_the_next_rest_was_late(void **state)
{
	(void)state;
	start(false);
	pool(16, 14, 1, 0, 0);
	rest(false);
	pool(16, 16, 0, 0, 0);
	rest(false);
	pool(16, 15, 0, 0, 0);
	rest(false);
	pool(16, 16, 0, 0, 0);
	rest(true);
	expect(0, NULL);
}

static void pages_that_do_not_come_back_are_told_at_the_end(void **state)
{
	(void)state;
	start(false);
	pool(16, 14, 0, 0, 0);
	rest(true);
	expect(1, "accounting: huge pages do not come back to their pool (2048 kB)");
}

static void a_reservation_below_zero_is_impossible(void **state)
{
	(void)state;
	start(false);
	pool(16, 16, -1, 0, 0);
	accounting_tick(&a, false, &told);
	expect(1, "accounting: impossible HugePages_Rsvd (2048 kB)");
	rest(false);
	rest(false);
	expect(1, "accounting: hugetlb reservations are given back twice (2048 kB)");
}

static void private_pages_may_take_reservations_below_zero_until_they_are_free(void **state)
{
	(void)state;
	start(false);
	a.private_hugetlb = true;
	pool(16, 16, -16, 0, 0);
	accounting_tick(&a, false, &told);
	expect(0, NULL);
	pool(16, 16, -17, 0, 0);
	accounting_tick(&a, false, &told);
	expect(1, "accounting: impossible HugePages_Rsvd (2048 kB)");
	pool(16, 16, -1, 0, 0);
	rest(false);
	rest(false);
	expect(1, "accounting: hugetlb reservations are given back twice (2048 kB)");
}

static void values_that_cannot_be_are_told_at_any_time(void **state)
{
	(void)state;
	start(true);
	pool(16, 17, 0, 0, 0);
	accounting_tick(&a, false, &told);
	expect(1, "accounting: impossible HugePages_Free (2048 kB)");
	pool(16, 4, 21, 0, 4);
	accounting_tick(&a, false, &told);
	expect(1, "accounting: more huge pages reserved than can be had (2048 kB)");
	pool(16, 4, 20, 0, 4);
	accounting_tick(&a, false, &told);
	expect(0, NULL);
	number(NODE "1/hugepages/hugepages-2048kB/free_hugepages", 9);
	accounting_tick(&a, false, &told);
	expect(1, "accounting: impossible counters of a node (2048 kB)");
}

static void more_surplus_than_may_be_is_told_unless_the_pool_was_resized(void **state)
{
	(void)state;
	start(false);
	pool(18, 2, 0, 2, 2);
	accounting_tick(&a, false, &told);
	expect(0, NULL);
	pool(19, 2, 0, 3, 2);
	accounting_tick(&a, false, &told);
	expect(1, "accounting: more surplus huge pages than may be (2048 kB)");
	pool(16, 0, 0, 4, 2); /* made smaller under its users, by anybody */
	accounting_tick(&a, false, &told);
	expect(0, NULL);
}

static void nodes_must_add_up(void **state)
{
	(void)state;
	start(false);
	number(NODE "1/hugepages/hugepages-2048kB/nr_hugepages", 9);
	rest(false);
	expect(1, "accounting: hugetlb counters of the nodes do not add up (2048 kB)");
}

static void a_box_where_somebody_else_uses_the_pool_stays_silent(void **state)
{
	struct look l;

	(void)state;
	start(false);
	for (int i = 0; i < 10; i++) { /* another process maps some, each time more */
		pool(16, 15 - i, i, 0, 0);
		l = look_now();
		l.others.hugetlb_kb = 2048ULL * (unsigned int)(i + 1);
		l.others.users = (unsigned int)i;
		accounting_look(&a, &l, i == 9, &told);
	}
	expect(0, NULL);
	assert_non_null(accounting_idle(&a));
	/* It has mapped without use: only the full view tells. */
	l = look_now();
	l.others = a.base.others;
	l.others.users = 77;
	pool(16, 6, 12, 0, 0);
	reading_pools(&machine, true, &l.r);
	accounting_look(&a, &l, true, &told);
	expect(0, NULL);
	/* From then on what it has is normal, and what is added is ours. */
	accounting_look(&a, &l, true, &told);
	expect(0, NULL);
	pool(16, 6, 13, 0, 0);
	reading_pools(&machine, true, &l.r);
	accounting_look(&a, &l, true, &told);
	expect(1, "accounting: hugetlb reservations leak (2048 kB)");
}

static void without_a_full_view_differences_are_not_judged(void **state)
{
	struct look l;

	(void)state;
	start(false);
	pool(16, 12, 2, 0, 0);
	l = look_now();
	l.others.full = false;
	accounting_look(&a, &l, true, &told);
	start(false);
	pool(16, 12, 2, 0, 0);
	l = look_now();
	l.others.whole = false;
	accounting_look(&a, &l, true, &told);
	start(false);
	pool(16, 12, 2, 0, 0);
	l = look_now();
	l.others_steady = false;
	accounting_look(&a, &l, true, &told);
	start(false);
	pool(16, 12, 2, 0, 0);
	l = look_now();
	l.same = 2;
	accounting_look(&a, &l, true, &told);
	expect(0, NULL);
}

static void a_pool_that_is_resized_once_is_somebodys_and_each_time_is_a_drift(void **state)
{
	(void)state;
	start(false);
	pool(24, 24, 0, 0, 0);
	for (int i = 0; i < 5; i++)
		rest(false);
	pool(16, 16, 0, 0, 0);
	for (int i = 0; i < 5; i++)
		rest(false);
	expect(0, NULL);
	for (int i = 1; i <= 3; i++) {
		pool(16 + i, 16 + i, 0, 0, 0);
		rest(false);
	}
	expect(1, "accounting: HugePages_Total drifts (2048 kB)");
}

static void pools_that_ops_resize_still_give_all_back(void **state)
{
	(void)state;
	start(true);
	for (int i = 0; i < 6; i++) {
		pool(8 + i, 8 + i, 0, i % 2, 4);
		rest(false);
	}
	expect(0, NULL);
	pool(9, 8, 0, 0, 0);
	rest(false);
	pool(12, 11, 0, 0, 0);
	rest(false);
	expect(1, "accounting: huge pages do not come back to their pool (2048 kB)");
}

static void pages_that_pile_up_while_lanes_run_are_told_at_the_third_interval(void **state)
{
	(void)state;
	start(false);
	for (int i = 0; i < 3; i++) {
		pool(20, 4, 0, 0, 0); /* four lanes: four pages may be on their way */
		for (int k = 0; k < 20; k++)
			accounting_tick(&a, false, &told);
		pool(16, 16, 0, 0, 0);
		rest(false);
	}
	expect(0, NULL);
	for (int i = 0; i < 3; i++) {
		pool(26, 10, 0, 0, 0);
		for (int k = 0; k < 20; k++)
			accounting_tick(&a, false, &told);
		pool(16, 16, 0, 0, 0);
		rest(false);
	}
	expect(1, "accounting: HugePages_Total is too high while huge pages migrate (2048 kB)");
}

/* ---- others ---- */

static void process(int pid, int parent, const char *rest_of_status, const char *maps)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	snprintf(text, sizeof(text), "Name:\tp%d\nPPid:\t%d\n%s", pid, parent, rest_of_status);
	fake_file(path, text);
	if (!maps)
		return;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fake_file(path, maps);
}

static void all_processes(void)
{
	fake_file("/proc/self/ns/dir", "");
	assert_int_equal(symlink("pid:[4026531836]", fake_path("/proc/self/ns/pid")), 0);
	process(1, 0, "VmSize:\t100 kB\nVmLck:\t8 kB\nVmPTE:\t16 kB\nHugetlbPages:\t0 kB\n",
		"400000-401000 r-xp 00000000 08:01 11 /sbin/init\n");
	process(2, 0, "", NULL); /* a kernel thread */
	process(50, 1, "VmSize:\t9 kB\nVmLck:\t4 kB\nVmPTE:\t4 kB\nHugetlbPages:\t4096 kB\n", "");
	process(51, 50, "VmSize:\t9 kB\nVmLck:\t4 kB\nVmPTE:\t4 kB\nHugetlbPages:\t4096 kB\n", "");
}

static void what_is_ours_is_no_other(void **state)
{
	struct hugetlb_devices d = {.dev = {makedev(0, 15)}, .n = 1};
	struct others o;

	(void)state;
	all_processes();
	others_read(50, &d, true, &o);
	assert_true(o.whole && o.full);
	assert_int_equal(o.hugetlb_kb, 0);
	assert_int_equal(o.nusers, 0);
	assert_int_equal(o.locked_kb, 8);
	assert_int_equal(o.tables_kb, 24); /* of all */
	others_read(4711, &d, true, &o);
	assert_int_equal(o.hugetlb_kb, 8192);
	assert_int_equal(o.nusers, 2);
}

static void who_maps_hugetlb_memory_without_using_it_is_seen(void **state)
{
	struct hugetlb_devices d = {.dev = {makedev(0, 15)}, .n = 1};
	struct others before, after;

	(void)state;
	all_processes();
	others_read(50, &d, true, &before);
	process(60, 1, "VmSize:\t9 kB\nHugetlbPages:\t0 kB\n",
		"7f0000000000-7f0000400000 rw-p 00000000 00:0f 99 /anon_hugepage (deleted)\n");
	others_read(50, &d, false, &after);
	assert_int_equal(after.nusers, 0);
	others_read(50, &d, true, &after);
	assert_int_equal(after.nusers, 1);
	assert_true(after.users != before.users);
	assert_string_equal(after.name, "60 (p60)");
}

static void a_namespace_of_its_own_is_no_whole_view(void **state)
{
	struct hugetlb_devices d = {.n = 0};
	struct others o;

	(void)state;
	all_processes();
	assert_int_equal(unlink(fake_path("/proc/self/ns/pid")), 0);
	assert_int_equal(symlink("pid:[4026532201]", fake_path("/proc/self/ns/pid")), 0);
	others_read(50, &d, true, &o);
	assert_false(o.whole);
}

/* ---- readings ---- */

static const char meminfo0[] =
	"Node 0 MemTotal:        7038752 kB\nNode 0 MemFree:         5140904 kB\n"
	"Node 0 Active:           344008 kB\nNode 0 Inactive:         808748 kB\n"
	"Node 0 Active(anon):       1780 kB\nNode 0 Unevictable:       22880 kB\n"
	"Node 0 FilePages:       1040980 kB\nNode 0 AnonPages:        134632 kB\n"
	"Node 0 KernelStack:        2292 kB\nNode 0 PageTables:         4788 kB\n"
	"Node 0 SecPageTables:         0 kB\nNode 0 Bounce:                0 kB\n"
	"Node 0 Slab:             547548 kB\n";

static void a_nodes_memory_is_accounted_for(void **state)
{
	struct reading r = {0};

	(void)state;
	pool(16, 16, 0, 0, 0);
	fake_file(NODE "0/meminfo", meminfo0);
	fake_file("/proc/zoneinfo",
		"Node 0, zone    DMA32\n  pagesets\n    cpu: 0\n              count:    100\n"
		"    cpu: 1\n              count:    20\nNode 1, zone   Normal\n    cpu: 0\n"
		"              count:    7\n");
	reading_nodes(&machine, &r);
	assert_int_equal(r.nnodes, 1);
	assert_int_equal(r.lost[0],
		(7038752 - 344008 - 808748 - 22880 - 5140904 - 547548 - 2292 - 4788 - 8 * 2048) /
				4 -
			120);
	assert_int_equal(r.stray[0], (344008 + 808748 + 22880 - 1040980 - 134632) / 4);
}

static void gauges_are_in_pages(void **state)
{
	struct reading r;

	(void)state;
	fake_file("/proc/meminfo", "AnonPages:        400 kB\nAnonHugePages:     2048 kB\n");
	fake_file("/proc/vmstat", "nr_isolated_anon 3\nnr_mlock 12\nnr_mlock_other 5\n");
	reading_gauges(&machine, &r);
	assert_int_equal(r.gauge[GAUGE_ANON], 100);
	assert_int_equal(r.gauge[GAUGE_ANON_HUGE], 512);
	assert_int_equal(r.gauge[GAUGE_ISOLATED_ANON], 3);
	assert_int_equal(r.gauge[GAUGE_MLOCKED], 12);
	assert_int_equal(r.gauge[GAUGE_TABLES], -1);
}

static void hardware_errors_are_counted(void **state)
{
	struct reading r = {0};

	(void)state;
	number("/sys/devices/system/edac/mc/mc0/ce_count", 3);
	number("/sys/devices/system/edac/mc/mc1/ce_count", 4);
	number("/sys/devices/system/edac/mc/mc1/ue_count", 1);
	fake_file("/proc/interrupts", "            CPU0       CPU1\n  0:   9   9  timer\n"
				      " MCE:          2          1   Machine check exceptions\n"
				      " MCP:         11         12   Machine check polls\n");
	fake_file("/proc/meminfo", "MemTotal: 1 kB\nHardwareCorrupted:     4 kB\n");
	reading_hardware(&r);
	assert_int_equal(r.edac_corrected, 7);
	assert_int_equal(r.edac_uncorrected, 1);
	assert_int_equal(r.exceptions, 3);
	assert_int_equal(r.corrupted, 4096);
}

/* ---- leak ---- */

static void growth_is_told_from_noise_and_from_caches(void **state)
{
	static const struct {
		const char *what;
		int64_t v[10];
		unsigned int n;
		bool grows;
	} t[] = {
		{"steady", {0, 600, 1150, 1800, 2400, 3000}, 6, true},
		{"steady, longer", {50, 600, 1150, 1800, 2400, 3000, 3500, 4100, 4700, 5200}, 10,
			true},
		{"too few", {0, 600, 1150, 1800, 9000}, 5, false},
		{"noise", {0, 600, 100, 900, 300, 2900}, 6, false},
		{"one jump", {0, 0, 0, 9000, 9000, 9000}, 6, false},
		{"a cache that fills", {0, 4000, 6000, 7000, 7500, 7750}, 6, false},
		{"little", {0, 20, 40, 60, 80, 100}, 6, false},
		{"slow", {0, 130, 260, 390, 520, 650}, 6, false},
		{"it stops", {0, 600, 1150, 1800, 2400, 2400}, 6, false},
		{"down", {3000, 2400, 1800, 1200, 600, 0}, 6, false},
	};
	double slope;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		if (leak_grows(t[i].v, t[i].n, 128, 2048, &slope) != t[i].grows)
			fail_msg("%s", t[i].what);
	}
}

static struct leak k;

static void leak_start(struct look *base)
{
	*base = look_now();
	base->r.nnodes = 2;
	leak_init(&k, base);
	ntold = 0;
}

static void memory_that_goes_at_each_rest_is_a_leak_of_its_node(void **state)
{
	struct look l;

	(void)state;
	pool(16, 16, 0, 0, 0);
	leak_start(&l);
	for (int i = 0; i < 500; i++) { /* what goes up comes down, for as long as it likes */
		l.r.lost[0] = 5000 + (i * 7919) % 3000;
		l.r.stray[1] = 300 + (i * 104729) % 900;
		leak_look(&k, &l, &told);
	}
	expect(0, NULL);
	leak_start(&l);
	for (int i = 0; i < 5; i++) {
		l.r.stray[1] += 512;
		leak_look(&k, &l, &told);
	}
	expect(0, NULL);
	l.r.stray[1] += 512;
	leak_look(&k, &l, &told);
	expect(1, "leak: pages stay on the LRU lists and belong to nothing");
}

static void isolated_pages_at_three_rests_are_told(void **state)
{
	struct look l;

	(void)state;
	pool(16, 16, 0, 0, 0);
	leak_start(&l);
	l.r.gauge[GAUGE_ISOLATED_ANON] = 32;
	leak_look(&k, &l, &told);
	leak_look(&k, &l, &told);
	l.gauge_steady[GAUGE_ISOLATED_ANON] = false; /* somebody reclaims */
	leak_look(&k, &l, &told);
	l.gauge_steady[GAUGE_ISOLATED_ANON] = true;
	leak_look(&k, &l, &told);
	leak_look(&k, &l, &told);
	expect(0, NULL);
	leak_look(&k, &l, &told);
	expect(1, "leak: nr_isolated_anon does not come back");
}

/* One rest at which nr_mlock is so, and so many pages are seen mlocked; known: their flags could be read. */
static void locked_rest(struct look *l, int64_t gauge, bool known, int64_t pages, int64_t nowhere)
{
	l->r.gauge[GAUGE_MLOCKED] = gauge;
	l->mlocked = (struct mlocked){.known = known, .pages = pages, .nowhere = nowhere};
	leak_look(&k, l, &told);
}

static void a_count_of_locked_pages_that_is_not_their_number_is_told(void **state)
{
	struct look l;

	(void)state;
	pool(16, 16, 0, 0, 0);
	leak_start(&l);
	for (int i = 0; i < 2; i++)
		locked_rest(&l, 3, true, 0, 0);
	expect(0, NULL);
	locked_rest(&l, 3, true, 0, 0);
	expect(1, "leak: nr_mlock does not come back");
	leak_start(&l);
	for (int i = 0; i < 9; i++) /* nobody can tell which pages */
		locked_rest(&l, 3, false, 0, 0);
	expect(0, NULL);
	l.others.locked_kb = 16;
	for (int i = 0; i < 9; i++)
		locked_rest(&l, 7, true, 0, 0);
	expect(0, NULL);
}

static void locked_pages_that_nobody_maps_are_told(void **state)
{
	struct look l;

	(void)state;
	pool(16, 16, 0, 0, 0);
	leak_start(&l);
	for (int i = 0; i < 3; i++)
		locked_rest(&l, 3, true, 3, 1);
	expect(1, "leak: nr_mlock does not come back");
}

static void locked_pages_that_somebody_maps_are_left_over(void **state)
{
	struct look l;

	(void)state;
	pool(16, 16, 0, 0, 0);
	leak_start(&l);
	for (int i = 1; i < 9; i++) {
		l.r.gauge[GAUGE_MLOCKED] = i;
		assert_true(leak_asks_for_mlocked(&k, &l));
		locked_rest(&l, i, true, i, 0);
		assert_false(leak_asks_for_mlocked(&k, &l));
	}
	l.r.gauge[GAUGE_MLOCKED] = 2; /* reclaim has found some of them */
	assert_true(leak_asks_for_mlocked(&k, &l));
	for (int i = 0; i < 3; i++)
		locked_rest(&l, 2, true, 2, 0);
	expect(0, NULL);
	for (int i = 0; i < 3; i++)
		locked_rest(&l, 4, true, 2, 0);
	expect(1, "leak: nr_mlock does not come back");
}

static void mlocked_pages_are_counted_with_the_tails_of_large_ones(void **state)
{
	enum { MMAP = 1 << 11, SWAPCACHE = 1 << 13, HEAD = 1 << 15, TAIL = 1 << 16 };
	static const uint64_t mlocked = 1ULL << 33;
	const uint64_t flags[] = {0, mlocked | MMAP, mlocked, mlocked | HEAD | MMAP, TAIL,
		TAIL | mlocked, HEAD, TAIL, mlocked | SWAPCACHE, TAIL, 0};
	char path[512];
	struct mlocked m;
	FILE *f;

	(void)state;
	reading_mlocked(1000000000, &m);
	assert_false(m.known);
	fake_file("/proc/kpageflags", "");
	assert_int_equal(path_real("/proc/kpageflags", path, sizeof(path)), 0);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(flags, sizeof(*flags), ARRAY_SIZE(flags), f), ARRAY_SIZE(flags));
	assert_int_equal(fclose(f), 0);
	reading_mlocked(UINT64_MAX / 4, &m);
	assert_true(m.known);
	assert_int_equal(m.pages, 7);
	assert_int_equal(m.nowhere, 1);
}

static void a_part_is_never_more_than_the_whole(void **state)
{
	struct look l;

	(void)state;
	pool(16, 16, 0, 0, 0);
	leak_start(&l);
	l.r.gauge[GAUGE_ANON] = 600;
	l.r.gauge[GAUGE_ANON_HUGE] = 512;
	for (int i = 0; i < 5; i++)
		leak_look(&k, &l, &told);
	expect(0, NULL);
	l.r.gauge[GAUGE_ANON_HUGE] = 1024;
	for (int i = 0; i < 3; i++)
		leak_look(&k, &l, &told);
	expect(1, "leak: AnonHugePages does not come back");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pool_that_is_back_at_each_rest_is_silent),
		TEST(a_leaked_reservation_is_told_at_the_second_rest),
		TEST(what_is_back_at_the_next_rest_was_late),
		TEST(pages_that_do_not_come_back_are_told_at_the_end),
		TEST(a_reservation_below_zero_is_impossible),
		TEST(private_pages_may_take_reservations_below_zero_until_they_are_free),
		TEST(values_that_cannot_be_are_told_at_any_time),
		TEST(more_surplus_than_may_be_is_told_unless_the_pool_was_resized),
		TEST(nodes_must_add_up),
		TEST(a_box_where_somebody_else_uses_the_pool_stays_silent),
		TEST(without_a_full_view_differences_are_not_judged),
		TEST(a_pool_that_is_resized_once_is_somebodys_and_each_time_is_a_drift),
		TEST(pools_that_ops_resize_still_give_all_back),
		TEST(pages_that_pile_up_while_lanes_run_are_told_at_the_third_interval),
		TEST(what_is_ours_is_no_other),
		TEST(who_maps_hugetlb_memory_without_using_it_is_seen),
		TEST(a_namespace_of_its_own_is_no_whole_view),
		TEST(a_nodes_memory_is_accounted_for),
		TEST(gauges_are_in_pages),
		TEST(hardware_errors_are_counted),
		TEST(growth_is_told_from_noise_and_from_caches),
		TEST(memory_that_goes_at_each_rest_is_a_leak_of_its_node),
		TEST(isolated_pages_at_three_rests_are_told),
		TEST(a_count_of_locked_pages_that_is_not_their_number_is_told),
		TEST(locked_pages_that_nobody_maps_are_told),
		TEST(locked_pages_that_somebody_maps_are_left_over),
		TEST(mlocked_pages_are_counted_with_the_tails_of_large_ones),
		TEST(a_part_is_never_more_than_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
