/* SPDX-License-Identifier: MIT */
/* Arm vectors: ARMv7-A B3.5 to B3.7 and DDI 0487 D8. */
#include "slow_selftest.h"

#define BIT(n) (1ull << (n))

enum {
	BLOCK = 1,
	TABLE = 3,
	AP_EL0 = 1 << 6,
	AP_RO = 1 << 7,
	AF = 1 << 10,
	NG = 1 << 11
};

/* arm64-4k: input address 0 leads through the first entries. L0 to L3 are the manual's levels. */
enum {
	L0 = 0x1000,
	L1 = 0x2000,
	L2 = 0x3000,
	L3 = 0x4000
};

static void four_levels(uint64_t leaf)
{
	fresh("arm64-4k", L0);
	put8(L0, L1 | TABLE);
	put8(L1, L2 | TABLE);
	put8(L2, L3 | TABLE);
	put8(L3, 0x9000 | leaf);
}

static bool leaf_gives(uint64_t leaf, const char *el0, const char *el1)
{
	put8(L3, 0x9000 | TABLE | leaf);
	return look(0) == SLOW_MAPPED && are(&got.user, el0) && are(&got.supervisor, el1);
}

static void stage1_rights(void)
{
	const uint64_t pxn = BIT(53);
	const uint64_t uxn = BIT(54);

	four_levels(TABLE);
	CHECK(leaf_gives(0, "--x", "rwx") && got.has_user_notion);
	CHECK(leaf_gives(AP_EL0, "rwx", "rw-")); /* EL1 never runs what EL0 can write */
	CHECK(leaf_gives(AP_RO, "--x", "r-x"));
	CHECK(leaf_gives(AP_EL0 | AP_RO, "r-x", "r-x"));
	CHECK(leaf_gives(AP_EL0 | AP_RO | pxn, "r-x", "r--"));
	CHECK(leaf_gives(AP_EL0 | AP_RO | uxn, "r--", "r-x"));
	put8(L0, L1 | TABLE | BIT(61)); /* APTable: no EL0 data access */
	CHECK(leaf_gives(AP_EL0, "--x", "rwx"));
	put8(L0, L1 | TABLE | BIT(62)); /* no writes */
	CHECK(leaf_gives(AP_EL0, "r-x", "r-x"));
	put8(L0, L1 | TABLE | BIT(59)); /* PXNTable */
	CHECK(leaf_gives(0, "--x", "rw-"));
	put8(L0, L1 | TABLE | BIT(60)); /* UXNTable */
	CHECK(leaf_gives(0, "---", "rwx"));
	put8(L0, L1 | TABLE);
	cfg.arm_pan = true;
	CHECK(leaf_gives(AP_EL0 | AP_RO, "r-x", "--x"));
	CHECK(leaf_gives(AP_RO, "--x", "r-x"));
	cfg.arm_wxn = true;
	CHECK(leaf_gives(AP_EL0, "rw-", "---"));
	CHECK(leaf_gives(0, "--x", "rw-"));
	CHECK(try(0, SLOW_OP_FETCH, SUPERVISOR) == SLOW_PROTECTION);
	CHECK(try(0, SLOW_OP_FETCH, USER) == SLOW_MAPPED && !got.error_code_valid);
}

static void shape_of_4k(void)
{
	four_levels(TABLE | AF | NG | BIT(51));
	CHECK(look(0x123) == SLOW_MAPPED && got.pa == 0x9123 && got.level == 0);
	CHECK(got.accessed && got.dirty && !got.global);
	put8(L3, 0x9000 | TABLE);
	CHECK(look(0) == SLOW_MAPPED && !got.accessed && !got.dirty && got.global);
	CHECK(try(0, SLOW_OP_READ, USER) == SLOW_PROTECTION);
	cfg.arm_access_flag = true;
	CHECK(look(0) == SLOW_MAPPED);
	CHECK(try(0, SLOW_OP_READ, USER) == SLOW_ACCESS_FLAG); /* before the permissions */
	put8(L3, 0x9000 | BLOCK);
	CHECK(look(0) == SLOW_NOT_PRESENT && got.level == 0);
	put8(L3, 0x9000 | TABLE | BIT(48)); /* ignored without LPA */
	CHECK(look(0) == SLOW_MAPPED && got.pa == 0x9000);
	put8(L3, 0x9000 | TABLE | BIT(47));
	CHECK(look(0) == SLOW_MAPPED && got.pa == (BIT(47) | 0x9000));
	cfg.maxphyaddr = 40;
	CHECK(look(0) == SLOW_RESERVED && got.level == 0);
	put8(L2, 0x40000000 | BLOCK | 0x1ff000); /* low address bits are RES0 */
	CHECK(look(0x1fffff) == SLOW_MAPPED && got.pa == 0x401fffff && got.level == 1);
	put8(L1, 0x80000000 | BLOCK);
	CHECK(look(0x12345678) == SLOW_MAPPED && got.pa == 0x92345678 && got.level == 2);
	put8(L1, L2 | TABLE | BIT(40));
	CHECK(look(0) == SLOW_RESERVED && got.level == 2);
	put8(L0, BLOCK);
	CHECK(look(0) == SLOW_NOT_PRESENT && got.level == 3);
	CHECK(look(BIT(48)) == SLOW_NON_CANONICAL && look(~0ull << 48) == SLOW_NON_CANONICAL);
	cfg.arm_high = true;
	CHECK(look(0) == SLOW_NON_CANONICAL && look(~0ull << 48) == SLOW_NOT_PRESENT);
	cfg.root = BIT(40);
	CHECK(look(~0ull << 48) == SLOW_RESERVED && got.level == -1);
}

/* The highest index at every level, the widest address in every entry, junk where none counts. */
static void every_index(void)
{
	const uint64_t junk = 0x07ff000000000ffc; /* but no hierarchical attributes */
	const uint64_t va = 0xffffffffffff;

	fresh("arm64-4k", L0 | 0xfff);
	plant(va, L0 + 8 * 511, L1 | junk | TABLE);
	plant(va, L1 + 8 * 511, L2 | junk | TABLE);
	plant(va, L2 + 8 * 511, L3 | junk | TABLE);
	plant(va, L3 + 8 * 511, 0xfffffffff000 | junk | TABLE);
	CHECK(look(va) == SLOW_MAPPED && got.pa == va);
	each_bit(L3 + 8 * 511, TABLE, 2, 63, va, SLOW_MAPPED);
	put8(L2 + 8 * 511, 0xfffffffff000 | junk | TABLE);
	CHECK(look(va) == SLOW_NO_MEMORY && got.entry_pa == 0xfffffffffff8);
	put8(L2 + 8 * 511, 0xffffffe00000 | junk | BLOCK);
	CHECK(look(va) == SLOW_MAPPED && got.pa == va);
	put8(L1 + 8 * 511, 0xffffc0000000 | junk | BLOCK);
	CHECK(look(va) == SLOW_MAPPED && got.pa == va);
	cfg.root = BIT(47);
	CHECK(look(0) == SLOW_NO_MEMORY && got.entry_pa == BIT(47) && got.level == 3);
	cfg.root = BIT(48);
	CHECK(look(0) == SLOW_RESERVED && got.level == -1);
	cfg.maxphyaddr = 52; /* clipped */
	CHECK(look(0) == SLOW_RESERVED && look(BIT(63)) == SLOW_NON_CANONICAL);
}

/* One flag at a time, so that none can stand in for another. */
static void flags_of_the_leaf(void)
{
	four_levels(TABLE | AF);
	CHECK(look(0) == SLOW_MAPPED && got.accessed && got.global && !got.dirty);
	put8(L3, TABLE | NG);
	CHECK(look(0) == SLOW_MAPPED && !got.accessed && !got.global && !got.dirty);
	put8(L3, TABLE | BIT(51) | AP_RO);
	CHECK(look(0) == SLOW_MAPPED && !got.accessed && got.global && !got.dirty);
}

static void other_granules(void)
{
	fresh("arm64-4k-39", 0x1000);
	put8(0x1000 + 8 * 511, 0x40000000 | BLOCK);
	CHECK(look(0x7fc0000000) == SLOW_MAPPED && got.level == 2 && got.pa == 0x40000000);
	CHECK(look(BIT(39)) == SLOW_NON_CANONICAL);

	fresh("arm64-16k", 0x20010); /* two entries */
	put8(0x20018, 0x4000 | TABLE);
	put8(0x4000 + 8 * 2047, 0x8000 | TABLE);
	put8(0x8000, 0x2000000 | BLOCK);
	put8(0x8008, 0xc000 | TABLE);
	put8(0xc000, 0x14000 | TABLE);
	CHECK(look(0xfff001fffffe) == SLOW_MAPPED && got.pa == 0x3fffffe && got.level == 1);
	CHECK(look(0xfff002003ffe) == SLOW_MAPPED && got.pa == 0x17ffe && got.level == 0);
	CHECK(got.page_size == 0x4000);
	put8(0x4000 + 8 * 2047, BLOCK); /* 64 GiB needs LPA2 */
	CHECK(look(0xfff000000000) == SLOW_NOT_PRESENT && got.level == 2);

	fresh("arm64-64k", 0x200); /* 64 entries */
	put8(0x200 + 8 * 63, 0x10000 | TABLE);
	put8(0x10000 + 8 * 8191, 0x20000000 | BLOCK);
	CHECK(look(0xffffe0001234) == SLOW_MAPPED && got.pa == 0x20001234 && got.level == 1);
	put8(0x200, 0x20000000 | BLOCK); /* 4 TiB needs LPA */
	CHECK(look(0) == SLOW_NOT_PRESENT && got.level == 2);
	put8(0x10000, 0x20000 | TABLE);
	put8(0x20000 + 8, 0x30000 | 0xf000 | TABLE); /* 15:12 are no address */
	CHECK(look(0xfc000001abcd) == SLOW_MAPPED && got.pa == 0x3abcd && got.level == 0);
}

static void stage2(void)
{
	enum {
		READABLE = 1 << 6,
		WRITABLE = 1 << 7
	};

	fresh("arm64-s2-4k", 0x2000); /* 1024 entries */
	put8(0x2000 + 8 * 1023, 0x40000000 | BLOCK | WRITABLE);
	CHECK(look(0xffc0000000) == SLOW_MAPPED && got.level == 2 && !got.has_user_notion);
	CHECK(are(&got.user, "-wx") && are(&got.supervisor, "-wx"));
	CHECK(look(BIT(40)) == SLOW_NON_CANONICAL);
	put8(0x2000, 0x4000 | TABLE | 31ull << 59); /* no hierarchical attributes */
	put8(0x4000, BLOCK | READABLE | WRITABLE | BIT(54) | BIT(51));
	CHECK(look(0) == SLOW_MAPPED && are(&got.user, "rw-") && got.dirty && !got.global);
	put8(0x4000, BLOCK | READABLE | BIT(53)); /* no XNX: bit 53 does not count */
	CHECK(look(0) == SLOW_MAPPED && are(&got.user, "r-x") && !got.dirty);
	put8(0x4000, BLOCK | READABLE | WRITABLE);
	CHECK(look(0) == SLOW_MAPPED && are(&got.user, "rwx") && !got.dirty);
	put8(0x4000, BLOCK | READABLE | BIT(51));
	CHECK(look(0) == SLOW_MAPPED && !got.dirty);
	CHECK(try(0, SLOW_OP_WRITE, SUPERVISOR) == SLOW_PROTECTION);

	fresh("arm64-s2-16k", 0x40000); /* 32768 entries */
	put8(0x40000 + 8 * 32767, 0x2000000 | BLOCK | READABLE);
	CHECK(look(0xfffe000123) == SLOW_MAPPED && got.pa == 0x2000123 && got.level == 1);
	fresh("arm64-s2-64k", 0x4000); /* 2048 entries */
	put8(0x4000 + 8 * 2047, 0x20000000 | BLOCK | READABLE);
	CHECK(look(0xffe0000123) == SLOW_MAPPED && got.pa == 0x20000123 && got.level == 1);
}

static void lpae(void)
{
	fresh("armv7-lpae", 0x1020); /* four entries */
	put8(0x1020 + 8 * 3, 0x40000000 | BLOCK | AP_EL0 | AF | BIT(51));
	CHECK(look(0xc0000123) == SLOW_MAPPED && got.pa == 0x40000123 && got.level == 2);
	CHECK(are(&got.user, "rwx") && are(&got.supervisor, "rwx") && !got.dirty);
	put8(0x1020 + 8 * 3, 0x40000000 | BLOCK); /* PL0 cannot read, so cannot execute */
	CHECK(look(0xc0000000) == SLOW_MAPPED && are(&got.user, "---"));
	put8(0x1020 + 8 * 3, 0x40000000 | BLOCK | AP_EL0 | AP_RO | BIT(54)); /* XN */
	CHECK(look(0xc0000000) == SLOW_MAPPED && are(&got.supervisor, "r--"));
	put8(0x1020 + 8 * 3, 0x40000000 | BLOCK | BIT(40));
	CHECK(look(0xc0000000) == SLOW_RESERVED && look(BIT(32)) == SLOW_NON_CANONICAL);
	each_bit(0x1038, BLOCK, 30, 39, 0xc0000000, SLOW_MAPPED);
	each_bit(0x1038, BLOCK, 40, 47, 0xc0000000, SLOW_RESERVED);
	each_bit(0x1038, BLOCK, 48, 63, 0xc0000000, SLOW_MAPPED);
	cfg.root = BIT(39);
	CHECK(look(0) == SLOW_NO_MEMORY && got.entry_pa == BIT(39) && got.level == 2);
	cfg.root = BIT(40);
	CHECK(look(0) == SLOW_RESERVED && got.level == -1);
	cfg.maxphyaddr = 48; /* clipped */
	CHECK(look(0) == SLOW_RESERVED && got.level == -1);
}

static void short_descriptors_at_their_widest(void)
{
	fresh("armv7-short", 0x7fff);
	plant(0xffffffff, 0x4000 + 4 * 4095, 0x87e0 | 1 << 9 | 1); /* domain, and an impdef bit */
	plant(0xffffffff, 0x8400 + 4 * 255, 0xfffff000 | 2);
	CHECK(look(0xffffffff) == SLOW_MAPPED && got.pa == 0xffffffff);
	CHECK(got.page_size == 0x1000 && !got.accessed && !got.dirty);
	put4(0x8400 + 4 * 255, 0xffff0000 | 7 << 12 | 1);
	CHECK(look(0xffffffff) == SLOW_MAPPED && got.pa == 0xffffffff);
	put4(0x8400 + 4 * 255, 0x10000 | 1);
	CHECK(look(0xffff0000) == SLOW_NOT_PRESENT && look(0xffffffff) == SLOW_MAPPED);
	CHECK(got.pa == 0x1ffff);
	put4(0x4000 + 4 * 4095, 0xfffffc00 | 1);
	CHECK(look(0xffffffff) == SLOW_NO_MEMORY && got.entry_pa == 0xfffffffc);
	put4(0x4000 + 4 * 4095, 0xfff00000 | 1u << 19 | 2);
	CHECK(look(0xffffffff) == SLOW_MAPPED && got.pa == 0xffffffff);
	CHECK(got.page_size == 0x100000);
	put4(0x4000 + 4 * 4095, 0xfff801e0 | 1u << 18 | 1 << 9 | 2);
	CHECK(look(0xffffffff) == SLOW_MAPPED && got.pa == 0xffffffffff);
	cfg.maxphyaddr = 39;
	CHECK(look(0xffffffff) == SLOW_RESERVED && got.level == 1);
	cfg.maxphyaddr = 41; /* clipped */
	CHECK(look(0xffffffff) == SLOW_MAPPED);
	cfg.root = 0xffffffff;
	CHECK(look(0) == SLOW_NO_MEMORY && got.entry_pa == 0xffffc000 && got.level == 1);
}

static void short_sections(void)
{
	static const char *const user[] = {"---", "---", "r-x", "rwx", "---", "---", "r-x", "r-x"};
	static const char *const privileged[] = {
		"---", "rwx", "rwx", "rwx", "---", "r-x", "r-x", "r-x"};

	fresh("armv7-short", 0x4000);
	for (unsigned ap = 0; ap < 8; ap++) {
		put4(0x4004, 0x00300000 | (ap & 4) << 13 | (ap & 3) << 10 | 2);
		CHECK(look(0x112345) == SLOW_MAPPED && got.pa == 0x312345 && got.level == 1);
		CHECK(are(&got.user, user[ap]) && are(&got.supervisor, privileged[ap]));
	}
	put4(0x4004, 0x00390000 | 7 << 12 | 0x1ec | 3 << 10 | 2); /* NS, S, TEX, domain, C, B */
	CHECK(look(0x100000) == SLOW_MAPPED && are(&got.user, "rwx") && got.pa == 0x300000);
	CHECK(got.global && got.page_size == 0x100000);
	put4(0x4004, 0x00300000 | 3 << 10 | 3); /* PXN */
	CHECK(look(0x100000) == SLOW_MAPPED && are(&got.supervisor, "rw-"));
	CHECK(are(&got.user, "rwx") && got.global);
	put4(0x4004, 0x00300000 | 1u << 17 | 3 << 10 | 1 << 4 | 2); /* nG, XN */
	CHECK(look(0x100000) == SLOW_MAPPED && are(&got.user, "rw-") && !got.global);
	put4(0x4004, 0x01a00000 | 1u << 18 | 5 << 5 | 3 << 10 | 2); /* supersection */
	CHECK(look(0x123456) == SLOW_MAPPED && got.pa == 0x5a01123456);
	CHECK(got.page_size == 0x1000000);
}

static void short_pages(void)
{
	fresh("armv7-short", 0x4000);
	put4(0x4000, 0x8400 | 1 << 2 | 1); /* a table, PXN for all below */
	put4(0x8400, 0x9000 | 3 << 4 | 1 << 11 | 2);
	CHECK(look(0x123) == SLOW_MAPPED && got.pa == 0x9123 && got.level == 0 && !got.global);
	CHECK(are(&got.user, "rwx") && are(&got.supervisor, "rw-"));
	put4(0x8404, 0x9000 | 1 << 9 | 3 << 4 | 3); /* AP=7, XN */
	CHECK(look(0x1000) == SLOW_MAPPED && are(&got.user, "r--"));
	put4(0x8404, 0x9000 | 1 << 10 | 7 << 6 | 3 << 4 | 0xe); /* S, TEX, C, B */
	CHECK(look(0x1000) == SLOW_MAPPED && are(&got.user, "rwx") && got.global);
	put4(0x8408, 0x20000 | 7 << 12 | 1 << 10 | 0xc | 3 << 4 | 1); /* the same, 64 KiB */
	CHECK(look(0x2000) == SLOW_MAPPED && are(&got.user, "rwx") && got.global);
	put4(0x8408, 0x20000 | 1u << 15 | 3 << 4 | 1); /* 64 KiB, XN */
	CHECK(look(0x2abc) == SLOW_MAPPED && got.pa == 0x22abc && got.page_size == 0x10000);
	put4(0x8404, ~0u); /* entries are four bytes */
	put4(0x4004, 0x00100002);
	CHECK(look(0) == SLOW_MAPPED && got.entry >> 32 == 0);
	put4(0x4008, 0xff);
	CHECK(look(0x100000) == SLOW_MAPPED && got.entry == 0x00100002);
	put4(0x4008, 0);
	look(0x2000);
	CHECK(are(&got.user, "rw-") && look(0x3000) == SLOW_NOT_PRESENT && got.level == 0);
	CHECK(look(0x200000) == SLOW_NOT_PRESENT && got.level == 1);
	CHECK(look(BIT(32)) == SLOW_NON_CANONICAL);
}

void selftest_arm(void)
{
	stage1_rights();
	shape_of_4k();
	every_index();
	flags_of_the_leaf();
	other_granules();
	stage2();
	lpae();
	short_sections();
	short_pages();
	short_descriptors_at_their_widest();
}
