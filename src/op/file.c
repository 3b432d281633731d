/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ops on the object behind a slot, through its file descriptor. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "base/clock.h"
#include "op/op.h"
#include "backings.h"
#include "file.h"
#include "result.h"

static off_t bytes_of(const struct op_span *s, uint32_t page)
{
	return (off_t)page << s->slot->page_shift;
}

/* An effect of the file's length on all pages before `end`; hugetlb maps only huge pages that the file has whole. */
static struct effect sized_to(const struct op_span *s, uint32_t end)
{
	return (struct effect){EFFECT_SIZED, (uint8_t)s->slot_no, (uint8_t)s->view, 0,
		end - end % s->slot->granule};
}

/* ---- fallocate ---- */

enum { ALLOCATE_ARG_MODE = 3 };

static const struct arg_word allocate_words[] = {
	{"grow", 0},
	{"keep_size", FALLOC_FL_KEEP_SIZE},
	{NULL, 0},
};

static const struct arg_desc allocate_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "whose object"},
	{"off", ARG_OFF, 0, NULL, "first page of the object"},
	{"pages", ARG_LEN, 0, NULL, "length, 0 = to the end"},
	{"mode", ARG_ENUM, 0, allocate_words, "whether a short object grows over the range"},
	{.kind = ARG_END},
};

static int allocate_mode(const struct op_call *c)
{
	return (int)allocate_words[c->arg[ALLOCATE_ARG_MODE]].value;
}

static long run_fallocate(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return result_of(
		fallocate(s.slot->fd, allocate_mode(c), bytes_of(&s, s.page), (off_t)s.len));
}

static unsigned int effects_fallocate(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	if (backing_in(s.slot, BACKINGS_PRIVATE))
		return 0; /* nothing makes it shorter */
	eff[0] = sized_to(&s, s.page + s.pages);
	/* A hugetlb page in the page cache is mapped even beyond the file's end (mm/hugetlb.c, hugetlb_no_page). */
	if (allocate_mode(c) != 0 || !eff[0].pages)
		eff[0] = op_effect(&s, EFFECT_RESIZED);
	return 1;
}

static const struct op_errno errnos_fallocate[] = {
	{ENOSPC, WHEN_TIGHT | WHEN_FILE},
	{ENOMEM,
		WHEN_TIGHT |
			WHEN_SHMEM}, /* shmem: pages swapped out as fast as they came (shmem_fallocate) */
	{EINTR, WHEN_ALWAYS},
	{0, 0},
};

const struct op op_fallocate = {
	.name = "fallocate",
	.calls_only = true,
	.help = "allocates pages of the object",
	.exercises =
		"shmem_fallocate shmem_get_folio hugetlbfs_fallocate hugetlb_add_to_page_cache",
	.weight = 4,
	.backings = BACKINGS_WITH_FD | BACKINGS_COPIES,
	.args = allocate_args,
	.errnos = errnos_fallocate,
	.run = run_fallocate,
	.effects = effects_fallocate,
};

/* ---- punch ---- */

static const struct arg_desc punch_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "whose object"},
	{"off", ARG_OFF, 0, NULL, "first page of the object"},
	{"pages", ARG_LEN, 0, NULL, "length, 0 = to the end"},
	{.kind = ARG_END},
};

static long run_fallocate_punch(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return result_of(fallocate(s.slot->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		bytes_of(&s, s.page), (off_t)s.len));
}

/*
 * Parts of hugetlb pages at the ends are zeroed since 6.0, left alone before. Private copies stay, and what is under them was zero
 * already (mm/memory.c, unmap_mapping_range with even_cows 0).
 */
static unsigned int effects_punch(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	if (backing_in(s.slot, BACKINGS_PRIVATE))
		return 0;
	eff[0] = op_effect(&s, EFFECT_ZERO | (op_span_aligned(&s) ? EFFECT_ZEROED : 0));
	return 1;
}

static const struct op_errno errnos_punch[] = {
	{ENOSPC, WHEN_FILE}, /* metadata of a full filesystem */
	{0, 0},
};

const struct op op_fallocate_punch = {
	.name = "fallocate_punch",
	.calls_only = true,
	.help = "punches the range out of the object",
	.exercises = "shmem_fallocate shmem_undo_range truncate_inode_partial_folio split_folio "
		     "hugetlbfs_punch_hole "
		     "hugetlb_vmdelete_list remove_inode_hugepages unmap_mapping_range",
	.weight = 8,
	.backings = BACKINGS_WITH_FD | BACKINGS_COPIES,
	.args = punch_args,
	.errnos = errnos_punch,
	.run = run_fallocate_punch,
	.effects = effects_punch,
};

/* ---- ftruncate ---- */

enum { TRUNCATE_ARG_OFF = 1, TRUNCATE_ARG_HOW, TRUNCATE_ARG_HOLD };
enum { TRUNCATE_BOUNCE, TRUNCATE_SHRINK, TRUNCATE_HALF, TRUNCATE_GROW };
enum { HOLD_MAX_NS = 1000000 };

static const struct arg_word truncate_words[] = {
	{"bounce", TRUNCATE_BOUNCE},
	{"shrink", TRUNCATE_SHRINK},
	{"half", TRUNCATE_HALF},
	{"grow", TRUNCATE_GROW},
	{NULL, 0},
};

const struct arg_desc file_truncate_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "whose object"},
	{"off", ARG_OFF, 0, NULL, "pages that stay in a bounce or shrink"},
	{"how", ARG_ENUM, 0, truncate_words,
		"shrink and grow back, shrink and stay short, the same to half, or grow to full "
		"length"},
	{"hold", ARG_NS, HOLD_MAX_NS, NULL, "how long a bounce stays short"},
	{.kind = ARG_END},
};

/*
 * The range that the call cuts off. "half" means whole PMDs, for shmem maps a huge page that the end lies in whole, and
 * what is beyond the end can be touched there (mm/truncate.c, try_folio_split_or_unmap).
 */
static struct op_span cut_off(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t half = s.slot->pages / 2;
	uint32_t unit = s.slot->granule > 1 ? s.slot->granule : s.slot->pmd_pages;

	if (c->arg[TRUNCATE_ARG_HOW] == TRUNCATE_HALF) {
		s.page = half - half % unit;
		s.pages = s.slot->pages - s.page;
	}
	return s;
}

long file_truncate(
	struct op_env *e, const struct op_call *c, long (*set)(struct op_env *e, int fd, off_t len))
{
	struct op_span s = cut_off(e, c);
	uint32_t how = c->arg[TRUNCATE_ARG_HOW];
	long r = how == TRUNCATE_GROW ? 0 : set(e, s.slot->fd, bytes_of(&s, s.page));

	if (r < 0 || how == TRUNCATE_SHRINK || how == TRUNCATE_HALF)
		return r;
	if (how == TRUNCATE_BOUNCE)
		clock_spin_until(clock_ticks() + clock_from_ns(c->arg[TRUNCATE_ARG_HOLD]));
	return set(e, s.slot->fd, bytes_of(&s, s.slot->pages));
}

static long set_length(struct op_env *e, int fd, off_t len)
{
	return result_of(ftruncate(fd, len));
}

static long run_ftruncate(struct op_env *e, const struct op_call *c)
{
	return file_truncate(e, c, set_length);
}

/*
 * A "shrink" to more than what another left makes the object longer, which voids what was sure of that one: so it is not
 * sure of itself. Those to half are, being all alike; on hugetlb only where nobody else is about, for a fault that has
 * looked at the size and clears its page puts that page in beyond the end when the truncation is long over (hugetlb_no_page).
 */
unsigned int file_truncate_effects(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = cut_off(e, c);
	unsigned int n = 0;

	switch (c->arg[TRUNCATE_ARG_HOW]) {
	case TRUNCATE_BOUNCE:
		eff[n++] = op_effect(&s, EFFECT_ZERO | EFFECT_BUS | EFFECT_SIZED);
		break;
	case TRUNCATE_SHRINK:
		eff[n] = sized_to(&s, s.page);
		n += eff[n].pages > 0;
		eff[n++] = op_effect(&s, EFFECT_ZERO | EFFECT_BUS);
		break;
	case TRUNCATE_HALF:
		eff[n++] = op_effect(
			&s, EFFECT_ZERO | EFFECT_BUS | EFFECT_BUS_SURE |
				    (backing_in(s.slot, BACKINGS_HUGETLB) ? EFFECT_BUS_ALONE : 0));
		break;
	default:
		eff[n++] = sized_to(&s, s.slot->pages);
	}
	return n;
}

/* Half of the calls bounce, and a short object does not stay so for long. */
void file_truncate_tune(struct op_call *c, struct rng *r)
{
	static const uint8_t how[] = {TRUNCATE_BOUNCE, TRUNCATE_BOUNCE, TRUNCATE_BOUNCE,
		TRUNCATE_BOUNCE, TRUNCATE_SHRINK, TRUNCATE_HALF, TRUNCATE_GROW, TRUNCATE_GROW};

	c->arg[TRUNCATE_ARG_HOW] = how[rng_below(r, sizeof(how))];
}

bool file_truncate_undo(const struct op_call *c, struct op_call *ret)
{
	*ret = *c;
	ret->arg[TRUNCATE_ARG_HOW] = TRUNCATE_GROW;
	return c->arg[TRUNCATE_ARG_HOW] == TRUNCATE_SHRINK;
}

static const struct op_errno errnos_ftruncate[] = {
	{EINVAL, WHEN_UNALIGNED}, /* hugetlbfs_setattr */
	{ENOSPC, WHEN_FILE}, /* metadata of a full filesystem */
	{0, 0},
};

const struct op op_ftruncate = {
	.name = "ftruncate",
	.calls_only = true,
	.help = "makes the object shorter, and full length again",
	.exercises = "shmem_setattr shmem_undo_range truncate_inode_partial_folio split_folio "
		     "hugetlb_vmtruncate "
		     "remove_inode_hugepages unmap_mapping_range truncate_pagecache",
	.weight = 5,
	.backings = BACKINGS_WITH_FD,
	.args = file_truncate_args,
	.errnos = errnos_ftruncate,
	.run = run_ftruncate,
	.effects = file_truncate_effects,
	.tune = file_truncate_tune,
	.undo = file_truncate_undo,
};
