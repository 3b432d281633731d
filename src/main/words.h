/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command line that is put together: copies of its words, and NULL at its end. */
#ifndef SUNDER_MAIN_WORDS_H
#define SUNDER_MAIN_WORDS_H

enum { WORDS_MAX = 96 };

struct words {
	char *word[WORDS_MAX + 1];
	unsigned int n;
};

/* What does not fit, or finds no memory, is left out. */
void words_say(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* OPTION VALUE, if there is a value. */
void words_option(struct words *w, const char *option, const char *value);

void words_free(struct words *w);

#endif
