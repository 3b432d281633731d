/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder reduce: makes a finding's program smaller for as long as it comes back. */
#include "main.h"
#include "run.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attempt.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "filing.h"
#include "finding/reduce.h"
#include "plan/number.h"
#include "sys/ledger.h"

static const char help[] =
	"usage: sunder reduce [options] FINDING|PROGRAM\n"
	"Drops lanes, ops, slots, meets and arguments from a finding's program for as long as the "
	"finding comes\n"
	"back about as fast as with all of it. FINDING and PROGRAM are those of 'sunder replay'. "
	"The same command\n"
	"goes on where one that was ended has left off.\n"
	"\n"
	"      --seconds T      the longest attempt with the whole program (30; with --vm 120)\n"
	"      --attempts N     attempts to measure how fast it comes back, and to verify (5; with "
	"--vm 3)\n"
	"  -o, --output DIR     where best.txt, reduce.json and at the end program.txt and "
	"reduce.txt go\n"
	"                       (sunder-reduce-NAME)\n"
	"      --allow CLASS[,CLASS]\n"
	"                       also run ops of these hazard classes: disruptive, destructive\n"
	"      --state DIR      where the ledger is kept (/var/lib/sunder)\n"
	"      --store DIR      where FINDING is looked up (findings in the state directory)\n"
	"      --tmp DIR        where file-backed slots are made (/var/tmp)\n"
	"      --vm KERNEL      each attempt in a fresh guest with this kernel; and, as for "
	"'sunder "
	"vm':\n"
	"      --nodes N, --cpus N, --memory SIZE, --append ARGS, --modules DIR\n"
	"  -h, --help\n"
	"\n"
	"exit: 1 the program is there, 5 the same, and the kernel was lost on the way, 4 it does "
	"not "
	"come back, or\n"
	"      nothing of it can run here, 2 usage or error\n";

enum { OPT_SECONDS = 256, OPT_ATTEMPTS, OPT_HANDED, MAX_ATTEMPTS = 100, STATE_VERSION = 1 };

static const struct option options[] = {
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"attempts", required_argument, NULL, OPT_ATTEMPTS},
	{"output", required_argument, NULL, 'o'},
	{"allow", required_argument, NULL, OPT_HANDED},
	{"state", required_argument, NULL, OPT_HANDED},
	{"store", required_argument, NULL, OPT_HANDED},
	{"tmp", required_argument, NULL, OPT_HANDED},
	{"vm", required_argument, NULL, OPT_HANDED},
	{"modules", required_argument, NULL, OPT_HANDED},
	{"nodes", required_argument, NULL, OPT_HANDED},
	{"cpus", required_argument, NULL, OPT_HANDED},
	{"memory", required_argument, NULL, OPT_HANDED},
	{"append", required_argument, NULL, OPT_HANDED},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct reducing {
	struct attempt_options attempt;
	const char *what, *output;
	uint64_t attempts, ns;
	char dir[300], store[320], found[320], tries[320];
	struct subject s;
	struct plan_around around; /* of the program that it is */
	struct reduce r;
	json_t *history; /* of lines */
	double seconds; /* spent so far */
	double began_s;
	bool lost;
	struct attempt_guest guest;
	enum reduce_phase last; /* phase of the last attempt */
};

/* ---- what is kept ---- */

static int publish(const struct reducing *x, const char *name, const char *text)
{
	char path[400];
	int e;

	snprintf(path, sizeof(path), "%s/%s", x->dir, name);
	e = text ? path_publish(path, text, strlen(text)) : -ENOMEM;
	if (e < 0)
		log_error("%s: %s", path, strerror(-e));
	return e;
}

static int publish_program(const struct reducing *x, const char *name, const struct program *p)
{
	_cleanup_free_ char *text = subject_program_text(p, &x->around);

	return publish(x, name, text);
}

static json_t *program_json(const struct reducing *x, const struct program *p)
{
	_cleanup_free_ char *text = subject_program_text(p, &x->around);

	return json_string(text ? text : "");
}

static double spent(const struct reducing *x)
{
	return x->seconds + run_now_s() - x->began_s;
}

static int save(const struct reducing *x)
{
	const struct reduce *r = &x->r;
	json_t *j = json_pack(
		"{s:i, s:s, s:s, s:f, s:b, s:i, s:f, s:f, s:b, s:i, s:i, s:i, s:i, s:i, s:i, s:i, "
		"s:b, s:b, s:I, s:i, s:i, s:o, s:o, s:o, s:O}",
		"version", STATE_VERSION, "title", x->s.title ?: "", "alt", x->s.alt ?: "",
		"seconds", spent(x), "lost", x->lost, "phase", (int)r->phase, "mean_s", r->mean_s,
		"sum_s", r->sum_s, "doubted", r->doubted, "goal", (int)r->goal, "hits",
		(int)r->hits, "tries", (int)r->tries, "pass", (int)r->pass, "stage", (int)r->stage,
		"chunk", (int)r->chunk, "at", (int)r->at, "changed", r->changed, "strict",
		r->strict, "attempts", (json_int_t)r->attempts, "steps", (int)r->steps, "accepted",
		(int)r->accepted, "original", program_json(x, &r->original), "best",
		program_json(x, &r->best), "sure", program_json(x, &r->sure), "history",
		x->history);
	_cleanup_free_ char *text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
	int e;

	json_decref(j);
	e = publish(x, "reduce.json", text);
	return e == 0 && r->phase != REDUCE_MEASURE ? publish_program(x, "best.txt", &r->best) : e;
}

static int take_program(
	const json_t *j, const char *name, struct program *ret, struct plan_around *around)
{
	const char *text = json_string_value(json_object_get(j, name));
	struct subject_program p = {0};
	int e = text ? subject_parse_program(name, text, &p) : -EBADMSG;

	if (e < 0)
		return e;
	*ret = *p.program;
	*around = p.around;
	free(p.name);
	free(p.program);
	return 0;
}

static unsigned int number(const json_t *j, const char *name)
{
	return (unsigned int)json_integer_value(json_object_get(j, name));
}

static int take_state(struct reducing *x, const json_t *j)
{
	struct reduce *r = &x->r;
	int e = number(j, "version") == STATE_VERSION ? 0 : -EBADMSG;

	if (e == 0)
		e = take_program(j, "original", &r->original, &x->around);
	if (e == 0)
		e = take_program(j, "best", &r->best, &x->around);
	if (e == 0)
		e = take_program(j, "sure", &r->sure, &x->around);
	if (e < 0)
		return e;
	r->phase = (enum reduce_phase)number(j, "phase");
	r->mean_s = json_number_value(json_object_get(j, "mean_s"));
	r->sum_s = json_number_value(json_object_get(j, "sum_s"));
	r->doubted = json_is_true(json_object_get(j, "doubted"));
	r->goal = number(j, "goal");
	r->hits = number(j, "hits");
	r->tries = number(j, "tries");
	r->pass = number(j, "pass");
	r->stage = number(j, "stage");
	r->chunk = number(j, "chunk");
	r->at = number(j, "at");
	r->changed = json_is_true(json_object_get(j, "changed"));
	r->strict = json_is_true(json_object_get(j, "strict"));
	r->attempts = number(j, "attempts");
	r->steps = number(j, "steps");
	r->accepted = number(j, "accepted");
	x->lost = json_is_true(json_object_get(j, "lost"));
	x->seconds = json_number_value(json_object_get(j, "seconds"));
	if (!x->s.title && *json_string_value(json_object_get(j, "title"))) {
		x->s.title = strdup(json_string_value(json_object_get(j, "title")));
		x->s.alt = strdup(json_string_value(json_object_get(j, "alt")) ?: "");
	}
	if (json_is_array(json_object_get(j, "history"))) {
		json_decref(x->history);
		x->history = json_incref(json_object_get(j, "history"));
	}
	return 0;
}

/* 1: goes on with what an earlier one has left; 0: there is none; -errno, logged. */
static int resume(struct reducing *x)
{
	char path[400];
	json_error_t error;
	json_t *j;
	bool known = false;
	int e;

	snprintf(path, sizeof(path), "%s/reduce.json", x->dir);
	if (access(path, F_OK) < 0)
		return 0;
	j = json_load_file(path, 0, &error);
	if (!j) {
		log_error("%s: %s", path, error.text);
		return -EBADMSG;
	}
	e = take_state(x, j);
	json_decref(j);
	for (unsigned int i = 0; e == 0 && i < x->s.nprograms; i++)
		known |= program_equal(x->s.program[i].program, &x->r.original);
	if (e == 0 && !known) {
		log_error("%s is of another program: name another directory with --output", path);
		return -EEXIST;
	}
	return e < 0 ? e : 1;
}

/* ---- the hooks ---- */

static void say_line(struct reducing *x, const char *line)
{
	json_array_append_new(x->history, json_string(line));
	puts(line);
	fflush(stdout);
}

static int tell_step(void *arg, const struct reduce *r, const struct reduce_step *s)
{
	struct reducing *x = arg;
	char from[80], to[80], line[320];

	if (s && s->from != s->to) {
		reduce_describe(s->from, from, sizeof(from));
		reduce_describe(s->to, to, sizeof(to));
		snprintf(line, sizeof(line), "%6.0f s  %s: %s -> %s: %s, %u hit%s in %.1f s",
			spent(x), s->what, from, to, s->accepted ? "holds" : "no", s->hits,
			s->hits == 1 ? "" : "s", s->seconds);
		say_line(x, line);
	} else if (s) {
		reduce_describe(s->to, to, sizeof(to));
		snprintf(line, sizeof(line), "%6.0f s  %s: %s: %s, %u hit%s in %.1f s", spent(x),
			s->what, to, s->accepted ? "holds" : "no, back to what did", s->hits,
			s->hits == 1 ? "" : "s", s->seconds);
		say_line(x, line);
	}
	return save(x);
}

static void note_title(struct reducing *x, const struct attempt_result *r)
{
	if (x->s.title)
		return;
	x->s.title = strdup(r->title);
	printf("looking for: %s\n", r->title);
}

static int outcome_error(struct reducing *x, const struct attempt_result *r)
{
	switch (r->outcome) {
	case ATTEMPT_STOPPED:
		return -EINTR;
	case ATTEMPT_ERROR:
		log_error("an attempt failed: %s%s%s", r->why, r->dir[0] ? "; see " : "", r->dir);
		return -EIO;
	default:
		return 0;
	}
}

static int attempt(void *arg, const struct program *p, double seconds, struct reduce_try *ret)
{
	struct reducing *x = arg;
	_cleanup_free_ char *text = subject_program_text(p, &x->around);
	struct attempt_result r;
	int e;

	if (!text)
		return -ENOMEM;
	if (x->r.phase == REDUCE_VERIFY && x->last != REDUCE_VERIFY)
		attempt_end_guest(
			&x->guest); /* nothing of what was tried before is in a fresh one */
	x->last = x->r.phase;
	attempt_run(&x->attempt, &x->s, text, seconds, &r);
	e = outcome_error(x, &r);
	if (e < 0)
		return e;
	x->lost |= r.lost;
	*ret = (struct reduce_try){r.outcome == ATTEMPT_BACK, r.seconds};
	if (ret->hit)
		note_title(x, &r);
	return 0;
}

/* ---- before and after ---- */

/* 1: it comes back with this one within the time, which counts as one of the measured hits; 0; -errno. */
static int comes_back(struct reducing *x, const struct subject_program *p, double seconds)
{
	struct reduce_try t;
	int e;

	x->r.original = *p->program;
	x->around = p->around;
	e = attempt(x, &x->r.original, seconds, &t);
	if (e < 0 || !t.hit)
		return e;
	printf("it is %s\n", p->name);
	fflush(stdout);
	x->r.tries = x->r.hits = 1;
	x->r.sum_s = t.seconds;
	return 1;
}

/* Of several programs the first that it comes back with. All are tried for a short time before any is for a long one. */
static int choose(struct reducing *x)
{
	double most = (double)x->ns / 1e9;

	if (x->s.nprograms == 1) {
		x->r.original = *x->s.program[0].program;
		x->around = x->s.program[0].around;
		return 0;
	}
	for (double part = 27; part >= 1; part /= 3)
		for (unsigned int i = 0; i < x->s.nprograms; i++) {
			int e = comes_back(x, &x->s.program[i], most / part);

			if (e)
				return e < 0 ? e : 0;
		}
	return -ENOENT;
}

static int finish(struct reducing *x)
{
	char from[80], to[80], *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	json_t *line;
	size_t i;
	int e;

	if (!f)
		return -ENOMEM;
	reduce_describe(&x->r.original, from, sizeof(from));
	reduce_describe(&x->r.best, to, sizeof(to));
	fprintf(f,
		"%s\n%s -> %s in %.1f minutes: %" PRIu64
		" attempts, %u steps, %u of them held\nthe original came back in %u of %u "
		"attempts, after %.1f s each\n\n",
		x->s.title ?: "", from, to, spent(x) / 60, x->r.attempts, x->r.steps, x->r.accepted,
		x->r.hits, x->r.tries, x->r.sum_s / (x->r.hits ? x->r.hits : 1));
	json_array_foreach(x->history, i, line) fprintf(f, "%s\n", json_string_value(line));
	e = fclose(f) == 0 ? publish(x, "reduce.txt", text) : -ENOMEM;
	free(text);
	if (e == 0)
		e = publish_program(x, "program.txt", &x->r.best);
	if (e == 0)
		printf("%s -> %s in %.1f minutes (%" PRIu64 " attempts): %s/program.txt\n", from,
			to, spent(x) / 60, x->r.attempts, x->dir);
	return e;
}

static int conclude(struct reducing *x, int e)
{
	char best[80];

	if (e == -ENOENT) {
		puts("it does not come back");
		return EXIT_NOTHING;
	}
	if (e == 0)
		e = finish(x);
	if (e == -EINTR && x->r.phase != REDUCE_MEASURE) {
		reduce_describe(&x->r.best, best, sizeof(best));
		printf("stopped: %s so far, in %s/best.txt; the same command goes on\n", best,
			x->dir);
	}
	if (e < 0 && e != -EINTR)
		return EXIT_USAGE;
	return x->lost ? EXIT_LOST : x->r.hits ? EXIT_FINDING : EXIT_NOTHING;
}

static int reduce(struct reducing *x)
{
	const struct reduce_hooks hooks = {.attempt = attempt, .step = tell_step, .arg = x};
	struct reduce_options o = {.seconds = (double)x->ns / 1e9,
		.least_s = x->attempt.vm ? 1 : 0.5,
		.attempts = (unsigned int)x->attempts,
		.pmd_size = 2 << 20,
		.pmd_pages = 512};
	struct machine m;
	int e;

	if (machine_probe(&m) == 0) {
		o.pmd_size = m.pmd_size;
		o.pmd_pages = (uint32_t)(m.pmd_size / m.page_size);
		machine_free(&m);
	}
	attempt_catch_signals();
	e = resume(x);
	if (e < 0)
		return EXIT_USAGE;
	if (x->s.title)
		printf("looking for: %s\n", x->s.title);
	if (e > 0)
		printf("going on after %u steps and %.1f minutes\n", x->r.steps, x->seconds / 60);
	else
		e = choose(x);
	e = e < 0 ? e : reduce_run(&x->r, &o, &hooks);
	attempt_end_guest(&x->guest);
	return conclude(x, e);
}

/* ---- the verb ---- */

static int bad(const char *option, const char *value)
{
	log_error("%s: not a number above 0: %s (see 'sunder reduce --help')", option, value);
	return -EINVAL;
}

static int parse_option(struct reducing *x, int opt, int index, const char *arg)
{
	switch (opt) {
	case OPT_SECONDS:
		return number_parse_time(arg, 1000000000, &x->ns) < 0 || !x->ns
			       ? bad("--seconds", arg)
			       : 0;
	case OPT_ATTEMPTS:
		return number_parse(arg, &x->attempts) < 0 || !x->attempts ||
				       x->attempts > MAX_ATTEMPTS
			       ? bad("--attempts", arg)
			       : 0;
	case 'o':
		x->output = arg;
		return 0;
	case OPT_HANDED:
		attempt_take_option(&x->attempt, options[index].name, arg);
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse(struct reducing *x, int argc, char **argv)
{
	int opt, index = 0;

	while ((opt = getopt_long(argc, argv, "o:h", options, &index)) != -1) {
		if (opt == 'h')
			return 1;
		if (parse_option(x, opt, index, optarg) < 0)
			return -EINVAL;
	}
	if (optind + 1 != argc) {
		log_error("reduce: which program or finding? Name one (see 'sunder reduce "
			  "--help')");
		return -EINVAL;
	}
	x->what = argv[optind];
	return 0;
}

/* The same command has the same directory: it goes on there. */
static int name_dirs(struct reducing *x)
{
	char name[100];
	size_t n = 0;

	for (const char *p = x->what; *p && n < sizeof(name) - 1; p++)
		if (isalnum((unsigned char)*p))
			name[n++] = *p;
		else if (n && name[n - 1] != '-')
			name[n++] = '-';
	name[n] = '\0';
	if (x->output && strlen(x->output) >= sizeof(x->dir)) {
		log_error("--output: the name is too long");
		return -ENAMETOOLONG;
	}
	if (x->output)
		strcpy(x->dir, x->output);
	else
		snprintf(x->dir, sizeof(x->dir), "sunder-reduce-%s", name);
	snprintf(x->tries, sizeof(x->tries), "%s/attempts", x->dir);
	snprintf(x->found, sizeof(x->found), "%s/findings", x->dir);
	x->attempt.dir = x->tries;
	x->attempt.guest = &x->guest;
	x->attempt.store = x->found; /* what is found on the way, apart from the machine's */
	return 0;
}

int verb_reduce(int argc, char **argv)
{
	_cleanup_free_ struct reducing *x = calloc(1, sizeof(*x));
	char state[256];
	int r;

	if (!x)
		return EXIT_RESOURCES;
	r = parse(x, argc, argv);
	if (r > 0)
		fputs(help, stdout);
	if (r)
		return r > 0 ? EXIT_CLEAN : EXIT_USAGE;
	r = ledger_default_dir(x->attempt.state, ".", state, sizeof(state));
	if (r < 0) {
		log_error("--state: %s", strerror(-r));
		return EXIT_USAGE;
	}
	filing_dir(x->attempt.store, state, x->store, sizeof(x->store));
	if (name_dirs(x) < 0 || subject_load(x->what, x->store, &x->s) < 0)
		return EXIT_USAGE;
	subject_add_afresh(&x->s);
	x->ns = x->ns ? x->ns : x->attempt.vm ? 120000000000ULL : 30000000000ULL;
	x->attempts = x->attempts ? x->attempts : x->attempt.vm ? 3 : 5;
	x->history = json_array();
	x->began_s = run_now_s();
	r = path_make_dirs(x->tries);
	if (r < 0)
		log_error("%s: %s", x->tries, strerror(-r));
	r = r < 0 ? EXIT_USAGE : reduce(x);
	json_decref(x->history);
	subject_free(&x->s);
	return r;
}
