/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plans: loading, what is left of one on this machine, and the pools that it found. */
#include "plan/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "plan/line.h"
#include "plan/number.h"

enum { STREAM_TURNS = 3001 };

/* ---- making and freeing ---- */

struct plan *plan_new(const char *job, const struct machine *m, const struct plan_options *o)
{
	struct plan *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	snprintf(p->job, sizeof(p->job), "%s", job);
	line_repair(p->job);
	p->seed = o->seed ? o->seed : rng_fresh_seed();
	p->timeout_ns = o->timeout_ns;
	p->allow = 1U << HAZARD_SAFE | o->allow;
	if (m->is_root)
		p->allow |= 1U << HAZARD_ROOT;
	p->oracles = UINT64_MAX;
	p->stall_ns = 60000000000ULL;
	p->epoch_rounds = 64;
	p->nnodes = m->nmem_nodes > 0 ? (unsigned int)m->nmem_nodes : 1;
	p->page_size = (uint32_t)m->page_size;
	p->pmd_pages = (uint32_t)(m->pmd_size / m->page_size);
	return p;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (unsigned int i = 0; i < p->nturns; i++)
		plan_free(p->turn[i].plan);
	free(p->crew);
	free(p->skip);
	free(p->lesson);
	free(p);
}

/* ---- parts ---- */

unsigned int plan_nparts(const struct plan *p)
{
	return p->nturns ? p->nturns : 1;
}

struct plan *plan_part(struct plan *p, unsigned int i)
{
	return p->nturns ? p->turn[i].plan : p;
}

unsigned int plan_turn_of(const struct plan *p, uint64_t n)
{
	uint8_t order[PLAN_MAX_TURNS * PLAN_MAX_TURN_WEIGHT];
	unsigned int len = 0;
	struct rng r;

	for (unsigned int i = 0; i < p->nturns; i++)
		for (uint32_t w = 0; w < p->turn[i].weight; w++)
			order[len++] = (uint8_t)i;
	rng_init(&r, p->seed, STREAM_TURNS, n / len, 0);
	for (unsigned int i = len - 1; i > 0; i--) {
		unsigned int k = (unsigned int)rng_below(&r, i + 1);
		uint8_t swap = order[i];

		order[i] = order[k];
		order[k] = swap;
	}
	return order[n % len];
}

int plan_skip(struct plan *p, const char *what, const char *fmt, ...)
{
	struct plan_skip *s;
	va_list ap;

	for (unsigned int i = 0; i < p->nskips; i++)
		if (strcmp(p->skip[i].what, what) == 0)
			return 0;
	s = reallocarray(p->skip, p->nskips + 1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	p->skip = s;
	s += p->nskips++;
	snprintf(s->what, sizeof(s->what), "%s", what);
	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	line_repair(s->what);
	line_repair(s->why);
	return 0;
}

int plan_take_skips(struct plan *p, const struct plan *sub)
{
	const char *slash = strrchr(sub->job, '/'), *name = slash ? slash + 1 : sub->job;
	char what[sizeof(p->skip->what)];
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < sub->nskips; i++) {
		snprintf(what, sizeof(what), "%.*s: %.40s", (int)strcspn(name, "."), name,
			sub->skip[i].what);
		r = plan_skip(p, what, "%s", sub->skip[i].why);
	}
	return r;
}

static int load(const char *name, const char *text, size_t len, const struct machine *m,
	const struct plan_options *o, struct plan **ret, char *err, size_t err_size)
{
	struct job *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return -ENOMEM;
	*j = (struct job){.machine = m, .options = o, .err = err, .err_size = err_size};
	r = job_read(j, name, text, len);
	if (r == 0)
		r = job_resolve(j, name, ret);
	job_release(j);
	free(j);
	return r;
}

int plan_load(const char *file, const struct machine *m, const struct plan_options *o,
	struct plan **ret, char *err, size_t err_size)
{
	return load(file, NULL, 0, m, o, ret, err, err_size);
}

int plan_load_text(const char *name, const char *text, size_t len, const struct machine *m,
	const struct plan_options *o, struct plan **ret, char *err, size_t err_size)
{
	return load(name, text, len, m, o, ret, err, err_size);
}

/* ---- what can run here ---- */

const char *plan_op_missing(const struct plan *p, unsigned int op)
{
	static const char *const refused[HAZARD_COUNT] = {
		[HAZARD_SAFE] = "its hazard class is not allowed",
		[HAZARD_ROOT] = "needs root",
		[HAZARD_DISRUPTIVE] = "needs --allow disruptive",
		[HAZARD_DESTRUCTIVE] = "needs --allow destructive",
	};
	const struct op *o = op_get(op);

	if (!(p->allow >> o->hazard & 1))
		return refused[o->hazard];
	return op_missing(o);
}

static bool pool_is_asked(const struct plan *p, uint64_t size)
{
	for (unsigned int i = 0; i < p->npools; i++)
		if (p->pool[i].size == size)
			return true;
	return false;
}

/* Of a hugetlb slot whose pool is yet to be made, only what the pool does not decide. */
static const char *slot_missing(
	const struct plan *p, const struct machine *m, const struct slot_spec *s)
{
	if (!s->huge_size || !pool_is_asked(p, s->huge_size))
		return backing_missing(m, s);
	switch (s->backing) {
	case BACKING_HUGETLB_MEMFD:
		return caps_missing(CAP_HAS_MEMFD_HUGETLB);
	case BACKING_HUGETLB_FILE:
		return caps_missing(CAP_HAS_HUGETLBFS);
	case BACKING_HUGETLB_SYSV:
		return caps_missing(CAP_HAS_SYSV_HUGETLB);
	default:
		return NULL;
	}
}

int plan_probe_slots(struct plan *p, const struct machine *m)
{
	char what[64];
	int r = 0;

	p->slots_present = p->slots_tight = 0;
	for (unsigned int i = 0; r == 0 && i < p->nslots; i++) {
		const char *why = slot_missing(p, m, &p->slot[i]);

		if (backing_is_hugetlb(p->slot[i].backing))
			p->slots_tight |= 1U << i;
		if (!why) {
			p->slots_present |= 1U << i;
			continue;
		}
		snprintf(what, sizeof(what), "slot %s", p->slot[i].name);
		r = plan_skip(p, what, "%s", why);
	}
	return r;
}

static bool slot_serves(const struct plan *p, const struct op *op, unsigned int slot)
{
	return slot < p->nslots && (p->slots_present >> slot & 1) &&
	       (op->backings >> p->slot[slot].backing & 1);
}

/* True if the op has a slot that it can act on: those that the job fixed, or one of the lane's. */
static bool call_suits(const struct plan *p, const struct plan_lane *l, const struct plan_op *o)
{
	const struct op *op = op_get(o->call.op);
	unsigned int nargs = op_nargs(op);
	bool draws = op->backings != 0;

	for (unsigned int i = 0; i < nargs; i++) {
		if (op->args[i].kind != ARG_SLOT || !(o->fixed >> i & 1))
			continue;
		if (!slot_serves(p, op, o->call.arg[i]))
			return false;
		draws = false;
	}
	if (!draws)
		return true;
	for (unsigned int i = 0; i < p->nslots; i++)
		if ((l->slots >> i & 1) && slot_serves(p, op, i))
			return true;
	return false;
}

static void drop_ops(const struct plan *p, struct plan_lane *l)
{
	unsigned int n = 0;

	l->weight_sum = 0;
	for (unsigned int i = 0; i < l->nops; i++) {
		if (!call_suits(p, l, &l->op[i]) || (!l->sequence && !l->op[i].weight))
			continue;
		l->weight_sum += l->op[i].weight;
		l->op[n] = l->op[i];
		l->op[n++].upto = l->weight_sum;
	}
	l->nops = n;
	if (l->sequence)
		l->depth = n;
}

static void mark_ops(const struct plan *p, bool has[OP_NUMBERS])
{
	for (unsigned int i = 0; i < p->ncrews; i++)
		for (unsigned int j = 0; j < p->crew[i].nlanes; j++)
			for (unsigned int k = 0; k < p->crew[i].lane[j].nops; k++)
				has[p->crew[i].lane[j].op[k].call.op] = true;
}

/* The ops of all parts. */
static void mark_all_ops(const struct plan *p, bool has[OP_NUMBERS])
{
	for (unsigned int i = 0; i < p->nturns; i++)
		mark_ops(p->turn[i].plan, has);
	mark_ops(p, has);
}

bool plan_has_op(const struct plan *p, unsigned int op)
{
	bool has[OP_NUMBERS] = {0};

	mark_all_ops(p, has);
	return op < OP_NUMBERS && has[op];
}

uint32_t plan_uses(const struct plan *p)
{
	bool has[OP_NUMBERS] = {0};
	uint32_t uses = 0;

	mark_all_ops(p, has);
	for (unsigned int i = 0; i < OP_NUMBERS; i++)
		if (has[i] && op_get(i))
			uses |= op_get(i)->uses;
	return uses;
}

static void lane_lose_op(struct plan_lane *l, unsigned int op)
{
	unsigned int n = 0;

	for (unsigned int k = 0; k < l->nops; k++)
		if (l->op[k].call.op != op)
			l->op[n++] = l->op[k];
	l->nops = n;
}

int plan_lose_op(struct plan *p, unsigned int op, const char *why)
{
	char what[64];

	snprintf(what, sizeof(what), "op %s", op_get(op)->name);
	for (unsigned int i = 0; i < plan_nparts(p); i++) {
		struct plan *part = plan_part(p, i);

		for (unsigned int c = 0; c < part->ncrews; c++)
			for (unsigned int l = 0; l < part->crew[c].nlanes; l++)
				lane_lose_op(&part->crew[c].lane[l], op);
	}
	return plan_skip(p, what, "%s", why);
}

static int drop_lanes(struct plan *p, struct plan_crew *c, bool keep)
{
	unsigned int n = 0;
	char what[64];
	int r = 0;

	for (unsigned int i = 0; i < c->nlanes; i++) {
		drop_ops(p, &c->lane[i]);
		if (!c->lane[i].nops && !keep) {
			snprintf(what, sizeof(what), "lane %s", c->lane[i].name);
			r = plan_skip(p, what, "nothing that it does can run here");
			if (r < 0)
				return r;
			continue;
		}
		if (n != i)
			c->lane[n] = c->lane[i];
		n++;
	}
	c->nlanes = n;
	return 0;
}

static bool crew_has_ops(const struct plan_crew *c)
{
	for (unsigned int i = 0; i < c->nlanes; i++)
		if (c->lane[i].nops)
			return true;
	return false;
}

static int drop_crews(struct plan *p, bool keep_lanes)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < p->ncrews; i++) {
		int r = drop_lanes(p, &p->crew[i], keep_lanes);

		if (r < 0)
			return r;
		if (!crew_has_ops(&p->crew[i]))
			continue;
		if (n != i)
			p->crew[n] = p->crew[i];
		n++;
	}
	p->ncrews = n;
	return 0;
}

int plan_drop_unable(struct plan *p, bool keep_lanes)
{
	bool before[OP_NUMBERS] = {0}, after[OP_NUMBERS] = {0};
	char what[64];
	int r;

	mark_ops(p, before);
	r = drop_crews(p, keep_lanes);
	mark_ops(p, after);
	for (unsigned int i = 0; r == 0 && i < OP_NUMBERS; i++) {
		if (!before[i] || after[i])
			continue;
		snprintf(what, sizeof(what), "op %s", op_get(i)->name);
		r = plan_skip(p, what, "no slot that it acts on is here");
	}
	return r == 0 && !p->ncrews ? -ENODATA : r;
}

/* ---- memory ---- */

static uint64_t copies(const struct plan_crew *c, const struct slot_spec *s)
{
	return backing_is_private(s->backing) ? c->nprocs : 1;
}

uint64_t plan_slot_bytes(const struct plan *p, unsigned int n)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++)
		for (unsigned int j = 0; j < p->nslots; j++)
			if ((p->slots_present >> j & 1) && !backing_is_hugetlb(p->slot[j].backing))
				sum += p->slot[j].size * copies(&p->crew[i], &p->slot[j]);
	return sum;
}

/* Huge pages of slot s in all crews. */
static uint64_t slot_huge_pages(const struct plan *p, const struct slot_spec *s)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < p->ncrews; i++)
		sum += s->size / s->huge_size * copies(&p->crew[i], s);
	return sum;
}

uint64_t plan_huge_pages(const struct plan *p, uint64_t size, bool all)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < p->nslots; i++)
		if ((p->slots_present >> i & 1) && p->slot[i].huge_size == size &&
			(all || !p->slot[i].noreserve))
			sum += slot_huge_pages(p, &p->slot[i]);
	return sum;
}

/* ---- pools ---- */

static int slot_absent(struct plan *p, unsigned int i, uint64_t need, unsigned long long have)
{
	char what[64], size[32];

	p->slots_present &= ~(1U << i);
	snprintf(what, sizeof(what), "slot %s", p->slot[i].name);
	number_print_size(p->slot[i].huge_size, size, sizeof(size));
	return plan_skip(p, what, "needs %" PRIu64 " free huge pages of %s, the pool has %llu",
		need, size, have);
}

/* Pages that new mappings can have: free or to be had as surplus, and not promised to others. */
static int pool_left(uint64_t size, unsigned long long *ret)
{
	unsigned long long left, reserved, most, surplus;
	int r = machine_pool(size, -1, "free_hugepages", &left);

	if (r == 0)
		r = machine_pool(size, -1, "resv_hugepages", &reserved);
	if (r < 0)
		return r;
	if (machine_pool(size, -1, "nr_overcommit_hugepages", &most) == 0 &&
		machine_pool(size, -1, "surplus_hugepages", &surplus) == 0 && most > surplus)
		left += most - surplus;
	*ret = left > reserved ? left - reserved : 0;
	return 0;
}

/*
 * Takes what each slot of this size reserves from the pool; those for which nothing is left
 * become absent.
 */
static int settle_size(struct plan *p, uint64_t size)
{
	unsigned long long free_pages;
	int r = pool_left(size, &free_pages);

	if (r < 0)
		return r;
	/*
	 * Reservations first: they are promises; without one, a page for each crew makes a start.
	 */
	for (unsigned int pass = 0; r == 0 && pass < 2; pass++)
		for (unsigned int i = 0; r == 0 && i < p->nslots; i++) {
			const struct slot_spec *s = &p->slot[i];
			uint64_t need = s->noreserve ? p->ncrews : 0;

			if (!(p->slots_present >> i & 1) || s->huge_size != size ||
				s->noreserve != pass)
				continue;
			if (!s->noreserve)
				need = slot_huge_pages(p, s);
			if (need > free_pages)
				r = slot_absent(p, i, need, free_pages);
			else if (!s->noreserve)
				free_pages -= need;
		}
	return r;
}

/* What the ops of a lane keep pinned when the slot has let go of it. */
static uint64_t huge_pages_held(const struct plan_lane *l)
{
	uint64_t most = 0;

	for (unsigned int i = 0; i < l->nops; i++) {
		const struct op *op = op_get(l->op[i].call.op);

		if (op && op->holds > most)
			most = op->holds;
	}
	return most;
}

/* What each lane may take for a moment: a page to migrate to, a copy of private memory (a child, another mapping). */
static uint64_t huge_pages_in_flight(const struct plan *p, uint64_t size)
{
	uint64_t lanes = 0, copy = 0, held = 0;

	for (unsigned int i = 0; i < p->ncrews; i++)
		for (unsigned int l = 0; l < p->crew[i].nlanes; l++, lanes++)
			held += huge_pages_held(&p->crew[i].lane[l]);
	for (unsigned int i = 0; i < p->nslots; i++) {
		const struct slot_spec *s = &p->slot[i];

		if ((p->slots_present >> i & 1) && s->huge_size == size &&
			backing_is_private(s->backing) && s->size / size > copy)
			copy = s->size / size;
	}
	return lanes * (1 + copy) + held;
}

/*
 * True unless every node has room for twice what the slots may take (all of it may be on the way to another node) and for
 * what lanes take for a moment.
 */
static bool pool_is_tight(const struct plan *p, const struct machine *m, uint64_t size)
{
	uint64_t want = 2 * plan_huge_pages(p, size, true) + huge_pages_in_flight(p, size);

	for (int i = 0; i < m->nmem_nodes; i++) {
		unsigned long long free_pages;

		if (machine_pool(size, m->mem_node[i], "free_hugepages", &free_pages) < 0 ||
			free_pages < want)
			return true;
	}
	return m->nmem_nodes == 0;
}

static int settle_turns(struct plan *p, const struct machine *m)
{
	unsigned int left = 0, crews = 0;
	int error = 0;

	for (unsigned int i = 0; i < p->nturns; i++) {
		struct plan *sub = p->turn[i].plan;
		int r = plan_settle_pools(sub, m);

		if (r == 0 || r == -ENODATA)
			plan_take_skips(p, sub);
		if (r == -ENODATA) {
			plan_free(sub);
			continue;
		}
		if (r < 0)
			error = r;
		sub->first_crew = crews;
		crews += sub->ncrews;
		p->turn[left++] = p->turn[i];
	}
	p->nturns = left;
	return error ? error : left ? 0 : -ENODATA;
}

int plan_settle_pools(struct plan *p, const struct machine *m)
{
	int r;

	if (p->nturns)
		return settle_turns(p, m);
	for (unsigned int i = 0; i < p->nslots; i++) {
		if (!(p->slots_present >> i & 1) || !p->slot[i].huge_size)
			continue;
		r = settle_size(p, p->slot[i].huge_size);
		if (r < 0)
			return r;
	}
	r = plan_drop_unable(p, p->crew[0].lane[0].exact_offset);
	if (r < 0)
		return r;
	p->slots_tight = 0;
	for (unsigned int i = 0; i < p->nslots; i++)
		if ((p->slots_present >> i & 1) && p->slot[i].huge_size &&
			((plan_uses(p) & OP_SHRINKS_POOLS) ||
				pool_is_tight(p, m, p->slot[i].huge_size)))
			p->slots_tight |= 1U << i;
	return 0;
}
