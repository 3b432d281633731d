/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filesystems: memfds, mounts (in a namespace that ends with the probe), and a disk file. */
#include "probe.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/vfs.h>

const char *probe_memfd(struct probe *p)
{
	_cleanup_close_ int fd = memfd_create("sunder-probe", MFD_CLOEXEC);

	return fd >= 0 ? NULL : probe_no(p, "memfd_create: %s", strerror(errno));
}

const char *probe_memfd_hugetlb(struct probe *p)
{
	_cleanup_close_ int fd = memfd_create("sunder-probe", MFD_CLOEXEC | MFD_HUGETLB);

	if (fd >= 0)
		return NULL;
	if (p->m->nhstates == 0)
		return "kernel without hugetlb pages (CONFIG_HUGETLBFS)";
	return probe_no(p, "memfd_create with MFD_HUGETLB: %s", strerror(errno));
}

/* A filesystem of that type is made, mounted nowhere, and gone with its descriptor. 0 or -errno. */
static int try_fs(const char *type, const char *key, const char *value)
{
	_cleanup_close_ int fd = fsopen(type, FSOPEN_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (key && fsconfig(fd, FSCONFIG_SET_STRING, key, value, 0) < 0)
		return -errno;
	return fsconfig(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

static const char *mount_answer(struct probe *p, const char *what, const char *config, int r)
{
	if (r == 0)
		return NULL;
	if (r == -EPERM || r == -EACCES)
		return probe_no(p, "mounting %s needs root (CAP_SYS_ADMIN)", what);
	if (r == -ENODEV || r == -EINVAL)
		return probe_no(p, "kernel without %s (%s)", what, config);
	return probe_no(p, "mounting %s: %s", what, strerror(-r));
}

const char *probe_hugetlbfs(struct probe *p)
{
	return mount_answer(p, "hugetlbfs", "CONFIG_HUGETLBFS", try_fs("hugetlbfs", NULL, NULL));
}

const char *probe_tmpfs_huge(struct probe *p)
{
	return mount_answer(p, "tmpfs with huge=", "CONFIG_TRANSPARENT_HUGEPAGE",
		try_fs("tmpfs", "huge", "always"));
}

static int punch(int fd, size_t size)
{
	char *map;

	if (ftruncate(fd, (off_t)(2 * size)) < 0)
		return -errno;
	map = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	/* Blocks first: a store to a full disk would be a SIGBUS. */
	if (fallocate(fd, 0, 0, (off_t)(2 * size)) < 0 ||
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0) {
		int err = errno;

		munmap(map, 2 * size);
		return -err;
	}
	munmap(map, 2 * size);
	return 0;
}

/* 0 or -errno; -EMEDIUMTYPE: memory, not a disk. */
static int try_dir(struct probe *p, const char *dir)
{
	_cleanup_close_ int fd = -1;
	char name[PROBE_DIR_MAX + 32];
	struct statfs fs;

	if (statfs(dir, &fs) < 0)
		return -errno;
	if (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC)
		return -EMEDIUMTYPE;
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		snprintf(name, sizeof(name), "%s/sunder-probe-XXXXXX", dir);
		fd = mkostemp(name, O_CLOEXEC);
		if (fd < 0)
			return -errno;
		unlink(name);
	}
	return punch(fd, p->m->page_size);
}

const char *probe_fs_punch(struct probe *p)
{
	const char *dirs[] = {p->dir, "/var/tmp"};
	const char *last = NULL;
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		if (!dirs[i] || strlen(dirs[i]) >= PROBE_DIR_MAX)
			continue;
		last = dirs[i];
		r = try_dir(p, last);
		if (r == 0) {
			strcpy(p->disk_dir, last);
			return NULL;
		}
	}
	return probe_no(p, "%.100s: %s (--tmp DIR on a disk filesystem, as ext4 or xfs)", last,
		r == -EMEDIUMTYPE ? "is in memory, not on a disk" : strerror(-r));
}
