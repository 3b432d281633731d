/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "events.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syslog.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

static const struct {
	const char *name;
	int priority;
} kinds[] = {[EVENT_NOTE] = {"note", LOG_INFO},
	[EVENT_SLICE] = {"slice", LOG_INFO},
	[EVENT_FINDING] = {"finding", LOG_WARNING},
	[EVENT_DEATH] = {"death", LOG_ERR},
	[EVENT_TROUBLE] = {"trouble", LOG_WARNING},
	[EVENT_CONTROL] = {"control", LOG_INFO}};

/* True if stderr is what systemd says is the journal (JOURNAL_STREAM of systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	const char *named = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return named && sscanf(named, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* Text of a finding or a log may have anything in it. */
static void clean(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = ' ';
}

static void tell(const struct event *x)
{
	char line[EVENT_TEXT_MAX + 64];
	int n;

	if (stderr_is_journal() &&
		sd_journal_send("MESSAGE=%s%s%s", x->campaign, x->campaign[0] ? ": " : "", x->text,
			"PRIORITY=%i", kinds[x->kind].priority, "SUNDER_EVENT=%s",
			kinds[x->kind].name, "SUNDER_CAMPAIGN=%s", x->campaign,
			"SUNDER_SEED=%" PRIu64, x->seed, NULL) == 0)
		return;
	n = snprintf(line, sizeof(line), "sunderd: %s%s%s\n", x->campaign,
		x->campaign[0] ? ": " : "", x->text);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0) {
		/* Nowhere left to say it. */
	}
}

void events_add(struct events *e, enum event_kind kind, const char *campaign, uint64_t seed,
	const char *fmt, ...)
{
	struct event *x = &e->kept[e->count % EVENTS_KEPT];
	va_list ap;

	*x = (struct event){.number = ++e->count, .time = time(NULL), .kind = kind, .seed = seed};
	snprintf(x->campaign, sizeof(x->campaign), "%s", campaign ? campaign : "");
	va_start(ap, fmt);
	vsnprintf(x->text, sizeof(x->text), fmt, ap);
	va_end(ap);
	clean(x->text);
	tell(x);
}

const struct event *events_get(const struct events *e, uint64_t number)
{
	if (!number || number > e->count || number + EVENTS_KEPT <= e->count)
		return NULL;
	return &e->kept[(number - 1) % EVENTS_KEPT];
}

/* A string that was cut in the middle of a character, or never was UTF-8. */
static json_t *text_json(const char *text)
{
	json_t *j = json_string(text);
	char copy[EVENT_TEXT_MAX];

	if (j)
		return j;
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(copy);
}

json_t *event_json(const struct event *e)
{
	char seed[24];

	snprintf(seed, sizeof(seed), "%" PRIu64, e->seed);
	return json_pack("{s:I, s:I, s:s, s:s, s:o, s:o}", "number", (json_int_t)e->number, "time",
		(json_int_t)e->time, "kind", kinds[e->kind].name, "campaign", e->campaign, "seed",
		e->seed ? json_string(seed) : json_null(), "text", text_json(e->text));
}
