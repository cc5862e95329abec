/* SPDX-License-Identifier: MIT */
/* Control state of EPT and NPT. SDM vol. 3C, "Extended-Page-Table Pointer (EPTP)" and the checks.
 */
#include <criterion/criterion.h>
#include <pagewalk/pagewalk.h>

#define ALL_CAPS                                                                                   \
	(PW_EPT_CAP_EXECUTE_ONLY | PW_EPT_CAP_4_LEVELS | PW_EPT_CAP_5_LEVELS | PW_EPT_CAP_UC |     \
		PW_EPT_CAP_WB | PW_EPT_CAP_2M | PW_EPT_CAP_1G | PW_EPT_CAP_ACCESSED_DIRTY |        \
		PW_EPT_CAP_ADVANCED | PW_EPT_CAP_SHADOW_STACK)

static const struct pw_memory nothing = {.window_count = 0};

Test(stage2, eptp_is_composed)
{
	static const struct {
		const struct pw_format *format;
		uint64_t caps, options, eptp;
	} rows[] = {
		{&pw_format_ept_4, ALL_CAPS, 0, 0x12301e},
		{&pw_format_ept_5, ALL_CAPS, 0, 0x123026},
		{&pw_format_ept_4, ALL_CAPS, PW_EPTP_ACCESSED_DIRTY, 0x12305e},
		{&pw_format_ept_4_mbec, ALL_CAPS, PW_EPTP_ACCESSED_DIRTY | PW_EPTP_SHADOW_STACK,
			0x1230de},
		{&pw_format_ept_4, ALL_CAPS & ~PW_EPT_CAP_WB, 0, 0x123018},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t eptp = 0;

		cr_expect(pw_eptp_make(rows[i].format, 0x123000, rows[i].caps, 0, rows[i].options,
				  &eptp) == PW_OK);
		cr_expect_eq(eptp, rows[i].eptp, "row %zu: %#llx", i, (unsigned long long)eptp);
		cr_expect(pw_eptp_check(eptp, rows[i].caps, 0, NULL) == PW_OK);
	}
}

Test(stage2, eptp_that_cannot_be_composed)
{
	static const struct {
		const struct pw_format *format;
		pw_pa root;
		uint64_t caps;
		unsigned maxphyaddr;
		uint64_t options;
		enum pw_status status;
	} rows[] = {
		{&pw_format_x86_64, 0x1000, ALL_CAPS, 0, 0, PW_E_ARGUMENT},
		{NULL, 0x1000, ALL_CAPS, 0, 0, PW_E_ARGUMENT},
		{&pw_format_ept_4, 0x1000, ALL_CAPS, 0, 1, PW_E_ARGUMENT},
		{&pw_format_ept_4, 0x1000, ALL_CAPS, 31, 0, PW_E_ARGUMENT},
		{&pw_format_ept_4, 0x1000, ALL_CAPS, 53, 0, PW_E_ARGUMENT},
		{&pw_format_ept_4, 0x1010, ALL_CAPS, 0, 0, PW_E_ALIGNMENT},
		{&pw_format_ept_4, UINT64_C(1) << 36, ALL_CAPS, 36, 0, PW_E_RANGE},
		{&pw_format_ept_5, 0x1000, ALL_CAPS & ~PW_EPT_CAP_5_LEVELS, 0, 0, PW_E_UNSUPPORTED},
		{&pw_format_ept_4, 0x1000, ALL_CAPS & ~PW_EPT_CAP_4_LEVELS, 0, 0, PW_E_UNSUPPORTED},
		{&pw_format_ept_4, 0x1000, ALL_CAPS & ~(PW_EPT_CAP_WB | PW_EPT_CAP_UC), 0, 0,
			PW_E_UNSUPPORTED},
		{&pw_format_ept_4, 0x1000, ALL_CAPS & ~PW_EPT_CAP_ACCESSED_DIRTY, 0,
			PW_EPTP_ACCESSED_DIRTY, PW_E_UNSUPPORTED},
		{&pw_format_ept_4, 0x1000, ALL_CAPS & ~PW_EPT_CAP_SHADOW_STACK, 0,
			PW_EPTP_SHADOW_STACK, PW_E_UNSUPPORTED},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t eptp = 42;

		cr_expect(pw_eptp_make(rows[i].format, rows[i].root, rows[i].caps,
				  rows[i].maxphyaddr, rows[i].options, &eptp) == rows[i].status,
			"row %zu", i);
		cr_expect_eq(eptp, 42, "row %zu", i);
	}
}

/* Every value of the low twelve bits, against the rule as the manual words it. */
Test(stage2, eptp_checks_are_exhaustive_in_the_flags)
{
	for (unsigned low = 0; low < 4096; low++) {
		unsigned type = low & 7, length = low >> 3 & 7;
		bool good =
			(type == 0 || type == 6) && (length == 3 || length == 4) && !(low & 0xf00);
		const char *why = NULL;
		enum pw_status status = pw_eptp_check(0x5000 | low, ALL_CAPS, 0, &why);

		cr_expect_eq(status, good ? PW_OK : PW_E_STATE, "%#x", low);
		cr_expect_eq(why == NULL, good, "%#x", low);
	}
	for (unsigned bit = 12; bit < 64; bit++)
		cr_expect_eq(pw_eptp_check(UINT64_C(1) << bit | 0x1e, ALL_CAPS, 40, NULL),
			bit < 40 ? PW_OK : PW_E_STATE, "bit %u", bit);
	cr_expect(pw_eptp_check(0x501e, ALL_CAPS, 64, NULL) == PW_E_ARGUMENT);
}

Test(stage2, a_space_of_an_eptp)
{
	struct pw_ept_state state = {.eptp = 0x505e, .capabilities = ALL_CAPS, .maxphyaddr = 46};
	struct pw_space space;
	const char *why;

	cr_assert(pw_space_init_ept(&space, &state, &nothing, &why) == PW_OK);
	cr_expect(space.format == &pw_format_ept_4 && space.root == 0x5000 && space.pa_bits == 46);
	state.mode_based_execute = true;
	state.eptp = 0x5026;
	cr_assert(pw_space_init_ept(&space, &state, &nothing, &why) == PW_OK);
	cr_expect(space.format == &pw_format_ept_5_mbec);
	state.eptp = 0x5027;
	cr_expect(pw_space_init_ept(&space, &state, &nothing, &why) == PW_E_STATE && why);
	cr_expect(pw_space_init_ept(&space, NULL, &nothing, NULL) == PW_E_ARGUMENT);
	state.eptp = 0x501e;
	cr_expect(pw_space_init_ept(&space, &state, NULL, NULL) == PW_E_ARGUMENT);
}

Test(stage2, a_space_of_a_vmcb)
{
	struct pw_npt_state state = {.ncr3 = 0x5000,
		.host_cr4 = PW_CR4_PAE,
		.host_efer = PW_EFER_LMA | PW_EFER_LME | PW_EFER_NXE,
		.maxphyaddr = 48};
	struct pw_space space;
	const char *why = NULL;

	cr_assert(pw_space_init_npt(&space, &state, &nothing, &why) == PW_OK);
	cr_expect(space.format == &pw_format_npt_4 && space.root == 0x5000);
	state.host_cr4 |= PW_CR4_LA57;
	state.encryption_mask = UINT64_C(1) << 47;
	state.ncr3 |= UINT64_C(1) << 47;
	cr_assert(pw_space_init_npt(&space, &state, &nothing, &why) == PW_OK);
	cr_expect(space.format == &pw_format_npt_5 && space.root == 0x5000);
	state.ncr3 |= UINT64_C(1) << 48;
	cr_expect(pw_space_init_npt(&space, &state, &nothing, &why) == PW_E_STATE && why);
	state.ncr3 = 0x5000;
	state.host_cr4 = 0;
	cr_expect(pw_space_init_npt(&space, &state, &nothing, &why) == PW_E_STATE && why);
	state.host_efer = 0;
	cr_expect(pw_space_init_npt(&space, &state, &nothing, &why) == PW_E_UNSUPPORTED && !why);
	state.maxphyaddr = 20;
	cr_expect(pw_space_init_npt(&space, &state, &nothing, NULL) == PW_E_ARGUMENT);
}

/* Under the C-bit the address is what is left. */
Test(stage2, the_encryption_bit_is_no_address)
{
	static uint64_t table[512] __attribute__((aligned(4096)));
	static const struct pw_window window = {0x1000, sizeof table, table, true};
	static const struct pw_memory memory = {.windows = &window, .window_count = 1};
	const struct pw_npt_state state = {.ncr3 = 0x1000,
		.host_cr4 = PW_CR4_PAE,
		.host_efer = PW_EFER_LMA | PW_EFER_LME,
		.maxphyaddr = 40,
		.encryption_mask = UINT64_C(1) << 45};
	struct pw_result r;
	struct pw_space space;

	table[0] = UINT64_C(1) << 45 | 0x1007;
	cr_assert(pw_space_init_npt(&space, &state, &memory, NULL) == PW_OK);
	cr_expect(pw_translate(&space, 0x123, PW_ACCESS_READ, &r) == PW_OK);
	cr_expect_eq(r.pa, 0x1123); /* the table is its own at every level */
}
