/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "credit.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* How far a place has sunk. */
enum { EXACT, LOOSE, NOISY };
enum { OWNERS = 1 << 17, OWNER_PROBES = 8 };

/* Places that an input has the credit for: a list through `next`. */
struct owner {
	uint64_t input; /* 0: free */
	uint32_t first; /* place + 1; 0: end */
};

struct credit {
	uint8_t seen[MAP_SIZE]; /* bits: classes that some input has shown */
	uint8_t noise[MAP_SIZE];
	uint32_t next[MAP_SIZE]; /* place + 1 of the same owner; 0: end */
	bool owned[MAP_SIZE];
	struct owner owner[OWNERS];
	/* The input at hand, and the one before it: the same, if afl-fuzz repeats it. */
	uint64_t input, before;
	bool repeated;
	unsigned int runs;
	uint8_t least[MAP_SIZE], most[MAP_SIZE]; /* classes + 1 of its runs; least 0: not in all */
	uint32_t used[MAP_SIZE];
	uint32_t n;
	/* What was told of it last. */
	uint8_t told[MAP_SIZE];
	uint32_t told_used[MAP_SIZE];
	uint32_t told_n;
};

struct credit *credit_new(void)
{
	return calloc(1, sizeof(struct credit));
}

void credit_free(struct credit *c)
{
	free(c);
}

/* NULL: there is none, and no room (make) for one. */
static struct owner *owner_of(struct credit *c, uint64_t input, bool make)
{
	for (unsigned int i = 0; i < OWNER_PROBES; i++) {
		struct owner *o = &c->owner[(input + i) % OWNERS];

		if (o->input == input)
			return o;
		if (o->input)
			continue;
		if (make)
			o->input = input;
		return make ? o : NULL;
	}
	return NULL;
}

static void give(struct credit *c, uint32_t place)
{
	struct owner *o = c->owned[place] ? NULL : owner_of(c, c->input, true);

	if (!o)
		return;
	c->owned[place] = true;
	c->next[place] = o->first;
	o->first = place + 1;
}

void credit_begin(struct credit *c, const unsigned char *data, size_t len)
{
	for (uint32_t i = 0; i < c->n; i++)
		c->least[c->used[i]] = c->most[c->used[i]] = 0;
	c->n = 0;
	c->runs = 0;
	c->before = c->input;
	c->input = XXH64(data, len, 0) | 1; /* never 0 */
	c->repeated = c->input == c->before;
}

bool credit_run(struct credit *c, const struct marks *m)
{
	bool new = false;

	for (uint32_t i = 0; i < c->n; i++)
		if (m->at[c->used[i]] < c->least[c->used[i]])
			c->least[c->used[i]] = m->at[c->used[i]];
	for (uint32_t i = 0; i < m->n; i++) {
		uint32_t place = m->used[i];
		uint8_t class = m->at[place];

		new |= !(c->seen[place] >> (class - 1) & 1) && c->noise[place] == EXACT;
		new |= !c->seen[place];
		if (!c->most[place]) {
			c->used[c->n++] = place;
			c->least[place] = c->runs ? 0 : class;
		}
		if (c->most[place] < class)
			c->most[place] = class;
	}
	c->runs++;
	return new && !c->repeated;
}

static void sink(struct credit *c, uint32_t place, uint8_t to)
{
	if (c->noise[place] < to)
		c->noise[place] = to;
}

/* Runs of one input that differ. */
static void compare(struct credit *c)
{
	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t place = c->used[i];
		bool new = !c->seen[place];

		if (!c->least[place])
			sink(c, place, NOISY);
		else if (c->least[place] != c->most[place])
			sink(c, place, LOOSE);
		if (new && !c->repeated && c->noise[place] == NOISY)
			give(c, place);
	}
}

static uint8_t value_of(const struct credit *c, uint32_t place)
{
	return c->noise[place] == EXACT ? (uint8_t)(1 << (c->most[place] - 1)) : 1;
}

/* afl-fuzz has this input run again: what differs from the last time is noise, and is told as it was then. */
static void repeat(struct credit *c, unsigned char *map)
{
	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t place = c->used[i];

		if (!c->told[place] && c->noise[place] < NOISY)
			sink(c, place, NOISY);
	}
	for (uint32_t i = 0; i < c->told_n; i++) {
		uint32_t place = c->told_used[i];

		map[place] = c->told[place];
		if (c->noise[place] == NOISY)
			continue;
		if (!c->most[place]) {
			sink(c, place, NOISY);
			give(c, place);
		} else if (c->noise[place] == EXACT && value_of(c, place) != c->told[place]) {
			sink(c, place, LOOSE);
		}
	}
}

static void tell(struct credit *c, unsigned char *map)
{
	struct owner *o = owner_of(c, c->input, false);

	for (uint32_t i = 0; i < c->n; i++)
		if (c->noise[c->used[i]] < NOISY)
			map[c->used[i]] = value_of(c, c->used[i]);
	for (uint32_t at = o ? o->first : 0; at; at = c->next[at - 1])
		map[at - 1] = 1;
	for (uint32_t i = 0; i < c->told_n; i++)
		c->told[c->told_used[i]] = 0;
	c->told_n = 0;
	for (uint32_t i = 0; i < c->n; i++)
		if (map[c->used[i]] && !c->told[c->used[i]]) {
			c->told[c->used[i]] = map[c->used[i]];
			c->told_used[c->told_n++] = c->used[i];
		}
	for (uint32_t at = o ? o->first : 0; at; at = c->next[at - 1])
		if (!c->told[at - 1]) {
			c->told[at - 1] = 1;
			c->told_used[c->told_n++] = at - 1;
		}
}

void credit_end(struct credit *c, unsigned char *map)
{
	compare(c);
	if (c->repeated)
		repeat(c, map);
	else
		tell(c, map);
	for (uint32_t i = 0; i < c->n; i++) {
		uint32_t place = c->used[i];

		if (!c->repeated && c->most[place])
			c->seen[place] |= (uint8_t)(1 << (c->most[place] - 1));
	}
}

void credit_drop(struct credit *c)
{
	c->input = 0; /* what comes next is no repeat of it */
}

struct credit_counts credit_counts(const struct credit *c, enum layer l)
{
	const struct region *r = &region_of[l];
	struct credit_counts n = {0};

	for (uint32_t i = r->from; i < r->from + r->size; i++) {
		n.seen += c->seen[i] != 0;
		n.noisy += c->seen[i] && c->noise[i] == NOISY;
	}
	return n;
}
