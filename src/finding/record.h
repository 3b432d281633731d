/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sight as a JSON file. Private to the room. */
#ifndef SUNDER_FINDING_RECORD_H
#define SUNDER_FINDING_RECORD_H

#include "finding/store.h"

/* The sight as JSON text, for free(); NULL: no memory. Bytes that are no UTF-8 become '?'. */
char *record_text(const struct store_sight *x);

struct record_sight {
	struct store_sight sight; /* strings live in `json` */
	void *json;
};

/* Reads such a file. 0 with *ret (record_free()); -EBADMSG: it is none; another -errno. */
int record_read(const char *path, struct record_sight **ret);
void record_free(struct record_sight *x);

#endif
