/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mem/cell.h"
#include "mem/tail.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Added to the count of zeroing ops: no op will have brought it there, so that a zero is always explained. */
#define CELL_MAY_GO 0x80000000u

enum { FAULTS_MAX = 32 }; /* judged in one access before the rest of the range is left alone */

static __thread struct cells *current;

void cells_set_current(struct cells *c)
{
	current = c;
}

/* ---- where a cell lies ---- */

struct place { /* a cell as one access sees it */
	struct cells *c;
	struct space *sp;
	struct content *content;
	struct view_state *view; /* NULL: not through a view */
	unsigned int slot, view_no;
};

static struct place place_of(struct cells *c, unsigned int slot, unsigned int view)
{
	struct space *sp = &c->space[slot];

	return (struct place){
		c, sp, space_content(sp, c->proc), &sp->view[c->proc][view], slot, view};
}

static uint32_t cell_page(const struct place *p, uint32_t cell)
{
	return cell << p->sp->grain_shift;
}

static _Atomic uint64_t *cell_at(
	const struct slot *s, uintptr_t base, uint32_t page, unsigned int lane)
{
	return (_Atomic uint64_t *)(base + ((uintptr_t)page << s->page_shift) + lane * CELL_STRIDE);
}

static struct evidence evidence_at(
	const struct place *p, enum evidence_kind kind, unsigned int owner, uint32_t cell)
{
	const struct slot *s = &p->c->slot[p->slot];
	uint32_t page = cell_page(p, cell);

	return (struct evidence){.kind = (uint8_t)kind,
		.lane = (uint8_t)p->c->lane,
		.op = p->c->op,
		.op_index = p->c->op_index,
		.slot = (uint8_t)p->slot,
		.view = (uint8_t)p->view_no,
		.owner = (uint8_t)owner,
		.cell_page = page,
		.round = p->c->round,
		.ticks = clock_ticks(),
		.addr = slot_addr(s, p->view_no, page) + owner * CELL_STRIDE};
}

static void report_value(const struct place *p, enum evidence_kind kind, unsigned int owner,
	uint32_t cell, uint64_t expected, uint64_t seen)
{
	struct evidence e = evidence_at(p, kind, owner, cell);

	e.expected = expected;
	e.seen = seen;
	e.begun = track_begun(p->sp, &p->content->zero, cell);
	e.ended = track_ended(p->sp, &p->content->zero, cell);
	evidence_push(p->c->ring, &e);
}

void cells_report(struct cells *c, enum evidence_kind kind, unsigned int slot, unsigned int view,
	uint32_t page, uint64_t expected, uint64_t seen)
{
	struct place p = place_of(c, slot, view);

	report_value(&p, kind, c->lane, page >> p.sp->grain_shift, expected, seen);
}

/* ---- the lane's own cells ---- */

static uint64_t expected_value(const struct place *p, uint32_t cell, uint32_t gen)
{
	return gen & CELL_GEN_ZERO ? 0 : cell_stamp(p->slot, p->c->lane, cell, gen);
}

static bool is_stale_chunk(const struct place *p, uint32_t cell)
{
	return atomic_load_explicit(
		       &p->content->stale[cell >> p->sp->chunk_shift], memory_order_acquire) != 0;
}

/* A hugetlb parent that copies on write from an empty pool takes the page from its child (unmap_ref_private()). */
static bool child_may_lose(const struct place *p)
{
	return p->c->child && backing_is_hugetlb(p->c->slot[p->slot].spec.backing);
}

void cells_before_fork(struct cells *c, unsigned int slot, uint32_t page, uint32_t pages)
{
	struct place p = place_of(c, slot, 0);
	const struct track *t = &p.content->wipe;

	c->fork.page = page;
	c->fork.pages = pages;
	c->fork.restore = atomic_load_explicit(&t->restore.b, memory_order_acquire);
	if (c->fork.restore != atomic_load_explicit(&t->restore.e, memory_order_acquire))
		c->fork.restore--; /* one had not ended: as if one had begun since */
	space_sums(p.sp, t, page, pages, &c->fork.begun, &c->fork.ended);
}

/* Did nobody who may give children zeroes, or who ends that, come or go since the fork? */
static bool as_forked(const struct place *p)
{
	const struct track *t = &p->content->wipe;
	uint32_t begun, ended;

	space_sums(p->sp, t, p->c->fork.page, p->c->fork.pages, &begun, &ended);
	return begun == ended && begun == p->c->fork.begun && ended == p->c->fork.ended &&
	       atomic_load_explicit(&t->restore.b, memory_order_acquire) == p->c->fork.restore;
}

/* May this child find zeroes where its parent has data (MADV_WIPEONFORK)? */
static bool child_may_be_wiped(const struct place *p, uint32_t cell)
{
	const struct track *t = &p->content->wipe;

	if (!p->c->child || !track_there(t) || track_begun(p->sp, t, cell) == 0)
		return false;
	return !track_ok(p->sp, t, cell) || !as_forked(p);
}

/* Data in a child that was certain to get none. */
static void judge_wiped(const struct place *p, uint32_t cell, uint64_t seen)
{
	const struct track *t = &p->content->wipe;
	uint32_t sure;

	if (!track_there(t) || seen == 0)
		return;
	sure = atomic_load_explicit(&t->sure[cell], memory_order_acquire);
	if (sure && sure == p->c->fork.restore + 1 && as_forked(p))
		report_value(p, EVIDENCE_STALE, p->c->lane, cell, 0, seen);
}

/* The value of an own cell is not what was expected. Reports it unless legal; returns the gen to expect from now on. */
static uint32_t judge_own(
	const struct place *p, uint32_t cell, uint32_t gen, uint32_t ze, uint64_t seen)
{
	uint64_t id = cell_stamp(p->slot, p->c->lane, cell, 0);
	bool zeroing, ours = (seen & CELL_ID_MASK) == id;

	zeroing = track_begun(p->sp, &p->content->zero, cell) != ze;
	if (seen == 0) {
		if (!zeroing && !child_may_lose(p) && !child_may_be_wiped(p, cell))
			report_value(p, EVIDENCE_ZERO, p->c->lane, cell,
				expected_value(p, cell, gen), 0);
		p->c->zeros++;
		return gen | CELL_GEN_ZERO;
	}
	if (ours && zeroing && is_stale_chunk(p, cell))
		return (uint32_t)(seen & CELL_GEN_MASK);
	report_value(p,
		ours		    ? (gen & CELL_GEN_ZERO ? EVIDENCE_STALE : EVIDENCE_OLD)
		: seen & CELL_CHILD ? EVIDENCE_CHILD
				    : EVIDENCE_FOREIGN,
		p->c->lane, cell, expected_value(p, cell, gen), seen);
	return ours ? (uint32_t)(seen & CELL_GEN_MASK) : gen;
}

static void check_own(const struct place *p, struct cell_shadow *s, uint32_t cell, uint64_t seen)
{
	uint32_t gen = atomic_load_explicit(&s->gen, memory_order_relaxed);

	if (__builtin_expect(p->c->child, 0))
		judge_wiped(p, cell, seen);
	if (__builtin_expect(seen == expected_value(p, cell, gen), 1))
		return;
	gen = judge_own(p, cell, gen, atomic_load_explicit(&s->ze, memory_order_relaxed), seen);
	if (!p->c->child || !p->sp->private)
		atomic_store_explicit(&s->gen, gen, memory_order_release);
}

/*
 * Stamps the next generation. The order of the three stores is what check_peer() relies on: whoever sees the new
 * `ze` sees the new cell.
 */
static void stamp_own(
	const struct place *p, struct cell_shadow *s, _Atomic uint64_t *addr, uint32_t cell)
{
	uint32_t gen = (atomic_load_explicit(&s->gen, memory_order_relaxed) + 1) & CELL_GEN_MASK;
	uint32_t ze = track_ended(p->sp, &p->content->zero, cell);

	/*
	 * shmem maps a huge page whole even where the object ends inside it: a stamp beyond the end is dropped by a later split
	 * or truncation. What is stamped while the object may be short is not expected to last.
	 */
	if (__builtin_expect(!track_ok(p->sp, &p->content->bus, cell), 0))
		ze = track_begun(p->sp, &p->content->zero, cell) + CELL_MAY_GO;
	if (p->c->child && p->sp->private) {
		atomic_store_explicit(addr, cell_stamp(p->slot, p->c->lane, cell, gen) | CELL_CHILD,
			memory_order_release);
		return;
	}
	atomic_store_explicit(
		addr, cell_stamp(p->slot, p->c->lane, cell, gen), memory_order_release);
	atomic_store_explicit(&s->ze, ze, memory_order_release);
	atomic_store_explicit(&s->gen, gen, memory_order_release);
}

/* ---- another lane's cell ---- */

static void check_peer(const struct place *p, unsigned int owner, uintptr_t base, uint32_t cell)
{
	struct cell_shadow *s = p->content->shadow[owner];
	uint64_t seen, id = cell_stamp(p->slot, owner, cell, 0);
	uint32_t ended, begun, ze, gen0, gen1, age;

	if (!s)
		return;
	s += cell;
	ended = track_ended(p->sp, &p->content->zero, cell);
	ze = atomic_load_explicit(&s->ze, memory_order_acquire); /* pairs with stamp_own */
	gen0 = atomic_load_explicit(&s->gen, memory_order_acquire);
	seen = atomic_load_explicit(cell_at(&p->c->slot[p->slot], base, cell_page(p, cell), owner),
		memory_order_acquire);
	begun = track_begun(p->sp, &p->content->zero, cell);
	gen1 = atomic_load_explicit(&s->gen, memory_order_acquire);
	p->c->checks++;
	if (seen == 0) {
		if (!(gen0 & CELL_GEN_ZERO) && begun == ze)
			report_value(p, EVIDENCE_ZERO, owner, cell, id | gen0, 0);
		return;
	}
	if ((seen & CELL_ID_MASK) != id) {
		report_value(p, seen & CELL_CHILD ? EVIDENCE_CHILD : EVIDENCE_FOREIGN, owner, cell,
			id | (gen0 & CELL_GEN_MASK), seen);
		return;
	}
	/* From the last published generation to the one being stamped after it; CELL_GEN_ZERO: only a newer one. */
	age = (uint32_t)((seen & CELL_GEN_MASK) - (gen0 & CELL_GEN_MASK)) & CELL_GEN_MASK;
	if (age <= ((gen1 - gen0) & CELL_GEN_MASK) + 1 && !(age == 0 && gen0 & CELL_GEN_ZERO))
		return;
	if (begun != ended || (begun != ze && is_stale_chunk(p, cell)))
		return; /* an op that takes the page away is flushing other CPUs at this moment */
	report_value(p, EVIDENCE_STALE, owner, cell, gen0 & CELL_GEN_ZERO ? 0 : id | gen0, seen);
}

/* ---- faults ---- */

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	struct cells *c = current;
	uintptr_t addr = (uintptr_t)si->si_addr;
	struct evidence e;

	(void)uc;
	if (c && c->armed && addr >= c->lo && addr < c->hi) {
		c->sig = sig;
		c->code = si->si_code;
		c->fault = addr;
		c->armed = 0;
		siglongjmp(c->env, 1);
	}
	/* "Action optional", or on return from the call that did it. */
	if (sig == SIGBUS &&
		(si->si_code == BUS_MCEERR_AO || (si->si_code == BUS_MCEERR_AR && c && c->poisons)))
		return;
	if (c && !c->child) {
		e = (struct evidence){.kind = EVIDENCE_CRASH,
			.lane = (uint8_t)c->lane,
			.op = c->op,
			.op_index = c->op_index,
			.err = sig,
			.code = si->si_code,
			.round = c->round,
			.ticks = clock_ticks(),
			.addr = addr};
		evidence_push(c->ring, &e);
	}
	signal(sig, SIG_DFL); /* the access is repeated on return and ends the executor */
}

int cells_handle_signals(void)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	if (sigaction(SIGSEGV, &sa, NULL) < 0 || sigaction(SIGBUS, &sa, NULL) < 0)
		return -errno;
	return 0;
}

static uint32_t restore_begun(const struct track *t)
{
	return atomic_load_explicit(&t->restore.b, memory_order_acquire);
}

static bool restore_busy(const struct track *t)
{
	return restore_begun(t) != atomic_load_explicit(&t->restore.e, memory_order_acquire);
}

/* True if a restoring op has begun since the access began, or had not ended then: the fault may be older than the repair. */
static bool restored_since(const struct cells *c, const struct track *t, uint32_t before)
{
	return c->restore_busy || restore_begun(t) != before;
}

static void judge_fault(const struct place *p, uint32_t cell, bool write)
{
	struct cells *c = p->c;
	const struct track *hole = &p->view->hole, *ro = &p->view->ro, *bus = &p->content->bus;
	const struct track *guard = &p->view->guard;
	struct evidence e;
	bool legal;

	if (c->sig == SIGSEGV) {
		c->segv++;
		legal = !track_ok(p->sp, hole, cell) || (write && !track_ok(p->sp, ro, cell)) ||
			!track_ok(p->sp, guard, cell) || restored_since(c, hole, c->restore_hole) ||
			restored_since(c, guard, c->restore_guard);
	} else {
		c->bus++;
		legal = !track_ok(p->sp, bus, cell) || c->slot[p->slot].tight ||
			restored_since(c, bus, c->restore_bus) ||
			scarcity_since(c->scarcity, &c->scarce);
	}
	if (legal || c->child)
		return;
	e = evidence_at(p, c->sig == SIGSEGV ? EVIDENCE_SEGV : EVIDENCE_BUS, c->lane, cell);
	e.err = c->sig;
	e.code = c->code;
	e.addr = c->fault;
	e.write = write;
	e.begun = track_begun(p->sp, c->sig == SIGSEGV ? hole : bus, cell);
	e.ended = track_ended(p->sp, c->sig == SIGSEGV ? hole : bus, cell);
	evidence_push(c->ring, &e);
}

static void arm(const struct place *p, uintptr_t lo, uintptr_t hi)
{
	struct cells *c = p->c;

	c->restore_hole = restore_begun(&p->view->hole);
	c->restore_bus = restore_begun(&p->content->bus);
	c->scarce = scarcity_mark(c->scarcity);
	c->restore_guard = restore_begun(&p->view->guard);
	c->restore_busy = restore_busy(&p->view->hole) || restore_busy(&p->content->bus) ||
			  restore_busy(&p->view->guard);
	c->lo = lo;
	c->hi = hi;
	c->armed = 1;
	atomic_signal_fence(memory_order_seq_cst);
}

static void disarm(struct cells *c)
{
	atomic_signal_fence(memory_order_seq_cst);
	c->armed = 0;
}

/* ---- accesses that must not succeed ---- */

struct sure {
	uint32_t hole, ro, bus, guard;
};

static struct sure sure_before(const struct place *p, uint32_t cell)
{
	return (struct sure){
		atomic_load_explicit(&p->view->hole.sure[cell], memory_order_acquire),
		atomic_load_explicit(&p->view->ro.sure[cell], memory_order_acquire),
		atomic_load_explicit(&p->content->bus.sure[cell], memory_order_acquire),
		track_there(&p->view->guard)
			? atomic_load_explicit(&p->view->guard.sure[cell], memory_order_acquire)
			: 0,
	};
}

/* A full barrier: the access, a write too, came before this reading. */
static uint32_t restore_begun_after(struct track *t)
{
	return atomic_fetch_add_explicit(&t->restore.b, 0, memory_order_seq_cst);
}

/* The access was done: was it certain, from before it until after it, that it could not? */
static void judge_success(const struct place *p, const struct sure *s, uint32_t cell, bool write)
{
	struct evidence e;
	bool wrong = false;

	if (__builtin_expect(!(s->hole | s->bus | s->guard | (write ? s->ro : 0)), 1) ||
		p->c->child)
		return;
	if (s->hole)
		wrong |= restore_begun_after(&p->view->hole) + 1 == s->hole;
	if (s->ro && write)
		wrong |= restore_begun_after(&p->view->ro) + 1 == s->ro;
	if (s->guard)
		wrong |= restore_begun_after(&p->view->guard) + 1 == s->guard;
	if (s->bus)
		wrong |= restore_begun_after(&p->content->bus) + 1 == s->bus;
	if (!wrong)
		return;
	e = evidence_at(p, EVIDENCE_NO_FAULT, p->c->lane, cell);
	e.write = write;
	evidence_push(p->c->ring, &e);
}

/* ---- writes that must fault to userfaultfd first ---- */

/*
 * Before the write. Private pages that MADV_FREE has made droppable may be dropped for good, bit and all, until they are written again:
 * only what this lane has stamped since is judged.
 */
static bool wp_before(const struct place *p, const struct cell_shadow *s, uint32_t cell)
{
	if (__builtin_expect(!wp_sure(p->sp, p->content, p->view, cell), 1) || p->c->child)
		return false;
	return !p->sp->private || atomic_load_explicit(&s->ze, memory_order_relaxed) ==
					  track_begun(p->sp, &p->content->zero, cell);
}

/* After the write: whoever resolves such a fault begins a lift before it lets the writer go on. */
static void judge_wp(const struct place *p, bool sure, uint32_t cell)
{
	struct evidence e;

	if (__builtin_expect(!sure, 1))
		return;
	atomic_thread_fence(memory_order_seq_cst); /* the write was done before this reading */
	if (!wp_sure(p->sp, p->content, p->view, cell))
		return;
	e = evidence_at(p, EVIDENCE_BIT, p->c->lane, cell);
	e.write = 1;
	snprintf(e.what, sizeof(e.what), "uffd-wp");
	evidence_push(p->c->ring, &e);
	if (p->c->inject == CELL_INJECT_BIT)
		p->c->inject = CELL_INJECT_NONE;
}

/* ---- touching ---- */

/* Plants one wrong value; again at the next touch as long as an op that is under way explains it. */
static void inject(
	const struct place *p, struct cell_shadow *s, _Atomic uint64_t *addr, uint32_t cell)
{
	uint32_t head = atomic_load_explicit(&p->c->ring->head, memory_order_relaxed);
	uint64_t v = 0;

	if (p->c->inject == CELL_INJECT_BIT)
		return;
	if (p->c->inject == CELL_INJECT_OLD)
		v = cell_stamp(p->slot, p->c->lane, cell,
			atomic_load_explicit(&s->gen, memory_order_relaxed) - 1);
	if (p->c->inject == CELL_INJECT_FOREIGN)
		v = cell_stamp(p->slot, p->c->lane, cell + 1, 1);
	atomic_store_explicit(addr, v, memory_order_release);
	check_own(p, s, cell, atomic_load_explicit(addr, memory_order_acquire));
	if (atomic_load_explicit(&p->c->ring->head, memory_order_relaxed) != head)
		p->c->inject = CELL_INJECT_NONE;
}

/* The model believes a page to be protected that is not. The write that follows in touch_cell() is what sees it. */
static void inject_bit(const struct place *p, struct cell_shadow *s, uint32_t cell)
{
	atomic_store_explicit(
		&s->ze, track_begun(p->sp, &p->content->zero, cell), memory_order_relaxed);
	atomic_store_explicit(&p->view->wp.ok[cell], wp_token(p->sp, p->content, p->view, cell),
		memory_order_release);
}

static void touch_cell(const struct place *p, struct cell_shadow *s, uintptr_t base, uint32_t cell,
	enum cell_how how)
{
	struct cells *c = p->c;
	_Atomic uint64_t *addr = cell_at(&c->slot[p->slot], base, cell_page(p, cell), c->lane);
	struct sure sure = sure_before(p, cell);

	if (how != CELL_WRITE) {
		uint64_t seen = atomic_load_explicit(addr, memory_order_acquire);

		judge_success(p, &sure, cell, false);
		check_own(p, s, cell, seen);
		if (c->nlanes > 1 && !c->child)
			check_peer(
				p, (c->lane + 1 + cell % (c->nlanes - 1)) % c->nlanes, base, cell);
	}
	if (how != CELL_READ) {
		bool wp;

		if (__builtin_expect(c->inject == CELL_INJECT_BIT, 0) && !c->child)
			inject_bit(p, s, cell);
		wp = wp_before(p, s, cell);
		stamp_own(p, s, addr, cell);
		judge_success(p, &sure, cell, true);
		judge_wp(p, wp, cell);
		if (__builtin_expect(c->inject != CELL_INJECT_NONE, 0) && !c->child)
			inject(p, s, addr, cell);
	}
	c->touched++;
}

static void mark_dirty(const struct place *p, uint32_t first, uint32_t last)
{
	if (first >= last)
		return;
	for (uint32_t i = first >> p->sp->chunk_shift; i <= (last - 1) >> p->sp->chunk_shift; i++)
		space_mark_dirty(p->sp, i);
}

static void touch_range(const struct place *p, uintptr_t base, uint32_t first, uint32_t last,
	uint32_t step, enum cell_how how)
{
	struct cells *c = p->c;
	struct cell_shadow *s = p->content->shadow[c->lane];

	if (how != CELL_READ)
		mark_dirty(p, first, last);
	c->cursor = first;
	c->faults = 0;
	arm(p, base, base + ((uintptr_t)c->slot[p->slot].pages << c->slot[p->slot].page_shift));
	if (sigsetjmp(c->env, 0)) {
		judge_fault(p, c->cursor, how != CELL_READ);
		c->cursor += step;
		if (++c->faults >= FAULTS_MAX)
			return;
		arm(p, c->lo, c->hi);
	}
	while (c->cursor < last) {
		uint32_t cell = c->cursor;

		touch_cell(p, &s[cell], base, cell, how);
		c->cursor = cell + step;
	}
	disarm(c);
}

static void cell_range(
	const struct space *sp, uint32_t page, uint32_t pages, uint32_t *first, uint32_t *last)
{
	*first = page >> sp->grain_shift;
	*last = (page + pages + (1u << sp->grain_shift) - 1) >> sp->grain_shift;
	if (*last > sp->ncells)
		*last = sp->ncells;
}

void cells_touch(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint32_t pages, uint32_t step, enum cell_how how)
{
	struct place p = place_of(c, slot, view);
	uint32_t first, last;

	cell_range(p.sp, page, pages, &first, &last);
	touch_range(&p, c->slot[slot].view[view], first, last, step ? step : 1, how);
}

uint64_t cells_sweep(struct cells *c, unsigned int slot, unsigned int turn)
{
	struct place p = place_of(c, slot, turn % c->slot[slot].nviews);
	struct cell_shadow *s = p.content->shadow[c->lane];
	uint64_t before = c->touched;

	for (uint32_t i = 0; s && i < p.sp->ncells; i++) {
		if (!atomic_load_explicit(
			    &p.sp->dirty[i >> p.sp->chunk_shift], memory_order_relaxed)) {
			i += p.sp->cells_per_chunk - 1;
			continue;
		}
		if (!(atomic_load_explicit(&s[i].gen, memory_order_relaxed) & CELL_GEN_ZERO))
			touch_range(&p, c->slot[slot].view[p.view_no], i, i + 1, 1, CELL_READ);
	}
	return c->touched - before;
}

/* ---- hammering ---- */

enum { HAMMER_CELLS = 8, HAMMER_BURST = 32 };

static uint64_t hammer_burst(
	const struct place *p, struct cell_shadow *s, _Atomic uint64_t *addr, uint32_t cell)
{
	uint64_t id = cell_stamp(p->slot, p->c->lane, cell, 0), seen, expected;
	uint32_t gen = atomic_load_explicit(&s->gen, memory_order_relaxed);
	struct sure sure = sure_before(p, cell);
	bool wp = wp_before(p, s, cell);

	for (unsigned int i = 0; i < HAMMER_BURST; i++) {
		expected = gen & CELL_GEN_ZERO ? 0 : id | gen;
		seen = atomic_load_explicit(addr, memory_order_acquire);
		if (__builtin_expect(seen != expected, 0)) {
			check_own(p, s, cell, seen);
			gen = atomic_load_explicit(&s->gen, memory_order_relaxed);
		}
		stamp_own(p, s, addr, cell);
		gen = (gen + 1) & CELL_GEN_MASK;
	}
	judge_success(p, &sure, cell, true);
	judge_wp(p, wp, cell);
	return HAMMER_BURST;
}

uint64_t cells_hammer(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint32_t pages, uint64_t until)
{
	struct place p = place_of(c, slot, view);
	struct cell_shadow *s = p.content->shadow[c->lane];
	uintptr_t base = c->slot[slot].view[view];
	volatile uint64_t done = 0;
	uint32_t first, last, step;

	cell_range(p.sp, page, pages, &first, &last);
	step = (last - first) / HAMMER_CELLS;
	step = step ? step : 1;
	mark_dirty(&p, first, last);
	c->cursor = first;
	c->faults = 0;
	arm(&p, base, base + ((uintptr_t)c->slot[slot].pages << c->slot[slot].page_shift));
	if (sigsetjmp(c->env, 0)) {
		judge_fault(&p, c->cursor, true);
		c->cursor = c->cursor + step < last ? c->cursor + step : first;
		if (++c->faults >= FAULTS_MAX)
			return done;
		arm(&p, c->lo, c->hi);
	}
	while (clock_ticks() < until) {
		uint32_t cell = c->cursor;

		done += hammer_burst(&p, &s[cell],
			cell_at(&c->slot[slot], base, cell_page(&p, cell), c->lane), cell);
		c->cursor = cell + step < last ? cell + step : first;
		c->touched++;
	}
	disarm(c);
	return done;
}

/* ---- by a child that lives on ---- */

void cells_check_all(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint32_t pages, uint32_t step)
{
	struct place p = place_of(c, slot, view);
	uintptr_t base = c->slot[slot].view[view];
	uint32_t first, last;

	cell_range(p.sp, page, pages, &first, &last);
	c->cursor = first;
	arm(&p, base, base + ((uintptr_t)c->slot[slot].pages << c->slot[slot].page_shift));
	if (sigsetjmp(c->env, 0)) {
		c->cursor += step;
		arm(&p, c->lo, c->hi);
	}
	while (c->cursor < last) {
		for (unsigned int l = 0; l < c->nlanes; l++)
			check_peer(&p, l, base, c->cursor);
		c->cursor += step;
	}
	disarm(c);
}

/* ---- moved elsewhere ---- */

void cells_check_at(
	struct cells *c, unsigned int slot, uintptr_t base, uint32_t page, uint32_t pages)
{
	struct place p = place_of(c, slot, 0);
	const struct slot *sl = &c->slot[slot];
	struct cell_shadow *s = p.content->shadow[c->lane];
	uint32_t first, last;

	cell_range(p.sp, page, pages, &first, &last);
	if (cell_page(&p, first) < page)
		first++; /* that cell's page was not moved along */
	c->cursor = first;
	arm(&p, base, base + ((uintptr_t)sl->pages << sl->page_shift));
	if (sigsetjmp(c->env, 0))
		return; /* another op may reach there; what it loses is judged at the view */
	while (s && c->cursor < last) {
		uint32_t i = c->cursor;

		check_own(&p, &s[i], i,
			atomic_load_explicit(cell_at(sl, base, cell_page(&p, i), c->lane),
				memory_order_acquire));
		c->touched++;
		c->cursor = i + 1;
	}
	disarm(c);
}

uint64_t cells_sum_at(
	struct cells *c, unsigned int slot, uintptr_t base, uint32_t page, uint32_t pages)
{
	struct place p = place_of(c, slot, 0);
	const struct slot *s = &c->slot[slot];
	uint64_t sum = 0;

	arm(&p, base, base + ((uintptr_t)s->pages << s->page_shift));
	if (sigsetjmp(c->env, 0))
		return 0;
	for (unsigned int l = 0; l < c->nlanes; l++) {
		sum = sum * 31 +
		      atomic_load_explicit(cell_at(s, base, page, l), memory_order_acquire);
		sum = sum * 31 + atomic_load_explicit(cell_at(s, base, page + pages - 1, l),
					 memory_order_acquire);
	}
	disarm(c);
	return sum;
}

/* ---- other paths to the same memory ---- */

static uintptr_t word_at(
	const struct cells *c, unsigned int slot, unsigned int view, uint32_t page, uint32_t byte)
{
	return slot_addr(&c->slot[slot], view, page) + byte;
}

static void arm_view(const struct place *p)
{
	const struct slot *s = &p->c->slot[p->slot];
	uintptr_t base = s->view[p->view_no];

	arm(p, base, base + ((uintptr_t)s->pages << s->page_shift));
}

bool cells_peek(struct cells *c, unsigned int slot, unsigned int view, uint32_t page, uint32_t byte,
	uint64_t *ret)
{
	struct place p = place_of(c, slot, view);

	arm_view(&p);
	if (sigsetjmp(c->env, 0)) {
		judge_fault(&p, page >> p.sp->grain_shift, false);
		return false;
	}
	*ret = atomic_load_explicit(
		(_Atomic uint64_t *)word_at(c, slot, view, page, byte), memory_order_acquire);
	disarm(c);
	return true;
}

long cells_guarded(
	struct cells *c, unsigned int slot, unsigned int view, long (*fn)(void *arg), void *arg)
{
	struct place p = place_of(c, slot, view);
	long r;

	arm_view(&p);
	if (sigsetjmp(c->env, 0))
		return -EINTR;
	r = fn(arg);
	disarm(c);
	return r;
}

bool cells_look_at(struct cell_looks *l, uint32_t page, uint32_t byte)
{
	if (l->n == CELL_LOOKS)
		return false;
	l->look[l->n++] = (struct cell_look){.page = page, .byte = byte};
	return true;
}

void cells_look_stamped(struct cells *c, struct cell_looks *l, uint32_t page, unsigned int owner)
{
	struct place p = place_of(c, l->slot, l->view);
	const struct cell_shadow *s = p.content->shadow[owner];
	uint32_t cell = page >> p.sp->grain_shift;

	if (s && cell_page(&p, cell) == page &&
		!(atomic_load_explicit(&s[cell].gen, memory_order_acquire) & CELL_GEN_ZERO))
		cells_look_at(l, page, cell_byte(owner));
}

void cells_look_mark(struct cells *c, struct cell_looks *l)
{
	struct place p = place_of(c, l->slot, l->view);

	for (unsigned int i = 0; i < l->n; i++) {
		struct cell_look *k = &l->look[i];
		uint32_t cell = k->page >> p.sp->grain_shift,
			 ended = track_ended(p.sp, &p.content->zero, cell);

		/* In this order: equal only if none was under way when `ended` was read, and none has begun since. */
		k->begun = track_begun(p.sp, &p.content->zero, cell);
		k->got = false;
		k->fit = k->begun == ended && track_ok(p.sp, &p.content->bus, cell);
	}
}

void cells_look_before(struct cells *c, struct cell_looks *l)
{
	cells_look_mark(c, l);
	for (unsigned int i = 0; i < l->n; i++) {
		struct cell_look *k = &l->look[i];

		k->fit = cells_peek(c, l->slot, l->view, k->page, k->byte, &k->cpu) && k->fit;
	}
}

bool cells_look_holds(struct cells *c, const struct cell_looks *l, unsigned int i)
{
	struct place p = place_of(c, l->slot, l->view);
	uint32_t cell = l->look[i].page >> p.sp->grain_shift;

	return l->look[i].fit && track_begun(p.sp, &p.content->zero, cell) == l->look[i].begun &&
	       track_ok(p.sp, &p.content->bus, cell);
}

static void report_seen(const struct place *p, enum evidence_kind kind, unsigned int owner,
	uint32_t page, uint32_t byte, uint64_t expected, uint64_t seen, const char *what)
{
	uint32_t cell = page >> p->sp->grain_shift;
	struct evidence e = evidence_at(p, kind, owner, cell);

	e.cell_page = page;
	e.addr = word_at(p->c, p->slot, p->view_no, page, byte);
	e.expected = expected;
	e.seen = seen;
	e.begun = track_begun(p->sp, &p->content->zero, cell);
	e.ended = track_ended(p->sp, &p->content->zero, cell);
	snprintf(e.what, sizeof(e.what), "%s", what);
	evidence_push(p->c->ring, &e);
}

void cells_look_report(struct cells *c, const struct cell_looks *l, unsigned int i,
	enum evidence_kind kind, uint64_t expected, uint64_t seen, const char *what)
{
	struct place p = place_of(c, l->slot, l->view);
	const struct cell_look *k = &l->look[i];

	report_seen(&p, kind, k->byte / CELL_STRIDE % SPACE_MAX_LANES, k->page, k->byte, expected,
		seen, what);
}

void cells_look_after(struct cells *c, struct cell_looks *l, const char *what)
{
	for (unsigned int i = 0; i < l->n; i++) {
		const struct cell_look *k = &l->look[i];
		uint64_t again;

		if (!k->fit || !k->got ||
			!cells_peek(c, l->slot, l->view, k->page, k->byte, &again) ||
			again != k->cpu || !cells_look_holds(c, l, i))
			continue;
		c->checks++;
		if (k->seen != k->cpu)
			cells_look_report(c, l, i, EVIDENCE_MMU, k->cpu, k->seen, what);
	}
}

void cells_look_wrote(struct cells *c, struct cell_looks *l, const char *what)
{
	for (unsigned int i = 0; i < l->n; i++) {
		const struct cell_look *k = &l->look[i];
		uint64_t cpu;

		if (!k->fit || !k->got ||
			!cells_peek(c, l->slot, l->view, k->page, k->byte, &cpu) ||
			!cells_look_holds(c, l, i))
			continue;
		c->checks++;
		if (cpu != k->seen)
			cells_look_report(c, l, i, EVIDENCE_MMU, cpu, k->seen, what);
	}
}

void cells_judge_seen(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint64_t seen, const char *what)
{
	struct place p = place_of(c, slot, view);
	uint32_t cell = page >> p.sp->grain_shift, gen;
	struct cell_shadow *s = p.content->shadow[c->lane];
	uint64_t expected;
	bool zeroing;

	if (!s || cell_page(&p, cell) != page)
		return;
	gen = atomic_load_explicit(&s[cell].gen, memory_order_relaxed);
	expected = expected_value(&p, cell, gen);
	zeroing = track_begun(p.sp, &p.content->zero, cell) !=
		  atomic_load_explicit(&s[cell].ze, memory_order_relaxed);
	c->checks++;
	if (seen == expected || (seen == 0 && zeroing))
		return;
	if ((seen & CELL_ID_MASK) == cell_stamp(slot, c->lane, cell, 0) && zeroing &&
		is_stale_chunk(&p, cell))
		return;
	report_seen(&p, EVIDENCE_MMU, c->lane, page, cell_byte(c->lane), expected, seen, what);
}

bool cells_plant_seen(struct cells *c, unsigned int slot)
{
	uint32_t head = atomic_load_explicit(&c->ring->head, memory_order_relaxed);
	struct cell_looks l = {.slot = slot};

	cells_touch(c, slot, 0, 0, 1, 1, CELL_WRITE);
	cells_look_at(&l, 0, cell_byte(c->lane));
	cells_look_before(c, &l);
	l.look[0].seen = l.look[0].cpu - 1;
	l.look[0].got = true;
	cells_look_after(c, &l, "injected");
	return atomic_load_explicit(&c->ring->head, memory_order_relaxed) != head;
}

/* ---- bytes behind the cells (mem/tail.h) ---- */

static bool tail_access(struct cells *c, const struct place *p, uintptr_t at, uint64_t *buf,
	size_t words, bool write)
{
	_Atomic uint64_t *word = (_Atomic uint64_t *)at;

	arm(p, at, at + words * sizeof(*buf));
	if (sigsetjmp(c->env, 0)) {
		judge_fault(p, c->cursor, write);
		return false;
	}
	for (size_t i = 0; i < words; i++) {
		if (write)
			atomic_store_explicit(&word[i], buf[i], memory_order_relaxed);
		else
			buf[i] = atomic_load_explicit(&word[i], memory_order_relaxed);
	}
	disarm(c);
	return true;
}

bool tail_load(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint32_t offset, void *buf, size_t n)
{
	struct place p = place_of(c, slot, view);

	c->cursor = page >> p.sp->grain_shift;
	return tail_access(
		c, &p, word_at(c, slot, view, page, offset), buf, n / sizeof(uint64_t), false);
}

bool tail_store(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint32_t offset, const void *buf, size_t n)
{
	struct place p = place_of(c, slot, view);

	c->cursor = page >> p.sp->grain_shift;
	mark_dirty(&p, c->cursor, c->cursor + 1);
	return tail_access(c, &p, word_at(c, slot, view, page, offset), (uint64_t *)buf,
		n / sizeof(uint64_t), true);
}

int cell_describe(uint64_t value, uint32_t grain_shift, char *buf, size_t size)
{
	if (value == 0)
		return snprintf(buf, size, "zero");
	if (!(value >> 63))
		return snprintf(buf, size, "no stamp: 0x%llx", (unsigned long long)value);
	return snprintf(buf, size, "slot %u lane %u page %u generation %u%s",
		(unsigned int)(value >> 58 & 15), (unsigned int)(value >> 55 & 7),
		(uint32_t)(value >> 31 & 0xffffff) << grain_shift,
		(uint32_t)(value & CELL_GEN_MASK), value & CELL_CHILD ? " of a forked child" : "");
}
