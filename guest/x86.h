/* SPDX-License-Identifier: MIT */
/* Control registers, MSRs and table entries of x86-64. SDM vol. 3A "4-Level Paging". */
#ifndef GUEST_X86_H
#define GUEST_X86_H

#include <stdbool.h>
#include <stdint.h>

#define PTE_PRESENT       (UINT64_C(1) << 0)
#define PTE_WRITE         (UINT64_C(1) << 1)
#define PTE_USER          (UINT64_C(1) << 2)
#define PTE_WRITE_THROUGH (UINT64_C(1) << 3)
#define PTE_CACHE_DISABLE (UINT64_C(1) << 4)
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

#define CPUID_EXTENDED_MAX 0x80000000u
#define CPUID_EXTENDED     0x80000001u
#define CPUID_EDX_NX       (1u << 20)
#define CPUID_EDX_1G       (1u << 26)

static inline uint64_t x86_read_cr0(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	return value;
}

static inline void x86_write_cr0(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static inline uint64_t x86_read_cr2(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

static inline void x86_write_cr2(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr2" : : "r"(value));
}

static inline void x86_write_cr3(uint64_t value)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

static inline void x86_invalidate_page(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
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

/* EDX of an extended CPUID leaf, 0 where the processor does not have it. */
static inline uint32_t x86_extended_edx(void)
{
	uint32_t a = CPUID_EXTENDED_MAX, b, c, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	if (a < CPUID_EXTENDED)
		return 0;
	a = CPUID_EXTENDED;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	return d;
}

#endif
