/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "numa_maps.h"

#include <stdlib.h>
#include <string.h>

static void take_word(struct numa_vma *v, const char *word)
{
	static const char size[] = "kernelpagesize_kB=";
	unsigned long node;
	char *end;

	if (strncmp(word, size, sizeof(size) - 1) == 0)
		v->page_kb = strtoull(word + sizeof(size) - 1, NULL, 10);
	if (word[0] != 'N' || word[1] < '0' || word[1] > '9')
		return;
	node = strtoul(word + 1, &end, 10);
	if (*end != '=' || node >= MACHINE_MAX_NODES)
		return;
	v->node[node] = strtoull(end + 1, NULL, 10);
	v->pages += v->node[node];
}

bool numa_maps_line(char *line, struct numa_vma *ret)
{
	struct numa_vma v = {0};
	char *save, *word, *end;

	word = strtok_r(line, " ", &save);
	if (!word)
		return false;
	v.start = strtoull(word, &end, 16);
	if (*end || end == word || !strtok_r(NULL, " ", &save)) /* address and policy */
		return false;
	while ((word = strtok_r(NULL, " ", &save)))
		take_word(&v, word);
	*ret = v;
	return true;
}
