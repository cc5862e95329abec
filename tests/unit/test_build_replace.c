/* SPDX-License-Identifier: MIT */
/* Mapping over what is mapped: what gives way, what stays, and that it is all or nothing. */
#include "build_fixture.h"
#include "share.h"
#include "tiny_format.h"
#include <stdlib.h>

#define PAGE  (4 * KIB)
#define PAGES 64
#define RW    (PW_R | PW_W)

/* ---- Every range over every kind of table, in a format of 64 pages ---- */

static struct pw_format tiny;

/* What a page of the tiny space is mapped to, the few lines that this takes; 0: nothing. */
static uint64_t look(const struct fixture *f, unsigned number, unsigned *tables)
{
	static const unsigned pages[] = {1, 4, 16};
	pw_pa table = f->space.root;

	for (unsigned level = 2;; level--) {
		uint64_t entry =
			test_memory_load(&f->tm, table + 8 * (number / pages[level] % 4), 8);

		if (!(entry & PTE_P))
			return 0;
		table = entry & UINT64_C(0xffffffffff000);
		if (level == 0 || entry & PTE_PS)
			return table + number % pages[level] * PAGE;
		*tables += number % pages[level] == 0;
	}
}

/* Everything is mapped to GIB on, in pages of 1 << 2 * level small ones, with holes or without. */
static void prepare(struct fixture *f, unsigned level, bool holes)
{
	cr_assert(pw_map(&f->space, 0, GIB, PAGES * PAGE, RW, NULL) == PW_OK);
	cr_assert(pw_split(&f->space, 0, PAGES * PAGE, level, NULL) == PW_OK);
	for (unsigned i = 5; i < PAGES && holes; i += 9)
		cr_assert(pw_unmap(&f->space, i * PAGE, 2 * PAGE, NULL) == PW_OK);
}

static bool is_listed(const struct fixture *f, pw_va va)
{
	for (size_t n = 0; n < f->flush.range_count; n++) {
		if (f->flush.ranges[n].first <= va && f->flush.ranges[n].last >= va)
			return true;
	}
	return false;
}

static void replace_one(struct fixture *f, unsigned from, unsigned to, pw_pa pa)
{
	uint64_t old[PAGES], size = (to - from) * PAGE;
	unsigned tables = 1, ignored = 0;
	struct pw_needs needs;

	for (unsigned i = 0; i < PAGES; i++)
		old[i] = look(f, i, &ignored);
	cr_assert(pw_map_needs(&f->space, from * PAGE, pa + from * PAGE, size, PW_R | PW_REPLACE,
			  &needs) == PW_OK);
	f->tm.fail_at = f->tm.allocations + (int64_t)needs.total;
	cr_assert(pw_map(&f->space, from * PAGE, pa + from * PAGE, size, PW_R | PW_REPLACE,
			  &f->flush) == PW_OK);
	f->tm.fail_at = -1;
	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t wanted = i >= from && i < to ? pa + i * PAGE : old[i];

		cr_assert(look(f, i, &tables) == wanted, "[%u, %u): page %u", from, to, i);
		cr_assert(wanted == old[i] || !old[i] || is_listed(f, i * PAGE),
			"[%u, %u): page %u is not listed", from, to, i);
	}
	/* Nothing outside the range and its pages is listed. */
	cr_assert(f->flush.range_count <= FIXTURE_RANGES && !f->flush.everything);
	for (size_t n = 0; n < f->flush.range_count; n++)
		cr_assert(f->flush.ranges[n].first >= from * PAGE &&
			  f->flush.ranges[n].last <= to * PAGE - 1);
	cr_assert(tables + f->flush.freed_count == f->tm.tables_out);
	pw_flush_done(&f->space, &f->flush);
}

static void every_range(bool windows, bool live)
{
	static struct fixture f;
	unsigned n = 0, step = share();

	tiny = tiny_format(3, 2);
	tiny.extension = PW_ZERO_EXTENDED;
	tiny.family = PW_FAMILY_NPT; /* three levels of x86 were PAE, with its registers */
	fixture_begin(&f, &tiny, windows);
	f.flush.live = live;
	for (unsigned level = 0; level < 3; level++) {
		for (unsigned from = 0; from < PAGES; from++) {
			for (unsigned to = from + 1; to <= PAGES; to++) {
				if (n++ % step)
					continue;
				prepare(&f, level, from & 1);
				/* Large pages fit, or only those of the middle level, or none. */
				replace_one(&f, from, to,
					2 * GIB + (from % 3 == 0          ? 0
							  : from % 3 == 1 ? 4 * PAGE
									  : PAGE));
				cr_assert(pw_unmap(&f.space, 0, PAGES * PAGE, NULL) == PW_OK);
			}
		}
	}
	cr_assert(f.tm.tables_out == 1 && f.tm.faults == 0);
	test_memory_end(&f.tm);
}

Test(build_replace, every_range_through_windows)
{
	every_range(true, false);
}

Test(build_replace, every_range_through_callbacks)
{
	every_range(false, false);
}

Test(build_replace, every_range_of_a_live_space)
{
	every_range(true, true);
}

/* ---- What gives way ---- */

Test(build_replace, a_page_takes_the_place_of_tables)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_ept_4, true);
	cr_assert(pw_map(&f.space, 0, PAGE, 20 * MIB, RW, NULL) == PW_OK);
	cr_assert(f.tm.tables_out == 3 + 10);
	cr_assert(pw_map(&f.space, 2 * MIB, 4 * MIB, 2 * MIB, PW_R, NULL) == PW_E_EXISTS);
	cr_assert(
		pw_map(&f.space, 2 * MIB, 4 * MIB, 2 * MIB, PW_R | PW_REPLACE, &f.flush) == PW_OK);
	fixture_expect(&f, 2 * MIB, 4 * MIB, 2 * MIB, PW_R);
	fixture_expect(&f, 2 * MIB - PAGE, 2 * MIB, PAGE, RW);
	cr_assert(f.flush.freed_count == 1 && f.flush.range_count == 1 && f.flush.ranges[0].tables);
	pw_flush_done(&f.space, &f.flush);
	/* The same again is no change: nothing is written, nothing listed. */
	f.flush.entries_written = 0;
	cr_assert(
		pw_map(&f.space, 2 * MIB, 4 * MIB, 2 * MIB, PW_R | PW_REPLACE, &f.flush) == PW_OK);
	cr_assert(f.flush.entries_written == 0 && f.flush.range_count == 0);
	f.flush.freed_max = 0;
	cr_assert(pw_map(&f.space, 0, 0, GIB, PW_R | PW_X | PW_REPLACE, &f.flush) == PW_OK);
	fixture_expect(&f, MIB, MIB, GIB, PW_R | PW_X);
	cr_assert(f.tm.tables_out == 2 && f.flush.everything);
	fixture_end(&f);
}

Test(build_replace, bad_entries_inside_give_way)
{
	static struct fixture f;
	pw_pa place;

	for (unsigned i = 0; i < 2; i++) {
		fixture_begin(&f, &pw_format_ept_4, i);
		cr_assert(pw_map(&f.space, 0, 0, 8 * PAGE, RW, NULL) == PW_OK);
		place = fixture_place(&f, 0, 0) + 8 * 3;
		test_memory_store(&f.tm, place, 8, 2); /* W without R */
		cr_assert(
			pw_map(&f.space, 2 * PAGE, GIB, 3 * PAGE, RW | PW_REPLACE, NULL) == PW_OK);
		fixture_expect(&f, 3 * PAGE, GIB + PAGE, PAGE, RW);
		fixture_expect(&f, 5 * PAGE, 5 * PAGE, PAGE, RW);
		fixture_end(&f);
	}
}

/* A PDE that leads to the page directory it is in: replaced as a whole it is not followed. */
Test(build_replace, cycles)
{
	static struct fixture f;
	pw_pa place;

	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, 0, 4 * MIB, RW, NULL) == PW_OK);
	place = fixture_place(&f, 0, 1);
	test_memory_store(&f.tm, place + 8, 8, (place & ~UINT64_C(4095)) | PTE_PWU);
	cr_assert(pw_map(&f.space, 2 * MIB, PAGE, PAGE, RW | PW_REPLACE, NULL) == PW_E_UNSUPPORTED);
	cr_assert(pw_map(&f.space, 2 * MIB, 2 * MIB, 2 * MIB, RW | PW_REPLACE, NULL) == PW_OK);
	fixture_expect(&f, 2 * MIB, 2 * MIB, 2 * MIB, RW);
	fixture_end(&f);
}

/* ---- All or nothing ---- */

Test(build_replace, every_table_can_be_the_one_that_is_missing)
{
	static struct fixture f;

	for (unsigned live = 0; live < 2; live++) {
		enum pw_status status = PW_E_NO_TABLES;
		unsigned failures = 0;

		fixture_begin(&f, &pw_format_x86_64, true);
		cr_assert(pw_map(&f.space, 0, 0, 2 * GIB, RW, NULL) == PW_OK);
		cr_assert(pw_map(&f.space, 2 * GIB, PAGE, 4 * MIB, RW, NULL) == PW_OK);
		f.flush.live = live;
		for (; status != PW_OK; failures++) {
			uint8_t *copy = test_memory_copy(&f.tm);

			f.tm.fail_at = f.tm.allocations + failures;
			status = pw_map(&f.space, 2 * GIB - 5 * MIB + PAGE, GIB, 7 * MIB,
				PW_R | PW_REPLACE, &f.flush);
			f.tm.fail_at = -1;
			cr_assert(status == PW_OK || status == PW_E_NO_TABLES);
			if (status != PW_OK)
				cr_assert(test_memory_equals(&f.tm, copy) && !f.flush.range_count &&
					  !f.flush.freed_count);
			free(copy);
		}
		cr_assert(failures > 4, "%u", failures);
		for (uint64_t at = 0; at < 7 * MIB; at += PAGE)
			fixture_expect(&f, 2 * GIB - 5 * MIB + PAGE + at, GIB + at, PAGE, PW_R);
		fixture_expect(&f, 2 * GIB - 5 * MIB, 2 * GIB - 5 * MIB, PAGE, RW);
		fixture_expect(&f, 2 * GIB + 3 * MIB, 3 * MIB + PAGE, PAGE, RW);
		fixture_end(&f);
	}
}

/* ---- Pages that the memory gives ---- */

/* The tables before the operation; the rest of the memory holds nothing. */
static uint8_t tables_before[FIXTURE_BYTES + FIXTURE_BYTES / TEST_GRAIN];

/* The flat model: what each small page is mapped to, from GIB on before and from 2 GIB on after. */
static void allocate_one(struct fixture *f, unsigned from, unsigned to)
{
	uint64_t old[PAGES], size = (to - from) * PAGE;
	unsigned tables = 1, ignored = 0;
	enum pw_status status = PW_E_NO_TABLES;

	for (unsigned i = 0; i < PAGES; i++)
		old[i] = look(f, i, &ignored);
	/* First with every allocation, of tables and pages, the one that fails. */
	for (unsigned failures = 0; status != PW_OK; failures++) {
		test_memory_copy_tables(&f->tm, tables_before);
		f->tm.fail_at = f->tm.allocations + failures;
		status = pw_allocate(&f->space, from * PAGE, size, PW_R | PW_REPLACE, &f->flush);
		f->tm.fail_at = -1;
		cr_assert(status == PW_OK || status == PW_E_NO_TABLES);
		if (status != PW_OK)
			cr_assert(test_memory_tables_equal(&f->tm, tables_before) &&
				  !f->tm.page_bytes_out && !f->flush.range_count &&
				  !f->flush.freed_count);
	}
	cr_assert(f->tm.page_bytes_out == size, "pages that were there are not the memory's");
	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t now = look(f, i, &tables);

		if (i < from || i >= to)
			cr_assert(now == old[i], "[%u, %u): page %u", from, to, i);
		else
			cr_assert(now >= 2 * GIB, "[%u, %u): page %u", from, to, i);
		cr_assert(now == old[i] || !old[i] || is_listed(f, i * PAGE));
	}
	cr_assert(tables + f->flush.freed_count == f->tm.tables_out);
	pw_flush_done(&f->space, &f->flush);
	cr_assert(pw_free(&f->space, from * PAGE, size, &f->flush) == PW_OK);
	cr_assert(f->tm.page_bytes_out == 0 && f->tm.page_count == 0 && !f->tm.faults);
	pw_flush_done(&f->space, &f->flush);
}

Test(build_replace, allocated_pages_take_any_range_of_any_table)
{
	static struct fixture f;

	tiny = tiny_format(3, 2);
	tiny.extension = PW_ZERO_EXTENDED;
	tiny.family = PW_FAMILY_NPT;
	for (unsigned shape = 0; shape < 18; shape++) {
		fixture_begin(&f, &tiny, shape & 1);
		f.tm.largest_page = PAGE << 2 * (shape / 6);
		f.tm.next_page = 2 * GIB;
		for (unsigned from = 0; from < PAGES; from += 3) {
			for (unsigned to = from + 1; to <= PAGES; to += 5) {
				prepare(&f, shape / 2 % 3, from & 1);
				allocate_one(&f, from, to);
				cr_assert(pw_unmap(&f.space, 0, PAGES * PAGE, NULL) == PW_OK);
			}
		}
		cr_assert(f.tm.tables_out == 1 && test_memory_is_sound(&f.tm));
		test_memory_end(&f.tm);
	}
}

/* ---- Where it does not go ---- */

Test(build_replace, refusals)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_arm64_4k, true);
	cr_assert(pw_map(&f.space, 0, 0, 4 * PAGE, RW, NULL) == PW_OK);
	f.flush.live = true; /* and nobody flushes between the two stores */
	cr_assert(pw_map(&f.space, 0, GIB, PAGE, RW | PW_REPLACE, &f.flush) == PW_E_UNSUPPORTED);
	cr_assert(pw_map(&f.space, 8 * PAGE, GIB, PAGE, RW | PW_REPLACE, &f.flush) == PW_OK);
	fixture_expect(&f, 0, 0, PAGE, RW);
	cr_assert(pw_protect(&f.space, 0, PAGE, PW_R | PW_REPLACE, NULL) == PW_E_ARGUMENT);
	cr_assert(pw_modify(&f.space, 0, PAGE, PW_REPLACE, 0, NULL) == PW_E_ARGUMENT);
	f.flush.live = false;
	fixture_end(&f);
}
