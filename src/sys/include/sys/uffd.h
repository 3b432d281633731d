/* SPDX-License-Identifier: GPL-2.0-or-later */
/* userfaultfd(2): opening one, and the parts of its ABI that older headers lack (include/uapi/linux/userfaultfd.h). */
#ifndef SUNDER_SYS_UFFD_H
#define SUNDER_SYS_UFFD_H

#include <linux/userfaultfd.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON (1 << 14)
#endif
#ifndef UFFD_FEATURE_MOVE
#define UFFD_FEATURE_MOVE (1 << 16)
#endif

#ifndef _UFFDIO_MOVE
#define _UFFDIO_MOVE 0x05
#define UFFDIO_MOVE _IOWR(UFFDIO, _UFFDIO_MOVE, struct uffdio_move)
#define UFFDIO_MOVE_MODE_DONTWAKE ((__u64)1 << 0)
#define UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES ((__u64)1 << 1)
struct uffdio_move {
	__u64 dst, src, len, mode;
	__s64 move;
};
#endif

#ifndef _UFFDIO_POISON
#define _UFFDIO_POISON 0x08
#define UFFDIO_POISON _IOWR(UFFDIO, _UFFDIO_POISON, struct uffdio_poison)
#define UFFDIO_POISON_MODE_DONTWAKE ((__u64)1 << 0)
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};
#endif

/*
 * A descriptor, close-on-exec and non-blocking, not yet told its features: a fault in the kernel comes to it only with CAP_SYS_PTRACE or
 * sysctl vm.unprivileged_userfaultfd; else *ret_user_only is true. -errno.
 */
int uffd_new(bool *ret_user_only);

/* UFFDIO_API: agrees on these features, or with 0 on none and asks. *ret: all that the kernel has. 0 or -errno. */
int uffd_api(int fd, uint64_t features, uint64_t *ret);

#endif
