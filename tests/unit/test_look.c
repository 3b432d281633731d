/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The texts of /proc that are compared when an epoch is over, as kernels 6.1, 6.12 and 6.18 print them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drift.h"
#include "lines.h"
#include "look.h"
#include "numa_maps.h"
#include "smaps.h"

enum { VMAS = 8 };

struct seen {
	struct smaps_vma vma[VMAS];
	unsigned int n;
};

static void keep(void *arg, const struct smaps_vma *v)
{
	struct seen *s = arg;

	assert_true(s->n < VMAS);
	s->vma[s->n++] = *v;
}

static int file_of(const char *text)
{
	FILE *f = tmpfile();
	int fd;

	assert_non_null(f);
	fputs(text, f);
	fflush(f);
	fd = dup(fileno(f));
	fclose(f);
	return fd;
}

/* Reads text through a buffer of the given size. */
static struct seen read_smaps(const char *text, size_t size)
{
	struct seen s = {.n = 0};
	struct smaps_parser p = {.each = keep, .arg = &s};
	char *buf = malloc(size);
	int fd = file_of(text);

	assert_int_equal(lines_read(fd, buf, size, smaps_line, &p), 0);
	smaps_end(&p);
	close(fd);
	free(buf);
	return s;
}

static const char smaps_6_18[] =
	"55d433be4000-55d433be6000 r--p 00000000 fe:00 247134                     /usr/bin/cat\n"
	"Size:                  8 kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n"
	"Rss:                   8 kB\nPss:                   5 kB\nPss_Dirty:             0 kB\n"
	"Shared_Clean:          4 kB\nShared_Dirty:          0 kB\nPrivate_Clean:         4 kB\n"
	"Private_Dirty:         0 kB\nReferenced:            8 kB\nAnonymous:             0 kB\n"
	"KSM:                   0 kB\nLazyFree:              0 kB\nAnonHugePages:         0 kB\n"
	"ShmemPmdMapped:        0 kB\nFilePmdMapped:         0 kB\nShared_Hugetlb:        0 kB\n"
	"Private_Hugetlb:       0 kB\nSwap:                  0 kB\nSwapPss:               0 kB\n"
	"Locked:                0 kB\nTHPeligible:           0\nVmFlags: rd mr mw me \n"
	"7f0000200000-7f0000600000 rw-p 00000000 00:00 0 \n"
	"Size:               4096 kB\nKernelPageSize:        4 kB\nRss:                2052 kB\n"
	"Pss:                2052 kB\nAnonymous:          2052 kB\nAnonHugePages:      2048 kB\n"
	"Locked:             2052 kB\nTHPeligible:           1\n"
	"ProtectionKey:         0\nVmFlags: rd wr mr mw me lo ac mg \n"
	"7f0000800000-7f0000a00000 rw-s 00200000 00:10 12 /dev/hugepages/a b (deleted)\n"
	"Size:               2048 kB\nKernelPageSize:     2048 kB\nRss:                   0 kB\n"
	"Shared_Hugetlb:     2048 kB\nPrivate_Hugetlb:       0 kB\nVmFlags: rd wr sh de ht \n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"
	"Size:                  4 kB\nVmFlags: ex \n";

static void smaps_is_read_mapping_by_mapping(void **state)
{
	static const size_t sizes[] = {65536, 128};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct seen s = read_smaps(smaps_6_18, sizes[i]);

		assert_int_equal(s.n, 4);
		assert_int_equal(s.vma[0].start, 0x55d433be4000);
		assert_int_equal(s.vma[0].end, 0x55d433be6000);
		assert_string_equal(s.vma[0].perms, "r--p");
		assert_int_equal(s.vma[0].kb[SMAPS_RSS], 8);
		assert_int_equal(s.vma[0].kb[SMAPS_PSS], 5);
		assert_int_equal(s.vma[0].kb[SMAPS_PRIVATE_CLEAN], 4);
		assert_int_equal(s.vma[0].have, (1U << SMAPS_FIELDS) - 1);
		assert_false(s.vma[0].locked || s.vma[0].mergeable || s.vma[0].hugetlb);
		assert_true(s.vma[1].locked && s.vma[1].mergeable && !s.vma[1].hugetlb);
		assert_int_equal(s.vma[1].kb[SMAPS_ANON_HUGE], 2048);
		assert_int_equal(s.vma[1].kb[SMAPS_LOCKED], 2052);
		assert_false(s.vma[1].have >> SMAPS_SWAP & 1);
		assert_true(s.vma[2].hugetlb && !s.vma[2].locked);
		assert_int_equal(s.vma[2].offset, 0x200000);
		assert_int_equal(s.vma[2].kb[SMAPS_SHARED_HUGETLB], 2048);
		assert_true(s.vma[3].gate && !s.vma[2].gate);
	}
}

/* 6.1: no KSM, Pss_Anon and the like only in the sum; the rollup's header names no file. */
static void a_rollup_is_one_mapping(void **state)
{
	struct seen s = read_smaps("559225c52000-7ffdb1499000 ---p 00000000 00:00 0                "
				   "          [rollup]\n"
				   "Rss:                1784 kB\nPss:                 294 "
				   "kB\nPss_Dirty:           112 kB\n"
				   "Pss_Anon:            112 kB\nPss_File:            182 "
				   "kB\nPss_Shmem:             0 kB\n"
				   "Shared_Clean:       1632 kB\nLocked:                7 kB\n",
		65536);

	(void)state;
	assert_int_equal(s.n, 1);
	assert_int_equal(s.vma[0].kb[SMAPS_RSS], 1784);
	assert_int_equal(s.vma[0].kb[SMAPS_PSS], 294);
	assert_int_equal(s.vma[0].kb[SMAPS_ANON], 0);
	assert_int_equal(s.vma[0].kb[SMAPS_LOCKED], 7);
	assert_false(s.vma[0].have >> SMAPS_SIZE & 1);
}

static void lines_without_a_mapping_are_passed_over(void **state)
{
	struct seen s = read_smaps("Rss: 8 kB\nnonsense\n\n: 7\n12-zz r\nVmFlags: lo\n", 65536);

	(void)state;
	assert_int_equal(s.n, 0);
	assert_int_equal(read_smaps("", 65536).n, 0);
	/* maps: headers alone */
	s = read_smaps(
		"1000-2000 r-xp 00000000 00:00 0\n2000-3000 rw-p 00000000 00:00 0 [heap]", 64);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.vma[1].start, 0x2000);
}

static bool numa(const char *text, struct numa_vma *ret)
{
	char line[256];

	snprintf(line, sizeof(line), "%s", text);
	return numa_maps_line(line, ret);
}

static void numa_maps_counts_in_the_mappings_own_pages(void **state)
{
	struct numa_vma v;

	(void)state;
	assert_true(numa("7f00a0200000 bind:1 anon=1024 dirty=1024 active=512 N0=513 N1=511 "
			 "kernelpagesize_kB=4",
		&v));
	assert_int_equal(v.start, 0x7f00a0200000);
	assert_int_equal(v.page_kb, 4);
	assert_int_equal(v.pages, 1024);
	assert_int_equal(v.node[0], 513);
	assert_int_equal(v.node[1], 511);
	assert_true(numa("7f00a0600000 prefer=relative:0 file=/anon_hugepage\\040(deleted) huge "
			 "anon=2 dirty=2 mapmax=2 N12=2 kernelpagesize_kB=2048",
		&v));
	assert_int_equal(v.page_kb, 2048);
	assert_int_equal(v.node[12], 2);
	assert_int_equal(v.pages, 2);
	assert_true(numa("7f00a0800000 default file=/NUMA N=x N0x=7 N99999=4", &v));
	assert_int_equal(v.pages, 0);
	assert_int_equal(v.page_kb, 0);
	assert_false(numa("", &v));
	assert_false(numa("7f00a0800000", &v));
	assert_false(numa("what default N0=1", &v));
}

/* ---- drift.h ---- */

static void only_whole_huge_pages_are_hidden(void **state)
{
	(void)state;
	assert_int_equal(drift_hidden(4096, 4096, 512, 2048), 0);
	assert_int_equal(drift_hidden(4096, 4096 + 2048, 512, 2048), 2048);
	assert_int_equal(drift_hidden(4096, 4096 + 2048 - 300, 512, 2048), 2048);
	assert_int_equal(drift_hidden(4096, 4096 + 1000, 512, 2048), 0); /* that is off */
	assert_int_equal(drift_hidden(4096, 2048, 512, 2048), 0); /* fewer than are shown */
	assert_int_equal(drift_hidden(4096, 8192, 512, 0), 0); /* nothing is hidden here */
}

static void what_a_migration_leaves_in_hugetlbpages_is_whole_and_stays(void **state)
{
	struct hugetlb_drift d = {.page_kb = 2048};

	(void)state;
	assert_int_equal(drift_hugetlb(&d, 4096, 4096), 4096);
	assert_int_equal(drift_hugetlb(&d, 4096, 6144), 4096); /* nothing was moved */
	d.moved = true;
	assert_int_equal(drift_hugetlb(&d, 4096, 5000), 4096); /* no whole page */
	assert_int_equal(drift_hugetlb(&d, 4096, 2048), 4096); /* too few */
	assert_int_equal(drift_hugetlb(&d, 4096, 6144), 6144);
	d.moved = false;
	assert_int_equal(drift_hugetlb(&d, 0, 2048), 2048); /* as before */
	assert_int_equal(drift_hugetlb(&d, 0, 0), 2048); /* it never comes back */
	assert_int_equal(drift_hugetlb(&d, 0, 4096), 2048);
}

static void a_pool_that_is_larger_in_one_epoch_after_the_other_is_told(void **state)
{
	struct pool_drift d = {.base = 8};

	(void)state;
	assert_false(drift_pool(&d, 9, 1)); /* on its way elsewhere */
	for (int i = 0; i < 2; i++) {
		assert_false(drift_pool(&d, 9, 0));
		assert_false(drift_pool(&d, 9, 0));
		assert_false(drift_pool(&d, 8, 0));
	}
	assert_false(drift_pool(&d, 9, 0));
	d.base = 9; /* somebody has enlarged it */
	assert_false(drift_pool(&d, 9, 0));
	for (int i = 0; i < 2; i++) {
		assert_false(drift_pool(&d, 11, 1));
		assert_false(drift_pool(&d, 12, 1));
		assert_true(drift_pool(&d, 11, 1));
	}
}

static void a_page_that_stays_mlocked_is_told_from_what_is_legal(void **state)
{
	const uint64_t present = 1ULL << 63, small = 1ULL << 12 | 1ULL << 33 | 1ULL << 5;

	(void)state;
	assert_true(look_keeps_mlock(present | 0x1001, small, 1));
	/* not mlocked; a file's; a head, a tail, a THP, KSM's, a poisoned one */
	assert_false(look_keeps_mlock(present | 0x1001, small & ~(1ULL << 33), 1));
	assert_false(look_keeps_mlock(present | 0x1001, small & ~(1ULL << 12), 1));
	for (int bit = 15; bit <= 24; bit++)
		if (bit != 18 && bit != 20 && bit != 23)
			assert_false(look_keeps_mlock(present | 0x1001, small | 1ULL << bit, 1));
	/* swapped or migrating; shared; once the first page of a large folio */
	assert_false(look_keeps_mlock(1ULL << 62 | 0x1001, small, 1));
	assert_false(look_keeps_mlock(present | 0x1001, small, 2));
	assert_false(look_keeps_mlock(present | 0x1001, small, 0));
	assert_false(look_keeps_mlock(present | 0x1000, small, 1));
	assert_false(look_keeps_mlock(present | 0x1004, small, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smaps_is_read_mapping_by_mapping),
		cmocka_unit_test(a_rollup_is_one_mapping),
		cmocka_unit_test(lines_without_a_mapping_are_passed_over),
		cmocka_unit_test(numa_maps_counts_in_the_mappings_own_pages),
		cmocka_unit_test(only_whole_huge_pages_are_hidden),
		cmocka_unit_test(what_a_migration_leaves_in_hugetlbpages_is_whole_and_stays),
		cmocka_unit_test(a_pool_that_is_larger_in_one_epoch_after_the_other_is_told),
		cmocka_unit_test(a_page_that_stays_mlocked_is_told_from_what_is_legal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
