/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text format of Prometheus, for its own scraper and for node_exporter's textfile collector. */
#ifndef SUNDER_DAEMON_METRICS_H
#define SUNDER_DAEMON_METRICS_H

struct service;

/* For free(); without time stamps. NULL: no memory. */
char *metrics_text(const struct service *s);

/* Each second: replaces the configured file when it is due. */
void metrics_textfile(struct service *s);

#endif
