/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <numaif.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/path.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* Passes of a look, and how long it goes on while something is off; the kernel frees some things late (work queues). */
enum { PASS_MS = 50, PASSES_MIN = 4, OFF_MS = 2000, OFF_LAST_MS = 4000 };
enum { MLOCKED_MS = 3000 };
enum { PLANT_PIPES = 8, PLANT_PIPE_BYTES = 1 << 20, PLANT_MAX = 512 };

struct counters {
	struct counters_options o;
	struct hugetlb_devices devices;
	struct accounting accounting;
	struct leak leak;
	struct reading start; /* for hardware */
	struct hardware hardware;
	bool told_uncorrected;
	unsigned int slow_ticks;
	pid_t looking; /* the child; 0: none */
	bool last;
	struct look *shared; /* written by the child */
	bool plant_range, plant_leak, plant_hardware;
	int plant_fd[PLANT_MAX];
	unsigned int nplants;
};

void judge_tell(const struct told *t, enum oracle o, const char *title, const char *fmt, ...)
{
	struct finding f = {.oracle = o};
	va_list ap;

	snprintf(f.title, sizeof(f.title), "%s", title);
	va_start(ap, fmt);
	if (vasprintf(&f.text, fmt, ap) < 0)
		f.text = NULL;
	va_end(ap);
	t->found(t->arg, &f);
}

/* ---- a look: in a process of its own ---- */

/* Pages wait on per-CPU batches for their LRU list; moving a page drains them on all CPUs (lru_cache_disable()). */
static void drain_batches(const struct machine *m)
{
	static char page[1] __attribute__((aligned(4096))) = {1};
	void *at = page;
	int node = m->mem_node ? m->mem_node[0] : 0, status;

	page[0]++;
	syscall(SYS_move_pages, 0, 1UL, &at, &node, &status, MPOL_MF_MOVE);
}

/* Reading it makes every CPU add what it has counted (vmstat_refresh()); root only. */
static void refresh_counters(void)
{
	char buf[8];

	path_read("/proc/sys/vm/stat_refresh", buf, sizeof(buf));
}

static bool same_pools(const struct reading *a, const struct reading *b)
{
	for (unsigned int i = 0; i < a->npools; i++)
		if (memcmp(a->pool[i].value, b->pool[i].value, sizeof(a->pool[i].value)) != 0 ||
			memcmp(a->pool[i].sum, b->pool[i].sum, sizeof(a->pool[i].sum)) != 0 ||
			a->pool[i].charged != b->pool[i].charged ||
			a->pool[i].charged_rsvd != b->pool[i].charged_rsvd)
			return false;
	return true;
}

static void take_pass(const struct counters *c, struct look *l)
{
	struct reading r = {0};

	drain_batches(c->o.machine);
	refresh_counters();
	reading_pools(c->o.machine, true, &r);
	reading_gauges(c->o.machine, &r);
	l->same = l->passes && same_pools(&l->r, &r) ? l->same + 1 : 0;
	for (unsigned int g = 0; g < GAUGE_COUNT; g++)
		l->gauge_steady[g] =
			!l->passes || (l->gauge_steady[g] && l->r.gauge[g] == r.gauge[g]);
	l->r = r;
	l->passes++;
}

/* Hugetlb pages of others, read twice with nothing in between, are the same twice if nobody is at work with them. */
static void look_at_others(const struct counters *c, bool full, pid_t supervisor, struct look *l)
{
	struct others again;

	others_read(supervisor, &c->devices, full, &l->others);
	poll(NULL, 0, full ? PASS_MS : 0);
	others_read(supervisor, &c->devices, full, &again);
	l->others_steady = l->others.whole == again.whole && l->others.full == again.full &&
			   l->others.hugetlb_kb == again.hugetlb_kb &&
			   l->others.users == again.users && l->others.locked_kb == again.locked_kb;
}

/* True if what is off may go away by itself, or is worth to be seen for longer. */
static bool worth_more(const struct counters *c, pid_t supervisor, struct look *l)
{
	bool leak = leak_is_off(&c->leak, l), pools = accounting_is_off(&c->accounting, l);

	if (pools && !l->others.users_asked)
		look_at_others(c, true, supervisor, l);
	return leak || (pools && accounting_may_judge(&c->accounting, l));
}

/* The tool's text and libraries, mapped here as elsewhere: what is mapped nowhere is not theirs. */
static void map_own_files(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from, to, inode;
	char line[4096], rights[5];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %4s %*s %*s %lu", &from, &to, rights, &inode) == 4 &&
			inode && rights[0] == 'r' && rights[1] == '-')
			madvise((void *)from, to - from, MADV_POPULATE_READ);
}

/* Afterwards one more pass: nr_mlock is steady only if nothing was locked meanwhile. */
static void look_at_mlocked(const struct counters *c, struct look *l)
{
	struct mlocked m;

	map_own_files();
	reading_mlocked((uint64_t)MLOCKED_MS * 1000000, &m);
	take_pass(c, l);
	l->mlocked = m;
}

static void look(
	const struct counters *c, bool first, enum look_kind kind, pid_t supervisor, struct look *l)
{
	uint64_t end =
		clock_raw_ns() + (uint64_t)(kind == LOOK_LAST ? OFF_LAST_MS : OFF_MS) * 1000000;

	*l = (struct look){0};
	do {
		if (l->passes)
			poll(NULL, 0, PASS_MS);
		take_pass(c, l);
		if (l->passes < PASSES_MIN || l->same + 1 < PASSES_MIN)
			continue;
		if (first || !worth_more(c, supervisor, l))
			break;
	} while (clock_raw_ns() < end);
	look_at_others(c, first || l->others.users_asked, supervisor, l);
	if (!l->others.users_asked && accounting_others_changed(&c->accounting, l))
		look_at_others(c, true, supervisor, l);
	if (first ? l->r.gauge[GAUGE_MLOCKED] > 0 : leak_asks_for_mlocked(&c->leak, l))
		look_at_mlocked(c, l);
	reading_nodes(c->o.machine, &l->r);
	reading_hardware(&l->r);
	l->r.gauge[GAUGE_TABLES] -= (int64_t)(l->others.tables_kb * 1024 / c->o.machine->page_size);
}

static pid_t start_look(struct counters *c, bool first, enum look_kind kind)
{
	pid_t supervisor = getpid(), pid = fork();

	if (pid != 0)
		return pid < 0 ? -errno : pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(2);
	if (c->o.prepare && !first)
		c->o.prepare(c->o.prepare_arg);
	syscall(SYS_close_range, 3U, ~0U, 0U); /* a look that hangs holds no object */
	look(c, first, kind, supervisor, c->shared);
	_exit(0);
}

/* The first one is waited for: nothing else goes on yet. */
static int first_look(struct counters *c)
{
	pid_t pid = start_look(c, true, LOOK_REST);
	struct pollfd ready = {.events = POLLIN};
	int status = -1;

	if (pid < 0)
		return pid;
	ready.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ready.fd >= 0 && poll(&ready, 1, LOOK_SECONDS * 1000) != 1)
		kill(pid, SIGKILL);
	if (ready.fd >= 0)
		close(ready.fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 ? 0 : -EIO;
}

/* ---- the frame ---- */

int counters_open(const struct counters_options *o, struct counters **ret)
{
	struct counters *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->o = *o;
	c->shared = mmap(NULL, sizeof(*c->shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c->shared == MAP_FAILED) {
		free(c);
		return -ENOMEM;
	}
	hugetlb_devices_find(o->machine, &c->devices);
	r = first_look(c);
	if (r < 0) {
		counters_close(c);
		return r;
	}
	c->start = c->shared->r;
	accounting_init(&c->accounting, o, c->shared);
	leak_init(&c->leak, c->shared);
	*ret = c;
	return 0;
}

void counters_close(struct counters *c)
{
	if (!c)
		return;
	counters_drop(c);
	for (unsigned int i = 0; i < c->nplants; i++)
		close(c->plant_fd[i]);
	munmap(c->shared, sizeof(*c->shared));
	free(c);
}

/* ---- hardware ---- */

static uint64_t since(uint64_t now, uint64_t start)
{
	return now > start ? now - start : 0;
}

/* An uncorrected error is a finding of its own; all else is told beside findings. */
static void judge_hardware(struct counters *c, const struct reading *r, const struct told *t)
{
	struct hardware *h = &c->hardware;
	char line[256];

	h->corrected = since(r->edac_corrected, c->start.edac_corrected);
	h->uncorrected = since(r->edac_uncorrected, c->start.edac_uncorrected) + c->plant_hardware;
	h->exceptions = since(r->exceptions, c->start.exceptions);
	h->corrupted = c->o.poisons ? 0 : since(r->corrupted, c->start.corrupted);
	if (!h->uncorrected || c->told_uncorrected)
		return;
	c->told_uncorrected = true;
	hardware_describe(h, line, sizeof(line));
	judge_tell(t, ORACLE_HARDWARE, "hardware: uncorrected memory error",
		"EDAC counted an uncorrected memory error: this machine's hardware is at fault, "
		"and what "
		"else was found may follow from it\n%s\n",
		line);
}

void counters_hardware_log(struct counters *c, uint64_t records, const char *first)
{
	c->hardware.records = records;
	snprintf(c->hardware.first, sizeof(c->hardware.first), "%s", first);
}

struct hardware counters_hardware(const struct counters *c)
{
	return c->hardware;
}

bool hardware_suspected(const struct hardware *h)
{
	return h->corrected || h->uncorrected || h->exceptions || h->corrupted || h->records;
}

void hardware_describe(const struct hardware *h, char *buf, size_t size)
{
	snprintf(buf, size,
		"hardware suspected: EDAC corrected %" PRIu64 ", uncorrected %" PRIu64
		"; machine checks %" PRIu64 "; HardwareCorrupted %" PRIu64 " kB; records %" PRIu64
		"%s%s",
		h->corrected, h->uncorrected, h->exceptions, h->corrupted >> 10, h->records,
		h->first[0] ? ": " : "", h->first);
}

/* ---- ticks and looks ---- */

void counters_tick(struct counters *c, counters_found *found, void *arg)
{
	struct told t = {found, arg};
	struct reading r = {0};

	accounting_tick(&c->accounting, c->plant_range, &t);
	if (c->slow_ticks++ % 10)
		return;
	reading_hardware(&r);
	judge_hardware(c, &r, &t);
}

/* Pages of pipes are on no list and in no counter: what stands in them is lost, as far as the machine can tell. */
static void leak_some(struct counters *c)
{
	static const char chunk[65536];
	int end[2];

	for (unsigned int i = 0; i < PLANT_PIPES && c->nplants + 2 <= PLANT_MAX; i++) {
		if (pipe2(end, O_CLOEXEC | O_NONBLOCK) < 0)
			return;
		fcntl(end[1], F_SETPIPE_SZ, PLANT_PIPE_BYTES);
		while (write(end[1], chunk, sizeof(chunk)) > 0)
			;
		c->plant_fd[c->nplants++] = end[0];
		c->plant_fd[c->nplants++] = end[1];
	}
}

int counters_look(struct counters *c, enum look_kind kind)
{
	pid_t pid;

	if (c->looking)
		return -EBUSY;
	if (c->plant_leak)
		leak_some(c);
	pid = start_look(c, false, kind);
	if (pid < 0)
		return pid;
	c->looking = pid;
	c->last = kind != LOOK_REST;
	return 0;
}

bool counters_looking(const struct counters *c)
{
	return c->looking != 0;
}

void counters_drop(struct counters *c)
{
	if (c->looking)
		kill(c->looking, SIGKILL); /* whoever waits for children takes it */
	c->looking = 0;
}

bool counters_reaped(struct counters *c, pid_t pid, int status, counters_found *found, void *arg)
{
	struct told t = {found, arg};

	if (!c->looking || pid != c->looking)
		return false;
	c->looking = 0;
	if (status != 0)
		return true;
	accounting_look(&c->accounting, c->shared, c->last, &t);
	leak_look(&c->leak, c->shared, &t);
	judge_hardware(c, &c->shared->r, &t);
	return true;
}

const char *counters_idle(const struct counters *c, enum oracle o)
{
	return o == ORACLE_ACCOUNTING ? accounting_idle(&c->accounting)
	       : o == ORACLE_LEAK     ? leak_idle(&c->leak)
				      : NULL;
}

/* ---- what --inject plants ---- */

/* A reservation that nobody gives back: mapped, never touched. */
static int plant_reservation(const struct machine *m)
{
	for (int i = 0; i < m->nhstates; i++) {
		unsigned int shift = 63 - (unsigned int)__builtin_clzll(m->hstate[i].size);
		void *p = mmap(NULL, m->hstate[i].size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | (int)(shift << 26), -1, 0);

		if (p != MAP_FAILED)
			return 0;
	}
	return -ENOSPC;
}

int counters_plant(struct counters *c, const char *what)
{
	if (strcmp(what, "accounting") == 0)
		return plant_reservation(c->o.machine);
	if (strcmp(what, "accounting-range") == 0) {
		c->plant_range = c->o.machine->nhstates > 0;
		return c->plant_range ? 0 : -ENODEV;
	}
	if (strcmp(what, "leak") == 0)
		c->plant_leak = true;
	if (strcmp(what, "hardware") == 0)
		c->plant_hardware = true;
	return 0;
}
