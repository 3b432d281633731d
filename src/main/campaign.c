/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "campaign.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "filing.h"
#include "link.h"
#include "mirror.h"
#include "place.h"
#include "recover.h"
#include "run.h"
#include "sys/ledger.h"

/* Seconds between two of each; starts in a row that come to nothing. */
enum {
	LOOK_S = 5,
	SYNC_S = 20,
	SHARE_S = 30,
	BARREN = 4,
	AGAIN_S = 2,
	LIVED_S = 20,
	LOG_BYTES = 4 << 20,
	RATE_S = 90
};

double campaign_now_s(void)
{
	return run_now_s();
}

/* ---- the directory ---- */

static enum run_exit fail(struct campaign *c, enum run_exit code, const char *what, int r)
{
	snprintf(c->trouble, sizeof(c->trouble), "%.150s: %.90s", what, strerror(-r));
	log_error("%s", c->trouble);
	return code;
}

/* 1: nothing is there; 0: a campaign is; -ENOTEMPTY: something else; -errno. */
static int what_is_there(const char *dir)
{
	char path[PATH_MAX];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/campaign.json", dir);
	if (access(path, F_OK) == 0)
		return 0;
	d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 1 : -errno;
	while ((e = readdir(d)))
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		     strcmp(e->d_name, "lost+found") != 0;
	closedir(d);
	return n ? -ENOTEMPTY : 1;
}

/* What may not change from one command to the next: the same corpus would mean something else. */
static json_t *identity(const struct campaign *c)
{
	const struct campaign_options *o = c->o;

	return json_pack("{s:s, s:s*, s:s*, s:b}", "version", SUNDER_VERSION, "kernel", o->vm,
		"layers", o->blind ? NULL : o->layers, "blind", o->blind);
}

static enum run_exit check_identity(struct campaign *c, const char *path)
{
	static const char *const keys[] = {"kernel", "layers", "blind"};
	json_t *was = json_load_file(path, 0, NULL), *is = identity(c);
	enum run_exit code = EXIT_CLEAN;

	for (size_t i = 0; i < ARRAY_SIZE(keys) && code == EXIT_CLEAN; i++) {
		if (json_is_object(was) &&
			json_equal(json_object_get(was, keys[i]), json_object_get(is, keys[i])))
			continue;
		if (json_is_object(was) && !json_object_get(was, keys[i]) &&
			!json_object_get(is, keys[i]))
			continue;
		log_error("%s is a campaign with another %s: give the same, or another --output",
			c->dir, keys[i]);
		code = EXIT_USAGE;
	}
	json_decref(was);
	json_decref(is);
	return code;
}

static enum run_exit open_directory(struct campaign *c)
{
	char path[PATH_MAX];
	_cleanup_free_ char *text = NULL;
	json_t *doc;
	int there = what_is_there(c->o->output), r;

	if (there == -ENOTEMPTY) {
		log_error("output directory %s has something that is no campaign: name another one "
			  "with --output",
			c->o->output);
		return EXIT_USAGE;
	}
	r = there < 0 ? there : path_make_dirs(c->o->output);
	if (r == 0 && !realpath(c->o->output, path))
		r = -errno;
	if (r == 0 && strlen(path) >= sizeof(c->dir))
		r = -ENAMETOOLONG;
	if (r < 0)
		return fail(c, EXIT_USAGE, c->o->output, r);
	snprintf(c->dir, sizeof(c->dir), "%.255s", path);
	snprintf(path, sizeof(path), "%s/lock", c->dir);
	c->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (c->lock < 0)
		return fail(c, EXIT_USAGE, path, -errno);
	if (flock(c->lock, LOCK_EX | LOCK_NB) < 0) {
		log_error("%s: another campaign is at work there", c->dir);
		return EXIT_RESOURCES;
	}
	snprintf(path, sizeof(path), "%s/campaign.json", c->dir);
	if (there == 0)
		return check_identity(c, path);
	doc = identity(c);
	text = json_dumps(doc, JSON_INDENT(1));
	json_decref(doc);
	r = text ? path_publish(path, text, strlen(text)) : -ENOMEM;
	return r < 0 ? fail(c, EXIT_USAGE, path, r) : EXIT_CLEAN;
}

static enum run_exit make_directories(struct campaign *c)
{
	static const char *const dirs[] = {
		"afl", "findings", "state", "log", "quarantine", "stats", "functions"};
	char path[PATH_MAX], state[256];
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", c->dir, dirs[i]);
		r = path_make_dirs(path);
		if (r < 0)
			return fail(c, EXIT_USAGE, path, r);
	}
	snprintf(c->store, sizeof(c->store), "%s/findings", c->dir);
	r = ledger_default_dir(c->o->state, c->dir, state, sizeof(state));
	if (r < 0)
		return fail(c, EXIT_USAGE, "--state", r);
	filing_dir(c->o->store, state, c->machine_store, sizeof(c->machine_store));
	return EXIT_CLEAN;
}

/* ---- what it needs ---- */

/* A program of ours that is named by an option, or comes with sunder. 0 or -errno. */
static int find_program(const char *named, const char *name, char *buf, size_t size)
{
	_cleanup_free_ char *path = named ? realpath(named, NULL) : place_program(name);

	if (!path)
		return named ? -errno : -ENOENT;
	if (strlen(path) >= size)
		return -ENAMETOOLONG;
	strcpy(buf, path);
	return 0;
}

static enum run_exit find_programs(struct campaign *c)
{
	const struct campaign_options *o = c->o;
	int r = find_program(o->harness, "sunder-harness", c->harness, sizeof(c->harness));

	if (r == 0 && access(c->harness, X_OK) < 0)
		r = -errno;
	if (r < 0) {
		log_error("%s: %s: name a target with --harness",
			o->harness ? o->harness : "sunder-harness", strerror(-r));
		return EXIT_USAGE;
	}
	/* Our mutator makes programs: another target may want something else. */
	if (o->mutator ? strcmp(o->mutator, "none") == 0 : o->harness != NULL)
		return EXIT_CLEAN;
	r = find_program(o->mutator, "sunder-mutator.so", c->mutator, sizeof(c->mutator));
	if (r < 0) {
		log_error("%s: %s: name a library with --mutator, or none",
			o->mutator ? o->mutator : "sunder-mutator.so", strerror(-r));
		return EXIT_USAGE;
	}
	return EXIT_CLEAN;
}

/* The jobs that come with sunder. 0 or -errno. */
static int find_jobs(glob_t *ret)
{
	_cleanup_free_ char *one = place_job("quick.job"), *pattern = NULL;
	const char *slash = one ? strrchr(one, '/') : NULL;

	if (!slash || asprintf(&pattern, "%.*s/*.job", (int)(slash - one), one) < 0)
		return -ENOENT;
	return glob(pattern, 0, NULL, ret) == 0 ? 0 : -ENOENT;
}

static void exec_seeds(
	const struct campaign *c, const char *program, const char *part, const glob_t *jobs)
{
	const char **words = calloc(jobs->gl_pathc + 5, sizeof(*words));
	size_t n = 0;

	if (!words)
		return;
	words[n++] = program;
	if (c->o->allow) {
		words[n++] = "--allow";
		words[n++] = c->o->allow;
	}
	words[n++] = part;
	for (size_t i = 0; i < jobs->gl_pathc; i++)
		words[n++] = jobs->gl_pathv[i];
	execv(program, (char *const *)words);
}

static int run_seeds(struct campaign *c, const char *program)
{
	char log[PATH_MAX], part[PATH_MAX];
	glob_t jobs;
	int status, r = find_jobs(&jobs);
	pid_t pid;

	if (r < 0)
		return r;
	snprintf(part, sizeof(part), "%s.part", c->seeds);
	snprintf(log, sizeof(log), "%s/log/seeds.log", c->dir);
	pid = fork();
	if (pid == 0) {
		campaign_become(log, SIGKILL);
		exec_seeds(c, program, part, &jobs);
		_exit(EXIT_USAGE);
	}
	globfree(&jobs);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return -EIO;
	return rename(part, c->seeds) < 0 ? -errno : 0;
}

static enum run_exit make_seeds(struct campaign *c)
{
	char program[512];
	struct dirent *e;
	DIR *d;
	int n = 0, r;

	if (c->o->seeds) {
		if (!realpath(c->o->seeds, c->seeds))
			return fail(c, EXIT_USAGE, c->o->seeds, -errno);
	} else {
		snprintf(c->seeds, sizeof(c->seeds), "%s/seeds", c->dir);
		if (access(c->seeds, F_OK) < 0) {
			r = find_program(NULL, "sunder-seeds", program, sizeof(program));
			if (r == 0)
				r = run_seeds(c, program);
			if (r < 0) {
				log_error("no seeds could be made (see %s/log/seeds.log): give "
					  "some with --seeds",
					c->dir);
				return EXIT_USAGE;
			}
		}
	}
	d = opendir(c->seeds);
	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	if (n)
		return EXIT_CLEAN;
	log_error("%s has no seed: AFL needs one at least", c->seeds);
	return EXIT_USAGE;
}

/* Names that are unique among machines that share a folder, and fit for files. */
static void name_instances(struct campaign *c)
{
	char host[40];
	size_t k = 0;

	for (const char *p = c->host; *p && k < sizeof(host) - 1; p++)
		host[k++] = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
					    (*p >= '0' && *p <= '9')
				    ? *p
				    : '-';
	host[k] = '\0';
	c->n = c->o->guests ? c->o->guests : 1;
	for (unsigned int i = 0; i < c->n; i++) {
		struct instance *in = &c->in[i];

		in->main = i == 0 && !c->o->secondary;
		in->f.stability = in->f.op_share = -1;
		if (c->o->name)
			snprintf(in->name, sizeof(in->name), "%.79s", c->o->name);
		else if (i == 0)
			snprintf(in->name, sizeof(in->name), "main-%s", host);
		else
			snprintf(in->name, sizeof(in->name), "s%u-%s", i, host);
	}
}

static void name_machine(struct campaign *c)
{
	struct utsname u;
	struct tm tm;

	c->started_at = time(NULL);
	gmtime_r(&c->started_at, &tm);
	strftime(c->started, sizeof(c->started), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (uname(&u) == 0) {
		snprintf(c->kernel, sizeof(c->kernel), "%.60s %.90s", u.release, u.version);
		snprintf(c->host, sizeof(c->host), "%.65s", u.nodename);
	}
	c->script = place_script("vm");
	if (readlink("/proc/self/exe", c->self, sizeof(c->self) - 1) < 0)
		c->self[0] = '\0';
}

/* After a crash of this machine: what ran then. */
static void take_remains(struct campaign *c)
{
	char state[PATH_MAX];
	int n;

	snprintf(state, sizeof(state), "%s/state", c->dir);
	n = kills_take(&c->kills, c->dir, state);
	if (n < 0)
		log_warn("%s: %s", state, strerror(-n));
	if (n > 0)
		c->lost += (uint64_t)n;
	recover_runs(state, c->store, NULL, false);
}

static enum run_exit prepare(struct campaign *c)
{
	enum run_exit code;
	char path[PATH_MAX];
	int r;

	name_machine(c);
	code = open_directory(c);
	if (code == EXIT_CLEAN)
		code = make_directories(c);
	if (code != EXIT_CLEAN)
		return code;
	r = campaign_summary_file(c); /* says that it failed, until it has not */
	if (r < 0)
		return fail(c, EXIT_USAGE, "summary.json", r);
	code = find_programs(c);
	if (code != EXIT_CLEAN)
		return code;
	name_instances(c);
	if (c->o->linked) {
		r = campaign_link_open(c);
		if (r < 0)
			return fail(c, EXIT_USAGE, "the disks of the campaign", r);
	}
	r = kills_read(c->dir, &c->kills);
	if (r < 0)
		return fail(c, EXIT_USAGE, "kills.json", r);
	snprintf(path, sizeof(path), "%s/reached.map", c->dir);
	r = reached_load(&c->reached, path);
	if (r < 0)
		log_warn("%s: %s: counted anew", path, strerror(-r));
	code = make_seeds(c);
	if (code != EXIT_CLEAN)
		return code;
	campaign_look(c); /* what was there before */
	take_remains(c);
	return EXIT_CLEAN;
}

/* ---- children ---- */

void campaign_become(const char *log, int signal_at_death)
{
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644),
	    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t parent = getppid();
	sigset_t none;

	setpgid(0, 0); /* what is typed at the terminal comes to it through the campaign, once */
	prctl(PR_SET_PDEATHSIG, signal_at_death);
	if (getppid() != parent || fd < 0 || null < 0)
		_exit(EXIT_USAGE);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
}

static void start(struct campaign *c, struct instance *i, const struct campaign_way *way)
{
	int r;

	i->starts++;
	i->told = false;
	i->started_s = i->heard_s = run_now_s();
	r = way->start(c, i);
	if (r == 0)
		return;
	i->given_up = true;
	if (!c->trouble[0])
		snprintf(c->trouble, sizeof(c->trouble), "%s: %s", i->name, strerror(-r));
	log_error("%s", c->trouble);
}

/* It ended before it was told to. */
static void start_again(struct campaign *c, struct instance *i, bool again)
{
	/* A guest that nothing was heard of has not come up, however long it took for that. */
	bool barren = run_now_s() - i->started_s < LIVED_S ||
		      (c->o->guests && i->heard_s <= i->started_s);

	i->barren = barren ? i->barren + 1 : 0;
	if (!again)
		i->ended = true;
	else if (i->barren >= BARREN) {
		i->given_up = true;
		log_error("%s: %u starts in a row came to nothing: given up%s%s", i->name,
			i->barren, c->trouble[0] ? "; " : "", c->trouble);
	}
	i->again_s = run_now_s() + (barren ? AGAIN_S : 0);
}

static void reap(struct campaign *c, const struct campaign_way *way)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == c->syncer)
			c->syncer = 0;
		for (unsigned int i = 0; i < c->n; i++) {
			struct instance *in = &c->in[i];

			if (in->background == pid)
				in->background = 0;
			if (in->pid != pid)
				continue;
			in->pid = 0;
			start_again(c, in, way->ended(c, in, status));
		}
	}
}

/* ---- what is done now and then ---- */

/* afl-fuzz tells each test case that it takes: what is wanted of that is its end. */
static void trim_log(const struct campaign *c, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/log/%s.log", c->dir, name);
	if (stat(path, &st) == 0 && st.st_size > LOG_BYTES && truncate(path, 0) < 0)
		log_warn("%s: %s", path, strerror(errno));
}

/* AFL never syncs: what it wrote is on disk a little later, whatever happens then. */
static void sync_all(struct campaign *c)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/reached.map", c->dir);
	reached_save(&c->reached, path);
	for (unsigned int i = 0; i < c->n; i++)
		trim_log(c, c->in[i].name);
	if (c->syncer > 0)
		return; /* the last one is not yet through */
	/* All that anybody writes to that file system goes with it, which may take its time: not ours. */
	c->syncer = fork();
	if (c->syncer != 0)
		return;
	close(c->lock); /* that ends with the campaign, not with this */
	fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_exit(fd >= 0 && syncfs(fd) == 0 ? 0 : 1);
}

static bool is_own(const struct campaign *c, const char *name)
{
	for (unsigned int i = 0; i < c->n; i++)
		if (strcmp(c->in[i].name, name) == 0)
			return true;
	return false;
}

static void give(struct campaign *c, const char *name)
{
	static const char *const files[] = {"fuzzer_stats", "plot_data", "fuzz_bitmap"};
	char from[PATH_MAX], to[PATH_MAX];

	snprintf(from, sizeof(from), "%s/afl/%s/queue", c->dir, name);
	snprintf(to, sizeof(to), "%s/%s/queue", c->o->share, name);
	if (corpus_copy(from, to, &c->kills) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ unsigned char *data = NULL;
		size_t len;

		snprintf(from, sizeof(from), "%s/afl/%s/%s", c->dir, name, files[i]);
		snprintf(to, sizeof(to), "%s/%s/%s", c->o->share, name, files[i]);
		data = corpus_slurp(from, &len);
		if (data)
			path_publish(to, (const char *)data, len);
	}
}

/* The folder of several machines has the directories of all their instances, as AFL's own has. */
static void share(struct campaign *c)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct dirent *e;
	DIR *d;

	for (unsigned int i = 0; i < c->n; i++)
		give(c, c->in[i].name);
	d = opendir(c->o->share);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' || is_own(c, e->d_name))
			continue;
		snprintf(from, sizeof(from), "%s/%s/queue", c->o->share, e->d_name);
		snprintf(to, sizeof(to), "%s/afl/%s/queue", c->dir, e->d_name);
		corpus_copy(from, to, &c->kills);
	}
	if (d)
		closedir(d);
}

struct clockwork {
	double look_s, sync_s, share_s, status_s;
};

static bool due(double *next_s, double now_s, double every_s)
{
	if (now_s < *next_s)
		return false;
	*next_s = now_s + every_s;
	return true;
}

/* Executions a second since they were last told: AFL's own rate lags by a minute, and more at the start. */
static void take_rate(struct instance *i)
{
	double now_s = run_now_s();

	if (i->f.execs < i->rate_execs || i->rate_s <= 0) {
		i->rate_execs = i->f.execs;
		i->rate_s = now_s;
		return;
	}
	if (i->f.execs == i->rate_execs && now_s - i->rate_s < RATE_S)
		return;
	i->rate = (double)(i->f.execs - i->rate_execs) / (now_s - i->rate_s);
	i->rate_execs = i->f.execs;
	i->rate_s = now_s;
}

static void look(struct campaign *c)
{
	char path[PATH_MAX], stats[PATH_MAX];

	for (unsigned int i = 0; i < c->n; i++) {
		snprintf(path, sizeof(path), "%s/afl/%s", c->dir, c->in[i].name);
		snprintf(stats, sizeof(stats), "%s/stats/%s.json", c->dir, c->in[i].name);
		figures_read(path, stats, &c->in[i].f);
		reached_join(&c->reached, path);
		take_rate(&c->in[i]);
	}
	if (campaign_look(c)) {
		c->exit = exit_worse(c->exit, EXIT_FINDING);
		campaign_summary_file(c);
		if (c->o->until_finding)
			c->stopping = true;
	}
}

static void now_and_then(struct campaign *c, const struct campaign_way *way, struct clockwork *w)
{
	double now_s = run_now_s();

	for (unsigned int i = 0; i < c->n; i++)
		way->tick(c, &c->in[i], now_s);
	if (c->o->linked)
		campaign_link_tick(c);
	if (due(&w->look_s, now_s, LOOK_S))
		look(c);
	if (c->o->share && due(&w->share_s, now_s, SHARE_S))
		share(c);
	if (due(&w->sync_s, now_s, SYNC_S)) {
		sync_all(c);
		campaign_summary_file(c);
	}
	if (!c->o->quiet && due(&w->status_s, now_s, c->o->status_interval_s))
		campaign_status(c, isatty(STDERR_FILENO), stderr);
}

/* ---- the loop ---- */

/* Signals that came within a second, or when a child ended. */
static void wait_for_signals(struct campaign *c, unsigned int *stops)
{
	struct timespec tick = {.tv_sec = 1};
	sigset_t set;
	int sig;

	run_signals(&set);
	sig = sigtimedwait(&set, NULL, &tick);
	if (sig == SIGINT || sig == SIGTERM) {
		c->stopping = c->interrupted = true;
		++*stops;
	}
	if (sig == SIGUSR1)
		campaign_status(c, false, stderr);
}

static bool anything_left(const struct campaign *c)
{
	for (unsigned int i = 0; i < c->n; i++)
		if (!c->in[i].given_up && !c->in[i].ended)
			return true;
	return false;
}

static void start_what_is_due(struct campaign *c, const struct campaign_way *way)
{
	for (unsigned int i = 0; i < c->n; i++) {
		struct instance *in = &c->in[i];

		if (!in->pid && !in->given_up && !in->ended && run_now_s() >= in->again_s)
			start(c, in, way);
	}
}

static bool stop_all(struct campaign *c, const struct campaign_way *way, bool hard)
{
	bool left = false;

	for (unsigned int i = 0; i < c->n; i++) {
		if (!c->in[i].pid && !c->in[i].background)
			continue;
		way->stop(c, &c->in[i], hard);
		left = true;
	}
	return left;
}

static void drive(struct campaign *c, const struct campaign_way *way)
{
	struct clockwork w = {.status_s = run_now_s() + c->o->status_interval_s};
	unsigned int stops = 0;
	double until_s;

	while (!c->stopping && anything_left(c)) {
		start_what_is_due(c, way);
		wait_for_signals(c, &stops);
		reap(c, way);
		now_and_then(c, way, &w);
		if (c->deadline_s > 0 && run_now_s() >= c->deadline_s)
			c->stopping = true;
	}
	c->stopping = true;
	for (until_s = run_now_s() + way->stop_s;
		stop_all(c, way, stops > 1 || run_now_s() > until_s);) {
		wait_for_signals(c, &stops);
		reap(c, way);
		now_and_then(c, way, &w);
		if (run_now_s() > until_s + 10)
			break;
	}
}

static void judge(struct campaign *c)
{
	struct campaign_totals t = campaign_totals(c);
	char path[PATH_MAX];
	bool worked = false;

	for (unsigned int i = 0; i < c->nfound; i++)
		if (!c->found[i].known && !c->found[i].before)
			c->exit = exit_worse(c->exit, EXIT_FINDING);
	if (c->lost)
		c->exit = exit_worse(c->exit, EXIT_LOST);
	for (unsigned int i = 0; i < c->n; i++)
		worked |= !c->in[i].given_up;
	if (c->o->work == CAMPAIGN_MINIMISE) {
		snprintf(path, sizeof(path), "%s/result/minimise.txt", c->dir);
		if (access(path, R_OK) < 0)
			c->exit = exit_worse(c->exit, EXIT_USAGE);
		return;
	}
	if (!worked || (!t.execs && !c->interrupted))
		c->exit = exit_worse(c->exit, EXIT_USAGE);
	if (!t.execs && !c->trouble[0] && !c->interrupted)
		snprintf(c->trouble, sizeof(c->trouble), "nothing ran; see %s/log", c->dir);
}

static enum run_exit work(struct campaign *c)
{
	const struct campaign_way *way = c->o->guests ? &campaign_guests : &campaign_local;
	enum run_exit code = prepare(c);
	sigset_t set;
	int r;

	if (code != EXIT_CLEAN)
		return code;
	run_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	c->start_s = run_now_s();
	c->deadline_s = c->o->timeout_ns ? c->start_s + (double)c->o->timeout_ns / 1e9 : 0;
	drive(c, way);
	if (c->o->linked)
		campaign_link_tick(c);
	look(c);
	if (c->o->share)
		share(c);
	judge(c);
	c->finished = true;
	sync_all(c);
	r = campaign_summary_file(c);
	if (r < 0)
		log_error("%s/summary.json: %s", c->dir, strerror(-r));
	campaign_summary(c, stdout);
	if (c->o->linked)
		campaign_link_tick(c);
	return c->exit;
}

enum run_exit campaign_run(const struct campaign_options *o)
{
	struct campaign *c = calloc(1, sizeof(*c));
	enum run_exit code;

	if (!c)
		return EXIT_RESOURCES;
	c->o = o;
	c->lock = -1;
	c->exit = EXIT_CLEAN;
	code = work(c);
	if (c->lock >= 0)
		close(c->lock);
	free(c->script);
	campaign_forget(c);
	reached_free(&c->reached);
	link_close(c->link_in);
	link_close(c->link_out);
	mirror_free(c->sent);
	free(c);
	return code;
}
