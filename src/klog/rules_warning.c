/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports that start with "WARNING:": WARN() in its old and its 6.19 wording, and lockdep. */
#include "rule.h"

#include "pattern.h"

#define AT_FUNC "at: {" PAT_PC "%_|}" PAT_FUNC
#define CIRCULAR "WARNING: possible circular locking dependency detected"
#define INVERSION "WARNING: possible irq lock inversion dependency detected"
#define RECURSIVE "WARNING: possible recursive locking detected"
#define LOCKS_KEPT "leaving the kernel with locks still held"

const struct rule rules_warning[] = {
	/* WARN() in a function that only checks: its caller is to blame. */
	{
		.title = "WARNING: *lib/debugobjects.c* {debug_print|debug_check|at}",
		.name = "WARNING: ODEBUG bug in $F",
		STEPS_WARN,
		.skip = SKIP("debug_", "rcu", "hrtimer_", "timer_", "work_", "percpu_", "vunmap",
			"vfree", "__free_", "debug_check", "kobject_"),
		.kind = "WARNING",
	},
	{
		.title = "WARNING: *mm/usercopy.c* {usercopy_warn|at}",
		.name = "WARNING: bad usercopy in $F",
		STEPS_WARN,
		.skip = SKIP("usercopy", "__check"),
		.kind = "WARNING",
	},
	{
		.title = "WARNING: *lib/kobject.c* {kobject_|at}",
		.name = "WARNING: kobject bug in $F",
		STEPS_WARN,
		.skip = SKIP("kobject_"),
		.kind = "WARNING",
	},
	{
		.title = "WARNING: *fs/proc/generic.c* {proc_register|at}",
		.name = "WARNING: proc registration bug in $F",
		STEPS_WARN,
		.skip = SKIP("proc_"),
		.kind = "WARNING",
	},
	{
		.title = "WARNING: *lib/refcount.c* {refcount_|at}",
		.name = "WARNING: refcount bug in $F",
		STEPS_WARN,
		.skip = SKIP("refcount", "kobject_"),
		.kind = "WARNING",
	},
	{
		.title = "WARNING: *kernel/locking/lockdep.c*lock_",
		.name = "WARNING: locking bug in $F",
		STEPS_WARN,
		.skip = SKIP("lock_sock", "release_sock"),
		.kind = "lockdep",
	},
	{
		.title = "WARNING: *mm/*.c* {k|}{v|}malloc",
		.name = "WARNING: kmalloc bug in $F",
		STEPS_WARN,
		.skip = SKIP("kmalloc", "krealloc", "slab", "kmem"),
		.kind = "WARNING",
	},
	{
		.title = "WARNING: *mm/vmalloc.c*__vmalloc_node",
		.name = "WARNING: zero-size vmalloc in $F",
		STEPS_WARN,
		.kind = "WARNING",
	},
	{
		.title = "WARNING: * usb_submit_urb",
		.name = "WARNING in $F/usb_submit_urb",
		STEPS_WARN,
		.skip = SKIP("usb_submit_urb", "usb_start_wait_urb", "usb_bulk_msg",
			"usb_interrupt_msg", "usb_control_msg"),
		.kind = "WARNING",
	},

	/* WARN() anywhere else. */
	{
		.title = "WARNING: " PAT_SRC " at 0x%x, CPU#%d",
		.name = "WARNING in $F",
		STEPS_WARN,
		.kind = "WARNING",
	},
	{
		.title = "WARNING: * at " PAT_SRC " " PAT_FUNC,
		.name = "WARNING in $F",
		STEPS_WARN,
		.kind = "WARNING",
	},
	{
		.title = "WARNING: " PAT_SRC " at " PAT_FUNC,
		.name = "WARNING in $F",
		STEPS_WARN,
		.kind = "WARNING",
	},
	{
		/* Before 3.11. */
		.title = "WARNING: at " PAT_SRC " " PAT_FUNC,
		.name = "WARNING in $F",
		STEPS_WARN,
		.kind = "WARNING",
		.keep_wording = true,
	},
	{
		/* With CONFIG_DEBUG_BUGVERBOSE_DETAILED the condition stands in front. */
		.title = "WARNING: [*] " PAT_SRC " at {" PAT_FUNC "|0x%x, CPU#%d}",
		.name = "WARNING in $F",
		STEPS_WARN,
		.kind = "WARNING",
	},

	/* Lockdep. */
	{
		.title = CIRCULAR,
		.then = {CIRCULAR, "is trying to acquire lock"},
		.name = "possible deadlock in $F",
		.steps = {{STEP_LINE, AT_FUNC}, {STEP_LINE, AT_FUNC}, {STEP_TRACE, NULL}},
		/* These take locks on behalf of a work item; the bug is the item's. */
		.skip = SKIP("process_one_work", "flush_workqueue", "drain_workqueue",
			"destroy_workqueue"),
		.kind = "lockdep",
	},
	{
		.title = INVERSION,
		.then = {INVERSION, "just changed the state of lock", AT_FUNC},
		.name = "possible deadlock in $1",
		.kind = "lockdep",
	},
	{
		.title = "WARNING: *-safe -> *-unsafe lock order detected",
		.name = "possible deadlock in $F",
		.steps = {{STEP_LINE, "which became * at:"}, {STEP_TRACE, NULL}},
		.kind = "lockdep",
	},
	{
		.title = RECURSIVE,
		.then = {RECURSIVE, "is trying to acquire lock", AT_FUNC},
		.name = "possible deadlock in $1",
		.kind = "lockdep",
	},
	{
		.title = "WARNING: inconsistent lock state",
		.then = {"WARNING: inconsistent lock state", "takes", AT_FUNC},
		.name = "inconsistent lock state in $F",
		.steps = STEPS_TRACE,
		.kind = "lockdep",
	},
	{
		.title = "WARNING: suspicious RCU usage",
		.then = {"WARNING: suspicious RCU usage", "{%c.%l:%d}"},
		.name = "WARNING: suspicious RCU usage in $F",
		.steps = STEPS_TRACE,
		.skip = SKIP("rcu", "kmem", "slab"),
		.kind = "lockdep",
	},
	{
		.title = "WARNING: *still has locks held!",
		.then = {"WARNING: *still has locks held!", "at: " PAT_FUNC},
		.name = "WARNING: still has locks held in $1",
		.kind = "lockdep",
	},
	{
		.title = "WARNING: Nested lock was not taken",
		.name = "WARNING: nested lock was not taken in $F",
		STEPS_WARN,
		.kind = "lockdep",
	},
	{
		.title = "WARNING: lock held when returning to user space",
		.then = {"WARNING: lock held when returning to user space", LOCKS_KEPT, AT_FUNC},
		.name = "WARNING: lock held when returning to user space in $1",
		.kind = "lockdep",
		.traceless = true,
	},
	{
		.title = "WARNING: bad unlock balance detected!",
		.name = "WARNING: bad unlock balance in $F",
		.steps = {{STEP_LINE, PAT_PC "%_" PAT_FUNC}, {STEP_CALL, NULL}, {STEP_TRACE, NULL}},
		.kind = "lockdep",
	},
	{
		.title = "WARNING: held lock freed!",
		.then = {"WARNING: held lock freed!", "at:{ " PAT_PC "|}%_" PAT_FUNC},
		.name = "WARNING: held lock freed in $1",
		.kind = "lockdep",
	},

	/* The unwinder. */
	{
		.title = "WARNING: kernel stack regs at %x in {%n|} has bad '(%q)' value",
		.name = "WARNING: kernel stack regs has bad '$1' value",
		.kind = "WARNING",
		.traceless = true,
	},
	{
		.title = "WARNING: kernel stack frame pointer at %x in {%n|} has bad value",
		.name = "WARNING: kernel stack frame pointer has bad value",
		.kind = "WARNING",
		.traceless = true,
	},
	{
		.title =
			"WARNING: kernel stack {regs * has bad 'bp'|frame pointer * has bad} value",
		.name = "WARNING: kernel stack regs has bad value",
		.kind = "WARNING",
		.traceless = true,
	},
	{
		.title = "WARNING:%-$",
		.name = "WARNING: corrupted",
		.kind = "WARNING",
		.corrupted = true,
	},
	{.title = NULL},
};
