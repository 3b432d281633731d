/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The target: bytes in, a judged run and a map out. What the fork server, LLVMFuzzerTestOneInput and the command line share. */
#ifndef SUNDER_FUZZ_TARGET_H
#define SUNDER_FUZZ_TARGET_H

#include "layers.h"
#include "rig.h"

struct target_options {
	struct rig_options rig;
	uint32_t layers; /* bit mask of enum layer */
	const char *stats, *functions; /* --stats, --functions; NULL: none */
	bool blind; /* layers are looked at, and not told to afl-fuzz */
	bool list_ops; /* --ops */
};

/*
 * Takes the options off the command line; the rest stays from *ret_first on. 0; 1: --help or --regions, printed; -EINVAL,
 * logged.
 */
int target_parse(struct target_options *o, int argc, char **argv, int *ret_first);

struct target;

/* 0 or -errno, logged. */
int target_open(const struct target_options *o, struct target **ret);
void target_close(struct target *t);

/*
 * Runs what the bytes stand for. map: NULL, or [MAP_SIZE], zero: filled. True: something was found that was not known; then the map has
 * nothing but that.
 */
bool target_run(struct target *t, const unsigned char *data, size_t len, unsigned char *map);

/* --ops: the names of the ops that can run here and are allowed, by commas. 0 or -errno, logged. */
int target_list_ops(const struct target_options *o, FILE *out);

/* Of the last run. */
const struct rig_result *target_result(const struct target *t);
const struct program *target_program(const struct target *t); /* as it was fitted */

/* The kernel is not to be trusted any more; stats say so. */
bool target_lost(const struct target *t);

/* What each lane's ops of the last run came to, and the figures of layers, for people. */
void target_print(const struct target *t, FILE *out);

#endif
