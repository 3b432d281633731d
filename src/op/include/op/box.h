/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The box: what a run has prepared for its disruptive ops. Files that they write and whose old values are in the ledger,
 * a cgroup for each crew, a swap file. Made by the supervisor before the crews start; constant from then on. An op writes
 * no file that is not listed here, so that all of it is put back.
 */
#ifndef SUNDER_OP_BOX_H
#define SUNDER_OP_BOX_H

#include <stdbool.h>
#include <stdint.h>

#include "op/gear.h"

enum { BOX_PATH = 224, BOX_VALUE = 64, BOX_MAX_CREWS = 64, BOX_PER_GLOB = 16 };

struct box_knob {
	char path[BOX_PATH];
	char value[BOX_VALUE]; /* at the start of each epoch */
	bool keep; /* false: there is no value to put back */
	int crew; /* of whose cgroup; -1: of the machine */
};

struct box {
	struct box_knob *knob; /* [nknobs] */
	unsigned int nknobs;
	char cgroup[BOX_PATH]; /* of the run, with one "crewN" a crew below it; "": none */
	char swap[BOX_PATH]; /* the run's swap file; "": none */
};

/* A glob of struct op's knobs that begins so names files that have no value to put back. */
#define BOX_STATELESS '!'

/* The glob's `pick`th file (folded) that this crew may write, or NULL. Callable from lanes. */
const struct box_knob *box_pick(const struct op_env *e, const char *glob, uint32_t pick);

/* Writes text to a file. The bytes written or -errno. */
long box_put(const char *path, const char *text);

/*
 * Puts the limits of a crew's cgroup back to what the run had set up, while it runs. True if one was not so: what they slowed down may
 * get on now.
 */
bool box_lift_limits(const struct box *b, int crew);

/* Whose ops change the machine: each epoch begins with what the run had set up. */
extern const struct gear gear_box;

#endif
