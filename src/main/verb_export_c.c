/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunder export-c: a finding as one C file, and as a mail. */
#include "main.h"

#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "filing.h"
#include "finding/export.h"
#include "finding/store.h"
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

/* What is known of what is to be exported; all strings owned, NULL where nothing is. */
struct source {
	char *name, *program; /* the program's file and text */
	char *title, *kernel, *machine, *evidence, *knobs;
	uint64_t count, runs;
	bool is_finding;
};

static void source_free(struct source *s)
{
	free(s->name);
	free(s->program);
	free(s->title);
	free(s->kernel);
	free(s->machine);
	free(s->evidence);
	free(s->knobs);
}

/* ---- a finding's files ---- */

static char *read_text(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *text = f ? calloc(1, TEXT_MAX + 1) : NULL;
	size_t len = text ? fread(text, 1, TEXT_MAX, f) : 0;

	if (!text || ferror(f) || len == TEXT_MAX || strlen(text) != len)
		return NULL;
	return TAKE_PTR(text);
}

static char *read_in(const char *dir, const char *name)
{
	_cleanup_free_ char *path = NULL;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : read_text(path);
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

static bool take_program(struct source *s, const char *path)
{
	s->program = read_text(path);
	s->name = s->program ? strdup(path) : NULL;
	return s->program != NULL;
}

/* The program of the round, or of a finding that no lane made, of the first crew that has one. */
static int take_program_of(struct source *s, const char *dir)
{
	_cleanup_free_ char *pattern = NULL;
	glob_t g;
	int r = -ENOENT;

	if (asprintf(&pattern, "%s/program*.txt", dir) < 0)
		return -ENOMEM;
	if (glob(pattern, 0, NULL, &g) == 0) {
		/* program-crew0.txt sorts before program.txt, and program-crew0-1.txt before both */
		for (size_t i = g.gl_pathc; i-- > 0 && r < 0;)
			if (take_program(s, g.gl_pathv[i]))
				r = 0;
		globfree(&g);
	}
	if (r < 0)
		log_error("%s: a directory, but not one of a finding with its program", dir);
	return r;
}

static void take_count(struct source *s, const char *dir)
{
	_cleanup_free_ char *path = NULL;
	json_t *j;

	if (asprintf(&path, "%s/finding.json", dir) < 0)
		return;
	j = json_load_file(path, 0, NULL);
	s->count = (uint64_t)json_integer_value(json_object_get(j, "count"));
	s->runs = 1;
	json_decref(j);
}

static int take_dir(struct source *s, const char *dir)
{
	_cleanup_free_ char *report = read_in(dir, "report.txt");
	_cleanup_free_ char *context = read_in(dir, "context.txt");
	int r = take_program_of(s, dir);

	if (r < 0)
		return r;
	s->is_finding = true;
	take_count(s, dir);
	s->knobs = section_of(context, "== knobs\n", "\n==");
	if (!report)
		return 0;
	s->title = strndup(report, strcspn(report, "\n"));
	s->kernel = line_of(report, "kernel");
	s->machine = line_of(report, "machine");
	s->evidence = section_of(report, "\nEvidence:\n\n", NULL);
	return 0;
}

/* ---- the store ---- */

/* The machine's name is nobody's business: only what it is, from the run's own files where they are still there. */
static int take_sight(void *arg, const struct store_sight *x)
{
	struct source *s = arg;

	s->count += x->count;
	s->runs++;
	if (s->program || !*x->program)
		return 0;
	s->program = strdup(x->program);
	s->name = strdup("program.txt");
	s->title = strdup(x->title);
	s->kernel = strdup(x->kernel);
	s->evidence = strdup(x->evidence);
	return 0;
}

static int take_from_store(struct source *s, const struct request *q)
{
	char err[STORE_ERR_MAX], state[256], dir[320];
	struct store *store;
	int64_t id;
	int r = ledger_default_dir(q->state, ".", state, sizeof(state));

	if (r < 0)
		return r;
	filing_dir(q->store, state, dir, sizeof(dir));
	if (access(dir, R_OK) < 0) {
		log_error("%.300s: no such file, and no findings in %s", q->what, dir);
		return -ENOENT;
	}
	r = store_open(dir, &store, err);
	if (r < 0) {
		log_error("%s", err);
		return r;
	}
	r = store_find(store, q->what, &id);
	if (r == 0)
		r = store_each_sight(store, id, take_sight, s);
	store_close(store);
	if (r == -EEXIST)
		log_error("%.300s: several findings have that in their title", q->what);
	else if (r < 0 || !s->program)
		log_error("%.300s: %s", q->what,
			r == 0 ? "the store has no program of it" : "no such file or finding");
	s->is_finding = true;
	return r < 0 ? r : s->program ? 0 : -ENOENT;
}

static int take(struct source *s, const struct request *q)
{
	struct stat st;

	if (stat(q->what, &st) < 0)
		return take_from_store(s, q);
	if (S_ISDIR(st.st_mode))
		return take_dir(s, q->what);
	if (take_program(s, q->what))
		return 0;
	log_error("%.300s: cannot be read, or is no text", q->what);
	return -EINVAL;
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
	struct export_mail m = {.title = s->title,
		.kernel = s->kernel,
		.machine = s->machine,
		.evidence = s->evidence,
		.knobs = s->knobs,
		.file = file};
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r;

	if (!f)
		return -ENOMEM;
	if (s->count && asprintf(&often, "%" PRIu64 " time%s in %" PRIu64 " run%s", s->count,
				s->count == 1 ? "" : "s", s->runs, s->runs == 1 ? "" : "s") >= 0)
		m.how_often = often;
	r = export_mail(&m, f);
	if (fclose(f) != 0)
		r = -ENOMEM;
	return r < 0 ? r : publish(path, text, len);
}

static int write_c(const struct source *s, const char *path, struct export_told *told)
{
	_cleanup_free_ struct program *p = calloc(1, sizeof(*p));
	_cleanup_free_ char *text = NULL;
	char err[512] = "";
	struct plan_around around = {0};
	struct machine m;
	size_t len = 0;
	FILE *f;
	int r = p ? program_parse(p, s->name, s->program, strlen(s->program), err, sizeof(err))
		  : -ENOMEM;

	if (r == 0)
		r = plan_parse_around(s->name, s->program, &around, err, sizeof(err));
	if (r < 0) {
		log_error("%s", err[0] ? err : strerror(-r));
		return r;
	}
	r = machine_probe(&m);
	if (r < 0)
		return r;
	f = open_memstream(&text, &len);
	r = f ? export_c(p, &m, s->title, &around, f, told) : -ENOMEM;
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
	if (r == 0 && s->is_finding && mail)
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
	if (r == 0 && q.mail && !s.is_finding) {
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
