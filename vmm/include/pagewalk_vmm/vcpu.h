/* SPDX-License-Identifier: MIT */
/* A virtual CPU: its model, its registers, its first state, and its address space. */
#ifndef PAGEWALK_VMM_VCPU_H
#define PAGEWALK_VMM_VCPU_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/kvm.h>

#include <pagewalk_vmm/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How the first instruction runs. */
enum vmm_mode {
	VMM_MODE_REAL,      /* 16-bit, no paging */
	VMM_MODE_PROTECTED, /* 32-bit flat segments, no paging */
	VMM_MODE_LONG,      /* 64-bit, the first 4 GiB mapped to themselves, writable */
};

/*
 * Guest RAM that the VMM needs for the first state: in protected mode the page of the GDT, in long
 * mode the tables too. No image is loaded there; a guest that has its own GDT and tables is free
 * to use it.
 */
#define VMM_BOOT_FIRST          UINT64_C(0x1000)
#define VMM_BOOT_LAST_PROTECTED UINT64_C(0x1fff)
#define VMM_BOOT_LAST_LONG      UINT64_C(0x7fff)

enum vmm_vendor {
	VMM_VENDOR_OTHER,
	VMM_VENDOR_INTEL,
	VMM_VENDOR_AMD, /* also Hygon */
};

/* What address translation depends on, from the CPUID that this VMM gave the vCPU. */
struct vmm_cpu_model {
	enum vmm_vendor vendor;
	uint8_t physical_bits; /* MAXPHYADDR */
	uint8_t linear_bits;
	bool long_mode;
	bool no_execute;
	bool gib_pages;
	bool pse36;
	bool la57;
	uint32_t pkru_offset; /* of PKRU in the XSAVE area; 0: none */
};

/*
 * Filled by vmm_vcpu_create(); read the fields, do not write them.
 *
 * Thread safety: a vCPU belongs to the thread that runs it. Only vmm_vcpu_stop() may be called
 * from elsewhere, between vmm_vcpu_create() and vmm_vcpu_destroy().
 */
struct vmm_vcpu {
	struct vmm_error error;
	struct vmm_vm *vm;
	struct kvm_run *run; /* shared with KVM */
	int fd;
	unsigned index;
	int stop_signal;
	bool sync_regs;  /* KVM hands registers over with each exit */
	bool regs_fresh; /* the copy in `run` is that of the last exit and still true */
	int stop;        /* atomic: vmm_vcpu_stop() was called and not yet reported */
	int thread;      /* atomic: the thread in KVM_RUN, 0 if none */
	uint64_t serial; /* of all vCPUs that this process and its parents made, from 1 on */
	struct vmm_cpu_model model;
	/* The last space made, and from what: between two exits it seldom changes. */
	bool has_space;
	struct pw_x86_state space_state;
	struct pw_space space;
};

/*
 * Creates vCPU number `index` with the CPUID that KVM offers, `index` being its APIC ID. It cannot
 * run before vmm_vcpu_boot(); in a VM with irqchip only number 0 is booted, the others wait in KVM
 * for the start-up message that the guest sends them. The VM must live longer. Fails with
 * VMM_UNSUPPORTED or VMM_SYSTEM; the reason stands in vcpu->error.
 *
 * A side effect on the whole process: the signal SIGRTMIN + 1 gets an empty handler if it had
 * none. It is what interrupts KVM_RUN; a thread that runs a vCPU must not block it.
 */
VMM_CHECKED enum vmm_status vmm_vcpu_create(
	struct vmm_vcpu *vcpu, struct vmm_vm *vm, unsigned index);

/* Calling it again, or after a failed vmm_vcpu_create(), does nothing. */
void vmm_vcpu_destroy(struct vmm_vcpu *vcpu);

/*
 * Once, before the first run: sets the vCPU to start at `entry`, with interrupts off and all
 * general registers 0: the guest brings its own stack. `entry` is a guest-physical address; in real
 * mode it must lie in the first MiB, in the other modes under 4 GiB (VMM_INVALID). Protected and
 * long mode write to the boot area of guest RAM (see VMM_BOOT_FIRST). Long mode needs a CPU model
 * with it (VMM_UNSUPPORTED).
 */
VMM_CHECKED enum vmm_status vmm_vcpu_boot(
	struct vmm_vcpu *vcpu, enum vmm_mode mode, uint64_t entry);

/*
 * Registers as of the last exit. No system call where KVM_CAP_SYNC_REGS works and the vCPU has run
 * since its registers were last set. Fails with VMM_SYSTEM.
 */
VMM_CHECKED enum vmm_status vmm_vcpu_get_regs(struct vmm_vcpu *vcpu, struct kvm_regs *regs);
VMM_CHECKED enum vmm_status vmm_vcpu_get_sregs(struct vmm_vcpu *vcpu, struct kvm_sregs *sregs);

/* Sets registers before the next run. Fails with VMM_SYSTEM when KVM refuses them. */
VMM_CHECKED enum vmm_status vmm_vcpu_set_regs(struct vmm_vcpu *vcpu, const struct kvm_regs *regs);
VMM_CHECKED enum vmm_status vmm_vcpu_set_sregs(
	struct vmm_vcpu *vcpu, const struct kvm_sregs *sregs);

/*
 * The vCPU's state as far as translation depends on it, as of the last exit. Costs what the two
 * calls above cost, and one system call more for each of: the PDPTE registers (only in PAE mode),
 * PKRU (only with CR4.PKE), PKRS (only with CR4.PKS). Fails with VMM_SYSTEM.
 */
VMM_CHECKED enum vmm_status vmm_vcpu_x86_state(struct vmm_vcpu *vcpu, struct pw_x86_state *state);

/*
 * The vCPU's current address space, over the VM's RAM; whatever loader or boot path made it.
 * The space is a copy of the control registers: it goes stale when the guest changes them.
 * Fails with VMM_SYSTEM, or VMM_INVALID when libpagewalk refuses the registers.
 */
VMM_CHECKED enum vmm_status vmm_vcpu_space(struct vmm_vcpu *vcpu, struct pw_space *space);

/*
 * What KVM itself says about `va`: VMM_OK with *pa, or VMM_UNHANDLED when it has no translation.
 * An oracle for tests rather than a tool: it sets the Accessed bit in the guest's entries, knows
 * nothing of rights, takes some non-canonical addresses for good, and answers with addresses
 * outside RAM. One system call of several microseconds.
 */
VMM_CHECKED enum vmm_status vmm_translate_kvm(struct vmm_vcpu *vcpu, uint64_t va, uint64_t *pa);

#ifdef __cplusplus
}
#endif

#endif
