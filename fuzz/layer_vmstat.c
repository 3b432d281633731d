/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much the kernel's own counters of events moved, in powers of four. */
#include "layers.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"

enum { TEXT_MAX = 16384, COUNTERS_MAX = 256 };

/* Counters of events only: what is there at the moment goes up and down with everybody. */
static const char *const prefix[] = {"thp_", "pgmigrate_", "numa_pages_", "numa_huge_",
	"numa_hint_", "numa_pte_", "compact_", "htlb_", "unevictable_pgs_", "thp_swp", "pswp",
	"pgrotated", "pglazyfree", "ksm_", "cow_ksm", "split_"};

struct vmstat_watch {
	int fd;
	char text[TEXT_MAX];
	unsigned int n;
	bool wanted[COUNTERS_MAX]; /* by line */
	uint64_t before[COUNTERS_MAX];
};

static bool is_wanted(const char *name)
{
	for (size_t i = 0; i < sizeof(prefix) / sizeof(*prefix); i++)
		if (strncmp(name, prefix[i], strlen(prefix[i])) == 0)
			return true;
	return false;
}

/* The values of the counters of which wanted[] says so, by line; names: also says so. */
static void read_values(struct vmstat_watch *w, uint64_t *values, bool names)
{
	ssize_t len = pread(w->fd, w->text, TEXT_MAX - 1, 0);
	char *p = w->text;
	unsigned int line = 0;

	if (len <= 0)
		return;
	w->text[len] = '\0';
	for (; *p && line < COUNTERS_MAX; line++) {
		char *end = strchr(p, '\n'), *space = strchr(p, ' ');

		if (!end || !space)
			break;
		if (names)
			w->wanted[line] = is_wanted(p);
		if (w->wanted[line])
			values[line] = strtoull(space + 1, NULL, 10);
		p = end + 1;
	}
	w->n = line;
}

const char *vmstat_open(struct vmstat_watch **ret)
{
	struct vmstat_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return "no memory";
	w->fd = path_open("/proc/vmstat", O_RDONLY);
	if (w->fd < 0) {
		free(w);
		return "/proc/vmstat cannot be read";
	}
	read_values(w, w->before, true);
	*ret = w;
	return NULL;
}

void vmstat_close(struct vmstat_watch *w)
{
	if (w)
		close(w->fd);
	free(w);
}

void vmstat_begin(struct vmstat_watch *w)
{
	read_values(w, w->before, false);
}

bool layer_vmstat(struct vmstat_watch *w, struct marks *m)
{
	uint64_t now[COUNTERS_MAX];
	bool moved = false;

	memcpy(now, w->before, sizeof(now));
	read_values(w, now, false);
	for (unsigned int i = 0; i < w->n; i++) {
		uint64_t delta = now[i] - w->before[i];

		if (delta && w->wanted[i]) {
			marks_add(m, LAYER_VMSTAT,
				mix2(i, (unsigned int)(63 - __builtin_clzll(delta)) / 2), 0);
			moved = true;
		}
		w->before[i] = now[i];
	}
	return moved;
}
