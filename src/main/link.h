/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a guest and its host hand files over while the guest runs: a log on a raw disk, which one side writes at its end and the other
 * one follows. No file system has to be shared, none has to survive the guest's kernel: what was put stands in a file of the host,
 * also when QEMU is killed. Each record has a checksum: one that is cut short or damaged is not taken.
 */
#ifndef SUNDER_MAIN_LINK_H
#define SUNDER_MAIN_LINK_H

#include <stddef.h>
#include <stdint.h>

enum { LINK_NAME_MAX = 512, LINK_DATA_MAX = 16 << 20 };

struct link;

struct link_record {
	char name[LINK_NAME_MAX];
	uint64_t offset; /* of the data in the file of that name */
	uint64_t size; /* that the file has with it */
	unsigned char *data; /* lives until the next link_next() */
	size_t len;
};

/*
 * path: a file or a block device; or NULL, serial: the virtio disk that has this serial number. A reader of a file
 * begins where the last one left off. 0 or -errno; -ENXIO: no such disk.
 */
int link_open_writer(const char *path, const char *serial, struct link **ret);
int link_open_reader(const char *path, const char *serial, struct link **ret);
void link_close(struct link *l);

/* Durable when it returns. 0; -ENOSPC: the disk is full; -E2BIG; another -errno. */
int link_put(struct link *l, const char *name, uint64_t offset, uint64_t size, const void *data,
	size_t len);

/* The next record that is whole: 1 with *ret; 0: none yet; -errno. What was read is given back to the host's disk, if the log is a file. */
int link_next(struct link *l, struct link_record *ret);

#endif
