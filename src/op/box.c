/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "op/box.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "op/op.h"
#include "result.h"

/* ---- picking and writing ---- */

static bool matches(const struct box_knob *k, const char *glob, int crew)
{
	if (*glob == BOX_STATELESS)
		glob++;
	if (k->crew < 0)
		return fnmatch(glob, k->path, FNM_PATHNAME) == 0;
	return k->crew == crew && fnmatch(glob, strrchr(k->path, '/') + 1, 0) == 0;
}

const struct box_knob *box_pick(const struct op_env *e, const char *glob, uint32_t pick)
{
	const struct box *b = e->box;
	uint32_t n = 0;

	for (unsigned int i = 0; b && i < b->nknobs; i++)
		n += matches(&b->knob[i], glob, (int)e->crew);
	if (n == 0)
		return NULL;
	pick %= n;
	for (unsigned int i = 0; i < b->nknobs; i++)
		if (matches(&b->knob[i], glob, (int)e->crew) && pick-- == 0)
			return &b->knob[i];
	return NULL;
}

/* Opened each time: what these files set off takes far longer, and some of them come and go with what they stand for. */
long box_put(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* A write of nothing never reaches the kernel's handler. */
	return result_of(write(fd, *text ? text : "\n", *text ? strlen(text) : 1));
}

/* ---- back to what the run had set up ---- */

/* True if it was something else. */
static bool put_back(const struct box_knob *k)
{
	char now[BOX_VALUE];

	if ((path_read_choice(k->path, now, sizeof(now)) != 0 &&
		    path_read(k->path, now, sizeof(now)) < 0) ||
		strcmp(now, k->value) == 0)
		return false;
	/* What is refused now is tried again after the next epoch, and by the ledger at the end. */
	box_put(k->path, k->value);
	return true;
}

bool box_lift_limits(const struct box *b, int crew)
{
	bool any = false;

	for (unsigned int i = 0; i < b->nknobs; i++)
		if (b->knob[i].keep && b->knob[i].crew == crew)
			any |= put_back(&b->knob[i]);
	return any;
}

static void rewind_box(const struct op_env *e)
{
	const struct box *b = e->box;

	if (!b || e->proc != 0)
		return;
	if (b->swap[0])
		swapon(b->swap, 0); /* EBUSY: it is on */
	for (unsigned int i = 0; i < b->nknobs; i++)
		if (b->knob[i].keep && (b->knob[i].crew < 0 || b->knob[i].crew == (int)e->crew))
			put_back(&b->knob[i]);
}

/* A crew that was killed has left things as they were. */
static int open_box(const struct op_env *e, void **ret)
{
	rewind_box(e);
	*ret = (void *)&gear_box;
	return 0;
}

static void end_box(struct op_env *e, void *state)
{
	rewind_box(e);
}

const struct gear gear_box = {
	.name = "box",
	.open = open_box,
	.end = end_box,
};
