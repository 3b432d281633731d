/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run tells of itself in status.json (docs/status.schema.json). */
#ifndef SUNDER_DAEMON_RUN_STATUS_H
#define SUNDER_DAEMON_RUN_STATUS_H

#include <jansson.h>
#include <stdint.h>

enum { RUN_STATUS_NODES = 64 };

struct run_status {
	json_t *doc; /* NULL: it has told nothing so far */
	char turn[256];
	int64_t time;
	double elapsed_s, left_s; /* left_s < 0: without end */
	uint64_t ops, rounds, migrated, split, collapsed, seen, overlapped;
	uint64_t migrated_to[RUN_STATUS_NODES];
	unsigned int groups;
};

/* Reads DIR/status.json. 0, or -errno: *s is as before. */
int run_status_read(struct run_status *s, const char *dir);

/* Of text in memory. 0 or -EINVAL. */
int run_status_parse(struct run_status *s, const char *text, size_t len);
void run_status_clear(struct run_status *s);

#endif
