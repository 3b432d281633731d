/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "exec/flight.h"
#include "grant.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum { BLOCK = 4096, RING_BLOCKS = 1024, MAX_CREWS = PLAN_MAX_CREWS * PLAN_MAX_TURNS };
/* Rounds granted at once: at least the one after the next, at most what keeps a batch small. */
enum { BATCH_MIN = 2, BATCH_MAX = 4096, BATCH_WITH_BYTES = 64 };

static const char file_magic[8] = "sflight1";
static const uint32_t record_magic = 0x646e7273; /* "srnd" */

struct file_head {
	char magic[8];
	uint32_t ncrews, ring_blocks;
	struct flight_about about;
	uint64_t sum; /* XXH64 of what is before it */
};

/* A granted batch; starts on a block, its rounds' programs follow it: u32 length and bytes each, then the sum. */
struct batch {
	uint32_t magic, crew;
	uint64_t seq; /* 1, 2, ... over the whole recording */
	uint64_t from, to;
	uint32_t len; /* of what follows */
	uint32_t with_bytes;
	uint64_t sum; /* XXH64 of this with sum = 0, and what follows */
};

struct recorder;

struct flight {
	pid_t pid;
	int fd;
	char path[PATH_MAX];
	struct flight_word *word; /* shared */
	struct crew *const *crew;
	unsigned int ncrews;
	struct recorder *own; /* of flight_open(); else NULL */
};

/* What the recorder knows of a crew. */
struct pace {
	uint64_t seen_round, seen_ticks; /* when it last looked */
	double round_ns; /* smoothed; 0: unknown */
};

struct recorder {
	struct flight *f;
	struct pace *pace; /* [ncrews] */
	struct program *program;
	unsigned char *buf; /* one record and its programs */
	size_t size;
	uint64_t seq;
	unsigned int block; /* of the ring, where the next record starts */
	double sync_ns; /* smoothed time of a write */
};

/* ---- writing ---- */

static uint64_t sum_of(struct batch *r, const void *rest)
{
	XXH64_state_t *s = XXH64_createState();
	uint64_t sum;

	r->sum = 0;
	XXH64_reset(s, 0);
	XXH64_update(s, r, sizeof(*r));
	XXH64_update(s, rest, r->len);
	sum = XXH64_digest(s);
	XXH64_freeState(s);
	return sum;
}

static int write_all(int fd, const void *data, size_t len, off_t at)
{
	const char *p = data;

	while (len) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The programs of [from, to) behind the record's head. What does not fit ends the batch early. */
static void fill(struct recorder *rec, struct batch *head, const struct crew *c)
{
	unsigned char *at = rec->buf + sizeof(*head);
	uint64_t round;

	for (round = head->from; head->with_bytes && round < head->to; round++) {
		ssize_t len;
		uint32_t n;

		if ((size_t)(rec->buf + rec->size - at) < sizeof(n) + PROGRAM_MAX_BYTES)
			break;
		plan_draw(c->plan, c->index, round, rec->program);
		len = program_encode(rec->program, at + sizeof(n), PROGRAM_MAX_BYTES);
		n = len > 0 ? (uint32_t)len : 0;
		memcpy(at, &n, sizeof(n));
		at += sizeof(n) + n;
	}
	if (head->with_bytes)
		head->to = round;
	head->len = (uint32_t)(at - rec->buf - sizeof(*head));
}

/* The record whose bytes stand behind its head's place in rec->buf goes into the ring, and is on disk when this returns. */
static int write_record(struct recorder *rec, struct batch *head)
{
	size_t len = sizeof(*head) + head->len;
	unsigned int blocks = (unsigned int)((len + BLOCK - 1) / BLOCK);
	int r;

	head->sum = sum_of(head, rec->buf + sizeof(*head));
	memcpy(rec->buf, head, sizeof(*head));
	memset(rec->buf + len, 0, (size_t)blocks * BLOCK - len);
	if (rec->block + blocks > RING_BLOCKS)
		rec->block = 0;
	r = write_all(
		rec->f->fd, rec->buf, (size_t)blocks * BLOCK, (off_t)(1 + rec->block) * BLOCK);
	if (r == 0)
		rec->block += blocks;
	return r;
}

static int write_batch(struct recorder *rec, unsigned int i, uint64_t from, uint64_t to)
{
	struct batch head = {.magic = record_magic,
		.crew = i,
		.seq = ++rec->seq,
		.from = from,
		.to = to,
		.with_bytes = to - from <= BATCH_WITH_BYTES};
	const struct crew *c = rec->f->crew[i];
	uint64_t start = clock_ticks();
	int r;

	fill(rec, &head, c);
	r = write_record(rec, &head);
	if (r < 0)
		return r;
	rec->sync_ns += ((double)clock_to_ns(clock_ticks() - start) - rec->sync_ns) / 8;
	grant_rounds(c->ctl, head.to, head.to - (head.to - head.from) / 2 - 1);
	return 0;
}

/* How many rounds ahead a crew must be granted so that a write ends before it gets there. */
static uint64_t ahead_of(const struct recorder *rec, const struct pace *p)
{
	double n = p->round_ns > 0 ? 3 * rec->sync_ns / p->round_ns : 0;

	return n < BATCH_MIN ? BATCH_MIN : n > BATCH_MAX ? BATCH_MAX : (uint64_t)n;
}

static void measure(struct pace *p, uint64_t round)
{
	uint64_t now = clock_ticks();

	if (p->seen_ticks && round > p->seen_round) {
		double ns =
			(double)clock_to_ns(now - p->seen_ticks) / (double)(round - p->seen_round);

		p->round_ns += (ns - p->round_ns) / (p->round_ns > 0 ? 4 : 1);
	}
	p->seen_round = round;
	p->seen_ticks = now;
}

/* Grants what a crew wants next, if it is near its end. 1: something was written; 0; -errno. */
static int serve(struct recorder *rec, unsigned int i)
{
	struct crew_ctl *ctl = rec->f->crew[i]->ctl;
	uint64_t round = atomic_load(&ctl->round), granted = atomic_load(&ctl->granted);
	int r;

	if (round < atomic_load(&ctl->ask_at) && granted > round)
		return 0;
	measure(&rec->pace[i], round);
	if (granted < round)
		granted = round; /* it was started anew, further on */
	r = write_batch(rec, i, granted, granted + ahead_of(rec, &rec->pace[i]));
	return r < 0 ? r : 1;
}

static _Noreturn void recorder_main(struct flight *f, pid_t supervisor)
{
	struct recorder rec = {.f = f, .sync_ns = 1e6};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "sunder-flight");
	if (getppid() != supervisor)
		_exit(2);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	rec.size = (size_t)RING_BLOCKS / 4 * BLOCK;
	rec.buf = malloc(rec.size + BLOCK);
	rec.program = malloc(sizeof(*rec.program));
	rec.pace = calloc(f->ncrews, sizeof(*rec.pace));
	if (!rec.buf || !rec.program || !rec.pace)
		_exit(2);
	for (;;) {
		uint32_t word = atomic_load(&f->word->wanted);
		int did = 0;

		for (unsigned int i = 0; i < f->ncrews; i++) {
			int r = serve(&rec, i);

			if (r < 0)
				_exit(1); /* the supervisor tells; the crews go on */
			did |= r;
		}
		if (!did) {
			atomic_store(&f->word->sleeps, 1);
			syscall(SYS_futex, &f->word->wanted, FUTEX_WAIT, word, NULL, NULL, 0);
			atomic_store(&f->word->sleeps, 0);
		}
	}
}

/* ---- starting and ending ---- */

static void release(struct flight *f)
{
	if (f->fd >= 0) {
		unlink(f->path);
		close(f->fd);
	}
	if (f->word)
		munmap(f->word, sizeof(*f->word));
	if (f->own)
		free(f->own->buf);
	free(f->own);
	free(f);
}

/* Behind the ring each crew has a block: what is set up around its programs, and the sum of that. */
static void put_around(const struct plan *p, char *block)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	uint64_t sum;

	_Static_assert(FLIGHT_AROUND_MAX + sizeof(sum) == BLOCK, "a crew has one block");
	if (!out)
		return;
	plan_print_around(p, out);
	if (fclose(out) != 0)
		return;
	while (len >= FLIGHT_AROUND_MAX) /* whole lines */
		for (len--; len && text[len - 1] != '\n'; len--)
			;
	memcpy(block, text, len);
	sum = XXH64(block, FLIGHT_AROUND_MAX, 0);
	memcpy(block + FLIGHT_AROUND_MAX, &sum, sizeof(sum));
}

static int make_file(struct flight *f, const struct flight_about *about)
{
	size_t blocks = 1 + RING_BLOCKS + f->ncrews;
	_cleanup_free_ char *zero = calloc(blocks, BLOCK);
	struct file_head *head = (struct file_head *)zero;

	if (!zero)
		return -ENOMEM;
	f->fd = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_DSYNC, 0600);
	if (f->fd < 0)
		return -errno;
	if (flock(f->fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	memcpy(head->magic, file_magic, sizeof(head->magic));
	head->ncrews = f->ncrews;
	head->ring_blocks = RING_BLOCKS;
	head->about = *about;
	head->sum = XXH64(head, offsetof(struct file_head, sum), 0);
	for (unsigned int i = 0; f->crew && i < f->ncrews; i++)
		put_around(f->crew[i]->plan, zero + (1 + RING_BLOCKS + (size_t)i) * BLOCK);
	/* All of it once, so that later writes change no metadata. */
	return write_all(f->fd, zero, blocks * BLOCK, 0);
}

/* ---- a recording of whoever runs programs without asking for grants ---- */

int flight_open(
	const char *dir, const char *name, const struct flight_about *about, struct flight **ret)
{
	struct flight *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->fd = -1;
	f->ncrews = 1;
	f->own = calloc(1, sizeof(*f->own));
	r = f->own ? 0 : -ENOMEM;
	if (r == 0) {
		*f->own = (struct recorder){.f = f, .size = PROGRAM_MAX_BYTES + BLOCK};
		f->own->buf = malloc(f->own->size + BLOCK);
		r = f->own->buf ? 0 : -ENOMEM;
	}
	if (r == 0 &&
		snprintf(f->path, sizeof(f->path), "%s/%s", dir, name) >= (int)sizeof(f->path))
		r = -ENAMETOOLONG;
	if (r == 0)
		r = make_file(f, about);
	if (r < 0) {
		release(f);
		return r;
	}
	*ret = f;
	return 0;
}

int flight_note(struct flight *f, uint64_t number, const unsigned char *bytes, size_t len)
{
	struct recorder *rec = f->own;
	struct batch head = {.magic = record_magic,
		.seq = ++rec->seq,
		.from = number,
		.to = number + 1,
		.with_bytes = 1};
	uint32_t n = (uint32_t)(len < PROGRAM_MAX_BYTES ? len : PROGRAM_MAX_BYTES);

	memcpy(rec->buf + sizeof(head), &n, sizeof(n));
	memcpy(rec->buf + sizeof(head) + sizeof(n), bytes, n);
	head.len = (uint32_t)sizeof(n) + n;
	return write_record(rec, &head);
}

static int map_word(struct flight *f)
{
	f->word = mmap(
		NULL, sizeof(*f->word), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f->word == MAP_FAILED) {
		f->word = NULL;
		return -errno;
	}
	return 0;
}

int flight_start(const char *dir, const char *name, const struct flight_about *about,
	struct crew *const *crew, unsigned int ncrews, struct flight **ret)
{
	struct flight *f = calloc(1, sizeof(*f));
	pid_t supervisor = getpid();
	int r, pmsg;

	_Static_assert(sizeof(struct file_head) <= BLOCK, "the head has one block");
	if (!f)
		return -ENOMEM;
	f->fd = -1;
	f->crew = crew;
	f->ncrews = ncrews;
	r = snprintf(f->path, sizeof(f->path), "%s/%s", dir, name) < (int)sizeof(f->path)
		    ? 0
		    : -ENAMETOOLONG;
	if (r == 0)
		r = map_word(f);
	if (r == 0)
		r = make_file(f, about);
	if (r < 0) {
		release(f);
		return r;
	}
	pmsg = open("/dev/pmsg0", O_WRONLY | O_CLOEXEC);
	for (unsigned int i = 0; i < ncrews; i++) {
		crew[i]->ctl->flight = f->word;
		crew[i]->ctl->pmsg_fd = pmsg; /* inherited by the executors */
		atomic_store(&crew[i]->ctl->granted, 0);
	}
	f->pid = fork();
	if (f->pid == 0)
		recorder_main(f, supervisor);
	if (f->pid < 0) {
		r = -errno;
		flight_lost(f);
		release(f);
		return r;
	}
	*ret = f;
	return 0;
}

pid_t flight_pid(const struct flight *f)
{
	return f->pid;
}

void flight_lost(struct flight *f)
{
	f->pid = 0;
	for (unsigned int i = 0; i < f->ncrews; i++)
		grant_rounds(f->crew[i]->ctl, UINT64_MAX, UINT64_MAX);
}

uint64_t flight_waits(const struct flight *f)
{
	return atomic_load(&f->word->waits);
}

void flight_end(struct flight *f)
{
	if (!f)
		return;
	if (f->pid > 0) {
		kill(f->pid, SIGKILL);
		waitpid(f->pid, NULL, 0);
	}
	for (unsigned int i = 0; f->crew && i < f->ncrews; i++)
		f->crew[i]->ctl->flight = NULL;
	release(f);
}

/* ---- the crew's side ---- */

void grant_rounds(struct crew_ctl *ctl, uint64_t upto, uint64_t ask_at)
{
	atomic_store(&ctl->ask_at, ask_at);
	atomic_store(&ctl->granted, upto);
	atomic_fetch_add(&ctl->grants, 1);
	syscall(SYS_futex, &ctl->grants, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void ask(struct flight_word *w)
{
	atomic_fetch_add(&w->wanted, 1);
	/* seq_cst both: either the recorder sees the new word, or we see that it sleeps */
	if (atomic_load(&w->sleeps))
		syscall(SYS_futex, &w->wanted, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void mark_round(
	const struct crew_ctl *ctl, uint64_t seed, unsigned int number, uint64_t round)
{
	char mark[96];
	int len = snprintf(mark, sizeof(mark),
		"sunder seed=%" PRIu64 " crew=%u round=%" PRIu64 "\n", seed, number, round);

	if (write(ctl->pmsg_fd, mark, (size_t)len) < 0) {
		/* Then the ring alone tells. */
	}
}

void grant_wait(struct crew_ctl *ctl, uint64_t seed, unsigned int number, uint64_t round)
{
	struct flight_word *w = ctl->flight;

	if (!w)
		return;
	if (round >= atomic_load(&ctl->ask_at))
		ask(w);
	if (atomic_load(&ctl->granted) <= round)
		atomic_fetch_add(&w->waits, 1);
	for (;;) {
		uint32_t grants = atomic_load(&ctl->grants);

		if (atomic_load(&ctl->granted) > round)
			break;
		syscall(SYS_futex, &ctl->grants, FUTEX_WAIT, grants, NULL, NULL, 0);
	}
	if (ctl->pmsg_fd >= 0)
		mark_round(ctl, seed, number, round);
}

bool flight_parse_mark(
	const char *line, uint64_t *ret_seed, unsigned int *ret_crew, uint64_t *ret_round)
{
	uint64_t seed, round;
	unsigned int crew;

	if (sscanf(line, "sunder seed=%" SCNu64 " crew=%u round=%" SCNu64, &seed, &crew, &round) !=
		3)
		return false;
	*ret_seed = seed;
	*ret_crew = crew;
	*ret_round = round;
	return true;
}

/* ---- reading ---- */

static int read_file(const char *path, unsigned char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ unsigned char *data = NULL;
	struct stat st;
	size_t len = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (st.st_size < BLOCK || st.st_size > (off_t)(1 + RING_BLOCKS + MAX_CREWS) * BLOCK)
		return -EBADMSG;
	data = malloc((size_t)st.st_size);
	if (!data)
		return -ENOMEM;
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, data + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		len += (size_t)n;
	}
	*ret = TAKE_PTR(data);
	*ret_len = len;
	return 0;
}

static void keep_round(
	struct flight_crew *c, uint64_t round, const unsigned char *bytes, uint32_t len)
{
	struct flight_round *r;

	if (c->n == FLIGHT_LAST) {
		memmove(c->last, c->last + 1, (FLIGHT_LAST - 1) * sizeof(c->last[0]));
		c->n--;
	}
	r = &c->last[c->n++];
	r->round = round;
	r->len = len;
	memcpy(r->bytes, bytes, len);
}

static void take_record(struct flight_log *l, const struct batch *r, const unsigned char *rest)
{
	struct flight_crew *c = &l->crew[r->crew];
	size_t at = 0;

	c->from = r->from;
	c->to = r->to;
	for (uint64_t round = r->from; r->with_bytes && round < r->to; round++) {
		uint32_t n;

		if (r->len - at < sizeof(n))
			return;
		memcpy(&n, rest + at, sizeof(n));
		at += sizeof(n);
		if (n > PROGRAM_MAX_BYTES || n > r->len - at)
			return;
		keep_round(c, round, rest + at, n);
		at += n;
	}
}

static void take_around(
	const unsigned char *data, size_t len, unsigned int crew, struct flight_crew *ret)
{
	size_t at = (1 + RING_BLOCKS + (size_t)crew) * BLOCK;
	uint64_t sum;

	if (at + BLOCK > len)
		return;
	memcpy(&sum, data + at + FLIGHT_AROUND_MAX, sizeof(sum));
	if (sum == XXH64(data + at, FLIGHT_AROUND_MAX, 0))
		memcpy(ret->around, data + at, FLIGHT_AROUND_MAX - 1);
}

struct found {
	struct batch head;
	const unsigned char *rest;
};

static int by_seq(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->head.seq < y->head.seq ? -1 : x->head.seq > y->head.seq;
}

/* True if a whole record starts at a block; its bytes are checked against its sum. */
static bool record_at(
	const unsigned char *data, size_t len, size_t at, unsigned int ncrews, struct found *ret)
{
	struct batch head;
	uint64_t sum;

	memcpy(&head, data + at, sizeof(head));
	if (head.magic != record_magic || head.crew >= ncrews || head.to < head.from ||
		head.len > len - at - sizeof(head))
		return false;
	sum = head.sum;
	if (sum_of(&head, data + at + sizeof(head)) != sum)
		return false;
	*ret = (struct found){head, data + at + sizeof(head)};
	return true;
}

static void end_strings(struct flight_about *a)
{
	a->boot_id[FLIGHT_ID_MAX - 1] = a->started[FLIGHT_ID_MAX - 1] =
		a->kernel[FLIGHT_ID_MAX - 1] = a->host[FLIGHT_ID_MAX - 1] = '\0';
	a->job[FLIGHT_TEXT_MAX - 1] = a->output[FLIGHT_TEXT_MAX - 1] = '\0';
}

int flight_read(const char *path, struct flight_log *ret)
{
	_cleanup_free_ unsigned char *data = NULL;
	_cleanup_free_ struct found *found = NULL;
	struct flight_log l = {0};
	struct file_head head;
	size_t len = 0, n = 0;
	int r = read_file(path, &data, &len);

	if (r < 0)
		return r;
	memcpy(&head, data, sizeof(head));
	if (memcmp(head.magic, file_magic, sizeof(file_magic)) != 0 || !head.ncrews ||
		head.ncrews > MAX_CREWS ||
		head.sum != XXH64(&head, offsetof(struct file_head, sum), 0))
		return -EBADMSG;
	l.about = head.about;
	end_strings(&l.about);
	l.ncrews = head.ncrews;
	l.crew = calloc(l.ncrews, sizeof(*l.crew));
	found = calloc(len / BLOCK, sizeof(*found));
	if (!l.crew || !found) {
		free(l.crew);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < l.ncrews; i++)
		take_around(data, len, i, &l.crew[i]);
	for (size_t at = BLOCK; at + BLOCK <= len && at < (1 + RING_BLOCKS) * BLOCK; at += BLOCK)
		n += record_at(data, len, at, l.ncrews, &found[n]);
	qsort(found, n, sizeof(*found), by_seq);
	for (size_t i = 0; i < n; i++)
		take_record(&l, &found[i].head, found[i].rest);
	*ret = l;
	return 0;
}

void flight_log_free(struct flight_log *l)
{
	free(l->crew);
	memset(l, 0, sizeof(*l));
}
