/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "klog/klog.h"
#include "place.h"
#include "report/report.h"
#include "run.h"
#include "session.h"
#include "tree.h"

/* Seconds that a guest and a run take beyond the program's own; how long a child that does not end is waited for. */
enum {
	GUEST_MARGIN = 240,
	OOPS_MARGIN = 40,
	LIMIT_LEAST = 300, /* seconds of an attempt in a guest that others are to share */
	END_SECONDS = 400,
	MAX_WORDS = 48,
	LOG_MAX = 32 << 20,
	MAX_RUNS = 8,
	MAX_TRIES = 20
};

static bool stopped;

/* ---- options ---- */

bool attempt_take_option(struct attempt_options *o, const char *name, const char *value)
{
	const struct {
		const char *name, **at;
	} known[] = {{"state", &o->state}, {"store", &o->store}, {"tmp", &o->tmp},
		{"allow", &o->allow}, {"vm", &o->vm}, {"modules", &o->modules},
		{"nodes", &o->nodes}, {"cpus", &o->cpus}, {"memory", &o->memory},
		{"append", &o->append}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		*known[i].at = value;
		return true;
	}
	return false;
}

/* ---- the child ---- */

void attempt_catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

struct words {
	const char *word[MAX_WORDS + 1];
	unsigned int n;
};

static void say(struct words *w, const char *word)
{
	if (w->n < MAX_WORDS)
		w->word[w->n++] = word;
}

static void say_option(struct words *w, const char *option, const char *value)
{
	if (!value)
		return;
	say(w, option);
	say(w, value);
}

static pid_t start(const struct words *w, const char *log)
{
	pid_t pid = fork();
	sigset_t none;
	int fd, null;

	if (pid)
		return pid < 0 ? -errno : pid;
	/* A group of its own: what is typed at the terminal comes to it through us, once. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || null < 0)
		_exit(EXIT_USAGE);
	dup2(null, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execv(w->word[0], (char *const *)w->word);
	_exit(EXIT_USAGE);
}

/* Its wait status; -1: it had to be killed. */
static int wait_for(pid_t pid, double limit_s)
{
	struct timespec tick = {.tv_sec = 1};
	double until = run_now_s() + limit_s;
	bool told = false;
	int status, sig;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		sig = sigtimedwait(&set, NULL, &tick);
		if (sig == SIGINT || sig == SIGTERM) {
			stopped = true;
			kill(pid, sig);
		}
		if (run_now_s() > until) {
			kill(pid, told ? SIGKILL : SIGTERM);
			until = run_now_s() + 90;
			if (told)
				return -1;
			told = true;
		}
	}
	return status;
}

/* ---- what it found ---- */

static char *slurp(const char *path, size_t *ret_len)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char *text = f ? malloc(LOG_MAX + 1) : NULL;

	if (!text)
		return NULL;
	*ret_len = fread(text, 1, LOG_MAX, f);
	text[*ret_len] = '\0';
	return text;
}

/* A title that was found: what is looked for wins over others, and among those the first. */
static void take_title(
	const struct subject *s, struct attempt_result *r, const char *title, double seconds)
{
	bool is = subject_is(s, title);

	if (r->outcome == ATTEMPT_BACK || (r->title[0] && !is))
		return;
	r->outcome = is ? ATTEMPT_BACK : ATTEMPT_OTHER;
	r->seconds = seconds;
	snprintf(r->title, sizeof(r->title), "%s", title);
}

/* A finding is the subject's also by one of its other titles; it is called by its first. */
static void take_finding(
	const struct subject *s, struct attempt_result *r, const json_t *j, double run_s)
{
	const char *title = json_string_value(json_object_get(j, "title"));
	const json_t *first = json_object_get(j, "first_s"), *alt = json_object_get(j, "alt");
	double at = json_is_number(first) ? json_number_value(first) : run_s;
	size_t i;
	json_t *one;

	if (json_is_true(json_object_get(j, "lost_kernel")))
		r->lost = true;
	if (!title)
		return;
	take_title(s, r, title, at);
	json_array_foreach(alt, i, one) if (r->outcome != ATTEMPT_BACK && json_is_string(one) &&
					    subject_is(s, json_string_value(one)))
		take_title(s, r, json_string_value(one), at);
}

static void take_findings(const struct subject *s, const json_t *summary, struct attempt_result *r)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(summary, "findings"), i, one)
		take_finding(s, r, one, r->seconds);
}

static void take_summary(const struct subject *s, const char *dir, struct attempt_result *r)
{
	char path[640];
	json_t *doc;

	snprintf(path, sizeof(path), "%s/summary.json", dir);
	doc = json_load_file(path, 0, NULL);
	take_findings(s, doc, r);
	json_decref(doc);
}

/* All reports of a console log; the kernel's words count as those of the subject if any of them is. */
static void take_console(
	const struct subject *s, const char *path, double at, struct attempt_result *r)
{
	size_t len;
	_cleanup_free_ char *text = slurp(path, &len);
	const struct klog_report *x;
	struct klog *k;

	if (!text || klog_new(&k, NULL) < 0)
		return;
	if (klog_push(k, text, len) == 0 && klog_flush(k) == 0)
		while ((x = klog_next(k))) {
			if (!x->crash)
				continue;
			take_title(s, r, x->title, at);
			for (size_t i = 0; i < x->nalt; i++)
				if (r->outcome != ATTEMPT_BACK && subject_is(s, x->alt[i]))
					take_title(s, r, x->alt[i], at);
		}
	klog_free(k);
}

/* The first line of guest-lost.txt, for kernels that died without a report. */
static void take_lost(const struct subject *s, const char *dir, double at, struct attempt_result *r)
{
	char path[640], title[512];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/findings/guest-lost.txt", dir);
	f = fopen(path, "re");
	if (!f || fscanf(f, "title: %511[^\n]", title) != 1)
		snprintf(title, sizeof(title), "kernel lost, and no log of it");
	take_title(s, r, title, at);
	/* A finding of a machine whose log was lost says no more than that. */
	if (s->title && strncmp(s->title, "kernel lost", 11) == 0)
		take_title(s, r, s->title, at);
}

/* "vm: RELEASE is up after 6.1 s, ..." */
static double boot_seconds(const char *log)
{
	size_t len;
	_cleanup_free_ char *text = slurp(log, &len);
	const char *at = text ? strstr(text, " is up after ") : NULL;

	return at ? strtod(at + 13, NULL) : 0;
}

/* The last line of a log that says something. */
static void take_reason(const char *log, struct attempt_result *r)
{
	size_t len = 0;
	_cleanup_free_ char *text = slurp(log, &len);
	char *cursor = text, *line;

	while (text && (line = strsep(&cursor, "\n")))
		if (strncmp(line, "sunder: ", 8) == 0 || strncmp(line, "vm: ", 4) == 0)
			if (strncmp(line, "vm: exit", 8) != 0)
				snprintf(r->why, sizeof(r->why), "%s", strchr(line, ' ') + 1);
}

/* ---- one child ---- */

struct paths {
	char dir[512]; /* of the attempt */
	char program[544], log[544], out[544], run[560], console[560];
};

static int make_paths(const struct attempt_options *o, struct paths *p)
{
	static unsigned int number;
	int r;

	do {
		snprintf(p->dir, sizeof(p->dir), "%s/attempt-%u", o->dir, ++number);
	} while (access(p->dir, F_OK) == 0);
	r = path_make_dirs(p->dir);
	snprintf(p->program, sizeof(p->program), "%s/program.txt", p->dir);
	snprintf(p->log, sizeof(p->log), "%s/log", p->dir);
	snprintf(p->out, sizeof(p->out), "%s/out", p->dir);
	snprintf(p->run, sizeof(p->run), "%s%s", p->out, o->vm ? "/run" : "");
	snprintf(p->console, sizeof(p->console), "%s/console.log", p->out);
	return r;
}

static void say_replay(struct words *w, const struct attempt_options *o, const char *seconds)
{
	say(w, "replay");
	say(w, "--until-finding");
	say(w, "--quiet");
	say_option(w, "--seconds", seconds);
	say_option(w, "--allow", o->allow);
}

/* The words that begin a guest's command line. */
static void say_guest(struct words *w, const struct attempt_options *o, const struct paths *p,
	const char *self, const char *script, const char *limit)
{
	static char oops_limit[16];

	snprintf(oops_limit, sizeof(oops_limit), "%d", OOPS_MARGIN);
	say(w, script);
	say_option(w, "--kernel", o->vm);
	say_option(w, "--modules", o->modules);
	say_option(w, "--nodes", o->nodes);
	say_option(w, "--cpus", o->cpus);
	say_option(w, "--memory", o->memory);
	say_option(w, "--append", o->append);
	say_option(w, "--binary", self);
	say_option(w, "--limit", limit);
	say_option(w, "--oops-limit", oops_limit);
	say_option(w, "--output", p->out);
}

/* The command line; strings that it needs are put into the buffers. */
static int compose(struct words *w, const struct attempt_options *o, const struct paths *p,
	const char *self, const char *script, double seconds, char text[2][32], char file[640])
{
	snprintf(text[0], sizeof(text[0]), "%.0fms", seconds * 1000 < 1 ? 1 : seconds * 1000);
	if (!o->vm) {
		say(w, self);
		say_replay(w, o, text[0]);
		say_option(w, "--output", p->out);
		say_option(w, "--state", o->state);
		say_option(w, "--store", o->store);
		say_option(w, "--tmp", o->tmp);
		say(w, p->program);
		return 0;
	}
	snprintf(text[1], sizeof(text[1]), "%.0f", seconds + GUEST_MARGIN);
	snprintf(file, 640, "%s:/program.txt", p->program);
	say_guest(w, o, p, self, script, text[1]);
	say_option(w, "--file", file);
	say(w, "--");
	say_replay(w, o, text[0]);
	say_option(w, "--output", "/out/run");
	say_option(w, "--state", "/out/state");
	say(w, "/program.txt");
	return 0;
}

/* What the exit code says besides the findings. */
static void settle(int code, const char *log, struct attempt_result *r)
{
	if (stopped && r->outcome != ATTEMPT_BACK)
		r->outcome = ATTEMPT_STOPPED;
	else if (r->outcome == ATTEMPT_CLEAN && code == EXIT_NOTHING)
		r->outcome = ATTEMPT_NOTHING;
	else if (r->outcome == ATTEMPT_CLEAN && code != EXIT_CLEAN)
		r->outcome = ATTEMPT_ERROR;
	if (r->outcome == ATTEMPT_NOTHING || r->outcome == ATTEMPT_ERROR)
		take_reason(log, r);
}

static void judge(const struct attempt_options *o, const struct subject *s, const struct paths *p,
	int status, double wall_s, double seconds, struct attempt_result *r)
{
	int code = status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_USAGE;
	double ran = wall_s - (o->vm ? boot_seconds(p->log) : 0);

	*r = (struct attempt_result){.outcome = ATTEMPT_CLEAN, .seconds = seconds};
	snprintf(r->dir, sizeof(r->dir), "%s", p->dir);
	ran = ran < 0 ? 0 : ran > seconds ? seconds : ran;
	r->lost = code == EXIT_LOST;
	r->short_of = code == EXIT_RESOURCES;
	take_summary(s, p->run, r);
	if (code == EXIT_LOST && o->vm) {
		take_console(s, p->console, ran, r);
		take_lost(s, p->out, ran, r);
	}
	settle(code, p->log, r);
}

static void fail(struct attempt_result *r, const char *what, int error)
{
	*r = (struct attempt_result){.outcome = ATTEMPT_ERROR};
	snprintf(r->why, sizeof(r->why), "%s: %s", what, strerror(error));
}

static void run_once(const struct attempt_options *o, const struct subject *s, const char *text,
	double seconds, struct attempt_result *r)
{
	_cleanup_free_ char *self = place_self(), *script = o->vm ? place_script("vm") : NULL;
	char number[2][32], file[640];
	struct words w = {0};
	struct paths p;
	double began;
	pid_t pid;
	int e;

	if (o->vm && !script) {
		fail(r,
			"the script that boots guests, scripts/vm beside the build directory or "
			"../libexec/sunder/vm of this program",
			ENOENT);
		return;
	}
	e = self ? make_paths(o, &p) : -errno;
	if (e == 0)
		e = path_publish(p.program, text, strlen(text));
	if (e == 0)
		e = compose(&w, o, &p, self, script, seconds, number, file);
	if (e < 0) {
		fail(r, o->dir, -e);
		return;
	}
	began = run_now_s();
	pid = start(&w, p.log);
	if (pid < 0) {
		fail(r, "fork", -pid);
		return;
	}
	e = wait_for(pid, seconds + END_SECONDS);
	judge(o, s, &p, e, run_now_s() - began, seconds, r);
	if (r->outcome == ATTEMPT_ERROR || (o->keep && r->title[0]))
		return;
	tree_remove(p.dir);
	r->dir[0] = '\0';
}

/* ---- in a guest that stays ---- */

static void paths_below(struct paths *p, const char *dir, unsigned int run)
{
	snprintf(p->dir, sizeof(p->dir), "%s", dir);
	snprintf(p->log, sizeof(p->log), "%s/log", p->dir);
	snprintf(p->out, sizeof(p->out), "%s/out", p->dir);
	snprintf(p->run, sizeof(p->run), "%s/run-%u", p->out, run);
	snprintf(p->console, sizeof(p->console), "%s/console.log", p->out);
}

static int end_guest(struct attempt_guest *g)
{
	int status = g->session ? session_close(g->session) : 0;

	g->session = NULL;
	return status;
}

void attempt_end_guest(struct attempt_guest *g)
{
	if (!g->session)
		return;
	end_guest(g);
	tree_remove(g->dir);
}

static int boot_guest(const struct attempt_options *o, double seconds)
{
	_cleanup_free_ char *self = place_self(), *script = place_script("vm"),
			    *command = session_command(o->allow);
	struct attempt_guest *g = o->guest;
	struct words w = {0};
	struct paths p;
	char limit[32];
	int r = !command ? -ENOMEM : !self || !script ? -ENOENT : make_paths(o, &p);

	if (r < 0)
		return r;
	seconds = seconds < LIMIT_LEAST ? LIMIT_LEAST : seconds;
	g->seconds = seconds;
	snprintf(g->dir, sizeof(g->dir), "%s", p.dir);
	snprintf(limit, sizeof(limit), "%.0f", seconds + GUEST_MARGIN);
	say_guest(&w, o, &p, self, script, limit);
	say(&w, "--stdin");
	say_option(&w, "--shell", command);
	return session_open((char *const *)w.word, p.log, &g->session);
}

/* Findings that only the kernel can have brought about may have left it broken. */
static bool kernel_is_whole(const json_t *summary)
{
	static const char *const harmless[] = {"content", "fault", "bits", "errno", "mmu",
		"reports", "locks", "placement", "accounting"};
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(summary, "findings"), i, one)
	{
		const char *oracle = json_string_value(json_object_get(one, "oracle"));
		bool is = false;

		for (size_t k = 0; oracle && k < ARRAY_SIZE(harmless); k++)
			is |= strcmp(harmless[k], oracle) == 0;
		if (!is)
			return false;
	}
	return summary != NULL;
}

static void judge_answer(struct attempt_guest *g, const struct subject *s, int code,
	const char *text, double seconds, struct attempt_result *r)
{
	json_t *summary = json_loads(text, 0, NULL);
	bool whole = kernel_is_whole(summary);
	struct paths p;

	paths_below(&p, g->dir, 0);
	*r = (struct attempt_result){.outcome = ATTEMPT_CLEAN,
		.seconds = seconds,
		.lost = code == EXIT_LOST,
		.short_of = code == EXIT_RESOURCES};
	take_findings(s, summary, r);
	json_decref(summary);
	settle(code, p.log, r);
	if (r->outcome == ATTEMPT_ERROR) {
		end_guest(g);
		snprintf(r->dir, sizeof(r->dir), "%s", g->dir);
	} else if (!whole || r->lost || r->outcome > ATTEMPT_ERROR) {
		attempt_end_guest(g);
	}
}

/* It came back, and the kernel did not survive it: nothing more is to be had. */
static void judge_oops(struct attempt_guest *g, const struct subject *s, double wall_s,
	double seconds, struct attempt_result *r)
{
	char log[640];

	snprintf(log, sizeof(log), "%s/log", g->dir);
	wall_s -= session_runs(g->session) == 1 ? boot_seconds(log) : 0;
	*r = (struct attempt_result){.outcome = ATTEMPT_BACK,
		.lost = true,
		.seconds = wall_s < 0	      ? 0
			   : wall_s > seconds ? seconds
					      : wall_s};
	snprintf(r->title, sizeof(r->title), "%s", s->title ? s->title : "kernel oops");
	attempt_end_guest(g);
}

/* The guest is gone, with its kernel or because it was told to stop. */
static void judge_end(const struct attempt_options *o, const struct subject *s, double wall_s,
	double seconds, struct attempt_result *r)
{
	unsigned int run = session_runs(o->guest->session);
	int status = end_guest(o->guest);
	struct paths p;

	paths_below(&p, o->guest->dir, run);
	if (run > 1)
		wall_s += boot_seconds(p.log); /* not within it: it was up */
	judge(o, s, &p, status, wall_s, seconds, r);
	if (r->outcome == ATTEMPT_ERROR)
		return;
	tree_remove(p.dir);
	r->dir[0] = '\0';
}

static bool is_wanted(const void *arg, const char *title)
{
	return subject_is(arg, title);
}

static void run_in_guest(const struct attempt_options *o, const struct subject *s, const char *text,
	double seconds, struct attempt_result *r)
{
	struct attempt_guest *g = o->guest;
	_cleanup_free_ char *summary = NULL;
	double began;
	int code, e = 0;

	if (seconds > g->seconds)
		attempt_end_guest(g);
	if (!g->session)
		e = boot_guest(o, seconds);
	if (e < 0) {
		fail(r, o->dir, -e);
		return;
	}
	began = run_now_s();
	e = session_run(g->session, text, seconds, is_wanted, s, &code, &summary);
	stopped |= e == -EINTR;
	if (e == 0)
		judge_answer(g, s, code, summary, seconds, r);
	else if (e == -ECANCELED)
		judge_oops(g, s, run_now_s() - began, seconds, r);
	else
		judge_end(o, s, run_now_s() - began, seconds, r);
}

/* ---- an attempt ---- */

/* False: told to stop. */
static bool wait_a_second(void)
{
	struct timespec tick = {.tv_sec = 1};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	stopped |= sigtimedwait(&set, NULL, &tick) > 0;
	return !stopped;
}

void attempt_run(const struct attempt_options *o, const struct subject *s, const char *text,
	double seconds, struct attempt_result *ret)
{
	void (*one)(const struct attempt_options *o, const struct subject *s, const char *text,
		double seconds, struct attempt_result *r) =
		o->vm && o->guest ? run_in_guest : run_once;
	double used = 0;
	unsigned int runs = 0, tries = 0;

	if (stopped) {
		*ret = (struct attempt_result){.outcome = ATTEMPT_STOPPED};
		return;
	}
	/* Something else ends a run as well: what is left of the time goes to the next. */
	do {
		one(o, s, text, seconds - used, ret);
		/* A run that was killed with the one before us needs a moment to put back what it had. */
		while (ret->short_of && tries++ < MAX_TRIES && wait_a_second())
			one(o, s, text, seconds - used, ret);
		used += ret->seconds > 0.05 ? ret->seconds : 0.05;
	} while (ret->outcome == ATTEMPT_OTHER && used < seconds * 0.95 && ++runs < MAX_RUNS);
	if (ret->outcome == ATTEMPT_BACK || ret->outcome == ATTEMPT_CLEAN ||
		ret->outcome == ATTEMPT_OTHER)
		ret->seconds = used < seconds ? used : seconds;
}
