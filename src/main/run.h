/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run of one plan: sets the box up through the ledger, starts crews, judges, restores, reports. */
#ifndef SUNDER_MAIN_RUN_H
#define SUNDER_MAIN_RUN_H

#include <signal.h>

#include "report/report.h"
#include "report/series.h"

enum { RUN_MAX_INJECTS = 8 };

struct run_options {
	struct plan_options plan;
	const char *job; /* job file; or NULL and: */
	const struct program *program; /* a fixed program, its name in program_name */
	const char *program_name;
	uint64_t rounds; /* of a fixed program; 0: until the timeout */
	const char *output; /* directory; NULL: sunder-NAME-TIME in the working directory */
	const char *state; /* ledger directory; NULL: the default */
	const char *store; /* of findings; NULL: in the ledger's directory */
	enum report_format format;
	double status_interval_s;
	bool quiet;
	bool until_finding; /* the first finding ends the run */
	const char *inject[RUN_MAX_INJECTS + 1]; /* NULL-terminated */
};

/* Runs to the end. The exit code. Prints the summary on stdout, all else on stderr. */
enum run_exit run_job(const struct run_options *o);

/* "disruptive,destructive" -> mask of enum hazard, added. 0 or -EINVAL, logged. */
int run_parse_allow(const char *list, uint32_t *allow);

/* ---- between run.c and its parts ---- */
struct kmsg;
struct ledger;

struct run {
	const struct run_options *o;
	struct machine machine;
	struct plan *plan;
	struct run_result result;
	const char *inject[RUN_MAX_INJECTS +
			   2]; /* of the command line and of the job; NULL-terminated */
	struct crew **crew; /* [result.ncrews] */
	bool *abandoned; /* [result.ncrews] unkillable or out of resources */
	/* [result.ncrews] starts in a row that ended before a round was done. */
	unsigned int *barren;
	uint64_t *started_at; /* [result.ncrews] rounds_done at the last start */
	bool *killed; /* [result.ncrews] by us */
	unsigned int turn; /* the part of the plan whose crews run */
	struct ledger *ledger;
	struct kmsg *kmsg;
	struct flight *flight; /* the recorder; NULL: the crews run unrecorded */
	struct series *series; /* NULL: it cannot be written */
	struct counters *counters; /* NULL: none of their judges is at work */
	char state[256];
	struct slot_places places;
	struct box box;
	char place_path[SLOT_HUGE_COUNT + MACHINE_MAX_HSTATES][320];
	double start_s;
	time_t started;
	/* Copies of /proc/vmstat, for what a finding's context tells. */
	char *vmstat_start, *vmstat_last;
	double vmstat_last_s;
	bool stop_asked; /* by a signal */
	unsigned int signals;
};

/*
 * Opens the ledger, starts its guard, sets the plan's knobs and mounts debugfs where root misses it. *ret_changed: what this
 * machine can do may have changed. 0 or -errno, logged.
 */
int setup_knobs(struct run *r, bool *ret_changed);

/* The swap file and the cgroup that ops of the plan use. True if something was made. What fails is told. */
bool setup_places_of_ops(struct run *r);

/*
 * When pools and mounts are there: records what the plan's ops will write, and takes out of the plan those that find nothing to
 * write. 0 or -errno.
 */
int setup_box(struct run *r);
void release_box(struct run *r);

/* The plan's pools and mounts. 0 or -errno, logged. */
int setup_memory(struct run *r);

extern const char *const inject_names[]; /* NULL-terminated */

/* A name of --inject that nobody knows: -EINVAL, logged. */
int inject_check(const struct run_options *o);

/* Plants what the names ask for. */
void inject_crews(struct run *r);
void inject_start(struct run *r); /* kernel log, when the crews run */
bool inject_has(const struct run *r, const char *name);

/* True if the crew is of the part whose turn it is. */
bool run_has_turn(const struct run *r, unsigned int crew);

/* Starts the crews of the part whose turn it is, where they left off. 0 or -errno. */
int run_start_turn(struct run *r);

/* ---- rests ---- */

struct rest {
	enum { REST_OFF, REST_ASKED, REST_LOOKED_AT } state;
	double next_s, since_s;
	unsigned int hung; /* looks that did not come back */
};

void rest_open(struct run *r, struct rest *rest);

/*
 * Each tick: asks crews to rest when it is time, has the counters looked at, lets them go on. held: the run or a turn is
 * ending, no crew may be kept waiting.
 */
void rest_tick(struct run *r, struct rest *rest, double now_s, double deadline_s, bool held);

/* All crews have ended. True if a last look has begun. */
bool rest_last(struct run *r, struct rest *rest, double now_s);

/* A child that is no executor was reaped. */
void rest_reaped(struct run *r, pid_t pid, int status);

/* The supervisor's loop: returns when all crews have ended. 0 or -errno. */
int supervise(struct run *r);

/* The signals that the supervisor takes through its signalfd; blocked in all of the process. */
void run_signals(sigset_t *ret);

double run_now_s(void);
uint64_t run_splits(void); /* huge pages and PMDs that the kernel has split since boot */
void run_finding(struct run *r, struct finding *f);

#endif
