/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual machine as a second MMU: each view of each slot is memory of a small guest (sys/guest.h), and each lane drives a
 * CPU of it. What the guest reads and writes while the host splits, moves and unmaps must be what the host sees. KVM keeps no
 * reference to the pages: only MMU notifiers keep its page tables right (virt/kvm/kvm_main.c, kvm_mmu_notifier_invalidate_range_start).
 */
#include "op/op.h"

#include <errno.h>
#include <stdlib.h>

#include "backings.h"
#include "base/clock.h"
#include "mem/cell.h"
#include "sys/guest.h"

/* A view as guest memory. It has two places in the guest of its own, so that what moves meets nobody else. */
struct region {
	unsigned int id;
	uint64_t home[2]; /* 0: no room for it */
	_Atomic uint32_t moves; /* odd while it moves; half of it, modulo 2, is its place */
	_Atomic bool busy; /* a lane changes it or reads its log */
	bool there, log; /* both: of whoever is busy with it */
	uint64_t *dirty; /* a bit a page */
};

/* What a lane's CPU had to do with: looked at again at quiesce. */
enum { RECENT = 4 };

struct recent {
	unsigned int slot, view;
	uint32_t page, step;
};

struct kvm {
	struct guest *guest;
	struct region region[SLOT_MAX][SLOT_MAX_VIEWS];
	struct recent recent[SPACE_MAX_LANES][RECENT];
	unsigned int nrecent[SPACE_MAX_LANES]; /* so many since the epoch began; lane's own */
	uint64_t written[SPACE_MAX_LANES]; /* values that a lane's CPU has written; lane's own */
};

/* ---- gear ---- */

static uint64_t region_gpa(const struct region *r, uint32_t moves)
{
	return r->home[moves >> 1 & 1];
}

static int region_set(
	struct kvm *k, const struct op_env *e, unsigned int slot, unsigned int view, bool there)
{
	const struct slot *s = &e->slot[slot];
	struct region *r = &k->region[slot][view];
	uint32_t moves = atomic_load_explicit(&r->moves, memory_order_relaxed);

	return guest_set_memory(k->guest, r->id, region_gpa(r, moves), s->view[view],
		there ? s->spec.size : 0, there && r->log);
}

/* Places in the guest keep the address's offset in a huge page (or in a GiB), as huge mappings want it. */
static void place_region(struct region *r, const struct slot *s, unsigned int view, uint64_t *at)
{
	uint64_t huge = (uint64_t)s->pmd_pages << s->page_shift, gib = (uint64_t)1 << 30;
	uint64_t align = s->spec.size >= gib ? gib : huge;
	uint64_t home[2], end = *at;

	for (unsigned int i = 0; i < 2; i++) {
		home[i] = (end + align - 1) / align * align + s->view[view] % align;
		end = home[i] + s->spec.size;
	}
	if (end > GUEST_END)
		return;
	r->home[0] = home[0];
	r->home[1] = home[1];
	*at = end;
}

static int add_region(
	struct kvm *k, const struct op_env *e, unsigned int slot, unsigned int view, uint64_t *at)
{
	struct region *r = &k->region[slot][view];
	int err;

	r->id = slot * SLOT_MAX_VIEWS + view;
	place_region(r, &e->slot[slot], view, at);
	if (!r->home[0])
		return 0;
	r->dirty = calloc((e->slot[slot].pages + 63) / 64, sizeof(*r->dirty));
	if (!r->dirty)
		return -ENOMEM;
	err = region_set(k, e, slot, view, true);
	r->there = err == 0;
	return err;
}

static void kvm_close(void *state)
{
	struct kvm *k = state;

	guest_free(k->guest);
	for (unsigned int i = 0; i < SLOT_MAX; i++)
		for (unsigned int v = 0; v < SLOT_MAX_VIEWS; v++)
			free(k->region[i][v].dirty);
	free(k);
}

/* Every second process clears its dirty logs by hand: the other way that there is. */
static int kvm_open(const struct op_env *e, void **ret)
{
	struct kvm *k = calloc(1, sizeof(*k));
	uint64_t at = GUEST_FIRST;
	int r;

	if (!k)
		return -ENOMEM;
	r = guest_new(e->proc & 1, &k->guest);
	for (unsigned int i = 0; i < e->nslots; i++)
		for (unsigned int v = 0; r == 0 && e->slot[i].present && v < e->slot[i].nviews; v++)
			r = add_region(k, e, i, v, &at);
	if (r < 0) {
		kvm_close(k);
		return r;
	}
	*ret = k;
	return 0;
}

/*
 * Regions stay over epochs: the addresses are the same, and what KVM knew of the pages it must have forgotten as they were unmapped.
 * One that could not be put back is.
 */
static void kvm_begin(struct op_env *e, void *state)
{
	struct kvm *k = state;

	for (unsigned int i = 0; i < e->nslots; i++) {
		for (unsigned int v = 0; v < SLOT_MAX_VIEWS; v++) {
			struct region *r = &k->region[i][v];

			if (r->home[0] && !r->there) {
				r->there = region_set(k, e, i, v, true) == 0;
				atomic_fetch_and(&r->moves, r->there ? ~1u : ~0u);
			}
		}
	}
	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++)
		k->nrecent[l] = 0;
}

static const struct gear gear_kvm;

static struct kvm *kvm_of(const struct op_env *e)
{
	return gear_of(e, &gear_kvm);
}

/* ---- running the guest ---- */

struct errand {
	struct kvm *kvm;
	unsigned int cpu;
	enum guest_how how;
	uint32_t turns;
	struct guest_words *words;
};

static long run_guest(void *arg)
{
	const struct errand *r = arg;

	return guest_run(r->kvm->guest, r->cpu, r->how, r->turns, r->words);
}

/*
 * Runs the lane's CPU over words whose gpa is the offset in the view. -EFAULT: the host's page tables do not allow it; -EBUSY: the region
 * moved meanwhile, or is about to.
 */
static long run_words(struct op_env *e, unsigned int slot, unsigned int view, enum guest_how how,
	uint32_t turns, struct guest_words *w)
{
	struct kvm *k = kvm_of(e);
	struct region *r = &k->region[slot][view];
	uint32_t before = atomic_load_explicit(&r->moves, memory_order_acquire);
	struct errand errand = {k, e->lane, how, turns, w};
	unsigned int n = w->n;
	uint64_t gpa = region_gpa(r, before);
	long err;

	if (!gpa)
		return -ENODEV;
	if (before & 1)
		return -EBUSY;
	for (unsigned int i = 0; i < n; i++)
		w->word[i].gpa += gpa;
	err = cells_guarded(e->cells, slot, view, run_guest, &errand);
	for (unsigned int i = 0; i < n; i++)
		w->word[i].gpa -= gpa;
	if (err == -EINTR)
		w->n = 0; /* a signal ended it: nothing is known */
	if (err != -EFAULT && err != -ENXIO)
		return err == -EINTR ? -EFAULT : err;
	return atomic_load_explicit(&r->moves, memory_order_acquire) == before ? -EFAULT : -EBUSY;
}

/* The looks' words in the guest, from look `first` on. */
static void words_of(const struct op_env *e, const struct cell_looks *l, unsigned int first,
	struct guest_words *w)
{
	uint32_t shift = e->slot[l->slot].page_shift;

	w->n = l->n - first;
	for (unsigned int i = 0; i < w->n; i++) {
		const struct cell_look *k = &l->look[first + i];

		w->word[i].gpa = ((uint64_t)k->page << shift) + k->byte;
		w->word[i].value = k->seen;
	}
}

enum { SKIPS = 8 };

/* Reads or writes all looks by the guest; a word that cannot be reached is left out. The last error, or 0. */
static long run_looks(struct op_env *e, struct cell_looks *l, enum guest_how how)
{
	struct guest_words w;
	long r, err = 0;

	for (unsigned int i = 0, skips = 0; i < l->n && skips < SKIPS; skips++, i++) {
		words_of(e, l, i, &w);
		r = run_words(e, l->slot, l->view, how, 0, &w);
		if (r < 0 && i + w.n == l->n)
			w.n = 0; /* it was not even begun */
		for (unsigned int n = 0; n < w.n; n++, i++) {
			l->look[i].seen = w.word[n].value;
			l->look[i].got = true;
		}
		if (r < 0)
			err = r;
		if (r < 0 && r != -EFAULT)
			break;
	}
	return err;
}

/* ---- ranges ---- */

static uint32_t step_of(const struct op_env *e, const struct op_span *s, uint32_t most)
{
	uint32_t grain = 1u << e->cells->space[s->slot_no].grain_shift, step = s->pages / most;

	step = (step + grain - 1) / grain * grain;
	return step ? step : grain;
}

/* Pages of the range at which there are cells, as far as there is room. */
static struct cell_looks looks_of(
	struct op_env *e, const struct op_call *c, uint32_t byte, uint32_t most)
{
	struct op_span s = op_range(e, c);
	struct cell_looks l = {.slot = s.slot_no, .view = s.view};
	uint32_t grain = 1u << e->cells->space[s.slot_no].grain_shift, step = step_of(e, &s, most);
	struct kvm *k = kvm_of(e);

	for (uint32_t p = s.page / grain * grain; p < s.page + s.pages && l.n < most; p += step)
		if (p >= s.page)
			cells_look_at(&l, p, byte);
	if (!l.n)
		cells_look_at(&l, s.page, byte);
	k->recent[e->lane][k->nrecent[e->lane]++ % RECENT] =
		(struct recent){s.slot_no, s.view, l.look[0].page, step};
	return l;
}

static bool has_no_region(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	const struct kvm *k = kvm_of(e);

	return !k || !k->region[s.slot_no][s.view].home[0];
}

static const struct op_errno errnos_run[] = {
	{EFAULT, WHEN_HOLE | WHEN_SHORT | WHEN_TIGHT}, /* or write-protected */
	{EBUSY, WHEN_ALWAYS}, /* another lane moves the region */
	{ENOMEM, WHEN_ALWAYS}, /* for a CPU, on its first use */
	{ENODEV, WHEN_ODD}, /* the slot did not fit into the guest */
	{0, 0},
};

static const struct arg_desc range_args[] = {ARGS_RANGE, {.kind = ARG_END}};

/* ---- reading ---- */

static long run_read(struct op_env *e, const struct op_call *c)
{
	struct cell_looks l = looks_of(e, c, cell_byte(e->lane), CELL_LOOKS);
	long r = run_looks(e, &l, GUEST_READ);

	for (unsigned int i = 0; i < l.n; i++)
		if (l.look[i].got)
			cells_judge_seen(e->cells, l.slot, l.view, l.look[i].page, l.look[i].seen,
				"KVM guest");
	return r;
}

const struct op op_kvm_read = {
	.name = "kvm_read",
	.help = "a guest's CPU reads the lane's cells of a range",
	.exercises = "kvm_tdp_page_fault kvm_faultin_pfn hva_to_pfn kvm_tdp_mmu_map "
		     "kvm_mmu_max_mapping_level",
	.weight = 3,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_KVM},
	.nneeds = 1,
	.gear = &gear_kvm,
	.args = range_args,
	.errnos = errnos_run,
	.run = run_read,
	.odd = has_no_region,
};

static long run_check(struct op_env *e, const struct op_call *c)
{
	struct cell_looks l = looks_of(e, c, cell_byte(e->lane), CELL_LOOKS);
	long r;

	cells_look_before(e->cells, &l);
	r = run_looks(e, &l, GUEST_READ);
	cells_look_after(e->cells, &l, "KVM guest");
	return r;
}

const struct op op_kvm_check = {
	.name = "kvm_check",
	.help = "the CPU, a guest's CPU and the CPU again read the lane's cells of a range: all "
		"must be one",
	.exercises = "kvm_mmu_notifier_invalidate_range_start kvm_unmap_gfn_range "
		     "kvm_tdp_mmu_unmap_gfn_range kvm_tdp_page_fault",
	.weight = 4,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_KVM},
	.nneeds = 1,
	.gear = &gear_kvm,
	.args = range_args,
	.errnos = errnos_run,
	.run = run_check,
	.odd = has_no_region,
};

/* ---- writing ---- */

/* Values that no other CPU writes, none of them 0, with room to count up. */
static uint64_t next_value(struct op_env *e)
{
	uint64_t n = ++kvm_of(e)->written[e->lane] & 0xffffffff;

	return (uint64_t)(e->lane + 1) << 56 | n << 20;
}

static long write_looks(struct op_env *e, struct cell_looks *l)
{
	for (unsigned int i = 0; i < l->n; i++)
		l->look[i].seen = next_value(e);
	cells_look_mark(e->cells, l);
	return run_looks(e, l, GUEST_WRITE);
}

static long run_write(struct op_env *e, const struct op_call *c)
{
	struct cell_looks l = looks_of(e, c, cell_tail(CELL_TAIL_KVM, e->lane), CELL_LOOKS);
	long r = write_looks(e, &l);

	cells_look_wrote(e->cells, &l, "KVM guest write");
	return r;
}

const struct op op_kvm_write = {
	.name = "kvm_write",
	.help = "a guest's CPU writes words of its own into a range; the CPU must read them",
	.exercises = "kvm_tdp_page_fault hva_to_pfn_slow kvm_set_pfn_dirty mark_page_dirty_in_slot",
	.weight = 3,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_KVM},
	.nneeds = 1,
	.gear = &gear_kvm,
	.args = range_args,
	.errnos = errnos_run,
	.run = run_write,
	.odd = has_no_region,
};

enum { RUN_ARG_TURNS = 4, RUN_WORDS = 8, RUN_TURNS = 4096 };

static const struct arg_desc run_args[] = {
	ARGS_RANGE,
	{"turns", ARG_INT, RUN_TURNS, NULL, "how often round"},
	{.kind = ARG_END},
};

/* Long enough that others act meanwhile. */
static void tune_run(struct op_call *c, struct rng *r)
{
	c->arg[RUN_ARG_TURNS] = RUN_TURNS >> rng_below(r, 6);
}

static long run_count(struct op_env *e, const struct op_call *c)
{
	struct cell_looks l = looks_of(e, c, cell_tail(CELL_TAIL_KVM, e->lane), RUN_WORDS);
	struct guest_words w = {0};
	long r = write_looks(e, &l);

	for (unsigned int i = 0; i < l.n; i++)
		if (!l.look[i].got)
			return r < 0 ? r : -EFAULT;
	words_of(e, &l, 0, &w);
	r = run_words(e, l.slot, l.view, GUEST_COUNT, c->arg[RUN_ARG_TURNS], &w);
	if (!w.n)
		return r;
	for (unsigned int i = 0; i < l.n; i++)
		l.look[i].seen = w.word[i].value;
	if (w.odd && cells_look_holds(e->cells, &l, w.odd_word))
		cells_look_report(e->cells, &l, w.odd_word, EVIDENCE_MMU, w.word[w.odd_word].value,
			w.odd_value, "KVM guest count");
	cells_look_wrote(e->cells, &l, "KVM guest write");
	return r;
}

const struct op op_kvm_run = {
	.name = "kvm_run",
	.help = "a guest's CPU checks and increments words of its own in a tight loop: sees a lost "
		"write",
	.exercises = "kvm_mmu_notifier_invalidate_range_start kvm_tdp_mmu_unmap_gfn_range "
		     "kvm_flush_remote_tlbs mmu_invalidate_retry_gfn",
	.weight = 4,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_KVM},
	.nneeds = 1,
	.gear = &gear_kvm,
	.args = run_args,
	.errnos = errnos_run,
	.run = run_count,
	.odd = has_no_region,
	.tune = tune_run,
};

/* ---- memory slots ---- */

static struct region *region_take(struct op_env *e, const struct op_span *s)
{
	struct region *r = &kvm_of(e)->region[s->slot_no][s->view];

	/* pairs with region_give() */
	if (atomic_exchange_explicit(&r->busy, true, memory_order_acquire))
		return NULL;
	return r;
}

static void region_give(struct region *r)
{
	atomic_store_explicit(&r->busy, false, memory_order_release);
}

static const struct arg_desc view_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "what it acts on"},
	{"view", ARG_VIEW, 0, NULL, "through which mapping"},
	{.kind = ARG_END},
};

static const struct op_errno errnos_region[] = {
	{EBUSY, WHEN_ALWAYS}, /* another lane changes it */
	{ENOMEM, WHEN_ALWAYS},
	{ENODEV, WHEN_ODD},
	{0, 0},
};

static long run_slot_move(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct kvm *k = kvm_of(e);
	struct region *r = region_take(e, &s);
	uint32_t moves;
	long err;

	if (!r)
		return -EBUSY;
	err = r->there ? 0 : r->home[0] ? -EBUSY : -ENODEV;
	if (err == 0) {
		moves = atomic_fetch_add_explicit(&r->moves, 1, memory_order_acq_rel);
		err = guest_set_memory(k->guest, r->id, region_gpa(r, moves + 2),
			s.slot->view[s.view], s.slot->spec.size, r->log);
		atomic_store_explicit(
			&r->moves, err == 0 ? moves + 2 : moves, memory_order_release);
	}
	region_give(r);
	return err;
}

const struct op op_kvm_slot_move = {
	.name = "kvm_slot_move",
	.help = "moves a view to its other place in the guest",
	.exercises = "kvm_set_memslot kvm_invalidate_memslot kvm_arch_flush_shadow_memslot "
		     "kvm_replace_memslot",
	.weight = 1,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_KVM},
	.nneeds = 1,
	.gear = &gear_kvm,
	.args = view_args,
	.errnos = errnos_region,
	.run = run_slot_move,
	.odd = has_no_region,
};

enum { DELETE_ARG_HOLD = 2 };

static const struct arg_desc delete_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "what it acts on"},
	{"view", ARG_VIEW, 0, NULL, "through which mapping"},
	{"hold", ARG_NS, 200000, NULL, "how long it stays away"},
	{.kind = ARG_END},
};

static long delete_and_add(struct op_env *e, const struct op_span *s, struct region *r, uint64_t ns)
{
	struct kvm *k = kvm_of(e);
	uint32_t moves = atomic_fetch_add_explicit(&r->moves, 1, memory_order_acq_rel);
	uint64_t until = clock_ticks() + clock_from_ns(ns);
	long err = region_set(k, e, s->slot_no, s->view, false);

	if (err < 0) {
		atomic_store_explicit(&r->moves, moves, memory_order_release);
		return err;
	}
	clock_spin_until(until);
	err = guest_set_memory(k->guest, r->id, region_gpa(r, moves + 2), s->slot->view[s->view],
		s->slot->spec.size, r->log);
	r->there = err == 0;
	/* One that is not there stays odd until the next epoch. */
	atomic_store_explicit(&r->moves, moves + (r->there ? 2 : 3), memory_order_release);
	return err;
}

static long run_slot_delete(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct region *r = region_take(e, &s);
	long err;

	if (!r)
		return -EBUSY;
	err = r->there	   ? delete_and_add(e, &s, r, c->arg[DELETE_ARG_HOLD])
	      : r->home[0] ? -EBUSY
			   : -ENODEV;
	region_give(r);
	return err;
}

const struct op op_kvm_slot_delete = {
	.name = "kvm_slot_delete",
	.help = "takes a view away from the guest and gives it back, at its other place",
	.exercises = "kvm_set_memslot kvm_delete_memslot kvm_mmu_zap_all_fast kvm_create_memslot",
	.weight = 1,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_KVM},
	.nneeds = 1,
	.gear = &gear_kvm,
	.args = delete_args,
	.errnos = errnos_region,
	.run = run_slot_delete,
	.odd = has_no_region,
};

/* ---- dirty log ---- */

enum { LOG_ARG_THEN = 4 };
enum then { THEN_OFF, THEN_ON };

static const struct arg_word then_words[] = {{"off", THEN_OFF}, {"on", THEN_ON}, {NULL, 0}};

static const struct arg_desc log_args[] = {
	ARGS_RANGE,
	{"then", ARG_ENUM, 0, then_words, "whether pages are logged from then on"},
	{.kind = ARG_END},
};

static long set_log(struct op_env *e, const struct op_span *s, struct region *r, bool log)
{
	bool was = r->log;
	long err;

	if (log == was)
		return 0;
	r->log = log;
	err = region_set(kvm_of(e), e, s->slot_no, s->view, true);
	if (err < 0)
		r->log = was;
	return err;
}

/* Reads the log away. */
static long take_log(struct op_env *e, const struct op_span *s, struct region *r)
{
	struct guest *g = kvm_of(e)->guest;
	long err = guest_read_log(g, r->id, r->dirty);

	if (err < 0 || !guest_has_manual_log(g))
		return err;
	return guest_clear_log(g, r->id, 0, s->slot->pages, r->dirty);
}

/* What the guest has written since the log was taken must be in it. */
static void judge_log(struct op_env *e, const struct cell_looks *l, const struct region *r)
{
	for (unsigned int i = 0; i < l->n; i++) {
		uint32_t page = l->look[i].page;

		if (l->look[i].got && !(r->dirty[page / 64] >> page % 64 & 1))
			cells_look_report(e->cells, l, i, EVIDENCE_DIRTY, 1, 0, "KVM guest log");
	}
}

static long check_log(
	struct op_env *e, const struct op_call *c, const struct op_span *s, struct region *r)
{
	struct cell_looks l = looks_of(e, c, cell_tail(CELL_TAIL_KVM, e->lane), CELL_LOOKS);
	long written, err = set_log(e, s, r, true);

	if (err == 0)
		err = take_log(e, s, r);
	if (err < 0)
		return err;
	written = write_looks(e, &l);
	err = guest_read_log(kvm_of(e)->guest, r->id, r->dirty);
	if (err == 0)
		judge_log(e, &l, r);
	cells_look_wrote(e->cells, &l, "KVM guest write");
	if (err == 0 && then_words[c->arg[LOG_ARG_THEN]].value == THEN_OFF)
		err = set_log(e, s, r, false);
	return err < 0 ? err : written;
}

static long run_dirty_log(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct region *r = region_take(e, &s);
	long err;

	if (!r)
		return -EBUSY;
	err = r->there ? check_log(e, c, &s, r) : r->home[0] ? -EBUSY : -ENODEV;
	region_give(r);
	return err;
}

const struct op op_kvm_dirty_log = {
	.name = "kvm_dirty_log",
	.help = "has a guest's CPU write into a range while dirty pages are logged: the log must "
		"name them",
	.exercises = "kvm_vm_ioctl_get_dirty_log kvm_clear_dirty_log_protect "
		     "kvm_arch_mmu_enable_log_dirty_pt_masked kvm_mmu_slot_apply_flags "
		     "mark_page_dirty_in_slot kvm_mmu_try_split_huge_pages",
	.weight = 2,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_KVM},
	.nneeds = 1,
	.gear = &gear_kvm,
	.args = log_args,
	.errnos = errnos_run,
	.run = run_dirty_log,
	.odd = has_no_region,
};

/* ---- mapping ahead ---- */

struct ahead {
	struct kvm *kvm;
	unsigned int cpu;
	uint64_t gpa, len;
};

static long prefault(void *arg)
{
	const struct ahead *a = arg;

	return guest_prefault(a->kvm->guest, a->cpu, a->gpa, a->len);
}

/* Memory that is poisoned raises SIGBUS here, too (kvm_handle_error_pfn). */
static long run_prefault(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct kvm *k = kvm_of(e);
	struct region *r = &k->region[s.slot_no][s.view];
	uint32_t before = atomic_load_explicit(&r->moves, memory_order_acquire);
	uint64_t gpa = region_gpa(r, before);
	struct ahead a = {k, e->lane, gpa + ((uint64_t)s.page << s.slot->page_shift), s.len};
	long err;

	if (!gpa)
		return -ENODEV;
	if (before & 1)
		return -EBUSY;
	err = cells_guarded(e->cells, s.slot_no, s.view, prefault, &a);
	err = err == -EINTR ? -EFAULT : err;
	if (err < 0 && atomic_load_explicit(&r->moves, memory_order_acquire) != before)
		return -EBUSY;
	return err;
}

const struct op op_kvm_prefault = {
	.name = "kvm_prefault",
	.help = "has a guest's CPU map a range ahead (KVM_PRE_FAULT_MEMORY)",
	.exercises = "kvm_vcpu_pre_fault_memory kvm_arch_vcpu_pre_fault_memory kvm_tdp_map_page",
	.weight = 1,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_KVM, CAP_HAS_KVM_PREFAULT},
	.nneeds = 2,
	.gear = &gear_kvm,
	.args = range_args,
	.errnos = errnos_run,
	.run = run_prefault,
	.odd = has_no_region,
};

/* ---- quiesce ---- */

static void check_recent(struct op_env *e, const struct recent *r)
{
	struct cell_looks l = {.slot = r->slot, .view = r->view};
	const struct slot *s = &e->slot[r->slot];

	for (uint32_t p = r->page, n = 0; p < s->pages && n < CELL_LOOKS; p += r->step, n++)
		cells_look_stamped(e->cells, &l, p, n % e->cells->nlanes);
	if (!l.n)
		return;
	cells_look_before(e->cells, &l);
	run_looks(e, &l, GUEST_READ);
	cells_look_after(e->cells, &l, "KVM guest at rest");
}

static void kvm_check(struct op_env *e, void *state)
{
	const struct kvm *k = state;

	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++)
		for (unsigned int i = 0; i < RECENT && i < k->nrecent[l]; i++)
			check_recent(e, &k->recent[l][i]);
}

static const struct gear gear_kvm = {
	.name = "a virtual machine",
	.open = kvm_open,
	.begin = kvm_begin,
	.check = kvm_check,
	.close = kvm_close,
};
