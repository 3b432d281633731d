/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The target for drivers that call it: libFuzzer, libAFLDriver.a, or run_files.c. SUNDER_HARNESS in the environment has its options,
 * by white space (as sunder-harness); without it runs are dry. What was found and not known aborts.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS_MAX = 32 };

static struct target *target;
static char *words; /* options point into it */

static void end(void)
{
	target_close(target);
	free(words);
}

static void begin(void)
{
	const char *text = getenv("SUNDER_HARNESS");
	char *word, *state = NULL;
	char *argv[WORDS_MAX + 1] = {(char *)"fuzz_harness"};
	struct target_options o;
	int argc = 1, first;

	words = strdup(text ? text : "--dry");
	for (word = strtok_r(words, " \t\n", &state); word && argc < WORDS_MAX;
		word = strtok_r(NULL, " \t\n", &state))
		argv[argc++] = word;
	if (target_parse(&o, argc, argv, &first) || target_open(&o, &target) < 0)
		exit(2);
	atexit(end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!target)
		begin();
	if (target_run(target, data, size, NULL)) {
		target_print(target, stderr);
		abort();
	}
	return 0;
}
