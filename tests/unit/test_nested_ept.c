/* SPDX-License-Identifier: MIT */
/*
 * The two-stage walk, x86 under EPT: what hardware was seen to report, case by case. The vectors
 * are those of kvm-unit-tests (x86/vmx_tests.c, ept_access_test_*), and the tables of the SDM, vol.
 * 3C, "EPT Misconfigurations", "Exit Qualification for EPT Violations".
 */
#include "nested_ept.h"
#include <stdio.h>

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
