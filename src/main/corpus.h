/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A campaign's corpus on disk: AFL's queue directories, kept so that nothing is lost and nothing is run that may not be. */
#ifndef SUNDER_MAIN_CORPUS_H
#define SUNDER_MAIN_CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The program that bytes are, whatever else they have: equal for inputs that run the same. */
uint64_t corpus_key(const unsigned char *bytes, size_t len);

/* ---- programs that killed the kernel ---- */

enum { KILLS_MAX = 1024, KILLS_QUARANTINE = 2 };

struct kills {
	struct {
		uint64_t key;
		unsigned int times;
	} of[KILLS_MAX];
	unsigned int n;
};

/* DIR/kills.json. A file that is not there has none; 0 or -errno: -EBADMSG. */
int kills_read(const char *dir, struct kills *ret);
int kills_write(const char *dir, const struct kills *k);

/* One more; how many times now. More than KILLS_MAX programs are not told apart: 1. */
unsigned int kills_add(struct kills *k, uint64_t key);
bool kills_quarantined(const struct kills *k, uint64_t key);

/*
 * Counts the programs that were running when their kernel died: recordings in state_dir that are not of this boot. What killed twice
 * is written to DIR/quarantine. Call it before recover_runs(), which removes the recordings. Number of recordings or -errno.
 */
int kills_take(struct kills *k, const char *dir, const char *state_dir);

/* ---- queues ---- */

struct corpus_told {
	unsigned int entries, duplicates, quarantined;
};

/*
 * Makes AFL's directory of an instance fit to go on from: what an aborted resume had moved away is put back, an entry that is there
 * twice goes, quarantined ones move to DIR/quarantine, and the numbers have no gaps, so that AFL keeps the names. Nobody may be
 * working on it. 0 or -errno; no directory is fine.
 */
int corpus_tidy(
	const char *dir, const char *instance, const struct kills *k, struct corpus_told *ret);

/* Files of FROM (a directory) that TO does not have by name, copied by rename; only names of queue entries. Number or -errno. */
int corpus_copy(const char *from, const char *to, const struct kills *k);

/* A file whole, for free(); NULL with errno. */
unsigned char *corpus_slurp(const char *path, size_t *ret_len);

#endif
