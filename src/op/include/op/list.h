/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one list of ops. Numbers are append-only: a byte of a corpus is an op number, it never moves. */
#ifndef SUNDER_OP_LIST_H
#define SUNDER_OP_LIST_H

#define OP_LIST(X)                     \
	X(0, null)                     \
	X(1, touch)                    \
	X(2, hammer)                   \
	X(3, mmap)                     \
	X(4, mmap_fresh)               \
	X(5, mmap_populate)            \
	X(6, munmap_whole)             \
	X(7, munmap_part)              \
	X(8, mremap_grow)              \
	X(9, mremap_shrink)            \
	X(10, mremap_move)             \
	X(11, mremap_fixed)            \
	X(12, mremap_dontunmap)        \
	X(13, mprotect)                \
	X(14, madvise_hugepage)        \
	X(15, madvise_nohugepage)      \
	X(16, madvise_collapse)        \
	X(17, madvise_dontneed)        \
	X(18, madvise_free)            \
	X(19, madvise_remove)          \
	X(20, madvise_pageout)         \
	X(21, madvise_cold)            \
	X(22, madvise_populate_read)   \
	X(23, madvise_populate_write)  \
	X(24, madvise_willneed)        \
	X(25, madvise_dontfork)        \
	X(26, madvise_dofork)          \
	X(27, mbind)                   \
	X(28, set_mempolicy)           \
	X(29, get_mempolicy)           \
	X(30, move_pages)              \
	X(31, move_pages_query)        \
	X(32, move_pages_other)        \
	X(33, migrate_pages)           \
	X(34, mlock)                   \
	X(35, mlock2)                  \
	X(36, munlock)                 \
	X(37, mlockall)                \
	X(38, munlockall)              \
	X(39, fallocate)               \
	X(40, fallocate_punch)         \
	X(41, ftruncate)               \
	X(42, fork)                    \
	X(43, smaps)                   \
	X(44, pagemap)                 \
	X(45, numa_maps)               \
	X(46, mincore)                 \
	X(47, split_pid)               \
	X(48, split_file)              \
	X(49, thp_disable)             \
	X(50, madvise_dontneed_locked) \
	X(51, madvise_mergeable)       \
	X(52, madvise_unmergeable)     \
	X(53, madvise_wipeonfork)      \
	X(54, madvise_keeponfork)      \
	X(55, madvise_guard_install)   \
	X(56, madvise_guard_remove)    \
	X(57, set_mempolicy_home_node) \
	X(58, process_madvise)         \
	X(59, process_mrelease)        \
	X(60, mseal)                   \
	X(63, fork_linger)             \
	X(80, uffd_register_missing)   \
	X(81, uffd_register_minor)     \
	X(82, uffd_register_wp)        \
	X(83, uffd_unregister)         \
	X(84, uffd_wp)                 \
	X(85, uffd_unwp)               \
	X(86, uffd_copy)               \
	X(87, uffd_zeropage)           \
	X(88, uffd_continue)           \
	X(91, uffd_wake)               \
	X(100, uring_register)         \
	X(101, uring_unregister)       \
	X(102, uring_update)           \
	X(103, uring_clone)            \
	X(104, uring_write_fixed)      \
	X(105, uring_read_fixed)

#endif
