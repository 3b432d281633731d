/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a campaign tells: a line now and then, summary.json, and its end as text, JSON or KTAP. */
#include "campaign.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "run.h"

struct campaign_totals campaign_totals(const struct campaign *c)
{
	struct campaign_totals t = {.stability = -1};

	for (unsigned int i = 0; i < c->n; i++) {
		const struct figures *f = &c->in[i].f;

		t.alive += c->in[i].pid != 0;
		if (!f->there)
			continue;
		t.execs_per_s += c->in[i].pid || c->stopping ? c->in[i].rate : 0;
		t.run_s += f->run_s;
		t.execs += f->execs;
		t.corpus += f->corpus;
		t.crashes += f->crashes;
		t.hangs += f->hangs;
		if (f->cycles > t.cycles)
			t.cycles = f->cycles;
		if (f->stability >= 0 && (t.stability < 0 || f->stability < t.stability))
			t.stability = f->stability;
	}
	for (unsigned int i = 0; i < c->nfound; i++) {
		t.found += !c->found[i].known;
		t.known += c->found[i].known;
	}
	return t;
}

/* Of all instances together, over all the time that they have worked. */
static double overall_rate(const struct campaign *c, const struct campaign_totals *t)
{
	double s = t->run_s > 0	    ? t->run_s / c->n
		   : c->start_s > 0 ? campaign_now_s() - c->start_s
				    : 0;

	return s > 0 ? (double)t->execs / s : 0;
}

/* ---- amounts ---- */

static const char *clock_text(double s, char buf[32])
{
	unsigned long n = s > 0 ? (unsigned long)s : 0;

	if (n >= 3600)
		snprintf(buf, 32, "%lu:%02lu:%02lu", n / 3600, n / 60 % 60, n % 60);
	else
		snprintf(buf, 32, "%lu:%02lu", n / 60, n % 60);
	return buf;
}

/*
 * Places of a layer: those that AFL's maps have, of all instances together; or what a harness has seen since it began, which is
 * all there is while AFL has not yet written its map, or is blind.
 */
static uint64_t reached_of(const struct campaign *c, enum layer l)
{
	uint64_t most = c->reached.size == MAP_SIZE ? c->reached.layer[l] : 0;

	for (unsigned int i = 0; i < c->n; i++)
		if (c->in[i].f.seen[l] > most)
			most = c->in[i].f.seen[l];
	return most;
}

/* "kcov 812, overlap 96": layers that something was seen of. */
static void print_layers(const struct campaign *c, FILE *out)
{
	unsigned int n = 0;

	for (int i = 0; i < LAYER_COUNT; i++)
		if (reached_of(c, (enum layer)i))
			fprintf(out, "%s%s %" PRIu64, n++ ? ", " : "", region_of[i].name,
				reached_of(c, (enum layer)i));
	if (!n)
		fprintf(out, "edges %u", c->reached.all);
}

static void print_stability(double percent, FILE *out)
{
	if (percent < 0)
		fputs("stability unknown", out);
	else
		fprintf(out, "stability %.1f%%", percent);
}

static int columns(FILE *out)
{
	struct winsize w;

	return ioctl(fileno(out), TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col - 1 : 79;
}

void campaign_status(const struct campaign *c, bool terminal, FILE *out)
{
	struct campaign_totals t = campaign_totals(c);
	double now_s = campaign_now_s();
	_cleanup_free_ char *line = NULL;
	char at[32], left[32];
	size_t len = 0;
	FILE *f = open_memstream(&line, &len);

	if (!f)
		return;
	fprintf(f, "%s", clock_text(now_s - c->start_s, at));
	if (c->deadline_s > 0)
		fprintf(f, ", left %s", clock_text(c->deadline_s - now_s, left));
	if (c->o->guests)
		fprintf(f, "  guests %u/%u", t.alive, c->n);
	fprintf(f, "  %.1f execs/s  corpus %" PRIu64 "  ", t.execs_per_s, t.corpus);
	print_layers(c, f);
	fputs("  ", f);
	print_stability(t.stability, f);
	fprintf(f, "  findings %u", t.found);
	if (t.known)
		fprintf(f, " (and %u known)", t.known);
	if (c->reboots)
		fprintf(f, "  reboots %" PRIu64, c->reboots);
	if (fclose(f) != 0)
		return;
	if (terminal)
		fprintf(out, "\r%.*s\033[K", columns(out), line);
	else
		fprintf(out, "sunder: %s\n", line);
	fflush(out);
}

/* ---- JSON ---- */

static const char *status_word(const struct campaign *c)
{
	static const char *const words[] = {[EXIT_CLEAN] = "OK",
		[EXIT_FINDING] = "FINDINGS",
		[EXIT_USAGE] = "ERROR",
		[EXIT_RESOURCES] = "NO_RESOURCES",
		[EXIT_NOTHING] = "NOTHING_RAN",
		[EXIT_LOST] = "LOST"};

	return c->finished ? words[c->exit] : "FAILED";
}

static json_t *alt_json(const char *alt)
{
	_cleanup_free_ char *copy = strdup(alt);
	json_t *list = json_array();
	char *cursor = copy, *line;

	while (copy && (line = strsep(&cursor, "\n")))
		if (*line)
			json_array_append_new(list, json_string(line));
	return list;
}

static json_t *found_json(const struct campaign *c)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < c->nfound; i++) {
		const struct campaign_found *f = &c->found[i];

		json_array_append_new(
			list, json_pack("{s:s, s:o, s:s, s:I, s:f, s:b, s:b, s:s}", "title",
				      f->title, "alt", alt_json(f->alt), "oracle", f->oracle,
				      "count", (json_int_t)f->count, "first_s", f->first_s, "known",
				      f->known, "before", f->before, "dir", f->dir));
	}
	return list;
}

static json_t *layers_json(const struct campaign *c)
{
	json_t *doc = json_object();

	for (int i = 0; i < LAYER_COUNT; i++)
		json_object_set_new(doc, region_of[i].name,
			json_integer((json_int_t)reached_of(c, (enum layer)i)));
	return doc;
}

static json_t *seen_json(const struct figures *f)
{
	json_t *doc = json_object();

	for (int i = 0; i < LAYER_COUNT; i++)
		json_object_set_new(doc, region_of[i].name, json_integer((json_int_t)f->seen[i]));
	return doc;
}

static json_t *number_or_null(double x)
{
	return x < 0 ? json_null() : json_real(x);
}

static json_t *instance_json(const struct instance *i)
{
	const struct figures *f = &i->f;
	json_t *doc = json_pack("{s:s, s:I, s:f, s:I, s:I, s:o, s:I, s:I, s:I}", "name", i->name,
		"execs", (json_int_t)f->execs, "execs_per_s",
		f->run_s > 0 ? (double)f->execs / f->run_s : 0.0, "corpus", (json_int_t)f->corpus,
		"edges", (json_int_t)f->edges, "stability", number_or_null(f->stability), "crashes",
		(json_int_t)f->crashes, "hangs", (json_int_t)f->hangs, "cycles",
		(json_int_t)f->cycles);

	if (!doc)
		return NULL;
	json_object_set_new(doc, "starts", json_integer(i->starts));
	json_object_set_new(doc, "lost_kernels", json_integer(i->lost));
	json_object_set_new(doc, "given_up", json_boolean(i->given_up));
	json_object_set_new(doc, "seen", seen_json(f));
	json_object_set_new(doc, "places", json_integer((json_int_t)f->places));
	json_object_set_new(doc, "op_share", number_or_null(f->op_share));
	return doc;
}

static json_t *instances_json(const struct campaign *c)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < c->n; i++)
		json_array_append_new(list, instance_json(&c->in[i]));
	return list;
}

static json_t *kernel_json(const struct campaign *c)
{
	struct utsname u = {0};

	uname(&u);
	return json_pack("{s:s, s:s, s:s, s:s?}", "release", u.release, "version", u.version,
		"arch", u.machine, "guests", c->o->vm);
}

static json_t *summary_json(const struct campaign *c)
{
	struct campaign_totals t = campaign_totals(c);
	unsigned int quarantined = 0;

	for (unsigned int i = 0; i < c->kills.n; i++)
		quarantined += c->kills.of[i].times >= KILLS_QUARANTINE;
	return json_pack("{s:s, s:s, s:o, s:b, s:o, s:{s:s, s:f}, s:{s:I, s:f, s:I, s:I, s:I, s:o, "
			 "s:I, s:I, s:I, s:I}, "
			 "s:o, s:o, s:o, s:s}",
		"version", SUNDER_VERSION, "status", status_word(c), "exit",
		c->finished ? json_integer(c->exit) : json_null(), "interrupted", c->interrupted,
		"kernel", kernel_json(c), "times", "started", c->started, "elapsed_s",
		c->start_s > 0 ? campaign_now_s() - c->start_s : 0.0, "totals", "execs",
		(json_int_t)t.execs, "execs_per_s", overall_rate(c, &t), "corpus",
		(json_int_t)t.corpus, "edges", (json_int_t)c->reached.all, "interleavings",
		(json_int_t)reached_of(c, LAYER_OVERLAP), "stability", number_or_null(t.stability),
		"hangs", (json_int_t)t.hangs, "reboots", (json_int_t)c->reboots, "lost_kernels",
		(json_int_t)c->lost, "quarantined", (json_int_t)quarantined, "layers",
		layers_json(c), "instances", instances_json(c), "findings", found_json(c),
		"trouble", c->trouble);
}

int campaign_summary_file(const struct campaign *c)
{
	_cleanup_free_ char *text = NULL, *path = NULL;
	json_t *doc = summary_json(c);

	text = doc ? json_dumps(doc, JSON_INDENT(1)) : NULL;
	json_decref(doc);
	if (!text || asprintf(&path, "%s/summary.json", c->dir) < 0)
		return -ENOMEM;
	return path_publish(path, text, strlen(text));
}

/* ---- text and KTAP ---- */

static void print_verdict(const struct campaign *c, FILE *out)
{
	struct campaign_totals t = campaign_totals(c);
	char at[32];

	switch (c->exit) {
	case EXIT_CLEAN:
		fputs("CLEAN", out);
		break;
	case EXIT_LOST:
		fprintf(out, "LOST: a kernel died; %u FINDING%s", t.found, t.found == 1 ? "" : "S");
		break;
	case EXIT_FINDING:
		fprintf(out, "%u FINDING%s", t.found, t.found == 1 ? "" : "S");
		break;
	default:
		fprintf(out, "ERROR: %s", c->trouble[0] ? c->trouble : "see the messages above");
		break;
	}
	fprintf(out, "  (%s%s, kernel %s)\n", c->interrupted ? "interrupted, " : "",
		clock_text(campaign_now_s() - c->start_s, at), c->o->vm ? c->o->vm : c->kernel);
}

static void text_summary(const struct campaign *c, FILE *out)
{
	struct campaign_totals t = campaign_totals(c);
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t len;

	print_verdict(c, out);
	if (c->o->work == CAMPAIGN_MINIMISE) {
		if (asprintf(&path, "%s/result/minimise.txt", c->dir) >= 0)
			text = (char *)corpus_slurp(path, &len);
		fprintf(out, "%sresults   %s/result/corpus\n", text ? text : "", c->dir);
		return;
	}
	for (unsigned int i = 0; i < c->nfound; i++) {
		const struct campaign_found *f = &c->found[i];

		fprintf(out, "%3u. %s  (%" PRIu64 " x%s%s)\n     %s\n", i + 1, f->title, f->count,
			f->known ? ", known" : "", f->before ? ", found before" : "", f->dir);
	}
	fprintf(out,
		"\nran       %" PRIu64 " execs (%.1f/s) in %u instance%s, %" PRIu64
		" guest%s started again\n",
		t.execs, overall_rate(c, &t), c->n, c->n == 1 ? "" : "s", c->reboots,
		c->reboots == 1 ? "" : "s");
	fprintf(out, "corpus    %" PRIu64 " entries, ", t.corpus);
	print_stability(t.stability, out);
	fputs("\nreached   ", out);
	print_layers(c, out);
	fprintf(out, "\nresults   %s/summary.json; the same command goes on\n", c->dir);
}

static void ktap_summary(const struct campaign *c, FILE *out)
{
	bool failed = c->exit == EXIT_USAGE || c->exit == EXIT_RESOURCES || c->exit == EXIT_LOST;
	struct campaign_totals t = campaign_totals(c);

	fprintf(out, "KTAP version 1\n1..2\n# status %s, exit %d\n", status_word(c), (int)c->exit);
	fprintf(out,
		"# %" PRIu64 " execs, corpus %" PRIu64 ", edges %u, interleavings %" PRIu64 "\n",
		t.execs, t.corpus, c->reached.all, reached_of(c, LAYER_OVERLAP));
	fprintf(out, "%sok 1 campaign\n", failed ? "not " : "");
	for (unsigned int i = 0; i < c->nfound; i++) {
		fprintf(out, "# %s", c->found[i].known ? "known: " : "");
		for (const char *p = c->found[i].title; *p; p++)
			fputc(*p == '#' || (unsigned char)*p < 0x20 ? ' ' : *p, out);
		fputc('\n', out);
	}
	fprintf(out, "%sok 2 findings\n", t.found ? "not " : "");
}

void campaign_summary(const struct campaign *c, FILE *out)
{
	json_t *doc;

	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr); /* the status line */
	switch (c->o->format) {
	case REPORT_JSON:
		doc = summary_json(c);
		if (!doc || json_dumpf(doc, out, JSON_INDENT(1)) < 0)
			fputs("sunder: the summary cannot be printed as JSON\n", stderr);
		fputc('\n', out);
		json_decref(doc);
		break;
	case REPORT_KTAP:
		ktap_summary(c, out);
		break;
	case REPORT_TEXT:
		text_summary(c, out);
		break;
	}
	fflush(out);
}
