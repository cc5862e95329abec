/* SPDX-License-Identifier: MIT */
/*
 * Groups of entries that one TLB entry may hold: Arm's Contiguous bit, large pages and
 * supersections, RISC-V's NAPOT pages. They are made where they fit, and loosened before a part of
 * one changes.
 */
#include <stdlib.h>

#include "build_fixture.h"

#define RW    (PW_R | PW_W)
#define GROUP (PW_R | PW_W | PW_CONTIGUOUS)
#define HINT  (UINT64_C(1) << 52)
#define NAPOT (UINT64_C(1) << 63)
#define RV_A  UINT64_C(0x40)
#define RV_D  UINT64_C(0x80)

static const struct pw_rules napot = {.riscv_napot = true};

static uint64_t entry_at(const struct fixture *f, pw_va va, unsigned level)
{
	return test_memory_load(&f->tm, fixture_place(f, va, level), f->format->entry_bytes);
}

static void set_entry(struct fixture *f, pw_va va, unsigned level, uint64_t entry)
{
	test_memory_store(&f->tm, fixture_place(f, va, level), f->format->entry_bytes, entry);
}

/* ---- Made ---- */

/* One page before a group, two groups, one page after them. */
static void made(const struct pw_format *format, unsigned level, uint64_t group, bool span)
{
	uint64_t page = pw_level_page_size(&format->level[level]), size = span ? group : page;
	static struct fixture f;
	pw_va va = 3 * group - page;
	pw_rights rights = format == &pw_format_riscv_sv39x4 ? GROUP | PW_X : GROUP;

	fixture_begin_rules(&f, format, true, &napot);
	cr_assert(
		pw_map(&f.space, va, va + 4 * group, 2 * group + 2 * page, rights, NULL) == PW_OK);
	for (pw_va at = va; at < va + 2 * group + 2 * page; at += page) {
		bool in = at >= va + page && at < va + page + 2 * group;

		fixture_expect(&f, at, at + 4 * group, in ? size : page, rights);
		if (!span)
			cr_assert(!!(fixture_entry(&f, at) & HINT) == in);
	}
	cr_assert(pw_unmap(&f.space, va, 2 * group + 2 * page, NULL) == PW_OK);
	/* The addresses do not agree: no groups. */
	cr_assert(pw_map(&f.space, va, va + 4 * group + page, 2 * group, rights, NULL) == PW_OK);
	for (pw_va at = va; at < va + 2 * group; at += page) {
		fixture_expect(&f, at, at + 4 * group + page, page, rights);
		cr_assert(span || !(fixture_entry(&f, at) & HINT));
	}
	fixture_end(&f);
}

Test(build_group, made_where_they_fit)
{
	made(&pw_format_riscv_sv39, 0, 64 * KIB, true);
	made(&pw_format_riscv_sv57, 0, 64 * KIB, true);
	made(&pw_format_riscv_sv39x4, 0, 64 * KIB, true);
	made(&pw_format_armv7_short, 0, 64 * KIB, true);
	made(&pw_format_armv7_short, 1, 16 * MIB, true);
	made(&pw_format_armv7_lpae, 0, 64 * KIB, false);
	made(&pw_format_armv7_lpae, 1, 32 * MIB, false);
	made(&pw_format_arm64_4k, 0, 64 * KIB, false);
	made(&pw_format_arm64_4k, 1, 32 * MIB, false);
	made(&pw_format_arm64_4k, 2, 16 * GIB, false);
	made(&pw_format_arm64_16k, 0, 2 * MIB, false);
	made(&pw_format_arm64_16k, 1, GIB, false);
	made(&pw_format_arm64_64k, 0, 2 * MIB, false);
	made(&pw_format_arm64_64k, 1, 16 * GIB, false);
	made(&pw_format_arm64_s2_4k, 1, 32 * MIB, false);
}

Test(build_group, not_without_the_extension_or_the_wish)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_riscv_sv39, true);
	cr_assert(pw_map(&f.space, 0, 0, 64 * KIB, GROUP, NULL) == PW_OK);
	fixture_expect(&f, 0x5000, 0x5000, 4 * KIB, RW);
	fixture_end(&f);
	fixture_begin_rules(&f, &pw_format_riscv_sv39, true, &napot);
	cr_assert(pw_map(&f.space, 0, 0, 64 * KIB, RW, NULL) == PW_OK);
	fixture_expect(&f, 0x5000, 0x5000, 4 * KIB, RW);
	fixture_end(&f);
	/* A format that knows none. */
	fixture_begin(&f, &pw_format_x86_64, true);
	cr_assert(pw_map(&f.space, 0, 0, 64 * KIB, GROUP, NULL) == PW_OK);
	fixture_expect(&f, 0x5000, 0x5000, 4 * KIB, RW);
	fixture_end(&f);
}

/* A table of large pages that already serves a part: what is left is too little for a group. */
Test(build_group, between_what_is_there)
{
	static struct fixture f;

	fixture_begin(&f, &pw_format_arm64_4k, true);
	cr_assert(pw_map(&f.space, 40 * MIB, 0, 4 * KIB, RW, NULL) == PW_OK);
	cr_assert(pw_unmap(&f.space, 40 * MIB, 4 * KIB, NULL) == PW_OK);
	cr_assert(pw_map(&f.space, 96 * MIB, 0, 4 * KIB, RW, NULL) == PW_OK);
	cr_assert(pw_map(&f.space, 32 * MIB, 32 * MIB, 64 * MIB, GROUP, NULL) == PW_OK);
	cr_assert(entry_at(&f, 32 * MIB, 1) & HINT && entry_at(&f, 94 * MIB, 1) & HINT);
	fixture_end(&f);
}

/* ---- Loosened ---- */

/* The middle of a group changes: all of it loses the hint, and has the marks of any. */
Test(build_group, a_part_is_protected)
{
	static struct fixture f;

	fixture_begin_rules(&f, &pw_format_riscv_sv39, true, &napot);
	cr_assert(pw_map(&f.space, 0, 0, 128 * KIB, GROUP, NULL) == PW_OK);
	for (pw_va va = 0; va < 64 * KIB; va += 4 * KIB)
		set_entry(&f, va, 0, entry_at(&f, va, 0) & ~(RV_A | RV_D));
	set_entry(&f, 0x7000, 0, entry_at(&f, 0x7000, 0) | RV_D | RV_A);
	cr_assert(pw_protect(&f.space, 0x4000, 0x2000, PW_R, &f.flush) == PW_OK);
	for (pw_va va = 0; va < 64 * KIB; va += 4 * KIB) {
		bool in = va >= 0x4000 && va < 0x6000;

		fixture_expect(&f, va, va, 4 * KIB, in ? PW_R : RW);
		cr_assert(entry_at(&f, va, 0) & RV_D && entry_at(&f, va, 0) & RV_A);
	}
	fixture_expect(&f, 64 * KIB, 64 * KIB, 64 * KIB, RW);
	/* A whole one stays one. */
	cr_assert(pw_protect(&f.space, 64 * KIB, 64 * KIB, PW_R, &f.flush) == PW_OK);
	fixture_expect(&f, 68 * KIB, 68 * KIB, 64 * KIB, PW_R);
	fixture_end(&f);
}

/* What the hardware may still write through an entry that is gone would not be marked. */
Test(build_group, live_pages_count_as_written)
{
	static struct fixture f;

	fixture_begin_rules(&f, &pw_format_riscv_sv39, true, &napot);
	f.flush.live = true;
	cr_assert(pw_map(&f.space, 0, 0, 64 * KIB, GROUP, &f.flush) == PW_OK);
	for (pw_va va = 0; va < 64 * KIB; va += 4 * KIB)
		set_entry(&f, va, 0, entry_at(&f, va, 0) & ~RV_D);
	cr_assert(pw_unmap(&f.space, 0x4000, 0x1000, &f.flush) == PW_OK);
	cr_assert(entry_at(&f, 0, 0) & RV_D && entry_at(&f, 0xf000, 0) & RV_D);
	fixture_expect_hole(&f, 0x4000);
	fixture_expect(&f, 0x5000, 0x5000, 4 * KIB, RW);
	fixture_end(&f);
}

struct break_seen {
	struct fixture *f;
	pw_va first, last;
	unsigned level, calls;
};

/* When it is flushed nothing of the group is there, and all of it is in the list. */
static void see_break(void *ctx, struct pw_flush *flush)
{
	struct break_seen *s = ctx;
	uint64_t page = pw_level_page_size(&s->f->format->level[s->level]);

	if (s->calls++)
		return;
	for (pw_va va = s->first; va < s->last; va += page)
		cr_assert(
			!pw_entry_is_present(s->f->format, s->level, entry_at(s->f, va, s->level)));
	cr_assert(flush->range_count == 1 && flush->ranges[0].first == s->first &&
		  flush->ranges[0].last == s->last);
}

static void break_before_make(const struct pw_format *format, unsigned level, uint64_t group)
{
	static struct fixture f;
	uint64_t page = pw_level_page_size(&format->level[level]);
	struct break_seen seen = {&f, group, 2 * group - 1, level, 0};
	uint8_t *copy;

	fixture_begin(&f, format, true);
	cr_assert(pw_map(&f.space, group, 0, group, GROUP, NULL) == PW_OK);
	f.flush.live = true;
	copy = test_memory_copy(&f.tm);
	cr_assert(pw_protect(&f.space, group, page, PW_R, &f.flush) == PW_E_UNSUPPORTED);
	cr_assert(pw_unmap(&f.space, group, page, &f.flush) == PW_E_UNSUPPORTED);
	cr_assert(test_memory_equals(&f.tm, copy));
	free(copy);
	f.flush.flush_now = see_break;
	f.flush.ctx = &seen;
	cr_assert(pw_protect(&f.space, group, page, PW_R, &f.flush) == PW_OK);
	cr_assert(seen.calls == 1);
	fixture_expect(&f, group, 0, page, PW_R);
	for (uint64_t at = page; at < group; at += page) {
		fixture_expect(&f, group + at, at, page, RW);
		cr_assert(format->entry_bytes == 4 || !(entry_at(&f, group + at, level) & HINT));
	}
	f.flush.live = false;
	fixture_end(&f);
}

Test(build_group, break_before_make)
{
	break_before_make(&pw_format_arm64_4k, 0, 64 * KIB);
	break_before_make(&pw_format_arm64_4k, 1, 32 * MIB);
	break_before_make(&pw_format_arm64_16k, 0, 2 * MIB);
	break_before_make(&pw_format_arm64_s2_64k, 0, 2 * MIB);
	break_before_make(&pw_format_armv7_short, 0, 64 * KIB);
}

/* A writable-clean group (DBM) that the hardware has marked in one entry: none may be lost. */
Test(build_group, dirty_is_a_right_to_write)
{
	const uint64_t dbm = UINT64_C(1) << 51, read_only = 1 << 7;
	static struct fixture f;

	fixture_begin(&f, &pw_format_arm64_4k, true);
	cr_assert(pw_map(&f.space, 0, 0, 128 * KIB, GROUP, NULL) == PW_OK);
	for (pw_va va = 0; va < 128 * KIB; va += 4 * KIB)
		set_entry(&f, va, 0, entry_at(&f, va, 0) | dbm | read_only);
	/* The second group holds one that the hardware may not mark. */
	set_entry(&f, 72 * KIB, 0, entry_at(&f, 72 * KIB, 0) & ~dbm);
	set_entry(&f, 0x3000, 0, entry_at(&f, 0x3000, 0) & ~read_only);
	set_entry(&f, 120 * KIB, 0, entry_at(&f, 120 * KIB, 0) & ~read_only);
	cr_assert(pw_unmap(&f.space, 0x8000, 0x1000, NULL) == PW_OK);
	cr_assert(pw_unmap(&f.space, 100 * KIB, 0x1000, NULL) == PW_OK);
	for (pw_va va = 0; va < 0x8000; va += 4 * KIB)
		cr_assert(!(entry_at(&f, va, 0) & read_only) && !(entry_at(&f, va, 0) & HINT));
	cr_assert(entry_at(&f, 72 * KIB, 0) & read_only);
	cr_assert(!(entry_at(&f, 64 * KIB, 0) & read_only));
	fixture_end(&f);
}

Test(build_group, split_and_collapse)
{
	static struct fixture f;
	uint64_t merged;

	fixture_begin(&f, &pw_format_arm64_4k, true);
	cr_assert(pw_map(&f.space, 0, 0, 64 * MIB, GROUP, NULL) == PW_OK);
	cr_assert(pw_split(&f.space, 0, 2 * MIB, 0, &f.flush) == PW_OK);
	for (pw_va va = 2 * MIB; va < 64 * MIB; va += 2 * MIB) {
		fixture_expect(&f, va, va, 2 * MIB, RW);
		cr_assert(!!(entry_at(&f, va, 1) & HINT) == (va >= 32 * MIB));
	}
	fixture_expect(&f, 0x1000, 0x1000, 4 * KIB, RW);
	cr_assert(!(entry_at(&f, 0x1000, 0) & HINT));
	/* Pages with the hint make a larger one without. */
	cr_assert(pw_unmap(&f.space, 0, 2 * MIB, &f.flush) == PW_OK);
	cr_assert(pw_map(&f.space, 0, 2 * MIB, 4 * KIB, RW, &f.flush) == PW_OK);
	cr_assert(pw_unmap(&f.space, 0, 4 * KIB, &f.flush) == PW_OK);
	cr_assert(pw_map(&f.space, 0, 0, MIB, GROUP, &f.flush) == PW_OK);
	cr_assert(pw_map(&f.space, MIB, MIB, MIB, RW, &f.flush) == PW_OK);
	cr_assert(entry_at(&f, 0, 0) & HINT);
	cr_assert(pw_collapse(&f.space, 0, 2 * MIB, 1, &merged, &f.flush) == PW_OK && merged == 1);
	fixture_expect(&f, 0x1000, 0x1000, 2 * MIB, RW);
	cr_assert(!(entry_at(&f, 0, 1) & HINT));
	fixture_end(&f);
}

/* ---- Harvested ---- */

/* A mark that stands beside the range is the mark of what is inside. */
static void harvested(const struct pw_format *format, unsigned level, uint64_t group,
	uint64_t clean_keep, uint64_t clean_set)
{
	static struct fixture f;
	uint64_t page = pw_level_page_size(&format->level[level]);
	struct pw_marks marks = {.clear = PW_MARK_DIRTY};

	fixture_begin_rules(&f, format, true, &napot);
	cr_assert(pw_map(&f.space, group, 0, 2 * group, GROUP, NULL) == PW_OK);
	for (pw_va va = group; va < 3 * group; va += page)
		set_entry(&f, va, level, (entry_at(&f, va, level) & clean_keep) | clean_set);
	cr_assert(pw_harvest(&f.space, group + page, group, &marks, &f.flush) == PW_OK);
	cr_assert(marks.dirty_pages == 0 && f.flush.range_count == 0);
	set_entry(&f, group, level,
		(entry_at(&f, group, level) & ~clean_set) |
			(~clean_keep | UINT64_C(1) << 51 * !!clean_set));
	cr_assert(pw_harvest(&f.space, group + page, group, &marks, &f.flush) == PW_OK);
	cr_assert(marks.dirty_pages == (group - page) / pw_level_page_size(&format->level[0]),
		"%s: %llu", format->name, (unsigned long long)marks.dirty_pages);
	cr_assert(f.flush.range_count >= 1);
	marks.dirty_pages = 0;
	cr_assert(pw_harvest(&f.space, group, 2 * group, &marks, &f.flush) == PW_OK);
	cr_assert(marks.dirty_pages == 0);
	fixture_end(&f);
}

Test(build_group, harvested)
{
	const uint64_t read_only = 1 << 7, dbm = UINT64_C(1) << 51;

	harvested(&pw_format_riscv_sv39, 0, 64 * KIB, ~RV_D, 0);
	harvested(&pw_format_arm64_4k, 0, 64 * KIB, ~UINT64_C(0), read_only | dbm);
	harvested(&pw_format_arm64_4k, 1, 32 * MIB, ~UINT64_C(0), read_only | dbm);
}
