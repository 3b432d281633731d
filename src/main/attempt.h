/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One attempt: a program runs in fresh executors, as a child of this program or in a fresh guest, until it is found again what is
 * looked for, or the time is over.
 */
#ifndef SUNDER_MAIN_ATTEMPT_H
#define SUNDER_MAIN_ATTEMPT_H

#include "subject.h"

struct attempt_options {
	const char *dir; /* each attempt has its files in a directory below it */
	bool keep; /* those that found something stay */
	const char *state, *store, *tmp, *allow; /* handed on; NULL: not given */
	/* Of `sunder vm`, handed on; vm: its --kernel, NULL: no guest */
	const char *vm, *modules, *nodes, *cpus, *memory, *append;
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

/* text: the program with what is around it. */
void attempt_run(const struct attempt_options *o, const struct subject *s, const char *text,
	double seconds, struct attempt_result *ret);

#endif
