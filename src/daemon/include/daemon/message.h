/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said on sunderd's control socket: a JSON object a line, each way. A request has "v" (1) and "do"; a reply has "v", "ok" and
 * what was asked for, or "error".
 */
#ifndef SUNDER_DAEMON_MESSAGE_H
#define SUNDER_DAEMON_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/config.h"

enum { MESSAGE_VERSION = 1, MESSAGE_MAX = 4096, MESSAGE_ERR_MAX = 160, MESSAGE_TAIL_MAX = 256 };

enum message_do {
	MESSAGE_STATUS, /* the status document */
	MESSAGE_START, /* name: a campaign, or a job file of the jobs directory; has the next slice */
	MESSAGE_PAUSE, /* ends the slice; no other begins, also after a restart */
	MESSAGE_RESUME,
	MESSAGE_STOP, /* ends the slice and the daemon */
	MESSAGE_TAIL, /* the last `lines` events, then (follow) those to come */
};

struct message {
	enum message_do what;
	char name[CONFIG_PATH_MAX];
	bool now; /* start: the slice that runs is ended for it */
	bool follow;
	unsigned int lines; /* at most MESSAGE_TAIL_MAX */
};

/* One line, without its end. 0, or -EINVAL with why in err. */
int message_parse(const char *line, size_t len, struct message *ret, char err[MESSAGE_ERR_MAX]);

const char *message_do_name(enum message_do what);

/* The line of a request, with its end; free(). NULL: no memory. */
char *message_format(const struct message *m);

#endif
