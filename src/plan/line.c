/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/line.h"

#include <stdbool.h>
#include <string.h>

/* Bytes that follow the first byte of a UTF-8 sequence, or -1. */
static int utf8_more(unsigned char c)
{
	if (c < 0x80)
		return 0;
	if (c >= 0xc2 && c <= 0xdf)
		return 1;
	if (c >= 0xe0 && c <= 0xef)
		return 2;
	if (c >= 0xf0 && c <= 0xf4)
		return 3;
	return -1;
}

/* Second bytes that would make an overlong form, a surrogate or more than U+10FFFF. */
static bool utf8_second_wrong(unsigned char first, unsigned char second)
{
	return (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
	       (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
}

static bool utf8_wrong(const unsigned char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int more = utf8_more(s[i]);

		if (more < 0 || (size_t)more >= len - i)
			return true;
		if (more && utf8_second_wrong(s[i], s[i + 1]))
			return true;
		for (; more; more--)
			if ((s[++i] & 0xc0) != 0x80)
				return true;
	}
	return false;
}

const char *line_wrong(const char *line, size_t len)
{
	if (memchr(line, '\0', len))
		return "a NUL byte: this is not a text file";
	if (utf8_wrong((const unsigned char *)line, len))
		return "not UTF-8 text";
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
			return "a control character: this is not a text file";
	return NULL;
}

static bool is_gap(char c, const char *also)
{
	return c == ' ' || c == '\t' || (c && strchr(also, c));
}

char *line_word(char **cursor, const char *also)
{
	char *s = *cursor, *word;

	while (is_gap(*s, also))
		s++;
	if (!*s) {
		*cursor = s;
		return NULL;
	}
	word = s;
	while (*s && !is_gap(*s, also))
		s++;
	if (*s)
		*s++ = '\0';
	*cursor = s;
	return word;
}

char *line_cut(char *word, char at)
{
	char *s = strchr(word, at);

	if (!s)
		return NULL;
	*s = '\0';
	return s + 1;
}

void line_repair(char *text)
{
	if (!line_wrong(text, strlen(text)))
		return;
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			*text = '?';
}
