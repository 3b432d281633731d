/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log parser: what it finds must not depend on how the bytes are cut into pieces, and what it
 * hands out must hold to klog.h.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "klog/klog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static uint64_t hash(uint64_t h, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n--)
		h = (h ^ *p++) * 0x100000001b3ULL;
	return h;
}

static uint64_t take_reports(struct klog *k, uint64_t h, uint64_t *last_start, size_t pushed)
{
	const struct klog_report *r;

	while ((r = klog_next(k))) {
		require(r->start >= *last_start && r->end >= r->start && r->end <= pushed);
		require(r->lead_len <= r->text_len && r->text[r->text_len] == 0);
		require(strlen(r->title) <= 120 && r->type && r->kind && r->frame && r->line > 0);
		*last_start = r->start;
		h = hash(h, r->title, strlen(r->title));
		h = hash(h, r->text, r->text_len);
		h = hash(h, &r->start, sizeof(r->start));
		h = hash(h, &r->end, sizeof(r->end));
		h = hash(h, &r->line, sizeof(r->line));
		for (size_t i = 0; i < r->nalt; i++)
			h = hash(h, r->alt[i], strlen(r->alt[i]));
		h = hash(h, (bool[]){r->crash, r->corrupted, r->suppressed, r->panicked},
			4 * sizeof(bool));
	}
	return h;
}

/* Pieces of chance sizes up to max. */
static uint64_t parse(const uint8_t *data, size_t size, size_t max, bool plain)
{
	struct klog_options opt = {.plain = plain, .max_text = 16384};
	uint64_t h = 0xcbf29ce484222325ULL, start = 0;
	uint32_t chance = 1;
	struct klog *k;
	size_t n;

	require(klog_new(&k, &opt) == 0);
	for (size_t at = 0; at < size; at += n) {
		chance = chance * 1664525 + 1013904223;
		n = 1 + (chance >> 8) % max;
		n = n < size - at ? n : size - at;
		require(klog_push(k, (const char *)data + at, n) == 0);
		h = take_reports(k, h, &start, at + n);
	}
	require(klog_flush(k) == 0);
	h = take_reports(k, h, &start, size);
	require(!klog_next(k));
	klog_free(k);
	return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t whole = parse(data, size, 1U << 20, false);

	require(parse(data, size, 4099, false) == whole);
	if (size < 4096)
		require(parse(data, size, 3, false) == whole);
	parse(data, size, 1U << 20, true);
	return 0;
}
