/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reproducer.c.in is cut at its lines "//: KIND NAME". A part goes into an exported file if NAME stands in the file's own code or in
 * another part that does.
 */
#include "export_parts.h"

#include <ctype.h>
#include <string.h>

extern const char export_template[]; /* made of reproducer.c.in */

static const char cut[] = "//: ";

void parts_read(struct parts *ps)
{
	const char *at = export_template;

	ps->n = 0;
	while (at && *at && ps->n < PARTS_MAX) {
		struct part *p = &ps->part[ps->n++];
		const char *next;

		p->kind = at + strlen(cut);
		p->kind_len = (int)strcspn(p->kind, " \n");
		p->name = p->kind + p->kind_len;
		p->name += *p->name == ' ';
		p->name_len = (int)strcspn(p->name, " \n");
		p->text = strchr(at, '\n') + 1;
		next = strncmp(p->text, cut, strlen(cut)) == 0 ? p->text - 1
							       : strstr(p->text, "\n//: ");
		p->len = next ? (size_t)(next + 1 - p->text) : strlen(p->text);
		p->used = false;
		at = next ? next + 1 : NULL;
	}
}

static bool in_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static struct part *find(const struct parts *ps, const char *word, size_t len)
{
	for (unsigned int i = 0; i < ps->n; i++)
		if ((size_t)ps->part[i].name_len == len &&
			strncmp(ps->part[i].name, word, len) == 0)
			return (struct part *)&ps->part[i];
	return NULL;
}

/* Behind a comment or a string that begins here; NULL: none does. */
static const char *skip(const char *at, const char *end)
{
	if (*at == '"') {
		for (at++; at < end && *at != '"'; at++)
			at += *at == '\\';
		return at + 1;
	}
	if (at + 1 < end && at[0] == '/' && at[1] == '*') {
		at = strstr(at, "*/");
		return at ? at + 2 : end;
	}
	return NULL;
}

void parts_use(struct parts *ps, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *word = text;
		struct part *p;

		while (text < end && in_word(*text))
			text++;
		if (text == word) {
			const char *behind = skip(text, end);

			text = behind ? behind : text + 1;
			continue;
		}
		p = find(ps, word, (size_t)(text - word));
		if (!p || p->used)
			continue;
		p->used = true;
		/* The line of its name counts too: it may name what the code needs only indirectly. */
		parts_use(ps, p->name, (size_t)(p->text + p->len - p->name));
	}
}

bool parts_used(const struct parts *ps, const char *name)
{
	const struct part *p = find(ps, name, strlen(name));

	return p && p->used;
}

void parts_print(const struct parts *ps, const char *kind, FILE *out)
{
	for (unsigned int i = 0; i < ps->n; i++) {
		const struct part *p = &ps->part[i];

		if ((size_t)p->kind_len == strlen(kind) &&
			strncmp(p->kind, kind, (size_t)p->kind_len) == 0 &&
			(p->used || !p->name_len))
			fwrite(p->text, 1, p->len, out);
	}
}
