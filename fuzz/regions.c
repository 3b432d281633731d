/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "regions.h"

#include <errno.h>
#include <string.h>

/* Where each begins: the enumerators count on from the end of the one before. */
enum {
#define X(id, name, bytes) FROM_##id, LAST_##id = FROM_##id + (bytes)-1,
	LAYER_LIST(X)
#undef X
};

const struct region region_of[LAYER_COUNT] = {
#define X(id, name, bytes) [LAYER_##id] = {#name, FROM_##id, bytes},
	LAYER_LIST(X)
#undef X
};

int layer_find(const char *name)
{
	for (int i = 0; i < LAYER_COUNT; i++)
		if (strcmp(region_of[i].name, name) == 0)
			return i;
	return -ENOENT;
}
