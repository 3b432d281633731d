/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What sunderd reads from disk: its configuration, and the state that a crash may have left damaged. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(what)                                                                               \
	do {                                                                                     \
		if (!(what)) {                                                                   \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #what); \
			abort();                                                                 \
		}                                                                                \
	} while (0)

static void check_config(const struct config *c)
{
	MUST(c->ncampaigns > 0 && c->ncampaigns <= CONFIG_MAX_CAMPAIGNS);
	for (unsigned int i = 0; i < c->ncampaigns; i++) {
		const struct config_campaign *k = &c->campaign[i];

		MUST(k->weight > 0 && k->slice_s > 0 && k->name[0]);
		MUST(config_find(c, k->name) == (int)i);
		window_is_open(&k->window, 1795564800);
	}
}

static void check_state(const uint8_t *data, size_t size)
{
	static struct state s;
	char err[STATE_ERR_MAX] = "";

	if (state_parse((const char *)data, size, &s, err) < 0) {
		MUST(err[0]);
		return;
	}
	MUST(s.ncampaigns <= CONFIG_MAX_CAMPAIGNS && s.ndeaths <= STATE_MAX_DEATHS &&
		s.slice.pid >= 0);
	for (unsigned int i = 0; i < s.ncampaigns; i++)
		MUST(s.campaign[i].boost >= 1 && s.campaign[i].pass >= 0 && s.campaign[i].name[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;
	char err[CONFIG_ERR_MAX] = "";

	if (config_parse("input.conf", (const char *)data, size, &c, err) == 0)
		check_config(&c);
	else
		MUST(err[0]);
	check_state(data, size);
	return 0;
}
