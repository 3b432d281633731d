/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "retry.h"

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { TICK_MS = 20 };

int retry_start(struct retry *r, unsigned int seconds)
{
	struct itimerspec tick = {
		.it_interval.tv_nsec = TICK_MS * 1000000,
		.it_value.tv_nsec = TICK_MS * 1000000,
	};

	r->left = seconds * (1000ULL / TICK_MS);
	r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (r->timer < 0)
		return -errno;
	return timerfd_settime(r->timer, 0, &tick, NULL) < 0 ? -errno : 0;
}

bool retry_again(struct retry *r)
{
	uint64_t ticks;
	ssize_t n;

	if (r->timer < 0 || r->left == 0)
		return false;
	do {
		n = read(r->timer, &ticks, sizeof(ticks));
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(ticks))
		return false;
	r->left -= ticks < r->left ? ticks : r->left;
	return true;
}

void retry_end(struct retry *r)
{
	if (r->timer >= 0)
		close(r->timer);
	r->timer = -1;
}
