/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sys/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/path.h"
#include "guest_image.h"

#if defined(__x86_64__)

#include <linux/kvm.h>

#ifndef KVM_PRE_FAULT_MEMORY /* linux/kvm.h of 6.11 */
struct kvm_pre_fault_memory {
	__u64 gpa, size, flags, padding[5];
};
#define KVM_PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
#endif

/* Where KVM on Intel puts pages of its own; nobody else wants them. */
enum { TSS_ADDRESS = 0xfffbd000 };

struct cpu {
	int fd;
	struct kvm_run *run;
	bool ready; /* the next KVM_RUN takes up the task from its start */
};

struct guest {
	int kvm, vm;
	bool manual_log;
	char *own;
	size_t run_size;
	struct cpu cpu[GUEST_MAX_CPUS];
};

/* ---- making it ---- */

static int result_of_ioctl(int r)
{
	return r < 0 ? -errno : r;
}

static int make_own(struct guest *g)
{
	void *p = mmap(NULL, OWN_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	g->own = p;
	madvise(p, OWN_SIZE, MADV_NOHUGEPAGE);
	madvise(p, OWN_SIZE, MADV_DONTFORK); /* no copy-on-write of what the guest runs in */
	guest_image_fill(g->own);
	return 0;
}

static int make_vm(struct guest *g, bool manual_log)
{
	struct kvm_enable_cap cap = {.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = {1}};
	struct kvm_userspace_memory_region own = {
		.slot = OWN_ID, .memory_size = OWN_SIZE, .userspace_addr = (uintptr_t)g->own};
	int r;

	if (ioctl(g->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return -EOPNOTSUPP;
	r = result_of_ioctl(ioctl(g->kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	if (r < 0)
		return r;
	g->run_size = (size_t)r;
	g->vm = result_of_ioctl(ioctl(g->kvm, KVM_CREATE_VM, 0));
	if (g->vm < 0)
		return g->vm;
	fcntl(g->vm, F_SETFD, FD_CLOEXEC);
	ioctl(g->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS); /* AMD has no need of it */
	g->manual_log = manual_log && ioctl(g->vm, KVM_ENABLE_CAP, &cap) == 0;
	return result_of_ioctl(ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &own));
}

int guest_new(bool manual_log, struct guest **ret)
{
	struct guest *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	g->vm = -1;
	for (unsigned int i = 0; i < GUEST_MAX_CPUS; i++)
		g->cpu[i].fd = -1;
	g->kvm = path_open("/dev/kvm", O_RDWR);
	r = g->kvm < 0 ? g->kvm : make_own(g);
	if (r == 0)
		r = make_vm(g, manual_log);
	if (r < 0) {
		guest_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

void guest_free(struct guest *g)
{
	if (!g)
		return;
	for (unsigned int i = 0; i < GUEST_MAX_CPUS; i++) {
		if (g->cpu[i].run)
			munmap(g->cpu[i].run, g->run_size);
		if (g->cpu[i].fd >= 0)
			close(g->cpu[i].fd);
	}
	if (g->vm >= 0)
		close(g->vm);
	if (g->kvm >= 0)
		close(g->kvm);
	if (g->own)
		munmap(g->own, OWN_SIZE);
	free(g);
}

bool guest_has_manual_log(const struct guest *g)
{
	return g->manual_log;
}

/* ---- memory ---- */

int guest_set_memory(
	struct guest *g, unsigned int id, uint64_t gpa, uintptr_t hva, size_t len, bool log)
{
	struct kvm_userspace_memory_region region = {.slot = OWN_ID + 1 + id,
		.flags = log ? KVM_MEM_LOG_DIRTY_PAGES : 0,
		.guest_phys_addr = gpa,
		.memory_size = len,
		.userspace_addr = hva};

	return result_of_ioctl(ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &region));
}

int guest_read_log(struct guest *g, unsigned int id, uint64_t *ret)
{
	struct kvm_dirty_log log = {.slot = OWN_ID + 1 + id, .dirty_bitmap = ret};

	return result_of_ioctl(ioctl(g->vm, KVM_GET_DIRTY_LOG, &log));
}

int guest_clear_log(
	struct guest *g, unsigned int id, uint64_t first, uint32_t n, const uint64_t *bits)
{
	struct kvm_clear_dirty_log log = {.slot = OWN_ID + 1 + id,
		.num_pages = n,
		.first_page = first,
		.dirty_bitmap = (void *)(uintptr_t)bits};

	return result_of_ioctl(ioctl(g->vm, KVM_CLEAR_DIRTY_LOG, &log));
}

/* ---- CPUs ---- */

/* 64-bit mode with paging, as the boot code of a kernel would leave it. */
static int set_sregs(int fd)
{
	const struct kvm_segment data = {.limit = 0xffffffff,
		.selector = 16,
		.type = 3,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1};
	struct kvm_sregs s;

	if (ioctl(fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	s.cs = data;
	s.cs.selector = 8;
	s.cs.type = 11;
	s.cs.db = 0;
	s.cs.l = 1;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.cr0 = 0x80050033; /* PE MP ET NE WP AM PG */
	s.cr3 = OWN_PML4;
	s.cr4 = 0x20; /* PAE */
	s.efer = 0x500; /* LME LMA */
	return result_of_ioctl(ioctl(fd, KVM_SET_SREGS, &s));
}

/* All that the host's CPU has: a CPU without the long mode bit is refused the registers below (kvm_valid_efer()). */
static int set_cpuid(const struct guest *g, int fd)
{
	enum { ENTRIES = 256 };
	struct kvm_cpuid2 *all = calloc(1, sizeof(*all) + ENTRIES * sizeof(all->entries[0]));
	int r = -ENOMEM;

	if (!all)
		return r;
	all->nent = ENTRIES;
	r = result_of_ioctl(ioctl(g->kvm, KVM_GET_SUPPORTED_CPUID, all));
	if (r == 0)
		r = result_of_ioctl(ioctl(fd, KVM_SET_CPUID2, all));
	free(all);
	return r;
}

static uint64_t task_gpa(unsigned int cpu)
{
	return OWN_TASK + (uint64_t)cpu * GUEST_PAGE;
}

static int set_regs(const struct guest *g, unsigned int cpu)
{
	struct kvm_regs regs = {.rip = OWN_CODE, .rbx = task_gpa(cpu), .rflags = 2};

	return result_of_ioctl(ioctl(g->cpu[cpu].fd, KVM_SET_REGS, &regs));
}

static int make_cpu(struct guest *g, unsigned int cpu)
{
	struct cpu *c = &g->cpu[cpu];
	void *run;
	int fd, r;

	if (c->fd >= 0)
		return 0;
	fd = result_of_ioctl(ioctl(g->vm, KVM_CREATE_VCPU, (unsigned long)cpu));
	if (fd < 0)
		return fd;
	run = mmap(NULL, g->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (run == MAP_FAILED) {
		r = -errno;
		close(fd);
		return r;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	c->fd = fd;
	c->run = run;
	r = set_cpuid(g, fd);
	return r < 0 ? r : set_sregs(fd);
}

/* Lets go of what an access beyond all memory has begun (Documentation/virt/kvm/api.rst, KVM_EXIT_MMIO), and starts over. */
static int restart(struct guest *g, unsigned int cpu)
{
	struct cpu *c = &g->cpu[cpu];

	if (c->ready)
		return 0;
	c->run->immediate_exit = 1;
	for (unsigned int i = 0; i < 4 && ioctl(c->fd, KVM_RUN, 0) == 0; i++)
		;
	c->run->immediate_exit = 0;
	return set_regs(g, cpu);
}

static int enter(struct cpu *c)
{
	c->ready = false;
	for (;;) {
		if (ioctl(c->fd, KVM_RUN, 0) < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return -errno;
		}
		switch (c->run->exit_reason) {
		case KVM_EXIT_IO:
			c->ready = c->run->io.port == GUEST_PORT;
			return c->ready ? 0 : -EIO;
		case KVM_EXIT_MMIO:
			return -ENXIO;
		case KVM_EXIT_INTR:
		case KVM_EXIT_IRQ_WINDOW_OPEN:
			break;
		default:
			return -EIO;
		}
	}
}

int guest_run(struct guest *g, unsigned int cpu, enum guest_how how, uint32_t turns,
	struct guest_words *w)
{
	struct guest_task *t = (struct guest_task *)(g->own + task_gpa(cpu));
	int r;

	w->odd = false;
	if (w->n == 0 || w->n > GUEST_WORDS)
		return -EINVAL;
	r = make_cpu(g, cpu);
	if (r == 0)
		r = restart(g, cpu);
	if (r < 0)
		return r;
	guest_task_begin(t, how, turns, w);
	r = enter(&g->cpu[cpu]);
	guest_task_end(t, r == 0, w);
	return r;
}

int guest_prefault(struct guest *g, unsigned int cpu, uint64_t gpa, uint64_t len)
{
	struct kvm_pre_fault_memory range = {.gpa = gpa, .size = len};
	int r = make_cpu(g, cpu);

	/* What was mapped is taken off the range; EINTR and EAGAIN leave the rest to be asked for again. */
	while (r == 0 && range.size) {
		if (ioctl(g->cpu[cpu].fd, KVM_PRE_FAULT_MEMORY, &range) < 0 && errno != EINTR &&
			errno != EAGAIN)
			r = -errno;
	}
	return r;
}

#else

int guest_new(bool manual_log, struct guest **ret)
{
	return -EOPNOTSUPP;
}

void guest_free(struct guest *g)
{
}

bool guest_has_manual_log(const struct guest *g)
{
	return false;
}

int guest_set_memory(
	struct guest *g, unsigned int id, uint64_t gpa, uintptr_t hva, size_t len, bool log)
{
	return -EOPNOTSUPP;
}

int guest_read_log(struct guest *g, unsigned int id, uint64_t *ret)
{
	return -EOPNOTSUPP;
}

int guest_clear_log(
	struct guest *g, unsigned int id, uint64_t first, uint32_t n, const uint64_t *bits)
{
	return -EOPNOTSUPP;
}

int guest_prefault(struct guest *g, unsigned int cpu, uint64_t gpa, uint64_t len)
{
	return -EOPNOTSUPP;
}

int guest_run(struct guest *g, unsigned int cpu, enum guest_how how, uint32_t turns,
	struct guest_words *w)
{
	return -EOPNOTSUPP;
}

#endif
