/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "caps/caps.h"

#include "probe.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

struct capability {
	const char *name, *help;
	const char *(*probe)(struct probe *p);
};

static const struct capability table[CAPS_COUNT] = {
#define X(id, name_, help_) [CAP_HAS_##id] = {#name_, help_, probe_##name_},
	CAPS_LIST(X)
#undef X
};

enum answer { UNASKED, YES, NO };

static const struct machine *machine;
static const char *disk_dir_wanted;
static char disk_dir[PROBE_DIR_MAX];
static enum answer answers[CAPS_COUNT];
static char reasons[CAPS_COUNT][PROBE_WHY_MAX];

void caps_setup(const struct machine *m, const char *dir)
{
	machine = m;
	disk_dir_wanted = dir;
	disk_dir[0] = '\0';
	memset(answers, 0, sizeof(answers));
}

const char *caps_missing(enum cap c)
{
	struct probe p = {.m = machine, .dir = disk_dir_wanted, .disk_dir = disk_dir};
	const char *why;

	if (answers[c] == UNASKED) {
		why = table[c].probe(&p);
		if (why)
			snprintf(reasons[c], sizeof(reasons[c]), "%s", why);
		answers[c] = why ? NO : YES;
	}
	return answers[c] == YES ? NULL : reasons[c];
}

const char *caps_disk_dir(void)
{
	return caps_missing(CAP_HAS_FS_PUNCH) ? NULL : disk_dir;
}

const char *caps_name(enum cap c)
{
	return table[c].name;
}

const char *caps_help(enum cap c)
{
	return table[c].help;
}

const char *probe_no(struct probe *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	return p->why;
}

void *probe_map(size_t size)
{
	char *map = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	if (map == MAP_FAILED)
		return NULL;
	before = (size_t)(-(uintptr_t)map & (size - 1));
	if (before)
		munmap(map, before);
	munmap(map + before + size, size - before);
	return map + before;
}

void probe_unmap(void *map, size_t size)
{
	munmap(map, size);
}
