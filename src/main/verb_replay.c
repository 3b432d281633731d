/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "main.h"
#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plan/number.h"

static const char help[] =
	"usage: sunder replay [options] PROGRAM\n"
	"Runs a program (as in a finding's program.txt) again and again, with its slots, lanes and "
	"offsets.\n"
	"\n"
	"  -n, --times N        stop after N rounds\n"
	"      --seconds T      stop after T seconds (10 by default)\n"
	"  -o, --output DIR     where summary.json and findings go; must be new or empty\n"
	"      --allow CLASS[,CLASS]\n"
	"      --state DIR      where the ledger is kept\n"
	"      --tmp DIR        where file-backed slots are made (/var/tmp)\n"
	"  -q, --quiet          no status lines\n"
	"  -h, --help\n"
	"\n"
	"exit: 0 it did not come back, 1 it did (or something else was found), 2 to 5 as for "
	"'sunder run'\n";

enum { OPT_SECONDS = 256, OPT_ALLOW, OPT_STATE, OPT_TMP, PROGRAM_TEXT_MAX = 1 << 20 };

static const struct option options[] = {
	{"times", required_argument, NULL, 'n'},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"output", required_argument, NULL, 'o'},
	{"allow", required_argument, NULL, OPT_ALLOW},
	{"state", required_argument, NULL, OPT_STATE},
	{"tmp", required_argument, NULL, OPT_TMP},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int bad(const char *option, const char *value)
{
	log_error("%s: not a number above 0: %s (see 'sunder replay --help')", option, value);
	return -EINVAL;
}

static int parse_option(struct run_options *o, int opt, const char *arg)
{
	switch (opt) {
	case 'n':
		return number_parse(arg, &o->rounds) < 0 || !o->rounds ? bad("--times", arg) : 0;
	case OPT_SECONDS:
		return number_parse_time(arg, 1000000000, &o->plan.timeout_ns) < 0 ||
				       !o->plan.timeout_ns
			       ? bad("--seconds", arg)
			       : 0;
	case 'o':
		o->output = arg;
		return 0;
	case OPT_ALLOW:
		return run_parse_allow(arg, &o->plan.allow);
	case OPT_STATE:
		o->state = arg;
		return 0;
	case OPT_TMP:
		o->plan.tmp_dir = arg;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int load(const char *file, struct program *p)
{
	_cleanup_fclose_ FILE *f = fopen(file, "re");
	_cleanup_free_ char *text = malloc(PROGRAM_TEXT_MAX);
	char err[512] = "";
	size_t len;
	int r;

	if (!f || !text) {
		log_error("%s: %s", file, strerror(errno));
		return -EINVAL;
	}
	len = fread(text, 1, PROGRAM_TEXT_MAX, f);
	if (ferror(f) || len == PROGRAM_TEXT_MAX) {
		log_error("%s: %s", file, ferror(f) ? strerror(errno) : "longer than any program");
		return -EINVAL;
	}
	r = program_parse(p, file, text, len, err, sizeof(err));
	if (r < 0)
		log_error("%s", err);
	return r;
}

int verb_replay(int argc, char **argv)
{
	struct run_options o = {.status_interval_s = isatty(STDERR_FILENO) ? 1 : 10,
		.plan = {.tmp_dir = "/var/tmp"}};
	_cleanup_free_ struct program *program = calloc(1, sizeof(*program));
	int opt;

	if (!program)
		return EXIT_RESOURCES;
	while ((opt = getopt_long(argc, argv, "n:o:qh", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return EXIT_CLEAN;
		}
		if (parse_option(&o, opt, optarg) < 0)
			return EXIT_USAGE;
	}
	if (optind + 1 != argc) {
		log_error("replay: which program? Name one file (see 'sunder replay --help')");
		return EXIT_USAGE;
	}
	if (!o.rounds && !o.plan.timeout_ns)
		o.plan.timeout_ns = 10000000000ULL;
	if (load(argv[optind], program) < 0)
		return EXIT_USAGE;
	o.program = program;
	o.program_name = argv[optind];
	return (int)run_job(&o);
}
