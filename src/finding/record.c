/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static const struct {
	const char *key;
	size_t at;
} texts[] = {
#define TEXT(name)                                        \
	{                                                 \
#name, offsetof(struct store_sight, name) \
	}
	TEXT(title),
	TEXT(alt),
	TEXT(oracle),
	TEXT(run),
	TEXT(kernel),
	TEXT(machine),
	TEXT(boot_id),
	TEXT(job),
	TEXT(version),
	TEXT(program),
	TEXT(evidence),
	TEXT(context),
	TEXT(output),
#undef TEXT
};

static const char **text_at(struct store_sight *x, size_t i)
{
	return (const char **)((char *)x + texts[i].at);
}

static json_t *clean_string(const char *text)
{
	json_t *j = json_string(text ? text : "");
	_cleanup_free_ char *copy = NULL;

	if (j)
		return j;
	copy = strdup(text);
	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return copy ? json_string(copy) : NULL;
}

char *record_text(const struct store_sight *x)
{
	struct store_sight copy = *x;
	json_t *j = json_object();
	char *text;
	int bad = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		bad |= json_object_set_new(j, texts[i].key, clean_string(*text_at(&copy, i)));
	/* 64 bits without a sign do not fit what all readers of JSON hold: text. */
	bad |= json_object_set_new(j, "seed", json_sprintf("%" PRIu64, x->seed));
	bad |= json_object_set_new(j, "round", json_integer((json_int_t)x->round));
	bad |= json_object_set_new(j, "count", json_integer((json_int_t)x->count));
	bad |= json_object_set_new(j, "crew", json_integer(x->crew));
	bad |= json_object_set_new(j, "lane", json_integer(x->lane));
	bad |= json_object_set_new(j, "first", json_integer((json_int_t)x->first));
	bad |= json_object_set_new(j, "last", json_integer((json_int_t)x->last));
	text = bad ? NULL : json_dumps(j, JSON_INDENT(1));
	json_decref(j);
	return text;
}

static int64_t number(json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

int record_read(const char *path, struct record_sight **ret)
{
	json_t *j = json_load_file(path, 0, NULL);
	struct record_sight *x;

	if (!j)
		return -EBADMSG;
	x = calloc(1, sizeof(*x));
	if (!x) {
		json_decref(j);
		return -ENOMEM;
	}
	x->json = j;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *text = json_string_value(json_object_get(j, texts[i].key));

		*text_at(&x->sight, i) = text ? text : "";
	}
	x->sight.seed = strtoull(json_string_value(json_object_get(j, "seed")) ?: "0", NULL, 10);
	x->sight.round = (uint64_t)number(j, "round");
	x->sight.count = (uint64_t)number(j, "count");
	x->sight.crew = (int)number(j, "crew");
	x->sight.lane = (int)number(j, "lane");
	x->sight.first = (time_t)number(j, "first");
	x->sight.last = (time_t)number(j, "last");
	if (!*x->sight.title || !*x->sight.run || !x->sight.count) {
		record_free(x);
		return -EBADMSG;
	}
	*ret = x;
	return 0;
}

void record_free(struct record_sight *x)
{
	if (!x)
		return;
	json_decref(x->json);
	free(x);
}
