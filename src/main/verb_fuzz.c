/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "campaign.h"
#include "main.h"
#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plan/number.h"

static const char help[] =
	"usage: sunder fuzz [options]\n"
	"Runs a campaign of AFL++ against this machine's kernel, or with --vm against guests' "
	"kernels, one instance a\n"
	"kernel, until it is stopped. The same command goes on where it was.\n"
	"\n"
	"  -o, --output DIR           where all of the campaign is; one that is there goes on "
	"(fuzz)\n"
	"  -t, --timeout TIME         how long (30s, 10m, 12h); until stopped otherwise\n"
	"      --seeds DIR            programs to begin with; made of the workloads otherwise\n"
	"      --allow CLASS[,CLASS]  also run ops of these hazard classes: disruptive, "
	"destructive\n"
	"      --layers NAME[,NAME]   feedback: kcov, errno, vmstat, state, trace, overlap; what "
	"there is otherwise\n"
	"      --blind                no feedback, to measure what it is worth\n"
	"      --background JOB       a job that runs on the same kernel at the same time\n"
	"      --exec-timeout TIME    most that a test case may take (2s)\n"
	"      --until-finding        end at the first finding that is not known\n"
	"      --share DIR            a folder of several machines: each takes what the others "
	"found\n"
	"      --name NAME            of the instance (main-HOST)\n"
	"      --secondary            the instance is one of several, and not the main one\n"
	"      --harness FILE         another target for afl-fuzz\n"
	"      --mutator FILE|none    another mutator library, or AFL's own mutations\n"
	"\n"
	"      --vm KERNEL            guests with this kernel, named as for 'sunder vm'; these "
	"go with it:\n"
	"      --guests N             so many side by side (1)\n"
	"      --modules DIR          as for 'sunder vm', for each guest\n"
	"      --nodes N              NUMA nodes\n"
	"      --cpus N               CPUs\n"
	"      --memory SIZE          of all nodes\n"
	"      --append ARGS          more kernel arguments\n"
	"      --accel HOW            auto, kvm or tcg\n"
	"\n"
	"      --minimise             instead: which entries of the corpus reach all that it "
	"reaches (OUTPUT/result/)\n"
	"      --coverage             instead: tells which functions of the kernel's mm were "
	"reached so far\n"
	"\n"
	"      --format FORMAT        summary on stdout: text, json or ktap\n"
	"      --status-interval TIME between status lines (1s on a terminal, 10s elsewhere)\n"
	"      --store DIR            where findings are kept over all runs (findings in the state "
	"directory)\n"
	"      --state DIR            of this machine (/var/lib/sunder)\n"
	"      --tmp DIR              where file-backed slots of the background job are made "
	"(/var/tmp)\n"
	"      --linked               this is a guest of a campaign: its disks are the way to the "
	"host\n"
	"  -q, --quiet                no status lines\n"
	"  -h, --help\n"
	"\n"
	"exit: 0 clean, 1 finding, 2 usage or internal error, 3 not enough resources, 4 nothing "
	"could run here,\n"
	"      5 a kernel was lost\n";

enum {
	OPT_SEEDS = 256,
	OPT_ALLOW,
	OPT_LAYERS,
	OPT_BLIND,
	OPT_BACKGROUND,
	OPT_EXEC_TIMEOUT,
	OPT_UNTIL,
	OPT_SHARE,
	OPT_NAME,
	OPT_SECONDARY,
	OPT_HARNESS,
	OPT_MUTATOR,
	OPT_VM,
	OPT_GUESTS,
	OPT_MODULES,
	OPT_NODES,
	OPT_CPUS,
	OPT_MEMORY,
	OPT_APPEND,
	OPT_ACCEL,
	OPT_MINIMISE,
	OPT_COVERAGE,
	OPT_FORMAT,
	OPT_STATUS,
	OPT_STORE,
	OPT_STATE,
	OPT_TMP,
	OPT_LINKED
};

static const struct option options[] = {
	{"output", required_argument, NULL, 'o'},
	{"timeout", required_argument, NULL, 't'},
	{"seeds", required_argument, NULL, OPT_SEEDS},
	{"allow", required_argument, NULL, OPT_ALLOW},
	{"layers", required_argument, NULL, OPT_LAYERS},
	{"blind", no_argument, NULL, OPT_BLIND},
	{"background", required_argument, NULL, OPT_BACKGROUND},
	{"exec-timeout", required_argument, NULL, OPT_EXEC_TIMEOUT},
	{"until-finding", no_argument, NULL, OPT_UNTIL},
	{"share", required_argument, NULL, OPT_SHARE},
	{"name", required_argument, NULL, OPT_NAME},
	{"secondary", no_argument, NULL, OPT_SECONDARY},
	{"harness", required_argument, NULL, OPT_HARNESS},
	{"mutator", required_argument, NULL, OPT_MUTATOR},
	{"vm", required_argument, NULL, OPT_VM},
	{"guests", required_argument, NULL, OPT_GUESTS},
	{"modules", required_argument, NULL, OPT_MODULES},
	{"nodes", required_argument, NULL, OPT_NODES},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"append", required_argument, NULL, OPT_APPEND},
	{"accel", required_argument, NULL, OPT_ACCEL},
	{"minimise", no_argument, NULL, OPT_MINIMISE},
	{"coverage", no_argument, NULL, OPT_COVERAGE},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"status-interval", required_argument, NULL, OPT_STATUS},
	{"store", required_argument, NULL, OPT_STORE},
	{"state", required_argument, NULL, OPT_STATE},
	{"tmp", required_argument, NULL, OPT_TMP},
	{"linked", no_argument, NULL, OPT_LINKED},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int usage(const char *what, const char *value)
{
	log_error("%s: %s (see 'sunder fuzz --help')", what, value);
	return -EINVAL;
}

static int parse_ns(const char *option, const char *text, uint64_t *ret)
{
	if (number_parse_time(text, 1000000000, ret) < 0 || *ret == 0)
		return usage(option, "not a time such as 30s, 10m or 12h");
	return 0;
}

static int parse_guests(const char *text, unsigned int *ret)
{
	uint64_t n;

	if (number_parse(text, &n) < 0 || n < 1 || n > CAMPAIGN_MAX_INSTANCES)
		return usage("--guests", "not a number from 1 to 16");
	*ret = (unsigned int)n;
	return 0;
}

static int check_name(const char *name)
{
	static const char fine[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	/* AFL takes up to 32. */
	if (!*name || strlen(name) > 31 || strspn(name, fine) != strlen(name))
		return usage("--name", "1 to 31 letters, digits, '-' and '_'");
	return 0;
}

static int check_layers(const char *list)
{
	char word[32];

	for (const char *p = list; *p;) {
		size_t n = strcspn(p, ",");

		snprintf(word, sizeof(word), "%.*s", (int)(n < 31 ? n : 31), p);
		if (layer_find(word) < 0)
			return usage(
				"--layers knows kcov, errno, vmstat, state, trace and overlap, not",
				word);
		p += n + (p[n] == ',');
	}
	return *list ? 0 : usage("--layers", "none given; --blind is a campaign without any");
}

/* Options that are taken as they are. */
static const char **text_of(struct campaign_options *o, int opt)
{
	switch (opt) {
	case 'o':
		return &o->output;
	case OPT_SEEDS:
		return &o->seeds;
	case OPT_ALLOW:
		return &o->allow;
	case OPT_LAYERS:
		return &o->layers;
	case OPT_BACKGROUND:
		return &o->background;
	case OPT_SHARE:
		return &o->share;
	case OPT_NAME:
		return &o->name;
	case OPT_HARNESS:
		return &o->harness;
	case OPT_MUTATOR:
		return &o->mutator;
	case OPT_VM:
		return &o->vm;
	case OPT_MODULES:
		return &o->modules;
	case OPT_NODES:
		return &o->nodes;
	case OPT_CPUS:
		return &o->cpus;
	case OPT_MEMORY:
		return &o->memory;
	case OPT_APPEND:
		return &o->append;
	case OPT_ACCEL:
		return &o->accel;
	case OPT_STORE:
		return &o->store;
	case OPT_STATE:
		return &o->state;
	case OPT_TMP:
		return &o->tmp;
	default:
		return NULL;
	}
}

static int parse_value(struct campaign_options *o, int opt, const char *arg)
{
	uint64_t ns;
	int r;

	switch (opt) {
	case 't':
		return parse_ns("--timeout", arg, &o->timeout_ns);
	case OPT_EXEC_TIMEOUT:
		r = parse_ns("--exec-timeout", arg, &ns);
		if (r == 0 && (ns < 20000000 || ns > 600000000000))
			return usage("--exec-timeout", "from 20ms to 10m");
		o->exec_ms = (unsigned int)(ns / 1000000);
		return r;
	case OPT_STATUS:
		r = parse_ns("--status-interval", arg, &ns);
		o->status_interval_s = (double)ns / 1e9;
		return r;
	case OPT_GUESTS:
		return parse_guests(arg, &o->guests);
	case OPT_FORMAT:
		r = report_format_find(arg);
		if (r < 0)
			return usage("--format is text, json or ktap, not", arg);
		o->format = (enum report_format)r;
		return 0;
	default:
		return -EINVAL; /* getopt has said it */
	}
}

static int parse_option(struct campaign_options *o, bool *coverage, int opt, const char *arg)
{
	const char **text = text_of(o, opt);

	if (text) {
		*text = arg;
		return 0;
	}
	switch (opt) {
	case OPT_BLIND:
		o->blind = true;
		return 0;
	case OPT_UNTIL:
		o->until_finding = true;
		return 0;
	case OPT_SECONDARY:
		o->secondary = true;
		return 0;
	case OPT_LINKED:
		o->linked = true;
		return 0;
	case OPT_MINIMISE:
		o->work = CAMPAIGN_MINIMISE;
		return 0;
	case OPT_COVERAGE:
		*coverage = true;
		return 0;
	case 'q':
		o->quiet = true;
		return 0;
	default:
		return parse_value(o, opt, arg);
	}
}

/* What does not go together. */
static int check(struct campaign_options *o)
{
	uint32_t allow = 0;

	if (o->allow && run_parse_allow(o->allow, &allow) < 0)
		return -EINVAL;
	if (o->layers && check_layers(o->layers) < 0)
		return -EINVAL;
	if (o->name && check_name(o->name) < 0)
		return -EINVAL;
	if (o->layers && o->blind)
		return usage("--blind", "has no layers");
	if (!o->vm && (o->guests || o->modules || o->nodes || o->cpus || o->memory || o->append ||
			      o->accel))
		return usage("--guests, --modules, --nodes, --cpus, --memory, --append, --accel",
			"need --vm KERNEL");
	if (o->vm && !o->guests)
		o->guests = 1;
	if (o->guests > 1 && o->name)
		return usage("--name", "is for one instance");
	if (o->share && access(o->share, R_OK | W_OK | X_OK) < 0)
		return usage(o->share, strerror(errno));
	if (o->background && !o->linked && access(o->background, R_OK) < 0)
		return usage(o->background, strerror(errno));
	return 0;
}

int verb_fuzz(int argc, char **argv)
{
	struct campaign_options o = {.output = "fuzz",
		.exec_ms = 2000,
		.status_interval_s = isatty(STDERR_FILENO) ? 1 : 10};
	bool coverage = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "o:t:qh", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return EXIT_CLEAN;
		}
		if (parse_option(&o, &coverage, opt, optarg) < 0)
			return EXIT_USAGE;
	}
	if (optind < argc) {
		usage("fuzz takes no words of its own", argv[optind]);
		return EXIT_USAGE;
	}
	if (coverage)
		return campaign_coverage(o.output, o.format);
	return check(&o) < 0 ? EXIT_USAGE : (int)campaign_run(&o);
}
