/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "mem/cell.h"

enum {
	CHILDREN = 16,
	LATE_MAX = 64,
	LATE_PAGES = 3,
	MESSAGES = 16,
	RETRY_NS = 50000,
	ZEROES = 8 << 20
};

/* A fault that is resolved later. */
struct late {
	int fd;
	uint64_t flags;
	uintptr_t addr;
	uint64_t due; /* ticks */
};

struct uffd {
	int fd[UFFD_COUNT]; /* the second may be -1 */
	int stop; /* eventfd: the thread ends */
	pthread_t thread;
	const struct slot *slot;
	unsigned int nslots, proc;
	size_t page_size;
	/* Set before anything is registered. */
	struct space *_Atomic space;
	_Atomic unsigned int nlanes;
	const char *zero; /* nothing but zeroes */
	char *stall; /* the lanes' arrays, then their twins */
	size_t stall_len; /* of either */
	_Atomic uint32_t stall_ns[SPACE_MAX_LANES];
	_Atomic uint32_t late_ns[SLOT_MAX], late_left[SLOT_MAX];
	_Atomic uint32_t huge[SLOT_MAX];
	_Atomic uint32_t told[SLOT_MAX]; /* in this epoch, of what happens to a range of the slot */
	/* The thread's own. Children that were forked while registered, the oldest overwritten. */
	int child[CHILDREN];
	unsigned int nchildren;
	struct late late[LATE_MAX];
	unsigned int nlate;
	pthread_mutex_t work; /* held while it has taken something and not yet done with it */
};

/* Bytes of a lane's arrays. */
static size_t lane_len(const struct uffd *u)
{
	return STALL_ARRAYS * 2 * u->page_size;
}

/* ---- where a fault is ---- */

struct where {
	const struct slot *slot; /* NULL: none */
	unsigned int slot_no, view;
	bool in_view; /* else in the room for mremap */
	uintptr_t base; /* of page 0 */
	uint64_t granule; /* bytes of a page there */
};

static bool within(uintptr_t addr, uintptr_t base, uint64_t len)
{
	return addr >= base && addr - base < len;
}

static bool find_in_slot(const struct slot *s, unsigned int nlanes, uintptr_t addr, struct where *w)
{
	for (unsigned int v = 0; v < s->nviews; v++) {
		if (!within(addr, s->view[v], s->spec.size))
			continue;
		w->view = v;
		w->in_view = true;
		w->base = s->view[v];
		return true;
	}
	for (unsigned int l = 0; l < nlanes; l++) {
		w->base = slot_spare(s, l);
		if (within(addr, w->base, s->spec.size))
			return true;
	}
	return false;
}

static struct where find(const struct uffd *u, uintptr_t addr)
{
	for (unsigned int i = 0; i < u->nslots; i++) {
		const struct slot *s = &u->slot[i];
		struct where w = {
			.slot = s, .slot_no = i, .granule = (uint64_t)s->granule << s->page_shift};

		if (s->present && find_in_slot(s, u->nlanes, addr, &w))
			return w;
	}
	return (struct where){.granule = u->page_size};
}

/* ---- resolving ---- */

struct range {
	uintptr_t addr;
	uint64_t len;
};

static int io(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

static int fill(int fd, struct range r, const char *from)
{
	struct uffdio_copy copy = {.dst = r.addr, .src = (uintptr_t)from, .len = r.len};

	return io(fd, UFFDIO_COPY, &copy);
}

static int unprotect(int fd, struct range r)
{
	struct uffdio_writeprotect wp = {.range = {r.addr, r.len}};

	return io(fd, UFFDIO_WRITEPROTECT, &wp);
}

static int let_in(int fd, struct range r)
{
	struct uffdio_continue cont = {.range = {r.addr, r.len}};

	return io(fd, UFFDIO_CONTINUE, &cont);
}

static void wake(int fd, struct range r)
{
	struct uffdio_range range = {r.addr, r.len};

	io(fd, UFFDIO_WAKE, &range);
}

static int unregister(int fd, struct range r)
{
	struct uffdio_range range = {r.addr, r.len};

	return io(fd, UFFDIO_UNREGISTER, &range);
}

/* The huge page around the fault as far as the slot reaches, or the page. */
static struct range wp_range(const struct uffd *u, const struct where *w, struct range page)
{
	uint64_t pmd = w->slot ? (uint64_t)w->slot->pmd_pages << w->slot->page_shift : 0;
	struct range r = {page.addr & ~(pmd - 1), pmd};

	if (!w->slot || pmd <= page.len ||
		!atomic_load_explicit(&u->huge[w->slot_no], memory_order_relaxed) ||
		r.addr < w->base || r.addr + r.len > w->base + w->slot->spec.size)
		return page;
	return r;
}

static int try_resolve(const struct late *l, const char *from, struct range r, struct range wp)
{
	int err;

	if (l->flags & UFFD_PAGEFAULT_FLAG_WP) {
		err = unprotect(l->fd, wp);
		return err == -ENOENT && wp.len != r.len ? unprotect(l->fd, r) : err;
	}
	if (l->flags & UFFD_PAGEFAULT_FLAG_MINOR)
		return let_in(l->fd, r);
	return fill(l->fd, r, from);
}

enum { UNHELPED = 1 };

/*
 * What the faulting thread finds when it tries again is up to the kernel: it may have been resolved by another (EEXIST), be no longer
 * registered (ENOENT) or no longer exist (EFAULT). What we cannot give (ENOMEM) the kernel shall try itself, without us: UNHELPED. But the
 * lanes' arrays stay registered, and wait.
 */
static int resolve(const struct late *l, const struct where *w, const char *from, struct range r,
	struct range wp)
{
	int err = try_resolve(l, from, r, wp);

	if (err == -EAGAIN || (err == -ENOMEM && !w->slot))
		return -EAGAIN;
	if (err && err != -EEXIST && err != -ENOENT)
		return UNHELPED;
	if (err)
		wake(l->fd, r);
	return 0;
}

static bool is_own(const struct uffd *u, int fd)
{
	return fd == u->fd[UFFD_PLAIN] || fd == u->fd[UFFD_EVENTS];
}

static struct effect effect_on(const struct where *w, struct range r, uint32_t kinds)
{
	return (struct effect){.kinds = kinds,
		.slot = (uint8_t)w->slot_no,
		.view = (uint8_t)w->view,
		.page = (uint32_t)((r.addr - w->base) >> w->slot->page_shift),
		.pages = (uint32_t)(r.len >> w->slot->page_shift)};
}

/* Leaves the page to the kernel, or the whole slot where there is no VMA of the page any more. */
static void let_go(
	const struct uffd *u, const struct late *l, const struct where *w, struct range r)
{
	bool judged = w->slot && w->in_view && is_own(u, l->fd);
	struct range all = w->slot ? (struct range){w->base, w->slot->spec.size} : r;
	struct effect_run fx = {.n = 1};

	if (judged) {
		fx.eff[0] = effect_on(w, all, EFFECT_WP_LIFT | EFFECT_VMA_SPLIT);
		effects_begin(u->space, u->nslots, u->proc, &fx);
	}
	if (unregister(l->fd, r) < 0 && w->slot)
		unregister(l->fd, all);
	if (judged)
		effects_end(u->space, u->nslots, u->proc, 0, &fx, false);
	wake(l->fd, r);
}

/*
 * The lift is begun before the writer can go on: that is what judge_wp() relies on. A guard that was set since the fault may be overwritten
 * (effects_fill()), or not.
 */
static int resolve_slot(
	const struct uffd *u, const struct late *l, const struct where *w, struct range r)
{
	struct range wp = wp_range(u, w, r);
	struct effect_run fx = {.n = 1};
	int err;

	if (!w->in_view || !is_own(u, l->fd))
		return resolve(l, w, u->zero, r, wp);
	fx.eff[0] = effect_on(w, wp, EFFECT_WP_LIFT | EFFECT_UNGUARDED);
	effects_begin(u->space, u->nslots, u->proc, &fx);
	err = resolve(l, w, u->zero, r, wp);
	effects_end(u->space, u->nslots, u->proc, 0, &fx, false);
	return err;
}

static int resolve_fault(const struct uffd *u, const struct late *l)
{
	struct where w = find(u, l->addr);
	struct range r = {l->addr & ~(w.granule - 1), w.granule};
	uintptr_t stall = (uintptr_t)u->stall;
	int err = within(l->addr, stall, u->stall_len)
			  ? resolve(l, &w, (char *)r.addr + u->stall_len, r, r)
			  : resolve_slot(u, l, &w, r);

	if (err == UNHELPED) {
		let_go(u, l, &w, r);
		err = 0;
	}
	return err;
}

/* ---- what comes late ---- */

static void put_off(struct uffd *u, const struct late *l, uint64_t ns)
{
	if (u->nlate == LATE_MAX) {
		wake(l->fd, (struct range){l->addr & ~(u->page_size - 1), u->page_size});
		return; /* and it faults again */
	}
	u->late[u->nlate] = *l;
	u->late[u->nlate++].due = clock_ticks() + clock_from_ns(ns);
}

/* The time until the first of them is due; NULL: none. */
static const struct timespec *next_due(const struct uffd *u, struct timespec *ts)
{
	uint64_t now = clock_ticks(), first = UINT64_MAX, ns;

	if (!u->nlate)
		return NULL;
	for (unsigned int i = 0; i < u->nlate; i++)
		first = u->late[i].due < first ? u->late[i].due : first;
	ns = first > now ? clock_to_ns(first - now) : 0;
	*ts = (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
	return ts;
}

static void resolve_due(struct uffd *u)
{
	uint64_t now = clock_ticks();
	unsigned int n = u->nlate;

	for (unsigned int i = 0; i < n;) {
		struct late l = u->late[i];

		if (l.due > now) {
			i++;
			continue;
		}
		u->late[i] = u->late[--u->nlate];
		n = n > u->nlate ? u->nlate : n;
		if (resolve_fault(u, &l) == -EAGAIN)
			put_off(u, &l, RETRY_NS);
	}
}

static void forget(struct uffd *u, int fd)
{
	for (unsigned int i = 0; i < u->nlate;) {
		if (u->late[i].fd == fd)
			u->late[i] = u->late[--u->nlate];
		else
			i++;
	}
}

/* ---- messages ---- */

/* How late a missing page comes. */
static uint32_t lateness(struct uffd *u, const struct late *l)
{
	uintptr_t stall = (uintptr_t)u->stall;
	struct where w;

	if (l->flags & (UFFD_PAGEFAULT_FLAG_WP | UFFD_PAGEFAULT_FLAG_MINOR))
		return 0;
	if (within(l->addr, stall, u->stall_len))
		return atomic_load_explicit(
			&u->stall_ns[(l->addr - stall) / lane_len(u)], memory_order_relaxed);
	w = find(u, l->addr);
	if (!w.slot || !atomic_load_explicit(&u->late_left[w.slot_no], memory_order_relaxed))
		return 0;
	atomic_fetch_sub_explicit(&u->late_left[w.slot_no], 1, memory_order_relaxed);
	return atomic_load_explicit(&u->late_ns[w.slot_no], memory_order_relaxed);
}

/*
 * A child's own descriptor. Closing one lets its faults pass to the kernel; the oldest of so many belongs to a child that is gone, or can do
 * without us.
 */
static void adopt(struct uffd *u, int fd)
{
	int *place = &u->child[u->nchildren++ % CHILDREN];

	if (*place >= 0) {
		forget(u, *place);
		close(*place);
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	*place = fd;
}

static void take(struct uffd *u, int fd, const struct uffd_msg *msg)
{
	struct late l = {.fd = fd};
	uint32_t ns;

	/* Of mremap, madvise and munmap there is nothing to keep track of: having read it lets them go on. */
	if (msg->event == UFFD_EVENT_FORK)
		adopt(u, (int)msg->arg.fork.ufd);
	if (msg->event != UFFD_EVENT_PAGEFAULT)
		return;
	l.addr = msg->arg.pagefault.address;
	l.flags = msg->arg.pagefault.flags;
	ns = lateness(u, &l);
	if (ns)
		put_off(u, &l, ns);
	else if (resolve_fault(u, &l) == -EAGAIN)
		put_off(u, &l, RETRY_NS);
}

static void drain(struct uffd *u, int fd)
{
	struct uffd_msg msg[MESSAGES];
	ssize_t n = read(fd, msg, sizeof(msg));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(*msg); i++)
		take(u, fd, &msg[i]);
}

static void *handle(void *arg)
{
	struct uffd *u = arg;
	struct pollfd p[1 + UFFD_COUNT + CHILDREN];

	prctl(PR_SET_NAME, "uffd");
	p[0] = (struct pollfd){u->stop, POLLIN, 0};
	pthread_mutex_lock(&u->work);
	for (;;) {
		const struct timespec *due;
		struct timespec ts;
		int n;

		for (unsigned int i = 0; i < UFFD_COUNT; i++)
			p[1 + i] = (struct pollfd){u->fd[i], POLLIN, 0};
		for (unsigned int i = 0; i < CHILDREN; i++)
			p[1 + UFFD_COUNT + i] = (struct pollfd){u->child[i], POLLIN, 0};
		due = next_due(u, &ts);
		pthread_mutex_unlock(&u->work);
		n = ppoll(p, ARRAY_SIZE(p), due, NULL);
		pthread_mutex_lock(&u->work);
		if (n >= 0 && p[0].revents)
			break;
		if (n < 0)
			continue;
		for (unsigned int i = 1; i < ARRAY_SIZE(p); i++)
			if (p[i].fd >= 0 && p[i].revents)
				drain(u, p[i].fd);
		resolve_due(u);
	}
	pthread_mutex_unlock(&u->work);
	return NULL;
}

/* ---- the gear ---- */

static const uint64_t events = UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP |
			       UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP;
static const uint64_t wanted = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_MISSING_HUGETLBFS |
			       UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_HUGETLBFS |
			       UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_WP_HUGETLBFS_SHMEM |
			       UFFD_FEATURE_WP_UNPOPULATED | UFFD_FEATURE_POISON |
			       UFFD_FEATURE_MOVE;

/* All ops have CAP_HAS_UFFD_KERNEL: what the kernel itself misses comes to us too. */
static int open_fd(uint64_t features)
{
	bool user_only;
	_cleanup_close_ int probe = uffd_new(&user_only), fd = uffd_new(&user_only);
	uint64_t have;
	int r;

	if (probe < 0)
		return probe;
	if (fd < 0)
		return fd;
	r = uffd_api(probe, 0, &have);
	if (r == 0)
		r = uffd_api(fd, features & have, &have);
	return r < 0 ? r : TAKE_FD(fd);
}

/* A hugetlb page is copied as one; nothing else that is longer than this pays. */
static size_t zeroes_wanted(const struct uffd *u)
{
	size_t most = UFFD_ZEROES;

	for (unsigned int i = 0; i < u->nslots; i++) {
		size_t page = (size_t)u->slot[i].granule << u->slot[i].page_shift;

		if (u->slot[i].present && page > most)
			most = page;
	}
	return most;
}

static void *reserve(size_t len, int prot)
{
	void *p = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The arrays that are to be missing: registered for good; a child has no use for them. */
static int open_stall(struct uffd *u)
{
	struct uffdio_register reg = {.mode = UFFDIO_REGISTER_MODE_MISSING};

	u->stall_len = SPACE_MAX_LANES * lane_len(u);
	u->stall = reserve(2 * u->stall_len, PROT_READ | PROT_WRITE);
	if (!u->stall)
		return -ENOMEM;
	madvise(u->stall, 2 * u->stall_len, MADV_NOHUGEPAGE);
	madvise(u->stall, u->stall_len, MADV_DONTFORK);
	memset(u->stall + u->stall_len, 0, u->stall_len);
	reg.range = (struct uffdio_range){(uintptr_t)u->stall, u->stall_len};
	return io(u->fd[UFFD_PLAIN], UFFDIO_REGISTER, &reg);
}

/* Signals are for lanes. */
static int start(struct uffd *u)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&u->thread, NULL, handle, u);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

/* Any failure ends the process. */
static int open_gear(const struct op_env *e, void **ret)
{
	struct uffd *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	u->slot = e->slot;
	u->nslots = e->nslots;
	u->proc = e->proc;
	u->page_size = (size_t)e->machine->page_size;
	pthread_mutex_init(&u->work, NULL);
	for (unsigned int i = 0; i < CHILDREN; i++)
		u->child[i] = -1;
	u->fd[UFFD_PLAIN] = open_fd(wanted);
	u->fd[UFFD_EVENTS] = caps_missing(CAP_HAS_UFFD_EVENTS) ? -1 : open_fd(wanted | events);
	u->stop = eventfd(0, EFD_CLOEXEC);
	u->zero = reserve(zeroes_wanted(u), PROT_READ);
	if (u->fd[UFFD_PLAIN] < 0)
		return u->fd[UFFD_PLAIN];
	if (u->stop < 0 || !u->zero)
		return -ENOMEM;
	r = open_stall(u);
	if (r == 0)
		r = start(u);
	*ret = u;
	return r;
}

static void begin(struct op_env *e, void *state)
{
	struct uffd *u = state;

	u->space = e->cells->space;
	u->nlanes = e->cells->nlanes;
	for (unsigned int i = 0; i < SLOT_MAX; i++) {
		atomic_store_explicit(&u->late_left[i], 0, memory_order_relaxed);
		atomic_store_explicit(&u->huge[i], 0, memory_order_relaxed);
		atomic_store_explicit(&u->told[i], 0, memory_order_relaxed);
	}
}

/*
 * No lane waits for a fault any more, but the thread may still be busy with what it has already resolved, or have some left that others
 * resolved: it must not speak of an epoch that is over. What is not let go of here, as a range of which both descriptors have a part,
 * goes with the views.
 */
static void end(struct op_env *e, void *state)
{
	struct uffd *u = state;

	for (unsigned int i = 0; i < e->nslots; i++) {
		const struct slot *s = &e->slot[i];

		for (unsigned int v = 0; s->present && v < s->nviews; v++)
			for (unsigned int k = 0; k < UFFD_COUNT; k++)
				if (u->fd[k] >= 0)
					unregister(
						u->fd[k], (struct range){s->view[v], s->spec.size});
	}
	pthread_mutex_lock(&u->work);
	u->nlate = 0;
	pthread_mutex_unlock(&u->work);
}

static void close_gear(void *state)
{
	struct uffd *u = state;
	uint64_t one = 1;

	if (write(u->stop, &one, sizeof(one)) != sizeof(one))
		return; /* then exit ends the thread */
	pthread_join(u->thread, NULL);
	for (unsigned int i = 0; i < CHILDREN; i++)
		if (u->child[i] >= 0)
			close(u->child[i]);
	for (unsigned int i = 0; i < UFFD_COUNT; i++)
		if (u->fd[i] >= 0)
			close(u->fd[i]);
	close(u->stop);
	munmap(u->stall, 2 * u->stall_len);
	free(u);
}

const struct gear gear_uffd = {
	.name = "uffd",
	.open = open_gear,
	.begin = begin,
	.end = end,
	.close = close_gear,
};

/* ---- for the ops ---- */

static struct uffd *of(const struct op_env *e)
{
	return gear_of(e, &gear_uffd);
}

int uffd_fd(const struct op_env *e, uint32_t by)
{
	const struct uffd *u = of(e);

	if (!u)
		return -1;
	return u->fd[by % UFFD_COUNT] >= 0 ? u->fd[by % UFFD_COUNT] : u->fd[UFFD_PLAIN];
}

const char *uffd_zero(const struct op_env *e)
{
	return of(e) ? of(e)->zero : NULL;
}

void uffd_set_told(struct op_env *e, unsigned int slot)
{
	struct uffd *u = of(e);

	if (u) /* pairs with uffd_dropped(): set before the kernel knows */
		atomic_store_explicit(&u->told[slot], 1, memory_order_release);
}

void uffd_dropped(struct op_env *e, const struct op_span *s)
{
	const struct uffd *u = of(e);

	if (u && atomic_load_explicit(&u->told[s->slot_no], memory_order_acquire))
		e->partial |= space_facts(
			&e->cells->space[s->slot_no], e->proc, s->view, s->page, s->pages)
				      .split;
}

void uffd_set_late(struct op_env *e, unsigned int slot, uint32_t ns)
{
	struct uffd *u = of(e);

	if (!u)
		return;
	atomic_store_explicit(&u->late_ns[slot], ns, memory_order_relaxed);
	atomic_store_explicit(&u->late_left[slot], ns ? LATE_PAGES : 0, memory_order_relaxed);
}

void uffd_set_huge(struct op_env *e, unsigned int slot, bool huge)
{
	struct uffd *u = of(e);

	if (u)
		atomic_store_explicit(&u->huge[slot], huge, memory_order_relaxed);
}

char *stall_array(const struct op_env *e, unsigned int i)
{
	const struct uffd *u = of(e);

	return u->stall + e->lane * lane_len(u) + i * 2 * u->page_size;
}

char *stall_twin(const struct op_env *e, unsigned int i)
{
	return stall_array(e, i) + of(e)->stall_len;
}

enum { STALL_TRIES = 100 };

int stall_begin(struct op_env *e, unsigned int late, uint32_t ns)
{
	struct uffd *u = of(e);
	char *all = stall_array(e, 0);
	int r = 0, tries = STALL_TRIES;

	/* What mlockall() has locked cannot be dropped (EINVAL); another lane's may come between the two. */
	for (munlock(all, lane_len(u)); madvise(all, lane_len(u), MADV_DONTNEED) < 0;
		munlock(all, lane_len(u)))
		if (errno != EINVAL || !--tries)
			return -errno;
	for (unsigned int i = 0; i < STALL_ARRAYS && r == 0; i++)
		r = fill(u->fd[UFFD_PLAIN],
			(struct range){
				(uintptr_t)stall_array(e, i), (i == late ? 1 : 2) * u->page_size},
			stall_twin(e, i));
	atomic_store_explicit(&u->stall_ns[e->lane], ns, memory_order_relaxed);
	return r == -EEXIST || r == -EAGAIN
		       ? 0
		       : r; /* mlockall() was faster, with all or with the second page */
}
