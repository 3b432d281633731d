/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "mm.h"
#include "title.h"

int string_set_add(struct string_set *set, const char *s, size_t n)
{
	char *copy, **more;

	for (size_t i = 0; i < set->n; i++)
		if (strlen(set->s[i]) == n && !memcmp(set->s[i], s, n))
			return 0;
	if (set->n == set->cap) {
		more = realloc(set->s, (set->cap + 8) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		set->s = more;
		set->cap += 8;
	}
	copy = strndup(s, n);
	if (!copy)
		return -ENOMEM;
	set->s[set->n++] = copy;
	return 0;
}

void string_set_free(struct string_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		free(set->s[i]);
	free(set->s);
	*set = (struct string_set){NULL, 0, 0};
}

/* What a rule's patterns and steps found in a text. */
struct finding {
	const struct rule *rule;
	struct slice cap[PATTERN_CAPS];
	int ncap;
	struct frames frames;
	bool complete; /* frames were found where the rule wants some */
};

static void add_captures(struct finding *f, const struct pattern_match *m)
{
	for (int i = 0; i < m->ncap && f->ncap < PATTERN_CAPS; i++)
		f->cap[f->ncap++] = m->cap[i];
}

/* The rule's further patterns, in order. *start: where the first one matched. */
static bool find_then(
	struct finding *f, const struct rule *rule, const struct slice *text, const char **start)
{
	const char *from = text->p, *end = text->p + text->n;
	struct pattern_match m;
	struct slice line;

	f->ncap = 0;
	for (int i = 0; i < RULE_THEN && rule->then[i]; i++) {
		if (!pattern_find_line(rule->then[i], from, (size_t)(end - from), &m, &line))
			return false;
		add_captures(f, &m);
		if (i == 0)
			*start = m.start;
		from = line.p + line.n < end ? line.p + line.n + 1 : end;
	}
	return true;
}

/* Returns whether the rule, whose title is at m, has all its parts. */
static bool try_rule(struct finding *f, const struct rule *rule, const struct slice *text,
	const struct pattern_match *m)
{
	const char *start = m->start;

	*f = (struct finding){.rule = rule, .complete = true};
	add_captures(f, m);
	if (rule->then[0] && !find_then(f, rule, text, &start))
		return false;
	if (rule->steps[0].kind != STEP_END)
		f->complete =
			frames_find(&f->frames, rule, start, (size_t)(text->p + text->n - start));
	return true;
}

/* The rules' titles on one line. Returns whether one is there; *partial as below. */
static bool rule_of_line(struct finding *best, const struct header *h, const struct slice *line,
	const struct slice *text, const struct rule **partial)
{
	const char *first = line->p + line->n;
	bool found = false;

	for (const struct rule *rule = h->rules; rule && rule->title; rule++) {
		struct pattern_match m;
		struct finding f;
		bool ok;

		if (!pattern_find(rule->title, line->p, line->n, &m))
			continue;
		if (m.start > first || (m.start == first && found))
			continue;
		ok = try_rule(&f, rule, text, &m);
		if (!ok && rule->title_spans)
			continue;
		if (!*partial || m.start < first)
			*partial = rule;
		found = ok || (found && m.start == first);
		first = m.start;
		if (ok)
			*best = f;
	}
	return found;
}

/*
 * The rule whose title comes first in the text; among several there, the table's first that has
 * all its parts. false: none; *partial is one that had its title only, or NULL.
 */
static bool find_rule(struct finding *best, const struct header *h, const struct slice *text,
	const struct rule **partial)
{
	const char *p = text->p, *end = text->p + text->n, *hit, *nl;
	size_t len = strlen(h->text);

	*partial = NULL;
	while (p < end && (hit = memmem(p, (size_t)(end - p), h->text, len))) {
		const char *from = memrchr(p, '\n', (size_t)(hit - p));
		struct slice line;

		from = from ? from + 1 : p;
		nl = memchr(hit, '\n', (size_t)(end - hit));
		line = (struct slice){from, (size_t)((nl ? nl : end) - from)};
		if (rule_of_line(best, h, &line, text, partial))
			return true;
		if (*partial)
			return false;
		p = nl ? nl + 1 : end;
	}
	return false;
}

static int add_title(struct string_set *set, struct title *t, const char *except)
{
	title_normalise(t);
	return t->n && (!except || strcmp(t->s, except)) ? string_set_add(set, t->s, t->n) : 0;
}

/*
 * The alternatives, with the frames as titles have them and, as reports of the same bug may come
 * from another kernel or machine, with the syscall prefix as it stands and partly cut.
 */
static int add_alternatives(struct string_set *alt, const struct finding *f, const char *title)
{
	const char *names[FRAMES_MAX];
	size_t n = f->frames.n;
	struct title t;
	int err = 0;

	for (int cut = -2; !err; cut++) {
		bool changed = cut < 0;

		for (size_t i = 0; i < n; i++) {
			const char *raw = f->frames.f[i].raw;

			names[i] = cut == -2 ? f->frames.f[i].name : raw;
			if (cut >= 0 && !frame_cut_prefix((size_t)cut, raw, &names[i]))
				return 0;
			changed |= names[i] != raw;
		}
		if (!n && cut > -2)
			return 0;
		if (!changed)
			continue;
		if (cut > -2 || f->rule->keep_wording) {
			title_fill(&t, f->rule->name, f->cap, f->ncap, names, n);
			err = add_title(alt, &t, title);
		}
		for (int i = 0; !err && i < 2 && f->rule->alt[i]; i++) {
			title_fill(&t, f->rule->alt[i], f->cap, f->ncap, names, n);
			err = add_title(alt, &t, NULL);
		}
	}
	return err;
}

/* Where syzbot's way to the function leads nowhere, and there is another one. */
static int add_unheard(struct string_set *alt, const struct finding *f, const struct slice *text,
	const char *title)
{
	struct rule rule = *f->rule;
	struct finding g = *f;

	if (f->complete || rule.unheard[0].kind == STEP_END)
		return 0;
	memcpy(rule.steps, f->rule->unheard, sizeof(rule.steps));
	rule.otherwise[0].kind = STEP_END;
	rule.pick = PICK_STALL_FAULT;
	rule.keep_wording = true;
	g.rule = &rule;
	if (!frames_find(&g.frames, &rule, text->p, text->n))
		return 0;
	return add_alternatives(alt, &g, title);
}

/* The line itself, from its header on. */
static void plain_title(struct title *t, const struct header *h, const struct slice *text)
{
	const char *end = text->p + text->n;
	const char *hit = memmem(text->p, text->n, h->text, strlen(h->text)), *nl;

	if (h->role == HEADER_KNOWN || !hit)
		hit = text->p;
	nl = memchr(hit, '\n', (size_t)(end - hit));
	title_set(t, hit, (size_t)((nl ? nl : end) - hit));
}

static bool holds(const struct slice *s, const char *what)
{
	return memmem(s->p, s->n, what, strlen(what));
}

/*
 * Whether the report is cut off or mixed with other output. raw is the title before
 * normalisation.
 */
static bool is_corrupted(
	const struct finding *f, const struct title *raw, const struct report_text *t)
{
	if (holds(&t->all, "serialport: VM disconnected."))
		return true;
	if (f->rule && (f->rule->corrupted || !f->complete))
		return true;
	if (title_is_mixed(raw))
		return true;
	if (!f->rule || f->rule->traceless)
		return false;
	return frame_stacks_broken(t->all.p, t->all.n);
}

/* Tools that ran out of memory on the same console. */
static bool is_suppressed(const struct report_text *t)
{
	static const char *const patterns[] = {
		"panic: *cannot allocate memory",
		"panic: failed to start executor binary",
		"panic: executor failed: pthread_create failed",
		"panic: failed to create temp dir",
		"fatal error: {runtime: |}{out of memory|cannot allocate memory}",
		"fatal error: newosproc",
		"fatal error: unexpected signal during runtime execution",
		"signal SIGBUS: bus error",
		"INIT: PANIC: segmentation violation!",
	};

	if (!holds(&t->own, "panic: ") && !holds(&t->own, "PANIC: ") &&
		!holds(&t->own, "fatal error: ") && !holds(&t->own, "SIGBUS"))
		return false;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (pattern_find_line(patterns[i], t->own.p, t->own.n, NULL, NULL))
			return true;
	return false;
}

/* What the report in the lead would have been called. */
static int add_herald(struct report *r, const struct report_text *t)
{
	struct report_text lead = {.header = t->herald, .own = t->lead, .all = t->lead};
	struct report h = {.title = NULL};
	int err;

	if (!t->herald || !holds(&t->lead, t->herald->text))
		return 0;
	err = report_describe(&h, &lead);
	if (!err && strcmp(h.title, r->title))
		err = string_set_add(&r->alt, h.title, strlen(h.title));
	report_release(&h);
	return err;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Puts title, frame and type in place. */
static int publish(struct report *r, const struct finding *f, struct title *title)
{
	struct slice frame = title_frame(title);

	if (f->rule && f->rule->keep_wording)
		frame = (struct slice){
			f->frames.f[0].name, f->frames.n ? strlen(f->frames.f[0].name) : 0};
	r->title = strndup(title->s, title->n);
	r->frame = strndup(frame.p, frame.n);
	if (!r->title || !r->frame)
		return -ENOMEM;
	r->out.title = r->title;
	r->out.frame = r->frame;
	r->out.type = title_type(r->title);
	return 0;
}

int report_describe(struct report *r, const struct report_text *t)
{
	struct finding f = {.rule = NULL};
	const struct slice *text = holds(&t->own, t->header->text) ? &t->own : &t->first;
	const char *names[FRAMES_MAX];
	struct title title;
	const struct rule *partial;
	bool theirs; /* a program wrote it */
	int err;

	if (!find_rule(&f, t->header, text, &partial))
		f = (struct finding){.rule = NULL};
	if (f.rule && !f.rule->keep_wording) {
		for (size_t i = 0; i < f.frames.n; i++)
			names[i] = f.frames.f[i].name;
		title_fill(&title, f.rule->name, f.cap, f.ncap, names, f.frames.n);
	} else {
		plain_title(&title, t->header, text);
	}
	theirs = t->bare && t->header->common_word && !f.rule && !partial;
	r->out.crash = t->header->role != HEADER_KNOWN && !theirs;
	r->out.kind = f.rule ? f.rule->kind : partial ? partial->kind : t->header->kind;
	if (theirs)
		r->out.kind = "user-text";
	r->out.corrupted = r->out.crash && (is_corrupted(&f, &title, t) ||
						   (!f.rule && partial && !partial->keep_wording));
	r->out.suppressed = r->out.crash && is_suppressed(t);
	title_normalise(&title);
	err = publish(r, &f, &title);
	if (!err && f.rule)
		err = add_alternatives(&r->alt, &f, r->title);
	if (!err && f.rule)
		err = add_unheard(&r->alt, &f, text, r->title);
	if (!err && r->out.crash)
		err = mm_detail(&r->alt, r->title, t);
	if (!err)
		err = add_herald(r, t);
	if (err)
		return err;
	if (r->alt.n)
		qsort(r->alt.s, r->alt.n, sizeof(r->alt.s[0]), by_name);
	r->out.alt = (const char *const *)r->alt.s;
	r->out.nalt = r->alt.n;
	return 0;
}

void report_release(struct report *r)
{
	string_set_free(&r->alt);
	free(r->title);
	free(r->frame);
}
