/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lanes report, and how executors die: the content, fault, errno and executor oracles. */
#include "lanes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"

static const enum oracle judge[EVIDENCE_KINDS] = {
	[EVIDENCE_OLD] = ORACLE_CONTENT,
	[EVIDENCE_FOREIGN] = ORACLE_CONTENT,
	[EVIDENCE_ZERO] = ORACLE_CONTENT,
	[EVIDENCE_CHILD] = ORACLE_CONTENT,
	[EVIDENCE_STALE] = ORACLE_CONTENT,
	[EVIDENCE_FROZEN] = ORACLE_CONTENT,
	[EVIDENCE_SEGV] = ORACLE_FAULT,
	[EVIDENCE_BUS] = ORACLE_FAULT,
	[EVIDENCE_NO_FAULT] = ORACLE_FAULT,
	[EVIDENCE_BIT] = ORACLE_BITS,
	[EVIDENCE_ERRNO] = ORACLE_ERRNO,
	[EVIDENCE_REPORTS] = ORACLE_REPORTS,
	[EVIDENCE_LOCKS] = ORACLE_LOCKS,
	[EVIDENCE_POOL] = ORACLE_ACCOUNTING,
	[EVIDENCE_SOFT_DIRTY] = ORACLE_BITS,
	[EVIDENCE_PLACE] = ORACLE_PLACEMENT,
	[EVIDENCE_CRASH] = ORACLE_EXECUTOR,
	[EVIDENCE_MMU] = ORACLE_MMU,
	[EVIDENCE_DIRTY] = ORACLE_MMU,
};

const char *lanes_op_name(unsigned int number)
{
	const struct op *op = op_get(number);

	return op		       ? op->name
	       : number == LANE_RENEWS ? "renewal"
	       : number == LANE_SWEEPS ? "sweep"
	       : number == LANE_PROBES ? "probe"
				       : "nothing";
}

void lanes_print_round(const struct crew *c, uint64_t round, FILE *f)
{
	uint64_t now = atomic_load(&c->ctl->round);

	if (now == round)
		fprintf(f, "ops of the round so far (lane: op errno start+duration us):\n");
	else
		fprintf(f,
			"round %llu was seen in round %llu, whose ops so far are (lane: op errno "
			"start+duration us):\n",
			(unsigned long long)round, (unsigned long long)now);
	for (unsigned int l = 0; l < c->ctl->nlanes; l++) {
		const struct lane_ctl *lane = &c->ctl->lane[l];
		uint32_t n = atomic_load_explicit(&lane->nrecords, memory_order_acquire);
		uint64_t start = atomic_load_explicit(&lane->op_start, memory_order_acquire), base;

		base = atomic_load_explicit(&c->ctl->deadline, memory_order_relaxed);
		fprintf(f, "  lane %u:", l);
		for (uint32_t i = n > 8 ? n - 8 : 0; i < n && i < PROGRAM_MAX_OPS; i++) {
			const struct record *r = &lane->record[i];

			fprintf(f, " %s(%s)@%lld+%llu", lanes_op_name(r->op),
				r->err ? strerrorname_np(r->err) : "ok",
				(long long)(clock_to_ns(r->start - base) / 1000),
				(unsigned long long)(clock_to_ns(r->stop - r->start) / 1000));
		}
		if (start)
			fprintf(f, " now %s for %llu us",
				lanes_op_name(
					atomic_load_explicit(&lane->op, memory_order_relaxed)),
				(unsigned long long)(clock_to_ns(clock_ticks() - start) / 1000));
		fputc('\n', f);
	}
}

static void print_when(uint32_t when, FILE *f)
{
	static const char *const names[] = {"hole", "split", "locked", "short", "unaligned",
		"hugetlb", "anon", "shmem", "file", "tight", "unprivileged", "odd", "peer-gone",
		"private", "strict", "unsuited", "scarce", "fenced", "injected"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (when >> i & 1)
			fprintf(f, " %s", names[i]);
}

/* The slot it is about, or NULL. */
static const struct slot *slot_of(const struct crew *c, const struct evidence *e)
{
	return e->slot < c->ctl->nslots ? &c->ctl->slot[e->slot] : NULL;
}

static void print_evidence(const struct crew *c, const struct evidence *e, FILE *f)
{
	const struct slot *s = slot_of(c, e);
	uint32_t grain = s ? c->ctl->space[e->slot].grain_shift : 0;
	char value[128];

	fprintf(f, "%s: lane %u, op %u of its round: %s", evidence_name(e->kind), e->lane,
		e->op_index, lanes_op_name(e->op));
	if (e->kind != EVIDENCE_CRASH && s)
		fprintf(f, ", slot %s (%s) view %u page %u", s->spec.name,
			backing_name(s->spec.backing), e->view, e->cell_page);
	fprintf(f, "\naddress 0x%llx\n", (unsigned long long)e->addr);
	switch (e->kind) {
	case EVIDENCE_ERRNO:
		fprintf(f, "errno %d (%s) over %llu pages, in the state:", e->err,
			strerrorname_np(e->err), (unsigned long long)e->seen);
		print_when((uint32_t)e->code, f);
		fputc('\n', f);
		break;
	case EVIDENCE_SEGV:
	case EVIDENCE_BUS:
	case EVIDENCE_CRASH:
		fprintf(f,
			"signal %d (SIG%s), si_code %d, %s; ops that could explain it: begun %u, "
			"ended %u\n",
			e->err, sigabbrev_np(e->err), e->code, e->write ? "write" : "read",
			e->begun, e->ended);
		break;
	case EVIDENCE_REPORTS:
	case EVIDENCE_LOCKS:
	case EVIDENCE_POOL:
	case EVIDENCE_PLACE:
	case EVIDENCE_SOFT_DIRTY:
		fprintf(f, "%.*s: expected %llu (0x%llx), seen %llu (0x%llx)\n",
			(int)sizeof(e->what), e->what, (unsigned long long)e->expected,
			(unsigned long long)e->expected, (unsigned long long)e->seen,
			(unsigned long long)e->seen);
		if (e->ended)
			fprintf(f, "the page is mapped %u times; tried %u times\n", e->begun,
				e->ended);
		break;
	case EVIDENCE_NO_FAULT:
		fprintf(f, "a %s succeeded\n", e->write ? "write" : "read");
		break;
	case EVIDENCE_MMU:
		cell_describe(e->expected, grain, value, sizeof(value));
		fprintf(f, "%s, word of lane %u\nthe CPU:  %s\n", e->what, e->owner, value);
		cell_describe(e->seen, grain, value, sizeof(value));
		fprintf(f, "the other: %s\nops that may zero it: begun %u, ended %u\n", value,
			e->begun, e->ended);
		break;
	case EVIDENCE_DIRTY:
		fprintf(f, "%s: the page was written and is not in the log\n", e->what);
		break;
	case EVIDENCE_BIT:
		fprintf(f, "a write went through although %s said that it must fault\n", e->what);
		break;
	case EVIDENCE_FROZEN:
		fprintf(f, "sum of the moved page's cells was 0x%llx, became 0x%llx\n",
			(unsigned long long)e->expected, (unsigned long long)e->seen);
		break;
	default:
		cell_describe(e->expected, grain, value, sizeof(value));
		fprintf(f, "cell of lane %u\nexpected: %s\n", e->owner, value);
		cell_describe(e->seen, grain, value, sizeof(value));
		fprintf(f, "seen:     %s\nops that may zero it: begun %u, ended %u\n", value,
			e->begun, e->ended);
	}
}

static void title_of(const struct crew *c, const struct evidence *e, char *buf, size_t size)
{
	const struct slot *s = slot_of(c, e);
	const char *backing = s ? backing_name(s->spec.backing) : "a process";

	switch (e->kind) {
	case EVIDENCE_ERRNO:
		snprintf(buf, size, "errno: %s in %s on %s", strerrorname_np(e->err),
			lanes_op_name(e->op), backing);
		break;
	case EVIDENCE_CRASH:
		snprintf(buf, size, "executor: SIG%s in %s", sigabbrev_np(e->err),
			lanes_op_name(e->op));
		break;
	case EVIDENCE_MMU:
	case EVIDENCE_DIRTY:
		snprintf(buf, size, "%s: %s has %s on %s", oracle_name(judge[e->kind]), e->what,
			evidence_name(e->kind), backing);
		break;
	case EVIDENCE_REPORTS:
	case EVIDENCE_LOCKS:
	case EVIDENCE_PLACE:
	case EVIDENCE_SOFT_DIRTY:
		snprintf(buf, size, "%s: %.*s on %s", oracle_name(judge[e->kind]),
			(int)sizeof(e->what), e->what, backing);
		break;
	case EVIDENCE_POOL:
		snprintf(buf, size, "%s: %.*s", oracle_name(judge[e->kind]), (int)sizeof(e->what),
			e->what);
		break;
	default:
		snprintf(buf, size, "%s: %s on %s", oracle_name(judge[e->kind]),
			evidence_name(e->kind), backing);
	}
}

/* What memory is like, which is seen when it is looked at; not what happens at that moment. */
static bool is_state(enum evidence_kind kind)
{
	return judge[kind] == ORACLE_CONTENT || judge[kind] == ORACLE_BITS ||
	       judge[kind] == ORACLE_MMU;
}

int oracle_evidence(const struct crew *c, const struct evidence *e, struct finding *ret)
{
	struct finding f = {.oracle = judge[e->kind],
		.has_program = true,
		.crew = c->number,
		.lane = e->lane,
		.round = e->round,
		.may_be_older = slot_of(c, e) && is_state(e->kind),
		.slot = e->slot};
	size_t len;
	FILE *text = open_memstream(&f.text, &len);

	if (!text)
		return -ENOMEM;
	title_of(c, e, f.title, sizeof(f.title));
	print_evidence(c, e, text);
	lanes_print_round(c, e->round, text);
	if (fclose(text) != 0) {
		free(f.text);
		return -ENOMEM;
	}
	*ret = f;
	return 0;
}

int oracle_exit(const struct crew *c, unsigned int proc, int status, bool oom, struct finding *ret)
{
	struct finding f = {.oracle = ORACLE_EXECUTOR,
		.has_program = true,
		.crew = c->number,
		.round = atomic_load(&c->ctl->round)};
	size_t len;
	FILE *text;

	if (!WIFSIGNALED(status) || (oom && WTERMSIG(status) == SIGKILL))
		return 0;
	text = open_memstream(&f.text, &len);
	if (!text)
		return -ENOMEM;
	snprintf(f.title, sizeof(f.title), "executor: died of SIG%s",
		sigabbrev_np(WTERMSIG(status)));
	fprintf(text, "executor %u of crew %u died of signal %d (SIG%s)\n", proc, c->number,
		WTERMSIG(status), sigabbrev_np(WTERMSIG(status)));
	lanes_print_round(c, f.round, text);
	if (fclose(text) != 0) {
		free(f.text);
		return -ENOMEM;
	}
	*ret = f;
	return 1;
}
