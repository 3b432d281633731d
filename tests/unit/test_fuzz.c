/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fork server against an afl-fuzz of pipes; marks, credit, mutation and trimming. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "credit.h"
#include "fork_server.h"
#include "layers.h"
#include "mutate.h"
#include "trim.h"

/* ---- the fork server ---- */

struct afl { /* afl-fuzz's ends */
	int control, status;
	struct fork_server fs;
	unsigned char shared[64];
};

static void open_afl(struct afl *a, bool shared)
{
	int control[2], status[2];

	assert_int_equal(pipe(control), 0);
	assert_int_equal(pipe(status), 0);
	*a = (struct afl){.control = control[1], .status = status[0]};
	a->fs = (struct fork_server){.control = control[0],
		.status = status[1],
		.map_size = MAP_SIZE,
		.shared = shared ? a->shared : NULL,
		.input_fd = -1};
}

static void close_afl(struct afl *a)
{
	close(a->control);
	close(a->status);
	close(a->fs.control);
	close(a->fs.status);
}

static void say(struct afl *a, uint32_t word)
{
	assert_int_equal(write(a->control, &word, sizeof(word)), sizeof(word));
}

static uint32_t hear(struct afl *a)
{
	uint32_t word;

	assert_int_equal(read(a->status, &word, sizeof(word)), sizeof(word));
	return word;
}

static void test_hello_tells_the_map_size_and_shared_test_cases(void **state)
{
	struct afl a;

	open_afl(&a, true);
	say(&a, 0x81000001);
	assert_int_equal(fork_server_hello(&a.fs), 0);
	assert_int_equal(hear(&a), 0xc1000001 | (MAP_SIZE - 1) << 1);
	close_afl(&a);
}

static void test_hello_without_shared_test_cases_waits_for_nothing(void **state)
{
	struct afl a;

	open_afl(&a, false);
	assert_int_equal(fork_server_hello(&a.fs), 0);
	assert_int_equal(hear(&a), 0xc0000001 | (MAP_SIZE - 1) << 1);
	close_afl(&a);
}

static void test_an_unknown_answer_is_an_error(void **state)
{
	struct afl a;

	open_afl(&a, true);
	say(&a, 0x12345678);
	assert_int_equal(fork_server_hello(&a.fs), -EPROTO);
	close_afl(&a);
}

static void test_without_afl_there_is_no_fork_server(void **state)
{
	struct fork_server fs = {.control = -1, .status = -1, .map_size = MAP_SIZE};

	assert_int_equal(fork_server_hello(&fs), -EBADF);
}

static void test_a_case_is_read_run_and_answered(void **state)
{
	const unsigned char *data;
	uint32_t len = 5;
	struct afl a;
	size_t n;

	open_afl(&a, true);
	memcpy(a.shared, &len, sizeof(len));
	memcpy(a.shared + sizeof(len), "bytes", 5);
	say(&a, 0);
	assert_int_equal(fork_server_next(&a.fs, &data, &n), 1);
	assert_int_equal(n, 5);
	assert_memory_equal(data, "bytes", 5);
	assert_int_equal(fork_server_begin(&a.fs), 0);
	assert_true((int32_t)hear(&a) > 0);
	assert_int_equal(fork_server_end(&a.fs, FORK_SERVER_CRASH), 0);
	assert_int_equal(hear(&a), 6); /* SIGABRT, as a wait status */
	close(a.control);
	assert_int_equal(fork_server_next(&a.fs, &data, &n), 0);
	a.control = -1;
	close_afl(&a);
}

static void test_a_length_beyond_the_shared_memory_is_cut(void **state)
{
	const unsigned char *data;
	uint32_t len = UINT32_MAX;
	struct afl a;
	size_t n;

	open_afl(&a, true);
	memcpy(a.shared, &len, sizeof(len));
	say(&a, 1); /* the run before was killed */
	assert_int_equal(fork_server_next(&a.fs, &data, &n), 1);
	assert_int_equal(n, FORK_SERVER_INPUT_MAX);
	close_afl(&a);
}

static void test_a_case_comes_on_a_file_where_memory_is_not_shared(void **state)
{
	FILE *f = tmpfile();
	const unsigned char *data;
	struct afl a;
	size_t n;

	assert_non_null(f);
	open_afl(&a, false);
	a.fs.input_fd = fileno(f);
	a.fs.buf = malloc(FORK_SERVER_INPUT_MAX);
	fputs("on a file", f);
	fflush(f);
	for (int i = 0; i < 2; i++) { /* from its start, each time */
		say(&a, 0);
		assert_int_equal(fork_server_next(&a.fs, &data, &n), 1);
		assert_int_equal(n, 9);
		assert_memory_equal(data, "on a file", 9);
	}
	free(a.fs.buf);
	fclose(f);
	close_afl(&a);
}

/* ---- credit ---- */

static struct marks marks;
static unsigned char map[MAP_SIZE];

enum { PLACE = 100, OTHER = 200 };

/* One run that shows these places with these classes (0: not). */
static bool show(struct credit *c, int class, int other)
{
	marks_clear(&marks);
	if (class)
		marks_add(&marks, LAYER_KCOV, PLACE, (unsigned int)class - 1);
	if (other)
		marks_add(&marks, LAYER_KCOV, OTHER, (unsigned int)other - 1);
	return credit_run(c, &marks);
}

static void begin(struct credit *c, const char *input)
{
	memset(map, 0, sizeof(map));
	credit_begin(c, (const unsigned char *)input, strlen(input));
}

static void test_what_all_repeats_show_is_told_with_its_class(void **state)
{
	struct credit *c = credit_new();

	begin(c, "a");
	assert_true(show(c, 3, 0));
	show(c, 3, 0);
	credit_end(c, map);
	assert_int_equal(map[PLACE], 1 << 2);
	begin(c, "b");
	assert_false(show(c, 3, 0)); /* nothing new */
	credit_end(c, map);
	assert_int_equal(map[PLACE], 1 << 2);
	begin(c, "c");
	assert_true(show(c, 4, 0)); /* a new class is */
	credit_end(c, map);
	assert_int_equal(map[PLACE], 1 << 3);
	credit_free(c);
}

static void test_a_class_that_wavers_is_told_as_being_there(void **state)
{
	struct credit *c = credit_new();

	begin(c, "a");
	show(c, 3, 0);
	show(c, 2, 0);
	credit_end(c, map);
	assert_int_equal(map[PLACE], 1);
	begin(c, "b");
	assert_false(show(c, 5, 0));
	credit_end(c, map);
	assert_int_equal(map[PLACE], 1);
	credit_free(c);
}

static void test_noise_is_credited_to_the_first_that_showed_it(void **state)
{
	struct credit *c = credit_new();

	begin(c, "a");
	assert_true(show(c, 1, 1));
	show(c, 0, 1);
	credit_end(c, map);
	assert_int_equal(map[PLACE], 1);
	assert_int_equal(map[OTHER], 1);
	assert_int_equal(credit_counts(c, LAYER_KCOV).seen, 2);
	assert_int_equal(credit_counts(c, LAYER_KCOV).noisy, 1);
	begin(c, "b"); /* shows it too: no credit */
	assert_false(show(c, 1, 1));
	credit_end(c, map);
	assert_int_equal(map[PLACE], 0);
	assert_int_equal(map[OTHER], 1);
	begin(c, "a"); /* does not show it now: keeps the credit */
	show(c, 0, 1);
	credit_end(c, map);
	assert_int_equal(map[PLACE], 1);
	credit_free(c);
}

static void test_a_repeat_is_told_as_the_run_before_it(void **state)
{
	struct credit *c = credit_new();

	begin(c, "a");
	show(c, 1, 0);
	credit_end(c, map);
	begin(c, "a"); /* lost one place, shows another */
	show(c, 0, 1);
	credit_end(c, map);
	assert_int_equal(map[PLACE], 1);
	assert_int_equal(map[OTHER], 0);
	begin(c, "a");
	show(c, 1, 1);
	credit_end(c, map);
	assert_int_equal(map[PLACE], 1);
	assert_int_equal(map[OTHER], 0);
	begin(c, "b"); /* the other place is noise, and still news: to whom it is credited */
	assert_true(show(c, 1, 1));
	credit_end(c, map);
	assert_int_equal(map[PLACE], 0);
	assert_int_equal(map[OTHER], 1);
	credit_free(c);
}

static void test_what_has_not_run_is_repeated_by_nobody(void **state)
{
	struct credit *c = credit_new();

	begin(c, "a");
	credit_drop(c);
	begin(c, "a");
	assert_true(show(c, 2, 0));
	credit_end(c, map);
	assert_int_equal(map[PLACE], 1 << 1);
	assert_int_equal(credit_counts(c, LAYER_KCOV).noisy, 0);
	credit_free(c);
}

static void test_the_layers_do_not_share_places(void **state)
{
	for (unsigned int l = 0; l < LAYER_COUNT; l++) {
		assert_int_equal(region_of[l].size & (region_of[l].size - 1), 0);
		assert_int_equal(
			region_of[l].from, l ? region_of[l - 1].from + region_of[l - 1].size : 0);
		assert_int_equal(layer_find(region_of[l].name), l);
	}
	assert_int_equal(
		region_of[LAYER_COUNT - 1].from + region_of[LAYER_COUNT - 1].size, MAP_SIZE);
	assert_int_equal(layer_find("no such layer"), -ENOENT);
}

/* ---- where the kernel's mm is ---- */

static const char kallsyms[] = "ffffffff81000000 T _stext\n"
			       "ffffffff81001000 T schedule\n"
			       "ffffffff81002000 t filemap_x.cold\n"
			       "ffffffff81002040 t other.cold\n"
			       "ffffffff81003000 T filemap_x\n"
			       "ffffffff81003100 T handle_mm_fault\n"
			       "ffffffff81003200 T migrate_pages\n"
			       "ffffffff81003300 t filp_close\n"
			       "ffffffff81003400 T do_truncate\n"
			       "ffffffff81004000 T vfs_read\n"
			       "ffffffff81005000 t hugetlbfs_fallocate\n"
			       "ffffffff81005100 t other\n"
			       "ffffffff81006000 T _etext\n"
			       "ffffffffc0000000 t filemap_module\t[mod]\n";

static const char *read_text(const char *text, struct kcov_text **ret)
{
	char path[] = "/tmp/test-fuzz-XXXXXX";
	int fd = mkstemp(path);
	const char *why;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	why = kcov_text_read(path, ret);
	unlink(path);
	return why;
}

static void test_only_mm_and_hugetlbfs_count_as_coverage(void **state)
{
	struct kcov_text *t;

	assert_null(read_text(kallsyms, &t));
	assert_int_equal(kcov_offset(t, 0xffffffff81003180), 0x3180);
	assert_int_equal(kcov_offset(t, 0xffffffff81003000), 0x3000);
	assert_int_equal(kcov_offset(t, 0xffffffff81002010), 0x2010); /* of filemap_x, elsewhere */
	assert_int_equal(kcov_offset(t, 0xffffffff81005080), 0x5080);
	assert_int_equal(kcov_offset(t, 0xffffffff81001080), 0);
	assert_int_equal(kcov_offset(t, 0xffffffff81002050), 0);
	assert_int_equal(kcov_offset(t, 0xffffffff81003310), 0);
	assert_int_equal(kcov_offset(t, 0xffffffff81004000), 0);
	assert_int_equal(kcov_offset(t, 0xffffffff81005110), 0);
	assert_int_equal(kcov_offset(t, 0xffffffffc0000000), 0);
	assert_int_equal(kcov_offset(t, 0), 0);
	kcov_text_close(t);
}

static void test_a_kernel_that_is_linked_in_another_order_has_no_coverage(void **state)
{
	struct kcov_text *t;

	assert_non_null(read_text("ffffffff81000000 T _stext\n"
				  "ffffffff81001000 T filemap_x\n"
				  "ffffffff81002000 T vfs_read\n"
				  "ffffffff81003000 T do_truncate\n"
				  "ffffffff81004000 T handle_mm_fault\n"
				  "ffffffff81006000 T _etext\n",
		&t));
	assert_non_null(read_text("0000000000000000 T _stext\n0000000000000000 T _etext\n", &t));
	assert_non_null(read_text("", &t));
}

/* ---- mutation ---- */

static const char text[] =
	"program 1\n"
	"slot heap backing=anon size=8M huge=always maps=1 noreserve=0 shift=0 align=2M\n"
	"slot mem backing=memfd size=8M huge=always maps=2 noreserve=0 shift=0 align=2M\n"
	"lane 0 proc=0 offset=0ns\n"
	"\ttouch slot=heap pages=512 how=write\n"
	"\tmeet=1 madvise_dontneed slot=heap off=512 pages=512\n"
	"\tmunmap_part slot=mem off=3 pages=9\n"
	"lane 1 proc=1 offset=0ns\n"
	"\tmeet=1 aim=0.1@500 move_pages slot=heap pages=512 node=1 flags=move\n"
	"\tmadvise_collapse slot=mem pages=512\n";

static size_t bytes_of(const char *program, unsigned char *buf)
{
	struct program p;
	char err[512];
	ssize_t n;

	if (program_parse(&p, "test", program, strlen(program), err, sizeof(err)) < 0)
		fail_msg("%s", err);
	n = program_encode(&p, buf, PROGRAM_MAX_BYTES);
	assert_true(n > 0);
	return (size_t)n;
}

static void check_is_canonical(const unsigned char *data, size_t len)
{
	unsigned char again[PROGRAM_MAX_BYTES];
	struct program p;

	program_decode(&p, data, len);
	assert_int_equal(program_encode(&p, again, sizeof(again)), len);
	assert_memory_equal(again, data, len);
}

static void check_description(const char *did)
{
	assert_true(*did);
	assert_int_equal(strspn(did, "abcdefghijklmnopqrstuvwxyz0123456789_.+"), strlen(did));
}

static void test_a_mutation_is_another_program(void **state)
{
	unsigned char now[PROGRAM_MAX_BYTES], out[PROGRAM_MAX_BYTES], other[PROGRAM_MAX_BYTES];
	struct mutator *m = calloc(1, sizeof(*m));
	size_t len = bytes_of(text, now), other_len = len, n;

	memcpy(other, now, len);
	assert_int_equal(mutator_init(m, 1, NULL, 0), 0);
	for (int i = 0; i < 3000; i++) {
		n = mutate_bytes(m, now, len, other, i % 2 ? other_len : 0, out, sizeof(out));
		assert_true(n > 0);
		assert_true(n != len || memcmp(out, now, n) != 0);
		check_is_canonical(out, n);
		check_description(m->did);
		/* It goes on from there; at times from the beginning. */
		memcpy(now, out, n);
		len = n;
		if (i % 100 == 99)
			len = bytes_of(text, now);
	}
	free(m);
}

static void test_any_bytes_can_be_mutated(void **state)
{
	unsigned char junk[600], out[PROGRAM_MAX_BYTES];
	struct mutator *m = calloc(1, sizeof(*m));
	struct rng r;

	rng_init(&r, 7, 0, 0, 0);
	assert_int_equal(mutator_init(m, 2, NULL, 1U << HAZARD_DISRUPTIVE), 0);
	for (int i = 0; i < 500; i++) {
		size_t len = rng_below(&r, sizeof(junk)), n;

		for (size_t k = 0; k < len; k++)
			junk[k] = (unsigned char)rng_next(&r);
		n = mutate_bytes(m, junk, len, junk, len / 2, out, sizeof(out));
		assert_true(n > 0);
		check_is_canonical(out, n);
	}
	free(m);
}

static void test_the_same_seed_mutates_the_same(void **state)
{
	unsigned char data[PROGRAM_MAX_BYTES], out[2][PROGRAM_MAX_BYTES];
	struct mutator *m = calloc(1, sizeof(*m));
	size_t len = bytes_of(text, data), n[2];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(mutator_init(m, 11, NULL, 0), 0);
		for (int k = 0; k < 10; k++)
			n[i] = mutate_bytes(m, data, len, NULL, 0, out[i], sizeof(out[i]));
	}
	assert_int_equal(n[0], n[1]);
	assert_memory_equal(out[0], out[1], n[0]);
	free(m);
}

static void test_only_the_named_ops_are_drawn(void **state)
{
	unsigned char out[PROGRAM_MAX_BYTES];
	struct mutator *m = calloc(1, sizeof(*m));
	int touch = op_find("touch"), null = op_find("null");
	struct program p;
	size_t n = 0;

	assert_int_equal(mutator_init(m, 3, "touch,hammer,nonsense", 0), -EINVAL);
	assert_int_equal(mutator_init(m, 3, "touch", 0), 0);
	memset(out, 0, sizeof(out));
	for (int i = 0; i < 300; i++)
		n = mutate_bytes(m, out, n, NULL, 0, out, sizeof(out));
	program_decode(&p, out, n);
	for (unsigned int l = 0; l < p.nlanes; l++)
		for (unsigned int i = 0; i < p.lane[l].nops; i++)
			assert_true(p.lane[l].op[i].op == touch || p.lane[l].op[i].op == null);
	free(m);
}

/* All changes are made in the long run: a change that never applies is none. */
static void test_every_kind_of_change_is_made(void **state)
{
	static const char *const names[] = {"insert", "remove", "replace", "arg", "range", "swap",
		"tolane", "undo", "addlane", "droplane", "lane", "meet", "timing", "slot",
		"addslot", "splice"};
	unsigned char data[PROGRAM_MAX_BYTES], out[PROGRAM_MAX_BYTES];
	struct mutator *m = calloc(1, sizeof(*m));
	size_t len = bytes_of(text, data);
	uint32_t seen = 0;

	assert_int_equal(mutator_init(m, 5, NULL, 0), 0);
	for (int i = 0; i < 3000; i++) {
		char *rest = m->did, *word;

		mutate_bytes(m, data, len, data, len, out, sizeof(out));
		while ((word = strsep(&rest, "+")))
			for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
				if (strncmp(word, names[k], strcspn(word, ".")) == 0 &&
					strlen(names[k]) == strcspn(word, "."))
					seen |= 1U << k;
	}
	assert_int_equal(seen, (1U << sizeof(names) / sizeof(*names)) - 1);
	free(m);
}

/* ---- trimming ---- */

/* True if p still has what the test wants to keep. */
static bool keeps(const struct program *p, const char *op)
{
	for (unsigned int l = 0; l < p->nlanes; l++)
		for (unsigned int i = 0; i < p->lane[l].nops; i++)
			if (strcmp(op_get(p->lane[l].op[i].op)->name, op) == 0)
				return true;
	return false;
}

static unsigned int trim_to(struct trim *t, const unsigned char *data, size_t len, const char *op)
{
	unsigned int n = 0, before;

	trim_begin(t, data, len);
	before = trim_left(t);
	while (trim_next(t)) {
		unsigned char out[PROGRAM_MAX_BYTES];
		ssize_t size = program_encode(&t->candidate, out, sizeof(out));

		assert_true(size > 0 && (size_t)size <= len);
		check_is_canonical(out, (size_t)size);
		trim_judge(t, !op || keeps(&t->candidate, op));
		assert_true(++n <= before);
	}
	assert_int_equal(trim_left(t), 0);
	return n;
}

static void test_trimming_leaves_what_is_needed(void **state)
{
	unsigned char data[PROGRAM_MAX_BYTES];
	struct trim *t = calloc(1, sizeof(*t));
	size_t len = bytes_of(text, data);

	trim_to(t, data, len, "madvise_collapse");
	assert_int_equal(t->now.nlanes, 1);
	assert_int_equal(t->now.nslots, 1);
	assert_int_equal(t->now.lane[0].nops, 1);
	assert_int_equal(t->now.slot[0].backing, BACKING_MEMFD);
	assert_string_equal(op_get(t->now.lane[0].op[0].op)->name, "madvise_collapse");
	free(t);
}

static void test_trimming_never_ends_with_nothing(void **state)
{
	unsigned char data[PROGRAM_MAX_BYTES];
	struct trim *t = calloc(1, sizeof(*t));

	trim_to(t, data, bytes_of(text, data), NULL);
	assert_int_equal(t->now.nlanes, 1);
	assert_int_equal(t->now.lane[0].nops, 1);
	free(t);
}

static void test_trimming_that_nothing_survives_changes_nothing(void **state)
{
	unsigned char data[PROGRAM_MAX_BYTES], out[PROGRAM_MAX_BYTES];
	struct trim *t = calloc(1, sizeof(*t));
	struct program p;
	size_t len = bytes_of(text, data);

	trim_to(t, data, len, "no such op");
	program_decode(&p, data, len);
	for (unsigned int i = 0; i < p.nslots; i++) /* but for names */
		memcpy(p.slot[i].name, t->now.slot[i].name, sizeof(p.slot[i].name));
	assert_true(program_equal(&p, &t->now));
	assert_true(program_encode(&t->now, out, sizeof(out)) > 0);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_tells_the_map_size_and_shared_test_cases),
		cmocka_unit_test(test_hello_without_shared_test_cases_waits_for_nothing),
		cmocka_unit_test(test_an_unknown_answer_is_an_error),
		cmocka_unit_test(test_without_afl_there_is_no_fork_server),
		cmocka_unit_test(test_a_case_is_read_run_and_answered),
		cmocka_unit_test(test_a_length_beyond_the_shared_memory_is_cut),
		cmocka_unit_test(test_a_case_comes_on_a_file_where_memory_is_not_shared),
		cmocka_unit_test(test_what_all_repeats_show_is_told_with_its_class),
		cmocka_unit_test(test_a_class_that_wavers_is_told_as_being_there),
		cmocka_unit_test(test_noise_is_credited_to_the_first_that_showed_it),
		cmocka_unit_test(test_a_repeat_is_told_as_the_run_before_it),
		cmocka_unit_test(test_what_has_not_run_is_repeated_by_nobody),
		cmocka_unit_test(test_the_layers_do_not_share_places),
		cmocka_unit_test(test_only_mm_and_hugetlbfs_count_as_coverage),
		cmocka_unit_test(test_a_kernel_that_is_linked_in_another_order_has_no_coverage),
		cmocka_unit_test(test_a_mutation_is_another_program),
		cmocka_unit_test(test_any_bytes_can_be_mutated),
		cmocka_unit_test(test_the_same_seed_mutates_the_same),
		cmocka_unit_test(test_only_the_named_ops_are_drawn),
		cmocka_unit_test(test_every_kind_of_change_is_made),
		cmocka_unit_test(test_trimming_leaves_what_is_needed),
		cmocka_unit_test(test_trimming_never_ends_with_nothing),
		cmocka_unit_test(test_trimming_that_nothing_survives_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
