/* SPDX-License-Identifier: MIT */
/* The two-stage walk, x86 under EPT: all that the answer says, and the rules that change it. */
#include "nested_ept.h"

Test(nested_ept_answer, advanced_information)
{
	const struct pw_rules rules = {.ept_advanced = true};
	struct pw_nested_result r;
	struct stages s;
	static const struct {
		uint64_t set, clear;
		pw_va va;
		uint64_t bits;
	} rows[] = {
		{0, 0, STAGES_SUPERVISOR_VA, PW_EPT_PAGE_WRITABLE},
		{0, 0, STAGES_USER_VA, PW_EPT_PAGE_USER | PW_EPT_PAGE_WRITABLE},
		{PTE_XD, 0, STAGES_SUPERVISOR_VA, PW_EPT_PAGE_WRITABLE | PW_EPT_PAGE_XD},
		{0, PTE_W, STAGES_USER_VA, PW_EPT_PAGE_USER},
		{PTE_XD, PTE_W, STAGES_SUPERVISOR_VA, PW_EPT_PAGE_XD},
	};

	stages_begin(&s, &pw_format_ept_4_mbec);
	stages_set(&s, 7, 0);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pw_space guest = stages_guest(&s, 0), stage2 = ept(&s, &rules);
		pw_pa at = s.guest_table + rows[i].va / 4096 * 8;
		uint64_t before = ram_load(&s.ram, at, 8);

		ram_store(&s.ram, at, 8, (before | rows[i].set) & ~rows[i].clear);
		cr_expect(pw_nested_translate(&guest, &stage2, rows[i].va, PW_ACCESS_READ, &r) ==
			  PW_NOT_PRESENT);
		cr_expect_eq(r.code & 0xe00, rows[i].bits, "row %zu: %#llx", i,
			(unsigned long long)r.code);
		cr_expect_eq(r.code_known & 0xe00, 0xe00);
		ram_store(&s.ram, at, 8, before);
	}
	stages_end(&s);
}

Test(nested_ept_answer, without_paging_every_address_is_a_users)
{
	const struct pw_rules rules = {.ept_advanced = true};
	const struct pw_x86_state off = {.cr0 = PW_CR0_PE};
	static const struct pw_memory nowhere = {.window_count = 0};
	struct pw_nested_result r;
	struct pw_space guest;
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	cr_assert(pw_space_init_x86(&guest, &off, &nowhere, NULL) == PW_OK);

	struct pw_space stage2 = ept(&s, &rules);

	cr_expect(pw_nested_translate(&guest, &stage2, 0x1234, PW_ACCESS_READ, &r) == PW_OK);
	cr_expect_eq(r.pa, 0x1234);
	cr_expect(pw_nested_translate(&guest, &stage2, 0x40000000, PW_ACCESS_READ, &r) ==
		  PW_NOT_PRESENT);
	cr_expect_eq(r.code, RD | LADDR | PADDR | PW_EPT_PAGE_USER | PW_EPT_PAGE_WRITABLE);
	stages_end(&s);
}

Test(nested_ept_answer, a_success_says_all_of_both_stages)
{
	const struct pw_rules rules = {.pa_bits = 0};
	struct pw_nested_result r;
	struct stages s;
	char text[120];

	stages_begin(&s, &pw_format_ept_4_mbec);
	stages_place(&s, 1, 1);
	stages_set(&s, 7, 5);

	struct pw_space guest = stages_guest(&s, 0), stage2 = ept(&s, &rules);

	cr_assert(pw_nested_translate(
			  &guest, &stage2, STAGES_USER_VA + 0x123, PW_ACCESS_READ, &r) == PW_OK);
	cr_expect(r.pa == s.hpa + 0x123 && r.gpa == s.gpa + 0x123);
	cr_expect_eq(r.page_size, 4096);
	cr_expect(r.stage1.page_size == 4096 && r.stage2.page_size == UINT64_C(2) << 20);
	cr_expect_eq(r.rights, PW_R | PW_X | PW_U);
	cr_expect_eq(r.stage1.rights, PW_R | PW_W | PW_X | PW_U);
	cr_expect_eq(r.stage2.rights, PW_R | PW_X);
	cr_expect(r.stage == 0 && r.exit == PW_EXIT_NONE && r.level == -1);
	cr_expect_eq(r.stage1.entry_pa, s.guest_table + 16);
	pw_nested_explain(&r, text, sizeof text);
	cr_expect_str_eq(text, "0x2123 -> 0x8040003123 -> 0x3123 (4 KiB, r-xu)", "%s", text);
	stages_end(&s);
}

Test(nested_ept_answer, more_address_bits_than_four_levels_take)
{
	const struct pw_rules rules = {.pa_bits = 0};
	struct pw_nested_result r;
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	ram_store(&s.ram, s.guest_entry, 8, UINT64_C(1) << 48 | PTE_PW | PTE_A);

	struct pw_space guest = stages_guest(&s, 0), stage2 = ept(&s, &rules);

	cr_expect(pw_nested_translate(&guest, &stage2, STAGES_SUPERVISOR_VA, PW_ACCESS_READ, &r) ==
		  PW_NON_CANONICAL);
	cr_expect(r.exit == PW_EXIT_EPT_VIOLATION && r.code == (RD | LADDR | PADDR));
	stages_end(&s);
}

Test(nested_ept_answer, pdptes_are_loaded_by_reads)
{
	const struct pw_x86_state pae = {
		.cr0 = PW_CR0_PE | PW_CR0_PG, .cr3 = UINT64_C(0x40000000), .cr4 = PW_CR4_PAE};
	const struct pw_rules rules = {.ept_advanced = true};
	static const struct pw_memory nowhere = {.window_count = 0};
	struct pw_nested_result r;
	struct pw_space guest;
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	cr_assert(pw_space_init_x86(&guest, &pae, &nowhere, NULL) == PW_OK);

	struct pw_space stage2 = ept(&s, &rules);

	cr_expect(pw_nested_translate(&guest, &stage2, 0x1000, PW_ACCESS_WRITE, &r) ==
		  PW_NOT_PRESENT);
	cr_expect(r.during == PW_DURING_PDPTE && r.level == 2 && r.gpa == pae.cr3);
	cr_expect(r.exit == PW_EXIT_EPT_VIOLATION && r.code == RD, "%#llx",
		(unsigned long long)r.code);

	/* A page that can only be read will do, although EPT's flags are on. */
	(void)ram_enter(&s.ram, s.format, s.root2, pae.cr3, 0, s.hpa | 0x31);
	cr_expect(pw_nested_translate(&guest, &stage2, 0x1000, PW_ACCESS_WRITE, &r) ==
		  PW_NOT_PRESENT);
	cr_expect(r.stage == 1 && r.exit == PW_EXIT_GUEST && r.code == PW_PF_W);
	stages_end(&s);
}

Test(nested_ept_answer, supervisor_shadow_stacks)
{
	static const struct {
		uint64_t rights, page;
		bool control, allowed;
	} rows[] = {
		{1, UINT64_C(1) << 60, true, true}, /* W of the page does not count */
		{3, UINT64_C(1) << 60, true, true},
		{1, 0, true, false},
		{3, 0, true, false},
		{4, UINT64_C(1) << 60, true, false}, /* R counts */
		{3, 0, false, true},
		{1, UINT64_C(1) << 60, false, false},
	};
	const pw_access access = PW_ACCESS_WRITE | PW_ACCESS_SHADOW_STACK;
	struct pw_nested_result r;
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	ram_store(&s.ram, s.guest_entry, 8, s.gpa | PTE_P | PTE_A | PTE_D);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct pw_rules rules = {.ept_shadow_stack = rows[i].control};
		struct pw_space guest = stages_guest(&s, PW_CR4_CET), stage2 = ept(&s, &rules);

		stages_set(&s, 7 | UINT64_C(1) << 60, rows[i].rights | rows[i].page);
		cr_expect((pw_nested_translate(&guest, &stage2, STAGES_SUPERVISOR_VA, access, &r) ==
				  PW_OK) == rows[i].allowed,
			"row %zu", i);
		if (rows[i].allowed)
			continue;
		cr_expect(r.exit == PW_EXIT_EPT_VIOLATION && r.code & PW_EPT_SHADOW_ACCESS);
		if (rows[i].control)
			cr_expect_eq(!!(r.code & PW_EPT_SHADOW_PAGE), rows[i].page != 0);
		else
			cr_expect(!(r.code_known & PW_EPT_SHADOW_PAGE));
	}
	stages_end(&s);
}

Test(nested_ept_answer, regardless_of_rights)
{
	const struct pw_rules rules = {.pa_bits = 0};
	struct pw_nested_result r;
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	stages_place_table(&s, 0, 0);
	stages_set(&s, 7, 4);

	struct pw_space guest = stages_guest(&s, 0), stage2 = ept(&s, &rules);

	cr_expect(pw_nested_translate(&guest, &stage2, STAGES_SUPERVISOR_VA, PW_ACCESS_ANY, &r) ==
		  PW_OK);
	cr_expect_eq(r.pa, s.hpa);
	stages_set(&s, 7, 0);
	cr_expect(pw_nested_translate(&guest, &stage2, STAGES_SUPERVISOR_VA, PW_ACCESS_ANY, &r) ==
		  PW_NOT_PRESENT);
	cr_expect(r.stage == 2 && r.during == PW_DURING_TABLE && r.exit == PW_EXIT_NONE);
	stages_end(&s);
}

Test(nested_ept_answer, calls_that_cannot_be_made)
{
	const struct pw_rules rules = {.pa_bits = 0};
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);

	struct pw_space guest = stages_guest(&s, 0), stage2 = ept(&s, &rules);
	struct pw_nested_result r;

	cr_expect(pw_nested_translate(&guest, &guest, 0, PW_ACCESS_READ, &r) == PW_E_ARGUMENT);
	cr_expect(pw_nested_translate(&guest, &stage2, 0, 0, &r) == PW_E_ARGUMENT);
	cr_expect(r.status == PW_E_ARGUMENT && r.exit == PW_EXIT_NONE);
	cr_expect(pw_nested_translate(NULL, &stage2, 0, PW_ACCESS_READ, &r) == PW_E_ARGUMENT);
	cr_expect(pw_nested_translate(&guest, NULL, 0, PW_ACCESS_READ, &r) == PW_E_ARGUMENT);
	cr_expect(pw_nested_translate(
			  &guest, &stage2, STAGES_SUPERVISOR_VA, PW_ACCESS_READ, NULL) == PW_OK);
	stages_end(&s);
}
