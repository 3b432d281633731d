/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * syzbot's titles say little of some memory-management bugs: "Bad page map" has no function, "Bad
 * page state" blames who allocated the page, assertions drop their condition. The formats read
 * here are those of mm/memory.c (print_bad_pte), mm/page_alloc.c (bad_page), mm/debug.c
 * (dump_page), kernel/fork.c (check_mm), mm/page_counter.c, lib/list_debug.c and kernel/panic.c
 * (__warn).
 */
#include "mm.h"

#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "title.h"

#define VM_PFNMAP 0x400UL
#define VM_SHARED 0x8UL
#define VM_HUGETLB 0x400000UL
#define VM_MIXEDMAP 0x10000000UL

/*
 * Who walked into it: the first function of the report's own stack that does not merely report or
 * free.
 */
static const struct rule path_of_map = {
	.steps = STEPS_TRACE,
	.skip = SKIP("print_bad", "vm_normal_", "__vm_normal"),
};
static const struct rule path_of_state = {
	.steps = STEPS_TRACE,
	.skip = SKIP("bad_page", "free_unref", "free_page", "free_pcp", "free_one", "__free_",
		"free_frozen", "free_contig", "free_pages", "free_large", "put_page", "folio_put",
		"folios_put", "release_pages", "check_new_page", "check_free_page", "prep_new_page",
		"rmqueue", "get_page_from_freelist", "filemap_unaccount", "unaccount_page_cache",
		"filemap_remove", "delete_from_page_cache"),
};
static const struct rule path_of_check = {
	.steps = STEPS_TRACE,
	.skip = SKIP("page_table_check", "set_pte", "set_pmd", "set_pud", "ptep_", "pmdp_", "pudp_",
		"set_huge_pte", "pte_clear", "pmd_clear", "native_"),
};
static const struct rule path_of_counter = {
	.steps = STEPS_TRACE,
	.skip = SKIP("page_counter"),
};

/* The function, or NULL. */
static const char *path(struct frames *f, const struct rule *rule, const struct report_text *t)
{
	return frames_find(f, rule, t->own.p, t->own.n) ? f->f[0].name : NULL;
}

struct detail {
	struct string_set *alt;
	const char *title;
	const struct report_text *t;
	struct title made;
};

static void start(struct detail *d, const char *s)
{
	title_set(&d->made, s, strlen(s));
}

static void add(struct detail *d, const char *s)
{
	title_add(&d->made, s, strlen(s));
}

static void add_slice(struct detail *d, const struct slice *s)
{
	title_add(&d->made, s->p, s->n);
}

/* Adds what was made, unless it is the title; it can be made longer afterwards. */
static int finish(struct detail *d)
{
	struct title t = d->made;

	title_normalise(&t);
	return strcmp(t.s, d->title) ? string_set_add(d->alt, t.s, t.n) : 0;
}

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* A line of the report, or of what came right before it. */
static bool find(const struct report_text *t, const char *pat, struct pattern_match *m)
{
	return pattern_find_line(pat, t->own.p, t->own.n, m, NULL) ||
	       pattern_find_line(pat, t->lead.p, t->lead.n, m, NULL);
}

static unsigned long hex(const struct slice *s)
{
	char digits[20] = "";

	if (s->n < sizeof(digits))
		memcpy(digits, s->p, s->n);
	return strtoul(digits, NULL, 16);
}

/* "addr:%px vm_flags:%08lx anon_vma:%px mapping:%px index:%lx" and "file:%pD fault:%ps ..." */
static const char *vma_kind(const struct report_text *t)
{
	struct pattern_match m;
	unsigned long flags;
	bool anon;

	/* Kernels before 4.15 print a NULL pointer as "          (null)". */
	if (!find(t, "vm_flags:(%x) anon_vma:{(%x)|%-\\(null\\)} mapping:", &m))
		return NULL;
	flags = hex(&m.cap[0]);
	anon = m.cap[1].p && hex(&m.cap[1]);
	if (flags & VM_HUGETLB)
		return flags & VM_SHARED ? "shared hugetlb" : "private hugetlb";
	if (flags & VM_PFNMAP)
		return "pfnmap";
	if (flags & VM_MIXEDMAP)
		return "mixedmap";
	if (find(t, "^file:{(%c)|(%n)} ", &m) && !find(t, "^file:\\(null\\) ", NULL))
		return flags & VM_SHARED ? "shared file" : "private file";
	return anon ? "anon" : NULL;
}

static int bad_page_map(struct detail *d)
{
	const char *kind = vma_kind(d->t), *func;
	struct frames f;
	int err = 0;

	func = path(&f, &path_of_map, d->t);
	start(d, "BUG: Bad page map");
	if (func) {
		add(d, " in ");
		add(d, func);
		err = finish(d);
	}
	if (err || !kind)
		return err;
	add(d, " (");
	add(d, kind);
	add(d, ")");
	return finish(d);
}

static int bad_page_state(struct detail *d)
{
	struct pattern_match m;
	struct frames f;
	const char *func = path(&f, &path_of_state, d->t);
	int err = 0;

	start(d, starts(d->title, "BUG: Bad page cache") ? "BUG: Bad page cache"
							 : "BUG: Bad page state");
	if (func) {
		add(d, " in ");
		add(d, func);
		err = finish(d);
	}
	if (err || !find(d->t, "page dumped because: (*)", &m))
		return err;
	add(d, ": ");
	add_slice(d, &m.cap[0]);
	return finish(d);
}

/* check_mm()'s counters, by name since 5.1, by number before. */
static int bad_rss_counter(struct detail *d)
{
	static const char *const names[] = {
		"MM_FILEPAGES", "MM_ANONPAGES", "MM_SWAPENTS", "MM_SHMEMPAGES"};
	struct pattern_match m;
	int err;

	if (!find(d->t, "BUG: Bad rss-counter state mm:%n {type:(%i)|idx:(%d)} val:(-|)", &m))
		return 0;
	start(d, "BUG: Bad rss-counter state type:");
	if (m.cap[0].p)
		add_slice(d, &m.cap[0]);
	else if (m.cap[1].n == 1 && m.cap[1].p[0] <= '3')
		add(d, names[m.cap[1].p[0] - '0']);
	else
		return 0;
	err = finish(d);
	if (err || !m.cap[2].n)
		return err;
	add(d, " below zero");
	return finish(d);
}

static int page_table_check(struct detail *d)
{
	struct frames f;
	const char *func = path(&f, &path_of_check, d->t);

	if (!func)
		return 0;
	start(d, "BUG: page_table_check in ");
	add(d, func);
	return finish(d);
}

static int page_counter(struct detail *d)
{
	struct frames f;
	const char *func;

	if (!find(d->t, "page_counter underflow", NULL))
		return 0;
	func = path(&f, &path_of_counter, d->t);
	if (!func)
		return 0;
	start(d, "WARNING: page_counter underflow in ");
	add(d, func);
	return finish(d);
}

/* Flags that say where a page is, not what it is. */
static bool is_place(const struct slice *flag)
{
	return memchr(flag->p, '=', flag->n);
}

/* " [anon order:9 locked|head]" from dump_page(). */
static void add_page_kind(struct detail *d)
{
	struct pattern_match m;
	const char *p, *end;
	bool first = true;

	if (!find(d->t, "^{(anon|ksm) |}flags: 0x%x\\((*)\\)", &m))
		return;
	add(d, " [");
	if (m.cap[0].p) {
		add_slice(d, &m.cap[0]);
		add(d, " ");
	}
	p = m.cap[1].p;
	end = p + m.cap[1].n;
	if (find(d->t, "^page_type: {%x\\(|}(%i)", &m)) {
		add_slice(d, &m.cap[0]);
		add(d, " ");
	}
	if (find(d->t, "^head:* order:(%d)", &m)) {
		add(d, "order:");
		add_slice(d, &m.cap[0]);
		add(d, " ");
	}
	while (p < end) {
		const char *bar = memchr(p, '|', (size_t)(end - p));
		struct slice flag = {p, (size_t)((bar ? bar : end) - p)};

		if (!is_place(&flag)) {
			add(d, first ? "" : "|");
			add_slice(d, &flag);
			first = false;
		}
		p += flag.n + 1;
	}
	add(d, "]");
}

/* VM_BUG_ON_FOLIO(cond), VM_WARN_ON_ONCE_PAGE(cond) and others that dump the page first. */
static int page_assertion(struct detail *d)
{
	struct pattern_match m;
	int err;

	if (!find(d->t, "page dumped because: (VM_%i\\(*)", &m))
		return 0;
	start(d, d->title);
	add(d, ": ");
	add_slice(d, &m.cap[0]);
	err = finish(d);
	if (err)
		return err;
	add_page_kind(d);
	return finish(d);
}

/*
 * WARN()'s own words stand between the cut and the WARNING line; since 6.19 its condition in that
 * line.
 */
static int warn_text(struct detail *d)
{
	static const char cut[] = "------------[ cut here ]------------\n";
	const struct slice *lead = &d->t->lead;
	const char *p = NULL, *nl, *end = lead->p + lead->n;
	struct pattern_match m;

	for (const char *q = lead->p; (q = memmem(q, (size_t)(end - q), cut, sizeof(cut) - 1));)
		p = q += sizeof(cut) - 1;
	start(d, d->title);
	add(d, ": ");
	if (p && p < end && !starts(p, "WARNING: ")) {
		nl = memchr(p, '\n', (size_t)(end - p));
		title_add(&d->made, p, (size_t)((nl ? nl : end) - p));
		return finish(d);
	}
	if (!find(d->t, "WARNING: [(~)] " PAT_SRC " at ", &m))
		return 0;
	add_slice(d, &m.cap[0]);
	return finish(d);
}

static int list_corruption(struct detail *d)
{
	struct pattern_match m;

	if (!find(d->t, "(list_{add|del}{ corruption| double add}*)", &m))
		return 0;
	start(d, d->title);
	add(d, ": ");
	add_slice(d, &m.cap[0]);
	return finish(d);
}

static int below_zero(struct detail *d)
{
	struct pattern_match m;

	if (!find(d->t, "BUG: non-zero (%i) on freeing mm: -%d", &m))
		return 0;
	start(d, "BUG: non-zero ");
	add_slice(d, &m.cap[0]);
	add(d, " on freeing mm, below zero");
	return finish(d);
}

int mm_detail(struct string_set *alt, const char *title, const struct report_text *t)
{
	static const struct {
		const char *title;
		int (*detail)(struct detail *d);
	} details[] = {
		{"BUG: Bad page map", bad_page_map},
		{"BUG: Bad page state", bad_page_state},
		{"BUG: Bad page cache", bad_page_state},
		{"BUG: Bad rss-counter state", bad_rss_counter},
		{"BUG: non-zero ", below_zero},
		{"BUG: corrupted list", list_corruption},
		{"kernel BUG in page_table_check", page_table_check},
		{"kernel BUG in __page_table_check", page_table_check},
		{"kernel BUG", page_assertion},
		{"WARNING", page_assertion},
		{"WARNING", page_counter},
		{"WARNING", warn_text},
	};
	struct detail d = {.alt = alt, .title = title, .t = t};
	int err = 0;

	for (size_t i = 0; i < sizeof(details) / sizeof(details[0]) && !err; i++)
		if (starts(title, details[i].title))
			err = details[i].detail(&d);
	return err;
}
