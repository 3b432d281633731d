/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "demangle.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "pattern.h"

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
	uint64_t lifetimes; /* bound by the for<...> around this place */
	bool quiet; /* read on, print nothing */
	bool bad;
};

static void put(struct v0 *d, const char *s, size_t n)
{
	if (d->bad || d->quiet)
		return;
	if (d->len + n >= d->size) {
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

static void put_number(struct v0 *d, const char *before, uint64_t v, const char *after)
{
	char s[64];

	snprintf(s, sizeof(s), "%s%" PRIu64 "%s", before, v, after);
	put_str(d, s);
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

/* A length-prefixed name. Punycode stays as it is: the kernel's sources are ASCII. */
static struct slice identifier(struct v0 *d)
{
	struct slice name = {d->s, 0};
	size_t n = 0;

	take(d, 'u');
	if (peek(d) < '0' || peek(d) > '9')
		d->bad = true;
	if (!take(d, '0')) /* a number that starts so ends so: "04node" is "" and "node" */
		while (peek(d) >= '0' && peek(d) <= '9' && n < 1000)
			n = n * 10 + (size_t)(next(d) - '0');
	take(d, '_');
	if (d->bad || n > d->n - d->at) {
		d->bad = true;
		return name;
	}
	name = (struct slice){d->s + d->at, n};
	d->at += n;
	return name;
}

static void put_slice(struct v0 *d, struct slice s)
{
	put(d, s.p, s.n);
}

static bool enter(struct v0 *d)
{
	if (d->bad || ++d->depth > DEPTH_MAX || ++d->work > WORK_MAX)
		d->bad = true;
	return !d->bad;
}

/* In a path of a value, "::" stands before generic arguments; in one of a type it does not. */
enum place { IN_VALUE, IN_TYPE };

static void path(struct v0 *d, enum place place);
static void type(struct v0 *d);
static void constant(struct v0 *d);

/* Moves to an earlier place of the name, of which a 'B' was read. Returns where to go on. */
static size_t back_reference(struct v0 *d)
{
	size_t start = d->at - 1;
	uint64_t to = base62(d);
	size_t after = d->at;

	if (d->bad || to >= start)
		d->bad = true;
	else
		d->at = (size_t)to;
	return after;
}

/* 'a is the outermost lifetime; they are numbered from the innermost, from 1. */
static void lifetime(struct v0 *d, uint64_t number)
{
	uint64_t depth = d->lifetimes - number;

	if (!number)
		put_str(d, "'_");
	else if (number > d->lifetimes)
		d->bad = true;
	else if (depth < 26)
		put(d, (char[]){'\'', (char)('a' + depth)}, 2);
	else
		put_number(d, "'z", depth - 25, "");
}

static void binder(struct v0 *d)
{
	uint64_t n;

	if (!take(d, 'G'))
		return;
	n = base62(d) + 1;
	if (d->bad || n >= d->n - d->at) {
		d->bad = true;
		return;
	}
	put_str(d, "for<");
	for (uint64_t i = 0; i < n; i++) {
		put_str(d, i ? ", " : "");
		d->lifetimes++;
		lifetime(d, 1);
	}
	put_str(d, "> ");
}

static void generic_args(struct v0 *d)
{
	for (bool first = true; !d->bad && peek(d) != 'E'; first = false) {
		put_str(d, first ? "" : ", ");
		if (take(d, 'L'))
			lifetime(d, base62(d));
		else if (take(d, 'K'))
			constant(d);
		else
			type(d);
	}
	take(d, 'E');
}

/* namespace, inner path, name. Closures and the like have an upper-case namespace. */
static void nested_path(struct v0 *d, enum place place)
{
	char space = next(d);
	struct slice name;
	uint64_t number;

	path(d, place);
	number = disambiguator(d);
	name = identifier(d);
	put_str(d, "::");
	if (space < 'A' || space > 'Z') {
		put_slice(d, name);
		return;
	}
	put_str(d, "{");
	put_str(d, space == 'C' ? "closure" : space == 'S' ? "shim" : (char[]){space, 0});
	put_str(d, name.n ? ":" : "");
	put_slice(d, name);
	put_number(d, "#", number, "}");
}

/* An impl's own place in the source, which is of no interest. */
static void impl_path(struct v0 *d)
{
	bool was = d->quiet;

	d->quiet = true;
	disambiguator(d);
	path(d, IN_TYPE);
	d->quiet = was;
}

/* <T> of an inherent impl, <T as Trait> */
static void self_type(struct v0 *d, bool has_trait)
{
	put_str(d, "<");
	type(d);
	if (has_trait) {
		put_str(d, " as ");
		path(d, IN_TYPE);
	}
	put_str(d, ">");
}

static void path(struct v0 *d, enum place place)
{
	char c;
	size_t after;

	if (!enter(d))
		return;
	switch (c = next(d)) {
	case 'C': /* crate */
		disambiguator(d);
		put_slice(d, identifier(d));
		break;
	case 'M':
	case 'X':
		impl_path(d);
		/* fallthrough */
	case 'Y':
		self_type(d, c != 'M');
		break;
	case 'N':
		nested_path(d, place);
		break;
	case 'I':
		path(d, place);
		put_str(d, place == IN_VALUE ? "::<" : "<");
		generic_args(d);
		put_str(d, ">");
		break;
	case 'B':
		after = back_reference(d);
		if (!d->bad && !d->quiet)
			path(d, place);
		d->at = after;
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

/* Returns how many there were. */
static size_t types_until_end(struct v0 *d)
{
	size_t n = 0;

	for (; !d->bad && peek(d) != 'E'; n++) {
		put_str(d, n ? ", " : "");
		type(d);
	}
	take(d, 'E');
	return n;
}

/* Lower-case hexadecimal digits up to '_'. */
static void constant_digits(struct v0 *d, char kind)
{
	const char *start = d->s + d->at;
	size_t n = 0;
	uint64_t v = 0;
	char c;

	while (!d->bad && (c = next(d)) != '_') {
		if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
			d->bad = true;
		v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
		n++;
	}
	if (!n)
		d->bad = true;
	if (kind == 'b') {
		put_str(d, v ? "true" : "false");
	} else if (kind == 'c') {
		put_str(d, "'");
		if (v >= ' ' && v <= '~')
			put(d, (char[]){(char)v}, 1);
		else
			put_number(d, "\\u{", v, "}");
		put_str(d, "'");
	} else if (n > 16) {
		put_str(d, "0x");
		put(d, start, n);
	} else {
		put_number(d, "", v, "");
	}
}

static void constant(struct v0 *d)
{
	size_t after;
	char kind;

	if (!enter(d))
		return;
	kind = next(d);
	if (kind == 'B') {
		after = back_reference(d);
		if (!d->bad && !d->quiet)
			constant(d);
		d->at = after;
	} else if (kind == 'p') {
		put_str(d, "_");
	} else if (kind && strchr("aslxnihtmyojbc", kind)) {
		if (strchr("aslxni", kind) && take(d, 'n'))
			put_str(d, "-");
		constant_digits(d, kind);
	} else {
		d->bad = true;
	}
	d->depth--;
}

static void fn_type(struct v0 *d)
{
	uint64_t lifetimes = d->lifetimes;
	struct slice abi;

	binder(d);
	put_str(d, take(d, 'U') ? "unsafe " : "");
	if (take(d, 'K')) {
		put_str(d, "extern \"");
		if (take(d, 'C')) {
			put_str(d, "C");
		} else {
			abi = identifier(d);
			for (size_t i = 0; i < abi.n; i++)
				put(d, abi.p[i] == '_' ? "-" : abi.p + i, 1);
		}
		put_str(d, "\" ");
	}
	put_str(d, "fn(");
	types_until_end(d);
	put_str(d, ")");
	if (!take(d, 'u')) {
		put_str(d, " -> ");
		type(d);
	}
	d->lifetimes = lifetimes;
}

/* A path, of which generic arguments stay open. Returns whether there are some. */
static bool open_path(struct v0 *d)
{
	bool open = false;
	size_t after;

	if (!enter(d))
		return false;
	if (take(d, 'I')) {
		path(d, IN_TYPE);
		put_str(d, "<");
		generic_args(d);
		open = true;
	} else if (take(d, 'B')) {
		after = back_reference(d);
		if (!d->bad && !d->quiet)
			open = open_path(d);
		d->at = after;
	} else {
		path(d, IN_TYPE);
	}
	d->depth--;
	return open;
}

static void dyn_type(struct v0 *d)
{
	uint64_t lifetimes = d->lifetimes, bound;

	put_str(d, "dyn ");
	binder(d);
	for (bool first = true; !d->bad && peek(d) != 'E'; first = false) {
		bool open;

		put_str(d, first ? "" : " + ");
		open = open_path(d);
		for (; take(d, 'p'); open = true) {
			put_str(d, open ? ", " : "<");
			put_slice(d, identifier(d));
			put_str(d, " = ");
			type(d);
		}
		put_str(d, open ? ">" : "");
	}
	take(d, 'E');
	d->lifetimes = lifetimes;
	if (!take(d, 'L')) {
		d->bad = true;
		return;
	}
	bound = base62(d);
	if (bound) {
		put_str(d, " + ");
		lifetime(d, bound);
	}
}

static void reference(struct v0 *d, bool mutable)
{
	uint64_t number;

	put_str(d, "&");
	if (take(d, 'L')) {
		number = base62(d);
		if (number) {
			lifetime(d, number);
			put_str(d, " ");
		}
	}
	put_str(d, mutable ? "mut " : "");
	type(d);
}

static void type(struct v0 *d)
{
	const char *basic = basic_type(peek(d));
	size_t after;
	char c;

	if (basic) {
		d->at++;
		put_str(d, basic);
		return;
	}
	if (!enter(d))
		return;
	switch (c = next(d)) {
	case 'R':
	case 'Q':
		reference(d, c == 'Q');
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
			constant(d);
		}
		put_str(d, "]");
		break;
	case 'T':
		put_str(d, "(");
		put_str(d, types_until_end(d) == 1 ? ",)" : ")");
		break;
	case 'F':
		fn_type(d);
		break;
	case 'D':
		dyn_type(d);
		break;
	case 'B':
		after = back_reference(d);
		if (!d->bad && !d->quiet)
			type(d);
		d->at = after;
		break;
	default:
		d->at -= c ? 1 : 0;
		path(d, IN_TYPE);
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
	path(&d, IN_VALUE);
	if (!d.bad && d.at < d.n) { /* the crate that instantiated it */
		d.quiet = true;
		path(&d, IN_TYPE);
	}
	if (d.bad || !d.len || d.at < d.n)
		return 0;
	out[d.len] = 0;
	return d.len;
}
