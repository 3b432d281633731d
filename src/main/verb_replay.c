/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "main.h"
#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attempt.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/median.h"
#include "base/path.h"
#include "filing.h"
#include "plan/number.h"
#include "sys/ledger.h"

static const char help[] =
	"usage: sunder replay [options] FINDING|PROGRAM\n"
	"Runs a finding's program again and again, with its slots, lanes and offsets, and says "
	"whether the\n"
	"finding comes back. FINDING is a finding's directory, or a number, a title or a part of "
	"one in the\n"
	"store (see 'sunder findings'); PROGRAM is a file as a finding's program.txt.\n"
	"\n"
	"  -n, --times N        so many attempts (1), each with fresh executors\n"
	"      --seconds T      the longest that an attempt lasts (10; with --vm 60); it ends when "
	"it came back\n"
	"  -o, --output DIR     where results go; must be new or empty\n"
	"      --allow CLASS[,CLASS]\n"
	"                       also run ops of these hazard classes: disruptive, destructive\n"
	"      --state DIR      where the ledger is kept (/var/lib/sunder)\n"
	"      --store DIR      where findings are kept (findings in the state directory)\n"
	"      --tmp DIR        where file-backed slots are made (/var/tmp)\n"
	"      --vm KERNEL      each attempt in a fresh guest with this kernel; and, as for "
	"'sunder "
	"vm':\n"
	"      --nodes N, --cpus N, --memory SIZE, --append ARGS, --modules DIR\n"
	"\n"
	"A PROGRAM without --times and --vm is one run, told as that of 'sunder run':\n"
	"      --rounds N       stop after N rounds\n"
	"      --until-finding  stop at the first finding\n"
	"  -q, --quiet          no status lines\n"
	"  -h, --help\n"
	"\n"
	"exit: 0 it did not come back, 1 it did (of one run: something was found), 5 it did, and "
	"the kernel was\n"
	"      lost, 2 to 4 as for 'sunder run'\n";

enum { OPT_SECONDS = 256, OPT_ROUNDS, OPT_UNTIL, OPT_HANDED, MAX_TIMES = 100000 };

static const struct option options[] = {
	{"times", required_argument, NULL, 'n'},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"rounds", required_argument, NULL, OPT_ROUNDS},
	{"until-finding", no_argument, NULL, OPT_UNTIL},
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
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct replay {
	struct attempt_options attempt;
	const char *what, *output;
	uint64_t times, rounds, ns;
	bool until_finding, quiet;
	char dir[400];
};

static int bad(const char *option, const char *value)
{
	log_error("%s: not a number above 0: %s (see 'sunder replay --help')", option, value);
	return -EINVAL;
}

static int parse_option(struct replay *o, int opt, int index, const char *arg)
{
	switch (opt) {
	case 'n':
		return number_parse(arg, &o->times) < 0 || !o->times || o->times > MAX_TIMES
			       ? bad("--times", arg)
			       : 0;
	case OPT_ROUNDS:
		return number_parse(arg, &o->rounds) < 0 || !o->rounds ? bad("--rounds", arg) : 0;
	case OPT_SECONDS:
		return number_parse_time(arg, 1000000000, &o->ns) < 0 || !o->ns
			       ? bad("--seconds", arg)
			       : 0;
	case OPT_UNTIL:
		o->until_finding = true;
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case OPT_HANDED:
		attempt_take_option(&o->attempt, options[index].name, arg);
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	default:
		return -EINVAL;
	}
}

/* ---- one run, here ---- */

static int replay_once(const struct replay *o, const struct subject *s)
{
	struct run_options run = {.status_interval_s = isatty(STDERR_FILENO) ? 1 : 10,
		.plan = {.tmp_dir = o->attempt.tmp ? o->attempt.tmp : "/var/tmp",
			.timeout_ns = o->ns,
			.around = &s->program[0].around},
		.program = s->program[0].program,
		.program_name = o->what,
		.rounds = o->rounds,
		.output = o->output,
		.state = o->attempt.state,
		.store = o->attempt.store,
		.until_finding = o->until_finding,
		.quiet = o->quiet};

	if (o->attempt.allow && run_parse_allow(o->attempt.allow, &run.plan.allow) < 0)
		return EXIT_USAGE;
	if (!run.rounds && !run.plan.timeout_ns)
		run.plan.timeout_ns = 10000000000ULL;
	return (int)run_job(&run);
}

/* ---- attempts ---- */

struct tally {
	unsigned int attempts, back;
	double *seconds; /* [back] */
	bool lost;
	int chosen; /* the program that it came back with; -1: none yet */
};

static void tell(unsigned int n, const struct attempt_result *r)
{
	switch (r->outcome) {
	case ATTEMPT_BACK:
		printf("attempt %u: came back after %.1f s%s: %s\n", n, r->seconds,
			r->lost ? ", the kernel was lost" : "", r->title);
		break;
	case ATTEMPT_OTHER:
		printf("attempt %u: something else was found%s: %s\n", n,
			r->lost ? ", the kernel was lost" : "", r->title);
		break;
	case ATTEMPT_CLEAN:
		printf("attempt %u: nothing in %.1f s\n", n, r->seconds);
		break;
	case ATTEMPT_STOPPED:
		printf("attempt %u: stopped\n", n);
		break;
	default:
		printf("attempt %u: it cannot run: %s\n", n, r->why);
	}
	if (r->dir[0])
		printf("           %s\n", r->dir);
	fflush(stdout);
}

/* One attempt: of several programs each has its share, until one has done it; that one goes on alone. */
static void attempt(
	const struct replay *o, const struct subject *s, struct tally *t, struct attempt_result *r)
{
	unsigned int n = t->chosen < 0 ? s->nprograms : 1;
	double seconds = (double)o->ns / 1e9 / n, used = 0;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int which = t->chosen < 0 ? i : (unsigned int)t->chosen;
		_cleanup_free_ char *text =
			subject_program_text(s->program[which].program, &s->program[which].around);

		if (!text) {
			*r = (struct attempt_result){.outcome = ATTEMPT_ERROR, .why = "no memory"};
			return;
		}
		attempt_run(&o->attempt, s, text, seconds, r);
		used += r->seconds;
		if (r->outcome == ATTEMPT_BACK && t->chosen < 0 && n > 1)
			printf("it was %s\n", s->program[which].name);
		if (r->outcome == ATTEMPT_BACK)
			t->chosen = (int)which;
		if (r->outcome >= ATTEMPT_BACK && r->outcome != ATTEMPT_NOTHING)
			break;
	}
	r->seconds = used;
}

static int conclude(struct tally *t, const struct attempt_result *last)
{
	if (!t->attempts && last->outcome == ATTEMPT_NOTHING)
		return EXIT_NOTHING;
	if (last->outcome == ATTEMPT_ERROR || last->outcome == ATTEMPT_NOTHING)
		return t->back ? EXIT_FINDING : EXIT_USAGE;
	if (t->back)
		printf("came back in %u of %u attempts, median %.1f s\n", t->back, t->attempts,
			median(t->seconds, t->back));
	else
		printf("came back in 0 of %u attempts\n", t->attempts);
	return t->lost ? EXIT_LOST : t->back ? EXIT_FINDING : EXIT_CLEAN;
}

static int replay_attempts(struct replay *o, const struct subject *s)
{
	struct tally t = {.chosen = s->nprograms == 1 ? 0 : -1};
	_cleanup_free_ double *seconds = calloc(o->times, sizeof(*seconds));
	struct attempt_result r = {0};
	int e = path_make_dirs(o->dir);

	if (!seconds)
		return EXIT_RESOURCES;
	if (e < 0) {
		log_error("%s: %s", o->dir, strerror(-e));
		return EXIT_USAGE;
	}
	t.seconds = seconds;
	attempt_catch_signals();
	if (s->title)
		printf("looking for: %s\n", s->title);
	for (uint64_t i = 0; i < o->times; i++) {
		attempt(o, s, &t, &r);
		tell((unsigned int)i + 1, &r);
		if (r.outcome > ATTEMPT_BACK)
			break;
		t.attempts++;
		t.lost |= r.lost;
		if (r.outcome == ATTEMPT_BACK)
			t.seconds[t.back++] = r.seconds;
	}
	return conclude(&t, &r);
}

/* ---- the verb ---- */

static int parse(struct replay *o, int argc, char **argv)
{
	int opt, index = 0;

	while ((opt = getopt_long(argc, argv, "n:o:qh", options, &index)) != -1) {
		if (opt == 'h')
			return 1;
		if (parse_option(o, opt, index, optarg) < 0)
			return -EINVAL;
	}
	if (optind + 1 != argc) {
		log_error("replay: which program or finding? Name one (see 'sunder replay "
			  "--help')");
		return -EINVAL;
	}
	o->what = argv[optind];
	return 0;
}

static int name_output(struct replay *o)
{
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
	if (!o->output)
		snprintf(o->dir, sizeof(o->dir), "sunder-replay-%s", stamp);
	else if (strlen(o->output) < sizeof(o->dir))
		strcpy(o->dir, o->output);
	else
		return -ENAMETOOLONG;
	o->attempt.dir = o->dir;
	o->attempt.keep = true;
	return 0;
}

int verb_replay(int argc, char **argv)
{
	char state[256], store[320];
	struct replay o = {0};
	struct subject s;
	int r = parse(&o, argc, argv);

	if (r > 0)
		fputs(help, stdout);
	if (r)
		return r > 0 ? EXIT_CLEAN : EXIT_USAGE;
	r = ledger_default_dir(o.attempt.state, ".", state, sizeof(state));
	if (r < 0) {
		log_error("--state: %s", strerror(-r));
		return EXIT_USAGE;
	}
	filing_dir(o.attempt.store, state, store, sizeof(store));
	if (subject_load(o.what, store, &s) < 0)
		return EXIT_USAGE;
	if (!s.title && !o.times && !o.attempt.vm) {
		r = replay_once(&o, &s);
	} else if (name_output(&o) < 0) {
		log_error("--output: the name is too long");
		r = EXIT_USAGE;
	} else {
		subject_add_afresh(&s);
		o.times = o.times ? o.times : 1;
		o.ns = o.ns ? o.ns : o.attempt.vm ? 60000000000ULL : 10000000000ULL;
		r = replay_attempts(&o, &s);
	}
	subject_free(&s);
	return r;
}
