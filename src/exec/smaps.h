/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of /proc/PID/smaps, smaps_rollup and maps (fs/proc/task_mmu.c, show_smap). Private to exec. */
#ifndef SUNDER_EXEC_SMAPS_H
#define SUNDER_EXEC_SMAPS_H

#include <stdbool.h>
#include <stdint.h>

#define SMAPS_LIST(X)                         \
	X(SIZE, "Size")                       \
	X(PAGE_SIZE, "KernelPageSize")        \
	X(RSS, "Rss")                         \
	X(PSS, "Pss")                         \
	X(PSS_DIRTY, "Pss_Dirty")             \
	X(SHARED_CLEAN, "Shared_Clean")       \
	X(SHARED_DIRTY, "Shared_Dirty")       \
	X(PRIVATE_CLEAN, "Private_Clean")     \
	X(PRIVATE_DIRTY, "Private_Dirty")     \
	X(REFERENCED, "Referenced")           \
	X(ANON, "Anonymous")                  \
	X(LAZYFREE, "LazyFree")               \
	X(ANON_HUGE, "AnonHugePages")         \
	X(SHMEM_PMD, "ShmemPmdMapped")        \
	X(FILE_PMD, "FilePmdMapped")          \
	X(SHARED_HUGETLB, "Shared_Hugetlb")   \
	X(PRIVATE_HUGETLB, "Private_Hugetlb") \
	X(SWAP, "Swap")                       \
	X(LOCKED, "Locked")

enum smaps_field {
#define X(id, name) SMAPS_##id,
	SMAPS_LIST(X)
#undef X
		SMAPS_FIELDS
};

const char *smaps_field_name(enum smaps_field f);

struct smaps_vma {
	uintptr_t start, end;
	uint64_t offset;
	char perms[5];
	/* Of VmFlags: lo, mg, ht. */
	bool locked, mergeable, hugetlb;
	bool gate; /* [vsyscall], which belongs to no process */
	uint32_t have; /* bit f: the kernel shows field f */
	uint64_t kb[SMAPS_FIELDS];
};

struct smaps_parser {
	void (*each)(void *arg, const struct smaps_vma *vma);
	void *arg;
	bool open; /* vma has begun */
	struct smaps_vma vma;
};

/* Takes a line (also of maps, which has headers only, and of smaps_rollup, which is one mapping); unknown ones are passed over. */
void smaps_line(void *parser, char *line);

/* After the last line. */
void smaps_end(struct smaps_parser *p);

#endif
