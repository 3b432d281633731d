/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The small virtual machine, as far as it goes without /dev/kvm: its tables, and its code run by this process's own CPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "fake_root.h"
#include "guest_image.h"

static unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void no_machine_is_made_without_kvm(void **state)
{
	struct guest *g = NULL;
	unsigned int before;

	fake_root_make();
	before = open_files();
	assert_int_equal(guest_new(false, &g), -ENOENT);
	fake_file("/dev/kvm", "");
	assert_int_equal(guest_new(false, &g), -EOPNOTSUPP);
	assert_null(g);
	assert_int_equal(open_files(), before);
	fake_root_remove();
}

#if defined(__x86_64__)

enum { WORDS = 8, CODE_BYTES = OWN_PML4 - OWN_CODE };

struct world {
	char *own;
	char *code; /* the same, executable */
	struct guest_task *task;
	struct guest_words words;
	uint64_t memory[WORDS];
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->own = mmap(NULL, OWN_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	w->code =
		mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(w->own, MAP_FAILED);
	assert_ptr_not_equal(w->code, MAP_FAILED);
	guest_image_fill(w->own);
	memcpy(w->code, w->own + OWN_CODE, CODE_BYTES);
	assert_int_equal(mprotect(w->code, CODE_BYTES, PROT_READ | PROT_EXEC), 0);
	w->task = (struct guest_task *)(w->own + OWN_TASK);
	w->words.n = WORDS;
	for (unsigned int i = 0; i < WORDS; i++) {
		w->memory[i] = 1000 * i;
		w->words.word[i].gpa = (uintptr_t)&w->memory[i];
	}
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	munmap(w->own, OWN_SIZE);
	munmap(w->code, CODE_BYTES);
	free(w);
	return 0;
}

/* ---- the code ---- */

static sigjmp_buf back;

enum { ENDED = 1, FAULTED };

/* `out` is not for processes: it ends the code with a signal, as a page that is not there does. */
static void on_fault(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *u = context;
	const unsigned char *at = (const unsigned char *)u->uc_mcontext.gregs[REG_RIP];

	siglongjmp(back, at[0] == 0xe6 && at[1] == GUEST_PORT ? ENDED : FAULTED);
}

static int enter_code(struct world *w)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, old;
	int how;

	assert_int_equal(sigaction(SIGSEGV, &sa, &old), 0);
	how = sigsetjmp(back, 1);
	if (!how)
		__asm__ volatile("mov %0, %%rbx\n\tjmp *%1"
				 :
				 : "r"(w->task), "r"(w->code + OWN_CODE)
				 : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "cc", "memory");
	sigaction(SIGSEGV, &old, NULL);
	return how;
}

/* True: it came to its end. */
static bool run(struct world *w, enum guest_how how, uint32_t turns)
{
	bool done;

	guest_task_begin(w->task, how, turns, &w->words);
	done = enter_code(w) == ENDED;
	guest_task_end(w->task, done, &w->words);
	return done;
}

static void what_the_guest_reads_is_what_is_there(void **state)
{
	struct world *w = *state;

	assert_true(run(w, GUEST_READ, 0));
	assert_int_equal(w->words.n, WORDS);
	for (unsigned int i = 0; i < WORDS; i++)
		assert_int_equal(w->words.word[i].value, 1000 * i);
}

static void what_the_guest_writes_is_there(void **state)
{
	struct world *w = *state;

	for (unsigned int i = 0; i < WORDS; i++)
		w->words.word[i].value = 7 + i;
	assert_true(run(w, GUEST_WRITE, 0));
	for (unsigned int i = 0; i < WORDS; i++)
		assert_int_equal(w->memory[i], 7 + i);
}

static void what_was_done_before_a_fault_counts(void **state)
{
	struct world *w = *state;

	w->words.word[5].gpa = 8; /* nothing is mapped there */
	assert_false(run(w, GUEST_READ, 0));
	assert_int_equal(w->words.n, 5);
	assert_int_equal(w->words.word[4].value, 4000);
	w->words.n = WORDS;
	w->words.word[3].value = 1;
	w->words.word[2].gpa = 8;
	assert_false(run(w, GUEST_WRITE, 0));
	assert_int_equal(w->words.n, 2);
	assert_int_equal(w->memory[3], 3000);
}

static void set_to_what_is_there(struct world *w)
{
	for (unsigned int i = 0; i < WORDS; i++)
		w->words.word[i].value = w->memory[i];
}

static void counting_goes_round_as_often_as_told(void **state)
{
	struct world *w = *state;

	set_to_what_is_there(w);
	assert_true(run(w, GUEST_COUNT, 500));
	assert_false(w->words.odd);
	assert_int_equal(w->task->done, 500);
	for (unsigned int i = 0; i < WORDS; i++) {
		assert_int_equal(w->memory[i], 1000 * i + 500);
		assert_int_equal(w->words.word[i].value, w->memory[i]);
	}
}

static void a_write_that_was_lost_ends_the_counting(void **state)
{
	struct world *w = *state;

	set_to_what_is_there(w);
	w->memory[3]--;
	assert_true(run(w, GUEST_COUNT, 500));
	assert_true(w->words.odd);
	assert_int_equal(w->words.odd_word, 3);
	assert_int_equal(w->words.odd_value, 2999);
	assert_int_equal(w->words.word[3].value, 3000);
	assert_int_equal(w->memory[2], 2001);
	assert_int_equal(w->memory[4], 4000);
	assert_int_equal(w->task->done, 0);
	set_to_what_is_there(w);
	assert_true(run(w, GUEST_COUNT, 1)); /* the next errand knows nothing of it */
	assert_false(w->words.odd);
}

/* ---- the tables ---- */

static const uint64_t *table_at(const struct world *w, uint64_t entry)
{
	return (const uint64_t *)(w->own + (entry & ~(uint64_t)0xfff));
}

static void every_address_is_mapped_to_itself(void **state)
{
	const struct world *w = *state;
	const uint64_t *pml4 = table_at(w, OWN_PML4), *pdpt = table_at(w, pml4[0]);
	const uint64_t big = 0x80, present_write_accessed = 0x23;

	assert_int_equal(OWN_GIBS, GUEST_END >> 30);
	for (uint64_t at = 0; at < GUEST_END; at += 2 << 20) {
		uint64_t entry = table_at(w, pdpt[at >> 30])[at >> 21 & 511];

		assert_int_equal(entry & ~(uint64_t)0xfff, at);
		assert_int_equal(entry & big, big);
		assert_int_equal(entry & pml4[0] & pdpt[at >> 30] & present_write_accessed,
			present_write_accessed);
	}
	for (unsigned int i = OWN_GIBS; i < 512; i++)
		assert_int_equal(pdpt[i], 0);
	for (unsigned int i = 1; i < 512; i++)
		assert_int_equal(pml4[i], 0);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_machine_is_made_without_kvm),
#if defined(__x86_64__)
		cmocka_unit_test_setup_teardown(
			what_the_guest_reads_is_what_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_the_guest_writes_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_was_done_before_a_fault_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			counting_goes_round_as_often_as_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_write_that_was_lost_ends_the_counting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			every_address_is_mapped_to_itself, set_up, tear_down),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
