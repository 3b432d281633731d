/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room's inner parts: patterns, tables, names, titles. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "demangle.h"
#include "frame.h"
#include "header.h"
#include "pattern.h"
#include "title.h"

static bool finds(const char *pat, const char *s)
{
	return pattern_find(pat, s, strlen(s), NULL);
}

static void captures(const char *pat, const char *s, int i, const char *want)
{
	struct pattern_match m;
	char got[128];

	assert_true(pattern_find(pat, s, strlen(s), &m));
	assert_true(i < m.ncap);
	snprintf(got, sizeof(got), "%.*s", (int)m.cap[i].n, m.cap[i].p ? m.cap[i].p : "");
	assert_string_equal(got, want);
}

static void patterns_match_what_they_say(void **state)
{
	assert_true(finds("abc", "xxabcxx"));
	assert_false(finds("^abc", "xabc"));
	assert_true(finds("a*c$", "xxabbbc"));
	assert_false(finds("a*c$", "xxabbbcd"));
	assert_true(finds("{a|b|}c", "c"));
	assert_false(finds("x{a|b}c", "xc"));
	assert_true(finds("\\(%d\\)", "x(12)"));
	assert_true(finds(PAT_PC " " PAT_FUNC, "[<ffffffff81000000>] foo+0x1"));
	assert_true(finds(PAT_PC " " PAT_FUNC, "[c000000000000001] foo.isra.0+0x1"));
	assert_false(finds(PAT_FUNC, "foo bar"));
	captures("at (%c.%l:%d) " PAT_FUNC, "WARNING: at mm/x.c:12 foo+0x1", 0, "mm/x.c:12");
	captures("at (%c.%l:%d) " PAT_FUNC, "WARNING: at mm/x.c:12 foo+0x1", 1, "foo");
	captures("a(*)b", "a1b2b3", 0, "1b2");
	captures("a(~)b", "a1b2b3", 0, "1");
	captures("{x(1)|y(2)}", "y2", 0, "");
	captures("{x(1)|y(2)}", "y2", 1, "2");
}

static void matching_takes_no_more_than_linear_time(void **state)
{
	static char s[4096];

	memset(s, 'a', sizeof(s) - 1);
	for (int i = 0; i < 200; i++)
		assert_false(finds("*a*a*a*a*a*a*b", s));
}

/* What pattern.c relies on: short, balanced, few captures, known classes. */
static void check_pattern(const char *pat)
{
	int depth = 0, captures_seen = 0, choices = 0;

	if (!pat)
		return;
	assert_true(strlen(pat) < 256);
	for (const char *p = pat; *p; p++) {
		if (*p == '\\')
			assert_true(*++p);
		else if (*p == '%')
			assert_non_null(strchr("igclwdx_-nqb", *++p));
		else if (*p == '(' || *p == '{')
			depth++;
		else if (*p == ')' || *p == '}')
			depth--;
		captures_seen += *p == '(' && (p == pat || p[-1] != '\\');
		choices += p[0] == '%' || strchr("*~({", *p);
		assert_in_range(depth, 0, 15);
	}
	assert_int_equal(depth, 0);
	assert_in_range(captures_seen, 0, PATTERN_CAPS);
	assert_in_range(choices, 0, 40);
}

static void check_rule(const struct rule *rule)
{
	assert_non_null(rule->name);
	assert_non_null(rule->kind);
	check_pattern(rule->title);
	for (int i = 0; i < RULE_THEN; i++)
		check_pattern(rule->then[i]);
	for (int i = 0; i < RULE_STEPS; i++) {
		check_pattern(rule->steps[i].pattern);
		check_pattern(rule->otherwise[i].pattern);
	}
	assert_true(!strstr(rule->name, "$F") || rule->steps[0].kind != STEP_END);
}

static void tables_hold_patterns_that_the_matcher_takes(void **state)
{
	size_t n;
	const struct header *h = header_table(&n);

	check_pattern(PAT_IP);
	for (size_t i = 0; i < n; i++) {
		assert_in_range(strlen(h[i].text), 4, 64);
		assert_non_null(h[i].kind);
		check_pattern(h[i].when);
		for (const char *const *b = h[i].benign; b && *b; b++)
			check_pattern(*b);
		for (const struct rule *rule = h[i].rules; rule && rule->title; rule++)
			check_rule(rule);
	}
}

static void filter_finds_each_header_at_every_place(void **state)
{
	static struct header_filter f;
	const struct header *h;
	char line[256];
	size_t n;

	header_filter_init(&f);
	h = header_table(&n);
	for (size_t i = 0; i < n; i++) {
		for (size_t at = 0; at < 64; at++) {
			size_t len = strlen(h[i].text);

			memset(line, '.', sizeof(line));
			memcpy(line + at, h[i].text, len);
			assert_true(header_filter_scan(&f, line, line + 200) < line + 200);
			assert_true(
				header_filter_scan(&f, line, line + at + len) < line + at + len);
		}
	}
	memset(line, '.', sizeof(line));
	assert_ptr_equal(header_filter_scan(&f, line, line + 256), line + 256);
}

static void frame_is(const char *line, size_t n, const char *a, const char *b)
{
	struct slice f[2];

	assert_int_equal(frame_of_line(line, strlen(line), f), n);
	if (n)
		assert_true(strlen(a) == f[0].n && !memcmp(a, f[0].p, f[0].n));
	if (n > 1)
		assert_true(strlen(b) == f[1].n && !memcmp(b, f[1].p, f[1].n));
}

static void stack_lines_of_all_machines_give_their_function(void **state)
{
	frame_is(" foo+0x1/0x2", 1, "foo", NULL);
	frame_is(" foo.part.0.cold+0x1/0x2 [mod]", 1, "foo", NULL);
	frame_is(" [<ffffffff81000000>] foo+0x1/0x2", 1, "foo", NULL);
	frame_is("[c000000007a3b9d0] [c0000000004e3d00] foo+0x1/0x2", 1, "foo", NULL);
	frame_is("[c000000007a3b9d0] [c0000000004e3d00] .foo+0x1/0x2", 1, "foo", NULL);
	frame_is(" [<000000000039a5c2>] foo+0x1/0x2", 1, "foo", NULL);
	frame_is("([<000000000039a5c2>] foo+0x1/0x2)", 0, NULL, NULL); /* s390: unreliable */
	frame_is("[<c0012345>] (foo) from [<c0012345>] (bar+0x1/0x2)", 2, "foo", "bar");
	frame_is(" foo from bar+0x1/0x2", 2, "foo", "bar");
	frame_is(" <TASK>", 0, NULL, NULL);
	frame_is("RAX: 0000000000000000 RBX: ffff888100000000", 0, NULL, NULL);
	frame_is(" ? foo+0x1/0x2", 0, NULL, NULL);
}

static void title_becomes(const char *from, const char *to)
{
	struct title t;

	title_set(&t, from, strlen(from));
	title_normalise(&t);
	assert_string_equal(t.s, to);
}

static void titles_lose_what_changes_each_time(void **state)
{
	title_becomes("a at ffff888012345678", "a at ADDR");
	title_becomes("a 0x12345678 b", "a ADDR b");
	title_becomes("a 12345 b", "a NUM b");
	title_becomes("nl802154_add", "nl802154_add");
	title_becomes("x12345678y", "xNUMy");
	title_becomes("CPU#12 stuck", "CPU stuck");
	title_becomes("in mm/x.c:123:4 now", "in mm/x.c:LINE now");
	title_becomes("in foo+0x12/0x34 now", "in foo now");
	title_becomes("from 10.0.0.1 x", "from IP x");
	title_becomes("(1,2,3)", "(NUM,NUM,NUM)");
	title_becomes("  a \t  b\r", "a b");
	title_becomes("syz-executor.3/12: x", "syz-executor: x");
}

static void title_of_any_length_fits(void **state)
{
	struct title t;
	char s[3000];

	memset(s, 'z', sizeof(s));
	title_set(&t, s, sizeof(s));
	title_normalise(&t);
	assert_int_equal(t.n, TITLE_LEN);
}

static void demangled(const char *from, const char *to)
{
	char out[256];
	size_t n = demangle(from, strlen(from), out, sizeof(out));

	assert_int_equal(n, strlen(to));
	assert_true(!n || !strcmp(out, to));
}

static void rust_names_are_demangled(void **state)
{
	demangled("_RNvNtCs9_4core9panicking9panic_fmt", "core::panicking::panic_fmt");
	demangled("_ZN4core9panicking5panic17h0123456789abcdefE", "core::panicking::panic");
	demangled("_RNvMs_Cs1_6kernelNtB4_4Page3map", "<kernel::Page>::map");
	demangled("_RINvCs1_6kernel4initNtB2_4PagehE", "kernel::init::<kernel::Page, u8>");
	demangled("_RNCNvCs1_6kernel4init0B3_", "kernel::init::{closure#0}");
	demangled("_RNCNvCs1_6kernel4inits_0B3_", "kernel::init::{closure#1}");
	demangled("_RNvNCNvCs1_6kernel4init04inneC5other", "kernel::init::{closure#0}::inne");
	demangled("_RNSC6kernel3fooB2_", "kernel::{shim:foo#0}");
	demangled(
		"_RNvYINtC5alloc3VechENtC4core4Drop4drop", "<alloc::Vec<u8> as core::Drop>::drop");
	demangled(
		"_RINvC6kernel4initKj10_Kln1_Kb1_Kc41_KpE", "kernel::init::<16, -1, true, 'A', _>");
	demangled("_RNvMC6kernelAhj8_3get", "<[u8; 8]>::get");
	demangled("_RNvMC6kernelTRLhQe_E3get", "");
	demangled("_RNvMC6kernelTRhE3get", "<(&u8,)>::get");
	demangled(
		"_RNvMC6kernelFG_UKCRL0_hEu3get", "<for<'a> unsafe extern \"C\" fn(&'a u8)>::get");
	demangled("_RNvMC6kernelDNtC4core4Iterp4ItemmEL_3get", "<dyn core::Iter<Item = u32>>::get");
	demangled("_RNvC6kernel4initC5otherX", "");
	demangled("foo", "");
	demangled("_R", "");
	demangled("_RNvB_B_B_", "");
	demangled("_ZN99999999999foo", "");
	demangled("_RTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT"
		  "TTTT",
		"");
}

static void skip_words_tie_to_the_ends(void **state)
{
	static const char *const words[] = {
		"mid", "^start", "end$", "^whole$", "read_*nocheck", NULL};
	static const char *const in[] = {
		"amidb", "start_x", "x_end", "whole", "read_once_word_nocheck"};
	static const char *const out[] = {"x_start", "end_x", "wholes", "nocheck_read_", ""};

	for (size_t i = 0; i < ARRAY_SIZE(in); i++)
		assert_true(name_in(words, in[i], strlen(in[i])));
	for (size_t i = 0; i < ARRAY_SIZE(out); i++)
		assert_false(name_in(words, out[i], strlen(out[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_what_they_say),
		cmocka_unit_test(matching_takes_no_more_than_linear_time),
		cmocka_unit_test(tables_hold_patterns_that_the_matcher_takes),
		cmocka_unit_test(filter_finds_each_header_at_every_place),
		cmocka_unit_test(stack_lines_of_all_machines_give_their_function),
		cmocka_unit_test(titles_lose_what_changes_each_time),
		cmocka_unit_test(title_of_any_length_fits),
		cmocka_unit_test(rust_names_are_demangled),
		cmocka_unit_test(skip_words_tie_to_the_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
