/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * userfaultfd over ranges of slots: what a lane misses, shares or may not write comes to the gear's thread first (uffd_gear.c). A range is
 * owned by one descriptor at a time (EBUSY), and keeps it until it is unregistered or mapped anew.
 */
#include "uffd.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "backings.h"
#include "result.h"

enum { BACKINGS_UFFD = 1 << BACKING_ANON | BACKINGS_SHMEM | BACKINGS_HUGETLB };

static const struct arg_word by_words[] = {
	{"plain", UFFD_PLAIN},
	{"events", UFFD_EVENTS},
	{NULL, 0},
};

#define ARGS_BY                                                                                \
	ARGS_RANGE,                                                                            \
	{                                                                                      \
		"by", ARG_ENUM, 0, by_words,                                                   \
			"a descriptor that is also told of fork, mremap, madvise and munmap, " \
			"or not"                                                               \
	}

enum { ARG_FIRST = 2, ARG_PAGES = 3, ARG_BY = 4, ARG_MORE = 5, ARG_LATE = 6 };

static int fd_of(const struct op_env *e, const struct op_call *c)
{
	return uffd_fd(e, c->arg[ARG_BY]);
}

static struct uffdio_range range_of(const struct op_span *s)
{
	return (struct uffdio_range){s->addr, s->len};
}

/* Whatever takes a page of its own way into the range: it comes without the protection that was there. */
static unsigned int effects_lift(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_WP_LIFT);
	return 1;
}

/* What fills holes takes no more at once than there are zeroes: 8 MiB, or a huge page that is longer. */
static struct op_span fill_span(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t most = UFFD_ZEROES >> s.slot->page_shift;

	most = most > s.slot->granule ? most : s.slot->granule;
	s.pages = s.pages < most ? s.pages : most;
	s.len = (size_t)s.pages << s.slot->page_shift;
	return s;
}

/*
 * Up to 6.18 a guard counts as a hole (pte_none_mostly()) and is overwritten; later it is in the way (EEXIST): once all is filled there
 * is none.
 */
static unsigned int effects_fill(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = fill_span(e, c);

	eff[0] = op_effect(&s, EFFECT_WP_LIFT | EFFECT_UNGUARDED);
	return 1;
}

static unsigned int effects_register(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_WP_LIFT | EFFECT_VMA_SPLIT);
	return 1;
}

/* ---- register ---- */

static const struct op_errno errnos_register[] = {
	{EINVAL, WHEN_HOLE | WHEN_UNALIGNED | WHEN_ODD},
	{EBUSY, WHEN_SPLIT}, /* a part belongs to the other descriptor */
	{ENOMEM, WHEN_ALWAYS}, /* vm.max_map_count, page tables */
	{0, 0},
};

static bool wp_possible(const struct op_span *s)
{
	return !caps_missing(
		s->slot->spec.backing == BACKING_ANON ? CAP_HAS_UFFD_WP : CAP_HAS_UFFD_WP_FILE);
}

/*
 * Registering anew replaces the modes and leaves the bits in the page tables. Where a hugetlb page has the bit and its VMA no longer the mode,
 * a write faults for ever (hugetlb_wp() looks at the bit alone; docs/found.md): there the mode is never given up but by unregistering, which
 * clears the bits.
 */
static long do_register(struct op_env *e, const struct op_call *c, uint64_t mode)
{
	struct op_span s = op_range(e, c);
	struct uffdio_register reg = {.range = range_of(&s), .mode = mode};

	if (backing_in(s.slot, BACKINGS_HUGETLB) && wp_possible(&s))
		reg.mode |= UFFDIO_REGISTER_MODE_WP;
	if (c->arg[ARG_BY] == UFFD_EVENTS)
		uffd_set_told(e, s.slot_no);
	return result_of(ioctl(fd_of(e, c), UFFDIO_REGISTER, &reg));
}

/*
 * Most of what follows wants a range that is registered whole, and one descriptor to own it all. It is not given back: an epoch's end
 * does that.
 */
static void tune_register(struct op_call *c, struct rng *r)
{
	if (rng_below(r, 2))
		c->arg[ARG_FIRST] = c->arg[ARG_PAGES] = 0;
	c->arg[ARG_BY] = rng_below(r, 4) == 0 ? UFFD_EVENTS : UFFD_PLAIN;
}

static const struct arg_word no_yes_words[] = {{"no", 0}, {"yes", 1}, {NULL, 0}};

static const struct arg_desc missing_args[] = {
	ARGS_BY,
	{"wp", ARG_ENUM, 0, no_yes_words, "write protection as well"},
	{"late", ARG_NS, 5000000, NULL, "how late the next few missing pages come"},
	{.kind = ARG_END},
};

static void tune_missing(struct op_call *c, struct rng *r)
{
	tune_register(c, r);
	if (rng_below(r, 2))
		c->arg[ARG_LATE] = 0;
}

static long run_register_missing(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	uffd_set_late(e, s.slot_no, c->arg[ARG_LATE]);
	return do_register(e, c,
		UFFDIO_REGISTER_MODE_MISSING | (c->arg[ARG_MORE] ? UFFDIO_REGISTER_MODE_WP : 0));
}

static bool odd_register_missing(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return c->arg[ARG_MORE] && !wp_possible(&s);
}

const struct op op_uffd_register_missing = {
	.name = "uffd_register_missing",
	.help = "registers a range: pages that are missing come from userfaultfd's handler",
	.exercises = "userfaultfd_register handle_userfault userfaultfd_must_wait "
		     "userfaultfd_huge_must_wait hugetlb_unshare_all_pmds",
	.weight = 2,
	.backings = BACKINGS_UFFD,
	.needs = {CAP_HAS_UFFD_KERNEL},
	.nneeds = 1,
	.wants = {CAP_HAS_UFFD_EVENTS, CAP_HAS_UFFD_WP, CAP_HAS_UFFD_WP_FILE},
	.nwants = 3,
	.gear = &gear_uffd,
	.args = missing_args,
	.errnos = errnos_register,
	.run = run_register_missing,
	.effects = effects_register,
	.odd = odd_register_missing,
	.tune = tune_missing,
};

static const struct arg_desc by_args[] = {ARGS_BY, {.kind = ARG_END}};

static long run_register_minor(struct op_env *e, const struct op_call *c)
{
	return do_register(e, c, UFFDIO_REGISTER_MODE_MINOR);
}

const struct op op_uffd_register_minor = {
	.name = "uffd_register_minor",
	.help = "registers a range: pages that the object has and the view has not come from "
		"userfaultfd's handler",
	.exercises = "userfaultfd_register handle_userfault hugetlb_unshare_all_pmds "
		     "shmem_fault hugetlb_fault",
	.weight = 1,
	.backings = BACKINGS_UFFD & BACKINGS_SHARED,
	.needs = {CAP_HAS_UFFD_KERNEL, CAP_HAS_UFFD_MINOR},
	.nneeds = 2,
	.wants = {CAP_HAS_UFFD_EVENTS},
	.nwants = 1,
	.gear = &gear_uffd,
	.args = by_args,
	.errnos = errnos_register,
	.run = run_register_minor,
	.effects = effects_register,
	.tune = tune_register,
};

static const struct arg_word lift_words[] = {{"page", 0}, {"huge", 1}, {NULL, 0}};

static const struct arg_desc register_wp_args[] = {
	ARGS_BY,
	{"lift", ARG_ENUM, 0, lift_words, "what the handler lifts for a write"},
	{.kind = ARG_END},
};

static long run_register_wp(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	uffd_set_huge(e, s.slot_no, lift_words[c->arg[ARG_MORE]].value);
	return do_register(e, c, UFFDIO_REGISTER_MODE_WP);
}

static bool odd_wp(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return !wp_possible(&s);
}

const struct op op_uffd_register_wp = {
	.name = "uffd_register_wp",
	.help = "registers a range: writes to what is write-protected come to userfaultfd's "
		"handler",
	.exercises = "userfaultfd_register handle_userfault hugetlb_unshare_all_pmds",
	.weight = 3,
	.backings = BACKINGS_UFFD,
	.needs = {CAP_HAS_UFFD_KERNEL, CAP_HAS_UFFD_WP},
	.nneeds = 2,
	.wants = {CAP_HAS_UFFD_EVENTS, CAP_HAS_UFFD_WP_FILE},
	.nwants = 2,
	.gear = &gear_uffd,
	.args = register_wp_args,
	.errnos = errnos_register,
	.run = run_register_wp,
	.effects = effects_register,
	.odd = odd_wp,
	.tune = tune_register,
};

/* ---- unregister ---- */

static const struct op_errno errnos_unregister[] = {
	{EINVAL, WHEN_HOLE | WHEN_UNALIGNED | WHEN_SPLIT}, /* SPLIT: a part is the other's */
	{ENOMEM, WHEN_ALWAYS},
	{0, 0},
};

static unsigned int effects_unregister(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_WP_LIFT | EFFECT_VMA_SPLIT);
	return 1;
}

static long run_unregister(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct uffdio_range range = range_of(&s);

	return result_of(ioctl(fd_of(e, c), UFFDIO_UNREGISTER, &range));
}

const struct op op_uffd_unregister = {
	.name = "uffd_unregister",
	.help = "ends a range's registration, and with it its write protection",
	.exercises = "userfaultfd_unregister userfaultfd_clear_vma uffd_wp_range",
	.weight = 2,
	.backings = BACKINGS_UFFD,
	.needs = {CAP_HAS_UFFD_KERNEL},
	.nneeds = 1,
	.wants = {CAP_HAS_UFFD_EVENTS},
	.nwants = 1,
	.gear = &gear_uffd,
	.args = by_args,
	.errnos = errnos_unregister,
	.run = run_unregister,
	.effects = effects_unregister,
};

/* ---- write protection ---- */

static const struct op_errno errnos_wp[] = {
	{ENOENT, WHEN_ALWAYS}, /* not all of it is registered for that; 6.1: nor is it one VMA */
	{EINVAL, WHEN_UNALIGNED | WHEN_ODD},
	{EAGAIN, WHEN_ALWAYS}, /* the mapping is changing, and the descriptor is told of it */
	{ENOMEM, WHEN_ALWAYS}, /* page tables for its markers */
	{0, 0},
};

/* Without UNPOPULATED, private memory is protected where pages are; nobody knows where that is. */
static unsigned int effects_wp(const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	if (s.slot->spec.backing == BACKING_ANON && caps_missing(CAP_HAS_UFFD_WP_UNPOPULATED))
		return 0;
	eff[0] = op_effect(&s, EFFECT_WP);
	return 1;
}

static long protect(struct op_env *e, const struct op_call *c, uint64_t mode)
{
	struct op_span s = op_range(e, c);
	struct uffdio_writeprotect wp = {.range = range_of(&s), .mode = mode};

	return result_of(ioctl(fd_of(e, c), UFFDIO_WRITEPROTECT, &wp));
}

static long run_wp(struct op_env *e, const struct op_call *c)
{
	return protect(e, c, UFFDIO_WRITEPROTECT_MODE_WP);
}

const struct op op_uffd_wp = {
	.name = "uffd_wp",
	.help = "write-protects a range: the next write to each page comes to userfaultfd's "
		"handler",
	.exercises = "userfaultfd_writeprotect mwriteprotect_range uffd_wp_range "
		     "change_protection change_huge_pmd hugetlb_change_protection "
		     "change_pte_range",
	.weight = 4,
	.backings = BACKINGS_UFFD,
	.needs = {CAP_HAS_UFFD_KERNEL, CAP_HAS_UFFD_WP},
	.nneeds = 2,
	.wants = {CAP_HAS_UFFD_EVENTS, CAP_HAS_UFFD_WP_FILE, CAP_HAS_UFFD_WP_UNPOPULATED},
	.nwants = 3,
	.gear = &gear_uffd,
	.args = by_args,
	.errnos = errnos_wp,
	.run = run_wp,
	.effects = effects_wp,
	.odd = odd_wp,
};

static long run_unwp(struct op_env *e, const struct op_call *c)
{
	return protect(e, c, 0);
}

const struct op op_uffd_unwp = {
	.name = "uffd_unwp",
	.help = "lifts a range's write protection by userfaultfd",
	.exercises = "userfaultfd_writeprotect mwriteprotect_range uffd_wp_range "
		     "change_protection can_change_pte_writable wake_userfault",
	.weight = 2,
	.backings = BACKINGS_UFFD,
	.needs = {CAP_HAS_UFFD_KERNEL, CAP_HAS_UFFD_WP},
	.nneeds = 2,
	.wants = {CAP_HAS_UFFD_EVENTS, CAP_HAS_UFFD_WP_FILE},
	.nwants = 2,
	.gear = &gear_uffd,
	.args = by_args,
	.errnos = errnos_wp,
	.run = run_unwp,
	.effects = effects_lift,
	.odd = odd_wp,
};

/* ---- pages that are brought in without a fault ---- */

static const struct op_errno errnos_fill[] = {
	{EEXIST, WHEN_ALWAYS}, /* a page is there */
	{ENOENT, WHEN_ALWAYS}, /* not registered, or not within one VMA */
	{EAGAIN, WHEN_ALWAYS}, /* done in part; or as for uffd_wp */
	{ENOMEM, WHEN_ALWAYS},
	{EFAULT, WHEN_SHORT},
	{EINVAL, WHEN_UNALIGNED | WHEN_ODD},
	{0, 0},
};

static const struct arg_word fill_words[] = {
	{"dontwake", 1},
	{"wp", 2},
	{NULL, 0},
};

static const struct arg_desc fill_args[] = {
	ARGS_BY,
	{"flags", ARG_FLAGS, 0, fill_words, "wakes nobody; brings it in write-protected"},
	{.kind = ARG_END},
};

static const struct arg_word wake_words[] = {{"dontwake", 1}, {NULL, 0}};

static const struct arg_desc zero_args[] = {
	ARGS_BY,
	{"flags", ARG_FLAGS, 0, wake_words, "wakes nobody"},
	{.kind = ARG_END},
};

/* Zeroes for what is nothing: no effect on contents. */
static long run_copy(struct op_env *e, const struct op_call *c)
{
	struct op_span s = fill_span(e, c);
	struct uffdio_copy copy = {.dst = s.addr,
		.src = (uintptr_t)uffd_zero(e),
		.len = s.len,
		.mode = (c->arg[ARG_MORE] & 1 ? UFFDIO_COPY_MODE_DONTWAKE : 0) |
			(c->arg[ARG_MORE] & 2 ? UFFDIO_COPY_MODE_WP : 0)};

	return result_of(ioctl(fd_of(e, c), UFFDIO_COPY, &copy));
}

/* EINVAL for a range that is not registered for write protection. */
static bool odd_fill(const struct op_env *e, const struct op_call *c)
{
	(void)e;
	return c->arg[ARG_MORE] & 2;
}

static void tune_fill(struct op_call *c, struct rng *r)
{
	static const uint8_t flags[] = {0, 0, 0, 1, 2, 3};

	c->arg[ARG_MORE] = flags[rng_below(r, sizeof(flags))];
}

const struct op op_uffd_copy = {
	.name = "uffd_copy",
	.help = "UFFDIO_COPY: fills a hole of a registered range with zeroes",
	.exercises = "mfill_atomic mfill_atomic_copy mfill_atomic_pte_copy shmem_mfill_atomic_pte "
		     "hugetlb_mfill_atomic_pte mfill_atomic_install_pte",
	.weight = 3,
	.backings = BACKINGS_UFFD,
	.needs = {CAP_HAS_UFFD_KERNEL},
	.nneeds = 1,
	.wants = {CAP_HAS_UFFD_EVENTS},
	.nwants = 1,
	.gear = &gear_uffd,
	.args = fill_args,
	.errnos = errnos_fill,
	.run = run_copy,
	.effects = effects_fill,
	.odd = odd_fill,
	.tune = tune_fill,
};

static long run_zeropage(struct op_env *e, const struct op_call *c)
{
	struct op_span s = fill_span(e, c);
	struct uffdio_zeropage zero = {.range = range_of(&s),
		.mode = c->arg[ARG_MORE] & 1 ? UFFDIO_ZEROPAGE_MODE_DONTWAKE : 0};

	return result_of(ioctl(fd_of(e, c), UFFDIO_ZEROPAGE, &zero));
}

const struct op op_uffd_zeropage = {
	.name = "uffd_zeropage",
	.help = "UFFDIO_ZEROPAGE: fills a hole of a registered range with the zero page",
	.exercises = "mfill_atomic mfill_atomic_zeropage mfill_atomic_pte_zeropage "
		     "shmem_mfill_atomic_pte",
	.weight = 2,
	.backings = BACKINGS_UFFD & ~BACKINGS_HUGETLB,
	.needs = {CAP_HAS_UFFD_KERNEL},
	.nneeds = 1,
	.wants = {CAP_HAS_UFFD_EVENTS},
	.nwants = 1,
	.gear = &gear_uffd,
	.args = zero_args,
	.errnos = errnos_fill,
	.run = run_zeropage,
	.effects = effects_fill,
};

static const struct op_errno errnos_continue[] = {
	{EFAULT, WHEN_ALWAYS}, /* the object has no page there */
	{EEXIST, WHEN_ALWAYS},
	{ENOENT, WHEN_ALWAYS},
	{EAGAIN, WHEN_ALWAYS},
	{ENOMEM, WHEN_ALWAYS},
	/* SHORT: shmem_get_folio_gfp(SGP_NOALLOC) beyond the end. */
	{EINVAL, WHEN_UNALIGNED | WHEN_ODD | WHEN_SHORT},
	{0, 0},
};

static long run_continue(struct op_env *e, const struct op_call *c)
{
	struct op_span s = fill_span(e, c);
	struct uffdio_continue cont = {.range = range_of(&s),
		.mode = c->arg[ARG_MORE] & 1 ? UFFDIO_CONTINUE_MODE_DONTWAKE : 0};

	return result_of(ioctl(fd_of(e, c), UFFDIO_CONTINUE, &cont));
}

const struct op op_uffd_continue = {
	.name = "uffd_continue",
	.help = "UFFDIO_CONTINUE: maps pages that the object has into a registered range",
	.exercises = "mfill_atomic mfill_atomic_continue mfill_atomic_pte_continue "
		     "hugetlb_mfill_atomic_pte mfill_atomic_install_pte",
	.weight = 2,
	.backings = BACKINGS_UFFD & BACKINGS_SHARED,
	.needs = {CAP_HAS_UFFD_KERNEL, CAP_HAS_UFFD_MINOR},
	.nneeds = 2,
	.wants = {CAP_HAS_UFFD_EVENTS},
	.nwants = 1,
	.gear = &gear_uffd,
	.args = zero_args,
	.errnos = errnos_continue,
	.run = run_continue,
	.effects = effects_fill,
};

/* ---- wake ---- */

static long run_wake(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct uffdio_range range = range_of(&s);

	return result_of(ioctl(fd_of(e, c), UFFDIO_WAKE, &range));
}

const struct op op_uffd_wake = {
	.name = "uffd_wake",
	.help = "wakes whoever waits for a page of a range, with nothing resolved: it faults again",
	.exercises = "userfaultfd_wake wake_userfault userfaultfd_wake_function",
	.weight = 1,
	.backings = BACKINGS_UFFD,
	.needs = {CAP_HAS_UFFD_KERNEL},
	.nneeds = 1,
	.wants = {CAP_HAS_UFFD_EVENTS},
	.nwants = 1,
	.gear = &gear_uffd,
	.args = by_args,
	.run = run_wake,
};
