/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "klog/klog.h"

/*
 * What a log holds, as one line a report: "title|frame|kind|flags", flags of c(orrupted)
 * p(anicked) n(o crash).
 */
struct parsed {
	char s[16384];
	size_t n;
	unsigned int reports;
};

static void collect(struct parsed *out, struct klog *k)
{
	const struct klog_report *r;

	while ((r = klog_next(k))) {
		out->n += (size_t)snprintf(out->s + out->n, sizeof(out->s) - out->n,
			"%s|%s|%s|%s%s%s\n", r->title, r->frame, r->kind, r->corrupted ? "c" : "",
			r->panicked ? "p" : "", r->crash ? "" : "n");
		assert_true(out->n < sizeof(out->s));
		assert_true(r->lead_len <= r->text_len);
		assert_true(r->start < r->end);
		assert_int_equal(r->text[r->text_len], 0);
		out->reports++;
	}
}

/* Pushes the log in pieces of `step` bytes. */
static void parse(struct parsed *out, const char *log, size_t len, size_t step)
{
	struct klog *k;

	out->n = out->reports = 0;
	out->s[0] = 0;
	assert_int_equal(klog_new(&k, NULL), 0);
	for (size_t at = 0; at < len; at += step) {
		assert_int_equal(klog_push(k, log + at, len - at < step ? len - at : step), 0);
		collect(out, k);
	}
	assert_int_equal(klog_flush(k), 0);
	collect(out, k);
	klog_free(k);
}

static void expect(const char *log, const char *want)
{
	static struct parsed got;

	parse(&got, log, strlen(log), 1 << 20);
	assert_string_equal(got.s, want);
}

/* The first report's alternative titles must hold this one. */
static void expect_alt(const char *log, const char *want)
{
	const struct klog_report *r;
	struct klog *k;
	bool found = false;

	assert_int_equal(klog_new(&k, NULL), 0);
	assert_int_equal(klog_push(k, log, strlen(log)), 0);
	assert_int_equal(klog_flush(k), 0);
	r = klog_next(k);
	assert_non_null(r);
	for (size_t i = 0; i < r->nalt; i++) {
		assert_true(i == 0 || strcmp(r->alt[i - 1], r->alt[i]) < 0);
		found |= !strcmp(r->alt[i], want);
		if (i + 1 == r->nalt && !found)
			print_message("last alternative of %s: %s\n", r->title, r->alt[i]);
	}
	klog_free(k);
	assert_true(found);
}

#define FAULT_X86                                                                              \
	"[  10.000001][ T77] BUG: unable to handle page fault for address: ffffea0004000008\n" \
	"[  10.000002][ T77] #PF: supervisor read access in kernel mode\n"                     \
	"[  10.000003][ T77] Oops: 0000 [#1] PREEMPT SMP\n"                                    \
	"[  10.000004][ T77] RIP: 0010:zap_huge_pmd.part.0+0x1f0/0x7c0\n"                      \
	"[  10.000005][ T77] Call Trace:\n"                                                    \
	"[  10.000006][ T77]  ? __die+0x1e/0x60\n"                                             \
	"[  10.000007][ T77]  unmap_page_range+0x55a/0x15d0\n"                                 \
	"[  10.000008][ T77]  zap_page_range_single+0x12a/0x1c0\n"                             \
	"[  10.000009][ T77]  madvise_vma_behavior+0x1/0x2\n"

static void page_fault_is_named_after_the_instruction_pointer(void **state)
{
	expect(FAULT_X86, "BUG: unable to handle kernel paging request in "
			  "zap_huge_pmd|zap_huge_pmd|paging-request|\n");
	expect_alt(FAULT_X86, "bad-access in zap_huge_pmd");
}

static void any_split_of_the_bytes_gives_the_same(void **state)
{
	static const char log[] =
		"junk\n" FAULT_X86 "[  11.0][ T78] WARNING: CPU: 0 PID: 78 at mm/huge_memory.c:3 "
		"split_huge_page_to_list+0x1/0x2\n"
		"[  11.1][ T78] RIP: 0010:split_huge_page_to_list+0x1/0x2\n"
		"[  11.2][ T78] Call Trace:\n[  11.3][ T78]  deferred_split_scan+0x1/0x2\n"
		"[  11.4][ T78]  x+0x1/0x2";
	static struct parsed whole, part;

	parse(&whole, log, sizeof(log) - 1, sizeof(log));
	assert_int_equal(whole.reports, 2);
	for (size_t step = 1; step < 200; step += 7) {
		parse(&part, log, sizeof(log) - 1, step);
		assert_string_equal(part.s, whole.s);
	}
}

static void interleaved_tasks_are_kept_apart(void **state)
{
	expect("[  1.000000][  T11] BUG: sleeping function called from invalid context at "
	       "mm/memory.c:1\n"
	       "[  1.000000][  T12] BUG: scheduling while atomic: x/12/0x2\n"
	       "[  1.000001][  T11] Call Trace:\n"
	       "[  1.000001][  T12] Call Trace:\n"
	       "[  1.000002][  T12]  schedule+0x1/0x2\n"
	       "[  1.000002][  T11]  __might_resched+0x1/0x2\n"
	       "[  1.000003][  T12]  migrate_pages_batch+0x1/0x2\n"
	       "[  1.000003][  T11]  folio_lock_anon_vma_read+0x1/0x2\n"
	       "[  1.000004][  T12]  a+0x1/0x2\n"
	       "[  1.000004][  T11]  b+0x1/0x2\n",
		"BUG: sleeping function called from invalid context in folio_lock_anon_vma_read|"
		"folio_lock_anon_vma_read|atomic-sleep|\n"
		"BUG: scheduling while atomic in "
		"migrate_pages_batch|migrate_pages_batch|atomic-sleep|\n");
}

static void every_form_of_log_is_understood(void **state)
{
	static const char *const prefixes[] = {
		"",
		"<4>",
		"[   12.345678] ",
		"<4>[   12.345678] ",
		"[   12.345678][  T123] ",
		"[   12.345678][    C0] ",
		"[Sat Nov 21 01:52:27 2026] ",
		"[Sat Nov 21 01:52:27 2026 <    0.000012>] ",
		"[Nov21 01:52] ",
		"[<    0.000012>] ",
		"[   12.345678 <    0.000012>] ",
		"[  +0.000012] ",
		"kern  :warn  : [   12.345678] ",
		"4,1234,567890,-;",
		"4,1234,567890,-,caller=T123;",
		"Nov 21 01:52:27 box kernel: ",
		"Nov 21 01:52:27 box kernel: [   12.345678] ",
		"[   12.345678] box kernel: ",
		"2026-11-21T01:52:27.123456+00:00 box kernel: ",
		"2026-11-21T01:52:27,123456+00:00 ",
		"2026-11-21 01:52:27 [   12.345678] ",
		"2026-11-21T01:52:27.123456 <4>[   12.345678] ",
		"** 3 printk messages dropped ** [   12.345678] ",
		"box login: [   12.345678] ",
		"[2026-11-21 01:52:27] [   12.345678] ",
		"2026-11-21 01:52:27.123 [   12.345678][  T123] ",
	};
	static const char *const lines[] = {
		"WARNING: CPU: 1 PID: 9 at mm/migrate.c:12 remove_migration_pte+0x1/0x2",
		"RIP: 0010:remove_migration_pte+0x1/0x2",
		"Call Trace:",
		" rmap_walk_anon+0x1/0x2",
		" migrate_pages+0x1/0x2",
		" kcompactd+0x1/0x2",
	};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		char log[2048] = "";

		for (size_t j = 0; j < ARRAY_SIZE(lines); j++) {
			strcat(log, prefixes[i]);
			strcat(log, lines[j]);
			strcat(log, i & 1 ? "\r\n" : "\n");
		}
		print_message("'%s'\n", prefixes[i]);
		expect(log, "WARNING in remove_migration_pte|remove_migration_pte|WARNING|\n");
	}
}

static void what_user_space_writes_is_no_report(void **state)
{
	expect("Nov 21 01:52:27 box kernel: usb 1-1: fine\n"
	       "Nov 21 01:52:27 box app[12]: WARNING: no such file\n"
	       "Nov 21 01:52:28 box app: BUG: mine\n",
		"");
	expect("14,100,200,-;BUG: written by a program\n", "");
	expect("4,100,200,-;usb: fine\n PANIC=panic: no\n BUG: SUBSYSTEM\n", "");
	expect("[ 1.000000] box kernel: fine\n[ 1.000000] box app[3]: WARNING: mine\n", "");
}

static void quoted_words_of_programs_are_no_report(void **state)
{
	expect("[ 1.0] audit: type=1400 audit(1.2:3): op=\"open\" name=\"BUG: x\"\n"
	       "[ 1.0] audit: type=1130 audit(1.2:4): pid=1 msg='unit=a WARNING: no'\n"
	       "[ 1.0] systemd[1]: a.service: WARNING: not found\n"
	       "[ 1.0] (udev-worker)[12]: INFO: renamed\n",
		"");
}

static void a_bare_line_among_stamped_ones_is_a_programs(void **state)
{
	expect("[ 1.0] eth0: link up\nWARNING: no swap found\n[ 1.1] eth0: link down\n",
		"WARNING: no swap found||user-text|n\n");
	expect("WARNING:root:python says\nINFO:my.module:too\n", "");
	/* No line has a stamp; or the kernel's own wording, whose stamp was lost. */
	expect("eth0: link up\nWARNING: no swap found\n", "WARNING: no swap found||WARNING|\n");
	expect("[ 1.0] eth0: link up\nBUG: Bad rss-counter state mm:1 type:MM_ANONPAGES val:1\n",
		"BUG: Bad rss-counter state||bad-rss-counter|\n");
}

static void a_broken_stamp_is_none(void **state)
{
	static const char log[] = "[ 1.0] INFO: task x:1 blocked for more than 143 seconds.\n"
				  "[ 1.0] Call Trace:\n[ 1.\0 0]  not_of_it+0x1/0x2\n"
				  "[ >1.0]  not_of_it+0x1/0x2\n[ 1.0]  of_it+0x1/0x2\n[ 1.0] \n";
	static struct parsed got;

	parse(&got, log, sizeof(log) - 1, sizeof(log));
	assert_string_equal(got.s, "INFO: task hung in of_it|of_it|hung-task|\n");
}

static void harmless_lines_are_no_report(void **state)
{
	expect("[    1.0] INFO: lockdep is turned off.\n"
	       "[    1.0] INFO: NMI handler (perf) took too long to run: 1.2 msecs\n"
	       "[    1.0] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on\n"
	       "[    1.0] RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable to "
	       "RETBleed attacks\n"
	       "[    1.0] ODEBUG: x\n"
	       "[    1.0] traps: a[1] general protection fault ip:1 sp:2 error:0 in a[3+4]\n"
	       "[    1.0] traps: a[1] general protection fault ip:1 sp:2 error:0\n"
	       "[    1.0] amdgpu 0000:03:00.0: amdgpu: RAS INFO: ras initialized successfully\n"
	       "[    1.0] ixgbe 0000:01:00.0: WARNING: Intel (R) Network Connections are quality "
	       "tested using Intel (R) Ethernet Optics.\n"
	       "[    1.0] arch_timer: WARNING: Invalid trigger for IRQ3, assuming level low\n"
	       "[    1.0] XFS (sda1): WARNING: Reset corrupted AGFL\n"
	       "a/b.c:1:10: fatal error: x.h: No such file or directory\n"
	       "[    1.0] warning: `x' uses wireless extensions\n"
	       "[    1.0] Kernel panic_on_oops set\n"
	       "EFI stub: FIRMWARE BUG: kernel image not aligned on 64k boundary\n"
	       "[    1.0] rtas fadump: WARNING: Can't use additional parameters area!\n"
	       "[    1.0] mce: Fake kernel panic: Fatal local machine check\n"
	       "[    1.0] ipmmu-vmsa e67b0000.iommu: Unhandled fault: status 0x00002101 iova 0x7f\n"
	       "[    1.0] CacheFiles: cachefiles: Internal error: -5\n",
		"");
}

static void first_boot_is_no_reboot(void **state)
{
	expect("BIOS\nDecompressing Linux... done.\nBooting the kernel.\n[    0.000000] Linux "
	       "version 6\n",
		"");
	expect("[    0.000000] Linux version 6\nBooting the kernel.\n[    0.000000] Linux version "
	       "6\n",
		"unexpected kernel reboot||reboot|\n");
	expect("executing program 1:\nopen(0)\nSeaBIOS\nBooting the kernel.\n",
		"unexpected kernel reboot||reboot|\n");
}

static void known_events_are_told_but_are_no_crash(void **state)
{
	expect("[ 5.0] stress invoked oom-killer: gfp_mask=0x140cca, order=9\n"
	       "[ 5.1] Memory failure: 0x12345: recovery action for huge page: Recovered\n",
		"stress invoked oom-killer: gfp_mask=ADDR, order=NUM||oom|n\n"
		"Memory failure: 0x12345: recovery action for huge page: "
		"Recovered||memory-failure|n\n");
}

static void sanitisers_are_named(void **state)
{
	expect("[ 1.0] BUG: KASAN: slab-use-after-free in folio_try_get+0x1/0x2\n"
	       "[ 1.0] Write of size 4 at addr ffff888100000000 by task x/1\n"
	       "[ 1.0] Call Trace:\n[ 1.0]  dump_stack+0x1/0x2\n[ 1.0]  "
	       "kasan_check_range+0x1/0x2\n[ 1.0]  page_cache_ra+0x1/0x2\n",
		"KASAN: slab-use-after-free Write in folio_try_get|folio_try_get|KASAN|\n");
	expect("[ 1.0] BUG: KASAN: double-free in kfree+0x1/0x2\n"
	       "[ 1.0] Free of addr ffff888100000000 by task x/1\n"
	       "[ 1.0] Call Trace:\n[ 1.0]  kasan_report_invalid_free+0x1/0x2\n[ 1.0]  "
	       "region_del+0x1/0x2\n[ 1.0]  x+0x1/0x2\n",
		"KASAN: invalid-free in region_del|region_del|KASAN|\n");
	expect("[ 1.0] BUG: KCSAN: data-race in copy_hugetlb_page_range / "
	       "hugetlb_fault+0x12/0x34\n",
		"KCSAN: data-race in copy_hugetlb_page_range / "
		"hugetlb_fault|copy_hugetlb_page_range|KCSAN|\n");
	expect("[ 1.0] BUG: KMSAN: uninit-value in __list_del_entry_valid+0x1/0x2\n[ 1.0]  "
	       "list_del_entry+0x1/0x2\n"
	       "[ 1.0]  memcpy+0x1/0x2\n[ 1.0]  collapse_file+0x1/0x2\n[ 1.0] \n[ 1.0] Uninit was "
	       "created at:\n[ 1.0]  slab_alloc+0x1/0x2\n"
	       "[ 1.0]  mm_slot_alloc+0x1/0x2\n",
		"KMSAN: uninit-value in collapse_file|collapse_file|KMSAN|\n");
	expect("[ 1.0] BUG: KFENCE: use-after-free write in vma_merge+0x1/0x2\n[ 1.0] \n[ 1.0] "
	       "Call Trace:\n[ 1.0]  vma_merge+0x1/0x2\n[ 1.0]  a+0x1/0x2\n",
		"KFENCE: use-after-free write in vma_merge|vma_merge|KFENCE|\n");
	expect("[ 1.0] UBSAN: shift-out-of-bounds in mm/hugetlb.c:12:3\n[ 1.0] Call Trace:\n[ 1.0] "
	       " ubsan_epilogue+0x1/0x2\n"
	       "[ 1.0]  __ubsan_handle_shift_out_of_bounds+0x1/0x2\n[ 1.0]  "
	       "hugetlb_add_hstate+0x1/0x2\n",
		"UBSAN: shift-out-of-bounds in hugetlb_add_hstate|hugetlb_add_hstate|UBSAN|\n");
}

#define LOCKUP                                                            \
	"[ 1.0] watchdog: Watchdog detected hard LOCKUP on cpu 2\n"       \
	"[ 1.0] RIP: 0010:isolate_lru_page+0x1/0x2\n[ 1.0] Call Trace:\n" \
	"[ 1.0]  do_mbind+0x1/0x2\n[ 1.0]  do_syscall_64+0x1/0x2\n"
#define LOCKUP_PANIC                                                           \
	"[ 1.0] Kernel panic - not syncing: Hard LOCKUP\n[ 1.0] Call Trace:\n" \
	"[ 1.0]  panic+0x1/0x2\n[ 1.0]  watchdog_overflow_callback+0x1/0x2\n"

static void stalls_are_named_after_what_was_entered(void **state)
{
	expect("[ 1.0] watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [x:1]\n[ 1.0] RIP: "
	       "0010:page_vma_mapped_walk+0x1/0x2\n"
	       "[ 1.0] Call Trace:\n[ 1.0]  try_to_migrate_one+0x1/0x2\n[ 1.0]  "
	       "migrate_pages+0x1/0x2\n[ 1.0]  __x64_sys_move_pages+0x1/0x2\n"
	       "[ 1.0]  do_syscall_64+0x1/0x2\n",
		"BUG: soft lockup in sys_move_pages|sys_move_pages|soft-lockup|\n");
	expect("[ 1.0] INFO: task khugepaged:40 blocked for more than 143 seconds.\n[ 1.0] Call "
	       "Trace:\n[ 1.0]  __schedule+0x1/0x2\n"
	       "[ 1.0]  rwsem_down_write_slowpath+0x1/0x2\n[ 1.0]  collapse_huge_page+0x1/0x2\n[ "
	       "1.0]  kthread+0x1/0x2\n",
		"INFO: task hung in collapse_huge_page|collapse_huge_page|hung-task|\n");
	expect("[ 1.0] INFO: task x:40 blocked in I/O wait for more than 143 seconds.\n[ 1.0] Call "
	       "Trace:\n[ 1.0]  __schedule+0x1/0x2\n[ 1.0]  io_schedule+0x1/0x2\n[ 1.0]  "
	       "do_swap_page+0x1/0x2\n[ 1.0] INFO: task x:40 <reader> blocked on an rw-semaphore "
	       "likely owned by task y:41 <writer>\n",
		"INFO: task hung in do_swap_page|do_swap_page|hung-task|\n");
	expect("[ 1.0] rcu: INFO: rcu_preempt self-detected stall on CPU\n[ 1.0]  "
	       "apic_timer_interrupt+0x1/0x2\n"
	       "[ 1.0] RIP: 0010:clear_huge_page+0x1/0x2\n[ 1.0]  hugetlb_no_page+0x1/0x2\n[ 1.0]  "
	       "do_page_fault+0x1/0x2\n"
	       "[ 1.0] Call Trace:\n[ 1.0]  a+0x1/0x2\n[ 1.0]  b+0x1/0x2\n",
		"INFO: rcu detected stall in hugetlb_no_page|hugetlb_no_page|rcu-stall|\n");
	expect_alt("[ 1.0] rcu: INFO: rcu_preempt self-detected stall on CPU\n[ 1.0] RIP: "
		   "0010:queued_spin_lock_slowpath+0x1/0x2\n[ 1.0] Call Trace:\n[ 1.0]  "
		   "page_vma_mapped_walk+0x1/0x2\n[ 1.0]  do_syscall_64+0x1/0x2\n",
		"stall in page_vma_mapped_walk");
	expect_alt("[ 1.0] watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [x:1]\n[ 1.0] RIP: "
		   "0010:queued_spin_lock_slowpath+0x1/0x2\n[ 1.0] Call Trace:\n[ 1.0]  "
		   "hugetlb_no_page+0x1/0x2\n[ 1.0]  hugetlb_fault+0x1/0x2\n[ 1.0]  "
		   "handle_mm_fault+0x1/0x2\n[ 1.0]  exc_page_fault+0x1/0x2\n",
		"BUG: soft lockup in hugetlb_fault");
	expect(LOCKUP, "BUG: hard lockup in do_mbind|do_mbind|hard-lockup|\n");
	expect(LOCKUP LOCKUP_PANIC, "kernel panic: Hard LOCKUP||panic|p\n");
	expect_alt(LOCKUP LOCKUP_PANIC, "BUG: hard lockup in do_mbind");
}

static void a_panic_names_the_lockup_before_it_however_late(void **state)
{
	char log[8192] = LOCKUP;

	for (int i = 0; i < 100; i++)
		strcat(log, "[ 1.0] R10: 0 R11: 1\n");
	strcat(log, LOCKUP_PANIC);
	expect(log, "kernel panic: Hard LOCKUP||panic|p\n");
	expect_alt(log, "BUG: hard lockup in do_mbind");
}

static void lockdep_names_the_lock_that_was_wanted(void **state)
{
	expect("[ 1.0] WARNING: possible circular locking dependency detected\n[ 1.0] a/1 is "
	       "trying to acquire lock:\n"
	       "[ 1.0] ffff (&x){+.+.}-{3:3}, at: hugetlb_vma_lock_write+0x1/0x2\n[ 1.0] but task "
	       "is already holding lock:\n"
	       "[ 1.0] ffff (&y){+.+.}-{3:3}, at: unmap_vmas+0x1/0x2\n[ 1.0] Call Trace:\n[ 1.0]  "
	       "dump_stack+0x1/0x2\n[ 1.0]  x+0x1/0x2\n",
		"possible deadlock in hugetlb_vma_lock_write|hugetlb_vma_lock_write|lockdep|\n");
	expect("[ 1.0] WARNING: suspicious RCU usage\n[ 1.0] mm/gup.c:12 suspicious "
	       "rcu_dereference_check() usage!\n"
	       "[ 1.0] Call Trace:\n[ 1.0]  lockdep_rcu_suspicious+0x1/0x2\n[ 1.0]  "
	       "follow_page_mask+0x1/0x2\n[ 1.0]  x+0x1/0x2\n",
		"WARNING: suspicious RCU usage in follow_page_mask|follow_page_mask|lockdep|\n");
	expect("[ 1.0] WARNING: bad unlock balance detected!\n[ 1.0] x/1 is trying to release lock "
	       "(&a) at:\n"
	       "[ 1.0] [<ffffffff81000000>] remap_file_pages+0x1/0x2\n[ 1.0] Call Trace:\n[ 1.0]  "
	       "x+0x1/0x2\n[ 1.0]  y+0x1/0x2\n",
		"WARNING: bad unlock balance in remap_file_pages|remap_file_pages|lockdep|\n");
}

static void other_machines_frames_are_read(void **state)
{
	expect("[ 1.0] Unable to handle kernel NULL pointer dereference at virtual address "
	       "0000000000000008\n"
	       "[ 1.0] Internal error: Oops: 0000000096000004 [#1] SMP\n[ 1.0] pc : "
	       "huge_pte_alloc+0x1/0x2\n[ 1.0] lr : x+0x1/0x2\n"
	       "[ 1.0] Call trace:\n[ 1.0]  huge_pte_alloc+0x1/0x2\n[ 1.0]  "
	       "hugetlb_fault+0x1/0x2\n",
		"BUG: unable to handle kernel NULL pointer dereference in "
		"huge_pte_alloc|huge_pte_alloc|paging-request|\n");
	expect("[ 1.0] BUG: Unable to handle kernel data access on read at 0xc00a000000000018\n"
	       "[ 1.0] NIP [c0000000004e3d8c] hash__pmd_hugepage_update+0x1/0x2\n[ 1.0] LR "
	       "[c0000000004e3d00] x+0x1/0x2\n[ 1.0] Call Trace:\n"
	       "[ 1.0] [c000000007a3b9d0] [c0000000004e3d00] a+0x1/0x2 (unreliable)\n[ 1.0] "
	       "[c000000007a3ba00] [c0000000004e3d10] zap_pmd_range+0x1/0x2\n"
	       "[ 1.0] [c000000007a3ba00] [c0000000004e3d10] unmap_page_range+0x1/0x2\n",
		"BUG: unable to handle kernel paging request in "
		"hash__pmd_hugepage_update|hash__pmd_hugepage_update|paging-request|\n");
	expect("[ 1.0] Unable to handle kernel pointer dereference in virtual kernel address "
	       "space\n[ 1.0] Oops: 0004 ilc:3 [#1] SMP\n"
	       "[ 1.0] Krnl PSW : 0704c00180000000 000000000039a5c2 (gmap_unshadow+0x1/0x2)\n[ "
	       "1.0] Call Trace:\n"
	       "[ 1.0]  [<000000000039a5c2>] gmap_unshadow+0x1/0x2\n[ 1.0]  [<000000000039a5c2>] "
	       "x+0x1/0x2\n",
		"Unable to handle kernel pointer dereference in virtual kernel address "
		"space|gmap_unshadow|paging-request|\n");
	expect("[ 1.0] Unable to handle kernel paging request at virtual address "
	       "ff60000000000000\n[ 1.0] Oops [#1]\n"
	       "[ 1.0] epc : set_huge_pte_at+0x1/0x2\n[ 1.0]  ra : x+0x1/0x2\n[ 1.0] "
	       "[<ffffffff80012345>] set_huge_pte_at+0x1/0x2\n"
	       "[ 1.0] Call Trace:\n[ 1.0] [<ffffffff80012345>] set_huge_pte_at+0x1/0x2\n[ 1.0] "
	       "[<ffffffff80012345>] x+0x1/0x2\n",
		"BUG: unable to handle kernel paging request in "
		"set_huge_pte_at|set_huge_pte_at|paging-request|\n");
	/* What die() says of a BUG is no report of its own. */
	expect("[ 1.0] kernel BUG at mm/rmap.c:3!\n[ 1.0] Internal error: Oops - BUG: "
	       "00000000f2000800 [#1] SMP\n[ 1.0] pc : folio_remove_rmap_pmd+0x1/0x2\n"
	       "[ 1.0] lr : x+0x1/0x2\n[ 1.0] Call trace:\n[ 1.0]  "
	       "folio_remove_rmap_pmd+0x1/0x2 (P)\n[ 1.0]  zap_huge_pmd+0x1/0x2\n",
		"kernel BUG in folio_remove_rmap_pmd|folio_remove_rmap_pmd|kernel-BUG|\n");
	expect("[ 1.0] kernel BUG at mm/rmap.c:3!\n[ 1.0] Kernel BUG [#1]\n[ 1.0] epc : "
	       "folio_remove_rmap_pmd+0x1/0x2\n[ 1.0]  ra : x+0x1/0x2\n[ 1.0] Call Trace:\n"
	       "[ 1.0] [<ffffffff80012345>] zap_huge_pmd+0x1/0x2\n[ 1.0] "
	       "[<ffffffff80012345>] x+0x1/0x2\n",
		"kernel BUG in folio_remove_rmap_pmd|folio_remove_rmap_pmd|kernel-BUG|\n");
}

static void what_a_machine_calls_the_exception_of_a_bug_is_no_report(void **state)
{
	expect("[ 1.0] kernel BUG at mm/huge_memory.c:3!\n"
	       "[ 1.0] Internal error: Oops - BUG: 00000000f2000800 [#1] PREEMPT SMP\n"
	       "[ 1.0] pc : __split_huge_pmd_locked+0x1/0x2\n[ 1.0] lr : x+0x1/0x2\n"
	       "[ 1.0] Call trace:\n[ 1.0]  __split_huge_pmd_locked+0x1/0x2 (P)\n[ 1.0]  "
	       "x+0x1/0x2\n"
	       "[ 1.0] Kernel panic - not syncing: Oops - BUG: Fatal exception\n",
		"kernel BUG in __split_huge_pmd_locked|__split_huge_pmd_locked|kernel-BUG|p\n");
	expect("[ 1.0] kernel BUG at lib/list_debug.c:3!\n[ 1.0] Kernel BUG [#1]\n"
	       "[ 1.0] epc : __list_add_valid_or_report+0x1/0x2\n[ 1.0]  ra : x+0x1/0x2\n"
	       "[ 1.0] status: 0000000200000120 badaddr: 0 cause: 0000000000000003\n"
	       "[ 1.0] [<ffffffff80012345>] __list_add_valid_or_report+0x1/0x2\n"
	       "[ 1.0] [<ffffffff80012345>] deferred_split_folio+0x1/0x2\n"
	       "[ 1.0] [<ffffffff80012345>] x+0x1/0x2\n",
		"BUG: corrupted list in deferred_split_folio|deferred_split_folio|kernel-BUG|\n");
}

#define RISCV                                                                              \
	"epc : memcpy+0x1/0x2\n ra : x+0x1/0x2\n"                                          \
	"status: 0000000200000120 badaddr: ff60000000000000 cause: 000000000000000d\n"     \
	"[<ffffffff80012345>] memcpy+0x1/0x2\n[<ffffffff80012345>] copy_subpage+0x1/0x2\n" \
	"[<ffffffff80012345>] process_one_work+0x1/0x2\n"

static void a_trace_of_riscv_needs_no_title(void **state)
{
	expect("Unable to handle kernel paging request at virtual address 7\nOops [#1]\n" RISCV,
		"BUG: unable to handle kernel paging request in "
		"copy_subpage|copy_subpage|paging-request|\n");
	expect("watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [x:1]\n" RISCV,
		"BUG: soft lockup in copy_subpage|copy_subpage|soft-lockup|\n");
	expect("WARNING: CPU: 0 PID: 1 at lib/refcount.c:2 refcount_warn_saturate+0x1/0x2\n" RISCV,
		"WARNING: refcount bug in copy_subpage|copy_subpage|WARNING|\n");
}

static void exceptions_have_names(void **state)
{
	static const struct {
		const char *first, *title;
	} c[] = {
		{"Low-address protection: 0004 ilc:2 [#1] SMP", "Oops: Low-address protection"},
		{"HFP overflow exception: 000c ilc:2 [#1] SMP", "Oops: HFP overflow exception"},
		{"monitor event: 0040 ilc:2 [#1] SMP", "Oops: monitor event"},
		{"Oops: 0010 ilc:3 [#1] SMP", "Oops"},
		{"Oops: Machine check, sig: 7 [#1]", "Oops: Machine check"},
		{"Oops - store (or AMO) access fault [#1]", "Oops: store (or AMO) access fault"},
		{"Oops: Bad pagetable: 000d [#1] PREEMPT SMP", "Oops: Bad pagetable"},
		{"Oops: Oops: 0000 [#1] PREEMPT SMP", "Oops"},
		{"Oops: 0000 [#1] SMP", "Oops"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		char log[512], want[128];

		snprintf(log, sizeof(log),
			"%s\nNIP [c0000000004e3d00] gup_pte+0x1/0x2\nCall Trace:\n"
			"[c000000007a3b9a0] [c0000000004e3d10] gup_pte+0x1/0x2\n"
			"[c000000007a3b9a0] [c0000000004e3d10] x+0x1/0x2\n",
			c[i].first);
		snprintf(want, sizeof(want), "%s in gup_pte|gup_pte|CPU-exception|\n", c[i].title);
		expect(log, want);
	}
}

static void ubsan_may_be_a_trap(void **state)
{
	expect("[ 1.0] UBSAN: array index out of bounds at hugetlb_size+0x1/0x2\n[ 1.0] Oops: "
	       "invalid opcode: 0000 [#1] SMP\n[ 1.0] RIP: 0010:hugetlb_size+0x1/0x2\n"
	       "[ 1.0] Call Trace:\n[ 1.0]  a+0x1/0x2\n[ 1.0]  b+0x1/0x2\n",
		"UBSAN: array index out of bounds in hugetlb_size|hugetlb_size|UBSAN|\n");
	expect("[ 1.0] Internal error: UBSAN: shift out of bounds: 00000000f2005514 [#1] SMP\n"
	       "[ 1.0] pc : hugetlb_size+0x1/0x2\n[ 1.0] Call trace:\n[ 1.0]  a+0x1/0x2\n"
	       "[ 1.0]  b+0x1/0x2\n",
		"UBSAN: shift out of bounds in hugetlb_size|hugetlb_size|UBSAN|\n");
}

static void inlined_functions_start_no_report_of_their_own(void **state)
{
	expect("[ 1.0] BUG: KASAN: slab-use-after-free in a include/linux/a.h:1 [inline]\n"
	       "[ 1.0] BUG: KASAN: slab-use-after-free in rmap_walk+0x1/0x2 mm/rmap.c:1\n"
	       "[ 1.0] Read of size 8 at addr ffff888100000000 by task x/1\n"
	       "[ 1.0] Call Trace:\n[ 1.0]  a include/linux/a.h:1 [inline]\n[ 1.0]  "
	       "rmap_walk+0x1/0x2 mm/rmap.c:1\n[ 1.0]  x+0x1/0x2 mm/x.c:1\n",
		"KASAN: slab-use-after-free Read in rmap_walk|rmap_walk|KASAN|\n");
	expect("[ 1.0] WARNING: CPU: 0 PID: 1 at mm/a.c:2 a mm/a.c:2 [inline]\n"
	       "[ 1.0] WARNING: CPU: 0 PID: 1 at mm/a.c:2 rmap_walk+0x1/0x2 mm/a.c:3\n"
	       "[ 1.0] RIP: 0010:a mm/a.c:2 [inline]\n[ 1.0] RIP: 0010:rmap_walk+0x1/0x2 mm/a.c:3\n"
	       "[ 1.0] Call Trace:\n[ 1.0]  b+0x1/0x2\n[ 1.0]  c+0x1/0x2\n",
		"WARNING in rmap_walk|rmap_walk|WARNING|\n");
}

static void slub_tells_cache_and_fault(void **state)
{
	expect("[ 1.0] BUG anon_vma (Tainted: G    B   W         ): Poison overwritten\n",
		"BUG: slab anon_vma: Poison overwritten||slab|\n");
	expect("[ 1.0] BUG mm_slot (Not tainted): Object already free\n",
		"BUG: slab mm_slot: Object already free||slab|\n");
	expect_alt("[ 1.0] BUG kmalloc-64 (Tainted: G    B ): Poison overwritten\n",
		"BUG: slab kmalloc-NUM: Poison overwritten");
}

static void mips_and_loongarch_give_the_instruction_pointer(void **state)
{
	static const char *const ips[] = {
		"epc   : ffffffff8023a1f4 bad_fn+0x1c/0x34",
		"   ERA: 900000000023a1f4 bad_fn+0x1c/0x34",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ips); i++) {
		char log[512];

		snprintf(log, sizeof(log),
			"[ 1.0] CPU 1 Unable to handle kernel paging request at virtual address "
			"0000000000000008, epc == 1, ra == 2\n[ 1.0] %s\n[ 1.0] Call Trace:\n"
			"[ 1.0] [<ffffffff8023a1f4>] a+0x1/0x2\n[ 1.0] [<ffffffff8023a1f4>] "
			"b+0x1/0x2\n",
			ips[i]);
		expect(log, "BUG: unable to handle kernel paging request in "
			    "bad_fn|bad_fn|paging-request|\n");
	}
}

static void both_wordings_of_a_warning_are_read(void **state)
{
#define REST                                                                              \
	" RIP: 0010:folio_split+0x1/0x2\n Call Trace:\n  split_folio_to_list+0x1/0x2\n  " \
	"x+0x1/0x2\n"
	static const char *const firsts[] = {
		"WARNING: CPU: 1 PID: 2 at mm/huge_memory.c:3 folio_split+0x1/0x2\n",
		"WARNING: mm/huge_memory.c:3 at folio_split+0x1/0x2, CPU#1: x/2\n",
		"WARNING: mm/huge_memory.c:3 at 0x0, CPU#1: x/2\n",
		"WARNING: [is_large(folio)] mm/a.c:3 at folio_split+0x1/0x2, CPU#1: x/2\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		char log[512];

		snprintf(log, sizeof(log), "%s%s", firsts[i], REST);
		expect(log, "WARNING in folio_split|folio_split|WARNING|\n");
		if (i == 3)
			expect_alt(log, "WARNING in folio_split: is_large(folio)");
	}
}

static void warnings_of_old_kernels_have_a_function_too(void **state)
{
	static const char log[] = "[ 1.0] WARNING: at mm/page_alloc.c:3 __alloc_x+0x1/0x2()\n"
				  "[ 1.0] Call Trace:\n[ 1.0]  warn_slowpath_common+0x1/0x2\n"
				  "[ 1.0]  shrink_zone+0x1/0x2\n[ 1.0]  x+0x1/0x2\n";

	expect(log, "WARNING: at mm/page_alloc.c:LINE __alloc_x()|shrink_zone|WARNING|\n");
	expect_alt(log, "WARNING in shrink_zone");
}

static void a_panic_that_ends_a_report_is_no_report_of_its_own(void **state)
{
	expect(FAULT_X86 "[  11.0][ T77] Kernel panic - not syncing: Fatal exception\n",
		"BUG: unable to handle kernel paging request in "
		"zap_huge_pmd|zap_huge_pmd|paging-request|p\n");
	expect("[ 1.0] Kernel panic - not syncing: sysrq triggered crash\n[ 1.0] Call Trace:\n[ "
	       "1.0]  panic+0x1/0x2\n[ 1.0]  sysrq_handle_crash+0x1/0x2\n",
		"kernel panic: sysrq triggered crash||panic|p\n");
	expect("[ 1.0] Kernel panic - not syncing: panic_on_warn set ...\n",
		"kernel panic: panic_on_warn set||panic|cp\n");
}

static void a_report_without_its_stack_is_corrupted(void **state)
{
	expect("[ 1.0] kernel BUG at mm/rmap.c:3!\n",
		"kernel BUG in corrupted|corrupted|kernel-BUG|c\n");
	expect("[ 1.0] BUG: [ 1.1] usb 1-1\n", "BUG: [ NUM.NUM] usb NUM-NUM||BUG-other|c\n");
}

#define BAD_MAP                                                                             \
	"[ 1.0] BUG: Bad page map in process x  pte:8000000000000067 pmd:1067\n"            \
	"[ 1.0] page: refcount:1 mapcount:-1 mapping:0000000000000000 index:0x0 pfn:0x12\n" \
	"[ 1.0] page dumped because: bad pte\n"                                             \
	"[ 1.0] addr:00007f0000000000 vm_flags:08400073 anon_vma:ffff888100000000 "         \
	"mapping:0000000000000000 index:7f00\n"                                             \
	"[ 1.0] file:(null) fault:0x0 mmap:0x0 read_folio:0x0\n"                            \
	"[ 1.0] Call Trace:\n[ 1.0]  dump_stack+0x1/0x2\n[ 1.0]  print_bad_pte+0x1/0x2\n"   \
	"[ 1.0]  zap_pte_range+0x1/0x2\n[ 1.0]  unmap_page_range+0x1/0x2\n"

static void bad_page_map_tells_path_and_vma(void **state)
{
	expect(BAD_MAP, "BUG: Bad page map||bad-page-map|\n");
	expect_alt(BAD_MAP, "BUG: Bad page map in zap_pte_range");
	expect_alt(BAD_MAP, "BUG: Bad page map in zap_pte_range (private hugetlb)");
	expect_alt("[ 1.0] BUG: Bad page map in process x  pte:80067 pmd:1067\n"
		   "[ 1.0] addr:00007f0000000000 vm_flags:00000473 anon_vma:          (null) "
		   "mapping:          (null) index:7f00\n"
		   "[ 1.0] Call Trace:\n[ 1.0]  vm_normal_page+0x1/0x2\n[ 1.0]  a+0x1/0x2\n",
		"BUG: Bad page map in a (pfnmap)");
}

#define BAD_STATE                                                                             \
	"[ 1.0] BUG: Bad page state in process x  pfn:12345\n"                                \
	"[ 1.0] page: refcount:0 mapcount:1 mapping:0000000000000000 index:0x0 pfn:0x12345\n" \
	"[ 1.0] page dumped because: nonzero mapcount\n"                                      \
	"[ 1.0] Call Trace:\n[ 1.0]  bad_page+0x1/0x2\n[ 1.0]  free_unref_page+0x1/0x2\n"     \
	"[ 1.0]  __folio_put+0x1/0x2\n[ 1.0]  migrate_folio_move+0x1/0x2\n[ 1.0]  x+0x1/0x2\n"

static void bad_page_state_tells_who_freed_and_why(void **state)
{
	expect(BAD_STATE, "BUG: Bad page state in corrupted|corrupted|bad-page|c\n");
	expect_alt(BAD_STATE, "BUG: Bad page state in migrate_folio_move");
	expect_alt(BAD_STATE, "BUG: Bad page state in migrate_folio_move: nonzero mapcount");
	expect(BAD_STATE "[ 1.0] page last allocated via order 9, migratetype Movable\n[ 1.0]  "
			 "get_page_from_freelist+0x1/0x2\n"
			 "[ 1.0]  __alloc_pages+0x1/0x2\n[ 1.0]  vma_fault_huge+0x1/0x2\n",
		"BUG: Bad page state in vma_fault_huge|vma_fault_huge|bad-page|\n");
}

static void rss_counter_tells_type_and_sign(void **state)
{
	expect_alt("[ 1.0] BUG: Bad rss-counter state mm:ffff888100000000 type:MM_SHMEMPAGES "
		   "val:-512\n",
		"BUG: Bad rss-counter state type:MM_SHMEMPAGES below zero");
	expect_alt("[ 1.0] BUG: Bad rss-counter state mm:ffff888100000000 idx:1 val:2\n",
		"BUG: Bad rss-counter state type:MM_ANONPAGES");
	expect("[ 1.0] BUG: non-zero pgtables_bytes on freeing mm: 4096\n",
		"BUG: non-zero pgtables_bytes on freeing mm: NUM||nonzero-pgtables|\n");
	expect_alt("[ 1.0] BUG: non-zero pgtables_bytes on freeing mm: 4096\n",
		"BUG: non-zero pgtables_bytes on freeing mm");
	expect_alt("[ 1.0] BUG: non-zero pgtables_bytes on freeing mm: -4096\n",
		"BUG: non-zero pgtables_bytes on freeing mm, below zero");
}

#define VM_BUG                                                                                    \
	"[ 1.0] page: refcount:1 mapcount:1 mapping:ffff888100000001 index:0x7f pfn:0x1200\n"     \
	"[ 1.0] head: order:9 mapcount:512 entire_mapcount:0 nr_pages_mapped:512 pincount:0\n"    \
	"[ 1.0] anon flags: 0x17ffffc0040069(locked|uptodate|head|swapbacked|node=0|zone=2)\n"    \
	"[ 1.0] page dumped because: VM_BUG_ON_FOLIO(!folio_test_locked(folio))\n"                \
	"[ 1.0] ------------[ cut here ]------------\n[ 1.0] kernel BUG at mm/huge_memory.c:3!\n" \
	"[ 1.0] Oops: invalid opcode: 0000 [#1] PREEMPT SMP\n[ 1.0] RIP: "                        \
	"0010:__split_huge_pmd_locked+0x1/0x2\n"                                                  \
	"[ 1.0] Call Trace:\n[ 1.0]  a+0x1/0x2\n[ 1.0]  b+0x1/0x2\n"

static void assertions_tell_condition_and_page(void **state)
{
	expect(VM_BUG,
		"kernel BUG in __split_huge_pmd_locked|__split_huge_pmd_locked|kernel-BUG|\n");
	expect_alt(VM_BUG, "kernel BUG in __split_huge_pmd_locked: "
			   "VM_BUG_ON_FOLIO(!folio_test_locked(folio))");
	expect_alt(VM_BUG,
		"kernel BUG in __split_huge_pmd_locked: VM_BUG_ON_FOLIO(!folio_test_locked(folio)) "
		"[anon order:NUM locked|uptodate|head|s");
}

static void dumps_of_older_kernels_tell_the_order_too(void **state)
{
	expect_alt("[ 1.0] page:0000000011111111 refcount:3 mapcount:0 mapping:00000000 index:0x0\n"
		   "[ 1.0] head:0000000011111111 order:9 compound_mapcount:0 compound_pincount:0\n"
		   "[ 1.0] flags: 0x17ffffc0090001(locked|node=0|zone=2)\n"
		   "[ 1.0] page dumped because: VM_BUG_ON_PAGE(x)\n[ 1.0] kernel BUG at "
		   "mm/a.c:3!\n[ 1.0] RIP: 0010:a+0x1/0x2\n[ 1.0] Call Trace:\n[ 1.0]  "
		   "b+0x1/0x2\n[ 1.0]  c+0x1/0x2\n",
		"kernel BUG in a: VM_BUG_ON_PAGE(x) [order:NUM locked]");
}

static void page_table_check_tells_its_caller(void **state)
{
	expect_alt("[ 1.0] kernel BUG at mm/page_table_check.c:3!\n[ 1.0] RIP: "
		   "0010:page_table_check_set+0x1/0x2\n[ 1.0] Call Trace:\n"
		   "[ 1.0]  __page_table_check_ptes_set+0x1/0x2\n[ 1.0]  set_ptes+0x1/0x2\n[ 1.0]  "
		   "remove_migration_pte+0x1/0x2\n",
		"BUG: page_table_check in remove_migration_pte");
}

static void underflow_tells_its_caller(void **state)
{
	expect_alt("[ 1.0] ------------[ cut here ]------------\n[ 1.0] page_counter underflow: "
		   "-512 nr_pages=512\n"
		   "[ 1.0] WARNING: CPU: 1 PID: 2 at mm/page_counter.c:3 "
		   "page_counter_cancel+0x1/0x2\n[ 1.0] RIP: 0010:page_counter_cancel+0x1/0x2\n"
		   "[ 1.0] Call Trace:\n[ 1.0]  page_counter_uncharge+0x1/0x2\n[ 1.0]  "
		   "hugetlb_cgroup_uncharge_counter+0x1/0x2\n[ 1.0]  x+0x1/0x2\n",
		"WARNING: page_counter underflow in hugetlb_cgroup_uncharge_counter");
}

static void list_corruption_tells_what_was_wrong(void **state)
{
	expect_alt("[ 1.0] list_del corruption, ffffea0000001008->next is LIST_POISON1 "
		   "(dead000000000100)\n[ 1.0] kernel BUG at lib/list_debug.c:3!\n"
		   "[ 1.0] RIP: 0010:__list_del_entry_valid+0x1/0x2\n[ 1.0] Call Trace:\n[ 1.0]  "
		   "deferred_split_folio+0x1/0x2\n[ 1.0]  x+0x1/0x2\n",
		"BUG: corrupted list in deferred_split_folio: list_del corruption, ADDR->next is "
		"LIST_POISON1 (ADDR)");
}

static void the_end_of_a_panic_is_no_report(void **state)
{
#define PANIC_TEXT "Kernel panic - not syncing: No working init found.  Try passing init= option"
	char log[8192] = "[ 1.0] " PANIC_TEXT "\n[ 1.0] Call Trace:\n[ 1.0]  panic+0x1/0x2\n"
			 "[ 1.0]  kernel_init+0x1/0x2\n[ 1.0]  ret_from_fork+0x1/0x2\n";

	for (int i = 0; i < 100; i++)
		strcat(log, "[ 1.0] R10: 0 R11: 1\n");
	strcat(log, "[ 1.0] ---[ end " PANIC_TEXT " ]---\n");
	expect(log, "kernel panic: No working init found. Try passing init= option||panic|p\n");
	expect("[ 1.0] ---[ end " PANIC_TEXT " ]---\n",
		"kernel panic: No working init found. Try passing init= option||panic|cp\n");
}

static void rust_functions_are_readable(void **state)
{
	expect("[ 1.0][ T1] rust_kernel: panicked at a.rs:1:2:\n[ 1.0][ T1] attempt to subtract "
	       "with overflow\n[ 1.0][ T1] Call Trace:\n"
	       "[ 1.0][ T1]  _RNvCs1_7___rustc17rust_begin_unwind+0x1/0x2\n"
	       "[ 1.0][ T1]  _RNvXs1_Cs2_6myfileNtB5_3MapNtCs3_6kernel4Mmap5unmap+0x1/0x2\n[ 1.0][ "
	       "T1]  x+0x1/0x2\n",
		"attempt to subtract with overflow in <myfile::Map as "
		"kernel::Mmap>::unmap|<myfile::Map as kernel::Mmap>::unmap|other|\n");
}

static void a_report_is_ready_without_a_flush_when_enough_has_followed(void **state)
{
	static const char filler[] =
		"[  20.000000][ T99] page_pool: nothing to see here, move along\n";
	struct klog *k;
	const struct klog_report *r = NULL;
	size_t pushed = 0;

	assert_int_equal(klog_new(&k, NULL), 0);
	assert_int_equal(klog_push(k, FAULT_X86, sizeof(FAULT_X86) - 1), 0);
	assert_null(klog_next(k));
	while (!(r = klog_next(k)) && pushed < 4U << 20) {
		assert_int_equal(klog_push(k, filler, sizeof(filler) - 1), 0);
		pushed += sizeof(filler) - 1;
	}
	assert_non_null(r);
	assert_string_equal(r->frame, "zap_huge_pmd");
	assert_int_equal(r->line, 1);
	assert_int_equal(r->start, 0);
	assert_int_equal(r->end, sizeof(FAULT_X86) - 2);
	assert_int_equal(r->time_us, 10000001);
	klog_free(k);
}

static void offsets_count_from_the_first_byte_ever(void **state)
{
	static const char filler[] = "[   1.000000] eth0: link up\n";
	const struct klog_report *r;
	struct klog *k;

	assert_int_equal(klog_new(&k, NULL), 0);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(klog_push(k, filler, sizeof(filler) - 1), 0);
	assert_int_equal(klog_push(k, FAULT_X86, sizeof(FAULT_X86) - 1), 0);
	assert_int_equal(klog_flush(k), 0);
	r = klog_next(k);
	assert_non_null(r);
	assert_int_equal(r->line, 100001);
	assert_int_equal(r->start, 100000 * (sizeof(filler) - 1));
	klog_free(k);
}

static void endless_lines_and_raw_bytes_do_no_harm(void **state)
{
	static struct parsed got;
	size_t n = 1 << 20;
	_cleanup_free_ char *log = malloc(n);

	assert_non_null(log);
	for (size_t i = 0; i < n; i++)
		log[i] = (char)(i * 2654435761U >> 13);
	memcpy(log + n - 40, "\nBUG: Bad rss-counter state mm:1 idx:1 v\n", 41 - 1);
	parse(&got, log, n, 1 << 16);
	assert_non_null(strstr(got.s, "BUG: Bad rss-counter state||bad-rss-counter|\n"));
	memset(log, 'x', n);
	parse(&got, log, n, 1 << 16);
	assert_string_equal(got.s, "");
}

static void plain_text_keeps_its_brackets(void **state)
{
	struct klog_options opt = {.plain = true};
	const struct klog_report *r;
	struct klog *k;

	assert_int_equal(klog_new(&k, &opt), 0);
	assert_int_equal(klog_push(k, "[   1.0] BUG: x\n", 16), 0);
	assert_int_equal(klog_flush(k), 0);
	r = klog_next(k);
	assert_non_null(r);
	assert_string_equal(r->text, "[   1.0] BUG: x\n");
	klog_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_fault_is_named_after_the_instruction_pointer),
		cmocka_unit_test(any_split_of_the_bytes_gives_the_same),
		cmocka_unit_test(interleaved_tasks_are_kept_apart),
		cmocka_unit_test(every_form_of_log_is_understood),
		cmocka_unit_test(what_user_space_writes_is_no_report),
		cmocka_unit_test(quoted_words_of_programs_are_no_report),
		cmocka_unit_test(a_bare_line_among_stamped_ones_is_a_programs),
		cmocka_unit_test(a_broken_stamp_is_none),
		cmocka_unit_test(harmless_lines_are_no_report),
		cmocka_unit_test(first_boot_is_no_reboot),
		cmocka_unit_test(known_events_are_told_but_are_no_crash),
		cmocka_unit_test(sanitisers_are_named),
		cmocka_unit_test(stalls_are_named_after_what_was_entered),
		cmocka_unit_test(a_panic_names_the_lockup_before_it_however_late),
		cmocka_unit_test(lockdep_names_the_lock_that_was_wanted),
		cmocka_unit_test(other_machines_frames_are_read),
		cmocka_unit_test(what_a_machine_calls_the_exception_of_a_bug_is_no_report),
		cmocka_unit_test(a_trace_of_riscv_needs_no_title),
		cmocka_unit_test(exceptions_have_names),
		cmocka_unit_test(ubsan_may_be_a_trap),
		cmocka_unit_test(inlined_functions_start_no_report_of_their_own),
		cmocka_unit_test(slub_tells_cache_and_fault),
		cmocka_unit_test(mips_and_loongarch_give_the_instruction_pointer),
		cmocka_unit_test(both_wordings_of_a_warning_are_read),
		cmocka_unit_test(warnings_of_old_kernels_have_a_function_too),
		cmocka_unit_test(a_panic_that_ends_a_report_is_no_report_of_its_own),
		cmocka_unit_test(a_report_without_its_stack_is_corrupted),
		cmocka_unit_test(bad_page_map_tells_path_and_vma),
		cmocka_unit_test(bad_page_state_tells_who_freed_and_why),
		cmocka_unit_test(rss_counter_tells_type_and_sign),
		cmocka_unit_test(assertions_tell_condition_and_page),
		cmocka_unit_test(dumps_of_older_kernels_tell_the_order_too),
		cmocka_unit_test(page_table_check_tells_its_caller),
		cmocka_unit_test(underflow_tells_its_caller),
		cmocka_unit_test(list_corruption_tells_what_was_wrong),
		cmocka_unit_test(the_end_of_a_panic_is_no_report),
		cmocka_unit_test(rust_functions_are_readable),
		cmocka_unit_test(a_report_is_ready_without_a_flush_when_enough_has_followed),
		cmocka_unit_test(offsets_count_from_the_first_byte_ever),
		cmocka_unit_test(endless_lines_and_raw_bytes_do_no_harm),
		cmocka_unit_test(plain_text_keeps_its_brackets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
