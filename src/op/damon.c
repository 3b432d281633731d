/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DAMON: a kernel thread that looks at a range again and again, page tables of huge pages included, and gives advice on it from
 * outside the process (mm/damon/vaddr.c). The machine has one set of files for all; who finds them taken goes without.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "op/op.h"
#include "backings.h"
#include "result.h"

#define ADMIN "/sys/kernel/mm/damon/admin/kdamonds/"
#define CONTEXT "contexts/0/"
#define SCHEME CONTEXT "schemes/0/"

enum { ARG_ACTION = 4, ARG_HOLD, HOLD_MAX = 200000000 };

static const struct arg_word action_words[] = {{"pageout", 0}, {"cold", 1}, {"willneed", 2},
	{"hugepage", 3}, {"nohugepage", 4}, {"migrate_hot", 5}, {"migrate_cold", 6}, {"stat", 7},
	{NULL, 0}};

static const struct arg_desc damon_args[] = {
	ARGS_RANGE,
	{"action", ARG_ENUM, 0, action_words,
		"what it does to all that it sees (stat where the kernel does not know it)"},
	{"hold", ARG_NS, HOLD_MAX, NULL, "how long it looks"},
	{.kind = ARG_END},
};

static const char *const knobs[] = {ADMIN "nr_kdamonds", NULL};

static long put(const char *file, const char *text)
{
	char path[192];
	long r;

	snprintf(path, sizeof(path), ADMIN "0/%s", file);
	r = box_put(path, text);
	return r < 0 ? r : 0;
}

static long put_number(const char *file, uint64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	return put(file, text);
}

/* A context that looks every 5 ms, acts every 20 ms, and finds that every region is to be acted upon. */
static long set_up(void)
{
	static const struct {
		const char *file, *text;
	} step[] = {
		{"contexts/nr_contexts", "1"},
		{CONTEXT "operations", "fvaddr"},
		{CONTEXT "monitoring_attrs/intervals/sample_us", "5000"},
		{CONTEXT "monitoring_attrs/intervals/aggr_us", "20000"},
		{CONTEXT "monitoring_attrs/intervals/update_us", "100000"},
		{CONTEXT "targets/nr_targets", "1"},
		{CONTEXT "targets/0/regions/nr_regions", "1"},
		{CONTEXT "schemes/nr_schemes", "1"},
		{SCHEME "access_pattern/sz/max", "18446744073709551615"},
		{SCHEME "access_pattern/nr_accesses/max", "4294967295"},
		{SCHEME "access_pattern/age/max", "4294967295"},
	};
	long r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(step) && r == 0; i++)
		r = put(step[i].file, step[i].text);
	return r;
}

/* What it looks at, and what it does. */
static long aim(const struct op_env *e, const struct op_span *s, const char *action)
{
	long r = put_number(CONTEXT "targets/0/pid_target", (uint64_t)op_pid(e, e->proc));

	r = r < 0 ? r : put_number(CONTEXT "targets/0/regions/0/start", s->addr);
	r = r < 0 ? r : put_number(CONTEXT "targets/0/regions/0/end", s->addr + s->len);
	if (r == 0 && put(SCHEME "action", action) < 0)
		r = put(SCHEME "action", "stat");
	return r;
}

static long watch(const struct op_env *e, const struct op_call *c, const struct op_span *s)
{
	const struct timespec ts = {.tv_nsec = c->arg[ARG_HOLD]};
	long r = set_up(), off;

	r = r < 0 ? r : aim(e, s, action_words[c->arg[ARG_ACTION]].name);
	r = r < 0 ? r : put("state", "on");
	if (r < 0)
		return r;
	nanosleep(&ts, NULL);
	off = put("state", "off");
	return off == -EPERM ? 0 : off; /* its thread has ended by itself (damon_stop) */
}

static long run_damon(struct op_env *e, const struct op_call *c)
{
	_cleanup_close_ int fd = open(knobs[0], O_RDONLY | O_CLOEXEC);
	struct op_span s = op_range(e, c);
	unsigned long long n;
	long r;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -EBUSY;
	if (path_read_u64(knobs[0], &n) < 0 || n)
		return -EBUSY;
	r = box_put(knobs[0], "1");
	if (r < 0)
		return r;
	r = watch(e, c, &s);
	box_put(knobs[0], "0");
	return r;
}

/* MADV_HUGEPAGE and MADV_NOHUGEPAGE of a part. */
static unsigned int effects(const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_VMA_SPLIT);
	return 1;
}

static const struct op_errno errnos[] = {
	{EBUSY, WHEN_ALWAYS}, /* another has it, or has not ended yet */
	{ENOENT, WHEN_ALWAYS}, /* it was taken away meanwhile, at an epoch's end */
	{ENOMEM, WHEN_ALWAYS},
	{EINTR, WHEN_ALWAYS}, /* starting its thread */
	{EINVAL, WHEN_GONE_PEER}, /* there is no such process */
	{0, 0},
};

const struct op op_damon = {
	.name = "damon",
	.help = "has DAMON look at a range for a while, and do something with all of it",
	.exercises = "kdamond_fn damon_va_check_accesses damon_young_pmd_entry "
		     "damon_mkold_pmd_entry damon_hugetlb_mkold "
		     "damon_va_apply_scheme do_madvise",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 1,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_DAMON},
	.nneeds = 1,
	.gear = &gear_box,
	.knobs = knobs,
	.args = damon_args,
	.errnos = errnos,
	.run = run_damon,
	.effects = effects,
};
