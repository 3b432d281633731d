/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The layers of feedback, and which part of afl-fuzz's map each has: append-only, for a campaign's bitmap outlives a build. */
#ifndef SUNDER_FUZZ_REGIONS_H
#define SUNDER_FUZZ_REGIONS_H

#include <stdint.h>

/* X(ENUM, name, bytes): powers of two */
#define LAYER_LIST(X)              \
	X(KCOV, kcov, 65536)       \
	X(ERRNO, errno, 16384)     \
	X(OVERLAP, overlap, 32768) \
	X(STATE, state, 8192)      \
	X(VMSTAT, vmstat, 4096)    \
	X(TRACE, trace, 4096)

enum layer {
#define X(id, name, bytes) LAYER_##id,
	LAYER_LIST(X)
#undef X
		LAYER_COUNT
};

enum {
	MAP_SIZE = 0
#define X(id, name, bytes) +(bytes)
	LAYER_LIST(X)
#undef X
};
_Static_assert(MAP_SIZE % 64 == 0, "afl-fuzz wants it so");

struct region {
	const char *name;
	uint32_t from, size;
};
extern const struct region region_of[LAYER_COUNT];

int layer_find(const char *name); /* enum layer or -ENOENT */

#endif
