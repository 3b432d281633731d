/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "plan/number.h"

enum { EXIT_NOT_STARTED = 2, CPUS_MAX = 4096 };

void child_say(struct child_how *h, const char *word)
{
	if (h->nwords <= CHILD_MAX_WORDS)
		h->word[h->nwords++] = word;
}

void child_say_option(struct child_how *h, const char *option, const char *value)
{
	if (!value || !*value)
		return;
	child_say(h, option);
	child_say(h, value);
}

static int open_words(const char *path, int flags)
{
	return open(path ? path : "/dev/null", O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
}

static void take_files(const struct child_how *h)
{
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC), err = open_words(h->log, O_APPEND);
	int out = h->out ? open_words(h->out, O_TRUNC) : err;

	if (in < 0 || err < 0 || out < 0)
		_exit(EXIT_NOT_STARTED);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
}

static void take_cpus(const char *list)
{
	static bool set[CPUS_MAX];
	cpu_set_t *cpus = CPU_ALLOC(CPUS_MAX);
	size_t size = CPU_ALLOC_SIZE(CPUS_MAX);

	if (!list || !*list || !cpus || number_parse_list(list, set, CPUS_MAX) < 0)
		return;
	CPU_ZERO_S(size, cpus);
	for (size_t i = 0; i < CPUS_MAX; i++)
		if (set[i])
			CPU_SET_S(i, size, cpus);
	if (sched_setaffinity(0, size, cpus) < 0)
		fprintf(stderr, "sunderd: cpus = %s: %s\n", list, strerror(errno));
}

/* The daemon may be spared by the OOM killer; what it starts is not. */
static void be_killable(void)
{
	char text[16];

	if (path_read("/proc/self/oom_score_adj", text, sizeof(text)) > 0 && text[0] == '-')
		path_write("/proc/self/oom_score_adj", "0");
}

static void join(int cgroup)
{
	_cleanup_close_ int fd =
		cgroup < 0 ? -1 : openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (cgroup >= 0 && (fd < 0 || write(fd, "0", 1) != 1))
		fprintf(stderr, "sunderd: the cgroup of the budget cannot be joined: %s\n",
			strerror(errno));
}

pid_t child_start(const struct child_how *h)
{
	pid_t parent = getpid(), pid;
	sigset_t none;

	if (!h->nwords || h->nwords > CHILD_MAX_WORDS)
		return -E2BIG;
	pid = fork();
	if (pid)
		return pid < 0 ? -errno : pid;
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_NOT_STARTED);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	take_files(h);
	be_killable();
	join(h->cgroup);
	take_cpus(h->cpus);
	unsetenv("NOTIFY_SOCKET"); /* of the daemon alone */
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	execvp(h->word[0], (char *const *)h->word);
	fprintf(stderr, "sunderd: %s: %s\n", h->word[0], strerror(errno));
	_exit(EXIT_NOT_STARTED);
}

/* The state letter, and field 22. False: there is none. */
static bool read_stat(pid_t pid, char *ret_state, uint64_t *ret_start)
{
	char path[64], text[1024], *at;
	unsigned long long start;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (pid <= 0 || path_read(path, text, sizeof(text)) <= 0)
		return false;
	at = strrchr(text, ')'); /* the name in parentheses may hold anything */
	if (!at || sscanf(at,
			   ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
			   "%*s %*s %llu",
			   ret_state, &start) != 2)
		return false;
	*ret_start = start;
	return true;
}

uint64_t child_start_time(pid_t pid)
{
	uint64_t start;
	char state;

	return read_stat(pid, &state, &start) ? start : 0;
}

bool child_is_there(pid_t pid, uint64_t start_time)
{
	uint64_t start;
	char state;

	return read_stat(pid, &state, &start) && start == start_time && state != 'Z';
}
