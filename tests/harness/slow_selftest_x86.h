/* SPDX-License-Identifier: MIT */
/* What the files of x86 vectors share. */
#ifndef SLOW_SELFTEST_X86_H
#define SLOW_SELFTEST_X86_H

#include "slow_selftest.h"

enum {
	P = 1,
	W = 2,
	U = 4,
	PWT = 8,
	PCD = 16,
	A = 32,
	D = 64,
	PS = 128,
	G = 256
};

#define NX     (1ull << 63)
#define BIT(n) (1ull << (n))

/* Tables of the 4-level vectors, each a page; linear 0 leads through the first entry of each. */
enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	PD = 0x3000,
	PT = 0x4000,
	PAGE = 0x9000
};

/* Linear 0 to PAGE through four levels: open tables, @flags in the PTE. */
static inline void four_levels(uint64_t flags)
{
	fresh("x86-64", PML4);
	put8(PML4, PDPT | P | W | U);
	put8(PDPT, PD | P | W | U);
	put8(PD, PT | P | W | U);
	put8(PT, PAGE | flags);
}

#endif
