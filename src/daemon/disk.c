/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disk budget: run directories without findings go, oldest first; findings, and what a death left, stay. */
#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "service.h"

static uint64_t walked;

static int add_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	walked += (uint64_t)st->st_blocks * 512;
	return 0;
}

static uint64_t size_of(const char *dir)
{
	walked = 0;
	nftw(dir, add_file, 16, FTW_PHYS | FTW_MOUNT);
	return walked;
}

static bool has_entries(const char *dir)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	const struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			return true;
	return false;
}

/* Nothing was found in it, and the machine did not die in it. */
static bool is_clean(const struct service *s, const char *dir)
{
	char path[PATH_MAX];

	if (s->state.slice.active && strcmp(s->state.slice.dir, dir) == 0)
		return false;
	snprintf(path, sizeof(path), "%s/lost", dir);
	if (access(path, F_OK) == 0)
		return false;
	snprintf(path, sizeof(path), "%s/run/findings", dir);
	return !has_entries(path);
}

/* 000012-name: the number goes first, so that names sort by age. */
static int is_run(const struct dirent *e)
{
	return e->d_name[0] >= '0' && e->d_name[0] <= '9';
}

static bool is_going(const struct service *s, const char *dir)
{
	for (unsigned int i = 0; i < s->nhelpers; i++)
		if (s->helper[i].kind == HELPER_REMOVE && strcmp(s->helper[i].path, dir) == 0)
			return true;
	return false;
}

void disk_check(struct service *s)
{
	uint64_t used = size_of(s->config.work), findings, size;
	struct dirent **list = NULL;
	char path[PATH_MAX];
	int n = scandir(s->runs, &list, is_run, alphasort);

	snprintf(path, sizeof(path), "%s/findings", s->config.state);
	findings = strncmp(path, s->config.work, strlen(s->config.work)) == 0 ? 0 : size_of(path);
	used += findings;
	s->disk_used = used;
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", s->runs, list[i]->d_name);
		free(list[i]);
		if (used <= s->config.disk || strlen(path) >= CONFIG_PATH_MAX || !is_clean(s, path))
			continue;
		size = size_of(path);
		used -= size < used ? size : used;
		if (!is_going(s, path) && s->nhelpers < HELPERS_MAX - 4)
			helper_add(s, HELPER_REMOVE, path);
	}
	free(list);
	if (used > s->config.disk && !s->disk_full)
		events_add(&s->events, EVENT_TROUBLE, NULL, 0,
			"the disk budget is full of findings: nothing begins until there is room");
	s->disk_full = used > s->config.disk;
}
