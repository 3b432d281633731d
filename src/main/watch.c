/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/client.h"
#include "report/report.h"
#include "status_text.h"

/* A view takes what a terminal of 80 x 24 has, and more where there is more. */
enum { EVERY_MS = 1000, COLUMNS_LEAST = 40, ROWS_LEAST = 10, TEXT_MAX = 512, PAST = 240 };

static const char enter[] = "\033[?1049h\033[?25l", leave[] = "\033[?25h\033[?1049l";

struct view {
	FILE *out;
	int columns, rows, row;
	char *text;
	size_t len;
	/* Of each second so far: rates for the lines of blocks, by node and at last of all. */
	float past[65][PAST];
	unsigned int npast;
};

/* ---- lines ---- */

/* One line of text that is cut at the terminal's width. style: "" or an SGR sequence. */
static void put(struct view *v, const char *style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void put(struct view *v, const char *style, const char *fmt, ...)
{
	char line[TEXT_MAX];
	va_list ap;
	int shown = 0;
	char *p = line;

	if (v->row >= v->rows)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (; *p && shown < v->columns; p++)
		shown += ((unsigned char)p[1] & 0xc0) != 0x80; /* the byte ends a character */
	*p = '\0';
	fprintf(v->out, "\033[%d;1H%s%s%s\033[K", ++v->row, style, line, *style ? "\033[0m" : "");
}

static const char *bold = "\033[1m", *dim = "\033[2m";

static const char *style_of(const char *health)
{
	return strcmp(health, "ok") == 0    ? "\033[1;32m"
	       : strcmp(health, "bad") == 0 ? "\033[1;31m"
					    : "\033[1;33m";
}

/* The last values as blocks, the greatest of them as a full one. */
static const char *blocks(
	const float *past, unsigned int n, unsigned int width, char *buf, size_t size)
{
	static const char *const levels[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	unsigned int from = n > width ? n - width : 0;
	float most = 0;
	size_t at = 0;

	for (unsigned int i = from; i < n; i++)
		most = past[i] > most ? past[i] : most;
	for (unsigned int i = from; i < n && at + 4 < size; i++) {
		int level = most > 0 ? (int)ceilf(past[i] / most * 8) : 0;

		at += (size_t)snprintf(buf + at, size - at, "%s", levels[level < 0 ? 0 : level]);
	}
	buf[at] = '\0';
	return buf;
}

static void remember(struct view *v, unsigned int line, double value)
{
	v->past[line][v->npast - 1] = (float)value;
}

static void shift(struct view *v)
{
	if (v->npast < PAST) {
		v->npast++;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(v->past); i++)
		memmove(&v->past[i][0], &v->past[i][1], (PAST - 1) * sizeof(float));
}

/* ---- the view ---- */

static void put_head(struct view *v, const json_t *doc)
{
	char health[16], why[256], host[80], kernel[80], state[32], up[STATUS_WORD_MAX];

	status_get(doc, "health", health, sizeof(health));
	put(v, style_of(health), "%s: %s", health, status_get(doc, "why", why, sizeof(why)));
	put(v, dim, "%s, %s, %s, up %s", status_get(doc, "host", host, sizeof(host)),
		status_get(doc, "kernel", kernel, sizeof(kernel)),
		status_get(doc, "state", state, sizeof(state)),
		status_span(status_number(doc, "uptime_s"), up));
}

static void put_slice(struct view *v, const json_t *doc)
{
	const json_t *s = json_object_get(doc, "slice"), *r = json_object_get(doc, "rates");
	char a[160], b[160], n[5][STATUS_WORD_MAX], line[TEXT_MAX];

	if (!json_is_object(s)) {
		put(v, "", "nothing runs");
		return;
	}
	put(v, bold, "%s  %s", status_get(s, "campaign", a, sizeof(a)),
		status_get(s, "turn", b, sizeof(b)));
	put(v, "", "%s gone, %s left, seed %s", status_span(status_number(s, "elapsed_s"), n[0]),
		status_span(status_number(s, "left_s"), n[1]), status_get(s, "seed", a, sizeof(a)));
	put(v, "", "%9s ops/s  %9s migrated/s  %9s split/s  %9s collapsed/s  overlap %.0f%%",
		status_amount(status_number(r, "ops_per_s"), n[0]),
		status_amount(status_number(r, "migrated_pages_per_s"), n[1]),
		status_amount(status_number(r, "split_per_s"), n[2]),
		status_amount(status_number(r, "collapsed_per_s"), n[3]),
		100 * status_number(r, "overlap"));
	put(v, "", "%9s %s", "ops/s",
		blocks(v->past[64], v->npast, (unsigned int)v->columns - 11, line, sizeof(line)));
}

static void put_nodes(struct view *v, const json_t *doc)
{
	const json_t *c;
	char n[3][STATUS_WORD_MAX], line[TEXT_MAX];
	size_t i;

	put(v, dim, "node  busy        free  huge pages  migrated to/s");
	json_array_foreach(json_object_get(doc, "nodes"), i, c)
	{
		if (i == 64 || v->row > v->rows * 2 / 3)
			break;
		put(v, "", "%4.0f  %3.0f%%  %10s  %10s  %13s  %s", status_number(c, "id"),
			100 * status_number(c, "busy"),
			status_bytes(status_number(c, "free"), n[0]),
			status_bytes(status_number(c, "anon_huge") +
					     status_number(c, "shmem_huge") +
					     status_number(c, "file_huge"),
				n[1]),
			status_amount(status_number(c, "migrated_to_per_s"), n[2]),
			v->columns > 60 ? blocks(v->past[i], v->npast,
						  (unsigned int)v->columns - 52, line, sizeof(line))
					: "");
	}
}

/* Those that judge, and those that found something; a skip is told by `sunder status --json`. */
static void put_oracles(struct view *v, const json_t *doc)
{
	const json_t *list = json_object_get(json_object_get(doc, "slice"), "oracles"), *verdict;
	char ok[TEXT_MAX] = "", bad[TEXT_MAX] = "";
	const char *name;

	json_object_foreach((json_t *)list, name, verdict)
	{
		const char *word = json_string_value(verdict);
		bool is_ok = word && strcmp(word, "finding") != 0;
		char *at = is_ok ? ok : bad;
		size_t len = strlen(at);

		if (word && strncmp(word, "skipped", 7) != 0)
			snprintf(at + len, TEXT_MAX - len, " %s", name);
	}
	if (*bad)
		put(v, "\033[1;31m", "found something:%s", bad);
	if (*ok)
		put(v, "", "judging, nothing wrong:%s", ok);
}

static void put_findings(struct view *v, const json_t *doc)
{
	const json_t *f = json_object_get(doc, "findings"), *one;
	char title[256], status[32], last[40];
	size_t i;

	put(v, bold, "findings %.0f, new %.0f", status_number(f, "total"), status_number(f, "new"));
	json_array_foreach(json_object_get(f, "list"), i, one)
	{
		if (v->row >= v->rows - 4)
			return;
		put(v, "", "%-8s %s  %s", status_get(one, "status", status, sizeof(status)),
			status_get(one, "last", last, sizeof(last)),
			status_get(one, "title", title, sizeof(title)));
	}
}

static void put_events(struct view *v, const json_t *doc)
{
	const json_t *events = json_object_get(doc, "events"), *e;
	size_t n = json_array_size(events),
	       room = v->rows > v->row + 1 ? (size_t)(v->rows - v->row - 1) : 0;
	char text[400], campaign[40], at[16];

	for (size_t i = n > room ? n - room : 0; i < n; i++) {
		time_t t;
		struct tm tm;

		e = json_array_get(events, i);
		t = (time_t)json_integer_value(json_object_get(e, "time"));
		strftime(at, sizeof(at), "%H:%M:%S", localtime_r(&t, &tm));
		put(v, dim, "%s %s %s", at, status_get(e, "campaign", campaign, sizeof(campaign)),
			status_get(e, "text", text, sizeof(text)));
	}
}

static void draw(struct view *v, const json_t *doc)
{
	v->row = 0;
	put_head(v, doc);
	put(v, "", "%s", "");
	put_slice(v, doc);
	put(v, "", "%s", "");
	put_nodes(v, doc);
	put(v, "", "%s", "");
	put_oracles(v, doc);
	put_findings(v, doc);
	put_events(v, doc);
	fprintf(v->out, "\033[J");
}

static void take_rates(struct view *v, const json_t *doc)
{
	const json_t *c;
	size_t i;

	shift(v);
	remember(v, 64, status_number(json_object_get(doc, "rates"), "ops_per_s"));
	json_array_foreach(json_object_get(doc, "nodes"), i, c) if (i < 64)
		remember(v, (unsigned int)i, status_number(c, "migrated_to_per_s"));
}

static void measure(struct view *v)
{
	struct winsize w;

	v->columns = 80;
	v->rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col && w.ws_row) {
		v->columns = w.ws_col;
		v->rows = w.ws_row;
	}
	v->columns = v->columns < COLUMNS_LEAST ? COLUMNS_LEAST : v->columns;
	v->rows = v->rows < ROWS_LEAST ? ROWS_LEAST : v->rows;
}

/* Written at once, so that it does not flicker. */
static void show(struct view *v, const json_t *doc, const char *trouble)
{
	char *text = NULL;
	size_t len = 0;

	v->out = open_memstream(&text, &len);
	if (!v->out)
		return;
	measure(v);
	if (doc) {
		draw(v, doc);
	} else {
		v->row = 0;
		put(v, "\033[1;31m", "%s", trouble);
		put(v, dim, "tried again each second; q ends");
		fprintf(v->out, "\033[J");
	}
	fclose(v->out);
	if (write(STDOUT_FILENO, text, len) < 0) {
		/* The terminal is gone: the next poll says so. */
	}
	free(text);
}

/* ---- the loop ---- */

struct source {
	const char *socket;
	struct client_link *link;
	json_t *status; /* the last one */
	char err[CLIENT_ERR_MAX];
};

static void ask(struct source *s)
{
	const struct message m = {.what = MESSAGE_STATUS};
	json_t *doc;
	int r = s->link ? 0 : client_open(s->socket, &s->link, s->err);

	json_decref(s->status);
	s->status = NULL;
	if (r == 0)
		r = client_send(s->link, &m, s->err);
	if (r == 0)
		r = client_receive(s->link, 5 * EVERY_MS, &doc, s->err);
	if (r == -EAGAIN)
		snprintf(s->err, sizeof(s->err), "sunderd does not answer");
	if (r < 0) {
		client_close(s->link);
		s->link = NULL;
		return;
	}
	s->status = json_incref(json_object_get(doc, "status"));
	json_decref(doc);
}

static long ms_until(const struct timespec *next)
{
	struct timespec now;
	long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (next->tv_sec - now.tv_sec) * 1000 + (next->tv_nsec - now.tv_nsec) / 1000000;
	return ms > 0 ? ms : 0;
}

/* True: it is time to end. */
static bool take_input(const struct pollfd fds[2])
{
	struct signalfd_siginfo si;
	char key;

	if (fds[0].revents && read(STDIN_FILENO, &key, 1) != 1)
		return true; /* the terminal is gone */
	if (fds[0].revents && (key == 'q' || key == 'Q' || key == 3))
		return true;
	if (fds[1].revents && read(fds[1].fd, &si, sizeof(si)) == sizeof(si))
		return si.ssi_signo != SIGWINCH;
	return false;
}

static void watch_loop(struct source *s, struct view *v, int signals)
{
	struct timespec next;
	bool ends = false;

	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!ends) {
		struct pollfd fds[2] = {{STDIN_FILENO, POLLIN, 0}, {signals, POLLIN, 0}};
		long wait = ms_until(&next);

		if (!wait) {
			ask(s);
			if (s->status)
				take_rates(v, s->status);
			clock_gettime(CLOCK_MONOTONIC, &next);
			next.tv_sec++;
		}
		show(v, s->status, s->err);
		if (poll(fds, 2, (int)ms_until(&next)) > 0)
			ends = take_input(fds);
	}
}

int watch_status(const char *socket)
{
	static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP};
	struct source s = {.socket = socket};
	struct view *v = calloc(1, sizeof(*v));
	struct termios found, raw;
	sigset_t set;
	int signals;

	if (!v || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
		tcgetattr(STDIN_FILENO, &found) < 0) {
		log_error("status --watch: standard input and output are no terminal");
		free(v);
		return EXIT_USAGE;
	}
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	raw = found;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	if (write(STDOUT_FILENO, enter, sizeof(enter) - 1) > 0 && signals >= 0)
		watch_loop(&s, v, signals);
	tcsetattr(STDIN_FILENO, TCSANOW, &found);
	if (write(STDOUT_FILENO, leave, sizeof(leave) - 1) < 0)
		log_error("the terminal is gone");
	client_close(s.link);
	json_decref(s.status);
	cleanup_close(&signals);
	free(v);
	return EXIT_CLEAN;
}
