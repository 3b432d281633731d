/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program as one C file that needs nothing but libc and pthreads: it makes the slots, runs the lanes with their timing, does each
 * op by its plain system call, and checks a sound part of what the oracles check. And the text of a mail about a finding.
 */
#ifndef SUNDER_FINDING_EXPORT_H
#define SUNDER_FINDING_EXPORT_H

#include "caps/machine.h"
#include "plan/plan.h"

struct export_told {
	unsigned int exported, left_out; /* ops of the program */
	char names[512]; /* of ops that are left out, each once, space separated */
};

/* True if calls of the op can be written in C. */
bool export_can(unsigned int op);

/*
 * Writes the C file of a program, for machines with m's page and PMD size. title: what it reproduces, one line, or NULL. around: the
 * knobs and the epoch of its job, or NULL. 0 with *ret;
 * -ENODATA: nothing of the program can be exported (nothing was written, *ret says what); -EIO.
 */
int export_c(const struct program *p, const struct machine *m, const char *title,
	const struct plan_around *around, FILE *out, struct export_told *ret);

/* What a mail says. Strings may be NULL. */
struct export_mail {
	const char *title, *kernel, *machine, *evidence, *how_often, *knobs;
	const char *file; /* name of the C file */
};

/* 0 or -EIO. */
int export_mail(const struct export_mail *m, FILE *out);

#endif
