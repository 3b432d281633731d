/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The oracles of a run, after each program; findings on their way into the store. */
#include "rig_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/path.h"
#include "filing.h"
#include "finding/store.h"

/* A report of the kernel's is over when its log is silent for so long; most waiting for that. */
static const uint64_t rest_ns = 20000000000;
enum { QUIET_MS = 30, QUIET_MAX = 40, TAINT_DIE = 1 << 7, TITLE_LINE = 512 };

/* ---- what is known ---- */

static bool is_known(const struct rig *r, const char *title)
{
	for (unsigned int i = 0; i < r->known.n; i++)
		if (strcmp(r->known.title[i], title) == 0)
			return true;
	return false;
}

static void add_known(struct rig *r, const char *title)
{
	char **grown;

	if (!*title || is_known(r, title))
		return;
	grown = reallocarray(r->known.title, r->known.n + 1, sizeof(*grown));
	if (!grown)
		return;
	r->known.title = grown;
	grown[r->known.n] = strdup(title);
	r->known.n += grown[r->known.n] != NULL;
}

static int add_group(void *arg, const struct store_group *g)
{
	/* What was fixed and comes back is news. */
	if (g->status != STORE_FIXED)
		add_known(arg, g->title);
	return 0;
}

static void store_dir_of(const struct rig *r, char *buf, size_t size)
{
	filing_dir(r->o.store, r->run.state, buf, size);
}

static void read_store(struct rig *r)
{
	char dir[320], db[340], err[STORE_ERR_MAX];
	struct store *s;

	store_dir_of(r, dir, sizeof(dir));
	snprintf(db, sizeof(db), "%s/findings.db", dir);
	if (access(db, F_OK) < 0)
		return;
	if (store_open(dir, &s, err) < 0) {
		log_warn("%s", err);
		return;
	}
	store_each(s, add_group, r);
	store_close(s);
}

static int read_known(struct rig *r, const char *file)
{
	_cleanup_fclose_ FILE *f = fopen(file, "re");
	char line[TITLE_LINE];

	if (!f) {
		log_error("--known %s: %s", file, strerror(errno));
		return -errno;
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		add_known(r, line);
	}
	return 0;
}

/* ---- filing ---- */

static char *text_of(const struct program *p, const struct plan *around)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int e;

	if (!f)
		return NULL;
	plan_print_around(around, f);
	e = program_print(p, f);
	if (fclose(f) == 0 && e == 0)
		return text;
	free(text);
	return NULL;
}

static void file_finding(struct rig *r, const struct finding *f)
{
	_cleanup_free_ char *program = text_of(r->fed, r->run.plan);
	char dir[320], run[160], err[STORE_ERR_MAX], kernel[160] = "", host[66] = "";
	struct store_sight x = {.title = f->title,
		.alt = f->alt,
		.oracle = oracle_name(f->oracle),
		.run = run,
		.kernel = kernel,
		.machine = host,
		.boot_id = r->run.machine.boot_id,
		.job = "fuzz",
		.version = SUNDER_VERSION,
		.program = program,
		.evidence = f->text,
		.output = "",
		.round = r->number,
		.count = 1,
		.crew = 0,
		.lane = f->has_program ? (int)f->lane : -1,
		.first = time(NULL),
		.last = time(NULL)};
	struct utsname u;
	struct store *s;

	if (uname(&u) == 0) {
		snprintf(kernel, sizeof(kernel), "%s %s", u.release, u.version);
		snprintf(host, sizeof(host), "%s", u.nodename);
	}
	snprintf(run, sizeof(run), "%s fuzz %lld %d", host, (long long)r->run.started,
		(int)getpid());
	store_dir_of(r, dir, sizeof(dir));
	if (store_open(dir, &s, err) < 0) {
		log_warn("%s", err);
		store_add_unfiled(dir, &x);
		return;
	}
	store_add(s, &x);
	store_close(s);
}

void judge_found(void *arg, struct finding *f)
{
	struct rig *r = arg;
	struct rig_result *x = r->result;

	r->counts.findings++;
	if (x)
		x->nfindings++;
	if (f->lost_kernel && !r->lost[0] && f->oracle != ORACLE_EXECUTOR)
		snprintf(r->lost, sizeof(r->lost), "%s", f->title);
	if (!is_known(r, f->title)) {
		log_note("FINDING %s", f->title);
		file_finding(r, f);
		add_known(r, f->title);
		if (x && x->ntitles < RIG_MAX_TITLES)
			snprintf(x->title[x->ntitles++], sizeof(x->title[0]), "%s", f->title);
	}
	finding_clear(f);
}

/* ---- judging ---- */

static int open_log(struct rig *r)
{
	int e = kmsg_open("fuzzing starts", &r->kmsg);

	if (e < 0)
		log_warn("/dev/kmsg: %s: the kernel log is not judged", strerror(-e));
	r->taint_fd = open("/proc/sys/kernel/tainted", O_RDONLY | O_CLOEXEC);
	return taint_read(&r->taint);
}

/* ---- counters ---- */

static void open_counters(struct rig *r)
{
	struct counters_options o = {.machine = &r->run.machine,
		.pools_change =
			r->o.allow >> HAZARD_DISRUPTIVE & 1 || r->o.allow >> HAZARD_DESTRUCTIVE & 1,
		.poisons = r->o.allow >> HAZARD_DESTRUCTIVE & 1,
		.lanes = PROGRAM_MAX_LANES};
	int e = counters_open(&o, &r->counters);

	if (e < 0)
		log_warn("the counters cannot be read: %s: hugetlb pools are not judged",
			strerror(-e));
	r->rest_at_ns = clock_raw_ns() + rest_ns;
}

/* What memory there is besides, afl-fuzz and its files have their part in: only the pools are judged. */
static void counters_told(void *rig, struct finding *f)
{
	if (f->oracle == ORACLE_ACCOUNTING)
		judge_found(rig, f);
	else
		finding_clear(f);
}

void judge_reaped(struct rig *r, pid_t pid, int status)
{
	if (r->counters)
		counters_reaped(r->counters, pid, status, counters_told, r);
}

static void look_at_counters(struct rig *r)
{
	uint64_t until = clock_raw_ns() + LOOK_SECONDS * 1000000000ULL;
	struct timespec pause = {.tv_nsec = 5000000};
	int status;
	pid_t pid;

	if (counters_look(r->counters, LOOK_REST) < 0)
		return;
	while (counters_looking(r->counters) && clock_raw_ns() < until) {
		nanosleep(&pause, NULL); /* SIGCHLD ends it */
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			unsigned int proc;

			if (r->crew && crew_reaped(r->crew, pid, &proc))
				judge_exit(r, proc, status, false);
			else
				judge_reaped(r, pid, status);
		}
	}
	counters_drop(r->counters);
}

bool rig_rest(struct rig *r, struct rig_result *ret)
{
	if (!r->counters || clock_raw_ns() < r->rest_at_ns)
		return false;
	*ret = (struct rig_result){.outcome = RIG_RAN};
	r->result = ret;
	counters_tick(r->counters, counters_told, r);
	look_at_counters(r);
	r->rest_at_ns = clock_raw_ns() + rest_ns;
	return true;
}

static void open_recording(struct rig *r)
{
	struct flight_about about = {.seed = (uint64_t)r->run.started};
	char name[96];
	struct utsname u;
	struct tm tm;
	int e;

	if (!r->o.record)
		return;
	gmtime_r(&r->run.started, &tm);
	strftime(about.started, sizeof(about.started), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (uname(&u) == 0) {
		snprintf(about.kernel, sizeof(about.kernel), "%.63s", u.release);
		snprintf(about.host, sizeof(about.host), "%.63s", u.nodename);
	}
	snprintf(about.boot_id, sizeof(about.boot_id), "%.39s", r->run.machine.boot_id);
	snprintf(about.job, sizeof(about.job), "fuzz");
	snprintf(name, sizeof(name), "flight-%s-%d", about.started, (int)getpid());
	e = path_make_dirs(r->o.record);
	if (e == 0)
		e = flight_open(r->o.record, name, &about, &r->flight);
	if (e < 0)
		log_warn("%s/%s: %s: what runs is not recorded, a crash will not tell", r->o.record,
			name, strerror(-e));
}

int judge_open(struct rig *r)
{
	int e = 0;

	r->run.started = time(NULL);
	r->taint_fd = -1;
	if (r->o.known)
		e = read_known(r, r->o.known);
	if (e < 0)
		return e;
	read_store(r);
	open_recording(r);
	open_log(r);
	open_counters(r);
	return 0;
}

void judge_close(struct rig *r)
{
	if (r->counters)
		counters_close(r->counters);
	if (r->kmsg)
		kmsg_close(r->kmsg);
	if (r->run.started && r->taint_fd >= 0)
		close(r->taint_fd);
	flight_end(r->flight);
	for (unsigned int i = 0; i < r->known.n; i++)
		free(r->known.title[i]);
	free(r->known.title);
}

bool judge_waits(struct rig *r)
{
	for (unsigned int l = 0; l < r->crew->ctl->nlanes; l++) {
		const struct lane_ctl *lane = &r->crew->ctl->lane[l];
		const struct op *op = op_get(atomic_load(&lane->op));
		bool known = false;

		uint64_t start = atomic_load(&lane->op_start), now = clock_ticks();

		if (!start || now <= start || clock_to_ns(now - start) < r->o.limit_ns / 2)
			continue;
		if (!op && !r->between_stuck)
			return r->between_stuck = true;
		if (!op)
			continue;
		for (unsigned int i = 0; i < r->known.n; i++)
			known |= strncmp(r->known.title[i], "progress:", 9) == 0 &&
				 strstr(r->known.title[i], op->name);
		if (!known)
			return true;
	}
	return false;
}

/* Whole reports: the kernel may still be writing. */
static void drain_log(struct rig *r)
{
	struct pollfd fd = {.fd = kmsg_fd(r->kmsg), .events = POLLIN};

	kmsg_drain(r->kmsg, false, judge_found, r);
	if (kmsg_counts(r->kmsg).records == r->log_records)
		return;
	for (int i = 0; i < QUIET_MAX && poll(&fd, 1, QUIET_MS) > 0; i++)
		kmsg_drain(r->kmsg, false, judge_found, r);
	kmsg_drain(r->kmsg, true, judge_found, r);
	r->log_records = kmsg_counts(r->kmsg).records;
}

static void check_taint(struct rig *r)
{
	struct finding f;
	char text[32] = "";
	uint64_t now;

	if (r->taint_fd < 0 || pread(r->taint_fd, text, sizeof(text) - 1, 0) <= 0)
		return;
	now = strtoull(text, NULL, 10);
	if (now == r->taint)
		return;
	if (oracle_taint(r->taint, now, &f) == 1) {
		if (now & ~r->taint & TAINT_DIE && !r->lost[0])
			snprintf(r->lost, sizeof(r->lost), "%s", f.title);
		judge_found(r, &f);
	}
	r->taint = now;
}

void judge_case(struct rig *r)
{
	struct evidence e;
	struct finding f;

	for (unsigned int l = 0; r->crew && l < r->crew->ctl->nlanes; l++)
		while (evidence_pop(&r->crew->ctl->lane[l].ring, &e))
			if (oracle_evidence(r->crew, &e, &f) == 0)
				judge_found(r, &f);
	if (r->kmsg)
		drain_log(r);
	check_taint(r);
}

static bool oom_killed(struct rig *r, int status)
{
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		return false;
	if (!r->kmsg)
		return true;
	kmsg_drain(r->kmsg, true, judge_found, r);
	return kmsg_counts(r->kmsg).oom > 0;
}

void judge_exit(struct rig *r, unsigned int proc, int status, bool ours)
{
	struct evidence e;
	struct finding f;

	for (unsigned int l = 0; l < r->crew->ctl->nlanes; l++)
		while (evidence_pop(&r->crew->ctl->lane[l].ring, &e))
			if (oracle_evidence(r->crew, &e, &f) == 0)
				judge_found(r, &f);
	if (!ours && oracle_exit(r->crew, proc, status, oom_killed(r, status), &f) == 1)
		judge_found(r, &f);
}
