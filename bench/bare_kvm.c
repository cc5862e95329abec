/* SPDX-License-Identifier: MIT */
#include "bare_kvm.h"

#if defined(__linux__) && defined(__x86_64__)

#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CPUID_MAX    256u
#define CPUID_1GIB   (1u << 26) /* 80000001H EDX */
#define CR0_PE_WP_PG 0x80010001u
#define CR4_PAE      (1u << 5)
#define EFER_LONG    0xd01u /* SCE, LME, LMA, NXE */

const char *bare_kvm_missing(void)
{
	static char why[128];
	int device = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (device < 0) {
		snprintf(why, sizeof why, "/dev/kvm: %s", strerror(errno));
		return why;
	}
	close(device);
	return NULL;
}

/* What KVM offers its guests; to be freed. NULL if it does not say. */
static struct kvm_cpuid2 *get_cpuid(int device)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof *cpuid + CPUID_MAX * sizeof(struct kvm_cpuid_entry2));

	if (cpuid)
		cpuid->nent = CPUID_MAX;
	if (cpuid && ioctl(device, KVM_GET_SUPPORTED_CPUID, cpuid) == 0)
		return cpuid;
	free(cpuid);
	return NULL;
}

bool bare_kvm_has_1gib(void)
{
	int device = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct kvm_cpuid2 *cpuid = device < 0 ? NULL : get_cpuid(device);
	bool large = false;

	for (unsigned i = 0; cpuid && i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		large = large || (entry->function == 0x80000001 && (entry->edx & CPUID_1GIB));
	}
	free(cpuid);
	if (device >= 0)
		close(device);
	return large;
}

static void want(bool ok, const char *what)
{
	if (!ok)
		bench_die("%s: %s", what, strerror(errno));
}

static void set_long_mode(const struct bare_kvm *kvm, uint64_t root)
{
	struct kvm_sregs sregs;

	want(ioctl(kvm->vcpu, KVM_GET_SREGS, &sregs) == 0, "KVM_GET_SREGS");
	sregs.cr0 = CR0_PE_WP_PG;
	sregs.cr3 = root;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_LONG;
	sregs.cs = (struct kvm_segment){.limit = 0xffffffff,
		.selector = 8,
		.type = 11,
		.present = 1,
		.s = 1,
		.l = 1,
		.g = 1};
	sregs.ss = sregs.ds = sregs.es = (struct kvm_segment){.limit = 0xffffffff,
		.selector = 16,
		.type = 3,
		.present = 1,
		.s = 1,
		.db = 1,
		.g = 1};
	want(ioctl(kvm->vcpu, KVM_SET_SREGS, &sregs) == 0, "KVM_SET_SREGS");
}

static void open_vm(struct bare_kvm *kvm, void *memory, uint64_t bytes)
{
	struct kvm_userspace_memory_region slot = {
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)memory,
	};

	kvm->device = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	want(kvm->device >= 0, "/dev/kvm");
	kvm->vm = ioctl(kvm->device, KVM_CREATE_VM, 0);
	want(kvm->vm >= 0, "KVM_CREATE_VM");
	want(ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &slot) == 0, "KVM_SET_USER_MEMORY_REGION");
}

static void open_vcpu(struct bare_kvm *kvm)
{
	struct kvm_cpuid2 *cpuid = get_cpuid(kvm->device);
	int bytes = ioctl(kvm->device, KVM_GET_VCPU_MMAP_SIZE, 0);

	want(cpuid, "KVM_GET_SUPPORTED_CPUID");
	want(bytes > 0, "KVM_GET_VCPU_MMAP_SIZE");
	kvm->vcpu = ioctl(kvm->vm, KVM_CREATE_VCPU, 0);
	want(kvm->vcpu >= 0, "KVM_CREATE_VCPU");
	want(ioctl(kvm->vcpu, KVM_SET_CPUID2, cpuid) == 0, "KVM_SET_CPUID2");
	free(cpuid);
	kvm->run_bytes = (size_t)bytes;
	kvm->run = mmap(NULL, kvm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, kvm->vcpu, 0);
	want(kvm->run != MAP_FAILED, "mapping the vCPU");
}

void bare_kvm_open(
	struct bare_kvm *kvm, void *memory, uint64_t bytes, uint64_t root, uint64_t entry)
{
	const struct kvm_regs regs = {.rip = entry, .rflags = 2};

	open_vm(kvm, memory, bytes);
	open_vcpu(kvm);
	set_long_mode(kvm, root);
	want(ioctl(kvm->vcpu, KVM_SET_REGS, &regs) == 0, "KVM_SET_REGS");
}

void bare_kvm_close(struct bare_kvm *kvm)
{
	munmap(kvm->run, kvm->run_bytes);
	close(kvm->vcpu);
	close(kvm->vm);
	close(kvm->device);
}

#endif
