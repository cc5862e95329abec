/* SPDX-License-Identifier: MIT */
/* Control registers, MSRs and table entries. SDM vol. 3A "Paging". */
#ifndef GUEST_X86_H
#define GUEST_X86_H

#include <stdbool.h>
#include <stdint.h>

#define PTE_PRESENT       (UINT64_C(1) << 0)
#define PTE_WRITE         (UINT64_C(1) << 1)
#define PTE_USER          (UINT64_C(1) << 2)
#define PTE_WRITE_THROUGH (UINT64_C(1) << 3)
#define PTE_CACHE_DISABLE (UINT64_C(1) << 4)
#define PTE_ACCESSED      (UINT64_C(1) << 5)
#define PTE_DIRTY         (UINT64_C(1) << 6)
#define PTE_LARGE         (UINT64_C(1) << 7) /* above level 0 */
#define PTE_PAT_4K        (UINT64_C(1) << 7) /* at level 0 */
#define PTE_GLOBAL        (UINT64_C(1) << 8)
#define PTE_PAT_LARGE     (UINT64_C(1) << 12)
#define PTE_SOFTWARE      (UINT64_C(0x07f0000000000e00)) /* bits 9 to 11 and 52 to 58 */
#define PTE_NO_EXECUTE    (UINT64_C(1) << 63)
#define PTE_ADDRESS       UINT64_C(0x000ffffffffff000)

#define CR0_WP   (UINT64_C(1) << 16)
#define MSR_EFER 0xc0000080u
#define EFER_NXE (UINT64_C(1) << 11)

#define CR0_PG   (UINT64_C(1) << 31)
#define CR4_PAE  (UINT64_C(1) << 5)
#define CR4_LA57 (UINT64_C(1) << 12)
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)
#define CR4_PKE  (UINT64_C(1) << 22)

#define CPUID_EXTENDED_MAX 0x80000000u
#define CPUID_EXTENDED     0x80000001u
#define CPUID_EDX_NX       (1u << 20)
#define CPUID_EDX_1G       (1u << 26)

static inline uint64_t x86_read_cr0(void)
{
	unsigned long value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	return value;
}

static inline void x86_write_cr0(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"((unsigned long)value) : "memory");
}

static inline uint64_t x86_read_cr2(void)
{
	unsigned long value;

	__asm__ volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

static inline void x86_write_cr2(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr2" : : "r"((unsigned long)value));
}

static inline uint64_t x86_read_cr3(void)
{
	unsigned long value;

	__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

static inline void x86_write_cr3(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"((unsigned long)value) : "memory");
}

static inline uint64_t x86_read_cr4(void)
{
	unsigned long value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static inline void x86_write_cr4(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"((unsigned long)value) : "memory");
}

/* EFLAGS as a whole: interrupts must be off before and after. */
static inline void x86_write_flags(uint64_t value)
{
	__asm__ volatile("push %0; popf" : : "r"((unsigned long)value) : "cc", "memory");
}

/* Needs CR4.PKE. */
static inline void x86_write_pkru(uint32_t value)
{
	__asm__ volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
}

static inline void x86_invalidate_page(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"((unsigned long)va) : "memory");
}

static inline uint64_t x86_read_msr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void x86_write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

struct x86_cpuid {
	uint32_t eax, ebx, ecx, edx;
};

/* Sub-leaf 0; all 0 where the processor does not have the leaf. */
static inline struct x86_cpuid x86_cpuid(uint32_t leaf)
{
	struct x86_cpuid r = {leaf & CPUID_EXTENDED_MAX, 0, 0, 0};

	__asm__ volatile("cpuid" : "+a"(r.eax), "=b"(r.ebx), "+c"(r.ecx), "=d"(r.edx));
	if (r.eax < leaf)
		return (struct x86_cpuid){0, 0, 0, 0};
	r = (struct x86_cpuid){leaf, 0, 0, 0};
	__asm__ volatile("cpuid" : "+a"(r.eax), "=b"(r.ebx), "+c"(r.ecx), "=d"(r.edx));
	return r;
}

/* EDX of an extended CPUID leaf, 0 where the processor does not have it. */
static inline uint32_t x86_extended_edx(void)
{
	return x86_cpuid(CPUID_EXTENDED).edx;
}

#endif
