/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory and CPU of what the daemon runs: a cgroup of its own, below the one that systemd has delegated, or below the top where no
 * service manager is. What it changes above its own group goes through a ledger in the work directory.
 */
#ifndef SUNDER_DAEMON_BUDGET_H
#define SUNDER_DAEMON_BUDGET_H

#include "daemon/config.h"

struct budget;

/*
 * 0 with *ret (NULL: no budget is configured), or -errno with why in err. Where there is no cgroup to be had the budget is not kept:
 * that is told and is no failure of the daemon.
 */
int budget_open(const struct config *c, struct budget **ret, char err[CONFIG_ERR_MAX]);

/* New limits, of a configuration that was read again. 0 or -errno. */
int budget_set(struct budget *b, const struct config *c);

/* The group's fd; -1 without one. */
int budget_cgroup(const struct budget *b);
void budget_close(struct budget *b);

#endif
