/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gear of the ring ops: rings and scratch files, made before the lanes start; the checks of what is pinned. */
#include "uring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "result.h"

enum { RING_ENTRIES = 4, SQ_IDLE_MS = 1, CHECK_TRIES = 3 };

struct uring_state {
	struct uring_lane lane[SPACE_MAX_LANES];
};

struct uring_lane *uring_of(const struct op_env *e)
{
	struct uring_state *s = gear_of(e, &gear_uring);

	return &s->lane[e->lane % SPACE_MAX_LANES];
}

static int open_disk(void)
{
	const char *dir = caps_disk_dir();
	int fd;

	if (caps_missing(CAP_HAS_ODIRECT) || !dir)
		return -1;
	fd = open(dir, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	if (fd >= 0 && ftruncate(fd, URING_IO) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* All rings with polling share one kernel thread. sq_fd: a ring of it, or -1. */
static int open_ring(struct uring_ring *r, bool polled, int sq_fd)
{
	struct io_uring_params p = {0};
	int err;

	if (polled) {
		p.flags = IORING_SETUP_SQPOLL | (sq_fd >= 0 ? IORING_SETUP_ATTACH_WQ : 0);
		p.sq_thread_idle = SQ_IDLE_MS;
		p.wq_fd = sq_fd >= 0 ? (unsigned int)sq_fd : 0;
	}
	err = io_uring_queue_init_params(RING_ENTRIES, &r->ring, &p);
	r->open = err == 0;
	return err;
}

static int open_lane(struct uring_lane *u, bool polled, int sq_fd)
{
	int r;

	u->disk = open_disk();
	u->memory = memfd_create("sunder-ring", MFD_CLOEXEC);
	if (u->memory < 0 || ftruncate(u->memory, URING_IO) < 0)
		return -errno;
	u->io = aligned_alloc(URING_IO, URING_IO);
	if (!u->io)
		return -ENOMEM;
	memset(u->io, 0, URING_IO);
	r = open_ring(&u->ring[URING_MAIN], false, -1);
	return r < 0 ? r : open_ring(&u->ring[URING_SECOND], polled, sq_fd);
}

static void close_gear(void *state)
{
	struct uring_state *s = state;

	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++) {
		struct uring_lane *u = &s->lane[l];

		for (unsigned int i = 0; i < URING_RINGS; i++)
			if (u->ring[i].open)
				io_uring_queue_exit(&u->ring[i].ring);
		if (u->memory >= 0)
			close(u->memory);
		if (u->disk >= 0)
			close(u->disk);
		free(u->io);
	}
	free(s);
}

static int open_gear(const struct op_env *e, void **ret)
{
	struct uring_state *s = calloc(1, sizeof(*s));
	bool polled = !caps_missing(CAP_HAS_URING_SQPOLL);
	int sq_fd = -1, r;

	if (!s)
		return -ENOMEM;
	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++)
		s->lane[l].memory = s->lane[l].disk = -1;
	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++) {
		r = open_lane(&s->lane[l], polled, sq_fd);
		if (r < 0) {
			close_gear(s);
			return r;
		}
		if (polled && sq_fd < 0)
			sq_fd = s->lane[l].ring[URING_SECOND].ring.ring_fd;
	}
	*ret = s;
	return 0;
}

/* ---- requests ---- */

long uring_do(struct uring_ring *r, void (*prepare)(struct io_uring_sqe *sqe, const void *arg),
	const void *arg, unsigned int flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);
	struct io_uring_cqe *cqe;
	long res;
	int err;

	if (!sqe)
		return -EUSERS; /* ours alone, one at a time: never full */
	prepare(sqe, arg);
	sqe->flags |= (uint8_t)flags;
	err = io_uring_submit(&r->ring);
	if (err < 0)
		return err;
	do
		err = io_uring_wait_cqe(&r->ring, &cqe);
	while (err == -EINTR || err == -EAGAIN);
	if (err < 0)
		return err;
	res = cqe->res;
	io_uring_cqe_seen(&r->ring, cqe);
	return res;
}

struct transfer {
	int fd;
	void *addr;
	unsigned int n, buffer;
};

static void prepare_write(struct io_uring_sqe *sqe, const void *arg)
{
	const struct transfer *t = arg;

	io_uring_prep_write_fixed(sqe, t->fd, t->addr, t->n, 0, (int)t->buffer);
}

long uring_fetch(struct uring_lane *u, unsigned int ring, unsigned int buffer, uintptr_t addr,
	unsigned int n, int fd)
{
	struct transfer t = {fd, (void *)addr, n, buffer};
	long r = uring_do(&u->ring[ring], prepare_write, &t, 0);

	if (r < 0)
		return r;
	if (r != (long)n || pread(fd, u->io, n, 0) != (ssize_t)n)
		return -EIO;
	return 0;
}

long uring_drop(struct uring_ring *r)
{
	r->nbuffers = 0;
	memset(r->pin, 0, sizeof(r->pin));
	return io_uring_unregister_buffers(&r->ring);
}

/* ---- between rounds ---- */

/* Empty tables, so that there is something to update and to clone. */
static void begin_gear(struct op_env *e, void *state)
{
	struct uring_state *s = state;
	const struct iovec empty[URING_BUFFERS] = {{0}};

	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++)
		for (unsigned int i = 0; i < URING_RINGS; i++) {
			struct uring_ring *r = &s->lane[l].ring[i];

			if (io_uring_register_buffers(&r->ring, empty, URING_BUFFERS) == 0)
				r->nbuffers = URING_BUFFERS;
		}
}

/* Everything of the page, as the ring finds it and as the CPU sees it; what differs must do so again, and nothing runs. */
static void check_page(struct op_env *e, struct uring_lane *u, unsigned int ring,
	unsigned int buffer, const struct uring_pin *p, uint32_t page)
{
	static uint64_t cpu[URING_IO / sizeof(uint64_t)]; /* one lane of the process checks */
	const uint64_t *seen = (const uint64_t *)u->io;

	for (unsigned int i = 0; i < CHECK_TRIES; i++) {
		unsigned int k = 0;

		if (uring_fetch(u, ring, buffer, uring_addr(e, p, page, 0), URING_IO, u->memory) ||
			!tail_load(e->cells, p->slot, p->view, page, 0, cpu, sizeof(cpu)))
			return;
		while (k < URING_IO / sizeof(*cpu) - 1 && cpu[k] == seen[k])
			k++;
		if (cpu[k] == seen[k] || i == CHECK_TRIES - 1) {
			tail_compare(
				e->cells, p->slot, p->view, page, cpu[k], seen[k], "pinned buffer");
			return;
		}
	}
}

static void check_ring(struct op_env *e, struct uring_lane *u, unsigned int ring)
{
	for (unsigned int b = 0; b < u->ring[ring].nbuffers; b++) {
		const struct uring_pin *p = &u->ring[ring].pin[b];

		for (unsigned int i = 0; p->live && i < p->nsamples; i++)
			if (tail_kept(e->cells, e->proc, p->slot, p->sample[i].page,
				    &p->sample[i].mark))
				check_page(e, u, ring, b, p, p->sample[i].page);
	}
}

static void check_gear(struct op_env *e, void *state)
{
	struct uring_state *s = state;

	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++)
		for (unsigned int i = 0; i < URING_RINGS; i++)
			check_ring(e, &s->lane[l], i);
}

static void end_gear(struct op_env *e, void *state)
{
	struct uring_state *s = state;

	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++)
		for (unsigned int i = 0; i < URING_RINGS; i++)
			if (s->lane[l].ring[i].nbuffers)
				uring_drop(&s->lane[l].ring[i]);
}

const struct gear gear_uring = {
	.name = "uring",
	.open = open_gear,
	.begin = begin_gear,
	.check = check_gear,
	.end = end_gear,
	.close = close_gear,
};
