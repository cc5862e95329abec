/* SPDX-License-Identifier: MIT */
/* The run loop's one step: enter the guest, decode why it came back; and how to stop it. */
#define _GNU_SOURCE /* gettid, tgkill */
#include <pagewalk_vmm/run.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "error.h"

static void decode_port(struct vmm_exit *exit, struct kvm_run *run)
{
	exit->kind = VMM_EXIT_PORT;
	exit->port = (struct vmm_port_access){
		.port = run->io.port,
		.out = run->io.direction == KVM_EXIT_IO_OUT,
		.bytes = run->io.size,
		.count = run->io.count,
		.data = (uint8_t *)run + run->io.data_offset,
	};
	/* An input that nobody answers reads as an empty bus, not as what KVM left there. */
	if (!exit->port.out)
		memset(exit->port.data, 0xff, (size_t)run->io.size * run->io.count);
}

static void decode_mmio(struct vmm_exit *exit, struct kvm_run *run)
{
	exit->kind = VMM_EXIT_MMIO;
	exit->mmio = (struct vmm_mmio_access){
		.pa = run->mmio.phys_addr,
		.write = run->mmio.is_write,
		.bytes = (uint8_t)run->mmio.len,
		.value = run->mmio.data,
	};
	if (!exit->mmio.write)
		memset(run->mmio.data, 0, sizeof run->mmio.data);
}

static void decode_debug(struct vmm_exit *exit, const struct kvm_run *run)
{
	exit->kind = VMM_EXIT_DEBUG;
	exit->debug = (struct vmm_debug_stop){
		.exception = run->debug.arch.exception,
		.pc = run->debug.arch.pc,
		.dr6 = run->debug.arch.dr6,
		.dr7 = run->debug.arch.dr7,
	};
}

static void decode_internal(struct vmm_exit *exit, const struct kvm_run *run)
{
	struct vmm_internal_error *error = &exit->internal;
	uint32_t count = run->internal.ndata;

	exit->kind = VMM_EXIT_INTERNAL_ERROR;
	*error = (struct vmm_internal_error){.suberror = run->internal.suberror};
	error->data_count = count < VMM_INTERNAL_DATA_MAX ? count : VMM_INTERNAL_DATA_MAX;
	for (uint32_t i = 0; i < error->data_count; i++)
		error->data[i] = run->internal.data[i];
	/* KVM_INTERNAL_ERROR_EMULATION: the flags are data[0], the bytes follow if they say so. */
	if (error->suberror != KVM_INTERNAL_ERROR_EMULATION || count < 3 ||
		!(run->emulation_failure.flags &
			KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
		return;
	error->instruction_bytes = run->emulation_failure.insn_size;
	if (error->instruction_bytes > VMM_INSTRUCTION_MAX)
		error->instruction_bytes = VMM_INSTRUCTION_MAX;
	memcpy(error->instruction, run->emulation_failure.insn_bytes, error->instruction_bytes);
}

static void decode(struct vmm_exit *exit, struct kvm_run *run)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		decode_port(exit, run);
		break;
	case KVM_EXIT_MMIO:
		decode_mmio(exit, run);
		break;
	case KVM_EXIT_HLT:
		exit->kind = VMM_EXIT_HALT;
		break;
	case KVM_EXIT_DEBUG:
		decode_debug(exit, run);
		break;
	case KVM_EXIT_SHUTDOWN:
		exit->kind = VMM_EXIT_SHUTDOWN;
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		decode_internal(exit, run);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		exit->kind = VMM_EXIT_FAIL_ENTRY;
		exit->entry_failure = run->fail_entry.hardware_entry_failure_reason;
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		exit->kind = VMM_EXIT_SYSTEM_EVENT;
		exit->system_event = run->system_event.type;
		break;
	default:
		exit->kind = VMM_EXIT_OTHER;
		break;
	}
}

/* KVM_RUN came back without an exit: a signal, or immediate_exit. */
static enum vmm_exit_kind interruption(struct vmm_vcpu *vcpu)
{
	/* In this order: a stop that comes between the two costs an exit more, it is never lost. */
	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&vcpu->stop, 0, __ATOMIC_SEQ_CST))
		return VMM_EXIT_STOPPED;
	return VMM_EXIT_INTERRUPTED;
}

/*
 * The caller's thread ID without a system call at each run. The C library keeps none, and fork()
 * would leave a wrong one in the child; but KVM lets no vCPU run in a child of its process, so one
 * that was read since the vCPU was made is right.
 */
static int this_thread(const struct vmm_vcpu *vcpu)
{
	static _Thread_local uint64_t read_at;
	static _Thread_local int thread;

	if (read_at < vcpu->serial) {
		thread = gettid();
		read_at = vcpu->serial;
	}
	return thread;
}

static int enter(struct vmm_vcpu *vcpu)
{
	int result;

	__atomic_store_n(&vcpu->thread, this_thread(vcpu), __ATOMIC_SEQ_CST);
	result = ioctl(vcpu->fd, KVM_RUN, 0);
	__atomic_store_n(&vcpu->thread, 0, __ATOMIC_SEQ_CST);
	return result;
}

enum vmm_status vmm_vcpu_run(struct vmm_vcpu *vcpu, struct vmm_exit *exit)
{
	struct vmm_exit found = {.kind = VMM_EXIT_OTHER};
	struct kvm_regs regs;
	int result = enter(vcpu);
	int reason = errno;
	enum vmm_status status;

	/* KVM stores the registers on the way out of every run, interrupted or not. */
	vcpu->regs_fresh = vcpu->sync_regs;
	errno = reason;
	if (result < 0 && reason != EINTR && reason != EAGAIN) {
		vcpu->regs_fresh = false;
		return vmm_error_system(&vcpu->error, "KVM_RUN");
	}
	status = vmm_vcpu_get_regs(vcpu, &regs);
	if (status != VMM_OK)
		return status;
	found.rip = regs.rip;
	found.reason = vcpu->run->exit_reason;
	if (result < 0)
		found.kind = interruption(vcpu);
	else
		decode(&found, vcpu->run);
	*exit = found;
	return VMM_OK;
}

void vmm_vcpu_stop(struct vmm_vcpu *vcpu)
{
	int reason = errno;
	int thread;

	__atomic_store_n(&vcpu->stop, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	thread = __atomic_load_n(&vcpu->thread, __ATOMIC_SEQ_CST);
	if (thread != 0)
		tgkill(getpid(), thread, vcpu->stop_signal);
	errno = reason;
}
