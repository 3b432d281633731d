/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/path.h"
#include "credit.h"
#include "functions.h"
#include "plan/number.h"
#include "run.h"

/* What shows something new runs so often more, to see what of it is sure. */
enum { RERUNS = 2, TITLES_KEPT = 64 };
static const uint64_t stats_ns = 1000000000, functions_ns = 20000000000;

static const char help[] =
	"usage: sunder-harness [options] [FILE...]\n"
	"The target of afl-fuzz; by itself it runs FILES, programs as bytes or text (-: standard "
	"input).\n\n"
	"  --layers LIST     of kcov,errno,overlap,state,vmstat,trace, or none (default: all)\n"
	"  --allow CLASS[,CLASS]  as for 'sunder run'\n"
	"  --state DIR       of the ledger; default as for 'sunder run'\n"
	"  --store DIR       of findings (default: findings in the state directory)\n"
	"  --record DIR      each program is on disk there before it runs\n"
	"  --known FILE      titles, one a line, that are no crash\n"
	"  --tmp DIR         for files on a disk (default: /var/tmp)\n"
	"  --limit MS        a program that takes longer is ended (default: 5000)\n"
	"  --stall SECONDS   a lane that long in one op is a finding (default: 20)\n"
	"  --cases N         programs that one set of executors runs (default: 256)\n"
	"  --inject NAME     plants what an oracle looks for in the first program: 'sunder run "
	"--help'\n"
	"  --stats FILE      figures as JSON, renewed each second\n"
	"  --ops             prints the ops that can run here, by commas (for SUNDER_MUTATOR_OPS)\n"
	"  --functions FILE  which places of the functions of mm/ were reached (kcov)\n"
	"  --blind           layers are looked at, but afl-fuzz sees nothing of them\n"
	"  --regions         prints the layers' places in the map as JSON, and ends\n"
	"  --dry             decodes, prints and encodes; executes nothing\n"
	"  --help            this\n\n"
	"See docs/fuzz.md.\n";

enum {
	OPT_LAYERS = 256,
	OPT_ALLOW,
	OPT_STATE,
	OPT_STORE,
	OPT_RECORD,
	OPT_KNOWN,
	OPT_TMP,
	OPT_LIMIT,
	OPT_STALL,
	OPT_CASES,
	OPT_INJECT,
	OPT_STATS,
	OPT_OPS,
	OPT_FUNCTIONS,
	OPT_BLIND,
	OPT_REGIONS,
	OPT_DRY
};

static const struct option options[] = {
	{"layers", required_argument, NULL, OPT_LAYERS},
	{"allow", required_argument, NULL, OPT_ALLOW},
	{"state", required_argument, NULL, OPT_STATE},
	{"store", required_argument, NULL, OPT_STORE},
	{"record", required_argument, NULL, OPT_RECORD},
	{"known", required_argument, NULL, OPT_KNOWN},
	{"tmp", required_argument, NULL, OPT_TMP},
	{"limit", required_argument, NULL, OPT_LIMIT},
	{"stall", required_argument, NULL, OPT_STALL},
	{"cases", required_argument, NULL, OPT_CASES},
	{"inject", required_argument, NULL, OPT_INJECT},
	{"stats", required_argument, NULL, OPT_STATS},
	{"ops", no_argument, NULL, OPT_OPS},
	{"functions", required_argument, NULL, OPT_FUNCTIONS},
	{"blind", no_argument, NULL, OPT_BLIND},
	{"regions", no_argument, NULL, OPT_REGIONS},
	{"dry", no_argument, NULL, OPT_DRY},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* ---- options ---- */

static int parse_layers(const char *list, uint32_t *ret)
{
	char word[32];
	int l;

	*ret = 0;
	while (*list) {
		size_t n = strcspn(list, ",");

		snprintf(word, sizeof(word), "%.*s", (int)n, list);
		list += n + (list[n] == ',');
		if (strcmp(word, "none") == 0)
			continue;
		l = layer_find(word);
		if (l < 0) {
			log_error("--layers knows kcov, errno, overlap, state, vmstat, trace and "
				  "none, not: %s",
				word);
			return -EINVAL;
		}
		*ret |= 1U << l;
	}
	return 0;
}

static int parse_number(const char *option, const char *arg, uint64_t most, uint64_t *ret)
{
	if (number_parse(arg, ret) == 0 && *ret && *ret <= most)
		return 0;
	log_error("%s: not a number from 1 to %" PRIu64 ": %s", option, most, arg);
	return -EINVAL;
}

static int parse_option(struct target_options *o, int opt, const char *arg)
{
	uint64_t n = 0;
	int r = 0;

	switch (opt) {
	case OPT_LAYERS:
		return parse_layers(arg, &o->layers);
	case OPT_ALLOW:
		return run_parse_allow(arg, &o->rig.allow);
	case OPT_STATE:
		o->rig.state = arg;
		return 0;
	case OPT_STORE:
		o->rig.store = arg;
		return 0;
	case OPT_RECORD:
		o->rig.record = arg;
		return 0;
	case OPT_KNOWN:
		o->rig.known = arg;
		return 0;
	case OPT_TMP:
		o->rig.tmp = arg;
		return 0;
	case OPT_LIMIT:
		r = parse_number("--limit", arg, 3600000, &n);
		o->rig.limit_ns = n * 1000000;
		return r;
	case OPT_STALL:
		r = parse_number("--stall", arg, 3600, &n);
		o->rig.stall_ns = n * 1000000000;
		return r;
	case OPT_CASES:
		r = parse_number("--cases", arg, 1000000000, &n);
		o->rig.cases = (unsigned int)n;
		return r;
	case OPT_INJECT:
		o->rig.inject = arg;
		return 0;
	case OPT_STATS:
		o->stats = arg;
		return 0;
	case OPT_OPS:
		o->list_ops = true;
		return 0;
	case OPT_FUNCTIONS:
		o->functions = arg;
		return 0;
	case OPT_BLIND:
		o->blind = true;
		return 0;
	case OPT_DRY:
		o->rig.dry = true;
		return 0;
	default:
		return -EINVAL; /* getopt has said it */
	}
}

static void print_regions(void)
{
	json_t *layers = json_object(), *j;

	for (unsigned int l = 0; l < LAYER_COUNT; l++)
		json_object_set_new(layers, region_of[l].name,
			json_pack("{s:i, s:i}", "from", (int)region_of[l].from, "size",
				(int)region_of[l].size));
	j = json_pack("{s:i, s:o}", "map_size", (int)MAP_SIZE, "layers", layers);
	json_dumpf(j, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(j);
}

int target_parse(struct target_options *o, int argc, char **argv, int *ret_first)
{
	int opt;

	*o = (struct target_options){.layers = (1U << LAYER_COUNT) - 1,
		.rig = {.limit_ns = 5000000000, .stall_ns = 20000000000, .cases = 256}};
	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (opt == OPT_REGIONS) {
			print_regions();
			return 1;
		}
		if (parse_option(o, opt, optarg) < 0)
			return -EINVAL;
	}
	o->rig.wants_state = o->layers >> LAYER_STATE & 1;
	o->rig.wants_kcov = o->layers >> LAYER_KCOV & 1;
	*ret_first = optind;
	return 0;
}

/* ---- life ---- */

struct target {
	struct target_options o;
	struct rig *rig;
	struct layers *layers;
	struct credit *credit;
	struct marks marks;
	struct program program;
	struct rig_result result;
	uint64_t execs, cases, reruns, target_ns; /* the last: in target_run() */
	uint64_t began_ns, stats_at_ns, functions_at_ns;
	char title[TITLES_KEPT][160];
	unsigned int ntitles;
	char printed[1 << 20]; /* of a dry run */
};

int target_open(const struct target_options *o, struct target **ret)
{
	struct target *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->o = *o;
	r = rig_open(&o->rig, &t->rig);
	if (r == 0) {
		t->layers = layers_open(o->rig.dry ? 0 : o->layers, rig_machine(t->rig));
		t->credit = credit_new();
		r = t->layers && t->credit ? 0 : -ENOMEM;
	}
	if (r < 0) {
		target_close(t);
		return r;
	}
	t->began_ns = clock_raw_ns();
	*ret = t;
	return 0;
}

static void write_stats(struct target *t);
static void write_functions(const struct target *t);

void target_close(struct target *t)
{
	if (t->rig)
		write_stats(t);
	write_functions(t);
	if (t->layers)
		layers_close(t->layers);
	credit_free(t->credit);
	if (t->rig)
		rig_close(t->rig);
	free(t);
}

/* ---- figures ---- */

static json_t *layers_json(const struct target *t)
{
	json_t *all = json_object();

	for (unsigned int l = 0; l < LAYER_COUNT; l++) {
		struct credit_counts c = credit_counts(t->credit, l);
		const char *off = layer_off(t->layers, l);

		json_object_set_new(all, region_of[l].name,
			json_pack("{s:b, s:s, s:I, s:I, s:f}", "on", off == NULL, "why",
				off ? off : "", "features", (json_int_t)c.seen, "noisy",
				(json_int_t)c.noisy, "seconds",
				(double)layer_ns(t->layers, l) / 1e9));
	}
	return all;
}

static json_t *stats_json(const struct target *t)
{
	const struct rig_counts *c = rig_counts(t->rig);
	const struct functions *functions = layers_functions(t->layers);
	const char *lost = rig_lost(t->rig);
	json_t *titles = json_array();
	json_t *j;

	for (unsigned int i = 0; i < t->ntitles; i++)
		json_array_append_new(titles, json_string_nocheck(t->title[i]));
	j = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, "
		      "s:o, s:o}",
		"execs", (json_int_t)t->execs, "cases", (json_int_t)t->cases, "reruns",
		(json_int_t)t->reruns, "crews", (json_int_t)c->crews, "looked",
		(json_int_t)c->looked, "slow", (json_int_t)c->slow, "nothing",
		(json_int_t)c->nothing, "failed", (json_int_t)c->failed, "findings",
		(json_int_t)c->findings, "seconds", (double)(clock_raw_ns() - t->began_ns) / 1e9,
		"target_seconds", (double)t->target_ns / 1e9, "run_seconds",
		(double)c->case_ns / 1e9, "op_seconds", (double)c->op_ns / 1e9, "look_seconds",
		(double)c->look_ns / 1e9, "crew_seconds", (double)c->crew_ns / 1e9, "layers",
		layers_json(t), "titles", titles);
	if (j && functions)
		json_object_set_new(j, "places", json_integer(functions_count(functions)));
	if (j)
		json_object_set_new(j, "lost", lost ? json_string_nocheck(lost) : json_null());
	return j;
}

static void write_stats(struct target *t)
{
	_cleanup_free_ char *text = NULL, *tmp = NULL;
	FILE *f;
	json_t *j;

	if (!t->o.stats || !t->layers || !t->credit)
		return;
	j = stats_json(t);
	text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
	json_decref(j);
	if (!text || asprintf(&tmp, "%s.new", t->o.stats) < 0)
		return;
	/* No fsync: these are for whoever looks now. */
	f = fopen(tmp, "we");
	if (!f)
		return;
	fprintf(f, "%s\n", text);
	if (fclose(f) == 0)
		rename(tmp, t->o.stats);
}

static void write_functions(const struct target *t)
{
	const struct functions *f = t->layers ? layers_functions(t->layers) : NULL;

	if (t->o.functions && f)
		functions_write(f, t->o.functions);
}

static void tick(struct target *t)
{
	uint64_t now = clock_raw_ns();

	if (now - t->functions_at_ns > functions_ns) {
		t->functions_at_ns = now;
		write_functions(t);
	}
	if (now - t->stats_at_ns < stats_ns)
		return;
	t->stats_at_ns = now;
	write_stats(t);
}

/* ---- running ---- */

/* What was fitted is a program: its text and its bytes say the same. */
static void check_dry(const struct target *t)
{
	static unsigned char bytes[2][PROGRAM_MAX_BYTES];
	static struct program again;
	ssize_t n = program_encode(&t->program, bytes[0], sizeof(bytes[0]));
	char err[256];

	if (n < 0 ||
		program_parse(&again, "dry", t->printed, strlen(t->printed), err, sizeof(err)) <
			0 ||
		program_encode(&again, bytes[1], sizeof(bytes[1])) != n ||
		memcmp(bytes[0], bytes[1], (size_t)n) != 0)
		abort();
}

/* A dry run: the roads that a program takes without a kernel. */
static void run_dry(struct target *t)
{
	FILE *f = fmemopen(t->printed, sizeof(t->printed), "w");

	if (f) {
		program_print(&t->program, f);
		fclose(f);
		check_dry(t);
	}
	for (unsigned int l = 0; l < t->program.nlanes; l++)
		for (unsigned int i = 0; i + 1 < t->program.lane[l].nops; i++)
			marks_add(&t->marks, LAYER_ERRNO,
				mix2(t->program.lane[l].op[i].op, t->program.lane[l].op[i + 1].op),
				0);
}

static void run_once(struct target *t, bool look)
{
	const struct crew *crew;

	uint64_t crews = rig_counts(t->rig)->crews;

	marks_clear(&t->marks);
	t->cases++;
	if (rig_ready(t->rig, &t->program, &t->result)) {
		/* What the kernel counted while executors started is not the program's. */
		layers_begin(t->layers, crews != rig_counts(t->rig)->crews);
		rig_run(t->rig, &t->program, look, &t->result);
	}
	crew = rig_crew(t->rig);
	if (rig_no_kcov(t->rig) && !layer_off(t->layers, LAYER_KCOV))
		layer_turn_off(t->layers, LAYER_KCOV, rig_no_kcov(t->rig));
	if (t->o.rig.dry)
		run_dry(t);
	else if (t->result.outcome == RIG_RAN && crew)
		layers_take(t->layers, crew, rig_fed(t->rig), &t->marks);
}

/* The map of a crash: one place for each set of titles, so that one bug is one crash. */
static void tell_titles(struct target *t, unsigned char *map)
{
	uint64_t h = 0;

	for (unsigned int i = 0; i < t->result.ntitles; i++) {
		h ^= XXH64(t->result.title[i], strlen(t->result.title[i]), 0);
		if (t->ntitles < TITLES_KEPT)
			memcpy(t->title[t->ntitles++], t->result.title[i], sizeof(t->title[0]));
	}
	if (!map)
		return;
	memset(map, 0, MAP_SIZE);
	map[h % MAP_SIZE] = 1;
}

static bool run_all(struct target *t)
{
	bool new;

	run_once(t, rig_look_is_due(t->rig));
	new = t->result.outcome == RIG_RAN &&credit_run(t->credit, &t->marks);
	for (unsigned int i = 0; new && !t->result.ntitles &&i < RERUNS && !t->o.rig.dry; i++) {
		run_once(t, i + 1 == RERUNS);
		t->reruns++;
		if (t->result.outcome != RIG_RAN)
			break;
		credit_run(t->credit, &t->marks);
	}
	return t->result.ntitles > 0;
}

static bool run_input(struct target *t, const unsigned char *data, size_t len, unsigned char *map)
{
	static unsigned char none[MAP_SIZE];
	bool found;

	t->execs++;
	program_decode(&t->program, data, len);
	rig_fit(t->rig, &t->program);
	credit_begin(t->credit, data, len);
	found = run_all(t);
	/* What the pools show may be of any program since the last rest; this one is as likely as others. */
	if (!found && !t->o.rig.dry && rig_rest(t->rig, &t->result))
		found = t->result.ntitles > 0;
	if (found) {
		credit_drop(t->credit);
		tell_titles(t, map);
		write_stats(t);
		return true;
	}
	if (t->result.outcome == RIG_RAN)
		credit_end(t->credit, map ? map : none);
	else
		credit_drop(t->credit);
	if (!map)
		memset(none, 0, sizeof(none));
	else if (t->o.blind)
		memset(map, 0, MAP_SIZE);
	/* afl-fuzz takes an empty map for a target without feedback. */
	if (map)
		map[MAP_SIZE - 1] |= 1;
	tick(t);
	return false;
}

int target_list_ops(const struct target_options *o, FILE *out)
{
	struct rig *rig;
	const char *comma = "";
	int r;

	r = rig_open(&o->rig, &rig);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < OP_NUMBERS; i++)
		if (rig_can_run(rig, i)) {
			fprintf(out, "%s%s", comma, op_get(i)->name);
			comma = ",";
		}
	fputc('\n', out);
	rig_close(rig);
	return 0;
}

bool target_run(struct target *t, const unsigned char *data, size_t len, unsigned char *map)
{
	uint64_t began = clock_raw_ns();
	bool found = run_input(t, data, len, map);

	t->target_ns += clock_raw_ns() - began;
	return found;
}

const struct rig_result *target_result(const struct target *t)
{
	return &t->result;
}

const struct program *target_program(const struct target *t)
{
	return &t->program;
}

bool target_lost(const struct target *t)
{
	return rig_lost(t->rig) != NULL;
}

/* ---- for people ---- */

static void print_lane(const struct target *t, unsigned int l, FILE *out)
{
	const struct lane_ctl *lane = &rig_crew(t->rig)->ctl->lane[l];
	uint32_t n = atomic_load_explicit(&lane->nrecords, memory_order_acquire);
	char text[512];

	fprintf(out, "lane %u\n", l);
	for (uint32_t i = 0; i < n && i < rig_fed(t->rig)->lane[l].nops; i++) {
		const struct record *r = &lane->record[i];

		program_print_op(&rig_fed(t->rig)->lane[l].op[i], text, sizeof(text));
		fprintf(out, "  %-70s %9.1f us  %s\n", text,
			(double)clock_to_ns(r->stop - r->start) / 1e3,
			r->err ? strerrorname_np(r->err) : "ok");
	}
}

void target_print(const struct target *t, FILE *out)
{
	static const char *const outcomes[] = {
		"ran", "nothing of it can run here", "was ended", "could not run"};

	fprintf(out, "%s%s%s, %.1f us", outcomes[t->result.outcome], t->result.why[0] ? ": " : "",
		t->result.why, (double)t->result.ns / 1e3);
	for (unsigned int l = 0; l < LAYER_COUNT; l++) {
		struct credit_counts c = credit_counts(t->credit, l);

		if (!layer_off(t->layers, l))
			fprintf(out, ", %s %u", region_of[l].name, c.seen);
	}
	fputc('\n', out);
	for (unsigned int i = 0; i < t->result.ntitles; i++)
		fprintf(out, "FINDING %s\n", t->result.title[i]);
	if (t->o.rig.dry)
		fputs(t->printed, out);
	for (unsigned int l = 0;
		t->result.outcome == RIG_RAN && rig_crew(t->rig) && l < t->program.nlanes; l++)
		print_lane(t, l, out);
}
