/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The object behind a slot read, written and synchronised through its file descriptor, beside its mappings. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem/tail.h"
#include "op/op.h"
#include "backings.h"
#include "result.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

static off_t bytes_of(const struct op_span *s, uint32_t page)
{
	return (off_t)page << s->slot->page_shift;
}

static const struct arg_desc range_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "whose object"},
	{"off", ARG_OFF, 0, NULL, "first page of the object"},
	{"pages", ARG_LEN, 0, NULL, "length, 0 = to the end"},
	{.kind = ARG_END},
};

/* ---- reading ---- */

enum { SINK_BYTES = 4096 };

/* Where a lane copies to: a memfd. */
struct sinks {
	int fd[SPACE_MAX_LANES];
};

static void close_sinks(void *state)
{
	struct sinks *s = state;

	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++)
		if (s->fd[l] >= 0)
			close(s->fd[l]);
	free(s);
}

static int open_sinks(const struct op_env *e, void **ret)
{
	struct sinks *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	for (unsigned int l = 0; l < SPACE_MAX_LANES; l++) {
		s->fd[l] = memfd_create("sunder-sink", MFD_CLOEXEC);
		if (s->fd[l] < 0)
			return -errno;
	}
	*ret = s;
	return 0;
}

static const struct gear gear_sink = {
	.name = "sinks",
	.open = open_sinks,
	.close = close_sinks,
};

enum { READ_PREAD, READ_SENDFILE };
enum { READ_ARG_HOW = 3 };

static const struct arg_word read_words[] = {
	{"pread", READ_PREAD},
	{"sendfile", READ_SENDFILE},
	{NULL, 0},
};

static const struct arg_desc read_args[] = {
	{"slot", ARG_SLOT, 0, NULL, "whose object"},
	{"off", ARG_OFF, 0, NULL, "first page of the object"},
	{"pages", ARG_LEN, 0, NULL, "length, 0 = to the end"},
	{"how", ARG_ENUM, 0, read_words, "pread, or sendfile (not from hugetlbfs) and then pread"},
	{.kind = ARG_END},
};

/* Up to TAIL_SECTORS bytes of the page. Returns how many, or -errno. */
static long read_page(struct op_env *e, const struct op_span *s, off_t at, bool send, char *buf)
{
	const struct sinks *sinks = gear_of(e, &gear_sink);
	int sink = sinks->fd[e->lane % SPACE_MAX_LANES];
	long r;

	if (!send)
		return result_of(pread(s->slot->fd, buf, TAIL_SECTORS, at));
	if (lseek(sink, 0, SEEK_SET) < 0)
		return -errno;
	r = result_of(sendfile(sink, s->slot->fd, &at, TAIL_SECTORS));
	return r <= 0 ? r : result_of(pread(sink, buf, (size_t)r, 0));
}

/* Beyond the end of a short object there is nothing to read. */
static long run_file_read(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t page = tail_page(e->cells, s.slot_no, s.page, s.pages);
	uint64_t *seen = (uint64_t *)e->scratch->text;
	bool send = c->arg[READ_ARG_HOW] == READ_SENDFILE && s.slot->granule == 1;
	long r = read_page(e, &s, bytes_of(&s, page), send, e->scratch->text);

	if (r < 0)
		return r;
	e->bytes += (uint64_t)r;
	if (r != TAIL_SECTORS)
		return 0;
	cells_judge_seen(e->cells, s.slot_no, 0, page, seen[cell_byte(e->lane) / 8],
		send ? "sendfile" : "pread");
	tail_judge(e->cells, e->proc, s.slot_no, 0, page, seen[tail_line(e->lane) / 8],
		send ? "sendfile" : "pread");
	return 0;
}

static const struct op_errno errnos_read[] = {
	{ENOMEM, WHEN_ALWAYS},
	{EINTR, WHEN_ALWAYS},
	{0, 0},
};

const struct op op_file_read = {
	.name = "file_read",
	.help = "reads cells through the object's file and compares them with what is due",
	.exercises = "shmem_file_read_iter hugetlbfs_read_iter filemap_read shmem_file_splice_read "
		     "filemap_splice_read splice_direct_to_actor",
	.weight = 3,
	.backings = BACKINGS_WITH_FD,
	.gear = &gear_sink,
	.args = read_args,
	.errnos = errnos_read,
	.run = run_file_read,
};

/* ---- writing ---- */

static long run_file_write(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	uint32_t page = tail_page(e->cells, s.slot_no, s.page, s.pages);
	uint32_t line = tail_line(e->lane);
	struct tail_mark mark = tail_mark(e->cells, e->proc, s.slot_no, page);
	uint64_t value = tail_next(e->cells, s.slot_no, page), seen;
	long r;

	tail_unknown(e->cells, e->proc, s.slot_no, page);
	r = result_of(pwrite(s.slot->fd, &value, sizeof(value), bytes_of(&s, page) + line));
	if (r < 0)
		return r;
	if (r != sizeof(value))
		return -EIO;
	e->bytes += sizeof(value);
	tail_wrote(e->cells, e->proc, s.slot_no, page, value, &mark);
	if (tail_load(e->cells, s.slot_no, 0, page, line, &seen, sizeof(seen)))
		tail_judge(e->cells, e->proc, s.slot_no, 0, page, seen, "pwrite");
	return 0;
}

/* A short object reaches over the page from then on, as after fallocate. */
static unsigned int effects_file_write(
	const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	struct op_span s = op_range(e, c);

	eff[0] = (struct effect){EFFECT_SIZED, (uint8_t)s.slot_no, 0, 0, s.page};
	if (s.page == 0 || s.slot->pages > SPACE_MAX_CELLS) /* not every page has a cell */
		eff[0] = op_effect(&s, EFFECT_RESIZED);
	return 1;
}

static const struct op_errno errnos_write[] = {
	{ENOSPC, WHEN_FILE},
	{ENOMEM, WHEN_ALWAYS},
	{EINTR, WHEN_ALWAYS},
	{0, 0},
};

const struct op op_file_write = {
	.name = "file_write",
	.help = "writes a word behind the cells through the object's file, where the CPU must see "
		"it",
	.exercises =
		"shmem_file_write_iter shmem_write_begin shmem_write_end generic_perform_write "
		"folio_mark_dirty",
	.weight = 3,
	.backings = BACKINGS_WITH_FD & ~BACKINGS_HUGETLB, /* hugetlbfs has no write */
	.args = range_args,
	.errnos = errnos_write,
	.run = run_file_write,
	.effects = effects_file_write,
};

/* ---- statistics of the page cache ---- */

static long run_cachestat(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	struct {
		uint64_t off, len;
	} range = {(uint64_t)bytes_of(&s, s.page), s.len};
	struct {
		uint64_t cache, dirty, writeback, evicted, recently_evicted;
	} stat = {0};
	long r = result_of(syscall(SYS_cachestat, s.slot->fd, &range, &stat, 0));

	/* More pages than the range has. Huge pages that others split or make meanwhile may be counted twice. */
	if (r == 0 && stat.cache > 2ULL * s.pages)
		return -ERANGE;
	return r;
}

const struct op op_cachestat = {
	.name = "cachestat",
	.help = "asks how many pages of the object are in the page cache",
	.exercises = "filemap_cachestat xas_get_order workingset_test_recent shmem_get_page",
	.weight = 2,
	.backings = BACKINGS_WITH_FD & ~BACKINGS_HUGETLB,
	.needs = {CAP_HAS_CACHESTAT},
	.nneeds = 1,
	.args = range_args,
	.run = run_cachestat,
};

/* ---- synchronising ---- */

enum { SYNC_ARG_HOW = 4 };
enum {
	SYNC_MSYNC,
	SYNC_MSYNC_ASYNC,
	SYNC_MSYNC_INVALIDATE,
	SYNC_READAHEAD,
	SYNC_RANGE,
	SYNC_FADVISE,
	SYNC_FDATASYNC
};

static const struct arg_word sync_words[] = {
	{"msync", SYNC_MSYNC},
	{"msync_async", SYNC_MSYNC_ASYNC},
	{"msync_invalidate", SYNC_MSYNC_INVALIDATE},
	{"readahead", SYNC_READAHEAD},
	{"sync_file_range", SYNC_RANGE},
	{"fadvise_dontneed", SYNC_FADVISE},
	{"fdatasync", SYNC_FDATASYNC},
	{NULL, 0},
};

static const struct arg_desc sync_args[] = {
	ARGS_RANGE,
	{"how", ARG_ENUM, 0, sync_words, "by which call"},
	{.kind = ARG_END},
};

static long run_file_sync(struct op_env *e, const struct op_call *c)
{
	struct op_span s = op_range(e, c);
	off_t at = bytes_of(&s, s.page);
	int fd = s.slot->fd;

	switch (c->arg[SYNC_ARG_HOW]) {
	case SYNC_MSYNC:
		return result_of(msync((void *)s.addr, s.len, MS_SYNC));
	case SYNC_MSYNC_ASYNC:
		return result_of(msync((void *)s.addr, s.len, MS_ASYNC));
	case SYNC_MSYNC_INVALIDATE:
		return result_of(msync((void *)s.addr, s.len, MS_SYNC | MS_INVALIDATE));
	case SYNC_READAHEAD:
		return result_of(readahead(fd, at, s.len));
	case SYNC_RANGE:
		return result_of(sync_file_range(
			fd, at, (off_t)s.len, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE));
	case SYNC_FADVISE:
		return -posix_fadvise(fd, at, (off_t)s.len, POSIX_FADV_DONTNEED);
	default:
		return result_of(fdatasync(fd));
	}
}

static bool strict_file_sync(const struct op_env *e, const struct op_call *c)
{
	return c->arg[SYNC_ARG_HOW] == SYNC_MSYNC_INVALIDATE;
}

static const struct op_errno errnos_sync[] = {
	{ENOMEM, WHEN_HOLE},
	{EBUSY, WHEN_LOCKED}, /* MS_INVALIDATE of what is locked */
	{EINVAL, WHEN_HUGETLB | WHEN_UNALIGNED},
	{ENOSPC, WHEN_FILE},
	{EINTR, WHEN_ALWAYS},
	{0, 0},
};

const struct op op_file_sync = {
	.name = "file_sync",
	.help = "msync, readahead, sync_file_range, fadvise or fdatasync of the range",
	.exercises = "vfs_fsync_range filemap_write_and_wait_range folio_mkclean page_mkclean_one "
		     "invalidate_mapping_pages force_page_cache_readahead",
	.weight = 2,
	.backings = BACKINGS_WITH_FD,
	.args = sync_args,
	.errnos = errnos_sync,
	.run = run_file_sync,
	.strict = strict_file_sync,
};
