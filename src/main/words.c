/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void words_say(struct words *w, const char *fmt, ...)
{
	char *word;
	va_list ap;
	int r;

	if (w->n == WORDS_MAX)
		return;
	va_start(ap, fmt);
	r = vasprintf(&word, fmt, ap);
	va_end(ap);
	if (r < 0)
		return;
	w->word[w->n++] = word;
	w->word[w->n] = NULL;
}

void words_option(struct words *w, const char *option, const char *value)
{
	if (!value)
		return;
	words_say(w, "%s", option);
	words_say(w, "%s", value);
}

void words_free(struct words *w)
{
	for (unsigned int i = 0; i < w->n; i++)
		free(w->word[i]);
	w->n = 0;
}
