/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The counters that a process carries (/proc/PID/status) against its page tables (smaps), and when nothing is mapped any more. */
#include "look.h"
#include "drift.h"
#include "lines.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_SIZE = 8192, BARE_PTE_SLACK_KB = 1024 };

enum status_field { LCK, SIZE, ANON, FILE_, SHMEM, PTE, HUGE, THREADS, STATUS_FIELDS };

static const char *const names[STATUS_FIELDS] = {[LCK] = "VmLck",
	[SIZE] = "VmSize",
	[ANON] = "RssAnon",
	[FILE_] = "RssFile",
	[SHMEM] = "RssShmem",
	[PTE] = "VmPTE",
	[HUGE] = "HugetlbPages",
	[THREADS] = "Threads"};

struct status {
	uint32_t have;
	uint64_t v[STATUS_FIELDS]; /* kB */
};

static void take_status(void *arg, char *line)
{
	struct status *s = arg;
	size_t word = strcspn(line, ":");

	for (unsigned int f = 0; line[word] && f < STATUS_FIELDS; f++) {
		if (strlen(names[f]) != word || memcmp(line, names[f], word) != 0)
			continue;
		s->v[f] = strtoull(line + word + 1, NULL, 10);
		s->have |= 1U << f;
	}
}

static bool read_status(const struct looks *p, struct status *ret)
{
	char text[TEXT_SIZE];

	*ret = (struct status){0};
	return lines_read(p->status_fd, text, sizeof(text), take_status, ret) == 0 &&
	       ret->have == (1U << STATUS_FIELDS) - 1;
}

struct sums {
	uint64_t size, locked, anon, other, huge;
};

static void add_vma(void *arg, const struct smaps_vma *v)
{
	struct sums *s = arg;

	if (v->gate)
		return;
	s->size += v->kb[SMAPS_SIZE];
	if (v->locked)
		s->locked += v->kb[SMAPS_SIZE];
	s->anon += v->kb[SMAPS_ANON];
	s->other += v->kb[SMAPS_RSS] - v->kb[SMAPS_ANON];
	s->huge += v->kb[SMAPS_SHARED_HUGETLB] + v->kb[SMAPS_PRIVATE_HUGETLB];
}

/*
 * How far RssAnon and the others may be off, in kB: they are read without their CPUs' shares (percpu_counter, at most its batch a CPU:
 * lib/percpu_counter.c, compute_batch_value) or, in older kernels, without what threads have not handed in: lanes have
 * (looks_settle()), others at most a round of their faults, which map up to 16 pages each (mm/memory.c, TASK_RSS_EVENTS_THRESH).
 */
static uint64_t rss_slack_kb(const struct lane *l, const struct status *s)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t n = cpus > 0 ? (uint64_t)cpus : 1, batch = 2 * n > 32 ? 2 * n : 32;
	uint64_t others = s->v[THREADS] > l->ex->nlanes ? s->v[THREADS] - l->ex->nlanes : 0;

	return (n * batch + 64 * others + 64) * (l->ex->machine->page_size >> 10);
}

static void far_apart(
	struct look *look, enum look_check c, uint64_t expected, uint64_t seen, uint64_t slack)
{
	if (seen > expected + slack || expected > seen + slack)
		look_differs(look, c,
			(struct look_case){.expected = expected, .seen = seen, .slot = NO_SLOT});
}

static const enum look_check drifting[] = {LOOK_VM_LOCK, LOOK_RSS_ANON, LOOK_RSS_FILE};

/* A counter that no look can set right again. */
static void drifts(struct looks *p, struct look *look, enum look_check c, uint64_t expected,
	uint64_t seen, uint64_t slack)
{
	unsigned int i = 0;

	while (drifting[i] != c)
		i++;
	p->off[i] = (int64_t)(seen - expected);
	far_apart(look, c, expected + (uint64_t)p->known[i], seen, slack);
}

/* The same of what smaps shows, or hides. */
static void shown(struct lane *l, struct look *look, enum look_check c, uint64_t expected,
	uint64_t seen, uint64_t slack)
{
	struct looks *p = l->ex->looks;
	uint64_t huge = p->hides_huge ? l->ex->machine->pmd_size >> 10 : 0;

	drifts(p, look, c, expected + drift_hidden(expected, seen, slack, huge), seen, slack);
}

void look_known(struct looks *p, uint64_t bad)
{
	for (unsigned int i = 0; i < 3; i++)
		if (bad >> drifting[i] & 1)
			p->known[i] = p->off[i];
}

static bool same_counters(const struct status *a, const struct status *b)
{
	return a->v[LCK] == b->v[LCK] && a->v[SIZE] == b->v[SIZE] && a->v[HUGE] == b->v[HUGE];
}

void look_counters(struct lane *l, struct looks *p, struct look *look)
{
	struct status before, after;
	struct sums s = {0};
	uint64_t slack;

	if (!read_status(p, &before) || look_smaps(l, p, add_vma, &s) < 0 ||
		!read_status(p, &after) || !same_counters(&before, &after))
		return;
	if (look_injects(l, EVIDENCE_LOCKS))
		before.v[LCK] += 4;
	slack = rss_slack_kb(l, &before);
	drifts(p, look, LOOK_VM_LOCK, s.locked, before.v[LCK], 0);
	far_apart(look, LOOK_VM_SIZE, s.size, before.v[SIZE], 0);
	if (!p->poison && !p->mirrored) {
		shown(l, look, LOOK_RSS_ANON, s.anon, before.v[ANON], slack);
		shown(l, look, LOOK_RSS_FILE, s.other, before.v[FILE_] + before.v[SHMEM],
			2 * slack);
	}
	if (!p->poison && !p->shared_tables)
		far_apart(look, LOOK_HUGETLB, drift_hugetlb(&p->huge, s.huge, before.v[HUGE]),
			before.v[HUGE], 0);
}

void look_bare(struct lane *l, struct looks *p, struct look *look)
{
	struct status s;
	uint64_t tables;

	if (!read_status(p, &s))
		return;
	/* mlockall() fills in what the tool itself has mapped: an entry of 8 bytes a page. */
	tables = s.v[SIZE] / (l->ex->machine->page_size / 8);
	if (!p->bare_pte_kb)
		p->bare_pte_kb = s.v[PTE];
	far_apart(look, LOOK_BARE_LOCK, (uint64_t)p->known[0], s.v[LCK], 0);
	if (!p->shared_tables)
		far_apart(look, LOOK_BARE_HUGETLB, drift_hugetlb(&p->huge, 0, s.v[HUGE]), s.v[HUGE],
			0);
	if (tables < p->bare_pte_kb)
		tables = p->bare_pte_kb;
	if (s.v[PTE] > tables)
		far_apart(look, LOOK_BARE_PTE, tables, s.v[PTE], BARE_PTE_SLACK_KB);
}
