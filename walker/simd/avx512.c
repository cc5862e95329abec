/* SPDX-License-Identifier: MIT */
/*
 * Batches with AVX-512: eight walks a vector, thirty-two vectors in flight. Compiled for the
 * vectors function by function, so that the rest of the library runs on any x86-64.
 *
 * A gather loads each of its aligned 8-byte lanes as one, like the scalar path does.
 */
#include "avx512.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(PW_NO_SIMD)
#include "../hit.h"
#include "../quick.h"
#include <immintrin.h>

#define VECTOR       __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,bmi2"), always_inline))
#define VECTOR_ENTRY __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,bmi2")))

/* 256 walks: enough to cover the memory's latency, and their state stays in the first cache. */
#define VECTORS 32
#define LANES   8

struct walks {
	__m512i offset[VECTORS]; /* of the next entry, in the window */
	__m512i and_fold[VECTORS], or_fold[VECTORS];
	__mmask8 live[VECTORS];
	__mmask8 done[VECTORS];
};

/* What does not change during a batch. */
struct batch {
	const struct pw_space *space;
	const char *host;
	__m512i base, reach, address, grant, need, root;
};

static inline VECTOR __m512i splat(uint64_t value)
{
	return _mm512_set1_epi64((long long)value);
}

static inline VECTOR __m512i entry_offset(
	const struct batch *b, unsigned level, __m512i table, __m512i va)
{
	unsigned shift = pw_row_x86_64.level[level].shift;
	__m512i index = _mm512_and_si512(_mm512_srli_epi64(va, shift - 3), splat(0xff8));

	return _mm512_sub_epi64(_mm512_add_epi64(table, index), b->base);
}

static inline VECTOR void prefetch(const struct batch *b, __m512i offset)
{
	_Alignas(64) uint64_t at[LANES];

	_mm512_store_si512(at, offset);
	for (unsigned i = 0; i < LANES; i++)
		_mm_prefetch(b->host + at[i], _MM_HINT_T0);
}

static inline VECTOR void begin(
	const struct batch *b, struct walks *w, unsigned v, __m512i va, __mmask8 lanes)
{
	__m512i extended = _mm512_srai_epi64(_mm512_slli_epi64(va, 16), 16);

	w->offset[v] = entry_offset(b, 3, b->root, va);
	w->and_fold[v] = splat(~(uint64_t)0);
	w->or_fold[v] = _mm512_setzero_si512();
	w->done[v] = 0;
	w->live[v] = lanes & _mm512_cmpeq_epi64_mask(extended, va) &
		     _mm512_cmplt_epu64_mask(w->offset[v], b->reach);
}

/* Each lane's bit twice: a hit is two words. */
static inline VECTOR unsigned twice(__mmask8 lanes)
{
	return _pdep_u32(lanes, 0x5555) * 3;
}

/* Writes the hits of the lanes whose entry is a good page; returns these lanes. */
static inline VECTOR __mmask8 finish(const struct batch *b, const struct walks *w, unsigned v,
	unsigned level, __mmask8 lanes, __m512i e, __m512i va, struct pw_hit *hits)
{
	const struct pw_page *shape = &pw_row_x86_64.level[level].page;
	__m512i low = splat(PW_LOW(shape->size_log2));
	__m512i a = _mm512_and_si512(w->and_fold[v], e), o = _mm512_or_si512(w->or_fold[v], e);
	/* Attributes W, U, XD: bits 1, 2 and 63. */
	__m512i index = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi64(a, 1), splat(3)),
		_mm512_slli_epi64(_mm512_srli_epi64(o, 63), 2));
	__m512i grant = _mm512_permutexvar_epi64(index, b->grant);
	/* PW_RESULT_ACCESSED, _DIRTY and _GLOBAL are bits 5, 6 and 8 of the entry, shifted. */
	__m512i flags = _mm512_and_si512(_mm512_slli_epi64(e, 19), splat((uint64_t)0xb << 24));
	__m512i pa = _mm512_or_si512(_mm512_andnot_si512(low, _mm512_and_si512(e, b->address)),
		_mm512_and_si512(va, low));
	__m512i info = _mm512_or_si512(_mm512_or_si512(grant, flags),
		splat((uint64_t)level << 8 | (uint64_t)shape->size_log2 << 16));
	const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
	const __m512i second = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
	__m512i must = splat(b->space->quick_page[level] | X86_P);
	unsigned words;

	lanes &= _mm512_cmpeq_epi64_mask(_mm512_and_si512(e, must), splat(X86_P));
	lanes &= _mm512_cmpeq_epi64_mask(_mm512_and_si512(grant, b->need), b->need);
	words = twice(lanes);
	_mm512_mask_storeu_epi64(hits, (__mmask8)words, _mm512_permutex2var_epi64(pa, first, info));
	_mm512_mask_storeu_epi64(
		hits + 4, (__mmask8)(words >> 8), _mm512_permutex2var_epi64(pa, second, info));
	return lanes;
}

static inline VECTOR void step(const struct batch *b, struct walks *w, unsigned v, unsigned level,
	const pw_va *addresses, __mmask8 given, struct pw_hit *hits)
{
	const struct pw_level *row = &pw_row_x86_64.level[level];
	__mmask8 live = w->live[v], tables = live;
	__m512i va, e;

	if (!live)
		return;
	va = _mm512_maskz_loadu_epi64(given, addresses);
	e = _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), live, w->offset[v], b->host, 1);
	if (level == 0)
		tables = 0;
	else if (row->table_mask)
		tables &= _mm512_testn_epi64_mask(e, splat(row->table_mask));
	if (row->page.size_log2 && live != tables)
		w->done[v] |= finish(b, w, v, level, live & (__mmask8)~tables, e, va, hits);
	if (level == 0)
		return;
	tables &= _mm512_cmpeq_epi64_mask(
		_mm512_and_si512(e, splat(b->space->quick_reserved | X86_P)), splat(X86_P));
	w->and_fold[v] = _mm512_and_si512(w->and_fold[v], e);
	w->or_fold[v] = _mm512_or_si512(w->or_fold[v], e);
	w->offset[v] = entry_offset(b, level - 1, _mm512_and_si512(e, b->address), va);
	w->live[v] = tables & _mm512_cmplt_epu64_mask(w->offset[v], b->reach);
	prefetch(b, w->offset[v]);
}

/* Up to VECTORS * LANES walks. */
static inline VECTOR size_t group(
	const struct batch *b, struct walks *w, const pw_va *va, size_t count, struct pw_hit *hits)
{
	unsigned vectors = (unsigned)(count + LANES - 1) / LANES;
	unsigned tail = (unsigned)(count - (size_t)(vectors - 1) * LANES);
	__mmask8 last = (__mmask8)(0xff >> (LANES - tail));
	size_t done = 0;

	for (unsigned v = 0; v < vectors; v++) {
		__mmask8 given = v + 1 == vectors ? last : 0xff;

		begin(b, w, v, _mm512_maskz_loadu_epi64(given, va + v * LANES), given);
	}
#pragma GCC unroll 4
	for (unsigned level = 4; level > 0; level--) {
		for (unsigned v = 0; v < vectors; v++)
			step(b, w, v, level - 1, va + v * LANES, v + 1 == vectors ? last : 0xff,
				hits + v * LANES);
	}
	for (unsigned v = 0; v < vectors; v++) {
		__mmask8 given = v + 1 == vectors ? last : 0xff;

		done += (size_t)_mm_popcnt_u32(w->done[v]);
		for (unsigned rest = given & ~(unsigned)w->done[v]; rest; rest &= rest - 1)
			hits[v * LANES + (unsigned)__builtin_ctz(rest)].status = PW_UNSTABLE;
	}
	return done;
}

VECTOR_ENTRY size_t pw_batch_avx512(const struct pw_space *space, const pw_va *va, size_t count,
	pw_access access, struct pw_hit *hits)
{
	_Alignas(64) uint64_t grant[LANES];
	struct walks walks;
	struct batch b = {.space = space, .host = space->window.host};
	size_t done = 0;

	for (unsigned i = 0; i < LANES; i++)
		grant[i] = space->quick_grant[pw_quick_index_of(i)] << 32;
	b.grant = _mm512_load_si512(grant);
	b.need = splat((uint64_t)pw_quick_need(access) << 32);
	b.base = splat(space->window.base);
	b.reach = splat(space->window_reach);
	b.root = splat(space->root);
	b.address = splat(space->quick_address);
	for (size_t at = 0; at < count; at += VECTORS * LANES) {
		size_t some = count - at < VECTORS * LANES ? count - at : VECTORS * LANES;

		done += group(&b, &walks, va + at, some, hits + at);
	}
	return done;
}
#endif
