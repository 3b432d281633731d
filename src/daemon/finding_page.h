/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page of one finding: what the list tells of it, and the files that the store has of it. */
#ifndef SUNDER_DAEMON_FINDING_PAGE_H
#define SUNDER_DAEMON_FINDING_PAGE_H

#include <stddef.h>
#include <stdio.h>

struct service;

/* id: as in the list. For free(); NULL: there is none. */
char *finding_page(const struct service *s, const char *id);

/* Text of others as HTML: markup becomes text, control characters but newline and tab become '?'. */
void html_escape(const char *text, size_t len, FILE *out);

#endif
