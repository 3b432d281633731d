/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the rig's files. */
#ifndef SUNDER_FUZZ_RIG_PARTS_H
#define SUNDER_FUZZ_RIG_PARTS_H

#include "exec/flight.h"
#include "rig.h"
#include "run.h"

enum { KCOV_WORDS = 1 << 16 };

struct known {
	char **title; /* [n] */
	unsigned int n;
};

struct rig {
	struct rig_options o;
	struct run_options run_options;
	struct run run; /* of it: the machine, the box, the plan that everything was set up for */
	bool runnable[OP_NUMBERS];
	bool has_slot[BACKING_COUNT][SLOT_HUGE_COUNT]; /* slots of which kinds can be had */
	uint64_t huge_size; /* of hugetlb slots; 0: there are none */
	/* The executors at work, and what they were started for. */
	struct plan *plan;
	struct crew *crew;
	struct program *fed; /* shared with them */
	uint64_t minded[OP_NUMBERS / 64]; /* bits: ops of crew_minds() that their plan has */
	unsigned int crew_cases;
	/* Coverage buffers, kept from crew to crew. */
	int kcov_fd[PROGRAM_MAX_LANES];
	uint64_t *kcov[PROGRAM_MAX_LANES];
	bool kcov_tried;
	char no_kcov[120];
	/* Judging. */
	struct kmsg *kmsg;
	struct counters *counters; /* NULL: hugetlb pools are not judged */
	uint64_t rest_at_ns; /* when they are looked at next */
	bool between_stuck; /* a lane was stuck outside of ops, and waited for */
	int taint_fd;
	uint64_t taint, log_records;
	struct known known;
	struct flight *flight;
	uint64_t number; /* of the case; the recording's round */
	char lost[160];
	struct rig_counts counts;
	struct rig_result *result; /* of the case that runs */
};

void drop_crew(struct rig *r);

/* ---- judging ---- */
int judge_open(struct rig *r);
void judge_close(struct rig *r);

/* Takes the finding: files it, and notes its title in the result unless it is known. */
void judge_found(void *rig, struct finding *f);

/* After a program has ended, or its executors have. */
void judge_case(struct rig *r);

/* True if a lane has been in one op for half the limit, and it is not known yet that lanes get stuck in that op. */
bool judge_waits(struct rig *r);

/* A child that is no executor was reaped. */
void judge_reaped(struct rig *r, pid_t pid, int status);

/* An executor was reaped. ours: we killed it. */
void judge_exit(struct rig *r, unsigned int proc, int status, bool ours);

#endif
