/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The byte form of a program:
 *
 *	header	flags (1: bit 0 = slots have names, bit 1 = ops have timings, bit 2 = lanes have places), nslots - 1 (1),
 *		nlanes - 1 (1)
 *	slot	[name: length (1), letters] backing (1), huge (1), maps - 1 and noreserve << 2 (1),
 *		shift (2), size in units - 1 (2), log2 of the huge page size (1), log2 of the
 *		alignment (1)
 *	lane	process (1), start offset in ns (4), nops (1) [place: CPU + 1 or 0, preempts << 15 (2)]
 *	op	[timing: meet, aim << 3, has delay << 5 (1), delay in ns (4) if it has one; with an aim
 *		its lane (1), op (1) and phase - AIM_PHASE_MIN (2)]
 *		number (1), its arguments, 1 or 4 bytes by kind
 *
 * in this order: all slots, all lanes, then the lanes' ops lane by lane. Numbers are
 * little-endian.
 */
#include "plan/program.h"

#include <errno.h>
#include <string.h>

enum { FLAG_NAMES = 1, FLAG_TIMINGS = 2, FLAG_PLACES = 4 };
enum { PIN_MASK = 0x7fff, PREEMPT_SHIFT = 15 };
enum { MEET_MASK = 7, AIM_SHIFT = 3, AIM_MASK = 3, HAS_DELAY = 1 << 5 };
enum { HUGE_LOG_MIN = 14, HUGE_LOG_MAX = 34, ALIGN_LOG_MIN = 20, ALIGN_LOG_MAX = 36 };
enum { SHIFT_MAX = 8191, SHIFT_MAX_HUGETLB = 511, SIZE_UNITS_MAX = 65536 };

static const char letters[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
enum { LETTERS = 37, LETTERS_FIRST = 27 };

/* ---- what a valid slot is ---- */

static uint64_t size_unit(const struct slot_spec *s)
{
	return backing_is_hugetlb(s->backing) ? s->huge_size : PROGRAM_SIZE_UNIT;
}

static uint32_t shift_max(const struct slot_spec *s)
{
	if (backing_is_private(s->backing))
		return 0;
	return backing_is_hugetlb(s->backing) ? SHIFT_MAX_HUGETLB : SHIFT_MAX;
}

static bool power_within(uint64_t v, unsigned int log_min, unsigned int log_max)
{
	return v && (v & (v - 1)) == 0 && v >= 1ULL << log_min && v <= 1ULL << log_max;
}

bool program_name_valid(const char *name)
{
	size_t len = strnlen(name, SLOT_NAME_MAX);

	return len && len < SLOT_NAME_MAX && strspn(name, letters) == len &&
	       !strchr("0123456789", name[0]);
}

static const char *backing_wrong(const struct slot_spec *s, const char **key)
{
	*key = "backing";
	if (s->backing >= BACKING_COUNT)
		return "no such backing";
	*key = "huge";
	if (s->huge >= SLOT_HUGE_COUNT)
		return "no such huge";
	*key = "noreserve";
	if (s->noreserve > 1)
		return "noreserve is 0 or 1";
	return NULL;
}

static const char *views_wrong(const struct slot_spec *s, const char **key)
{
	*key = "maps";
	if (s->maps < 1 || s->maps > SLOT_MAX_VIEWS)
		return "maps is 1 to 4";
	if (backing_is_private(s->backing) && s->maps != 1)
		return "maps is 1 for a private backing: another mapping would be other memory";
	*key = "shift";
	if (backing_is_private(s->backing) && s->shift)
		return "shift needs a shared backing";
	if (s->shift > shift_max(s))
		return backing_is_hugetlb(s->backing) ? "shift is at most 511 huge pages"
						      : "shift is at most 8191 pages";
	return NULL;
}

static const char *size_wrong(const struct slot_spec *s, const char **key)
{
	bool hugetlb = backing_is_hugetlb(s->backing);

	*key = "huge_size";
	if (!hugetlb && s->huge_size)
		return "huge_size needs a hugetlb backing";
	if (hugetlb && !power_within(s->huge_size, HUGE_LOG_MIN, HUGE_LOG_MAX))
		return "huge_size is a power of two, 16k to 16G";
	*key = "size";
	if (!s->size || s->size % size_unit(s))
		return hugetlb ? "size is a multiple of huge_size" : "size is a multiple of 1M";
	if (s->size / size_unit(s) > SIZE_UNITS_MAX)
		return "size is at most 64G (hugetlb: 65536 huge pages)";
	*key = "align";
	if (!power_within(s->align, ALIGN_LOG_MIN, ALIGN_LOG_MAX))
		return "align is a power of two, 1M to 64G";
	if (s->align < s->huge_size)
		return "align is at least huge_size";
	return NULL;
}

const char *program_slot_wrong(const struct slot_spec *s, const char **ret_key)
{
	const char *why = NULL, *key = "name";

	if (!program_name_valid(s->name))
		why = "a name is 1 to 15 of a-z, 0-9 and _, and does not begin with a digit";
	if (!why)
		why = backing_wrong(s, &key);
	if (!why)
		why = views_wrong(s, &key);
	if (!why)
		why = size_wrong(s, &key);
	if (why && ret_key)
		*ret_key = key;
	return why;
}

/* ---- names ---- */

static bool name_taken(const struct program *p, unsigned int before, const char *name)
{
	for (unsigned int i = 0; i < before; i++)
		if (strcmp(p->slot[i].name, name) == 0)
			return true;
	return false;
}

static void name_default(unsigned int i, char name[SLOT_NAME_MAX])
{
	memset(name, 0, SLOT_NAME_MAX);
	snprintf(name, SLOT_NAME_MAX, "s%u", i);
}

/* Slot i's name becomes one that no slot before it has. */
static void name_make_unique(struct program *p, unsigned int i)
{
	char *name = p->slot[i].name;

	if (!name[0])
		name_default(i, name);
	for (unsigned int n = 0; name_taken(p, i, name); n++) {
		memset(name, 0, SLOT_NAME_MAX);
		snprintf(name, SLOT_NAME_MAX, "s%u_%u", i, n);
	}
}

static bool names_are_default(const struct program *p)
{
	char name[SLOT_NAME_MAX];

	for (unsigned int i = 0; i < p->nslots; i++) {
		name_default(i, name);
		if (strcmp(p->slot[i].name, name) != 0)
			return false;
	}
	return true;
}

/* ---- encoding ---- */

struct writer {
	unsigned char *buf;
	size_t size, len; /* len may pass size: then it did not fit */
};

static void put(struct writer *w, uint32_t v, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++, w->len++)
		if (w->len < w->size)
			w->buf[w->len] = (unsigned char)(v >> (8 * i));
}

static unsigned int arg_bytes(enum arg_kind kind)
{
	switch (kind) {
	case ARG_OFF:
	case ARG_LEN:
	case ARG_FLAGS:
	case ARG_INT:
	case ARG_NS:
		return 4;
	default:
		return 1;
	}
}

static unsigned int log2_of(uint64_t v)
{
	return 63 - (unsigned int)__builtin_clzll(v);
}

static void encode_slot(struct writer *w, const struct slot_spec *s, bool names)
{
	if (names) {
		put(w, (uint32_t)strlen(s->name), 1);
		for (const char *c = s->name; *c; c++)
			put(w, (unsigned char)*c, 1);
	}
	put(w, s->backing, 1);
	put(w, s->huge, 1);
	put(w, (s->maps - 1U) | (uint32_t)s->noreserve << 2, 1);
	put(w, s->shift, 2);
	put(w, (uint32_t)(s->size / size_unit(s) - 1), 2);
	put(w, s->huge_size ? log2_of(s->huge_size) - HUGE_LOG_MIN : 0, 1);
	put(w, log2_of(s->align) - ALIGN_LOG_MIN, 1);
}

/* ---- timings ---- */

static const struct op_timing *timing_of(const struct program_lane *l, unsigned int i)
{
	static const struct op_timing none;

	return l->timed >> i & 1 ? &l->timing[i] : &none;
}

static bool timing_is_none(const struct op_timing *t)
{
	return !t->meet && !t->delay_ns;
}

static bool timing_equal(const struct op_timing *a, const struct op_timing *b)
{
	return a->meet == b->meet && a->aim == b->aim && a->aim_lane == b->aim_lane &&
	       a->aim_op == b->aim_op && a->aim_phase == b->aim_phase && a->delay_ns == b->delay_ns;
}

/* An aim needs a meet and finds the delay itself; without an aim its fields are 0. */
static bool timing_valid(const struct op_timing *t)
{
	if (t->meet > PROGRAM_MAX_MEET || t->delay_ns > PROGRAM_MAX_DELAY_NS || t->aim >= AIM_COUNT)
		return false;
	if (t->aim == AIM_NONE)
		return !t->aim_lane && !t->aim_op && !t->aim_phase;
	return t->meet && !t->delay_ns && t->aim_lane < PROGRAM_MAX_LANES &&
	       t->aim_op < PROGRAM_MAX_OPS && t->aim_phase >= AIM_PHASE_MIN &&
	       t->aim_phase <= AIM_PHASE_MAX;
}

void program_set_timing(struct program_lane *l, unsigned int i, const struct op_timing *t)
{
	if (timing_is_none(t)) {
		l->timed &= ~(1ULL << i);
		return;
	}
	l->timed |= 1ULL << i;
	l->timing[i] = *t;
}

static bool has_timings(const struct program *p)
{
	for (unsigned int i = 0; i < p->nlanes; i++)
		if (p->lane[i].timed)
			return true;
	return false;
}

static bool has_places(const struct program *p)
{
	for (unsigned int i = 0; i < p->nlanes; i++)
		if (p->lane[i].pin || p->lane[i].preempt)
			return true;
	return false;
}

static void encode_timing(struct writer *w, const struct op_timing *t)
{
	put(w, t->meet | (uint32_t)t->aim << AIM_SHIFT | (t->delay_ns ? HAS_DELAY : 0), 1);
	if (t->delay_ns)
		put(w, t->delay_ns, 4);
	if (t->aim == AIM_NONE)
		return;
	put(w, t->aim_lane, 1);
	put(w, t->aim_op, 1);
	put(w, (uint32_t)(t->aim_phase - AIM_PHASE_MIN), 2);
}

static void encode_op(struct writer *w, const struct op_call *c)
{
	const struct op *op = op_get(c->op);
	unsigned int nargs = op_nargs(op);

	put(w, c->op, 1);
	for (unsigned int i = 0; i < nargs; i++)
		put(w, c->arg[i], arg_bytes(op->args[i].kind));
}

static bool op_valid(const struct op_call *c)
{
	const struct op *op = op_get(c->op);
	unsigned int nargs = op ? op_nargs(op) : 0;

	if (!op)
		return false;
	for (unsigned int i = 0; i < nargs; i++)
		if (arg_fold(&op->args[i], c->arg[i]) != c->arg[i])
			return false;
	return true;
}

static bool lane_valid(const struct program_lane *l)
{
	if (l->proc >= PROGRAM_MAX_PROCS || l->offset_ns > PROGRAM_MAX_OFFSET_NS ||
		l->nops > PROGRAM_MAX_OPS || l->pin > PROGRAM_MAX_CPU + 1)
		return false;
	if (l->nops < PROGRAM_MAX_OPS && l->timed >> l->nops)
		return false;
	for (unsigned int i = 0; i < l->nops; i++)
		if (!op_valid(&l->op[i]) || !timing_valid(timing_of(l, i)) ||
			((l->timed >> i & 1) && timing_is_none(&l->timing[i])))
			return false;
	return true;
}

static bool program_valid(const struct program *p)
{
	if (!p->nslots || p->nslots > SLOT_MAX || !p->nlanes || p->nlanes > PROGRAM_MAX_LANES)
		return false;
	for (unsigned int i = 0; i < p->nslots; i++)
		if (program_slot_wrong(&p->slot[i], NULL) || name_taken(p, i, p->slot[i].name))
			return false;
	for (unsigned int i = 0; i < p->nlanes; i++)
		if (!lane_valid(&p->lane[i]))
			return false;
	return true;
}

ssize_t program_encode(const struct program *p, unsigned char *buf, size_t size)
{
	struct writer w = {buf, size, 0};
	bool names, timings, places;

	if (!program_valid(p))
		return -EINVAL;
	names = !names_are_default(p);
	timings = has_timings(p);
	places = has_places(p);
	put(&w,
		(names ? FLAG_NAMES : 0) | (timings ? FLAG_TIMINGS : 0) |
			(places ? FLAG_PLACES : 0),
		1);
	put(&w, p->nslots - 1U, 1);
	put(&w, p->nlanes - 1U, 1);
	for (unsigned int i = 0; i < p->nslots; i++)
		encode_slot(&w, &p->slot[i], names);
	for (unsigned int i = 0; i < p->nlanes; i++) {
		put(&w, p->lane[i].proc, 1);
		put(&w, p->lane[i].offset_ns, 4);
		put(&w, p->lane[i].nops, 1);
		if (places)
			put(&w, p->lane[i].pin | (uint32_t)p->lane[i].preempt << PREEMPT_SHIFT, 2);
	}
	for (unsigned int i = 0; i < p->nlanes; i++)
		for (unsigned int j = 0; j < p->lane[i].nops; j++) {
			if (timings)
				encode_timing(&w, timing_of(&p->lane[i], j));
			encode_op(&w, &p->lane[i].op[j]);
		}
	return w.len <= size ? (ssize_t)w.len : -ENOSPC;
}

/* ---- decoding ---- */

struct reader {
	const unsigned char *data;
	size_t len, pos;
};

static uint32_t take(struct reader *r, unsigned int bytes)
{
	uint32_t v = 0;

	for (unsigned int i = 0; i < bytes; i++, r->pos++)
		if (r->pos < r->len)
			v |= (uint32_t)r->data[r->pos] << (8 * i);
	return v;
}

static void decode_name(struct reader *r, char name[SLOT_NAME_MAX])
{
	uint32_t len = take(r, 1) % SLOT_NAME_MAX;

	for (uint32_t i = 0; i < len; i++) {
		unsigned int n = i ? LETTERS : LETTERS_FIRST;
		unsigned char c = (unsigned char)take(r, 1);

		name[i] = c && memchr(letters, c, n) ? (char)c : letters[c % n];
	}
}

static void decode_slot(struct reader *r, struct slot_spec *s, bool names)
{
	uint32_t bits, log;

	if (names)
		decode_name(r, s->name);
	s->backing = (uint8_t)(take(r, 1) % BACKING_COUNT);
	s->huge = (uint8_t)(take(r, 1) % SLOT_HUGE_COUNT);
	bits = take(r, 1);
	s->maps = backing_is_private(s->backing) ? 1 : (uint8_t)((bits & 3) + 1);
	s->noreserve = (bits >> 2) & 1;
	s->shift = take(r, 2) % (shift_max(s) + 1);
	s->size = take(r, 2) + 1ULL;
	log = take(r, 1) % (HUGE_LOG_MAX - HUGE_LOG_MIN + 1);
	if (backing_is_hugetlb(s->backing))
		s->huge_size = 1ULL << (log + HUGE_LOG_MIN);
	s->size *= size_unit(s);
	log = take(r, 1) % (ALIGN_LOG_MAX - ALIGN_LOG_MIN + 1);
	s->align = 1ULL << (log + ALIGN_LOG_MIN);
	if (s->align < s->huge_size)
		s->align = s->huge_size;
}

static struct op_timing decode_timing(struct reader *r)
{
	uint32_t bits = take(r, 1);
	struct op_timing t = {.meet = bits & MEET_MASK};
	uint32_t delay = bits & HAS_DELAY ? take(r, 4) % (PROGRAM_MAX_DELAY_NS + 1) : 0;

	t.aim = t.meet ? (bits >> AIM_SHIFT & AIM_MASK) % AIM_COUNT : AIM_NONE;
	if (t.aim == AIM_NONE) {
		t.delay_ns = delay;
		return t;
	}
	t.aim_lane = (uint8_t)(take(r, 1) % PROGRAM_MAX_LANES);
	t.aim_op = (uint8_t)(take(r, 1) % PROGRAM_MAX_OPS);
	t.aim_phase =
		(int16_t)((int)(take(r, 2) % (AIM_PHASE_MAX - AIM_PHASE_MIN + 1)) + AIM_PHASE_MIN);
	return t;
}

static void decode_place(struct reader *r, struct program_lane *l)
{
	uint32_t bits = take(r, 2);

	l->pin = (uint16_t)(bits & PIN_MASK);
	l->preempt = bits >> PREEMPT_SHIFT;
}

static void decode_op(struct reader *r, struct op_call *c)
{
	const struct op *op;
	unsigned int nargs;

	c->op = (uint8_t)op_fold_number(take(r, 1));
	op = op_get(c->op);
	nargs = op_nargs(op);
	for (unsigned int i = 0; i < nargs; i++)
		c->arg[i] = arg_fold(&op->args[i], take(r, arg_bytes(op->args[i].kind)));
}

void program_decode(struct program *p, const unsigned char *data, size_t len)
{
	struct reader r = {data, len, 0};
	bool names, timings, places;
	uint32_t flags;

	memset(p, 0, sizeof(*p));
	flags = take(&r, 1);
	names = flags & FLAG_NAMES;
	timings = flags & FLAG_TIMINGS;
	places = flags & FLAG_PLACES;
	p->nslots = (uint8_t)(take(&r, 1) % SLOT_MAX + 1);
	p->nlanes = (uint8_t)(take(&r, 1) % PROGRAM_MAX_LANES + 1);
	for (unsigned int i = 0; i < p->nslots; i++) {
		decode_slot(&r, &p->slot[i], names);
		name_make_unique(p, i);
	}
	for (unsigned int i = 0; i < p->nlanes; i++) {
		p->lane[i].proc = (uint8_t)(take(&r, 1) % PROGRAM_MAX_PROCS);
		p->lane[i].offset_ns = take(&r, 4) % (PROGRAM_MAX_OFFSET_NS + 1);
		p->lane[i].nops = (uint8_t)(take(&r, 1) % (PROGRAM_MAX_OPS + 1));
		if (places)
			decode_place(&r, &p->lane[i]);
	}
	for (unsigned int i = 0; i < p->nlanes; i++)
		for (unsigned int j = 0; j < p->lane[i].nops; j++) {
			if (timings) {
				struct op_timing t = decode_timing(&r);

				program_set_timing(&p->lane[i], j, &t);
			}
			decode_op(&r, &p->lane[i].op[j]);
		}
}

/* ---- comparing ---- */

static bool slot_equal(const struct slot_spec *a, const struct slot_spec *b)
{
	return strcmp(a->name, b->name) == 0 && a->backing == b->backing && a->huge == b->huge &&
	       a->maps == b->maps && a->noreserve == b->noreserve && a->shift == b->shift &&
	       a->size == b->size && a->huge_size == b->huge_size && a->align == b->align;
}

static bool op_equal(const struct op_call *a, const struct op_call *b)
{
	const struct op *op = op_get(a->op);

	return a->op == b->op &&
	       (!op || memcmp(a->arg, b->arg, op_nargs(op) * sizeof(a->arg[0])) == 0);
}

static bool lane_equal(const struct program_lane *a, const struct program_lane *b)
{
	if (a->proc != b->proc || a->offset_ns != b->offset_ns || a->nops != b->nops ||
		a->pin != b->pin || a->preempt != b->preempt)
		return false;
	for (unsigned int i = 0; i < a->nops; i++)
		if (!op_equal(&a->op[i], &b->op[i]) ||
			!timing_equal(timing_of(a, i), timing_of(b, i)))
			return false;
	return true;
}

bool program_equal(const struct program *a, const struct program *b)
{
	if (a->nslots != b->nslots || a->nlanes != b->nlanes)
		return false;
	for (unsigned int i = 0; i < a->nslots; i++)
		if (!slot_equal(&a->slot[i], &b->slot[i]))
			return false;
	for (unsigned int i = 0; i < a->nlanes; i++)
		if (!lane_equal(&a->lane[i], &b->lane[i]))
			return false;
	return true;
}
