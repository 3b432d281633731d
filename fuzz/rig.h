/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rig: this machine, set up for fuzzing, with executors that run one program after the other, and the oracles of a run. One a
 * process.
 */
#ifndef SUNDER_FUZZ_RIG_H
#define SUNDER_FUZZ_RIG_H

#include <stdbool.h>

#include "exec/crew.h"
#include "oracle/oracle.h"

enum { RIG_MAX_TITLES = 8 };

struct rig_options {
	const char *state, *store, *record, *known; /* of the command line; NULL: not given */
	const char *tmp; /* for file backings */
	const char *
		inject; /* what is planted in the first program, as --inject of a run; NULL: nothing */
	uint32_t allow; /* hazard classes, added */
	uint64_t limit_ns, stall_ns;
	unsigned int cases; /* that one crew runs */
	bool dry; /* nothing is set up, nothing is run */
	bool wants_state, wants_kcov;
};

enum rig_outcome {
	RIG_RAN,
	RIG_NOTHING, /* nothing of the program can run here */
	RIG_SLOW, /* it was ended */
	RIG_FAILED, /* executors could not be started or gave up: why[] */
};

struct rig_result {
	enum rig_outcome outcome;
	char why[160];
	unsigned int nfindings; /* all of them, known or not */
	unsigned int ntitles; /* of those that were not known */
	char title[RIG_MAX_TITLES][160];
	uint64_t ns, op_ns; /* from the start to the rest; the longest lane's ops */
};

struct rig_counts {
	uint64_t crews, slow, nothing, failed, findings, looked;
	uint64_t case_ns, op_ns, look_ns,
		crew_ns; /* of all cases, the longest lanes' ops and looking in it; starting crews */
};

struct rig;

/* 0 or -errno, logged. */
int rig_open(const struct rig_options *o, struct rig **ret);

/* Ends the executors and undoes what was set up. */
void rig_close(struct rig *r);

bool rig_can_run(const struct rig *r, unsigned int op);

/* The program as it runs here: see docs/fuzz.md. Pure function of the program and the machine. */
void rig_fit(const struct rig *r, struct program *p);

/* Sees that there are executors for a program that was fitted. True if rig_run() can follow. */
bool rig_ready(struct rig *r, const struct program *p, struct rig_result *ret);

/* Runs it. look: also at what the kernel tells about the mappings when it has ended. */
void rig_run(struct rig *r, const struct program *p, bool look, struct rig_result *ret);

/* True if looking may cost some more of the time. */
bool rig_look_is_due(const struct rig *r);

/*
 * Between two programs, when it is time: the crew rests with nothing mapped, and the hugetlb pools must be what they were. Takes 0.2 s.
 * True if it was done; then ret has what was found.
 */
bool rig_rest(struct rig *r, struct rig_result *ret);

/* Of the last program that ran; NULL: none did. Its slots, states, records and coverage can be read until the next. */
const struct crew *rig_crew(const struct rig *r);
/* What the lanes of rig_crew() really ran: without ops that the executors could not. */
const struct program *rig_fed(const struct rig *r);
const struct machine *rig_machine(const struct rig *r);
const struct rig_counts *rig_counts(const struct rig *r);

/* What cannot be trusted any more after a finding: the title; NULL: all is well. */
const char *rig_lost(const struct rig *r);

/* NULL, or why there is no kernel coverage. */
const char *rig_no_kcov(const struct rig *r);

#endif
