/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The custom mutator of afl-fuzz: its C interface (AFL++ 4.04c, docs/custom_mutators.md) over mutate.h and trim.h. From the
 * environment: SUNDER_MUTATOR_OPS, names of ops that may be drawn, by commas (`sunder-harness --ops` prints those that can run here);
 * else SUNDER_MUTATOR_ALLOW, hazard classes as for --allow.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mutate.h"
#include "trim.h"

struct state {
	struct mutator m;
	struct trim trim;
	unsigned int tried;
	size_t trim_max; /* bytes of what is trimmed: afl-fuzz ends itself when it is given more */
	unsigned char out[PROGRAM_MAX_BYTES], trimmed[PROGRAM_MAX_BYTES];
};

#define EXPORTED __attribute__((visibility("default")))

EXPORTED void *afl_custom_init(void *afl, unsigned int seed);
EXPORTED void afl_custom_deinit(void *data);
EXPORTED size_t afl_custom_fuzz(void *data, uint8_t *buf, size_t buf_size, uint8_t **out_buf,
	uint8_t *add_buf, size_t add_buf_size, size_t max_size);
EXPORTED const char *afl_custom_describe(void *data, size_t max_len);
EXPORTED int32_t afl_custom_init_trim(void *data, uint8_t *buf, size_t buf_size);
EXPORTED size_t afl_custom_trim(void *data, uint8_t **out_buf);
EXPORTED int32_t afl_custom_post_trim(void *data, uint8_t success);

static uint32_t allowed(void)
{
	const char *list = getenv("SUNDER_MUTATOR_ALLOW");
	uint32_t allow = 0;

	for (unsigned int h = 0; list && h < HAZARD_COUNT; h++)
		if (strstr(list, hazard_name(h)))
			allow |= 1U << h;
	return allow;
}

void *afl_custom_init(void *afl, unsigned int seed)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (mutator_init(&s->m, seed, getenv("SUNDER_MUTATOR_OPS"), allowed()) < 0) {
		free(s);
		return NULL;
	}
	return s;
}

void afl_custom_deinit(void *data)
{
	free(data);
}

size_t afl_custom_fuzz(void *data, uint8_t *buf, size_t buf_size, uint8_t **out_buf,
	uint8_t *add_buf, size_t add_buf_size, size_t max_size)
{
	struct state *s = data;
	size_t max = max_size < sizeof(s->out) ? max_size : sizeof(s->out);

	*out_buf = s->out;
	return mutate_bytes(&s->m, buf, buf_size, add_buf, add_buf ? add_buf_size : 0, s->out, max);
}

const char *afl_custom_describe(void *data, size_t max_len)
{
	struct state *s = data;

	if (max_len < sizeof(s->m.did))
		s->m.did[max_len ? max_len - 1 : 0] = '\0';
	return s->m.did;
}

int32_t afl_custom_init_trim(void *data, uint8_t *buf, size_t buf_size)
{
	struct state *s = data;

	trim_begin(&s->trim, buf, buf_size);
	s->tried = 0;
	s->trim_max = buf_size;
	return (int32_t)trim_left(&s->trim);
}

/* Nothing: there is no candidate, or the original was no program's shortest bytes. */
size_t afl_custom_trim(void *data, uint8_t **out_buf)
{
	struct state *s = data;
	ssize_t n = 0;

	if (trim_next(&s->trim))
		n = program_encode(&s->trim.candidate, s->trimmed, sizeof(s->trimmed));
	*out_buf = s->trimmed;
	return n > 0 && (size_t)n <= s->trim_max ? (size_t)n : 0;
}

/* afl-fuzz goes on while this is below what init_trim returned. */
int32_t afl_custom_post_trim(void *data, uint8_t success)
{
	struct state *s = data;
	unsigned int left;

	trim_judge(&s->trim, success);
	left = trim_left(&s->trim);
	s->tried++;
	return left ? (int32_t)s->tried : INT32_MAX;
}
