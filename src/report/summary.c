/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of a run, on stdout and in the output directory. */
#include "sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"

int report_summary_file(const struct run_result *r)
{
	_cleanup_free_ char *text = NULL, *path = NULL;
	json_t *doc = json_summary(r);

	text = doc ? json_dumps(doc, JSON_INDENT(1)) : NULL;
	json_decref(doc);
	if (!text || asprintf(&path, "%s/summary.json", r->output) < 0)
		return -ENOMEM;
	return path_publish(path, text, strlen(text));
}

static void print_json(const struct run_result *r, FILE *out)
{
	json_t *doc = json_summary(r);

	if (!doc || json_dumpf(doc, out, JSON_INDENT(1)) < 0)
		fputs("sunder: the summary cannot be printed as JSON\n", stderr);
	fputc('\n', out);
	json_decref(doc);
}

void report_summary(const struct run_result *r, enum report_format format, FILE *out)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr); /* the status line */
	switch (format) {
	case REPORT_JSON:
		print_json(r, out);
		break;
	case REPORT_KTAP:
		ktap_summary(r, out);
		break;
	case REPORT_TEXT:
		text_summary(r, out);
		break;
	}
	fflush(out);
}
