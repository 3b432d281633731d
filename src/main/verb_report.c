/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder report: a night or a fleet in one page. */
#include "main.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "report/night.h"

static const char help[] =
	"usage: sunder report DIR... [--before DIR...] [-o FILE] [--format FORMAT]\n"
	"What the runs in and below the directories came to: a night, a fleet. Findings are "
	"grouped over all of them, whether they\n"
	"stand in a run's directory or in a store of findings.\n"
	"\n"
	"  -o, --output FILE    where it goes, by rename; standard output otherwise, and with -o "
	"the verdict\n"
	"      --format FORMAT  html (with -o; one file that needs nothing else), text (without), "
	"json, ktap, junit\n"
	"      --before DIR...  an earlier night to compare with: all directories up to the next "
	"option; --before=DIR: this one\n"
	"  -h, --help\n"
	"\n"
	"exit: 0 clean, 1 something was found, 2 usage, or a directory that is damaged or no run,\n"
	"3 a run had not enough resources, 4 nothing could run, 5 a kernel or executor was lost, "
	"or a run never ended.\n"
	"The worst wins, in the order 5, 1, 2, 3, 4, 0.\n";

struct options {
	char **now, **before; /* NULL-terminated */
	size_t nnow, nbefore;
	const char *output;
	int format; /* enum night_format; -1: not said */
};

enum { OPT_FORMAT = 256, OPT_BEFORE };

static const struct option options[] = {
	{"output", required_argument, NULL, 'o'},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"before", optional_argument, NULL, OPT_BEFORE},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* 0, 1: help was asked for, -EINVAL. */
static int parse(int argc, char **argv, struct options *o)
{
	bool before = false;
	int opt;

	o->format = -1;
	/* '-': directories come in their order among the options. */
	while ((opt = getopt_long(argc, argv, "-ho:", options, NULL)) != -1) {
		switch (opt) {
		case 1:
			if (before)
				o->before[o->nbefore++] = optarg;
			else
				o->now[o->nnow++] = optarg;
			continue;
		case 'o':
			o->output = optarg;
			break;
		case OPT_FORMAT:
			o->format = night_format_find(optarg);
			if (o->format < 0) {
				log_error("--format: html, text, json, ktap or junit, not %s",
					optarg);
				return -EINVAL;
			}
			break;
		case OPT_BEFORE:
			if (optarg)
				o->before[o->nbefore++] = optarg;
			before = !optarg;
			continue;
		case 'h':
			return 1;
		default:
			return -EINVAL;
		}
		before = false;
	}
	while (optind < argc)
		o->now[o->nnow++] = argv[optind++];
	return 0;
}

static int check(const struct options *o)
{
	if (o->nnow)
		return 0;
	if (o->nbefore)
		log_error("report: all directories stand after --before: name those of this night "
			  "first, or --before=DIR");
	else
		log_error("report: which directories? (see 'sunder report --help')");
	return -EINVAL;
}

/* A whole file or none. */
static int write_file(const json_t *doc, enum night_format format, const char *path)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct stat st;
	int e;

	if (!f)
		return -ENOMEM;
	e = night_print(doc, format, f);
	if (fclose(f) != 0 || e < 0)
		return -ENOMEM;
	/* A device or a pipe is written to, not replaced. */
	if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
		return path_publish(path, text, len);
	f = fopen(path, "we");
	if (!f)
		return -errno;
	e = fwrite(text, 1, len, f) == len ? 0 : -EIO;
	return fclose(f) != 0 ? -EIO : e;
}

static enum run_exit report(const struct options *o)
{
	json_t *doc = night_load(o->now, o->before);
	enum run_exit code;
	int e = 0;

	if (!doc) {
		log_error("report: %s", strerror(ENOMEM));
		return EXIT_USAGE;
	}
	code = night_exit(doc);
	if (o->output)
		e = write_file(
			doc, o->format < 0 ? NIGHT_HTML : (enum night_format)o->format, o->output);
	else
		night_print(doc, o->format < 0 ? NIGHT_TEXT : (enum night_format)o->format, stdout);
	if (e < 0) {
		log_error("%s: %s", o->output, strerror(-e));
		code = exit_worse(code, EXIT_USAGE);
	} else if (o->output) {
		printf("%s -> %s\n", night_verdict(doc), o->output);
	}
	json_decref(doc);
	return code;
}

int verb_report(int argc, char **argv)
{
	_cleanup_free_ char **now = calloc((size_t)argc + 1, sizeof(*now)),
			    **before = calloc((size_t)argc + 1, sizeof(*before));
	struct options o = {.now = now, .before = before};
	int r = now && before ? parse(argc, argv, &o) : -ENOMEM;

	if (r > 0)
		fputs(help, stdout);
	else if (r == 0)
		r = check(&o);
	if (r)
		return r > 0 ? EXIT_CLEAN : EXIT_USAGE;
	return report(&o);
}
