/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "line.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A decimal number at *p; false: none, or too long to be one. */
static bool number(const char **p, const char *end, uint64_t *ret)
{
	const char *s = *p;
	uint64_t v = 0;

	while (s < end && is_digit(*s) && s - *p < 18)
		v = v * 10 + (uint64_t)(*s++ - '0');
	if (s == *p)
		return false;
	*p = s;
	*ret = v;
	return true;
}

static const char *skip_spaces(const char *p, const char *end)
{
	while (p < end && *p == ' ')
		p++;
	return p;
}

/* "[  12.345678]": seconds with a fraction. Returns what follows, or NULL. */
static const char *clock_stamp(const char *p, const char *end, uint64_t *time_us)
{
	uint64_t sec, frac, scale = 1000000;
	const char *dot;

	if (p >= end || *p != '[')
		return NULL;
	p = skip_spaces(p + 1, end);
	if (!number(&p, end, &sec) || p >= end || *p != '.')
		return NULL;
	dot = ++p;
	if (!number(&p, end, &frac) || p >= end || *p != ']')
		return NULL;
	for (ptrdiff_t digits = p - dot; digits > 0 && scale > 1; digits--)
		scale /= 10;
	*time_us = sec * 1000000 + (p - dot <= 6 ? frac * scale : 0);
	return p + 1;
}

/* What dmesg prints instead of the clock: -T and -e a date, -d a difference, reltime both. */
static const char *other_stamp(const char *p, const char *end)
{
	static const char form[] = "^[{<%-%d.%d>|%-+%d.%d|%-%d.%d <%-%d.%d>|"
				   "%i %i%_%d %d:%d:%d %d{ <%-%d.%d>|}|%i %d:%d}]";
	struct pattern_match m;
	size_t n = (size_t)(end - p) < 48 ? (size_t)(end - p) : 48;

	if (n < 8 || p[0] != '[')
		return NULL;
	return pattern_find(form, p, n, &m) ? m.end : NULL;
}

/* "[ T123]", "[    C0]": the caller. Returns what follows, or p. */
static const char *caller(const char *p, const char *end, uint64_t *ctx)
{
	const char *q, *close;
	uint64_t id;
	char who;

	if (p >= end || *p != '[')
		return p;
	q = skip_spaces(p + 1, end);
	if (q >= end || (*q != 'T' && *q != 'C'))
		return p;
	who = *q++;
	if (!number(&q, end, &id))
		return p;
	close = memchr(q, ']', (size_t)(end - q) < 40 ? (size_t)(end - q) : 40);
	if (!close)
		return p;
	*ctx = (who == 'T' ? CONTEXT_TASK : CONTEXT_CPU) | (id & ~(3ULL << 62));
	return close + 1;
}

/* "<6>", "<12>". */
static const char *level(const char *p, const char *end)
{
	const char *q = p + 1;
	uint64_t v;

	if (p >= end || *p != '<' || !number(&q, end, &v) || q >= end || *q != '>')
		return p;
	return q + 1;
}

/* Level, stamp and caller, which a space must follow. Returns the text, or NULL: no such prefix. */
static const char *printk_prefix(struct log_line *l, const char *p, const char *end)
{
	const char *q = level(p, end), *after;
	uint64_t ctx = CONTEXT_CONSOLE;

	after = clock_stamp(q, end, &l->time_us);
	if (!after)
		after = other_stamp(q, end);
	if (!after)
		return NULL;
	after = caller(after, end, &ctx);
	if (after >= end || *after != ' ')
		return NULL;
	l->ctx = ctx;
	return after + 1;
}

/* "6,1234,567890,-,caller=T12;text". Returns the text, or NULL. */
static const char *kmsg_prefix(struct log_line *l, const char *p, const char *end)
{
	uint64_t prio, seq, us, id;
	const char *semi, *who;

	if (p >= end || !is_digit(*p) || !number(&p, end, &prio) || p >= end || *p++ != ',' ||
		!number(&p, end, &seq) || p >= end || *p++ != ',' || !number(&p, end, &us) ||
		p >= end || *p++ != ',')
		return NULL;
	semi = memchr(p, ';', (size_t)(end - p) < 80 ? (size_t)(end - p) : 80);
	if (!semi)
		return NULL;
	l->ctx = CONTEXT_CONSOLE;
	l->time_us = us;
	l->foreign = prio >> 3;
	who = memmem(p, (size_t)(semi - p), "caller=", 7);
	if (who) {
		const char *q = who + 8;

		if (q < semi && number(&q, semi, &id))
			l->ctx =
				(who[7] == 'T' ? CONTEXT_TASK : CONTEXT_CPU) | (id & ~(3ULL << 62));
	}
	return semi + 1;
}

/*
 * "Nov 21 01:52:27 " or "2026-11-21T01:52:27.123+00:00 " at p, the latter perhaps in brackets: what follows, or NULL.
 */
static const char *wall_clock(const char *p, const char *end)
{
	bool bracket = p < end && *p == '[';
	const char *space;

	p += bracket;
	if (end - p < 20)
		return NULL;
	if (!bracket && p[0] >= 'A' && p[0] <= 'Z' && p[3] == ' ' && p[6] == ' ' && p[9] == ':' &&
		p[12] == ':' && is_digit(p[5]) && is_digit(p[14])) {
		space = memchr(
			p + 15, ' ', (size_t)(end - p - 15) < 12 ? (size_t)(end - p - 15) : 12);
		return space ? space + 1 : NULL;
	}
	if (p[0] == '2' && p[4] == '-' && p[7] == '-' && (p[10] == 'T' || p[10] == ' ') &&
		p[13] == ':' && p[16] == ':') {
		space = memchr(
			p + 17, ' ', (size_t)(end - p - 17) < 24 ? (size_t)(end - p - 17) : 24);
		return space && (!bracket || space[-1] == ']') ? space + 1 : NULL;
	}
	return NULL;
}

/*
 * Journal and syslog: "HOST kernel: text" behind the wall clock. Returns the text, p where the
 * line is no journal line, and marks it foreign if some other program is named.
 */
static const char *journal_prefix(struct log_line *l, const char *p, const char *end)
{
	const char *host = wall_clock(p, end);
	struct pattern_match m;

	if (!host)
		return p;
	/* Who reads the console stamped the kernel's lines. */
	if (host < end && (*host == '[' || *host == '<'))
		return host;
	if (p[19] == ',') { /* dmesg --time-format iso */
		l->ctx = CONTEXT_CONSOLE;
		return host;
	}
	if (pattern_find(
		    "^{%n kernel: |%n %l.%l kernel: |kernel: }", host, (size_t)(end - host), &m)) {
		l->ctx = CONTEXT_CONSOLE;
		return m.end;
	}
	l->foreign = pattern_find("^%n %n{[%d]|}: ", host, (size_t)(end - host), NULL);
	return p;
}

/*
 * journalctl -o short-monotonic: "[stamp] HOST kernel: text"; the same host names user programs'
 * lines.
 */
static const char *monotonic_prefix(
	struct log_line *l, struct line_form *form, const char *p, const char *end)
{
	const char *space = memchr(p, ' ', (size_t)(end - p) < 64 ? (size_t)(end - p) : 64);
	size_t n = space ? (size_t)(space - p) : 0;

	if (!n || p[n - 1] == ':' || l->ctx != CONTEXT_CONSOLE)
		return p;
	if (end - space > 9 && !memcmp(space, " kernel: ", 9)) {
		memcpy(form->host, p, n);
		form->host[n] = 0;
		return space + 9;
	}
	if (form->host[0] && strlen(form->host) == n && !memcmp(form->host, p, n) &&
		pattern_find("^ %n{[%d]|}: ", space, (size_t)(end - space), NULL))
		l->foreign = true;
	return p;
}

/* Prefixes that come before the printk prefix now and then. */
static const char *before_printk(const char *p, const char *end)
{
	struct pattern_match m;
	const char *login;
	size_t n = (size_t)(end - p);

	if (n > 3 && !memcmp(p, "** ", 3) &&
		pattern_find("^\\*\\* %d printk messages dropped \\*\\* ", p, n, &m))
		p = m.end;
	login = memmem(p, (size_t)(end - p) < 200 ? (size_t)(end - p) : 200, " login: ", 8);
	if (login)
		return login + 8;
	if (p < end && *p >= 'a' && *p <= 'z' &&
		pattern_find(
			"^{kern|user|daemon|syslog|local%d}%-:%l%-: ", p, (size_t)(end - p), &m))
		return m.end;
	return p;
}

/* Frames that the unwinder does not vouch for: "? func" on x86, "(unreliable)" on powerpc. */
static void mark_questionable(struct log_line *l)
{
	static const char unreliable[] = " (unreliable)";
	const size_t len = sizeof(unreliable) - 1;
	const char *q = memmem(l->text.p, l->text.n, " ? ", 3);
	bool tail = l->text.n > len && !memcmp(l->text.p + l->text.n - len, unreliable, len);

	if ((!q && !tail) || memmem(l->text.p, l->text.n, "<EOI>", 5))
		return;
	l->questionable = true;
	if (q) {
		l->text.n -= (size_t)(q + 2 - l->text.p);
		l->text.p = q + 2;
	} else {
		l->text.n -= len;
	}
}

void line_parse(struct log_line *l, struct line_form *form, bool plain, const char *s, size_t n)
{
	const char *end, *p, *text;

	if (n && s[n - 1] == '\r')
		n--;
	end = s + n;
	*l = (struct log_line){.raw = {s, n}, .text = {s, n}};
	if (plain || !n)
		return;
	if (form->kmsg && *s == ' ') {
		l->foreign = true;
		return;
	}
	text = printk_prefix(l, s, end);
	if (text) {
		text = monotonic_prefix(l, form, text, end);
	} else if ((text = kmsg_prefix(l, s, end))) {
		form->kmsg = true;
	} else {
		p = journal_prefix(l, s, end);
		if (l->foreign)
			return;
		p = before_printk(p, end);
		text = printk_prefix(l, p, end);
		if (!text && l->ctx == CONTEXT_NONE) {
			text = level(s, end); /* printk.time=0 */
			l->text = (struct slice){text, (size_t)(end - text)};
			return;
		}
		if (!text)
			text = p;
	}
	l->text = (struct slice){text, (size_t)(end - text)};
	form->stamped |= l->ctx != CONTEXT_NONE;
	mark_questionable(l);
}
