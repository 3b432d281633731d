/* SPDX-License-Identifier: GPL-2.0-or-later */
/* After a crash: what was running, and what the kernel said, become a finding. */
#include "recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "exec/flight.h"
#include "finding/store.h"
#include "klog/klog.h"

enum { LOG_MAX = 64 << 20, TAIL_LINES = 120 };

/* What the dead kernel left: its reports, and the marks of the last rounds. */
struct remains {
	char *title, *alt, *report; /* of the first report that is a crash; NULL: none */
	char *tail; /* the end of the longest log; NULL: none */
	char from[512]; /* files that were read */
	struct {
		unsigned int crew;
		uint64_t round;
	} mark; /* from pmsg */
	bool marked;
};

static void remains_free(struct remains *m)
{
	free(m->title);
	free(m->alt);
	free(m->report);
	free(m->tail);
}

/* ---- reading ---- */

static char *read_whole(const char *path, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t len = 0, size = 1 << 16;
	char *buf;

	if (fd < 0 || fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
		return NULL;
	buf = malloc(size + 1);
	while (buf) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len == size && size < LOG_MAX) {
			char *more = realloc(buf, 2 * size + 1);

			if (!more)
				break;
			buf = more;
			size *= 2;
		} else if (len == size) {
			break;
		}
	}
	if (buf)
		buf[len] = '\0';
	*ret_len = len;
	return buf;
}

static char *last_lines(const char *text, size_t len, unsigned int lines)
{
	const char *p = text + len;

	while (p > text) {
		if (p[-1] == '\n' && p != text + len && lines-- == 0)
			break;
		p--;
	}
	return strndup(p, (size_t)(text + len - p));
}

static char *join(const char *const *list, size_t n)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s%s", i ? "\n" : "", list[i]);
	return fclose(f) == 0 ? text : NULL;
}

/* The first crash that a log tells of. True if it has one. */
static bool take_report(struct remains *m, const char *text, size_t len)
{
	const struct klog_report *r;
	struct klog *k;

	if (klog_new(&k, NULL) < 0)
		return false;
	if (klog_push(k, text, len) == 0 && klog_flush(k) == 0)
		while (!m->title && (r = klog_next(k))) {
			if (!r->crash)
				continue;
			m->title = strdup(r->title);
			m->alt = join(r->alt, r->nalt);
			m->report = strndup(r->text, r->text_len);
		}
	klog_free(k);
	return m->title != NULL;
}

static void take_marks(struct remains *m, const char *text, uint64_t seed)
{
	for (const char *p = text; (p = strstr(p, "sunder seed=")); p++) {
		uint64_t of, round;
		unsigned int crew;

		if (!flight_parse_mark(p, &of, &crew, &round) || of != seed)
			continue;
		m->marked = true;
		m->mark.crew = crew;
		m->mark.round = round;
	}
}

static void take_file(struct remains *m, const char *path, uint64_t seed)
{
	size_t len, used = strlen(m->from);
	_cleanup_free_ char *text = read_whole(path, &len);

	if (!text || !len)
		return;
	if (strstr(path, "pmsg")) {
		take_marks(m, text, seed);
	} else {
		if (!m->title)
			take_report(m, text, len);
		if (!m->tail || strlen(m->tail) < 512) {
			free(m->tail);
			m->tail = last_lines(text, len, TAIL_LINES);
		}
	}
	snprintf(m->from + used, sizeof(m->from) - used, "%s%s", used ? ", " : "", path);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Reports that the dying kernel dumped come before what the console had: dmesg-... sorts after console-..., so last first. */
static void take_pstore(struct remains *m, const char *dir, time_t since, uint64_t seed)
{
	struct dirent **list;
	int n = scandir(dir, &list, NULL, by_name);

	for (int i = n - 1; i >= 0; i--) {
		_cleanup_free_ char *path = NULL;
		struct stat st;

		/* Records of an earlier crash may still be there: pstore dates them. */
		if (list[i]->d_name[0] != '.' &&
			asprintf(&path, "%s/%s", dir, list[i]->d_name) > 0 &&
			stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
			(st.st_mtime >= since || !strstr(list[i]->d_name, "dmesg")))
			take_file(m, path, seed);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

/* kdump-tools leaves /var/crash/STAMP/dmesg.STAMP. */
static void take_kdump(struct remains *m, time_t since, uint64_t seed)
{
	DIR *top = opendir("/var/crash");
	struct dirent *d, *e;

	while (top && (d = readdir(top))) {
		_cleanup_free_ char *dir = NULL;
		DIR *sub;

		if (d->d_name[0] == '.' || asprintf(&dir, "/var/crash/%s", d->d_name) < 0)
			continue;
		sub = opendir(dir);
		while (sub && (e = readdir(sub))) {
			_cleanup_free_ char *path = NULL;
			struct stat st;

			if (strncmp(e->d_name, "dmesg", 5) == 0 &&
				asprintf(&path, "%s/%s", dir, e->d_name) > 0 &&
				stat(path, &st) == 0 && st.st_mtime >= since)
				take_file(m, path, seed);
		}
		if (sub)
			closedir(sub);
	}
	if (top)
		closedir(top);
}

/* ---- the finding ---- */

static time_t parse_time(const char *iso)
{
	struct tm tm = {0};

	return strptime(iso, "%Y-%m-%dT%H:%M:%SZ", &tm) ? timegm(&tm) : 0;
}

static int print_round(const struct flight_round *r, FILE *f)
{
	_cleanup_free_ struct program *p = malloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	program_decode(p, r->bytes, r->len);
	return program_print(p, f);
}

/* The program that most likely was running: the marked one, else the last of the crew that was granted last. */
static const struct flight_round *likely(
	const struct flight_log *l, const struct remains *m, unsigned int *ret_crew)
{
	const struct flight_round *best = NULL;

	for (unsigned int i = 0; i < l->ncrews; i++) {
		const struct flight_crew *c = &l->crew[i];

		for (unsigned int k = 0; k < c->n; k++) {
			bool marked =
				m->marked && m->mark.crew == i && m->mark.round == c->last[k].round;

			if (!marked && (m->marked || k + 1 < c->n ||
					       (best && best->round >= c->last[k].round)))
				continue;
			best = &c->last[k];
			*ret_crew = i;
			if (marked)
				return best;
		}
	}
	return best;
}

static char *describe(const struct flight_log *l, const struct remains *m)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	fprintf(f,
		"the kernel died while this run was going on, or the machine was reset\nlog       "
		"%s\n",
		m->from[0] ? m->from : "none (no pstore, kdump or saved console; see --log)");
	if (m->marked)
		fprintf(f, "mark      crew %u, round %" PRIu64 " was the last to start\n",
			m->mark.crew, m->mark.round);
	for (unsigned int i = 0; i < l->ncrews; i++)
		if (l->crew[i].to)
			fprintf(f,
				"crew %u    rounds below %" PRIu64
				" were granted, the last batch began at %" PRIu64 "\n",
				i, l->crew[i].to, l->crew[i].from);
	if (m->report)
		fprintf(f, "\n%s\n", m->report);
	else if (m->tail)
		fprintf(f, "\nthe end of the log:\n%s\n", m->tail);
	fputs("\nprograms of the last rounds:\n", f);
	for (unsigned int i = 0; i < l->ncrews; i++)
		for (unsigned int k = 0; k < l->crew[i].n; k++) {
			fprintf(f, "\n# crew %u, round %" PRIu64 "\n", i, l->crew[i].last[k].round);
			print_round(&l->crew[i].last[k], f);
		}
	return fclose(f) == 0 ? text : NULL;
}

static char *program_text(
	const struct flight_log *l, const struct flight_round *r, unsigned int crew)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = r ? open_memstream(&text, &len) : NULL;

	if (!f)
		return NULL;
	fprintf(f, "# crew %u, round %" PRIu64 ", seed %" PRIu64 "\n%s", crew, r->round,
		l->about.seed, l->crew[crew].around);
	print_round(r, f);
	return fclose(f) == 0 ? text : NULL;
}

static int file_finding(const struct flight_log *l, const struct remains *m, const char *store_dir,
	const char *name)
{
	unsigned int crew = 0;
	const struct flight_round *r = likely(l, m, &crew);
	_cleanup_free_ char *evidence = describe(l, m), *program = program_text(l, r, crew);
	time_t now = time(NULL);
	struct store_sight x = {.title = m->title ? m->title : "kernel lost, and no log of it",
		.alt = m->alt,
		.oracle = "klog",
		.run = name,
		.kernel = l->about.kernel,
		.machine = l->about.host,
		.boot_id = l->about.boot_id,
		.job = l->about.job,
		.version = SUNDER_VERSION,
		.program = program,
		.evidence = evidence,
		.output = l->about.output,
		.seed = l->about.seed,
		.round = r ? r->round : 0,
		.count = 1,
		.crew = r ? (int)crew : -1,
		.lane = -1,
		.first = parse_time(l->about.started),
		.last = now};
	char err[STORE_ERR_MAX];
	struct store *s;
	int e = store_open(store_dir, &s, err);

	log_note("the kernel died during the run of %s that started %s: %s", l->about.job,
		l->about.started, x.title);
	if (e < 0) {
		log_warn("%s", err);
		store_add_unfiled(store_dir, &x);
		return e;
	}
	e = store_add(s, &x);
	store_close(s);
	return e;
}

/* 1: a finding; 0: none; -errno. */
static int recover_one(const char *path, const char *name, const char *boot_id,
	const char *store_dir, const char *log)
{
	struct flight_log l;
	struct remains m = {0};
	int r = flight_read(path, &l);

	if (r == -EBUSY)
		return 0;
	if (r < 0) {
		log_warn("%s: %s: left alone", path,
			r == -EBADMSG ? "not a whole recording" : strerror(-r));
		return 0;
	}
	if (strcmp(l.about.boot_id, boot_id) == 0) {
		/* This kernel lives: the run was killed. */
		log_note("the run of %s that started %s was killed", l.about.job, l.about.started);
		unlink(path);
		flight_log_free(&l);
		return 0;
	}
	if (log)
		take_file(&m, log, l.about.seed);
	take_pstore(&m, "/sys/fs/pstore", parse_time(l.about.started), l.about.seed);
	take_pstore(&m, "/var/lib/systemd/pstore", parse_time(l.about.started), l.about.seed);
	take_kdump(&m, parse_time(l.about.started), l.about.seed);
	r = file_finding(&l, &m, store_dir, name);
	if (r == 0)
		unlink(path);
	remains_free(&m);
	flight_log_free(&l);
	return r < 0 ? r : 1;
}

int recover_runs(const char *state_dir, const char *store_dir, const char *log, bool talk)
{
	char boot_id[FLIGHT_ID_MAX] = "";
	struct dirent **list;
	int n = scandir(state_dir, &list, NULL, by_name), found = 0, error = 0;

	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	path_read("/proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id));
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *path = NULL;

		if (strncmp(list[i]->d_name, "flight-", 7) == 0 &&
			asprintf(&path, "%s/%s", state_dir, list[i]->d_name) > 0) {
			int r = recover_one(path, list[i]->d_name, boot_id, store_dir, log);

			found += r > 0;
			error = r < 0 ? r : error;
		}
		free(list[i]);
	}
	free(list);
	if (talk && !found && !error)
		printf("no run died with its kernel (%s)\n", state_dir);
	return error ? error : found;
}
