/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of backings, as bit masks of enum backing, for struct op's `backings`. */
#ifndef SUNDER_OP_BACKINGS_H
#define SUNDER_OP_BACKINGS_H

#include "mem/slot.h"

#define BACKING_BIT(b) (1U << (b))

enum {
	BACKINGS_ALL = (1 << BACKING_COUNT) - 1,
	BACKINGS_HUGETLB = 1 << BACKING_HUGETLB_MEMFD | 1 << BACKING_HUGETLB_FILE |
			   1 << BACKING_HUGETLB_PRIVATE | 1 << BACKING_HUGETLB_SYSV,
	BACKINGS_BASE = BACKINGS_ALL & ~BACKINGS_HUGETLB,
	/* Private mappings of objects that stay zero: what is written are copies. */
	BACKINGS_COPIES = 1 << BACKING_MEMFD_PRIVATE | 1 << BACKING_FILE_PRIVATE,
	BACKINGS_PRIVATE = 1 << BACKING_ANON | 1 << BACKING_HUGETLB_PRIVATE | BACKINGS_COPIES,
	BACKINGS_SHARED = BACKINGS_ALL & ~BACKINGS_PRIVATE,
	BACKINGS_SHMEM = 1 << BACKING_ANON_SHARED | 1 << BACKING_MEMFD | 1 << BACKING_TMPFS,
	/* Shmem and hugetlb too, behind mappings of another kind (ipc/shm.c): userfaultfd knows none of shmem's. */
	BACKINGS_SYSV = 1 << BACKING_SYSV | 1 << BACKING_HUGETLB_SYSV,
	BACKINGS_WITH_FD = BACKINGS_SHARED & ~(1 << BACKING_ANON_SHARED | BACKINGS_SYSV),
};

static inline bool backing_in(const struct slot *s, uint32_t backings)
{
	return (backings & BACKING_BIT(s->spec.backing)) != 0;
}

#endif
