/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs: slots, and per lane the ordered ops with a start offset; an op may say when it starts
 * (docs/timing.md). Text and bytes are lossless both ways, and every byte string decodes to a valid
 * program (missing bytes read as zero, values are folded, surplus bytes are ignored).
 */
#ifndef SUNDER_PLAN_PROGRAM_H
#define SUNDER_PLAN_PROGRAM_H

#include <stdio.h>

#include "op/op.h"

enum { PROGRAM_MAX_LANES = 8, PROGRAM_MAX_OPS = 64, PROGRAM_MAX_BYTES = 32768 };
enum { PROGRAM_MAX_OFFSET_NS = 500000, PROGRAM_MAX_PROCS = 8, PROGRAM_MAX_CPU = 32766 };
enum {
	PROGRAM_SIZE_UNIT = 1 << 20
}; /* slot sizes are multiples of it; divides every PMD size (s390 has 1 MiB) */

/* Meets are numbered from 1; phases are thousandths of the other op's duration. */
enum { PROGRAM_MAX_MEET = 7, PROGRAM_MAX_DELAY_NS = 50000000 };
enum { AIM_PHASE_MIN = -1000, AIM_PHASE_MAX = 2000 };

/* What of an op falls on the phase that it aims at. */
enum aim { AIM_NONE, AIM_START, AIM_END, AIM_COUNT };

/* When an op starts, if not right after the one before it. All zero: that. */
struct op_timing {
	/*
	 * The lanes that have an op of this meet wait for each other before it. A lane meets once in a round: at its first
	 * such op. 0: none.
	 */
	uint8_t meet;
	/*
	 * At a meet: this op's start or end shall fall on a phase of another lane's op of the same meet. Only executors know
	 * how long ops take: they find the delay. An aim that finds no such op is none.
	 */
	uint8_t aim; /* enum aim */
	uint8_t aim_lane, aim_op;
	int16_t aim_phase; /* 0: that op's start, 1000: its end */
	uint32_t delay_ns; /* after the meet, or without one after the op before; 0 with an aim */
};

struct program_lane {
	uint8_t proc; /* executor process, 0..PROGRAM_MAX_PROCS-1 */
	bool preempt; /* has SCHED_FIFO while rounds run */
	uint16_t pin; /* the CPU that it ran on and one more; 0: wherever it may */
	uint32_t offset_ns; /* start after the round's deadline */
	uint8_t nops;
	uint64_t timed; /* bit i: timing[i] counts; else op i has none */
	struct op_call op[PROGRAM_MAX_OPS];
	struct op_timing timing[PROGRAM_MAX_OPS];
};

struct program {
	uint8_t nslots, nlanes; /* 1..SLOT_MAX, 1..PROGRAM_MAX_LANES */
	struct slot_spec slot[SLOT_MAX];
	struct program_lane lane[PROGRAM_MAX_LANES];
};

/*
 * A slot's or lane's name: 1 to 15 of [a-z0-9_], not beginning with a digit, so that text can
 * name a slot by number too.
 */
bool program_name_valid(const char *name);

/*
 * NULL, or the rule that a slot breaks whatever the machine (its PMD size is not known here: 1
 * MiB divides it). Everything that this allows can be encoded. *ret_key (may be NULL) is then the
 * field's name as in program text.
 */
const char *program_slot_wrong(const struct slot_spec *s, const char **ret_key);

/* Op i of the lane gets this timing; one that is all zero takes it away. */
void program_set_timing(struct program_lane *l, unsigned int i, const struct op_timing *t);

/*
 * Canonical bytes of p: decode(encode(p)) == p. Returns the length, -ENOSPC (PROGRAM_MAX_BYTES
 * are enough for every program), or -EINVAL: p is not valid (a slot is wrong or has another's
 * name, an argument out of range).
 */
ssize_t program_encode(const struct program *p, unsigned char *buf, size_t size);

/* Always succeeds. */
void program_decode(struct program *p, const unsigned char *data, size_t len);

/* Text, one slot, lane or op a line; -EIO if the stream failed. */
int program_print(const struct program *p, FILE *out);
/* One op as text, "move_pages slot=3 view=0 off=512 ..."; like snprintf. Slots by number. */
int program_print_op(const struct op_call *c, char *buf, size_t size);
/* The same with slots by name, and only the arguments whose bit is set in `which`. */
int program_print_op_named(const struct op_call *c, uint32_t which, const struct slot_spec *slot,
	unsigned int nslots, char *buf, size_t size);

/*
 * Parses program text. 0; else -EINVAL with "name:line: message" (with a suggestion for a
 * misspelt name) in err. Arguments left out are 0, or the first word of an enum.
 */
int program_parse(struct program *p, const char *name, const char *text, size_t len, char *err,
	size_t err_size);

/*
 * Parses one op of text ("op arg=value ..."). *ret_given: bit i is set if argument i was written.
 * slots by name through slot[nslots], or by number. -EINVAL with a message without place in err.
 */
int program_parse_op(const char *text, const struct slot_spec *slot, unsigned int nslots,
	struct op_call *c, uint32_t *ret_given, char *err, size_t err_size);

/*
 * Takes the words of a timing ("meet=1 delay=3us", "meet=1 aim=0.2@500", "meet=1 aim_end=0.2@0") off the front of an op's
 * text, in place. *ret is all zero if there is none. -EINVAL with a message without place in err.
 */
int program_parse_timing(char **text, struct op_timing *ret, char *err, size_t err_size);

/* True if equal in every field that counts (names, used lanes, used ops). */
bool program_equal(const struct program *a, const struct program *b);

#endif
