/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reducer, with bugs that are made up: how long one takes to come back is drawn, as it is in life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "finding/reduce.h"
#include "shrink.h"

enum { PMD = 2 << 20 };

static const struct reduce_options options = {
	.seconds = 60, .least_s = 0.1, .attempts = 5, .pmd_size = PMD, .pmd_pages = 512};

/* Four lanes, two slots, 16 ops; the bug needs a move_pages of a lane and a hammer of another, on one slot. */
static const char text[] = "program 2\n"
			   "slot heap backing=anon size=8M huge=always maps=1 align=2M\n"
			   "slot shared backing=memfd size=4M huge=always maps=2 shift=1 align=2M\n"
			   "lane 0 proc=0 offset=1234ns\n"
			   "	touch slot=heap off=3 pages=77 how=rmw\n"
			   "	hammer slot=shared view=1 off=5 pages=100 ns=1234us\n"
			   "	meet=1 hammer slot=heap off=512 pages=700 ns=500us\n"
			   "	munmap_part slot=shared pages=3\n"
			   "lane 1 proc=1 offset=77ns\n"
			   "	touch slot=shared how=write\n"
			   "	meet=1 aim=0.2@500 move_pages slot=heap off=512 pages=512 node=1 "
			   "flags=move|move_all step=huge\n"
			   "	meet=2 touch slot=heap how=read\n"
			   "	mmap slot=heap\n"
			   "lane 2 proc=0 offset=0ns\n"
			   "	meet=2 delay=130ns touch slot=shared how=rmw\n"
			   "	madvise_dontneed slot=shared off=512 pages=512\n"
			   "	touch slot=heap how=rmw\n"
			   "	touch slot=shared how=rmw\n"
			   "lane 3 proc=0 offset=500us\n"
			   "	move_pages slot=shared pages=512 node=1 flags=move\n"
			   "	touch slot=shared how=rmw\n"
			   "	mlock slot=heap\n"
			   "	mmap slot=shared\n";

struct bug {
	struct rng rng;
	double mean_s; /* with all that it needs */
	double slower; /* times, without the meet */
	bool needs_meet;
	bool steep; /* each op that goes makes it faster */
	bool never;
	unsigned int attempts, stop_after; /* 0: never */
	unsigned int accepted, accepted_without; /* steps; of programs that cannot have come back */
	uint64_t cost; /* of the last one that was accepted */
	double in_vain_s; /* for programs that cannot come back */
};

static bool has(const struct program *p, const char *op, unsigned int *lane, unsigned int *slot,
	unsigned int *meet)
{
	for (unsigned int i = 0; i < p->nlanes; i++)
		for (unsigned int k = 0; k < p->lane[i].nops; k++) {
			if (strcmp(op_get(p->lane[i].op[k].op)->name, op) != 0 ||
				p->slot[p->lane[i].op[k].arg[0]].backing != BACKING_ANON)
				continue;
			*lane = i;
			*slot = p->lane[i].op[k].arg[0];
			*meet = p->lane[i].timed >> k & 1 ? p->lane[i].timing[k].meet : 0;
			return true;
		}
	return false;
}

/* Mean seconds until it comes back; 0: never. */
static double mean_of(const struct bug *b, const struct program *p)
{
	unsigned int la, lb, sa, sb, ma, mb;

	if (b->never || !has(p, "move_pages", &la, &sa, &ma) || !has(p, "hammer", &lb, &sb, &mb) ||
		la == lb || sa != sb)
		return 0;
	if (b->steep)
		return ma && ma == mb ? b->mean_s * pow(0.7, 16 - reduce_count_ops(p)) : 0;
	return ma && ma == mb ? b->mean_s : b->needs_meet ? 0 : b->mean_s * b->slower;
}

static int attempt(void *arg, const struct program *p, double seconds, struct reduce_try *ret)
{
	struct bug *b = arg;
	double mean = mean_of(b, p), at;

	assert_true(seconds > 0);
	if (b->stop_after && b->attempts == b->stop_after)
		return -EINTR;
	b->attempts++;
	at = -log(1 - (double)rng_below(&b->rng, 1000000) / 1e6) * mean;
	*ret = (struct reduce_try){mean > 0 && at <= seconds, at};
	if (!ret->hit) {
		ret->seconds = seconds;
		b->in_vain_s += mean == 0 ? seconds : 0;
	}
	return 0;
}

static int on_step(void *arg, const struct reduce *r, const struct reduce_step *s)
{
	struct bug *b = arg;

	if (!s || !s->accepted || s->from == s->to)
		return 0;
	b->accepted++;
	assert_true(s->hits >= 1);
	assert_true(program_equal(s->to, &r->best));
	assert_true(shrink_cost(s->to, &options) < shrink_cost(s->from, &options));
	if (mean_of(b, s->to) == 0)
		b->accepted_without++;
	return 0;
}

static struct reduce *start(struct bug *b, uint64_t seed)
{
	struct reduce *r = calloc(1, sizeof(*r));
	char err[256];

	rng_init(&b->rng, seed, 0, 0, 0);
	if (program_parse(&r->original, "text", text, strlen(text), err, sizeof(err)) < 0)
		fail_msg("%s", err);
	return r;
}

static int go_on(struct reduce *r, struct bug *b)
{
	struct reduce_hooks h = {attempt, on_step, b};

	return reduce_run(r, &options, &h);
}

static void what_is_not_needed_goes(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct bug b = {.mean_s = 1, .needs_meet = true};
		struct reduce *r = start(&b, seed);

		assert_int_equal(go_on(r, &b), 0);
		assert_int_equal(r->best.nlanes, 2);
		assert_int_equal(reduce_count_ops(&r->best), 2);
		assert_int_equal(r->best.nslots, 1);
		assert_int_equal(r->best.slot[0].size, PMD);
		assert_true(mean_of(&b, &r->best) > 0);
		assert_true(b.attempts < 400);
		free(r);
	}
}

static void nothing_is_accepted_that_does_not_come_back(void **state)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct bug b = {.mean_s = 3, .slower = 1};
		struct reduce *r = start(&b, seed);

		assert_int_equal(go_on(r, &b), 0);
		assert_int_equal(b.accepted_without, 0);
		assert_true(b.accepted > 0);
		free(r);
	}
}

/* Twenty times slower by itself: the meet stays, whatever luck one step has. */
static void what_makes_it_fast_stays(void **state)
{
	unsigned int lost = 0;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct bug b = {.mean_s = 2, .slower = 20};
		struct reduce *r = start(&b, seed);

		assert_int_equal(go_on(r, &b), 0);
		lost += mean_of(&b, &r->best) > b.mean_s;
		free(r);
	}
	assert_true(lost <= 2);
}

/* The less there is, the faster it is: what is tried in vain then costs less, too. */
static void what_became_fast_is_not_waited_for_as_long_as_the_original(void **state)
{
	double slow = 0, fast = 0;

	for (uint64_t seed = 1; seed <= 40; seed++) {
		for (int steep = 0; steep < 2; steep++) {
			struct bug b = {.mean_s = 10, .needs_meet = true, .steep = steep};
			struct reduce *r = start(&b, seed);

			assert_int_equal(go_on(r, &b), 0);
			assert_int_equal(r->best.nlanes, 2);
			assert_int_equal(reduce_count_ops(&r->best), 2);
			*(steep ? &fast : &slow) += b.in_vain_s;
			free(r);
		}
	}
	assert_true(fast < slow / 2);
}

static void what_does_not_come_back_is_told(void **state)
{
	struct bug b = {.never = true};
	struct reduce *r = start(&b, 1);

	assert_int_equal(go_on(r, &b), -ENOENT);
	assert_int_equal(b.attempts, options.attempts);
	free(r);
}

/* Stopped before every attempt in turn; only what is kept goes over. */
static void it_goes_on_where_it_was_stopped(void **state)
{
	struct bug b = {.mean_s = 1, .needs_meet = true};
	struct reduce *r = start(&b, 7), *kept = calloc(1, sizeof(*kept));
	unsigned int stops = 0;
	int e;

	b.stop_after = 1;
	while ((e = go_on(r, &b)) == -EINTR) { /* a step that was cut short starts again */
		b.stop_after = 1 + stops % 12;
		uint64_t cost = r->phase == REDUCE_MEASURE ? 0 : shrink_cost(&r->best, &options);

		assert_true(!cost || !b.cost || cost <= b.cost || r->strict);
		b.cost = cost;
		stops++;
		b.attempts = 0;
		*kept = *r;
		kept->nfailed = 0;
		*r = *kept;
		assert_true(stops < 2000);
	}
	assert_int_equal(e, 0);
	assert_true(stops > 5);
	assert_int_equal(reduce_count_ops(&r->best), 2);
	assert_int_equal(r->best.nlanes, 2);
	free(kept);
	free(r);
}

static void lost_programs_never_become_the_best(void **state)
{
	/* It comes back while it is measured, and never again. */
	struct bug b = {.mean_s = 1, .needs_meet = true, .stop_after = 6};
	struct reduce *r = start(&b, 3);

	assert_int_equal(go_on(r, &b), -EINTR);
	b.stop_after = 0;
	b.never = true;
	assert_int_equal(go_on(r, &b), 0);
	assert_true(program_equal(&r->best, &r->original));
	free(r);
}

/* Every edit of every stage leaves a program that is valid: its text and its bytes are the same again. */
static void every_candidate_is_a_valid_program(void **state)
{
	struct bug b = {0};
	struct reduce *r = start(&b, 1);
	struct shrink_edit *edit = calloc(SHRINK_MAX_EDITS, sizeof(*edit));
	struct program *to = malloc(sizeof(*to)), *again = malloc(sizeof(*again));
	unsigned char *bytes = malloc(PROGRAM_MAX_BYTES);
	unsigned int tried = 0;

	for (unsigned int s = 0; s < SHRINK_STAGES; s++) {
		unsigned int n = shrink_list(s, &r->original, &options, edit);

		for (unsigned int chunk = 1; chunk <= n; chunk *= 2)
			for (unsigned int at = 0; at + chunk <= n; at += chunk) {
				ssize_t len;

				if (!shrink_apply(&r->original, &options, edit + at, chunk, to))
					continue;
				len = program_encode(to, bytes, PROGRAM_MAX_BYTES);
				assert_true(len > 0);
				program_decode(again, bytes, (size_t)len);
				assert_true(program_equal(to, again));
				tried++;
			}
	}
	assert_true(tried > 60);
	free(bytes);
	free(again);
	free(to);
	free(edit);
	free(r);
}

static void aims_follow_the_ops_that_move(void **state)
{
	struct bug b = {0};
	struct reduce *r = start(&b, 1);
	struct shrink_edit *edit = calloc(SHRINK_MAX_EDITS, sizeof(*edit));
	struct program *to = malloc(sizeof(*to));
	unsigned int n = shrink_list(SHRINK_OPS, &r->original, &options, edit);

	assert_int_equal(n, 16);
	/* The first two ops of lane 0: the aim at its third is one at its first. */
	assert_true(shrink_apply(&r->original, &options, edit, 2, to));
	assert_int_equal(to->lane[1].timing[1].aim, AIM_START);
	assert_int_equal(to->lane[1].timing[1].aim_lane, 0);
	assert_int_equal(to->lane[1].timing[1].aim_op, 0);
	/* All of lane 0: nobody is left to meet. */
	assert_true(shrink_apply(&r->original, &options, edit, 4, to));
	assert_int_equal(to->nlanes, 3);
	assert_int_equal(to->lane[0].timed >> 1 & 1, 0);
	assert_int_equal(to->lane[0].timing[2].meet, 2);
	free(to);
	free(edit);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_needed_goes),
		cmocka_unit_test(nothing_is_accepted_that_does_not_come_back),
		cmocka_unit_test(what_makes_it_fast_stays),
		cmocka_unit_test(what_became_fast_is_not_waited_for_as_long_as_the_original),
		cmocka_unit_test(what_does_not_come_back_is_told),
		cmocka_unit_test(it_goes_on_where_it_was_stopped),
		cmocka_unit_test(lost_programs_never_become_the_best),
		cmocka_unit_test(every_candidate_is_a_valid_program),
		cmocka_unit_test(aims_follow_the_ops_that_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
