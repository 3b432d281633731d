/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Minimising a corpus: few entries that together reach all that all of them reach. */
#ifndef SUNDER_MAIN_COVER_H
#define SUNDER_MAIN_COVER_H

#include <stddef.h>
#include <stdint.h>

struct cover;

struct cover *cover_new(void); /* NULL: no memory */
void cover_free(struct cover *c);

/*
 * An entry: its size in bytes and what it reaches, as afl-showmap writes it: lines "PLACE:CLASS". Numbered from 0. 0; -EBADMSG: that
 * is no such text; -ENOMEM.
 */
int cover_add(struct cover *c, size_t size, const char *map);

/*
 * Marks in keep ([number of entries]) those that are enough: greedily, the entry that adds most for its bytes first, then
 * those that later ones made superfluous are dropped. Number of marked ones or -ENOMEM.
 */
int cover_choose(struct cover *c, unsigned char *keep);

/* Distinct (place, class) that all entries together reach. */
size_t cover_reached(const struct cover *c);

#endif
