/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --coverage: the harnesses of a campaign write which places of each function of mm/ their programs came to, "NAME TOTAL:
 * OFFSET,...; OFFSET,..." (reached; not reached; hexadecimal, of the instruction after the call that kcov puts there). All of them
 * together, and what is missing.
 */
#include "campaign.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

enum { PLACES_MAX = 4096, MISSING_SHOWN = 8, NAME_BYTES = 64 };

struct function {
	char name[NAME_BYTES];
	uint32_t *at; /* [n] ascending offsets << 1 | reached */
	unsigned int n, reached;
};

struct coverage {
	struct function *f; /* by name */
	size_t n, room;
};

/* Words of functions that huge pages have. */
static bool is_huge(const char *name)
{
	static const char *const words[] = {"huge", "thp", "pmd", "pud", "collapse", "khugepaged",
		"split_folio", "split_page", "migrate", "migration", "remove_migration",
		"try_to_unmap", "rmap", "deferred_split", "hugetlb", "memory_failure"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(name, words[i]))
			return true;
	return false;
}

static struct function *function_of(struct coverage *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->f[i].name, name) == 0)
			return &c->f[i];
	if (c->n == c->room) {
		struct function *more =
			realloc(c->f, (c->room = c->room ? 2 * c->room : 1024) * sizeof(*more));

		if (!more)
			return NULL;
		c->f = more;
	}
	memset(&c->f[c->n], 0, sizeof(c->f[0]));
	snprintf(c->f[c->n].name, NAME_BYTES, "%s", name);
	return &c->f[c->n++];
}

static int take_place(struct function *f, unsigned long offset, bool reached)
{
	uint32_t *more;

	for (unsigned int i = 0; i < f->n; i++) {
		if (f->at[i] >> 1 != offset)
			continue;
		f->reached += reached && !(f->at[i] & 1);
		f->at[i] |= reached;
		return 0;
	}
	if (f->n == PLACES_MAX || offset > INT32_MAX)
		return 0;
	more = realloc(f->at, (f->n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	f->at = more;
	f->at[f->n++] = (uint32_t)offset << 1 | reached;
	f->reached += reached;
	return 0;
}

/* "NAME: OFF OFF ...; OFF ..." */
static int take_line(struct coverage *c, char *line)
{
	char *p = strchr(line, ':'), *end;
	struct function *f;
	bool reached = true;
	int r = 0;

	if (*line == '#' || !p || p == line || p - line >= NAME_BYTES)
		return 0;
	*p++ = '\0';
	f = function_of(c, line);
	if (!f)
		return -ENOMEM;
	while (r == 0 && *p) {
		unsigned long offset;

		if (*p == ';')
			reached = false;
		if (*p == ';' || *p == ' ') {
			p++;
			continue;
		}
		offset = strtoul(p, &end, 16);
		if (end == p)
			break;
		p = end;
		r = take_place(f, offset, reached);
	}
	return r;
}

static int take_file(struct coverage *c, const char *path)
{
	size_t len;
	_cleanup_free_ char *text = (char *)corpus_slurp(path, &len);
	char *cursor = text, *line;
	int r = 0;

	while (text && r == 0 && (line = strsep(&cursor, "\n")))
		r = take_line(c, line);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct function *)a)->name, ((const struct function *)b)->name);
}

/* ---- telling ---- */

static void print_missing(const struct function *f, FILE *out)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < f->n; i++) {
		if (f->at[i] & 1)
			continue;
		if (n < MISSING_SHOWN)
			fprintf(out, " +0x%x", f->at[i] >> 1);
		n++;
	}
	if (n > MISSING_SHOWN)
		fprintf(out, " and %u more", n - MISSING_SHOWN);
}

static void print_text(const struct coverage *c, FILE *out)
{
	unsigned int places = 0, reached = 0, functions = 0, huge = 0, huge_reached = 0;

	for (size_t i = 0; i < c->n; i++) {
		places += c->f[i].n;
		reached += c->f[i].reached;
		functions += c->f[i].reached > 0;
		huge += is_huge(c->f[i].name);
		huge_reached += is_huge(c->f[i].name) && c->f[i].reached;
	}
	fprintf(out,
		"%u of %zu functions of mm were reached, %u of %u places in them; %u of the %u "
		"functions with huge pages in "
		"their name\n",
		functions, c->n, reached, places, huge_reached, huge);
	fputs("\nnever reached, huge pages:\n", out);
	for (size_t i = 0; i < c->n; i++)
		if (!c->f[i].reached && is_huge(c->f[i].name))
			fprintf(out, "  %-44s %4u places\n", c->f[i].name, c->f[i].n);
	fputs("\nreached in part, huge pages (function, reached, of; where it did not come to):\n",
		out);
	for (size_t i = 0; i < c->n; i++) {
		const struct function *f = &c->f[i];

		if (!f->reached || f->reached == f->n || !is_huge(f->name))
			continue;
		fprintf(out, "  %-44s %4u %4u ", f->name, f->reached, f->n);
		print_missing(f, out);
		fputc('\n', out);
	}
	fputs("\nother functions (reached, of):\n", out);
	for (size_t i = 0; i < c->n; i++)
		if (!is_huge(c->f[i].name))
			fprintf(out, "  %-44s %4u %4u\n", c->f[i].name, c->f[i].reached, c->f[i].n);
}

static void print_json(const struct coverage *c, FILE *out)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n; i++) {
		const struct function *f = &c->f[i];
		json_t *missing = json_array();

		for (unsigned int k = 0; k < f->n; k++)
			if (!(f->at[k] & 1))
				json_array_append_new(missing, json_integer(f->at[k] >> 1));
		json_array_append_new(
			list, json_pack("{s:s, s:i, s:i, s:b, s:o}", "function", f->name, "reached",
				      (int)f->reached, "places", (int)f->n, "huge",
				      is_huge(f->name), "missing", missing));
	}
	json_dumpf(list, out, JSON_INDENT(1));
	fputc('\n', out);
	json_decref(list);
}

int campaign_coverage(const char *dir, enum report_format format)
{
	struct coverage c = {0};
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d;
	int r = 0;

	snprintf(path, sizeof(path), "%s/functions", dir);
	d = opendir(path);
	while (d && r == 0 && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/functions/%s", dir, e->d_name);
		r = take_file(&c, path);
	}
	if (d)
		closedir(d);
	if (r == 0 && !c.n)
		log_error("%s/functions says nothing: the campaign's kernel has no kcov, or it has "
			  "only begun",
			dir);
	if (c.n)
		qsort(c.f, c.n, sizeof(*c.f), by_name);
	if (r == 0 && c.n && format == REPORT_JSON)
		print_json(&c, stdout);
	else if (r == 0 && c.n)
		print_text(&c, stdout);
	for (size_t i = 0; i < c.n; i++)
		free(c.f[i].at);
	free(c.f);
	return r < 0 ? EXIT_USAGE : c.n ? EXIT_CLEAN : EXIT_NOTHING;
}
