/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The judges of counters: `accounting` (hugetlb pools), `leak` (memory that does not come back) and `hardware`. They see only
 * what the kernel tells about the whole machine, at each tick and, closer, while all crews rest (exec/crew.h) and after they
 * have ended: then every counter that ops moved must be back.
 *
 * A close look is taken by a process of its own: a kernel that hangs in it takes nothing with it.
 */
#ifndef SUNDER_ORACLE_COUNTERS_H
#define SUNDER_ORACLE_COUNTERS_H

#include "oracle/oracle.h"

struct counters;

struct counters_options {
	const struct machine *machine;
	bool pools_change; /* ops of this run resize hugetlb pools */
	bool poisons; /* ops of this run poison pages */
	bool private_hugetlb; /* slots of this run are private hugetlb memory */
	unsigned int lanes; /* that run at a time: of all crews of a turn */
	/* Called at the start of each close look, in its process; may be NULL. */
	void (*prepare)(void *arg);
	void *prepare_arg;
};

/* How a finding leaves a judge; the callee takes it. */
typedef void counters_found(void *arg, struct finding *f);

/*
 * Reads what is normal here, before the first crew is made. 0 or -errno. machine outlives it. Its child processes are not to
 * be waited for otherwise than below.
 */
int counters_open(const struct counters_options *o, struct counters **ret);
void counters_close(struct counters *c);

/* What can be told at any time: values that are impossible whoever else is at work. Cheap. */
void counters_tick(struct counters *c, counters_found *found, void *arg);

/*
 * Starts a close look; all crews rest, or have ended (LOOK_LAST; LOOK_LAST_SOON: somebody waits for the
 * end). 0 or -errno. It takes 0.2 s, up to 2 s (LOOK_LAST: 5 s) when something differs, and up to 3 s more when mlocked pages
 * have to be found; when counters_looking() says so after LOOK_SECONDS, it hangs: counters_drop().
 */
enum { LOOK_SECONDS = 10 };
enum look_kind { LOOK_REST, LOOK_LAST, LOOK_LAST_SOON };
int counters_look(struct counters *c, enum look_kind kind);
bool counters_looking(const struct counters *c);
void counters_drop(struct counters *c);

/* A child was reaped. True if it was the look, which is judged then. */
bool counters_reaped(struct counters *c, pid_t pid, int status, counters_found *found, void *arg);

/* NULL, or why this judge had nothing to judge so far. */
const char *counters_idle(const struct counters *c, enum oracle o);

/* From now on that is so: "accounting", "accounting-range", "leak", "hardware". For --inject. */
int counters_plant(struct counters *c, const char *what);

/* ---- hardware ---- */
struct hardware {
	uint64_t corrected, uncorrected; /* EDAC's errors since the start */
	uint64_t exceptions; /* machine checks since the start */
	uint64_t corrupted; /* bytes of HardwareCorrupted since the start; 0 if ops poison pages */
	uint64_t records; /* of the kernel log that tell of hardware errors */
	char first[160]; /* the first of them */
};

/* Records of the kernel log that tell of hardware errors, as kmsg_counts() has them. */
void counters_hardware_log(struct counters *c, uint64_t records, const char *first);
struct hardware counters_hardware(const struct counters *c);

/* True if this machine's hardware may be to blame for what was found. */
bool hardware_suspected(const struct hardware *h);
/* One line about it. */
void hardware_describe(const struct hardware *h, char *buf, size_t size);

#endif
