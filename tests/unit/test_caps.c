/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_root.h"

#include "caps/caps.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define THP_DIR "/sys/kernel/mm/transparent_hugepage/"

static struct machine machine;

static int setup(void **state)
{
	assert_int_equal(machine_probe(&machine), 0);
	caps_setup(&machine, NULL);
	return 0;
}

static int setup_fake(void **state)
{
	fake_root_make();
	return setup(state);
}

static int teardown(void **state)
{
	machine_free(&machine);
	return 0;
}

static int teardown_fake(void **state)
{
	fake_root_remove();
	return teardown(state);
}

static void assert_missing(enum cap c, const char *because)
{
	const char *why = caps_missing(c);

	if (!why)
		fail_msg("%s is there, expected: %s", caps_name(c), because);
	if (!strstr(why, because))
		fail_msg("%s: \"%s\", expected: %s", caps_name(c), why, because);
}

/* Asks again: the answers are kept. */
static void ask_again(void)
{
	caps_setup(&machine, NULL);
}

static void every_answer_is_yes_or_one_line(void **state)
{
	for (int c = 0; c < CAPS_COUNT; c++) {
		const char *why = caps_missing((enum cap)c);

		assert_true(strlen(caps_name((enum cap)c)) > 0);
		assert_true(strlen(caps_help((enum cap)c)) > 0);
		print_message("%-22s %s\n", caps_name((enum cap)c), why ? why : "yes");
		if (!why)
			continue;
		assert_true(strlen(why) > 10 && strlen(why) < 255);
		assert_null(strchr(why, '\n'));
		assert_ptr_equal(why, caps_missing((enum cap)c));
	}
}

static size_t read_file(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	fclose(f);
	return n;
}

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void find_line(const char *path, const char *key, char *buf, size_t size)
{
	static char text[65536];
	char *at;

	read_file(path, text, sizeof(text));
	at = strstr(text, key);
	assert_non_null(at);
	snprintf(buf, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static void probes_leave_nothing_behind(void **state)
{
	static char before[65536], after[65536];
	char locked[64], locked_after[64], thp[128] = "", thp_after[128] = "";
	int fds = count_fds();

	read_file("/proc/self/mountinfo", before, sizeof(before));
	find_line("/proc/self/status", "VmLck:", locked, sizeof(locked));
	(void)path_read(THP_DIR "enabled", thp, sizeof(thp));
	for (int c = 0; c < CAPS_COUNT; c++)
		(void)caps_missing((enum cap)c);
	read_file("/proc/self/mountinfo", after, sizeof(after));
	find_line("/proc/self/status", "VmLck:", locked_after, sizeof(locked_after));
	(void)path_read(THP_DIR "enabled", thp_after, sizeof(thp_after));
	assert_string_equal(before, after);
	assert_string_equal(locked, locked_after);
	assert_string_equal(thp, thp_after);
	assert_int_equal(count_fds(), fds);
	/* And no child that nobody waits for. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* Runs in a child that has given root up; its answers are told through the exit status. */
static int ask_as_nobody(void)
{
	if (setgid(65534) || setuid(65534) || machine_probe(&machine))
		return 77;
	ask_again();
	for (int c = 0; c < CAPS_COUNT; c++)
		(void)caps_missing((enum cap)c);
	if (machine.is_root || !caps_missing(CAP_HAS_HUGETLBFS) ||
		!caps_missing(CAP_HAS_TMPFS_HUGE))
		return 1;
	return strstr(caps_missing(CAP_HAS_HUGETLBFS), "root") ? 0 : 2;
}

static void without_root_the_reason_says_so(void **state)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(ask_as_nobody());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void thp_follows_the_policy(void **state)
{
	char pmd[128];

	assert_missing(CAP_HAS_THP, "CONFIG_TRANSPARENT_HUGEPAGE");
	fake_file(THP_DIR "enabled", "always madvise [never]\n");
	ask_again();
	assert_missing(CAP_HAS_THP, "echo madvise >");
	snprintf(pmd, sizeof(pmd), THP_DIR "hugepages-%llukB/enabled",
		(unsigned long long)machine.pmd_size / 1024);
	fake_file(pmd, "[always] inherit madvise never\n");
	ask_again();
	assert_null(caps_missing(CAP_HAS_THP));
	fake_file(THP_DIR "enabled", "[always] madvise never\n");
	fake_file(pmd, "always inherit madvise [never]\n");
	ask_again();
	assert_missing(CAP_HAS_THP, "switched off");
	fake_file(pmd, "always [inherit] madvise never\n");
	ask_again();
	assert_null(caps_missing(CAP_HAS_THP));
}

static void shmem_thp_follows_the_policy(void **state)
{
	static const char *const modes[] = {"[always] within_size advise never deny force",
		"always [within_size] advise never deny force",
		"always within_size [advise] never deny force",
		"always within_size advise never deny [force]"};

	assert_missing(CAP_HAS_THP_SHMEM, "CONFIG_SHMEM");
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		fake_file(THP_DIR "shmem_enabled", modes[i]);
		ask_again();
		assert_null(caps_missing(CAP_HAS_THP_SHMEM));
	}
	fake_file(THP_DIR "shmem_enabled", "always within_size advise never [deny] force\n");
	ask_again();
	assert_missing(CAP_HAS_THP_SHMEM, "\"deny\"");
	fake_file(THP_DIR "shmem_enabled", "always within_size advise [never] deny force\n");
	ask_again();
	assert_missing(CAP_HAS_THP_SHMEM, "echo advise >");
}

static void swap_is_there_when_some_is_on(void **state)
{
	assert_missing(CAP_HAS_SWAP, "CONFIG_SWAP");
	fake_file("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n");
	ask_again();
	assert_missing(CAP_HAS_SWAP, "swapon");
	fake_file("/proc/swaps", "Filename\tType\tSize\n/dev/zram0 partition 1000 0 100\n");
	ask_again();
	assert_null(caps_missing(CAP_HAS_SWAP));
}

static void debugfs_that_is_not_mounted_is_told_from_a_kernel_without_the_file(void **state)
{
	assert_missing(CAP_HAS_SPLIT_DEBUGFS, "not mounted");
	fake_file("/sys/kernel/debug/bdi/x", "");
	ask_again();
	assert_missing(CAP_HAS_SPLIT_DEBUGFS, "kernel without");
	fake_file("/sys/kernel/debug/split_huge_pages", "");
	ask_again();
	assert_null(caps_missing(CAP_HAS_SPLIT_DEBUGFS));
}

static void two_nodes_need_memory_that_we_may_use(void **state)
{
	struct machine_node nodes[2] = {
		{.id = 0, .has_memory = true}, {.id = 7, .has_memory = true}};
	int usable[] = {0, 7};
	struct machine m = machine;

	m.node = nodes;
	m.mem_node = usable;
	m.nnodes = m.nmem_nodes = 2;
	caps_setup(&m, NULL);
	assert_null(caps_missing(CAP_HAS_TWO_NODES));
	m.nmem_nodes = 1;
	caps_setup(&m, NULL);
	assert_missing(CAP_HAS_TWO_NODES, "cpuset");
	m.nnodes = 1;
	caps_setup(&m, NULL);
	assert_missing(CAP_HAS_TWO_NODES, "one node only");
}

static void memory_is_no_disk(void **state)
{
	if (access("/dev/shm", W_OK) < 0)
		skip();
	caps_setup(&machine, "/dev/shm");
	if (caps_disk_dir())
		assert_string_equal(caps_disk_dir(), "/var/tmp");
	else
		assert_missing(CAP_HAS_FS_PUNCH, "--tmp");
}

static void the_disk_directory_is_the_one_asked_for(void **state)
{
	caps_setup(&machine, "/var/tmp");
	if (!caps_disk_dir())
		skip();
	assert_int_equal(mkdir("/var/tmp/sunder-test-disk", 0700), 0);
	caps_setup(&machine, "/var/tmp/sunder-test-disk");
	assert_string_equal(caps_disk_dir(), "/var/tmp/sunder-test-disk");
	/* Empty again, or this fails. */
	assert_int_equal(rmdir("/var/tmp/sunder-test-disk"), 0);
	caps_setup(&machine, "/no/such/directory");
	assert_string_equal(caps_disk_dir(), "/var/tmp");
}

#define CAPS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define FAKE_TEST(name) cmocka_unit_test_setup_teardown(name, setup_fake, teardown_fake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CAPS_TEST(every_answer_is_yes_or_one_line),
		CAPS_TEST(probes_leave_nothing_behind),
		CAPS_TEST(without_root_the_reason_says_so),
		FAKE_TEST(thp_follows_the_policy),
		FAKE_TEST(shmem_thp_follows_the_policy),
		FAKE_TEST(swap_is_there_when_some_is_on),
		FAKE_TEST(debugfs_that_is_not_mounted_is_told_from_a_kernel_without_the_file),
		CAPS_TEST(two_nodes_need_memory_that_we_may_use),
		CAPS_TEST(memory_is_no_disk),
		CAPS_TEST(the_disk_directory_is_the_one_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
