/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page and the metrics, for reading only, on the configured address. Visitors are served in the daemon's own loop; how many there
 * are, how long they may take and what is kept for them is bounded.
 */
#ifndef SUNDER_DAEMON_HTTP_H
#define SUNDER_DAEMON_HTTP_H

struct service;
struct http;

/* Listens where the configuration says, or no more; what fails is told. */
void http_reload(struct service *s);
void http_close(struct http *h);

#endif
