/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sealing. A seal lasts as long as the process: it is put on the range in a forked child, which then tries what it must
 * keep off.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem/cell.h"
#include "op/op.h"
#include "backings.h"
#include "result.h"
#include "uapi.h"

enum { ARG_PROT = 4 };
enum { BROKEN = EPROTO }; /* the result if a seal did not hold; no kernel gives it here */

static const struct arg_word prot_words[] = {
	{"rw", PROT_READ | PROT_WRITE},
	{"read", PROT_READ},
	{NULL, 0},
};

static const struct arg_desc seal_args[] = {
	ARGS_RANGE,
	{"prot", ARG_ENUM, 0, prot_words, "the rights that it is sealed with"},
	{.kind = ARG_END},
};

/* Each would change or move the sealed range. All of it is one try: what was refused has done nothing. */
static bool holds(const struct op_env *e, const struct op_span *s)
{
	void *at = (void *)s->addr;

	if (munmap(at, s->len) == 0 || errno != EPERM)
		return false;
	if (mprotect(at, s->len, PROT_NONE) == 0 || errno != EPERM)
		return false;
	if (mremap(at, s->len, s->len, MREMAP_MAYMOVE | MREMAP_FIXED,
		    (void *)slot_spare(s->slot, e->lane)) != MAP_FAILED)
		return false;
	return slot_map(s->slot, s->view, s->page, s->pages, 0) != 0;
}

/* Discarding is refused for private anonymous memory that cannot be written (mm/mseal.c, can_modify_vma_madv). */
static bool keeps(const struct op_span *s, int prot)
{
	if ((prot & PROT_WRITE) || s->slot->spec.backing != BACKING_ANON)
		return true;
	return madvise((void *)s->addr, s->len, MADV_DONTNEED) < 0 && errno == EPERM;
}

static _Noreturn void child(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	int prot = (int)prot_words[c->arg[ARG_PROT]].value;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	e->cells->child = true;
	if (mprotect((void *)s.addr, s.len, prot) < 0)
		_exit(errno);
	if (syscall(SYS_mseal, s.addr, s.len, 0) < 0)
		_exit(errno);
	if (!holds(e, &s) || !keeps(&s, prot))
		_exit(BROKEN);
	cells_touch(e->cells, s.slot_no, s.view, s.page, s.pages, 1, CELL_READ);
	_exit(0);
}

static long run(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	int status;
	pid_t pid;

	cells_before_fork(e->cells, s.slot_no, s.page, s.pages);
	pid = _Fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(e, c);
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGKILL ? -ENOMEM : -ENOTRECOVERABLE;
	return -WEXITSTATUS(status);
}

static const struct op_errno errnos[] = {
	{EAGAIN, WHEN_ALWAYS}, /* limits on processes */
	{ENOMEM, WHEN_ALWAYS}, /* a hole, which MADV_DONTFORK makes too */
	{EINVAL, WHEN_UNALIGNED}, /* hugetlb_vm_op_split */
	{0, 0},
};

const struct op op_mseal = {
	.name = "mseal",
	.help = "seals the range in a forked child, which then tries to unmap, protect, move and "
		"replace it",
	.exercises = "do_mseal mseal_fixup can_modify_vma can_modify_vma_madv vma_modify_flags "
		     "__split_vma vma_adjust_trans_huge",
	.weight = 1,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_MSEAL},
	.nneeds = 1,
	.args = seal_args,
	.errnos = errnos,
	.run = run,
};
