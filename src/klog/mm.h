/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a report tells about memory management beyond its common title. */
#ifndef SUNDER_KLOG_MM_H
#define SUNDER_KLOG_MM_H

#include "report.h"

/*
 * Adds finer titles to alt: for Bad page map, state and cache, rss counters, page-table counters,
 * page_table_check, assertions with a page dump, WARN() texts of mm/, underflows, list corruption.
 * title is the common one. 0 or -ENOMEM.
 */
int mm_detail(struct string_set *alt, const char *title, const struct report_text *t);

#endif
