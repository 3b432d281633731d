/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Measures the engine on this machine; scripts/bench/engine makes tables of it. Prints JSON.
 *
 *   bench-engine rate JOB WINDOWS MS
 *       what a job's lanes do in so many windows of so many milliseconds
 *   bench-engine ratio JOB PAIRS MS
 *       the same rounds of a job of one process through the engine, then bare, so many times
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bare.h"
#include "base/clock.h"
#include "base/log.h"
#include "tape.h"

static const uint64_t seed = 20250101;
enum { WARM_ROUNDS = 4 };

static double seconds(uint64_t ticks)
{
	return (double)clock_to_ns(ticks) / 1e9;
}

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

/* ---- rate ---- */

static json_t *window_json(
	const struct engine_mark *a, const struct engine_mark *b, unsigned int lanes)
{
	uint64_t most = 0, sum = 0;

	for (unsigned int i = 0; i < lanes; i++) {
		uint64_t wait = b->wait_ns[i] - a->wait_ns[i];

		sum += wait;
		most = wait > most ? wait : most;
	}
	return json_pack("{s:f, s:o, s:o, s:f, s:f, s:f, s:o, s:o, s:o}", "s",
		seconds(b->ticks - a->ticks), "rounds", number(b->round - a->round), "ops",
		number(b->ops - a->ops), "cpu_s", (double)(b->cpu_ns - a->cpu_ns) / 1e9, "wait_s",
		(double)sum / 1e9, "most_wait_s", (double)most / 1e9, "faults",
		number(b->faults - a->faults), "failed", number(b->failed - a->failed), "signals",
		number(b->signals - a->signals));
}

static unsigned int count_lanes(const struct plan *p)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < p->ncrews; i++)
		n += p->crew[i].nlanes;
	return n;
}

static int measure_rate(struct engine *e, unsigned int windows, uint64_t ns, json_t *out)
{
	struct engine_mark a, b;
	int r = engine_start(e, 0, WARM_ROUNDS);

	for (unsigned int i = 0; r == 0 && i < windows; i++) {
		engine_mark(e, &a);
		r = engine_run(e, ns);
		engine_mark(e, &b);
		if (r == 0)
			json_array_append_new(out, window_json(&a, &b, count_lanes(e->plan)));
	}
	return engine_stop(e) ?: r;
}

/* ---- ratio ---- */

static json_t *bare_json(const struct bare_result *b, unsigned int lanes)
{
	struct bare_lane_result sum = {0};
	uint64_t most = 0;

	for (unsigned int i = 0; i < lanes; i++) {
		const struct bare_lane_result *l = &b->lane[i];

		sum.ticks += l->ticks / lanes;
		sum.renew_ticks += l->renew_ticks / lanes;
		sum.failed += l->failed;
		sum.signals += l->signals;
		sum.use.cpu_ns += l->use.cpu_ns;
		sum.use.wait_ns += l->use.wait_ns;
		sum.use.faults += l->use.faults;
		most = l->use.wait_ns > most ? l->use.wait_ns : most;
	}
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:o, s:o}", "s", seconds(sum.ticks),
		"renew_s", seconds(sum.renew_ticks), "slowest_s", seconds(b->slowest_ticks),
		"cpu_s", (double)sum.use.cpu_ns / 1e9, "wait_s", (double)sum.use.wait_ns / 1e9,
		"most_wait_s", (double)most / 1e9, "faults", number(sum.use.faults), "failed",
		number(sum.failed), "signals", number(sum.signals));
}

/* One window of the engine, then the bare loop over the same rounds. *round: where they begin;
 * after it, where the next pair does. */
static int measure_pair(
	struct engine *e, uint64_t ns, struct bare_result *bare, uint64_t *round, json_t *out)
{
	unsigned int lanes = e->plan->crew[0].nlanes;
	struct engine_mark a, b;
	int r = engine_start(e, *round, WARM_ROUNDS);

	engine_mark_round(e, &a);
	if (r == 0)
		r = engine_run(e, ns);
	engine_mark_round(e, &b);
	r = engine_stop(e) ?: r;
	if (r == 0)
		r = bare_run(e->crew[0], *round, a.round - *round, b.round - a.round, bare);
	if (r == 0)
		json_array_append_new(
			out, json_pack("{s:o, s:o}", "engine", window_json(&a, &b, lanes), "bare",
				     bare_json(bare, lanes)));
	*round = b.round;
	return r;
}

static int measure_ratio(struct engine *e, unsigned int pairs, uint64_t ns, json_t *out)
{
	struct bare_result *bare;
	const char *refused = tape_refused(e->plan);
	uint64_t round = 0;
	int r = 0;

	if (refused || e->plan->ncrews != 1 || e->plan->crew[0].nprocs != 1) {
		log_error("a bare loop is made of one process and ops of one system call%s%s",
			refused ? ", not of " : "", refused ? refused : "");
		return -EINVAL;
	}
	bare = mmap(NULL, sizeof(*bare), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bare == MAP_FAILED)
		return -errno;
	for (unsigned int i = 0; r == 0 && i < pairs; i++)
		r = measure_pair(e, ns, bare, &round, out);
	munmap(bare, sizeof(*bare));
	return r;
}

/* ---- a job ---- */

/* Lane by lane over the CPUs that this process may use. */
static void spread(struct plan *p, const struct machine *m)
{
	int n = 0;

	for (unsigned int i = 0; i < p->ncrews; i++)
		for (unsigned int l = 0; l < p->crew[i].nlanes; l++, n++)
			p->crew[i].lane[l].cpu = m->cpu[n % m->ncpus];
}

static json_t *describe(const struct engine *e, const struct machine *m, json_t *windows)
{
	json_t *slots = json_array();

	for (unsigned int i = 0; i < e->plan->nslots; i++)
		if (e->plan->slots_present >> i & 1)
			json_array_append_new(
				slots, json_string(backing_name(e->plan->slot[i].backing)));
	return json_pack("{s:i, s:i, s:s, s:s, s:i, s:i, s:o, s:O}", "cpus", m->ncpus, "nodes",
		m->nnodes, "kernel", m->kernel, "clock", clock_source(), "lanes",
		(int)count_lanes(e->plan), "findings", (int)e->findings, "slots", slots, "windows",
		windows);
}

static int bench(
	const char *what, struct plan *plan, const struct machine *m, unsigned int n, uint64_t ns)
{
	json_t *windows = json_array(), *all;
	struct engine e;
	int r;

	spread(plan, m);
	r = engine_open(&e, plan, m);
	if (r == 0)
		r = strcmp(what, "rate") == 0 ? measure_rate(&e, n, ns, windows)
					      : measure_ratio(&e, n, ns, windows);
	if (r == 0) {
		all = describe(&e, m, windows);
		json_dumpf(all, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(all);
	}
	json_decref(windows);
	engine_close(&e);
	return r;
}

static int usage(void)
{
	fprintf(stderr, "Usage: bench-engine rate|ratio JOB WINDOWS MILLISECONDS\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct plan_options options = {.seed = seed};
	struct plan *plan = NULL;
	struct machine m;
	char err[512] = "";
	int r;

	if (argc != 5 || (strcmp(argv[1], "rate") != 0 && strcmp(argv[1], "ratio") != 0) ||
		atoi(argv[3]) < 1 || atoi(argv[4]) < 1)
		return usage();
	clock_setup();
	r = machine_probe(&m);
	if (r < 0)
		return 2;
	caps_setup(&m, NULL);
	r = plan_load(argv[2], &m, &options, &plan, err, sizeof(err));
	if (r == 0)
		r = plan_settle_pools(plan, &m);
	if (r == 0)
		r = bench(argv[1], plan, &m, (unsigned int)atoi(argv[3]),
			(uint64_t)atoi(argv[4]) * 1000000);
	if (r < 0)
		log_error("%s", err[0] ? err : strerror(-r));
	plan_free(plan);
	machine_free(&m);
	return r < 0 ? 2 : 0;
}
