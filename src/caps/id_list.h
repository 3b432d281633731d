/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's lists of CPUs and nodes, "0-3,8,10-11". */
#ifndef SUNDER_CAPS_ID_LIST_H
#define SUNDER_CAPS_ID_LIST_H

#include <stdbool.h>

/*
 * Sets set[i] for each i < n of the list, clears the others; ids from n on are passed over. Returns
 * how many were set, or -EINVAL. An empty text is an empty list.
 */
int id_list_parse(const char *text, bool *set, int n);

/* The same from a file under the path root; also -errno of reading it. */
int id_list_read(const char *path, bool *set, int n);

#endif
