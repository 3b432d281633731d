/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/suggest.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST = 40 };

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edit distance with swaps of neighbours (optimal string alignment); both at most LONGEST long. */
static unsigned int edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned int row[3][LONGEST + 1];

	for (size_t j = 0; j <= nb; j++)
		row[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned int *cur = row[i % 3], *up = row[(i - 1) % 3], *up2 = row[(i + 1) % 3];

		cur[0] = (unsigned int)i;
		for (size_t j = 1; j <= nb; j++) {
			cur[j] =
				min3(cur[j - 1] + 1, up[j] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				up2[j - 2] + 1 < cur[j])
				cur[j] = up2[j - 2] + 1;
		}
	}
	return row[na % 3][nb];
}

void suggest_start(struct suggest *s, const char *word)
{
	size_t len = strlen(word);

	s->word = word;
	s->best = NULL;
	/* A third of the letters may be wrong, one at least: else it is another word. */
	s->distance = (len < 6 ? 2 : (unsigned int)len / 3) + 1;
	if (len < 3)
		s->distance = 2;
}

void suggest_try(struct suggest *s, const char *candidate)
{
	size_t na = strlen(s->word), nb = strlen(candidate);
	unsigned int d;

	if (na > LONGEST || nb > LONGEST)
		return;
	d = edit_distance(s->word, na, candidate, nb);
	if (d < s->distance && d < nb) {
		s->distance = d;
		s->best = candidate;
	}
}

const char *suggest_text(const struct suggest *s, char buf[SUGGEST_TEXT_MAX])
{
	buf[0] = '\0';
	if (s->best)
		snprintf(buf, SUGGEST_TEXT_MAX, "; did you mean \"%.40s\"?", s->best);
	return buf;
}
