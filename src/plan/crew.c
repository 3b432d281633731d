/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a job's lane sections to crews: ops and weights, copies of lanes, processes and CPUs. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "build.h"
#include "plan/line.h"
#include "plan/number.h"
#include "plan/suggest.h"

enum { LINE_BYTES = 8192 };

/* What the op lines of one lane section have said so far. */
struct mix {
	struct job *job;
	struct plan *plan;
	const struct job_lane *section;
	struct plan_lane *lane; /* the template of all its lanes */
	bool named[OP_NUMBERS]; /* in an `ops` line, or in an `op` line */
	bool except[OP_NUMBERS];
	bool all; /* `default` was said */
	const struct job_place *except_place;
};

/* ---- slots of a lane ---- */

static int find_slot(struct job *j, const struct job_place *at, const char *name)
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;

	suggest_start(&s, name);
	for (unsigned int i = 0; i < j->nslots; i++) {
		if (strcmp(j->slot[i].spec.name, name) == 0)
			return (int)i;
		suggest_try(&s, j->slot[i].spec.name);
	}
	return job_wrong_at(j, at, "there is no slot \"%.40s\"%s", name, suggest_text(&s, hint));
}

static int lane_slots(struct job *j, const struct job_lane *l, uint32_t *ret)
{
	const struct job_place *at = job_key_place(l->at, "lane", "slots", &l->place);
	char words[LINE_BYTES], *cursor = words, *word;
	uint32_t mask = 0;

	if (!l->slots || strcmp(l->slots, "all") == 0) {
		*ret = (uint32_t)((1ULL << j->nslots) - 1);
		return 0;
	}
	snprintf(words, sizeof(words), "%s", l->slots);
	while ((word = line_word(&cursor, ","))) {
		int i = find_slot(j, at, word);

		if (i < 0)
			return i;
		if (mask >> i & 1)
			return job_wrong_at(j, at, "slots names %s twice", word);
		mask |= 1U << i;
	}
	*ret = mask;
	return mask ? 0 : job_wrong_at(j, at, "slots names no slot");
}

/* Whether the op can act on some slot of the lane as the job has it, be it here or not. */
static bool suits_section(const struct mix *m, const struct op *op)
{
	if (!op->backings)
		return true;
	for (unsigned int i = 0; i < m->plan->nslots; i++)
		if ((m->lane->slots >> i & 1) && (op->backings >> m->plan->slot[i].backing & 1))
			return true;
	return false;
}

/* ---- ops of a lane ---- */

/* Adds an op, unless it cannot run here: then it is noted. */
static int add_op(struct mix *m, const struct job_place *at, const struct plan_op *o)
{
	unsigned int limit = m->lane->sequence ? PROGRAM_MAX_OPS : PLAN_MAX_MIX;
	const struct op *op = op_get(o->call.op);
	const char *why = plan_op_missing(m->plan, o->call.op);
	char what[64];

	if (why) {
		snprintf(what, sizeof(what), "op %s", op->name);
		return plan_skip(m->plan, what, "%s", why);
	}
	if (m->lane->nops == limit)
		return job_wrong_at(m->job, at, "more than %u ops in a lane", limit);
	m->lane->op[m->lane->nops++] = *o;
	return 0;
}

static int check_suits(struct mix *m, const struct job_place *at, const struct plan_op *o)
{
	const struct op *op = op_get(o->call.op);
	unsigned int nargs = op_nargs(op);
	bool fixed = false;

	for (unsigned int i = 0; i < nargs; i++) {
		const struct slot_spec *s;

		if (op->args[i].kind != ARG_SLOT || !(o->fixed >> i & 1))
			continue;
		if (o->call.arg[i] >= m->plan->nslots)
			return job_wrong_at(m->job, at, "there is no slot %u", o->call.arg[i]);
		s = &m->plan->slot[o->call.arg[i]];
		if (!(op->backings >> s->backing & 1))
			return job_wrong_at(m->job, at, "%s cannot act on slot %s: it is %s",
				op->name, s->name, backing_name(s->backing));
		fixed = true;
	}
	if (!fixed && !suits_section(m, op))
		return job_wrong_at(m->job, at, "%s can act on none of the slots of [lane %s]",
			op->name, m->section->name);
	return 0;
}

/* The number of an op, or an error. */
static int op_number(struct mix *m, const struct job_place *at, const char *name)
{
	struct op_call c;
	char err[256];
	uint32_t given;

	if (program_parse_op(name, NULL, 0, &c, &given, err, sizeof(err)) < 0)
		return job_wrong_at(m->job, at, "%s", err);
	return c.op;
}

static int take_weight(struct mix *m, const struct job_place *at, const char *text, uint32_t *ret)
{
	uint64_t v;

	if (number_parse(text, &v) < 0 || v > 1000000)
		return job_wrong_at(
			m->job, at, "weight \"%.40s\" is not a number up to 1000000", text);
	*ret = (uint32_t)v;
	return 0;
}

/* -PREFIX*: all ops whose names begin so. */
static int except_family(struct mix *m, const struct job_place *at, const char *pattern)
{
	size_t len = strlen(pattern) - 1;
	bool any = false;

	for (unsigned int n = 0; n < OP_NUMBERS; n++) {
		const struct op *op = op_get(n);

		if (!op || strncmp(op->name, pattern, len) != 0)
			continue;
		m->except[n] = any = true;
	}
	m->except_place = at;
	return any ? 0 : job_wrong_at(m->job, at, "no op's name begins as in %s", pattern);
}

/* default, -NAME, -PREFIX* or NAME[:WEIGHT]. */
static int take_ops_word(struct mix *m, const struct job_place *at, char *word)
{
	char *weight = line_cut(word, ':');
	struct plan_op o = {0};
	int n;

	if (strcmp(word, "default") == 0 && !weight) {
		m->all = true;
		return 0;
	}
	if (*word == '-' && word[strlen(word) - 1] == '*' && !weight)
		return except_family(m, at, word + 1);
	n = op_number(m, at, word + (*word == '-'));
	if (n < 0)
		return n;
	if (m->named[n] || m->except[n])
		return job_wrong_at(
			m->job, at, "ops names %s twice", op_get((unsigned int)n)->name);
	if (*word == '-') {
		m->except[n] = true;
		m->except_place = at;
		return weight ? job_wrong_at(m->job, at, "%s has a weight and is taken out", word)
			      : 0;
	}
	m->named[n] = true;
	o.call.op = (uint8_t)n;
	o.weight = op_get((unsigned int)n)->weight;
	n = weight ? take_weight(m, at, weight, &o.weight) : 0;
	if (n == 0)
		n = check_suits(m, at, &o);
	return n < 0 ? n : add_op(m, at, &o);
}

static int take_ops(struct mix *m, const struct job_line *line)
{
	char words[LINE_BYTES], *cursor = words, *word;
	int r = 0;

	snprintf(words, sizeof(words), "%s", line->text);
	while (r == 0 && (word = line_word(&cursor, ",")))
		r = take_ops_word(m, &line->place, word);
	return r;
}

/* Takes weight=N out of the words; the rest stays. */
static int cut_weight(struct mix *m, const struct job_place *at, const char *text, char *rest,
	bool *ret_given, uint32_t *ret)
{
	char words[LINE_BYTES], *cursor = words, *word;
	size_t n = 0;

	snprintf(words, sizeof(words), "%s", text);
	*rest = '\0';
	*ret_given = false;
	while ((word = line_word(&cursor, ""))) {
		if (strncmp(word, "weight=", 7) != 0) {
			n += (size_t)snprintf(rest + n, LINE_BYTES - n, "%s%s", n ? " " : "", word);
			continue;
		}
		if (*ret_given)
			return job_wrong_at(m->job, at, "weight is given twice");
		*ret_given = true;
		if (take_weight(m, at, word + 7, ret) < 0)
			return m->job->error;
	}
	return 0;
}

/* NAME ARG=V ... [weight=N], of an `op` or a `do` line. */
static int take_op(struct mix *m, const struct job_line *line)
{
	char rest[LINE_BYTES], err[256], *text = rest;
	struct plan_op o = {0};
	uint32_t weight = 0;
	bool given;
	int r = cut_weight(m, &line->place, line->text, rest, &given, &weight);

	if (r < 0)
		return r;
	if (given && line->kind == JOB_LINE_DO)
		return job_wrong_at(m->job, &line->place, "a fixed sequence has no weights");
	if (program_parse_timing(&text, &o.timing, err, sizeof(err)) < 0)
		return job_wrong_at(m->job, &line->place, "%s", err);
	if ((o.timing.meet || o.timing.delay_ns) && line->kind != JOB_LINE_DO)
		return job_wrong_at(
			m->job, &line->place, "only a line of a fixed sequence has a timing");
	m->lane->timed |= o.timing.meet || o.timing.delay_ns;
	if (program_parse_op(
		    text, m->plan->slot, m->plan->nslots, &o.call, &o.fixed, err, sizeof(err)) < 0)
		return job_wrong_at(m->job, &line->place, "%s", err);
	o.weight = given ? weight : op_get(o.call.op)->weight;
	m->named[o.call.op] = true;
	r = check_suits(m, &line->place, &o);
	return r < 0 ? r : add_op(m, &line->place, &o);
}

/*
 * Every op that suits and that the lane does not name otherwise, but `null`, which does nothing
 * to a kernel.
 */
static int take_default(struct mix *m)
{
	for (unsigned int i = 0; i < OP_NUMBERS; i++) {
		const struct op *op = op_get(i);
		struct plan_op o = {.call.op = (uint8_t)i};
		int r;

		if (!op || m->named[i] || m->except[i] || strcmp(op->name, "null") == 0 ||
			!suits_section(m, op))
			continue;
		o.weight = op->weight;
		r = add_op(m, &m->section->place, &o);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_weights(struct mix *m, unsigned int nskips)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < m->lane->nops; i++)
		sum += m->lane->op[i].weight;
	/* What was skipped may have had the weight. */
	if (!sum && !m->lane->sequence && m->plan->nskips == nskips && m->lane->nops)
		return job_wrong_at(m->job, &m->section->place,
			"[lane %s]: no op has a weight above 0", m->section->name);
	return 0;
}

static int check_lines(struct mix *m)
{
	const struct job_lane *l = m->section;
	const struct job_place *depth = job_key_place(l->at, "lane", "depth", NULL);
	bool mixed = false;

	for (unsigned int i = 0; i < l->nlines; i++) {
		m->lane->sequence |= l->line[i].kind == JOB_LINE_DO;
		mixed |= l->line[i].kind != JOB_LINE_DO;
		if (m->lane->sequence && mixed)
			return job_wrong_at(m->job, &l->line[i].place,
				"a lane has a mix (ops, op) or a fixed sequence (do)");
	}
	if (m->lane->sequence && depth)
		return job_wrong_at(
			m->job, depth, "depth belongs to a mix; a fixed sequence has its own");
	m->all = l->nlines == 0;
	return 0;
}

static int make_ops(struct mix *m)
{
	unsigned int nskips = m->plan->nskips;
	int r = check_lines(m);

	for (unsigned int i = 0; r == 0 && i < m->section->nlines; i++) {
		const struct job_line *line = &m->section->line[i];

		r = line->kind == JOB_LINE_OPS ? take_ops(m, line) : take_op(m, line);
	}
	if (r == 0 && m->except_place && !m->all)
		return job_wrong_at(m->job, m->except_place,
			"an op is taken out of `default`, which the lane does not have");
	if (r == 0 && m->all)
		r = take_default(m);
	return r < 0 ? r : check_weights(m, nskips);
}

/* Without the right to it the lane does not run at all: as an ordinary one it would only be in the way. */
static int check_preempt(struct mix *m)
{
	const char *why = caps_missing(CAP_HAS_FIFO);
	char what[64];

	if (!why)
		return 0;
	m->lane->nops = 0;
	snprintf(what, sizeof(what), "lane %s", m->section->name);
	return plan_skip(m->plan, what, "%s", why);
}

/* The lane that all lanes of a section are copies of. */
static int make_template(
	struct plan *p, struct job *j, const struct job_lane *l, struct plan_lane *t)
{
	struct mix *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	*m = (struct mix){.job = j, .plan = p, .section = l, .lane = t};
	t->depth = l->depth;
	t->max_offset_ns = (uint32_t)l->offset_ns;
	t->preempt = l->preempt;
	r = lane_slots(j, l, &t->slots);
	if (r == 0)
		r = make_ops(m);
	if (r == 0 && t->preempt)
		r = check_preempt(m);
	if (r == 0 && l->processes && job_key_place(l->at, "lane", "process", NULL))
		r = job_wrong_at(j, job_key_place(l->at, "lane", "processes", NULL),
			"process and processes exclude each other");
	free(m);
	return r;
}

/* ---- CPUs ---- */

int plan_pick_cpu(const struct machine *m, const bool *may, unsigned int *use)
{
	int best = -1;

	for (int i = 0; i < m->ncpus; i++)
		if ((!may || may[i]) && (best < 0 || use[i] < use[best]))
			best = i;
	if (best < 0)
		return -1;
	use[best]++;
	return m->cpu[best];
}

static unsigned int mark_node(const struct machine *m, int node, bool *may)
{
	unsigned int n = 0;

	for (int i = 0; i < m->ncpus; i++) {
		may[i] = m->cpu_node[i] == node;
		n += may[i];
	}
	return n;
}

/* The node with the fewest lanes so far, of those that have CPUs for us: all lanes of a job count, not only its section's. */
static void mark_even(const struct machine *m, const unsigned int *use, bool *may)
{
	unsigned int fewest = UINT_MAX;
	int best = -1;

	for (int i = 0; i < m->nnodes; i++) {
		unsigned int lanes = 0;

		if (!mark_node(m, m->node[i].id, may))
			continue;
		for (int k = 0; k < m->ncpus; k++)
			lanes += may[k] ? use[k] : 0;
		if (lanes < fewest) {
			fewest = lanes;
			best = m->node[i].id;
		}
	}
	if (best < 0)
		memset(may, 1, (size_t)m->ncpus * sizeof(*may));
	else
		mark_node(m, best, may);
}

/* ---- CPUs relative to another lane's ---- */

enum relation { SAME, SMT, NEAR, FAR, RELATIONS };
static const struct {
	const char *prefix, *why;
} relations[RELATIONS] = {
	[SAME] = {"same:", "the other lane is in another crew or not pinned"},
	[SMT] = {"smt:", "no other hardware thread of that lane's core"},
	[NEAR] = {"near:", "no other core on that lane's node"},
	[FAR] = {"far:", "no CPU on another node than that lane's"},
};

/* LANE of "same:LANE" and the like, or NULL. */
static const char *relation_of(const char *cpus, enum relation *ret)
{
	for (int i = 0; i < RELATIONS; i++)
		if (strncmp(cpus, relations[i].prefix, strlen(relations[i].prefix)) == 0) {
			*ret = (enum relation)i;
			return cpus + strlen(relations[i].prefix);
		}
	return NULL;
}

static int core_at(const struct machine *m, int i)
{
	return m->cpu_core ? m->cpu_core[i] : m->cpu[i];
}

static bool is_related(const struct machine *m, enum relation r, int i, int other)
{
	bool core = core_at(m, i) == core_at(m, other), node = m->cpu_node[i] == m->cpu_node[other];

	switch (r) {
	case SAME:
		return i == other;
	case SMT:
		return core && i != other;
	case NEAR:
		return node && !core;
	default:
		return !node;
	}
}

/* Whether a crew's lane is one of a section: named after it, or after it and a number. */
static bool is_of_section(const struct plan_lane *l, const char *section)
{
	size_t n = strlen(section);

	return strncmp(l->name, section, n) == 0 && (l->name[n] == '.' || !l->name[n]);
}

/* Index in m->cpu of the n-th lane of a section in the crew so far, counted round; -1: there is none, or it is not pinned. */
static int cpu_of_section(
	const struct machine *m, const struct plan_crew *c, const char *section, unsigned int n)
{
	int cpu[PROGRAM_MAX_LANES];
	unsigned int found = 0;

	for (unsigned int i = 0; i < c->nlanes; i++)
		if (is_of_section(&c->lane[i], section))
			cpu[found++] = c->lane[i].cpu;
	for (int i = 0; found && i < m->ncpus; i++)
		if (m->cpu[i] == cpu[n % found])
			return i;
	return -1;
}

/* Where none is related, any CPU will do, and the summary says so. */
static int mark_related(struct plan *p, struct job *j, const struct job_lane *l,
	const struct plan_crew *c, unsigned int n, bool *may)
{
	const struct machine *m = j->machine;
	enum relation r = SAME;
	const char *section = relation_of(l->cpus, &r);
	char what[64];
	bool any = false, known = false;
	int other;

	for (const struct job_lane *s = j->lane; s < l; s++)
		known |= strcmp(s->name, section) == 0;
	if (!known)
		return job_wrong_at(j, job_key_place(l->at, "lane", "cpus", &l->place),
			"cpus: no [lane %.40s] stands above this one", section);
	other = cpu_of_section(m, c, section, n);
	for (int i = 0; i < m->ncpus; i++)
		any |= may[i] = other >= 0 && is_related(m, r, i, other);
	if (any)
		return 0;
	memset(may, 1, (size_t)m->ncpus * sizeof(*may));
	snprintf(what, sizeof(what), "placement of lane %s", l->name);
	return plan_skip(p, what, "%s; it runs on any CPU", relations[r].why);
}

static int mark_list(struct job *j, const struct job_place *at, const char *list, bool *may)
{
	const struct machine *m = j->machine;
	_cleanup_free_ bool *set = calloc(MACHINE_MAX_CPUS, sizeof(*set));
	bool any = false;

	if (!set)
		return -ENOMEM;
	if (number_parse_list(list, set, MACHINE_MAX_CPUS) < 0)
		return job_wrong_at(j, at,
			"cpus: \"%.40s\" is none of any, none, node:N, node:even, same:LANE, "
			"smt:LANE, near:LANE, far:LANE or a list as in 0-3,7",
			list);
	for (int i = 0; i < m->ncpus; i++)
		any |= may[i] = m->cpu[i] < MACHINE_MAX_CPUS && set[m->cpu[i]];
	return any ? 0 : job_wrong_at(j, at, "cpus: none of %.40s may be used here", list);
}

static int mark_one_node(
	struct plan *p, struct job *j, const struct job_lane *l, const char *node, bool *may)
{
	const struct machine *m = j->machine;
	char what[64];
	uint64_t v;

	if (number_parse(node, &v) < 0 || v >= MACHINE_MAX_NODES)
		return job_wrong_at(j, job_key_place(l->at, "lane", "cpus", &l->place),
			"cpus: \"node:%.40s\" is neither node:N nor node:even", node);
	if (mark_node(m, (int)v, may))
		return 0;
	memset(may, 1, (size_t)m->ncpus * sizeof(*may));
	snprintf(what, sizeof(what), "placement of lane %s", l->name);
	return plan_skip(p, what, "node %d has no CPUs for us; it runs on any CPU", (int)v);
}

/* CPU of a section's next lane, its n-th in the crew. */
static int choose_cpu(struct plan *p, struct job *j, const struct job_lane *l,
	const struct plan_crew *c, unsigned int n, unsigned int *use, int *ret)
{
	enum relation relation;
	const struct job_place *at = job_key_place(l->at, "lane", "cpus", &l->place);
	static bool may[MACHINE_MAX_CPUS];
	int r = 0;

	*ret = -1;
	if (l->cpus && strcmp(l->cpus, "none") == 0)
		return 0;
	memset(may, 1, sizeof(may));
	if (l->cpus && strcmp(l->cpus, "node:even") == 0)
		mark_even(j->machine, use, may);
	else if (l->cpus && strncmp(l->cpus, "node:", 5) == 0)
		r = mark_one_node(p, j, l, l->cpus + 5, may);
	else if (l->cpus && relation_of(l->cpus, &relation))
		r = mark_related(p, j, l, c, n, may);
	else if (l->cpus && strcmp(l->cpus, "any") != 0)
		r = mark_list(j, at, l->cpus, may);
	if (r == 0)
		*ret = plan_pick_cpu(j->machine, may, use);
	return r;
}

/* ---- crews ---- */

/* A job's lanes are dealt out to as few crews as hold them; then all that is copied. */
struct deal {
	unsigned int lanes, units, copies;
};

static int make_deal(struct job *j, struct deal *d)
{
	unsigned int cpus = j->machine->ncpus > 0 ? (unsigned int)j->machine->ncpus : 1, most;

	d->lanes = 0;
	for (unsigned int i = 0; i < j->nlanes; i++) {
		d->lanes += j->lane[i].count;
		if (d->lanes > PLAN_MAX_CREWS * PROGRAM_MAX_LANES)
			return job_wrong_at(j,
				job_key_place(j->lane[i].at, "lane", "count", &j->lane[i].place),
				"more than %d lanes", PLAN_MAX_CREWS * PROGRAM_MAX_LANES);
	}
	d->units = (d->lanes + PROGRAM_MAX_LANES - 1) / PROGRAM_MAX_LANES;
	most = PLAN_MAX_CREWS / d->units;
	d->copies = j->global.crews;
	if (d->copies > most)
		return job_wrong_at(j, job_key_place(j->global.at, "global", "crews", NULL),
			"%u crews of %u lanes are more than %d lanes", d->copies, d->lanes,
			PLAN_MAX_CREWS * PROGRAM_MAX_LANES);
	if (!d->copies)
		d->copies = cpus / d->lanes < most ? cpus / d->lanes : most;
	d->copies += !d->copies;
	return 0;
}

static void name_lane(struct plan_lane *l, const struct job_lane *section, unsigned int n)
{
	if (section->count > 1)
		snprintf(l->name, sizeof(l->name), "%s.%u", section->name, n);
	else
		snprintf(l->name, sizeof(l->name), "%s", section->name);
}

/* Fills one crew: every lane of the job whose turn is `unit`. */
static int fill_crew(struct plan *p, struct job *j, const struct plan_lane *templates,
	const struct deal *d, unsigned int unit, unsigned int *use, struct plan_crew *c)
{
	unsigned int turn = 0;

	for (unsigned int i = 0; i < j->nlanes; i++) {
		const struct job_lane *s = &j->lane[i];
		unsigned int here = 0; /* lanes of this section in this crew so far */

		for (unsigned int n = 0; n < s->count; n++, turn++) {
			struct plan_lane *l = &c->lane[c->nlanes];
			int r;

			if (turn % d->units != unit)
				continue;
			*l = templates[i];
			name_lane(l, s, n);
			l->proc = (uint8_t)(s->processes ? here % s->processes : s->process);
			r = choose_cpu(p, j, s, c, here++, use, &l->cpu);
			if (r < 0)
				return r;
			if (l->proc >= c->nprocs)
				c->nprocs = l->proc + 1U;
			c->nlanes++;
		}
	}
	return 0;
}

static int deal_out(
	struct plan *p, struct job *j, const struct plan_lane *templates, const struct deal *d)
{
	_cleanup_free_ unsigned int *use = calloc(MACHINE_MAX_CPUS, sizeof(*use));

	p->crew = calloc(d->units * d->copies, sizeof(*p->crew));
	if (!p->crew || !use)
		return -ENOMEM;
	for (unsigned int i = 0; i < d->units * d->copies; i++) {
		int r = fill_crew(p, j, templates, d, i % d->units, use, &p->crew[i]);

		if (r < 0)
			return r;
		p->ncrews++;
	}
	return 0;
}

int plan_make_crews(struct plan *p, struct job *j)
{
	_cleanup_free_ struct plan_lane *templates = calloc(j->nlanes, sizeof(*templates));
	struct deal d = {0};
	int r = templates ? make_deal(j, &d) : -ENOMEM;

	for (unsigned int i = 0; r == 0 && i < j->nlanes; i++)
		r = make_template(p, j, &j->lane[i], &templates[i]);
	return r < 0 ? r : deal_out(p, j, templates, &d);
}
