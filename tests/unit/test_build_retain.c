/* SPDX-License-Identifier: MIT */
/* Tables kept for splits: with them protecting and unmapping take nothing from the memory. */
#include "build_fixture.h"

#define RWX  (PW_R | PW_W | PW_X)
#define KEPT 8

struct scene {
	struct fixture f;
	struct pw_retained tables[KEPT];
	struct pw_retention kept;
};

static void begin(struct scene *s, const struct pw_format *format, size_t max)
{
	fixture_begin(&s->f, format, true);
	s->kept = (struct pw_retention){s->tables, max, 0};
	s->f.flush.retention = &s->kept;
}

static void end(struct scene *s)
{
	pw_retention_end(&s->f.space, &s->kept);
	cr_assert(s->kept.count == 0);
	s->f.flush.retention = NULL;
	fixture_end(&s->f);
}

/* From now on the memory gives nothing. */
static void exhaust(struct scene *s)
{
	s->f.tm.memory.allocate_table = NULL;
}

/* A range that is one smallest page, in the middle of the largest pages there can be. */
Test(build_retain, every_format)
{
	static struct scene s;
	const struct pw_format *format;

	for (size_t i = 0; (format = pw_format_at(i)); i++) {
		uint64_t page, large;
		unsigned top = 0;

		if (!format->levels)
			continue;
		for (unsigned level = 0; level < format->levels; level++)
			top = format->level[level].page.size_log2 ? level : top;
		page = pw_level_page_size(&format->level[0]);
		large = pw_level_page_size(&format->level[top]);
		begin(&s, format, KEPT);
		cr_assert(pw_retain(&s.f.space, large / 2, page, &s.f.flush) == PW_OK);
		cr_assert(s.kept.count <= 2 * top && s.f.tm.tables_out == 1 + s.kept.count);
		/* Once more changes nothing. */
		cr_assert(pw_retain(&s.f.space, large / 2, page, &s.f.flush) == PW_OK);
		cr_assert(s.f.tm.tables_out == 1 + s.kept.count);
		cr_assert(
			pw_map(&s.f.space, 0, 0, large, fixture_most(format), &s.f.flush) == PW_OK);
		exhaust(&s);
		cr_assert(pw_unmap(&s.f.space, large / 2, page, &s.f.flush) == PW_OK, "%s",
			format->name);
		fixture_expect_hole(&s.f, large / 2);
		fixture_expect(
			&s.f, large / 2 + page, large / 2 + page, page, fixture_most(format));
		cr_assert(pw_unmap(&s.f.space, 0, large / 2, &s.f.flush) == PW_OK);
		end(&s);
	}
}

Test(build_retain, all_or_nothing)
{
	static struct scene s;
	struct pw_flush none = {.range_max = 0};

	begin(&s, &pw_format_ept_4, 2);
	cr_assert(pw_retain(&s.f.space, 4 * KIB, 4 * KIB, NULL) == PW_E_ARGUMENT);
	cr_assert(pw_retain(&s.f.space, 4 * KIB, 4 * KIB, &none) == PW_E_ARGUMENT);
	cr_assert(pw_retain(&s.f.space, 1, 4 * KIB, &s.f.flush) == PW_E_ALIGNMENT);
	/* Both ends are in one page of 2 MiB, or in two of 1 GiB. */
	cr_assert(pw_retain(&s.f.space, GIB - 4 * KIB, 8 * KIB, &s.f.flush) == PW_E_BUDGET);
	cr_assert(s.kept.count == 0 && s.f.tm.tables_out == 1);
	s.f.tm.fail_at = s.f.tm.allocations + 1;
	cr_assert(pw_retain(&s.f.space, 4 * KIB, 4 * KIB, &s.f.flush) == PW_E_NO_TABLES);
	cr_assert(s.kept.count == 0 && s.f.tm.tables_out == 1);
	cr_assert(pw_retain(&s.f.space, 4 * KIB, 4 * KIB, &s.f.flush) == PW_OK);
	cr_assert(s.kept.count == 2);
	end(&s);
	/* Where larger pages begin and end nothing is divided. */
	begin(&s, &pw_format_ept_4, KEPT);
	cr_assert(pw_retain(&s.f.space, GIB, 2 * MIB, &s.f.flush) == PW_OK);
	cr_assert(s.kept.count == 1 && s.tables[0].level == 1 && s.tables[0].va == GIB);
	end(&s);
}

/* What collapse takes out serves the same page again. */
Test(build_retain, collapse_keeps_the_table)
{
	static struct scene s;
	pw_pa table;

	begin(&s, &pw_format_ept_4, 1);
	cr_assert(pw_map(&s.f.space, 0, 0, 4 * MIB, RWX, NULL) == PW_OK);
	cr_assert(pw_split(&s.f.space, 0, 4 * MIB, 0, &s.f.flush) == PW_OK);
	table = fixture_place(&s.f, 0, 0);
	cr_assert(pw_collapse(&s.f.space, 0, 4 * MIB, 1, NULL, &s.f.flush) == PW_OK);
	/* There was room for one; the other goes the usual way. */
	cr_assert(s.kept.count == 1 && s.tables[0].pa == table && s.f.flush.freed_count == 1);
	fixture_expect(&s.f, 0x1000, 0x1000, 2 * MIB, RWX);
	exhaust(&s);
	/* It is for the first page, not for the second. */
	cr_assert(pw_protect(&s.f.space, 2 * MIB, 4 * KIB, PW_R, &s.f.flush) == PW_E_NO_TABLES);
	cr_assert(pw_protect(&s.f.space, 8 * KIB, 4 * KIB, PW_R, &s.f.flush) == PW_OK);
	cr_assert(s.kept.count == 0 && fixture_place(&s.f, 0, 0) == table);
	fixture_expect(&s.f, 8 * KIB, 8 * KIB, 4 * KIB, PW_R);
	fixture_expect(&s.f, 0, 0, 4 * KIB, RWX);
	end(&s);
	/* One is kept already: the second is given back. */
	begin(&s, &pw_format_ept_4, KEPT);
	cr_assert(pw_map(&s.f.space, 0, 0, 2 * MIB, RWX, NULL) == PW_OK);
	cr_assert(pw_split(&s.f.space, 0, 2 * MIB, 0, &s.f.flush) == PW_OK);
	cr_assert(pw_retain(&s.f.space, 4 * KIB, 4 * KIB, &s.f.flush) == PW_OK);
	cr_assert(pw_collapse(&s.f.space, 0, 2 * MIB, 1, NULL, &s.f.flush) == PW_OK);
	cr_assert(s.kept.count == 2 && s.f.flush.freed_count == 1);
	/* Splitting on purpose uses it too. */
	exhaust(&s);
	cr_assert(pw_split(&s.f.space, 0, 2 * MIB, 0, &s.f.flush) == PW_OK);
	cr_assert(s.kept.count == 1);
	end(&s);
}

/* Two paths lead to a table that is kept: it is merged once. */
Test(build_retain, two_paths)
{
	static struct scene s;
	uint64_t merged;

	begin(&s, &pw_format_ept_4, KEPT);
	cr_assert(pw_map(&s.f.space, 0, 0, 4 * MIB, RWX, NULL) == PW_OK);
	cr_assert(pw_split(&s.f.space, 0, 2 * MIB, 0, &s.f.flush) == PW_OK);
	test_memory_store(&s.f.tm, fixture_place(&s.f, 2 * MIB, 1), 8,
		test_memory_load(&s.f.tm, fixture_place(&s.f, 0, 1), 8));
	cr_assert(pw_collapse(&s.f.space, 0, 4 * MIB, 1, &merged, &s.f.flush) == PW_OK);
	cr_assert(merged == 1 && s.kept.count == 1);
	fixture_expect_hole(&s.f, 2 * MIB);
	end(&s);
}
