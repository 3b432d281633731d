/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run as the report shows it, from its summary. */
#include "night.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "sink.h"

enum { LIST_MAX = 1024 };

/* ---- how it ended ---- */

static const struct {
	const char *status, *state;
	enum run_exit exit;
} states[] = {
	{"OK", "clean", EXIT_CLEAN},
	{"FINDINGS", "findings", EXIT_FINDING},
	{"LOST", "lost", EXIT_LOST},
	{"ERROR", "error", EXIT_USAGE},
	{"NO_RESOURCES", "no resources", EXIT_RESOURCES},
	{"NOTHING_RAN", "nothing ran", EXIT_NOTHING},
	{"FAILED", "never ended", EXIT_LOST},
};

/* It says FAILED, and the process that wrote it is still there. */
static bool goes_on(const json_t *summary)
{
	int64_t pid = (int64_t)value_count(summary, "pid");
	char boot[64] = "", path[64], comm[32] = "";
	struct utsname u;

	if (pid <= 0 || pid > INT32_MAX || uname(&u) < 0 ||
		strcmp(value_text(summary, "host"), u.nodename) != 0)
		return false;
	path_read("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
	if (!boot[0] ||
		strcmp(value_text(json_object_get(summary, "kernel"), "boot_id"), boot) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%" PRId64 "/comm", pid);
	return path_read(path, comm, sizeof(comm)) > 0 && strncmp(comm, "sunder", 6) == 0;
}

static void add_state(json_t *run, const json_t *summary)
{
	const char *status = value_text(summary, "status");

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		bool running = states[i].exit == EXIT_LOST && strcmp(status, "FAILED") == 0 &&
			       goes_on(summary);

		if (strcmp(states[i].status, status) != 0)
			continue;
		json_object_set_new(
			run, "state", json_string(running ? "running" : states[i].state));
		json_object_set_new(
			run, "exit", json_integer(running ? EXIT_CLEAN : states[i].exit));
	}
}

/* ---- what it was ---- */

static json_t *copy_of(const json_t *from, const char *const *texts, const char *const *counts)
{
	json_t *o = json_object();

	for (; texts && *texts; texts++)
		json_object_set_new(o, *texts, value_clip(value_text(from, *texts), TEXT_CLIP));
	for (; counts && *counts; counts++)
		json_object_set_new(
			o, *counts, json_integer((json_int_t)value_count(from, *counts)));
	return o;
}

static json_t *nodes_of(const json_t *machine)
{
	const json_t *nodes = json_object_get(machine, "nodes");
	json_t *a = json_array();
	size_t n = json_array_size(nodes);

	for (size_t i = 0; i < n && i < LIST_MAX; i++) {
		const json_t *node = json_array_get(nodes, i);

		json_array_append_new(a,
			json_pack("{s:I, s:I, s:b, s:b}", "id", (json_int_t)value_count(node, "id"),
				"memory", (json_int_t)value_count(node, "memory"), "has_memory",
				json_is_true(json_object_get(node, "has_memory")), "has_cpu",
				json_is_true(json_object_get(node, "has_cpu"))));
	}
	return a;
}

static json_t *machine_of(const json_t *summary)
{
	static const char *const counts[] = {"cpus", "memory", "page_size", "pmd_size", NULL};
	const json_t *m = json_object_get(summary, "machine"),
		     *sizes = json_object_get(m, "hugetlb_sizes");
	json_t *o = copy_of(m, NULL, counts), *a = json_array();

	for (size_t i = 0; i < json_array_size(sizes) && i < 16; i++)
		json_array_append_new(
			a, json_integer(json_integer_value(json_array_get(sizes, i))));
	json_object_set_new(o, "hugetlb_sizes", a);
	json_object_set_new(o, "nodes", nodes_of(m));
	json_object_set_new(o, "root", json_boolean(json_is_true(json_object_get(m, "root"))));
	return o;
}

/* "path = value", of the plan and of each turn. */
static void add_knobs(json_t *a, const json_t *plan, int depth)
{
	const json_t *knobs = json_object_get(plan, "knobs"),
		     *pools = json_object_get(plan, "pools"),
		     *turns = json_object_get(plan, "turns");
	char line[TEXT_CLIP], size[AMOUNT_MAX];

	for (size_t i = 0; i < json_array_size(knobs) && i < LIST_MAX; i++) {
		snprintf(line, sizeof(line), "%.200s = %.100s",
			value_text(json_array_get(knobs, i), "path"),
			value_text(json_array_get(knobs, i), "value"));
		value_unite(a, line);
	}
	for (size_t i = 0; i < json_array_size(pools) && i < LIST_MAX; i++) {
		const json_t *p = json_array_get(pools, i);

		snprintf(line, sizeof(line), "hugetlb pool of %s = %" PRIu64 " pages%s",
			amount_bytes(value_count(p, "size"), size), value_count(p, "pages"),
			json_is_true(json_object_get(p, "per_node")) ? " on each node" : "");
		value_unite(a, line);
	}
	for (size_t i = 0; depth == 0 && i < json_array_size(turns) && i < LIST_MAX; i++)
		add_knobs(a, json_object_get(json_array_get(turns, i), "plan"), depth + 1);
}

static json_t *oracles_of(const json_t *summary)
{
	json_t *o = json_object();
	const char *name;
	json_t *verdict;
	size_t n = 0;

	json_object_foreach(json_object_get(summary, "oracles"), name, verdict) if (n++ < 64)
		json_object_set_new(
			o, name, value_clip(json_string_value(verdict) ?: "", TEXT_CLIP));
	return o;
}

static json_t *injected_of(const json_t *summary)
{
	const json_t *names = json_object_get(summary, "injected");
	json_t *a = json_array();

	for (size_t i = 0; i < json_array_size(names) && i < 64; i++)
		value_unite(a, json_string_value(json_array_get(names, i)) ?: "");
	return a;
}

/* The command that does the same again. */
static json_t *rerun_of(const json_t *summary)
{
	const json_t *allow = json_object_get(json_object_get(summary, "plan"), "allow");
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return json_string("");
	fputs("sunder run --seed ", f);
	print_shell_word(value_text(summary, "seed"), f);
	for (size_t i = 0; i < json_array_size(allow) && i < 8; i++) {
		const char *word = json_string_value(json_array_get(allow, i)) ?: "";

		if (strcmp(word, "disruptive") == 0 || strcmp(word, "destructive") == 0)
			fprintf(f, " --allow %s", word);
	}
	fputc(' ', f);
	print_shell_word(value_text(summary, "job"), f);
	if (fclose(f) != 0)
		return json_string("");
	return value_clip(text, TEXT_CLIP);
}

static void add_sums(json_t *run, const json_t *summary)
{
	static const char *const totals[] = {"rounds", "ops", "migrated_pages", "split",
		"collapsed", "touched", "checks", "swept", "crew_restarts", "crews",
		"evidence_lost", NULL};
	static const char *const kmsg[] = {"records", "lost", "oom", NULL};
	static const char *const taint[] = {"before", "after", NULL};
	const json_t *hardware = json_object_get(summary, "hardware"),
		     *overlap = json_object_get(summary, "overlap");

	json_object_set_new(
		run, "totals", copy_of(json_object_get(summary, "totals"), NULL, totals));
	value_add(value_object(run, "totals"), "ops_seen", value_count(overlap, "ops_seen"));
	value_add(value_object(run, "totals"), "ops_overlapped",
		value_count(overlap, "ops_overlapped"));
	json_object_set_new(run, "kmsg", copy_of(json_object_get(summary, "kmsg"), NULL, kmsg));
	json_object_set_new(run, "taint", copy_of(json_object_get(summary, "taint"), NULL, taint));
	json_object_set_new(run, "hardware_suspected",
		json_boolean(json_is_true(json_object_get(hardware, "suspected"))));
}

static json_t *host_of(const char *dir, const json_t *summary, const char *node)
{
	const char *host = *node ? node : value_text(summary, "host"), *slash = strrchr(dir, '/');

	if (*host)
		return value_clip(host, 100);
	return value_clip(slash && slash[1] ? slash + 1 : dir, 100);
}

/* What a campaign of afl-fuzz came to; NULL: it is none. */
static json_t *campaign_of(const json_t *summary)
{
	static const char *const counts[] = {"execs", "corpus", "edges", "interleavings", "hangs",
		"reboots", "lost_kernels", "quarantined", NULL};
	const json_t *totals = json_object_get(summary, "totals"),
		     *stability = json_object_get(totals, "stability");
	json_t *o;

	if (!json_object_get(totals, "execs"))
		return NULL;
	o = copy_of(totals, NULL, counts);
	json_object_set_new(o, "execs_per_s", json_real(value_number(totals, "execs_per_s")));
	json_object_set_new(o, "stability",
		json_is_number(stability) ? json_real(value_number(totals, "stability"))
					  : json_null());
	json_object_set_new(o, "instances",
		json_integer((json_int_t)json_array_size(json_object_get(summary, "instances"))));
	json_object_set_new(o, "guests",
		value_clip(value_text(json_object_get(summary, "kernel"), "guests"), 100));
	json_object_set_new(o, "trouble", value_clip(value_text(summary, "trouble"), TEXT_CLIP));
	return o;
}

json_t *night_run(const char *dir, const json_t *summary, const char *node)
{
	static const char *const kernel[] = {
		"release", "version", "arch", "cmdline", "boot_id", NULL};
	const json_t *times = json_object_get(summary, "times");
	json_t *run = json_object(), *knobs = json_array(), *campaign = campaign_of(summary);
	int64_t started = value_time(value_text(times, "started"));

	json_object_set_new(run, "dir", value_clip(dir, TEXT_CLIP));
	json_object_set_new(run, "host", host_of(dir, summary, node));
	json_object_set_new(run, "job",
		value_clip(campaign ? "sunder fuzz" : value_text(summary, "job"), TEXT_CLIP));
	json_object_set_new(run, "seed", value_clip(value_text(summary, "seed"), 24));
	json_object_set_new(run, "version", value_clip(value_text(summary, "version"), 40));
	json_object_set_new(run, "interrupted",
		json_boolean(json_is_true(json_object_get(summary, "interrupted"))));
	json_object_set_new(run, "started", value_stamp(started));
	json_object_set_new(run, "started_s", json_integer(started > 0 ? started : 0));
	json_object_set_new(run, "elapsed_s", json_real(value_number(times, "elapsed_s")));
	add_state(run, summary);
	json_object_set_new(
		run, "kernel", copy_of(json_object_get(summary, "kernel"), kernel, NULL));
	json_object_set_new(run, "machine", machine_of(summary));
	add_knobs(knobs, json_object_get(summary, "plan"), 0);
	json_object_set_new(run, "knobs", knobs);
	json_object_set_new(run, "oracles", oracles_of(summary));
	json_object_set_new(run, "injected", injected_of(summary));
	json_object_set_new(
		run, "rerun", *value_text(summary, "job") ? rerun_of(summary) : json_string(""));
	json_object_set_new(run, "titles", json_array());
	add_sums(run, summary);
	if (campaign)
		json_object_set_new(run, "campaign", campaign);
	return run;
}
