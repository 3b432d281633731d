/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots: what ops act on. A slot is one object (or, for private backings, one piece of private memory a process)
 * and its views: the places where each executor maps it. Addresses are the same in all executors of a crew.
 */
#ifndef SUNDER_MEM_SLOT_H
#define SUNDER_MEM_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "caps/caps.h"

enum { SLOT_MAX = 16, SLOT_MAX_VIEWS = 4, SLOT_NAME_MAX = 16 };

enum backing {
	BACKING_ANON, /* private anonymous memory, THP */
	BACKING_ANON_SHARED, /* MAP_SHARED | MAP_ANONYMOUS */
	BACKING_MEMFD, /* memfd_create: shmem THP by shmem_enabled */
	BACKING_TMPFS, /* a file on an own tmpfs mount, huge= by the spec */
	BACKING_HUGETLB_MEMFD, /* memfd_create with MFD_HUGETLB, shared */
	BACKING_HUGETLB_FILE, /* a file on an own hugetlbfs mount, shared */
	BACKING_HUGETLB_PRIVATE, /* MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB */
	BACKING_FILE, /* a file on a disk filesystem, shared */
	BACKING_MEMFD_PRIVATE, /* a memfd of zeroes, mapped private */
	BACKING_FILE_PRIVATE, /* a disk file of zeroes, mapped private */
	BACKING_SYSV, /* a System V shared memory segment */
	BACKING_HUGETLB_SYSV, /* the same with SHM_HUGETLB */
	BACKING_COUNT
};

enum slot_huge {
	SLOT_HUGE_ALWAYS,
	SLOT_HUGE_WITHIN_SIZE,
	SLOT_HUGE_ADVISE,
	SLOT_HUGE_NEVER,
	SLOT_HUGE_COUNT
};

/* What a slot is, as written in a job or a program. Plain data; sizes in bytes. */
struct slot_spec {
	char name[SLOT_NAME_MAX]; /* [a-z0-9_]+, NUL-terminated */
	uint8_t backing; /* enum backing */
	uint8_t huge; /* enum slot_huge; for tmpfs the mount option, for the rest the madvise at map time */
	uint8_t maps; /* views a process: 1..SLOT_MAX_VIEWS; 1 for private backings */
	uint8_t noreserve; /* MAP_NORESERVE (hugetlb: no reservation) */
	uint32_t shift; /* view v lies v * shift pages (hugetlb: huge pages) off its alignment */
	uint64_t size; /* multiple of the PMD size (hugetlb: of huge_size) */
	uint64_t huge_size; /* hugetlb page size; 0 elsewhere */
	/* Alignment of view 0: a power of two, at least the PMD size; 1 GiB shares PMD tables. */
	uint64_t align;
};

const char *backing_name(enum backing b);
const char *backing_help(enum backing b);
int backing_find(const char *name); /* enum backing or -ENOENT */
const char *slot_huge_name(enum slot_huge h);
int slot_huge_find(const char *name);
bool backing_is_hugetlb(enum backing b);
bool backing_is_private(enum backing b); /* each process has its own memory */
bool backing_has_fd(enum backing b);
/* NULL, or why this backing cannot be had here (one line). huge_size matters for hugetlb. */
const char *backing_missing(const struct machine *m, const struct slot_spec *s);

/* Run-time state of a slot, in memory shared by a crew; one writer (executor 0) before the lanes start. */
struct slot {
	struct slot_spec spec;
	bool present; /* false: skipped here; ops must not pick it */
	bool tight; /* its pool may run dry: SIGBUS and ENOMEM on it are no finding */
	int fd; /* object, inherited by all executors; -1 for anon, anon_shared, hugetlb_private, sysv */
	int shm; /* id of a System V segment */
	uint32_t pages; /* spec.size in base pages */
	uint32_t granule; /* base pages of one huge page for hugetlb, else 1 */
	uint32_t pmd_pages; /* base pages of a PMD-mapped huge page */
	uint32_t page_shift; /* log2 of the base page size */
	uint32_t nviews;
	uintptr_t view[SLOT_MAX_VIEWS]; /* address of page 0 in each view */
	uintptr_t
		anchor; /* anon_shared, sysv: a pristine mapping that new ones are made from; else 0 */
	/* Per lane, SLOT_SPARE_STRIDE apart: unmapped address space of `size` bytes for mremap. */
	uintptr_t spare;
	uint64_t spare_stride;
	char path[128]; /* of the file before it was unlinked, for messages; "" if none */
};

static inline uintptr_t slot_addr(const struct slot *s, unsigned int view, uint32_t page)
{
	return s->view[view] + ((uintptr_t)page << s->page_shift);
}

static inline uintptr_t slot_spare(const struct slot *s, unsigned int lane)
{
	return s->spare + lane * s->spare_stride;
}

/* A place for each lane at the bottom of the address space, from the usual vm.mmap_min_addr on; empty between epochs. */
enum { SLOT_LOW = 0x10000, SLOT_LOW_STRIDE = 0x10000 };

/*
 * Maps [page, page + pages) of a view of the slot, over what is there (MAP_FIXED), read-write; flags: extra MAP_ flags
 * such as MAP_POPULATE. One system call, but for parts of hugetlb_sysv (attached elsewhere and moved). 0 or -errno. Callable from lanes.
 */
int slot_map(const struct slot *s, unsigned int view, uint32_t page, uint32_t pages, int flags);

/* The same onto any address of the arena (same system call, other place). */
int slot_map_at(const struct slot *s, uintptr_t addr, uint32_t page, uint32_t pages, int flags);

#endif
