/* SPDX-License-Identifier: MIT */
/* A virtual machine: the KVM descriptors and the guest's RAM. */
#ifndef PAGEWALK_VMM_VM_H
#define PAGEWALK_VMM_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pagewalk/pagewalk.h>
#include <pagewalk_vmm/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VMM_PAGE_BYTES UINT64_C(4096)
#define VMM_MEMORY_MIN UINT64_C(0x100000) /* 1 MiB: what real mode can address */
#define VMM_HOLE_FIRST UINT64_C(0xc0000000)
#define VMM_HOLE_LAST  UINT64_C(0xffffffff)

#define VMM_VCPUS_MAX 64

struct vmm_vm_config {
	const char *device;    /* NULL means "/dev/kvm" */
	uint64_t memory_bytes; /* guest RAM: a multiple of 4096, at least VMM_MEMORY_MIN */
	/*
	 * KVM's own interrupt controllers (two 8259, I/O APIC, local APICs) and 8254 timer. A vCPU
	 * that halts then waits inside KVM for an interrupt instead of coming back.
	 */
	bool irqchip;
	unsigned vcpus; /* how many CPUID tells the guest of; 0 means 1; more need irqchip */
};

/*
 * Filled by vmm_vm_create(); read the fields, do not write them. Guest RAM starts at guest-physical
 * address 0. What does not fit under VMM_HOLE_FIRST continues at 4 GiB, so that the range in
 * between stays free for devices. The object must not be moved: `memory` points into it.
 *
 * Thread safety: after vmm_vm_create() the fields are constant and may be read by every thread.
 * `error` is not: calls that take a struct vmm_vm and can fail belong to one thread at a time.
 */
struct vmm_vm {
	struct vmm_error error;
	int kvm_fd;
	int vm_fd;
	size_t run_bytes; /* size of the area that KVM shares with us for each vCPU */
	bool irqchip;
	unsigned vcpus;
	uint64_t memory_bytes;
	struct pw_window windows[2];
	unsigned window_count;
	struct pw_memory memory; /* the same RAM, for libpagewalk: directly addressable windows */
};

/*
 * Opens KVM, creates a VM and gives it zeroed RAM.
 *
 * Fails with VMM_NO_DEVICE, VMM_DENIED or VMM_NOT_KVM for the device, VMM_INVALID for a size that
 * is 0, under VMM_MEMORY_MIN or not a multiple of 4096 and for a number of vCPUs above
 * VMM_VCPUS_MAX or without the irqchip it needs, VMM_UNSUPPORTED where this KVM has no irqchip or
 * fewer vCPUs, VMM_NO_MEMORY for RAM that the host cannot give, VMM_SYSTEM otherwise. The reason
 * stands in vm->error, also after a failure; nothing has to be destroyed then, though
 * vmm_vm_destroy() may be called.
 */
VMM_CHECKED enum vmm_status vmm_vm_create(struct vmm_vm *vm, const struct vmm_vm_config *config);

/* Frees RAM and descriptors. Destroy the vCPUs first. Calling it again does nothing. */
void vmm_vm_destroy(struct vmm_vm *vm);

/*
 * The host address of guest-physical [gpa, gpa + bytes), or NULL unless the whole range is RAM
 * without a gap. A range of 0 bytes is NULL. The guest may write there at any moment.
 */
void *vmm_vm_host(const struct vmm_vm *vm, uint64_t gpa, uint64_t bytes);

/* Copies out of guest RAM; false, with `buffer` untouched, unless the whole range is RAM. */
VMM_CHECKED bool vmm_vm_read(const struct vmm_vm *vm, uint64_t gpa, void *buffer, size_t bytes);

/* Copies into guest RAM; false, with RAM untouched, unless the whole range is RAM. */
VMM_CHECKED bool vmm_vm_write(
	const struct vmm_vm *vm, uint64_t gpa, const void *data, size_t bytes);

/*
 * Sets an input line of the interrupt controllers: 0 to 15 as on a PC (to the 8259 and the I/O
 * APIC, where line 0 is pin 2), 16 to 23 to the I/O APIC alone. Fails with VMM_INVALID in a VM
 * without irqchip or for another number, or VMM_SYSTEM.
 */
VMM_CHECKED enum vmm_status vmm_vm_set_irq(struct vmm_vm *vm, unsigned line, bool level);

#ifdef __cplusplus
}
#endif

#endif
