/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device of test_hmm as a second MMU (sys/dmirror.h): it mirrors the executor's address space, reads and writes whole pages
 * through its own page tables, takes anonymous pages into its own memory, and asks for exclusive access.
 */
#include "op/op.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backings.h"
#include "mem/cell.h"
#include "result.h"
#include "sys/dmirror.h"

enum { MOST_PAGES = 512, RECENT = 4 };

/*
 * Who takes pages into its memory, and who reads and writes. A device that finds its own memory in the page tables once its mirror has
 * forgotten it reads where there is nothing (dmirror_do_fault() stores the page itself, not what backs it: an oops of the test
 * driver's own); another device's memory is brought back first.
 */
enum { DEV_TAKES, DEV_LOOKS, DEVS };

struct recent {
	unsigned int slot, view;
	uint32_t page, pages;
};

struct mirror {
	int fd[DEVS];
	unsigned int ndevs;
	char *buffer[SPACE_MAX_LANES]; /* MOST_PAGES each */
	size_t size; /* of all buffers */
	struct recent recent[SPACE_MAX_LANES][RECENT];
	unsigned int nrecent[SPACE_MAX_LANES]; /* since the epoch began; lane's own */
	/* Requests for exclusive access, so that one alone can be told. */
	_Atomic uint32_t begun, ended;
};

/* ---- gear ---- */

static void mirror_close(void *state)
{
	struct mirror *m = state;

	for (unsigned int i = 0; i < m->ndevs; i++)
		close(m->fd[i]);
	if (m->buffer[0])
		munmap(m->buffer[0], m->size);
	free(m);
}

static int make_buffers(struct mirror *m, const struct op_env *e)
{
	size_t each = MOST_PAGES * e->machine->page_size;
	void *p;

	m->size = SPACE_MAX_LANES * each;
	p = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);
	if (p == MAP_FAILED)
		return -errno;
	madvise(p, m->size, MADV_NOHUGEPAGE);
	madvise(p, m->size, MADV_DONTFORK);
	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++)
		m->buffer[l] = (char *)p + l * each;
	return 0;
}

/* A device mirrors the address space that opens it: each executor opens them for itself. */
static int mirror_open(const struct op_env *e, void **ret)
{
	struct mirror *m = calloc(1, sizeof(*m));
	char path[64];
	int r;

	if (!m)
		return -ENOMEM;
	r = make_buffers(m, e);
	for (unsigned int i = 0; r == 0 && i < DEVS; i++) {
		int fd;

		snprintf(path, sizeof(path), DMIRROR_PATH, i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			r = -errno;
		else
			m->fd[m->ndevs++] = fd;
	}
	if (r < 0) {
		mirror_close(m);
		return r;
	}
	*ret = m;
	return 0;
}

static void mirror_begin(struct op_env *e, void *state)
{
	struct mirror *m = state;

	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++)
		m->nrecent[l] = 0;
}

static const struct gear gear_dmirror;

static struct mirror *mirror_of(const struct op_env *e)
{
	return gear_of(e, &gear_dmirror);
}

/* ---- commands ---- */

static const struct arg_desc range_args[] = {ARGS_RANGE, {.kind = ARG_END}};

/* The call's range, cut to what one command may take. */
static struct op_span span_of(const struct op_env *e, const struct op_call *c, uint32_t most)
{
	struct op_span s = op_range(e, c);

	if (s.pages > most) {
		s.pages = most;
		s.len = (size_t)most << s.slot->page_shift;
	}
	return s;
}

static long command(struct op_env *e, unsigned int dev, unsigned long what, const struct op_span *s,
	struct dmirror_cmd *cmd)
{
	struct mirror *m = mirror_of(e);

	*cmd = (struct dmirror_cmd){
		.addr = s->addr, .ptr = (uintptr_t)m->buffer[e->lane], .npages = s->pages};
	return result_of(ioctl(m->fd[dev], what, cmd));
}

static void remember(struct op_env *e, const struct op_span *s)
{
	struct mirror *m = mirror_of(e);

	m->recent[e->lane][m->nrecent[e->lane]++ % RECENT] =
		(struct recent){s->slot_no, s->view, s->page, s->pages};
}

/* A word that a command has brought into the lane's buffer. */
static uint64_t brought(
	const struct op_env *e, const struct op_span *s, uint32_t page, uint32_t byte)
{
	const char *at = mirror_of(e)->buffer[e->lane] +
			 ((size_t)(page - s->page) << s->slot->page_shift) + byte;
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static uint32_t grain_of(const struct op_env *e, const struct op_span *s)
{
	return 1u << e->cells->space[s->slot_no].grain_shift;
}

/* First page of the span at which there are cells; may lie behind it. */
static uint32_t first_page(const struct op_env *e, const struct op_span *s)
{
	uint32_t grain = grain_of(e, s);

	return (s->page + grain - 1) / grain * grain;
}

static void judge_brought(struct op_env *e, const struct op_span *s, const char *what)
{
	for (uint32_t p = first_page(e, s); p < s->page + s->pages; p += grain_of(e, s))
		cells_judge_seen(e->cells, s->slot_no, s->view, p,
			brought(e, s, p, cell_byte(e->lane)), what);
}

static const struct op_errno errnos_access[] = {
	{EFAULT, WHEN_HOLE | WHEN_SHORT | WHEN_TIGHT},
	{EPERM, WHEN_HOLE}, /* a write to what is read-only (hmm_vma_fault()) */
	{EBUSY, WHEN_ALWAYS}, /* invalidated again and again for a second */
	{ENOMEM, WHEN_ALWAYS}, /* for the device's buffer */
	{0, 0},
};

/* ---- reading ---- */

static long run_read(struct op_env *e, const struct op_call *c)
{
	struct op_span s = span_of(e, c, MOST_PAGES);
	struct dmirror_cmd cmd;
	long r = command(e, DEV_LOOKS, DMIRROR_READ, &s, &cmd);

	remember(e, &s);
	if (r == 0)
		judge_brought(e, &s, "device mirror");
	return r;
}

const struct op op_dmirror_read = {
	.name = "dmirror_read",
	.help = "a device reads a range through its mirror of the page tables",
	.exercises = "hmm_range_fault hmm_vma_walk_pmd mmu_interval_read_begin "
		     "mn_itree_invalidate",
	.hazard = HAZARD_ROOT,
	.weight = 2,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_DMIRROR},
	.nneeds = 1,
	.gear = &gear_dmirror,
	.args = range_args,
	.errnos = errnos_access,
	.run = run_read,
};

static void looks_brought(struct op_env *e, const struct op_span *s, struct cell_looks *l)
{
	for (unsigned int i = 0; i < l->n; i++) {
		l->look[i].seen = brought(e, s, l->look[i].page, l->look[i].byte);
		l->look[i].got = true;
	}
}

static long run_check(struct op_env *e, const struct op_call *c)
{
	struct op_span s = span_of(e, c, CELL_LOOKS);
	struct cell_looks l = {.slot = s.slot_no, .view = s.view};
	struct dmirror_cmd cmd;
	long r;

	for (uint32_t p = first_page(e, &s); p < s.page + s.pages; p += grain_of(e, &s))
		cells_look_at(&l, p, cell_byte(e->lane));
	cells_look_before(e->cells, &l);
	r = command(e, DEV_LOOKS, DMIRROR_READ, &s, &cmd);
	remember(e, &s);
	if (r == 0)
		looks_brought(e, &s, &l);
	cells_look_after(e->cells, &l, "device mirror");
	return r;
}

const struct op op_dmirror_check = {
	.name = "dmirror_check",
	.help = "the CPU, a device and the CPU again read the lane's cells of a range: all must be "
		"one",
	.exercises = "hmm_range_fault mmu_interval_read_retry mn_itree_invalidate "
		     "__mmu_notifier_invalidate_range_start",
	.hazard = HAZARD_ROOT,
	.weight = 3,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_DMIRROR},
	.nneeds = 1,
	.gear = &gear_dmirror,
	.args = range_args,
	.errnos = errnos_access,
	.run = run_check,
};

/* ---- writing ---- */

/*
 * The device writes whole pages, other lanes' cells among them: zeroes, which the model knows. test_hmm never tells the kernel
 * that it has dirtied a page: one whose copy is in swap may come back from there as it was.
 */
static unsigned int effects_write(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = span_of(e, c, MOST_PAGES);
	bool swaps = backing_in(s.slot, BACKING_BIT(BACKING_ANON)) && !caps_missing(CAP_HAS_SWAP);

	eff[0] = op_effect(&s, swaps		     ? EFFECT_ZERO | EFFECT_STALE
			       : op_span_aligned(&s) ? EFFECT_ZEROED
						     : EFFECT_ZERO);
	return 1;
}

static long run_write(struct op_env *e, const struct op_call *c)
{
	struct op_span s = span_of(e, c, MOST_PAGES);
	struct dmirror_cmd cmd;

	memset(mirror_of(e)->buffer[e->lane], 0, s.len);
	remember(e, &s);
	return command(e, DEV_LOOKS, DMIRROR_WRITE, &s, &cmd);
}

const struct op op_dmirror_write = {
	.name = "dmirror_write",
	.help = "a device zeroes the pages of a range through its mirror of the page tables",
	.exercises = "hmm_range_fault hmm_vma_fault handle_mm_fault mn_itree_invalidate",
	.hazard = HAZARD_ROOT,
	.weight = 1,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_DMIRROR},
	.nneeds = 1,
	.wants = {CAP_HAS_SWAP},
	.nwants = 1,
	.gear = &gear_dmirror,
	.args = range_args,
	.errnos = errnos_access,
	.run = run_write,
	.effects = effects_write,
};

/* ---- device memory ---- */

static const struct op_errno errnos_migrate[] = {
	{ENOENT, WHEN_ALWAYS}, /* not all of it went, or some has come back already */
	{EINVAL, WHEN_HOLE | WHEN_SPLIT}, /* no VMA, or one that cannot be read */
	{ENOMEM, WHEN_ALWAYS},
	{0, 0},
};

static long run_to_dev(struct op_env *e, const struct op_call *c)
{
	struct op_span s = span_of(e, c, MOST_PAGES);
	struct dmirror_cmd cmd;
	long r = command(e, DEV_TAKES, DMIRROR_MIGRATE_TO_DEV, &s, &cmd);

	remember(e, &s);
	if (r == 0) {
		judge_brought(e, &s, "device memory");
		e->migrated += cmd.cpages;
	}
	return r;
}

/* Small ranges: a page that does not go makes the whole call fail. */
static void tune_migrate(struct op_call *c, struct rng *r)
{
	if (rng_below(r, 2))
		c->arg[3] = 1u << rng_below(r, 6);
}

const struct op op_dmirror_migrate_to_dev = {
	.name = "dmirror_migrate_to_dev",
	.help = "a device takes the pages of a range into its own memory",
	.exercises = "migrate_vma_setup migrate_vma_collect_pmd migrate_vma_pages "
		     "migrate_vma_finalize migrate_vma_insert_page try_to_migrate_one",
	.hazard = HAZARD_ROOT,
	.weight = 2,
	.backings = BACKING_BIT(BACKING_ANON),
	.needs = {CAP_HAS_DMIRROR},
	.nneeds = 1,
	.gear = &gear_dmirror,
	.args = range_args,
	.errnos = errnos_migrate,
	.run = run_to_dev,
	.tune = tune_migrate,
};

static long run_to_sys(struct op_env *e, const struct op_call *c)
{
	struct op_span s = span_of(e, c, MOST_PAGES);
	struct dmirror_cmd cmd;
	long r = command(e, DEV_TAKES, DMIRROR_MIGRATE_TO_SYS, &s, &cmd);

	if (r == 0)
		e->migrated += cmd.cpages;
	return r;
}

const struct op op_dmirror_migrate_to_sys = {
	.name = "dmirror_migrate_to_sys",
	.help = "a device gives the pages of a range back from its own memory",
	.exercises = "migrate_vma_setup migrate_vma_collect_pmd migrate_vma_pages "
		     "migrate_vma_finalize remove_migration_pte free_zone_device_folio",
	.hazard = HAZARD_ROOT,
	.weight = 1,
	.backings = BACKING_BIT(BACKING_ANON),
	.needs = {CAP_HAS_DMIRROR},
	.nneeds = 1,
	.gear = &gear_dmirror,
	.args = range_args,
	.errnos = errnos_migrate,
	.run = run_to_sys,
	.tune = tune_migrate,
};

/* ---- exclusive access ---- */

static const struct op_errno errnos_exclusive[] = {
	{EBUSY, WHEN_ALWAYS}, /* not all of it: tails of huge pages, pages in use, nothing there */
	{ENOENT, WHEN_ALWAYS}, /* the CPU has taken some of it back already */
	{ENOMEM, WHEN_ALWAYS},
	{0, 0},
};

/* The CPU has touched the page: the device's access must have ended, unless somebody asks for it anew. */
static void check_ended(struct op_env *e, const struct op_span *s)
{
	struct mirror *m = mirror_of(e);
	struct op_span one = *s;
	struct cell_looks l = {.slot = s->slot_no, .view = s->view};
	uint32_t begun = atomic_load(&m->begun), ended = atomic_load(&m->ended);
	struct dmirror_cmd cmd;
	uint64_t v;

	one.pages = 1;
	cells_look_at(&l, s->page, cell_byte(e->lane));
	cells_look_mark(e->cells, &l);
	if (!cells_peek(e->cells, s->slot_no, s->view, s->page, cell_byte(e->lane), &v))
		return;
	if (command(e, DEV_LOOKS, DMIRROR_CHECK_EXCLUSIVE, &one, &cmd) == -EPERM &&
		begun == ended && atomic_load(&m->begun) == begun)
		cells_look_report(e->cells, &l, 0, EVIDENCE_MMU, 0, 1, "device's exclusive access");
}

static long run_exclusive(struct op_env *e, const struct op_call *c)
{
	struct op_span s = span_of(e, c, MOST_PAGES);
	struct mirror *m = mirror_of(e);
	struct dmirror_cmd cmd;
	long r;

	atomic_fetch_add(&m->begun, 1);
	r = command(e, DEV_LOOKS, DMIRROR_EXCLUSIVE, &s, &cmd);
	atomic_fetch_add(&m->ended, 1);
	remember(e, &s);
	if (r == 0) {
		judge_brought(e, &s, "device's exclusive access");
		check_ended(e, &s);
	}
	return r;
}

/* The head of a huge page is what can be had without splitting it. */
static void tune_exclusive(struct op_call *c, struct rng *r)
{
	if (rng_below(r, 4))
		c->arg[3] = 1;
}

const struct op op_dmirror_exclusive = {
	.name = "dmirror_exclusive",
	.help = "a device asks for exclusive access to a range; the CPU takes it back",
	.exercises = "make_device_exclusive_range page_make_device_exclusive_one "
		     "remove_device_exclusive_entry restore_exclusive_pte",
	.hazard = HAZARD_ROOT,
	.weight = 1,
	.backings = BACKING_BIT(BACKING_ANON),
	.needs = {CAP_HAS_DMIRROR},
	.nneeds = 1,
	.gear = &gear_dmirror,
	.args = range_args,
	.errnos = errnos_exclusive,
	.run = run_exclusive,
	.tune = tune_exclusive,
};

/* ---- snapshots ---- */

static bool snapshot_legal(unsigned char v)
{
	unsigned char rights = v & (DMIRROR_PROT_READ | DMIRROR_PROT_WRITE);

	if (v == DMIRROR_PROT_ERROR || v == 0)
		return true;
	return (rights == DMIRROR_PROT_READ || rights == DMIRROR_PROT_WRITE) &&
	       (v & DMIRROR_PROT_WHERE) <= DMIRROR_PROT_WHERE_MAX && !(v & 0x80);
}

/* ERANGE: a byte that means nothing. */
static long run_snapshot(struct op_env *e, const struct op_call *c)
{
	struct op_span s = span_of(e, c, MOST_PAGES);
	const unsigned char *v = (unsigned char *)mirror_of(e)->buffer[e->lane];
	struct dmirror_cmd cmd;
	long r = command(e, DEV_LOOKS, DMIRROR_SNAPSHOT, &s, &cmd);

	for (uint32_t i = 0; r == 0 && i < s.pages; i++)
		if (!snapshot_legal(v[i]))
			return -ERANGE;
	return r;
}

const struct op op_dmirror_snapshot = {
	.name = "dmirror_snapshot",
	.help = "a device asks how a range is mapped, faulting nothing in",
	.exercises = "hmm_range_fault hmm_vma_walk_pmd hmm_vma_handle_pmd hmm_vma_handle_pte "
		     "hmm_vma_walk_hugetlb_entry mmu_interval_notifier_insert",
	.hazard = HAZARD_ROOT,
	.weight = 1,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_DMIRROR},
	.nneeds = 1,
	.gear = &gear_dmirror,
	.args = range_args,
	.errnos = errnos_access,
	.run = run_snapshot,
};

/* ---- quiesce ---- */

static void check_recent(struct op_env *e, const struct recent *r)
{
	struct op_span s = {.slot = &e->slot[r->slot],
		.slot_no = r->slot,
		.view = r->view,
		.page = r->page,
		.pages = r->pages};
	struct cell_looks l = {.slot = r->slot, .view = r->view};
	struct dmirror_cmd cmd;
	unsigned int n = 0;

	for (uint32_t p = first_page(e, &s); p < s.page + s.pages; p += grain_of(e, &s))
		cells_look_stamped(e->cells, &l, p, n++ % e->cells->nlanes);
	cells_look_before(e->cells, &l);
	for (unsigned int i = 0; i < l.n; i++) { /* one by one: nothing else is faulted in */
		s.page = l.look[i].page;
		s.pages = 1;
		s.addr = slot_addr(s.slot, s.view, s.page);
		if (command(e, DEV_LOOKS, DMIRROR_READ, &s, &cmd) < 0)
			continue;
		l.look[i].seen = brought(e, &s, s.page, l.look[i].byte);
		l.look[i].got = true;
	}
	cells_look_after(e->cells, &l, "device mirror at rest");
}

/*
 * All that the device has taken comes back before others look: smaps counts what numa_maps passes over (vm_normal_page() knows no
 * device memory). Where that is refused, there is nothing mapped that could be away.
 */
static void mirror_end(struct op_env *e, void *state)
{
	struct dmirror_cmd cmd;

	for (unsigned int i = 0; i < e->nslots; i++) {
		const struct slot *s = &e->slot[i];
		struct op_span page = {.slot = s, .slot_no = i, .pages = s->pmd_pages};

		if (!s->present || !backing_in(s, BACKING_BIT(BACKING_ANON)))
			continue;
		for (uint32_t p = 0; p < s->pages; p += s->pmd_pages) {
			page.addr = slot_addr(s, 0, p);
			/* A hole ends the call: then page by page. */
			if (command(e, DEV_TAKES, DMIRROR_MIGRATE_TO_SYS, &page, &cmd) == 0)
				continue;
			page.pages = 1;
			for (uint32_t k = 0; k < s->pmd_pages; k++) {
				page.addr = slot_addr(s, 0, p + k);
				command(e, DEV_TAKES, DMIRROR_MIGRATE_TO_SYS, &page, &cmd);
			}
			page.pages = s->pmd_pages;
		}
	}
}

static void mirror_check(struct op_env *e, void *state)
{
	const struct mirror *m = state;

	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++)
		for (unsigned int i = 0; i < RECENT && i < m->nrecent[l]; i++)
			check_recent(e, &m->recent[l][i]);
}

static const struct gear gear_dmirror = {
	.name = "a device mirror",
	.open = mirror_open,
	.begin = mirror_begin,
	.check = mirror_check,
	.end = mirror_end,
	.close = mirror_close,
};
