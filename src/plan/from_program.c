/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan that runs one fixed program. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "build.h"
#include "caps/caps.h"
#include "plan/number.h"

enum { POOL_PAGES = 16 };

static uint64_t round_up(uint64_t v, uint64_t unit)
{
	return (v + unit - 1) / unit * unit;
}

/* What another machine's program says, in this machine's units. */
static struct slot_spec fit_slot(struct slot_spec s, const struct machine *m)
{
	if (!backing_is_hugetlb(s.backing))
		s.size = round_up(s.size, m->pmd_size);
	if (s.align < m->pmd_size)
		s.align = m->pmd_size;
	return s;
}

static int take_lane(struct plan *p, const struct program_lane *from, struct plan_lane *l)
{
	char what[64];

	l->proc = from->proc;
	l->slots = (uint32_t)((1ULL << p->nslots) - 1);
	l->sequence = l->exact_offset = true;
	l->max_offset_ns = from->offset_ns;
	for (unsigned int i = 0; i < from->nops; i++) {
		const char *why = plan_op_missing(p, from->op[i].op);
		int r;

		if (!why) {
			l->op[l->nops] = (struct plan_op){.call = from->op[i], .fixed = UINT32_MAX};
			if (from->timed >> i & 1)
				l->op[l->nops].timing = from->timing[i];
			l->timed |= from->timed >> i & 1;
			l->nops++;
			continue;
		}
		snprintf(what, sizeof(what), "op %s", op_get(from->op[i].op)->name);
		r = plan_skip(p, what, "%s", why);
		if (r < 0)
			return r;
	}
	l->depth = l->nops;
	return 0;
}

/* The CPU that it had, if this machine has it too: what shared one then does so again. */
static int place_lane(const struct machine *m, const struct program_lane *l, unsigned int *use)
{
	for (int i = 0; l->pin && i < m->ncpus; i++)
		if (m->cpu[i] == l->pin - 1) {
			use[i]++;
			return m->cpu[i];
		}
	return plan_pick_cpu(m, NULL, use);
}

static int take_lanes(struct plan *p, const struct program *from, const struct machine *m)
{
	_cleanup_free_ unsigned int *use = calloc(MACHINE_MAX_CPUS, sizeof(*use));

	p->crew = calloc(1, sizeof(*p->crew));
	if (!p->crew || !use)
		return -ENOMEM;
	p->ncrews = 1;
	p->crew->nlanes = from->nlanes;
	for (unsigned int i = 0; i < from->nlanes; i++) {
		struct plan_lane *l = &p->crew->lane[i];
		int r = take_lane(p, &from->lane[i], l);

		if (r < 0)
			return r;
		snprintf(l->name, sizeof(l->name), "%u", i);
		l->cpu = place_lane(m, &from->lane[i], use);
		l->cpu_open = !from->lane[i].pin;
		l->preempt = from->lane[i].preempt && !caps_missing(CAP_HAS_FIFO);
		if (l->proc >= p->crew->nprocs)
			p->crew->nprocs = l->proc + 1U;
	}
	p->nprocs = p->crew->nprocs;
	return 0;
}

static bool has_hstate(const struct machine *m, uint64_t size)
{
	for (int i = 0; i < m->nhstates; i++)
		if (m->hstate[i].size == size)
			return true;
	return false;
}

static bool has_pool(const struct plan *p, uint64_t size)
{
	for (unsigned int i = 0; i < p->npools; i++)
		if (p->pool[i].size == size)
			return true;
	return false;
}

/* The pools that were there, or else those that the slots can do with; their pages follow when the slots are known. */
static void take_pools(struct plan *p, const struct machine *m, const struct plan_around *a)
{
	for (unsigned int i = 0; a && i < a->npools; i++)
		if (m->is_root && has_hstate(m, a->pool[i].size))
			p->pool[p->npools++] = a->pool[i];
	for (unsigned int i = 0; i < p->nslots; i++) {
		uint64_t size = p->slot[i].huge_size;

		if (size && m->is_root && has_hstate(m, size) && !has_pool(p, size) &&
			p->npools < PLAN_MAX_POOLS)
			p->pool[p->npools++] = (struct plan_pool){.size = size, .per_node = true};
	}
}

/* A slot that reserves nothing may be far larger than what is used of it. */
static void fill_pools(struct plan *p)
{
	for (unsigned int i = 0; i < p->npools; i++) {
		uint64_t size = p->pool[i].size, reserved = 2 * plan_huge_pages(p, size, false),
			 all = 2 * plan_huge_pages(p, size, true);

		if (!p->pool[i].pages)
			p->pool[i].pages = reserved	      ? reserved
					   : all < POOL_PAGES ? all
							      : POOL_PAGES;
	}
}

static int take_knobs(struct plan *p, const struct machine *m, const struct plan_around *a)
{
	char what[64];

	if (a->epoch_rounds)
		p->epoch_rounds = a->epoch_rounds;
	for (unsigned int i = 0; i < a->nknobs; i++) {
		int r;

		if (m->is_root) {
			p->knob[p->nknobs++] = a->knob[i];
			continue;
		}
		snprintf(what, sizeof(what), "knob %.50s", strrchr(a->knob[i].path, '/') + 1);
		r = plan_skip(p, what, "%.128s: needs root", a->knob[i].path);
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_program(struct plan *p, const struct program *from, const struct machine *m,
	const struct plan_around *a)
{
	int r;

	p->nslots = from->nslots;
	for (unsigned int i = 0; i < from->nslots; i++)
		p->slot[i] = fit_slot(from->slot[i], m);
	take_pools(p, m, a);
	r = a ? take_knobs(p, m, a) : 0;
	if (r == 0)
		r = plan_probe_slots(p, m);
	if (r == 0)
		r = take_lanes(p, from, m);
	if (r == 0)
		r = plan_drop_unable(p, true);
	fill_pools(p);
	if (r == 0 && plan_slot_bytes(p, 1) > p->memory)
		r = -ENOSPC;
	return r;
}

int plan_from_program(const struct program *from, const struct machine *m,
	const struct plan_options *o, struct plan **ret, char *err, size_t err_size)
{
	struct plan *p = plan_new("program", m, o);
	char need[32], have[32];
	int r;

	if (!p)
		return -ENOMEM;
	if (!p->timeout_ns)
		p->timeout_ns = 60000000000ULL;
	p->rest_ns = plan_usual_rest(p->timeout_ns);
	p->memory = m->mem_available / 4 * 3;
	r = take_program(p, from, m, o->around);
	if (r == 0) {
		*ret = p;
		return 0;
	}
	number_print_size(plan_slot_bytes(p, p->ncrews) >> 20 << 20, need, sizeof(need));
	number_print_size(p->memory >> 20 << 20, have, sizeof(have));
	if (r == -ENOSPC)
		snprintf(err, err_size,
			"the program's slots need %s, three quarters of what is available are %s",
			need, have);
	else if (r == -ENODATA)
		snprintf(err, err_size, "nothing of the program can run here; first reason: %s: %s",
			p->nskips ? p->skip[0].what : "lanes",
			p->nskips ? p->skip[0].why : "they have no op");
	else
		snprintf(err, err_size, "%s", strerror(-r));
	plan_free(p);
	return r;
}
