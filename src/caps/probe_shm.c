/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System V shared memory, tried with a segment that is never attached. */
#include "probe.h"

#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>

const char *probe_sysv(struct probe *p)
{
	int id = shmget(IPC_PRIVATE, p->m->page_size, IPC_CREAT | 0600);

	if (id < 0)
		return errno == ENOSYS ? "kernel without System V IPC (CONFIG_SYSVIPC)"
				       : probe_no(p, "shmget: %s", strerror(errno));
	shmctl(id, IPC_RMID, NULL);
	return NULL;
}

/* Without reservation, so that an empty pool says nothing. */
const char *probe_sysv_hugetlb(struct probe *p)
{
	int id;

	if (p->m->nhstates == 0)
		return "kernel without hugetlb pages (CONFIG_HUGETLBFS)";
	id = shmget(IPC_PRIVATE, p->m->hstate[0].size,
		IPC_CREAT | 0600 | SHM_HUGETLB | SHM_NORESERVE |
			__builtin_ctzll(p->m->hstate[0].size) << 26); /* SHM_HUGE_SHIFT */
	if (id < 0 && errno == EPERM)
		return "not permitted (CAP_IPC_LOCK, or the group in "
		       "/proc/sys/vm/hugetlb_shm_group)";
	if (id < 0)
		return probe_no(p, "shmget with SHM_HUGETLB: %s", strerror(errno));
	shmctl(id, IPC_RMID, NULL);
	return NULL;
}
