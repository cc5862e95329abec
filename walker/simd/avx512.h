/* SPDX-License-Identifier: MIT */
/* Private: vector code for x86-64 hosts with AVX-512 F, DQ, BW and VL, and BMI2. */
#ifndef PW_SIMD_AVX512_H
#define PW_SIMD_AVX512_H

#include "../kernels.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(PW_NO_SIMD)
size_t pw_batch_avx512(const struct pw_space *space, const pw_va *va, size_t count,
	pw_access access, struct pw_hit *hits);
void pw_fill_avx512(uint64_t *at, uint64_t count, uint64_t value, uint64_t stride);
uint64_t pw_change_avx512(uint64_t *at, const uint64_t *ahead, uint64_t count,
	const struct pw_presence *present, uint64_t keep, uint64_t set);
void pw_survey_avx512(const uint64_t *at, const uint64_t *ahead, uint64_t count,
	const struct pw_presence *present, struct pw_common *common);
bool pw_alike_avx512(const uint64_t *at, const uint64_t *ahead, uint64_t count, uint64_t keep,
	uint64_t expected, uint64_t stride, struct pw_common *common);
uint64_t pw_scan_avx512(struct pw_scan *scan);
void pw_find_tables_avx512(const struct pw_level *row, const char *at, const char *next,
	uint64_t count, uint64_t *tables, uint64_t *present);
struct pw_take_counts pw_take_avx512(uint64_t *at, const uint64_t *ahead, uint64_t count,
	const struct pw_take_masks *masks, uint64_t *accessed, uint64_t *dirty);
#endif

#endif
