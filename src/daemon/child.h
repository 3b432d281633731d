/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that the daemon starts, each in a group of its own, with its words in a file. */
#ifndef SUNDER_DAEMON_CHILD_H
#define SUNDER_DAEMON_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHILD_MAX_WORDS = 64 };

struct child_how {
	const char *word[CHILD_MAX_WORDS + 1]; /* NULL-terminated; word[0] is looked up in PATH */
	unsigned int nwords;
	const char *out; /* file of its stdout, made anew; NULL: as `log` */
	const char *log; /* file of its stderr, appended to */
	const char *cpus; /* list of CPUs that it may use; "" or NULL: all */
	int cgroup; /* fd of the cgroup that it joins; -1: none */
};

/* Adds a word; what does not fit is dropped (and child_start() fails). */
void child_say(struct child_how *h, const char *word);
void child_say_option(struct child_how *h, const char *option, const char *value);

/* Its pid, or -errno. It gets TERM when the daemon dies. */
pid_t child_start(const struct child_how *h);

/* Field 22 of /proc/PID/stat; 0: there is no such process. */
uint64_t child_start_time(pid_t pid);

/* True if that process is still there (a zombie is not). */
bool child_is_there(pid_t pid, uint64_t start_time);

#endif
