/* SPDX-License-Identifier: MIT */
/*
 * kvm-translate: the kernel's own walker. The image is the memory of a virtual machine, as it
 * stands, and KVM_TRANSLATE is asked. The call sets the Accessed bit, which is set already.
 */
#include "bench.h"
#include "translator.h"
#include "x86.h"

#if defined(__linux__) && defined(__x86_64__)

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CPUID_MAX    256u
#define CPUID_1GIB   (1u << 26) /* 80000001H EDX */
#define CR0_PE_WP_PG 0x80010001u
#define CR4_PAE      (1u << 5)
#define EFER_LONG    0xd01u /* SCE, LME, LMA, NXE */

struct kvm {
	int device, vm, vcpu;
	uint64_t ring[RING];
};

static const char *missing(void)
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

static const char *refuses_large(void)
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
	return large ? NULL : "W4: this KVM has no 1 GiB pages";
}

static void want(bool ok, const char *what)
{
	if (!ok)
		bench_die("%s: %s", what, strerror(errno));
}

static void set_long_mode(struct kvm *kvm, uint64_t root)
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

static void *open_kvm(const struct workload *w, enum order order)
{
	struct kvm *kvm = calloc(1, sizeof *kvm);
	struct kvm_cpuid2 *cpuid;
	struct kvm_userspace_memory_region memory = {
		.memory_size = w->image.size,
		.userspace_addr = (uintptr_t)w->image.bytes,
	};

	(void)order;
	if (!kvm)
		bench_die("no memory");
	kvm->device = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	want(kvm->device >= 0, "/dev/kvm");
	cpuid = get_cpuid(kvm->device);
	want(cpuid, "KVM_GET_SUPPORTED_CPUID");
	kvm->vm = ioctl(kvm->device, KVM_CREATE_VM, 0);
	want(kvm->vm >= 0, "KVM_CREATE_VM");
	want(ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &memory) == 0,
		"KVM_SET_USER_MEMORY_REGION");
	kvm->vcpu = ioctl(kvm->vm, KVM_CREATE_VCPU, 0);
	want(kvm->vcpu >= 0, "KVM_CREATE_VCPU");
	want(ioctl(kvm->vcpu, KVM_SET_CPUID2, cpuid) == 0, "KVM_SET_CPUID2");
	free(cpuid);
	set_long_mode(kvm, w->root);
	return kvm;
}

static void run(void *self, const uint64_t *va, size_t count)
{
	struct kvm *kvm = self;

	for (size_t i = 0; i < count; i++) {
		struct kvm_translation translation = {.linear_address = va[i]};

		want(ioctl(kvm->vcpu, KVM_TRANSLATE, &translation) == 0, "KVM_TRANSLATE");
		kvm->ring[RING_AT(i)] =
			translation.valid ? translation.physical_address : LIST_HOLE;
	}
}

static void answer(const void *self, size_t index, struct answer *answer)
{
	answer->pa = ((const struct kvm *)self)->ring[index];
	answer->mapped = answer->pa != LIST_HOLE;
}

static void close_kvm(void *self)
{
	struct kvm *kvm = self;

	close(kvm->vcpu);
	close(kvm->vm);
	close(kvm->device);
	free(kvm);
}

const struct translator translator_kvm = {
	.who = "kvm-translate",
	.missing = missing,
	.refuses_large = refuses_large,
	.open = open_kvm,
	.run = run,
	.answer = answer,
	.close = close_kvm,
	.group = RING,
	.verify_count = 1u << 13,
};

#else

static const char *missing(void)
{
	return "KVM_TRANSLATE is x86 Linux's";
}

const struct translator translator_kvm = {
	.who = "kvm-translate",
	.missing = missing,
};

#endif
