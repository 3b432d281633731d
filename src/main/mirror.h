/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of a directory, brought up to date on the other side of a link: new and changed ones are sent; nothing is ever deleted there. */
#ifndef SUNDER_MAIN_MIRROR_H
#define SUNDER_MAIN_MIRROR_H

#include <stdbool.h>

#include "link.h"

struct mirror;

struct mirror *mirror_new(void); /* NULL: no memory */
void mirror_free(struct mirror *m);

/* Takes a file as sent already, as it is now. */
void mirror_known(struct mirror *m, const char *root, const char *name);

/*
 * Sends what is new or changed below ROOT/DIR, as DIR/...: files for which `want` (NULL: all) says yes to their name, "DIR/...". Of
 * AFL's plot_data only what is new is sent. Hidden files are left out. Number of files or -errno of the link.
 */
int mirror_send(struct mirror *m, struct link *l, const char *root, const char *dir,
	bool (*want)(void *arg, const char *name), void *arg);

struct mirror_taking {
	const char *root;
	/* Where below root a name goes: its length in `to`, or 0: it is not wanted. NULL: each to its own name. */
	size_t (*where)(void *arg, const char *name, char *to, size_t size);
	void (*taken)(void *arg, const char *to); /* may be NULL */
	void *arg;
	bool marked; /* mirror_mark() of the other side came */
};

/* Takes what came: files below root, by rename. Names that lead out of it are refused. Number of files, or -errno. */
int mirror_take(struct link *l, struct mirror_taking *t);

/* Says that all that was meant to be there has been sent. */
int mirror_mark(struct link *l);

#endif
