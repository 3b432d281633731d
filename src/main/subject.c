/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "subject.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "finding/store.h"

enum { PROGRAM_TEXT_MAX = 1 << 20 };

void subject_free(struct subject *s)
{
	for (unsigned int i = 0; i < s->nprograms; i++) {
		free(s->program[i].name);
		free(s->program[i].program);
	}
	free(s->title);
	free(s->alt);
	free(s->oracle);
	free(s->kernel);
	free(s->evidence);
	memset(s, 0, sizeof(*s));
}

/* ---- titles ---- */

/* How much of a title counts: where a stuck thread was found is not always the same place. */
static size_t fixed_part(const char *title)
{
	const char *at = strncmp(title, "progress: ", 10) == 0 ? strstr(title, " stuck in ") : NULL;

	return at ? (size_t)(at - title) : strlen(title);
}

/* Numbers in titles (addresses, sizes, pids) may differ. */
static bool same_title(const char *a, size_t alen, const char *b)
{
	const char *aend = a + alen, *bend = b + fixed_part(b);

	while (a < aend && b < bend) {
		if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
			while (a < aend && isxdigit((unsigned char)*a))
				a++;
			while (b < bend && isxdigit((unsigned char)*b))
				b++;
		} else if (*a++ != *b++) {
			return false;
		}
	}
	return a == aend && b == bend;
}

bool subject_is(const struct subject *s, const char *title)
{
	if (!s->title || same_title(s->title, fixed_part(s->title), title))
		return true;
	for (const char *p = s->alt; p && *p;) {
		size_t len = strcspn(p, "\n");

		if (len && same_title(p, len, title))
			return true;
		p += len + (p[len] == '\n');
	}
	return false;
}

/* ---- programs ---- */

static char *read_text(const char *file)
{
	_cleanup_fclose_ FILE *f = fopen(file, "re");
	_cleanup_free_ char *text = calloc(1, PROGRAM_TEXT_MAX + 1);
	size_t len;

	if (!f || !text) {
		log_error("%s: %s", file, strerror(errno));
		return NULL;
	}
	len = fread(text, 1, PROGRAM_TEXT_MAX, f);
	if (ferror(f) || len == PROGRAM_TEXT_MAX) {
		log_error("%s: %s", file, ferror(f) ? strerror(errno) : "longer than any program");
		return NULL;
	}
	if (strlen(text) != len) {
		log_error("%s: not a text", file);
		return NULL;
	}
	return TAKE_PTR(text);
}

int subject_parse_program(const char *name, const char *text, struct subject_program *ret)
{
	_cleanup_free_ struct program *program = calloc(1, sizeof(*program));
	char err[512] = "";
	int r = program ? program_parse(program, name, text, strlen(text), err, sizeof(err))
			: -ENOMEM;

	if (r == 0)
		r = plan_parse_around(name, text, &ret->around, err, sizeof(err));
	if (r < 0) {
		log_error("%s", err[0] ? err : strerror(-r));
		return r;
	}
	ret->name = strdup(name);
	ret->program = TAKE_PTR(program);
	return 0;
}

int subject_load_program(const char *file, struct subject_program *ret)
{
	_cleanup_free_ char *text = read_text(file);

	return text ? subject_parse_program(file, text, ret) : -EINVAL;
}

char *subject_program_text(const struct program *p, const struct plan_around *a)
{
	struct plan about = {
		.nknobs = a->nknobs, .npools = a->npools, .epoch_rounds = a->epoch_rounds};
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r;

	if (!f)
		return NULL;
	memcpy(about.knob, a->knob, sizeof(about.knob));
	memcpy(about.pool, a->pool, sizeof(about.pool));
	plan_print_around(&about, f);
	r = program_print(p, f);
	if (fclose(f) == 0 && r == 0)
		return text;
	free(text);
	return NULL;
}

static int add_program(struct subject *s, const char *name, const char *text)
{
	int r;

	if (s->nprograms == SUBJECT_MAX_PROGRAMS)
		return 0;
	r = subject_parse_program(name, text, &s->program[s->nprograms]);
	s->nprograms += r == 0;
	return r;
}

/* ---- directories ---- */

static void take_names(struct subject *s, json_t *j)
{
	const char *title = json_string_value(json_object_get(j, "title")),
		   *oracle = json_string_value(json_object_get(j, "oracle"));
	json_t *alt = json_object_get(j, "alt"), *one;
	char *text = NULL;
	size_t len = 0, i;
	FILE *f;

	if (s->title || !title)
		return;
	s->count = (uint64_t)json_integer_value(json_object_get(j, "count"));
	s->title = strdup(title);
	s->oracle = strdup(oracle ? oracle : "");
	if (json_is_string(json_object_get(j, "evidence")))
		s->evidence = strdup(json_string_value(json_object_get(j, "evidence")));
	if (json_is_string(alt)) { /* as the store has it */
		s->alt = strdup(json_string_value(alt));
		return;
	}
	f = open_memstream(&text, &len);
	if (!f)
		return;
	json_array_foreach(alt, i, one)
		fprintf(f, "%s%s", i ? "\n" : "", json_string_value(one) ?: "");
	if (fclose(f) == 0)
		s->alt = text;
}

/* All that match DIR/PATTERN, through `each`. */
static void each_file(const char *dir, const char *pattern,
	void (*each)(struct subject *s, const char *path), struct subject *s)
{
	_cleanup_free_ char *all = NULL;
	glob_t g;

	if (asprintf(&all, "%s/%s", dir, pattern) < 0)
		return;
	if (glob(all, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			each(s, g.gl_pathv[i]);
		globfree(&g);
	}
}

static void take_json(struct subject *s, const char *path)
{
	json_t *j = json_load_file(path, 0, NULL);

	take_names(s, j);
	json_decref(j);
}

static void take_program_file(struct subject *s, const char *path)
{
	_cleanup_free_ char *text = read_text(path);

	if (text)
		add_program(s, path, text);
}

/* The one of the round in which it was seen is the likeliest. */
static void take_programs(struct subject *s, const char *dir)
{
	each_file(dir, "program.txt", take_program_file, s);
	each_file(dir, "program-*.txt", take_program_file, s);
}

static bool has_program(const struct subject *s, const struct program *p)
{
	for (unsigned int i = 0; i < s->nprograms; i++)
		if (program_equal(s->program[i].program, p))
			return true;
	return false;
}

/*
 * A finding of a run that died with its kernel (recover.c) has the last rounds of all crews in its evidence, "# crew N, round N" before each:
 * any of them may have been the one. All have what is around the likeliest, which comes first.
 */
static void take_last_rounds(struct subject *s)
{
	const char *p =
		s->evidence ? strstr(s->evidence, "\nprograms of the last rounds:\n") : NULL;

	p = p && s->nprograms ? strstr(p, "\n# crew ") : NULL;
	while (p && s->nprograms < SUBJECT_MAX_PROGRAMS) {
		const char *next = strstr(p + 1, "\n# crew ");
		_cleanup_free_ char *text = next ? strndup(p + 1, (size_t)(next - p))
						 : strdup(p + 1),
				    *name = text ? strndup(text + 2, strcspn(text + 2, "\n"))
						 : NULL;
		struct subject_program *to = &s->program[s->nprograms];

		p = next;
		if (!name || subject_parse_program(name, text, to) < 0)
			continue;
		to->around = s->program[0].around;
		if (has_program(s, to->program)) {
			free(to->name);
			free(to->program);
			continue;
		}
		s->nprograms++;
	}
}

static int take_dir(struct subject *s, const char *dir)
{
	s->is_finding = true;
	s->runs = 1;
	each_file(dir, "finding.json", take_json, s);
	each_file(dir, "run-*.json", take_json, s);
	take_programs(s, dir);
	take_last_rounds(s);
	if (s->nprograms)
		return 0;
	log_error("%s: a directory, but not one of a finding with its program", dir);
	return -EISDIR;
}

/* ---- the store ---- */

/* The run's own directory of it, where that is still there: it may have more programs than the store. */
static void take_finding_of_run(struct subject *s, const char *path)
{
	json_t *j = json_load_file(path, 0, NULL);
	const char *title = json_string_value(json_object_get(j, "title"));

	if (title && strcmp(title, s->title) == 0 && !s->nprograms) {
		_cleanup_free_ char *dir = strdup(path);

		*strrchr(dir, '/') = '\0';
		take_programs(s, dir);
	}
	json_decref(j);
}

static int take_sight(void *arg, const struct store_sight *x)
{
	struct subject *s = arg;

	if (!s->title) {
		s->title = strdup(x->title);
		s->alt = strdup(x->alt);
		s->oracle = strdup(x->oracle);
		s->kernel = strdup(x->kernel);
		s->evidence = strdup(x->evidence);
	}
	s->count += x->count;
	s->runs++;
	if (*x->program && !s->nprograms)
		add_program(s, x->run, x->program);
	if (!s->nprograms && *x->output)
		each_file(x->output, "findings/*/finding.json", take_finding_of_run, s);
	return 0;
}

static int take_from_store(struct subject *s, const char *what, const char *dir)
{
	_cleanup_free_ char *db = NULL;
	char err[STORE_ERR_MAX];
	struct store *store;
	int64_t id;
	int r;

	s->is_finding = true;
	if (asprintf(&db, "%s/findings.db", dir) < 0)
		return -ENOMEM;
	if (access(db, R_OK) < 0) {
		log_error("%.300s: No such file or finding (there is no such file, and no store of "
			  "findings in %s)",
			what, dir);
		return -ENOENT;
	}
	r = store_open(dir, &store, err);
	if (r < 0) {
		log_error("%s", err);
		return r;
	}
	r = store_find(store, what, &id);
	if (r == 0)
		r = store_each_sight(store, id, take_sight, s);
	store_close(store);
	if (r == -ENOENT || r == -EEXIST)
		log_error("%.300s: %s (see 'sunder findings')", what,
			r == -ENOENT ? "No such file or finding"
				     : "several findings have that in their title");
	else if (r < 0)
		log_error("%s: %s", dir, strerror(-r));
	else if (s->nprograms)
		take_last_rounds(s);
	else
		log_error("%.300s: neither the store nor the run's directory has a program of it",
			what);
	return r < 0 ? r : s->nprograms ? 0 : -ENOENT;
}

void subject_add_afresh(struct subject *s)
{
	for (unsigned int i = 0, n = s->nprograms; i < n; i++) {
		struct subject_program *from = &s->program[i], *to = &s->program[s->nprograms];

		if (from->around.epoch_rounds == 1 || s->nprograms == SUBJECT_MAX_PROGRAMS)
			continue;
		*to = (struct subject_program){.around = from->around};
		to->around.epoch_rounds = 1;
		to->program = malloc(sizeof(*to->program));
		if (!to->program ||
			asprintf(&to->name, "%s, all mapped anew each round", from->name) < 0) {
			free(to->program);
			return;
		}
		*to->program = *from->program;
		s->nprograms++;
	}
}

int subject_load(const char *what, const char *store_dir, struct subject *ret)
{
	struct subject s = {0};
	struct stat st;
	int r;

	if (stat(what, &st) < 0) {
		r = errno;
		if (r == ENOENT && *what && !strchr(what, '/')) {
			r = take_from_store(&s, what, store_dir);
		} else {
			log_error("%.300s: %s", what, strerror(r));
			r = -r;
		}
	} else if (S_ISDIR(st.st_mode)) {
		r = take_dir(&s, what);
	} else {
		r = subject_load_program(what, &s.program[0]);
		s.nprograms = r == 0;
	}
	if (r < 0) {
		subject_free(&s);
		return r;
	}
	*ret = s;
	return 0;
}
