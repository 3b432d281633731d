/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/suggest.h"

static const char *const names[] = {[MESSAGE_STATUS] = "status",
	[MESSAGE_START] = "start",
	[MESSAGE_PAUSE] = "pause",
	[MESSAGE_RESUME] = "resume",
	[MESSAGE_STOP] = "stop",
	[MESSAGE_TAIL] = "tail"};

const char *message_do_name(enum message_do what)
{
	return names[what];
}

static int wrong(char err[MESSAGE_ERR_MAX], const char *why, const char *hint)
{
	snprintf(err, MESSAGE_ERR_MAX, "%s%s", why, hint);
	return -EINVAL;
}

static int find_do(const char *word, enum message_do *ret, char err[MESSAGE_ERR_MAX])
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;

	suggest_start(&s, word);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], word) == 0) {
			*ret = (enum message_do)i;
			return 0;
		}
		suggest_try(&s, names[i]);
	}
	return wrong(err, "\"do\" is not known", suggest_text(&s, hint));
}

static int take(const json_t *doc, struct message *m, char err[MESSAGE_ERR_MAX])
{
	const json_t *v = json_object_get(doc, "v"), *lines = json_object_get(doc, "lines");
	const char *word = json_string_value(json_object_get(doc, "do"));
	const char *name = json_string_value(json_object_get(doc, "name"));

	if (!json_is_integer(v))
		return wrong(err, "\"v\" is missing", "");
	if (json_integer_value(v) != MESSAGE_VERSION)
		return wrong(err, "this sunderd speaks version 1 only", "");
	if (!word)
		return wrong(err, "\"do\" is missing", "");
	if (find_do(word, &m->what, err) < 0)
		return -EINVAL;
	if (name && strlen(name) >= sizeof(m->name))
		return wrong(err, "\"name\" is too long", "");
	if (m->what == MESSAGE_START && (!name || !*name))
		return wrong(err, "\"name\" is missing", "");
	if (lines && (!json_is_integer(lines) || json_integer_value(lines) < 0 ||
			     json_integer_value(lines) > MESSAGE_TAIL_MAX))
		return wrong(err, "\"lines\" is not a number from 0 to 256", "");
	snprintf(m->name, sizeof(m->name), "%s", name ? name : "");
	m->now = json_is_true(json_object_get(doc, "now"));
	m->follow = json_is_true(json_object_get(doc, "follow"));
	m->lines = lines ? (unsigned int)json_integer_value(lines) : 20;
	return 0;
}

int message_parse(const char *line, size_t len, struct message *ret, char err[MESSAGE_ERR_MAX])
{
	struct message m = {0};
	json_error_t e;
	json_t *doc;
	int r;

	if (len > MESSAGE_MAX)
		return wrong(err, "the message is longer than 4096 bytes", "");
	doc = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(doc)) {
		json_decref(doc);
		return wrong(err, "not a JSON object", "");
	}
	r = take(doc, &m, err);
	json_decref(doc);
	if (r == 0)
		*ret = m;
	return r;
}

char *message_format(const struct message *m)
{
	json_t *doc = json_pack("{s:i, s:s, s:s, s:b, s:b, s:i}", "v", MESSAGE_VERSION, "do",
		names[m->what], "name", m->name, "now", m->now, "follow", m->follow, "lines",
		(int)m->lines);
	_cleanup_free_ char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	char *line = NULL;

	json_decref(doc);
	return text && asprintf(&line, "%s\n", text) > 0 ? line : NULL;
}
