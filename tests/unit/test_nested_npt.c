/* SPDX-License-Identifier: MIT */
/*
 * The two-stage walk, x86 under NPT: the EXITINFO1 values that kvm-unit-tests sees on real CPUs
 * (x86/svm_npt.c), and the rules of APM vol. 2, "Nested Paging".
 */
#include "two_stages.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define XD  UINT64_C(0x8000000000000000)
#define FIN UINT64_C(0x100000000)
#define TAB UINT64_C(0x200000000)

static struct pw_space npt(const struct stages *s, uint64_t efer, uint64_t cr4, bool gmet)
{
	const struct pw_npt_state state = {.ncr3 = s->root2,
		.host_cr4 = PW_CR4_PAE | cr4,
		.host_efer = PW_EFER_LMA | PW_EFER_LME | efer,
		.gmet = gmet,
		.maxphyaddr = 40};
	struct pw_space space;

	cr_assert(pw_space_init_npt(&space, &state, &s->ram.windows, NULL) == PW_OK);
	return space;
}

/* A final access under `set` and without `clear` in the entry at issue. */
static const struct vector {
	uint64_t set, clear, efer, cr4;
	pw_access access;
	uint64_t info; /* 0: allowed */
} vectors[] = {
	{0, 0, PW_EFER_NXE, 0, PW_ACCESS_WRITE, 0},
	{0, 1, PW_EFER_NXE, 0, PW_ACCESS_READ, FIN | 4},
	{0, 1, PW_EFER_NXE, 0, PW_ACCESS_WRITE, FIN | 6},
	{0, 1, PW_EFER_NXE, 0, PW_ACCESS_FETCH, FIN | 0x14},
	{0, 1, 0, 0, PW_ACCESS_FETCH, FIN | 4},
	{0, 4, PW_EFER_NXE, 0, PW_ACCESS_READ, FIN | 5},
	{0, 2, PW_EFER_NXE, 0, PW_ACCESS_READ, 0},
	{0, 2, PW_EFER_NXE, 0, PW_ACCESS_WRITE, FIN | 7},
	{XD, 0, PW_EFER_NXE, 0, PW_ACCESS_FETCH, FIN | 0x15},
	{XD, 0, PW_EFER_NXE, 0, PW_ACCESS_READ, 0},
	{XD, 0, 0, 0, PW_ACCESS_READ, FIN | 0xd},
	{XD, 0, 0, 0, PW_ACCESS_FETCH, FIN | 0xd},
	{XD, 0, 0, PW_CR4_SMEP, PW_ACCESS_FETCH, FIN | 0x1d},
	{UINT64_C(1) << 45, 0, PW_EFER_NXE, 0, PW_ACCESS_FETCH, FIN | 0x1d},
	{UINT64_C(1) << 45, 0, 0, 0, PW_ACCESS_FETCH, FIN | 0xd},
	{UINT64_C(1) << 45, 1, PW_EFER_NXE, 0, PW_ACCESS_READ, FIN | 4},
	/* SMEP of the host is no reason to refuse: it only shows fetches. */
	{0, 0, 0, PW_CR4_SMEP, PW_ACCESS_FETCH, 0},
};

static void check(const struct stages *s, const struct pw_space *stage2, pw_access access,
	uint64_t info, const char *what)
{
	struct pw_space guest = stages_guest(s, 0);
	struct pw_nested_result r;
	enum pw_status status =
		pw_nested_translate(&guest, stage2, STAGES_SUPERVISOR_VA, access, &r);
	char text[200];

	pw_nested_explain(&r, text, sizeof text);
	if (!info) {
		cr_expect(status == PW_OK && r.pa == s->hpa, "%s: %s", what, text);
		return;
	}
	cr_expect(r.exit == PW_EXIT_NPF && r.code == info && r.stage == 2, "%s: %s", what, text);
	cr_expect(r.address == s->gpa && r.gpa == s->gpa && r.address_known, "%s: %s", what, text);
	cr_expect_eq(r.code & ~r.code_known, 0, "%s", what);
}

Test(nested_npt, final_accesses_at_every_level)
{
	struct stages s;

	stages_begin(&s, &pw_format_npt_4);
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		const struct vector *v = &vectors[i];
		struct pw_space stage2 = npt(&s, v->efer, v->cr4, false);

		for (unsigned page = 0; page <= 2; page++) {
			for (unsigned entry = page; entry <= 3; entry++) {
				char what[64];

				(void)snprintf(what, sizeof what, "row %zu, page %u, entry %u", i,
					page, entry);
				stages_place(&s, page, entry);
				stages_set(&s, v->clear | v->set, v->set);
				check(&s, &stage2, v->access, v->info, what);
				stages_set(&s, v->clear | v->set, v->clear);
			}
		}
	}
	stages_end(&s);
}

/* Every access to a guest's table is a user's write. */
Test(nested_npt, accesses_to_guest_tables)
{
	static const struct {
		uint64_t set, clear, efer, info;
	} rows[] = {
		{0, 1, PW_EFER_NXE, TAB | 6},
		{0, 2, PW_EFER_NXE, TAB | 7},
		{0, 4, PW_EFER_NXE, TAB | 7},
		{UINT64_C(1) << 45, 0, PW_EFER_NXE, TAB | 0xf},
		{XD, 0, 0, TAB | 0xf},
		{XD, 0, PW_EFER_NXE, 0},
	};
	static const pw_access accesses[] = {PW_ACCESS_READ, PW_ACCESS_WRITE, PW_ACCESS_FETCH};
	struct stages s;

	stages_begin(&s, &pw_format_npt_4);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pw_space stage2 = npt(&s, rows[i].efer, 0, false);

		for (unsigned level = 0; level <= 2; level++) {
			for (size_t a = 0; a < 3; a++) {
				char what[64];

				(void)snprintf(what, sizeof what, "row %zu, level %u", i, level);
				stages_place_table(&s, level, level);
				stages_set(&s, rows[i].clear | rows[i].set, rows[i].set);
				check(&s, &stage2, accesses[a], rows[i].info, what);
				stages_set(&s, rows[i].clear | rows[i].set, rows[i].clear);
			}
		}
	}
	stages_end(&s);
}

/* APM vol. 2, PML4E and PML5E: bit 8 must be zero; bit 7 too. */
Test(nested_npt, reserved_bits_of_each_level)
{
	struct stages s;

	stages_begin(&s, &pw_format_npt_4);

	struct pw_space stage2 = npt(&s, PW_EFER_NXE, 0, false);

	for (unsigned page = 0; page <= 2; page++) {
		for (unsigned entry = page; entry <= 3; entry++) {
			for (unsigned bit = 7; bit < 63; bit++) {
				uint64_t one = UINT64_C(1) << bit;
				bool reserved = bit >= 40 && bit < 52;

				if (entry == 3)
					reserved |= bit == 7 || bit == 8;
				else if (entry == page && page > 0)
					reserved |= bit >= 13 && bit < 12 + 9 * page;
				/* The rest are an address, a page's size, or ignored. */
				if (!reserved && !(bit == 8 || bit == 9 || bit >= 52))
					continue;
				stages_place(&s, page, entry);
				stages_set(&s, one, one);
				check(&s, &stage2, PW_ACCESS_READ, reserved ? FIN | 0xd : 0,
					"a bit");
				stages_set(&s, one, 0);
			}
		}
	}
	stages_end(&s);
}

Test(nested_npt, guest_mode_execute_trap)
{
	static const struct {
		uint64_t set, clear;
		pw_va va;
		pw_access access;
		uint64_t info, unknown;
	} rows[] = {
		{0, 0, STAGES_SUPERVISOR_VA, PW_ACCESS_FETCH, FIN | 0x11, PW_PF_U},
		{0, 4, STAGES_SUPERVISOR_VA, PW_ACCESS_FETCH, 0, 0},
		{XD, 4, STAGES_SUPERVISOR_VA, PW_ACCESS_FETCH, FIN | 0x11, PW_PF_U},
		{0, 0, STAGES_USER_VA, PW_ACCESS_FETCH | PW_ACCESS_USER, 0, 0},
		{0, 4, STAGES_USER_VA, PW_ACCESS_FETCH | PW_ACCESS_USER, FIN | 0x15, PW_PF_U},
		{0, 0, STAGES_SUPERVISOR_VA, PW_ACCESS_WRITE, 0, 0},
		{0, 4, STAGES_SUPERVISOR_VA, PW_ACCESS_READ, FIN | 5, 0},
	};
	struct stages s;

	stages_begin(&s, &pw_format_npt_4);

	struct pw_space stage2 = npt(&s, PW_EFER_NXE, 0, true), guest = stages_guest(&s, 0);

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct pw_nested_result r;
		enum pw_status status;

		stages_set(&s, rows[i].set | rows[i].clear, rows[i].set);
		status = pw_nested_translate(&guest, &stage2, rows[i].va, rows[i].access, &r);
		cr_expect_eq(status == PW_OK, rows[i].info == 0, "row %zu", i);
		if (rows[i].info)
			cr_expect_eq(r.code & ~rows[i].unknown, rows[i].info & ~rows[i].unknown,
				"row %zu: %#llx", i, (unsigned long long)r.code);
		if (rows[i].unknown)
			cr_expect(!(r.code_known & PW_PF_U), "row %zu", i);
		stages_set(&s, rows[i].set | rows[i].clear, rows[i].clear);
	}
	stages_end(&s);
}

/* Under NPT no register holds a PDPTE: it is read in each walk, and faults like any entry. */
Test(nested_npt, pdptes_are_read_in_each_walk)
{
	const struct pw_x86_state pae = {
		.cr0 = PW_CR0_PE | PW_CR0_PG, .cr3 = 0x8000, .cr4 = PW_CR4_PAE};
	static const struct pw_memory nowhere = {.window_count = 0};
	struct pw_nested_result r;
	struct pw_space guest;
	struct stages s;

	stages_begin(&s, &pw_format_npt_4);
	cr_assert(pw_space_init_x86(&guest, &pae, &nowhere, NULL) == PW_OK);
	ram_store(&s.ram, 0x8000, 8, 0x9003); /* bit 1 is reserved */

	struct pw_space stage2 = npt(&s, PW_EFER_NXE, 0, false);

	cr_expect(pw_nested_translate(&guest, &stage2, 0x1000, PW_ACCESS_WRITE, &r) == PW_RESERVED);
	cr_expect(r.exit == PW_EXIT_GUEST && r.code == (PW_PF_P | PW_PF_RSVD | PW_PF_W));
	cr_expect_eq(r.code_known, UINT32_MAX);
	ram_store(&s.ram, 0x8000, 8, 0x9001);
	ram_store(&s.ram, 0x9008, 8, 0);
	cr_expect(pw_nested_translate(&guest, &stage2, 0x1000, PW_ACCESS_WRITE, &r) ==
		  PW_NOT_PRESENT);
	cr_expect(r.exit == PW_EXIT_GUEST && r.code == PW_PF_W);
	stages_end(&s);
}
