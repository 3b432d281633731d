/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions of a kernel, without modules, from /proc/kallsyms or a file like it. */
#ifndef SUNDER_FUZZ_SYMBOLS_H
#define SUNDER_FUZZ_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct symbol {
	uint64_t at;
	char name[64];
};

/* Ascending, for free(). Their number or -ENOMEM. Addresses are 0 for who may not see them. */
int symbols_read(const char *file, struct symbol **ret);

#endif
