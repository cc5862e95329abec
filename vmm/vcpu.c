/* SPDX-License-Identifier: MIT */
/* Creates a vCPU, reads and sets its registers. */
#define _DEFAULT_SOURCE
#include <pagewalk_vmm/vcpu.h>

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpuid.h"
#include "error.h"

#define SYNC_FIELDS (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS)

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
	static uint64_t made;
	enum vmm_status status;

	*vcpu = (struct vmm_vcpu){.vm = vm, .fd = -1, .index = index};
	vcpu->serial = __atomic_add_fetch(&made, 1, __ATOMIC_RELAXED);
	status = install_stop_signal(vcpu);
	if (status == VMM_OK)
		status = open_vcpu(vcpu);
	if (status == VMM_OK)
		status = cpuid_set(vcpu);
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
