/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moving of pages between nodes, by address (move_pages) and of whole processes (migrate_pages). */
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "op/op.h"
#include "backings.h"
#include "moved.h"
#include "result.h"
#include "uapi.h"

enum { LONG_BITS = sizeof(long) * CHAR_BIT };

static const struct arg_word step_words[] = {
	{"huge", 1},
	{"page", 0},
	{NULL, 0},
};

static const struct arg_word move_words[] = {
	{"move", MPOL_MF_MOVE},
	{"move_all", MPOL_MF_MOVE_ALL},
	{NULL, 0},
};

/* Fills scratch with the addresses of the range; on hugetlb always one a huge page. Returns how many. */
static unsigned long fill_pages(struct op_env *e, const struct op_span *s, uint32_t step_arg)
{
	uint32_t step = s->slot->granule, n = 0;

	if (step == 1 && step_words[step_arg].value)
		step = s->slot->pmd_pages;
	for (uint32_t p = 0; p < s->pages && n < OP_SCRATCH_PAGES; p += step)
		e->scratch->page[n++] = (void *)(s->addr + ((uintptr_t)p << s->slot->page_shift));
	return n;
}

/* What a page's status may be besides a node: not present, not mapped or zero page, shared, busy (move_pages(2)). */
static bool status_legal(int status)
{
	return status == -ENOENT || status == -EFAULT || status == -EACCES || status == -EBUSY;
}

long moved_judge(struct op_env *e, unsigned long n, int target, long r)
{
	for (unsigned long i = 0; i < n; i++) {
		int status = e->scratch->status[i];

		if (status == target) {
			e->migrated++;
			e->migrated_to = target;
		} else if (status == STATUS_UNWRITTEN && r == 0) {
			return -ENODATA;
		} else if (status != STATUS_UNWRITTEN && !status_legal(status)) {
			return status < 0 ? status : -ERANGE;
		}
	}
	return r;
}

static unsigned long move_flags(uint32_t bits)
{
	return (bits & 1 ? move_words[0].value : 0) | (bits & 2 ? move_words[1].value : 0);
}

static long move(struct op_env *e, pid_t pid, unsigned long n, int target, unsigned long flags)
{
	long r;

	for (unsigned long i = 0; i < n; i++) {
		e->scratch->node[i] = target;
		e->scratch->status[i] = STATUS_UNWRITTEN;
	}
	r = result_of(syscall(SYS_move_pages, pid, n, e->scratch->page, e->scratch->node,
		e->scratch->status, flags));
	if (r < 0)
		return r;
	r = moved_judge(e, n, target, r);
	e->placed.n = r == 0 ? n : 0;
	e->placed.node = target;
	e->placed.pid = pid;
	return r;
}

/* ---- move_pages ---- */

enum { MOVE_ARG_NODE = 4, MOVE_ARG_FLAGS, MOVE_ARG_STEP };

static const struct arg_desc move_args[] = {
	ARGS_RANGE,
	{"node", ARG_NODE, 0, NULL, "where to"},
	{"flags", ARG_FLAGS, 0, move_words, "also pages that other processes map"},
	{"step", ARG_ENUM, 0, step_words, "one address a huge page, or every page"},
	{.kind = ARG_END},
};

static long run_move_pages(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	unsigned long n = fill_pages(e, &s, c->arg[MOVE_ARG_STEP]);

	return move(e, 0, n, op_node(e, c->arg[MOVE_ARG_NODE]), move_flags(c->arg[MOVE_ARG_FLAGS]));
}

static bool odd_move_pages(const struct op_env *e, const struct op_call *c)
{
	return (move_flags(c->arg[MOVE_ARG_FLAGS]) & MPOL_MF_MOVE_ALL) &&
	       caps_missing(CAP_HAS_MOVE_ALL);
}

/* An address a huge page is a migration in a fraction of the time; every page is for what has been split. */
static void tune_step(uint32_t *step, struct rng *r)
{
	*step = rng_below(r, 4) == 0;
}

static void tune_move_pages(struct op_call *c, struct rng *r)
{
	static const uint8_t flags[] = {1, 1, 2, 3};

	c->arg[MOVE_ARG_FLAGS] = flags[rng_below(r, sizeof(flags))];
	tune_step(&c->arg[MOVE_ARG_STEP], r);
}

static const struct op_errno errnos_move_pages[] = {
	{ENOMEM, WHEN_ALWAYS}, /* the target node is full, or its hugetlb pool */
	{EPERM, WHEN_ODD},
	{0, 0},
};

const struct op op_move_pages = {
	.name = "move_pages",
	.calls_only = true,
	.help = "moves pages of the range to a node",
	.exercises = "do_pages_move add_folio_for_migration isolate_hugetlb migrate_pages "
		     "unmap_and_move_huge_page "
		     "try_to_migrate remove_migration_pte split_folio_to_list",
	.weight = 20,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_NUMA},
	.nneeds = 1,
	.wants = {CAP_HAS_MOVE_ALL},
	.nwants = 1,
	.args = move_args,
	.errnos = errnos_move_pages,
	.run = run_move_pages,
	.odd = odd_move_pages,
	.tune = tune_move_pages,
};

/* ---- move_pages of another executor ---- */

enum { OTHER_ARG_NODE = 4, OTHER_ARG_FLAGS, OTHER_ARG_STEP, OTHER_ARG_PROC };

static const struct arg_desc other_args[] = {
	ARGS_RANGE,
	{"node", ARG_NODE, 0, NULL, "where to"},
	{"flags", ARG_FLAGS, 0, move_words, "also pages that other processes map"},
	{"step", ARG_ENUM, 0, step_words, "one address a huge page, or every page"},
	{"proc", ARG_PROC, 0, NULL, "which of the other executors"},
};

/* Another executor than this one where there is another. */
static pid_t other_pid(const struct op_env *e, uint32_t arg)
{
	if (e->nprocs < 2)
		return op_pid(e, e->proc);
	return op_pid(e, e->proc + 1 + arg % (e->nprocs - 1));
}

static long run_move_pages_other(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	unsigned long n = fill_pages(e, &s, c->arg[OTHER_ARG_STEP]);
	pid_t pid = other_pid(e, c->arg[OTHER_ARG_PROC]);

	return move(
		e, pid, n, op_node(e, c->arg[OTHER_ARG_NODE]), move_flags(c->arg[OTHER_ARG_FLAGS]));
}

static void tune_move_pages_other(struct op_call *c, struct rng *r)
{
	static const uint8_t flags[] = {1, 2, 2, 3};

	c->arg[OTHER_ARG_FLAGS] = flags[rng_below(r, sizeof(flags))];
	tune_step(&c->arg[OTHER_ARG_STEP], r);
}

static const struct op_errno errnos_move_pages_other[] = {
	{ENOMEM, WHEN_ALWAYS},
	{EPERM, WHEN_ODD},
	{ESRCH, WHEN_GONE_PEER},
	{EINVAL, WHEN_GONE_PEER}, /* it has no memory any more */
	{0, 0},
};

const struct op op_move_pages_other = {
	.name = "move_pages_other",
	.calls_only = true,
	.help = "moves another executor's pages of the range to a node",
	.exercises =
		"find_mm_struct do_pages_move add_folio_for_migration migrate_pages try_to_migrate",
	.weight = 8,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_NUMA, CAP_HAS_MIGRATE_OTHER},
	.nneeds = 2,
	.wants = {CAP_HAS_MOVE_ALL},
	.nwants = 1,
	.args = other_args,
	.errnos = errnos_move_pages_other,
	.run = run_move_pages_other,
	.odd = odd_move_pages, /* its flags are the same argument */
	.tune = tune_move_pages_other,
};

/* ---- query ---- */

enum { QUERY_ARG_STEP = 4 };

static const struct arg_desc query_args[] = {
	ARGS_RANGE,
	{"step", ARG_ENUM, 0, step_words, "one address a huge page, or every page"},
	{.kind = ARG_END},
};

static long run_move_pages_query(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	unsigned long n = fill_pages(e, &s, c->arg[QUERY_ARG_STEP]);
	int *status = e->scratch->status;
	long r;

	for (unsigned long i = 0; i < n; i++)
		status[i] = STATUS_UNWRITTEN;
	r = result_of(syscall(SYS_move_pages, 0, n, e->scratch->page, NULL, status, 0));
	for (unsigned long i = 0; i < n && r == 0; i++) {
		if (status[i] == STATUS_UNWRITTEN)
			return -ENODATA;
		if (status[i] >= 0 && !machine_has_node(e->machine, status[i]))
			return -ERANGE;
		if (status[i] < 0 && status[i] != -ENOENT && status[i] != -EFAULT)
			return status[i];
	}
	return r;
}

const struct op op_move_pages_query = {
	.name = "move_pages_query",
	.calls_only = true,
	.stays = true,
	.help = "asks on which nodes the pages are",
	.exercises = "do_pages_stat do_pages_stat_array folio_walk_start",
	.weight = 4,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_NUMA},
	.nneeds = 1,
	.args = query_args,
	.run = run_move_pages_query,
};

/* ---- migrate_pages ---- */

enum { MIGRATE_ARG_PROC, MIGRATE_ARG_FROM, MIGRATE_ARG_TO };

static const struct arg_desc migrate_args[] = {
	{"proc", ARG_PROC, 0, NULL, "which executor"},
	{"from", ARG_NODE, 0, NULL, "node that its pages leave"},
	{"to", ARG_NODE, 0, NULL, "node that they go to"},
	{.kind = ARG_END},
};

struct nodemask {
	unsigned long bits[(MACHINE_MAX_NODES + 1) / LONG_BITS + 1];
};

static struct nodemask only(int node)
{
	struct nodemask n = {{0}};

	if (node >= 0 && node < MACHINE_MAX_NODES)
		n.bits[node / LONG_BITS] = 1UL << (node % LONG_BITS);
	return n;
}

static long run_migrate_pages(struct op_env *e, const struct op_call *c)
{
	struct nodemask from = only(op_node(e, c->arg[MIGRATE_ARG_FROM]));
	struct nodemask to = only(op_node(e, c->arg[MIGRATE_ARG_TO]));

	return result_of(syscall(SYS_migrate_pages, op_pid(e, c->arg[MIGRATE_ARG_PROC]),
		MACHINE_MAX_NODES + 1UL, from.bits, to.bits));
}

static bool odd_migrate_pages(const struct op_env *e, const struct op_call *c)
{
	return c->arg[MIGRATE_ARG_PROC] % (e->nprocs ? e->nprocs : 1) != e->proc &&
	       caps_missing(CAP_HAS_MIGRATE_OTHER);
}

/* To another node than from where there is one: neighbours in the list of nodes. */
static void tune_migrate_pages(struct op_call *c, struct rng *r)
{
	if (c->arg[MIGRATE_ARG_FROM] == c->arg[MIGRATE_ARG_TO] && rng_below(r, 8) != 0)
		c->arg[MIGRATE_ARG_TO] = (c->arg[MIGRATE_ARG_TO] + 1) & 0xff;
}

static const struct op_errno errnos_migrate_pages[] = {
	{ENOMEM, WHEN_ALWAYS}, /* the target node is full, or its hugetlb pool */
	{EPERM, WHEN_ODD},
	{ESRCH, WHEN_GONE_PEER},
	{EINVAL, WHEN_GONE_PEER},
	{0, 0},
};

const struct op op_migrate_pages = {
	.name = "migrate_pages",
	.calls_only = true,
	.help = "moves all of an executor's pages from one node to another",
	.exercises = "do_migrate_pages migrate_to_node queue_pages_range migrate_pages "
		     "lru_cache_disable",
	.weight = 3,
	.needs = {CAP_HAS_NUMA},
	.nneeds = 1,
	.wants = {CAP_HAS_MIGRATE_OTHER},
	.nwants = 1,
	.args = migrate_args,
	.errnos = errnos_migrate_pages,
	.run = run_migrate_pages,
	.odd = odd_migrate_pages,
	.tune = tune_migrate_pages,
};
