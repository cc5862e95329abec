/* SPDX-License-Identifier: MIT */
/* Regions by hand: what is merged and what is not, bad and lost ones, ranges and budgets. */
#include "ram.h"
#include <criterion/criterion.h>

#define BASE     UINT64_C(0x400000)
#define BYTES    (UINT64_C(64) << 12)
#define LIST_MAX 64

struct page_list {
	struct ram ram;
	const struct pw_format *format;
	struct pw_space space;
	pw_pa root;
	struct pw_region list[LIST_MAX];
	unsigned count;
	struct pw_regions regions;
};

static void begin(struct page_list *l, const struct pw_format *format)
{
	*l = (struct page_list){.format = format};
	ram_begin(&l->ram, BASE, BYTES);
	l->root = ram_new_table(&l->ram, pw_table_bytes(format, format->levels - 1u));
	cr_assert(pw_space_init(&l->space, format, l->root, &l->ram.windows) == PW_OK);
}

static void enter(struct page_list *l, pw_va va, unsigned level, uint64_t entry)
{
	ram_enter(&l->ram, l->format, l->root, va, level, entry);
}

static enum pw_status list(struct page_list *l, pw_va first, pw_va last, uint64_t budget)
{
	static _Alignas(8) char scratch[PW_REGIONS_SCRATCH(256)];

	l->count = 0;
	pw_regions_begin(&l->regions, &l->space, first, last, scratch, sizeof scratch);
	if (budget)
		l->regions.budget = budget;
	while (pw_regions_next(&l->regions, &l->list[l->count]))
		cr_assert(++l->count < LIST_MAX, "too many regions");
	return l->regions.status;
}

static void expect_mapped(const struct page_list *l, unsigned i, pw_va first, pw_va last, pw_pa pa,
	uint64_t page_size, pw_rights rights)
{
	const struct pw_region *r = &l->list[i];

	cr_assert(i < l->count, "only %u regions", l->count);
	cr_assert(r->kind == PW_REGION_MAPPED && r->first == first && r->last == last &&
			  r->pa == pa && r->page_size == page_size &&
			  pw_grant_rights(r->grant) == rights,
		"region %u: kind %u [%#llx, %#llx] pa %#llx size %#llx rights %#x", i, r->kind,
		(unsigned long long)r->first, (unsigned long long)r->last,
		(unsigned long long)r->pa, (unsigned long long)r->page_size,
		(unsigned)pw_grant_rights(r->grant));
}

Test(regions, neighbours_merge_across_tables)
{
	struct page_list l;

	begin(&l, &pw_format_x86_64);
	for (pw_va va = 0x1fc000; va < 0x204000; va += 0x1000)
		enter(&l, va, 0, (0x9000000 + va) | PTE_PWU | PTE_XD);
	enter(&l, 0x3fe00000, 1, 0x80000000 | PTE_P | PTE_PS);
	enter(&l, 0x40000000, 1, 0x80200000 | PTE_P | PTE_PS);
	cr_assert(list(&l, 0, UINT64_MAX, 0) == PW_OK);
	cr_assert_eq(l.count, 2u);
	expect_mapped(&l, 0, 0x1fc000, 0x203fff, 0x91fc000, 4096, PW_R | PW_W | PW_U);
	expect_mapped(&l, 1, 0x3fe00000, 0x401fffff, 0x80000000, 0x200000, PW_R | PW_X);
	ram_end(&l.ram);
}

Test(regions, what_differs_is_kept_apart)
{
	const struct pw_format *f = &pw_format_x86_64;
	struct page_list l;

	begin(&l, f);
	enter(&l, 0x1000, 0, 0x5000 | PTE_PW);
	enter(&l, 0x2000, 0, 0x6000 | PTE_P);         /* other rights */
	enter(&l, 0x3000, 0, 0x9000 | PTE_P);         /* not contiguous */
	enter(&l, 0x5000, 0, 0xb000 | PTE_P);         /* a hole between */
	enter(&l, 0x6000, 0, 0xc000 | PTE_P | PTE_A); /* Accessed, Dirty and Global are no rights */
	enter(&l, 0x7000, 0, 0xd000 | PTE_P | PTE_D | PTE_G | PTE_PS);
	enter(&l, 0x1ff000, 0, 0x3ff000 | PTE_P);
	enter(&l, 0x200000, 1, 0x400000 | PTE_P | PTE_PS); /* contiguous, of another size */
	cr_assert(list(&l, 0, UINT64_MAX, 0) == PW_OK);
	cr_assert_eq(l.count, 6u);
	expect_mapped(&l, 0, 0x1000, 0x1fff, 0x5000, 4096, PW_R | PW_W | PW_X);
	expect_mapped(&l, 1, 0x2000, 0x2fff, 0x6000, 4096, PW_R | PW_X);
	expect_mapped(&l, 2, 0x3000, 0x3fff, 0x9000, 4096, PW_R | PW_X);
	expect_mapped(&l, 3, 0x5000, 0x7fff, 0xb000, 4096, PW_R | PW_X);
	expect_mapped(&l, 4, 0x1ff000, 0x1fffff, 0x3ff000, 4096, PW_R | PW_X);
	expect_mapped(&l, 5, 0x200000, 0x3fffff, 0x400000, 0x200000, PW_R | PW_X);
	ram_end(&l.ram);
}

/* The rights are those that hold after folding: an upper entry splits a run of equal pages. */
Test(regions, rights_are_folded_over_every_level)
{
	struct page_list l;

	begin(&l, &pw_format_x86_64);
	enter(&l, 0x1ff000, 0, 0x1ff000 | PTE_PWU);
	enter(&l, 0x200000, 0, 0x200000 | PTE_PWU);
	enter(&l, 0x200000, 1, ram_load(&l.ram, BASE + 0x2008, 8) & ~(PTE_W | PTE_U));
	cr_assert(list(&l, 0, UINT64_MAX, 0) == PW_OK);
	cr_assert_eq(l.count, 2u);
	expect_mapped(&l, 0, 0x1ff000, 0x1fffff, 0x1ff000, 4096, PW_R | PW_W | PW_X | PW_U);
	expect_mapped(&l, 1, 0x200000, 0x200fff, 0x200000, 4096, PW_R | PW_X);
	ram_end(&l.ram);
}

Test(regions, ranges_are_exact)
{
	struct page_list l;

	begin(&l, &pw_format_x86_64);
	enter(&l, UINT64_MAX, 1, 0x80000000 | PTE_P | PTE_PS);
	cr_assert(list(&l, UINT64_MAX - 0x1001, UINT64_MAX - 1, 0) == PW_OK);
	expect_mapped(
		&l, 0, UINT64_MAX - 0x1001, UINT64_MAX - 1, 0x801feffe, 0x200000, PW_R | PW_X);
	cr_assert(list(&l, 0, UINT64_MAX, 0) == PW_OK);
	expect_mapped(&l, 0, UINT64_MAX - 0x1fffff, UINT64_MAX, 0x80000000, 0x200000, PW_R | PW_X);
	cr_assert_eq(l.count, 1u);
	cr_assert(list(&l, 2, 1, 0) == PW_E_RANGE);
	cr_assert_eq(l.count, 0u);
	cr_assert(list(&l, UINT64_C(0x800000000000), UINT64_C(0xffff7fffffffffff), 0) == PW_OK);
	cr_assert_eq(l.count, 0u, "the canonical hole");
	ram_end(&l.ram);
}

/* In the root the halves are neighbours, in the space they are not. */
Test(regions, the_halves_are_kept_apart)
{
	const uint64_t leaf = 0xcf, gib = UINT64_C(1) << 30; /* V R W X A D */
	struct page_list l;

	begin(&l, &pw_format_riscv_sv39);
	for (uint64_t i = 250; i < 260; i++)
		ram_store(&l.ram, l.root + 8 * i, 8, i << 28 | leaf);
	cr_assert(list(&l, 0, UINT64_MAX, 0) == PW_OK);
	cr_assert_eq(l.count, 2u);
	expect_mapped(&l, 0, 250 * gib, 256 * gib - 1, 250 * gib, gib, PW_R | PW_W | PW_X);
	expect_mapped(&l, 1, -256 * gib, -252 * gib - 1, 256 * gib, gib, PW_R | PW_W | PW_X);
	ram_end(&l.ram);
}

Test(regions, no_paging_is_one_region)
{
	struct page_list l;

	begin(&l, &pw_format_x86_64);
	cr_assert(pw_space_init(&l.space, &pw_format_x86_none, 0, &l.ram.windows) == PW_OK);
	cr_assert(list(&l, 0, UINT64_MAX, 1) == PW_OK);
	cr_assert_eq(l.count, 1u);
	expect_mapped(&l, 0, 0, UINT32_MAX, 0, 4096, PW_R | PW_W | PW_X | PW_U);
	ram_end(&l.ram);
}

/* ---- Runs that only look like runs ---- */

/* PSE-36: bits 20:13 are address bits 39:32, outside the field that counts up. */
Test(regions, pse36_pages_that_jump_are_not_one_run)
{
	struct page_list l;

	begin(&l, &pw_format_x86_32);
	for (unsigned i = 0; i < 8; i++)
		enter(&l, i << 22, 1, i << 22 | (i >= 4 ? 0x2000 : 0) | PTE_P | PTE_PS);
	cr_assert(list(&l, 0, UINT64_MAX, 0) == PW_OK);
	cr_assert_eq(l.count, 2u);
	expect_mapped(&l, 0, 0, 0xffffff, 0, 0x400000, PW_R | PW_X);
	expect_mapped(&l, 1, 0x1000000, 0x1ffffff, UINT64_C(0x101000000), 0x400000, PW_R | PW_X);
	ram_end(&l.ram);
}

/* The page behind the last physical one would be contiguous, but the hardware refuses it. */
Test(regions, a_run_ends_where_the_physical_width_does)
{
	static const struct pw_rules narrow = {.pa_bits = 36};
	struct page_list l;

	begin(&l, &pw_format_x86_64);
	for (uint64_t i = 0; i < 8; i++)
		enter(&l, i << 12, 0, (UINT64_C(0xfffffc000) + (i << 12)) | PTE_P);
	cr_assert(pw_space_init_rules(
			  &l.space, &pw_format_x86_64, l.root, &l.ram.windows, &narrow) == PW_OK);
	cr_assert(list(&l, 0, UINT64_MAX, 0) == PW_OK);
	cr_assert_eq(l.count, 5u);
	expect_mapped(&l, 0, 0, 0x3fff, UINT64_C(0xfffffc000), 4096, PW_R | PW_X);
	for (unsigned i = 1; i < 5; i++)
		cr_assert(
			l.list[i].kind == PW_REGION_BAD && l.list[i].first == 0x3000 + i * 0x1000);
	ram_end(&l.ram);
}

/* ---- Bad and lost ones are regions, not an end ---- */

Test(regions, bad_entries_are_listed_one_by_one)
{
	struct page_list l;
	const uint64_t bad = 0x80002000 | PTE_P | PTE_PS;

	begin(&l, &pw_format_x86_64);
	enter(&l, 0x200000, 1, bad);
	enter(&l, 0x400000, 1, bad);
	enter(&l, 0x600000, 0, 0x7000 | PTE_P);
	cr_assert(list(&l, 0x3ff000, UINT64_MAX, 0) == PW_OK);
	cr_assert_eq(l.count, 3u);
	for (unsigned i = 0; i < 2; i++)
		cr_assert(l.list[i].kind == PW_REGION_BAD && l.list[i].level == 1 &&
			  l.list[i].entry == bad);
	cr_assert(l.list[0].first == 0x3ff000 && l.list[0].last == 0x3fffff);
	cr_assert(l.list[1].first == 0x400000 && l.list[1].last == 0x5fffff);
	expect_mapped(&l, 2, 0x600000, 0x600fff, 0x7000, 4096, PW_R | PW_X);
	ram_end(&l.ram);
}

Test(regions, a_lost_table_is_one_region_and_the_list_goes_on)
{
	struct page_list l;
	const uint64_t leads_out = UINT64_C(0x100000000) | PTE_PWU;

	begin(&l, &pw_format_x86_64);
	enter(&l, 0x1000, 0, 0x5000 | PTE_P);
	enter(&l, 0x200000, 1, leads_out);
	enter(&l, 0x400000, 0, 0x7000 | PTE_P);
	cr_assert(list(&l, 0, UINT64_MAX, 0) == PW_OK);
	cr_assert_eq(l.count, 3u);
	cr_assert(l.list[1].kind == PW_REGION_LOST && l.list[1].first == 0x200000 &&
		  l.list[1].last == 0x3fffff && l.list[1].level == 0 &&
		  l.list[1].entry == leads_out);
	expect_mapped(&l, 2, 0x400000, 0x400fff, 0x7000, 4096, PW_R | PW_X);
	ram_end(&l.ram);
}

Test(regions, a_lost_root_is_the_whole_space)
{
	struct page_list l;

	begin(&l, &pw_format_x86_64);
	cr_assert(pw_space_init(&l.space, &pw_format_x86_64, 0x100000000, &l.ram.windows) == PW_OK);
	cr_assert(list(&l, 0, UINT64_MAX, 0) == PW_OK);
	cr_assert_eq(l.count, 2u, "a region for each half");
	cr_assert(l.list[0].kind == PW_REGION_LOST && l.list[0].level == 3 &&
		  l.list[0].entry == 0 && l.list[0].last == UINT64_C(0x7fffffffffff));
	cr_assert(l.list[1].first == UINT64_C(0xffff800000000000) && l.list[1].last == UINT64_MAX);
	ram_end(&l.ram);
}

/* ---- Budgets ---- */

Test(regions, a_budget_ends_it_before_the_entry_it_names)
{
	struct page_list l;
	uint64_t whole;

	begin(&l, &pw_format_x86_64);
	enter(&l, 0x1000, 0, 0x5000 | PTE_P);
	enter(&l, 0x3000, 0, 0x6000 | PTE_P);
	enter(&l, 0x8000000000, 0, 0x7000 | PTE_P);
	cr_assert(list(&l, 0, UINT64_MAX, 0) == PW_OK);
	cr_assert_eq(l.count, 3u);
	whole = l.regions.it.reads;
	for (uint64_t budget = 1; budget < whole; budget++) {
		pw_va position;
		unsigned before;

		cr_assert(list(&l, 0, UINT64_MAX, budget) == PW_E_BUDGET);
		cr_assert(l.regions.it.reads <= budget, "%llu reads",
			(unsigned long long)l.regions.it.reads);
		position = l.regions.position;
		before = l.count;
		for (unsigned i = 0; i < l.count; i++)
			cr_assert(l.list[i].last < position);
		cr_assert(list(&l, position, UINT64_MAX, 0) == PW_OK);
		cr_assert_eq(before + l.count, 3u, "budget %llu: %u + %u regions",
			(unsigned long long)budget, before, l.count);
	}
	cr_assert(list(&l, 0, UINT64_MAX, whole) == PW_OK, "just enough is enough");
	cr_assert_eq(l.count, 3u);
	ram_end(&l.ram);
}

/* What a call has seen of the tables to come counts for that call alone. */
Test(regions, tables_made_between_calls_are_found)
{
	const pw_va made[] = {0x400000, 0x40400000};
	struct pw_region some[2];
	struct page_list l;
	unsigned found = 0;
	size_t count;

	begin(&l, &pw_format_x86_64);
	for (pw_va va = 0; va < 0x8000; va += 0x2000)
		enter(&l, va, 0, 0x9000000 | PTE_P);
	enter(&l, 0x800000, 0, 0x9000000 | PTE_P);
	enter(&l, 0x40000000, 0, 0x9000000 | PTE_P);
	enter(&l, 0x40800000, 0, 0x9000000 | PTE_P);
	pw_regions_begin(&l.regions, &l.space, 0, UINT64_MAX, NULL, 0);
	count = pw_regions_fill(&l.regions, some, 2);
	cr_assert(count > 0 && some[count - 1].last < 0x8000);
	for (unsigned i = 0; i < 2; i++)
		enter(&l, made[i], 0, 0x9000000 | PTE_P);
	while ((count = pw_regions_fill(&l.regions, some, 2)) > 0) {
		for (size_t i = 0; i < count; i++)
			found += some[i].first == made[0] || some[i].first == made[1];
	}
	cr_assert_eq(found, 2u);
	ram_end(&l.ram);
}
