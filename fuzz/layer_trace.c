/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often the tracepoints of migration, huge pages, compaction and hugetlbfs were hit, on all CPUs, in powers of four. They count
 * also what kernel threads do: khugepaged, kcompactd, workers of io_uring. One group of counters a CPU, so one read a CPU.
 */
#include "layers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"

enum { EVENTS_MAX = 96, CPUS_MAX = 64 };

static const char *const systems[] = {
	"migrate", "huge_memory", "compaction", "hugetlbfs", "thp", "ksm"};

struct trace_watch {
	unsigned int nevents, ncpus;
	uint64_t id[EVENTS_MAX], hash[EVENTS_MAX];
	int fd[CPUS_MAX][EVENTS_MAX]; /* [0]: the group's leader */
	uint64_t before[EVENTS_MAX];
};

static int open_event(uint64_t id, int cpu, int group)
{
	struct perf_event_attr a = {.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(a),
		.config = id,
		.read_format = PERF_FORMAT_GROUP};

	return (int)syscall(SYS_perf_event_open, &a, -1, cpu, group, PERF_FLAG_FD_CLOEXEC);
}

static uint64_t hash_name(const char *system, const char *name)
{
	uint64_t h = 0;

	for (; *system; system++)
		h = mix2(h, (unsigned char)*system);
	for (; *name; name++)
		h = mix2(h, (unsigned char)*name);
	return h;
}

static void add_system(struct trace_watch *w, const char *events, const char *system)
{
	char path[512];
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *e;

	snprintf(path, sizeof(path), "%.200s/%s", events, system);
	d = opendir(path);
	while (d && (e = readdir(d)) && w->nevents < EVENTS_MAX) {
		unsigned long long id;

		snprintf(path, sizeof(path), "%.200s/%s/%.200s/id", events, system, e->d_name);
		if (e->d_name[0] == '.' || path_read_u64(path, &id) < 0)
			continue;
		w->id[w->nevents] = id;
		w->hash[w->nevents++] = hash_name(system, e->d_name);
	}
}

/* Not by way of debugfs: looking there mounts it, for good. */
static void find_events(struct trace_watch *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(systems); i++)
		add_system(w, "/sys/kernel/tracing/events", systems[i]);
}

static int open_cpu(struct trace_watch *w, int cpu)
{
	int *fd = w->fd[w->ncpus];
	unsigned int n = 0;

	for (unsigned int i = 0; i < w->nevents; i++) {
		fd[i] = open_event(w->id[i], cpu, i ? fd[0] : -1);
		if (fd[i] < 0)
			break;
		n++;
	}
	if (n == w->nevents) {
		w->ncpus++;
		return 0;
	}
	for (unsigned int i = 0; i < n; i++)
		close(fd[i]);
	return -errno;
}

const char *trace_open(struct trace_watch **ret)
{
	static char why[160];
	struct trace_watch *w = calloc(1, sizeof(*w));
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	int e = 0;

	if (!w)
		return "no memory";
	find_events(w);
	for (int cpu = 0; w->nevents && cpu < cpus && w->ncpus < CPUS_MAX; cpu++)
		e = open_cpu(w, cpu);
	if (w->ncpus) {
		*ret = w;
		return NULL;
	}
	if (w->nevents)
		snprintf(why, sizeof(why), "perf_event_open: %s", strerror(-e));
	else
		snprintf(why, sizeof(why),
			"no tracepoints below /sys/kernel/tracing (needs root and tracefs)");
	free(w);
	return why;
}

void trace_close(struct trace_watch *w)
{
	for (unsigned int c = 0; w && c < w->ncpus; c++)
		for (unsigned int i = 0; i < w->nevents; i++)
			close(w->fd[c][i]);
	free(w);
}

static void read_counts(const struct trace_watch *w, uint64_t ret[EVENTS_MAX])
{
	struct {
		uint64_t n, value[EVENTS_MAX];
	} group;

	memset(ret, 0, EVENTS_MAX * sizeof(*ret));
	for (unsigned int c = 0; c < w->ncpus; c++)
		if (read(w->fd[c][0], &group, sizeof(group)) > 0)
			for (unsigned int i = 0; i < group.n && i < w->nevents; i++)
				ret[i] += group.value[i];
}

void trace_begin(struct trace_watch *w)
{
	read_counts(w, w->before);
}

void layer_trace(struct trace_watch *w, struct marks *m)
{
	uint64_t now[EVENTS_MAX];

	read_counts(w, now);
	for (unsigned int i = 0; i < w->nevents; i++) {
		uint64_t delta = now[i] - w->before[i];

		if (delta)
			marks_add(m, LAYER_TRACE,
				mix2(w->hash[i], (unsigned int)(63 - __builtin_clzll(delta)) / 2),
				0);
		w->before[i] = now[i];
	}
}
