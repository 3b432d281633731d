/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that stays up for several attempts. Programs go to it by the standard input of `sunder vm --stdin`, the summaries of
 * their runs come back by its standard output.
 */
#ifndef SUNDER_MAIN_SESSION_H
#define SUNDER_MAIN_SESSION_H

#include <stdbool.h>

struct session;

/* The shell command that the guest must run (--shell). Its run N has /out/run-N. allow: NULL, or for --allow. Freed by the caller. */
char *session_command(const char *allow);

/* Starts it; what it says is appended to the file `log` besides. SIGINT and SIGTERM must be blocked. 0 or -errno. */
int session_open(char *const argv[], const char *log, struct session **ret);

/*
 * Runs a program for `seconds` at most. 0 with its exit code and its summary (freed by the caller; may be empty); -EPIPE: the guest is
 * gone, or ended; -EINTR: told to stop; -ECANCELED: its kernel has oopsed, and it has told of a finding whose title is() what is
 * looked for: what is left of the guest may hang.
 */
int session_run(struct session *s, const char *program, double seconds,
	bool (*is)(const void *arg, const char *title), const void *arg, int *ret_code,
	char **ret_summary);

/* How many programs were begun: the last one has /out/run-N. */
unsigned int session_runs(const struct session *s);

/* Ends the guest at once if it has not ended, and frees. Its wait status. */
int session_close(struct session *s);

#endif
