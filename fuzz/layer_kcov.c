/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edges in the kernel's mm/ and fs/hugetlbfs/, per lane, by kcov. Which text that is, kallsyms tells: a kernel is linked directory by
 * directory, so mm/ is what lies between its first file's functions (mm/filemap.c) and those of the first one of fs/ (fs/open.c).
 */
#include "functions.h"
#include "layers.h"
#include "symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"

enum { GRAIN_SHIFT = 4, FILE_MAX = 1 << 16 };

struct kcov_text {
	uint64_t base, end; /* _stext, _etext */
	uint8_t *is_mm; /* [(end - base) >> GRAIN_SHIFT] */
};

static uint64_t find(const struct symbol *s, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s[i].name, name) == 0)
			return s[i].at;
	return 0;
}

/* The lowest of those whose names begin so, in the main text. */
static uint64_t lowest(
	const struct symbol *s, size_t n, const char *prefix, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < n; i++)
		if (s[i].at >= from && s[i].at < to &&
			strncmp(s[i].name, prefix, strlen(prefix)) == 0 && !strchr(s[i].name, '.'))
			return s[i].at;
	return 0;
}

/* fs/open.c begins with one of these, in whatever order the compiler has put them. */
static uint64_t first_of_fs(const struct symbol *s, size_t n)
{
	static const char *const names[] = {"filp_close", "vfs_fallocate", "do_dentry_open",
		"do_faccessat", "finish_open", "file_open_root", "vfs_truncate"};
	uint64_t first = find(s, n, "do_truncate");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		uint64_t at = find(s, n, names[i]);

		if (at && at < first && first - at < FILE_MAX)
			first = at;
	}
	return first;
}

/* That the border was found is not believed: these must lie on their sides of it. */
static bool is_right(const struct symbol *s, size_t n, uint64_t from, uint64_t to)
{
	static const char *const in[] = {"handle_mm_fault", "migrate_pages", "shmem_get_folio",
		"try_to_unmap", "zap_page_range_single", "vm_mmap_pgoff"},
				 *const out[] = {
					 "schedule", "vfs_read", "do_sys_open", "kfree_skb"};

	for (size_t i = 0; i < ARRAY_SIZE(in); i++) {
		uint64_t at = find(s, n, in[i]);

		if (at && (at < from || at >= to))
			return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
		uint64_t at = find(s, n, out[i]);

		if (at >= from && at < to)
			return false;
	}
	return true;
}

static void mark(struct kcov_text *t, uint64_t from, uint64_t to)
{
	for (uint64_t g = (from - t->base) >> GRAIN_SHIFT; g < (to - t->base) >> GRAIN_SHIFT; g++)
		t->is_mm[g] = 1;
}

static bool is_of(const struct symbol *s, size_t n, const struct kcov_text *t, const char *name)
{
	char base[64];
	uint64_t at;

	snprintf(base, sizeof(base), "%.*s", (int)strcspn(name, "."), name);
	at = find(s, n, base);
	return at >= t->base && at < t->end && t->is_mm[(at - t->base) >> GRAIN_SHIFT];
}

/* Parts of functions that the compiler has put elsewhere, and hugetlbfs. */
static void mark_others(struct kcov_text *t, const struct symbol *s, size_t n)
{
	for (size_t i = 0; i + 1 < n; i++) {
		if (s[i].at < t->base || s[i + 1].at > t->end)
			continue;
		if (strncmp(s[i].name, "hugetlbfs_", 10) == 0 ||
			strncmp(s[i].name, "hugetlb_vm", 10) == 0 ||
			(strchr(s[i].name, '.') && is_of(s, n, t, s[i].name)))
			mark(t, s[i].at, s[i + 1].at);
	}
}

static const char *find_text(struct kcov_text *t, const struct symbol *s, size_t n)
{
	uint64_t from, to;

	t->base = find(s, n, "_stext");
	t->end = find(s, n, "_etext");
	if (!t->base || t->end <= t->base)
		return "/proc/kallsyms shows no addresses";
	to = first_of_fs(s, n);
	from = lowest(s, n, "filemap_", t->base, to ? to : t->end);
	if (!from || to <= from || !is_right(s, n, from, to))
		return "mm/ is not where it is expected in /proc/kallsyms";
	t->is_mm = calloc((t->end - t->base) >> GRAIN_SHIFT, 1);
	if (!t->is_mm)
		return "no memory";
	mark(t, from, to);
	mark_others(t, s, n);
	return NULL;
}

const char *kcov_text_open(struct kcov_text **ret)
{
	if (!path_exists("/sys/kernel/debug/kcov"))
		return "no /sys/kernel/debug/kcov (needs CONFIG_KCOV, root and debugfs)";
	return kcov_text_read("/proc/kallsyms", ret);
}

const char *kcov_text_read(const char *kallsyms, struct kcov_text **ret)
{
	_cleanup_free_ struct symbol *s = NULL;
	struct kcov_text *t = calloc(1, sizeof(*t));
	const char *why = "no memory";
	int n = symbols_read(kallsyms, &s);

	if (n >= 0 && t)
		why = find_text(t, s, (size_t)n);
	if (why)
		kcov_text_close(t);
	else
		*ret = t;
	return why;
}

void kcov_text_close(struct kcov_text *t)
{
	if (t)
		free(t->is_mm);
	free(t);
}

uint32_t kcov_offset(const struct kcov_text *t, uint64_t pc)
{
	if (pc < t->base || pc >= t->end || !t->is_mm[(pc - t->base) >> GRAIN_SHIFT])
		return 0;
	return (uint32_t)(pc - t->base);
}

uint64_t kcov_base(const struct kcov_text *t)
{
	return t->base;
}

/* One chain of edges for each lane: what comes between two PCs of mm does not count. */
void layer_kcov(
	const struct kcov_text *t, const struct crew *c, struct functions *f, struct marks *m)
{
	/* Hits of each edge, for its class. */
	static uint16_t hits[1 << 16];
	static uint32_t touched[1 << 16];
	uint32_t n = 0;

	for (unsigned int l = 0; l < c->ctl->nlanes; l++) {
		const struct lane_ctl *lane = &c->ctl->lane[l];
		uint64_t count = atomic_load_explicit(&lane->kcov_pcs, memory_order_relaxed);
		uint64_t prev = 0;

		for (uint64_t i = 0; lane->kcov && i < count; i++) {
			uint64_t at = kcov_offset(t, lane->kcov[i + 1]);
			uint32_t edge;

			if (!at)
				continue;
			if (f)
				functions_reached(f, at);
			at = mix(at);
			edge = (uint32_t)(at ^ prev >> 1) & 0xffff;
			prev = at;
			if (!hits[edge])
				touched[n++] = edge;
			hits[edge] += hits[edge] < UINT16_MAX;
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		marks_add(m, LAYER_KCOV, touched[i], class_of_count(hits[touched[i]]));
		hits[touched[i]] = 0;
	}
}
