/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mutate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "edit.h"

enum { STACK_MAX = 6, TRIES = 32, PATIENCE = 1000, RUN_MAX = 8, NODES = 4, LANES_USUAL = 6 };

/* ---- what is drawn ---- */

static void add_to_mix(struct mutator *m, unsigned int op)
{
	uint32_t sum = m->nops ? m->mix[m->nops - 1].upto : 0;

	if (!op_get(op)->weight)
		return;
	m->mix[m->nops].op = (uint8_t)op;
	m->mix[m->nops++].upto = sum + op_get(op)->weight;
}

static int add_named(struct mutator *m, const char *list)
{
	char name[64];

	while (*list) {
		size_t n = strcspn(list, ",");
		int op;

		snprintf(name, sizeof(name), "%.*s", (int)n, list);
		list += n + (list[n] == ',');
		op = *name ? op_find(name) : -ENOENT;
		if (op < 0) {
			log_error("no op has the name \"%s\"", name);
			return -EINVAL;
		}
		add_to_mix(m, (unsigned int)op);
	}
	return 0;
}

int mutator_init(struct mutator *m, uint64_t seed, const char *ops, uint32_t allow)
{
	unsigned long long pmd = 0;
	int r = 0;

	memset(m, 0, sizeof(*m));
	rng_init(&m->rng, seed, 0, 0, 0);
	m->page_size = (uint32_t)sysconf(_SC_PAGESIZE);
	if (path_read_u64("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", &pmd) < 0 || !pmd)
		pmd = 2 << 20;
	m->pmd_pages = (uint32_t)(pmd / m->page_size);
	allow |= 1U << HAZARD_SAFE | 1U << HAZARD_ROOT;
	if (ops)
		r = add_named(m, ops);
	else
		for (unsigned int i = 0; i < OP_NUMBERS; i++)
			if (op_get(i) && (allow >> op_get(i)->hazard & 1))
				add_to_mix(m, i);
	if (r == 0 && !m->nops) {
		log_error("no op is left to draw");
		r = -EINVAL;
	}
	return r;
}

static uint32_t below(struct mutator *m, uint64_t n)
{
	return (uint32_t)rng_below(&m->rng, n);
}

static bool once_in(struct mutator *m, unsigned int n)
{
	return rng_below(&m->rng, n) == 0;
}

static uint8_t draw_number(struct mutator *m)
{
	uint32_t at = below(m, m->mix[m->nops - 1].upto);
	unsigned int i = 0;

	while (m->mix[i].upto <= at)
		i++;
	return m->mix[i].op;
}

/* ---- places ---- */

static unsigned int lanes_with_ops(const struct program *p, uint8_t ret[PROGRAM_MAX_LANES])
{
	unsigned int n = 0;

	for (unsigned int l = 0; l < p->nlanes; l++)
		if (p->lane[l].nops)
			ret[n++] = (uint8_t)l;
	return n;
}

/* Some lane that has ops; NULL: there is none. */
static struct program_lane *some_lane(struct mutator *m, struct program *p)
{
	uint8_t with[PROGRAM_MAX_LANES];
	unsigned int n = lanes_with_ops(p, with);

	return n ? &p->lane[with[below(m, n)]] : NULL;
}

static struct program_lane *any_lane(struct mutator *m, struct program *p)
{
	return &p->lane[below(m, p->nlanes)];
}

static bool is_range(const struct op *op)
{
	return op->backings && op_nargs(op) >= 4 && op->args[0].kind == ARG_SLOT &&
	       op->args[1].kind == ARG_VIEW && op->args[2].kind == ARG_OFF &&
	       op->args[3].kind == ARG_LEN;
}

/* ---- drawing ---- */

static bool draw_call(struct mutator *m, const struct program *p, uint8_t number, struct op_call *c)
{
	struct op_draw d = {.slot = p->slot,
		.slots = (1U << p->nslots) - 1,
		.nslots = p->nslots,
		.nprocs = 2,
		.nnodes = NODES,
		.page_size = m->page_size,
		.pmd_pages = m->pmd_pages};

	*c = (struct op_call){.op = number};
	return op_draw_args(op_get(number), &d, 0, c, &m->rng) == 0;
}

/* The range of another op of the program: so that ops meet. */
static void share_range(struct mutator *m, struct program *p, struct op_call *c)
{
	const struct program_lane *l = some_lane(m, p);
	const struct op_call *from;
	const struct op *op;

	if (!l || !is_range(op_get(c->op)))
		return;
	from = &l->op[below(m, l->nops)];
	op = op_get(from->op);
	if (!is_range(op) ||
		!(op_get(c->op)->backings >> p->slot[from->arg[0] % p->nslots].backing & 1))
		return;
	c->arg[0] = from->arg[0];
	if (once_in(m, 4))
		return;
	c->arg[2] = from->arg[2];
	if (!once_in(m, 3))
		c->arg[3] = from->arg[3];
	if (!once_in(m, 3))
		c->arg[1] = from->arg[1];
}

static bool draw_new(struct mutator *m, struct program *p, struct op_call *c)
{
	for (unsigned int i = 0; i < TRIES; i++)
		if (draw_call(m, p, draw_number(m), c)) {
			if (!once_in(m, 3))
				share_range(m, p, c);
			return true;
		}
	return false;
}

/* ---- the changes: false: not here; *ret_op: what it was about, OP_NUMBERS: no op ---- */

static bool insert_new(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	struct program_lane *l = any_lane(m, p);
	struct op_timing none = {0};
	struct op_call c;

	if (!draw_new(m, p, &c))
		return false;
	*ret_op = c.op;
	return edit_insert(p, l, below(m, l->nops + 1U), &c, &none);
}

static bool remove_some(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	struct program_lane *l = some_lane(m, p);
	unsigned int n = 1 + (unsigned int)rng_log(&m->rng, 3), at;

	if (!l)
		return false;
	at = below(m, l->nops);
	*ret_op = l->op[at].op;
	for (; n && at < l->nops; n--)
		edit_take_out(p, l, at);
	return true;
}

/* Another op on the same range. */
static bool replace(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	struct program_lane *l = some_lane(m, p);
	struct op_call c, *at;

	if (!l || !draw_new(m, p, &c))
		return false;
	at = &l->op[below(m, l->nops)];
	if (is_range(op_get(c.op)) && is_range(op_get(at->op)) &&
		(op_get(c.op)->backings >> p->slot[at->arg[0] % p->nslots].backing & 1))
		memcpy(c.arg, at->arg, 4 * sizeof(c.arg[0]));
	*at = c;
	*ret_op = c.op;
	return true;
}

/* Borders are where the bugs are: a value moves by a page, a huge page, to a border, or anywhere. */
static uint32_t change_page(struct mutator *m, uint32_t v)
{
	uint32_t huge = m->pmd_pages;

	switch (below(m, 9)) {
	case 0:
		return v + 1;
	case 1:
		return v ? v - 1 : 1;
	case 2:
		return v + huge;
	case 3:
		return v > huge ? v - huge : 0;
	case 4:
		return v / huge * huge;
	case 5:
		return (v / huge + 1) * huge;
	case 6:
		return v ^ 1U << below(m, 13);
	case 7:
		return below(m, 8) * huge + below(m, 2) * huge / 2;
	default:
		return (uint32_t)rng_log(&m->rng, 16ULL * huge);
	}
}

static uint32_t change_number(struct mutator *m, const struct arg_desc *d, uint32_t v)
{
	switch (below(m, 4)) {
	case 0:
		return v + 1;
	case 1:
		return v - 1;
	case 2:
		return d->max;
	default:
		return (uint32_t)rng_log(&m->rng, d->max);
	}
}

static unsigned int count_words(const struct arg_desc *d)
{
	unsigned int n = 0;

	while (d->words && d->words[n].name)
		n++;
	return n;
}

static uint32_t change_value(
	struct mutator *m, const struct program *p, const struct arg_desc *d, uint32_t v)
{
	switch (d->kind) {
	case ARG_SLOT:
		return below(m, p->nslots);
	case ARG_VIEW:
		return below(m, SLOT_MAX_VIEWS);
	case ARG_OFF:
	case ARG_LEN:
		return change_page(m, v);
	case ARG_NODE:
		return below(m, NODES);
	case ARG_PROC:
		return below(m, 4);
	case ARG_ENUM:
		return below(m, count_words(d));
	case ARG_FLAGS:
		return v ^ 1U << below(m, count_words(d));
	default:
		return change_number(m, d, v);
	}
}

static bool change_argument(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	struct program_lane *l = some_lane(m, p);
	const struct op *op;
	struct op_call *c;
	unsigned int n, i;

	if (!l)
		return false;
	c = &l->op[below(m, l->nops)];
	op = op_get(c->op);
	n = op_nargs(op);
	if (!n)
		return false;
	i = below(m, n);
	c->arg[i] = arg_fold(&op->args[i], change_value(m, p, &op->args[i], c->arg[i]));
	*ret_op = c->op;
	return true;
}

static bool take_range(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	struct program_lane *l = some_lane(m, p);
	struct op_call *c;

	if (!l)
		return false;
	c = &l->op[below(m, l->nops)];
	share_range(m, p, c);
	*ret_op = c->op;
	return is_range(op_get(c->op));
}

static bool swap_two(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	struct program_lane *l = some_lane(m, p);
	unsigned int a, b;
	struct op_call c;

	if (!l || l->nops < 2)
		return false;
	a = below(m, l->nops);
	b = below(m, l->nops);
	c = l->op[a];
	l->op[a] = l->op[b];
	l->op[b] = c;
	*ret_op = c.op;
	return a != b;
}

/* An op is done on another lane as well, or there instead. */
static bool to_another_lane(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	struct program_lane *from = some_lane(m, p), *to = any_lane(m, p);
	struct op_timing none = {0};
	unsigned int at;
	struct op_call c;

	if (!from)
		return false;
	at = below(m, from->nops);
	c = from->op[at];
	if (once_in(m, 2))
		edit_take_out(p, from, at);
	*ret_op = c.op;
	return edit_insert(p, to, below(m, to->nops + 1U), &c, &none);
}

/* What an op takes away is given back. */
static bool give_back(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	struct program_lane *l = some_lane(m, p);
	struct op_timing none = {0};
	unsigned int at;
	struct op_call c;

	if (!l)
		return false;
	at = below(m, l->nops);
	if (!op_get(l->op[at].op)->undo || !op_get(l->op[at].op)->undo(&l->op[at], &c))
		return false;
	*ret_op = c.op;
	return edit_insert(p, l, at + 1 + below(m, l->nops - at), &c, &none);
}

static bool add_lane(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	struct program_lane *l;
	unsigned int from;

	if (p->nlanes >= (once_in(m, 8) ? PROGRAM_MAX_LANES : LANES_USUAL))
		return false;
	from = below(m, p->nlanes);
	l = &p->lane[p->nlanes++];
	/* Half of them do what another one does, at the same time. */
	if (once_in(m, 2)) {
		*l = p->lane[from];
		return true;
	}
	memset(l, 0, sizeof(*l));
	l->proc = p->lane[from].proc;
	for (unsigned int i = 1 + below(m, 3); i; i--) {
		struct op_timing none = {0};
		struct op_call c;

		if (draw_new(m, p, &c))
			edit_insert(p, l, l->nops, &c, &none);
	}
	return true;
}

static bool drop_lane(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	return edit_drop_lane(p, below(m, p->nlanes));
}

static bool change_lane(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	struct program_lane *l = any_lane(m, p);

	if (once_in(m, 4))
		l->proc = (uint8_t)below(m, 3);
	else
		l->offset_ns = once_in(m, 4) ? 0 : (uint32_t)rng_log(&m->rng, 100000);
	return true;
}

/* ---- when ops start ---- */

/* Ops of two lanes meet; mostly one aims at the other. */
static bool meet(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	uint8_t with[PROGRAM_MAX_LANES];
	unsigned int n = lanes_with_ops(p, with), a, b, i, k;
	struct op_timing t = {0};

	if (n < 2)
		return false;
	a = below(m, n);
	b = (a + 1 + below(m, n - 1)) % n;
	i = below(m, p->lane[with[a]].nops);
	k = below(m, p->lane[with[b]].nops);
	t.meet = (uint8_t)(1 + below(m, once_in(m, 4) ? PROGRAM_MAX_MEET : 2));
	program_set_timing(&p->lane[with[b]], k, &t);
	if (!once_in(m, 4)) {
		t.aim = once_in(m, 3) ? AIM_END : AIM_START;
		t.aim_lane = with[b];
		t.aim_op = (uint8_t)k;
		t.aim_phase = (int16_t)((int)below(m, 1300) - 200);
	}
	program_set_timing(&p->lane[with[a]], i, &t);
	*ret_op = p->lane[with[a]].op[i].op;
	return true;
}

static bool change_timing(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	struct program_lane *l = some_lane(m, p);
	struct op_timing t;
	unsigned int i;

	if (!l)
		return false;
	if (l->timed)
		do {
			i = below(m, l->nops);
		} while (!(l->timed >> i & 1));
	else
		i = below(m, l->nops);
	t = edit_timing(l, i);
	*ret_op = l->op[i].op;
	if (once_in(m, 4))
		t = (struct op_timing){0};
	else if (t.aim != AIM_NONE)
		t.aim_phase = (int16_t)((int)below(m, 1300) - 200);
	else
		t.delay_ns = (uint32_t)rng_log(&m->rng, 200000);
	program_set_timing(l, i, &t);
	return true;
}

/* ---- slots ---- */

static void draw_slot(struct mutator *m, struct slot_spec *s)
{
	uint32_t pmd = m->pmd_pages * m->page_size;

	s->backing = (uint8_t)below(m, BACKING_COUNT);
	s->huge = (uint8_t)(once_in(m, 3) ? below(m, SLOT_HUGE_COUNT) : SLOT_HUGE_ALWAYS);
	s->maps =
		backing_is_private(s->backing) ? 1 : (uint8_t)(1 + below(m, once_in(m, 4) ? 4 : 2));
	s->noreserve = once_in(m, 6);
	s->shift = backing_is_private(s->backing) || !once_in(m, 3) ? 0 : 1;
	s->huge_size = backing_is_hugetlb(s->backing) ? pmd : 0;
	s->size = (uint64_t)(1 + below(m, 4)) * pmd;
	s->align = pmd;
}

/* Slots cost new executors: seldom. */
static bool change_slot(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	struct slot_spec *s = &p->slot[below(m, p->nslots)];

	switch (below(m, 4)) {
	case 0:
		draw_slot(m, s);
		return true;
	case 1:
		s->huge = (uint8_t)below(m, SLOT_HUGE_COUNT);
		return true;
	case 2:
		if (backing_is_private(s->backing))
			return false;
		s->maps = (uint8_t)(1 + below(m, SLOT_MAX_VIEWS));
		return true;
	default:
		s->size = (1 + below(m, 4)) *
			  (s->huge_size ? s->huge_size : (uint64_t)m->pmd_pages * m->page_size);
		return true;
	}
}

static bool add_slot(struct mutator *m, struct program *p, unsigned int *ret_op)
{
	struct slot_spec *s = &p->slot[p->nslots];

	if (p->nslots >= 4)
		return false;
	memset(s, 0, sizeof(*s));
	draw_slot(m, s);
	for (unsigned int n = p->nslots;; n++) {
		bool taken = false;

		snprintf(s->name, sizeof(s->name), "s%u", n);
		for (unsigned int i = 0; i < p->nslots; i++)
			taken |= strcmp(p->slot[i].name, s->name) == 0;
		if (!taken)
			break;
	}
	p->nslots++;
	return true;
}

/* ---- out of another program ---- */

/* The slot of p that comes next to another program's: one of the same backing, else any. */
static uint32_t slot_like(struct mutator *m, const struct program *p, const struct slot_spec *s)
{
	uint32_t first = below(m, p->nslots);

	for (uint32_t i = 0; i < p->nslots; i++)
		if (p->slot[(first + i) % p->nslots].backing == s->backing)
			return (first + i) % p->nslots;
	return first;
}

static struct op_call translated(struct mutator *m, const struct program *p,
	const struct program *other, const struct op_call *from)
{
	const struct op *op = op_get(from->op);
	struct op_call c = *from;

	for (unsigned int i = 0; i < op_nargs(op); i++)
		if (op->args[i].kind == ARG_SLOT)
			c.arg[i] = slot_like(m, p, &other->slot[c.arg[i] % other->nslots]);
	return c;
}

static bool splice(
	struct mutator *m, struct program *p, const struct program *other, unsigned int *ret_op)
{
	const struct program_lane *from = &other->lane[below(m, other->nlanes)];
	struct program_lane *to;
	unsigned int at, where, n;

	if (!from->nops)
		return false;
	/* A whole lane with its timings, or a run of ops. */
	if (once_in(m, 2) && p->nlanes < LANES_USUAL) {
		to = &p->lane[p->nlanes++];
		*to = *from;
		for (unsigned int i = 0; i < to->nops; i++)
			to->op[i] = translated(m, p, other, &from->op[i]);
		return true;
	}
	to = any_lane(m, p);
	at = below(m, from->nops);
	where = below(m, to->nops + 1U);
	n = 1 + below(m, RUN_MAX);
	*ret_op = from->op[at].op;
	for (unsigned int i = 0; i < n && at + i < from->nops; i++) {
		struct op_call c = translated(m, p, other, &from->op[at + i]);
		struct op_timing none = {0};

		if (!edit_insert(p, to, where + i, &c, &none))
			return i > 0;
	}
	return true;
}

/* ---- all of it ---- */

static const struct change {
	const char *name;
	unsigned int weight;
	bool (*run)(struct mutator *m, struct program *p, unsigned int *ret_op);
} changes[] = {
	{"insert", 18, insert_new},
	{"remove", 10, remove_some},
	{"replace", 10, replace},
	{"arg", 22, change_argument},
	{"range", 10, take_range},
	{"swap", 4, swap_two},
	{"tolane", 8, to_another_lane},
	{"undo", 4, give_back},
	{"addlane", 3, add_lane},
	{"droplane", 3, drop_lane},
	{"lane", 3, change_lane},
	{"meet", 8, meet},
	{"timing", 6, change_timing},
	{"slot", 2, change_slot},
	{"addslot", 1, add_slot},
};
enum { CHANGES = sizeof(changes) / sizeof(changes[0]), SPLICE_ONCE_IN = 8 };

static void note(struct mutator *m, const char *name, unsigned int op)
{
	size_t used = strlen(m->did);

	snprintf(m->did + used, sizeof(m->did) - used, "%s%s%s%s", used ? "+" : "", name,
		op < OP_NUMBERS ? "." : "", op < OP_NUMBERS ? op_get(op)->name : "");
}

static void change_once(struct mutator *m, struct program *p, const struct program *other)
{
	unsigned int op = OP_NUMBERS, sum = 0, i = 0, at;

	if (other && once_in(m, SPLICE_ONCE_IN)) {
		if (splice(m, p, other, &op))
			note(m, "splice", op);
		return;
	}
	for (unsigned int k = 0; k < CHANGES; k++)
		sum += changes[k].weight;
	at = below(m, sum);
	while (at >= changes[i].weight)
		at -= changes[i++].weight;
	if (changes[i].run(m, p, &op))
		note(m, changes[i].name, op);
}

void mutate(struct mutator *m, struct program *p, const struct program *other)
{
	unsigned int n = 1 + (unsigned int)rng_log(&m->rng, STACK_MAX);

	m->did[0] = '\0';
	for (unsigned int i = 0; i < n || (!m->did[0] && i < PATIENCE); i++)
		change_once(m, p, other);
}

size_t mutate_bytes(struct mutator *m, const unsigned char *data, size_t len,
	const unsigned char *other, size_t other_len, unsigned char *out, size_t max)
{
	struct program p;
	ssize_t n = 0;

	if (other_len)
		program_decode(&m->other, other, other_len);
	for (unsigned int i = 0; i < TRIES; i++) {
		program_decode(&p, data, len);
		mutate(m, &p, other_len ? &m->other : NULL);
		n = program_encode(&p, out, max);
		if (n > 0 && ((size_t)n != len || memcmp(out, data, len) != 0))
			return (size_t)n;
	}
	/* It is as good as impossible to come here: the offset of a lane changes, always in another way. */
	program_decode(&p, data, len);
	p.lane[0].offset_ns = (p.lane[0].offset_ns + 1) % (PROGRAM_MAX_OFFSET_NS + 1);
	snprintf(m->did, sizeof(m->did), "lane");
	n = program_encode(&p, out, max);
	return n > 0 ? (size_t)n : 0;
}
