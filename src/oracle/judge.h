/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the judges of counters share: each keeps its own history, sees looks, and tells findings. */
#ifndef SUNDER_ORACLE_JUDGE_H
#define SUNDER_ORACLE_JUDGE_H

#include "oracle/counters.h"
#include "reading.h"

struct told { /* where findings go */
	counters_found *found;
	void *arg;
};

/* A finding with a printf-style text of its own. */
void judge_tell(const struct told *t, enum oracle o, const char *title, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* ---- accounting ---- */

struct pool_history {
	/* What was off at the rest before, against the base; 0: nothing. */
	int64_t resv, used, charged, charged_rsvd;
	/* Rests in a row at which the persistent size, or the surplus, had moved the same way. */
	int64_t last_own, last_surplus;
	int own_streak, surplus_streak;
	/* More pages than the pool has, while lanes ran: ticks in a row; and in how many intervals in a row. */
	unsigned int excess_ticks, excess_intervals;
	bool excess;
	int64_t excess_pages;
};

struct accounting {
	const struct machine *machine;
	bool pools_change, poisons, private_hugetlb;
	unsigned int lanes;
	struct look base;
	struct pool_history pool[MACHINE_MAX_HSTATES];
	unsigned int judged; /* looks that were compared with the base */
	const char *passed_over; /* why the last one that was not could not be */
};

enum { ACCOUNTING_SAME = 6 }; /* passes that must read the same before a difference is one */

void accounting_init(
	struct accounting *a, const struct counters_options *o, const struct look *base);

/* Re-reads what looks impossible, and tells it if it stays so. plant: of --inject. */
void accounting_tick(struct accounting *a, bool plant, const struct told *t);

/* True if a look shows a difference, which is worth a longer look. */
bool accounting_is_off(const struct accounting *a, const struct look *l);

/* True if a difference that this look shows can be ours alone: nobody else's doing, as far as it can be seen. */
bool accounting_may_judge(const struct accounting *a, const struct look *l);

/* True if others use more or less huge pages than the base knows. */
bool accounting_others_changed(const struct accounting *a, const struct look *l);

void accounting_look(struct accounting *a, const struct look *l, bool last, const struct told *t);
const char *accounting_idle(const struct accounting *a);

/* ---- leak ---- */

enum { LEAK_POINTS = 128, LEAK_SERIES = 2 * READING_NODES + 3, LEAK_MIN_POINTS = 6 };

struct leak_series {
	int64_t v[LEAK_POINTS];
};

struct leak {
	int64_t base_locked; /* -1: not judged */
	int64_t base_gap, base_nowhere; /* of struct mlocked: counted too much; mapped nowhere */
	unsigned int points, every, skipped; /* a point is each every-th rest */
	struct leak_series series[LEAK_SERIES];
	unsigned int
		floors[GAUGE_COUNT]; /* rests in a row that a gauge was off, without going down */
	int64_t floor[GAUGE_COUNT];
	unsigned int crossed[GAUGE_COUNT]; /* rests in a row that a part was more than the whole */
};

void leak_init(struct leak *k, const struct look *base);
bool leak_is_off(const struct leak *k, const struct look *l);

/* True if nr_mlock is not what it was, and a look has to see which pages are mlocked. */
bool leak_asks_for_mlocked(const struct leak *k, const struct look *l);
void leak_look(struct leak *k, const struct look *l, const struct told *t);
const char *leak_idle(const struct leak *k);

/*
 * True if the values grow as a leak does: from point to point, by about as much each time, and by more than `step` each and `rise`
 * in all. Never with less than LEAK_MIN_POINTS.
 */
bool leak_grows(const int64_t *v, unsigned int n, int64_t step, int64_t rise, double *ret_slope);

#endif
