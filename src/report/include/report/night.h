/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report over many runs: of a night, of a fleet. One JSON document (docs/report.schema.json) is made of the runs' directories,
 * and every format is made of that document. What is in the directories is hostile text until shown otherwise: a file that is
 * damaged, foreign or endless is reported, and costs nothing but its place.
 */
#ifndef SUNDER_REPORT_NIGHT_H
#define SUNDER_REPORT_NIGHT_H

#include <jansson.h>
#include <stdio.h>

#include "report/report.h"

enum night_format { NIGHT_TEXT, NIGHT_HTML, NIGHT_JSON, NIGHT_KTAP, NIGHT_JUNIT };
int night_format_find(const char *name); /* enum night_format or -EINVAL */

/*
 * The document of the runs in and below dirs (new reference); NULL: no memory. before: directories of an earlier night, to compare
 * with; NULL-terminated, as dirs. Neither is written to.
 */
json_t *night_load(char *const *dirs, char *const *before);

/* Worst of all runs: 5 if a machine or executor was lost, 1 findings, 2 something is damaged, 3, 4, 0. */
enum run_exit night_exit(const json_t *doc);

/* "2 findings on 1 of 20 machines; 1 run was lost". */
const char *night_verdict(const json_t *doc);

/* 0 or -EIO. */
int night_print(const json_t *doc, enum night_format format, FILE *out);

#endif
