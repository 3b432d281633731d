/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rig_parts.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/path.h"
#include "filing.h"
#include "sys/ledger.h"

/* Huge pages beyond these are memory that nobody has. */
static const uint64_t huge_size_max = 64 << 20;
enum { POOL_PAGES = 32, POOL_SHARE = 16, HUGETLB_PAGES = 4, SLOT_PMDS = 8, MEMORY_SHARE = 4 };
enum { PROCS_MAX = 4, DELAY_MAX_NS = 2000000, SLOTS_TRIED = 3 };
static const uint64_t align_max = 1 << 30;

/* khugepaged shall have its part in what happens within the milliseconds of a program. */
static const struct plan_knob knobs[] = {
	{"/sys/kernel/mm/transparent_hugepage/enabled", "always"},
	{"/sys/kernel/mm/transparent_hugepage/shmem_enabled", "advise"},
	{"/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "10"},
	{"/sys/kernel/mm/transparent_hugepage/khugepaged/alloc_sleep_millisecs", "10"},
};

/* ---- programs ---- */

static void fit_slot(const struct rig *r, struct slot_spec *s)
{
	const struct machine *m = &r->run.machine;
	uint64_t pmds = (s->size + m->pmd_size - 1) / m->pmd_size;

	if (s->align > align_max)
		s->align = align_max;
	if (backing_is_hugetlb(s->backing)) {
		uint64_t pages = s->size / s->huge_size;

		if (r->huge_size)
			s->huge_size = r->huge_size;
		s->size = ((pages - 1) % HUGETLB_PAGES + 1) * s->huge_size;
		if (s->align < s->huge_size)
			s->align = s->huge_size;
		return;
	}
	s->size = ((pmds - 1) % SLOT_PMDS + 1) * m->pmd_size;
	if (s->align < m->pmd_size)
		s->align = m->pmd_size;
}

/* All memory that the slots can come to. */
static uint64_t all_bytes(const struct program *p, unsigned int nprocs)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < p->nslots; i++)
		if (!backing_is_hugetlb(p->slot[i].backing))
			sum += p->slot[i].size *
			       (backing_is_private(p->slot[i].backing) ? nprocs : 1);
	return sum;
}

/* Processes are numbered as they come: none without a lane. */
static unsigned int fit_procs(struct program *p)
{
	uint8_t number[PROCS_MAX];
	unsigned int n = 0;

	memset(number, 0xff, sizeof(number));
	for (unsigned int l = 0; l < p->nlanes; l++) {
		unsigned int proc = p->lane[l].proc % PROCS_MAX;

		if (number[proc] == 0xff)
			number[proc] = (uint8_t)n++;
		p->lane[l].proc = number[proc];
	}
	return n;
}

static bool serves(const struct rig *r, const struct op *op, const struct slot_spec *s)
{
	return (op->backings >> s->backing & 1) &&
	       r->has_slot[s->backing][s->backing == BACKING_TMPFS ? s->huge : 0];
}

/* A slot that the op cannot act on becomes the next one that it can; false: there is none. */
static bool fit_slots_of(const struct rig *r, const struct program *p, struct op_call *c)
{
	const struct op *op = op_get(c->op);

	for (unsigned int k = 0; op->backings && k < op_nargs(op); k++) {
		unsigned int i = 0;

		if (op->args[k].kind != ARG_SLOT)
			continue;
		while (i < p->nslots && !serves(r, op, &p->slot[(c->arg[k] + i) % p->nslots]))
			i++;
		if (i == p->nslots)
			return false;
		c->arg[k] = (c->arg[k] + i) % p->nslots;
	}
	return true;
}

static void fit_lane(const struct rig *r, const struct program *p, struct program_lane *l)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < l->nops; i++) {
		struct op_timing t = {0};

		if (!r->runnable[l->op[i].op] || !fit_slots_of(r, p, &l->op[i]))
			continue;
		if (l->timed >> i & 1)
			t = l->timing[i];
		t.delay_ns %= DELAY_MAX_NS;
		l->op[n] = l->op[i];
		program_set_timing(l, n++, &t);
	}
	l->nops = (uint8_t)n;
	if (n < PROGRAM_MAX_OPS)
		l->timed &= (1ULL << n) - 1;
}

void rig_fit(const struct rig *r, struct program *p)
{
	unsigned int nprocs = fit_procs(p);

	for (unsigned int i = 0; i < p->nslots; i++)
		fit_slot(r, &p->slot[i]);
	if (all_bytes(p, nprocs) > r->run.machine.mem_available / MEMORY_SHARE)
		for (unsigned int i = 0; i < p->nslots; i++)
			if (!backing_is_hugetlb(p->slot[i].backing))
				p->slot[i].size = r->run.machine.pmd_size;
	for (unsigned int l = 0; l < p->nlanes; l++)
		fit_lane(r, p, &p->lane[l]);
}

/* ---- setting up ---- */

static void add_call(struct program *p, const struct op_call *c)
{
	for (unsigned int i = 0; i < p->nlanes; i++)
		if (p->lane[i].nops < PROGRAM_MAX_OPS) {
			p->lane[i].op[p->lane[i].nops++] = *c;
			return;
		}
}

/* On the first, the last and the middle one of the slots that suit it: which of them will be there is not known yet. */
static void add_op(struct program *p, unsigned int number)
{
	const struct op *op = op_get(number);
	unsigned int suits[SLOT_MAX], n = 0;

	for (unsigned int s = 0; s < p->nslots; s++)
		if (op->backings >> p->slot[s].backing & 1)
			suits[n++] = s;
	for (unsigned int i = 0; i < (n ? SLOTS_TRIED : 1); i++) {
		struct op_call c = {.op = (uint8_t)number};

		for (unsigned int k = 0; n && k < op_nargs(op); k++)
			if (op->args[k].kind == ARG_SLOT)
				c.arg[k] = suits[i * (n - 1) / (SLOTS_TRIED - 1)];
		add_call(p, &c);
	}
}

/* A program that has everything: what it needs is what the programs to come may need. */
static void everything(const struct rig *r, struct program *p)
{
	*p = (struct program){.nslots = 0, .nlanes = PROGRAM_MAX_LANES};
	for (unsigned int b = 0; b < BACKING_COUNT; b++) {
		bool hugetlb = backing_is_hugetlb((enum backing)b);

		if (hugetlb && !r->huge_size)
			continue;
		for (unsigned int h = 0; h < (b == BACKING_TMPFS ? SLOT_HUGE_COUNT : 1); h++) {
			struct slot_spec *s = &p->slot[p->nslots];
			uint64_t unit = hugetlb ? r->huge_size : r->run.machine.pmd_size;

			*s = (struct slot_spec){.backing = (uint8_t)b,
				.huge = (uint8_t)h,
				.maps = 1,
				.size = unit,
				.huge_size = hugetlb ? unit : 0,
				.align = unit};
			snprintf(s->name, sizeof(s->name), "s%u", p->nslots++);
		}
	}
	for (unsigned int i = 0; i < OP_NUMBERS; i++)
		if (op_get(i))
			add_op(p, i);
}

static void choose_huge_size(struct rig *r)
{
	const struct machine *m = &r->run.machine;

	r->huge_size = 0;
	for (int i = 0; i < m->nhstates; i++)
		if (m->hstate[i].size == m->pmd_size ||
			(!r->huge_size && m->hstate[i].size <= huge_size_max))
			r->huge_size = m->hstate[i].size;
}

static int load_setup_plan(struct rig *r)
{
	_cleanup_free_ struct program *p = calloc(1, sizeof(*p));
	const struct machine *m = &r->run.machine;
	struct plan_around around = {.epoch_rounds = 1};
	struct plan_options options = r->run_options.plan;
	char err[1024] = "";
	int e;

	if (!p)
		return -ENOMEM;
	choose_huge_size(r);
	everything(r, p);
	if (r->huge_size) {
		uint64_t most = m->mem_total / POOL_SHARE / r->huge_size / (uint64_t)m->nmem_nodes;

		around.pool[around.npools++] = (struct plan_pool){.size = r->huge_size,
			.pages = most < POOL_PAGES ? most : POOL_PAGES,
			.per_node = true};
	}
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		around.knob[around.nknobs++] = knobs[i];
	options.around = &around;
	plan_free(r->run.plan);
	r->run.plan = NULL;
	e = plan_from_program(p, m, &options, &r->run.plan, err, sizeof(err));
	if (e < 0)
		log_error("%s", err[0] ? err : strerror(-e));
	r->run.result.plan = r->run.plan;
	return e;
}

/* For the layer of tracepoints. */
static void mount_tracefs(struct rig *r)
{
	if (r->run.machine.is_root && path_exists("/sys/kernel/tracing") &&
		!path_exists("/sys/kernel/tracing/events"))
		ledger_mount(
			r->run.ledger, "tracefs", "/sys/kernel/tracing", "tracefs", "mode=0700");
}

static int setup(struct rig *r)
{
	bool changed = false;
	int e = setup_knobs(&r->run, &changed);

	if (e == 0)
		mount_tracefs(r);
	if (e == 0 && changed) {
		caps_setup(&r->run.machine, r->run_options.plan.tmp_dir);
		e = load_setup_plan(r);
	}
	if (e == 0)
		e = setup_memory(&r->run);
	if (e == 0)
		e = plan_settle_pools(r->run.plan, &r->run.machine);
	return e;
}

static void note_runnable(struct rig *r)
{
	const struct plan *p = r->run.plan;

	for (unsigned int i = 0; i < p->nslots; i++)
		if (p->slots_present >> i & 1)
			r->has_slot[p->slot[i].backing]
				   [p->slot[i].backing == BACKING_TMPFS ? p->slot[i].huge : 0] =
				true;
	for (unsigned int i = 0; i < OP_NUMBERS; i++)
		r->runnable[i] = op_get(i) && plan_has_op(r->run.plan, i);
}

/* afl-fuzz binds itself and with it us to one CPU. */
static void take_all_cpus(void)
{
	size_t size = CPU_ALLOC_SIZE(MACHINE_MAX_CPUS);
	cpu_set_t *set = CPU_ALLOC(MACHINE_MAX_CPUS);

	if (!set)
		return;
	memset(set, 0xff, size);
	sched_setaffinity(0, size, set);
	CPU_FREE(set);
}

static void on_child(int sig)
{
	/* crew_wait() returns for it. */
}

static void take_signals(void)
{
	struct sigaction sa = {.sa_handler = on_child};

	sigaction(SIGCHLD, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int map_fed(struct rig *r)
{
	r->fed = mmap(
		NULL, sizeof(*r->fed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->fed != MAP_FAILED)
		return 0;
	r->fed = NULL;
	return -errno;
}

static int open_rig(struct rig *r)
{
	int e;

	take_all_cpus();
	take_signals();
	clock_setup();
	e = machine_probe(&r->run.machine);
	if (e < 0) {
		log_error("this machine's memory layout cannot be read; is /proc mounted?");
		return e;
	}
	caps_setup(&r->run.machine, r->run_options.plan.tmp_dir);
	e = map_fed(r);
	if (e == 0)
		e = load_setup_plan(r);
	if (e == 0 && !r->o.dry)
		e = setup(r);
	if (e < 0)
		return e;
	note_runnable(r);
	/* Now that all is probed: executors are forked from here, and copying huge pages would take most of their start. They allow them again. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	return r->o.dry ? 0 : judge_open(r);
}

int rig_open(const struct rig_options *o, struct rig **ret)
{
	struct rig *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return -ENOMEM;
	r->o = *o;
	r->run_options = (struct run_options){
		.plan = {.tmp_dir = o->tmp ? o->tmp : "/var/tmp", .allow = o->allow, .seed = 1},
		.state = o->state,
		.store = o->store,
		.inject = {o->inject}};
	r->run.o = &r->run_options;
	r->run.inject[0] = o->inject;
	snprintf(r->run.result.output, sizeof(r->run.result.output), ".");
	e = inject_check(&r->run_options);
	if (e == 0)
		e = open_rig(r);
	if (e < 0) {
		rig_close(r);
		return e;
	}
	*ret = r;
	return 0;
}

void rig_close(struct rig *r)
{
	drop_crew(r);
	judge_close(r);
	if (r->run.ledger) {
		if (ledger_restore(r->run.ledger, NULL) < 0)
			log_error("not everything could be restored: run 'sunder restore'");
		ledger_close(r->run.ledger);
	}
	release_box(&r->run);
	plan_free(r->run.plan);
	machine_free(&r->run.machine);
	if (r->fed)
		munmap(r->fed, sizeof(*r->fed));
	free(r);
}

bool rig_can_run(const struct rig *r, unsigned int op)
{
	return r->runnable[op];
}

const struct crew *rig_crew(const struct rig *r)
{
	return r->crew;
}

const struct program *rig_fed(const struct rig *r)
{
	return r->fed;
}

const struct machine *rig_machine(const struct rig *r)
{
	return &r->run.machine;
}

const struct rig_counts *rig_counts(const struct rig *r)
{
	return &r->counts;
}

const char *rig_lost(const struct rig *r)
{
	return r->lost[0] ? r->lost : NULL;
}

const char *rig_no_kcov(const struct rig *r)
{
	return r->no_kcov[0] ? r->no_kcov : NULL;
}
