/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meet.h"
#include "lesson.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* A lane that is stuck must not hold up the others for ever. */
enum { PATIENCE_NS = 200000000 };
/* From the last arrival to the first start: what lanes need to see it and to prepare their op. Adapts within these. */
enum {
	MARGIN_MIN_NS = 1500,
	MARGIN_MAX_NS = 200000,
	MARGIN_ASLEEP_NS = 60000,
	MARGIN_GOOD_NS = 300
};

static unsigned int lowest(uint32_t mask)
{
	return (unsigned int)__builtin_ctz(mask);
}

void meets_announce(struct lane *l)
{
	uint32_t mask = 0;

	for (uint64_t left = l->program.timed; left; left &= left - 1)
		mask |= 1U << l->program.timing[__builtin_ctzll(left)].meet;
	mask >>= 1; /* meets count from 1 */
	l->met = 0;
	atomic_store_explicit(
		&l->ctl->meets, mask, memory_order_relaxed); /* read after the barrier */
	if (mask)
		atomic_store_explicit(&l->ex->ctl->meets_wanted, 1, memory_order_relaxed);
}

void meets_open(struct crew_ctl *ctl)
{
	uint32_t mask[PROGRAM_MAX_MEET] = {0};

	ctl->meets_now = 0;
	if (!atomic_load_explicit(&ctl->meets_wanted, memory_order_relaxed))
		return;
	atomic_store_explicit(&ctl->meets_wanted, 0, memory_order_relaxed);
	for (unsigned int l = 0; l < ctl->nlanes; l++)
		for (uint32_t left =
				atomic_load_explicit(&ctl->lane[l].meets, memory_order_relaxed);
			left; left &= left - 1)
			mask[lowest(left)] |= 1U << l;
	for (unsigned int k = 0; k < PROGRAM_MAX_MEET; k++) {
		struct meet *m = &ctl->meet[k];

		if (!mask[k])
			continue;
		ctl->meets_now |= 1U << k;
		/* The barrier that follows shows these to all lanes. */
		atomic_store_explicit(&m->lanes, mask[k], memory_order_relaxed);
		atomic_store_explicit(&m->in, 0, memory_order_relaxed);
		atomic_store_explicit(&m->open, 0, memory_order_relaxed);
		for (unsigned int l = 0; l < ctl->nlanes; l++)
			m->late[l] = LANE_ABSENT;
	}
}

/* ---- what aims come to ---- */

static bool has_target(const struct meet_part *part, uint32_t in, unsigned int lane)
{
	const struct op_timing *t = &part[lane].timing;

	return t->aim != AIM_NONE && t->aim_lane != lane && (in >> t->aim_lane & 1) &&
	       part[t->aim_lane].op == t->aim_op;
}

/* Start of a lane's op relative to a target's start at 0. */
static int64_t aim_ns(const struct model *m, const struct meet_part *part, unsigned int lane)
{
	const struct op_timing *t = &part[lane].timing;
	int64_t window = (int64_t)model_guess(m, part[t->aim_lane].key);
	int64_t at = window * t->aim_phase / 1000;

	return t->aim == AIM_END ? at - (int64_t)model_guess(m, part[lane].key) : at;
}

void meet_resolve(const struct model *m, const struct meet_part *part, uint32_t in,
	uint32_t ret_ns[PROGRAM_MAX_LANES])
{
	int64_t start[PROGRAM_MAX_LANES] = {0}, first = INT64_MAX;
	bool known[PROGRAM_MAX_LANES] = {0};

	for (uint32_t left = in; left; left &= left - 1) {
		unsigned int l = lowest(left);

		known[l] = !has_target(part, in, l);
		start[l] = part[l].timing.delay_ns;
	}
	/* A target may aim at another itself; lanes that aim in a circle start at 0. */
	for (unsigned int pass = 0; pass < PROGRAM_MAX_LANES; pass++)
		for (uint32_t left = in; left; left &= left - 1) {
			unsigned int l = lowest(left), at = part[l].timing.aim_lane;

			if (known[l] || !known[at])
				continue;
			start[l] = start[at] + aim_ns(m, part, l);
			known[l] = true;
		}
	for (uint32_t left = in; left; left &= left - 1)
		first = start[lowest(left)] < first ? start[lowest(left)] : first;
	for (uint32_t left = in; left; left &= left - 1) {
		int64_t ns = start[lowest(left)] - (first < 0 ? first : 0);

		ret_ns[lowest(left)] =
			(uint32_t)(ns > PROGRAM_MAX_DELAY_NS ? PROGRAM_MAX_DELAY_NS : ns);
	}
}

static void keep_resolved(
	struct crew_ctl *ctl, unsigned int k, const uint32_t ns[PROGRAM_MAX_LANES])
{
	uint64_t key = atomic_load_explicit(&ctl->round, memory_order_relaxed) << 3 | (k + 1);
	struct resolved *r = &ctl->resolved[key * 0x9e3779b97f4a7c15ULL >> 52];

	/* crew_resolve_aims() reads the key before and after: it takes no half-written delays. */
	atomic_store_explicit(&r->key, 0, memory_order_relaxed);
	for (unsigned int l = 0; l < ctl->nlanes; l++)
		atomic_store_explicit(&r->delay_ns[l], ns[l], memory_order_release);
	atomic_store_explicit(&r->key, key, memory_order_release);
}

void crew_resolve_aims(const struct crew *c, uint64_t round, struct program *p)
{
	for (unsigned int l = 0; l < p->nlanes; l++) {
		for (uint64_t left = p->lane[l].timed; left; left &= left - 1) {
			unsigned int i = (unsigned int)__builtin_ctzll(left);
			struct op_timing *t = &p->lane[l].timing[i];
			uint64_t key = round << 3 | t->meet;
			const struct resolved *r =
				&c->ctl->resolved[key * 0x9e3779b97f4a7c15ULL >> 52];
			uint32_t ns;

			/* pairs with keep_resolved() */
			if (!t->meet || atomic_load_explicit(&r->key, memory_order_acquire) != key)
				continue;
			ns = atomic_load_explicit(&r->delay_ns[l], memory_order_acquire);
			if (atomic_load_explicit(&r->key, memory_order_relaxed) == key)
				*t = (struct op_timing){.meet = t->meet, .delay_ns = ns};
		}
	}
}

/* ---- waiting ---- */

/* By the last lane to come. */
static void open_meet(struct crew_ctl *ctl, unsigned int k, uint32_t in)
{
	struct meet *m = &ctl->meet[k];
	uint32_t ns[PROGRAM_MAX_LANES] = {0};
	bool aims = false;
	uint64_t release, margin = ctl->meet_margin_ns;

	if (ctl->resolver)
		ctl->resolver(ctl, m, in, ns);
	else
		meet_resolve(&ctl->model, m->part, in, ns);
	for (uint32_t left = in; left; left &= left - 1)
		aims |= m->part[lowest(left)].timing.aim != AIM_NONE;
	if (aims)
		keep_resolved(ctl, k, ns);
	if (atomic_load_explicit(&m->sleepers, memory_order_seq_cst) && margin < MARGIN_ASLEEP_NS)
		margin = MARGIN_ASLEEP_NS;
	release = clock_ticks() + clock_from_ns(margin);
	for (uint32_t left = in; left; left &= left - 1)
		m->due[lowest(left)] = release + clock_from_ns(ns[lowest(left)]);
	/* pairs with the acquire loads in wait_open() */
	atomic_store_explicit(&m->open, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&m->sleepers, memory_order_seq_cst))
		syscall(SYS_futex, &m->open, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* By a lane that must not poll: the others may need its CPU. */
static bool sleep_open(struct meet *m)
{
	struct timespec patience = {0, PATIENCE_NS};
	bool open;

	/* seq_cst: either open_meet() sees the sleeper, or the sleeper sees that it is open */
	atomic_fetch_add_explicit(&m->sleepers, 1, memory_order_seq_cst);
	if (!atomic_load_explicit(&m->open, memory_order_seq_cst))
		syscall(SYS_futex, &m->open, FUTEX_WAIT, 0, &patience, NULL, 0);
	open = atomic_load_explicit(&m->open, memory_order_acquire);
	atomic_fetch_sub_explicit(&m->sleepers, 1, memory_order_seq_cst);
	return open;
}

static bool wait_open(struct lane *l, struct meet *m)
{
	uint64_t until = clock_ticks() + clock_from_ns(PATIENCE_NS);

	if (l->plan->preempt)
		return sleep_open(m);
	while (!atomic_load_explicit(&m->open, memory_order_acquire)) {
		if (clock_ticks() > until)
			return false;
		if (l->ex->crowded)
			sched_yield();
		else
			clock_relax();
	}
	return true;
}

uint64_t meet_wait(struct lane *l, unsigned int i)
{
	const struct op_timing *t = &l->program.timing[i];
	struct crew_ctl *ctl = l->ex->ctl;
	unsigned int k = t->meet - 1U;
	struct meet *m = &ctl->meet[k];
	uint32_t in;

	if (!t->meet || (l->met >> k & 1))
		return t->delay_ns ? clock_ticks() + clock_from_ns(t->delay_ns) : 0;
	l->met |= 1U << k;
	m->part[l->no] = (struct meet_part){
		.key = model_key(&l->env, &l->program.op[i]), .timing = *t, .op = (uint8_t)i};
	/* acq_rel: the last lane sees what the others bring */
	in = atomic_fetch_or_explicit(&m->in, 1U << l->no, memory_order_acq_rel) | 1U << l->no;
	if (in == atomic_load_explicit(&m->lanes, memory_order_relaxed))
		open_meet(ctl, k, in);
	else if (!wait_open(l, m)) {
		atomic_fetch_add_explicit(&ctl->meets_missed, 1, memory_order_relaxed);
		return 0;
	}
	return m->due[l->no];
}

void meet_started(struct lane *l, unsigned int i, uint64_t due, uint64_t start)
{
	const struct op_timing *t = &l->program.timing[i];

	if (t->meet) /* read after the barrier */
		l->ex->ctl->meet[t->meet - 1].late[l->no] = start > due ? start - due : 0;
}

/* ---- afterwards ---- */

/* Lanes that come late to their start need more time; as long as none does, a little less will do. */
static void adapt_margin(struct crew_ctl *ctl, uint64_t late_ns)
{
	uint64_t ns = ctl->meet_margin_ns;

	ns = late_ns > MARGIN_GOOD_NS ? ns + ns / 8 : ns - ns / 128;
	ctl->meet_margin_ns = ns < MARGIN_MIN_NS   ? MARGIN_MIN_NS
			      : ns > MARGIN_MAX_NS ? MARGIN_MAX_NS
						   : ns;
}

void meets_count(struct crew_ctl *ctl)
{
	if (!ctl->meets_now)
		return;
	atomic_fetch_add_explicit(&ctl->met_rounds, 1, memory_order_relaxed);
	for (uint32_t left = ctl->meets_now; left; left &= left - 1) {
		const struct meet *m = &ctl->meet[lowest(left)];
		uint64_t least = UINT64_MAX, most = 0;
		unsigned int n = 0;

		for (unsigned int l = 0; l < ctl->nlanes; l++) {
			if (m->late[l] == LANE_ABSENT)
				continue;
			least = m->late[l] < least ? m->late[l] : least;
			most = m->late[l] > most ? m->late[l] : most;
			n++;
		}
		if (n < 2)
			continue;
		lessons_learn(ctl, m);
		atomic_fetch_add_explicit(&ctl->meets, 1, memory_order_relaxed);
		histogram_add(&ctl->meet_skew, clock_to_ns(most - least));
		adapt_margin(ctl, clock_to_ns(most));
	}
}
