/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where what comes with sunder is: beside an installed program, and beside one in its build directory. */
#ifndef SUNDER_MAIN_PLACE_H
#define SUNDER_MAIN_PLACE_H

/* The path of this very program. Freed by the caller; NULL if it cannot be told. */
char *place_self(void);

/*
 * A script that a verb needs ("vm"): in ../libexec/sunder of the program, or in the one of its build directory. Freed by the
 * caller; NULL: there is none that can be executed.
 */
char *place_script(const char *name);

/* A program or library that a verb needs ("sunder-harness"), in ../libexec/sunder, beside it, or in fuzz/. As place_script(). */
char *place_program(const char *name);

/*
 * The file of a job: as named, or, if that is not there and has no directory in it, the job of that name that comes with
 * sunder (../share/sunder/workloads, or the one of the build directory). Freed by the caller; the name itself if there is
 * neither, so that the message is about that; NULL without memory.
 */
char *place_job(const char *name);

#endif
