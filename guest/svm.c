/* SPDX-License-Identifier: MIT */
/* Runs a nested guest by VMRUN. */
#include "svm.h"

#define CPUID_ECX_SVM   (1u << 2)
#define MSR_VM_CR       0xc0010114u
#define VM_CR_SVMDIS    (1u << 4)
#define MSR_VM_HSAVE_PA 0xc0010117u
#define EFER_SVME       (UINT64_C(1) << 12)
#define EFER_LMA        (UINT64_C(1) << 10)

#define INTERCEPT_CPUID    (1u << 18)
#define INTERCEPT_HLT      (1u << 24)
#define INTERCEPT_SHUTDOWN (1u << 31)
#define INTERCEPT_VMRUN    (1u << 0)
#define NESTED_PAGING      (UINT64_C(1) << 0)
#define NESTED_GMET        (UINT64_C(1) << 3)
#define FLUSH_EVERYTHING   1

#define ATTRIBUTES_CODE    0x029bu /* present, 64-bit */
#define ATTRIBUTES_CODE_32 0x0c9bu
#define ATTRIBUTES_DATA    0x0c93u
#define ATTRIBUTES_DPL3    0x0060u
#define RFLAGS_FIXED       2u
#define DR6_INIT           0xffff0ff0u
#define DR7_INIT           0x400u

struct segment {
	uint16_t selector, attributes;
	uint32_t limit;
	uint64_t base;
};

/* Only what is used has a name. */
struct vmcb {
	uint32_t intercept_cr, intercept_dr, intercept_exceptions, intercept_1, intercept_2;
	uint8_t gap_014[0x58 - 0x14];
	uint32_t asid;
	uint32_t tlb_control;
	uint64_t virtual_interrupt, shadow;
	uint64_t exit_code, exit_info_1, exit_info_2, exit_int_info;
	uint64_t nested_control;
	uint8_t gap_098[0xb0 - 0x98];
	uint64_t nested_cr3;
	uint8_t gap_0b8[0x400 - 0xb8];
	struct segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t gap_4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t gap_4cc;
	uint64_t efer;
	uint8_t gap_4d8[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t gap_580[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t gap_5e0[0x5f8 - 0x5e0];
	uint64_t rax;
	uint8_t gap_600[0x640 - 0x600];
	uint64_t cr2;
	uint8_t gap_648[0x668 - 0x648];
	uint64_t pat;
	uint8_t gap_670[0x1000 - 0x670];
};

_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "APM appendix B");
_Static_assert(offsetof(struct vmcb, nested_control) == 0x90, "APM appendix B");
_Static_assert(offsetof(struct vmcb, idtr) == 0x480, "APM appendix B");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "APM appendix B");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "APM appendix B");
_Static_assert(offsetof(struct vmcb, rax) == 0x5f8, "APM appendix B");
_Static_assert(sizeof(struct vmcb) == 0x1000, "one page");

#define PAT_RESET UINT64_C(0x0007040600070406)

struct svm_nested svm_nested;

static _Alignas(4096) struct vmcb vmcb;
static _Alignas(4096) uint8_t host_save[4096];

bool nested_cpu_init(void)
{
	if (!(x86_cpuid(CPUID_EXTENDED).ecx & CPUID_ECX_SVM)) {
		nested_skip("SVM", "the processor does not have it");
		return false;
	}
	if (!(x86_cpuid(CPUID_SVM).edx & CPUID_SVM_EDX_NP)) {
		nested_skip("SVM", "the processor has no nested paging");
		return false;
	}
	if (x86_read_msr(MSR_VM_CR) & VM_CR_SVMDIS) {
		nested_skip("SVM", "the firmware has switched it off");
		return false;
	}
	x86_write_msr(MSR_EFER, x86_read_msr(MSR_EFER) | EFER_SVME | EFER_NXE);
	x86_write_msr(MSR_VM_HSAVE_PA, (uintptr_t)host_save);
	return true;
}

static void set_guest(const struct nested_guest *guest)
{
	uint16_t ring = guest->user ? 3 : 0;
	uint16_t dpl = guest->user ? ATTRIBUTES_DPL3 : 0;
	uint16_t code = guest->efer & EFER_LMA ? ATTRIBUTES_CODE : ATTRIBUTES_CODE_32;
	struct segment data = {(uint16_t)(0x10 | ring), ATTRIBUTES_DATA | dpl, 0xffffffff, 0};

	vmcb.es = vmcb.ss = vmcb.ds = vmcb.fs = vmcb.gs = data;
	vmcb.cs = (struct segment){(uint16_t)(0x08 | ring), (uint16_t)(code | dpl), 0xffffffff, 0};
	vmcb.cpl = (uint8_t)ring;
	vmcb.efer = guest->efer | EFER_SVME;
	vmcb.cr0 = guest->cr0;
	vmcb.cr3 = guest->cr3;
	vmcb.cr4 = guest->cr4;
	vmcb.dr6 = DR6_INIT;
	vmcb.dr7 = DR7_INIT;
	vmcb.rflags = RFLAGS_FIXED;
	vmcb.rip = guest->rip;
	vmcb.rsp = 0;
	vmcb.rax = guest->rax;
	vmcb.cr2 = 0;
	vmcb.pat = PAT_RESET;
}

static void set_controls(void)
{
	vmcb.intercept_exceptions = ~0u;
	vmcb.intercept_1 = INTERCEPT_CPUID | INTERCEPT_HLT | INTERCEPT_SHUTDOWN;
	vmcb.intercept_2 = INTERCEPT_VMRUN;
	vmcb.asid = 1;
	vmcb.tlb_control = FLUSH_EVERYTHING;
	vmcb.exit_int_info = 0;
	vmcb.nested_control = NESTED_PAGING | (svm_nested.gmet ? NESTED_GMET : 0);
	vmcb.nested_cr3 = svm_nested.cr3;
}

static enum nested_end_kind kind_of(uint64_t code)
{
	if (code == SVM_EXIT_CPUID)
		return NESTED_DONE;
	if (code == SVM_EXIT_NPF)
		return NESTED_VIOLATION;
	return code - SVM_EXIT_EXCEPTION < 32 ? NESTED_EXCEPTION : NESTED_OTHER;
}

void nested_cpu_run(const struct nested_guest *guest, struct nested_exit *end)
{
	uint64_t rdi = guest->rdi;

	set_guest(guest);
	set_controls();
	__asm__ volatile("clgi; vmrun; stgi" : "+D"(rdi) : "a"(&vmcb) : "memory", "cc");
	*end = (struct nested_exit){
		.kind = kind_of(vmcb.exit_code),
		.reason = vmcb.exit_code,
		.qualification = vmcb.exit_info_1,
		.gpa = vmcb.exit_info_2,
		.rax = vmcb.rax,
		.rip = vmcb.rip,
	};
	if (end->kind == NESTED_EXCEPTION)
		end->vector = (uint32_t)(vmcb.exit_code - SVM_EXIT_EXCEPTION);
}
