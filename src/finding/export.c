/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs as C files: the slots, the lanes' code, and what of the model can be said about a program without running it. */
#include "finding/export.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "export_ops.h"
#include "export_parts.h"
#include "mem/arena.h"
#include "op/list.h"

enum { EXPORT_EPOCH = 16, EXPORT_STALL_S = 60, MAX_ERRNOS = 16 };
/* Where sunder tries first, too. */
#define EXPORT_BASE ((uintptr_t)1 << 44)

struct touched { /* an effect of an op of the program */
	struct effect eff;
	unsigned int lane, proc;
	bool exact; /* not of parts of huge pages */
};

struct exporting {
	const struct program *program;
	const char *title;
	const struct plan_around *around; /* may be NULL */
	struct slot slot[SLOT_MAX];
	struct op_env env;
	unsigned int nprocs;
	struct touched *touched; /* [ntouched] */
	unsigned int ntouched;
	uint32_t *edge
		[SLOT_MAX]; /* page numbers at which effects begin and end, ascending, with 0 and the slot's end */
	unsigned int nedges[SLOT_MAX];
	bool scarce; /* an op makes memory scarce: others may fail for want of it */
	struct parts parts;
};

/* ---- what the program is about ---- */

static bool writes(const struct op_call *c)
{
	return export_template_of(op_get(c->op), c) != NULL;
}

static void tell_left_out(struct export_told *t, const char *name)
{
	size_t have = strlen(t->names), len = strlen(name);
	const char *at = t->names;

	t->left_out++;
	while ((at = strstr(at, name))) {
		if ((at == t->names || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
			return;
		at += len;
	}
	if (have + len + 2 < sizeof(t->names))
		snprintf(t->names + have, sizeof(t->names) - have, "%s%s", have ? " " : "", name);
}

static void count_ops(const struct program *p, struct export_told *t)
{
	*t = (struct export_told){0};
	for (unsigned int l = 0; l < p->nlanes; l++)
		for (unsigned int i = 0; i < p->lane[l].nops; i++) {
			const struct op_call *c = &p->lane[l].op[i];

			if (writes(c))
				t->exported++;
			else
				tell_left_out(t, op_get(c->op)->name);
		}
}

static void fit_slots(struct exporting *x, const struct machine *m)
{
	const struct program *p = x->program;

	for (unsigned int i = 0; i < p->nslots; i++) {
		struct slot_spec s = p->slot[i];

		if (!backing_is_hugetlb(s.backing))
			s.size = (s.size + m->pmd_size - 1) / m->pmd_size * m->pmd_size;
		s.align = s.align < m->pmd_size ? m->pmd_size : s.align;
		slot_init(&x->slot[i], &s, m);
		x->slot[i].present = true;
	}
	arena_place(x->slot, p->nslots, EXPORT_BASE, p->nlanes);
	x->nprocs = 1;
	for (unsigned int l = 0; l < p->nlanes; l++)
		if (p->lane[l].proc >= x->nprocs)
			x->nprocs = p->lane[l].proc + 1U;
	x->env = (struct op_env){.machine = m,
		.slot = x->slot,
		.nslots = p->nslots,
		.nprocs = x->nprocs,
		.split_fd = -1};
}

static int collect(struct exporting *x)
{
	const struct program *p = x->program;

	x->touched = calloc(PROGRAM_MAX_LANES * PROGRAM_MAX_OPS * EFFECTS_MAX, sizeof(*x->touched));
	if (!x->touched)
		return -ENOMEM;
	for (unsigned int l = 0; l < p->nlanes; l++)
		for (unsigned int i = 0; i < p->lane[l].nops; i++) {
			const struct op_call *c = &p->lane[l].op[i];
			struct effect eff[EFFECTS_MAX];
			struct op_span s = op_range(&x->env, c);
			unsigned int n;

			x->scarce |= (op_get(c->op)->uses & (OP_SCARCE_NOW | OP_SCARCE_ON)) != 0;
			x->env.lane = l;
			x->env.proc = p->lane[l].proc;
			n = writes(c) ? export_effects(&x->env, c, eff) : 0;
			for (unsigned int k = 0; k < n; k++)
				x->touched[x->ntouched++] = (struct touched){
					eff[k], l, p->lane[l].proc, op_span_aligned(&s)};
		}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The parts of a slot within which all of the program's effects are alike. */
static int find_edges(struct exporting *x, unsigned int slot)
{
	uint32_t pages = x->slot[slot].pages, *e = calloc(2 * x->ntouched + 2, sizeof(*e));
	unsigned int n = 0, kept = 0;

	if (!e)
		return -ENOMEM;
	e[n++] = 0;
	e[n++] = pages;
	for (unsigned int i = 0; i < x->ntouched; i++) {
		const struct effect *f = &x->touched[i].eff;
		uint32_t end = f->page + f->pages;

		if (f->slot != slot)
			continue;
		if (f->page < pages)
			e[n++] = f->page;
		e[n++] = end < pages ? end : pages;
	}
	qsort(e, n, sizeof(*e), by_number);
	for (unsigned int i = 0; i < n; i++)
		if (i == 0 || e[i] != e[kept - 1])
			e[kept++] = e[i];
	x->edge[slot] = e;
	x->nedges[slot] = kept;
	return 0;
}

/* ---- what is certain ---- */

static bool overlap(const struct effect *a, const struct effect *b)
{
	return a->slot == b->slot && a->page < b->page + b->pages && b->page < a->page + a->pages;
}

/* No other lane has an op that may end it: kinds are those that do. Of a view of the process, or of the object (view -1). */
static bool lasts(
	const struct exporting *x, const struct touched *t, uint32_t kinds, bool of_object)
{
	for (unsigned int i = 0; i < x->ntouched; i++) {
		const struct touched *o = &x->touched[i];

		if (o->lane == t->lane || !(o->eff.kinds & kinds) || !overlap(&o->eff, &t->eff))
			continue;
		if (of_object || (o->proc == t->proc && o->eff.view == t->eff.view))
			return false;
	}
	return true;
}

enum {
	MAPS = EFFECT_MAPPED | EFFECT_UNGUARDED | EFFECT_READABLE,
	SIZES = EFFECT_SIZED | EFFECT_RESIZED
};

static void print_kinds(const struct exporting *x, const struct touched *t, FILE *out)
{
	const uint32_t k = t->eff.kinds;
	const bool sure = t->exact && lasts(x, t, MAPS, false);
	const struct {
		bool holds;
		const char *name;
	} names[] = {{k & (EFFECT_ZERO | EFFECT_ZEROED), "ZERO"},
		{t->exact && (k & EFFECT_ZEROED), "ZEROED"}, {k & EFFECT_STALE, "OLD"},
		{k & (EFFECT_HOLE | EFFECT_GUARD), "HOLE"},
		{sure && (k & (EFFECT_HOLE_SURE | EFFECT_GUARD_SURE)), "HOLE_SURE"},
		{k & EFFECT_RO, "NO_WRITE"}, {sure && (k & EFFECT_RO_SURE), "NO_WRITE_SURE"},
		{k & EFFECT_BUS, "SHORT"},
		{t->exact && (k & EFFECT_BUS_SURE) && lasts(x, t, SIZES, true), "SHORT_SURE"},
		{k & MAPS, "MAPPED"}, {k & SIZES, "SIZED"}, {k & EFFECT_WIPE, "WIPED"}};
	const char *between = "";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!names[i].holds)
			continue;
		fprintf(out, "%s%s", between, names[i].name);
		between = " | ";
	}
	if (!*between)
		fputc('0', out);
}

/* Those that the file knows; the rest is for the errno oracle. */
static bool matters(const struct effect *f)
{
	return f->kinds & (EFFECT_ZERO | EFFECT_ZEROED | EFFECT_STALE | EFFECT_HOLE | EFFECT_GUARD |
				  EFFECT_RO | EFFECT_BUS | MAPS | SIZES | EFFECT_WIPE);
}

/* ---- lanes ---- */

static void print_timing(const struct exporting *x, unsigned int lane, unsigned int i, FILE *out)
{
	const struct program *p = x->program;
	const struct op_timing *t = &p->lane[lane].timing[i];
	uint32_t lanes = 0;

	if (!(p->lane[lane].timed >> i & 1))
		return;
	if (!t->meet) {
		fprintf(out, "\twait_until(now() + %u);\n", t->delay_ns);
		return;
	}
	for (unsigned int l = 0; l < p->nlanes; l++)
		for (unsigned int k = 0; k < p->lane[l].nops; k++)
			if ((p->lane[l].timed >> k & 1) && p->lane[l].timing[k].meet == t->meet)
				lanes |= 1U << l;
	fprintf(out, "\tmeet(me, %u, %u, 0x%x, ", i, t->meet, lanes);
	if (t->aim && t->aim_lane < p->nlanes && t->aim_op < p->lane[t->aim_lane].nops)
		fprintf(out, "phase(%u, %u, %d, %s%.0u%s)", t->aim_lane, t->aim_op, t->aim_phase,
			t->aim == AIM_END ? "atomic_load(&all->took[me->no][" : "0",
			t->aim == AIM_END ? i : 0, t->aim == AIM_END ? "])" : "");
	else
		fprintf(out, "%u", t->delay_ns);
	fputs(");\n", out);
}

static void print_effects(
	const struct exporting *x, unsigned int lane, const struct op_call *c, FILE *out)
{
	struct op_span s = op_range(&x->env, c);
	struct effect eff[EFFECTS_MAX];
	unsigned int n = export_effects(&x->env, c, eff);

	for (unsigned int i = 0; i < n; i++) {
		struct touched t = {eff[i], lane, x->env.proc, op_span_aligned(&s)};
		const struct slot *on = &x->slot[eff[i].slot];
		uint32_t rest = on->pages - eff[i].page;

		if (!matters(&eff[i]) || eff[i].page >= on->pages || !eff[i].pages)
			continue;
		fprintf(out, "\tbegin(me, &slot_%s, %u, %u, %u, ", on->spec.name, eff[i].view,
			eff[i].page, eff[i].pages < rest ? eff[i].pages : rest);
		print_kinds(x, &t, out);
		fputs(");\n", out);
	}
}

static void print_lane(struct exporting *x, unsigned int lane, FILE *out)
{
	const struct program_lane *l = &x->program->lane[lane];

	x->env.lane = lane;
	x->env.proc = l->proc;
	fprintf(out,
		"\n/* process %u */\nstatic void lane%u(struct lane "
		"*me)\n{\n\twait_until(atomic_load(&all->deadline) + %u);\n",
		l->proc, lane, l->offset_ns);
	for (unsigned int i = 0; i < l->nops; i++) {
		if (!writes(&l->op[i])) {
			fprintf(out, "\t/* %s: not in C */\n", op_get(l->op[i].op)->name);
			print_timing(x, lane, i, out);
			continue;
		}
		print_effects(x, lane, &l->op[i], out);
		print_timing(x, lane, i, out);
		fprintf(out, "\tdid(me, %u, ", i);
		export_call(&x->env, &l->op[i], out);
		fputs(");\n", out);
	}
	if (!l->nops)
		fputs("\t(void)me;\n", out);
	fputs("}\n", out);
}

/* ---- tables ---- */

static const char *make_function(const struct slot_spec *s)
{
	static const char *const names[BACKING_COUNT] = {[BACKING_ANON] = "make_nothing",
		[BACKING_ANON_SHARED] = "make_anon_shared",
		[BACKING_MEMFD] = "make_memfd",
		[BACKING_TMPFS] = "make_tmpfs",
		[BACKING_HUGETLB_MEMFD] = "make_hugetlb_memfd",
		[BACKING_HUGETLB_FILE] = "make_hugetlbfs",
		[BACKING_HUGETLB_PRIVATE] = "make_nothing",
		[BACKING_FILE] = "make_file",
		[BACKING_MEMFD_PRIVATE] = "make_memfd",
		[BACKING_FILE_PRIVATE] = "make_file",
		[BACKING_SYSV] = "make_sysv",
		[BACKING_HUGETLB_SYSV] = "make_sysv"};

	return names[s->backing];
}

static const char *map_function(const struct slot_spec *s)
{
	static const char *const names[BACKING_COUNT] = {[BACKING_ANON] = "map_anon",
		[BACKING_HUGETLB_PRIVATE] = "map_hugetlb",
		[BACKING_MEMFD_PRIVATE] = "map_copies",
		[BACKING_FILE_PRIVATE] = "map_copies",
		[BACKING_ANON_SHARED] = "map_anchor",
		[BACKING_SYSV] = "map_anchor",
		[BACKING_HUGETLB_SYSV] = "map_segment"};

	return names[s->backing] ? names[s->backing] : "map_shared";
}

static const char *advice(const struct slot_spec *s)
{
	if (backing_is_hugetlb(s->backing))
		return "0";
	return s->huge == SLOT_HUGE_ALWAYS  ? "MADV_HUGEPAGE"
	       : s->huge == SLOT_HUGE_NEVER ? "MADV_NOHUGEPAGE"
					    : "0";
}

static void print_slot(const struct exporting *x, unsigned int i, FILE *out)
{
	const struct slot *s = &x->slot[i];
	const struct slot_spec *p = &s->spec;

	fprintf(out, "\n/* %s */\nstatic const unsigned long slot_%s_zones[] = {",
		backing_help(p->backing), p->name);
	for (unsigned int k = 0; k < x->nedges[i]; k++)
		fprintf(out, "%s%u", k ? ", " : "", x->edge[i][k]);
	fprintf(out,
		"};\nstatic struct slot slot_%s = {\n\t.name = \"%s\",\n\t.number = %u,\n\t.pages "
		"= %u,\n\t.views = %u,\n\t.view = {",
		p->name, p->name, i, s->pages, s->nviews);
	for (unsigned int v = 0; v < s->nviews; v++)
		fprintf(out, "%s(char *)0x%lx", v ? ", " : "", (unsigned long)s->view[v]);
	fputs("},\n\t.spare = {", out);
	for (unsigned int l = 0; l < x->program->nlanes; l++)
		fprintf(out, "%s(char *)0x%lx", l ? ", " : "", (unsigned long)slot_spare(s, l));
	fputs("},\n", out);
	if (s->anchor)
		fprintf(out, "\t.anchor = (char *)0x%lx,\n", (unsigned long)s->anchor);
	if (backing_is_hugetlb(p->backing))
		fprintf(out, "\t.huge_size = %luUL,\n", (unsigned long)p->huge_size);
	if (p->backing == BACKING_TMPFS)
		fprintf(out, "\t.huge = \"%s\",\n", slot_huge_name(p->huge));
	if (p->noreserve)
		fputs("\t.noreserve = MAP_NORESERVE,\n", out);
	fprintf(out,
		"\t.advice = %s,\n\t.shared = %s,\n\t.fd = -1,\n\t.make = %s,\n\t.map = "
		"%s,\n\t.empty = %s,\n\t.zones = slot_%s_zones,\n};\n",
		advice(p), backing_is_private(p->backing) ? "false" : "true", make_function(p),
		map_function(p),
		s->anchor		     ? "empty_anchor"
		: backing_has_fd(p->backing) ? "empty_file"
					     : "empty_nothing",
		p->name);
}

/* All errors that some state allows, and where memory is scarce those that say so. */
static void print_errnos(const struct exporting *x, const struct op *op, FILE *out)
{
	static const struct op_errno scarce[] = {{ENOMEM, 0}, {EAGAIN, 0}, {EINTR, 0}, {0, 0}};
	int have[MAX_ERRNOS + 4];
	unsigned int n = 0;

	for (unsigned int round = 0; round < 1U + x->scarce; round++)
		for (const struct op_errno *e = round ? scarce : op->errnos; e && e->err; e++) {
			unsigned int k = 0;

			while (k < n && have[k] != e->err)
				k++;
			if (k < n || n >= MAX_ERRNOS)
				continue;
			have[n++] = e->err;
			fprintf(out, "%s%s", n > 1 ? ", " : "", strerrorname_np(e->err));
		}
	if (!n)
		fputc('0', out);
}

/* Its slot is of a backing that the op is not made for: any refusal is right. */
static bool unsuited(const struct exporting *x, const struct op_call *c)
{
	const struct op *op = op_get(c->op);

	return op->backings && !(op->backings >> op_range(&x->env, c).slot->spec.backing & 1);
}

static void print_op_table(struct exporting *x, FILE *out)
{
	const struct program *p = x->program;

	fputs("\nstatic const struct op ops[LANES][MAX_OPS] = {\n", out);
	for (unsigned int l = 0; l < p->nlanes; l++) {
		fprintf(out, "\t[%u] = {\n", l);
		for (unsigned int i = 0; i < p->lane[l].nops; i++) {
			const struct op *op = op_get(p->lane[l].op[i].op);

			if (!writes(&p->lane[l].op[i]))
				continue;
			fprintf(out, "\t\t[%u] = {.name = \"%s\", ", i, op->name);
			if (unsuited(x, &p->lane[l].op[i]))
				fputs(".any = true, ", out);
			fputs(".errors = {", out);
			print_errnos(x, op, out);
			fputs("}},\n", out);
		}
		if (!p->lane[l].nops)
			fputs("\t\t[0] = {.name = NULL},\n", out);
		fputs("\t},\n", out);
	}
	fputs("};\n", out);
}

static void print_lane_table(const struct program *p, FILE *out)
{
	fputs("\nstatic struct lane lanes[LANES] = {\n", out);
	for (unsigned int l = 0; l < p->nlanes; l++)
		fprintf(out, "\t{.no = %u, .proc = %u, .cpu = %d, .preempt = %s, .run = lane%u},\n",
			l, p->lane[l].proc, p->lane[l].pin - 1,
			p->lane[l].preempt ? "true" : "false", l);
	fputs("};\n", out);
}

static void print_slot_table(const struct exporting *x, FILE *out)
{
	for (unsigned int i = 0; i < x->program->nslots; i++)
		print_slot(x, i, out);
	fputs("\nstatic struct slot *const slots[SLOTS] = {", out);
	for (unsigned int i = 0; i < x->program->nslots; i++)
		fprintf(out, "%s&slot_%s", i ? ", " : "", x->slot[i].spec.name);
	fputs("};\n", out);
}

static unsigned int nsettings(const struct exporting *x)
{
	return x->around ? x->around->nknobs : 0;
}

/* Files that are written, by the program's ops as their globs. */
static void print_globs(const struct exporting *x, FILE *out)
{
	const struct program *p = x->program;
	bool seen[OP_NUMBERS] = {false};

	fputs("\n/* what it writes besides its own memory; put back at the end */\nstatic const "
	      "char *const knob_globs[] = {\n",
		out);
	for (unsigned int l = 0; l < p->nlanes; l++)
		for (unsigned int i = 0; i < p->lane[l].nops; i++) {
			unsigned int n = p->lane[l].op[i].op;
			const char *const *k = op_get(n)->knobs;

			for (; writes(&p->lane[l].op[i]) && !seen[n] && k && *k; k++) {
				const char *glob = **k == BOX_STATELESS ? *k + 1 : *k;

				if (*glob == '/')
					fprintf(out, "\t\"%s\",\n", glob);
			}
			seen[n] = true;
		}
	for (unsigned int i = 0; i < nsettings(x); i++)
		fprintf(out, "\t\"%s\",\n", x->around->knob[i].path);
	fputs("\tNULL};\n", out);
}

/* What the job had set, as C. */
static void print_settings(const struct exporting *x, FILE *out)
{
	fputs("\n/* what the job had set */\nstatic void set_knobs(void)\n{\n", out);
	for (unsigned int i = 0; i < nsettings(x); i++)
		fprintf(out, "\tput_text(\"%s\", \"%s\");\n", x->around->knob[i].path,
			x->around->knob[i].value);
	fputs("}\n", out);
}

/* ---- the file ---- */

/* A text in a comment: no end of the comment in it. */
static void print_comment(const char *text, FILE *out)
{
	fputs(" * ", out);
	for (; *text; text++) {
		if (*text == '\n')
			fputs(text[1] ? "\n * " : "", out);
		else if (*text == '/' && text[-1] == '*')
			fputs(" /", out);
		else
			fputc(isprint((unsigned char)*text) || *text == '\t' ? *text : '?', out);
	}
	fputc('\n', out);
}

static int print_header(const struct exporting *x, const struct export_told *told, FILE *out)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int r = f ? program_print(x->program, f) : -ENOMEM;

	if (f && fclose(f) != 0)
		r = -ENOMEM;
	if (r < 0)
		return r;
	fputs("// SPDX-License-Identifier: GPL-2.0-or-later\n/*\n", out);
	if (x->title)
		print_comment(x->title, out);
	fputs(" *\n"
	      " *     cc -O2 -pthread FILE.c -o reproducer && ./reproducer [SECONDS]\n"
	      " *\n"
	      " * As root where it mounts, resizes hugetlb pools or writes knobs. Runs for 60 "
	      "seconds if not told. Exit code 1: something was wrong\n"
	      " * (it says what), 0: nothing was, 2: it could not run here. Made by sunder of this "
	      "program:\n"
	      " *\n",
		out);
	print_comment(text, out);
	if (told->left_out)
		fprintf(out, " *\n * Left out, because it takes more than a system call: %s\n",
			told->names);
	fputs(" */\n", out);
	return 0;
}

static unsigned int most_ops(const struct program *p)
{
	unsigned int most = 1;

	for (unsigned int l = 0; l < p->nlanes; l++)
		if (p->lane[l].nops > most)
			most = p->lane[l].nops;
	return most;
}

/* Huge pages that pipes may keep when their slot has let go of them, and one a lane that is on its way elsewhere. */
static unsigned int huge_pages_held(const struct program *p)
{
	unsigned int n = p->nlanes;

	for (unsigned int l = 0; l < p->nlanes; l++) {
		unsigned int most = 0;

		for (unsigned int i = 0; i < p->lane[l].nops; i++) {
			const struct op *op = op_get(p->lane[l].op[i].op);

			if (export_template_of(op, &p->lane[l].op[i]) && op->holds > most)
				most = op->holds;
		}
		n += most;
	}
	return n;
}

static void print_numbers(const struct exporting *x, const struct machine *m, FILE *out)
{
	unsigned int zones = 1;

	for (unsigned int i = 0; i < x->program->nslots; i++)
		if (x->nedges[i] > zones)
			zones = x->nedges[i];
	fprintf(out,
		"\n#define PAGE %luUL\n"
		"#define PMD %lluUL /* bytes of a huge page */\n"
		"enum { LANES = %u, PROCS = %u, SLOTS = %u, MAX_OPS = %u, ZONES = %u };\n"
		"#define EPOCH %u /* rounds until all is mapped anew */\n"
		"#define STALL_S %uU /* a round that takes longer hangs */\n",
		(unsigned long)m->page_size, (unsigned long long)m->pmd_size, x->program->nlanes,
		x->nprocs, x->program->nslots, most_ops(x->program), zones,
		x->around && x->around->epoch_rounds ? x->around->epoch_rounds : EXPORT_EPOCH,
		EXPORT_STALL_S);
	if (parts_used(&x->parts, "pools"))
		fprintf(out,
			"#define HELD %uU /* huge pages that pipes may keep, or that are on their "
			"way elsewhere */\n",
			huge_pages_held(x->program));
	if (parts_used(&x->parts, "resize_pool"))
		fputs("#define EMPTY_POOL (-1000000L)\n", out);
}

/* What main() does besides, of the parts that are there. */
static void print_hooks(const struct exporting *x, FILE *out)
{
	const bool knobs = parts_used(&x->parts, "knobs"), pools = parts_used(&x->parts, "pools"),
		   nodes = parts_used(&x->parts, "nodes"),
		   children = parts_used(&x->parts, "end_child");

	fprintf(out,
		"\n/* what the parts of this file need */\n#define SET_UP() do { %s%s%s} while "
		"(0)\n"
		"#define TEAR_DOWN() do { %s%s} while (0)\n#define END_CHILD(me) %s\n",
		nodes ? "read_nodes(); " : "",
		nsettings(x) ? "keep_knobs(); set_knobs(); "
		: knobs	     ? "keep_knobs(); "
			     : "",
		pools ? "raise_pools(); " : "", knobs ? "restore_knobs(); " : "",
		pools ? "lower_pools(); " : "", children ? "end_child(me)" : "(void)(me)");
}

static char *body_of(struct exporting *x, size_t *ret_len)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);

	if (!f)
		return NULL;
	fputs("\n/* ---- the program ---- */\n", f);
	print_slot_table(x, f);
	print_op_table(x, f);
	for (unsigned int l = 0; l < x->program->nlanes; l++)
		print_lane(x, l, f);
	print_lane_table(x->program, f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static bool has_hugetlb(const struct exporting *x)
{
	for (unsigned int i = 0; i < x->program->nslots; i++)
		if (backing_is_hugetlb(x->slot[i].spec.backing))
			return true;
	return false;
}

static int write_file(
	struct exporting *x, const struct machine *m, const struct export_told *told, FILE *out)
{
	_cleanup_free_ char *body = NULL;
	size_t len = 0;
	int r;

	body = body_of(x, &len);
	if (!body)
		return -ENOMEM;
	parts_read(&x->parts);
	parts_use(&x->parts, body, len);
	if (nsettings(x))
		parts_use(&x->parts, "knobs", strlen("knobs"));
	if (has_hugetlb(x))
		parts_use(&x->parts, "pools", strlen("pools"));
	r = print_header(x, told, out);
	if (r < 0)
		return r;
	parts_print(&x->parts, "headers", out);
	parts_print(&x->parts, "constants", out);
	print_numbers(x, m, out);
	if (parts_used(&x->parts, "knobs"))
		print_globs(x, out);
	parts_print(&x->parts, "core", out);
	parts_print(&x->parts, "helper", out);
	parts_print(&x->parts, "making", out);
	fwrite(body, 1, len, out);
	if (nsettings(x))
		print_settings(x, out);
	print_hooks(x, out);
	parts_print(&x->parts, "main", out);
	return ferror(out) ? -EIO : 0;
}

int export_c(const struct program *p, const struct machine *m, const char *title,
	const struct plan_around *around, FILE *out, struct export_told *ret)
{
	_cleanup_free_ struct exporting *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return -ENOMEM;
	count_ops(p, ret);
	if (!ret->exported)
		return -ENODATA;
	x->program = p;
	x->title = title;
	x->around = around;
	fit_slots(x, m);
	r = collect(x);
	for (unsigned int i = 0; r == 0 && i < p->nslots; i++)
		r = find_edges(x, i);
	if (r == 0)
		r = write_file(x, m, ret, out);
	for (unsigned int i = 0; i < p->nslots; i++)
		free(x->edge[i]);
	free(x->touched);
	return r;
}
