/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pace.h"
#include "base/path.h"
#include "exec/flight.h"
#include "filing.h"
#include "sys/ledger.h"
#include "sys/vmstat.h"

double run_now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

uint64_t run_splits(void)
{
	static const char *const names[] = {"thp_split_page", "thp_split_pmd", NULL};

	return vmstat_sum(names);
}

void run_finding(struct run *r, struct finding *f)
{
	enum run_exit code = f->lost_kernel ? EXIT_LOST : EXIT_FINDING;
	unsigned int known = r->result.ngroups;
	struct finding_group *g;

	if (!r->result.oracle[f->oracle].enabled) {
		finding_clear(f);
		return;
	}
	r->result.exit = exit_worse(r->result.exit, code);
	g = report_finding(&r->result, f, run_now_s() - r->start_s);
	if (g && r->result.ngroups > known)
		series_event(r->series, g->first_s, "finding", g->first.title);
	if (g && r->result.ngroups > known && !r->inject[0])
		filing_add(r, g); /* what was planted is no finding of this machine */
}

int run_parse_allow(const char *list, uint32_t *allow)
{
	char word[32];

	while (*list) {
		size_t n = strcspn(list, ",");
		int h;

		snprintf(word, sizeof(word), "%.*s", (int)n, list);
		h = hazard_find(word);
		if (h < 0) {
			log_error("--allow knows safe, root, disruptive and destructive, not: %s",
				word);
			return -EINVAL;
		}
		*allow |= 1u << h;
		list += n + (list[n] == ',');
	}
	return 0;
}

/* ---- the output directory ---- */

/* lost+found does not count: the directory may be a filesystem of its own. */
static bool is_empty_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	bool empty = d != NULL;

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
			strcmp(e->d_name, "lost+found") != 0)
			empty = false;
	if (d)
		closedir(d);
	return empty;
}

static void name_output(struct run *r, const char *started)
{
	const char *job = r->o->job ? r->o->job : r->o->program_name, *base = strrchr(job, '/');
	int len;

	base = base ? base + 1 : job;
	len = (int)strcspn(base, ".");
	snprintf(r->result.output, sizeof(r->result.output), "sunder-%.*s-%s",
		len > 100 ? 100 : len, base, started);
}

static int make_output(struct run *r)
{
	struct tm tm;
	time_t now = time(NULL);
	char stamp[32];
	int e;

	gmtime_r(&now, &tm);
	strftime(r->result.started, sizeof(r->result.started), "%Y-%m-%dT%H:%M:%SZ", &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
	if (r->o->output && strlen(r->o->output) >= sizeof(r->result.output)) {
		log_error("--output: longer than %zu bytes", sizeof(r->result.output) - 1);
		return -ENAMETOOLONG;
	}
	if (r->o->output)
		snprintf(r->result.output, sizeof(r->result.output), "%s", r->o->output);
	else
		name_output(r, stamp);
	e = path_make_dirs(r->result.output);
	if (e < 0) {
		log_error("output directory %s: %s", r->result.output, strerror(-e));
		return e;
	}
	if (!is_empty_dir(r->result.output)) {
		log_error("output directory %s is not empty: name another one with --output",
			r->result.output);
		return -ENOTEMPTY;
	}
	e = report_summary_file(&r->result);
	if (e < 0)
		log_error("%s/summary.json: %s", r->result.output, strerror(-e));
	return e;
}

/* ---- the plan ---- */

static enum run_exit load_plan(struct run *r, const struct plan_options *options)
{
	char err[1024] = "";
	int e;

	if (r->o->job)
		e = plan_load(r->o->job, &r->machine, options, &r->plan, err, sizeof(err));
	else
		e = plan_from_program(
			r->o->program, &r->machine, options, &r->plan, err, sizeof(err));
	if (e == 0) {
		r->result.plan = r->plan;
		if (r->o->rounds)
			r->plan->rounds = r->o->rounds;
		return EXIT_CLEAN;
	}
	log_error("%s", err[0] ? err : strerror(-e));
	return e == -ENOSPC ? EXIT_RESOURCES : e == -ENODATA ? EXIT_NOTHING : EXIT_USAGE;
}

/* The same plan, seed included, on the machine as it is now. */
static enum run_exit reload_plan(struct run *r)
{
	struct plan_options options = r->o->plan;
	struct plan *old = r->plan;
	enum run_exit code;

	options.seed = old->seed;
	caps_setup(&r->machine, r->o->plan.tmp_dir);
	code = load_plan(r, &options);
	if (code == EXIT_CLEAN)
		plan_free(old);
	return code;
}

static void collect_injects(struct run *r)
{
	size_t n = 0;

	for (; r->o->inject[n]; n++)
		r->inject[n] = r->o->inject[n];
	if (r->plan && r->plan->inject[0])
		r->inject[n] = r->plan->inject;
	r->result.injected = r->inject;
}

/* ---- crews ---- */

static void start_recorder(struct run *r)
{
	struct flight_about about = {.seed = r->plan->seed};
	char name[96], full[PATH_MAX];
	struct utsname u;
	int e;

	if (uname(&u) == 0) {
		snprintf(about.kernel, sizeof(about.kernel), "%.63s", u.release);
		snprintf(about.host, sizeof(about.host), "%.63s", u.nodename);
	}
	path_read("/proc/sys/kernel/random/boot_id", about.boot_id, sizeof(about.boot_id));
	about.boot_id[strcspn(about.boot_id, "\n")] = '\0';
	snprintf(about.started, sizeof(about.started), "%s", r->result.started);
	snprintf(about.job, sizeof(about.job), "%s", r->plan->job);
	snprintf(about.output, sizeof(about.output), "%.511s",
		realpath(r->result.output, full) ? full : r->result.output);
	snprintf(name, sizeof(name), "flight-%s-%d", r->result.started, (int)getpid());
	e = flight_start(r->state, name, &about, r->crew, r->result.ncrews, &r->flight);
	if (e < 0)
		log_warn("%s/%s: %s: what runs is not recorded, a crash will not tell", r->state,
			name, strerror(-e));
}

static int make_crews(struct run *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < plan_nparts(r->plan); i++)
		n += plan_part(r->plan, i)->ncrews;
	r->crew = calloc(n, sizeof(*r->crew));
	r->abandoned = calloc(n, sizeof(*r->abandoned));
	r->barren = calloc(n, sizeof(*r->barren));
	r->started_at = calloc(n, sizeof(*r->started_at));
	r->killed = calloc(n, sizeof(*r->killed));
	if (!r->crew || !r->abandoned || !r->barren || !r->started_at || !r->killed)
		return -ENOMEM;
	r->result.crew = r->crew;
	for (unsigned int i = 0; i < plan_nparts(r->plan); i++) {
		const struct plan *p = plan_part(r->plan, i);

		for (unsigned int k = 0; k < p->ncrews; k++) {
			int e = crew_new(p, k, &r->machine, &r->places, &r->crew[r->result.ncrews]);

			if (e < 0)
				return e;
			r->crew[r->result.ncrews]->box =
				r->box.nknobs || r->box.swap[0] || r->box.cgroup[0] ? &r->box
										    : NULL;
			r->result.ncrews++;
		}
	}
	if (r->plan->nturns)
		r->turn = plan_turn_of(r->plan, 0);
	inject_crews(r);
	start_recorder(r);
	return run_start_turn(r);
}

bool run_has_turn(const struct run *r, unsigned int crew)
{
	return r->crew[crew]->plan == plan_part(r->plan, r->turn);
}

int run_start_turn(struct run *r)
{
	for (unsigned int i = 0; i < r->result.ncrews; i++) {
		struct crew_ctl *ctl = r->crew[i]->ctl;
		uint64_t round = atomic_load(&ctl->round);
		int e;

		if (!run_has_turn(r, i) || r->abandoned[i])
			continue;
		r->started_at[i] = atomic_load(&ctl->rounds_done);
		r->killed[i] = false;
		e = crew_start(r->crew[i], round ? round + 1 : 0);
		if (e < 0)
			return e;
	}
	return 0;
}

/* Kills and waits for whatever is left. What cannot be killed in five seconds stays. */
static void end_crews(struct run *r)
{
	double until = run_now_s() + 5;
	unsigned int proc;

	for (unsigned int i = 0; i < r->result.ncrews; i++)
		crew_kill(r->crew[i]);
	for (unsigned int i = 0; i < r->result.ncrews; i++) {
		while (crew_alive(r->crew[i]) && run_now_s() < until) {
			pid_t pid = waitpid(-1, NULL, WNOHANG);

			for (unsigned int k = 0; pid > 0 && k < r->result.ncrews; k++)
				crew_reaped(r->crew[k], pid, &proc);
			if (pid == 0)
				sched_yield();
			if (pid < 0)
				break;
		}
	}
}

/* ---- oracles ---- */

static void skip_oracle(struct run *r, enum oracle o, const char *why)
{
	struct oracle_state *s = &r->result.oracle[o];

	s->enabled = false;
	snprintf(s->skipped, sizeof(s->skipped), "%s", why);
}

/* Crews whose executors are all gone, killed as they may be: their objects are what they left. */
static void empty_dead_crews(void *arg)
{
	struct run *r = arg;

	for (unsigned int i = 0; i < r->result.ncrews; i++)
		if (!crew_alive(r->crew[i]))
			crew_empty_slots(r->crew[i]);
}

static void open_oracles(struct run *r)
{
	char mark[128], why[160];
	int e;

	for (int i = 0; i < ORACLE_COUNT; i++) {
		r->result.oracle[i].enabled = r->plan->oracles >> i & 1;
		if (!r->result.oracle[i].enabled)
			snprintf(r->result.oracle[i].skipped, sizeof(r->result.oracle[i].skipped),
				"not wanted by the job");
	}
	snprintf(mark, sizeof(mark), "run starts, seed %llu", (unsigned long long)r->plan->seed);
	e = kmsg_open(mark, &r->kmsg);
	if (e < 0) {
		snprintf(why, sizeof(why), "/dev/kmsg: %s%s", strerror(-e),
			e == -EPERM || e == -EACCES ? " (be root, or set kernel.dmesg_restrict=0)"
						    : "");
		skip_oracle(r, ORACLE_KLOG, why);
	}
	e = taint_read(&r->result.taint_before);
	if (e < 0) {
		snprintf(why, sizeof(why), "/proc/sys/kernel/tainted: %s", strerror(-e));
		skip_oracle(r, ORACLE_TAINT, why);
	}
}

/* What the ops of the plan may do to the counters. */
static struct counters_options counters_of(struct run *r)
{
	struct counters_options o = {
		.machine = &r->machine, .prepare = empty_dead_crews, .prepare_arg = r};

	for (unsigned int i = 0; i < plan_nparts(r->plan); i++) {
		const struct plan *p = plan_part(r->plan, i);
		unsigned int lanes = 0;

		for (unsigned int s = 0; s < p->nslots; s++)
			o.private_hugetlb |= p->slot[s].backing == BACKING_HUGETLB_PRIVATE;
		for (unsigned int c = 0; c < p->ncrews; c++)
			for (unsigned int l = 0; l < p->crew[c].nlanes; l++) {
				const struct plan_lane *lane = &p->crew[c].lane[l];

				lanes++;
				for (unsigned int k = 0; k < lane->nops; k++) {
					enum hazard h = op_get(lane->op[k].call.op)->hazard;

					o.pools_change |= h >= HAZARD_DISRUPTIVE;
					o.poisons |= h == HAZARD_DESTRUCTIVE;
				}
			}
		if (lanes > o.lanes)
			o.lanes = lanes;
	}
	return o;
}

static void open_counters(struct run *r)
{
	static const enum oracle judges[] = {ORACLE_ACCOUNTING, ORACLE_LEAK, ORACLE_HARDWARE};
	struct counters_options o = counters_of(r);
	char why[160];
	int e;

	e = counters_open(&o, &r->counters);
	if (e == 0)
		return;
	snprintf(why, sizeof(why), "the counters cannot be read: %s", strerror(-e));
	for (size_t i = 0; i < ARRAY_SIZE(judges); i++)
		skip_oracle(r, judges[i], why);
}

/* Those that had nothing to judge say so. */
static void close_counters(struct run *r)
{
	static const enum oracle judges[] = {ORACLE_ACCOUNTING, ORACLE_LEAK};

	if (!r->counters)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(judges); i++) {
		const char *why = counters_idle(r->counters, judges[i]);

		if (why && r->result.oracle[judges[i]].enabled)
			skip_oracle(r, judges[i], why);
	}
	r->result.hardware = counters_hardware(r->counters);
	counters_close(r->counters);
	r->counters = NULL;
}

static void close_oracles(struct run *r)
{
	struct finding f;

	r->result.taint_after = r->result.taint_before;
	if (r->result.oracle[ORACLE_TAINT].enabled && taint_read(&r->result.taint_after) == 0) {
		if (inject_has(r, "taint"))
			r->result.taint_after |= 1ULL << 62; /* a bit that no kernel uses */
		if (oracle_taint(r->result.taint_before, r->result.taint_after, &f) == 1)
			run_finding(r, &f);
	}
	if (r->kmsg) {
		kmsg_mark(r->kmsg, "run ends");
		r->result.kmsg = kmsg_counts(r->kmsg);
		kmsg_close(r->kmsg);
	}
}

/* ---- all of it ---- */

void run_signals(sigset_t *ret)
{
	static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD};

	sigemptyset(ret);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		sigaddset(ret, taken[i]);
}

static void block_signals(void)
{
	sigset_t set;

	run_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void start_series(struct run *r)
{
	int e = series_open(r->result.output, &r->machine, SERIES_BYTES, &r->series);

	if (e < 0)
		log_warn("%s/series.csv: %s: a report of this run has no timeline",
			r->result.output, strerror(-e));
	if (r->plan->nturns)
		series_event(
			r->series, 0, "turn", plan_part(r->plan, plan_turn_of(r->plan, 0))->job);
}

static enum run_exit drive(struct run *r)
{
	bool changed = false;
	enum run_exit code;
	int e = setup_knobs(r, &changed);

	if (e < 0)
		return e == -EBUSY ? EXIT_RESOURCES : EXIT_USAGE;
	code = changed ? reload_plan(r) : EXIT_CLEAN;
	if (code != EXIT_CLEAN)
		return code;
	collect_injects(r);
	e = setup_memory(r);
	if (e < 0)
		return EXIT_RESOURCES;
	e = plan_settle_pools(r->plan, &r->machine);
	if (e < 0) {
		log_error("nothing is left to run: every slot needs huge pages that are not there");
		return e == -ENODATA ? EXIT_NOTHING : EXIT_USAGE;
	}
	open_oracles(r);
	open_counters(r);
	r->start_s = run_now_s();
	r->started = time(NULL);
	filing_start(r);
	r->result.splits_before = r->result.splits_now = run_splits();
	start_series(r);
	e = make_crews(r);
	if (e == 0) {
		inject_start(r);
		e = supervise(r);
	}
	r->result.splits_now = run_splits();
	series_sample(r->series, &r->result, run_now_s() - r->start_s);
	series_close(r->series);
	r->series = NULL;
	end_crews(r);
	flight_end(r->flight);
	close_counters(r);
	close_oracles(r);
	filing_end(r);
	if (e < 0)
		log_error("the run cannot go on: %s", strerror(-e));
	return e == 0 ? EXIT_CLEAN : e == -ENOMEM ? EXIT_RESOURCES : EXIT_USAGE;
}

static void restore_box(struct run *r)
{
	if (!r->ledger)
		return;
	for (unsigned int i = 0; i < r->result.ncrews; i++)
		crew_release_slots(
			r->crew[i]); /* their pages must be back before the pools shrink */
	if (ledger_restore(r->ledger, NULL) < 0)
		log_error("not everything could be restored: run 'sunder restore --state %s'",
			r->state);
	ledger_close(r->ledger);
}

static void release(struct run *r)
{
	for (unsigned int i = 0; i < r->result.ncrews; i++)
		crew_free(r->crew[i]);
	release_box(r);
	free(r->crew);
	free(r->abandoned);
	free(r->barren);
	free(r->started_at);
	free(r->killed);
	for (unsigned int i = 0; i < r->result.ngroups; i++)
		finding_clear(&r->result.group[i].first);
	free(r->result.group);
	plan_free(r->plan);
	machine_free(&r->machine);
}

enum run_exit run_job(const struct run_options *o)
{
	struct run r = {.o = o};
	enum run_exit code;

	if (inject_check(o) < 0)
		return EXIT_USAGE;
	block_signals();
	clock_setup();
	pace_setup();
	if (machine_probe(&r.machine) < 0) {
		log_error("this machine's memory layout cannot be read; is /proc mounted?");
		return EXIT_USAGE;
	}
	caps_setup(&r.machine, o->plan.tmp_dir);
	code = load_plan(&r, &o->plan);
	r.result.machine = &r.machine;
	r.result.exit = EXIT_CLEAN;
	if (code == EXIT_CLEAN && make_output(&r) < 0)
		code = EXIT_USAGE;
	if (code != EXIT_CLEAN) {
		release(&r);
		return code;
	}
	path_read("/proc/cmdline", r.result.kernel_cmdline, sizeof(r.result.kernel_cmdline));
	code = drive(&r);
	r.result.exit = exit_worse(r.result.exit, code);
	restore_box(&r);
	if (r.start_s > 0)
		r.result.elapsed_s = run_now_s() - r.start_s;
	r.result.finished = true;
	if (report_summary_file(&r.result) < 0)
		log_error("%s/summary.json cannot be written", r.result.output);
	if (r.result.ncrews && report_learned_file(&r.result) < 0)
		log_error("%s/learned.json cannot be written", r.result.output);
	if (r.result.ncrews)
		report_status_file(
			&r.result, "ended", plan_part(r.plan, r.turn)->job, r.result.elapsed_s, 0);
	report_summary(&r.result, o->format, stdout);
	code = r.result.exit;
	release(&r);
	return code;
}
