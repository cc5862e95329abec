/* SPDX-License-Identifier: MIT */
/*
 * Formats of one's own: built-in rows with random changes. Whatever the self-check lets pass can be
 * walked, enumerated and copied through without harm (the sanitizers' builds look closer), and
 * without an unaligned entry.
 */
#include "ram.h"
#include "random.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define BASE  UINT64_C(0x400000)
#define BYTES (UINT64_C(1) << 16)

struct lab {
	struct random random;
	struct ram ram;
	struct pw_memory careful;
	struct pw_format format;
	unsigned entry_bytes;
	unsigned long passed, mapped;
};

static bool read_pte(void *ctx, pw_pa pa, unsigned bytes, uint64_t *entry)
{
	struct lab *lab = ctx;

	cr_assert(bytes == lab->format.entry_bytes && pa % bytes == 0, "%u bytes at %#llx", bytes,
		(unsigned long long)pa);
	/* The same words over and over: wherever an entry leads, there is a table. */
	*entry = ram_load(&lab->ram, BASE | (pa & (BYTES - 1)), bytes);
	return true;
}

static uint8_t *random_byte(struct lab *lab)
{
	struct pw_format *f = &lab->format;
	struct pw_level *level = &f->level[random_below(&lab->random, 6)];
	struct pw_page *page = random_once_in(&lab->random, 4) ? &level->span : &level->page;
	uint8_t *small[] = {&f->levels, &f->va_bits, &f->extension, &f->pa_bits, &f->entry_bytes,
		&f->address_left, &f->attribute_count, &f->key_bit, &f->key_bits, &level->shift,
		&level->index_bits, &page->size_log2, &page->high[0].left, &page->high[1].left,
		&page->right_bit[random_below(&lab->random, 6)],
		&page->type_bit[random_below(&lab->random, 5)],
		&f->attribute[random_below(&lab->random, 6)].fold,
		&f->attribute[random_below(&lab->random, 6)].table_bit,
		&f->encode[random_below(&lab->random, 16)],
		&f->encode_type[random_below(&lab->random, 8)]};

	return small[random_below(&lab->random, sizeof small / sizeof small[0])];
}

static uint64_t *random_mask(struct lab *lab)
{
	struct pw_format *f = &lab->format;
	struct pw_level *level = &f->level[random_below(&lab->random, 6)];
	struct pw_page *page = random_once_in(&lab->random, 4) ? &level->span : &level->page;
	uint64_t *masks[] = {&f->reserved_above_pa, &f->root_align, &f->global_table,
		&f->need_accessed, &f->need_dirty, &level->present_all, &level->present_any,
		&level->table_mask, &level->table_value, &level->table_address,
		&level->table_reserved, &level->table_illegal_low6, &level->table_bits,
		&level->fold, &page->mask, &page->value, &page->address, &page->high[0].mask,
		&page->reserved, &page->illegal_low6, &page->bits, &page->accessed, &page->dirty};

	return masks[random_below(&lab->random, sizeof masks / sizeof masks[0])];
}

static void mutate(struct lab *lab)
{
	unsigned changes = 1 + (unsigned)random_below(&lab->random, 3);
	uint64_t low;

	lab->format = *pw_format_at((size_t)random_below(&lab->random, 24));
	while (changes-- > 0) {
		low = (UINT64_C(1) << random_below(&lab->random, 64)) - 1;
		if (random_once_in(&lab->random, 2))
			*random_byte(lab) = (uint8_t)random_next(&lab->random);
		else if (random_once_in(&lab->random, 2))
			*random_mask(lab) ^= UINT64_C(1) << random_below(&lab->random, 64);
		else
			*random_mask(lab) = random_next(&lab->random) & low;
	}
}

static void use(struct lab *lab, const struct pw_space *space)
{
	pw_va va = pw_format_extend(&lab->format, random_next(&lab->random));
	struct pw_trace_step steps[PW_MAX_LEVELS];
	struct pw_regions regions;
	struct pw_region region;
	struct pw_result hit;
	char buffer[64];
	size_t count;

	for (unsigned access = 0; access < 256; access = access * 2 + 1) {
		(void)!pw_translate(space, va, access, &hit);
		(void)!pw_translate(space, va, (access + 1) & 255, &hit);
	}
	if (pw_translate_trace(space, va, PW_ACCESS_ANY, &hit, steps, &count) == PW_OK)
		lab->mapped++;
	(void)!pw_copy_some(space, va, buffer, sizeof buffer, PW_ACCESS_ANY, &count);
	pw_regions_begin(&regions, space, va, UINT64_MAX, NULL, 0);
	regions.budget = 300;
	for (int i = 0; i < 300 && pw_regions_next(&regions, &region); i++)
		cr_assert(region.first <= region.last);
	for (unsigned level = 0; level < PW_MAX_LEVELS; level++) {
		uint64_t entry = random_next(&lab->random);

		(void)pw_entry_kind(&lab->format, level, entry);
		(void)pw_entry_address(&lab->format, level, entry);
		(void)pw_entry_page_size(&lab->format, level, entry);
		(void)pw_table_bytes(&lab->format, level);
	}
}

static void try(struct lab *lab)
{
	const struct pw_format *f = &lab->format;
	struct pw_space space;
	uint64_t align = 1;
	const char *why;

	if (pw_format_check(f, &why) != PW_OK) {
		cr_assert_not_null(why);
		return;
	}
	cr_assert_null(why);
	lab->passed++;
	if (f->levels)
		align = f->root_align ? f->root_align : pw_table_bytes(f, f->levels - 1u);
	if (pw_space_init(&space, f, BASE / align * align, &lab->careful) != PW_OK)
		return;
	use(lab, &space);
	cr_assert(pw_space_init(&space, f, BASE / align * align, &lab->ram.windows) == PW_OK);
	use(lab, &space);
}

Test(format_mutants, what_passes_the_self_check_can_be_walked)
{
	static struct lab lab;
	uint64_t seed = random_seed(20260961);

	lab.random = random_from(seed);
	printf("seed %llu\n", (unsigned long long)seed);
	ram_begin(&lab.ram, BASE, BYTES);
	lab.careful = (struct pw_memory){.read_pte = read_pte, .ctx = &lab};
	for (int round = 0; round < 60000; round++) {
		if (round % 100 == 0) {
			for (uint64_t i = 0; i < BYTES; i++)
				lab.ram.bytes[i] = (uint8_t)random_next(&lab.random);
		}
		mutate(&lab);
		try(&lab);
	}
	cr_expect(lab.passed > 5000, "only %lu passed", lab.passed);
	cr_expect(lab.mapped > 500, "only %lu mapped", lab.mapped);
	ram_end(&lab.ram);
}
