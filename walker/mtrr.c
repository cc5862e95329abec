/* SPDX-License-Identifier: MIT */
/* MTRRs and memory types. SDM vol. 3A, "Memory Type Range Registers (MTRRs)". */
#include "bits.h"
#include <pagewalk/mtrr.h>

#define FE    PW_BIT(10)
#define E     PW_BIT(11)
#define VALID PW_BIT(11)
#define MIB   PW_BIT(20)
#define STEPS 1024

static pw_pa top(const struct pw_mtrr *mtrr)
{
	return PW_LOW(mtrr->maxphyaddr ? mtrr->maxphyaddr : 52);
}

/* Eight types a register: of 64 KiB each below 512 KiB, then of 16 KiB, from 768 KiB on of 4 KiB.
 */
static unsigned fixed_type(const struct pw_mtrr *mtrr, pw_pa pa, pw_pa *last)
{
	unsigned shift = 16, number = 0;

	if (pa >= 0xc0000) {
		shift = 12;
		number = 24 + (unsigned)((pa - 0xc0000) >> 12);
	} else if (pa >= 0x80000) {
		shift = 14;
		number = 8 + (unsigned)((pa - 0x80000) >> 14);
	} else {
		number = (unsigned)(pa >> 16);
	}
	*last = pa | PW_LOW(shift);
	return mtrr->fixed[number / 8] >> (8 * (number % 8)) & 0xff;
}

/* SDM, "MTRR Precedences". -1: no type yet. */
static int precedence(int a, int b)
{
	if (a < 0 || a == b)
		return b;
	if (a == PW_TYPE_UC || b == PW_TYPE_UC)
		return PW_TYPE_UC;
	if ((a == PW_TYPE_WT && b == PW_TYPE_WB) || (a == PW_TYPE_WB && b == PW_TYPE_WT))
		return PW_TYPE_WT;
	return PW_TYPE_UNDEFINED;
}

/*
 * Whether the range holds pa, and the last address up to which that does not change: the end of its
 * block, or for a mask without gaps of whatever lies before or behind the range.
 */
static bool holds(
	const struct pw_mtrr *mtrr, const struct pw_mtrr_range *range, pw_pa pa, pw_pa *last)
{
	pw_pa mask = range->mask & top(mtrr) & ~PW_LOW(12), base = range->base & mask;
	pw_pa block = mask ? mask & -mask : 0, rest = top(mtrr) & ~(block - 1);
	bool in = (pa & mask) == base;

	if (!block || mask != rest)
		*last = block ? pa | (block - 1) : top(mtrr);
	else if (in)
		*last = base | (block - 1);
	else
		*last = pa < base ? base - 1 : top(mtrr);
	return in;
}

enum pw_memory_type pw_mtrr_type(const struct pw_mtrr *mtrr, pw_pa pa, pw_pa *last)
{
	pw_pa ignored, until;
	int type = -1;

	if (!last)
		last = &ignored;
	*last = UINT64_MAX;
	if (!(mtrr->def_type & E))
		return PW_TYPE_UC;
	if (mtrr->def_type & FE && pa < MIB)
		return (enum pw_memory_type)fixed_type(mtrr, pa, last);
	for (size_t i = 0; i < mtrr->variable_count; i++) {
		const struct pw_mtrr_range *range = &mtrr->variable[i];

		if (!(range->mask & VALID))
			continue;
		if (holds(mtrr, range, pa, &until))
			type = precedence(type, range->base & 0xff);
		if (until < *last)
			*last = until;
	}
	if (*last >= top(mtrr))
		*last = UINT64_MAX;
	return (enum pw_memory_type)(type < 0 ? (int)(mtrr->def_type & 0xff) : type);
}

enum pw_memory_type pw_mtrr_range_type(
	const struct pw_mtrr *mtrr, pw_pa first, pw_pa last, pw_pa *same)
{
	enum pw_memory_type type;
	pw_pa until;

	if (first > last)
		return PW_TYPE_UNDEFINED;
	type = pw_mtrr_type(mtrr, first, &until);
	for (unsigned step = 0; until < last && step < STEPS; step++) {
		pw_pa next;

		if (pw_mtrr_type(mtrr, until + 1, &next) != type)
			break;
		until = next;
	}
	if (same)
		*same = until < last ? until : last;
	return until < last ? PW_TYPE_MIXED : type;
}

static bool is_type(enum pw_memory_type type)
{
	return type == PW_TYPE_UC || type == PW_TYPE_WC || type == PW_TYPE_WT ||
	       type == PW_TYPE_WP || type == PW_TYPE_WB;
}

/* SDM vol. 3A, "Effective Page-Level Memory Types for Pentium III and More Recent Processors". */
enum pw_memory_type pw_memory_type_combine(enum pw_memory_type mtrr, enum pw_memory_type pat)
{
	if (!is_type(mtrr))
		return PW_TYPE_UNDEFINED;
	switch (pat) {
	case PW_TYPE_UC:
	case PW_TYPE_WC:
		return pat;
	case PW_TYPE_WB:
		return mtrr;
	case PW_TYPE_UC_MINUS:
		return mtrr == PW_TYPE_WC || mtrr == PW_TYPE_WP ? PW_TYPE_WC : PW_TYPE_UC;
	case PW_TYPE_WT:
	case PW_TYPE_WP:
		return mtrr == PW_TYPE_UC || mtrr == PW_TYPE_WC ? PW_TYPE_UC : pat;
	default:
		return PW_TYPE_UNDEFINED;
	}
}

enum pw_memory_type pw_ept_access_type(
	unsigned ept_type, enum pw_memory_type guest_pat, bool guest_cd)
{
	enum pw_memory_type type = (enum pw_memory_type)(ept_type & 7);

	if (guest_cd)
		return PW_TYPE_UC;
	if (ept_type & 8)
		return is_type(type) ? type : PW_TYPE_UNDEFINED;
	return pw_memory_type_combine(type, guest_pat);
}
