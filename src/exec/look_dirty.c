/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Soft-dirty bits (Documentation/admin-guide/mm/soft-dirty.rst): when an epoch begins they are cleared and its pages write-protected;
 * when it is over, a page that was written since has its bit, wherever it was moved, split, collapsed or swapped in between.
 * Private anonymous memory alone: only there it is known which process's page table a write went through.
 */
#include "look.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CELLS = 1024 }; /* that are watched, of a lane and slot */
enum { ONE_IN = 3 }; /* epochs: what is write-protected faults once more */

#define PM_PRESENT (1ULL << 63)
#define PM_SWAP (1ULL << 62)
#define PM_SOFT_DIRTY (1ULL << 55)

struct dirty {
	int clear_fd;
	bool cleared; /* in this epoch */
	uint32_t gen[SLOT_MAX][SPACE_MAX_LANES][CELLS]; /* what the cells held then */
};

static bool clear_bits(const struct dirty *d)
{
	return write(d->clear_fd, "4", 1) == 1;
}

static uint64_t entry_of(const struct op_env *e, uintptr_t addr)
{
	uint64_t entry = 0;
	off_t at = (off_t)(addr / e->machine->page_size) * (off_t)sizeof(entry);

	return pread(e->pagemap_fd, &entry, sizeof(entry), at) == sizeof(entry) ? entry : 0;
}

/* Tried: kernels without CONFIG_MEM_SOFT_DIRTY take the write and show no bits. */
static bool works(const struct op_env *e, const struct dirty *d)
{
	size_t size = e->machine->page_size;
	volatile char *page =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool off, on;

	if (page == MAP_FAILED)
		return false;
	*page = 1;
	off = clear_bits(d) && !(entry_of(e, (uintptr_t)page) & PM_SOFT_DIRTY);
	*page = 2;
	on = entry_of(e, (uintptr_t)page) & PM_SOFT_DIRTY;
	munmap((void *)page, size);
	return off && on;
}

struct dirty *look_dirty_open(const struct op_env *e)
{
	struct dirty *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->clear_fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	if (d->clear_fd >= 0 && e->pagemap_fd >= 0 && works(e, d))
		return d;
	if (d->clear_fd >= 0)
		close(d->clear_fd);
	free(d);
	return NULL;
}

/* Calls each() for every watched cell of this process's lanes. */
static void each_cell(struct lane *l, struct look *look,
	void (*each)(
		struct lane *, struct look *, unsigned int, unsigned int, uint32_t, uint32_t *))
{
	struct dirty *d = l->ex->looks->dirty;

	for (unsigned int i = 0; i < l->env.nslots; i++) {
		struct space *sp = &l->ex->ctl->space[i];
		uint32_t step = sp->ncells / CELLS + 1;

		if (!l->env.slot[i].present || l->env.slot[i].spec.backing != BACKING_ANON)
			continue;
		for (unsigned int k = 0; k < l->ex->ctl->nlanes; k++)
			for (uint32_t n = 0; n < CELLS && n * step < sp->ncells &&
					     space_content(sp, l->env.proc)->shadow[k];
				n++)
				each(l, look, i, k, n * step, &d->gen[i][k][n]);
	}
}

static struct cell_shadow *shadow_of(
	struct lane *l, unsigned int slot, unsigned int lane, uint32_t cell)
{
	return &space_content(&l->ex->ctl->space[slot], l->env.proc)->shadow[lane][cell];
}

static void keep_gen(struct lane *l, struct look *look, unsigned int slot, unsigned int lane,
	uint32_t cell, uint32_t *gen)
{
	(void)look;
	*gen = atomic_load_explicit(&shadow_of(l, slot, lane, cell)->gen, memory_order_relaxed);
}

void look_dirty_begin(struct lane *l)
{
	struct dirty *d = l->ex->looks->dirty;
	uint64_t epoch = atomic_load_explicit(&l->ex->ctl->round, memory_order_relaxed) /
			 l->ex->plan->epoch_rounds;

	if (!d)
		return;
	d->cleared = epoch % ONE_IN == 0 && clear_bits(d);
	if (d->cleared)
		each_cell(l, NULL, keep_gen);
}

/* Stamped since, and nothing that may have taken the stamp away has begun since then (mem/space.h). */
static bool stamped_for_sure(
	struct lane *l, unsigned int slot, unsigned int lane, uint32_t cell, uint32_t old)
{
	struct space *sp = &l->ex->ctl->space[slot];
	struct cell_shadow *s = shadow_of(l, slot, lane, cell);
	uint32_t gen = atomic_load_explicit(&s->gen, memory_order_relaxed);
	uint32_t ze = atomic_load_explicit(&s->ze, memory_order_relaxed);

	return !(gen & CELL_GEN_ZERO) && gen != (old & ~CELL_GEN_ZERO) &&
	       track_begun(sp, &space_content(sp, l->env.proc)->zero, cell) == ze;
}

static void check_cell(struct lane *l, struct look *look, unsigned int slot, unsigned int lane,
	uint32_t cell, uint32_t *gen)
{
	const struct slot *s = &l->env.slot[slot];
	uintptr_t addr;
	uint64_t entry;

	if (!stamped_for_sure(l, slot, lane, cell, *gen))
		return;
	addr = slot_addr(s, 0, cell << l->ex->ctl->space[slot].grain_shift);
	entry = entry_of(&l->env, addr);
	if (entry & (PM_PRESENT | PM_SWAP) && !(entry & PM_SOFT_DIRTY))
		look_differs(look, LOOK_SOFT_DIRTY,
			(struct look_case){.expected = entry | PM_SOFT_DIRTY,
				.seen = entry,
				.addr = addr,
				.slot = (uint8_t)slot});
}

void look_dirty(struct lane *l, struct looks *p, struct look *look)
{
	if (p->dirty && p->dirty->cleared)
		each_cell(l, look, check_cell);
}
