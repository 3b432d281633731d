/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other end of sunderd's control socket, for the verbs of sunder. */
#ifndef SUNDER_DAEMON_CLIENT_H
#define SUNDER_DAEMON_CLIENT_H

#include <jansson.h>

#include "daemon/message.h"

#define CLIENT_SOCKET "/run/sunder/control"

struct client_link;

enum { CLIENT_ERR_MAX = 256 };

/* socket: its path. 0; -errno with why, and what to do, in err. */
int client_open(const char *socket, struct client_link **ret, char err[CLIENT_ERR_MAX]);
void client_close(struct client_link *c);

/* Sends a request. 0 or -errno with why in err. */
int client_send(struct client_link *c, const struct message *m, char err[CLIENT_ERR_MAX]);

/*
 * The next reply (new reference), waited for at most so many ms (-1: for ever). 0; -EAGAIN: none came; -EPERM and the like with why in
 * err: also what the daemon refuses.
 */
int client_receive(struct client_link *c, int wait_ms, json_t **ret, char err[CLIENT_ERR_MAX]);

int client_fd(const struct client_link *c);

#endif
