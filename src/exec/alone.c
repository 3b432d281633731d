/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "alone.h"

/*
 * One writer. Release: what the lane did before is seen by whoever sees the count; that the count is seen before what the call does next
 * follows from the locks that a system call or a fault takes first.
 */
static void step(struct lane *l, unsigned int slot)
{
	_Atomic uint32_t *n = &l->ctl->calls[slot];

	atomic_store_explicit(
		n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_release);
}

static uint32_t calls_of(const struct lane_ctl *ctl, unsigned int slot)
{
	return atomic_load_explicit(
		&ctl->calls[slot], memory_order_acquire); /* pairs with step() */
}

static bool is_wanted(const struct effect_run *fx)
{
	for (unsigned int i = 0; i < fx->n; i++)
		if (fx->eff[i].kinds & EFFECT_BUS_ALONE)
			return true;
	return false;
}

/* Other gear than the box has threads, children or a second MMU that touch slots whenever they like. */
static bool gear_touches(const struct lane *l)
{
	for (unsigned int i = 0; i < l->env.ngears; i++)
		if (l->env.gear[i].gear != &gear_box)
			return true;
	return false;
}

void alone_begin(
	struct lane *l, unsigned int slot, const struct effect_run *fx, struct alone_mark *ret)
{
	const struct crew_ctl *ctl = l->ex->ctl;

	step(l, slot);
	ret->wanted = is_wanted(fx);
	if (__builtin_expect(!ret->wanted, 1))
		return;
	ret->quiet = !gear_touches(l);
	for (unsigned int i = 0; i < ctl->nlanes; i++) {
		ret->calls[i][0] = calls_of(&ctl->lane[i], slot);
		ret->calls[i][1] = calls_of(&ctl->lane[i], SLOT_MAX);
		if (i != l->no && (ret->calls[i][0] | ret->calls[i][1]) & 1)
			ret->quiet = false;
	}
}

static bool was_alone(const struct lane *l, unsigned int slot, const struct alone_mark *m)
{
	const struct crew_ctl *ctl = l->ex->ctl;

	if (!m->quiet)
		return false;
	for (unsigned int i = 0; i < ctl->nlanes; i++)
		if (i != l->no && (calls_of(&ctl->lane[i], slot) != m->calls[i][0] ||
					  calls_of(&ctl->lane[i], SLOT_MAX) != m->calls[i][1]))
			return false;
	return true;
}

void alone_end(struct lane *l, unsigned int slot, struct effect_run *fx, const struct alone_mark *m)
{
	if (__builtin_expect(m->wanted, 0) && !was_alone(l, slot, m))
		for (unsigned int i = 0; i < fx->n; i++)
			if (fx->eff[i].kinds & EFFECT_BUS_ALONE)
				fx->eff[i].kinds &= ~(uint32_t)EFFECT_BUS_SURE;
	step(l, slot);
}
