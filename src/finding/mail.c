/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A finding as a mail to a kernel list: what, where, how often, and how to see it again. No names, no addresses. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "finding/export.h"

static const char *or_unknown(const char *text)
{
	return text && *text ? text : "not recorded";
}

static void print_lines(const char *text, FILE *out)
{
	fputs(text, out);
	if (*text && text[strlen(text) - 1] != '\n')
		fputc('\n', out);
}

/* The release of "6.12.94+deb13 #1 SMP ...". */
static int release_len(const char *kernel)
{
	return (int)strcspn(kernel, " \n");
}

int export_mail(const struct export_mail *m, FILE *out)
{
	const char *kernel = or_unknown(m->kernel);
	const char *title = or_unknown(m->title);
	int title_len = (int)strcspn(title, "\n");

	fprintf(out, "Subject: [BUG] mm: %.*s", title_len, title);
	if (m->kernel && *m->kernel)
		fprintf(out, " (%.*s)", release_len(kernel), kernel);
	fprintf(out,
		"\n\nHello,\n\nthe huge-page stress tool sunder has found this:\n\n    %.*s\n\n"
		"Kernel:    %s\nMachine:   %s\nSeen:      %s\n",
		title_len, title, kernel, or_unknown(m->machine), or_unknown(m->how_often));
	if (m->knobs && *m->knobs) {
		fputs("\nSettings of the machine:\n\n", out);
		print_lines(m->knobs, out);
	}
	fprintf(out,
		"\nThe C file %s makes it happen without the tool (libc and pthreads only):\n\n"
		"    cc -O2 -pthread %s -o reproducer\n    ./reproducer 60   # as root; exit code "
		"1: it came back\n\n"
		"What was seen:\n\n",
		m->file, m->file);
	print_lines(or_unknown(m->evidence), out);
	return ferror(out) ? -EIO : 0;
}
