/* SPDX-License-Identifier: MIT */
/*
 * Tables that hold groups of entries merge like tables of single pages: when everything is alike,
 * into the page that says it.
 */
#include "join_kinds.h"
#include <stdlib.h>

#define RV_A UINT64_C(0x40)
#define RV_D UINT64_C(0x80)

/* Kinds whose level has a larger one above. */
static bool merges(const struct join_kind *k)
{
	return k->level + 1u < k->format->levels && k->format->level[k->level + 1].page.size_log2 &&
	       pw_table_bytes(k->format, k->level) <= 16 * KIB;
}

static uint64_t large_of(const struct join_kind *k)
{
	return pw_level_page_size(&k->format->level[k->level + 1]);
}

/*
 * A table of that level at `large`, mapped to 2 * large, of pages in groups but for the last ones.
 * In two pieces, of which none is a larger page.
 */
static void begin(struct fixture *f, const struct join_kind *k, bool windows, uint64_t single)
{
	uint64_t large = large_of(k), half = large / 2;
	pw_rights rights = join_rights(k) | PW_CONTIGUOUS;

	join_begin(f, k, windows);
	cr_assert(pw_map(&f->space, large, 2 * large, half, rights, NULL) == PW_OK);
	cr_assert(pw_map(&f->space, large + half, 2 * large + half, half - single, rights, NULL) ==
		  PW_OK);
	if (single)
		join_map(f, k, 2 * large - single, 3 * large - single, single);
}

static uint64_t merge(struct fixture *f, const struct join_kind *k, unsigned how)
{
	uint64_t merged = UINT64_MAX;

	cr_assert(pw_collapse(&f->space, 0, 4 * large_of(k), (k->level + 1u) | how, &merged,
			  &f->flush) == PW_OK);
	return merged;
}

static void each_entry(
	struct fixture *f, const struct join_kind *k, uint64_t without, uint64_t with)
{
	for (pw_va va = large_of(k); va < 2 * large_of(k); va += join_page(k))
		fixture_set_entry(f, va, (fixture_entry(f, va) & ~without) | with);
}

static void merged(const struct join_kind *k, bool windows, uint64_t single, unsigned how)
{
	uint64_t large = large_of(k), page = join_page(k);
	static struct fixture f;

	begin(&f, k, windows, single);
	join_expect(&f, k, large + page, 2 * large + page, true);
	join_expect(&f, k, 2 * large - page, 3 * large - page, !single);
	cr_assert(merge(&f, k, how) == 1, "%s", k->format->name);
	fixture_expect(&f, large + page, 2 * large + page, large, join_rights(k));
	fixture_expect(&f, 2 * large - page, 3 * large - page, large, join_rights(k));
	cr_assert(f.flush.freed_count == 1 && f.flush.range_count == 1 && f.ranges[0].tables);
	fixture_end(&f);
}

Test(build_join_merge, groups_into_a_page)
{
	unsigned kinds = 0;

	for (size_t i = 0; i < JOIN_KINDS; i++) {
		const struct join_kind *k = &join_kinds[i];

		if (!merges(k))
			continue;
		for (unsigned how = 0; how < 8; how++)
			merged(k, how & 1, how & 2 ? k->group : 0, how & 4 ? PW_CONTIGUOUS : 0);
		kinds++;
	}
	cr_assert(kinds > 8);
}

/* One group, or a single page, leads elsewhere or says something else: they stay groups. */
static void one_differs(const struct join_kind *k, uint64_t at, uint64_t size)
{
	uint64_t large = large_of(k);
	static struct fixture f;
	uint8_t *copy;

	for (unsigned what = 0; what < 2; what++) {
		begin(&f, k, true, k->group);
		cr_assert(pw_map(&f.space, large + at, (what ? 4 : 2) * large + at, size,
				  (what ? join_rights(k) : PW_R) | PW_CONTIGUOUS | PW_REPLACE,
				  NULL) == PW_OK);
		copy = test_memory_copy(&f.tm);
		cr_assert(merge(&f, k, 0) == 0, "%s", k->format->name);
		cr_assert(test_memory_equals(&f.tm, copy) && f.flush.range_count == 0);
		free(copy);
		fixture_end(&f);
	}
}

Test(build_join_merge, not_what_differs)
{
	for (size_t i = 0; i < JOIN_KINDS; i++) {
		const struct join_kind *k = &join_kinds[i];
		uint64_t group = k->group;

		if (!merges(k) || k->format->encode[PW_R] == PW_CANNOT ||
			k->format == &pw_format_riscv_sv39x4)
			continue;
		one_differs(k, 0, group);
		one_differs(k, group, group);
		one_differs(k, large_of(k) - group, group);
		one_differs(k, large_of(k) - join_page(k), join_page(k));
	}
}

/* Dirty if any is; Accessed if all are, of a group if one of its entries is. */
static void marks(const struct join_kind *k, uint64_t accessed, uint64_t dirty)
{
	uint64_t large = large_of(k), page = join_page(k), group = k->group;
	pw_va last = 2 * large - group;
	static struct fixture f;

	for (unsigned which = 0; which < 8; which++) {
		uint64_t single = which & 4 ? group : 0, marked;

		begin(&f, k, true, single);
		each_entry(&f, k, accessed | dirty, 0);
		for (pw_va va = large + page; va < last; va += group)
			fixture_set_entry(&f, va, fixture_entry(&f, va) | accessed);
		/* One entry of the last 16; all but one of them if they are single. */
		for (pw_va va = last; which & 1 && va < 2 * large - page; va += page)
			if (single || va == last)
				fixture_set_entry(&f, va, fixture_entry(&f, va) | accessed);
		if (which & 2)
			fixture_set_entry(&f, last, fixture_entry(&f, last) | dirty);
		cr_assert(merge(&f, k, 0) == 1);
		marked = fixture_entry(&f, large);
		cr_assert(!!(marked & accessed) == (which % 2 && !single), "%s: %u",
			k->format->name, which);
		cr_assert((marked & dirty) == (which & 2 ? dirty : 0));
		fixture_end(&f);
	}
}

Test(build_join_merge, marks)
{
	static const struct join_kind napot = {&pw_format_riscv_sv39, 0, 64 * KIB, true},
				      hint = {&pw_format_arm64_4k, 0, 64 * KIB, false},
				      large = {&pw_format_arm64_s2_4k, 1, 32 * MIB, false};

	marks(&napot, RV_A, RV_D);
	marks(&hint, UINT64_C(1) << 10, 0);
	marks(&large, UINT64_C(1) << 10, 0);
}

/* Until the flush the hardware may still mark what is gone. */
Test(build_join_merge, live_pages_count_as_written)
{
	static const struct join_kind napot = {&pw_format_riscv_sv39, 0, 64 * KIB, true};
	static struct fixture f;

	begin(&f, &napot, true, 0);
	each_entry(&f, &napot, RV_D, 0);
	f.flush.live = true;
	cr_assert(merge(&f, &napot, PW_CONTIGUOUS) == 1);
	cr_assert(fixture_entry(&f, 2 * MIB) & RV_D);
	f.flush.live = false;
	fixture_end(&f);
}

/* What was joined in two steps merges in a third, and comes apart again. */
Test(build_join_merge, step_by_step)
{
	for (size_t i = 0; i < JOIN_KINDS; i++) {
		const struct join_kind *k = &join_kinds[i];
		uint64_t large, page = join_page(k);
		static struct fixture f;

		if (!merges(k))
			continue;
		large = large_of(k);
		begin(&f, k, true, 0);
		cr_assert(pw_unmap(&f.space, large, large - k->group, NULL) == PW_OK);
		join_map(&f, k, large, 2 * large, large - k->group);
		cr_assert(join_collapse(&f, k, large, large / 2) == large / 2 / k->group);
		cr_assert(join_collapse(&f, k, large + page, large - page) ==
			  large / 2 / k->group - 1);
		join_expect(&f, k, 2 * large - page, 3 * large - page, true);
		cr_assert(merge(&f, k, PW_CONTIGUOUS) == 1);
		fixture_expect(&f, large + page, 2 * large + page, large, join_rights(k));
		cr_assert(pw_split(&f.space, large, large, k->level, NULL) == PW_OK);
		for (pw_va va = large; va < 2 * large; va += page)
			join_expect(&f, k, va, va + large, false);
		fixture_end(&f);
	}
}
