/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "op/op.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "mem/cell.h"

enum { ARG_HOW = 4, ARG_LIVE_NS = 5 };

static const struct arg_word how_words[] = {
	{"write", CELL_WRITE}, {"read", CELL_READ}, {"rmw", CELL_RMW}, {NULL, 0}};

static const struct arg_desc args[] = {
	ARGS_RANGE,
	{"how", ARG_ENUM, 0, how_words, "the child's access to the range"},
	{"live", ARG_NS, 1000000, NULL, "how long the child lives on after it"},
	{NULL, ARG_END, 0, NULL, NULL},
};

static _Noreturn void child(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	e->cells->child = true;
	cells_touch(e->cells, s.slot_no, s.view, s.page, s.pages, 1,
		(enum cell_how)how_words[c->arg[ARG_HOW]].value);
	clock_spin_until(clock_ticks() + clock_from_ns(c->arg[ARG_LIVE_NS]));
	_exit(0);
}

static long run(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	int status;
	pid_t pid;

	cells_before_fork(e->cells, s.slot_no, s.page, s.pages);
	pid = _Fork(); /* no handlers, no locks: other threads may hold them */

	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(e, c);
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGKILL ? -ENOMEM : -ENOTRECOVERABLE;
	return 0;
}

static const struct op_errno errnos[] = {
	{EAGAIN, WHEN_ALWAYS}, /* limits on processes */
	{ENOMEM, WHEN_ALWAYS}, /* and a child that the OOM killer chose */
	{0, 0},
};

const struct op op_fork = {
	.name = "fork",
	.help = "forks; the child touches the range in its copy of the address space, lives a "
		"while and exits",
	.exercises = "copy_huge_pmd copy_hugetlb_page_range copy_pte_range anon_vma_fork "
		     "do_huge_pmd_wp_page hugetlb_wp exit_mmap "
		     "zap_huge_pmd",
	.hazard = HAZARD_SAFE,
	.weight = 2,
	.backings = (1u << BACKING_COUNT) - 1,
	.args = args,
	.errnos = errnos,
	.run = run,
};
