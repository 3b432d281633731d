/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket. Only root, the daemon's own user and the configured group are listened to, by the credentials that the kernel
 * has of a peer. Nothing that a client does or leaves undone holds up the daemon: what it may send, how long it may take and what is
 * kept for it to read is bounded.
 */
#ifndef SUNDER_DAEMON_CONTROL_H
#define SUNDER_DAEMON_CONTROL_H

struct service;
struct control;

int control_open(struct service *s, struct control **ret);
void control_close(struct control *c);

/* Each second: events to those that follow, and an end to those that are too slow. */
void control_tick(struct control *c);

#endif
