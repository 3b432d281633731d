/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plain way to fuzz a kernel with AFL++, for comparison: bytes become system calls of one thread, one after the other, on one
 * piece of memory; what kcov saw of that thread is hashed into the map. AFL's own mutations do the rest. Figures go where a campaign
 * wants them (SUNDER_STATS, SUNDER_FUNCTIONS).
 */
#include <fcntl.h>
#include <linux/kcov.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "fork_server.h"
#include "functions.h"
#include "layers.h"

enum {
	PLAIN_MAP = 65536,
	COVER_MAX = 1 << 18,
	CALLS_MAX = 64,
	CALL_BYTES = 8,
	STATS_S = 1,
	FUNCTIONS_S = 10
};

#define BASE ((char *)0x200000000000)
#define AREA (16UL << 20)

struct plain {
	int kcov, memfd;
	uint64_t *cover;
	struct kcov_text *text;
	struct functions *functions;
	uint64_t execs, began_ns, stats_ns, functions_ns;
};

/* One record: which call, where, how much, and the rest. */
static void call(struct plain *p, const unsigned char *b)
{
	static const int advices[] = {
		0, 1, 2, 3, 4, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25};
	char *at = BASE + ((size_t)(b[1] | b[2] << 8) << 12) % AREA;
	size_t len = (((size_t)(b[3] | b[4] << 8) << 12) % AREA) + 4096;
	int prot = b[5] & 7, node = b[6] & 1, status[16], nodes[16];
	unsigned long mask = 1UL << node;
	void *pages[16];

	if (at + len > BASE + AREA)
		len = (size_t)(BASE + AREA - at);
	for (int i = 0; i < 16; i++) {
		pages[i] = at + (size_t)i * 4096;
		nodes[i] = node;
	}
	switch (b[0] % 16) {
	case 0:
		mmap(at, len, prot,
			MAP_FIXED | MAP_ANONYMOUS | (b[7] & 1 ? MAP_SHARED : MAP_PRIVATE), -1, 0);
		break;
	case 1:
		mmap(at, len, prot, MAP_FIXED | (b[7] & 1 ? MAP_SHARED : MAP_PRIVATE), p->memfd,
			at - BASE);
		break;
	case 2:
		mmap(at, len, prot,
			MAP_FIXED | MAP_ANONYMOUS | MAP_HUGETLB |
				(b[7] & 1 ? MAP_SHARED : MAP_PRIVATE),
			-1, 0);
		break;
	case 3:
		munmap(at, len);
		break;
	case 4:
	case 5:
		madvise(at, len, advices[b[5] % (sizeof(advices) / sizeof(advices[0]))]);
		break;
	case 6:
		mprotect(at, len, prot);
		break;
	case 7:
		mremap(at, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
			BASE + ((size_t)(b[6] | b[7] << 8) << 12) % AREA);
		break;
	case 8:
		syscall(SYS_mbind, at, len, b[5] % 6, &mask, 8, b[7] & 7);
		break;
	case 9:
		syscall(SYS_move_pages, 0, 16, pages, b[7] & 1 ? nodes : NULL, status,
			MPOL_MF_MOVE);
		break;
	case 10:
		b[7] & 1 ? mlock(at, len) : munlock(at, len);
		break;
	case 11:
		fallocate(p->memfd, b[5] & 3, at - BASE, (off_t)len);
		break;
	case 12:
		msync(at, len, b[7] & 7);
		break;
	default:
		/* The kernel writes there, so that a hole is an error and no signal. */
		for (size_t i = 0; i < len && i < 64 * 4096; i += 4096)
			if (pread(p->memfd, at + i, 8, 0) < 0)
				break;
	}
}

static void run(struct plain *p, unsigned char *map, const unsigned char *bytes, size_t len)
{
	uint64_t n = 0, prev = 0;

	munmap(BASE, AREA);
	mmap(BASE, AREA, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(BASE, AREA, MADV_HUGEPAGE);
	if (ftruncate(p->memfd, 0) < 0 || ftruncate(p->memfd, AREA) < 0)
		return;
	if (p->cover)
		__atomic_store_n(&p->cover[0], 0, __ATOMIC_RELAXED);
	for (size_t i = 0; i < CALLS_MAX && (i + 1) * CALL_BYTES <= len; i++)
		call(p, bytes + i * CALL_BYTES);
	if (p->cover)
		n = __atomic_load_n(&p->cover[0], __ATOMIC_RELAXED);
	for (uint64_t i = 0; i < n && i < COVER_MAX - 1; i++) {
		uint64_t pc = p->cover[i + 1], h = pc * 0x9e3779b97f4a7c15ULL >> 40;
		uint32_t at = p->text ? kcov_offset(p->text, pc) : 0;

		if (map)
			map[(h ^ prev) & (PLAIN_MAP - 1)]++;
		prev = h >> 1;
		if (at && p->functions)
			functions_reached(p->functions, at);
	}
	p->execs++;
}

static void tell(struct plain *p)
{
	const char *stats = getenv("SUNDER_STATS"), *functions = getenv("SUNDER_FUNCTIONS");
	uint64_t now = clock_raw_ns();
	char tmp[512];
	FILE *f;

	if (functions && p->functions && now - p->functions_ns > FUNCTIONS_S * 1000000000ULL) {
		p->functions_ns = now;
		functions_write(p->functions, functions);
	}
	if (!stats || now - p->stats_ns < STATS_S * 1000000000ULL)
		return;
	p->stats_ns = now;
	snprintf(tmp, sizeof(tmp), "%.500s.new", stats);
	f = fopen(tmp, "we");
	if (!f)
		return;
	fprintf(f, "{\"execs\": %llu, \"seconds\": %.3f, \"places\": %u}\n",
		(unsigned long long)p->execs, (double)(now - p->began_ns) / 1e9,
		p->functions ? functions_count(p->functions) : 0);
	if (fclose(f) == 0)
		rename(tmp, stats);
}

static void open_all(struct plain *p)
{
	p->memfd = memfd_create("plain", MFD_CLOEXEC);
	p->kcov = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	p->began_ns = clock_raw_ns();
	if (p->kcov < 0)
		return;
	if (ioctl(p->kcov, KCOV_INIT_TRACE, (unsigned long)COVER_MAX) == 0)
		p->cover = mmap(NULL, COVER_MAX * sizeof(*p->cover), PROT_READ | PROT_WRITE,
			MAP_SHARED, p->kcov, 0);
	if (p->cover == MAP_FAILED || !p->cover || ioctl(p->kcov, KCOV_ENABLE, KCOV_TRACE_PC) < 0) {
		p->cover = NULL;
		return;
	}
	if (!kcov_text_open(&p->text))
		p->functions = functions_open(p->text);
}

int main(void)
{
	struct fork_server fs = {.control = FORK_SERVER_CONTROL,
		.status = FORK_SERVER_STATUS,
		.map_size = PLAIN_MAP};
	static struct plain p;
	const unsigned char *bytes;
	size_t len;

	fs.buf = malloc(FORK_SERVER_INPUT_MAX);
	if (!fs.buf || fork_server_attach(&fs) < 0 || fork_server_hello(&fs) < 0) {
		fputs("plain: to be run by afl-fuzz\n", stderr);
		return 2;
	}
	while (fork_server_next(&fs, &bytes, &len) > 0) {
		if (!p.began_ns)
			open_all(&p);
		if (fork_server_begin(&fs) < 0)
			break;
		run(&p, fs.map, bytes, len);
		tell(&p);
		if (fs.map)
			fs.map[0] |= 1;
		if (fork_server_end(&fs, FORK_SERVER_FINE) < 0)
			break;
	}
	p.stats_ns = p.functions_ns = 0;
	tell(&p);
	return 0;
}
