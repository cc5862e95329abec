/* SPDX-License-Identifier: MIT */
/*
 * Building a range: the table is carried along, its entries are written as whole vectors, and on a
 * live space by a bare loop of compare-exchange. memset: the bytes of the same tables.
 */
#include "bench.h"
#include "builder.h"
#include "x86.h"

#include <string.h>

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

struct functions {
	void (*fill)(uint64_t *entry, uint64_t value);
	void (*change)(uint64_t *entry, uint64_t clear, uint64_t set);
};

static struct functions functions(void)
{
#if defined(__x86_64__)
	if (bench_has_avx512())
		return (struct functions){fill_avx512, change_avx512};
#endif
	return (struct functions){fill_plain, change_plain};
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

const struct builder builder_limit = {
	.who = "limit",
	.map = map,
	.protect = protect,
	.unmap = unmap,
};

static void set_bytes(struct ground *g)
{
	uint64_t tables = (g->size >> SHIFT(1)) + (g->size >> SHIFT(2)) + 1;

	memset(g->image.bytes + g->root + TABLE_BYTES, 0x5a, tables * TABLE_BYTES);
}

const struct builder builder_memset = {
	.who = "memset",
	.map = set_bytes,
};
