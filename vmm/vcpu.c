/* SPDX-License-Identifier: MIT */
/* Creates a vCPU, gives it a CPUID, reads and sets its registers. */
#define _DEFAULT_SOURCE
#include <pagewalk_vmm/vcpu.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"

#define SYNC_FIELDS (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS)

/* KVM answers E2BIG while the table is too short; no host comes near this. */
#define CPUID_ENTRIES_FIRST 128
#define CPUID_ENTRIES_MOST  4096

#define LEAF_FEATURES        7u
#define LEAF_XSAVE           13u
#define XSAVE_COMPONENT_PKRU 9u
#define LEAF_EXTENDED        0x80000001u
#define LEAF_ADDRESS_SIZES   0x80000008u

#define VENDOR_EBX_INTEL 0x756e6547u /* "Genu" */
#define VENDOR_EBX_AMD   0x68747541u /* "Auth" */
#define VENDOR_EBX_HYGON 0x6f677948u /* "Hygo" */

static void ignore_signal(int number)
{
	(void)number;
}

/* The signal has nothing to do but to end KVM_RUN with EINTR. */
static enum vmm_status install_stop_signal(struct vmm_vcpu *vcpu)
{
	struct sigaction action = {.sa_handler = ignore_signal};
	struct sigaction old;

	vcpu->stop_signal = SIGRTMIN + 1;
	if (sigaction(vcpu->stop_signal, NULL, &old) < 0)
		return vmm_error_system(&vcpu->error, "sigaction");
	if (old.sa_handler != SIG_DFL)
		return VMM_OK;
	sigemptyset(&action.sa_mask);
	if (sigaction(vcpu->stop_signal, &action, NULL) < 0)
		return vmm_error_system(&vcpu->error, "sigaction");
	return VMM_OK;
}

/* The caller frees *cpuid. */
static enum vmm_status supported_cpuid(struct vmm_vcpu *vcpu, struct kvm_cpuid2 **cpuid)
{
	for (unsigned count = CPUID_ENTRIES_FIRST; count <= CPUID_ENTRIES_MOST; count *= 2) {
		struct kvm_cpuid2 *table;
		int reason;

		table = calloc(1, sizeof *table + count * sizeof table->entries[0]);
		if (!table)
			return vmm_error_set(&vcpu->error, VMM_NO_MEMORY, "no memory for CPUID");
		table->nent = count;
		if (ioctl(vcpu->vm->kvm_fd, KVM_GET_SUPPORTED_CPUID, table) == 0) {
			*cpuid = table;
			return VMM_OK;
		}
		reason = errno;
		free(table);
		errno = reason;
		if (reason != E2BIG)
			break;
	}
	return vmm_error_system(&vcpu->error, "KVM_GET_SUPPORTED_CPUID");
}

static const struct kvm_cpuid_entry2 *find_leaf(
	const struct kvm_cpuid2 *cpuid, uint32_t leaf, uint32_t index)
{
	for (uint32_t i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == leaf && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	return NULL;
}

static enum vmm_vendor vendor_of(const struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *leaf = find_leaf(cpuid, 0, 0);

	switch (leaf ? leaf->ebx : 0) {
	case VENDOR_EBX_INTEL:
		return VMM_VENDOR_INTEL;
	case VENDOR_EBX_AMD:
	case VENDOR_EBX_HYGON:
		return VMM_VENDOR_AMD;
	default:
		return VMM_VENDOR_OTHER;
	}
}

static void read_model(struct vmm_cpu_model *model, const struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *basic = find_leaf(cpuid, 1, 0);
	const struct kvm_cpuid_entry2 *features = find_leaf(cpuid, LEAF_FEATURES, 0);
	const struct kvm_cpuid_entry2 *pkru = find_leaf(cpuid, LEAF_XSAVE, XSAVE_COMPONENT_PKRU);
	const struct kvm_cpuid_entry2 *extended = find_leaf(cpuid, LEAF_EXTENDED, 0);
	const struct kvm_cpuid_entry2 *sizes = find_leaf(cpuid, LEAF_ADDRESS_SIZES, 0);

	model->vendor = vendor_of(cpuid);
	model->pse36 = basic && (basic->edx >> 17 & 1);
	model->la57 = features && (features->ecx >> 16 & 1);
	model->pkru_offset = pkru ? pkru->ebx : 0;
	model->no_execute = extended && (extended->edx >> 20 & 1);
	model->gib_pages = extended && (extended->edx >> 26 & 1);
	model->long_mode = extended && (extended->edx >> 29 & 1);
	/* Without the leaf: SDM "CPUID", MAXPHYADDR is 36 where there is PAE. */
	model->physical_bits = sizes ? sizes->eax & 0xff : 36;
	model->linear_bits = sizes ? sizes->eax >> 8 & 0xff : 32;
}

static enum vmm_status set_cpuid(struct vmm_vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid = NULL;
	enum vmm_status status = supported_cpuid(vcpu, &cpuid);

	if (status != VMM_OK)
		return status;
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		status = vmm_error_system(&vcpu->error, "KVM_SET_CPUID2");
	else
		read_model(&vcpu->model, cpuid);
	free(cpuid);
	return status;
}

static enum vmm_status open_vcpu(struct vmm_vcpu *vcpu)
{
	int fields = ioctl(vcpu->vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS);
	void *run;

	if (ioctl(vcpu->vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IMMEDIATE_EXIT) <= 0)
		return vmm_error_set(&vcpu->error, VMM_UNSUPPORTED,
			"this host's KVM has no immediate exit: Linux 4.13 or newer is needed");
	vcpu->fd = ioctl(vcpu->vm->vm_fd, KVM_CREATE_VCPU, (unsigned long)vcpu->index);
	if (vcpu->fd < 0)
		return vmm_error_system(&vcpu->error, "KVM_CREATE_VCPU");
	run = mmap(NULL, vcpu->vm->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return vmm_error_system(&vcpu->error, "mapping the vCPU's shared area");
	vcpu->run = run;
	vcpu->sync_regs = fields > 0 && (fields & SYNC_FIELDS) == SYNC_FIELDS;
	if (vcpu->sync_regs)
		vcpu->run->kvm_valid_regs = SYNC_FIELDS;
	return VMM_OK;
}

enum vmm_status vmm_vcpu_create(struct vmm_vcpu *vcpu, struct vmm_vm *vm, unsigned index)
{
	enum vmm_status status;

	*vcpu = (struct vmm_vcpu){.vm = vm, .fd = -1, .index = index};
	status = install_stop_signal(vcpu);
	if (status == VMM_OK)
		status = open_vcpu(vcpu);
	if (status == VMM_OK)
		status = set_cpuid(vcpu);
	if (status != VMM_OK)
		vmm_vcpu_destroy(vcpu);
	return status;
}

void vmm_vcpu_destroy(struct vmm_vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->vm->run_bytes);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
	*vcpu = (struct vmm_vcpu){.error = vcpu->error, .fd = -1};
}

enum vmm_status vmm_vcpu_get_regs(struct vmm_vcpu *vcpu, struct kvm_regs *regs)
{
	if (vcpu->regs_fresh) {
		*regs = vcpu->run->s.regs.regs;
		return VMM_OK;
	}
	if (ioctl(vcpu->fd, KVM_GET_REGS, regs) < 0)
		return vmm_error_system(&vcpu->error, "KVM_GET_REGS");
	return VMM_OK;
}

enum vmm_status vmm_vcpu_get_sregs(struct vmm_vcpu *vcpu, struct kvm_sregs *sregs)
{
	if (vcpu->regs_fresh) {
		*sregs = vcpu->run->s.regs.sregs;
		return VMM_OK;
	}
	if (ioctl(vcpu->fd, KVM_GET_SREGS, sregs) < 0)
		return vmm_error_system(&vcpu->error, "KVM_GET_SREGS");
	return VMM_OK;
}

enum vmm_status vmm_vcpu_set_regs(struct vmm_vcpu *vcpu, const struct kvm_regs *regs)
{
	vcpu->regs_fresh = false;
	if (ioctl(vcpu->fd, KVM_SET_REGS, regs) < 0)
		return vmm_error_system(&vcpu->error, "KVM_SET_REGS");
	return VMM_OK;
}

enum vmm_status vmm_vcpu_set_sregs(struct vmm_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	vcpu->regs_fresh = false;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, sregs) < 0)
		return vmm_error_system(&vcpu->error, "KVM_SET_SREGS");
	return VMM_OK;
}
