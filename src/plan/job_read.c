/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads job files. inih cuts lines into keys and values; what it does not do is done in its
 * reader: places, sections (inih tells nothing of one without keys, ignores what follows the
 * bracket and cuts long names), `include`, ${VAR}, and bytes that are no text.
 */
#include "job.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "plan/line.h"
#include "plan/suggest.h"

enum { LINE_BYTES = 8192, LINES_MAX = 1000000 };

struct source {
	struct job *job;
	FILE *in;
	const char *name;
	unsigned int line;
	bool pending; /* inih has a line and has not found a key in it */
};

struct job_text {
	struct job_text *next;
	char text[];
};

static int include(struct job *j, const char *file);

/* ---- errors and memory ---- */

int job_wrong_at(struct job *j, const struct job_place *at, const char *fmt, ...)
{
	size_t n = 0;
	va_list ap;

	if (j->error)
		return j->error;
	j->error = -EINVAL;
	if (at && at->line)
		n = (size_t)snprintf(j->err, j->err_size, "%s:%u: ", at->file, at->line);
	if (n >= j->err_size)
		return j->error;
	va_start(ap, fmt);
	vsnprintf(j->err + n, j->err_size - n, fmt, ap);
	va_end(ap);
	return j->error;
}

char *job_keep(struct job *j, const char *text)
{
	size_t len = strlen(text);
	struct job_text *t = malloc(sizeof(*t) + len + 1);

	if (!t) {
		job_wrong(j, "no memory");
		j->error = -ENOMEM;
		return NULL;
	}
	memcpy(t->text, text, len + 1);
	t->next = j->texts;
	j->texts = t;
	return t->text;
}

void job_release(struct job *j)
{
	struct job_text *t = j->texts;

	while (t) {
		struct job_text *next = t->next;

		free(t);
		t = next;
	}
	j->texts = NULL;
	free(j->lane);
	j->lane = NULL;
}

/* ---- lines ---- */

/* The next line without its end, in buf (LINE_BYTES); its length, or -1 at the end of the file. */
static long raw_line(struct source *s, char *buf)
{
	long len = 0;
	int c;

	while ((c = getc_unlocked(s->in)) != EOF && c != '\n') {
		if (len == LINE_BYTES - 1) {
			job_wrong(s->job, "the line is longer than %d bytes", LINE_BYTES - 1);
			return -1;
		}
		buf[len++] = (char)c;
	}
	if (c == EOF && ferror(s->in)) {
		job_wrong(s->job, "%s", strerror(errno));
		return -1;
	}
	if (c == EOF && !len)
		return -1;
	if (len && buf[len - 1] == '\r')
		len--;
	buf[len] = '\0';
	return len;
}

/* Replaces ${NAME} in line by the environment's value, into out (LINE_BYTES). */
static int expand(struct job *j, const char *line, char *out)
{
	size_t n = 0;

	while (*line) {
		const char *value = line, *end;
		size_t len = 1;

		if (line[0] == '$' && line[1] == '{') {
			char name[128];

			end = strchr(line, '}');
			len = end ? (size_t)(end - line - 2) : 0;
			if (!end || !len || len >= sizeof(name))
				return job_wrong(j, "\"${\" is not followed by NAME}");
			memcpy(name, line + 2, len);
			name[len] = '\0';
			value = getenv(name);
			if (!value)
				return job_wrong(j, "the environment has no variable %s", name);
			len = strlen(value);
			line = end;
		}
		if (len >= LINE_BYTES - n)
			return job_wrong(j, "the line is longer than %d bytes", LINE_BYTES - 1);
		memcpy(out + n, value, len);
		n += len;
		line++;
	}
	out[n] = '\0';
	return 0;
}

/* A line of the file made into what is to be parsed, in out: "" for one that says nothing. */
static int clean_line(struct source *s, char *raw, size_t len, char *out)
{
	struct job *j = s->job;
	char *text = raw;
	const char *why;
	int r;

	if (s->line == 1 && len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	why = line_wrong(text, len);
	if (why)
		return job_wrong(j, "%s", why);
	text += strspn(text, " \t");
	out[0] = '\0';
	if (*text == '#' || *text == ';')
		return 0;
	r = expand(j, text, out);
	why = r == 0 ? line_wrong(out, strlen(out)) : NULL;
	return why ? job_wrong(j, "after ${...}: %s", why) : r;
}

/* ---- sections ---- */

static int open_global(struct job *j, const char *name)
{
	if (*name)
		return job_wrong(j, "[global] takes no name");
	if (j->seen_global && j->depth == 1)
		return job_wrong(j, "a second [global]");
	if (j->depth == 1)
		j->seen_global = true;
	j->section = "global";
	j->current = &j->global;
	j->current_at = j->global.at;
	return 0;
}

static int open_slot(struct job *j, const char *name)
{
	struct job_slot *s = &j->slot[j->nslots];

	if (!program_name_valid(name))
		return job_wrong(j, "a slot's name is 1 to 15 of a-z, 0-9 and _, and does not "
				    "begin with a digit");
	for (unsigned int i = 0; i < j->nslots; i++)
		if (strcmp(j->slot[i].spec.name, name) == 0)
			return job_wrong(j, "a second [slot %s]; the first is at %s:%u", name,
				j->slot[i].place.file, j->slot[i].place.line);
	if (j->nslots == SLOT_MAX)
		return job_wrong(j, "more than %d slots", SLOT_MAX);
	strcpy(s->spec.name, name);
	s->spec.maps = 1;
	s->place = j->here;
	j->nslots++;
	j->section = "slot";
	j->current = s;
	j->current_at = s->at;
	return 0;
}

static int open_lane(struct job *j, const char *name)
{
	struct job_lane *l = &j->lane[j->nlanes];

	if (!program_name_valid(name))
		return job_wrong(j, "a lane's name is 1 to 15 of a-z, 0-9 and _, and does not "
				    "begin with a digit");
	for (unsigned int i = 0; i < j->nlanes; i++)
		if (strcmp(j->lane[i].name, name) == 0)
			return job_wrong(j,
				"a second [lane %s]; the first is at %s:%u (count = N makes more "
				"of one)",
				name, j->lane[i].place.file, j->lane[i].place.line);
	if (j->nlanes == JOB_MAX_LANES)
		return job_wrong(j, "more than %d lane sections (count = N makes more of one)",
			JOB_MAX_LANES);
	strcpy(l->name, name);
	l->count = 1;
	l->depth = 8;
	l->offset_ns = 50000;
	l->place = j->here;
	j->nlanes++;
	j->section = "lane";
	j->current = l;
	j->current_at = l->at;
	return 0;
}

static int open_section(struct job *j, char *line)
{
	char *inside = line + 1, *rest = line_cut(inside, ']'), *kind, *name,
	     hint[SUGGEST_TEXT_MAX];
	struct suggest s;

	if (rest)
		rest += strspn(rest, " \t");
	if (!rest || (*rest && *rest != ';' && *rest != '#'))
		return job_wrong(j, "a section is written [global], [slot NAME] or [lane NAME]");
	kind = line_word(&inside, "");
	if (!kind)
		return job_wrong(j, "a section is written [global], [slot NAME] or [lane NAME]");
	name = line_word(&inside, "");
	if (line_word(&inside, ""))
		return job_wrong(j, "a section's name is one word");
	if (strcmp(kind, "global") == 0)
		return open_global(j, name ? name : "");
	if (strcmp(kind, "slot") == 0)
		return open_slot(j, name ? name : "");
	if (strcmp(kind, "lane") == 0)
		return open_lane(j, name ? name : "");
	suggest_start(&s, kind);
	suggest_try(&s, "global");
	suggest_try(&s, "slot");
	suggest_try(&s, "lane");
	return job_wrong(j, "there is no section [%.40s]%s", kind, suggest_text(&s, hint));
}

/* ---- what inih calls ---- */

/* True if the line was an `include FILE`, a section or nothing: not for inih. */
static bool taken_here(struct job *j, char *line)
{
	if (!*line)
		return true;
	if (*line == '[') {
		open_section(j, line);
		return true;
	}
	if (strncmp(line, "include", 7) == 0 && isspace((unsigned char)line[7]) &&
		!strpbrk(line, "=:")) {
		char *cursor = line + 7, *file = line_word(&cursor, "");

		if (!file || line_word(&cursor, ""))
			job_wrong(j, "include takes one file");
		else
			include(j, file);
		return true;
	}
	return false;
}

static void check_pending(struct source *s)
{
	if (s->pending)
		job_wrong(s->job, "KEY = VALUE is expected");
	s->pending = false;
}

static char *read_line(char *str, int num, void *stream)
{
	char raw[LINE_BYTES], line[LINE_BYTES];
	struct source *s = stream;
	struct job *j = s->job;

	check_pending(s);
	while (!j->error) {
		long len;

		j->here = (struct job_place){s->name, s->line + 1};
		len = raw_line(s, raw);
		if (len < 0)
			return NULL;
		if (++s->line > LINES_MAX)
			job_wrong(j, "more than %d lines", LINES_MAX);
		if (clean_line(s, raw, (size_t)len, line) < 0 || taken_here(j, line))
			continue;
		if (strlen(line) + 2 > (size_t)num) {
			job_wrong(j, "the line is longer than %d bytes", num - 2);
			continue;
		}
		s->pending = true;
		return strcpy(str, line);
	}
	return NULL;
}

static int on_key(void *user, const char *section, const char *key, const char *value)
{
	struct source *s = user;

	(void)section;
	s->pending = false;
	if (s->job->error)
		return 1;
	if (strcmp(key, "include") == 0)
		include(s->job, value);
	else
		job_set(s->job, key, value);
	return 1;
}

/*
 * Errors are kept in the job, so that inih's own code says nothing more than that it had no
 * memory.
 */
static int parse_stream(struct job *j, FILE *in, const char *name)
{
	struct source s = {.job = j, .in = in, .name = name};
	struct job_place here = j->here;

	ini_max_line = LINE_BYTES + 2;
	ini_initial_alloc = LINE_BYTES + 2;
	ini_use_stack = false;
	ini_allow_multiline = false;
	ini_inline_comment_prefixes = (char *)";#";
	if (ini_parse_stream(read_line, &s, on_key, &s) == -2) {
		job_wrong(j, "no memory");
		j->error = -ENOMEM;
	}
	if (!j->error)
		j->here = here;
	return j->error;
}

/* ---- files ---- */

static int open_job_file(const char *file, bool included, FILE **ret)
{
	_cleanup_close_ int fd =
		open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | (included ? O_NONBLOCK : 0));
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode) && (included || !S_ISFIFO(st.st_mode)))
		return -EINVAL;
	*ret = fdopen(fd, "re");
	if (!*ret)
		return -errno;
	(void)TAKE_FD(fd);
	return 0;
}

int job_path(struct job *j, const char *file, char *buf, size_t size)
{
	const char *slash = strrchr(j->here.file, '/');
	int dir = slash && *file != '/' ? (int)(slash - j->here.file) + 1 : 0;

	if ((size_t)snprintf(buf, size, "%.*s%s", dir, j->here.file, file) >= size)
		return job_wrong(j, "the path is too long");
	return 0;
}

static int include(struct job *j, const char *file)
{
	const char *section = j->section;
	struct job_place *current_at = j->current_at;
	_cleanup_fclose_ FILE *in = NULL;
	void *current = j->current;
	char path[4096], *name;
	int r;

	if (!*file)
		return job_wrong(j, "include takes one file");
	if (j->depth == JOB_MAX_DEPTH)
		return job_wrong(j, "include: more than %d files deep", JOB_MAX_DEPTH);
	r = job_path(j, file, path, sizeof(path));
	if (r < 0)
		return r;
	r = open_job_file(path, true, &in);
	if (r < 0)
		return job_wrong(
			j, "include %.200s: %s", path, r == -EINVAL ? "not a file" : strerror(-r));
	name = job_keep(j, path);
	if (!name)
		return j->error;
	j->depth++;
	j->section = NULL;
	r = parse_stream(j, in, name);
	j->depth--;
	j->section = section;
	j->current = current;
	j->current_at = current_at;
	return r;
}

static int open_top(struct job *j, const char *file, const char *text, size_t len, FILE **ret)
{
	int r = 0;

	if (!text)
		r = open_job_file(file, false, ret);
	else if (len)
		*ret = fmemopen((void *)text, len, "r");
	if (r == 0 && text && len && !*ret)
		r = -errno;
	if (r == 0)
		return 0;
	job_wrong_at(j, NULL, "%s: %s", file, r == -EINVAL ? "not a file" : strerror(-r));
	j->error = r;
	return r;
}

int job_read(struct job *j, const char *file, const char *text, size_t len)
{
	_cleanup_fclose_ FILE *in = NULL;
	char *name = job_keep(j, file);
	int r;

	j->global = (struct job_global){.stall_ns = 60000000000ULL,
		.rest_ns = REST_AUTO,
		.epoch = 64,
		.meet_percent = 50,
		.oracles = UINT64_MAX,
		.slice_ns = 10000000000ULL};
	j->lane = calloc(JOB_MAX_LANES, sizeof(*j->lane));
	if (!name || !j->lane)
		return j->error = -ENOMEM;
	r = open_top(j, file, text, len, &in);
	if (r < 0 || !in)
		return r;
	j->depth = 1;
	return parse_stream(j, in, name);
}
