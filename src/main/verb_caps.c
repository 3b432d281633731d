/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder caps: what this kernel, machine and user can do, and why not. */
#include "main.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "health.h"
#include "plan/suggest.h"
#include "report/report.h"
#include "sys/ledger.h"

static const char help[] =
	"usage: sunder caps [options]\n"
	"Lists what this kernel, machine and user can do, and for what is missing, why.\n"
	"\n"
	"      --json                  as JSON\n"
	"      --health                one line, for a scheduler's health check: whether this "
	"machine should get the\n"
	"                              next job\n"
	"      --need NAME[,NAME...]   with --health: not without these (repeatable)\n"
	"      --state DIR             with --health: where runs keep their state "
	"(/var/lib/sunder)\n"
	"      --tmp DIR               where a disk filesystem is looked for (/var/tmp)\n"
	"  -h, --help\n"
	"\n"
	"exit: 0 done; --health: healthy, 1 --health: not, 2 usage or error\n";

enum { OPT_JSON = 256, OPT_TMP, OPT_HEALTH, OPT_NEED, OPT_STATE };

struct request {
	enum { AS_TEXT, AS_JSON, AS_HEALTH } as;
	const char *tmp, *state;
	enum cap needs[CAPS_COUNT];
	size_t nneeds;
};

static const struct option options[] = {
	{"json", no_argument, NULL, OPT_JSON},
	{"health", no_argument, NULL, OPT_HEALTH},
	{"need", required_argument, NULL, OPT_NEED},
	{"state", required_argument, NULL, OPT_STATE},
	{"tmp", required_argument, NULL, OPT_TMP},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void print_machine(const struct machine *m)
{
	unsigned long long pages, unused;

	printf("kernel %s, %d CPU%s, %d node%s (%d with memory), %llu MiB of memory, %llu MiB "
	       "available, %s\n",
		m->kernel, m->ncpus, m->ncpus == 1 ? "" : "s", m->nnodes, m->nnodes == 1 ? "" : "s",
		m->nmem_nodes, (unsigned long long)m->mem_total >> 20,
		(unsigned long long)m->mem_available >> 20, m->is_root ? "root" : "not root");
	printf("pages of %llu KiB, PMD %llu KiB, PUD %llu KiB\n",
		(unsigned long long)m->page_size >> 10, (unsigned long long)m->pmd_size >> 10,
		(unsigned long long)m->pud_size >> 10);
	for (int i = 0; i < m->nhstates; i++)
		if (machine_pool(m->hstate[i].size, -1, "nr_hugepages", &pages) == 0 &&
			machine_pool(m->hstate[i].size, -1, "free_hugepages", &unused) == 0)
			printf("huge pages of %llu KiB: %llu, %llu of them free\n",
				(unsigned long long)m->hstate[i].size >> 10, pages, unused);
	putchar('\n');
}

static int print_text(const struct machine *m)
{
	print_machine(m);
	for (int i = 0; i < CAPS_COUNT; i++) {
		const char *why = caps_missing((enum cap)i);

		printf("%-20s %-3s  %s\n", caps_name((enum cap)i), why ? "no" : "yes",
			why ? why : caps_help((enum cap)i));
	}
	return EXIT_CLEAN;
}

static json_t *cap_json(enum cap c)
{
	const char *why = caps_missing(c);
	json_t *o = json_pack(
		"{s:s, s:s, s:b}", "name", caps_name(c), "help", caps_help(c), "present", !why);

	if (o && why)
		json_object_set_new(o, "why", json_string(why));
	return o;
}

static int print_json(const struct machine *m)
{
	json_t *caps = json_array(), *doc;
	int r;

	for (int i = 0; i < CAPS_COUNT; i++)
		json_array_append_new(caps, cap_json((enum cap)i));
	doc = json_pack("{s:s, s:i, s:i, s:i, s:I, s:I, s:b, s:o}", "kernel", m->kernel, "cpus",
		m->ncpus, "nodes", m->nnodes, "memory_nodes", m->nmem_nodes, "memory",
		(json_int_t)m->mem_total, "pmd_size", (json_int_t)m->pmd_size, "root", m->is_root,
		"caps", caps);
	r = doc ? json_dumpf(doc, stdout, JSON_INDENT(1)) : -1;
	json_decref(doc);
	putchar('\n');
	return r < 0 ? EXIT_USAGE : EXIT_CLEAN;
}

static int print_health(const struct machine *m, const struct request *q)
{
	char text[512], state[256];
	int r = ledger_default_dir(q->state, "", state, sizeof(state));

	if (r < 0) {
		log_error("--state: %s", strerror(-r));
		return EXIT_USAGE;
	}
	/* A user who cannot write there may look there. */
	r = health_check(
		m, q->needs, q->nneeds, state[0] ? state : "/var/lib/sunder", text, sizeof(text));
	printf("%s: %s\n", r ? "not healthy" : "healthy", text);
	return r ? EXIT_FINDING : EXIT_CLEAN;
}

static int add_need(struct request *q, const char *name)
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;

	suggest_start(&s, name);
	for (int i = 0; i < CAPS_COUNT; i++) {
		if (strcmp(name, caps_name((enum cap)i)) == 0) {
			if (q->nneeds < ARRAY_SIZE(q->needs))
				q->needs[q->nneeds++] = (enum cap)i;
			return 0;
		}
		suggest_try(&s, caps_name((enum cap)i));
	}
	log_error("--need: there is no capability \"%s\"%s (see 'sunder caps')", name,
		suggest_text(&s, hint));
	return -EINVAL;
}

static int add_needs(struct request *q, const char *list)
{
	char name[64];
	int r = 0;

	while (r == 0 && *list) {
		size_t n = strcspn(list, ",");

		snprintf(name, sizeof(name), "%.*s", (int)n, list);
		r = add_need(q, name);
		list += n + (list[n] == ',');
	}
	return r;
}

static int parse_option(struct request *q, int opt, const char *arg)
{
	switch (opt) {
	case OPT_JSON:
		q->as = AS_JSON;
		return 0;
	case OPT_HEALTH:
		q->as = AS_HEALTH;
		return 0;
	case OPT_NEED:
		return add_needs(q, arg);
	case OPT_STATE:
		q->state = arg;
		return 0;
	case OPT_TMP:
		q->tmp = arg;
		return 0;
	default:
		return -EINVAL; /* getopt has said it */
	}
}

static int print(const struct machine *m, const struct request *q)
{
	if (q->as == AS_HEALTH)
		return print_health(m, q);
	return q->as == AS_JSON ? print_json(m) : print_text(m);
}

int verb_caps(int argc, char **argv)
{
	struct request q = {.tmp = "/var/tmp"};
	struct machine m;
	int opt, r;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return EXIT_CLEAN;
		}
		if (parse_option(&q, opt, optarg) < 0)
			return EXIT_USAGE;
	}
	if (optind != argc) {
		log_error("caps takes no \"%s\" (see 'sunder caps --help')", argv[optind]);
		return EXIT_USAGE;
	}
	r = machine_probe(&m);
	if (r < 0) {
		log_error("this machine's memory layout cannot be read (%s); is /proc mounted?",
			strerror(-r));
		return EXIT_USAGE;
	}
	caps_setup(&m, q.tmp);
	r = print(&m, &q);
	machine_free(&m);
	return r;
}
