/* SPDX-License-Identifier: MIT */
/* The vCPU's address space, from its control registers; and KVM's own opinion of an address. */
#include <pagewalk_vmm/vcpu.h>

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "error.h"

#define MSR_PKRS 0x6e1

/* Older kernels cannot say: then libpagewalk reads the PDPTEs from memory, as AMD's CPUs do. */
static void read_pdptes(struct vmm_vcpu *vcpu, struct pw_x86_state *state)
{
	struct kvm_sregs2 sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS2, &sregs) < 0)
		return;
	if (!(sregs.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID))
		return;
	for (unsigned i = 0; i < 4; i++)
		state->pdpte[i] = sregs.pdptrs[i];
	state->pdpte_loaded = true;
}

static enum vmm_status read_pkru(struct vmm_vcpu *vcpu, uint32_t *pkru)
{
	struct kvm_xsave xsave;
	uint32_t offset = vcpu->model.pkru_offset;

	if (offset == 0 || offset > sizeof xsave.region - sizeof *pkru)
		return vmm_error_set(&vcpu->error, VMM_UNSUPPORTED,
			"CR4.PKE is set, but KVM does not say where it keeps PKRU");
	if (ioctl(vcpu->fd, KVM_GET_XSAVE, &xsave) < 0)
		return vmm_error_system(&vcpu->error, "KVM_GET_XSAVE");
	memcpy(pkru, (const uint8_t *)xsave.region + offset, sizeof *pkru);
	return VMM_OK;
}

static enum vmm_status read_pkrs(struct vmm_vcpu *vcpu, uint32_t *pkrs)
{
	union {
		struct kvm_msrs list;
		uint8_t storage[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} msrs = {.list = {.nmsrs = 1}};
	struct kvm_msr_entry *entry = msrs.list.entries;

	entry->index = MSR_PKRS;
	if (ioctl(vcpu->fd, KVM_GET_MSRS, &msrs) != 1)
		return vmm_error_system(&vcpu->error, "reading IA32_PKRS");
	*pkrs = (uint32_t)entry->data;
	return VMM_OK;
}

static enum vmm_status read_mode_state(struct vmm_vcpu *vcpu, struct pw_x86_state *state)
{
	bool paging = state->cr0 & PW_CR0_PG;
	bool long_mode = state->efer & PW_EFER_LMA;
	enum vmm_status status = VMM_OK;

	if (paging && !long_mode && (state->cr4 & PW_CR4_PAE))
		read_pdptes(vcpu, state);
	if (paging && long_mode && (state->cr4 & PW_CR4_PKE))
		status = read_pkru(vcpu, &state->pkru);
	if (status == VMM_OK && paging && long_mode && (state->cr4 & PW_CR4_PKS))
		status = read_pkrs(vcpu, &state->pkrs);
	return status;
}

/* From the shared area while it is fresh: the few that matter, without a copy of all of them. */
static enum vmm_status read_registers(struct vmm_vcpu *vcpu, struct pw_x86_state *state)
{
	const struct kvm_sregs *sregs = &vcpu->run->s.regs.sregs;
	const struct kvm_regs *regs = &vcpu->run->s.regs.regs;
	struct kvm_sregs sregs_asked;
	struct kvm_regs regs_asked;

	if (!vcpu->regs_fresh) {
		enum vmm_status status = vmm_vcpu_get_sregs(vcpu, &sregs_asked);

		if (status == VMM_OK)
			status = vmm_vcpu_get_regs(vcpu, &regs_asked);
		if (status != VMM_OK)
			return status;
		sregs = &sregs_asked;
		regs = &regs_asked;
	}
	state->cr0 = sregs->cr0;
	state->cr3 = sregs->cr3;
	state->cr4 = sregs->cr4;
	state->efer = sregs->efer;
	state->rflags = regs->rflags;
	return VMM_OK;
}

enum vmm_status vmm_vcpu_x86_state(struct vmm_vcpu *vcpu, struct pw_x86_state *state)
{
	struct pw_x86_state found = {
		.maxphyaddr = vcpu->model.physical_bits,
		.no_1g_pages = !vcpu->model.gib_pages,
		.no_pse36 = !vcpu->model.pse36,
		.amd = vcpu->model.vendor == VMM_VENDOR_AMD,
	};
	enum vmm_status status = read_registers(vcpu, &found);

	if (status == VMM_OK)
		status = read_mode_state(vcpu, &found);
	if (status == VMM_OK)
		*state = found;
	return status;
}

/* The vCPU's model and the VM's memory stay as they are; that leaves the registers. */
static bool makes_same_space(const struct pw_x86_state *a, const struct pw_x86_state *b)
{
	return a->cr0 == b->cr0 && a->cr3 == b->cr3 && a->cr4 == b->cr4 && a->efer == b->efer &&
	       ((a->rflags ^ b->rflags) & PW_RFLAGS_AC) == 0 && a->pkru == b->pkru &&
	       a->pkrs == b->pkrs && !a->pdpte_loaded && !b->pdpte_loaded;
}

enum vmm_status vmm_vcpu_space(struct vmm_vcpu *vcpu, struct pw_space *space)
{
	struct pw_x86_state state;
	enum vmm_status status = vmm_vcpu_x86_state(vcpu, &state);
	const char *why = NULL;

	if (status != VMM_OK)
		return status;
	if (!vcpu->has_space || !makes_same_space(&state, &vcpu->space_state)) {
		vcpu->has_space = false;
		if (pw_space_init_x86(&vcpu->space, &state, &vcpu->vm->memory, &why) != PW_OK)
			return vmm_error_set(&vcpu->error, VMM_INVALID,
				"the vCPU's control registers make no address space: %s",
				why ? why : "not even each for itself");
		vcpu->space_state = state;
		vcpu->has_space = true;
	}
	*space = vcpu->space;
	return VMM_OK;
}

enum vmm_status vmm_translate_kvm(struct vmm_vcpu *vcpu, uint64_t va, uint64_t *pa)
{
	struct kvm_translation translation = {.linear_address = va};

	if (ioctl(vcpu->fd, KVM_TRANSLATE, &translation) < 0)
		return vmm_error_system(&vcpu->error, "KVM_TRANSLATE");
	if (!translation.valid)
		return vmm_error_set(
			&vcpu->error, VMM_UNHANDLED, "KVM finds no translation of %#" PRIx64, va);
	*pa = translation.physical_address;
	return VMM_OK;
}
