/* SPDX-License-Identifier: MIT */
/* The journal while the hardware marks pages, and on tables that CPUs walk. */
#include "journal_scene.h"
#include <criterion/criterion.h>

/* The hardware marks an entry between our look and our store. */
Test(journal, marked_meanwhile)
{
	static struct scene s;

	scene_begin(&s, &pw_format_x86_64, false);
	cr_assert(pw_map(&s.f.space, 0, 0, 8 * KIB, RWX, NULL) == PW_OK);
	scene_attach(&s);
	s.f.flush.live = true;
	s.f.tm.meddle = 0x60;
	cr_assert(pw_protect(&s.f.space, 0, 4 * KIB, PW_R, &s.f.flush) == PW_OK);
	cr_assert(s.journal.count == 1 && s.records[0].before & 0x40 && s.records[0].after & 0x40);
	s.f.tm.meddle = 0;
	cr_assert(pw_harvest(&s.f.space, 0, 4 * KIB,
			  &(struct pw_marks){.clear = PW_MARK_DIRTY | PW_MARK_ACCESSED},
			  &s.f.flush) == PW_OK);
	cr_assert(!(fixture_entry(&s.f, 0) & 0x60));
	s.f.tm.meddle = 0x20;
	cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_OK);
	s.f.tm.meddle = 0;
	fixture_expect(&s.f, 0, 0, 4 * KIB, RWX);
	cr_assert((fixture_entry(&s.f, 0) & 0x60) == 0x60);
	pw_flush_done(&s.f.space, &s.f.flush);
	scene_end(&s);
}

/* A page marked after it was merged: all of its parts may be what was written to. */
Test(journal, marked_when_merged)
{
	static struct scene s;

	for (unsigned live = 0; live < 2; live++) {
		scene_begin(&s, &pw_format_x86_64, true);
		cr_assert(pw_map(&s.f.space, 0, 2 * MIB, 2 * MIB, RWX, NULL) == PW_OK);
		cr_assert(pw_split(&s.f.space, 0, 2 * MIB, 0, NULL) == PW_OK);
		cr_assert(pw_protect(&s.f.space, 4 * KIB, 4 * KIB, RWX, NULL) == PW_OK);
		fixture_set_entry(&s.f, 8 * KIB, fixture_entry(&s.f, 8 * KIB) | 0x60);
		scene_attach(&s);
		cr_assert(pw_collapse(&s.f.space, 0, 2 * MIB, 1, NULL, &s.f.flush) == PW_OK);
		/* Dirty, as one of them was, and not accessed. */
		cr_assert((fixture_entry(&s.f, 0) & 0xe0) == 0xc0);
		s.f.flush.live = live;
		fixture_set_entry(&s.f, 0, fixture_entry(&s.f, 0) | 0x20);
		cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_OK);
		for (pw_va va = 0; va < 2 * MIB; va += 4 * KIB) {
			uint64_t marks = va == 8 * KIB || live ? 0x60 : 0x20;

			fixture_expect(&s.f, va, 2 * MIB + va, 4 * KIB, RWX);
			cr_assert((fixture_entry(&s.f, va) & 0x60) == marks, "%#llx",
				(unsigned long long)va);
		}
		pw_flush_done(&s.f.space, &s.f.flush);
		s.f.flush.live = false;
		scene_end(&s);
	}
}

/* Break before make, backwards too. */
Test(journal, live_arm)
{
	static struct scene s;

	scene_begin(&s, &pw_format_arm64_4k, true);
	cr_assert(pw_map(&s.f.space, 0, 0, 4 * MIB, RWX, NULL) == PW_OK);
	scene_attach(&s);
	s.f.flush.live = true;
	s.f.flush.flush_now = scene_count_flush;
	s.f.flush.ctx = &s;
	cr_assert(pw_split(&s.f.space, 0, 2 * MIB, 0, &s.f.flush) == PW_OK);
	cr_assert(s.flushes == 1 && s.holes == 1);
	s.f.flush.flush_now = NULL;
	cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_E_UNSUPPORTED);
	s.f.flush.flush_now = scene_count_flush;
	scene_expect_undone(&s);
	cr_assert(s.flushes == 2 && s.holes == 2);
	fixture_expect(&s.f, 8 * KIB, 8 * KIB, 2 * MIB, RWX);
	/* Another page in its place, and back. */
	cr_assert(pw_map(&s.f.space, 2 * MIB, 8 * MIB, 2 * MIB, RWX | PW_REPLACE, &s.f.flush) ==
		  PW_OK);
	s.watched = 2 * MIB;
	s.flushes = s.holes = 0;
	scene_expect_undone(&s);
	cr_assert(s.flushes == 1 && s.holes == 1);
	/* Another memory type, and back. */
	s.flushes = s.holes = 0;
	cr_assert(pw_protect(&s.f.space, 2 * MIB, 2 * MIB, RWX | PW_MEM_INDEX(3), &s.f.flush) ==
		  PW_OK);
	cr_assert(s.flushes == 1 && s.holes == 1 && s.journal.count == 2);
	scene_expect_undone(&s);
	cr_assert(s.flushes == 2 && s.holes == 2);
	/* With room for the hole only, it is as if nothing had been asked for. */
	s.journal.max = 1;
	cr_assert(pw_protect(&s.f.space, 2 * MIB, 2 * MIB, RWX | PW_MEM_INDEX(3), &s.f.flush) ==
		  PW_E_BUDGET);
	pw_flush_done(&s.f.space, &s.f.flush);
	cr_assert(test_memory_tables_equal(&s.f.tm, s.copy));
	s.f.flush.flush_now = NULL;
	s.f.flush.live = false;
	scene_end(&s);
}

/* Where the hardware says "dirty" by the right to write, in groups too, which it marks in one. */
Test(journal, live_arm_dirty)
{
	const uint64_t dbm = UINT64_C(1) << 51, read_only = 1 << 7, accessed = 1 << 10;
	static struct scene s;
	uint64_t entry;

	scene_begin(&s, &pw_format_arm64_4k, true);
	cr_assert(pw_map(&s.f.space, 0, 0, 64 * KIB, PW_R | PW_W | PW_CONTIGUOUS, NULL) == PW_OK);
	for (pw_va va = 0; va < 64 * KIB; va += 4 * KIB)
		fixture_set_entry(
			&s.f, va, (fixture_entry(&s.f, va) | dbm | read_only) & ~accessed);
	scene_attach(&s);
	s.f.flush.live = true;
	s.f.flush.flush_now = scene_count_flush;
	s.f.flush.ctx = &s;
	/* Divides the group. */
	cr_assert(pw_modify(&s.f.space, 0, 4 * KIB, PW_SOFTWARE(1), 0, &s.f.flush) == PW_OK);
	cr_assert(pw_unmap(&s.f.space, 32 * KIB, 4 * KIB, &s.f.flush) == PW_OK);
	cr_assert(s.journal.count > 0);
	entry = fixture_entry(&s.f, 8 * KIB);
	cr_assert(entry & dbm && entry & read_only);
	fixture_set_entry(&s.f, 8 * KIB, (entry & ~read_only) | accessed);
	cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_OK);
	/* As before, and marked where it was marked. */
	entry = fixture_entry(&s.f, 8 * KIB);
	cr_assert(!(entry & read_only) && entry & accessed && entry & dbm, "%#llx",
		(unsigned long long)entry);
	fixture_set_entry(&s.f, 8 * KIB, (entry | read_only) & ~accessed);
	pw_flush_done(&s.f.space, &s.f.flush);
	cr_assert(test_memory_tables_equal(&s.f.tm, s.copy));
	s.f.flush.flush_now = NULL;
	s.f.flush.live = false;
	scene_end(&s);
}

/* Merged clean and written to since, which the hardware says by the right to write. */
Test(journal, dirty_when_merged)
{
	const uint64_t dbm = UINT64_C(1) << 51, read_only = 1 << 7;
	static struct scene s;

	scene_begin(&s, &pw_format_arm64_4k, true);
	cr_assert(pw_map(&s.f.space, 0, 2 * MIB, 2 * MIB, PW_R | PW_W, NULL) == PW_OK);
	cr_assert(pw_split(&s.f.space, 0, 2 * MIB, 0, NULL) == PW_OK);
	for (pw_va va = 0; va < 2 * MIB; va += 4 * KIB)
		fixture_set_entry(&s.f, va, fixture_entry(&s.f, va) | dbm | read_only);
	scene_attach(&s);
	cr_assert(pw_collapse(&s.f.space, 0, 2 * MIB, 1, NULL, &s.f.flush) == PW_OK);
	fixture_expect(&s.f, 0, 2 * MIB, 2 * MIB, PW_R);
	cr_assert(fixture_entry(&s.f, 0) & read_only && fixture_entry(&s.f, 0) & dbm);
	fixture_set_entry(&s.f, 0, fixture_entry(&s.f, 0) & ~read_only);
	cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_OK);
	for (pw_va va = 0; va < 2 * MIB; va += 4 * KIB) {
		fixture_expect(&s.f, va, 2 * MIB + va, 4 * KIB, PW_R | PW_W);
		cr_assert(!(fixture_entry(&s.f, va) & read_only), "%#llx", (unsigned long long)va);
	}
	pw_flush_done(&s.f.space, &s.f.flush);
	scene_end(&s);
}
