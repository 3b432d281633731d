/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a job to a plan: slots, pools, memory. Lanes and crews are made in crew.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "lessons.h"
#include "plan/number.h"

enum { STREAM_TURN_SEED = 3000 };

static const char *size_text(uint64_t bytes, char buf[32])
{
	uint64_t m = bytes >> 20;

	number_print_size(m ? m << 20 : bytes, buf, 32);
	return buf;
}

/* ---- [global] ---- */

uint64_t plan_usual_rest(uint64_t timeout_ns)
{
	const uint64_t least = 5000000000, most = 30000000000;
	uint64_t rest = timeout_ns ? timeout_ns / 6 : most;

	return rest < least ? least : rest > most ? most : rest;
}

static void take_global(struct plan *p, const struct job *j)
{
	const struct job_global *g = &j->global;

	if (!j->options->seed && g->seed)
		p->seed = g->seed;
	p->rounds = g->rounds;
	if (!p->timeout_ns)
		p->timeout_ns = g->timeout_ns;
	if (!p->timeout_ns && !p->rounds)
		p->timeout_ns = 60000000000ULL;
	p->stall_ns = g->stall_ns;
	p->rest_ns = g->rest_ns == REST_AUTO ? plan_usual_rest(p->timeout_ns) : g->rest_ns;
	p->epoch_rounds = g->epoch;
	p->meet_percent = g->meet_percent;
	snprintf(p->learned, sizeof(p->learned), "%s",
		j->options->learned ? j->options->learned : g->learned);
	p->oracles = g->oracles;
	strcpy(p->inject, g->inject);
	p->memory = j->machine->mem_available / 100 * (g->memory_percent ? g->memory_percent : 25);
	if (g->memory)
		p->memory = g->memory;
}

static int take_knobs(struct plan *p, const struct job *j)
{
	char what[64];

	for (unsigned int i = 0; i < j->global.nknobs; i++) {
		const char *path = j->global.knob[i].path, *slash = strrchr(path, '/');
		int r;

		if (j->machine->is_root) {
			p->knob[p->nknobs++] = j->global.knob[i];
			continue;
		}
		snprintf(what, sizeof(what), "knob %.50s", slash + 1);
		r = plan_skip(p, what, "%.128s: needs root", path);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- slots ---- */

static const struct job_place *slot_place(const struct job_slot *s, const char *key)
{
	return job_key_place(s->at, "slot", key, &s->place);
}

/*
 * The huge page size of a job that names none: PMD-sized pages, else the first that the machine
 * has.
 */
static uint64_t usual_huge_size(const struct machine *m)
{
	for (int i = 0; i < m->nhstates; i++)
		if (m->hstate[i].size == m->pmd_size)
			return m->pmd_size;
	return m->nhstates ? m->hstate[0].size : m->pmd_size;
}

static int in_bytes(struct job *j, const struct job_slot *s, const char *key, uint64_t v,
	enum job_unit unit, uint64_t *ret)
{
	uint64_t factor = unit == JOB_BYTES  ? 1
			  : unit == JOB_PMDS ? j->machine->pmd_size
					     : s->spec.huge_size;

	if (!factor)
		return job_wrong_at(j, slot_place(s, key),
			"%s: huge pages are counted in hugetlb slots only", key);
	if (__builtin_mul_overflow(v, factor, ret))
		return job_wrong_at(j, slot_place(s, key), "%s is too large", key);
	return 0;
}

static int resolve_sizes(struct job *j, struct job_slot *s, struct slot_spec *spec)
{
	bool hugetlb = backing_is_hugetlb(spec->backing);
	int r;

	if (hugetlb && !spec->huge_size)
		spec->huge_size = usual_huge_size(j->machine);
	s->spec.huge_size = spec->huge_size;
	if (slot_place(s, "size") == &s->place) {
		spec->size = hugetlb ? 8 : 4;
		s->size_unit = hugetlb ? JOB_HUGE_PAGES : JOB_PMDS;
	}
	r = in_bytes(j, s, "size", spec->size, s->size_unit, &spec->size);
	if (r == 0 && spec->align)
		r = in_bytes(j, s, "align", spec->align, s->align_unit, &spec->align);
	if (!spec->align)
		spec->align = spec->huge_size > j->machine->pmd_size ? spec->huge_size
								     : j->machine->pmd_size;
	return r;
}

static int check_slot(struct job *j, const struct job_slot *s, const struct slot_spec *spec)
{
	uint64_t pmd = j->machine->pmd_size;
	bool hugetlb = backing_is_hugetlb(spec->backing);
	const char *key = NULL, *why = program_slot_wrong(spec, &key);
	char have[32], want[32];

	if (why)
		return job_wrong_at(j, slot_place(s, key), "%s", why);
	if (!hugetlb && spec->size % pmd)
		return job_wrong_at(j, slot_place(s, "size"),
			"size is a multiple of the PMD size, here %s", size_text(pmd, have));
	if (spec->align < pmd)
		return job_wrong_at(j, slot_place(s, "align"),
			"align is at least the PMD size, here %s", size_text(pmd, have));
	if (spec->size > j->machine->mem_total && !(hugetlb && spec->noreserve))
		return job_wrong_at(j, slot_place(s, "size"),
			"size: %s is more than this machine's memory (%s)",
			size_text(spec->size, want), size_text(j->machine->mem_total, have));
	return 0;
}

static int resolve_slots(struct plan *p, struct job *j)
{
	for (unsigned int i = 0; i < j->nslots; i++) {
		struct job_slot *s = &j->slot[i];
		struct slot_spec *spec = &p->slot[i];
		int r;

		if (slot_place(s, "backing") == &s->place)
			return job_wrong_at(j, &s->place, "[slot %s] has no backing", s->spec.name);
		*spec = s->spec;
		r = resolve_sizes(j, s, spec);
		if (r == 0)
			r = check_slot(j, s, spec);
		if (r < 0)
			return r;
	}
	p->nslots = j->nslots;
	return 0;
}

/* ---- pools and memory ---- */

static bool has_hstate(const struct machine *m, uint64_t size)
{
	for (int i = 0; i < m->nhstates; i++)
		if (m->hstate[i].size == size)
			return true;
	return false;
}

/*
 * The pools that can be asked for at all; pages of the automatic ones follow when the crews are
 * known.
 */
static int resolve_pools(struct plan *p, struct job *j)
{
	for (unsigned int i = 0; i < j->global.npools; i++) {
		struct job_pool *g = &j->global.pool[i];
		char what[64], size[32];
		int r;

		snprintf(what, sizeof(what), "hugepages %s", size_text(g->size, size));
		if (j->machine->is_root && has_hstate(j->machine, g->size)) {
			p->pool[p->npools++] = (struct plan_pool){g->size, g->pages, g->per_node};
			continue;
		}
		r = plan_skip(p, what,
			j->machine->is_root ? "this machine has no such huge pages" : "needs root");
		if (r < 0)
			return r;
	}
	return 0;
}

static bool pool_is_automatic(const struct job *j, uint64_t size)
{
	for (unsigned int i = 0; i < j->global.npools; i++)
		if (j->global.pool[i].size == size)
			return j->global.pool[i].automatic;
	return false;
}

static uint64_t fit_pools(struct plan *p, const struct job *j)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < p->npools; i++) {
		struct plan_pool *pool = &p->pool[i];

		if (pool_is_automatic(j, pool->size))
			pool->pages = 2 * plan_huge_pages(p, pool->size, false);
		sum += pool->pages * pool->size * (pool->per_node ? p->nnodes : 1);
	}
	return sum;
}

/* Fewer crews, until slots and pools fit the budget. */
static int fit_memory(struct plan *p, struct job *j)
{
	unsigned int wanted = p->ncrews;
	char need[32], have[32], pool[32];
	uint64_t slots, pools;

	for (;;) {
		slots = plan_slot_bytes(p, p->ncrews);
		pools = fit_pools(p, j);
		if (slots + pools <= p->memory)
			break;
		if (p->ncrews == 1) {
			job_wrong_at(j, job_key_place(j->global.at, "global", "memory", NULL),
				"%s: one crew's slots need %s and the pools asked for %s; the "
				"budget is %s (key \"memory\")",
				p->job, size_text(slots, need), size_text(pools, pool),
				size_text(p->memory, have));
			return j->error = -ENOSPC;
		}
		p->ncrews--;
	}
	if (p->ncrews == wanted)
		return 0;
	return plan_skip(p, "crews", "%u of %u: more do not fit the memory budget of %s",
		wanted - p->ncrews, wanted, size_text(p->memory, have));
}

static void count_procs(struct plan *p)
{
	for (unsigned int i = 0; i < p->ncrews; i++)
		if (p->crew[i].nprocs > p->nprocs)
			p->nprocs = p->crew[i].nprocs;
}

static bool is_crowded(const struct plan *p, const struct machine *m)
{
	unsigned int lanes = 0;

	for (unsigned int i = 0; i < p->ncrews; i++)
		for (unsigned int l = 0; l < p->crew[i].nlanes; l++)
			lanes += !p->crew[i].lane[l].preempt; /* those mostly sleep */
	return lanes > (unsigned int)m->ncpus;
}

static int nothing_runs(struct plan *p, struct job *j)
{
	job_wrong_at(j, NULL, "%s: nothing can run here; first reason: %s: %s", p->job,
		p->nskips ? p->skip[0].what : "lanes", p->nskips ? p->skip[0].why : "none is left");
	return j->error = -ENODATA;
}

/* ---- turns ---- */

/* A turn's seed is drawn from the job's; what it says of time is the job's to say. */
static int load_turn(struct plan *p, struct job *j, unsigned int i)
{
	struct plan_options o = *j->options;
	struct job_place *at = &j->global.turn[i].place;
	struct plan *sub = NULL;
	char err[1024] = "", what[64];
	const char *slash = strrchr(j->global.turn[i].path, '/');
	struct rng r;
	int e;

	rng_init(&r, p->seed, STREAM_TURN_SEED, i, 0);
	o.seed = rng_next(&r) | 1;
	o.timeout_ns = 0;
	e = plan_load(j->global.turn[i].path, j->machine, &o, &sub, err, sizeof(err));
	if (e == -ENODATA) {
		snprintf(what, sizeof(what), "turn %.50s",
			slash ? slash + 1 : j->global.turn[i].path);
		return plan_skip(p, what, "%s", err);
	}
	if (e < 0) {
		job_wrong_at(j, at, "turn: %s", err[0] ? err : strerror(-e));
		return j->error = e;
	}
	if (sub->nturns) {
		plan_free(sub);
		return job_wrong_at(j, at, "turn: %s has turns itself", j->global.turn[i].path);
	}
	sub->timeout_ns = sub->rounds = 0;
	sub->inject[0] = '\0';
	sub->first_crew = p->nturns ? p->turn[p->nturns - 1].plan->first_crew +
					      p->turn[p->nturns - 1].plan->ncrews
				    : 0;
	p->turn[p->nturns++] = (struct plan_turn){j->global.turn[i].weight, sub};
	return plan_take_skips(p, sub);
}

/* Knobs are set for the whole run: two turns cannot want different things of one. */
static int check_turn_knobs(
	struct plan *p, struct job *j, const struct plan *a, const struct plan *b)
{
	for (unsigned int i = 0; i < a->nknobs; i++)
		for (unsigned int k = 0; k < b->nknobs; k++)
			if (strcmp(a->knob[i].path, b->knob[k].path) == 0 &&
				strcmp(a->knob[i].value, b->knob[k].value) != 0)
				return job_wrong_at(j, NULL,
					"%s: %s wants %s to be %s, %s wants %s", p->job, a->job,
					a->knob[i].path, a->knob[i].value, b->job,
					b->knob[k].value);
	return 0;
}

static int resolve_turns(struct plan *p, struct job *j)
{
	int r = 0;

	if (j->nslots || j->nlanes)
		return job_wrong_at(j, j->nslots ? &j->slot[0].place : &j->lane[0].place,
			"a job with turns has no slots and lanes of its own");
	take_global(p, j);
	p->slice_ns = j->global.slice_ns;
	for (unsigned int i = 0; r == 0 && i < j->global.nturns; i++)
		r = load_turn(p, j, i);
	for (unsigned int i = 0; r == 0 && i < p->nturns; i++)
		for (unsigned int k = 0; r == 0 && k < i; k++)
			r = check_turn_knobs(p, j, p->turn[k].plan, p->turn[i].plan);
	if (r == 0 && !p->nturns)
		r = nothing_runs(p, j);
	return r;
}

static int resolve(struct plan *p, struct job *j)
{
	int r;

	if (j->global.nturns)
		return resolve_turns(p, j);
	if (!j->nslots)
		return job_wrong_at(
			j, &(struct job_place){p->job, 1}, "the job has no [slot NAME]");
	if (!j->nlanes)
		return job_wrong_at(
			j, &(struct job_place){p->job, 1}, "the job has no [lane NAME]");
	take_global(p, j);
	r = lessons_load(p, j->err, j->err_size);
	if (r < 0)
		return j->error = r;
	r = resolve_slots(p, j);
	if (r == 0)
		r = resolve_pools(p, j);
	if (r == 0)
		r = plan_probe_slots(p, j->machine);
	if (r == 0)
		r = take_knobs(p, j);
	if (r == 0)
		r = plan_make_crews(p, j);
	if (r == 0)
		r = plan_drop_unable(p, false);
	if (r == -ENODATA)
		return nothing_runs(p, j);
	if (r == 0)
		r = fit_memory(p, j);
	count_procs(p);
	p->crowded = is_crowded(p, j->machine);
	return r;
}

int job_resolve(struct job *j, const char *name, struct plan **ret)
{
	struct plan *p = plan_new(name, j->machine, j->options);
	int r = p ? resolve(p, j) : -ENOMEM;

	if (r == -ENOMEM && !j->error)
		snprintf(j->err, j->err_size, "%s: no memory", name);
	if (r < 0) {
		plan_free(p);
		return r;
	}
	*ret = p;
	return 0;
}
