/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the lines of one report to what callers get. */
#ifndef SUNDER_KLOG_REPORT_H
#define SUNDER_KLOG_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "klog/klog.h"
#include "pattern.h"
#include "rule.h"

/* Strings that one report owns: unique, in a NULL-free array. Starts zeroed. */
struct string_set {
	char **s;
	size_t n, cap;
};

int string_set_add(struct string_set *set, const char *s, size_t n);
void string_set_free(struct string_set *set);

struct report_text {
	const struct header *header;
	bool bare; /* the first line has no prefix, though the log's lines have one */
	const struct header *herald; /* of a report in the lead that this one ended, or NULL */
	struct slice lead; /* lines from before it */
	struct slice own; /* its lines, up to where another report starts */
	struct slice all; /* its lines and what came after in the same context */
	/* Its first line with prefix, for texts in which prefixes are mixed up. */
	struct slice first;
};

/* A finished report and the memory behind it. */
struct report {
	struct klog_report out;
	struct string_set alt;
	char *title, *frame;
};

/* Fills title, alt, type, kind, frame, corrupted, suppressed. 0 or -ENOMEM. Starts zeroed. */
int report_describe(struct report *r, const struct report_text *t);
void report_release(struct report *r);

#endif
