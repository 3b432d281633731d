/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger_entry.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

enum { WORDS_MAX = 8, FILE_MAX = 64 << 20 };

static const char *const kind_names[ENTRY_KINDS] = {"knob", "pool", "mount", "dir", "file", "swap"};

const char *entry_kind_name(enum entry_kind kind)
{
	return kind_names[kind];
}

static uint32_t crc32(const char *data, size_t len)
{
	uint32_t crc = ~0U;

	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return ~crc;
}

static void put_escaped(FILE *f, const char *word)
{
	if (!*word)
		fputc('%', f);
	for (; *word; word++) {
		unsigned char c = (unsigned char)*word;

		if (c > ' ' && c < 0x7f && c != '%')
			fputc(c, f);
		else
			fprintf(f, "%%%02X", c);
	}
}

/* In place; false if the word is not one that put_escaped() writes. */
static bool unescape(char *word)
{
	char *to = word;

	if (!strcmp(word, "%")) {
		*word = '\0';
		return true;
	}
	while (*word) {
		unsigned int c;

		if (*word != '%') {
			*to++ = *word++;
			continue;
		}
		if (!isxdigit((unsigned char)word[1]) || !isxdigit((unsigned char)word[2]) ||
			sscanf(word + 1, "%2x", &c) != 1 || c == 0)
			return false;
		*to++ = (char)c;
		word += 3;
	}
	*to = '\0';
	return true;
}

static void put_record(FILE *f, va_list words)
{
	_cleanup_free_ char *line = NULL;
	const char *word, *space = "";
	size_t len = 0;
	FILE *m = open_memstream(&line, &len);

	if (!m)
		return;
	while ((word = va_arg(words, const char *))) {
		fputs(space, m);
		put_escaped(m, word);
		space = " ";
	}
	if (fclose(m) == 0)
		fprintf(f, "%08x %s\n", crc32(line, len), line);
}

/* Adds one record to the text; the words end with NULL. */
static void put(FILE *f, ...)
{
	va_list words;

	va_start(words, f);
	put_record(f, words);
	va_end(words);
}

/* This process, as the owner is recorded. */
static void owner_words(char pid[static 16], char start[static 32])
{
	snprintf(pid, 16, "%d", getpid());
	snprintf(start, 32, "%llu", process_start(getpid()));
}

static void put_entry(FILE *f, const struct entry *e)
{
	char seq[16];

	snprintf(seq, sizeof(seq), "%u", e->seq);
	put(f, "+", seq, e->boot, kind_names[e->kind], e->path, e->old, e->ours[0], NULL);
	for (size_t i = 1; i < e->nours; i++)
		put(f, "=", seq, e->ours[i], NULL);
	if (!e->pending)
		put(f, ".", seq, e->ours[0], NULL);
}

static int write_at(int fd, const char *data, size_t len, off_t where)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, where);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		where += n;
		len -= (size_t)n;
	}
	return 0;
}

static int sync_file(int fd)
{
	/*
	 * EINVAL: a filesystem that has nothing to sync to; what it holds is as durable as it gets.
	 */
	return fdatasync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

/*
 * Appends the text and, on any failure, takes it back, so that no half record stays in the middle.
 */
static int append(struct ledger *l, const char *text, size_t len, bool durable)
{
	int r = write_at(l->fd, text, len, l->end);

	if (r == 0 && durable)
		r = sync_file(l->fd);
	if (r < 0) {
		if (ftruncate(l->fd, l->end) < 0)
			return -errno;
		return r;
	}
	l->end += (off_t)len;
	return 0;
}

/* One record; the words end with NULL. */
static int append_record(struct ledger *l, int durable, ...)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	va_list words;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return -ENOMEM;
	va_start(words, durable);
	put_record(f, words);
	va_end(words);
	if (fclose(f) != 0 || len == 0)
		return -ENOMEM;
	return append(l, text, len, durable);
}

int ledger_own(struct ledger *l)
{
	char pid[16], start[32];
	int r;

	owner_words(pid, start);
	r = append_record(l, true, "owner", pid, start, NULL);
	l->owned = r == 0;
	return r;
}

int ledger_rewrite(struct ledger *l)
{
	_cleanup_free_ char *text = NULL;
	char pid[16], start[32];
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r;

	if (!f)
		return -ENOMEM;
	if (l->owned) {
		owner_words(pid, start);
		put(f, "owner", pid, start, NULL);
	}
	for (size_t i = 0; i < l->nentries; i++)
		put_entry(f, &l->entry[i]);
	if (fclose(f) != 0)
		return -ENOMEM;
	r = write_at(l->fd, text, len, 0);
	if (r < 0)
		return r;
	if (ftruncate(l->fd, (off_t)len) < 0)
		return -errno;
	l->end = (off_t)len;
	return sync_file(l->fd);
}

static void entry_free(struct entry *e)
{
	for (size_t i = 0; i < e->nours; i++)
		free(e->ours[i]);
	free(e->ours);
	free(e->boot);
	free(e->path);
	free(e->old);
}

void ledger_drop_entries(struct ledger *l)
{
	for (size_t i = 0; i < l->nentries; i++)
		entry_free(&l->entry[i]);
	free(l->entry);
	l->entry = NULL;
	l->nentries = 0;
}

static void entry_remove(struct ledger *l, struct entry *e)
{
	size_t after = l->nentries - (size_t)(e - l->entry) - 1;

	entry_free(e);
	memmove(e, e + 1, after * sizeof(*e));
	l->nentries--;
}

static int entry_add_value(struct entry *e, const char *value)
{
	char **grown = reallocarray(e->ours, e->nours + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	e->ours = grown;
	e->ours[e->nours] = strdup(value);
	if (!e->ours[e->nours])
		return -ENOMEM;
	e->nours++;
	return 0;
}

static int entry_store(struct ledger *l, unsigned int seq, const char *boot, enum entry_kind kind,
	const char *path, const char *old, const char *new_value)
{
	struct entry *grown = reallocarray(l->entry, l->nentries + 1, sizeof(*grown));
	struct entry *e;

	if (!grown)
		return -ENOMEM;
	l->entry = grown;
	e = &l->entry[l->nentries];
	*e = (struct entry){.seq = seq,
		.kind = kind,
		.pending = true,
		.boot = strdup(boot),
		.path = strdup(path),
		.old = strdup(old)};
	if (!e->boot || !e->path || !e->old || entry_add_value(e, new_value) < 0) {
		entry_free(e);
		return -ENOMEM;
	}
	l->nentries++;
	if (seq >= l->next_seq)
		l->next_seq = seq + 1;
	return 0;
}

int entry_add(struct ledger *l, enum entry_kind kind, const char *path, const char *old,
	const char *new_value, struct entry **ret)
{
	char seq[16];
	struct entry *e;
	int r = entry_store(l, l->next_seq, l->boot, kind, path, old, new_value);

	if (r < 0)
		return r;
	e = &l->entry[l->nentries - 1];
	snprintf(seq, sizeof(seq), "%u", e->seq);
	r = append_record(l, true, "+", seq, e->boot, kind_names[kind], path, old, new_value, NULL);
	if (r < 0) {
		entry_remove(l, e);
		return r;
	}
	*ret = e;
	return 0;
}

bool entry_knows(const struct entry *e, const char *value)
{
	if (!strcmp(e->old, value))
		return true;
	for (size_t i = 0; i < e->nours; i++)
		if (!strcmp(e->ours[i], value))
			return true;
	return false;
}

int entry_extend(struct ledger *l, struct entry *e, const char *new_value)
{
	char seq[16];
	int r;

	if (entry_knows(e, new_value))
		return 0;
	snprintf(seq, sizeof(seq), "%u", e->seq);
	r = append_record(l, true, "=", seq, new_value, NULL);
	if (r < 0)
		return r;
	e->pending = true;
	return entry_add_value(e, new_value);
}

void entry_confirm(struct ledger *l, struct entry *e, const char *now)
{
	char seq[16];

	/* Held: what others write next is ours as well. */
	if (entry_knows(e, ENTRY_HELD) || (!e->pending && entry_knows(e, now)))
		return;
	snprintf(seq, sizeof(seq), "%u", e->seq);
	/*
	 * Not durable: a crash of the kernel takes the knobs with it, and a kill leaves the page
	 * cache.
	 */
	if (append_record(l, false, ".", seq, now, NULL) < 0)
		return;
	e->pending = !entry_knows(e, now) && entry_add_value(e, now) < 0;
}

void entry_done(struct ledger *l, struct entry *e)
{
	char seq[16];

	snprintf(seq, sizeof(seq), "%u", e->seq);
	/* Not durable, and may fail: undoing twice changes nothing. */
	(void)append_record(l, false, "-", seq, NULL);
	entry_remove(l, e);
}

struct entry *entry_find(struct ledger *l, enum entry_kind kind, const char *path)
{
	for (size_t i = l->nentries; i-- > 0;)
		if (l->entry[i].kind == kind && !strcmp(l->entry[i].path, path))
			return &l->entry[i];
	return NULL;
}

static struct entry *entry_by_seq(struct ledger *l, const char *seq)
{
	unsigned long n = strtoul(seq, NULL, 10);

	for (size_t i = l->nentries; i-- > 0;)
		if (l->entry[i].seq == n)
			return &l->entry[i];
	return NULL;
}

static int apply_added(struct ledger *l, char **w)
{
	for (int kind = 0; kind < ENTRY_KINDS; kind++)
		if (!strcmp(w[3], kind_names[kind]))
			return entry_store(l, (unsigned int)strtoul(w[1], NULL, 10), w[2],
				(enum entry_kind)kind, w[4], w[5], w[6]);
	return -EBADMSG;
}

/* Applies one verified record. -EBADMSG: not a record of ours. */
static int apply_record(struct ledger *l, struct ledger_state *st, char **w, int n)
{
	struct entry *e;

	if (n == 3 && !strcmp(w[0], "owner")) {
		st->owner = (pid_t)strtol(w[1], NULL, 10);
		st->owner_start = strtoull(w[2], NULL, 10);
		return 0;
	}
	if (n == 7 && !strcmp(w[0], "+"))
		return apply_added(l, w);
	if (n < 2 || strlen(w[0]) != 1 || !strchr("=.-", w[0][0]) || n != (w[0][0] == '-' ? 2 : 3))
		return -EBADMSG;
	e = entry_by_seq(l, w[1]);
	if (!e)
		return 0; /* its "+" is among the lost records, which are told as corruption */
	if (w[0][0] == '-') {
		entry_remove(l, e);
		return 0;
	}
	e->pending = w[0][0] == '=';
	return entry_knows(e, w[2]) ? 0 : entry_add_value(e, w[2]);
}

/* 0, -EBADMSG or -ENOMEM. The line has no newline and is changed. */
static int parse_line(struct ledger *l, struct ledger_state *st, char *line, size_t len)
{
	char *w[WORDS_MAX], *end, *text = line + 9;
	int n = 0;

	if (len < 10 || line[8] != ' ' || memchr(line, '\0', len))
		return -EBADMSG;
	line[8] = '\0';
	if (strtoul(line, &end, 16) != crc32(text, len - 9) || end != line + 8)
		return -EBADMSG;
	for (char *save, *word = strtok_r(text, " ", &save); word;
		word = strtok_r(NULL, " ", &save)) {
		if (n == WORDS_MAX || !unescape(word))
			return -EBADMSG;
		w[n++] = word;
	}
	return apply_record(l, st, w, n);
}

static int read_all(int fd, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *data = NULL;
	struct stat st;
	size_t used = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > FILE_MAX)
		return -EFBIG;
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ENOMEM;
	while (used < (size_t)st.st_size) {
		ssize_t n = pread(fd, data + used, (size_t)st.st_size - used, (off_t)used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	data[used] = '\0';
	*ret = TAKE_PTR(data);
	*ret_len = used;
	return 0;
}

int ledger_load(struct ledger *l, struct ledger_state *ret)
{
	_cleanup_free_ char *data = NULL;
	struct ledger_state st = {0};
	size_t len = 0, bad = 0, torn_at = 0;
	bool last_bad = false;
	int r = read_all(l->fd, &data, &len);

	if (r < 0)
		return r;
	for (char *line = data, *next; line < data + len; line = next) {
		char *nl = memchr(line, '\n', (size_t)(data + len - line));

		next = nl ? nl + 1 : data + len;
		if (nl)
			*nl = '\0';
		r = nl ? parse_line(l, &st, line, (size_t)(nl - line)) : -EBADMSG;
		if (r == -ENOMEM)
			return r;
		last_bad = r < 0;
		if (last_bad) {
			bad++;
			torn_at = (size_t)(line - data);
		}
	}
	st.corrupt = bad > (last_bad ? 1 : 0);
	l->end = (off_t)(last_bad ? torn_at : len);
	*ret = st;
	return 0;
}
