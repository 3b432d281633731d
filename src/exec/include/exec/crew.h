/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Crews: up to 8 lanes in up to 8 executor processes that share slots. Each round all lanes are released at a common deadline, each
 * with its own offset, and run their part of the round's program; between rounds nothing runs. The supervisor starts a
 * crew, watches its shared control block, and takes evidence from it; it never maps a slot.
 */
#ifndef SUNDER_EXEC_CREW_H
#define SUNDER_EXEC_CREW_H

#include <stdatomic.h>
#include <stdbool.h>

#include "exec/model.h"
#include "mem/arena.h"
#include "mem/cell.h"
#include "mem/scarcity.h"
#include "plan/plan.h"

enum { STAT_ERRNOS = 8, MIGRATED_NODES = 64 /* node ids beyond fold */ };

/* What became of one op's calls on one lane. Written by the lane, read by the supervisor at any time. */
struct op_stat {
	_Atomic uint64_t ok, failed, ticks;
	_Atomic uint32_t err[STAT_ERRNOS]; /* distinct errnos seen, 0: free */
	_Atomic uint64_t count[STAT_ERRNOS];
};

/* One executed op of the round in progress or just ended. */
enum { RECORD_MIGRATED = 1, RECORD_COLLAPSED = 2 };
struct record {
	uint8_t op;
	uint8_t cpu;
	int16_t err; /* errno, 0: success */
	uint8_t did; /* RECORD_...: what it told besides */
	uint32_t when; /* of a failed one: the state it failed in, a mask of enum op_when */
	uint64_t start, stop; /* ticks; stop 0: running */
};

/* What a lane does that is no op of a program; as lane_ctl.op, and in evidence. Never a registered op's number. */
enum {
	LANE_PROBES = OP_NUMBERS - 3,
	LANE_RENEWS = OP_NUMBERS - 2,
	LANE_SWEEPS = OP_NUMBERS - 1,
	LANE_IDLE = OP_NUMBERS
};

enum lane_state { LANE_STARTING, LANE_WAITING, LANE_RUNNING, LANE_ENDED };

struct lane_ctl {
	_Atomic int tid;
	_Atomic uint32_t state; /* enum lane_state */
	_Atomic uint32_t op_index; /* in the round's program */
	_Atomic uint32_t op; /* number of the op in progress, or LANE_... */
	_Atomic uint64_t op_start; /* ticks; 0: none in progress */
	/* Ops begun and ended, by their slot, [SLOT_MAX]: of no slot; odd: one is under way. Read by alone.c of other lanes. */
	_Atomic uint32_t calls[SLOT_MAX + 1];
	_Atomic uint64_t round;
	_Atomic uint64_t ops, migrated, collapsed, touched, checks, zeros, segv, bus, swept;
	_Atomic uint64_t migrated_to[MIGRATED_NODES]; /* by node, where the op tells it */
	_Atomic uint64_t skew_ns; /* released that much after its own deadline, sum */
	_Atomic uint64_t late; /* the same of the last round, in ticks; LANE_ABSENT: it had no op */
	_Atomic uint32_t meets; /* bit mask of those in the program of the round to come */
	struct record record[PROGRAM_MAX_OPS];
	_Atomic uint32_t nrecords;
	struct op_stat stat[OP_NUMBERS];
	struct evidence_ring ring;
	/* The same of calls that had a slot. Where stat[] has none of an op, its memory stays untouched. */
	struct op_stat by_backing[OP_NUMBERS][BACKING_COUNT];
	/*
	 * Kernel coverage. Set before the fork: an fd of debugfs kcov in which a buffer was set up, -1: none, and that buffer as it is mapped
	 * (and inherited). After a round: how many of its words after the first are PCs of the round's ops.
	 */
	int kcov_fd;
	uint64_t *kcov;
	_Atomic uint64_t kcov_pcs;
} __attribute__((aligned(64)));

#define LANE_ABSENT UINT64_MAX

/* What a lane brings to a meet. */
struct meet_part {
	struct model_key key;
	struct op_timing timing;
	uint8_t op; /* index in its program */
};

/* A meet of the round in progress. */
struct meet {
	_Atomic uint32_t lanes, in; /* bit masks: who is to come, who has */
	_Atomic uint32_t open; /* 1: all are there, or are not waited for; futex word */
	_Atomic uint32_t sleepers;
	/* Written by a lane before it sets its bit of `in`; due[] by the last one before it opens. */
	struct meet_part part[PROGRAM_MAX_LANES];
	uint64_t due[PROGRAM_MAX_LANES]; /* ticks */
	uint64_t late[PROGRAM_MAX_LANES]; /* started that much after it, ticks; LANE_ABSENT */
};

/* What the aims of a meet came to; kept for a while, for programs that found something. */
struct resolved {
	_Atomic uint64_t key; /* round << 3 | meet; 0: none */
	_Atomic uint32_t delay_ns[PROGRAM_MAX_LANES];
};
enum { RESOLVED_KEPT = 4096 };

/*
 * How two ops that met came out, by the phase of the target's window in which the aimer started. What is usual is found by
 * majority vote; the rest are changes. Written at quiesce by one lane.
 */
struct lesson {
	_Atomic uint32_t key; /* lesson_key(); 0: free */
	uint32_t usual, votes, seen;
	_Atomic uint32_t tries[LESSON_PHASES], changes[LESSON_PHASES];
};
enum { LESSONS = 4096, LESSON_PROBES = 16 };

/* Where the starts of overlapping ops lie: in the window of the one that started first. */
enum { PAIR_PHASES = 8 };

struct op_pair_stat { /* of ops a <= b */
	_Atomic uint32_t count; /* overlaps */
	_Atomic uint32_t rounds; /* in which they overlapped */
	uint64_t last_round; /* + 1 */
	_Atomic uint32_t phase[2][PAIR_PHASES]; /* [0]: b starts in a's window; [1]: a in b's */
};

/*
 * An epoch: MAP, then RUN each round, then STATE (where it is wanted: a lane of each process takes down what became of the slots),
 * SWEEP (lanes check their cells), PROBE (a lane of each process checks what its gear
 * sees), LOOSE (gear lets go), LOOK (a lane of each process checks what the kernel tells about it; nobody touches a slot), TRY (one
 * lane alone), BARE (nothing of a slot is mapped or held any more; objects are emptied).
 */
enum crew_phase {
	PHASE_MAP,
	PHASE_RUN,
	PHASE_STATE,
	PHASE_SWEEP,
	PHASE_PROBE,
	PHASE_LOOSE,
	PHASE_LOOK,
	PHASE_TRY,
	PHASE_BARE,
	PHASE_END
};

/* What became of a view of a slot in one process, as its smaps tell: 0: none, else log2 + 1 of the kB. */
enum slot_figure {
	SLOT_VMAS, /* log2 + 1 of their number */
	SLOT_RSS,
	SLOT_ANON,
	SLOT_PMD, /* mapped by PMDs, of whatever kind */
	SLOT_HUGETLB,
	SLOT_SWAP,
	SLOT_LOCKED,
	SLOT_FIGURES
};
struct slot_state {
	uint8_t figure[SLOT_FIGURES];
	uint8_t node
		[2]; /* node of the first page, and of the first of the last PMD; NODE_NONE + errno & 63 */
};
enum { NODE_NONE = 0x80 };

/* A rest: the crew waits, bare, until the supervisor has looked at the machine. */
enum crew_rest { REST_NONE, REST_WANTED, REST_REACHED };

struct crew_ctl {
	/* Set by the supervisor before the fork; constant from then on. */
	unsigned int index, nlanes, nprocs;
	uint64_t first_round;
	enum cell_inject inject_cell;
	enum evidence_kind inject_look; /* a probe sees a figure that is off, once */
	int inject_errno; /* one op reports this errno, once */
	/* Injecting: any of those in a lane. */
	bool inject_stall, inject_crash, inject_fault, inject_mmu, injecting;
	uint8_t lane_proc[PROGRAM_MAX_LANES];
	bool wants_state; /* epochs have a phase STATE */
	/* Of a fed crew, set while it rests: what the coming epoch is spared. */
	bool unlooked; /* nobody looks at what the kernel tells */
	_Atomic bool
		untouched; /* no op of the last epoch may have changed a slot: state[] is of an earlier one */
	_Atomic uint64_t look_ticks; /* that processes have spent looking, in all */
	struct slot_state state[PROGRAM_MAX_PROCS][SLOT_MAX][SLOT_MAX_VIEWS];
	/* Slots; addresses are filled in by the first executor. */
	struct slot slot[SLOT_MAX];
	unsigned int nslots;
	struct space space[SLOT_MAX];
	/* The barrier. seq: futex word, +1 for each phase released. */
	_Atomic uint32_t seq;
	_Atomic uint32_t arrived; /* lanes done with the phase */
	_Atomic uint32_t phase; /* enum crew_phase */
	_Atomic uint64_t round, deadline, rounds_done;
	_Atomic uint32_t sleepers; /* lanes in futex wait on seq */
	bool yields; /* who waits lets others on its CPU run, and sleeps only after a while. Set before lanes start */
	_Atomic bool stop; /* by the supervisor: end after this round */
	_Atomic uint32_t rest; /* enum crew_rest; futex word */
	/* Of the flight recorder (exec/flight.h). */
	struct flight_word *flight; /* NULL: not recorded */
	_Atomic uint64_t granted; /* rounds below it are on disk and may run */
	_Atomic uint64_t ask_at; /* the round from which on more are wanted */
	_Atomic uint32_t grants; /* futex word, +1 for each grant */
	int pmsg_fd; /* -1: there is none */
	_Atomic uint32_t *
		hidden; /* of look_hidden.c, shared by the supervisor's crews; NULL: each finds out */
	struct scarcity *scarcity; /* the run's; NULL: no op of the plan makes memory scarce */
	_Atomic uint32_t scarce; /* what this crew has begun of it and not ended */
	_Atomic bool locked[PROGRAM_MAX_PROCS]; /* something was mlocked in this epoch */
	_Atomic pid_t pid[PROGRAM_MAX_PROCS];
	_Atomic int failed; /* an executor could not set up: errno */
	char failed_what[128]; /* valid when failed is set */
	/* Overlap, counted by the last lane to arrive. */
	_Atomic uint64_t ops_seen, ops_overlapped;
	_Atomic uint64_t pair_seen[OP_NUMBERS][OP_NUMBERS / 64]; /* bits: pair[][] has something */
	struct op_pair_stat pair[OP_NUMBERS][OP_NUMBERS]; /* a <= b */
	/* Timing. */
	_Atomic uint32_t meets_wanted; /* some lane's program of the round to come has a meet */
	uint32_t meets_now; /* bit mask of those of the round in progress */
	uint64_t meet_margin_ns; /* from the last lane's arrival to the first start */
	struct meet meet[PROGRAM_MAX_MEET];
	struct resolved resolved[RESOLVED_KEPT];
	_Atomic uint64_t meets, meets_missed, met_rounds; /* missed: somebody was not waited for */
	struct histogram skew, meet_skew; /* between the first and the last lane, ns */
	struct model model;
	struct lesson lesson[LESSONS];
	/* NULL, or what finds the starts of a meet in place of meet_resolve(): for benches. Set before the fork. */
	void (*resolver)(struct crew_ctl *ctl, const struct meet *m, uint32_t in, uint32_t *ret_ns);
	struct lane_ctl lane[PROGRAM_MAX_LANES];
};

struct guest;

struct crew {
	struct crew_ctl *ctl; /* shared mapping, ctl_size bytes */
	size_t ctl_size;
	const struct plan *plan;
	const struct machine *machine;
	unsigned int index; /* in the plan */
	unsigned int number; /* among the crews of all turns */
	const struct box
		*box; /* set before crew_start() where the plan has ops that use it; else NULL */
	struct guest *held; /* see hold_guest(); NULL: none */
};

/*
 * Makes the control block and the slots' objects. places: where objects are made. *ret is freed with crew_free().
 * 0 or -errno (message logged).
 */
int crew_new(const struct plan *plan, unsigned int index, const struct machine *m,
	const struct slot_places *places, struct crew **ret);
void crew_free(struct crew *c);

/* Closes the slots' objects, so that their pages are freed; counts stay readable. When no executor is left. */
void crew_release_slots(struct crew *c);

/*
 * Empties the slots' objects in place of executors that are gone. It may hang where they hung: for a process that may be
 * killed.
 */
void crew_empty_slots(const struct crew *c);

/* Forks the first executor, which forks the rest. first_round: where the crew goes on. 0 or -errno. */
int crew_start(struct crew *c, uint64_t first_round);

/* Asks the lanes to end after the round in progress. */
void crew_stop(struct crew *c);

/*
 * Asks the crew to rest when its epoch ends; it does so with no slot mapped and every object empty. crew_resume() lets it go
 * on, also while it has not come to rest yet.
 */
void crew_rest(struct crew *c);
bool crew_rests(const struct crew *c);
void crew_resume(struct crew *c);

/*
 * Of a plan that is fed: crew_start() brings the crew to its first rest. crew_next() lets it run one epoch and rest again, and
 * crew_wait() waits for that, but not longer than ns: -ETIMEDOUT; -EINTR: a signal came (an executor may have ended).
 */
void crew_next(struct crew *c);
/*
 * True if what executors prepare when they start (gear, what looks may judge) depends on whether their plan has this op: a crew
 * must not be fed it else.
 */
bool crew_minds(unsigned int op);
int crew_wait(const struct crew *c, uint64_t ns);

/* SIGKILLs all executors. They are still to be waited for. */
void crew_kill(struct crew *c);

/* The aims of a round's program become the delays that they came to when it ran, as far as that is still known. */
void crew_resolve_aims(const struct crew *c, uint64_t round, struct program *p);

static inline bool pair_is_seen(const struct crew_ctl *ctl, unsigned int a, unsigned int b)
{
	return atomic_load_explicit(&ctl->pair_seen[a][b / 64], memory_order_relaxed) >> b % 64 & 1;
}

/* Pids of executors that are up (0: not). */
pid_t crew_pid(const struct crew *c, unsigned int proc);

/* Number of executor processes that have not been reaped. */
unsigned int crew_alive(const struct crew *c);

/* Tells the crew that a process of it was reaped; false if pid is none of its. */
bool crew_reaped(struct crew *c, pid_t pid, unsigned int *ret_proc);

#endif
