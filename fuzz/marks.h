/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run showed: a class at each place of the map. */
#ifndef SUNDER_FUZZ_MARKS_H
#define SUNDER_FUZZ_MARKS_H

#include "regions.h"

enum { MARKS_CLASSES = 8 };

struct marks {
	uint8_t at[MAP_SIZE]; /* 0: nothing, else class + 1 */
	uint32_t used[MAP_SIZE]; /* [n]: places that are not 0 */
	uint32_t n;
};

static inline void marks_clear(struct marks *m)
{
	for (uint32_t i = 0; i < m->n; i++)
		m->at[m->used[i]] = 0;
	m->n = 0;
}

/* Hashes: the last step of splitmix64. */
static inline uint64_t mix(uint64_t v)
{
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ULL;
	v = (v ^ v >> 27) * 0x94d049bb133111ebULL;
	return v ^ v >> 31;
}

static inline uint64_t mix2(uint64_t a, uint64_t b)
{
	return mix(a * 0x9e3779b97f4a7c15ULL + b);
}

/* class: 0..MARKS_CLASSES - 1; the highest of a place counts. */
static inline void marks_add(struct marks *m, enum layer l, uint64_t hash, unsigned int class)
{
	uint32_t i = region_of[l].from + (uint32_t)(hash & (region_of[l].size - 1));

	if (!m->at[i])
		m->used[m->n++] = i;
	if (m->at[i] < class + 1)
		m->at[i] = (uint8_t)(class + 1);
}

/* Of counts: 1, 2-3, 4-15, 16-255, more. So coarse that most repeats agree. */
static inline unsigned int class_of_count(uint64_t n)
{
	return n < 2 ? 0 : n < 4 ? 1 : n < 16 ? 2 : n < 256 ? 3 : 4;
}

#endif
