/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An instance in this kernel: afl-fuzz as a child, and, in a guest, the way to the host. */
#include "campaign.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "link.h"
#include "mirror.h"
#include "run.h"
#include "words.h"

/* HARNESS_MS: that the harness takes beyond a program's own limit, until it gives a lane up for stuck. */
enum { LINK_S = 5, WAIT_LINK_S = 120, HARNESS_MS = 40000 };

/* ---- afl-fuzz ---- */

/* What a text of a command line may be: they stay until the exec. */
struct texts {
	char afl[PATH_MAX], limit[16], timeout[16], record[PATH_MAX], known[PATH_MAX],
		state[PATH_MAX], stats[PATH_MAX], functions[PATH_MAX], in[PATH_MAX], maps[PATH_MAX];
};

static void write_texts(const struct campaign *c, const struct instance *i, struct texts *t)
{
	snprintf(t->afl, sizeof(t->afl), "%s/afl", c->dir);
	snprintf(t->limit, sizeof(t->limit), "%u", c->o->exec_ms);
	/* The harness ends what takes too long, by itself: afl-fuzz would have to wait for it all the same. */
	snprintf(t->timeout, sizeof(t->timeout), "%u",
		c->o->exec_ms + (c->o->harness ? 0 : HARNESS_MS));
	snprintf(t->record, sizeof(t->record), "%s/state", c->dir);
	snprintf(t->known, sizeof(t->known), "%s/found.txt", c->dir);
	snprintf(t->state, sizeof(t->state), "%s/machine", c->dir);
	snprintf(t->stats, sizeof(t->stats), "%s/stats/%s.json", c->dir, i->name);
	snprintf(t->functions, sizeof(t->functions), "%s/functions/%s.txt", c->dir, i->name);
	snprintf(t->in, sizeof(t->in), "%s/minimise/in", c->dir);
	snprintf(t->maps, sizeof(t->maps), "%s/minimise/maps", c->dir);
}

static void set_environment(const struct campaign *c, const struct texts *t)
{
	static const char *const always[] = {"AFL_SKIP_CPUFREQ",
		"AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES", "AFL_NO_AFFINITY", "AFL_NO_UI",
		"AFL_AUTORESUME", "AFL_NO_CRASH_README", "AFL_IMPORT_FIRST"};

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		setenv(always[i], "1", 1);
	/* afl-fuzz ends over those that it would set otherwise; nothing here is built with sanitizers. */
	unsetenv("ASAN_OPTIONS");
	unsetenv("MSAN_OPTIONS");
	setenv("AFL_SYNC_TIME", "1", 0); /* minutes */
	setenv("AFL_FORKSRV_INIT_TMOUT", "120000", 0);
	/* The harness repeats by itself what shows something new: three runs more are enough to calibrate. */
	setenv("AFL_FAST_CAL", "1", 0);
	/* For targets that are not ours. */
	setenv("SUNDER_STATS", t->stats, 1);
	setenv("SUNDER_FUNCTIONS", t->functions, 1);
	if (c->o->allow)
		setenv("SUNDER_MUTATOR_ALLOW", c->o->allow, 1);
	if (c->mutator[0]) {
		setenv("AFL_CUSTOM_MUTATOR_LIBRARY", c->mutator, 1);
		setenv("AFL_CUSTOM_MUTATOR_ONLY", "1", 1);
	}
}

static void say_harness(const struct campaign *c, const struct texts *t, struct words *w)
{
	words_say(w, "--");
	words_say(w, "%s", c->harness);
	if (c->o->harness)
		return; /* a target of the user's has options of its own */
	words_option(w, "--layers", c->o->layers);
	if (c->o->blind)
		words_say(w, "--blind");
	words_option(w, "--allow", c->o->allow);
	words_option(w, "--state", c->o->state);
	words_option(w, "--store", c->store);
	words_option(w, "--record", t->record);
	words_option(w, "--limit", t->limit);
	words_option(w, "--stats", t->stats);
	words_option(w, "--functions", t->functions);
	words_option(w, "--tmp", c->o->tmp);
	if (access(t->known, R_OK) == 0)
		words_option(w, "--known", t->known);
}

static void compose(
	const struct campaign *c, const struct instance *i, struct words *w, const struct texts *t)
{
	bool minimise = c->o->work == CAMPAIGN_MINIMISE;

	words_say(w, "%s", minimise ? "afl-showmap" : "afl-fuzz");
	words_option(w, "-i", minimise ? t->in : c->seeds);
	words_option(w, "-o", minimise ? t->maps : t->afl);
	words_option(w, "-m", "none");
	words_option(w, "-t", t->timeout);
	if (!minimise)
		words_option(w, i->main ? "-M" : "-S", i->name);
	say_harness(c, t, w);
}

static int start_afl(struct campaign *c, struct instance *i)
{
	static struct texts texts;
	char log[PATH_MAX];
	struct words w = {0};

	snprintf(log, sizeof(log), "%s/log/%s.log", c->dir, i->name);
	if (truncate(log, 0) < 0 && errno != ENOENT)
		return -errno;
	write_texts(c, i, &texts);
	compose(c, i, &w, &texts);
	i->pid = fork();
	if (i->pid < 0) {
		i->pid = 0;
		return -errno;
	}
	if (i->pid)
		return 0;
	campaign_become(log, SIGKILL);
	set_environment(c, &texts);
	execvp(w.word[0], w.word);
	dprintf(STDERR_FILENO, "PROGRAM ABORT : afl-fuzz: %s (package afl++)\n", strerror(errno));
	_exit(EXIT_USAGE);
}

/* A run beside it, with a state of its own; what it finds goes to the same store. */
static int start_background(struct campaign *c, struct instance *i)
{
	char output[PATH_MAX], state[PATH_MAX], log[PATH_MAX], left[32];
	struct words w = {0};

	snprintf(output, sizeof(output), "%s/background/%lld-%u", c->dir, (long long)c->started_at,
		i->starts);
	snprintf(state, sizeof(state), "%s/background/state", c->dir);
	snprintf(log, sizeof(log), "%s/log/background.log", c->dir);
	snprintf(left, sizeof(left), "%.0fs",
		c->deadline_s > 0 ? c->deadline_s - run_now_s() + 60 : 7 * 86400.0);
	words_say(&w, "%s", c->self);
	words_say(&w, "run");
	words_say(&w, "--quiet");
	words_option(&w, "--timeout", left);
	words_option(&w, "--output", output);
	words_option(&w, "--state", state);
	words_option(&w, "--store", c->store);
	words_option(&w, "--allow", c->o->allow);
	words_option(&w, "--tmp", c->o->tmp);
	words_say(&w, "%s", c->o->background);
	i->background = fork();
	if (i->background < 0) {
		i->background = 0;
		return -errno;
	}
	if (i->background)
		return 0;
	campaign_become(log, SIGTERM);
	execv(w.word[0], w.word);
	_exit(EXIT_USAGE);
}

/*
 * afl-fuzz takes fuzzer_stats for the sign of a corpus that it goes on with: without, it would remove the queue; with it, it insists on
 * one. It writes it only a while after it has begun.
 */
static int mark_resume(const struct campaign *c, const struct instance *i, bool resume)
{
	static const char least[] = "start_time        : 1\nlast_update       : 1\n";
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/afl/%s/fuzzer_stats", c->dir, i->name);
	if (resume)
		return access(path, F_OK) == 0 ? 0 : path_publish(path, least, strlen(least));
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int local_start(struct campaign *c, struct instance *i)
{
	struct corpus_told told;
	char stats[PATH_MAX];
	int r = corpus_tidy(c->dir, i->name, &c->kills, &told);

	if (r < 0) {
		snprintf(c->trouble, sizeof(c->trouble), "%.120s/afl/%s: %.60s", c->dir, i->name,
			strerror(-r));
		return r;
	}
	if (told.entries)
		log_note("%s goes on with %u entries%s", i->name, told.entries,
			told.quarantined ? ", without those that are in quarantine" : "");
	snprintf(stats, sizeof(stats), "%s/stats/%s.json", c->dir, i->name);
	unlink(stats); /* of an earlier harness */
	r = mark_resume(c, i, told.entries > 0);
	if (r < 0)
		return r;
	r = c->o->work == CAMPAIGN_MINIMISE ? campaign_minimise_begin(c) : 0;
	if (r == 0)
		r = start_afl(c, i);
	if (r == 0 && c->o->background && !i->background)
		r = start_background(c, i);
	return r;
}

static void local_tick(struct campaign *c, struct instance *i, double now_s)
{
	if (c->o->background && !i->background && !c->stopping && i->pid && now_s > i->again_s) {
		/* It ended: the next one has other chances. */
		i->again_s = now_s + 10;
		i->starts++;
		start_background(c, i);
	}
}

/* What afl-fuzz said last that tells why it ended, without its colours. */
static void take_reason(struct campaign *c, const struct instance *i)
{
	char path[PATH_MAX], *at, *out = c->trouble;
	_cleanup_free_ char *text = NULL;
	size_t len;

	snprintf(path, sizeof(path), "%s/log/%s.log", c->dir, i->name);
	text = (char *)corpus_slurp(path, &len);
	at = text ? strstr(text, "PROGRAM ABORT") : NULL;
	if (!at)
		return;
	for (; *at && *at != '\n' && out < c->trouble + sizeof(c->trouble) - 1; at++) {
		if (*at == '\x1b')
			at += strcspn(at, "m");
		else
			*out++ = *at;
	}
	*out = '\0';
}

/* The harness says so when the kernel had an oops and is not to be trusted any more. */
static bool is_lost(const struct campaign *c, const struct instance *i)
{
	char path[PATH_MAX];
	json_t *doc;
	bool lost;

	snprintf(path, sizeof(path), "%s/stats/%s.json", c->dir, i->name);
	doc = json_load_file(path, 0, NULL);
	lost = json_is_string(json_object_get(doc, "lost"));
	json_decref(doc);
	return lost;
}

static bool local_ended(struct campaign *c, struct instance *i, int status)
{
	int r;

	if (c->stopping)
		return false;
	take_reason(c, i);
	if (c->o->work == CAMPAIGN_MINIMISE) {
		/* afl-showmap ends with 2 if an entry was a crash: those maps are as good. */
		r = WIFEXITED(status) ? campaign_minimise_end(c) : -ECHILD;
		if (r < 0 && !c->trouble[0])
			snprintf(c->trouble, sizeof(c->trouble),
				"afl-showmap gave no maps; see %s/log/%s.log", c->dir, i->name);
		return false;
	}
	if (is_lost(c, i)) {
		log_error("%s: the kernel had an oops: boot it anew, then the same command goes on",
			i->name);
		c->lost++;
		return false;
	}
	if (WIFSIGNALED(status))
		log_note("%s: afl-fuzz was killed by signal %d: it goes on", i->name,
			WTERMSIG(status));
	else
		log_note("%s: afl-fuzz ended with %d%s%s: it goes on", i->name, WEXITSTATUS(status),
			c->trouble[0] ? "; " : "", c->trouble);
	return true;
}

static void local_stop(struct campaign *c, struct instance *i, bool hard)
{
	if (i->pid && (hard || !i->told))
		kill(i->pid, hard ? SIGKILL : SIGINT);
	if (i->background && (hard || !i->told))
		kill(i->background, hard ? SIGKILL : SIGTERM);
	i->told = true;
}

const struct campaign_way campaign_local = {.start = local_start,
	.tick = local_tick,
	.ended = local_ended,
	.stop = local_stop,
	.stop_s = 8};

/* ---- in a guest: the way to the host ---- */

/* What the host sent needs not go back. */
static void taken(void *arg, const char *to)
{
	struct campaign *c = arg;

	mirror_known(c->sent, c->dir, to);
}

int campaign_link_open(struct campaign *c)
{
	struct mirror_taking t = {.root = c->dir, .taken = taken, .arg = c};
	double until_s = run_now_s() + WAIT_LINK_S;
	struct timespec nap = {.tv_nsec = 50000000};
	int r = link_open_reader(NULL, "sunder-in", &c->link_in);

	if (r == 0)
		r = link_open_writer(NULL, "sunder-link", &c->link_out);
	if (r == 0 && !(c->sent = mirror_new()))
		r = -ENOMEM;
	while (r >= 0 && !t.marked) {
		r = mirror_take(c->link_in, &t);
		if (r >= 0 && !t.marked && run_now_s() > until_s)
			r = -ETIMEDOUT;
		if (r == 0)
			nanosleep(&nap, NULL); /* a disk says nothing when it changes */
	}
	return r < 0 ? r : 0;
}

static bool wanted(void *arg, const char *name)
{
	const char *base = strrchr(name, '/') + 1;

	return strncmp(base, "id:", 3) == 0 || strncmp(base, "run-", 4) == 0 ||
	       strcmp(base, "fuzzer_stats") == 0 || strcmp(base, "plot_data") == 0 ||
	       strcmp(base, "fuzz_bitmap") == 0 || strcmp(base, "cmdline") == 0 ||
	       strcmp(base, "fuzzer_setup") == 0;
}

void campaign_link_tick(struct campaign *c)
{
	static const char *const dirs[] = {"result", "stats", "functions"};
	static double next_s;
	struct mirror_taking t = {.root = c->dir, .taken = taken, .arg = c};
	char own[128];
	int r;

	/* Findings at once: the next thing may be the end of the kernel. */
	r = mirror_send(c->sent, c->link_out, c->dir, "findings/groups", wanted, c);
	if (r >= 0 && !c->stopping && run_now_s() < next_s)
		return;
	next_s = run_now_s() + LINK_S;
	snprintf(own, sizeof(own), "afl/%s", c->in[0].name);
	if (r >= 0)
		r = mirror_take(c->link_in, &t);
	if (r >= 0)
		r = mirror_send(c->sent, c->link_out, c->dir, own, wanted, c);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(dirs); i++)
		r = mirror_send(c->sent, c->link_out, c->dir, dirs[i], NULL, NULL);
	if (r >= 0)
		r = mirror_mark(c->link_out); /* a sign of life */
	if (r < 0) {
		log_error("the way to the host is closed: %s", strerror(-r));
		c->stopping = true; /* the host starts another guest */
	}
}
