/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's messages: whatever comes, it is a request within its bounds, or an error with a reason. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(what)                                                                               \
	do {                                                                                     \
		if (!(what)) {                                                                   \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #what); \
			abort();                                                                 \
		}                                                                                \
	} while (0)

/* A request says the same when it is said again. */
static void check_again(const struct message *m)
{
	char err[MESSAGE_ERR_MAX], *line = message_format(m);
	struct message again;

	MUST(line);
	MUST(message_parse(line, strlen(line) - 1, &again, err) == 0);
	MUST(memcmp(m, &again, sizeof(again)) == 0);
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char err[MESSAGE_ERR_MAX] = "";
	struct message m;

	if (message_parse((const char *)data, size, &m, err) < 0) {
		MUST(err[0] && strlen(err) < sizeof(err));
		return 0;
	}
	MUST(m.lines <= MESSAGE_TAIL_MAX && strlen(m.name) < sizeof(m.name));
	check_again(&m);
	return 0;
}
