/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The target as a program: under afl-fuzz, or over files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fork_server.h"
#include "report/report.h"
#include "target.h"

/* ---- under afl-fuzz ---- */

/* Nothing is set up before the first test case: afl-fuzz may start us once only to ask for the map's size. */
static int serve(const struct target_options *o, struct fork_server *fs)
{
	struct target *t = NULL;
	const unsigned char *data;
	size_t len;
	int r;

	while ((r = fork_server_next(fs, &data, &len)) > 0) {
		if (!t)
			r = target_open(o, &t);
		if (r < 0 || target_lost(t))
			break;
		r = fork_server_begin(fs);
		if (r < 0)
			break;
		r = fork_server_end(fs,
			target_run(t, data, len, fs->map) ? FORK_SERVER_CRASH : FORK_SERVER_FINE);
		if (r < 0)
			break;
	}
	if (r > 0)
		log_error("the kernel is not to be trusted any more");
	if (t)
		target_close(t);
	return r > 0 ? EXIT_LOST : r == 0 || r == -EPIPE ? EXIT_CLEAN : EXIT_USAGE;
}

/* -1: there is no fork server to be; *ret_map: the map that afl-showmap wants filled all the same, or NULL. */
static int under_afl(const struct target_options *o, unsigned char **ret_map)
{
	static unsigned char buf[FORK_SERVER_INPUT_MAX];
	struct fork_server fs = {.control = FORK_SERVER_CONTROL,
		.status = FORK_SERVER_STATUS,
		.map_size = MAP_SIZE,
		.input_fd = STDIN_FILENO,
		.buf = buf};
	int r = fork_server_attach(&fs);

	if (r < 0) {
		log_error("afl-fuzz's shared memory: %s", strerror(-r));
		return EXIT_USAGE;
	}
	*ret_map = fs.map;
	if (!fs.map)
		return -1;
	r = fork_server_hello(&fs);
	if (r == -EBADF)
		return -1;
	if (r < 0) {
		log_error("afl-fuzz does not answer as expected: %s", strerror(-r));
		return EXIT_USAGE;
	}
	return serve(o, &fs);
}

/* ---- over files ---- */

static int run_file(struct target *t, const char *file, unsigned char *map)
{
	static unsigned char data[FORK_SERVER_INPUT_MAX];
	_cleanup_fclose_ FILE *f =
		strcmp(file, "-") == 0 ? fdopen(dup(STDIN_FILENO), "re") : fopen(file, "re");
	struct program p;
	size_t len;
	char err[512];
	bool found;

	if (!f) {
		log_error("%s: %s", file, strerror(errno));
		return EXIT_USAGE;
	}
	len = fread(data, 1, sizeof(data), f);
	/* Bytes of a program hold a zero early; text never does. */
	if (len && !memchr(data, 0, len)) {
		ssize_t n;

		if (program_parse(&p, file, (const char *)data, len, err, sizeof(err)) < 0) {
			log_error("%s", err);
			return EXIT_USAGE;
		}
		n = program_encode(&p, data, sizeof(data));
		len = n > 0 ? (size_t)n : 0;
	}
	found = target_run(t, data, len, map);
	printf("%s: ", file);
	target_print(t, stdout);
	if (target_lost(t))
		return EXIT_LOST;
	if (found)
		return EXIT_FINDING;
	return target_result(t)->outcome == RIG_NOTHING	 ? EXIT_NOTHING
	       : target_result(t)->outcome == RIG_FAILED ? EXIT_RESOURCES
							 : EXIT_CLEAN;
}

static int over_files(const struct target_options *o, char **files, int n, unsigned char *map)
{
	char *standard_input[] = {(char *)"-"};
	enum run_exit code = EXIT_CLEAN;
	struct target *t;

	if (!n && map) {
		files = standard_input;
		n = 1;
	}
	if (!n) {
		log_error("no file, and no afl-fuzz: see --help");
		return EXIT_USAGE;
	}
	if (target_open(o, &t) < 0)
		return EXIT_USAGE;
	for (int i = 0; i < n && code != EXIT_LOST; i++)
		code = exit_worse(code, (enum run_exit)run_file(t, files[i], map));
	target_close(t);
	return (int)code;
}

int main(int argc, char **argv)
{
	struct target_options o;
	unsigned char *map = NULL;
	int first, r = target_parse(&o, argc, argv, &first);

	if (r)
		return r > 0 ? EXIT_CLEAN : EXIT_USAGE;
	if (o.list_ops)
		return target_list_ops(&o, stdout) < 0 ? EXIT_USAGE : EXIT_CLEAN;
	r = under_afl(&o, &map);
	return r >= 0 ? r : over_files(&o, argv + first, argc - first, map);
}
