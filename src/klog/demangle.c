/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "demangle.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DEPTH_MAX 64
#define WORK_MAX 2000 /* nodes: back references can make a short name stand for a huge one */

/*
 * The v0 scheme (rustc book, "Symbol Mangling"). `at` and back references count from behind "_R".
 */
struct v0 {
	const char *s;
	size_t n, at;
	char *out;
	size_t len, size;
	unsigned int depth, work;
	bool bad;
};

static void put(struct v0 *d, const char *s, size_t n)
{
	if (d->bad || d->len + n >= d->size) {
		d->bad = true;
		return;
	}
	memcpy(d->out + d->len, s, n);
	d->len += n;
}

static void put_str(struct v0 *d, const char *s)
{
	put(d, s, strlen(s));
}

static char peek(const struct v0 *d)
{
	return d->at < d->n ? d->s[d->at] : 0;
}

static bool take(struct v0 *d, char c)
{
	if (peek(d) != c)
		return false;
	d->at++;
	return true;
}

static char next(struct v0 *d)
{
	char c = peek(d);

	if (c)
		d->at++;
	else
		d->bad = true;
	return c;
}

/* "_" is 0, "0_" 1, "z_" 36, "A_" 37, ... */
static uint64_t base62(struct v0 *d)
{
	uint64_t v = 0;
	char c;

	if (take(d, '_'))
		return 0;
	while (!d->bad && (c = next(d)) != '_') {
		unsigned int digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned int)(c - '0');
		else if (c >= 'a' && c <= 'z')
			digit = (unsigned int)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'Z')
			digit = (unsigned int)(c - 'A') + 36;
		else
			digit = 62;
		if (digit == 62 || v > UINT64_MAX / 64)
			d->bad = true;
		v = v * 62 + digit;
	}
	return v + 1;
}

static uint64_t disambiguator(struct v0 *d)
{
	return take(d, 's') ? base62(d) + 1 : 0;
}

/* A length-prefixed name; printed unless quiet. */
static void identifier(struct v0 *d, bool quiet)
{
	bool unicode = take(d, 'u');
	size_t n = 0;

	while (peek(d) >= '0' && peek(d) <= '9' && n < 1000)
		n = n * 10 + (size_t)(next(d) - '0');
	take(d, '_');
	if (n > d->n - d->at) {
		d->bad = true;
		return;
	}
	if (!quiet)
		put_str(d, unicode ? "{unicode}" : "");
	if (!quiet && !unicode)
		put(d, d->s + d->at, n);
	d->at += n;
}

static void path(struct v0 *d, bool quiet);
static void type(struct v0 *d);

static bool enter(struct v0 *d)
{
	if (d->bad || ++d->depth > DEPTH_MAX || ++d->work > WORK_MAX)
		d->bad = true;
	return !d->bad;
}

/* Runs fn at an earlier place of the name. */
static void back_reference(struct v0 *d, bool is_type, bool quiet)
{
	size_t start = d->at - 1;
	uint64_t to = base62(d);
	size_t saved = d->at;

	if (d->bad || to >= start) {
		d->bad = true;
		return;
	}
	d->at = (size_t)to;
	if (is_type)
		type(d);
	else
		path(d, quiet);
	d->at = saved;
}

static void skip_const(struct v0 *d)
{
	if (take(d, 'p')) {
		put_str(d, "_");
		return;
	}
	if (take(d, 'B')) {
		base62(d);
		put_str(d, "_");
		return;
	}
	next(d);
	while (!d->bad && next(d) != '_')
		;
	put_str(d, "_");
}

static void generic_args(struct v0 *d)
{
	for (bool first = true; !d->bad && !take(d, 'E'); first = false) {
		if (!first)
			put_str(d, ", ");
		if (take(d, 'L')) {
			base62(d);
			put_str(d, "'_");
		} else if (take(d, 'K')) {
			skip_const(d);
		} else {
			type(d);
		}
	}
}

/* namespace, inner path, name. Closures and the like have an upper-case namespace. */
static void nested_path(struct v0 *d, bool quiet)
{
	char space = next(d);
	uint64_t dis;
	size_t before;

	path(d, quiet);
	dis = disambiguator(d);
	(void)dis;
	if (space >= 'A' && space <= 'Z') {
		if (!quiet)
			put_str(d, space == 'C' ? "::{closure#" : "::{shim:");
		before = d->len;
		identifier(d, quiet);
		if (!quiet && space == 'C' && d->len == before)
			put_str(d, "0");
		if (!quiet)
			put_str(d, "}");
		return;
	}
	if (!quiet)
		put_str(d, "::");
	identifier(d, quiet);
}

static void path(struct v0 *d, bool quiet)
{
	size_t len;

	if (!enter(d))
		return;
	switch (next(d)) {
	case 'C': /* crate */
		disambiguator(d);
		identifier(d, quiet);
		break;
	case 'M': /* <T> of an inherent impl, whose own path is of no interest */
		disambiguator(d);
		len = d->len;
		path(d, true);
		d->len = len;
		put_str(d, quiet ? "" : "<");
		type(d);
		put_str(d, quiet ? "" : ">");
		break;
	case 'X': /* <T as Trait> of an impl */
		disambiguator(d);
		len = d->len;
		path(d, true);
		d->len = len;
		/* fallthrough */
	case 'Y': /* <T as Trait> */
		put_str(d, "<");
		type(d);
		put_str(d, " as ");
		path(d, false);
		put_str(d, ">");
		break;
	case 'N':
		nested_path(d, quiet);
		break;
	case 'I': /* generic arguments */
		path(d, quiet);
		put_str(d, "::<");
		generic_args(d);
		put_str(d, ">");
		break;
	case 'B':
		back_reference(d, false, quiet);
		break;
	default:
		d->bad = true;
	}
	d->depth--;
}

static const char *basic_type(char c)
{
	static const char letters[] = "abcdefhijlmnopstuvxyz";
	static const char *const names[] = {"i8", "bool", "char", "f64", "str", "f32", "u8",
		"isize", "usize", "i32", "u32", "i128", "u128", "_", "i16", "u16", "()", "...",
		"i64", "u64", "!"};
	const char *hit = c ? strchr(letters, c) : NULL;

	return hit ? names[hit - letters] : NULL;
}

static void types_until_end(struct v0 *d)
{
	for (bool first = true; !d->bad && !take(d, 'E'); first = false) {
		if (!first)
			put_str(d, ", ");
		type(d);
	}
}

static void fn_type(struct v0 *d)
{
	if (take(d, 'G'))
		base62(d);
	take(d, 'U');
	if (take(d, 'K') && !take(d, 'C'))
		identifier(d, true);
	put_str(d, "fn(");
	types_until_end(d);
	put_str(d, ")");
	if (take(d, 'u'))
		return;
	put_str(d, " -> ");
	type(d);
}

static void dyn_type(struct v0 *d)
{
	if (take(d, 'G'))
		base62(d);
	put_str(d, "dyn ");
	for (bool first = true; !d->bad && !take(d, 'E'); first = false) {
		if (!first)
			put_str(d, " + ");
		path(d, false);
		while (take(d, 'p')) {
			size_t len = d->len;

			disambiguator(d);
			identifier(d, true);
			type(d);
			d->len = len;
		}
	}
	if (take(d, 'L'))
		base62(d);
}

static void type(struct v0 *d)
{
	char c = peek(d);
	const char *basic = basic_type(c);

	if (basic) {
		d->at++;
		put_str(d, basic);
		return;
	}
	if (!enter(d))
		return;
	d->at++;
	switch (c) {
	case 'R':
	case 'Q':
		if (take(d, 'L'))
			base62(d);
		put_str(d, c == 'R' ? "&" : "&mut ");
		type(d);
		break;
	case 'P':
	case 'O':
		put_str(d, c == 'P' ? "*const " : "*mut ");
		type(d);
		break;
	case 'A':
	case 'S':
		put_str(d, "[");
		type(d);
		if (c == 'A') {
			put_str(d, "; ");
			skip_const(d);
		}
		put_str(d, "]");
		break;
	case 'T':
		put_str(d, "(");
		types_until_end(d);
		put_str(d, ")");
		break;
	case 'F':
		fn_type(d);
		break;
	case 'D':
		dyn_type(d);
		break;
	case 'B':
		back_reference(d, true, false);
		break;
	default:
		d->at--;
		path(d, false);
	}
	d->depth--;
}

/* "_ZN4core9panicking5panic17h0123456789abcdefE": names with lengths, the last one a hash. */
static size_t legacy(const char *s, size_t n, char *out, size_t size)
{
	size_t at = 3, len = 0;

	while (at < n && s[at] >= '1' && s[at] <= '9') {
		size_t part = 0;

		while (at < n && s[at] >= '0' && s[at] <= '9' && part < 1000)
			part = part * 10 + (size_t)(s[at++] - '0');
		if (part > n - at)
			return 0;
		if (part == 17 && s[at] == 'h' && at + part < n && s[at + part] == 'E')
			break;
		if (len + part + 2 >= size)
			return 0;
		if (len) {
			memcpy(out + len, "::", 2);
			len += 2;
		}
		memcpy(out + len, s + at, part);
		len += part;
		at += part;
	}
	out[len] = 0;
	return len;
}

size_t demangle(const char *s, size_t n, char *out, size_t size)
{
	struct v0 d = {.s = s + 2, .out = out, .size = size};

	if (n > 4 && !memcmp(s, "_ZN", 3))
		return legacy(s, n, out, size);
	if (n < 4 || s[0] != '_' || s[1] != 'R')
		return 0;
	d.n = n - 2;
	path(&d, false);
	if (d.bad || !d.len)
		return 0;
	out[d.len] = 0;
	return d.len;
}
