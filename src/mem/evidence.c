/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mem/evidence.h"

static const char *const names[EVIDENCE_KINDS] = {
	[EVIDENCE_NONE] = "nothing",
	[EVIDENCE_OLD] = "lost write",
	[EVIDENCE_FOREIGN] = "foreign data",
	[EVIDENCE_ZERO] = "lost page",
	[EVIDENCE_CHILD] = "private write visible across a fork",
	[EVIDENCE_STALE] = "stale data",
	[EVIDENCE_FROZEN] = "write through an old address",
	[EVIDENCE_SEGV] = "SIGSEGV in mapped range",
	[EVIDENCE_BUS] = "SIGBUS inside the object",
	[EVIDENCE_NO_FAULT] = "access to an unmapped range succeeded",
	[EVIDENCE_BIT] = "page bit lost",
	[EVIDENCE_ERRNO] = "unexpected errno",
	[EVIDENCE_REPORTS] = "reports that disagree",
	[EVIDENCE_LOCKS] = "counters that disagree",
	[EVIDENCE_POOL] = "counters that disagree",
	[EVIDENCE_SOFT_DIRTY] = "page bit lost",
	[EVIDENCE_PLACE] = "page on another node",
	[EVIDENCE_CRASH] = "executor crashed",
	[EVIDENCE_MMU] = "other data than the CPU's",
	[EVIDENCE_DIRTY] = "lost dirty bit",
};

const char *evidence_name(enum evidence_kind k)
{
	return k < EVIDENCE_KINDS ? names[k] : "unknown";
}
