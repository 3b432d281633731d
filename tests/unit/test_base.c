/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_root.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pace.h"
#include "base/rng.h"

#include <errno.h>
#include <sys/stat.h>

static int setup(void **state)
{
	fake_root_make();
	return 0;
}

static int teardown(void **state)
{
	fake_root_remove();
	return 0;
}

static void the_same_seed_gives_the_same_numbers(void **state)
{
	struct rng a, b, other;
	int same = 0;

	rng_init(&a, 42, 1, 2, 3);
	rng_init(&b, 42, 1, 2, 3);
	rng_init(&other, 42, 1, 2, 4);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = rng_next(&a);

		assert_int_equal(v, rng_next(&b));
		same += v == rng_next(&other);
	}
	assert_int_equal(same, 0);
}

static void streams_differ_in_each_of_their_numbers(void **state)
{
	uint64_t first[5];
	struct rng r;

	rng_init(&r, 42, 0, 0, 0), first[0] = rng_next(&r);
	rng_init(&r, 43, 0, 0, 0), first[1] = rng_next(&r);
	rng_init(&r, 42, 1, 0, 0), first[2] = rng_next(&r);
	rng_init(&r, 42, 0, 1, 0), first[3] = rng_next(&r);
	rng_init(&r, 42, 0, 0, 1), first[4] = rng_next(&r);
	for (int i = 0; i < 5; i++)
		for (int j = 0; j < i; j++)
			assert_int_not_equal(first[i], first[j]);
}

static void below_stays_below_and_reaches_all(void **state)
{
	unsigned int seen[7] = {0};
	struct rng r;

	rng_init(&r, 1, 0, 0, 0);
	assert_int_equal(rng_below(&r, 0), 0);
	assert_int_equal(rng_below(&r, 1), 0);
	for (int i = 0; i < 7000; i++) {
		uint64_t v = rng_below(&r, 7);

		assert_true(v < 7);
		seen[v]++;
	}
	for (int i = 0; i < 7; i++)
		assert_in_range(seen[i], 800, 1200);
}

static void log_random_stays_in_range_and_reaches_both_ends(void **state)
{
	bool zero = false, high = false;
	struct rng r;

	rng_init(&r, 1, 0, 0, 0);
	assert_int_equal(rng_log(&r, 0), 0);
	for (int i = 0; i < 10000; i++) {
		uint64_t v = rng_log(&r, 1000);

		assert_true(v <= 1000);
		zero |= v == 0;
		high |= v > 512;
		(void)rng_log(&r, UINT64_MAX);
	}
	assert_true(zero && high);
}

static void a_fresh_seed_is_never_zero_and_not_the_last_one(void **state)
{
	uint64_t a = rng_fresh_seed(), b = rng_fresh_seed();

	assert_true(a != 0 && b != 0 && a != b);
}

static void a_path_is_read_under_the_root(void **state)
{
	char buf[64];

	fake_file("/proc/x", "  hello \n\n");
	assert_int_equal(path_read("/proc/x", buf, sizeof(buf)), 7);
	assert_string_equal(buf, "  hello");
	assert_true(path_exists("/proc/x"));
	assert_false(path_exists("/proc/meminfo"));
	assert_int_equal(path_read("/proc/none", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(path_real("/abc", buf, 4), -ENAMETOOLONG);
}

static void longer_content_is_cut(void **state)
{
	char buf[4];

	fake_file("/long", "abcdef");
	assert_int_equal(path_read("/long", buf, sizeof(buf)), 3);
	assert_string_equal(buf, "abc");
}

static void numbers_are_read_strictly(void **state)
{
	unsigned long long v = 77;

	fake_file("/n", "4096\n");
	assert_int_equal(path_read_u64("/n", &v), 0);
	assert_int_equal(v, 4096);
	fake_file("/n", "0x20\n");
	assert_int_equal(path_read_u64("/n", &v), 0);
	assert_int_equal(v, 32);
	static const char *const bad[] = {"", "max", "-1", "12k", "1 2", "99999999999999999999"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fake_file("/n", bad[i]);
		assert_int_equal(path_read_u64("/n", &v), -EINVAL);
		assert_int_equal(v, 32);
	}
}

static void the_chosen_word_is_found(void **state)
{
	char word[16];

	fake_file("/c", "always [madvise] never\n");
	assert_int_equal(path_read_choice("/c", word, sizeof(word)), 0);
	assert_string_equal(word, "madvise");
	assert_int_equal(path_read_choice("/c", word, 3), -ENAMETOOLONG);
	fake_file("/c", "12\n");
	assert_int_equal(path_read_choice("/c", word, sizeof(word)), -EINVAL);
}

static void a_write_does_not_create(void **state)
{
	assert_int_equal(path_write("/none", "1"), -ENOENT);
	assert_false(path_exists("/none"));
	fake_file("/knob", "0");
	assert_int_equal(path_write("/knob", "1"), 0);
	assert_fake("/knob", "1");
}

static void directories_are_made_with_their_parents(void **state)
{
	char dir[128];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/a/b/c", fake_root);
	assert_int_equal(path_make_dirs(dir), 0);
	assert_int_equal(path_make_dirs(dir), 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(path_make_dirs(""), -ENOENT);
	fake_file("/a/file", "x");
	snprintf(dir, sizeof(dir), "%s/a/file/below", fake_root);
	assert_int_equal(path_make_dirs(dir), -ENOTDIR);
}

static void a_published_file_replaces_the_old_one_whole(void **state)
{
	char name[128];

	snprintf(name, sizeof(name), "%s/out", fake_root);
	assert_int_equal(path_publish(name, "a longer first text", 19), 0);
	assert_fake("/out", "a longer first text");
	assert_int_equal(path_publish(name, "two", 3), 0);
	assert_fake("/out", "two");
	assert_false(path_exists("/out.tmp"));
}

static void a_message_is_one_line_below_its_level(void **state)
{
	char text[8192];
	int saved = dup(STDERR_FILENO), fds[2];
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	log_set_level(LOG_WARN);
	errno = 1234;
	log_note("dropped");
	log_warn("kept %d", 1);
	log_warn("%05000d", 1);
	dup2(saved, STDERR_FILENO);
	assert_int_equal(errno, 1234);
	log_set_level(LOG_NOTE);
	n = read(fds[0], text, sizeof(text) - 1);
	assert_true(n > 0 && n < 4096);
	text[n] = '\0';
	assert_memory_equal(text, "sunder: kept 1\nsunder: 0000", 27);
	assert_int_equal(text[n - 1], '\n');
	close(saved);
	close(fds[0]);
	close(fds[1]);
}

/* The time base between two readings of the kernel's clock: a stall widens the bracket, no more. */
struct reading {
	uint64_t before, ticks, after;
};

static struct reading read_clocks(void)
{
	struct reading r;

	r.before = clock_raw_ns();
	r.ticks = clock_ticks();
	r.after = clock_raw_ns();
	return r;
}

static void the_clock_runs_forward_at_the_rate_of_the_kernels(void **state)
{
	struct reading first, now;
	uint64_t ns, last;

	path_set_root("");
	clock_setup();
	path_set_root(fake_root);
	first = read_clocks();
	last = first.ticks;
	do {
		now = read_clocks();
		assert_true(now.ticks >= last);
		last = now.ticks;
	} while (now.before - first.after < 20000000);
	ns = clock_to_ns(now.ticks - first.ticks);
	assert_true(ns > (now.before - first.after) / 100 * 99);
	assert_true(ns < (now.after - first.before) / 100 * 101);
	assert_in_range(clock_to_ns(clock_from_ns(1000000)), 999000, 1001000);
	assert_non_null(clock_source());
}

static void a_machine_without_a_stable_counter_gets_the_kernels_clock(void **state)
{
#if defined(__x86_64__)
	fake_file("/sys/devices/system/clocksource/clocksource0/available_clocksource", "hpet \n");
	clock_setup();
	assert_string_equal(clock_source(), "clock_gettime");
	assert_int_equal(clock_to_ns(5), 5);
#else
	skip();
#endif
}

static void limits_grow_on_a_machine_that_is_much_slower_than_at_its_best(void **state)
{
	(void)state;
	assert_true(pace_stretch() == 1); /* not measured */
	pace_setup();
	assert_true(pace_stretch() >= 1 && pace_stretch() <= PACE_MOST);
	assert_true(pace_stretch_of(100, 10, 500) == 1);
	assert_true(pace_stretch_of(100, 10, 1000) == 1);
	assert_true(pace_stretch_of(100, 10, 1000 * PACE_ROOM) == 1);
	assert_true(pace_stretch_of(100, 10, 3000 * PACE_ROOM) == 3);
	assert_true(pace_stretch_of(100, 10, 1000000) == PACE_MOST);
	assert_true(pace_stretch_of(0, 10, 1000) == 1);
	assert_true(pace_stretch_of(100, 0, 0) == 1);
}

#define BASE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_numbers),
		cmocka_unit_test(streams_differ_in_each_of_their_numbers),
		cmocka_unit_test(below_stays_below_and_reaches_all),
		cmocka_unit_test(log_random_stays_in_range_and_reaches_both_ends),
		cmocka_unit_test(a_fresh_seed_is_never_zero_and_not_the_last_one),
		BASE_TEST(a_path_is_read_under_the_root),
		BASE_TEST(longer_content_is_cut),
		BASE_TEST(numbers_are_read_strictly),
		BASE_TEST(the_chosen_word_is_found),
		BASE_TEST(a_write_does_not_create),
		BASE_TEST(directories_are_made_with_their_parents),
		BASE_TEST(a_published_file_replaces_the_old_one_whole),
		BASE_TEST(a_message_is_one_line_below_its_level),
		cmocka_unit_test(limits_grow_on_a_machine_that_is_much_slower_than_at_its_best),
		BASE_TEST(the_clock_runs_forward_at_the_rate_of_the_kernels),
		BASE_TEST(a_machine_without_a_stable_counter_gets_the_kernels_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
