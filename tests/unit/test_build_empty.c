/* SPDX-License-Identifier: MIT */
/* What stands in entries that hold nothing: the value that was asked for, in every table. */
#include "build_fixture.h"
#include "random.h"
#include <stdio.h>
#include <stdlib.h>

#define PAGE (4 * KIB)
#define RW   (PW_R | PW_W)

/* Whether these bits make an entry present, by the manuals. */
static uint64_t presence(const struct pw_format *format)
{
	switch (format->family) {
	case PW_FAMILY_EPT:
		return 7;
	case PW_FAMILY_ARM:
		return 3;
	default:
		return 1;
	}
}

/* A hole with every other bit set. */
static uint64_t loud_hole(const struct pw_format *format)
{
	return (format->entry_bytes == 4 ? UINT32_MAX : UINT64_MAX) & ~presence(format);
}

/* ---- Every entry of every table ---- */

static uint64_t check_table(const struct fixture *f, pw_pa table, unsigned level, const char *after)
{
	uint64_t tables = 1, entries = pw_level_entries(&f->format->level[level]);
	unsigned bytes = f->format->entry_bytes;

	for (uint64_t i = 0; i < entries; i++) {
		uint64_t entry = test_memory_load(&f->tm, table + i * bytes, bytes);

		if (!(entry & presence(f->format)))
			cr_assert(entry == f->space.empty, "%s after %s: %#llx at level %u",
				f->format->name, after, (unsigned long long)entry, level);
		else if (pw_entry_is_table(f->format, level, entry))
			tables += check_table(
				f, pw_entry_address(f->format, level, entry), level - 1, after);
	}
	return tables;
}

static void check(const struct fixture *f, const char *after)
{
	uint64_t tables = check_table(f, f->space.root, f->format->levels - 1u, after);
	unsigned bytes = f->format->entry_bytes;

	cr_assert(tables + f->flush.freed_count == f->tm.tables_out, "%s after %s", f->format->name,
		after);
	/* What waits for its flush can still be walked. */
	for (size_t n = 0; n < f->flush.freed_count && f->format->family == PW_FAMILY_EPT; n++) {
		const struct pw_freed_table *freed = &f->flush.freed[n];

		for (pw_pa pa = freed->pa; pa < freed->pa + freed->bytes; pa += bytes) {
			uint64_t entry = test_memory_load(&f->tm, pa, bytes);

			cr_assert(entry & 7 || entry & PW_EPT_SUPPRESS_VE,
				"a freed table would convert a violation");
		}
	}
}

/* ---- Random operations ---- */

static void one(struct fixture *f, struct random *random, uint64_t large)
{
	static const char *const names[] = {
		"map", "map", "unmap", "protect", "split", "collapse", "allocate"};
	uint64_t page = pw_level_page_size(&f->format->level[0]);
	uint64_t from = random_below(random, 3 * large),
		 count = 1 + random_below(random, 2 * large);
	unsigned which = (unsigned)random_below(random, 7);
	pw_va va = from * page, size = count * page;
	pw_rights rights = f->format->encode[RW] != PW_CANNOT ? RW : RW | PW_X;

	f->tm.fail_at = random_once_in(random, 5)
				? f->tm.allocations + (int64_t)random_below(random, 3)
				: -1;
	if (which < 2)
		(void)!pw_map(&f->space, va, which ? va : va + page, size, rights, &f->flush);
	else if (which == 2)
		(void)!pw_unmap(&f->space, va, size, &f->flush);
	else if (which == 3)
		(void)!pw_protect(&f->space, va, size, rights ^ PW_W, &f->flush);
	else if (which == 4)
		(void)!pw_split(&f->space, va, 20 * page, 0, &f->flush);
	else if (which == 5)
		(void)!pw_collapse(&f->space, va, size, 1, NULL, &f->flush);
	else if (!f->flush.live &&
		 pw_allocate(&f->space, va, 20 * page, rights, &f->flush) == PW_OK)
		cr_assert(pw_free(&f->space, va, 20 * page, &f->flush) == PW_OK);
	f->tm.fail_at = -1;
	check(f, names[which]);
	if (random_once_in(random, 3))
		pw_flush_done(&f->space, &f->flush);
}

static void play(const struct pw_format *format, bool windows, bool live, uint64_t seed)
{
	static struct fixture f;
	struct random random = random_from(seed);
	uint64_t large = UINT64_C(1) << format->level[0].index_bits;

	fixture_begin(&f, format, windows);
	fixture_set_empty(&f, loud_hole(format));
	f.tm.memory.kernels = live ? NULL : pw_kernels_best();
	f.flush.live = live;
	check(&f, "the beginning");
	for (unsigned n = 0; n < 30; n++)
		one(&f, &random, large > 2048 ? 2048 : large);
	f.flush.live = false;
	cr_assert(f.flush.tables_allocated > 0, "%s: not much of a test", format->name);
	fixture_end(&f);
}

Test(build_empty, stands_in_every_hole)
{
	uint64_t seed = random_seed(20270141);
	const struct pw_format *format;

	printf("seed %llu\n", (unsigned long long)seed);
	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		if (!format->levels)
			continue;
		play(format, true, false, seed + i);
		play(format, false, false, seed + i + 50);
		if (format->family != PW_FAMILY_ARM)
			play(format, true, true, seed + i + 100);
	}
}

/* ---- What is taken for one ---- */

Test(build_empty, must_be_a_hole)
{
	static struct fixture f;
	const struct pw_format *format;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		uint64_t empty = loud_hole(format);
		pw_pa root = 1;

		if (!format->levels)
			continue;
		fixture_begin(&f, format, true);
		cr_assert(pw_space_set_empty(&f.space, empty) == PW_OK && f.space.empty == empty);
		cr_assert(pw_space_set_empty(&f.space, empty | 3) == PW_E_ARGUMENT);
		cr_assert(pw_root_create_with(format, &f.tm.memory, 3, &root) == PW_E_ARGUMENT);
		if (format->entry_bytes == 4)
			cr_assert(pw_space_set_empty(&f.space, UINT64_C(1) << 32) == PW_E_ARGUMENT);
		cr_assert(f.space.empty == empty && root == 1 && f.tm.tables_out == 1);
		test_memory_end(&f.tm);
	}
	cr_assert(pw_space_set_empty(NULL, 0) == PW_E_ARGUMENT);
	/* With mode-based execute control an entry that only has bit 10 is present. */
	fixture_begin(&f, &pw_format_ept_4_mbec, true);
	cr_assert(pw_space_set_empty(&f.space, 1 << 10) == PW_E_ARGUMENT);
	cr_assert(pw_space_set_empty(&f.space, 1 << 11) == PW_OK);
	test_memory_end(&f.tm);
}

/* Holes of another value stay, as somebody's notes, and are mapped over like any hole. */
Test(build_empty, other_holes_are_holes)
{
	static struct fixture f;
	pw_pa place;

	fixture_begin(&f, &pw_format_ept_4, true);
	fixture_set_empty(&f, PW_EPT_SUPPRESS_VE);
	cr_assert(pw_map(&f.space, 0, 0, 4 * PAGE, RW, NULL) == PW_OK);
	place = fixture_place(&f, 0, 0) + 8 * 9;
	test_memory_store(&f.tm, place, 8, 0x5500);
	cr_assert(pw_unmap(&f.space, 0, 4 * PAGE, NULL) == PW_OK);
	cr_assert(f.tm.tables_out == 4 && test_memory_load(&f.tm, place, 8) == 0x5500);
	cr_assert(pw_map(&f.space, 9 * PAGE, 0, PAGE, RW, NULL) == PW_OK);
	fixture_expect(&f, 9 * PAGE, 0, PAGE, RW);
	cr_assert(pw_unmap(&f.space, 9 * PAGE, PAGE, NULL) == PW_OK);
	cr_assert(f.tm.tables_out == 1);
	fixture_end(&f);
}
