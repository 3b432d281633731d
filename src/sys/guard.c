/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard: a process of its own session that does nothing until the ledger's owner is gone
 * without having restored, then waits for the executors (pools shrink only when nobody uses their
 * pages) and restores.
 *
 * Owner and executors hold the write end of a pipe. The owner's death shows on its pidfd, that of
 * all on the pipe.
 */
#include "ledger_entry.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { EXECUTORS_MS = 10000 };

static void close_all_but(int a, int b, int c)
{
	int keep[] = {STDERR_FILENO, a, b, c};
	unsigned int from = 0;

	/* By rising number; the gaps between the kept ones are closed. */
	for (;;) {
		unsigned int next = ~0U;

		for (size_t i = 0; i < ARRAY_SIZE(keep); i++)
			if (keep[i] >= 0 && (unsigned int)keep[i] >= from &&
				(unsigned int)keep[i] < next)
				next = (unsigned int)keep[i];
		if (next > from)
			close_range(from, next == ~0U ? next : next - 1, 0);
		if (next == ~0U)
			return;
		from = next + 1;
	}
}

static void settle(void)
{
	_cleanup_close_ int adj = -1;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "sunder-guard");
	if (chdir("/") < 0)
		log_detail("guard: chdir: %s", strerror(errno));
	/* The guard is needed most when memory has run out; a refusal changes nothing. */
	adj = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (adj >= 0 && write(adj, "-1000", 5) < 0)
		log_detail("guard: oom_score_adj: %s", strerror(errno));
}

/*
 * True: the owner (and all who hold the pipe, or the time for them is over) is gone. False: nothing
 * to do.
 */
static bool wait_for_death(int pipe_end, int owner_pidfd)
{
	struct pollfd p[2] = {
		{.fd = pipe_end, .events = POLLIN}, {.fd = owner_pidfd, .events = POLLIN}};
	char c;

	for (;;) {
		bool dead = p[1].fd < 0 && owner_pidfd >= 0;
		int n = poll(p, 2, dead ? EXECUTORS_MS : -1);

		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR)
			return true;
		if (n < 0)
			continue;
		if (p[0].revents)
			return read(pipe_end, &c, 1) != 1;
		if (p[1].revents)
			p[1].fd = -1;
	}
}

static void guard_main(struct ledger *l, int pipe_end, int owner_pidfd)
{
	struct ledger_state st;
	size_t undone = 0;

	close_all_but(l->fd, pipe_end, owner_pidfd);
	settle();
	if (!wait_for_death(pipe_end, owner_pidfd))
		_exit(0);
	l->owned = false;
	ledger_drop_entries(l);
	if (ledger_load(l, &st) == 0 && l->nentries > 0 && ftruncate(l->fd, l->end) == 0 &&
		ledger_restore(l, &undone) == 0)
		log_note("the run was killed; its %zu changes to this machine are undone", undone);
	/* The executors may hold copies of the fd: closing ours would not unlock. */
	flock(l->fd, LOCK_UN);
	_exit(0);
}

/* The middle of a double fork, so that the owner's wait(2) never meets the guard. */
static int fork_guard(struct ledger *l, int pipe_end, int owner_pidfd)
{
	pid_t middle, guard;
	int status;

	middle = fork();
	if (middle < 0)
		return -errno;
	if (middle == 0) {
		guard = fork();
		if (guard == 0)
			guard_main(l, pipe_end, owner_pidfd);
		_exit(guard < 0 ? errno : 0);
	}
	while (waitpid(middle, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

int ledger_guard(struct ledger *l)
{
	_cleanup_close_ int ours = -1, theirs = -1, pidfd = -1;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	theirs = fds[0];
	ours = fds[1];
	/* Without pidfds (before Linux 5.3, or filtered) the pipe alone tells. */
	pidfd = pidfd_open(l->owner, 0);
	ledger_share_lock(l, true);
	r = fork_guard(l, theirs, pidfd);
	ledger_share_lock(l, false);
	if (r < 0)
		return r;
	l->guard_pipe = TAKE_FD(ours);
	return 0;
}
