/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which places of each function of mm/ the programs came to, and which not: kcov's calls are found in the kernel's own text, so what
 * was never reached is known too (x86-64, root, /proc/kcore; elsewhere only what was reached is told).
 */
#ifndef SUNDER_FUZZ_FUNCTIONS_H
#define SUNDER_FUZZ_FUNCTIONS_H

#include <stdint.h>

struct functions;
struct kcov_text;

/* NULL: no memory, or no symbols. */
struct functions *functions_open(const struct kcov_text *t);
void functions_close(struct functions *f);

/* offset: of kcov_offset() */
void functions_reached(struct functions *f, uint32_t offset);

/* Places that were reached so far. */
uint32_t functions_count(const struct functions *f);

/* A line a function: "NAME: OFFSET ...; OFFSET ...", reached and not reached, hexadecimal, by rename. 0 or -errno. */
int functions_write(const struct functions *f, const char *path);

#endif
