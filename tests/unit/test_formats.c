/* SPDX-License-Identifier: MIT */
/* The rows of the built-in formats, and a format of one's own. */
#include <criterion/criterion.h>
#include <pagewalk/pagewalk.h>
#include <string.h>

Test(formats, every_row_passes_the_self_check)
{
	const struct pw_format *format;
	const char *why;
	size_t count = 0;

	for (; (format = pw_format_at(count)); count++)
		cr_expect(pw_format_check(format, &why) == PW_OK, "%s: %s", format->name, why);
	cr_assert_eq(count, 26u);
	cr_expect(pw_format_check(&pw_format_x86_32_no_pse, &why) == PW_OK, "no PSE: %s", why);
	cr_expect(pw_format_check(&pw_format_ept_4_mbec, &why) == PW_OK, "MBEC: %s", why);
	cr_expect(pw_format_check(&pw_format_ept_5_mbec, &why) == PW_OK, "MBEC: %s", why);
}

Test(formats, found_by_name)
{
	const struct pw_format *format;

	for (size_t i = 0; (format = pw_format_at(i)); i++)
		cr_expect(pw_format_find(format->name) == format, "%s", format->name);
	cr_assert_null(pw_format_find("x86"));
	cr_assert_null(pw_format_find("x86-64x"));
	cr_assert_null(pw_format_find(""));
	cr_assert_null(pw_format_find(NULL));
}

/* Geometry as the manuals state it: name, levels, va, pa, entry bytes, page sizes as log2. */
Test(formats, have_the_manuals_geometry)
{
	static const struct {
		const char *name;
		unsigned levels, va, pa, bytes;
		unsigned root_bytes;
		unsigned sizes[PW_MAX_LEVELS];
	} rows[] = {
		{"x86-none", 0, 32, 32, 0, 0, {0}},
		{"x86-32", 2, 32, 40, 4, 4096, {12, 22}},
		{"x86-pae", 3, 32, 52, 8, 32, {12, 21}},
		{"x86-64", 4, 48, 52, 8, 4096, {12, 21, 30}},
		{"x86-64-la57", 5, 57, 52, 8, 4096, {12, 21, 30}},
		{"ept-4", 4, 48, 52, 8, 4096, {12, 21, 30}},
		{"ept-5", 5, 57, 52, 8, 4096, {12, 21, 30}},
		{"npt-4", 4, 48, 52, 8, 4096, {12, 21, 30}},
		{"npt-5", 5, 57, 52, 8, 4096, {12, 21, 30}},
		{"armv7-short", 2, 32, 40, 4, 16384, {12, 20}},
		{"armv7-lpae", 3, 32, 40, 8, 32, {12, 21, 30}},
		{"arm64-4k", 4, 48, 48, 8, 4096, {12, 21, 30}},
		{"arm64-4k-39", 3, 39, 48, 8, 4096, {12, 21, 30}},
		{"arm64-16k", 4, 48, 48, 8, 16, {14, 25}},
		{"arm64-64k", 3, 48, 48, 8, 512, {16, 29}},
		{"arm64-s2-4k", 3, 40, 48, 8, 8192, {12, 21, 30}},
		{"arm64-s2-16k", 2, 40, 48, 8, 262144, {14, 25}},
		{"arm64-s2-64k", 2, 40, 48, 8, 16384, {16, 29}},
		{"riscv-sv32", 2, 32, 34, 4, 4096, {12, 22}},
		{"riscv-sv39", 3, 39, 56, 8, 4096, {12, 21, 30}},
		{"riscv-sv48", 4, 48, 56, 8, 4096, {12, 21, 30, 39}},
		{"riscv-sv57", 5, 57, 56, 8, 4096, {12, 21, 30, 39, 48}},
		{"riscv-sv32x4", 2, 34, 34, 4, 16384, {12, 22}},
		{"riscv-sv39x4", 3, 41, 56, 8, 16384, {12, 21, 30}},
		{"riscv-sv48x4", 4, 50, 56, 8, 16384, {12, 21, 30, 39}},
		{"riscv-sv57x4", 5, 59, 56, 8, 16384, {12, 21, 30, 39, 48}},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct pw_format *f = pw_format_find(rows[i].name);

		cr_assert_not_null(f, "%s", rows[i].name);
		cr_expect_eq(f->levels, rows[i].levels, "%s", f->name);
		cr_expect_eq(f->va_bits, rows[i].va, "%s", f->name);
		cr_expect_eq(f->pa_bits, rows[i].pa, "%s", f->name);
		cr_expect_eq(f->entry_bytes, rows[i].bytes, "%s", f->name);
		for (unsigned level = 0; level < f->levels; level++)
			cr_expect_eq(f->level[level].page.size_log2, rows[i].sizes[level],
				"%s level %u", f->name, level);
		if (f->levels)
			cr_expect_eq(pw_table_bytes(f, f->levels - 1u), rows[i].root_bytes, "%s",
				f->name);
	}
}

/* Each of these spoils one thing in a good row. */
Test(formats, the_self_check_finds_what_is_wrong)
{
	struct pw_format f = pw_format_x86_64;
	const char *why = NULL;

	f.va_bits = 47;
	cr_expect(pw_format_check(&f, &why) == PW_E_ARGUMENT && why);
	f = pw_format_x86_64;
	f.levels = 3; /* the crate this project learnt from had a "4-level" row of three */
	cr_expect(pw_format_check(&f, &why) == PW_E_ARGUMENT && why);
	f = pw_format_x86_64;
	f.level[1].page.address |= UINT64_C(1) << 12;
	cr_expect(pw_format_check(&f, &why) == PW_E_ARGUMENT && why);
	f = pw_format_x86_64;
	f.level[2].shift = 31;
	cr_expect(pw_format_check(&f, &why) == PW_E_ARGUMENT && why);
	f = pw_format_x86_64;
	f.level[0].table_mask = 0;
	f.level[0].table_value = 0;
	cr_expect(pw_format_check(&f, &why) == PW_E_ARGUMENT && why);
	f = pw_format_x86_64;
	f.entry_bytes = 16;
	cr_expect(pw_format_check(&f, &why) == PW_E_ARGUMENT && why);
	f = pw_format_x86_64;
	f.encode[1] = 5;
	cr_expect(pw_format_check(&f, &why) == PW_E_ARGUMENT && why);
	f = pw_format_x86_64;
	f.level[3].table_bits = 0;
	cr_expect(pw_format_check(&f, &why) == PW_E_ARGUMENT && why);
	f = pw_format_x86_64;
	f.attribute[2].table_bit = f.attribute[0].table_bit; /* XD is any, W is all */
	cr_expect(pw_format_check(&f, &why) == PW_E_ARGUMENT && why);
	f = pw_format_armv7_short;
	f.level[0].page.shareable_bit = 32;
	cr_expect(pw_format_check(&f, &why) == PW_E_ARGUMENT && why);
	f.level[0].page.shareable_bit = 12; /* of the address */
	cr_expect(pw_format_check(&f, &why) == PW_E_ARGUMENT && why);
	cr_expect(pw_format_check(NULL, &why) == PW_E_ARGUMENT && why);
	cr_expect(pw_format_check(&f, NULL) == PW_E_ARGUMENT);
}

Test(formats, questions_about_levels)
{
	const struct pw_level *level = &pw_format_x86_64.level[1];

	cr_assert_eq(pw_level_entries(level), 512u);
	cr_assert_eq(pw_level_page_size(level), UINT64_C(0x200000));
	cr_assert_eq(pw_level_mask(level), UINT64_C(0x3fe00000));
	cr_assert_eq(pw_level_index(level, UINT64_C(0x40600123)), 3u);
	cr_assert_eq(pw_level_last(level, UINT64_C(0x40600123)), UINT64_C(0x407fffff));
	/* The top of the address space does not wrap. */
	cr_assert_eq(pw_level_last(&pw_format_x86_64.level[3], UINT64_MAX - 5), UINT64_MAX);
	cr_assert_eq(pw_format_va_mask(&pw_format_x86_64), UINT64_C(0xffffffffffff));
	cr_assert_eq(pw_format_extend(&pw_format_x86_64, UINT64_C(0x800000000000)),
		UINT64_C(0xffff800000000000));
	cr_assert(pw_format_takes(&pw_format_x86_64, UINT64_C(0xffff800000000000)));
	cr_assert_not(pw_format_takes(&pw_format_x86_64, UINT64_C(0x800000000000)));
}

Test(formats, questions_about_entries)
{
	const struct pw_format *f = &pw_format_x86_64;

	cr_assert_eq(pw_entry_kind(f, 0, 0), PW_HOLE);
	cr_assert_eq(pw_entry_kind(f, 0, UINT64_C(0x5007)), PW_PAGE);
	cr_assert_eq(pw_entry_kind(f, 1, UINT64_C(0x5007)), PW_TABLE);
	cr_assert_eq(pw_entry_kind(f, 1, UINT64_C(0x600087)), PW_PAGE);
	cr_assert_eq(pw_entry_kind(f, 1, UINT64_C(0x605087)), PW_BAD);
	cr_assert_eq(pw_entry_kind(f, 3, UINT64_C(0x5087)), PW_BAD);
	cr_assert(pw_entry_is_huge_page(f, 1, UINT64_C(0x600087)));
	cr_assert_not(pw_entry_is_huge_page(f, 0, UINT64_C(0x5007)));
	cr_assert(pw_entry_is_page(f, 0, UINT64_C(0x5007)));
	cr_assert(pw_entry_is_table(f, 2, UINT64_C(0x5007)));
	cr_assert(pw_entry_is_present(f, 3, UINT64_C(0x5087)), "BAD is present");
	/* Bit 12 of a huge page is PAT, not address. */
	cr_assert_eq(pw_entry_address(f, 1, UINT64_C(0x601087)), UINT64_C(0x600000));
	cr_assert_eq(pw_entry_page_size(f, 1, UINT64_C(0x601087)), UINT64_C(0x200000));
	cr_assert_eq(pw_entry_address(f, 0, 0), 0u);
	/* PSE-36: bits 20:13 are bits 39:32. */
	cr_assert_eq(pw_entry_address(&pw_format_x86_32, 1, UINT64_C(0x00402087)),
		UINT64_C(0x100400000));
}

/* A two-level format nobody has: 1 KiB pages, 16 entries a table, big-endian, a "deny" bit. */
static const struct pw_format mine =
	{
		.name = "mine",
		.manual = "none",
		.levels = 2,
		.va_bits = 18,
		.pa_bits = 20,
		.entry_bytes = 4,
		.big_endian = true,
		.attribute_count = 1,
		.attribute = {{PW_FOLD_OR, 2}},
		.grant = {PW_GRANT_ALL(PW_R | PW_W | PW_X), PW_GRANT_ALL(PW_R | PW_X)},
		.encode = {PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, 1, PW_CANNOT, 0,
			PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT,
			PW_CANNOT},
		.level =
			{
				{
					.shift = 10,
					.index_bits = 4,
					.present_all = 1,
					.table_value = 1,
					.page = {.address = 0xffc00,
						.bits = 1,
						.size_log2 = 10,
						.right_bit = {2, PW_NO_BIT, PW_NO_BIT, PW_NO_BIT,
							PW_NO_BIT, PW_NO_BIT},
						.type_bit = {PW_NO_BIT, PW_NO_BIT, PW_NO_BIT,
							PW_NO_BIT, PW_NO_BIT}},
				},
				{
					.shift = 14,
					.index_bits = 4,
					.present_all = 1,
					.table_mask = 2,
					.table_value = 2,
					.table_address = 0xfffc0,
					.table_bits = 3,
					.fold = 4,
					.page = {.address = 0xfc000,
						.bits = 1,
						.size_log2 = 14,
						.right_bit = {2, PW_NO_BIT, PW_NO_BIT, PW_NO_BIT,
							PW_NO_BIT, PW_NO_BIT},
						.type_bit = {PW_NO_BIT, PW_NO_BIT, PW_NO_BIT,
							PW_NO_BIT, PW_NO_BIT}},
				},
			},
};

static void put_big_endian(unsigned char *ram, unsigned at, uint32_t entry)
{
	for (unsigned i = 0; i < 4; i++)
		ram[at + i] = (unsigned char)(entry >> (24 - 8 * i));
}

Test(formats, a_format_of_ones_own_is_walked)
{
	static _Alignas(8) unsigned char ram[256];
	struct pw_window window = {.size = sizeof ram, .host = ram};
	struct pw_memory memory = {.windows = &window, .window_count = 1};
	struct pw_space space;
	struct pw_result hit;
	const char *why;

	cr_assert(pw_format_check(&mine, &why) == PW_OK, "%s", why);
	put_big_endian(ram, 4 * 2, 0x40 | 4 | 2 | 1);   /* a table at 0x40, writes denied below */
	put_big_endian(ram, 0x40 + 4 * 3, 0xabc00 | 1); /* page 3 of it */
	put_big_endian(ram, 4 * 5, 0x54000 | 1);        /* a huge page */
	cr_assert(pw_space_init(&space, &mine, 0, &memory) == PW_OK);
	cr_assert(pw_translate(&space, 2 * 0x4000 + 3 * 0x400 + 5, PW_ACCESS_READ, &hit) == PW_OK);
	cr_assert_eq(hit.pa, UINT64_C(0xabc05));
	cr_assert_eq(hit.rights, PW_R | PW_X);
	cr_assert(pw_translate(&space, 2 * 0x4000 + 3 * 0x400, PW_ACCESS_WRITE, &hit) ==
		  PW_PROTECTION);
	cr_assert(pw_translate(&space, 5 * 0x4000 + 0x123, PW_ACCESS_WRITE, &hit) == PW_OK);
	cr_assert_eq(hit.pa, UINT64_C(0x54123));
	cr_assert_eq(hit.page_size, UINT64_C(0x4000));
	cr_assert(pw_translate(&space, 0, PW_ACCESS_ANY, &hit) == PW_NOT_PRESENT);
	cr_assert(pw_translate(&space, 1 << 18, PW_ACCESS_ANY, &hit) == PW_NON_CANONICAL);
}
