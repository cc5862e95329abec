/* SPDX-License-Identifier: MIT */
/* x86 vectors, bit by bit: indices, address fields, reserved bits, flags of the leaf. */
#include "slow_selftest_x86.h"

/* The highest index at every level, the widest address in every entry, junk where none counts. */
static void every_index_long(void)
{
	const uint64_t junk = 0x7ff0000000000e00;

	fresh("x86-64", PML4 | 0xfff);
	plant(0x7fffffffffff, PML4 + 8 * 255, PDPT | junk | P);
	plant(0x7fffffffffff, PDPT + 8 * 511, PD | junk | P);
	plant(0x7fffffffffff, PD + 8 * 511, PT | junk | P);
	plant(0x7fffffffffff, PT + 8 * 511, 0xffffffffff000 | junk | P);
	CHECK(look(0x7fffffffffff) == SLOW_MAPPED && got.pa == 0xfffffffffffff && got.key == 15);
	put8(PD + 8 * 511, 0xfffffffe00000 | junk | P | PS);
	CHECK(look(0x7fffffffffff) == SLOW_MAPPED && got.pa == 0xfffffffffffff);
	put8(PDPT + 8 * 511, 0xfffffc0000000 | junk | P | PS);
	CHECK(look(0x7fffffffffff) == SLOW_MAPPED && got.pa == 0xfffffffffffff);
	put8(PDPT + 8 * 511, 0xffffffffff000 | junk | P);
	CHECK(look(0x7fffffffffff) == SLOW_NO_MEMORY && got.entry_pa == 0xffffffffffff8);
	cfg.root = BIT(51) | BIT(52);
	CHECK(look(0) == SLOW_NO_MEMORY && got.entry_pa == BIT(51) && got.level == 3);
}

static void every_index_pae(void)
{
	fresh("x86-pae", 0x103f);
	plant(0xffffffff, 0x1038, PD | 0xe18 | P);
	CHECK(look(0) == SLOW_NOT_PRESENT && got.level == 2);
	plant(0xffffffff, PD + 8 * 511, PT | 0xe00 | P);
	plant(0xffffffff, PT + 8 * 511, 0xffffffffff000 | 0xe00 | P | PS | PCD);
	CHECK(look(0xffffffff) == SLOW_MAPPED && got.pa == 0xfffffffffffff);
	CHECK(look(0xc0000000) == SLOW_NOT_PRESENT && got.level == 1);
	look(0xffffffff);
	CHECK(got.page_size == 0x1000 && got.pat_index == 6 && got.level == 0);
	put8(PD + 8 * 511, 0xffffffffff000 | P);
	CHECK(look(0xffffffff) == SLOW_NO_MEMORY && got.entry_pa == 0xffffffffffff8);
	put8(PD + 8 * 511, 0xfffffffe00000 | P | PS);
	CHECK(look(0xffffffff) == SLOW_MAPPED && got.pa == 0xfffffffffffff);
	CHECK(got.page_size == 0x200000);
	put8(0x1038, 0xffffffffff000 | P);
	CHECK(look(0xffffffff) == SLOW_NO_MEMORY && got.entry_pa == 0xffffffffffff8);
	cfg.root = 0xffffffff;
	CHECK(look(0) == SLOW_NO_MEMORY && got.entry_pa == 0xffffffe0 && got.level == 2);
}

static void every_index_32bit(void)
{
	fresh("x86-32", 0x1fff);
	plant(0xffffffff, 0x1ffc, 0x2e00 | P);
	plant(0xffffffff, 0x2ffc, 0xfffffe00 | P);
	CHECK(look(0xffffffff) == SLOW_MAPPED && got.pa == 0xffffffff);
	CHECK(got.page_size == 0x1000 && got.level == 0);
	put4(0x1ffc, 0xfffff000 | P);
	CHECK(look(0xffffffff) == SLOW_NO_MEMORY && got.entry_pa == 0xfffffffc);
	put4(0x1ffc, 0xffdfe000 | P | PS);
	CHECK(look(0xffffffff) == SLOW_MAPPED && got.pa == 0xffffffffff);
	cfg.root = 0xffffffff;
	CHECK(look(0) == SLOW_NO_MEMORY && got.entry_pa == 0xfffff000 && got.level == 1);
}

static void reserved_long(void)
{
	four_levels(P);
	cfg.maxphyaddr = 40;
	each_bit(PT, PAGE | P, 40, 51, 0, SLOW_RESERVED);
	each_bit(PT, PAGE | P, 1, 39, 0, SLOW_MAPPED);
	each_bit(PT, PAGE | P, 52, 63, 0, SLOW_MAPPED);
	each_bit(PD, P | PS, 13, 20, 0, SLOW_RESERVED);
	each_bit(PD, P | PS, 40, 51, 0, SLOW_RESERVED);
	each_bit(PD, P | PS, 8, 12, 0, SLOW_MAPPED);
	each_bit(PD, P | PS, 21, 39, 0, SLOW_MAPPED);
	each_bit(PDPT, P | PS, 13, 29, 0, SLOW_RESERVED);
	each_bit(PDPT, P | PS, 40, 51, 0, SLOW_RESERVED);
	each_bit(PDPT, P | PS, 8, 12, 0, SLOW_MAPPED);
	each_bit(PDPT, P | PS, 30, 39, 0, SLOW_MAPPED);
	each_bit(PML4, PDPT | P, 40, 51, 0, SLOW_RESERVED);
	each_bit(PML4, PDPT | P, 7, 7, 0, SLOW_RESERVED);
	cfg.maxphyaddr = 60; /* clipped to 52 */
	each_bit(PDPT, P | PS, 30, 63, 0, SLOW_MAPPED);
}

static void reserved_pae(void)
{
	fresh("x86-pae", 0x1000);
	put8(0x1000, PD | P);
	put8(PD, PT | P);
	each_bit(PT, PAGE | P, 52, 62, 0, SLOW_RESERVED);
	each_bit(PT, PAGE | P, 63, 63, 0, SLOW_MAPPED);
	each_bit(PD, PT | P, 52, 62, 0, SLOW_RESERVED);
	each_bit(PD, P | PS, 13, 20, 0, SLOW_RESERVED);
	each_bit(PD, P | PS, 8, 12, 0, SLOW_MAPPED);
	each_bit(PD, P | PS, 21, 51, 0, SLOW_MAPPED);
	each_bit(0x1000, PD | P, 52, 63, 0, SLOW_RESERVED);
	cfg.maxphyaddr = 40;
	each_bit(0x1000, PD | P, 40, 63, 0, SLOW_RESERVED);
	each_bit(PD, PT | P, 40, 62, 0, SLOW_RESERVED);
	cfg.efer_nxe = false;
	each_bit(PD, PT | P, 63, 63, 0, SLOW_RESERVED);
	cfg.maxphyaddr = 60;
	each_bit(0x1000, PD | P, 52, 63, 0, SLOW_RESERVED);
}

static void reserved_32bit(void)
{
	fresh("x86-32", 0x1000);
	each_bit(0x1000, P | PS, 21, 21, 0, SLOW_RESERVED);
	each_bit(0x1000, P | PS, 8, 20, 0, SLOW_MAPPED);
	each_bit(0x1000, P | PS, 22, 31, 0, SLOW_MAPPED);
	cfg.maxphyaddr = 36;
	each_bit(0x1000, P | PS, 17, 21, 0, SLOW_RESERVED);
	each_bit(0x1000, P | PS, 8, 16, 0, SLOW_MAPPED);
	cfg.pse36 = false;
	each_bit(0x1000, P | PS, 13, 21, 0, SLOW_RESERVED);
	each_bit(0x1000, P | PS, 8, 12, 0, SLOW_MAPPED);
	each_bit(0x1000, P | PS, 22, 31, 0, SLOW_MAPPED);
}

/* One flag at a time, so that none can stand in for another. */
static void flags_of_the_leaf(void)
{
	four_levels(P | A);
	CHECK(look(0) == SLOW_MAPPED && got.accessed && !got.dirty && !got.global);
	put8(PT, PAGE | P | D);
	CHECK(look(0) == SLOW_MAPPED && !got.accessed && got.dirty && !got.global);
	put8(PT, PAGE | P | G);
	CHECK(look(0) == SLOW_MAPPED && !got.accessed && !got.dirty && got.global);
	CHECK(got.pat_index == 0);
	put8(PT, PAGE | P | PWT);
	CHECK(look(0) == SLOW_MAPPED && got.pat_index == 1);
	put8(PT, PAGE | P | PCD);
	CHECK(look(0) == SLOW_MAPPED && got.pat_index == 2);
	put8(PT, PAGE | BIT(12) | P);
	CHECK(look(0) == SLOW_MAPPED && got.pat_index == 0);
	put8(PT, PAGE | P | PS);
	CHECK(look(0) == SLOW_MAPPED && got.pat_index == 4);
	put8(PT, PAGE | P | NX);
	CHECK(look(0) == SLOW_MAPPED && got.key == 0);
}

void selftest_x86_bits(void)
{
	every_index_long();
	every_index_pae();
	every_index_32bit();
	reserved_long();
	reserved_pae();
	reserved_32bit();
	flags_of_the_leaf();
}
