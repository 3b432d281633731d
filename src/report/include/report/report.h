/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sinks: what a run tells people and scripts. */
#ifndef SUNDER_REPORT_REPORT_H
#define SUNDER_REPORT_REPORT_H

#include <stdio.h>

#include "oracle/counters.h"
#include "oracle/oracle.h"

enum report_format { REPORT_TEXT, REPORT_JSON, REPORT_KTAP };
int report_format_find(const char *name); /* enum report_format or -EINVAL */

/* Exit codes, worst wins: 5, 1, 2, 3, 4, 0. */
enum run_exit {
	EXIT_CLEAN = 0,
	EXIT_FINDING = 1,
	EXIT_USAGE = 2,
	EXIT_RESOURCES = 3,
	EXIT_NOTHING = 4,
	EXIT_LOST = 5
};
enum run_exit exit_worse(enum run_exit a, enum run_exit b);

/* A group of equal findings. */
struct finding_group {
	struct finding first;
	uint64_t count;
	double first_s, last_s; /* seconds since the run's start */
	char dir[256]; /* DIR/findings/NNN-slug, "" if it could not be written */
};

struct oracle_state {
	bool enabled;
	char skipped[192]; /* reason, "" if it judges */
	uint64_t findings; /* with duplicates */
};

/* Everything that a run knows about itself. Filled by the supervisor, read by the sinks. */
struct run_result {
	const struct plan *plan;
	const struct machine *machine;
	char output[256];
	char started[32]; /* UTC, ISO 8601 */
	char kernel_cmdline[1024];
	double elapsed_s;
	bool finished; /* false: summary says FAILED, the run is still going or was lost */
	bool interrupted;
	enum run_exit exit;
	struct oracle_state oracle[ORACLE_COUNT];
	struct finding_group *group; /* [ngroups] */
	unsigned int ngroups;
	struct crew *const *crew; /* [ncrews], for counts; NULL before start */
	unsigned int ncrews;
	uint64_t crew_restarts;
	struct kmsg_counts kmsg;
	uint64_t taint_before, taint_after;
	struct hardware hardware;
	/* Huge pages and PMDs that the whole kernel has split. */
	uint64_t splits_before, splits_now;
	const char *const *injected; /* NULL-terminated names of --inject */
};

/* Sums over all lanes of all crews. */
struct run_totals {
	uint64_t ops, rounds, migrated, split, collapsed, touched, checks, swept, zeros, segv, bus;
	uint64_t ops_seen, ops_overlapped, evidence_lost;
	uint64_t migrated_to[MIGRATED_NODES];
	double skew_ns; /* mean per lane and round */
	uint64_t met_rounds, meets, meets_missed;
	/* Between the first and the last lane that starts at a round's release, or at a meet. */
	uint64_t skew[BUCKETS], meet_skew[BUCKETS];
};
struct run_totals run_totals(const struct run_result *r);

/* Counts of one op over all lanes. */
struct op_totals {
	uint64_t ok, failed, ns;
	struct {
		int err;
		uint64_t count;
	} error[STAT_ERRNOS];
	unsigned int nerrors;
};
struct op_totals op_totals(const struct run_result *r, unsigned int op);
/* Of those calls that had a slot of this backing. */
struct op_totals op_backing_totals(const struct run_result *r, unsigned int op, enum backing b);

/*
 * Files the finding (takes f's strings): a known title only counts. A new one gets a directory with
 * report.txt, finding.json and program.txt (of a finding without a program: program-crewN.txt, what
 * each crew was running), and a line on stderr, and summary.json is brought up to date. Never loses
 * it: what cannot be written goes to stderr whole. Returns the group, valid until the next new
 * title; NULL without memory.
 */
struct finding_group *report_finding(struct run_result *r, struct finding *f, double now_s);

/* /proc/vmstat as it is now, for free(); NULL if it cannot be read. */
char *report_vmstat(void);

/*
 * What the machine is like: kernel, command line, taint, knobs, memory of each node, and how vmstat changed since those two copies
 * of it (may be NULL).
 */
void report_context(
	const struct run_result *r, const char *vmstat_start, const char *vmstat_last, FILE *out);

/* The last 50 lines of the kernel log, for free(); NULL if it may not be read. */
char *report_log_tail(void);

/*
 * The plan as in summary.json (new reference): plan_json(), whatever bytes the job's name is made
 * of; JSON null if it cannot be told.
 */
json_t *report_plan_json(const struct plan *p);

/* DIR/summary.json by rename. 0 or -errno. */
int report_summary_file(const struct run_result *r);

/* DIR/learned.json, for runs to come. 0 or -errno. */
int report_learned_file(const struct run_result *r);

/*
 * DIR/status.json by rename, as docs/status.schema.json describes it: what the run is doing, for whoever watches. state: "running",
 * "stopping" or "ended"; turn: the job whose turn it is. Not synced: after a crash it may be old. 0 or -errno.
 */
int report_status_file(const struct run_result *r, const char *state, const char *turn,
	double elapsed_s, double left_s);

/* The end of a run on stdout in the chosen format. */
void report_summary(const struct run_result *r, enum report_format format, FILE *out);

/* One status line: on a terminal it overwrites itself. */
void report_status(
	const struct run_result *r, double elapsed_s, double left_s, bool terminal, FILE *out);

#endif
