/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The target's side of afl-fuzz's fork server protocol (AFL++ 4.04c, "old" hello, which newer ones take too), without a fork: test
 * cases run in executors of our own. Control words come on one fd, status words go to another; all are u32 in host order.
 */
#ifndef SUNDER_FUZZ_FORK_SERVER_H
#define SUNDER_FUZZ_FORK_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { FORK_SERVER_CONTROL = 198, FORK_SERVER_STATUS = 199 };
enum { FORK_SERVER_INPUT_MAX = 1 << 20 };
/* What afl-fuzz takes for "crashed": killed by SIGABRT. */
enum { FORK_SERVER_FINE = 0, FORK_SERVER_CRASH = 6 };
/* It kills this pid on a time-out; the highest there is, so nobody has it. */
enum { FORK_SERVER_PID = 0x3fffffff };

struct fork_server {
	int control, status; /* fds */
	unsigned char *map; /* [map_size]; NULL: nobody looks */
	size_t map_size;
	const unsigned char *
		shared; /* u32 length and the test case; NULL: it comes on input_fd, read from the start */
	int input_fd;
	unsigned char *buf; /* [FORK_SERVER_INPUT_MAX]; for input_fd */
};

/*
 * Says hello, and hears whether test cases come in shared memory. 0; -EBADF: there is no fork server; -EPIPE: it went away;
 * -EPROTO: what it answers is unknown.
 */
int fork_server_hello(struct fork_server *fs);

/* The next test case, until the next call. 1; 0: afl-fuzz has ended; -errno. */
int fork_server_next(struct fork_server *fs, const unsigned char **ret, size_t *ret_len);

/* Right before it runs: from now on afl-fuzz counts the time. 0 or -errno. */
int fork_server_begin(struct fork_server *fs);

/* status: of FORK_SERVER_... 0 or -errno. */
int fork_server_end(struct fork_server *fs, uint32_t status);

/* Attaches what afl-fuzz names in the environment: __AFL_SHM_ID, __AFL_SHM_FUZZ_ID. 0 or -errno. */
int fork_server_attach(struct fork_server *fs);

#endif
