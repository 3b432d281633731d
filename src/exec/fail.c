/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fail.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { TRIES = 3 };

void fail_open(struct lane *l)
{
	l->fail_fd = l->ex->uses & OP_INJECTS
			     ? open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC)
			     : -1;
}

/*
 * What is left to count down, 0: it has struck. Reading it counts as well: it copies to user space, and a failure that was due
 * right then is EFAULT, and none of the op's.
 */
static bool has_struck(struct lane *l)
{
	char left[16];
	ssize_t n = pread(l->fail_fd, left, sizeof(left), 0);

	return n > 0 && left[0] == '0';
}

/* The writing may be what fails: then nothing is left either. */
static void disarm(struct lane *l)
{
	for (int i = 0; i < TRIES; i++)
		if (pwrite(l->fail_fd, "0", 1, 0) == 1)
			return;
}

long fail_run(struct lane *l, const struct op *op, const struct op_call *c)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", l->env.fail_nth);
	long r;

	l->env.fail_nth = 0;
	if (pwrite(l->fail_fd, text, (size_t)len, 0) != len)
		return op->run(&l->env, c);
	r = op->run(&l->env, c);
	l->failed = has_struck(l);
	disarm(l);
	return r;
}
