/* SPDX-License-Identifier: MIT */
/* Which vector code this CPU can run. Asked of the CPU itself: no library, no global state. */
#include "avx512.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(PW_NO_SIMD)
#include <cpuid.h>

static bool state_is_saved(void)
{
	unsigned eax, ebx, ecx, edx;

	/* OSXSAVE, and in XCR0 the state of XMM, YMM, opmask and both halves of ZMM. */
	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
		return false;
	__asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	return (eax & 0xe6) == 0xe6;
}

static bool has_avx512(void)
{
	const unsigned need = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL | bit_BMI2;
	unsigned eax, ebx, ecx, edx;

	return state_is_saved() && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) &&
	       (ebx & need) == need;
}

const struct pw_kernels *pw_kernels_best(void)
{
	static const struct pw_kernels avx512 = {.name = "AVX-512",
		.batch = pw_batch_avx512,
		.fill = pw_fill_avx512,
		.change = pw_change_avx512,
		.survey = pw_survey_avx512,
		.alike = pw_alike_avx512,
		.scan = pw_scan_avx512,
		.find_tables = pw_find_tables_avx512,
		.take = pw_take_avx512};

	return has_avx512() ? &avx512 : NULL;
}

#else

const struct pw_kernels *pw_kernels_best(void)
{
	return NULL;
}

#endif
