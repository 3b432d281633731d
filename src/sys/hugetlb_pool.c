/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hugetlb pools in the ledger. One entry covers one page size: the machine-wide nr_hugepages and
 * the nodes' are faces of one thing, and growing and shrinking the total does not give each node
 * back what it had.
 *
 * What is recorded and restored is the persistent part, nr_hugepages - surplus_hugepages: that is
 * what a write sets (mm/hugetlb.c, set_max_huge_pages). The kernel may give fewer pages than asked
 * for, and soft offline or memory hot-unplug take some away; so every total between the old one and
 * what we asked for counts as ours.
 */
#include "ledger_entry.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#define GLOBAL_DIR "/sys/kernel/mm/hugepages/"
#define NODE_DIR "/sys/devices/system/node/"

bool pool_match(const char *path, char *name, size_t size, int *ret_node)
{
	const char *slash;
	int node = -1, used = 0;

	if (!strncmp(path, GLOBAL_DIR, strlen(GLOBAL_DIR)))
		path += strlen(GLOBAL_DIR);
	else if (sscanf(path, NODE_DIR "node%d/hugepages/%n", &node, &used) == 1 && used > 0)
		path += used;
	else
		return false;
	slash = strchr(path, '/');
	if (!slash ||
		(strcmp(slash, "/nr_hugepages") && strcmp(slash, "/nr_hugepages_mempolicy")) ||
		strncmp(path, "hugepages-", 10) || (size_t)(slash - path) >= size)
		return false;
	memcpy(name, path, (size_t)(slash - path));
	name[slash - path] = '\0';
	*ret_node = node;
	return true;
}

static int pool_file(const char *name, int node, const char *file, char *buf, size_t size)
{
	int n = node < 0 ? snprintf(buf, size, GLOBAL_DIR "%s/%s", name, file)
			 : snprintf(buf, size, NODE_DIR "node%d/hugepages/%s/%s", node, name, file);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int pool_number(const char *name, int node, const char *file, unsigned long long *ret)
{
	char path[PATH_MAX];
	int r = pool_file(name, node, file, path, sizeof(path));

	return r < 0 ? r : path_read_u64(path, ret);
}

static int pool_persistent(const char *name, int node, unsigned long long *ret)
{
	unsigned long long all, surplus;
	int r = pool_number(name, node, "nr_hugepages", &all);

	if (r < 0)
		return r;
	if (pool_number(name, node, "surplus_hugepages", &surplus) < 0 || surplus > all)
		surplus = 0;
	*ret = all - surplus;
	return 0;
}

static int pool_set(const char *name, int node, unsigned long long pages)
{
	char path[PATH_MAX], value[32];
	int r = pool_file(name, node, "nr_hugepages", path, sizeof(path));

	if (r < 0)
		return r;
	snprintf(value, sizeof(value), "%llu", pages);
	return knob_write(path, value);
}

static void put_nodes(FILE *f, const char *name)
{
	_cleanup_closedir_ DIR *d = NULL;
	unsigned long long pages;
	char real[PATH_MAX];
	struct dirent *de;
	int node, used;

	if (path_real(NODE_DIR, real, sizeof(real)) < 0 || !(d = opendir(real)))
		return;
	while ((de = readdir(d))) {
		used = 0;
		if (sscanf(de->d_name, "node%d%n", &node, &used) != 1 || de->d_name[used])
			continue;
		if (pool_persistent(name, node, &pages) == 0)
			fprintf(f, " %d:%llu", node, pages);
	}
}

/* "TOTAL SURPLUS NODE:PAGES NODE:PAGES ..."; the caller frees. */
static int pool_describe(const char *name, unsigned long long total, char **ret)
{
	unsigned long long surplus = 0;
	size_t len;
	FILE *f = open_memstream(ret, &len);

	if (!f)
		return -ENOMEM;
	(void)pool_number(name, -1, "surplus_hugepages", &surplus);
	fprintf(f, "%llu %llu", total, surplus);
	put_nodes(f, name);
	return fclose(f) == 0 ? 0 : -ENOMEM;
}

static bool pool_is_ours(const struct entry *e, unsigned long long total)
{
	unsigned long long low = strtoull(e->old, NULL, 10), high = low;

	for (size_t i = 0; i < e->nours; i++) {
		unsigned long long v = strtoull(e->ours[i], NULL, 10);

		low = v < low ? v : low;
		high = v > high ? v : high;
	}
	return e->pending || (total >= low && total <= high);
}

/* The entry that covers the pool, announced to become `target` pages in total. */
static int pool_announce(struct ledger *l, const char *name, unsigned long long total,
	unsigned long long target, struct entry **ret)
{
	_cleanup_free_ char *old = NULL;
	struct entry *e = entry_find(l, ENTRY_POOL, name);
	char text[32];
	int r;

	snprintf(text, sizeof(text), "%llu", target);
	if (e && !pool_is_ours(e, total)) {
		l->conflict = true;
		log_warn("%s: someone else resized the pool to %llu; it goes back to that", name,
			total);
		e = NULL;
	}
	if (e) {
		*ret = e;
		return entry_extend(l, e, text);
	}
	r = pool_describe(name, total, &old);
	return r < 0 ? r : entry_add(l, ENTRY_POOL, name, old, text, ret);
}

int pool_write(struct ledger *l, const char *name, int node, const char *path, const char *value)
{
	unsigned long long now, total, want, target;
	struct entry *e = NULL;
	char text[32], *end;
	int r;

	errno = 0;
	want = strtoull(value, &end, 0);
	if (errno || !isdigit((unsigned char)value[0]) || *end)
		return -EINVAL;
	r = pool_persistent(name, node, &now);
	if (r == 0)
		r = pool_persistent(name, -1, &total);
	if (r < 0 || now == want)
		return r;
	target = node < 0 ? want : (total > now ? total - now : 0) + want;
	r = pool_announce(l, name, total, target, &e);
	if (r < 0)
		return r;
	r = knob_write(path, value);
	if (pool_persistent(name, -1, &total) == 0) {
		snprintf(text, sizeof(text), "%llu", total);
		entry_confirm(l, e, text);
	}
	return r;
}

int pool_hold(struct ledger *l, const char *name)
{
	_cleanup_free_ char *old = NULL;
	struct entry *e = entry_find(l, ENTRY_POOL, name);
	unsigned long long total;
	int r;

	if (e)
		return entry_extend(l, e, ENTRY_HELD);
	r = pool_persistent(name, -1, &total);
	if (r == 0)
		r = pool_describe(name, total, &old);
	return r < 0 ? r : entry_add(l, ENTRY_POOL, name, old, ENTRY_HELD, &e);
}

/*
 * One pass over the nodes of the old state: those that shrink, then those that grow. Counts those
 * that differ.
 */
static int nodes_pass(const char *name, const char *nodes, bool grow, unsigned int *differ)
{
	unsigned long long want, now;
	int node, used, first = 0, r;

	for (; sscanf(nodes, " %d:%llu%n", &node, &want, &used) == 2; nodes += used) {
		if (pool_persistent(name, node, &now) < 0 || now == want)
			continue; /* a node that is gone took its pool along */
		if ((now < want) == grow) {
			r = pool_set(name, node, want);
			if (r == 0)
				r = pool_persistent(name, node, &now);
			if (r < 0 && !first)
				first = r;
		}
		*differ += now != want;
	}
	return first;
}

int pool_undo(struct ledger *l, struct entry *e)
{
	unsigned long long total, old, old_surplus, surplus = 0;
	unsigned int differ = 0;
	int r = pool_persistent(e->path, -1, &total), used;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (sscanf(e->old, "%llu %llu%n", &old, &old_surplus, &used) != 2)
		return -EBADMSG;
	if (!pool_is_ours(e, total)) {
		log_warn("%s: someone else resized the pool to %llu; left so (it was %llu)",
			e->path, total, old);
		return -ESTALE;
	}
	r = nodes_pass(e->path, e->old + used, false, &differ);
	differ = 0; /* the second pass sees every node again */
	if (r == 0)
		r = nodes_pass(e->path, e->old + used, true, &differ);
	if (r == 0)
		r = pool_persistent(e->path, -1, &total);
	if (r == 0 && total != old)
		r = pool_set(e->path, -1, old);
	if (r == 0)
		r = pool_persistent(e->path, -1, &total);
	if (r < 0)
		return r;
	/* From here on every total on the way back is ours. */
	e->pending = true;
	if (total != old || differ)
		return -EAGAIN;
	(void)pool_number(e->path, -1, "surplus_hugepages", &surplus);
	return surplus > old_surplus ? -EINPROGRESS : 0;
}
