/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports that start with "INFO:": stalls, hung tasks, and lockdep before 4.13. */
#include "rule.h"

#include "pattern.h"

#define AT_PC_FUNC "at: " PAT_PC "%_" PAT_FUNC
#define CIRCULAR "INFO: possible circular locking dependency detected"
#define INVERSION "INFO: possible irq lock inversion dependency detected"
#define UNSAFE "INFO: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected"
#define RECURSIVE "INFO: possible recursive locking detected"

const struct rule rules_info[] = {
	{
		.title = CIRCULAR,
		.then = {CIRCULAR " ]", "is trying to acquire lock", AT_PC_FUNC},
		.name = "possible deadlock in $1",
		.kind = "lockdep",
	},
	{
		.title = INVERSION,
		.then = {INVERSION " ]", "just changed the state of lock", AT_PC_FUNC},
		.name = "possible deadlock in $1",
		.kind = "lockdep",
	},
	{
		.title = UNSAFE,
		.then = {UNSAFE " ]", "is trying to acquire", AT_PC_FUNC},
		.name = "possible deadlock in $1",
		.kind = "lockdep",
	},
	{
		.title = RECURSIVE,
		.then = {RECURSIVE " ]", "is trying to acquire lock", AT_PC_FUNC},
		.name = "possible deadlock in $1",
		.kind = "lockdep",
	},
	{
		.title = "INFO: inconsistent lock state",
		.then = {"INFO: inconsistent lock state ]", "takes", AT_PC_FUNC},
		.name = "inconsistent lock state in $1",
		.kind = "lockdep",
	},
	{
		.title = "INFO: suspicious RCU usage",
		.then = {"INFO: suspicious RCU usage", "{%c.%l:%d}"},
		.name = "INFO: suspicious RCU usage in $F",
		.steps = STEPS_TRACE,
		.skip = SKIP("rcu", "kmem", "slab"),
		.kind = "lockdep",
	},
	{
		.title = "INFO: trying to register non-static key",
		.name = "INFO: trying to register non-static key in $F",
		.steps = STEPS_TRACE,
		.skip = SKIP("stack", "lock", "IRQ"),
		.kind = "lockdep",
	},
	{
		/* What ran is below the timer interrupt that noticed the stall. */
		.title = "INFO: rcu_{preempt|sched|bh} {self-|}detected{ expedited|} stall",
		.name = "INFO: rcu detected stall in $F",
		.alt = {"stall in $F"},
		.steps = {{STEP_LINE, "apic_timer_interrupt"}, {STEP_IP, NULL}, {STEP_TRACE, NULL}},
		.otherwise = {{STEP_LINE, "{apic_timer_interrupt|Exception stack|el1h_64_irq}"},
			{STEP_TRACE, NULL}},
		/* Today the registers are those of what was interrupted. */
		.unheard = STEPS_IP_TRACE,
		.skip = SKIP("apic_timer_interrupt", "rcu"),
		.pick = PICK_STALL,
		.kind = "rcu-stall",
	},
	{
		.title = "INFO: task * blocked{ in I/O wait|} for more than %d seconds",
		.name = "INFO: task hung in $F",
		.alt = {"hang in $F"},
		.steps = STEPS_TRACE,
		.pick = PICK_HANG,
		.kind = "hung-task",
	},
	{
		.title = "INFO: task * can't die for more than * seconds",
		.name = "INFO: task can't die in $F",
		.alt = {"hang in $F"},
		.steps = STEPS_TRACE,
		.skip = SKIP("schedule"),
		.kind = "hung-task",
	},
	{
		/* Part of an old KASAN or SLUB report whose first lines are missing. */
		.title = "INFO: (Freed|Allocated) in (*)",
		.name = "INFO: $1 in $2",
		.kind = "INFO-other",
		.corrupted = true,
	},
	{
		.title = "INFO:%-$",
		.name = "INFO: corrupted",
		.kind = "INFO-other",
		.corrupted = true,
	},
	{.title = NULL},
};
