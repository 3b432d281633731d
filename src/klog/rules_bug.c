/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports that start with "BUG:". */
#include "rule.h"

#include "pattern.h"

#define KASAN_BAD_FREE \
	"BUG: KASAN: {double-free or invalid-free|double-free|invalid-free} in " PAT_FUNC
#define KFENCE_ANY "BUG: KFENCE: {invalid |out-of-bounds |use-after-free |memory |}%w in " PAT_FUNC
#define KMSAN_ORIGIN "{Local variable * created at:|Uninit was created at:}"
#define LOCKS_KEPT "leaving the kernel with locks still held"

const struct rule rules_bug[] = {
	/* Sanitisers. */
	{
		.title = "BUG: KASAN:",
		.then = {"BUG: KASAN: (%w) in " PAT_FUNC, "(Read|Write) {of size|at addr} %x"},
		.name = "KASAN: $1 $3 in $F",
		.alt = {"bad-access in $F"},
		.steps = {{STEP_LINE, "BUG: KASAN: %w in " PAT_FUNC}, {STEP_CALL, NULL},
			{STEP_TRACE, NULL}},
		.skip = SKIP("kernel_fault", "tag_check", "mem_abort", "^el1_", "^el1h_"),
		.kind = "KASAN",
	},
	{
		.title = "BUG: KASAN:",
		.then = {KASAN_BAD_FREE},
		.name = "KASAN: invalid-free in $F",
		.alt = {"invalid-free in $F"},
		.steps = {{STEP_LINE, KASAN_BAD_FREE}, {STEP_CALL, NULL}, {STEP_TRACE, NULL}},
		.skip = SKIP("slab_", "kfree", "vunmap", "vfree"),
		.kind = "KASAN",
	},
	{
		.title = "BUG: KASAN: %w on address",
		.then = {"BUG: KASAN: (%w) on address", "(Read|Write) of size %d"},
		.name = "KASAN: $1 $2",
		.kind = "KASAN",
		.title_spans = true,
	},
	{
		.title = "BUG: KASAN: (*)",
		.name = "KASAN: $1",
		.kind = "KASAN",
		.corrupted = true,
	},
	{
		.title = "BUG: KMSAN: kernel-usb-infoleak",
		.then = {"BUG: KMSAN: kernel-usb-infoleak in " PAT_FUNC},
		.name = "KMSAN: kernel-usb-infoleak in $F",
		.alt = {"KMSAN origin in $G"},
		.steps = {{STEP_TRACE, NULL}, {STEP_LINE, KMSAN_ORIGIN}, {STEP_TRACE, NULL}},
		.skip = SKIP("alloc_skb", "usb_submit_urb", "usb_start_wait_urb", "usb_bulk_msg",
			"usb_interrupt_msg", "usb_control_msg"),
		.kind = "KMSAN",
		.traceless = true,
	},
	{
		.title = "BUG: KMSAN:",
		.then = {"BUG: KMSAN: (%w) in " PAT_FUNC},
		.name = "KMSAN: $1 in $F",
		.alt = {"bad-access in $F"},
		.steps = {{STEP_TRACE, NULL}, {STEP_LINE, KMSAN_ORIGIN}, {STEP_TRACE, NULL}},
		/*
		 * Generic netlink and encryption code is where such a value is met, not where it
		 * is from.
		 */
		.skip = SKIP("alloc_skb", "netlink_ack", "netlink_rcv_skb", "_encrypt$", "^crypto_",
			"^cipher_", "^drbg_", "^rng_"),
		.kind = "KMSAN",
		.traceless = true,
	},
	{
		.title = "BUG: KCSAN:",
		.then = {"BUG: KCSAN: (*)"},
		.name = "KCSAN: $1",
		.kind = "KCSAN",
		.traceless = true,
	},
	{
		.title = "BUG: KFENCE: (use-after-free|out-of-bounds) (read|write) in " PAT_FUNC,
		.name = "KFENCE: $1 $2 in $F",
		.alt = {"bad-access in $F"},
		.steps = {{STEP_LINE, KFENCE_ANY}, {STEP_TRACE, NULL}},
		.kind = "KFENCE",
	},
	{
		.title = "BUG: KFENCE: invalid free in " PAT_FUNC,
		.name = "KFENCE: invalid free in $F",
		.alt = {"invalid-free in $F"},
		.steps = {{STEP_LINE, KFENCE_ANY}, {STEP_TRACE, NULL}},
		.kind = "KFENCE",
		.traceless = true,
	},
	{
		.title = "BUG: KFENCE: invalid (read|write) in " PAT_FUNC,
		.name = "KFENCE: invalid $1 in $F",
		.alt = {"bad-access in $F"},
		.steps = {{STEP_LINE, KFENCE_ANY}, {STEP_TRACE, NULL}},
		.kind = "KFENCE",
	},
	{
		.title = "BUG: KFENCE: memory corruption in " PAT_FUNC,
		.name = "KFENCE: memory corruption in $F",
		.steps = {{STEP_LINE, KFENCE_ANY}, {STEP_TRACE, NULL}},
		.kind = "KFENCE",
		.traceless = true,
	},

	/* Faults. */
	{
		.title = "BUG: {unable to handle kernel paging request|"
			 "unable to handle page fault for address|Unable to handle kernel data "
			 "access}",
		.name = "BUG: unable to handle kernel paging request in $F",
		.alt = {"bad-access in $F"},
		.steps = STEPS_IP_TRACE,
		.kind = "paging-request",
	},
	{
		.title = "BUG: {unable to handle kernel|kernel|Kernel} NULL pointer dereference",
		.name = "BUG: unable to handle kernel NULL pointer dereference in $F",
		.alt = {"bad-access in $F"},
		.steps = STEPS_IP_TRACE,
		.kind = "null-deref",
	},
	{
		/* The header is printed in two parts, and the second one is missing. */
		.title = "BUG: {u|U}nable to handle kernel",
		.name = "BUG: unable to handle kernel",
		.kind = "paging-request",
		.corrupted = true,
	},
	{
		.title = "BUG: *stack guard page was hit at",
		.name = "BUG: stack guard page was hit in $F",
		.alt = {"stack-overflow in $F"},
		.steps = STEPS_IP_TRACE,
		.pick = PICK_STALL,
		.kind = "BUG-other",
	},

	/* Locks, scheduling. */
	{
		.title = "BUG: (spinlock|rwlock) (lockup suspected|already unlocked|recursion|"
			 "cpu recursion|bad magic|wrong owner|wrong CPU|trylock failure on UP)",
		.name = "BUG: $1 $2 in $F",
		.steps = STEPS_TRACE,
		.skip = SKIP("spin_", "_lock", "_unlock"),
		.kind = "lockdep",
	},
	{
		.title = "BUG: soft lockup",
		.name = "BUG: soft lockup in $F",
		.alt = {"stall in $F"},
		.steps = STEPS_IP_TRACE,
		.unheard = STEPS_IP_TRACE,
		.pick = PICK_STALL,
		.kind = "soft-lockup",
	},
	{
		.title = "BUG: *still has locks held!",
		.then = {"BUG: *still has locks held!", PAT_PC "%_" PAT_FUNC},
		.name = "BUG: still has locks held in $1",
		.kind = "lockdep",
	},
	{
		.title = "BUG: scheduling while atomic",
		.name = "BUG: scheduling while atomic in $F",
		.steps = STEPS_TRACE,
		.skip = SKIP("schedule"),
		.kind = "atomic-sleep",
	},
	{
		.title = "BUG: lock held when returning to user space",
		.then = {"BUG: lock held when returning to user space", LOCKS_KEPT,
			"at: {" PAT_PC "%_|}" PAT_FUNC},
		.name = "BUG: lock held when returning to user space in $1",
		.kind = "lockdep",
		.traceless = true,
	},
	{
		.title = "BUG: bad unlock balance detected!",
		.name = "BUG: bad unlock balance in $F",
		.steps = {{STEP_LINE, PAT_PC "%_" PAT_FUNC}, {STEP_CALL, NULL}, {STEP_TRACE, NULL}},
		.kind = "lockdep",
	},
	{
		.title = "BUG: held lock freed!",
		.then = {"BUG: held lock freed!", PAT_PC "%_" PAT_FUNC},
		.name = "BUG: held lock freed in $1",
		.kind = "lockdep",
	},
	{
		.title = "BUG: sleeping function called from invalid context at ",
		.name = "BUG: sleeping function called from invalid context in $F",
		.steps = STEPS_TRACE,
		.kind = "atomic-sleep",
	},
	{
		.title = "BUG: using (%i)\\(\\) in preemptible",
		.name = "BUG: using $1() in preemptible code in $F",
		.steps = STEPS_TRACE,
		.skip = SKIP("dump_stack", "preemption", "preempt", "debug_", "processor_id",
			"this_cpu"),
		.kind = "atomic-sleep",
	},
	{
		/* arm's wording of what other machines print as a WARNING of lockdep. */
		.title = "BUG: Invalid wait context",
		.name = "WARNING: locking bug in $F",
		.steps = STEPS_TRACE,
		.skip = SKIP("lock_sock", "release_sock"),
		.kind = "lockdep",
	},
	{
		.title = "BUG: workqueue lockup",
		.name = "BUG: workqueue lockup",
		.kind = "workqueue-lockup",
		.traceless = true,
	},
	{
		.title = "BUG: workqueue leaked lock or atomic",
		.then = {"BUG: workqueue leaked lock or atomic", "last function: (%i)$"},
		.name = "BUG: workqueue leaked lock or atomic in $1",
		.kind = "BUG-other",
		.traceless = true,
	},

	{
		/* Since 6.8. The worker's name is in the line. */
		.title = "BUG: workqueue leaked atomic, lock or RCU",
		.then = {"BUG: workqueue leaked atomic, lock or RCU",
			"{last function: |workfn=}(%i)$"},
		.name = "BUG: workqueue leaked lock or atomic in $1",
		.kind = "BUG-other",
		.traceless = true,
		.keep_wording = true,
	},

	/* Memory management. */
	{
		.title = "BUG: Bad rss-counter state",
		.name = "BUG: Bad rss-counter state",
		.kind = "bad-rss-counter",
		.traceless = true,
	},
	{
		.title = "BUG: non-zero nr_(ptes|pmds) on freeing mm",
		.name = "BUG: non-zero nr_$1 on freeing mm",
		.kind = "nonzero-pgtables",
		.traceless = true,
	},
	{
		/* The number of bytes is in the line. */
		.title = "BUG: non-zero pgtables_bytes on freeing mm",
		.name = "BUG: non-zero pgtables_bytes on freeing mm",
		.kind = "nonzero-pgtables",
		.traceless = true,
		.keep_wording = true,
	},
	{
		/* Freeing functions say nothing about who broke the page; who allocated it does. */
		.title = "BUG: Bad page (state|cache)",
		.name = "BUG: Bad page $1 in $F",
		.steps = {{STEP_LINE, "page last allocated"}, {STEP_TRACE, NULL}},
		.skip = SKIP("free_page", "put_page", "get_page", "update_page", "release_page",
			"free_unref", "^folio", "^_folio", "^__folio", "^___folio",
			"truncate_inode_pages", "page_frag_free", "alloc", "vmap", "page_owner"),
		.kind = "bad-page",
	},
	{
		.title = "BUG: Bad page map",
		.name = "BUG: Bad page map",
		.kind = "bad-page-map",
	},
	{
		.title = "BUG: memory leak",
		.name = "memory leak in $F",
		.steps = {{STEP_LINE, "backtrace{ \\(crc {%x|}\\)|}:"}, {STEP_TRACE, NULL}},
		.skip = SKIP("kmemleak", "mmap", "kmem", "slab", "alloc", "create_object",
			"idr_get", "list_lru_init", "kasprintf", "kvasprintf", "pcpu_create",
			"strdup", "strndup", "memdup"),
		.kind = "memory-leak",
	},
	{
		/* File system and device name are chance; the alternative keeps them. */
		.title = "BUG: Dentry * still in use",
		.then = {"BUG: Dentry * still in use \\(%d\\) [(unmount) of (%b)]"},
		.name = "BUG: Dentry still in use in $1",
		.alt = {"BUG: Dentry still in use [$1 of $2]"},
		.kind = "BUG-other",
	},
	{
		.title = "BUG:%-$",
		.name = "BUG: corrupted",
		.kind = "BUG-other",
		.corrupted = true,
	},
	{.title = NULL},
};
