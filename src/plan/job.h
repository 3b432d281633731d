/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A job as it was written: what each section says, with the places for messages. Reading it fills
 * this; resolving it (resolve.c) makes the plan. Private to the room.
 */
#ifndef SUNDER_PLAN_JOB_H
#define SUNDER_PLAN_JOB_H

#include "plan/plan.h"

#define REST_AUTO UINT64_MAX

enum { JOB_MAX_KEYS = 24, JOB_MAX_LANES = 64, JOB_MAX_LINES = 256, JOB_MAX_DEPTH = 8 };

struct job_place {
	const char *file;
	unsigned int line; /* from 1; 0: not given */
};

struct job_pool {
	uint64_t size, pages;
	bool per_node, automatic; /* automatic: as many as the slots need */
};

struct job_global {
	struct job_place at[JOB_MAX_KEYS]; /* by option, as in all sections */
	uint64_t timeout_ns, rounds, seed, memory, stall_ns;
	uint32_t memory_percent; /* 0: `memory` holds, if given */
	uint32_t epoch, meet_percent;
	char learned[256];
	unsigned int crews; /* 0: auto */
	struct job_pool pool[PLAN_MAX_POOLS];
	unsigned int npools;
	struct plan_knob knob[PLAN_MAX_KNOBS];
	unsigned int nknobs;
	uint64_t oracles, slice_ns, rest_ns; /* rest_ns: REST_AUTO, or what is given */
	char inject[32];
	struct {
		struct job_place place;
		uint32_t weight;
		char *path; /* as seen from here */
	} turn[PLAN_MAX_TURNS];
	unsigned int nturns;
};

enum job_unit { JOB_BYTES, JOB_PMDS, JOB_HUGE_PAGES };

struct job_slot {
	struct job_place at[JOB_MAX_KEYS], place;
	struct slot_spec spec; /* size and align are in size_unit and align_unit until resolved */
	enum job_unit size_unit, align_unit;
};

/* One line of a lane's ops; resolved when all slots are known. */
enum job_line_kind { JOB_LINE_OPS, JOB_LINE_OP, JOB_LINE_DO };

struct job_line {
	enum job_line_kind kind;
	struct job_place place;
	char *text;
};

struct job_lane {
	struct job_place at[JOB_MAX_KEYS], place;
	char name[SLOT_NAME_MAX];
	unsigned int count, process, processes, depth;
	uint8_t preempt;
	uint64_t offset_ns;
	char *cpus, *slots; /* NULL: not given */
	struct job_line line[JOB_MAX_LINES];
	unsigned int nlines;
};

struct job_text; /* a chunk of memory that lives as long as the job */

struct job {
	const struct machine *machine;
	const struct plan_options *options;
	char *err; /* the first error's message */
	size_t err_size;
	int error; /* 0, or the first error: -EINVAL, ... */

	struct job_global global;
	struct job_slot slot[SLOT_MAX];
	unsigned int nslots;
	struct job_lane *lane; /* [JOB_MAX_LANES] */
	unsigned int nlanes;

	/* Where the reader is. */
	struct job_place here;
	const char *section; /* "global", "slot", "lane", or NULL before the first */
	bool seen_global;
	void *current; /* the section's struct */
	struct job_place *current_at;
	unsigned int depth;
	struct job_text *texts;
};

struct job_option {
	const char *section, *key;
	const char *value; /* what may stand there */
	const char *initial; /* what holds without it */
	const char *help;
	bool repeatable;
	int (*set)(struct job *j, void *section,
		const char *value); /* 0, or what job_wrong() returned */
};

/*
 * The one option table; ends with a NULL section. An option's index within its section is its
 * place in at[].
 */
extern const struct job_option job_options[];

/* Sets a key of the current section. 0 or the error. */
int job_set(struct job *j, const char *key, const char *value);

/* The place of a key in a section's at[], or `otherwise` if it was not given. */
const struct job_place *job_key_place(const struct job_place *at, const char *section,
	const char *key, const struct job_place *otherwise);

/* Makes an error at a place (NULL: none), unless there is one. Returns it. */
int job_wrong_at(struct job *j, const struct job_place *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same where the reader is. */
#define job_wrong(j, ...) job_wrong_at(j, &(j)->here, __VA_ARGS__)

/*
 * A copy of text that lives as long as the job; NULL (and -ENOMEM in j->error) if there is no
 * memory.
 */
char *job_keep(struct job *j, const char *text);

/*
 * Reads a job from a file, or from text that has the name `file` if text is not NULL. 0 or
 * j->error, with the message in j->err. The job is zeroed memory with machine, options, err and
 * err_size set; job_release() in any case.
 */
int job_read(struct job *j, const char *file, const char *text, size_t len);
void job_release(struct job *j);

/*
 * A path as written in the file that is being read, as seen from the working directory, in buf. 0 or
 * the error.
 */
int job_path(struct job *j, const char *file, char *buf, size_t size);

/* Makes the plan of a job that was read; errors as plan_load(). */
int job_resolve(struct job *j, const char *name, struct plan **ret);

#endif
