/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fork_server.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <unistd.h>

/* include/types.h of AFL++ 4.04c. */
#define FS_OPT_ENABLED 0x80000001u
#define FS_OPT_MAPSIZE 0x40000000u
#define FS_OPT_SHDMEM_FUZZ 0x01000000u
enum { FS_OPT_MAX_MAPSIZE = 1 << 23 };

/* afl-fuzz looks for this string in the program: a target that has it, has a fork server. */
static const char map_variable[] = "__AFL_SHM_ID", case_variable[] = "__AFL_SHM_FUZZ_ID";

static int write_word(int fd, uint32_t word)
{
	ssize_t n;

	do {
		n = write(fd, &word, sizeof(word));
	} while (n < 0 && errno == EINTR);
	return n == sizeof(word) ? 0 : n < 0 ? -errno : -EPIPE;
}

/* 1; 0: the other side is gone; -errno. */
static int read_word(int fd, uint32_t *ret)
{
	size_t have = 0;

	while (have < sizeof(*ret)) {
		ssize_t n = read(fd, (char *)ret + have, sizeof(*ret) - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		have += (size_t)n;
	}
	return 1;
}

static void *attach(const char *variable, int *ret)
{
	const char *id = getenv(variable);
	void *p;

	if (!id)
		return NULL;
	p = shmat(atoi(id), NULL, 0);
	if (p != (void *)-1)
		return p;
	*ret = -errno;
	return NULL;
}

int fork_server_attach(struct fork_server *fs)
{
	int r = 0;

	fs->map = attach(map_variable, &r);
	fs->shared = attach(case_variable, &r);
	return r;
}

int fork_server_hello(struct fork_server *fs)
{
	uint32_t answer, size = (uint32_t)(fs->map_size - 1) << 1;
	int r;

	if (fs->map_size > FS_OPT_MAX_MAPSIZE)
		return -EINVAL;
	r = write_word(fs->status,
		FS_OPT_ENABLED | FS_OPT_MAPSIZE | size | (fs->shared ? FS_OPT_SHDMEM_FUZZ : 0));
	if (r < 0 || !fs->shared)
		return r;
	r = read_word(fs->control, &answer);
	if (r <= 0)
		return r < 0 ? r : -EPIPE;
	return answer == (FS_OPT_ENABLED | FS_OPT_SHDMEM_FUZZ) ? 0 : -EPROTO;
}

static int read_input(struct fork_server *fs, size_t *ret_len)
{
	size_t len = 0;

	while (len < FORK_SERVER_INPUT_MAX) {
		ssize_t n =
			pread(fs->input_fd, fs->buf + len, FORK_SERVER_INPUT_MAX - len, (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 1;
}

int fork_server_next(struct fork_server *fs, const unsigned char **ret, size_t *ret_len)
{
	uint32_t was_killed, len;
	int r = read_word(fs->control, &was_killed);

	if (r <= 0)
		return r;
	if (!fs->shared) {
		*ret = fs->buf;
		return read_input(fs, ret_len);
	}
	memcpy(&len, fs->shared, sizeof(len));
	*ret = fs->shared + sizeof(len);
	*ret_len = len < FORK_SERVER_INPUT_MAX ? len : FORK_SERVER_INPUT_MAX;
	return 1;
}

int fork_server_begin(struct fork_server *fs)
{
	return write_word(fs->status, FORK_SERVER_PID);
}

int fork_server_end(struct fork_server *fs, uint32_t status)
{
	return write_word(fs->status, status);
}
