/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the guilty function in a report's text. */
#ifndef SUNDER_KLOG_FRAME_H
#define SUNDER_KLOG_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "pattern.h"
#include "rule.h"

#define FRAME_NAME_MAX 1024

/* A function as titles call it (without syscall wrappers' prefixes) and as it stands in the log. */
struct frame {
	char name[FRAME_NAME_MAX];
	char raw[FRAME_NAME_MAX];
};

#define FRAMES_MAX 2

struct frames {
	struct frame f[FRAMES_MAX];
	size_t n;
};

#define FRAME_NONE "corrupted"

/*
 * Walks the rule's steps over text (lines, the first may be cut at its start). Every trace yields
 * a frame, FRAME_NONE if it has no function to blame. Returns whether all was found and nothing
 * was mixed in.
 */
bool frames_find(struct frames *ret, const struct rule *rule, const char *text, size_t n);

/* The function names of a stack line: 0, 1, or (arm) 2. */
size_t frame_of_line(const char *s, size_t n, struct slice ret[2]);

/* Whether each stack in the text has frames, and there is one at all: NULL, or what is wrong. */
const char *frame_stacks_broken(const char *text, size_t n);

/* Names of the i-th way to cut a syscall wrapper's prefix off; false: no such way. i from 0. */
bool frame_cut_prefix(size_t i, const char *raw, const char **ret);

/* The general skip list: functions that no report blames. */
extern const char *const frame_never_guilty[];

/* Stalls: functions below which the interesting one was called; hangs: waiting functions. */
extern const char *const frame_dispatchers[];
extern const char *const frame_fault_entries[];
extern const char *const frame_waiters[];

#endif
