/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Error paths: for a moment, the kernel has nothing to give. Each of these ops takes away, waits while the other lanes run into it,
 * and gives back before it returns, so that nobody is left in a fault that can never be served. Meanwhile any op may fail
 * for want of memory (WHEN_SCARCE).
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <linux/capability.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "op/op.h"
#include "result.h"

/* Lets the others run. Touches nothing but its stack. */
static void wait_for_ns(uint32_t ns)
{
	uint64_t until = clock_ticks() + clock_from_ns(ns);

	while (clock_ticks() < until)
		sched_yield();
}

/* ---- the number of mappings ---- */

static const char *const map_count_knobs[] = {"/proc/sys/vm/max_map_count", NULL};

static const struct arg_desc map_count_args[] = {
	{"maps", ARG_INT, 255, NULL, "how many mappings a process may have"},
	{"ns", ARG_NS, 4000000, NULL, "how long"},
	{.kind = ARG_END},
};

static long run_map_count(struct op_env *e, const struct op_call *c)
{
	const struct box_knob *k = box_pick(e, map_count_knobs[0], 0);
	char text[32];
	long r, back;

	if (!k)
		return -ENODEV;
	snprintf(text, sizeof(text), "%u", c->arg[0]);
	r = box_put(k->path, text);
	if (r < 0)
		return r;
	wait_for_ns(c->arg[1]);
	back = box_put(k->path, k->value);
	return back < 0 ? back : r;
}

/* An executor has some fifty mappings besides those of its slots. */
static void tune_map_count(struct op_call *c, struct rng *r)
{
	c->arg[0] = rng_below(r, 2) ? 0 : 40 + (uint32_t)rng_below(r, 100);
	c->arg[1] = map_count_args[1].max >> rng_below(r, 4);
}

const struct op op_map_count_squeeze = {
	.name = "map_count_squeeze",
	.help = "for a moment, no process gets more mappings (vm.max_map_count)",
	.exercises = "mmap_region __split_vma copy_vma move_vma do_vmi_align_munmap vma_merge",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 2,
	.gear = &gear_box,
	.uses = OP_SCARCE_NOW,
	.knobs = map_count_knobs,
	.args = map_count_args,
	.run = run_map_count,
	.tune = tune_map_count,
};

/* ---- the crew's memory ---- */

static const char *const memory_knobs[] = {
	"memory.max", "!memory.current", "memory.swap.max", NULL};

static const struct arg_desc memory_args[] = {
	{"room", ARG_INT, 1024, NULL, "KiB above what is used now"},
	{"ns", ARG_NS, 4000000, NULL, "how long"},
	{.kind = ARG_END},
};

enum { CREW_PROCS = 8, GIVE_BACK_TRIES = 1000 };

/* All that it takes to give back, opened before anything is taken: opening a file is charged to the group as well. */
struct squeeze {
	int max, swap, adj[CREW_PROCS];
};

static int open_knob(struct op_env *e, const char *glob)
{
	const struct box_knob *k = box_pick(e, glob, 0);

	return k ? open(k->path, O_WRONLY | O_CLOEXEC) : -1;
}

static void open_squeeze(struct op_env *e, struct squeeze *q)
{
	char path[64];

	q->max = open_knob(e, memory_knobs[0]);
	q->swap = open_knob(e, memory_knobs[2]);
	for (unsigned int i = 0; i < CREW_PROCS; i++) {
		snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)op_pid(e, i));
		q->adj[i] = i < e->nprocs ? open(path, O_WRONLY | O_CLOEXEC) : -1;
	}
}

static void close_squeeze(const struct squeeze *q)
{
	if (q->max >= 0)
		close(q->max);
	if (q->swap >= 0)
		close(q->swap);
	for (unsigned int i = 0; i < CREW_PROCS; i++)
		if (q->adj[i] >= 0)
			close(q->adj[i]);
}

/* The group's files take a value anew with each write, wherever the file position is. */
static bool put(int fd, const char *text)
{
	return fd < 0 || write(fd, text, strlen(text)) > 0;
}

static void spare_from_oom(const struct squeeze *q, const char *score)
{
	for (unsigned int i = 0; i < CREW_PROCS; i++)
		put(q->adj[i], score);
}

static void give_back(const struct squeeze *q)
{
	for (unsigned int i = 0; i < GIVE_BACK_TRIES && !put(q->max, "max"); i++)
		sched_yield();
	put(q->swap, "max");
	spare_from_oom(q, "1000");
}

static long run_memory(struct op_env *e, const struct op_call *c)
{
	const struct box_knob *used = box_pick(e, memory_knobs[1], 0);
	struct squeeze q;
	unsigned long long now = 0;
	char text[32];
	long r;

	if (!used)
		return -ENODEV;
	open_squeeze(e, &q);
	r = q.max < 0 ? -ENODEV : path_read_u64(used->path, &now);
	if (r == 0) {
		snprintf(text, sizeof(text), "%llu", now + ((unsigned long long)c->arg[0] << 10));
		spare_from_oom(&q, "-1000");
		put(q.swap, "0");
		r = result_of(write(q.max, text, strlen(text)));
		wait_for_ns(c->arg[1]);
		give_back(&q);
	}
	close_squeeze(&q);
	return r;
}

static void tune_memory(struct op_call *c, struct rng *r)
{
	c->arg[0] = rng_below(r, 2) ? 0 : (uint32_t)rng_below(r, 256);
	c->arg[1] = memory_args[1].max >> rng_below(r, 4);
}

const struct op op_memory_squeeze = {
	.name = "memory_squeeze",
	.help = "for a moment, the crew's cgroup gets no more memory, and nobody is killed for it",
	.exercises = "try_charge_memcg mem_cgroup_charge mem_cgroup_out_of_memory __pte_alloc "
		     "pagefault_out_of_memory obj_cgroup_charge do_huge_pmd_anonymous_page",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 1,
	.needs = {CAP_HAS_CGROUP_MEMORY},
	.nneeds = 1,
	.gear = &gear_box,
	.uses = OP_USES_CGROUP | OP_SCARCE_NOW,
	.knobs = memory_knobs,
	.args = memory_args,
	.run = run_memory,
	.tune = tune_memory,
};

/* ---- locked memory ---- */

static const struct arg_desc memlock_args[] = {
	{"kb", ARG_INT, 65536, NULL, "how much a process may lock, in KiB; 0 counts as 4"},
	{.kind = ARG_END},
};

/* Root has CAP_IPC_LOCK, which no limit binds: the lane lets go of it. */
static long drop_ipc_lock(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	d[CAP_IPC_LOCK / 32].effective &= ~(1U << CAP_IPC_LOCK % 32);
	return result_of(syscall(SYS_capset, &h, d));
}

static long run_memlock(struct op_env *e, const struct op_call *c)
{
	struct rlimit limit;
	long r;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return -errno;
	limit.rlim_cur = (rlim_t)(c->arg[0] ? c->arg[0] : 4) << 10;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	r = result_of(setrlimit(RLIMIT_MEMLOCK, &limit));
	if (r == 0 && e->privileged)
		r = drop_ipc_lock();
	if (r == 0)
		e->privileged = false;
	return r;
}

const struct op op_memlock_limit = {
	.name = "memlock_limit",
	.help = "lowers RLIMIT_MEMLOCK, and has the lane be bound by it from then on",
	.exercises = "mlock_fixup __mm_populate can_do_mlock mlock_future_ok user_shm_lock",
	.hazard = HAZARD_SAFE,
	.weight = 1,
	.args = memlock_args,
	.run = run_memlock,
};
