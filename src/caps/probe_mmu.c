/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Second MMUs: a virtual machine that runs, and the mirror of test_hmm. */
#include "probe.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "sys/dmirror.h"
#include "sys/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t mark = 0x73756e646572; /* anything but what fresh memory holds */

/* ---- KVM ---- */

enum {
	GUEST_MS = 20000
}; /* an emulated machine takes a second at worst; a /dev/kvm that never comes back is seen */

/* 0, -errno, or -EBADMSG: it read something else than what is there. */
static int read_in_guest(struct guest *g, const uint64_t *page, size_t size)
{
	struct guest_words w = {.n = 1, .word = {{.gpa = GUEST_FIRST}}};
	int r = guest_run(g, 0, GUEST_READ, 0, &w);

	return r == 0 && w.word[0].value != *page ? -EBADMSG : r;
}

static int prefault_in_guest(struct guest *g, const uint64_t *page, size_t size)
{
	return guest_prefault(g, 0, GUEST_FIRST, size);
}

typedef int (*in_guest)(struct guest *g, const uint64_t *page, size_t size);

static int with_guest(in_guest fn, uint64_t *page, size_t size)
{
	struct guest *g;
	int r = guest_new(false, &g);

	if (r < 0)
		return r;
	r = guest_set_memory(g, 0, GUEST_FIRST, (uintptr_t)page, size, false);
	if (r == 0)
		r = fn(g, page, size);
	guest_free(g);
	return r;
}

/* In a child of its own, which can be given up. */
static int try_guest(in_guest fn, uint64_t *page, size_t size)
{
	int fds[2], r = -ETIMEDOUT;
	struct pollfd p;
	pid_t pid;

	if (pipe(fds) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		r = -errno;
	} else if (pid == 0) {
		r = with_guest(fn, page, size);
		_exit(write(fds[1], &r, sizeof(r)) < 0);
	}
	close(fds[1]);
	p = (struct pollfd){.fd = fds[0], .events = POLLIN};
	if (pid > 0 && poll(&p, 1, GUEST_MS) > 0 && read(fds[0], &r, sizeof(r)) != sizeof(r))
		r = -ECHILD;
	close(fds[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return r;
}

const char *probe_kvm(struct probe *p)
{
	size_t size = p->m->page_size;
	uint64_t *page = probe_map(size);
	int r;

	if (!page)
		return "no memory to try it";
	*page = mark;
	r = try_guest(read_in_guest, page, size);
	probe_unmap(page, size);
	switch (r) {
	case 0:
		return NULL;
	case -ENOENT:
		return "there is no /dev/kvm (CONFIG_KVM, or virtualization is off)";
	case -EACCES:
	case -EPERM:
		return "/dev/kvm needs root or the group kvm";
	case -ENODEV:
	case -ENXIO:
		return "/dev/kvm: the CPU's virtualization cannot be used";
	case -EOPNOTSUPP:
		return "virtual machines are tried on x86-64 only";
	case -ETIMEDOUT:
		return "/dev/kvm: a virtual machine does not come to its end";
	case -EBADMSG:
		return "/dev/kvm: a virtual machine reads other memory than its own";
	default:
		return probe_no(p, "/dev/kvm: running a virtual machine: %s", strerror(-r));
	}
}

const char *probe_kvm_prefault(struct probe *p)
{
	const char *why = caps_missing(CAP_HAS_KVM);
	size_t size = p->m->page_size;
	uint64_t *page;
	int r;

	if (why)
		return why;
	page = probe_map(size);
	if (!page)
		return "no memory to try it";
	r = try_guest(prefault_in_guest, page, size);
	probe_unmap(page, size);
	if (r == -ENOTTY || r == -EINVAL || r == -EOPNOTSUPP)
		return "KVM cannot map ahead (KVM_PRE_FAULT_MEMORY: 6.11 and later do)";
	return r == 0 ? NULL : probe_no(p, "KVM_PRE_FAULT_MEMORY: %s", strerror(-r));
}

/* ---- test_hmm ---- */

static int read_in_mirror(int fd, uint64_t *page, uint64_t *copy)
{
	struct dmirror_cmd cmd = {.addr = (uintptr_t)page, .ptr = (uintptr_t)copy, .npages = 1};

	if (ioctl(fd, DMIRROR_READ, &cmd) < 0)
		return -errno;
	return cmd.cpages == 1 && *copy == *page ? 0 : -EBADMSG;
}

const char *probe_dmirror(struct probe *p)
{
	_cleanup_close_ int fd = path_open("/dev/hmm_dmirror0", O_RDWR);
	size_t size = p->m->page_size;
	uint64_t *map;
	int r;

	if (fd == -ENOENT)
		return "there is no /dev/hmm_dmirror0 (CONFIG_TEST_HMM; modprobe test_hmm)";
	if (fd < 0)
		return fd == -EACCES ? "/dev/hmm_dmirror0 needs root"
				     : probe_no(p, "/dev/hmm_dmirror0: %s", strerror(-fd));
	map = probe_map(2 * size);
	if (!map)
		return "no memory to try it";
	*map = mark;
	r = read_in_mirror(fd, map, map + size / sizeof(*map));
	probe_unmap(map, 2 * size);
	return r == 0 ? NULL : probe_no(p, "/dev/hmm_dmirror0: reading: %s", strerror(-r));
}
