/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": of the candidates tried, the one that a misspelt word is nearest to. */
#ifndef SUNDER_PLAN_SUGGEST_H
#define SUNDER_PLAN_SUGGEST_H

enum { SUGGEST_TEXT_MAX = 64 };

struct suggest {
	/* Best: NULL, or a candidate near enough; both stay the caller's. */
	const char *word, *best;
	unsigned int distance;
};

void suggest_start(struct suggest *s, const char *word);
void suggest_try(struct suggest *s, const char *candidate);

/* "; did you mean \"touch\"?" or "", in buf. */
const char *suggest_text(const struct suggest *s, char buf[SUGGEST_TEXT_MAX]);

#endif
