/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_uring: a small ring made, and asked what it knows. Opcodes and calls by number: headers lag behind kernels. */
#include "probe.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { RING_ENTRIES = 4, OP_FTRUNCATE = 55, REGISTER_CLONE_BUFFERS = 30 };

#define DISABLED "/proc/sys/kernel/io_uring_disabled"

static int open_ring(struct io_uring *ring, unsigned int flags)
{
	struct io_uring_params p = {.flags = flags, .sq_thread_idle = 1};

	return io_uring_queue_init_params(RING_ENTRIES, ring, &p);
}

static const char *ring_answer(struct probe *p, int r)
{
	char disabled[16];

	if (r == 0)
		return NULL;
	if (r == -ENOSYS)
		return "kernel without io_uring (CONFIG_IO_URING)";
	if (r == -EPERM && path_read(DISABLED, disabled, sizeof(disabled)) > 0 &&
		disabled[0] != '0')
		return probe_no(
			p, "switched off (sysctl kernel.io_uring_disabled is %.1s)", disabled);
	if (r == -EPERM)
		return "forbidden here (a seccomp filter, as containers have)";
	return probe_no(p, "io_uring_setup: %s", strerror(-r));
}

/* 0 or -errno of registering a page of ours, into a table of two entries. */
static int try_buffers(struct probe *p, struct io_uring *ring)
{
	struct iovec v[2] = {{0}};
	char *map = probe_map(p->m->page_size);
	int r;

	if (!map)
		return -ENOMEM;
	v[0] = (struct iovec){map, p->m->page_size};
	r = io_uring_register_buffers(ring, v, 2);
	probe_unmap(map, p->m->page_size);
	return r;
}

const char *probe_uring(struct probe *p)
{
	struct io_uring ring;
	int r = open_ring(&ring, 0);

	if (r < 0)
		return ring_answer(p, r);
	r = try_buffers(p, &ring);
	io_uring_queue_exit(&ring);
	if (r == -ENOMEM)
		return "no buffer can be registered (ulimit -l, or CAP_IPC_LOCK)";
	if (r == -EFAULT)
		return "fixed buffers with empty entries are refused (5.13 and later take them)";
	return r < 0 ? probe_no(p, "registering buffers: %s", strerror(-r)) : NULL;
}

const char *probe_uring_sqpoll(struct probe *p)
{
	struct io_uring ring;
	int r = open_ring(&ring, IORING_SETUP_SQPOLL);

	if (r == 0)
		io_uring_queue_exit(&ring);
	return ring_answer(p, r);
}

const char *probe_uring_update(struct probe *p)
{
	struct io_uring ring;
	int r = open_ring(&ring, 0);
	struct iovec empty = {0};
	__u64 tag = 0;

	if (r < 0)
		return ring_answer(p, r);
	r = try_buffers(p, &ring);
	if (r == 0)
		r = io_uring_register_buffers_update_tag(&ring, 0, &empty, &tag, 1);
	io_uring_queue_exit(&ring);
	return r < 0 ? probe_no(p, "updating a fixed buffer: %s", strerror(-r)) : NULL;
}

const char *probe_uring_clone(struct probe *p)
{
	struct {
		uint32_t src_fd, flags, pad[6];
	} arg = {0};
	struct io_uring from, to;
	int r = open_ring(&from, 0);

	if (r < 0)
		return ring_answer(p, r);
	r = open_ring(&to, 0);
	if (r < 0) {
		io_uring_queue_exit(&from);
		return ring_answer(p, r);
	}
	arg.src_fd = (uint32_t)from.ring_fd;
	r = try_buffers(p, &from);
	if (r == 0 &&
		syscall(SYS_io_uring_register, to.ring_fd, REGISTER_CLONE_BUFFERS, &arg, 1) < 0)
		r = -errno;
	io_uring_queue_exit(&to);
	io_uring_queue_exit(&from);
	if (r == -EINVAL)
		return "kernel without IORING_REGISTER_CLONE_BUFFERS (6.12 and later have it)";
	return r < 0 ? probe_no(p, "cloning fixed buffers: %s", strerror(-r)) : NULL;
}

const char *probe_uring_ftruncate(struct probe *p)
{
	struct io_uring_probe *known;
	struct io_uring ring;
	int r = open_ring(&ring, 0);
	bool has;

	if (r < 0)
		return ring_answer(p, r);
	known = io_uring_get_probe_ring(&ring);
	io_uring_queue_exit(&ring);
	has = known && io_uring_opcode_supported(known, OP_FTRUNCATE);
	io_uring_free_probe(known);
	return has ? NULL : "kernel without IORING_OP_FTRUNCATE (6.9 and later have it)";
}

/* A sector written to a file on the disk directory, past the page cache. */
const char *probe_odirect(struct probe *p)
{
	_cleanup_close_ int fd = -1;
	const char *dir = caps_disk_dir();
	size_t size = p->m->page_size;
	char *map;
	int err = 0;

	if (!dir)
		return caps_missing(CAP_HAS_FS_PUNCH);
	fd = open(dir, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	if (fd < 0)
		return probe_no(p, "%.100s: O_DIRECT: %s", dir, strerror(errno));
	map = probe_map(size);
	if (!map)
		return "no memory to try it";
	if (pwrite(fd, map, 512, 0) != 512 || pread(fd, map, 512, 0) != 512)
		err = errno;
	probe_unmap(map, size);
	return err ? probe_no(p, "%.100s: O_DIRECT of 512 bytes: %s", dir, strerror(err)) : NULL;
}
