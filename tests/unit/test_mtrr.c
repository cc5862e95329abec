/* SPDX-License-Identifier: MIT */
/* MTRRs and memory types against the manual's tables (SDM vol. 3A, MTRRs; table 11-7). */
#include "random.h"
#include "test_memory.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define PAGE UINT64_C(4096)
#define MIB  UINT64_C(0x100000)
#define GIB  UINT64_C(0x40000000)

/* The MTRRs of a small PC: 3 GiB of memory, a hole for video memory, firmware read-only. */
static const struct pw_mtrr_range pc_ranges[] = {
	{UINT64_C(0) | PW_TYPE_WB, UINT64_C(0xf80000800)},          /* 0 to 2 GiB */
	{UINT64_C(0x80000000) | PW_TYPE_WB, UINT64_C(0xfc0000800)}, /* to 3 GiB */
	{UINT64_C(0xd0000000) | PW_TYPE_WC, UINT64_C(0xff0000800)}, /* a frame buffer */
	{UINT64_C(0x40000000) | PW_TYPE_UC, UINT64_C(0xfffe00800)}, /* 2 MiB, inside memory */
	{UINT64_C(0x50000000) | PW_TYPE_WT, UINT64_C(0xfff000800)}, /* 16 MiB */
	{UINT64_C(0xe0000000) | PW_TYPE_WB, UINT64_C(0xff0000000)}, /* not valid */
};

static struct pw_mtrr pc(void)
{
	struct pw_mtrr mtrr = {.def_type = 0xc00 | PW_TYPE_UC,
		.variable = pc_ranges,
		.variable_count = sizeof pc_ranges / sizeof pc_ranges[0],
		.maxphyaddr = 36};

	mtrr.fixed[0] = mtrr.fixed[1] = UINT64_C(0x0606060606060606);
	mtrr.fixed[3] = UINT64_C(0x0505050505050505); /* from 0xc0000 on */
	mtrr.fixed[10] = UINT64_C(0x0504050405040504);
	return mtrr;
}

Test(mtrr, types_of_a_small_pc)
{
	static const struct {
		pw_pa pa, last;
		unsigned type;
	} rows[] = {
		{0, 0xffff, PW_TYPE_WB},
		{0x7ffff, 0x7ffff, PW_TYPE_WB},
		{0x80000, 0x83fff, PW_TYPE_WB},
		{0xa0000, 0xa3fff, PW_TYPE_UC},
		{0xc0000, 0xc0fff, PW_TYPE_WP},
		{0xc8000, 0xc8fff, PW_TYPE_UC},
		{0xf8000, 0xf8fff, PW_TYPE_WT},
		{0xff000, 0xfffff, PW_TYPE_WP},
		{0x100000, 0x3fffffff, PW_TYPE_WB},
		{0x40000000, 0x401fffff, PW_TYPE_UC},
		{0x40200000, 0x4fffffff, PW_TYPE_WB},
		{0x50000000, 0x50ffffff, PW_TYPE_WT},
		{0xc0000000, 0xcfffffff, PW_TYPE_UC},
		{0xd0000000, 0xdfffffff, PW_TYPE_WC},
		{0xe0000000, UINT64_MAX, PW_TYPE_UC},
	};
	const struct pw_mtrr mtrr = pc();

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		pw_pa last = 0;

		cr_expect_eq(pw_mtrr_type(&mtrr, rows[i].pa, &last), rows[i].type, "row %zu", i);
		cr_expect_eq(last, rows[i].last, "row %zu: %#llx", i, (unsigned long long)last);
		cr_expect_eq(pw_mtrr_type(&mtrr, last, NULL), rows[i].type, "row %zu", i);
	}
}

Test(mtrr, ranges_of_one_type_and_of_more)
{
	const struct pw_mtrr mtrr = pc();
	pw_pa same = 0;

	cr_expect_eq(pw_mtrr_range_type(&mtrr, 0, 0x9ffff, &same), PW_TYPE_WB);
	cr_expect_eq(same, 0x9ffff);
	cr_expect_eq(pw_mtrr_range_type(&mtrr, 0, 0x1fffff, &same), PW_TYPE_MIXED);
	cr_expect_eq(same, 0x9ffff);
	cr_expect_eq(pw_mtrr_range_type(&mtrr, MIB, GIB - 1, NULL), PW_TYPE_WB);
	cr_expect_eq(pw_mtrr_range_type(&mtrr, MIB, GIB, &same), PW_TYPE_MIXED);
	cr_expect_eq(same, GIB - 1);
	cr_expect_eq(pw_mtrr_range_type(&mtrr, 1, 0, &same), PW_TYPE_UNDEFINED);
}

Test(mtrr, switched_off_means_uncached)
{
	struct pw_mtrr mtrr = pc();
	pw_pa last;

	mtrr.def_type = PW_TYPE_WB; /* E is clear */
	cr_expect_eq(pw_mtrr_type(&mtrr, 0, &last), PW_TYPE_UC);
	cr_expect_eq(last, UINT64_MAX);
	mtrr.def_type = 0x800 | PW_TYPE_WB; /* FE is clear: variable ranges alone */
	cr_expect_eq(pw_mtrr_type(&mtrr, 0xa0000, NULL), PW_TYPE_WB);
	cr_expect_eq(pw_mtrr_type(&mtrr, 0xc0000000, NULL), PW_TYPE_WB);
}

/* SDM, "MTRR Precedences". */
Test(mtrr, overlaps)
{
	static const unsigned types[] = {
		PW_TYPE_UC, PW_TYPE_WC, PW_TYPE_WT, PW_TYPE_WP, PW_TYPE_WB};

	for (size_t i = 0; i < 5; i++) {
		for (size_t j = 0; j < 5; j++) {
			const struct pw_mtrr_range two[] = {{types[i], UINT64_C(0xfff000000800)},
				{types[j], UINT64_C(0xfff000000800)}};
			const struct pw_mtrr mtrr = {.def_type = 0x800 | PW_TYPE_WB,
				.variable = two,
				.variable_count = 2,
				.maxphyaddr = 48};
			unsigned a = types[i], b = types[j], expected = PW_TYPE_UNDEFINED;

			if (a == b)
				expected = a;
			else if (a == PW_TYPE_UC || b == PW_TYPE_UC)
				expected = PW_TYPE_UC;
			else if ((a == PW_TYPE_WT && b == PW_TYPE_WB) ||
				 (a == PW_TYPE_WB && b == PW_TYPE_WT))
				expected = PW_TYPE_WT;
			cr_expect_eq(pw_mtrr_type(&mtrr, 0x5000, NULL), expected, "%u, %u", a, b);
		}
	}
}

/* Random MTRRs, with gaps in the masks too: each page's type by the manual's words. */
static unsigned slow_type(const struct pw_mtrr *mtrr, pw_pa pa)
{
	bool uc = false, wt = false, wb = false, any = false, clash = false;
	unsigned type = mtrr->def_type & 0xff;
	pw_pa width = (UINT64_C(1) << mtrr->maxphyaddr) - 1;

	for (size_t i = 0; i < mtrr->variable_count; i++) {
		pw_pa mask = mtrr->variable[i].mask & width & ~UINT64_C(0xfff);
		unsigned t = mtrr->variable[i].base & 0xff;

		if (!(mtrr->variable[i].mask & 0x800) ||
			(pa & mask) != (mtrr->variable[i].base & mask))
			continue;
		uc |= t == PW_TYPE_UC;
		wt |= t == PW_TYPE_WT;
		wb |= t == PW_TYPE_WB;
		clash |= any && t != type;
		type = t;
		any = true;
	}
	if (uc)
		return PW_TYPE_UC;
	if (!clash)
		return type;
	return PW_TYPE_UNDEFINED - (wt && wb ? 1000u : 0);
}

Test(mtrr, random_ranges_against_every_page)
{
	static const uint8_t types[] = {PW_TYPE_UC, PW_TYPE_WT, PW_TYPE_WB};
	uint64_t seed = random_seed(20260931);
	struct random random = random_from(seed);

	for (int round = 0; round < 3000; round++) {
		struct pw_mtrr_range ranges[6];
		struct pw_mtrr mtrr = {.def_type = 0x800 | PW_TYPE_WB,
			.variable = ranges,
			.variable_count = 6,
			.maxphyaddr = 32};
		pw_pa first = random_below(&random, 200) * PAGE, until = 0;

		for (size_t i = 0; i < 6; i++) {
			uint64_t mask = ~UINT64_C(0) << (12 + random_below(&random, 8));

			if (random_once_in(&random, 6))
				mask &= ~(UINT64_C(1) << (12 + random_below(&random, 12)));
			ranges[i].base =
				random_below(&random, 256) * PAGE | types[random_below(&random, 3)];
			ranges[i].mask =
				(mask & 0xfffff000) | (random_once_in(&random, 4) ? 0 : 0x800);
		}
		/* WT over WB is WT, whatever the order. */
		for (pw_pa pa = first; pa < first + 256 * PAGE; pa += PAGE) {
			unsigned expected = slow_type(&mtrr, pa);

			if (expected != PW_TYPE_UC && expected >= 1000)
				expected = PW_TYPE_WT;
			cr_assert_eq(pw_mtrr_type(&mtrr, pa, &until), expected, "round %d, %#llx",
				round, (unsigned long long)pa);
			cr_assert(until >= pa + PAGE - 1 && (until & 0xfff) == 0xfff);
			for (pw_pa p = pa; p < pa + 32 * PAGE && p <= until; p += PAGE)
				cr_assert_eq(pw_mtrr_type(&mtrr, p, NULL), expected);
		}
	}
	printf("seed %llu\n", (unsigned long long)seed);
}

/* SDM vol. 3A, "Effective Page-Level Memory Types", row by row. */
Test(memory_types, combine_as_the_table_says)
{
	enum {
		UC = 0,
		WC = 1,
		WT = 4,
		WP = 5,
		WB = 6,
		UCM = 7
	};
	static const struct {
		unsigned mtrr, pat, effective;
	} rows[] = {
		{UC, UC, UC},
		{UC, UCM, UC},
		{UC, WC, WC},
		{UC, WT, UC},
		{UC, WB, UC},
		{UC, WP, UC},
		{WC, UC, UC},
		{WC, UCM, WC},
		{WC, WC, WC},
		{WC, WT, UC},
		{WC, WB, WC},
		{WC, WP, UC},
		{WT, UC, UC},
		{WT, UCM, UC},
		{WT, WC, WC},
		{WT, WT, WT},
		{WT, WB, WT},
		{WT, WP, WP},
		{WB, UC, UC},
		{WB, UCM, UC},
		{WB, WC, WC},
		{WB, WT, WT},
		{WB, WB, WB},
		{WB, WP, WP},
		{WP, UC, UC},
		{WP, UCM, WC},
		{WP, WC, WC},
		{WP, WT, WT},
		{WP, WB, WP},
		{WP, WP, WP},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		enum pw_memory_type m = (enum pw_memory_type)rows[i].mtrr;
		enum pw_memory_type p = (enum pw_memory_type)rows[i].pat;

		cr_expect_eq(pw_memory_type_combine(m, p), rows[i].effective, "row %zu", i);
		cr_expect_eq(pw_ept_access_type(m, p, false), rows[i].effective, "row %zu", i);
		cr_expect_eq(pw_ept_access_type(m | 8, p, false), m, "IPAT, row %zu", i);
		cr_expect_eq(pw_ept_access_type(m | 8, p, true), PW_TYPE_UC, "CD, row %zu", i);
	}
	cr_expect_eq(pw_memory_type_combine((enum pw_memory_type)2, PW_TYPE_WB), PW_TYPE_UNDEFINED);
	cr_expect_eq(pw_memory_type_combine(PW_TYPE_WB, (enum pw_memory_type)3), PW_TYPE_UNDEFINED);
	cr_expect_eq(pw_ept_access_type(3 | 8, PW_TYPE_WB, false), PW_TYPE_UNDEFINED);
}

/* ---- Mapping ---- */

Test(map_typed, no_page_spans_two_types)
{
	static struct test_memory tm;
	const struct pw_mtrr mtrr = pc();
	struct pw_space ept;
	struct pw_region r;
	struct pw_regions it;
	unsigned sizes[3] = {0};
	pw_pa root;

	test_memory_begin(&tm, 0x100000, 0x400000, true);
	cr_assert(pw_root_create(&pw_format_ept_4, &tm.memory, &root) == PW_OK);
	cr_assert(pw_space_init(&ept, &pw_format_ept_4, root, &tm.memory) == PW_OK);
	cr_assert(pw_map_typed(&ept, 0, 0, 4 * GIB, PW_R | PW_W | PW_X, &mtrr, NULL) == PW_OK);
	for (pw_pa pa = 0; pa < 4 * GIB; pa += pa < 2 * MIB ? PAGE : 2 * MIB) {
		struct pw_result hit;
		pw_pa page;

		cr_assert(pw_translate(&ept, pa, PW_ACCESS_ANY, &hit) == PW_OK && hit.pa == pa);
		page = pa & ~(hit.page_size - 1);
		cr_assert_eq(hit.memory_type,
			pw_mtrr_range_type(&mtrr, page, page + hit.page_size - 1, NULL), "%#llx",
			(unsigned long long)pa);
		sizes[hit.level]++;
	}
	/* The first 2 MiB are in 4 KiB pages, and the largest pages stand where they can. */
	cr_expect(sizes[0] >= 512 && sizes[1] > 0 && sizes[2] > 0);
	pw_regions_begin(&it, &ept, 0, UINT64_MAX, NULL, 0);
	cr_expect(pw_regions_next(&it, &r) && r.first == 0);
	test_memory_end(&tm);
}

Test(map_typed, all_or_nothing)
{
	static struct test_memory tm;
	const struct pw_mtrr mtrr = pc();
	struct pw_result hit;
	struct pw_space ept;
	pw_pa root;

	test_memory_begin(&tm, 0x100000, 0x400000, true);
	cr_assert(pw_root_create(&pw_format_ept_4, &tm.memory, &root) == PW_OK);
	cr_assert(pw_space_init(&ept, &pw_format_ept_4, root, &tm.memory) == PW_OK);
	cr_expect(pw_map(&ept, 3 * GIB + 0x5000, 0, PAGE, PW_R, NULL) == PW_OK);
	cr_expect(pw_map_typed(&ept, 0, 0, 4 * GIB, PW_R, &mtrr, NULL) == PW_E_EXISTS);
	cr_expect(pw_translate(&ept, 0, PW_ACCESS_ANY, NULL) == PW_NOT_PRESENT);
	cr_expect(pw_translate(&ept, 2 * GIB, PW_ACCESS_ANY, NULL) == PW_NOT_PRESENT);
	cr_expect(pw_translate(&ept, 3 * GIB + 0x5000, PW_ACCESS_ANY, &hit) == PW_OK);
	cr_expect(pw_map_typed(&ept, 0, 0, GIB, PW_R | PW_MEM_WB, &mtrr, NULL) == PW_E_ARGUMENT);
	cr_expect(pw_map_typed(&ept, 0, 0, GIB, PW_R, NULL, NULL) == PW_E_ARGUMENT);
	cr_expect(pw_map_typed(&ept, 0, 0, 0, PW_R, &mtrr, NULL) == PW_E_RANGE);
	cr_expect(pw_map_typed(&ept, 0, UINT64_MAX - 4095, 8192, PW_R, &mtrr, NULL) == PW_E_RANGE);
	test_memory_end(&tm);
}
