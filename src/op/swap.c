/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The run's own swap file, taken away and given back. Other swap of the machine is left alone. */
#include <sys/swap.h>

#include "op/op.h"
#include "result.h"

static long run_swapoff(struct op_env *e, const struct op_call *c)
{
	return e->box && e->box->swap[0] ? result_of(swapoff(e->box->swap)) : -ENODEV;
}

/* mm/swapfile.c, SYSCALL_DEFINE1(swapoff) */
static const struct op_errno errnos_swapoff[] = {
	{EINVAL, WHEN_ALWAYS}, /* it is off */
	{ENOMEM, WHEN_ALWAYS}, /* no room for what lies there */
	{EINTR, WHEN_ALWAYS}, /* try_to_unuse(): signal_pending(), which work of io_uring is, too */
	{EBUSY, WHEN_ALWAYS}, /* going off already (6.11) */
	{0, 0},
};

static bool undo_swapoff(const struct op_call *c, struct op_call *ret)
{
	int on = op_find("swapon");

	*ret = (struct op_call){.op = (uint8_t)on};
	return on >= 0;
}

const struct op op_swapoff = {
	.name = "swapoff",
	.help = "takes the run's swap file away: all that lies there is read back",
	.exercises = "try_to_unuse unuse_mm unuse_pmd_range unuse_pte shmem_unuse "
		     "swap_cache_get_folio shmem_swapin_folio",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 1,
	.needs = {CAP_HAS_OWN_SWAP},
	.nneeds = 1,
	.gear = &gear_box,
	.uses = OP_USES_SWAP,
	.errnos = errnos_swapoff,
	.run = run_swapoff,
	.undo = undo_swapoff,
};

static long run_swapon(struct op_env *e, const struct op_call *c)
{
	return e->box && e->box->swap[0] ? result_of(swapon(e->box->swap, 0)) : -ENODEV;
}

static const struct op_errno errnos_swapon[] = {
	{EBUSY, WHEN_ALWAYS}, /* it is on, or on its way */
	{ENOMEM, WHEN_ALWAYS}, /* for its map */
	{0, 0},
};

const struct op op_swapon = {
	.name = "swapon",
	.help = "gives the run's swap file back",
	.exercises = "SYSCALL_DEFINE2(swapon) setup_swap_map_and_extents enable_swap_info",
	.hazard = HAZARD_DISRUPTIVE,
	.weight = 2,
	.needs = {CAP_HAS_OWN_SWAP},
	.nneeds = 1,
	.gear = &gear_box,
	.uses = OP_USES_SWAP,
	.errnos = errnos_swapon,
	.run = run_swapon,
};
