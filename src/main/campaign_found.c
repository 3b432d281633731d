/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a campaign found: in a store of its own, so that it can be told from what others find; the machine's store has it too. */
#include "campaign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"

void campaign_file(struct campaign *c, const struct store_sight *x)
{
	char err[STORE_ERR_MAX];
	struct store *s;

	if (store_open(c->store, &s, err) < 0) {
		log_warn("%s", err);
		store_add_unfiled(c->store, x);
		return;
	}
	store_add(s, x);
	store_close(s);
}

static struct campaign_found *find(struct campaign *c, const char *title, const char *alt)
{
	for (unsigned int i = 0; i < c->nfound; i++)
		if (strcmp(c->found[i].title, title) == 0 && strcmp(c->found[i].alt, alt) == 0)
			return &c->found[i];
	return NULL;
}

bool campaign_has(const struct campaign *c, const char *title)
{
	for (unsigned int i = 0; i < c->nfound; i++)
		if (strcmp(c->found[i].title, title) == 0)
			return true;
	return false;
}

bool campaign_knows(const struct campaign *c, const char *title)
{
	for (unsigned int i = 0; i < c->nfound; i++)
		if (strcmp(c->found[i].title, title) == 0)
			return c->found[i].known;
	return false;
}

/* ---- looking ---- */

struct looking {
	struct campaign *c;
	bool new;
};

static int take_group(void *arg, const struct store_group *g)
{
	struct looking *l = arg;
	struct campaign *c = l->c;
	struct campaign_found *f = find(c, g->title, g->alt);

	if (!f) {
		if (c->nfound == CAMPAIGN_MAX_FOUND)
			return 0;
		f = &c->found[c->nfound];
		f->title = strdup(g->title);
		f->alt = strdup(g->alt);
		f->oracle = strdup(g->oracle);
		f->dir = NULL;
		if (!f->title || !f->alt || !f->oracle ||
			asprintf(&f->dir, "%s/%s", c->store, g->dir) < 0)
			return -ENOMEM;
		f->before = c->start_s <= 0;
		f->first_s = f->before ? 0 : campaign_now_s() - c->start_s;
		c->nfound++;
		l->new = true;
	}
	f->count = g->count;
	f->programs = g->runs;
	f->known = g->status == STORE_KNOWN || g->status == STORE_HARDWARE;
	return 0;
}

/* What somebody said on this machine about a title counts here. */
static int take_mark(void *arg, const struct store_group *g)
{
	struct campaign *c = arg;

	if (g->status != STORE_KNOWN && g->status != STORE_HARDWARE)
		return 0;
	for (unsigned int i = 0; i < c->nfound; i++)
		if (strcmp(c->found[i].title, g->title) == 0)
			c->found[i].known = true;
	return 0;
}

/* Titles that are known, for the harness: a line each. */
struct naming {
	FILE *f;
};

static int name_known(void *arg, const struct store_group *g)
{
	struct naming *n = arg;

	if (g->status == STORE_KNOWN || g->status == STORE_HARDWARE)
		fprintf(n->f, "%s\n", g->title);
	return 0;
}

static void write_changed(struct campaign *c, const char *name, const char *text, size_t len)
{
	_cleanup_free_ char *path = NULL, *old = NULL;
	size_t old_len;

	if (asprintf(&path, "%s/%s", c->dir, name) < 0)
		return;
	old = (char *)corpus_slurp(path, &old_len);
	if (!old || old_len != len || memcmp(old, text, len) != 0)
		path_publish(path, text, len);
}

/* Every title that was found, known or not: for harnesses, one crash of each is enough. */
static void write_found(struct campaign *c)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	for (unsigned int i = 0; f && i < c->nfound; i++)
		fprintf(f, "%s\n", c->found[i].title);
	if (f && fclose(f) == 0)
		write_changed(c, "found.txt", text, len);
}

static void write_known(struct campaign *c, struct store *machine)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	struct naming n = {.f = open_memstream(&text, &len)};

	if (!n.f)
		return;
	store_each(machine, name_known, &n);
	if (fclose(n.f) == 0)
		write_changed(c, "known.txt", text, len);
}

/* In a guest the campaign's store is the only one: what is known came from the host, as known.txt. */
static void take_known_file(struct campaign *c)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	char *cursor, *line;
	size_t len;

	if (asprintf(&path, "%s/known.txt", c->dir) < 0)
		return;
	text = (char *)corpus_slurp(path, &len);
	for (cursor = text; text && (line = strsep(&cursor, "\n"));)
		for (unsigned int i = 0; *line && i < c->nfound; i++)
			if (strcmp(c->found[i].title, line) == 0)
				c->found[i].known = true;
}

static void merge(struct campaign *c)
{
	char err[STORE_ERR_MAX];
	struct store *machine;
	uint64_t counts = 0;

	if (store_open(c->machine_store, &machine, err) < 0) {
		log_warn("%s", err);
		return;
	}
	for (unsigned int i = 0; i < c->nfound; i++)
		counts += c->found[i].count;
	if (counts != c->merged) {
		if (store_merge(machine, c->store, err) < 0)
			log_warn("%s", err);
		c->merged = counts;
	}
	store_each(machine, take_mark, c);
	write_known(c, machine);
	store_close(machine);
}

bool campaign_look(struct campaign *c)
{
	struct looking l = {.c = c};
	unsigned int before = c->nfound;
	char err[STORE_ERR_MAX];
	struct store *s;
	bool fresh = false;

	if (store_open(c->store, &s, err) < 0) {
		log_warn("%s", err);
		return false;
	}
	store_each(s, take_group, &l);
	store_close(s);
	if (c->o->linked) {
		take_known_file(c);
	} else {
		merge(c);
		write_found(c);
	}
	for (unsigned int i = before; i < c->nfound; i++) {
		const struct campaign_found *f = &c->found[i];

		fresh |= !f->known && !f->before;
		if (!f->before && !c->o->linked)
			log_note("%s: %s; %s", f->known ? "known" : "FINDING", f->title, f->dir);
	}
	return fresh;
}

void campaign_forget(struct campaign *c)
{
	for (unsigned int i = 0; i < c->nfound; i++) {
		free(c->found[i].title);
		free(c->found[i].alt);
		free(c->found[i].oracle);
		free(c->found[i].dir);
	}
	c->nfound = 0;
}
