/* SPDX-License-Identifier: MIT */
/*
 * Regions are exact: whole address spaces of random, cyclic and shared tables are compared with
 * translation page by page. Small formats make that possible; see test_regions_twin.c for real
 * ones.
 */
#include "ram.h"
#include "random.h"
#include "share.h"
#include "tiny_format.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define BASE     UINT64_C(0x400000)
#define TABLES   6
#define PAGE     UINT64_C(0x1000)
#define SCRATCH  PW_REGIONS_SCRATCH(TABLES * 64)
#define LIST_MAX 300000

struct atlas {
	struct random random;
	struct ram ram;
	struct pw_format format;
	struct pw_space space;
	pw_va first, last;
	_Alignas(8) unsigned char scratch[SCRATCH + 8];
	struct pw_region list[LIST_MAX];
	unsigned count;
	bool in_one_go;
	unsigned long seen[PW_REGION_LOST + 1];
};

/* ---- Random tables that point at each other ---- */

static uint64_t random_entry(struct random *random, uint64_t before, unsigned density)
{
	static const uint64_t flags[] = {
		PTE_PWU, PTE_PWU, PTE_PWU, PTE_PW, PTE_P, PTE_PWU | PTE_XD};
	uint64_t rights = flags[random_below(random, 6)];

	if (random_below(random, 100) >= density)
		return 0;
	if (random_once_in(random, 2))
		return before;
	switch (random_below(random, 24)) {
	case 0:
		return 0x100000000 | rights; /* no memory there */
	case 1:
		return BASE | PTE_PS | 0x2000 | rights; /* BAD where it is a huge page */
	case 2:
	case 3:
		return (random_below(random, 16) << 40) | PTE_PS | rights;
	default:
		return (BASE + random_below(random, TABLES) * PAGE) | rights;
	}
}

static void random_space(struct atlas *a)
{
	static const struct {
		unsigned levels, bits;
	} shapes[] = {{3, 5}, {6, 3}, {4, 4}, {2, 8}, {5, 3}, {3, 4}};
	unsigned shape = (unsigned)random_below(&a->random, 6);
	uint64_t before = 0;

	a->format = tiny_format(shapes[shape].levels, shapes[shape].bits);
	memset(a->ram.bytes, 0, (size_t)a->ram.size);
	for (unsigned table = 0; table < TABLES; table++) {
		unsigned density = (unsigned)random_below(&a->random, 140);

		for (unsigned i = 0; i < 1u << shapes[shape].bits; i++) {
			before = random_entry(&a->random, before, density);
			ram_store(&a->ram, BASE + table * PAGE + 8 * i, 8, before);
		}
	}
	cr_assert(pw_space_init(&a->space, &a->format, BASE, &a->ram.windows) == PW_OK);
}

/* ---- The enumeration, in one go or in pieces ---- */

static void random_range(struct atlas *a)
{
	pw_va x = pw_format_extend(&a->format, random_next(&a->random));
	pw_va y = pw_format_extend(&a->format, random_next(&a->random));

	a->first = x < y ? x : y;
	a->last = x < y ? y : x;
	if (random_once_in(&a->random, 2))
		a->first = 0;
	if (random_once_in(&a->random, 2))
		a->last = UINT64_MAX;
}

static void collect(struct atlas *a)
{
	size_t scratch = random_once_in(&a->random, 3) ? random_below(&a->random, 400)
			 : random_below(&a->random, 8) ? SCRATCH
						       : 0;
	unsigned skew = (unsigned)random_below(&a->random, 9);
	uint64_t budget = random_once_in(&a->random, 2) ? 0 : 64 + random_below(&a->random, 10000);
	pw_va first = a->first;
	struct pw_regions regions;

	a->count = 0;
	a->in_one_go = true;
	do {
		pw_regions_begin(&regions, &a->space, first, a->last,
			scratch ? a->scratch + skew : NULL, scratch);
		regions.expand = a->first % 3 == 1;
		if (budget)
			regions.budget = budget;
		while (pw_regions_next(&regions, &a->list[a->count])) {
			a->seen[a->list[a->count].kind]++;
			cr_assert(++a->count < LIST_MAX, "too many regions");
		}
		if (regions.status == PW_E_BUDGET) {
			cr_assert(budget && regions.position > first, "no headway");
			cr_assert(regions.it.reads < budget + 256, "more than a table too many");
			a->in_one_go = false;
			first = regions.position;
		}
	} while (regions.status == PW_E_BUDGET);
	cr_assert(regions.status == PW_OK);
}

/* ---- Page by page ---- */

static bool same_page(const struct pw_result *a, const struct pw_result *b)
{
	return a->status == b->status && a->pa == b->pa && a->page_size == b->page_size &&
	       a->rights == b->rights && a->user == b->user && a->supervisor == b->supervisor &&
	       a->level == b->level && (a->status == PW_NO_MEMORY || a->entry == b->entry);
}

static struct pw_result look(const struct atlas *a, pw_va va)
{
	struct pw_result result;

	(void)!pw_translate(&a->space, va, PW_ACCESS_ANY, &result);
	return result;
}

static bool agrees(const struct atlas *a, const struct pw_region *region, pw_va va)
{
	struct pw_result is = look(a, va), source;

	switch (region->kind) {
	case PW_REGION_MAPPED:
		return is.status == PW_OK && is.pa == region->pa + (va - region->first) &&
		       is.page_size == region->page_size &&
		       is.rights == pw_grant_rights(region->grant) &&
		       is.user == pw_grant_user(region->grant) &&
		       is.supervisor == pw_grant_supervisor(region->grant);
	case PW_REGION_REPEATS:
		source = look(a, region->repeats + (va - region->first));
		return same_page(&is, &source);
	case PW_REGION_BAD:
		return is.status == PW_RESERVED && is.level == region->level &&
		       is.entry == region->entry;
	default:
		return is.status == PW_NO_MEMORY && is.level == region->level;
	}
}

/* No region covers [from, to): all holes there. */
static void check_hole(const struct atlas *a, pw_va from, pw_va to)
{
	pw_va half = UINT64_C(1) << (a->format.va_bits - 1), va = from;

	while (va >= from && va < to) {
		struct pw_result is;

		if (va >= half && va < (pw_va)-half) {
			va = (pw_va)-half;
			continue;
		}
		is = look(a, va);
		cr_assert(is.status == PW_NOT_PRESENT, "no region at %#llx: %s",
			(unsigned long long)va, pw_status_name((enum pw_status)is.status));
		va = (va | (PAGE - 1)) + 1;
		if (va == 0)
			return;
	}
}

static void check_region(const struct atlas *a, const struct pw_region *region)
{
	pw_va size = region->last - region->first;

	cr_assert(region->first <= region->last && region->first >= a->first &&
		  region->last <= a->last);
	if (region->kind == PW_REGION_REPEATS)
		cr_assert(region->repeats + size < region->first && region->repeats >= a->first,
			"[%#llx, %#llx] repeats %#llx, which is not wholly before it",
			(unsigned long long)region->first, (unsigned long long)region->last,
			(unsigned long long)region->repeats);
	for (pw_va va = region->first; va >= region->first && va <= region->last;
		va = (va | (PAGE - 1)) + 1)
		cr_assert(agrees(a, region, va),
			"kind %u at %#llx, region [%#llx, %#llx] like %#llx, list from %#llx",
			region->kind, (unsigned long long)va, (unsigned long long)region->first,
			(unsigned long long)region->last, (unsigned long long)region->repeats,
			(unsigned long long)a->first);
	cr_assert(agrees(a, region, region->last));
}

static bool could_be_one(const struct pw_region *a, const struct pw_region *b)
{
	return a->kind == PW_REGION_MAPPED && b->kind == PW_REGION_MAPPED &&
	       a->last + 1 == b->first && a->page_size == b->page_size && a->grant == b->grant &&
	       a->pa + (b->first - a->first) == b->pa;
}

static void check_list(const struct atlas *a)
{
	pw_va next = a->first;

	for (unsigned i = 0; i < a->count; i++) {
		const struct pw_region *region = &a->list[i];

		cr_assert(region->first >= next && (next || !i), "regions overlap");
		check_hole(a, next, region->first);
		check_region(a, region);
		if (i && a->in_one_go)
			cr_assert(!could_be_one(region - 1, region), "not merged at %#llx",
				(unsigned long long)region->first);
		next = region->last + 1;
	}
	if (next || !a->count)
		check_hole(a, next, a->last);
}

Test(regions_exact, whole_spaces_page_by_page)
{
	static struct atlas a;
	unsigned rounds = share_of(200, 60);
	uint64_t seed = random_seed(20260921);

	a.random = random_from(seed);
	printf("seed %llu\n", (unsigned long long)seed);
	ram_begin(&a.ram, BASE, TABLES * PAGE);
	for (unsigned round = 0; round < rounds; round++) {
		random_space(&a);
		for (int i = 0; i < 3; i++) {
			random_range(&a);
			collect(&a);
			check_list(&a);
		}
	}
	for (unsigned kind = 0; kind <= PW_REGION_LOST; kind++)
		cr_expect(a.seen[kind] > 60, "kind %u: %lu", kind, a.seen[kind]);
	ram_end(&a.ram);
}
