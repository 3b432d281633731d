/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the sinks share: words for a run's state, amounts, and text that others wrote. */
#ifndef SUNDER_REPORT_SINK_H
#define SUNDER_REPORT_SINK_H

#include <jansson.h>

#include "report/report.h"

enum { AMOUNT_MAX = 32, VERDICT_MAX = 256, TOP_PAIRS = 200 };

/* "FAILED" until finished, then OK, FINDINGS, LOST, ERROR, NO_RESOURCES or NOTHING_RAN. */
const char *status_word(const struct run_result *r);

/* "ok", "finding" or "skipped: reason". */
const char *oracle_verdict(const struct run_result *r, enum oracle o, char buf[VERDICT_MAX]);

/* 1234567 -> "1,234,567". Returns buf, as do the next two. */
const char *amount_count(uint64_t n, char buf[AMOUNT_MAX]);
/* 3723 s -> "1:02:03", 63 s -> "1:03". */
const char *amount_clock(double seconds, char buf[AMOUNT_MAX]);
/* 2097152 -> "2 MiB", 1536 -> "1.5 KiB". */
const char *amount_bytes(uint64_t bytes, char buf[AMOUNT_MAX]);

/* 0 when there is nothing to divide by. */
double ratio(double part, double whole);

/* Prints text of unknown origin: control characters but newline and tab become '?'. */
void print_clean(const char *s, FILE *out);

/* The same where markup is read: XML 1.0 and HTML, in text and between double quotes. */
void print_xml(const char *s, FILE *out);

/* The same seed again, as a command line for a shell. */
void print_rerun(const struct run_result *r, FILE *out);
/* A word for a shell, quoted if it needs it. */
void print_shell_word(const char *s, FILE *out);

/* Two ops that ran at the same time, and how often that was seen. */
struct op_pair {
	unsigned int a, b; /* a <= b */
	uint64_t count, rounds; /* overlaps, and rounds with one */
	uint64_t phase[2][PAIR_PHASES]; /* see struct op_pair_stat */
};
/* The most frequent first; returns how many were filled in. *ret_distinct: pairs ever seen. */
unsigned int top_pairs(
	const struct run_result *r, struct op_pair top[TOP_PAIRS], uint64_t *ret_distinct);

/*
 * New references, NULL without memory. In a string that is not UTF-8 each byte above 0x7f becomes
 * '?'.
 */
json_t *json_text(const char *s);
json_t *json_finding(const struct finding_group *g);
json_t *json_summary(const struct run_result *r);

void text_summary(const struct run_result *r, FILE *out);
void ktap_summary(const struct run_result *r, FILE *out);

#endif
