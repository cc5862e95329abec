/* SPDX-License-Identifier: MIT */
/* Splitting and collapsing: another size, the same translations, marks that are never lost. */
#include "build_fixture.h"
#include <stdlib.h>

#define RW (PW_R | PW_W)

static uint64_t small_of(const struct fixture *f)
{
	return pw_level_page_size(&f->format->level[0]);
}

static uint64_t large_of(const struct fixture *f)
{
	return pw_level_page_size(&f->format->level[1]);
}

/* Formats whose second level has pages, in memory that holds the tables of three of them. */
static bool is_fit(const struct pw_format *format)
{
	return format->levels > 1 && format->level[1].page.size_log2 &&
	       pw_table_bytes(format, 0) <= 16 * KIB;
}

static pw_rights rights_of(const struct pw_format *format)
{
	return format->encode[RW] == PW_CANNOT ? RW | PW_X : RW;
}

static void map_three(struct fixture *f)
{
	uint64_t large = large_of(f);

	cr_assert(pw_map(&f->space, large, 4 * large, 3 * large, rights_of(f->format), &f->flush) ==
		  PW_OK);
	pw_flush_done(&f->space, &f->flush);
}

static void expect_sizes(const struct fixture *f, uint64_t middle)
{
	uint64_t large = large_of(f), step = small_of(f);

	for (pw_va va = large; va < 4 * large; va += step)
		fixture_expect(f, va, va + 3 * large,
			va >= 2 * large && va < 3 * large ? middle : large, rights_of(f->format));
}

/* A page in the middle becomes small ones and large again, and is what it was to the last bit. */
static void there_and_back(const struct pw_format *format, bool windows, bool live)
{
	static struct fixture f;
	uint64_t before, large, merged = 7, marks = format->level[1].page.accessed;
	uint8_t *copy;

	fixture_begin(&f, format, windows);
	f.flush.live = live;
	large = large_of(&f);
	map_three(&f);
	if (format->family == PW_FAMILY_X86 || format->family == PW_FAMILY_EPT)
		marks |= format->level[1].page.dirty;
	fixture_set_entry(&f, 2 * large, fixture_entry(&f, 2 * large) | marks);
	before = fixture_entry(&f, 2 * large);
	copy = test_memory_copy(&f.tm);
	f.tm.fail_at = f.tm.allocations;
	cr_assert(pw_split(&f.space, 2 * large, large, 0, &f.flush) == PW_E_NO_TABLES);
	cr_assert(test_memory_equals(&f.tm, copy) && f.flush.range_count == 0);
	f.tm.fail_at = -1;
	/* A small part is enough. */
	cr_assert(pw_split(&f.space, 2 * large + small_of(&f), small_of(&f), 0, &f.flush) == PW_OK);
	cr_assert(f.flush.splits == 1 && f.flush.range_count == 1);
	expect_sizes(&f, small_of(&f));
	cr_assert((fixture_entry(&f, 2 * large + large / 2) & format->level[0].page.accessed) ==
		  format->level[0].page.accessed);
	cr_assert(pw_collapse(&f.space, large, 3 * large, 0, &merged, &f.flush) == PW_OK);
	cr_assert(merged == 0);
	expect_sizes(&f, small_of(&f));
	pw_flush_done(&f.space, &f.flush);
	cr_assert(pw_collapse(&f.space, large, 3 * large, 1, &merged, &f.flush) == PW_OK);
	cr_assert(merged == 1 && f.flush.freed_count == 1, "%s: %llu merged", format->name,
		(unsigned long long)merged);
	cr_assert(f.flush.range_count == 1 && f.flush.ranges[0].first == 2 * large &&
		  f.flush.ranges[0].last == 3 * large - 1 && f.flush.ranges[0].tables &&
		  f.flush.ranges[0].level == 0);
	expect_sizes(&f, large);
	if (!live)
		cr_assert(fixture_entry(&f, 2 * large) == before, "%s: %#llx became %#llx",
			format->name, (unsigned long long)before,
			(unsigned long long)fixture_entry(&f, 2 * large));
	free(copy);
	fixture_end(&f);
}

Test(build_resize, there_and_back_in_every_format)
{
	const struct pw_format *format;
	unsigned formats = 0;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		if (!is_fit(format))
			continue;
		there_and_back(format, true, false);
		there_and_back(format, false, false);
		if (format->family != PW_FAMILY_ARM)
			there_and_back(format, true, true);
		formats++;
	}
	cr_assert(formats > 12);
}

/* A is the AND, D the OR; the PAT bit moves; software's bits stay. */
Test(build_resize, marks_of_unequal_pages)
{
	const uint64_t a = 1 << 5, d = 1 << 6, pat = 1 << 7, software = UINT64_C(1) << 55;
	static struct fixture f;
	uint64_t merged, entry;

	fixture_begin(&f, &pw_format_x86_64, true);
	map_three(&f);
	fixture_set_entry(&f, 4 * MIB, fixture_entry(&f, 4 * MIB) | 1 << 12 | a | software);
	cr_assert(pw_split(&f.space, 4 * MIB, 2 * MIB, 0, NULL) == PW_OK);
	entry = fixture_entry(&f, 5 * MIB);
	cr_assert((entry & (a | d | pat | software)) == (a | pat | software));
	fixture_set_entry(&f, 5 * MIB, entry | d);
	cr_assert(pw_collapse(&f.space, 4 * MIB, 2 * MIB, 3, &merged, NULL) == PW_OK && merged);
	cr_assert((fixture_entry(&f, 4 * MIB) & (a | d | 0x1080 | software)) ==
		  (a | d | 0x1080 | software));
	cr_assert(pw_split(&f.space, 4 * MIB, 2 * MIB, 0, NULL) == PW_OK);
	fixture_set_entry(&f, 5 * MIB, fixture_entry(&f, 5 * MIB) & ~a);
	cr_assert(pw_collapse(&f.space, 4 * MIB, 2 * MIB, 3, &merged, NULL) == PW_OK && merged);
	cr_assert((fixture_entry(&f, 4 * MIB) & (a | d)) == d);
	fixture_end(&f);
}

/* Each bit of some entry turned over, by vector code and without: only A and D do not matter. */
Test(build_resize, one_entry_that_differs)
{
	const uint64_t marks = 1 << 5 | 1 << 6;
	static struct fixture f;

	for (unsigned i = 0; i < 3 * 64; i++) {
		pw_va va = 4 * MIB + (i * 37 % 512) * 4 * KIB;
		uint64_t bit = UINT64_C(1) << i % 64, merged, entry;

		fixture_begin(&f, &pw_format_x86_64, i / 64 < 2);
		f.tm.memory.kernels = i / 64 == 0 ? pw_kernels_best() : NULL;
		map_three(&f);
		cr_assert(pw_split(&f.space, 4 * MIB, 2 * MIB, 0, NULL) == PW_OK);
		entry = fixture_entry(&f, va);
		fixture_set_entry(&f, va, entry ^ bit);
		cr_assert(pw_collapse(&f.space, 4 * MIB, 2 * MIB, 1, &merged, NULL) == PW_OK);
		cr_assert(merged == !!(bit & marks), "bit %u of the entry for %#llx: merged %llu",
			i % 64, (unsigned long long)va, (unsigned long long)merged);
		if (!merged)
			fixture_set_entry(&f, va, entry);
		fixture_end(&f);
	}
}

/* Hardware may still mark the old entries of a live space as dirty. */
Test(build_resize, live_pages_that_may_be_written_are_dirty)
{
	static struct fixture f;

	for (unsigned write = 0; write < 2; write++) {
		fixture_begin(&f, &pw_format_ept_4, write);
		f.flush.live = true;
		map_three(&f);
		if (!write)
			cr_assert(pw_protect(&f.space, 4 * MIB, 2 * MIB, PW_R, &f.flush) == PW_OK);
		cr_assert(pw_split(&f.space, 4 * MIB, 2 * MIB, 0, &f.flush) == PW_OK);
		cr_assert(pw_collapse(&f.space, 4 * MIB, 2 * MIB, 3, NULL, &f.flush) == PW_OK);
		cr_assert(fixture_look(&f, 4 * MIB).page_size == 2 * MIB);
		cr_assert(!!(fixture_entry(&f, 4 * MIB) & 1 << 9) == write);
		fixture_end(&f);
	}
}

static void expect_no_merge(struct fixture *f)
{
	uint8_t *copy = test_memory_copy(&f->tm);
	uint64_t merged = 1;

	cr_assert(pw_collapse(&f->space, 0, 8 * MIB, 3, &merged, NULL) == PW_OK && !merged);
	cr_assert(test_memory_equals(&f->tm, copy));
	free(copy);
}

Test(build_resize, what_is_not_merged)
{
	const pw_va base = 4 * MIB, some = base + 77 * 4 * KIB;
	static struct fixture f;
	struct pw_x86_state state = {.cr0 = PW_CR0_PG | PW_CR0_PE,
		.cr4 = PW_CR4_PAE,
		.efer = PW_EFER_LME | PW_EFER_LMA | PW_EFER_NXE,
		.no_1g_pages = true};
	struct pw_space space;
	pw_pa link;
	uint64_t entry, merged;

	fixture_begin(&f, &pw_format_x86_64, true);
	map_three(&f);
	cr_assert(pw_split(&f.space, base, 2 * MIB, 0, NULL) == PW_OK);
	entry = fixture_entry(&f, some);
	fixture_set_entry(&f, some, entry + 4096);
	expect_no_merge(&f);
	fixture_set_entry(&f, some, entry & ~UINT64_C(2));
	expect_no_merge(&f);
	fixture_set_entry(&f, some, entry | 1 << 9);
	expect_no_merge(&f);
	fixture_set_entry(&f, some, entry & ~UINT64_C(1));
	expect_no_merge(&f);
	test_memory_store(&f.tm, fixture_place(&f, some, 0), 8, entry);
	/* The table entry denies what its pages grant, or carries a note. */
	link = fixture_place(&f, base, 1);
	entry = test_memory_load(&f.tm, link, 8);
	test_memory_store(&f.tm, link, 8, entry & ~UINT64_C(2));
	expect_no_merge(&f);
	test_memory_store(&f.tm, link, 8, entry | 1 << 9);
	expect_no_merge(&f);
	test_memory_store(&f.tm, link, 8, entry);
	/* Consecutive, but not aligned to the larger page; not whole in the range. */
	cr_assert(pw_map(&f.space, 512 * GIB, 4 * KIB, 2 * MIB, RW, NULL) == PW_OK);
	cr_assert(pw_collapse(&f.space, 512 * GIB, GIB, 3, &merged, NULL) == PW_OK && !merged);
	cr_assert(pw_collapse(&f.space, base, 2 * MIB - 4 * KIB, 3, &merged, NULL) == PW_OK);
	cr_assert(!merged);
	/* A CPU without 1 GiB pages. */
	cr_assert(pw_map(&f.space, 4 * GIB, 8 * GIB, GIB, RW, NULL) == PW_OK);
	cr_assert(pw_split(&f.space, 4 * GIB, GIB, 1, NULL) == PW_OK);
	state.cr3 = f.space.root;
	cr_assert(pw_space_init_x86(&space, &state, &f.tm.memory, NULL) == PW_OK);
	cr_assert(pw_collapse(&space, 4 * GIB, GIB, 3, &merged, NULL) == PW_OK && !merged);
	cr_assert(pw_collapse(&f.space, 4 * GIB, GIB, 3, &merged, NULL) == PW_OK && merged == 1);
	fixture_expect(&f, 4 * GIB, 8 * GIB, GIB, RW);
	fixture_end(&f);
}

/* Two levels down and up again, and every allocation failing once on the way down. */
Test(build_resize, by_two_levels)
{
	static struct fixture f;
	uint64_t merged;
	uint8_t *copy;

	fixture_begin(&f, &pw_format_ept_4, true);
	cr_assert(pw_map(&f.space, 0, 4 * GIB, GIB, RW, NULL) == PW_OK);
	copy = test_memory_copy(&f.tm);
	for (int64_t n = 0; n < 41; n++) {
		f.tm.fail_at = f.tm.allocations + n;
		cr_assert(pw_split(&f.space, 4 * KIB, 80 * MIB, 0, &f.flush) == PW_E_NO_TABLES);
		cr_assert(test_memory_equals(&f.tm, copy) && !f.flush.range_count);
	}
	f.tm.fail_at = -1;
	cr_assert(pw_split(&f.space, 4 * KIB, 80 * MIB, 0, &f.flush) == PW_OK);
	/* The page itself, and the 41 of 2 MiB that the range touches. */
	cr_assert(f.flush.splits == 42 && f.flush.tables_allocated == 42);
	for (pw_va va = 0; va < GIB; va += 4 * KIB)
		fixture_expect(&f, va, 4 * GIB + va, va < 82 * MIB ? 4 * KIB : 2 * MIB, RW);
	cr_assert(pw_collapse(&f.space, 0, GIB, 3, &merged, &f.flush) == PW_OK && merged == 42);
	fixture_expect(&f, 0, 4 * GIB, GIB, RW);
	free(copy);
	fixture_end(&f);
}

struct broken {
	struct fixture *f;
	unsigned calls, holes;
};

static void watch(void *ctx, struct pw_flush *flush)
{
	struct broken *broken = ctx;

	broken->calls++;
	for (size_t i = 0; i < flush->range_count; i++)
		broken->holes +=
			fixture_look(broken->f, flush->ranges[i].first).status == SLOW_NOT_PRESENT;
}

/* Arm: the page is a hole when the flush is asked for, and a table afterwards. */
Test(build_resize, break_before_make)
{
	static struct fixture f;
	struct broken broken = {&f, 0, 0};

	fixture_begin(&f, &pw_format_arm64_4k, true);
	f.flush.live = true;
	map_three(&f);
	cr_assert(pw_split(&f.space, 4 * MIB, 2 * MIB, 0, &f.flush) == PW_E_UNSUPPORTED);
	f.flush.flush_now = watch;
	f.flush.ctx = &broken;
	cr_assert(pw_split(&f.space, 4 * MIB, 2 * MIB, 0, &f.flush) == PW_OK);
	cr_assert(broken.calls == 1 && broken.holes == 1);
	expect_sizes(&f, 4 * KIB);
	cr_assert(pw_collapse(&f.space, 4 * MIB, 2 * MIB, 1, NULL, &f.flush) == PW_OK);
	cr_assert(broken.calls == 2 && broken.holes == 2);
	expect_sizes(&f, 2 * MIB);
	cr_assert(pw_unmap(&f.space, 4 * MIB, 4 * KIB, &f.flush) == PW_OK);
	cr_assert(broken.calls == 3 && broken.holes == 3);
	f.flush.live = false;
	fixture_end(&f);
}

Test(build_resize, refused)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_x86_64, true);
	map_three(&f);
	cr_assert(pw_split(&f.space, 0, 4 * KIB, 4, NULL) == PW_E_ARGUMENT);
	cr_assert(pw_split(&f.space, 0, 1, 0, NULL) == PW_E_ALIGNMENT);
	cr_assert(pw_split(&f.space, 0, 0, 0, NULL) == PW_E_RANGE);
	cr_assert(pw_collapse(&f.space, 0, 4 * KIB, 4, NULL, NULL) == PW_E_ARGUMENT);
	cr_assert(pw_collapse(&f.space, 1, 4 * KIB, 1, NULL, NULL) == PW_E_ALIGNMENT);
	cr_assert(pw_split(&f.space, 0, 8 * MIB, 1, &f.flush) == PW_OK && f.flush.splits == 0);
	fixture_end(&f);
}
