/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks: what a process can tell about its memory when an epoch is over and nothing runs. A look compares figures that must
 * agree; a difference that the next looks do not show was the kernel's background work (khugepaged, compaction, reclaim), one
 * that stays is evidence. Private to exec.
 */
#ifndef SUNDER_EXEC_LOOK_H
#define SUNDER_EXEC_LOOK_H

#include "drift.h"
#include "executor.h"
#include "smaps.h"

/* X(ENUM, evidence, what): one bit each of look.bad */
#define LOOK_LIST(X)                                              \
	X(ROLLUP, REPORTS, "smaps_rollup")                        \
	X(VMA_SUM, REPORTS, "smaps parts")                        \
	X(VMA_HUGE, REPORTS, "smaps huge")                        \
	X(VMA_SHARED, REPORTS, "smaps shared")                    \
	X(VMA_LOCKED, REPORTS, "smaps Locked")                    \
	X(MAPS, REPORTS, "maps and smaps")                        \
	X(NUMA_MAPS, REPORTS, "numa_maps and smaps")              \
	X(NUMA_QUERY, REPORTS, "numa_maps and move_pages")        \
	X(QUERY_ABSENT, REPORTS, "move_pages of an absent page")  \
	X(QUERY_PRESENT, REPORTS, "move_pages of a present page") \
	X(MINCORE_ABSENT, REPORTS, "mincore of an absent page")   \
	X(MINCORE_PRESENT, REPORTS, "mincore of a present page")  \
	X(STUCK, REPORTS, "folio cannot be moved at rest")        \
	X(UNSPLIT, REPORTS, "folio cannot be split at rest")      \
	X(PLACED, PLACE, "node of a page moved at rest")          \
	X(SOFT_DIRTY, SOFT_DIRTY, "soft-dirty")                   \
	X(VM_LOCK, LOCKS, "VmLck")                                \
	X(VM_SIZE, LOCKS, "VmSize")                               \
	X(RSS_ANON, LOCKS, "RssAnon")                             \
	X(RSS_FILE, LOCKS, "RssFile and RssShmem")                \
	X(HUGETLB, LOCKS, "HugetlbPages")                         \
	X(STAYS_MLOCKED, LOCKS, "a page stays mlocked")           \
	X(POOL, POOL, "HugePages_Total at quiesce")               \
	X(CHARGE, POOL, "hugetlb cgroup usage")                   \
	X(BARE_LOCK, LOCKS, "VmLck with nothing mapped")          \
	X(BARE_HUGETLB, LOCKS, "HugetlbPages, nothing mapped")    \
	X(BARE_PTE, LOCKS, "VmPTE with nothing mapped")

enum look_check {
#define X(id, evidence, what) LOOK_##id,
	LOOK_LIST(X)
#undef X
		LOOK_CHECKS
};

enum { NO_SLOT = EVIDENCE_NO_SLOT };

/* One look: the checks that failed, and the first case of each. */
struct look {
	uint64_t bad;
	struct look_case {
		const char *field; /* more exactly what, or NULL */
		uint64_t expected, seen;
		uintptr_t addr;
		uint32_t mapped,
			tries; /* of a folio: mappings of the page, and how often it was tried */
		uint8_t slot, view; /* NO_SLOT: of the whole process */
	} first[LOOK_CHECKS];
};

/* A process's own; made before its lanes start. */
struct looks {
	char *text; /* for lines_read() */
	uint64_t *pagemap[2]; /* [OP_SCRATCH_PAGES] each */
	int status_fd, maps_fd, kpageflags_fd, kpagecount_fd;
	uint64_t turn; /* epochs looked at */
	uint64_t born, spent; /* ticks */
	uint32_t
		slot_vmas; /* VMAs of slots at the last look: which one is compared page by page rotates over them */
	/* What VmLck, RssAnon and the other Rss are more than they ought to be, in kB: at the last look, and as reported. It stays so for good. */
	int64_t off[3], known[3];
	uint64_t bare_pte_kb; /* of the first epoch */
	struct hugetlb_drift huge;
	unsigned long move_flags; /* of move_pages(); 0: there is none */
	bool stuck; /* a folio would not move or split, and was reported: it takes long to find out */
	bool due; /* this epoch is looked at */
	bool poison; /* the plan has ops that leave poisoned pages */
	struct dirty *dirty; /* NULL: no soft-dirty bits here, or ops that meddle with them */
	bool shared_tables; /* a slot may share page tables: what HugetlbPages counts is then not the process's own */
	/*
	 * smaps and move_pages pass over what has no rights, as PROT_NONE and the hints of NUMA balancing make it: huge pages in
	 * smaps, all pages in move_pages (mm/gup.c before 6.5, gup_can_follow_protnone).
	 */
	bool hides_huge, hides_pages;
	bool pools_known; /* pool[] has a base */
	struct pool_drift pool[MACHINE_MAX_HSTATES];
	bool mlocks; /* the plan locks memory, and has no reclaim meet it */
	bool mirrored; /* a device takes pages: its entries may be left in page tables */
};

void looks_open(struct executor *ex, const struct op_env *e);

/* On one lane of each process, with slots freshly mapped and populated. */
void looks_begin(struct lane *l);

/* On each lane: what its thread has counted but not handed in yet becomes the process's. */
void looks_settle(void);

/* On one lane of each process, with gear let go. */
void looks_take(struct lane *l);

/* The same, with no slot mapped any more. */
void looks_bare(struct lane *l);

/* In place of both in an epoch that nobody looks at. */
void looks_pass(struct lane *l);

/* On one lane of the crew while the others wait: tries what must work when nobody is about. */
void looks_try(struct lane *l);

/* ---- for those who look ---- */

typedef void look_fn(struct lane *l, struct looks *p, struct look *look);

look_fn look_reports, look_counters, look_bare, look_dirty, look_mlock, look_charge;

/* By the words of pagemap, kpageflags and kpagecount of a page in memory that nobody locks: it must not be mlocked. */
bool look_keeps_mlock(uint64_t entry, uint64_t flags, uint64_t count);

/* NULL: not here. */
struct dirty *look_dirty_open(const struct op_env *e);
void look_dirty_begin(struct lane *l);

/* Tries what of hides_huge and hides_pages is so here. */
void look_hidden(struct executor *ex, const struct op_env *e, struct looks *p);

/* The hugetlb pools, on the crew's first lane: freshly mapped, and when nothing moves. */
void look_pools_begin(struct lane *l);
void look_pools(struct lane *l);

/* Repeats the look until it is clean; reports what every one of the repeats has shown. */
void look_repeat(struct lane *l, look_fn *fn);

void look_report(struct lane *l, enum look_check c, const struct look_case *k);

static inline void look_differs(struct look *look, enum look_check c, struct look_case k)
{
	if (look->bad >> c & 1)
		return;
	look->bad |= 1ULL << c;
	look->first[c] = k;
}

/* Counters that were reported are expected to stay as wrong as they are. bad: as look.bad */
void look_known(struct looks *p, uint64_t bad);

/* The slot and view that an address lies in. False: none. */
bool look_slot_of(const struct lane *l, uintptr_t addr, uint8_t *ret_slot, uint8_t *ret_view);

/* Calls each() for every mapping of this process as smaps tells them. 0 or -errno. */
int look_smaps(
	struct lane *l, struct looks *p, void (*each)(void *, const struct smaps_vma *), void *arg);

/* True once, in the first lane of a crew that is to plant what this oracle looks for. */
bool look_injects(struct lane *l, enum evidence_kind kind);

#endif
