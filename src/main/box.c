/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The box of a run whose plan has disruptive ops: knobs recorded, cgroups and a swap file made, all through the ledger. */
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "sys/ledger.h"

/* ---- the swap file ---- */

enum { SWAP_MB = 256, SWAP_LEAST_MB = 32, SWAP_VERSION_AT = 1024 };

/* As mkswap(8) writes it: union swap_header in include/linux/swap.h. */
static int write_swap_header(int fd, size_t page, uint64_t size)
{
	uint32_t info[3] = {1, (uint32_t)(size / page - 1), 0}; /* version, last page, bad pages */
	char *header = calloc(1, page);
	ssize_t n;

	if (!header)
		return -ENOMEM;
	memcpy(header + SWAP_VERSION_AT, info, sizeof(info));
	memcpy(header + page - 10, "SWAPSPACE2", 10);
	n = pwrite(fd, header, page, 0);
	free(header);
	if (n != (ssize_t)page)
		return n < 0 ? -errno : -EIO;
	return fsync(fd) < 0 ? -errno : 0;
}

static int make_swap_file(const char *path, size_t page)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	uint64_t mb = SWAP_MB;

	if (fd < 0)
		return -errno;
	/* Half as much where the disk is short. */
	while (fallocate(fd, 0, 0, (off_t)(mb << 20)) < 0) {
		if (errno != ENOSPC || mb <= SWAP_LEAST_MB)
			return -errno;
		mb /= 2;
		if (ftruncate(fd, 0) < 0)
			return -errno;
	}
	return write_swap_header(fd, page, mb << 20);
}

static int setup_swap(struct run *r)
{
	char *path = r->box.swap;
	int e;

	if (!caps_disk_dir())
		return -ENOENT;
	snprintf(path, sizeof(r->box.swap), "%s/sunder-swap-%d", caps_disk_dir(), (int)getpid());
	e = ledger_file(r->ledger, path);
	if (e == 0)
		e = make_swap_file(path, r->machine.page_size);
	if (e == 0)
		e = ledger_swapon(r->ledger, path);
	if (e < 0) {
		log_warn("swap file %s: %s", path, strerror(-e));
		path[0] = '\0';
	}
	return e;
}

/* ---- cgroups ---- */

static const struct {
	enum cap cap;
	const char *name;
} controllers[] = {{CAP_HAS_CGROUP_MEMORY, "memory"}, {CAP_HAS_CGROUP_HUGETLB, "hugetlb"},
	{CAP_HAS_CGROUP_CPUSET, "cpuset"}};

static bool lists(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (; *list; list += strcspn(list, " "), list += *list == ' ')
		if (strcspn(list, " ") == len && strncmp(list, word, len) == 0)
			return true;
	return false;
}

/* Has the group's children get the controllers; what it delegates already stays. */
static int delegate(struct run *r, const char *group)
{
	char path[BOX_PATH + 64], now[512], want[640];
	size_t len;

	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", group);
	if (path_read(path, now, sizeof(now)) < 0)
		return -errno;
	len = (size_t)snprintf(want, sizeof(want), "%s", now);
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
		if (!caps_missing(controllers[i].cap) && !lists(now, controllers[i].name))
			len += (size_t)snprintf(want + len, sizeof(want) - len, "%s%s",
				len ? " " : "", controllers[i].name);
	return ledger_write(r->ledger, path, want);
}

static int setup_cgroup(struct run *r)
{
	char *group = r->box.cgroup;
	const char *top = caps_cgroup_top();
	int e;

	if (!top)
		return -ENOENT;
	snprintf(group, sizeof(r->box.cgroup), "%s/sunder-%d", top, (int)getpid());
	e = delegate(r, top);
	if (e == 0)
		e = ledger_mkdir(r->ledger, group);
	if (e == 0)
		e = delegate(r, group);
	if (e < 0) {
		log_warn("cgroup %s: %s%s", group, strerror(-e),
			e == -EBUSY ? " (a container's top group has processes of its own)" : "");
		group[0] = '\0';
	}
	return e;
}

bool setup_places_of_ops(struct run *r)
{
	uint32_t uses = plan_uses(r->plan);
	bool changed = false;

	if (uses & OP_USES_SWAP && !caps_missing(CAP_HAS_OWN_SWAP))
		changed |= setup_swap(r) == 0;
	if (uses & OP_USES_CGROUP)
		changed |= setup_cgroup(r) == 0;
	return changed;
}

/* Crews that run at a time: those of one turn. */
static unsigned int most_crews(struct plan *p)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < plan_nparts(p); i++)
		if (plan_part(p, i)->ncrews > n)
			n = plan_part(p, i)->ncrews;
	return n;
}

/* ---- knobs ---- */

static bool known(const struct box *b, const char *path)
{
	for (unsigned int i = 0; i < b->nknobs; i++)
		if (strcmp(b->knob[i].path, path) == 0)
			return true;
	return false;
}

static int read_value(const char *path, char *buf, size_t size)
{
	int e = path_read_choice(path, buf, size);
	ssize_t n;

	if (e != -EINVAL)
		return e;
	n = path_read(path, buf, size);
	return n < 0 ? (int)n : n == (ssize_t)size - 1 ? -EFBIG : 0;
}

/* Of the machine's knobs the ledger has the value before anyone writes them; those of a cgroup go with it. */
static int add_knob(struct run *r, const char *path, bool keep, int crew)
{
	struct box *b = &r->box;
	struct box_knob *grown, *k;
	int e;

	if (known(b, path))
		return 0;
	grown = reallocarray(b->knob, b->nknobs + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	b->knob = grown;
	k = &grown[b->nknobs];
	*k = (struct box_knob){.keep = keep, .crew = crew};
	if (snprintf(k->path, sizeof(k->path), "%s", path) >= (int)sizeof(k->path))
		return -ENAMETOOLONG;
	e = keep ? read_value(path, k->value, sizeof(k->value)) : 0;
	if (e == 0 && keep && crew < 0)
		e = ledger_hold(r->ledger, path);
	if (e == 0)
		b->nknobs++;
	else
		log_warn("%s is left alone: its value cannot be recorded: %s", path, strerror(-e));
	return e;
}

/* At most BOX_PER_GLOB of what the glob finds, evenly spread. Returns how many the box has of them, or -ENOMEM. */
static int add_glob(struct run *r, const char *pattern, bool keep, int crew)
{
	glob_t g = {0};
	int n = 0;

	if (glob(pattern, 0, NULL, &g) == 0) {
		size_t most = g.gl_pathc < BOX_PER_GLOB ? g.gl_pathc : BOX_PER_GLOB;

		for (size_t i = 0; i < most; i++)
			n += add_knob(r, g.gl_pathv[i * g.gl_pathc / most], keep, crew) == 0;
	}
	globfree(&g);
	return n;
}

static int add_group_glob(struct run *r, const char *pattern, bool keep)
{
	char path[2 * BOX_PATH];
	int n = 0;

	for (unsigned int i = 0; r->box.cgroup[0] && i < most_crews(r->plan); i++) {
		snprintf(path, sizeof(path), "%s/crew%u/%s", r->box.cgroup, i, pattern);
		n += add_glob(r, path, keep, (int)i);
	}
	return n;
}

/* The first glob is what the op cannot do without. */
static int add_knobs(struct run *r, unsigned int number)
{
	const struct op *op = op_get(number);
	char why[192];

	for (unsigned int i = 0; op->knobs && op->knobs[i]; i++) {
		const char *pattern = op->knobs[i];
		bool keep = *pattern != BOX_STATELESS;
		int n;

		pattern += !keep;
		n = *pattern == '/' ? add_glob(r, pattern, keep, -1)
				    : add_group_glob(r, pattern, keep);
		if (n > 0 || i > 0)
			continue;
		snprintf(why, sizeof(why), "no %s%s that it may write",
			*pattern == '/' ? "" : "cgroup file ", pattern);
		return plan_lose_op(r->plan, number, why);
	}
	return 0;
}

/* All nodes, by name: a group with tasks cannot go back to the empty list, which means its parent's. Goes with the group. */
static void name_nodes(const char *group)
{
	char path[BOX_PATH + 64], nodes[512];

	snprintf(path, sizeof(path), "%s/cpuset.mems.effective", group);
	if (path_read(path, nodes, sizeof(nodes)) <= 0)
		return;
	snprintf(path, sizeof(path), "%s/cpuset.mems", group);
	path_write(path, nodes);
}

static int make_crew_groups(struct run *r)
{
	char path[BOX_PATH + 32];

	for (unsigned int i = 0; r->box.cgroup[0] && i < most_crews(r->plan); i++) {
		int e;

		snprintf(path, sizeof(path), "%s/crew%u", r->box.cgroup, i);
		e = ledger_mkdir(r->ledger, path);
		if (e < 0) {
			log_error("cgroup %s: %s", path, strerror(-e));
			return e;
		}
		name_nodes(path);
	}
	return 0;
}

static bool needs_cap(const struct op *op, enum cap cap)
{
	for (unsigned int i = 0; i < op->nneeds; i++)
		if (op->needs[i] == cap)
			return true;
	return false;
}

int setup_box(struct run *r)
{
	int e = make_crew_groups(r);

	for (unsigned int n = 0; e == 0 && n < OP_NUMBERS; n++) {
		const struct op *op = op_get(n);

		if (!op || !plan_has_op(r->plan, n))
			continue;
		if (needs_cap(op, CAP_HAS_OWN_SWAP) && !r->box.swap[0])
			e = plan_lose_op(r->plan, n, "the swap file could not be made");
		else
			e = add_knobs(r, n);
	}
	return e;
}

void release_box(struct run *r)
{
	free(r->box.knob);
	r->box.knob = NULL;
}
