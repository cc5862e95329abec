/* SPDX-License-Identifier: MIT */
/* Guest calls: fetches the structure, does the library's part, hands it on, writes the answer. */
#include <pagewalk_vmm/ports.h>

#include <inttypes.h>
#include <string.h>

#include "error.h"

static enum vmm_status fetch_address(
	struct vmm_vcpu *vcpu, const struct vmm_port_access *access, uint32_t *address)
{
	if (!access->out || access->bytes != sizeof *address || access->count != 1)
		return vmm_error_set(&vcpu->error, VMM_BAD_CALL,
			"the guest used port %#x otherwise than by one 32-bit OUT", access->port);
	memcpy(address, access->data, sizeof *address);
	return VMM_OK;
}

static enum vmm_status start(
	struct vmm_calls *calls, struct vmm_vcpu *vcpu, struct guest_call *call)
{
	if (call->start.abi_version != GUEST_ABI_VERSION)
		return vmm_error_set(&vcpu->error, VMM_BAD_CALL,
			"the guest speaks version %" PRIu32 " of guest/abi.h, this VMM version %d",
			call->start.abi_version, GUEST_ABI_VERSION);
	calls->started = true;
	call->start.memory_bytes = vcpu->vm->memory_bytes;
	call->answer = GUEST_ANSWER_AGREE;
	return VMM_OK;
}

static enum vmm_status do_own_part(
	struct vmm_calls *calls, struct vmm_vcpu *vcpu, struct guest_call *call)
{
	if (!calls->started && call->number != GUEST_CALL_START)
		return vmm_error_set(&vcpu->error, VMM_BAD_CALL,
			"the guest's first call is number %" PRIu32 " instead of START",
			call->number);
	call->answer = GUEST_ANSWER_NONE;
	switch (call->number) {
	case GUEST_CALL_START:
		return start(calls, vcpu, call);
	case GUEST_CALL_TRANSLATE:
	case GUEST_CALL_STRING:
	case GUEST_CALL_FAULT:
		return vmm_call_judge(vcpu, call);
	case GUEST_CALL_FAILURE:
		call->failure.file[sizeof call->failure.file - 1] = '\0';
		calls->failures++;
		return VMM_OK;
	case GUEST_CALL_DONE:
		calls->done = true;
		calls->code = call->done.code;
		return VMM_OK;
	default:
		call->answer = GUEST_ANSWER_UNKNOWN;
		return VMM_OK;
	}
}

static enum vmm_status handle_call(
	void *ctx, struct vmm_vcpu *vcpu, const struct vmm_port_access *access)
{
	struct vmm_calls *calls = ctx;
	struct guest_call call;
	uint32_t address = 0;
	enum vmm_status status = fetch_address(vcpu, access, &address);

	if (status != VMM_OK)
		return status;
	if (!vmm_vm_read(vcpu->vm, address, &call, sizeof call))
		return vmm_error_set(&vcpu->error, VMM_BAD_CALL,
			"the guest's call structure at %#" PRIx32 " lies outside its memory",
			address);
	call.label[sizeof call.label - 1] = '\0';
	status = do_own_part(calls, vcpu, &call);
	if (status == VMM_OK && calls->handler)
		status = calls->handler(calls->ctx, vcpu, &call);
	if (status != VMM_OK)
		return status;
	if (!vmm_vm_write(vcpu->vm, address, &call, sizeof call))
		return VMM_BAD_CALL; /* unreachable: RAM does not shrink */
	return call.number == GUEST_CALL_DONE ? VMM_FINISHED : VMM_OK;
}

enum vmm_status vmm_calls_attach(struct vmm_calls *calls, struct vmm_ports *ports)
{
	return vmm_ports_add(ports, GUEST_PORT_CALL, GUEST_PORT_CALL, handle_call, calls);
}
