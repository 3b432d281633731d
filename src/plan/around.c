/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a job sets up around its programs, as comments of program files: a replay sets up the same. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "plan/number.h"
#include "plan/plan.h"

enum { LINE_MAX_LEN = 400 };

void plan_print_around(const struct plan *p, FILE *out)
{
	char size[32];

	for (unsigned int i = 0; i < p->nknobs; i++)
		fprintf(out, "# knob %s %s\n", p->knob[i].path, p->knob[i].value);
	for (unsigned int i = 0; i < p->npools; i++) {
		number_print_size(p->pool[i].size, size, sizeof(size));
		fprintf(out, "# pool %s %" PRIu64 "%s\n", size, p->pool[i].pages,
			p->pool[i].per_node ? " node" : "");
	}
	if (p->epoch_rounds)
		fprintf(out, "# epoch %" PRIu32 "\n", p->epoch_rounds);
}

static const char *take_knob(char *rest, struct plan_around *a)
{
	struct plan_knob *k = &a->knob[a->nknobs];
	char *value = strchr(rest, ' ');

	if (!value || !value[1])
		return "knob: PATH VALUE is expected";
	*value++ = '\0';
	if ((strncmp(rest, "/sys/", 5) != 0 && strncmp(rest, "/proc/sys/", 10) != 0) ||
		strstr(rest, ".."))
		return "knob: the path is not below /sys or /proc/sys";
	if (a->nknobs == PLAN_MAX_KNOBS)
		return "knob: too many";
	if (strlen(rest) >= sizeof(k->path) || strlen(value) >= sizeof(k->value))
		return "knob: path or value is too long";
	strcpy(k->path, rest);
	strcpy(k->value, value);
	a->nknobs++;
	return NULL;
}

static const char *take_pool(char *rest, struct plan_around *a)
{
	struct plan_pool *pool = &a->pool[a->npools];
	char *pages = strchr(rest, ' '), *node;

	if (!pages)
		return "pool: SIZE PAGES is expected";
	*pages++ = '\0';
	node = strchr(pages, ' ');
	if (node)
		*node++ = '\0';
	if (a->npools == PLAN_MAX_POOLS)
		return "pool: too many";
	if (number_parse_size(rest, &pool->size) < 0 || number_parse(pages, &pool->pages) < 0 ||
		!pool->size || (node && strcmp(node, "node") != 0))
		return "pool: SIZE PAGES, then node or nothing";
	pool->per_node = node != NULL;
	a->npools++;
	return NULL;
}

static const char *take_epoch(char *rest, struct plan_around *a)
{
	uint64_t n;

	if (number_parse(rest, &n) < 0 || !n || n > UINT32_MAX)
		return "epoch: not a number above 0";
	a->epoch_rounds = (uint32_t)n;
	return NULL;
}

static const char *take_line(char *line, struct plan_around *a)
{
	if (strncmp(line, "# knob ", 7) == 0)
		return take_knob(line + 7, a);
	if (strncmp(line, "# pool ", 7) == 0)
		return take_pool(line + 7, a);
	if (strncmp(line, "# epoch ", 8) == 0)
		return take_epoch(line + 8, a);
	return NULL;
}

int plan_parse_around(
	const char *name, const char *text, struct plan_around *ret, char *err, size_t err_size)
{
	struct plan_around a = {0};
	char line[LINE_MAX_LEN];
	unsigned int n = 1;

	for (const char *p = text; *p; n++) {
		size_t len = strcspn(p, "\n");
		const char *why = NULL;

		if (len < sizeof(line)) {
			memcpy(line, p, len);
			line[len] = '\0';
			why = take_line(line, &a);
		} else if (strncmp(p, "# knob ", 7) == 0) {
			why = "knob: path or value is too long";
		}
		if (why) {
			snprintf(err, err_size, "%.200s:%u: %s", name, n, why);
			return -EINVAL;
		}
		p += len + (p[len] == '\n');
	}
	*ret = a;
	return 0;
}
