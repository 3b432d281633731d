/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jobs and the plans that they become. */
#include "fake_root.h"

#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "plan/number.h"
#include "plan/plan.h"
#include "plan/suggest.h"

/* Two nodes with memory, sparse ids; a third has CPUs only. */
static struct machine_node nodes[] = {
	{0, true, true, 4ULL << 30}, {1, false, true, 0}, {4, true, true, 4ULL << 30}};
static int mem_nodes[] = {0, 4}, cpus[] = {0, 1, 2, 8, 9}, cpu_nodes[] = {0, 0, 1, 4, 4};
static const struct machine box = {
	.page_size = 4096,
	.pmd_size = 2 << 20,
	.pud_size = 1 << 30,
	.mem_total = 8ULL << 30,
	.mem_available = 4ULL << 30,
	.node = nodes,
	.nnodes = 3,
	.mem_node = mem_nodes,
	.nmem_nodes = 2,
	.cpu = cpus,
	.cpu_node = cpu_nodes,
	.ncpus = 5,
	.hstate = {{2 << 20}, {1 << 30}},
	.nhstates = 2,
	.is_root = true,
};

static const char *const oracles[] = {"errno", "content", "klog", NULL};
static const struct plan_options options = {
	.seed = 7, .tmp_dir = "/tmp", .oracle_names = oracles, .inject_names = oracles};
static char err[512];

static struct plan *load_on(const struct machine *m, const char *text)
{
	struct plan *p = NULL;

	err[0] = '\0';
	if (plan_load_text("j", text, strlen(text), m, &options, &p, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	return p;
}

static struct plan *load(const char *text)
{
	return load_on(&box, text);
}

static void refuse(const char *text, int error, const char *message)
{
	struct plan *p = NULL;

	err[0] = '\0';
	assert_int_equal(
		plan_load_text("j", text, strlen(text), &box, &options, &p, err, sizeof(err)),
		error);
	assert_string_equal(err, message);
	assert_null(p);
}

/* A slot that is to be had on every kernel, and the least job. */
#define SLOT_A "[slot a]\nbacking = anon\nhuge = never\n"
#define LEAST SLOT_A "[lane l]\nops = touch\n"

static const char *why_skipped(const struct plan *p, const char *what)
{
	for (unsigned int i = 0; i < p->nskips; i++)
		if (strcmp(p->skip[i].what, what) == 0)
			return p->skip[i].why;
	return "";
}

/* ---- what is refused ---- */

static const struct {
	const char *text, *message;
} bad_jobs[] = {
	{"", "j:1: the job has no [slot NAME]"},
	{SLOT_A, "j:1: the job has no [lane NAME]"},
	{"timeout = 5\n", "j:1: \"timeout\" stands before any section"},
	{"[globl]\n", "j:1: there is no section [globl]; did you mean \"global\"?"},
	{"[global\n", "j:1: a section is written [global], [slot NAME] or [lane NAME]"},
	{"[global] x\n", "j:1: a section is written [global], [slot NAME] or [lane NAME]"},
	{"[]\n", "j:1: a section is written [global], [slot NAME] or [lane NAME]"},
	{"[slot a b]\n", "j:1: a section's name is one word"},
	{"[global x]\n", "j:1: [global] takes no name"},
	{"[global]\n\n[global]\n", "j:3: a second [global]"},
	{"[slot]\n",
		"j:1: a slot's name is 1 to 15 of a-z, 0-9 and _, and does not begin with a digit"},
	{"[slot 9a]\n",
		"j:1: a slot's name is 1 to 15 of a-z, 0-9 and _, and does not begin with a digit"},
	{"[lane a-b]\n",
		"j:1: a lane's name is 1 to 15 of a-z, 0-9 and _, and does not begin with a digit"},
	{"[slot a]\n[slot a]\n", "j:2: a second [slot a]; the first is at j:1"},
	{"[lane a]\n[lane a]\n",
		"j:2: a second [lane a]; the first is at j:1 (count = N makes more of one)"},
	{"[global]\ntimeout\n[slot a]\n", "j:2: KEY = VALUE is expected"},
	{"[global]\ntimeout", "j:2: KEY = VALUE is expected"},
	{"[global]\n= 5\n", "j:2: KEY = VALUE is expected"},
	{"[global]\ntimeout =\n", "j:2: timeout has no value"},
	{"[global]\ntimeut = 5\n",
		"j:2: [global] has no key \"timeut\"; did you mean \"timeout\"?"},
	{"[global]\nxyzzy = 5\n", "j:2: [global] has no key \"xyzzy\""},
	{"[global]\nbacking = anon\n", "j:2: backing belongs in [slot NAME], not in [global]"},
	{"[lane l]\ntimeout = 5\n", "j:2: timeout belongs in [global], not in [lane NAME]"},
	{"[global]\ntimeout = 5\n# gap\ntimeout = 6\n",
		"j:4: timeout is given twice; the first is at j:2"},
	{"[global]\ntimeout = 5 parsecs\n",
		"j:2: timeout: \"5 parsecs\" is not a time, as in 90s, 12h or 20us"},
	{"[global]\nrounds = 0\n", "j:2: rounds: 0 is not within 1 and 18446744073709551615"},
	{"[global]\nseed = -1\n", "j:2: seed: \"-1\" is not a number"},
	{"[global]\nmemory = 101%\n", "j:2: memory: \"101%\" is not within 1% and 100%"},
	{"[global]\nmemory = lots\n", "j:2: memory: \"lots\" is not a size, as in 64k, 16M or 1G"},
	{"[global]\nmemory = 99999999999999999999\n",
		"j:2: memory: \"99999999999999999999\" is not a size, as in 64k, 16M or 1G"},
	{"[global]\nstall = 1ms\n", "j:2: stall: less than 1s is no stall"},
	{"[global]\nhugepages = 2M\n",
		"j:2: hugepages: \"2M\" is not SIZE:PAGES, as in 2M:32, 2M:16/node or 2M:auto"},
	{"[global]\nhugepages = 3M:1\n", "j:2: hugepages: 3M is not a power of two"},
	{"[global]\nhugepages = 2M:1/rack\n", "j:2: hugepages: \"/rack\" is not /node"},
	{"[global]\nhugepages = 2M:1 2M:2\n", "j:2: hugepages: a second pool of 2M"},
	{"[global]\nknob = /sys/x\n", "j:2: knob: PATH VALUE is expected"},
	{"[global]\nknob = /etc/passwd 1\n",
		"j:2: knob: /etc/passwd is not below /sys or /proc/sys"},
	{"[global]\nknob = /sys/../etc/passwd 1\n",
		"j:2: knob: /sys/../etc/passwd is not below /sys or /proc/sys"},
	{"[global]\noracles = contnt\n",
		"j:2: oracles: there is no \"contnt\"; did you mean \"content\"?"},
	{"[global]\ninject = contnt\n",
		"j:2: inject: there is no \"contnt\"; did you mean \"content\"?"},
	{"[global]\ncrews = 65\n", "j:2: crews: 65 is not within 1 and 64"},
	{"[slot a]\nsize = 2M\n[lane l]\n", "j:1: [slot a] has no backing"},
	{"[slot a]\nbacking = anno\n",
		"j:2: backing: there is no \"anno\"; did you mean \"anon\"?"},
	{"[slot a]\nbacking = anon\nhuge = alwys\n",
		"j:3: huge: there is no \"alwys\"; did you mean \"always\"?"},
	{"[slot a]\nbacking = anon\nsize = big\n",
		"j:3: size: \"big\" is not a size, as in 16M, 1G, 8pmd or 8huge"},
	{"[slot a]\nbacking = anon\nnoreserve = maybe\n",
		"j:3: noreserve: \"maybe\" is neither yes nor no"},
	{"[slot a]\nbacking = memfd\nmaps = 5\n", "j:3: maps: 5 is not within 1 and 4"},
	{"[slot a]\nbacking = anon\nmaps = 2\n[lane l]\n",
		"j:3: maps is 1 for a private backing: another mapping would be other memory"},
	{"[slot a]\nshift = 1\nbacking = anon\n[lane l]\n", "j:2: shift needs a shared backing"},
	{"[slot a]\nbacking = memfd\nsize = 3M\n[lane l]\n",
		"j:3: size is a multiple of the PMD size, here 2M"},
	{"[slot a]\nbacking = hugetlb_memfd\nsize = 4M\nhuge_size = 1G\n[lane l]\n",
		"j:3: size is a multiple of huge_size"},
	{"[slot a]\nbacking = anon\nhuge_size = 2M\n[lane l]\n",
		"j:3: huge_size needs a hugetlb backing"},
	{"[slot a]\nbacking = anon\nsize = 2huge\n[lane l]\n",
		"j:3: size: huge pages are counted in hugetlb slots only"},
	{"[slot a]\nbacking = anon\nalign = 1M\n[lane l]\n",
		"j:3: align is at least the PMD size, here 2M"},
	{"[slot a]\nbacking = anon\nalign = 3M\n[lane l]\n",
		"j:3: align is a power of two, 1M to 64G"},
	{"[slot a]\nbacking = anon\nsize = 16G\n[lane l]\n",
		"j:3: size: 16G is more than this machine's memory (8G)"},
	{"[slot a]\nbacking = anon\nsize = 100000G\n[lane l]\n",
		"j:3: size is at most 64G (hugetlb: 65536 huge pages)"},
	{SLOT_A "[lane l]\ncount = 0\n", "j:5: count: 0 is not within 1 and 512"},
	{SLOT_A "[lane l]\ncount = cpus+1\n",
		"j:5: count: \"cpus+1\" is neither a number nor cpus, cpus/N or cpus*N"},
	{SLOT_A "[lane l]\ncount = 512\n[lane m]\n", "j:6: more than 512 lanes"},
	{SLOT_A "[lane l]\nprocess = 8\n", "j:5: process: 8 is not within 0 and 7"},
	{SLOT_A "[lane l]\nprocess = 1\nprocesses = 2\n",
		"j:6: process and processes exclude each other"},
	{SLOT_A "[lane l]\ncpus = all\n",
		"j:5: cpus: \"all\" is none of any, none, node:N, node:even, same:LANE, smt:LANE, "
		"near:LANE, far:LANE or a list as in 0-3,7"},
	{SLOT_A "[lane l]\ncpus = same:l\n", "j:5: cpus: no [lane l] stands above this one"},
	{SLOT_A "[lane l]\ncpus = 100-200\n", "j:5: cpus: none of 100-200 may be used here"},
	{SLOT_A "[lane l]\ncpus = node:odd\n",
		"j:5: cpus: \"node:odd\" is neither node:N nor node:even"},
	{SLOT_A "[lane l]\nslots = b\n", "j:5: there is no slot \"b\""},
	{SLOT_A "[lane l]\nslots = a a\n", "j:5: slots names a twice"},
	{SLOT_A "[lane l]\ndepth = 65\n", "j:5: depth: 65 is not within 1 and 64"},
	{SLOT_A "[lane l]\noffset = 1s\n", "j:5: offset: more than 500us"},
	{SLOT_A "[lane l]\nops = toch\n", "j:5: there is no op \"toch\"; did you mean \"touch\"?"},
	{SLOT_A "[lane l]\nops = touch touch:2\n", "j:5: ops names touch twice"},
	{SLOT_A "[lane l]\nops = touch:x\n", "j:5: weight \"x\" is not a number up to 1000000"},
	{SLOT_A "[lane l]\nops = touch:0\n", "j:4: [lane l]: no op has a weight above 0"},
	{SLOT_A "[lane l]\nops = touch -hammer\n",
		"j:5: an op is taken out of `default`, which the lane does not have"},
	{SLOT_A "[lane l]\nops = ftruncate\n",
		"j:5: ftruncate can act on none of the slots of [lane l]"},
	{SLOT_A "[lane l]\nop = ftruncate slot=a\n",
		"j:5: ftruncate cannot act on slot a: it is anon"},
	{SLOT_A "[lane l]\nop = touch slot=1\n", "j:5: there is no slot 1"},
	{SLOT_A "[lane l]\nop = touch slto=a\n",
		"j:5: touch has no argument \"slto\"; did you mean \"slot\"?"},
	{SLOT_A "[lane l]\nop = touch weight=1 weight=1\n", "j:5: weight is given twice"},
	{SLOT_A "[lane l]\ndo = touch\ndo = touch weight=1\n",
		"j:6: a fixed sequence has no weights"},
	{SLOT_A "[lane l]\ndo = touch\nops = hammer\n",
		"j:6: a lane has a mix (ops, op) or a fixed sequence (do)"},
	{SLOT_A "[lane l]\ndo = touch\ndepth = 4\n",
		"j:6: depth belongs to a mix; a fixed sequence has its own"},
	{"# fine\n[slot \xc3]\n", "j:2: not UTF-8 text"},
	{"[global]\n\x01\n", "j:2: a control character: this is not a text file"},
	{"[global]\nseed = ${SUNDER_TEST_UNSET}\n",
		"j:2: the environment has no variable SUNDER_TEST_UNSET"},
	{"[global]\nseed = ${\n", "j:2: \"${\" is not followed by NAME}"},
	{"include /nonexistent.job\n", "j:1: include /nonexistent.job: No such file or directory"},
	{"include /\n", "j:1: include /: Is a directory"},
	{"include /dev/zero\n", "j:1: include /dev/zero: not a file"},
	{"include a b\n", "j:1: include takes one file"},
};

static void every_mistake_is_told_with_its_place(void **state)
{
	unsetenv("SUNDER_TEST_UNSET");
	for (size_t i = 0; i < ARRAY_SIZE(bad_jobs); i++)
		refuse(bad_jobs[i].text, -EINVAL, bad_jobs[i].message);
}

static void a_nul_byte_is_told_with_its_line(void **state)
{
	static const char text[] = "[global]\nseed = 1\0\n";
	struct plan *p;

	assert_int_equal(
		plan_load_text("j", text, sizeof(text) - 1, &box, &options, &p, err, sizeof(err)),
		-EINVAL);
	assert_string_equal(err, "j:2: a NUL byte: this is not a text file");
}

static void a_line_without_end_is_refused(void **state)
{
	size_t len = 1 << 20;
	_cleanup_free_ char *text = malloc(len);
	struct plan *p;

	assert_non_null(text);
	memset(text, 'a', len);
	memcpy(text, "[global]\n", 9);
	assert_int_equal(
		plan_load_text("j", text, len, &box, &options, &p, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "j:2: the line is longer than 8191 bytes");
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
	struct plan *p;

	assert_int_equal(
		plan_load("/nonexistent.job", &box, &options, &p, err, sizeof(err)), -ENOENT);
	assert_string_equal(err, "/nonexistent.job: No such file or directory");
	assert_int_equal(plan_load("/tmp", &box, &options, &p, err, sizeof(err)), -EISDIR);
	assert_string_equal(err, "/tmp: Is a directory");
	assert_int_equal(plan_load("/dev/null", &box, &options, &p, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "/dev/null: not a file");
}

/* head, then the line n times. */
static char *many_lines(const char *head, const char *line, size_t n)
{
	size_t len = strlen(line), at = strlen(head);
	char *text = malloc(at + n * len + 1);

	assert_non_null(text);
	memcpy(text, head, at);
	for (size_t i = 0; i < n; i++, at += len)
		memcpy(text + at, line, len);
	text[at] = '\0';
	return text;
}

static void a_hundred_thousand_lines_are_read_or_refused_at_the_right_one(void **state)
{
	_cleanup_free_ char *comments = many_lines(LEAST, "# comment\n", 100000);
	_cleanup_free_ char *ops = many_lines(LEAST, "op = touch\n", 100000);
	_cleanup_free_ char *seeds = many_lines(LEAST "[global]\n", "\n", 100000);
	struct plan *p = load(comments);

	plan_free(p);
	/* The 256 lines of ops that a lane may have are lines 5 to 260. */
	refuse(ops, -EINVAL, "j:261: more than 256 lines of ops in a lane");
	strcpy(strrchr(seeds, '\n') - 4, "x=1\n");
	refuse(seeds, -EINVAL, "j:100002: [global] has no key \"x\"");
}

static void a_mix_holds_so_many_ops_and_no_more(void **state)
{
	_cleanup_free_ char *mix =
		many_lines(SLOT_A "[lane l]\n", "op = touch\n", PLAN_MAX_MIX + 1);
	_cleanup_free_ char *sequence =
		many_lines(SLOT_A "[lane l]\n", "do = touch\n", PROGRAM_MAX_OPS + 1);

	refuse(mix, -EINVAL, "j:261: more than 256 lines of ops in a lane");
	refuse(sequence, -EINVAL, "j:69: more than 64 ops in a lane");
}

/* ---- what is read ---- */

static void the_least_job_has_the_documented_defaults(void **state)
{
	struct plan *p = load(LEAST);

	assert_int_equal(p->seed, 7);
	assert_int_equal(p->timeout_ns, 60000000000);
	assert_int_equal(p->rounds, 0);
	assert_int_equal(p->stall_ns, 60000000000);
	assert_int_equal(p->epoch_rounds, 64);
	assert_in_range(p->memory, (1 << 30) - 256, 1 << 30);
	assert_int_equal(p->oracles, UINT64_MAX);
	assert_int_equal(p->slot[0].size, 8 << 20);
	assert_int_equal(p->slot[0].align, 2 << 20);
	assert_int_equal(p->slot[0].maps, 1);
	assert_int_equal(p->ncrews, 5);
	assert_int_equal(p->crew[0].nlanes, 1);
	assert_int_equal(p->crew[0].nprocs, 1);
	assert_int_equal(p->crew[0].lane[0].depth, 8);
	assert_int_equal(p->crew[0].lane[0].max_offset_ns, 50000);
	plan_free(p);
}

static void values_take_suffixes_comments_and_variables(void **state)
{
	struct plan *p;

	setenv("SUNDER_TEST_SIZE", "6pmd", 1);
	p = load("\xef\xbb\xbf[global] ; all of it\r\ntimeout = 2h # long\r\nseed: 0x10\r\nmemory "
		 "= 10%\r\n"
		 "oracles = all -klog\ninject = errno\nknob = /sys/kernel/x a b\ncrews = 1\n"
		 "[slot a]\n  backing = memfd\n\thuge = never\n  size = ${SUNDER_TEST_SIZE}\n maps "
		 "= 3\n shift = 511\n align = 1G\n"
		 "[lane l]\noffset = 20us\n");
	assert_int_equal(p->timeout_ns, 7200000000000);
	assert_int_equal(p->seed, 7); /* the command line's wins */
	assert_in_range(p->memory, (4ULL << 30) / 10 - 100, (4ULL << 30) / 10);
	assert_int_equal(p->oracles & 7, 3);
	assert_string_equal(p->inject, "errno");
	assert_string_equal(p->knob[0].path, "/sys/kernel/x");
	assert_string_equal(p->knob[0].value, "a b");
	assert_int_equal(p->slot[0].size, 12 << 20);
	assert_int_equal(p->slot[0].maps, 3);
	assert_int_equal(p->slot[0].align, 1 << 30);
	assert_int_equal(p->crew[0].lane[0].max_offset_ns, 20000);
	assert_true(p->crew[0].lane[0].nops > 10);
	plan_free(p);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void included_files_are_read_in_place_and_named_in_messages(void **state)
{
	char dir[] = "/tmp/sunder-plan-XXXXXX", file[64], message[160];
	struct plan *p;

	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/top.job", dir);
	write_file(dir, "slots.inc", "[global]\nrounds = 9\n" SLOT_A);
	write_file(
		dir, "top.job", "[global]\ninclude slots.inc\ncrews = 2\n[lane l]\nops = touch\n");
	if (plan_load(file, &box, &options, &p, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	assert_int_equal(p->rounds, 9);
	assert_int_equal(p->ncrews, 2);
	plan_free(p);

	write_file(dir, "slots.inc", "# gap\n\n[slot a]\nbackin = anon\n");
	snprintf(message, sizeof(message),
		"%s/slots.inc:4: [slot NAME] has no key \"backin\"; did you mean \"backing\"?",
		dir);
	assert_int_equal(plan_load(file, &box, &options, &p, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, message);

	write_file(dir, "slots.inc", "include = top.job\n");
	assert_int_equal(plan_load(file, &box, &options, &p, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "include: more than 8 files deep"));

	snprintf(message, sizeof(message), "%s/slots.inc", dir);
	unlink(message);
	unlink(file);
	rmdir(dir);
}

/* ---- lanes and crews ---- */

static void more_than_eight_lanes_become_crews_that_mix_all_sections(void **state)
{
	struct plan *p = load(SLOT_A "[lane x]\ncount = 8\nprocesses = 2\nops = touch\n[lane "
				     "y]\ncount = 4\nops = hammer\n");

	assert_int_equal(p->ncrews, 2);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(p->crew[i].nlanes, 6);
		assert_int_equal(p->crew[i].nprocs, 2);
		assert_int_equal(p->crew[i].lane[0].name[0], 'x');
		assert_int_equal(p->crew[i].lane[0].proc, 0);
		assert_int_equal(p->crew[i].lane[1].proc, 1);
		assert_int_equal(p->crew[i].lane[5].name[0], 'y');
	}
	assert_string_equal(p->crew[1].lane[0].name, "x.1");
	plan_free(p);
}

static void crews_multiply_the_lanes(void **state)
{
	struct plan *p = load("[global]\ncrews = 3\n" SLOT_A "[lane x]\ncount = 10\nops = touch\n");

	assert_int_equal(p->ncrews, 6);
	plan_free(p);
}

static void counts_follow_the_cpus(void **state)
{
	struct plan *p = load(
		"[global]\ncrews = 1\n" SLOT_A
		"[lane x]\ncount = cpus/2\nops = touch\n[lane y]\ncount = cpus\nops = touch\n");

	assert_int_equal(p->crew[0].nlanes, 7);
	plan_free(p);
}

static void lanes_are_pinned_in_turn_where_they_may(void **state)
{
	struct plan *p = load(
		"[global]\ncrews = 1\n" SLOT_A
		"[lane x]\ncount = 3\ncpus = node:even\nops = touch\n"
		"[lane y]\ncount = 2\ncpus = 8-9\nops = touch\n[lane z]\ncpus = none\nops = touch\n"
		"[lane w]\ncpus = node:3\nops = touch\n");
	static const int expected[] = {0, 2, 8, 9, 8, -1, 1};

	assert_int_equal(p->crew[0].nlanes, 7);
	for (int i = 0; i < 7; i++)
		assert_int_equal(p->crew[0].lane[i].cpu, expected[i]);
	assert_string_equal(why_skipped(p, "placement of lane w"),
		"node 3 has no CPUs for us; it runs on any CPU");
	plan_free(p);
}

static void lanes_of_single_sections_are_spread_over_the_nodes_too(void **state)
{
	struct plan *p =
		load("[global]\ncrews = 1\n" SLOT_A "[lane x]\ncpus = node:even\nops = touch\n"
		     "[lane y]\ncpus = node:even\nops = touch\n"
		     "[lane z]\ncpus = node:even\nops = touch\n");
	static const int expected[] = {0, 2, 8};

	for (int i = 0; i < 3; i++)
		assert_int_equal(p->crew[0].lane[i].cpu, expected[i]);
	plan_free(p);
}

static void crews_that_do_not_fit_the_memory_are_left_out(void **state)
{
	struct plan *p = load("[global]\nmemory = 40M\ncrews = 4\n" SLOT_A
			      "[lane x]\ncount = 2\nprocesses = 2\nops = touch\n");

	/* 8 MiB in each of two processes */
	assert_int_equal(p->ncrews, 2);
	assert_string_equal(
		why_skipped(p, "crews"), "2 of 4: more do not fit the memory budget of 40M");
	plan_free(p);
}

static void slots_of_one_crew_that_do_not_fit_are_no_resources(void **state)
{
	refuse("[global]\nmemory = 6M\n" LEAST, -ENOSPC,
		"j:2: j: one crew's slots need 8M and the pools asked for 0; the budget is 6M (key "
		"\"memory\")");
	refuse("[slot a]\nbacking = anon\nhuge = never\nsize = 2G\n[lane l]\nops = touch\n",
		-ENOSPC,
		"j: one crew's slots need 2G and the pools asked for 0; the budget is 1023M (key "
		"\"memory\")");
}

static void pools_of_the_job_count_against_the_memory(void **state)
{
	refuse("[global]\nmemory = 20M\nhugepages = 2M:8/node\n" LEAST, -ENOSPC,
		"j:2: j: one crew's slots need 8M and the pools asked for 32M; the budget is 20M "
		"(key \"memory\")");
}

static void an_automatic_pool_is_twice_what_the_slots_need(void **state)
{
	struct plan *p = load("[global]\nhugepages = 2M:auto\ncrews = 2\n[slot h]\nbacking = "
			      "hugetlb_private\nsize = 8M\n"
			      "[slot n]\nbacking = hugetlb_private\nnoreserve = yes\n[lane "
			      "l]\ncount = 3\nprocesses = 3\nops = touch\n");

	/* 4 pages, 3 processes, 2 crews, twice */
	assert_int_equal(p->pool[0].pages, 48);
	assert_true(p->pool[0].per_node);
	plan_free(p);
}

static void what_needs_root_is_skipped_without_it(void **state)
{
	struct machine user = box;
	struct plan *p;

	user.is_root = false;
	p = load_on(&user, "[global]\nhugepages = 2M:8\nknob = /sys/kernel/x 1\n" LEAST);
	assert_int_equal(p->npools, 0);
	assert_int_equal(p->nknobs, 0);
	assert_string_equal(why_skipped(p, "hugepages 2M"), "needs root");
	assert_string_equal(why_skipped(p, "knob x"), "/sys/kernel/x: needs root");
	assert_int_equal(p->allow, 1 << HAZARD_SAFE);
	plan_free(p);
}

static void an_op_of_a_class_that_is_not_allowed_is_skipped(void **state)
{
	struct machine user = box;
	struct plan *p;

	user.is_root = false;
	p = load_on(&user, SLOT_A "[lane l]\nops = touch split_pid\n");
	assert_int_equal(p->crew[0].lane[0].nops, 1);
	assert_string_equal(why_skipped(p, "op split_pid"), "needs root");
	plan_free(p);
}

static void a_job_of_which_nothing_can_run_says_why(void **state)
{
	static const char text[] =
		"[slot h]\nbacking = hugetlb_memfd\nhuge_size = 16M\n[lane l]\nops = touch\n";
	struct plan *p;

	assert_int_equal(
		plan_load_text("j", text, strlen(text), &box, &options, &p, err, sizeof(err)),
		-ENODATA);
	assert_memory_equal(err, "j: nothing can run here; first reason: slot h: ", 46);
}

/* ---- drawing ---- */

#define TWO_SLOTS                      \
	"[global]\ncrews = 1\n" SLOT_A \
	"size = 16M\n[slot b]\nbacking = anon_shared\nhuge = never\nsize = 8M\nmaps = 2\n"

static void the_same_seed_gives_the_same_program(void **state)
{
	struct plan *a = load(TWO_SLOTS "[lane l]\ncount = 4\nops = touch:3 munmap_part hammer\n");
	struct plan *b = load(TWO_SLOTS "[lane l]\ncount = 4\nops = touch:3 munmap_part hammer\n");
	static struct program first, second, next;
	static struct program_lane lane;
	unsigned int same = 0;

	for (uint64_t round = 0; round < 200; round++) {
		plan_draw(a, 0, round, &first);
		plan_draw(b, 0, round, &second);
		plan_draw(b, 0, round + 1, &next);
		assert_true(program_equal(&first, &second));
		same += program_equal(&first, &next);
		for (unsigned int i = 0; i < first.nlanes; i++) {
			plan_draw_lane(a, 0, i, round, &lane);
			second.lane[i] = lane;
		}
		assert_true(program_equal(&first, &second));
	}
	assert_int_equal(same, 0);
	plan_free(a);
	plan_free(b);
}

static void every_drawn_program_can_be_encoded(void **state)
{
	struct plan *p = load(TWO_SLOTS "[lane l]\ncount = 8\nprocesses = 3\nops = default\n");
	static unsigned char bytes[PROGRAM_MAX_BYTES];
	static struct program drawn, decoded;

	for (uint64_t round = 0; round < 500; round++) {
		ssize_t n;

		plan_draw(p, 0, round, &drawn);
		n = program_encode(&drawn, bytes, sizeof(bytes));
		assert_true(n > 0);
		program_decode(&decoded, bytes, (size_t)n);
		assert_true(program_equal(&drawn, &decoded));
	}
	plan_free(p);
}

static void ops_come_by_their_weights(void **state)
{
	struct plan *p = load(TWO_SLOTS "[lane l]\ndepth = 10\nops = touch:7 hammer:2 mlock:0\nop "
					"= madvise_dontneed weight=1\n");
	unsigned int count[OP_NUMBERS] = {0};
	static struct program_lane lane;

	for (uint64_t round = 0; round < 1000; round++) {
		plan_draw_lane(p, 0, 0, round, &lane);
		assert_int_equal(lane.nops, 10);
		for (unsigned int i = 0; i < lane.nops; i++)
			count[lane.op[i].op]++;
	}
	assert_in_range(count[op_find("touch")], 6700, 7300);
	assert_in_range(count[op_find("hammer")], 1800, 2200);
	assert_in_range(count[op_find("madvise_dontneed")], 850, 1150);
	assert_int_equal(count[op_find("mlock")], 0);
	plan_free(p);
}

static void what_is_taken_away_is_mostly_given_back(void **state)
{
	struct plan *p = load(TWO_SLOTS "[lane l]\ndepth = 10\nops = touch:8 munmap_part:1\n");
	unsigned int unmapped = 0, mapped = 0;
	static struct program_lane lane;

	for (uint64_t round = 0; round < 1000; round++) {
		plan_draw_lane(p, 0, 0, round, &lane);
		for (unsigned int i = 0; i < lane.nops; i++) {
			unmapped += lane.op[i].op == op_find("munmap_part");
			mapped += lane.op[i].op == op_find("mmap");
		}
	}
	assert_true(unmapped > 700);
	assert_in_range(mapped, unmapped / 2, unmapped);
	plan_free(p);
}

static void what_the_job_fixes_is_never_drawn(void **state)
{
	struct plan *p = load(TWO_SLOTS "[lane l]\nop = touch slot=b off=512 pages=64\n");
	static struct program_lane lane;
	bool views[2] = {false};

	for (uint64_t round = 0; round < 100; round++) {
		plan_draw_lane(p, 0, 0, round, &lane);
		for (unsigned int i = 0; i < lane.nops; i++) {
			assert_int_equal(lane.op[i].arg[0], 1);
			assert_int_equal(lane.op[i].arg[2], 512);
			assert_int_equal(lane.op[i].arg[3], 64);
			views[lane.op[i].arg[1]] = true;
		}
	}
	assert_true(views[0] && views[1]);
	plan_free(p);
}

static void a_fixed_sequence_keeps_its_order(void **state)
{
	struct plan *p = load(TWO_SLOTS
		"[lane l]\ndo = mmap\ndo = touch\ndo = munmap_part slot=a\ndo = touch slot=b\n");
	static const char *const names[] = {"mmap", "touch", "munmap_part", "touch"};
	static struct program_lane lane;

	plan_draw_lane(p, 0, 0, 3, &lane);
	assert_int_equal(lane.nops, 4);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(lane.op[i].op, op_find(names[i]));
	assert_int_equal(lane.op[3].arg[0], 1);
	plan_free(p);
}

/* Whether all ops of a round are on one slot and overlap one PMD of it. */
static bool round_meets(const struct program *g)
{
	const struct op_call *c = &g->lane[0].op[0];
	uint32_t slot = c->arg[0];
	bool meets[8];

	memset(meets, 1, sizeof(meets));
	for (unsigned int i = 0; i < g->nlanes; i++)
		for (unsigned int k = 0; k < g->lane[i].nops; k++) {
			c = &g->lane[i].op[k];
			if (c->arg[0] != slot)
				return false;
			for (uint32_t pmd = 0; pmd < 8; pmd++)
				meets[pmd] &= c->arg[2] < (pmd + 1) * 512 &&
					      (!c->arg[3] || c->arg[2] + c->arg[3] > pmd * 512);
		}
	for (uint32_t pmd = 0; pmd < 8; pmd++)
		if (meets[pmd])
			return true;
	return false;
}

static void lanes_meet_on_one_huge_page_in_three_rounds_of_four(void **state)
{
	struct plan *p = load(TWO_SLOTS "[lane l]\ncount = 4\ndepth = 2\nops = touch hammer\n");
	static struct program g;
	unsigned int met = 0;

	p->meet_percent = 0; /* else those that meet have a focus as well */
	for (uint64_t round = 0; round < 1000; round++) {
		plan_draw(p, 0, round, &g);
		met += round_meets(&g);
	}
	assert_in_range(met, 700, 850);
	plan_free(p);
}

/* How many lanes have an op of the meet; all aims point at an op of it. */
static unsigned int count_meet(const struct program *g, unsigned int meet)
{
	unsigned int lanes = 0;

	for (unsigned int l = 0; l < g->nlanes; l++) {
		for (unsigned int i = 0; i < g->lane[l].nops; i++) {
			const struct op_timing *t = &g->lane[l].timing[i], *at;

			if (!(g->lane[l].timed >> i & 1) || t->meet != meet)
				continue;
			lanes++;
			if (t->aim == AIM_NONE)
				continue;
			at = &g->lane[t->aim_lane].timing[t->aim_op];
			assert_int_not_equal(t->aim_lane, l);
			assert_true(g->lane[t->aim_lane].timed >> t->aim_op & 1);
			assert_int_equal(at->meet, meet);
			assert_int_equal(at->aim, AIM_NONE);
		}
	}
	return lanes;
}

static void meetings_are_of_two_or_more_lanes_and_come_in_order(void **state)
{
	struct plan *p = load(TWO_SLOTS "[lane l]\ncount = 3\ndepth = 5\nops = touch hammer\n");
	static unsigned char bytes[PROGRAM_MAX_BYTES];
	unsigned int met = 0, most = 0, early = 0, late = 0;
	static struct program g;

	p->crowded = false;
	for (uint64_t round = 0; round < 1000; round++) {
		plan_draw(p, 0, round, &g);
		assert_true(program_encode(&g, bytes, sizeof(bytes)) > 0);
		met += count_meet(&g, 1) != 0;
		for (unsigned int k = 1; k <= PROGRAM_MAX_MEET && count_meet(&g, k); k++) {
			assert_in_range(count_meet(&g, k), 2, 3);
			most = k > most ? k : most;
		}
		for (unsigned int l = 0; l < 3; l++)
			for (unsigned int i = 0, last = 0; i < 5; i++) {
				const struct op_timing *t = &g.lane[l].timing[i];

				if (!(g.lane[l].timed >> i & 1))
					continue;
				assert_int_equal(t->meet, last + 1);
				last = t->meet;
				early += t->aim != AIM_NONE && t->aim_phase < 0;
				late += t->aim != AIM_NONE && t->aim_phase > 1000;
			}
	}
	assert_in_range(met, 450, 550);
	assert_int_equal(most, 4);
	assert_true(early > 50 && late > 50);
	plan_free(p);
}

static void cpus_are_chosen_by_where_another_lane_is(void **state)
{
	static int cores[] = {0, 0, 2, 8, 9};
	struct machine m = box;
	struct plan *p;
	const struct plan_lane *l;

	m.cpu_core = cores;
	p = load_on(&m, TWO_SLOTS "[lane a]\ncpus = 0\nops = touch\n"
				  "[lane b]\ncpus = same:a\nops = touch\n"
				  "[lane c]\ncpus = smt:a\nops = touch\n"
				  "[lane d]\ncpus = far:a\nops = touch\n"
				  "[lane e]\ncpus = 8\nops = touch\n"
				  "[lane f]\ncpus = near:e\nops = touch\n"
				  "[lane g]\ncpus = smt:e\nops = touch\n");
	l = p->crew[0].lane;
	assert_int_equal(l[1].cpu, 0);
	assert_int_equal(l[2].cpu, 1);
	assert_true(l[3].cpu == 2 || l[3].cpu == 8 || l[3].cpu == 9);
	assert_int_equal(l[5].cpu, 9);
	/* There is none: it runs somewhere, and that is told. */
	assert_true(l[6].cpu >= 0);
	assert_int_equal(p->nskips, 1);
	assert_string_equal(p->skip[0].what, "placement of lane g");
	plan_free(p);
}

static void copies_of_a_lane_are_placed_by_copies_of_another(void **state)
{
	struct plan *p = load(TWO_SLOTS "[lane a]\ncount = 3\nops = touch\n"
					"[lane b]\ncount = 3\ncpus = same:a\nops = touch\n");

	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(p->crew[0].lane[3 + i].cpu, p->crew[0].lane[i].cpu);
	assert_int_not_equal(p->crew[0].lane[0].cpu, p->crew[0].lane[1].cpu);
	plan_free(p);
}

static void a_lane_that_preempts_aims_at_the_one_on_its_cpu(void **state)
{
	struct plan *p =
		load(TWO_SLOTS "[lane a]\ncpus = 0\nops = touch\n[lane b]\ncpus = 1\nops = touch\n"
			       "[lane kick]\ncpus = same:a\npreempt = yes\nops = null\n");
	static struct program g;
	unsigned int aims = 0;

	if (caps_missing(CAP_HAS_FIFO)) {
		assert_int_equal(p->crew[0].nlanes, 2);
		plan_free(p);
		skip();
	}
	assert_true(p->crew[0].lane[2].preempt);
	for (uint64_t round = 0; round < 400; round++) {
		plan_draw(p, 0, round, &g);
		for (unsigned int i = 0; i < g.lane[2].nops; i++) {
			const struct op_timing *t = &g.lane[2].timing[i];

			if (!(g.lane[2].timed >> i & 1) || t->aim == AIM_NONE)
				continue;
			assert_int_equal(t->aim_lane, 0);
			aims++;
		}
		for (unsigned int l = 0; l < 2; l++)
			for (unsigned int i = 0; i < g.lane[l].nops; i++)
				if ((g.lane[l].timed >> i & 1) &&
					g.lane[l].timing[i].aim != AIM_NONE)
					assert_int_not_equal(g.lane[l].timing[i].aim_lane, 2);
	}
	assert_true(aims > 20);
	plan_free(p);
}

static void where_cpus_are_few_the_others_keep_away_from_those_that_meet(void **state)
{
	struct plan *p = load(TWO_SLOTS "[lane l]\ncount = 4\ncpus = node:even\nops = touch\n");
	static struct program g;

	p->crowded = true;
	for (uint64_t round = 0; round < 200; round++) {
		unsigned int running = 0;

		plan_draw(p, 0, round, &g);
		for (unsigned int l = 0; l < 4; l++)
			running += g.lane[l].nops > 0;
		assert_int_equal(running, count_meet(&g, 1) ? 2 : 4);
	}
	plan_free(p);
}

static void a_fixed_sequence_may_have_its_own_timings(void **state)
{
	struct plan *p = load(TWO_SLOTS "[lane a]\ndo = touch\ndo = meet=1 touch\n"
					"[lane b]\ndo = meet=1 aim=0.1@500 touch\n");
	static struct program g;

	for (uint64_t round = 0; round < 50; round++) {
		plan_draw(p, 0, round, &g);
		assert_int_equal(g.lane[0].timed, 2);
		assert_int_equal(g.lane[1].timed, 1);
		assert_int_equal(g.lane[1].timing[0].aim_phase, 500);
	}
	plan_free(p);
}

static void fixed_sequences_that_only_meet_get_aims(void **state)
{
	struct plan *p = load(TWO_SLOTS "[lane a]\ndo = touch\ndo = meet=2 touch\n"
					"[lane b]\ndo = meet=2 touch\ndo = meet=1 touch\n");
	unsigned int aims = 0, at_a = 0;
	static struct program g;

	for (uint64_t round = 0; round < 100; round++) {
		const struct op_timing *a, *b;

		plan_draw(p, 0, round, &g);
		assert_int_equal(g.lane[0].timed, 2);
		assert_int_equal(g.lane[1].timed, 3);
		assert_int_equal(count_meet(&g, 2), 2);
		a = &g.lane[0].timing[1];
		b = &g.lane[1].timing[0];
		assert_true(a->aim == AIM_NONE || b->aim == AIM_NONE);
		aims += a->aim != AIM_NONE || b->aim != AIM_NONE;
		at_a += b->aim != AIM_NONE;
		assert_int_equal(g.lane[1].timing[1].aim, AIM_NONE); /* alone */
	}
	assert_in_range(aims, 50, 95);
	assert_in_range(at_a, 20, 80);
	plan_free(p);
}

static const char lessons[] =
	"{\"version\": \"1\", \"lessons\": [{\"aimer\": \"munmap_part\", \"target\": \"hammer\", "
	"\"size\": \"huge\", "
	"\"backing\": \"anon\", \"tries\": [9,9,9,9,9,9,9,9,9,9,9,9,9,9], \"changes\": "
	"[0,0,0,0,9,0,0,0,0,0,0,0,0,0]}, {\"aimer\": \"of_another_version\", \"target\": "
	"\"hammer\", "
	"\"tries\": [9,9,9,9,9,9,9,9,9,9,9,9,9,9], \"changes\": [9,9,9,9,9,9,9,9,9,9,9,9,9,9]}]}";

/* Meets of a munmap_part that starts at 200..299 of a hammer. */
static unsigned int count_lessons(const struct program *g)
{
	unsigned int found = 0;

	for (unsigned int l = 0; l < g->nlanes; l++)
		for (uint64_t left = g->lane[l].timed; left; left &= left - 1) {
			unsigned int i = (unsigned int)__builtin_ctzll(left);
			const struct op_timing *t = &g->lane[l].timing[i];

			found += t->aim == AIM_START && t->aim_phase >= 200 && t->aim_phase < 300 &&
				 strcmp(op_get(g->lane[l].op[i].op)->name, "munmap_part") == 0 &&
				 strcmp(op_get(g->lane[t->aim_lane].op[t->aim_op].op)->name,
					 "hammer") == 0;
		}
	return found;
}

static unsigned int draw_lessons(const char *learned, const char *text)
{
	struct plan_options o = options;
	static struct program g, again;
	unsigned int found = 0;
	struct plan *p, *q;

	o.learned = learned;
	assert_int_equal(
		plan_load_text("j", text, strlen(text), &box, &o, &p, err, sizeof(err)), 0);
	assert_int_equal(
		plan_load_text("j", text, strlen(text), &box, &o, &q, err, sizeof(err)), 0);
	assert_int_equal(p->nlessons, learned ? 1 : 0);
	for (uint64_t round = 0; round < 1000; round++) {
		plan_draw(p, 0, round, &g);
		plan_draw(q, 0, round, &again);
		assert_true(program_equal(&g, &again));
		found += count_lessons(&g);
	}
	plan_free(p);
	plan_free(q);
	return found;
}

static void what_was_learned_is_drawn_again_and_only_if_it_was_asked_for(void **state)
{
	static const char two[] =
		TWO_SLOTS "[lane l]\ncount = 2\nops = touch:9 hammer munmap_part\n",
			  other[] = TWO_SLOTS "[lane l]\ncount = 2\nops = touch:9 hammer\n";
	char path[] = "/tmp/test_plan.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, lessons, strlen(lessons)), strlen(lessons));
	close(fd);
	assert_in_range(draw_lessons(NULL, two), 0, 20);
	assert_in_range(draw_lessons(path, two), 100, 1000);
	assert_int_equal(draw_lessons(path, other), 0);
	unlink(path);
}

static void a_wrong_file_of_lessons_is_told(void **state)
{
	static const char text[] =
		"[global]\nlearned = /dev/null\n" SLOT_A "[lane l]\nops = touch\n";
	struct plan *p;

	assert_int_equal(
		plan_load_text("j", text, strlen(text), &box, &options, &p, err, sizeof(err)),
		-EINVAL);
	assert_non_null(strstr(err, "/dev/null:1: "));
}

static void start_offsets_reach_from_nothing_to_the_limit(void **state)
{
	struct plan *p = load(TWO_SLOTS "[lane l]\noffset = 100us\nops = touch\n");
	unsigned int early = 0, late = 0;
	static struct program_lane lane;

	for (uint64_t round = 0; round < 2000; round++) {
		plan_draw_lane(p, 0, 0, round, &lane);
		assert_in_range(lane.offset_ns, 0, 100000);
		early += lane.offset_ns < 100;
		late += lane.offset_ns > 30000;
	}
	assert_true(early > 500);
	assert_true(late > 100);
	plan_free(p);
}

/* ---- programs as plans ---- */

static void a_plan_made_from_a_program_draws_that_program(void **state)
{
	static const char text[] =
		"slot a backing=anon size=8M huge=never\nslot b "
		"backing=anon_shared size=4M maps=2 huge=never\n"
		"lane 0 offset=77ns\n\ttouch slot=b view=1 off=3 "
		"pages=9\n\tmunmap_part slot=a off=512 pages=512\n"
		"lane 1 proc=2\nlane 2 proc=1 offset=500us cpu=0\n\thammer slot=a "
		"off=1 pages=1 ns=20us\n";
	static struct program p, drawn;
	struct plan *plan;

	if (program_parse(&p, "t", text, strlen(text), err, sizeof(err)) < 0)
		fail_msg("%s", err);
	if (plan_from_program(&p, &box, &options, &plan, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	assert_int_equal(plan->nprocs, 3);
	for (uint64_t round = 0; round < 20; round++) {
		plan_draw(plan, 0, round, &drawn);
		assert_true(program_equal(&p, &drawn));
	}
	plan_free(plan);
}

static void a_plan_that_is_fed_draws_what_it_is_fed(void **state)
{
	static const char text[] =
		"slot a backing=anon size=8M huge=never\nlane 0\n\ttouch slot=a\n"
		"lane 1\n\ttouch slot=a\n";
	static struct program p, fed, drawn;
	struct plan *plan;

	assert_int_equal(program_parse(&p, "t", text, strlen(text), err, sizeof(err)), 0);
	assert_int_equal(plan_from_program(&p, &box, &options, &plan, err, sizeof(err)), 0);
	fed = p;
	fed.lane[0].op[1] = (struct op_call){.op = (uint8_t)op_find("munlockall")};
	fed.lane[0].nops = 2;
	program_set_timing(&fed.lane[0], 1, &(struct op_timing){.delay_ns = 7});
	fed.lane[1].nops = 0;
	fed.lane[1].offset_ns = 5;
	plan->fed = &fed;
	plan_draw(plan, 0, 3, &drawn);
	assert_true(program_equal(&fed, &drawn));
	plan_draw_lane(plan, 0, 0, 4, &drawn.lane[0]);
	assert_true(program_equal(&fed, &drawn));
	plan_free(plan);
}

static void a_program_for_smaller_huge_pages_is_fitted(void **state)
{
	static const char text[] =
		"slot a backing=anon size=1M align=1M huge=never\nlane 0\n\ttouch slot=a\n";
	static struct program p;
	struct plan *plan;

	assert_int_equal(program_parse(&p, "t", text, strlen(text), err, sizeof(err)), 0);
	assert_int_equal(plan_from_program(&p, &box, &options, &plan, err, sizeof(err)), 0);
	assert_int_equal(plan->slot[0].size, 2 << 20);
	assert_int_equal(plan->slot[0].align, 2 << 20);
	plan_free(plan);
}

/* ---- pools ---- */

#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"

static void fake_pool(
	const char *free_pages, const char *reserved, const char *node0, const char *node4)
{
	fake_file(POOL "free_hugepages", free_pages);
	fake_file(POOL "resv_hugepages", reserved);
	fake_file(
		"/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", node0);
	fake_file(
		"/sys/devices/system/node/node4/hugepages/hugepages-2048kB/free_hugepages", node4);
}

#define HUGE_JOB                                                                                   \
	"[global]\nhugepages = 2M:64\ncrews = 1\n[slot first]\nbacking = hugetlb_private\nsize = " \
	"8M\n"                                                                                     \
	"[slot big]\nbacking = hugetlb_private\nsize = 64M\n[slot lazy]\nbacking = "               \
	"hugetlb_private\nnoreserve = yes\n"

static void slots_are_tight_until_the_pools_are_known(void **state)
{
	struct plan *p = load(HUGE_JOB "[lane l]\nops = touch\n");

	assert_int_equal(p->slots_present, 7);
	assert_int_equal(p->slots_tight, 7);
	plan_free(p);
}

static void ample_pools_make_no_slot_tight(void **state)
{
	struct plan *p = load(HUGE_JOB "[lane l]\nops = touch\n");

	fake_root_make();
	fake_pool("242\n", "0\n", "121\n", "121\n");
	assert_int_equal(plan_settle_pools(p, &box), 0);
	fake_root_remove();
	/* 4 + 32 + 8 pages, twice, and the lane's: a copy of the largest and a page to migrate to */
	assert_int_equal(p->slots_present, 7);
	assert_int_equal(p->slots_tight, 0);
	plan_free(p);
}

static void one_poor_node_makes_slots_tight(void **state)
{
	struct plan *p = load(HUGE_JOB "[lane l]\nops = touch\n");

	fake_root_make();
	fake_pool("241\n", "0\n", "121\n", "120\n");
	assert_int_equal(plan_settle_pools(p, &box), 0);
	fake_root_remove();
	assert_int_equal(p->slots_present, 7);
	assert_int_equal(p->slots_tight, 7);
	plan_free(p);
}

static void a_pool_too_small_takes_slots_and_what_is_left_without_them(void **state)
{
	struct plan *p = load(HUGE_JOB
		"[lane l]\nops = touch\n[lane only_big]\nslots = big\nops = touch hammer\n");

	fake_root_make();
	fake_pool("20\n", "8\n", "10\n", "10\n");
	assert_int_equal(plan_settle_pools(p, &box), 0);
	fake_root_remove();
	assert_int_equal(p->slots_present, 5);
	assert_string_equal(
		why_skipped(p, "slot big"), "needs 32 free huge pages of 2M, the pool has 8");
	assert_string_equal(why_skipped(p, "lane only_big"), "nothing that it does can run here");
	assert_string_equal(why_skipped(p, "op hammer"), "no slot that it acts on is here");
	assert_string_equal(why_skipped(p, "op touch"), "");
	assert_int_equal(p->crew[0].nlanes, 1);
	plan_free(p);
}

static void empty_pools_leave_nothing(void **state)
{
	struct plan *p = load(HUGE_JOB "[lane l]\nops = touch\n");

	fake_root_make();
	fake_pool("3\n", "3\n", "3\n", "0\n");
	assert_int_equal(plan_settle_pools(p, &box), -ENODATA);
	fake_root_remove();
	plan_free(p);
}

/* ---- output, files of ours, small parts ---- */

static void the_plan_as_json_says_what_was_chosen(void **state)
{
	struct plan *p = load("[global]\ncrews = 1\nhugepages = 2M:8/node\n" SLOT_A
			      "[lane l]\nop = touch off=5 weight=3\nops = hammer\n");
	json_t *j = plan_json(p), *lane;

	assert_non_null(j);
	assert_string_equal(json_string_value(json_object_get(j, "seed")), "7");
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(json_object_get(j, "slots"), 0), "size")),
		8 << 20);
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(json_object_get(j, "pools"), 0), "pages")),
		8);
	lane = json_array_get(
		json_object_get(json_array_get(json_object_get(j, "crews"), 0), "lanes"), 0);
	assert_string_equal(json_string_value(json_object_get(lane, "name")), "l");
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(lane, "ops"), 0), "fixed")),
		"off=5");
	json_decref(j);
	plan_free(p);
}

/* A file of the source tree, which __FILE__ is relative to. */
static const char *source_path(const char *name)
{
	static char path[4096];
	const char *slash = strrchr(__FILE__, '/');

	snprintf(path, sizeof(path), "%.*s/../../%s", (int)(slash - __FILE__), __FILE__, name);
	return path;
}

static void the_jobs_that_we_ship_are_plans(void **state)
{
	static const char *const names[] = {
		"quick", "hugetlb-migrate", "thp-churn", "collapse-fallocate", "busted"};
	static const char *const injections[] = {"content", NULL};
	struct plan_options o = {.seed = 1, .tmp_dir = "/tmp", .inject_names = injections};
	struct machine small = box;
	struct plan *p;

	small.mem_total = small.mem_available = 512ULL << 20;
	small.ncpus = 2;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char file[64];
		int r;

		snprintf(file, sizeof(file), "workloads/%s.job", names[i]);
		r = plan_load(source_path(file), &box, &o, &p, err, sizeof(err));
		if (r == -ENODATA && strcmp(names[i], "collapse-fallocate") == 0) {
			assert_non_null(strstr(
				err, "tmpfs")); /* its one slot, for which this user must be root */
			continue;
		}
		if (r < 0)
			fail_msg("%s", err);
		assert_int_equal(strcmp(names[i], "busted") == 0, p->inject[0] != '\0');
		plan_free(p);
	}
	if (plan_load(source_path("workloads/quick.job"), &small, &o, &p, err, sizeof(err)) < 0)
		fail_msg("%s", err);
	plan_free(p);
}

static void the_docs_have_the_keys_as_the_parser_does(void **state)
{
	_cleanup_fclose_ FILE *f = fopen(source_path("docs/jobs.md"), "re");
	static char docs[1 << 16];
	char *keys = NULL;
	size_t len;
	FILE *out = open_memstream(&keys, &len);

	assert_non_null(f);
	docs[fread(docs, 1, sizeof(docs) - 1, f)] = '\0';
	assert_non_null(out);
	plan_print_job_keys(out);
	fclose(out);
	assert_non_null(strstr(docs, keys));
	free(keys);
}

static void numbers_are_read_whole_or_not_at_all(void **state)
{
	uint64_t v = 0;
	bool set[8] = {false};

	assert_int_equal(number_parse_size("16M", &v), 0);
	assert_int_equal(v, 16 << 20);
	assert_int_equal(number_parse_size("1GiB", &v), 0);
	assert_int_equal(v, 1 << 30);
	assert_int_equal(number_parse_size("16Mx", &v), -EINVAL);
	assert_int_equal(number_parse_size("0x10k", &v), 0);
	assert_int_equal(v, 16384);
	assert_int_equal(number_parse_size("99999999T", &v), -ERANGE);
	assert_int_equal(number_parse("", &v), -EINVAL);
	assert_int_equal(number_parse("0x", &v), -EINVAL);
	assert_int_equal(number_parse(" 1", &v), -EINVAL);
	assert_int_equal(number_parse_time("3", 1000, &v), 0);
	assert_int_equal(v, 3000);
	assert_int_equal(number_parse_time("2m", 1, &v), 0);
	assert_int_equal(v, 120000000000);
	assert_int_equal(number_parse_time("2 m", 1, &v), -EINVAL);
	assert_int_equal(number_parse_list("0-2,5", set, 8), 0);
	assert_true(set[0] && set[1] && set[2] && !set[3] && set[5]);
	assert_int_equal(number_parse_list("3-1", set, 8), -EINVAL);
	assert_int_equal(number_parse_list("8", set, 8), -ERANGE);
	assert_int_equal(number_parse_list("1,", set, 8), -EINVAL);
}

static void numbers_print_as_they_are_read(void **state)
{
	static const uint64_t values[] = {
		0, 1, 1000, 1024, 1536, 60000000000, 86400000000000, UINT64_MAX, 2097152, 500000};
	char text[32];
	uint64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		number_print_size(values[i], text, sizeof(text));
		assert_int_equal(number_parse_size(text, &v), 0);
		assert_int_equal(v, values[i]);
		number_print_time(values[i], text, sizeof(text));
		assert_int_equal(number_parse_time(text, 1, &v), 0);
		assert_int_equal(v, values[i]);
	}
}

static void a_far_word_is_not_suggested(void **state)
{
	struct suggest s;

	suggest_start(&s, "xyzzy");
	suggest_try(&s, "touch");
	assert_null(s.best);
	suggest_start(&s, "tuoch");
	suggest_try(&s, "mmap");
	suggest_try(&s, "touch");
	assert_string_equal(s.best, "touch");
}

static int setup(void **state)
{
	caps_setup(&box, "/tmp");
	return 0;
}

/* ---- turns ---- */

static void write_job(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

#define TURN_JOB "[slot heap]\nbacking = anon\n[lane a]\nops = touch\n"

static void turns_come_as_often_as_their_weights_say(void **state)
{
	unsigned int seen[2] = {0}, swaps = 0;
	struct plan *p;

	write_job("/tmp/sunder-turn-a.job", TURN_JOB);
	write_job("/tmp/sunder-turn-b.job", TURN_JOB "count = 9\nprocesses = 2\n");
	p = load("[global]\nslice = 3s\nturn = /tmp/sunder-turn-a.job weight=3\nturn = "
		 "/tmp/sunder-turn-b.job\n");
	assert_int_equal(p->nturns, 2);
	assert_true(p->slice_ns == 3000000000);
	assert_int_equal(plan_nparts(p), 2);
	assert_int_equal(plan_part(p, 1)->first_crew, plan_part(p, 0)->ncrews);
	for (uint64_t n = 0; n < 400; n++) {
		unsigned int turn = plan_turn_of(p, n);

		seen[turn]++;
		assert_int_equal(turn, plan_turn_of(p, n));
		swaps += n >= 4 && turn != plan_turn_of(p, n - 4);
		if (n % 4 == 3)
			assert_int_equal(seen[0], 3 * seen[1]); /* each cycle is whole */
	}
	assert_true(swaps > 50); /* and in an order of its own */
	assert_true(plan_part(p, 0)->seed != plan_part(p, 1)->seed);
	plan_free(p);
}

static void refuse_with(const char *text, int error, const char *part)
{
	struct plan *p = NULL;

	err[0] = '\0';
	assert_int_equal(
		plan_load_text("j", text, strlen(text), &box, &options, &p, err, sizeof(err)),
		error);
	if (!strstr(err, part))
		fail_msg("\"%s\" is not in \"%s\"", part, err);
}

static void turns_that_cannot_be_are_refused(void **state)
{
	write_job("/tmp/sunder-turn-a.job", TURN_JOB);
	write_job("/tmp/sunder-turn-c.job", "[global]\nturn = sunder-turn-a.job\n");
	refuse_with("[global]\nturn = /tmp/sunder-turn-c.job\n", -EINVAL, "has turns itself");
	refuse_with("[global]\nturn = /tmp/sunder-turn-a.job weight=17\n", -EINVAL, "j:2: weight");
	refuse_with("[global]\nturn = /tmp/sunder-turn-a.job often\n", -EINVAL, "j:2: turn");
	refuse_with("[global]\nturn = /tmp/sunder-no-such.job\n", -ENOENT, "j:2: turn");
	refuse_with("[global]\nturn = /tmp/sunder-turn-a.job\n" TURN_JOB, -EINVAL,
		"no slots and lanes of its own");
	refuse_with("[global]\nslice = 10ms\n" TURN_JOB, -EINVAL, "slice");
	write_job("/tmp/sunder-turn-a.job", "[global]\nknob = /sys/kernel/mm/x 1\n" TURN_JOB);
	write_job("/tmp/sunder-turn-c.job", "[global]\nknob = /sys/kernel/mm/x 2\n" TURN_JOB);
	refuse_with("[global]\nturn = /tmp/sunder-turn-a.job\nturn = /tmp/sunder-turn-c.job\n",
		-EINVAL, "/sys/kernel/mm/x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mistake_is_told_with_its_place),
		cmocka_unit_test(a_nul_byte_is_told_with_its_line),
		cmocka_unit_test(a_line_without_end_is_refused),
		cmocka_unit_test(a_file_that_cannot_be_read_is_named),
		cmocka_unit_test(a_hundred_thousand_lines_are_read_or_refused_at_the_right_one),
		cmocka_unit_test(a_mix_holds_so_many_ops_and_no_more),
		cmocka_unit_test(the_least_job_has_the_documented_defaults),
		cmocka_unit_test(values_take_suffixes_comments_and_variables),
		cmocka_unit_test(included_files_are_read_in_place_and_named_in_messages),
		cmocka_unit_test(more_than_eight_lanes_become_crews_that_mix_all_sections),
		cmocka_unit_test(crews_multiply_the_lanes),
		cmocka_unit_test(counts_follow_the_cpus),
		cmocka_unit_test(lanes_are_pinned_in_turn_where_they_may),
		cmocka_unit_test(lanes_of_single_sections_are_spread_over_the_nodes_too),
		cmocka_unit_test(crews_that_do_not_fit_the_memory_are_left_out),
		cmocka_unit_test(slots_of_one_crew_that_do_not_fit_are_no_resources),
		cmocka_unit_test(pools_of_the_job_count_against_the_memory),
		cmocka_unit_test(an_automatic_pool_is_twice_what_the_slots_need),
		cmocka_unit_test(what_needs_root_is_skipped_without_it),
		cmocka_unit_test(an_op_of_a_class_that_is_not_allowed_is_skipped),
		cmocka_unit_test(a_job_of_which_nothing_can_run_says_why),
		cmocka_unit_test(the_same_seed_gives_the_same_program),
		cmocka_unit_test(every_drawn_program_can_be_encoded),
		cmocka_unit_test(ops_come_by_their_weights),
		cmocka_unit_test(what_is_taken_away_is_mostly_given_back),
		cmocka_unit_test(what_the_job_fixes_is_never_drawn),
		cmocka_unit_test(a_fixed_sequence_keeps_its_order),
		cmocka_unit_test(lanes_meet_on_one_huge_page_in_three_rounds_of_four),
		cmocka_unit_test(meetings_are_of_two_or_more_lanes_and_come_in_order),
		cmocka_unit_test(cpus_are_chosen_by_where_another_lane_is),
		cmocka_unit_test(copies_of_a_lane_are_placed_by_copies_of_another),
		cmocka_unit_test(a_lane_that_preempts_aims_at_the_one_on_its_cpu),
		cmocka_unit_test(where_cpus_are_few_the_others_keep_away_from_those_that_meet),
		cmocka_unit_test(a_fixed_sequence_may_have_its_own_timings),
		cmocka_unit_test(fixed_sequences_that_only_meet_get_aims),
		cmocka_unit_test(what_was_learned_is_drawn_again_and_only_if_it_was_asked_for),
		cmocka_unit_test(a_wrong_file_of_lessons_is_told),
		cmocka_unit_test(start_offsets_reach_from_nothing_to_the_limit),
		cmocka_unit_test(a_plan_made_from_a_program_draws_that_program),
		cmocka_unit_test(a_plan_that_is_fed_draws_what_it_is_fed),
		cmocka_unit_test(a_program_for_smaller_huge_pages_is_fitted),
		cmocka_unit_test(slots_are_tight_until_the_pools_are_known),
		cmocka_unit_test(ample_pools_make_no_slot_tight),
		cmocka_unit_test(one_poor_node_makes_slots_tight),
		cmocka_unit_test(a_pool_too_small_takes_slots_and_what_is_left_without_them),
		cmocka_unit_test(empty_pools_leave_nothing),
		cmocka_unit_test(the_plan_as_json_says_what_was_chosen),
		cmocka_unit_test(the_jobs_that_we_ship_are_plans),
		cmocka_unit_test(the_docs_have_the_keys_as_the_parser_does),
		cmocka_unit_test(turns_come_as_often_as_their_weights_say),
		cmocka_unit_test(turns_that_cannot_be_are_refused),
		cmocka_unit_test(numbers_are_read_whole_or_not_at_all),
		cmocka_unit_test(numbers_print_as_they_are_read),
		cmocka_unit_test(a_far_word_is_not_suggested),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
