/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Futexes in slots: the kernel looks up the page behind a word, and writes it when an owner dies. */
#include <errno.h>
#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <signal.h>

#include "mem/tail.h"
#include "op/op.h"
#include "backings.h"
#include "result.h"

/* ---- wait and wake ---- */

enum { FUTEX_ARG_HOW = 4, FUTEX_ARG_NS };
enum { HOW_WAIT, HOW_WAIT_PRIVATE, HOW_MISS, HOW_WAKE, HOW_WAKE_PRIVATE };

static const struct arg_word how_words[] = {
	{"wait", HOW_WAIT},
	{"wait_private", HOW_WAIT_PRIVATE},
	{"miss", HOW_MISS},
	{"wake", HOW_WAKE},
	{"wake_private", HOW_WAKE_PRIVATE},
	{NULL, 0},
};

static const struct arg_desc futex_args[] = {
	ARGS_RANGE,
	{"how", ARG_ENUM, 0, how_words, "miss: waits for a value that is not there"},
	{"ns", ARG_NS, 500000, NULL, "how long a wait lasts"},
	{.kind = ARG_END},
};

/* The word is 0 and nobody wakes it: a wait ends by its time, one for another value at once; anything else is an errno to judge. */
static long run_futex(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t page = tail_page(e->cells, s.slot_no, s.page, s.pages),
		 how = c->arg[FUTEX_ARG_HOW];
	uintptr_t word = slot_addr(s.slot, s.view, page) + tail_line(e->lane) + LINE_FUTEX;
	struct timespec ts = {.tv_nsec = c->arg[FUTEX_ARG_NS]};
	int flag = how == HOW_WAIT_PRIVATE || how == HOW_WAKE_PRIVATE ? FUTEX_PRIVATE_FLAG : 0;
	long r;

	if (how == HOW_WAKE || how == HOW_WAKE_PRIVATE)
		return result_of(syscall(SYS_futex, word, FUTEX_WAKE | flag, 1, NULL, NULL, 0));
	r = result_of(syscall(SYS_futex, word, FUTEX_WAIT | flag, how == HOW_MISS, &ts, NULL, 0));
	if (r == -ETIMEDOUT && how != HOW_MISS)
		return 0;
	return r == -EAGAIN && how == HOW_MISS ? 0 : r;
}

static bool odd_futex(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t page = tail_page(e->cells, s.slot_no, s.page, s.pages);

	return page < s.page || page >= s.page + s.pages;
}

/* A page of an object that is punched out meanwhile is EFAULT too (get_futex_key). */
static const struct op_errno errnos_futex[] = {
	{EFAULT, WHEN_HOLE | WHEN_SHORT | WHEN_TIGHT | WHEN_ODD | WHEN_SHMEM | WHEN_HUGETLB |
			 WHEN_FILE},
	{ENOMEM, WHEN_TIGHT},
	{0, 0},
};

const struct op op_futex = {
	.name = "futex",
	.help = "waits for and wakes a futex in the range",
	.exercises = "get_futex_key get_user_pages_fast futex_wait_setup fault_in_user_writeable "
		     "hash_futex futex_wake",
	.weight = 2,
	.backings = BACKINGS_ALL,
	.args = futex_args,
	.errnos = errnos_futex,
	.run = run_futex,
	.odd = odd_futex,
};

/* ---- robust list ---- */

static const struct arg_desc range_args[] = {ARGS_RANGE, {.kind = ARG_END}};

/* The word of both futexes: the plain one stays 0. */
static uint64_t robust_word(uint32_t owner)
{
	return (uint64_t)owner << 32;
}

/* Dies as the owner of the futex; 1: it could not become that. */
static _Noreturn void owner(struct op_env *e, const struct op_span *s, uint32_t page)
{
	static struct robust_list_head head;
	static struct robust_list node;
	uintptr_t at = slot_addr(s->slot, s->view, page) + tail_line(e->lane) + LINE_ROBUST;
	uint64_t word = robust_word((uint32_t)syscall(SYS_gettid));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	e->cells->child = true;
	node.next = &head.list;
	head.list.next = &node;
	head.futex_offset = (long)(at - (uintptr_t)&node);
	if (syscall(SYS_set_robust_list, &head, sizeof(head)) < 0 ||
		!tail_store(e->cells, s->slot_no, s->view, page, tail_line(e->lane) + LINE_FUTEX,
			&word, sizeof(word)))
		_exit(1);
	_exit(0);
}

static long run_robust_list(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t page = tail_page(e->cells, s.slot_no, s.page, s.pages);
	uint32_t at = tail_line(e->lane) + LINE_FUTEX;
	struct tail_mark mark = tail_mark(e->cells, e->proc, s.slot_no, page);
	uint64_t word, zero = 0;
	int status = 0;
	pid_t pid = _Fork(); /* no handlers, no locks: other threads may hold them */

	if (pid < 0)
		return -errno;
	if (pid == 0)
		owner(e, &s, page);
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGKILL ? -ENOMEM : -ENOTRECOVERABLE;
	if (WEXITSTATUS(status) || e->cells->space[s.slot_no].private ||
		!tail_load(e->cells, s.slot_no, s.view, page, at, &word, sizeof(word)))
		return 0;
	if (tail_kept(e->cells, e->proc, s.slot_no, page, &mark))
		tail_compare(e->cells, s.slot_no, s.view, page, robust_word(FUTEX_OWNER_DIED), word,
			"owner of a robust futex");
	tail_store(e->cells, s.slot_no, s.view, page, at, &zero, sizeof(zero));
	return 0;
}

static const struct op_errno errnos_robust[] = {
	{EAGAIN, WHEN_ALWAYS}, /* limits on processes */
	{ENOMEM, WHEN_ALWAYS}, /* and a child that the OOM killer chose */
	{0, 0},
};

const struct op op_robust_list = {
	.name = "robust_list",
	.help = "forks a child that dies with a robust futex in the range: the kernel marks the "
		"word",
	.exercises = "exit_robust_list handle_futex_death futex_cmpxchg_value_locked "
		     "fault_in_user_writeable",
	.weight = 1,
	.backings = BACKINGS_ALL,
	.args = range_args,
	.errnos = errnos_robust,
	.run = run_robust_list,
};
