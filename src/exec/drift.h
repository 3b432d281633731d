/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far a process's counters may be from what its page tables show, on kernels as they are. Private to exec. */
#ifndef SUNDER_EXEC_DRIFT_H
#define SUNDER_EXEC_DRIFT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What smaps may pass over of what a process has, where it hides huge pages without rights: whole ones. So many of them that the
 * rest of the difference is small. In kB.
 */
static inline uint64_t drift_hidden(uint64_t shown, uint64_t counted, uint64_t slack, uint64_t huge)
{
	return huge && counted > shown ? (counted - shown + slack) / huge * huge : 0;
}

/*
 * HugetlbPages counts a private page that was unmapped while it migrated for ever: __unmap_hugepage_range() takes a migration entry away and leaves
 * the count, which nobody has lowered (docs/found.md). Whole pages more than there were are therefore what kernels do where
 * private pages were moved; fewer, parts of a page, and more where none was moved are not.
 */
struct hugetlb_drift {
	uint64_t kept_kb; /* that have been seen to be left so far */
	uint64_t page_kb; /* of the smallest private pages in use */
	bool moved; /* private pages may have been moved since the counter was last right */
};

/* What HugetlbPages ought to be, given what is mapped and what it is. */
static inline uint64_t drift_hugetlb(struct hugetlb_drift *d, uint64_t mapped, uint64_t counted)
{
	uint64_t more = counted - mapped - d->kept_kb;

	if (d->moved && counted > mapped + d->kept_kb && d->page_kb && more % d->page_kb == 0)
		d->kept_kb += more;
	return mapped + d->kept_kb;
}

/*
 * A hugetlb pool's own pages. Somebody may enlarge it at any time, so that only what is there too much in one epoch after the other is
 * a finding; each is compared with its own start.
 */
struct pool_drift {
	int64_t base; /* at the start of the epoch */
	unsigned int epochs; /* in a row with more */
};

enum { POOL_DRIFT_EPOCHS = 3 };

/* At the end of an epoch: true if that is the last of so many. slack: pages that others may have on their way. */
static inline bool drift_pool(struct pool_drift *d, int64_t own, unsigned int slack)
{
	d->epochs = own > d->base + slack ? d->epochs + 1 : 0;
	if (d->epochs < POOL_DRIFT_EPOCHS)
		return false;
	d->epochs = 0;
	return true;
}

#endif
