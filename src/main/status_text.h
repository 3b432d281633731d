/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sunderd's status document for people. */
#ifndef SUNDER_MAIN_STATUS_TEXT_H
#define SUNDER_MAIN_STATUS_TEXT_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

enum { STATUS_WORD_MAX = 32 };

/* All of it, as `sunder status` prints it. */
void status_text(const json_t *doc, FILE *out);

/* Parts: text without control characters in buf; "" where there is none. */
const char *status_get(const json_t *doc, const char *key, char *buf, size_t size);
double status_number(const json_t *doc, const char *key);

/* 1234567 -> "1.23 M"; seconds -> "2 h 5 min"; bytes -> "1.5 GiB". Return buf. */
const char *status_amount(double v, char buf[STATUS_WORD_MAX]);
const char *status_span(double seconds, char buf[STATUS_WORD_MAX]);
const char *status_bytes(double v, char buf[STATUS_WORD_MAX]);

#endif
