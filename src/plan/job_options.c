/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one option table of job files: the parser, its messages and docs/jobs.md come from it. */
#include "job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plan/line.h"
#include "plan/number.h"
#include "plan/suggest.h"

enum { WORDS_MAX = 8192 };

/* ---- values ---- */

static int take_number(
	struct job *j, const char *key, const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v;

	if (number_parse(text, &v) < 0)
		return job_wrong(j, "%s: \"%.40s\" is not a number", key, text);
	if (v < min || v > max)
		return job_wrong(
			j, "%s: %.40s is not within %" PRIu64 " and %" PRIu64, key, text, min, max);
	*ret = v;
	return 0;
}

static int take_time(struct job *j, const char *key, const char *text, uint64_t unit, uint64_t *ret)
{
	if (number_parse_time(text, unit, ret) < 0)
		return job_wrong(
			j, "%s: \"%.40s\" is not a time, as in 90s, 12h or 20us", key, text);
	return 0;
}

static int take_size(struct job *j, const char *key, const char *text, uint64_t *ret)
{
	if (number_parse_size(text, ret) < 0)
		return job_wrong(j, "%s: \"%.40s\" is not a size, as in 64k, 16M or 1G", key, text);
	return 0;
}

/* A size that may be counted in pmd or huge (pages); those two give the count. */
static int take_slot_size(
	struct job *j, const char *key, const char *text, uint64_t *ret, enum job_unit *ret_unit)
{
	static const struct {
		const char *name;
		enum job_unit unit;
	} units[] = {{"pmd", JOB_PMDS}, {"huge", JOB_HUGE_PAGES}};
	size_t digits = strspn(text, "0123456789");

	for (size_t i = 0; i < 2; i++) {
		char number[24];

		if (!digits || digits >= sizeof(number) ||
			strcmp(text + digits, units[i].name) != 0)
			continue;
		memcpy(number, text, digits);
		number[digits] = '\0';
		*ret_unit = units[i].unit;
		return take_number(j, key, number, 1, 1 << 20, ret);
	}
	*ret_unit = JOB_BYTES;
	if (number_parse_size(text, ret) < 0)
		return job_wrong(
			j, "%s: \"%.40s\" is not a size, as in 16M, 1G, 8pmd or 8huge", key, text);
	return 0;
}

static int take_bool(struct job *j, const char *key, const char *text, uint8_t *ret)
{
	static const char *const words[] = {"0", "1", "no", "yes", "off", "on", "false", "true"};

	for (unsigned int i = 0; i < 8; i++)
		if (strcmp(text, words[i]) == 0) {
			*ret = i & 1;
			return 0;
		}
	return job_wrong(j, "%s: \"%.40s\" is neither yes nor no", key, text);
}

/* ---- [global] ---- */

static int set_timeout(struct job *j, void *section, const char *value)
{
	return take_time(
		j, "timeout", value, 1000000000, &((struct job_global *)section)->timeout_ns);
}

static int set_rounds(struct job *j, void *section, const char *value)
{
	return take_number(
		j, "rounds", value, 1, UINT64_MAX, &((struct job_global *)section)->rounds);
}

static int set_seed(struct job *j, void *section, const char *value)
{
	return take_number(j, "seed", value, 1, UINT64_MAX, &((struct job_global *)section)->seed);
}

static int set_memory(struct job *j, void *section, const char *value)
{
	struct job_global *g = section;
	size_t len = strlen(value);
	char number[8];
	uint64_t v;
	int r;

	if (value[len - 1] != '%') {
		r = take_size(j, "memory", value, &g->memory);
		return r == 0 && !g->memory ? job_wrong(j, "memory: 0 is no memory") : r;
	}
	if (len > 4)
		return job_wrong(j, "memory: \"%.40s\" is not within 1%% and 100%%", value);
	memcpy(number, value, len - 1);
	number[len - 1] = '\0';
	if (number_parse(number, &v) < 0 || v < 1 || v > 100)
		return job_wrong(j, "memory: \"%.40s\" is not within 1%% and 100%%", value);
	g->memory_percent = (uint32_t)v;
	return 0;
}

static int set_epoch(struct job *j, void *section, const char *value)
{
	uint64_t v = 0;
	int r = take_number(j, "epoch", value, 1, 1000000, &v);

	((struct job_global *)section)->epoch = (uint32_t)v;
	return r;
}

static int set_meet(struct job *j, void *section, const char *value)
{
	size_t len = strlen(value);
	char number[8];
	uint64_t v;

	if (len < 2 || len > 4 || value[len - 1] != '%')
		return job_wrong(j, "meet: \"%.40s\" is not within 0%% and 100%%", value);
	memcpy(number, value, len - 1);
	number[len - 1] = '\0';
	if (number_parse(number, &v) < 0 || v > 100)
		return job_wrong(j, "meet: \"%.40s\" is not within 0%% and 100%%", value);
	((struct job_global *)section)->meet_percent = (uint32_t)v;
	return 0;
}

static int set_learned(struct job *j, void *section, const char *value)
{
	struct job_global *g = section;

	if (strlen(value) >= sizeof(g->learned))
		return job_wrong(j, "learned: longer than %zu bytes", sizeof(g->learned) - 1);
	strcpy(g->learned, value);
	return 0;
}

static int set_stall(struct job *j, void *section, const char *value)
{
	struct job_global *g = section;
	int r = take_time(j, "stall", value, 1000000000, &g->stall_ns);

	if (r == 0 && g->stall_ns < 1000000000)
		return job_wrong(j, "stall: less than 1s is no stall");
	return r;
}

static int set_crews(struct job *j, void *section, const char *value)
{
	uint64_t v = 0;
	int r = 0;

	if (strcmp(value, "auto") != 0)
		r = take_number(j, "crews", value, 1, PLAN_MAX_CREWS, &v);
	((struct job_global *)section)->crews = (unsigned int)v;
	return r;
}

/* SIZE:PAGES[/node] or SIZE:auto. */
static int take_pool(struct job *j, struct job_global *g, char *word)
{
	char *count = line_cut(word, ':'), *node = count ? line_cut(count, '/') : NULL;
	struct job_pool pool = {0};
	int r;

	if (!count)
		return job_wrong(j,
			"hugepages: \"%.40s\" is not SIZE:PAGES, as in 2M:32, 2M:16/node or "
			"2M:auto",
			word);
	if (g->npools == PLAN_MAX_POOLS)
		return job_wrong(j, "hugepages: more than %d pools", PLAN_MAX_POOLS);
	r = take_size(j, "hugepages", word, &pool.size);
	if (r == 0 && (!pool.size || (pool.size & (pool.size - 1))))
		return job_wrong(j, "hugepages: %s is not a power of two", word);
	for (unsigned int i = 0; r == 0 && i < g->npools; i++)
		if (g->pool[i].size == pool.size)
			return job_wrong(j, "hugepages: a second pool of %s", word);
	if (node && strcmp(node, "node") != 0)
		return job_wrong(j, "hugepages: \"/%.40s\" is not /node", node);
	pool.automatic = strcmp(count, "auto") == 0;
	pool.per_node = node || pool.automatic;
	if (r == 0 && !pool.automatic)
		r = take_number(j, "hugepages", count, 1, 1 << 24, &pool.pages);
	if (r == 0)
		g->pool[g->npools++] = pool;
	return r;
}

static int set_hugepages(struct job *j, void *section, const char *value)
{
	char words[WORDS_MAX], *cursor = words, *word;
	int r = 0;

	snprintf(words, sizeof(words), "%s", value);
	while (r == 0 && (word = line_word(&cursor, ",")))
		r = take_pool(j, section, word);
	return r;
}

static int set_knob(struct job *j, void *section, const char *value)
{
	char words[WORDS_MAX], *cursor = words, *path, *text;
	struct job_global *g = section;
	struct plan_knob *k = &g->knob[g->nknobs];

	snprintf(words, sizeof(words), "%s", value);
	path = line_word(&cursor, "");
	text = cursor + strspn(cursor, " \t");
	if (!path || !*text)
		return job_wrong(j, "knob: PATH VALUE is expected");
	if ((strncmp(path, "/sys/", 5) != 0 && strncmp(path, "/proc/sys/", 10) != 0) ||
		strstr(path, ".."))
		return job_wrong(j, "knob: %.100s is not below /sys or /proc/sys", path);
	if (strlen(path) >= sizeof(k->path) || strlen(text) >= sizeof(k->value))
		return job_wrong(j, "knob: path or value is too long");
	for (unsigned int i = 0; i < g->nknobs; i++)
		if (strcmp(g->knob[i].path, path) == 0)
			return job_wrong(j, "knob: %s is set twice", path);
	if (g->nknobs == PLAN_MAX_KNOBS)
		return job_wrong(j, "knob: more than %d", PLAN_MAX_KNOBS);
	strcpy(k->path, path);
	strcpy(k->value, text);
	g->nknobs++;
	return 0;
}

/* Index of a word in a NULL-terminated list, or an error. */
static int take_listed(struct job *j, const char *key, const char *word, const char *const *list)
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;

	suggest_start(&s, word);
	for (int i = 0; list[i]; i++) {
		if (strcmp(list[i], word) == 0)
			return i;
		suggest_try(&s, list[i]);
	}
	return job_wrong(j, "%s: there is no \"%.40s\"%s", key, word, suggest_text(&s, hint));
}

static int set_oracles(struct job *j, void *section, const char *value)
{
	const char *const *names = j->options->oracle_names;
	char words[WORDS_MAX], *cursor = words, *word;
	uint64_t mask = 0;

	snprintf(words, sizeof(words), "%s", value);
	if (value[0] == '-')
		mask = UINT64_MAX;
	while ((word = line_word(&cursor, ","))) {
		bool out = *word == '-';
		int i;

		if (strcmp(word, "all") == 0) {
			mask = UINT64_MAX;
			continue;
		}
		i = names ? take_listed(j, "oracles", word + out, names) : 0;
		if (i < 0)
			return i;
		mask = out ? mask & ~(1ULL << i) : mask | 1ULL << i;
	}
	((struct job_global *)section)->oracles = names ? mask : UINT64_MAX;
	return 0;
}

static int set_inject(struct job *j, void *section, const char *value)
{
	const char *const *names = j->options->inject_names;
	struct job_global *g = section;

	if (names && take_listed(j, "inject", value, names) < 0)
		return j->error;
	if (strlen(value) >= sizeof(g->inject))
		return job_wrong(j, "inject: there is no \"%.40s\"", value);
	strcpy(g->inject, value);
	return 0;
}

static int set_rest(struct job *j, void *section, const char *value)
{
	return take_time(j, "rest", value, 1000000000, &((struct job_global *)section)->rest_ns);
}

/* FILE [weight=N] */
static int set_turn(struct job *j, void *section, const char *value)
{
	char words[WORDS_MAX], path[4096], *cursor = words, *file, *word;
	struct job_global *g = section;
	uint64_t weight = 1;
	int r;

	snprintf(words, sizeof(words), "%s", value);
	file = line_word(&cursor, "");
	word = line_word(&cursor, "");
	if (!file || line_word(&cursor, "") || (word && strncmp(word, "weight=", 7) != 0))
		return job_wrong(j, "turn: FILE or FILE weight=N is expected");
	r = word ? take_number(j, "weight", word + 7, 1, PLAN_MAX_TURN_WEIGHT, &weight) : 0;
	if (r == 0 && g->nturns == PLAN_MAX_TURNS)
		r = job_wrong(j, "turn: more than %d", PLAN_MAX_TURNS);
	if (r == 0)
		r = job_path(j, file, path, sizeof(path));
	if (r < 0)
		return r;
	g->turn[g->nturns].place = j->here;
	g->turn[g->nturns].weight = (uint32_t)weight;
	g->turn[g->nturns++].path = job_keep(j, path);
	return j->error;
}

static int set_slice(struct job *j, void *section, const char *value)
{
	struct job_global *g = section;
	int r = take_time(j, "slice", value, 1000000000, &g->slice_ns);

	if (r == 0 && g->slice_ns < 1000000000)
		return job_wrong(j, "slice: less than 1s is too short for a turn");
	return r;
}

/* `include` is taken by the reader wherever it stands. */
static int set_include(struct job *j, void *section, const char *value)
{
	(void)section;
	return job_wrong(j, "include %.40s: not here", value);
}

/* ---- [slot NAME] ---- */

static int set_backing(struct job *j, void *section, const char *value)
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;
	int b = backing_find(value);

	if (b >= 0) {
		((struct job_slot *)section)->spec.backing = (uint8_t)b;
		return 0;
	}
	suggest_start(&s, value);
	for (unsigned int i = 0; i < BACKING_COUNT; i++)
		suggest_try(&s, backing_name(i));
	return job_wrong(j, "backing: there is no \"%.40s\"%s", value, suggest_text(&s, hint));
}

static int set_size(struct job *j, void *section, const char *value)
{
	struct job_slot *s = section;

	return take_slot_size(j, "size", value, &s->spec.size, &s->size_unit);
}

static int set_huge(struct job *j, void *section, const char *value)
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;
	int h = slot_huge_find(value);

	if (h >= 0) {
		((struct job_slot *)section)->spec.huge = (uint8_t)h;
		return 0;
	}
	suggest_start(&s, value);
	for (unsigned int i = 0; i < SLOT_HUGE_COUNT; i++)
		suggest_try(&s, slot_huge_name(i));
	return job_wrong(j, "huge: there is no \"%.40s\"%s", value, suggest_text(&s, hint));
}

static int set_maps(struct job *j, void *section, const char *value)
{
	uint64_t v = 1;
	int r = take_number(j, "maps", value, 1, SLOT_MAX_VIEWS, &v);

	((struct job_slot *)section)->spec.maps = (uint8_t)v;
	return r;
}

static int set_shift(struct job *j, void *section, const char *value)
{
	uint64_t v = 0;
	int r = take_number(j, "shift", value, 0, UINT32_MAX, &v);

	((struct job_slot *)section)->spec.shift = (uint32_t)v;
	return r;
}

static int set_huge_size(struct job *j, void *section, const char *value)
{
	return take_size(j, "huge_size", value, &((struct job_slot *)section)->spec.huge_size);
}

static int set_align(struct job *j, void *section, const char *value)
{
	struct job_slot *s = section;

	return take_slot_size(j, "align", value, &s->spec.align, &s->align_unit);
}

static int set_noreserve(struct job *j, void *section, const char *value)
{
	return take_bool(j, "noreserve", value, &((struct job_slot *)section)->spec.noreserve);
}

/* ---- [lane NAME] ---- */

/* N, cpus, cpus/N or cpus*N. */
static int set_count(struct job *j, void *section, const char *value)
{
	uint64_t v = 0, n = 1, cpus = j->machine->ncpus > 0 ? (uint64_t)j->machine->ncpus : 1;
	struct job_lane *l = section;
	int r = 0;

	if (strncmp(value, "cpus", 4) != 0) {
		r = take_number(j, "count", value, 1, PLAN_MAX_CREWS * PROGRAM_MAX_LANES, &v);
		l->count = (unsigned int)v;
		return r;
	}
	if (value[4] && (strspn(value + 4, "/*") != 1 || number_parse(value + 5, &n) < 0 || n < 1 ||
				n > 64))
		return job_wrong(j,
			"count: \"%.40s\" is neither a number nor cpus, cpus/N or cpus*N", value);
	v = value[4] == '/' ? cpus / n : cpus * n;
	if (v > PLAN_MAX_CREWS * PROGRAM_MAX_LANES)
		v = PLAN_MAX_CREWS * PROGRAM_MAX_LANES;
	l->count = v ? (unsigned int)v : 1;
	return 0;
}

static int set_process(struct job *j, void *section, const char *value)
{
	uint64_t v = 0;
	int r = take_number(j, "process", value, 0, PROGRAM_MAX_PROCS - 1, &v);

	((struct job_lane *)section)->process = (unsigned int)v;
	return r;
}

static int set_processes(struct job *j, void *section, const char *value)
{
	uint64_t v = 0;
	int r = take_number(j, "processes", value, 1, PROGRAM_MAX_PROCS, &v);

	((struct job_lane *)section)->processes = (unsigned int)v;
	return r;
}

static int set_cpus(struct job *j, void *section, const char *value)
{
	((struct job_lane *)section)->cpus = job_keep(j, value);
	return j->error;
}

static int set_preempt(struct job *j, void *section, const char *value)
{
	return take_bool(j, "preempt", value, &((struct job_lane *)section)->preempt);
}

static int set_slots(struct job *j, void *section, const char *value)
{
	((struct job_lane *)section)->slots = job_keep(j, value);
	return j->error;
}

static int set_depth(struct job *j, void *section, const char *value)
{
	uint64_t v = 1;
	int r = take_number(j, "depth", value, 1, PROGRAM_MAX_OPS, &v);

	((struct job_lane *)section)->depth = (unsigned int)v;
	return r;
}

static int set_offset(struct job *j, void *section, const char *value)
{
	struct job_lane *l = section;
	int r = take_time(j, "offset", value, 1, &l->offset_ns);

	if (r == 0 && l->offset_ns > PROGRAM_MAX_OFFSET_NS)
		return job_wrong(j, "offset: more than %dus", PROGRAM_MAX_OFFSET_NS / 1000);
	return r;
}

static int add_line(struct job *j, struct job_lane *l, enum job_line_kind kind, const char *value)
{
	if (l->nlines == JOB_MAX_LINES)
		return job_wrong(j, "more than %d lines of ops in a lane", JOB_MAX_LINES);
	l->line[l->nlines] = (struct job_line){kind, j->here, job_keep(j, value)};
	l->nlines++;
	return j->error;
}

static int set_ops(struct job *j, void *section, const char *value)
{
	return add_line(j, section, JOB_LINE_OPS, value);
}

static int set_op(struct job *j, void *section, const char *value)
{
	return add_line(j, section, JOB_LINE_OP, value);
}

static int set_do(struct job *j, void *section, const char *value)
{
	return add_line(j, section, JOB_LINE_DO, value);
}

/* ---- the table ---- */

#define G "global"
#define S "slot"
#define L "lane"

const struct job_option job_options[] = {
	{G, "timeout", "TIME", "60s, none with rounds", "how long the run lasts", false,
		set_timeout},
	{G, "rounds", "N", "no limit", "the run ends after so many rounds of every crew", false,
		set_rounds},
	{G, "seed", "N", "a fresh one, printed", "where all chance comes from", false, set_seed},
	{G, "memory", "SIZE or N%", "25%",
		"most that all slots and the pools asked for may take; N% is of what is available",
		false, set_memory},
	{G, "epoch", "N", "64", "rounds between two renewals of all slots", false, set_epoch},
	{G, "meet", "N%", "50%",
		"rounds in which lanes wait for each other before an op and aim at each other's "
		"ops; "
		"the others run theirs back to back",
		false, set_meet},
	{G, "rest", "TIME", "a sixth of the timeout, 5s to 30s",
		"between two rests: all crews wait with nothing mapped while the kernel's counters "
		"are compared; 0: only at the end",
		false, set_rest},
	{G, "learned", "FILE", "none",
		"learned.json of an earlier run: a part of the aims is drawn where outcomes "
		"changed then",
		false, set_learned},
	{G, "stall", "TIME", "60s", "a lane longer in one op is stuck", false, set_stall},
	{G, "hugepages", "SIZE:N, SIZE:N/node or SIZE:auto ...", "the pools as they are",
		"huge pages wanted in the pools: of the machine, of each node with memory, or "
		"twice what the slots need on each node",
		false, set_hugepages},
	{G, "knob", "PATH VALUE", "none",
		"a file of /sys or /proc/sys set for the run and restored after it (root)", true,
		set_knob},
	{G, "oracles", "all, NAME ... or -NAME ...", "all",
		"the judges: those named, or all but those with a minus", false, set_oracles},
	{G, "inject", "NAME", "none", "plants what an oracle looks for: the run must fail", false,
		set_inject},
	{G, "crews", "auto or N", "auto",
		"copies of the whole set of lanes and slots; auto: as many as there are CPUs for",
		false, set_crews},
	{G, "turn", "FILE [weight=N]", "none",
		"a job that takes turns with the others named so, with as many slices of a cycle "
		"as "
		"its weight (1 to 16) says; this job has no slots and lanes of its own then",
		true, set_turn},
	{G, "slice", "TIME", "10s", "how long a turn lasts", false, set_slice},
	{G, "include", "FILE", "none",
		"reads another job file here, in any section; its path is relative to this file's",
		true, set_include},

	{S, "backing", "a backing", "must be given", "what the slot is made of", false,
		set_backing},
	{S, "size", "SIZE, Npmd or Nhuge", "4pmd; hugetlb: 8huge",
		"bytes, PMD sizes or huge pages; whole PMDs (hugetlb: huge pages)", false,
		set_size},
	{S, "huge", "always, within_size, advise or never", "always",
		"tmpfs: the mount's huge=; else what madvise asks for", false, set_huge},
	{S, "maps", "1 to 4", "1", "mappings of the object in each process", false, set_maps},
	{S, "shift", "N", "0", "mapping i lies i x N pages (hugetlb: huge pages) off its alignment",
		false, set_shift},
	{S, "huge_size", "SIZE", "the PMD size, if there is a pool",
		"hugetlb: size of the huge pages", false, set_huge_size},
	{S, "align", "SIZE, Npmd or Nhuge", "the PMD size or huge_size",
		"alignment of the first mapping; 1G shares hugetlb PMD tables", false, set_align},
	{S, "noreserve", "yes or no", "no", "MAP_NORESERVE: hugetlb pages are not reserved", false,
		set_noreserve},

	{L, "count", "N, cpus, cpus/N or cpus*N", "1", "how many such lanes", false, set_count},
	{L, "process", "0 to 7", "0", "executor process that they run in", false, set_process},
	{L, "processes", "1 to 8", "process = 0", "spreads them over so many executor processes",
		false, set_processes},
	{L, "cpus",
		"any, none, LIST, node:N, node:even, same:LANE, smt:LANE, near:LANE or far:LANE",
		"any",
		"where they are pinned, the least used CPU first; node:even: on the node with the "
		"fewest lanes; of a lane above: its CPU, another thread of its core, another core "
		"of "
		"its node, another node",
		false, set_cpus},
	{L, "preempt", "yes or no", "no",
		"SCHED_FIFO (root): sleeps until its ops are due and takes the CPU, for as long as "
		"they last, "
		"from the lane that has it",
		false, set_preempt},
	{L, "slots", "all or NAME ...", "all", "slots that they act on", false, set_slots},
	{L, "ops", "NAME[:WEIGHT] ... default -NAME ...", "default",
		"ops drawn by weight; default: every op that is allowed and suits the slots, but "
		"those with a minus (-NAME, or -PREFIX* for a family)",
		true, set_ops},
	{L, "op", "NAME ARG=V ... [weight=N]", "none",
		"one op of the mix with some arguments fixed", true, set_op},
	{L, "do", "NAME ARG=V ...", "none",
		"a fixed sequence, one op a line; arguments not given are drawn each round", true,
		set_do},
	{L, "depth", "1 to 64", "8", "ops of a lane in a round", false, set_depth},
	{L, "offset", "TIME", "50us",
		"latest start after the round's release; the start is log-uniform below it", false,
		set_offset},
	{0},
};

/* ---- looking up ---- */

static const struct job_option *find_option(
	const char *section, const char *key, unsigned int *ret_index)
{
	unsigned int n = 0;

	for (const struct job_option *o = job_options; o->section; o++) {
		if (strcmp(o->section, section) != 0)
			continue;
		if (strcmp(o->key, key) == 0) {
			*ret_index = n;
			return o;
		}
		n++;
	}
	return NULL;
}

static int no_such_key(struct job *j, const char *key)
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;

	suggest_start(&s, key);
	for (const struct job_option *o = job_options; o->section; o++) {
		if (strcmp(o->key, key) == 0)
			return job_wrong(j, "%s belongs in [%s%s], not in [%s%s]", key, o->section,
				strcmp(o->section, G) == 0 ? "" : " NAME", j->section,
				strcmp(j->section, G) == 0 ? "" : " NAME");
		if (strcmp(o->section, j->section) == 0)
			suggest_try(&s, o->key);
	}
	return job_wrong(j, "[%s%s] has no key \"%.40s\"%s", j->section,
		strcmp(j->section, G) == 0 ? "" : " NAME", key, suggest_text(&s, hint));
}

int job_set(struct job *j, const char *key, const char *value)
{
	const struct job_option *o;
	unsigned int index = 0;

	if (!*key)
		return job_wrong(j, "KEY = VALUE is expected");
	if (!j->section)
		return job_wrong(j, "\"%.40s\" stands before any section", key);
	o = find_option(j->section, key, &index);
	if (!o)
		return no_such_key(j, key);
	if (!*value)
		return job_wrong(j, "%s has no value", key);
	if (!o->repeatable && j->current_at[index].line)
		return job_wrong(j, "%s is given twice; the first is at %s:%u", key,
			j->current_at[index].file, j->current_at[index].line);
	if (!j->current_at[index].line)
		j->current_at[index] = j->here;
	return o->set(j, j->current, value);
}

const struct job_place *job_key_place(const struct job_place *at, const char *section,
	const char *key, const struct job_place *otherwise)
{
	unsigned int index;

	if (find_option(section, key, &index) && at[index].line)
		return &at[index];
	return otherwise;
}

/* ---- the docs ---- */

void plan_print_job_keys(FILE *out)
{
	const char *section = "";

	for (const struct job_option *o = job_options; o->section; o++) {
		if (strcmp(o->section, section) != 0)
			fprintf(out,
				"%s### `[%s%s]`\n\n| key | value | without it | meaning |\n| --- | "
				"--- | --- | --- |\n",
				*section ? "\n" : "", o->section,
				strcmp(o->section, G) == 0 ? "" : " NAME");
		section = o->section;
		fprintf(out, "| `%s`%s | %s | %s | %s |\n", o->key,
			o->repeatable ? " (repeatable)" : "", o->value, o->initial, o->help);
	}
}
