/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is to be replayed, reduced or exported: the programs that may have done it, and what shall come back. */
#ifndef SUNDER_MAIN_SUBJECT_H
#define SUNDER_MAIN_SUBJECT_H

#include "plan/plan.h"

enum { SUBJECT_MAX_PROGRAMS = 64 };

struct subject_program {
	char *name; /* of its file, for messages */
	struct program *program;
	struct plan_around around;
};

struct subject {
	char *title, *alt,
		*oracle; /* alt: other titles, a line each, or ""; title NULL: any finding will do */
	char *kernel, *evidence; /* as the store has them; else NULL */
	uint64_t count, runs; /* how often it was seen, and in how many runs; 0: not known */
	bool is_finding; /* and not a bare program */
	/* Most likely first. More than one: of a finding that no lane made, the last ones of all crews. */
	struct subject_program program[SUBJECT_MAX_PROGRAMS];
	unsigned int nprograms;
};

/*
 * what: a program file, the directory of a finding (of a run or in the store), or what store_find() takes. 0 with *ret
 * (subject_free()); -errno, logged.
 */
int subject_load(const char *what, const char *store_dir, struct subject *ret);
void subject_free(struct subject *s);

/* True if a finding with this title is the subject's: the same title, or one of the same set. */
bool subject_is(const struct subject *s, const char *title);

/*
 * Adds each program once more with epochs of one round. Its round was the first of its kind; the next ones find what it has left
 * (pages that it moved are on that node already), and may never do again what it did.
 */
void subject_add_afresh(struct subject *s);

/* One program file. 0 or -EINVAL, logged. */
int subject_load_program(const char *file, struct subject_program *ret);

/* The same from text that stands in memory. */
int subject_parse_program(const char *name, const char *text, struct subject_program *ret);

/* The text of a program with what is around it; NULL: no memory. */
char *subject_program_text(const struct program *p, const struct plan_around *a);

#endif
