/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tape.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/cleanup.h"

enum { COPIED_PAGES = 16 };

/* ---- what is caught ---- */

static struct tape *recording; /* NULL: calls are made */
static const struct crew_ctl *recording_ctl;
static unsigned int recording_lane;
static void **page_list[SLOT_MAX][SLOT_MAX_VIEWS]; /* addresses of all pages of a view */

/* The process ends rather than measures half of the calls. */
static void *need(void *p)
{
	if (!p)
		abort();
	return p;
}

static void add_call(long nr, long a, long b, long c, long d, long e, long f)
{
	struct tape *t = recording;

	if (t->ncalls == t->room) {
		t->room = t->room ? 2 * t->room : 4096;
		t->call = need(realloc(t->call, t->room * sizeof(*t->call)));
	}
	t->call[t->ncalls++] = (struct tape_call){nr, {a, b, c, d, e, f}};
}

static long copy_of(const void *data, size_t size)
{
	return (long)memcpy(need(malloc(size)), data, size);
}

/* All addresses of move_pages lie in one view: every page from the first on has its place in that
 * view's list. */
static void *const *listed_pages(uintptr_t addr)
{
	for (unsigned int i = 0; i < recording_ctl->nslots; i++) {
		const struct slot *s = &recording_ctl->slot[i];

		for (unsigned int v = 0; s->present && v < s->nviews; v++) {
			if (addr < s->view[v] || addr >= s->view[v] + s->spec.size)
				continue;
			if (!page_list[i][v]) {
				page_list[i][v] = need(malloc(s->pages * sizeof(void *)));
				for (uint32_t p = 0; p < s->pages; p++)
					page_list[i][v][p] = (void *)slot_addr(s, v, p);
			}
			return &page_list[i][v][(addr - s->view[v]) >> s->page_shift];
		}
	}
	abort();
}

static long nodes_of(int node)
{
	static int *nodes[MACHINE_MAX_NODES];

	if (!nodes[node]) {
		nodes[node] = need(malloc(OP_SCRATCH_PAGES * sizeof(int)));
		for (unsigned int i = 0; i < OP_SCRATCH_PAGES; i++)
			nodes[node][i] = node;
	}
	return (long)nodes[node];
}

static void add_move_pages(const long a[6])
{
	static int status[PROGRAM_MAX_LANES][OP_SCRATCH_PAGES];
	void *const *page = (void *const *)a[2];
	const int *node = (const int *)a[3];
	long n = a[1], pages = (long)page;

	if (n > COPIED_PAGES &&
		(uintptr_t)page[1] - (uintptr_t)page[0] == 1UL << recording_ctl->slot[0].page_shift)
		pages = (long)listed_pages((uintptr_t)page[0]);
	else
		pages = copy_of(page, (size_t)n * sizeof(*page));
	add_call(SYS_move_pages, a[0], n, pages, node ? nodes_of(node[0]) : 0,
		(long)status[recording_lane], a[5]);
}

static void add_syscall(long nr, const long a[6])
{
	if (nr == SYS_move_pages)
		add_move_pages(a);
	else if (nr == SYS_mbind)
		add_call(nr, a[0], a[1], a[2],
			a[3] ? copy_of((const void *)a[3], (size_t)a[4] / 8 + 8) : 0, a[4], a[5]);
	else
		add_call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ---- the linker's doors: --wrap=NAME ---- */

void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__real_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off);
int __real_munmap(void *addr, size_t len);
int __wrap_munmap(void *addr, size_t len);
int __real_mprotect(void *addr, size_t len, int prot);
int __wrap_mprotect(void *addr, size_t len, int prot);
int __real_madvise(void *addr, size_t len, int advice);
int __wrap_madvise(void *addr, size_t len, int advice);
long __real_syscall(long nr, ...);
long __wrap_syscall(long nr, ...);
void __real_cells_touch(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint32_t pages, uint32_t step, enum cell_how how);
void __wrap_cells_touch(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint32_t pages, uint32_t step, enum cell_how how);

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	if (!recording)
		return __real_mmap(addr, len, prot, flags, fd, off);
	add_call(SYS_mmap, (long)addr, (long)len, prot, flags, fd, off);
	return addr;
}

void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	if (!recording)
		return __real_mmap64(addr, len, prot, flags, fd, off);
	add_call(SYS_mmap, (long)addr, (long)len, prot, flags, fd, off);
	return addr;
}

int __wrap_munmap(void *addr, size_t len)
{
	if (!recording)
		return __real_munmap(addr, len);
	add_call(SYS_munmap, (long)addr, (long)len, 0, 0, 0, 0);
	return 0;
}

int __wrap_mprotect(void *addr, size_t len, int prot)
{
	if (!recording)
		return __real_mprotect(addr, len, prot);
	add_call(SYS_mprotect, (long)addr, (long)len, prot, 0, 0, 0);
	return 0;
}

int __wrap_madvise(void *addr, size_t len, int advice)
{
	if (!recording)
		return __real_madvise(addr, len, advice);
	add_call(SYS_madvise, (long)addr, (long)len, advice, 0, 0, 0);
	return 0;
}

long __wrap_syscall(long nr, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, nr);
	for (unsigned int i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (!recording)
		return __real_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	add_syscall(nr, a);
	return 0;
}

/* The same cells as in mem/cell.c: the first page of each grain that the range touches. */
void __wrap_cells_touch(struct cells *c, unsigned int slot, unsigned int view, uint32_t page,
	uint32_t pages, uint32_t step, enum cell_how how)
{
	const struct space *sp;
	const struct slot *s;
	uint32_t first, last;

	if (!recording) {
		__real_cells_touch(c, slot, view, page, pages, step, how);
		return;
	}
	sp = &recording_ctl->space[slot];
	s = &recording_ctl->slot[slot];
	first = page >> sp->grain_shift;
	last = (page + pages + (1u << sp->grain_shift) - 1) >> sp->grain_shift;
	if (last > sp->ncells)
		last = sp->ncells;
	if (first < last)
		add_call(TAPE_TOUCH,
			(long)(slot_addr(s, view, first << sp->grain_shift) +
				recording_lane * CELL_STRIDE),
			(long)((last - first + step - 1) / step),
			(long)step << (sp->grain_shift + s->page_shift), how, 0, 0);
}

/* ---- recording ---- */

const char *tape_refused(const struct plan *p)
{
	static const char *const caught[] = {"null", "touch", "mmap", "mmap_populate",
		"munmap_whole", "munmap_part", "mprotect", "madvise_hugepage", "madvise_nohugepage",
		"madvise_collapse", "madvise_dontneed", "madvise_free", "madvise_cold",
		"madvise_pageout", "madvise_remove", "madvise_populate_read",
		"madvise_populate_write", "mbind", "move_pages", "move_pages_query"};

	for (unsigned int l = 0; l < p->crew[0].nlanes; l++) {
		for (unsigned int i = 0; i < p->crew[0].lane[l].nops; i++) {
			const char *name = op_get(p->crew[0].lane[l].op[i].call.op)->name;
			size_t k = 0;

			while (k < ARRAY_SIZE(caught) && strcmp(caught[k], name) != 0)
				k++;
			if (k == ARRAY_SIZE(caught))
				return name;
		}
	}
	return NULL;
}

static void record_rounds(const struct crew *c, struct op_env *env, uint64_t first, struct tape *t)
{
	struct program_lane program;

	recording_ctl = c->ctl;
	recording_lane = env->lane;
	for (uint64_t r = 0; r < t->nrounds; r++) {
		plan_draw_lane(c->plan, c->index, env->lane, first + r, &program);
		t->round[r] = t->ncalls;
		t->nops += program.nops;
		recording = t;
		for (unsigned int i = 0; i < program.nops; i++)
			op_get(program.op[i].op)->run(env, &program.op[i]);
		recording = NULL;
	}
	t->round[t->nrounds] = t->ncalls;
}

int tape_record(
	const struct crew *c, unsigned int lane, uint64_t first, uint64_t rounds, struct tape *ret)
{
	struct op_env env = {.machine = c->machine,
		.slot = c->ctl->slot,
		.nslots = c->ctl->nslots,
		.lane = lane,
		.nprocs = 1,
		.pid = c->ctl->pid,
		.split_fd = -1,
		.smaps_fd = -1,
		.pagemap_fd = -1,
		.numa_maps_fd = -1,
		.smaps_rollup_fd = -1,
		.privileged = c->machine->is_root};
	_cleanup_free_ struct op_scratch *scratch = calloc(1, sizeof(*scratch));

	*ret = (struct tape){.nrounds = rounds, .round = calloc(rounds + 1, sizeof(*ret->round))};
	if (!scratch || !ret->round)
		return -ENOMEM;
	env.scratch = scratch;
	record_rounds(c, &env, first, ret);
	return 0;
}
