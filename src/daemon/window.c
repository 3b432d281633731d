/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/window.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plan/line.h"

enum { DAY_MINUTES = 24 * 60, LOOK_AHEAD = 8 * DAY_MINUTES, TEXT_MAX = 512 };

static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static int day_find(const char *name, size_t len)
{
	for (int i = 0; i < 7; i++)
		if (len == 3 && strncmp(day_names[i], name, 3) == 0)
			return i;
	return -1;
}

/* "mon", "mon-fri" or "daily". 0: none of those. */
static uint8_t parse_days(const char *word)
{
	const char *dash = strchr(word, '-');
	int from, to;
	uint8_t days = 0;

	if (strcmp(word, "daily") == 0)
		return 0x7f;
	from = day_find(word, dash ? (size_t)(dash - word) : strlen(word));
	to = dash ? day_find(dash + 1, strlen(dash + 1)) : from;
	if (from < 0 || to < 0)
		return 0;
	for (int d = from;; d = (d + 1) % 7) {
		days |= (uint8_t)(1 << d);
		if (d == to)
			return days;
	}
}

static int parse_clock(const char *text, int *used)
{
	unsigned int h, m;

	if (sscanf(text, "%2u:%2u%n", &h, &m, used) != 2 || text[0] < '0' || text[0] > '9' ||
		m > 59 || h * 60 + m > DAY_MINUTES)
		return -1;
	return (int)(h * 60 + m);
}

static bool parse_times(const char *word, struct window_span *s)
{
	int used = 0, from = parse_clock(word, &used), to;

	if (from < 0 || from == DAY_MINUTES || word[used] != '-')
		return false;
	word += used + 1;
	to = parse_clock(word, &used);
	if (to < 0 || word[used])
		return false;
	s->from = (uint16_t)from;
	s->to = (uint16_t)to;
	return true;
}

static const char *parse_span(char *item, struct window_span *s)
{
	char *days = line_word(&item, ""), *times = days ? line_word(&item, "") : NULL;

	*s = (struct window_span){.days = 0x7f, .to = DAY_MINUTES};
	if (!days)
		return "a window is empty";
	if (!times && parse_times(days, s))
		return NULL;
	s->days = parse_days(days);
	if (!s->days)
		return "days are mon, mon-fri or daily";
	if (times && !parse_times(times, s))
		return "times are HH:MM-HH:MM";
	return line_word(&item, "") ? "a window is DAYS, HH:MM-HH:MM or both" : NULL;
}

int window_parse(const char *text, struct window *ret, const char **ret_why)
{
	char buf[TEXT_MAX], *cursor = buf, *item;
	struct window w = {0};

	if (strlen(text) >= sizeof(buf)) {
		*ret_why = "too long";
		return -EINVAL;
	}
	snprintf(buf, sizeof(buf), "%s", text);
	while ((item = strsep(&cursor, ","))) {
		*ret_why = w.n == WINDOW_MAX ? "too many windows" : parse_span(item, &w.span[w.n]);
		if (*ret_why)
			return -EINVAL;
		w.n++;
	}
	*ret = w;
	return 0;
}

bool window_is_open(const struct window *w, time_t t)
{
	struct tm tm;
	int m;

	if (!w->n || !localtime_r(&t, &tm))
		return true;
	m = tm.tm_hour * 60 + tm.tm_min;
	for (unsigned int i = 0; i < w->n; i++) {
		const struct window_span *s = &w->span[i];
		bool today = s->days >> tm.tm_wday & 1,
		     yesterday = s->days >> (tm.tm_wday + 6) % 7 & 1;

		if (s->to > s->from ? today && m >= s->from && m < s->to
				    : (today && m >= s->from) || (yesterday && m < s->to))
			return true;
	}
	return false;
}

time_t window_next_change(const struct window *w, time_t t)
{
	bool open = window_is_open(w, t);

	if (!w->n)
		return 0;
	t += 60 - t % 60; /* zones are whole minutes apart */
	for (int i = 0; i < LOOK_AHEAD; i++, t += 60)
		if (window_is_open(w, t) != open)
			return t;
	return 0;
}
