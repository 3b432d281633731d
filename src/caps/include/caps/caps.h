/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this kernel, machine and user can do: one table of probes, each tries the thing itself
 * (never a version), is run at most once, and says in one line why it is missing.
 */
#ifndef SUNDER_CAPS_CAPS_H
#define SUNDER_CAPS_CAPS_H

#include "caps/machine.h"

/*
 * X(ENUM, name, what it is): append where it belongs; the numbers are not stable. An op or a
 * backing lists those that it needs.
 */
#define CAPS_LIST(X)                                                                    \
	X(THP, thp, "transparent huge pages for anonymous memory (not \"never\")")      \
	X(THP_SHMEM, thp_shmem, "huge pages for memfd and shared anonymous memory")     \
	X(MEMFD, memfd, "memfd_create")                                                 \
	X(MEMFD_HUGETLB, memfd_hugetlb, "memfd_create with MFD_HUGETLB")                \
	X(HUGETLBFS, hugetlbfs, "mounting hugetlbfs")                                   \
	X(SYSV, sysv, "System V shared memory")                                         \
	X(SYSV_HUGETLB, sysv_hugetlb, "System V shared memory with SHM_HUGETLB")        \
	X(TMPFS_HUGE, tmpfs_huge, "mounting tmpfs with huge=")                          \
	X(NUMA, numa, "NUMA system calls")                                              \
	X(TWO_NODES, two_nodes, "at least two nodes with memory")                       \
	X(MOVE_ALL, move_all, "MPOL_MF_MOVE_ALL (CAP_SYS_NICE)")                        \
	X(MIGRATE_OTHER, migrate_other, "moving another process's pages")               \
	X(MBIND_PREFERRED_MANY, preferred_many, "MPOL_PREFERRED_MANY")                  \
	X(MBIND_WEIGHTED, weighted_interleave, "MPOL_WEIGHTED_INTERLEAVE")              \
	X(MBIND_BALANCING, numa_balancing_flag, "MPOL_F_NUMA_BALANCING")                \
	X(MADV_COLLAPSE, madv_collapse, "madvise(MADV_COLLAPSE)")                       \
	X(MADV_POPULATE, madv_populate, "madvise(MADV_POPULATE_READ and _WRITE)")       \
	X(MADV_PAGEOUT, madv_pageout, "madvise(MADV_COLD and MADV_PAGEOUT)")            \
	X(MADV_FREE, madv_free, "madvise(MADV_FREE)")                                   \
	X(MADV_DONTNEED_LOCKED, madv_dontneed_locked, "madvise(MADV_DONTNEED_LOCKED)")  \
	X(WIPEONFORK, wipeonfork, "madvise(MADV_WIPEONFORK)")                           \
	X(GUARD, guard, "madvise(MADV_GUARD_INSTALL)")                                  \
	X(GUARD_FILE, guard_file, "madvise(MADV_GUARD_INSTALL) on shared memory")       \
	X(KSM, ksm, "madvise(MADV_MERGEABLE)")                                          \
	X(SOFT_OFFLINE, soft_offline, "madvise(MADV_SOFT_OFFLINE)")                     \
	X(PROCESS_MADVISE, process_madvise, "process_madvise on another process")       \
	X(PROCESS_MRELEASE, process_mrelease, "process_mrelease")                       \
	X(MSEAL, mseal, "mseal")                                                        \
	X(HOME_NODE, home_node, "set_mempolicy_home_node")                              \
	X(MREMAP_DONTUNMAP, mremap_dontunmap, "mremap(MREMAP_DONTUNMAP)")               \
	X(MLOCK, mlock, "locking memory (RLIMIT_MEMLOCK or CAP_IPC_LOCK)")              \
	X(MLOCK2, mlock2, "mlock2(MLOCK_ONFAULT)")                                      \
	X(SPLIT_DEBUGFS, split_debugfs, "debugfs split_huge_pages")                     \
	X(THP_DISABLE, thp_disable, "prctl(PR_SET_THP_DISABLE)")                        \
	X(PAGEMAP, pagemap, "/proc/PID/pagemap")                                        \
	X(SMAPS, smaps, "/proc/PID/smaps")                                              \
	X(NUMA_MAPS, numa_maps, "/proc/PID/numa_maps")                                  \
	X(KMSG, kmsg, "reading the kernel log from /dev/kmsg")                          \
	X(TASK_STACK, task_stack, "/proc/PID/stack of a stuck thread")                  \
	X(FIFO, fifo, "SCHED_FIFO (CAP_SYS_NICE)")                                      \
	X(HUGETLB_DEMOTE, hugetlb_demote, "gigantic hugetlb pages to break up")         \
	X(CGROUP_MEMORY, cgroup_memory, "a memory cgroup (v2) of our own")              \
	X(CGROUP_HUGETLB, cgroup_hugetlb, "a hugetlb cgroup (v2) of our own")           \
	X(CGROUP_CPUSET, cgroup_cpuset, "a cpuset cgroup (v2) of our own")              \
	X(DAMON, damon, "DAMON on ranges of a process")                                 \
	X(MEMORY_HOTREMOVE, memory_hotremove, "memory blocks that may go offline")      \
	X(FAIL_NTH, fail_nth, "allocations of a thread that can be made to fail")       \
	X(OWN_SWAP, own_swap, "a swap file of the run's own")                           \
	X(UFFD, uffd, "userfaultfd")                                                    \
	X(UFFD_KERNEL, uffd_kernel, "userfaultfd that gets faults in the kernel")       \
	X(UFFD_EVENTS, uffd_events, "userfaultfd that is told of fork, mremap, munmap") \
	X(UFFD_WP, uffd_wp, "write protection by userfaultfd")                          \
	X(UFFD_WP_FILE, uffd_wp_file, "the same for shmem and hugetlb")                 \
	X(UFFD_WP_UNPOPULATED, uffd_wp_unpopulated, "the same where no page is")        \
	X(UFFD_MINOR, uffd_minor, "minor faults by userfaultfd")                        \
	X(UFFD_MOVE, uffd_move, "UFFDIO_MOVE")                                          \
	X(UFFD_MOVE_HELD, uffd_move_held, "UFFDIO_MOVE that gives a held page up")      \
	X(UFFD_POISON, uffd_poison, "UFFDIO_POISON")                                    \
	X(SWAP, swap, "swap space")                                                     \
	X(PROCESS_VM, process_vm, "process_vm_readv and process_vm_writev")             \
	X(PEER_MEMORY, peer_memory, "another process's memory (ptrace)")                \
	X(PTRACE, ptrace, "ptrace of a child")                                          \
	X(CACHESTAT, cachestat, "cachestat")                                            \
	X(PROC_MEM, proc_mem, "/proc/PID/mem and maps")                                 \
	X(CLEAR_REFS, clear_refs, "/proc/PID/clear_refs")                               \
	X(PAGEMAP_SCAN, pagemap_scan, "PAGEMAP_SCAN of /proc/PID/pagemap")              \
	X(KPAGEFLAGS, kpageflags, "/proc/kpageflags and kpagecount")                    \
	X(URING, uring, "io_uring with fixed buffers")                                  \
	X(URING_SQPOLL, uring_sqpoll, "io_uring rings polled by a thread")              \
	X(URING_UPDATE, uring_update, "updating fixed buffers of io_uring")             \
	X(URING_CLONE, uring_clone, "cloning fixed buffers of io_uring")                \
	X(URING_FTRUNCATE, uring_ftruncate, "ftruncate by io_uring")                    \
	X(ODIRECT, odirect, "a disk file opened with O_DIRECT")                         \
	X(KVM, kvm, "running a virtual machine (/dev/kvm)")                             \
	X(KVM_PREFAULT, kvm_prefault, "KVM_PRE_FAULT_MEMORY")                           \
	X(DMIRROR, dmirror, "the device of test_hmm (/dev/hmm_dmirror0)")               \
	X(FS_PUNCH, fs_punch, "a writable disk filesystem that can punch holes (--tmp or /var/tmp)")

enum cap {
#define X(id, name, help) CAP_HAS_##id,
	CAPS_LIST(X)
#undef X
		CAPS_COUNT
};

/*
 * The probes' context: m and dir outlive it. dir: where disk files may be made (--tmp); NULL:
 * /var/tmp only. Forgets earlier answers: call it again once the run's own set-up has changed knobs
 * or mounted something.
 */
void caps_setup(const struct machine *m, const char *dir);

/*
 * NULL where the machine has it, else the reason in one line ("debugfs is not mounted on
 * /sys/kernel/debug"). Probes on the first call; not for use by lanes. No probe maps more than a
 * few huge pages, writes a knob or leaves anything behind.
 */
const char *caps_missing(enum cap c);

/* The directory in which FS_PUNCH was found: dir, else /var/tmp; NULL where it is missing. */
const char *caps_disk_dir(void);

/* Where cgroups can be made: the top of the v2 hierarchy as this process sees it, or NULL: it is not mounted. */
const char *caps_cgroup_top(void);

const char *caps_name(enum cap c);
const char *caps_help(enum cap c);

#endif
