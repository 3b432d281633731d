/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run.h"

/*
 * In: a line with the seconds, the program, "@@". Out: whatever it says, "@@ CODE", the summary, "@@".
 * No program and no summary has a line that begins so.
 */
static const char loop[] =
	"n=0\n"
	"while read -r seconds; do\n"
	"	n=$((n + 1))\n"
	"	while IFS= read -r line && [ \"$line\" != @@ ]; do\n"
	"		printf '%%s\\n' \"$line\"\n"
	"	done >/tmp/program.txt\n"
	"	sunder replay --until-finding --quiet --seconds \"$seconds\" %s%s --output "
	"/out/run-$n --state /out/state /tmp/program.txt </dev/null\n"
	"	echo \"@@ $?\"\n"
	"	cat /out/run-$n/summary.json\n"
	"	printf '\\n@@\\n'\n"
	"done\n";

struct session {
	pid_t pid;
	int in, out, signals, log;
	unsigned int runs;
	char *line; /* what has come of one */
	size_t len, size;
};

char *session_command(const char *allow)
{
	char *text;

	return asprintf(&text, loop, allow ? "--allow " : "", allow ? allow : "") < 0 ? NULL : text;
}

static _Noreturn void become(char *const argv[], int in, int out)
{
	sigset_t none;

	/* A group of its own: what is typed at the terminal comes to it through us, once. */
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execv(argv[0], argv);
	_exit(EXIT_USAGE);
}

static int open_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static void release(struct session *s)
{
	if (s->in >= 0)
		close(s->in);
	if (s->out >= 0)
		close(s->out);
	if (s->signals >= 0)
		close(s->signals);
	if (s->log >= 0)
		close(s->log);
	free(s->line);
	free(s);
}

static int start(struct session *s, char *const argv[], const char *log)
{
	_cleanup_close_ int in = -1, out = -1;
	int pipe_in[2], pipe_out[2];

	s->log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (s->log < 0)
		return -errno;
	s->signals = open_signals();
	if (s->signals < 0)
		return s->signals;
	if (pipe2(pipe_in, O_CLOEXEC) < 0)
		return -errno;
	in = pipe_in[0];
	s->in = pipe_in[1];
	if (pipe2(pipe_out, O_CLOEXEC) < 0)
		return -errno;
	s->out = pipe_out[0];
	out = pipe_out[1];
	s->pid = fork();
	if (s->pid == 0)
		become(argv, in, out);
	return s->pid < 0 ? -errno : 0;
}

int session_open(char *const argv[], const char *log, struct session **ret)
{
	struct session *s = malloc(sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	*s = (struct session){.in = -1, .out = -1, .signals = -1, .log = -1};
	signal(SIGPIPE, SIG_IGN); /* its end is seen by EPIPE */
	r = start(s, argv, log);
	if (r < 0) {
		release(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* ---- lines ---- */

static int told_to_stop(struct session *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	kill(s->pid, (int)info.ssi_signo);
	return -EINTR;
}

/* More of its output, as it comes. */
static int hear(struct session *s)
{
	struct pollfd p[2] = {
		{.fd = s->out, .events = POLLIN}, {.fd = s->signals, .events = POLLIN}};
	ssize_t n;
	char *more;

	if (s->size - s->len < 65536) {
		more = realloc(s->line, s->size + 131072);
		if (!more)
			return -ENOMEM;
		s->line = more;
		s->size += 131072;
	}
	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	if (p[1].revents)
		return told_to_stop(s);
	n = read(s->out, s->line + s->len, s->size - s->len - 1);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	if (write(s->log, s->line + s->len, (size_t)n) < 0) {
		/* The log is for reading only. */
	}
	s->len += (size_t)n;
	return 0;
}

/* The next line without its end; freed by the caller. */
static int next_line(struct session *s, char **ret)
{
	char *end;

	while (!(end = memchr(s->line ? s->line : "", '\n', s->len))) {
		int r = hear(s);

		if (r < 0)
			return r;
	}
	*ret = strndup(s->line, (size_t)(end - s->line));
	s->len -= (size_t)(end + 1 - s->line);
	memmove(s->line, end + 1, s->len);
	if (!*ret)
		return -ENOMEM;
	(*ret)[strcspn(*ret, "\r")] = '\0';
	return 0;
}

/* What is looked for: a finding's title is told as "sunder: FINDING TITLE -> DIR". */
struct wanted {
	bool (*is)(const void *arg, const char *title);
	const void *arg;
	bool oops, seen;
};

static void look_at(struct wanted *w, char *line)
{
	static const char word[] = "sunder: FINDING ";
	char *title = strstr(line, word), *end;

	w->oops |= strstr(line, "Oops: ") || strstr(line, "kernel BUG at ");
	if (!title)
		return;
	title += strlen(word);
	end = strstr(title, " -> ");
	if (end)
		*end = '\0';
	w->seen |= w->is(w->arg, title);
}

static int find_code(struct session *s, struct wanted *w, int *ret_code)
{
	while (!w->oops || !w->seen) {
		_cleanup_free_ char *line = NULL;
		int r = next_line(s, &line);

		if (r < 0)
			return r;
		if (sscanf(line, "@@ %d", ret_code) == 1)
			return 0;
		look_at(w, line);
	}
	return -ECANCELED;
}

static int find_summary(struct session *s, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	bool ended = false;
	int r = f ? 0 : -ENOMEM;

	while (r == 0 && !ended) {
		_cleanup_free_ char *line = NULL;

		r = next_line(s, &line);
		ended = r == 0 && strcmp(line, "@@") == 0;
		if (r == 0 && !ended)
			fprintf(f, "%s\n", line);
	}
	if (f && fclose(f) != 0)
		r = -ENOMEM;
	if (r == 0)
		*ret = TAKE_PTR(text);
	return r;
}

/* ---- programs ---- */

static int tell(struct session *s, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(s->in, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

int session_run(struct session *s, const char *program, double seconds,
	bool (*is)(const void *arg, const char *title), const void *arg, int *ret_code,
	char **ret_summary)
{
	struct wanted w = {.is = is, .arg = arg};
	_cleanup_free_ char *text = NULL;
	int len = asprintf(
		&text, "%.0fms\n%s\n@@\n", seconds * 1000 < 1 ? 1 : seconds * 1000, program);
	int r = len < 0 ? -ENOMEM : tell(s, text, (size_t)len);

	s->runs++;
	if (r == 0)
		r = find_code(s, &w, ret_code);
	return r < 0 ? r : find_summary(s, ret_summary);
}

unsigned int session_runs(const struct session *s)
{
	return s->runs;
}

int session_close(struct session *s)
{
	int status = -1;

	kill(s->pid, SIGTERM);
	kill(s->pid,
		SIGINT); /* a second one ends the guest; the same one could melt into the first */
	while (hear(s) >= 0)
		s->len = 0;
	while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
		;
	release(s);
	return status;
}
