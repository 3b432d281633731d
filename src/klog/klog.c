/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stream: bytes into lines, lines to the reports that are open, open reports to ready ones.
 *
 * A kernel report has no end mark that can be relied on, and other CPUs write in between. So a
 * report stays open, and takes the lines of its context, until enough has been seen after its
 * start or klog_flush().
 */
#include "klog/klog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "header.h"
#include "line.h"
#include "report.h"

#define CHUNK (64U << 10)
#define HISTORY (8U << 10) /* kept from before the unread bytes, for the lines before a report */
#define LINE_CUT (32U << 10) /* longer lines are taken in pieces */
#define OPEN_MAX_REPORTS 16
#define REPORT_LINES 5000
#define WINDOW (1U << 20) /* bytes of log after its start at which a report is closed */
#define NEAR_LINES 60 /* what follows within so many of its lines is part of the same event */
#define PANIC_LINES 400 /* the same, for a panic after an oops or a lockup */
#define LEAD_LINES 24
#define LEAD_LINES_TASK 50 /* with caller ids they are surely the same task's */

struct pending {
	struct pending *next;
	struct report report;
	const struct header *header;
	const struct header *herald; /* what it began as, before the header took over */
	uint64_t ctx;
	char *text;
	size_t len, cap;
	size_t lead_len; /* lines from before the header */
	size_t own_end; /* end of the lines before another report started */
	char *first; /* the first line as it came */
	size_t first_len;
	size_t lines;
	bool bare; /* the first line lacks the prefix that the kernel's lines have */
	bool second; /* another report has started */
	bool skipping; /* a consequence is being told: nothing new */
	bool all_cpus; /* other CPUs' stacks were asked for and belong to it */
	bool closed;
};

struct klog {
	struct klog_options opt;
	struct header_filter filter;
	struct line_form form;
	size_t formed; /* bytes of buf whose lines have shown their form */
	size_t lived; /* bytes of buf that have been searched for signs of a running kernel, */
	bool alive; /* and one was there */
	char *buf;
	size_t len, cap;
	size_t done; /* bytes of buf that have been looked at */
	bool replayed; /* printk says that it repeats its last message */
	uint64_t base; /* stream offset of buf[0] */
	uint64_t newlines; /* in the stream before buf[counted] */
	size_t counted;
	struct pending *open[OPEN_MAX_REPORTS];
	size_t nopen;
	struct pending *head, **tail; /* all reports not handed out, in the order of their starts */
	struct pending *out; /* handed out last */
};

/* What a line means to the reports that are open. */
struct meaning {
	const struct log_line *line;
	const struct header *header; /* it has one */
	bool restarts; /* it starts another report, or tells of something else with a stack */
	bool panic, circular, nmi, taint_note;
};

int klog_new(struct klog **ret, const struct klog_options *opt)
{
	struct klog *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	if (opt)
		k->opt = *opt;
	if (!k->opt.max_text)
		k->opt.max_text = 256U << 10;
	if (k->opt.max_text < 4U << 10)
		k->opt.max_text = 4U << 10;
	if (k->opt.max_text > 1U << 20)
		k->opt.max_text = 1U << 20;
	k->cap = HISTORY + LINE_CUT + CHUNK;
	k->buf = malloc(k->cap);
	if (!k->buf) {
		free(k);
		return -ENOMEM;
	}
	k->tail = &k->head;
	header_filter_init(&k->filter);
	*ret = k;
	return 0;
}

static void pending_free(struct pending *p)
{
	if (!p)
		return;
	report_release(&p->report);
	free(p->first);
	free(p->text);
	free(p);
}

void klog_free(struct klog *k)
{
	if (!k)
		return;
	pending_free(k->out);
	while (k->head) {
		struct pending *p = k->head;

		k->head = p->next;
		pending_free(p);
	}
	free(k->buf);
	free(k);
}

static bool has(const struct slice *s, const char *what)
{
	return memmem(s->p, s->n, what, strlen(what));
}

static uint64_t count_newlines(const char *p, const char *end)
{
	const uint64_t ones = 0x0101010101010101ULL, low = 0x7f7f7f7f7f7f7f7fULL;
	uint64_t count = 0, v;

	for (; end - p >= 8; p += 8) {
		memcpy(&v, p, 8);
		v ^= ones * '\n';
		/* The high bit of each byte that is zero, exactly. */
		v = ~(((v & low) + low) | v | low);
		count += (uint64_t)__builtin_popcountll(v);
	}
	while (p < end)
		count += *p++ == '\n';
	return count;
}

/* The number of the line that starts at a place in the buffer; places only grow. */
static uint64_t line_number(struct klog *k, const char *at)
{
	if (at > k->buf + k->counted) {
		k->newlines += count_newlines(k->buf + k->counted, at);
		k->counted = (size_t)(at - k->buf);
	}
	return k->newlines + 1;
}

static int append(struct pending *p, const struct slice *s)
{
	size_t need = p->len + s->n + 2;

	if (need > p->cap) {
		size_t cap = need + need / 2 + 512;
		char *more = realloc(p->text, cap);

		if (!more)
			return -ENOMEM;
		p->text = more;
		p->cap = cap;
	}
	memcpy(p->text + p->len, s->p, s->n);
	p->len += s->n;
	p->text[p->len++] = '\n';
	p->text[p->len] = 0;
	return 0;
}

/* Makes the report and takes it off the open ones. */
static int pending_close(struct klog *k, struct pending *p)
{
	struct klog_report *out = &p->report.out;
	struct report_text t = {
		.header = p->header,
		.bare = p->bare,
		.herald = p->herald,
		.lead = {p->text, p->lead_len},
		.own = {p->text + p->lead_len, p->own_end - p->lead_len},
		.all = {p->text + p->lead_len, p->len - p->lead_len},
		.first = {p->first, p->first_len},
	};
	int err = report_describe(&p->report, &t);

	out->text = p->text;
	out->text_len = p->own_end;
	out->lead_len = p->lead_len;
	p->text[p->own_end] = 0;
	p->closed = true;
	for (size_t i = 0; i < k->nopen; i++) {
		if (k->open[i] == p) {
			memmove(&k->open[i], &k->open[i + 1],
				(k->nopen - i - 1) * sizeof(k->open[0]));
			k->nopen--;
			break;
		}
	}
	return err;
}

/* How far back from a line the buffer surely reaches, however the input was cut into pieces. */
static const char *history_start(const struct klog *k, const char *line_start)
{
	return line_start - k->buf > (ptrdiff_t)HISTORY ? line_start - HISTORY : k->buf;
}

/* The lines of the same context that stand right before a place in the buffer. */
static int add_lead(struct klog *k, struct pending *p, const char *before)
{
	size_t max = context_is_task(p->ctx) ? LEAD_LINES_TASK : LEAD_LINES, n = 0;
	const char *start = history_start(k, before), *at = before;
	struct log_line lines[LEAD_LINES_TASK];
	int err = 0;

	while (n < max && at > start) {
		const char *from = memrchr(start, '\n', (size_t)(at - 1 - start));
		struct line_form form = k->form;
		struct log_line *l = &lines[n];

		if (!from && (start != k->buf || k->base))
			break;
		from = from ? from + 1 : start;
		line_parse(l, &form, k->opt.plain, from, (size_t)(at - 1 - from));
		at = from;
		if (l->ctx != p->ctx || l->foreign || l->questionable || !l->text.n)
			continue;
		if (has(&l->text, "---[ end trace"))
			break;
		n++;
	}
	while (n && !err)
		err = append(p, &lines[--n].text);
	p->lead_len = p->own_end = p->len;
	return err;
}

static int pending_open(
	struct klog *k, const struct header *h, const struct log_line *l, const char *line_start)
{
	struct pending *p = calloc(1, sizeof(*p));
	int err = -ENOMEM;

	if (!p)
		return err;
	p->header = h;
	p->ctx = l->ctx;
	p->bare = l->ctx == CONTEXT_NONE && k->form.stamped;
	p->first = malloc(l->raw.n + 2);
	if (!p->first)
		goto fail;
	memcpy(p->first, l->raw.p, l->raw.n);
	memcpy(p->first + l->raw.n, "\n", 2);
	p->first_len = l->raw.n + 1;
	if (h->role != HEADER_KNOWN)
		err = add_lead(k, p, line_start);
	else
		err = 0;
	if (!err)
		err = append(p, &l->text);
	if (err)
		goto fail;
	p->own_end = p->len;
	p->lines = 1;
	p->report.out.panicked = has(&l->raw, "Kernel panic - not syncing");
	p->report.out.start = k->base + (uint64_t)(line_start - k->buf);
	p->report.out.end = p->report.out.start + (uint64_t)(l->raw.p + l->raw.n - line_start);
	p->report.out.line = line_number(k, line_start);
	p->report.out.time_us = l->time_us;
	if (k->nopen == OPEN_MAX_REPORTS)
		err = pending_close(k, k->open[0]);
	k->open[k->nopen++] = p;
	*k->tail = p;
	k->tail = &p->next;
	if (!err && h->role == HEADER_KNOWN)
		err = pending_close(k, p);
	return err;
fail:
	pending_free(p);
	return err;
}

/*
 * The line that a report of ours began with was only the herald of a common one: that takes its
 * place.
 */
static int take_over(struct pending *p, const struct header *h, const struct log_line *l)
{
	char *first = malloc(l->raw.n + 2);

	if (!first)
		return -ENOMEM;
	memcpy(first, l->raw.p, l->raw.n);
	memcpy(first + l->raw.n, "\n", 2);
	free(p->first);
	p->first = first;
	p->first_len = l->raw.n + 1;
	p->herald = p->header;
	p->header = h;
	p->lead_len = p->len;
	p->lines = 1;
	p->second = p->skipping = false;
	p->report.out.panicked |= has(&l->raw, "Kernel panic - not syncing");
	if (append(p, &l->text))
		return -ENOMEM;
	p->own_end = p->len;
	return 0;
}

/*
 * Whether an open report's text ends where another one starts: without caller ids nothing tells
 * them apart.
 */
static bool shares_context(const struct pending *p)
{
	return p->ctx == CONTEXT_NONE || p->ctx == CONTEXT_CONSOLE;
}

/*
 * A panic or a lock report after enough of a report is its consequence and would only hide its
 * end.
 */
static bool is_aftermath(const struct pending *p, const struct meaning *m)
{
	size_t enough = has(&(struct slice){p->first, p->first_len}, "BUG: KMSAN:") ? 16 : 22;

	return (m->panic || m->circular) && p->lines > enough;
}

static int feed(struct pending *p, const struct meaning *m)
{
	const struct log_line *l = m->line;
	bool skip;
	int err;

	p->report.out.panicked |= m->panic;
	p->second |= m->restarts;
	if (m->header && m->header->role == HEADER_OURS && p->header->role == HEADER_OURS &&
		p->lines > (m->header->near ? m->header->near : NEAR_LINES))
		p->second = true;
	if (l->foreign || l->questionable)
		return 0;
	if (l->ctx != p->ctx && !(p->all_cpus && context_is_cpu(l->ctx)))
		return 0;
	p->lines++;
	skip = p->skipping;
	if (m->taint_note)
		skip = true;
	else if (m->nmi)
		p->all_cpus = true;
	else if (is_aftermath(p, m))
		skip = p->skipping = true;
	if (skip)
		return 0;
	err = append(p, &l->text);
	if (!p->second || !shares_context(p))
		p->own_end = p->len;
	return err;
}

/* Panics that only end what an earlier report has told. */
static bool panic_ends_report(const struct log_line *l)
{
	return pattern_find(
		"{---[ end Kernel panic|"
		"Kernel panic - not syncing: {*panic_on_|*Fatal exception|Fatal |hung_task: |"
		"softlockup: |Hard LOCKUP|RCU Stall|Attempted to kill |Machine halted|kasan|KASAN|"
		"UBSAN|KFENCE}}",
		l->raw.p, l->raw.n, NULL);
}

static struct pending *open_in(struct klog *k, uint64_t ctx, size_t max_lines)
{
	for (size_t i = k->nopen; i-- > 0;)
		if (k->open[i]->ctx == ctx && k->open[i]->lines <= max_lines)
			return k->open[i];
	return NULL;
}

/*
 * One that a common header takes over, as it began with a line that syzbot has no word for. A
 * panic may come late: it ends what that line told of.
 */
static struct pending *herald_in(struct klog *k, const struct header *h, uint64_t ctx)
{
	struct pending *p = open_in(k, ctx, REPORT_LINES);
	size_t near = p && p->header->panics && h->role == HEADER_WITHIN ? PANIC_LINES : NEAR_LINES;

	return p && p->header->role == HEADER_OURS && p->lines <= near ? p : NULL;
}

/* Whether a line with a header belongs to a report that is open already. */
static bool belongs(struct klog *k, const struct header *h, const struct log_line *l)
{
	/* SLUB's and the hung-task detector's details have a header's form. */
	static const char details[] = "INFO: {Freed in|Allocated in|Object 0x|Slab 0x|"
				      "task * blocked on {a|an} }";

	if (h->role == HEADER_KNOWN || !k->nopen)
		return false;
	if (pattern_find(details, l->raw.p, l->raw.n, NULL))
		return open_in(k, l->ctx, NEAR_LINES);
	if (h->role == HEADER_OURS)
		return open_in(k, l->ctx, (h->near ? h->near : NEAR_LINES) + 1);
	if (!header_is_consequence(h, l) || !strncmp(h->text, "unregister", 10))
		return false;
	if (!strcmp(h->text, "Kernel panic") && panic_ends_report(l))
		return true;
	return open_in(k, l->ctx, NEAR_LINES);
}

/* Whether a line tells of a kernel that runs, or of a program on it. */
static bool shows_life(const char *p, size_t n)
{
	static const char *const texts[] = {
		"Linux version ", " login: ", "reboot: ", "executing program"};

	if (n && p[0] == '[' && pattern_find("^[%-%d.%d]", p, n, NULL))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (memmem(p, n, texts[i], strlen(texts[i])))
			return true;
	return false;
}

/*
 * "Booting the kernel." is a reboot only if a kernel ran before. Lines are looked at once, and
 * only those right before such a line: most of a log is never parsed.
 */
static bool is_first_boot(struct klog *k, const struct header *h, const char *line_start)
{
	const char *p = history_start(k, line_start), *nl;

	if (strcmp(h->text, "Booting the kernel."))
		return false;
	if (p < k->buf + k->lived)
		p = k->buf + k->lived;
	else if (p > k->buf || k->base)
		p = memchr(p, '\n', (size_t)(line_start - p));
	for (; p && p < line_start && !k->alive; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(line_start - p));
		if (!nl)
			break;
		k->alive = shows_life(p, (size_t)(nl - p));
	}
	k->lived = (size_t)(line_start - k->buf);
	return !k->alive;
}

static int close_finished(struct klog *k, uint64_t offset)
{
	int err = 0;

	for (size_t i = 0; i < k->nopen && !err;) {
		struct pending *p = k->open[i];

		if (p->len - p->lead_len >= k->opt.max_text || p->lines >= REPORT_LINES ||
			offset - p->report.out.start > WINDOW)
			err = pending_close(k, p);
		else
			i++;
	}
	return err;
}

static void understand(struct meaning *m, const struct log_line *l, const struct header *h)
{
	const struct slice *raw = &l->raw;

	*m = (struct meaning){.line = l, .header = h};
	if (l->foreign)
		return;
	m->restarts = h && (h->role == HEADER_MAIN || h->role == HEADER_WITHIN) &&
		      !header_is_consequence(h, l);
	if (!m->restarts)
		m->restarts = has(raw, "vmalloc: allocation failure:") ||
			      has(raw, "FAULT_INJECTION: forcing a failure") ||
			      has(raw, "FAULT_FLAG_ALLOW_RETRY missing");
	m->panic = has(raw, "Kernel panic - not syncing");
	m->circular = has(raw, "WARNING: possible circular locking dependency detected");
	m->nmi = has(raw, "Sending NMI from CPU");
	m->taint_note = has(raw, "Disabling lock debugging due to kernel taint");
}

/*
 * Learns the log's form from the lines right before one in the buffer, as clean lines are not
 * parsed.
 */
static void learn_form(struct klog *k, const char *line_start)
{
	const char *p = history_start(k, line_start), *nl;
	struct log_line l;

	if (p < k->buf + k->formed) {
		p = k->buf + k->formed;
	} else if (p > k->buf || k->base) {
		p = memchr(p, '\n', (size_t)(line_start - p));
		p = p ? p + 1 : line_start;
	}
	for (; p < line_start; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(line_start - p));
		if (!nl)
			break;
		line_parse(&l, &k->form, k->opt.plain, p, (size_t)(nl - p));
	}
	k->formed = (size_t)(line_start - k->buf);
}

/* One line at [s, end) in the buffer. */
static int take_line(struct klog *k, const char *s, const char *end)
{
	uint64_t end_offset = k->base + (uint64_t)(end - k->buf);
	const struct header *h = NULL;
	struct pending *herald = NULL;
	struct log_line l;
	struct meaning m;
	int err = 0;

	learn_form(k, s);
	line_parse(&l, &k->form, k->opt.plain, s, (size_t)(end - s));
	if (header_filter_scan(&k->filter, s, end) < end)
		h = header_of(&l);
	if (h && is_first_boot(k, h, s))
		h = NULL;
	if (!h && !k->nopen)
		return 0;
	understand(&m, &l, h);
	if (h && (h->role == HEADER_MAIN || h->role == HEADER_WITHIN))
		herald = herald_in(k, h, l.ctx);
	for (size_t i = 0; i < k->nopen && !err; i++) {
		struct pending *p = k->open[i];
		size_t before = p->own_end;

		err = p == herald ? take_over(p, h, &l) : feed(p, &m);
		if (p->own_end > before)
			p->report.out.end = end_offset;
	}
	if (k->replayed && k->nopen)
		h = NULL;
	k->replayed = has(&l.text, "** replaying previous printk message **");
	if (!err && h && !herald && !belongs(k, h, &l))
		err = pending_open(k, h, &l, s);
	return err ? err : close_finished(k, end_offset);
}

/*
 * Takes a line in pieces. Of one that has no end yet, all but its last piece. Returns what is
 * left of it.
 */
static const char *take_pieces(struct klog *k, const char *p, const char *end, bool ends, int *err)
{
	while (end - p > (ptrdiff_t)LINE_CUT && !*err) {
		*err = take_line(k, p, p + LINE_CUT);
		p += LINE_CUT;
	}
	if (!ends || *err)
		return p;
	*err = take_line(k, p, end);
	return end;
}

/* Looks at the lines that are complete; with `all`, at the rest as well. */
static int take_lines(struct klog *k, bool all)
{
	const char *p = k->buf + k->done, *end = k->buf + k->len;
	const char *last = p < end ? memrchr(p, '\n', (size_t)(end - p)) : NULL;
	const char *whole = last ? last + 1 : p;
	int err = 0;

	while (p < whole && !err) {
		const char *from = p, *nl;

		if (!k->nopen) {
			const char *hit = header_filter_scan(&k->filter, p, whole);

			if (hit == whole) {
				p = whole;
				break;
			}
			from = memrchr(p, '\n', (size_t)(hit - p));
			from = from ? from + 1 : p;
		}
		nl = memchr(from, '\n', (size_t)(whole - from));
		p = take_pieces(k, from, nl, true, &err) + 1;
	}
	if (!err && p < end)
		p = take_pieces(k, p, end, all, &err);
	k->done = (size_t)(p - k->buf);
	return err;
}

/* Drops what is no longer needed from the buffer's start. */
static void forget(struct klog *k)
{
	size_t drop = k->done > HISTORY ? k->done - HISTORY : 0;

	if (!drop)
		return;
	line_number(k, k->buf + drop);
	k->counted -= drop;
	k->formed -= k->formed < drop ? k->formed : drop;
	k->lived -= k->lived < drop ? k->lived : drop;
	memmove(k->buf, k->buf + drop, k->len - drop);
	k->base += drop;
	k->len -= drop;
	k->done -= drop;
}

int klog_push(struct klog *k, const char *data, size_t len)
{
	while (len) {
		size_t room = k->cap - k->len, n = len < room ? len : room;
		int err;

		memcpy(k->buf + k->len, data, n);
		k->len += n;
		data += n;
		len -= n;
		err = take_lines(k, false);
		forget(k);
		if (err)
			return err;
	}
	return 0;
}

int klog_flush(struct klog *k)
{
	int err = take_lines(k, true);

	forget(k);
	while (k->nopen) {
		int e = pending_close(k, k->open[0]);

		err = err ? err : e;
	}
	return err;
}

const struct klog_report *klog_next(struct klog *k)
{
	struct pending *p = k->head;

	if (!p || !p->closed)
		return NULL;
	pending_free(k->out);
	k->head = p->next;
	if (!k->head)
		k->tail = &k->head;
	k->out = p;
	return &p->report.out;
}
