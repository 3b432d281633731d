/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroup.h"

#include "base/path.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

struct version {
	const char *root, *limit, *usage, *droppable;
};

static const struct version versions[] = {
	{"/sys/fs/cgroup", "memory.max", "memory.current", "\ninactive_file "},
	{"/sys/fs/cgroup/unified", "memory.max", "memory.current", "\ninactive_file "},
	{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
		"\ntotal_inactive_file "},
};

static int read_number(
	const struct version *v, const char *group, const char *file, unsigned long long *ret)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s%s/%s", v->root, group, file) >= (int)sizeof(path))
		return -1;
	return path_read_u64(path, ret);
}

static unsigned long long droppable(const struct version *v, const char *group)
{
	char path[PATH_MAX], text[16384], *at;
	unsigned long long n = 0;

	if (snprintf(path, sizeof(path), "%s%s/memory.stat", v->root, group) >= (int)sizeof(path) ||
		path_read(path, text, sizeof(text)) < 0)
		return 0;
	at = strstr(text, v->droppable);
	if (at && sscanf(at + strlen(v->droppable), "%llu", &n) != 1)
		n = 0;
	return n;
}

/* "max" is no number, and so no limit. */
static uint64_t group_left(const struct version *v, const char *group)
{
	unsigned long long limit, usage, cache;

	if (read_number(v, group, v->limit, &limit) < 0 ||
		read_number(v, group, v->usage, &usage) < 0)
		return UINT64_MAX;
	cache = droppable(v, group);
	usage -= cache < usage ? cache : usage;
	return limit > usage ? limit - usage : 0;
}

/* A container may see its own group as the root: missing groups are passed over on the way up. */
static uint64_t path_left(const struct version *v, char *group)
{
	uint64_t left = UINT64_MAX, here;
	char *slash;

	for (;;) {
		here = group_left(v, group);
		left = here < left ? here : left;
		slash = strrchr(group, '/');
		if (!slash)
			return left;
		*slash = '\0';
	}
}

static bool is_memory_line(const char *controllers)
{
	const char *at = strstr(controllers, "memory");

	return at && (at == controllers || at[-1] == ',') && (at[6] == ',' || at[6] == '\0');
}

uint64_t cgroup_memory_left(void)
{
	uint64_t left = UINT64_MAX, here;
	char text[8192], group[PATH_MAX];

	if (path_read("/proc/self/cgroup", text, sizeof(text)) < 0)
		return left;
	for (char *save, *line = strtok_r(text, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		bool v2;

		if (!path)
			continue;
		*path++ = '\0';
		v2 = controllers[1] == '\0';
		if (!v2 && !is_memory_line(controllers + 1))
			continue;
		for (size_t i = v2 ? 0 : 2; i < (v2 ? 2 : 3); i++) {
			snprintf(group, sizeof(group), "%s", path);
			here = path_left(&versions[i], group);
			left = here < left ? here : left;
		}
	}
	return left;
}
