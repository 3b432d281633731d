/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan as JSON: everything that was chosen, sizes in bytes and times in ns. */
#include <inttypes.h>
#include <string.h>

#include "plan/plan.h"

static json_t *name_of_slot(const struct plan *p, unsigned int i)
{
	return json_string(p->slot[i].name);
}

/* The names of the slots in a mask. */
static json_t *slot_names(const struct plan *p, uint32_t mask)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < p->nslots; i++)
		if (mask >> i & 1)
			json_array_append_new(a, name_of_slot(p, i));
	return a;
}

static json_t *slot_json(const struct plan *p, unsigned int i)
{
	const struct slot_spec *s = &p->slot[i];

	return json_pack("{s:s, s:s, s:I, s:s, s:i, s:I, s:I, s:I, s:b, s:b, s:b}", "name", s->name,
		"backing", backing_name(s->backing), "size", (json_int_t)s->size, "huge",
		slot_huge_name(s->huge), "maps", s->maps, "shift", (json_int_t)s->shift,
		"huge_size", (json_int_t)s->huge_size, "align", (json_int_t)s->align, "noreserve",
		s->noreserve, "present", (int)(p->slots_present >> i & 1), "tight",
		(int)(p->slots_tight >> i & 1));
}

static json_t *op_json(const struct plan *p, const struct plan_lane *l, const struct plan_op *o)
{
	const struct op *op = op_get(o->call.op);
	json_t *j = json_object();
	char text[1024];

	json_object_set_new(j, "op", json_string(op->name));
	if (!l->sequence)
		json_object_set_new(j, "weight", json_integer(o->weight));
	if (o->fixed) {
		program_print_op_named(&o->call, o->fixed, p->slot, p->nslots, text, sizeof(text));
		json_object_set_new(j, "fixed",
			json_string(text[strlen(op->name)] ? text + strlen(op->name) + 1 : ""));
	}
	return j;
}

static json_t *lane_json(const struct plan *p, const struct plan_lane *l)
{
	json_t *ops = json_array();

	for (unsigned int i = 0; i < l->nops; i++)
		json_array_append_new(ops, op_json(p, l, &l->op[i]));
	return json_pack("{s:s, s:i, s:i, s:b, s:o, s:b, s:i, s:i, s:b, s:b, s:o}", "name", l->name,
		"process", l->proc, "cpu", l->cpu, "preempt", l->preempt, "slots",
		slot_names(p, l->slots), "sequence", l->sequence, "depth", (int)l->depth,
		"offset_ns", (int)l->max_offset_ns, "exact_offset", l->exact_offset, "timed",
		l->timed, "ops", ops);
}

static json_t *crews_json(const struct plan *p)
{
	json_t *crews = json_array();

	for (unsigned int i = 0; i < p->ncrews; i++) {
		json_t *lanes = json_array();

		for (unsigned int k = 0; k < p->crew[i].nlanes; k++)
			json_array_append_new(lanes, lane_json(p, &p->crew[i].lane[k]));
		json_array_append_new(crews, json_pack("{s:i, s:o}", "processes",
						     (int)p->crew[i].nprocs, "lanes", lanes));
	}
	return crews;
}

static json_t *slots_json(const struct plan *p)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < p->nslots; i++)
		json_array_append_new(a, slot_json(p, i));
	return a;
}

static json_t *pools_json(const struct plan *p)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < p->npools; i++)
		json_array_append_new(a,
			json_pack("{s:I, s:I, s:b}", "size", (json_int_t)p->pool[i].size, "pages",
				(json_int_t)p->pool[i].pages, "per_node", p->pool[i].per_node));
	return a;
}

static json_t *knobs_json(const struct plan *p)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < p->nknobs; i++)
		json_array_append_new(a, json_pack("{s:s, s:s}", "path", p->knob[i].path, "value",
						 p->knob[i].value));
	return a;
}

static json_t *skips_json(const struct plan *p)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < p->nskips; i++)
		json_array_append_new(
			a, json_pack("{s:s, s:s}", "what", p->skip[i].what, "why", p->skip[i].why));
	return a;
}

static json_t *allow_json(const struct plan *p)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < HAZARD_COUNT; i++)
		if (p->allow >> i & 1)
			json_array_append_new(a, json_string(hazard_name(i)));
	return a;
}

/*
 * Seeds are 64 bits without a sign, which JSON readers do not all hold: text, as --seed takes it.
 */
static json_t *seed_json(const struct plan *p)
{
	return json_sprintf("%" PRIu64, p->seed);
}

static json_t *turns_json(const struct plan *p)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < p->nturns; i++)
		json_array_append_new(a, json_pack("{s:i, s:o}", "weight", (int)p->turn[i].weight,
						 "plan", plan_json(p->turn[i].plan)));
	return a;
}

json_t *plan_json(const struct plan *p)
{
	return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:i, s:i, s:s, s:i, s:b, s:o, s:s, "
			 "s:i, s:i, s:i, s:o, "
			 "s:o, s:o, s:o, s:o, s:I, s:o}",
		"job", p->job, "seed", seed_json(p), "timeout_ns", (json_int_t)p->timeout_ns,
		"rounds", (json_int_t)p->rounds, "memory", (json_int_t)p->memory, "stall_ns",
		(json_int_t)p->stall_ns, "rest_ns", (json_int_t)p->rest_ns, "epoch_rounds",
		(int)p->epoch_rounds, "meet_percent", (int)p->meet_percent, "learned", p->learned,
		"lessons", (int)p->nlessons, "crowded", p->crowded, "allow", allow_json(p),
		"inject", p->inject, "nodes", (int)p->nnodes, "page_size", (int)p->page_size,
		"pmd_pages", (int)p->pmd_pages, "slots", slots_json(p), "pools", pools_json(p),
		"knobs", knobs_json(p), "crews", crews_json(p), "skips", skips_json(p), "slice_ns",
		(json_int_t)p->slice_ns, "turns", turns_json(p));
}
