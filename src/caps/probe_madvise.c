/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transparent huge pages, madvise(2), mremap(2) and mlock(2), each tried on a small mapping of our
 * own.
 */
#include "probe.h"

#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define THP_DIR "/sys/kernel/mm/transparent_hugepage/"

/*
 * In the kernel's headers since 6.1, 5.14, 5.18, 6.13 and 5.7; the numbers are the same on all architectures
 * built for.
 */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* A PMD-size policy of its own (6.8 and later) may say yes or no regardless of the general one. */
static bool pmd_policy(struct probe *p, const char *file, char *buf, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), THP_DIR "hugepages-%llukB/%s",
		(unsigned long long)p->m->pmd_size / 1024, file);
	return path_read_choice(path, buf, size) == 0 && strcmp(buf, "inherit") != 0;
}

const char *probe_thp(struct probe *p)
{
	char mode[32], pmd[32];

	if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1)
		return "switched off for this process by prctl(PR_SET_THP_DISABLE)";
	if (path_read_choice(THP_DIR "enabled", mode, sizeof(mode)) < 0)
		return "kernel without transparent huge pages (CONFIG_TRANSPARENT_HUGEPAGE), or "
		       "/sys "
		       "is hidden";
	if (pmd_policy(p, "enabled", pmd, sizeof(pmd)))
		memcpy(mode, pmd, sizeof(mode));
	if (!strcmp(mode, "never"))
		return "switched off (echo madvise > " THP_DIR "enabled)";
	return NULL;
}

const char *probe_thp_shmem(struct probe *p)
{
	char mode[32], pmd[32];

	if (path_read_choice(THP_DIR "shmem_enabled", mode, sizeof(mode)) < 0)
		return "kernel without huge pages in shmem (CONFIG_TRANSPARENT_HUGEPAGE, "
		       "CONFIG_SHMEM)";
	if (strcmp(mode, "deny") && strcmp(mode, "force") &&
		pmd_policy(p, "shmem_enabled", pmd, sizeof(pmd)))
		memcpy(mode, pmd, sizeof(mode));
	if (!strcmp(mode, "never") || !strcmp(mode, "deny"))
		return probe_no(p,
			"shmem huge pages are set to \"%s\" (echo advise > " THP_DIR
			"shmem_enabled)",
			mode);
	return NULL;
}

/* 0 or the errno of madvise() on one touched page. */
static int try_advice(struct probe *p, int advice)
{
	size_t size = p->m->page_size;
	char *map = probe_map(size);
	int err;

	if (!map)
		return ENOMEM;
	*map = 1;
	err = madvise(map, size, advice) < 0 ? errno : 0;
	probe_unmap(map, size);
	return err;
}

static const char *advice_answer(struct probe *p, const char *name, const char *since, int err)
{
	if (err == 0)
		return NULL;
	if (err == EINVAL)
		return probe_no(p, "kernel without %s (%s)", name, since);
	return probe_no(p, "%s: %s", name, strerror(err));
}

const char *probe_madv_populate(struct probe *p)
{
	int err = try_advice(p, MADV_POPULATE_READ);

	return advice_answer(p, "MADV_POPULATE", "5.14 and later have it",
		err ? err : try_advice(p, MADV_POPULATE_WRITE));
}

const char *probe_madv_pageout(struct probe *p)
{
	int err = try_advice(p, MADV_COLD);

	return advice_answer(p, "MADV_COLD and MADV_PAGEOUT", "5.4 and later have them",
		err ? err : try_advice(p, MADV_PAGEOUT));
}

const char *probe_madv_free(struct probe *p)
{
	return advice_answer(p, "MADV_FREE", "4.5 and later have it", try_advice(p, MADV_FREE));
}

const char *probe_madv_dontneed_locked(struct probe *p)
{
	return advice_answer(p, "MADV_DONTNEED_LOCKED", "5.18 and later have it",
		try_advice(p, MADV_DONTNEED_LOCKED));
}

const char *probe_wipeonfork(struct probe *p)
{
	return advice_answer(
		p, "MADV_WIPEONFORK", "4.14 and later have it", try_advice(p, MADV_WIPEONFORK));
}

const char *probe_guard(struct probe *p)
{
	return advice_answer(p, "MADV_GUARD_INSTALL", "6.13 and later have it",
		try_advice(p, MADV_GUARD_INSTALL));
}

const char *probe_guard_file(struct probe *p)
{
	size_t size = p->m->page_size;
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err;

	if (map == MAP_FAILED)
		return "no memory to try it";
	err = madvise(map, size, MADV_GUARD_INSTALL) < 0 ? errno : 0;
	munmap(map, size);
	return advice_answer(
		p, "MADV_GUARD_INSTALL on shared memory", "6.15 and later have it", err);
}

/* Where nothing is mapped: a kernel that has it gets as far as looking for the page (mm/madvise.c, madvise_inject_error). */
const char *probe_soft_offline(struct probe *p)
{
	size_t size = p->m->page_size;
	char *map = probe_map(size);
	int err;

	if (!map)
		return "no memory to try it";
	probe_unmap(map, size);
	err = madvise(map, size, MADV_SOFT_OFFLINE) < 0 ? errno : 0;
	if (err == EPERM)
		return "MADV_SOFT_OFFLINE: not permitted (CAP_SYS_ADMIN)";
	return advice_answer(p, "MADV_SOFT_OFFLINE", "CONFIG_MEMORY_FAILURE",
		err == EFAULT || err == ENOMEM ? 0 : err);
}

const char *probe_ksm(struct probe *p)
{
	return advice_answer(p, "MADV_MERGEABLE", "CONFIG_KSM", try_advice(p, MADV_MERGEABLE));
}

/*
 * An empty range is accepted exactly if the advice is known (mm/madvise.c, madvise_behavior_valid).
 */
static int collapse_known(const char *map)
{
	return madvise((void *)map, 0, MADV_COLLAPSE) < 0 ? errno : 0;
}

const char *probe_madv_collapse(struct probe *p)
{
	size_t size = p->m->pmd_size;
	char *map = probe_map(size);
	int known, err;

	if (!map)
		return "no memory to try it";
	*map = 1;
	known = collapse_known(map);
	err = madvise(map, size, MADV_COLLAPSE) < 0 ? errno : 0;
	probe_unmap(map, size);
	if (known)
		return "kernel without MADV_COLLAPSE (6.1 and later with THP have it)";
	/* Anything else, as no free huge page right now, is an outcome of the operation. */
	if (err == EINVAL)
		return "refused while transparent huge pages are \"never\" (echo madvise > " THP_DIR
		       "enabled)";
	return NULL;
}

const char *probe_mremap_dontunmap(struct probe *p)
{
	size_t size = p->m->page_size;
	char *map = probe_map(size), *moved;
	int err;

	if (!map)
		return "no memory to try it";
	/*
	 * The kernel reads a hint for the new address; left out, it would be whatever is in the
	 * register.
	 */
	moved = mremap(map, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	err = errno;
	if (moved != MAP_FAILED)
		probe_unmap(moved, size);
	probe_unmap(map, size);
	return moved != MAP_FAILED
		       ? NULL
		       : advice_answer(p, "MREMAP_DONTUNMAP", "5.7 and later have it", err);
}

const char *probe_mlock(struct probe *p)
{
	size_t size = p->m->pmd_size;
	struct rlimit limit = {0};
	char *map = probe_map(size);
	int err;

	if (!map)
		return "no memory to try it";
	err = mlock(map, size) < 0 ? errno : 0;
	probe_unmap(map, size);
	if (!err)
		return NULL;
	getrlimit(RLIMIT_MEMLOCK, &limit);
	return probe_no(p,
		"a huge page cannot be locked: %s; RLIMIT_MEMLOCK is %llu KiB (ulimit -l "
		"unlimited, or CAP_IPC_LOCK)",
		strerror(err), (unsigned long long)limit.rlim_cur / 1024);
}

const char *probe_mlock2(struct probe *p)
{
	size_t size = p->m->page_size;
	char *map = probe_map(size);
	int err;

	if (!map)
		return "no memory to try it";
	err = mlock2(map, size, MLOCK_ONFAULT) < 0 ? errno : 0;
	probe_unmap(map, size);
	if (!err)
		return NULL;
	if (err == ENOMEM || err == EPERM)
		return "RLIMIT_MEMLOCK is too low (ulimit -l unlimited, or CAP_IPC_LOCK)";
	return probe_no(p, "mlock2: %s (4.4 and later have it)", strerror(err));
}

/* Set to what it is: changes nothing. */
const char *probe_thp_disable(struct probe *p)
{
	int now = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);

	if (now < 0)
		return probe_no(p, "prctl(PR_GET_THP_DISABLE): %s", strerror(errno));
	if (now <= 1 && prctl(PR_SET_THP_DISABLE, now, 0, 0, 0) < 0)
		return probe_no(p, "prctl(PR_SET_THP_DISABLE): %s", strerror(errno));
	return NULL;
}
