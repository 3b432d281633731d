/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs as C files: every op that can be exported compiles without a warning, whatever its arguments and its slot. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/rng.h"
#include "finding/export.h"

enum { MIB = 1 << 20, SLOTS = BACKING_COUNT };

static const char flags[] = "-O2 -pthread -Wall -Wextra -Werror";
static struct program program;

static int mem_node[2] = {0, 1};
static const struct machine machine = {.page_size = 4096,
	.pmd_size = 2 * MIB,
	.pud_size = 1024 * MIB,
	.mem_node = mem_node,
	.nmem_nodes = 2,
	.hstate = {{2 * MIB}},
	.nhstates = 1,
	.is_root = true};

static const struct plan_around around = {.epoch_rounds = 77,
	.nknobs = 1,
	.knob = {{"/sys/kernel/mm/transparent_hugepage/enabled", "always"}}};

/* A slot of each backing. */
static void all_slots(struct program *p)
{
	memset(p, 0, sizeof(*p));
	p->nslots = SLOTS;
	for (unsigned int i = 0; i < SLOTS; i++) {
		struct slot_spec *s = &p->slot[i];

		snprintf(s->name, sizeof(s->name), "s%u", i);
		s->backing = (uint8_t)i;
		s->size = 8 * MIB;
		s->align = 2 * MIB;
		s->maps = backing_is_private((enum backing)i) ? 1 : 2;
		s->shift = s->maps - 1;
		s->huge_size = backing_is_hugetlb((enum backing)i) ? 2 * MIB : 0;
	}
}

static char *exported(const struct program *p, struct export_told *told)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r = export_c(p, &machine, "a title with a */ in it", &around, f, told);

	fclose(f);
	if (r == 0)
		return text;
	free(text);
	return NULL;
}

static bool have(const char *cc)
{
	char command[64];

	snprintf(command, sizeof(command), "%s --version >/dev/null 2>&1", cc);
	return system(command) == 0;
}

static void compiles(const char *text)
{
	static const char *const compilers[] = {"gcc", "clang"};
	char dir[] = "/tmp/test_export.XXXXXX", file[64], command[512];
	bool good = true;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/r.c", dir);
	f = fopen(file, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	for (size_t i = 0; i < ARRAY_SIZE(compilers); i++) {
		if (!have(compilers[i]))
			continue;
		snprintf(command, sizeof(command), "%s %s -o %s/r %s", compilers[i], flags, dir,
			file);
		good = system(command) == 0 && good;
	}
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (good)
		assert_int_equal(system(command), 0);
	assert_true(good); /* what does not compile stays there to be looked at */
}

/* A call of the op on a slot, with any arguments. */
static void add_call(
	struct program *p, unsigned int lane, unsigned int op, unsigned int slot, struct rng *r)
{
	struct program_lane *l = &p->lane[lane];
	struct op_call *c = &l->op[l->nops++];

	c->op = (uint8_t)op;
	for (unsigned int i = 0; i < op_nargs(op_get(op)); i++) {
		const struct arg_desc *d = &op_get(op)->args[i];

		c->arg[i] = d->kind == ARG_SLOT ? slot : arg_fold(d, (uint32_t)(rng_next(r) >> 32));
	}
}

static unsigned int slot_for(unsigned int op, unsigned int n)
{
	uint32_t backings = op_get(op)->backings;

	for (unsigned int i = 0; i < SLOTS; i++)
		if (!backings || backings >> ((n + i) % SLOTS) & 1)
			return (n + i) % SLOTS;
	return 0;
}

/* All ops that can be exported, twice, on two lanes of each of two processes. */
static unsigned int all_ops(struct program *p, struct rng *r)
{
	unsigned int n = 0;

	all_slots(p);
	p->nlanes = PROGRAM_MAX_LANES;
	for (unsigned int l = 0; l < p->nlanes; l++)
		p->lane[l].proc = l / 4;
	for (unsigned int op = 0; op < OP_NUMBERS; op++) {
		if (!op_get(op) || !export_can(op))
			continue;
		add_call(p, n % 4, op, slot_for(op, n), r);
		add_call(p, 4 + n % 4, op, slot_for(op, n + 5), r);
		n++;
	}
	return n;
}

static void every_op_that_can_be_exported_compiles_without_a_warning(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct export_told told;
	struct rng r;

	rng_init(&r, 1, 2, 3, 4);
	assert_true(all_ops(&program, &r) > 80);
	text = exported(&program, &told);
	assert_non_null(text);
	compiles(text);
}

/* Of each kind one; all of them with EXPORT_ALL set, which takes minutes. */
static bool is_tried(unsigned int op)
{
	static const char *const ops[] = {"touch", "mremap_dontunmap", "fork", "fork_linger",
		"mbind", "get_mempolicy", "hugetlb_pool_node", "numa_stat"};

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (strcmp(op_get(op)->name, ops[i]) == 0)
			return true;
	return getenv("EXPORT_ALL") != NULL;
}

/* Only the helpers that it uses are in the file: anything else is a warning. */
static void each_op_alone_brings_what_it_needs_and_no_more(void **state)
{
	char file[] = "/tmp/test_export.XXXXXX.c", command[256];
	const bool clang = have("clang");
	int fd = mkstemps(file, 2);
	struct rng r;

	assert_true(fd >= 0);
	close(fd);
	/* clang finds unused functions without making code */
	snprintf(command, sizeof(command), "clang %s -fsyntax-only %s", flags, file);
	rng_init(&r, 4, 3, 2, 1);
	for (unsigned int op = 0; op < OP_NUMBERS && clang; op++) {
		_cleanup_free_ char *text = NULL;
		struct export_told told;
		FILE *f;

		if (!op_get(op) || !export_can(op) || !is_tried(op))
			continue;
		all_slots(&program);
		program.nslots = 1;
		program.nlanes = 1;
		program.slot[0].backing = (uint8_t)slot_for(op, op);
		program.slot[0].huge_size =
			backing_is_hugetlb(program.slot[0].backing) ? 2 * MIB : 0;
		add_call(&program, 0, op, 0, &r);
		text = exported(&program, &told);
		if (!text) /* an argument that has no C */
			continue;
		f = fopen(file, "we");
		assert_non_null(f);
		fputs(text, f);
		fclose(f);
		assert_int_equal(system(command), 0);
	}
	unlink(file);
}

static void timing_compiles_and_is_that_of_the_program(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct export_told told;
	struct rng r;

	rng_init(&r, 1, 1, 1, 1);
	all_slots(&program);
	program.nlanes = 2;
	for (unsigned int l = 0; l < 2; l++) {
		add_call(&program, l, (unsigned int)op_find("touch"), 0, &r);
		add_call(&program, l, (unsigned int)op_find("madvise_dontneed"), 0, &r);
		program.lane[l].offset_ns = 4321;
	}
	program_set_timing(&program.lane[0], 1, &(struct op_timing){.meet = 2, .delay_ns = 130});
	program_set_timing(&program.lane[1], 1,
		&(struct op_timing){
			.meet = 2, .aim = AIM_END, .aim_lane = 0, .aim_op = 1, .aim_phase = 420});
	text = exported(&program, &told);
	assert_non_null(text);
	assert_non_null(strstr(text, "#define EPOCH 77 "));
	assert_non_null(strstr(
		text, "put_text(\"/sys/kernel/mm/transparent_hugepage/enabled\", \"always\");"));
	assert_non_null(strstr(text, "deadline) + 4321"));
	assert_non_null(strstr(text, "meet(me, 1, 2, 0x3, 130)"));
	assert_non_null(strstr(text, "phase(0, 1, 420,"));
	compiles(text);
}

static void what_cannot_be_exported_is_named_and_nothing_is_an_error(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct export_told told;
	struct rng r;
	FILE *f = fopen("/dev/null", "we");

	rng_init(&r, 1, 1, 1, 1);
	all_slots(&program);
	program.nlanes = 1;
	add_call(&program, 0, (unsigned int)op_find("kvm_slot_move"), 0, &r);
	add_call(&program, 0, (unsigned int)op_find("kvm_slot_move"), 0, &r);
	add_call(&program, 0, (unsigned int)op_find("uring_register"), 0, &r);
	assert_int_equal(export_c(&program, &machine, NULL, NULL, f, &told), -ENODATA);
	fclose(f);
	assert_int_equal(told.left_out, 3);
	assert_string_equal(told.names, "kvm_slot_move uring_register");
	add_call(&program, 0, (unsigned int)op_find("mmap"), 0, &r);
	text = exported(&program, &told);
	assert_non_null(text);
	assert_int_equal(told.exported, 1);
	assert_non_null(strstr(text, "Left out, because it takes more than a system call: "
				     "kvm_slot_move uring_register"));
	compiles(text);
}

/* A fault that another lane may undo at any time is not certain; one that nobody else undoes is. */
static void only_what_lasts_is_certain(void **state)
{
	_cleanup_free_ char *alone = NULL, *beside = NULL;
	struct export_told told;

	all_slots(&program);
	program.nslots = 1;
	program.nlanes = 2;
	program.lane[0].nops = program.lane[1].nops = 1;
	program.lane[0].op[0] = (struct op_call){.op = (uint8_t)op_find("munmap_whole")};
	program.lane[1].op[0] = (struct op_call){.op = (uint8_t)op_find("touch")};
	alone = exported(&program, &told);
	assert_non_null(strstr(alone, "ZERO | ZEROED | HOLE | HOLE_SURE);"));
	program.lane[1].op[0].op = (uint8_t)op_find("mmap");
	beside = exported(&program, &told);
	assert_null(strstr(beside, "| HOLE_SURE);"));
}

static void a_mail_has_title_kernel_machine_and_evidence(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	const struct export_mail m = {.title = "lost write on anon",
		.kernel = "6.12.1 #1 SMP",
		.machine = "2 CPUs, 2 nodes",
		.evidence = "page 3 is wrong",
		.how_often = "4 times in 1 run",
		.file = "r.c"};

	assert_int_equal(export_mail(&m, f), 0);
	fclose(f);
	assert_int_equal(
		strncmp(text, "Subject: [BUG] mm: lost write on anon (6.12.1)\n\n", 48), 0);
	assert_non_null(strstr(text, "2 CPUs, 2 nodes"));
	assert_non_null(strstr(text, "4 times in 1 run"));
	assert_non_null(strstr(text, "page 3 is wrong\n"));
	assert_non_null(strstr(text, "cc -O2 -pthread r.c"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_op_that_can_be_exported_compiles_without_a_warning),
		cmocka_unit_test(each_op_alone_brings_what_it_needs_and_no_more),
		cmocka_unit_test(timing_compiles_and_is_that_of_the_program),
		cmocka_unit_test(what_cannot_be_exported_is_named_and_nothing_is_an_error),
		cmocka_unit_test(only_what_lasts_is_certain),
		cmocka_unit_test(a_mail_has_title_kernel_machine_and_evidence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
