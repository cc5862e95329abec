/* SPDX-License-Identifier: MIT */
/* Tables that somebody else made: cycles, sharing, BAD entries, tables that are not there. */
#include "build_fixture.h"
#include <stdlib.h>

#define PAGE (4 * KIB)
#define RW   (PW_R | PW_W)
#define HALF (UINT64_C(1) << 47)

static pw_pa new_table(struct fixture *f, uint64_t fill)
{
	pw_pa pa;

	cr_assert(f->tm.memory.allocate_table(&f->tm, 4096, &pa));
	for (unsigned i = 0; i < 512; i++)
		test_memory_store(&f->tm, pa + 8 * i, 8, fill);
	return pa;
}

static void put(struct fixture *f, pw_pa table, unsigned index, uint64_t entry)
{
	test_memory_store(&f->tm, table + 8 * index, 8, entry);
}

static uint64_t get(struct fixture *f, pw_pa table, unsigned index)
{
	return test_memory_load(&f->tm, table + 8 * index, 8);
}

/* The table that Windows has: an entry of the root leads to the root. */
static void self_map(bool windows)
{
	static struct fixture f;
	pw_va inside = UINT64_C(0x1f0) << 39 | ~(HALF * 2 - 1);
	uint8_t *copy;

	fixture_begin(&f, &pw_format_x86_64, windows);
	cr_assert(pw_map(&f.space, 0, 0x5000, PAGE, RW, NULL) == PW_OK);
	put(&f, f.space.root, 0x1f0, f.space.root | PTE_PWU);
	copy = test_memory_copy(&f.tm);
	/* Through it tables would be changed as if they were pages. */
	cr_assert(pw_map(&f.space, inside + GIB, 0, PAGE, RW, NULL) == PW_E_UNSUPPORTED);
	cr_assert(pw_protect(&f.space, inside + GIB, PAGE, PW_R, NULL) == PW_E_UNSUPPORTED);
	cr_assert(pw_unmap(&f.space, inside + GIB, PAGE, NULL) == PW_E_UNSUPPORTED);
	cr_assert(pw_protect(&f.space, ~(HALF - 1), HALF, PW_R, NULL) == PW_E_UNSUPPORTED);
	cr_assert(test_memory_equals(&f.tm, copy));
	/* As a whole it is taken out, and what it leads to stays. */
	cr_assert(pw_unmap(&f.space, inside, UINT64_C(1) << 39, &f.flush) == PW_OK);
	cr_assert(get(&f, f.space.root, 0x1f0) == 0 && f.flush.freed_count == 0);
	fixture_expect(&f, 0, 0x5000, PAGE, RW);
	free(copy);
	fixture_end(&f);
}

Test(build_hostile, a_root_that_contains_itself)
{
	self_map(true);
	self_map(false);
}

/* 2^36 paths through four tables; each goes back once. */
static void shared(bool windows, bool free_pages)
{
	static struct fixture f;
	pw_pa table[3];

	fixture_begin(&f, &pw_format_x86_64, windows);
	table[0] = new_table(&f, 0x5000 | PTE_PWU);
	for (unsigned level = 1; level < 3; level++)
		table[level] = new_table(&f, table[level - 1] | PTE_PWU);
	for (unsigned i = 0; i < 256; i++)
		put(&f, f.space.root, i, table[2] | PTE_PWU);
	if (free_pages) {
		/* 512 entries of one last table, all of one page: given once, taken back once. */
		for (unsigned i = 0; i < 512; i++)
			put(&f, table[0], i, 0);
		f.tm.next_page = 0x5000;
		put(&f, table[0], 7, 0x5000 | PTE_PWU);
		f.tm.pages[f.tm.page_count++] = (struct test_page){0x5000, PAGE};
		f.tm.page_bytes_out = PAGE;
		cr_assert(pw_free(&f.space, 0, HALF, &f.flush) == PW_OK);
		cr_assert(f.tm.page_bytes_out == 0);
	} else {
		cr_assert(pw_unmap(&f.space, 0, HALF, &f.flush) == PW_OK);
	}
	cr_assert(f.flush.freed_count == 3 && f.flush.tables_freed == 3);
	pw_flush_done(&f.space, &f.flush);
	cr_assert(f.tm.tables_out == 1 && f.tm.faults == 0);
	fixture_end(&f);
}

Test(build_hostile, tables_that_many_paths_lead_to_go_back_once)
{
	shared(true, false);
	shared(false, false);
	shared(true, true);
	shared(false, true);
}

/* Tables at the ends of the range, entered from both ends. */
Test(build_hostile, a_shared_table_at_both_ends_of_the_range)
{
	static struct fixture f;
	pw_pa pd, pt;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, 0x5000, PAGE, RW, NULL) == PW_OK);
	pd = fixture_place(&f, 0, 1) & ~UINT64_C(0xfff);
	pt = fixture_place(&f, 0, 0) & ~UINT64_C(0xfff);
	cr_assert(pw_map(&f.space, 2 * MIB, 0x5000, PAGE, RW, NULL) == PW_OK);
	cr_assert(pw_map(&f.space, 4 * MIB, 0x5000, PAGE, RW, NULL) == PW_OK);
	put(&f, pd, 9, get(&f, pd, 1));
	put(&f, pd, 8, pt | PTE_PWU);
	/* As a whole through the first path, up to its entry 0 through the second. */
	cr_assert(pw_unmap(&f.space, 0, 18 * MIB + PAGE, &f.flush) == PW_OK);
	pw_flush_done(&f.space, &f.flush);
	cr_assert(f.tm.tables_out == 1 && f.tm.faults == 0, "%llu tables out",
		(unsigned long long)f.tm.tables_out);
	fixture_end(&f);
}

/* A page directory that is its own page table. */
Test(build_hostile, cycles_below_the_range_are_walked_once)
{
	static struct fixture f;
	pw_pa pdpt, pd;

	fixture_begin(&f, &pw_format_x86_64, true);
	pd = new_table(&f, 0);
	pdpt = new_table(&f, pd | PTE_PWU);
	for (unsigned i = 0; i < 512; i += 3) {
		put(&f, pd, i, pd | PTE_PWU);
		put(&f, pd, i + 1, pdpt | PTE_PWU);
	}
	put(&f, f.space.root, 3, pdpt | PTE_PWU);
	cr_assert(pw_unmap(&f.space, 0, HALF, &f.flush) == PW_OK);
	pw_flush_done(&f.space, &f.flush);
	cr_assert(f.tm.tables_out == 1 && f.tm.faults == 0);
	fixture_end(&f);
}

Test(build_hostile, tables_outside_the_memory)
{
	static struct fixture f;
	uint64_t lost = UINT64_C(0x7000000000) | PTE_PWU;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, 0x5000, PAGE, RW, NULL) == PW_OK);
	test_memory_store(&f.tm, fixture_place(&f, 0, 1) + 8, 8, lost);
	put(&f, f.space.root, 2, lost);
	cr_assert(pw_map(&f.space, 2 * MIB, 0, PAGE, RW, NULL) == PW_NO_MEMORY);
	cr_assert(pw_protect(&f.space, 0, 4 * MIB, PW_R, NULL) == PW_NO_MEMORY);
	cr_assert(pw_unmap(&f.space, 3 * MIB, PAGE, NULL) == PW_NO_MEMORY);
	cr_assert(pw_unmap(&f.space, 0, 3 * MIB, NULL) == PW_NO_MEMORY);
	fixture_expect(&f, 0, 0x5000, PAGE, RW);
	cr_assert(pw_unmap(&f.space, 0, 4 * MIB, NULL) == PW_OK);
	cr_assert(f.tm.tables_out == 1);
	fixture_end(&f);
}

Test(build_hostile, bad_entries)
{
	static struct fixture f;
	uint64_t bad_page = 0x5000 | 2, bad_table = UINT64_C(0x5000) | 7 | 0x40;
	pw_pa pte, pde;

	fixture_begin(&f, &pw_format_ept_4, true);
	cr_assert(pw_map(&f.space, 0, 0x5000, 2 * PAGE, RW, NULL) == PW_OK);
	pte = fixture_place(&f, 0, 0);
	pde = fixture_place(&f, 0, 1);
	test_memory_store(&f.tm, pte + 8, 8, bad_page);
	test_memory_store(&f.tm, pde + 8, 8, bad_table);
	cr_assert(pw_map(&f.space, PAGE, 0, PAGE, RW, NULL) == PW_E_EXISTS);
	cr_assert(pw_map(&f.space, 2 * MIB, 0, PAGE, RW, NULL) == PW_RESERVED);
	cr_assert(pw_protect(&f.space, 0, 2 * PAGE, PW_R, NULL) == PW_RESERVED);
	cr_assert(pw_protect(&f.space, 2 * MIB, 2 * MIB, PW_R, NULL) == PW_RESERVED);
	cr_assert(pw_unmap(&f.space, 2 * MIB, PAGE, NULL) == PW_RESERVED);
	cr_assert(test_memory_load(&f.tm, pte + 8, 8) == bad_page);
	/* As a whole they are taken out, and not followed. */
	cr_assert(pw_unmap(&f.space, PAGE, PAGE, NULL) == PW_OK);
	cr_assert(pw_unmap(&f.space, 2 * MIB, 2 * MIB, NULL) == PW_OK);
	cr_assert(test_memory_load(&f.tm, pte + 8, 8) == 0);
	cr_assert(test_memory_load(&f.tm, pde + 8, 8) == 0);
	fixture_expect(&f, 0, 0x5000, PAGE, RW);
	fixture_end(&f);
}

/* A hole with something in it, a swap entry perhaps: its table stays, mapping over it is allowed.
 */
Test(build_hostile, holes_that_are_not_empty)
{
	static struct fixture f;
	pw_pa pte;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, 0x5000, PAGE, RW, NULL) == PW_OK);
	pte = fixture_place(&f, 0, 0);
	test_memory_store(&f.tm, pte + 8, 8, 0x123450);
	cr_assert(pw_unmap(&f.space, 0, PAGE, NULL) == PW_OK);
	cr_assert(f.tm.tables_out == 4 && test_memory_load(&f.tm, pte + 8, 8) == 0x123450);
	cr_assert(pw_protect(&f.space, 0, 2 * MIB, PW_R, NULL) == PW_OK);
	cr_assert(test_memory_load(&f.tm, pte + 8, 8) == 0x123450);
	cr_assert(pw_map(&f.space, PAGE, 0x9000, PAGE, RW, NULL) == PW_OK);
	fixture_expect(&f, PAGE, 0x9000, PAGE, RW);
	test_memory_store(&f.tm, pte + 8, 8, 0x123450);
	cr_assert(pw_unmap(&f.space, 0, 2 * PAGE, NULL) == PW_OK);
	cr_assert(f.tm.tables_out == 1);
	fixture_end(&f);
}

/* Somebody else's empty tables: mapped into, not mapped over, and not looked for. */
Test(build_hostile, empty_tables_that_are_there)
{
	static struct fixture f;
	pw_pa pd, pt;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, 0x5000, PAGE, RW, NULL) == PW_OK);
	pd = fixture_place(&f, 0, 1) & ~UINT64_C(0xfff);
	pt = new_table(&f, 0);
	put(&f, pd, 4, pt | PTE_PWU);
	cr_assert(pw_unmap(&f.space, 8 * MIB, PAGE, &f.flush) == PW_OK);
	cr_assert(get(&f, pd, 4) == (pt | PTE_PWU) && f.flush.entries_written == 0);
	cr_assert(pw_map(&f.space, 4 * MIB, 4 * MIB, 8 * MIB, RW, NULL) == PW_OK);
	cr_assert(get(&f, pd, 4) == (pt | PTE_PWU));
	fixture_expect(&f, 6 * MIB, 6 * MIB, 2 * MIB, RW);
	fixture_expect(&f, 8 * MIB, 8 * MIB, PAGE, RW);
	fixture_expect(&f, 10 * MIB, 10 * MIB, 2 * MIB, RW);
	fixture_end(&f);
}

Test(build_hostile, memory_that_cannot_be_written)
{
	static struct fixture f;
	struct pw_memory memory;
	struct pw_space space;
	uint8_t *copy;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, 0, 4 * MIB, RW, NULL) == PW_OK);
	f.tm.window.read_only = true;
	copy = test_memory_copy(&f.tm);
	cr_assert(pw_map(&f.space, 4 * MIB, 0, 2 * MIB, RW, NULL) == PW_E_READ_ONLY);
	cr_assert(pw_map(&f.space, GIB, 0, 2 * MIB, RW, NULL) == PW_E_READ_ONLY);
	cr_assert(pw_protect(&f.space, 0, PAGE, PW_R, NULL) == PW_E_READ_ONLY);
	cr_assert(pw_protect(&f.space, 0, 2 * MIB, PW_R, NULL) == PW_E_READ_ONLY);
	cr_assert(pw_unmap(&f.space, 0, PAGE, NULL) == PW_E_READ_ONLY);
	cr_assert(pw_unmap(&f.space, 0, GIB, NULL) == PW_E_READ_ONLY);
	cr_assert(pw_allocate(&f.space, GIB, PAGE, RW, NULL) == PW_E_READ_ONLY);
	cr_assert(pw_write_pte(&f.space, 0, fixture_entry(&f, 0), 0) == PW_E_READ_ONLY);
	cr_assert(test_memory_equals(&f.tm, copy) && f.tm.page_count == 0);
	f.tm.window.read_only = false;
	fixture_end(&f);
	free(copy);

	fixture_begin(&f, &pw_format_x86_64, false);
	memory = f.tm.memory;
	memory.write_pte = NULL;
	memory.exchange_pte = NULL;
	cr_assert(pw_space_init(&space, f.format, f.space.root, &memory) == PW_OK);
	cr_assert(pw_map(&space, 0, 0, PAGE, RW, NULL) == PW_E_READ_ONLY);
	fixture_end(&f);
}

/* A memory that takes writes into what it has just given out, and into nothing else. */
static bool (*honest_write)(void *, pw_pa, unsigned, uint64_t);
static pw_pa frozen;

static bool write_unless_frozen(void *ctx, pw_pa pa, unsigned bytes, uint64_t entry)
{
	return (pa & ~UINT64_C(0xfff)) != frozen && honest_write(ctx, pa, bytes, entry);
}

Test(build_hostile, a_write_that_is_refused_in_the_middle)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, false);
	honest_write = f.tm.memory.write_pte;
	f.tm.memory.write_pte = write_unless_frozen;
	f.tm.memory.exchange_pte = NULL;
	cr_assert(pw_map(&f.space, 0, 0x5000, PAGE, RW, NULL) == PW_OK);
	frozen = f.space.root;
	cr_assert(pw_map(&f.space, UINT64_C(1) << 39, 0, 4 * MIB, RW, NULL) == PW_E_READ_ONLY);
	cr_assert(pw_allocate(&f.space, UINT64_C(1) << 39, 4 * MIB, RW, NULL) == PW_E_READ_ONLY);
	cr_assert(pw_unmap(&f.space, 0, UINT64_C(1) << 39, NULL) == PW_E_READ_ONLY);
	/* It is said, and nothing is lost. */
	cr_assert(f.tm.tables_out == 4 && f.tm.page_count == 0);
	fixture_expect(&f, 0, 0x5000, PAGE, RW);
	frozen = fixture_place(&f, 0, 0) & ~UINT64_C(0xfff);
	cr_assert(pw_protect(&f.space, 0, PAGE, PW_R, NULL) == PW_E_READ_ONLY);
	cr_assert(pw_unmap(&f.space, 0, PAGE, NULL) == PW_E_READ_ONLY);
	fixture_expect(&f, 0, 0x5000, PAGE, RW);
	frozen = fixture_place(&f, 0, 1) & ~UINT64_C(0xfff);
	cr_assert(pw_map(&f.space, 2 * MIB, 0, 2 * MIB, RW, NULL) == PW_E_READ_ONLY);
	frozen = 1;
	cr_assert(pw_map(&f.space, 2 * MIB, 0, 2 * MIB, RW, NULL) == PW_OK);
	frozen = fixture_place(&f, 0, 1) & ~UINT64_C(0xfff);
	cr_assert(pw_unmap(&f.space, 2 * MIB, PAGE, NULL) == PW_E_READ_ONLY);
	cr_assert(f.tm.tables_out == 4);
	fixture_expect(&f, 2 * MIB, 0, 2 * MIB, RW);
	frozen = 1;
	fixture_end(&f);
}

/* Address 0 is an address: an empty table there looks like a link to itself. */
Test(build_hostile, a_table_at_address_0)
{
	static struct fixture f;
	pw_pa first, root, table[3];

	test_memory_begin(&f.tm, 0, MIB, true);
	first = new_table(&f, 0);
	cr_assert(first == 0);
	cr_assert(pw_root_create(&pw_format_x86_64, &f.tm.memory, &root) == PW_OK);
	cr_assert(pw_space_init(&f.space, &pw_format_x86_64, root, &f.tm.memory) == PW_OK);
	for (unsigned i = 0; i < 3; i++)
		table[i] = new_table(&f, 0);
	put(&f, root, 0, table[0] | PTE_PWU);
	put(&f, table[0], 0, table[1] | PTE_PWU);
	put(&f, table[1], 0, table[2] | PTE_PWU);
	put(&f, table[1], 1, first | PTE_PWU);
	cr_assert(pw_unmap(&f.space, 0, HALF, NULL) == PW_OK);
	cr_assert(f.tm.tables_out == 1 && test_memory_is_sound(&f.tm));
	test_memory_end(&f.tm);
}

/* The root of PAE in the CPU's registers: below it single entries can be changed, no more. */
Test(build_hostile, pdpte_registers)
{
	static struct fixture f;
	struct pw_x86_state state = {.cr0 = PW_CR0_PE | PW_CR0_PG,
		.cr4 = PW_CR4_PAE,
		.efer = PW_EFER_NXE,
		.pdpte_loaded = true};
	struct pw_space space;
	uint64_t entry;

	fixture_begin(&f, &pw_format_x86_pae, true);
	cr_assert(pw_map(&f.space, 0, 0x5000, PAGE, RW, NULL) == PW_OK);
	state.cr3 = f.space.root;
	state.pdpte[0] = get(&f, f.space.root, 0);
	state.pdpte[1] = 0x1230;
	cr_assert(pw_space_init_x86(&space, &state, &f.tm.memory, NULL) == PW_OK);
	cr_assert(pw_map(&space, PAGE, 0, PAGE, RW, NULL) == PW_E_UNSUPPORTED);
	cr_assert(pw_unmap(&space, 0, PAGE, NULL) == PW_E_UNSUPPORTED);
	cr_assert(pw_protect(&space, 0, PAGE, RW, NULL) == PW_E_UNSUPPORTED);
	cr_assert(pw_read_pte(&space, GIB, &entry, NULL) == PW_OK && entry == 0x1230);
	cr_assert(pw_write_pte(&space, GIB, entry, 0) == PW_E_UNSUPPORTED);
	cr_assert(pw_read_pte(&space, 0, &entry, NULL) == PW_OK);
	cr_assert(pw_write_pte(&space, 0, entry, entry | PTE_U) == PW_OK);
	fixture_expect(&f, 0, 0x5000, PAGE, RW | PW_U);
	fixture_end(&f);
}

/* Windows that hold parts of tables only: entry by entry, some through the callbacks. */
Test(build_hostile, a_window_that_ends_inside_a_table)
{
	static struct fixture f, other;
	struct pw_window part;

	fixture_begin(&other, &pw_format_x86_64, false);
	fixture_begin(&f, &pw_format_x86_64, true);
	/* The callbacks of the one, the window of the other, one and the same bytes. */
	part = (struct pw_window){FIXTURE_BASE, 3 * PAGE + 0x808, f.tm.bytes, false};
	f.tm.memory.read_pte = other.tm.memory.read_pte;
	f.tm.memory.write_pte = other.tm.memory.write_pte;
	f.tm.memory.exchange_pte = other.tm.memory.exchange_pte;
	f.tm.memory.windows = &part;
	cr_assert(pw_space_init(&f.space, f.format, f.space.root, &f.tm.memory) == PW_OK);
	for (unsigned i = 0; i < 3; i++)
		cr_assert(pw_map(&f.space, i * 4 * MIB, PAGE, 2 * MIB, RW, NULL) == PW_OK);
	cr_assert(f.tm.writes > 512, "no table lay across the window's end");
	for (pw_va va = 0; va < 2 * MIB; va += PAGE)
		fixture_expect(&f, va + 4 * MIB, va + PAGE, PAGE, RW);
	cr_assert(pw_protect(&f.space, 3 * PAGE, 8 * MIB, PW_R, NULL) == PW_OK);
	fixture_expect(&f, 5 * MIB, MIB + PAGE, PAGE, PW_R);
	fixture_end(&f);
	test_memory_end(&other.tm);
}
