/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "budget.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "sys/ledger.h"

#define TOP "/sys/fs/cgroup"

enum { GROUP_MAX = 512, CPU_PERIOD_US = 100000 };

struct budget {
	char own[GROUP_MAX]; /* the group that the daemon was started in */
	char group[GROUP_MAX]; /* that of the runs */
	struct ledger
		*ledger; /* NULL: the group is below a delegated one, which goes with the service */
	int fd;
};

static int wrong(char err[CONFIG_ERR_MAX], const char *what, int e)
{
	snprintf(err, CONFIG_ERR_MAX, "%s: %s", what, strerror(-e));
	return e;
}

static int write_file(const char *group, const char *name, const char *value)
{
	char path[GROUP_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", group, name);
	return path_write(path, value);
}

/* The line "0::/system.slice/sunderd.service" of cgroup v2. */
static int find_own(char buf[GROUP_MAX])
{
	char text[4096], *cursor = text, *line;

	if (path_read("/proc/self/cgroup", text, sizeof(text)) < 0)
		return -ENOENT;
	while ((line = strsep(&cursor, "\n")))
		if (strncmp(line, "0::/", 4) == 0 &&
			snprintf(buf, GROUP_MAX, TOP "%s",
				strcmp(line + 3, "/") == 0 ? "" : line + 3) < GROUP_MAX - 64)
			return 0;
	return -ENOENT;
}

static bool is_delegated(const char *group)
{
	char v[8];

	return getxattr(group, "trusted.delegate", v, sizeof(v)) > 0 ||
	       getxattr(group, "user.delegate", v, sizeof(v)) > 0;
}

/* A group with controllers has no processes of its own: the daemon goes into one beside that of the runs. */
static int below_delegated(struct budget *b)
{
	char beside[GROUP_MAX + 16];
	int r;

	snprintf(beside, sizeof(beside), "%s/daemon", b->own);
	snprintf(b->group, sizeof(b->group), "%.*s/runs", GROUP_MAX - 8, b->own);
	if ((mkdir(beside, 0755) < 0 && errno != EEXIST) ||
		(mkdir(b->group, 0755) < 0 && errno != EEXIST))
		return -errno;
	r = write_file(beside, "cgroup.procs", "0");
	return r < 0 ? r : write_file(b->own, "cgroup.subtree_control", "+memory +cpu");
}

/* No service manager: a group below the top. */
static int below_top(struct budget *b, const char *work)
{
	char now[512], want[640];
	size_t undone;
	int r = ledger_open(work, &b->ledger, &undone);

	snprintf(b->group, sizeof(b->group), TOP "/sunderd");
	if (r == 0)
		r = ledger_guard(b->ledger);
	if (r < 0 || path_read(TOP "/cgroup.subtree_control", now, sizeof(now)) < 0)
		return r < 0 ? r : -ENOENT;
	snprintf(want, sizeof(want), "%s%s%s", now, strstr(now, "memory") ? "" : " memory",
		strstr(now, "cpu ") || strcmp(now, "cpu") == 0 ? "" : " cpu");
	r = ledger_write(b->ledger, TOP "/cgroup.subtree_control", want + strspn(want, " "));
	if (r == 0)
		r = ledger_mkdir(b->ledger, b->group);
	return r == -EEXIST ? 0 : r;
}

int budget_set(struct budget *b, const struct config *c)
{
	char text[64];
	int r;

	if (!b)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64, c->memory);
	r = write_file(b->group, "memory.max", c->memory ? text : "max");
	snprintf(
		text, sizeof(text), "%u %d", c->cpu_percent * (CPU_PERIOD_US / 100), CPU_PERIOD_US);
	if (!c->cpu_percent)
		snprintf(text, sizeof(text), "max %d", CPU_PERIOD_US);
	return r < 0 ? r : write_file(b->group, "cpu.max", text);
}

int budget_open(const struct config *c, struct budget **ret, char err[CONFIG_ERR_MAX])
{
	struct budget *b;
	int r;

	*ret = NULL;
	if (!c->memory && !c->cpu_percent)
		return 0;
	b = calloc(1, sizeof(*b));
	if (!b)
		return wrong(err, "budget", -ENOMEM);
	b->fd = -1;
	r = find_own(b->own);
	if (r < 0)
		wrong(err, "there is no cgroup v2", r);
	else if (is_delegated(b->own))
		r = below_delegated(b);
	else if (strcmp(b->own, TOP) == 0)
		r = below_top(b, c->work);
	else
		r = -EPERM;
	if (r == 0)
		r = budget_set(b, c);
	if (r == 0) {
		b->fd = open(b->group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = b->fd < 0 ? -errno : 0;
	}
	if (r < 0) {
		snprintf(err, CONFIG_ERR_MAX,
			"memory and cpu are not limited: no cgroup below %.200s (is it "
			"delegated?): %s",
			b->own[0] ? b->own : TOP, strerror(-r));
		budget_close(b);
		return r;
	}
	*ret = b;
	return 0;
}

int budget_cgroup(const struct budget *b)
{
	return b ? b->fd : -1;
}

void budget_close(struct budget *b)
{
	if (!b)
		return;
	cleanup_close(&b->fd);
	if (b->ledger) {
		ledger_restore(b->ledger, NULL);
		ledger_close(b->ledger);
	} else if (b->group[0]) {
		rmdir(b->group);
	}
	free(b);
}
