/* SPDX-License-Identifier: MIT */
/* Fields of the VMCS and bits of its controls. SDM vol. 3D, "Field Encoding in VMCS". */
#ifndef GUEST_VMX_FIELDS_H
#define GUEST_VMX_FIELDS_H

/* Of a segment register's number: ES, CS, SS, DS, FS, GS, LDTR, TR. */
#define VMX_GUEST_SELECTOR(n) (0x800u + 2 * (n))
#define VMX_GUEST_LIMIT(n)    (0x4800u + 2 * (n))
#define VMX_GUEST_RIGHTS(n)   (0x4814u + 2 * (n))
#define VMX_GUEST_BASE(n)     (0x6806u + 2 * (n))
#define VMX_CS                1u
#define VMX_LDTR              6u
#define VMX_TR                7u

#define VMX_HOST_SELECTOR(n) (0xc00u + 2 * (n)) /* ES to GS, then TR */
#define VMX_HOST_TR          0xc0cu
#define VMX_HOST_PAT         0x2c00u
#define VMX_HOST_EFER        0x2c02u
#define VMX_HOST_CR0         0x6c00u
#define VMX_HOST_CR3         0x6c02u
#define VMX_HOST_CR4         0x6c04u
#define VMX_HOST_TR_BASE     0x6c0au
#define VMX_HOST_GDTR_BASE   0x6c0cu
#define VMX_HOST_IDTR_BASE   0x6c0eu

#define VMX_EPTP             0x201au
#define VMX_GUEST_PHYSICAL   0x2400u
#define VMX_LINK             0x2800u
#define VMX_GUEST_EFER       0x2806u
#define VMX_GUEST_PDPTE(n)   (0x280au + 2 * (n))
#define VMX_PIN              0x4000u
#define VMX_PROCESSOR        0x4002u
#define VMX_EXCEPTIONS       0x4004u
#define VMX_EXIT             0x400cu
#define VMX_ENTRY            0x4012u
#define VMX_SECONDARY        0x401eu
#define VMX_ERROR            0x4400u
#define VMX_REASON           0x4402u
#define VMX_EXIT_INTERRUPT   0x4404u
#define VMX_EXIT_ERROR_CODE  0x4406u
#define VMX_GUEST_GDTR_LIMIT 0x4810u
#define VMX_GUEST_IDTR_LIMIT 0x4812u
#define VMX_CR0_SHADOW       0x6004u
#define VMX_CR4_SHADOW       0x6006u
#define VMX_QUALIFICATION    0x6400u
#define VMX_GUEST_LINEAR     0x640au
#define VMX_GUEST_CR0        0x6800u
#define VMX_GUEST_CR3        0x6802u
#define VMX_GUEST_CR4        0x6804u
#define VMX_GUEST_DR7        0x681au
#define VMX_GUEST_RSP        0x681cu
#define VMX_GUEST_RIP        0x681eu
#define VMX_GUEST_RFLAGS     0x6820u

#define VMX_PROCESSOR_HLT        (1u << 7)
#define VMX_PROCESSOR_SECONDARY  (1u << 31)
#define VMX_SECONDARY_EPT        (1u << 1)
#define VMX_SECONDARY_MODE_BASED (1u << 22)
#define VMX_EXIT_HOST_64         (1u << 9)
#define VMX_EXIT_SAVE_EFER       (1u << 20)
#define VMX_EXIT_LOAD_EFER       (1u << 21)
#define VMX_ENTRY_LONG_MODE      (1u << 9)
#define VMX_ENTRY_LOAD_EFER      (1u << 15)

#endif
