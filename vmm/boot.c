/* SPDX-License-Identifier: MIT */
/* The state in which a guest's first instruction runs. */
#include <pagewalk_vmm/vcpu.h>

#include <inttypes.h>
#include <string.h>

#include "error.h"

/* The boot area of guest RAM, one page each (vcpu.h names its bounds). */
#define GDT_GPA  VMM_BOOT_FIRST
#define PML4_GPA (VMM_BOOT_FIRST + 0x1000)
#define PDPT_GPA (VMM_BOOT_FIRST + 0x2000)
#define PD_GPA   (VMM_BOOT_FIRST + 0x3000)
#define PD_COUNT 4 /* 1 GiB each */

_Static_assert(PD_GPA + PD_COUNT * VMM_PAGE_BYTES - 1 == VMM_BOOT_LAST_LONG, "the area holds them");
_Static_assert(VMM_BOOT_LAST_LONG < VMM_MEMORY_MIN, "the smallest guest has the whole area");

#define PTE_PRESENT      UINT64_C(0x01)
#define PTE_WRITE        UINT64_C(0x02)
#define PTE_LARGE        UINT64_C(0x80)
#define LARGE_PAGE_BYTES UINT64_C(0x200000)
#define ENTRIES          512

#define CR0_PE   UINT64_C(0x00000001)
#define CR0_ET   UINT64_C(0x00000010)
#define CR0_NE   UINT64_C(0x00000020)
#define CR0_WP   UINT64_C(0x00010000)
#define CR0_PG   UINT64_C(0x80000000)
#define CR4_PAE  UINT64_C(0x20)
#define EFER_LME UINT64_C(0x100)
#define EFER_LMA UINT64_C(0x400)

#define SELECTOR_CODE32 0x08
#define SELECTOR_DATA   0x10
#define SELECTOR_CODE64 0x18

/* SDM "Segment Descriptors": flat 4 GiB, present, ring 0, accessed. */
static const uint64_t boot_gdt[] = {
	0, UINT64_C(0x00cf9b000000ffff), /* 32-bit code */
	UINT64_C(0x00cf93000000ffff),    /* data */
	UINT64_C(0x00af9b000000ffff),    /* 64-bit code */
};

static struct kvm_segment flat_segment(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){
		.base = 0,
		.limit = UINT32_MAX,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
}

static void set_flat_segments(struct kvm_sregs *sregs)
{
	struct kvm_segment data = flat_segment(SELECTOR_DATA, 3);

	sregs->cs = flat_segment(SELECTOR_CODE32, 11);
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->gdt.base = GDT_GPA;
	sregs->gdt.limit = sizeof boot_gdt - 1;
	sregs->idt.base = 0;
	sregs->idt.limit = 0; /* an early exception is a clean triple fault */
	sregs->cr0 = CR0_PE | CR0_ET | CR0_NE;
}

static void write_identity_tables(const struct vmm_vm *vm)
{
	uint64_t *pml4 = vmm_vm_host(vm, PML4_GPA, VMM_PAGE_BYTES);
	uint64_t *pdpt = vmm_vm_host(vm, PDPT_GPA, VMM_PAGE_BYTES);
	uint64_t *pd = vmm_vm_host(vm, PD_GPA, PD_COUNT * VMM_PAGE_BYTES);

	memset(pml4, 0, VMM_PAGE_BYTES);
	memset(pdpt, 0, VMM_PAGE_BYTES);
	pml4[0] = PDPT_GPA | PTE_PRESENT | PTE_WRITE;
	for (unsigned i = 0; i < PD_COUNT; i++)
		pdpt[i] = (PD_GPA + i * VMM_PAGE_BYTES) | PTE_PRESENT | PTE_WRITE;
	for (unsigned i = 0; i < PD_COUNT * ENTRIES; i++)
		pd[i] = i * LARGE_PAGE_BYTES | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
}

static void set_real(struct kvm_sregs *sregs, uint64_t *entry)
{
	/* CS takes what the 16-bit IP cannot hold. */
	sregs->cs.base = *entry & 0xf0000;
	sregs->cs.selector = (uint16_t)(sregs->cs.base >> 4);
	*entry &= 0xffff;
}

static void set_long(const struct vmm_vm *vm, struct kvm_sregs *sregs)
{
	write_identity_tables(vm);
	sregs->cs.selector = SELECTOR_CODE64;
	sregs->cs.l = 1;
	sregs->cs.db = 0;
	sregs->cr3 = PML4_GPA;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
	sregs->cr0 |= CR0_PG | CR0_WP;
}

static enum vmm_status check_boot(struct vmm_vcpu *vcpu, enum vmm_mode mode, uint64_t entry)
{
	uint64_t last = mode == VMM_MODE_REAL ? 0xfffff : UINT32_MAX;

	if (entry > last)
		return vmm_error_set(&vcpu->error, VMM_INVALID,
			"the entry point %#" PRIx64 " cannot be reached in this mode", entry);
	if (mode == VMM_MODE_LONG && !vcpu->model.long_mode)
		return vmm_error_set(
			&vcpu->error, VMM_UNSUPPORTED, "this host's KVM offers no long mode");
	return VMM_OK;
}

enum vmm_status vmm_vcpu_boot(struct vmm_vcpu *vcpu, enum vmm_mode mode, uint64_t entry)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = {.rflags = 2}; /* bit 1 is always 1 */
	enum vmm_status status = check_boot(vcpu, mode, entry);

	if (status == VMM_OK)
		status = vmm_vcpu_get_sregs(vcpu, &sregs);
	if (status != VMM_OK)
		return status;
	if (mode == VMM_MODE_REAL) {
		set_real(&sregs, &entry);
	} else {
		set_flat_segments(&sregs);
		memcpy(vmm_vm_host(vcpu->vm, GDT_GPA, sizeof boot_gdt), boot_gdt, sizeof boot_gdt);
	}
	if (mode == VMM_MODE_LONG)
		set_long(vcpu->vm, &sregs);
	status = vmm_vcpu_set_sregs(vcpu, &sregs);
	if (status != VMM_OK)
		return status;
	regs.rip = entry;
	return vmm_vcpu_set_regs(vcpu, &regs);
}
