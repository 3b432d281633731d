/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of ops as C expressions. In a template
 *   $at $len $page $pages $view $off   the call's range: address, bytes, pages, the slot's view, bytes into the object
 *   $slot $fd $map                     &slot_x, slot_x.fd, the function that maps it
 *   $range $first $last                "me, &slot_x, view, page, pages" of the range, its first and its last page alone
 *   $step                              pages between two addresses of move_pages
 *   $unit                              pages of a huge page
 *   {arg}                              the argument's number
 *   {arg=A|B|C}                        A, B or C as an enum argument is its 1st, 2nd or 3rd word
 *   {arg+A|B|C}                        those of A, B, C whose flag is set, or 0
 * The words stand in the order of the op's own table of words.
 */
#include "export_ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "finding/export.h"

enum { VARIANTS = 8 };

struct writing {
	const char *op;
	const char *by; /* enum argument that chooses the template, or NULL */
	const char *text[VARIANTS];
};

#define HOW "{how=WRITE_OP|READ_OP|RMW_OP}"
#define ADVISE(op, advice)                                    \
	{                                                     \
		"madvise_" op, NULL,                          \
		{                                             \
			"sys(madvise($at, $len, " advice "))" \
		}                                             \
	}
#define POLICY                                                                           \
	"{mode=MPOL_DEFAULT|MPOL_PREFERRED|MPOL_BIND|MPOL_INTERLEAVE|MPOL_LOCAL|POLICY_" \
	"PREFERRED_MANY|POLICY_WEIGHTED_INTERLEAVE} | "                                  \
	"({mode_flags+0|MPOL_F_STATIC_NODES|MPOL_F_RELATIVE_NODES|POLICY_BALANCING}), $nodes"
#define THP "/sys/kernel/mm/transparent_hugepage/"
#define KHUGEPAGED(file, values) "turn(\"" THP "khugepaged/" file "\", 0, {level=" values "})"
#define KSM(file, values) "turn(\"/sys/kernel/mm/ksm/" file "\", 0, {level=" values "})"
#define POOLS "/sys/kernel/mm/hugepages/hugepages-*kB/"
#define NODE_POOLS "/sys/devices/system/node/node*/hugepages/hugepages-*kB/"

static const struct writing writings[] = {
	/* accesses */
	{"null", NULL, {"0"}},
	{"touch", "which",
		{"touch($range, 1, " HOW ")", "touch($first, 1, " HOW ")",
			"(touch($last, 1, " HOW "), touch($first, 1, " HOW "))",
			"touch($range, 61, " HOW ")", "touch_some($range, {pick}, " HOW ")"}},
	{"hammer", NULL, {"hammer($range, {ns})"}},
	/* mappings */
	{"mmap", NULL, {"$map(&$slot, $at, $page, $pages, 0)"}},
	{"mmap_populate", NULL, {"$map(&$slot, $at, $page, $pages, MAP_POPULATE)"}},
	{"mmap_fresh", NULL, {"map_once_more(&$slot, $page, $pages, {how=MAP_POPULATE|0})"}},
	{"munmap_whole", NULL, {"sys(munmap($at, $len))"}},
	{"munmap_part", NULL, {"sys(munmap($at, $part * PAGE))"}},
	{"mremap_grow", NULL, {"grow($at, $rest * PAGE, $more * PAGE)"}},
	{"mremap_shrink", NULL, {"shrink($at, $len, $keep * PAGE)"}},
	{"mremap_move", NULL, {"move_away($range, {hold})"}},
	{"mremap_fixed", NULL, {"move_over($range, {populate=false|true})"}},
	{"mremap_dontunmap", NULL, {"move_pages_only($range, {hold})"}},
	{"mprotect", NULL,
		{"sys(mprotect($at, $len, {prot=PROT_NONE|PROT_READ|PROT_READ \\| PROT_WRITE}))"}},
	/* advice */
	ADVISE("hugepage", "MADV_HUGEPAGE"),
	ADVISE("nohugepage", "MADV_NOHUGEPAGE"),
	ADVISE("collapse", "MADV_COLLAPSE"),
	ADVISE("dontneed", "MADV_DONTNEED"),
	ADVISE("dontneed_locked", "MADV_DONTNEED_LOCKED"),
	ADVISE("free", "MADV_FREE"),
	ADVISE("remove", "MADV_REMOVE"),
	ADVISE("pageout", "MADV_PAGEOUT"),
	ADVISE("cold", "MADV_COLD"),
	ADVISE("populate_read", "MADV_POPULATE_READ"),
	ADVISE("populate_write", "MADV_POPULATE_WRITE"),
	ADVISE("willneed", "MADV_WILLNEED"),
	ADVISE("dontfork", "MADV_DONTFORK"),
	ADVISE("dofork", "MADV_DOFORK"),
	ADVISE("mergeable", "MADV_MERGEABLE"),
	ADVISE("unmergeable", "MADV_UNMERGEABLE"),
	ADVISE("wipeonfork", "MADV_WIPEONFORK"),
	ADVISE("keeponfork", "MADV_KEEPONFORK"),
	ADVISE("guard_install", "MADV_GUARD_INSTALL"),
	ADVISE("guard_remove", "MADV_GUARD_REMOVE"),
	{"madvise_soft_offline", NULL, {"soft_offline($at)"}},
	{"process_madvise", NULL,
		{"advise_process($advised, $at, $pages, "
		 "{advice=MADV_PAGEOUT|MADV_COLD|MADV_WILLNEED|MADV_COLLAPSE|MADV_DONTNEED})"}},
	{"process_mrelease", NULL, {"kill_and_release($range, " HOW ")"}},
	{"mseal", NULL, {"seal_in_child($range, {prot=PROT_READ \\| PROT_WRITE|PROT_READ})"}},
	/* nodes */
	{"mbind", NULL,
		{"bind_to($at, $len, " POLICY
		 ", {flags+MPOL_MF_STRICT|MPOL_MF_MOVE|MPOL_MF_MOVE_ALL})"}},
	{"set_mempolicy", NULL, {"thread_policy(" POLICY ")"}},
	{"set_mempolicy_home_node", NULL,
		{"home_node($at, $len, {mode=POLICY_PREFERRED_MANY|MPOL_BIND}, node({node}))"}},
	{"get_mempolicy", NULL,
		{"ask_policy({what=$at|$at|NULL|NULL}, {what=MPOL_F_NODE \\| "
		 "MPOL_F_ADDR|MPOL_F_ADDR|0|MPOL_F_MEMS_ALLOWED})"}},
	{"move_pages", NULL,
		{"move_to(0, $at, $pages, $step, node({node}), "
		 "{flags+MPOL_MF_MOVE|MPOL_MF_MOVE_ALL})"}},
	{"move_pages_query", NULL, {"move_to(0, $at, $pages, $step, -1, 0)"}},
	{"move_pages_other", NULL,
		{"move_to(peer_of(me, {proc}), $at, $pages, $step, node({node}), "
		 "{flags+MPOL_MF_MOVE|MPOL_MF_MOVE_ALL})"}},
	{"migrate_pages", NULL, {"migrate(pid_of({proc}), node({from}), node({to}))"}},
	/* locks, processes */
	{"mlock", NULL, {"sys(mlock($at, $len))"}},
	{"mlock2", NULL, {"sys(syscall(SYS_mlock2, $at, $len, {how=MLOCK_ONFAULT|0}))"}},
	{"munlock", NULL, {"sys(munlock($at, $len))"}},
	{"mlockall", NULL, {"sys(mlockall(MCL_CURRENT{how= \\| MCL_ONFAULT|}))"}},
	{"munlockall", NULL, {"sys(munlockall())"}},
	{"memlock_limit", NULL, {"limit_locked({kb})"}},
	{"fork", NULL, {"fork_and_touch($range, " HOW ", {live})"}},
	{"fork_linger", NULL, {"fork_and_linger($range, {how=READ_OP|WRITE_OP|RMW_OP}, {live})"}},
	{"thp_disable", NULL,
		{"sys(prctl(PR_SET_THP_DISABLE, {on=0UL, 0UL|1UL, 0UL|1UL, (unsigned "
		 "long)PR_THP_DISABLE_EXCEPT_ADVISED}, 0UL, 0UL))"}},
	/* objects */
	{"fallocate", NULL, {"sys(fallocate($fd, {mode=0|FALLOC_FL_KEEP_SIZE}, $off, $len))"}},
	{"fallocate_punch", NULL,
		{"sys(fallocate($fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, $off, $len))"}},
	{"ftruncate", "how",
		{"bounce(&$slot, $page, {hold})", "sys(ftruncate($fd, $off))",
			"sys(ftruncate($fd, $half * PAGE))", "sys(ftruncate($fd, $all * PAGE))"}},
	{"file_read", NULL, {"read_object(me, &$slot, $page, {how=false|true})"}},
	{"file_write", NULL, {"write_object(me, &$slot, $page)"}},
	{"cachestat", NULL, {"cache_stat($fd, $page, $pages)"}},
	{"file_sync", "how",
		{"sys(msync($at, $len, MS_SYNC))", "sys(msync($at, $len, MS_ASYNC))",
			"sys(msync($at, $len, MS_SYNC | MS_INVALIDATE))",
			"sys(readahead($fd, $off, $len))",
			"sys(sync_file_range($fd, $off, $len, SYNC_FILE_RANGE_WAIT_BEFORE | "
			"SYNC_FILE_RANGE_WRITE))",
			"-posix_fadvise($fd, $off, $len, POSIX_FADV_DONTNEED)",
			"sys(fdatasync($fd))"}},
	/* the kernel and other processes at the same memory */
	{"process_vm_readv", NULL, {"read_remote(me, &$slot, $view, $page, {proc})"}},
	{"process_vm_writev", NULL, {"write_remote(me, &$slot, $view, $page, {proc})"}},
	{"proc_mem_read", NULL, {"proc_mem(me, &$slot, $view, $page, {proc}, false)"}},
	{"proc_mem_write", NULL, {"proc_mem(me, &$slot, $view, $page, {proc}, true)"}},
	{"ptrace_peek", NULL, {"peek_and_poke(me, &$slot, $view, $page)"}},
	{"vmsplice", NULL, {"lend($range, {flags+SPLICE_F_GIFT|SPLICE_F_MOVE})"}},
	{"odirect_write", NULL, {"direct_io(me, &$slot, $view, $page, false)"}},
	{"odirect_read", NULL, {"direct_io(me, &$slot, $view, $page, true)"}},
	{"futex", NULL,
		{"futex_at(me, &$slot, $view, $page, "
		 "{how=FUTEX_WAIT|FUTEX_WAIT_PRIVATE|FUTEX_WAIT|FUTEX_"
		 "WAKE|FUTEX_WAKE_PRIVATE}, {how=0|0|1|1|1}, {ns})"}},
	{"robust_list", NULL, {"die_as_owner(me, &$slot, $view, $page)"}},
	/* page tables */
	{"smaps", NULL, {"read_file({file=\"/proc/self/smaps\"|\"/proc/self/smaps_rollup\"})"}},
	{"numa_maps", NULL, {"read_file(\"/proc/self/numa_maps\")"}},
	{"peer_maps", NULL,
		{"read_proc(peer_of(me, {proc}), "
		 "{file=\"maps\"|\"smaps\"|\"smaps_rollup\"|\"numa_maps\"|\"status\"})"}},
	{"pagemap", NULL, {"pagemap($at, $pages)"}},
	{"pagemap_scan", NULL, {"scan_pagemap($at, $len, {how=0|1}, {category})"}},
	{"kpageflags", NULL,
		{"page_frames($at, $pages, "
		 "{file=\"/proc/kpageflags\"|\"/proc/kpagecount\"|\"/proc/kpagecgroup\"})"}},
	{"mincore", NULL, {"in_core($at, $pages)"}},
	{"clear_refs", NULL, {"clear_refs(pid_of({proc}), {what=\"1\"|\"2\"|\"3\"|\"4\"|\"5\"})"}},
	{"numa_stat", "file",
		{NULL, "read_node(node({node}), \"meminfo\")",
			"read_node(node({node}), \"vmstat\")", "read_file(\"/proc/meminfo\")",
			"read_file(\"/proc/vmstat\")"}},
	{"split_pid", NULL,
		{"split(\"%d,0x%lx,0x%lx,$order\", (int)pid_of({proc}), (unsigned long)($at), "
		 "(unsigned "
		 "long)($at + $len))"}},
	{"split_file", NULL,
		{"split(\"/proc/self/fd/%d,0x%lx,0x%lx,$order\", $fd, $page, $page + $pages)"}},
	/* the machine */
	{"hugetlb_pool_grow", NULL, {"resize_pool(\"" POOLS "nr_hugepages\", {size}, {pages})"}},
	{"hugetlb_pool_shrink", NULL,
		{"resize_pool(\"" POOLS "nr_hugepages\", {size}, {how=-{pages}|EMPTY_POOL})"}},
	{"hugetlb_pool_node", NULL,
		{"resize_pool(\"" NODE_POOLS
		 "nr_hugepages\", {pool}, {how={pages}|-{pages}|EMPTY_POOL|0})"}},
	{"hugetlb_pool_mempolicy", NULL,
		{"resize_pool(\"" POOLS
		 "nr_hugepages_mempolicy\", {pool}, {how={pages}|-{pages}|EMPTY_POOL|0})"}},
	{"hugetlb_overcommit", NULL,
		{"turn(\"" POOLS
		 "nr_overcommit_hugepages\", {size}, {surplus=\"0\"|\"4\"|\"64\"})"}},
	{"thp_enabled", NULL,
		{"turn(\"" THP "enabled\", 0, {policy=\"always\"|\"madvise\"|\"never\"})"}},
	{"thp_shmem_enabled", NULL,
		{"turn(\"" THP "shmem_enabled\", 0, "
		 "{policy=\"always\"|\"within_size\"|\"advise\"|\"never\"|\"deny\"|\"force\"})"}},
	{"mthp_enabled", "of",
		{"turn(\"" THP "hugepages-*kB/enabled\", {size}, "
		 "{policy=\"always\"|\"inherit\"|\"madvise\"|\"never\"})",
			"turn(\"" THP "hugepages-*kB/shmem_enabled\", {size}, "
			"{policy=\"always\"|\"inherit\"|\"advise\"|\"never\"})"}},
	{"khugepaged_knob", "knob",
		{KHUGEPAGED("scan_sleep_millisecs", "\"0\"|\"10\"|\"100\"|\"1000\""),
			KHUGEPAGED("alloc_sleep_millisecs", "\"0\"|\"10\"|\"100\"|\"1000\""),
			KHUGEPAGED("pages_to_scan", "\"1\"|\"64\"|\"4096\"|\"32768\""),
			KHUGEPAGED("max_ptes_none", "\"0\"|\"64\"|\"255\"|\"511\""),
			KHUGEPAGED("max_ptes_swap", "\"0\"|\"1\"|\"64\"|\"511\""),
			KHUGEPAGED("max_ptes_shared", "\"0\"|\"1\"|\"256\"|\"511\""),
			KHUGEPAGED("defrag", "\"0\"|\"1\"|\"1\"|\"1\"")}},
	{"compact_memory", NULL, {"turn(\"/proc/sys/vm/compact_memory\", 0, \"1\")"}},
	{"compact_node", NULL, {"turn(\"/sys/devices/system/node/node*/compact\", {node}, \"1\")"}},
	{"drop_caches", NULL, {"turn(\"/proc/sys/vm/drop_caches\", 0, {what=\"1\"|\"2\"|\"3\"})"}},
	{"zone_reclaim_mode", NULL, {"turn(\"/proc/sys/vm/zone_reclaim_mode\", 0, \"{mode}\")"}},
	{"numa_balancing", NULL,
		{"turn(\"/proc/sys/kernel/numa_balancing\", 0, {mode=\"0\"|\"1\"|\"2\"})"}},
	{"ksm_run", NULL, {"turn(\"/sys/kernel/mm/ksm/run\", 0, {how=\"1\"|\"0\"|\"2\"})"}},
	{"ksm_knob", "knob",
		{KSM("sleep_millisecs", "\"0\"|\"10\"|\"20\"|\"500\""),
			KSM("pages_to_scan", "\"1\"|\"100\"|\"4000\"|\"30000\""),
			KSM("use_zero_pages", "\"0\"|\"1\"|\"0\"|\"1\"")}},
	{"cpu_offline", NULL,
		{"off_and_on(\"/sys/devices/system/cpu/cpu[1-9]*/online\", {cpu}, \"0\", \"1\")"}},
	{"map_count_squeeze", NULL, {"squeeze_maps(\"{maps}\", {ns})"}},
	/* second MMUs */
	{"dmirror_read", NULL, {"device_reads($range)"}},
	{"dmirror_check", NULL, {"device_reads($range)"}},
	{"dmirror_write", NULL, {"device_zeroes($range)"}},
	{"dmirror_snapshot", NULL, {"device($range, DEVICE_SNAPSHOT)"}},
	{"dmirror_migrate_to_dev", NULL, {"device_takes($range)"}},
	{"dmirror_migrate_to_sys", NULL, {"device($range, DEVICE_GIVE)"}},
	{"dmirror_exclusive", NULL, {"device($range, DEVICE_EXCLUSIVE)"}},
	{"kvm_read", NULL, {"guest_reads($range)"}},
	{"kvm_check", NULL, {"guest_reads($range)"}},
	{"kvm_write", NULL, {"guest_writes($range)"}},
	{"kvm_run", NULL, {"guest_counts($range, {turns})"}},
};

static int arg_index(const struct op *op, const char *name, size_t len)
{
	for (unsigned int i = 0; i < op_nargs(op); i++)
		if (strlen(op->args[i].name) == len && strncmp(op->args[i].name, name, len) == 0)
			return (int)i;
	return -ENOENT;
}

static uint32_t arg_value(const struct op *op, const struct op_call *c, const char *name)
{
	int i = arg_index(op, name, strlen(name));

	return i < 0 ? 0 : c->arg[i];
}

const char *export_template_of(const struct op *op, const struct op_call *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(writings); i++) {
		const struct writing *w = &writings[i];

		if (strcmp(w->op, op->name) == 0)
			return w->text[w->by ? arg_value(op, c, w->by) : 0];
	}
	return NULL;
}

bool export_can(unsigned int number)
{
	const struct op *op = op_get(number);

	for (size_t i = 0; op && i < ARRAY_SIZE(writings); i++)
		if (strcmp(writings[i].op, op->name) == 0)
			return true;
	return false;
}

/* ---- the range ---- */

static uint32_t at_most(uint32_t v, uint32_t most)
{
	return v < most ? v : most;
}

/* As in op/mmap.c, part_of(). */
static uint32_t part_of(const struct op_span *s)
{
	uint32_t half = s->slot->pages / 2, g = s->slot->granule;

	if (s->pages < s->slot->pages || half == 0)
		return s->pages;
	return half - (half > g ? half % g : 0);
}

/* As in op/mremap.c, shrink_keep(). */
static uint32_t keep_of(const struct op_span *s)
{
	uint32_t keep = s->pages / 2 / s->slot->granule * s->slot->granule;

	return at_most(keep ? keep : s->slot->granule, s->pages);
}

/* As in op/file.c, cut_off(). */
static uint32_t half_of(const struct op_span *s)
{
	uint32_t half = s->slot->pages / 2;
	uint32_t unit = s->slot->granule > 1 ? s->slot->granule : s->slot->pmd_pages;

	return half - half % unit;
}

static uint32_t step_of(const struct op_span *s, uint32_t every)
{
	if (s->slot->granule > 1)
		return s->slot->granule;
	return every ? 1 : s->slot->pmd_pages;
}

static const char *map_function(const struct slot *s)
{
	switch ((enum backing)s->spec.backing) {
	case BACKING_ANON:
		return "map_anon";
	case BACKING_HUGETLB_PRIVATE:
		return "map_hugetlb";
	case BACKING_MEMFD_PRIVATE:
	case BACKING_FILE_PRIVATE:
		return "map_copies";
	case BACKING_ANON_SHARED:
	case BACKING_SYSV:
		return "map_anchor";
	case BACKING_HUGETLB_SYSV:
		return "map_segment";
	default:
		return "map_shared";
	}
}

static void print_at(const struct op_span *s, FILE *out)
{
	fprintf(out, "slot_%s.view[%u]", s->slot->spec.name, s->view);
	if (s->page)
		fprintf(out, " + %u * PAGE", s->page);
}

static void print_range(const struct op_span *s, uint32_t page, uint32_t pages, FILE *out)
{
	fprintf(out, "me, &slot_%s, %u, %u, %u", s->slot->spec.name, s->view, page, pages);
}

/* ---- words of a template ---- */

struct printing {
	const struct op_env *e;
	const struct op *op;
	const struct op_call *c;
	struct op_span span;
	FILE *out;
};

static void print_nodes(const struct printing *p)
{
	uint32_t mode = arg_value(p->op, p->c, "mode");

	if (mode == 0 || mode == 4) /* default, local */
		fputs("-2", p->out);
	else if (arg_value(p->op, p->c, "mode_flags") & 1)
		fputs("-1", p->out);
	else
		fprintf(p->out, "node(%u)", arg_value(p->op, p->c, "node"));
}

/* As in op/split.c, put_how() and order_for(). */
static void print_order(const struct printing *p)
{
	uint32_t order = arg_value(p->op, p->c, "order"), at = arg_value(p->op, p->c, "at");

	if (p->span.slot->spec.backing != BACKING_ANON || order == 1)
		order = 0;
	fprintf(p->out, at ? "%u,%u" : "%u", order, at - 1);
}

/* As in op/process.c, advised_pid(): what throws data away is for the own memory. */
static void print_advised(const struct printing *p)
{
	if (arg_value(p->op, p->c, "advice") == 4)
		fputs("getpid()", p->out);
	else
		fprintf(p->out, "peer_of(me, %u)", arg_value(p->op, p->c, "proc"));
}

static bool print_special(const struct printing *p, const char *word, size_t len)
{
	static const struct {
		const char *word;
		void (*print)(const struct printing *p);
	} words[] = {{"nodes", print_nodes}, {"order", print_order}, {"advised", print_advised}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i].word) == len && strncmp(words[i].word, word, len) == 0) {
			words[i].print(p);
			return true;
		}
	return false;
}

/* Those that are a number of pages. */
static bool print_count(const struct printing *p, const char *word, size_t len)
{
	const struct op_span *s = &p->span;
	const uint32_t more = arg_value(p->op, p->c, "by");
	const struct {
		const char *word;
		uint32_t value;
	} words[] = {{"page", s->page}, {"pages", s->pages}, {"view", s->view},
		{"part", part_of(s)}, {"keep", keep_of(s)}, {"half", half_of(s)},
		{"all", s->slot->pages}, {"rest", s->slot->pages - s->page},
		{"more", (more ? more : 1) % (2 * s->slot->pmd_pages)},
		{"step", step_of(s, arg_value(p->op, p->c, "step"))}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i].word) == len && strncmp(words[i].word, word, len) == 0) {
			fprintf(p->out, "%u", words[i].value);
			/* as varargs of split() */
			if (strcmp(p->op->name, "split_file") == 0)
				fputs("UL", p->out);
			return true;
		}
	return false;
}

static void print_word(const struct printing *p, const char *word, size_t len)
{
	const struct op_span *s = &p->span;

	if (print_special(p, word, len) || print_count(p, word, len))
		return;
	if (strncmp(word, "at", len) == 0)
		print_at(s, p->out);
	else if (strncmp(word, "len", len) == 0)
		fprintf(p->out, "%u * PAGE", s->pages);
	else if (strncmp(word, "off", len) == 0)
		fprintf(p->out, s->page ? "%u * PAGE" : "%u", s->page);
	else if (strncmp(word, "slot", len) == 0)
		fprintf(p->out, "slot_%s", s->slot->spec.name);
	else if (strncmp(word, "fd", len) == 0)
		fprintf(p->out, "slot_%s.fd", s->slot->spec.name);
	else if (strncmp(word, "map", len) == 0)
		fputs(map_function(s->slot), p->out);
	else if (strncmp(word, "range", len) == 0)
		print_range(s, s->page, s->pages, p->out);
	else if (strncmp(word, "first", len) == 0)
		print_range(s, s->page, 1, p->out);
	else if (strncmp(word, "last", len) == 0)
		print_range(s, s->page + s->pages - 1, 1, p->out);
}

static void print_template(const struct printing *p, const char *text, const char *end);

/* Ends an alternative: its '|', or the end. A '|' behind a backslash is one of C. */
static const char *alternative_end(const char *at, const char *end)
{
	unsigned int depth = 0;

	for (; at < end; at++) {
		depth += *at == '{';
		depth -= *at == '}';
		if (*at == '\\')
			at++;
		else if (*at == '|' && depth == 0)
			break;
	}
	return at;
}

static void print_enum(const struct printing *p, uint32_t value, const char *at, const char *end)
{
	const char *to = alternative_end(at, end);

	while (value-- && to < end) {
		at = to + 1;
		to = alternative_end(at, end);
	}
	print_template(p, at, to);
}

static void print_flags(const struct printing *p, uint32_t value, const char *at, const char *end)
{
	bool any = false;

	for (; value && at <= end; value >>= 1) {
		const char *to = alternative_end(at, end);

		if ((value & 1) && strncmp(at, "0|", 2) != 0) {
			fprintf(p->out, "%s%.*s", any ? " | " : "", (int)(to - at), at);
			any = true;
		}
		at = to + 1;
	}
	if (!any)
		fputc('0', p->out);
}

static void print_arg(const struct printing *p, const char *at, const char *end)
{
	size_t len = strcspn(at, "=+}");
	int i = arg_index(p->op, at, len);
	uint32_t value = i < 0 ? 0 : p->c->arg[i];

	if (at[len] == '=')
		print_enum(p, value, at + len + 1, end);
	else if (at[len] == '+')
		print_flags(p, value, at + len + 1, end);
	else
		fprintf(p->out, "%u", value);
}

/* The '}' that belongs to a '{' just passed. */
static const char *closing(const char *at)
{
	unsigned int depth = 1;

	for (; *at; at++) {
		depth += *at == '{';
		depth -= *at == '}';
		if (depth == 0)
			break;
	}
	return at;
}

static void print_template(const struct printing *p, const char *text, const char *end)
{
	while (text < end) {
		if (*text == '$') {
			size_t len = strspn(++text, "abcdefghijklmnopqrstuvwxyz");

			print_word(p, text, len);
			text += len;
		} else if (*text == '{') {
			const char *to = closing(++text);

			print_arg(p, text, to);
			text = to + 1;
		} else {
			text += *text == '\\';
			fputc(*text++, p->out);
		}
	}
}

void export_call(const struct op_env *e, const struct op_call *c, FILE *out)
{
	const struct op *op = op_get(c->op);
	const char *text = export_template_of(op, c);
	struct printing p = {.e = e, .op = op, .c = c, .span = op_range(e, c), .out = out};

	if (text)
		print_template(&p, text, text + strlen(text));
	else
		fputs("0", out);
}

/* ---- effects ---- */

/* Of ops that begin and end their effects themselves (op/mremap.c). */
static const struct {
	const char *op;
	uint32_t kinds, private; /* private: of private memory, besides */
} inner[] = {
	{"mremap_move", EFFECT_HOLE | EFFECT_RO | EFFECT_MAPPED | EFFECT_GUARD | EFFECT_WIPE,
		EFFECT_ZERO | EFFECT_STALE},
	{"mremap_fixed", EFFECT_HOLE | EFFECT_MAPPED, EFFECT_ZERO | EFFECT_ZEROED},
	{"mremap_dontunmap", EFFECT_UNGUARDED, EFFECT_ZERO},
};

unsigned int export_effects(const struct op_env *e, const struct op_call *c, struct effect *eff)
{
	const struct op *op = op_get(c->op);
	struct op_span s;

	for (size_t i = 0; i < ARRAY_SIZE(inner); i++) {
		if (strcmp(inner[i].op, op->name) != 0)
			continue;
		s = op_range(e, c);
		eff[0] = op_effect(&s,
			inner[i].kinds |
				(backing_is_private(s.slot->spec.backing) ? inner[i].private : 0));
		eff[1] = (struct effect){
			EFFECT_SIZED, (uint8_t)s.slot_no, (uint8_t)s.view, 0, s.slot->pages};
		return backing_is_hugetlb(s.slot->spec.backing) &&
				       backing_has_fd(s.slot->spec.backing)
			       ? 2
			       : 1;
	}
	return op->effects ? op->effects(e, c, eff) : 0;
}
