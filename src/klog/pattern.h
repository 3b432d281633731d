/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Line patterns, so that tables can say what a kernel line looks like. Matching takes time linear
 * in the line, whatever the pattern. A pattern is literal text, in which
 *   *  ~      any run of bytes, as long / as short as possible
 *   (a|b)     captures; {a|b} does not; an alternative may be empty
 *   %i        1+ of A-Za-z0-9_          %g  the same and '.'
 *   %c        1+ of A-Za-z0-9-_/.       %l  1+ of a-z          %w  1+ of a-z and '-'
 *   %d  %x    1+ decimal / lower-case hexadecimal digits
 *   %_  %-    1+ / 0+ spaces            %n  1+ of anything but a space
 *   %q  %b    1+ of anything but ' / ]
 *   ^  $      first / last place in the pattern: start / end of the line
 *   \x        x itself
 */
#ifndef SUNDER_KLOG_PATTERN_H
#define SUNDER_KLOG_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* A function name as the kernel prints it (the name is captured), an address, a source position. */
#define PAT_FUNC "(%i){.|+}"
#define PAT_PC "[{<|}{0x|}%x{>|}]"
#define PAT_SRC "(%c.%l:%d)"

#define PATTERN_CAPS 6

struct slice {
	const char *p; /* NULL: did not take part */
	size_t n;
};

struct pattern_match {
	const char *start, *end;
	struct slice cap[PATTERN_CAPS];
	int ncap; /* groups in the pattern */
};

/* The first match in a line (only its first 2048 bytes are looked at). m may be NULL. */
bool pattern_find(const char *pat, const char *s, size_t n, struct pattern_match *m);

/*
 * The same over lines separated by '\n': the first line that matches. *line, if not NULL, gets
 * it.
 */
bool pattern_find_line(
	const char *pat, const char *text, size_t n, struct pattern_match *m, struct slice *line);

/*
 * Function names against a NULL-ended list: each word is a substring, '^' and '$' tie it to the
 * start and the end, one '*' stands for any run.
 */
bool name_in(const char *const *words, const char *name, size_t n);

#endif
