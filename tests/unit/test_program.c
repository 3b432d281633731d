/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs as bytes and text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "plan/program.h"

enum { RANDOM_INPUTS = 20000 };

static struct program first, second;
static unsigned char bytes[PROGRAM_MAX_BYTES], again[PROGRAM_MAX_BYTES];

/* Decodes, encodes, decodes: the same program, and bytes that stay. */
static void check_lossless(const unsigned char *data, size_t len)
{
	ssize_t n, m;

	program_decode(&first, data, len);
	n = program_encode(&first, bytes, sizeof(bytes));
	assert_true(n > 0);
	program_decode(&second, bytes, (size_t)n);
	assert_true(program_equal(&first, &second));
	m = program_encode(&second, again, sizeof(again));
	assert_int_equal(n, m);
	assert_memory_equal(bytes, again, (size_t)n);
}

static char *print(const struct program *p, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	assert_non_null(f);
	assert_int_equal(program_print(p, f), 0);
	fclose(f);
	return text;
}

static void every_byte_string_is_a_program_and_survives_its_bytes(void **state)
{
	unsigned char data[4096];
	struct rng r;

	rng_init(&r, 1, 2, 3, 4);
	for (int i = 0; i < RANDOM_INPUTS; i++) {
		size_t len = rng_log(&r, sizeof(data));

		for (size_t k = 0; k < len; k++)
			data[k] = (unsigned char)(rng_next(&r) >> 56);
		check_lossless(data, len);
	}
}

static void text_of_any_program_parses_back_to_its_bytes(void **state)
{
	unsigned char data[4096];
	struct rng r;

	rng_init(&r, 4, 3, 2, 1);
	for (int i = 0; i < RANDOM_INPUTS / 10; i++) {
		size_t len = rng_log(&r, sizeof(data)), n, m;
		_cleanup_free_ char *text = NULL, *text_again = NULL;
		char err[512] = "";

		for (size_t k = 0; k < len; k++)
			data[k] = (unsigned char)(rng_next(&r) >> 56);
		program_decode(&first, data, len);
		text = print(&first, &n);
		if (program_parse(&second, "t", text, n, err, sizeof(err)) < 0)
			fail_msg("%s", err);
		assert_true(program_equal(&first, &second));
		text_again = print(&second, &m);
		assert_string_equal(text, text_again);
	}
}

static void no_bytes_are_a_program(void **state)
{
	check_lossless((const unsigned char *)"", 0);
	assert_int_equal(first.nslots, 1);
	assert_int_equal(first.nlanes, 1);
	assert_int_equal(first.lane[0].nops, 0);
	assert_string_equal(first.slot[0].name, "s0");
}

static void surplus_bytes_are_ignored(void **state)
{
	unsigned char data[64] = {0};

	memset(data + 32, 0xff, 32);
	program_decode(&first, data, 32);
	program_decode(&second, data, 64);
	assert_true(program_equal(&first, &second));
}

static void every_program_fits_the_largest_buffer(void **state)
{
	size_t most = 0;

	for (unsigned int i = 0; i < OP_NUMBERS; i++) {
		unsigned int nargs = op_get(i) ? op_nargs(op_get(i)) : 0;
		size_t n = 1 + 5; /* number, timing */

		for (unsigned int k = 0; k < nargs; k++) {
			enum arg_kind kind = op_get(i)->args[k].kind;

			n += kind == ARG_OFF || kind == ARG_LEN || kind == ARG_FLAGS ||
					     kind == ARG_INT || kind == ARG_NS
				     ? 4
				     : 1;
		}
		most = n > most ? n : most;
	}
	most *= PROGRAM_MAX_LANES * PROGRAM_MAX_OPS;
	most += 3 + SLOT_MAX * (9 + SLOT_NAME_MAX) + PROGRAM_MAX_LANES * 8;
	assert_in_range(most, 1, PROGRAM_MAX_BYTES);
}

static void a_short_buffer_is_refused(void **state)
{
	program_decode(&first, (const unsigned char *)"", 0);
	assert_int_equal(program_encode(&first, bytes, 4), -ENOSPC);
}

static void an_invalid_program_is_not_encoded(void **state)
{
	program_decode(&first, (const unsigned char *)"\0\1", 2);
	assert_int_equal(first.nslots, 2);
	strcpy(first.slot[1].name, first.slot[0].name);
	assert_int_equal(program_encode(&first, bytes, sizeof(bytes)), -EINVAL);
	program_decode(&first, (const unsigned char *)"", 0);
	first.slot[0].size++;
	assert_int_equal(program_encode(&first, bytes, sizeof(bytes)), -EINVAL);
	program_decode(&first, (const unsigned char *)"", 0);
	first.nlanes = 9;
	assert_int_equal(program_encode(&first, bytes, sizeof(bytes)), -EINVAL);
}

static void names_that_clash_become_different(void **state)
{
	/*
	 * Names on, three slots: "s1", "s1", and one without a name in the place of the default
	 * s2.
	 */
	static const unsigned char data[] = {
		1, 2, 0, 2, 's', '1', 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 's', '1'};

	check_lossless(data, sizeof(data));
	assert_int_equal(first.nslots, 3);
	assert_string_equal(first.slot[0].name, "s1");
	assert_string_not_equal(first.slot[1].name, "s1");
	assert_string_equal(first.slot[2].name, "s2");
}

static const char by_hand[] = "# by hand\n"
			      "slot heap backing=anon size=8M\n"
			      "slot fs backing=hugetlb_memfd huge_size=2M size=32M maps=2 shift=3\n"
			      "lane 0\n"
			      "lane 1 proc=1 offset=2us   # late\n"
			      "\ttouch slot=fs off=0x200 pages=1\n";

static void arguments_left_out_are_zero_or_the_first_word(void **state)
{
	char err[256] = "", text[256];

	assert_int_equal(program_parse(&first, "t", by_hand, strlen(by_hand), err, sizeof(err)), 0);
	assert_int_equal(first.nslots, 2);
	assert_int_equal(first.slot[0].align, 2 << 20);
	assert_int_equal(first.slot[1].maps, 2);
	assert_int_equal(first.nlanes, 2);
	assert_int_equal(first.lane[1].proc, 1);
	assert_int_equal(first.lane[1].offset_ns, 2000);
	assert_int_equal(first.lane[1].nops, 1);
	assert_int_equal(first.lane[1].op[0].arg[0], 1);
	assert_int_equal(first.lane[1].op[0].arg[1], 0);
	assert_int_equal(first.lane[1].op[0].arg[2], 512);
	assert_true(program_print_op(&first.lane[1].op[0], text, sizeof(text)) < (int)sizeof(text));
	assert_memory_equal(text, "touch slot=1 view=0 off=512 pages=1",
		strlen("touch slot=1 view=0 off=512 pages=1"));
}

static const char timed[] = "program 2\nslot a backing=anon size=2M\nlane 0\n"
			    "\tdelay=7us touch slot=a pages=1\n\ttouch slot=a pages=2\n"
			    "\tmeet=2 aim=1.0@-250 touch slot=a pages=3\n"
			    "lane 1\n\tmeet=2 delay=1500ns touch slot=a pages=4\n"
			    "lane 2\n\tmeet=2 aim_end=1.0@1100 touch slot=a pages=5\n";

static void assert_timing(const struct op_timing *a, const struct op_timing *b)
{
	assert_int_equal(a->meet, b->meet);
	assert_int_equal(a->aim, b->aim);
	assert_int_equal(a->aim_lane, b->aim_lane);
	assert_int_equal(a->aim_op, b->aim_op);
	assert_int_equal(a->aim_phase, b->aim_phase);
	assert_int_equal(a->delay_ns, b->delay_ns);
}

static void timings_survive_text_and_bytes(void **state)
{
	const struct op_timing late = {.delay_ns = 7000}, before = {2, AIM_START, 1, 0, -250, 0},
			       lead = {.meet = 2, .delay_ns = 1500},
			       end = {2, AIM_END, 1, 0, 1100, 0};
	char err[256] = "", *text;
	size_t len;
	ssize_t n;

	if (program_parse(&first, "t", timed, strlen(timed), err, sizeof(err)) < 0)
		fail_msg("%s", err);
	assert_int_equal(first.lane[0].timed, 5);
	assert_timing(&first.lane[0].timing[0], &late);
	assert_timing(&first.lane[0].timing[2], &before);
	assert_timing(&first.lane[1].timing[0], &lead);
	assert_timing(&first.lane[2].timing[0], &end);
	n = program_encode(&first, bytes, sizeof(bytes));
	assert_true(n > 0);
	check_lossless(bytes, (size_t)n);
	text = print(&first, &len);
	assert_non_null(strstr(text, "meet=2 aim=1.0@-250 touch"));
	assert_int_equal(program_parse(&second, "t", text, len, err, sizeof(err)), 0);
	assert_true(program_equal(&first, &second));
	second.lane[0].timing[2].aim_phase++;
	assert_false(program_equal(&first, &second));
	free(text);
}

static void a_timing_without_a_meaning_is_not_encoded(void **state)
{
	const struct op_timing wrong[] = {{.meet = 8}, {.delay_ns = PROGRAM_MAX_DELAY_NS + 1},
		{.meet = 1, .aim = AIM_COUNT}, {.meet = 1, .aim_lane = 1},
		{.meet = 1, .aim = AIM_END, .delay_ns = 1}, {.delay_ns = 1, .aim = AIM_END},
		{.meet = 1, .aim = AIM_START, .aim_lane = PROGRAM_MAX_LANES},
		{.meet = 1, .aim = AIM_START, .aim_phase = AIM_PHASE_MIN - 1}};
	char err[256];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(
			program_parse(&first, "t", timed, strlen(timed), err, sizeof(err)), 0);
		first.lane[0].timing[0] = wrong[i];
		assert_int_equal(program_encode(&first, bytes, sizeof(bytes)), -EINVAL);
	}
}

static void an_op_prints_like_snprintf(void **state)
{
	struct op_call c = {.op = (uint8_t)op_find("touch")};
	char whole[256], part[8];
	int n = program_print_op(&c, whole, sizeof(whole));

	assert_int_equal(n, (int)strlen(whole));
	assert_int_equal(program_print_op(&c, part, sizeof(part)), n);
	assert_string_equal(part, "touch s");
	assert_int_equal(program_print_op(&c, NULL, 0), n);
}

struct bad_text {
	const char *text, *message;
};

static const struct bad_text bad_texts[] = {
	{"", "t:1: the program has no slot"},
	{"slot a backing=anon size=2M\n", "t:1: the program has no lane"},
	{"program 4\n", "t:1: this is not a program of format 1 to 3"},
	{"slot a backing=anon size=2M\nlane 0\nmeet=8 touch\n", "t:3: meet=8: at most 7"},
	{"slot a backing=anon size=2M\nlane 0\nmeet=1 meet=1 touch\n", "t:3: meet is given twice"},
	{"slot a backing=anon size=2M\nlane 0\ndelay=1s touch\n", "t:3: delay=1s: at most 50ms"},
	{"slot a backing=anon size=2M\nlane 0\naim=1.0@0 touch\n",
		"t:3: an aim needs a meet, and no delay"},
	{"slot a backing=anon size=2M\nlane 0\nmeet=1 aim=1@0 touch\n",
		"t:3: aim is not LANE.OP@PHASE, as in aim=1.0@500"},
	{"slot a backing=anon size=2M\nlane 0\nmeet=1 aim=1.0@2001 touch\n",
		"t:3: aim=2001: at most 2000"},
	{"touch\n", "t:1: \"slot\" or \"lane\" is expected, not \"touch\""},
	{"slot a backing=anon size=2M\nslot a backing=anon size=2M\n", "t:2: a second slot a"},
	{"slot a backing=anom size=2M\n",
		"t:1: backing has no value \"anom\"; did you mean \"anon\"?"},
	{"slot a backing=anon size=2M maps=2\n", "t:1: slot a: maps is 1 for a private backing: "
						 "another mapping would be other memory"},
	{"slot a backing=anon size=2X\n", "t:1: size=2X: not a size"},
	{"slot a backing=hugetlb_file size=2M\n", "t:1: slot a: hugetlb needs huge_size"},
	{"slot a backing=anon siz=2M\n", "t:1: a slot has no \"siz\"; did you mean \"size\"?"},
	{"slot 1a backing=anon size=2M\n", "t:1: slot 1a: a name is 1 to 15 of a-z, 0-9 and _, and "
					   "does not begin with a digit"},
	{"slot a backing=anon size=2M\nlane 1\n", "t:2: lane 0 is expected here"},
	{"slot a backing=anon size=2M\nlane 0 proc=8\n", "t:2: proc=8: at most 7"},
	{"slot a backing=anon size=2M\nlane 0 offset=1ms\n", "t:2: offset=1ms: at most 500us"},
	{"slot a backing=anon size=2M\nlane 0 cpu=32767\n", "t:2: cpu=32767: at most 32766"},
	{"slot a backing=anon size=2M\nlane 0 preempt=2\n", "t:2: preempt=2: at most 1"},
	{"slot a backing=anon size=2M\nlane 0 cpus=1\n",
		"t:2: a lane has proc=N, offset=TIME, cpu=N and preempt=0 or 1, not \"cpus\""},
	{"slot a backing=anon size=2M\nlane 0\n\ntoch\n",
		"t:4: there is no op \"toch\"; did you mean \"touch\"?"},
	{"slot a backing=anon size=2M\nlane 0\ntouch slot=b\n", "t:3: there is no slot \"b\""},
	{"slot a backing=anon size=2M\nlane 0\ntouch slot=16\n", "t:3: there is no slot \"16\""},
	{"slot a backing=anon size=2M\nlane 0\ntouch page=1\n",
		"t:3: touch has no argument \"page\"; did you mean \"pages\"?"},
	{"slot a backing=anon size=2M\nlane 0\ntouch off=1 off=1\n",
		"t:3: touch: off is given twice"},
	{"slot a backing=anon size=2M\nlane 0\ntouch off\n",
		"t:3: touch: \"off\" is not ARGUMENT=VALUE"},
	{"slot a backing=anon size=2M\nlane 0\ntouch off=-1\n", "t:3: off=-1: not a number"},
	{"slot a backing=anon size=2M\nlane 0\ntouch off=4294967296\n",
		"t:3: off=4294967296: at most 4294967295"},
	{"slot a backing=anon size=2M\nlane 0\ntouch how=wrte\n",
		"t:3: how has no value \"wrte\"; did you mean \"write\"?"},
	{"slot a backing=anon size=2M\n\xff\n", "t:2: not UTF-8 text"},
};

static void every_mistake_in_text_is_told_with_its_place(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_texts); i++) {
		char err[256] = "";

		assert_int_equal(program_parse(&first, "t", bad_texts[i].text,
					 strlen(bad_texts[i].text), err, sizeof(err)),
			-EINVAL);
		assert_string_equal(err, bad_texts[i].message);
	}
}

static void a_nul_byte_is_no_text(void **state)
{
	char err[256] = "";

	assert_int_equal(program_parse(&first, "t", "slot\0", 5, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, "t:1: a NUL byte: this is not a text file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_string_is_a_program_and_survives_its_bytes),
		cmocka_unit_test(text_of_any_program_parses_back_to_its_bytes),
		cmocka_unit_test(no_bytes_are_a_program),
		cmocka_unit_test(surplus_bytes_are_ignored),
		cmocka_unit_test(every_program_fits_the_largest_buffer),
		cmocka_unit_test(a_short_buffer_is_refused),
		cmocka_unit_test(an_invalid_program_is_not_encoded),
		cmocka_unit_test(names_that_clash_become_different),
		cmocka_unit_test(arguments_left_out_are_zero_or_the_first_word),
		cmocka_unit_test(timings_survive_text_and_bytes),
		cmocka_unit_test(a_timing_without_a_meaning_is_not_encoded),
		cmocka_unit_test(an_op_prints_like_snprintf),
		cmocka_unit_test(every_mistake_in_text_is_told_with_its_place),
		cmocka_unit_test(a_nul_byte_is_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
