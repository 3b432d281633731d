/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run tells people and scripts, from a run that never was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "sink.h"

enum { LANES = 2, TEXT_MAX = 1 << 20 };

static const char job[] = "[global]\ntimeout = 1s\ncrews = 1\n"
			  "[slot heap]\nbacking = anon\nhuge = never\nsize = 2pmd\n"
			  "[lane use]\ncount = 2\nops = touch hammer mmap\ndepth = 4\n";

struct fixture {
	struct machine machine;
	struct plan *plan;
	struct crew crew, *crews[1];
	struct run_result r;
	char top[64];
};

static int set_up(void **state)
{
	struct plan_options o = {.seed = 42};
	struct fixture *f = calloc(1, sizeof(*f));
	char err[256];

	clock_setup();
	assert_int_equal(machine_probe(&f->machine), 0);
	caps_setup(&f->machine, NULL);
	assert_int_equal(plan_load_text("t.job", job, strlen(job), &f->machine, &o, &f->plan, err,
				 sizeof(err)),
		0);
	f->crew.ctl = calloc(1, sizeof(*f->crew.ctl));
	f->crew.ctl->nlanes = LANES;
	f->crew.plan = f->plan;
	f->crews[0] = &f->crew;
	snprintf(f->top, sizeof(f->top), "/tmp/sunder-report-XXXXXX");
	assert_non_null(mkdtemp(f->top));
	f->r = (struct run_result){.plan = f->plan,
		.machine = &f->machine,
		.crew = f->crews,
		.ncrews = 1,
		.elapsed_s = 2,
		.finished = true};
	snprintf(f->r.output, sizeof(f->r.output), "%s", f->top);
	snprintf(f->r.started, sizeof(f->r.started), "2026-01-02T03:04:05Z");
	for (int i = 0; i < ORACLE_COUNT; i++)
		f->r.oracle[i].enabled = true;
	f->crew.ctl->rounds_done = 1;
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < f->r.ngroups; i++)
		finding_clear(&f->r.group[i].first);
	free(f->r.group);
	nftw(f->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(f->crew.ctl);
	plan_free(f->plan);
	machine_free(&f->machine);
	free(f);
	return 0;
}

static struct finding make_finding(enum oracle o, const char *title)
{
	struct finding f = {.oracle = o,
		.text = strdup("what was seen\n"),
		.has_program = true,
		.lane = 1,
		.round = 7};

	snprintf(f.title, sizeof(f.title), "%s", title);
	return f;
}

static char *read_file(const char *dir, const char *name)
{
	char path[512], *text = calloc(1, TEXT_MAX);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fread(text, 1, TEXT_MAX - 1, f) > 0);
	fclose(f);
	return text;
}

static void assert_in_file(const char *dir, const char *name, const char *what)
{
	char *text = read_file(dir, name);

	if (!strstr(text, what))
		fail_msg("%s/%s does not say: %s\n%s", dir, name, what, text);
	free(text);
}

/* Points stderr at a file of the fixture; returns what restores it. */
static int take_stderr(const struct fixture *f)
{
	char path[128];
	int old = dup(STDERR_FILENO), fd;

	snprintf(path, sizeof(path), "%s/stderr", f->top);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && old >= 0);
	dup2(fd, STDERR_FILENO);
	close(fd);
	return old;
}

static void give_back_stderr(int old)
{
	fflush(stderr);
	dup2(old, STDERR_FILENO);
	close(old);
}

static struct finding_group *file(struct fixture *f, struct finding finding, double at)
{
	int old = take_stderr(f);
	struct finding_group *g = report_finding(&f->r, &finding, at);

	give_back_stderr(old);
	return g;
}

static char *summary_text(
	const struct run_result *r, void (*sink)(const struct run_result *r, FILE *out))
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	sink(r, f);
	fclose(f);
	return text;
}

/* ---- verdicts ---- */

static void the_worse_exit_wins_in_the_order_5_1_2_3_4_0(void **state)
{
	static const enum run_exit order[] = {
		EXIT_LOST, EXIT_FINDING, EXIT_USAGE, EXIT_RESOURCES, EXIT_NOTHING, EXIT_CLEAN};

	for (size_t i = 0; i < 6; i++) {
		for (size_t k = 0; k < 6; k++) {
			assert_int_equal(exit_worse(order[i], order[k]), order[i < k ? i : k]);
			assert_int_equal(exit_worse(order[k], order[i]), order[i < k ? i : k]);
		}
	}
}

static void formats_are_found_by_name(void **state)
{
	assert_int_equal(report_format_find("text"), REPORT_TEXT);
	assert_int_equal(report_format_find("json"), REPORT_JSON);
	assert_int_equal(report_format_find("ktap"), REPORT_KTAP);
	assert_int_equal(report_format_find("xml"), -EINVAL);
	assert_int_equal(report_format_find(""), -EINVAL);
}

static void a_run_that_has_not_ended_says_failed_and_no_oracle_says_ok(void **state)
{
	struct fixture *f = *state;
	char verdict[VERDICT_MAX];
	json_t *doc;

	f->r.finished = false;
	doc = json_summary(&f->r);
	assert_string_equal(json_string_value(json_object_get(doc, "status")), "FAILED");
	assert_true(json_is_null(json_object_get(doc, "exit")));
	for (int o = 0; o < ORACLE_COUNT; o++)
		assert_string_equal(oracle_verdict(&f->r, (enum oracle)o, verdict),
			"skipped: the run has not ended");
	json_decref(doc);
}

static void an_oracle_that_saw_no_round_is_not_ok(void **state)
{
	struct fixture *f = *state;
	char verdict[VERDICT_MAX];

	assert_string_equal(oracle_verdict(&f->r, ORACLE_CONTENT, verdict), "ok");
	f->crew.ctl->rounds_done = 0;
	assert_string_equal(
		oracle_verdict(&f->r, ORACLE_CONTENT, verdict), "skipped: no round was run");
	assert_string_equal(oracle_verdict(&f->r, ORACLE_KLOG, verdict), "ok");
}

static void a_skip_does_not_hide_a_finding(void **state)
{
	struct fixture *f = *state;
	char verdict[VERDICT_MAX];

	f->r.oracle[ORACLE_KLOG] = (struct oracle_state){.skipped = "no log"};
	assert_string_equal(oracle_verdict(&f->r, ORACLE_KLOG, verdict), "skipped: no log");
	f->r.oracle[ORACLE_KLOG].findings = 1;
	assert_string_equal(oracle_verdict(&f->r, ORACLE_KLOG, verdict), "finding");
}

/* ---- sums ---- */

static void errors_of_an_op_are_summed_over_lanes(void **state)
{
	struct fixture *f = *state;
	unsigned int touch = (unsigned int)op_find("touch");
	struct op_totals t;
	json_t *doc, *op;

	for (int l = 0; l < LANES; l++) {
		struct op_stat *s = &f->crew.ctl->lane[l].stat[touch];

		s->ok = 10;
		s->failed = 4;
		s->err[0] = l ? EAGAIN : ENOMEM;
		s->count[0] = 1;
		s->err[1] = l ? ENOMEM : EAGAIN;
		s->count[1] = 2;
	}
	t = op_totals(&f->r, touch);
	assert_int_equal(t.ok, 20);
	assert_int_equal(t.failed, 8);
	assert_int_equal(t.nerrors, 2);
	assert_int_equal(t.error[0].count, 3);
	assert_int_equal(t.error[1].count, 3);
	doc = json_summary(&f->r);
	op = json_array_get(json_object_get(doc, "ops"), 0);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(op, "errors"), "ENOMEM")), 3);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(op, "errors"), "other")), 2);
	json_decref(doc);
}

static void calls_are_counted_by_the_backing_of_their_slot(void **state)
{
	struct fixture *f = *state;
	struct lane_ctl *lane = f->crew.ctl->lane;
	unsigned int touch = (unsigned int)op_find("touch");
	json_t *doc, *backings, *anon;

	for (unsigned int l = 0; l < LANES; l++) {
		lane[l].stat[touch].ok = 5;
		lane[l].by_backing[touch][BACKING_ANON].ok = 3;
		lane[l].by_backing[touch][BACKING_ANON].failed = 1;
		lane[l].by_backing[touch][BACKING_ANON].err[0] = EINTR;
		lane[l].by_backing[touch][BACKING_ANON].count[0] = 1;
		lane[l].by_backing[touch][BACKING_MEMFD].ok = 2;
	}
	doc = json_summary(&f->r);
	backings = json_object_get(json_array_get(json_object_get(doc, "ops"), 0), "backings");
	assert_int_equal(json_object_size(backings), 2);
	anon = json_object_get(backings, "anon");
	assert_int_equal(json_integer_value(json_object_get(anon, "ok")), 6);
	assert_int_equal(json_integer_value(json_object_get(anon, "failed")), 2);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(anon, "errors"), "EINTR")), 2);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(backings, "memfd"), "ok")), 4);
	json_decref(doc);
}

static void see_pair(struct crew_ctl *ctl, unsigned int a, unsigned int b, uint32_t count)
{
	ctl->pair[a][b].count = count;
	ctl->pair[a][b].rounds = count / 2;
	ctl->pair[a][b].phase[1][7] = count;
	ctl->pair_seen[a][b / 64] |= 1ULL << b % 64;
}

static void the_most_frequent_pairs_come_first(void **state)
{
	struct fixture *f = *state;
	struct op_pair top[TOP_PAIRS];
	uint64_t distinct;
	unsigned int n;

	for (unsigned int a = 0; a < 24; a++)
		for (unsigned int b = a; b < 24; b++)
			see_pair(f->crew.ctl, a, b, a * 100 + b + 1);
	n = top_pairs(&f->r, top, &distinct);
	assert_int_equal(distinct, 24 * 25 / 2);
	assert_int_equal(n, TOP_PAIRS);
	assert_int_equal(top[0].count, 23 * 100 + 23 + 1);
	assert_int_equal(top[0].rounds, (23 * 100 + 23 + 1) / 2);
	assert_int_equal(top[0].phase[1][7], 23 * 100 + 23 + 1);
	for (unsigned int i = 1; i < n; i++)
		assert_true(top[i].count < top[i - 1].count);
}

static void rates_of_a_run_of_no_time_are_numbers(void **state)
{
	struct fixture *f = *state;
	json_t *doc, *rates;

	f->r.elapsed_s = 0;
	f->crew.ctl->lane[0].ops = 1000;
	doc = json_summary(&f->r);
	rates = json_object_get(doc, "rates");
	assert_true(json_number_value(json_object_get(rates, "ops_per_s")) == 0);
	assert_true(json_is_real(json_object_get(rates, "overlap")));
	json_decref(doc);
}

static void amounts_read_as_people_write_them(void **state)
{
	char buf[AMOUNT_MAX];

	assert_string_equal(amount_count(0, buf), "0");
	assert_string_equal(amount_count(999, buf), "999");
	assert_string_equal(amount_count(1000, buf), "1,000");
	assert_string_equal(amount_count(UINT64_MAX, buf), "18,446,744,073,709,551,615");
	assert_string_equal(amount_clock(-1, buf), "0:00");
	assert_string_equal(amount_clock(63.9, buf), "1:03");
	assert_string_equal(amount_clock(3723, buf), "1:02:03");
	assert_string_equal(amount_bytes(2 << 20, buf), "2 MiB");
	assert_string_equal(amount_bytes(1536, buf), "1.5 KiB");
}

/* ---- findings ---- */

static void equal_titles_make_one_group(void **state)
{
	struct fixture *f = *state;

	file(f, make_finding(ORACLE_CONTENT, "content: lost write on anon"), 1);
	file(f, make_finding(ORACLE_CONTENT, "content: lost write on anon"), 2);
	file(f, make_finding(ORACLE_CONTENT, "content: lost write on memfd"), 3);
	assert_int_equal(f->r.ngroups, 2);
	assert_int_equal(f->r.group[0].count, 2);
	assert_true(f->r.group[0].first_s == 1 && f->r.group[0].last_s == 2);
	assert_int_equal(f->r.oracle[ORACLE_CONTENT].findings, 3);
}

static void a_finding_has_report_program_and_json(void **state)
{
	struct fixture *f = *state;
	struct finding_group *g =
		file(f, make_finding(ORACLE_CONTENT, "content: lost write on anon"), 1.5);
	struct program *p = malloc(sizeof(*p)), *drawn = malloc(sizeof(*drawn));
	char *text, err[256];
	json_t *j;

	assert_true(strlen(g->dir) > 0);
	assert_in_file(g->dir, "report.txt", "content: lost write on anon");
	assert_in_file(g->dir, "report.txt", "crew 0, lane 1, round 7");
	assert_in_file(g->dir, "report.txt", "what was seen");
	assert_in_file(g->dir, "report.txt", "sunder replay program.txt");
	assert_in_file(g->dir, "report.txt", "sunder run --seed 42 t.job");
	text = read_file(g->dir, "program.txt");
	assert_int_equal(program_parse(p, "program.txt", text, strlen(text), err, sizeof(err)), 0);
	plan_draw(f->plan, 0, 7, drawn);
	assert_true(program_equal(p, drawn));
	free(text);
	text = read_file(g->dir, "finding.json");
	j = json_loads(text, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(j, "round")), 7);
	assert_string_equal(json_string_value(json_object_get(j, "text")), "what was seen\n");
	json_decref(j);
	free(text);
	free(p);
	free(drawn);
	assert_in_file(f->top, "stderr", "FINDING content: lost write on anon");
	assert_in_file(f->top, "summary.json", "content: lost write on anon");
}

/* At most four, each with an op that can do something to the slot, and none of another epoch. */
static void what_memory_is_like_may_be_the_work_of_a_round_before(void **state)
{
	struct fixture *f = *state;
	struct finding finding = make_finding(ORACLE_CONTENT, "content: lost write on anon");
	struct program *p = malloc(sizeof(*p)), *drawn = malloc(sizeof(*drawn));
	unsigned int found = 0, mmap_op = (unsigned int)op_find("mmap");
	struct finding_group *g;

	finding.may_be_older = true;
	finding.round = 2 * (uint64_t)f->plan->epoch_rounds + 9;
	g = file(f, finding, 1);
	assert_in_file(g->dir, "report.txt", "sunder replay . ");
	for (unsigned int back = 1; back <= finding.round; back++) {
		char path[PATH_MAX], name[48], *text, err[256];
		bool asks = false;

		snprintf(name, sizeof(name), "program-before-%u.txt", back);
		snprintf(path, sizeof(path), "%s/%s", g->dir, name);
		if (access(path, R_OK) < 0)
			continue;
		found++;
		assert_true(back <= 9);
		text = read_file(g->dir, name);
		assert_int_equal(program_parse(p, name, text, strlen(text), err, sizeof(err)), 0);
		plan_draw(f->plan, 0, finding.round - back, drawn);
		assert_true(program_equal(p, drawn));
		for (unsigned int l = 0; l < p->nlanes; l++)
			for (unsigned int i = 0; i < p->lane[l].nops; i++)
				asks |= p->lane[l].op[i].op == mmap_op;
		assert_true(asks);
		free(text);
	}
	assert_in_range(found, 1, 4);
	free(p);
	free(drawn);
}

static void a_finding_of_no_lane_has_the_programs_of_all_crews(void **state)
{
	struct fixture *f = *state;
	struct finding finding = make_finding(ORACLE_KLOG, "WARNING in split_huge_page_to_list");
	struct finding_group *g;

	finding.has_program = false;
	finding.alt = strdup("WARNING in a\nWARNING in b");
	f->crew.ctl->round = 9;
	g = file(f, finding, 1);
	assert_in_file(g->dir, "program-crew0.txt", "round 9");
	assert_in_file(g->dir, "report.txt", "WARNING in b");
	assert_in_file(g->dir, "finding.json", "WARNING in a");
}

static void titles_cannot_name_other_files(void **state)
{
	static const char *const titles[] = {"../../../etc/passwd", "/", "", "..",
		"a\tb\033[31m\x01", "\xff\xfe", "KASAN: UAF in x()", "-rf", "%s%n"};
	struct fixture *f = *state;
	char top[96];

	snprintf(top, sizeof(top), "%s/findings/", f->top);
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
		struct finding_group *g = file(f, make_finding(ORACLE_KLOG, titles[i]), 1);
		const char *name = g->dir + strlen(top);

		assert_memory_equal(g->dir, top, strlen(top));
		assert_int_equal(
			strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(name));
		assert_true(strlen(name) > 4);
		assert_in_file(g->dir, "finding.json", "what was seen");
	}
	assert_string_equal(f->r.group[6].dir + strlen(top), "007-kasan-uaf-in-x");
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
	struct fixture *f = *state;
	char *text;

	file(f, make_finding(ORACLE_KLOG, "x\033[2Jy"), 1);
	text = read_file(f->top, "stderr");
	assert_null(strchr(text, '\033'));
	free(text);
	f->r.exit = EXIT_FINDING;
	text = summary_text(&f->r, text_summary);
	assert_null(strchr(text, '\033'));
	assert_non_null(strstr(text, "x?[2Jy"));
	free(text);
}

static void what_cannot_be_written_goes_to_stderr_whole(void **state)
{
	struct fixture *f = *state;
	struct finding_group *g;

	snprintf(f->r.output, sizeof(f->r.output), "/proc/no-such-place");
	g = file(f, make_finding(ORACLE_CONTENT, "content: lost write on anon"), 1);
	assert_string_equal(g->dir, "");
	assert_int_equal(f->r.ngroups, 1);
	assert_in_file(f->top, "stderr", "what was seen");
	assert_in_file(f->top, "stderr", "seed 42");
	assert_in_file(f->top, "stderr", "summary.json cannot be brought up to date");
}

/* ---- formats ---- */

static void the_text_begins_with_the_verdict(void **state)
{
	static const struct {
		enum run_exit code;
		const char *head;
	} cases[] = {
		{EXIT_CLEAN, "CLEAN"},
		{EXIT_FINDING, "1 FINDING "},
		{EXIT_USAGE, "ERROR"},
		{EXIT_RESOURCES, "NOT ENOUGH RESOURCES"},
		{EXIT_NOTHING, "NOTHING RAN"},
		{EXIT_LOST, "LOST"},
	};
	struct fixture *f = *state;

	file(f, make_finding(ORACLE_CONTENT, "content: lost write on anon"), 1);
	for (size_t i = 0; i < 6; i++) {
		char *text;

		f->r.exit = cases[i].code;
		text = summary_text(&f->r, text_summary);
		assert_memory_equal(text, cases[i].head, strlen(cases[i].head));
		free(text);
	}
}

static void skips_of_one_reason_stand_together(void **state)
{
	static struct plan_skip skips[] = {
		{"op a", "no debugfs"}, {"slot b", "no pool"}, {"op c", "no debugfs"}};
	struct fixture *f = *state;
	struct plan plan = *f->plan;
	char *text;

	plan.skip = skips;
	plan.nskips = 3;
	f->r.plan = &plan;
	text = summary_text(&f->r, text_summary);
	f->r.plan = f->plan;
	assert_non_null(strstr(text, "no debugfs: op a, op c\n"));
	assert_non_null(strstr(text, "no pool: slot b\n"));
	free(text);
}

static void ktap_has_a_line_for_the_run_and_each_oracle(void **state)
{
	struct fixture *f = *state;
	char line[96];
	char *text;

	f->r.oracle[ORACLE_KLOG] =
		(struct oracle_state){.skipped = "not readable # TODO\nok 9 fake"};
	file(f, make_finding(ORACLE_ERRNO, "errno: EINVAL in mmap"), 1);
	f->r.exit = EXIT_FINDING;
	text = summary_text(&f->r, ktap_summary);
	snprintf(line, sizeof(line), "KTAP version 1\n1..%d\n", ORACLE_COUNT + 1);
	assert_memory_equal(text, line, strlen(line));
	assert_non_null(strstr(text, "\nok 1 run\n"));
	assert_non_null(strstr(text, "\nok 2 content\n"));
	assert_non_null(strstr(text, "# 1 x errno: EINVAL in mmap"));
	snprintf(line, sizeof(line), "\nnot ok %d errno\n", ORACLE_ERRNO + 2);
	assert_non_null(strstr(text, line));
	snprintf(line, sizeof(line), "\nok %d klog # SKIP not readable   TODO ok 9 fake\n",
		ORACLE_KLOG + 2);
	assert_non_null(strstr(text, line));
	snprintf(line, sizeof(line), "\nok %d taint\n", ORACLE_TAINT + 2);
	assert_non_null(strstr(text, line));
	free(text);
	f->r.exit = EXIT_LOST;
	text = summary_text(&f->r, ktap_summary);
	assert_non_null(strstr(text, "\nnot ok 1 run\n"));
	free(text);
}

static void names_that_are_not_utf8_still_make_a_document(void **state)
{
	struct fixture *f = *state;
	struct plan plan = *f->plan;
	json_t *doc;

	snprintf(plan.job, sizeof(plan.job), "\xff.job");
	f->r.plan = &plan;
	doc = json_summary(&f->r);
	f->r.plan = f->plan;
	assert_string_equal(json_string_value(json_object_get(doc, "job")), "?.job");
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(doc, "plan"), "job")), "?.job");
	json_decref(doc);
}

static void a_summary_before_the_crews_exist_is_a_whole_document(void **state)
{
	struct fixture *f = *state;
	char *text;
	json_t *doc;

	f->r.finished = false;
	f->r.crew = NULL;
	f->r.ncrews = 0;
	assert_int_equal(report_summary_file(&f->r), 0);
	text = read_file(f->top, "summary.json");
	doc = json_loads(text, 0, NULL);
	assert_true(json_is_object(json_object_get(doc, "plan")));
	assert_int_equal(json_array_size(json_object_get(doc, "ops")), 0);
	json_decref(doc);
	free(text);
	assert_true(report_summary_file(&(struct run_result){.output = "/proc/no-such-place"}) < 0);
}

static void words_for_a_shell_are_quoted_when_they_must_be(void **state)
{
	static const char *const words[][2] = {{"a/b.job", "a/b.job"}, {"a b", "'a b'"},
		{"it's", "'it'\\''s'"}, {"", "''"}, {"$(x)", "'$(x)'"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char buf[64] = "";
		FILE *f = fmemopen(buf, sizeof(buf), "w");

		print_shell_word(words[i][0], f);
		fclose(f);
		assert_string_equal(buf, words[i][1]);
	}
}

static void status_lines_are_plain_off_a_terminal_and_overwrite_on_one(void **state)
{
	struct fixture *f = *state;
	char plain[512] = "", fancy[512] = "";
	FILE *out = fmemopen(plain, sizeof(plain), "w");

	f->crew.ctl->lane[0].ops = 3000;
	f->crew.ctl->lane[1].migrated = 1234;
	report_status(&f->r, 2, 60, false, out);
	fclose(out);
	assert_non_null(strstr(plain, "sunder: 0:02, left 1:00  1,500 ops/s"));
	assert_non_null(strstr(plain, "migrated 1,234"));
	assert_int_equal(plain[strlen(plain) - 1], '\n');
	out = fmemopen(fancy, sizeof(fancy), "w");
	report_status(&f->r, 3, 59, true, out);
	fclose(out);
	assert_int_equal(fancy[0], '\r');
	assert_null(strchr(fancy, '\n'));
	assert_non_null(strstr(fancy, " 0 ops/s")); /* nothing since the last line */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(the_worse_exit_wins_in_the_order_5_1_2_3_4_0),
		T(formats_are_found_by_name),
		T(a_run_that_has_not_ended_says_failed_and_no_oracle_says_ok),
		T(an_oracle_that_saw_no_round_is_not_ok),
		T(a_skip_does_not_hide_a_finding),
		T(errors_of_an_op_are_summed_over_lanes),
		T(calls_are_counted_by_the_backing_of_their_slot),
		T(the_most_frequent_pairs_come_first),
		T(rates_of_a_run_of_no_time_are_numbers),
		T(amounts_read_as_people_write_them),
		T(equal_titles_make_one_group),
		T(a_finding_has_report_program_and_json),
		T(what_memory_is_like_may_be_the_work_of_a_round_before),
		T(a_finding_of_no_lane_has_the_programs_of_all_crews),
		T(titles_cannot_name_other_files),
		T(control_characters_do_not_reach_the_terminal),
		T(what_cannot_be_written_goes_to_stderr_whole),
		T(the_text_begins_with_the_verdict),
		T(skips_of_one_reason_stand_together),
		T(ktap_has_a_line_for_the_run_and_each_oracle),
		T(names_that_are_not_utf8_still_make_a_document),
		T(a_summary_before_the_crews_exist_is_a_whole_document),
		T(words_for_a_shell_are_quoted_when_they_must_be),
		T(status_lines_are_plain_off_a_terminal_and_overwrite_on_one),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
