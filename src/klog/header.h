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
 * A first filter: three neighbouring bytes, at every second place, are looked up. A line with a header has
 * a hit. Made from the header table once per parser.
 */
struct header_filter {
	uint8_t hit[1 << 13];
};

void header_filter_init(struct header_filter *f);

/* The first place at or after p at which a header may be near, or end. */
const char *header_filter_scan(const struct header_filter *f, const char *p, const char *end);

/* The header that makes this line start a report, or NULL. */
const struct header *header_of(const struct log_line *line);

/* Whether the line may stand inside another report of the same context without starting its own. */
bool header_is_consequence(const struct header *h, const struct log_line *line);

#endif
