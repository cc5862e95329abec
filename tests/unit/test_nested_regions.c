/* SPDX-License-Identifier: MIT */
/* The composed space as regions, and stages that are stacked. */
#include "random.h"
#include "two_stages.h"
#include <criterion/criterion.h>
#include <stdio.h>

static struct pw_space second(const struct stages *s, const struct pw_rules *rules)
{
	struct pw_space space;

	cr_assert(pw_space_init_rules(&space,
			  s->format->family == PW_FAMILY_EPT ? &pw_format_ept_4 : s->format,
			  s->root2, &s->ram.windows, rules) == PW_OK);
	return space;
}

/* A 2 MiB page of the guest over three kinds of second-stage pages, with a hole. */
Test(nested_regions, a_page_is_cut_where_stage_2_changes)
{
	const pw_pa big = UINT64_C(0x40000000);
	struct pw_nested_regions it;
	struct pw_nested_region r;
	struct pw_space one, two;
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	(void)ram_enter(&s.ram, &pw_format_x86_64, s.root1, 0x40000000, 1,
		big | PTE_PWU | PTE_PS | PTE_A | PTE_D);
	for (unsigned i = 0; i < 512; i++) {
		uint64_t rights = i < 16 ? 0x37 : i < 32 ? 0x31 : i < 40 ? 0 : 0x37;

		if (i == 100)
			rights = 0x32; /* write without read: misconfigured */
		(void)ram_enter(&s.ram, s.format, s.root2, big + i * 4096, 0,
			rights ? (UINT64_C(0x100000000) + i * 4096) | rights : 0);
	}
	one = stages_guest(&s, 0);
	two = second(&s, NULL);
	pw_nested_regions_begin(&it, &one, &two, 0x40000000, 0x401fffff, false, NULL, 0);

	static const struct {
		unsigned first, last, kind;
		pw_rights rights;
	} expected[] = {
		{0, 15, PW_REGION_MAPPED, PW_R | PW_W | PW_X | PW_U},
		{16, 31, PW_REGION_MAPPED, PW_R | PW_U},
		{32, 39, PW_REGION_UNBACKED, 0},
		{40, 99, PW_REGION_MAPPED, PW_R | PW_W | PW_X | PW_U},
		{100, 100, PW_REGION_BAD, 0},
		{101, 511, PW_REGION_MAPPED, PW_R | PW_W | PW_X | PW_U},
	};

	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		cr_assert(pw_nested_regions_next(&it, &r), "region %zu", i);
		cr_expect_eq(r.first, 0x40000000 + expected[i].first * 4096u, "region %zu", i);
		cr_expect_eq(r.last, 0x40000fff + expected[i].last * 4096u, "region %zu", i);
		cr_expect_eq(r.kind, expected[i].kind, "region %zu", i);
		cr_expect_eq(r.gpa, big + expected[i].first * 4096u, "region %zu", i);
		if (r.kind != PW_REGION_MAPPED) {
			cr_expect_eq(r.stage, 2, "region %zu", i);
			continue;
		}
		cr_expect_eq(r.pa, UINT64_C(0x100000000) + expected[i].first * 4096u);
		cr_expect_eq(pw_grant_rights(r.grant), expected[i].rights, "region %zu", i);
		cr_expect_eq(r.page_size, 4096);
	}
	cr_expect(!pw_nested_regions_next(&it, &r) && it.status == PW_OK);
	stages_end(&s);
}

Test(nested_regions, a_table_out_of_reach_is_lost)
{
	struct pw_nested_regions it;
	struct pw_nested_region r;
	struct pw_space one, two;
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	stages_place_table(&s, 0, 0);
	stages_set(&s, 7, 1); /* a reader's, and with Accessed and Dirty the walk is a writer */
	one = stages_guest(&s, 0);
	two = second(&s, NULL);
	pw_nested_regions_begin(&it, &one, &two, 0, UINT64_MAX, false, NULL, 0);
	cr_assert(pw_nested_regions_next(&it, &r));
	cr_expect(r.kind == PW_REGION_LOST && r.stage == 1 && r.level == 0);
	cr_expect(r.first == 0 && r.last == 0x1fffff);
	cr_expect(!pw_nested_regions_next(&it, &r) && it.status == PW_OK);

	pw_nested_regions_begin(&it, &one, &two, 0, UINT64_MAX, true, NULL, 0);
	cr_assert(pw_nested_regions_next(&it, &r));
	cr_expect(r.kind == PW_REGION_MAPPED && r.first == 0x1000 && r.pa == s.hpa);
	stages_end(&s);
}

Test(nested_regions, the_budget_holds_for_both_stages)
{
	struct pw_nested_regions it;
	struct pw_nested_region r;
	struct pw_space one, two;
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	one = stages_guest(&s, 0);
	two = second(&s, NULL);
	for (uint64_t budget = 1; budget < 3000; budget += 7) {
		pw_va position = 0;
		unsigned rounds = 0;

		pw_nested_regions_begin(&it, &one, &two, 0, UINT64_MAX, false, NULL, 0);
		it.budget = budget;
		while (pw_nested_regions_next(&it, &r))
			position = r.last;
		cr_expect(it.outer.it.reads + it.inner_reads <= budget + 8, "budget %llu",
			(unsigned long long)budget);
		cr_expect(it.status == PW_OK || it.status == PW_E_BUDGET);
		if (it.status == PW_E_BUDGET)
			cr_expect(it.position >= position || position == 0);
		cr_assert(++rounds < 10);
	}
	stages_end(&s);
}

/* Whatever the tables: each address is in the region that its own translation says. */
static void judge(const struct pw_space *one, const struct pw_space *two,
	const struct pw_nested_region *r, pw_va va)
{
	struct pw_nested_result result;
	enum pw_status status = pw_nested_translate(one, two, va, PW_ACCESS_ANY, &result);

	switch (r->kind) {
	case PW_REGION_MAPPED:
		cr_assert(status == PW_OK, "%#llx: %s", (unsigned long long)va,
			pw_status_name(status));
		cr_assert(result.pa == r->pa + (va - r->first));
		cr_assert(result.gpa == r->gpa + (va - r->first));
		cr_assert(result.page_size == r->page_size);
		cr_assert(result.rights == pw_grant_rights(r->grant));
		cr_assert(result.user == pw_grant_user(r->grant));
		cr_assert(result.supervisor == pw_grant_supervisor(r->grant));
		break;
	case PW_REGION_UNBACKED:
		cr_assert((status == PW_NOT_PRESENT || status == PW_NON_CANONICAL) &&
			  result.stage == 2 && result.during == PW_DURING_FINAL);
		break;
	case PW_REGION_BAD:
		cr_assert(status == PW_RESERVED && result.stage == r->stage);
		break;
	case PW_REGION_LOST:
		cr_assert(status != PW_OK);
		break;
	default:
		break;
	}
}

static uint64_t some_entry(struct random *random, uint64_t size, bool ept)
{
	uint64_t pa = random_below(random, UINT64_C(1) << 30) & ~(size - 1);
	uint64_t page = size > 4096 ? 0x80 : 0;

	if (random_once_in(random, 9))
		return random_next(random) | page; /* never a table */
	if (ept)
		return pa | page | 0x30 | random_below(random, 8) | (random_below(random, 2) << 10);
	return pa | page | 1 | random_below(random, 4) << 1;
}

Test(nested_regions, agree_with_single_translations)
{
	uint64_t seed = random_seed(20260921);
	struct random random = random_from(seed);

	for (int round = 0; round < 300; round++) {
		const struct pw_rules rules = {
			.ept_mode_based_execute = random_once_in(&random, 2)};
		static uint64_t scratch[2000];
		struct pw_nested_regions it;
		struct pw_nested_region r;
		struct pw_space one, two;
		struct stages s;
		pw_va next = 0;
		bool any = false;

		stages_begin(
			&s, random_once_in(&random, 3) ? &pw_format_npt_4 : &pw_format_ept_4_mbec);
		for (int i = 0; i < 24; i++) {
			unsigned level = (unsigned)random_below(&random, 3);
			uint64_t size = UINT64_C(1) << (12 + 9 * level);

			(void)ram_enter(&s.ram, &pw_format_x86_64, s.root1,
				(UINT64_C(1) << 39) + random_below(&random, 6) * size, level,
				some_entry(&random, size, false));
			(void)ram_enter(&s.ram, s.format, s.root2,
				(UINT64_C(1) << 22) + random_below(&random, 6) * size, level,
				some_entry(&random, size, s.format->family == PW_FAMILY_EPT));
			if (s.ram.next_table > s.ram.size - 0x8000)
				break;
		}
		one = stages_guest(&s, 0);
		two = second(&s, &rules);
		pw_nested_regions_begin(&it, &one, &two, UINT64_C(1) << 39,
			(UINT64_C(1) << 39) + (UINT64_C(1) << 34), true, scratch, sizeof scratch);
		while (pw_nested_regions_next(&it, &r)) {
			cr_assert(r.first <= r.last && (!any || r.first > next));
			judge(&one, &two, &r, r.first);
			judge(&one, &two, &r, r.last);
			judge(&one, &two, &r,
				r.first + random_below(&random, r.last - r.first + 1));
			next = r.last;
			any = true;
		}
		cr_expect(it.status == PW_OK);
		stages_end(&s);
	}
	printf("seed %llu\n", (unsigned long long)seed);
}

/* ---- Stacked stages ---- */

/*
 * A guest hypervisor's EPT (12) stands in its own guest-physical memory, under the EPT of the
 * machine (01): the space of its guest's guest is made of three.
 */
Test(nested_memory, a_guests_guest)
{
	struct pw_nested_memory memory;
	struct pw_space ept01, ept12, l2;
	struct pw_nested_result r;
	struct stages s;
	pw_pa root12, shift = UINT64_C(0x10000000);

	stages_begin(&s, &pw_format_ept_4_mbec);
	/* EPT01 maps guest-physical `shift` + x to x too; EPT12 lies there, and maps 2 MiB at 0. */
	(void)ram_enter(&s.ram, s.format, s.root2, shift, 1, 0x4b7);
	root12 = ram_new_table(&s.ram, 4096);

	pw_pa table = ram_new_table(&s.ram, 4096), directory = ram_new_table(&s.ram, 4096);

	ram_store(&s.ram, root12, 8, (table + shift) | 7);
	ram_store(&s.ram, table, 8, (directory + shift) | 7);
	ram_store(&s.ram, directory, 8, shift | 0xb7); /* L2's 0 is L1's `shift` */
	ept01 = second(&s, NULL);
	pw_nested_memory_begin(&memory, &ept01, false);
	cr_assert(pw_space_init(&ept12, &pw_format_ept_4, root12 + shift, &memory.memory) == PW_OK);
	ram_store(&s.ram, s.guest_entry, 8, s.hpa | PTE_PW | PTE_A | PTE_D);
	l2 = stages_guest(&s, 0);
	cr_assert(pw_nested_translate(&l2, &ept12, STAGES_SUPERVISOR_VA, PW_ACCESS_WRITE, &r) ==
		  PW_OK);
	cr_expect(r.gpa == s.hpa && r.pa == s.hpa + shift); /* L1's guest-physical address */

	/* And from there to the machine. */
	cr_expect(pw_translate(&ept01, r.pa, PW_ACCESS_WRITE, NULL) == PW_OK);
	/* Without EPT01's leave EPT12's table cannot be read. */
	ram_store(&s.ram, root12, 8, (table + 2 * shift) | 7);
	cr_expect(pw_nested_translate(&l2, &ept12, STAGES_SUPERVISOR_VA, PW_ACCESS_WRITE, &r) ==
		  PW_NO_MEMORY);
	cr_expect(r.stage == 2);
	stages_end(&s);
}

/* Everything that takes a memory takes this one: data, and changes to tables. */
Test(nested_memory, reads_and_writes_what_stage_2_allows)
{
	struct pw_nested_memory memory;
	struct pw_space two, guest;
	struct stages s;
	uint64_t value = 0, data = UINT64_C(0x1122334455667788);
	const struct pw_x86_state state = {.cr0 = PW_CR0_PE | PW_CR0_PG | PW_CR0_WP,
		.cr4 = PW_CR4_PAE,
		.efer = PW_EFER_LMA | PW_EFER_LME};
	struct pw_x86_state with_root = state;

	stages_begin(&s, &pw_format_ept_4_mbec);
	two = second(&s, NULL);
	pw_nested_memory_begin(&memory, &two, false);
	with_root.cr3 = s.root1;
	cr_assert(pw_space_init_x86(&guest, &with_root, &memory.memory, NULL) == PW_OK);
	cr_expect(pw_write(&guest, STAGES_SUPERVISOR_VA + 8, &data, sizeof data) == PW_OK);
	cr_expect(pw_read(&guest, STAGES_SUPERVISOR_VA + 8, &value, sizeof value) == PW_OK);
	cr_expect_eq(value, data);
	cr_expect_eq(ram_load(&s.ram, s.hpa + 8, 8), data);

	/* Flags go into the guest's table through stage 2. */
	ram_store(&s.ram, s.guest_entry, 8, s.gpa | PTE_PW);
	cr_expect(pw_translate_update(&guest, STAGES_SUPERVISOR_VA, PW_ACCESS_WRITE, 2, NULL) ==
		  PW_OK);
	cr_expect_eq(ram_load(&s.ram, s.guest_entry, 8), s.gpa | PTE_PW | PTE_A | PTE_D);

	/* Read-only in stage 2: no write, unless rights do not count. */
	stages_set(&s, 7, 1);
	cr_expect(pw_write(&guest, STAGES_SUPERVISOR_VA + 8, &value, sizeof value) != PW_OK);
	cr_expect(pw_read(&guest, STAGES_SUPERVISOR_VA + 8, &value, sizeof value) == PW_OK);
	pw_nested_memory_begin(&memory, &two, true);
	cr_expect(pw_write(&guest, STAGES_SUPERVISOR_VA + 8, &value, sizeof value) == PW_OK);
	stages_set(&s, 7, 0);
	cr_expect(pw_read(&guest, STAGES_SUPERVISOR_VA + 8, &value, sizeof value) != PW_OK);
	stages_end(&s);
}

Test(nested_memory, entries_are_written_whole)
{
	struct pw_nested_memory memory;
	struct pw_space two;
	struct stages s;
	uint64_t seen = 0;

	stages_begin(&s, &pw_format_npt_4);
	two = second(&s, NULL);
	pw_nested_memory_begin(&memory, &two, false);

	const struct pw_memory *m = &memory.memory;

	cr_expect(m->write_pte(m->ctx, s.gpa + 16, 8, 42) && ram_load(&s.ram, s.hpa + 16, 8) == 42);
	cr_expect(m->write_pte(m->ctx, s.gpa + 24, 4, 43) && ram_load(&s.ram, s.hpa + 24, 8) == 43);
	cr_expect(m->read_pte(m->ctx, s.gpa + 16, 8, &seen) && seen == 42);
	seen = 41;
	cr_expect(!m->exchange_pte(m->ctx, s.gpa + 16, 8, &seen, 44) && seen == 42);
	cr_expect(m->exchange_pte(m->ctx, s.gpa + 16, 8, &seen, 44));
	cr_expect_eq(ram_load(&s.ram, s.hpa + 16, 8), 44);
	cr_expect(!m->write_pte(m->ctx, UINT64_C(1) << 46, 8, 1));
	s.ram.window.read_only = true;
	cr_expect(!m->write_pte(m->ctx, s.gpa + 16, 8, 1));
	cr_expect_eq(ram_load(&s.ram, s.hpa + 16, 8), 44);
	stages_end(&s);
}
