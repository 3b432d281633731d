/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flight recorder: which programs were running, on disk before they run, so that the boot after a crash knows. A
 * process of its own writes the programs of the next rounds of every crew into a ring in a file, synchronously, and
 * then grants those rounds; a crew waits for its grant. Where the kernel has /dev/pmsg0 each round is also named there
 * as it starts.
 */
#ifndef SUNDER_EXEC_FLIGHT_H
#define SUNDER_EXEC_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "exec/crew.h"

enum { FLIGHT_ID_MAX = 64, FLIGHT_TEXT_MAX = 512 };

/* What a recording says of its run; all strings NUL-terminated. */
struct flight_about {
	char boot_id[FLIGHT_ID_MAX]; /* of /proc/sys/kernel/random/boot_id */
	char started[FLIGHT_ID_MAX]; /* UTC, ISO 8601 */
	char kernel[FLIGHT_ID_MAX]; /* release */
	char host[FLIGHT_ID_MAX];
	char job[FLIGHT_TEXT_MAX];
	char output[FLIGHT_TEXT_MAX]; /* absolute path of the run's directory */
	uint64_t seed;
};

struct flight; /* a recording in progress */

/*
 * Makes DIR/NAME (mode 0600), which must not exist, writes what the run is, and starts the recorder for the crews; crew_start() only
 * after it. The file is locked (flock) as long as the caller lives. 0 or -errno; then the crews run unrecorded.
 */
int flight_start(const char *dir, const char *name, const struct flight_about *about,
	struct crew *const *crew, unsigned int ncrews, struct flight **ret);

/*
 * A recording without crews and without a process: flight_note() returns when the program that is to run is on disk. number: grows.
 * 0 or -errno. flight_end() ends it.
 */
int flight_open(
	const char *dir, const char *name, const struct flight_about *about, struct flight **ret);
int flight_note(struct flight *f, uint64_t number, const unsigned char *bytes, size_t len);

/* The recorder's pid, for whoever reaps children. */
pid_t flight_pid(const struct flight *f);

/* The recorder is gone: the crews go on unrecorded. */
void flight_lost(struct flight *f);

/* Times that a crew had to wait for its grant. */
uint64_t flight_waits(const struct flight *f);

/* Ends the recorder and removes the file; frees. The crews have ended. */
void flight_end(struct flight *f);

/* ---- reading ---- */

enum { FLIGHT_LAST = 8 }; /* rounds that are kept of each crew */

struct flight_round {
	uint64_t round;
	uint32_t len; /* 0: the rounds were too fast to record more than their numbers */
	unsigned char bytes[PROGRAM_MAX_BYTES];
};

enum { FLIGHT_AROUND_MAX = 4088 };

struct flight_crew {
	char around
		[FLIGHT_AROUND_MAX]; /* what its job has set up, as plan_print_around() has it; "": not known */
	uint64_t from, to; /* granted last: one of [from, to) was running, or the round before */
	unsigned int n;
	struct flight_round last[FLIGHT_LAST]; /* [n], the latest granted ones, in order */
};

struct flight_log {
	struct flight_about about;
	unsigned int ncrews;
	struct flight_crew *crew; /* [ncrews]; owned */
};

/*
 * Reads a recording. Records that a crash cut short are left out. 0; -EBUSY: its run is alive; -EBADMSG: no recording;
 * another -errno.
 */
int flight_read(const char *path, struct flight_log *ret);
void flight_log_free(struct flight_log *l);

/* What each round writes to /dev/pmsg0, parsed: true if the line is one of ours. */
bool flight_parse_mark(
	const char *line, uint64_t *ret_seed, unsigned int *ret_crew, uint64_t *ret_round);

#endif
