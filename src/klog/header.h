/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which lines start a report, found fast in text that has hardly any. */
#ifndef SUNDER_KLOG_HEADER_H
#define SUNDER_KLOG_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"
#include "rule.h"

/*
 * A first filter over whole buffers: three neighbouring bytes at every second place are looked up
 * in a table of what headers are made of; a hit is compared with the headers' texts. Made once
 * per parser.
 */
struct header_filter {
	uint8_t first[1 << 13]; /* by hash: 1 + index in entry, or 0 */
	struct {
		/* Which, how far into its text; the next of this hash. */
		uint8_t header, offset, next;
	} entry[128];
	size_t n;
};

void header_filter_init(struct header_filter *f);

/* A place inside the first header text in [p, end), or end. Benign lines count. */
const char *header_filter_scan(const struct header_filter *f, const char *p, const char *end);

/* The header that makes this line start a report, or NULL. */
const struct header *header_of(const struct log_line *line);

/* All headers, in the order in which a line is compared with them. */
const struct header *header_table(size_t *n);

/* Whether the line may stand inside another report of the same context without starting its own. */
bool header_is_consequence(const struct header *h, const struct log_line *line);

#endif
