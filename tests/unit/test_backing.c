/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_root.h"

#include "mem/slot.h"

#include <errno.h>

#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define THP_DIR "/sys/kernel/mm/transparent_hugepage/"
#define MIB (1024 * 1024ULL)

static struct machine machine;

static int setup(void **state)
{
	fake_root_make();
	fake_file(POOL "nr_hugepages", "10\n");
	fake_file(POOL "free_hugepages", "8\n");
	fake_file(POOL "resv_hugepages", "3\n");
	fake_file(POOL "surplus_hugepages", "0\n");
	fake_file(POOL "nr_overcommit_hugepages", "0\n");
	assert_int_equal(machine_probe(&machine), 0);
	caps_setup(&machine, NULL);
	return 0;
}

static int teardown(void **state)
{
	machine_free(&machine);
	fake_root_remove();
	return 0;
}

static void names_lead_back_to_their_values(void **state)
{
	for (int b = 0; b < BACKING_COUNT; b++) {
		assert_int_equal(backing_find(backing_name((enum backing)b)), b);
		assert_true(strlen(backing_help((enum backing)b)) > 0);
	}
	for (int h = 0; h < SLOT_HUGE_COUNT; h++)
		assert_int_equal(slot_huge_find(slot_huge_name((enum slot_huge)h)), h);
	assert_int_equal(backing_find("anonymous"), -ENOENT);
	assert_int_equal(backing_find(""), -ENOENT);
	assert_int_equal(slot_huge_find("sometimes"), -ENOENT);
}

static void hugetlb_and_private_are_as_mapped(void **state)
{
	assert_true(backing_is_hugetlb(BACKING_HUGETLB_FILE));
	assert_true(backing_is_hugetlb(BACKING_HUGETLB_MEMFD));
	assert_true(backing_is_hugetlb(BACKING_HUGETLB_PRIVATE));
	assert_true(backing_is_hugetlb(BACKING_HUGETLB_SYSV));
	assert_false(backing_is_hugetlb(BACKING_SYSV));
	assert_false(backing_is_hugetlb(BACKING_TMPFS));
	assert_true(backing_is_private(BACKING_ANON));
	assert_true(backing_is_private(BACKING_HUGETLB_PRIVATE));
	assert_false(backing_is_private(BACKING_ANON_SHARED));
	assert_true(backing_is_private(BACKING_MEMFD_PRIVATE));
	assert_true(backing_is_private(BACKING_FILE_PRIVATE));
	assert_false(backing_is_private(BACKING_SYSV));
	assert_true(backing_has_fd(BACKING_FILE_PRIVATE));
	assert_false(backing_has_fd(BACKING_HUGETLB_SYSV));
}

static void a_pool_with_enough_free_pages_will_do(void **state)
{
	struct slot_spec s = {.backing = BACKING_HUGETLB_PRIVATE, .huge_size = 2 * MIB};

	s.size = 5 * 2 * MIB;
	assert_null(backing_missing(&machine, &s));
	s.size = 6 * 2 * MIB;
	assert_string_equal(backing_missing(&machine, &s),
		"5 of the 6 huge pages of 2 MiB are left (as root: echo 11 > " POOL
		"nr_hugepages)");
	s.noreserve = 1;
	assert_null(backing_missing(&machine, &s));
	s.noreserve = 0;
	fake_file(POOL "nr_overcommit_hugepages", "1\n");
	assert_null(backing_missing(&machine, &s));
	fake_file(POOL "surplus_hugepages", "1\n");
	assert_non_null(backing_missing(&machine, &s));
}

static void a_size_that_the_machine_lacks_is_named(void **state)
{
	struct slot_spec s = {
		.backing = BACKING_HUGETLB_PRIVATE, .huge_size = 1024 * MIB, .size = 1024 * MIB};

	assert_string_equal(
		backing_missing(&machine, &s), "this machine has no huge pages of 1 GiB");
}

static void a_slot_that_wants_no_huge_pages_needs_none(void **state)
{
	struct slot_spec s = {.backing = BACKING_ANON, .huge = SLOT_HUGE_NEVER, .size = 2 * MIB};

	assert_non_null(caps_missing(CAP_HAS_THP));
	assert_null(backing_missing(&machine, &s));
}

static void huge_pages_by_collapse_are_enough(void **state)
{
	struct slot_spec s = {.backing = BACKING_ANON, .huge = SLOT_HUGE_ALWAYS, .size = 2 * MIB};

	/* The policy's file is missing under this root, the system call is the real one. */
	if (caps_missing(CAP_HAS_MADV_COLLAPSE))
		assert_ptr_equal(backing_missing(&machine, &s), caps_missing(CAP_HAS_THP));
	else
		assert_null(backing_missing(&machine, &s));
}

#define BACKING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_lead_back_to_their_values),
		cmocka_unit_test(hugetlb_and_private_are_as_mapped),
		BACKING_TEST(a_pool_with_enough_free_pages_will_do),
		BACKING_TEST(a_size_that_the_machine_lacks_is_named),
		BACKING_TEST(a_slot_that_wants_no_huge_pages_needs_none),
		BACKING_TEST(huge_pages_by_collapse_are_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
