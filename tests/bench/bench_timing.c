/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rounds until a two-lane race is seen for the first time, with our timing or with that of a two-thread loop after the
 * method of fuzzy synchronisation: both meet before their op; a random delay is drawn uniformly from the range in which the
 * ops overlap, by averages of their durations that are taken once, at the beginning. Everything else is the same: ops,
 * checks, engine. scripts/bench/timing makes tables of it. Prints JSON, a trial a line.
 *
 *   bench-timing JOB ours|fuzzy FIRST_SEED TRIALS SECONDS
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine.h"

enum { SAMPLES = 256, POLL_NS = 2000000 };

/* ---- fuzzy synchronisation ---- */

struct fuzzy {
	double mean[2]; /* durations of the two ops, ns */
	unsigned int samples;
	struct rng rng;
};

static struct fuzzy *fuzzy;

static double duration(const struct crew_ctl *ctl, const struct meet *m, unsigned int lane)
{
	const struct record *r = &ctl->lane[lane].record[m->part[lane].op];

	return r->stop > r->start ? (double)clock_to_ns(r->stop - r->start) : 0;
}

/* The records are those of the round before: meets are before the op. */
static void take_sample(struct crew_ctl *ctl, const struct meet *m)
{
	for (unsigned int l = 0; l < 2; l++) {
		double ns = duration(ctl, m, l);

		fuzzy->mean[l] += fuzzy->mean[l] > 0 ? 0.25 * (ns - fuzzy->mean[l]) : ns;
	}
	fuzzy->samples++;
}

static void resolve_fuzzy(struct crew_ctl *ctl, const struct meet *m, uint32_t in, uint32_t *ret_ns)
{
	double where = (double)(rng_next(&fuzzy->rng) >> 11) / (double)(1ULL << 53), delay;

	ret_ns[0] = ret_ns[1] = 0;
	if (fuzzy->samples < SAMPLES) {
		take_sample(ctl, m);
		return;
	}
	/* Start of the second less that of the first: from -its own duration to the first's. */
	delay = where * (fuzzy->mean[0] + fuzzy->mean[1]) - fuzzy->mean[1];
	if (delay >= 0)
		ret_ns[1] = (uint32_t)delay;
	else
		ret_ns[0] = (uint32_t)-delay;
}

/* ---- trials ---- */

struct hit {
	bool seen;
	uint64_t round;
	char title[160];
};

static void on_log(void *arg, struct finding *f)
{
	struct hit *h = arg;

	if (!h->seen)
		snprintf(h->title, sizeof(h->title), "%s", f->title);
	h->seen = true;
	finding_clear(f);
}

static void look(struct engine *e, struct hit *h)
{
	struct crew *c = e->crew[0];
	struct evidence ev;
	struct finding f;

	h->round = atomic_load(&c->ctl->round);
	if (e->kmsg)
		kmsg_drain(e->kmsg, true, on_log, h);
	for (unsigned int l = 0; l < c->ctl->nlanes; l++)
		while (evidence_pop(&c->ctl->lane[l].ring, &ev)) {
			if (h->seen && ev.round >= h->round)
				continue;
			h->seen = true;
			h->round = ev.round;
			if (oracle_evidence(c, &ev, &f) == 0) {
				snprintf(h->title, sizeof(h->title), "%s", f.title);
				finding_clear(&f);
			}
		}
}

static void print_trial(
	const struct engine *e, const char *how, uint64_t seed, const struct hit *h, double s)
{
	const struct crew_ctl *ctl = e->crew[0]->ctl;
	uint64_t skew[BUCKETS];

	for (unsigned int i = 0; i < BUCKETS; i++)
		skew[i] = atomic_load(&ctl->meet_skew.n[i]);
	printf("{\"how\": \"%s\", \"seed\": %" PRIu64 ", \"hit\": %s, \"rounds\": %" PRIu64
	       ", \"s\": %.3f, \"meets\": %" PRIu64 ", \"skew_p50_ns\": %" PRIu64
	       ", \"skew_p99_ns\": %" PRIu64 ", \"title\": \"%s\"}\n",
		how, seed, h->seen ? "true" : "false", h->round, s, atomic_load(&ctl->meets),
		buckets_quantile(skew, 500), buckets_quantile(skew, 990), h->title);
	fflush(stdout);
}

static int run_trial(struct plan *plan, const struct machine *m, const char *how, uint64_t ns)
{
	const struct timespec pause = {0, POLL_NS};
	struct hit h = {0};
	struct engine e;
	uint64_t start;
	int r = engine_open(&e, plan, m);

	if (r < 0)
		return r;
	memset(fuzzy, 0, sizeof(*fuzzy));
	rng_init(&fuzzy->rng, plan->seed, 1, 2, 3);
	if (strcmp(how, "fuzzy") == 0)
		e.crew[0]->ctl->resolver = resolve_fuzzy;
	start = clock_raw_ns();
	r = crew_start(e.crew[0], 0);
	while (r == 0 && !h.seen && clock_raw_ns() - start < ns) {
		nanosleep(&pause, NULL);
		look(&e, &h);
	}
	print_trial(&e, how, plan->seed, &h, (double)(clock_raw_ns() - start) / 1e9);
	r = engine_stop(&e) ?: r;
	engine_close(&e);
	return r == -ECHILD ? 0 : r;
}

static int run_trials(char **argv, const struct machine *m)
{
	uint64_t first = strtoull(argv[3], NULL, 0), trials = strtoull(argv[4], NULL, 0);
	char err[512] = "";
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < trials; i++) {
		struct plan_options options = {.seed = first + i};
		struct plan *plan = NULL;

		r = plan_load(argv[1], m, &options, &plan, err, sizeof(err));
		if (r == 0)
			r = plan_settle_pools(plan, m);
		if (r == 0 && (plan->ncrews != 1 || plan->crew[0].nlanes != 2))
			r = -EINVAL;
		if (r == 0)
			r = run_trial(plan, m, argv[2], strtoull(argv[5], NULL, 0) * 1000000000ULL);
		plan_free(plan);
	}
	if (r < 0)
		log_error("%s: %s", argv[1], err[0] ? err : strerror(-r));
	return r;
}

int main(int argc, char **argv)
{
	struct machine m;
	int r;

	if (argc != 6 || (strcmp(argv[2], "ours") != 0 && strcmp(argv[2], "fuzzy") != 0)) {
		fprintf(stderr, "Usage: bench-timing JOB ours|fuzzy FIRST_SEED TRIALS SECONDS\n");
		return 2;
	}
	fuzzy = mmap(
		NULL, sizeof(*fuzzy), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fuzzy == MAP_FAILED)
		return 2;
	clock_setup();
	r = machine_probe(&m);
	if (r < 0)
		return 2;
	caps_setup(&m, "/tmp");
	r = run_trials(argv, &m);
	machine_free(&m);
	return r < 0 ? 2 : 0;
}
