/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a lane is stuck, by samples of its stack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "lanes.h"

#define OUTER                                      \
	"[<0>] madvise_vma_behavior+0x594/0xbd0\n" \
	"[<0>] do_madvise+0xcc/0x140\n"            \
	"[<0>] __x64_sys_madvise+0x27/0x40\n"      \
	"[<0>] do_syscall_64+0x71/0x280\n"         \
	"[<0>] entry_SYSCALL_64_after_hwframe+0x76/0x7e\n"
#define LOOPS "[<0>] zap_page_range_single+0x4e/0x90\n" OUTER
#define WALKS "[<0>] walk_pgd_range+0x10/0x20\n[<0>] walk_page_range_mm+0x1/0x2\n" OUTER
#define LEAVES                                                                   \
	"[<0>] exit_to_user_mode_loop+0x1/0x2\n[<0>] do_syscall_64+0x71/0x280\n" \
	"[<0>] entry_SYSCALL_64_after_hwframe+0x76/0x7e\n"
#define SLEEPS                                                                   \
	"[<0>] io_schedule+0x46/0x80\n[<0>] folio_wait_bit_common+0x13d/0x350\n" \
	"[<0>] migration_entry_wait+0xd2/0xf0 [some_module]\n[<0>] do_swap_page+0x1/0x2\n"

static void expect(const char *where, unsigned int n, const char *const *stack)
{
	char buf[64], *copy[STUCK_SAMPLES] = {NULL};

	for (unsigned int i = 0; i < n; i++)
		copy[i] = strdup(stack[i]);
	stuck_where(copy, n, buf, sizeof(buf));
	for (unsigned int i = 0; i < n; i++)
		free(copy[i]);
	assert_string_equal(buf, where);
}

static void who_sleeps_is_where_it_was_called_from(void **state)
{
	(void)state;
	expect("folio_wait_bit_common", 3, (const char *const[]){SLEEPS, SLEEPS, SLEEPS});
}

static void who_tries_for_ever_is_where_it_tries_from(void **state)
{
	const char *unsteady = "[<0>] sysvec_apic_timer_interrupt+0x1/0x2\n" LOOPS;

	(void)state;
	expect("madvise_vma_behavior", 6,
		(const char *const[]){LOOPS, WALKS, unsteady, WALKS, LOOPS, WALKS});
	/* Nor does it matter that some show nothing, or that it was on its way out once. */
	expect("madvise_vma_behavior", 8,
		(const char *const[]){LEAVES, WALKS, "", LOOPS, "", WALKS, LOOPS, ""});
	/* All but one of the samples agree further in. */
	expect("zap_page_range_single", 5,
		(const char *const[]){LOOPS, LOOPS, WALKS, unsteady, LOOPS});
}

static void what_no_sample_tells_is_unknown(void **state)
{
	(void)state;
	expect("user space or unknown", 0, NULL);
	expect("user space or unknown", 2, (const char *const[]){"", ""});
	expect("user space or unknown", 2,
		(const char *const[]){"[<0>] irqentry_exit_to_user_mode+0x1/0x2\n[<0>] "
				      "asm_sysvec_reschedule_ipi+0x1/0x2\n",
			LEAVES});
	expect("user space or unknown", 2, (const char *const[]){"running", "[<0>] +0x1/0x2\n"});
	expect("user space or unknown", 2,
		(const char *const[]){"[<0>] schedule+0x1/0x2\n", "[<0>] schedule+0x1/0x2\n"});
}

static void a_stack_may_be_longer_than_any(void **state)
{
	_cleanup_free_ char *deep = calloc(1, 1 << 16);

	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		strcat(deep, "[<0>] again+0x1/0x2\n");
	expect("again", 1, (const char *const[]){deep});
	memset(deep, 'x', 4095);
	memcpy(deep, "[<0>] ", 6);
	strcpy(deep + 4000, "+0x1/0x2\n");
	expect("user space or unknown", 1, (const char *const[]){deep});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_sleeps_is_where_it_was_called_from),
		cmocka_unit_test(who_tries_for_ever_is_where_it_tries_from),
		cmocka_unit_test(what_no_sample_tells_is_unknown),
		cmocka_unit_test(a_stack_may_be_longer_than_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
