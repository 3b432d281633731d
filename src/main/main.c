/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "main.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "plan/suggest.h"
#include "report/report.h"

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} verbs[] = {
	{"run", verb_run, "run jobs on this machine's kernel, and judge it"},
	{"replay", verb_replay, "run a finding's program until it comes back"},
	{"reduce", verb_reduce, "drop from a finding's program what is not needed"},
	{"fuzz", verb_fuzz, "run an AFL++ campaign against this kernel, or guests'"},
	{"check", verb_check, "read a job file and print its plan, or what is wrong with it"},
	{"ops", verb_ops, "list the ops, their arguments, and which cannot run here and why"},
	{"caps", verb_caps, "list what this kernel, machine and user can do, and why not"},
	{"klog", verb_klog, "find the kernel's reports in a log"},
	{"findings", verb_findings, "list, show, mark and merge what was found over all runs"},
	{"export-c", verb_export_c,
		"write a finding as one C file that needs no sunder, and as a mail"},
	{"report", verb_report,
		"show what the runs of a night or a fleet came to, as a page or as data"},
	{"restore", verb_restore, "undo what a killed run had changed on this machine"},
	{"status", verb_control, "tell what sunderd does on this machine"},
	{"start", verb_control, "have sunderd run a job or campaign next"},
	{"pause", verb_control, "have sunderd end what runs, and begin nothing"},
	{"resume", verb_control, "have sunderd go on"},
	{"stop", verb_control, "end sunderd"},
	{"tail", verb_control, "tell what happened to sunderd"},
	{"vm", verb_vm, "boot a kernel in QEMU and run a sunder command in it"},
};

static void usage(FILE *out)
{
	fputs("usage: sunder VERB [options]\n"
	      "Stresses the kernel's huge-page unmap, split, migrate and collapse paths, and "
	      "judges what it does.\n\n",
		out);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].help);
	fputs("\n'sunder VERB --help' says more. For a start: sunder run quick.job\n", out);
}

static int unknown(const char *word)
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;

	suggest_start(&s, word);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		suggest_try(&s, verbs[i].name);
	log_error("unknown %s \"%s\"%s (see 'sunder --help')", word[0] == '-' ? "option" : "verb",
		word, suggest_text(&s, hint));
	return EXIT_USAGE;
}

/* What a verb printed and could not be written is not a success. */
static int end(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	log_error("standard output cannot be written");
	return (int)exit_worse((enum run_exit)code, EXIT_USAGE);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return end(EXIT_CLEAN);
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("sunder " SUNDER_VERSION);
		return end(EXIT_CLEAN);
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return end(verbs[i].run(argc - 1, argv + 1));
	return unknown(argv[1]);
}
