/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cover.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { PLACES = 1 << 23, CLASSES = 8 };

struct entry {
	size_t size;
	uint32_t *feature; /* [n] numbers of (place, class), dense */
	uint32_t n;
};

struct cover {
	struct entry *entry;
	size_t nentries, room;
	uint32_t *number; /* [PLACES * CLASSES]: of a feature + 1; 0: not seen */
	uint32_t nfeatures;
};

struct cover *cover_new(void)
{
	struct cover *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->number = calloc((size_t)PLACES * CLASSES, sizeof(*c->number));
	if (c->number)
		return c;
	free(c);
	return NULL;
}

void cover_free(struct cover *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nentries; i++)
		free(c->entry[i].feature);
	free(c->entry);
	free(c->number);
	free(c);
}

size_t cover_reached(const struct cover *c)
{
	return c->nfeatures;
}

/* afl-showmap gives classes by their number, 1 to 8, or counts: what is more than that is one class. */
static uint32_t feature_of(struct cover *c, unsigned long place, unsigned long class)
{
	uint32_t *n = &c->number[place * CLASSES + (class > CLASSES ? CLASSES : class) - 1];

	if (!*n)
		*n = ++c->nfeatures;
	return *n - 1;
}

static int parse(struct cover *c, const char *map, struct entry *e)
{
	size_t room = 0;

	while (*map) {
		unsigned long place, class;
		char *end;

		place = strtoul(map, &end, 10);
		if (end == map || *end != ':' || place >= PLACES)
			return -EBADMSG;
		map = end + 1;
		class = strtoul(map, &end, 10);
		if (end == map || (*end && *end != '\n') || !class)
			return -EBADMSG;
		map = end + (*end == '\n');
		if (e->n == room) {
			uint32_t *more =
				realloc(e->feature, (room = room ? 2 * room : 64) * sizeof(*more));

			if (!more)
				return -ENOMEM;
			e->feature = more;
		}
		e->feature[e->n++] = feature_of(c, place, class);
	}
	return 0;
}

int cover_add(struct cover *c, size_t size, const char *map)
{
	struct entry e = {.size = size};
	int r = parse(c, map, &e);

	if (r == 0 && c->nentries == c->room) {
		struct entry *more =
			realloc(c->entry, (c->room = c->room ? 2 * c->room : 64) * sizeof(*more));

		if (more)
			c->entry = more;
		r = more ? 0 : -ENOMEM;
	}
	if (r < 0) {
		free(e.feature);
		return r;
	}
	c->entry[c->nentries++] = e;
	return 0;
}

static uint32_t gain_of(const struct entry *e, const uint32_t *times)
{
	uint32_t gain = 0;

	for (uint32_t i = 0; i < e->n; i++)
		gain += !times[e->feature[i]];
	return gain;
}

/* Gains only ever shrink: an entry whose gain was less than the best is looked at again only when its turn comes. */
static size_t best_of(
	const struct cover *c, const uint32_t *times, uint32_t *gain, const unsigned char *keep)
{
	size_t best = c->nentries;

	for (size_t i = 0; i < c->nentries; i++) {
		double value;

		if (keep[i] || !gain[i])
			continue;
		value = best == c->nentries
				? 0
				: (double)gain[best] / (double)(c->entry[best].size + 1);
		if ((double)gain[i] / (double)(c->entry[i].size + 1) <= value)
			continue;
		gain[i] = gain_of(&c->entry[i], times);
		if (gain[i] && (double)gain[i] / (double)(c->entry[i].size + 1) > value)
			best = i;
	}
	return best;
}

static int drop_superfluous(const struct cover *c, uint32_t *times, unsigned char *keep)
{
	int dropped = 0;

	for (size_t i = 0; i < c->nentries; i++) {
		const struct entry *e = &c->entry[i];
		bool needed = false;

		for (uint32_t k = 0; keep[i] && k < e->n && !needed; k++)
			needed = times[e->feature[k]] == 1;
		if (!keep[i] || needed)
			continue;
		for (uint32_t k = 0; k < e->n; k++)
			times[e->feature[k]]--;
		keep[i] = 0;
		dropped++;
	}
	return dropped;
}

int cover_choose(struct cover *c, unsigned char *keep)
{
	_cleanup_free_ uint32_t *times = calloc((size_t)c->nfeatures + 1, sizeof(*times)),
				*gain = calloc(c->nentries + 1, sizeof(*gain));
	size_t i;
	int n = 0;

	if (!times || !gain)
		return -ENOMEM;
	memset(keep, 0, c->nentries);
	for (i = 0; i < c->nentries; i++)
		gain[i] = c->entry[i].n;
	while ((i = best_of(c, times, gain, keep)) < c->nentries) {
		keep[i] = 1;
		n++;
		for (uint32_t k = 0; k < c->entry[i].n; k++)
			times[c->entry[i].feature[k]]++;
	}
	return n - drop_superfluous(c, times, keep);
}
