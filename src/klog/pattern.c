/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pattern.h"

#include <stdint.h>
#include <string.h>

#define LINE_MAX_BYTES 2048
#define PATTERN_MAX 256
#define CHOICES_MAX 40

/* Ends of a run after which the rest of the pattern is known to fail: first..last. */
struct tried {
	bool any;
	size_t first, last;
};

/* A pattern's structure, and the states (choice, position) that are known to fail. */
struct matcher {
	const char *pat;
	const char *s;
	size_t n;
	uint8_t close[PATTERN_MAX]; /* for ( { |: where the group ends */
	uint8_t group[PATTERN_MAX]; /* for ( and its ): which capture */
	uint8_t choice[PATTERN_MAX]; /* number of the choice made here, from 1 */
	int ncap;
	int nchoice;
	struct slice cap[PATTERN_CAPS];
	struct tried tried[CHOICES_MAX + 1];
	uint64_t failed[CHOICES_MAX][LINE_MAX_BYTES / 64 + 1];
};

static bool in_class(char class, unsigned char c)
{
	bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z',
	     digit = c >= '0' && c <= '9';

	switch (class) {
	case 'i':
		return lower || upper || digit || c == '_';
	case 'g':
		return lower || upper || digit || c == '_' || c == '.';
	case 'c':
		return lower || upper || digit || c == '-' || c == '_' || c == '/' || c == '.';
	case 'l':
		return lower;
	case 'w':
		return lower || c == '-';
	case 'd':
		return digit;
	case 'x':
		return digit || (c >= 'a' && c <= 'f');
	case '_':
	case '-':
		return c == ' ';
	case 'n':
		return c != ' ';
	case 'q':
		return c != '\'';
	case 'b':
		return c != ']';
	default:
		return false;
	}
}

static void number_choice(struct matcher *m, size_t at)
{
	if (m->nchoice < CHOICES_MAX)
		m->choice[at] = (uint8_t)++m->nchoice;
}

/* Finds groups and choices of a pattern. The tables' patterns are short; a test checks them all. */
static void prepare(struct matcher *m)
{
	uint8_t open[16][2], bars[32][2]; /* position, depth */
	size_t depth = 0, nbars = 0;

	for (size_t i = 0; m->pat[i] && i < PATTERN_MAX; i++) {
		switch (m->pat[i]) {
		case '\\':
			i++;
			break;
		case '%':
			number_choice(m, i++);
			break;
		case '*':
		case '~':
			number_choice(m, i);
			break;
		case '(':
			m->group[i] = (uint8_t)m->ncap++;
			/* fallthrough */
		case '{':
			number_choice(m, i);
			open[depth++ & 15][0] = (uint8_t)i;
			break;
		case '|':
			bars[nbars][0] = (uint8_t)i;
			bars[nbars++ & 31][1] = (uint8_t)depth;
			break;
		case ')':
		case '}':
			while (nbars && bars[nbars - 1][1] == depth)
				m->close[bars[--nbars][0]] = (uint8_t)i;
			depth = (depth - 1) & 15;
			m->close[open[depth][0]] = (uint8_t)i;
			m->group[i] = m->group[open[depth][0]];
			break;
		}
	}
}

static bool match_at(struct matcher *m, size_t p, size_t s, size_t *end);

/* The alternatives of the group that opens at p, in order. */
static bool match_group(struct matcher *m, size_t p, size_t s, size_t *end)
{
	bool captures = m->pat[p] == '(';
	struct slice *cap = &m->cap[m->group[p]];
	struct slice saved = *cap;
	size_t close = m->close[p];
	size_t at = p + 1;

	if (captures)
		*cap = (struct slice){m->s + s, 0};
	for (;;) {
		size_t depth = 0;

		if (match_at(m, at, s, end))
			return true;
		while (at < close && (depth || m->pat[at] != '|')) {
			if (m->pat[at] == '\\' || m->pat[at] == '%')
				at++;
			else if (m->pat[at] == '(' || m->pat[at] == '{')
				depth++;
			else if (m->pat[at] == ')' || m->pat[at] == '}')
				depth--;
			at++;
		}
		if (at >= close)
			break;
		at++;
	}
	if (captures)
		*cap = saved;
	return false;
}

/*
 * A run of bytes from s on (token at p), longest or shortest first. Where a run of the same end
 * has failed before, only its new ends are tried, so that all runs of a token together take
 * linear time.
 */
static bool match_run(struct matcher *m, size_t p, size_t s, size_t *end)
{
	char token = m->pat[p];
	char class = token == '%' ? m->pat[p + 1] : 0;
	size_t next = p + (class ? 2 : 1);
	size_t first = s + (class && class != '-' ? 1 : 0), last = s, stop;
	struct tried *tried = &m->tried[m->choice[p]];

	if (class)
		while (last < m->n && in_class(class, (unsigned char)m->s[last]))
			last++;
	else
		last = m->n;
	if (first > last)
		return false;
	stop = tried->any && tried->last == last && tried->first <= last ? tried->first : last + 1;
	for (size_t i = 0; first + i < stop; i++)
		if (match_at(m, next, token == '~' ? first + i : stop - 1 - i, end))
			return true;
	if (stop > first)
		*tried = (struct tried){true, first, last};
	return false;
}

static bool match_choice(struct matcher *m, size_t p, size_t s, size_t *end)
{
	size_t choice = m->choice[p];
	bool ok;

	if (choice && (m->failed[choice - 1][s / 64] >> (s % 64) & 1))
		return false;
	ok = m->pat[p] == '(' || m->pat[p] == '{' ? match_group(m, p, s, end)
						  : match_run(m, p, s, end);
	if (!ok && choice)
		m->failed[choice - 1][s / 64] |= 1ULL << (s % 64);
	return ok;
}

/*
 * The pattern from p on at place s of the line. Recurses at choices only, so no deeper than the
 * pattern.
 */
static bool match_at(struct matcher *m, size_t p, size_t s, size_t *end)
{
	for (;; p++) {
		char c = m->pat[p];

		if (c == '|') {
			p = m->close[p];
			c = m->pat[p];
		}
		switch (c) {
		case '\0':
			*end = s;
			return true;
		case '(':
		case '{':
		case '*':
		case '~':
		case '%':
			return match_choice(m, p, s, end);
		case ')':
			m->cap[m->group[p]].n = (size_t)(m->s + s - m->cap[m->group[p]].p);
			continue;
		case '}':
			continue;
		case '$':
			if (!m->pat[p + 1]) {
				if (s != m->n)
					return false;
				continue;
			}
			break;
		case '\\':
			c = m->pat[++p];
			break;
		}
		if (s >= m->n || m->s[s] != c)
			return false;
		s++;
	}
}

/* Length of the literal text that a pattern starts with. */
static size_t literal_lead(const char *pat)
{
	return strcspn(pat, "*~(){}|%\\$");
}

bool pattern_find(const char *pat, const char *s, size_t n, struct pattern_match *out)
{
	struct matcher m;
	bool tied = pat[0] == '^';
	size_t lead, words, end = 0;

	pat += tied;
	lead = literal_lead(pat);
	if (n > LINE_MAX_BYTES)
		n = LINE_MAX_BYTES;
	if (lead && !memmem(s, n, pat, lead))
		return false;
	memset(&m, 0, offsetof(struct matcher, failed));
	m.pat = pat;
	m.s = s;
	m.n = n;
	prepare(&m);
	words = n / 64 + 1;
	for (int i = 0; i < m.nchoice; i++)
		memset(m.failed[i], 0, words * sizeof(m.failed[i][0]));
	for (size_t at = 0; at <= n; at++) {
		if (lead && !tied) {
			const char *hit = memmem(s + at, n - at, pat, lead);

			if (!hit)
				return false;
			at = (size_t)(hit - s);
		}
		if (match_at(&m, 0, at, &end)) {
			if (out) {
				*out = (struct pattern_match){
					.start = s + at, .end = s + end, .ncap = m.ncap};
				memcpy(out->cap, m.cap, sizeof(out->cap));
			}
			return true;
		}
		if (tied)
			break;
	}
	return false;
}

bool pattern_find_line(
	const char *pat, const char *text, size_t n, struct pattern_match *m, struct slice *line)
{
	const char *lit = pat + (pat[0] == '^');
	size_t lead = literal_lead(lit);
	const char *p = text, *stop = text + n;

	while (p < stop) {
		const char *from = p, *to;

		if (lead) {
			const char *hit = memmem(p, (size_t)(stop - p), lit, lead);

			if (!hit)
				return false;
			from = memrchr(p, '\n', (size_t)(hit - p));
			from = from ? from + 1 : p;
		}
		to = memchr(from, '\n', (size_t)(stop - from));
		if (!to)
			to = stop;
		if (pattern_find(pat, from, (size_t)(to - from), m)) {
			if (line)
				*line = (struct slice){from, (size_t)(to - from)};
			return true;
		}
		p = to + 1;
	}
	return false;
}

static bool word_in(const char *w, const char *name, size_t n)
{
	bool start = w[0] == '^';
	size_t len = strlen(w += start);
	bool end = len && w[len - 1] == '$';
	const char *star, *hit;

	len -= end;
	star = memchr(w, '*', len);
	if (star) {
		size_t first = (size_t)(star - w), rest = len - first - 1;

		hit = memmem(name, n, w, first);
		return hit && memmem(hit + first, n - (size_t)(hit - name) - first, star + 1, rest);
	}
	if (len > n)
		return false;
	if (start)
		return !memcmp(name, w, len) && (!end || len == n);
	if (end)
		return !memcmp(name + n - len, w, len);
	return memmem(name, n, w, len);
}

bool name_in(const char *const *words, const char *name, size_t n)
{
	for (; words && *words; words++)
		if (word_in(*words, name, n))
			return true;
	return false;
}
