/* SPDX-License-Identifier: MIT */
/* What protect and splits keep, move and refuse: rights above, A and D, PAT, keys, software bits.
 */
#include "build_fixture.h"
#include <stdlib.h>

#define PAGE   (4 * KIB)
#define RW     (PW_R | PW_W)
#define KEY(n) ((uint64_t)(n) << 59)
#define SW     UINT64_C(0x0570000000000600)

/* All that a 4 KiB page has beside its rights, and where the same stands in a huge page. */
static void split_of_x86(uint64_t size)
{
	static struct fixture f;
	uint64_t huge = PTE_P | PTE_PS | PTE_A | PTE_D | PTE_G | PTE_PAT | 8 | 16 | KEY(5) | SW;
	uint64_t small = PTE_P | PTE_A | PTE_D | PTE_G | 0x80 | 8 | 16 | KEY(5) | SW;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, size, size, size, PW_R | PW_GLOBAL, NULL) == PW_OK);
	fixture_set_entry(&f, size, size | huge | PTE_XD);
	cr_assert(pw_protect(&f.space, size + MIB, PAGE, RW | PW_X | PW_U | PW_GLOBAL, &f.flush) ==
		  PW_OK);
	cr_assert(fixture_entry(&f, size) == (size | small | PTE_XD), "entry %#llx",
		(unsigned long long)fixture_entry(&f, size));
	if (size == GIB)
		cr_assert(fixture_entry(&f, size + 2 * MIB) == ((size + 2 * MIB) | huge | PTE_XD));
	cr_assert(fixture_entry(&f, size + MIB - 1) == ((size + MIB - PAGE) | small | PTE_XD));
	cr_assert(fixture_entry(&f, size + MIB) == ((size + MIB) | small | PTE_W | PTE_U));
	cr_assert(fixture_look(&f, size + MIB).pat_index == 7);
	/* W = U = 0 in the page, but its table lets everything through. */
	for (unsigned level = 1; level < 4; level++)
		cr_assert((test_memory_load(&f.tm, fixture_place(&f, size + MIB, level), 8) &
				  (PTE_PWU | PTE_XD | PTE_PS | PTE_G)) == PTE_PWU);
	cr_assert(f.flush.splits == (size == GIB ? 2 : 1));
	fixture_end(&f);
}

Test(build_rights, split_moves_pat_and_keeps_everything_else)
{
	split_of_x86(2 * MIB);
	split_of_x86(GIB);
}

Test(build_rights, protect_keeps_what_it_was_not_asked_to_change)
{
	static struct fixture f;
	uint64_t keep = PTE_A | PTE_D | 0x80 | 8 | KEY(9) | SW | 0x5000;

	fixture_begin(&f, &pw_format_x86_64, false);
	cr_assert(pw_map(&f.space, PAGE, 0x5000, PAGE, PW_R, NULL) == PW_OK);
	fixture_set_entry(&f, PAGE, keep | PTE_P | PTE_G);
	cr_assert(pw_protect(&f.space, PAGE, PAGE, RW | PW_U, NULL) == PW_OK);
	cr_assert(fixture_entry(&f, PAGE) == (keep | PTE_PWU | PTE_XD));
	cr_assert(pw_protect(&f.space, PAGE, PAGE, PW_R | PW_X | PW_GLOBAL, NULL) == PW_OK);
	cr_assert(fixture_entry(&f, PAGE) == (keep | PTE_P | PTE_G));
	cr_assert(pw_protect(&f.space, PAGE, PAGE, PW_R | PW_X | PW_MEM_UC, NULL) == PW_OK);
	cr_assert(fixture_entry(&f, PAGE) == (((keep | PTE_P) & ~UINT64_C(0x80)) | 16));
	cr_assert(pw_protect(&f.space, PAGE, PAGE, PW_R | PW_X | PW_MEM_WC, NULL) == PW_E_RIGHTS);
	fixture_end(&f);
}

Test(build_rights, ept_types_and_dirty_bits_are_kept)
{
	static struct fixture f;
	uint64_t huge = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 9 | UINT64_C(1) << 57;

	fixture_begin(&f, &pw_format_ept_4, true);
	cr_assert(pw_map(&f.space, GIB, GIB, GIB, RW | PW_X | PW_MEM_WC, NULL) == PW_OK);
	cr_assert(fixture_entry(&f, GIB) == (GIB | 0x80 | 7 | 1 << 3));
	fixture_set_entry(&f, GIB, GIB | 0x80 | 7 | huge);
	cr_assert(pw_protect(&f.space, GIB, PAGE, PW_X, NULL) == PW_OK);
	cr_assert(fixture_entry(&f, GIB) == (GIB | 4 | huge));
	cr_assert(fixture_entry(&f, GIB + PAGE) == ((GIB + PAGE) | 7 | huge));
	cr_assert(fixture_entry(&f, GIB + 2 * MIB) == ((GIB + 2 * MIB) | 0x80 | 7 | huge));
	fixture_end(&f);
}

/* ---- Table entries that deny ---- */

/* A 2 MiB table with two pages below a PDE that denies `denied` (set bits) or has XD. */
static void begin_denied(struct fixture *f, uint64_t clear, uint64_t set)
{
	pw_pa pde;

	fixture_begin(f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f->space, 0, 0x100000, PAGE, RW | PW_U | PW_X, NULL) == PW_OK);
	cr_assert(pw_map(&f->space, 5 * PAGE, 0x200000, PAGE, RW | PW_U | PW_X, NULL) == PW_OK);
	pde = fixture_place(f, 0, 1);
	test_memory_store(&f->tm, pde, 8, (test_memory_load(&f->tm, pde, 8) & ~clear) | set);
}

Test(build_rights, rights_denied_above_are_refused_if_others_share_the_table)
{
	static struct fixture f;
	uint8_t *copy;

	begin_denied(&f, PTE_W, PTE_XD);
	copy = test_memory_copy(&f.tm);
	cr_assert(pw_protect(&f.space, 0, PAGE, RW | PW_U, NULL) == PW_E_RIGHTS);
	cr_assert(pw_protect(&f.space, 0, PAGE, PW_R | PW_X | PW_U, NULL) == PW_E_RIGHTS);
	cr_assert(pw_map(&f.space, PAGE, 0, PAGE, RW, NULL) == PW_E_RIGHTS);
	cr_assert(pw_map(&f.space, PAGE, 0, PAGE, PW_R | PW_X, NULL) == PW_E_RIGHTS);
	cr_assert(pw_allocate(&f.space, PAGE, PAGE, RW, NULL) == PW_E_RIGHTS);
	cr_assert(test_memory_equals(&f.tm, copy));
	/* What the table grants is no reason to refuse, nor are ranges without pages. */
	cr_assert(pw_protect(&f.space, 0, PAGE, PW_R | PW_U, NULL) == PW_OK);
	fixture_expect(&f, 0, 0x100000, PAGE, PW_R | PW_U);
	cr_assert(pw_map(&f.space, PAGE, 0x300000, PAGE, PW_R, NULL) == PW_OK);
	fixture_expect(&f, PAGE, 0x300000, PAGE, PW_R);
	cr_assert(pw_protect(&f.space, 8 * PAGE, PAGE, RW, NULL) == PW_OK);
	free(copy);
	fixture_end(&f);
}

Test(build_rights, a_table_entry_inside_the_range_is_widened)
{
	static struct fixture f;
	pw_pa pde;

	begin_denied(&f, PTE_W | PTE_U, PTE_XD);
	pde = fixture_place(&f, 0, 1);
	cr_assert(pw_protect(&f.space, 0, 2 * MIB, RW | PW_U, &f.flush) == PW_OK);
	fixture_expect(&f, 0, 0x100000, PAGE, RW | PW_U);
	fixture_expect(&f, 5 * PAGE, 0x200000, PAGE, RW | PW_U);
	cr_assert((test_memory_load(&f.tm, pde, 8) & (PTE_PWU | PTE_XD)) == (PTE_PWU | PTE_XD),
		"only what was needed is widened");
	cr_assert(f.flush.range_count == 1 && f.flush.ranges[0].tables);
	fixture_end(&f);
	/* The pages are as asked for, only the table is not. */
	begin_denied(&f, PTE_W, 0);
	cr_assert(pw_protect(&f.space, 0, 2 * MIB, RW | PW_U | PW_X, NULL) == PW_OK);
	fixture_expect(&f, 0, 0x100000, PAGE, RW | PW_U | PW_X);
	fixture_end(&f);
	/* The right to write is still denied to what is not asked to have it. */
	begin_denied(&f, PTE_W | PTE_U, 0);
	pde = fixture_place(&f, 0, 1);
	cr_assert(pw_protect(&f.space, 0, 2 * MIB, PW_R | PW_U, NULL) == PW_OK);
	cr_assert((test_memory_load(&f.tm, pde, 8) & PTE_PWU) == (PTE_P | PTE_U));
	fixture_end(&f);
	/* An empty table under a denying entry, mapped as a whole. */
	begin_denied(&f, PTE_W, 0);
	pde = fixture_place(&f, 0, 1);
	fixture_set_entry(&f, 0, 0);
	fixture_set_entry(&f, 5 * PAGE, 0);
	cr_assert(pw_map(&f.space, 0, 2 * MIB, 2 * MIB, RW, NULL) == PW_OK);
	fixture_expect(&f, 2 * MIB - 1, 4 * MIB - 1, PAGE, RW);
	fixture_end(&f);
}

/* The first table grants what the second denies; the pages of both look the same. */
Test(build_rights, each_table_is_asked)
{
	static struct fixture f;
	pw_pa pde;

	for (int windows = 0; windows < 2; windows++) {
		fixture_begin(&f, &pw_format_x86_64, windows);
		cr_assert(pw_map(&f.space, 0, PAGE, 4 * MIB, PW_R, NULL) == PW_OK);
		pde = fixture_place(&f, 2 * MIB, 1);
		test_memory_store(&f.tm, pde, 8, test_memory_load(&f.tm, pde, 8) & ~PTE_W);
		cr_assert(pw_protect(&f.space, PAGE, 3 * MIB, RW, NULL) == PW_E_RIGHTS);
		cr_assert(pw_protect(&f.space, PAGE, MIB, RW, NULL) == PW_OK);
		fixture_end(&f);
	}
}

Test(build_rights, holes_stay_empty_and_what_is_as_wished_is_not_split)
{
	static struct fixture f;
	const struct pw_format *const formats[] = {
		&pw_format_x86_64, &pw_format_ept_4, &pw_format_arm64_4k, &pw_format_riscv_sv39};

	for (size_t i = 0; i < 4; i++) {
		fixture_begin(&f, formats[i], true);
		for (unsigned n = 1; n < 512; n += 5)
			cr_assert(pw_map(&f.space, n * PAGE, 0, PAGE, RW | PW_X, NULL) == PW_OK);
		cr_assert(pw_protect(&f.space, 0, 2 * MIB, PW_R, NULL) == PW_OK);
		for (unsigned n = 0; n < 512; n++)
			cr_assert(!!fixture_entry(&f, n * PAGE) == (n % 5 == 1));
		cr_assert(pw_map(&f.space, GIB, GIB, GIB, RW, NULL) == PW_OK);
		cr_assert(pw_protect(&f.space, GIB + PAGE, PAGE, RW, &f.flush) == PW_OK);
		cr_assert(f.flush.splits == 0 && f.flush.entries_written == 0);
		fixture_end(&f);
	}
}

Test(build_rights, global_tables_of_riscv)
{
	static struct fixture f;
	pw_pa pde;

	fixture_begin(&f, &pw_format_riscv_sv39, true);
	cr_assert(pw_map(&f.space, 0, 0x100000, PAGE, RW, NULL) == PW_OK);
	pde = fixture_place(&f, 0, 1);
	test_memory_store(&f.tm, pde, 8, test_memory_load(&f.tm, pde, 8) | 0x20);
	cr_assert(fixture_look(&f, 0).global);
	cr_assert(pw_protect(&f.space, 0, PAGE, PW_R, NULL) == PW_E_RIGHTS);
	cr_assert(pw_map(&f.space, PAGE, 0, PAGE, PW_R, NULL) == PW_E_RIGHTS);
	cr_assert(pw_protect(&f.space, 0, PAGE, PW_R | PW_GLOBAL, NULL) == PW_OK);
	cr_assert(pw_protect(&f.space, 0, 2 * MIB, PW_R, NULL) == PW_OK);
	cr_assert(!fixture_look(&f, 0).global);
	/* Pages before the table that look like those in it. */
	cr_assert(pw_map(&f.space, 2 * MIB, 0, 4 * MIB, RW, NULL) == PW_OK);
	cr_assert(pw_protect(&f.space, 5 * MIB, PAGE, PW_R, NULL) == PW_OK);
	pde = fixture_place(&f, 4 * MIB, 1);
	test_memory_store(&f.tm, pde, 8, test_memory_load(&f.tm, pde, 8) | 0x20);
	cr_assert(pw_protect(&f.space, 2 * MIB, 2 * MIB + PAGE, PW_R, NULL) == PW_E_RIGHTS);
	fixture_end(&f);
}

/* ---- Arm ---- */

/* The sixteen entries of a 64 KiB page, as the hardware wants them: all equal. */
static void put_large_page(struct fixture *f, pw_va va, uint32_t entry)
{
	cr_assert(pw_map(&f->space, va, 0, 64 * KIB, RW, NULL) == PW_OK);
	for (unsigned i = 0; i < 16; i++)
		fixture_set_entry(f, va + i * PAGE, 0);
	for (unsigned i = 0; i < 16; i++)
		test_memory_store(&f->tm, fixture_look(f, va + i * PAGE).entry_pa, 4, entry);
}

Test(build_rights, part_of_a_large_page_of_arm)
{
	static struct fixture f;
	/* Large page, B and C, AP 01 (kernel RW), XN (bit 15), S (bit 10), TEX 001. */
	uint32_t entry = 0x00a00000 | 1 | 4 | 8 | 0x10 | 0x8000 | 0x400 | 0x1000;

	fixture_begin(&f, &pw_format_armv7_short, true);
	put_large_page(&f, MIB, entry);
	fixture_expect(&f, MIB + 5, 0xa00005, 64 * KIB, RW);
	/* As a whole it stays one. */
	cr_assert(pw_protect(&f.space, MIB, 64 * KIB, PW_R, &f.flush) == PW_OK);
	fixture_expect(&f, MIB + 5, 0xa00005, 64 * KIB, PW_R);
	cr_assert(pw_protect(&f.space, MIB, 64 * KIB, RW, &f.flush) == PW_OK);
	cr_assert(pw_protect(&f.space, MIB + 4 * PAGE, 2 * PAGE, PW_R, &f.flush) == PW_OK);
	for (unsigned i = 0; i < 16; i++)
		fixture_expect(&f, MIB + i * PAGE, 0xa00000 + i * PAGE, PAGE,
			i == 4 || i == 5 ? PW_R : RW);
	/* XN is bit 0 now, TEX is bits 8:6, B C AP and S stay; protect has made it nG (bit 11). */
	cr_assert(
		fixture_entry(&f, MIB) == (0xa00000 | 2 | 1 | 4 | 8 | 0x10 | 0x400 | 0x800 | 0x40),
		"entry %#llx", (unsigned long long)fixture_entry(&f, MIB));
	cr_assert(pw_unmap(&f.space, MIB + 15 * PAGE, PAGE, &f.flush) == PW_OK);
	fixture_end(&f);
}

/* As entries: sixteen small pieces, each its own. */
Test(build_rights, a_large_page_of_arm_goes_back_in_pieces)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_armv7_short, true);
	put_large_page(&f, MIB, 0x00a00000 | 1 | 0x10);
	f.tm.pages[f.tm.page_count++] = (struct test_page){0xa00000, 64 * KIB};
	f.tm.page_bytes_out = 64 * KIB;
	cr_assert(pw_free(&f.space, MIB, 3 * PAGE, NULL) == PW_OK);
	cr_assert(f.tm.page_bytes_out == 13 * PAGE);
	cr_assert(pw_free(&f.space, MIB, 64 * KIB, NULL) == PW_OK);
	cr_assert(f.tm.page_bytes_out == 0);
	put_large_page(&f, MIB, 0x00a00000 | 1 | 0x10);
	f.tm.pages[f.tm.page_count++] = (struct test_page){0xa00000, 64 * KIB};
	f.tm.page_bytes_out = 64 * KIB;
	cr_assert(pw_free(&f.space, MIB, MIB, NULL) == PW_OK);
	cr_assert(f.tm.page_bytes_out == 0);
	fixture_end(&f);
}

Test(build_rights, part_of_a_supersection_of_arm)
{
	static struct fixture f;
	/* Supersection, kernel RW, XN (bit 4), PA 0x2000000. */
	uint32_t entry = 0x02000000 | 1 << 18 | 2 | 0x10 | 0x400;

	fixture_begin(&f, &pw_format_armv7_short, true);
	for (unsigned i = 0; i < 16; i++)
		test_memory_store(&f.tm, f.space.root + 4 * (16 + i), 4, entry);
	fixture_expect(&f, 16 * MIB + 3 * MIB + 7, 0x2300007, 16 * MIB, RW);
	cr_assert(pw_protect(&f.space, 16 * MIB + 3 * MIB + PAGE, PAGE, PW_R, &f.flush) == PW_OK);
	fixture_expect(&f, 16 * MIB, 0x2000000, MIB, RW);
	fixture_expect(&f, 31 * MIB, 0x2f00000, MIB, RW);
	fixture_expect(&f, 19 * MIB, 0x2300000, PAGE, RW);
	fixture_expect(&f, 19 * MIB + PAGE, 0x2301000, PAGE, PW_R);
	fixture_end(&f);
	/* Above 4 GiB there are no sections to make of it. */
	fixture_begin(&f, &pw_format_armv7_short, true);
	for (unsigned i = 0; i < 16; i++)
		test_memory_store(&f.tm, f.space.root + 4 * (16 + i), 4, entry | 1 << 20);
	cr_assert(pw_unmap(&f.space, 16 * MIB, MIB, NULL) == PW_E_UNSUPPORTED);
	cr_assert(pw_unmap(&f.space, 16 * MIB, 16 * MIB, NULL) == PW_OK);
	fixture_end(&f);
}

/* A section's domain has no place in small pages that the row knows of. */
Test(build_rights, what_smaller_pages_cannot_say_is_not_lost)
{
	static struct fixture f;
	static const uint32_t extra[] = {1 << 5, 1 << 6, 1 << 19, 1 /* PXN */};

	for (size_t i = 0; i < sizeof extra / sizeof extra[0]; i++) {
		fixture_begin(&f, &pw_format_armv7_short, true);
		cr_assert(pw_map(&f.space, MIB, MIB, MIB, PW_R, NULL) == PW_OK);
		fixture_set_entry(&f, MIB, fixture_entry(&f, MIB) | extra[i]);
		cr_assert(pw_unmap(&f.space, MIB, PAGE, NULL) == PW_E_UNSUPPORTED, "%#x", extra[i]);
		cr_assert(f.tm.tables_out == 1);
		fixture_end(&f);
	}
}

/*
 * DDI 0406 B3.5.1: S is bit 16 of a section and a supersection, bit 10 of a large and a small page.
 * Without it the pages are not coherent between CPUs.
 */
Test(build_rights, short_descriptors_are_shareable)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_armv7_short, true);
	cr_assert(pw_map(&f.space, MIB, 0x40100000, MIB, RW, &f.flush) == PW_OK);
	/* TEX 001, C, B: write-back; AP 001, XN, nG. */
	cr_assert_eq(
		fixture_entry(&f, MIB), 0x40100000 | 1 << 17 | 1 << 16 | 0x1000 | 0x400 | 0x1e);
	cr_assert(pw_map(&f.space, 16 * MIB, 0x41000000, 16 * MIB, RW | PW_X | PW_CONTIGUOUS,
			  &f.flush) == PW_OK);
	cr_assert_eq(fixture_entry(&f, 17 * MIB),
		0x41000000 | 1 << 18 | 1 << 17 | 1 << 16 | 0x1000 | 0x400 | 0xe);
	cr_assert(pw_map(&f.space, 32 * MIB, 0x42000000, 64 * KIB, RW | PW_CONTIGUOUS, &f.flush) ==
		  PW_OK);
	cr_assert_eq(fixture_entry(&f, 32 * MIB), 0x42000000 | 0x9000 | 0x800 | 0x400 | 0x1d);
	cr_assert(pw_map(&f.space, 33 * MIB, 0x42000000, PAGE, RW, &f.flush) == PW_OK);
	cr_assert_eq(fixture_entry(&f, 33 * MIB), 0x42000000 | 0x800 | 0x400 | 0x40 | 0x1f);
	fixture_end(&f);
}

Test(build_rights, a_section_stays_as_shareable_as_it_was)
{
	static struct fixture f;
	uint64_t merged;

	for (unsigned s = 0; s < 2; s++) {
		fixture_begin(&f, &pw_format_armv7_short, true);
		cr_assert(pw_map(&f.space, MIB, MIB, MIB, RW, NULL) == PW_OK);
		fixture_set_entry(&f, MIB,
			(fixture_entry(&f, MIB) & ~(UINT64_C(1) << 16)) | (uint64_t)s << 16);

		uint64_t section = fixture_entry(&f, MIB);

		cr_assert(pw_split(&f.space, MIB, PAGE, 0, NULL) == PW_OK);
		for (unsigned i = 0; i < 256; i++)
			cr_assert_eq(fixture_entry(&f, MIB + i * PAGE) >> 10 & 1, s);
		cr_assert(pw_protect(&f.space, MIB, PAGE, PW_R, NULL) == PW_OK);
		cr_assert_eq(fixture_entry(&f, MIB) >> 10 & 1, s);
		cr_assert(pw_protect(&f.space, MIB, PAGE, RW, NULL) == PW_OK);
		cr_assert(pw_collapse(&f.space, MIB, MIB, 1, &merged, NULL) == PW_OK);
		cr_assert(merged == 1 && fixture_entry(&f, MIB) == section);
		fixture_end(&f);
	}
}

Test(build_rights, arm_shareability_and_dbm)
{
	static struct fixture f;
	uint64_t dbm = UINT64_C(1) << 51, outer = 0x200;

	fixture_begin(&f, &pw_format_arm64_4k, true);
	cr_assert(pw_map(&f.space, 0, 0, 2 * MIB, RW, NULL) == PW_OK);
	fixture_set_entry(&f, 0, (fixture_entry(&f, 0) & ~UINT64_C(0x300)) | outer | dbm);
	cr_assert(pw_protect(&f.space, PAGE, PAGE, PW_R, NULL) == PW_OK);
	cr_assert((fixture_entry(&f, 0) & (dbm | 0x300)) == (dbm | outer), "still dirty");
	cr_assert((fixture_entry(&f, PAGE) & (dbm | 0x380)) == (outer | 0x80),
		"read-only, and the hardware must not make it writable");
	fixture_end(&f);
	fixture_begin(&f, &pw_format_arm64_s2_4k, true);
	cr_assert(pw_map(&f.space, 0, 0, PAGE, RW, NULL) == PW_OK);
	fixture_set_entry(&f, 0, fixture_entry(&f, 0) | dbm);
	cr_assert(pw_protect(&f.space, 0, PAGE, PW_R, NULL) == PW_OK);
	cr_assert(!(fixture_entry(&f, 0) & dbm));
	fixture_end(&f);
}
