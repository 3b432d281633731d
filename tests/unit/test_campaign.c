/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a campaign's files go through: the link to a guest, the mirror over it, the queue on disk, and minimising. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "corpus.h"
#include "cover.h"
#include "link.h"
#include "mirror.h"

static char dir[64];

static int setup(void **state)
{
	strcpy(dir, "/tmp/sunder-campaign-XXXXXX");
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	return chdir("/") == 0 ? nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) : -1;
}

static void write_file(const char *path, const void *data, size_t len)
{
	char parent[256];
	const char *slash = strrchr(path, '/');
	FILE *f;

	if (slash) {
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		assert_int_equal(path_make_dirs(parent), 0);
	}
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static void assert_file(const char *path, const char *text)
{
	size_t len;
	unsigned char *data = corpus_slurp(path, &len);

	if (!data)
		fail_msg("%s is not there", path);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(data, text, len);
	free(data);
}

static void disk(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 26), 0);
	close(fd);
}

/* ---- link ---- */

static void a_record_is_whole_or_not_there(void **state)
{
	static unsigned char big[100000];
	struct link *w, *r;
	struct link_record x;
	unsigned char byte;
	int fd;

	disk("d");
	memset(big, 'x', sizeof(big));
	assert_int_equal(link_open_writer("d", NULL, &w), 0);
	assert_int_equal(link_open_reader("d", NULL, &r), 0);
	assert_int_equal(link_next(r, &x), 0);
	assert_int_equal(link_put(w, "a", 0, 3, "one", 3), 0);
	assert_int_equal(link_put(w, "b", 7, 100007, big, sizeof(big)), 0);
	assert_int_equal(link_next(r, &x), 1);
	assert_string_equal(x.name, "a");
	assert_int_equal(x.len, 3);
	assert_memory_equal(x.data, "one", 3);
	/* A byte of the second one is not yet, or not any more, what it should be. */
	fd = open("d", O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, 4096 + 50000), 1);
	assert_int_equal(pwrite(fd, "?", 1, 4096 + 50000), 1);
	assert_int_equal(link_next(r, &x), 0);
	assert_int_equal(pwrite(fd, &byte, 1, 4096 + 50000), 1);
	assert_int_equal(link_next(r, &x), 1);
	assert_string_equal(x.name, "b");
	assert_int_equal(x.offset, 7);
	assert_int_equal(x.size, 100007);
	assert_memory_equal(x.data, big, sizeof(big));
	assert_int_equal(link_next(r, &x), 0);
	close(fd);
	link_close(w);
	link_close(r);
}

static void a_reader_goes_on_where_the_last_one_was(void **state)
{
	struct link *w, *r;
	struct link_record x;

	disk("d");
	assert_int_equal(link_open_writer("d", NULL, &w), 0);
	assert_int_equal(link_put(w, "a", 0, 0, NULL, 0), 0);
	assert_int_equal(link_put(w, "b", 0, 0, NULL, 0), 0);
	link_close(w);
	assert_int_equal(link_open_reader("d", NULL, &r), 0);
	assert_int_equal(link_next(r, &x), 1);
	link_close(r);
	assert_int_equal(link_open_reader("d", NULL, &r), 0);
	assert_int_equal(link_next(r, &x), 1);
	assert_string_equal(x.name, "b");
	assert_int_equal(link_next(r, &x), 0);
	link_close(r);
	assert_int_equal(link_open_reader("d", NULL, &r), 0);
	assert_int_equal(link_next(r, &x), 0);
	link_close(r);
}

static void a_full_disk_and_what_is_too_large_are_told(void **state)
{
	char name[LINK_NAME_MAX + 1];
	struct link *w;

	memset(name, 'n', LINK_NAME_MAX);
	name[LINK_NAME_MAX] = '\0';
	disk("d");
	assert_int_equal(link_open_writer("d", NULL, &w), 0);
	assert_int_equal(link_put(w, name, 0, 0, NULL, 0), -E2BIG);
	assert_int_equal(link_put(w, "a", 0, 0, "", (size_t)LINK_DATA_MAX + 1), -E2BIG);
	link_close(w);
	assert_int_equal(link_open_writer(NULL, "no-such-disk", &w), -ENXIO);
	assert_int_equal(link_open_reader("none", NULL, &w), -ENOENT);
}

/* ---- mirror ---- */

static void files_come_over_and_only_what_is_new_is_sent_again(void **state)
{
	struct mirror_taking t = {.root = "there"};
	struct mirror *m = mirror_new();
	struct link *w, *r;

	disk("d");
	assert_int_equal(link_open_writer("d", NULL, &w), 0);
	assert_int_equal(link_open_reader("d", NULL, &r), 0);
	write_file("here/q/id:000000,a", "first", 5);
	write_file("here/q/sub/x", "deep", 4);
	write_file("here/q/.hidden", "no", 2);
	write_file("here/q/plot_data", "1\n", 2);
	assert_int_equal(mirror_send(m, w, "here", "q", NULL, NULL), 3);
	assert_int_equal(mirror_send(m, w, "here", "q", NULL, NULL), 0);
	assert_int_equal(mirror_take(r, &t), 3);
	assert_false(t.marked);
	assert_file("there/q/id:000000,a", "first");
	assert_file("there/q/sub/x", "deep");
	assert_int_equal(access("there/q/.hidden", F_OK), -1);
	write_file("here/q/plot_data", "1\n2\n", 4);
	write_file("here/q/id:000000,a", "second", 6);
	assert_int_equal(mirror_send(m, w, "here", "q", NULL, NULL), 2);
	assert_int_equal(mirror_mark(w), 0);
	assert_int_equal(mirror_take(r, &t), 2);
	assert_true(t.marked);
	assert_file("there/q/plot_data", "1\n2\n");
	assert_file("there/q/id:000000,a", "second");
	mirror_free(m);
	link_close(w);
	link_close(r);
}

static size_t only_q(void *arg, const char *name, char *to, size_t size)
{
	return strncmp(name, "q/", 2) == 0 ? (size_t)snprintf(to, size, "%s", name) : 0;
}

static void names_that_lead_out_are_refused(void **state)
{
	static const char *const names[] = {"/etc/x", "../x", "q/../x", "q/./x", "q//x", "", "q/",
		".x", "q/.x", "q/a\nb", "p/x"};
	struct mirror_taking t = {.root = "there", .where = only_q};
	struct link *w, *r;

	disk("d");
	assert_int_equal(link_open_writer("d", NULL, &w), 0);
	assert_int_equal(link_open_reader("d", NULL, &r), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(link_put(w, names[i], 0, 1, "!", 1), 0);
	assert_int_equal(link_put(w, "q/fine", 0, 1, "!", 1), 0);
	assert_int_equal(mirror_take(r, &t), 1);
	assert_file("there/q/fine", "!");
	assert_int_equal(access("x", F_OK), -1);
	link_close(w);
	link_close(r);
}

/* ---- the queue ---- */

static void a_queue_is_whole_after_an_aborted_resume(void **state)
{
	struct corpus_told told;
	struct kills none = {0};

	write_file("afl/i/_resume/id:000000,orig:a", "a", 1);
	write_file("afl/i/_resume/id:000001,orig:b", "b", 1);
	write_file("afl/i/_resume/id:000002,orig:c", "c", 1);
	write_file("afl/i/queue/id:000000,orig:a", "a", 1);
	write_file("afl/i/queue/id:000001,src:0", "new", 3);
	write_file("afl/i/queue/id:000007,src:0", "", 0);
	assert_int_equal(corpus_tidy(".", "i", &none, &told), 0);
	assert_int_equal(told.entries, 4);
	assert_int_equal(told.duplicates, 2);
	assert_int_equal(access("afl/i/_resume", F_OK), -1);
	assert_file("afl/i/queue/id:000000,orig:a", "a");
	assert_file("afl/i/queue/id:000001,orig:b", "b");
	assert_file("afl/i/queue/id:000002,src:0", "new");
	assert_file("afl/i/queue/id:000003,orig:c", "c");
	/* Again: nothing changes. */
	assert_int_equal(corpus_tidy(".", "i", &none, &told), 0);
	assert_int_equal(told.entries, 4);
	assert_int_equal(told.duplicates, 0);
}

static void gaps_are_closed_and_nothing_is_overwritten(void **state)
{
	struct corpus_told told;
	struct kills none = {0};

	write_file("afl/i/queue/id:000001,x", "1", 1);
	write_file("afl/i/queue/id:000001,y", "2", 1);
	write_file("afl/i/queue/id:000002,y", "3", 1);
	assert_int_equal(corpus_tidy(".", "i", &none, &told), 0);
	assert_int_equal(told.entries, 3);
	assert_file("afl/i/queue/id:000000,x", "1");
	assert_file("afl/i/queue/id:000001,y", "2");
	assert_file("afl/i/queue/id:000002,y", "3");
	assert_int_equal(corpus_tidy(".", "nobody", &none, &told), 0);
	assert_int_equal(told.entries, 0);
}

static void what_killed_twice_leaves_the_queue(void **state)
{
	static const unsigned char killer[] = {1, 2, 3, 4, 5, 6, 7, 8}, fine[] = {9, 9, 9, 9};
	uint64_t key = corpus_key(killer, sizeof(killer));
	struct kills k = {0}, back;
	struct corpus_told told;

	write_file("afl/i/queue/id:000000,k", killer, sizeof(killer));
	write_file("afl/i/queue/id:000001,f", fine, sizeof(fine));
	assert_int_equal(kills_add(&k, key), 1);
	assert_false(kills_quarantined(&k, key));
	assert_int_equal(corpus_tidy(".", "i", &k, &told), 0);
	assert_int_equal(told.entries, 2);
	assert_int_equal(kills_add(&k, key), 2);
	assert_int_equal(kills_write(".", &k), 0);
	assert_int_equal(kills_read(".", &back), 0);
	assert_true(kills_quarantined(&back, key));
	assert_int_equal(corpus_tidy(".", "i", &back, &told), 0);
	assert_int_equal(told.entries, 1);
	assert_int_equal(told.quarantined, 1);
	assert_int_equal(corpus_copy("afl/i/queue", "to", &back), 1);
	write_file("from/id:000005,k", killer, sizeof(killer));
	write_file("from/README", "x", 1);
	assert_int_equal(corpus_copy("from", "to", &back), 0);
	write_file("kills.json", "[1", 2);
	assert_int_equal(kills_read(".", &back), -EBADMSG);
}

/* ---- minimising ---- */

static void few_entries_reach_all(void **state)
{
	static const char *const maps[] = {
		"1:1\n2:1\n", "2:1\n3:1\n", "1:1\n2:1\n3:1\n4:2\n", "4:2\n", "9:1\n", ""};
	unsigned char keep[6];
	struct cover *c = cover_new();

	for (size_t i = 0; i < 6; i++)
		assert_int_equal(cover_add(c, 10, maps[i]), 0);
	assert_int_equal(cover_reached(c), 5);
	assert_int_equal(cover_choose(c, keep), 2);
	assert_memory_equal(keep, "\0\0\1\0\1\0", 6);
	cover_free(c);
}

static void maps_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {
		"x", "1", "1:", "1:0", ":1", "8388608:1", "1:1x", "1 :1", "99999999999999999999:1"};
	struct cover *c = cover_new();

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cover_add(c, 1, bad[i]), -EBADMSG);
	cover_free(c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_record_is_whole_or_not_there),
		T(a_reader_goes_on_where_the_last_one_was),
		T(a_full_disk_and_what_is_too_large_are_told),
		T(files_come_over_and_only_what_is_new_is_sent_again),
		T(names_that_lead_out_are_refused),
		T(a_queue_is_whole_after_an_aborted_resume),
		T(gaps_are_closed_and_nothing_is_overwritten),
		T(what_killed_twice_leaves_the_queue),
		T(few_entries_reach_all),
		T(maps_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
