/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target without a fuzzer: over files and directories, and over N inputs made from
 * them and from chance:
 *
 *	fuzz_NAME [--random N] [--seed N] PATH...
 *
 * A target that finds something wrong aborts. Exit 2: no input.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES_MAX = 4096, INPUT_MAX = 65536 };

struct input {
	uint8_t *data;
	size_t len;
};

static struct input inputs[FILES_MAX];
static unsigned int ninputs;

static int add_file(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	struct input in;

	if (!f || ninputs == FILES_MAX)
		return f ? -ENOSPC : -errno;
	in.data = malloc(INPUT_MAX);
	if (!in.data)
		return -ENOMEM;
	in.len = fread(in.data, 1, INPUT_MAX, f);
	inputs[ninputs++] = in;
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_path(const char *path)
{
	struct dirent **names;
	struct stat st;
	int n, r = 0;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return add_file(path);
	n = scandir(path, &names, NULL, by_name);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		char file[4096];

		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (r == 0 && names[i]->d_name[0] != '.')
			r = add_file(file);
		free(names[i]);
	}
	free(names);
	return r;
}

/* The heap copy ends where the input ends, so that a sanitizer sees who reads on. */
static void run(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static size_t mutate(uint8_t *buf, size_t len, struct rng *r)
{
	size_t at = rng_below(r, len + 1), n = 1 + rng_log(r, 64);

	switch (rng_below(r, 5)) {
	case 0: /* other bytes */
		for (; n && at < len; n--)
			buf[at++] = (uint8_t)rng_next(r);
		return len;
	case 1: /* a bit */
		if (at < len)
			buf[at] ^= (uint8_t)(1 << rng_below(r, 8));
		return len;
	case 2: /* bytes out */
		n = n < len - at ? n : len - at;
		memmove(buf + at, buf + at + n, len - at - n);
		return len - n;
	case 3: { /* a piece of another input in */
		const struct input *in = &inputs[rng_below(r, ninputs)];
		size_t from = rng_below(r, in->len + 1);

		n = n < in->len - from ? n : in->len - from;
		if (len + n > INPUT_MAX)
			return len;
		memmove(buf + at + n, buf + at, len - at);
		memcpy(buf + at, in->data + from, n);
		return len + n;
	}
	default: /* the end off */
		return at;
	}
}

static void run_random(uint64_t count, uint64_t seed)
{
	static uint8_t buf[INPUT_MAX];

	for (uint64_t i = 0; i < count; i++) {
		struct rng r;
		size_t len;

		rng_init(&r, seed, i, 0, 0);
		if (rng_below(&r, 4) == 0) {
			len = rng_log(&r, 4096);
			for (size_t k = 0; k < len; k++)
				buf[k] = (uint8_t)rng_next(&r);
		} else {
			const struct input *in = &inputs[rng_below(&r, ninputs)];

			memcpy(buf, in->data, in->len);
			len = in->len;
			for (uint64_t k = 1 + rng_log(&r, 16); k; k--)
				len = mutate(buf, len, &r);
		}
		run(buf, len);
	}
}

int main(int argc, char **argv)
{
	uint64_t count = 0, seed = 1;

	for (int i = 1; i < argc; i++) {
		int r = 0;

		if (strcmp(argv[i], "--random") == 0 && i + 1 < argc)
			count = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			seed = strtoull(argv[++i], NULL, 10);
		else
			r = add_path(argv[i]);
		if (r < 0) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(-r));
			return 2;
		}
	}
	if (!ninputs) {
		fprintf(stderr, "no input\n");
		return 2;
	}
	for (unsigned int i = 0; i < ninputs; i++)
		run(inputs[i].data, inputs[i].len);
	run_random(count, seed);
	printf("%u files and %llu made inputs\n", ninputs, (unsigned long long)count);
	for (unsigned int i = 0; i < ninputs; i++)
		free(inputs[i].data);
	return 0;
}
