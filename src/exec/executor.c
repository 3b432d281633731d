/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "executor.h"
#include "look.h"
#include "base/clock.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { SPIN_NS = 200000 }; /* an arrived lane polls that long before it sleeps */

_Noreturn void executor_fail(struct crew_ctl *ctl, int err, const char *what)
{
	int none = 0;

	snprintf(ctl->failed_what, sizeof(ctl->failed_what), "%s", what);
	atomic_compare_exchange_strong(&ctl->failed, &none, err);
	_exit(2);
}

/* Dies with the supervisor, is the OOM killer's first choice, dumps no core, and leaves Ctrl-C to the supervisor. */
static void behave(pid_t supervisor)
{
	struct rlimit none = {0, 0};
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(2);
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "1000", 4) < 0) {
			/* Then it is chosen by size. */
		}
		close(fd);
	}
}

/* All that the crew maps from here on is charged to its own group. */
static void join_cgroup(const struct crew *crew)
{
	char path[BOX_PATH + 64];
	long r;

	if (!crew->box || !crew->box->cgroup[0])
		return;
	snprintf(path, sizeof(path), "%s/crew%u/cgroup.procs", crew->box->cgroup, crew->index);
	r = box_put(path, "0");
	if (r < 0)
		executor_fail(crew->ctl, (int)-r, "joining the crew's cgroup");
}

/* Executors after the first are its forks, so that they inherit its shared mappings, and children of the supervisor. */
static unsigned int fork_siblings(struct crew_ctl *ctl, pid_t supervisor)
{
	for (unsigned int p = 1; p < ctl->nprocs; p++) {
		long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

		if (pid < 0)
			executor_fail(ctl, errno, "fork of an executor");
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != supervisor)
				_exit(2);
			atomic_store_explicit(
				&ctl->pid[p], (pid_t)syscall(SYS_getpid), memory_order_release);
			return p;
		}
	}
	return 0;
}

/* Tried, for root in a container has the name and not the right (CAP_IPC_LOCK in the first user namespace). */
static bool locks_beyond_limit(void)
{
	static char page;
	struct rlimit old, none;
	bool can;

	if (getrlimit(RLIMIT_MEMLOCK, &old) < 0)
		return false;
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = old.rlim_max};
	if (setrlimit(RLIMIT_MEMLOCK, &none) < 0)
		return false;
	can = mlock(&page, 1) == 0;
	if (can)
		munlock(&page, 1);
	setrlimit(RLIMIT_MEMLOCK, &old);
	return can;
}

static void open_proc_files(struct op_env *e)
{
	e->split_fd = open("/sys/kernel/debug/split_huge_pages", O_WRONLY | O_CLOEXEC);
	e->smaps_fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
	e->smaps_rollup_fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
	e->pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	e->numa_maps_fd = open("/proc/self/numa_maps", O_RDONLY | O_CLOEXEC);
	e->privileged = locks_beyond_limit();
}

static struct lane *new_lane(struct executor *ex, unsigned int no, const struct op_env *shared)
{
	struct crew_ctl *ctl = ex->ctl;
	struct lane *l = calloc(1, sizeof(*l));

	if (!l)
		executor_fail(ctl, ENOMEM, "memory for a lane");
	l->ex = ex;
	l->no = no;
	l->plan = &ex->plan->crew[ctl->index].lane[no];
	l->ctl = &ctl->lane[no];
	l->env = *shared;
	l->env.lane = no;
	l->env.cells = &l->cells;
	l->env.scratch = calloc(1, sizeof(*l->env.scratch));
	if (!l->env.scratch)
		executor_fail(ctl, ENOMEM, "memory for a lane");
	memset(l->env.scratch, 1, sizeof(*l->env.scratch)); /* faulted in now, not in a round */
	l->cells = (struct cells){.slot = ctl->slot,
		.space = ctl->space,
		.nslots = ctl->nslots,
		.lane = no,
		.nlanes = ctl->nlanes,
		.proc = ex->proc,
		.ring = &l->ctl->ring,
		.scarcity = ctl->scarcity,
		.inject = no == 0 ? ctl->inject_cell : CELL_INJECT_NONE};
	return l;
}

/* The gear of all ops that any lane of the crew may draw. */
static void open_gear(struct executor *ex, struct op_env *e)
{
	const struct plan_crew *pc = &ex->plan->crew[ex->ctl->index];

	for (unsigned int l = 0; l < pc->nlanes; l++) {
		for (unsigned int k = 0; k < pc->lane[l].nops; k++) {
			const struct op *op = op_get(pc->lane[l].op[k].call.op);
			void *state = NULL;
			int r;

			if (!op || !op->gear || gear_of(e, op->gear))
				continue;
			if (e->ngears == GEAR_MAX)
				executor_fail(ex->ctl, E2BIG, "too many kinds of gear");
			r = op->gear->open(e, &state);
			if (r < 0)
				executor_fail(ex->ctl, -r, op->gear->name);
			e->gear[e->ngears].gear = op->gear;
			e->gear[e->ngears++].state = state;
		}
	}
}

static bool is_crowded(const struct executor *ex)
{
	unsigned int lanes = 0;

	for (unsigned int i = 0; i < ex->plan->ncrews; i++)
		for (unsigned int l = 0; l < ex->plan->crew[i].nlanes; l++)
			lanes += !ex->plan->crew[i].lane[l].preempt;
	return lanes > (unsigned int)ex->machine->ncpus;
}

static bool has_aims(const struct executor *ex)
{
	const struct plan_crew *pc = &ex->plan->crew[ex->ctl->index];

	for (unsigned int l = 0; l < pc->nlanes; l++)
		if (pc->lane[l].timed)
			return true;
	return ex->plan->meet_percent > 0;
}

static void run_lanes(struct executor *ex)
{
	struct op_env shared = {.machine = ex->machine,
		.slot = ex->ctl->slot,
		.nslots = ex->ctl->nslots,
		.proc = ex->proc,
		.nprocs = ex->ctl->nprocs,
		.pid = ex->ctl->pid,
		.box = ex->box,
		.crew = ex->ctl->index};
	bool first = true;

	open_proc_files(&shared);
	open_gear(ex, &shared);
	looks_open(ex, &shared);
	for (unsigned int l = 0; l < ex->ctl->nlanes; l++) {
		if (ex->ctl->lane_proc[l] != ex->proc)
			continue;
		ex->lane[ex->nlanes] = new_lane(ex, l, &shared);
		ex->lane[ex->nlanes++]->first_of_proc = first;
		first = false;
	}
	for (unsigned int i = 0; i < ex->nlanes; i++)
		if (pthread_create(&ex->lane[i]->thread, NULL, lane_main, ex->lane[i]))
			executor_fail(ex->ctl, EAGAIN, "thread of a lane");
	for (unsigned int i = 0; i < ex->nlanes; i++)
		pthread_join(ex->lane[i]->thread, NULL);
	for (unsigned int i = 0; i < shared.ngears; i++)
		if (shared.gear[i].gear->close)
			shared.gear[i].gear->close(shared.gear[i].state);
}

_Noreturn void executor_main(struct crew *crew, pid_t supervisor)
{
	struct crew_ctl *ctl = crew->ctl;
	struct executor ex = {.ctl = ctl,
		.plan = crew->plan,
		.machine = crew->machine,
		.box = crew->box,
		.uses = plan_uses(crew->plan)};
	int r;

	behave(supervisor);
	/* Our own stacks and buffers need no huge pages; slots have them from their first mapping on. */
	if (crew->plan->fed)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	join_cgroup(crew);
	atomic_store_explicit(&ctl->pid[0], getpid(), memory_order_release);
	if (!arena_find(ctl->slot, ctl->nslots, ctl->nlanes))
		executor_fail(ctl, ENOMEM, "address space for the slots");
	for (unsigned int i = 0; i < ctl->nslots; i++) {
		r = ctl->slot[i].present ? slot_anchor(&ctl->slot[i]) : 0;
		if (r < 0)
			executor_fail(ctl, -r, "shared anonymous memory");
	}
	ex.proc = fork_siblings(ctl, supervisor);
	r = cells_handle_signals();
	if (r < 0)
		executor_fail(ctl, -r, "signal handlers");
	ex.crowded = is_crowded(&ex);
	/* A fed crew has short epochs, in which sleeping and waking would take most of the time; and who feeds it needs a CPU. */
	ctl->yields = ex.plan->fed != NULL;
	ex.spin = ex.crowded && !ctl->yields ? 0 : clock_from_ns(SPIN_NS);
	ex.learns = has_aims(&ex);
	run_lanes(&ex);
	_exit(0);
}
