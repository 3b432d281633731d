/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of sunderd needs no event loop: configuration, windows, whose turn it is, state, messages. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "daemon/config.h"
#include "daemon/message.h"
#include "daemon/schedule.h"
#include "daemon/state.h"
#include "daemon/window.h"

/* ---- configuration ---- */

static struct config config;

static int parse(const char *text, char err[CONFIG_ERR_MAX])
{
	err[0] = '\0';
	return config_parse("d.conf", text, strlen(text), &config, err);
}

static void a_configuration_is_read_with_its_defaults(void **state)
{
	char err[CONFIG_ERR_MAX];

	assert_int_equal(
		0, parse("\xef\xbb\xbf; comment\n[daemon]\nseed = 18446744073709551615\nlisten = "
			 "[::1]:80 ; "
			 "inline\nmemory=4G\ncpu = 250%\ncpus=0-3,8\non_oops = reboot\n"
			 "[campaign night]\njob = overnight.job\nweight = 2.5\nslice = 30m\n"
			 "window = mon-fri 20:00-06:00, sat, sun\nallow = disruptive,destructive\n"
			 "[campaign afl] # second\ntype = fuzz\noptions = --vm debian:6.12\n",
			   err));
	assert_true(config.seed == UINT64_MAX);
	assert_string_equal(config.listen_host, "::1");
	assert_int_equal(config.listen_port, 80);
	assert_true(config.memory == 4ULL << 30);
	assert_int_equal(config.cpu_percent, 250);
	assert_int_equal(config.on_oops, OOPS_REBOOT);
	assert_string_equal(config.work, "/var/lib/sunder/daemon");
	assert_int_equal(config.ncampaigns, 2);
	assert_string_equal(config.campaign[0].job, "/usr/share/sunder/workloads/overnight.job");
	assert_true(config.campaign[0].weight == 2.5);
	assert_int_equal(config.campaign[0].slice_s, 1800);
	assert_int_equal(config.campaign[0].window.n, 3);
	assert_int_equal(config.campaign[1].type, CAMPAIGN_FUZZ);
	assert_int_equal(config.campaign[1].slice_s, 600);
	assert_int_equal(1, config_find(&config, "afl"));
	assert_int_equal(-1, config_find(&config, "none"));
}

static void a_wrong_configuration_is_told_with_its_place(void **state)
{
	static const struct {
		const char *text, *want;
	} wrong[] = {
		{"", "d.conf:1: there is no [campaign NAME]"},
		{"[daemon]\n\n", "there is no [campaign NAME]"},
		{"x = y\n", "d.conf:1: \"x\" stands before the first section"},
		{"[deamon]\n", "d.conf:1: there is no section [deamon]; did you mean \"daemon\"?"},
		{"[daemon]\nsliec = 3s\n",
			"d.conf:2: [daemon] has no key \"sliec\"; did you mean \"slice\"?"},
		{"[daemon]\nslice = 3s\nslice = 4s\n", "d.conf:3: slice is given twice"},
		{"[daemon]\nslice = soon\n", "d.conf:2: slice is not a time from 1s to 1d: soon"},
		{"[daemon]\nslice = 2d\n", "d.conf:2: slice is not a time"},
		{"[daemon]\nseed = 0\n", "d.conf:2: seed is not a number"},
		{"[daemon]\ncpu = 50\n", "d.conf:2: cpu is not such as 50%"},
		{"[daemon]\ncpus = 3-\n", "d.conf:2: cpus is not a list"},
		{"[daemon]\nlisten = example.org:80\n",
			"d.conf:2: listen: not an address in numbers"},
		{"[daemon]\nlisten = 70000\n", "d.conf:2: listen: not a port"},
		{"[daemon]\nstate = here\n", "d.conf:2: state is not an absolute path"},
		{"[daemon]\non_oops = rebot\n", "did you mean \"reboot\"?"},
		{"[daemon]\nnonsense\n", "d.conf:2: neither \"key = value\" nor [section]"},
		{"[daemon]\nnonsense\n[campaign a]\njob=x\n", "d.conf:2: neither"},
		{"[campaign]\n", "d.conf:1: a campaign's name is"},
		{"[campaign a/b]\n", "d.conf:1: a campaign's name is"},
		{"[campaign a\n", "d.conf:1: a section is"},
		{"[campaign a] b\n", "d.conf:1: a section is"},
		{"[campaign a]\n", "d.conf:1: [campaign a] has no job"},
		{"[campaign a]\njob = x\n[campaign a]\n",
			"d.conf:3: a second [campaign a]; the first is at line 1"},
		{"[campaign a]\njob = sub/x\n",
			"d.conf:1: [campaign a]: job is an absolute path, or a name in"},
		{"[campaign a]\njob = x\nweight = -1\n", "d.conf:3: weight is not a number"},
		{"[campaign a]\njob = x\nweight = nan\n", "d.conf:3: weight is not a number"},
		{"[campaign a]\njob = x\nallow = all\n", "d.conf:3: allow knows safe, root"},
		{"[campaign a]\njob = x\nwindow = fri 25:00-26:00\n",
			"d.conf:3: window: times are HH:MM-HH:MM"},
		{"[campaign a]\njob = x\nwindow = someday\n", "d.conf:3: window: days are"},
		{"[campaign a]\njob = x\001\n", "d.conf:2: "},
		{"[campaign a]\njob = \xff\n", "d.conf:2: "},
	};
	char err[CONFIG_ERR_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_true(parse(wrong[i].text, err) < 0);
		if (!strstr(err, wrong[i].want))
			fail_msg("\"%s\" is told as \"%s\", not \"%s\"", wrong[i].text, err,
				wrong[i].want);
	}
}

static void a_wrong_configuration_leaves_the_old_one_alone(void **state)
{
	char err[CONFIG_ERR_MAX];

	assert_int_equal(0, parse("[campaign a]\njob = x\n", err));
	assert_true(parse("[campaign b]\njob = y\nslice = never\n", err) < 0);
	assert_string_equal(config.campaign[0].name, "a");
}

static void a_job_on_demand_is_a_name_in_the_jobs_directory(void **state)
{
	char err[CONFIG_ERR_MAX], path[CONFIG_PATH_MAX];

	assert_int_equal(0, parse("[daemon]\njobs = /jobs\n[campaign a]\njob = x\n", err));
	assert_true(config_job_path(&config, "quick.job", path, sizeof(path)));
	assert_string_equal(path, "/jobs/quick.job");
	assert_false(config_job_path(&config, "../etc/shadow", path, sizeof(path)));
	assert_false(config_job_path(&config, "/etc/shadow", path, sizeof(path)));
	assert_false(config_job_path(&config, ".hidden", path, sizeof(path)));
	assert_false(config_job_path(&config, "", path, sizeof(path)));
}

/* ---- windows: 2026-11-25 is a Wednesday; the clock is UTC ---- */

enum { WED = 1795564800 /* 2026-11-25T00:00:00Z */, HOUR = 3600, DAY = 24 * HOUR };

static struct window window_of(const char *text)
{
	struct window w;
	const char *why;

	assert_int_equal(0, window_parse(text, &w, &why));
	return w;
}

static void a_window_is_open_from_its_first_minute_to_its_last(void **state)
{
	struct window w = window_of("wed 20:00-22:00");

	assert_false(window_is_open(&w, WED + 20 * HOUR - 1));
	assert_true(window_is_open(&w, WED + 20 * HOUR));
	assert_true(window_is_open(&w, WED + 22 * HOUR - 1));
	assert_false(window_is_open(&w, WED + 22 * HOUR));
	assert_false(window_is_open(&w, WED + DAY + 21 * HOUR));
}

static void a_window_may_end_on_the_next_day(void **state)
{
	struct window w = window_of("mon-fri 20:00-06:00, sun");

	assert_true(window_is_open(&w, WED + 3 * HOUR)); /* Tuesday's */
	assert_false(window_is_open(&w, WED + 12 * HOUR));
	assert_true(window_is_open(&w, WED + 2 * DAY + 23 * HOUR)); /* Friday */
	assert_true(window_is_open(&w, WED + 3 * DAY + 5 * HOUR)); /* Friday's, on Saturday */
	assert_false(window_is_open(&w, WED + 3 * DAY + 7 * HOUR));
	assert_true(window_is_open(&w, WED + 4 * DAY)); /* Sunday */
	assert_false(window_is_open(&w, WED + 5 * DAY + 5 * HOUR)); /* Monday's begins at 20:00 */
}

static void days_may_go_over_the_end_of_the_week(void **state)
{
	struct window w = window_of("sat-mon");

	assert_false(window_is_open(&w, WED));
	assert_true(window_is_open(&w, WED + 3 * DAY));
	assert_true(window_is_open(&w, WED + 5 * DAY));
	assert_false(window_is_open(&w, WED + 6 * DAY));
}

static void the_next_change_of_a_window_is_found(void **state)
{
	struct window w = window_of("wed 20:00-06:00"), always = {0}, whole = window_of("daily");

	assert_int_equal(WED + 20 * HOUR, window_next_change(&w, WED + 12 * HOUR + 7));
	assert_int_equal(WED + DAY + 6 * HOUR, window_next_change(&w, WED + 23 * HOUR));
	assert_int_equal(WED + 7 * DAY + 20 * HOUR, window_next_change(&w, WED + DAY + 6 * HOUR));
	assert_int_equal(0, window_next_change(&always, WED));
	assert_int_equal(0, window_next_change(&whole, WED));
}

/* ---- whose turn it is, by a clock of the test's ---- */

static void time_is_shared_by_weight(void **state)
{
	struct share s[3] = {{1, 1, 0, true}, {2, 1, 0, true}, {5, 1, 0, true}};
	double had[3] = {0};

	for (int i = 0; i < 800; i++) {
		int k = schedule_pick(s, 3);

		assert_true(k >= 0);
		had[k] += 10;
		schedule_charge(&s[k], 10, 0, true);
	}
	assert_true(had[0] >= 990 && had[0] <= 1010);
	assert_true(had[1] >= 1990 && had[1] <= 2010);
	assert_true(had[2] >= 4990 && had[2] <= 5010);
}

static void none_is_picked_when_none_is_ready(void **state)
{
	struct share s[2] = {{1, 1, 0, false}, {1, 1, 0, false}};

	assert_int_equal(-1, schedule_pick(s, 2));
	assert_int_equal(-1, schedule_pick(s, 0));
}

static void one_whose_window_opens_is_owed_nothing(void **state)
{
	struct share s[2] = {{1, 1, 0, true}, {1, 1, 0, false}};
	int had = 0;

	schedule_charge(&s[0], 10000, 0, true);
	schedule_set_ready(s, 2, 1, true);
	for (int i = 0; i < 10; i++) {
		int k = schedule_pick(s, 2);

		had += k == 1;
		schedule_charge(&s[k], 10, 0, true);
	}
	assert_int_equal(5, had);
}

static void what_finds_gets_more_for_a_while(void **state)
{
	struct share s = {1, 1, 0, true};

	schedule_charge(&s, 0, 1, true);
	assert_true(s.boost == 2);
	for (int i = 0; i < 5; i++)
		schedule_charge(&s, 0, 3, true);
	assert_true(s.boost == SCHEDULE_BOOST_MAX);
	schedule_charge(&s, 40, 0, true);
	assert_true(s.pass == 10 && s.boost == 2.5);
	for (int i = 0; i < 60; i++)
		schedule_charge(&s, 0, 0, true);
	assert_true(s.boost < 1.0001);
	schedule_charge(&s, 0, 1, false);
	assert_true(s.boost == 1);
}

/* ---- state ---- */

static char dir[64], file[96];

static int make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/sunder-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof(file), "%s/state.json", dir);
	return 0;
}

static int remove_dir(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static struct state *some_state(void)
{
	struct state *s = calloc(1, sizeof(*s));
	struct state_campaign *c;

	assert_non_null(s);
	s->seed = UINT64_MAX;
	s->number = 12;
	s->paused = true;
	s->totals.ops = 1234567890123;
	s->slice = (struct state_slice){.active = true,
		.campaign = "a",
		.job = "/jobs/a.job",
		.dir = "/work/runs/000012-a",
		.boot_id = "b",
		.kernel = "6.12",
		.seed = UINT64_MAX - 1,
		.number = 12,
		.pid = 77,
		.pid_start = 88};
	c = state_campaign(s, "a");
	c->pass = 1.5;
	c->boost = 2;
	c->cycle = 9;
	return s;
}

static void state_comes_back_as_it_was_saved(void **state)
{
	struct state *s = some_state(), *t = calloc(1, sizeof(*t));
	char err[STATE_ERR_MAX];

	assert_non_null(t);
	state_died(s, &s->slice, "/jobs/a.job", 1000);
	assert_int_equal(0, state_save(file, s));
	assert_int_equal(0, state_load(file, t, err));
	assert_memory_equal(s, t, sizeof(*s));
	free(s);
	free(t);
}

static void no_state_is_a_new_one(void **state)
{
	struct state *t = calloc(1, sizeof(*t));
	char err[STATE_ERR_MAX];

	assert_non_null(t);
	assert_int_equal(0, state_load(file, t, err));
	assert_int_equal(0, t->number);
	assert_false(t->slice.active);
	free(t);
}

/* At each length that a crash could leave, and with a byte changed. */
static void damaged_state_is_kept_aside(void **state)
{
	struct state *s = some_state(), *t = calloc(1, sizeof(*t));
	char err[STATE_ERR_MAX], kept[128];
	FILE *f;

	assert_non_null(t);
	assert_int_equal(0, state_save(file, s));
	assert_int_equal(0, truncate(file, 100));
	assert_int_equal(-EBADMSG, state_load(file, t, err));
	assert_int_equal(0, t->number);
	snprintf(kept, sizeof(kept), "%s.corrupt", file);
	assert_int_equal(0, access(kept, R_OK));
	assert_int_not_equal(0, access(file, R_OK));
	f = fopen(file, "w");
	assert_non_null(f);
	fputs("{\"version\": 2}", f);
	fclose(f);
	assert_int_equal(-EBADMSG, state_load(file, t, err));
	free(s);
	free(t);
}

static void numbers_of_a_made_up_state_are_within_bounds(void **state)
{
	static const char text[] =
		"{\"version\":1,\"campaigns\":[{\"name\":\"x\",\"pass\":-1,\"boost\":1e308,"
		"\"cycle\":-5},{\"name\":7},3],\"died_under\":[{},[]],\"slice\":{\"pid\":-1},"
		"\"totals\":[],\"seed\":5}";
	struct state *t = calloc(1, sizeof(*t));
	char err[STATE_ERR_MAX];

	assert_non_null(t);
	assert_int_equal(0, state_parse(text, sizeof(text) - 1, t, err));
	assert_int_equal(1, t->ncampaigns);
	assert_true(t->campaign[0].pass == 0);
	assert_int_equal(0, t->campaign[0].cycle);
	assert_int_equal(0, t->slice.pid);
	assert_true(t->slice.active);
	free(t);
}

static void a_job_that_kills_the_machine_twice_is_counted_by_kernel(void **state)
{
	struct state *s = some_state();

	state_died(s, &s->slice, "/jobs/a.job", 1000);
	assert_int_equal(1, state_deaths(s, "a", "/jobs/a.job", "6.12"));
	state_died(s, &s->slice, "/jobs/a.job", 2000);
	assert_int_equal(2, state_deaths(s, "a", "/jobs/a.job", "6.12"));
	assert_int_equal(0, state_deaths(s, "a", "/jobs/a.job", "6.18"));
	assert_int_equal(0, state_deaths(s, "b", "/jobs/a.job", "6.12"));
	assert_int_equal(2, s->deaths);
	assert_int_equal(1, state_pardon(s, "a"));
	assert_int_equal(0, state_deaths(s, "a", "/jobs/a.job", "6.12"));
	free(s);
}

static void more_deaths_than_are_kept_drop_the_oldest(void **state)
{
	struct state *s = some_state();
	char job[32];

	for (int i = 0; i < STATE_MAX_DEATHS + 3; i++) {
		snprintf(job, sizeof(job), "job-%d", i);
		state_died(s, &s->slice, job, i);
	}
	assert_int_equal(STATE_MAX_DEATHS, s->ndeaths);
	assert_int_equal(0, state_deaths(s, "a", "job-2", "6.12"));
	assert_int_equal(1, state_deaths(s, "a", "job-3", "6.12"));
	free(s);
}

static void seeds_are_drawn_by_campaign_and_cycle(void **state)
{
	uint64_t first = state_draw_seed(7, "a", 0);

	assert_true(first != 0);
	assert_true(first == state_draw_seed(7, "a", 0));
	assert_true(first != state_draw_seed(7, "a", 1));
	assert_true(first != state_draw_seed(7, "b", 0));
	assert_true(first != state_draw_seed(8, "a", 0));
}

/* ---- messages ---- */

static int parse_message(const char *text, struct message *m, char err[MESSAGE_ERR_MAX])
{
	err[0] = '\0';
	return message_parse(text, strlen(text), m, err);
}

static void a_message_is_parsed_as_it_was_formatted(void **state)
{
	struct message m = {.what = MESSAGE_START, .name = "a \"job\"", .now = true, .lines = 5}, n;
	char err[MESSAGE_ERR_MAX];
	char *line = message_format(&m);

	assert_non_null(line);
	assert_int_equal('\n', line[strlen(line) - 1]);
	line[strlen(line) - 1] = '\0';
	assert_int_equal(0, parse_message(line, &n, err));
	assert_memory_equal(&m, &n, sizeof(m));
	free(line);
}

static void wrong_messages_are_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text, *want;
	} wrong[] = {
		{"", "not a JSON object"},
		{"[]", "not a JSON object"},
		{"{\"v\":1,\"v\":1}", "not a JSON object"},
		{"{\"do\":\"status\"}", "\"v\" is missing"},
		{"{\"v\":2,\"do\":\"status\"}", "speaks version 1 only"},
		{"{\"v\":1}", "\"do\" is missing"},
		{"{\"v\":1,\"do\":\"statsu\"}", "did you mean \"status\"?"},
		{"{\"v\":1,\"do\":\"start\"}", "\"name\" is missing"},
		{"{\"v\":1,\"do\":\"tail\",\"lines\":257}", "\"lines\" is not a number"},
		{"{\"v\":1,\"do\":\"tail\",\"lines\":\"all\"}", "\"lines\" is not a number"},
	};
	char err[MESSAGE_ERR_MAX];
	struct message m;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(-EINVAL, parse_message(wrong[i].text, &m, err));
		if (!strstr(err, wrong[i].want))
			fail_msg("\"%s\" is told as \"%s\"", wrong[i].text, err);
	}
}

static void a_message_that_is_too_long_is_refused(void **state)
{
	static char text[MESSAGE_MAX + 2];
	char err[MESSAGE_ERR_MAX];
	struct message m;

	memset(text, ' ', sizeof(text) - 1);
	assert_int_equal(-EINVAL, parse_message(text, &m, err));
	assert_non_null(strstr(err, "longer"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configuration_is_read_with_its_defaults),
		cmocka_unit_test(a_wrong_configuration_is_told_with_its_place),
		cmocka_unit_test(a_wrong_configuration_leaves_the_old_one_alone),
		cmocka_unit_test(a_job_on_demand_is_a_name_in_the_jobs_directory),
		cmocka_unit_test(a_window_is_open_from_its_first_minute_to_its_last),
		cmocka_unit_test(a_window_may_end_on_the_next_day),
		cmocka_unit_test(days_may_go_over_the_end_of_the_week),
		cmocka_unit_test(the_next_change_of_a_window_is_found),
		cmocka_unit_test(time_is_shared_by_weight),
		cmocka_unit_test(none_is_picked_when_none_is_ready),
		cmocka_unit_test(one_whose_window_opens_is_owed_nothing),
		cmocka_unit_test(what_finds_gets_more_for_a_while),
		cmocka_unit_test_setup_teardown(
			state_comes_back_as_it_was_saved, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(no_state_is_a_new_one, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(damaged_state_is_kept_aside, make_dir, remove_dir),
		cmocka_unit_test(numbers_of_a_made_up_state_are_within_bounds),
		cmocka_unit_test(a_job_that_kills_the_machine_twice_is_counted_by_kernel),
		cmocka_unit_test(more_deaths_than_are_kept_drop_the_oldest),
		cmocka_unit_test(seeds_are_drawn_by_campaign_and_cycle),
		cmocka_unit_test(a_message_is_parsed_as_it_was_formatted),
		cmocka_unit_test(wrong_messages_are_refused_with_a_reason),
		cmocka_unit_test(a_message_that_is_too_long_is_refused),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
