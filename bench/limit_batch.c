/* SPDX-License-Identifier: MIT */
/* limit-batch: level by level with AVX-512 gathers and prefetch, in groups of 256. */
#include "batch.h"
#include "bench.h"
#include "x86.h"

#include <stdlib.h>

static const char *missing(void)
{
	return bench_has_avx512() ? NULL : "this processor has no AVX-512 (F, VL, BW, DQ)";
}

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq")))
#define INLINE static inline __attribute__((always_inline)) AVX512
#define GROUP  256u
#define LANES  8u

struct group {
	uint64_t at[GROUP];   /* where the entry stands */
	uint64_t fold[GROUP]; /* AND of the entries, with NX turned round */
	uint64_t entry[GROUP], low[GROUP];
	uint8_t walking[GROUP / LANES]; /* lanes that have not ended */
};

INLINE __m512i slot(__m512i va, unsigned level)
{
	return _mm512_and_epi64(_mm512_srli_epi64(va, 9 + 9 * level), _mm512_set1_epi64(0xff8));
}

INLINE void prefetch(const uint8_t *image, const uint64_t *at)
{
#pragma GCC unroll 8
	for (unsigned i = 0; i < LANES; i++)
		_mm_prefetch((const char *)image + at[i], _MM_HINT_T0);
}

/* One vector, one level down. `entry` keeps the last entry of lanes that ended before. */
INLINE void step(
	const uint8_t *image, const uint64_t *va, struct group *g, size_t i, const unsigned level)
{
	const __m512i present = _mm512_set1_epi64((long long)X86_P);
	__mmask8 walking = level == 3 ? 0xff : g->walking[i / LANES], ended = 0;
	__m512i at = _mm512_loadu_si512(&g->at[i]);
	__m512i entry = level == 3 ? _mm512_setzero_si512() : _mm512_loadu_si512(&g->entry[i]);
	__m512i fold = level == 3 ? _mm512_set1_epi64(-1) : _mm512_loadu_si512(&g->fold[i]);

	entry = _mm512_mask_i64gather_epi64(entry, walking, at, image, 1);
	_mm512_storeu_si512(&g->entry[i], entry);
	/* fold & (entry ^ NX) */
	fold = _mm512_ternarylogic_epi64(fold, entry, _mm512_set1_epi64((long long)X86_NX), 0x60);
	_mm512_storeu_si512(&g->fold[i], fold);
	if (level == 0)
		return;

	ended = _mm512_testn_epi64_mask(entry, present);
	if (level < 3)
		ended |= _mm512_test_epi64_mask(entry, _mm512_set1_epi64((long long)X86_PS));
	_mm512_mask_storeu_epi64(
		&g->low[i], walking & ended, _mm512_set1_epi64((long long)LOW(SHIFT(level))));
	walking &= (__mmask8)~ended;
	g->walking[i / LANES] = walking;
	at = _mm512_mask_add_epi64(at, walking,
		_mm512_and_epi64(entry, _mm512_set1_epi64((long long)X86_ADDRESS)),
		slot(_mm512_loadu_si512(&va[i]), level - 1));
	_mm512_storeu_si512(&g->at[i], at);
	prefetch(image, &g->at[i]);
}

INLINE void finish(
	struct batch *batch, const uint64_t *va, size_t first, size_t i, const struct group *g)
{
	const __m512i bit1 = _mm512_set1_epi64(2), bit2 = _mm512_set1_epi64(4);
	__m512i entry = _mm512_loadu_si512(&g->entry[i]), low = _mm512_loadu_si512(&g->low[i]);
	__m512i fold = _mm512_loadu_si512(&g->fold[i]);
	__m512i pa = _mm512_and_epi64(entry, _mm512_set1_epi64((long long)X86_ADDRESS));
	__mmask8 executable = _mm512_movepi64_mask(fold);
	__mmask8 hole = _mm512_testn_epi64_mask(entry, _mm512_set1_epi64((long long)X86_P));
	__m512i info = _mm512_or_epi64(
		_mm512_and_epi64(fold, bit1), _mm512_slli_epi64(_mm512_and_epi64(fold, bit2), 1));
	/* 12, 21, 30, 39 ones: the level is the number of nines above twelve, in bits 4 and 5 */
	__mmask8 level1 = _mm512_cmpge_epu64_mask(low, _mm512_set1_epi64(LOW(21)));
	__mmask8 level2 = _mm512_cmpge_epu64_mask(low, _mm512_set1_epi64(LOW(30)));
	__mmask8 level3 = _mm512_cmpge_epu64_mask(low, _mm512_set1_epi64(LOW(39)));

	info = _mm512_or_epi64(info, _mm512_set1_epi64(RIGHT_R));
	info = _mm512_mask_or_epi64(info, executable, info, _mm512_set1_epi64(RIGHT_X));
	info = _mm512_mask_or_epi64(info, hole, info, _mm512_set1_epi64(INFO_HOLE));
	info = _mm512_mask_add_epi64(info, level1, info, _mm512_set1_epi64(0x10));
	info = _mm512_mask_add_epi64(info, level2, info, _mm512_set1_epi64(0x10));
	info = _mm512_mask_add_epi64(info, level3, info, _mm512_set1_epi64(0x10));
	/* low ? va : pa, bit by bit */
	pa = _mm512_ternarylogic_epi64(low, _mm512_loadu_si512(&va[i]), pa, 0xca);
	_mm512_storeu_si512(&batch->pa[first + i], pa);
	_mm_storel_epi64((__m128i *)(void *)&batch->info[first + i], _mm512_cvtepi64_epi8(info));
}

static AVX512 void run_group(struct batch *batch, const uint64_t *va, size_t first, size_t count)
{
	const uint8_t *image = batch->image;
	struct group g;

	for (size_t i = 0; i < count; i += LANES) {
		_mm512_storeu_si512(
			&g.at[i], _mm512_add_epi64(_mm512_set1_epi64((long long)batch->root),
					  slot(_mm512_loadu_si512(&va[i]), 3)));
		_mm512_storeu_si512(&g.low[i], _mm512_set1_epi64(LOW(12)));
		step(image, va, &g, i, 3);
	}
	for (size_t i = 0; i < count; i += LANES)
		step(image, va, &g, i, 2);
	for (size_t i = 0; i < count; i += LANES)
		step(image, va, &g, i, 1);
	for (size_t i = 0; i < count; i += LANES) {
		step(image, va, &g, i, 0);
		finish(batch, va, first, i, &g);
	}
}

/* Lists are multiples of the lanes long. */
static void run(void *self, const uint64_t *va, size_t count)
{
	for (size_t i = 0; i < count; i += GROUP)
		run_group(self, va + i, i, count - i < GROUP ? count - i : GROUP);
}

#else

static void run(void *self, const uint64_t *va, size_t count)
{
	(void)self;
	(void)va;
	(void)count;
}

#endif

const struct translator translator_limit_batch = {
	.who = "limit-batch",
	.missing = missing,
	.open = batch_open,
	.run = run,
	.answer = batch_answer,
	.close = free,
	.group = BATCH_MAX,
	.sweeps = true,
	.huge = true,
};
