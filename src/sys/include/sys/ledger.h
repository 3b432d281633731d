/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger: every change to the box (a knob in sysfs, procfs, debugfs or a cgroup; a mount; a
 * directory or file made) is on disk before it is done, and is undone in reverse order at exit, by
 * the guard process after the owner was killed, by `sunder restore`, or by the next run. One owner
 * at a time (flock).
 *
 * Paths of knobs, mounts, directories and files are under the path root (base/path.h); the ledger's
 * own is not. One thread at a time.
 */
#ifndef SUNDER_SYS_LEDGER_H
#define SUNDER_SYS_LEDGER_H

#include <stdbool.h>
#include <stddef.h>

struct ledger;

/*
 * Where the ledger lives: state_opt (--state) if not NULL, else /var/lib/sunder if it can be made
 * and written, else the output directory. 0 or -ENAMETOOLONG.
 */
int ledger_default_dir(const char *state_opt, const char *output_dir, char *buf, size_t size);

/*
 * 1: DIR/ledger has changes that nobody is there to undo (a run was killed, and its guard too); 0: none, or their owner,
 * a guard or a restore is at work. -errno: it cannot be told. Changes nothing.
 */
int ledger_left(const char *dir);

/*
 * Opens DIR/ledger (DIR is made if missing) and locks it. Left-over entries of an owner that is
 * gone are undone first (*ret_undone of them); what cannot be undone is told on stderr and stays
 * recorded. A ledger with records that do not verify is kept as DIR/ledger.corrupt.N and told;
 * those that verify are undone. -EBUSY: another run owns it (a guard or a restore at work is waited
 * for, up to 30 s); -EROFS, -EACCES, ...: choose another directory. The caller frees with
 * ledger_close().
 */
int ledger_open(const char *dir, struct ledger **ret, size_t *ret_undone);

/*
 * Frees; does not restore, but a guard does if entries are left. A forked child has no part in the
 * lock and need not call it; if it does, its copy is freed and nothing else.
 */
void ledger_close(struct ledger *l);

/*
 * Starts the guard: a process that waits for this one's death, then (up to 10 s) for that of its
 * forked children, and then restores. Call once, before the first change and before any thread or
 * executor. It is no child of the caller and ends silently when ledger_restore() has undone all and
 * the ledger is closed. 0 or -errno.
 */
int ledger_guard(struct ledger *l);

/*
 * Writes a knob: old value recorded durably, then written. A knob already at the value is left
 * alone. 0 or -errno, -EFBIG: its value is too long to be recorded. Of hugetlb pools (nr_hugepages
 * in /sys/kernel/mm/hugepages and of nodes) the persistent part is meant and all nodes are
 * recorded; 0 does not mean that the kernel found all the pages asked for: read the pool. Of a cgroup.subtree_control
 * the value is the whole list, "cpuset memory"; only what it has more or less than the present one is written.
 */
int ledger_write(struct ledger *l, const char *path, const char *value);

/*
 * Records a knob's present value without writing it: whatever stands there later is taken for ours (executors of this
 * run write it as they like) and goes back to what it was before the first change. Pools as in ledger_write(). 0 or -errno.
 */
int ledger_hold(struct ledger *l, const char *path);

/*
 * swapon(2) of a file or device that has a swap header, undone by swapoff: slow where much of it is in use, and tried
 * again while there is no memory to take it back. 0 or -errno.
 */
int ledger_swapon(struct ledger *l, const char *path);

/*
 * mount(2), nosuid and nodev; undone by umount (lazy if busy). The target directory must exist. 0
 * or -errno.
 */
int ledger_mount(struct ledger *l, const char *source, const char *target, const char *type,
	const char *options);

/* mkdir(2), undone by rmdir. -EEXIST is passed on and nothing recorded. */
int ledger_mkdir(struct ledger *l, const char *path);

/*
 * Records that a file of ours will exist at the path, undone by unlink. Call before creating it.
 * -EEXIST: something is there already; it is not ours and nothing is recorded.
 */
int ledger_file(struct ledger *l, const char *path);

/*
 * Undoes everything, last first; entries that cannot be undone stay and are told on stderr. Entries
 * of an earlier boot: knobs and mounts went with it, files and directories are removed. Pools
 * shrink only when nobody uses their pages: end the executors first; a pool or directory still in
 * use is waited for, 10 s in all. *ret_undone (may be NULL) counts. 0, or -errno of the first that
 * failed.
 */
int ledger_restore(struct ledger *l, size_t *ret_undone);

/*
 * True if a value that we wrote has been changed by someone else since (their value is then kept,
 * and told).
 */
bool ledger_conflict(const struct ledger *l);

#endif
