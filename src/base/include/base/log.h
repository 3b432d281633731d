/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages for people, on stderr, one line each, prefixed "sunder: ". */
#ifndef SUNDER_BASE_LOG_H
#define SUNDER_BASE_LOG_H

enum log_level { LOG_QUIET, LOG_ERROR, LOG_WARN, LOG_NOTE, LOG_DETAIL };

/* Messages above the level are dropped. Start value LOG_NOTE. Set before threads start. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* printf-style; a newline is added. Keeps errno. One write(2) a line, so processes do not mix. */
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_note(...) log_at(LOG_NOTE, __VA_ARGS__)
#define log_detail(...) log_at(LOG_DETAIL, __VA_ARGS__)

#endif
