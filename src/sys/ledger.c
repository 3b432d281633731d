/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger_entry.h"
#include "retry.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>

#define STATE_DIR "/var/lib/sunder"

/*
 * How long undoing waits for pools and directories in use, and an open for a guard that is still at
 * work.
 */
enum { UNDO_SECONDS = 10, LOCK_SECONDS = 30, SET_ASIDE_MAX = 1000 };

unsigned long long process_start(pid_t pid)
{
	_cleanup_fclose_ FILE *f = NULL;
	char name[64], text[1024], *p;
	unsigned long long start;

	/* Not under the path root: this is about processes, not about a captured machine. */
	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	f = fopen(name, "re");
	if (!f || !fgets(text, sizeof(text), f))
		return 0;
	/*
	 * The name, field 2, is in parentheses and may hold anything; then a space before each
	 * field.
	 */
	p = strrchr(text, ')');
	for (int field = 3; p && field <= 22; field++)
		p = strchr(p + 1, ' ');
	return p && sscanf(p, " %llu", &start) == 1 ? start : 0;
}

/*
 * Whether the process that the file names as its owner still lives. Without /proc: whether the pid
 * does.
 */
static bool owner_alive(struct ledger *l)
{
	struct ledger_state st = {0};
	unsigned long long start;
	int r = ledger_load(l, &st);

	ledger_drop_entries(l);
	if (r < 0 || st.owner <= 0)
		return false;
	if (kill(st.owner, 0) < 0 && errno == ESRCH)
		return false;
	start = process_start(st.owner);
	return start == 0 || st.owner_start == 0 || start == st.owner_start;
}

/*
 * Takes the lock. Held without a living owner, a guard or a restore is at work: that ends by
 * itself.
 */
static int take_lock(struct ledger *l)
{
	struct retry retry;
	int r = 0;

	if (flock(l->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return -errno;
	r = retry_start(&retry, LOCK_SECONDS);
	while (r == 0) {
		if (flock(l->fd, LOCK_EX | LOCK_NB) == 0)
			break;
		if (errno != EWOULDBLOCK)
			r = -errno;
		else if (owner_alive(l) || !retry_again(&retry))
			r = -EBUSY;
	}
	retry_end(&retry);
	return r;
}

/* Keeps a copy of a ledger with records that do not verify. */
static int set_aside(struct ledger *l)
{
	_cleanup_free_ char *data = NULL;
	char name[PATH_MAX];
	struct stat st;
	ssize_t len;
	int r;

	if (fstat(l->fd, &st) < 0)
		return -errno;
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ENOMEM;
	len = pread(l->fd, data, (size_t)st.st_size, 0);
	if (len < 0)
		return -errno;
	for (int i = 1;; i++) {
		if (snprintf(name, sizeof(name), "%s.corrupt.%d", l->file, i) >= (int)sizeof(name))
			return -ENAMETOOLONG;
		if (access(name, F_OK) < 0 || i == SET_ASIDE_MAX)
			break;
	}
	r = path_publish(name, data, (size_t)len);
	if (r < 0)
		log_error("%s is corrupt and cannot be set aside as %s: %s", l->file, name,
			strerror(-r));
	else
		log_warn("%s is corrupt: kept as %s; the %zu changes that still verify are undone",
			l->file, name, l->nentries);
	return r;
}

static int sync_dir(const char *dir)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fsync(fd) < 0 && errno != EINVAL ? -errno : 0;
}

/* Locked: takes over what is in the file. */
static int take_over(struct ledger *l, const char *dir, size_t *ret_undone)
{
	struct ledger_state st;
	int r = ledger_load(l, &st);

	if (r == -EFBIG)
		log_error("%s is too large to be a ledger; look at it and move it away", l->file);
	if (r == 0 && st.corrupt)
		r = set_aside(l);
	if (r == 0 && ftruncate(l->fd, l->end) < 0)
		r = -errno;
	if (r < 0)
		return r;
	/* What cannot be undone has been told, stays recorded and does not stop the caller. */
	(void)ledger_restore(l, ret_undone);
	l->conflict = false;
	r = ledger_own(l);
	return r < 0 ? r : sync_dir(dir);
}

/* The open ledger of this process. Its lock belongs to the open file, which a fork would share. */
static struct ledger *open_ledger;

void ledger_share_lock(struct ledger *l, bool share)
{
	open_ledger = share ? NULL : l;
}

/* In a forked child: an executor that is stuck in the kernel must not hold the lock for ever. */
static void let_go_of_lock(void)
{
	if (!open_ledger)
		return;
	close(open_ledger->fd);
	open_ledger->fd = -1;
	open_ledger = NULL;
}

static int watch_forks(void)
{
	static bool registered;

	if (registered)
		return 0;
	registered = true;
	return -pthread_atfork(NULL, NULL, let_go_of_lock);
}

static void ledger_free(struct ledger *l)
{
	if (open_ledger == l)
		open_ledger = NULL;
	ledger_drop_entries(l);
	if (l->fd >= 0)
		close(l->fd);
	free(l->file);
	free(l);
}

int ledger_left(const char *dir)
{
	_cleanup_free_ char *file = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (asprintf(&file, "%s/ledger", dir) < 0) {
		file = NULL;
		return -ENOMEM;
	}
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : -errno;
	/* With the lock, so that what an owner was about to undo is undone. */
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_size > 0;
}

int ledger_open(const char *dir, struct ledger **ret, size_t *ret_undone)
{
	struct ledger *l;
	size_t undone = 0;
	int r = path_make_dirs(dir);

	if (r < 0)
		return r;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->owner = getpid();
	l->fd = l->guard_pipe = -1;
	if (path_read("/proc/sys/kernel/random/boot_id", l->boot, sizeof(l->boot)) <= 0)
		strcpy(l->boot, "unknown");
	if (asprintf(&l->file, "%s/ledger", dir) < 0) {
		l->file = NULL;
		r = -ENOMEM;
	} else {
		l->fd = open(l->file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		r = l->fd < 0 ? -errno : take_lock(l);
	}
	if (r == 0)
		r = take_over(l, dir, &undone);
	if (r == 0)
		r = watch_forks();
	if (r < 0) {
		ledger_free(l);
		return r;
	}
	open_ledger = l;
	*ret = l;
	if (ret_undone)
		*ret_undone = undone;
	return 0;
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	if (getpid() != l->owner) {
		/*
		 * A forked child's copy. The guard's pipe stays open: it says that this process
		 * lives.
		 */
		ledger_free(l);
		return;
	}
	if (l->nentries == 0) {
		if (ftruncate(l->fd, 0) < 0)
			log_detail("%s: %s", l->file, strerror(errno));
		/* Before the unlock: who gets the lock next has a guard of its own. */
		if (l->guard_pipe >= 0 && write(l->guard_pipe, "q", 1) < 0)
			log_detail("the guard is gone");
		flock(l->fd, LOCK_UN);
	}
	if (l->guard_pipe >= 0)
		close(l->guard_pipe);
	ledger_free(l);
}

int ledger_write(struct ledger *l, const char *path, const char *value)
{
	char now[KNOB_MAX], want[KNOB_MAX], pool[NAME_MAX + 1];
	struct entry *e;
	int r, node;

	if (pool_match(path, pool, sizeof(pool), &node))
		return pool_write(l, pool, node, path, value);
	if (snprintf(want, sizeof(want), "%s", value) >= (int)sizeof(want))
		return -EFBIG;
	knob_normalise(want);
	r = knob_read(path, now, sizeof(now));
	if (r < 0 || !strcmp(now, want))
		return r;
	e = entry_find(l, ENTRY_KNOB, path);
	if (e && !e->pending && !entry_knows(e, now)) {
		l->conflict = true;
		log_warn("%s: someone else set it to \"%s\"; it goes back to that", path, now);
		e = NULL;
	}
	r = e ? entry_extend(l, e, want) : entry_add(l, ENTRY_KNOB, path, now, want, &e);
	if (r < 0)
		return r;
	r = knob_write(path, value);
	if (knob_read(path, now, sizeof(now)) == 0)
		entry_confirm(l, e, now);
	return r;
}

int ledger_hold(struct ledger *l, const char *path)
{
	char now[KNOB_MAX], pool[NAME_MAX + 1];
	struct entry *e;
	int r, node;

	if (pool_match(path, pool, sizeof(pool), &node))
		return pool_hold(l, pool);
	e = entry_find(l, ENTRY_KNOB, path);
	if (e)
		return entry_extend(l, e, ENTRY_HELD);
	r = knob_read(path, now, sizeof(now));
	return r < 0 ? r : entry_add(l, ENTRY_KNOB, path, now, ENTRY_HELD, &e);
}

/* As the entry records it: absolute, for the undoing process may have another working directory. */
static int absolute(const char *path, char *buf, size_t size, char *real, size_t real_size)
{
	char cwd[PATH_MAX];
	int n;

	if (*path == '/') {
		n = snprintf(buf, size, "%s", path);
	} else {
		if (!getcwd(cwd, sizeof(cwd)))
			return -errno;
		n = snprintf(buf, size, "%s/%s", cwd, path);
	}
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : path_real(buf, real, real_size);
}

int ledger_mount(struct ledger *l, const char *source, const char *target, const char *type,
	const char *options)
{
	char path[PATH_MAX], real[PATH_MAX], dev[32];
	struct entry *e;
	struct stat st;
	int r = absolute(target, path, sizeof(path), real, sizeof(real));

	if (r < 0)
		return r;
	if (stat(real, &st) < 0)
		return -errno;
	snprintf(dev, sizeof(dev), "%llu", (unsigned long long)st.st_dev);
	r = entry_add(l, ENTRY_MOUNT, path, dev, type, &e);
	if (r < 0)
		return r;
	if (mount(source, real, type, MS_NOSUID | MS_NODEV, options) < 0) {
		r = -errno;
		entry_done(l, e);
	}
	return r;
}

int ledger_swapon(struct ledger *l, const char *path)
{
	char abs[PATH_MAX], real[PATH_MAX];
	struct entry *e;
	int r = absolute(path, abs, sizeof(abs), real, sizeof(real));

	if (r == 0)
		r = entry_add(l, ENTRY_SWAP, abs, "", "", &e);
	if (r < 0)
		return r;
	if (swapon(real, 0) < 0) {
		r = -errno;
		entry_done(l, e);
	}
	return r;
}

int ledger_mkdir(struct ledger *l, const char *path)
{
	char abs[PATH_MAX], real[PATH_MAX];
	struct entry *e;
	struct stat st;
	int r = absolute(path, abs, sizeof(abs), real, sizeof(real));

	if (r < 0)
		return r;
	if (lstat(real, &st) == 0)
		return -EEXIST;
	r = entry_add(l, ENTRY_DIR, abs, "", "", &e);
	if (r < 0)
		return r;
	if (mkdir(real, 0755) < 0) {
		r = -errno;
		entry_done(l, e);
	}
	return r;
}

int ledger_file(struct ledger *l, const char *path)
{
	char abs[PATH_MAX], real[PATH_MAX];
	struct entry *e;
	struct stat st;
	int r = absolute(path, abs, sizeof(abs), real, sizeof(real));

	if (r < 0)
		return r;
	if (lstat(real, &st) == 0)
		return -EEXIST;
	return entry_add(l, ENTRY_FILE, abs, "", "", &e);
}

static int undo_patiently(struct ledger *l, struct entry *e, struct retry *retry)
{
	int r;

	do {
		r = entry_undo(l, e);
	} while ((r == -EAGAIN || r == -EBUSY || r == -EINPROGRESS) && retry_again(retry));
	if (r == -EINPROGRESS) {
		log_note("%s: back to its old size once the pages in use are freed", e->path);
		return 0;
	}
	return r;
}

int ledger_restore(struct ledger *l, size_t *ret_undone)
{
	struct retry retry;
	size_t undone = 0;
	int r, first = 0;

	(void)retry_start(&retry, UNDO_SECONDS);
	for (size_t i = l->nentries; i-- > 0;) {
		struct entry *e = &l->entry[i];

		r = undo_patiently(l, e, &retry);
		if (r == -ESTALE) {
			l->conflict = true;
		} else if (r < 0) {
			log_error("cannot undo the change to %s %s: %s; \"sunder restore\" tries "
				  "again",
				entry_kind_name(e->kind), e->path, strerror(-r));
			first = first ? first : r;
			continue;
		} else {
			undone++;
		}
		entry_done(l, e);
	}
	retry_end(&retry);
	r = ledger_rewrite(l);
	if (ret_undone)
		*ret_undone = undone;
	return first ? first : r;
}

bool ledger_conflict(const struct ledger *l)
{
	return l->conflict;
}

int ledger_default_dir(const char *state_opt, const char *output_dir, char *buf, size_t size)
{
	int r;

	if (!state_opt) {
		r = path_real(STATE_DIR, buf, size);
		if (r < 0)
			return r;
		if (path_make_dirs(buf) == 0 && access(buf, W_OK | X_OK) == 0)
			return 0;
		state_opt = output_dir;
	}
	r = snprintf(buf, size, "%s", state_opt);
	return r < 0 || (size_t)r >= size ? -ENAMETOOLONG : 0;
}
