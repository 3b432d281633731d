/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory and counters that do not come back. What is compared is made so that others do not move it: pages that no list and
 * no counter knows, pages on the LRU lists that belong to nothing, page tables that no process has. A leak is what grows from
 * rest to rest, by about as much each time.
 */
#include "judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/median.h"

enum { FLOOR_RESTS = 3 };
/* Series: lost pages of nodes, stray pages of nodes, their sums, and page tables. */
enum { STRAY = READING_NODES, LOST_SUM = 2 * READING_NODES, STRAY_SUM, TABLES };

/* From now on this is how it was. */
static void accept_mlocked(struct leak *k, const struct look *l)
{
	int64_t now = l->r.gauge[GAUGE_MLOCKED];

	k->base_locked = k->base_locked < 0 ? -1 : now;
	k->base_gap = l->mlocked.known ? now - l->mlocked.pages : 0;
	k->base_nowhere = l->mlocked.nowhere;
}

void leak_init(struct leak *k, const struct look *base)
{
	memset(k, 0, sizeof(*k));
	k->every = 1;
	k->base_locked = base->others.locked_kb ? -1 : base->r.gauge[GAUGE_MLOCKED];
	accept_mlocked(k, base);
	if (k->base_locked > 0 && !base->mlocked.known)
		k->base_locked = -1;
}

/* ---- slopes ---- */

/* The Theil-Sen estimator: the median of the slopes between all pairs of points. */
static double theil_sen(const int64_t *v, unsigned int n)
{
	static double slope[LEAK_POINTS * (LEAK_POINTS - 1) / 2];
	unsigned int m = 0;

	for (unsigned int i = 0; i < n; i++)
		for (unsigned int k = i + 1; k < n; k++)
			slope[m++] = (double)(v[k] - v[i]) / (k - i);
	return median(slope, m);
}

/* Median distance of the points from the line of that slope through their middle. */
static double noise(const int64_t *v, unsigned int n, double slope)
{
	double rest[LEAK_POINTS], middle;

	for (unsigned int i = 0; i < n; i++)
		rest[i] = (double)v[i] - slope * i;
	middle = median(rest, n);
	for (unsigned int i = 0; i < n; i++) {
		double off = (double)v[i] - slope * i - middle;

		rest[i] = off < 0 ? -off : off;
	}
	return median(rest, n);
}

bool leak_grows(const int64_t *v, unsigned int n, int64_t step, int64_t rise, double *ret_slope)
{
	unsigned int steps = 0;
	double slope;

	if (n < LEAK_MIN_POINTS || v[n - 1] - v[0] < rise)
		return false;
	for (unsigned int i = 1; i < n; i++) {
		if (v[i] - v[i - 1] < -step)
			return false;
		steps += v[i] - v[i - 1] >= step;
	}
	if (steps * 10 < (n - 1) * 9)
		return false;
	slope = theil_sen(v, n);
	/* A cache that fills up slows down. */
	if ((double)(v[n - 1] - v[n - 2]) < slope / 2)
		return false;
	*ret_slope = slope;
	return noise(v, n, slope) * 8 <= slope * n;
}

/* Half of the points will do from here on. */
static void thin(struct leak *k)
{
	for (unsigned int s = 0; s < LEAK_SERIES; s++)
		for (unsigned int i = 0; i < LEAK_POINTS / 2; i++)
			k->series[s].v[i] = k->series[s].v[2 * i + 1];
	k->points = LEAK_POINTS / 2;
	k->every *= 2;
}

static bool add_points(struct leak *k, const struct look *l)
{
	unsigned int at = k->points;

	if (++k->skipped < k->every)
		return false;
	k->skipped = 0;
	k->series[LOST_SUM].v[at] = k->series[STRAY_SUM].v[at] = 0;
	for (unsigned int i = 0; i < l->r.nnodes; i++) {
		k->series[i].v[at] = l->r.lost[i];
		k->series[STRAY + i].v[at] = l->r.stray[i];
		k->series[LOST_SUM].v[at] += l->r.lost[i];
		k->series[STRAY_SUM].v[at] += l->r.stray[i];
	}
	k->series[TABLES].v[at] = l->r.gauge[GAUGE_TABLES];
	k->points++;
	return true;
}

static void tell_series(const struct leak *k, unsigned int s, const char *title, const char *what,
	double slope, const struct told *t)
{
	char values[LEAK_POINTS * 14], *p = values;

	for (unsigned int i = 0; i < k->points; i++)
		p += snprintf(
			p, sizeof(values) - (size_t)(p - values), " %" PRId64, k->series[s].v[i]);
	judge_tell(t, ORACLE_LEAK, title,
		"%s\nat rest, with no memory mapped and every object empty, in base pages from "
		"rest to "
		"rest:%s\nslope: %.0f pages a rest (Theil-Sen over %u rests)\n",
		what, values, slope, k->points);
}

/* With 4 KiB pages, a leak of 512 KiB a rest and 8 MiB in all is one. */
static bool judge_pages(struct leak *k, unsigned int lost, unsigned int stray, const char *where,
	const struct told *t)
{
	bool found = false;
	double slope;

	if (leak_grows(k->series[lost].v, k->points, 128, 2048, &slope)) {
		tell_series(k, lost, "leak: memory is neither free nor in use", where, slope, t);
		found = true;
	}
	if (leak_grows(k->series[stray].v, k->points, 128, 2048, &slope)) {
		tell_series(k, stray, "leak: pages stay on the LRU lists and belong to nothing",
			where, slope, t);
		found = true;
	}
	return found;
}

static void judge_series(struct leak *k, const struct look *l, const struct told *t)
{
	bool found = false;
	double slope;
	char where[32];

	for (unsigned int i = 0; i < l->r.nnodes; i++) {
		snprintf(where, sizeof(where), "node %d", l->r.node[i]);
		found |= judge_pages(k, i, STRAY + i, where, t);
	}
	if (!found && l->r.nnodes > 1)
		judge_pages(k, LOST_SUM, STRAY_SUM, "all nodes together", t);
	if (l->others.whole && leak_grows(k->series[TABLES].v, k->points, 32, 512, &slope))
		tell_series(k, TABLES, "leak: page tables that no process has",
			"PageTables - VmPTE", slope, t);
}

/* ---- gauges that must be down at rest ---- */

/* Only where nobody else locks anything. */
static int64_t mlocked_off(const struct leak *k, const struct look *l)
{
	if (k->base_locked < 0 || l->others.locked_kb || !l->others.whole || !l->others_steady)
		return 0;
	return l->r.gauge[GAUGE_MLOCKED] - k->base_locked;
}

/*
 * That pages stay mlocked which nobody locks any more is legal: mlock_count is kept only of a page that is on its LRU list when the CPU's
 * batch gets to it, and a batch may come after the next munlock and mlock (mm/mlock.c). It happens to the tool's own text, libraries
 * and data, which mlockall() locks in several processes and on several CPUs, and lasts until reclaim looks or the page is freed. So
 * a page that is mapped may be mlocked; but those that no process maps are lost, and the counter is the number of mlocked pages.
 */
static int64_t mlocked_wrong(const struct leak *k, const struct look *l)
{
	int64_t gap, nowhere;

	if (!mlocked_off(k, l) || !l->mlocked.known)
		return 0;
	gap = l->r.gauge[GAUGE_MLOCKED] - l->mlocked.pages - k->base_gap;
	nowhere = l->mlocked.nowhere - k->base_nowhere;
	return gap ? gap : nowhere > 0 ? nowhere : 0;
}

bool leak_asks_for_mlocked(const struct leak *k, const struct look *l)
{
	return l->gauge_steady[GAUGE_MLOCKED] && mlocked_off(k, l) != 0;
}

static int64_t off_floor(const struct leak *k, const struct look *l, enum gauge g)
{
	int64_t now = l->r.gauge[g];

	if (now < 0 || !l->gauge_steady[g])
		return 0;
	switch (g) {
	case GAUGE_ISOLATED_ANON:
	case GAUGE_ISOLATED_FILE:
		return now;
	case GAUGE_MLOCKED:
		return mlocked_wrong(k, l);
	default:
		return 0;
	}
}

/* What was seen of a gauge beside its value. */
static void describe_gauge(
	const struct leak *k, const struct look *l, enum gauge g, char *buf, size_t size)
{
	buf[0] = '\0';
	if (g == GAUGE_MLOCKED)
		snprintf(buf, size,
			"it says %" PRId64 "; %" PRId64 " pages are mlocked, %" PRId64
			" of them mapped by no process (before: %" PRId64 ")\n",
			l->r.gauge[g], l->mlocked.pages, l->mlocked.nowhere, k->base_nowhere);
}

static void judge_floor(struct leak *k, const struct look *l, enum gauge g, const struct told *t)
{
	int64_t off = off_floor(k, l, g);
	char title[96], more[192];

	k->floors[g] = off && (!k->floors[g] || (off > 0 ? off >= k->floor[g] : off <= k->floor[g]))
			       ? k->floors[g] + 1
		       : off ? 1
			     : 0;
	k->floor[g] = off;
	if (k->floors[g] < FLOOR_RESTS)
		return;
	k->floors[g] = 0;
	snprintf(title, sizeof(title), "leak: %s does not come back", gauge_name(g));
	describe_gauge(k, l, g, more, sizeof(more));
	judge_tell(t, ORACLE_LEAK, title,
		"%s is %" PRId64
		" pages off at rest, with no memory mapped and every object empty; it was "
		"off at %d rests in a row and the same in all of %u readings at this one\n%s",
		gauge_name(g), off, FLOOR_RESTS, l->passes, more);
}

/* ---- a part is never more than the whole ---- */

static const struct {
	enum gauge part, whole;
} relations[] = {
	{GAUGE_ANON_HUGE, GAUGE_ANON},
	{GAUGE_SHMEM_HUGE, GAUGE_SHMEM},
	{GAUGE_SHMEM_PMD, GAUGE_SHMEM_HUGE},
	{GAUGE_FILE_HUGE, GAUGE_FILE},
};

static bool is_crossed(const struct look *l, enum gauge part, enum gauge whole)
{
	return l->r.gauge[part] >= 0 && l->r.gauge[whole] >= 0 && l->gauge_steady[part] &&
	       l->r.gauge[part] > l->r.gauge[whole];
}

static void judge_relation(
	struct leak *k, const struct look *l, unsigned int i, const struct told *t)
{
	enum gauge part = relations[i].part, whole = relations[i].whole;
	char title[96];

	k->crossed[part] = is_crossed(l, part, whole) ? k->crossed[part] + 1 : 0;
	if (k->crossed[part] < FLOOR_RESTS)
		return;
	k->crossed[part] = 0;
	snprintf(title, sizeof(title), "leak: %s does not come back", gauge_name(part));
	judge_tell(t, ORACLE_LEAK, title,
		"%s (%" PRId64 " pages) is more than %s (%" PRId64
		" pages), which it is part of, at %d rests in a row\n",
		gauge_name(part), l->r.gauge[part], gauge_name(whole), l->r.gauge[whole],
		FLOOR_RESTS);
}

/* ---- all ---- */

bool leak_is_off(const struct leak *k, const struct look *l)
{
	for (unsigned int i = 0; i < sizeof(relations) / sizeof(relations[0]); i++)
		if (is_crossed(l, relations[i].part, relations[i].whole))
			return true;
	for (enum gauge g = 0; g < GAUGE_COUNT; g++)
		if (off_floor(k, l, g))
			return true;
	return false;
}

void leak_look(struct leak *k, const struct look *l, const struct told *t)
{
	for (enum gauge g = 0; g < GAUGE_COUNT; g++)
		judge_floor(k, l, g, t);
	if (l->mlocked.known && !off_floor(k, l, GAUGE_MLOCKED))
		accept_mlocked(k, l);
	for (unsigned int i = 0; i < sizeof(relations) / sizeof(relations[0]); i++)
		judge_relation(k, l, i, t);
	if (!add_points(k, l))
		return;
	judge_series(k, l, t);
	if (k->points == LEAK_POINTS)
		thin(k);
}

const char *leak_idle(const struct leak *k)
{
	return k->every == 1 && k->points < LEAK_MIN_POINTS
		       ? "fewer than 6 rests: too few to tell growth"
		       : NULL;
}
