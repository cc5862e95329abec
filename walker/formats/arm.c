/* SPDX-License-Identifier: MIT */
/*
 * Arm. Levels count up from the last table: level n here is the manual's level 3 - n.
 *
 *   AArch64 stage 1 and 2   Arm ARM (DDI 0487) D8, "The AArch64 Virtual Memory System Architecture"
 *   ARMv7 long descriptors  Arm ARM (DDI 0406) B3.6, "Long-descriptor translation table format"
 *   ARMv7 short descriptors Arm ARM (DDI 0406) B3.5, "Short-descriptor translation table format"
 *
 * A descriptor with bit 0 set that is not legal at its level (a block where there are none, 0b01 in
 * the last table) is treated by the hardware as invalid: it is a hole. Address bits above the
 * physical width in force give an address-size fault: BAD.
 */
#include "../bits.h"
#include <pagewalk/format.h>

#define ARM_AF       PW_BIT(10)
#define ARM_SH_INNER PW_BITS(8, 9)
#define ARM_NG       PW_BIT(11)
#define ARM_DBM      PW_BIT(51)
/* "Reserved for software use" in long descriptors, stage 1 and 2. Short ones have no such bits. */
#define ARM_SOFTWARE PW_BITS(55, 58)

/* ---- Long descriptors, stage 1 ---- */

/* Contiguous, bit 52: groups of 1 << group_ bytes; 0: none. Arm ARM, "The Contiguous bit". */
#define ARM_GROUP(group_) .hint = (group_) ? PW_BIT(52) : 0, .hint_log2 = (group_)

/* AttrIndx is bits 4:2. Dirty is DBM = 1 with AP[2] = 0: the hardware has cleared AP[2]. */
#define ARM_PAGE(shift_, top_, type_, dbm_, group_)                                                \
	{                                                                                          \
		.address = PW_BITS(shift_, top_), .bits = (type_) | ARM_AF | ARM_SH_INNER,         \
		.accessed = ARM_AF, .dirty = (dbm_), .dirty_clear = PW_BIT(7),                     \
		.global_clear = ARM_NG, ARM_GROUP(group_), .size_log2 = (shift_),                  \
		.right_bit = {6, 7, 53, 54, PW_NO_BIT, PW_NO_BIT}, .type_bit = {                   \
			2,                                                                         \
			3,                                                                         \
			4,                                                                         \
			PW_NO_BIT,                                                                 \
			PW_NO_BIT                                                                  \
		}                                                                                  \
	}

/* APTable, UXNTable and PXNTable, bits 62:59 of a table descriptor. */
#define ARM_TABLE(shift_, index_, granule_, top_)                                                  \
	.shift = (shift_), .index_bits = (index_), .table_mask = PW_BIT(1),                        \
	.table_value = PW_BIT(1), .table_address = PW_BITS(granule_, top_), .table_bits = 3,       \
	.fold = PW_BITS(59, 62)

#define ARM_LAST(shift_, index_, page_)                                                            \
	{                                                                                          \
		.shift = (shift_), .index_bits = (index_), .present_all = 3, .table_value = 1,     \
		.page = page_                                                                      \
	}
#define ARM_BLOCKS(shift_, index_, granule_, top_, page_)                                          \
	{                                                                                          \
		ARM_TABLE(shift_, index_, granule_, top_), .present_all = 1, .page = page_         \
	}
#define ARM_TABLES(shift_, index_, granule_, top_)                                                 \
	{                                                                                          \
		ARM_TABLE(shift_, index_, granule_, top_), .present_all = 3                        \
	}

#define A64_LAST(shift_, index_, group_)                                                           \
	ARM_LAST(shift_, index_, ARM_PAGE(shift_, 47, 3, ARM_DBM, group_))
#define A64_BLOCKS(shift_, index_, granule_, group_)                                               \
	ARM_BLOCKS(shift_, index_, granule_, 47, ARM_PAGE(shift_, 47, 1, ARM_DBM, group_))
#define A64_TABLES(shift_, index_, granule_) ARM_TABLES(shift_, index_, granule_, 47)

/*
 * Folded attributes: AP[1] (EL0 may access) unless APTable[0]; AP[2] (read-only) or APTable[1]; PXN
 * or PXNTable; UXN or UXNTable.
 */
#define ARM_ATTRIBUTES                                                                             \
	{                                                                                          \
		{PW_FOLD_AND_NOT, 61}, {PW_FOLD_OR, 62}, {PW_FOLD_OR, 59},                         \
		{                                                                                  \
			PW_FOLD_OR, 60                                                             \
		}                                                                                  \
	}

#define ARM_AP1(i)         ((i)&1)
#define ARM_AP2(i)         ((i)&2)
#define ARM_PXN(i)         ((i)&4)
#define ARM_XN(i)          ((i)&8)
#define ARM_USER_DATA(i)   (ARM_AP1(i) ? (ARM_AP2(i) ? PW_R : PW_R | PW_W) : 0)
#define ARM_KERNEL_DATA(i) (ARM_AP2(i) ? PW_R : PW_R | PW_W)

/* AArch64: EL0 may execute what it cannot read; what EL0 can write EL1 never executes. */
#define A64_GRANT(i)                                                                               \
	PW_GRANT(ARM_USER_DATA(i) | (ARM_XN(i) ? 0 : PW_X),                                        \
		ARM_KERNEL_DATA(i) | (ARM_PXN(i) || (ARM_AP1(i) && !ARM_AP2(i)) ? 0 : PW_X))
/* AArch32: execution needs the right to read; XN holds for both modes. */
#define A32_GRANT(i)                                                                               \
	PW_GRANT(ARM_USER_DATA(i) | (ARM_XN(i) || !ARM_AP1(i) ? 0 : PW_X),                         \
		ARM_KERNEL_DATA(i) | (ARM_PXN(i) || ARM_XN(i) ? 0 : PW_X))

#define ARM_SIXTEEN(m)                                                                             \
	{                                                                                          \
		m(0), m(1), m(2), m(3), m(4), m(5), m(6), m(7), m(8), m(9), m(10), m(11), m(12),   \
			m(13), m(14), m(15)                                                        \
	}

/* X for the kernel leaves PXN clear, X for the user UXN; never both. */
#define A64_ENCODE                                                                                 \
	{                                                                                          \
		PW_CANNOT, 14, PW_CANNOT, 12, PW_CANNOT, 10, PW_CANNOT, 8, PW_CANNOT, 15,          \
			PW_CANNOT, 13, 6, 7, PW_CANNOT, 5                                          \
	}
#define A32_ENCODE                                                                                 \
	{                                                                                          \
		PW_CANNOT, 14, PW_CANNOT, 12, PW_CANNOT, 2, PW_CANNOT, 0, PW_CANNOT, 15,           \
			PW_CANNOT, 13, PW_CANNOT, 7, PW_CANNOT, 5                                  \
	}

/* What AttrIndx means is MAIR's business: index 0 is taken for ordinary memory, no other is known.
 */
#define ARM_MAIR_TYPES                                                                             \
	{                                                                                          \
		0, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT     \
	}

#define A64_FORMAT(name_, manual_, levels_, bits_)                                                 \
	.name = (name_), .manual = (manual_), .family = PW_FAMILY_ARM, .levels = (levels_),        \
	.va_bits = (bits_), .extension = PW_ZERO_EXTENDED, .pa_bits = 48, .entry_bytes = 8,        \
	.reserved_above_pa = PW_BITS(12, 47), .software = ARM_SOFTWARE

#define A64_STAGE1                                                                                 \
	.attribute_count = 4, .has_user = true, .attribute = ARM_ATTRIBUTES,                       \
	.grant = ARM_SIXTEEN(A64_GRANT), .encode = A64_ENCODE, .encode_type = ARM_MAIR_TYPES

#define A64_MANUAL "Arm ARM DDI 0487, AArch64 VMSA, stage 1, "

const struct pw_format pw_format_arm64_4k = {
	A64_FORMAT("arm64-4k", A64_MANUAL "4 KiB granule, 48-bit", 4, 48),
	A64_STAGE1,
	.level = {A64_LAST(12, 9, 16), A64_BLOCKS(21, 9, 12, 25), A64_BLOCKS(30, 9, 12, 34),
		A64_TABLES(39, 9, 12)},
};

const struct pw_format pw_format_arm64_4k_39 = {
	A64_FORMAT("arm64-4k-39", A64_MANUAL "4 KiB granule, 39-bit", 3, 39),
	A64_STAGE1,
	.level = {A64_LAST(12, 9, 16), A64_BLOCKS(21, 9, 12, 25), A64_BLOCKS(30, 9, 12, 34)},
};

const struct pw_format pw_format_arm64_16k = {
	A64_FORMAT("arm64-16k", A64_MANUAL "16 KiB granule, 48-bit", 4, 48),
	A64_STAGE1,
	.level = {A64_LAST(14, 11, 21), A64_BLOCKS(25, 11, 14, 30), A64_TABLES(36, 11, 14),
		A64_TABLES(47, 1, 14)},
};

const struct pw_format pw_format_arm64_64k = {
	A64_FORMAT("arm64-64k", A64_MANUAL "64 KiB granule, 48-bit", 3, 48),
	A64_STAGE1,
	.level = {A64_LAST(16, 13, 21), A64_BLOCKS(29, 13, 16, 34), A64_TABLES(42, 6, 16)},
};

/* ---- Stage 2 ---- */

/* MemAttr is bits 5:2; S2AP bits 7:6; XN bit 54. Dirty is DBM with W. No hierarchical attributes.
 */
#define S2_PAGE(shift_, type_, group_)                                                             \
	{                                                                                          \
		.address = PW_BITS(shift_, 47), .bits = (type_) | ARM_AF | ARM_SH_INNER,           \
		.accessed = ARM_AF, .dirty = ARM_DBM | PW_BIT(7), ARM_GROUP(group_),               \
		.size_log2 = (shift_), .right_bit = {6, 7, 54, PW_NO_BIT, PW_NO_BIT, PW_NO_BIT},   \
		.type_bit = {                                                                      \
			2,                                                                         \
			3,                                                                         \
			4,                                                                         \
			5,                                                                         \
			PW_NO_BIT                                                                  \
		}                                                                                  \
	}
#define S2_LAST(shift_, index_, group_) ARM_LAST(shift_, index_, S2_PAGE(shift_, 3, group_))
#define S2_BLOCKS(shift_, index_, granule_, group_)                                                \
	ARM_BLOCKS(shift_, index_, granule_, 47, S2_PAGE(shift_, 1, group_))

/* Attributes: R, W, XN. Write-only is a legal encoding. */
#define S2_FORMAT(name_, granule_, levels_)                                                        \
	A64_FORMAT(name_, "Arm ARM DDI 0487, AArch64 VMSA, stage 2, " granule_ ", 40-bit",         \
		levels_, 40),                                                                      \
		.attribute_count = 3, .has_user = false,                                           \
		.attribute = {{PW_FOLD_PAGE, PW_NO_BIT}, {PW_FOLD_PAGE, PW_NO_BIT},                \
			{PW_FOLD_PAGE, PW_NO_BIT}},                                                \
		.grant = {PW_GRANT_ALL(4), PW_GRANT_ALL(5), PW_GRANT_ALL(6), PW_GRANT_ALL(7), 0,   \
			PW_GRANT_ALL(1), PW_GRANT_ALL(2), PW_GRANT_ALL(3)},                        \
		.encode = {PW_CANNOT, 5, 6, 7, 0, 1, 2, 3, PW_CANNOT, PW_CANNOT, PW_CANNOT,        \
			PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT, PW_CANNOT},                    \
		.encode_type = {15, 1, 5, 10, PW_CANNOT, 15, PW_CANNOT, PW_CANNOT}

/* 40-bit input with concatenated tables at the start level, as common hypervisors have it. */
const struct pw_format pw_format_arm64_s2_4k = {
	S2_FORMAT("arm64-s2-4k", "4 KiB granule", 3),
	.level = {S2_LAST(12, 9, 16), S2_BLOCKS(21, 9, 12, 25), S2_BLOCKS(30, 10, 12, 34)},
};

const struct pw_format pw_format_arm64_s2_16k = {
	S2_FORMAT("arm64-s2-16k", "16 KiB granule", 2),
	.level = {S2_LAST(14, 11, 21), S2_BLOCKS(25, 15, 14, 30)},
};

const struct pw_format pw_format_arm64_s2_64k = {
	S2_FORMAT("arm64-s2-64k", "64 KiB granule", 2),
	.level = {S2_LAST(16, 13, 21), S2_BLOCKS(29, 11, 16, 34)},
};

/* ---- ARMv7 ---- */

const struct pw_format pw_format_armv7_lpae = {
	.name = "armv7-lpae",
	.manual = "Arm ARM DDI 0406, Long-descriptor translation table format",
	.family = PW_FAMILY_ARM,
	.levels = 3,
	.va_bits = 32,
	.extension = PW_ZERO_EXTENDED,
	.pa_bits = 40,
	.entry_bytes = 8,
	.reserved_above_pa = PW_BITS(12, 47),
	.software = ARM_SOFTWARE,
	.attribute_count = 4,
	.has_user = true,
	.attribute = ARM_ATTRIBUTES,
	.grant = ARM_SIXTEEN(A32_GRANT),
	.encode = A32_ENCODE,
	.encode_type = ARM_MAIR_TYPES,
	.level = {ARM_LAST(12, 9, ARM_PAGE(12, 39, 3, 0, 16)),
		ARM_BLOCKS(21, 9, 12, 39, ARM_PAGE(21, 39, 1, 0, 25)),
		ARM_BLOCKS(30, 2, 12, 39, ARM_PAGE(30, 39, 1, 0, 0))},
};

/*
 * Short descriptors. AP[2:0], XN and PXN stand at other places in a section, a large page and a
 * small page; PXN of small and large pages stands in the first-level entry. Domains are taken to be
 * clients, SCTLR.AFE and TRE to be 0. Memory-type index: B, C, TEX[2:0], lowest first.
 */
#define SHORT_AP(i)           ((i)&7)
#define SHORT_KERNEL_READS(i) (SHORT_AP(i) != 0 && SHORT_AP(i) != 4)
#define SHORT_USER_READS(i)   (((i)&2) != 0)
#define SHORT_USER(i)                                                                              \
	(SHORT_USER_READS(i) ? PW_R | (SHORT_AP(i) == 3 ? PW_W : 0) | ((i)&8 ? 0 : PW_X) : 0)
#define SHORT_KERNEL(i)                                                                            \
	(SHORT_KERNEL_READS(i) ? PW_R | ((i)&4 ? 0 : PW_W) | ((i)&24 ? 0 : PW_X) : 0)
#define SHORT_GRANT(i) PW_GRANT(SHORT_USER(i), SHORT_KERNEL(i))
#define SHORT_EIGHT(b)                                                                             \
	SHORT_GRANT(b), SHORT_GRANT((b) + 1), SHORT_GRANT((b) + 2), SHORT_GRANT((b) + 3),          \
		SHORT_GRANT((b) + 4), SHORT_GRANT((b) + 5), SHORT_GRANT((b) + 6),                  \
		SHORT_GRANT((b) + 7)

const struct pw_format pw_format_armv7_short = {
	.name = "armv7-short",
	.manual = "Arm ARM DDI 0406, Short-descriptor translation table format",
	.family = PW_FAMILY_ARM,
	.levels = 2,
	.va_bits = 32,
	.extension = PW_ZERO_EXTENDED,
	.pa_bits = 40,
	.entry_bytes = 4,
	.attribute_count = 5,
	.has_user = true,
	.attribute = {{PW_FOLD_PAGE, PW_NO_BIT}, {PW_FOLD_PAGE, PW_NO_BIT},
		{PW_FOLD_PAGE, PW_NO_BIT}, {PW_FOLD_PAGE, PW_NO_BIT}, {PW_FOLD_OR, 2}},
	.grant = {SHORT_EIGHT(0), SHORT_EIGHT(8), SHORT_EIGHT(16), SHORT_EIGHT(24)},
	.encode = {PW_CANNOT, 13, PW_CANNOT, 9, PW_CANNOT, 5, PW_CANNOT, 1, PW_CANNOT, 15,
		PW_CANNOT, 11, PW_CANNOT, 7, PW_CANNOT, 3},
	.encode_type = {7, 1, 4, 2, PW_CANNOT, 7, PW_CANNOT, PW_CANNOT},
	.level = {
		{
			.shift = 12,
			.index_bits = 8,
			.present_any = 3,
			.table_value = 1,
			.page = {
				.mask = 2,
				.value = 2,
				.address = PW_BITS(12, 31),
				.bits = 2,
				.global_clear = PW_BIT(11),
				.shareable_bit = 10,
				.size_log2 = 12,
				.right_bit = {4, 5, 9, 0, PW_NO_BIT, PW_NO_BIT},
				.type_bit = {2, 3, 6, 7, 8},
			},
			.span = {
				.mask = 3,
				.value = 1,
				.address = PW_BITS(16, 31),
				.bits = 1,
				.global_clear = PW_BIT(11),
				.shareable_bit = 10,
				.size_log2 = 16,
				.right_bit = {4, 5, 9, 15, PW_NO_BIT, PW_NO_BIT},
				.type_bit = {2, 3, 12, 13, 14},
			},
		},
		{
			.shift = 20,
			.index_bits = 12,
			.present_any = 3,
			.table_mask = 3,
			.table_value = 1,
			.table_address = PW_BITS(10, 31),
			.table_bits = 1,
			.fold = PW_BIT(2),
			.page = {
				.mask = PW_BIT(18) | 2,
				.value = 2,
				.address = PW_BITS(20, 31),
				.bits = 2,
				.global_clear = PW_BIT(17),
				.shareable_bit = 16,
				.size_log2 = 20,
				.right_bit = {10, 11, 15, 4, 0, PW_NO_BIT},
				.type_bit = {2, 3, 12, 13, 14},
			},
			.span = {
				.mask = PW_BIT(18) | 2,
				.value = PW_BIT(18) | 2,
				.address = PW_BITS(24, 31),
				.high = {{.mask = PW_BITS(20, 23), .left = 12},
					{.mask = PW_BITS(5, 8), .left = 31}},
				.bits = PW_BIT(18) | 2,
				.global_clear = PW_BIT(17),
				.shareable_bit = 16,
				.size_log2 = 24,
				.right_bit = {10, 11, 15, 4, 0, PW_NO_BIT},
				.type_bit = {2, 3, 12, 13, 14},
			},
		},
	},
};

_Static_assert((PW_BITS(5, 8) << 31) == PW_BITS(36, 39), "supersection PA[39:36]");
_Static_assert((PW_BITS(20, 23) << 12) == PW_BITS(32, 35), "supersection PA[35:32]");
