/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "barrier.h"
#include "base/clock.h"

#include <linux/futex.h>
#include <limits.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_for_release(struct crew_ctl *ctl, uint32_t seq, uint64_t spin)
{
	uint64_t until = clock_ticks() + spin;

	do {
		/* pairs with the release of the last lane's store */
		if (atomic_load_explicit(&ctl->seq, memory_order_acquire) != seq)
			return;
		if (ctl->yields)
			sched_yield();
		else
			clock_relax();
	} while (clock_ticks() < until);
	atomic_fetch_add_explicit(&ctl->sleepers, 1, memory_order_seq_cst);
	while (atomic_load_explicit(&ctl->seq, memory_order_seq_cst) == seq)
		syscall(SYS_futex, &ctl->seq, FUTEX_WAIT, seq, NULL, NULL, 0);
	atomic_fetch_sub_explicit(&ctl->sleepers, 1, memory_order_seq_cst);
}

void barrier_arrive(struct crew_ctl *ctl, uint64_t spin, void (*decide)(void *arg), void *arg)
{
	uint32_t seq = atomic_load_explicit(&ctl->seq, memory_order_acquire);

	/* acq_rel: the last lane sees what the others wrote before they arrived */
	if (atomic_fetch_add_explicit(&ctl->arrived, 1, memory_order_acq_rel) + 1 < ctl->nlanes) {
		wait_for_release(ctl, seq, spin);
		return;
	}
	decide(arg);
	atomic_store_explicit(&ctl->arrived, 0, memory_order_relaxed);
	atomic_store_explicit(&ctl->seq, seq + 1, memory_order_seq_cst);
	if (atomic_load_explicit(&ctl->sleepers, memory_order_seq_cst))
		syscall(SYS_futex, &ctl->seq, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
