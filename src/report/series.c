/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes series.csv: counters as they stand, so that a row that is left out loses no count. */
#include "report/series.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"

enum {
	LINE_BYTES = 16384,
	NODES_MAX = 64,
	EVENTS_MAX = 4096,
	FLUSH_ROWS = 10,
	MEMINFO_BYTES = 8192
};

struct series {
	char path[320];
	const struct machine *machine;
	int fd;
	uint64_t size, bound;
	double next_s, step_s;
	unsigned int events, unflushed;
	bool told;
};

static unsigned int node_count(const struct series *s)
{
	int n = s->machine ? s->machine->nnodes : 0;

	return n < NODES_MAX ? (unsigned int)n : NODES_MAX;
}

/* ---- lines ---- */

struct line {
	size_t len;
	char text[LINE_BYTES];
};

static __attribute__((format(printf, 2, 3))) void line_add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len = l->len + (size_t)n < sizeof(l->text) ? l->len + (size_t)n
							      : sizeof(l->text) - 1;
}

/* The line whole, or nothing of it. */
static void put(struct series *s, const struct line *l)
{
	ssize_t n = write(s->fd, l->text, l->len);

	if (n == (ssize_t)l->len) {
		s->size += l->len;
		return;
	}
	if (!s->told)
		log_warn("%s: %s: the report of this run will have gaps", s->path,
			n < 0 ? strerror(errno) : strerror(ENOSPC));
	s->told = true;
	if (ftruncate(s->fd, (off_t)s->size) < 0 && n > 0)
		s->size += (uint64_t)n; /* a reader leaves out what is no row */
}

/* ---- what a row has ---- */

static uint64_t field_kb(const char *meminfo, const char *name)
{
	const char *p = strstr(meminfo, name);

	return p ? strtoull(p + strlen(name), NULL, 10) : 0;
}

static void add_node(struct line *l, const struct machine *m, int id)
{
	char path[64], text[MEMINFO_BYTES] = "";
	uint64_t huge = 0, huge_free = 0;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", id);
	if (path_read(path, text, sizeof(text)) < 0)
		path_read("/proc/meminfo", text, sizeof(text)); /* a kernel without NUMA */
	for (int i = 0; i < m->nhstates; i++) {
		unsigned long long total = 0, unused = 0;

		if (machine_pool(m->hstate[i].size, id, "nr_hugepages", &total) < 0 ||
			machine_pool(m->hstate[i].size, id, "free_hugepages", &unused) < 0)
			continue;
		huge += total * (m->hstate[i].size >> 10);
		huge_free += unused * (m->hstate[i].size >> 10);
	}
	line_add(l, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, field_kb(text, "MemFree:"),
		field_kb(text, "AnonHugePages:") + field_kb(text, "ShmemHugePages:") +
			field_kb(text, "FileHugePages:"),
		huge, huge_free);
}

static void add_head(const struct series *s, struct line *l)
{
	line_add(l, "t,ops,rounds,seen,overlapped,migrated,split,collapsed,restarts,findings");
	for (unsigned int i = 0; i < node_count(s); i++) {
		int id = s->machine->node[i].id;

		line_add(l, ",free%d,thp%d,huge%d,hugefree%d", id, id, id, id);
	}
	line_add(l, "\n");
}

static void add_row(
	const struct series *s, struct line *l, const struct run_result *r, double now_s)
{
	struct run_totals t = run_totals(r);

	line_add(l,
		"%.1f,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
		",%" PRIu64 ",%" PRIu64 ",%u",
		now_s, t.ops, t.rounds, t.ops_seen, t.ops_overlapped, t.migrated, t.split,
		t.collapsed, r->crew_restarts, r->ngroups);
	for (unsigned int i = 0; i < node_count(s); i++)
		add_node(l, s->machine, s->machine->node[i].id);
	line_add(l, "\n");
}

/* ---- the bound ---- */

/* The lines of text but for every second row after the head. */
static size_t thin(char *text, size_t len)
{
	size_t out = 0, row = 0;

	for (size_t at = 0; at < len;) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end ? (size_t)(end - (text + at)) + 1 : len - at;

		if (text[at] == '#' || row == 0 || row % 2) {
			memmove(text + out, text + at, n);
			out += n;
		}
		row += text[at] != '#';
		at += n;
	}
	return out;
}

static int halve(struct series *s)
{
	_cleanup_free_ char *text = malloc(s->size + 1);
	ssize_t n = text ? pread(s->fd, text, s->size, 0) : -1;
	int fd, e;

	if (n < 0)
		return text ? -errno : -ENOMEM;
	e = path_publish(s->path, text, thin(text, (size_t)n));
	if (e < 0)
		return e;
	fd = open(s->path, O_RDWR | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(s->fd);
	s->fd = fd;
	s->size = (uint64_t)lseek(fd, 0, SEEK_END);
	s->step_s *= 2;
	return 0;
}

static void keep_bound(struct series *s)
{
	int e;

	if (s->size < s->bound)
		return;
	e = halve(s);
	if (e == 0)
		return;
	log_warn("%s: %s: no more rows are written", s->path, strerror(-e));
	s->next_s = 1e18;
}

/* ---- what others call ---- */

int series_open(const char *dir, const struct machine *m, uint64_t bytes, struct series **ret)
{
	struct series *s = calloc(1, sizeof(*s));
	struct line l = {0};

	if (!s)
		return -ENOMEM;
	s->machine = m;
	s->bound = bytes;
	s->step_s = 1;
	snprintf(s->path, sizeof(s->path), "%s/series.csv", dir);
	s->fd = open(s->path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (s->fd < 0) {
		int e = -errno;

		free(s);
		return e;
	}
	add_head(s, &l);
	put(s, &l);
	*ret = s;
	return 0;
}

void series_sample(struct series *s, const struct run_result *r, double now_s)
{
	struct line l = {0};

	if (!s || now_s < s->next_s)
		return;
	/* Whole steps, so that a late tick does not shift all that follow. */
	s->next_s = s->step_s * (double)((uint64_t)(now_s / s->step_s) + 1);
	add_row(s, &l, r, now_s);
	put(s, &l);
	if (++s->unflushed >= FLUSH_ROWS) {
		s->unflushed = 0;
		sync_file_range(s->fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* starts it; does not wait */
	}
	keep_bound(s);
}

void series_event(struct series *s, double now_s, const char *kind, const char *text)
{
	struct line l = {0};

	if (!s || s->events > EVENTS_MAX)
		return;
	if (s->events++ == EVENTS_MAX) {
		kind = "more";
		text = "what happened after this is not written down here";
	}
	line_add(&l, "#%.1f,%s,", now_s, kind);
	for (; *text && l.len < 200; text++)
		line_add(&l, "%c", (unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text);
	line_add(&l, "\n");
	put(s, &l);
}

void series_close(struct series *s)
{
	if (!s)
		return;
	close(s->fd);
	free(s);
}
