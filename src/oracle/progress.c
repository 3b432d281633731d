/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lanes that do not get on: the progress oracle. */
#include "lanes.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum { FRAMES = 40, FUNCTION = 96, STACK_TEXT = 4096 };

/* ---- where it is ---- */

/* The functions of one sample, the outermost first. */
struct frames {
	unsigned int n;
	char fn[FRAMES][FUNCTION];
};

/* A line of /proc/PID/stack: "[<0>] function+0x1/0x2 [module]". */
static bool read_frame(const char *line, char *fn)
{
	const char *start = strstr(line, "] ");
	size_t len = start ? strcspn(start + 2, "+\n") : 0;

	if (!len || start[2 + len] != '+' || len >= FUNCTION)
		return false;
	memcpy(fn, start + 2, len);
	fn[len] = '\0';
	return true;
}

static void read_frames(const char *text, struct frames *ret)
{
	ret->n = 0;
	for (const char *p = text; *p && ret->n < FRAMES; p += strcspn(p, "\n"), p += *p == '\n')
		if (read_frame(p, ret->fn[ret->n]))
			ret->n++;
	for (unsigned int i = 0; i < ret->n / 2; i++) {
		char fn[FUNCTION];

		memcpy(fn, ret->fn[i], FUNCTION);
		memcpy(ret->fn[i], ret->fn[ret->n - 1 - i], FUNCTION);
		memcpy(ret->fn[ret->n - 1 - i], fn, FUNCTION);
	}
}

/* What tells nothing: the scheduler's, and the way into the kernel and out of it. */
static bool tells_nothing(const char *fn)
{
	static const char *const prefix[] = {"entry_", "asm_", "do_syscall_", "el0", "ret_from_",
		"exit_to_user_mode", "irqentry_exit", "syscall_exit_to_user_mode"};

	for (size_t i = 0; i < ARRAY_SIZE(prefix); i++)
		if (!strncmp(fn, prefix[i], strlen(prefix[i])))
			return true;
	return strstr(fn, "schedule") || strstr(fn, "__switch_to");
}

/* The function that most of those samples have at this depth that have agreed so far; NULL: not enough of them. */
static const char *agreed(const struct frames *f, const bool *with, unsigned int n,
	unsigned int depth, unsigned int enough)
{
	for (unsigned int i = 0; i < n; i++) {
		unsigned int same = 0;

		if (!with[i] || depth >= f[i].n)
			continue;
		for (unsigned int k = 0; k < n; k++)
			same += with[k] && depth < f[k].n &&
				!strcmp(f[k].fn[depth], f[i].fn[depth]);
		if (same >= enough)
			return f[i].fn[depth];
	}
	return NULL;
}

void stuck_where(char *const stack[], unsigned int n, char *buf, size_t size)
{
	_cleanup_free_ struct frames *f = calloc(STUCK_SAMPLES, sizeof(*f));
	bool with[STUCK_SAMPLES];
	unsigned int seen = 0;
	const char *fn;

	snprintf(buf, size, "user space or unknown");
	if (!f)
		return;
	n = n < STUCK_SAMPLES ? n : STUCK_SAMPLES;
	for (unsigned int i = 0; i < n; i++) {
		read_frames(stack[i], &f[i]);
		with[i] = f[i].n > 0;
		seen += with[i];
	}
	for (unsigned int depth = 0; seen && (fn = agreed(f, with, n, depth, (3 * seen + 3) / 4));
		depth++) {
		for (unsigned int i = 0; i < n; i++)
			with[i] = with[i] && depth < f[i].n && !strcmp(f[i].fn[depth], fn);
		if (!tells_nothing(fn))
			snprintf(buf, size, "%s", fn);
	}
}

/* ---- what it looks like ---- */

/* Its length, or -errno. */
static int read_proc_file(pid_t pid, int tid, const char *name, char *buf, size_t size)
{
	char path[96];
	size_t n;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, tid, name);
	*buf = '\0';
	in = fopen(path, "re");
	if (!in)
		return -errno;
	n = fread(buf, 1, size - 1, in);
	fclose(in);
	buf[n] = '\0';
	return (int)n;
}

static void print_proc_file(pid_t pid, int tid, const char *name, FILE *f)
{
	char buf[STACK_TEXT];
	int n = read_proc_file(pid, tid, name, buf, sizeof(buf));

	fprintf(f, "/proc/%d/task/%d/%s:\n%s%s", (int)pid, tid, name, n < 0 ? strerror(-n) : buf,
		n > 0 && buf[n - 1] == '\n' ? "" : "\n");
}

/*
 * On the CPU where we are, the thread does not run while we do, and has a stack to show; its own CPUs are nothing to it any more. Nor
 * is its SCHED_FIFO, with which it would keep us from ours.
 */
static void share_cpu(int tid, cpu_set_t *before)
{
	const struct sched_param other = {0};
	int cpu = sched_getcpu();
	cpu_set_t here;

	CPU_ZERO(before);
	CPU_ZERO(&here);
	if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof(*before), before) < 0)
		return;
	CPU_SET(cpu, &here);
	if (sched_setscheduler(tid, SCHED_OTHER, &other) == 0 &&
		sched_setaffinity(0, sizeof(here), &here) == 0)
		sched_setaffinity(tid, sizeof(here), &here);
}

/* Samples of a thread's stack, some milliseconds apart: for the title. */
static void sample_where(pid_t pid, int tid, char *buf, size_t size)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	_cleanup_free_ char *text = calloc(STUCK_SAMPLES, STACK_TEXT);
	char *stack[STUCK_SAMPLES];
	cpu_set_t before;

	share_cpu(tid, &before);
	for (unsigned int i = 0; text && i < STUCK_SAMPLES; i++) {
		stack[i] = text + (size_t)i * STACK_TEXT;
		nanosleep(&pause, NULL);
		read_proc_file(pid, tid, "stack", stack[i], STACK_TEXT);
	}
	if (CPU_COUNT(&before))
		sched_setaffinity(0, sizeof(before), &before);
	stuck_where(stack, text ? STUCK_SAMPLES : 0, buf, size);
}

static bool is_lane(const struct crew *c, int tid)
{
	for (unsigned int i = 0; i < c->ctl->nlanes; i++)
		if (atomic_load(&c->ctl->lane[i].tid) == tid)
			return true;
	return false;
}

/* Workers of io_uring, handlers, guests: what a lane waits for may be one of them. */
static void print_other_threads(const struct crew *c, pid_t pid, FILE *f)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *e;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		int tid = atoi(e->d_name);

		if (tid <= 0 || is_lane(c, tid))
			continue;
		fprintf(f, "---- thread %d\n", tid);
		print_proc_file(pid, tid, "comm", f);
		print_proc_file(pid, tid, "stack", f);
	}
}

static int stuck_finding(const struct crew *c, unsigned int l, uint64_t ns, struct finding *ret)
{
	const struct lane_ctl *lane = &c->ctl->lane[l];
	struct finding f = {.oracle = ORACLE_PROGRESS,
		.has_program = true,
		.crew = c->number,
		.lane = l,
		.round = atomic_load(&c->ctl->round)};
	pid_t pid = crew_pid(c, c->ctl->lane_proc[l]);
	int tid = atomic_load(&lane->tid);
	char where[128];
	size_t len;
	FILE *text = open_memstream(&f.text, &len);

	if (!text)
		return -ENOMEM;
	sample_where(pid, tid, where, sizeof(where));
	snprintf(f.title, sizeof(f.title), "progress: %s stuck in %s",
		lanes_op_name(atomic_load_explicit(&lane->op, memory_order_relaxed)), where);
	fprintf(text, "lane %u has been in %s for %.1f s\n", l,
		lanes_op_name(atomic_load_explicit(&lane->op, memory_order_relaxed)),
		(double)ns / 1e9);
	for (unsigned int i = 0; i < c->ctl->nlanes; i++) {
		pid = crew_pid(c, c->ctl->lane_proc[i]);
		tid = atomic_load(&c->ctl->lane[i].tid);
		fprintf(text, "---- lane %u%s\n", i, i == l ? " (stuck)" : "");
		print_proc_file(pid, tid, "stack", text);
		print_proc_file(pid, tid, "wchan", text);
		print_proc_file(pid, tid, "syscall", text);
		if (i == l)
			print_proc_file(pid, tid, "status", text);
	}
	print_other_threads(c, crew_pid(c, c->ctl->lane_proc[l]), text);
	lanes_print_round(c, f.round, text);
	if (fclose(text) != 0) {
		free(f.text);
		return -ENOMEM;
	}
	*ret = f;
	return 1;
}

int oracle_progress(const struct crew *c, uint64_t stall_ns, struct finding *ret)
{
	uint64_t now = clock_ticks();

	for (unsigned int l = 0; l < c->ctl->nlanes; l++) {
		uint64_t start = atomic_load_explicit(
				 &c->ctl->lane[l].op_start, memory_order_acquire),
			 ns;

		if (!start || now <= start || !crew_pid(c, c->ctl->lane_proc[l]))
			continue;
		ns = clock_to_ns(now - start);
		if (ns > stall_ns)
			return ret ? stuck_finding(c, l, ns, ret) : 1;
	}
	return 0;
}
