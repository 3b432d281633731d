/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of what concurrency makes legal: for every cell (the first page of each grain of a slot) how often an op that
 * may zero it, unmap it or cut it off has begun and ended. Lives in memory shared by the crew; all counters are
 * monotone within an epoch, lanes of all executors add to them, nobody locks.
 *
 * The rule behind every judgement: an op explains what was seen if it had not ended before the last good observation
 * began, and had begun before the present one ended.
 */
#ifndef SUNDER_MEM_SPACE_H
#define SUNDER_MEM_SPACE_H

#include <stdatomic.h>

#include "mem/effect.h"
#include "mem/slot.h"

enum { SPACE_MAX_LANES = 8, SPACE_MAX_PROCS = 8 };

struct begun_ended {
	_Atomic uint32_t b, e;
};

struct track_chunk { /* one PMD's worth of cells */
	struct begun_ended whole; /* ops that cover all of the chunk */
	struct begun_ended any; /* ops that cover any of it */
	_Atomic uint32_t settled; /* any.b when all of it was repaired: while equal, it still is */
};

/* One kind of legality over the cells of a slot or of a view; all NULL where it cannot come about. Whoever is first to begin on a chunk sets its dirty flag. */
struct track {
	struct track_chunk *chunk; /* [nchunks] */
	/* [ncells] ops that cover part of the chunk, this cell among it */
	struct begun_ended *cell;
	/* [ncells] the begun count up to which a restoring op is known to have repaired it */
	_Atomic uint32_t *ok;
	/* [ncells] restore.b + 1 when the loss was certain, else 0 */
	_Atomic uint32_t *sure;
	struct begun_ended restore; /* restoring ops on any of the track */
};

#define CELL_GEN_ZERO 0x80000000u /* in cell_shadow.gen: the cell is expected to be zero */

struct cell_shadow { /* what a lane expects in its own cell; written by that lane alone */
	_Atomic uint32_t gen; /* last generation stamped, and CELL_GEN_ZERO */
	_Atomic uint32_t ze; /* zeroing ops that had ended before that stamp began */
};

/* The pages of an object; of one executor's private memory for private backings. */
struct content {
	struct track zero, bus;
	struct track wipe; /* private anonymous memory only */
	_Atomic uint32_t *stale; /* [nchunks] an EFFECT_STALE op ran in this epoch */
	/* [ncells] each; NULL for lanes of other executors (private backings) */
	struct cell_shadow *shadow[SPACE_MAX_LANES];
};

/* One view in one executor. */
struct view_state {
	struct track hole, ro;
	struct track wp; /* lifts; ok: wp_token() when it was protected, 0: was not */

	struct track guard; /* not on hugetlb */
	_Atomic uint32_t split; /* ops that may have split VMAs, this epoch */
};

struct space { /* of one slot */
	uint32_t ncells, nchunks, cells_per_chunk, chunk_shift, grain_shift;
	uint32_t granule; /* base pages of a huge page on hugetlb, else 1 */
	bool private;
	unsigned int nprocs, nviews, nlanes;
	struct content content[SPACE_MAX_PROCS]; /* [0] alone for shared backings */
	struct view_state view[SPACE_MAX_PROCS][SLOT_MAX_VIEWS];
	struct begun_ended moves; /* ops that may put pages of the slot elsewhere (op.stays) */
	_Atomic uint32_t *dirty; /* [nchunks] touched in this epoch: to be reset at the next */
};

/* A bump allocator over zeroed shared memory; base NULL only counts. */
struct space_mem {
	char *base;
	size_t used, size;
};

void *space_alloc(struct space_mem *mem, size_t bytes);

/*
 * Lays out a slot's space. lane_proc[nlanes]: each lane's executor. With mem->base NULL only mem->used grows, so that the
 * caller can size the mapping first. The grain is chosen so that a slot has at most SPACE_MAX_CELLS cells.
 */
enum { SPACE_MAX_CELLS = 65536 };
void space_init(struct space *sp, const struct slot *s, unsigned int nprocs, unsigned int nlanes,
	const uint8_t *lane_proc, struct space_mem *mem);

static inline struct content *space_content(struct space *sp, unsigned int proc)
{
	return &sp->content[sp->private ? proc : 0];
}

/* Forgets all of an epoch. Nothing may run: pages are fresh zeroes and mapped everywhere. */
void space_reset(struct space *sp);

enum { EFFECT_TRACKS = 7 };

/* What a track was like when an effect began. */
struct effect_state {
	/* Sums over the range's chunks, the effect's own part included in any_b. */
	uint32_t any_b, any_e;
	uint32_t restore_b; /* restoring ops begun before */
	bool restore_busy; /* one of them had not ended */
};

/* The effects of one call, from begin to end; on the lane's stack. */
struct effect_run {
	struct effect eff[EFFECTS_MAX];
	unsigned int n;
	struct effect_state state[EFFECTS_MAX][EFFECT_TRACKS];
};

/* Before the call. r->eff and r->n are set by the caller. proc: the executor that runs the op. */
void effects_begin(struct space *sp, unsigned int nslots, unsigned int proc, struct effect_run *r);

/*
 * After the call. With success the "sure", "zeroed" and "mapped" kinds take effect, as far as no other op interfered. lane: its own
 * cells are expected to be zero after EFFECT_ZEROED.
 */
void effects_end(struct space *sp, unsigned int nslots, unsigned int proc, unsigned int lane,
	struct effect_run *r, bool success);

/* Before anything of a chunk changes in this epoch. */
static inline void space_mark_dirty(struct space *sp, uint32_t chunk)
{
	if (!atomic_load_explicit(&sp->dirty[chunk], memory_order_relaxed))
		atomic_store_explicit(&sp->dirty[chunk], 1, memory_order_relaxed);
}

/* Chunks that a range of pages touches, rounded outwards as effects are. */
uint32_t space_chunks(const struct space *sp, uint32_t page, uint32_t pages);

/* begun and ended sums of one cell */
static inline uint32_t track_begun(const struct space *sp, const struct track *t, uint32_t cell)
{
	return atomic_load_explicit(
		       &t->chunk[cell >> sp->chunk_shift].whole.b, memory_order_acquire) +
	       atomic_load_explicit(&t->cell[cell].b, memory_order_acquire);
}

static inline uint32_t track_ended(const struct space *sp, const struct track *t, uint32_t cell)
{
	return atomic_load_explicit(
		       &t->chunk[cell >> sp->chunk_shift].whole.e, memory_order_acquire) +
	       atomic_load_explicit(&t->cell[cell].e, memory_order_acquire);
}

/* False where this kind of legality cannot come about. */
static inline bool track_there(const struct track *t)
{
	return t->chunk != NULL;
}

/* True if nothing can have taken the cell away since it was last known good. */
static inline bool track_ok(const struct space *sp, const struct track *t, uint32_t cell)
{
	return !track_there(t) ||
	       atomic_load_explicit(&t->ok[cell], memory_order_acquire) == track_begun(sp, t, cell);
}

/*
 * All that may take a cell's write protection by userfaultfd away, counted: what drops the page, unmaps its address, or lifts it.
 * Never 0, so that 0 is no protection.
 */
static inline uint32_t wp_token(
	const struct space *sp, const struct content *c, const struct view_state *v, uint32_t cell)
{
	return 1 + track_begun(sp, &v->wp, cell) + track_begun(sp, &v->hole, cell) +
	       track_begun(sp, &c->zero, cell) + track_begun(sp, &c->bus, cell);
}

/* True if a write to the cell through the view must fault to userfaultfd first. */
static inline bool wp_sure(
	const struct space *sp, const struct content *c, const struct view_state *v, uint32_t cell)
{
	uint32_t ok = atomic_load_explicit(&v->wp.ok[cell], memory_order_acquire);

	return __builtin_expect(ok != 0, 0) && ok == wp_token(sp, c, v, cell);
}

/* Ops begun and ended on a track's chunks of the range: sums that did not change mean that no op came or went. 0 if there is none. */
void space_sums(const struct space *sp, const struct track *t, uint32_t page, uint32_t pages,
	uint32_t *ret_begun, uint32_t *ret_ended);

/* What a range may be like now, for the errno oracle: parts unmapped or protected, made of several VMAs, or cut off. */
struct space_facts {
	bool hole, split, truncated;
};
struct space_facts space_facts(
	struct space *sp, unsigned int proc, unsigned int view, uint32_t page, uint32_t pages);

/*
 * True if a range of a view is surely mapped read-write all through, without guards and not wiped in children, and nobody is
 * about to change that. *ret_seq: to be compared with a later call's: it grows by one for each chunk and track (hole, ro, guard,
 * wipe) that an op which may take it away has begun on.
 */
bool space_whole(struct space *sp, unsigned int proc, unsigned int view, uint32_t page,
	uint32_t pages, uint32_t *ret_seq);

#endif
