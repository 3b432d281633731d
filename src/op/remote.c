/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory read and written by the kernel for a process, its own or another executor's: process_vm_readv and process_vm_writev,
 * /proc/PID/mem, ptrace. Read are the lane's cells and words (mem/tail.h), written the words alone: the kernel may tear
 * them. What another executor has mapped is not known here, so that every refusal is right for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem/tail.h"
#include "op/op.h"
#include "backings.h"
#include "result.h"
#include "uffd.h"

enum { SAMPLES = 4, BULK_MAX = 32768 };
enum { ARG_WHOSE = 4 };

static const struct arg_desc args[] = {
	ARGS_RANGE,
	{"proc", ARG_PROC, 0, NULL, "whose memory: this or another executor's"},
	{.kind = ARG_END},
};

static unsigned int target(const struct op_env *e, const struct op_call *c)
{
	return c->arg[ARG_WHOSE] % (e->nprocs ? e->nprocs : 1);
}

/* True if the pages that the call looks at may lie outside its range: a range without a cell of its own. */
static bool beside(const struct op_env *e, const struct op_span *s)
{
	uint32_t page = tail_page(e->cells, s->slot_no, s->page, s->pages);

	return page < s->page || page >= s->page + s->pages;
}

static bool odd_remote(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	return target(e, c) != e->proc || beside(e, &s);
}

/* A fault that userfaultfd would resolve is not waited for (__access_remote_vm passes no FOLL_UNLOCKABLE): EIO. */
static bool odd_mem(const struct op_env *e, const struct op_call *c)
{
	return odd_remote(e, c) || gear_of(e, &gear_uffd);
}

/* Pages of the span that have cells. Returns how many. */
static unsigned int sample(const struct op_env *e, const struct op_span *s, uint32_t *page)
{
	uint32_t step = s->pages / SAMPLES, last = UINT32_MAX;
	unsigned int n = 0;

	for (unsigned int i = 0; i < SAMPLES; i++) {
		uint32_t from = s->page + i * step;
		uint32_t at = tail_page(e->cells, s->slot_no, from, s->page + s->pages - from);

		if (at != last)
			page[n++] = at;
		last = at;
	}
	return n;
}

static void *in_view(const struct op_span *s, uint32_t page, uint32_t byte)
{
	return (char *)slot_addr(s->slot, s->view, page) + byte;
}

/* True if the lane's cells in the target's memory are its own. */
static bool has_cells(const struct op_env *e, const struct op_span *s, unsigned int proc)
{
	return proc == e->proc || !e->cells->space[s->slot_no].private;
}

/* A cell and a word of a page, as `what` has read them. */
static void judge(struct op_env *e, const struct op_span *s, unsigned int proc, uint32_t page,
	uint64_t cell, const uint64_t *word, const char *what)
{
	if (has_cells(e, s, proc))
		cells_judge_seen(e->cells, s->slot_no, s->view, page, cell, what);
	if (word)
		tail_judge(e->cells, proc, s->slot_no, s->view, page, *word, what);
}

/* The words as the CPU sees them, where it is this process that was written. */
static void look_again(struct op_env *e, const struct op_span *s, unsigned int proc,
	const uint32_t *page, unsigned int n, const char *what)
{
	uint64_t seen;

	for (unsigned int i = 0; i < n && proc == e->proc; i++)
		if (tail_load(e->cells, s->slot_no, s->view, page[i], tail_line(e->lane), &seen,
			    sizeof(seen)))
			tail_judge(e->cells, proc, s->slot_no, s->view, page[i], seen, what);
}

static const struct op_errno errnos_vm[] = {
	{EFAULT, WHEN_HOLE | WHEN_SHORT | WHEN_TIGHT | WHEN_ODD},
	{EPERM, WHEN_ODD}, /* yama, or other credentials */
	{ESRCH, WHEN_GONE_PEER},
	{ENOMEM, WHEN_ALWAYS},
	{0, 0},
};

/* ---- process_vm_readv ---- */

static long run_process_vm_readv(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	unsigned int proc = target(e, c), n, got;
	uint64_t seen[2 * SAMPLES];
	struct iovec local[2], remote[2 * SAMPLES + 1];
	uint32_t page[SAMPLES];
	long r;

	n = sample(e, &s, page);
	for (unsigned int i = 0; i < n; i++) {
		remote[2 * i] = (struct iovec){in_view(&s, page[i], cell_byte(e->lane)), 8};
		remote[2 * i + 1] = (struct iovec){in_view(&s, page[i], tail_line(e->lane)), 8};
	}
	local[0] = (struct iovec){seen, 16UL * n};
	local[1] = (struct iovec){e->scratch->text, s.len < BULK_MAX ? s.len : BULK_MAX};
	remote[2 * n] = (struct iovec){(void *)s.addr, local[1].iov_len};
	r = result_of(process_vm_readv(op_pid(e, proc), local, 2, remote, 2UL * n + 1, 0));
	if (r < 0)
		return r;
	e->bytes += (uint64_t)r;
	got = (unsigned int)r / 8;
	for (unsigned int i = 0; i < n && 2 * i < got; i++)
		judge(e, &s, proc, page[i], seen[2 * i], 2 * i + 1 < got ? &seen[2 * i + 1] : NULL,
			"process_vm_readv");
	return 0;
}

const struct op op_process_vm_readv = {
	.name = "process_vm_readv",
	.help = "reads cells of this or another executor and compares them with what is due",
	.exercises = "process_vm_rw_core pin_user_pages_remote follow_page_mask "
		     "follow_trans_huge_pmd hugetlb_follow_page_mask unpin_user_pages",
	.weight = 4,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_PROCESS_VM},
	.nneeds = 1,
	.wants = {CAP_HAS_PEER_MEMORY},
	.nwants = 1,
	.args = args,
	.errnos = errnos_vm,
	.run = run_process_vm_readv,
	.odd = odd_remote,
};

/* ---- process_vm_writev ---- */

static long run_process_vm_writev(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	unsigned int proc = target(e, c), n, done;
	struct iovec local, remote[SAMPLES];
	struct tail_mark mark[SAMPLES];
	uint64_t value[SAMPLES];
	uint32_t page[SAMPLES];
	long r;

	n = sample(e, &s, page);
	for (unsigned int i = 0; i < n; i++) {
		mark[i] = tail_mark(e->cells, proc, s.slot_no, page[i]);
		tail_unknown(e->cells, proc, s.slot_no, page[i]);
		value[i] = tail_next(e->cells, s.slot_no, page[i]);
		remote[i] = (struct iovec){in_view(&s, page[i], tail_line(e->lane)), 8};
	}
	local = (struct iovec){value, 8UL * n};
	r = result_of(process_vm_writev(op_pid(e, proc), &local, 1, remote, n, 0));
	if (r < 0)
		return r;
	e->bytes += (uint64_t)r;
	done = (unsigned int)r / 8;
	for (unsigned int i = 0; i < done; i++)
		tail_wrote(e->cells, proc, s.slot_no, page[i], value[i], &mark[i]);
	look_again(e, &s, proc, page, done, "process_vm_writev");
	return 0;
}

const struct op op_process_vm_writev = {
	.name = "process_vm_writev",
	.help = "writes words behind the cells of this or another executor, where the CPU must see "
		"them",
	.exercises = "process_vm_rw_core pin_user_pages_remote faultin_page do_huge_pmd_wp_page "
		     "do_wp_page hugetlb_wp unpin_user_pages_dirty_lock",
	.weight = 4,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_PROCESS_VM},
	.nneeds = 1,
	.wants = {CAP_HAS_PEER_MEMORY},
	.nwants = 1,
	.args = args,
	.errnos = errnos_vm,
	.run = run_process_vm_writev,
	.odd = odd_remote,
};

/* ---- /proc/PID/mem ---- */

static const struct op_errno errnos_mem[] = {
	{EIO, WHEN_HOLE | WHEN_SHORT | WHEN_TIGHT | WHEN_ODD},
	{EFAULT, WHEN_HOLE | WHEN_ODD},
	{EACCES, WHEN_ODD}, /* yama, or other credentials */
	{EPERM, WHEN_ODD},
	{ENOENT, WHEN_GONE_PEER},
	{ESRCH, WHEN_GONE_PEER},
	{ENOMEM, WHEN_ALWAYS},
	{0, 0},
};

static int open_mem(const struct op_env *e, unsigned int proc, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)op_pid(e, proc));
	return (int)result_of(open(path, flags | O_CLOEXEC));
}

/* Nothing read or written is what a process without memory gives (fs/proc/base.c, mem_rw). */
static long moved_of(long r)
{
	return r == 0 ? -ESRCH : result_of(r);
}

static long run_proc_mem_read(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	unsigned int proc = target(e, c), n;
	uint32_t page[SAMPLES];
	int fd = open_mem(e, proc, O_RDONLY);
	long r = 0;

	if (fd < 0)
		return fd;
	n = sample(e, &s, page);
	for (unsigned int i = 0; i < n && r >= 0; i++) {
		uint64_t *seen = (uint64_t *)e->scratch->text;
		size_t cell = cell_byte(e->lane) / 8, word = tail_line(e->lane) / 8;

		r = moved_of(
			pread(fd, seen, TAIL_SECTORS, (off_t)(uintptr_t)in_view(&s, page[i], 0)));
		if (r == TAIL_SECTORS)
			judge(e, &s, proc, page[i], seen[cell], &seen[word], "/proc/PID/mem read");
		e->bytes += r > 0 ? (uint64_t)r : 0;
	}
	close(fd);
	return r < 0 ? r : 0;
}

const struct op op_proc_mem_read = {
	.name = "proc_mem_read",
	.help = "reads cells of this or another executor through /proc/PID/mem",
	.exercises = "mem_rw access_remote_vm get_user_pages_remote follow_page_mask",
	.needs = {CAP_HAS_PROC_MEM},
	.nneeds = 1,
	.weight = 3,
	.backings = BACKINGS_ALL,
	.wants = {CAP_HAS_PEER_MEMORY},
	.nwants = 1,
	.args = args,
	.errnos = errnos_mem,
	.run = run_proc_mem_read,
	.odd = odd_mem,
};

/* FOLL_FORCE: a private page is copied and written even if the mapping is read-only. */
static long run_proc_mem_write(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	unsigned int proc = target(e, c), n;
	uint32_t page[SAMPLES];
	int fd = open_mem(e, proc, O_RDWR);
	long r = 0;

	if (fd < 0)
		return fd;
	n = sample(e, &s, page);
	for (unsigned int i = 0; i < n && r >= 0; i++) {
		struct tail_mark mark = tail_mark(e->cells, proc, s.slot_no, page[i]);
		uint64_t value = tail_next(e->cells, s.slot_no, page[i]);

		tail_unknown(e->cells, proc, s.slot_no, page[i]);
		r = moved_of(pwrite(fd, &value, sizeof(value),
			(off_t)(uintptr_t)in_view(&s, page[i], tail_line(e->lane))));
		if (r != sizeof(value))
			break;
		tail_wrote(e->cells, proc, s.slot_no, page[i], value, &mark);
		look_again(e, &s, proc, &page[i], 1, "/proc/PID/mem write");
		e->bytes += sizeof(value);
	}
	close(fd);
	return r < 0 ? r : 0;
}

const struct op op_proc_mem_write = {
	.name = "proc_mem_write",
	.help = "writes words behind the cells through /proc/PID/mem, read-only or not "
		"(FOLL_FORCE)",
	.exercises = "mem_rw access_remote_vm can_follow_write_pte can_follow_write_pmd do_wp_page "
		     "do_huge_pmd_wp_page",
	.needs = {CAP_HAS_PROC_MEM},
	.nneeds = 1,
	.weight = 3,
	.backings = BACKINGS_ALL,
	.wants = {CAP_HAS_PEER_MEMORY},
	.nwants = 1,
	.args = args,
	.errnos = errnos_mem,
	.run = run_proc_mem_write,
	.odd = odd_mem,
};

/* ---- ptrace ---- */

static const struct arg_desc range_args[] = {ARGS_RANGE, {.kind = ARG_END}};

static _Noreturn void stopped_child(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(errno);
	kill(getpid(), SIGSTOP);
	_exit(0);
}

/*
 * The child's copy: what the lane's cell held at the fork, or zeroes if the range is wiped in children; nothing at all if it is not
 * given to them. A word poked there must not come to the parent.
 */
static void peek_and_poke(struct op_env *e, const struct op_span *s, pid_t pid)
{
	uint32_t page = tail_page(e->cells, s->slot_no, s->page, s->pages);
	uint32_t line = tail_line(e->lane);
	uint64_t value = tail_next(e->cells, s->slot_no, page), before, after;
	struct tail_mark mark = tail_mark(e->cells, e->proc, s->slot_no, page);
	long seen;

	errno = 0;
	seen = ptrace(PTRACE_PEEKDATA, pid, in_view(s, page, cell_byte(e->lane)), NULL);
	if (errno == 0 && seen != 0)
		cells_judge_seen(
			e->cells, s->slot_no, s->view, page, (uint64_t)seen, "ptrace peek");
	if (!e->cells->space[s->slot_no].private ||
		!tail_load(e->cells, s->slot_no, s->view, page, line, &before, sizeof(before)) ||
		ptrace(PTRACE_POKEDATA, pid, in_view(s, page, line), value) < 0)
		return;
	errno = 0;
	seen = ptrace(PTRACE_PEEKDATA, pid, in_view(s, page, line), NULL);
	if (errno != 0 ||
		!tail_load(e->cells, s->slot_no, s->view, page, line, &after, sizeof(after)) ||
		!tail_kept(e->cells, e->proc, s->slot_no, page, &mark))
		return;
	tail_compare(e->cells, s->slot_no, s->view, page, value, (uint64_t)seen, "ptrace poke");
	tail_compare(e->cells, s->slot_no, s->view, page, before, after, "a child poked by ptrace");
}

static long run_ptrace_peek(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	int status = 0;
	pid_t pid = _Fork(); /* no handlers, no locks: other threads may hold them */

	if (pid < 0)
		return -errno;
	if (pid == 0)
		stopped_child();
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status))
		return -WEXITSTATUS(status);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGKILL ? -ENOMEM : -ENOTRECOVERABLE;
	peek_and_poke(e, &s, pid);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static const struct op_errno errnos_ptrace[] = {
	{EAGAIN, WHEN_ALWAYS}, /* limits on processes */
	{ENOMEM, WHEN_ALWAYS}, /* and a child that the OOM killer chose */
	{0, 0},
};

const struct op op_ptrace_peek = {
	.name = "ptrace_peek",
	.help = "forks a child that stops, reads a cell in it and writes a word that must stay "
		"there",
	.exercises = "ptrace_access_vm access_remote_vm get_user_pages_remote do_wp_page "
		     "do_huge_pmd_wp_page copy_huge_pmd copy_hugetlb_page_range",
	.weight = 1,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_PTRACE},
	.nneeds = 1,
	.args = range_args,
	.errnos = errnos_ptrace,
	.run = run_ptrace_peek,
};
