/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "smaps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const fields[SMAPS_FIELDS] = {
#define X(id, name) name,
	SMAPS_LIST(X)
#undef X
};

const char *smaps_field_name(enum smaps_field f)
{
	return fields[f];
}

/* "START-END PERMS OFFSET ..." in hex. */
static bool take_header(struct smaps_vma *v, const char *line)
{
	char perms[5];
	uint64_t start, end, offset;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64, &start, &end, perms, &offset) != 4)
		return false;
	*v = (struct smaps_vma){.start = start, .end = end, .offset = offset};
	memcpy(v->perms, perms, sizeof(perms));
	v->gate = strstr(line, "[vsyscall]");
	return true;
}

static void take_flags(struct smaps_vma *v, const char *flags)
{
	v->locked = strstr(flags, " lo");
	v->mergeable = strstr(flags, " mg");
	v->hugetlb = strstr(flags, " ht");
}

static void take_field(struct smaps_vma *v, const char *name, size_t len, const char *value)
{
	for (unsigned int f = 0; f < SMAPS_FIELDS; f++) {
		if (strlen(fields[f]) != len || memcmp(fields[f], name, len) != 0)
			continue;
		v->kb[f] = strtoull(value, NULL, 10);
		v->have |= 1U << f;
		return;
	}
}

void smaps_line(void *parser, char *line)
{
	struct smaps_parser *p = parser;
	struct smaps_vma next;
	size_t word = strcspn(line, ": ");

	if (line[word] == ':') {
		if (!p->open)
			return;
		if (word == strlen("VmFlags") && memcmp(line, "VmFlags", word) == 0)
			take_flags(&p->vma, line + word);
		else
			take_field(&p->vma, line, word, line + word + 1);
		return;
	}
	if (!take_header(&next, line))
		return;
	smaps_end(p);
	p->vma = next;
	p->open = true;
}

void smaps_end(struct smaps_parser *p)
{
	if (p->open)
		p->each(p->arg, &p->vma);
	p->open = false;
}
