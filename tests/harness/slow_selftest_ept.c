/* SPDX-License-Identifier: MIT */
/* EPT vectors, after the outcome of kvm-unit-tests' ept_access tests. */
#include "slow_selftest.h"

#define BIT(n) (1ull << (n))

enum {
	R = 1,
	W = 2,
	X = 4,
	WB = 6 << 3,
	LARGE = 128,
	XU = 1024
};

/* The page tables of the vectors; guest-physical 0 leads through the first entries. */
enum {
	LEVEL3 = 0x1000,
	LEVEL2 = 0x2000,
	LEVEL1 = 0x3000,
	LEVEL0 = 0x4000
};

enum config {
	PLAIN,
	NO_EXEC_ONLY,
	MBEC
};

static void open_tables(void)
{
	fresh("ept-4", LEVEL3);
	put8(LEVEL3, LEVEL2 | R | W | X | XU);
	put8(LEVEL2, LEVEL1 | R | W | X | XU);
	put8(LEVEL1, LEVEL0 | R | W | X | XU);
	put8(LEVEL0, 0x9000 | WB | R | W | X | XU);
}

/* One letter per access: read, write, fetch from supervisor and from user linear addresses. */
static void expect(const char *letters, uint64_t va)
{
	static const struct slow_access accesses[] = {
		{SLOW_OP_READ, false, false, false},
		{SLOW_OP_WRITE, false, false, false},
		{SLOW_OP_FETCH, false, false, false},
		{SLOW_OP_FETCH, true, false, false},
	};

	for (unsigned n = 0; n < 4; n++) {
		enum slow_status status = try_access(va, accesses[n]);

		CHECK(!got.error_code_valid && !got.has_user_notion);
		switch (letters[n]) {
		case 'y':
			CHECK(status == SLOW_MAPPED);
			break;
		case 'n':
			CHECK(status == SLOW_PROTECTION);
			break;
		case '0':
			CHECK(status == SLOW_NOT_PRESENT);
			break;
		default:
			CHECK(status == SLOW_RESERVED);
			break;
		}
	}
}

/* The same rights at one level after the other: fold, and every kind of entry. */
static void at_every_level(enum config config, uint64_t rights, const char *letters)
{
	const uint64_t all = R | W | X | XU;
	const uint64_t tables[] = {LEVEL0, LEVEL1, LEVEL2, LEVEL3};

	open_tables();
	cfg.ept_exec_only = config != NO_EXEC_ONLY;
	cfg.ept_mbec = config == MBEC;
	for (unsigned level = 0; level < 4; level++) {
		uint64_t next = level ? tables[level - 1] : 0x9000 | WB;

		put8(tables[level], next | rights);
		expect(letters, 0);
		put8(tables[level], next | all);
	}
	put8(LEVEL1, LARGE | WB | rights);
	expect(letters, 0x1fffff);
	put8(LEVEL2, LARGE | WB | rights);
	expect(letters, 0x3fffffff);
}

static void rights(void)
{
	at_every_level(PLAIN, 0, "0000");
	at_every_level(PLAIN, XU, "0000");
	at_every_level(PLAIN, R, "ynnn");
	at_every_level(PLAIN, W, "bbbb");
	at_every_level(PLAIN, W | X, "bbbb");
	at_every_level(PLAIN, R | W, "yynn");
	at_every_level(PLAIN, X, "nnyy");
	at_every_level(NO_EXEC_ONLY, X, "bbbb");
	at_every_level(NO_EXEC_ONLY, R, "ynnn");
	at_every_level(NO_EXEC_ONLY, R | X, "ynyy");
	at_every_level(NO_EXEC_ONLY, R | W | X, "yyyy");
	at_every_level(PLAIN, R | X, "ynyy");
	at_every_level(PLAIN, R | W | X, "yyyy");
	at_every_level(MBEC, 0, "0000");
	at_every_level(MBEC, W | XU, "bbbb");
	at_every_level(MBEC, X, "nnyn");
	at_every_level(MBEC, XU, "nnny");
	at_every_level(MBEC, X | XU, "nnyy");
	at_every_level(MBEC, R | X, "ynyn");
	at_every_level(MBEC, R | XU, "ynny");
	at_every_level(MBEC, R | X | XU, "ynyy");
	at_every_level(MBEC, R | W | X, "yyyn");
	at_every_level(MBEC, R | W | XU, "yyny");
	at_every_level(MBEC, R | W | X | XU, "yyyy");
	open_tables();
	cfg.ept_exec_only = false;
	cfg.ept_mbec = true;
	put8(LEVEL0, 0x9000 | WB | XU);
	CHECK(look(0) == SLOW_RESERVED);
}

/* Bits @first to @last of the entry at @pa, one at a time: bad, but not where RWX=0. */
static void reserved_bits(uint64_t pa, uint64_t entry, unsigned first, unsigned last)
{
	for (unsigned n = first; n <= last; n++) {
		put8(pa, entry | BIT(n));
		CHECK(look(0) == SLOW_RESERVED && got.entry_pa == pa);
		put8(pa, (entry | BIT(n)) & ~(uint64_t)(R | W | X));
		CHECK(look(0) == SLOW_NOT_PRESENT && got.entry_pa == pa);
		put8(pa, entry);
		CHECK(look(0) == SLOW_MAPPED);
	}
}

static void misconfigurations(void)
{
	open_tables();
	cfg.maxphyaddr = 46;
	reserved_bits(LEVEL3, LEVEL2 | R | W | X, 3, 7);
	reserved_bits(LEVEL3, LEVEL2 | R | W | X, 46, 51);
	reserved_bits(LEVEL2, LEVEL1 | R | W | X, 3, 6);
	reserved_bits(LEVEL1, LEVEL0 | R | W | X, 3, 6);
	reserved_bits(LEVEL0, 0x9000 | WB | R, 46, 51);
	each_bit(LEVEL3, LEVEL2 | R, 8, 11, 0, SLOW_MAPPED);
	each_bit(LEVEL3, LEVEL2 | R, 52, 63, 0, SLOW_MAPPED);
	each_bit(LEVEL2, LEVEL1 | R, 8, 11, 0, SLOW_MAPPED);
	each_bit(LEVEL2, LEVEL1 | R, 52, 63, 0, SLOW_MAPPED);
	each_bit(LEVEL0, 0x9000 | WB | R, 6, 45, 0, SLOW_MAPPED);
	each_bit(LEVEL0, 0x9000 | WB | R, 52, 63, 0, SLOW_MAPPED);
	for (unsigned type = 0; type < 8; type++) {
		bool illegal = type == 2 || type == 3 || type == 7;

		/* Bit 7 of a PTE is ignored, as are 8 to 11 and 52 up. */
		put8(LEVEL0, 0x9000ull | type << 3 | 0xff0ull << 52 | BIT(63) | 0xf80 | R);
		CHECK(look(0) == (illegal ? SLOW_RESERVED : SLOW_MAPPED));
	}
	put8(LEVEL0, 0x9000 | 7 << 3 | 64 | R); /* "ignore PAT" excuses nothing */
	CHECK(look(0) == SLOW_RESERVED);
	reserved_bits(LEVEL1, LARGE | WB | R, 12, 20);
	each_bit(LEVEL1, LARGE | WB | R, 8, 11, 0, SLOW_MAPPED);
	each_bit(LEVEL1, LARGE | WB | R, 21, 45, 0, SLOW_MAPPED);
	reserved_bits(LEVEL2, LARGE | WB | R, 12, 29);
	each_bit(LEVEL2, LARGE | WB | R, 8, 11, 0, SLOW_MAPPED);
	each_bit(LEVEL2, LARGE | WB | R, 30, 45, 0, SLOW_MAPPED);
	look(0);
	CHECK(got.pa == 0 && got.page_size == 0x40000000 && got.level == 2);
	cfg.gbpages = false;
	CHECK(look(0) == SLOW_RESERVED);
	open_tables();
	each_bit(LEVEL2, LARGE | WB | R, 30, 63, 0, SLOW_MAPPED);
	cfg.maxphyaddr = 60; /* clipped to 52 */
	each_bit(LEVEL2, LARGE | WB | R, 30, 63, 0, SLOW_MAPPED);
}

/* The highest index at every level, the widest address in every entry, junk where none counts. */
static void every_index(void)
{
	const uint64_t junk = 0xfff0000000000f00;
	const uint64_t gpa = 0xffffffffffff;

	fresh("ept-4", LEVEL3 | 0xfff);
	plant(gpa, LEVEL3 + 8 * 511, LEVEL2 | junk | R);
	plant(gpa, LEVEL2 + 8 * 511, LEVEL1 | junk | R);
	plant(gpa, LEVEL1 + 8 * 511, LEVEL0 | junk | R);
	plant(gpa, LEVEL0 + 8 * 511, 0xffffffffff000 | junk | R);
	CHECK(look(gpa) == SLOW_MAPPED && got.pa == 0xfffffffffffff);
	put8(LEVEL1 + 8 * 511, 0xfffffffe00000 | junk | LARGE | R);
	CHECK(look(gpa) == SLOW_MAPPED && got.pa == 0xfffffffffffff && got.level == 1);
	put8(LEVEL2 + 8 * 511, 0xfffffc0000000 | junk | LARGE | R);
	CHECK(look(gpa) == SLOW_MAPPED && got.pa == 0xfffffffffffff && got.level == 2);
	put8(LEVEL2 + 8 * 511, 0xffffffffff000 | junk | R);
	CHECK(look(gpa) == SLOW_NO_MEMORY && got.entry_pa == 0xffffffffffff8);
	cfg.root = BIT(51) | BIT(52);
	CHECK(look(0) == SLOW_NO_MEMORY && got.entry_pa == BIT(51) && got.level == 3);
	CHECK(look(BIT(63)) == SLOW_NON_CANONICAL);
}

void selftest_ept(void)
{
	open_tables();
	put8(LEVEL0, 0x9000 | WB | R | BIT(8) | BIT(9));
	CHECK(look(0x123) == SLOW_MAPPED && got.pa == 0x9123 && got.accessed && got.dirty);
	put8(LEVEL0, 0x9000 | WB | R | BIT(8));
	CHECK(look(0) == SLOW_MAPPED && got.accessed && !got.dirty);
	put8(LEVEL0, 0x9000 | WB | R | BIT(9));
	CHECK(look(0) == SLOW_MAPPED && !got.accessed && got.dirty);
	put8(LEVEL0, 0x9000 | WB | R | BIT(8) | BIT(9));
	cfg.ept_ad = false;
	CHECK(look(0x123) == SLOW_MAPPED && !got.accessed && !got.dirty && !got.global);
	CHECK(look(BIT(47)) == SLOW_NOT_PRESENT && got.entry_pa == LEVEL3 + 8 * 256);
	CHECK(look(BIT(48)) == SLOW_NON_CANONICAL);
	CHECK(look(~0ull << 47) == SLOW_NON_CANONICAL);
	cfg.format = "ept-5";
	cfg.root = 0x5000;
	put8(0x5000 + 8, LEVEL3 | R | W | X);
	CHECK(look(BIT(48)) == SLOW_MAPPED && look(BIT(56)) == SLOW_NOT_PRESENT);
	CHECK(got.level == 4 && look(BIT(57)) == SLOW_NON_CANONICAL);
	put8(0x5000 + 8, LEVEL3 | LARGE | R | W | X);
	CHECK(look(BIT(48)) == SLOW_RESERVED && got.level == 4);
	rights();
	misconfigurations();
	every_index();
}
