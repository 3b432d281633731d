/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of backings, as bit masks of enum backing, for struct op's `backings`. */
#ifndef SUNDER_OP_BACKINGS_H
#define SUNDER_OP_BACKINGS_H

#include "mem/slot.h"

#define BACKING_BIT(b) (1U << (b))

enum {
	BACKINGS_ALL = (1 << BACKING_COUNT) - 1,
	BACKINGS_HUGETLB = 1 << BACKING_HUGETLB_MEMFD | 1 << BACKING_HUGETLB_FILE |
			   1 << BACKING_HUGETLB_PRIVATE,
	BACKINGS_BASE = BACKINGS_ALL & ~BACKINGS_HUGETLB,
	BACKINGS_PRIVATE = 1 << BACKING_ANON | 1 << BACKING_HUGETLB_PRIVATE,
	BACKINGS_SHARED = BACKINGS_ALL & ~BACKINGS_PRIVATE,
	BACKINGS_SHMEM = 1 << BACKING_ANON_SHARED | 1 << BACKING_MEMFD | 1 << BACKING_TMPFS,
	BACKINGS_WITH_FD = BACKINGS_SHARED & ~(1 << BACKING_ANON_SHARED),
};

static inline bool backing_in(const struct slot *s, uint32_t backings)
{
	return (backings & BACKING_BIT(s->spec.backing)) != 0;
}

#endif
