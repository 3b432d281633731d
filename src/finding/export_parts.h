/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts that exported C files are made of (reproducer.c.in). Private to the room. */
#ifndef SUNDER_FINDING_EXPORT_PARTS_H
#define SUNDER_FINDING_EXPORT_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { PARTS_MAX = 192, PART_NAME_MAX = 48 };

struct part {
	const char *kind, *name; /* "helper" "touch"; name is empty for parts of their own kind */
	int kind_len, name_len;
	const char *text;
	size_t len;
	bool used;
};

struct parts {
	struct part part[PARTS_MAX];
	unsigned int n;
};

void parts_read(struct parts *ps);

/* Marks all that the text names, and what they name in turn. */
void parts_use(struct parts *ps, const char *text, size_t len);
bool parts_used(const struct parts *ps, const char *name);

/* Prints the parts of a kind that are used, or the one that has no name. */
void parts_print(const struct parts *ps, const char *kind, FILE *out);

#endif
