/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the machine was like when something was found: for whoever was not there. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "sink.h"

enum { FILE_MAX = 256 << 10, SYSLOG_READ_ALL = 3, SYSLOG_SIZE = 10, LINES_BEFORE = 50 };

static char *slurp(const char *path)
{
	char *buf = malloc(FILE_MAX);

	if (buf && path_read(path, buf, FILE_MAX) < 0) {
		free(buf);
		return NULL;
	}
	return buf;
}

static void print_file(const char *path, FILE *out)
{
	_cleanup_free_ char *text = slurp(path);

	if (!text)
		return;
	fprintf(out, "== %s\n", path);
	print_clean(text, out);
	fputc('\n', out);
}

static void print_nodes(const struct machine *m, FILE *out)
{
	static const char *const files[] = {"meminfo", "vmstat", "distance", "cpulist"};
	char path[96];

	for (int i = 0; m && i < m->nnodes; i++)
		for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
			snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/%s",
				m->node[i].id, files[k]);
			print_file(path, out);
		}
}

static void print_knobs(FILE *out)
{
	static const char *const paths[] = {"/sys/kernel/mm/transparent_hugepage/enabled",
		"/sys/kernel/mm/transparent_hugepage/defrag",
		"/sys/kernel/mm/transparent_hugepage/shmem_enabled",
		"/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs",
		"/sys/kernel/mm/transparent_hugepage/khugepaged/pages_to_scan",
		"/sys/kernel/mm/ksm/run", "/proc/sys/kernel/numa_balancing",
		"/proc/sys/vm/overcommit_memory", "/proc/sys/vm/zone_reclaim_mode"};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char value[256];

		if (path_read(paths[i], value, sizeof(value)) >= 0)
			fprintf(out, "%s: %s\n", paths[i], value);
	}
}

/* The value of a vmstat line in an older copy of it; 0 if it has none. */
static uint64_t old_value(const char *old, const char *name, size_t len)
{
	const char *p = old;

	while (p && *p) {
		if (strncmp(p, name, len) == 0 && p[len] == ' ')
			return strtoull(p + len, NULL, 10);
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	return 0;
}

static void print_deltas(const char *old, const char *what, FILE *out)
{
	_cleanup_free_ char *now = slurp("/proc/vmstat");
	char *cursor = now, *line;

	if (!now || !old)
		return;
	fprintf(out, "== /proc/vmstat, what changed since %s\n", what);
	while ((line = strsep(&cursor, "\n"))) {
		size_t len = strcspn(line, " ");
		uint64_t value = line[len] ? strtoull(line + len, NULL, 10) : 0;
		int64_t delta = (int64_t)(value - old_value(old, line, len));

		if (delta)
			fprintf(out, "%.*s %+" PRId64 "\n", (int)len, line, delta);
	}
}

char *report_vmstat(void)
{
	return slurp("/proc/vmstat");
}

void report_context(
	const struct run_result *r, const char *vmstat_start, const char *vmstat_last, FILE *out)
{
	print_file("/proc/version", out);
	print_file("/proc/cmdline", out);
	print_file("/proc/sys/kernel/tainted", out);
	print_file("/proc/sys/kernel/random/boot_id", out);
	print_file("/proc/uptime", out);
	fputs("== knobs\n", out);
	print_knobs(out);
	print_deltas(vmstat_last, "a second ago", out);
	print_deltas(vmstat_start, "the run's start", out);
	print_file("/proc/meminfo", out);
	print_file("/proc/buddyinfo", out);
	print_nodes(r->machine, out);
}

/* The last n lines of text. */
static const char *tail_of(const char *text, unsigned int n)
{
	const char *p = text + strlen(text);

	while (p > text) {
		if (p[-1] == '\n' && p[0] && n-- == 0)
			break;
		p--;
	}
	return p;
}

char *report_log_tail(void)
{
	int size = klogctl(SYSLOG_SIZE, NULL, 0);
	_cleanup_free_ char *buf = size > 0 ? calloc(1, (size_t)size + 1) : NULL;

	if (!buf || klogctl(SYSLOG_READ_ALL, buf, size) < 0)
		return NULL;
	return strdup(tail_of(buf, LINES_BEFORE));
}
