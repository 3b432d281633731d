/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drawing of arguments: ranges in the shapes at which huge-page code has its borders. */
#include "op/op.h"

#include <errno.h>
#include <string.h>

#include "backings.h"

/* A drawn range, in base pages; within the slot, pages >= 1. */
struct range {
	uint32_t page, pages;
};

/* What the shapes are made of, in base pages. */
struct geometry {
	uint32_t total; /* of the slot */
	uint32_t huge; /* one huge page: the hugetlb page, else the PMD */
	uint32_t pud; /* what one PUD entry spans */
	bool whole_pages; /* ranges of whole huge pages only */
};

enum shape {
	SHAPE_HUGE, /* one huge page */
	SHAPE_PAGE, /* one base page */
	SHAPE_HUGE_PLUS, /* a huge page and one page more */
	SHAPE_HUGE_MINUS, /* a huge page without its first or last page */
	SHAPE_HALF, /* the first or second half of a huge page */
	SHAPE_STRADDLE, /* the second half of one and the first half of the next */
	SHAPE_WHOLE, /* the whole slot */
	SHAPE_PUD, /* one PUD entry */
	SHAPE_HUGES, /* several huge pages */
	SHAPE_ANY, /* anything */
	SHAPE_COUNT
};

/* One huge page is what most bugs need; the rest share the remainder. */
static const uint8_t shape_weight[SHAPE_COUNT] = {
	[SHAPE_HUGE] = 10,
	[SHAPE_PAGE] = 5,
	[SHAPE_HUGE_PLUS] = 2,
	[SHAPE_HUGE_MINUS] = 2,
	[SHAPE_HALF] = 3,
	[SHAPE_STRADDLE] = 3,
	[SHAPE_WHOLE] = 4,
	[SHAPE_PUD] = 2,
	[SHAPE_HUGES] = 6,
	[SHAPE_ANY] = 3,
};

static enum shape draw_shape(struct rng *r)
{
	uint32_t sum = 0, pick;

	for (int i = 0; i < SHAPE_COUNT; i++)
		sum += shape_weight[i];
	pick = (uint32_t)rng_below(r, sum);
	for (int i = 0; i < SHAPE_COUNT; i++) {
		if (pick < shape_weight[i])
			return i;
		pick -= shape_weight[i];
	}
	return SHAPE_ANY;
}

/* First page of a random unit of the slot; 0 if it has none whole. */
static uint32_t draw_unit(uint32_t total, uint32_t unit, struct rng *r)
{
	return total > unit ? (uint32_t)rng_below(r, total / unit) * unit : 0;
}

static struct range clip(struct range g, uint32_t total)
{
	if (g.page >= total)
		g.page = total - 1;
	if (g.pages == 0)
		g.pages = 1;
	if (g.pages > total - g.page)
		g.pages = total - g.page;
	return g;
}

/* A power-of-two-ish number of whole huge pages. */
static struct range draw_huges(const struct geometry *g, struct rng *r)
{
	struct range a = {draw_unit(g->total, g->huge, r), g->huge};

	a.pages *= 1 + (uint32_t)rng_log(r, (g->total - a.page) / g->huge);
	return a;
}

static struct range draw_straddle(const struct geometry *g, struct rng *r)
{
	struct range a = {draw_unit(g->total, g->huge, r), g->huge};

	if (g->whole_pages)
		a.pages = 2 * g->huge;
	else
		a.page += g->huge / 2;
	if (a.page + a.pages > g->total && a.page >= g->huge)
		a.page -= g->huge;
	return a;
}

/* Shapes whose borders lie inside huge pages. */
static struct range draw_part(const struct geometry *g, enum shape shape, struct rng *r)
{
	struct range a = {draw_unit(g->total, g->huge, r), g->huge};
	uint32_t side = (uint32_t)rng_below(r, 2);

	switch (shape) {
	case SHAPE_PAGE:
		return (struct range){(uint32_t)rng_below(r, g->total), 1};
	case SHAPE_HUGE_PLUS:
		a.page -= side && a.page ? 1 : 0;
		a.pages++;
		return a;
	case SHAPE_HUGE_MINUS:
		a.page += side;
		a.pages--;
		return a;
	case SHAPE_HALF:
		a.pages /= 2;
		a.page += side * a.pages;
		return a;
	default:
		a.page = (uint32_t)rng_below(r, g->total);
		a.pages = 1 + (uint32_t)rng_log(r, g->total - a.page - 1);
		return a;
	}
}

static struct range draw_range(const struct geometry *g, struct rng *r)
{
	enum shape shape = draw_shape(r);
	struct range a;

	switch (shape) {
	case SHAPE_HUGE:
		a = (struct range){draw_unit(g->total, g->huge, r), g->huge};
		break;
	case SHAPE_STRADDLE:
		a = draw_straddle(g, r);
		break;
	case SHAPE_WHOLE:
		a = (struct range){0, g->total};
		break;
	case SHAPE_PUD:
		a = (struct range){draw_unit(g->total, g->pud, r), g->pud};
		break;
	case SHAPE_HUGES:
		a = draw_huges(g, r);
		break;
	default:
		a = g->whole_pages ? draw_huges(g, r) : draw_part(g, shape, r);
	}
	return clip(a, g->total);
}

static struct geometry geometry_of(
	const struct slot_spec *s, const struct op_draw *d, struct rng *r)
{
	struct geometry g = {.huge = d->pmd_pages ? d->pmd_pages : 1};

	g.total = (uint32_t)(s->size / d->page_size);
	g.total = g.total ? g.total : 1;
	g.pud = d->page_size / 8 * g.huge; /* a table of 8-byte entries fills a page */
	if (backing_is_hugetlb(s->backing)) {
		g.huge = (uint32_t)(s->huge_size / d->page_size);
		g.huge = g.huge ? g.huge : 1;
		g.whole_pages = rng_below(r, 8) != 0;
	}
	return g;
}

/* A drawable slot that suits the op; -ENOENT if there is none. */
static int draw_slot(const struct op *op, const struct op_draw *d, struct rng *r)
{
	uint8_t fit[SLOT_MAX];
	unsigned int n = 0;

	for (unsigned int i = 0; i < d->nslots && i < SLOT_MAX; i++)
		if ((d->slots & (1U << i)) && (op->backings & BACKING_BIT(d->slot[i].backing)))
			fit[n++] = (uint8_t)i;
	return n ? fit[rng_below(r, n)] : -ENOENT;
}

static uint32_t draw_value(const struct arg_desc *a, const struct op_draw *d, struct rng *r)
{
	switch (a->kind) {
	case ARG_NODE:
		return (uint32_t)rng_below(r, d->nnodes);
	case ARG_PROC:
		return (uint32_t)rng_below(r, d->nprocs);
	case ARG_ENUM:
	case ARG_FLAGS:
		return arg_fold(a, (uint32_t)(rng_next(r) >> 32));
	case ARG_INT:
	case ARG_NS:
		return (uint32_t)rng_log(r, a->max);
	default:
		return 0;
	}
}

/* Index of the op's first argument of a kind, or -1. */
static int find_kind(const struct op *op, enum arg_kind kind)
{
	for (unsigned int i = 0; i < op_nargs(op); i++)
		if (op->args[i].kind == kind)
			return (int)i;
	return -1;
}

static void draw_place(const struct op *op, const struct op_draw *d, const struct slot_spec *s,
	struct op_call *c, struct rng *r)
{
	int view = find_kind(op, ARG_VIEW), off = find_kind(op, ARG_OFF),
	    len = find_kind(op, ARG_LEN);
	struct geometry g = geometry_of(s, d, r);
	struct range a = draw_range(&g, r);
	uint32_t v = (uint32_t)rng_below(r, s->maps);

	if (view >= 0)
		c->arg[view] = v;
	if (off >= 0)
		c->arg[off] = a.page;
	if (len >= 0)
		c->arg[len] = a.pages;
}

int op_draw_args(const struct op *op, const struct op_draw *d, uint32_t fixed, struct op_call *c,
	struct rng *r)
{
	int slot = find_kind(op, ARG_SLOT);
	struct op_call given = *c;

	if (slot >= 0) {
		int n = draw_slot(op, d, r);

		if (d->nslots == 0 || (n < 0 && !(fixed & (1U << slot))))
			return -ENOENT;
		if (!(fixed & (1U << slot)))
			c->arg[slot] = (uint32_t)n;
		draw_place(op, d, &d->slot[c->arg[slot] % d->nslots], c, r);
	}
	for (unsigned int i = 0; i < op_nargs(op); i++)
		if (op->args[i].kind >= ARG_NODE)
			c->arg[i] = draw_value(&op->args[i], d, r);
	if (op->tune)
		op->tune(c, r);
	for (unsigned int i = 0; i < op_nargs(op); i++)
		if (fixed & (1U << i))
			c->arg[i] = given.arg[i];
	for (unsigned int i = op_nargs(op); i < OP_MAX_ARGS; i++)
		c->arg[i] = 0;
	return 0;
}
