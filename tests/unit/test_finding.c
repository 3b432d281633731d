/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The findings store: what is filed stays, whatever happens to the database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "finding/store.h"

static char top[64], dir[80], other[80];
static char err[STORE_ERR_MAX];

static int setup(void **state)
{
	strcpy(top, "/tmp/sunder-store-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(dir, sizeof(dir), "%s/a", top);
	snprintf(other, sizeof(other), "%s/b", top);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

static struct store *open_in(const char *where)
{
	struct store *s;

	if (store_open(where, &s, err) < 0)
		fail_msg("%s", err);
	return s;
}

static struct store_sight sight(const char *title, const char *alt, const char *run, uint64_t count)
{
	return (struct store_sight){.title = title,
		.alt = alt,
		.oracle = "klog",
		.run = run,
		.kernel = "6.12",
		.machine = "box",
		.program = "program 1\n",
		.evidence = "seen\n",
		.seed = UINT64_MAX,
		.round = 7,
		.count = count,
		.crew = 0,
		.lane = 2,
		.first = 1000,
		.last = 1000 + (time_t)count};
}

static void add(
	struct store *s, const char *title, const char *alt, const char *run, uint64_t count)
{
	struct store_sight x = sight(title, alt, run, count);

	assert_int_equal(store_add(s, &x), 0);
}

struct tally {
	unsigned int groups;
	uint64_t count, runs;
	enum store_status status;
	char titles[512];
};

static int count_group(void *arg, const struct store_group *g)
{
	struct tally *t = arg;

	t->groups++;
	t->count += g->count;
	t->runs += g->runs;
	t->status = g->status;
	strncat(t->titles, g->title, sizeof(t->titles) - strlen(t->titles) - 2);
	strcat(t->titles, "|");
	return 0;
}

static struct tally tally(struct store *s)
{
	struct tally t = {0};

	assert_int_equal(store_each(s, count_group, &t), 0);
	return t;
}

static int same_sight(void *arg, const struct store_sight *x)
{
	assert_string_equal(x->title, "BUG: Bad page map");
	assert_string_equal(x->alt, "at zap\nin fork");
	assert_string_equal(x->program, "program 1\n");
	assert_string_equal(x->evidence, "seen\n");
	assert_true(x->seed == UINT64_MAX);
	assert_int_equal(x->round, 7);
	assert_int_equal(x->lane, 2);
	(*(unsigned int *)arg)++;
	return 0;
}

static void what_is_filed_can_be_read(void **state)
{
	struct store *s = open_in(dir);
	unsigned int n = 0;
	int64_t id;

	add(s, "BUG: Bad page map", "at zap\nin fork", "run 1", 3);
	assert_int_equal(store_find(s, "Bad page", &id), 0);
	assert_int_equal(store_each_sight(s, id, same_sight, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(store_find(s, "nothing like it", &id), -ENOENT);
	store_close(s);
}

static void one_bug_a_million_times_is_one_row_with_a_count(void **state)
{
	struct store *s = open_in(dir);
	struct tally t;

	for (uint64_t i = 1; i <= 50; i++)
		add(s, "content: lost page", NULL, "run 1", i * 20000);
	t = tally(s);
	assert_int_equal(t.groups, 1);
	assert_int_equal(t.runs, 1);
	assert_int_equal(t.count, 1000000);
	store_close(s);
}

static void one_title_with_different_alternatives_is_two_bugs(void **state)
{
	struct store *s = open_in(dir);
	struct tally t;
	int64_t id;

	add(s, "BUG: Bad page map", "at zap", "run 1", 1);
	add(s, "BUG: Bad page map", "at fork", "run 1", 1);
	t = tally(s);
	assert_int_equal(t.groups, 2);
	assert_int_equal(store_find(s, "Bad page", &id), -EEXIST);
	store_close(s);
}

static void a_fixed_bug_that_comes_back_is_new_again(void **state)
{
	struct store *s = open_in(dir);
	int64_t id;

	add(s, "t", NULL, "run 1", 1);
	assert_int_equal(store_find(s, "t", &id), 0);
	assert_int_equal(store_mark(s, id, STORE_FIXED, "by abc"), 0);
	add(s, "t", NULL, "run 1", 2); /* the same run goes on */
	assert_int_equal(tally(s).status, STORE_FIXED);
	add(s, "t", NULL, "run 2", 1);
	assert_int_equal(tally(s).status, STORE_NEW);
	assert_int_equal(store_mark(s, id + 100, STORE_KNOWN, NULL), -ENOENT);
	store_close(s);
}

static void merging_twice_counts_once(void **state)
{
	struct store *a = open_in(dir), *b = open_in(other);
	struct tally t;

	add(a, "t", NULL, "run 1", 5);
	add(b, "t", NULL, "run 2", 7);
	add(b, "u", "v", "run 2", 1);
	store_close(b);
	assert_int_equal(store_merge(a, other, err), 0);
	assert_int_equal(store_merge(a, other, err), 0);
	t = tally(a);
	assert_int_equal(t.groups, 2);
	assert_int_equal(t.count, 13);
	assert_int_equal(t.runs, 3);
	assert_int_equal(store_merge(a, "/nonexistent", err), -ENOENT);
	assert_non_null(strstr(err, "/nonexistent"));
	store_close(a);
}

static void overwrite(const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void a_damaged_database_is_made_anew_from_the_groups(void **state)
{
	struct store *s = open_in(dir);
	struct tally t;
	glob_t g;
	char pattern[128];

	add(s, "one", NULL, "run 1", 5);
	add(s, "two", "alt", "run 1", 1);
	add(s, "two", "alt", "run 2", 2);
	store_close(s);
	overwrite("findings.db",
		"this is no database, and longer than the magic that one starts with");
	s = open_in(dir);
	t = tally(s);
	assert_int_equal(t.groups, 2);
	assert_int_equal(t.count, 8);
	store_close(s);
	snprintf(pattern, sizeof(pattern), "%s/findings.db.corrupt.1", dir);
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	globfree(&g);
}

/* A transaction of somebody else that does not end. */
static void a_locked_store_loses_nothing(void **state)
{
	struct store *s = open_in(dir);
	struct store_sight x = sight("locked out", NULL, "run 1", 1);
	char path[128];
	sqlite3 *db;
	glob_t g;

	snprintf(path, sizeof(path), "%s/findings.db", dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_add(s, &x), -EBUSY);
	snprintf(path, sizeof(path), "%s/unfiled-*.json", dir);
	assert_int_equal(glob(path, 0, NULL, &g), 0);
	globfree(&g);
	sqlite3_close(db);
	store_close(s);
	s = open_in(dir); /* files it */
	assert_string_equal(tally(s).titles, "locked out|");
	assert_int_equal(glob(path, 0, NULL, &g), GLOB_NOMATCH);
	store_close(s);
}

static void a_store_of_the_future_is_left_alone(void **state)
{
	struct store *s = open_in(dir);
	char path[128];
	sqlite3 *db;

	store_close(s);
	snprintf(path, sizeof(path), "%s/findings.db", dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(dir, &s, err), -ENOTSUP);
	assert_non_null(strstr(err, "newer sunder"));
}

static void what_cannot_be_a_directory_is_told(void **state)
{
	struct store *s;

	assert_true(store_open("/proc/nowhere", &s, err) < 0);
	assert_non_null(strstr(err, "/proc/nowhere"));
}

static void an_unfiled_file_of_garbage_is_left_alone(void **state)
{
	struct store *s = open_in(dir);
	char path[128];

	store_close(s);
	overwrite("unfiled-0.json", "{\"title\": 5");
	s = open_in(dir);
	assert_int_equal(tally(s).groups, 0);
	snprintf(path, sizeof(path), "%s/unfiled-0.json", dir);
	assert_int_equal(access(path, F_OK), 0);
	store_close(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_filed_can_be_read),
		TEST(one_bug_a_million_times_is_one_row_with_a_count),
		TEST(one_title_with_different_alternatives_is_two_bugs),
		TEST(a_fixed_bug_that_comes_back_is_new_again),
		TEST(merging_twice_counts_once),
		TEST(a_damaged_database_is_made_anew_from_the_groups),
		TEST(a_locked_store_loses_nothing),
		TEST(a_store_of_the_future_is_left_alone),
		TEST(what_cannot_be_a_directory_is_told),
		TEST(an_unfiled_file_of_garbage_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
