/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Effects: what an op may do, while it runs and from then on, to the pages of a slot or to the addresses of a view.
 * They are what makes a zero page, a SIGSEGV or a SIGBUS legal; what no effect explains is a finding.
 */
#ifndef SUNDER_MEM_EFFECT_H
#define SUNDER_MEM_EFFECT_H

#include <stdint.h>

enum effect_kind {
	/* The object's pages (private backings: this process's). */
	EFFECT_ZERO = 1 << 0, /* data may become zero between begin and end */
	EFFECT_ZEROED =
		1 << 1, /* with success the whole range has become zero; implies EFFECT_ZERO */
	EFFECT_STALE =
		1
		<< 2, /* an older content of the same page may come back (mremap there and back) */
	EFFECT_BUS = 1 << 3, /* accesses may raise SIGBUS from begin on, until EFFECT_SIZED */
	EFFECT_BUS_SURE =
		1
		<< 4, /* with success every access must raise SIGBUS until the next EFFECT_SIZED begins */
	EFFECT_BUS_ALONE =
		1
		<< 23, /* BUS_SURE only if no other op was about on the slot: it may put pages in beyond the end */
	EFFECT_SIZED = 1 << 5, /* with success the object reaches over the range again */
	/* The addresses of one view in this process. */
	EFFECT_HOLE = 1 << 6, /* accesses may raise SIGSEGV from begin on, until EFFECT_MAPPED */
	EFFECT_HOLE_SURE =
		1
		<< 7, /* with success every access must raise SIGSEGV until the next EFFECT_MAPPED begins */
	EFFECT_RO = 1 << 8, /* writes may raise SIGSEGV from begin on, until EFFECT_MAPPED */
	EFFECT_RO_SURE =
		1
		<< 9, /* with success every write must raise SIGSEGV until the next EFFECT_MAPPED begins */
	EFFECT_MAPPED =
		1
		<< 10, /* with success all of the range is mapped to the slot's own pages, read-write */
	EFFECT_RESIZED =
		1
		<< 14, /* the object's length changes somehow: what was surely cut off may not be any more */
	EFFECT_READABLE =
		1
		<< 13, /* with success all of the range can be read again (mprotect to read-only) */
	/* Guard markers in the page tables: they stay whatever mprotect says, and move along. */
	EFFECT_GUARD =
		1 << 17, /* accesses may raise SIGSEGV from begin on, until EFFECT_UNGUARDED */
	EFFECT_GUARD_SURE =
		1
		<< 18, /* with success every access must raise SIGSEGV until the next EFFECT_UNGUARDED begins */
	EFFECT_UNGUARDED = 1 << 19, /* with success no guard is left in the range */
	/* What forked children get of private memory. */
	EFFECT_WIPE = 1 << 20, /* children may find zeroes from begin on, until EFFECT_KEPT */
	EFFECT_WIPE_SURE =
		1
		<< 21, /* with success children must find zeroes until the next EFFECT_KEPT begins */
	EFFECT_KEPT = 1 << 22, /* with success children find what the parent has */
	/* Bookkeeping of the view or the process, for the errno oracle. */
	EFFECT_VMA_SPLIT = 1 << 11, /* the range may have become a VMA of its own */
	EFFECT_LOCKED = 1 << 12, /* VMAs may be locked in memory from now on */
	/* Bits of page table entries of one view in this process. */
	EFFECT_WP =
		1
		<< 15, /* with success a write must fault to userfaultfd until one of the next, or of ZERO, BUS, HOLE and MAPPED, begins */
	EFFECT_WP_LIFT = 1 << 16, /* takes that protection away, may do so or resolves a fault */
};

enum { EFFECTS_MAX = 4 };

struct effect {
	uint32_t kinds; /* of enum effect_kind */
	uint8_t slot, view;
	/* Base pages of the slot; rounded outwards for "may", inwards for "sure". */
	uint32_t page, pages;
};

#endif
