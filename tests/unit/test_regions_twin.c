/* SPDX-License-Identifier: MIT */
/*
 * Regions of every format against the slow twin: tables full of pages that count up, with single
 * bits flipped here and there, so that runs break where the hardware's view of them does.
 */
#include "random.h"
#include "twin.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define BASE     UINT64_C(0x400000)
#define BYTES    (UINT64_C(1) << 20)
#define LIST_MAX 4096

struct field {
	struct random random;
	struct ram ram;
	struct twin twin;
	const struct pw_format *format;
	struct pw_space space;
	pw_va first, last;
	unsigned level; /* of the table that is filled */
	unsigned pa_bits;
	struct pw_region list[LIST_MAX];
	unsigned count;
	unsigned long merged;
};

/* What makes an entry of this shape one that grants something. */
static uint64_t ordinary_bits(const struct pw_format *format, const struct pw_page *shape)
{
	if (format->family == PW_FAMILY_EPT)
		return shape->bits | 0x37; /* write back, R W X */
	if (format->family == PW_FAMILY_RISCV)
		return shape->bits | 0x1e; /* R W X U */
	if (format->family == PW_FAMILY_NPT)
		return shape->bits | 0x7; /* P, W, U */
	return shape->bits;
}

/* Entries of one table: runs of pages, with flips, jumps and holes. */
static void fill(struct field *f, pw_pa table)
{
	const struct pw_level *row = &f->format->level[f->level];
	const struct pw_page *shape =
		row->span.size_log2 && random_once_in(&f->random, 3) ? &row->span : &row->page;
	uint64_t entry = 0, step = shape->address & -shape->address;
	uint64_t field =
		((UINT64_C(1) << f->pa_bits) - 1) >> f->format->address_left & shape->address;
	unsigned bytes = f->format->entry_bytes;

	for (unsigned i = 0; i < 64 && i < 1u << row->index_bits; i++) {
		if (i == 0 || random_once_in(&f->random, 12)) {
			entry = ordinary_bits(f->format, shape) | (random_next(&f->random) & field);
			/* Close to the end of the physical addresses now and then. */
			if (random_once_in(&f->random, 3))
				entry |= field & ~(7 * step);
		}
		if (random_once_in(&f->random, 30))
			entry ^= UINT64_C(1) << random_below(&f->random, 8 * bytes);
		ram_store(&f->ram, table + i * bytes, bytes,
			random_once_in(&f->random, 30) ? 0 : entry);
		entry += step;
		if (bytes == 4)
			entry &= UINT32_MAX;
	}
}

static void random_space(struct field *f)
{
	const struct pw_format *format = f->format;
	struct pw_rules rules = {.riscv_napot = random_once_in(&f->random, 2)};
	pw_pa root, table;

	memset(f->ram.bytes, 0, BYTES);
	f->ram.next_table = BASE;
	root = ram_new_table(&f->ram, pw_table_bytes(format, format->levels - 1u));
	do
		f->level = (unsigned)random_below(&f->random, format->levels);
	while (!format->level[f->level].page.size_log2);
	f->first = pw_format_extend(format, random_next(&f->random)) &
		   ~(pw_level_mask(&format->level[f->level]) |
			   (pw_level_page_size(&format->level[f->level]) - 1));
	table = ram_enter(&f->ram, format, root, f->first, f->level, 0);
	f->last = f->first + 64 * pw_level_page_size(&format->level[f->level]) - 1;
	cr_assert(twin_begin(&f->twin, format, root, &f->ram, false));
	f->twin.config.riscv_svnapot = rules.riscv_napot;
	if (random_once_in(&f->random, 2))
		rules.pa_bits = (uint8_t)(32 + random_below(&f->random, 20));
	if (rules.pa_bits)
		f->twin.config.maxphyaddr = rules.pa_bits;
	f->pa_bits =
		rules.pa_bits && rules.pa_bits < format->pa_bits ? rules.pa_bits : format->pa_bits;
	fill(f, table);
	cr_assert(pw_space_init_rules(&f->space, format, root,
			  random_once_in(&f->random, 8) ? &f->ram.callbacks : &f->ram.windows,
			  &rules) == PW_OK);
}

static void list(struct field *f)
{
	struct pw_regions regions;
	pw_va last = f->last < f->first ? UINT64_MAX : f->last;

	/* Cut at any byte. */
	if (random_once_in(&f->random, 2))
		f->first += random_below(&f->random, f->format->level[f->level].page.size_log2);
	pw_regions_begin(&regions, &f->space, f->first, last, NULL, 0);
	f->count = 0;
	while (pw_regions_next(&regions, &f->list[f->count]))
		cr_assert(++f->count < LIST_MAX);
	cr_assert(regions.status == PW_OK);
	f->last = last;
}

static bool agrees(const struct pw_region *region, pw_va va, const struct slow_result *twin)
{
	if (!region)
		return twin->status == SLOW_NOT_PRESENT || twin->status == SLOW_NON_CANONICAL;
	if (region->kind == PW_REGION_BAD)
		return twin->status == SLOW_RESERVED && twin->entry == region->entry &&
		       twin->level == region->level;
	if (region->kind == PW_REGION_LOST)
		return twin->status == SLOW_NO_MEMORY && twin->level == region->level;
	return region->kind == PW_REGION_MAPPED && twin->status == SLOW_MAPPED &&
	       twin->pa == region->pa + (va - region->first) &&
	       twin->page_size == region->page_size && twin_grants(twin, region->grant);
}

/* Each entry's range, by its first byte in the walk. */
static void compare(struct field *f)
{
	uint64_t size = pw_level_page_size(&f->format->level[f->level]);
	unsigned at = 0;

	for (pw_va va = f->first; va <= f->last; va = (va | (size - 1)) + 1) {
		struct slow_result twin = twin_look(&f->twin, va);

		while (at < f->count && f->list[at].last < va)
			at++;
		cr_assert(agrees(at < f->count && f->list[at].first <= va ? &f->list[at] : NULL, va,
				  &twin),
			"%s level %u at %#llx: twin %s entry %#llx", f->format->name, f->level,
			(unsigned long long)va, slow_status_name(twin.status),
			(unsigned long long)twin.entry);
		if ((va | (size - 1)) == UINT64_MAX)
			break;
	}
	for (unsigned i = 0; i + 1 < f->count; i++) {
		const struct pw_region *a = &f->list[i], *b = a + 1;

		cr_assert(a->kind != PW_REGION_MAPPED || b->kind != a->kind ||
				  a->last + 1 != b->first || a->page_size != b->page_size ||
				  a->grant != b->grant || a->pa + (b->first - a->first) != b->pa,
			"%s level %u: not merged at %#llx", f->format->name, f->level,
			(unsigned long long)b->first);
	}
	for (unsigned i = 0; i < f->count; i++)
		f->merged += f->list[i].last - f->list[i].first >= 2 * size;
}

Test(regions_twin, runs_break_where_they_must)
{
	static struct field f;
	uint64_t seed = random_seed(20260941);

	f.random = random_from(seed);
	printf("seed %llu\n", (unsigned long long)seed);
	ram_begin(&f.ram, BASE, BYTES);
	for (size_t i = 0; (f.format = pw_format_at(i)); i++) {
		if (f.format->levels == 0)
			continue;
		f.merged = 0;
		for (int round = 0; round < 600; round++) {
			random_space(&f);
			list(&f);
			compare(&f);
		}
		cr_expect(f.merged > 300, "%s: only %lu runs", f.format->name, f.merged);
	}
	ram_end(&f.ram);
}
