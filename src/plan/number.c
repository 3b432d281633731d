/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/number.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit sizes[] = {
	{"T", 1ULL << 40}, {"G", 1ULL << 30}, {"M", 1ULL << 20}, {"k", 1ULL << 10}};

/* Largest first, for printing; "ns" comes last and always divides. */
static const struct unit times[] = {
	{"d", 86400000000000ULL},
	{"h", 3600000000000ULL},
	{"m", 60000000000ULL},
	{"s", 1000000000ULL},
	{"ms", 1000000ULL},
	{"us", 1000ULL},
	{"ns", 1ULL},
};

/* The number that text begins with; *ret_end is what follows it. */
static int parse_head(const char *text, uint64_t *ret, const char **ret_end)
{
	unsigned long long v;
	char *end;
	int base = text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, base);
	if (errno == ERANGE)
		return -ERANGE;
	if (base == 16 && end == text + 1)
		return -EINVAL;
	*ret = v;
	*ret_end = end;
	return 0;
}

static int multiply(uint64_t v, uint64_t factor, uint64_t *ret)
{
	uint64_t product;

	if (__builtin_mul_overflow(v, factor, &product))
		return -ERANGE;
	*ret = product;
	return 0;
}

int number_parse(const char *text, uint64_t *ret)
{
	const char *end;
	uint64_t v;
	int r = parse_head(text, &v, &end);

	if (r < 0)
		return r;
	if (*end)
		return -EINVAL;
	*ret = v;
	return 0;
}

int number_parse_size(const char *text, uint64_t *ret)
{
	const char *end;
	uint64_t v;
	int r = parse_head(text, &v, &end);

	if (r < 0)
		return r;
	if (!*end || strcasecmp(end, "b") == 0)
		return multiply(v, 1, ret);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		if (strncasecmp(end, sizes[i].name, 1) != 0)
			continue;
		if (!end[1] || strcasecmp(end + 1, "b") == 0 || strcasecmp(end + 1, "ib") == 0)
			return multiply(v, sizes[i].factor, ret);
	}
	return -EINVAL;
}

int number_parse_time(const char *text, uint64_t unit, uint64_t *ret)
{
	const char *end;
	uint64_t v;
	int r = parse_head(text, &v, &end);

	if (r < 0)
		return r;
	if (!*end)
		return multiply(v, unit, ret);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		if (strcmp(end, times[i].name) == 0)
			return multiply(v, times[i].factor, ret);
	return -EINVAL;
}

int number_parse_list(const char *text, bool *set, size_t n)
{
	uint64_t first, last;
	int r;

	for (const char *s = text;; s++) {
		r = parse_head(s, &first, &s);
		if (r < 0)
			return r;
		last = first;
		if (*s == '-') {
			r = parse_head(s + 1, &last, &s);
			if (r < 0)
				return r;
		}
		if (last < first)
			return -EINVAL;
		if (last >= n)
			return -ERANGE;
		for (uint64_t i = first; i <= last; i++)
			set[i] = true;
		if (!*s)
			return 0;
		if (*s != ',')
			return -EINVAL;
	}
}

int number_print_size(uint64_t bytes, char *buf, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (bytes && bytes % sizes[i].factor == 0)
			return snprintf(
				buf, size, "%" PRIu64 "%s", bytes / sizes[i].factor, sizes[i].name);
	return snprintf(buf, size, "%" PRIu64, bytes);
}

int number_print_time(uint64_t ns, char *buf, size_t size)
{
	size_t i = 0;

	while (ns % times[i].factor != 0 || (!ns && times[i].factor != 1))
		i++;
	return snprintf(buf, size, "%" PRIu64 "%s", ns / times[i].factor, times[i].name);
}
