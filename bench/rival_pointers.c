/* SPDX-License-Identifier: MIT */
/*
 * function-pointers: the design where every level has functions for what its entries mean, called
 * through pointers, as some hypervisors have it. The checks are the library's; of the answer it
 * gives what a caller cannot do without.
 */
#include "bench.h"
#include "translator.h"
#include "x86.h"

#include <stdlib.h>

struct level {
	bool (*is_present)(uint64_t entry);
	bool (*is_table)(uint64_t entry);
	bool (*is_bad)(uint64_t entry);
	uint64_t (*address)(uint64_t entry);
	uint64_t (*offset)(uint64_t va);
	uint64_t (*slot)(uint64_t va);
};

struct pointers {
	const struct level *level;
	const uint8_t *image;
	uint64_t reach, root;
	struct answer ring[RING];
};

static bool is_present(uint64_t entry)
{
	return entry & X86_P;
}

static bool always(uint64_t entry)
{
	(void)entry;
	return true;
}

static bool never(uint64_t entry)
{
	(void)entry;
	return false;
}

static bool is_not_large(uint64_t entry)
{
	return !(entry & X86_PS);
}

static bool is_bad_root(uint64_t entry)
{
	return entry & X86_PS;
}

static bool is_bad_1g(uint64_t entry)
{
	return (entry & X86_PS) && (entry & LOW(30) & ~LOW(13));
}

static bool is_bad_2m(uint64_t entry)
{
	return (entry & X86_PS) && (entry & LOW(21) & ~LOW(13));
}

static uint64_t address_4k(uint64_t entry)
{
	return entry & X86_ADDRESS;
}

static uint64_t address_2m(uint64_t entry)
{
	return entry & X86_ADDRESS & ~(entry & X86_PS ? LOW(21) : 0);
}

static uint64_t address_1g(uint64_t entry)
{
	return entry & X86_ADDRESS & ~(entry & X86_PS ? LOW(30) : 0);
}

#define PLACE(n)                                                                                   \
	static uint64_t offset_##n(uint64_t va)                                                    \
	{                                                                                          \
		return va & LOW(SHIFT(n));                                                         \
	}                                                                                          \
	static uint64_t slot_##n(uint64_t va)                                                      \
	{                                                                                          \
		return SLOT(va, n);                                                                \
	}

PLACE(0)
PLACE(1)
PLACE(2)
PLACE(3)

static const struct level levels[LEVELS] = {
	{is_present, never, never, address_4k, offset_0, slot_0},
	{is_present, is_not_large, is_bad_2m, address_2m, offset_1, slot_1},
	{is_present, is_not_large, is_bad_1g, address_1g, offset_2, slot_2},
	{is_present, always, is_bad_root, address_4k, offset_3, slot_3},
};

static void found(struct answer *answer, const struct level *level, unsigned number, uint64_t entry,
	uint64_t va, uint64_t fold, uint64_t no_execute)
{
	unsigned rights = RIGHT_R | (unsigned)(fold & X86_W);

	rights |= fold & X86_U ? RIGHT_U : 0;
	rights |= no_execute & X86_NX ? 0 : RIGHT_X;
	answer->mapped = true;
	answer->pa = level->address(entry) | level->offset(va);
	answer->level = (int)number;
	answer->rights = (int)rights;
}

static void translate(const struct pointers *p, uint64_t va, struct answer *answer)
{
	uint64_t table = p->root, fold = ~UINT64_C(0), no_execute = 0;

	answer->mapped = false;
	if ((uint64_t)((int64_t)(va << 16) >> 16) != va)
		return;
	for (unsigned i = LEVELS; i-- > 0;) {
		const struct level *level = &p->level[i];
		uint64_t at = table + level->slot(va), entry;

		if (at >= p->reach)
			return;
		entry = x86_load(p->image, at);
		if (!level->is_present(entry) || level->is_bad(entry))
			return;
		fold &= entry;
		no_execute |= entry;
		if (!level->is_table(entry)) {
			found(answer, level, i, entry, va, fold, no_execute);
			return;
		}
		table = level->address(entry);
	}
}

static void run(void *self, const uint64_t *va, size_t count)
{
	struct pointers *p = self;

	for (size_t i = 0; i < count; i++)
		translate(p, va[i], &p->ring[RING_AT(i)]);
}

static void *open_pointers(const struct workload *w, enum order order)
{
	struct pointers *p = calloc(1, sizeof *p);

	(void)order;
	if (!p)
		bench_die("no memory");
	p->level = levels;
	p->image = w->image.bytes;
	p->reach = w->image.size - 7;
	p->root = w->root;
	return p;
}

static void answer(const void *self, size_t index, struct answer *answer)
{
	*answer = ((const struct pointers *)self)->ring[index];
}

const struct translator translator_pointers = {
	.who = "function-pointers",
	.open = open_pointers,
	.run = run,
	.answer = answer,
	.close = free,
	.group = RING,
};
