/* SPDX-License-Identifier: MIT */
/*
 * A format of the user's own, so small that every range of its address space can be tried: three
 * levels of four entries, 64 pages. Read back by the few lines of decode() below.
 */
#include "build_fixture.h"
#include "tiny_format.h"

#define PAGE  (4 * KIB)
#define PAGES 64
#define RW    (PW_R | PW_W)

struct page {
	pw_pa pa;
	uint64_t size; /* 0: a hole */
	bool writable;
};

static struct pw_format tiny;

/* Level 2 has 16 pages an entry, level 1 has 4, level 0 has 1; bit 7 tells a page above level 0. */
static struct page decode(const struct fixture *f, unsigned number)
{
	static const unsigned pages[] = {1, 4, 16};
	pw_pa table = f->space.root;
	bool writable = true;

	for (unsigned level = 2;; level--) {
		uint64_t entry =
			test_memory_load(&f->tm, table + 8 * (number / pages[level] % 4), 8);

		if (!(entry & PTE_P))
			return (struct page){.size = 0};
		writable = writable && entry & PTE_W;
		table = entry & UINT64_C(0xffffffffff000);
		if (level == 0 || entry & PTE_PS)
			return (struct page){table + number % pages[level] * PAGE,
				pages[level] * PAGE, writable};
	}
}

/* Tables below the one at pa, and itself. */
static unsigned tables_at(const struct fixture *f, pw_pa pa, unsigned level)
{
	unsigned tables = 1;

	for (unsigned i = 0; i < 4 && level; i++) {
		uint64_t entry = test_memory_load(&f->tm, pa + 8 * i, 8);

		if ((entry & (PTE_P | PTE_PS)) == PTE_P)
			tables += tables_at(f, entry & UINT64_C(0xffffffffff000), level - 1);
	}
	return tables;
}

/* The size of the page at `number` if [from, to) was mapped with va = pa, the largest possible. */
static uint64_t largest(unsigned number, unsigned from, unsigned to)
{
	for (unsigned pages = 16; pages > 1; pages /= 4) {
		unsigned first = number / pages * pages;

		if (first >= from && first + pages <= to)
			return pages * PAGE;
	}
	return PAGE;
}

static void begin(struct fixture *f, bool windows)
{
	tiny = tiny_format(3, 2);
	tiny.extension = PW_ZERO_EXTENDED;
	cr_assert(pw_format_check(&tiny, NULL) == PW_OK);
	fixture_begin(f, &tiny, windows);
}

/* Nothing is lost, and nothing but the root is kept when nothing is mapped. */
static void check_tables(const struct fixture *f, bool empty)
{
	cr_assert(f->tm.tables_out == tables_at(f, f->space.root, 2));
	cr_assert(!empty || f->tm.tables_out == 1);
	cr_assert(f->tm.faults == 0);
}

static void map_one_range(struct fixture *f, unsigned from, unsigned to)
{
	uint64_t tables = f->flush.tables_allocated;

	cr_assert(pw_map(&f->space, from * PAGE, from * PAGE, (to - from) * PAGE, RW, &f->flush) ==
		  PW_OK);
	for (unsigned i = 0; i < PAGES; i++) {
		struct page page = decode(f, i);

		if (i < from || i >= to)
			cr_assert(!page.size);
		else
			cr_assert(page.pa == i * PAGE && page.size == largest(i, from, to));
	}
	cr_assert(f->flush.tables_allocated - tables == f->tm.tables_out - 1);
	cr_assert(pw_unmap(&f->space, from * PAGE, (to - from) * PAGE, NULL) == PW_OK);
	check_tables(f, true);
}

/* All is mapped with four pages of 16; a part of it is changed. */
static void change_one_range(struct fixture *f, unsigned from, unsigned to, bool protect)
{
	uint64_t size = (to - from) * PAGE;

	cr_assert(pw_map(&f->space, 0, 0, PAGES * PAGE, RW, NULL) == PW_OK);
	cr_assert(f->tm.tables_out == 1);
	if (protect)
		cr_assert(pw_protect(&f->space, from * PAGE, size, PW_R, NULL) == PW_OK);
	else
		cr_assert(pw_unmap(&f->space, from * PAGE, size, NULL) == PW_OK);
	for (unsigned i = 0; i < PAGES; i++) {
		struct page page = decode(f, i);
		bool inside = i >= from && i < to;

		if (inside && !protect)
			cr_assert(!page.size);
		else
			cr_assert(page.pa == i * PAGE && page.writable != inside,
				"[%u, %u): page %u", from, to, i);
	}
	check_tables(f, false);
	if (!protect)
		cr_assert(pw_map(&f->space, from * PAGE, 0, size, PW_R, NULL) == PW_OK);
	cr_assert(pw_unmap(&f->space, 0, PAGES * PAGE, NULL) == PW_OK);
	check_tables(f, true);
}

static void every_range(bool windows)
{
	static struct fixture f;

	begin(&f, windows);
	for (unsigned from = 0; from < PAGES; from++) {
		for (unsigned to = from + 1; to <= PAGES; to++) {
			map_one_range(&f, from, to);
			change_one_range(&f, from, to, true);
			change_one_range(&f, from, to, false);
		}
	}
	test_memory_end(&f.tm);
}

Test(build_tiny, every_range_through_windows)
{
	every_range(true);
}

Test(build_tiny, every_range_through_callbacks)
{
	every_range(false);
}

/* Two ranges with a gap of every size between them, the second unmapped or protected over both. */
Test(build_tiny, every_pair_of_borders)
{
	static struct fixture f;

	begin(&f, true);
	for (unsigned gap = 0; gap < 40; gap++) {
		for (unsigned from = 1; from < 20; from++) {
			unsigned second = from + gap + 1;

			cr_assert(pw_map(&f.space, 0, 0, from * PAGE, RW, NULL) == PW_OK);
			cr_assert(pw_map(&f.space, second * PAGE, 0, (PAGES - second) * PAGE, RW,
					  NULL) == PW_OK);
			cr_assert(pw_map(&f.space, 0, 0, PAGES * PAGE, RW, NULL) == PW_E_EXISTS);
			cr_assert(pw_protect(&f.space, (from - 1) * PAGE, (gap + 3) * PAGE, PW_R,
					  NULL) == PW_OK);
			for (unsigned i = 0; i < PAGES; i++) {
				struct page page = decode(&f, i);

				cr_assert(!!page.size == (i < from || i >= second));
				cr_assert(!page.size ||
					  page.writable == (i != from - 1 && i != second));
			}
			check_tables(&f, false);
			cr_assert(pw_unmap(&f.space, 0, PAGES * PAGE, NULL) == PW_OK);
			check_tables(&f, true);
		}
	}
	test_memory_end(&f.tm);
}
