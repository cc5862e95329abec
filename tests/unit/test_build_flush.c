/* SPDX-License-Identifier: MIT */
/* The flush list, live tables, and the order in which entries are stored. */
#include "build_fixture.h"
#include <stdlib.h>

#define PAGE (4 * KIB)
#define RW   (PW_R | PW_W)

static void expect_range(
	const struct fixture *f, size_t i, pw_va first, pw_va last, unsigned level, bool tables)
{
	const struct pw_flush_range *range = &f->ranges[i];

	cr_assert(i < f->flush.range_count, "only %zu ranges", f->flush.range_count);
	cr_assert(range->first == first && range->last == last && range->level == level &&
			  range->tables == tables,
		"range %zu is [%#llx, %#llx] level %u tables %d", i,
		(unsigned long long)range->first, (unsigned long long)range->last, range->level,
		range->tables);
}

Test(build_flush, holes_are_listed_where_the_hardware_remembers_them)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_riscv_sv39, true);
	cr_assert(pw_map(&f.space, 0, 0, 2 * MIB, RW, &f.flush) == PW_OK);
	expect_range(&f, 0, 0, 2 * MIB - 1, 0, true);
	f.flush.range_count = 0;
	cr_assert(pw_map(&f.space, 2 * MIB, 0, 2 * MIB, RW, &f.flush) == PW_OK);
	expect_range(&f, 0, 2 * MIB, 4 * MIB - 1, 1, false);
	fixture_end(&f);
	fixture_begin(&f, &pw_format_ept_4, true);
	cr_assert(pw_map(&f.space, 0, 0, 2 * MIB, RW, &f.flush) == PW_OK);
	cr_assert(f.flush.range_count == 0 && !f.flush.everything);
	fixture_end(&f);
	fixture_begin(&f, &pw_format_arm64_4k, true);
	cr_assert(pw_map(&f.space, 0, 0, 2 * MIB, RW, &f.flush) == PW_OK);
	cr_assert(f.flush.range_count == 0 && !f.flush.everything);
	fixture_end(&f);
}

Test(build_flush, ranges_that_touch_are_one)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, PAGE, 64 * PAGE, RW, NULL) == PW_OK);
	cr_assert(pw_protect(&f.space, 0, PAGE, PW_R, &f.flush) == PW_OK);
	cr_assert(pw_protect(&f.space, 2 * PAGE, PAGE, PW_R, &f.flush) == PW_OK);
	cr_assert(f.flush.range_count == 2);
	cr_assert(pw_protect(&f.space, PAGE, PAGE, PW_R, &f.flush) == PW_OK);
	cr_assert(f.flush.range_count == 1);
	expect_range(&f, 0, 0, 3 * PAGE - 1, 0, false);
	cr_assert(pw_protect(&f.space, 10 * PAGE, PAGE, PW_R, &f.flush) == PW_OK);
	cr_assert(pw_protect(&f.space, 9 * PAGE, 3 * PAGE, PW_R | PW_X, &f.flush) == PW_OK);
	cr_assert(f.flush.range_count == 2);
	expect_range(&f, 1, 9 * PAGE, 12 * PAGE - 1, 0, false);
	fixture_end(&f);
}

Test(build_flush, the_top_and_the_bottom_do_not_touch)
{
	static struct fixture f;
	pw_va top = UINT64_C(0xfffffffffffff000);

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, 0, PAGE, RW, NULL) == PW_OK);
	cr_assert(pw_map(&f.space, top, 0, PAGE, RW, NULL) == PW_OK);
	cr_assert(pw_protect(&f.space, top, PAGE, PW_R, &f.flush) == PW_OK);
	cr_assert(pw_protect(&f.space, 0, PAGE, PW_R, &f.flush) == PW_OK);
	cr_assert(f.flush.range_count == 2);
	expect_range(&f, 0, top, UINT64_MAX, 0, false);
	expect_range(&f, 1, 0, PAGE - 1, 0, false);
	fixture_end(&f);
}

Test(build_flush, a_full_list_means_everything)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, PAGE, 64 * PAGE, RW, NULL) == PW_OK);
	for (unsigned i = 0; i < FIXTURE_RANGES + 1; i++) {
		cr_assert(!f.flush.everything);
		cr_assert(pw_protect(&f.space, i * 2 * PAGE, PAGE, PW_R, &f.flush) == PW_OK);
	}
	cr_assert(f.flush.everything);
	pw_flush_done(&f.space, &f.flush);
	cr_assert(!f.flush.everything && f.flush.range_count == 0);
	fixture_end(&f);
}

static unsigned flushes;

static void count_flush(void *ctx, struct pw_flush *flush)
{
	struct fixture *f = ctx;

	flushes++;
	cr_assert(flush == &f->flush);
	/* Nothing of this operation has gone back yet. */
	cr_assert(f->tm.tables_out == 13, "%llu tables out", (unsigned long long)f->tm.tables_out);
}

/* Ten last tables in the space, in a list that holds two. */
static void overfull(bool hook)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, true);
	f.flush.freed_max = 2;
	for (unsigned i = 0; i < 10; i++)
		cr_assert(pw_map(&f.space, i * 2 * MIB, 0x5000, PAGE, RW, NULL) == PW_OK);
	cr_assert(f.tm.tables_out == 13);
	flushes = 0;
	f.flush.flush_now = hook ? count_flush : NULL;
	f.flush.ctx = &f;
	cr_assert(pw_unmap(&f.space, 0, GIB, &f.flush) == PW_OK);
	cr_assert(flushes == hook);
	cr_assert(f.tm.tables_out == (hook ? 1 : 3));
	cr_assert(hook || f.flush.everything);
	cr_assert(f.flush.tables_freed == 12);
	f.flush.flush_now = NULL;
	fixture_end(&f);
}

Test(build_flush, a_full_list_of_tables_is_flushed_or_goes_back_at_once)
{
	overfull(true);
	overfull(false);
}

Test(build_flush, without_a_list_tables_go_back_at_once)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, false);
	cr_assert(pw_map(&f.space, 0, 0x5000, 16 * MIB, RW, NULL) == PW_OK);
	cr_assert(pw_unmap(&f.space, 0, 16 * MIB, NULL) == PW_OK);
	cr_assert(f.tm.tables_out == 1);
	fixture_end(&f);
}

/* ---- Live tables ---- */

Test(build_flush, accessed_and_dirty_set_meanwhile_are_not_lost)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, false);
	f.flush.live = true;
	cr_assert(pw_map(&f.space, 0, 2 * MIB, 2 * MIB, RW, &f.flush) == PW_OK);
	f.tm.meddle = PTE_A | PTE_D;
	cr_assert(pw_protect(&f.space, 0, 2 * MIB, PW_R, &f.flush) == PW_OK);
	cr_assert(f.tm.meddle == 0);
	cr_assert(fixture_entry(&f, 0) == (2 * MIB | PTE_P | PTE_PS | PTE_A | PTE_D | PTE_XD));
	f.flush.range_count = 0;
	/* In a split the meddling comes after the child was filled: it is filled again. */
	fixture_set_entry(&f, 0, 2 * MIB | PTE_P | PTE_PS | PTE_XD);
	f.tm.meddle = PTE_A | PTE_D;
	cr_assert(pw_protect(&f.space, PAGE, PAGE, RW, &f.flush) == PW_OK);
	cr_assert(f.tm.meddle == 0);
	for (pw_va va = 0; va < 2 * MIB; va += PAGE)
		cr_assert((fixture_entry(&f, va) & (PTE_A | PTE_D)) == (PTE_A | PTE_D));
	cr_assert(f.flush.splits == 1 && f.flush.range_count == 1);
	expect_range(&f, 0, PAGE, 2 * PAGE - 1, 0, true);
	/* And an entry that is taken out is taken out, whatever happens to it. */
	f.tm.meddle = PTE_A;
	cr_assert(pw_unmap(&f.space, PAGE, PAGE, &f.flush) == PW_OK);
	fixture_expect_hole(&f, PAGE);
	f.flush.live = false;
	fixture_end(&f);
}

Test(build_flush, live_tables_take_a_compare_exchange)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, false);
	cr_assert(pw_map(&f.space, 0, 0x5000, PAGE, RW, NULL) == PW_OK);
	f.tm.memory.exchange_pte = NULL;
	f.flush.live = true;
	cr_assert(pw_protect(&f.space, 0, PAGE, PW_R, &f.flush) == PW_E_READ_ONLY);
	cr_assert(pw_unmap(&f.space, 0, PAGE, &f.flush) == PW_E_READ_ONLY);
	fixture_expect(&f, 0, 0x5000, PAGE, RW);
	f.flush.live = false;
	cr_assert(pw_protect(&f.space, 0, PAGE, PW_R, &f.flush) == PW_OK);
	fixture_end(&f);
}

Test(build_flush, live_arm_pages_are_not_split)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_arm64_4k, true);
	f.flush.live = true;
	cr_assert(pw_map(&f.space, 0, 0, 2 * MIB, RW, &f.flush) == PW_OK);
	cr_assert(pw_unmap(&f.space, 0, PAGE, &f.flush) == PW_E_UNSUPPORTED);
	cr_assert(pw_protect(&f.space, 0, 2 * MIB, PW_R, &f.flush) == PW_OK);
	f.flush.live = false;
	fixture_end(&f);
}

Test(build_flush, pages_of_a_live_space_need_a_flush_before_they_go)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_allocate(&f.space, 0, 2 * PAGE, RW, &f.flush) == PW_OK);
	f.flush.live = true;
	cr_assert(pw_free(&f.space, 0, 2 * PAGE, &f.flush) == PW_E_ARGUMENT);
	f.flush.live = false;
	cr_assert(pw_free(&f.space, 0, 2 * PAGE, &f.flush) == PW_OK);
	f.tm.memory.free_page = NULL;
	cr_assert(pw_free(&f.space, 0, 2 * PAGE, &f.flush) == PW_E_ARGUMENT);
	cr_assert(pw_allocate(&f.space, 0, 2 * PAGE, RW, &f.flush) == PW_E_ARGUMENT);
	f.tm.memory.allocate_page = NULL;
	cr_assert(pw_allocate(&f.space, 0, 2 * PAGE, RW, &f.flush) == PW_E_NO_TABLES);
	fixture_end(&f);
}

static void pages_are_out(void *ctx, struct pw_flush *flush)
{
	struct fixture *f = ctx;

	/* Of three tables the last has gone at most, and nothing of what can still be reached. */
	flushes++;
	cr_assert(flush->everything || flush->range_count > 0);
	cr_assert(f->tm.page_bytes_out >= (3 - flushes) * 2 * MIB);
	fixture_expect_hole(f, (flushes - 1) * 2 * MIB);
}

/* Pages below a table that is taken out as a whole wait for the flush too. */
Test(build_flush, pages_below_a_table_wait_for_the_flush)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, true);
	f.tm.largest_page = PAGE;
	cr_assert(pw_allocate(&f.space, 0, 4 * MIB, RW, NULL) == PW_OK);
	f.flush.flush_now = pages_are_out;
	f.flush.ctx = &f;
	flushes = 0;
	cr_assert(pw_free(&f.space, 0, 4 * MIB, &f.flush) == PW_OK);
	cr_assert(flushes == 2 && f.tm.page_count == 0);
	f.flush.flush_now = NULL;
	fixture_end(&f);
}

/* ---- Never link what is not complete ---- */

static struct fixture watched;
static bool (*watched_write)(void *, pw_pa, unsigned, uint64_t);
static bool (*watched_exchange)(void *, pw_pa, unsigned, uint64_t *, uint64_t);
static unsigned links;

/* When a table entry is stored, no entry of its table holds what the memory held before. */
static void check_linked(uint64_t entry)
{
	pw_pa table = entry & UINT64_C(0xffffffffff000);

	if ((entry & (PTE_P | PTE_PS)) != PTE_P || table < FIXTURE_BASE ||
		table >= FIXTURE_BASE + FIXTURE_BYTES)
		return;
	links++;
	for (unsigned i = 0; i < 512; i++)
		cr_assert(test_memory_load(&watched.tm, table + 8 * i, 8) !=
				  UINT64_C(0xa5a5a5a5a5a5a5a5),
			"entry %u of a table is not there yet when the table is linked", i);
}

static bool watch_write(void *ctx, pw_pa pa, unsigned bytes, uint64_t entry)
{
	check_linked(entry);
	return watched_write(ctx, pa, bytes, entry);
}

static bool watch_exchange(
	void *ctx, pw_pa pa, unsigned bytes, uint64_t *expected, uint64_t desired)
{
	check_linked(desired);
	return watched_exchange(ctx, pa, bytes, expected, desired);
}

Test(build_flush, a_table_is_complete_before_an_entry_leads_to_it)
{
	struct fixture *f = &watched;

	fixture_begin(f, &pw_format_x86_64, false);
	watched_write = f->tm.memory.write_pte;
	watched_exchange = f->tm.memory.exchange_pte;
	f->tm.memory.write_pte = watch_write;
	f->tm.memory.exchange_pte = watch_exchange;
	/* Data below the memory, so that pages do not look like tables. */
	f->tm.next_page = 16 * GIB;
	cr_assert(pw_map(&f->space, 0, 16 * GIB + PAGE, 5 * MIB, RW, NULL) == PW_OK);
	cr_assert(links == 5, "%u tables were linked", links);
	cr_assert(pw_map(&f->space, GIB, 16 * GIB, GIB, RW, NULL) == PW_OK);
	cr_assert(pw_protect(&f->space, GIB + 5 * PAGE, PAGE, PW_R, NULL) == PW_OK);
	cr_assert(links == 7);
	cr_assert(pw_allocate(&f->space, 3 * GIB, 40 * MIB, RW, NULL) == PW_OK);
	cr_assert(links == 8);
	cr_assert(pw_free(&f->space, 3 * GIB, 40 * MIB, NULL) == PW_OK);
	fixture_end(f);
}
