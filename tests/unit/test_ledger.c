/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_root.h"

#include "base/log.h"
#include "base/rng.h"
#include "sys/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define THP "/sys/kernel/mm/transparent_hugepage/enabled"
#define SCAN "/sys/kernel/mm/transparent_hugepage/khugepaged/pages_to_scan"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define NODE0 "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/"
#define NODE4 "/sys/devices/system/node/node4/hugepages/hugepages-2048kB/"

static char state_dir[96];

static int setup(void **state)
{
	fake_root_make();
	fake_file(THP, "always [madvise] never\n");
	fake_file(SCAN, "4096\n");
	fake_file(BOOT_ID, "11111111-2222-3333-4444-555555555555\n");
	snprintf(state_dir, sizeof(state_dir), "%s/state", fake_root);
	log_set_level(LOG_QUIET);
	return 0;
}

static int teardown(void **state)
{
	fake_root_remove();
	return 0;
}

static struct ledger *open_ledger(size_t expect_undone)
{
	struct ledger *l;
	size_t undone = 12345;

	assert_int_equal(ledger_open(state_dir, &l, &undone), 0);
	assert_int_equal(undone, expect_undone);
	return l;
}

static void restore_and_close(struct ledger *l, size_t expect_undone)
{
	size_t undone;

	assert_int_equal(ledger_restore(l, &undone), 0);
	assert_int_equal(undone, expect_undone);
	ledger_close(l);
}

/* Runs fn as an owner that dies without restoring. */
static void as_dead_owner(void (*fn)(struct ledger *l))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct ledger *l;

		if (ledger_open(state_dir, &l, NULL) < 0)
			_exit(1);
		fn(l);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static size_t read_ledger(char *buf, size_t size)
{
	char name[128];
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "%s/ledger", state_dir);
	fd = open(name, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, buf, size - 1);
	assert_true(n >= 0);
	buf[n] = '\0';
	close(fd);
	return (size_t)n;
}

static void write_ledger(const char *data, size_t len)
{
	char name[128];
	FILE *f;

	snprintf(name, sizeof(name), "%s/ledger", state_dir);
	f = fopen(name, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static int count_set_aside(void)
{
	DIR *d = opendir(state_dir);
	struct dirent *de;
	int n = 0;

	assert_non_null(d);
	while ((de = readdir(d)))
		n += strstr(de->d_name, "ledger.corrupt.") != NULL;
	closedir(d);
	return n;
}

static void a_written_knob_comes_back(void **state)
{
	struct ledger *l = open_ledger(0);

	assert_int_equal(ledger_write(l, SCAN, "64"), 0);
	assert_fake(SCAN, "64");
	restore_and_close(l, 1);
	assert_fake(SCAN, "4096");
}

static void a_knob_of_choices_comes_back_as_its_word(void **state)
{
	struct ledger *l = open_ledger(0);

	assert_int_equal(ledger_write(l, THP, "always"), 0);
	assert_fake(THP, "always");
	restore_and_close(l, 1);
	assert_fake(THP, "madvise");
}

static void a_knob_at_the_value_is_left_alone(void **state)
{
	struct ledger *l = open_ledger(0);

	assert_int_equal(ledger_write(l, THP, "madvise"), 0);
	assert_int_equal(ledger_write(l, SCAN, "4096"), 0);
	assert_fake(THP, "always [madvise] never");
	restore_and_close(l, 0);
	assert_fake(THP, "always [madvise] never");
}

static void the_first_value_comes_back_after_many_writes(void **state)
{
	struct ledger *l = open_ledger(0);
	size_t len;
	char text[65536];

	for (int i = 0; i < 50; i++) {
		assert_int_equal(ledger_write(l, SCAN, i & 1 ? "64" : "8192"), 0);
		assert_fake(SCAN, i & 1 ? "64" : "8192");
	}
	len = read_ledger(text, sizeof(text));
	for (int i = 0; i < 50; i++)
		assert_int_equal(ledger_write(l, SCAN, i & 1 ? "64" : "8192"), 0);
	/* Values that the ledger knows cost it nothing. */
	assert_int_equal(read_ledger(text, sizeof(text)), len);
	restore_and_close(l, 1);
	assert_fake(SCAN, "4096");
}

static void change_odd(struct ledger *l)
{
	if (ledger_write(l, "/sys/odd knob%", "new") || ledger_write(l, "/sys/empty", "7"))
		_exit(1);
}

static void odd_values_survive_the_file(void **state)
{
	fake_file("/sys/odd knob%", "50% of\tall  \"x\"\nsecond line %zz %");
	fake_file("/sys/empty", "");
	as_dead_owner(change_odd);
	assert_fake("/sys/odd knob%", "new");
	ledger_close(open_ledger(2));
	assert_fake("/sys/odd knob%", "50% of all \"x\" second line %zz %");
	assert_fake("/sys/empty", "");
}

static void a_value_too_long_to_record_is_not_touched(void **state)
{
	struct ledger *l = open_ledger(0);
	char text[6000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	fake_file("/sys/long", text);
	assert_int_equal(ledger_write(l, "/sys/long", "1"), -EFBIG);
	fake_file("/sys/short", "1");
	assert_int_equal(ledger_write(l, "/sys/short", text), -EFBIG);
	assert_fake("/sys/short", "1");
	restore_and_close(l, 0);
}

static void a_missing_knob_is_an_error_and_no_entry(void **state)
{
	struct ledger *l = open_ledger(0);

	assert_int_equal(ledger_write(l, "/sys/not/there", "1"), -ENOENT);
	restore_and_close(l, 0);
}

static void a_value_that_someone_else_set_is_kept(void **state)
{
	struct ledger *l = open_ledger(0);

	assert_int_equal(ledger_write(l, SCAN, "64"), 0);
	assert_int_equal(ledger_write(l, THP, "always"), 0);
	fake_file(SCAN, "100\n");
	assert_false(ledger_conflict(l));
	assert_int_equal(ledger_restore(l, NULL), 0);
	assert_true(ledger_conflict(l));
	ledger_close(l);
	assert_fake(SCAN, "100");
	assert_fake(THP, "madvise");
}

static void a_value_set_by_someone_else_between_two_writes_comes_back(void **state)
{
	struct ledger *l = open_ledger(0);

	assert_int_equal(ledger_write(l, SCAN, "64"), 0);
	fake_file(SCAN, "100\n");
	assert_int_equal(ledger_write(l, SCAN, "8192"), 0);
	assert_true(ledger_conflict(l));
	assert_int_equal(ledger_restore(l, NULL), 0);
	ledger_close(l);
	assert_fake(SCAN, "100");
}

static void a_knob_that_went_away_is_done(void **state)
{
	struct ledger *l = open_ledger(0);

	assert_int_equal(ledger_write(l, SCAN, "64"), 0);
	assert_int_equal(unlink(fake_path(SCAN)), 0);
	restore_and_close(l, 1);
}

static void directories_and_files_go_in_reverse_order(void **state)
{
	struct ledger *l = open_ledger(0);

	assert_int_equal(ledger_mkdir(l, "/a"), 0);
	assert_int_equal(ledger_mkdir(l, "/a/b"), 0);
	assert_int_equal(ledger_file(l, "/a/b/file"), 0);
	fake_file("/a/b/file", "x");
	assert_int_equal(ledger_file(l, "/a/never-made"), 0);
	restore_and_close(l, 4);
	assert_false(path_exists("/a"));
}

static void what_was_there_before_is_not_ours(void **state)
{
	struct ledger *l = open_ledger(0);

	fake_file("/theirs/file", "x");
	assert_int_equal(ledger_mkdir(l, "/theirs"), -EEXIST);
	assert_int_equal(ledger_file(l, "/theirs/file"), -EEXIST);
	assert_int_equal(ledger_mkdir(l, "/no/parent"), -ENOENT);
	restore_and_close(l, 0);
	assert_fake("/theirs/file", "x");
}

static void a_directory_in_use_stays_recorded_until_it_can_go(void **state)
{
	struct ledger *l = open_ledger(0);

	assert_int_equal(ledger_mkdir(l, "/a"), 0);
	fake_file("/a/theirs", "x");
	assert_int_equal(ledger_write(l, SCAN, "64"), 0);
	assert_int_equal(ledger_restore(l, NULL), -ENOTEMPTY);
	assert_fake(SCAN, "4096");
	ledger_close(l);
	ledger_close(open_ledger(0));
	assert_true(path_exists("/a"));
	assert_int_equal(unlink(fake_path("/a/theirs")), 0);
	ledger_close(open_ledger(1));
	assert_false(path_exists("/a"));
}

static void a_second_owner_is_refused(void **state)
{
	struct ledger *l = open_ledger(0), *other = NULL;

	assert_int_equal(ledger_open(state_dir, &other, NULL), -EBUSY);
	assert_null(other);
	restore_and_close(l, 0);
	ledger_close(open_ledger(0));
}

static void a_forked_child_neither_holds_the_lock_nor_drops_it(void **state)
{
	struct ledger *l = open_ledger(0), *other;
	int hold[2], closed[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(hold) | pipe(closed), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(hold[1]);
		if (write(closed[1], "c", 1) != 1 || read(hold[0], &c, 1) != 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(closed[0], &c, 1), 1);
	assert_int_equal(ledger_open(state_dir, &other, NULL), -EBUSY);
	/* With an entry left, closing is all that unlocks: the child must have no part in it. */
	assert_int_equal(ledger_write(l, SCAN, "64"), 0);
	ledger_close(l);
	ledger_close(open_ledger(1));
	close(hold[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(hold[0]);
	close(closed[0]);
	close(closed[1]);
}

static void change_some(struct ledger *l)
{
	if (ledger_write(l, SCAN, "64") || ledger_write(l, THP, "always") ||
		ledger_mkdir(l, "/a") || ledger_file(l, "/a/file"))
		_exit(1);
	fake_file("/a/file", "x");
}

static void assert_unchanged(void)
{
	assert_fake(SCAN, "4096");
	assert_fake(THP, "madvise");
	assert_false(path_exists("/a"));
}

static void the_next_open_undoes_what_a_dead_owner_left(void **state)
{
	as_dead_owner(change_some);
	assert_fake(SCAN, "64");
	ledger_close(open_ledger(4));
	assert_unchanged();
	ledger_close(open_ledger(0));
}

static void after_a_reboot_knobs_are_left_and_files_removed(void **state)
{
	as_dead_owner(change_some);
	fake_file(BOOT_ID, "99999999-2222-3333-4444-555555555555\n");
	ledger_close(open_ledger(4));
	assert_fake(SCAN, "64");
	assert_fake(THP, "always");
	assert_false(path_exists("/a"));
}

static void a_torn_last_line_is_ignored(void **state)
{
	char text[8192];
	size_t len;

	for (size_t cut = 1; cut < 40; cut += 3) {
		as_dead_owner(change_some);
		len = read_ledger(text, sizeof(text));
		/* The first bytes of one more record, as after a loss of power. */
		memmove(text + len, text, cut);
		write_ledger(text, len + cut);
		ledger_close(open_ledger(4));
		assert_unchanged();
	}
	/* The file was made longer, but its data never arrived. */
	as_dead_owner(change_some);
	len = read_ledger(text, sizeof(text));
	memset(text + len, 0, 100);
	write_ledger(text, len + 100);
	ledger_close(open_ledger(4));
	assert_unchanged();
	assert_int_equal(count_set_aside(), 0);
}

static void a_corrupt_ledger_is_kept_and_the_rest_undone(void **state)
{
	char text[8192], *line;
	size_t len;

	as_dead_owner(change_some);
	len = read_ledger(text, sizeof(text));
	line = strstr(text, " dir /a ");
	assert_non_null(line);
	line[6] = 'X';
	write_ledger(text, len);
	/* The directory's record is lost; two knobs and the file still verify. */
	ledger_close(open_ledger(3));
	assert_int_equal(count_set_aside(), 1);
	assert_fake(SCAN, "4096");
	assert_fake(THP, "madvise");
	assert_false(path_exists("/a/file"));
	assert_true(path_exists("/a"));
	ledger_close(open_ledger(0));
	assert_int_equal(count_set_aside(), 1);
}

static void any_bytes_make_a_ledger_that_opens(void **state)
{
	struct rng r;
	char text[512];

	rng_init(&r, 7, 0, 0, 0);
	as_dead_owner(change_some);
	for (int i = 0; i < 200; i++) {
		size_t len = rng_below(&r, sizeof(text));

		for (size_t j = 0; j < len; j++)
			text[j] = (char)rng_below(&r, rng_below(&r, 2) ? 256 : 64);
		write_ledger(text, len);
		ledger_close(open_ledger(0));
	}
	assert_fake(SCAN, "64");
}

static void make_pools(void)
{
	fake_file(POOL "nr_hugepages", "12\n");
	fake_file(POOL "surplus_hugepages", "2\n");
	fake_file(NODE0 "nr_hugepages", "12\n");
	fake_file(NODE0 "surplus_hugepages", "2\n");
	fake_file(NODE4 "nr_hugepages", "0\n");
	fake_file(NODE4 "surplus_hugepages", "0\n");
}

static void a_pool_at_its_size_is_left_alone(void **state)
{
	struct ledger *l = open_ledger(0);

	make_pools();
	/* 12 pages, 2 of them surplus: the pool proper has 10. */
	assert_int_equal(ledger_write(l, POOL "nr_hugepages", "10"), 0);
	assert_fake(POOL "nr_hugepages", "12");
	assert_int_equal(ledger_write(l, NODE4 "nr_hugepages", "0"), 0);
	restore_and_close(l, 0);
}

static void a_pool_gives_each_node_its_pages_back(void **state)
{
	struct ledger *l = open_ledger(0);

	make_pools();
	assert_int_equal(ledger_write(l, POOL "nr_hugepages", "64"), 0);
	/*
	 * What a kernel makes of it that found 41 pages only; surplus pages have become part of the
	 * pool.
	 */
	fake_file(POOL "nr_hugepages", "41\n");
	fake_file(POOL "surplus_hugepages", "0\n");
	fake_file(NODE0 "nr_hugepages", "22\n");
	fake_file(NODE0 "surplus_hugepages", "0\n");
	fake_file(NODE4 "nr_hugepages", "19\n");
	assert_int_equal(ledger_write(l, NODE4 "nr_hugepages", "25"), 0);
	restore_and_close(l, 1);
	assert_fake(NODE0 "nr_hugepages", "10");
	assert_fake(NODE4 "nr_hugepages", "0");
	assert_fake(POOL "nr_hugepages", "10");
}

static void a_pool_resized_by_someone_else_is_kept(void **state)
{
	struct ledger *l = open_ledger(0);

	make_pools();
	assert_int_equal(ledger_write(l, POOL "nr_hugepages", "64"), 0);
	fake_file(POOL "nr_hugepages", "500\n");
	assert_int_equal(ledger_restore(l, NULL), 0);
	assert_true(ledger_conflict(l));
	ledger_close(l);
	assert_fake(POOL "nr_hugepages", "500");
}

static void a_pool_takes_numbers_only(void **state)
{
	struct ledger *l = open_ledger(0);

	make_pools();
	assert_int_equal(ledger_write(l, POOL "nr_hugepages", "many"), -EINVAL);
	assert_int_equal(ledger_write(l, POOL "nr_hugepages", "-1"), -EINVAL);
	restore_and_close(l, 0);
}

static void a_held_knob_goes_back_whatever_stands_there(void **state)
{
	struct ledger *l = open_ledger(0);

	assert_int_equal(ledger_hold(l, SCAN), 0);
	assert_fake(SCAN, "4096");
	fake_file(SCAN, "17\n");
	fake_file(SCAN, "511\n");
	restore_and_close(l, 1);
	assert_fake(SCAN, "4096");
}

static void a_written_knob_that_is_held_goes_back_to_before_the_write(void **state)
{
	struct ledger *l = open_ledger(0);

	assert_int_equal(ledger_write(l, SCAN, "8"), 0);
	assert_int_equal(ledger_hold(l, SCAN), 0);
	fake_file(SCAN, "17\n");
	restore_and_close(l, 1);
	assert_fake(SCAN, "4096");
}

static void a_write_to_a_held_knob_leaves_it_held(void **state)
{
	struct ledger *l = open_ledger(0);

	assert_int_equal(ledger_hold(l, SCAN), 0);
	assert_int_equal(ledger_write(l, SCAN, "8"), 0);
	fake_file(SCAN, "17\n");
	assert_int_equal(ledger_hold(l, SCAN), 0);
	restore_and_close(l, 1);
	assert_fake(SCAN, "4096");
}

static void hold_scan(struct ledger *l)
{
	ledger_write(l, SCAN, "8");
	ledger_hold(l, SCAN);
	fake_file(SCAN, "17\n");
}

static void a_hold_outlives_its_owner(void **state)
{
	as_dead_owner(hold_scan);
	ledger_close(open_ledger(1));
	assert_fake(SCAN, "4096");
}

static void a_hold_of_an_earlier_boot_is_forgotten(void **state)
{
	as_dead_owner(hold_scan);
	fake_file(BOOT_ID, "99999999-2222-3333-4444-555555555555\n");
	fake_file(SCAN, "12\n");
	ledger_close(open_ledger(1));
	assert_fake(SCAN, "12");
}

static void a_knob_that_is_not_there_cannot_be_held(void **state)
{
	struct ledger *l = open_ledger(0);

	assert_int_equal(ledger_hold(l, "/sys/kernel/mm/nothing"), -ENOENT);
	restore_and_close(l, 0);
}

static void a_held_pool_goes_back_from_any_size(void **state)
{
	struct ledger *l = open_ledger(0);

	make_pools();
	assert_int_equal(ledger_hold(l, NODE4 "nr_hugepages"), 0);
	assert_int_equal(ledger_hold(l, POOL "nr_hugepages_mempolicy"), 0);
	fake_file(POOL "nr_hugepages", "99\n");
	fake_file(POOL "surplus_hugepages", "0\n");
	fake_file(NODE0 "surplus_hugepages", "0\n");
	fake_file(NODE0 "nr_hugepages", "98\n");
	fake_file(NODE4 "nr_hugepages", "1\n");
	restore_and_close(l, 1);
	assert_fake(NODE0 "nr_hugepages", "10");
	assert_fake(NODE4 "nr_hugepages", "0");
	assert_fake(POOL "nr_hugepages", "10");
}

static void controllers_are_a_list(void **state)
{
	struct ledger *l = open_ledger(0);

	fake_file("/sys/fs/cgroup/cgroup.subtree_control", "cpu memory\n");
	assert_int_equal(
		ledger_write(l, "/sys/fs/cgroup/cgroup.subtree_control", "cpu memory hugetlb"), 0);
	assert_fake("/sys/fs/cgroup/cgroup.subtree_control", "cpu memory hugetlb");
	restore_and_close(l, 1);
	assert_fake("/sys/fs/cgroup/cgroup.subtree_control", "cpu memory");
}

/* A mount namespace of our own in a child; exits 77 where that is not allowed. */
static void enter_private_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(77);
}

static int mount_and_restore(void)
{
	struct stat before, during, after;
	struct ledger *l;
	int busy;

	enter_private_mounts();
	fake_file("/mnt/below", "x");
	if (stat(fake_path("/mnt"), &before) || ledger_open(state_dir, &l, NULL))
		return 1;
	if (ledger_mount(l, "none", "/mnt", "no-such-filesystem", NULL) != -ENODEV)
		return 2;
	if (ledger_mount(l, "none", "/mnt", "tmpfs", "size=1M") || stat(fake_path("/mnt"), &during))
		return 3;
	/* Busy: an open file keeps umount(2) from its work. */
	busy = open(fake_path("/mnt/busy"), O_RDWR | O_CREAT, 0600);
	if (busy < 0 || before.st_dev == during.st_dev || ledger_restore(l, NULL))
		return 4;
	ledger_close(l);
	return stat(fake_path("/mnt"), &after) || before.st_dev != after.st_dev ? 5 : 0;
}

static int open_on_read_only(void)
{
	struct ledger *l;

	enter_private_mounts();
	fake_file("/ro/x", "x");
	snprintf(state_dir, sizeof(state_dir), "%s/ro", fake_root);
	if (mount("none", state_dir, "tmpfs", MS_RDONLY, NULL))
		return 1;
	if (ledger_open(state_dir, &l, NULL) != -EROFS)
		return 2;
	strcat(state_dir, "/sub");
	return ledger_open(state_dir, &l, NULL) != -EROFS ? 3 : 0;
}

static void in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void a_mount_goes_even_when_busy(void **state)
{
	in_child(mount_and_restore);
}

static void a_read_only_directory_is_told_as_such(void **state)
{
	in_child(open_on_read_only);
}

static void the_default_directory_is_the_first_that_can_be_written(void **state)
{
	char dir[256], var[256];

	assert_int_equal(ledger_default_dir("/chosen", "/out", dir, sizeof(dir)), 0);
	assert_string_equal(dir, "/chosen");
	snprintf(var, sizeof(var), "%s/var/lib/sunder", fake_root);
	assert_int_equal(ledger_default_dir(NULL, "/out", dir, sizeof(dir)), 0);
	assert_string_equal(dir, var);
	assert_int_equal(rmdir(var), 0);
	/* A file in the way: not even root can make the directory. */
	fake_file("/var/lib/sunder", "x");
	assert_int_equal(ledger_default_dir(NULL, "/out", dir, sizeof(dir)), 0);
	assert_string_equal(dir, "/out");
	assert_int_equal(ledger_default_dir("/chosen", "/out", dir, 3), -ENAMETOOLONG);
}

/*
 * The kill test's knobs: values of one width, so that a write is one step, as it is in the kernel.
 */
enum { KILL_KNOBS = 6, KILL_ROUNDS = 50 };

static const char *kill_knob(unsigned int n)
{
	static char path[64];

	snprintf(path, sizeof(path), "/sys/knob%u", n);
	return path;
}

static void make_kill_knobs(void)
{
	for (unsigned int i = 0; i < KILL_KNOBS; i++)
		fake_file(kill_knob(i), "1000\n");
}

static void assert_kill_knobs_back(int round)
{
	char now[64];

	for (unsigned int i = 0; i < KILL_KNOBS; i++) {
		assert_true(path_read(kill_knob(i), now, sizeof(now)) >= 0);
		if (strcmp(now, "1000"))
			fail_msg("round %d: knob %u is %s", round, i, now);
	}
	if (path_exists("/dir"))
		fail_msg("round %d: the directory is still there", round);
}

/* An owner that changes things for ever and says after each step that it did. */
static void change_for_ever(struct ledger *l, struct rng *r, int steps)
{
	char value[16];

	if (ledger_mkdir(l, "/dir") || ledger_file(l, "/dir/file"))
		_exit(1);
	fake_file("/dir/file", "x");
	for (;;) {
		snprintf(value, sizeof(value), "%u", 1000 + (unsigned int)rng_below(r, 9) * 1000);
		if (ledger_write(l, kill_knob((unsigned int)rng_below(r, KILL_KNOBS)), value))
			_exit(2);
		if (write(steps, "s", 1) != 1)
			_exit(3);
	}
}

static pid_t start_owner(struct rng *r, bool guarded, int *ret_steps)
{
	int steps[2];
	pid_t pid;

	assert_int_equal(pipe2(steps, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct ledger *l;

		close(steps[0]);
		if (ledger_open(state_dir, &l, NULL) || (guarded && ledger_guard(l)))
			_exit(4);
		change_for_ever(l, r, steps[1]);
	}
	close(steps[1]);
	*ret_steps = steps[0];
	return pid;
}

/* Kills the owner after some of its steps, in the middle of whatever it does then. */
static void kill_at_random(struct rng *r, pid_t pid, int steps)
{
	uint64_t n = rng_below(r, 40);
	int status;
	char c;

	while (n-- > 0)
		assert_int_equal(read(steps, &c, 1), 1);
	/* Off the step boundary, which the read has just waited for. */
	for (uint64_t spin = rng_log(r, 300000); spin > 0; spin--)
		__asm__ volatile("" ::: "memory");
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	close(steps);
}

static void the_guard_restores_after_a_kill(void **state)
{
	struct rng r;
	int steps;

	/*
	 * The guard is no child of its owner: as subreaper we inherit it, and can wait for its end.
	 */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	make_kill_knobs();
	for (int i = 0; i < KILL_ROUNDS; i++) {
		int status = -1;
		pid_t owner;

		rng_init(&r, 1, (uint64_t)i, 0, 0);
		owner = start_owner(&r, true, &steps);
		kill_at_random(&r, owner, steps);
		/* Killed before it had a guard: nothing was changed either. */
		if (waitpid(-1, &status, 0) > 0)
			assert_int_equal(status, 0);
		assert_kill_knobs_back(i);
		ledger_close(open_ledger(0));
	}
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	assert_int_equal(count_set_aside(), 0);
}

static void a_restore_waits_for_the_guard_at_work(void **state)
{
	struct rng r;
	int steps;

	make_kill_knobs();
	for (int i = 0; i < KILL_ROUNDS; i++) {
		struct ledger *l;
		pid_t owner;

		rng_init(&r, 2, (uint64_t)i, 0, 0);
		owner = start_owner(&r, true, &steps);
		kill_at_random(&r, owner, steps);
		assert_int_equal(ledger_open(state_dir, &l, NULL), 0);
		ledger_close(l);
		assert_kill_knobs_back(i);
	}
}

static void a_restore_without_guard_survives_a_torn_line(void **state)
{
	char text[65536];
	struct rng r;
	int steps;

	make_kill_knobs();
	for (int i = 0; i < KILL_ROUNDS; i++) {
		struct ledger *l;
		size_t len, torn;
		pid_t owner;

		rng_init(&r, 3, (uint64_t)i, 0, 0);
		owner = start_owner(&r, false, &steps);
		kill_at_random(&r, owner, steps);
		len = access(state_dir, F_OK) == 0 ? read_ledger(text, sizeof(text) - 64) : 0;
		torn = len > 64 ? rng_below(&r, 40) : 0;
		memmove(text + len, text, torn);
		if (len > 0)
			write_ledger(text, len + torn);
		assert_int_equal(ledger_open(state_dir, &l, NULL), 0);
		ledger_close(l);
		assert_kill_knobs_back(i);
	}
	assert_int_equal(count_set_aside(), 0);
}

static void the_guard_ends_when_all_is_restored(void **state)
{
	struct ledger *l = open_ledger(0);
	int status = -1;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(ledger_guard(l), 0);
	assert_int_equal(ledger_write(l, SCAN, "64"), 0);
	restore_and_close(l, 1);
	assert_true(waitpid(-1, &status, 0) > 0);
	assert_int_equal(status, 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	assert_fake(SCAN, "4096");
}

/* Owner and one executor; the executor reads SCAN when told to, then ends. */
static void owner_with_executor(int go, int said)
{
	struct ledger *l;
	char now[64];

	if (ledger_open(state_dir, &l, NULL) || ledger_guard(l) || ledger_write(l, SCAN, "64"))
		_exit(1);
	if (fork() == 0) {
		ledger_close(l);
		if (write(said, "r", 1) != 1 || read(go, now, 1) != 1)
			_exit(2);
		if (path_read(SCAN, now, sizeof(now)) < 0 || write(said, now, 2) != 2)
			_exit(3);
		_exit(0);
	}
	pause();
	_exit(4);
}

static void the_guard_waits_for_the_executors(void **state)
{
	int go[2], said[2], status;
	char text[4] = "";
	pid_t owner;

	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC) | pipe2(said, O_CLOEXEC), 0);
	owner = fork();
	assert_true(owner >= 0);
	if (owner == 0)
		owner_with_executor(go[0], said[1]);
	assert_int_equal(read(said[0], text, 1), 1);
	assert_int_equal(kill(owner, SIGKILL), 0);
	assert_int_equal(waitpid(owner, &status, 0), owner);
	/* The owner is dead, the executor is not: the value is still the run's. */
	assert_int_equal(write(go[1], "g", 1), 1);
	assert_int_equal(read(said[0], text, 2), 2);
	assert_string_equal(text, "64");
	while (waitpid(-1, &status, 0) > 0)
		assert_int_equal(status, 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	assert_fake(SCAN, "4096");
}

#define LEDGER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(a_written_knob_comes_back),
		LEDGER_TEST(a_knob_of_choices_comes_back_as_its_word),
		LEDGER_TEST(a_knob_at_the_value_is_left_alone),
		LEDGER_TEST(the_first_value_comes_back_after_many_writes),
		LEDGER_TEST(odd_values_survive_the_file),
		LEDGER_TEST(a_value_too_long_to_record_is_not_touched),
		LEDGER_TEST(a_missing_knob_is_an_error_and_no_entry),
		LEDGER_TEST(a_value_that_someone_else_set_is_kept),
		LEDGER_TEST(a_value_set_by_someone_else_between_two_writes_comes_back),
		LEDGER_TEST(a_knob_that_went_away_is_done),
		LEDGER_TEST(directories_and_files_go_in_reverse_order),
		LEDGER_TEST(what_was_there_before_is_not_ours),
		LEDGER_TEST(a_directory_in_use_stays_recorded_until_it_can_go),
		LEDGER_TEST(a_second_owner_is_refused),
		LEDGER_TEST(a_forked_child_neither_holds_the_lock_nor_drops_it),
		LEDGER_TEST(the_next_open_undoes_what_a_dead_owner_left),
		LEDGER_TEST(after_a_reboot_knobs_are_left_and_files_removed),
		LEDGER_TEST(a_torn_last_line_is_ignored),
		LEDGER_TEST(a_corrupt_ledger_is_kept_and_the_rest_undone),
		LEDGER_TEST(any_bytes_make_a_ledger_that_opens),
		LEDGER_TEST(a_pool_at_its_size_is_left_alone),
		LEDGER_TEST(a_pool_gives_each_node_its_pages_back),
		LEDGER_TEST(a_pool_resized_by_someone_else_is_kept),
		LEDGER_TEST(a_pool_takes_numbers_only),
		LEDGER_TEST(a_held_knob_goes_back_whatever_stands_there),
		LEDGER_TEST(a_written_knob_that_is_held_goes_back_to_before_the_write),
		LEDGER_TEST(a_write_to_a_held_knob_leaves_it_held),
		LEDGER_TEST(a_hold_outlives_its_owner),
		LEDGER_TEST(a_hold_of_an_earlier_boot_is_forgotten),
		LEDGER_TEST(a_knob_that_is_not_there_cannot_be_held),
		LEDGER_TEST(a_held_pool_goes_back_from_any_size),
		LEDGER_TEST(controllers_are_a_list),
		LEDGER_TEST(a_mount_goes_even_when_busy),
		LEDGER_TEST(a_read_only_directory_is_told_as_such),
		LEDGER_TEST(the_default_directory_is_the_first_that_can_be_written),
		LEDGER_TEST(the_guard_restores_after_a_kill),
		LEDGER_TEST(a_restore_waits_for_the_guard_at_work),
		LEDGER_TEST(a_restore_without_guard_survives_a_torn_line),
		LEDGER_TEST(the_guard_ends_when_all_is_restored),
		LEDGER_TEST(the_guard_waits_for_the_executors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
