/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lanes share, with real threads: also run under ThreadSanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "alone.h"
#include "barrier.h"

enum { LANES = 4, ROUNDS = 2000 };

struct gang {
	struct crew_ctl *ctl;
	uint64_t spin;
	unsigned int plain[LANES]; /* not atomic: the barrier orders it */
	unsigned int decisions, wrong;
};

struct member {
	struct gang *g;
	unsigned int no;
};

static void decide(void *arg)
{
	struct gang *g = arg;

	g->decisions++;
	for (unsigned int i = 0; i < LANES; i++)
		g->wrong += g->plain[i] != g->decisions;
}

static void *run_member(void *arg)
{
	struct member *m = arg;

	for (unsigned int r = 0; r < ROUNDS; r++) {
		m->g->plain[m->no]++;
		barrier_arrive(m->g->ctl, m->g->spin, decide, m->g);
	}
	return NULL;
}

static void run_gang(uint64_t spin)
{
	struct gang g = {.ctl = calloc(1, sizeof(struct crew_ctl)), .spin = spin};
	struct member m[LANES];
	pthread_t t[LANES];

	g.ctl->nlanes = LANES;
	for (unsigned int i = 0; i < LANES; i++) {
		m[i] = (struct member){&g, i};
		assert_int_equal(pthread_create(&t[i], NULL, run_member, &m[i]), 0);
	}
	for (unsigned int i = 0; i < LANES; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(g.decisions, ROUNDS);
	assert_int_equal(g.wrong, 0);
	free(g.ctl);
}

static void one_lane_decides_after_all_have_arrived(void **state)
{
	run_gang(0); /* sleeping */
	run_gang(100000); /* polling first */
}

/* ---- evidence ---- */

static void *produce(void *arg)
{
	struct evidence_ring *r = arg;

	for (uint64_t i = 1; i <= 20000; i++) {
		struct evidence e = {.kind = EVIDENCE_OLD, .expected = i, .seen = ~i};

		evidence_push(r, &e);
	}
	return NULL;
}

static void evidence_arrives_whole_in_order_or_is_counted(void **state)
{
	struct evidence_ring *r = calloc(1, sizeof(*r));
	uint64_t got = 0, last = 0;
	struct evidence e;
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, produce, r), 0);
	while (got + atomic_load(&r->lost) < 20000) {
		if (!evidence_pop(r, &e))
			continue;
		assert_true(e.expected > last && e.seen == ~e.expected);
		last = e.expected;
		got++;
	}
	pthread_join(t, NULL);
	assert_true(got > 0);
	free(r);
}

/* ---- effects ---- */

struct effect_world {
	struct slot slot;
	struct space space;
	struct space_mem mem;
};

static void *run_effects(void *arg)
{
	struct effect_world *w = arg;

	for (uint32_t i = 0; i < 3000; i++) {
		struct effect_run fx = {.n = 1,
			.eff = {{.kinds = EFFECT_ZEROED | EFFECT_HOLE | EFFECT_MAPPED,
				.page = i * 7 % 1000,
				.pages = 1 + i % 700}}};

		if (fx.eff[0].page + fx.eff[0].pages > w->slot.pages)
			fx.eff[0].pages = w->slot.pages - fx.eff[0].page;
		effects_begin(&w->space, 1, 0, &fx);
		effects_end(&w->space, 1, 0, 0, &fx, true);
	}
	return NULL;
}

static void every_effect_that_began_has_ended(void **state)
{
	struct effect_world *w = calloc(1, sizeof(*w));
	uint8_t lane_proc[1] = {0};
	pthread_t t[LANES];

	w->slot = (struct slot){.spec = {.backing = BACKING_ANON},
		.pages = 1024,
		.granule = 1,
		.pmd_pages = 512,
		.page_shift = 12,
		.nviews = 1};
	space_init(&w->space, &w->slot, 1, 1, lane_proc, &w->mem);
	w->mem = (struct space_mem){.base = calloc(1, w->mem.used)};
	space_init(&w->space, &w->slot, 1, 1, lane_proc, &w->mem);
	for (unsigned int i = 0; i < LANES; i++)
		assert_int_equal(pthread_create(&t[i], NULL, run_effects, w), 0);
	for (unsigned int i = 0; i < LANES; i++)
		pthread_join(t[i], NULL);
	for (uint32_t i = 0; i < 1024; i++) {
		const struct track *z = &w->space.content[0].zero, *h = &w->space.view[0][0].hole;

		assert_int_equal(track_begun(&w->space, z, i), track_ended(&w->space, z, i));
		assert_int_equal(track_begun(&w->space, h, i), track_ended(&w->space, h, i));
	}
	free(w->mem.base);
	free(w);
}

/* What is left of a sure loss when another lane's op ran between, on its slot (SLOT_MAX: on none) and from when to when. */
enum { NEVER, BEFORE, DURING, AFTER };

static uint32_t left_of_sure(unsigned int slot, int from, int to, const struct gear *gear)
{
	struct crew_ctl *ctl = calloc(1, sizeof(*ctl));
	struct executor ex = {.ctl = ctl};
	struct lane *l = calloc(2, sizeof(*l));
	struct effect_run fx = {
		.n = 1, .eff = {{.kinds = EFFECT_BUS | EFFECT_BUS_SURE | EFFECT_BUS_ALONE}}};
	struct effect_run none = {0};
	struct alone_mark mine, other = {0};
	uint32_t left;

	ctl->nlanes = 2;
	for (unsigned int i = 0; i < 2; i++) {
		l[i].ex = &ex;
		l[i].no = i;
		l[i].ctl = &ctl->lane[i];
	}
	l[0].env.gear[0].gear = gear;
	l[0].env.ngears = gear != NULL;
	for (int now = BEFORE; now <= AFTER; now++) {
		if (now == from)
			alone_begin(&l[1], slot, &none, &other);
		if (now == to)
			alone_end(&l[1], slot, &none, &other);
		if (now == BEFORE)
			alone_begin(&l[0], 3, &fx, &mine);
		if (now == DURING)
			alone_end(&l[0], 3, &fx, &mine);
	}
	left = fx.eff[0].kinds & EFFECT_BUS_SURE;
	assert_true(fx.eff[0].kinds & EFFECT_BUS);
	free(l);
	free(ctl);
	return left;
}

static void what_is_sure_alone_is_so_only_alone(void **state)
{
	static const struct gear threads = {.name = "threads"};

	(void)state;
	assert_true(left_of_sure(3, NEVER, NEVER, NULL));
	assert_true(left_of_sure(3, BEFORE, BEFORE, NULL));
	assert_true(left_of_sure(3, AFTER, AFTER, NULL));
	assert_true(left_of_sure(4, BEFORE, AFTER, NULL));
	assert_true(left_of_sure(3, NEVER, NEVER, &gear_box));
	assert_false(left_of_sure(3, BEFORE, DURING, NULL));
	assert_false(left_of_sure(3, DURING, DURING, NULL));
	assert_false(left_of_sure(3, DURING, AFTER, NULL));
	assert_false(left_of_sure(3, BEFORE, AFTER, NULL));
	assert_false(left_of_sure(SLOT_MAX, DURING, DURING, NULL));
	assert_false(left_of_sure(SLOT_MAX, BEFORE, AFTER, NULL));
	assert_false(left_of_sure(3, NEVER, NEVER, &threads));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_lane_decides_after_all_have_arrived),
		cmocka_unit_test(evidence_arrives_whole_in_order_or_is_counted),
		cmocka_unit_test(every_effect_that_began_has_ended),
		cmocka_unit_test(what_is_sure_alone_is_so_only_alone),
	};

	return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
