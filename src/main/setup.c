/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pools, knobs and mounts of a run; every change through the ledger. */
#include "run.h"
#include "filing.h"
#include "recover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/path.h"
#include "sys/ledger.h"

/* Free pages that nobody has reserved; reservations are told for the whole machine only, and may fall on any node. */
static int pool_unreserved(uint64_t size, int node, unsigned long long *ret)
{
	unsigned long long free_pages, reserved;
	int e = machine_pool(size, node, "free_hugepages", &free_pages);

	if (e == 0)
		e = machine_pool(size, -1, "resv_hugepages", &reserved);
	if (e == 0)
		*ret = free_pages > reserved ? free_pages - reserved : 0;
	return e;
}

static int raise_pool(struct run *r, const struct plan_pool *pool, int node)
{
	unsigned long long total, surplus, have, now;
	char path[256], value[32];
	int e;

	e = machine_pool(pool->size, node, "nr_hugepages", &total);
	if (e == 0)
		e = machine_pool(pool->size, node, "surplus_hugepages", &surplus);
	if (e == 0)
		e = pool_unreserved(pool->size, node, &have);
	if (e == 0 && have >= pool->pages)
		return 0;
	if (e == 0)
		e = machine_pool_path(pool->size, node, "nr_hugepages", path, sizeof(path));
	if (e < 0)
		return e;
	/* What is written counts the surplus pages first (set_max_huge_pages()): they become the pool's own. */
	snprintf(value, sizeof(value), "%llu", total + pool->pages - have);
	e = ledger_write(r->ledger, path, value);
	if (e == 0 && pool_unreserved(pool->size, node, &now) == 0 && now < pool->pages)
		log_warn("%s: asked for %s pages, the kernel found room for %llu free ones", path,
			value, now);
	return e;
}

static void raise_pools(struct run *r, const struct plan *p)
{
	for (unsigned int i = 0; i < p->npools; i++) {
		const struct plan_pool *pool = &p->pool[i];
		int n = pool->per_node ? r->machine.nmem_nodes : 1;

		for (int k = 0; k < n; k++) {
			int e = raise_pool(r, pool, pool->per_node ? r->machine.mem_node[k] : -1);

			if (e < 0)
				log_warn("pool of %llu kB huge pages: %s; slots that need it are "
					 "skipped",
					(unsigned long long)pool->size >> 10, strerror(-e));
		}
	}
}

static int mount_place(
	struct run *r, unsigned int i, const char *name, const char *type, const char *options)
{
	char *path = r->place_path[i];
	int e;

	snprintf(path, sizeof(r->place_path[0]), "%s/%s", r->state, name);
	e = ledger_mkdir(r->ledger, path);
	if (e == 0 || e == -EEXIST)
		e = ledger_mount(r->ledger, "sunder", path, type, options);
	if (e < 0)
		log_error("mounting %s (%s) on %s: %s", type, options, path, strerror(-e));
	return e;
}

static bool needs(const struct run *r, enum backing b, unsigned int huge, uint64_t huge_size)
{
	for (unsigned int n = 0; n < plan_nparts(r->plan); n++) {
		const struct plan *p = plan_part(r->plan, n);

		for (unsigned int i = 0; i < p->nslots; i++) {
			const struct slot_spec *s = &p->slot[i];

			if ((p->slots_present >> i & 1) && s->backing == b &&
				(b == BACKING_TMPFS ? s->huge == huge : s->huge_size == huge_size))
				return true;
		}
	}
	return false;
}

static int mount_places(struct run *r)
{
	char name[64], options[128];
	int e;

	for (unsigned int h = 0; h < SLOT_HUGE_COUNT; h++) {
		if (!needs(r, BACKING_TMPFS, h, 0))
			continue;
		snprintf(name, sizeof(name), "tmpfs-%s", slot_huge_name(h));
		snprintf(options, sizeof(options), "huge=%s,size=100%%,mode=0700",
			slot_huge_name(h));
		e = mount_place(r, h, name, "tmpfs", options);
		if (e < 0)
			return e;
		r->places.tmpfs[h] = r->place_path[h];
	}
	for (int i = 0; i < r->machine.nhstates; i++) {
		uint64_t size = r->machine.hstate[i].size;

		if (!needs(r, BACKING_HUGETLB_FILE, 0, size))
			continue;
		snprintf(name, sizeof(name), "hugetlbfs-%llukB", (unsigned long long)size >> 10);
		snprintf(options, sizeof(options), "pagesize=%lluK,mode=0700",
			(unsigned long long)size >> 10);
		e = mount_place(r, SLOT_HUGE_COUNT + (unsigned int)i, name, "hugetlbfs", options);
		if (e < 0)
			return e;
		r->places.hugetlbfs[i] = r->place_path[SLOT_HUGE_COUNT + i];
	}
	r->places.disk = caps_disk_dir();
	return 0;
}

static int open_ledger(struct run *r)
{
	size_t undone = 0;
	int e = ledger_default_dir(r->o->state, r->result.output, r->state, sizeof(r->state));

	if (e == 0)
		e = ledger_open(r->state, &r->ledger, &undone);
	if (e == -EBUSY)
		log_error("another sunder runs on this machine (%s/ledger is locked): wait for it, "
			  "or give --state DIR",
			r->state);
	else if (e < 0)
		log_error("the ledger in %s cannot be opened: %s; give --state DIR", r->state,
			strerror(-e));
	if (undone)
		log_note("undid %zu changes that an earlier run had left", undone);
	return e;
}

/* Root on a box without it: splitting on request and more lies there. */
static bool mount_debugfs(struct run *r)
{
	if (!r->machine.is_root || path_exists("/sys/kernel/debug/split_huge_pages") ||
		!path_exists("/sys/kernel/debug"))
		return false;
	return ledger_mount(r->ledger, "debugfs", "/sys/kernel/debug", "debugfs", "mode=0700") == 0;
}

/* True if one was set. */
static bool set_knobs(struct run *r, const struct plan *p)
{
	bool changed = false;

	for (unsigned int i = 0; i < p->nknobs; i++) {
		const struct plan_knob *k = &p->knob[i];
		int e = ledger_write(r->ledger, k->path, k->value);

		if (e < 0)
			log_warn("%s: cannot be set to %s: %s", k->path, k->value, strerror(-e));
		else
			changed = true;
	}
	return changed;
}

int setup_knobs(struct run *r, bool *ret_changed)
{
	int e = open_ledger(r);

	char store[320];

	if (e < 0)
		return e;
	filing_dir(r->o->store, r->state, store, sizeof(store));
	recover_runs(r->state, store, NULL, false);
	e = ledger_guard(r->ledger);
	if (e < 0) {
		log_error("the guard process cannot be started: %s", strerror(-e));
		return e;
	}
	*ret_changed = mount_debugfs(r);
	for (unsigned int i = 0; i < plan_nparts(r->plan); i++)
		*ret_changed |= set_knobs(r, plan_part(r->plan, i));
	*ret_changed |= setup_places_of_ops(r);
	return 0;
}

int setup_memory(struct run *r)
{
	int e;

	for (unsigned int i = 0; i < plan_nparts(r->plan); i++)
		raise_pools(r, plan_part(r->plan, i));
	e = mount_places(r);
	return e < 0 ? e : setup_box(r);
}
