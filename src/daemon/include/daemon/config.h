/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunderd's configuration file, as docs/sunderd.md describes it. */
#ifndef SUNDER_DAEMON_CONFIG_H
#define SUNDER_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/window.h"

enum {
	CONFIG_PATH_MAX = 256,
	CONFIG_NAME_MAX = 32,
	CONFIG_TEXT_MAX = 256,
	CONFIG_MAX_CAMPAIGNS = 64,
	CONFIG_ERR_MAX = 512
};

enum campaign_type { CAMPAIGN_RUN, CAMPAIGN_FUZZ };

/* What is done when the kernel has died without taking the machine with it. */
enum on_oops { OOPS_HOLD, OOPS_REBOOT, OOPS_GO_ON };

struct config_campaign {
	char name[CONFIG_NAME_MAX];
	enum campaign_type type;
	char job[CONFIG_PATH_MAX]; /* path of the job file; "" is allowed for fuzz */
	double weight;
	uint64_t slice_s;
	struct window window;
	char window_text[CONFIG_TEXT_MAX];
	char allow[64];
	char options[CONFIG_TEXT_MAX]; /* more words of the command line */
	unsigned int line; /* of its section */
};

struct config {
	char file[CONFIG_PATH_MAX];
	char state[CONFIG_PATH_MAX]; /* of runs: ledger, recordings, findings */
	char work[CONFIG_PATH_MAX]; /* the daemon's own: state.json, runs/ */
	char jobs[CONFIG_PATH_MAX]; /* job files that are named without a directory */
	char sunder[CONFIG_PATH_MAX]; /* the program; "": beside this one */
	char tmp[CONFIG_PATH_MAX]; /* --tmp of runs; "": theirs */
	char socket[108], group[64];
	char textfile[CONFIG_PATH_MAX]; /* "": none */
	char listen_host[64];
	unsigned int listen_port; /* 0: no listener */
	uint64_t seed; /* 0: drawn once, then kept in the state */
	uint64_t slice_s;
	uint64_t disk; /* bytes */
	uint64_t memory; /* bytes; 0: no limit */
	unsigned int cpu_percent; /* of one CPU; 0: no limit */
	char cpus[CONFIG_TEXT_MAX]; /* list; "": all */
	bool adapt;
	enum on_oops on_oops;
	unsigned int deaths; /* of the machine, after which a job is left out */
	struct config_campaign campaign[CONFIG_MAX_CAMPAIGNS];
	unsigned int ncampaigns;
};

/* 0, or -errno with "file:line: message" in err. *ret is whole or untouched. */
int config_load(const char *file, struct config *ret, char err[CONFIG_ERR_MAX]);

/* The same of text in memory, named `file`; job files need not exist. */
int config_parse(const char *file, const char *text, size_t len, struct config *ret,
	char err[CONFIG_ERR_MAX]);

/* Index of a campaign, or -1. */
int config_find(const struct config *c, const char *name);

const char *campaign_type_name(enum campaign_type t);

/* The path of a job file that is named without a directory; false: it is none (it has a slash, or begins with a dot). */
bool config_job_path(const struct config *c, const char *name, char *buf, size_t size);

#endif
