/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SUNDER_MAIN_WATCH_H
#define SUNDER_MAIN_WATCH_H

/* `sunder status --watch`: the whole terminal, until q or a signal; it is left as it was found. The exit code. */
int watch_status(const char *socket);

#endif
