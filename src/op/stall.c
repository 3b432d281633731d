/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls that stop half-way: an array of theirs lies across two pages, and the second one is missing and comes late, from the gear's
 * thread (uffd_gear.c). What the first half has isolated, pinned or locked stays so while other lanes go on. The arrays are the
 * gear's, outside of all slots.
 */
#include "uffd.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "backings.h"
#include "moved.h"
#include "result.h"
#include "uapi.h"

enum { ARG_LATE = 4, ARG_WHERE = 5, ARG_NODE_NO = 6, ARG_FLAGS_BITS = 7 };
enum { LATE_NS_MAX = 5000000 };

#define ARG_LATE_NS                                                         \
	{                                                                   \
		"late", ARG_NS, LATE_NS_MAX, NULL, "how long it is stopped" \
	}

static void tune_late(struct op_call *c, struct rng *r)
{
	c->arg[ARG_LATE] = 1000 + (uint32_t)rng_log(r, LATE_NS_MAX - 1000);
}

static size_t border(const struct op_env *e)
{
	return (size_t)e->machine->page_size;
}

/* Where n elements of an array begin, so that half of them lie on either page. */
static size_t centred(const struct op_env *e, unsigned long n, size_t size)
{
	return border(e) - n / 2 * size;
}

/* ---- move_pages ---- */

enum { IN_PAGES, IN_NODES, IN_STATUS };

static const struct arg_word where_words[] = {
	{"pages", IN_PAGES}, {"nodes", IN_NODES}, {"status", IN_STATUS}, {NULL, 0}};

static const struct arg_word move_words[] = {
	{"move", MPOL_MF_MOVE}, {"move_all", MPOL_MF_MOVE_ALL}, {NULL, 0}};

static const struct arg_desc move_args[] = {
	ARGS_RANGE,
	ARG_LATE_NS,
	{"where", ARG_ENUM, 0, where_words, "which of its arrays"},
	{"node", ARG_NODE, 0, NULL, "where to"},
	{"flags", ARG_ENUM, 0, move_words, "also pages that other processes map"},
	{.kind = ARG_END},
};

/* The three arrays' twins are filled in; returns how many elements they have. */
static unsigned long fill_arrays(
	struct op_env *e, const struct op_span *s, int target, char *array[STALL_ARRAYS])
{
	unsigned long most = border(e) / sizeof(void *) / 2, n = 0, step = s->slot->granule;
	size_t at[STALL_ARRAYS];

	if (step == 1 && s->pages / most >= 1)
		step = s->pages / most + 1;
	n = (s->pages + step - 1) / step;
	n = n < most ? n : most;
	at[IN_PAGES] = centred(e, n, sizeof(void *));
	at[IN_NODES] = centred(e, n, sizeof(int));
	at[IN_STATUS] = centred(e, n, sizeof(int));
	for (unsigned long i = 0; i < n; i++) {
		((void **)(void *)(stall_twin(e, IN_PAGES) + at[IN_PAGES]))[i] =
			(void *)(s->addr + ((i * step) << s->slot->page_shift));
		((int *)(void *)(stall_twin(e, IN_NODES) + at[IN_NODES]))[i] = target;
		((int *)(void *)(stall_twin(e, IN_STATUS) + at[IN_STATUS]))[i] = STATUS_UNWRITTEN;
	}
	for (unsigned int i = 0; i < STALL_ARRAYS; i++)
		array[i] = stall_array(e, i) + at[i];
	return n;
}

static long run_move(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	int target = op_node(e, c->arg[ARG_NODE_NO]);
	char *array[STALL_ARRAYS];
	unsigned long n = fill_arrays(e, &s, target, array);
	long r = stall_begin(e, where_words[c->arg[ARG_WHERE]].value, c->arg[ARG_LATE]);

	if (r < 0)
		return r;
	r = result_of(syscall(SYS_move_pages, 0, n, array[IN_PAGES], array[IN_NODES],
		array[IN_STATUS], move_words[c->arg[ARG_FLAGS_BITS]].value));
	if (r < 0)
		return r;
	memcpy(e->scratch->status, array[IN_STATUS], n * sizeof(int));
	return moved_judge(e, n, target, r);
}

static bool odd_move(const struct op_env *e, const struct op_call *c)
{
	(void)e;
	return move_words[c->arg[ARG_FLAGS_BITS]].value == MPOL_MF_MOVE_ALL &&
	       caps_missing(CAP_HAS_MOVE_ALL);
}

static const struct op_errno errnos_move[] = {
	{ENOMEM, WHEN_ALWAYS}, /* the target node is full, or its hugetlb pool */
	{EPERM, WHEN_ODD},
	{0, 0},
};

const struct op op_stall_move_pages = {
	.name = "stall_move_pages",
	.help = "move_pages that stops half-way, with pages already isolated",
	.exercises = "do_pages_move add_folio_for_migration move_pages_and_store_status "
		     "migrate_pages store_status handle_userfault",
	.weight = 3,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_UFFD_KERNEL, CAP_HAS_NUMA},
	.nneeds = 2,
	.wants = {CAP_HAS_MOVE_ALL},
	.nwants = 1,
	.gear = &gear_uffd,
	.args = move_args,
	.errnos = errnos_move,
	.run = run_move,
	.odd = odd_move,
	.tune = tune_late,
};

/* ---- reading what is pinned ---- */

static const struct arg_desc late_args[] = {ARGS_RANGE, ARG_LATE_NS, {.kind = ARG_END}};

/* The stalled pages, and room for more; what is read there is of no use. */
static unsigned int buffers(struct op_env *e, struct iovec v[2])
{
	v[0] = (struct iovec){stall_array(e, 0), 2 * border(e)};
	v[1] = (struct iovec){e->scratch->text, sizeof(e->scratch->text)};
	return 2;
}

static long run_vm_readv(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct iovec local[2], remote = {(void *)s.addr, s.len};
	unsigned int n = buffers(e, local);
	long r = stall_begin(e, 0, c->arg[ARG_LATE]);

	return r < 0 ? r : result_of(process_vm_readv(getpid(), local, n, &remote, 1, 0));
}

static const struct op_errno errnos_vm_readv[] = {
	{EFAULT, WHEN_HOLE | WHEN_SHORT | WHEN_TIGHT},
	{ENOMEM, WHEN_ALWAYS},
	{0, 0},
};

const struct op op_stall_process_vm_readv = {
	.name = "stall_process_vm_readv",
	.help = "process_vm_readv of a range of this process, that stops with its pages pinned",
	.exercises = "process_vm_rw_single_vec pin_user_pages_remote process_vm_rw_pages "
		     "unpin_user_pages_dirty_lock handle_userfault",
	.weight = 3,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_UFFD_KERNEL},
	.nneeds = 1,
	.gear = &gear_uffd,
	.args = late_args,
	.errnos = errnos_vm_readv,
	.run = run_vm_readv,
	.tune = tune_late,
};

/* ---- reading and writing the object ---- */

static off_t offset_of(const struct op_span *s)
{
	return (off_t)s->page << s->slot->page_shift;
}

static long run_pread(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct iovec v[2];
	unsigned int n = buffers(e, v);
	long r = stall_begin(e, 0, c->arg[ARG_LATE]);

	return r < 0 ? r : result_of(preadv(s.slot->fd, v, (int)n, offset_of(&s)));
}

const struct op op_stall_pread = {
	.name = "stall_pread",
	.help = "preadv of a slot's file, that stops while it holds a page",
	.exercises = "shmem_file_read_iter hugetlbfs_read_iter filemap_read copy_folio_to_iter "
		     "handle_userfault",
	.weight = 2,
	.backings = BACKINGS_WITH_FD,
	.needs = {CAP_HAS_UFFD_KERNEL},
	.nneeds = 1,
	.gear = &gear_uffd,
	.args = late_args,
	.errnos = (const struct op_errno[]){{ENOMEM, WHEN_ALWAYS}, {0, 0}},
	.run = run_pread,
	.tune = tune_late,
};

/* Behind the cells of the page and their tails (mem/tail.h): the model knows nothing of the bytes there. */
enum { BEHIND_CELLS = 3584, WRITE_LEN = 512 };

static long run_pwrite(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	long r = stall_begin(e, 0, c->arg[ARG_LATE]);

	if (r < 0)
		return r;
	return result_of(pwrite(s.slot->fd, stall_array(e, 0) + border(e) - WRITE_LEN / 2,
		WRITE_LEN, offset_of(&s) + BEHIND_CELLS));
}

/* A file that is too short grows. */
static unsigned int effects_pwrite(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_RESIZED);
	eff[0].pages += eff[0].page;
	eff[0].page = 0;
	return 1;
}

static const struct op_errno errnos_pwrite[] = {
	{ENOSPC, WHEN_ALWAYS},
	{ENOMEM, WHEN_ALWAYS},
	{EPERM, WHEN_ALWAYS}, /* a seal against growing or writing */
	{0, 0},
};

const struct op op_stall_pwrite = {
	.name = "stall_pwrite",
	.help = "pwrite to a slot's file beside the cells, that stops while it holds the inode's "
		"lock",
	.exercises = "shmem_file_write_iter generic_perform_write shmem_write_begin "
		     "fault_in_iov_iter_readable handle_userfault",
	.weight = 2,
	.backings = BACKINGS_WITH_FD & ~BACKINGS_HUGETLB,
	.needs = {CAP_HAS_UFFD_KERNEL},
	.nneeds = 1,
	.gear = &gear_uffd,
	.args = late_args,
	.errnos = errnos_pwrite,
	.run = run_pwrite,
	.effects = effects_pwrite,
	.tune = tune_late,
};
