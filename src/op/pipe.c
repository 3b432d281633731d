/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages of slots lent to others for a while by plain references: pipes (vmsplice), and devices (O_DIRECT). The gear keeps a pipe with
 * its pages from one call of a lane to the next, so that they are still held when others migrate, split or drop them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mem/tail.h"
#include "op/op.h"
#include "backings.h"
#include "result.h"

enum { LENT_MAX = 4, FILE_BYTES = 4096 };

struct lender {
	int held[2], look[2]; /* pipes: one holds pages until the next call, one is read at once */
	int disk; /* opened with O_DIRECT, or -1 */
	char *io; /* FILE_BYTES, aligned */
	uint64_t count;
	unsigned int n; /* cells in the pipe */
	struct {
		uint8_t slot, view;
		uint32_t page;
		uint64_t value; /* as it was when the page was lent */
	} lent[LENT_MAX];
};

struct lenders {
	struct lender lane[SPACE_MAX_LANES];
};

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void close_gear(void *state)
{
	struct lenders *s = state;

	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++) {
		struct lender *p = &s->lane[l];

		close_fd(p->held[0]);
		close_fd(p->held[1]);
		close_fd(p->look[0]);
		close_fd(p->look[1]);
		close_fd(p->disk);
		free(p->io);
	}
	free(s);
}

static int open_lender(struct lender *p)
{
	if (pipe2(p->held, O_CLOEXEC | O_NONBLOCK) < 0 ||
		pipe2(p->look, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	p->io = aligned_alloc(FILE_BYTES, FILE_BYTES);
	if (!p->io)
		return -ENOMEM;
	memset(p->io, 0, FILE_BYTES);
	if (caps_missing(CAP_HAS_ODIRECT))
		return 0;
	p->disk = open(caps_disk_dir(), O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600);
	return p->disk < 0 ? -errno : 0;
}

static int open_gear(const struct op_env *e, void **ret)
{
	struct lenders *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++) {
		struct lender *p = &s->lane[l];

		p->held[0] = p->held[1] = p->look[0] = p->look[1] = p->disk = -1;
	}
	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++) {
		r = open_lender(&s->lane[l]);
		if (r < 0) {
			close_gear(s);
			return r;
		}
	}
	*ret = s;
	return 0;
}

/*
 * Gives the lent pages back. A page that was written after a fork is another than the one in the pipe: that holds what it held when it
 * was lent, or what the lane has written since, or zeroes; never anything that belongs elsewhere.
 */
static void take_back(struct op_env *e, struct lender *p)
{
	uint64_t seen;

	for (unsigned int i = 0; i < p->n; i++) {
		if (read(p->held[0], &seen, sizeof(seen)) != sizeof(seen))
			break;
		if (seen && p->lent[i].value && (seen ^ p->lent[i].value) & CELL_ID_MASK)
			tail_compare(e->cells, p->lent[i].slot, p->lent[i].view, p->lent[i].page,
				p->lent[i].value, seen, "pipe that held the page");
	}
	while (read(p->held[0], p->io, FILE_BYTES) > 0)
		;
	p->n = 0;
}

static void end_gear(struct op_env *e, void *state)
{
	struct lenders *s = state;

	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++)
		take_back(e, &s->lane[l]);
}

static const struct gear gear_lender = {
	.name = "pipes",
	.open = open_gear,
	.end = end_gear,
	.close = close_gear,
};

static struct lender *lender_of(const struct op_env *e)
{
	struct lenders *s = gear_of(e, &gear_lender);

	return &s->lane[e->lane % SPACE_MAX_LANES];
}

/* True if the page that the call looks at lies outside its range: a range without a cell of its own. */
static bool odd_page(const struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t page = tail_page(e->cells, s.slot_no, s.page, s.pages);

	return page < s.page || page >= s.page + s.pages;
}

static const struct op_errno errnos_lend[] = {
	{EFAULT, WHEN_HOLE | WHEN_SHORT | WHEN_TIGHT | WHEN_ODD},
	{ENOMEM, WHEN_ALWAYS},
	{0, 0},
};

/* ---- vmsplice ---- */

enum { SPLICE_ARG_FLAGS = 4 };

static const struct arg_word splice_words[] = {
	{"gift", SPLICE_F_GIFT},
	{"move", SPLICE_F_MOVE},
	{NULL, 0},
};

static const struct arg_desc splice_args[] = {
	ARGS_RANGE,
	{"flags", ARG_FLAGS, 0, splice_words, "of vmsplice"},
	{.kind = ARG_END},
};

/* Cells of pages all over the span. Returns how many. */
static unsigned int choose(
	const struct op_env *e, const struct op_span *s, struct lender *p, struct iovec *v)
{
	uint32_t step = s->pages / LENT_MAX, last = UINT32_MAX;
	unsigned int n = 0;

	for (unsigned int i = 0; i < LENT_MAX; i++) {
		uint32_t from = s->page + i * step;
		uint32_t page = tail_page(e->cells, s->slot_no, from, s->page + s->pages - from);

		if (page == last)
			continue;
		last = page;
		p->lent[n].slot = (uint8_t)s->slot_no;
		p->lent[n].view = (uint8_t)s->view;
		p->lent[n].page = page;
		v[n] = (struct iovec){
			(char *)slot_addr(s->slot, s->view, page) + cell_byte(e->lane),
			sizeof(uint64_t)};
		n++;
	}
	return n;
}

static long run_vmsplice(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct lender *p = lender_of(e);
	uint32_t bits = c->arg[SPLICE_ARG_FLAGS];
	unsigned int flags = (bits & 1 ? SPLICE_F_GIFT : 0) | (bits & 2 ? SPLICE_F_MOVE : 0);
	struct iovec v[LENT_MAX];
	uint64_t seen;
	unsigned int n;
	long r;

	take_back(e, p);
	n = choose(e, &s, p, v);
	r = result_of(vmsplice(p->held[1], v, n, flags | SPLICE_F_NONBLOCK));
	if (r < 0)
		return r;
	p->n = (unsigned int)r / sizeof(seen);
	e->bytes += (uint64_t)r;
	/* The same pages by a second reference, read now: the lane's cell is still as it was. */
	r = tee(p->held[0], p->look[1], (size_t)r, SPLICE_F_NONBLOCK);
	for (unsigned int i = 0; i < p->n; i++) {
		p->lent[i].value = 0;
		if (r < (long)((i + 1) * sizeof(seen)) ||
			read(p->look[0], &seen, sizeof(seen)) != sizeof(seen))
			continue;
		p->lent[i].value = seen;
		cells_judge_seen(e->cells, p->lent[i].slot, p->lent[i].view, p->lent[i].page, seen,
			"vmsplice");
	}
	return 0;
}

const struct op op_vmsplice = {
	.name = "vmsplice",
	.help = "lends pages to a pipe until the lane's next call, and compares what is read there",
	.exercises = "vmsplice_to_pipe iter_to_pipe iov_iter_get_pages2 get_user_pages_fast "
		     "page_cache_pipe_buf_release do_tee folio_put",
	.weight = 4,
	.backings = BACKINGS_ALL,
	.holds = LENT_MAX,
	.gear = &gear_lender,
	.args = splice_args,
	.errnos = errnos_lend,
	.run = run_vmsplice,
	.odd = odd_page,
};

/* ---- O_DIRECT ---- */

static const struct arg_desc range_args[] = {ARGS_RANGE, {.kind = ARG_END}};

/* The device reads the page: the cells of all lanes, of which the lane's own are certain. */
static long run_odirect_write(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct lender *p = lender_of(e);
	uint32_t page = tail_page(e->cells, s.slot_no, s.page, s.pages);
	uint64_t seen;
	long r =
		result_of(pwrite(p->disk, (void *)slot_addr(s.slot, s.view, page), TAIL_SECTOR, 0));

	if (r < 0)
		return r;
	if (r != TAIL_SECTOR || pread(p->disk, p->io, TAIL_SECTOR, 0) != TAIL_SECTOR)
		return -EIO;
	e->bytes += TAIL_SECTOR;
	memcpy(&seen, p->io + cell_byte(e->lane), sizeof(seen));
	cells_judge_seen(e->cells, s.slot_no, s.view, page, seen, "O_DIRECT write");
	return 0;
}

const struct op op_odirect_write = {
	.name = "odirect_write",
	.help = "has a device read cells (O_DIRECT write) and compares them with what is due",
	.exercises = "iomap_dio_rw bio_iov_iter_get_pages iov_iter_extract_pages "
		     "pin_user_pages_fast bio_release_pages",
	.weight = 3,
	.backings = BACKINGS_ALL,
	.needs = {CAP_HAS_ODIRECT},
	.nneeds = 1,
	.gear = &gear_lender,
	.args = range_args,
	.errnos = errnos_lend,
	.run = run_odirect_write,
	.odd = odd_page,
};

/* Whose sectors the span has none of: the call does nothing. */
static long run_odirect_read(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct lender *p = lender_of(e);
	int64_t page = tail_own_sectors(e->cells, s.slot_no, s.page, s.pages);
	uint64_t cpu[TAIL_SECTOR / sizeof(uint64_t)], *io = (uint64_t *)p->io;
	struct tail_mark mark;
	unsigned int i = 0;
	long r;

	if (page < 0)
		return 0;
	p->count++;
	for (i = 0; i < ARRAY_SIZE(cpu); i++)
		io[i] = 1ULL << 63 | (uint64_t)e->lane << 56 | p->count << 8 | i;
	if (pwrite(p->disk, io, TAIL_SECTOR, 0) != TAIL_SECTOR)
		return -EIO;
	mark = tail_mark(e->cells, e->proc, s.slot_no, (uint32_t)page);
	r = result_of(pread(p->disk,
		(char *)slot_addr(s.slot, s.view, (uint32_t)page) + TAIL_SECTORS, TAIL_SECTOR, 0));
	if (r < 0)
		return r;
	if (r != TAIL_SECTOR)
		return -EIO;
	e->bytes += TAIL_SECTOR;
	if (!tail_load(
		    e->cells, s.slot_no, s.view, (uint32_t)page, TAIL_SECTORS, cpu, sizeof(cpu)) ||
		!tail_kept(e->cells, e->proc, s.slot_no, (uint32_t)page, &mark))
		return 0;
	for (i = 0; i < ARRAY_SIZE(cpu) - 1 && cpu[i] == io[i];)
		i++;
	tail_compare(e->cells, s.slot_no, s.view, (uint32_t)page, cpu[i], io[i], "O_DIRECT read");
	return 0;
}

const struct op op_odirect_read = {
	.name = "odirect_read",
	.help = "has a device write a pattern behind the cells (O_DIRECT read), where the CPU must "
		"see it",
	.exercises = "iomap_dio_rw bio_iov_iter_get_pages iov_iter_extract_pages "
		     "pin_user_pages_fast bio_check_pages_dirty bio_dirty_fn",
	.weight = 3,
	/* Not private memory: until 6.5 a fork beside it may take the page away from the device (open(2), O_DIRECT). */
	.backings = BACKINGS_SHARED,
	.needs = {CAP_HAS_ODIRECT},
	.nneeds = 1,
	.gear = &gear_lender,
	.args = range_args,
	.errnos = errnos_lend,
	.run = run_odirect_read,
};
