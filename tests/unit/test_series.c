/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run's time series: what is written can be read, stays small, and may be cut off anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/series.h"

enum { TEXT_MAX = 1 << 20 };

static struct machine one_node(struct machine_node *node)
{
	*node = (struct machine_node){.id = 0, .has_memory = true};
	return (struct machine){.node = node, .nnodes = 1};
}

static char *read_series(const char *dir, size_t *ret_len)
{
	char path[128], *text = calloc(1, TEXT_MAX);
	FILE *f;

	snprintf(path, sizeof(path), "%s/series.csv", dir);
	f = fopen(path, "re");
	assert_non_null(f);
	*ret_len = fread(text, 1, TEXT_MAX - 1, f);
	fclose(f);
	return text;
}

static void remove_series(const char *dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/series.csv", dir);
	unlink(path);
	rmdir(dir);
}

static struct series_data parsed(const char *text)
{
	struct series_data d;

	assert_int_equal(series_parse(text, strlen(text), &d), 0);
	return d;
}

static void what_is_written_can_be_read(void **state)
{
	char dir[] = "/tmp/sunder-series-XXXXXX", *text;
	struct machine_node node;
	struct machine m = one_node(&node);
	struct run_result r = {.ngroups = 3, .crew_restarts = 7};
	struct series_data d;
	struct series *s;
	size_t len;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(series_open(dir, &m, SERIES_BYTES, &s), 0);
	series_sample(s, &r, 0.1);
	series_sample(s, &r, 0.9); /* not due */
	series_event(s, 1.5, "finding", "two\nlines");
	series_sample(s, &r, 2.2);
	series_close(s);
	text = read_series(dir, &len);
	assert_int_equal(series_parse(text, len, &d), 0);
	assert_int_equal(d.nrows, 2);
	assert_int_equal(d.bad, 0);
	assert_int_equal(d.ncols, 14);
	assert_true(d.value[d.ncols + (size_t)series_column(&d, "findings")] == 3);
	assert_true(d.value[d.ncols + (size_t)series_column(&d, "restarts")] == 7);
	assert_true(d.value[(size_t)series_column(&d, "free0")] > 0);
	assert_int_equal(d.nevents, 1);
	assert_string_equal(d.event[0].kind, "finding");
	assert_string_equal(d.event[0].text, "two lines");
	series_data_free(&d);
	free(text);
	remove_series(dir);
}

static void it_stays_within_its_bound_and_keeps_the_whole_time(void **state)
{
	enum { BOUND = 8192, SECONDS = 5000 };
	char dir[] = "/tmp/sunder-series-XXXXXX", *text;
	struct machine_node node;
	struct machine m = one_node(&node);
	struct run_result r = {0};
	struct series_data d;
	struct series *s;
	size_t len;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(series_open(dir, &m, BOUND, &s), 0);
	series_event(s, 0, "turn", "the first");
	for (unsigned int i = 0; i < SECONDS; i++)
		series_sample(s, &r, i);
	series_close(s);
	text = read_series(dir, &len);
	assert_true(len < BOUND + 256);
	assert_int_equal(series_parse(text, len, &d), 0);
	assert_int_equal(d.bad, 0);
	assert_int_equal(d.nevents, 1);
	assert_true(d.nrows > 20);
	assert_true(d.value[0] <= 64);
	assert_true(d.value[(d.nrows - 1) * d.ncols] > SECONDS - 200);
	series_data_free(&d);
	free(text);
	remove_series(dir);
}

static void a_file_that_was_cut_off_keeps_what_was_whole(void **state)
{
	static const char whole[] = "t,ops\n1.0,10\n#1.5,turn,next\n2.0,30\n3.0,70\n";
	struct series_data d;

	for (size_t len = 0; len < sizeof(whole); len++) {
		int e = series_parse(whole, len, &d);

		if (len < 6) {
			assert_int_equal(e, -EBADMSG);
			continue;
		}
		assert_int_equal(e, 0);
		assert_int_equal(d.bad, 0);
		assert_int_equal(d.nrows, (len >= 13) + (len >= 35) + (len >= 42));
		assert_int_equal(d.nevents, len >= 28);
		series_data_free(&d);
	}
}

static void what_is_no_row_is_counted(void **state)
{
	struct series_data d = parsed(
		"t,ops\n1,1\n1,2\n0,3\nx,4\n2\n3,5,6\n3,-1\n3,1e9\n3,\n,\n\n#\n#1\n#1,A,b\n4,6\n");

	assert_int_equal(d.nrows, 2);
	assert_int_equal(d.bad, 13);
	assert_true(d.value[3] == 6);
	series_data_free(&d);
	assert_int_equal(series_parse("ops,t\n", 6, &d), -EBADMSG);
	assert_int_equal(series_parse("t,,x\n", 5, &d), -EBADMSG);
	assert_int_equal(series_parse("<html>\n", 7, &d), -EBADMSG);
	assert_int_equal(series_parse("\n", 1, &d), -EBADMSG);
}

static void buckets_hold_the_least_and_the_most(void **state)
{
	struct series_data d =
		parsed("t,ops,seen,over,free\n"
		       "0,0,0,0,5\n1,10,4,1,9\n2,50,8,4,1\n3,50,8,4,7\n9,56,9,9,3\n");
	struct series_bucket b[2] = {0}, c[2] = {0}, e[2] = {0};

	series_fill(&d, SERIES_RATE, 1, -1, 0, 5, b, 2);
	assert_int_equal(b[0].n, 3);
	assert_true(b[0].min == 0 && b[0].max == 40 && b[0].sum == 50);
	assert_int_equal(b[1].n, 1);
	assert_true(b[1].max == 1);
	series_fill(&d, SERIES_SHARE, 3, 2, 0, 5, c, 2);
	assert_int_equal(c[0].n, 2); /* nothing was seen in one second */
	assert_true(c[0].min == 0.25 && c[0].max == 0.75);
	assert_true(c[1].max == 1); /* more than all cannot be */
	series_fill(&d, SERIES_GAUGE, 4, -1, 0, 5, e, 2);
	assert_true(e[0].min == 1 && e[0].max == 9 && e[0].n == 4);
	series_fill(&d, SERIES_GAUGE, -1, -1, 0, 5, e, 2); /* no such column: nothing */
	assert_int_equal(e[0].n, 4);
	series_data_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(it_stays_within_its_bound_and_keeps_the_whole_time),
		cmocka_unit_test(a_file_that_was_cut_off_keeps_what_was_whole),
		cmocka_unit_test(what_is_no_row_is_counted),
		cmocka_unit_test(buckets_hold_the_least_and_the_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
