/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When a campaign may run: "mon-fri 20:00-06:00, sat, sun 08:00-24:00", in local time. */
#ifndef SUNDER_DAEMON_WINDOW_H
#define SUNDER_DAEMON_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { WINDOW_MAX = 16 };

struct window_span {
	uint8_t days; /* bit 0: Sunday */
	uint16_t from, to; /* minutes of the day; to <= from: it ends on the next day */
};

struct window {
	unsigned int n; /* 0: always open */
	struct window_span span[WINDOW_MAX];
};

/* 0, or -EINVAL with *ret_why. */
int window_parse(const char *text, struct window *ret, const char **ret_why);

bool window_is_open(const struct window *w, time_t t);

/* The first minute after t at which it opens (or closes, if it is open at t); 0: not within eight days. */
time_t window_next_change(const struct window *w, time_t t);

#endif
