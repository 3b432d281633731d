/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "id_list.h"

#include "base/path.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Longest list: every other CPU of a large machine. */
enum { LIST_MAX = 32768 };

static bool take_number(const char **text, long *ret)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	*ret = strtol(*text, &end, 10);
	*text = end;
	return true;
}

int id_list_parse(const char *text, bool *set, int n)
{
	int count = 0;
	long from, to;

	memset(set, 0, (size_t)n * sizeof(*set));
	while (*text) {
		if (!take_number(&text, &from))
			return -EINVAL;
		to = from;
		if (*text == '-' && (text++, !take_number(&text, &to)))
			return -EINVAL;
		for (long i = from; i <= to && i < n; i++) {
			count += !set[i];
			set[i] = true;
		}
		if (*text == ',' && text[1])
			text++;
		else if (*text)
			return -EINVAL;
	}
	return count;
}

int id_list_read(const char *path, bool *set, int n)
{
	char text[LIST_MAX];
	ssize_t len = path_read(path, text, sizeof(text));

	return len < 0 ? (int)len : id_list_parse(text, set, n);
}
