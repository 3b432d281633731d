/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers as people write them, in job files, in program text and on the command line. Whole
 * strings only.
 */
#ifndef SUNDER_PLAN_NUMBER_H
#define SUNDER_PLAN_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decimal or 0x. 0; -EINVAL: not a number; -ERANGE: more than 64 bits. *ret is untouched on
 * failure, here and below.
 */
int number_parse(const char *text, uint64_t *ret);

/*
 * Bytes: a number with an optional k, M, G or T (binary; also KiB, MB and the like). Same errors.
 */
int number_parse_size(const char *text, uint64_t *ret);

/*
 * Nanoseconds: a number with ns, us, ms, s, m, h or d; `unit` (ns) holds for one without. Same
 * errors.
 */
int number_parse_time(const char *text, uint64_t unit, uint64_t *ret);

/*
 * "0-3,7": sets set[i] for each number named, all below n. 0; -EINVAL; -ERANGE: a number is n or
 * more.
 */
int number_parse_list(const char *text, bool *set, size_t n);

/* The shortest exact text: 2097152 -> "2M", 1500000 -> "1500us". Like snprintf. */
int number_print_size(uint64_t bytes, char *buf, size_t size);
int number_print_time(uint64_t ns, char *buf, size_t size);

#endif
