/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs: whatever the bytes, there is a program, and bytes and text of it are lossless;
 * whatever the text, no harm.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "plan/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(what)                                                                               \
	do {                                                                                     \
		if (!(what)) {                                                                   \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #what); \
			abort();                                                                 \
		}                                                                                \
	} while (0)

static struct program first, second;
static unsigned char bytes[PROGRAM_MAX_BYTES], again[PROGRAM_MAX_BYTES];

static char *text_of(const struct program *p, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	MUST(f && program_print(p, f) == 0);
	fclose(f);
	return text;
}

static void check_bytes(const struct program *p)
{
	ssize_t n = program_encode(p, bytes, sizeof(bytes)), m;

	MUST(n > 0);
	program_decode(&second, bytes, (size_t)n);
	MUST(program_equal(p, &second));
	m = program_encode(&second, again, sizeof(again));
	MUST(m == n && memcmp(bytes, again, (size_t)n) == 0);
}

static void check_text(const struct program *p)
{
	size_t len, len_again;
	char *text = text_of(p, &len), *text_again, err[512] = "";

	if (program_parse(&second, "text", text, len, err, sizeof(err)) < 0) {
		fprintf(stderr, "%s\n%s", err, text);
		abort();
	}
	MUST(program_equal(p, &second));
	text_again = text_of(&second, &len_again);
	MUST(len == len_again && memcmp(text, text_again, len) == 0);
	free(text);
	free(text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char err[64];

	program_decode(&first, data, size);
	check_bytes(&first);
	check_text(&first);
	if (program_parse(&first, "input", (const char *)data, size, err, sizeof(err)) == 0) {
		check_bytes(&first);
		check_text(&first);
	}
	return 0;
}
