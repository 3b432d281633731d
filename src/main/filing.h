/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run's findings on their way into the store, and what stands around them. */
#ifndef SUNDER_MAIN_FILING_H
#define SUNDER_MAIN_FILING_H

#include "run.h"

/* When the box is set up: copies what later is compared. */
void filing_start(struct run *r);

/* Each tick. */
void filing_tick(struct run *r, double now_s);

/* A title that is new in this run: context.txt and kernel.log in its directory, and a row in the store. */
void filing_add(struct run *r, const struct finding_group *g);

/* The run is over: counts, and the log that came after the findings. */
void filing_end(struct run *r);

/* DIR of --store, else "findings" in the ledger's directory. */
void filing_dir(const char *store, const char *state, char *buf, size_t size);

#endif
