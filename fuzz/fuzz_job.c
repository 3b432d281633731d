/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jobs: whatever the text, it is a plan whose programs are valid, or an error with a message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(what)                                                                               \
	do {                                                                                     \
		if (!(what)) {                                                                   \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #what); \
			abort();                                                                 \
		}                                                                                \
	} while (0)

/* A machine with two nodes, so that what a job becomes does not depend on where this runs. */
static struct machine_node node[] = {{0, true, true, 4ULL << 30}, {2, true, true, 4ULL << 30}};
static int mem_node[] = {0, 2}, cpu[] = {0, 1, 4, 5}, cpu_node[] = {0, 0, 2, 2};
static struct machine machine = {
	.page_size = 4096,
	.pmd_size = 2 << 20,
	.pud_size = 1 << 30,
	.mem_total = 8ULL << 30,
	.mem_available = 6ULL << 30,
	.node = node,
	.nnodes = 2,
	.mem_node = mem_node,
	.nmem_nodes = 2,
	.cpu = cpu,
	.cpu_node = cpu_node,
	.ncpus = 4,
	.hstate = {{2 << 20}, {1 << 30}},
	.nhstates = 2,
	.is_root = true,
};

static const char *const oracles[] = {"errno", "content", "klog", "taint", "progress", NULL};

static void check_plan(const struct plan *p)
{
	static unsigned char bytes[PROGRAM_MAX_BYTES];
	static struct program program;
	json_t *json = plan_json(p);

	MUST(json);
	json_decref(json);
	MUST(p->ncrews > 0 && p->slots_present);
	for (unsigned int i = 0; i < p->ncrews; i++)
		for (uint64_t round = 0; round < 3; round++) {
			plan_draw(p, i, round, &program);
			MUST(program_encode(&program, bytes, sizeof(bytes)) > 0);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct plan_options options = {.seed = 1, .tmp_dir = "/tmp", .oracle_names = oracles};
	static bool ready;
	char err[512] = "";
	struct plan *p;
	int r;

	if (!ready) {
		setenv("SIZE", "8M", 1);
		caps_setup(&machine, "/tmp");
		ready = true;
	}
	r = plan_load_text(
		"input.job", (const char *)data, size, &machine, &options, &p, err, sizeof(err));
	if (r < 0) {
		MUST(err[0]);
		return 0;
	}
	check_plan(p);
	plan_free(p);
	return 0;
}
