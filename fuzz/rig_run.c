/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One program after the other, in executors that are kept as long as they fit. */
#include "rig_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Between two looks at who has died; what executors have to start, and to die after they were killed. */
static const uint64_t tick_ns = 50000000, start_ns = 30000000000, kill_ns = 3000000000;
enum { LOOK_SHARE = 16 };

/* ---- coverage ---- */

static int open_kcov(int *ret_fd, uint64_t **ret)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	void *p;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, KCOV_INIT_TRACE, (unsigned long)KCOV_WORDS) < 0) {
		close(fd);
		return -errno;
	}
	p = mmap(NULL, KCOV_WORDS * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		close(fd);
		return -errno;
	}
	*ret_fd = fd;
	*ret = p;
	return 0;
}

static void try_kcov(struct rig *r)
{
	r->kcov_tried = true;
	for (unsigned int i = 0; i < PROGRAM_MAX_LANES; i++) {
		int e = open_kcov(&r->kcov_fd[i], &r->kcov[i]);

		if (e == 0)
			continue;
		snprintf(r->no_kcov, sizeof(r->no_kcov), "/sys/kernel/debug/kcov: %s%s",
			strerror(-e), e == -ENOENT ? " (needs CONFIG_KCOV and debugfs)" : "");
		return;
	}
}

static void give_kcov(struct rig *r, struct crew_ctl *ctl)
{
	if (!r->o.wants_kcov || r->no_kcov[0])
		return;
	if (!r->kcov_tried)
		try_kcov(r);
	for (unsigned int i = 0; i < ctl->nlanes && !r->no_kcov[0]; i++) {
		ctl->lane[i].kcov_fd = r->kcov_fd[i];
		ctl->lane[i].kcov = r->kcov[i];
	}
}

/* ---- executors ---- */

/* Takes in who has died. Those that we killed are no finding. */
static void reap(struct rig *r, bool ours)
{
	unsigned int proc;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (crew_reaped(r->crew, pid, &proc))
			judge_exit(r, proc, status, ours);
		else
			judge_reaped(r, pid, status);
}

/* False: some are still there. */
static bool wait_for_death(struct rig *r, uint64_t ns, bool ours)
{
	uint64_t until = clock_raw_ns() + ns;
	struct timespec pause = {.tv_nsec = 1000000};

	reap(r, ours);
	while (crew_alive(r->crew) && clock_raw_ns() < until) {
		nanosleep(&pause, NULL); /* SIGCHLD ends it */
		reap(r, ours);
	}
	return !crew_alive(r->crew);
}

/* What cannot be killed keeps its memory: then the crew is left as it is. */
static void forget_crew(struct rig *r, bool dead)
{
	if (dead) {
		crew_free(r->crew);
		plan_free(r->plan);
	}
	r->crew = NULL;
	r->plan = NULL;
}

void drop_crew(struct rig *r)
{
	bool dead;

	if (!r->crew)
		return;
	crew_stop(r->crew);
	crew_resume(r->crew);
	dead = wait_for_death(r, kill_ns, true);
	if (!dead) {
		crew_kill(r->crew);
		dead = wait_for_death(r, kill_ns, true);
	}
	forget_crew(r, dead);
}

/* What the plan has of them: it may have had to drop some. */
static void minded_by_plan(const struct plan *p, uint64_t ret[OP_NUMBERS / 64])
{
	memset(ret, 0, OP_NUMBERS / 8);
	for (unsigned int i = 0; i < OP_NUMBERS; i++)
		if (crew_minds(i) && plan_has_op(p, i))
			ret[i / 64] |= 1ULL << i % 64;
}

static void minded_by(const struct program *p, uint64_t ret[OP_NUMBERS / 64])
{
	memset(ret, 0, OP_NUMBERS / 8);
	for (unsigned int l = 0; l < p->nlanes; l++)
		for (unsigned int i = 0; i < p->lane[l].nops; i++)
			if (crew_minds(p->lane[l].op[i].op))
				ret[p->lane[l].op[i].op / 64] |= 1ULL << p->lane[l].op[i].op % 64;
}

/* The crew may have more lanes and have seen more kinds of ops than the program needs, but not less. */
static bool fits(const struct rig *r, const struct program *p)
{
	uint64_t minded[OP_NUMBERS / 64];

	if (!r->crew || p->nslots != r->fed->nslots ||
		memcmp(p->slot, r->fed->slot, p->nslots * sizeof(p->slot[0])) != 0 ||
		p->nlanes > r->crew->ctl->nlanes)
		return false;
	for (unsigned int l = 0; l < p->nlanes; l++)
		if (p->lane[l].proc != r->crew->ctl->lane_proc[l])
			return false;
	minded_by(p, minded);
	for (unsigned int i = 0; i < OP_NUMBERS / 64; i++)
		if (minded[i] & ~r->minded[i])
			return false;
	return true;
}

static int make_plan(struct rig *r, const struct program *p, struct rig_result *ret)
{
	struct plan_around around = {.epoch_rounds = 1};
	struct plan_options options = r->run_options.plan;
	char err[512] = "";
	int e;

	options.around = &around;
	e = plan_from_program(p, &r->run.machine, &options, &r->plan, err, sizeof(err));
	if (e == 0)
		e = plan_settle_pools(r->plan, &r->run.machine);
	if (e == -ENODATA) {
		ret->outcome = RIG_NOTHING;
		r->counts.nothing++;
	} else if (e < 0) {
		ret->outcome = RIG_FAILED;
	}
	if (e < 0) {
		snprintf(ret->why, sizeof(ret->why), "%.150s", err[0] ? err : strerror(-e));
		plan_free(r->plan);
		r->plan = NULL;
		return e;
	}
	r->plan->fed = r->fed;
	r->plan->stall_ns = r->o.stall_ns;
	r->plan->timeout_ns = 0;
	r->plan->crew->lane[0].timed = true; /* durations are learned: the next program may aim */
	return 0;
}

/* In the first executors, and once. */
static void plant(struct rig *r)
{
	if (!r->run.inject[0] || r->counts.crews)
		return;
	r->run.crew = &r->crew;
	r->run.kmsg = r->kmsg;
	r->run.counters = r->counters;
	inject_crews(&r->run);
	inject_start(&r->run);
	r->run.crew = NULL;
}

static int start_crew(struct rig *r, const struct program *p, struct rig_result *ret)
{
	uint64_t began = clock_raw_ns(), until = began + start_ns;
	int e = make_plan(r, p, ret);

	if (e < 0)
		return e;
	*r->fed = *p;
	e = crew_new(r->plan, 0, &r->run.machine, &r->run.places, &r->crew);
	if (e == 0) {
		r->crew->box = r->run.box.nknobs || r->run.box.swap[0] || r->run.box.cgroup[0]
				       ? &r->run.box
				       : NULL;
		r->crew->ctl->wants_state = r->o.wants_state;
		give_kcov(r, r->crew->ctl);
		plant(r);
		e = crew_start(r->crew, 0);
	}
	while (e == 0 && crew_wait(r->crew, tick_ns) < 0) {
		reap(r, true);
		if (crew_alive(r->crew) < r->crew->ctl->nprocs &&
			(atomic_load(&r->crew->ctl->failed) || !crew_alive(r->crew)))
			e = -(atomic_load(&r->crew->ctl->failed) ?: ECHILD);
		else if (clock_raw_ns() > until)
			e = -ETIMEDOUT;
	}
	minded_by_plan(r->plan, r->minded);
	r->crew_cases = 0;
	r->counts.crews++;
	r->counts.crew_ns += clock_raw_ns() - began;
	if (e == 0)
		return 0;
	ret->outcome = RIG_FAILED;
	r->counts.failed++;
	snprintf(ret->why, sizeof(ret->why), "starting executors: %s%s%.80s", strerror(-e),
		r->crew && r->crew->ctl->failed_what[0] ? ": " : "",
		r->crew ? r->crew->ctl->failed_what : "");
	if (!r->crew) {
		plan_free(r->plan);
		r->plan = NULL;
		return e;
	}
	crew_kill(r->crew);
	forget_crew(r, wait_for_death(r, kill_ns, true));
	return e;
}

/* ---- a program ---- */

/* As a replay's plan would: not an op whose slot is not there, and none that the executors are not prepared for. */
static bool can_feed(const struct rig *r, const struct op_call *c)
{
	const struct op *op = op_get(c->op);

	if (crew_minds(c->op) && !(r->minded[c->op / 64] >> c->op % 64 & 1))
		return false;
	for (unsigned int k = 0; op->backings && k < op_nargs(op); k++)
		if (op->args[k].kind == ARG_SLOT && !(r->plan->slots_present >> c->arg[k] & 1))
			return false;
	return true;
}

static void feed_lane(const struct rig *r, const struct program_lane *from, struct program_lane *to)
{
	to->offset_ns = from->offset_ns;
	for (unsigned int i = 0; i < from->nops; i++) {
		static const struct op_timing none;

		if (!can_feed(r, &from->op[i]))
			continue;
		to->op[to->nops++] = from->op[i];
		program_set_timing(
			to, to->nops - 1U, from->timed >> i & 1 ? &from->timing[i] : &none);
	}
}

static void feed(struct rig *r, const struct program *p)
{
	struct crew_ctl *ctl = r->crew->ctl;

	r->fed->nlanes = (uint8_t)ctl->nlanes;
	for (unsigned int l = 0; l < ctl->nlanes; l++) {
		struct program_lane *to = &r->fed->lane[l];

		to->nops = 0;
		to->timed = 0;
		atomic_store_explicit(&ctl->lane[l].nrecords, 0, memory_order_relaxed);
		atomic_store_explicit(&ctl->lane[l].kcov_pcs, 0, memory_order_relaxed);
		if (l < p->nlanes)
			feed_lane(r, &p->lane[l], to);
	}
}

static void record(struct rig *r, const struct program *p)
{
	unsigned char bytes[PROGRAM_MAX_BYTES];
	ssize_t len;
	int e;

	if (!r->flight)
		return;
	len = program_encode(p, bytes, sizeof(bytes));
	e = len < 0 ? (int)len : flight_note(r->flight, r->number, bytes, (size_t)len);
	if (e == 0)
		return;
	log_warn("what runs cannot be recorded any more: %s", strerror(-e));
	flight_end(r->flight);
	r->flight = NULL;
}

/* It has not ended in time. What is stuck in the kernel is waited for until that is a finding; the rest is killed. */
static void end_slow(struct rig *r, struct rig_result *ret)
{
	struct finding f;
	bool dead;

	ret->outcome = RIG_SLOW;
	r->counts.slow++;
	crew_kill(r->crew);
	dead = wait_for_death(r, kill_ns, true);
	while (!dead) {
		if (oracle_progress(r->crew, r->o.stall_ns, &f) == 1) {
			f.lost_kernel = true;
			judge_found(r, &f);
			break;
		}
		dead = wait_for_death(r, kill_ns, true);
	}
	forget_crew(r, dead);
}

/* A lane that is in one op for so long is a finding also if it can be killed, once. */
static bool is_stuck(struct rig *r)
{
	struct finding f;

	if (oracle_progress(r->crew, r->o.stall_ns, &f) != 1)
		return false;
	judge_found(r, &f);
	return true;
}

/* True: the crew rests. Else it was killed, or died. */
static bool wait_for_rest(struct rig *r, struct rig_result *ret)
{
	uint64_t began = clock_raw_ns();

	while (crew_wait(r->crew, tick_ns) < 0) {
		uint64_t now = clock_raw_ns();

		reap(r, false);
		if (crew_alive(r->crew) < r->crew->ctl->nprocs) {
			/* The rest cannot go on without it. */
			crew_kill(r->crew);
			ret->outcome = RIG_FAILED;
			snprintf(ret->why, sizeof(ret->why), "an executor died: %.100s",
				r->crew->ctl->failed_what);
			forget_crew(r, wait_for_death(r, kill_ns + r->o.stall_ns, true));
			return false;
		}
		if (now - began <= r->o.limit_ns)
			continue;
		if (now - began > r->o.stall_ns + kill_ns || !judge_waits(r) || is_stuck(r)) {
			end_slow(r, ret);
			return false;
		}
	}
	return true;
}

static void add_times(struct rig *r, uint64_t began, bool look, struct rig_result *ret)
{
	uint64_t longest = 0;

	ret->ns = clock_raw_ns() - began;
	for (unsigned int l = 0; r->crew && l < r->crew->ctl->nlanes; l++) {
		const struct lane_ctl *lane = &r->crew->ctl->lane[l];
		uint32_t n = atomic_load_explicit(&lane->nrecords, memory_order_acquire);
		uint64_t ns = n ? clock_to_ns(lane->record[n - 1].stop - lane->record[0].start) : 0;

		longest = ns > longest ? ns : longest;
	}
	ret->op_ns = longest;
	r->counts.case_ns += ret->ns;
	r->counts.op_ns += longest;
	if (look && r->crew)
		r->counts.look_ns += clock_to_ns(atomic_exchange(&r->crew->ctl->look_ticks, 0));
}

bool rig_look_is_due(const struct rig *r)
{
	return r->counts.look_ns * LOOK_SHARE <= r->counts.case_ns;
}

bool rig_ready(struct rig *r, const struct program *p, struct rig_result *ret)
{
	unsigned int ops = 0;

	*ret = (struct rig_result){.outcome = RIG_RAN};
	r->result = ret;
	for (unsigned int l = 0; l < p->nlanes; l++)
		ops += p->lane[l].nops;
	if (!ops) {
		ret->outcome = RIG_NOTHING;
		snprintf(ret->why, sizeof(ret->why), "no op of it can run here");
		r->counts.nothing++;
	}
	if (!ops || r->o.dry)
		return false;
	if (r->crew && (r->crew_cases >= r->o.cases || !fits(r, p)))
		drop_crew(r);
	return r->crew || start_crew(r, p, ret) == 0;
}

void rig_run(struct rig *r, const struct program *p, bool look, struct rig_result *ret)
{
	uint64_t began;

	feed(r, p);
	r->number++;
	record(r, p);
	r->crew->ctl->unlooked = !look;
	r->counts.looked += look;
	r->crew_cases++;
	began = clock_raw_ns();
	crew_next(r->crew);
	wait_for_rest(r, ret);
	add_times(r, began, look, ret);
	judge_case(r);
	/* What a bug has left behind in these processes is not the next program's. */
	if (ret->nfindings)
		r->crew_cases = r->o.cases;
}
