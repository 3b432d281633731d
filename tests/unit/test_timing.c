/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When ops start: how long they take, what aims come to, and lanes that meet; also run under ThreadSanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lesson.h"
#include "meet.h"

static void buckets_are_right_to_an_eighth(void **state)
{
	struct rng r;

	rng_init(&r, 1, 2, 3, 4);
	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t ns = rng_log(&r, 1ULL << 31), middle = bucket_middle(bucket_of(ns));

		assert_in_range(middle, ns - ns / 8, ns + ns / 8);
	}
	for (unsigned int b = 0; b < BUCKETS; b++)
		assert_int_equal(bucket_of(bucket_middle(b)), b);
	assert_int_equal(bucket_of(UINT64_MAX), BUCKETS - 1);
}

static void quantiles_are_those_of_the_values(void **state)
{
	uint64_t n[BUCKETS] = {0};

	assert_int_equal(buckets_quantile(n, 500), 0);
	n[bucket_of(1000)] = 99;
	n[bucket_of(1000000)] = 1;
	assert_in_range(buckets_quantile(n, 500), 875, 1125);
	assert_in_range(buckets_quantile(n, 980), 875, 1125);
	assert_in_range(buckets_quantile(n, 990), 875000, 1125000);
	assert_in_range(buckets_quantile(n, 1000), 875000, 1125000);
}

static void a_sketch_forgets_what_is_no_longer_so(void **state)
{
	static struct sketch s;

	memset(&s, 0, sizeof(s));
	for (unsigned int i = 0; i < 100000; i++)
		sketch_add(&s, 1000);
	assert_in_range(sketch_quantile(&s, 500), 875, 1125);
	for (unsigned int i = 0; i < 400; i++)
		sketch_add(&s, 50000);
	assert_in_range(sketch_quantile(&s, 500), 43000, 57000);
}

static void a_guess_is_of_the_usual_result_and_of_the_op_if_there_is_no_better(void **state)
{
	struct model *m = calloc(1, sizeof(*m));
	const struct model_key k = {5, MODEL_HUGE, BACKING_MEMFD},
			       other = {5, MODEL_PAGE, BACKING_ANON},
			       never = {6, MODEL_PAGE, BACKING_ANON};

	assert_int_equal(model_guess(m, k), 0);
	for (unsigned int i = 0; i < 1000; i++)
		model_add(m, k, i % 8 == 0, i % 8 == 0 ? 100 : 20000);
	assert_in_range(model_guess(m, k), 17500, 22500);
	assert_in_range(model_guess(m, other), 17500, 22500);
	assert_int_equal(model_guess(m, never), 0);
	for (unsigned int i = 0; i < 1000; i++)
		model_add(m, k, i % 8 != 0, i % 8 != 0 ? 100 : 20000);
	assert_in_range(model_guess(m, k), 88, 112);
	free(m);
}

/* ---- aims ---- */

static struct model *model_of_two(const struct model_key *slow, const struct model_key *fast)
{
	struct model *m = calloc(1, sizeof(*m));

	for (unsigned int i = 0; i < 100; i++) {
		model_add(m, *slow, false, 100000);
		model_add(m, *fast, false, 10000);
	}
	return m;
}

static const struct model_key slow = {1, 0, 0}, fast = {2, 0, 0};

static void aims_fall_on_their_phase(void **state)
{
	struct model *m = model_of_two(&slow, &fast);
	uint64_t window = model_guess(m, slow), own = model_guess(m, fast);
	struct meet_part part[PROGRAM_MAX_LANES] = {{slow, {.meet = 1}, 3}, {fast, {0}, 0}};
	uint32_t ns[PROGRAM_MAX_LANES];

	part[1].timing = (struct op_timing){1, AIM_START, 0, 3, 500, 0};
	meet_resolve(m, part, 3, ns);
	assert_int_equal(ns[0], 0);
	assert_int_equal(ns[1], window / 2);
	part[1].timing.aim_phase = -200; /* then the target waits */
	meet_resolve(m, part, 3, ns);
	assert_in_range(ns[0], window / 5, window / 5 + 1);
	assert_int_equal(ns[1], 0);
	part[1].timing = (struct op_timing){1, AIM_END, 0, 3, 0, 0};
	meet_resolve(m, part, 3, ns);
	assert_int_equal(ns[0], own);
	assert_int_equal(ns[1], 0);
	part[1].timing = (struct op_timing){1, AIM_END, 0, 3, 1000, 0};
	meet_resolve(m, part, 3, ns);
	assert_int_equal(ns[0], 0);
	assert_int_equal(ns[1], window - own);
	free(m);
}

static void an_aim_without_its_target_is_none(void **state)
{
	struct model *m = model_of_two(&slow, &fast);
	struct meet_part part[PROGRAM_MAX_LANES] = {
		{slow, {.meet = 1, .delay_ns = 77}, 3}, {fast, {0}, 0}};
	uint32_t ns[PROGRAM_MAX_LANES];

	part[1].timing = (struct op_timing){1, AIM_START, 0, 2, 500, 0}; /* another op */
	meet_resolve(m, part, 3, ns);
	assert_int_equal(ns[0], 77);
	assert_int_equal(ns[1], 0);
	part[1].timing.aim_op = 3;
	meet_resolve(m, part, 2, ns); /* it did not come */
	assert_int_equal(ns[1], 0);
	part[1].timing.aim_lane = 1; /* itself */
	meet_resolve(m, part, 3, ns);
	assert_int_equal(ns[1], 0);
	part[0].timing = (struct op_timing){1, AIM_START, 1, 0, 500, 0}; /* in a circle */
	part[1].timing = (struct op_timing){1, AIM_START, 0, 3, 500, 0};
	meet_resolve(m, part, 3, ns);
	assert_int_equal(ns[0], 0);
	assert_int_equal(ns[1], 0);
	free(m);
}

static void a_chain_of_aims_and_delays_is_followed(void **state)
{
	struct model *m = model_of_two(&slow, &fast);
	uint64_t window = model_guess(m, slow);
	struct meet_part part[PROGRAM_MAX_LANES] = {{slow, {0}, 0}, {slow, {0}, 1}, {fast, {0}, 2}};
	uint32_t ns[PROGRAM_MAX_LANES];

	part[0].timing = (struct op_timing){1, AIM_START, 1, 1, 1000, 0};
	part[1].timing = (struct op_timing){1, AIM_START, 2, 2, 0, 0};
	part[2].timing = (struct op_timing){.meet = 1, .delay_ns = 500};
	meet_resolve(m, part, 7, ns);
	assert_int_equal(ns[2], 500);
	assert_int_equal(ns[1], 500);
	assert_int_equal(ns[0], 500 + window);
	free(m);
}

/* ---- learning ---- */

/* A target of 1000 ticks; the aimer starts at that one of them. */
static void teach(struct crew_ctl *ctl, uint64_t at, int err)
{
	ctl->lane[0].record[0] =
		(struct record){.start = 5000 + at, .stop = 7000, .err = (int16_t)err};
	ctl->lane[1].record[2] = (struct record){.start = 5000, .stop = 6000};
	lessons_learn(ctl, &ctl->meet[0]);
}

static void a_change_of_the_outcome_is_learned_where_it_was(void **state)
{
	struct crew_ctl *ctl = calloc(1, sizeof(*ctl));
	const struct lesson *l = NULL;

	ctl->nlanes = 2;
	ctl->meet[0].in = 3;
	ctl->meet[0].part[0] = (struct meet_part){
		.key = {7, MODEL_PAGE, BACKING_ANON}, .timing = {1, AIM_START, 1, 2, 500, 0}};
	ctl->meet[0].part[1] = (struct meet_part){
		.key = {9, MODEL_HUGE, BACKING_MEMFD}, .timing = {.meet = 1}, .op = 2};
	for (unsigned int i = 0; i < 100; i++)
		teach(ctl, i * 10, 0);
	for (unsigned int i = 0; i < 3; i++)
		teach(ctl, 550, 11);
	teach(ctl, 5000, 11); /* too far away */
	for (unsigned int i = 0; i < LESSONS; i++)
		if (ctl->lesson[i].key) {
			assert_null(l);
			l = &ctl->lesson[i];
		}
	assert_non_null(l);
	assert_int_equal(l->key, lesson_key(7, (struct model_key){9, MODEL_HUGE, BACKING_MEMFD}));
	for (unsigned int i = 0; i < LESSON_PHASES; i++) {
		assert_int_equal(l->changes[i], i == 7 ? 3 : 0); /* 500..599 */
		assert_in_range(l->tries[i], i < 2 || i > 11 ? 0 : 9, i == 7 ? 14 : 11);
	}
	free(ctl);
}

/* ---- lanes that meet ---- */

enum { LANES = 3, ROUNDS = 300 };

static void *run_lane(void *arg)
{
	struct lane *l = arg;
	uint64_t due = meet_wait(l, 0);

	assert_true(due);
	meet_started(l, 0, due, due + l->no);
	due = meet_wait(l, 0); /* a second op of that meet does not wait */
	assert_int_equal(due, 0);
	return NULL;
}

static void run_meet(struct executor *ex, struct lane *lane)
{
	pthread_t t[LANES];

	for (unsigned int i = 0; i < LANES; i++) {
		lane[i].program.timed = 1;
		lane[i].program.timing[0] = (struct op_timing){.meet = 3};
		meets_announce(&lane[i]);
	}
	lane[1].program.timing[0] = (struct op_timing){3, AIM_START, 0, 0, 1000, 0};
	meets_open(ex->ctl);
	assert_int_equal(ex->ctl->meets_now, 4);
	for (unsigned int i = 0; i < LANES; i++)
		assert_int_equal(pthread_create(&t[i], NULL, run_lane, &lane[i]), 0);
	for (unsigned int i = 0; i < LANES; i++)
		pthread_join(t[i], NULL);
	meets_count(ex->ctl);
	assert_int_equal(ex->ctl->meet[2].due[2], ex->ctl->meet[2].due[0]);
	assert_true(ex->ctl->meet[2].due[1] > ex->ctl->meet[2].due[0]);
}

static void lanes_that_meet_get_their_starts_from_the_last_one(void **state)
{
	struct crew crew = {.ctl = calloc(1, sizeof(struct crew_ctl))};
	struct lane *lane = calloc(LANES, sizeof(*lane));
	static const struct plan_lane plan;
	static struct program p;
	struct executor ex = {.ctl = crew.ctl, .crowded = true};

	clock_setup();
	crew.ctl->nlanes = LANES;
	crew.ctl->round = 41;
	crew.ctl->meet_margin_ns = 3000;
	model_add(&crew.ctl->model, (struct model_key){.op = 0}, false, 50000);
	for (unsigned int i = 0; i < LANES; i++) {
		lane[i].ex = &ex;
		lane[i].plan = &plan;
		lane[i].no = i;
		lane[i].ctl = &crew.ctl->lane[i];
	}
	for (unsigned int i = 0; i < ROUNDS; i++)
		run_meet(&ex, lane);
	assert_int_equal(crew.ctl->meets, ROUNDS);
	assert_int_equal(crew.ctl->meets_missed, 0);
	assert_int_equal(crew.ctl->met_rounds, ROUNDS);
	/* What the aim came to is known afterwards. */
	p.nlanes = LANES;
	for (unsigned int i = 0; i < LANES; i++)
		p.lane[i] = lane[i].program;
	crew_resolve_aims(&crew, 40, &p);
	assert_int_equal(p.lane[1].timing[0].aim, AIM_START);
	crew_resolve_aims(&crew, 41, &p);
	assert_int_equal(p.lane[1].timing[0].aim, AIM_NONE);
	assert_int_equal(p.lane[1].timing[0].meet, 3);
	assert_in_range(p.lane[1].timing[0].delay_ns, 43000, 57000);
	free(lane);
	free(crew.ctl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_are_right_to_an_eighth),
		cmocka_unit_test(quantiles_are_those_of_the_values),
		cmocka_unit_test(a_sketch_forgets_what_is_no_longer_so),
		cmocka_unit_test(
			a_guess_is_of_the_usual_result_and_of_the_op_if_there_is_no_better),
		cmocka_unit_test(aims_fall_on_their_phase),
		cmocka_unit_test(an_aim_without_its_target_is_none),
		cmocka_unit_test(a_chain_of_aims_and_delays_is_followed),
		cmocka_unit_test(a_change_of_the_outcome_is_learned_where_it_was),
		cmocka_unit_test(lanes_that_meet_get_their_starts_from_the_last_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
