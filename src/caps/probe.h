/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of caps: what a probe gets and how it answers. One function a capability, probe_<name>().
 */
#ifndef SUNDER_CAPS_PROBE_H
#define SUNDER_CAPS_PROBE_H

#include "caps/caps.h"

#include <stddef.h>

enum { PROBE_WHY_MAX = 256 };

struct probe {
	const struct machine *m;
	const char *dir; /* for disk files; may be NULL */
	char *disk_dir; /* set by probe_fs_punch: PROBE_DIR_MAX bytes */
	char why[PROBE_WHY_MAX];
};

enum { PROBE_DIR_MAX = 4096 };

/* Each returns NULL where the machine has it, else one line, often in p->why. */
#define X(id, name, help) const char *probe_##name(struct probe *p);
CAPS_LIST(X)
#undef X

/* Formats the answer "no" into p->why and returns it. */
const char *probe_no(struct probe *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * An anonymous private mapping, read-write, aligned to its size (a power of two). NULL if there is
 * no memory.
 */
void *probe_map(size_t size);
void probe_unmap(void *map, size_t size);

#endif
