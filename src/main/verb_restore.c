/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder restore: undoes what the ledger of a killed run says. */
#include "main.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "filing.h"
#include "recover.h"
#include "report/report.h"
#include "sys/ledger.h"

static const char help[] =
	"usage: sunder restore [--state DIR]\n"
	"Undoes what a run that was killed had changed on this machine: huge page pools, knobs, "
	"mounts, files.\n"
	"A run does so itself at its end; so does the next run.\n"
	"\n"
	"      --state DIR  where that run's ledger is (/var/lib/sunder; the output directory of a "
	"run that could not\n"
	"                   write there)\n"
	"  -h, --help\n"
	"\n"
	"exit: 0 all is restored (or nothing was to be done), 2 something could not be\n";

enum { OPT_STATE = 256 };

static const struct option options[] = {
	{"state", required_argument, NULL, OPT_STATE},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* 1: there is a ledger in dir; 0: none; -errno. */
static int has_ledger(const char *dir)
{
	char path[512];
	int n = snprintf(path, sizeof(path), "%s/ledger", dir);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	if (access(path, F_OK) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

static int restore(const char *dir)
{
	char store[320];
	struct ledger *l;
	size_t undone = 0, more = 0;
	int r = ledger_open(dir, &l, &undone);

	if (r == -EBUSY) {
		log_error("%s/ledger: a run is using it; it restores everything at its end", dir);
		return EXIT_USAGE;
	}
	if (r < 0) {
		log_error("%s/ledger: %s%s", dir, strerror(-r),
			r == -EACCES || r == -EPERM ? " (be root)" : "");
		return EXIT_USAGE;
	}
	filing_dir(NULL, dir, store, sizeof(store));
	recover_runs(dir, store, NULL,
		false); /* what that run has recorded is of use only if its kernel died */
	r = ledger_restore(l, &more);
	ledger_close(l);
	printf("%zu change%s undone\n", undone + more, undone + more == 1 ? "" : "s");
	if (r < 0)
		log_error("not everything could be undone: %s; what is left stays in %s/ledger",
			strerror(-r), dir);
	return r < 0 ? EXIT_USAGE : EXIT_CLEAN;
}

int verb_restore(int argc, char **argv)
{
	const char *state = NULL;
	char dir[256];
	int opt, r;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return EXIT_CLEAN;
		}
		if (opt != OPT_STATE)
			return EXIT_USAGE;
		state = optarg;
	}
	if (optind != argc) {
		log_error("restore takes no \"%s\" (see 'sunder restore --help')", argv[optind]);
		return EXIT_USAGE;
	}
	r = ledger_default_dir(state, "", dir, sizeof(dir));
	if (r == 0 && !dir[0]) {
		log_error("/var/lib/sunder cannot be written: be root, or give --state DIR");
		return EXIT_USAGE;
	}
	if (r == 0)
		r = has_ledger(dir);
	if (r < 0) {
		log_error("%s: %s", state ? state : "state directory", strerror(-r));
		return EXIT_USAGE;
	}
	if (r == 0) {
		printf("nothing to undo: no ledger in %s\n", dir);
		return EXIT_CLEAN;
	}
	return restore(dir);
}
