/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "main.h"
#include "place.h"
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
	"usage: sunder run [options] JOB...\n"
	"Runs jobs on this machine's kernel, one after the other, and judges it. A JOB that is not "
	"a "
	"file here is one\n"
	"of those that come with sunder: quick.job, overnight.job, ...\n"
	"\n"
	"  -t, --timeout TIME         how long each job runs (30s, 10m, 12h); the job's own "
	"otherwise\n"
	"  -s, --seed N               the seed of all chance; a fresh one otherwise\n"
	"  -o, --output DIR           where summary.json and findings go; must be new or empty\n"
	"                             (several jobs: a directory each below it)\n"
	"      --format FORMAT        summary on stdout: text, json or ktap\n"
	"      --status-interval TIME  between status lines (1s on a terminal, 10s elsewhere)\n"
	"      --allow CLASS[,CLASS]  also run ops of these hazard classes: disruptive, "
	"destructive\n"
	"      --inject NAME          plant what an oracle looks for: the run must then fail\n"
	"      --state DIR            where the ledger of changes to this machine is kept "
	"(/var/lib/sunder)\n"
	"      --until-finding        end at the first finding, for bisecting\n"
	"      --store DIR            where findings are kept over all runs (findings in the state "
	"directory)\n"
	"      --learned FILE         learned.json of an earlier run: aims also where outcomes "
	"changed then\n"
	"      --tmp DIR              where file-backed slots are made (/var/tmp)\n"
	"  -q, --quiet                no status lines\n"
	"  -h, --help\n"
	"\n"
	"exit: 0 clean, 1 finding, 2 usage or internal error, 3 not enough resources, 4 nothing "
	"could run here,\n"
	"      5 the kernel or an executor was lost\n";

enum {
	OPT_FORMAT = 256,
	OPT_STATUS,
	OPT_ALLOW,
	OPT_INJECT,
	OPT_STATE,
	OPT_TMP,
	OPT_UNTIL,
	OPT_STORE,
	OPT_LEARNED
};

static const struct option options[] = {
	{"timeout", required_argument, NULL, 't'},
	{"seed", required_argument, NULL, 's'},
	{"output", required_argument, NULL, 'o'},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"status-interval", required_argument, NULL, OPT_STATUS},
	{"allow", required_argument, NULL, OPT_ALLOW},
	{"inject", required_argument, NULL, OPT_INJECT},
	{"state", required_argument, NULL, OPT_STATE},
	{"store", required_argument, NULL, OPT_STORE},
	{"tmp", required_argument, NULL, OPT_TMP},
	{"learned", required_argument, NULL, OPT_LEARNED},
	{"until-finding", no_argument, NULL, OPT_UNTIL},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int usage(const char *what, const char *value)
{
	log_error("%s: %s (see 'sunder run --help')", what, value);
	return -EINVAL;
}

static int add_inject(struct run_options *o, const char *name)
{
	for (size_t i = 0; i < RUN_MAX_INJECTS; i++) {
		if (!o->inject[i]) {
			o->inject[i] = name;
			return 0;
		}
	}
	return usage("--inject", "too many");
}

static int parse_ns(const char *option, const char *text, uint64_t *ret)
{
	if (number_parse_time(text, 1000000000, ret) < 0 || *ret == 0)
		return usage(option, "not a time such as 30s, 10m or 12h");
	return 0;
}

static int parse_option(struct run_options *o, int opt, const char *arg)
{
	uint64_t ns;
	int r;

	switch (opt) {
	case 't':
		return parse_ns("--timeout", arg, &o->plan.timeout_ns);
	case 's':
		return number_parse(arg, &o->plan.seed) < 0 || !o->plan.seed
			       ? usage("--seed", "not a number from 1 to 18446744073709551615")
			       : 0;
	case 'o':
		o->output = arg;
		return 0;
	case OPT_FORMAT:
		r = report_format_find(arg);
		if (r < 0)
			return usage("--format is text, json or ktap, not", arg);
		o->format = (enum report_format)r;
		return 0;
	case OPT_STATUS:
		r = parse_ns("--status-interval", arg, &ns);
		o->status_interval_s = (double)ns / 1e9;
		return r;
	case OPT_ALLOW:
		return run_parse_allow(arg, &o->plan.allow);
	case OPT_INJECT:
		return add_inject(o, arg);
	case OPT_STATE:
		o->state = arg;
		return 0;
	case OPT_STORE:
		o->store = arg;
		return 0;
	case OPT_TMP:
		o->plan.tmp_dir = arg;
		return 0;
	case OPT_LEARNED:
		o->plan.learned = arg;
		return 0;
	case OPT_UNTIL:
		o->until_finding = true;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	default:
		return -EINVAL; /* getopt has said it */
	}
}

static enum run_exit run_each(struct run_options *o, char **jobs, int n)
{
	enum run_exit code = EXIT_CLEAN;
	const char *top = o->output;
	char output[512];

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *job = place_job(jobs[i]);
		const char *base = strrchr(jobs[i], '/');

		base = base ? base + 1 : jobs[i];
		o->job = job ? job : jobs[i];
		if (top && n > 1) {
			snprintf(output, sizeof(output), "%s/%d-%.*s", top, i + 1,
				(int)strcspn(base, "."), base);
			o->output = output;
		}
		code = exit_worse(code, run_job(o));
	}
	return code;
}

int verb_run(int argc, char **argv)
{
	static const char *const oracles[] = {
#define X(id, name, help) #name,
		ORACLE_LIST(X)
#undef X
			NULL};
	struct run_options o = {.status_interval_s = isatty(STDERR_FILENO) ? 1 : 10,
		.plan = {.tmp_dir = "/var/tmp",
			.oracle_names = oracles,
			.inject_names = inject_names}};
	int opt;

	while ((opt = getopt_long(argc, argv, "t:s:o:qh", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return EXIT_CLEAN;
		}
		if (parse_option(&o, opt, optarg) < 0)
			return EXIT_USAGE;
	}
	if (optind == argc) {
		usage("run", "which job? For a start: quick.job");
		return EXIT_USAGE;
	}
	return (int)run_each(&o, argv + optind, argc - optind);
}
