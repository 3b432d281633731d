/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which pages the kernel's reports pass over: tried on memory of our own. */
#include "look.h"
#include "lines.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TEXT_SIZE = 65536 };

struct range {
	uintptr_t start, end;
	uint64_t huge_kb;
};

static void add_huge(void *arg, const struct smaps_vma *v)
{
	struct range *r = arg;

	if (v->start < r->end && v->end > r->start)
		r->huge_kb += v->kb[SMAPS_ANON_HUGE];
}

static uint64_t huge_kb(const struct op_env *e, struct looks *p, const char *at, size_t len)
{
	struct range r = {(uintptr_t)at, (uintptr_t)at + len, 0};
	struct smaps_parser parser = {.each = add_huge, .arg = &r};

	if (lines_read(e->smaps_fd, p->text, TEXT_SIZE, smaps_line, &parser) < 0)
		return 0;
	smaps_end(&parser);
	return r.huge_kb;
}

static bool has_node(char *page)
{
	void *at = page;
	int status = -1;

	return syscall(SYS_move_pages, 0, 1UL, &at, NULL, &status, 0) != 0 || status >= 0;
}

/* What it hints at is hidden too, and not only what is PROT_NONE (seen on 6.1: stacks that are idle). */
static bool numa_balances(void)
{
	int fd = open("/proc/sys/kernel/numa_balancing", O_RDONLY | O_CLOEXEC);
	char mode = '0';

	if (fd < 0)
		return false;
	if (read(fd, &mode, 1) != 1)
		mode = '1';
	close(fd);
	return mode != '0';
}

/* A supervisor that starts many crews has it tried once. */
enum { KNOWN = 1, HUGE_HIDDEN = 2, PAGES_HIDDEN = 4 };

static void try_hidden(struct executor *ex, const struct op_env *e, struct looks *p)
{
	size_t pmd = ex->machine->pmd_size, len = 2 * pmd;
	char *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = (char *)(((uintptr_t)map + pmd - 1) & ~((uintptr_t)pmd - 1));
	bool huge;

	int disabled = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);

	if (map == MAP_FAILED)
		return;
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	madvise(map, len, MADV_HUGEPAGE);
	*at = 1;
	huge = huge_kb(e, p, at, pmd) > 0;
	if (mprotect(map, len, PROT_NONE) == 0) {
		p->hides_pages = !has_node(at);
		p->hides_huge = p->hides_pages || !huge || huge_kb(e, p, at, pmd) == 0;
	}
	munmap(map, len);
	if (disabled == 1)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

/* Where no huge page can be had, none need be expected to be seen. */
void look_hidden(struct executor *ex, const struct op_env *e, struct looks *p)
{
	_Atomic uint32_t *once = ex->ctl->hidden;
	uint32_t known = once ? atomic_load(once) : 0;

	p->hides_huge = p->hides_pages = true;
	if (numa_balances())
		return;
	if (known) {
		p->hides_huge = known & HUGE_HIDDEN;
		p->hides_pages = known & PAGES_HIDDEN;
		return;
	}
	try_hidden(ex, e, p);
	if (once)
		atomic_store(once, KNOWN | (p->hides_huge ? HUGE_HIDDEN : 0U) |
					   (p->hides_pages ? PAGES_HIDDEN : 0U));
}
