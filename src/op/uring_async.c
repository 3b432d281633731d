/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * madvise, fallocate and ftruncate by io_uring: kernel workers do them on this process's memory, with the effects of the direct ops.
 * Each is complete when the op returns.
 */
#include "uring.h"

#include <errno.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#include "backings.h"
#include "file.h"
#include "result.h"
#include "uffd.h"
#include "uapi.h"

enum { OP_FTRUNCATE = 55 }; /* IORING_OP_FTRUNCATE, include/uapi/linux/io_uring.h of 6.9 */

static const struct arg_word ring_words[] = {
	{"main", URING_MAIN},
	{"second", URING_SECOND},
	{NULL, 0},
};

/* ---- madvise ---- */

enum { ADVISE_ARG_WHAT = 4, ADVISE_ARG_RING };
enum { LEN_MAX = 1 << 30 }; /* a request's length has 32 bits */

enum {
	ADVICE_DONTNEED,
	ADVICE_FREE,
	ADVICE_REMOVE,
	ADVICE_COLLAPSE,
	ADVICE_PAGEOUT,
	ADVICE_POPULATE,
	ADVICE_COUNT
};

extern const struct op op_madvise_dontneed, op_madvise_free, op_madvise_remove, op_madvise_collapse,
	op_madvise_pageout, op_madvise_populate_write;

/* What each is, and the direct op whose effects and backings it shares. */
static const struct {
	const struct op *direct;
	int value;
} advices[ADVICE_COUNT] = {
	[ADVICE_DONTNEED] = {&op_madvise_dontneed, MADV_DONTNEED},
	[ADVICE_FREE] = {&op_madvise_free, MADV_FREE},
	[ADVICE_REMOVE] = {&op_madvise_remove, MADV_REMOVE},
	[ADVICE_COLLAPSE] = {&op_madvise_collapse, MADV_COLLAPSE},
	[ADVICE_PAGEOUT] = {&op_madvise_pageout, MADV_PAGEOUT},
	[ADVICE_POPULATE] = {&op_madvise_populate_write, MADV_POPULATE_WRITE},
};

static const struct arg_word advice_words[] = {
	{"dontneed", ADVICE_DONTNEED},
	{"free", ADVICE_FREE},
	{"remove", ADVICE_REMOVE},
	{"collapse", ADVICE_COLLAPSE},
	{"pageout", ADVICE_PAGEOUT},
	{"populate_write", ADVICE_POPULATE},
	{NULL, 0},
};

static const struct arg_desc advise_args[] = {
	ARGS_RANGE,
	{"advice", ARG_ENUM, 0, advice_words,
		"which; dontneed where the slot or the kernel does not suit it"},
	{"ring", ARG_ENUM, 0, ring_words, "which ring of the lane; the second polls by itself"},
	{.kind = ARG_END},
};

static struct op_span advise_span(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t most = LEN_MAX >> s.slot->page_shift;

	if (s.pages > most) {
		s.pages = most;
		s.len = (size_t)most << s.slot->page_shift;
	}
	return s;
}

static unsigned int advice_of(const struct op_call *c, const struct slot *s)
{
	unsigned int a = c->arg[ADVISE_ARG_WHAT];
	const struct op *direct = advices[a].direct;

	if (!backing_in(s, direct->backings) || (direct->nneeds && caps_missing(direct->needs[0])))
		return ADVICE_DONTNEED;
	return a;
}

struct advise {
	struct op_span s;
	int advice;
};

static void prepare_advise(struct io_uring_sqe *sqe, const void *arg)
{
	const struct advise *a = arg;

	io_uring_prep_madvise(sqe, (void *)a->s.addr, (off_t)a->s.len, a->advice);
}

static long run_uring_madvise(struct op_env *e, const struct op_call *c)
{
	struct advise a = {advise_span(e, c), 0};
	long r;

	a.advice = advices[advice_of(c, a.s.slot)].value;
	r = uring_do(&uring_of(e)->ring[c->arg[ADVISE_ARG_RING]], prepare_advise, &a, 0);
	uffd_dropped(e, &a.s);
	return r;
}

static unsigned int effects_uring_madvise(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = advise_span(e, c);
	const struct op *direct = advices[advice_of(c, s.slot)].direct;
	struct op_call d = {
		.op = (uint8_t)op_find(direct->name), .arg = {s.slot_no, s.view, s.page, s.pages}};

	return direct->effects ? direct->effects(e, &d, eff) : 0;
}

/* A collapse may refuse for many reasons (errnos of madvise_collapse). */
static bool odd_uring_madvise(const struct op_env *e, const struct op_call *c)
{
	return advice_of(c, op_range(e, c).slot) == ADVICE_COLLAPSE;
}

static const struct op_errno errnos_uring_madvise[] = {
	{ECANCELED,
		WHEN_ALWAYS}, /* no worker may be made (RLIMIT_NPROC, pids.max): io_acct_cancel_pending_work() */
	{EHWPOISON, WHEN_SHORT}, /* UFFDIO_POISON */
	{EINVAL, WHEN_LOCKED | WHEN_UNALIGNED | WHEN_HOLE | WHEN_ODD},
	{ENOMEM, WHEN_HOLE | WHEN_TIGHT | WHEN_ODD},
	{EFAULT, WHEN_HOLE | WHEN_SHORT | WHEN_TIGHT},
	{ENOSPC, WHEN_FILE},
	{EAGAIN, WHEN_ODD},
	{EBUSY, WHEN_ODD},
	{0, 0},
};

const struct op op_uring_madvise = {
	.name = "uring_madvise",
	.help = "madvise by a kernel worker of io_uring",
	.exercises = "io_madvise do_madvise madvise_collapse zap_page_range_single reclaim_pages "
		     "io_wq_submit_work",
	.weight = 6,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_URING},
	.nneeds = 1,
	.wants = {CAP_HAS_MADV_FREE, CAP_HAS_MADV_COLLAPSE, CAP_HAS_MADV_PAGEOUT,
		CAP_HAS_MADV_POPULATE, CAP_HAS_URING_SQPOLL},
	.nwants = 5,
	.gear = &gear_uring,
	.args = advise_args,
	.errnos = errnos_uring_madvise,
	.run = run_uring_madvise,
	.effects = effects_uring_madvise,
	.odd = odd_uring_madvise,
};

/* ---- fallocate ---- */

enum { ALLOCATE_ARG_MODE = 3, ALLOCATE_ARG_RING, PUNCH_ARG_RING = 3 };

static const struct arg_word mode_words[] = {
	{"grow", 0},
	{"keep_size", FALLOC_FL_KEEP_SIZE},
	{NULL, 0},
};

static const struct arg_desc allocate_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "whose object"},
	{"off", ARG_OFF, 0, NULL, "first page of the object"},
	{"pages", ARG_LEN, 0, NULL, "length, 0 = to the end"},
	{"mode", ARG_ENUM, 0, mode_words, "whether a short object grows over the range"},
	{"ring", ARG_ENUM, 0, ring_words, "which ring of the lane"},
	{.kind = ARG_END},
};

static const struct arg_desc punch_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "whose object"},
	{"off", ARG_OFF, 0, NULL, "first page of the object"},
	{"pages", ARG_LEN, 0, NULL, "length, 0 = to the end"},
	{"ring", ARG_ENUM, 0, ring_words, "which ring of the lane"},
	{.kind = ARG_END},
};

extern const struct op op_fallocate, op_fallocate_punch;

struct allocate {
	struct op_span s;
	int mode;
};

static void prepare_allocate(struct io_uring_sqe *sqe, const void *arg)
{
	const struct allocate *a = arg;

	io_uring_prep_fallocate(sqe, a->s.slot->fd, a->mode,
		(off_t)a->s.page << a->s.slot->page_shift, (off_t)a->s.len);
}

static long run_uring_fallocate(struct op_env *e, const struct op_call *c)
{
	struct allocate a = {op_range(e, c), (int)mode_words[c->arg[ALLOCATE_ARG_MODE]].value};

	return uring_do(&uring_of(e)->ring[c->arg[ALLOCATE_ARG_RING]], prepare_allocate, &a, 0);
}

/* The direct op has the same first arguments. */
static unsigned int effects_as(const struct op *direct, const struct op_env *e,
	const struct op_call *c, struct effect *eff)
{
	struct op_call d = *c;

	d.op = (uint8_t)op_find(direct->name);
	return direct->effects(e, &d, eff);
}

static unsigned int effects_uring_fallocate(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	return effects_as(&op_fallocate, e, c, eff);
}

static const struct op_errno errnos_uring_fallocate[] = {
	{ECANCELED, WHEN_ALWAYS},
	{ENOSPC, WHEN_TIGHT | WHEN_FILE},
	{ENOMEM, WHEN_TIGHT | WHEN_SHMEM},
	{EINTR, WHEN_ALWAYS},
	{0, 0},
};

const struct op op_uring_fallocate = {
	.name = "uring_fallocate",
	.help = "allocates pages of the object by a kernel worker of io_uring",
	.exercises = "io_fallocate vfs_fallocate shmem_fallocate hugetlbfs_fallocate",
	.weight = 2,
	.backings = BACKINGS_WITH_FD,
	.needs = {CAP_HAS_URING},
	.nneeds = 1,
	.wants = {CAP_HAS_URING_SQPOLL},
	.nwants = 1,
	.gear = &gear_uring,
	.args = allocate_args,
	.errnos = errnos_uring_fallocate,
	.run = run_uring_fallocate,
	.effects = effects_uring_fallocate,
};

static long run_uring_punch(struct op_env *e, const struct op_call *c)
{
	struct allocate a = {op_range(e, c), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};

	return uring_do(&uring_of(e)->ring[c->arg[PUNCH_ARG_RING]], prepare_allocate, &a, 0);
}

static unsigned int effects_uring_punch(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	return effects_as(&op_fallocate_punch, e, c, eff);
}

static const struct op_errno errnos_uring_punch[] = {
	{ECANCELED, WHEN_ALWAYS},
	{ENOSPC, WHEN_FILE}, /* metadata of a full filesystem */
	{0, 0},
};

const struct op op_uring_punch = {
	.name = "uring_punch",
	.help = "punches the range out of the object by a kernel worker of io_uring",
	.exercises = "io_fallocate shmem_undo_range truncate_inode_partial_folio "
		     "hugetlbfs_punch_hole unmap_mapping_range",
	.weight = 4,
	.backings = BACKINGS_WITH_FD,
	.needs = {CAP_HAS_URING},
	.nneeds = 1,
	.wants = {CAP_HAS_URING_SQPOLL},
	.nwants = 1,
	.gear = &gear_uring,
	.args = punch_args,
	.errnos = errnos_uring_punch,
	.run = run_uring_punch,
	.effects = effects_uring_punch,
};

/* ---- ftruncate ---- */

struct set {
	int fd;
	off_t len;
};

static void prepare_set(struct io_uring_sqe *sqe, const void *arg)
{
	const struct set *s = arg;

	io_uring_prep_rw(OP_FTRUNCATE, sqe, s->fd, NULL, 0, (__u64)s->len);
}

static long set_length(struct op_env *e, int fd, off_t len)
{
	struct set s = {fd, len};

	return uring_do(&uring_of(e)->ring[URING_MAIN], prepare_set, &s, 0);
}

static long run_uring_ftruncate(struct op_env *e, const struct op_call *c)
{
	return file_truncate(e, c, set_length);
}

static const struct op_errno errnos_uring_ftruncate[] = {
	{ECANCELED, WHEN_ALWAYS},
	{EINVAL, WHEN_UNALIGNED}, /* as ftruncate() */
	{ENOSPC, WHEN_FILE},
	{0, 0},
};

const struct op op_uring_ftruncate = {
	.name = "uring_ftruncate",
	.help = "makes the object shorter, and full length again, by a kernel worker of io_uring",
	.exercises = "io_ftruncate do_ftruncate shmem_setattr hugetlb_vmtruncate "
		     "unmap_mapping_range truncate_pagecache",
	.weight = 2,
	.backings = BACKINGS_WITH_FD,
	.needs = {CAP_HAS_URING, CAP_HAS_URING_FTRUNCATE},
	.nneeds = 2,
	.gear = &gear_uring,
	.args = file_truncate_args,
	.errnos = errnos_uring_ftruncate,
	.run = run_uring_ftruncate,
	.effects = file_truncate_effects,
	.tune = file_truncate_tune,
	.undo = file_truncate_undo,
};
