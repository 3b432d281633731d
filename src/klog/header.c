/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "header.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "base/cleanup.h"
#include "pattern.h"

static const struct rule rules_unable[] = {
	{
		.title = "Unable to handle kernel (paging request|NULL pointer dereference|"
			 "access to user memory)",
		.name = "BUG: unable to handle kernel $1 in $F",
		.alt = {"bad-access in $F"},
		.steps = STEPS_IP_TRACE,
		.kind = "paging-request",
	},
	{
		/* arm64's and s390's other wordings. */
		.title = "Unable to handle kernel (pointer dereference|%l{ %l|}{ to| from|} %w "
			 "memory|"
			 "access|%l access)",
		.name = "BUG: unable to handle kernel $1 in $F",
		.alt = {"bad-access in $F"},
		.steps = STEPS_IP_TRACE,
		.kind = "paging-request",
		.keep_wording = true,
	},
	{.title = NULL},
};

static const struct rule rules_gpf[] = {
	{
		.title = "general protection fault*:",
		.name = "general protection fault in $F",
		.alt = {"bad-access in $F"},
		.steps = STEPS_IP_TRACE,
		.kind = "GPF",
	},
	{.title = NULL},
};

static const struct rule rules_stack_segment[] = {
	{
		.title = "stack segment: ",
		.name = "stack segment fault in $F",
		.steps = STEPS_IP_TRACE,
		.kind = "CPU-exception",
	},
	{.title = NULL},
};

#define PANIC "Kernel panic - not syncing: "

static const struct rule rules_panic[] = {
	{
		.title = PANIC "stack-protector:",
		.then = {PANIC "stack-protector: Kernel stack is corrupted in: " PAT_FUNC},
		.name = "kernel panic: stack is corrupted in $1",
		.kind = "panic",
		.traceless = true,
	},
	{
		.title = PANIC "stack-protector:",
		.then = {PANIC "stack-protector: Kernel stack is corrupted in: %x"},
		.name = "kernel panic: stack is corrupted in $F",
		.steps = STEPS_TRACE,
		.skip = SKIP("stack_chk"),
		.kind = "panic",
	},
	{
		.title = PANIC "corrupted stack end",
		.then = {PANIC "corrupted stack end detected inside scheduler"},
		.name = "kernel panic: corrupted stack end in $F",
		.alt = {"stack-overflow in $F"},
		.steps = STEPS_TRACE,
		.skip = SKIP("schedule", "retint_kernel"),
		.pick = PICK_STALL,
		.kind = "panic",
	},
	{
		.title = PANIC "kernel stack overflow",
		.name = "kernel stack overflow in $F",
		.alt = {"stack-overflow in $F"},
		.steps = STEPS_TRACE,
		.skip = SKIP("bad_stack"),
		.pick = PICK_STALL,
		.kind = "panic",
	},
	{
		.title = PANIC "Attempted to kill init!",
		.name = "kernel panic: Attempted to kill init!",
		.kind = "panic",
	},
	{
		.title = PANIC "Couldn't open N_TTY ldisc for %n --- error -%d",
		.name = "kernel panic: Couldn't open N_TTY ldisc",
		.kind = "panic",
	},
	{
		/* These follow a report; alone they say that it is lost. */
		.title = PANIC "(Fatal exception|panic_on_warn set|hung_task: blocked tasks)",
		.name = "kernel panic: $1",
		.kind = "panic",
		.corrupted = true,
	},
	{
		.title = PANIC "(~){ ]---|}$",
		.name = "kernel panic: $1",
		.kind = "panic",
	},
	{.title = NULL},
};

static const struct rule rules_double_fault[] = {
	{
		.title = "PANIC: double fault",
		.name = "PANIC: double fault in $F",
		.steps = {{STEP_IP, NULL}},
		.kind = "panic",
	},
	{.title = NULL},
};

static const struct rule rules_rust[] = {
	{
		.title = "rust_kernel: panicked",
		.then = {"rust_kernel: panicked at ", "^(*)$"},
		.name = "$1 in $F",
		.steps = STEPS_TRACE,
		.skip = SKIP("__rustc::rust_begin_unwind"),
		.kind = "other",
	},
	{.title = NULL},
};

static const struct rule rules_kernel_bug[] = {
	{
		.title = "kernel BUG at mm/usercopy.c",
		.name = "BUG: bad usercopy in $F",
		.steps = STEPS_TRACE,
		.skip = SKIP("usercopy", "__check"),
		.kind = "kernel-BUG",
	},
	{
		/* Also what a use after free or a race leaves behind. */
		.title = "kernel BUG at lib/list_debug.c",
		.name = "BUG: corrupted list in $F",
		.alt = {"bad-access in $F"},
		.steps = STEPS_TRACE,
		.kind = "kernel-BUG",
	},
	{
		.title = "kernel BUG at ",
		.name = "kernel BUG in $F",
		.steps = STEPS_IP_TRACE,
		.skip = SKIP("^skb_"),
		.kind = "kernel-BUG",
	},
	{.title = NULL},
};

static const struct rule rules_kernel_bug_old[] = {
	{
		.title = "Kernel BUG (*)",
		.name = "kernel BUG $1",
		.kind = "kernel-BUG",
	},
	{.title = NULL},
};

static const struct rule rules_slub_free[] = {
	{
		.title = "BUG kmalloc-*: Object already free",
		.name = "BUG: Object already free",
		.kind = "BUG-other",
	},
	{
		/* The taint is in the line. */
		.title = "BUG (%n) \\({Not t|T}ainted~\\): (*)",
		.name = "BUG: slab $1: $2",
		.kind = "slab",
		.traceless = true,
		.keep_wording = true,
	},
	{.title = NULL},
};

static const struct rule rules_divide[] = {
	{
		.title = "divide{ |_}error: ",
		.name = "divide error in $F",
		.steps = {{STEP_IP, NULL}},
		.kind = "CPU-exception",
	},
	{.title = NULL},
};

static const struct rule rules_invalid_opcode[] = {
	{
		.title = "invalid opcode: ",
		.name = "invalid opcode in $F",
		.steps = {{STEP_IP, NULL}},
		.kind = "CPU-exception",
	},
	{.title = NULL},
};

static const struct rule rules_int3[] = {
	{
		.title = "int3: ",
		.name = "int3 in $F",
		.steps = {{STEP_IP, NULL}},
		.kind = "CPU-exception",
	},
	{.title = NULL},
};

/* Where UBSAN is a trap, the kernel's own text has the place: " at f", or the exception's code. */
#define UBSAN_TRAP "{ at " PAT_FUNC "|: %x [#%d]}"

static const struct rule rules_ubsan[] = {
	{
		.title = "UBSAN: array index out of bounds" UBSAN_TRAP,
		.name = "UBSAN: array index out of bounds in $F",
		.alt = {"bad-access in $F"},
		.steps = STEPS_IP_TRACE,
		.kind = "UBSAN",
	},
	{
		.title = "UBSAN: (~)" UBSAN_TRAP,
		.name = "UBSAN: $1 in $F",
		.steps = STEPS_IP_TRACE,
		.kind = "UBSAN",
	},
	{
		.title = "UBSAN:",
		.then = {"UBSAN: Undefined behaviour in"},
		.name = "UBSAN: undefined-behaviour in $F",
		.steps = STEPS_TRACE,
		.skip = SKIP("ubsan", "overflow"),
		.kind = "UBSAN",
	},
	{
		.title = "UBSAN: array-index-out-of-bounds in",
		.name = "UBSAN: array-index-out-of-bounds in $F",
		.alt = {"bad-access in $F"},
		.steps = STEPS_TRACE,
		.skip = SKIP("ubsan", "overflow"),
		.kind = "UBSAN",
	},
	{
		.title = "UBSAN:",
		.then = {"UBSAN: (~) in"},
		.name = "UBSAN: $1 in $F",
		.steps = STEPS_TRACE,
		.skip = SKIP("ubsan", "overflow"),
		.kind = "UBSAN",
	},
	{.title = NULL},
};

static const struct rule rules_reboot[] = {
	{
		.title = "^Booting the kernel",
		.name = "unexpected kernel reboot",
		.kind = "reboot",
		.traceless = true,
	},
	{.title = NULL},
};

static const struct rule rules_netdevice[] = {
	{
		.title = "unregister_netdevice: waiting for * to become free",
		.name = "unregister_netdevice: waiting for DEV to become free",
		.kind = "other",
		.traceless = true,
	},
	{.title = NULL},
};

static const struct rule rules_vfs[] = {
	{
		.title = "VFS: Close: file count is 0",
		.name = "VFS: Close: file count is zero (use-after-free)",
		.kind = "other",
		.traceless = true,
	},
	{
		.title = "VFS: Busy inodes after unmount",
		.name = "VFS: Busy inodes after unmount (use-after-free)",
		.kind = "other",
		.traceless = true,
	},
	{.title = NULL},
};

static const struct rule rules_arm[] = {
	{
		.title = "(Internal error|Unhandled fault):",
		.name = "$1 in $F",
		.alt = {"bad-access in $F"},
		.steps = STEPS_IP_TRACE,
		.kind = "CPU-exception",
	},
	{
		.title = "Alignment trap:",
		.name = "Alignment trap in $F",
		.steps = STEPS_IP_TRACE,
		.kind = "CPU-exception",
	},
	{.title = NULL},
};

static const struct rule rules_trusty[] = {
	{
		.title = "trusty: panic* ASSERT FAILED",
		.then = {"trusty: panic \\(~\\):{ DEBUG|} ASSERT FAILED at \\(~\\): (*)"},
		.name = "trusty: ASSERT FAILED: $1",
		.kind = "other",
		.traceless = true,
	},
	{
		.title = "trusty: panic* ASSERT FAILED*:%-(*)",
		.name = "trusty: ASSERT FAILED: $1",
		.kind = "other",
		.corrupted = true,
	},
	{
		.title = "trusty: panic",
		.then = {"trusty: panic \\(~\\): (*)"},
		.name = "trusty: panic: $1",
		.kind = "other",
		.traceless = true,
	},
	{.title = NULL},
};

/* Go programs and test tools that share the console. */
static const struct rule rules_go[] = {
	{
		.title = "fatal error:",
		.name = "go runtime error",
		.kind = "panic",
		.traceless = true,
	},
	{
		.title = "panic:(*)",
		.name = "panic:$1",
		.kind = "panic",
		.traceless = true,
	},
	{.title = NULL},
};

static const struct rule rules_tool[] = {
	{
		.title = "(SYZFAIL|SYZFATAL):(*)",
		.name = "$1:$2",
		.kind = "other",
		.traceless = true,
	},
	{.title = NULL},
};

static const struct rule rules_hard_lockup[] = {
	{
		.title = "hard LOCKUP",
		.name = "BUG: hard lockup in $F",
		.alt = {"stall in $F"},
		.steps = STEPS_IP_TRACE,
		.pick = PICK_STALL,
		.kind = "hard-lockup",
	},
	{.title = NULL},
};

static const struct rule rules_oops[] = {
	{
		/* A number only: the line before, which said what happened, is lost. */
		.title = "Oops{: Oops|}{: %x|} {[|ilc:}",
		.name = "Oops in $F",
		.alt = {"bad-access in $F"},
		.steps = STEPS_IP_TRACE,
		.kind = "CPU-exception",
	},
	{
		.title = "Oops{ - |: }(~){: %x|, sig: %d|}{ |}[#",
		.name = "Oops: $1 in $F",
		.alt = {"bad-access in $F"},
		.steps = STEPS_IP_TRACE,
		.kind = "CPU-exception",
	},
	{
		.title = "^(~): %x ilc:",
		.name = "Oops: $1 in $F",
		.alt = {"bad-access in $F"},
		.steps = STEPS_IP_TRACE,
		.kind = "CPU-exception",
	},
	{
		.title = "Oops",
		.name = "Oops in $F",
		.alt = {"bad-access in $F"},
		.steps = STEPS_IP_TRACE,
		.kind = "CPU-exception",
	},
	{.title = NULL},
};

static const struct rule rules_slub[] = {
	{
		.title = "BUG (%n) \\(~ainted~\\): (*)",
		.name = "BUG: slab $1: $2",
		.kind = "slab",
		.traceless = true,
	},
	{.title = NULL},
};

static const struct rule rules_leak[] = {
	{
		.title = "unreferenced object",
		.name = "memory leak in $F",
		.steps = {{STEP_LINE, "backtrace{ \\(crc {%x|}\\)|}:"}, {STEP_TRACE, NULL}},
		.skip = SKIP("kmemleak", "mmap", "kmem", "slab", "alloc", "create_object",
			"idr_get", "list_lru_init", "kasprintf", "kvasprintf", "pcpu_create",
			"strdup", "strndup", "memdup"),
		.kind = "memory-leak",
	},
	{.title = NULL},
};

#define BENIGN(...) .benign = SKIP(__VA_ARGS__)

/* Of configuration, firmware, hardware and mitigations, mostly at boot, and of user space. */
static const char *const warnings_of_circumstances[] = {
	/* user space */
	"WARNING: *[inline]$", /* as above */
	"WARNING: /etc/ssh/moduli does not exist, using fixed modulus",
	"^WARNING:%g:",
	"WARNING: {T|t}he mand mount option",
	"WARNING: Unsupported flag value\\(s\\) of 0x\\%x in DT_FLAGS_1",
	"WARNING: * uses {deprecated v2 capabilities|wireless extensions}",
	"WARNING: sysfs attribute * is deprecated",
	/* mitigations */
	"{Spectre V%d |RETBleed|ITS|TSA|VMSCAPE|Speculative Return Stack Overflow}: WARNING:",
	"WARNING: Unprivileged eBPF is enabled",
	"WARNING: See https* for mitigation options",
	"WARNING: Spectre{ |-}v2 mitigation {leaves|is off}",
	"WARNING: ITS mitigation ",
	"WARNING: kernel not compiled with ",
	"WARNING: CPU does not support IBPB",
	"WARNING: retbleed=stuff depends on",
	/* configuration */
	"WARNING: workqueue cpumask: online intersect > possible intersect",
	"WARNING: fbcon: Driver '*' missed to adjust virtual screen size",
	"WARNING: polling idle and HT enabled",
	"WARNING: 'bootconfig' found",
	"WARNING: {Can't use|Could not setup|Appending}* parameters ",
	"WARNING: Requested queue_map_",
	"WARNING: Ignoring cmdline option",
	"WARNING: {illegal|Invalid} module parameter",
	"WARNING: Your 'console=",
	"EFI stub: WARNING:",
	/* firmware and hardware */
	"WARNING: BIOS bug: ",
	"WARNING: Outdated ThinkPad BIOS",
	"WARNING: This firmware may be missing",
	"WARNING: F/W using newer ",
	"WARNING: Please fix your firmware",
	"WARNING: Invalid trigger for IRQ",
	"WARNING: x1-x3 nonzero in violation of boot protocol",
	"WARNING: CPU\\(s\\) started in wrong/inconsistent modes",
	"WARNING: CPU#%d: NMI appears to be stuck",
	"WARNING: Estimating %l frequency",
	"WARNING: Missing the following errata may",
	"WARNING: mapping %d kB @ ",
	"WARNING: SMBus interface ",
	"WARNING: Insufficient MSI-X vectors",
	"WARNING: Performance may be reduced",
	"WARNING: Intel \\(R\\) Network Connections are quality tested",
	"WARNING: device requires firmware update",
	"WARNING: ATAPI ",
	/* file systems and disks */
	"EXT4-{F|f}{S|s}{ \\(*\\)|}:",
	"XFS \\(%i\\): WARNING",
	"WARNING: * appears to be on the same physical disk",
	"overlay: WARNING: memory leak will occur if overlay removed",
	"AEN: WARNING:",
	NULL,
};

/* Order counts: the first that stands in a line names its rules. */
static const struct header headers[] = {
	{
		.text = "BUG:",
		.common_word = true,
		.rules = rules_bug,
		.kind = "BUG-other",
		/*
		 * Output of user-space tools, and of object debugging, which has its own WARNING;
		 * arm's name for the exception of a BUG(); an inlined function, before the one
		 * that has its code.
		 */
		BENIGN("DEBUG:", "FIRMWARE BUG:", "Oops - BUG:",
			"BUG: K{A|M|C|FENC}{SAN|E}: *[inline]$",
			"xlog_status:", "BUG: no syscalls can create resource",
			"BUG: Bad page {map|state}: %d messages suppressed"),
	},
	{
		.text = "WARNING:",
		.common_word = true,
		.rules = rules_warning,
		.kind = "WARNING",
		.benign = warnings_of_circumstances,
	},
	{
		.text = "INFO:",
		.common_word = true,
		.rules = rules_info,
		.kind = "INFO-other",
		BENIGN("INFO: lockdep is turned off", "INFO: Stall ended before state dump start",
			"INFO: NMI handler", "INFO: recovery required on readonly filesystem",
			"{handler|interrupt}*took too long",
			"INFO: sys_* is not present in /proc/kallsyms",
			"INFO: no syscalls can create resource", "rmt_storage:INFO:", "_INFO:",
			"{RAS|SOFTWARE|HARDWARE|BINARY|AEN:} INFO:", "^INFO:%g:"),
	},
	{.text = "Unable to handle kernel", .rules = rules_unable, .kind = "paging-request"},
	{
		.text = "general protection fault",
		.rules = rules_gpf,
		.kind = "GPF",
		/* of a user program; where the code is from cannot always be said */
		BENIGN("general protection fault * error:%d in ",
			"general protection fault ip:%x sp:%x error:%x"),
	},
	{.text = "stack segment: ", .rules = rules_stack_segment, .kind = "CPU-exception"},
	{
		.text = "Kernel panic",
		.when = "Kernel panic{ -|:|%-$}",
		.rules = rules_panic,
		.role = HEADER_WITHIN,
		.kind = "panic",
	},
	{.text = "PANIC: double fault",
		.rules = rules_double_fault,
		.role = HEADER_WITHIN,
		.kind = "panic"},
	{.text = "rust_kernel: panicked", .rules = rules_rust, .kind = "other"},
	{.text = "kernel BUG", .rules = rules_kernel_bug, .kind = "kernel-BUG"},
	{
		/* On riscv the exception of a BUG(), as a rule after the line above. */
		.text = "Kernel BUG",
		.rules = rules_kernel_bug_old,
		.role = HEADER_WITHIN,
		.kind = "kernel-BUG",
	},
	{.text = "BUG kmalloc-", .rules = rules_slub_free, .kind = "slab"},
	{.text = "divide error:", .rules = rules_divide, .kind = "CPU-exception"},
	{.text = "divide_error:", .rules = rules_divide, .kind = "CPU-exception"},
	{
		.text = "invalid opcode:",
		.rules = rules_invalid_opcode,
		.role = HEADER_WITHIN,
		.kind = "CPU-exception",
	},
	{.text = "int3:", .when = "int3: %x [#%d]", .rules = rules_int3, .kind = "CPU-exception"},
	{.text = "UBSAN:", .rules = rules_ubsan, .kind = "UBSAN"},
	{
		.text = "Booting the kernel.",
		.rules = rules_reboot,
		.kind = "reboot",
		BENIGN("{Parsing ELF|Decompressing Linux|Unknown parameter '}"),
	},
	{
		.text = "unregister_netdevice: waiting for",
		.rules = rules_netdevice,
		.role = HEADER_WITHIN,
		.kind = "other",
	},
	{.text = "VFS: Close: file count is 0", .rules = rules_vfs, .kind = "other"},
	{.text = "VFS: Busy inodes after unmount", .rules = rules_vfs, .kind = "other"},
	{
		.text = "Internal error:",
		.rules = rules_arm,
		.role = HEADER_WITHIN,
		.kind = "CPU-exception",
		BENIGN("achefiles: Internal error:", "Internal error: Can't"),
	},
	{
		.text = "Unhandled fault:",
		.rules = rules_arm,
		.kind = "CPU-exception",
		BENIGN("Unhandled fault: status"), /* an IOMMU's */
	},
	{.text = "Alignment trap:", .rules = rules_arm, .kind = "CPU-exception"},
	{.text = "trusty: panic", .rules = rules_trusty, .kind = "other"},
	{
		.text = "fatal error:",
		.rules = rules_go,
		.kind = "panic",
		/* Compilers name a place in a file. */
		BENIGN("ALSA", "fatal error: cannot create timer", "%c.%l:%d:%d: fatal error:"),
	},
	{.text = "SYZFAIL:", .rules = rules_tool, .kind = "other"},
	{.text = "SYZFATAL:", .rules = rules_tool, .kind = "other"},
	{
		.text = "panic:",
		.rules = rules_go,
		.kind = "panic",
		BENIGN("_panic:", "Fake kernel panic:", "xlog_status:", "ddb.onpanic:",
			"evtlog_status:"),
	},
	{
		.text = "hard LOCKUP",
		.when = "{detected|self-detected} hard LOCKUP",
		.rules = rules_hard_lockup,
		.role = HEADER_OURS,
		.kind = "hard-lockup",
		.panics = true,
	},
	{
		.text = "Not tainted): ",
		.when = "^BUG %n \\(",
		.rules = rules_slub,
		.role = HEADER_OURS,
		.kind = "slab",
	},
	{
		.text = "(Tainted: ",
		.when = "^BUG %n \\(",
		.rules = rules_slub,
		.role = HEADER_OURS,
		.kind = "slab",
	},
	{
		.text = "Oops",
		.when = "^Oops{ - |: | }~[#%d]",
		.rules = rules_oops,
		.role = HEADER_OURS,
		.kind = "CPU-exception",
		.near = 400,
		.panics = true,
	},
	{
		.text = " ilc:",
		.when = "^~: %x ilc:%d [#%d]",
		.rules = rules_oops,
		.role = HEADER_OURS,
		.kind = "CPU-exception",
		.near = 400,
		.panics = true,
	},
	{
		.text = "unreferenced object",
		.when = "^unreferenced object 0x",
		.near = 2,
		.rules = rules_leak,
		.role = HEADER_OURS,
		.kind = "memory-leak",
	},

	{.text = "invoked oom-killer", .role = HEADER_KNOWN, .kind = "oom"},
	{.text = "Out of memory: Killed process", .role = HEADER_KNOWN, .kind = "oom"},
	{.text = "Memory cgroup out of memory", .role = HEADER_KNOWN, .kind = "oom"},
	{.text = "page allocation failure", .role = HEADER_KNOWN, .kind = "allocation-failure"},
	{.text = "Memory failure: 0x", .role = HEADER_KNOWN, .kind = "memory-failure"},
	{.text = "oft offlin",
		.when = "{S|s}oft offlin{ing|e}",
		.role = HEADER_KNOWN,
		.kind = "memory-failure"},
	{
		.text = "Tried to split an unsplittable folio",
		.role = HEADER_KNOWN,
		.kind = "unsplittable-folio",
	},
};

const struct header *header_table(size_t *n)
{
	*n = ARRAY_SIZE(headers);
	return headers;
}

/*
 * Where in each header's text the filter looks: at the rarest of its three-byte sequences, not
 * the first.
 */
static size_t rare_place(const char *text)
{
	size_t n = strlen(text), best = 0;
	int best_score = -1;

	if (n < 4)
		return 0;
	for (size_t i = 0; i + 4 <= n; i++) {
		int score = 0;

		for (size_t j = i; j < i + 4; j++)
			score += text[j] >= 'A' && text[j] <= 'Z'	      ? 3
				 : strchr("kqxzjw", text[j]) && text[j]	      ? 2
				 : strchr(" :eariontsl", text[j]) || !text[j] ? 0
									      : 1;
		if (score > best_score) {
			best_score = score;
			best = i;
		}
	}
	return best;
}

static uint32_t hash(uint32_t three_bytes)
{
	return ((three_bytes & 0xffffff) * 0x9e3779b1U) >> 19;
}

/* Reads 4 bytes, of which 3 count. */
static uint32_t hash_at(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return hash(le32toh(v));
}

/* The same, for the last bytes of a buffer. */
static uint32_t hash_bytes(const char *p)
{
	return hash((uint32_t)(uint8_t)p[0] | (uint32_t)(uint8_t)p[1] << 8 |
		    (uint32_t)(uint8_t)p[2] << 16);
}

static void filter_add(struct header_filter *f, size_t header, size_t offset)
{
	uint32_t h = hash_bytes(headers[header].text + offset);

	f->entry[f->n].header = (uint8_t)header;
	f->entry[f->n].offset = (uint8_t)offset;
	f->entry[f->n].next = f->first[h];
	f->first[h] = (uint8_t)++f->n;
}

void header_filter_init(struct header_filter *f)
{
	static_assert(
		ARRAY_SIZE(headers) * 2 <= ARRAY_SIZE(f->entry), "entries are counted in bytes");
	memset(f, 0, sizeof(*f));
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		size_t at = rare_place(headers[i].text);

		filter_add(f, i, at);
		filter_add(f, i, at + 1);
	}
}

/* Whether one of the headers that start as the hash says is here. */
static bool compare(
	const struct header_filter *f, size_t i, const char *start, const char *p, const char *end)
{
	for (; i; i = f->entry[i - 1].next) {
		const char *text = headers[f->entry[i - 1].header].text;
		size_t n = strlen(text), offset = f->entry[i - 1].offset;

		if ((size_t)(p - start) >= offset && (size_t)(end - p) >= n - offset &&
			!memcmp(p - offset, text, n))
			return true;
	}
	return false;
}

const char *header_filter_scan(const struct header_filter *f, const char *p, const char *end)
{
	const char *start = p;

	for (; end - p >= 10; p += 8) {
		uint8_t hit[4];

		for (int i = 0; i < 4; i++)
			hit[i] = f->first[hash_at(p + 2 * i)];
		if (!(hit[0] | hit[1] | hit[2] | hit[3]))
			continue;
		for (int i = 0; i < 4; i++)
			if (hit[i] && compare(f, hit[i], start, p + 2 * i, end))
				return p + 2 * i;
	}
	for (; end - p >= 3; p++) {
		size_t i = f->first[hash_bytes(p)];

		if (i && compare(f, i, start, p, end))
			return p;
	}
	return end;
}

static bool matches_any(const char *const *patterns, const struct slice *s)
{
	for (; patterns && *patterns; patterns++)
		if (pattern_find(*patterns, s->p, s->n, NULL))
			return true;
	return false;
}

/* Words of a program that stand in the kernel's log: audit records, and what init writes there. */
static bool is_quoted(const struct slice *text)
{
	return pattern_find(
		"^{audit{: type=%d |\\(}|type=%d audit\\(|%n[%d]: }", text->p, text->n, NULL);
}

const struct header *header_of(const struct log_line *line)
{
	if (line->foreign || is_quoted(&line->text))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		const struct header *h = &headers[i];

		if (!memmem(line->raw.p, line->raw.n, h->text, strlen(h->text)))
			continue;
		if (matches_any(h->benign, &line->raw))
			continue;
		if (h->when && !pattern_find(h->when, line->text.p, line->text.n, NULL))
			continue;
		return h;
	}
	return NULL;
}

bool header_is_consequence(const struct header *h, const struct log_line *line)
{
	/* Those that may just as well start a report, and what they say where they do not. */
	static const struct {
		const char *text, *form;
	} either[] = {
		{"invalid opcode:", "invalid opcode: 0000"},
		{"Kernel BUG", "Kernel BUG [#%d]"},
	};

	if (h->role != HEADER_WITHIN)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(either); i++)
		if (!strcmp(h->text, either[i].text))
			return pattern_find(either[i].form, line->raw.p, line->raw.n, NULL);
	return true;
}
