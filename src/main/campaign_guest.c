/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instances in guests: each is a `sunder vm` that runs `sunder fuzz` in it. The guest is expendable. Corpus, figures and findings come
 * out by a disk that is a log (link.h) while it runs; what others found goes in by another. When its kernel dies, the report comes from
 * its console, the program from the recording on its disk, and the next guest goes on with the corpus that is here.
 */
#include "campaign.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "klog/klog.h"
#include "link.h"
#include "mirror.h"
#include "recover.h"
#include "run.h"
#include "tree.h"
#include "words.h"

enum { SILENT_S = 300, CONSOLE_PIECE = 1 << 16, QUIET_S = 5, KEPT = 5 };

/* Huge pages of the default size, over all nodes of a guest, unless --append says how many. */
#define POOL "96"

/* As large as a disk may get; what was read is given back. */
#define LINK_BYTES (1LL << 36)

/* ---- the guest's files ---- */

/* The disks of the way in and out. They stand in the guest's directory: what was not read before we were killed, is read later. */
static int make_disk(const struct instance *i, const char *name, char *path, size_t size)
{
	_cleanup_close_ int fd = -1;

	snprintf(path, size, "%s/%s", i->dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 || ftruncate(fd, LINK_BYTES) < 0 ? -errno : 0;
}

static bool is_entry(void *arg, const char *name)
{
	return strncmp(strrchr(name, '/') + 1, "id:", 3) == 0;
}

/* What the others have, whoever they are. */
static int send_queues(struct campaign *c, struct instance *i, bool own)
{
	char path[PATH_MAX], dir[300];
	struct dirent *e;
	DIR *d;
	int r = 0;

	snprintf(path, sizeof(path), "%s/afl", c->dir);
	d = opendir(path);
	while (d && r >= 0 && (e = readdir(d))) {
		if (e->d_name[0] == '.' || (strcmp(e->d_name, i->name) == 0 && !own))
			continue;
		snprintf(dir, sizeof(dir), "afl/%s/queue", e->d_name);
		r = mirror_send(i->sent, i->in, c->dir, dir, is_entry, NULL);
	}
	if (d)
		closedir(d);
	return r;
}

static int send_file(struct campaign *c, struct instance *i, const char *name)
{
	char path[PATH_MAX];
	_cleanup_free_ unsigned char *data = NULL;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", c->dir, name);
	data = corpus_slurp(path, &len);
	return data ? link_put(i->in, name, 0, len, data, len) : 0;
}

static int send_seeds(struct campaign *c, struct instance *i)
{
	DIR *d = opendir(c->seeds);
	struct dirent *e;
	int r = d ? 0 : -errno;

	while (d && r >= 0 && (e = readdir(d))) {
		char path[PATH_MAX], name[300];
		_cleanup_free_ unsigned char *data = NULL;
		size_t len;

		snprintf(path, sizeof(path), "%s/%s", c->seeds, e->d_name);
		snprintf(name, sizeof(name), "seeds/%s", e->d_name);
		data = e->d_name[0] == '.' ? NULL : corpus_slurp(path, &len);
		if (data)
			r = link_put(i->in, name, 0, len, data, len);
	}
	if (d)
		closedir(d);
	return r;
}

/* Before it boots: all that the guest begins with. */
static int fill(struct campaign *c, struct instance *i)
{
	static const char *const own[] = {"fuzzer_stats", "plot_data"};
	struct corpus_told told;
	char name[160];
	int r = corpus_tidy(c->dir, i->name, &c->kills, &told);

	if (r < 0)
		return r;
	if (told.entries)
		log_note("%s goes on with %u entries", i->name, told.entries);
	i->sent = mirror_new();
	if (!i->sent)
		return -ENOMEM;
	r = send_file(c, i, "known.txt");
	if (r >= 0)
		r = send_file(c, i, "kills.json");
	if (r >= 0)
		r = send_file(c, i, "found.txt");
	if (r >= 0)
		r = send_seeds(c, i);
	/* With these AFL goes on counting. */
	for (size_t k = 0; r >= 0 && k < ARRAY_SIZE(own); k++) {
		snprintf(name, sizeof(name), "afl/%s/%s", i->name, own[k]);
		r = send_file(c, i, name);
	}
	if (r >= 0)
		r = send_queues(c, i, true);
	return r < 0 ? r : mirror_mark(i->in);
}

/* ---- its command line ---- */

static void say_files(struct campaign *c, struct words *w)
{
	static const char *const programs[] = {"/usr/bin/afl-fuzz", "/usr/bin/afl-showmap"};

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		words_say(w, "--file");
		words_say(w, "%s:%s", programs[i], programs[i]);
	}
	words_say(w, "--file");
	words_say(w, "%s:/usr/libexec/sunder/%s", c->harness,
		c->o->harness ? "target" : "sunder-harness");
	if (c->mutator[0]) {
		words_say(w, "--file");
		words_say(w, "%s:/usr/libexec/sunder/sunder-mutator.so", c->mutator);
	}
	if (c->o->background && access(c->o->background, R_OK) == 0) {
		words_say(w, "--file");
		words_say(w, "%s:/sunder/background.job", c->o->background);
	}
}

static void say_fuzz(struct campaign *c, struct instance *i, struct words *w)
{
	const struct campaign_options *o = c->o;

	words_say(w, "--");
	words_say(w, "fuzz");
	words_say(w, "--linked");
	words_say(w, "--quiet");
	words_option(w, "--output", "/out");
	words_option(w, "--state", "/out/machine");
	words_option(w, "--seeds", "/out/seeds");
	words_option(w, "--name", i->name);
	if (!i->main)
		words_say(w, "--secondary");
	if (o->blind)
		words_say(w, "--blind");
	words_option(w, "--layers", o->layers);
	words_option(w, "--allow", o->allow);
	words_option(w, "--harness", o->harness ? "/usr/libexec/sunder/target" : NULL);
	if (o->mutator || o->harness)
		words_option(w, "--mutator",
			c->mutator[0] ? "/usr/libexec/sunder/sunder-mutator.so" : "none");
	if (o->background)
		words_option(w, "--background",
			access(o->background, R_OK) == 0 ? "/sunder/background.job"
							 : o->background);
	words_say(w, "--exec-timeout");
	words_say(w, "%ums", o->exec_ms);
	if (o->work == CAMPAIGN_MINIMISE)
		words_say(w, "--minimise");
}

static void compose(
	struct campaign *c, struct instance *i, struct words *w, const char *in, const char *out)
{
	const struct campaign_options *o = c->o;

	words_say(w, "%s", c->script);
	words_option(w, "--kernel", o->vm);
	words_option(w, "--modules", o->modules);
	words_option(w, "--nodes", o->nodes);
	words_option(w, "--cpus", o->cpus);
	words_option(w, "--memory", o->memory);
	words_option(w, "--accel", o->accel);
	words_say(w, "--append");
	/*
	 * A kernel that has lost a thread in an oops may hold its locks: better dead, with a report. Without huge pages in the pools a
	 * third of the ops had nothing to do.
	 */
	words_say(w, "oops=panic %s%s",
		o->append && strstr(o->append, "hugepages") ? "" : "hugepages=" POOL " ",
		o->append ? o->append : "");
	words_option(w, "--binary", c->self);
	words_say(w, "--limit");
	words_say(w, "%u", 400 * 86400); /* the campaign ends it */
	words_say(w, "--output");
	words_say(w, "%s/out", i->dir);
	words_say(w, "--disk");
	words_say(w, "link:%s", out);
	words_say(w, "--disk");
	words_say(w, "in:%s:ro", in);
	say_files(c, w);
	say_fuzz(c, i, w);
}

/* ---- what comes out of it ---- */

struct taking {
	struct campaign *c;
	struct instance *i;
	bool findings;
};

/* A guest may write its own directory and findings, whatever its kernel has become. */
static size_t where(void *arg, const char *name, char *to, size_t size)
{
	const struct taking *t = arg;
	char own[128];

	snprintf(own, sizeof(own), "afl/%s/", t->i->name);
	if (strncmp(name, own, strlen(own)) == 0)
		return (size_t)snprintf(to, size, "%s", name);
	if (strncmp(name, "result/", 7) == 0 || strncmp(name, "stats/", 6) == 0 ||
		strncmp(name, "functions/", 10) == 0)
		return (size_t)snprintf(to, size, "%s", name);
	/* The record of a finding: the store takes it as one that waits to be filed. */
	if (strncmp(name, "findings/groups/", 16) == 0 && strstr(name, "/run-"))
		return (size_t)snprintf(to, size, "findings/unfiled-%016" PRIx64 ".json",
			(uint64_t)XXH64(name, strlen(name), (uint64_t)t->i->pid));
	return 0;
}

/* afl-whatsup asks whether that process lives: here that is the guest's. */
static void own_pid(const struct campaign *c, const struct instance *i)
{
	char path[PATH_MAX], *at, *end;
	_cleanup_free_ char *text = NULL, *changed = NULL;
	size_t len;
	int n;

	snprintf(path, sizeof(path), "%s/afl/%s/fuzzer_stats", c->dir, i->name);
	text = (char *)corpus_slurp(path, &len);
	at = text ? strstr(text, "fuzzer_pid") : NULL;
	end = at ? strchr(at, '\n') : NULL;
	if (!end)
		return;
	*at = '\0';
	n = asprintf(&changed, "%sfuzzer_pid        : %d%s", text, (int)i->pid, end);
	if (n > 0)
		path_publish(path, changed, (size_t)n);
}

static void taken(void *arg, const char *to)
{
	struct taking *t = arg;
	char path[PATH_MAX], aside[PATH_MAX];
	_cleanup_free_ unsigned char *data = NULL;
	size_t len;
	uint64_t key;

	if (strstr(to, "/fuzzer_stats"))
		own_pid(t->c, t->i);
	if (!t->c->kills.n || !strstr(to, "/queue/id:"))
		return;
	snprintf(path, sizeof(path), "%s/%s", t->c->dir, to);
	data = corpus_slurp(path, &len);
	key = data ? corpus_key(data, len) : 0;
	if (!data || !kills_quarantined(&t->c->kills, key))
		return;
	snprintf(aside, sizeof(aside), "%s/quarantine/%016" PRIx64 ".%s", t->c->dir, key,
		strrchr(to, '/') + 1);
	rename(path, aside);
}

static void receive(struct campaign *c, struct instance *i)
{
	struct taking t = {.c = c, .i = i};
	struct mirror_taking m = {.root = c->dir, .where = where, .taken = taken, .arg = &t};
	int r = i->out ? mirror_take(i->out, &m) : 0;

	if (r < 0)
		log_warn("%s: what came from the guest cannot be kept: %s", i->name, strerror(-r));
	if (r > 0 || m.marked)
		i->heard_s = run_now_s();
}

/* ---- what earlier guests left ---- */

static bool has(const char *dir, const char *name)
{
	char path[PATH_MAX + 512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void drop(const char *dir, const char *name)
{
	char path[PATH_MAX + 512];

	snprintf(path, sizeof(path), "%s%s", dir, name);
	tree_remove(path);
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/*
 * What a guest had written and nobody has read, as the campaign was killed with it. Of guests whose kernel died, the console and the
 * recording stay, of the last few; of others nothing.
 */
static void clean_up(struct campaign *c, struct instance *i)
{
	char top[PATH_MAX], dir[PATH_MAX + 300], path[PATH_MAX + 320];
	struct dirent **list;
	int n, kept = 0;

	snprintf(top, sizeof(top), "%s/guests/%s", c->dir, i->name);
	n = scandir(top, &list, visible, alphasort);
	for (int k = n - 1; k >= 0; k--) {
		snprintf(dir, sizeof(dir), "%s/%s", top, list[k]->d_name);
		snprintf(path, sizeof(path), "%s/link", dir);
		if (has(dir, "link") && link_open_reader(path, NULL, &i->out) == 0) {
			receive(c, i);
			link_close(i->out);
			i->out = NULL;
		}
		if (has(dir, "out/findings/guest-lost.txt") && kept++ < KEPT) {
			drop(dir, "/out/afl");
			drop(dir, "/out/seeds");
			drop(dir, "/link");
			drop(dir, "/in");
		} else {
			drop(dir, "");
		}
		free(list[k]);
	}
	if (n >= 0)
		free(list);
}

static int make_boot_dir(struct campaign *c, struct instance *i)
{
	snprintf(i->dir, sizeof(i->dir), "%s/guests/%s/%lld-%04u", c->dir, i->name,
		(long long)c->started_at, i->starts);
	return path_make_dirs(i->dir);
}

/* ---- its console ---- */

static void file_report(struct campaign *c, const struct instance *i, const struct klog_report *x)
{
	_cleanup_free_ char *alt = NULL, *evidence = strndup(x->text, x->text_len), *run = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&alt, &len);
	struct store_sight s = {.title = x->title,
		.oracle = "klog",
		.kernel = c->o->vm,
		.machine = c->host,
		.job = "fuzz",
		.version = SUNDER_VERSION,
		.evidence = evidence,
		.output = i->dir,
		.count = 1,
		.crew = -1,
		.lane = -1,
		.first = time(NULL),
		.last = time(NULL)};

	if (!f)
		return;
	for (size_t k = 0; k < x->nalt; k++)
		fprintf(f, "%s%s", k ? "\n" : "", x->alt[k]);
	if (fclose(f) != 0 || asprintf(&run, "console of %s/%s", c->host, i->dir) < 0)
		return;
	s.alt = alt;
	s.run = run;
	campaign_file(c, &s);
}

/*
 * Whether the report is the emulator's doing: QEMU's TCG may run a breakpoint that the kernel has taken away again
 * (STALE_BREAKPOINT in scripts/vm, which says at boot what the guest runs on).
 */
static bool is_emulators(const struct instance *i, const char *title)
{
	char path[PATH_MAX];
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (strncmp(title, "int3 in ", 8) != 0)
		return false;
	snprintf(path, sizeof(path), "%s/vm.log", i->dir);
	text = (char *)corpus_slurp(path, &len);
	return text && strstr(text, " with tcg: ");
}

/* What the kernel has said since the last time. last: it says no more. */
static void watch_console(struct campaign *c, struct instance *i, bool last)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *piece = malloc(CONSOLE_PIECE);
	const struct klog_report *x;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/out/console.log", i->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !i->klog || !piece)
		return;
	while ((n = pread(fd, piece, CONSOLE_PIECE, i->console_at)) > 0) {
		i->console_at += n;
		i->console_s = run_now_s();
		if (klog_push(i->klog, piece, (size_t)n) < 0)
			return;
	}
	if (i->console_s > 0 && (last || run_now_s() - i->console_s > QUIET_S)) {
		klog_flush(i->klog);
		i->console_s = 0;
	}
	while ((x = klog_next(i->klog))) {
		/* A panic that follows a report is its end, no other bug. */
		if (!x->crash || (i->reports && strncmp(x->title, "kernel panic", 12) == 0))
			continue;
		i->reports++;
		if (!is_emulators(i, x->title))
			file_report(c, i, x);
	}
}

static void guest_tick(struct campaign *c, struct instance *i, double now_s)
{
	static double next_s[CAMPAIGN_MAX_INSTANCES];
	double *next = &next_s[i - c->in];

	if (!i->pid)
		return;
	receive(c, i);
	watch_console(c, i, false);
	if (now_s >= *next) {
		*next = now_s + 5;
		if (send_queues(c, i, false) < 0)
			log_warn("%s: nothing can be sent to the guest", i->name);
	}
	if (now_s - i->heard_s > SILENT_S && !i->told) {
		log_warn("%s: nothing was heard of the guest for %d s: it is ended", i->name,
			SILENT_S);
		kill(i->pid, SIGTERM);
		i->told = true;
	}
}

static void close_guest(struct instance *i)
{
	link_close(i->in);
	link_close(i->out);
	mirror_free(i->sent);
	if (i->klog)
		klog_free(i->klog);
	i->in = i->out = NULL;
	i->sent = NULL;
	i->klog = NULL;
	i->console_at = 0;
	i->console_s = 0;
	i->reports = 0;
}

/* ---- its end ---- */

/* "title: ..." of guest-lost.txt, for a kernel that died without a report. */
static void file_lost(struct campaign *c, struct instance *i)
{
	char path[PATH_MAX], title[512] = "kernel lost, and no log of it";
	_cleanup_free_ char *run = NULL;
	struct store_sight s = {.title = title,
		.oracle = "klog",
		.kernel = c->o->vm,
		.machine = c->host,
		.job = "fuzz",
		.version = SUNDER_VERSION,
		.output = i->dir,
		.count = 1,
		.crew = -1,
		.lane = -1,
		.first = time(NULL),
		.last = time(NULL)};
	FILE *f;

	snprintf(path, sizeof(path), "%s/out/findings/guest-lost.txt", i->dir);
	f = fopen(path, "re");
	if (f && fscanf(f, "title: %511[^\n]", title) != 1)
		snprintf(title, sizeof(title), "kernel lost, and no log of it");
	if (f)
		fclose(f);
	/* What the console had is filed, with its other titles. */
	if (!campaign_has(c, title)) {
		if (asprintf(&run, "loss of %s/%s", c->host, i->dir) < 0)
			return;
		s.run = run;
		campaign_file(c, &s);
	}
	log_warn("%s: the kernel was lost: %s", i->name, title);
	if (!campaign_knows(c, title))
		c->lost++;
}

/* Its disk was read out: what was not yet here, and the recording of what ran. */
static void take_remains(struct campaign *c, struct instance *i, bool lost)
{
	char path[PATH_MAX], state[PATH_MAX], console[PATH_MAX];
	struct kills old = c->kills;

	snprintf(path, sizeof(path), "%s/out/afl/%s/queue", i->dir, i->name);
	snprintf(state, sizeof(state), "%s/afl/%s/queue", c->dir, i->name);
	corpus_copy(path, state, &c->kills);
	if (!lost)
		return;
	snprintf(state, sizeof(state), "%s/out/state", i->dir);
	snprintf(console, sizeof(console), "%s/out/console.log", i->dir);
	if (kills_take(&c->kills, c->dir, state) < 0)
		c->kills = old;
	/* With the program; without a recording there is what the console said. */
	recover_runs(state, c->store, console, false);
}

static void take_store(struct campaign *c, struct instance *i)
{
	char path[PATH_MAX], err[STORE_ERR_MAX];
	struct store *s;

	snprintf(path, sizeof(path), "%s/out/findings/findings.db", i->dir);
	if (access(path, F_OK) < 0 || store_open(c->store, &s, err) < 0)
		return;
	snprintf(path, sizeof(path), "%s/out/findings", i->dir);
	if (store_merge(s, path, err) < 0)
		log_warn("%s", err);
	store_close(s);
}

/* The last thing that the script said of itself. */
static void take_reason(struct campaign *c, struct instance *i)
{
	char path[PATH_MAX], *cursor, *line;
	_cleanup_free_ char *text = NULL;
	size_t len;

	snprintf(path, sizeof(path), "%s/vm.log", i->dir);
	text = (char *)corpus_slurp(path, &len);
	for (cursor = text; text && (line = strsep(&cursor, "\n"));)
		if (strncmp(line, "vm: ", 4) == 0 || strncmp(line, "sunder: ", 8) == 0)
			if (strncmp(line, "vm: exit", 8) != 0)
				snprintf(c->trouble, sizeof(c->trouble), "%s: %.150s", i->name,
					line);
}

static bool guest_ended(struct campaign *c, struct instance *i, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_USAGE;
	bool lost = code == EXIT_LOST && !c->stopping, killed = WIFSIGNALED(status);

	receive(c, i);
	watch_console(c, i, true);
	take_remains(c, i, lost);
	take_store(c, i);
	if (lost) {
		i->lost++;
		campaign_look(c);
		/* Without that file it was the harness that would not go on with the kernel: it has filed why. */
		if (has(i->dir, "out/findings/guest-lost.txt"))
			file_lost(c, i);
	} else if (killed) {
		log_warn("%s: the guest was killed", i->name);
	} else if (code != EXIT_CLEAN && code != EXIT_FINDING) {
		take_reason(c, i);
	}
	close_guest(i);
	return c->o->work == CAMPAIGN_FUZZ || lost || killed;
}

static void guest_stop(struct campaign *c, struct instance *i, bool hard)
{
	if (!hard && i->told)
		return;
	kill(i->pid, SIGTERM); /* once: the command in it ends; twice: the guest */
	i->told = true;
}

/* ---- starting ---- */

static int spawn(struct campaign *c, struct instance *i, struct words *w)
{
	char log[PATH_MAX];

	snprintf(log, sizeof(log), "%s/vm.log", i->dir);
	i->pid = fork();
	if (i->pid < 0) {
		i->pid = 0;
		return -errno;
	}
	if (i->pid)
		return 0;
	campaign_become(log, SIGKILL); /* and QEMU with it */
	execv(w->word[0], w->word);
	_exit(EXIT_USAGE);
}

static int guest_start(struct campaign *c, struct instance *i)
{
	char in[PATH_MAX] = "", out[PATH_MAX] = "";
	struct words w = {0};
	int r = c->script ? 0 : -ENOENT;

	close_guest(i);
	clean_up(c, i);
	if (r == 0)
		r = make_boot_dir(c, i);
	if (r == 0)
		r = make_disk(i, "in", in, sizeof(in));
	if (r == 0)
		r = make_disk(i, "link", out, sizeof(out));
	if (r == 0)
		r = link_open_writer(in, NULL, &i->in);
	if (r == 0)
		r = link_open_reader(out, NULL, &i->out);
	if (r == 0)
		r = fill(c, i);
	if (r == 0 && klog_new(&i->klog, NULL) < 0)
		r = -ENOMEM;
	if (r == 0) {
		compose(c, i, &w, in, out);
		r = spawn(c, i, &w);
		words_free(&w);
	}
	if (r < 0)
		snprintf(c->trouble, sizeof(c->trouble), "%s: no guest: %.100s", i->name,
			strerror(-r));
	else if (i->starts > 1)
		c->reboots++;
	return r;
}

const struct campaign_way campaign_guests = {.start = guest_start,
	.tick = guest_tick,
	.ended = guest_ended,
	.stop = guest_stop,
	.stop_s = 75};
