/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder check JOB: the plan that a run would have, as JSON. Touches nothing. */
#include "main.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "plan/number.h"
#include "place.h"
#include "run.h"

static const char help[] =
	"usage: sunder check [options] JOB\n"
	"Reads a job file and prints the plan that a run would have on this machine, as JSON; "
	"nothing is run or changed.\n"
	"\n"
	"  -s, --seed N               the seed of all chance; a fresh one otherwise\n"
	"  -t, --timeout TIME         as for 'sunder run'\n"
	"      --allow CLASS[,CLASS]  also plan ops of these hazard classes: disruptive, "
	"destructive\n"
	"      --tmp DIR              where file-backed slots would be made (/var/tmp)\n"
	"      --keys                 print the keys of job files instead, as in docs/jobs.md\n"
	"  -h, --help\n"
	"\n"
	"exit: 0 the job is good, 2 it is not (the message names file and line), 3 its slots do "
	"not fit this machine,\n"
	"      4 nothing of it can run here\n";

enum { OPT_ALLOW = 256, OPT_TMP, OPT_KEYS };

static const struct option options[] = {
	{"seed", required_argument, NULL, 's'},
	{"timeout", required_argument, NULL, 't'},
	{"allow", required_argument, NULL, OPT_ALLOW},
	{"tmp", required_argument, NULL, OPT_TMP},
	{"keys", no_argument, NULL, OPT_KEYS},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char *const oracles[] = {
#define X(id, name, text) #name,
	ORACLE_LIST(X)
#undef X
		NULL};

static int parse_option(struct plan_options *o, int opt, const char *arg)
{
	switch (opt) {
	case 's':
		if (number_parse(arg, &o->seed) == 0 && o->seed)
			return 0;
		log_error("--seed: not a number from 1 to 18446744073709551615: %s", arg);
		return -EINVAL;
	case 't':
		if (number_parse_time(arg, 1000000000, &o->timeout_ns) == 0 && o->timeout_ns)
			return 0;
		log_error("--timeout: not a time such as 30s, 10m or 12h: %s", arg);
		return -EINVAL;
	case OPT_ALLOW:
		return run_parse_allow(arg, &o->allow);
	case OPT_TMP:
		o->tmp_dir = arg;
		return 0;
	default:
		return -EINVAL; /* getopt has said it */
	}
}

static int print_plan(const struct plan *p)
{
	json_t *j = report_plan_json(p);
	int r = json_is_object(j) ? json_dumpf(j, stdout, JSON_INDENT(1)) : -1;

	json_decref(j);
	if (r < 0)
		log_error("the plan cannot be printed as JSON");
	else
		putchar('\n');
	return r < 0 ? EXIT_USAGE : EXIT_CLEAN;
}

static int check(const char *job, const struct plan_options *o)
{
	_cleanup_free_ char *path = place_job(job);
	struct machine m;
	struct plan *p;
	char err[1024] = "";
	int r = machine_probe(&m);

	if (r < 0) {
		log_error("this machine's memory layout cannot be read (%s); is /proc mounted?",
			strerror(-r));
		return EXIT_USAGE;
	}
	caps_setup(&m, o->tmp_dir);
	r = plan_load(path ? path : job, &m, o, &p, err, sizeof(err));
	if (r == 0) {
		r = print_plan(p);
		plan_free(p);
	} else {
		fprintf(stderr, "%s\n", err[0] ? err : strerror(-r));
		r = r == -ENOSPC ? EXIT_RESOURCES : r == -ENODATA ? EXIT_NOTHING : EXIT_USAGE;
	}
	machine_free(&m);
	return r;
}

int verb_check(int argc, char **argv)
{
	struct plan_options o = {
		.tmp_dir = "/var/tmp", .oracle_names = oracles, .inject_names = inject_names};
	int opt;

	while ((opt = getopt_long(argc, argv, "s:t:h", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return EXIT_CLEAN;
		}
		if (opt == OPT_KEYS) {
			plan_print_job_keys(stdout);
			return EXIT_CLEAN;
		}
		if (parse_option(&o, opt, optarg) < 0)
			return EXIT_USAGE;
	}
	if (optind + 1 != argc) {
		log_error("check: which job? Name one file (see 'sunder check --help')");
		return EXIT_USAGE;
	}
	clock_setup();
	return check(argv[optind], &o);
}
