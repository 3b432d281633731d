/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "oracle/oracle.h"
#include "base/cleanup.h"
#include "base/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Documentation/admin-guide/tainted-kernels.rst; by bit number. */
static const struct {
	char letter;
	const char *why;
} bits[] = {
	{'P', "proprietary module"},
	{'F', "module was force loaded"},
	{'S', "kernel running on an out of specification system"},
	{'R', "module was force unloaded"},
	{'M', "processor reported a machine check exception"},
	{'B', "bad page referenced or some unexpected page flags"},
	{'U', "taint requested by userspace"},
	{'D', "kernel died recently (OOPS or BUG)"},
	{'A', "ACPI table overridden"},
	{'W', "kernel issued a warning"},
	{'C', "staging driver was loaded"},
	{'I', "workaround for a bug in platform firmware"},
	{'O', "externally-built module was loaded"},
	{'E', "unsigned module was loaded"},
	{'L', "soft lockup occurred"},
	{'K', "kernel has been live patched"},
	{'X', "auxiliary taint of the distribution"},
	{'T', "kernel was built with the struct randomization plugin"},
	{'N', "an in-kernel test has been run"},
	{'J', "userspace used a mutating debug operation in fwctl"},
};

int taint_read(uint64_t *ret)
{
	unsigned long long v;
	int r = path_read_u64("/proc/sys/kernel/tainted", &v);

	if (r == 0)
		*ret = v;
	return r;
}

int oracle_taint(uint64_t before, uint64_t after, struct finding *ret)
{
	struct finding f = {.oracle = ORACLE_TAINT};
	uint64_t added = after & ~before;
	size_t len;
	FILE *text;
	int n;

	if (!added)
		return 0;
	text = open_memstream(&f.text, &len);
	if (!text)
		return -ENOMEM;
	n = snprintf(f.title, sizeof(f.title), "taint: kernel became tainted");
	fprintf(text, "/proc/sys/kernel/tainted was %llu, is %llu\n", (unsigned long long)before,
		(unsigned long long)after);
	for (unsigned int i = 0; i < 64; i++) {
		if (!(added >> i & 1))
			continue;
		if (i < ARRAY_SIZE(bits)) {
			fprintf(text, "bit %u (%c): %s\n", i, bits[i].letter, bits[i].why);
			n += snprintf(
				f.title + n, sizeof(f.title) - (size_t)n, " %c", bits[i].letter);
		} else {
			fprintf(text, "bit %u: unknown\n", i);
		}
	}
	if (fclose(text) != 0) {
		free(f.text);
		return -ENOMEM;
	}
	*ret = f;
	return 1;
}
