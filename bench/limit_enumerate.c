/* SPDX-License-Identifier: MIT */
/*
 * Enumeration in order by AVX-512: eight entries at a time are tested, merged and stored, and while
 * one table is read the next one in walk order is prefetched, line for line.
 */
#include "bench.h"
#include "enumerator.h"
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
#define LANES  8u

/* The tables below one table, in order, and one that comes after them; 0: none. */
struct below {
	size_t count;
	uint64_t pa[TABLE_ENTRIES + LANES + 2];
};

struct scan {
	const uint8_t *image;
	uint64_t root;
	/* The open region. */
	bool open;
	uint64_t open_last, open_key;
	struct sink sink;
	struct below directories; /* below the table of level 2 */
	struct below ahead[2];    /* below one of them, and below the next */
};

/* A table, the first address that it serves, and the folded entries above it. */
struct table {
	uint64_t pa, va, fold, no_execute;
};

INLINE __m512i all(uint64_t value)
{
	return _mm512_set1_epi64((long long)value);
}

/* Stores where regions start, and where those before them end. */
INLINE void store(
	struct sink *sink, __mmask8 starts, __m512i first, __m512i key, __mmask8 ends, __m512i last)
{
	_mm512_storeu_si512(&sink->first[sink->starts], _mm512_maskz_compress_epi64(starts, first));
	_mm512_storeu_si512(&sink->key[sink->starts], _mm512_maskz_compress_epi64(starts, key));
	_mm512_storeu_si512(&sink->last[sink->ends], _mm512_maskz_compress_epi64(ends, last));
	sink->starts += (size_t)__builtin_popcount(starts);
	sink->ends += (size_t)__builtin_popcount(ends);
	if (__builtin_expect(sink->starts > SINK_SIZE - LANES, 0))
		sink_take(sink);
}

/*
 * Eight neighbouring entries, the first one for va, of which some are pages. A page continues the
 * one before it, or starts a region; a page that nothing continues ends one, which shows one lane
 * later. What is in the last lane stays open.
 */
INLINE void pages(struct scan *s, __m512i key, unsigned pages, uint64_t va, const unsigned level)
{
	const uint64_t size = UINT64_C(1) << SHIFT(level);
	const __m512i index = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
	__m512i first = _mm512_add_epi64(all(va), _mm512_slli_epi64(index, SHIFT(level)));
	__m512i last = _mm512_add_epi64(first, all(size - 1));
	__m512i key_before = _mm512_alignr_epi64(key, all(s->open_key), 7);
	__m512i last_before = _mm512_alignr_epi64(last, all(s->open_last), 7);
	unsigned before = (pages << 1) | (s->open && s->open_last + 1 == va);
	unsigned equal = _mm512_cmpeq_epi64_mask(key, _mm512_add_epi64(key_before, all(size)));
	unsigned continues = pages & before & equal;
	unsigned starts = pages & ~continues;
	unsigned ends = ((pages << 1) | s->open) & ~continues & 0xff;

	if (starts | ends)
		store(&s->sink, (__mmask8)starts, first, key, (__mmask8)ends, last_before);
	s->open = pages >> 7 & 1;
	s->open_last = va + 8 * size - 1;
	s->open_key = (uint64_t)_mm_extract_epi64(_mm512_extracti64x2_epi64(key, 3), 1);
}

/* (entry & mask) | or */
INLINE __m512i keys(const struct table *t, __m512i entry, const unsigned level)
{
	uint64_t mask = (X86_ADDRESS & ~LOW(SHIFT(level))) | X86_NX | (t->fold & (X86_W | X86_U));
	uint64_t or = (t->no_execute & X86_NX) | (uint64_t)SHIFT(level) << 3;

	return _mm512_ternarylogic_epi64(entry, all(mask), all(or), 0xea);
}

INLINE __m512i load(const struct scan *s, uint64_t pa, unsigned i)
{
	return _mm512_load_si512(s->image + pa + 8 * i);
}

/* Level 0. `next` is the table that comes after this one, or 0. */
static AVX512 void scan_0(struct scan *s, const struct table *t, uint64_t next)
{
	const uint8_t *ahead = s->image + (next ? next : t->pa);

	for (unsigned i = 0; i < TABLE_ENTRIES; i += LANES) {
		__m512i entry = load(s, t->pa, i);
		unsigned present = _mm512_test_epi64_mask(entry, all(X86_P));

		_mm_prefetch((const char *)ahead + 8 * i, _MM_HINT_T0);
		if (present)
			pages(s, keys(t, entry, 0), present, t->va + ((uint64_t)i << SHIFT(0)), 0);
	}
}

/* Lists the tables below a table, while the table `next` is prefetched. */
INLINE void look_ahead(
	const struct scan *s, uint64_t pa, uint64_t next, const unsigned level, struct below *below)
{
	const __m512i test = all(level < 3 ? X86_P | X86_PS : X86_P);
	const uint8_t *ahead = s->image + (next ? next : pa);
	size_t count = 0;

	for (unsigned i = 0; i < TABLE_ENTRIES; i += LANES) {
		__m512i entry = load(s, pa, i);
		__mmask8 tables =
			_mm512_cmpeq_epi64_mask(_mm512_and_epi64(entry, test), all(X86_P));

		_mm_prefetch((const char *)ahead + 8 * i, _MM_HINT_T0);
		if (!tables)
			continue;
		entry = _mm512_and_epi64(entry, all(X86_ADDRESS));
		_mm512_storeu_si512(&below->pa[count], _mm512_maskz_compress_epi64(tables, entry));
		count += (size_t)__builtin_popcount(tables);
	}
	below->count = count;
	below->pa[count] = below->pa[count + 1] = 0;
}

/* What is done with each table below one: `mine` are its siblings, `after` follows the last. */
typedef void descend_fn(struct scan *s, const struct table *t, const struct below *mine,
	size_t position, uint64_t after);

INLINE void scan_mixed(struct scan *s, const struct table *t, const unsigned level, unsigned i,
	const struct below *mine, size_t *position, uint64_t after, descend_fn *descend)
{
	__m512i entry = load(s, t->pa, i);
	unsigned present = _mm512_test_epi64_mask(entry, all(X86_P));
	unsigned large = level < 3 ? _mm512_test_epi64_mask(entry, all(X86_PS)) : 0;
	uint64_t va = t->va + ((uint64_t)i << SHIFT(level));

	while (present) {
		unsigned tables = present & ~large, first_table = tables & -tables;
		unsigned lane = (unsigned)__builtin_ctz(present);
		unsigned run = present & large & (first_table - 1);

		if (run) { /* large pages up to the next table */
			pages(s, keys(t, entry, level), run, va, level);
			present &= ~run;
		} else {
			uint64_t one = x86_load(s->image, t->pa + 8 * (i + lane));
			struct table down = {
				.pa = one & X86_ADDRESS,
				.va = va + ((uint64_t)lane << SHIFT(level)),
				.fold = t->fold & one,
				.no_execute = t->no_execute | one,
			};

			down.va = (uint64_t)((int64_t)(down.va << 16) >> 16);
			descend(s, &down, mine, (*position)++, after);
			present &= present - 1;
		}
	}
}

INLINE void scan_tables(struct scan *s, const struct table *t, const unsigned level,
	const struct below *mine, uint64_t after, descend_fn *descend)
{
	size_t position = 0;

	for (unsigned i = 0; i < TABLE_ENTRIES; i += LANES)
		scan_mixed(s, t, level, i, mine, &position, after, descend);
}

INLINE void descend_0(struct scan *s, const struct table *t, const struct below *mine,
	size_t position, uint64_t after)
{
	uint64_t next = mine->pa[position + 1];

	scan_0(s, t, next ? next : after);
}

/* The tables below the next table are found before those below this one are read. */
INLINE void descend_1(struct scan *s, const struct table *t, const struct below *mine,
	size_t position, uint64_t after)
{
	struct below *now = &s->ahead[position % 2], *then = &s->ahead[(position + 1) % 2];
	uint64_t next = mine->pa[position + 1];

	(void)after;
	then->count = 0;
	then->pa[0] = 0;
	if (next)
		look_ahead(s, next, mine->pa[position + 2], 1, then);
	scan_tables(s, t, 1, now, then->pa[0], descend_0);
}

static AVX512 void scan_2(struct scan *s, const struct table *t, const struct below *mine,
	size_t position, uint64_t after)
{
	struct below *directories = &s->directories;

	(void)mine;
	(void)position;
	(void)after;
	look_ahead(s, t->pa, 0, 2, directories);
	if (directories->count)
		look_ahead(s, directories->pa[0], directories->pa[1], 1, &s->ahead[0]);
	scan_tables(s, t, 2, directories, 0, descend_1);
}

static AVX512 uint64_t run(void *self, struct regions *sum)
{
	struct scan *s = self;
	const struct table root = {.pa = s->root, .fold = ~UINT64_C(0)};

	s->sink.count = 0;
	s->sink.sum = sum;
	s->open = false;
	scan_tables(s, &root, 3, NULL, 0, scan_2);
	if (s->open)
		s->sink.last[s->sink.ends++] = s->open_last;
	sink_take(&s->sink);
	return s->sink.count;
}

static void *open_scan(const struct workload *w)
{
	struct scan *s = calloc(1, sizeof *s);

	if (!s)
		bench_die("no memory");
	s->image = w->image.bytes;
	s->root = w->root;
	return s;
}

#else

static void *open_scan(const struct workload *w)
{
	(void)w;
	return NULL;
}

static uint64_t run(void *self, struct regions *sum)
{
	(void)self;
	(void)sum;
	return 0;
}

#endif

const struct enumerator enumerator_limit = {
	.who = "limit",
	.missing = missing,
	.open = open_scan,
	.run = run,
	.close = free,
};
