/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lesson.h"

#include "base/clock.h"

enum { SURE = 8, SLOW = 4 }; /* outcomes until one is usual; times the median that are a jump */

static void bump(_Atomic uint32_t *n)
{
	/* one writer: a plain add, made visible */
	atomic_store_explicit(
		n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}

/* Its entry, a new one, or NULL: the table is full around there. */
static struct lesson *find(struct crew_ctl *ctl, uint32_t key)
{
	for (uint32_t i = 0, at = key * 2654435761U >> 20; i < LESSON_PROBES; i++, at++) {
		struct lesson *l = &ctl->lesson[at % LESSONS];
		uint32_t have = atomic_load_explicit(&l->key, memory_order_relaxed);

		if (!have)
			atomic_store_explicit(&l->key, key, memory_order_relaxed);
		if (!have || have == key)
			return l;
	}
	return NULL;
}

/* Errnos, what the ops told, and whether one took far longer than it usually does. */
static uint32_t outcome(const struct crew_ctl *ctl, const struct record *a, const struct record *t,
	struct model_key target)
{
	uint64_t took = clock_to_ns(t->stop - t->start), guess = model_guess(&ctl->model, target);
	bool jumped = guess && took > SLOW * guess;

	return (uint32_t)(uint8_t)a->err | (uint32_t)(uint8_t)t->err << 8 | (uint32_t)a->did << 16 |
	       (uint32_t)t->did << 20 | (uint32_t)jumped << 24;
}

static int phase_of(const struct record *a, const struct record *t)
{
	int64_t at = (int64_t)(a->start - t->start) * 1000 / (int64_t)(t->stop - t->start + 1);
	int64_t phase = (at - LESSON_PHASE_FROM) / LESSON_PHASE_WIDTH;

	return at < LESSON_PHASE_FROM || phase >= LESSON_PHASES ? -1 : (int)phase;
}

/* Boyer and Moore's vote: what more than half of the outcomes are stays. True: this one is not as usual. */
static bool vote(struct lesson *l, uint32_t seen)
{
	if (l->votes == 0)
		l->usual = seen;
	if (l->usual == seen) {
		l->votes += l->votes < UINT32_MAX;
		l->seen += l->seen < SURE;
		return false;
	}
	l->votes--;
	l->seen += l->seen < SURE;
	return l->seen >= SURE;
}

static void learn(struct crew_ctl *ctl, const struct meet_part *aimer, const struct record *a,
	const struct meet_part *target, const struct record *t)
{
	int phase = phase_of(a, t);
	struct lesson *l = phase < 0 ? NULL : find(ctl, lesson_key(aimer->key.op, target->key));

	if (!l)
		return;
	bump(&l->tries[phase]);
	if (vote(l, outcome(ctl, a, t, target->key)))
		bump(&l->changes[phase]);
}

void lessons_learn(struct crew_ctl *ctl, const struct meet *m)
{
	uint32_t in = atomic_load_explicit(&m->in, memory_order_relaxed);

	for (uint32_t left = in; left; left &= left - 1) {
		unsigned int l = (unsigned int)__builtin_ctz(left), at = m->part[l].timing.aim_lane;

		if (m->part[l].timing.aim != AIM_NONE && at != l && (in >> at & 1))
			learn(ctl, &m->part[l], &ctl->lane[l].record[m->part[l].op], &m->part[at],
				&ctl->lane[at].record[m->part[at].op]);
	}
}
