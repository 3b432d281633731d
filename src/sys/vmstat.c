/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/vmstat.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/path.h"

uint64_t vmstat_sum(const char *const *names)
{
	int fd = path_open("/proc/vmstat", O_RDONLY);
	_cleanup_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	unsigned long long value;
	char name[64];
	uint64_t sum = 0;

	while (f && fscanf(f, "%63s %llu", name, &value) == 2)
		for (size_t i = 0; names[i]; i++)
			if (strcmp(names[i], name) == 0)
				sum += value;
	return sum;
}
