/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One table of keys a section. inih cuts lines into keys and values; places and sections are found in its reader. */
#include "daemon/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "op/op.h"
#include "plan/line.h"
#include "plan/number.h"
#include "plan/suggest.h"

enum { LINE_BYTES = 2048, NS_PER_S = 1000000000, CPUS_MAX = 4096 };

struct reader {
	struct config *c;
	FILE *in;
	unsigned int line;
	int campaign; /* index; -1: [daemon]; -2: no section yet */
	bool pending; /* inih has a line and has not found a key in it */
	bool check_files;
	uint64_t seen[2]; /* bits of the keys given in this section, and in [daemon] */
	char *err;
	int error;
};

static int wrong_at(struct reader *r, unsigned int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int wrong_at(struct reader *r, unsigned int line, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (r->error)
		return r->error;
	r->error = -EINVAL;
	n = snprintf(r->err, CONFIG_ERR_MAX, "%s:%u: ", r->c->file, line ? line : 1);
	if (n < 0 || n >= CONFIG_ERR_MAX)
		return r->error;
	va_start(ap, fmt);
	vsnprintf(r->err + n, CONFIG_ERR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return r->error;
}

#define wrong(r, ...) wrong_at(r, (r)->line, __VA_ARGS__)

/* ---- values ---- */

struct key {
	const char *name;
	int (*take)(struct reader *r, const struct key *k, void *at, const char *value);
	size_t offset, size;
};

static int take_text(struct reader *r, const struct key *k, void *at, const char *value)
{
	if (strlen(value) >= k->size)
		return wrong(r, "%s is longer than %zu bytes", k->name, k->size - 1);
	snprintf(at, k->size, "%s", value);
	return 0;
}

static int take_path(struct reader *r, const struct key *k, void *at, const char *value)
{
	if (*value != '/')
		return wrong(r, "%s is not an absolute path: %.80s", k->name, value);
	return take_text(r, k, at, value);
}

static int take_seed(struct reader *r, const struct key *k, void *at, const char *value)
{
	if (number_parse(value, at) < 0 || !*(uint64_t *)at)
		return wrong(r, "%s is not a number from 1 to 18446744073709551615: %.40s", k->name,
			value);
	return 0;
}

static int take_seconds(struct reader *r, const struct key *k, void *at, const char *value)
{
	uint64_t ns;

	if (number_parse_time(value, NS_PER_S, &ns) < 0 || ns < NS_PER_S ||
		ns > 86400ULL * NS_PER_S)
		return wrong(r, "%s is not a time from 1s to 1d: %.40s", k->name, value);
	*(uint64_t *)at = ns / NS_PER_S;
	return 0;
}

static int take_size(struct reader *r, const struct key *k, void *at, const char *value)
{
	if (number_parse_size(value, at) < 0 || *(uint64_t *)at < 1 << 20)
		return wrong(r, "%s is not a size of at least 1M: %.40s", k->name, value);
	return 0;
}

static int take_percent(struct reader *r, const struct key *k, void *at, const char *value)
{
	char *end;
	unsigned long v = strtoul(value, &end, 10);

	if (*value < '1' || *value > '9' || strcmp(end, "%") != 0 || v > 100 * CPUS_MAX)
		return wrong(r, "%s is not such as 50%% (half a CPU) or 400%% (four): %.40s",
			k->name, value);
	*(unsigned int *)at = (unsigned int)v;
	return 0;
}

static int take_cpus(struct reader *r, const struct key *k, void *at, const char *value)
{
	static bool set[CPUS_MAX];

	if (number_parse_list(value, set, CPUS_MAX) < 0)
		return wrong(r, "%s is not a list such as 0-3,8: %.80s", k->name, value);
	return take_text(r, k, at, value);
}

static int take_yes(struct reader *r, const struct key *k, void *at, const char *value)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return wrong(r, "%s is yes or no, not %.40s", k->name, value);
	*(bool *)at = *value == 'y';
	return 0;
}

static int take_count(struct reader *r, const struct key *k, void *at, const char *value)
{
	uint64_t v;

	if (number_parse(value, &v) < 0 || !v || v > 1000)
		return wrong(r, "%s is not a number from 1 to 1000: %.40s", k->name, value);
	*(unsigned int *)at = (unsigned int)v;
	return 0;
}

static int take_weight(struct reader *r, const struct key *k, void *at, const char *value)
{
	char *end;
	double v = strtod(value, &end);

	if (*value < '0' || *value > '9' || *end || !(v >= 0.01 && v <= 1000))
		return wrong(r, "%s is not a number from 0.01 to 1000: %.40s", k->name, value);
	*(double *)at = v;
	return 0;
}

/* One of a list of words, NULL at the end; its index. */
static int take_word(struct reader *r, const struct key *k, void *at, const char *value,
	const char *const *words)
{
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;

	suggest_start(&s, value);
	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], value) == 0) {
			*(int *)at = i;
			return 0;
		}
		suggest_try(&s, words[i]);
	}
	return wrong(r, "%s is none of those that are known: %.40s%s", k->name, value,
		suggest_text(&s, hint));
}

static const char *const oops_words[] = {"hold", "reboot", "go-on", NULL};
static const char *const type_words[] = {"run", "fuzz", NULL};

static int take_oops(struct reader *r, const struct key *k, void *at, const char *value)
{
	return take_word(r, k, at, value, oops_words);
}

static int take_type(struct reader *r, const struct key *k, void *at, const char *value)
{
	return take_word(r, k, at, value, type_words);
}

static int take_allow(struct reader *r, const struct key *k, void *at, const char *value)
{
	char copy[CONFIG_TEXT_MAX], *cursor = copy, *word;

	snprintf(copy, sizeof(copy), "%s", value);
	while ((word = strsep(&cursor, ",")))
		if (hazard_find(word) < 0)
			return wrong(r,
				"%s knows safe, root, disruptive and destructive, not \"%.40s\"",
				k->name, word);
	return take_text(r, k, at, value);
}

static int take_window(struct reader *r, const struct key *k, void *at, const char *value)
{
	struct config_campaign *c = at;
	const char *why;

	if (strlen(value) >= sizeof(c->window_text))
		return wrong(r, "%s is too long", k->name);
	if (window_parse(value, &c->window, &why) < 0)
		return wrong(r, "%s: %s: %.80s", k->name, why, value);
	snprintf(c->window_text, sizeof(c->window_text), "%s", value);
	return 0;
}

/* PORT (of 127.0.0.1), ADDRESS:PORT or [ADDRESS]:PORT; numbers only, nothing is looked up. */
static int take_listen(struct reader *r, const struct key *k, void *at, const char *value)
{
	const char *colon = strrchr(value, ':'), *port = colon ? colon + 1 : value;
	char host[64] = "127.0.0.1";
	struct in6_addr address;
	uint64_t v;

	if (colon)
		snprintf(host, sizeof(host), "%.*s", (int)(colon - value), value);
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		memmove(host, host + 1, strlen(host));
	}
	if (inet_pton(AF_INET, host, &address) != 1 && inet_pton(AF_INET6, host, &address) != 1)
		return wrong(r, "%s: not an address in numbers: %.60s", k->name, host);
	if (number_parse(port, &v) < 0 || !v || v > 65535)
		return wrong(r, "%s: not a port from 1 to 65535: %.40s", k->name, port);
	snprintf(r->c->listen_host, sizeof(r->c->listen_host), "%s", host);
	r->c->listen_port = (unsigned int)v;
	return 0;
}

static int take_job(struct reader *r, const struct key *k, void *at, const char *value)
{
	if (!*value)
		return wrong(r, "%s is empty", k->name);
	return take_text(r, k, at, value);
}

#define DAEMON(member) offsetof(struct config, member), sizeof(((struct config *)0)->member)
#define CAMPAIGN(member) \
	offsetof(struct config_campaign, member), sizeof(((struct config_campaign *)0)->member)

static const struct key daemon_keys[] = {
	{"state", take_path, DAEMON(state)},
	{"work", take_path, DAEMON(work)},
	{"jobs", take_path, DAEMON(jobs)},
	{"sunder", take_path, DAEMON(sunder)},
	{"tmp", take_path, DAEMON(tmp)},
	{"socket", take_path, DAEMON(socket)},
	{"group", take_text, DAEMON(group)},
	{"listen", take_listen, 0, 0},
	{"textfile", take_path, DAEMON(textfile)},
	{"seed", take_seed, DAEMON(seed)},
	{"slice", take_seconds, DAEMON(slice_s)},
	{"disk", take_size, DAEMON(disk)},
	{"memory", take_size, DAEMON(memory)},
	{"cpu", take_percent, DAEMON(cpu_percent)},
	{"cpus", take_cpus, DAEMON(cpus)},
	{"adapt", take_yes, DAEMON(adapt)},
	{"on_oops", take_oops, DAEMON(on_oops)},
	{"deaths", take_count, DAEMON(deaths)},
};

static const struct key campaign_keys[] = {
	{"type", take_type, CAMPAIGN(type)},
	{"job", take_job, CAMPAIGN(job)},
	{"weight", take_weight, CAMPAIGN(weight)},
	{"slice", take_seconds, CAMPAIGN(slice_s)},
	{"window", take_window, 0, 0},
	{"allow", take_allow, CAMPAIGN(allow)},
	{"options", take_text, CAMPAIGN(options)},
};

static int set_key(struct reader *r, const char *name, const char *value)
{
	bool daemon = r->campaign < 0;
	const struct key *keys = daemon ? daemon_keys : campaign_keys;
	size_t n = daemon ? ARRAY_SIZE(daemon_keys) : ARRAY_SIZE(campaign_keys);
	char *base = daemon ? (char *)r->c : (char *)&r->c->campaign[r->campaign];
	char hint[SUGGEST_TEXT_MAX];
	struct suggest s;

	if (r->campaign == -2)
		return wrong(r,
			"\"%.40s\" stands before the first section; [daemon] or [campaign NAME] is "
			"expected",
			name);
	suggest_start(&s, name);
	for (size_t i = 0; i < n; i++) {
		uint64_t *seen = &r->seen[daemon];

		suggest_try(&s, keys[i].name);
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (*seen >> i & 1)
			return wrong(r, "%s is given twice", name);
		*seen |= 1ULL << i;
		return keys[i].take(r, &keys[i], base + keys[i].offset, value);
	}
	return wrong(r, "[%s] has no key \"%.40s\"%s", daemon ? "daemon" : "campaign", name,
		suggest_text(&s, hint));
}

/* ---- sections ---- */

/* It names directories, and labels of metrics. */
static bool name_is_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n > 0 && n < CONFIG_NAME_MAX && !name[n] && name[0] != '-';
}

static int open_campaign(struct reader *r, const char *name)
{
	struct config_campaign *c = &r->c->campaign[r->c->ncampaigns];
	int known;

	if (!name || !name_is_valid(name))
		return wrong(r,
			"a campaign's name is 1 to %d letters, digits, - and _: [campaign NAME]",
			CONFIG_NAME_MAX - 1);
	known = config_find(r->c, name);
	if (known >= 0)
		return wrong(r, "a second [campaign %s]; the first is at line %u", name,
			r->c->campaign[known].line);
	if (r->c->ncampaigns == CONFIG_MAX_CAMPAIGNS)
		return wrong(r, "more than %d campaigns", CONFIG_MAX_CAMPAIGNS);
	*c = (struct config_campaign){.weight = 1, .line = r->line};
	snprintf(c->name, sizeof(c->name), "%s", name);
	r->campaign = (int)r->c->ncampaigns++;
	r->seen[0] = 0;
	return 0;
}

static int open_section(struct reader *r, char *text)
{
	char *end = strchr(text, ']'), *cursor = text + 1, *kind, *name, hint[SUGGEST_TEXT_MAX];
	struct suggest s;

	if (!end || (end[1] && end[1 + strspn(end + 1, " \t")] &&
			    !strchr("#;", end[1 + strspn(end + 1, " \t")])))
		return wrong(r, "a section is [daemon] or [campaign NAME]");
	*end = '\0';
	kind = line_word(&cursor, "");
	name = kind ? line_word(&cursor, "") : NULL;
	if (!kind || line_word(&cursor, ""))
		return wrong(r, "a section is [daemon] or [campaign NAME]");
	if (strcmp(kind, "campaign") == 0)
		return open_campaign(r, name);
	if (strcmp(kind, "daemon") == 0 && !name) {
		r->campaign = -1;
		return 0;
	}
	suggest_start(&s, kind);
	suggest_try(&s, "daemon");
	suggest_try(&s, "campaign");
	return wrong(r, "there is no section [%.40s]%s", kind, suggest_text(&s, hint));
}

/* ---- lines ---- */

/* A line without its end; false at the end of the file, or if it is too long. */
static bool raw_line(struct reader *r, char *buf, size_t *ret_len)
{
	size_t len = 0;
	int c;

	while ((c = getc_unlocked(r->in)) != EOF && c != '\n') {
		if (len == LINE_BYTES - 1) {
			wrong(r, "the line is longer than %d bytes", LINE_BYTES - 1);
			return false;
		}
		buf[len++] = (char)c;
	}
	if (c == EOF && !len)
		return false;
	if (len && buf[len - 1] == '\r')
		len--;
	buf[len] = '\0';
	*ret_len = len;
	return true;
}

static char *read_line(char *str, int size, void *stream)
{
	struct reader *r = stream;
	char raw[LINE_BYTES], *text = raw;
	const char *why;
	size_t len;

	if (r->pending)
		wrong(r, "neither \"key = value\" nor [section]");
	if (r->error)
		return NULL;
	r->line++;
	if (!raw_line(r, raw, &len))
		return NULL;
	if (r->line == 1 && strncmp(raw, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	why = line_wrong(text, len);
	if (why) {
		wrong(r, "%s", why);
		return NULL;
	}
	text += strspn(text, " \t");
	str[0] = '\n';
	str[1] = '\0';
	if (*text == '[') {
		open_section(r, text);
	} else if (*text && *text != '#' && *text != ';') {
		r->pending = true;
		snprintf(str, (size_t)size, "%s", text);
	}
	return r->error ? NULL : str;
}

static int on_key(void *user, const char *section, const char *key, const char *value)
{
	struct reader *r = user;

	(void)section;
	r->pending = false;
	if (!r->error)
		set_key(r, key, value);
	return 1;
}

/* ---- all of it ---- */

bool config_job_path(const struct config *c, const char *name, char *buf, size_t size)
{
	if (!*name || *name == '.' || strchr(name, '/'))
		return false;
	return (size_t)snprintf(buf, size, "%s/%s", c->jobs, name) < size;
}

static void check_campaign(struct reader *r, struct config_campaign *c)
{
	char path[CONFIG_PATH_MAX + CONFIG_PATH_MAX];
	struct stat st;

	if (!c->job[0] && c->type == CAMPAIGN_RUN) {
		wrong_at(r, c->line, "[campaign %s] has no job", c->name);
		return;
	}
	if (!c->slice_s)
		c->slice_s = r->c->slice_s;
	if (!c->job[0])
		return;
	if (c->job[0] != '/') {
		if (!config_job_path(r->c, c->job, path, sizeof(path)) ||
			strlen(path) >= sizeof(c->job)) {
			wrong_at(r, c->line,
				"[campaign %s]: job is an absolute path, or a name in %s: %.80s",
				c->name, r->c->jobs, c->job);
			return;
		}
		memcpy(c->job, path, strlen(path) + 1);
	}
	if (r->check_files && (stat(c->job, &st) < 0 || !S_ISREG(st.st_mode)))
		wrong_at(r, c->line, "[campaign %s]: job %s: %s", c->name, c->job,
			stat(c->job, &st) < 0 ? strerror(errno) : "not a file");
}

static int parse_stream(
	const char *file, FILE *in, bool check_files, struct config *ret, char err[CONFIG_ERR_MAX])
{
	struct config *c = calloc(1, sizeof(*c));
	struct reader r = {
		.c = c, .in = in, .campaign = -2, .check_files = check_files, .err = err};

	if (!c)
		return -ENOMEM;
	*c = (struct config){.state = "/var/lib/sunder",
		.jobs = "/usr/share/sunder/workloads",
		.socket = "/run/sunder/control",
		.group = "",
		.slice_s = 600,
		.disk = 10ULL << 30,
		.adapt = true,
		.deaths = 2};
	snprintf(c->file, sizeof(c->file), "%s", file);
	ini_max_line = LINE_BYTES + 2;
	ini_initial_alloc = LINE_BYTES + 2;
	ini_use_stack = false;
	ini_allow_multiline = false;
	ini_inline_comment_prefixes = (char *)";#";
	if (in && ini_parse_stream(read_line, &r, on_key, &r) == -2)
		r.error = -ENOMEM;
	if (r.pending)
		wrong(&r, "neither \"key = value\" nor [section]");
	if (!c->work[0] && (size_t)snprintf(c->work, sizeof(c->work), "%s/daemon", c->state) >=
				   sizeof(c->work))
		wrong(&r, "state is too long");
	for (unsigned int i = 0; i < c->ncampaigns && !r.error; i++)
		check_campaign(&r, &c->campaign[i]);
	if (!r.error && !c->ncampaigns)
		wrong(&r, "there is no [campaign NAME]: nothing to run");
	if (!r.error)
		*ret = *c;
	free(c);
	return r.error;
}

int config_parse(const char *file, const char *text, size_t len, struct config *ret,
	char err[CONFIG_ERR_MAX])
{
	_cleanup_fclose_ FILE *in = len ? fmemopen((void *)text, len, "r") : NULL;

	return parse_stream(file, in, false, ret, err);
}

int config_load(const char *file, struct config *ret, char err[CONFIG_ERR_MAX])
{
	_cleanup_fclose_ FILE *in = fopen(file, "re");
	struct stat st;

	if (!in || fstat(fileno(in), &st) < 0 || !S_ISREG(st.st_mode)) {
		int e = in ? EINVAL : errno;

		snprintf(err, CONFIG_ERR_MAX, "%.256s: %s", file, in ? "not a file" : strerror(e));
		return -e;
	}
	return parse_stream(file, in, true, ret, err);
}

int config_find(const struct config *c, const char *name)
{
	for (unsigned int i = 0; i < c->ncampaigns; i++)
		if (strcmp(c->campaign[i].name, name) == 0)
			return (int)i;
	return -1;
}

const char *campaign_type_name(enum campaign_type t)
{
	return type_words[t];
}
