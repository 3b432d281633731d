/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder ops: the list of ops as their structs tell it, for people, scripts and docs/ops.md. */
#include "main.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plan/suggest.h"
#include "report/report.h"

static const char help[] = "usage: sunder ops [options] [OP...]\n"
			   "Lists the ops: what they do and need, their arguments, the errnos they "
			   "may end with, and why one cannot run here.\n"
			   "\n"
			   "      --json      as JSON\n"
			   "      --markdown  as docs/ops.md (says nothing about this machine)\n"
			   "      --tmp DIR   where a disk filesystem is looked for (/var/tmp)\n"
			   "  -h, --help\n";

enum { OPT_JSON = 256, OPT_MARKDOWN, OPT_TMP };

static const struct option options[] = {
	{"json", no_argument, NULL, OPT_JSON},
	{"markdown", no_argument, NULL, OPT_MARKDOWN},
	{"tmp", required_argument, NULL, OPT_TMP},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const char *const kinds[] = {
	[ARG_END] = "",
	[ARG_SLOT] = "slot",
	[ARG_VIEW] = "view",
	[ARG_OFF] = "page",
	[ARG_LEN] = "pages",
	[ARG_NODE] = "node",
	[ARG_PROC] = "process",
	[ARG_ENUM] = "word",
	[ARG_FLAGS] = "words",
	[ARG_INT] = "number",
	[ARG_NS] = "time",
};

/* By bit number of enum op_when. */
static const char *const states[] = {
	"part of the range may be unmapped or inaccessible",
	"the range may be several VMAs",
	"memory may be locked",
	"the object may be shorter",
	"not whole huge pages",
	"hugetlb",
	"private memory, not hugetlb",
	"shmem",
	"disk file",
	"the pool may run dry",
	"not root",
	"arguments that the kernel refuses",
	"the other process may be gone",
	"private memory",
	"the call is strict about pages",
	"a backing that the op is not for",
};
_Static_assert(WHEN_UNSUITED == 1 << (ARRAY_SIZE(states) - 1), "a text for each state");

static json_t *backings_json(uint32_t mask)
{
	json_t *a = json_array();

	for (int i = 0; i < BACKING_COUNT; i++)
		if (mask >> i & 1)
			json_array_append_new(a, json_string(backing_name((enum backing)i)));
	return a;
}

static json_t *caps_json(const enum cap *cap, unsigned int n)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < n; i++)
		json_array_append_new(a, json_string(caps_name(cap[i])));
	return a;
}

static json_t *arg_json(const struct arg_desc *d)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "name", d->name, "kind", kinds[d->kind], "help",
		d->help ? d->help : "");
	json_t *words = json_array();

	for (const struct arg_word *w = d->words; w && w->name; w++)
		json_array_append_new(words, json_string(w->name));
	if (d->words)
		json_object_set(o, "words", words);
	json_decref(words);
	if (d->kind == ARG_INT || d->kind == ARG_NS)
		json_object_set_new(o, "max", json_integer(d->max));
	return o;
}

static json_t *when_json(uint32_t when)
{
	json_t *a = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (when >> i & 1)
			json_array_append_new(a, json_string(states[i]));
	return a;
}

static json_t *errnos_json(const struct op *op)
{
	json_t *a = json_array();

	for (const struct op_errno *e = op->errnos; e && e->err; e++)
		json_array_append_new(a, json_pack("{s:s, s:o}", "errno", strerrorname_np(e->err),
						 "when", when_json(e->when)));
	return a;
}

/* here: with what this machine says to it. */
static json_t *op_json(unsigned int number, bool here)
{
	const struct op *op = op_get(number);
	json_t *args = json_array(), *o;
	const char *why = here ? op_missing(op) : NULL;

	for (unsigned int i = 0; i < op_nargs(op); i++)
		json_array_append_new(args, arg_json(&op->args[i]));
	o = json_pack("{s:i, s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o}", "number",
		(int)number, "name", op->name, "hazard", hazard_name(op->hazard), "help", op->help,
		"exercises", op->exercises ? op->exercises : "", "weight", (int)op->weight,
		"backings", backings_json(op->backings), "needs", caps_json(op->needs, op->nneeds),
		"wants", caps_json(op->wants, op->nwants), "args", args, "errnos", errnos_json(op));
	if (o && here)
		json_object_set_new(o, "missing", why ? json_string(why) : json_null());
	return o;
}

/* ---- for people ---- */

static void print_list(const char *head, const json_t *list)
{
	size_t i;
	json_t *v;

	if (json_array_size(list) == 0)
		return;
	fputs(head, stdout);
	json_array_foreach(list, i, v) printf("%s%s", i ? ", " : "", json_string_value(v));
	putchar('\n');
}

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void print_arg(const json_t *a)
{
	const json_t *max = json_object_get(a, "max");

	printf("    %-10s %-8s %s", text(a, "name"), text(a, "kind"), text(a, "help"));
	if (max)
		printf(" (0 to %lld%s)", (long long)json_integer_value(max),
			strcmp(text(a, "kind"), "time") == 0 ? " ns" : "");
	putchar('\n');
	print_list(strcmp(text(a, "kind"), "word") == 0 ? "               one of: "
							: "               any of: ",
		json_object_get(a, "words"));
}

static void print_op(const json_t *o)
{
	size_t i;
	json_t *v;

	printf("%s  (number %lld, %s, weight %lld)\n  %s\n", text(o, "name"),
		(long long)json_integer_value(json_object_get(o, "number")), text(o, "hazard"),
		(long long)json_integer_value(json_object_get(o, "weight")), text(o, "help"));
	printf("  exercises: %s\n", text(o, "exercises"));
	print_list("  backings: ", json_object_get(o, "backings"));
	print_list("  needs: ", json_object_get(o, "needs"));
	print_list("  better with: ", json_object_get(o, "wants"));
	if (text(o, "missing"))
		printf("  cannot run here: %s\n", text(o, "missing"));
	json_array_foreach(json_object_get(o, "args"), i, v) print_arg(v);
	json_array_foreach(json_object_get(o, "errnos"), i, v)
	{
		printf("    may fail with %s", text(v, "errno"));
		print_list(": ", json_object_get(v, "when"));
		if (json_array_size(json_object_get(v, "when")) == 0)
			putchar('\n');
	}
	putchar('\n');
}

static void print_line(const json_t *o)
{
	const char *why = text(o, "missing");

	printf("%3lld  %-22s %-11s  %s\n",
		(long long)json_integer_value(json_object_get(o, "number")), text(o, "name"),
		text(o, "hazard"), text(o, "help"));
	if (why)
		printf("     %-22s %-11s  cannot run here: %s\n", "", "", why);
}

/* ---- docs/ops.md ---- */

static void print_cell(const json_t *list)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i, v) printf("%s%s", i ? ", " : "", json_string_value(v));
}

static void markdown_args(const json_t *args)
{
	size_t i;
	json_t *a;

	if (json_array_size(args) == 0)
		return;
	fputs("\n| argument | kind | meaning |\n| --- | --- | --- |\n", stdout);
	json_array_foreach(args, i, a)
	{
		const json_t *max = json_object_get(a, "max");

		printf("| `%s` | %s | %s", text(a, "name"), text(a, "kind"), text(a, "help"));
		if (max)
			printf(" (0 to %lld%s)", (long long)json_integer_value(max),
				strcmp(text(a, "kind"), "time") == 0 ? " ns" : "");
		if (json_object_get(a, "words"))
			fputs(text(a, "help")[0] ? ": " : "", stdout);
		print_cell(json_object_get(a, "words"));
		fputs(" |\n", stdout);
	}
}

static void markdown_errnos(const json_t *errnos)
{
	size_t i;
	json_t *e;

	json_array_foreach(errnos, i, e)
	{
		printf("%s%s", i ? "; " : "\nMay fail with ", text(e, "errno"));
		if (json_array_size(json_object_get(e, "when"))) {
			fputs(" (", stdout);
			print_cell(json_object_get(e, "when"));
			putchar(')');
		}
	}
	fputs(json_array_size(errnos) ? ".\n" : "\nNever fails.\n", stdout);
}

static void print_markdown(const json_t *ops)
{
	size_t i;
	json_t *o;

	fputs("<!-- Made by 'sunder ops --markdown'; a test compares. -->\n# Ops\n\n"
	      "What a lane can do. An errno that is not named here, or not in that state, is a "
	      "finding. Ranges are in base "
	      "pages\nand are folded into the slot. Numbers never change.\n",
		stdout);
	json_array_foreach(ops, i, o)
	{
		printf("\n## %s\n\n%s. Number %lld, %s, weight %lld.\n", text(o, "name"),
			text(o, "help"),
			(long long)json_integer_value(json_object_get(o, "number")),
			text(o, "hazard"),
			(long long)json_integer_value(json_object_get(o, "weight")));
		if (text(o, "exercises")[0])
			printf("Exercises `%s`.\n", text(o, "exercises"));
		print_list("Backings: ", json_object_get(o, "backings"));
		print_list("Needs: ", json_object_get(o, "needs"));
		print_list("Better with: ", json_object_get(o, "wants"));
		markdown_args(json_object_get(o, "args"));
		markdown_errnos(json_object_get(o, "errnos"));
	}
}

/* ---- the verb ---- */

enum form { FORM_LINES, FORM_FULL, FORM_JSON, FORM_MARKDOWN };

static int print_ops(const json_t *ops, enum form form)
{
	size_t i;
	json_t *o;
	int r = 0;

	if (form == FORM_MARKDOWN)
		print_markdown(ops);
	if (form == FORM_JSON) {
		r = json_dumpf(ops, stdout, JSON_INDENT(1));
		putchar('\n');
	}
	if (form == FORM_LINES || form == FORM_FULL)
		json_array_foreach(ops, i, o) form == FORM_FULL ? print_op(o) : print_line(o);
	if (form == FORM_LINES)
		fputs("\n'sunder ops OP' says more about one.\n", stdout);
	return r < 0 ? EXIT_USAGE : EXIT_CLEAN;
}

static int unknown_op(const char *name)
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;

	suggest_start(&s, name);
	for (unsigned int i = 0; i < OP_NUMBERS; i++)
		if (op_get(i))
			suggest_try(&s, op_get(i)->name);
	log_error("there is no op \"%s\"%s (see 'sunder ops')", name, suggest_text(&s, hint));
	return -ENOENT;
}

/* The named ops, or all. NULL: a name is wrong (told). */
static json_t *collect(char **names, int n, bool here)
{
	json_t *ops = json_array();

	for (unsigned int i = 0; n == 0 && i < OP_NUMBERS; i++)
		if (op_get(i))
			json_array_append_new(ops, op_json(i, here));
	for (int i = 0; i < n; i++) {
		int number = op_find(names[i]);

		if (number < 0) {
			unknown_op(names[i]);
			json_decref(ops);
			return NULL;
		}
		json_array_append_new(ops, op_json((unsigned int)number, here));
	}
	return ops;
}

static int list_ops(char **names, int n, enum form form, const char *tmp)
{
	struct machine m;
	json_t *ops;
	int r = machine_probe(&m);

	if (r < 0) {
		log_error("this machine's memory layout cannot be read (%s); is /proc mounted?",
			strerror(-r));
		return EXIT_USAGE;
	}
	caps_setup(&m, tmp);
	ops = collect(names, n, form != FORM_MARKDOWN);
	r = ops ? print_ops(ops, n && form == FORM_LINES ? FORM_FULL : form) : EXIT_USAGE;
	json_decref(ops);
	machine_free(&m);
	return r;
}

int verb_ops(int argc, char **argv)
{
	const char *tmp = "/var/tmp";
	enum form form = FORM_LINES;
	int opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 'h':
			fputs(help, stdout);
			return EXIT_CLEAN;
		case OPT_JSON:
			form = FORM_JSON;
			break;
		case OPT_MARKDOWN:
			form = FORM_MARKDOWN;
			break;
		case OPT_TMP:
			tmp = optarg;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	return list_ops(argv + optind, argc - optind, form, tmp);
}
