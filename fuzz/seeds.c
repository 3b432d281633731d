/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Seeds for afl-fuzz: the programs of jobs, as bytes; and a dictionary of the ops, for its own mutations. */
#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "edit.h"
#include "oracle/oracle.h"
#include "place.h"
#include "plan/number.h"
#include "report/report.h"
#include "run.h"

/* Huge pages that a seed's first lane touches of each slot: a program populates nothing by itself. */
enum { TOUCHED_PMDS = 2, DRAWN_ROUNDS = 2, MEET_MAX = PROGRAM_MAX_MEET, TEXT_MAX = 1 << 20 };

static const char help[] =
	"usage: sunder-seeds [options] DIR [JOB|PROGRAM...]\n"
	"       sunder-seeds --dictionary\n"
	"Writes the programs of jobs as bytes, seeds for afl-fuzz: one file a program in DIR, "
	"which is "
	"made.\n"
	"JOB: as for 'sunder run' (default: all that come with sunder). PROGRAM: a program's text, "
	"*.txt or *.program.\n\n"
	"  --rounds N        programs of each part of a job that draws them (default: 2)\n"
	"  --seed N          of what is drawn (default: 1)\n"
	"  --allow CLASS[,CLASS]  ops of these hazard classes as well\n"
	"  --dictionary      prints a dictionary for afl-fuzz -x\n"
	"  --help            this\n";

enum { OPT_ROUNDS = 256, OPT_SEED, OPT_ALLOW, OPT_DICTIONARY };

static const struct option options[] = {
	{"rounds", required_argument, NULL, OPT_ROUNDS},
	{"seed", required_argument, NULL, OPT_SEED},
	{"allow", required_argument, NULL, OPT_ALLOW},
	{"dictionary", no_argument, NULL, OPT_DICTIONARY},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct seeds {
	const char *dir;
	uint64_t rounds;
	struct plan_options plan;
	struct machine machine;
	bool dictionary;
	unsigned int written, failed;
};

/* ---- the dictionary ---- */

static void print_token(const char *op, const char *arg, const char *word,
	const unsigned char *bytes, unsigned int n)
{
	printf("%s%s%s%s%s=\"", op, arg ? "_" : "", arg ? arg : "", word ? "_" : "",
		word ? word : "");
	for (unsigned int i = 0; i < n; i++)
		printf("\\x%02x", bytes[i]);
	puts("\"");
}

static void print_flags(const struct op *op, const struct arg_desc *d)
{
	for (unsigned int w = 0; d->words[w].name; w++) {
		uint32_t bit = 1U << w;
		unsigned char bytes[4] = {(unsigned char)bit, (unsigned char)(bit >> 8),
			(unsigned char)(bit >> 16), (unsigned char)(bit >> 24)};

		print_token(op->name, d->name, d->words[w].name, bytes, sizeof(bytes));
	}
}

/* An op's byte; with the first page of a range and whole huge pages behind it; its flags. */
static void print_dictionary(void)
{
	puts("# Ops of sunder's programs (plan/program.c says where they stand in the bytes).");
	for (unsigned int i = 0; i < OP_NUMBERS; i++) {
		const struct op *op = op_get(i);
		unsigned char bytes[11] = {(unsigned char)i, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0};

		if (!op)
			continue;
		print_token(op->name, NULL, NULL, bytes, 1);
		if (op_nargs(op) >= 4 && op->args[3].kind == ARG_LEN)
			print_token(op->name, "huge", NULL, bytes, sizeof(bytes));
		for (unsigned int k = 0; k < op_nargs(op); k++)
			if (op->args[k].kind == ARG_FLAGS)
				print_flags(op, &op->args[k]);
	}
}

/* ---- programs ---- */

static bool has_timings(const struct program *p)
{
	for (unsigned int l = 0; l < p->nlanes; l++)
		if (p->lane[l].timed)
			return true;
	return false;
}

static bool touch_slot(
	const struct program *p, unsigned int slot, uint32_t pmd_pages, struct op_call *ret)
{
	char text[128], err[256];
	uint32_t given;

	snprintf(text, sizeof(text), "touch slot=%u pages=%u how=write", slot,
		TOUCHED_PMDS * pmd_pages);
	return program_parse_op(text, p->slot, p->nslots, ret, &given, err, sizeof(err)) == 0;
}

/*
 * In a run most slots begin with huge pages; here lane 0 brings them. The others wait for it, by a meet, where nobody
 * has a timing of his own.
 */
static void populate(struct program *p, const struct plan *plan, uint32_t pmd_pages)
{
	struct op_timing meet = {.meet = MEET_MAX}, none = {0};
	bool timed = has_timings(p);
	unsigned int n = 0;

	for (unsigned int i = p->nslots; i--;) {
		struct op_call touch;
		bool used = false;

		for (unsigned int l = 0; l < p->nlanes; l++)
			for (unsigned int k = 0; k < p->lane[l].nops; k++)
				used |= op_get(p->lane[l].op[k].op)->backings &&
					p->lane[l].op[k].arg[0] == i;
		if (used && (plan->slots_present >> i & 1) && touch_slot(p, i, pmd_pages, &touch))
			n += edit_insert(p, &p->lane[0], 0, &touch, &none);
	}
	if (!n || timed)
		return;
	for (unsigned int l = 0; l < p->nlanes; l++)
		if (p->lane[l].nops > (l ? 0 : n))
			program_set_timing(&p->lane[l], l ? 0 : n, &meet);
}

static int write_program(struct seeds *s, const char *name, const struct program *p)
{
	unsigned char bytes[PROGRAM_MAX_BYTES];
	ssize_t n = program_encode(p, bytes, sizeof(bytes));
	char path[512];
	int r = n < 0 ? (int)n : 0;

	if (snprintf(path, sizeof(path), "%s/%s", s->dir, name) >= (int)sizeof(path))
		r = -ENAMETOOLONG;
	if (r == 0)
		r = path_publish(path, (const char *)bytes, (size_t)n);
	if (r < 0)
		log_error("%s/%s: %s", s->dir, name, strerror(-r));
	else
		s->written++;
	return r;
}

static bool is_drawn(const struct plan_crew *c)
{
	for (unsigned int l = 0; l < c->nlanes; l++)
		if (!c->lane[l].sequence && c->lane[l].nops)
			return true;
	return false;
}

static int write_part(struct seeds *s, const struct plan *p, const char *job, unsigned int part)
{
	_cleanup_free_ struct program *program = calloc(1, sizeof(*program));
	int r = 0;

	if (!program)
		return -ENOMEM;
	for (unsigned int c = 0; r == 0 && c < p->ncrews; c++) {
		uint64_t rounds = is_drawn(&p->crew[c]) ? s->rounds : 1;

		for (uint64_t i = 0; r == 0 && i < rounds; i++) {
			char name[128];

			memset(program, 0, sizeof(*program));
			plan_draw(p, c, i, program);
			populate(program, p, p->pmd_pages);
			snprintf(name, sizeof(name), "%.60s-%u-%u-%" PRIu64, job, part, c, i);
			r = write_program(s, name, program);
		}
	}
	return r;
}

/* all: the word stands for no wish. Jobs that take turns are made of other jobs. */
static void write_job(struct seeds *s, const char *word, bool all)
{
	_cleanup_free_ char *file = place_job(word);
	const char *base = file ? strrchr(file, '/') : NULL;
	struct plan *plan;
	char err[1024] = "", job[64];
	int r = file ? plan_load(file, &s->machine, &s->plan, &plan, err, sizeof(err)) : -ENOMEM;

	if (r == -ENODATA) {
		log_note("%s", err); /* nothing of it can run here */
		return;
	}
	if (r < 0) {
		log_error("%s", err[0] ? err : strerror(-r));
		s->failed++;
		return;
	}
	base = base ? base + 1 : file;
	snprintf(job, sizeof(job), "%.*s", (int)strcspn(base, "."), base);
	for (unsigned int i = 0; r == 0 && !(all && plan->nturns) && i < plan_nparts(plan); i++)
		r = write_part(s, plan_part(plan, i), job, i);
	s->failed += r < 0;
	plan_free(plan);
}

/* As it is: also what a finding has in program.txt. */
static void write_text(struct seeds *s, const char *file)
{
	_cleanup_free_ struct program *p = calloc(1, sizeof(*p));
	_cleanup_free_ char *text = calloc(1, TEXT_MAX);
	_cleanup_fclose_ FILE *f = fopen(file, "re");
	const char *base = strrchr(file, '/');
	char err[512], name[128];
	size_t len;

	s->failed++;
	if (!f || !p || !text) {
		log_error("%s: %s", file, strerror(errno));
		return;
	}
	len = fread(text, 1, TEXT_MAX - 1, f);
	if (program_parse(p, file, text, len, err, sizeof(err)) < 0) {
		log_error("%s", err);
		return;
	}
	base = base ? base + 1 : file;
	snprintf(name, sizeof(name), "%.*s-%u", (int)strcspn(base, "."), base, s->written);
	s->failed -= write_program(s, name, p) == 0;
}

static bool is_text(const char *file)
{
	const char *dot = strrchr(file, '.');

	return dot && (strcmp(dot, ".txt") == 0 || strcmp(dot, ".program") == 0);
}

/* All jobs beside quick.job; but busted.job must fail. */
static void write_all_jobs(struct seeds *s)
{
	_cleanup_free_ char *quick = place_job("quick.job"), *pattern = NULL;
	char *slash = quick ? strrchr(quick, '/') : NULL;
	glob_t g;

	if (slash)
		*slash = '\0';
	if (asprintf(&pattern, "%s/*.job", slash ? quick : "workloads") < 0)
		return;
	if (glob(pattern, 0, NULL, &g) != 0) {
		log_error("%s: there are no jobs; name some", pattern);
		s->failed++;
		return;
	}
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (!strstr(g.gl_pathv[i], "/busted.job"))
			write_job(s, g.gl_pathv[i], true);
	globfree(&g);
}

/* ---- the command line ---- */

static int parse_number(const char *option, const char *arg, uint64_t *ret)
{
	if (number_parse(arg, ret) == 0 && *ret)
		return 0;
	log_error("%s: not a number above 0: %s", option, arg);
	return -EINVAL;
}

/* 1: --help. */
static int parse(struct seeds *s, int argc, char **argv)
{
	int opt, r = 0;

	while (r == 0 && (opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 'h':
			fputs(help, stdout);
			return 1;
		case OPT_ROUNDS:
			r = parse_number("--rounds", optarg, &s->rounds);
			break;
		case OPT_SEED:
			r = parse_number("--seed", optarg, &s->plan.seed);
			break;
		case OPT_ALLOW:
			r = run_parse_allow(optarg, &s->plan.allow);
			break;
		case OPT_DICTIONARY:
			s->dictionary = true;
			break;
		default:
			r = -EINVAL;
		}
	}
	if (r == 0 && !s->dictionary && optind == argc) {
		log_error("where to? Name a directory (see --help)");
		r = -EINVAL;
	}
	return r;
}

int main(int argc, char **argv)
{
	static const char *const oracles[] = {
#define X(id, name, help) #name,
		ORACLE_LIST(X)
#undef X
			NULL};
	struct seeds s = {.rounds = DRAWN_ROUNDS,
		.plan = {.seed = 1,
			.tmp_dir = "/var/tmp",
			.oracle_names = oracles,
			.inject_names = inject_names}};
	int r = parse(&s, argc, argv);

	if (r)
		return r > 0 ? EXIT_CLEAN : EXIT_USAGE;
	if (s.dictionary) {
		print_dictionary();
		return fflush(stdout) == 0 ? EXIT_CLEAN : EXIT_USAGE;
	}
	s.dir = argv[optind++];
	r = path_make_dirs(s.dir);
	if (r < 0) {
		log_error("%s: %s", s.dir, strerror(-r));
		return EXIT_USAGE;
	}
	if (machine_probe(&s.machine) < 0)
		return EXIT_USAGE;
	caps_setup(&s.machine, s.plan.tmp_dir);
	if (optind == argc)
		write_all_jobs(&s);
	for (int i = optind; i < argc; i++)
		if (is_text(argv[i]))
			write_text(&s, argv[i]);
		else
			write_job(&s, argv[i], false);
	machine_free(&s.machine);
	printf("%u seeds in %s\n", s.written, s.dir);
	return s.failed ? EXIT_USAGE : s.written ? EXIT_CLEAN : EXIT_NOTHING;
}
