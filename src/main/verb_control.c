/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder status, start, pause, resume, stop, tail: what is asked of sunderd. */
#include "main.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "daemon/client.h"
#include "plan/number.h"
#include "report/report.h"
#include "status_text.h"
#include "watch.h"

enum { ANSWER_MS = 10000, OPT_SOCKET = 256, OPT_JSON, OPT_NOW };

struct options {
	const char *socket;
	bool watch, json, now, follow;
	unsigned int lines;
};

static const struct option options[] = {
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"watch", no_argument, NULL, 'w'},
	{"json", no_argument, NULL, OPT_JSON},
	{"now", no_argument, NULL, OPT_NOW},
	{"follow", no_argument, NULL, 'f'},
	{"lines", required_argument, NULL, 'n'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* What a verb takes, and what it says of itself. */
struct control_verb {
	const char *name, *takes, *help;
	enum message_do what;
};

static const struct control_verb verbs[] = {
	{"status", "wJS",
		"usage: sunder status [--watch] [--json] [--socket PATH]\n"
		"What sunderd does: is the machine healthy, which job has its turn, rates, "
		"findings, "
		"nodes.\n"
		"\n"
		"  -w, --watch        a full-terminal view until q is pressed\n"
		"      --json         the whole document (docs/sunderd.schema.json)\n",
		MESSAGE_STATUS},
	{"start", "NS1",
		"usage: sunder start [--now] [--socket PATH] JOB\n"
		"Has sunderd run JOB next: a campaign of its configuration (also one that is in "
		"quarantine), or a job file of\n"
		"its jobs directory, by name.\n"
		"\n"
		"      --now          ends the slice that runs for it\n",
		MESSAGE_START},
	{"pause", "S",
		"usage: sunder pause [--socket PATH]\n"
		"Has sunderd end the slice that runs, put the machine back as it was, and begin no "
		"other until 'sunder resume',\n"
		"not even after a restart.\n"
		"\n",
		MESSAGE_PAUSE},
	{"resume", "S",
		"usage: sunder resume [--socket PATH]\n"
		"Has sunderd go on after 'sunder pause', or after a trouble that made it hold.\n"
		"\n",
		MESSAGE_RESUME},
	{"stop", "S",
		"usage: sunder stop [--socket PATH]\n"
		"Has sunderd end the slice that runs, put the machine back as it was, and end.\n"
		"\n",
		MESSAGE_STOP},
	{"tail", "fnJS",
		"usage: sunder tail [--follow] [--lines N] [--json] [--socket PATH]\n"
		"What happened to sunderd: slices, findings, deaths, what was asked for.\n"
		"\n"
		"  -f, --follow       goes on with what happens from now on\n"
		"  -n, --lines N      at most so many of the last ones (20; up to 256)\n"
		"      --json         an object a line\n",
		MESSAGE_TAIL},
};

static const char common_help[] =
	"      --socket PATH  of a sunderd that has another one than " CLIENT_SOCKET "\n"
	"  -h, --help\n"
	"\n"
	"exit: 0 done, 2 usage, no sunderd, or it refuses\n";

/* ---- options ---- */

static int wrong_option(const struct control_verb *v, const char *name)
{
	log_error("%s takes no %s (see 'sunder %s --help')", v->name, name, v->name);
	return -EINVAL;
}

static int take(const struct control_verb *v, int opt, const char *arg, struct options *o)
{
	uint64_t n;

	switch (opt) {
	case OPT_SOCKET:
		o->socket = arg;
		return 0;
	case 'w':
		o->watch = true;
		return strchr(v->takes, 'w') ? 0 : wrong_option(v, "--watch");
	case OPT_JSON:
		o->json = true;
		return strchr(v->takes, 'J') ? 0 : wrong_option(v, "--json");
	case OPT_NOW:
		o->now = true;
		return strchr(v->takes, 'N') ? 0 : wrong_option(v, "--now");
	case 'f':
		o->follow = true;
		return strchr(v->takes, 'f') ? 0 : wrong_option(v, "--follow");
	case 'n':
		if (number_parse(arg, &n) < 0 || n > MESSAGE_TAIL_MAX) {
			log_error("--lines: not a number from 0 to %d: %s", MESSAGE_TAIL_MAX, arg);
			return -EINVAL;
		}
		o->lines = (unsigned int)n;
		return strchr(v->takes, 'n') ? 0 : wrong_option(v, "--lines");
	default:
		return -EINVAL;
	}
}

/* 1: help was printed. */
static int parse(const struct control_verb *v, int argc, char **argv, struct options *o)
{
	bool wants = strchr(v->takes, '1') != NULL;
	int opt;

	while ((opt = getopt_long(argc, argv, "wfn:h", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(v->help, stdout);
			fputs(common_help, stdout);
			return 1;
		}
		if (take(v, opt, optarg, o) < 0)
			return -EINVAL;
	}
	if (argc - optind == (wants ? 1 : 0))
		return 0;
	if (wants && optind == argc)
		log_error("start: which job? (see 'sunder start --help')");
	else
		log_error("%s takes no \"%s\" (see 'sunder %s --help')", v->name,
			argv[wants ? optind + 1 : optind], v->name);
	return -EINVAL;
}

/* ---- answers ---- */

static void print_event(const json_t *e)
{
	char campaign[64], text[512];
	time_t t = (time_t)json_integer_value(json_object_get(e, "time"));
	char at[32] = "";
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(at, sizeof(at), "%Y-%m-%d %H:%M:%S", &tm);
	status_get(e, "campaign", campaign, sizeof(campaign));
	printf("%s  %s%s%s\n", at, campaign, *campaign ? ": " : "",
		status_get(e, "text", text, sizeof(text)));
}

static void print_events(const json_t *doc, const struct options *o)
{
	const json_t *e;
	size_t i;

	json_array_foreach(json_object_get(doc, "events"), i, e)
	{
		if (!o->json) {
			print_event(e);
			continue;
		}
		json_dumpf(e, stdout, JSON_COMPACT);
		putchar('\n');
	}
	fflush(stdout);
}

static void print_answer(const struct control_verb *v, const json_t *doc, const struct options *o)
{
	const json_t *status = json_object_get(doc, "status");

	if (v->what == MESSAGE_TAIL) {
		print_events(doc, o);
	} else if (status && o->json) {
		json_dumpf(status, stdout, JSON_INDENT(1));
		putchar('\n');
	} else if (status) {
		status_text(status, stdout);
	}
}

static int fail(int r, const char *err)
{
	log_error("%s", r == -EAGAIN ? "sunderd does not answer" : err);
	return EXIT_USAGE;
}

static int talk(const struct control_verb *v, const struct options *o, const char *name)
{
	struct message m = {.what = v->what, .now = o->now, .follow = o->follow, .lines = o->lines};
	struct client_link *link;
	char err[CLIENT_ERR_MAX];
	json_t *doc;
	int r;

	if (name && strlen(name) >= sizeof(m.name)) {
		log_error("%s: the name is too long", v->name);
		return EXIT_USAGE;
	}
	snprintf(m.name, sizeof(m.name), "%s", name ? name : "");
	r = client_open(o->socket, &link, err);
	if (r < 0)
		return fail(r, err);
	r = client_send(link, &m, err);
	if (r == 0)
		r = client_receive(link, ANSWER_MS, &doc, err);
	while (r == 0) {
		print_answer(v, doc, o);
		json_decref(doc);
		if (!o->follow)
			break;
		r = client_receive(link, -1, &doc, err);
	}
	client_close(link);
	return r < 0 ? fail(r, err) : EXIT_CLEAN;
}

int verb_control(int argc, char **argv)
{
	struct options o = {.socket = CLIENT_SOCKET, .lines = 20};
	const struct control_verb *v = verbs;
	int r;

	while (strcmp(v->name, argv[0]) != 0)
		v++;
	r = parse(v, argc, argv, &o);
	if (r)
		return r > 0 ? EXIT_CLEAN : EXIT_USAGE;
	if (o.watch)
		return watch_status(o.socket);
	return talk(v, &o, optind < argc ? argv[optind] : NULL);
}
