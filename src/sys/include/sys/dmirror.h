/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device of the kernel's test_hmm (CONFIG_TEST_HMM): it mirrors the address space that opened it with page tables of its
 * own, kept right by MMU notifiers, and can take pages into memory of its own. As lib/test_hmm_uapi.h has it, which no package
 * brings. There are two such devices, and two more where the kernel was given memory for them.
 */
#ifndef SUNDER_SYS_DMIRROR_H
#define SUNDER_SYS_DMIRROR_H

#include <stdint.h>
#include <sys/ioctl.h>

#define DMIRROR_PATH "/dev/hmm_dmirror%u"
enum { DMIRROR_DEVICES = 4 };

struct dmirror_cmd {
	uint64_t addr; /* a multiple of the page size */
	uint64_t ptr; /* the caller's buffer: pages, with DMIRROR_SNAPSHOT bytes */
	uint64_t npages;
	uint64_t cpages; /* pages that were done */
	uint64_t faults;
};

#define DMIRROR_READ _IOWR('H', 0x00, struct dmirror_cmd)
#define DMIRROR_WRITE _IOWR('H', 0x01, struct dmirror_cmd)
#define DMIRROR_MIGRATE_TO_DEV _IOWR('H', 0x02, struct dmirror_cmd)
#define DMIRROR_MIGRATE_TO_SYS _IOWR('H', 0x03, struct dmirror_cmd)
#define DMIRROR_SNAPSHOT _IOWR('H', 0x04, struct dmirror_cmd)
#define DMIRROR_EXCLUSIVE _IOWR('H', 0x05, struct dmirror_cmd)
#define DMIRROR_CHECK_EXCLUSIVE _IOWR('H', 0x06, struct dmirror_cmd)
#define DMIRROR_RELEASE _IOWR('H', 0x07, struct dmirror_cmd)

/* Bytes of a snapshot. */
enum {
	DMIRROR_PROT_ERROR = 0xff,
	DMIRROR_PROT_READ = 0x01,
	DMIRROR_PROT_WRITE = 0x02,
	DMIRROR_PROT_PMD = 0x04,
	DMIRROR_PROT_PUD = 0x08,
	DMIRROR_PROT_WHERE = 0x70, /* zero page, device memory */
	DMIRROR_PROT_WHERE_MAX = 0x50,
};

#endif
