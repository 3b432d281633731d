/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scarcity: times in which the kernel may refuse memory to any op of any crew, because an op makes it so. One counter pair for
 * the run, shared by all its processes.
 */
#ifndef SUNDER_MEM_SCARCITY_H
#define SUNDER_MEM_SCARCITY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct scarcity {
	_Atomic uint32_t begun, ended;
};

/* As it was when something began. */
struct scarcity_mark {
	uint32_t begun;
	bool on;
};

/* `ended` first: one that ends between the two readings still counts. */
static inline struct scarcity_mark scarcity_mark(const struct scarcity *s)
{
	uint32_t ended = s ? atomic_load_explicit(&s->ended, memory_order_acquire) : 0;
	uint32_t begun = s ? atomic_load_explicit(&s->begun, memory_order_acquire) : 0;

	return (struct scarcity_mark){begun, begun != ended};
}

/* True if memory was scarce at any time since the mark was taken. */
static inline bool scarcity_since(const struct scarcity *s, const struct scarcity_mark *m)
{
	return m->on || (s && atomic_load_explicit(&s->begun, memory_order_acquire) != m->begun);
}

#endif
