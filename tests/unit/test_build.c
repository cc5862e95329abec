/* SPDX-License-Identifier: MIT */
/* Map, protect, unmap, allocate, free: what they do in every format, and what they refuse. */
#include "build_fixture.h"
#include <stdlib.h>

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

static void refused(enum pw_status expected, enum pw_status status, const char *what)
{
	cr_expect(status == expected, "%s: %s instead of %s", what, pw_status_name(status),
		pw_status_name(expected));
}

Test(build, ranges_that_are_refused)
{
	static struct fixture f;
	static const struct {
		const char *what;
		enum pw_status status;
		pw_va va;
		pw_pa pa;
		uint64_t size;
	} rows[] = {
		{"size 0", PW_E_RANGE, 0x1000, 0x1000, 0},
		{"odd va", PW_E_ALIGNMENT, 0x1001, 0x1000, 0x1000},
		{"odd pa", PW_E_ALIGNMENT, 0x1000, 0x1800, 0x1000},
		{"odd size", PW_E_ALIGNMENT, 0x1000, 0x1000, 0x1001},
		{"va wraps", PW_E_RANGE, UINT64_C(0xfffffffffffff000), 0, 0x2000},
		{"not canonical", PW_E_RANGE, UINT64_C(0x800000000000), 0, 0x1000},
		{"ends beyond canonical", PW_E_RANGE, UINT64_C(0x7ffffffff000), 0, 0x2000},
		{"over the canonical hole", PW_E_RANGE, UINT64_C(0x7ffffffff000), 0,
			UINT64_C(0xffff000000002000)},
		{"pa wraps", PW_E_RANGE, 0, UINT64_C(0xfffffffffffff000), 0x2000},
		{"pa too wide", PW_E_RANGE, 0, UINT64_C(1) << 52, 0x1000},
		{"pa ends too far", PW_E_RANGE, 0, (UINT64_C(1) << 52) - 0x1000, 0x2000},
	};
	uint8_t *copy;

	fixture_begin(&f, &pw_format_x86_64, true);
	copy = test_memory_copy(&f.tm);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		refused(rows[i].status,
			pw_map(&f.space, rows[i].va, rows[i].pa, rows[i].size, PW_R, &f.flush),
			rows[i].what);
		if (rows[i].pa)
			continue;
		refused(rows[i].status, pw_unmap(&f.space, rows[i].va, rows[i].size, NULL),
			rows[i].what);
		refused(rows[i].status, pw_free(&f.space, rows[i].va, rows[i].size, NULL),
			rows[i].what);
		refused(rows[i].status, pw_protect(&f.space, rows[i].va, rows[i].size, PW_R, NULL),
			rows[i].what);
		refused(rows[i].status, pw_allocate(&f.space, rows[i].va, rows[i].size, PW_R, NULL),
			rows[i].what);
	}
	cr_assert(test_memory_equals(&f.tm, copy) && f.tm.tables_out == 1);
	free(copy);
	fixture_end(&f);
}

Test(build, rights_that_are_refused)
{
	static struct fixture f;
	static const struct {
		const struct pw_format *format;
		enum pw_status status;
		pw_rights rights;
	} rows[] = {
		{&pw_format_x86_64, PW_E_RIGHTS, 0},
		{&pw_format_x86_64, PW_E_RIGHTS, PW_W},
		{&pw_format_x86_64, PW_E_RIGHTS, PW_R | PW_MEM_WC},
		{&pw_format_x86_64, PW_E_ARGUMENT, PW_R | (pw_rights)1 << 31},
		{&pw_format_x86_64, PW_OK, PW_R | PW_MEM_UC},
		{&pw_format_x86_32, PW_E_RIGHTS, PW_R}, /* no XD there */
		{&pw_format_ept_4, PW_E_RIGHTS, PW_W},
		{&pw_format_ept_4, PW_E_RIGHTS, PW_R | PW_U},
		{&pw_format_ept_4, PW_E_RIGHTS, PW_R | PW_GLOBAL},
		{&pw_format_ept_4, PW_OK, PW_X},
		{&pw_format_ept_4, PW_OK, PW_R | PW_MEM_WC},
		{&pw_format_arm64_s2_4k, PW_OK, PW_W},
		{&pw_format_riscv_sv39, PW_E_RIGHTS, PW_W},
		{&pw_format_riscv_sv39, PW_E_RIGHTS, PW_R | PW_MEM_UC},
		{&pw_format_riscv_sv39x4, PW_E_RIGHTS, PW_R | PW_U},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fixture_begin(&f, rows[i].format, true);
		refused(rows[i].status, pw_map(&f.space, 0, 0, PAGE, rows[i].rights, NULL),
			rows[i].format->name);
		fixture_end(&f);
	}
}

Test(build, rules_of_the_space_count)
{
	static struct fixture f;
	struct pw_rules no_execute_only = {.ept_no_execute_only = true, .pa_bits = 36};
	struct pw_x86_state state = {.cr0 = PW_CR0_PE | PW_CR0_PG,
		.cr4 = PW_CR4_PAE,
		.efer = PW_EFER_LME | PW_EFER_LMA,
		.no_1g_pages = true};
	struct pw_space space;

	fixture_begin(&f, &pw_format_x86_64, true);
	state.cr3 = f.space.root;
	cr_assert(pw_space_init_x86(&space, &state, &f.tm.memory, NULL) == PW_OK);
	refused(PW_E_RIGHTS, pw_map(&space, 0, 0, PAGE, PW_R, NULL), "no XD without NXE");
	refused(PW_OK, pw_map(&space, GIB, GIB, GIB, PW_R | PW_X, NULL), "no 1 GiB pages");
	fixture_expect(&f, GIB, GIB, 2 * MIB, PW_R | PW_X);
	fixture_end(&f);

	fixture_begin(&f, &pw_format_ept_4, true);
	cr_assert(pw_space_init_rules(&space, &pw_format_ept_4, f.space.root, &f.tm.memory,
			  &no_execute_only) == PW_OK);
	refused(PW_E_RIGHTS, pw_map(&space, 0, 0, PAGE, PW_X, NULL), "execute-only");
	refused(PW_E_RANGE, pw_map(&space, 0, UINT64_C(1) << 36, PAGE, PW_R, NULL), "36 bits");
	refused(PW_OK, pw_map(&space, 0, (UINT64_C(1) << 36) - PAGE, PAGE, PW_R, NULL), "in 36");
	fixture_end(&f);
}

/* Pages that an entry cannot name go back, and smaller ones do not help. */
Test(build, pages_beyond_the_width)
{
	static struct fixture f;
	struct pw_rules narrow = {.pa_bits = 30};
	struct pw_space space;

	fixture_begin(&f, &pw_format_x86_32, true);
	cr_assert(pw_space_init_rules(&space, f.format, f.space.root, &f.tm.memory, &narrow) ==
		  PW_OK);
	refused(PW_E_NO_TABLES, pw_allocate(&space, 0, 4 * MIB, PW_R | PW_W | PW_X, NULL),
		"pages at 1 GiB");
	cr_assert(f.tm.page_bytes_out == 0 && f.tm.tables_out == 1);
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

/* PSE-36: the address of a 4 MiB page has two fields, and only such pages lie above 4 GiB. */
Test(build, pse36_addresses)
{
	static struct fixture f;
	pw_rights all = PW_R | PW_W | PW_X;

	fixture_begin(&f, &pw_format_x86_32, true);
	refused(PW_OK, pw_map(&f.space, 0, 4 * GIB - 8 * MIB, 16 * MIB, all, NULL), "across 4 GiB");
	fixture_expect(&f, 0, 4 * GIB - 8 * MIB, 4 * MIB, all);
	fixture_expect(&f, 8 * MIB, 4 * GIB, 4 * MIB, all);
	fixture_expect(&f, 12 * MIB + 5, 4 * GIB + 4 * MIB + 5, 4 * MIB, all);
	refused(PW_OK, pw_map(&f.space, 2 * GIB - PAGE, 4 * GIB - PAGE, 4 * MIB + PAGE, all, NULL),
		"a small page below, a large one above");
	fixture_expect(&f, 2 * GIB, 4 * GIB, 4 * MIB, all);
	refused(PW_E_RANGE, pw_map(&f.space, GIB, 4 * GIB, PAGE, all, NULL), "4 KiB above");
	refused(PW_E_RANGE, pw_map(&f.space, GIB, 5 * GIB, 4 * MIB + PAGE, all, NULL), "tail");
	refused(PW_E_UNSUPPORTED, pw_unmap(&f.space, 8 * MIB, PAGE, NULL), "cannot be divided");
	refused(PW_OK, pw_unmap(&f.space, 8 * MIB, 4 * MIB, NULL), "as a whole");
	fixture_end(&f);
}

Test(build, arguments_that_are_missing)
{
	struct pw_memory empty = {.windows = NULL};
	uint64_t entry;
	pw_pa root;

	refused(PW_E_ARGUMENT, pw_map(NULL, 0, 0, PAGE, PW_R, NULL), "no space");
	refused(PW_E_ARGUMENT, pw_unmap(NULL, 0, PAGE, NULL), "no space");
	refused(PW_E_ARGUMENT, pw_read_pte(NULL, 0, &entry, NULL), "no space");
	refused(PW_E_ARGUMENT, pw_write_pte(NULL, 0, 0, 0), "no space");
	refused(PW_E_ARGUMENT, pw_root_create(NULL, &empty, &root), "no format");
	refused(PW_E_ARGUMENT, pw_root_create(&pw_format_x86_64, NULL, &root), "no memory");
	refused(PW_E_ARGUMENT, pw_root_create(&pw_format_x86_64, &empty, NULL), "no root");
	refused(PW_E_NO_TABLES, pw_root_create(&pw_format_x86_64, &empty, &root), "no allocator");
	refused(PW_E_UNSUPPORTED, pw_root_create(&pw_format_x86_none, &empty, &root), "no levels");
	pw_flush_done(NULL, NULL);
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
