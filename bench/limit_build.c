/* SPDX-License-Identifier: MIT */
/*
 * Building a range: the table is carried along, its entries are written as whole vectors, and on a
 * live space by a bare loop of compare-exchange. memset: the bytes of the same tables.
 */
#include "bench.h"
#include "builder.h"
#include "x86.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define INLINE     static inline __attribute__((always_inline))
#define TABLE_BITS (X86_P | X86_W | X86_U)
#define PAGE_BITS  (X86_P | X86_U | X86_NX)
#define RIGHTS     (X86_W | X86_U | X86_NX)

INLINE void fill(uint64_t *entry, uint64_t value)
{
	for (uint64_t i = 0; i < TABLE_ENTRIES; i++)
		entry[i] = value + (i << SHIFT(0));
}

INLINE void change(uint64_t *entry, uint64_t clear, uint64_t set)
{
	for (uint64_t i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t changed = (entry[i] & ~clear) | set;

		entry[i] = entry[i] & X86_P ? changed : entry[i];
	}
}

#if defined(__x86_64__)
#if defined(__clang__)
#define AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq"), min_vector_width(512)))
#else
#define AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,prefer-vector-width=512")))
#endif

static AVX512 void fill_avx512(uint64_t *entry, uint64_t value)
{
	fill(entry, value);
}

static AVX512 void change_avx512(uint64_t *entry, uint64_t clear, uint64_t set)
{
	change(entry, clear, set);
}
#endif

static void fill_plain(uint64_t *entry, uint64_t value)
{
	fill(entry, value);
}

static void change_plain(uint64_t *entry, uint64_t clear, uint64_t set)
{
	change(entry, clear, set);
}

/* Which entries are dirty, a bit each; clears that. */
INLINE void take_dirty(uint64_t *entry, uint64_t *dirty)
{
	for (unsigned i = 0; i < TABLE_ENTRIES; i += 64) {
		uint64_t word = 0;

		for (unsigned j = 0; j < 64; j++) {
			word |= (entry[i + j] >> 6 & 1) << j;
			entry[i + j] &= ~X86_D;
		}
		dirty[i / 64] |= word;
	}
}

#if defined(__x86_64__)

static AVX512 void take_dirty_avx512(uint64_t *entry, uint64_t *dirty)
{
	const __m512i bit = _mm512_set1_epi64(X86_D);

	for (unsigned i = 0; i < TABLE_ENTRIES; i += 64) {
		uint64_t word = 0;

		for (unsigned j = 0; j < 64; j += 8) {
			__m512i entries = _mm512_loadu_si512(entry + i + j);
			__mmask8 lanes = _mm512_test_epi64_mask(entries, bit);

			word |= (uint64_t)lanes << j;
			_mm512_mask_storeu_epi64(
				entry + i + j, lanes, _mm512_andnot_si512(bit, entries));
		}
		dirty[i / 64] |= word;
	}
}
#endif

static void take_dirty_plain(uint64_t *entry, uint64_t *dirty)
{
	take_dirty(entry, dirty);
}

struct functions {
	void (*take)(uint64_t *entry, uint64_t *dirty);
	void (*fill)(uint64_t *entry, uint64_t value);
	void (*change)(uint64_t *entry, uint64_t clear, uint64_t set);
};

static struct functions functions(void)
{
#if defined(__x86_64__)
	if (bench_has_avx512())
		return (struct functions){take_dirty_avx512, fill_avx512, change_avx512};
#endif
	return (struct functions){take_dirty_plain, fill_plain, change_plain};
}

static void change_live(uint64_t *entry, uint64_t clear, uint64_t set)
{
	for (uint64_t i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t old = __atomic_load_n(&entry[i], __ATOMIC_RELAXED);

		while ((old & X86_P) &&
			!__atomic_compare_exchange_n(&entry[i], &old, (old & ~clear) | set, false,
				__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			;
	}
}

static uint64_t *table_at(const struct ground *g, uint64_t pa)
{
	return x86_table(g->image.bytes, pa & X86_ADDRESS);
}

/* The entry that leads to the table of a level for va; makes the tables above it, all holes. */
static uint64_t *make_way(struct ground *g, uint64_t va, unsigned level)
{
	uint64_t *table = table_at(g, g->root);

	for (unsigned i = LEVELS - 1; i > level; i--) {
		uint64_t *entry = &table[SLOT(va, i) / 8];

		if (!(*entry & X86_P)) {
			uint64_t new = ground_take(g);

			memset(table_at(g, new), 0, TABLE_BYTES);
			*entry = new | TABLE_BITS;
		}
		table = table_at(g, *entry);
	}
	return &table[SLOT(va, level) / 8];
}

static void map(struct ground *g)
{
	struct functions f = functions();
	uint64_t table_span = UINT64_C(1) << SHIFT(1);

	for (uint64_t at = 0; at < g->size; at += table_span) {
		uint64_t *link = make_way(g, g->va + at, 1), new = ground_take(g);

		f.fill(table_at(g, new), (g->pa + at) | PAGE_BITS | X86_W);
		*link = new | TABLE_BITS;
	}
}

static void protect(struct ground *g, bool writable)
{
	struct functions f = functions();
	uint64_t table_span = UINT64_C(1) << SHIFT(1);
	uint64_t set = X86_U | X86_NX | (writable ? X86_W : 0);

	for (uint64_t at = 0; at < g->size; at += table_span)
		(g->live ? change_live : f.change)(
			table_at(g, *make_way(g, g->va + at, 1)), RIGHTS, set);
}

/* Entries first: the table may be in use elsewhere until the caller has flushed. */
static void unmap_table(struct ground *g, uint64_t *link)
{
	uint64_t *entry = table_at(g, *link);

	if (g->live)
		change_live(entry, ~UINT64_C(0), 0);
	else
		memset(entry, 0, TABLE_BYTES);
	ground_give(g, *link & X86_ADDRESS);
	*link = 0;
}

static void unmap(struct ground *g)
{
	uint64_t *root = table_at(g, g->root), *pointers = make_way(g, g->va, 2);
	uint64_t table_span = UINT64_C(1) << SHIFT(1);

	for (uint64_t at = 0; at < g->size; at += table_span)
		unmap_table(g, make_way(g, g->va + at, 1));
	for (uint64_t at = 0; at < g->size; at += UINT64_C(1) << SHIFT(2)) {
		ground_give(g, *pointers & X86_ADDRESS);
		*pointers++ = 0;
	}
	ground_give(g, root[SLOT(g->va, 3) / 8] & X86_ADDRESS);
	root[SLOT(g->va, 3) / 8] = 0;
}

/* The dirty entries alone, known beforehand: the atomic operations and nothing else. */
static void take_known(struct ground *g, uint64_t *dirty)
{
	uint64_t **entry = g->own;

	(void)dirty;
	while (*entry)
		__atomic_fetch_and(*entry++, ~X86_D, __ATOMIC_ACQ_REL);
}

static void harvest(struct ground *g, uint64_t *dirty)
{
	struct functions f = functions();
	uint64_t table_span = UINT64_C(1) << SHIFT(1);

	if (g->live && g->own) {
		take_known(g, dirty);
		return;
	}
	for (uint64_t at = 0; at < g->size; at += table_span)
		f.take(table_at(g, *make_way(g, g->va + at, 1)), dirty + (at >> SHIFT(0) >> 6));
}

const struct builder builder_limit = {
	.who = "limit",
	.map = map,
	.protect = protect,
	.unmap = unmap,
	.harvest = harvest,
};

static void set_bytes(struct ground *g)
{
	memset(g->image.bytes + g->root + TABLE_BYTES, 0x5a, g->bytes);
}

const struct builder builder_memset = {
	.who = "memset",
	.map = set_bytes,
};
