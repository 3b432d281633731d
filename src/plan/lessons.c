/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lessons.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RARE = 1000 };

/* A phase in which every try changed something weighs that much, one in which one of a thousand did, 1. */
static uint64_t weight_of(json_int_t tries, json_int_t changes)
{
	if (tries <= 0 || changes <= 0)
		return 0;
	if (changes > tries)
		changes = tries;
	return 1 + (uint64_t)changes * (RARE - 1) / (uint64_t)tries;
}

/* Ops and backings that this version does not have are passed over: the file may be another one's. */
static int take_lesson(struct plan *p, const json_t *j)
{
	const char *aimer = json_string_value(json_object_get(j, "aimer")),
		   *target = json_string_value(json_object_get(j, "target")),
		   *backing = json_string_value(json_object_get(j, "backing"));
	const json_t *tries = json_object_get(j, "tries"), *changes = json_object_get(j, "changes");
	int a = aimer ? op_find(aimer) : -ENOENT, t = target ? op_find(target) : -ENOENT,
	    b = backing ? backing_find(backing) : -ENOENT;

	if (!aimer || !target || json_array_size(tries) != LESSON_PHASES ||
		json_array_size(changes) != LESSON_PHASES)
		return -EINVAL;
	for (size_t i = 0; a >= 0 && t >= 0 && i < LESSON_PHASES; i++) {
		uint64_t weight = weight_of(json_integer_value(json_array_get(tries, i)),
				 json_integer_value(json_array_get(changes, i))),
			 before = p->nlessons ? p->lesson[p->nlessons - 1].upto : 0;
		struct plan_lesson *l;

		if (!weight)
			continue;
		l = reallocarray(p->lesson, p->nlessons + 1, sizeof(*l));
		if (!l)
			return -ENOMEM;
		p->lesson = l;
		l[p->nlessons++] = (struct plan_lesson){.aimer = (uint8_t)a,
			.target = (uint8_t)t,
			.backing = (uint8_t)(b >= 0 ? b : BACKING_COUNT),
			.phase = (uint8_t)i,
			.upto = before + weight};
	}
	return 0;
}

int lessons_load(struct plan *p, char *err, size_t err_size)
{
	const json_t *lessons, *one;
	json_error_t e;
	json_t *doc;
	size_t i;
	int r = 0;

	if (!p->learned[0])
		return 0;
	doc = json_load_file(p->learned, JSON_REJECT_DUPLICATES, &e);
	if (!doc) {
		snprintf(err, err_size, "%s:%d: %s", p->learned, e.line > 0 ? e.line : 1, e.text);
		return -EINVAL;
	}
	lessons = json_object_get(doc, "lessons");
	if (!json_is_array(lessons))
		r = -EINVAL;
	json_array_foreach((json_t *)lessons, i, one)
	{
		r = take_lesson(p, one);
		if (r < 0)
			break;
	}
	json_decref(doc);
	if (r == -EINVAL)
		snprintf(err, err_size, "%s:1: not what a run wrote as learned.json", p->learned);
	return r;
}

const struct plan_lesson *lessons_pick(const struct plan *p, struct rng *r)
{
	unsigned int low = 0, high = p->nlessons;
	uint64_t at;

	if (!p->nlessons)
		return NULL;
	at = rng_below(r, p->lesson[p->nlessons - 1].upto);
	high--;
	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (p->lesson[mid].upto > at)
			high = mid;
		else
			low = mid + 1;
	}
	return &p->lesson[low];
}
