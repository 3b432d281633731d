/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nodes and CPUs of a struct machine, and which of them this process may use. */
#ifndef SUNDER_CAPS_TOPOLOGY_H
#define SUNDER_CAPS_TOPOLOGY_H

#include "caps/machine.h"

/* Fills node, mem_node, cpu and cpu_node of *m, whose mem_total is set. 0 or -errno. */
int topology_probe(struct machine *m);

/*
 * Value of a key of the form "MemTotal:", in bytes, in the text of a meminfo file; false if
 * missing.
 */
bool meminfo_find(const char *text, const char *key, uint64_t *ret);

#endif
