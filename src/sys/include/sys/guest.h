/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small virtual machine (KVM): no devices and no interrupts; its CPUs read and write words at guest-physical addresses, which
 * is what a second MMU is wanted for. The caller's memory appears where guest_set_memory() puts it.
 */
#ifndef SUNDER_SYS_GUEST_H
#define SUNDER_SYS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest;

enum { GUEST_MAX_CPUS = 8, GUEST_WORDS = 64 };

/* Guest-physical addresses that memory can be put at. */
#define GUEST_FIRST ((uint64_t)4 << 30)
#define GUEST_END ((uint64_t)62 << 30)

enum guest_how {
	GUEST_READ, /* each word into its value */
	GUEST_WRITE, /* each value into its word */
	GUEST_COUNT, /* `turns` times round: each word must be its value, and both become one more */
};

struct guest_words {
	unsigned int n; /* at most GUEST_WORDS */
	struct guest_word {
		uint64_t gpa; /* a multiple of 8 */
		uint64_t value;
	} word[GUEST_WORDS];
	/* GUEST_COUNT: a word that was not its value ended it: which, and what was there. */
	bool odd;
	unsigned int odd_word;
	uint64_t odd_value;
};

/*
 * A machine of the calling process, with no CPU yet. 0 or -errno: -ENOENT: no /dev/kvm; -EOPNOTSUPP: not this architecture, or
 * KVM of another version. manual_log: reading a dirty log leaves it as it is, guest_clear_log() clears it (KVM_CAP_MANUAL_DIRTY_LOG_
 * PROTECT2); taken as false where the kernel lacks it, see guest_has_manual_log().
 */
int guest_new(bool manual_log, struct guest **ret);
void guest_free(struct guest *g);
bool guest_has_manual_log(const struct guest *g);

/*
 * Memory slot `id` (0..): [hva, hva + len) at gpa; len 0 takes it away. With another gpa than before it moves. log: dirty pages are
 * logged. 0 or -errno.
 */
int guest_set_memory(
	struct guest *g, unsigned int id, uint64_t gpa, uintptr_t hva, size_t len, bool log);

/* The slot's dirty pages, a bit each, in as many 64-bit words as it takes. 0 or -errno. */
int guest_read_log(struct guest *g, unsigned int id, uint64_t *ret);
/* Clears [first, first + n) of them, both multiples of 64 (or n up to the end), where bits say so. 0 or -errno. */
int guest_clear_log(
	struct guest *g, unsigned int id, uint64_t first, uint32_t n, const uint64_t *bits);

/* Has a CPU map [gpa, gpa + len) ahead. 0 or -errno. */
int guest_prefault(struct guest *g, unsigned int cpu, uint64_t gpa, uint64_t len);

/*
 * Runs a CPU (made on its first use) over the words; one thread at a time per CPU. 0 or -errno: -EFAULT: the kernel cannot
 * reach the memory behind a word as the CPU wants to; -ENXIO: there is no memory slot, or none to write to; -EHWPOISON: memory
 * failure; -EIO: the machine stopped for a reason that it should not have. What was done before counts: *w is up to date.
 */
int guest_run(struct guest *g, unsigned int cpu, enum guest_how how, uint32_t turns,
	struct guest_words *w);

#endif
