/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder export-c: a finding as one C file, and as a mail. */
#include "main.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "filing.h"
#include "finding/export.h"
#include "subject.h"
#include "sys/ledger.h"

static const char help[] =
	"usage: sunder export-c [options] FINDING|PROGRAM\n"
	"Writes one C file that does what the program does, without sunder: libc and pthreads "
	"only, "
	"for a mailing list.\n"
	"FINDING is a finding's directory, or a number of 'sunder findings', a title, or a part of "
	"one; PROGRAM a program file.\n"
	"\n"
	"  -o, --output FILE  the C file (standard output); with --mail the mail\n"
	"      --mail         writes the text of a mail about the finding instead\n"
	"      --file NAME    what the mail calls the C file (reproducer.c)\n"
	"      --store DIR    where findings are kept (/var/lib/sunder/findings)\n"
	"      --state DIR    where runs keep their state (/var/lib/sunder)\n"
	"  -h, --help\n"
	"\n"
	"With a finding and --output FILE.c, the mail is written to FILE.mail as well.\n"
	"exit: 0 done, 2 usage or error, 4 nothing of the program can be exported\n";

enum { OPT_MAIL = 256, OPT_FILE, OPT_STORE, OPT_STATE, TEXT_MAX = 1 << 20 };

static const struct option options[] = {
	{"output", required_argument, NULL, 'o'},
	{"mail", no_argument, NULL, OPT_MAIL},
	{"file", required_argument, NULL, OPT_FILE},
	{"store", required_argument, NULL, OPT_STORE},
	{"state", required_argument, NULL, OPT_STATE},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct request {
	const char *what, *output, *file, *store, *state;
	bool mail;
};

/* What is to be exported, and what its directory tells of it; all strings owned, NULL where nothing is. */
struct source {
	struct subject subject;
	char *kernel, *machine, *evidence, *knobs;
};

static void source_free(struct source *s)
{
	subject_free(&s->subject);
	free(s->kernel);
	free(s->machine);
	free(s->evidence);
	free(s->knobs);
}

/* ---- a finding's files ---- */

static char *read_in(const char *dir, const char *name)
{
	_cleanup_free_ char *path = NULL, *text = calloc(1, TEXT_MAX + 1);
	_cleanup_fclose_ FILE *f = NULL;
	size_t len;

	if (!text || asprintf(&path, "%s/%s", dir, name) < 0)
		return NULL;
	f = fopen(path, "re");
	len = f ? fread(text, 1, TEXT_MAX, f) : 0;
	return !f || ferror(f) || len == TEXT_MAX ? NULL : TAKE_PTR(text);
}

/* The rest of the line that begins with `word` and spaces. */
static char *line_of(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p += p != NULL) {
		if (strncmp(p, word, len) != 0 || p[len] != ' ')
			continue;
		p += len + strspn(p + len, " ");
		return strndup(p, strcspn(p, "\n"));
	}
	return NULL;
}

/* The lines between two headings. */
static char *section_of(const char *text, const char *from, const char *to)
{
	const char *at = text ? strstr(text, from) : NULL, *end;

	if (!at)
		return NULL;
	at += strlen(from);
	end = to ? strstr(at, to) : NULL;
	return end ? strndup(at, (size_t)(end - at)) : strdup(at);
}

/* What the run that found it has written beside the program. */
static void take_report(struct source *s, const char *dir)
{
	_cleanup_free_ char *report = read_in(dir, "report.txt");
	_cleanup_free_ char *context = read_in(dir, "context.txt");

	s->knobs = section_of(context, "== knobs\n", "\n==");
	if (!report)
		return;
	s->kernel = line_of(report, "kernel");
	s->machine = line_of(report, "machine");
	s->evidence = section_of(report, "\nEvidence:\n\n", NULL);
}

static int take(struct source *s, const struct request *q)
{
	char state[256], store[320];
	struct stat st;
	int r = ledger_default_dir(q->state, ".", state, sizeof(state));

	if (r < 0)
		return r;
	filing_dir(q->store, state, store, sizeof(store));
	r = subject_load(q->what, store, &s->subject);
	if (r == 0 && stat(q->what, &st) == 0 && S_ISDIR(st.st_mode))
		take_report(s, q->what);
	return r;
}

/* ---- writing ---- */

/* To a file by temporary name, or to standard output. */
static int publish(const char *path, const char *text, size_t len)
{
	int r;

	if (!path)
		return fwrite(text, 1, len, stdout) == len ? 0 : -EIO;
	r = path_publish(path, text, len);
	if (r < 0)
		log_error("%s: %s", path, strerror(-r));
	return r;
}

static int write_mail(const struct source *s, const char *path, const char *file)
{
	_cleanup_free_ char *text = NULL, *often = NULL;
	const struct subject *about = &s->subject;
	struct export_mail m = {.title = about->title,
		.kernel = s->kernel ? s->kernel : about->kernel,
		.machine = s->machine,
		.evidence = s->evidence ? s->evidence : about->evidence,
		.knobs = s->knobs,
		.file = file};
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r;

	if (!f)
		return -ENOMEM;
	if (about->count && asprintf(&often, "%" PRIu64 " time%s in %" PRIu64 " run%s",
				    about->count, about->count == 1 ? "" : "s", about->runs,
				    about->runs == 1 ? "" : "s") >= 0)
		m.how_often = often;
	r = export_mail(&m, f);
	if (fclose(f) != 0)
		r = -ENOMEM;
	return r < 0 ? r : publish(path, text, len);
}

/* Of a finding that no lane made, the program of the last crew when it was noticed. */
static int write_c(const struct source *s, const char *path, struct export_told *told)
{
	const struct subject_program *p = &s->subject.program[s->subject.nprograms - 1];
	_cleanup_free_ char *text = NULL;
	struct machine m;
	size_t len = 0;
	FILE *f;
	int r = machine_probe(&m);

	if (r < 0)
		return r;
	f = open_memstream(&text, &len);
	r = f ? export_c(p->program, &m, s->subject.title, &p->around, f, told) : -ENOMEM;
	if (f && fclose(f) != 0)
		r = -ENOMEM;
	machine_free(&m);
	return r < 0 ? r : publish(path, text, len);
}

/* FILE.mail of FILE.c */
static char *mail_path(const char *output)
{
	size_t len = strlen(output);
	char *path;

	if (len > 2 && strcmp(output + len - 2, ".c") == 0)
		len -= 2;
	return asprintf(&path, "%.*s.mail", (int)len, output) < 0 ? NULL : path;
}

static const char *base_of(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

static int export_all(const struct source *s, const struct request *q)
{
	_cleanup_free_ char *mail = q->output ? mail_path(q->output) : NULL;
	struct export_told told = {0};
	int r;

	if (q->mail)
		return write_mail(s, q->output, q->file ? q->file : "reproducer.c");
	r = write_c(s, q->output, &told);
	if (told.left_out)
		log_warn("not in the C file, because they take more than a system call: %s",
			told.names);
	if (r == 0 && s->subject.is_finding && mail)
		r = write_mail(s, mail, q->file ? q->file : base_of(q->output));
	return r;
}

/* ---- the verb ---- */

static int parse(int argc, char **argv, struct request *q)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		switch (opt) {
		case 'o':
			q->output = optarg;
			break;
		case OPT_MAIL:
			q->mail = true;
			break;
		case OPT_FILE:
			q->file = optarg;
			break;
		case OPT_STORE:
			q->store = optarg;
			break;
		case OPT_STATE:
			q->state = optarg;
			break;
		case 'h':
			return 1;
		default:
			return -EINVAL;
		}
	}
	return 0;
}

int verb_export_c(int argc, char **argv)
{
	struct request q = {0};
	struct source s = {0};
	int r = parse(argc, argv, &q);

	if (r > 0)
		fputs(help, stdout);
	if (r)
		return r > 0 ? EXIT_CLEAN : EXIT_USAGE;
	if (optind + 1 != argc) {
		log_error("export-c: which finding or program? Name one (see 'sunder export-c "
			  "--help')");
		return EXIT_USAGE;
	}
	q.what = argv[optind];
	r = take(&s, &q);
	if (r == 0 && q.mail && !s.subject.is_finding) {
		log_error("--mail: %.300s is a program, not a finding", q.what);
		r = -EINVAL;
	}
	if (r == 0) {
		r = export_all(&s, &q);
		if (r == -ENODATA)
			log_error("nothing of the program can be exported");
	}
	source_free(&s);
	return r == 0 ? EXIT_CLEAN : r == -ENODATA ? EXIT_NOTHING : EXIT_USAGE;
}
