/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan: a job with every default and choice resolved. A crew is up to 8 lanes in up to 8
 * executor processes that share slots and run one program a round; a plan has crews of lanes,
 * each crew with its own copy of the job's slots.
 */
#ifndef SUNDER_PLAN_PLAN_H
#define SUNDER_PLAN_PLAN_H

#include <jansson.h>

#include "plan/program.h"

enum { PLAN_MAX_CREWS = 64, PLAN_MAX_MIX = 288, PLAN_MAX_POOLS = 8, PLAN_MAX_KNOBS = 32 };
enum { PLAN_MAX_TURNS = 32, PLAN_MAX_TURN_WEIGHT = 16 };

/*
 * An entry of a lane's mix, or a line of its fixed sequence: an op with the arguments that the
 * job fixed.
 */
struct plan_op {
	struct op_call call;
	uint32_t fixed; /* bit i: argument i is fixed, the rest is drawn each round */
	uint32_t weight; /* of a mix entry */
	uint64_t upto; /* sum of the weights up to and with this one */
	struct op_timing timing; /* of a line of a sequence */
};

struct plan_lane {
	char name[32];
	uint8_t proc;
	int cpu; /* pinned to; -1: not pinned */
	bool cpu_open; /* its program leaves the CPU open: so does what is drawn */
	uint32_t slots; /* bit mask of slots that it may draw */
	bool sequence; /* op[] in this order each round; else depth draws from it by weight */
	uint32_t depth; /* ops a round, 1..PROGRAM_MAX_OPS */
	uint32_t max_offset_ns; /* start offset is log-uniform in 0..this */
	bool preempt; /* SCHED_FIFO: it sleeps until its ops are due and takes the CPU from whoever has it */
	bool timed; /* a line of its sequence has a timing: it gets no others */
	bool exact_offset; /* true: it is max_offset_ns in each round (a program's lane) */
	struct plan_op op[PLAN_MAX_MIX];
	unsigned int nops;
	uint64_t weight_sum;
};

/*
 * Where an earlier run saw an outcome change: the aimer's op started in that tenth of the target's window (0: -200..-101
 * thousandths), and something was not as usual.
 */
enum { LESSON_PHASES = 14, LESSON_PHASE_WIDTH = 100, LESSON_PHASE_FROM = -200 };
struct plan_lesson {
	uint8_t aimer, target; /* ops */
	uint8_t backing; /* of the target's slot; BACKING_COUNT: it takes none */
	uint8_t phase;
	uint64_t upto; /* sum of the weights up to and with this one */
};

struct plan_crew {
	unsigned int nlanes, nprocs;
	struct plan_lane lane[PROGRAM_MAX_LANES];
};

struct plan_pool { /* huge pages that the job asks for */
	uint64_t size; /* of one page */
	uint64_t pages; /* each node with memory, or the whole machine */
	bool per_node;
};

struct plan_knob { /* a sysfs or procfs file to be set through the ledger */
	char path[256], value[64];
};

struct plan_skip {
	char what[64], why[192]; /* "slot hugetlb", "op split_pid", "lane x", ... */
};

struct plan;

struct plan_turn { /* a job that takes turns with others */
	uint32_t weight; /* slices of each cycle, 1..PLAN_MAX_TURN_WEIGHT */
	struct plan *plan; /* owned */
};

struct plan {
	char job[256]; /* path or name */
	uint64_t seed;
	uint64_t timeout_ns, rounds; /* whichever comes first; 0: no limit by it */
	uint64_t memory; /* budget in bytes for all slots */
	uint64_t stall_ns; /* a lane longer in one op is stuck */
	uint64_t rest_ns; /* between two rests of all crews; 0: none but at the end */
	uint32_t epoch_rounds; /* rounds between two renewals of the slots */
	uint32_t
		meet_percent; /* rounds of a hundred in which lanes meet and aim at each other's ops */
	char learned[256]; /* file that the lessons are of; "": none */
	struct plan_lesson *lesson; /* [nlessons] */
	unsigned int nlessons;
	bool crowded; /* more lanes than CPUs: of lanes that meet the others keep away */
	uint32_t allow; /* bit mask of enum hazard */
	uint32_t nslots;
	struct slot_spec slot[SLOT_MAX];
	uint32_t slots_present; /* bit mask; the rest is in skip[] */
	uint32_t slots_tight; /* see struct slot */
	uint64_t oracles; /* bit mask by the order of plan_options.oracle_names; all by default */
	char inject[32]; /* what the job plants, or "" */
	unsigned int ncrews;
	struct plan_crew *crew; /* [ncrews] */
	unsigned int first_crew; /* number of crew[0] among the crews of all turns */
	/*
	 * NULL, or what every round runs instead of what would be drawn: in memory shared with the executors, changed only while the
	 * crew rests (exec/crew.h). It has a lane for each of the crew's; its slots are not looked at. Not owned.
	 */
	const struct program *fed;
	/* A plan with turns has no slots, crews, pools and knobs of its own. */
	struct plan_turn turn[PLAN_MAX_TURNS];
	unsigned int nturns;
	uint64_t slice_ns; /* how long a turn lasts */
	struct plan_pool pool[PLAN_MAX_POOLS];
	unsigned int npools;
	struct plan_knob knob[PLAN_MAX_KNOBS];
	unsigned int nknobs;
	struct plan_skip *skip;
	unsigned int nskips;
	unsigned int nnodes, nprocs; /* of the machine with memory; most processes in a crew */
	uint32_t page_size, pmd_pages;
};

/* What a job sets up around its programs. Program files have it in comments, "# knob PATH VALUE" and the like. */
struct plan_around {
	struct plan_knob knob[PLAN_MAX_KNOBS];
	struct plan_pool pool[PLAN_MAX_POOLS];
	unsigned int nknobs, npools;
	uint32_t epoch_rounds; /* 0: not told */
};

struct plan_options { /* from the command line; each wins over the job */
	uint64_t seed; /* 0: not given */
	uint64_t timeout_ns; /* 0: not given */
	uint32_t allow; /* hazard classes added to safe and (as root) root */
	const char *tmp_dir; /* for file backings */
	const char *learned; /* learned.json of an earlier run; NULL: the job's, if it names one */
	const struct plan_around *around; /* of a program; NULL: nothing */
	/*
	 * What `oracles` and `inject` may name, NULL-terminated; NULL: any name, and all oracles
	 * judge.
	 */
	const char *const *oracle_names, *const *inject_names;
};

/*
 * Reads a job file and resolves it for this machine. 0 with *ret (plan_free()); -EINVAL with
 * "file:line: message" in err; -ENOENT, -EISDIR, -EACCES, ... of the file; -ENOSPC: the slots do
 * not fit the memory; -ENODATA: nothing in the job can run here. err says why in every case.
 */
int plan_load(const char *file, const struct machine *m, const struct plan_options *o,
	struct plan **ret, char *err, size_t err_size);

/* The same from text that stands in memory; `name` is what messages call it. */
int plan_load_text(const char *name, const char *text, size_t len, const struct machine *m,
	const struct plan_options *o, struct plan **ret, char *err, size_t err_size);

/*
 * A plan that runs one fixed program (its slots, lanes and ops), for replay. Slot sizes and
 * alignments are rounded up to this machine's PMD size. Lanes and slots keep their numbers. Pools of
 * hugetlb slots that options->around does not name are made twice as large as the slots. Same errors.
 */
int plan_from_program(const struct program *p, const struct machine *m,
	const struct plan_options *o, struct plan **ret, char *err, size_t err_size);

/* What stands around p's programs, as comments for a program file. */
void plan_print_around(const struct plan *p, FILE *out);

/*
 * Takes it out of a program file's comments; others are passed over. 0; -EINVAL with "name:line: message" in err: a knob that no
 * job may name, a number that is none, or too many.
 */
int plan_parse_around(
	const char *name, const char *text, struct plan_around *ret, char *err, size_t err_size);

/*
 * After the pools were set up: slots whose pool has too few free pages become absent, with the
 * reason in skip[], as do ops and lanes that nothing is left for; slots_tight becomes what the
 * pools really allow (until then every hugetlb slot is tight). 0; -ENODATA: nothing is left to
 * run; another -errno if pools cannot be read.
 */
int plan_settle_pools(struct plan *p, const struct machine *m);

/*
 * The parts of a plan that have crews: its turns' plans, or itself. i: 0..plan_nparts() - 1.
 */
unsigned int plan_nparts(const struct plan *p);
struct plan *plan_part(struct plan *p, unsigned int i);

/*
 * Whose turn the n-th slice is: each cycle gives every turn as many slices as its weight says, in a
 * drawn order. Pure function of the plan's seed and n. nturns >= 1.
 */
unsigned int plan_turn_of(const struct plan *p, uint64_t n);

/* True if a lane of any part may run the op. */
bool plan_has_op(const struct plan *p, unsigned int op);

/* What the ops of the plan use and do to the machine: a mask of enum op_uses. */
uint32_t plan_uses(const struct plan *p);

/* Takes an op out that the machine turned out not to be able to run; plan_settle_pools() does the rest. 0 or -ENOMEM. */
int plan_lose_op(struct plan *p, unsigned int op, const char *why);

/* The keys of job files as the tables of docs/jobs.md. */
void plan_print_job_keys(FILE *out);

void plan_free(struct plan *p);

/* The whole plan as JSON (new reference). */
json_t *plan_json(const struct plan *p);

/*
 * The part of round `round` of a crew's program that one lane runs. Pure function of plan, crew,
 * lane, round (and of what the plan is fed): the same seed gives the same program. Allocates nothing. Callable from lanes.
 */
void plan_draw_lane(const struct plan *p, unsigned int crew, unsigned int lane, uint64_t round,
	struct program_lane *ret);

/* The whole program of a round. */
void plan_draw(const struct plan *p, unsigned int crew, uint64_t round, struct program *ret);

#endif
