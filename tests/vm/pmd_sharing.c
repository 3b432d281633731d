/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does the kernel share the PMD tables of a hugetlb_file slot among processes? Many of them map the slot and touch it,
 * and the page-table memory of the machine says what that took. View 0 lies on a PUD border, so that it may be shared
 * (mm/hugetlb.c, want_pmd_share); view 1 is one huge page off, so that it may not.
 *
 * usage: pmd_sharing HUGETLBFS-DIRECTORY. Prints "aligned N", "shifted N" and "processes N"; N are page-table pages
 * that mapping and touching took. Wants root and a pool with TOUCHED free pages of the PMD size.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "caps/machine.h"
#include "mem/arena.h"

enum { PROCESSES = 128, TOUCHED = 8 };

static int machine_init(struct machine *m)
{
	int r = machine_probe(m);

	if (r < 0)
		return r;
	for (int i = 0; i < m->nhstates; i++)
		if (m->hstate[i].size == m->pmd_size)
			return i;
	return -ENOENT;
}

static int make_slot(struct slot *s, const struct machine *m, int hstate, const char *directory)
{
	struct slot_spec spec = {.name = "pud",
		.backing = BACKING_HUGETLB_FILE,
		.maps = 2,
		.shift = 1,
		.noreserve = 1,
		.size = m->pud_size,
		.huge_size = m->pmd_size,
		.align = m->pud_size};
	struct slot_places places = {0};

	places.hugetlbfs[hstate] = directory;
	slot_init(s, &spec, m);
	if (!arena_find(s, 1, 1))
		return -ENOMEM;
	return slot_open(s, m, &places);
}

/* Pages of page tables in the machine, with what its CPUs have not yet added to the sum. */
static long page_table_pages(void)
{
	_cleanup_fclose_ FILE *refresh = fopen("/proc/sys/vm/stat_refresh", "w");
	_cleanup_fclose_ FILE *f = fopen("/proc/vmstat", "r");
	char name[64];
	long value;

	if (!refresh || !f || fputs("1", refresh) < 0 || fflush(refresh) < 0)
		return -1;
	while (fscanf(f, "%63s %ld", name, &value) == 2)
		if (strcmp(name, "nr_page_table_pages") == 0)
			return value;
	return -1;
}

/* Starts when a byte comes from `go`, answers on `done`, and lives until it is killed. */
static void user(const struct slot *s, unsigned int view, int go, int done)
{
	char c = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &c, 1) == 1 && slot_map(s, view, 0, s->pages, 0) == 0) {
		for (uint32_t i = 0; i < TOUCHED; i++)
			*(volatile char *)slot_addr(s, view, i * s->granule) = 1;
		c = 0;
	}
	if (write(done, &c, 1) == 1)
		pause();
	_exit(1);
}

static int go_and_wait(int go, int done)
{
	char c = 1;

	for (int i = 0; i < PROCESSES; i++)
		if (write(go, &c, 1) != 1 || read(done, &c, 1) != 1 || c)
			return -EIO;
	return 0;
}

/* The page-table pages that it takes when PROCESSES processes map the view and touch it; or -errno. */
static long measure(const struct slot *s, unsigned int view)
{
	int go[2], done[2];
	pid_t pid[PROCESSES];
	long before, after;
	int r;

	if (pipe(go) < 0 || pipe(done) < 0)
		return -errno;
	for (int i = 0; i < PROCESSES; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			user(s, view, go[0], done[1]);
	}
	before = page_table_pages();
	r = go_and_wait(go[1], done[0]);
	after = page_table_pages();
	for (int i = 0; i < PROCESSES; i++)
		if (pid[i] > 0 && kill(pid[i], SIGKILL) == 0)
			waitpid(pid[i], NULL, 0);
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(done[i]);
	}
	return r < 0 || before < 0 || after < 0 ? -EIO : after - before;
}

int main(int argc, char **argv)
{
	struct machine m;
	struct slot s;
	long aligned, shifted;
	int hstate, r;

	if (argc != 2)
		return 2;
	hstate = machine_init(&m);
	r = hstate < 0 ? hstate : make_slot(&s, &m, hstate, argv[1]);
	if (r < 0) {
		fprintf(stderr, "pmd_sharing: %s\n", strerror(-r));
		return 2;
	}
	aligned = measure(&s, 0);
	shifted = measure(&s, 1);
	slot_close(&s);
	machine_free(&m);
	if (aligned < 0 || shifted < 0) {
		fprintf(stderr, "pmd_sharing: the processes could not map and touch the slot\n");
		return 2;
	}
	printf("aligned %ld\nshifted %ld\nprocesses %d\n", aligned, shifted, PROCESSES);
	return 0;
}
