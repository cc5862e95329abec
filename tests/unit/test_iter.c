/* SPDX-License-Identifier: MIT */
/* The iterator's corners, by hand. Random tables are test_iter_twin.c's. */
#include "ram.h"
#include <criterion/criterion.h>

#define BASE UINT64_C(0x400000)

struct hand {
	struct ram ram;
	struct pw_space space;
	struct pw_iter it;
	pw_pa root;
};

static void hand_begin(struct hand *h, const struct pw_format *format)
{
	ram_begin(&h->ram, BASE, UINT64_C(64) << 12);
	h->root = ram_new_table(&h->ram, pw_table_bytes(format, format->levels - 1u));
	cr_assert(pw_space_init(&h->space, format, h->root, &h->ram.windows) == PW_OK);
}

/* The next step of that kind, with its range. */
static void expect_step(struct hand *h, enum pw_step step, unsigned level, pw_va first, pw_va last)
{
	do
		(void)pw_iter_next(&h->it);
	while (h->it.step == PW_STEP_TABLE && step != PW_STEP_TABLE);
	cr_assert(h->it.step == step, "step %u, not %u", h->it.step, step);
	cr_assert_eq(h->it.level, level);
	cr_assert_eq(h->it.first, first, "first is %#llx", (unsigned long long)h->it.first);
	cr_assert_eq(h->it.last, last, "last is %#llx", (unsigned long long)h->it.last);
}

static void expect_end(struct hand *h)
{
	for (int i = 0; i < 3; i++) {
		while (pw_iter_next(&h->it) == PW_STEP_LEAVE)
			;
		cr_assert(h->it.step == PW_STEP_END, "step %u, not the end", h->it.step);
	}
}

Test(iter, clips_a_huge_page_exactly)
{
	struct hand h;

	hand_begin(&h, &pw_format_x86_64);
	ram_enter(&h.ram, &pw_format_x86_64, h.root, 0, 2, 0x40000000 | PTE_PWU | PTE_PS);
	cr_assert(pw_iter_begin(&h.it, &h.space, 0x12345, 0x12345) == PW_OK);
	expect_step(&h, PW_STEP_PAGE, 2, 0x12345, 0x12345);
	cr_assert_eq(h.it.pa, 0x40012345u);
	cr_assert_eq(h.it.page_size, UINT64_C(1) << 30);
	expect_end(&h);
	cr_assert(pw_iter_begin(&h.it, &h.space, 0x3ffffffe, 0x40000001) == PW_OK);
	expect_step(&h, PW_STEP_PAGE, 2, 0x3ffffffe, 0x3fffffff);
	cr_assert_eq(h.it.pa, 0x7ffffffeu);
	expect_step(&h, PW_STEP_HOLE, 2, 0x40000000, 0x40000001);
	expect_end(&h);
	ram_end(&h.ram);
}

Test(iter, leaves_the_canonical_hole_out)
{
	struct hand h;
	const pw_va high = UINT64_C(0xffff800000000000), low = UINT64_C(0x00007fffffffffff);

	hand_begin(&h, &pw_format_x86_64);
	ram_enter(&h.ram, &pw_format_x86_64, h.root, low, 0, 0x5000 | PTE_P);
	ram_enter(&h.ram, &pw_format_x86_64, h.root, high, 0, 0x6000 | PTE_P);
	cr_assert(pw_iter_begin(&h.it, &h.space, low - 1, high + 1) == PW_OK);
	expect_step(&h, PW_STEP_PAGE, 0, low - 1, low);
	cr_assert_eq(h.it.pa, 0x5ffeu);
	for (unsigned level = 1; level < 4; level++)
		expect_step(&h, PW_STEP_LEAVE, level, low - 1, low);
	expect_step(&h, PW_STEP_PAGE, 0, high, high + 1);
	expect_end(&h);
	/* Wholly inside it there is nothing; half inside, the half outside. */
	cr_assert(pw_iter_begin(&h.it, &h.space, low + 1, high - 1) == PW_OK);
	expect_end(&h);
	cr_assert(pw_iter_begin(&h.it, &h.space, low + 1, high) == PW_OK);
	expect_step(&h, PW_STEP_PAGE, 0, high, high);
	cr_assert(pw_iter_begin(&h.it, &h.space, low, high - 1) == PW_OK);
	expect_step(&h, PW_STEP_PAGE, 0, low, low);
	expect_end(&h);
	ram_end(&h.ram);
}

Test(iter, the_top_of_the_address_space_is_ordinary)
{
	struct hand h;

	hand_begin(&h, &pw_format_x86_64);
	ram_enter(&h.ram, &pw_format_x86_64, h.root, UINT64_MAX, 0, 0x7000 | PTE_PW);
	cr_assert(pw_iter_begin(&h.it, &h.space, UINT64_MAX - 0x1000, UINT64_MAX) == PW_OK);
	expect_step(&h, PW_STEP_HOLE, 0, UINT64_MAX - 0x1000, UINT64_MAX - 0x1000);
	expect_step(&h, PW_STEP_PAGE, 0, UINT64_MAX - 0xfff, UINT64_MAX);
	expect_end(&h);
	cr_assert(pw_iter_begin(&h.it, &h.space, UINT64_MAX, UINT64_MAX) == PW_OK);
	expect_step(&h, PW_STEP_PAGE, 0, UINT64_MAX, UINT64_MAX);
	cr_assert_eq(h.it.pa, 0x7fffu);
	expect_end(&h);
	cr_assert(pw_iter_begin(&h.it, &h.space, 1, 0) == PW_E_RANGE);
	ram_end(&h.ram);
}

Test(iter, addresses_above_a_narrow_format_are_left_out)
{
	struct hand h;

	hand_begin(&h, &pw_format_x86_32);
	ram_enter(&h.ram, &pw_format_x86_32, h.root, UINT32_MAX, 1, 0xc0000000 | PTE_P | PTE_PS);
	cr_assert(pw_iter_begin(&h.it, &h.space, 0xffc00000, UINT64_MAX) == PW_OK);
	expect_step(&h, PW_STEP_PAGE, 1, 0xffc00000, UINT32_MAX);
	expect_end(&h);
	cr_assert(pw_iter_begin(&h.it, &h.space, UINT64_C(1) << 32, UINT64_MAX) == PW_OK);
	expect_end(&h);
	ram_end(&h.ram);
}

Test(iter, arms_upper_half)
{
	struct hand h;
	const struct pw_rules upper = {.arm_high = true};
	const pw_va begin = UINT64_C(0xffffff8000000000); /* 39 bits */

	hand_begin(&h, &pw_format_arm64_4k_39);
	ram_enter(&h.ram, &pw_format_arm64_4k_39, h.root, UINT64_MAX, 0, 0x9703);
	cr_assert(pw_space_init_rules(&h.space, &pw_format_arm64_4k_39, h.root, &h.ram.windows,
			  &upper) == PW_OK);
	cr_assert(pw_iter_begin(&h.it, &h.space, 0, begin + 5) == PW_OK);
	expect_step(&h, PW_STEP_HOLE, 2, begin, begin + 5);
	expect_end(&h);
	cr_assert(pw_iter_begin(&h.it, &h.space, UINT64_MAX - 1, UINT64_MAX) == PW_OK);
	expect_step(&h, PW_STEP_PAGE, 0, UINT64_MAX - 1, UINT64_MAX);
	cr_assert_eq(h.it.pa, 0x9ffeu);
	expect_end(&h);
	cr_assert(pw_iter_begin(&h.it, &h.space, 0, begin - 1) == PW_OK);
	expect_end(&h);
	ram_end(&h.ram);
}

/* ---- Tables entered, left and skipped ---- */

Test(iter, a_skipped_table_is_not_left)
{
	struct hand h;

	hand_begin(&h, &pw_format_x86_64);
	ram_enter(&h.ram, &pw_format_x86_64, h.root, 0x1000, 0, 0x5000 | PTE_P);
	ram_enter(&h.ram, &pw_format_x86_64, h.root, 0x200000, 0, 0x6000 | PTE_P);
	cr_assert(pw_iter_begin(&h.it, &h.space, 0, 0x2000ff) == PW_OK);
	expect_step(&h, PW_STEP_TABLE, 3, 0, 0x2000ff);
	expect_step(&h, PW_STEP_TABLE, 2, 0, 0x2000ff);
	expect_step(&h, PW_STEP_TABLE, 1, 0, 0x1fffff);
	pw_iter_skip(&h.it);
	expect_step(&h, PW_STEP_TABLE, 1, 0x200000, 0x2000ff);
	expect_step(&h, PW_STEP_PAGE, 0, 0x200000, 0x2000ff);
	pw_iter_skip(&h.it); /* means nothing here */
	expect_step(&h, PW_STEP_LEAVE, 1, 0x200000, 0x2000ff);
	expect_step(&h, PW_STEP_LEAVE, 2, 0, 0x2000ff);
	expect_step(&h, PW_STEP_LEAVE, 3, 0, 0x2000ff);
	expect_end(&h);
	cr_assert_eq(h.it.reads, 5u);
	ram_end(&h.ram);
}

Test(iter, a_table_left_has_the_range_it_was_entered_with)
{
	struct hand h;

	hand_begin(&h, &pw_format_x86_64);
	ram_enter(&h.ram, &pw_format_x86_64, h.root, 0x1ff000, 0, 0x5000 | PTE_P);
	cr_assert(pw_iter_begin(&h.it, &h.space, 0x1ff123, 0x1ff123) == PW_OK);
	expect_step(&h, PW_STEP_PAGE, 0, 0x1ff123, 0x1ff123);
	for (unsigned level = 1; level < 4; level++)
		expect_step(&h, PW_STEP_LEAVE, level, 0x1ff123, 0x1ff123);
	cr_assert_eq(h.it.entry_pa, h.root);
	cr_assert_eq(h.it.entry, ram_load(&h.ram, h.root, 8));
	expect_end(&h);
	ram_end(&h.ram);
}

/* ---- What cannot be read ---- */

Test(iter, lost_entries_come_one_by_one)
{
	struct hand h;
	pw_pa half = BASE + 0x3f800; /* the last table's second half lies behind the memory */
	uint64_t parent;

	hand_begin(&h, &pw_format_x86_64);
	ram_enter(&h.ram, &pw_format_x86_64, h.root, 0, 1, (half & ~UINT64_C(0xfff)) | PTE_PWU);
	parent = (half & ~UINT64_C(0xfff)) | PTE_PWU;
	ram_store(&h.ram, half - 8, 8, 0x9000 | PTE_P);
	h.ram.window.size = half - BASE;
	cr_assert(pw_space_init(&h.space, &pw_format_x86_64, h.root, &h.ram.windows) == PW_OK);
	cr_assert(pw_iter_begin(&h.it, &h.space, 0xff000, 0x101fff) == PW_OK);
	expect_step(&h, PW_STEP_PAGE, 0, 0xff000, 0xfffff);
	expect_step(&h, PW_STEP_LOST, 0, 0x100000, 0x100fff);
	cr_assert_eq(h.it.entry, parent);
	cr_assert_eq(h.it.entry_pa, half);
	expect_step(&h, PW_STEP_LOST, 0, 0x101000, 0x101fff);
	expect_step(&h, PW_STEP_LEAVE, 1, 0xff000, 0x101fff);
	ram_end(&h.ram);
}

Test(iter, a_lost_root)
{
	struct hand h;

	hand_begin(&h, &pw_format_x86_64);
	cr_assert(pw_space_init(&h.space, &pw_format_x86_64, 0x100000000, &h.ram.windows) == PW_OK);
	cr_assert(pw_iter_begin(&h.it, &h.space, 0x123, UINT64_C(0x8000000000)) == PW_OK);
	expect_step(&h, PW_STEP_LOST, 3, 0x123, UINT64_C(0x7fffffffff));
	cr_assert_eq(h.it.entry, 0u);
	cr_assert_eq(h.it.entry_pa, UINT64_C(0x100000000));
	expect_step(&h, PW_STEP_LOST, 3, UINT64_C(0x8000000000), UINT64_C(0x8000000000));
	expect_end(&h);
	ram_end(&h.ram);
}

/* ---- Spaces that are different ---- */

Test(iter, no_paging_is_one_step)
{
	struct hand h;

	ram_begin(&h.ram, BASE, 4096);
	cr_assert(pw_space_init(&h.space, &pw_format_x86_none, 0, &h.ram.windows) == PW_OK);
	cr_assert(pw_iter_begin(&h.it, &h.space, 0x1234, UINT64_MAX) == PW_OK);
	expect_step(&h, PW_STEP_PAGE, 0, 0x1234, UINT32_MAX);
	cr_assert_eq(h.it.pa, 0x1234u);
	cr_assert_eq(h.it.grant >> 12, PW_R | PW_W | PW_X | PW_U);
	expect_end(&h);
	cr_assert(pw_iter_begin(&h.it, &h.space, UINT64_C(1) << 32, UINT64_MAX) == PW_OK);
	expect_end(&h);
	ram_end(&h.ram);
}

Test(iter, the_pdpte_registers_are_walked_not_the_memory)
{
	struct hand h;
	struct pw_x86_state state = {.cr0 = PW_CR0_PE | PW_CR0_PG | PW_CR0_WP,
		.cr3 = BASE + 0x20,
		.cr4 = PW_CR4_PAE,
		.pdpte_loaded = true};

	ram_begin(&h.ram, BASE, 0x4000);
	state.pdpte[3] = (BASE + 0x1000) | PTE_P;
	ram_store(&h.ram, BASE + 0x20, 8, (BASE + 0x1000) | PTE_P); /* stale */
	ram_store(&h.ram, BASE + 0x1000, 8, UINT64_C(0x123400000) | PTE_P | PTE_PS);
	cr_assert(pw_space_init_x86(&h.space, &state, &h.ram.windows, NULL) == PW_OK);
	cr_assert(pw_iter_begin(&h.it, &h.space, 0, 0xc01fffff) == PW_OK);
	expect_step(&h, PW_STEP_HOLE, 2, 0, 0x3fffffff);
	expect_step(&h, PW_STEP_HOLE, 2, 0x40000000, 0x7fffffff);
	expect_step(&h, PW_STEP_HOLE, 2, 0x80000000, 0xbfffffff);
	expect_step(&h, PW_STEP_PAGE, 1, 0xc0000000, 0xc01fffff);
	cr_assert_eq(h.it.pa, UINT64_C(0x123400000));
	ram_end(&h.ram);
}

/* Nobody has addresses of 64 bits, but a format may. */
static struct pw_format sixty_four_bits(void)
{
	struct pw_format f = pw_format_ept_5;

	f.levels = 6;
	f.va_bits = 64;
	f.level[5] = f.level[4];
	f.level[5].shift = 57;
	f.level[5].index_bits = 7;
	return f;
}

Test(iter, all_of_sixty_four_bits)
{
	struct pw_format format = sixty_four_bits();
	const char *why;
	struct hand h;

	cr_assert(pw_format_check(&format, &why) == PW_OK, "%s", why);
	hand_begin(&h, &format);
	ram_enter(&h.ram, &format, h.root, UINT64_MAX, 0, 0x7000 | 0x30 | 3);
	cr_assert(pw_iter_begin(&h.it, &h.space, 0, UINT64_MAX) == PW_OK);
	for (uint64_t i = 0; i < 127; i++)
		expect_step(&h, PW_STEP_HOLE, 5, i << 57, ((i + 1) << 57) - 1);
	for (unsigned level = 5; level-- > 0;) {
		unsigned shift = 12 + 9 * level;

		for (uint64_t i = 0; i < 511; i++) {
			pw_va first = ~((UINT64_C(1) << (shift + 9)) - 1) | i << shift;

			expect_step(&h, PW_STEP_HOLE, level, first,
				first | ((UINT64_C(1) << shift) - 1));
		}
	}
	expect_step(&h, PW_STEP_PAGE, 0, UINT64_MAX - 0xfff, UINT64_MAX);
	expect_end(&h);
	ram_end(&h.ram);
}
