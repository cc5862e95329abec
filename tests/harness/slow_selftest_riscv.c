/* SPDX-License-Identifier: MIT */
/* RISC-V vectors: "Virtual Address Translation Process" and the Hypervisor extension. */
#include "slow_selftest.h"

#define BIT(n) (1ull << (n))

enum {
	V = 1,
	R = 2,
	W = 4,
	X = 8,
	U = 16,
	G = 32,
	A = 64,
	D = 128
};

/* Sv39 tables, one a page, and how a PTE names the page at @pa. */
enum {
	LEVEL2 = 0x1000,
	LEVEL1 = 0x2000,
	LEVEL0 = 0x3000
};
#define TO(pa) ((uint64_t)(pa) >> 12 << 10)

static enum slow_status with_leaf(uint64_t leaf)
{
	put8(LEVEL0, TO(0x9000) | leaf);
	return look(0);
}

static void three_levels(void)
{
	fresh("riscv-sv39", LEVEL2);
	put8(LEVEL2, TO(LEVEL1) | V);
	put8(LEVEL1, TO(LEVEL0) | V);
}

static void encodings(void)
{
	three_levels();
	CHECK(with_leaf(V | R | W | X | G | A | D | 3 << 8) == SLOW_MAPPED && got.pa == 0x9000);
	CHECK(got.accessed && got.dirty && got.global && got.level == 0 && got.has_user_notion);
	CHECK(with_leaf(R | W | X) == SLOW_NOT_PRESENT);
	CHECK(with_leaf(V) == SLOW_RESERVED && got.level == 0);
	CHECK(with_leaf(V | W) == SLOW_RESERVED && with_leaf(V | W | X) == SLOW_RESERVED);
	for (unsigned n = 54; n < 64; n++)
		CHECK(with_leaf(V | R | BIT(n)) == SLOW_RESERVED);
	CHECK(with_leaf(V | R) == SLOW_MAPPED && !got.accessed && !got.dirty && !got.global);
	CHECK(with_leaf(V | R | TO(BIT(55))) == SLOW_MAPPED && got.pa == (BIT(55) | 0x9000));
	cfg.maxphyaddr = 55;
	CHECK(with_leaf(V | R | TO(BIT(55))) == SLOW_RESERVED);
	for (unsigned n = 4; n < 8; n++) { /* U, A, D in a pointer are bad; G is not */
		put8(LEVEL1, TO(LEVEL0) | V | BIT(n));
		CHECK(with_leaf(V | R) == (BIT(n) == G ? SLOW_MAPPED : SLOW_RESERVED));
		CHECK(got.level == (BIT(n) == G ? 0 : 1) && got.global == (BIT(n) == G));
	}
	put8(LEVEL1, TO(0x200000) | V | R);
	CHECK(look(0x12345) == SLOW_MAPPED && got.pa == 0x212345 && got.level == 1);
	put8(LEVEL1, TO(0x201000) | V | R); /* misaligned */
	CHECK(look(0) == SLOW_RESERVED && got.level == 1);
	put8(LEVEL2, TO(0x40000000) | V | R);
	CHECK(look(0x3fffffff) == SLOW_MAPPED && got.pa == 0x7fffffff && got.level == 2);
	put8(LEVEL2, TO(0x60000000) | V | R);
	CHECK(look(0) == SLOW_RESERVED);
	CHECK(look(BIT(38)) == SLOW_NON_CANONICAL && look(~0ull << 38) == SLOW_NOT_PRESENT);
}

static void rights(void)
{
	three_levels();
	CHECK(with_leaf(V | R | W | X) == SLOW_MAPPED);
	CHECK(are(&got.user, "---") && are(&got.supervisor, "rwx"));
	CHECK(with_leaf(V | R | W | X | U) == SLOW_MAPPED);
	CHECK(are(&got.user, "rwx") && are(&got.supervisor, "---"));
	CHECK(try(0, SLOW_OP_READ, SUPERVISOR) == SLOW_PROTECTION);
	cfg.riscv_sum = true;
	CHECK(look(0) == SLOW_MAPPED && are(&got.supervisor, "rw-"));
	CHECK(with_leaf(V | X) == SLOW_MAPPED && are(&got.supervisor, "--x"));
	cfg.riscv_mxr = true;
	CHECK(with_leaf(V | X) == SLOW_MAPPED && are(&got.supervisor, "r-x"));

	CHECK(try(0, SLOW_OP_READ, SUPERVISOR) == SLOW_MAPPED);
	cfg.riscv_svade = true;
	CHECK(look(0) == SLOW_MAPPED);
	CHECK(try(0, SLOW_OP_READ, SUPERVISOR) == SLOW_ACCESS_FLAG && !got.error_code_valid);
	CHECK(try(0, SLOW_OP_WRITE, SUPERVISOR) == SLOW_PROTECTION); /* rights come first */
	with_leaf(V | R | W | A);
	CHECK(try(0, SLOW_OP_READ, SUPERVISOR) == SLOW_MAPPED);
	CHECK(try(0, SLOW_OP_WRITE, SUPERVISOR) == SLOW_ACCESS_FLAG);
	with_leaf(V | R | W | A | D);
	CHECK(try(0, SLOW_OP_WRITE, SUPERVISOR) == SLOW_MAPPED);
}

static void extensions(void)
{
	three_levels();
	cfg.riscv_svpbmt = true;
	CHECK(with_leaf(V | R | BIT(61)) == SLOW_MAPPED && got.pa == 0x9000);
	CHECK(with_leaf(V | R | BIT(62)) == SLOW_MAPPED);
	CHECK(with_leaf(V | R | BIT(61) | BIT(62)) == SLOW_RESERVED);
	put8(LEVEL1, TO(LEVEL0) | V | BIT(61));
	CHECK(look(0) == SLOW_RESERVED && got.level == 1);
	put8(LEVEL1, TO(LEVEL0) | V);

	cfg.riscv_svnapot = true;
	for (unsigned slot = 0; slot < 16; slot++) {
		uint64_t va = 0x1000 * slot + 0x123;

		put8(LEVEL0 + 8 * slot, TO(0x58000) | V | R | BIT(63));
		CHECK(look(va) == SLOW_MAPPED && got.pa == 0x50000 + va);
		CHECK(got.page_size == 0x10000 && got.level == 0);
	}
	CHECK(with_leaf(V | R | BIT(63)) == SLOW_RESERVED); /* PPN[3:0] is 9 */
	put8(LEVEL0, TO(0x58000) | V | BIT(63));            /* a pointer */
	CHECK(look(0) == SLOW_RESERVED && got.level == 0);
	put8(LEVEL0, TO(0x58000) | V | R | BIT(63));
	CHECK(look(0) == SLOW_MAPPED);
	put8(LEVEL0, TO(0x58000) | V | R | BIT(61) | BIT(63)); /* and PBMT=1 */
	CHECK(look(0) == SLOW_MAPPED);
	put8(LEVEL0, TO(0x58000) | V | R | 7ull << 61);
	CHECK(look(0) == SLOW_RESERVED);
	put8(LEVEL0, TO(0x58000) | V | R | BIT(63));
	cfg.riscv_svnapot = false;
	CHECK(look(0) == SLOW_RESERVED);
	cfg.riscv_svnapot = true;
	put8(LEVEL1, TO(0x208000) | V | R | BIT(63));
	CHECK(look(0) == SLOW_RESERVED && got.level == 1);
	put8(LEVEL1, TO(0x8000) | V | BIT(63)); /* a pointer */
	CHECK(look(0) == SLOW_RESERVED && got.level == 1);
}

static void other_widths(void)
{
	fresh("riscv-sv32", 0x1000);
	put4(0x1000 + 4 * 1023, 0xfff00000 | V | R);
	CHECK(look(0xffc12345) == SLOW_MAPPED && got.pa == 0x3ffc12345 && got.level == 1);
	CHECK(got.page_size == 0x400000 && look(BIT(32)) == SLOW_NON_CANONICAL);
	put4(0x1000, TO(0x2000) | V);
	put4(0x2000 + 4 * 5, 0xfffffc00 | V | R);
	CHECK(look(0x5123) == SLOW_MAPPED && got.pa == 0x3fffff123 && got.level == 0);
	fresh("riscv-sv48", 0x1000);
	put8(0x1000 + 8 * 256, TO(BIT(39)) | V | R);
	CHECK(look(0xffff800000000123) == SLOW_MAPPED && got.pa == (BIT(39) | 0x123));
	CHECK(got.level == 3 && look(BIT(47)) == SLOW_NON_CANONICAL);
	fresh("riscv-sv57", 0x1000);
	put8(0x1000 + 8 * 255, TO(BIT(48)) | V | R);
	CHECK(look(0x00ff000000000123) == SLOW_MAPPED && got.pa == (BIT(48) | 0x123));
	CHECK(got.level == 4 && look(BIT(56)) == SLOW_NON_CANONICAL);
}

/* The highest index at every level, the widest address in every entry. */
static void every_index(void)
{
	fresh("riscv-sv39", LEVEL2 | 0xfff);
	plant(0x3fffffffff, LEVEL2 + 8 * 255, TO(LEVEL1) | V | 3 << 8);
	plant(0x3fffffffff, LEVEL1 + 8 * 511, TO(LEVEL0) | V | 3 << 8);
	plant(0x3fffffffff, LEVEL0 + 8 * 511, TO(0xfffffffffff000) | V | R);
	CHECK(look(0x3fffffffff) == SLOW_MAPPED && got.pa == 0xffffffffffffff);
	put8(LEVEL1 + 8 * 511, TO(0xfffffffffff000) | V);
	CHECK(look(0x3fffffffff) == SLOW_NO_MEMORY && got.entry_pa == 0xfffffffffffff8);
	each_bit(LEVEL1 + 8 * 511, V | R, 10, 18, 0x3fffffffff, SLOW_RESERVED);
	each_bit(LEVEL1 + 8 * 511, V | R, 19, 53, 0x3fffffffff, SLOW_MAPPED);
	each_bit(LEVEL1 + 8 * 511, V | R, 54, 63, 0x3fffffffff, SLOW_RESERVED);
	cfg.maxphyaddr = 60; /* clipped to 56 */
	CHECK(look(0x3fffffffff) == SLOW_MAPPED && got.level == 1);
	cfg.root = BIT(55);
	CHECK(look(0) == SLOW_NO_MEMORY && got.entry_pa == BIT(55));

	fresh("riscv-sv39x4", 0xffff); /* 16 KiB aligned */
	plant(0, 0xc000, TO(LEVEL1) | V);
	plant(0x1ffffffffff, 0xc000 + 8 * 2047, TO(LEVEL1) | V);
	CHECK(look(0x1ffffffffff) == SLOW_NOT_PRESENT && got.entry_pa == LEVEL1 + 8 * 511);
	CHECK(look(BIT(63)) == SLOW_NON_CANONICAL);

	fresh("riscv-sv32", 0x1000);
	put4(0x1000, V | R);
	cfg.maxphyaddr = 33;
	CHECK(look(0) == SLOW_MAPPED);
	put4(0x1000, 0x80000000 | V | R);
	CHECK(look(0) == SLOW_RESERVED);
	put4(0x1000, 1 << 19 | V | R); /* PPN[0] of a 4 MiB page */
	CHECK(look(0) == SLOW_RESERVED);
}

/* The last entry of each 16 KiB root, and the first address that is too wide. */
static void g_stage(void)
{
	static const struct {
		const char *name;
		unsigned bits;
		int level;
	} rows[] = {{"riscv-sv39x4", 41, 2}, {"riscv-sv48x4", 50, 3}, {"riscv-sv57x4", 59, 4}};

	for (unsigned n = 0; n < 3; n++) {
		unsigned low = rows[n].bits - 11;

		fresh(rows[n].name, 0x8000);
		put8(0x8000 + 8 * 2047, V | R | W | U | G);
		CHECK(look(2047ull << low | 0x123) == SLOW_MAPPED && got.pa == 0x123);
		CHECK(got.level == rows[n].level && got.page_size == BIT(low) && !got.global);
		CHECK(are(&got.user, "rw-") && are(&got.supervisor, "rw-") && !got.has_user_notion);
		CHECK(look(BIT(rows[n].bits)) == SLOW_NON_CANONICAL);
		CHECK(look(~0ull) == SLOW_NON_CANONICAL);
		put8(0x8000, V | R | W); /* U=0 */
		CHECK(look(0) == SLOW_MAPPED && are(&got.user, "---"));
		CHECK(are(&got.supervisor, "---"));
		CHECK(try(0, SLOW_OP_READ, SUPERVISOR) == SLOW_PROTECTION);
	}
	fresh("riscv-sv32x4", 0x8000);
	put4(0x8000 + 4 * 4095, V | X | U);
	CHECK(look(0x3ffc00123) == SLOW_MAPPED && got.pa == 0x123 && are(&got.user, "--x"));
	CHECK(look(BIT(34)) == SLOW_NON_CANONICAL);
}

void selftest_riscv(void)
{
	encodings();
	rights();
	extensions();
	other_widths();
	every_index();
	g_stage();
}
