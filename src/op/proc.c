/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readers of page tables: /proc/PID files of this executor, and mincore. */
#include <sys/mman.h>
#include <unistd.h>

#include "op/op.h"
#include "backings.h"
#include "result.h"

/* Reads from the start until the end or the scratch is full; nothing is kept. Returns the bytes. */
static long read_text(struct op_env *e, int fd)
{
	long total = 0;

	while (total < (long)sizeof(e->scratch->text)) {
		ssize_t n = pread(fd, e->scratch->text, sizeof(e->scratch->text), total);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		total += n;
	}
	e->bytes += (uint64_t)total;
	return total;
}

/* ---- smaps ---- */

enum { SMAPS_ALL, SMAPS_ROLLUP };

static const struct arg_word smaps_words[] = {
	{"smaps", SMAPS_ALL},
	{"rollup", SMAPS_ROLLUP},
	{NULL, 0},
};

static const struct arg_desc smaps_args[] = {
	{"file", ARG_ENUM, 0, smaps_words, "every mapping, or their sum"},
	{.kind = ARG_END},
};

static long run_smaps(struct op_env *e, const struct op_call *c)
{
	return read_text(e, c->arg[0] == SMAPS_ROLLUP ? e->smaps_rollup_fd : e->smaps_fd);
}

const struct op op_smaps = {
	.name = "smaps",
	.stays = true,
	.help = "reads smaps of the executor",
	.exercises = "smap_gather_stats smaps_pte_range smaps_pmd_entry smaps_hugetlb_range",
	.weight = 2,
	.needs = {CAP_HAS_SMAPS},
	.nneeds = 1,
	.args = smaps_args,
	.run = run_smaps,
};

/* ---- numa_maps ---- */

static long run_numa_maps(struct op_env *e, const struct op_call *c)
{
	return read_text(e, e->numa_maps_fd);
}

const struct op op_numa_maps = {
	.name = "numa_maps",
	.stays = true,
	.help = "reads numa_maps of the executor",
	.exercises =
		"show_numa_map gather_pte_stats gather_hugetlb_stats can_gather_numa_stats_pmd",
	.weight = 2,
	.needs = {CAP_HAS_NUMA_MAPS},
	.nneeds = 1,
	.run = run_numa_maps,
};

/* ---- pagemap ---- */

static const struct arg_desc range_args[] = {ARGS_RANGE, {.kind = ARG_END}};

static long run_pagemap(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	size_t want = (size_t)s.pages * sizeof(uint64_t);
	off_t at = (off_t)(s.addr >> s.slot->page_shift) * (off_t)sizeof(uint64_t);
	long r;

	if (want > sizeof(e->scratch->text))
		want = sizeof(e->scratch->text);
	r = result_of(pread(e->pagemap_fd, e->scratch->text, want, at));
	if (r > 0)
		e->bytes += (uint64_t)r;
	return r;
}

const struct op op_pagemap = {
	.name = "pagemap",
	.stays = true,
	.help = "reads pagemap of the range",
	.exercises = "pagemap_read pagemap_pmd_range pagemap_hugetlb_range",
	.weight = 3,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_PAGEMAP},
	.nneeds = 1,
	.args = range_args,
	.run = run_pagemap,
};

/* ---- mincore ---- */

static long run_mincore(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	size_t most = (size_t)OP_SCRATCH_PAGES << s.slot->page_shift;

	return result_of(mincore((void *)s.addr, s.len < most ? s.len : most, e->scratch->vec));
}

static const struct op_errno errnos_mincore[] = {
	{ENOMEM, WHEN_HOLE},
	{0, 0},
};

const struct op op_mincore = {
	.name = "mincore",
	.stays = true,
	.help = "asks which pages of the range are in memory",
	.exercises = "do_mincore mincore_pte_range mincore_hugetlb __mincore_unmapped_range",
	.weight = 3,
	.backings = BACKINGS_ALL,
	.args = range_args,
	.errnos = errnos_mincore,
	.run = run_mincore,
};
