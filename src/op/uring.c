/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_uring's fixed buffers: ranges of a slot that the kernel keeps pinned for as long as they are registered, and that rings read and
 * write without looking at page tables. A pinned page must never migrate, collapse or be copied by a fork in its owner. It
 * may legally part from its mapping: by whatever takes contents away (mem/tail.h).
 */
#include "uring.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "backings.h"
#include "result.h"
#include "uffd.h"

/* include/uapi/linux/io_uring.h of 6.12 */
enum { REGISTER_CLONE_BUFFERS = 30 };
struct clone_buffers {
	uint32_t src_fd, flags, pad[6];
};

enum { PIN_PMDS = 2 };

/*
 * Not disk files: pages that are written back are not pinned for long (mm/gup.c, writable_file_mapping_allowed); 6.1 refuses all mappings of
 * files but shmem's own and hugetlb (EOPNOTSUPP).
 */
enum {
	BACKINGS_PINNED =
		BACKINGS_ALL & ~(1 << BACKING_FILE | 1 << BACKING_FILE_PRIVATE | 1 << BACKING_SYSV)
};

/* A buffer's part of the span: a huge page on hugetlb, else at most PIN_PMDS. */
static uint32_t pin_pages(const struct op_span *s)
{
	uint32_t most = s->slot->granule > 1 ? s->slot->granule : PIN_PMDS * s->slot->pmd_pages;

	return s->pages < most ? s->pages : most;
}

/* What a buffer over the range will pin; to be called before it does. */
static struct uring_pin plan_pin(
	const struct op_env *e, const struct op_span *s, uint32_t page, uint32_t pages)
{
	struct uring_pin p = {.live = true,
		.slot = (uint8_t)s->slot_no,
		.view = (uint8_t)s->view,
		.page = page,
		.pages = pages,
		.own = -1};
	int64_t own = tail_own_sectors(e->cells, s->slot_no, page, pages);
	uint32_t step = pages / (URING_SAMPLES - 1), last = UINT32_MAX;

	if (own >= 0) {
		p.own = 0;
		p.sample[p.nsamples++].page = (uint32_t)own;
	}
	for (unsigned int i = 0; i < URING_SAMPLES - 1; i++) {
		uint32_t from = page + i * step;
		uint32_t at = tail_page(e->cells, s->slot_no, from, page + pages - from);

		if (at < page || at >= page + pages || at == last)
			continue;
		last = at;
		p.sample[p.nsamples++].page = at;
	}
	for (unsigned int i = 0; i < p.nsamples; i++)
		p.sample[i].mark = tail_mark(e->cells, e->proc, p.slot, p.sample[i].page);
	return p;
}

static struct iovec iovec_of(const struct op_env *e, const struct uring_pin *p)
{
	return (struct iovec){(void *)uring_addr(e, p, p->page, 0),
		(size_t)p->pages << e->slot[p->slot].page_shift};
}

/*
 * EFAULT is every page that is not there or not writable; a hole that is mapped again before the errno is judged shows in the state.
 * ENOMEM: RLIMIT_MEMLOCK, or pages that had to leave a movable zone first.
 */
static const struct op_errno errnos_pin[] = {
	{EFAULT, WHEN_HOLE | WHEN_SHORT | WHEN_TIGHT |
			 WHEN_ODD}, /* what userfaultfd has missing or protected, until 6.8 */
	{ENOMEM, WHEN_ALWAYS},
	{ENXIO, WHEN_ODD}, /* no table to put it in */
	{EINVAL, WHEN_STRICT}, /* in two files */
	{0, 0},
};

/* Until 6.8 io_pin_pages() faulted under the mmap lock, and could not wait for a handler of userfaultfd. */
static bool odd_pin(const struct op_env *e, const struct op_call *c)
{
	return gear_of(e, &gear_uffd) != NULL;
}

/*
 * Until 6.4 a buffer had to lie in mappings of one struct file (io_pin_pages()); each attach of a System V segment makes another
 * (do_shmat()), as does each mapping of anonymous huge pages: those next to each other may have been mapped one by one.
 */
static bool strict_pin(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t last = s.page + pin_pages(&s) - 1;

	return backing_in(s.slot, 1 << BACKING_HUGETLB_SYSV | 1 << BACKING_HUGETLB_PRIVATE) &&
	       s.page / s.slot->granule != last / s.slot->granule;
}

/* ---- register ---- */

enum { REGISTER_ARG_RING = 4, REGISTER_ARG_PIECES };

static const struct arg_word ring_words[] = {
	{"main", URING_MAIN},
	{"second", URING_SECOND},
	{NULL, 0},
};

static const struct arg_desc register_args[] = {
	ARGS_RANGE,
	{"ring", ARG_ENUM, 0, ring_words, "which ring of the lane; the second polls by itself"},
	{"pieces", ARG_INT, URING_BUFFERS - 1, NULL, "further buffers that it is cut into"},
	{.kind = ARG_END},
};

static long run_register(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct uring_ring *r = &uring_of(e)->ring[c->arg[REGISTER_ARG_RING]];
	uint32_t pages = pin_pages(&s), n = 1 + c->arg[REGISTER_ARG_PIECES];
	struct uring_pin pin[URING_BUFFERS] = {0};
	struct iovec v[URING_BUFFERS] = {0};
	int err;

	if (r->nbuffers)
		uring_drop(r);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t first = pages * i / n, end = pages * (i + 1) / n;

		if (first == end)
			continue; /* an empty entry of the table */
		pin[i] = plan_pin(e, &s, s.page + first, end - first);
		v[i] = iovec_of(e, &pin[i]);
	}
	err = io_uring_register_buffers(&r->ring, v, URING_BUFFERS);
	if (err < 0)
		return err;
	memcpy(r->pin, pin, sizeof(pin));
	r->nbuffers = URING_BUFFERS;
	return 0;
}

const struct op op_uring_register = {
	.name = "uring_register",
	.help = "registers the range as fixed buffers of a ring: pins its pages for long",
	.exercises = "io_sqe_buffers_register io_pin_pages pin_user_pages_fast gup_fast_pmd_leaf "
		     "check_and_migrate_movable_folios io_try_coalesce_buffer unshare_fault",
	.weight = 6,
	.backings = BACKINGS_PINNED,
	.needs = {CAP_HAS_URING},
	.nneeds = 1,
	.holds = 2 * URING_RINGS * URING_BUFFERS,
	.gear = &gear_uring,
	.args = register_args,
	.errnos = errnos_pin,
	.run = run_register,
	.odd = odd_pin,
	.strict = strict_pin,
};

/* ---- unregister ---- */

static const struct arg_desc ring_args[] = {
	{"ring", ARG_ENUM, 0, ring_words, "which ring of the lane"},
	{.kind = ARG_END},
};

static long run_unregister(struct op_env *e, const struct op_call *c)
{
	return uring_drop(&uring_of(e)->ring[c->arg[0]]);
}

/* An unsuccessful call leaves no table behind, and so it was before. */
static bool odd_unregister(const struct op_env *e, const struct op_call *c)
{
	return uring_of(e)->ring[c->arg[0]].nbuffers == 0;
}

static const struct op_errno errnos_unregister[] = {
	{ENXIO, WHEN_ODD},
	{0, 0},
};

const struct op op_uring_unregister = {
	.name = "uring_unregister",
	.help = "gives a ring's fixed buffers back",
	.exercises = "io_sqe_buffers_unregister io_buffer_unmap unpin_user_folio folio_put",
	.weight = 1,
	.needs = {CAP_HAS_URING},
	.nneeds = 1,
	.gear = &gear_uring,
	.args = ring_args,
	.errnos = errnos_unregister,
	.run = run_unregister,
	.odd = odd_unregister,
};

/* ---- update ---- */

enum { UPDATE_ARG_RING = 4, UPDATE_ARG_BUFFER };

static const struct arg_desc update_args[] = {
	ARGS_RANGE,
	{"ring", ARG_ENUM, 0, ring_words, "which ring of the lane"},
	{"buffer", ARG_INT, URING_BUFFERS - 1, NULL, "which of its buffers is replaced"},
	{.kind = ARG_END},
};

static long run_update(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct uring_ring *r = &uring_of(e)->ring[c->arg[UPDATE_ARG_RING]];
	uint32_t at = c->arg[UPDATE_ARG_BUFFER];
	struct uring_pin pin = plan_pin(e, &s, s.page, pin_pages(&s));
	struct iovec v = iovec_of(e, &pin);
	__u64 tag = 0;
	int err = io_uring_register_buffers_update_tag(&r->ring, at, &v, &tag, 1);

	if (err < 0)
		return err;
	r->pin[at] = pin;
	return 0;
}

static bool odd_update(const struct op_env *e, const struct op_call *c)
{
	return odd_pin(e, c) || uring_of(e)->ring[c->arg[UPDATE_ARG_RING]].nbuffers == 0;
}

const struct op op_uring_update = {
	.name = "uring_update",
	.help = "replaces one of a ring's fixed buffers by the range",
	.exercises = "io_register_rsrc_update __io_sqe_buffers_update io_sqe_buffer_register "
		     "io_queue_rsrc_removal io_rsrc_buf_put",
	.weight = 4,
	.backings = BACKINGS_PINNED,
	.needs = {CAP_HAS_URING, CAP_HAS_URING_UPDATE},
	.nneeds = 2,
	.holds = 2 * URING_RINGS * URING_BUFFERS,
	.gear = &gear_uring,
	.args = update_args,
	.errnos = errnos_pin,
	.run = run_update,
	.odd = odd_update,
	.strict = strict_pin,
};

/* ---- clone ---- */

static long run_clone(struct op_env *e, const struct op_call *c)
{
	struct uring_lane *u = uring_of(e);
	struct uring_ring *from = &u->ring[URING_MAIN], *to = &u->ring[URING_SECOND];
	struct clone_buffers arg = {.src_fd = (uint32_t)from->ring.ring_fd};

	if (to->nbuffers)
		uring_drop(to);
	if (syscall(SYS_io_uring_register, to->ring.ring_fd, REGISTER_CLONE_BUFFERS, &arg, 1) < 0)
		return -errno;
	memcpy(to->pin, from->pin, sizeof(to->pin));
	to->nbuffers = from->nbuffers;
	return 0;
}

static bool odd_clone(const struct op_env *e, const struct op_call *c)
{
	return uring_of(e)->ring[URING_MAIN].nbuffers == 0;
}

static const struct op_errno errnos_clone[] = {
	{ENXIO, WHEN_ODD},
	{ENOMEM, WHEN_ALWAYS},
	{0, 0},
};

const struct op op_uring_clone = {
	.name = "uring_clone",
	.help = "clones the fixed buffers of the lane's main ring into its second one",
	.exercises = "io_register_clone_buffers io_clone_buffers io_buffer_unmap",
	.weight = 2,
	.needs = {CAP_HAS_URING, CAP_HAS_URING_CLONE},
	.nneeds = 2,
	.gear = &gear_uring,
	.errnos = errnos_clone,
	.run = run_clone,
	.odd = odd_clone,
};

/* ---- transfers ---- */

enum { IO_ARG_RING, IO_ARG_BUFFER, IO_ARG_SAMPLE, IO_ARG_FILE, IO_ARG_HOW };
enum { FILE_MEMORY, FILE_DISK };

static const struct arg_word file_words[] = {
	{"memory", FILE_MEMORY},
	{"disk", FILE_DISK},
	{NULL, 0},
};

static const struct arg_word how_words[] = {
	{"inline", 0},
	{"async", IOSQE_ASYNC},
	{NULL, 0},
};

static const struct arg_desc io_args[] = {
	{"ring", ARG_ENUM, 0, ring_words, "which ring of the lane"},
	{"buffer", ARG_INT, URING_BUFFERS - 1, NULL, "which of its buffers"},
	{"sample", ARG_INT, URING_SAMPLES - 1, NULL, "which page of the buffer"},
	{"file", ARG_ENUM, 0, file_words, "a memfd, or a file with O_DIRECT where there is one"},
	{"how", ARG_ENUM, 0, how_words, "at once if it can be, or by a kernel worker"},
	{.kind = ARG_END},
};

/* One transfer: a page of a live buffer and the file. */
struct io {
	struct uring_lane *u;
	const struct uring_pin *pin;
	unsigned int ring, buffer, flags, n;
	uint32_t page, offset;
	const struct tail_mark *mark;
	int fd;
};

static long pick_io(const struct op_env *e, const struct op_call *c, struct io *ret)
{
	struct uring_lane *u = uring_of(e);
	const struct uring_ring *r = &u->ring[c->arg[IO_ARG_RING]];
	bool disk = c->arg[IO_ARG_FILE] == FILE_DISK && u->disk >= 0;
	uint32_t b = c->arg[IO_ARG_BUFFER], i;
	const struct uring_pin *p = NULL;

	for (i = 0; i < URING_BUFFERS; i++, b = (b + 1) % URING_BUFFERS) {
		p = &r->pin[b];
		if (p->live && p->nsamples)
			break;
	}
	if (i == URING_BUFFERS)
		return -ENXIO;
	i = c->arg[IO_ARG_SAMPLE] % p->nsamples;
	*ret = (struct io){.u = u,
		.pin = p,
		.ring = c->arg[IO_ARG_RING],
		.buffer = b,
		.flags = (unsigned int)how_words[c->arg[IO_ARG_HOW]].value,
		.page = p->sample[i].page,
		.mark = &p->sample[i].mark,
		.fd = disk ? u->disk : u->memory};
	return 0;
}

/* There is nothing to transfer: no ring is asked. */
static bool odd_io(const struct op_env *e, const struct op_call *c)
{
	struct io io;

	return pick_io(e, c, &io) < 0;
}

static const struct op_errno errnos_io[] = {
	{ECANCELED, WHEN_ALWAYS}, /* no worker may be made (RLIMIT_NPROC, pids.max) */
	{ENXIO, WHEN_ODD},
	{0, 0},
};

static bool kept(const struct op_env *e, const struct io *io)
{
	return tail_kept(e->cells, e->proc, io->pin->slot, io->page, io->mark);
}

/* The cells: only the lane's own are still the same when the CPU has read them. */
static long run_write_fixed(struct op_env *e, const struct op_call *c)
{
	uint64_t line[CELL_STRIDE / sizeof(uint64_t)], seen;
	struct io io;
	long r = pick_io(e, c, &io);

	if (r < 0)
		return r;
	r = uring_fetch(
		io.u, io.ring, io.buffer, uring_addr(e, io.pin, io.page, 0), TAIL_SECTOR, io.fd);
	if (r < 0)
		return r;
	e->bytes += TAIL_SECTOR;
	memcpy(&seen, io.u->io + (size_t)e->lane * CELL_STRIDE, sizeof(seen));
	if (tail_load(e->cells, io.pin->slot, io.pin->view, io.page, e->lane * CELL_STRIDE, line,
		    sizeof(line)) &&
		kept(e, &io))
		tail_compare(e->cells, io.pin->slot, io.pin->view, io.page, line[0], seen,
			"pinned buffer");
	return 0;
}

const struct op op_uring_write_fixed = {
	.name = "uring_write_fixed",
	.help = "writes cells out of a fixed buffer to a file and compares them with what the CPU "
		"sees",
	.exercises = "io_import_fixed io_write iomap_dio_rw bio_iov_bvec_set shmem_file_write_iter",
	.weight = 5,
	.needs = {CAP_HAS_URING},
	.nneeds = 1,
	.wants = {CAP_HAS_ODIRECT, CAP_HAS_URING_SQPOLL},
	.nwants = 2,
	.gear = &gear_uring,
	.args = io_args,
	.errnos = errnos_io,
	.run = run_write_fixed,
	.odd = odd_io,
};

static void prepare_read(struct io_uring_sqe *sqe, const void *arg)
{
	const struct io *io = arg;

	io_uring_prep_read_fixed(sqe, io->fd, NULL, io->n, 0, (int)io->buffer);
}

struct read_request {
	const struct io *io;
	uintptr_t addr;
};

static void prepare_read_at(struct io_uring_sqe *sqe, const void *arg)
{
	const struct read_request *r = arg;

	prepare_read(sqe, r->io);
	sqe->addr = r->addr;
}

/* Into the lane's line of the page from a memfd, into its sectors from a disk. */
static void place_read(const struct op_env *e, struct io *io)
{
	const struct uring_pin *p = io->pin;

	io->offset = tail_line(e->lane) + LINE_DMA;
	io->n = TAIL_LINE - LINE_DMA;
	if (io->fd != io->u->disk)
		return;
	io->fd = io->u->memory;
	if (p->own < 0)
		return;
	io->fd = io->u->disk;
	io->page = p->sample[p->own].page;
	io->mark = &p->sample[p->own].mark;
	io->offset = TAIL_SECTORS;
	io->n = TAIL_SECTOR;
}

static void fill(struct uring_lane *u, unsigned int lane, unsigned int n)
{
	uint64_t *w = (uint64_t *)u->io;

	u->count++;
	for (unsigned int i = 0; i < n / sizeof(*w); i++)
		w[i] = 1ULL << 63 | (uint64_t)lane << 56 | u->count << 8 | i;
}

static long run_read_fixed(struct op_env *e, const struct op_call *c)
{
	uint64_t cpu[TAIL_SECTOR / sizeof(uint64_t)];
	struct read_request req;
	struct io io;
	unsigned int i = 0;
	long r = pick_io(e, c, &io);

	if (r < 0)
		return r;
	place_read(e, &io);
	fill(io.u, e->lane, io.fd == io.u->disk ? TAIL_SECTOR : io.n);
	if (pwrite(io.fd, io.u->io, io.n, 0) != (ssize_t)io.n)
		return -EIO;
	req = (struct read_request){&io, uring_addr(e, io.pin, io.page, io.offset)};
	r = uring_do(&io.u->ring[io.ring], prepare_read_at, &req, io.flags);
	if (r < 0)
		return r;
	if (r != (long)io.n)
		return -EIO;
	e->bytes += io.n;
	if (!tail_load(e->cells, io.pin->slot, io.pin->view, io.page, io.offset, cpu, io.n) ||
		!kept(e, &io))
		return 0;
	while (i < io.n / sizeof(*cpu) - 1 && cpu[i] == ((uint64_t *)io.u->io)[i])
		i++;
	tail_compare(e->cells, io.pin->slot, io.pin->view, io.page, cpu[i],
		((uint64_t *)io.u->io)[i], "read into a pinned buffer");
	return 0;
}

const struct op op_uring_read_fixed = {
	.name = "uring_read_fixed",
	.help = "reads a pattern from a file into a fixed buffer, where the CPU must see it",
	.exercises = "io_import_fixed io_read iomap_dio_rw bio_iov_bvec_set shmem_file_read_iter",
	.weight = 5,
	.needs = {CAP_HAS_URING},
	.nneeds = 1,
	.wants = {CAP_HAS_ODIRECT, CAP_HAS_URING_SQPOLL},
	.nwants = 2,
	.gear = &gear_uring,
	.args = io_args,
	.errnos = errnos_io,
	.run = run_read_fixed,
	.odd = odd_io,
};
