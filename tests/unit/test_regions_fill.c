/* SPDX-License-Identifier: MIT */
/*
 * The same regions by every way: entry by entry through callbacks, where nothing is scanned;
 * through a window, one by one and many at a time; and with vector code. Whole tables, of every
 * format, with runs, holes and hostile entries, in memory that begins and ends anywhere.
 */
#include "ram.h"
#include "random.h"
#include "share.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE     UINT64_C(0x400000)
#define BYTES    (UINT64_C(1) << 21)
#define TABLES   4
#define LIST_MAX 40000
#define AT_ONCE  61

struct part {
	uint8_t *bytes; /* a block of its own: a sanitizer sees what lies outside */
	uint64_t base, size;
	struct pw_window window;
	struct pw_memory callbacks, windows;
};

struct shelf {
	struct random random;
	struct ram ram;
	struct part part;
	const struct pw_format *format;
	pw_pa root, table[2][TABLES]; /* tables of level 0 and 1 */
	pw_va va;
	unsigned pa_bits; /* the width that pages run into */
};

struct page_list {
	struct pw_region region[LIST_MAX];
	size_t count;
	struct pw_regions regions;
};

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	const struct part *part = ctx;
	uint64_t offset = pa - part->base, value = 0;

	if (pa < part->base || offset >= part->size || part->size - offset < bytes)
		return false;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)part->bytes[offset + i] << (8 * i);
	*entry = value;
	return true;
}

/* ---- Tables ---- */

static uint64_t other_rights(struct shelf *s, unsigned level)
{
	unsigned attribute = (unsigned)random_below(&s->random, s->format->attribute_count);
	unsigned bit = s->format->level[level].page.right_bit[attribute];

	return bit == PW_NO_BIT ? 0 : UINT64_C(1) << bit;
}

/* An entry of this level: a page that goes on with the one before it, or anything else. */
static uint64_t random_entry(struct shelf *s, unsigned level, uint64_t before, unsigned wild)
{
	const struct pw_format *f = s->format;
	const struct pw_level *row = &f->level[level];
	uint64_t step = row->page.address & -row->page.address;
	uint64_t last = ((UINT64_C(1) << s->pa_bits) - 1) >> f->address_left;
	uint64_t type = f->family == PW_FAMILY_EPT ? 0x37 : f->family == PW_FAMILY_RISCV ? 0x1e : 0;

	if (random_below(&s->random, 100) >= wild)
		return before ? before + step : 0;
	switch (random_below(&s->random, 8)) {
	case 0:
	case 1:
		return 0;
	case 2:
		return (before + step) ^ UINT64_C(1)
						 << random_below(&s->random, 8 * f->entry_bytes);
	case 3:
		return random_once_in(&s->random, 2) ? random_next(&s->random)
						     : (before + step) ^ other_rights(s, level);
	case 4: /* the last pages that there are */
		return (row->page.bits | type | (row->page.address & last)) -
		       random_below(&s->random, 100) * step;
	case 5:
		if (level)
			return row->table_bits |
			       (s->table[level - 1][random_below(&s->random, TABLES)] >>
					       f->address_left &
				       row->table_address);
		break;
	case 6: /* as before, but for being there */
		return (before + step) & ~(row->present_all | row->present_any);
	default:
		break;
	}
	return row->page.bits | type | (random_next(&s->random) & row->page.address);
}

static void fill(struct shelf *s, unsigned level, pw_pa table)
{
	static const unsigned wilds[] = {0, 1, 3, 12, 40, 100};
	unsigned wild = wilds[random_below(&s->random, 6)], bytes = s->format->entry_bytes;
	uint64_t entry = random_once_in(&s->random, 2) ? 0 : random_entry(s, level, 0, 100);

	for (uint64_t i = 0; i < pw_level_entries(&s->format->level[level]); i++) {
		entry = random_entry(s, level, entry, wild);
		if (bytes == 4)
			entry &= UINT32_MAX;
		ram_store(&s->ram, table + i * bytes, bytes, entry);
	}
}

/* Two neighbouring level-1 tables, or the only one, in a random place. */
static void make_tables(struct shelf *s)
{
	const struct pw_format *f = s->format;
	unsigned top = f->levels - 1u;
	const struct pw_level *parent = &f->level[top < 2 ? top : 2];

	memset(s->ram.bytes, 0, BYTES);
	s->ram.next_table = BASE;
	s->pa_bits = 32 + (unsigned)random_below(&s->random, 21);
	s->root = ram_new_table(&s->ram, pw_table_bytes(f, top));
	s->va = pw_format_extend(f, random_next(&s->random)) &
		~((pw_level_page_size(parent) << 1) - 1);
	for (unsigned i = 0; i < TABLES; i++) {
		for (unsigned level = 0; level < (top > 1 ? 2 : 1); level++)
			s->table[level][i] = ram_new_table(&s->ram, pw_table_bytes(f, level));
	}
	if (top == 1)
		s->table[1][0] = s->root;
	for (unsigned i = 0; i < 2 && top > 1; i++)
		ram_enter(&s->ram, f, s->root, s->va + i * pw_level_page_size(parent), 2,
			parent->table_bits |
				(s->table[1][i] >> f->address_left & parent->table_address));
	for (unsigned i = 0; i < TABLES; i++) {
		fill(s, 0, s->table[0][i]);
		if (i < (top > 1 ? 2 : 1))
			fill(s, 1, s->table[1][i]);
	}
}

/* All that was made, or less of it at the beginning and at the end; nothing behind it. */
static void take_part(struct shelf *s)
{
	uint64_t end = s->ram.next_table, base = BASE;

	if (random_once_in(&s->random, 3))
		base += 8 * random_below(&s->random, 100);
	if (random_once_in(&s->random, 3))
		end -= 8 * random_below(&s->random, 2000);
	s->part = (struct part){.base = base, .size = end - base};
	s->part.bytes = malloc(s->part.size);
	cr_assert(s->part.bytes);
	memcpy(s->part.bytes, s->ram.bytes + (base - BASE), s->part.size);
	s->part.window = (struct pw_window){
		.base = base, .size = s->part.size, .host = s->part.bytes, .read_only = true};
	s->part.windows = (struct pw_memory){.windows = &s->part.window, .window_count = 1};
	s->part.callbacks = (struct pw_memory){.read_pte = read_pte, .ctx = &s->part};
}

/* ---- Lists ---- */

struct how {
	const struct pw_memory *memory;
	const struct pw_kernels *kernels;
	bool many;
};

struct what {
	struct pw_rules rules;
	pw_va first, last;
	uint64_t budget;
	size_t scratch;
	bool expand;
};

static void list(
	struct shelf *s, const struct what *what, const struct how *how, struct page_list *l)
{
	static _Alignas(8) char scratch[PW_REGIONS_SCRATCH(64)];
	struct pw_memory memory = *how->memory;
	struct pw_space space;
	size_t some, max;

	memory.kernels = how->kernels;
	cr_assert(pw_space_init_rules(&space, s->format, s->root, &memory, &what->rules) == PW_OK);
	pw_regions_begin(&l->regions, &space, what->first, what->last,
		what->scratch ? scratch : NULL, what->scratch);
	l->regions.budget = what->budget;
	l->regions.expand = what->expand;
	l->count = 0;
	do {
		max = how->many ? 1 + random_below(&s->random, AT_ONCE) : 1;
		/* Long lists are what vectors serve. */
		if (max > AT_ONCE / 2)
			max = AT_ONCE - random_below(&s->random, 8);
		cr_assert(l->count + max <= LIST_MAX, "too many regions");
		if (random_once_in(&s->random, 2) && max == 1)
			some = pw_regions_next(&l->regions, &l->region[l->count]);
		else
			some = pw_regions_fill(&l->regions, &l->region[l->count], max);
		cr_assert(some <= max);
		l->count += some;
	} while (some > 0);
	cr_assert_not(pw_regions_fill(&l->regions, &l->region[l->count], 1), "and stays there");
}

static bool same_region(const struct pw_region *a, const struct pw_region *b)
{
	return a->first == b->first && a->last == b->last && a->kind == b->kind &&
	       a->level == b->level && a->pa == b->pa && a->page_size == b->page_size &&
	       a->grant == b->grant && a->entry == b->entry && a->repeats == b->repeats &&
	       a->unused == b->unused && a->zero == b->zero;
}

static void expect_same(const struct shelf *s, const struct page_list *a, const struct page_list *b,
	const char *way)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		cr_assert(same_region(&a->region[i], &b->region[i]),
			"%s, %s: region %zu: [%#llx, %#llx] and [%#llx, %#llx]", s->format->name,
			way, i, (unsigned long long)a->region[i].first,
			(unsigned long long)a->region[i].last,
			(unsigned long long)b->region[i].first,
			(unsigned long long)b->region[i].last);
	cr_assert_eq(a->count, b->count, "%s, %s: %zu regions and %zu", s->format->name, way,
		a->count, b->count);
	cr_assert(a->regions.status == b->regions.status &&
			  a->regions.position == b->regions.position &&
			  a->regions.it.reads == b->regions.it.reads,
		"%s, %s: %s", s->format->name, way, pw_status_name(b->regions.status));
}

static struct what random_what(struct shelf *s)
{
	struct what what = {.last = UINT64_MAX, .budget = LIST_MAX - AT_ONCE - 1};
	uint64_t span = pw_level_page_size(&s->format->level[1]) << 9;

	if (random_once_in(&s->random, 2))
		what.first = s->va + (random_next(&s->random) & (span - 1));
	if (random_once_in(&s->random, 2))
		what.last = s->va + span + (random_next(&s->random) & (span - 1));
	if (what.first > what.last)
		what.first = 0;
	if (random_once_in(&s->random, 3))
		what.budget = random_below(&s->random, 8000);
	if (random_once_in(&s->random, 2))
		what.rules.pa_bits = (uint8_t)s->pa_bits;
	/* Without scratch shared tables are listed once more, and there are few of them. */
	what.scratch = random_once_in(&s->random, 3) ? 0 : PW_REGIONS_SCRATCH(64);
	what.expand = random_once_in(&s->random, 8);
	if (!what.scratch || what.expand)
		what.budget = random_below(&s->random, 8000);
	return what;
}

static size_t compare(struct shelf *s)
{
	static struct page_list slow, fast;
	struct what what = random_what(s);

	list(s, &what, &(struct how){.memory = &s->part.callbacks}, &slow);
	list(s, &what, &(struct how){.memory = &s->part.windows}, &fast);
	expect_same(s, &slow, &fast, "one by one");
	list(s, &what, &(struct how){.memory = &s->part.windows, .many = true}, &fast);
	expect_same(s, &slow, &fast, "many at a time");
	list(s, &what,
		&(struct how){
			.memory = &s->part.windows, .kernels = pw_kernels_best(), .many = true},
		&fast);
	expect_same(s, &slow, &fast, "with vectors");
	return slow.count;
}

Test(regions_fill, every_way_gives_the_same_list)
{
	static struct shelf s;
	unsigned rounds = share_of(40, 8);
	uint64_t seed = random_seed(20260951);

	s.random = random_from(seed);
	printf("seed %llu\n", (unsigned long long)seed);
	ram_begin(&s.ram, BASE, BYTES);
	for (size_t i = 0; (s.format = pw_format_at(i)); i++) {
		size_t regions = 0;

		for (unsigned round = 0; round < rounds && s.format->levels > 1; round++) {
			make_tables(&s);
			take_part(&s);
			for (int again = 0; again < 3; again++)
				regions += compare(&s);
			free(s.part.bytes);
		}
		cr_expect(regions > 1000 || s.format->levels < 2, "%s: only %zu regions",
			s.format->name, regions);
	}
	ram_end(&s.ram);
}

Test(regions_fill, nothing_fits_into_no_room)
{
	struct pw_space space;
	struct pw_memory memory = {.window_count = 0};
	struct pw_regions regions;
	struct pw_region region = {.first = 7};

	cr_assert(pw_space_init(&space, &pw_format_x86_none, 0, &memory) == PW_OK);
	pw_regions_begin(&regions, &space, 0, UINT64_MAX, NULL, 0);
	cr_assert_eq(pw_regions_fill(&regions, &region, 0), 0u);
	cr_assert_eq(region.first, 7u);
	cr_assert_eq(pw_regions_fill(&regions, &region, 1), 1u);
	cr_assert_eq(region.last, UINT32_MAX);
}
