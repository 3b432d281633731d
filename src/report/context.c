/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the machine was like when something was found: for whoever was not there. */
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/utsname.h>
#include <zlib.h>

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

static void print_values(const char *const *globs, FILE *out)
{
	for (; *globs; globs++) {
		char value[256];
		glob_t g;

		if (glob(*globs, 0, NULL, &g) != 0)
			continue;
		for (size_t k = 0; k < g.gl_pathc; k++)
			if (path_read(g.gl_pathv[k], value, sizeof(value)) >= 0)
				fprintf(out, "%s: %s\n", g.gl_pathv[k], value);
		globfree(&g);
	}
}

#define THP "/sys/kernel/mm/transparent_hugepage/"
static const char *const knobs[] = {THP "[!k]*", THP "khugepaged/[!f]*", THP "hugepages-*/*enabled",
	"/sys/kernel/mm/hugepages/hugepages-*/nr_hugepages",
	"/sys/kernel/mm/hugepages/hugepages-*/nr_overcommit_hugepages", "/sys/kernel/mm/ksm/run",
	"/proc/sys/kernel/numa_balancing", "/proc/sys/vm/overcommit_memory",
	"/proc/sys/vm/zone_reclaim_mode", "/proc/sys/vm/swappiness", NULL};
static const char *const state[] = {THP "khugepaged/f*", THP "hugepages-*/stats/*",
	"/sys/kernel/mm/hugepages/hugepages-*/[frs]*",
	"/sys/devices/system/node/node*/hugepages/hugepages-*/*", NULL};

/* ---- the kernel's configuration ---- */

/* What of it bears on memory, and on what the kernel checks. */
static bool config_matters(const char *line)
{
	static const char *const words[] = {"HUGE", "NUMA", "MIGRAT", "COMPACTION", "MEMORY",
		"MEMCG", "SWAP", "SHMEM", "TMPFS", "USERFAULT", "HMM", "DEVICE_PRIVATE", "KSM",
		"PAGE_", "SLUB", "DEBUG_VM", "DEBUG_LIST", "KASAN", "KMSAN", "KCSAN", "KFENCE",
		"UBSAN", "LOCKDEP", "PROVE_", "PREEMPT", "DETECT_HUNG", "LOCKUP", "PSTORE",
		"LRU_GEN", "PER_VMA", "MMU_NOTIFIER", "INIT_ON_", "RANDSTRUCT", "CC_VERSION"};

	if (strncmp(line, "CONFIG_", 7) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

static gzFile open_config(char *path, size_t size)
{
	static const char *const places[][2] = {{"/boot/config-", ""}, {"/lib/modules/", "/config"},
		{"/lib/modules/", "/build/.config"}};
	struct utsname u;
	gzFile f;

	snprintf(path, size, "/proc/config.gz");
	f = gzopen(path, "rbe");
	for (size_t i = 0; !f && uname(&u) == 0 && i < ARRAY_SIZE(places); i++) {
		snprintf(path, size, "%s%s%s", places[i][0], u.release, places[i][1]);
		f = gzopen(path, "rbe");
	}
	return f;
}

static void print_config(FILE *out)
{
	char path[256], line[512];
	gzFile f = open_config(path, sizeof(path));

	if (!f) {
		fputs("== configuration\nneither /proc/config.gz nor /boot has it\n", out);
		return;
	}
	fprintf(out, "== %s, what bears on memory and on checks\n", path);
	while (gzgets(f, line, sizeof(line)))
		if (config_matters(line))
			print_clean(line, out);
	gzclose(f);
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
	print_config(out);
	fputs("== knobs\n", out);
	print_values(knobs, out);
	fputs("== huge pages\n", out);
	print_values(state, out);
	print_deltas(vmstat_last, "a second ago", out);
	print_deltas(vmstat_start, "the run's start", out);
	print_file("/proc/meminfo", out);
	print_file("/proc/buddyinfo", out);
	print_file("/proc/swaps", out);
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
