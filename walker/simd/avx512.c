/* SPDX-License-Identifier: MIT */
/*
 * Batches with AVX-512: eight walks a vector, thirty-two vectors in flight. Compiled for the
 * vectors function by function, so that the rest of the library runs on any x86-64.
 *
 * A gather loads each of its aligned 8-byte lanes as one, like the scalar path does.
 */
#include "avx512.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(PW_NO_SIMD)
#include "../plan.h"
#include <immintrin.h>

#define VECTOR       __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl"), always_inline))
#define VECTOR_ENTRY __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))

/* 256 walks: enough to cover the memory's latency, and their state stays in the first cache. */
#define VECTORS 32
#define LANES   8

struct walks {
	__m512i offset[VECTORS]; /* of the next entry, in the window */
	__m512i entry[VECTORS];  /* the last one; 0 if what it leads to is not in the window */
	__m512i fold[VECTORS];   /* AND of all, with XD turned round */
	__m512i level[VECTORS];  /* of the last one */
	__mmask8 live[VECTORS];
};

/* What does not change during a batch, a lane a level or a lane a kind of page. */
struct batch {
	const char *host;
	bool near; /* see pw_lie_near() */
	__m512i base, reach, address, root, table;
	__m512i check, value, low, info; /* see struct pw_plan */
	__m512i grant, more_grant, need; /* by the fold */
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
	w->entry[v] = _mm512_setzero_si512();
	w->fold[v] = splat(~(uint64_t)0);
	w->level[v] = splat(3);
	w->live[v] = lanes & _mm512_cmpeq_epi64_mask(extended, va) &
		     _mm512_cmplt_epu64_mask(w->offset[v], b->reach);
	/* A walk that does not begin may be anywhere: it stays at the window's first entry. */
	w->offset[v] = _mm512_maskz_mov_epi64(w->live[v], w->offset[v]);
}

/* Reads the entries of a level. Walks that have ended keep theirs; to fold it again is nothing. */
static inline VECTOR __m512i read_entries(const struct batch *b, struct walks *w, unsigned v)
{
	__m512i e = _mm512_mask_i64gather_epi64(w->entry[v], w->live[v], w->offset[v], b->host, 1);

	/* fold & (e ^ XD) */
	w->fold[v] = _mm512_ternarylogic_epi64(w->fold[v], e, splat(PW_BIT(63)), 0x60);
	return e;
}

static inline VECTOR void step(
	const struct batch *b, struct walks *w, unsigned v, unsigned level, __m512i va)
{
	__m512i e = read_entries(b, w, v), offset;
	__mmask8 tables =
		w->live[v] & _mm512_cmpeq_epi64_mask(_mm512_and_si512(e, b->table), splat(X86_P));
	__mmask8 inside;

	offset = entry_offset(b, level - 1, _mm512_and_si512(e, b->address), va);
	inside = tables & _mm512_cmplt_epu64_mask(offset, b->reach);
	w->entry[v] = _mm512_mask_mov_epi64(e, tables & (__mmask8)~inside, _mm512_setzero_si512());
	w->level[v] = _mm512_mask_mov_epi64(w->level[v], inside, splat(level - 1));
	w->live[v] = inside;
	/* What is not read is not asked for either: it could be anywhere. */
	w->offset[v] = _mm512_mask_mov_epi64(w->offset[v], inside, offset);
	if (!b->near)
		prefetch(b, w->offset[v]);
}

/* The last level, and the answers. Returns the lanes that have one. */
static inline VECTOR __mmask8 finish(const struct batch *b, struct walks *w, unsigned v, __m512i va,
	__mmask8 given, struct pw_hit *hits)
{
	__m512i e = read_entries(b, w, v), level = w->level[v];
	__m512i low = _mm512_permutexvar_epi64(level, b->low);
	/* XD, P, W and U are bits 0 to 3; pages without P are not good. */
	__m512i index = _mm512_and_si512(_mm512_rol_epi64(w->fold[v], 1), splat(15));
	__m512i grant = _mm512_permutex2var_epi64(b->grant, index, b->more_grant);
	__m512i pa = _mm512_or_si512(_mm512_andnot_si512(low, _mm512_and_si512(e, b->address)),
		_mm512_and_si512(va, low));
	__m512i flags = _mm512_and_si512(_mm512_slli_epi64(e, 19),
		splat((uint64_t)(PW_RESULT_ACCESSED | PW_RESULT_DIRTY | PW_RESULT_GLOBAL) << 24));
	__m512i info = _mm512_or_si512(
		_mm512_or_si512(grant, flags), _mm512_permutexvar_epi64(level, b->info));
	const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
	const __m512i second = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
	unsigned words =
		given == 0xff ? 0xffff : (1u << 2 * (unsigned)__builtin_popcount(given)) - 1;
	__mmask8 good = _mm512_test_epi64_mask(w->fold[v], splat(X86_P)) &
			_mm512_cmpeq_epi64_mask(
				_mm512_and_si512(e, _mm512_permutexvar_epi64(level, b->check)),
				_mm512_permutexvar_epi64(level, b->value)) &
			_mm512_cmpeq_epi64_mask(_mm512_and_si512(grant, b->need), b->need);

	info = _mm512_mask_mov_epi64(splat(PW_UNSTABLE), good, info);
	_mm512_mask_storeu_epi64(hits, (__mmask8)words, _mm512_permutex2var_epi64(pa, first, info));
	_mm512_mask_storeu_epi64(
		hits + 4, (__mmask8)(words >> 8), _mm512_permutex2var_epi64(pa, second, info));
	return good & given;
}

/* Up to VECTORS * LANES walks. */
static inline VECTOR size_t group(
	const struct batch *b, struct walks *w, const pw_va *va, size_t count, struct pw_hit *hits)
{
	unsigned vectors = (unsigned)(count + LANES - 1) / LANES;
	unsigned tail = (unsigned)(count - (size_t)(vectors - 1) * LANES);
	__mmask8 last = (__mmask8)(0xff >> (LANES - tail));
	size_t done = 0;

#define GIVEN(v) ((v) + 1 == vectors ? last : (__mmask8)0xff)
#define VA(v)    _mm512_maskz_loadu_epi64(GIVEN(v), va + (v)*LANES)
	for (unsigned v = 0; v < vectors; v++)
		begin(b, w, v, VA(v), GIVEN(v));
#pragma GCC unroll 3
	for (unsigned level = 3; level > 0; level--) {
		for (unsigned v = 0; v < vectors; v++)
			step(b, w, v, level, VA(v));
	}
	for (unsigned v = 0; v < vectors; v++)
		done += (size_t)__builtin_popcount(
			finish(b, w, v, VA(v), GIVEN(v), hits + v * LANES));
#undef VA
#undef GIVEN
	return done;
}

static inline VECTOR void from_plan(struct batch *b, const struct pw_plan *plan)
{
	_Alignas(64) uint64_t check[LANES] = {0}, value[LANES] = {0}, low[LANES] = {0},
			      info[LANES] = {0};

	for (unsigned i = 0; i < 4; i++) {
		check[i] = plan->page[i].check;
		value[i] = plan->page[i].value;
		low[i] = plan->page[i].low;
		info[i] = plan->page[i].info;
	}
	b->table = splat(plan->table);
	b->check = _mm512_load_si512(check);
	b->value = _mm512_load_si512(value);
	b->low = _mm512_load_si512(low);
	b->info = _mm512_load_si512(info);
	b->grant = _mm512_loadu_si512(plan->grant);
	b->more_grant = _mm512_loadu_si512(plan->grant + LANES);
}

VECTOR_ENTRY size_t pw_batch_avx512(const struct pw_space *space, const pw_va *va, size_t count,
	pw_access access, struct pw_hit *hits)
{
	struct walks walks;
	struct batch b = {.host = space->window.host};
	struct pw_plan plan;
	size_t done = 0;

	pw_make_plan(space, access, &plan);
	from_plan(&b, &plan);
	b.need = splat((uint64_t)pw_quick_need(access) << 32);
	b.base = splat(space->window.base);
	b.reach = splat(space->window_reach);
	b.root = splat(space->root);
	b.address = splat(space->quick_address);
	for (size_t at = 0; at < count; at += VECTORS * LANES) {
		size_t some = count - at < VECTORS * LANES ? count - at : VECTORS * LANES;

		b.near = pw_lie_near(va + at, some);
		done += group(&b, &walks, va + at, some, hits + at);
	}
	return done;
}
#endif
