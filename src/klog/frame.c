/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame.h"

#include <string.h>

#include "base/cleanup.h"
#include "demangle.h"

/* Kernels name a system call's function differently on each machine and in each version. */
static const char *const syscall_prefixes[] = {
	"SYSC_",
	"SyS_",
	"sys_",
	"__x64_",
	"__ia32_",
	"__arm64_",
	"____sys_",
	"___sys_",
	"__sys_",
	"__se_",
	"__se_sys_",
	"__do_sys_",
	"compat_SYSC_",
	"compat_SyS_",
	"ksys_",
};

bool frame_cut_prefix(size_t i, const char *raw, const char **ret)
{
	size_t n;

	if (i >= ARRAY_SIZE(syscall_prefixes))
		return false;
	n = strlen(syscall_prefixes[i]);
	*ret = strncmp(raw, syscall_prefixes[i], n) ? raw : raw + n;
	return true;
}

static const char *shortest_name(const char *raw)
{
	const char *best = raw, *cut;

	for (size_t i = 0; frame_cut_prefix(i, raw, &cut); i++)
		if (cut > best)
			best = cut;
	return best;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static bool is_hex(char c)
{
	return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9');
}

/* "[<ffffffff81000000>]", "[c000000000001234]". Returns what follows, or NULL. */
static const char *address(const char *p, const char *end)
{
	const char *digits;

	if (p >= end || *p++ != '[')
		return NULL;
	if (p < end && *p == '<')
		p++;
	if (end - p > 2 && p[0] == '0' && p[1] == 'x')
		p += 2;
	digits = p;
	while (p < end && is_hex(*p))
		p++;
	if (p == digits)
		return NULL;
	if (p < end && *p == '>')
		p++;
	return p < end && *p == ']' ? p + 1 : NULL;
}

/* "func+0x", "func.part.0+0x". */
static bool function(const char *p, const char *end, struct slice *ret)
{
	const char *start = p;

	while (p < end && is_word(*p))
		p++;
	if (p == start || p >= end || (*p != '.' && *p != '+'))
		return false;
	*ret = (struct slice){start, (size_t)(p - start)};
	return true;
}

/* " func from caller+0x18/0x1c", and with addresses: "[<..>] (func) from [<..>] (caller+0x..)". */
static size_t arm_frames(const char *p, const char *end, struct slice ret[2])
{
	const char *pc = address(p, end), *from;

	if (pc) {
		if (end - pc < 3 || pc[0] != ' ' || pc[1] != '(')
			return 0;
		p = pc + 2;
	}
	ret[0].p = p;
	while (p < end && (is_word(*p) || *p == '.'))
		p++;
	ret[0].n = (size_t)(p - ret[0].p);
	from = pc ? ") from " : " from ";
	if (!ret[0].n || (size_t)(end - p) < strlen(from) || memcmp(p, from, strlen(from)))
		return 0;
	p += strlen(from);
	if (pc) {
		p = address(p, end);
		if (!p || end - p < 2 || p[0] != ' ' || p[1] != '(')
			return 0;
		p += 2;
	}
	return function(p, end, &ret[1]) ? 2 : 0;
}

size_t frame_of_line(const char *s, size_t n, struct slice ret[2])
{
	const char *p = s, *end = s + n;

	while (p < end && *p == ' ')
		p++;
	for (int i = 0; i < 2; i++) {
		const char *after = address(p, end);

		if (!after || after >= end || *after != ' ')
			break;
		if (after + 1 < end && after[1] == '(')
			return arm_frames(p, end, ret);
		p = after + 1;
	}
	if (end - p > 1 && *p == '.' && is_word(p[1])) /* powerpc function descriptors */
		p++;
	if (function(p, end, &ret[0]))
		return 1;
	return p < end && is_word(*p) ? arm_frames(p, end, ret) : 0;
}

static bool has(const char *s, size_t n, const char *what)
{
	return memmem(s, n, what, strlen(what));
}

/* "backtrace:" but not "stack backtrace:", which the trace's own header follows. */
static bool leak_stack(const char *s, size_t n)
{
	const char *hit = memmem(s, n, " backtrace", 10);

	return hit && hit > s && hit[-1] != 'k' &&
	       pattern_find("^ backtrace{ \\(crc {%x|}\\)|}:", hit, n - (size_t)(hit - s), NULL);
}

enum stack_kind {
	STACK_NONE,
	STACK_CALL,
	STACK_ALLOCATED,
	STACK_ALLOCATED_BY,
	STACK_FREED,
	STACK_FREED_BY,
	STACK_LEAK,
	STACK_ARM,
	STACK_STORED,
	STACK_RISCV, /* show_regs()'s last line: frames may follow, or not */
};

static enum stack_kind stack_starts(const char *s, size_t n)
{
	if (has(s, n, "Call Trace") || has(s, n, "Call trace"))
		return STACK_CALL;
	if (has(s, n, "Allocated") && pattern_find("Allocated{ by task %d|}:", s, n, NULL))
		return has(s, n, "by task") ? STACK_ALLOCATED_BY : STACK_ALLOCATED;
	if (has(s, n, "Freed") && pattern_find("Freed{ by task %d|}:", s, n, NULL))
		return has(s, n, "by task") ? STACK_FREED_BY : STACK_FREED;
	if (has(s, n, "Backtrace:"))
		return STACK_ARM;
	if (has(s, n, "backtrace") && leak_stack(s, n))
		return STACK_LEAK;
	if (has(s, n, "Uninit was stored to memory at"))
		return STACK_STORED;
	if (has(s, n, "badaddr: ") && pattern_find("status: %x badaddr: %x cause: %x", s, n, NULL))
		return STACK_RISCV;
	return STACK_NONE;
}

/* A stack of fault injection's own report, which often lands in the middle of another. */
static bool is_injection(const char *s, size_t n)
{
	return has(s, n, "should_fail") &&
	       pattern_find("^{ " PAT_PC "|} should_fail{slab|}{.%g|}+0x", s, n, NULL);
}

/* Lines of a text, one after the other. */
struct cursor {
	const char *p, *end;
};

static bool next_line(struct cursor *c, struct slice *line)
{
	const char *nl;

	if (c->p >= c->end)
		return false;
	nl = memchr(c->p, '\n', (size_t)(c->end - c->p));
	if (!nl)
		nl = c->end;
	*line = (struct slice){c->p, (size_t)(nl - c->p)};
	c->p = nl < c->end ? nl + 1 : nl;
	return true;
}

/* Whether a frame stands in the next lines, before another stack starts. */
static bool frames_follow(struct cursor at)
{
	struct slice line, func[2];

	for (int i = 0; i < 15 && next_line(&at, &line); i++) {
		if (stack_starts(line.p, line.n))
			return false;
		if (has(line.p, line.n, "(stack is not available)") ||
			frame_of_line(line.p, line.n, func))
			return true;
	}
	return false;
}

/* The choice among the frames of one trace, made while they pass by. */
struct choice {
	const struct rule *rule;
	struct frame best, prev;
	bool have, have_prev;
	bool final; /* no later frame can change it */
};

static void set_frame(struct frame *f, const char *name, const char *raw)
{
	size_t n = strnlen(name, sizeof(f->name) - 1);

	memmove(f->name, name, n);
	f->name[n] = 0;
	n = strnlen(raw, sizeof(f->raw) - 1);
	memmove(f->raw, raw, n);
	f->raw[n] = 0;
}

static void choose_stalled(struct choice *c, const struct frame *f)
{
	size_t n = strlen(f->name);

	if (name_in(frame_dispatchers, f->name, n) ||
		(c->rule->pick == PICK_STALL_FAULT && name_in(frame_fault_entries, f->name, n))) {
		c->best = c->have_prev ? c->prev : *f;
		if (strstr(f->name, "smp_call_function"))
			set_frame(&c->best, "smp_call_function", f->raw);
		c->have = c->final = true;
		return;
	}
	c->prev = *f;
	c->have_prev = true;
}

/*
 * A hung task is a victim. When RCU or the rtnl lock is stuck it is one of many, in random
 * functions: those two are named wherever they stand in the trace.
 */
static void choose_hung(struct choice *c, const struct frame *f)
{
	static const char *const grace_period[] = {
		"synchronize_rcu",
		"synchronize_srcu",
		"synchronize_net",
		"synchronize_sched",
		NULL,
	};
	size_t n = strlen(f->name);

	if (name_in(grace_period, f->name, n)) {
		set_frame(&c->best, "synchronize_rcu", f->raw);
		c->have = c->final = true;
	} else if (memmem(f->name, n, "rtnl_lock", 9)) {
		c->best = *f;
		c->have = c->final = true;
	} else if (!c->have && !name_in(frame_waiters, f->name, n)) {
		c->best = *f;
		c->have = true;
	}
}

static void choose(struct choice *c, const struct slice *func)
{
	char name[FRAME_NAME_MAX];
	struct frame f;
	size_t n;

	if (c->final || !func->p)
		return;
	n = demangle(func->p, func->n, name, sizeof(name));
	if (!n) {
		n = func->n < sizeof(name) ? func->n : sizeof(name) - 1;
		memcpy(name, func->p, n);
		name[n] = 0;
	}
	if (name_in(frame_never_guilty, name, n) || name_in(c->rule->skip, name, n))
		return;
	set_frame(&f, shortest_name(name), name);
	switch (c->rule->pick) {
	case PICK_FIRST:
		c->best = f;
		c->have = c->final = true;
		break;
	case PICK_STALL:
	case PICK_STALL_FAULT:
		choose_stalled(c, &f);
		break;
	case PICK_HANG:
		choose_hung(c, &f);
		break;
	}
}

static bool find_ip(const struct slice *line, struct pattern_match *m)
{
	if (has(line->p, line->n, "PSW"))
		return pattern_find("PSW%-: {%x |}{%x |}\\(" PAT_FUNC, line->p, line->n, m);
	/* mips, loongarch */
	if ((has(line->p, line->n, "epc ") || has(line->p, line->n, "ERA:")) &&
		pattern_find("{epc|ERA}%-: %x " PAT_FUNC, line->p, line->n, m))
		return true;
	if (!has(line->p, line->n, "IP") && !has(line->p, line->n, "pc ") &&
		!has(line->p, line->n, "PC is at"))
		return false;
	return pattern_find(PAT_IP, line->p, line->n, m);
}

/* Whether a line is what a step looks for; its functions go to the choice. */
static bool step_takes(const struct step *step, const struct slice *line, struct choice *c)
{
	struct pattern_match m = {.ncap = 0};
	bool ok;

	if (step->kind == STEP_CALL)
		ok = has(line->p, line->n, "Call Trace:") || has(line->p, line->n, "Call trace:") ||
		     has(line->p, line->n, "Backtrace:");
	else if (step->kind == STEP_IP)
		ok = find_ip(line, &m);
	else
		ok = pattern_find(step->pattern, line->p, line->n, &m);
	for (int i = 0; ok && i < m.ncap; i++)
		choose(c, &m.cap[i]);
	return ok;
}

/* Reads one trace. Returns whether the line that ended it is what the next step looks for. */
static bool read_trace(struct cursor *at, const struct step *next, struct choice *c, bool *ok)
{
	struct slice line, func[2];
	enum stack_kind kind;

	while (next_line(at, &line)) {
		if (is_injection(line.p, line.n)) {
			*ok = false;
			return false;
		}
		kind = stack_starts(line.p, line.n);
		if (kind && !(kind == STACK_RISCV && frames_follow(*at)))
			return false;
		if (next->kind != STEP_END && step_takes(next, &line, c))
			return true;
		for (size_t i = 0, n = frame_of_line(line.p, line.n, func); i < n; i++)
			choose(c, &func[i]);
	}
	return false;
}

static void add_frame(struct frames *ret, struct choice *c, bool *ok)
{
	struct frame *f = &ret->f[ret->n];

	if (ret->n == FRAMES_MAX)
		return;
	if (c->have)
		*f = c->best;
	else
		set_frame(f, FRAME_NONE, FRAME_NONE);
	*ok &= c->have;
	ret->n++;
	*c = (struct choice){.rule = c->rule};
}

static bool walk(struct frames *ret, const struct rule *rule, const struct step *steps,
	const char *text, size_t n)
{
	struct choice c = {.rule = rule};
	struct cursor at = {text, text + n};
	struct slice line;
	bool traced = false, ok = true;

	ret->n = 0;
	for (const struct step *s = steps;; s++) {
		bool last = s == steps + RULE_STEPS || s->kind == STEP_END;

		if (last || (s->kind == STEP_TRACE && traced))
			add_frame(ret, &c, &ok);
		if (last)
			return ok;
		if (s->kind == STEP_TRACE) {
			traced = true;
			s += read_trace(&at, s + 1, &c, &ok);
			continue;
		}
		while (next_line(&at, &line)) {
			if (is_injection(line.p, line.n)) {
				ok = false;
				break;
			}
			if (step_takes(s, &line, &c))
				break;
			/* riscv's registers: their trace has no title */
			if (s->kind == STEP_CALL && stack_starts(line.p, line.n) == STACK_RISCV &&
				frames_follow(at))
				break;
		}
	}
}

bool frames_find(struct frames *ret, const struct rule *rule, const char *text, size_t n)
{
	if (walk(ret, rule, rule->steps, text, n))
		return true;
	return rule->otherwise[0].kind != STEP_END && walk(ret, rule, rule->otherwise, text, n);
}

const char *frame_stacks_broken(const char *text, size_t n)
{
	struct cursor at = {text, text + n};
	struct slice line;
	unsigned int seen = 0;
	bool any = false;

	while (next_line(&at, &line)) {
		enum stack_kind kind = stack_starts(line.p, line.n);
		struct cursor ahead = at;
		struct slice skipped;

		if (!kind || seen >> kind & 1)
			continue;
		seen |= 1U << kind;
		if (!next_line(&ahead, &skipped) || !next_line(&ahead, &skipped))
			return "a stack is cut off";
		if (frames_follow(at))
			any = true;
		else if (kind != STACK_RISCV)
			return "a stack has no frames";
	}
	return any ? NULL : "no stack";
}
