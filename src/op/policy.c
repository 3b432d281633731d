/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory policies: of a range, and of the lane's thread. */
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "op/op.h"
#include "backings.h"
#include "result.h"
#include "uapi.h"

enum { LONG_BITS = sizeof(long) * CHAR_BIT };

/* The kernel counts one node less than it is told (mm/mempolicy.c, get_nodes). */
enum { MAX_NODE = MACHINE_MAX_NODES + 1 };

struct nodemask {
	unsigned long bits[MAX_NODE / LONG_BITS + 1];
};

/* Our own flag among the kernel's mode flags, which begin at bit 13. */
enum { MODE_ALL_NODES = 1 << 0 };

static const struct arg_word mode_words[] = {
	{"default", MPOL_DEFAULT},
	{"preferred", MPOL_PREFERRED},
	{"bind", MPOL_BIND},
	{"interleave", MPOL_INTERLEAVE},
	{"local", MPOL_LOCAL},
	{"preferred_many", MODE_PREFERRED_MANY},
	{"weighted_interleave", MODE_WEIGHTED_INTERLEAVE},
	{NULL, 0},
};

static const struct arg_word mode_flag_words[] = {
	{"all", MODE_ALL_NODES},
	{"static", MPOL_F_STATIC_NODES},
	{"relative", MPOL_F_RELATIVE_NODES},
	{"balancing", MPOL_F_NUMA_BALANCING},
	{NULL, 0},
};

static const struct arg_word move_words[] = {
	{"strict", MPOL_MF_STRICT},
	{"move", MPOL_MF_MOVE},
	{"move_all", MPOL_MF_MOVE_ALL},
	{NULL, 0},
};

static unsigned long flags_value(const struct arg_word *w, uint32_t bits)
{
	unsigned long v = 0;

	for (unsigned int i = 0; w[i].name; i++)
		if (bits & (1U << i))
			v |= w[i].value;
	return v;
}

static void node_set(struct nodemask *n, int node)
{
	if (node >= 0 && node < MACHINE_MAX_NODES)
		n->bits[node / LONG_BITS] |= 1UL << (node % LONG_BITS);
}

static bool takes_no_nodes(unsigned long mode)
{
	return mode == MPOL_DEFAULT || mode == MPOL_LOCAL;
}

/* "all" is every node there is: the kernel leaves out those without memory by itself. */
static void fill_nodes(struct nodemask *n, const struct op_env *e, unsigned long mode,
	unsigned long mode_flags, uint32_t node)
{
	memset(n, 0, sizeof(*n));
	if (takes_no_nodes(mode))
		return;
	node_set(n, op_node(e, node));
	for (int i = 0; (mode_flags & MODE_ALL_NODES) && i < e->machine->nnodes; i++)
		node_set(n, e->machine->node[i].id);
}

/* mm/mempolicy.c, sanitize_mpol_flags and mpol_new. */
static bool mode_refused(unsigned long mode, unsigned long flags)
{
	unsigned long fixed = flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES);

	if (fixed == (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES))
		return true;
	if (fixed && mode == MPOL_LOCAL)
		return true;
	if ((flags & MPOL_F_NUMA_BALANCING) &&
		(mode != MPOL_BIND || caps_missing(CAP_HAS_MBIND_BALANCING)))
		return true;
	if (mode == MODE_PREFERRED_MANY)
		return caps_missing(CAP_HAS_MBIND_PREFERRED_MANY) != NULL;
	return mode == MODE_WEIGHTED_INTERLEAVE && caps_missing(CAP_HAS_MBIND_WEIGHTED);
}

/* Three calls of four do without flags that exclude each other or the mode. */
static void tune_mode(uint32_t *mode, uint32_t *flags, struct rng *r)
{
	static const uint8_t one_of[] = {0, 1 << 1, 1 << 2, 0};
	uint32_t all = *flags & 1;

	if (rng_below(r, 4) == 0)
		return;
	*flags = all | one_of[rng_below(r, sizeof(one_of))];
	if (takes_no_nodes(mode_words[*mode].value))
		*flags = all;
	else if (mode_words[*mode].value == MPOL_BIND && rng_below(r, 4) == 0)
		*flags |= 1 << 3;
}

/* ---- mbind ---- */

enum { MBIND_ARG_MODE = 4, MBIND_ARG_NODE, MBIND_ARG_MODE_FLAGS, MBIND_ARG_FLAGS };

static const struct arg_desc mbind_args[] = {
	ARGS_RANGE,
	{"mode", ARG_ENUM, 0, mode_words, "policy"},
	{"node", ARG_NODE, 0, NULL, "node, for modes that take some"},
	{"mode_flags", ARG_FLAGS, 0, mode_flag_words,
		"flags of the mode; all: every node, not only one"},
	{"flags", ARG_FLAGS, 0, move_words, "what happens to pages that are there"},
	{.kind = ARG_END},
};

struct mbind_call {
	unsigned long mode, mode_flags, flags;
};

static struct mbind_call mbind_of(const struct op_call *c)
{
	return (struct mbind_call){
		.mode = mode_words[c->arg[MBIND_ARG_MODE]].value,
		.mode_flags = flags_value(mode_flag_words, c->arg[MBIND_ARG_MODE_FLAGS]),
		.flags = flags_value(move_words, c->arg[MBIND_ARG_FLAGS]),
	};
}

static long run_mbind(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct mbind_call m = mbind_of(c);
	struct nodemask n;

	fill_nodes(&n, e, m.mode, m.mode_flags, c->arg[MBIND_ARG_NODE]);
	return result_of(syscall(SYS_mbind, s.addr, s.len,
		m.mode | (m.mode_flags & ~(unsigned long)MODE_ALL_NODES), n.bits,
		(unsigned long)MAX_NODE, m.flags));
}

static unsigned int effects_mbind(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = op_effect(&s, EFFECT_VMA_SPLIT);
	return 1;
}

static bool odd_mbind(const struct op_env *e, const struct op_call *c)
{
	struct mbind_call m = mbind_of(c);

	if ((m.flags & MPOL_MF_MOVE_ALL) && caps_missing(CAP_HAS_MOVE_ALL))
		return true;
	return mode_refused(m.mode, m.mode_flags);
}

/*
 * Without flags no page is looked at. With MOVE alone 6.1 still gives EIO for a huge page that is being migrated
 * (queue_folios_pmd); the default policy takes no STRICT (do_mbind).
 */
static bool strict_mbind(const struct op_env *e, const struct op_call *c)
{
	struct mbind_call m = mbind_of(c);

	if (m.mode == MPOL_DEFAULT)
		m.flags &= ~(unsigned long)MPOL_MF_STRICT;
	return m.flags != 0;
}

/* Half of the calls move. */
static void tune_mbind(struct op_call *c, struct rng *r)
{
	static const uint8_t flags[] = {0, 1, 2, 2, 3, 4, 4, 5};

	c->arg[MBIND_ARG_FLAGS] = flags[rng_below(r, sizeof(flags))];
	tune_mode(&c->arg[MBIND_ARG_MODE], &c->arg[MBIND_ARG_MODE_FLAGS], r);
}

static const struct op_errno errnos_mbind[] = {
	{EINVAL, WHEN_ODD | WHEN_UNALIGNED},
	{EPERM, WHEN_ODD},
	{EFAULT, WHEN_HOLE},
	{EIO, WHEN_STRICT},
	{ENOMEM, WHEN_SPLIT}, /* vm.max_map_count */
	{0, 0},
};

const struct op op_mbind = {
	.name = "mbind",
	.calls_only = true,
	.help = "sets the memory policy of a range, and may move its pages",
	.exercises = "do_mbind mbind_range queue_pages_range queue_folios_pmd queue_folios_hugetlb "
		     "migrate_pages "
		     "alloc_migration_target_by_mpol isolate_hugetlb",
	.weight = 14,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_NUMA},
	.nneeds = 1,
	.wants = {CAP_HAS_MOVE_ALL, CAP_HAS_MBIND_PREFERRED_MANY, CAP_HAS_MBIND_WEIGHTED,
		CAP_HAS_MBIND_BALANCING},
	.nwants = 4,
	.args = mbind_args,
	.errnos = errnos_mbind,
	.run = run_mbind,
	.effects = effects_mbind,
	.odd = odd_mbind,
	.strict = strict_mbind,
	.tune = tune_mbind,
};

/* ---- the home node of a range ---- */

enum { HOME_ARG_MODE = 4, HOME_ARG_NODE };

/* The modes that have one. */
static const struct arg_word home_words[] = {
	{"preferred_many", MODE_PREFERRED_MANY},
	{"bind", MPOL_BIND},
	{NULL, 0},
};

static const struct arg_desc home_args[] = {
	ARGS_RANGE,
	{"mode", ARG_ENUM, 0, home_words, "policy that the range gets first, over all nodes"},
	{"node", ARG_NODE, 0, NULL, "which of them is home"},
	{.kind = ARG_END},
};

static long run_home_node(struct op_env *e, const struct op_call *c)
{
	unsigned long mode = home_words[c->arg[HOME_ARG_MODE]].value;
	struct op_span s = op_range(e, c);
	struct nodemask n;
	long r;

	fill_nodes(&n, e, mode, MODE_ALL_NODES, 0);
	r = result_of(syscall(SYS_mbind, s.addr, s.len, mode, n.bits, (unsigned long)MAX_NODE, 0));
	if (r < 0)
		return r;
	return result_of(syscall(SYS_set_mempolicy_home_node, s.addr, s.len,
		(unsigned long)op_node(e, c->arg[HOME_ARG_NODE]), 0));
}

static const struct op_errno errnos_home_node[] = {
	{EINVAL, WHEN_UNALIGNED},
	{EFAULT, WHEN_HOLE},
	{ENOMEM, WHEN_SPLIT}, /* vm.max_map_count */
	{ENOENT, WHEN_ALWAYS}, /* another lane has mapped the range or set its policy since */
	{EOPNOTSUPP, WHEN_ALWAYS},
	{0, 0},
};

const struct op op_set_mempolicy_home_node = {
	.name = "set_mempolicy_home_node",
	.calls_only = true,
	.help = "binds a range to all nodes and says which of them is home",
	.exercises = "set_mempolicy_home_node mbind_range mpol_dup policy_nodemask "
		     "alloc_pages_mpol",
	.weight = 2,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_NUMA, CAP_HAS_HOME_NODE, CAP_HAS_MBIND_PREFERRED_MANY},
	.nneeds = 3,
	.args = home_args,
	.errnos = errnos_home_node,
	.run = run_home_node,
	.effects = effects_mbind,
};

/* ---- set_mempolicy ---- */

enum { SET_ARG_MODE, SET_ARG_NODE, SET_ARG_MODE_FLAGS };

static const struct arg_desc set_args[] = {
	{"mode", ARG_ENUM, 0, mode_words, "policy"},
	{"node", ARG_NODE, 0, NULL, "node, for modes that take some"},
	{"mode_flags", ARG_FLAGS, 0, mode_flag_words,
		"flags of the mode; all: every node, not only one"},
	{.kind = ARG_END},
};

static long run_set_mempolicy(struct op_env *e, const struct op_call *c)
{
	unsigned long mode = mode_words[c->arg[SET_ARG_MODE]].value;
	unsigned long flags = flags_value(mode_flag_words, c->arg[SET_ARG_MODE_FLAGS]);
	struct nodemask n;

	fill_nodes(&n, e, mode, flags, c->arg[SET_ARG_NODE]);
	return result_of(syscall(SYS_set_mempolicy, mode | (flags & ~(unsigned long)MODE_ALL_NODES),
		n.bits, (unsigned long)MAX_NODE));
}

static bool odd_set_mempolicy(const struct op_env *e, const struct op_call *c)
{
	return mode_refused(mode_words[c->arg[SET_ARG_MODE]].value,
		flags_value(mode_flag_words, c->arg[SET_ARG_MODE_FLAGS]));
}

/* A thread bound to one node for long could run that node out of memory: bind mostly means all nodes. */
static void tune_set_mempolicy(struct op_call *c, struct rng *r)
{
	tune_mode(&c->arg[SET_ARG_MODE], &c->arg[SET_ARG_MODE_FLAGS], r);
	if (mode_words[c->arg[SET_ARG_MODE]].value == MPOL_BIND && rng_below(r, 4) != 0)
		c->arg[SET_ARG_MODE_FLAGS] |= 1;
}

static const struct op_errno errnos_set_mempolicy[] = {
	{EINVAL, WHEN_ODD},
	{0, 0},
};

const struct op op_set_mempolicy = {
	.name = "set_mempolicy",
	.calls_only = true,
	.stays = true,
	.help = "sets the memory policy of the lane's thread",
	.exercises = "do_set_mempolicy mpol_new policy_nodemask alloc_pages_mpol "
		     "weighted_interleave_nid",
	.weight = 4,
	.needs = {CAP_HAS_NUMA},
	.nneeds = 1,
	.wants = {CAP_HAS_MBIND_PREFERRED_MANY, CAP_HAS_MBIND_WEIGHTED, CAP_HAS_MBIND_BALANCING},
	.nwants = 3,
	.args = set_args,
	.errnos = errnos_set_mempolicy,
	.run = run_set_mempolicy,
	.odd = odd_set_mempolicy,
	.tune = tune_set_mempolicy,
};

/* ---- get_mempolicy ---- */

enum { GET_ARG_WHAT = 3 };

static const struct arg_word what_words[] = {
	{"node", MPOL_F_NODE | MPOL_F_ADDR},
	{"policy", MPOL_F_ADDR},
	{"thread", 0},
	{"allowed", MPOL_F_MEMS_ALLOWED},
	{NULL, 0},
};

static const struct arg_desc get_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "what it asks about"},
	{"view", ARG_VIEW, 0, NULL, "through which mapping"},
	{"off", ARG_OFF, 0, NULL, "which page"},
	{"what", ARG_ENUM, 0, what_words,
		"a page's node or policy, the thread's policy, the nodes allowed"},
	{.kind = ARG_END},
};

/* The page's node must be one that there is: ENXIO, which the kernel never gives here, says that it was not. */
static long run_get_mempolicy(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	unsigned long what = what_words[c->arg[GET_ARG_WHAT]].value;
	struct nodemask n = {{0}};
	int mode = 0;
	long r = result_of(syscall(SYS_get_mempolicy, &mode, n.bits, (unsigned long)MAX_NODE,
		(what & MPOL_F_ADDR) ? s.addr : 0, what));

	if (r == 0 && (what & MPOL_F_NODE) && !machine_has_node(e->machine, mode))
		return -ENXIO;
	return r;
}

static const struct op_errno errnos_get_mempolicy[] = {
	{EFAULT, WHEN_HOLE | WHEN_SHORT | WHEN_TIGHT}, /* the page is faulted in to see its node */
	{ENOMEM, WHEN_TIGHT},
	{0, 0},
};

const struct op op_get_mempolicy = {
	.name = "get_mempolicy",
	.calls_only = true,
	.stays = true,
	.help = "asks for a page's node or policy",
	.exercises = "do_get_mempolicy lookup_node get_user_pages_fast",
	.weight = 2,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_NUMA},
	.nneeds = 1,
	.args = get_args,
	.errnos = errnos_get_mempolicy,
	.run = run_get_mempolicy,
};
