/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of JSON documents that anybody may have written. */
#include "night.h"

#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "sink.h"

enum { UNITE_MAX = 512 };

const char *value_text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key)) ?: "";
}

double value_number(const json_t *o, const char *key)
{
	double v = json_number_value(json_object_get(o, key));

	return v > 0 ? v : 0;
}

uint64_t value_count(const json_t *o, const char *key)
{
	const json_t *j = json_object_get(o, key);

	if (json_is_integer(j))
		return json_integer_value(j) > 0 ? (uint64_t)json_integer_value(j) : 0;
	return 0;
}

static json_t *clip(const char *text, size_t max, bool lines)
{
	size_t len = strlen(text), n = len < max ? len : max;
	_cleanup_free_ char *copy = NULL;
	json_t *j;

	/* Not in the middle of a character. */
	while (n < len && n && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	copy = malloc(n + sizeof("…"));
	if (!copy)
		return json_string("");
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		bool control = (c < 0x20 && !(lines && (c == '\n' || c == '\t'))) || c == 0x7f;

		copy[i] = (char)(control ? (c == '\n' || c == '\t' ? ' ' : '?') : c);
	}
	strcpy(copy + n, n < len ? "…" : "");
	j = json_text(copy);
	return j ? j : json_string("");
}

json_t *value_clip(const char *text, size_t max)
{
	return clip(text, max, false);
}

json_t *value_lines(const char *text, size_t max)
{
	return clip(text, max, true);
}

void value_add(json_t *o, const char *key, uint64_t n)
{
	uint64_t sum = value_count(o, key), most = INT64_MAX;

	sum = n > most - sum ? most : sum + n;
	json_object_set_new(o, key, json_integer((json_int_t)sum));
}

json_t *value_object(json_t *o, const char *key)
{
	if (!json_object_get(o, key))
		json_object_set_new(o, key, json_object());
	return json_object_get(o, key);
}

json_t *value_array(json_t *o, const char *key)
{
	if (!json_object_get(o, key))
		json_object_set_new(o, key, json_array());
	return json_object_get(o, key);
}

void value_unite(json_t *array, const char *text)
{
	json_t *j, *had;
	size_t i;

	if (!*text || json_array_size(array) >= UNITE_MAX)
		return;
	j = value_clip(text, TITLE_MAX);
	json_array_foreach(array, i, had) if (json_equal(had, j))
	{
		json_decref(j);
		return;
	}
	json_array_append_new(array, j);
}

int64_t value_time(const char *text)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	return end && !*end ? (int64_t)timegm(&tm) : -1;
}

json_t *value_stamp(int64_t seconds)
{
	time_t t = (time_t)seconds;
	char buf[40] = "";
	struct tm tm;

	if (seconds < 0 || seconds > 253402300799 || !gmtime_r(&t, &tm) ||
		!strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return json_string("");
	return json_string(buf);
}
