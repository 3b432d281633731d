/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rings of an executor: two a lane, the second with submission polling where the kernel allows it. The gear's state; a lane uses
 * its own rings alone, and one lane all of them between rounds.
 */
#ifndef SUNDER_OP_URING_H
#define SUNDER_OP_URING_H

#include <liburing.h>

#include "mem/tail.h"
#include "op/op.h"

enum { URING_BUFFERS = 4, URING_SAMPLES = 6, URING_IO = 4096 };
enum { URING_MAIN, URING_SECOND, URING_RINGS };

/* A registered buffer: the pages that it pins, and what they held when it did. */
struct uring_pin {
	bool live;
	uint8_t slot, view;
	uint32_t page, pages;
	unsigned int nsamples;
	int own; /* index of a sample whose sectors are the lane's, or -1 */
	struct {
		uint32_t page;
		struct tail_mark mark;
	} sample[URING_SAMPLES];
};

struct uring_ring {
	struct io_uring ring;
	bool open;
	unsigned int nbuffers; /* length of the registered table, 0: none */
	struct uring_pin pin[URING_BUFFERS];
};

struct uring_lane {
	struct uring_ring ring[URING_RINGS];
	int memory; /* a memfd of URING_IO bytes: buffers are copied from and to it */
	int disk; /* the same on a disk, opened with O_DIRECT; or -1 */
	char *io; /* URING_IO bytes, page aligned */
	uint64_t count; /* of patterns */
};

extern const struct gear gear_uring;

/* The lane's own; never NULL in ops that have the gear. */
struct uring_lane *uring_of(const struct op_env *e);

/*
 * Submits one request that `prepare` fills in and waits for it. Returns the completion's result. flags: IOSQE_...
 */
long uring_do(struct uring_ring *r, void (*prepare)(struct io_uring_sqe *sqe, const void *arg),
	const void *arg, unsigned int flags);

/* Reads n bytes at a sample's offset out of the pinned page, through the ring; 0 or -errno. n: at most URING_IO. */
long uring_fetch(struct uring_lane *u, unsigned int ring, unsigned int buffer, uintptr_t addr,
	unsigned int n, int fd);

/* The address at which a pin's page was registered. */
static inline uintptr_t uring_addr(
	const struct op_env *e, const struct uring_pin *p, uint32_t page, uint32_t offset)
{
	return slot_addr(&e->slot[p->slot], p->view, page) + offset;
}

/* Drops all buffers of a ring. 0 or -errno (-ENXIO: there were none). */
long uring_drop(struct uring_ring *r);

#endif
