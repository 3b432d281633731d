/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Splitting of huge pages through debugfs split_huge_pages: "PID,0xSTART,0xEND[,ORDER[,OFFSET]]" in addresses, or
 * "PATH,0xSTART,0xEND[,ORDER[,OFFSET]]" in pages (mm/huge_memory.c, split_huge_pages_write). Kernels that know no order (before
 * 6.9) or no offset (before 6.15) ignore what follows. It tells no count: pages that it cannot split are passed over.
 */
#include <stdio.h>
#include <unistd.h>

#include "op/op.h"
#include "backings.h"
#include "result.h"

static long split(struct op_env *e, const char *text, int len)
{
	return result_of(write(e->split_fd, text, (size_t)len));
}

/* The tail of a line: split evenly down to order, or around the page `at` - 1 of each huge page. */
static int put_how(char *text, size_t size, uint32_t order, uint32_t at)
{
	if (at == 0)
		return snprintf(text, size, ",%u", order);
	return snprintf(text, size, ",%u,%u", order, at - 1);
}

/* ---- by address ---- */

enum { PID_ARG_PROC = 4, PID_ARG_ORDER, PID_ARG_AT };
enum { ORDER_MAX = 9, AT_MAX = 512 };

static const struct arg_desc pid_args[] = {
	ARGS_RANGE,
	{"proc", ARG_PROC, 0, NULL, "whose mapping of it"},
	{"order", ARG_INT, ORDER_MAX, NULL,
		"order of the pieces, on anon only; 1, which the kernel lacks, counts as 0"},
	{"at", ARG_INT, AT_MAX, NULL,
		"0: evenly; else only around this page of the huge page, from 1"},
	{.kind = ARG_END},
};

/*
 * Orders that a healthy kernel refuses with a warning in its log when built for debugging are not asked for: 1, and any but 0 for
 * shmem (6.9 to 6.14).
 */
static uint32_t order_for(const struct slot *s, uint32_t order)
{
	return s->spec.backing == BACKING_ANON && order != 1 ? order : 0;
}

static long run_split_pid(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	char text[128];
	int n = snprintf(text, sizeof(text), "%d,0x%lx,0x%lx", (int)op_pid(e, c->arg[PID_ARG_PROC]),
		(unsigned long)s.addr, (unsigned long)(s.addr + s.len));

	n += put_how(text + n, sizeof(text) - (size_t)n, order_for(s.slot, c->arg[PID_ARG_ORDER]),
		c->arg[PID_ARG_AT]);
	return split(e, text, n);
}

/* Down to base pages, evenly, is what older kernels do whatever is asked, and what reclaim does: three calls of four. */
static void tune_split_pid(struct op_call *c, struct rng *r)
{
	if (rng_below(r, 4) == 0)
		return;
	c->arg[PID_ARG_ORDER] = 0;
	c->arg[PID_ARG_AT] = 0;
}

static const struct op_errno errnos_split_pid[] = {
	{ESRCH, WHEN_GONE_PEER},
	{EINVAL, WHEN_GONE_PEER}, /* it has no memory any more */
	{EINTR, WHEN_ALWAYS}, /* waiting for another split */
	{0, 0},
};

const struct op op_split_pid = {
	.name = "split_pid",
	.calls_only = true,
	.stays = true,
	.help = "splits the huge pages that an executor maps in the range",
	.exercises =
		"split_huge_pages_pid split_huge_page_to_list_to_order __folio_split unmap_folio "
		"try_to_migrate remap_page __split_huge_page",
	.hazard = HAZARD_ROOT,
	.weight = 8,
	.backings = BACKINGS_BASE,
	.needs = {CAP_HAS_SPLIT_DEBUGFS},
	.nneeds = 1,
	.args = pid_args,
	.errnos = errnos_split_pid,
	.run = run_split_pid,
	.tune = tune_split_pid,
};

/* ---- by file ---- */

enum { FILE_ARG_AT = 3 };

static const struct arg_desc file_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "whose object"},
	{"off", ARG_OFF, 0, NULL, "first page of the object"},
	{"pages", ARG_LEN, 0, NULL, "length, 0 = to the end"},
	{"at", ARG_INT, AT_MAX, NULL,
		"0: evenly; else only around this page of the huge page, from 1"},
	{.kind = ARG_END},
};

enum { FILE_BACKINGS = 1 << BACKING_MEMFD | 1 << BACKING_TMPFS | 1 << BACKING_FILE };

/* The kernel opens the path itself; the link in /proc leads to the object also when its name is gone. */
static long run_split_file(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	char text[128];
	int n;

	/* Kernels do not expect hugetlb pages here. */
	if (!backing_in(s.slot, FILE_BACKINGS))
		return -EINVAL;
	n = snprintf(text, sizeof(text), "/proc/self/fd/%d,0x%lx,0x%lx", s.slot->fd,
		(unsigned long)s.page, (unsigned long)(s.page + s.pages));
	n += put_how(text + n, sizeof(text) - (size_t)n, 0, c->arg[FILE_ARG_AT]);
	return split(e, text, n);
}

static void tune_split_file(struct op_call *c, struct rng *r)
{
	if (rng_below(r, 4) != 0)
		c->arg[FILE_ARG_AT] = 0;
}

static const struct op_errno errnos_split_file[] = {
	{EINTR, WHEN_ALWAYS}, /* waiting for another split */
	{EINVAL, WHEN_SCARCE | WHEN_INJECTED}, /* whatever keeps it from opening the file */
	{0, 0},
};

const struct op op_split_file = {
	.name = "split_file",
	.calls_only = true,
	.stays = true,
	.help = "splits the huge pages of an object's page cache in the range",
	.exercises = "split_huge_pages_in_file split_huge_page_to_list_to_order __folio_split "
		     "unmap_folio "
		     "xas_split __split_huge_page",
	.hazard = HAZARD_ROOT,
	.weight = 6,
	.backings = FILE_BACKINGS,
	.needs = {CAP_HAS_SPLIT_DEBUGFS},
	.nneeds = 1,
	.args = file_args,
	.errnos = errnos_split_file,
	.run = run_split_file,
	.tune = tune_split_file,
};
