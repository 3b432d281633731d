/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "look.h"
#include "base/clock.h"
#include "lines.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <numaif.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { TEXT_SIZE = 65536 };
enum { LOOKS = 6 }; /* a difference that so many looks in a row show is no passing one */
enum { SHARE = 16 }; /* at most this fraction of the time goes into looking */

static const struct {
	enum evidence_kind kind;
	const char *what;
} checks[LOOK_CHECKS] = {
#define X(id, evidence, what) {EVIDENCE_##evidence, what},
	LOOK_LIST(X)
#undef X
};

/* All that plan_has() is asked about. */
static const char *const minded[] = {"clear_refs", "cpu_offline", "dmirror_exclusive",
	"dmirror_migrate_to_dev", "ksm_run", "madvise_hwpoison", "madvise_mergeable",
	"madvise_pageout", "madvise_soft_offline", "mlock", "mlock2", "mlockall", "process_madvise",
	"swapoff", "uring_madvise"};

static bool is_minded(const char *op_name)
{
	for (size_t i = 0; i < sizeof(minded) / sizeof(*minded); i++)
		if (strcmp(minded[i], op_name) == 0)
			return true;
	return false;
}

bool crew_minds(unsigned int number)
{
	const struct op *op = op_get(number);

	return op && (op->gear || op->uses || is_minded(op->name));
}

static bool plan_has(const struct executor *ex, const char *op_name)
{
	const struct plan_crew *pc = &ex->plan->crew[ex->ctl->index];
	int number = op_find(op_name);

	assert(is_minded(op_name));
	for (unsigned int l = 0; number >= 0 && l < pc->nlanes; l++)
		for (unsigned int k = 0; k < pc->lane[l].nops; k++)
			if (pc->lane[l].op[k].call.op == number)
				return true;
	return false;
}

/* True if ksmd runs, or may be told to. */
static bool may_merge(const struct executor *ex)
{
	int fd = open("/sys/kernel/mm/ksm/run", O_RDONLY | O_CLOEXEC);
	char run = '0';

	if (fd < 0)
		return false;
	if (read(fd, &run, 1) != 1)
		run = '1';
	close(fd);
	return plan_has(ex, "madvise_mergeable") && (run != '0' || plan_has(ex, "ksm_run"));
}

/* See look_mlock.c: a lane on any CPU leaves its batch behind, and MADV_PAGEOUT looks at pages also where nothing can be swapped out. */
static bool may_judge_mlock(const struct executor *ex)
{
	static const char *const lock[] = {"mlock", "mlock2", "mlockall"};
	static const char *const reclaim[] = {
		"madvise_pageout", "process_madvise", "uring_madvise", "swapoff", "cpu_offline"};
	bool locks = false;

	for (unsigned int l = 0; l < ex->plan->crew[ex->ctl->index].nlanes; l++)
		if (ex->plan->crew[ex->ctl->index].lane[l].cpu < 0)
			return false;
	for (size_t i = 0; i < sizeof(reclaim) / sizeof(*reclaim); i++)
		if (plan_has(ex, reclaim[i]))
			return false;
	for (size_t i = 0; i < sizeof(lock) / sizeof(*lock); i++)
		locks |= plan_has(ex, lock[i]);
	return locks;
}

/* As huge_pmd_share(): a whole PUD of a shared hugetlb mapping on its own border. */
static bool shares_tables(const struct executor *ex)
{
	for (unsigned int i = 0; i < ex->ctl->nslots; i++) {
		const struct slot *s = &ex->ctl->slot[i];

		if (s->present && s->granule > 1 && !backing_is_private(s->spec.backing) &&
			s->spec.size >= ex->machine->pud_size)
			return true;
	}
	return false;
}

void looks_open(struct executor *ex, const struct op_env *e)
{
	struct looks *p = calloc(1, sizeof(*p));

	if (p) {
		p->text = malloc(TEXT_SIZE);
		for (int i = 0; i < 2; i++)
			p->pagemap[i] = calloc(OP_SCRATCH_PAGES, sizeof(*p->pagemap[i]));
	}
	if (!p || !p->text || !p->pagemap[0] || !p->pagemap[1])
		executor_fail(ex->ctl, ENOMEM, "memory for looking");
	p->status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	p->maps_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	p->kpageflags_fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	p->kpagecount_fd = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);
	if (!caps_missing(CAP_HAS_NUMA))
		p->move_flags = caps_missing(CAP_HAS_MOVE_ALL) ? MPOL_MF_MOVE : MPOL_MF_MOVE_ALL;
	p->born = clock_ticks();
	p->poison = plan_has(ex, "madvise_hwpoison") || plan_has(ex, "madvise_soft_offline");
	p->mirrored = plan_has(ex, "dmirror_migrate_to_dev") || plan_has(ex, "dmirror_exclusive");
	p->mlocks = may_judge_mlock(ex) && !p->mirrored;
	look_hidden(ex, e, p);
	/*
	 * Merged by KSM, a page loses the bit; one that a device puts where there was none comes without it, and back writable
	 * (migrate_vma_insert_page()).
	 */
	if (!plan_has(ex, "clear_refs") && !may_merge(ex) && !p->mirrored)
		p->dirty = look_dirty_open(e);
	p->shared_tables = shares_tables(ex);
	ex->looks = p;
}

bool look_slot_of(const struct lane *l, uintptr_t addr, uint8_t *ret_slot, uint8_t *ret_view)
{
	for (unsigned int i = 0; i < l->env.nslots; i++) {
		const struct slot *s = &l->env.slot[i];

		for (unsigned int v = 0; s->present && v < s->nviews; v++) {
			if (addr < s->view[v] || addr - s->view[v] >= s->spec.size)
				continue;
			*ret_slot = (uint8_t)i;
			*ret_view = (uint8_t)v;
			return true;
		}
	}
	return false;
}

int look_smaps(
	struct lane *l, struct looks *p, void (*each)(void *, const struct smaps_vma *), void *arg)
{
	struct smaps_parser parser = {.each = each, .arg = arg};
	int r = lines_read(l->env.smaps_fd, p->text, TEXT_SIZE, smaps_line, &parser);

	smaps_end(&parser);
	return r;
}

void look_report(struct lane *l, enum look_check c, const struct look_case *k)
{
	struct evidence e = {.kind = (uint8_t)checks[c].kind,
		.lane = (uint8_t)l->no,
		.op = LANE_PROBES,
		.slot = k->slot,
		.view = k->view,
		.round = l->cells.round,
		.ticks = clock_ticks(),
		.addr = k->addr,
		.begun = k->mapped,
		.ended = k->tries,
		.expected = k->expected,
		.seen = k->seen};

	snprintf(e.what, sizeof(e.what), "%s%s%s", checks[c].what, k->field ? " " : "",
		k->field ? k->field : "");
	if (k->slot != NO_SLOT) {
		const struct slot *s = &l->env.slot[k->slot];

		e.cell_page = (uint32_t)((k->addr - s->view[k->view]) >> s->page_shift);
	}
	evidence_push(&l->ctl->ring, &e);
}

void look_repeat(struct lane *l, look_fn *fn)
{
	uint64_t keep = ~0ULL;
	struct look look;

	for (int i = 0; i < LOOKS; i++) {
		if (i)
			sched_yield();
		look.bad = 0;
		fn(l, l->ex->looks, &look);
		keep &= look.bad;
		if (!keep)
			return;
	}
	for (unsigned int c = 0; c < LOOK_CHECKS; c++)
		if (keep >> c & 1)
			look_report(l, c, &look.first[c]);
	look_known(l->ex->looks, keep);
	if (l->no == 0)
		l->ex->ctl->inject_look = EVIDENCE_NONE;
}

bool look_injects(struct lane *l, enum evidence_kind kind)
{
	return l->no == 0 && l->ex->ctl->inject_look == kind;
}

/* Kernels before 6.2 count each thread's faults apart until it unmaps something (mm/memory.c, add_mm_rss_vec). */
void looks_settle(void)
{
	size_t size = 4096;
	char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	*page = 1;
	munmap(page, size);
}

void looks_begin(struct lane *l)
{
	look_pools_begin(l);
	if (l->ex->looks->dirty)
		look_dirty_begin(l);
}

/*
 * In each epoch, looked at or not: once moved, a page may have been left in the count. Private ones only: for those of objects migration
 * holds i_mmap_rwsem to its end, and so do unmaps.
 */
static void note_moves(struct lane *l, struct hugetlb_drift *d)
{
	for (unsigned int i = 0; i < l->ex->ctl->nslots; i++) {
		const struct slot *s = &l->ex->ctl->slot[i];
		uint64_t kb = (uint64_t)s->granule << s->page_shift >> 10;

		if (!s->present || s->granule == 1 || !backing_is_private(s->spec.backing))
			continue;
		if (!d->page_kb || kb < d->page_kb)
			d->page_kb = kb;
		d->moved |= atomic_load_explicit(
				    &l->ex->ctl->space[i].moves.b, memory_order_acquire) > 0;
	}
}

static void spend(struct lane *l, uint64_t ticks)
{
	l->ex->looks->spent += ticks;
	atomic_fetch_add_explicit(&l->ex->ctl->look_ticks, ticks, memory_order_relaxed);
}

void looks_take(struct lane *l)
{
	struct looks *p = l->ex->looks;
	uint64_t start = clock_ticks();

	note_moves(l, &p->huge);
	look_pools(l);

	/* Until BARE, in every process: khugepaged, made eager by a job, holds and locks what one of them moves and splits next. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	p->due = l->ex->plan->fed || p->spent * SHARE <= start - p->born || l->ex->ctl->inject_look;
	if (!p->due)
		return;
	look_repeat(l, look_reports);
	look_repeat(l, look_counters);
	look_repeat(l, look_dirty);
	look_repeat(l, look_mlock);
	look_repeat(l, look_charge);
	p->turn++;
	spend(l, clock_ticks() - start);
}

void looks_pass(struct lane *l)
{
	l->ex->looks->due = false;
	note_moves(l, &l->ex->looks->huge);
}

void looks_bare(struct lane *l)
{
	struct looks *p = l->ex->looks;
	uint64_t start = clock_ticks();

	if (!p->due)
		return;
	look_repeat(l, look_counters);
	look_repeat(l, look_bare);
	p->huge.moved = false;
	spend(l, clock_ticks() - start);
}
