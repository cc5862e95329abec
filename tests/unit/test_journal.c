/* SPDX-License-Identifier: MIT */
/*
 * The journal case by case; test_journal_marks.c has what the hardware does meanwhile,
 * test_journal_random.c random operations in every format.
 */
#include "journal_scene.h"
#include "tiny_format.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static unsigned count(const struct scene *s, enum pw_record_kind kind)
{
	unsigned n = 0;

	for (size_t i = 0; i < s->journal.count; i++)
		n += s->records[i].kind == kind;
	return n;
}

/* ---- What the records say ---- */

static void expect_entry(const struct pw_record *r, pw_va va, uint64_t before, uint64_t before_step,
	uint64_t after, uint64_t after_step, unsigned entries)
{
	cr_assert(r->kind == PW_RECORD_ENTRY && r->va == va && r->count == entries &&
			  r->bytes == 8 && !r->page,
		"kind %u, va %#llx, %u entries", r->kind, (unsigned long long)r->va, r->count);
	cr_assert(r->before == before && r->after == after, "%#llx -> %#llx",
		(unsigned long long)r->before, (unsigned long long)r->after);
	cr_assert(entries == 1 || (r->before_step == before_step && r->after_step == after_step));
}

Test(journal, records)
{
	static struct scene s;
	const struct pw_record *r = s.records;
	const uint64_t rwx = 0x37, rx = 0x35; /* with memory type WB */
	pw_pa table, root;

	scene_begin(&s, &pw_format_ept_4, true);
	root = s.f.space.root;
	/* 1 GiB at once, from the end of one last table to the beginning of another. */
	cr_assert(pw_map(&s.f.space, GIB, 0, GIB, RWX | PW_MEM_WB, &s.f.flush) == PW_OK);
	table = s.f.format->level[3].table_address & test_memory_load(&s.f.tm, root, 8);
	cr_assert(r[0].kind == PW_RECORD_TAKEN && r[0].pa == table && r[0].bytes == 4 * KIB &&
		  r[0].level == 2 && !r[0].page);
	/* Holes around one page, then the link. */
	cr_assert(r[1].kind == PW_RECORD_FILL && r[1].pa == table && r[1].level == 2);
	r = &s.records[s.journal.count - 1];
	cr_assert(r->pa == root && r->level == 3);
	expect_entry(r, 0, 0, 0, table | 7, 0, 1);
	/* Pages into holes of a table in use, and other rights for them. */
	pw_flush_done(&s.f.space, &s.f.flush);
	cr_assert(s.journal.count == 0);
	cr_assert(pw_map(&s.f.space, 0, 2 * MIB, 2 * MIB - 4 * KIB, RWX | PW_MEM_WB, &s.f.flush) ==
		  PW_OK);
	pw_flush_done(&s.f.space, &s.f.flush);
	cr_assert(pw_protect(&s.f.space, 8 * KIB, 400 * KIB, PW_R | PW_X, &s.f.flush) == PW_OK);
	cr_assert(s.journal.count == 1);
	cr_assert(s.records[0].pa == fixture_place(&s.f, 8 * KIB, 0) && s.records[0].level == 0);
	expect_entry(s.records, 8 * KIB, (2 * MIB + 8 * KIB) | rwx, 4 * KIB,
		(2 * MIB + 8 * KIB) | rx, 4 * KIB, 100);
	/* Nothing is changed, nothing is recorded. */
	cr_assert(pw_protect(&s.f.space, 8 * KIB, 400 * KIB, PW_R | PW_X, &s.f.flush) == PW_OK);
	cr_assert(s.journal.count == 1);
	scene_end(&s);
}

/* ---- Refusals ---- */

Test(journal, arguments)
{
	static struct scene s;

	scene_begin(&s, &pw_format_x86_64, true);
	cr_assert(pw_undo(NULL, &s.f.flush, 0) == PW_E_ARGUMENT);
	cr_assert(pw_undo(&s.f.space, NULL, 0) == PW_E_ARGUMENT);
	cr_assert(pw_undo(&s.f.space, &s.f.flush, 1) == PW_E_ARGUMENT);
	cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_OK);
	s.f.flush.journal = NULL;
	cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_E_ARGUMENT);
	s.f.flush.journal = &s.journal;
	cr_assert(pw_map(&s.f.space, 0, 0, 2 * MIB, RWX, &s.f.flush) == PW_OK);
	/* Entries of another width. */
	for (size_t i = 0; i < s.journal.count; i++)
		s.records[i].bytes = s.records[i].bytes == 8 ? 4 : s.records[i].bytes;
	cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_E_ARGUMENT);
	for (size_t i = 0; i < s.journal.count; i++)
		s.records[i].bytes = s.records[i].bytes == 4 ? 8 : s.records[i].bytes;
	scene_expect_undone(&s);
	scene_end(&s);
}

/* Somebody else has changed an entry: nothing is undone, whatever comes before it. */
Test(journal, changed_since)
{
	static struct scene s;
	uint64_t entry;
	size_t records;

	scene_begin(&s, &pw_format_x86_64, true);
	cr_assert(pw_map(&s.f.space, 0, 0, 4 * MIB - 4 * KIB, RWX, &s.f.flush) == PW_OK);
	cr_assert(pw_protect(&s.f.space, 0, 8 * KIB, PW_R, &s.f.flush) == PW_OK);
	cr_assert(pw_unmap(&s.f.space, 3 * MIB, 8 * KIB, &s.f.flush) == PW_OK);
	records = s.journal.count;
	test_memory_copy_tables(&s.f.tm, s.copy);
	/* In a table that was there only since, and in a page that was split. */
	for (pw_va va = 0; va < 4 * MIB; va += 2 * MIB + 16 * KIB) {
		entry = fixture_entry(&s.f, va);
		fixture_set_entry(&s.f, va, entry ^ UINT64_C(1) << 9);
		cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_UNSTABLE, "%#llx",
			(unsigned long long)va);
		cr_assert(s.journal.count == records);
		fixture_set_entry(&s.f, va, entry);
		cr_assert(test_memory_tables_equal(&s.f.tm, s.copy));
	}
	/* Marks are no change. */
	fixture_set_entry(&s.f, 0, fixture_entry(&s.f, 0) | 0x60);
	cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_OK);
	fixture_expect_hole(&s.f, 0);
	pw_flush_done(&s.f.space, &s.f.flush);
	cr_assert(s.f.tm.tables_out == 1);
	scene_end(&s);
}

/* The journal is as large as the operation needs it, or one record smaller. */
Test(journal, exact_room)
{
	static struct scene s;
	size_t needed;

	scene_begin(&s, &pw_format_x86_64, true);
	cr_assert(pw_map(&s.f.space, 0, 0, GIB, RWX, NULL) == PW_OK);
	for (unsigned live = 0; live < 2; live++) {
		s.f.flush.live = live;
		scene_attach(&s);
		cr_assert(pw_unmap(&s.f.space, 4 * KIB, 600 * MIB, &s.f.flush) == PW_OK);
		needed = s.journal.count;
		/* Three splits: a table taken, filled and linked. */
		cr_assert(needed >= 9 && count(&s, PW_RECORD_TAKEN) == 3);
		cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_OK);
		pw_flush_done(&s.f.space, &s.f.flush);
		if (live)
			fixture_set_entry(&s.f, 0, fixture_entry(&s.f, 0) & ~UINT64_C(0x40));
		for (size_t max = 0; max < needed; max++) {
			s.journal.max = max;
			cr_assert(pw_unmap(&s.f.space, 4 * KIB, 600 * MIB, &s.f.flush) ==
				  PW_E_BUDGET);
			pw_flush_done(&s.f.space, &s.f.flush);
			if (live)
				fixture_set_entry(
					&s.f, 0, fixture_entry(&s.f, 0) & ~UINT64_C(0x40));
			cr_assert(test_memory_tables_equal(&s.f.tm, s.copy), "room for %zu", max);
		}
		s.journal.max = needed;
		cr_assert(pw_unmap(&s.f.space, 4 * KIB, 600 * MIB, &s.f.flush) == PW_OK);
		cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_OK);
		pw_flush_done(&s.f.space, &s.f.flush);
		if (live)
			fixture_set_entry(&s.f, 0, fixture_entry(&s.f, 0) & ~UINT64_C(0x40));
		cr_assert(test_memory_tables_equal(&s.f.tm, s.copy));
	}
	scene_end(&s);
}

/* ---- Pages that are given and taken ---- */

Test(journal, allocate_and_free)
{
	static struct scene s;

	for (unsigned live = 0; live < 2; live++) {
		scene_begin(&s, &pw_format_x86_64, true);
		s.f.tm.largest_page = 2 * MIB;
		s.f.flush.live = live;
		cr_assert(pw_allocate(&s.f.space, 0, 2 * MIB + 32 * KIB, RWX, &s.f.flush) == PW_OK);
		cr_assert(s.f.tm.page_bytes_out == 2 * MIB + 32 * KIB);
		cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_OK);
		/* A TLB may still know them. */
		cr_assert(s.f.tm.page_bytes_out == 2 * MIB + 32 * KIB);
		pw_flush_done(&s.f.space, &s.f.flush);
		cr_assert(s.f.tm.page_bytes_out == 0 && s.f.tm.tables_out == 1);

		cr_assert(pw_allocate(&s.f.space, 0, 2 * MIB + 32 * KIB, RWX, &s.f.flush) == PW_OK);
		pw_flush_done(&s.f.space, &s.f.flush);
		scene_attach(&s);
		/* No flush_now: they wait. What is left of the large page is small ones. */
		cr_assert(pw_free(&s.f.space, 4 * KIB, 2 * MIB + 12 * KIB, &s.f.flush) == PW_OK);
		cr_assert(s.f.tm.page_bytes_out == 2 * MIB + 32 * KIB);
		cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_OK);
		pw_flush_done(&s.f.space, &s.f.flush);
		cr_assert(s.f.tm.page_bytes_out == 2 * MIB + 32 * KIB);
		fixture_expect(&s.f, 8 * KIB, fixture_look(&s.f, 8 * KIB).pa, 2 * MIB, RWX);
		cr_assert(pw_free(&s.f.space, 0, 2 * MIB + 32 * KIB, &s.f.flush) == PW_OK);
		pw_flush_done(&s.f.space, &s.f.flush);
		cr_assert(s.f.tm.page_bytes_out == 0 && s.f.tm.page_count == 0);
		scene_end(&s);
	}
}

/* ---- Tables that two paths lead to ---- */

#define PAGE  (4 * KIB)
#define ABOVE (PAGE << 6) /* of an entry of the root */

/* Entries 0 and 1 of the root lead to the same empty table: what was made for the second goes
 * back at once, and only once. */
Test(journal, two_paths)
{
	const struct pw_format format = tiny_format(3, 3);
	static struct scene s;
	pw_pa shared;

	scene_begin(&s, &format, true);
	cr_assert(s.f.tm.memory.allocate_table(&s.f.tm, PAGE, &shared));
	for (unsigned i = 0; i < 8; i++)
		test_memory_store(&s.f.tm, shared + 8 * i, 8, 0);
	test_memory_store(&s.f.tm, s.f.space.root, 8, shared | 7);
	test_memory_store(&s.f.tm, s.f.space.root + 8, 8, shared | 7);
	scene_attach(&s);
	cr_assert(pw_map(&s.f.space, PAGE, 64 * MIB, 2 * ABOVE, PW_R | PW_W, &s.f.flush) == PW_OK);
	cr_assert(count(&s, PW_RECORD_UNUSED) > 0);
	/* Another use of what went back. */
	cr_assert(pw_map(&s.f.space, 3 * ABOVE, 64 * MIB + PAGE, ABOVE, PW_R | PW_W, &s.f.flush) ==
		  PW_OK);
	scene_expect_undone(&s);
	/* The second path finds what the first has taken out. */
	cr_assert(pw_map(&s.f.space, PAGE, 64 * MIB, 2 * ABOVE, PW_R | PW_W, NULL) == PW_OK);
	scene_attach(&s);
	cr_assert(pw_unmap(&s.f.space, 0, 2 * ABOVE, &s.f.flush) == PW_OK);
	cr_assert(count(&s, PW_RECORD_FREED) == 9);
	cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_OK);
	cr_assert(test_memory_tables_equal(&s.f.tm, s.copy));
	cr_assert(pw_unmap(&s.f.space, 0, 4 * ABOVE, &s.f.flush) == PW_OK);
	pw_flush_done(&s.f.space, &s.f.flush);
	cr_assert(s.f.tm.tables_out == 1 && test_memory_is_sound(&s.f.tm));
	free(s.copy);
	test_memory_end(&s.f.tm);
}

/* ---- Roots ---- */

static void grow(bool both_halves)
{
	static struct scene s;
	struct pw_space taller;
	pw_pa root;

	scene_begin(&s, &pw_format_x86_64, true);
	cr_assert(pw_map(&s.f.space, 0, 0, 3 * GIB, RWX, NULL) == PW_OK);
	if (both_halves)
		cr_assert(pw_map(&s.f.space, UINT64_C(0xffff800000000000), 0, 3 * MIB, RWX, NULL) ==
			  PW_OK);
	scene_attach(&s);
	s.journal.max = 2;
	cr_assert(
		pw_root_grow(&s.f.space, &pw_format_x86_64_la57, &s.f.flush, &root) == PW_E_BUDGET);
	cr_assert(s.journal.count == 0 && test_memory_tables_equal(&s.f.tm, s.copy));
	s.journal.max = RECORDS;
	cr_assert(pw_root_grow(&s.f.space, &pw_format_x86_64_la57, &s.f.flush, &root) == PW_OK);
	cr_assert(pw_space_init(&taller, &pw_format_x86_64_la57, root, &s.f.tm.memory) == PW_OK);
	/* The new table, and one that was there. */
	cr_assert(pw_map(&taller, UINT64_C(1) << 50, 0, 8 * MIB, RWX, &s.f.flush) == PW_OK);
	cr_assert(pw_protect(&taller, MIB, MIB, PW_R, &s.f.flush) == PW_OK);
	cr_assert(pw_undo(&taller, &s.f.flush, 0) == PW_OK);
	pw_flush_done(&s.f.space, &s.f.flush);
	cr_assert(test_memory_tables_equal(&s.f.tm, s.copy));
	/* And by the old space alone, where only the root is new. */
	cr_assert(pw_root_grow(&s.f.space, &pw_format_x86_64_la57, &s.f.flush, &root) == PW_OK);
	scene_expect_undone(&s);
	/* Not undone: the old root goes. */
	cr_assert(pw_root_grow(&s.f.space, &pw_format_x86_64_la57, &s.f.flush, &root) == PW_OK);
	pw_flush_done(&s.f.space, &s.f.flush);
	cr_assert(pw_space_init(&taller, &pw_format_x86_64_la57, root, &s.f.tm.memory) == PW_OK);
	s.f.space = taller;
	s.f.format = &pw_format_x86_64_la57;
	scene_end(&s);
}

Test(journal, grown_root)
{
	grow(false);
	grow(true);
}

/* ---- Tables that are kept ---- */

/* What collapse takes out must stay as it is: it is not used for a split. */
Test(journal, retention)
{
	static struct scene s;
	struct pw_retained tables[4];
	struct pw_retention kept = {tables, 4, 0};

	scene_begin(&s, &pw_format_ept_4, true);
	s.f.flush.retention = &kept;
	cr_assert(pw_map(&s.f.space, 0, 0, 2 * MIB, RWX, NULL) == PW_OK);
	cr_assert(pw_split(&s.f.space, 0, 2 * MIB, 0, NULL) == PW_OK);
	scene_attach(&s);
	cr_assert(pw_collapse(&s.f.space, 0, 2 * MIB, 1, NULL, &s.f.flush) == PW_OK);
	cr_assert(kept.count == 0 && count(&s, PW_RECORD_FREED) == 1);
	cr_assert(pw_protect(&s.f.space, 8 * KIB, 4 * KIB, PW_R, &s.f.flush) == PW_OK);
	scene_expect_undone(&s);
	/* One that was kept before serves, and goes to the memory. */
	cr_assert(pw_collapse(&s.f.space, 0, 2 * MIB, 1, NULL, &s.f.flush) == PW_OK);
	cr_assert(pw_retain(&s.f.space, 8 * KIB, 4 * KIB, &s.f.flush) == PW_OK);
	pw_flush_done(&s.f.space, &s.f.flush);
	cr_assert(kept.count > 0);
	cr_assert(pw_protect(&s.f.space, 8 * KIB, 4 * KIB, PW_R, &s.f.flush) == PW_OK);
	cr_assert(pw_undo(&s.f.space, &s.f.flush, 0) == PW_OK);
	fixture_expect(&s.f, 8 * KIB, 8 * KIB, 2 * MIB, RWX);
	pw_flush_done(&s.f.space, &s.f.flush);
	pw_retention_end(&s.f.space, &kept);
	scene_end(&s);
}
