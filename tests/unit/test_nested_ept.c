/* SPDX-License-Identifier: MIT */
/*
 * The two-stage walk, x86 under EPT: what hardware was seen to report, case by case. The vectors
 * are those of kvm-unit-tests (x86/vmx_tests.c, ept_access_test_*), and the tables of the SDM, vol.
 * 3C, "EPT Misconfigurations", "Exit Qualification for EPT Violations".
 */
#include "two_stages.h"
#include <criterion/criterion.h>
#include <stdio.h>

enum {
	RD = 1,
	WR = 2,
	F = 4,
	PR = 8,
	PW = 0x10,
	PX = 0x20,
	PUX = 0x40
};
enum {
	LADDR = 0x80,
	PADDR = 0x100
};
/* Instead of a qualification. */
enum {
	OK = -1,
	MISCONFIG = -2
};

#define RIGHTS UINT64_C(0x407) /* R, W, X and XU */
#define XU     UINT64_C(0x400)

static struct pw_space ept(const struct stages *s, const struct pw_rules *rules)
{
	struct pw_space space;

	cr_assert(pw_space_init_rules(&space, &pw_format_ept_4, s->root2, &s->ram.windows, rules) ==
		  PW_OK);
	return space;
}

/* The walk ends as foretold. */
static void check(const struct stages *s, const struct pw_rules *rules, pw_va va, pw_access access,
	int expected, const char *what)
{
	struct pw_space guest = stages_guest(s, 0), stage2 = ept(s, rules);
	struct pw_nested_result r;
	enum pw_status status = pw_nested_translate(&guest, &stage2, va, access, &r);
	char text[200];

	pw_nested_explain(&r, text, sizeof text);
	cr_expect_eq(status, r.status);
	if (expected == OK) {
		cr_expect(status == PW_OK && r.pa == s->hpa && r.exit == PW_EXIT_NONE, "%s: %s",
			what, text);
		return;
	}
	cr_expect(r.stage == 2 && r.gpa == s->gpa && r.address == s->gpa && r.address_known,
		"%s: %s", what, text);
	if (expected == MISCONFIG) {
		cr_expect(r.exit == PW_EXIT_EPT_MISCONFIGURATION && status == PW_RESERVED, "%s: %s",
			what, text);
		return;
	}
	cr_expect(r.exit == PW_EXIT_EPT_VIOLATION, "%s: %s", what, text);
	cr_expect_eq(r.code & r.code_known & 0x7f, (uint64_t)expected & 0x7f, "%s: %s", what, text);
	cr_expect_eq(r.code & (LADDR | PADDR), (uint64_t)expected & (LADDR | PADDR), "%s: %s", what,
		text);
	cr_expect_eq(r.code & ~r.code_known, 0, "%s: %s", what, text);
	cr_expect_eq(!!(r.code_known & PUX), rules->ept_mode_based_execute);
}

/* ---- Rights of the page ---- */

enum when {
	ALWAYS,
	MBEC_OFF,
	MBEC_ON
};

static const struct vector {
	uint64_t rights; /* R 1, W 2, X 4, XU 0x400 */
	bool no_execute_only;
	enum when when;
	int read, write, fetch, user_fetch; /* without LADDR and PADDR */
} vectors[] = {
	{0, false, ALWAYS, RD, WR, F, F},
	{0, true, ALWAYS, RD, WR, F, F},
	{1, false, ALWAYS, OK, WR | PR, F | PR, F | PR},
	{2, false, ALWAYS, MISCONFIG, MISCONFIG, MISCONFIG, MISCONFIG},
	{2 | XU, false, ALWAYS, MISCONFIG, MISCONFIG, MISCONFIG, MISCONFIG},
	{6, false, ALWAYS, MISCONFIG, MISCONFIG, MISCONFIG, MISCONFIG},
	{6 | XU, false, ALWAYS, MISCONFIG, MISCONFIG, MISCONFIG, MISCONFIG},
	{3, false, ALWAYS, OK, OK, F | PR | PW, F | PR | PW},
	{4, false, MBEC_OFF, RD | PX, WR | PX, OK, OK},
	{4, false, MBEC_ON, RD | PX, WR | PX, OK, F | PX},
	{4, true, ALWAYS, MISCONFIG, MISCONFIG, MISCONFIG, MISCONFIG},
	{4 | XU, true, ALWAYS, MISCONFIG, MISCONFIG, MISCONFIG, MISCONFIG},
	{XU, false, MBEC_OFF, RD, WR, F, F},
	{XU, true, MBEC_OFF, RD, WR, F, F},
	{XU, false, MBEC_ON, RD | PUX, WR | PUX, F | PUX, OK},
	{XU, true, MBEC_ON, MISCONFIG, MISCONFIG, MISCONFIG, MISCONFIG},
	{4 | XU, false, MBEC_ON, RD | PX | PUX, WR | PX | PUX, OK, OK},
	{5, false, MBEC_OFF, OK, WR | PR | PX, OK, OK},
	{5, false, MBEC_ON, OK, WR | PR | PX, OK, F | PR | PX},
	{1 | XU, false, MBEC_ON, OK, WR | PR | PUX, F | PR | PUX, OK},
	{5 | XU, false, MBEC_ON, OK, WR | PR | PX | PUX, OK, OK},
	{7, false, MBEC_OFF, OK, OK, OK, OK},
	{7, false, MBEC_ON, OK, OK, OK, F | PR | PW | PX},
	{3 | XU, false, MBEC_ON, OK, OK, F | PR | PW | PUX, OK},
	{7 | XU, false, ALWAYS, OK, OK, OK, OK},
};

static int final_code(int code)
{
	return code < 0 ? code : code | LADDR | PADDR;
}

static void try_vector(struct stages *s, const struct vector *v, bool mbec, unsigned page_level,
	unsigned entry_level)
{
	const struct pw_rules rules = {.ept_mode_based_execute = mbec,
		.ept_no_execute_only = v->no_execute_only,
		.ept_advanced = page_level == 1};
	char what[100];

	(void)snprintf(what, sizeof what, "rights %#llx, mbec %d, page level %u, entry level %u",
		(unsigned long long)v->rights, mbec, page_level, entry_level);
	stages_place(s, page_level, entry_level);
	stages_set(s, RIGHTS, v->rights);
	check(s, &rules, STAGES_SUPERVISOR_VA, PW_ACCESS_READ, final_code(v->read), what);
	check(s, &rules, STAGES_SUPERVISOR_VA, PW_ACCESS_WRITE, final_code(v->write), what);
	check(s, &rules, STAGES_SUPERVISOR_VA, PW_ACCESS_FETCH, final_code(v->fetch), what);
	check(s, &rules, STAGES_USER_VA, PW_ACCESS_FETCH | PW_ACCESS_USER,
		final_code(v->user_fetch), what);
	/* Without SMEP the supervisor may fetch from a user's page, which stays a user's page. */
	check(s, &rules, STAGES_USER_VA, PW_ACCESS_FETCH, final_code(v->user_fetch), what);
	stages_set(s, RIGHTS, RIGHTS);
}

Test(nested_ept, rights_at_every_level)
{
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		for (unsigned page = 0; page <= 2; page++) {
			for (unsigned entry = page; entry <= 3; entry++) {
				if (vectors[i].when != MBEC_ON)
					try_vector(&s, &vectors[i], false, page, entry);
				if (vectors[i].when != MBEC_OFF)
					try_vector(&s, &vectors[i], true, page, entry);
			}
		}
	}
	stages_end(&s);
}

/* ---- Reserved bits and memory types ---- */

static uint64_t reserved_bits(unsigned page, unsigned entry, unsigned maxphyaddr)
{
	uint64_t high = ~UINT64_C(0) << maxphyaddr & ~(~UINT64_C(0) << 52);

	if (entry == 3)
		return high | 0xf8;
	if (entry > page)
		return high | 0x78;
	return page == 0
		       ? high
		       : high | (UINT64_C(0x3ffff) << 12 &
					((page == 1 ? UINT64_C(1) << 21 : UINT64_C(1) << 30) - 1));
}

Test(nested_ept, each_reserved_bit_misconfigures_only_what_is_present)
{
	const struct pw_rules rules = {.pa_bits = 40};
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	for (unsigned page = 0; page <= 2; page++) {
		for (unsigned entry = page; entry <= 3; entry++) {
			uint64_t reserved = reserved_bits(page, entry, 40);

			stages_place(&s, page, entry);
			for (unsigned bit = 3; bit < 64; bit++) {
				uint64_t one = UINT64_C(1) << bit;
				char what[64];

				if (!(reserved & one))
					continue;
				(void)snprintf(what, sizeof what, "bit %u, page %u, entry %u", bit,
					page, entry);
				stages_set(&s, one, one);
				check(&s, &rules, STAGES_SUPERVISOR_VA, PW_ACCESS_READ, MISCONFIG,
					what);
				stages_set(&s, 7, 0);
				check(&s, &rules, STAGES_SUPERVISOR_VA, PW_ACCESS_READ,
					RD | LADDR | PADDR, what);
				stages_set(&s, one | 7, 7);
			}
		}
	}
	stages_end(&s);
}

Test(nested_ept, bits_that_are_ignored_change_nothing)
{
	const struct pw_rules rules = {.pa_bits = 40};
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	for (unsigned page = 0; page <= 2; page++) {
		stages_place(&s, page, page);
		stages_set(&s, UINT64_C(0xfff0000000000f00) | (page ? 0 : 0x80),
			UINT64_C(0xfff0000000000f00) | (page ? 0 : 0x80));
		check(&s, &rules, STAGES_SUPERVISOR_VA, PW_ACCESS_WRITE, OK, "ignored bits");
	}
	stages_end(&s);
}

Test(nested_ept, memory_types_that_are_none)
{
	const struct pw_rules rules = {.pa_bits = 0};
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	for (unsigned page = 0; page <= 2; page++) {
		for (unsigned type = 0; type < 8; type++) {
			bool none = type == 2 || type == 3 || type == 7;

			stages_place(&s, page, page);
			stages_set(&s, 0x38, (uint64_t)type << 3);
			check(&s, &rules, STAGES_SUPERVISOR_VA, PW_ACCESS_READ,
				none ? MISCONFIG : OK, "memory type");
			check(&s, &rules, STAGES_SUPERVISOR_VA, PW_ACCESS_WRITE,
				none ? MISCONFIG : OK, "memory type");
			stages_set(&s, 0x38, 0x30);
		}
	}
	stages_end(&s);
}

Test(nested_ept, large_pages_that_the_cpu_lacks)
{
	const struct pw_rules no_2m = {.ept_no_2m_pages = true}, no_1g = {.no_1g_pages = true};
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	stages_place(&s, 2, 2);
	check(&s, &no_1g, STAGES_SUPERVISOR_VA, PW_ACCESS_READ, MISCONFIG, "1 GiB");
	stages_end(&s);

	/* Without 2 MiB pages the guest's tables cannot be reached: they stand in one. */
	struct pw_nested_result r;

	stages_begin(&s, &pw_format_ept_4_mbec);

	struct pw_space guest = stages_guest(&s, 0), stage2 = ept(&s, &no_2m);

	cr_expect(pw_nested_translate(&guest, &stage2, STAGES_SUPERVISOR_VA, PW_ACCESS_READ, &r) ==
		  PW_RESERVED);
	cr_expect(r.exit == PW_EXIT_EPT_MISCONFIGURATION && r.during == PW_DURING_TABLE);
	cr_expect(r.gpa == s.root1 && r.level == 3 && r.stage2.level == 1);
	stages_end(&s);
}

/* ---- The guest's tables ---- */

static const struct table_vector {
	bool accessed_dirty; /* EPTP bit 6 */
	uint64_t rights;     /* of the page that holds the guest's last table */
	uint64_t pte_clear;  /* flags taken out of the guest's entry */
	pw_access access;
	int expected;
} table_vectors[] = {
	{false, 0, 0, PW_ACCESS_READ, RD | LADDR},
	{false, 0, 0, PW_ACCESS_WRITE, RD | LADDR},
	{false, 0, 0, PW_ACCESS_FETCH, RD | LADDR},
	{true, 0, 0, PW_ACCESS_READ, RD | WR | LADDR},
	{true, 0, PTE_A | PTE_D, PW_ACCESS_FETCH, RD | WR | LADDR},
	{false, 1, PTE_A, PW_ACCESS_READ, RD | WR | PR | LADDR},
	{false, 1, PTE_A, PW_ACCESS_FETCH, RD | WR | PR | LADDR},
	{false, 1, PTE_D, PW_ACCESS_WRITE, RD | WR | PR | LADDR},
	{false, 5, PTE_A, PW_ACCESS_READ, RD | WR | PR | PX | LADDR},
	{false, 5, PTE_D, PW_ACCESS_WRITE, RD | WR | PR | PX | LADDR},
	{false, 1, 0, PW_ACCESS_READ, OK},
	{false, 1, 0, PW_ACCESS_WRITE, OK},
	{false, 1, PTE_D, PW_ACCESS_READ, OK},
	{false, 1, PTE_D, PW_ACCESS_FETCH, OK},
	{true, 1, 0, PW_ACCESS_READ, RD | WR | PR | LADDR},
	{true, 1, PTE_A, PW_ACCESS_READ, RD | WR | PR | LADDR},
	{true, 5, 0, PW_ACCESS_WRITE, RD | WR | PR | PX | LADDR},
	{true, 5, 0, PW_ACCESS_FETCH, RD | WR | PR | PX | LADDR},
	{false, 4, 0, PW_ACCESS_READ, RD | PX | LADDR},
	{true, 4, 0, PW_ACCESS_READ, RD | WR | PX | LADDR},
	{false, 3, PTE_A | PTE_D, PW_ACCESS_WRITE, OK},
	{true, 3, PTE_A | PTE_D, PW_ACCESS_WRITE, OK},
	{true, 7, PTE_A, PW_ACCESS_READ, OK},
	{false, 2, 0, PW_ACCESS_READ, MISCONFIG},
	{true, 6, 0, PW_ACCESS_READ, MISCONFIG},
};

Test(nested_ept, accesses_to_guest_tables_at_every_level)
{
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	for (size_t i = 0; i < sizeof table_vectors / sizeof table_vectors[0]; i++) {
		const struct table_vector *v = &table_vectors[i];
		const struct pw_rules rules = {
			.ept_no_accessed_dirty = !v->accessed_dirty, .ept_advanced = true};

		for (unsigned level = 0; level <= 2; level++) {
			char what[64];

			(void)snprintf(what, sizeof what, "row %zu, level %u", i, level);
			stages_place_table(&s, level, level);
			stages_set(&s, 7, v->rights);
			ram_store(&s.ram, s.guest_entry, 8,
				s.hpa | ((PTE_PW | PTE_A | PTE_D) & ~v->pte_clear));
			check(&s, &rules, STAGES_SUPERVISOR_VA, v->access, v->expected, what);
			stages_set(&s, 7, 7);
		}
	}
	stages_end(&s);
}

Test(nested_ept, an_upper_table_beats_everything_below)
{
	const struct pw_rules rules = {.pa_bits = 0};
	struct pw_nested_result r;
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	stages_place_table(&s, 0, 0);
	stages_set(&s, 7, 0);
	ram_store(&s.ram, s.guest_entry, 8, 0); /* the guest would fault there */

	struct pw_space guest = stages_guest(&s, 0), stage2 = ept(&s, &rules);

	cr_expect(pw_nested_translate(&guest, &stage2, STAGES_SUPERVISOR_VA, PW_ACCESS_READ, &r) ==
		  PW_NOT_PRESENT);
	cr_expect(r.stage == 2 && r.during == PW_DURING_TABLE && r.level == 0);
	cr_expect(r.exit == PW_EXIT_EPT_VIOLATION);
	stages_end(&s);
}

Test(nested_ept, the_guests_own_fault_beats_the_final_address)
{
	const struct pw_rules rules = {.pa_bits = 0};
	struct pw_nested_result r;
	struct stages s;

	stages_begin(&s, &pw_format_ept_4_mbec);
	stages_set(&s, 7, 0);

	struct pw_space guest = stages_guest(&s, 0), stage2 = ept(&s, &rules);

	cr_expect(pw_nested_translate(&guest, &stage2, STAGES_SUPERVISOR_VA,
			  PW_ACCESS_READ | PW_ACCESS_USER, &r) == PW_PROTECTION);
	cr_expect(r.stage == 1 && r.exit == PW_EXIT_GUEST && r.code == (PW_PF_P | PW_PF_U));
	stages_end(&s);
}

/* ---- What else the result says ---- */

Test(nested_ept, advanced_information)
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

Test(nested_ept, without_paging_every_address_is_a_users)
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

Test(nested_ept, a_success_says_all_of_both_stages)
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

Test(nested_ept, more_address_bits_than_four_levels_take)
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

Test(nested_ept, pdptes_are_loaded_by_reads)
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

Test(nested_ept, supervisor_shadow_stacks)
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

Test(nested_ept, regardless_of_rights)
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

Test(nested_ept, calls_that_cannot_be_made)
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
