/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Findings: grouped by title, each group with a directory that a person can act on. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"

enum { SLUG_MAX = 60, ROUNDS_BACK = 3, OLDER = 4 };

/* ---- the report ---- */

void print_rerun(const struct run_result *r, FILE *out)
{
	fprintf(out, "sunder run --seed %" PRIu64, r->plan->seed);
	for (unsigned int h = HAZARD_DISRUPTIVE; h < HAZARD_COUNT; h++)
		if (r->plan->allow >> h & 1)
			fprintf(out, " --allow %s", hazard_name(h));
	if (r->plan->learned[0]) {
		fputs(" --learned ", out);
		print_shell_word(r->plan->learned, out);
	}
	fputc(' ', out);
	print_shell_word(r->plan->job, out);
	fputc('\n', out);
}

static void print_machine(const struct run_result *r, FILE *out)
{
	const struct machine *m = r->machine;
	char memory[AMOUNT_MAX], page[AMOUNT_MAX], pmd[AMOUNT_MAX];
	struct utsname u;

	if (uname(&u) == 0)
		fprintf(out, "kernel    %s %s %s\n", u.release, u.version, u.machine);
	fputs("booted    ", out);
	print_clean(r->kernel_cmdline, out);
	if (m)
		fprintf(out,
			"\nmachine   %d CPU%s, %d node%s (%d with memory), %s, pages of %s, PMD "
			"%s, %s",
			m->ncpus, m->ncpus == 1 ? "" : "s", m->nnodes, m->nnodes == 1 ? "" : "s",
			m->nmem_nodes, amount_bytes(m->mem_total, memory),
			amount_bytes(m->page_size, page), amount_bytes(m->pmd_size, pmd),
			m->is_root ? "root" : "not root");
	fprintf(out, "\nsunder    %s\n", SUNDER_VERSION);
}

static void print_where(const struct run_result *r, const struct finding_group *g, FILE *out)
{
	const struct finding *f = &g->first;

	fprintf(out, "oracle    %s: %s\n", oracle_name(f->oracle), oracle_help(f->oracle));
	fprintf(out, "seen      %.1f s into the run that started %s; how often: summary.json\n",
		g->first_s, r->started);
	if (f->has_program)
		fprintf(out, "where     crew %u, lane %u, round %" PRIu64 "\n", f->crew, f->lane,
			f->round);
	for (size_t i = 0; r->injected && r->injected[i]; i++)
		fprintf(out, "planted   %s (this run was told to fail)\n", r->injected[i]);
	if (!r->plan)
		return;
	fputs("job       ", out);
	print_clean(r->plan->job, out);
	fprintf(out, ", seed %" PRIu64 "\n", r->plan->seed);
}

static void print_how(const struct run_result *r, const struct finding_group *g, FILE *out)
{
	fputs("\nThe ops of that time again, over and over:\n", out);
	if (g->first.has_program && g->first.may_be_older)
		fputs("    sunder replay . (tries rounds before, too: memory is as it was left)\n",
			out);
	else if (g->first.has_program)
		fputs("    sunder replay program.txt\n", out);
	else
		fputs("    sunder replay . (tries the last programs of all crews: any of them may "
		      "have done it)\n",
			out);
	fputs("What of it is needed:\n    sunder reduce .\nThe whole run again:\n    ", out);
	print_rerun(r, out);
}

static void print_report(const struct run_result *r, const struct finding_group *g, FILE *out)
{
	print_clean(g->first.title, out);
	fputc('\n', out);
	if (g->first.alt && g->first.alt[0]) {
		fputs("also known as:\n", out);
		print_clean(g->first.alt, out);
		fputc('\n', out);
	}
	fputc('\n', out);
	print_where(r, g, out);
	print_machine(r, out);
	if (r->crew && r->ncrews)
		print_how(r, g, out);
	if (hardware_suspected(&r->hardware)) {
		char line[512];

		hardware_describe(&r->hardware, line, sizeof(line));
		fputc('\n', out);
		print_clean(line, out);
		fputc('\n', out);
	}
	fputs("\nEvidence:\n\n", out);
	print_clean(g->first.text ? g->first.text : "(lost: no memory)", out);
	fputc('\n', out);
}

/* ---- the directory ---- */

/* Only [a-z0-9-] of a title goes into a file name. */
static void slug_of(const char *title, char slug[SLUG_MAX])
{
	size_t n = 0;

	for (; *title && n < SLUG_MAX - 1; title++) {
		char c = *title;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			slug[n++] = c;
		else if (n && slug[n - 1] != '-')
			slug[n++] = '-';
	}
	while (n && slug[n - 1] == '-')
		n--;
	slug[n] = '\0';
	if (!n)
		snprintf(slug, SLUG_MAX, "finding");
}

static int make_dir(const struct run_result *r, struct finding_group *g)
{
	char slug[SLUG_MAX], dir[sizeof(g->dir)];
	int n, e;

	slug_of(g->first.title, slug);
	n = snprintf(dir, sizeof(dir), "%s/findings/%03u-%s", r->output, r->ngroups, slug);
	if (n < 0 || (size_t)n >= sizeof(dir))
		return -ENAMETOOLONG;
	e = path_make_dirs(dir);
	if (e == 0)
		memcpy(g->dir, dir, sizeof(dir));
	return e;
}

static int publish(const struct finding_group *g, const char *name, const char *data, size_t len)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", g->dir, name) < 0)
		return -ENOMEM;
	return path_publish(path, data, len);
}

static void draw(const struct run_result *r, unsigned int crew, uint64_t round, struct program *ret)
{
	plan_draw(r->crew[crew]->plan, r->crew[crew]->index, round, ret);
	crew_resolve_aims(r->crew[crew], round, ret);
}

static int write_program(const struct run_result *r, const struct finding_group *g,
	unsigned int crew, uint64_t round, const char *name)
{
	_cleanup_free_ struct program *p = malloc(sizeof(*p));
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f;
	int e;

	f = p ? open_memstream(&text, &len) : NULL;
	if (!f)
		return -ENOMEM;
	draw(r, crew, round, p);
	fprintf(f, "# crew %u, round %" PRIu64 ", seed %" PRIu64 "\n", crew, round, r->plan->seed);
	plan_print_around(r->crew[crew]->plan, f);
	e = program_print(p, f);
	if (fclose(f) != 0)
		e = -ENOMEM;
	return e < 0 ? e : publish(g, name, text, len);
}

/* Does the program ask the kernel for something in this slot? Mere accesses cannot fail. */
static bool asks_in(const struct program *p, unsigned int slot)
{
	for (unsigned int l = 0; l < p->nlanes; l++)
		for (unsigned int i = 0; i < p->lane[l].nops; i++) {
			const struct op *op = op_get(p->lane[l].op[i].op);

			if (op->errnos && op->args && op->args[0].kind == ARG_SLOT &&
				p->lane[l].op[i].arg[0] % p->nslots == slot)
				return true;
		}
	return false;
}

/* Memory is as it was left: programs of rounds before, of the same epoch, in which something was done to the slot. */
static int write_older(const struct run_result *r, const struct finding_group *g)
{
	const struct finding *f = &g->first;
	uint64_t epoch = r->crew[f->crew]->plan->epoch_rounds, most;
	_cleanup_free_ struct program *p = malloc(sizeof(*p));
	char name[48];
	int e = 0;

	if (!p)
		return -ENOMEM;
	most = f->round % epoch ? f->round % epoch
				: epoch; /* its end is looked at before the next one */
	most = most < f->round ? most : f->round;
	for (uint64_t back = 1, n = 0; e == 0 && n < OLDER && back <= most; back++) {
		draw(r, f->crew, f->round - back, p);
		if (!asks_in(p, f->slot))
			continue;
		snprintf(name, sizeof(name), "program-before-%" PRIu64 ".txt", back);
		e = write_program(r, g, f->crew, f->round - back, name);
		n++;
	}
	return e;
}

/* That of the round in which a lane has seen it, and where memory was like that before, of rounds before. */
static int write_programs_of_lane(const struct run_result *r, const struct finding_group *g)
{
	int e = write_program(r, g, g->first.crew, g->first.round, "program.txt");

	return e == 0 && g->first.may_be_older ? write_older(r, g) : e;
}

/* The program that was running; of a finding that no lane made, the last ones of all crews. */
static int write_programs(const struct run_result *r, const struct finding_group *g)
{
	char name[48];
	int e = 0;

	if (!r->plan || !r->crew)
		return 0;
	if (g->first.has_program && g->first.crew < r->ncrews)
		return write_programs_of_lane(r, g);
	for (unsigned int i = 0; e == 0 && i < r->ncrews; i++) {
		uint64_t round =
			atomic_load_explicit(&r->crew[i]->ctl->round, memory_order_relaxed);

		snprintf(name, sizeof(name), "program-crew%u.txt", i);
		e = write_program(r, g, i, round, name);
		/* It was noticed a moment after it happened. */
		for (unsigned int back = 1; e == 0 && back <= ROUNDS_BACK && back <= round;
			back++) {
			snprintf(name, sizeof(name), "program-crew%u-%u.txt", i, back);
			e = write_program(r, g, i, round - back, name);
		}
	}
	return e;
}

static int write_json(const struct finding_group *g)
{
	json_t *j = json_finding(g);
	_cleanup_free_ char *text = NULL;

	if (j && g->first.text)
		json_object_set_new(j, "text", json_text(g->first.text));
	text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
	json_decref(j);
	return text ? publish(g, "finding.json", text, strlen(text)) : -ENOMEM;
}

/* Names in a directory survive a crash only when the directory itself was synced. */
static void sync_dirs(const struct finding_group *g)
{
	char dir[sizeof(g->dir)];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", g->dir);
	for (int i = 0; i < 3; i++) {
		_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0 || fsync(fd) < 0)
			return; /* not every filesystem can */
		slash = strrchr(dir, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
}

static int write_all(
	const struct run_result *r, struct finding_group *g, const char *report, size_t len)
{
	int e = make_dir(r, g), e2;

	if (e == 0)
		e = publish(g, "report.txt", report, len);
	if (e < 0) {
		g->dir[0] = '\0'; /* nothing there to send anybody to */
		return e;
	}
	e = write_json(g);
	e2 = write_programs(r, g);
	sync_dirs(g);
	return e < 0 ? e : e2;
}

/* ---- the group ---- */

static struct finding_group *find_group(const struct run_result *r, const struct finding *f)
{
	for (unsigned int i = 0; i < r->ngroups; i++)
		if (r->group[i].first.oracle == f->oracle &&
			strcmp(r->group[i].first.title, f->title) == 0 &&
			strcmp(r->group[i].first.alt ?: "", f->alt ?: "") == 0)
			return &r->group[i];
	return NULL;
}

static void tell(
	const struct run_result *r, const struct finding_group *g, int error, const char *report)
{
	fputs(isatty(STDERR_FILENO) ? "\r\033[K" : "", stderr);
	fputs("sunder: FINDING ", stderr);
	print_clean(g->first.title, stderr);
	if (g->dir[0])
		fprintf(stderr, " -> %s", g->dir);
	fputc('\n', stderr);
	if (error == 0)
		return;
	log_error("%s: %s: the finding cannot be saved whole; here it is",
		g->dir[0] ? g->dir : r->output, strerror(-error));
	fputs(report, stderr);
}

static void file_group(struct run_result *r, struct finding_group *g)
{
	char *report = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&report, &len);
	int e;

	if (f) {
		print_report(r, g, f);
		if (fclose(f) != 0)
			f = NULL;
	}
	if (!f) {
		free(report);
		tell(r, g, -ENOMEM, g->first.text ? g->first.text : "");
		return;
	}
	e = write_all(r, g, report, len);
	tell(r, g, e, report);
	free(report);
}

struct finding_group *report_finding(struct run_result *r, struct finding *f, double now_s)
{
	struct finding_group *g = find_group(r, f), *grown;

	r->oracle[f->oracle].findings++;
	if (g) {
		g->count++;
		g->last_s = now_s;
		finding_clear(f);
		return g;
	}
	grown = reallocarray(r->group, r->ngroups + 1, sizeof(*r->group));
	if (!grown) {
		struct finding_group alone = {.first = *f, .count = 1};

		tell(r, &alone, -ENOMEM, f->text ? f->text : "");
		finding_clear(f);
		return NULL;
	}
	r->group = grown;
	g = &r->group[r->ngroups++];
	*g = (struct finding_group){.first = *f, .count = 1, .first_s = now_s, .last_s = now_s};
	memset(f, 0, sizeof(*f));
	file_group(r, g);
	if (report_summary_file(r) < 0)
		log_warn("%s/summary.json cannot be brought up to date", r->output);
	return g;
}
