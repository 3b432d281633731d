/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_root.h"

#include "caps/machine.h"

#include <errno.h>

#define NODES "/sys/devices/system/node/"
#define HUGE "/sys/kernel/mm/hugepages/"
#define KIB 1024ULL
#define MIB (1024 * KIB)

static int setup(void **state)
{
	fake_root_make();
	fake_file("/proc/meminfo", "MemTotal:        4000000 kB\nMemFree:          100000 kB\n"
				   "MemAvailable:    3000000 kB\nHugepagesize:       2048 kB\n");
	return 0;
}

static int teardown(void **state)
{
	fake_root_remove();
	return 0;
}

static void make_node(int id, const char *cpus, unsigned long long kib)
{
	char path[128], text[256];

	snprintf(path, sizeof(path), NODES "node%d/cpulist", id);
	snprintf(text, sizeof(text), "%s\n", cpus);
	fake_file(path, text);
	snprintf(path, sizeof(path), NODES "node%d/meminfo", id);
	snprintf(text, sizeof(text), "Node %d MemTotal:       %llu kB\nNode %d MemFree: 5 kB\n", id,
		kib, id);
	fake_file(path, text);
}

/* Nodes 0 and 9 with CPUs and memory, 4 without memory, 12 without CPUs (as CXL memory). */
static void make_sparse_nodes(void)
{
	fake_file(NODES "online", "0,4,9,12\n");
	fake_file(NODES "has_memory", "0,9,12\n");
	make_node(0, "0-1,8", 1000);
	make_node(4, "2-3", 0);
	make_node(9, "4-5", 2000);
	make_node(12, "", 3000);
	fake_file("/proc/self/status", "Name:\tx\nCpus_allowed_list:\t1-4,8\n"
				       "Mems_allowed_list:\t0,9-12\nx:\t1\n");
}

static void sparse_nodes_keep_their_ids(void **state)
{
	static const int ids[] = {0, 4, 9, 12};
	static const uint64_t kib[] = {1000, 0, 2000, 3000};
	struct machine m;

	make_sparse_nodes();
	assert_int_equal(machine_probe(&m), 0);
	assert_int_equal(m.nnodes, 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(m.node[i].id, ids[i]);
		assert_int_equal(m.node[i].mem_total, kib[i] * KIB);
		assert_int_equal(m.node[i].has_memory, ids[i] != 4);
		assert_int_equal(m.node[i].has_cpu, ids[i] != 12);
	}
	machine_free(&m);
}

static void only_allowed_nodes_and_cpus_are_used(void **state)
{
	static const int cpus[] = {1, 2, 3, 4, 8}, nodes[] = {0, 4, 4, 9, 0};
	struct machine m;

	make_sparse_nodes();
	assert_int_equal(machine_probe(&m), 0);
	assert_int_equal(m.ncpus, 5);
	assert_memory_equal(m.cpu, cpus, sizeof(cpus));
	assert_memory_equal(m.cpu_node, nodes, sizeof(nodes));
	assert_int_equal(m.nmem_nodes, 3);
	machine_free(&m);
	fake_file("/proc/self/status", "Cpus_allowed_list:\t5\nMems_allowed_list:\t9\n");
	assert_int_equal(machine_probe(&m), 0);
	assert_int_equal(m.ncpus, 1);
	assert_int_equal(m.cpu_node[0], 9);
	assert_int_equal(m.nmem_nodes, 1);
	assert_int_equal(m.mem_node[0], 9);
	machine_free(&m);
}

static void a_machine_without_node_files_is_one_node(void **state)
{
	struct machine m;

	fake_file("/proc/self/status", "Cpus_allowed_list:\t0-3\n");
	assert_int_equal(machine_probe(&m), 0);
	assert_int_equal(m.nnodes, 1);
	assert_int_equal(m.node[0].id, 0);
	assert_true(m.node[0].has_memory && m.node[0].has_cpu);
	assert_int_equal(m.node[0].mem_total, 4000000 * KIB);
	assert_int_equal(m.nmem_nodes, 1);
	assert_int_equal(m.mem_node[0], 0);
	assert_int_equal(m.ncpus, 4);
	assert_int_equal(m.cpu_node[3], 0);
	machine_free(&m);
}

static void an_empty_root_still_gives_a_machine(void **state)
{
	struct machine m;

	assert_int_equal(unlink(fake_path("/proc/meminfo")), 0);
	assert_int_equal(machine_probe(&m), 0);
	assert_true(m.page_size > 0 && m.pmd_size > m.page_size && m.pud_size > m.pmd_size);
	assert_true(m.nnodes == 1 && m.nmem_nodes == 1 && m.ncpus == 1);
	assert_true(m.mem_total > 0);
	assert_int_equal(m.nhstates, 0);
	assert_string_equal(m.boot_id, "unknown");
	machine_free(&m);
}

static void nonsense_in_node_files_is_one_node(void **state)
{
	static const char *const bad[] = {"", "x", "0-", "-3", "1,,2", "0 1", "3-1,", "0,", "5000"};
	struct machine m;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake_file(NODES "online", bad[i]);
		assert_int_equal(machine_probe(&m), 0);
		assert_int_equal(m.nnodes, 1);
		assert_int_equal(m.node[0].id, 0);
		machine_free(&m);
	}
}

static void the_pmd_size_is_read_from_the_system(void **state)
{
	struct machine m;

	fake_file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "33554432\n");
	assert_int_equal(machine_probe(&m), 0);
	assert_int_equal(m.pmd_size, 32 * MIB);
	assert_int_equal(m.pud_size, 32 * MIB * (m.page_size / 8));
	machine_free(&m);
}

static void without_thp_the_pmd_size_is_the_default_hugetlb_size(void **state)
{
	struct machine m;

	/* As on s390x, whose PMDs are smaller than a page of 8-byte entries would make them. */
	fake_file("/proc/meminfo", "MemTotal: 4000000 kB\nHugepagesize: 1024 kB\n");
	assert_int_equal(machine_probe(&m), 0);
	assert_int_equal(m.pmd_size, MIB);
	machine_free(&m);
}

static void a_default_hugetlb_size_above_the_pmd_is_not_taken_for_it(void **state)
{
	struct machine m;

	fake_file("/proc/meminfo", "MemTotal: 4000000 kB\nHugepagesize: 1048576 kB\n");
	assert_int_equal(machine_probe(&m), 0);
	assert_int_equal(m.pmd_size, m.page_size * (m.page_size / 8));
	machine_free(&m);
}

static void hugetlb_sizes_come_sorted(void **state)
{
	struct machine m;

	fake_file(HUGE "hugepages-1048576kB/nr_hugepages", "0\n");
	fake_file(HUGE "hugepages-64kB/nr_hugepages", "0\n");
	fake_file(HUGE "hugepages-2048kB/nr_hugepages", "3\n");
	fake_file(HUGE "hugepages-2048kBx/nr_hugepages", "3\n");
	fake_file(HUGE "other/nr_hugepages", "3\n");
	assert_int_equal(machine_probe(&m), 0);
	assert_int_equal(m.nhstates, 3);
	assert_int_equal(m.hstate[0].size, 64 * KIB);
	assert_int_equal(m.hstate[1].size, 2 * MIB);
	assert_int_equal(m.hstate[2].size, 1024 * MIB);
	machine_free(&m);
}

static void pools_are_read_by_size_and_node(void **state)
{
	unsigned long long n = 0;
	char path[256];

	fake_file(HUGE "hugepages-2048kB/free_hugepages", "7\n");
	fake_file(NODES "node9/hugepages/hugepages-2048kB/free_hugepages", "5\n");
	assert_int_equal(machine_pool(2 * MIB, -1, "free_hugepages", &n), 0);
	assert_int_equal(n, 7);
	assert_int_equal(machine_pool(2 * MIB, 9, "free_hugepages", &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(machine_pool(1024 * MIB, -1, "free_hugepages", &n), -ENOENT);
	assert_int_equal(n, 5);
	assert_int_equal(machine_pool_path(2 * MIB, -1, "nr_hugepages", path, sizeof(path)), 0);
	assert_string_equal(path, HUGE "hugepages-2048kB/nr_hugepages");
	assert_int_equal(machine_pool_path(2 * MIB, -1, "nr_hugepages", path, 9), -ENAMETOOLONG);
}

static void a_cgroup_limit_bounds_the_memory_left(void **state)
{
	struct machine m;

	fake_file("/proc/self/cgroup", "0::/pod/box\n");
	fake_file("/sys/fs/cgroup/pod/memory.max", "536870912\n");
	fake_file("/sys/fs/cgroup/pod/memory.current", "100000000\n");
	fake_file("/sys/fs/cgroup/pod/memory.stat", "anon 1\ninactive_file 50000000\nx 1\n");
	fake_file("/sys/fs/cgroup/pod/box/memory.max", "max\n");
	fake_file("/sys/fs/cgroup/pod/box/memory.current", "5\n");
	assert_int_equal(machine_probe(&m), 0);
	assert_int_equal(m.mem_available, 536870912 - 50000000);
	assert_int_equal(m.mem_total, 4000000 * KIB);
	machine_free(&m);
}

static void a_version_1_cgroup_limit_counts_too(void **state)
{
	struct machine m;

	fake_file("/proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/seen/from/outside\n0::/\n");
	fake_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000\n");
	fake_file("/sys/fs/cgroup/memory/memory.usage_in_bytes", "2000000\n");
	assert_int_equal(machine_probe(&m), 0);
	assert_int_equal(m.mem_available, 0);
	machine_free(&m);
}

static void without_cgroup_limits_meminfo_counts(void **state)
{
	struct machine m;

	fake_file("/proc/self/cgroup", "4:memory:/\n0::/\n");
	assert_int_equal(machine_probe(&m), 0);
	assert_int_equal(m.mem_available, 3000000 * KIB);
	machine_free(&m);
}

/* The same files read as a captured machine's must give what the system calls say. */
static void this_machine_and_its_files_agree(void **state)
{
	struct machine live, files;

	path_set_root("");
	assert_int_equal(machine_probe(&live), 0);
	path_set_root("/.");
	assert_int_equal(machine_probe(&files), 0);
	assert_int_equal(live.ncpus, files.ncpus);
	assert_memory_equal(live.cpu, files.cpu, (size_t)live.ncpus * sizeof(*live.cpu));
	assert_true(live.nnodes >= 1 && live.nmem_nodes >= 1 && live.mem_available > 0);
	if (live.nnodes == files.nnodes)
		assert_memory_equal(
			live.node, files.node, (size_t)live.nnodes * sizeof(*live.node));
	else
		assert_int_equal(live.nnodes, 1); /* NUMA calls are filtered here */
	machine_free(&live);
	machine_free(&files);
}

#define MACHINE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MACHINE_TEST(sparse_nodes_keep_their_ids),
		MACHINE_TEST(only_allowed_nodes_and_cpus_are_used),
		MACHINE_TEST(a_machine_without_node_files_is_one_node),
		MACHINE_TEST(an_empty_root_still_gives_a_machine),
		MACHINE_TEST(nonsense_in_node_files_is_one_node),
		MACHINE_TEST(the_pmd_size_is_read_from_the_system),
		MACHINE_TEST(without_thp_the_pmd_size_is_the_default_hugetlb_size),
		MACHINE_TEST(a_default_hugetlb_size_above_the_pmd_is_not_taken_for_it),
		MACHINE_TEST(hugetlb_sizes_come_sorted),
		MACHINE_TEST(pools_are_read_by_size_and_node),
		MACHINE_TEST(a_cgroup_limit_bounds_the_memory_left),
		MACHINE_TEST(a_version_1_cgroup_limit_counts_too),
		MACHINE_TEST(without_cgroup_limits_meminfo_counts),
		MACHINE_TEST(this_machine_and_its_files_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
