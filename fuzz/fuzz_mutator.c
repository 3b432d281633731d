/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mutation and trimming of anything: canonical bytes come out, other ones than went in; candidates of trimming are never longer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mutate.h"
#include "trim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CANDIDATES = 8 };

static void check(bool right)
{
	if (!right)
		abort();
}

static void check_canonical(const unsigned char *data, size_t len)
{
	static unsigned char again[PROGRAM_MAX_BYTES];
	static struct program p;

	program_decode(&p, data, len);
	check(program_encode(&p, again, sizeof(again)) == (ssize_t)len);
	check(memcmp(again, data, len) == 0);
}

static void trim(const unsigned char *data, size_t len)
{
	static unsigned char out[PROGRAM_MAX_BYTES];
	static struct trim t;

	trim_begin(&t, data, len);
	for (unsigned int i = 0; i < CANDIDATES && trim_next(&t); i++) {
		unsigned int left = trim_left(&t);
		ssize_t n = program_encode(&t.candidate, out, sizeof(out));

		check(n > 0 && (size_t)n <= len);
		check_canonical(out, (size_t)n);
		trim_judge(&t, i % 3 == 0);
		check(trim_left(&t) < left);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char out[PROGRAM_MAX_BYTES];
	static struct mutator m;
	size_t n;

	if (!m.nops && mutator_init(&m, 1, NULL, 0) < 0)
		abort();
	/* The second half may be what is spliced in. */
	n = mutate_bytes(
		&m, data, size, data + size / 2, size % 2 ? size - size / 2 : 0, out, sizeof(out));
	check(n > 0 && (n != size || memcmp(out, data, n) != 0));
	check_canonical(out, n);
	check(m.did[0] && !strchr(m.did, '/'));
	trim(out, n);
	return 0;
}
