/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a crew's slots: the objects behind them, their place in the address space, and their renewal. Not for ops. */
#ifndef SUNDER_MEM_ARENA_H
#define SUNDER_MEM_ARENA_H

#include "mem/slot.h"

/* Directories in which objects are made (the caller mounted them). NULL where there is none. */
struct slot_places {
	/* Mounted with huge=always, within_size, advise, never. */
	const char *tmpfs[SLOT_HUGE_COUNT];
	const char *hugetlbfs[MACHINE_MAX_HSTATES]; /* one per hugetlb size, as in machine.hstate */
	const char *disk;
};

/* Fills in all of *s but fd and addresses. present and tight are the caller's. */
void slot_init(struct slot *s, const struct slot_spec *spec, const struct machine *m);

/* Makes the object (supervisor, never maps it) at its full size. 0 or -errno. */
int slot_open(struct slot *s, const struct machine *m, const struct slot_places *places);
void slot_close(struct slot *s);

/* Sets the addresses of all slots for an arena at base; returns its length in bytes. */
uint64_t arena_place(struct slot *slots, unsigned int n, uintptr_t base, unsigned int nlanes);

/* In the first executor: finds free room for the arena and places the slots there. The base, or 0: no room. */
uintptr_t arena_find(struct slot *slots, unsigned int n, unsigned int nlanes);

/* The first executor maps what its forks must inherit (anon_shared, sysv). 0 or -errno. */
int slot_anchor(struct slot *s);

/* madvise() as the spec's huge= says, over a whole view. 0 or -errno. */
int slot_advise(const struct slot *s, unsigned int view);

/* Drops the pages of the process's anchor, which mlockall() may have brought. */
void slot_bare(const struct slot *s);

/* At quiesce: the object becomes all zero again at its full size. 0 or -errno. */
int slot_empty(const struct slot *s);

#endif
