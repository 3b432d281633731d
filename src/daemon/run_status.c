/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run_status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { TEXT_MAX = 1 << 20 };

static uint64_t get(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

void run_status_clear(struct run_status *s)
{
	json_decref(s->doc);
	*s = (struct run_status){0};
}

int run_status_parse(struct run_status *s, const char *text, size_t len)
{
	json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL), *totals, *left, *to,
	       *pages;
	const char *turn, *node;

	if (!json_is_object(doc) || json_integer_value(json_object_get(doc, "version")) != 1) {
		json_decref(doc);
		return -EINVAL;
	}
	run_status_clear(s);
	s->doc = doc;
	totals = json_object_get(doc, "totals");
	left = json_object_get(doc, "left_s");
	turn = json_string_value(json_object_get(doc, "turn"));
	snprintf(s->turn, sizeof(s->turn), "%s", turn ? turn : "");
	s->time = (int64_t)get(doc, "time");
	s->elapsed_s = json_number_value(json_object_get(doc, "elapsed_s"));
	s->left_s = json_is_number(left) ? json_number_value(left) : -1;
	s->ops = get(totals, "ops");
	s->rounds = get(totals, "rounds");
	s->migrated = get(totals, "migrated_pages");
	s->split = get(totals, "split");
	s->collapsed = get(totals, "collapsed");
	s->seen = get(totals, "ops_seen");
	s->overlapped = get(totals, "ops_overlapped");
	s->groups = (unsigned int)get(doc, "groups");
	to = json_object_get(doc, "migrated_to");
	json_object_foreach(to, node, pages)
		s->migrated_to[strtoul(node, NULL, 10) % RUN_STATUS_NODES] +=
		(uint64_t)json_integer_value(pages);
	return 0;
}

int run_status_read(struct run_status *s, const char *dir)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *text = NULL;
	char path[512];
	size_t len;

	snprintf(path, sizeof(path), "%s/status.json", dir);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	text = malloc(TEXT_MAX);
	if (!text)
		return -ENOMEM;
	len = fread(text, 1, TEXT_MAX, f);
	return run_status_parse(s, text, len);
}
