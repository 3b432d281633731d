/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changing programs as programs: lanes, ops, arguments by their kind, slots, and when ops start. */
#ifndef SUNDER_FUZZ_MUTATE_H
#define SUNDER_FUZZ_MUTATE_H

#include <stdbool.h>

#include "plan/program.h"

struct mutator {
	/* What is drawn: ops by their weight. */
	struct {
		uint8_t op;
		uint32_t upto; /* sum of the weights up to and with this one */
	} mix[OP_NUMBERS]; /* [nops] */
	unsigned int nops;
	uint32_t page_size, pmd_pages;
	struct rng rng;
	char did[128]; /* what was done last: words of [a-z0-9_.] with + between them */
	struct program other; /* for splicing */
};

/*
 * ops: names, by commas, that may be drawn; NULL: all of the hazard classes in allow (a mask), safe and root always. -EINVAL, logged:
 * a name that no op has, or nothing is left to draw.
 */
int mutator_init(struct mutator *m, uint64_t seed, const char *ops, uint32_t allow);

/* Changes p in a few places; other (may be NULL) is what lanes and ops may be taken from. */
void mutate(struct mutator *m, struct program *p, const struct program *other);

/*
 * The same with bytes: always a program's canonical bytes, and other ones than data has. out has room for PROGRAM_MAX_BYTES. Returns
 * how many.
 */
size_t mutate_bytes(struct mutator *m, const unsigned char *data, size_t len,
	const unsigned char *other, size_t other_len, unsigned char *out, size_t max);

#endif
