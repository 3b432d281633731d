/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DIR/learned.json: where in an op another one made a difference. `run --learned` takes it. */
#include "sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"

static json_t *counts_json(const _Atomic uint32_t n[LESSON_PHASES])
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < LESSON_PHASES; i++)
		json_array_append_new(
			a, json_integer(atomic_load_explicit(&n[i], memory_order_relaxed)));
	return a;
}

static bool has_changes(const struct lesson *l)
{
	for (unsigned int i = 0; i < LESSON_PHASES; i++)
		if (atomic_load_explicit(&l->changes[i], memory_order_relaxed))
			return true;
	return false;
}

/* The key is taken apart as lesson_key() packs it. */
static void add_lesson(json_t *all, const struct lesson *l)
{
	uint32_t key = atomic_load_explicit(&l->key, memory_order_relaxed);
	unsigned int aimer = key & 255, target = key >> 8 & 255, size = key >> 16 & 255;

	if (!key || !has_changes(l) || !op_get(aimer) || !op_get(target) || size >= MODEL_SIZES)
		return;
	json_array_append_new(all,
		json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "aimer", op_get(aimer)->name, "target",
			op_get(target)->name, "size", model_size_name(size), "backing",
			size == MODEL_NO_RANGE ? "none"
					       : backing_name((enum backing)(key >> 24 & 127)),
			"tries", counts_json(l->tries), "changes", counts_json(l->changes)));
}

int report_learned_file(const struct run_result *r)
{
	json_t *all = json_array(), *doc;
	_cleanup_free_ char *path = NULL, *text = NULL;

	for (unsigned int i = 0; r->crew && i < r->ncrews; i++)
		for (unsigned int k = 0; k < LESSONS; k++)
			add_lesson(all, &r->crew[i]->ctl->lesson[k]);
	doc = json_pack("{s:s, s:o}", "version", SUNDER_VERSION, "lessons", all);
	text = doc ? json_dumps(doc, JSON_INDENT(1)) : NULL;
	json_decref(doc);
	if (!text || asprintf(&path, "%s/learned.json", r->output) < 0)
		return -ENOMEM;
	return path_publish(path, text, strlen(text));
}
