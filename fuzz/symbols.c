/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbols.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { SYMBOLS_MAX = 400000, NAME_MAX_LEN = 160 };

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

int symbols_read(const char *file, struct symbol **ret)
{
	_cleanup_fclose_ FILE *f = fopen(file, "re");
	struct symbol *s = calloc(SYMBOLS_MAX, sizeof(*s));
	char line[512], name[NAME_MAX_LEN], type;
	unsigned long long at;
	int n = 0;

	if (!s)
		return -ENOMEM;
	while (f && n < SYMBOLS_MAX && fgets(line, sizeof(line), f)) {
		if (strchr(line, '[') || sscanf(line, "%llx %c %159s", &at, &type, name) != 3)
			continue;
		if (type != 't' && type != 'T' && type != 'W' && type != 'w')
			continue;
		s[n].at = at;
		snprintf(s[n++].name, sizeof(s[0].name), "%.63s", name);
	}
	qsort(s, (size_t)n, sizeof(*s), by_address);
	*ret = s;
	return n;
}
