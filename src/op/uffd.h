/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gear of all ops that need userfaultfd: two descriptors a process and one thread that resolves every fault and takes every event, so
 * that no lane hangs. What it puts where nothing is is what the kernel would put there: zeroes, or the page cache's page.
 */
#ifndef SUNDER_OP_UFFD_H
#define SUNDER_OP_UFFD_H

#include "op/op.h"
#include "sys/uffd.h"

enum uffd_by { UFFD_PLAIN, UFFD_EVENTS, UFFD_COUNT };

/* Arrays that a system call reads or writes, each of two pages, the second of which may come late. */
enum { STALL_ARRAYS = 3 };

struct uffd;
extern const struct gear gear_uffd;

/* The descriptor that an op's argument names; the plain one where events are not to be had. -1: no gear. */
int uffd_fd(const struct op_env *e, uint32_t by);

/* UFFD_ZEROES bytes to copy from. */
enum { UFFD_ZEROES = 8 << 20 };
const char *uffd_zero(const struct op_env *e);

/* From now on: how late the handler resolves a missing page of the slot, and whether it lifts protection by the huge page. */
void uffd_set_late(struct op_env *e, unsigned int slot, uint32_t ns);
void uffd_set_huge(struct op_env *e, unsigned int slot, bool huge);

/* A range of the slot is about to be registered with the descriptor that takes events. */
void uffd_set_told(struct op_env *e, unsigned int slot);

/*
 * After memory was dropped. The call lets go of the mmap lock until we have taken the event; if the VMA was split meanwhile it goes on with its
 * first part, leaves the rest of it as it was and succeeds (6.1 and 6.12, not 6.18: mm/madvise.c,
 * madvise_dontneed_free(), madvise_walk_vmas()).
 */
void uffd_dropped(struct op_env *e, const struct op_span *s);

/*
 * The lane's array i, for the kernel; and the same place of its twin, that is its content when it comes. stall_begin() brings all in but the
 * second page of array `late`, which comes ns after it is missed. 0 or -errno.
 */
char *stall_array(const struct op_env *e, unsigned int i);
char *stall_twin(const struct op_env *e, unsigned int i);
int stall_begin(struct op_env *e, unsigned int late, uint32_t ns);

#endif
