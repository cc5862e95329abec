/* SPDX-License-Identifier: MIT */
/*
 * Defects of the Rust crate page-walker, each as a property that its behaviour would break. The
 * numbers are those of the list that was made by running it.
 */
#include "build_fixture.h"
#include <stdlib.h>

#define PAGE (4 * KIB)

/* Every table entry on the way to va is an address and nothing but the ordinary bits. */
static void expect_ordinary_path(const struct fixture *f, pw_va va)
{
	for (unsigned level = 1; level < f->format->levels; level++) {
		uint64_t entry = test_memory_load(&f->tm, fixture_place(f, va, level), 8);

		cr_assert((entry & ~UINT64_C(0xffffffffff000)) == PTE_PWU, "entry %#llx",
			(unsigned long long)entry);
	}
}

/* Its walk_mut wrote the parent's entry into the child at the parent's index. */
Test(build, seed_S1_descending_leaves_the_tables_alone)
{
	static struct fixture f;
	pw_pa pte, pde;
	uint64_t first, table;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, 0x100000, 16 * PAGE, PW_R | PW_W, NULL) == PW_OK);
	expect_ordinary_path(&f, 0);
	pte = fixture_place(&f, 0, 0);
	pde = fixture_place(&f, 0, 1);
	first = test_memory_load(&f.tm, pte, 8);
	table = test_memory_load(&f.tm, pde, 8);
	cr_assert((table & UINT64_C(0xffffffffff000)) == pte, "the PDE leads to the PTE's table");
	cr_assert(pw_protect(&f.space, 0, PAGE, PW_R, NULL) == PW_OK);
	cr_assert(test_memory_load(&f.tm, pte, 8) == (first & ~PTE_W));
	cr_assert(test_memory_load(&f.tm, pde, 8) == table);
	cr_assert(pw_write_pte(&f.space, 0xfff, first & ~PTE_W, first) == PW_OK);
	cr_assert(test_memory_load(&f.tm, pte, 8) == first);
	cr_assert(test_memory_load(&f.tm, pde, 8) == table);
	expect_ordinary_path(&f, 0);
	fixture_end(&f);
}

/* It went on into entries that are not present: physical page 0, or what a swap entry names. */
Test(build, seed_S2_holes_are_not_entered)
{
	static struct fixture f;
	uint64_t entry = 1;

	fixture_begin(&f, &pw_format_x86_64, false);
	f.tm.reads = 0;
	cr_assert(pw_read_pte(&f.space, 0x12345000, &entry, NULL) == PW_OK && entry == 0);
	cr_assert(f.tm.reads == 1, "%llu entries read", (unsigned long long)f.tm.reads);
	f.tm.reads = 0;
	cr_assert(pw_unmap(&f.space, 0, UINT64_C(1) << 46, NULL) == PW_OK);
	cr_assert(pw_protect(&f.space, 0, UINT64_C(1) << 46, PW_R, NULL) == PW_OK);
	cr_assert(f.tm.reads < 2000, "%llu entries read", (unsigned long long)f.tm.reads);
	fixture_end(&f);
}

/* On ranges that are not mapped it wrote to physical page 0, and unchanged entries everywhere. */
Test(build, seed_S3_unmapped_ranges_and_unchanged_entries_are_not_written)
{
	static struct fixture f;
	pw_rights rights = PW_R | PW_W;

	fixture_begin(&f, &pw_format_x86_64, false);
	cr_assert(pw_map(&f.space, 2 * MIB, 0x100000, 4 * PAGE, rights, NULL) == PW_OK);
	f.tm.writes = f.tm.exchanges = 0;
	cr_assert(pw_unmap(&f.space, 0, MIB, &f.flush) == PW_OK);
	cr_assert(pw_free(&f.space, 3 * GIB, GIB + PAGE, &f.flush) == PW_OK);
	cr_assert(pw_protect(&f.space, 0, MIB, PW_R, &f.flush) == PW_OK);
	cr_assert(pw_unmap(&f.space, 2 * MIB + 4 * PAGE, PAGE, &f.flush) == PW_OK);
	cr_assert(pw_protect(&f.space, 2 * MIB, 4 * PAGE, rights, &f.flush) == PW_OK);
	cr_assert(f.tm.writes + f.tm.exchanges == 0, "%llu writes, %llu exchanges",
		(unsigned long long)f.tm.writes, (unsigned long long)f.tm.exchanges);
	cr_assert(f.flush.entries_written == 0 && f.flush.range_count == 0 && !f.flush.everything);
	/* Of four pages one is different: one write. */
	cr_assert(pw_protect(&f.space, 2 * MIB, PAGE, PW_R, NULL) == PW_OK);
	f.tm.writes = 0;
	cr_assert(pw_protect(&f.space, 2 * MIB, 4 * PAGE, rights, &f.flush) == PW_OK);
	cr_assert(f.tm.writes == 1 && f.flush.entries_written == 1);
	fixture_end(&f);
}

/* One page too many at the end of every range. */
Test(build, seed_S4_ranges_end_where_they_end)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, PAGE, 0x100000, PAGE, PW_R, NULL) == PW_OK);
	fixture_expect_hole(&f, 0);
	fixture_expect_hole(&f, 2 * PAGE);
	cr_assert(f.tm.tables_out == 4);
	cr_assert(pw_map(&f.space, 2 * PAGE, 0x200000, 2 * PAGE, PW_R, NULL) == PW_OK);
	cr_assert(pw_protect(&f.space, 2 * PAGE, PAGE, PW_R | PW_W, NULL) == PW_OK);
	fixture_expect(&f, PAGE, 0x100000, PAGE, PW_R);
	fixture_expect(&f, 3 * PAGE, 0x201000, PAGE, PW_R);
	cr_assert(pw_unmap(&f.space, 2 * PAGE, PAGE, NULL) == PW_OK);
	fixture_expect(&f, PAGE, 0x100000, PAGE, PW_R);
	fixture_expect(&f, 3 * PAGE, 0x201000, PAGE, PW_R);
	fixture_end(&f);
}

/* Its tables had R/W and U/S set in PAE's PDPTEs, where they are reserved: #GP on loading CR3. */
Test(build, seed_S11_pae_pdptes_have_no_rights_bits)
{
	static struct fixture f;
	uint64_t pdpte;

	fixture_begin(&f, &pw_format_x86_pae, true);
	cr_assert(pw_map(&f.space, 3 * GIB, 0x100000, PAGE, PW_R | PW_W | PW_U, &f.flush) == PW_OK);
	pdpte = test_memory_load(&f.tm, f.space.root + 3 * 8, 8);
	cr_assert((pdpte & 0xfff) == PTE_P && pdpte >> 52 == 0, "PDPTE %#llx",
		(unsigned long long)pdpte);
	cr_assert(
		f.flush.everything, "CR3 must be loaded again: the CPU holds PDPTEs in registers");
	fixture_expect(&f, 3 * GIB, 0x100000, PAGE, PW_R | PW_W | PW_U);
	fixture_end(&f);
}

/* It asked whether a table is empty with the entry count of the table above. */
static void last_entry_keeps_its_table(const struct pw_format *format)
{
	static struct fixture f;
	uint64_t page = pw_level_page_size(&format->level[0]);
	uint64_t entries = pw_level_entries(&format->level[0]);
	pw_va last = (entries - 1) * page;
	pw_rights rights = PW_R | PW_W;

	if (format->encode[rights] == PW_CANNOT)
		rights |= PW_X;
	fixture_begin(&f, format, true);
	cr_assert(pw_map(&f.space, 0, 0x100000, page, rights, NULL) == PW_OK);
	cr_assert(pw_map(&f.space, last, 0x200000, page, rights, NULL) == PW_OK);
	cr_assert(pw_unmap(&f.space, 0, page, NULL) == PW_OK);
	fixture_expect(&f, last, 0x200000, page, rights);
	cr_assert(f.tm.tables_out == format->levels, "%s: a table in use was freed", format->name);
	cr_assert(pw_unmap(&f.space, last, page, NULL) == PW_OK);
	cr_assert(f.tm.tables_out == 1, "%s: empty tables were kept", format->name);
	fixture_end(&f);
}

Test(build, seed_S12_empty_table_scan_uses_the_childs_own_entry_count)
{
	const struct pw_format *format;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		if (format->levels)
			last_entry_keeps_its_table(format);
	}
}

/* It cleared the whole huge page for 4 KiB of it, and could not make one. */
Test(build, seed_S13_part_of_a_huge_page_is_split_off)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 2 * MIB, 4 * MIB, 2 * MIB, PW_R | PW_W, NULL) == PW_OK);
	fixture_expect(&f, 2 * MIB, 4 * MIB, 2 * MIB, PW_R | PW_W);
	cr_assert(pw_unmap(&f.space, 3 * MIB, PAGE, NULL) == PW_OK);
	fixture_expect_hole(&f, 3 * MIB);
	for (uint64_t at = 0; at < 2 * MIB; at += PAGE) {
		if (at != MIB)
			fixture_expect(&f, 2 * MIB + at, 4 * MIB + at, PAGE, PW_R | PW_W);
	}
	fixture_end(&f);
}

/* Stale bytes of new tables became entries. */
Test(build, seed_S14_new_tables_hold_nothing_but_what_was_asked_for)
{
	static struct fixture f;
	const struct pw_format *format;

	/* The memory gives out tables full of 0xa5. */
	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		uint64_t page, all, end;

		if (!format->levels)
			continue;
		fixture_begin(&f, format, i & 1);
		page = pw_level_page_size(&format->level[0]);
		all = pw_level_entries(&format->level[0]) * page;
		cr_assert(
			pw_map(&f.space, 5 * page, 0, 2 * page, PW_R | PW_W | PW_X, NULL) == PW_OK,
			"%s", format->name);
		for (pw_va at = 0; at < all; at += page) {
			if (at < 5 * page || at >= 7 * page)
				fixture_expect_hole(&f, at);
		}
		end = (format->va_bits < 63 ? UINT64_C(1) << (format->va_bits - 1) : 0);
		for (pw_va at = all; at < end; at = at * 2 + all)
			fixture_expect_hole(&f, pw_format_extend(format, at));
		fixture_end(&f);
	}
}

/* It mapped over what was there and shifted the rest, or said Ok and did nothing. */
Test(build, seed_S14_mapping_over_a_page_is_refused_and_changes_nothing)
{
	static struct fixture f;
	uint8_t *copy;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 4 * MIB + 8 * PAGE, 0x100000, PAGE, PW_R, NULL) == PW_OK);
	copy = test_memory_copy(&f.tm);
	cr_assert(pw_map(&f.space, 0, 0, 8 * MIB, PW_R | PW_W, &f.flush) == PW_E_EXISTS);
	cr_assert(pw_map(&f.space, 4 * MIB, 0, 9 * PAGE, PW_R | PW_W, &f.flush) == PW_E_EXISTS);
	cr_assert(pw_allocate(&f.space, 0, 8 * MIB, PW_R, &f.flush) == PW_E_EXISTS);
	cr_assert(test_memory_equals(&f.tm, copy) && f.tm.page_count == 0);
	cr_assert(f.flush.entries_written == 0 && f.flush.tables_allocated == 0);
	free(copy);
	fixture_end(&f);
}

/* No hook before pages and tables went back, and unmapping kept every empty table. */
static void note_flush(void *ctx, struct pw_flush *flush)
{
	struct fixture *f = ctx;

	/* The page is unreachable, but not given back yet; the range is in the list. */
	cr_assert(f->tm.page_bytes_out == 2 * PAGE);
	cr_assert(flush->everything || flush->range_count > 0);
	fixture_expect_hole(f, MIB);
}

Test(build, seed_S15_nothing_goes_back_before_the_flush)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 5 * PAGE, 0x100000, PAGE, PW_R, NULL) == PW_OK);
	cr_assert(f.tm.tables_out == 4);
	cr_assert(pw_unmap(&f.space, 5 * PAGE, PAGE, &f.flush) == PW_OK);
	cr_assert(f.tm.tables_out == 4 && f.flush.freed_count == 3, "they wait for the flush");
	cr_assert(f.flush.range_count == 1 && f.flush.ranges[0].first == 5 * PAGE &&
		  f.flush.ranges[0].last == 6 * PAGE - 1 && f.flush.ranges[0].tables);
	pw_flush_done(&f.space, &f.flush);
	cr_assert(f.tm.tables_out == 1 && f.flush.range_count == 0 && f.flush.freed_count == 0);

	cr_assert(pw_allocate(&f.space, MIB, 2 * PAGE, PW_R | PW_W, &f.flush) == PW_OK);
	cr_assert(f.tm.page_bytes_out == 2 * PAGE);
	f.flush.flush_now = note_flush;
	f.flush.ctx = &f;
	cr_assert(pw_free(&f.space, MIB, 2 * PAGE, &f.flush) == PW_OK);
	cr_assert(f.tm.page_bytes_out == 0);
	f.flush.flush_now = NULL;
	fixture_end(&f);
}
