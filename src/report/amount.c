/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Amounts and foreign text as people read them. */
#include "sink.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"

const char *amount_count(uint64_t n, char buf[AMOUNT_MAX])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), out = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf[out++] = ',';
		buf[out++] = digits[i];
	}
	buf[out] = '\0';
	return buf;
}

const char *amount_clock(double seconds, char buf[AMOUNT_MAX])
{
	unsigned long s = seconds > 0 ? (unsigned long)seconds : 0;

	if (s >= 3600)
		snprintf(buf, AMOUNT_MAX, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(buf, AMOUNT_MAX, "%lu:%02lu", s / 60, s % 60);
	return buf;
}

const char *amount_bytes(uint64_t bytes, char buf[AMOUNT_MAX])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t u = 0;

	while (value >= 1024 && u + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		u++;
	}
	snprintf(buf, AMOUNT_MAX, value == (double)(uint64_t)value ? "%.0f %s" : "%.1f %s", value,
		units[u]);
	return buf;
}

double ratio(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

void print_clean(const char *s, FILE *out)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		fputc((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : c, out);
	}
}

/* U+FFFE and U+FFFF are UTF-8 that no XML document may have. */
static bool is_noncharacter(const char *s)
{
	return (unsigned char)s[0] == 0xef && (unsigned char)s[1] == 0xbf &&
	       ((unsigned char)s[2] == 0xbe || (unsigned char)s[2] == 0xbf);
}

void print_xml(const char *s, FILE *out)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (is_noncharacter(s)) {
			fputc('?', out);
			s += 2;
		} else if (c == '<') {
			fputs("&lt;", out);
		} else if (c == '>') {
			fputs("&gt;", out);
		} else if (c == '&') {
			fputs("&amp;", out);
		} else if (c == '"') {
			fputs("&quot;", out);
		} else {
			fputc((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : c, out);
		}
	}
}

void print_shell_word(const char *s, FILE *out)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+@%";

	if (*s && s[strspn(s, plain)] == '\0') {
		fputs(s, out);
		return;
	}
	fputc('\'', out);
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", out);
		else
			fputc(*s, out);
	}
	fputc('\'', out);
}
