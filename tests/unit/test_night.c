/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report over many runs: values that anybody may have written, groups, sums, and what changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "night.h"
#include "sink.h"

static json_t *json(const char *text)
{
	json_t *j = json_loads(text, 0, NULL);

	assert_non_null(j);
	return j;
}

/* ---- text ---- */

static void assert_xml(const char *text, const char *wanted)
{
	char buf[256] = "";
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	print_xml(text, f);
	fclose(f);
	assert_string_equal(buf, wanted);
}

static void markup_is_escaped(void **state)
{
	assert_xml("<a b=\"c\">&amp;</a>", "&lt;a b=&quot;c&quot;&gt;&amp;amp;&lt;/a&gt;");
	assert_xml("a\nb\tc\x01\x1b\x7f", "a\nb\tc???");
	assert_xml("]]>", "]]&gt;");
	assert_xml("\xef\xbf\xbe.\xef\xbf\xbf.\xef\xbf\xbd", "?.?.\xef\xbf\xbd");
	assert_xml("\xef", "\xef"); /* it ends there: nothing after it is read */
}

static void assert_clip(const char *text, size_t max, const char *wanted)
{
	json_t *j = value_clip(text, max);

	assert_string_equal(json_string_value(j), wanted);
	json_decref(j);
}

static void text_is_cut_between_characters(void **state)
{
	assert_clip("abc", 3, "abc");
	assert_clip("abcd", 3, "abc…");
	assert_clip("aä", 2, "a…");
	assert_clip("ä", 1, "…");
	assert_clip("a\nb\rc\x1b[2J", 50, "a b?c?[2J");
	assert_clip("\xff\xfe", 50, "??");
}

static void times_are_those_of_utc(void **state)
{
	json_t *stamp = value_stamp(1767376800);

	assert_string_equal(json_string_value(stamp), "2026-01-02T18:00:00Z");
	json_decref(stamp);
	assert_int_equal(value_time("2026-01-02T18:00:00Z"), 1767376800);
	assert_int_equal(value_time("2026-01-02T18:00:00Z;"), -1);
	assert_int_equal(value_time("yesterday"), -1);
	assert_int_equal(value_time(""), -1);
	stamp = value_stamp(INT64_MAX);
	assert_string_equal(json_string_value(stamp), "");
	json_decref(stamp);
}

static void counts_do_not_overflow(void **state)
{
	json_t *o =
		json("{\"n\": 9223372036854775800, \"less\": -5, \"real\": 1.5, \"text\": \"7\"}");

	value_add(o, "n", UINT64_MAX);
	assert_true(value_count(o, "n") == INT64_MAX);
	value_add(o, "less", 2);
	assert_int_equal(value_count(o, "less"), 2);
	assert_int_equal(value_count(o, "real"), 0);
	assert_int_equal(value_count(o, "text"), 0);
	assert_int_equal(value_count(NULL, "n"), 0);
	json_decref(o);
}

/* ---- groups ---- */

/* A document with a run for each list of findings. */
static json_t *night_of(const char *const *findings)
{
	json_t *doc = json("{\"runs\": []}");

	for (size_t i = 0; findings[i]; i++) {
		json_t *run =
			json_pack("{s:s, s:s, s:s, s:s, s:I}", "dir", "d", "host", i ? "b" : "a",
				"job", "j", "seed", "7", "started_s", (json_int_t)(1000 * (i + 1)));
		json_t *summary = json_pack("{s:o}", "findings", json(findings[i]));

		json_array_append_new(json_object_get(doc, "runs"), run);
		night_findings(doc, i, summary, -1);
		json_decref(summary);
	}
	night_findings_end(doc);
	return doc;
}

static const json_t *group(const json_t *doc, size_t i)
{
	return json_array_get(json_object_get(doc, "findings"), i);
}

static void findings_are_grouped_by_their_set_of_titles(void **state)
{
	json_t *doc = night_of((const char *const[]){
		"[{\"title\": \"x\", \"alt\": [\"z\", \"y\"], \"count\": 2, \"first_s\": 5, "
		"\"last_s\": 50}, {\"title\": \"x\", \"count\": 9}]",
		"[{\"title\": \"y\", \"alt\": [\"x\", \"z\", \"z\"], \"count\": 3, \"first_s\": 1, "
		"\"last_s\": 2}]",
		NULL});

	assert_int_equal(json_array_size(json_object_get(doc, "findings")), 2);
	assert_string_equal(value_text(group(doc, 0), "title"), "x");
	assert_int_equal(value_count(group(doc, 0), "count"), 5);
	assert_int_equal(json_array_size(json_object_get(group(doc, 0), "machines")), 2);
	assert_int_equal(value_count(group(doc, 0), "first_s"), 1005);
	assert_int_equal(value_count(group(doc, 0), "last_s"), 2002);
	assert_int_equal(value_count(group(doc, 1), "count"), 9);
	json_decref(doc);
}

static void what_ended_a_kernel_comes_first(void **state)
{
	json_t *doc =
		night_of((const char *const[]){"[{\"title\": \"often\", \"count\": 900}, "
					       "{\"title\": \"deadly\", \"lost_kernel\": true}]",
			"[{\"title\": \"wide\"}]", "[{\"title\": \"often\", \"count\": 1}]", NULL});

	assert_string_equal(value_text(group(doc, 0), "title"), "deadly");
	assert_string_equal(value_text(group(doc, 1), "title"), "often");
	json_decref(doc);
}

static void names_of_findings_stay_below_their_run(void **state)
{
	json_t *doc = night_of(
		(const char *const[]){"[{\"title\": \"a\", \"dir\": \"/x/../..\"}, {\"title\": "
				      "\"b\", \"dir\": \"/etc/it's\"}, {\"title\": \"c\"}]",
			NULL});
	const char *const wanted[] = {"", "sunder replay 'd/findings/it'\\''s'", ""};

	for (size_t i = 0; i < 3; i++)
		assert_string_equal(
			value_text(json_array_get(json_object_get(group(doc, i), "sights"), 0),
				"replay"),
			wanted[i]);
	json_decref(doc);
}

/* ---- what changed ---- */

static void assert_titles(const json_t *c, const char *key, const char *wanted)
{
	const json_t *list = json_object_get(c, key);

	assert_int_equal(json_array_size(list), *wanted ? 1 : 0);
	if (*wanted)
		assert_string_equal(value_text(json_array_get(list, 0), "title"), wanted);
}

static void a_set_of_titles_is_the_same_in_any_order(void **state)
{
	json_t *before = night_of((const char *const[]){
		"[{\"title\": \"x\", \"alt\": [\"y\"]}, {\"title\": \"fixed\"}]", NULL});
	json_t *now = night_of((const char *const[]){
		"[{\"title\": \"y\", \"alt\": [\"x\"]}, {\"title\": \"fresh\"}]", NULL});
	json_t *c;

	json_object_set_new(before, "verdict", json_object());
	json_object_set_new(before, "totals", json_object());
	json_object_set_new(before, "damaged", json_array());
	c = night_compare(now, before);
	assert_titles(c, "new", "fresh");
	assert_titles(c, "gone", "fixed");
	assert_titles(c, "still", "y");
	json_decref(c);
	json_decref(now);
	json_decref(before);
}

static void formats_of_a_night_are_found_by_name(void **state)
{
	assert_int_equal(night_format_find("html"), NIGHT_HTML);
	assert_int_equal(night_format_find("junit"), NIGHT_JUNIT);
	assert_true(night_format_find("HTML") < 0);
	assert_true(night_format_find("") < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(markup_is_escaped),
		cmocka_unit_test(text_is_cut_between_characters),
		cmocka_unit_test(times_are_those_of_utc),
		cmocka_unit_test(counts_do_not_overflow),
		cmocka_unit_test(findings_are_grouped_by_their_set_of_titles),
		cmocka_unit_test(what_ended_a_kernel_comes_first),
		cmocka_unit_test(names_of_findings_stay_below_their_run),
		cmocka_unit_test(a_set_of_titles_is_the_same_in_any_order),
		cmocka_unit_test(formats_of_a_night_are_found_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
