/* SPDX-License-Identifier: MIT */
/* Map, protect, unmap, allocate, free: what they do, in every format. */
#include "build_fixture.h"

#define PAGE (4 * KIB)

static uint64_t block(const struct pw_format *format, unsigned level)
{
	return pw_level_page_size(&format->level[level]);
}

static pw_rights read_write(const struct pw_format *format)
{
	return format->encode[PW_R | PW_W | PW_U] != PW_CANNOT ? PW_R | PW_W | PW_U
	       : format->encode[PW_R | PW_W] != PW_CANNOT      ? PW_R | PW_W
							       : PW_R | PW_W | PW_X | PW_U;
}

static pw_rights read_only(const struct pw_format *format)
{
	return read_write(format) & ~PW_W;
}

/* One page of this level in an empty space, read back, protected and taken out again. */
static void one_page(struct fixture *f, unsigned level)
{
	uint64_t size = block(f->format, level), half = UINT64_C(1) << (f->format->va_bits - 1);
	pw_va va = pw_format_extend(f->format, size == half ? half : half + size);
	pw_pa pa = size * 2 >> 32 && f->format->entry_bytes == 4 ? 0 : size * 2;
	pw_rights rights = read_write(f->format);

	if (pa >> f->format->pa_bits)
		pa = 0;
	cr_assert(pw_map(&f->space, va, pa, size, rights, &f->flush) == PW_OK, "%s level %u",
		f->format->name, level);
	fixture_expect(f, va, pa, size, rights);
	fixture_expect(f, va + (size - 1), pa + (size - 1), size, rights);
	cr_assert(fixture_look(f, va).level == (int)level);
	if (f->format->encode[read_only(f->format) & PW_RIGHTS_MASK] != PW_CANNOT) {
		rights = read_only(f->format);
		cr_assert(pw_protect(&f->space, va, size, rights, &f->flush) == PW_OK);
		fixture_expect(f, va, pa, size, rights);
	}
	cr_assert(f->flush.splits == 0);
	cr_assert(f->tm.tables_out == f->format->levels - level);
	cr_assert(pw_unmap(&f->space, va, size, &f->flush) == PW_OK);
	fixture_expect_hole(f, va);
	pw_flush_done(&f->space, &f->flush);
	cr_assert(f->tm.tables_out == 1);
}

static void every_page_size(const struct pw_format *format, bool windows)
{
	static struct fixture f;

	fixture_begin(&f, format, windows);
	for (unsigned level = 0; level < format->levels; level++) {
		if (format->level[level].page.size_log2)
			one_page(&f, level);
	}
	fixture_end(&f);
}

Test(build, every_page_size_of_every_format)
{
	const struct pw_format *format;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		if (!format->levels)
			continue;
		every_page_size(format, true);
		every_page_size(format, false);
	}
}

/* Nothing built in is big-endian; Arm tables can be (SCTLR.EE). */
Test(build, big_endian_entries)
{
	const struct pw_format *format;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		struct pw_format other = *format;

		other.big_endian = true;
		if (!format->levels)
			continue;
		every_page_size(&other, true);
		every_page_size(&other, false);
	}
}

/* Part of each page that can be divided: what is outside stays as it was. */
static void part_of_a_page(struct fixture *f, unsigned level, bool protect)
{
	uint64_t page = block(f->format, 0), size = block(f->format, level);
	pw_va va = pw_format_extend(f->format, size), middle = va + size / 2;
	pw_rights before = read_write(f->format), after = read_only(f->format);
	int64_t allocations;

	if (f->format->encode[after & PW_RIGHTS_MASK] == PW_CANNOT)
		return;
	cr_assert(pw_map(&f->space, va, size, size, before, &f->flush) == PW_OK);
	allocations = f->tm.allocations;
	if (protect)
		cr_assert(pw_protect(&f->space, middle, page, after, &f->flush) == PW_OK,
			"%s level %u", f->format->name, level);
	else
		cr_assert(pw_unmap(&f->space, middle, page, &f->flush) == PW_OK, "%s level %u",
			f->format->name, level);
	if (protect)
		fixture_expect(f, middle, size + size / 2, page, after);
	else
		fixture_expect_hole(f, middle);
	fixture_expect(f, middle - page, size + size / 2 - page,
		fixture_look(f, middle - page).page_size, before);
	fixture_expect(f, middle + page, size + size / 2 + page, page, before);
	fixture_expect(f, va, size, block(f->format, level - 1), before);
	fixture_expect(
		f, va + (size - page), size + size - page, block(f->format, level - 1), before);
	/* Only the border's path is divided, and no more tables are taken than that needs. */
	cr_assert(f->tm.allocations - allocations == level);
	cr_assert(f->flush.splits == level, "%llu splits", (unsigned long long)f->flush.splits);
	f->flush.splits = 0;
	cr_assert(pw_unmap(&f->space, va, size, &f->flush) == PW_OK);
	pw_flush_done(&f->space, &f->flush);
	cr_assert(f->tm.tables_out == 1);
}

Test(build, part_of_a_huge_page_in_every_format)
{
	const struct pw_format *format;
	static struct fixture f;
	unsigned sizes = 0;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		for (unsigned level = 1; level < format->levels; level++) {
			bool divisible = format->level[level].page.size_log2 &&
					 format->level[level - 1].page.size_log2;

			/* Two of them must fit, at their own physical addresses. */
			if (!divisible || block(format, level) * 2 >> (format->va_bits - 1) ||
				block(format, level) * 2 >> 31 >
					(format->entry_bytes == 4 ? 0 : ~0u))
				continue;
			fixture_begin(&f, format, level & 1);
			part_of_a_page(&f, level, true);
			part_of_a_page(&f, level, false);
			fixture_end(&f);
			sizes++;
		}
	}
	cr_assert(sizes > 25, "only %u sizes of huge pages were divided", sizes);
}

Test(build, mixed_sizes_up_to_the_largest)
{
	static struct fixture f;
	pw_va va = 2 * GIB - 2 * MIB - PAGE;
	uint64_t size = PAGE + 2 * MIB + GIB + 4 * MIB + 3 * PAGE;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, va, va, size, PW_R | PW_W, &f.flush) == PW_OK);
	fixture_expect(&f, va, va, PAGE, PW_R | PW_W);
	fixture_expect(&f, va + PAGE, va + PAGE, 2 * MIB, PW_R | PW_W);
	fixture_expect(&f, 2 * GIB, 2 * GIB, GIB, PW_R | PW_W);
	fixture_expect(&f, 3 * GIB + 2 * MIB, 3 * GIB + 2 * MIB, 2 * MIB, PW_R | PW_W);
	fixture_expect(&f, 3 * GIB + 4 * MIB, 3 * GIB + 4 * MIB, PAGE, PW_R | PW_W);
	/* root, one PDPT, two PDs, two PTs */
	cr_assert(f.tm.tables_out == 6 && f.flush.tables_allocated == 5);
	cr_assert(f.flush.range_count == 0 && !f.flush.everything, "x86 remembers no holes");
	fixture_end(&f);
}

Test(build, the_top_of_the_address_space)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, UINT64_C(0xfffffffffffff000), 0, PAGE, PW_R, NULL) == PW_OK);
	cr_assert(pw_map(&f.space, UINT64_C(0xffff800000000000), 0, PAGE, PW_R, NULL) == PW_OK);
	cr_assert(pw_map(&f.space, UINT64_C(0x7ffffffff000), 0, PAGE, PW_R, NULL) == PW_OK);
	fixture_expect(&f, UINT64_C(0xfffffffffffff000), 0, PAGE, PW_R);
	fixture_expect(&f, UINT64_C(0x7ffffffff000), 0, PAGE, PW_R);
	cr_assert(
		pw_unmap(&f.space, UINT64_C(0xffff800000000000), UINT64_C(1) << 47, NULL) == PW_OK);
	fixture_expect_hole(&f, UINT64_C(0xfffffffffffff000));
	fixture_end(&f);
}

/* More holes in tables that are there than a spare table has room to note. */
Test(build, allocating_between_pages_that_are_there)
{
	static struct fixture f;
	pw_rights rights = PW_R | PW_W;

	for (int windows = 0; windows < 2; windows++) {
		fixture_begin(&f, &pw_format_x86_64, windows);
		f.tm.largest_page = PAGE;
		for (unsigned i = 0; i <= 4; i++)
			cr_assert(pw_map(&f.space, i * 2 * MIB, 0, PAGE, rights, NULL) == PW_OK);
		cr_assert(pw_allocate(&f.space, PAGE, 2 * MIB * 4, rights, NULL) == PW_E_EXISTS);
		for (unsigned i = 1; i < 4; i++)
			fixture_set_entry(&f, i * 2 * MIB, 0);
		cr_assert(
			pw_allocate(&f.space, PAGE, 2 * MIB * 4 - PAGE, rights, &f.flush) == PW_OK);
		cr_assert(f.tm.page_count == 4 * 512 - 1 && f.flush.tables_allocated == 0);
		cr_assert(f.tm.tables_out == 1 + 2 + 5, "spare tables go back");
		for (pw_va va = PAGE; va < 8 * MIB; va += PAGE)
			fixture_expect(&f, va, UINT64_C(0x40000000) + va - PAGE, PAGE, rights);
		cr_assert(pw_free(&f.space, PAGE, 2 * MIB * 4 - PAGE, NULL) == PW_OK);
		cr_assert(f.tm.page_count == 0);
		fixture_end(&f);
	}
}

/* Arm's upper half: the same tables, other addresses. */
Test(build, the_upper_half_of_arm)
{
	static struct fixture f;
	struct pw_rules rules = {.arm_high = true};
	pw_va top = UINT64_MAX - PAGE + 1;

	fixture_begin(&f, &pw_format_arm64_4k, true);
	cr_assert(pw_space_init_rules(&f.space, f.format, f.space.root, &f.tm.memory, &rules) ==
		  PW_OK);
	cr_assert(pw_map(&f.space, 0, 0, PAGE, PW_R, NULL) == PW_E_RANGE);
	cr_assert(pw_map(&f.space, top, 0x5000, PAGE, PW_R, NULL) == PW_OK);
	cr_assert(pw_protect(&f.space, top, PAGE, PW_R | PW_W, &f.flush) == PW_OK);
	cr_assert(f.ranges[0].first == top && f.ranges[0].last == UINT64_MAX);
	cr_assert(pw_unmap(&f.space, ~(UINT64_C(1) << 48) + 1, UINT64_C(1) << 48, NULL) == PW_OK);
	cr_assert(f.tm.tables_out == 1);
	test_memory_end(&f.tm);
}

Test(build, single_entries)
{
	static struct fixture f;
	uint64_t entry = 1;
	unsigned level = 9;

	fixture_begin(&f, &pw_format_x86_64, false);
	cr_assert(pw_read_pte(&f.space, 0x1000, &entry, &level) == PW_OK);
	cr_assert(entry == 0 && level == 3);
	cr_assert(pw_map(&f.space, 0x1000, 0x5000, PAGE, PW_R | PW_W | PW_X, NULL) == PW_OK);
	cr_assert(pw_read_pte(&f.space, 0x1abc, &entry, &level) == PW_OK);
	cr_assert(entry == (0x5000 | PTE_PW) && level == 0);
	cr_assert(pw_write_pte(&f.space, 0x1000, entry, entry | PTE_U) == PW_OK);
	cr_assert(pw_write_pte(&f.space, 0x1000, entry, entry) == PW_UNSTABLE);
	cr_assert(fixture_entry(&f, 0x1000) == (0x5000 | PTE_PWU));
	cr_assert(pw_read_pte(&f.space, UINT64_C(1) << 63, &entry, NULL) == PW_NON_CANONICAL);
	fixture_set_entry(&f, 0x1000, PTE_P | UINT64_C(1) << 51 | 0x5000);
	f.space.reserved_page[0] |= UINT64_C(1) << 51;
	level = 7;
	cr_assert(pw_read_pte(&f.space, 0x1000, &entry, &level) == PW_RESERVED && level == 7);
	cr_assert(pw_write_pte(&f.space, 0x1000, PTE_P | UINT64_C(1) << 51 | 0x5000, 0) == PW_OK,
		"a BAD entry can be mended");
	fixture_end(&f);
}
