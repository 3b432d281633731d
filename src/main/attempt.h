/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One attempt: a program runs in fresh executors, as a child of this program or in a fresh guest, until it is found again what is
 * looked for, or the time is over.
 */
#ifndef SUNDER_MAIN_ATTEMPT_H
#define SUNDER_MAIN_ATTEMPT_H

#include "subject.h"

/* A guest that attempts share, for as long as what they find leaves its kernel whole. Starts as zeroes. */
struct attempt_guest {
	struct session *session; /* NULL: it has to be booted */
	char dir[512];
	double seconds; /* the longest attempt that its limit allows */
};

struct attempt_options {
	const char *dir; /* each attempt has its files in a directory below it */
	bool keep; /* those that found something stay */
	const char *state, *store, *tmp, *allow; /* handed on; NULL: not given */
	/* Of `sunder vm`, handed on; vm: its --kernel, NULL: no guest */
	const char *vm, *modules, *nodes, *cpus, *memory, *append;
	struct attempt_guest *guest; /* NULL: with vm, each has a guest of its own */
};

enum attempt_outcome {
	ATTEMPT_CLEAN, /* nothing was found */
	ATTEMPT_OTHER, /* something else was */
	ATTEMPT_BACK, /* it came back */
	ATTEMPT_NOTHING, /* nothing of the program can run there */
	ATTEMPT_ERROR,
	ATTEMPT_STOPPED, /* by a signal */
};

struct attempt_result {
	enum attempt_outcome outcome;
	bool short_of; /* ATTEMPT_ERROR for want of memory or huge pages, or because another run is at work */
	bool lost; /* the kernel did not survive it */
	double seconds; /* of running, until it came back or all */
	char title[512]; /* what was found; "": nothing */
	char dir[512]; /* its files; "": gone */
	char why[256]; /* of ATTEMPT_ERROR and ATTEMPT_NOTHING */
};

/* Takes the value of an option that has the name of a field. False: it is none of those. */
bool attempt_take_option(struct attempt_options *o, const char *name, const char *value);

/* INT and TERM from now on end the attempt that runs, and are told as ATTEMPT_STOPPED. Call it once, before the first attempt. */
void attempt_catch_signals(void);

/* The next attempt has a fresh guest. */
void attempt_end_guest(struct attempt_guest *g);

/* text: the program with what is around it. */
void attempt_run(const struct attempt_options *o, const struct subject *s, const char *text,
	double seconds, struct attempt_result *ret);

#endif
