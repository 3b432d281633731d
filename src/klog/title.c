/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "title.h"

#include <string.h>

void title_add(struct title *t, const char *s, size_t n)
{
	if (n > sizeof(t->s) - 1 - t->n)
		n = sizeof(t->s) - 1 - t->n;
	memcpy(t->s + t->n, s, n);
	t->n += n;
	t->s[t->n] = 0;
}

void title_set(struct title *t, const char *s, size_t n)
{
	t->n = 0;
	title_add(t, s, n);
}

void title_fill(struct title *t, const char *template, const struct slice *cap, int ncap,
	const char *const *frames, size_t nframes)
{
	t->n = 0;
	t->s[0] = 0;
	for (const char *p = template; *p; p++) {
		size_t frame = p[0] == '$' ? (size_t)(p[1] == 'F'   ? 0
						      : p[1] == 'G' ? 1
								    : FRAMES_MAX)
					   : FRAMES_MAX;

		if (*p != '$') {
			title_add(t, p, 1);
			continue;
		}
		p++;
		if (frame < nframes)
			title_add(t, frames[frame], strlen(frames[frame]));
		else if (*p >= '1' && *p - '1' < ncap && cap[*p - '1'].p)
			title_add(t, cap[*p - '1'].p, cap[*p - '1'].n);
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(char c)
{
	return is_alnum(c) || c == '_';
}

static size_t run(const char *p, const char *end, bool (*in)(char))
{
	const char *q = p;

	while (q < end && in(*q))
		q++;
	return (size_t)(q - p);
}

bool title_is_mixed(const struct title *t)
{
	return pattern_find("[%-%d.%d]", t->s, t->n, NULL);
}

/*
 * One kind of replacement: if something to replace starts at p, its length, and what it becomes.
 * `start` is the string's first byte, so that the byte before p can be looked at.
 */
typedef size_t (*finder)(const char *start, const char *p, const char *end, const char **with);

/* "/12" or ":12" after a numbered task name. */
static size_t suffix_number(const char *p, const char *end)
{
	size_t n = p < end && (*p == '/' || *p == ':') ? run(p + 1, end, is_digit) : 0;

	return n ? n + 1 : 0;
}

/* The fuzzer's own tasks are numbered: "syz-executor.3/12". */
static size_t fuzzer_task(const char *start, const char *p, const char *end, const char **with)
{
	static const char *const names[] = {"syz-executor", "syzkaller"};

	(void)start;
	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(names[i]), digits;

		if ((size_t)(end - p) < n || memcmp(p, names[i], n))
			continue;
		*with = names[i];
		if (i == 0 && p + n < end && p[n] == '.' && p + n + 1 < end && is_digit(p[n + 1]))
			n++;
		digits = run(p + n, end, is_digit);
		if (!digits)
			return 0;
		n += digits;
		return n + suffix_number(p + n, end);
	}
	return 0;
}

static size_t address(const char *start, const char *p, const char *end, const char **with)
{
	size_t prefix, n;

	if (p == start || is_alnum(p[-1]))
		return 0;
	prefix = end - p > 2 && p[0] == '0' && p[1] == 'x' ? 2 : 0;
	n = run(p + prefix, end, is_hex);
	*with = "ADDR";
	return n >= 6 ? prefix + n : 0;
}

static size_t ip_address(const char *start, const char *p, const char *end, const char **with)
{
	const char *q = p;

	(void)start;
	for (int i = 0; i < 4; i++) {
		size_t n = run(q, end, is_digit);

		/* A longer run may still end in three fitting digits, which a later p will find. */
		if (!n || (n > 3 && i < 3))
			return 0;
		q += n > 3 ? 3 : n;
		if (i < 3 && (q >= end || *q++ != '.'))
			return 0;
	}
	*with = "IP";
	return (size_t)(q - p);
}

/* The ":123:4" of "file.c:123:4". */
static size_t line_number(const char *start, const char *p, const char *end, const char **with)
{
	const char *q = p;
	size_t n = 0, digits;

	if (p >= end || *p != ':')
		return 0;
	while (q > start && is_word(q[-1]))
		q--;
	if (q == p || q == start || q[-1] != '.')
		return 0;
	while (p + n < end && p[n] == ':' && (digits = run(p + n + 1, end, is_digit)))
		n += 1 + digits;
	*with = ":LINE";
	return n;
}

static bool is_offset(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z');
}

/* The "+0x12/0x34" of "func+0x12/0x34". */
static size_t offsets(const char *start, const char *p, const char *end, const char **with)
{
	const char *q = p, *name;
	size_t n;

	if (p >= end || *p != '+')
		return 0;
	for (name = p; name > start && (is_word(name[-1]) || name[-1] == '.'); name--)
		;
	while (name < p && !is_alnum(*name))
		name++;
	if (p - name < 2)
		return 0;
	for (int i = 0; i < 2; i++) {
		if (end - q < 4 || q[0] != "+/"[i] || q[1] != '0' || q[2] != 'x')
			return 0;
		n = run(q + 3, end, is_offset);
		if (!n)
			return 0;
		q += 3 + n;
	}
	*with = "";
	return (size_t)(q - p);
}

static size_t cpu_number(const char *start, const char *p, const char *end, const char **with)
{
	size_t n;

	(void)start;
	if (end - p < 5 || memcmp(p, "CPU#", 4))
		return 0;
	n = run(p + 4, end, is_digit);
	*with = "CPU";
	return n ? n + 4 : 0;
}

/* A number that stands alone, or a part of a word that is too long to be part of a name. */
static size_t lone_number(const char *start, const char *p, const char *end, const char **with)
{
	size_t n = run(p, end, is_digit);

	*with = "NUM";
	if (!n || p == start || is_word(p[-1]))
		return 0;
	return p + n == end || !is_word(p[n]) ? n : 0;
}

static size_t long_number(const char *start, const char *p, const char *end, const char **with)
{
	size_t n = run(p, end, is_digit);

	*with = "NUM";
	return n >= 7 && (p == start || !is_digit(p[-1])) ? n : 0;
}

static void replace(struct title *t, finder find)
{
	struct title from = *t;
	const char *p = from.s, *end = from.s + from.n, *with = "";

	t->n = 0;
	while (p < end) {
		size_t n = find(from.s, p, end, &with);

		if (!n) {
			title_add(t, p++, 1);
			continue;
		}
		title_add(t, with, strlen(with));
		p += n;
	}
	t->s[t->n] = 0;
}

static void sanitise(struct title *t)
{
	size_t n = 0, limit = t->n < TITLE_LEN ? t->n : TITLE_LEN;

	for (size_t i = 0; i < limit; i++) {
		unsigned char c = (unsigned char)t->s[i];

		if (c == '\t')
			c = ' ';
		if (c < 0x20 || c >= 0x7f || (c == ' ' && (!n || t->s[n - 1] == ' ')))
			continue;
		t->s[n++] = (char)c;
	}
	while (n && t->s[n - 1] == ' ')
		n--;
	t->n = n;
	t->s[n] = 0;
}

void title_normalise(struct title *t)
{
	static const finder finders[] = {
		fuzzer_task,
		address,
		ip_address,
		line_number,
		offsets,
		cpu_number,
		lone_number,
		long_number,
	};

	for (size_t i = 0; i < sizeof(finders) / sizeof(finders[0]); i++)
		replace(t, finders[i]);
	sanitise(t);
}

static bool is_frame(char c)
{
	return is_word(c) || c == ':';
}

static bool is_rust_type(char c)
{
	return is_frame(c) || c == ' ';
}

struct slice title_frame(const struct title *t)
{
	const char *end = t->s + t->n;

	for (const char *p = end; p-- > t->s;) {
		size_t type = 0, n;

		if (end - p < 5 || memcmp(p, " in ", 4))
			continue;
		if (p[4] == '<') {
			n = run(p + 5, end, is_rust_type);
			if (n && p + 5 + n < end && p[5 + n] == '>')
				type = n + 2;
		}
		n = run(p + 4 + type, end, is_frame);
		if (n)
			return (struct slice){p + 4, type + n};
	}
	return (struct slice){"", 0};
}
