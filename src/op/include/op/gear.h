/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gear: what the ops of a family need besides their arguments, and keep from call to call: a ring with its fixed buffers, a
 * userfaultfd and its handler thread, a small guest. One of each a process, made if the crew's plan has an op of it.
 * Threads that gear starts are no lanes: they run whenever they like, touch slots only as the model knows, and end in close().
 */
#ifndef SUNDER_OP_GEAR_H
#define SUNDER_OP_GEAR_H

struct op_env;

struct gear {
	const char *name;

	/*
	 * In each executor, before its lanes start and before slots are mapped (their addresses are known). e has no lane,
	 * cells or scratch yet. *ret: its state, never NULL, owned by the gear. 0 or -errno: the crew then gives up, so whatever can
	 * be missing belongs into the probes that its ops need.
	 */
	int (*open)(const struct op_env *e, void **ret);

	/* The rest runs on one lane of the process while no op runs anywhere. Each may be NULL. */

	/* An epoch begins: this process's slots are freshly mapped and empty. */
	void (*begin)(struct op_env *e, void *state);

	/* The last round of an epoch is over: what it sees of the slots must be what the CPU sees (mem/evidence.h). */
	void (*check)(struct op_env *e, void *state);

	/* Lets go of all memory of slots (pins, registrations, second MMUs): views are unmapped and objects emptied next. */
	void (*end)(struct op_env *e, void *state);

	/* The process ends. */
	void (*close)(void *state);
};

enum { GEAR_MAX = 16 };

/* The state that open() gave for the gear, or NULL. Callable from lanes. */
void *gear_of(const struct op_env *e, const struct gear *g);

#endif
