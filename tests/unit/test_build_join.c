/* SPDX-License-Identifier: MIT */
/*
 * pw_collapse() with PW_CONTIGUOUS: pages that stay form groups, where all of a group is alike, is
 * aligned and lies in the range, and nowhere else. Beside it: undoing that, and tables full of
 * groups (test_build_join_undo.c, test_build_join_merge.c).
 */
#include "join_kinds.h"
#include <stdlib.h>

#define RV_A UINT64_C(0x40)
#define RV_D UINT64_C(0x80)

/* What flush_now finds: all of the first group in the list, and nothing of it there. */
struct seen {
	struct fixture *f;
	const struct join_kind *k;
	pw_va first;
	unsigned calls;
};

static void see(void *ctx, struct pw_flush *flush)
{
	struct seen *s = ctx;
	pw_va first = s->first + s->calls++ * s->k->group;

	cr_assert(flush->range_count == 1 && flush->ranges[0].first == first &&
		  flush->ranges[0].last == first + s->k->group - 1 &&
		  flush->ranges[0].level == s->k->level && !flush->ranges[0].tables);
	for (pw_va va = first; va < first + s->k->group; va += join_page(s->k))
		fixture_expect_hole(s->f, va);
}

/* ---- Formed ---- */

/* One page before a group, two groups, one page after them. */
static void formed(const struct join_kind *k, bool windows, bool live)
{
	uint64_t page = join_page(k), group = k->group, size = 2 * group + 2 * page;
	static struct fixture f;
	pw_va va = 3 * group - page;
	struct seen seen = {&f, k, va + page, 0};
	bool breaks = live && k->format->family == PW_FAMILY_ARM;
	uint8_t *copy;

	join_begin(&f, k, windows);
	join_map(&f, k, va, va + 4 * group, size);
	f.flush.live = live;
	f.flush.flush_now = breaks ? see : NULL;
	f.flush.ctx = &seen;
	f.tm.fail_at = f.tm.allocations; /* it needs no table */
	cr_assert(join_collapse(&f, k, va, size) == 2);
	for (pw_va at = va; at < va + size; at += page)
		join_expect(
			&f, k, at, at + 4 * group, at >= va + page && at < va + page + 2 * group);
	cr_assert(seen.calls == (breaks ? 2 : 0));
	cr_assert(f.flush.range_count == !breaks && f.flush.freed_count == 0);
	cr_assert(breaks || (f.ranges[0].first == va + page &&
				    f.ranges[0].last == va + page + 2 * group - 1 &&
				    f.ranges[0].level == k->level &&
				    f.ranges[0].highest == k->level && !f.ranges[0].tables));
	pw_flush_done(&f.space, &f.flush);
	/* They are groups already. */
	copy = test_memory_copy(&f.tm);
	cr_assert(join_collapse(&f, k, va, size) == 0);
	cr_assert(test_memory_equals(&f.tm, copy) && f.flush.range_count == 0);
	free(copy);
	f.flush.live = false;
	f.tm.fail_at = -1;
	fixture_end(&f);
}

Test(build_join, formed_in_every_format)
{
	for (size_t i = 0; i < JOIN_KINDS; i++) {
		for (unsigned how = 0; how < 4; how++)
			formed(&join_kinds[i], how & 1, how & 2);
	}
}

/* A break takes somebody who flushes. */
Test(build_join, live_arm_without_a_flush)
{
	for (size_t i = 0; i < JOIN_KINDS; i++) {
		const struct join_kind *k = &join_kinds[i];
		static struct fixture f;
		uint64_t made = 7;
		uint8_t *copy;

		if (k->format->family != PW_FAMILY_ARM)
			continue;
		join_begin(&f, k, true);
		join_map(&f, k, 0, 0, k->group);
		f.flush.live = true;
		copy = test_memory_copy(&f.tm);
		cr_assert(pw_collapse(&f.space, 0, k->group, k->level | PW_CONTIGUOUS, &made,
				  &f.flush) == PW_E_UNSUPPORTED);
		cr_assert(test_memory_equals(&f.tm, copy) && made == 7);
		free(copy);
		f.flush.live = false;
		fixture_end(&f);
	}
}

/* Groups of a level no higher than is asked for, and none where none is asked for. */
Test(build_join, up_to_a_level)
{
	const unsigned ordinary = PW_R | PW_W;
	static struct fixture f;
	uint64_t made;

	fixture_begin(&f, &pw_format_arm64_4k, true);
	cr_assert(pw_map(&f.space, 0, 2 * MIB, 64 * KIB, ordinary, NULL) == PW_OK);
	cr_assert(pw_map(&f.space, 32 * MIB, 0, 32 * MIB, ordinary, NULL) == PW_OK);
	cr_assert(pw_collapse(&f.space, 0, 64 * MIB, 3, &made, &f.flush) == PW_OK && made == 0);
	cr_assert(f.flush.range_count == 0 && !(fixture_entry(&f, 0) & JOIN_HINT));
	cr_assert(pw_collapse(&f.space, 0, 64 * MIB, PW_CONTIGUOUS, &made, &f.flush) == PW_OK &&
		  made == 1);
	cr_assert(fixture_entry(&f, 0) & JOIN_HINT && !(fixture_entry(&f, 32 * MIB) & JOIN_HINT));
	cr_assert(pw_collapse(&f.space, 0, 64 * MIB, 3 | PW_CONTIGUOUS, &made, NULL) == PW_OK &&
		  made == 1);
	cr_assert(fixture_entry(&f, 32 * MIB) & JOIN_HINT);
	cr_assert(pw_collapse(&f.space, 0, 64 * MIB, 4 | PW_CONTIGUOUS, &made, NULL) ==
		  PW_E_ARGUMENT);
	cr_assert(pw_collapse(&f.space, 0, 64 * MIB, 3 | PW_REPLACE, &made, NULL) == PW_E_ARGUMENT);
	fixture_end(&f);
}

/* Pages that were split merge again, those beside form a group of the merged ones' level. */
Test(build_join, merged_and_joined)
{
	static struct fixture f;
	uint64_t made;

	fixture_begin(&f, &pw_format_arm64_4k, true);
	cr_assert(pw_map(&f.space, 32 * MIB, 0, 36 * MIB, PW_R | PW_W, NULL) == PW_OK);
	cr_assert(pw_split(&f.space, 36 * MIB, 4 * KIB, 0, NULL) == PW_OK);
	cr_assert(pw_split(&f.space, 66 * MIB, 4 * KIB, 0, NULL) == PW_OK);
	cr_assert(pw_protect(&f.space, 66 * MIB, 4 * KIB, PW_R, NULL) == PW_OK);
	cr_assert(pw_collapse(&f.space, 0, 128 * MIB, 1 | PW_CONTIGUOUS, &made, NULL) == PW_OK);
	/* One page, one group of it and its neighbours, and 31 of those that cannot be one page. */
	cr_assert(made == 33, "%llu", (unsigned long long)made);
	fixture_expect(&f, 36 * MIB, 4 * MIB, 2 * MIB, PW_R | PW_W);
	cr_assert(fixture_entry(&f, 36 * MIB) & JOIN_HINT);
	cr_assert(!(fixture_entry(&f, 66 * MIB + 60 * KIB) & JOIN_HINT));
	cr_assert(fixture_entry(&f, 66 * MIB + 64 * KIB) & JOIN_HINT);
	cr_assert(!(fixture_entry(&f, 64 * MIB) & JOIN_HINT));
	fixture_end(&f);
}

/* ---- Not formed ---- */

static void expect_none(struct fixture *f, const struct join_kind *k, pw_va va, uint64_t size)
{
	uint8_t *copy = test_memory_copy(&f->tm);

	cr_assert(join_collapse(f, k, va, size) == 0, "%s, level %u", k->format->name, k->level);
	cr_assert(test_memory_equals(&f->tm, copy) && f->flush.range_count == 0);
	free(copy);
}

/* A group that the range divides stays as it is; those inside are formed. */
static void in_the_range(const struct join_kind *k)
{
	uint64_t page = join_page(k), group = k->group;
	static struct fixture f;

	join_begin(&f, k, true);
	join_map(&f, k, 0, 4 * group, 4 * group);
	expect_none(&f, k, page, 2 * group - 2 * page);
	cr_assert(join_collapse(&f, k, page, 3 * group - page) == 2);
	for (pw_va va = 0; va < 4 * group; va += page)
		join_expect(&f, k, va, va + 4 * group, va >= group && va < 3 * group);
	fixture_end(&f);
}

/* One of the pages is another one. */
static void one_differs(const struct join_kind *k, bool windows, unsigned which)
{
	uint64_t page = join_page(k), group = k->group, count = group / page;
	pw_va odd = group + page * (which == 0 ? 0 : which == 1 ? count - 1 : count / 2 + 1);
	pw_rights type = k->format->encode_type[PW_MEM_UC >> PW_MEM_SHIFT] == PW_CANNOT
				 ? PW_MEM_INDEX(3)
				 : PW_MEM_UC;
	static struct fixture f;

	join_begin(&f, k, windows);
	join_map(&f, k, group, 0, group);
	cr_assert(pw_unmap(&f.space, odd, page, NULL) == PW_OK);
	expect_none(&f, k, group, group);
	/* Elsewhere. */
	join_map(&f, k, odd, 4 * group, page);
	expect_none(&f, k, group, group);
	/* With other rights. */
	cr_assert(pw_map(&f.space, odd, odd - group, page, PW_R | PW_REPLACE, NULL) == PW_OK);
	expect_none(&f, k, group, group);
	/* Of another type, global, and with a note of the software's, where there is such a thing.
	 */
	cr_assert(pw_protect(&f.space, odd, page, join_rights(k), NULL) == PW_OK);
	if (pw_protect(&f.space, odd, page, join_rights(k) | type, NULL) == PW_OK)
		expect_none(&f, k, group, group);
	cr_assert(pw_map(&f.space, odd, odd - group, page, join_rights(k) | PW_REPLACE, NULL) ==
		  PW_OK);
	if (pw_protect(&f.space, odd, page, join_rights(k) | PW_GLOBAL, NULL) == PW_OK)
		expect_none(&f, k, group, group);
	cr_assert(pw_protect(&f.space, odd, page, join_rights(k), NULL) == PW_OK);
	if (pw_modify(&f.space, odd, page, PW_SOFTWARE(1), 0, NULL) == PW_OK) {
		expect_none(&f, k, group, group);
		cr_assert(pw_modify(&f.space, odd, page, 0, PW_SOFTWARE(1), NULL) == PW_OK);
	}
	cr_assert(join_collapse(&f, k, group, group) == 1);
	fixture_end(&f);
}

/* Physical addresses, or linear ones, that are no group's. */
static void misaligned(const struct join_kind *k)
{
	uint64_t page = join_page(k), group = k->group;
	static struct fixture f;

	join_begin(&f, k, true);
	join_map(&f, k, group, 4 * group + page, 2 * group);
	expect_none(&f, k, group, 2 * group);
	cr_assert(pw_unmap(&f.space, group, 2 * group, NULL) == PW_OK);
	join_map(&f, k, group + page, 4 * group, group);
	expect_none(&f, k, group, 2 * group);
	fixture_end(&f);
}

Test(build_join, not_formed)
{
	for (size_t i = 0; i < JOIN_KINDS; i++) {
		in_the_range(&join_kinds[i]);
		misaligned(&join_kinds[i]);
		for (unsigned which = 0; which < 3; which++)
			one_differs(&join_kinds[i], which & 1, which);
	}
}

/* RISC-V without Svnapot, a format that has none, a section of another domain than 0. */
Test(build_join, no_such_groups)
{
	static const struct join_kind x86 = {&pw_format_x86_64, 0, 64 * KIB, false},
				      section = {&pw_format_armv7_short, 1, 16 * MIB, true};
	static struct fixture f;

	fixture_begin(&f, &pw_format_riscv_sv39, true);
	join_map(&f, &join_kinds[0], 0, 0, 64 * KIB);
	expect_none(&f, &join_kinds[0], 0, 64 * KIB);
	fixture_end(&f);
	fixture_begin(&f, &pw_format_x86_64, true);
	join_map(&f, &x86, 0, 0, 64 * KIB);
	expect_none(&f, &x86, 0, 64 * KIB);
	fixture_end(&f);
	fixture_begin(&f, &pw_format_armv7_short, true);
	join_map(&f, &section, 0, 0, 16 * MIB);
	for (pw_va va = 0; va < 16 * MIB; va += MIB)
		fixture_set_entry(&f, va, fixture_entry(&f, va) | 1 << 5);
	expect_none(&f, &section, 0, 16 * MIB);
	fixture_end(&f);
}

Test(build_join, memory_that_cannot_be_written)
{
	for (unsigned windows = 0; windows < 2; windows++) {
		static struct fixture f;
		uint64_t made;

		join_begin(&f, &join_kinds[0], windows);
		join_map(&f, &join_kinds[0], 0, 0, 64 * KIB);
		f.tm.window.read_only = true;
		f.tm.memory.write_pte = NULL;
		cr_assert(pw_collapse(&f.space, 0, 64 * KIB, PW_CONTIGUOUS, &made, &f.flush) ==
			  PW_E_READ_ONLY);
		cr_assert(made == 0 && f.flush.range_count == 0);
		join_expect(&f, &join_kinds[0], 0x3000, 0x3000, false);
		cr_assert(test_memory_is_sound(&f.tm));
		test_memory_end(&f.tm);
	}
}

/* ---- Marks ---- */

/* The group has those of any of its pages, and no others. */
static void have_marks_of_any(const struct join_kind *k, uint64_t accessed, uint64_t dirty)
{
	uint64_t page = join_page(k), group = k->group, some = group / page / 2 * page;
	static struct fixture f;

	for (unsigned marks = 0; marks < 4; marks++) {
		uint64_t a = marks & 1 ? accessed : 0, d = marks & 2 ? dirty : 0;

		join_begin(&f, k, true);
		join_map(&f, k, 0, 0, group);
		for (pw_va va = 0; va < group; va += page)
			fixture_set_entry(&f, va, fixture_entry(&f, va) & ~(accessed | dirty));
		fixture_set_entry(&f, some, fixture_entry(&f, some) | a);
		fixture_set_entry(&f, some + page, fixture_entry(&f, some + page) | d);
		cr_assert(join_collapse(&f, k, 0, group) == 1);
		for (pw_va va = 0; va < group; va += page) {
			join_expect(&f, k, va, va, true);
			cr_assert((fixture_entry(&f, va) & (accessed | dirty)) == (a | d));
		}
		fixture_end(&f);
	}
}

Test(build_join, marks_of_any)
{
	for (size_t i = 0; i < JOIN_KINDS; i++) {
		const struct join_kind *k = &join_kinds[i];

		if (k->format->family == PW_FAMILY_RISCV)
			have_marks_of_any(k, RV_A, RV_D);
		else if (!k->span)
			have_marks_of_any(k, UINT64_C(1) << 10, 0);
	}
}

/* Where "dirty" is a right to write with a mark (DBM), all of them are dirty, or none is. */
Test(build_join, dirty_is_a_right_to_write)
{
	const uint64_t dbm = UINT64_C(1) << 51, read_only = 1 << 7;
	static const struct join_kind k = {&pw_format_arm64_4k, 0, 64 * KIB, false};
	static struct fixture f;

	join_begin(&f, &k, true);
	join_map(&f, &k, 0, 0, 64 * KIB);
	for (pw_va va = 0; va < 64 * KIB; va += 4 * KIB)
		fixture_set_entry(&f, va, fixture_entry(&f, va) | dbm | read_only);
	fixture_set_entry(&f, 0x5000, fixture_entry(&f, 0x5000) & ~read_only);
	expect_none(&f, &k, 0, 64 * KIB);
	fixture_set_entry(&f, 0x5000, fixture_entry(&f, 0x5000) | read_only);
	cr_assert(join_collapse(&f, &k, 0, 64 * KIB) == 1);
	for (pw_va va = 0; va < 64 * KIB; va += 4 * KIB)
		cr_assert((fixture_entry(&f, va) & (dbm | read_only | JOIN_HINT)) ==
			  (dbm | read_only | JOIN_HINT));
	fixture_end(&f);
}

/* Some of them have the hint, which is no group: now it is one. */
Test(build_join, half_a_group)
{
	static const struct join_kind k = {&pw_format_arm64_4k, 0, 64 * KIB, false};
	static struct fixture f;

	for (unsigned live = 0; live < 2; live++) {
		struct seen seen = {&f, &k, 0, 0};

		join_begin(&f, &k, true);
		join_map(&f, &k, 0, 0, 64 * KIB);
		for (pw_va va = 0; va < 64 * KIB; va += 8 * KIB)
			fixture_set_entry(&f, va, fixture_entry(&f, va) | JOIN_HINT);
		f.flush.live = live;
		f.flush.flush_now = see;
		f.flush.ctx = &seen;
		cr_assert(join_collapse(&f, &k, 0, 64 * KIB) == 1);
		for (pw_va va = 0; va < 64 * KIB; va += 4 * KIB)
			join_expect(&f, &k, va, va, true);
		f.flush.live = false;
		fixture_end(&f);
	}
}
