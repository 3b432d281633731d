/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "oracle/oracle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *help;
} oracles[ORACLE_COUNT] = {
#define X(id, name, help) {#name, help},
	ORACLE_LIST(X)
#undef X
};

const char *oracle_name(enum oracle o)
{
	return oracles[o].name;
}

const char *oracle_help(enum oracle o)
{
	return oracles[o].help;
}

int oracle_find(const char *name)
{
	for (int i = 0; i < ORACLE_COUNT; i++)
		if (strcmp(oracles[i].name, name) == 0)
			return i;
	return -ENOENT;
}

void finding_clear(struct finding *f)
{
	free(f->alt);
	free(f->text);
	memset(f, 0, sizeof(*f));
}
