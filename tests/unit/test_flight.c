/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flight recorder: what ran is on disk before it runs, and what a crash cut short is not believed. */
#include "fake_root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "exec/flight.h"
#include "grant.h"
#include "plan/plan.h"

static const char job[] = "[global]\nepoch = 5\n[slot heap]\nbacking = anon\n[lane a]\ncount = "
			  "2\nops = touch mmap mprotect\ndepth = 3\n";
static const struct flight_about about = {
	.boot_id = "boot", .job = "a.job", .output = "/out", .seed = 7};

struct fixture {
	char dir[64], copy[96];
	struct machine machine;
	struct plan *plan;
	struct crew crew, *crews[1];
	struct flight *flight;
};

static struct fixture *f;

static int setup(void **state)
{
	struct plan_options o = {.seed = 7};
	char err[256];

	f = calloc(1, sizeof(*f));
	strcpy(f->dir, "/tmp/sunder-flight-XXXXXX");
	if (!mkdtemp(f->dir) || machine_probe(&f->machine) < 0)
		return -1;
	snprintf(f->copy, sizeof(f->copy), "%s/copy", f->dir);
	caps_setup(&f->machine, "/tmp");
	if (plan_load_text("a.job", job, strlen(job), &f->machine, &o, &f->plan, err, sizeof(err)) <
		0)
		return -1;
	f->crew.plan = f->plan;
	f->crew.machine = &f->machine;
	f->crew.ctl = mmap(NULL, sizeof(struct crew_ctl), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	f->crews[0] = &f->crew;
	return flight_start(f->dir, "flight-1", &about, f->crews, 1, &f->flight);
}

static int teardown(void **state)
{
	char command[128];
	int r;

	flight_end(f->flight);
	munmap(f->crew.ctl, sizeof(struct crew_ctl));
	plan_free(f->plan);
	machine_free(&f->machine);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	r = system(command);
	free(f);
	return r;
}

static void run_rounds(uint64_t upto)
{
	for (uint64_t round = 0; round < upto; round++) {
		atomic_store(&f->crew.ctl->round, round);
		grant_wait(f->crew.ctl, 7, 0, round);
	}
}

/* What the disk has at this moment, as a crash would leave it. */
static void copy_recording(void)
{
	char command[256];

	snprintf(command, sizeof(command), "cp %s/flight-1 %s", f->dir, f->copy);
	assert_int_equal(system(command), 0);
}

static void the_round_that_runs_is_on_disk(void **state)
{
	struct flight_log l;

	for (uint64_t upto = 1; upto < 200; upto += 37) {
		struct program want, have;
		bool found = false;

		run_rounds(upto);
		copy_recording();
		assert_int_equal(flight_read(f->copy, &l), 0);
		assert_string_equal(l.about.job, "a.job");
		assert_int_equal(l.about.seed, 7);
		assert_string_equal(l.crew[0].around, "# epoch 5\n");
		assert_int_equal(l.ncrews, 1);
		assert_true(l.crew[0].to > upto - 1);
		for (unsigned int i = 0; i < l.crew[0].n; i++) {
			struct flight_round *r = &l.crew[0].last[i];

			plan_draw(f->plan, 0, r->round, &want);
			program_decode(&have, r->bytes, r->len);
			assert_true(program_equal(&want, &have));
			found |= r->round == upto - 1;
		}
		/* Batches grow with the rate; what was granted last is always there. */
		assert_true(found || l.crew[0].to - (upto - 1) > FLIGHT_LAST);
		flight_log_free(&l);
	}
}

static void a_recording_in_progress_is_not_read(void **state)
{
	struct flight_log l;
	char path[96];

	snprintf(path, sizeof(path), "%s/flight-1", f->dir);
	assert_int_equal(flight_read(path, &l), -EBUSY);
}

static void a_torn_record_is_left_out(void **state)
{
	struct flight_log whole, torn;
	off_t at;
	int fd;

	run_rounds(40);
	copy_recording();
	assert_int_equal(flight_read(f->copy, &whole), 0);
	fd = open(f->copy, O_RDWR);
	for (at = 4096 + 64; at < 4096 * 1025; at += 4096)
		assert_int_equal(pwrite(fd, "\xff\xff\xff", 3, at), 3);
	assert_int_equal(flight_read(f->copy, &torn), 0);
	assert_int_equal(torn.crew[0].n, 0);
	assert_true(whole.crew[0].n > 0);
	assert_int_equal(pwrite(fd, "x", 1, 100), 1); /* the head */
	close(fd);
	flight_log_free(&whole);
	flight_log_free(&torn);
	assert_int_equal(flight_read(f->copy, &torn), -EBADMSG);
}

static void garbage_is_no_recording(void **state)
{
	struct flight_log l;

	assert_int_equal(flight_read("/proc/self/status", &l), -EBADMSG);
	assert_int_equal(flight_read("/nonexistent", &l), -ENOENT);
	assert_int_equal(flight_read("/tmp", &l), -EBADMSG);
}

static void crews_go_on_without_a_recorder(void **state)
{
	run_rounds(5);
	flight_lost(f->flight);
	f->crew.ctl->first_round = 0;
	run_rounds(10000);
}

static void marks_are_parsed(void **state)
{
	uint64_t seed, round;
	unsigned int crew;

	assert_true(flight_parse_mark(
		"sunder seed=18446744073709551615 crew=3 round=12\n", &seed, &crew, &round));
	assert_true(seed == UINT64_MAX);
	assert_int_equal(crew, 3);
	assert_int_equal(round, 12);
	assert_false(flight_parse_mark("sunder seed=x", &seed, &crew, &round));
}

static void a_program_that_is_noted_is_on_disk(void **state)
{
	static const unsigned char bytes[] = {0, 0, 0, 1, 2, 3};
	struct flight *own;
	struct flight_log l;
	char path[96], command[256];

	assert_int_equal(flight_open(f->dir, "own", &about, &own), 0);
	snprintf(path, sizeof(path), "%s/own", f->dir);
	for (uint64_t i = 1; i <= 20; i++)
		assert_int_equal(flight_note(own, i, bytes, i % sizeof(bytes)), 0);
	assert_int_equal(flight_read(path, &l), -EBUSY);
	snprintf(command, sizeof(command), "cp %s %s", path, f->copy);
	assert_int_equal(system(command), 0);
	assert_int_equal(flight_read(f->copy, &l), 0);
	assert_int_equal(l.ncrews, 1);
	assert_int_equal(l.crew[0].n, FLIGHT_LAST);
	assert_int_equal(l.crew[0].from, 20);
	assert_int_equal(l.crew[0].last[FLIGHT_LAST - 1].round, 20);
	assert_int_equal(l.crew[0].last[FLIGHT_LAST - 1].len, 20 % sizeof(bytes));
	assert_memory_equal(l.crew[0].last[FLIGHT_LAST - 1].bytes, bytes, 20 % sizeof(bytes));
	flight_log_free(&l);
	flight_end(own);
	assert_int_equal(access(path, F_OK), -1); /* what ended well is no recording */
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_round_that_runs_is_on_disk),
		TEST(a_recording_in_progress_is_not_read),
		TEST(a_torn_record_is_left_out),
		TEST(crews_go_on_without_a_recorder),
		TEST(a_program_that_is_noted_is_on_disk),
		cmocka_unit_test(garbage_is_no_recording),
		cmocka_unit_test(marks_are_parsed),
	};

	clock_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
