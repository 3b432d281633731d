/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sunderd must know after it was killed, or the machine was: DIR/state.json, replaced by rename and synced before anything is
 * started and after anything has ended.
 */
#ifndef SUNDER_DAEMON_STATE_H
#define SUNDER_DAEMON_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/config.h"

enum { STATE_ID_MAX = 64, STATE_MAX_DEATHS = 64, STATE_TEXT_MAX = 1 << 20, STATE_ERR_MAX = 256 };

/* Counts over all slices that have ended. */
struct state_totals {
	uint64_t slices, ops, migrated, split, collapsed;
	double seconds;
};

struct state_campaign {
	char name[CONFIG_NAME_MAX];
	double pass, boost, used_s;
	uint64_t cycle; /* slices begun: the next one's seed is drawn with it */
	uint64_t fresh; /* new findings */
};

/* The slice that runs. */
struct state_slice {
	bool active;
	char campaign[CONFIG_NAME_MAX];
	char job[CONFIG_PATH_MAX], dir[CONFIG_PATH_MAX];
	char boot_id[STATE_ID_MAX], kernel[STATE_ID_MAX];
	uint64_t seed, number;
	int64_t started; /* seconds since 1970 */
	pid_t pid; /* 0: not started yet */
	uint64_t pid_start; /* field 22 of /proc/PID/stat: a pid may be used again */
};

/* The machine died while this job had its turn. */
struct state_death {
	char campaign[CONFIG_NAME_MAX];
	char job[CONFIG_PATH_MAX];
	char kernel[STATE_ID_MAX]; /* another kernel: a new chance */
	unsigned int count;
	int64_t last;
	uint64_t seed; /* of the last time */
};

struct state {
	uint64_t seed; /* 0: not drawn yet */
	uint64_t number; /* of slices: names their directories */
	bool paused;
	uint64_t deaths, child_deaths; /* of the machine; of runs that a signal ended */
	struct state_totals totals;
	struct state_slice slice;
	struct state_campaign campaign[CONFIG_MAX_CAMPAIGNS];
	unsigned int ncampaigns;
	struct state_death death[STATE_MAX_DEATHS];
	unsigned int ndeaths;
};

/* 0, or -EINVAL with why in err. *ret is whole or untouched. */
int state_parse(const char *text, size_t len, struct state *ret, char err[STATE_ERR_MAX]);

/*
 * 0 (also where there is none: *ret is a new one). A file that is damaged is kept as FILE.corrupt and told in err, then *ret is a
 * new one and the result -EBADMSG. Else -errno.
 */
int state_load(const char *file, struct state *ret, char err[STATE_ERR_MAX]);
int state_save(const char *file, const struct state *s);

/* The campaign's entry, made if missing; NULL: there are too many. */
struct state_campaign *state_campaign(struct state *s, const char *name);

/* Drops those that are not configured any more and had no time. */
void state_forget(struct state *s, const struct config *c);

/* Counts a death of the machine; its entry. */
struct state_death *state_died(
	struct state *s, const struct state_slice *slice, const char *job, int64_t now);

/* How often the machine died under this job of this campaign with this kernel. */
unsigned int state_deaths(
	const struct state *s, const char *campaign, const char *job, const char *kernel);

/* Forgets the deaths under a campaign; how many entries. */
unsigned int state_pardon(struct state *s, const char *campaign);

/* The seed of a campaign's nth slice, never 0: other campaigns do not change it. */
uint64_t state_draw_seed(uint64_t seed, const char *campaign, uint64_t cycle);

#endif
