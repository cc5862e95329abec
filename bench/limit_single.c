/* SPDX-License-Identifier: MIT */
/*
 * One address after the other, as fast as the memory allows.
 *
 * limit: knows what the workload holds (whether there are large pages, whether there are holes) and
 * trusts the tables: no checks but those. The answer is the physical address alone.
 * limit-last: the same, and goes to the last table (or large page) again where the address allows.
 */
#include "bench.h"
#include "translator.h"
#include "x86.h"

#include <stdlib.h>

#define INLINE static inline __attribute__((always_inline))

struct single {
	const uint8_t *image;
	uint64_t root;
	void (*run)(void *self, const uint64_t *va, size_t count);
	uint64_t ring[RING];
};

INLINE uint64_t page(uint64_t entry, uint64_t va, unsigned level)
{
	uint64_t low = LOW(SHIFT(level));

	return (entry & X86_ADDRESS & ~low) | (va & low);
}

INLINE uint64_t next(const uint8_t *image, uint64_t entry, uint64_t va, unsigned level)
{
	return x86_load(image, (entry & X86_ADDRESS) + SLOT(va, level));
}

INLINE uint64_t translate(
	const uint8_t *image, uint64_t root, uint64_t va, const bool large, const bool holes)
{
	uint64_t entry = next(image, root, va, 3);

	if (holes && !(entry & X86_P))
		return LIST_HOLE;
	entry = next(image, entry, va, 2);
	if (holes && !(entry & X86_P))
		return LIST_HOLE;
	if (large && (entry & X86_PS))
		return page(entry, va, 2);
	entry = next(image, entry, va, 1);
	if (holes && !(entry & X86_P))
		return LIST_HOLE;
	if (large && (entry & X86_PS))
		return page(entry, va, 1);
	entry = next(image, entry, va, 0);
	if (holes && !(entry & X86_P))
		return LIST_HOLE;
	return page(entry, va, 0);
}

INLINE void run_as(void *self, const uint64_t *va, size_t count, const bool large, const bool holes)
{
	struct single *single = self;
	const uint8_t *image = single->image;
	uint64_t root = single->root;

	for (size_t i = 0; i < count; i++)
		single->ring[RING_AT(i)] = translate(image, root, va[i], large, holes);
}

static void run_small(void *self, const uint64_t *va, size_t count)
{
	run_as(self, va, count, false, false);
}

static void run_large(void *self, const uint64_t *va, size_t count)
{
	run_as(self, va, count, true, false);
}

static void run_small_holes(void *self, const uint64_t *va, size_t count)
{
	run_as(self, va, count, false, true);
}

static void run_large_holes(void *self, const uint64_t *va, size_t count)
{
	run_as(self, va, count, true, true);
}

/* ---- Remembering the last table ---- */

struct last {
	uint64_t first; /* the range that it serves */
	uint64_t low;   /* of this size - 1 */
	uint64_t table; /* a table of level 0, */
	uint64_t entry; /* or, if low is not that of such a table's range, a large page */
	bool is_table;
};

INLINE uint64_t refill(
	const uint8_t *image, uint64_t root, uint64_t va, const bool large, struct last *last)
{
	uint64_t entry = next(image, next(image, root, va, 3), va, 2);
	unsigned level = 2;

	last->is_table = false;
	if (!(large && (entry & X86_PS))) {
		level = 1;
		entry = next(image, entry, va, 1);
		last->is_table = !(large && (entry & X86_PS));
	}
	last->low = LOW(SHIFT(level));
	last->first = va & ~last->low;
	last->table = entry & X86_ADDRESS;
	last->entry = entry & X86_ADDRESS & ~last->low;
	return last->is_table ? page(next(image, entry, va, 0), va, 0)
			      : last->entry | (va & last->low);
}

INLINE void run_last_as(void *self, const uint64_t *va, size_t count, const bool large)
{
	struct single *single = self;
	const uint8_t *image = single->image;
	struct last last = {.first = 1, .is_table = true};

	for (size_t i = 0; i < count; i++) {
		uint64_t pa;

		if (__builtin_expect((va[i] & ~last.low) != last.first, 0))
			pa = refill(image, single->root, va[i], large, &last);
		else if (!large || last.is_table)
			pa = page(x86_load(image, last.table + SLOT(va[i], 0)), va[i], 0);
		else
			pa = last.entry | (va[i] & last.low);
		single->ring[RING_AT(i)] = pa;
	}
}

static void run_last_small(void *self, const uint64_t *va, size_t count)
{
	run_last_as(self, va, count, false);
}

static void run_last_large(void *self, const uint64_t *va, size_t count)
{
	run_last_as(self, va, count, true);
}

/* ---- */

static struct single *make(const struct workload *w)
{
	struct single *single = calloc(1, sizeof *single);

	if (!single)
		bench_die("no memory");
	single->image = w->image.bytes;
	single->root = w->root;
	return single;
}

static void *open_limit(const struct workload *w, enum order order)
{
	struct single *single = make(w);

	if (order == ORDER_UNMAPPED)
		single->run = w->large ? run_large_holes : run_small_holes;
	else
		single->run = w->large ? run_large : run_small;
	return single;
}

static void *open_last(const struct workload *w, enum order order)
{
	struct single *single = make(w);

	(void)order;
	single->run = w->large ? run_last_large : run_last_small;
	return single;
}

static void run(void *self, const uint64_t *va, size_t count)
{
	((struct single *)self)->run(self, va, count);
}

static void answer(const void *self, size_t index, struct answer *answer)
{
	answer->pa = ((const struct single *)self)->ring[index];
	answer->mapped = answer->pa != LIST_HOLE;
}

const struct translator translator_limit = {
	.who = "limit",
	.open = open_limit,
	.run = run,
	.answer = answer,
	.close = free,
	.group = RING,
	.sweeps = true,
	.huge = true,
};

const struct translator translator_limit_last = {
	.who = "limit-last",
	.open = open_last,
	.run = run,
	.answer = answer,
	.close = free,
	.group = RING,
	.sequential_only = true,
};
