/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --inject: plants in user space exactly what an oracle looks for, so that its alarm is known to work. */
#include "run.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

static const uint64_t stall_ns = 3000000000; /* with --inject progress */

const char *const inject_names[] = {"content", "content-foreign", "content-zero", "fault", "bits",
	"errno", "mmu", "reports", "locks", "placement", "executor", "progress", "klog", "taint",
	"accounting", "accounting-range", "leak", "hardware", NULL};

int inject_check(const struct run_options *o)
{
	for (size_t i = 0; o->inject[i]; i++) {
		size_t k = 0;

		while (inject_names[k] && strcmp(inject_names[k], o->inject[i]) != 0)
			k++;
		if (inject_names[k])
			continue;
		log_error("--inject %s: there is no such injection; see 'sunder run --help'",
			o->inject[i]);
		return -EINVAL;
	}
	return 0;
}

bool inject_has(const struct run *r, const char *name)
{
	for (size_t i = 0; r->inject[i]; i++)
		if (strcmp(r->inject[i], name) == 0)
			return true;
	return false;
}

void inject_crews(struct run *r)
{
	struct crew_ctl *ctl = r->crew[plan_part(r->plan, r->turn)->first_crew]->ctl;

	ctl->inject_cell = inject_has(r, "content")	      ? CELL_INJECT_OLD
			   : inject_has(r, "content-foreign") ? CELL_INJECT_FOREIGN
			   : inject_has(r, "content-zero")    ? CELL_INJECT_ZERO
			   : inject_has(r, "bits")	      ? CELL_INJECT_BIT
							      : CELL_INJECT_NONE;
	if (inject_has(r, "errno"))
		ctl->inject_errno = ENOTNAM; /* no system call of ours knows it */
	ctl->inject_fault = inject_has(r, "fault");
	ctl->inject_mmu = inject_has(r, "mmu");
	ctl->inject_crash = inject_has(r, "executor");
	ctl->inject_look = inject_has(r, "reports")	? EVIDENCE_REPORTS
			   : inject_has(r, "locks")	? EVIDENCE_LOCKS
			   : inject_has(r, "placement") ? EVIDENCE_PLACE
							: EVIDENCE_NONE;
	ctl->inject_stall = inject_has(r, "progress");
	if (ctl->inject_stall)
		for (unsigned int i = 0; i < plan_nparts(r->plan); i++)
			plan_part(r->plan, i)->stall_ns = stall_ns;
	ctl->injecting = ctl->inject_errno || ctl->inject_fault || ctl->inject_mmu ||
			 ctl->inject_crash || ctl->inject_stall;
}

static void inject_counters(struct run *r)
{
	static const char *const names[] = {"accounting", "accounting-range", "leak", "hardware"};

	for (size_t i = 0; r->counters && i < ARRAY_SIZE(names); i++) {
		int e = inject_has(r, names[i]) ? counters_plant(r->counters, names[i]) : 0;

		if (e < 0)
			log_warn("--inject %s: cannot be planted here: %s", names[i], strerror(-e));
	}
}

void inject_start(struct run *r)
{
	inject_counters(r);
	if (r->kmsg && inject_has(r, "klog"))
		kmsg_plant(r->kmsg,
			"4,1,1,-;WARNING: CPU: 0 PID: 1 at mm/huge_memory.c:1 "
			"sunder_injected+0x1/0x2\n"
			"4,2,2,-;RIP: 0010:sunder_injected+0x1/0x2\n4,3,3,-;Call Trace:\n"
			"4,4,4,-; sunder_injected+0x1/0x2\n4,5,5,-; do_syscall_64+0x1/0x2\n"
			"4,6,6,-;---[ end trace 0000000000000000 ]---\n");
}
