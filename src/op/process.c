/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Advice on another process's memory, and the memory of a process that is being killed. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem/cell.h"
#include "op/op.h"
#include "backings.h"
#include "result.h"
#include "uffd.h"
#include "uapi.h"

/* ---- process_madvise ---- */

enum { ADVISE_ARG_ADVICE = 4, ADVISE_ARG_PROC };

static const struct arg_word advice_words[] = {
	{"pageout", MADV_PAGEOUT},
	{"cold", MADV_COLD},
	{"willneed", MADV_WILLNEED},
	{"collapse", MADV_COLLAPSE},
	{"dontneed", MADV_DONTNEED},
	{NULL, 0},
};

static const struct arg_desc advise_args[] = {
	ARGS_RANGE,
	{"advice", ARG_ENUM, 0, advice_words, "the advice; dontneed goes to the own process"},
	{"proc", ARG_PROC, 0, NULL, "which of the other executors"},
	{.kind = ARG_END},
};

static int advice_of(const struct op_call *c)
{
	return (int)advice_words[c->arg[ADVISE_ARG_ADVICE]].value;
}

/* What throws data away is for the own memory alone (mm/madvise.c, process_madvise_remote_valid). */
static pid_t advised_pid(const struct op_env *e, const struct op_call *c)
{
	if (e->nprocs < 2 || advice_of(c) == MADV_DONTNEED)
		return op_pid(e, e->proc);
	return op_pid(e, e->proc + 1 + c->arg[ADVISE_ARG_PROC] % (e->nprocs - 1));
}

/* The range as two vectors, at a page in its middle. */
static unsigned long halves(const struct op_span *s, struct iovec v[2])
{
	size_t half = (size_t)(s->pages / 2) << s->slot->page_shift;

	v[0] = (struct iovec){(void *)s->addr, half ? half : s->len};
	v[1] = (struct iovec){(void *)(s->addr + half), s->len - half};
	return half ? 2 : 1;
}

/* A count short of the range does not say why the kernel stopped: EAGAIN. */
static long run_process_madvise(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct iovec v[2];
	unsigned long n = halves(&s, v);
	pid_t pid = advised_pid(e, c);
	long fd, r;

	if (pid <= 0)
		return -ESRCH;
	fd = result_of(syscall(SYS_pidfd_open, pid, 0));
	if (fd < 0)
		return fd;
	r = result_of(syscall(SYS_process_madvise, fd, v, n, advice_of(c), 0));
	close((int)fd);
	uffd_dropped(e, &s);
	return r < 0 || (size_t)r == s.len ? r : -EAGAIN;
}

static unsigned int effects_process_madvise(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	if (advice_of(c) != MADV_DONTNEED || !backing_in(s.slot, BACKINGS_PRIVATE))
		return 0;
	eff[0] = op_effect(&s, EFFECT_ZERO | (op_span_aligned(&s) ? EFFECT_ZEROED : 0));
	return 1;
}

/* What another process has mapped and locked is not known here: what follows from it is always right. */
static const struct op_errno errnos_process_madvise[] = {
	{ENOMEM, WHEN_ALWAYS}, /* a hole; no huge page for a collapse */
	{EINVAL, WHEN_ALWAYS}, /* locked; nothing to collapse; an advice that this kernel refuses */
	{EAGAIN, WHEN_ALWAYS},
	{EBUSY, WHEN_ALWAYS}, /* memory cgroup charge of a collapse */
	{EBADF, WHEN_ANON}, /* a kernel built without swap */
	{ESRCH, WHEN_GONE_PEER},
	{0, 0},
};

const struct op op_process_madvise = {
	.name = "process_madvise",
	.help = "advises on another executor's memory, or throws own memory away, by pidfd",
	.exercises = "process_madvise vector_madvise mm_access madvise_cold_or_pageout_pte_range "
		     "madvise_collapse madvise_willneed",
	.weight = 4,
	.backings = BACKINGS_BASE,
	.needs = {CAP_HAS_PROCESS_MADVISE},
	.nneeds = 1,
	.args = advise_args,
	.errnos = errnos_process_madvise,
	.run = run_process_madvise,
	.effects = effects_process_madvise,
};

/* ---- process_mrelease ---- */

enum { RELEASE_ARG_HOW = 4 };

static const struct arg_word how_words[] = {
	{"write", CELL_WRITE},
	{"read", CELL_READ},
	{"rmw", CELL_RMW},
	{NULL, 0},
};

static const struct arg_desc release_args[] = {
	ARGS_RANGE,
	{"how", ARG_ENUM, 0, how_words, "the child's access to the range before it is killed"},
	{.kind = ARG_END},
};

/* Has copies of pages, and stands still with them. */
static _Noreturn void victim(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	e->cells->child = true;
	cells_touch(e->cells, s.slot_no, s.view, s.page, s.pages, 1,
		(enum cell_how)how_words[c->arg[RELEASE_ARG_HOW]].value);
	syscall(SYS_kill, syscall(SYS_getpid), SIGSTOP);
	_exit(0);
}

static long wait_for(pid_t pid, int options, int *status)
{
	while (waitpid(pid, status, __WALL | options) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* While it dies: whichever of the two is first at a page frees it. */
static long reap(pid_t pid)
{
	long fd = result_of(syscall(SYS_pidfd_open, pid, 0)), r;

	syscall(SYS_kill, pid, SIGKILL);
	if (fd < 0)
		return fd;
	r = result_of(syscall(SYS_process_mrelease, fd, 0));
	close((int)fd);
	return r;
}

static long run_process_mrelease(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	int status;
	pid_t pid;
	long r, end;

	cells_before_fork(e->cells, s.slot_no, s.page, s.pages);
	pid = _Fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		victim(e, c);
	r = wait_for(pid, WUNTRACED, &status);
	if (r < 0)
		return r;
	if (!WIFSTOPPED(status))
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? -ENOMEM
									  : -ENOTRECOVERABLE;
	r = reap(pid);
	end = wait_for(pid, 0, &status);
	return end < 0 ? end : r;
}

static const struct op_errno errnos_process_mrelease[] = {
	{EAGAIN, WHEN_ALWAYS}, /* limits on processes; a notifier that cannot be waited for */
	{ENOMEM, WHEN_ALWAYS}, /* and a child that the OOM killer chose */
	{ESRCH, WHEN_ALWAYS}, /* it was gone first */
	{0, 0},
};

const struct op op_process_mrelease = {
	.name = "process_mrelease",
	.help = "forks a child with copies of the range, kills it and frees its memory "
		"(process_mrelease)",
	.exercises = "process_mrelease __oom_reap_task_mm unmap_page_range zap_huge_pmd exit_mmap "
		     "copy_huge_pmd task_will_free_mem",
	.weight = 1,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_PROCESS_MRELEASE},
	.nneeds = 1,
	.args = release_args,
	.errnos = errnos_process_mrelease,
	.run = run_process_mrelease,
};
