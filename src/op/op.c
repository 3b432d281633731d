/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of ops, folding of arguments, and the state that errnos depend on. */
#include "op/op.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "op/list.h"
#include "backings.h"

#define X(number, name) extern const struct op op_##name;
OP_LIST(X)
#undef X

static const struct op *const ops[OP_NUMBERS] = {
#define X(number, name) [number] = &op_##name,
	OP_LIST(X)
#undef X
};

/* The registered numbers in list order, for folding. */
static const uint8_t numbers[] = {
#define X(number, name) number,
	OP_LIST(X)
#undef X
};

static const char *const hazards[HAZARD_COUNT] = {"safe", "root", "disruptive", "destructive"};

const char *hazard_name(enum hazard h)
{
	return h < HAZARD_COUNT ? hazards[h] : "unknown";
}

int hazard_find(const char *name)
{
	for (int i = 0; i < HAZARD_COUNT; i++)
		if (strcmp(hazards[i], name) == 0)
			return i;
	return -ENOENT;
}

const struct op *op_get(unsigned int number)
{
	return number < OP_NUMBERS ? ops[number] : NULL;
}

int op_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (strcmp(ops[numbers[i]]->name, name) == 0)
			return numbers[i];
	return -ENOENT;
}

void *gear_of(const struct op_env *e, const struct gear *g)
{
	for (unsigned int i = 0; i < e->ngears; i++)
		if (e->gear[i].gear == g)
			return e->gear[i].state;
	return NULL;
}

unsigned int op_nargs(const struct op *op)
{
	unsigned int n = 0;

	while (op->args && n < OP_MAX_ARGS && op->args[n].kind != ARG_END)
		n++;
	return n;
}

/* NULL, or why none of the machine's files of a glob can be written. */
static const char *glob_missing(const char *pattern)
{
	static char why[256];
	char real[PATH_MAX];
	glob_t g = {0};
	int err = ENOENT;

	if (*pattern == BOX_STATELESS)
		pattern++;
	if (*pattern != '/')
		return NULL; /* of a cgroup that is yet to be made */
	if (path_real(pattern, real, sizeof(real)) == 0 && glob(real, GLOB_NOSORT, NULL, &g) == 0)
		err = access(g.gl_pathv[0], W_OK) < 0 ? errno : 0;
	globfree(&g);
	if (err == 0)
		return NULL;
	snprintf(why, sizeof(why), "%s: %s", pattern,
		err == ENOENT ? "this kernel or machine has none" : strerror(err));
	return why;
}

/* One of the globs is enough. */
static const char *knobs_missing(const struct op *op)
{
	const char *why = NULL;

	for (unsigned int i = 0; op->knobs[i]; i++) {
		why = glob_missing(op->knobs[i]);
		if (!why)
			return NULL;
	}
	return why;
}

const char *op_missing(const struct op *op)
{
	for (unsigned int i = 0; i < op->nwants; i++)
		caps_missing(op->wants[i]);
	for (unsigned int i = 0; i < op->nneeds; i++) {
		const char *why = caps_missing(op->needs[i]);

		if (why)
			return why;
	}
	return op->knobs ? knobs_missing(op) : NULL;
}

unsigned int op_fold_number(unsigned int byte)
{
	byte %= OP_NUMBERS;
	return ops[byte] ? byte : numbers[byte % ARRAY_SIZE(numbers)];
}

/* ---- arguments ---- */

static uint32_t count_words(const struct arg_word *w)
{
	uint32_t n = 0;

	while (w && w[n].name)
		n++;
	return n;
}

uint32_t arg_fold(const struct arg_desc *d, uint32_t raw)
{
	uint32_t n = count_words(d->words);

	switch (d->kind) {
	case ARG_SLOT:
		return raw % SLOT_MAX;
	case ARG_VIEW:
	case ARG_NODE:
	case ARG_PROC:
		return raw & 0xff;
	case ARG_OFF:
	case ARG_LEN:
		return raw;
	case ARG_ENUM:
		return n ? raw % n : 0;
	case ARG_FLAGS:
		return n < 32 ? raw & ((1U << n) - 1) : raw;
	case ARG_INT:
	case ARG_NS:
		return raw <= d->max ? raw : raw % (d->max + 1);
	case ARG_END:
		break;
	}
	return 0;
}

/* The call's value of the first argument of a kind, 0 if the op has none. */
static uint32_t arg_of_kind(const struct op *op, const struct op_call *c, enum arg_kind kind)
{
	for (unsigned int i = 0; i < OP_MAX_ARGS && op->args && op->args[i].kind != ARG_END; i++)
		if (op->args[i].kind == kind)
			return c->arg[i];
	return 0;
}

static unsigned int pick_slot(const struct op_env *e, uint32_t arg, uint32_t backings)
{
	unsigned int first = arg % e->nslots, any = first;
	bool found = false;

	for (unsigned int i = 0; i < e->nslots; i++) {
		unsigned int n = (first + i) % e->nslots;
		const struct slot *s = &e->slot[n];

		if (!s->present)
			continue;
		if (!backings || backing_in(s, backings))
			return n;
		if (!found)
			any = n;
		found = true;
	}
	return any;
}

static uint32_t fold_off(const struct slot *s, uint32_t raw)
{
	if (raw < s->pages)
		return raw;
	raw %= s->pages;
	return raw - raw % s->granule;
}

static uint32_t fold_len(const struct slot *s, uint32_t raw, uint32_t rest)
{
	if (raw == 0)
		return rest;
	if (raw <= rest)
		return raw;
	raw = 1 + (raw - 1) % rest;
	if (raw % s->granule)
		raw += s->granule - raw % s->granule;
	return raw < rest ? raw : rest;
}

struct op_span op_range(const struct op_env *e, const struct op_call *c)
{
	const struct op *op = op_get(c->op);
	struct op_span r = {0};

	r.slot_no = pick_slot(e, arg_of_kind(op, c, ARG_SLOT), op->backings);
	r.slot = &e->slot[r.slot_no];
	r.view = r.slot->nviews ? arg_of_kind(op, c, ARG_VIEW) % r.slot->nviews : 0;
	r.page = fold_off(r.slot, arg_of_kind(op, c, ARG_OFF));
	r.pages = fold_len(r.slot, arg_of_kind(op, c, ARG_LEN), r.slot->pages - r.page);
	r.addr = slot_addr(r.slot, r.view, r.page);
	r.len = (size_t)r.pages << r.slot->page_shift;
	return r;
}

int op_node(const struct op_env *e, uint32_t arg)
{
	const struct machine *m = e->machine;

	return m->nmem_nodes > 0 ? m->mem_node[arg % (uint32_t)m->nmem_nodes] : 0;
}

pid_t op_pid(const struct op_env *e, uint32_t arg)
{
	/* Pairs with the release store of the executor that came up (or 0 of one that left). */
	return e->nprocs ? atomic_load_explicit(&e->pid[arg % e->nprocs], memory_order_acquire) : 0;
}

/* ---- effects and state ---- */

struct effect op_effect(const struct op_span *s, uint32_t kinds)
{
	uint32_t g = s->slot->granule, end = s->page + s->pages;
	struct effect f = {.kinds = kinds, .slot = (uint8_t)s->slot_no, .view = (uint8_t)s->view};

	f.page = s->page - s->page % g;
	end += end % g ? g - end % g : 0;
	f.pages = end - f.page;
	return f;
}

static uint32_t when_of_slot(const struct op_span *s)
{
	uint32_t when = s->slot->tight ? WHEN_TIGHT : 0;

	if (backing_in(s->slot, BACKINGS_HUGETLB)) {
		when |= WHEN_HUGETLB;
		if (!op_span_aligned(s))
			when |= WHEN_UNALIGNED;
	} else if (backing_in(s->slot, 1 << BACKING_ANON)) {
		when |= WHEN_ANON;
	} else if (backing_in(s->slot,
			   BACKINGS_SHMEM | 1 << BACKING_MEMFD_PRIVATE | 1 << BACKING_SYSV)) {
		when |= WHEN_SHMEM;
	} else {
		when |= WHEN_FILE;
	}
	if (backing_in(s->slot, BACKINGS_PRIVATE))
		when |= WHEN_PRIVATE;
	return when;
}

uint32_t op_when(const struct op *op, const struct op_env *e, const struct op_call *c)
{
	uint32_t when = e->privileged ? 0 : WHEN_UNPRIV;

	if (op->backings) {
		struct op_span s = op_range(e, c);

		when |= when_of_slot(&s);
		if (!backing_in(s.slot, op->backings))
			when |= WHEN_UNSUITED;
	}
	if (op->odd && op->odd(e, c))
		when |= WHEN_ODD;
	if (op->strict && op->strict(e, c))
		when |= WHEN_STRICT;
	return when;
}

/*
 * What any op may say where memory is refused, or a node that it names is. Some call it by another name: a copy to or from user memory is
 * short, a page cannot be pinned (EFAULT; EIO of /proc/PID/mem and of direct I/O), hugetlb_file_setup() has no inode (ENOSPC), io_uring
 * no worker (ECANCELED).
 */
static bool legal_in_need(const struct op *op, int err, uint32_t when)
{
	if ((when & WHEN_SCARCE) &&
		(err == ENOMEM || err == EAGAIN || err == EINTR || err == EFAULT || err == EIO ||
			err == ENOSPC || err == ECANCELED))
		return true;
	if ((when & WHEN_INJECTED) &&
		(err == ENOMEM || err == EAGAIN || err == EFAULT || err == ENOSPC))
		return true;
	if (!(when & WHEN_FENCED) ||
		(err != EINVAL && err != EPERM && err != EACCES && err != ENODEV))
		return false;
	for (unsigned int i = 0; i < op_nargs(op); i++)
		if (op->args[i].kind == ARG_NODE)
			return true;
	return false;
}

bool op_errno_legal(const struct op *op, int err, uint32_t when)
{
	if ((when & WHEN_UNSUITED) || legal_in_need(op, err, when))
		return true;
	for (const struct op_errno *t = op->errnos; t && t->err; t++)
		if (t->err == err && (t->when == WHEN_ALWAYS || (t->when & when)))
			return true;
	return false;
}

/* ---- undoing ---- */

bool op_undo_range(const char *by, const struct op_call *c, struct op_call *ret)
{
	int number = op_find(by);

	if (number < 0)
		return false;
	*ret = (struct op_call){.op = (uint8_t)number};
	for (unsigned int i = 0; i < 4; i++)
		ret->arg[i] = c->arg[i];
	return true;
}

bool op_undo_by_mmap(const struct op_call *c, struct op_call *ret)
{
	return op_undo_range("mmap", c, ret);
}

bool op_undo_by_munlock(const struct op_call *c, struct op_call *ret)
{
	return op_undo_range("munlock", c, ret);
}
