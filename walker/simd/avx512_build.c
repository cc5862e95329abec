/* SPDX-License-Identifier: MIT */
/*
 * Runs of entries of 8 bytes with AVX-512, on tables that no CPU walks. Every entry is loaded and
 * stored as one aligned lane.
 */
#include "avx512.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(PW_NO_SIMD)
#include <immintrin.h>

#define VECTOR       __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,bmi2"), always_inline))
#define VECTOR_ENTRY __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,bmi2")))
#define LANES        8

static inline VECTOR __m512i splat(uint64_t value)
{
	return _mm512_set1_epi64((long long)value);
}

/* The lanes of the last vector. */
static inline VECTOR __mmask8 tail(uint64_t count)
{
	return (__mmask8)((1u << (count % LANES)) - 1);
}

static inline VECTOR __mmask8 present(const struct pw_presence *p, __m512i entries)
{
	__m512i all = splat(p->all);

	return _mm512_cmpeq_epi64_mask(_mm512_and_si512(entries, all), all) &
	       _mm512_test_epi64_mask(entries, splat(p->any));
}

VECTOR_ENTRY void pw_fill_avx512(uint64_t *at, uint64_t count, uint64_t value, uint64_t stride)
{
	const __m512i lane = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
	__m512i step = splat(LANES * stride), two = splat(2 * LANES * stride);
	__m512i a = _mm512_add_epi64(splat(value), _mm512_mullo_epi64(lane, splat(stride)));
	__m512i b = _mm512_add_epi64(a, step);

	for (; count >= 2 * LANES; count -= 2 * LANES, at += 2 * LANES) {
		_mm512_storeu_si512(at, a);
		_mm512_storeu_si512(at + LANES, b);
		a = _mm512_add_epi64(a, two);
		b = _mm512_add_epi64(b, two);
	}
	if (count >= LANES) {
		_mm512_storeu_si512(at, a);
		a = b;
		at += LANES;
	}
	_mm512_mask_storeu_epi64(at, tail(count), a);
}

static inline VECTOR __m512i change(__m512i old, __m512i keep, __m512i set)
{
	return _mm512_ternarylogic_epi64(old, keep, set, 0xea); /* (old & keep) | set */
}

/* A line of what is ahead for every other vector of a run: half of it by the run's end. */
static inline VECTOR void prefetch_half(const uint64_t *ahead, uint64_t done, unsigned i)
{
	if (i & 1)
		_mm_prefetch((const char *)(ahead + done / 2 + i / 2 * LANES), _MM_HINT_ET0);
}

/* Four vectors an iteration, in which every entry is present. */
static inline VECTOR uint64_t change_pages(uint64_t *at, const uint64_t *ahead, uint64_t count,
	__m512i keep, __m512i set, __m512i *flipped)
{
	uint64_t done = 0;

	for (; done + 4 * LANES <= count; done += 4 * LANES) {
#pragma GCC unroll 4
		for (unsigned i = 0; i < 4; i++) {
			__m512i old = _mm512_loadu_si512(at + done + i * LANES);
			__m512i new = change(old, keep, set);

			_mm512_storeu_si512(at + done + i * LANES, new);
			/* flipped | (old ^ new) */
			*flipped = _mm512_ternarylogic_epi64(*flipped, old, new, 0xf6);
			prefetch_half(ahead, done, i);
		}
	}
	return done;
}

VECTOR_ENTRY uint64_t pw_change_avx512(uint64_t *at, const uint64_t *ahead, uint64_t count,
	const struct pw_presence *p, uint64_t keep, uint64_t set)
{
	__m512i kept = splat(keep), added = splat(set), flipped = _mm512_setzero_si512();
	uint64_t done = p ? 0 : change_pages(at, ahead, count, kept, added, &flipped);

	for (; done < count; done += LANES) {
		__mmask8 given = count - done < LANES ? tail(count - done) : 0xff;
		__m512i old = _mm512_maskz_loadu_epi64(given, at + done);
		__mmask8 lanes = p ? given & present(p, old) : given;
		__m512i new = _mm512_mask_mov_epi64(old, lanes, change(old, kept, added));

		_mm512_mask_storeu_epi64(at + done, given, new);
		flipped = _mm512_ternarylogic_epi64(flipped, old, new, 0xf6);
	}
	return (uint64_t)_mm512_reduce_or_epi64(flipped);
}

/* AND and OR of all entries, four vectors an iteration; returns how many that were. */
static inline VECTOR uint64_t common_of_all(
	const uint64_t *at, const uint64_t *ahead, uint64_t count, uint64_t *all, uint64_t *some)
{
	__m512i a[2] = {splat(~(uint64_t)0), splat(~(uint64_t)0)};
	__m512i o[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
	uint64_t done = 0;

	for (; done + 4 * LANES <= count; done += 4 * LANES) {
#pragma GCC unroll 4
		for (unsigned i = 0; i < 4; i++) {
			__m512i entries = _mm512_loadu_si512(at + done + i * LANES);

			a[i & 1] = _mm512_and_si512(a[i & 1], entries);
			o[i & 1] = _mm512_or_si512(o[i & 1], entries);
			prefetch_half(ahead, done, i);
		}
	}
	*all = (uint64_t)_mm512_reduce_and_epi64(_mm512_and_si512(a[0], a[1]));
	*some = (uint64_t)_mm512_reduce_or_epi64(_mm512_or_si512(o[0], o[1]));
	return done;
}

static inline VECTOR void common_of_present(
	const uint64_t *at, uint64_t count, const struct pw_presence *p, struct pw_common *common)
{
	__m512i all = splat(~(uint64_t)0), some = _mm512_setzero_si512(), any = some;
	__mmask8 holes = 0;

	for (uint64_t done = 0; done < count; done += LANES) {
		__mmask8 given = count - done < LANES ? tail(count - done) : 0xff, lanes;
		__m512i entries = _mm512_maskz_loadu_epi64(given, at + done);

		lanes = given & present(p, entries);
		all = _mm512_mask_and_epi64(all, lanes, all, entries);
		some = _mm512_mask_or_epi64(some, lanes, some, entries);
		any = _mm512_or_si512(any, entries);
		holes |= given & (__mmask8)~lanes;
	}
	common->all &= (uint64_t)_mm512_reduce_and_epi64(all);
	common->some |= (uint64_t)_mm512_reduce_or_epi64(some);
	common->nonzero |= _mm512_reduce_or_epi64(any) != 0;
	common->full &= !holes;
}

VECTOR_ENTRY void pw_survey_avx512(const uint64_t *at, const uint64_t *ahead, uint64_t count,
	const struct pw_presence *p, struct pw_common *common)
{
	uint64_t all, some, done = common_of_all(at, ahead, count, &all, &some);

	*common = (struct pw_common){~(uint64_t)0, 0, false, true};
	/* Nothing but zeros, or nothing but present entries: two operations each have told it. */
	if (done && !some)
		common->full = false;
	else if (done && (all & p->all) == p->all && (all & p->any))
		*common = (struct pw_common){all, some, true, true};
	else
		done = 0;
	common_of_present(at + done, count - done, p, common);
}

VECTOR_ENTRY bool pw_alike_avx512(const uint64_t *at, const uint64_t *ahead, uint64_t count,
	uint64_t keep, uint64_t expected, uint64_t stride, struct pw_common *common)
{
	const __m512i lane = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
	__m512i wanted = _mm512_add_epi64(splat(expected), _mm512_mullo_epi64(lane, splat(stride)));
	__m512i step = splat(LANES * stride), kept = splat(keep);
	__m512i all = splat(~(uint64_t)0), some = _mm512_setzero_si512(), different = some;

	for (uint64_t done = 0; done < count; done += LANES) {
		__mmask8 given = count - done < LANES ? tail(count - done) : 0xff;
		__m512i entries = _mm512_maskz_loadu_epi64(given, at + done);

		/* different | ((entries & kept) ^ wanted) */
		different = _mm512_mask_or_epi64(different, given, different,
			_mm512_ternarylogic_epi64(entries, kept, wanted, 0x6a));
		all = _mm512_mask_and_epi64(all, given, all, entries);
		some = _mm512_or_si512(some, entries);
		wanted = _mm512_add_epi64(wanted, step);
		_mm_prefetch((const char *)(ahead + done), _MM_HINT_T0);
	}
	common->all = (uint64_t)_mm512_reduce_and_epi64(all);
	common->some = (uint64_t)_mm512_reduce_or_epi64(some);
	return !_mm512_test_epi64_mask(different, different);
}

/* Present and not BAD. */
static inline VECTOR __mmask8 good(const struct pw_take_masks *m, __m512i entries)
{
	__m512i low6 =
		_mm512_srlv_epi64(splat(m->illegal_low6), _mm512_and_si512(entries, splat(63)));

	return present(&m->present, entries) &
	       _mm512_testn_epi64_mask(entries, splat(m->reserved)) &
	       _mm512_testn_epi64_mask(low6, splat(1));
}

/* Bit n: entry n of the 64 (as far as given) has the mark. `easy`: no present entry is BAD. */
static inline VECTOR void take_64(uint64_t *at, uint64_t count, bool easy, bool clears,
	const struct pw_take_masks *m, uint64_t *accessed, uint64_t *dirty,
	struct pw_take_counts *counts)
{
	__m512i clear = splat(m->clear), a = splat(m->accessed), d = splat(m->dirty);
	uint64_t hits = 0, with_a = 0, with_d = 0;

	for (unsigned i = 0; i < 64 && i < count; i += LANES) {
		__mmask8 given = count - i < LANES ? tail(count - i) : 0xff, hit;
		__m512i entries = _mm512_maskz_loadu_epi64(given, at + i);

		given &= easy ? present(&m->present, entries) : good(m, entries);
		with_a |= (uint64_t)_mm512_mask_test_epi64_mask(given, entries, a) << i;
		with_d |= (uint64_t)_mm512_mask_test_epi64_mask(given, entries, d) << i;
		if (!clears)
			continue;
		hit = _mm512_mask_test_epi64_mask(given, entries, clear);
		_mm512_mask_storeu_epi64(at + i, hit, _mm512_andnot_si512(clear, entries));
		hits |= (uint64_t)hit << i;
	}
	*accessed = with_a;
	*dirty = with_d;
	counts->accessed += (uint64_t)_mm_popcnt_u64(with_a);
	counts->dirty += (uint64_t)_mm_popcnt_u64(with_d);
	counts->cleared += (uint64_t)_mm_popcnt_u64(hits);
}

static inline VECTOR struct pw_take_counts take(uint64_t *at, const uint64_t *ahead, uint64_t count,
	bool easy, bool clears, const struct pw_take_masks *m, uint64_t *accessed, uint64_t *dirty)
{
	struct pw_take_counts counts = {0, 0, 0};

	for (uint64_t n = 0; n < count; n += 64, accessed++, dirty++) {
		for (unsigned i = 0; i < 64; i += LANES)
			_mm_prefetch((const char *)(ahead + n + i), _MM_HINT_ET0);
		/* A constant count makes straight code. */
		if (count - n >= 64)
			take_64(at + n, 64, easy, clears, m, accessed, dirty, &counts);
		else
			take_64(at + n, count - n, easy, clears, m, accessed, dirty, &counts);
	}
	return counts;
}

VECTOR_ENTRY struct pw_take_counts pw_take_avx512(uint64_t *at, const uint64_t *ahead,
	uint64_t count, const struct pw_take_masks *masks, uint64_t *accessed, uint64_t *dirty)
{
	const struct pw_take_masks m = *masks;

	if (m.reserved || m.illegal_low6)
		return take(at, ahead, count, false, true, &m, accessed, dirty);
	return m.clear ? take(at, ahead, count, true, true, &m, accessed, dirty)
		       : take(at, ahead, count, true, false, &m, accessed, dirty);
}
#endif
