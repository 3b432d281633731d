/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the ledger: its entries, the file that holds them, and how each kind is undone.
 *
 * The file is text, one record a line: eight hex digits of CRC-32 over the rest of the line, then
 * words separated by one space, each word escaped (%XX; a lone % is the empty word).
 *
 *	owner PID STARTTIME			whose changes follow; none while someone restores
 *	+ SEQ BOOT KIND PATH OLD NEW		about to change PATH from OLD to NEW
 *	= SEQ NEW				about to change it again
 *	. SEQ NOW				changed; it now reads NOW
 *	- SEQ					undone
 */
#ifndef SUNDER_SYS_LEDGER_ENTRY_H
#define SUNDER_SYS_LEDGER_ENTRY_H

#include "sys/ledger.h"

#include <stdint.h>
#include <sys/types.h>

enum entry_kind {
	ENTRY_KNOB,
	ENTRY_POOL,
	ENTRY_MOUNT,
	ENTRY_DIR,
	ENTRY_FILE,
	ENTRY_SWAP,
	ENTRY_KINDS
};

/* Among the values of an entry: others of the run write it, so that it stays pending to the end. No knob reads so. */
#define ENTRY_HELD "(held)"

/* Longest value of a knob that can be recorded: what sysfs and procfs show at once. */
enum { KNOB_MAX = 4096 };

struct entry {
	unsigned int seq;
	enum entry_kind kind;
	bool pending; /* announced, not yet confirmed: whatever is there now may be ours */
	char *boot, *path, *old;
	char **ours; /* every value that we announced or read back */
	size_t nours;
};

struct ledger {
	int fd; /* DIR/ledger, flocked; the guard shares the open file, and so the lock */
	char *file; /* its name */
	char boot[64]; /* of the running kernel */
	pid_t owner; /* who opened it; forked children have copies that are not theirs */
	bool owned; /* and is recorded as the owner, not only here to restore */
	int guard_pipe; /* -1: no guard. Its other end sees EOF when owner and executors are gone */
	struct entry *entry;
	size_t nentries;
	unsigned int next_seq;
	off_t end; /* where the next record goes */
	bool conflict;
};

/* What ledger_load() found in the file besides entries. */
struct ledger_state {
	pid_t owner; /* 0: none recorded */
	unsigned long long owner_start;
	bool corrupt; /* a record does not verify; a torn last line is no corruption */
};

/* Reads the file into l's entries, which must be empty. 0 or -errno. */
int ledger_load(struct ledger *l, struct ledger_state *ret);
void ledger_drop_entries(struct ledger *l);

/*
 * Replaces the file's content by the owner, if it is owned, and the entries that are left, durably.
 * 0 or -errno.
 */
int ledger_rewrite(struct ledger *l);

/* Whether processes forked from now on share the lock, as the guard does, or let go of it. */
void ledger_share_lock(struct ledger *l, bool share);

/* Records this process as the owner, durably. 0 or -errno. */
int ledger_own(struct ledger *l);

/*
 * Announces a change, durably; *ret is valid until the next one. 0 or -errno: then nothing may be
 * changed.
 */
int entry_add(struct ledger *l, enum entry_kind kind, const char *path, const char *old,
	const char *new_value, struct entry **ret);

/* Announces a further value of an entry; free if the entry knows the value. 0 or -errno. */
int entry_extend(struct ledger *l, struct entry *e, const char *new_value);

/* Notes what is there after the change. Best effort: without it the entry stays pending. */
void entry_confirm(struct ledger *l, struct entry *e, const char *now);

/* Records an entry as undone and forgets it. */
void entry_done(struct ledger *l, struct entry *e);

/* The last entry of that kind and path, or NULL. */
struct entry *entry_find(struct ledger *l, enum entry_kind kind, const char *path);

/* True if the value is the old one or one of ours. */
bool entry_knows(const struct entry *e, const char *value);

const char *entry_kind_name(enum entry_kind kind);

/*
 * Start time of a process in clock ticks since boot (proc(5), stat, field 22); 0 if there is no
 * such process.
 */
unsigned long long process_start(pid_t pid);

/*
 * A knob's value in the form in which it is compared and written: the chosen word of a list of
 * choices, runs of white space as one space. 0 or -errno; -EFBIG: too long to be recorded.
 */
int knob_read(const char *path, char *buf, size_t size);
void knob_normalise(char *value);
int knob_write(const char *path, const char *value);

/* A hugetlb pool of one page size, on all nodes; see hugetlb_pool.c. */
bool pool_match(const char *path, char *name, size_t size, int *ret_node);
int pool_write(struct ledger *l, const char *name, int node, const char *path, const char *value);
int pool_hold(struct ledger *l, const char *name);
int pool_undo(struct ledger *l, struct entry *e);

/*
 * One attempt to undo an entry. 0: done. -EAGAIN, -EBUSY: try again later. -EINPROGRESS: done as
 * far as we can, the kernel finishes by itself. -ESTALE: someone else changed it since, theirs is
 * kept. Else -errno.
 */
int entry_undo(struct ledger *l, struct entry *e);

#endif
