/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel-log text in, reports out. Takes console logs, dmesg in its usual forms (time stamps,
 * <levels>, [T123] caller ids, -T, -x), journal text and /dev/kmsg records, in any split of
 * bytes. Titles, types and frames are worded as on syzbot; where one of its titles collapses
 * different memory-management bugs, alt holds finer ones and the common title stays. No I/O, no
 * globals; one struct klog per thread.
 */
#ifndef SUNDER_KLOG_KLOG_H
#define SUNDER_KLOG_KLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct klog;

struct klog_options {
	bool plain; /* lines are message texts without any prefix: nothing is stripped */
	size_t max_text; /* bytes of text kept per report; 0: 256 KiB; clamped to 4 KiB..1 MiB */
};

struct klog_report {
	bool crash; /* a finding; false: known and harmless, or a program's words (see kind) */
	bool corrupted; /* cut off or mixed up: the title counts, the frame is not to be trusted */
	bool suppressed; /* a user-space tool out of memory, not the kernel */
	bool panicked; /* the kernel panicked afterwards */
	const char *title;
	const char *const *alt; /* two reports are one bug if {title} + alt intersect; sorted */
	size_t nalt;
	const char *type; /* "KASAN-READ", "LOCKDEP", ...; "" where syzbot has none */
	const char *
		kind; /* what it was taken for: "KASAN", "hung-task", "oom", "user-text"; never NULL */
	const char *frame; /* guilty function; "corrupted": missing; "": titles have none */
	const char *text; /* stripped lines, each with '\n'; NUL-ended; may hold raw bytes */
	size_t text_len;
	size_t lead_len; /* the first bytes of text are lines from before the report's first line */
	uint64_t start; /* byte offsets in all that was pushed: first line's first byte, */
	uint64_t end; /* and one past the last line that belongs to it */
	uint64_t line; /* number of the first line, from 1 */
	uint64_t time_us; /* its time stamp; 0: none */
};

/* 0, -ENOMEM. opt may be NULL. *ret is the caller's, for klog_free(). */
int klog_new(struct klog **ret, const struct klog_options *opt);
void klog_free(struct klog *k);

/*
 * Takes len bytes. Memory is bounded if klog_next() is called until NULL after each push: reports
 * that the caller leaves waiting are kept. 0 or -ENOMEM (what was pushed so far stays usable).
 */
int klog_push(struct klog *k, const char *data, size_t len);

/*
 * End of input, or nothing has come for so long that what is pending is complete: a last line
 * without newline counts as a line, and all pending reports become ready. More may be pushed. 0
 * or -ENOMEM.
 */
int klog_flush(struct klog *k);

/*
 * The next ready report in the order of the log, or NULL. Valid until the next call of any klog
 * function on k. A report becomes ready when much log has followed it, or at klog_flush().
 */
const struct klog_report *klog_next(struct klog *k);

#endif
