/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/path.h"

/* Disks are read and written past their cache: in whole blocks. */
enum { BLOCK = 4096 };

#define LINK_MAGIC 0x736b6e694c727553ULL

struct header {
	uint64_t magic;
	uint64_t at; /* where it stands: an old block elsewhere is none */
	uint64_t checksum; /* of the name, the data and the numbers below */
	uint64_t offset, size;
	uint32_t name_len, len;
};

struct link {
	int fd;
	bool is_file;
	off_t at;
	unsigned char *buf;
	size_t buf_size;
};

static size_t blocks(size_t n)
{
	return (n + BLOCK - 1) / BLOCK * BLOCK;
}

static int make_room(struct link *l, size_t size)
{
	void *more;

	if (size <= l->buf_size)
		return 0;
	more = aligned_alloc(BLOCK, size);
	if (!more)
		return -ENOMEM;
	if (l->buf)
		memcpy(more, l->buf, l->buf_size);
	free(l->buf);
	l->buf = more;
	l->buf_size = size;
	return 0;
}

/* /dev/vdX of the serial number. */
static int find_disk(const char *serial, char *buf, size_t size)
{
	DIR *d = opendir("/sys/block");
	struct dirent *e;
	int r = -ENXIO;

	while (d && r < 0 && (e = readdir(d))) {
		char path[300], text[64];

		snprintf(path, sizeof(path), "/sys/block/%s/serial", e->d_name);
		if (path_read(path, text, sizeof(text)) < 0 || strcmp(text, serial) != 0)
			continue;
		snprintf(buf, size, "/dev/%s", e->d_name);
		r = 0;
	}
	if (d)
		closedir(d);
	return r;
}

static int open_link(const char *path, const char *serial, int flags, struct link **ret)
{
	struct link *l = calloc(1, sizeof(*l));
	char dev[280];
	struct stat st;
	int r = l ? make_room(l, BLOCK) : -ENOMEM;

	if (r == 0 && !path)
		r = find_disk(serial, dev, sizeof(dev));
	if (r == 0) {
		l->fd = open(path ? path : dev, flags | O_CLOEXEC | (path ? 0 : O_DIRECT));
		r = l->fd < 0 || fstat(l->fd, &st) < 0 ? -errno : 0;
	}
	if (r < 0) {
		if (l)
			free(l->buf);
		free(l);
		return r;
	}
	l->is_file = S_ISREG(st.st_mode);
	*ret = l;
	return 0;
}

int link_open_writer(const char *path, const char *serial, struct link **ret)
{
	return open_link(path, serial, O_RDWR, ret);
}

int link_open_reader(const char *path, const char *serial, struct link **ret)
{
	int r = open_link(path, serial, path ? O_RDWR : O_RDONLY, ret);
	off_t at;

	/* What an earlier reader took is a hole. */
	if (r == 0 && (*ret)->is_file && (at = lseek((*ret)->fd, 0, SEEK_DATA)) > 0)
		(*ret)->at = at;
	return r;
}

void link_close(struct link *l)
{
	if (!l)
		return;
	close(l->fd);
	free(l->buf);
	free(l);
}

static uint64_t checksum(const struct header *h, const unsigned char *body)
{
	const uint64_t numbers[] = {h->at, h->offset, h->size, h->name_len, h->len};

	return XXH64(
		body, h->name_len + (size_t)h->len, XXH64(numbers, sizeof(numbers), LINK_MAGIC));
}

static int write_all(int fd, const unsigned char *p, size_t len, off_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int link_put(struct link *l, const char *name, uint64_t offset, uint64_t size, const void *data,
	size_t len)
{
	size_t name_len = strlen(name), body = name_len + len,
	       whole = blocks(sizeof(struct header) + body);
	struct header h = {.magic = LINK_MAGIC,
		.at = (uint64_t)l->at,
		.offset = offset,
		.size = size,
		.name_len = (uint32_t)name_len,
		.len = (uint32_t)len};
	int r;

	if (name_len >= LINK_NAME_MAX || len > LINK_DATA_MAX)
		return -E2BIG;
	r = make_room(l, whole);
	if (r < 0)
		return r;
	memset(l->buf, 0, whole);
	memcpy(l->buf + sizeof(h), name, name_len);
	if (len)
		memcpy(l->buf + sizeof(h) + name_len, data, len);
	h.checksum = checksum(&h, l->buf + sizeof(h));
	memcpy(l->buf, &h, sizeof(h));
	r = write_all(l->fd, l->buf, whole, l->at);
	if (r < 0)
		return r == -EFBIG ? -ENOSPC : r;
	l->at += (off_t)whole;
	return 0;
}

/* True if so much could be read. */
static bool read_all(int fd, unsigned char *p, size_t len, off_t at)
{
	while (len) {
		ssize_t n = pread(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

int link_next(struct link *l, struct link_record *ret)
{
	struct header h;
	size_t whole;
	int r;

	if (!read_all(l->fd, l->buf, BLOCK, l->at))
		return 0;
	memcpy(&h, l->buf, sizeof(h));
	if (h.magic != LINK_MAGIC || h.at != (uint64_t)l->at || h.name_len >= LINK_NAME_MAX ||
		h.len > LINK_DATA_MAX)
		return 0;
	whole = blocks(sizeof(h) + h.name_len + h.len);
	r = make_room(l, whole);
	if (r < 0)
		return r;
	if (!read_all(l->fd, l->buf, whole, l->at) || memcmp(&h, l->buf, sizeof(h)) != 0 ||
		checksum(&h, l->buf + sizeof(h)) != h.checksum)
		return 0;
	memcpy(ret->name, l->buf + sizeof(h), h.name_len);
	ret->name[h.name_len] = '\0';
	ret->offset = h.offset;
	ret->size = h.size;
	ret->data = l->buf + sizeof(h) + h.name_len;
	ret->len = h.len;
	if (l->is_file)
		fallocate(l->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, l->at, (off_t)whole);
	l->at += (off_t)whole;
	return 1;
}
