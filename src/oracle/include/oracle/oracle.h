/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judges: evidence in, findings out. One list; each has an injection that plants what it looks for. */
#ifndef SUNDER_ORACLE_ORACLE_H
#define SUNDER_ORACLE_ORACLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "exec/crew.h"

/* X(ENUM, name, what it judges) */
#define ORACLE_LIST(X)                                                                            \
	X(CONTENT, content,                                                                       \
		"every cell holds its owner's last stamp, or a zero that an op explains")         \
	X(FAULT, fault,                                                                           \
		"SIGSEGV and SIGBUS only where an op explains them, and always where one must")   \
	X(BITS, bits,                                                                             \
		"page bits that must survive do: write protection by userfaultfd, soft-dirty")    \
	X(ERRNO, errno,                                                                           \
		"an op fails only with the errnos that its arguments and its slot's state allow") \
	X(MMU, mmu, "second MMUs, pins and buffers see what the CPU sees")                        \
	X(REPORTS, reports, "at rest, all that the kernel tells about a mapping fits together")   \
	X(LOCKS, locks, "at rest, a process's counters are what its mappings add up to")          \
	X(PLACEMENT, placement, "pages are on the node where a call says that it has put them")   \
	X(EXECUTOR, executor, "no executor dies by a signal")                                     \
	X(PROGRESS, progress, "no lane is stuck in the kernel")                                   \
	X(KLOG, klog, "the kernel log has no report since our mark")                              \
	X(TAINT, taint, "the kernel's taint did not change")                                      \
	X(ACCOUNTING, accounting, "hugetlb pools count right, and are back when nothing is used") \
	X(LEAK, leak, "no memory and no counter stays behind, rest after rest")                   \
	X(HARDWARE, hardware, "the machine saw no uncorrected memory error")

enum oracle {
#define X(id, name, help) ORACLE_##id,
	ORACLE_LIST(X)
#undef X
		ORACLE_COUNT
};

const char *oracle_name(enum oracle o);
const char *oracle_help(enum oracle o);
int oracle_find(const char *name); /* enum oracle or -ENOENT */

struct finding {
	enum oracle oracle;
	char title[160]; /* the same for the same bug: findings are grouped by it; no newline */
	char *alt; /* alternative titles, newline separated, or NULL; owned */
	char *text; /* evidence for a person, several lines; owned */
	bool has_program; /* crew, round (and lane) are known */
	bool lost_kernel; /* the executor or the kernel cannot go on: exit code 5 */
	unsigned int crew, lane;
	uint64_t round;
	/* What shows in a round may have been done in one before it: to this slot. */
	bool may_be_older;
	unsigned int slot;
};

void finding_clear(struct finding *f);

/* A lane's evidence -> *ret (cleared by the caller with finding_clear). 0 or -ENOMEM. */
int oracle_evidence(const struct crew *c, const struct evidence *e, struct finding *ret);

/*
 * An executor was reaped with this wait status. 1: *ret is a finding; 0: nothing wrong (or killed by us or by the OOM killer: oom).
 * -ENOMEM.
 */
int oracle_exit(const struct crew *c, unsigned int proc, int status, bool oom, struct finding *ret);

/*
 * Lanes that have been in one op longer than stall_ns (or a crew whose barrier did not move): 1 and *ret for the first such lane, with
 * its kernel stack, wchan, syscall and state; 0; -ENOMEM. ret NULL: only asks; else that lane loses its CPUs to this thread's.
 */
int oracle_progress(const struct crew *c, uint64_t stall_ns, struct finding *ret);

/* ---- kernel log ---- */
struct kmsg;

/*
 * Opens /dev/kmsg, writes our own mark (level info) and reads from there on. -EACCES, -ENOENT, ... : skipped. mark names the run.
 */
int kmsg_open(const char *mark, struct kmsg **ret);
void kmsg_close(struct kmsg *k);
int kmsg_fd(const struct kmsg *k); /* for poll() */

/* Writes a mark of ours ("sunder: TEXT", level info). */
void kmsg_mark(struct kmsg *k, const char *text);

/*
 * Reads what there is. Each complete report -> found(arg, finding). quiet: the log was silent for a second or the run is over: a pending
 * report is complete. Returns the number of findings or -errno.
 */
int kmsg_drain(struct kmsg *k, bool quiet, void (*found)(void *arg, struct finding *f), void *arg);

/* Gives the reader a record as if the kernel had written it ("LEVEL,SEQ,USEC,-;TEXT"): for --inject klog. */
void kmsg_plant(struct kmsg *k, const char *record);

/* Records lost to overwriting (EPIPE), OOM kills seen, records read. */
struct kmsg_counts {
	uint64_t lost, oom, records;
	uint64_t hardware; /* records that tell of hardware errors */
	char hardware_first[160];
};
struct kmsg_counts kmsg_counts(const struct kmsg *k);

/* ---- taint ---- */
/* /proc/sys/kernel/tainted. 0 or -errno. */
int taint_read(uint64_t *ret);
/* 1 and *ret when bits were added, naming them; 0; -ENOMEM. */
int oracle_taint(uint64_t before, uint64_t after, struct finding *ret);

#endif
