/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of text from outside: whether they are text at all, and cut into words. */
#ifndef SUNDER_PLAN_LINE_H
#define SUNDER_PLAN_LINE_H

#include <stddef.h>

/* NULL, or why the bytes are not a line of text: NUL, a control character but tab, or not UTF-8. */
const char *line_wrong(const char *line, size_t len);

/*
 * The next word of *cursor (ended in place with NUL; words are apart by white space or a byte of
 * `also`), or NULL at the end. *cursor moves behind it.
 */
char *line_word(char **cursor, const char *also);

/* Cuts "key=value" at the first `at`; returns the value, or NULL without one. */
char *line_cut(char *word, char at);

/*
 * Makes text that was cut or comes from a file name what JSON can hold: if it is not UTF-8, other
 * bytes become '?'.
 */
void line_repair(char *text);

#endif
