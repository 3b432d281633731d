/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verbs: each gets its own argv (argv[0] is the verb) and returns the process's exit code. */
#ifndef SUNDER_MAIN_MAIN_H
#define SUNDER_MAIN_MAIN_H

#include "caps/caps.h"
#include "plan/plan.h"

int verb_run(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_ops(int argc, char **argv);
int verb_caps(int argc, char **argv);
int verb_klog(int argc, char **argv);
int verb_report(int argc, char **argv);
int verb_restore(int argc, char **argv);
int verb_findings(int argc, char **argv);
int verb_replay(int argc, char **argv);
int verb_export_c(int argc, char **argv);
int verb_reduce(int argc, char **argv);
int verb_fuzz(int argc, char **argv);
int verb_vm(int argc, char **argv);
int verb_control(int argc, char **argv); /* status, start, pause, resume, stop, tail */

#endif
