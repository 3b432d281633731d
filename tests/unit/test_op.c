/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above first */
#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "op/list.h"
#include "op/op.h"

enum { PMD = 512, PAGE = 4096 };

/* ---- the list ---- */

/* The numbers as first published: bytes of corpora name ops by them. New ops are added at the end, none ever moves. */
static const struct {
	unsigned int number;
	const char *name;
} published[] = {
	{0, "null"},
	{1, "touch"},
	{2, "hammer"},
	{3, "mmap"},
	{4, "mmap_fresh"},
	{5, "mmap_populate"},
	{6, "munmap_whole"},
	{7, "munmap_part"},
	{8, "mremap_grow"},
	{9, "mremap_shrink"},
	{10, "mremap_move"},
	{11, "mremap_fixed"},
	{12, "mremap_dontunmap"},
	{13, "mprotect"},
	{14, "madvise_hugepage"},
	{15, "madvise_nohugepage"},
	{16, "madvise_collapse"},
	{17, "madvise_dontneed"},
	{18, "madvise_free"},
	{19, "madvise_remove"},
	{20, "madvise_pageout"},
	{21, "madvise_cold"},
	{22, "madvise_populate_read"},
	{23, "madvise_populate_write"},
	{24, "madvise_willneed"},
	{25, "madvise_dontfork"},
	{26, "madvise_dofork"},
	{27, "mbind"},
	{28, "set_mempolicy"},
	{29, "get_mempolicy"},
	{30, "move_pages"},
	{31, "move_pages_query"},
	{32, "move_pages_other"},
	{33, "migrate_pages"},
	{34, "mlock"},
	{35, "mlock2"},
	{36, "munlock"},
	{37, "mlockall"},
	{38, "munlockall"},
	{39, "fallocate"},
	{40, "fallocate_punch"},
	{41, "ftruncate"},
	{42, "fork"},
	{43, "smaps"},
	{44, "pagemap"},
	{45, "numa_maps"},
	{46, "mincore"},
	{47, "split_pid"},
	{48, "split_file"},
	{49, "thp_disable"},
	{50, "madvise_dontneed_locked"},
	{51, "madvise_mergeable"},
	{52, "madvise_unmergeable"},
	{53, "madvise_wipeonfork"},
	{54, "madvise_keeponfork"},
	{55, "madvise_guard_install"},
	{56, "madvise_guard_remove"},
	{57, "set_mempolicy_home_node"},
	{58, "process_madvise"},
	{59, "process_mrelease"},
	{60, "mseal"},
	{61, "madvise_soft_offline"},
	{62, "madvise_hwpoison"},
	{63, "fork_linger"},
	{80, "uffd_register_missing"},
	{81, "uffd_register_minor"},
	{82, "uffd_register_wp"},
	{83, "uffd_unregister"},
	{84, "uffd_wp"},
	{85, "uffd_unwp"},
	{86, "uffd_copy"},
	{87, "uffd_zeropage"},
	{88, "uffd_continue"},
	{89, "uffd_move"},
	{90, "uffd_poison"},
	{91, "uffd_wake"},
	{92, "stall_move_pages"},
	{93, "stall_process_vm_readv"},
	{94, "stall_pread"},
	{95, "stall_pwrite"},
	{100, "uring_register"},
	{101, "uring_unregister"},
	{102, "uring_update"},
	{103, "uring_clone"},
	{104, "uring_write_fixed"},
	{105, "uring_read_fixed"},
	{106, "uring_madvise"},
	{107, "uring_fallocate"},
	{108, "uring_punch"},
	{109, "uring_ftruncate"},
	{110, "process_vm_readv"},
	{111, "process_vm_writev"},
	{112, "proc_mem_read"},
	{113, "proc_mem_write"},
	{114, "ptrace_peek"},
	{115, "vmsplice"},
	{116, "odirect_write"},
	{117, "odirect_read"},
	{118, "file_read"},
	{119, "file_write"},
	{120, "cachestat"},
	{121, "file_sync"},
	{122, "futex"},
	{123, "robust_list"},
	{124, "clear_refs"},
	{125, "pagemap_scan"},
	{126, "kpageflags"},
	{127, "numa_stat"},
	{128, "peer_maps"},
};

static void numbers_never_move(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		const struct op *op = op_get(published[i].number);

		assert_non_null(op);
		assert_string_equal(op->name, published[i].name);
		assert_int_equal(op_find(published[i].name), published[i].number);
	}
}

static void unknown_numbers_and_names_are_no_op(void **state)
{
	assert_null(op_get(255));
	assert_null(op_get(OP_NUMBERS));
	assert_null(op_get(UINT32_MAX));
	assert_int_equal(op_find("no_such_op"), -ENOENT);
	assert_int_equal(op_find(""), -ENOENT);
}

static void every_byte_is_an_op_and_registered_bytes_are_themselves(void **state)
{
	for (unsigned int b = 0; b < 256; b++) {
		unsigned int n = op_fold_number(b);

		assert_non_null(op_get(n));
		if (op_get(b))
			assert_int_equal(n, b);
	}
}

static bool name_valid(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!islower((unsigned char)name[i]) && !isdigit((unsigned char)name[i]) &&
			name[i] != '_')
			return false;
	return n > 0;
}

static void check_args(const struct op *op)
{
	unsigned int n = op_nargs(op);

	assert_true(n <= OP_MAX_ARGS);
	for (unsigned int i = 0; i < n; i++) {
		const struct arg_desc *a = &op->args[i];
		bool worded = a->kind == ARG_ENUM || a->kind == ARG_FLAGS;
		unsigned int words = 0;

		assert_true(name_valid(a->name));
		assert_true(a->help && a->help[0]);
		assert_int_equal(worded, a->words != NULL);
		for (unsigned int k = 0; k < i; k++)
			assert_string_not_equal(op->args[k].name, a->name);
		for (; worded && a->words[words].name; words++)
			assert_true(name_valid(a->words[words].name));
		assert_true(!worded || (words >= 1 && words <= 32));
		if (a->kind == ARG_INT || a->kind == ARG_NS)
			assert_true(a->max > 0);
	}
}

static void every_op_describes_itself(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		const struct op *op = op_get(published[i].number);

		assert_true(name_valid(op->name));
		assert_true(op->help && op->help[0] && !strchr(op->help, '\n'));
		assert_true(op->exercises && op->exercises[0]);
		assert_true(op->hazard < HAZARD_COUNT);
		assert_in_range(op->weight, 1, 100);
		assert_true(op->backings < 1U << BACKING_COUNT);
		assert_true(op->nneeds <= OP_MAX_NEEDS && op->nwants <= OP_MAX_NEEDS);
		assert_non_null(op->run);
		check_args(op);
	}
}

/* Also what every range op relies on: a table that names a slot belongs to an op that acts on some backing. */
static void ops_with_a_slot_have_backings_and_others_have_none(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		const struct op *op = op_get(published[i].number);
		bool slot = false;

		for (unsigned int k = 0; k < op_nargs(op); k++)
			slot |= op->args[k].kind == ARG_SLOT;
		assert_int_equal(slot, op->backings != 0);
	}
}

static void errno_tables_have_no_doubles(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		const struct op *op = op_get(published[i].number);

		for (unsigned int k = 0; op->errnos && op->errnos[k].err; k++)
			for (unsigned int j = 0; j < k; j++)
				assert_int_not_equal(op->errnos[k].err, op->errnos[j].err);
	}
}

static void hazards_have_names(void **state)
{
	for (int h = 0; h < HAZARD_COUNT; h++)
		assert_int_equal(hazard_find(hazard_name(h)), h);
	assert_int_equal(hazard_find("harmless"), -ENOENT);
}

/* ---- an environment of slots that nothing is mapped for ---- */

struct fixture {
	int mem_node[2];
	struct machine_node node[3];
	struct machine machine;
	struct slot slot[SLOT_MAX];
	_Atomic pid_t pid[2];
	struct op_env env;
	struct slot_spec spec[SLOT_MAX];
	struct op_draw draw;
};

static void add_slot(struct fixture *f, enum backing b, uint64_t bytes, uint64_t huge)
{
	unsigned int n = f->env.nslots++;
	struct slot *s = &f->slot[n];

	s->spec = (struct slot_spec){
		.backing = (uint8_t)b, .maps = 2, .size = bytes, .huge_size = huge};
	s->present = true;
	s->fd = -1;
	s->pages = (uint32_t)(bytes / PAGE);
	s->granule = huge ? (uint32_t)(huge / PAGE) : 1;
	s->pmd_pages = PMD;
	s->page_shift = 12;
	s->nviews = 2;
	s->view[0] = 0x100000000000UL + ((uintptr_t)n << 36);
	s->view[1] = s->view[0] + (1UL << 35);
	f->spec[n] = s->spec;
}

enum { ANON, MEMFD, HUGETLB, HUGETLB_PRIVATE, DISK };

static void fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->mem_node[0] = 2;
	f->mem_node[1] = 7;
	f->node[0].id = 0;
	f->node[1].id = 2;
	f->node[2].id = 7;
	f->machine = (struct machine){.page_size = PAGE,
		.pmd_size = PAGE * PMD,
		.node = f->node,
		.nnodes = 3,
		.mem_node = f->mem_node,
		.nmem_nodes = 2};
	caps_setup(&f->machine, NULL);
	f->pid[0] = 100;
	f->pid[1] = 200;
	f->env = (struct op_env){.machine = &f->machine,
		.slot = f->slot,
		.nprocs = 2,
		.pid = f->pid,
		.privileged = true};
	add_slot(f, BACKING_ANON, 64UL << 20, 0);
	add_slot(f, BACKING_MEMFD, 16UL << 20, 0);
	add_slot(f, BACKING_HUGETLB_FILE, 32UL << 20, 2UL << 20);
	add_slot(f, BACKING_HUGETLB_PRIVATE, 8UL << 20, 2UL << 20);
	add_slot(f, BACKING_FILE, 3UL << 20, 0);
	f->draw = (struct op_draw){.slot = f->spec,
		.slots = (1U << f->env.nslots) - 1,
		.nslots = f->env.nslots,
		.nprocs = 2,
		.nnodes = 2,
		.page_size = PAGE,
		.pmd_pages = PMD};
}

static struct op_call call(
	const char *name, uint32_t slot, uint32_t view, uint32_t off, uint32_t pages)
{
	int n = op_find(name);

	assert_true(n >= 0);
	return (struct op_call){.op = (uint8_t)n, .arg = {slot, view, off, pages}};
}

/* ---- folding ---- */

static void a_range_within_the_slot_is_taken_as_it_is(void **state)
{
	struct fixture f;
	struct op_call c = call("madvise_dontneed", MEMFD, 1, 513, 7);
	struct op_span s;

	fixture_init(&f);
	s = op_range(&f.env, &c);
	assert_int_equal(s.slot_no, MEMFD);
	assert_ptr_equal(s.slot, &f.slot[MEMFD]);
	assert_int_equal(s.view, 1);
	assert_int_equal(s.page, 513);
	assert_int_equal(s.pages, 7);
	assert_int_equal(s.addr, f.slot[MEMFD].view[1] + 513UL * PAGE);
	assert_int_equal(s.len, 7UL * PAGE);
}

static void no_length_reaches_to_the_end(void **state)
{
	struct fixture f;
	struct op_call c = call("mmap", ANON, 0, 100, 0);

	fixture_init(&f);
	assert_int_equal(op_range(&f.env, &c).pages, f.slot[ANON].pages - 100);
}

static void every_range_lies_within_its_slot(void **state)
{
	struct fixture f;
	struct rng r;

	fixture_init(&f);
	rng_init(&r, 1, 0, 0, 0);
	for (int i = 0; i < 100000; i++) {
		struct op_call c = call("mmap", (uint32_t)rng_next(&r), (uint32_t)rng_next(&r),
			(uint32_t)rng_log(&r, UINT32_MAX), (uint32_t)rng_log(&r, UINT32_MAX));
		struct op_span s = op_range(&f.env, &c);

		assert_true(s.slot_no < f.env.nslots);
		assert_true(s.view < s.slot->nviews);
		assert_true(s.pages >= 1);
		assert_true(s.page < s.slot->pages && s.pages <= s.slot->pages - s.page);
	}
}

static void values_beyond_a_hugetlb_slot_fold_to_whole_huge_pages(void **state)
{
	struct fixture f;
	struct rng r;

	fixture_init(&f);
	rng_init(&r, 2, 0, 0, 0);
	for (int i = 0; i < 10000; i++) {
		struct op_call c = call("mmap", HUGETLB, 0, (uint32_t)rng_next(&r) | 1U << 31,
			(uint32_t)rng_next(&r) | 1U << 31);
		struct op_span s = op_range(&f.env, &c);

		assert_true(op_span_aligned(&s));
	}
}

static void a_slot_that_is_absent_is_passed_over(void **state)
{
	struct fixture f;
	struct op_call c = call("mmap", HUGETLB, 0, 0, 0);

	fixture_init(&f);
	f.slot[HUGETLB].present = false;
	assert_int_equal(op_range(&f.env, &c).slot_no, HUGETLB_PRIVATE);
	c.arg[0] = DISK + 1; /* beyond the list: from its start */
	assert_int_equal(op_range(&f.env, &c).slot_no, ANON);
}

static void a_slot_that_does_not_suit_the_op_is_passed_over(void **state)
{
	struct fixture f;
	struct op_call c = call("madvise_free", MEMFD, 0, 0, 0);

	fixture_init(&f);
	assert_int_equal(op_range(&f.env, &c).slot_no, ANON);
	assert_false(op_when(op_get(c.op), &f.env, &c) & WHEN_UNSUITED);
	f.slot[ANON].present = false;
	assert_int_equal(op_range(&f.env, &c).slot_no, MEMFD);
	assert_true(op_when(op_get(c.op), &f.env, &c) & WHEN_UNSUITED);
}

static void a_table_without_view_or_length_means_view_0_and_all(void **state)
{
	struct fixture f;
	int n = op_find("ftruncate");
	struct op_call c = {.op = (uint8_t)n, .arg = {MEMFD, 1000, 1, 77}};
	struct op_span s;

	fixture_init(&f);
	s = op_range(&f.env, &c);
	assert_int_equal(s.view, 0);
	assert_int_equal(s.page, 1000);
	assert_int_equal(s.pages, f.slot[MEMFD].pages - 1000);
}

static void nodes_are_those_with_memory(void **state)
{
	struct fixture f;

	fixture_init(&f);
	assert_int_equal(op_node(&f.env, 0), 2);
	assert_int_equal(op_node(&f.env, 1), 7);
	assert_int_equal(op_node(&f.env, 2), 2);
	f.machine.nmem_nodes = 0;
	assert_int_equal(op_node(&f.env, 5), 0);
}

static void processes_fold_into_the_crew(void **state)
{
	struct fixture f;

	fixture_init(&f);
	assert_int_equal(op_pid(&f.env, 0), 100);
	assert_int_equal(op_pid(&f.env, 3), 200);
	f.pid[1] = 0;
	assert_int_equal(op_pid(&f.env, 1), 0);
}

static void folded_values_are_in_range_and_stay_as_they_are(void **state)
{
	struct rng r;

	rng_init(&r, 3, 0, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		const struct op *op = op_get(published[i].number);

		for (unsigned int k = 0; k < op_nargs(op); k++) {
			const struct arg_desc *a = &op->args[k];

			for (int t = 0; t < 200; t++) {
				uint32_t v = arg_fold(a, (uint32_t)rng_next(&r)), words = 0;

				while (a->words && a->words[words].name)
					words++;
				assert_int_equal(arg_fold(a, v), v);
				if (a->kind == ARG_ENUM)
					assert_true(v < words);
				if (a->kind == ARG_FLAGS)
					assert_true((uint64_t)v < 1ULL << words);
				if (a->kind == ARG_INT || a->kind == ARG_NS)
					assert_true(v <= a->max);
				if (a->kind == ARG_SLOT)
					assert_true(v < SLOT_MAX);
			}
		}
	}
}

/* ---- effects ---- */

static unsigned int effects_of(struct fixture *f, const struct op_call *c, struct effect *eff)
{
	const struct op *op = op_get(c->op);

	return op->effects ? op->effects(&f->env, c, eff) : 0;
}

static void effects_on_hugetlb_cover_whole_huge_pages(void **state)
{
	struct fixture f;
	struct op_call c = call("munmap_part", HUGETLB, 1, 513, 600);
	struct effect eff[EFFECTS_MAX];

	fixture_init(&f);
	assert_int_equal(effects_of(&f, &c, eff), 1);
	assert_int_equal(eff[0].slot, HUGETLB);
	assert_int_equal(eff[0].view, 1);
	assert_int_equal(eff[0].page, 512);
	assert_int_equal(eff[0].pages, 1024);
}

static void effects_lie_within_their_slot(void **state)
{
	struct fixture f;
	struct rng r;

	fixture_init(&f);
	rng_init(&r, 4, 0, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		const struct op *op = op_get(published[i].number);

		for (int t = 0; t < 2000; t++) {
			struct op_call c = {.op = (uint8_t)published[i].number};
			struct effect eff[EFFECTS_MAX];
			unsigned int n;

			for (unsigned int k = 0; k < op_nargs(op); k++)
				c.arg[k] =
					arg_fold(&op->args[k], (uint32_t)rng_log(&r, UINT32_MAX));
			n = effects_of(&f, &c, eff);
			assert_true(n <= EFFECTS_MAX);
			for (unsigned int k = 0; k < n; k++) {
				assert_true(eff[k].slot < f.env.nslots);
				assert_true(eff[k].pages >= 1);
				assert_true(
					eff[k].page + eff[k].pages <= f.slot[eff[k].slot].pages);
			}
		}
	}
}

/* The same effects, whoever does it: a kernel worker or this thread. */
static void requests_of_rings_have_the_effects_of_the_direct_ops(void **state)
{
	static const struct {
		const char *ring, *direct;
		uint32_t slot, what; /* advice */
	} pairs[] = {
		{"uring_madvise", "madvise_dontneed", ANON, 0},
		{"uring_madvise", "madvise_dontneed", MEMFD, 0},
		{"uring_madvise", "madvise_free", ANON, 1},
		{"uring_madvise", "madvise_dontneed", MEMFD, 1}, /* not of anonymous memory */
		{"uring_madvise", "madvise_remove", MEMFD, 2},
		{"uring_madvise", "madvise_remove", HUGETLB, 2},
		{"uring_madvise", "madvise_dontneed", HUGETLB_PRIVATE, 2},
		{"uring_madvise", "madvise_pageout", ANON, 4},
	};
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct op_call a = call(pairs[i].ring, pairs[i].slot, 0, 512, 512);
		struct op_call b = call(pairs[i].direct, pairs[i].slot, 0, 512, 512);
		struct effect of_a[EFFECTS_MAX] = {0}, of_b[EFFECTS_MAX] = {0};

		a.arg[4] = pairs[i].what;
		assert_int_equal(effects_of(&f, &a, of_a), effects_of(&f, &b, of_b));
		assert_memory_equal(of_a, of_b, sizeof(of_a));
	}
}

/* Pages behind a written one stay cut off, and where not every page has a cell nothing is promised. */
static void a_write_to_a_file_makes_it_reach_over_what_lies_before(void **state)
{
	struct op_call c = call("file_write", MEMFD, 0, 0, 0);
	struct effect eff[EFFECTS_MAX];
	struct fixture f;

	fixture_init(&f);
	c.arg[1] = 700;
	assert_int_equal(effects_of(&f, &c, eff), 1);
	assert_int_equal(eff[0].kinds, EFFECT_SIZED);
	assert_int_equal(eff[0].page, 0);
	assert_int_equal(eff[0].pages, 700);
	c.arg[1] = 0;
	assert_int_equal(effects_of(&f, &c, eff), 1);
	assert_int_equal(eff[0].kinds, EFFECT_RESIZED);
}

static void only_private_pages_are_lost_by_munmap_and_dontneed(void **state)
{
	static const char *const names[] = {
		"munmap_part", "mmap", "mmap_populate", "madvise_dontneed"};
	struct fixture f;
	struct effect eff[EFFECTS_MAX];

	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct op_call c = call(names[i], ANON, 0, 512, 512);

		assert_true(effects_of(&f, &c, eff) >= 1);
		assert_true(eff[0].kinds & EFFECT_ZEROED);
		c.arg[0] = HUGETLB_PRIVATE;
		assert_true(effects_of(&f, &c, eff) >= 1);
		assert_true(eff[0].kinds & EFFECT_ZEROED);
		c.arg[0] = MEMFD;
		for (unsigned int n = effects_of(&f, &c, eff); n; n--)
			assert_false(eff[n - 1].kinds & (EFFECT_ZERO | EFFECT_ZEROED));
	}
}

static void a_part_of_a_huge_page_is_not_sure_to_be_zeroed(void **state)
{
	static const char *const names[] = {"madvise_remove", "fallocate_punch"};
	struct fixture f;
	struct effect eff[EFFECTS_MAX];

	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bool view = i == 0;
		struct op_call c = call(names[i], HUGETLB, 0, 512, 512);

		if (!view)
			c.arg[1] = 512, c.arg[2] = 512;
		assert_int_equal(effects_of(&f, &c, eff), 1);
		assert_true(eff[0].kinds & EFFECT_ZEROED);
		c.arg[view ? 3 : 2] = 511;
		assert_int_equal(effects_of(&f, &c, eff), 1);
		assert_int_equal(eff[0].kinds, EFFECT_ZERO);
	}
}

/* Else a page that must raise SIGBUS after a shrink would read well, which would look like a kernel bug. */
static void a_writable_mapping_of_a_hugetlb_file_makes_it_longer(void **state)
{
	struct fixture f;
	struct op_call c = call("mmap", HUGETLB, 0, 1024, 512);
	struct effect eff[EFFECTS_MAX];

	fixture_init(&f);
	assert_int_equal(effects_of(&f, &c, eff), 2);
	assert_int_equal(eff[1].kinds, EFFECT_SIZED);
	assert_int_equal(eff[1].page, 0);
	assert_int_equal(eff[1].pages, 1536);
	c.arg[0] = MEMFD;
	assert_int_equal(effects_of(&f, &c, eff), 1);
}

static void put_word(struct op_call *c, const char *arg, const char *word);

/* A "shrink" can be to more than what the one before left: then it grows, and what must raise SIGBUS need not any more. */
static void only_a_shrink_to_half_is_sure_of_sigbus_and_on_hugetlb_if_alone(void **state)
{
	struct fixture f;
	struct op_call c = {(uint8_t)op_find("ftruncate"), {MEMFD, 1024}};
	struct effect eff[EFFECTS_MAX];

	fixture_init(&f);
	put_word(&c, "how", "shrink");
	assert_int_equal(effects_of(&f, &c, eff), 2);
	assert_int_equal(eff[0].kinds, EFFECT_SIZED);
	assert_int_equal(eff[0].page, 0);
	assert_int_equal(eff[0].pages, 1024);
	assert_int_equal(eff[1].kinds, EFFECT_ZERO | EFFECT_BUS);
	assert_int_equal(eff[1].page, 1024);
	put_word(&c, "how", "half");
	assert_int_equal(effects_of(&f, &c, eff), 1);
	assert_int_equal(eff[0].kinds, EFFECT_ZERO | EFFECT_BUS | EFFECT_BUS_SURE);
	assert_int_equal(eff[0].page, f.slot[MEMFD].pages / 2);
	assert_int_equal(eff[0].page + eff[0].pages, f.slot[MEMFD].pages);
	c.arg[0] = DISK; /* 3 MiB: half of it lies within a huge page */
	assert_int_equal(effects_of(&f, &c, eff), 1);
	assert_int_equal(eff[0].page, 0);
	assert_int_equal(eff[0].pages, f.slot[DISK].pages);
	c.arg[0] = HUGETLB;
	assert_int_equal(effects_of(&f, &c, eff), 1);
	assert_int_equal(
		eff[0].kinds, EFFECT_ZERO | EFFECT_BUS | EFFECT_BUS_SURE | EFFECT_BUS_ALONE);
}

static void only_the_call_that_was_made_to_fail_may_say_so(void **state)
{
	const struct op *op = op_get((unsigned int)op_find("munmap_whole"));

	assert_true(op->calls_only);
	assert_false(op_get((unsigned int)op_find("touch"))->calls_only);
	assert_false(op_errno_legal(op, EFAULT, WHEN_ALWAYS));
	assert_true(op_errno_legal(op, EFAULT, WHEN_SCARCE));
	assert_true(op_errno_legal(op, ENOSPC, WHEN_SCARCE));
	assert_false(op_errno_legal(op, EPERM, WHEN_SCARCE));
	assert_false(op_errno_legal(op, EAGAIN, WHEN_ALWAYS));
	assert_true(op_errno_legal(op, EFAULT, WHEN_INJECTED));
	assert_true(op_errno_legal(op, ENOMEM, WHEN_INJECTED));
	assert_false(op_errno_legal(op, EPERM, WHEN_INJECTED));
}

static void munmap_part_leaves_something(void **state)
{
	struct fixture f;
	struct effect eff[EFFECTS_MAX];

	fixture_init(&f);
	for (uint32_t slot = 0; slot < f.env.nslots; slot++) {
		struct op_call c = call("munmap_part", slot, 0, 0, 0);

		assert_int_equal(effects_of(&f, &c, eff), 1);
		assert_true(eff[0].pages < f.slot[slot].pages);
		assert_int_equal(eff[0].pages % f.slot[slot].granule, 0);
	}
}

static uint32_t kinds_of(struct fixture *f, const struct op_call *c)
{
	struct effect eff[EFFECTS_MAX];
	uint32_t kinds = 0;

	for (unsigned int n = effects_of(f, c, eff); n; n--)
		kinds |= eff[n - 1].kinds;
	return kinds;
}

static void guards_are_certain_in_anonymous_memory_alone(void **state)
{
	struct fixture f;
	struct op_call c = call("madvise_guard_install", ANON, 0, 512, 512);

	fixture_init(&f);
	assert_int_equal(kinds_of(&f, &c) & ~(uint32_t)EFFECT_WP_LIFT,
		EFFECT_GUARD | EFFECT_GUARD_SURE | EFFECT_ZERO | EFFECT_ZEROED);
	c.arg[0] = MEMFD;
	assert_int_equal(kinds_of(&f, &c) & ~(uint32_t)EFFECT_WP_LIFT, EFFECT_GUARD);
}

/* Only a new mapping or the op made for it takes a guard away, or ends what children get. */
static void what_a_mapping_carries_ends_with_the_mapping(void **state)
{
	static const char *const new_ones[] = {"mmap", "mmap_populate"};
	static const char *const others[] = {
		"mprotect", "madvise_dontneed", "munmap_part", "madvise_dofork"};
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(new_ones); i++) {
		struct op_call c = call(new_ones[i], ANON, 0, 0, 512);

		assert_true(kinds_of(&f, &c) & EFFECT_UNGUARDED);
		assert_true(kinds_of(&f, &c) & EFFECT_KEPT);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct op_call c = call(others[i], ANON, 0, 0, 512);

		assert_false(kinds_of(&f, &c) & (EFFECT_UNGUARDED | EFFECT_KEPT));
	}
}

static void only_dontneed_to_itself_loses_by_process_madvise(void **state)
{
	struct fixture f;
	struct op_call c = call("process_madvise", ANON, 0, 512, 512);

	fixture_init(&f);
	for (uint32_t advice = 0; advice < 5; advice++) {
		const char *word = op_get(c.op)->args[4].words[advice].name;

		c.arg[4] = advice;
		assert_int_equal(kinds_of(&f, &c) != 0, strcmp(word, "dontneed") == 0);
	}
}

/* ---- errnos ---- */

static bool legal(const char *name, int err, uint32_t when)
{
	return op_errno_legal(op_get((unsigned int)op_find(name)), err, when);
}

static void an_errno_is_legal_only_in_its_state(void **state)
{
	assert_true(legal("madvise_dontneed", ENOMEM, WHEN_HOLE | WHEN_ANON));
	assert_false(legal("madvise_dontneed", ENOMEM, WHEN_ANON));
	assert_true(legal("madvise_dontneed", EINVAL, WHEN_LOCKED));
	assert_false(legal("madvise_dontneed", EINVAL, WHEN_HOLE | WHEN_SPLIT | WHEN_HUGETLB));
	assert_true(legal("mbind", EIO, WHEN_STRICT));
	assert_false(legal("mbind", EIO, ~(uint32_t)(WHEN_STRICT | WHEN_UNSUITED | WHEN_SCARCE)));
	assert_true(legal("ftruncate", EINVAL, WHEN_UNALIGNED | WHEN_HUGETLB));
	assert_false(legal("ftruncate", EINVAL, WHEN_HUGETLB));
}

static void an_errno_without_a_state_is_always_legal(void **state)
{
	assert_true(legal("madvise_collapse", EAGAIN, 0));
	assert_true(legal("move_pages", ENOMEM, WHEN_ANON));
}

static void errnos_that_no_kernel_gives_are_never_legal(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		const struct op *op = op_get(published[i].number);

		/* ENXIO: a ring without buffers alone */
		assert_false(op_errno_legal(op, ENXIO,
			~(uint32_t)(WHEN_UNSUITED |
				    (strncmp(op->name, "uring_", 6) ? 0 : WHEN_ODD))));
		assert_false(op_errno_legal(op, ENODATA, ~(uint32_t)WHEN_UNSUITED));
		assert_false(op_errno_legal(op, ERANGE, ~(uint32_t)WHEN_UNSUITED));
		/* EHWPOISON: where UFFDIO_POISON may have been, to what says so; and to what poisons for good */
		if (strcmp(op->name, "madvise_hwpoison") != 0)
			assert_false(op_errno_legal(op, EHWPOISON,
				~(uint32_t)(WHEN_UNSUITED |
					    (strncmp(op->name, "madvise_populate_",
						     17) && strcmp(op->name, "uring_madvise")
							    ? 0
							    : WHEN_SHORT))));
	}
}

static void an_op_without_errnos_never_fails(void **state)
{
	assert_false(legal("null", EINVAL, ~(uint32_t)WHEN_UNSUITED));
	assert_false(legal("pagemap", EINVAL, ~(uint32_t)WHEN_UNSUITED));
}

static void the_state_follows_from_the_slot(void **state)
{
	static const struct {
		uint32_t slot, when;
	} want[] = {
		{ANON, WHEN_ANON | WHEN_PRIVATE},
		{MEMFD, WHEN_SHMEM},
		{HUGETLB, WHEN_HUGETLB},
		{HUGETLB_PRIVATE, WHEN_HUGETLB | WHEN_PRIVATE},
		{DISK, WHEN_FILE},
	};
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct op_call c = call("mincore", want[i].slot, 0, 512, 512);

		assert_int_equal(op_when(op_get(c.op), &f.env, &c), want[i].when);
		c.arg[3] = 1;
		assert_int_equal(op_when(op_get(c.op), &f.env, &c),
			want[i].when | (f.slot[want[i].slot].granule > 1 ? WHEN_UNALIGNED : 0));
	}
}

static void tight_and_unprivileged_are_told(void **state)
{
	struct fixture f;
	struct op_call c = call("mincore", HUGETLB, 0, 0, 0);

	fixture_init(&f);
	f.slot[HUGETLB].tight = true;
	f.env.privileged = false;
	assert_int_equal(
		op_when(op_get(c.op), &f.env, &c), WHEN_HUGETLB | WHEN_TIGHT | WHEN_UNPRIV);
}

/* The value of an argument by its name and word. */
static void put_word(struct op_call *c, const char *arg, const char *word)
{
	const struct op *op = op_get(c->op);

	for (unsigned int i = 0; i < op_nargs(op); i++) {
		const struct arg_desc *a = &op->args[i];

		if (strcmp(a->name, arg) != 0)
			continue;
		for (uint32_t w = 0; a->words[w].name; w++) {
			if (strcmp(a->words[w].name, word) != 0)
				continue;
			c->arg[i] = a->kind == ARG_FLAGS ? c->arg[i] | 1U << w : w;
			return;
		}
	}
	fail_msg("no %s=%s", arg, word);
}

static uint32_t mbind_when(
	struct fixture *f, const char *mode, const char *mode_flag, const char *flag)
{
	struct op_call c = call("mbind", ANON, 0, 0, 0);

	put_word(&c, "mode", mode);
	if (mode_flag)
		put_word(&c, "mode_flags", mode_flag);
	if (flag)
		put_word(&c, "flags", flag);
	return op_when(op_get(c.op), &f->env, &c) & (WHEN_ODD | WHEN_STRICT);
}

static void policies_that_the_kernel_refuses_are_odd(void **state)
{
	struct fixture f;
	struct op_call c = call("mbind", ANON, 0, 0, 0);

	fixture_init(&f);
	assert_int_equal(mbind_when(&f, "bind", NULL, NULL), 0);
	assert_int_equal(mbind_when(&f, "interleave", "static", NULL), 0);
	assert_int_equal(mbind_when(&f, "local", "static", NULL), WHEN_ODD);
	assert_int_equal(mbind_when(&f, "interleave", "balancing", NULL), WHEN_ODD);
	put_word(&c, "mode", "bind");
	put_word(&c, "mode_flags", "static");
	put_word(&c, "mode_flags", "relative");
	assert_true(op_when(op_get(c.op), &f.env, &c) & WHEN_ODD);
}

static void mbind_is_strict_where_it_looks_at_pages(void **state)
{
	struct fixture f;

	fixture_init(&f);
	assert_int_equal(mbind_when(&f, "preferred", NULL, "strict"), WHEN_STRICT);
	assert_int_equal(mbind_when(&f, "preferred", NULL, "move"), WHEN_STRICT);
	assert_int_equal(mbind_when(&f, "default", NULL, "strict"), 0);
}

static uint32_t buffer_when(struct fixture *f, unsigned int slot, uint32_t off, uint32_t pages)
{
	struct op_call c = call("uring_register", slot, 0, off, pages);

	return op_when(op_get(c.op), &f->env, &c) & WHEN_STRICT;
}

static void a_buffer_may_lie_in_two_attaches_of_a_segment(void **state)
{
	struct fixture f;
	unsigned int segment;

	fixture_init(&f);
	segment = f.env.nslots;
	add_slot(&f, BACKING_HUGETLB_SYSV, 8UL << 20, 2UL << 20);
	assert_int_equal(buffer_when(&f, segment, 0, PMD), 0);
	assert_int_equal(buffer_when(&f, segment, PMD + 1, PMD - 1), 0);
	assert_int_equal(buffer_when(&f, segment, PMD, 4 * PMD), 0); /* the first page of them */
	assert_int_equal(buffer_when(&f, segment, 1, PMD), WHEN_STRICT);
	assert_int_equal(buffer_when(&f, segment, 2 * PMD - 1, 2), WHEN_STRICT);
	assert_int_equal(buffer_when(&f, HUGETLB, 1, PMD), 0);
	assert_true(
		op_errno_legal(op_get((unsigned int)op_find("uring_update")), EINVAL, WHEN_STRICT));
	assert_false(
		op_errno_legal(op_get((unsigned int)op_find("uring_update")), EINVAL, WHEN_SPLIT));
}

/* ---- drawing ---- */

static struct op_call drawn(const struct op_draw *d, const char *name, struct rng *r)
{
	struct op_call c = {.op = (uint8_t)op_find(name)};

	assert_int_equal(op_draw_args(op_get(c.op), d, 0, &c, r), 0);
	return c;
}

static void every_op_draws_arguments_within_their_ranges(void **state)
{
	struct fixture f;
	struct rng r;

	fixture_init(&f);
	rng_init(&r, 5, 0, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		const struct op *op = op_get(published[i].number);

		for (int t = 0; t < 2000; t++) {
			struct op_call c = drawn(&f.draw, op->name, &r);
			const struct slot_spec *s = &f.spec[c.arg[0] % f.draw.nslots];
			uint32_t off = 0, pages = 1;

			for (unsigned int k = 0; k < op_nargs(op); k++) {
				assert_int_equal(arg_fold(&op->args[k], c.arg[k]), c.arg[k]);
				if (op->args[k].kind == ARG_SLOT)
					assert_true(op->backings & 1U << f.spec[c.arg[k]].backing);
				if (op->args[k].kind == ARG_VIEW)
					assert_true(c.arg[k] < s->maps);
				if (op->args[k].kind == ARG_OFF)
					off = c.arg[k];
				if (op->args[k].kind == ARG_LEN)
					pages = c.arg[k];
				if (op->args[k].kind == ARG_NODE &&
					strcmp(op->name, "migrate_pages") != 0)
					assert_true(c.arg[k] < 2);
				if (op->args[k].kind == ARG_PROC)
					assert_true(c.arg[k] < 2);
			}
			if (op->backings)
				assert_true((uint64_t)off + pages <= s->size / PAGE);
			for (unsigned int k = op_nargs(op); k < OP_MAX_ARGS; k++)
				assert_int_equal(c.arg[k], 0);
		}
	}
}

static void drawing_is_a_pure_function_of_the_seed(void **state)
{
	struct fixture f;
	struct rng a, b;

	fixture_init(&f);
	rng_init(&a, 6, 1, 2, 3);
	b = a;
	for (int t = 0; t < 5000; t++) {
		const char *name = published[(size_t)t % ARRAY_SIZE(published)].name;
		struct op_call x = drawn(&f.draw, name, &a), y = drawn(&f.draw, name, &b);

		assert_memory_equal(&x, &y, sizeof(x));
	}
	assert_memory_equal(&a, &b, sizeof(a));
}

static void fixed_arguments_are_kept(void **state)
{
	struct fixture f;
	struct rng r;

	fixture_init(&f);
	rng_init(&r, 7, 0, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		const struct op *op = op_get(published[i].number);

		for (uint32_t fixed = 0; fixed < 1U << op_nargs(op); fixed++) {
			struct op_call c = {.op = (uint8_t)published[i].number}, given;

			for (unsigned int k = 0; k < op_nargs(op); k++)
				c.arg[k] = arg_fold(&op->args[k], 0x01020301);
			given = c;
			assert_int_equal(op_draw_args(op, &f.draw, fixed, &c, &r), 0);
			for (unsigned int k = 0; k < op_nargs(op); k++)
				if (fixed & 1U << k)
					assert_int_equal(c.arg[k], given.arg[k]);
		}
	}
}

static void no_suitable_slot_is_no_draw(void **state)
{
	struct fixture f;
	struct op_call c = {.op = (uint8_t)op_find("madvise_free")};
	struct rng r;

	fixture_init(&f);
	rng_init(&r, 8, 0, 0, 0);
	f.draw.slots = 1U << MEMFD | 1U << HUGETLB;
	assert_int_equal(op_draw_args(op_get(c.op), &f.draw, 0, &c, &r), -ENOENT);
	f.draw.slots = 0;
	c.op = (uint8_t)op_find("mmap");
	assert_int_equal(op_draw_args(op_get(c.op), &f.draw, 0, &c, &r), -ENOENT);
	f.draw.nslots = 0;
	assert_int_equal(op_draw_args(op_get(c.op), &f.draw, 1, &c, &r), -ENOENT);
}

static void each_huge_page_shape_is_drawn(void **state)
{
	enum { HUGE, ONE, PLUS, MINUS, HALF, STRADDLE, WHOLE, SEVERAL, PUD_SIZED, SHAPES };
	unsigned int seen[SHAPES] = {0};
	struct fixture f;
	struct rng r;

	fixture_init(&f);
	f.spec[ANON].size = 4UL << 30;
	f.draw.slots = 1U << ANON;
	rng_init(&r, 9, 0, 0, 0);
	for (int t = 0; t < 20000; t++) {
		struct op_call c = drawn(&f.draw, "madvise_dontneed", &r);
		uint32_t off = c.arg[2], pages = c.arg[3], in = off % PMD;

		seen[HUGE] += pages == PMD && in == 0;
		seen[ONE] += pages == 1;
		seen[PLUS] += pages == PMD + 1 && (in == 0 || in == PMD - 1);
		seen[MINUS] += pages == PMD - 1 && in <= 1;
		seen[HALF] += pages == PMD / 2 && in % (PMD / 2) == 0;
		seen[STRADDLE] += pages == PMD && in == PMD / 2;
		seen[WHOLE] += off == 0 && pages == (4UL << 30) / PAGE;
		seen[SEVERAL] += pages > PMD && pages % PMD == 0 && in == 0;
		seen[PUD_SIZED] += pages == PMD * PMD && off % (PMD * PMD) == 0;
	}
	for (int i = 0; i < SHAPES; i++)
		assert_true(seen[i] > 200);
}

static void seven_of_eight_hugetlb_ranges_are_of_whole_huge_pages(void **state)
{
	struct fixture f;
	struct rng r;
	unsigned int aligned = 0;

	fixture_init(&f);
	f.draw.slots = 1U << HUGETLB;
	rng_init(&r, 10, 0, 0, 0);
	for (int t = 0; t < 10000; t++) {
		struct op_call c = drawn(&f.draw, "mbind", &r);

		aligned += c.arg[2] % PMD == 0 && c.arg[3] % PMD == 0;
	}
	/* some of the eighth happen to be aligned too */
	assert_in_range(aligned, 8600, 9500);
}

/* ---- the kernel, lightly: ops on two small slots of this process ---- */

static struct op_scratch scratch;

static void map_slot(struct slot *s)
{
	void *p = mmap(NULL, 2 * s->spec.size, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	s->nviews = s->spec.maps = 1;
	s->view[0] = ((uintptr_t)p + (2UL << 20) - 1) & ~((2UL << 20) - 1);
	if (s->spec.backing == BACKING_MEMFD) {
		s->fd = memfd_create("test", MFD_CLOEXEC);
		assert_true(s->fd >= 0);
		assert_int_equal(ftruncate(s->fd, (off_t)s->spec.size), 0);
	}
	assert_int_equal(slot_map(s, 0, 0, s->pages, 0), 0);
}

static void shrink_spec(struct slot *s)
{
	s->spec.size = 4UL << 20;
	s->pages = 1024;
}

static long run(struct fixture *f, struct op_call c)
{
	return op_get(c.op)->run(&f->env, &c);
}

static void setup_kernel(struct fixture *f)
{
	if (sysconf(_SC_PAGESIZE) != PAGE)
		skip(); /* the fixture's numbers are those of 4 KiB pages */
	fixture_init(f);
	shrink_spec(&f->slot[ANON]);
	shrink_spec(&f->slot[MEMFD]);
	f->env.nslots = 2;
	f->env.scratch = &scratch;
	f->env.nprocs = 1;
	f->pid[0] = getpid();
	map_slot(&f->slot[ANON]);
	map_slot(&f->slot[MEMFD]);
}

static void dontneed_zeroes_private_memory_and_keeps_shared_memory(void **state)
{
	struct fixture f;
	char *anon, *shared;

	setup_kernel(&f);
	anon = (char *)f.slot[ANON].view[0];
	shared = (char *)f.slot[MEMFD].view[0];
	anon[5 * PAGE] = shared[5 * PAGE] = 1;
	assert_int_equal(run(&f, call("madvise_dontneed", ANON, 0, 5, 1)), 0);
	assert_int_equal(run(&f, call("madvise_dontneed", MEMFD, 0, 5, 1)), 0);
	assert_int_equal(anon[5 * PAGE], 0);
	assert_int_equal(shared[5 * PAGE], 1);
	assert_int_equal(
		run(&f, (struct op_call){(uint8_t)op_find("fallocate_punch"), {MEMFD, 5, 1}}), 0);
	assert_int_equal(shared[5 * PAGE], 0);
}

static void a_hole_gives_the_errnos_of_a_hole(void **state)
{
	static const char *const names[] = {"mprotect", "madvise_dontneed", "madvise_cold",
		"mincore", "mlock", "munlock", "madvise_willneed"};
	struct fixture f;

	setup_kernel(&f);
	assert_int_equal(run(&f, call("munmap_part", ANON, 0, 10, 5)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct op_call c = call(names[i], ANON, 0, 0, 20);
		long r = run(&f, c);

		assert_true(r < 0);
		assert_true(op_errno_legal(op_get(c.op), (int)-r, WHEN_HOLE));
		assert_false(op_errno_legal(op_get(c.op), (int)-r, WHEN_ANON | WHEN_PRIVATE));
	}
	assert_int_equal(run(&f, call("munlockall", 0, 0, 0, 0)), 0);
	assert_int_equal(run(&f, call("mmap", ANON, 0, 10, 5)), 0);
	assert_int_equal(run(&f, call("mincore", ANON, 0, 0, 20)), 0);
}

static void a_bounce_leaves_the_object_as_long_as_it_was(void **state)
{
	struct fixture f;
	struct op_call c = {(uint8_t)op_find("ftruncate"), {MEMFD, 3}};

	setup_kernel(&f);
	put_word(&c, "how", "shrink");
	assert_int_equal(run(&f, c), 0);
	assert_int_equal(lseek(f.slot[MEMFD].fd, 0, SEEK_END), 3 * PAGE);
	put_word(&c, "how", "grow");
	assert_int_equal(run(&f, c), 0);
	assert_int_equal(lseek(f.slot[MEMFD].fd, 0, SEEK_END), 4 << 20);
	put_word(&c, "how", "half");
	assert_int_equal(run(&f, c), 0);
	assert_int_equal(lseek(f.slot[MEMFD].fd, 0, SEEK_END), 2 << 20);
	put_word(&c, "how", "bounce");
	assert_int_equal(run(&f, c), 0);
	assert_int_equal(lseek(f.slot[MEMFD].fd, 0, SEEK_END), 4 << 20);
}

static void a_mapping_more_is_gone_when_the_op_ends(void **state)
{
	struct fixture f;

	setup_kernel(&f);
	for (uint32_t slot = ANON; slot <= MEMFD; slot++) {
		for (uint32_t how = 0; how < 2; how++) {
			struct op_call c = {(uint8_t)op_find("mmap_fresh"), {slot, 512, 0, how}};
			void *before, *after;

			before = mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			assert_int_equal(munmap(before, 2 << 20), 0);
			assert_int_equal(run(&f, c), 0);
			after = mmap(NULL, 2 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			assert_int_equal(munmap(after, 2 << 20), 0);
			assert_ptr_equal(before, after);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_never_move),
		cmocka_unit_test(unknown_numbers_and_names_are_no_op),
		cmocka_unit_test(every_byte_is_an_op_and_registered_bytes_are_themselves),
		cmocka_unit_test(every_op_describes_itself),
		cmocka_unit_test(ops_with_a_slot_have_backings_and_others_have_none),
		cmocka_unit_test(errno_tables_have_no_doubles),
		cmocka_unit_test(hazards_have_names),
		cmocka_unit_test(a_range_within_the_slot_is_taken_as_it_is),
		cmocka_unit_test(no_length_reaches_to_the_end),
		cmocka_unit_test(every_range_lies_within_its_slot),
		cmocka_unit_test(values_beyond_a_hugetlb_slot_fold_to_whole_huge_pages),
		cmocka_unit_test(a_slot_that_is_absent_is_passed_over),
		cmocka_unit_test(a_slot_that_does_not_suit_the_op_is_passed_over),
		cmocka_unit_test(a_table_without_view_or_length_means_view_0_and_all),
		cmocka_unit_test(nodes_are_those_with_memory),
		cmocka_unit_test(processes_fold_into_the_crew),
		cmocka_unit_test(folded_values_are_in_range_and_stay_as_they_are),
		cmocka_unit_test(effects_on_hugetlb_cover_whole_huge_pages),
		cmocka_unit_test(effects_lie_within_their_slot),
		cmocka_unit_test(requests_of_rings_have_the_effects_of_the_direct_ops),
		cmocka_unit_test(a_write_to_a_file_makes_it_reach_over_what_lies_before),
		cmocka_unit_test(only_private_pages_are_lost_by_munmap_and_dontneed),
		cmocka_unit_test(a_part_of_a_huge_page_is_not_sure_to_be_zeroed),
		cmocka_unit_test(a_writable_mapping_of_a_hugetlb_file_makes_it_longer),
		cmocka_unit_test(only_a_shrink_to_half_is_sure_of_sigbus_and_on_hugetlb_if_alone),
		cmocka_unit_test(only_the_call_that_was_made_to_fail_may_say_so),
		cmocka_unit_test(munmap_part_leaves_something),
		cmocka_unit_test(guards_are_certain_in_anonymous_memory_alone),
		cmocka_unit_test(what_a_mapping_carries_ends_with_the_mapping),
		cmocka_unit_test(only_dontneed_to_itself_loses_by_process_madvise),
		cmocka_unit_test(an_errno_is_legal_only_in_its_state),
		cmocka_unit_test(an_errno_without_a_state_is_always_legal),
		cmocka_unit_test(errnos_that_no_kernel_gives_are_never_legal),
		cmocka_unit_test(an_op_without_errnos_never_fails),
		cmocka_unit_test(the_state_follows_from_the_slot),
		cmocka_unit_test(tight_and_unprivileged_are_told),
		cmocka_unit_test(policies_that_the_kernel_refuses_are_odd),
		cmocka_unit_test(mbind_is_strict_where_it_looks_at_pages),
		cmocka_unit_test(a_buffer_may_lie_in_two_attaches_of_a_segment),
		cmocka_unit_test(every_op_draws_arguments_within_their_ranges),
		cmocka_unit_test(drawing_is_a_pure_function_of_the_seed),
		cmocka_unit_test(fixed_arguments_are_kept),
		cmocka_unit_test(no_suitable_slot_is_no_draw),
		cmocka_unit_test(each_huge_page_shape_is_drawn),
		cmocka_unit_test(seven_of_eight_hugetlb_ranges_are_of_whole_huge_pages),
		cmocka_unit_test(dontneed_zeroes_private_memory_and_keeps_shared_memory),
		cmocka_unit_test(a_hole_gives_the_errnos_of_a_hole),
		cmocka_unit_test(a_bounce_leaves_the_object_as_long_as_it_was),
		cmocka_unit_test(a_mapping_more_is_gone_when_the_op_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
