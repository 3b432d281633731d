/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "figures.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"
#include "corpus.h"

/* "name   : value" of fuzzer_stats. */
static void take_line(struct figures *f, const char *line)
{
	const struct {
		const char *name;
		uint64_t *at;
	} numbers[] = {{"execs_done", &f->execs}, {"corpus_count", &f->corpus},
		{"edges_found", &f->edges}, {"saved_crashes", &f->crashes},
		{"saved_hangs", &f->hangs}, {"cycles_done", &f->cycles},
		{"pending_total", &f->pending}};
	const char *value = strchr(line, ':');
	size_t len = strcspn(line, " :");

	if (!value)
		return;
	value++;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (strlen(numbers[i].name) == len && strncmp(line, numbers[i].name, len) == 0)
			*numbers[i].at = strtoull(value, NULL, 10);
	if (strncmp(line, "run_time", len) == 0 && len == 8)
		f->run_s = strtod(value, NULL);
	if (strncmp(line, "stability", len) == 0 && len == 9)
		f->stability = strtod(value, NULL);
}

/*
 * The last whole line of plot_data, which is written every 5 s; fuzzer_stats only every minute. relative_time, cycles_done, cur_item,
 * corpus_count, pending_total, pending_favs, map_size, saved_crashes, saved_hangs, max_depth, execs_per_sec, total_execs, edges_found
 */
static void take_plot(struct figures *f, const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	double run_s;
	uint64_t cycles, item, corpus, pending, crashes, hangs, execs, edges;
	char text[1024], *last;
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	ssize_t n;

	if (fd < 0)
		return;
	n = pread(fd, text, sizeof(text) - 1,
		end > (off_t)sizeof(text) - 1 ? end - ((off_t)sizeof(text) - 1) : 0);
	if (n <= 0)
		return;
	text[n] = '\0';
	last = strrchr(text, '\n');
	if (!last)
		return;
	*last = '\0';
	last = strrchr(text, '\n');
	last = last ? last + 1 : text;
	if (sscanf(last,
		    "%lf, %" SCNu64 ", %" SCNu64 ", %" SCNu64 ", %" SCNu64 ", %*u, %*[^,], %" SCNu64
		    ", %" SCNu64 ", %*u, %*f, %" SCNu64 ", %" SCNu64,
		    &run_s, &cycles, &item, &corpus, &pending, &crashes, &hangs, &execs,
		    &edges) != 9 ||
		execs < f->execs)
		return;
	f->run_s = run_s;
	f->cycles = cycles;
	f->corpus = corpus;
	f->pending = pending;
	f->crashes = crashes;
	f->hangs = hangs;
	f->execs = execs;
	f->edges = edges;
	f->there = true;
}

static uint64_t count_entries(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	uint64_t n = 0;

	while (d && (e = readdir(d)))
		n += strncmp(e->d_name, "id:", 3) == 0;
	if (d)
		closedir(d);
	return n;
}

/* AFL tells no rate in its first minute: the harness does. */
static void take_stats(struct figures *f, const char *path)
{
	json_t *doc = json_load_file(path, 0, NULL), *layers = json_object_get(doc, "layers");
	double s = json_number_value(json_object_get(doc, "seconds")),
	       run_s = json_number_value(json_object_get(doc, "run_seconds")),
	       op_s = json_number_value(json_object_get(doc, "op_seconds"));
	uint64_t execs = (uint64_t)json_integer_value(json_object_get(doc, "execs"));

	if (!doc)
		return;
	f->there = true;
	for (int i = 0; i < LAYER_COUNT; i++)
		f->seen[i] = (uint64_t)json_integer_value(
			json_object_get(json_object_get(layers, region_of[i].name), "features"));
	f->places = (uint64_t)json_integer_value(json_object_get(doc, "places"));
	f->op_share = run_s > 0 ? op_s / run_s : -1;
	if (execs > f->execs) {
		f->execs = execs;
		f->run_s = s;
	}
	json_decref(doc);
}

void figures_read(const char *dir, const char *stats, struct figures *ret)
{
	struct figures f = {.stability = -1, .op_share = -1};
	char path[PATH_MAX], *cursor, *line;
	_cleanup_free_ unsigned char *text = NULL;
	uint64_t corpus;
	size_t len;

	snprintf(path, sizeof(path), "%s/fuzzer_stats", dir);
	text = corpus_slurp(path, &len);
	if (text) {
		f.there = true;
		for (cursor = (char *)text; (line = strsep(&cursor, "\n"));)
			take_line(&f, line);
	}
	snprintf(path, sizeof(path), "%s/plot_data", dir);
	take_plot(&f, path);
	snprintf(path, sizeof(path), "%s/queue", dir);
	corpus = count_entries(path); /* AFL says nothing in its first minute */
	if (corpus > f.corpus)
		f.corpus = corpus;
	take_stats(&f, stats);
	if (f.cycles > INT64_MAX)
		f.cycles = 0; /* AFL counts from one before the first */
	if (f.there)
		*ret = f;
}

/* ---- the map ---- */

static void count(struct reached *r)
{
	r->all = 0;
	memset(r->layer, 0, sizeof(r->layer));
	for (uint32_t i = 0; i < r->size; i++)
		r->all += r->map[i];
	if (r->size != MAP_SIZE)
		return;
	for (int k = 0; k < LAYER_COUNT; k++)
		for (uint32_t i = 0; i < region_of[k].size; i++)
			r->layer[k] += r->map[region_of[k].from + i];
}

static bool fit(struct reached *r, size_t size)
{
	if (r->size == size)
		return true;
	if (r->size)
		return false; /* of another harness */
	r->map = calloc(1, size);
	r->size = r->map ? (uint32_t)size : 0;
	return r->map != NULL;
}

bool reached_join(struct reached *r, const char *dir)
{
	char path[PATH_MAX];
	_cleanup_free_ unsigned char *virgin = NULL;
	size_t len = 0;
	bool more = false;

	snprintf(path, sizeof(path), "%s/fuzz_bitmap", dir);
	virgin = corpus_slurp(path, &len);
	if (!virgin || !len || len > 8 << 20 || !fit(r, len))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (virgin[i] == 0xff || r->map[i])
			continue;
		r->map[i] = 1;
		more = true;
	}
	if (more)
		count(r);
	return more;
}

int reached_load(struct reached *r, const char *path)
{
	size_t len;
	_cleanup_free_ unsigned char *map = corpus_slurp(path, &len);

	if (!map)
		return errno == ENOENT ? 0 : -errno;
	if (!len || len > 8 << 20 || !fit(r, len))
		return -EBADMSG;
	for (size_t i = 0; i < len; i++)
		r->map[i] |= map[i] == 1;
	count(r);
	return 0;
}

int reached_save(const struct reached *r, const char *path)
{
	return r->size ? path_publish(path, (const char *)r->map, r->size) : 0;
}

void reached_free(struct reached *r)
{
	free(r->map);
	memset(r, 0, sizeof(*r));
}
