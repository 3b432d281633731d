/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text form of a program:
 *
 *	program 1
 *	slot heap backing=anon size=8M huge=always maps=1 noreserve=0 shift=0 align=2M
 *	lane 0 proc=0 offset=1500ns
 *		touch slot=heap view=0 off=512 pages=64 ...
 *		meet=1 aim=1.0@500 move_pages slot=heap ...
 *
 * Timings stand before their op and make it "program 2". A lane's place, "cpu=3 preempt=1" behind its offset, makes it "program 3".
 * Lanes are in order, each followed by its ops. A # begins a comment. Slots are printed by name;
 * one that the program does not have (an executor folds it into those that there are) by number.
 */
#include "plan/program.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "plan/line.h"
#include "plan/number.h"
#include "plan/suggest.h"

enum { LINE_MAX_BYTES = 2048, OP_TEXT_MAX = 1024 };

/* ---- printing ---- */

struct text { /* what snprintf would have written; len may pass size */
	char *buf;
	size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
	size_t at = t->len < t->size ? t->len : t->size;
	va_list ap;

	va_start(ap, fmt);
	t->len += (size_t)vsnprintf(t->buf ? t->buf + at : NULL, t->size - at, fmt, ap);
	va_end(ap);
}

static void add_flags(struct text *t, const struct arg_desc *d, uint32_t v)
{
	const char *gap = "";

	for (unsigned int i = 0; d->words[i].name; i++) {
		if (!(v >> i & 1))
			continue;
		add(t, "%s%s", gap, d->words[i].name);
		gap = "|";
	}
	if (!*gap)
		add(t, "0");
}

static void add_arg(struct text *t, const struct arg_desc *d, uint32_t v,
	const struct slot_spec *slot, unsigned int nslots)
{
	char time[32];

	add(t, " %s=", d->name);
	switch (d->kind) {
	case ARG_SLOT:
		if (v < nslots)
			add(t, "%s", slot[v].name);
		else
			add(t, "%" PRIu32, v);
		break;
	case ARG_ENUM:
		add(t, "%s", d->words[v].name);
		break;
	case ARG_FLAGS:
		add_flags(t, d, v);
		break;
	case ARG_NS:
		number_print_time(v, time, sizeof(time));
		add(t, "%s", time);
		break;
	default:
		add(t, "%" PRIu32, v);
	}
}

static int print_op(const struct op_call *c, uint32_t which, const struct slot_spec *slot,
	unsigned int nslots, char *buf, size_t size)
{
	const struct op *op = op_get(c->op);
	struct text t = {buf, size, 0};
	unsigned int nargs = op ? op_nargs(op) : 0;

	if (!op) {
		add(&t, "op%u", c->op);
		return (int)t.len;
	}
	add(&t, "%s", op->name);
	for (unsigned int i = 0; i < nargs; i++)
		if (which >> i & 1)
			add_arg(&t, &op->args[i], arg_fold(&op->args[i], c->arg[i]), slot, nslots);
	return (int)t.len;
}

int program_print_op(const struct op_call *c, char *buf, size_t size)
{
	return print_op(c, UINT32_MAX, NULL, 0, buf, size);
}

int program_print_op_named(const struct op_call *c, uint32_t which, const struct slot_spec *slot,
	unsigned int nslots, char *buf, size_t size)
{
	return print_op(c, which, slot, nslots, buf, size);
}

static void print_slot(const struct slot_spec *s, FILE *out)
{
	char size[32], huge_size[32], align[32];

	number_print_size(s->size, size, sizeof(size));
	number_print_size(s->align, align, sizeof(align));
	number_print_size(s->huge_size, huge_size, sizeof(huge_size));
	fprintf(out,
		"slot %s backing=%s size=%s huge=%s maps=%u noreserve=%u shift=%" PRIu32
		" align=%s",
		s->name, backing_name(s->backing), size, slot_huge_name(s->huge), s->maps,
		s->noreserve, s->shift, align);
	fprintf(out, s->huge_size ? " huge_size=%s\n" : "\n", huge_size);
}

/* "meet=1 delay=3us " and the like, or nothing. */
static void add_timing(struct text *t, const struct op_timing *m)
{
	char time[32];

	if (m->meet)
		add(t, "meet=%u ", m->meet);
	if (m->aim != AIM_NONE)
		add(t, "%s=%u.%u@%d ", m->aim == AIM_END ? "aim_end" : "aim", m->aim_lane,
			m->aim_op, m->aim_phase);
	if (!m->delay_ns)
		return;
	number_print_time(m->delay_ns, time, sizeof(time));
	add(t, "delay=%s ", time);
}

static void print_timing(const struct program_lane *l, unsigned int i, FILE *out)
{
	char text[128] = "";
	struct text t = {text, sizeof(text), 0};

	if (l->timed >> i & 1)
		add_timing(&t, &l->timing[i]);
	fputs(text, out);
}

static void print_lane(const struct program *p, unsigned int n, FILE *out)
{
	const struct program_lane *l = &p->lane[n];
	char text[OP_TEXT_MAX];

	number_print_time(l->offset_ns, text, sizeof(text));
	fprintf(out, "lane %u proc=%u offset=%s", n, l->proc, text);
	if (l->pin)
		fprintf(out, " cpu=%u", l->pin - 1U);
	fputs(l->preempt ? " preempt=1\n" : "\n", out);
	for (unsigned int i = 0; i < l->nops; i++) {
		print_op(&l->op[i], UINT32_MAX, p->slot, p->nslots, text, sizeof(text));
		fputc('\t', out);
		print_timing(l, i, out);
		fprintf(out, "%s\n", text);
	}
}

int program_print(const struct program *p, FILE *out)
{
	bool timed = false, placed = false;

	for (unsigned int i = 0; i < p->nlanes; i++) {
		timed |= p->lane[i].timed != 0;
		placed |= p->lane[i].pin || p->lane[i].preempt;
	}
	fprintf(out, "program %d\n", placed ? 3 : timed ? 2 : 1);
	for (unsigned int i = 0; i < p->nslots; i++)
		print_slot(&p->slot[i], out);
	for (unsigned int i = 0; i < p->nlanes; i++)
		print_lane(p, i, out);
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}

/* ---- parsing: the values ---- */

struct message {
	char *buf;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static int wrong(
	const struct message *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->buf, m->size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int parse_number(
	const char *name, const char *text, uint64_t max, uint32_t *ret, const struct message *m)
{
	uint64_t v;

	if (number_parse(text, &v) < 0)
		return wrong(m, "%s=%.40s: not a number", name, text);
	if (v > max)
		return wrong(m, "%s=%.40s: at most %" PRIu64, name, text, max);
	*ret = (uint32_t)v;
	return 0;
}

static int parse_time(
	const char *name, const char *text, uint64_t max, uint32_t *ret, const struct message *m)
{
	char most[32];
	uint64_t v;

	if (number_parse_time(text, 1, &v) < 0)
		return wrong(m, "%s=%.40s: not a time (a number with ns, us or ms)", name, text);
	number_print_time(max, most, sizeof(most));
	if (v > max)
		return wrong(m, "%s=%.40s: at most %s", name, text, most);
	*ret = (uint32_t)v;
	return 0;
}

static int parse_slot_name(const char *text, const struct slot_spec *slot, unsigned int nslots,
	uint32_t *ret, const struct message *m)
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;
	uint64_t v;

	suggest_start(&s, text);
	for (unsigned int i = 0; i < nslots; i++) {
		if (strcmp(slot[i].name, text) == 0) {
			*ret = i;
			return 0;
		}
		suggest_try(&s, slot[i].name);
	}
	if (number_parse(text, &v) == 0 && v < SLOT_MAX) {
		*ret = (uint32_t)v;
		return 0;
	}
	return wrong(m, "there is no slot \"%.40s\"%s", text, suggest_text(&s, hint));
}

/* Index of a word, or -EINVAL with a message. */
static int parse_word(const struct arg_desc *d, const char *text, const struct message *m)
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;

	suggest_start(&s, text);
	for (int i = 0; d->words[i].name; i++) {
		if (strcmp(d->words[i].name, text) == 0)
			return i;
		suggest_try(&s, d->words[i].name);
	}
	return wrong(m, "%s has no value \"%.40s\"%s", d->name, text, suggest_text(&s, hint));
}

static int parse_flags(const struct arg_desc *d, char *text, uint32_t *ret, const struct message *m)
{
	uint32_t v = 0;
	char *word;

	if (strcmp(text, "0") == 0) {
		*ret = 0;
		return 0;
	}
	if (!*text)
		return wrong(m, "%s has no value", d->name);
	while ((word = line_word(&text, "|"))) {
		int i = parse_word(d, word, m);

		if (i < 0)
			return i;
		v |= 1U << i;
	}
	*ret = v;
	return 0;
}

static int parse_value(const struct arg_desc *d, char *text, const struct slot_spec *slot,
	unsigned int nslots, uint32_t *ret, const struct message *m)
{
	int r;

	switch (d->kind) {
	case ARG_SLOT:
		return parse_slot_name(text, slot, nslots, ret, m);
	case ARG_ENUM:
		r = parse_word(d, text, m);
		if (r < 0)
			return r;
		*ret = (uint32_t)r;
		return 0;
	case ARG_FLAGS:
		return parse_flags(d, text, ret, m);
	case ARG_NS:
		r = parse_time(d->name, text, d->max, ret, m);
		break;
	case ARG_INT:
		r = parse_number(d->name, text, d->max, ret, m);
		break;
	default:
		r = parse_number(d->name, text, UINT32_MAX, ret, m);
	}
	if (r == 0 && arg_fold(d, *ret) != *ret)
		return wrong(m, "%s=%s: out of range", d->name, text);
	return r;
}

/* ---- parsing: an op ---- */

static int parse_arg(const struct op *op, char *word, const struct slot_spec *slot,
	unsigned int nslots, struct op_call *c, uint32_t *given, const struct message *m)
{
	char *value = line_cut(word, '='), hint[SUGGEST_TEXT_MAX];
	unsigned int nargs = op_nargs(op);
	struct suggest s;

	if (!value)
		return wrong(m, "%s: \"%.40s\" is not ARGUMENT=VALUE", op->name, word);
	suggest_start(&s, word);
	for (unsigned int i = 0; i < nargs; i++) {
		suggest_try(&s, op->args[i].name);
		if (strcmp(op->args[i].name, word) != 0)
			continue;
		if (*given >> i & 1)
			return wrong(m, "%s: %s is given twice", op->name, word);
		*given |= 1U << i;
		return parse_value(&op->args[i], value, slot, nslots, &c->arg[i], m);
	}
	return wrong(m, "%s has no argument \"%.40s\"%s", op->name, word, suggest_text(&s, hint));
}

static int parse_op_name(const char *name, uint8_t *ret, const struct message *m)
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;
	int n = op_find(name);

	if (n >= 0) {
		*ret = (uint8_t)n;
		return 0;
	}
	suggest_start(&s, name);
	for (unsigned int i = 0; i < OP_NUMBERS; i++)
		if (op_get(i))
			suggest_try(&s, op_get(i)->name);
	return wrong(m, "there is no op \"%.40s\"%s", name, suggest_text(&s, hint));
}

int program_parse_op(const char *text, const struct slot_spec *slot, unsigned int nslots,
	struct op_call *c, uint32_t *ret_given, char *err, size_t err_size)
{
	const struct message m = {err, err_size};
	char line[LINE_MAX_BYTES], *cursor = line, *word;
	struct op_call call = {0};
	uint32_t given = 0;
	int r;

	if (strlen(text) >= sizeof(line))
		return wrong(&m, "the op is longer than %d bytes", LINE_MAX_BYTES - 1);
	strcpy(line, text);
	word = line_word(&cursor, "");
	if (!word)
		return wrong(&m, "an op is expected");
	r = parse_op_name(word, &call.op, &m);
	while (r == 0 && (word = line_word(&cursor, "")))
		r = parse_arg(op_get(call.op), word, slot, nslots, &call, &given, &m);
	if (r < 0)
		return r;
	*c = call;
	*ret_given = given;
	return 0;
}

/* ---- parsing: a timing ---- */

/* LANE.OP@PHASE */
static int parse_aim(const char *name, char *text, struct op_timing *t, const struct message *m)
{
	char *phase = line_cut(text, '@'), *op = line_cut(text, '.');
	uint32_t lane = 0, n = 0, v = 0;
	bool before;
	int r;

	if (!phase || !op)
		return wrong(m, "%s is not LANE.OP@PHASE, as in %s=1.0@500", name, name);
	if (t->aim != AIM_NONE)
		return wrong(m, "an op has one aim");
	before = *phase == '-';
	r = parse_number(name, text, PROGRAM_MAX_LANES - 1, &lane, m);
	if (r == 0)
		r = parse_number(name, op, PROGRAM_MAX_OPS - 1, &n, m);
	if (r == 0)
		r = parse_number(
			name, phase + before, before ? -AIM_PHASE_MIN : AIM_PHASE_MAX, &v, m);
	t->aim = strcmp(name, "aim_end") == 0 ? AIM_END : AIM_START;
	t->aim_lane = (uint8_t)lane;
	t->aim_op = (uint8_t)n;
	t->aim_phase = (int16_t)(before ? -(int)v : (int)v);
	return r;
}

/* 1: the word was one of a timing; 0: it is another. */
static int parse_timing_word(const char *word, struct op_timing *t, const struct message *m)
{
	char copy[128], *value;
	uint32_t v = 0;
	int r;

	snprintf(copy, sizeof(copy), "%s", word);
	value = line_cut(copy, '=');
	if (!value)
		return 0;
	if (strcmp(copy, "meet") == 0) {
		if (t->meet)
			return wrong(m, "meet is given twice");
		r = parse_number("meet", value, PROGRAM_MAX_MEET, &v, m);
		t->meet = (uint8_t)v;
	} else if (strcmp(copy, "delay") == 0) {
		if (t->delay_ns)
			return wrong(m, "delay is given twice");
		r = parse_time("delay", value, PROGRAM_MAX_DELAY_NS, &t->delay_ns, m);
	} else if (strcmp(copy, "aim") == 0 || strcmp(copy, "aim_end") == 0) {
		r = parse_aim(copy, value, t, m);
	} else {
		return 0;
	}
	return r < 0 ? r : 1;
}

int program_parse_timing(char **text, struct op_timing *ret, char *err, size_t err_size)
{
	const struct message m = {err, err_size};
	struct op_timing t = {0};

	for (;;) {
		char *at = *text + strspn(*text, " \t"), word[128];
		size_t len = strcspn(at, " \t");
		int r;

		*text = at;
		if (len >= sizeof(word))
			break;
		memcpy(word, at, len);
		word[len] = '\0';
		r = parse_timing_word(word, &t, &m);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		*text = at + len;
	}
	if (t.aim != AIM_NONE && (!t.meet || t.delay_ns))
		return wrong(&m, "an aim needs a meet, and no delay");
	*ret = t;
	return 0;
}

/* ---- parsing: slots and lanes ---- */

static const char *const slot_keys[] = {
	"backing", "size", "huge", "maps", "noreserve", "shift", "align", "huge_size"};
enum {
	KEY_BACKING,
	KEY_SIZE,
	KEY_HUGE,
	KEY_MAPS,
	KEY_NORESERVE,
	KEY_SHIFT,
	KEY_ALIGN,
	KEY_HUGE_SIZE,
	SLOT_KEYS
};

static int parse_size(const char *key, const char *value, uint64_t *ret, const struct message *m)
{
	if (number_parse_size(value, ret) < 0)
		return wrong(m, "%s=%.40s: not a size", key, value);
	return 0;
}

static int parse_choice(const char *key, const char *value, int (*find)(const char *),
	const char *(*name)(unsigned int), unsigned int count, uint8_t *ret,
	const struct message *m)
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;
	int v = find(value);

	if (v >= 0) {
		*ret = (uint8_t)v;
		return 0;
	}
	suggest_start(&s, value);
	for (unsigned int i = 0; i < count; i++)
		suggest_try(&s, name(i));
	return wrong(m, "%s has no value \"%.40s\"%s", key, value, suggest_text(&s, hint));
}

static const char *name_of_backing(unsigned int i)
{
	return backing_name(i);
}

static const char *name_of_huge(unsigned int i)
{
	return slot_huge_name(i);
}

static int parse_slot_key(
	struct slot_spec *s, unsigned int key, const char *value, const struct message *m)
{
	const char *name = slot_keys[key];
	uint32_t v = 0;
	int r;

	switch (key) {
	case KEY_BACKING:
		return parse_choice(
			name, value, backing_find, name_of_backing, BACKING_COUNT, &s->backing, m);
	case KEY_HUGE:
		return parse_choice(
			name, value, slot_huge_find, name_of_huge, SLOT_HUGE_COUNT, &s->huge, m);
	case KEY_SIZE:
		return parse_size(name, value, &s->size, m);
	case KEY_ALIGN:
		return parse_size(name, value, &s->align, m);
	case KEY_HUGE_SIZE:
		return parse_size(name, value, &s->huge_size, m);
	case KEY_MAPS:
		r = parse_number(name, value, SLOT_MAX_VIEWS, &v, m);
		s->maps = (uint8_t)v;
		return r;
	case KEY_NORESERVE:
		r = parse_number(name, value, 1, &v, m);
		s->noreserve = (uint8_t)v;
		return r;
	default:
		return parse_number(name, value, UINT32_MAX, &s->shift, m);
	}
}

static int parse_slot_word(
	struct slot_spec *s, char *word, uint32_t *given, const struct message *m)
{
	char *value = line_cut(word, '='), hint[SUGGEST_TEXT_MAX];
	struct suggest near;

	if (!value)
		return wrong(m, "\"%.40s\" is not KEY=VALUE", word);
	suggest_start(&near, word);
	for (unsigned int i = 0; i < SLOT_KEYS; i++) {
		suggest_try(&near, slot_keys[i]);
		if (strcmp(slot_keys[i], word) != 0)
			continue;
		if (*given >> i & 1)
			return wrong(m, "%s is given twice", word);
		*given |= 1U << i;
		return parse_slot_key(s, i, value, m);
	}
	return wrong(m, "a slot has no \"%.40s\"%s", word, suggest_text(&near, hint));
}

static int parse_slot(struct program *p, char *cursor, const struct message *m)
{
	struct slot_spec s = {.maps = 1, .align = 2 << 20};
	char *word = line_word(&cursor, "");
	uint32_t given = 0;
	const char *why;
	int r = 0;

	if (p->nslots == SLOT_MAX)
		return wrong(m, "more than %d slots", SLOT_MAX);
	if (p->nlanes)
		return wrong(m, "slots come before lanes");
	if (!word || strlen(word) >= sizeof(s.name))
		return wrong(m, "a slot needs a name of at most %d letters", SLOT_NAME_MAX - 1);
	strcpy(s.name, word);
	while (r == 0 && (word = line_word(&cursor, "")))
		r = parse_slot_word(&s, word, &given, m);
	if (r < 0)
		return r;
	if (backing_is_hugetlb(s.backing) && !(given >> KEY_HUGE_SIZE & 1))
		return wrong(m, "slot %s: hugetlb needs huge_size", s.name);
	if (!(given >> KEY_ALIGN & 1) && s.align < s.huge_size)
		s.align = s.huge_size;
	why = program_slot_wrong(&s, NULL);
	if (why)
		return wrong(m, "slot %s: %s", s.name, why);
	for (unsigned int i = 0; i < p->nslots; i++)
		if (strcmp(p->slot[i].name, s.name) == 0)
			return wrong(m, "a second slot %s", s.name);
	p->slot[p->nslots++] = s;
	return 0;
}

static int parse_place(
	struct program_lane *l, const char *key, const char *value, const struct message *m)
{
	const bool cpu = strcmp(key, "cpu") == 0;
	uint32_t v = 0;
	int r = parse_number(key, value, cpu ? PROGRAM_MAX_CPU : 1, &v, m);

	if (cpu)
		l->pin = (uint16_t)(v + 1);
	else
		l->preempt = v;
	return r;
}

static int parse_lane(struct program *p, char *cursor, const struct message *m)
{
	struct program_lane *l = &p->lane[p->nlanes];
	char *word = line_word(&cursor, "");
	uint32_t number = 0, proc = 0;
	int r;

	if (p->nlanes == PROGRAM_MAX_LANES)
		return wrong(m, "more than %d lanes", PROGRAM_MAX_LANES);
	if (!word)
		return wrong(m, "a lane needs its number");
	r = parse_number("lane", word, PROGRAM_MAX_LANES - 1, &number, m);
	if (r == 0 && number != p->nlanes)
		return wrong(m, "lane %u is expected here", p->nlanes);
	while (r == 0 && (word = line_word(&cursor, ""))) {
		char *value = line_cut(word, '=');

		if (value && strcmp(word, "proc") == 0)
			r = parse_number("proc", value, PROGRAM_MAX_PROCS - 1, &proc, m);
		else if (value && strcmp(word, "offset") == 0)
			r = parse_time("offset", value, PROGRAM_MAX_OFFSET_NS, &l->offset_ns, m);
		else if (value && (strcmp(word, "cpu") == 0 || strcmp(word, "preempt") == 0))
			r = parse_place(l, word, value, m);
		else
			r = wrong(m,
				"a lane has proc=N, offset=TIME, cpu=N and preempt=0 or 1, not "
				"\"%.40s\"",
				word);
	}
	l->proc = (uint8_t)proc;
	p->nlanes += r == 0;
	return r;
}

static int parse_line(struct program *p, char *line, const struct message *m)
{
	char *cursor = line, *word, copy[LINE_MAX_BYTES], *text = copy;
	struct program_lane *l = p->nlanes ? &p->lane[p->nlanes - 1] : NULL;
	struct op_timing timing = {0};
	uint32_t given;
	int r;

	strcpy(copy, line);
	word = line_word(&cursor, "");
	if (!word)
		return 0;
	if (strcmp(word, "program") == 0) {
		word = line_word(&cursor, "");
		return word && strlen(word) == 1 && strchr("123", *word)
			       ? 0
			       : wrong(m, "this is not a program of format 1 to 3");
	}
	if (strcmp(word, "slot") == 0)
		return parse_slot(p, cursor, m);
	if (strcmp(word, "lane") == 0)
		return parse_lane(p, cursor, m);
	if (!l)
		return wrong(m, "\"slot\" or \"lane\" is expected, not \"%.40s\"", word);
	if (l->nops == PROGRAM_MAX_OPS)
		return wrong(m, "more than %d ops in a lane", PROGRAM_MAX_OPS);
	r = program_parse_timing(&text, &timing, m->buf, m->size);
	if (r == 0)
		r = program_parse_op(
			text, p->slot, p->nslots, &l->op[l->nops], &given, m->buf, m->size);
	if (r < 0)
		return r;
	program_set_timing(l, l->nops++, &timing);
	return 0;
}

/* ---- parsing: the whole ---- */

static int place(
	const char *name, unsigned int line, const char *message, char *err, size_t err_size)
{
	snprintf(err, err_size, "%s:%u: %s", name, line, message);
	return -EINVAL;
}

static int parse_bytes(struct program *p, const char *text, size_t len, const struct message *m)
{
	char line[LINE_MAX_BYTES];
	const char *why;
	char *comment;

	if (len && text[len - 1] == '\r')
		len--;
	if (len >= sizeof(line))
		return wrong(m, "longer than %d bytes", LINE_MAX_BYTES - 1);
	why = line_wrong(text, len);
	if (why)
		return wrong(m, "%s", why);
	memcpy(line, text, len);
	line[len] = '\0';
	comment = strchr(line, '#');
	if (comment)
		*comment = '\0';
	return parse_line(p, line, m);
}

int program_parse(struct program *p, const char *name, const char *text, size_t len, char *err,
	size_t err_size)
{
	char text_of_error[512];
	const struct message m = {text_of_error, sizeof(text_of_error)};
	const char *end = text + len;
	unsigned int line = 0;

	memset(p, 0, sizeof(*p));
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t n = newline ? (size_t)(newline - text) : (size_t)(end - text);

		line++;
		if (parse_bytes(p, text, n, &m) < 0)
			return place(name, line, text_of_error, err, err_size);
		text += n + (newline != NULL);
	}
	if (!p->nslots)
		return place(name, line + !line, "the program has no slot", err, err_size);
	if (!p->nlanes)
		return place(name, line + !line, "the program has no lane", err, err_size);
	return 0;
}
