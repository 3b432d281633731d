/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "finding/store.h"

enum { PROGRAM_TEXT_MAX = 1 << 20 };

void filing_dir(const char *store, const char *state, char *buf, size_t size)
{
	if (store)
		snprintf(buf, size, "%s", store);
	else
		snprintf(buf, size, "%s/findings", state);
}

void filing_start(struct run *r)
{
	r->vmstat_start = report_vmstat();
}

void filing_tick(struct run *r, double now_s)
{
	if (now_s - r->vmstat_last_s < 1)
		return;
	free(r->vmstat_last);
	r->vmstat_last = report_vmstat();
	r->vmstat_last_s = now_s;
}

/* ---- files beside the report ---- */

static void write_text(const struct finding_group *g, const char *name, const char *text)
{
	char path[sizeof(g->dir) + 32];
	int e;

	if (!g->dir[0] || !text)
		return;
	snprintf(path, sizeof(path), "%s/%s", g->dir, name);
	e = path_publish(path, text, strlen(text));
	if (e < 0)
		log_warn("%s: %s", path, strerror(-e));
}

static char *context_of(const struct run *r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	report_context(&r->result, r->vmstat_start, r->vmstat_last, f);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---- the store ---- */

static char *read_program(const struct finding_group *g)
{
	char path[sizeof(g->dir) + 32], *text = calloc(1, PROGRAM_TEXT_MAX);
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/program.txt", g->dir);
	f = g->dir[0] && text ? fopen(path, "re") : NULL;
	if (f && fread(text, 1, PROGRAM_TEXT_MAX - 1, f) == 0)
		text[0] = '\0';
	return text;
}

static void file_group(const struct run *r, const struct finding_group *g, const char *context)
{
	_cleanup_free_ char *program = read_program(g);
	char dir[320], run[160], err[STORE_ERR_MAX], kernel[160] = "", host[66] = "", boot[64] = "";
	struct store_sight x = {.title = g->first.title,
		.alt = g->first.alt,
		.oracle = oracle_name(g->first.oracle),
		.run = run,
		.kernel = kernel,
		.machine = host,
		.boot_id = boot,
		.job = r->plan->job,
		.version = SUNDER_VERSION,
		.program = program,
		.evidence = g->first.text,
		.context = context,
		.output = r->result.output,
		.seed = r->plan->seed,
		.round = g->first.round,
		.count = g->count,
		.crew = g->first.has_program ? (int)g->first.crew : -1,
		.lane = g->first.has_program ? (int)g->first.lane : -1,
		.first = r->started + (time_t)g->first_s,
		.last = r->started + (time_t)g->last_s};
	struct store *s;
	struct utsname u;

	if (uname(&u) == 0) {
		snprintf(kernel, sizeof(kernel), "%s %s", u.release, u.version);
		snprintf(host, sizeof(host), "%s", u.nodename);
	}
	path_read("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
	snprintf(run, sizeof(run), "%s %s %d", host, r->result.started, (int)getpid());
	filing_dir(r->o->store, r->state, dir, sizeof(dir));
	/* Opened for each: findings are rare, and what is not held cannot be in another's way. */
	if (store_open(dir, &s, err) < 0) {
		log_warn("%s", err);
		store_add_unfiled(dir, &x);
		return;
	}
	store_add(s, &x);
	store_close(s);
}

void filing_add(struct run *r, const struct finding_group *g)
{
	_cleanup_free_ char *context = context_of(r), *log = report_log_tail();

	write_text(g, "context.txt", context);
	write_text(g, "kernel.log", log);
	file_group(r, g, context);
}

void filing_end(struct run *r)
{
	_cleanup_free_ char *log = r->result.ngroups ? report_log_tail() : NULL;

	for (unsigned int i = 0; i < r->result.ngroups; i++) {
		write_text(&r->result.group[i], "kernel-after.log", log);
		if (r->result.group[i].count > 1 && !r->inject[0])
			file_group(r, &r->result.group[i], NULL);
	}
	free(r->vmstat_start);
	free(r->vmstat_last);
	r->vmstat_start = r->vmstat_last = NULL;
}
