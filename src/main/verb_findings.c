/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder findings: what was found on this machine over all runs. */
#include "main.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "filing.h"
#include "finding/store.h"
#include "plan/suggest.h"
#include "recover.h"
#include "sys/ledger.h"

static const char help[] =
	"usage: sunder findings [list] [--json]\n"
	"       sunder findings show FINDING\n"
	"       sunder findings export FINDING DIR\n"
	"       sunder findings mark FINDING new|known|hardware|fixed [--note TEXT]\n"
	"       sunder findings merge DIR...\n"
	"       sunder findings recover [--log FILE]\n"
	"What was found on this machine, over all runs. FINDING is a number of the list, a title, "
	"or a part of one.\n"
	"\n"
	"list     titles, the last seen first: how often, since when, in how many runs, on how "
	"many machines\n"
	"show     all that is known of one\n"
	"export   its files into a new directory, with all runs that saw it\n"
	"mark     says what became of it; one that comes back after 'fixed' is new again\n"
	"merge    takes over what other stores have, of other machines; the same run counts once\n"
	"recover  makes findings of the runs during which the kernel died (each run does so at its "
	"start)\n"
	"\n"
	"      --store DIR  where findings are kept (/var/lib/sunder/findings)\n"
	"      --state DIR  where runs keep their state (/var/lib/sunder)\n"
	"      --log FILE   recover: the console log of the boot that died, saved elsewhere\n"
	"      --json       list: as JSON\n"
	"  -h, --help\n"
	"\n"
	"exit: 0 done, 1 list: there are findings that are new, 2 usage or store error\n";

struct options {
	const char *store, *state, *note, *log;
	bool json;
	char dir[320]; /* of the store */
	char state_dir[256];
};

enum { OPT_STORE = 256, OPT_STATE, OPT_NOTE, OPT_LOG, OPT_JSON };

static const struct option options[] = {
	{"store", required_argument, NULL, OPT_STORE},
	{"state", required_argument, NULL, OPT_STATE},
	{"note", required_argument, NULL, OPT_NOTE},
	{"log", required_argument, NULL, OPT_LOG},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int fail(int r, const char *what)
{
	log_error("%s: %s", what,
		r == -ENOENT ? "there is no such finding (see 'sunder findings')"
		: r == -EEXIST
			? "several findings have that in their title: say more of it, or its number"
			: strerror(-r));
	return EXIT_USAGE;
}

/* ---- list ---- */

struct listing {
	unsigned int n, fresh;
	json_t *json; /* NULL: as text */
};

static int list_group(void *arg, const struct store_group *g)
{
	struct listing *l = arg;

	l->n++;
	l->fresh += g->status == STORE_NEW;
	if (l->json)
		return json_array_append_new(l->json,
			       json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, "
					 "s:s, s:s}",
				       "id", (json_int_t)g->id, "title", g->title, "alt", g->alt,
				       "oracle", g->oracle, "status", store_status_name(g->status),
				       "note", g->note, "dir", g->dir, "count",
				       (json_int_t)g->count, "runs", (json_int_t)g->runs,
				       "machines", (json_int_t)g->machines, "kernels",
				       (json_int_t)g->kernels, "first", g->first, "last",
				       g->last)) < 0
			       ? -ENOMEM
			       : 0;
	printf("%4" PRId64 "  %-8s %s\n      %" PRIu64 " time%s in %" PRIu64 " run%s", g->id,
		store_status_name(g->status), g->title, g->count, g->count == 1 ? "" : "s", g->runs,
		g->runs == 1 ? "" : "s");
	if (g->machines > 1)
		printf(" on %" PRIu64 " machines", g->machines);
	printf(", first %s, last %s%s%s\n", g->first, g->last, *g->note ? ": " : "", g->note);
	return 0;
}

static int verb_list(struct store *s, const struct options *o)
{
	struct listing l = {.json = o->json ? json_array() : NULL};
	int r = store_each(s, list_group, &l);

	if (l.json && r == 0) {
		json_dumpf(l.json, stdout, JSON_INDENT(1));
		putchar('\n');
	}
	json_decref(l.json);
	if (r < 0)
		return fail(r, "list");
	if (!l.n && !o->json)
		printf("nothing was found so far (%s)\n", store_dir(s));
	return l.fresh ? EXIT_FINDING : EXIT_CLEAN;
}

/* ---- show, export ---- */

static int show_sight(void *arg, const struct store_sight *x)
{
	unsigned int *n = arg;

	if (!*n) {
		printf("%s\n", x->title);
		if (*x->alt)
			printf("also known as:\n%s\n", x->alt);
		printf("oracle    %s\n\n", x->oracle);
	}
	printf("run       %s: %" PRIu64 " time%s\n", x->run, x->count, x->count == 1 ? "" : "s");
	printf("kernel    %s\nmachine   %s, boot %s\njob       %s, seed %" PRIu64
	       ", sunder %s\nresults   %s\n",
		x->kernel, x->machine, x->boot_id, x->job, x->seed, x->version, x->output);
	if (!(*n)++) {
		printf("\nEvidence:\n\n%s\n", x->evidence);
		if (*x->program)
			printf("\nProgram (crew %d, round %" PRIu64 ", lane %d):\n\n%s\n", x->crew,
				x->round, x->lane, x->program);
	}
	putchar('\n');
	return 0;
}

static int verb_show(struct store *s, const char *what)
{
	unsigned int n = 0;
	int64_t id;
	int r = store_find(s, what, &id);

	if (r == 0)
		r = store_each_sight(s, id, show_sight, &n);
	return r < 0 ? fail(r, what) : EXIT_CLEAN;
}

struct exporting {
	const char *dir;
	struct store *into;
};

static int export_sight(void *arg, const struct store_sight *x)
{
	struct exporting *e = arg;

	return store_add(e->into, x);
}

/* A store of its own with one group: it can be read as files, and merged. */
static int verb_export(struct store *s, const char *what, const char *dir)
{
	struct exporting e = {.dir = dir};
	char err[STORE_ERR_MAX];
	int64_t id;
	int r = store_find(s, what, &id);

	if (r < 0)
		return fail(r, what);
	r = store_open(dir, &e.into, err);
	if (r < 0) {
		log_error("%s", err);
		return EXIT_USAGE;
	}
	r = store_each_sight(s, id, export_sight, &e);
	store_close(e.into);
	return r < 0 ? fail(r, dir) : EXIT_CLEAN;
}

/* ---- mark, merge ---- */

static int verb_mark(struct store *s, const char *what, const char *word, const char *note)
{
	int status = store_status_find(word), r;
	int64_t id;

	if (status < 0) {
		log_error("mark: new, known, hardware or fixed, not %s", word);
		return EXIT_USAGE;
	}
	r = store_find(s, what, &id);
	if (r == 0)
		r = store_mark(s, id, (enum store_status)status, note);
	return r < 0 ? fail(r, what) : EXIT_CLEAN;
}

static int verb_merge(struct store *s, char **dirs, int n)
{
	char err[STORE_ERR_MAX];
	int code = EXIT_CLEAN;

	for (int i = 0; i < n; i++) {
		if (store_merge(s, dirs[i], err) == 0)
			continue;
		log_error("%s", err);
		code = EXIT_USAGE;
	}
	return code;
}

/* ---- the verb ---- */

static int dispatch(struct store *s, const struct options *o, char **argv, int n)
{
	static const char *const words[] = {"list", "show", "export", "mark", "merge"};
	const char *word = n ? argv[0] : "list";
	char hint[SUGGEST_TEXT_MAX];
	struct suggest near;

	if (strcmp(word, "list") == 0 && n <= 1)
		return verb_list(s, o);
	if (strcmp(word, "show") == 0 && n == 2)
		return verb_show(s, argv[1]);
	if (strcmp(word, "export") == 0 && n == 3)
		return verb_export(s, argv[1], argv[2]);
	if (strcmp(word, "mark") == 0 && n == 3)
		return verb_mark(s, argv[1], argv[2], o->note);
	if (strcmp(word, "merge") == 0 && n >= 2)
		return verb_merge(s, argv + 1, n - 1);
	suggest_start(&near, word);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		suggest_try(&near, words[i]);
	log_error("findings %s: not so%s (see 'sunder findings --help')", word,
		suggest_text(&near, hint));
	return EXIT_USAGE;
}

static int parse(int argc, char **argv, struct options *o)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case OPT_STORE:
			o->store = optarg;
			break;
		case OPT_STATE:
			o->state = optarg;
			break;
		case OPT_NOTE:
			o->note = optarg;
			break;
		case OPT_LOG:
			o->log = optarg;
			break;
		case OPT_JSON:
			o->json = true;
			break;
		case 'h':
			return 1;
		default:
			return -EINVAL;
		}
	}
	return 0;
}

int verb_findings(int argc, char **argv)
{
	struct options o = {0};
	char err[STORE_ERR_MAX];
	struct store *s;
	int r = parse(argc, argv, &o), n = argc - optind;

	if (r > 0)
		fputs(help, stdout);
	if (r)
		return r > 0 ? EXIT_CLEAN : EXIT_USAGE;
	r = ledger_default_dir(o.state, ".", o.state_dir, sizeof(o.state_dir));
	if (r < 0)
		return fail(r, "--state");
	filing_dir(o.store, o.state_dir, o.dir, sizeof(o.dir));
	if (n == 1 && strcmp(argv[optind], "recover") == 0)
		return recover_runs(o.state_dir, o.dir, o.log, true) < 0 ? EXIT_USAGE : EXIT_CLEAN;
	if (store_open(o.dir, &s, err) < 0) {
		log_error("%s", err);
		return EXIT_USAGE;
	}
	r = dispatch(s, &o, argv + optind, n);
	store_close(s);
	return r;
}
