/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line of a log: what its prefix says, and the text behind it. */
#ifndef SUNDER_KLOG_LINE_H
#define SUNDER_KLOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pattern.h"

/*
 * Who printed a line: nobody is named (no prefix at all; or a prefix without caller id), or a
 * task or CPU as CONFIG_PRINTK_CALLER shows them, plus its number.
 */
#define CONTEXT_NONE 0ULL
#define CONTEXT_CONSOLE 1ULL
#define CONTEXT_TASK (1ULL << 62)
#define CONTEXT_CPU (2ULL << 62)

static inline bool context_is_task(uint64_t ctx)
{
	return ctx >> 62 == 1;
}

static inline bool context_is_cpu(uint64_t ctx)
{
	return ctx >> 62 == 2;
}

struct log_line {
	struct slice raw; /* without a trailing '\r' */
	struct slice text; /* without prefix; of an unreliable frame, from the function on */
	uint64_t ctx;
	uint64_t time_us;
	bool foreign; /* user space wrote it (journal or /dev/kmsg says so) */
	bool questionable; /* a stack frame that the unwinder does not vouch for */
};

/* What earlier lines showed of the log's form. Starts zeroed. */
struct line_form {
	bool kmsg; /* /dev/kmsg records: lines that start with a space are properties */
	bool stamped; /* the kernel's lines have a prefix */
	char host[64]; /* "[stamp] HOST kernel: text" was seen */
};

/* Splits a line (no '\n' in it). plain: there are no prefixes. l points into s. */
void line_parse(struct log_line *l, struct line_form *form, bool plain, const char *s, size_t n);

#endif
