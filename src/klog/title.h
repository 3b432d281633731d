/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Titles: made from templates, freed of all that changes from one occurrence to the next. */
#ifndef SUNDER_KLOG_TITLE_H
#define SUNDER_KLOG_TITLE_H

#include <stdbool.h>
#include <stddef.h>

#include "frame.h"
#include "pattern.h"

/* Before normalisation; what titles hold after it is at most TITLE_LEN bytes. */
#define TITLE_BUF 1200
#define TITLE_LEN 120

struct title {
	char s[TITLE_BUF];
	size_t n;
};

void title_set(struct title *t, const char *s, size_t n);
void title_add(struct title *t, const char *s, size_t n);

/* Fills in $1.. from cap and $F, $G from frames; what is not there becomes nothing. */
void title_fill(struct title *t, const char *template, const struct slice *cap, int ncap,
	const char *const *frames, size_t nframes);

/* Whether a time stamp got into it: two messages have run together. */
bool title_is_mixed(const struct title *t);

/*
 * Addresses become ADDR, numbers NUM, CPU#3 CPU, file positions LINE, func+0x1/0x2 func; control
 * bytes, repeated spaces and what is beyond TITLE_LEN go.
 */
void title_normalise(struct title *t);

/* The guilty function a title names ("... in FUNC"); an empty slice if it names none. */
struct slice title_frame(const struct title *t);

/* syzbot's type of a title. */
const char *title_type(const char *title);

#endif
