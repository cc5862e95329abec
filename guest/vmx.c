/* SPDX-License-Identifier: MIT */
/* Runs a nested guest by VMLAUNCH and VMRESUME. */
#include "vmx.h"

#include "vmx_fields.h"

#define CPUID_ECX_VMX    (1u << 5)
#define CR4_VMXE         (UINT64_C(1) << 13)
#define MSR_FEATURES     0x3au
#define FEATURES_LOCKED  1u
#define FEATURES_VMXON   4u
#define MSR_BASIC        0x480u
#define BASIC_TRUE       (UINT64_C(1) << 55)
#define MSR_PIN          0x481u /* ..., PROCESSOR, EXIT, ENTRY; the true ones: */
#define MSR_TRUE_PIN     0x48du
#define MSR_CR0_FIXED_0  0x486u
#define MSR_CR0_FIXED_1  0x487u
#define MSR_CR4_FIXED_0  0x488u
#define MSR_CR4_FIXED_1  0x489u
#define MSR_SECONDARY    0x48bu
#define MSR_EPT_VPID_CAP 0x48cu

#define RIGHTS_CODE_64   0xa09bu /* present, accessed */
#define RIGHTS_CODE_32   0xc09bu
#define RIGHTS_DATA      0xc093u
#define RIGHTS_DPL3      0x60u
#define RIGHTS_TSS       0x8bu
#define RIGHTS_UNUSABLE  0x10000u
#define HOST_CODE        0x08u
#define HOST_DATA        0x10u
#define HOST_TSS         0x20u
#define INVEPT_ALL       2u
#define ENTRY_FAILED     (UINT64_C(1) << 31)
#define INTERRUPT_VECTOR 0xffu
#define EFER_LMA         (UINT64_C(1) << 10)

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint64_t base;
};

bool vmx_enter(uint64_t registers[2], bool resume);

struct vmx_capabilities vmx_capabilities;
struct vmx_nested vmx_nested;

static _Alignas(4096) uint32_t vmxon_region[1024], vmcs[1024];
static bool launched;

static void write_field(uint64_t field, uint64_t value)
{
	__asm__ volatile("vmwrite %1, %0" : : "r"(field), "r"(value) : "cc", "memory");
}

static uint64_t read_field(uint64_t field)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc");
	return value;
}

/* SDM "VMX Capability Reporting Facility": low word what must be 1, high word what may be. */
static uint32_t adjust(uint32_t msr, uint32_t wanted)
{
	uint64_t allowed = x86_read_msr(msr);

	return (uint32_t)((wanted | allowed) & allowed >> 32);
}

/* n: 0 pin-based, 1 processor-based, 2 exit, 3 entry. */
static uint32_t adjust_basic(unsigned n, uint32_t wanted)
{
	bool has_true = x86_read_msr(MSR_BASIC) & BASIC_TRUE;

	return adjust((has_true ? MSR_TRUE_PIN : MSR_PIN) + n, wanted);
}

static bool has_ept(void)
{
	if (!(adjust_basic(1, VMX_PROCESSOR_SECONDARY) & VMX_PROCESSOR_SECONDARY))
		return false;
	return adjust(MSR_SECONDARY, VMX_SECONDARY_EPT) & VMX_SECONDARY_EPT;
}

static bool is_allowed(void)
{
	uint64_t features = x86_read_msr(MSR_FEATURES);

	if (!(features & FEATURES_LOCKED)) {
		features |= FEATURES_LOCKED | FEATURES_VMXON;
		x86_write_msr(MSR_FEATURES, features);
	}
	return features & FEATURES_VMXON;
}

static bool switch_on(void)
{
	uint32_t revision = (uint32_t)x86_read_msr(MSR_BASIC) & 0x7fffffff;
	uint64_t region = (uintptr_t)vmxon_region, current = (uintptr_t)vmcs;
	bool failed;

	vmxon_region[0] = vmcs[0] = revision;
	x86_write_cr0(
		(x86_read_cr0() | x86_read_msr(MSR_CR0_FIXED_0)) & x86_read_msr(MSR_CR0_FIXED_1));
	x86_write_cr4((x86_read_cr4() | CR4_VMXE | x86_read_msr(MSR_CR4_FIXED_0)) &
		      x86_read_msr(MSR_CR4_FIXED_1));
	__asm__ volatile("vmxon %1; setna %0" : "=qm"(failed) : "m"(region) : "cc", "memory");
	if (!failed)
		__asm__ volatile("vmclear %1; setna %0"
				 : "=qm"(failed)
				 : "m"(current)
				 : "cc", "memory");
	if (!failed)
		__asm__ volatile("vmptrld %1; setna %0"
				 : "=qm"(failed)
				 : "m"(current)
				 : "cc", "memory");
	return !failed;
}

static void set_host(void)
{
	struct table_register gdtr, idtr;

	__asm__ volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
	for (unsigned i = 0; i < 6; i++)
		write_field(VMX_HOST_SELECTOR(i), i == VMX_CS ? HOST_CODE : HOST_DATA);
	write_field(VMX_HOST_TR, HOST_TSS);
	write_field(VMX_HOST_EFER, x86_read_msr(MSR_EFER));
	write_field(VMX_HOST_CR0, x86_read_cr0());
	write_field(VMX_HOST_CR3, x86_read_cr3());
	write_field(VMX_HOST_CR4, x86_read_cr4());
	write_field(VMX_HOST_GDTR_BASE, gdtr.base);
	write_field(VMX_HOST_IDTR_BASE, idtr.base);
	write_field(VMX_LINK, ~UINT64_C(0));
}

bool nested_cpu_init(void)
{
	const char *why = NULL;

	if (!(x86_cpuid(1).ecx & CPUID_ECX_VMX))
		why = "the processor does not have it";
	else if (!is_allowed())
		why = "the firmware has switched it off";
	else if (!has_ept())
		why = "the processor has no EPT";
	else if (!switch_on())
		why = "VMXON fails";
	if (why) {
		nested_skip("VMX", why);
		return false;
	}
	x86_write_msr(MSR_EFER, x86_read_msr(MSR_EFER) | EFER_NXE);
	vmx_capabilities = (struct vmx_capabilities){
		.ept = x86_read_msr(MSR_EPT_VPID_CAP),
		.mode_based =
			adjust(MSR_SECONDARY, VMX_SECONDARY_MODE_BASED) & VMX_SECONDARY_MODE_BASED,
	};
	set_host();
	return true;
}

static void set_controls(bool long_mode)
{
	uint32_t secondary = VMX_SECONDARY_EPT;

	if (vmx_nested.mode_based)
		secondary |= VMX_SECONDARY_MODE_BASED;
	write_field(VMX_PIN, adjust_basic(0, 0));
	write_field(VMX_PROCESSOR, adjust_basic(1, VMX_PROCESSOR_SECONDARY | VMX_PROCESSOR_HLT));
	write_field(VMX_SECONDARY, adjust(MSR_SECONDARY, secondary));
	write_field(VMX_EXIT,
		adjust_basic(2, VMX_EXIT_HOST_64 | VMX_EXIT_SAVE_EFER | VMX_EXIT_LOAD_EFER));
	write_field(VMX_ENTRY,
		adjust_basic(3, VMX_ENTRY_LOAD_EFER | (long_mode ? VMX_ENTRY_LONG_MODE : 0)));
	write_field(VMX_EXCEPTIONS, 0xffffffff);
	write_field(VMX_EPTP, vmx_nested.eptp);
}

static void set_segment(unsigned n, unsigned selector, uint64_t rights, uint64_t limit)
{
	write_field(VMX_GUEST_SELECTOR(n), selector);
	write_field(VMX_GUEST_RIGHTS(n), rights);
	write_field(VMX_GUEST_LIMIT(n), limit);
	write_field(VMX_GUEST_BASE(n), 0);
}

static void set_guest(const struct nested_guest *guest, bool long_mode)
{
	unsigned ring = guest->user ? 3 : 0, dpl = guest->user ? RIGHTS_DPL3 : 0;
	uint64_t cr0 = guest->cr0 | x86_read_msr(MSR_CR0_FIXED_0);
	uint64_t cr4 = guest->cr4 | x86_read_msr(MSR_CR4_FIXED_0);

	for (unsigned i = 0; i < 6; i++)
		set_segment(i, HOST_DATA | ring, RIGHTS_DATA | dpl, 0xffffffff);
	set_segment(VMX_CS, HOST_CODE | ring, (long_mode ? RIGHTS_CODE_64 : RIGHTS_CODE_32) | dpl,
		0xffffffff);
	set_segment(VMX_LDTR, 0, RIGHTS_UNUSABLE, 0);
	set_segment(VMX_TR, HOST_TSS, RIGHTS_TSS, 0x67);
	write_field(VMX_GUEST_CR0, cr0);
	write_field(VMX_CR0_SHADOW, cr0);
	write_field(VMX_GUEST_CR3, guest->cr3);
	write_field(VMX_GUEST_CR4, cr4);
	write_field(VMX_CR4_SHADOW, cr4);
	write_field(VMX_GUEST_EFER, guest->efer);
	for (unsigned i = 0; i < 4; i++)
		write_field(VMX_GUEST_PDPTE(i), guest->pdpte[i]);
	write_field(VMX_GUEST_DR7, 0x400);
	write_field(VMX_GUEST_RSP, 0);
	write_field(VMX_GUEST_RIP, guest->rip);
	write_field(VMX_GUEST_RFLAGS, 2);
}

static enum nested_end_kind kind_of(uint64_t reason)
{
	switch (reason) {
	case VMX_EXIT_CPUID:
		return NESTED_DONE;
	case VMX_EXIT_VIOLATION:
		return NESTED_VIOLATION;
	case VMX_EXIT_MISCONFIGURED:
		return NESTED_MISCONFIGURED;
	case VMX_EXIT_EXCEPTION:
		return NESTED_EXCEPTION;
	default:
		return NESTED_OTHER;
	}
}

static void forget_translations(void)
{
	const uint64_t nothing[2] = {0, 0};

	if (vmx_capabilities.ept & VMX_EPT_INVEPT_ALL)
		__asm__ volatile("invept %0, %1"
				 :
				 : "m"(nothing), "r"((uint64_t)INVEPT_ALL)
				 : "cc", "memory");
}

void nested_cpu_run(const struct nested_guest *guest, struct nested_exit *end)
{
	uint64_t registers[2] = {guest->rax, guest->rdi};
	bool long_mode = guest->efer & EFER_LMA;

	set_controls(long_mode);
	set_guest(guest, long_mode);
	forget_translations();
	*end = (struct nested_exit){.kind = NESTED_OTHER};
	if (!vmx_enter(registers, launched)) {
		end->reason = ENTRY_FAILED;
		end->qualification = read_field(VMX_ERROR);
		return;
	}
	launched = true;
	end->reason = read_field(VMX_REASON);
	end->kind = kind_of(end->reason);
	end->qualification = read_field(VMX_QUALIFICATION);
	end->gpa = read_field(VMX_GUEST_PHYSICAL);
	end->gla = read_field(VMX_GUEST_LINEAR);
	end->has_gla = end->kind == NESTED_VIOLATION && end->qualification & VMX_VIOLATION_LINEAR;
	end->rax = registers[0];
	end->rip = read_field(VMX_GUEST_RIP);
	if (end->kind == NESTED_EXCEPTION) {
		/* The qualification of a page fault is its address. */
		end->gpa = end->qualification;
		end->vector = read_field(VMX_EXIT_INTERRUPT) & INTERRUPT_VECTOR;
		end->qualification = read_field(VMX_EXIT_ERROR_CODE);
	}
}
