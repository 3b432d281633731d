/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ops: one self-contained struct each (op_<name>, in a file of its op family), registered by one line in op/list.h.
 * `sunder ops`, the docs page, the text and byte codecs, the generator and the errno oracle all come from it.
 */
#ifndef SUNDER_OP_OP_H
#define SUNDER_OP_OP_H

#include <stdatomic.h>
#include <sys/types.h>

#include "base/rng.h"
#include "caps/caps.h"
#include "mem/effect.h"
#include "mem/slot.h"
#include "op/box.h"
#include "op/gear.h"

enum { OP_MAX_ARGS = 8, OP_MAX_NEEDS = 6, OP_MAX_ERRNOS = 16 };

enum hazard { HAZARD_SAFE, HAZARD_ROOT, HAZARD_DISRUPTIVE, HAZARD_DESTRUCTIVE, HAZARD_COUNT };
const char *hazard_name(enum hazard h);
int hazard_find(const char *name); /* enum hazard or -ENOENT */

/* ---- arguments ---- */
enum arg_kind {
	ARG_END, /* ends the table */
	ARG_SLOT, /* slot number, 0..SLOT_MAX-1; 1 byte */
	ARG_VIEW, /* view of the slot, folded into its views at run time; 1 byte */
	ARG_OFF, /* first page of a range, in base pages, folded into the slot at run time; 4 bytes */
	ARG_LEN, /* pages of a range, in base pages, folded to what the slot has from there on, 0 = all of it; 4 bytes */
	ARG_NODE, /* index into the nodes with memory, folded at run time; 1 byte */
	ARG_PROC, /* executor process of the crew, folded at run time; 1 byte */
	ARG_ENUM, /* one of words[]; 1 byte */
	ARG_FLAGS, /* any set of words[] (at most 32), bit i = words[i]; 4 bytes */
	ARG_INT, /* 0..max; 4 bytes */
	ARG_NS, /* nanoseconds 0..max; 4 bytes; text form takes ns, us, ms */
};

struct arg_word {
	const char *name;
	unsigned long value; /* what the kernel takes */
};

struct arg_desc {
	const char *name; /* [a-z_]+ */
	enum arg_kind kind;
	uint32_t max; /* of ARG_INT, ARG_NS */
	const struct arg_word *words; /* of ARG_ENUM, ARG_FLAGS; ends with a NULL name */
	const char *help;
};

/* A range op's first four arguments, so that every range op reads alike. */
#define ARGS_RANGE                                                    \
	{"slot", ARG_SLOT, 0, NULL, "what it acts on"},               \
		{"view", ARG_VIEW, 0, NULL, "through which mapping"}, \
		{"off", ARG_OFF, 0, NULL, "first page"},              \
	{                                                             \
		"pages", ARG_LEN, 0, NULL, "length, 0 = to the end"   \
	}

/* One call of an op, as it stands in a program: the op's number and its arguments, each in its range. */
struct op_call {
	uint8_t op;
	uint32_t arg[OP_MAX_ARGS];
};

/* ---- the state that an errno may depend on; what is true is collected when a call has failed ---- */
enum op_when {
	WHEN_ALWAYS = 0, /* as the whole mask: in every state */
	WHEN_HOLE =
		1
		<< 0, /* part of the range may be unmapped or inaccessible, or was while the op ran */
	WHEN_SPLIT = 1 << 1, /* the range may be made of more than one VMA */
	WHEN_LOCKED = 1 << 2, /* part of the process may be locked in memory */
	WHEN_SHORT = 1 << 3, /* the object may be shorter than the range */
	WHEN_UNALIGNED = 1 << 4, /* hugetlb, and the range is not of whole huge pages */
	WHEN_HUGETLB = 1 << 5,
	WHEN_ANON = 1 << 6, /* anon */
	WHEN_SHMEM = 1 << 7, /* memfd, memfd_private, tmpfs, anon_shared, sysv */
	WHEN_FILE = 1 << 8, /* disk file, file_private */
	WHEN_TIGHT = 1 << 9, /* hugetlb whose pool may run dry */
	WHEN_UNPRIV = 1 << 10, /* RLIMIT_MEMLOCK binds */
	WHEN_ODD = 1 << 11, /* the op's own odd() says that these arguments are refused */
	WHEN_GONE_PEER = 1 << 12, /* the other process may be gone (crew is stopping) */
	WHEN_PRIVATE = 1 << 13, /* private backings, hugetlb_private included */
	WHEN_STRICT =
		1
		<< 14, /* the op's own strict(): the call looks at pages and fails for one that is not right */
	WHEN_UNSUITED =
		1 << 15, /* the slot's backing is none of op->backings: any refusal is right */
	/* An op of OP_SCARCE_... is in force, or was while this one ran: any op may fail for want of memory. */
	WHEN_SCARCE = 1 << 16,
	WHEN_FENCED = 1 << 17, /* the crew may be confined to some nodes: others are refused */
	WHEN_INJECTED = 1 << 18, /* an allocation or a copy of this very call was made to fail */
};

struct op_errno {
	int err; /* errno; 0 ends the table */
	uint32_t when; /* legal if any of these holds; WHEN_ALWAYS: always */
};

/* ---- what an op may use while it runs; one per lane, prepared by exec; nothing in it is allocated by ops ---- */
enum { OP_SCRATCH_PAGES = 4096 }; /* most pages that one move_pages or mincore call covers */

struct op_scratch { /* per lane, outside all slots */
	void *page[OP_SCRATCH_PAGES];
	int node[OP_SCRATCH_PAGES];
	int status[OP_SCRATCH_PAGES];
	unsigned char vec[OP_SCRATCH_PAGES];
	char text[65536];
};

struct cells; /* mem/cell.h: the lane's access to stamped memory */

struct op_env {
	const struct machine *machine;
	const struct slot *slot; /* [nslots] */
	unsigned int nslots;
	unsigned int lane; /* in the crew, 0..7 */
	unsigned int proc, nprocs; /* this executor, and how many the crew has */
	const _Atomic pid_t *pid; /* [nprocs] */
	struct op_scratch *scratch;
	struct cells *cells;
	int split_fd; /* debugfs split_huge_pages, or -1 */
	int smaps_fd, pagemap_fd, numa_maps_fd; /* of this process, or -1 */
	int smaps_rollup_fd;
	bool privileged; /* RLIMIT_MEMLOCK does not bind */
	struct {
		const struct gear *gear;
		void *state;
	} gear[GEAR_MAX]; /* [ngears], of this process */
	unsigned int ngears;
	const struct box *box; /* NULL where the plan has no op that needs it */
	unsigned int crew; /* which of the run's */
	/*
	 * A promise: the first n pages of scratch->page, where scratch->status says `node`, are on that node of pid's memory (0: this
	 * process's) for as long as no op moves them. n is 0 before each call.
	 */
	struct {
		unsigned long n;
		int node;
		pid_t pid;
	} placed;
	/*
	 * Set by an op: in the lane's next op of calls_only, the nth place where the kernel can be made to fail does so. 0: none. Exec
	 * takes it, and forgets it when the round ends.
	 */
	uint32_t fail_nth;
	/* What the op tells besides its result; exec clears them before each call. */
	uint64_t migrated, collapsed, bytes;
	int migrated_to; /* the node that migrated pages are on now; -1: not known */
	bool partial; /* it may have succeeded with a part of the range only: nothing need be zero after it */
};

/* What a run sets up for an op, and what the op means to the others. */
enum op_uses {
	OP_USES_CGROUP = 1 << 0, /* each crew lives in a cgroup of its own */
	OP_USES_SWAP = 1 << 1, /* there is a swap file of the run's own */
	OP_SHRINKS_POOLS =
		1 << 2, /* hugetlb pools may run dry at any time: slots on them are tight */
	OP_FENCES_NODES = 1 << 3, /* nodes may be out of reach for policies and migration */
	OP_SCARCE_NOW = 1 << 4, /* while it runs, the kernel may refuse memory to anyone */
	OP_SCARCE_ON = 1 << 5, /* from it to the end of the epoch */
	OP_INJECTS = 1 << 6, /* sets op_env.fail_nth */
};

struct op {
	const char *name; /* [a-z0-9_]+ */
	const char *help; /* one line: what it does */
	const char *exercises; /* kernel functions, space separated */
	enum hazard hazard;
	unsigned int weight; /* share in a mix that names no weight, 1..100 */
	uint32_t backings; /* bit mask of enum backing that it makes sense on; 0 = takes no slot */
	enum cap needs[OP_MAX_NEEDS]; /* nneeds of them */
	unsigned int nneeds;
	enum cap wants
		[OP_MAX_NEEDS]; /* nwants of them: without, some arguments are refused (odd() knows which) */
	unsigned int nwants;
	unsigned int
		holds; /* hugetlb pages that a lane may keep after the slot has lost them: pins */
	/* Leaves every present page on its node and puts no other in its place: such ops take no promise away (op_env.placed). */
	bool stays;
	/* Nothing but system calls, in which the kernel alone touches slots: no signal comes, whatever fails in them. */
	bool calls_only;
	const struct gear *gear; /* what its family keeps in the process; may be NULL */
	uint32_t uses; /* of enum op_uses */
	/*
	 * What it writes, as globs of files, ends with NULL: absolute ones of the machine, the rest in the crew's cgroup. Their
	 * values are recorded before the run and put back after it, and at the end of each epoch. May be NULL.
	 */
	const char *const *knobs;
	const struct arg_desc *args; /* at most OP_MAX_ARGS, ends with ARG_END; may be NULL */
	const struct op_errno *errnos; /* any other errno is a finding; may be NULL: never fails */

	/* Does it. >= 0 or -errno. The hot path: no allocation, no lock, no system call but the one under test. */
	long (*run)(struct op_env *e, const struct op_call *c);

	/* What this call may do; fills at most EFFECTS_MAX and returns how many. NULL: nothing. */
	unsigned int (*effects)(
		const struct op_env *e, const struct op_call *c, struct effect *eff);

	/* True if the kernel refuses these arguments in this state by its own rules (makes WHEN_ODD true). May be NULL. */
	bool (*odd)(const struct op_env *e, const struct op_call *c);

	/* True if the call looks at pages and fails for one that is not right (makes WHEN_STRICT true). May be NULL. */
	bool (*strict)(const struct op_env *e, const struct op_call *c);

	/* Replaces drawn arguments by ones that make more sense together. May be NULL. Pure: same rng, same result. */
	void (*tune)(struct op_call *c, struct rng *r);

	/*
	 * The call that gives back what c takes away for good (mappings, rights, length): in most drawn programs it
	 * follows soon, so that the next ops find memory. False: nothing to give back. May be NULL.
	 */
	bool (*undo)(const struct op_call *c, struct op_call *ret);
};

/* ---- the list (op/list.h) ---- */
enum { OP_NUMBERS = 256 };

/* The op with a number, or NULL: numbers are never reused, holes are possible. */
const struct op *op_get(unsigned int number);
int op_find(const char *name); /* number or -ENOENT */
unsigned int op_nargs(const struct op *op);

/*
 * NULL, or why the op cannot run here (first missing need, one line). Hazard is not judged here. Probes what the op
 * needs and wants, so that its odd() may ask caps from a lane: call it once before the lanes start.
 */
const char *op_missing(const struct op *op);

/*
 * The op that a byte stands for: the byte itself if registered, else one found by folding; so that every byte is an op.
 */
unsigned int op_fold_number(unsigned int byte);

/* Folds a raw argument into its static range (words, max). */
uint32_t arg_fold(const struct arg_desc *d, uint32_t raw);

/* ---- run-time folding ---- */
struct op_span {
	const struct slot *slot;
	unsigned int slot_no, view;
	uint32_t page, pages; /* within the slot, pages >= 1 */
	uintptr_t addr; /* of the view */
	size_t len; /* bytes */
};

/*
 * The range of a call, by the ARG_SLOT, ARG_VIEW, ARG_OFF and ARG_LEN of the op's table; one that it lacks counts as 0.
 * The slot is always one that is present, and of op->backings if any is. A value beyond the slot is folded into it,
 * to whole huge pages on hugetlb, so that most random bytes are a range that the kernel takes. At least one slot
 * must be present.
 */
struct op_span op_range(const struct op_env *e, const struct op_call *c);

/* Node id for an ARG_NODE value. */
int op_node(const struct op_env *e, uint32_t arg);

/* Pid of an ARG_PROC value (0 if that executor is not up). */
pid_t op_pid(const struct op_env *e, uint32_t arg);

/*
 * An effect over the span of a call, on hugetlb rounded outwards to whole huge pages: right for all that speaks of
 * addresses (VMAs of hugetlb have no other borders), and for "may".
 */
struct effect op_effect(const struct op_span *s, uint32_t kinds);

/* True if the span is of whole huge pages of a hugetlb slot, or the slot is not hugetlb. */
static inline bool op_span_aligned(const struct op_span *s)
{
	return s->page % s->slot->granule == 0 && s->pages % s->slot->granule == 0;
}

/*
 * The part of `when` that follows from the call and its slot alone: UNALIGNED, HUGETLB, ANON, SHMEM, FILE, TIGHT, PRIVATE,
 * UNPRIV, ODD, STRICT, UNSUITED. The rest (HOLE, SPLIT, LOCKED, SHORT, GONE_PEER) is history, which exec knows.
 */
uint32_t op_when(const struct op *op, const struct op_env *e, const struct op_call *c);

/* For undo(): the op `by` with the same slot, view, off and pages, its other arguments 0. */
bool op_undo_range(const char *by, const struct op_call *c, struct op_call *ret);
bool op_undo_by_mmap(const struct op_call *c, struct op_call *ret);
bool op_undo_by_munlock(const struct op_call *c, struct op_call *ret);

/* ---- drawing (the generator) ---- */
struct op_draw { /* what to draw from: a plan's view of the crew */
	const struct slot_spec *slot; /* [nslots] */
	uint32_t slots; /* bit mask of slots that may be drawn */
	unsigned int nslots, nprocs, nnodes;
	uint32_t page_size, pmd_pages; /* bytes; base pages */
};

/*
 * Draws every argument of the op whose bit in `fixed` is clear: ranges in huge-page shapes (whole PMD, one page, PMD +- one
 * page, half, straddling two, whole slot, PUD, aligned to the huge page on most hugetlb draws), nodes, flags. c->op
 * is set by the caller. -ENOENT when no drawable slot suits the op's backings. Pure function of rng.
 */
int op_draw_args(const struct op *op, const struct op_draw *d, uint32_t fixed, struct op_call *c,
	struct rng *r);

/* ---- errno oracle's table look-up: is -err legal for op in the state `when`? ---- */
bool op_errno_legal(const struct op *op, int err, uint32_t when);

#endif
