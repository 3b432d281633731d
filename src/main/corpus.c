/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "corpus.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "exec/flight.h"
#include "plan/program.h"

enum { ENTRY_MAX = 1 << 20 };

unsigned char *corpus_slurp(const char *path, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	unsigned char *data;
	size_t len = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode) || st.st_size > 64 << 20) {
		errno = EFBIG;
		return NULL;
	}
	data = malloc((size_t)st.st_size + 1);
	while (data && len < (size_t)st.st_size) {
		ssize_t n = read(fd, data + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (data)
		data[len] = '\0';
	*ret_len = len;
	return data;
}

uint64_t corpus_key(const unsigned char *bytes, size_t len)
{
	_cleanup_free_ struct program *p = malloc(sizeof(*p));
	_cleanup_free_ unsigned char *canonical = malloc(PROGRAM_MAX_BYTES);
	ssize_t n;

	if (!p || !canonical)
		return XXH64(bytes, len, 0);
	program_decode(p, bytes, len);
	n = program_encode(p, canonical, PROGRAM_MAX_BYTES);
	return n < 0 ? XXH64(bytes, len, 0) : XXH64(canonical, (size_t)n, 0);
}

/* ---- programs that killed the kernel ---- */

int kills_read(const char *dir, struct kills *ret)
{
	char path[PATH_MAX];
	const char *key;
	json_t *doc, *times;

	memset(ret, 0, sizeof(*ret));
	snprintf(path, sizeof(path), "%s/kills.json", dir);
	if (access(path, F_OK) < 0)
		return errno == ENOENT ? 0 : -errno;
	doc = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(doc)) {
		json_decref(doc);
		return -EBADMSG;
	}
	json_object_foreach(doc, key, times)
	{
		if (ret->n == KILLS_MAX || !json_is_integer(times))
			break;
		ret->of[ret->n].key = strtoull(key, NULL, 16);
		ret->of[ret->n].times = (unsigned int)json_integer_value(times);
		ret->n++;
	}
	json_decref(doc);
	return 0;
}

int kills_write(const char *dir, const struct kills *k)
{
	json_t *doc = json_object();
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX], key[20];

	for (unsigned int i = 0; i < k->n; i++) {
		snprintf(key, sizeof(key), "%016" PRIx64, k->of[i].key);
		json_object_set_new(doc, key, json_integer(k->of[i].times));
	}
	text = json_dumps(doc, JSON_INDENT(1));
	json_decref(doc);
	snprintf(path, sizeof(path), "%s/kills.json", dir);
	return text ? path_publish(path, text, strlen(text)) : -ENOMEM;
}

unsigned int kills_add(struct kills *k, uint64_t key)
{
	for (unsigned int i = 0; i < k->n; i++)
		if (k->of[i].key == key)
			return ++k->of[i].times;
	if (k->n == KILLS_MAX)
		return 1;
	k->of[k->n].key = key;
	k->of[k->n++].times = 1;
	return 1;
}

bool kills_quarantined(const struct kills *k, uint64_t key)
{
	for (unsigned int i = 0; i < k->n; i++)
		if (k->of[i].key == key)
			return k->of[i].times >= KILLS_QUARANTINE;
	return false;
}

static int write_quarantined(const char *dir, uint64_t key, const unsigned char *bytes, size_t len)
{
	_cleanup_free_ struct program *p = malloc(sizeof(*p));
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t text_len = 0;
	FILE *f;
	int r;

	snprintf(path, sizeof(path), "%s/quarantine", dir);
	r = path_make_dirs(path);
	snprintf(path, sizeof(path), "%s/quarantine/%016" PRIx64, dir, key);
	if (r == 0)
		r = path_publish(path, (const char *)bytes, len);
	f = p ? open_memstream(&text, &text_len) : NULL;
	if (r < 0 || !f)
		return r < 0 ? r : -ENOMEM;
	program_decode(p, bytes, len);
	program_print(p, f);
	if (fclose(f) != 0)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/quarantine/%016" PRIx64 ".txt", dir, key);
	return path_publish(path, text, text_len);
}

/* The program that was granted last, of all crews. */
static const struct flight_round *last_round(const struct flight_log *l)
{
	const struct flight_round *best = NULL;

	for (unsigned int i = 0; i < l->ncrews; i++) {
		const struct flight_crew *c = &l->crew[i];

		if (c->n && c->last[c->n - 1].len &&
			(!best || c->last[c->n - 1].round > best->round))
			best = &c->last[c->n - 1];
	}
	return best;
}

int kills_take(struct kills *k, const char *dir, const char *state_dir)
{
	char boot_id[FLIGHT_ID_MAX] = "", path[PATH_MAX];
	DIR *d = opendir(state_dir);
	struct dirent *e;
	int n = 0, r = 0;

	path_read("/proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id));
	while (d && (e = readdir(d))) {
		const struct flight_round *last;
		struct flight_log l;
		uint64_t key;

		if (strncmp(e->d_name, "flight-", 7) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", state_dir, e->d_name);
		if (flight_read(path, &l) < 0)
			continue;
		last = strcmp(l.about.boot_id, boot_id) == 0 ? NULL : last_round(&l);
		if (last) {
			n++;
			key = corpus_key(last->bytes, last->len);
			if (kills_add(k, key) == KILLS_QUARANTINE) {
				log_warn("a program has killed the kernel twice: it is in "
					 "%s/quarantine/%016" PRIx64 " and runs no more",
					dir, key);
				r = write_quarantined(dir, key, last->bytes, last->len);
			}
		}
		flight_log_free(&l);
	}
	if (d)
		closedir(d);
	if (r == 0 && n)
		r = kills_write(dir, k);
	return r < 0 ? r : n;
}

/* ---- queues ---- */

/* "id:NNNNNN" and what follows, or not. */
static bool is_entry(const char *name)
{
	return strncmp(name, "id:", 3) == 0 && strspn(name + 3, "0123456789") >= 6;
}

static int entries_only(const struct dirent *e)
{
	return is_entry(e->d_name);
}

/* What AFL had moved away to read it in again, and did not come to. */
static int heal(const char *afl)
{
	char resume[PATH_MAX], queue[PATH_MAX], from[2 * PATH_MAX], to[2 * PATH_MAX];
	struct dirent **list;
	int n, r = 0;

	snprintf(resume, sizeof(resume), "%s/_resume", afl);
	snprintf(queue, sizeof(queue), "%s/queue", afl);
	n = scandir(resume, &list, entries_only, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	if (mkdir(queue, 0755) < 0 && errno != EEXIST)
		r = -errno;
	for (int i = 0; i < n; i++) {
		snprintf(from, sizeof(from), "%s/%s", resume, list[i]->d_name);
		snprintf(to, sizeof(to), "%s/%s", queue, list[i]->d_name);
		/* The same name may already be there, made anew from this one: contents are told apart later. */
		if (r == 0 && access(to, F_OK) == 0)
			snprintf(to, sizeof(to), "%s/id:999999,resume,%s", queue,
				list[i]->d_name + 3);
		if (r == 0 && rename(from, to) < 0)
			r = -errno;
		free(list[i]);
	}
	free(list);
	if (r == 0) {
		/* AFL's own marks of entries; it makes them anew. */
		snprintf(from, sizeof(from), "%s/.state", resume);
		snprintf(to, sizeof(to), "%s/_resume.state", afl);
		rename(from, to);
		rmdir(resume);
	}
	return r;
}

struct seen {
	uint64_t *hash;
	size_t n;
};

static bool seen_before(struct seen *s, uint64_t hash)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->hash[i] == hash)
			return true;
	s->hash[s->n++] = hash;
	return false;
}

static int tidy_entry(const char *dir, const char *queue, const char *name, const struct kills *k,
	struct seen *seen, struct corpus_told *told)
{
	char from[2 * PATH_MAX], to[2 * PATH_MAX];
	_cleanup_free_ unsigned char *data = NULL;
	size_t len = 0;
	uint64_t key;

	snprintf(from, sizeof(from), "%s/%s", queue, name);
	data = corpus_slurp(from, &len);
	if (!data)
		return errno == ENOENT ? 0 : -errno;
	/* A file that power loss left empty is none. */
	if (!len || seen_before(seen, XXH64(data, len, 0))) {
		told->duplicates++;
		return unlink(from) < 0 ? -errno : 0;
	}
	key = k->n ? corpus_key(data, len) : 0;
	if (k->n && kills_quarantined(k, key)) {
		told->quarantined++;
		snprintf(to, sizeof(to), "%s/quarantine/%016" PRIx64 ".%s", dir, key, name);
		return rename(from, to) < 0 ? -errno : 0;
	}
	snprintf(to, sizeof(to), "%s/id:%06u%s", queue, told->entries,
		name + 3 + strspn(name + 3, "0123456789"));
	told->entries++;
	if (strcmp(from, to) == 0 || renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	/* One that is still to come has that name. */
	if (errno == EEXIST && strlen(to) + 7 < sizeof(to))
		return rename(from, strcat(to, ",again")) < 0 ? -errno : 0;
	return -errno;
}

int corpus_tidy(
	const char *dir, const char *instance, const struct kills *k, struct corpus_told *ret)
{
	char afl[PATH_MAX - 64], queue[PATH_MAX - 16], path[PATH_MAX];
	struct dirent **list = NULL;
	struct seen seen = {0};
	int n, r;

	memset(ret, 0, sizeof(*ret));
	snprintf(afl, sizeof(afl), "%s/afl/%s", dir, instance);
	snprintf(queue, sizeof(queue), "%s/queue", afl);
	snprintf(path, sizeof(path), "%s/quarantine", dir);
	r = path_make_dirs(path);
	if (r == 0)
		r = heal(afl);
	if (r < 0)
		return r;
	n = scandir(queue, &list, entries_only, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	seen.hash = calloc((size_t)n + 1, sizeof(*seen.hash));
	r = seen.hash ? 0 : -ENOMEM;
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = tidy_entry(dir, queue, list[i]->d_name, k, &seen, ret);
		free(list[i]);
	}
	free(list);
	free(seen.hash);
	return r;
}

static int copy_entry(const char *from, const char *to, const char *name, const struct kills *k)
{
	char source[PATH_MAX], target[PATH_MAX], tmp[PATH_MAX];
	_cleanup_free_ unsigned char *data = NULL;
	_cleanup_close_ int fd = -1;
	size_t len = 0;

	snprintf(target, sizeof(target), "%s/%s", to, name);
	if (access(target, F_OK) == 0)
		return 0;
	snprintf(source, sizeof(source), "%s/%s", from, name);
	data = corpus_slurp(source, &len);
	if (!data || !len || len > ENTRY_MAX ||
		(k->n && kills_quarantined(k, corpus_key(data, len))))
		return 0;
	snprintf(tmp, sizeof(tmp), "%s/.arriving", to);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, data + done, len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return rename(tmp, target) < 0 ? -errno : 1;
}

int corpus_copy(const char *from, const char *to, const struct kills *k)
{
	DIR *d = opendir(from);
	struct dirent *e;
	int n = 0, r;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	r = path_make_dirs(to);
	while (r >= 0 && (e = readdir(d))) {
		if (!is_entry(e->d_name))
			continue;
		r = copy_entry(from, to, e->d_name, k);
		n += r > 0;
	}
	closedir(d);
	return r < 0 ? r : n;
}
