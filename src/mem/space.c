/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mem/space.h"

#include <string.h>

#include "base/cleanup.h"

#define add_relaxed(p) atomic_fetch_add_explicit(p, 1, memory_order_acq_rel)

void *space_alloc(struct space_mem *mem, size_t bytes)
{
	void *p = mem->base ? mem->base + mem->used : NULL;

	mem->used += (bytes + 63) & ~(size_t)63;
	return p;
}

static void track_init(struct track *t, const struct space *sp, struct space_mem *mem)
{
	t->chunk = space_alloc(mem, sp->nchunks * sizeof(*t->chunk));
	t->cell = space_alloc(mem, sp->ncells * sizeof(*t->cell));
	t->ok = space_alloc(mem, sp->ncells * sizeof(*t->ok));
	t->sure = space_alloc(mem, sp->ncells * sizeof(*t->sure));
}

void space_init(struct space *sp, const struct slot *s, unsigned int nprocs, unsigned int nlanes,
	const uint8_t *lane_proc, struct space_mem *mem)
{
	unsigned int ncontents;

	memset(sp, 0, sizeof(*sp));
	while ((s->pages >> sp->grain_shift) > SPACE_MAX_CELLS &&
		(1u << sp->grain_shift) < s->pmd_pages)
		sp->grain_shift++;
	sp->cells_per_chunk = s->pmd_pages >> sp->grain_shift; /* a power of two, as pmd_pages is */
	sp->chunk_shift = (uint32_t)__builtin_ctz(sp->cells_per_chunk);
	sp->granule = s->granule;
	sp->ncells = s->pages >> sp->grain_shift;
	sp->nchunks = (sp->ncells + sp->cells_per_chunk - 1) >> sp->chunk_shift;
	sp->private = backing_is_private(s->spec.backing);
	sp->nprocs = nprocs;
	sp->nviews = s->nviews;
	sp->nlanes = nlanes;
	sp->dirty = space_alloc(mem, sp->nchunks * sizeof(*sp->dirty));
	ncontents = sp->private ? nprocs : 1;
	for (unsigned int p = 0; p < ncontents; p++) {
		struct content *c = &sp->content[p];

		track_init(&c->zero, sp, mem);
		track_init(&c->bus, sp, mem);
		if (s->spec.backing == BACKING_ANON)
			track_init(&c->wipe, sp, mem);
		c->stale = space_alloc(mem, sp->nchunks * sizeof(*c->stale));
		for (unsigned int l = 0; l < nlanes; l++)
			if (!sp->private || lane_proc[l] == p)
				c->shadow[l] = space_alloc(mem, sp->ncells * sizeof(*c->shadow[l]));
	}
	for (unsigned int p = 0; p < nprocs; p++) {
		for (unsigned int v = 0; v < s->nviews; v++) {
			track_init(&sp->view[p][v].hole, sp, mem);
			track_init(&sp->view[p][v].ro, sp, mem);
			track_init(&sp->view[p][v].wp, sp, mem);
			if (!backing_is_hugetlb(s->spec.backing))
				track_init(&sp->view[p][v].guard, sp, mem);
		}
	}
	if (mem->base)
		for (uint32_t i = 0; i < sp->nchunks; i++)
			atomic_store_explicit(&sp->dirty[i], 1, memory_order_relaxed);
}

static void track_reset(struct track *t, uint32_t chunk, uint32_t first, uint32_t n)
{
	if (!track_there(t))
		return;
	memset(&t->chunk[chunk], 0, sizeof(*t->chunk));
	memset(&t->cell[first], 0, n * sizeof(*t->cell));
	memset((void *)&t->ok[first], 0, n * sizeof(*t->ok));
	memset((void *)&t->sure[first], 0, n * sizeof(*t->sure));
}

static void content_reset(struct content *c, uint32_t chunk, uint32_t first, uint32_t n)
{
	track_reset(&c->zero, chunk, first, n);
	track_reset(&c->bus, chunk, first, n);
	track_reset(&c->wipe, chunk, first, n);
	atomic_store_explicit(&c->stale[chunk], 0, memory_order_relaxed);
	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++) {
		struct cell_shadow *s = c->shadow[l];

		for (uint32_t i = first; s && i < first + n; i++) {
			uint32_t gen = atomic_load_explicit(&s[i].gen, memory_order_relaxed);

			atomic_store_explicit(&s[i].gen, gen | CELL_GEN_ZERO, memory_order_relaxed);
			atomic_store_explicit(&s[i].ze, 0, memory_order_relaxed);
		}
	}
}

static void begun_ended_reset(struct begun_ended *c)
{
	/* A lane that died in an op has left them unequal. */
	atomic_store_explicit(&c->b, 0, memory_order_relaxed);
	atomic_store_explicit(&c->e, 0, memory_order_relaxed);
}

void space_reset(struct space *sp)
{
	for (uint32_t chunk = 0; chunk < sp->nchunks; chunk++) {
		uint32_t first = chunk * sp->cells_per_chunk;
		uint32_t n = sp->ncells - first < sp->cells_per_chunk ? sp->ncells - first
								      : sp->cells_per_chunk;

		if (!atomic_exchange_explicit(&sp->dirty[chunk], 0, memory_order_relaxed))
			continue;
		for (unsigned int p = 0; p < (sp->private ? sp->nprocs : 1); p++)
			content_reset(&sp->content[p], chunk, first, n);
		for (unsigned int p = 0; p < sp->nprocs; p++) {
			for (unsigned int v = 0; v < sp->nviews; v++) {
				track_reset(&sp->view[p][v].hole, chunk, first, n);
				track_reset(&sp->view[p][v].ro, chunk, first, n);
				track_reset(&sp->view[p][v].wp, chunk, first, n);
				track_reset(&sp->view[p][v].guard, chunk, first, n);
			}
		}
	}
	begun_ended_reset(&sp->moves);
	for (unsigned int p = 0; p < (sp->private ? sp->nprocs : 1); p++) {
		begun_ended_reset(&sp->content[p].bus.restore);
		begun_ended_reset(&sp->content[p].wipe.restore);
	}
	for (unsigned int p = 0; p < sp->nprocs; p++) {
		for (unsigned int v = 0; v < sp->nviews; v++) {
			begun_ended_reset(&sp->view[p][v].hole.restore);
			begun_ended_reset(&sp->view[p][v].ro.restore);
			begun_ended_reset(&sp->view[p][v].guard.restore);
			atomic_store_explicit(&sp->view[p][v].split, 0, memory_order_relaxed);
		}
	}
}

/* ---- ranges of cells ---- */

struct range {
	uint32_t first, last; /* cells, last excluded */
};

static uint32_t down(uint32_t v, uint32_t unit)
{
	return v / unit * unit;
}

static uint32_t up(uint32_t v, uint32_t unit)
{
	return (v + unit - 1) / unit * unit;
}

static struct range clamp(const struct space *sp, uint32_t first, uint32_t last)
{
	return (struct range){first, last > sp->ncells ? sp->ncells : last};
}

/* All that the effect may reach: hugetlb calls round to whole huge pages, some up (mmap, mremap), some down. */
static struct range range_outer(const struct space *sp, const struct effect *e)
{
	uint32_t first = down(e->page, sp->granule), last = up(e->page + e->pages, sp->granule);
	uint32_t grain = 1u << sp->grain_shift;

	return clamp(sp, first >> sp->grain_shift, (last + grain - 1) >> sp->grain_shift);
}

/* Cells whose page the effect surely reaches. */
static struct range range_inner(const struct space *sp, const struct effect *e)
{
	uint32_t first = up(e->page, sp->granule), last = down(e->page + e->pages, sp->granule);
	uint32_t grain = 1u << sp->grain_shift;

	if (first >= last)
		return (struct range){0, 0};
	return clamp(
		sp, (first + grain - 1) >> sp->grain_shift, (last + grain - 1) >> sp->grain_shift);
}

static bool whole_chunk(const struct space *sp, uint32_t lo, uint32_t hi)
{
	return hi - lo == sp->cells_per_chunk;
}

static void track_begin(struct space *sp, struct track *t, struct range r)
{
	for (uint32_t lo = r.first, hi; lo < r.last; lo = hi) {
		uint32_t chunk = lo >> sp->chunk_shift;

		hi = (chunk + 1) * sp->cells_per_chunk;
		if (hi > r.last)
			hi = r.last;
		space_mark_dirty(sp, chunk);
		add_relaxed(&t->chunk[chunk].any.b);
		if (whole_chunk(sp, lo, hi)) {
			add_relaxed(&t->chunk[chunk].whole.b);
			continue;
		}
		for (uint32_t i = lo; i < hi; i++)
			add_relaxed(&t->cell[i].b);
	}
}

static void track_end(struct space *sp, struct track *t, struct range r)
{
	for (uint32_t lo = r.first, hi; lo < r.last; lo = hi) {
		uint32_t chunk = lo >> sp->chunk_shift;

		hi = (chunk + 1) * sp->cells_per_chunk;
		if (hi > r.last)
			hi = r.last;
		if (whole_chunk(sp, lo, hi))
			add_relaxed(&t->chunk[chunk].whole.e);
		else
			for (uint32_t i = lo; i < hi; i++)
				add_relaxed(&t->cell[i].e);
		add_relaxed(&t->chunk[chunk].any.e);
	}
}

/* Sums of the ops begun and ended on the range's chunks: unchanged sums mean that no other op came or went. */
static void track_sums(
	const struct space *sp, const struct track *t, struct range r, uint32_t *b, uint32_t *e)
{
	*b = *e = 0;
	if (r.first >= r.last || !track_there(t))
		return;
	for (uint32_t c = r.first >> sp->chunk_shift; c <= (r.last - 1) >> sp->chunk_shift; c++) {
		*b += atomic_load_explicit(&t->chunk[c].any.b, memory_order_acquire);
		*e += atomic_load_explicit(&t->chunk[c].any.e, memory_order_acquire);
	}
}

static uint32_t chunks_of(const struct space *sp, struct range r)
{
	return r.first >= r.last
		       ? 0
		       : ((r.last - 1) >> sp->chunk_shift) - (r.first >> sp->chunk_shift) + 1;
}

uint32_t space_chunks(const struct space *sp, uint32_t page, uint32_t pages)
{
	struct effect e = {.page = page, .pages = pages};

	return chunks_of(sp, range_outer(sp, &e));
}

/* ---- effects ---- */

enum { TRACK_ZERO, TRACK_BUS, TRACK_HOLE, TRACK_RO, TRACK_WP, TRACK_GUARD, TRACK_WIPE };

/* What each kind of effect means to each track. */
static const struct {
	uint32_t lose, sure, restore, unsure; /* unsure: ends all certainties, as restore does */
} track_kinds[EFFECT_TRACKS] = {
	[TRACK_ZERO] = {EFFECT_ZERO | EFFECT_ZEROED | EFFECT_STALE, 0, 0, 0},
	[TRACK_BUS] = {EFFECT_BUS | EFFECT_BUS_SURE, EFFECT_BUS_SURE, EFFECT_SIZED,
		EFFECT_SIZED | EFFECT_RESIZED},
	[TRACK_HOLE] = {EFFECT_HOLE | EFFECT_HOLE_SURE, EFFECT_HOLE_SURE,
		EFFECT_MAPPED | EFFECT_READABLE, EFFECT_MAPPED | EFFECT_READABLE},
	[TRACK_RO] = {EFFECT_RO | EFFECT_RO_SURE, EFFECT_RO_SURE, EFFECT_MAPPED, EFFECT_MAPPED},
	[TRACK_WP] = {EFFECT_WP_LIFT | EFFECT_MAPPED | EFFECT_GUARD, 0, 0, 0},
	[TRACK_GUARD] = {EFFECT_GUARD | EFFECT_GUARD_SURE, EFFECT_GUARD_SURE, EFFECT_UNGUARDED,
		EFFECT_UNGUARDED},
	[TRACK_WIPE] = {EFFECT_WIPE | EFFECT_WIPE_SURE, EFFECT_WIPE_SURE, EFFECT_KEPT, EFFECT_KEPT},
};

static struct track *track_of(
	struct space *sp, unsigned int proc, const struct effect *e, unsigned int kind)
{
	switch (kind) {
	case TRACK_ZERO:
		return &space_content(sp, proc)->zero;
	case TRACK_BUS:
		return &space_content(sp, proc)->bus;
	case TRACK_HOLE:
		return &sp->view[proc][e->view].hole;
	case TRACK_GUARD:
		return &sp->view[proc][e->view].guard;
	case TRACK_WIPE:
		return &space_content(sp, proc)->wipe;
	case TRACK_RO:
		return &sp->view[proc][e->view].ro;
	default:
		return &sp->view[proc][e->view].wp;
	}
}

/* ---- write protection by userfaultfd ---- */

/* The sums of all tracks that may take it away. */
static void wp_sums(struct space *sp, unsigned int proc, const struct effect *e, struct range r,
	uint32_t *b, uint32_t *ended)
{
	static const unsigned int kinds[] = {TRACK_WP, TRACK_HOLE, TRACK_ZERO, TRACK_BUS};

	*b = *ended = 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		uint32_t tb, te;

		track_sums(sp, track_of(sp, proc, e, kinds[i]), r, &tb, &te);
		*b += tb;
		*ended += te;
	}
}

/*
 * Nothing that may lift it was under way since the call began: then what is protected is known by its token. As in restore_chunk(), who
 * begins raises the chunk's any.b before its other counts, so a token read before the sums were seen unchanged has nothing of it.
 */
static void wp_set(struct space *sp, unsigned int proc, const struct effect *e,
	const struct effect_state *st, struct range inner)
{
	const struct content *c = space_content(sp, proc);
	struct view_state *v = &sp->view[proc][e->view];
	uint32_t b, ended;

	wp_sums(sp, proc, e, range_outer(sp, e), &b, &ended);
	if (b != st->any_b || ended != st->any_e || b != ended)
		return;
	for (uint32_t lo = inner.first, hi; lo < inner.last; lo = hi) {
		struct range chunk;
		uint32_t before;

		hi = (lo | (sp->cells_per_chunk - 1)) + 1;
		hi = hi < inner.last ? hi : inner.last;
		chunk = (struct range){lo, hi};
		space_mark_dirty(sp, lo >> sp->chunk_shift);
		wp_sums(sp, proc, e, chunk, &before, &ended);
		wp_sums(sp, proc, e, range_outer(sp, e), &b, &ended);
		if (b != st->any_b)
			return;
		for (uint32_t i = lo; i < hi; i++) {
			uint32_t token = wp_token(sp, c, v, i);

			wp_sums(sp, proc, e, chunk, &b, &ended);
			if (b != before)
				return;
			atomic_store_explicit(&v->wp.ok[i], token, memory_order_release);
		}
	}
}

static void begin_one(
	struct space *sp, unsigned int proc, const struct effect *e, struct effect_state *st)
{
	struct range range = range_outer(sp, e);
	struct content *c = space_content(sp, proc);

	if (e->kinds & EFFECT_STALE)
		for (uint32_t k = 0; k < chunks_of(sp, range); k++)
			atomic_store_explicit(&c->stale[(range.first >> sp->chunk_shift) + k], 1,
				memory_order_release);
	if (e->kinds & EFFECT_VMA_SPLIT)
		atomic_fetch_add_explicit(&sp->view[proc][e->view].split, 1, memory_order_relaxed);
	for (unsigned int k = 0; k < EFFECT_TRACKS; k++) {
		struct track *t = track_of(sp, proc, e, k);

		if (!(e->kinds & (track_kinds[k].lose | track_kinds[k].unsure)) || !track_there(t))
			continue;
		st[k].restore_b = atomic_load_explicit(&t->restore.b, memory_order_acquire);
		st[k].restore_busy = st[k].restore_b !=
				     atomic_load_explicit(&t->restore.e, memory_order_acquire);
		if (e->kinds & track_kinds[k].lose)
			track_begin(sp, t, range);
		if (e->kinds & track_kinds[k].unsure)
			add_relaxed(&t->restore.b);
		track_sums(sp, t, range, &st[k].any_b, &st[k].any_e);
	}
	if (e->kinds & EFFECT_WP)
		wp_sums(sp, proc, e, range, &st[TRACK_WP].any_b, &st[TRACK_WP].any_e);
}

void effects_begin(struct space *sp, unsigned int nslots, unsigned int proc, struct effect_run *r)
{
	for (unsigned int i = 0; i < r->n; i++)
		if (r->eff[i].slot < nslots)
			begin_one(&sp[r->eff[i].slot], proc, &r->eff[i], r->state[i]);
}

/* True if no other op on the track's chunks overlapped this one; own: this op counts itself there. */
static bool alone(const struct space *sp, const struct track *t, struct range range,
	const struct effect_state *st, bool own)
{
	uint32_t mine = own ? chunks_of(sp, range) : 0, b, e;

	track_sums(sp, t, range, &b, &e);
	return b == st->any_b && e == st->any_e + mine && b == e;
}

static uint32_t any_begun(const struct space *sp, const struct track *t, uint32_t cell)
{
	return atomic_load_explicit(&t->chunk[cell >> sp->chunk_shift].any.b, memory_order_acquire);
}

/* What a call has repaired or zeroed for certain, cell by cell. */
struct settle {
	struct space *sp;
	struct track *t;
	struct range outer, inner;
	const struct effect_state *st;
	bool own;
};

/*
 * Is the cell's chunk still as it was when no other op was near? Whoever begins raises any.b before its other counts: what was
 * read of those before any.b was seen unchanged holds nothing of it. *any: the chunk's any.b, taken at its first cell.
 */
static bool settle_first(const struct settle *s, uint32_t cell, uint32_t *any)
{
	if (cell != s->inner.first && (cell & (s->sp->cells_per_chunk - 1)))
		return true;
	*any = any_begun(s->sp, s->t, cell);
	return alone(s->sp, s->t, s->outer, s->st, s->own);
}

/* False: another op came near. */
static bool restore_chunk(const struct settle *s, uint32_t lo, uint32_t hi)
{
	struct track_chunk *chunk = &s->t->chunk[lo >> s->sp->chunk_shift];
	uint32_t any = any_begun(s->sp, s->t, lo);

	/* pairs with the store below: nothing was taken away since all of it was repaired */
	if (atomic_load_explicit(&chunk->settled, memory_order_acquire) == any)
		return true;
	if (!alone(s->sp, s->t, s->outer, s->st, s->own))
		return false;
	for (uint32_t i = lo; i < hi; i++) {
		uint32_t begun = track_begun(s->sp, s->t, i);

		if (any_begun(s->sp, s->t, i) != any)
			return false;
		atomic_store_explicit(&s->t->ok[i], begun, memory_order_release);
	}
	if (whole_chunk(s->sp, lo, hi))
		atomic_store_explicit(&chunk->settled, any, memory_order_release);
	return true;
}

static void restore(const struct settle *s)
{
	for (uint32_t lo = s->inner.first, hi; lo < s->inner.last; lo = hi) {
		hi = (lo | (s->sp->cells_per_chunk - 1)) + 1;
		if (hi > s->inner.last)
			hi = s->inner.last;
		if (!restore_chunk(s, lo, hi))
			return;
	}
}

/* The lane's own cells are expected to be zero from now on. */
static void zeroed(const struct settle *s, struct cell_shadow *shadow)
{
	uint32_t any = 0;

	for (uint32_t i = s->inner.first; i < s->inner.last && settle_first(s, i, &any); i++) {
		uint32_t gen = atomic_load_explicit(&shadow[i].gen, memory_order_relaxed);
		uint32_t ended = track_ended(s->sp, s->t, i);

		if (any_begun(s->sp, s->t, i) != any)
			return;
		/* In this order: a peer that sees the new `ze` must know that a zero is expected (check_peer()). */
		atomic_store_explicit(&shadow[i].gen, gen | CELL_GEN_ZERO, memory_order_release);
		atomic_store_explicit(&shadow[i].ze, ended, memory_order_release);
	}
}

/* The loss is certain if no restoring op but this one itself was about. */
static void make_sure(
	struct track *t, const struct effect_state *st, uint32_t own, struct range range)
{
	uint32_t b = atomic_load_explicit(&t->restore.b, memory_order_acquire);

	if (st->restore_busy || b != st->restore_b + own)
		return;
	for (uint32_t i = range.first; i < range.last; i++)
		atomic_store_explicit(&t->sure[i], b + 1, memory_order_release);
}

static void end_one(struct space *sp, unsigned int proc, unsigned int lane, const struct effect *e,
	struct effect_state *st, bool success)
{
	struct range outer = range_outer(sp, e), inner = range_inner(sp, e);

	for (unsigned int k = 0; k < EFFECT_TRACKS; k++) {
		struct track *t = track_of(sp, proc, e, k);
		bool loses = e->kinds & track_kinds[k].lose,
		     unsure = e->kinds & track_kinds[k].unsure;
		struct settle s;

		if (!track_there(t))
			continue;
		if (success && e->kinds & track_kinds[k].sure)
			make_sure(t, &st[k], unsure, inner);
		if (loses)
			track_end(sp, t, outer);
		s = (struct settle){sp, t, outer, inner, &st[k], loses};
		if (k == TRACK_ZERO && success && e->kinds & EFFECT_ZEROED &&
			space_content(sp, proc)->shadow[lane])
			zeroed(&s, space_content(sp, proc)->shadow[lane]);
		if (success && e->kinds & track_kinds[k].restore)
			restore(&s);
		if (unsure)
			add_relaxed(&t->restore.e);
	}
	if (success && e->kinds & EFFECT_WP)
		wp_set(sp, proc, e, &st[TRACK_WP], inner);
}

void effects_end(struct space *sp, unsigned int nslots, unsigned int proc, unsigned int lane,
	struct effect_run *r, bool success)
{
	for (unsigned int i = 0; i < r->n; i++)
		if (r->eff[i].slot < nslots)
			end_one(&sp[r->eff[i].slot], proc, lane, &r->eff[i], r->state[i], success);
}

struct space_facts space_facts(
	struct space *sp, unsigned int proc, unsigned int view, uint32_t page, uint32_t pages)
{
	struct effect e = {.view = (uint8_t)view, .page = page, .pages = pages};
	struct view_state *v = &sp->view[proc][view];
	struct content *c = space_content(sp, proc);
	struct range r = range_outer(sp, &e);
	struct space_facts f = {
		.split = atomic_load_explicit(&v->split, memory_order_relaxed) != 0};

	for (uint32_t i = r.first; i < r.last && !(f.hole && f.truncated); i++) {
		f.hole |= !track_ok(sp, &v->hole, i) || !track_ok(sp, &v->ro, i) ||
			  !track_ok(sp, &v->guard, i);
		f.truncated |= !track_ok(sp, &c->bus, i);
	}
	return f;
}

void space_sums(const struct space *sp, const struct track *t, uint32_t page, uint32_t pages,
	uint32_t *ret_begun, uint32_t *ret_ended)
{
	struct effect e = {.page = page, .pages = pages};

	track_sums(sp, t, range_outer(sp, &e), ret_begun, ret_ended);
}

bool space_whole(struct space *sp, unsigned int proc, unsigned int view, uint32_t page,
	uint32_t pages, uint32_t *ret_seq)
{
	struct effect e = {.view = (uint8_t)view, .page = page, .pages = pages};
	const struct view_state *v = &sp->view[proc][view];
	const struct track *const tracks[] = {
		&v->hole, &v->ro, &v->guard, &space_content(sp, proc)->wipe};
	struct range r = range_outer(sp, &e);
	uint32_t begun, ended;
	bool quiet = true;

	*ret_seq = 0;
	for (unsigned int k = 0; k < ARRAY_SIZE(tracks); k++) {
		track_sums(sp, tracks[k], r, &begun, &ended);
		*ret_seq += begun;
		quiet &= begun == ended;
	}
	for (uint32_t i = r.first; i < r.last && quiet; i++)
		for (unsigned int k = 0; k < ARRAY_SIZE(tracks); k++)
			quiet &= track_ok(sp, tracks[k], i);
	return quiet;
}
