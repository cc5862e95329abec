/* SPDX-License-Identifier: MIT */
/* Private: vector code for x86-64 hosts with AVX-512 F, DQ, BW and VL, and BMI2. */
#ifndef PW_SIMD_AVX512_H
#define PW_SIMD_AVX512_H

#include "../kernels.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(PW_NO_SIMD)
size_t pw_batch_avx512(const struct pw_space *space, const pw_va *va, size_t count,
	pw_access access, struct pw_hit *hits);
#endif

#endif
