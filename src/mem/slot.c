/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mem/slot.h"
#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "mem/arena.h"

#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif
#ifndef SHM_HUGE_SHIFT
#define SHM_HUGE_SHIFT 26
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

static unsigned int log2_of(uint64_t v)
{
	return 63 - (unsigned int)__builtin_clzll(v);
}

void slot_init(struct slot *s, const struct slot_spec *spec, const struct machine *m)
{
	memset(s, 0, sizeof(*s));
	s->spec = *spec;
	s->fd = -1;
	s->page_shift = log2_of(m->page_size);
	s->pages = (uint32_t)(spec->size >> s->page_shift);
	s->granule = backing_is_hugetlb(spec->backing)
			     ? (uint32_t)(spec->huge_size >> s->page_shift)
			     : 1;
	s->pmd_pages = (uint32_t)(m->pmd_size >> s->page_shift);
	s->nviews = backing_is_private(spec->backing) ? 1 : spec->maps;
}

/* A file that is gone from its directory as soon as it is open: nothing is left behind whatever happens. */
static int open_unlinked(struct slot *s, const char *dir)
{
	int fd, n;

	if (!dir)
		return -ENOENT;
	n = snprintf(s->path, sizeof(s->path), "%s/sunder-%d-%s", dir, (int)getpid(), s->spec.name);

	if (n < 0 || (size_t)n >= sizeof(s->path))
		return -ENAMETOOLONG;
	fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	unlink(s->path);
	return fd;
}

static int open_object(struct slot *s, const struct machine *m, const struct slot_places *places)
{
	unsigned int mfd = MFD_CLOEXEC;
	int fd;

	switch (s->spec.backing) {
	case BACKING_HUGETLB_MEMFD:
		mfd |= MFD_HUGETLB | log2_of(s->spec.huge_size) << MFD_HUGE_SHIFT;
		/* fallthrough */
	case BACKING_MEMFD:
	case BACKING_MEMFD_PRIVATE:
		fd = memfd_create(s->spec.name, mfd);
		return fd < 0 ? -errno : fd;
	case BACKING_TMPFS:
		return open_unlinked(s, places->tmpfs[s->spec.huge]);
	case BACKING_HUGETLB_FILE:
		for (int i = 0; i < m->nhstates; i++)
			if (m->hstate[i].size == s->spec.huge_size)
				return open_unlinked(s, places->hugetlbfs[i]);
		return -ENOENT;
	case BACKING_FILE:
	case BACKING_FILE_PRIVATE:
		return open_unlinked(s, places->disk);
	default:
		return -EINVAL;
	}
}

int slot_open(struct slot *s, const struct machine *m, const struct slot_places *places)
{
	int fd;

	if (!backing_has_fd(s->spec.backing))
		return 0;
	fd = open_object(s, m, places);
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)s->spec.size) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	s->fd = fd;
	return 0;
}

void slot_close(struct slot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* ---- the arena: address space that belongs to slots alone ---- */

static uintptr_t align_up(uintptr_t v, uint64_t align)
{
	return (v + align - 1) & ~(uintptr_t)(align - 1);
}

static bool is_sysv(const struct slot *s)
{
	return s->spec.backing == BACKING_SYSV || s->spec.backing == BACKING_HUGETLB_SYSV;
}

static bool has_anchor(const struct slot *s)
{
	return s->spec.backing == BACKING_ANON_SHARED || is_sysv(s);
}

uint64_t arena_place(struct slot *slots, unsigned int n, uintptr_t base, unsigned int nlanes)
{
	uintptr_t at = base;

	for (unsigned int i = 0; i < n; i++) {
		struct slot *s = &slots[i];
		uint64_t pmd = (uint64_t)s->pmd_pages << s->page_shift;
		uint64_t unit = (uint64_t)s->granule << s->page_shift;
		uint64_t align = s->spec.align > pmd ? s->spec.align : pmd;
		uint64_t grow = 2 * (unit > pmd ? unit : pmd) +
				pmd; /* for mremap to grow into, and a gap */

		align = align > unit ? align : unit;
		for (unsigned int v = 0; v < s->nviews; v++) {
			uint64_t shift = (uint64_t)v * s->spec.shift * unit;

			at = align_up(at, align) + shift;
			s->view[v] = at;
			at += s->spec.size + grow;
		}
		if (has_anchor(s)) {
			at = align_up(at, align);
			s->anchor = at;
			at += s->spec.size + pmd;
		}
		s->spare = at = align_up(at, align);
		s->spare_stride = align_up(s->spec.size + grow, align);
		at += nlanes * s->spare_stride;
	}
	return at - base;
}

uintptr_t arena_find(struct slot *slots, unsigned int n, unsigned int nlanes)
{
	/* From roomy to small address spaces; far below where the kernel puts mappings without a hint. */
	static const uintptr_t bases[] = {
		(uintptr_t)1 << 44, (uintptr_t)1 << 42, (uintptr_t)1 << 38, (uintptr_t)1 << 36};

	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		uint64_t len = arena_place(slots, n, bases[i], nlanes);
		void *p = mmap((void *)bases[i], len, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

		if (p == (void *)bases[i]) {
			munmap(p, len);
			return bases[i];
		}
		if (p != MAP_FAILED)
			munmap(p, len);
	}
	return 0;
}

/* ---- mapping ---- */

static int map_flags(const struct slot *s)
{
	int flags = MAP_FIXED | (s->spec.noreserve ? MAP_NORESERVE : 0);

	switch (s->spec.backing) {
	case BACKING_ANON:
		return flags | MAP_PRIVATE | MAP_ANONYMOUS;
	case BACKING_MEMFD_PRIVATE:
	case BACKING_FILE_PRIVATE:
		return flags | MAP_PRIVATE;
	case BACKING_HUGETLB_PRIVATE:
		return flags | MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
		       (int)(log2_of(s->spec.huge_size) << MAP_HUGE_SHIFT);
	default:
		return flags | MAP_SHARED;
	}
}

/* A segment is attached whole: a part of it is moved away from where it was attached for the purpose. */
static int attach_part(const struct slot *s, uintptr_t addr, size_t off, size_t len)
{
	char *whole = shmat(s->shm, NULL, 0);
	int r = 0;

	if (whole == (void *)-1)
		return -errno;
	if (mremap(whole + off, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)addr) ==
		MAP_FAILED)
		r = -errno;
	munmap(whole, s->spec.size);
	return r;
}

static int attach(const struct slot *s, uintptr_t addr, size_t off, size_t len)
{
	if (off == 0 && len == s->spec.size)
		return shmat(s->shm, (void *)addr, SHM_REMAP) == (void *)-1 ? -errno : 0;
	if (s->granule > 1)
		return attach_part(s, addr, off, len);
	/* As in slot_map_at(): without a file to map again. */
	return mremap((void *)(s->anchor + off), 0, len, MREMAP_MAYMOVE | MREMAP_FIXED,
		       (void *)addr) == MAP_FAILED
		       ? -errno
		       : 0;
}

int slot_map_at(const struct slot *s, uintptr_t addr, uint32_t page, uint32_t pages, int flags)
{
	size_t len = (size_t)pages << s->page_shift, off = (size_t)page << s->page_shift;
	void *p;

	/* mmap refuses an offset within a huge page, and a length it rounds up. */
	if (is_sysv(s)) {
		uint32_t end = page + pages;
		int r;

		if (page % s->granule)
			return -EINVAL;
		end += (s->granule - end % s->granule) % s->granule;
		len = (size_t)(end - page) << s->page_shift;
		r = attach(s, addr, off, len);
		if (r == 0 && (flags & MAP_POPULATE))
			madvise((void *)addr, len, MADV_POPULATE_WRITE);
		return r;
	}
	if (s->spec.backing == BACKING_ANON_SHARED)
		/* No file to map again: length 0 duplicates a shared mapping (mremap(2)). */
		p = mremap((void *)(s->anchor + off), 0, len, MREMAP_MAYMOVE | MREMAP_FIXED,
			(void *)addr);
	else
		p = mmap((void *)addr, len, PROT_READ | PROT_WRITE, map_flags(s) | flags, s->fd,
			s->fd >= 0 ? (off_t)off : 0);
	return p == MAP_FAILED ? -errno : 0;
}

int slot_map(const struct slot *s, unsigned int view, uint32_t page, uint32_t pages, int flags)
{
	return slot_map_at(s, slot_addr(s, view, page), page, pages, flags);
}

/* Removed as soon as it is attached: it lives on as long as it is attached somewhere, and not longer. */
static int anchor_sysv(struct slot *s)
{
	int flags = IPC_CREAT | 0600 | (s->spec.noreserve ? SHM_NORESERVE : 0);
	void *p;
	int r;

	if (s->granule > 1)
		flags |= SHM_HUGETLB | (int)(log2_of(s->spec.huge_size) << SHM_HUGE_SHIFT);
	s->shm = shmget(IPC_PRIVATE, s->spec.size, flags);
	if (s->shm < 0)
		return -errno;
	p = shmat(s->shm, (void *)s->anchor, 0);
	r = p == (void *)-1 ? -errno : 0;
	shmctl(s->shm, IPC_RMID, NULL);
	return r;
}

int slot_anchor(struct slot *s)
{
	void *p;

	if (is_sysv(s))
		return anchor_sysv(s);
	if (s->spec.backing != BACKING_ANON_SHARED)
		return 0;
	p = mmap((void *)s->anchor, s->spec.size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE |
			(s->spec.noreserve ? MAP_NORESERVE : 0),
		-1, 0);
	return p == MAP_FAILED ? -errno : 0;
}

int slot_advise(const struct slot *s, unsigned int view)
{
	static const int advice[SLOT_HUGE_COUNT] = {
		[SLOT_HUGE_ALWAYS] = MADV_HUGEPAGE, [SLOT_HUGE_NEVER] = MADV_NOHUGEPAGE};

	if (backing_is_hugetlb(s->spec.backing) || !advice[s->spec.huge])
		return 0;
	return madvise((void *)s->view[view], s->spec.size, advice[s->spec.huge]) < 0 ? -errno : 0;
}

void slot_bare(const struct slot *s)
{
	if (has_anchor(s))
		madvise((void *)s->anchor, s->spec.size, MADV_DONTNEED);
}

int slot_empty(const struct slot *s)
{
	if (has_anchor(s)) {
		munlock((void *)s->anchor,
			s->spec.size); /* mlockall() reaches it, and MADV_REMOVE refuses then */
		return madvise((void *)s->anchor, s->spec.size, MADV_REMOVE) < 0 ? -errno : 0;
	}
	if (s->fd < 0)
		return 0;
	if (ftruncate(s->fd, 0) < 0 || ftruncate(s->fd, (off_t)s->spec.size) < 0)
		return -errno;
	return 0;
}
