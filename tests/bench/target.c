/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A target for afl-fuzz that makes no system calls of interest: for tests of campaigns on any machine. Pairs of bytes are its edges;
 * an input that begins with "oops" is a crash.
 */
#include "fork_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TARGET_MAP = 65536, TARGET_BYTES = 64 };

static void run(unsigned char *map, const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i + 1 < len && i < TARGET_BYTES; i++)
		map[((size_t)(bytes[i] >> 4) << 4 | bytes[i + 1] >> 4) | i << 8] = 1;
}

int main(void)
{
	struct fork_server fs = {.control = FORK_SERVER_CONTROL,
		.status = FORK_SERVER_STATUS,
		.map_size = TARGET_MAP};
	const unsigned char *bytes;
	size_t len;

	fs.buf = malloc(FORK_SERVER_INPUT_MAX);
	if (!fs.buf || fork_server_attach(&fs) < 0 || fork_server_hello(&fs) < 0) {
		fputs("target: to be run by afl-fuzz\n", stderr);
		return 2;
	}
	while (fork_server_next(&fs, &bytes, &len) > 0) {
		if (fork_server_begin(&fs) < 0)
			break;
		if (fs.map)
			run(fs.map, bytes, len);
		if (fork_server_end(&fs, len >= 4 && memcmp(bytes, "oops", 4) == 0
						 ? FORK_SERVER_CRASH
						 : FORK_SERVER_FINE) < 0)
			break;
	}
	return 0;
}
