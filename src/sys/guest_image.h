/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the own memory of a small virtual machine holds (sys/guest.h): page tables, code, and what each CPU is to do. */
#ifndef SUNDER_SYS_GUEST_IMAGE_H
#define SUNDER_SYS_GUEST_IMAGE_H

#include "sys/guest.h"

enum { GUEST_PAGE = 4096 };

/* The guest's own memory, from guest-physical 0 on. */
enum {
	OWN_CODE = 0,
	OWN_PML4 = GUEST_PAGE,
	OWN_PDPT = 2 * GUEST_PAGE,
	OWN_PD = 3 * GUEST_PAGE, /* one a GiB */
	OWN_GIBS = 62,
	OWN_TASK = OWN_PD + OWN_GIBS * GUEST_PAGE, /* one page a CPU */
	OWN_SIZE = OWN_TASK + GUEST_MAX_CPUS * GUEST_PAGE,
	OWN_ID = 0, /* memory slot; the callers' follow */
};

enum { GUEST_PORT = 0x10 }; /* the guest says here that it is done */

/* What a CPU is to do; the code in guest_image.c knows the offsets. */
struct guest_task {
	uint64_t how, n, turns;
	uint64_t done; /* 24: words done, with GUEST_COUNT rounds */
	uint64_t odd_value; /* 32 */
	uint64_t odd_at; /* 40: address of the word's entry, 0: none */
	struct guest_word word[GUEST_WORDS]; /* 48 */
};

/* Fills OWN_SIZE bytes of zeroes with tables and code. */
void guest_image_fill(char *own);

/* What a CPU is to do with w, and what has come of it; done: it came to its end. */
void guest_task_begin(
	struct guest_task *t, enum guest_how how, uint32_t turns, const struct guest_words *w);
void guest_task_end(const struct guest_task *t, bool done, struct guest_words *w);

#endif
