/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the text files of /proc line by line. Private to exec. */
#ifndef SUNDER_EXEC_LINES_H
#define SUNDER_EXEC_LINES_H

#include <stddef.h>

/* The line has no newline and may be written into. */
typedef void line_fn(void *arg, char *line);

/*
 * Calls each() for every line of the file, from its start; buf holds a part of it, and a line that does not fit is given in
 * pieces. 0 or -errno.
 */
int lines_read(int fd, char *buf, size_t size, line_fn *each, void *arg);

#endif
