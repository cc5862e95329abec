/* SPDX-License-Identifier: MIT */
/*
 * Tables met more than once: repetitions are exact, short lists are given in full, and the work
 * follows the number of distinct tables, whatever the tables point at.
 */
#include "random.h"
#include "twin.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define BASE     UINT64_C(0x400000)
#define BYTES    (UINT64_C(64) << 12)
#define LIST_MAX 8192
#define TABLE    UINT64_C(512)

struct web {
	struct ram ram;
	struct twin twin;
	struct pw_space space;
	pw_pa root;
	struct pw_region list[LIST_MAX];
	unsigned count;
	struct pw_regions regions;
};

static _Alignas(8) char scratch[PW_REGIONS_SCRATCH(64) + 8];
static struct web web;

static struct web *begin(void)
{
	struct web *w = &web;

	ram_begin(&w->ram, BASE, BYTES);
	w->root = ram_new_table(&w->ram, 4096);
	cr_assert(twin_begin(&w->twin, &pw_format_x86_64, w->root, &w->ram, false));
	cr_assert(pw_space_init(&w->space, &pw_format_x86_64, w->root, &w->ram.callbacks) == PW_OK);
	return w;
}

static pw_pa new_table(struct web *w)
{
	return ram_new_table(&w->ram, 4096);
}

/* Entries first to last of a table. */
static void fill(struct web *w, pw_pa table, unsigned first, unsigned last, uint64_t entry)
{
	for (unsigned i = first; i <= last; i++)
		ram_store(&w->ram, table + 8 * i, 8, entry);
}

static enum pw_status list(struct web *w, void *memory, size_t bytes, uint64_t budget)
{
	w->count = 0;
	w->ram.reads = 0;
	pw_regions_begin(&w->regions, &w->space, 0, UINT64_MAX, memory, bytes);
	if (budget)
		w->regions.budget = budget;
	while (pw_regions_next(&w->regions, &w->list[w->count]))
		cr_assert(++w->count < LIST_MAX, "too many regions");
	return w->regions.status;
}

static unsigned count_kind(const struct web *w, enum pw_region_kind kind)
{
	unsigned count = 0;

	for (unsigned i = 0; i < w->count; i++)
		count += w->list[i].kind == kind;
	return count;
}

static const struct pw_region *find(const struct web *w, pw_va va)
{
	unsigned low = 0, high = w->count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (w->list[middle].last < va)
			low = middle + 1;
		else
			high = middle;
	}
	return low < w->count && w->list[low].first <= va ? &w->list[low] : NULL;
}

/* Follows repetitions to a region of another kind; NULL for a hole. */
static const struct pw_region *resolve(const struct web *w, pw_va *va)
{
	const struct pw_region *region = find(w, *va);

	while (region && region->kind == PW_REGION_REPEATS) {
		pw_va size = region->last - region->first;

		cr_assert(region->repeats + size < region->first, "not wholly before it");
		*va = region->repeats + (*va - region->first);
		region = find(w, *va);
	}
	return region;
}

static void agree_at(const struct web *w, pw_va va)
{
	struct slow_result twin = twin_look(&w->twin, va);
	pw_va at = va;
	const struct pw_region *region = resolve(w, &at);
	enum slow_status status = SLOW_NOT_PRESENT;

	if (region)
		status = region->kind == PW_REGION_MAPPED ? SLOW_MAPPED
			 : region->kind == PW_REGION_BAD  ? SLOW_RESERVED
							  : SLOW_NO_MEMORY;
	cr_assert(twin.status == status, "at %#llx: twin %s", (unsigned long long)va,
		slow_status_name(twin.status));
	if (status == SLOW_MAPPED)
		cr_assert(twin.pa == region->pa + (at - region->first) &&
				  twin.page_size == region->page_size &&
				  twin_grants(&twin, region->grant),
			"at %#llx", (unsigned long long)va);
}

static void agree_everywhere(const struct web *w)
{
	struct random random = random_from(random_seed(20260931));

	for (int i = 0; i < 20000; i++) {
		pw_va va = random_next(&random) >> random_below(&random, 36);

		agree_at(w, pw_format_extend(&pw_format_x86_64, va));
	}
	for (unsigned i = 0; i < w->count; i++) {
		agree_at(w, w->list[i].first);
		agree_at(w, w->list[i].last);
	}
	printf("seed %llu\n", (unsigned long long)random_seed(20260931));
}

static void expect_complete(struct web *w, uint64_t most_reads, unsigned most_regions)
{
	cr_assert(list(w, scratch, sizeof scratch, 0) == PW_OK);
	cr_assert(w->ram.reads <= most_reads, "%llu reads", (unsigned long long)w->ram.reads);
	cr_assert(w->count <= most_regions, "%u regions", w->count);
	agree_everywhere(w);
	ram_end(&w->ram);
}

/* ---- Hostile shapes ---- */

Test(regions_shared, a_root_that_points_only_at_itself)
{
	struct web *w = begin();

	fill(w, w->root, 0, 511, w->root | PTE_PWU);
	expect_complete(w, 4 * TABLE, 512 + 3 * 20);
}

Test(regions_shared, one_entry_that_points_at_its_own_table)
{
	struct web *w = begin();

	fill(w, w->root, 493, 493, w->root | PTE_PW); /* as some systems map their own tables */
	ram_enter(&w->ram, &pw_format_x86_64, w->root, 0x1000, 0, 0x5000 | PTE_PWU);
	ram_enter(&w->ram, &pw_format_x86_64, w->root, 0x200000, 1, 0x80000000 | PTE_P | PTE_PS);
	expect_complete(w, 16 * TABLE, 100);
}

Test(regions_shared, tables_that_point_at_their_parents)
{
	struct web *w = begin();
	pw_pa two = new_table(w), one = new_table(w);

	fill(w, w->root, 0, 511, two | PTE_PWU);
	fill(w, two, 0, 511, one | PTE_PWU);
	fill(w, two, 7, 7, w->root | PTE_PW);
	fill(w, one, 0, 255, w->root | PTE_PWU);
	fill(w, one, 256, 511, two | PTE_P);
	expect_complete(w, 32 * TABLE, LIST_MAX);
}

Test(regions_shared, a_zero_page_under_zero_tables)
{
	struct web *w = begin();
	pw_pa zero[3] = {new_table(w), new_table(w), new_table(w)};

	fill(w, zero[0], 0, 511, 0x7000 | PTE_P | PTE_XD);
	fill(w, zero[1], 0, 511, zero[0] | PTE_PW);
	fill(w, zero[2], 0, 511, zero[1] | PTE_PW);
	fill(w, w->root, 400, 430, zero[2] | PTE_PW);
	ram_enter(&w->ram, &pw_format_x86_64, w->root, 0x1000, 0, 0x5000 | PTE_PWU);
	expect_complete(w, 8 * TABLE, 512 + 40);
}

Test(regions_shared, empty_tables_in_every_place)
{
	struct web *w = begin();
	pw_pa empty[3] = {new_table(w), new_table(w), new_table(w)};

	fill(w, empty[1], 0, 511, empty[0] | PTE_PWU);
	fill(w, empty[2], 0, 511, empty[1] | PTE_PWU);
	fill(w, w->root, 0, 511, empty[2] | PTE_PWU);
	expect_complete(w, 4 * TABLE, 0);
}

/* Each path holds one page, and there are 511 * 512 * 512 of them in four tables. */
Test(regions_shared, many_short_lists_do_not_add_up)
{
	struct web *w = begin();
	pw_pa table[3] = {new_table(w), new_table(w), new_table(w)};

	fill(w, table[0], 5, 5, 0x7000 | PTE_P);
	fill(w, table[1], 0, 510, table[0] | PTE_PWU);
	fill(w, table[2], 0, 511, table[1] | PTE_PWU);
	fill(w, w->root, 0, 511, table[2] | PTE_PWU);
	expect_complete(w, UINT64_C(1) << 23, LIST_MAX);
}

/* ---- What is a repetition ---- */

Test(regions_shared, fewer_than_512_pages_are_listed_in_full)
{
	for (unsigned pages = 510; pages <= 512; pages++) {
		struct web *w = begin();
		pw_pa shared = new_table(w);

		/* Descending addresses: a region each. */
		for (unsigned i = 0; i < pages; i++)
			fill(w, shared, i, i, ((pages - i) << 12) | PTE_P);
		for (unsigned i = 1; i < 4; i++)
			ram_enter(&w->ram, &pw_format_x86_64, w->root, (pw_va)i << 22, 1,
				shared | PTE_PWU);
		cr_assert(list(w, scratch, sizeof scratch, 0) == PW_OK);
		cr_assert_eq(count_kind(w, PW_REGION_REPEATS), pages < 512 ? 0u : 2u);
		cr_assert_eq(count_kind(w, PW_REGION_MAPPED), pages < 512 ? 3 * pages : pages);
		agree_everywhere(w);
		ram_end(&w->ram);
	}
}

Test(regions_shared, a_run_of_repetitions_is_few_regions)
{
	struct web *w = begin();
	pw_pa shared = new_table(w);

	fill(w, shared, 0, 511, 0x7000 | PTE_P);
	for (pw_va va = 0; va < 0x40000000; va += 0x200000)
		ram_enter(&w->ram, &pw_format_x86_64, w->root, va, 1, shared | PTE_PWU);
	expect_complete(w, 5 * TABLE, 512 + 10);
}

Test(regions_shared, other_rights_are_no_repetition)
{
	struct web *w = begin();
	pw_pa shared = new_table(w);

	for (unsigned i = 0; i < 512; i++)
		fill(w, shared, i, i, ((uint64_t)i << 13) | PTE_PWU);
	ram_enter(&w->ram, &pw_format_x86_64, w->root, 0x200000, 1, shared | PTE_PWU);
	ram_enter(&w->ram, &pw_format_x86_64, w->root, 0x400000, 1, shared | PTE_P);
	ram_enter(&w->ram, &pw_format_x86_64, w->root, 0x600000, 1, shared | PTE_PWU | PTE_XD);
	ram_enter(&w->ram, &pw_format_x86_64, w->root, 0x800000, 1, shared | PTE_PWU | PTE_A);
	cr_assert(list(w, scratch, sizeof scratch, 0) == PW_OK);
	cr_assert_eq(count_kind(w, PW_REGION_MAPPED), 3 * 512u);
	cr_assert_eq(count_kind(w, PW_REGION_REPEATS), 1u, "Accessed is no right");
	cr_assert_eq(w->list[w->count - 1].repeats, 0x200000u);
	agree_everywhere(w);
	ram_end(&w->ram);
}

Test(regions_shared, expanded_on_demand)
{
	struct web *w = begin();
	pw_pa shared = new_table(w);

	fill(w, shared, 0, 511, 0x7000 | PTE_P);
	for (pw_va va = 0; va < 0x1000000; va += 0x200000)
		ram_enter(&w->ram, &pw_format_x86_64, w->root, va, 1, shared | PTE_PWU);
	pw_regions_begin(&w->regions, &w->space, 0, UINT64_MAX, scratch, sizeof scratch);
	w->regions.expand = true;
	for (w->count = 0; pw_regions_next(&w->regions, &w->list[w->count]); w->count++)
		;
	cr_assert_eq(w->count, 8 * 512u);
	cr_assert_eq(count_kind(w, PW_REGION_MAPPED), w->count);
	ram_end(&w->ram);
}

/* ---- Little or no scratch ---- */

Test(regions_shared, without_scratch_the_budget_ends_it_and_position_resumes)
{
	struct web *w = begin();
	pw_va first = 0;

	fill(w, w->root, 0, 511, w->root | PTE_PWU);
	cr_assert_eq(pw_format_x86_64.levels, 4);
	for (int piece = 0; piece < 20; piece++) {
		w->count = 0;
		pw_regions_begin(&w->regions, &w->space, first, UINT64_MAX, NULL, 0);
		cr_assert_eq(w->regions.budget, UINT64_C(1) << 26, "unless set otherwise");
		w->regions.budget = 1000 + (unsigned)piece;
		while (pw_regions_next(&w->regions, &w->list[w->count]))
			w->count++;
		cr_assert(w->regions.status == PW_E_BUDGET);
		cr_assert_not(pw_regions_next(&w->regions, &w->list[0]), "and stays at the end");
		for (unsigned i = 0; i < w->count; i++) {
			cr_assert(w->list[i].kind == PW_REGION_MAPPED);
			cr_assert_eq(w->list[i].first, first);
			first = w->list[i].last + 1;
		}
		cr_assert_eq(w->regions.position, first);
	}
	ram_end(&w->ram);
}

Test(regions_shared, scratch_of_any_size_and_alignment)
{
	struct web *w = begin();
	pw_pa shared = new_table(w);

	fill(w, shared, 0, 511, 0x7000 | PTE_P);
	for (pw_va va = 0; va < 0x1000000; va += 0x200000)
		ram_enter(&w->ram, &pw_format_x86_64, w->root, va, 1, shared | PTE_PWU);
	for (size_t bytes = 0; bytes < 200; bytes++) {
		for (size_t skew = 0; skew <= 8; skew++) {
			/* Exactly as much as is said, so that a sanitizer sees what lies outside.
			 */
			char *memory = malloc(bytes + skew);

			cr_assert(memory != NULL || bytes + skew == 0);
			cr_assert(list(w, memory + skew, bytes, 0) == PW_OK);
			cr_assert(w->count == 8 * 512 || w->count < 512 + 8);
			cr_assert(bytes < 40 || w->count < 512 + 8, "%u regions", w->count);
			free(memory);
		}
	}
	agree_everywhere(w);
	ram_end(&w->ram);
}
